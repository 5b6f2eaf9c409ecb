//! Rust text with comments and literals blanked out, so that a rule sees code only.
//!
//! Keeps every newline, so that line numbers stay right. Knows nested comments, raw strings, byte strings
//! and the difference between a character and a lifetime; nothing more of the grammar.

/// `text` with comments, strings and characters replaced by spaces.
pub(crate) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = skipped(&bytes[at..], out.last().copied()).map_or(at, |len| at + len);
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            out.extend(bytes[at..end].iter().map(|b| if *b == b'\n' { b'\n' } else { b' ' }));
            at = end;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Length of the comment or literal that starts here, if one does.
fn skipped(rest: &[u8], before: Option<u8>) -> Option<usize> {
    let in_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    match rest {
        [b'/', b'/', ..] => Some(rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(block_comment(rest)),
        [b'"', ..] => Some(quoted(rest, b'"')),
        [b'r', b'"' | b'#', ..] if !in_word => raw_string(rest, 1),
        [b'b', b'r', b'"' | b'#', ..] if !in_word => raw_string(rest, 2),
        [b'\'', b'\\', ..] => Some(quoted(rest, b'\'')),
        [b'\'', ..] => character(rest),
        _ => None,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8], prefix: usize) -> Option<usize> {
    let hashes = rest[prefix..].iter().take_while(|b| **b == b'#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&b'"') {
        return None; // a raw identifier
    }
    let close: Vec<u8> = [b'"'].into_iter().chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = &rest[open + 1..];
    let len = body.windows(close.len()).position(|w| w == close);
    Some(len.map_or(rest.len(), |len| open + 1 + len + close.len()))
}

/// `'x'` but not `'x` (a lifetime).
fn character(rest: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)])
        .or_else(|e| std::str::from_utf8(&rest[1..1 + e.valid_up_to()]));
    let len = text.ok()?.chars().next()?.len_utf8();
    (rest.get(1 + len) == Some(&b'\'')).then_some(2 + len)
}

/// Whether `word` stands in `line` by itself, not as part of a longer identifier.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(part) && !line[at + word.len()..].chars().next().is_some_and(part)
    })
}

#[test]
fn comments_and_literals_are_blanked_and_lines_kept() {
    let cases = [
        ("a // b\nc", "a|c"),
        ("a /* b /* c */ d */ e", "a e"),
        (r#"f("x \" // y") g"#, "f( ) g"),
        ("r#\"a\"b\"# c", "c"),
        ("br\"a\\\" c", "c"),
        ("r#type 'a' 'b '\\'' '√' c", "r#type 'b c"),
        ("for\"x\"y", "for y"),
        ("\"a\nb\" c", "| c"),
    ];
    for (text, want) in cases {
        let lines: Vec<String> =
            code_only(text).lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines.join("|"), want.replace("| ", "|"), "{text}");
    }
}

#[test]
fn words_are_whole() {
    assert!(has_word("unsafe {", "unsafe") && has_word("(unsafe", "unsafe"));
    assert!(!has_word("unsafe_code", "unsafe") && !has_word("not_unsafe", "unsafe"));
}
