//! The crate's own text: no wire type may be missing in the registry.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::registry;

/// Every file of the crate with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files
}

/// The quoted text after `before`, on every line that has it.
fn quoted_after(text: &str, before: &str) -> BTreeSet<String> {
    let rest = text.lines().filter_map(|line| line.split_once(before));
    rest.filter_map(|(_, rest)| Some(rest.split_once('"')?.0.to_owned())).collect()
}

#[test]
fn every_named_type_of_the_crate_is_registered() {
    let registered: BTreeSet<_> = registry::types().into_iter().flat_map(|entry| entry.names).collect();
    let mut found = BTreeSet::new();
    for (_, text) in sources() {
        found.extend(quoted_after(&text, "const TYPE: &'static str = \""));
        // The heads of the crate's own macros: `Name = "type" {`.
        let heads: Vec<_> = text.lines().filter(|line| line.contains(" = \"") && line.contains("\" {")).collect();
        found.extend(quoted_after(&heads.join("\n"), " = \""));
    }
    assert!(found.len() > 60, "{found:?}");
    for name in &found {
        assert!(registered.contains(name.as_str()), "{name} is not registered");
    }
}

#[test]
fn every_parameter_struct_is_registered() {
    let registered: BTreeSet<_> = registry::actions().into_iter().map(|entry| entry.rust).collect();
    let mut found = 0;
    for (path, text) in
        sources().into_iter().filter(|(path, _)| path.components().any(|part| part.as_os_str() == "action"))
    {
        for line in text.lines().filter_map(|line| line.strip_prefix("pub struct ")) {
            let name = line.split([' ', '<']).next().unwrap();
            assert!(registered.contains(name), "{}: {name} is not registered", path.display());
            found += 1;
        }
    }
    assert_eq!(found, registered.len());
}

#[test]
fn every_enumeration_of_the_crate_is_registered() {
    let registered: BTreeSet<_> = registry::enumerations().into_iter().map(|(rust, _)| rust.to_owned()).collect();
    let (_, text) = sources().into_iter().find(|(path, _)| path.ends_with("src/enums.rs")).unwrap();
    let heads = text.split("wire_enum! {").skip(1).map(|block| {
        let head = block.lines().map(str::trim).find(|line| line.ends_with('{')).unwrap();
        head.trim_end_matches([' ', '{']).to_owned()
    });
    assert_eq!(heads.collect::<BTreeSet<_>>(), registered);
}
