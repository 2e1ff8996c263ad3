//! TOML as people write settings: every leaf by its key path with its place, so that all mistakes of a file are told at once, each with what to
//! write instead.

mod document;
mod error;

pub use document::{Document, Entry, Value, nearest};
pub use error::{ConfigErrors, Place, Problem};
