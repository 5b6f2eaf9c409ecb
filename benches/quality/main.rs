//! Speech through the engine and through bare libopus on the same bad network, as WAV files to be judged.
//!
//! `quality SPEECH.wav OUT_DIR SEEDS` writes `engine-CONDITION-SEED.wav` and `bare-CONDITION-SEED.wav` for each row of the
//! table and prints how the engine made its frames. Judging is `score.py`'s; `scripts/quality.sh` runs all.

mod bare;
mod engine;
mod trace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use antiphon_codec::{CodecRate, Encoder, EncoderConfig, MAX_FRAME_BYTES, PacketInfo};
use antiphon_load::recording::Recording;
use antiphon_load::speech::SpeechRate;
use antiphon_load::wav;

/// Samples of a frame at 48 kHz.
const FRAME: usize = 960;
/// Nanoseconds of a tick.
const TICK_NS: u64 = 20_000_000;

/// One packet of the talker.
#[derive(Debug)]
struct Packet {
    payload: Vec<u8>,
    /// Its level, 0 (full scale) to 127 (RFC 6464).
    level: u8,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [speech, out, seeds] = arguments.as_slice() else {
        eprintln!("usage: quality SPEECH.wav OUT_DIR SEEDS");
        return ExitCode::from(2);
    };
    let run = || -> Result<(), String> {
        let seeds: u64 = seeds.parse().map_err(|_| format!("{seeds}: not a number of seeds"))?;
        let speech = wav::read(Path::new(speech)).map_err(|error| error.to_string())?;
        write_all(&speech, &PathBuf::from(out), seeds)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quality: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(speech: &Recording, out: &Path, seeds: u64) -> Result<(), String> {
    let packets = encode(speech.samples());
    let payloads: Vec<_> = packets.iter().map(|packet| packet.payload.clone()).collect();
    let fec = payloads.iter().filter(|payload| PacketInfo::has_fec(payload)).count();
    println!("{} packets of 24 kb/s, complexity 5, FEC for 10 % loss; {fec} carry a copy", packets.len());
    println!("{:22} seed  lost | decoded recovered concealed comfort skipped | late", "condition");
    for condition in trace::CONDITIONS {
        for seed in 1..=seeds {
            let trace = condition.trace(seed, packets.len());
            let heard = engine::hear(&packets, &trace);
            let frames = heard.frames;
            println!(
                "{:22} {seed:4} {:5} | {:7} {:9} {:9} {:7} {:7} | {:4}",
                condition.name,
                trace.iter().filter(|delay| delay.is_none()).count(),
                frames.decoded,
                frames.recovered,
                frames.concealed,
                frames.comfort,
                frames.skipped,
                heard.packets.late,
            );
            for (chain, samples) in [("engine", heard.samples), ("bare", bare::hear(&payloads, &trace))] {
                let path = out.join(format!("{chain}-{}-{seed}.wav", condition.name));
                write(&path, &samples)?;
            }
        }
    }
    Ok(())
}

fn encode(samples: &[f32]) -> Vec<Packet> {
    let config = EncoderConfig { fec: true, expected_loss: 10, ..EncoderConfig::speech(CodecRate::Hz48000) };
    let mut encoder = Encoder::new(&config).expect("invariant: valid settings");
    let mut out = [0; MAX_FRAME_BYTES];
    let encode = |frame: &[f32]| {
        let len = encoder.encode(frame, &mut out).expect("invariant: 20 ms of mono");
        let power = frame.iter().map(|s| s * s).sum::<f32>() / frame.len() as f32;
        let level = (-10.0 * power.max(1e-13).log10()).round().clamp(0.0, 127.0) as u8;
        Packet { payload: out[..len].to_vec(), level }
    };
    samples.chunks_exact(FRAME).map(encode).collect()
}

fn write(path: &Path, samples: &[f32]) -> Result<(), String> {
    let mut recording = Recording::new(SpeechRate::Hz48000);
    recording.append(samples);
    wav::write(path, &recording).map_err(|error| error.to_string())
}
