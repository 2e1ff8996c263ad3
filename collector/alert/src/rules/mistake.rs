//! What is wrong with a rule file: where, what, and what to do.

use std::fmt;

use muster_yaml::Place;

/// One mistake in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub file: String,
    pub place: Place,
    pub what: String,
    pub remedy: String,
}

impl Mistake {
    pub(crate) fn new(file: &str, place: Place, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}: {}", self.file, self.place.line, self.place.column, self.what, self.remedy)
    }
}

impl std::error::Error for Mistake {}
