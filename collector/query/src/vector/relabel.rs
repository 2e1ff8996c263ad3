//! `label_replace(vector, "to", "replacement", "from", "pattern")`, which both languages have.

use muster_common::matcher::anchored_regex;
use regex::Regex;

use crate::error::QueryError;
use crate::vector::rows::Rows;

pub(crate) struct Replacement<'a> {
    to: &'a str,
    replacement: &'a str,
    from: &'a str,
    regex: Regex,
}

impl<'a> Replacement<'a> {
    /// # Errors
    /// The pattern is no regular expression, or the label to write has no name.
    pub(crate) fn new(to: &'a str, replacement: &'a str, from: &'a str, pattern: &str) -> Result<Self, QueryError> {
        let regex = anchored_regex(pattern).map_err(|error| {
            QueryError::execution(format!("invalid regular expression in label_replace(): {pattern}: {}", error.reason))
        })?;
        if to.is_empty() {
            return Err(QueryError::execution("invalid destination label name in label_replace(): it is empty"));
        }
        Ok(Self { to, replacement, from, regex })
    }

    pub(crate) fn apply(&self, mut rows: Rows) -> Result<Rows, QueryError> {
        let mut value = String::new();
        for row in &mut rows.rows {
            let Some(captures) = self.regex.captures(row.labels.get(self.from)) else { continue };
            value.clear();
            captures.expand(self.replacement, &mut value);
            row.labels = row.labels.with(&[(self.to, &value)])?;
        }
        rows.merge()?;
        Ok(rows)
    }
}
