//! Fuzz bodies as ordinary functions: the targets are shells around these, and the corpus replays through
//! them as tests.
//!
//! Each takes any bytes, reads them as its wire text, and where something was read checks that it can be
//! written and read again as the same. They panic only when an invariant of this crate is broken.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::blob::{self, BlobKind};
use crate::{Call, CommsNotifications, CommsOperation, Participant};

/// Reads `data` as the text of a blob; one of ours is written and read again.
///
/// # Panics
/// If the blob that is read back is not the same.
pub fn blob(data: &[u8]) {
    let BlobKind::Antiphon(blob) = blob::parse(&String::from_utf8_lossy(data)) else { return };
    let again = blob.to_blob();
    assert_eq!(again.kind(), BlobKind::Antiphon(blob), "{}", again.as_str());
}

/// Reads `data` as the body of a notification, follows its paths and tries its entities as every resource
/// that notifications carry.
///
/// # Panics
/// If what was read is not read back the same after writing.
pub fn notification(data: &[u8]) {
    let Ok(body) = CommsNotifications::parse(data) else { return };
    for notification in &body.value {
        let _ = notification.path();
        for entity in notification.resource_data.entities() {
            let value = Value::Object(entity.clone());
            reads_back::<Call>(&value);
            reads_back::<Participant>(&value);
            reads_back::<CommsOperation>(&value);
        }
    }
    let written = serde_json::to_vec(&body).expect("invariant: everything that was read can be written");
    assert_eq!(CommsNotifications::parse(&written).expect("invariant: what we write, we read"), body);
}

fn reads_back<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(value: &Value) {
    let Ok(read) = serde_json::from_value::<T>(value.clone()) else { return };
    let written = serde_json::to_string(&read).expect("invariant: everything that was read can be written");
    let again = serde_json::from_str::<T>(&written).expect("invariant: what we write, we read");
    assert_eq!(again, read, "{written}");
}
