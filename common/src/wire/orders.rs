//! What a collector wants of a host beside data, and what the host says to it: a configuration to run by, a question to answer.
//!
//! Neither brings a command: a host runs what its own files allow (ARCHITECTURE.md, decision 30).

use bincode::{Decode, Encode};

use super::inventory::{Row, Value};
use super::message::{Extension, Problem};

/// Collector to agent: run by this from now on, beside the host's own file and within the bounds that it sets. Only to an agent whose hello
/// says that it [reads it](super::message::Hello::reads).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Configuration {
    /// Counts what this host was offered; a document that was refused is looked at again under a higher one.
    pub number: u64,
    /// xxh3-128 of the document's bytes, big-endian.
    pub digest: [u8; 16],
    /// TOML; empty: the host's own file alone.
    pub document: String,
    pub extensions: Vec<Extension>,
}

impl Configuration {
    /// With the digest of its document.
    pub fn new(number: u64, document: String) -> Self {
        Self { number, digest: Self::digest_of(&document), document, extensions: Vec::new() }
    }

    /// xxh3-128, big-endian; sixteen zeros of no document.
    pub fn digest_of(document: &str) -> [u8; 16] {
        if document.is_empty() { [0; 16] } else { xxhash_rust::xxh3::xxh3_128(document.as_bytes()).to_be_bytes() }
    }
}

/// Agent to collector: which configuration this host runs by. Sent after each welcome of a collector that
/// [takes it](super::message::Welcome::takes_configuration_states), and whenever something of it changes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ConfigurationState {
    /// Of the configuration that was offered last; 0: none yet.
    pub number: u64,
    /// Digest of the document that is in force; zeros: none.
    pub in_force: [u8; 16],
    /// Digest of the document that was offered last; zeros: none.
    pub offered: [u8; 16],
    pub word: ConfigurationWord,
    /// Why it is so, and what else is to be said, such as a pattern that no file fits; the first of them where there are too many.
    pub problems: Vec<Problem>,
    pub extensions: Vec<Extension>,
}

/// What became of the document that was offered last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum ConfigurationWord {
    /// None was offered yet.
    None,
    /// It is run by, and will be after a restart.
    InForce,
    /// It is run by until it has shown that the host stays in touch.
    Trial,
    /// It cannot be run by, or exceeds the bounds of the host's own file; nothing has changed.
    Refused,
    /// It was run by and did not do; the last good one is in force again.
    Reverted,
    /// The host's own file takes no configuration from a collector.
    Disabled,
}

/// Collector to agent: which rows has this table now? Only to an agent whose hello says that it [reads it](super::message::Hello::reads).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Ask {
    /// Given back with the answer.
    pub id: u64,
    pub table: String,
    /// In the order wanted; none: all of the table's.
    pub columns: Vec<String>,
    /// All of them must hold.
    pub filters: Vec<AskFilter>,
    /// Rows wanted at most.
    pub rows_max: u32,
    /// Later than this after the question came nobody waits for the answer.
    pub within_ms: u32,
    pub extensions: Vec<Extension>,
}

/// One condition on a row.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AskFilter {
    pub column: String,
    pub test: AskTest,
    pub value: Value,
}

/// How a column's value is held against a filter's. Texts are compared by their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum AskTest {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Of texts alone, as is the next.
    Contains,
    StartsWith,
}

/// Agent to collector: what came of a question.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Answer {
    /// Of the question.
    pub id: u64,
    pub word: AnswerWord,
    /// Names of the columns, in the order of the rows' values.
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// Rows that fit and are beyond the bounds.
    pub dropped: u64,
    /// Why there are no rows, or not all: place, reason and remedy; empty where all is told.
    pub problem: String,
    pub extensions: Vec<Extension>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum AnswerWord {
    /// The rows, which may be none.
    Rows,
    /// Too many questions wait here.
    Busy,
    /// The host's own file takes no such question.
    Refused,
    /// A table or a column that is not known here, or a test that does not fit it.
    Unknown,
    /// It could not be looked at.
    Failed,
    /// It took longer than the question or the host allows.
    Late,
}
