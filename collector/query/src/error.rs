//! Why a query has no answer. The texts and their kinds are Prometheus', since its clients read them.

/// A place in the text of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Byte offset from the start.
    pub at: usize,
    /// Both from 1; the column counts bytes, as Prometheus does.
    pub line: usize,
    pub column: usize,
}

impl Place {
    pub(crate) fn of(query: &str, at: usize) -> Self {
        let before = &query.as_bytes()[..at.min(query.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        Self { at, line, column: 1 + before.len() - line_start }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QueryError {
    /// The text is no expression, or its types do not fit.
    #[error("{place}: parse error: {message}")]
    Parse { place: Place, message: String },
    /// It may be PromQL, but not the part that is answered here.
    #[error("{place}: parse error: {what} is not supported: {remedy}")]
    Unsupported { place: Place, what: String, remedy: &'static str },
    /// A range query of what has no value at each step.
    #[error("invalid expression type {found:?} for range query, must be Scalar or instant Vector")]
    WrongType { found: String },
    /// As `Parse`, of LogQL, in Loki's words.
    #[error("parse error at line {}, col {}: {message}", place.line, place.column)]
    LogParse { place: Place, message: String },
    /// As `Unsupported`, of LogQL.
    #[error("parse error at line {}, col {}: {what} is not supported: {remedy}", place.line, place.column)]
    LogUnsupported { place: Place, what: String, remedy: &'static str },
    /// A line of a metric query went wrong in the pipeline.
    #[error("{message}")]
    Pipeline { message: String },
    /// The request around the expression is wrong: times, step, resolution.
    #[error("{message}")]
    BadData { message: String },
    /// The data do not allow the operation.
    #[error("{message}")]
    Execution { message: String },
    /// A limit was reached; the text names it.
    #[error("{message}")]
    TooMuch { message: String },
    #[error("query timed out in expression evaluation")]
    Timeout,
    #[error("query was canceled in expression evaluation")]
    Cancelled,
    /// The data could not be read.
    #[error("{message}")]
    Source { message: String },
}

impl QueryError {
    /// The `errorType` of Prometheus' JSON.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Parse { .. }
            | Self::Unsupported { .. }
            | Self::WrongType { .. }
            | Self::LogParse { .. }
            | Self::LogUnsupported { .. }
            | Self::Pipeline { .. }
            | Self::BadData { .. } => "bad_data",
            Self::Execution { .. } | Self::TooMuch { .. } => "execution",
            Self::Timeout => "timeout",
            Self::Cancelled => "canceled",
            Self::Source { .. } => "internal",
        }
    }

    /// The byte of the query at which it went wrong, where the text is at fault.
    pub fn at(&self) -> Option<usize> {
        match self {
            Self::Parse { place, .. }
            | Self::Unsupported { place, .. }
            | Self::LogParse { place, .. }
            | Self::LogUnsupported { place, .. } => Some(place.at),
            _ => None,
        }
    }

    pub(crate) fn execution(message: impl Into<String>) -> Self {
        Self::Execution { message: message.into() }
    }

    pub(crate) fn same_labels() -> Self {
        Self::execution("vector cannot contain metrics with the same labelset")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_bytes() {
        for (at, text) in [(0, "1:1"), (3, "1:4"), (4, "2:1"), (6, "2:3"), (99, "2:5")] {
            assert_eq!(Place::of("sum\nfoo+", at).to_string(), text, "{at}");
        }
    }
}
