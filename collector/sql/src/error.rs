//! Why a question has no answer.

/// Each text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// SQLite's own words; `at` is the place in the question, in bytes.
    #[error("{problem}")]
    Syntax { problem: String, at: Option<usize> },
    #[error("{problem}: the tables are {tables}")]
    NoTable { problem: String, tables: String },
    #[error("{problem}: {columns}")]
    NoColumn { problem: String, columns: String },
    #[error(
        "only a single SELECT is answered here, and this does something else: nothing can be written, attached or set"
    )]
    Forbidden,
    #[error("ask one question at a time: there is more than one statement")]
    Several,
    #[error(
        "it took longer than {seconds} s and was stopped: ask for fewer hosts or rows, or compare columns of tables with constants, which finds rows without looking at all"
    )]
    Time { seconds: u64 },
    #[error(
        "it needs more than {mib} MiB and was stopped: ask for fewer rows, or ask a table whose name ends with _counted, which has each row once with the number of its hosts"
    )]
    Memory { mib: u64 },
    #[error("SQLite cannot answer: {problem}")]
    Failed { problem: String },
}
