//! Instructions of each stage and of the whole tick, counted by callgrind and held against a committed baseline.
//!
//! `counts run` does every stage's work inside [`measured`], at which callgrind begins and ends a dump, and prints the
//! stages' names in order. `counts report DUMPS NAMES BASELINE [--update]` adds up the dumps and compares: 3 % more fails.
//! Calls into libopus are left out: it picks its code by the processor; Rust's is the same everywhere (x86-64, SSE2).
//! The input is made of integers, so it is the same everywhere too. `scripts/counts.sh` runs all.
#![allow(clippy::disallowed_macros, reason = "a program that prints a table, not the media path")]

#[path = "counts/report.rs"]
mod report;
#[path = "../tests/room/mod.rs"]
mod room;
#[path = "counts/stages.rs"]
mod stages;

use std::process::ExitCode;

/// What callgrind counts: one call is one dump.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    // Something after the call, or it would be a jump, from which callgrind sees no return.
    let mut returned = false;
    *std::hint::black_box(&mut returned) = true;
}

/// Does `work` a few times uncounted, then once counted, under this name.
fn stage(name: &str, mut work: impl FnMut()) {
    for _ in 0..3 {
        work();
    }
    println!("{name}");
    measured(&mut work);
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["run"] => {
            stages::run();
            ExitCode::SUCCESS
        }
        ["report", dumps, names, baseline, rest @ ..] => {
            match report::report(dumps, names, baseline, rest.contains(&"--update")) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => {
                    eprintln!("counts: {error}");
                    ExitCode::FAILURE
                }
            }
        }
        _ => {
            println!("counts: run me by scripts/counts.sh (make counts)");
            ExitCode::SUCCESS
        }
    }
}
