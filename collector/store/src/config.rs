//! What the store is told at open. Every bound has its reason here.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of [`crate::open`]. [`Config::new`] gives the defaults for a folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder: `inbox/`, `segments/` and `catalog.redb` are made in it.
    pub folder: PathBuf,
    /// The folder comes from a snapshot or a copy: take a new incarnation, so that agents which are ahead are noticed (rule 10).
    pub restored: bool,
    /// Bytes of one inbox file before it is sealed. 128 MiB: full repair after a crash stays near a second of CPU.
    pub generation_bytes_max: u64,
    /// Bytes of samples and series in one head before its generation is sealed.
    pub head_bytes_max: u64,
    /// Bytes of lines, with what they cost in memory, in one head before its generation is sealed. 64 MiB: some 300,000 lines.
    pub log_head_bytes_max: u64,
    /// Age of a generation's first entry before it is sealed: bounds replay and the age of data that is only in the inbox.
    pub generation_age: Duration,
    /// Sealed inbox files that may wait for a flush or for state.redb before commits are refused (rule 22).
    pub waiting_files_max: usize,
    /// Segments whose newest sample is older than this are unlinked.
    pub retention: Duration,
    /// The same for lines.
    pub retention_logs: Duration,
    /// The same for events: what happened is asked for longer than what was said.
    pub retention_events: Duration,
    /// Bytes of decoded groups, directories and series tables kept for queries.
    pub cache_bytes: usize,
    /// Bytes of decoded row groups of lines kept for queries: 32 groups of 1 MiB.
    pub log_cache_bytes: usize,
    /// redb's cache for the active inbox file: it is written once and hardly read.
    pub inbox_cache_bytes: usize,
    /// redb's cache for `catalog.redb`, which is a few MB at most.
    pub catalog_cache_bytes: usize,
    /// Neighbouring segments that start a merge. 6: an hour of ten-minute generations; fan-in 6 writes a sample three times a day.
    pub merge_segments_min: usize,
    /// Closed epochs older than this go, and the agent's floor rises past them (rule 8).
    pub epoch_age: Duration,
    /// Closed epochs kept for one agent (rule 8).
    pub epochs_closed_max: usize,
    /// Closed epochs kept for one agent that still holds an older one, which else keeps them all (rule 8). 1,024: an honest agent opens
    /// one for each process start and lost connection, and has that many only after days of a flapping network with a backlog that
    /// never drains; a hostile one cannot make the table larger.
    pub epochs_closed_hard_max: usize,
    /// How long the hash of an HTTP body is remembered (rule 25).
    pub repeat_age: Duration,
    /// Body hashes kept at most; the oldest go first, counted (rule 25).
    pub repeat_rows_max: usize,
    /// A deliberate bug for the simulator; never in product builds.
    #[cfg(feature = "planted")]
    pub planted: Option<crate::planted::Planted>,
}

impl Config {
    /// The defaults, in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            restored: false,
            generation_bytes_max: 128 << 20,
            head_bytes_max: 256 << 20,
            log_head_bytes_max: 64 << 20,
            generation_age: Duration::from_secs(600),
            waiting_files_max: 2,
            retention: Duration::from_secs(90 * 86_400),
            retention_logs: Duration::from_secs(30 * 86_400),
            retention_events: Duration::from_secs(2 * 365 * 86_400),
            cache_bytes: 64 << 20,
            log_cache_bytes: 32 << 20,
            inbox_cache_bytes: 24 << 20,
            catalog_cache_bytes: 16 << 20,
            merge_segments_min: 6,
            epoch_age: Duration::from_secs(7 * 86_400),
            epochs_closed_max: 32,
            epochs_closed_hard_max: 1_024,
            repeat_age: Duration::from_secs(15 * 60),
            repeat_rows_max: 1_000_000,
            #[cfg(feature = "planted")]
            planted: None,
        }
    }
}
