//! The loss that no agent can name: what was acknowledged between the state that a store was put back to and now (EXACTLY-ONCE.md
//! rule 10). One event, one row of table `gaps` and one row of `meta` tell of it, in the transaction that takes the new incarnation.

use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, GapReason, Lane};
use muster_store::{GapRecord, OWN_HOST, Past, Reborn};
use serde::{Deserialize, Serialize};

use crate::by::By;
use crate::outbox::{Event, EventKind};

/// The last time that this data folder took a new incarnation, as `meta` keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// What was acknowledged after this may be missing, milliseconds; 0: nothing tells since when.
    pub from_ms: i64,
    /// When the incarnation was taken: what came later is here.
    pub to_ms: i64,
    pub incarnation: u64,
    /// The incarnation before; 0: none was told.
    pub before: u64,
    pub why: RestoredWhy,
}

/// Why. Names are stored, so one that was told never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoredWhy {
    /// A copy of the folder was put back.
    Restored,
    /// The inbox was gone at the start.
    MarksLost,
    /// A start that did not end took the incarnation, and its reason with it.
    Unknown,
}

impl RestoredWhy {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restored => "a copy of the data folder was put back",
            Self::MarksLost => "the inbox was missing at the start",
            Self::Unknown => "a start that did not end found the data folder changed",
        }
    }
}

impl Restored {
    pub(crate) fn new(incarnation: u64, before: Option<u64>, past: Past, now: Timestamp) -> Self {
        Self {
            from_ms: past.last_arrival.map_or(0, |last| last.min(now).millis()),
            to_ms: now.millis(),
            incarnation,
            before: before.unwrap_or(0),
            why: match past.reborn {
                Some(Reborn::Restored) => RestoredWhy::Restored,
                Some(Reborn::MarksLost) => RestoredWhy::MarksLost,
                None => RestoredWhy::Unknown,
            },
        }
    }

    /// The one event of the store.
    pub(crate) fn event(&self) -> Event {
        let text = format!("{}: what was acknowledged before it and is not in it may be missing", self.why.as_str());
        let why = match self.why {
            RestoredWhy::Restored => "restored",
            RestoredWhy::MarksLost => "marks_lost",
            RestoredWhy::Unknown => "unknown",
        };
        Event::new(EventKind::StoreRestored, &By::MUSTER, Timestamp::from_millis(self.to_ms), text)
            .with("from_ms", self.from_ms.to_string())
            .with("to_ms", self.to_ms.to_string())
            .with("incarnation", self.incarnation.to_string())
            .with("before", self.before.to_string())
            .with("why", why)
    }

    /// The gap of all hosts, under the id that none has: nothing tells which batches it covers.
    pub(crate) fn gap(&self) -> GapRecord {
        GapRecord {
            host: OWN_HOST,
            epoch: Epoch::NONE,
            lane: Lane::P1,
            from: 1,
            to: u64::MAX,
            reason: GapReason::Closed,
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            arrived_ms: self.to_ms,
        }
    }
}
