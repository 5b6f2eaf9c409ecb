//! What must not stay in the tree: unfinished work, switched-off tests, paths of somebody's machine.

use crate::code::code_only;
use crate::repo::{File, Repo};

/// In code, outside comments and literals.
const IN_CODE: [&str; 6] = ["todo!", "unimplemented!", "dbg!", "#[ignore", ", ignore)]", "#![feature"];
/// Anywhere in a Rust file. Split, so that this file passes its own rule.
const IN_RUST: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X:")];
/// Anywhere in any text file: places that exist on one machine only.
const ANYWHERE: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/tmp/", "plan"),
    concat!("../sh", "ared"),
];

/// Every place that says one of them.
pub(crate) fn complaints(repo: &Repo) -> Vec<String> {
    repo.files().flat_map(file_complaints).collect()
}

fn file_complaints(file: &File) -> Vec<String> {
    let mut complaints = find(&file.path, &file.text, &ANYWHERE);
    if file.path.ends_with(".rs") {
        complaints.extend(find(&file.path, &file.text, &IN_RUST));
        complaints.extend(find(&file.path, &code_only(&file.text), &IN_CODE));
    }
    complaints
}

fn find(path: &str, text: &str, words: &[&str]) -> Vec<String> {
    let hits = |(n, line): (usize, &str)| {
        let found: Vec<_> = words.iter().filter(|w| line.contains(**w)).collect();
        found.into_iter().map(move |w| format!("{path}:{}: {w}", n + 1)).collect::<Vec<_>>()
    };
    text.lines().enumerate().flat_map(hits).collect()
}

#[test]
fn each_word_is_found_in_code_and_only_macros_may_be_spoken_of() {
    for word in IN_CODE {
        let used = format!("//! x\nfn f() {{ {word} }}\n");
        let spoken_of = format!("//! never {word}\nconst S: &str = \"{word}\";\n");
        let repo = Repo::sample(&[("a.rs", &used), ("b.rs", &spoken_of)]);
        assert_eq!(complaints(&repo), [format!("a.rs:2: {word}")]);
    }
    for word in IN_RUST {
        assert_eq!(complaints(&Repo::sample(&[("a.rs", &format!("//! {word} later\n"))])).len(), 1);
    }
}

#[test]
fn a_machine_path_is_found_in_any_file() {
    for word in ANYWHERE {
        let line = format!("see {word}x\n");
        assert_eq!(complaints(&Repo::sample(&[("docs/a.md", &line), ("b.toml", &line)])).len(), 2);
    }
}
