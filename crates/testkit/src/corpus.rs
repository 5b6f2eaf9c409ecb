//! Replays the committed seeds of a fuzz target through its body, as an ordinary test on stable Rust.
//!
//! In the flow: `tests/corpus.rs` of each crate that has fuzz bodies. A crash that fuzzing finds is kept as
//! one more seed, and so as a test.

use std::fs;
use std::path::Path;

/// Runs `body` on every file of `fuzz/corpus/<target>` and returns how many there were.
///
/// # Panics
/// If there is none (a misspelt target would pass for ever), and whenever `body` does; the file is printed
/// before each run, so the last line of a failed test names the culprit.
pub fn replay(target: &str, mut body: impl FnMut(&[u8])) -> usize {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("no corpus at {}: {e}", dir.display()));
    let mut files: Vec<_> = entries.map(|e| e.expect("the directory is readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no seeds in {}", dir.display());
    for file in &files {
        println!("{}", file.display());
        body(&fs::read(file).expect("the seed is readable"));
    }
    files.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_reaches_the_body() {
        let mut bytes = 0;
        let files = replay("rtp", |data| bytes += data.len());
        assert!(files >= 10 && bytes > 100);
    }

    #[test]
    #[should_panic(expected = "no corpus")]
    fn a_misspelt_target_is_noticed() {
        replay("rpt", |_| ());
    }
}
