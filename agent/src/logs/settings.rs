//! `[[logs]]`, `[journal]` and `[redaction]`, checked.

use muster_common::wire::message::WireLabel;

use super::glob::Glob;
use super::multiline::Starts;
use crate::fence::Fence;

/// Everything that is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogsConfig {
    /// `None`: nothing is configured, so the journal or the system's own files are read.
    pub groups: Option<Vec<LogGroup>>,
    pub journal: JournalConfig,
    /// Patterns of one's own, as written; checked.
    pub redaction: Vec<String>,
    pub remote: RemoteLogs,
}

/// Groups of a remote configuration. They come beside whatever is read without them, be that a default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteLogs {
    pub groups: Vec<LogGroup>,
    /// What their files lie in, when all links are followed.
    pub fence: Fence,
}

/// One `[[logs]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogGroup {
    pub paths: Vec<Glob>,
    pub exclude: Vec<Glob>,
    pub labels: Vec<WireLabel>,
    pub from: From,
    pub multiline: Option<Starts>,
}

/// Where a file is begun that is there when the agent first looks at its pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum From {
    #[default]
    Start,
    End,
}

/// `[journal]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalConfig {
    /// `None`: read when nothing else is configured.
    pub enabled: Option<bool>,
    /// Where it is begun at the very first time; `None`: at its end.
    pub from: Option<From>,
}
