//! The mail that tells what the hourly cap held back.

use super::row::Row;

/// Entries of one digest; what is beyond goes in further ones at once.
pub(super) const ENTRIES: usize = 500;
/// Longest subject and longest summary in a digest. 500 times two of these and a time are 150 kB.
const ENTRY_BYTES: usize = 130;

/// One mail that was held back, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestEntry {
    pub at_ms: i64,
    pub subject: String,
    pub summary: String,
}

/// What a digest is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestLetter {
    pub receiver: String,
    pub recipient: String,
    pub at_ms: i64,
    pub per_hour: usize,
    pub entries: Vec<DigestEntry>,
}

pub(super) fn entry(row: &Row) -> DigestEntry {
    DigestEntry { at_ms: row.queued_ms, subject: cut(&row.subject), summary: cut(&row.summary) }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(ENTRY_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
