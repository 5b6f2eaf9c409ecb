//! `antiphon demo`: the main job on real speech, proven from recordings.
//!
//! Owns one run from options to exit code: sets the stage, plays the script until its end or Ctrl-C, closes everything,
//! then measures, writes and prints. In the flow: script (what to do) → conductor (does it) → evaluation (what
//! happened) → report. Exit codes: 0 as planned, 1 not, 130 stopped by Ctrl-C with what was recorded kept.

pub(crate) mod matrix;
pub(crate) mod model;
pub(crate) mod notices;
pub(crate) mod script;

mod admin;
mod bot_side;
mod cast;
mod conductor;
mod evaluation;
mod progress;
mod stage;
mod tap;

use std::path::Path;
use std::time::Duration;

use antiphon_load::recording::Recording as Sound;
use antiphon_load::wav;
use anyhow::Context as _;

use crate::args::DemoOptions;
use crate::report::{Report, Run, Verdict, html, text};
use crate::{INTERRUPTED, panics, sentence, unless_interrupted};
use conductor::Conductor;
use evaluation::Evidence;
use progress::Progress;
use script::Script;
use stage::Stage;

/// How long tear-down may take after Ctrl-C or a failed step.
const CLOSING: Duration = Duration::from_secs(10);

/// One run.
pub(crate) async fn run(options: &DemoOptions) -> anyhow::Result<u8> {
    panics::collect();
    let out = options.out.as_path();
    std::fs::create_dir_all(out)
        .with_context(|| format!("cannot make the directory {}; choose another --out", out.display()))?;
    let started = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let progress = Progress::new();
    progress.say("starting: emulator, webhook, meeting");
    let script = Script::new(options.talkers, options.seconds);
    let stage = Stage::set_up(options, out).await?;
    progress.say(&format!("emulator at {}", stage.emulator.base_url()));

    let mut conductor = Conductor::new(stage, &script, &progress, options.loss.percent());
    let mut verdict = Verdict::default();
    tokio::select! {
        played = conductor.play() => if let Err(error) = played {
            verdict.problems.push(sentence(&error));
        },
        _ = tokio::signal::ctrl_c() => {
            verdict.interrupted = true;
            progress.say("stopping: hanging up and keeping what was recorded");
        }
    }
    let seconds = conductor.elapsed();
    let Some(closed) = unless_interrupted(tokio::time::timeout(CLOSING, conductor.close())).await else {
        return Ok(INTERRUPTED);
    };
    let bot = match closed {
        Ok(Ok(recordings)) => recordings,
        Ok(Err(error)) => {
            verdict.problems.push(format!("closing: {}", sentence(&error)));
            None
        }
        Err(_) => {
            verdict.problems.push(format!("closing took more than {} s", CLOSING.as_secs()));
            None
        }
    };
    let evidence = Evidence::collect(&script, &conductor, bot, seconds);
    let webhook_problems = conductor.webhook_problems();
    conductor.stage.emulator.stop().await;

    progress.say("measuring the recordings");
    let outcome = evidence.evaluate();
    verdict.problems.extend(outcome.problems);
    if !verdict.interrupted {
        verdict.problems.extend(evidence.notices.missing());
        verdict.problems.extend(webhook_problems);
    }
    verdict.problems.extend(panics::take());
    let report = Report {
        run: Run {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            talkers: options.talkers,
            budget_seconds: options.seconds,
            loss_percent: options.loss.percent(),
            jitter_ms: options.jitter.millis(),
            seed: options.seed,
            started,
        },
        verdict,
        seconds: seconds.as_secs_f64(),
        phases: outcome.phases,
        notices: evidence.notices.report(),
        figures: outcome.figures,
        recordings: evidence.drawn(),
    };
    write(out, &evidence, &report)?;
    print(out, options.json, &report)
}

fn write(out: &Path, evidence: &Evidence, report: &Report) -> anyhow::Result<()> {
    for (file, sound) in evidence.files() {
        write_sound(&out.join(file), sound)?;
    }
    let page = out.join("report.html");
    std::fs::write(&page, html::render(report)).with_context(|| format!("cannot write {}", page.display()))?;
    let data = out.join("report.json");
    std::fs::write(&data, serde_json::to_vec_pretty(report)?)
        .with_context(|| format!("cannot write {}", data.display()))
}

fn write_sound(path: &Path, sound: &Sound) -> anyhow::Result<()> {
    wav::write(path, sound).with_context(|| format!("cannot write {}", path.display()))
}

fn print(out: &Path, json: bool, report: &Report) -> anyhow::Result<u8> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{}", text::render(report));
        println!("  report               {}", out.join("report.html").display());
    }
    for problem in &report.verdict.problems {
        eprintln!("antiphon: {problem}");
    }
    if report.verdict.interrupted {
        eprintln!("antiphon: stopped by Ctrl-C; what was recorded is in {}", out.display());
        return Ok(INTERRUPTED);
    }
    if report.verdict.passed() {
        if !json {
            println!("\nEverybody heard exactly whom the plan says, in every phase.");
        }
        return Ok(0);
    }
    eprintln!("antiphon: the demo is not as planned; see {}", out.join("report.html").display());
    Ok(1)
}
