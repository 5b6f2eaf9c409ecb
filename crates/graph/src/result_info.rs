//! The `resultInfo` of a call or an operation: how it ended.
//!
//! `code` behaves like an HTTP status; 0 and 2xx are normal ends.
//! Spec: <https://learn.microsoft.com/graph/api/resources/resultinfo>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed, lenient_i32};

/// How a call or operation ended.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Class of the result, like an HTTP status.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The precise reason.
    #[serde(default, alias = "subCode", deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub subcode: Option<i32>,
    /// Text for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for ResultInfo {
    const TYPE: &'static str = "resultInfo";
}

impl ResultInfo {
    /// A result of a code, a subcode and a text.
    pub fn new(code: i32, subcode: i32, message: impl Into<String>) -> Self {
        Self { code: Some(code), subcode: Some(subcode), message: Some(message.into()), ..Self::default() }
    }

    /// Whether this is a normal end: no code, 0 or 2xx.
    pub fn is_normal(&self) -> bool {
        matches!(self.code, None | Some(0 | 200..=299))
    }
}
