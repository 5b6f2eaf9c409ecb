//! Speech through the engine and through bare libopus on the same bad network, as WAV files to be judged.
//!
//! `quality SPEECH.wav OUT_DIR SEEDS` writes `engine-CONDITION-SEED.wav` and `bare-CONDITION-SEED.wav` for each row of the
//! table and prints how the engine made its frames. Judging is `score.py`'s; `scripts/quality.sh` runs all.
#![allow(clippy::disallowed_macros, reason = "a program that prints a table, not the media path")]

mod bare;
mod engine;
mod trace;

use std::path::Path;
use std::process::ExitCode;

use antiphon_codec::{CodecRate, Encoder, EncoderConfig, MAX_FRAME_BYTES, PacketInfo};

/// Samples of a frame at 48 kHz.
const FRAME: usize = 960;
/// Nanoseconds of a tick.
const TICK_NS: u64 = 20_000_000;

const SPEC: hound::WavSpec =
    hound::WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };

/// One packet of the talker.
#[derive(Debug)]
struct Packet {
    payload: Vec<u8>,
    /// Its level, 0 (full scale) to 127 (RFC 6464).
    level: u8,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [speech, out, seeds] = arguments.as_slice() else {
        println!("quality: run me by scripts/quality.sh (make quality)");
        return ExitCode::SUCCESS;
    };
    let run = || -> Result<(), String> {
        let seeds: u64 = seeds.parse().map_err(|_| format!("{seeds}: not a number of seeds"))?;
        let speech = read(Path::new(speech)).map_err(|error| format!("{speech}: {error}"))?;
        write_all(&speech, Path::new(out), seeds)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quality: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(speech: &[f32], out: &Path, seeds: u64) -> Result<(), String> {
    let packets = encode(speech);
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
                write(&path, &samples).map_err(|error| format!("{}: {error}", path.display()))?;
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

/// Reads a 16-bit mono WAV of 48 kHz.
fn read(path: &Path) -> Result<Vec<f32>, hound::Error> {
    let reader = hound::WavReader::open(path)?;
    if reader.spec() != SPEC {
        return Err(hound::Error::FormatError("not 16-bit mono at 48 kHz"));
    }
    reader.into_samples::<i16>().map(|sample| sample.map(|sample| f32::from(sample) / 32_768.0)).collect()
}

fn write(path: &Path, samples: &[f32]) -> Result<(), hound::Error> {
    let mut writer = hound::WavWriter::create(path, SPEC)?;
    for sample in samples {
        writer.write_sample((sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16)?;
    }
    writer.finalize()
}
