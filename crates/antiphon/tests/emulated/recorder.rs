//! A bot that records: whole tracks of everybody and of the mix, in any format, and who talked meanwhile.

use std::collections::BTreeMap;

use antiphon::{AudioFormat, AudioSocket, AudioTick, Bot, Call, JoinOptions, Meeting, Player, TalkEvent};

use crate::world::{PATIENCE, PERMISSIONS, World, share, sing, soon};

/// Records for so many ticks. This is all it takes: a tick after the other, silence where a track has no frame.
async fn record(audio: &AudioSocket, ticks: usize) -> BTreeMap<u32, Vec<i16>> {
    let silence = vec![0; audio.format().frame_len()];
    let mut tracks: BTreeMap<u32, Vec<i16>> = BTreeMap::from([(0, Vec::new())]); // no source has the id 0
    for done in 0..ticks {
        let Some(AudioTick { mixed, unmixed, .. }) = audio.tick().await else { break };
        unmixed.iter().for_each(|frame| _ = tracks.entry(frame.source_id.as_u32()).or_default());
        for (source, track) in &mut tracks {
            track.resize(done * silence.len(), 0); // one who came later was silent before
            let apart = unmixed.iter().find(|frame| frame.source_id.as_u32() == *source).map(|frame| &frame.samples);
            let samples = if *source == 0 { mixed.as_ref().map(|frame| &frame.samples) } else { apart };
            track.extend_from_slice(samples.map_or(&silence[..], |samples| samples.as_slice()));
        }
    }
    tracks
}

/// A bot of its own in the one meeting; it lives as long as it is kept.
async fn join(world: &World, format: AudioFormat) -> (Bot, Call) {
    let app = world.app(&PERMISSIONS);
    let meeting = world.emulator.meetings().into_iter().next().unwrap_or_else(|| world.meeting());
    let bot = world.bot(&app).await;
    let meeting = Meeting::by_id(&meeting.join_meeting_id, meeting.passcode);
    let call = bot.join(&meeting, JoinOptions { format, ..JoinOptions::default() }).await.unwrap();
    soon(call.established()).await.unwrap();
    (bot, call)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tracks_of_every_voice_have_the_length_of_the_mix_in_every_format() {
    let world = World::new().await;
    let (_one, ada) = join(&world, AudioFormat::PCM_8K).await;
    let (_two, bea) = join(&world, AudioFormat::PCM_44K.stereo()).await;
    sing(&ada, 500.0);
    sing(&bea, 1_300.0);
    for format in [AudioFormat::PCM_24K, AudioFormat::PCM_44K.stereo()] {
        let (_bot, recorder) = join(&world, format).await;
        // Both have begun, and the jitter buffers have settled.
        soon(async {
            while recorder.audio().talking().len() < 2 {
                recorder.audio().tick().await.unwrap();
            }
        })
        .await;
        soon(record(recorder.audio(), 50)).await;
        let tracks = soon(record(recorder.audio(), 100)).await;
        let two_seconds = 100 * format.frame_len();
        assert_eq!(tracks.values().map(Vec::len).collect::<Vec<_>>(), [two_seconds; 3], "{format:?}");
        let mono =
            |samples: &[i16]| -> Vec<i16> { samples.chunks(usize::from(format.channels())).map(|c| c[0]).collect() };
        let one_channel = AudioFormat::new(format.sample_rate(), 1).unwrap();
        for (singer, hz) in [(&ada, 500.0), (&bea, 1_300.0)] {
            let me = singer.my_participant_id().unwrap();
            let roster = soon(recorder.roster(|all| all.len() >= 3)).await.unwrap();
            let source = roster.iter().find(|p| p.id == me).and_then(|p| p.audio_source_id()).unwrap();
            let track = mono(&tracks[&source]);
            assert!(share(&track, hz, one_channel) > 0.9, "{format:?}: {}", share(&track, hz, one_channel));
            let mixed = share(&mono(&tracks[&0]), hz, one_channel);
            assert!((0.3..0.7).contains(&mixed), "{format:?}: {mixed} of the mix");
            // 6,000 of 32,768 as it was sung: within 1 dB after conversion, Opus and conversion.
            let power = track.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / track.len() as f64;
            let level = 20.0 * ((2.0 * power).sqrt() / 6_000.0).log10();
            assert!(level.abs() < 1.0, "{format:?}, {hz} Hz: {level:.2} dB");
        }
    }
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_learns_who_talks_how_loud_and_who_carries_the_conversation() {
    let world = World::new().await;
    let (_one, ear) = join(&world, AudioFormat::PCM_16K).await;
    let (_two, ada) = join(&world, AudioFormat::PCM_48K).await;
    let id = ada.my_participant_id().unwrap();
    let roster = soon(ear.roster(|all| all.len() == 2)).await.unwrap();
    let source = roster.iter().find(|p| p.id == id).and_then(|p| p.audio_source_id()).unwrap();
    let (mut talk, mut levels) = (ear.audio().talk(), ear.audio().levels());
    let mut player = Player::new(ada.audio());
    let tone: Vec<i16> = (0..48_000)
        .map(|n| (8_000.0 * (std::f64::consts::TAU * 440.0 * f64::from(n) / 48_000.0).sin()) as i16)
        .collect();
    player.play(&tone, 48_000).await.unwrap();
    let mut told = Vec::new();
    let mut loudest = u8::MAX;
    while !matches!(told.last(), Some(TalkEvent::Dominant(None))) {
        tokio::select! {
            event = talk.recv() => told.push(event.unwrap()),
            changed = levels.changed() => {
                changed.unwrap();
                for level in levels.borrow().iter() {
                    assert_eq!(level.source_id.as_u32(), source);
                    loudest = loudest.min(level.level.minus_dbov());
                }
            }
            () = tokio::time::sleep(PATIENCE) => panic!("{told:?}"),
        }
    }
    let got: Vec<_> = told
        .iter()
        .map(|event| match event {
            TalkEvent::Started(id) => ("started", Some(id.as_u32())),
            TalkEvent::Stopped(id) => ("stopped", Some(id.as_u32())),
            TalkEvent::Dominant(id) => ("dominant", id.map(|id| id.as_u32())),
            _ => unreachable!("there are three"),
        })
        .collect();
    let who = Some(source);
    assert_eq!(got, [("started", who), ("dominant", who), ("stopped", who), ("dominant", None)]);
    // A sine of a quarter of full scale: -12 and -3 dB.
    assert!((13..=17).contains(&loudest), "-{loudest} dBov");
    assert_eq!(ear.audio().recent_speakers().iter().map(|id| id.as_u32()).collect::<Vec<_>>(), [source]);
    assert!(ear.audio().talking().is_empty() && ear.audio().dominant_speaker().is_none());
    world.emulator.stop().await;
}
