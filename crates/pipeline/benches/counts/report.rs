//! Adds up what callgrind dumped and compares it with the baseline.
//!
//! A dump's total less the inclusive cost of calls that leave our code for libopus is what counts. Text in, text out.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// How much more than the baseline a stage may take.
const ALLOWED: f64 = 0.03;

/// Compares the dumps in a folder with the baseline, or writes a new one; whether nothing got more expensive.
pub(crate) fn report(dumps: &str, names: &str, baseline: &str, update: bool) -> Result<bool, String> {
    let names = read(Path::new(names))?;
    let counts = counted(Path::new(dumps))?;
    let names: Vec<&str> = names.lines().collect();
    if names.len() != counts.len() {
        return Err(format!("{} stages were run and {} dumped", names.len(), counts.len()));
    }
    let rows = || names.iter().zip(&counts);
    if update {
        let mut text = String::from("# Instructions per stage without libopus: make counts ARGS=--update\n");
        for (name, count) in rows() {
            let _ = writeln!(text, "{name}\t{count}");
        }
        fs::write(baseline, text).map_err(|error| format!("{baseline}: {error}"))?;
    }
    let before = read(Path::new(baseline))?;
    let before_of = |name: &str| {
        let line = before.lines().find(|line| line.split('\t').next() == Some(name))?;
        line.split('\t').nth(1)?.parse::<u64>().ok()
    };
    println!("{:34} {:>12} {:>12}  change", "stage", "instructions", "baseline");
    let mut worse = Vec::new();
    for (name, count) in rows() {
        let Some(before) = before_of(name) else {
            println!("{name:34} {count:12} {:>12}  new", "-");
            worse.push(format!("{name} is not in the baseline"));
            continue;
        };
        let change = *count as f64 / before.max(1) as f64 - 1.0;
        let verdict = if change > ALLOWED {
            "  MORE"
        } else if change < -ALLOWED {
            "  less"
        } else {
            ""
        };
        println!("{name:34} {count:12} {before:12}  {:+6.2} %{verdict}", change * 100.0);
        if change > ALLOWED {
            worse.push(format!("{name} takes {:.1} % more", change * 100.0));
        }
    }
    let stages_before = before.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').next());
    worse.extend(stages_before.filter(|name| !names.contains(name)).map(|name| format!("{name} was not run")));
    for line in &worse {
        println!("counts: {line}");
    }
    if !worse.is_empty() {
        println!("counts: if that is meant, run 'make counts ARGS=--update' and commit the baseline with the reason");
    }
    Ok(worse.is_empty())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Instructions of each dump at the end of a measured call, in order.
fn counted(folder: &Path) -> Result<Vec<u64>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut dumps = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let text = read(&path)?;
        let part = text.lines().find_map(|line| line.strip_prefix("part: ")?.trim().parse::<u32>().ok());
        if let (Some(part), true) = (part, text.lines().any(|line| line.starts_with("desc: Trigger: --dump-after"))) {
            dumps.push((part, instructions(&text).ok_or_else(|| format!("{}: no summary", path.display()))?));
        }
    }
    dumps.sort_unstable();
    Ok(dumps.into_iter().map(|(_, count)| count).collect())
}

/// The total of one dump, less what our functions spent in libopus.
fn instructions(dump: &str) -> Option<u64> {
    let total = dump.lines().find_map(|line| line.strip_prefix("summary: "))?;
    let total: u64 = total.split_whitespace().next()?.parse().ok()?;
    let libopus = |name: &str| name.starts_with("opus_");
    let (mut caller_is_ours, mut callee_is_libopus, mut inside) = (true, false, 0_u64);
    let mut lines = dump.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("fn=") {
            caller_is_ours = is_ours(name);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            callee_is_libopus = libopus(name);
        } else if line.starts_with("calls=") {
            let cost = lines.next()?.split_whitespace().nth(1)?.parse::<u64>().ok()?;
            inside += if caller_is_ours && callee_is_libopus { cost } else { 0 };
        }
    }
    Some(total.saturating_sub(inside))
}

/// Rust's names have paths; those of C have none.
fn is_ours(name: &str) -> bool {
    name.contains("::")
}
