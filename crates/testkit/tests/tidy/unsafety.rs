//! Where `unsafe` may stand, and that it says why.

use crate::code::{code_only, has_word};
use crate::repo::{File, Repo};

/// Path prefixes in which the design allows `unsafe`.
const ALLOWED: [&str; 3] = ["crates/rt/", "crates/codec/", "crates/testkit/src/alloc_guard.rs"];
/// A SAFETY comment begins at most so many lines above its block.
const REACH: usize = 8;

/// Unsafe code elsewhere, or without a reason of its own.
pub(crate) fn complaints(repo: &Repo) -> Vec<String> {
    repo.rust_files().flat_map(file_complaints).collect()
}

fn file_complaints(file: &File) -> Vec<String> {
    let code = code_only(&file.text);
    let code: Vec<&str> = code.lines().collect();
    let text: Vec<&str> = file.text.lines().collect();
    let allowed = ALLOWED.iter().any(|p| file.path.starts_with(p));
    let mut complaints = Vec::new();
    for (n, line) in code.iter().enumerate().filter(|(_, l)| has_word(l, "unsafe")) {
        let place = format!("{}:{}", file.path, n + 1);
        if !allowed {
            complaints.push(format!("{place}: unsafe outside rt, codec and the allocation guard"));
        } else if !line.contains("unsafe fn") && !has_reason(&text, &code, n) {
            complaints.push(format!("{place}: unsafe without a SAFETY comment of its own"));
        }
    }
    complaints
}

/// Looks upwards from line `n` for a SAFETY comment, not past another unsafe line.
fn has_reason(text: &[&str], code: &[&str], n: usize) -> bool {
    let lines = (n.saturating_sub(REACH)..=n).rev();
    for at in lines {
        if text[at].contains("// SAFETY:") {
            return true;
        }
        if at != n && has_word(code[at], "unsafe") {
            return false;
        }
    }
    false
}

#[test]
fn unsafe_elsewhere_is_named_and_words_about_it_are_not() {
    let bad = "//! x\nfn f() {\n    // SAFETY: no\n    unsafe { g() }\n}\n";
    let fine = "//! never unsafe\n#![deny(unsafe_code)]\nconst S: &str = \"unsafe\";\n";
    let complaints = complaints(&Repo::sample(&[("crates/pipeline/src/a.rs", bad), ("crates/rtp/src/b.rs", fine)]));
    assert_eq!(complaints, ["crates/pipeline/src/a.rs:4: unsafe outside rt, codec and the allocation guard"]);
}

#[test]
fn each_unsafe_block_needs_a_reason_of_its_own() {
    let text = "//! x\n// SAFETY: a good one\nunsafe { g() };\nunsafe { h() };\nunsafe fn i();\n// unsafe\n";
    let complaints = complaints(&Repo::sample(&[("crates/rt/src/a.rs", text)]));
    assert_eq!(complaints, ["crates/rt/src/a.rs:4: unsafe without a SAFETY comment of its own"]);
}
