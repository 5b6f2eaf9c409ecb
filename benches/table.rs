//! Prints one table of everything criterion measured in the last run, and the table of the whole tick below it.
//!
//! Reads criterion's own results (`estimates.json` of each bench, under `target/criterion`); runs nothing. A stage's ratio is
//! its time over that of one encode at the engine's default setting, of the same run: what it is worth beside the codec.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The bench that is the measure of all others.
const ENCODE: &str = "encode/frame/24k_cx5";

fn main() -> ExitCode {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let folder = target.join("criterion");
    let mut benches = BTreeMap::new();
    collect(&folder, &mut benches);
    if benches.is_empty() {
        eprintln!("bench-table: no results in {}: run 'make bench' first", folder.display());
        return ExitCode::FAILURE;
    }
    let encode = benches.get(ENCODE).copied();
    println!("\n{:52} {:>12} {:>10}", "stage", "median", "÷ encode");
    for (name, nanos) in &benches {
        let ratio = encode.map_or_else(|| "-".to_owned(), |encode| format!("{:.5}", nanos / encode));
        println!("{name:52} {:>12} {ratio:>10}", time(*nanos));
    }
    if let Ok(tick) = std::fs::read_to_string(folder.join("tick.txt")) {
        println!("\n{tick}");
    }
    ExitCode::SUCCESS
}

/// Medians in nanoseconds by the bench's whole name.
fn collect(folder: &Path, benches: &mut BTreeMap<String, f64>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        if path.ends_with("new") {
            benches.extend(result(&path));
        } else {
            collect(&path, benches);
        }
    }
}

/// One bench's name and median.
fn result(folder: &Path) -> Option<(String, f64)> {
    let json = |file: &str| -> Option<serde_json::Value> {
        serde_json::from_str(&std::fs::read_to_string(folder.join(file)).ok()?).ok()
    };
    let name = json("benchmark.json")?.get("full_id")?.as_str()?.to_owned();
    let median = json("estimates.json")?.get("median")?.get("point_estimate")?.as_f64()?;
    Some((name, median))
}

fn time(nanos: f64) -> String {
    match nanos {
        ..1e3 => format!("{nanos:.1} ns"),
        1e3..1e6 => format!("{:.2} us", nanos / 1e3),
        _ => format!("{:.2} ms", nanos / 1e6),
    }
}
