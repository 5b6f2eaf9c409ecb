//! Golden JSON: payloads of the published shapes, read and written back.
//!
//! Each fixture is read as its type and written again; nothing non-null may be
//! lost or changed, and only `@odata.type` annotations and empty lists may be
//! added. The fixtures follow the Graph reference pages, not our serializer.

mod actions;
mod operations;
mod resources;

use std::fs;
use std::path::Path;

use antiphon_graph::CommsNotifications;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Reads the fixture as a `T`, writes it back and compares; returns the `T`.
fn golden<T: Serialize + DeserializeOwned>(name: &str) -> T {
    let published = fixture(name);
    let read: T = serde_json::from_value(published.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_same(name, &published, &serde_json::to_value(&read).unwrap());
    read
}

fn assert_same(at: &str, published: &Value, written: &Value) {
    match (published, written) {
        (Value::Object(published), Value::Object(written)) => {
            for (key, value) in published.iter().filter(|(_, value)| !value.is_null()) {
                let there = written.get(key).unwrap_or_else(|| panic!("{at}/{key} was lost"));
                assert_same(&format!("{at}/{key}"), value, there);
            }
            for (key, value) in written.iter().filter(|(key, _)| !published.contains_key(*key)) {
                let empty = value.as_array().is_some_and(Vec::is_empty);
                assert!(key == "@odata.type" || empty, "{at}/{key} was added: {value}");
            }
        }
        (Value::Array(published), Value::Array(written)) => {
            assert_eq!(published.len(), written.len(), "{at}");
            for (index, (published, written)) in published.iter().zip(written).enumerate() {
                assert_same(&format!("{at}/{index}"), published, written);
            }
        }
        (Value::String(published), Value::String(written)) if at.ends_with("@odata.type") => {
            assert_eq!(published.trim_start_matches('#'), written.trim_start_matches('#'), "{at}");
            assert!(written.starts_with("#microsoft.graph."), "{at}: {written}");
        }
        _ => assert_eq!(published, written, "{at}"),
    }
}

/// The golden notification's single resource, as its type.
fn resource<T: DeserializeOwned>(notifications: &CommsNotifications) -> T {
    let [entity] = notifications.value[0].resource_data.entities() else { panic!("one entity") };
    serde_json::from_value(Value::Object(entity.clone())).unwrap()
}

#[test]
fn every_fixture_is_read_by_a_test() {
    let source = concat!(include_str!("actions.rs"), include_str!("operations.rs"), include_str!("resources.rs"));
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(source.contains(&format!("\"{name}\"")), "{name} is read by no test");
    }
}
