//! Shape of files: the header each opens with, and how long it may be.

use crate::repo::{File, Repo};

/// Lines of `//!` that a header may have.
const HEADER_LINES: usize = 10;
/// Lines a file may have without its tests.
const FILE_LINES: usize = 800;

/// Files without a header, or with one that is too long to be read.
pub(crate) fn header_complaints(repo: &Repo) -> Vec<String> {
    repo.rust_files().filter_map(header_complaint).collect()
}

fn header_complaint(file: &File) -> Option<String> {
    match file.text.lines().take_while(|l| l.starts_with("//!")).count() {
        0 => Some(format!("{}: does not open with a //! header", file.path)),
        n if n > HEADER_LINES => Some(format!("{}: header of {n} lines, at most {HEADER_LINES}", file.path)),
        _ => None,
    }
}

/// Files that are too long.
pub(crate) fn size_complaints(repo: &Repo) -> Vec<String> {
    repo.rust_files()
        .filter(|f| !is_test_file(&f.path))
        .map(|f| (f, lines_without_tests(&f.text)))
        .filter(|(_, lines)| *lines > FILE_LINES)
        .map(|(f, lines)| format!("{}: {lines} lines without tests, at most {FILE_LINES}", f.path))
        .collect()
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// Lines outside `#[cfg(test)] mod … { … }` blocks that start at the margin.
fn lines_without_tests(text: &str) -> usize {
    let mut counted = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let test_attribute = line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
        if test_attribute && lines.peek().is_some_and(|l| l.starts_with("mod ") && l.ends_with('{')) {
            for inside in lines.by_ref() {
                if inside == "}" {
                    break;
                }
            }
        } else {
            counted += 1;
        }
    }
    counted
}

#[test]
fn a_file_without_a_header_or_with_an_essay_is_named() {
    let essay = "//! line\n".repeat(HEADER_LINES + 1);
    let good = "//! line\n".repeat(HEADER_LINES);
    let repo = Repo::sample(&[("a.rs", "use x;\n"), ("b.rs", &essay), ("c.rs", &good), ("d.md", "text")]);
    let complaints = header_complaints(&repo);
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[0].starts_with("a.rs:") && complaints[1].starts_with("b.rs:"));
}

#[test]
fn a_long_file_is_named_and_tests_do_not_count() {
    let code = "fn f() {}\n".repeat(FILE_LINES);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    fn g() {}\n".repeat(500));
    let loom = tests.replace("cfg(test)", "cfg(all(test, not(loom)))");
    let (fits, fits_too) = (format!("{code}{tests}"), format!("{code}{loom}"));
    let over = format!("{fits}fn h() {{}}\n");
    let files = [("src/a.rs", &*fits), ("src/b.rs", &*over), ("src/c.rs", &*fits_too), ("x/tests/d.rs", &*over)];
    let complaints = size_complaints(&Repo::sample(&files));
    assert_eq!(complaints, [format!("src/b.rs: {} lines without tests, at most 800", FILE_LINES + 1)]);
}
