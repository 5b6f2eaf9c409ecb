//! House rules that a machine can check, over the whole repository.
//!
//! In the flow: part of `make test` and `make check`; reads files, runs nothing.
//! Each rule is a function from files to complaints, in `tidy/`; here each is run over the repository and
//! must have nothing to say. Beside each rule sit bad samples that it must complain about.
//! Not here: what rustfmt, clippy, rustdoc and cargo-deny check already.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/lock.rs"]
mod lock;
#[path = "tidy/repo.rs"]
mod repo;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/unsafety.rs"]
mod unsafety;
#[path = "tidy/words.rs"]
mod words;

use repo::Repo;

fn assert_none(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n  {}", complaints.join("\n  "));
}

#[test]
fn the_walk_finds_the_repository() {
    let repo = Repo::load();
    for path in ["Cargo.toml", "crates/rt/src/handover.rs", "crates/testkit/tests/tidy.rs", "benches/Cargo.toml"] {
        assert!(repo.text(path).is_some(), "{path} not found");
    }
    assert!(repo.files().all(|f| !f.path.starts_with("target/") && !f.path.starts_with(".git/")));
}

#[test]
fn dependencies_follow_the_arrows() {
    assert_none("dependency arrows", &arrows::complaints(&Repo::load()));
}

#[test]
fn every_file_opens_with_a_header() {
    assert_none("module headers", &shape::header_complaints(&Repo::load()));
}

#[test]
fn no_file_is_too_long() {
    assert_none("file size", &shape::size_complaints(&Repo::load()));
}

#[test]
fn unsafe_is_only_where_the_design_allows_it_and_says_why() {
    assert_none("unsafe", &unsafety::complaints(&Repo::load()));
}

#[test]
fn nothing_unfinished_or_local_is_left_in_the_tree() {
    assert_none("words", &words::complaints(&Repo::load()));
}

#[test]
fn one_crypto_provider_is_locked() {
    assert_none("crypto", &lock::complaints(&Repo::load()));
}
