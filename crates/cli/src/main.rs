//! The `antiphon` program: demo, emulator, permission matrix, doctor, Graph commands, probe.
//!
//! Owns the command line, logging and exit codes: 0 as asked, 1 not as planned or failed, 2 wrong usage, 130
//! stopped by Ctrl-C. An error is one sentence that says what to do. `anyhow` lives only in this crate.

mod args;
mod calling;
mod connection;
mod demo;
mod doctor;
mod emulator;
mod panics;
mod permissions;
mod probe;
mod report;
mod tones;
mod values;
mod webhook_identity;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use calling::GraphCommand;

/// Ctrl-C, as shells report it.
pub(crate) const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_logging(arguments.verbose, arguments.quiet);
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(arguments.command)));
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("antiphon: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes; a cause that the text before it already tells is left out.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Cleaning up after a first Ctrl-C; `None` if another one comes before it is done.
pub(crate) async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        _ = tokio::signal::ctrl_c() => None,
    }
}

async fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Demo(options) => demo::run(&options).await,
        Command::Emulator(options) => emulator::run(&options).await,
        Command::Permissions(options) => permissions::run(&options),
        Command::Doctor(options) => doctor::run(&options).await,
        Command::Call(options) => GraphCommand::Call(&options).run().await,
        Command::Participant(options) => GraphCommand::Participant(&options).run().await,
        Command::AudioRoutingGroup(options) => GraphCommand::AudioRoutingGroup(&options).run().await,
        Command::ContentSharingSession(options) => GraphCommand::ContentSharingSession(&options).run().await,
        Command::Operation(options) => GraphCommand::Operation(&options).run().await,
        Command::Probe(options) => probe::run(&options).await,
    }
}

/// Logs go to standard error: warnings by default, more with `-v`, or exactly what `RUST_LOG` says.
fn start_logging(verbose: u8, quiet: bool) {
    use tracing_subscriber::EnvFilter;
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, 2) => "debug",
        (false, _) => "trace",
    };
    // The WebRTC stacks warn about every unknown extension of a peer; that is noise unless asked for.
    let noisy = if verbose < 2 { ",rtc_dtls=error,rtc_ice=error,rtc=error,webrtc=error,rtc_mdns=off" } else { "" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level}{noisy}")));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(true).init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_cause_is_told_once() {
        let told = anyhow!("port in use").context("cannot listen: port in use; choose another");
        assert_eq!(sentence(&told), "cannot listen: port in use; choose another");
        let untold = anyhow!("no such file").context("cannot read the key");
        assert_eq!(sentence(&untold), "cannot read the key: no such file");
    }
}
