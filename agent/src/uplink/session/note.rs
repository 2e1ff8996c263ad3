//! What the session has to say to people: one line each, with the remedy where there is one.

use std::fmt;
use std::time::Duration;

use muster_common::time::Span;
use muster_common::wire::message::{Epoch, RefusalCode};

use crate::spool::Trouble;

/// Something for the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    Welcomed {
        host_name: String,
        host_id: [u8; 16],
    },
    Refused {
        code: RefusalCode,
        message: String,
        remedy: String,
        again_in: Duration,
    },
    CollectorLeaves {
        reason: String,
        again_in: Duration,
    },
    /// A mark above what was given out: this machine was reverted or cloned.
    Reverted {
        epoch: Epoch,
        given_out: u64,
        mark: u64,
    },
    /// The store lacks what it once acked.
    Restored {
        epoch: Epoch,
        acked: u64,
        mark: u64,
    },
    OtherStore,
    ClockCorrected {
        correction_ms: i64,
        offset_ms: i64,
    },
    ClockStepped {
        back: bool,
    },
    /// The table of epochs cannot be written.
    EpochNotKept {
        trouble: Trouble,
    },
    SpoolRefuses {
        trouble: Trouble,
    },
    /// What is spooled cannot be read now.
    SpoolUnread {
        trouble: Trouble,
    },
    ContextLost {
        epoch: Epoch,
        context: u32,
    },
    Unencodable {
        why: String,
    },
    Stalled,
}

impl Note {
    /// Whether all is well: for the log's level.
    pub fn is_good_news(&self) -> bool {
        matches!(self, Self::Welcomed { .. } | Self::CollectorLeaves { .. })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |span: &Duration| Span(Duration::from_secs(span.as_secs()));
        match self {
            Self::Welcomed { host_name, .. } => write!(f, "welcomed as host `{host_name}`"),
            Self::Refused { message, remedy, again_in, .. } => {
                write!(f, "the collector refuses: {message}; {remedy} (again in {})", seconds(again_in))
            }
            Self::CollectorLeaves { reason, again_in } => {
                write!(f, "the collector leaves: {reason} (again in {})", seconds(again_in))
            }
            Self::Reverted { epoch, given_out, mark } => write!(
                f,
                "this machine was set back or cloned: of epoch {} it gave out {given_out} batches, the collector has {mark}; it goes on in a new epoch",
                Hex(*epoch)
            ),
            Self::Restored { epoch, acked, mark } => write!(
                f,
                "the collector's store was restored: of epoch {} it had acknowledged {acked} batches and has {mark}; what is still here goes again, the rest is told as a gap",
                Hex(*epoch)
            ),
            Self::OtherStore => f.write_str(
                "another store answers than before: the addresses in [collector] must be addresses of one collector",
            ),
            Self::ClockCorrected { correction_ms, offset_ms } => write!(
                f,
                "this host's clock is {:+.3} s off the collector's: time stamps are corrected by {:+.3} s; set the clock",
                -(*offset_ms as f64) / 1e3,
                *correction_ms as f64 / 1e3
            ),
            Self::ClockStepped { back: true } => f.write_str("this host's clock was set back: a new epoch begins"),
            Self::ClockStepped { back: false } => {
                f.write_str("this host's clock leapt ahead, or the host was asleep: a new epoch begins")
            }
            Self::EpochNotKept { trouble } => write!(f, "no new batches can be numbered: {trouble}"),
            Self::SpoolRefuses { trouble } => {
                write!(f, "the spool takes nothing now, and what memory cannot hold goes: {trouble}")
            }
            Self::SpoolUnread { trouble } => write!(f, "the backlog waits: {trouble}"),
            Self::ContextLost { epoch, context } => write!(
                f,
                "context {context} of epoch {} cannot be had any more: its batches are told as a gap",
                Hex(*epoch)
            ),
            Self::Unencodable { why } => write!(f, "rows are dropped because they cannot be sent: {why}"),
            Self::Stalled => f.write_str("the collector does not answer on a connection that stands: connecting anew"),
        }
    }
}

struct Hex(Epoch);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
