//! Readers for what published samples and real traffic bend.
//!
//! Null where a list is declared, and integers written as text. Everything
//! else that does not fit its declared type is an error of the sender.

use serde::de::{Deserialize, Deserializer, Error};

/// Null reads as the default, as absence does.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum IntegerText {
    Number(i64),
    Text(String),
}

/// An Int64 as a JSON number or as decimal text.
pub(crate) fn lenient_i64<'de, D>(deserializer: D) -> Result<Option<i64>, D::Error>
where
    D: Deserializer<'de>,
{
    match Option::<IntegerText>::deserialize(deserializer)? {
        None => Ok(None),
        Some(IntegerText::Number(number)) => Ok(Some(number)),
        Some(IntegerText::Text(text)) => text.trim().parse().map(Some).map_err(D::Error::custom),
    }
}

/// An Int32 as a JSON number or as decimal text.
pub(crate) fn lenient_i32<'de, D>(deserializer: D) -> Result<Option<i32>, D::Error>
where
    D: Deserializer<'de>,
{
    lenient_i64(deserializer)?.map(i32::try_from).transpose().map_err(D::Error::custom)
}
