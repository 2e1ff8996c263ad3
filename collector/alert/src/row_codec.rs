//! Values of rows: a version byte, then JSON. A changed meaning is another version, read beside the old one.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadValue {
    #[error("row version {0} is unknown")]
    Version(u8),
    #[error("{0}")]
    Json(String),
    #[error("the row is empty")]
    Empty,
}

pub(crate) fn encode<T: Serialize>(version: u8, row: &T) -> Vec<u8> {
    let mut bytes = vec![version];
    // Texts, whole and finite numbers: JSON has a form for each, and a Vec takes every write.
    let written = serde_json::to_writer(&mut bytes, row);
    debug_assert!(written.is_ok(), "a row that JSON cannot write");
    bytes
}

pub(crate) fn decode<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Result<T, BadValue> {
    match bytes.split_first() {
        Some((found, json)) if *found == version => {
            serde_json::from_slice(json).map_err(|error| BadValue::Json(error.to_string()))
        }
        Some((found, _)) => Err(BadValue::Version(*found)),
        None => Err(BadValue::Empty),
    }
}
