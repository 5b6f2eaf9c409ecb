//! A page of a collection: `{"value": [...]}`.
//!
//! Spec: OData JSON Format 4.01 §4.5.5 (next link) and §4.5.1 (context).

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, null_as_default};

/// One page of resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Collection<T> {
    /// `@odata.context`: optional for readers.
    #[serde(rename = "@odata.context", default, skip_serializing_if = "Option::is_none")]
    pub odata_context: Option<String>,
    /// The resources; a missing or null list is empty.
    #[serde(default = "Vec::new", deserialize_with = "null_as_default")]
    pub value: Vec<T>,
    /// `@odata.nextLink`: absolute URL of the next page, if there is one.
    #[serde(rename = "@odata.nextLink", default, skip_serializing_if = "Option::is_none")]
    pub odata_next_link: Option<String>,
    /// Other annotations.
    #[serde(flatten)]
    pub extra: Extra,
}

impl<T> Collection<T> {
    /// A single page.
    pub fn of(value: Vec<T>) -> Self {
        Self { odata_context: None, value, odata_next_link: None, extra: Extra::new() }
    }
}
