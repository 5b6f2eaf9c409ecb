//! Readers for what published samples and real traffic bend.
//!
//! Null where a list is declared, and integers written as text. Everything
//! else that does not fit its declared type is an error of the sender.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// Null reads as the default, as absence does.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// An Int64 as a JSON number or as decimal text.
pub(crate) fn lenient_i64<'de, D>(deserializer: D) -> Result<Option<i64>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_option(Integer("an Int64"))
}

/// An Int32 as a JSON number or as decimal text.
pub(crate) fn lenient_i32<'de, D>(deserializer: D) -> Result<Option<i32>, D::Error>
where
    D: Deserializer<'de>,
{
    let Some(number) = deserializer.deserialize_option(Integer("an Int32"))? else { return Ok(None) };
    let narrow = i32::try_from(number);
    narrow.map(Some).map_err(|_| D::Error::invalid_value(Unexpected::Signed(number), &Integer("an Int32")))
}

/// Reads an integer of 64 bits; holds what to call it in an error.
struct Integer(&'static str);

impl<'de> Visitor<'de> for Integer {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        i64::try_from(number).map(Some).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        text.trim().parse().map(Some).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use crate::ResultInfo;

    fn code(json: &str) -> Result<Option<i32>, String> {
        let read: Result<ResultInfo, _> = serde_json::from_str(&format!("{{\"code\": {json}}}"));
        read.map(|result| result.code).map_err(|error| error.to_string())
    }

    #[test]
    fn integers_are_read_as_numbers_and_as_text() {
        for (json, value) in [("200", Some(200)), ("\"200\"", Some(200)), ("\" -1 \"", Some(-1)), ("null", None)] {
            assert_eq!(code(json), Ok(value), "{json}");
        }
    }

    #[test]
    fn what_is_no_integer_is_refused_by_its_name() {
        for json in ["2147483648", "1.5", "true", "\"\"", "\"x\"", "[]", "{}", "18446744073709551615"] {
            let error = code(json).unwrap_err();
            assert!(error.contains("an Int32"), "{json}: {error}");
        }
    }
}
