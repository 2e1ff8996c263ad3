//! What a store knows of its own past when it is opened: what the event of rule 10 is made of.

use std::time::Duration;

use muster_common::time::Timestamp;
use redb::{ReadableDatabase, ReadableTable};

use crate::catalog::CatalogState;
use crate::error::FileError;
use crate::inbox::Inbox;
use crate::inbox::tables::{CLOSED, ClosedRow, LaneRow, MARKS, epoch_and_lane};

/// How far ahead of the clock samples may lie (rule 29): what was sealed later than this before the newest sample is not in a segment.
const AHEAD_MAX: Duration = Duration::from_secs(600);

/// Why an opening took a new incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reborn {
    /// [`crate::Config::restored`]: the folder is a copy that was put back.
    Restored,
    /// The inbox files that the catalog tells of are gone, and with them the marks and what was not flushed.
    MarksLost,
}

/// What is known of the time before this opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// `None`: the incarnation is that of the opening before.
    pub reborn: Option<Reborn>,
    /// By the collector's clock, when the last batch that is still here arrived; where the marks are gone, a time at
    /// which everything in segments had arrived or was about to: ten minutes before the newest sample, which may lie so far ahead. `None`: the store is empty.
    pub last_arrival: Option<Timestamp>,
}

/// See [`Past::last_arrival`]. Never after `now`.
pub(crate) fn last_arrival(
    inbox: &Inbox,
    state: &CatalogState,
    now: Timestamp,
) -> Result<Option<Timestamp>, FileError> {
    let marked = newest_mark_ms(inbox)?.map(Timestamp::from_millis);
    let stored = || {
        let newest_ms = state.segments.values().map(|row| row.max_ms).max()?;
        Some(Timestamp::from_millis(newest_ms).minus(AHEAD_MAX))
    };
    Ok(marked.or_else(stored).map(|last| last.min(now)))
}

fn newest_mark_ms(inbox: &Inbox) -> Result<Option<i64>, FileError> {
    let path = &inbox.active.path;
    let Some(database) = &inbox.active.database else { return Ok(None) };
    let read = database.begin_read().map_err(FileError::database("begin to read", path))?;
    let table = read.open_table(MARKS).map_err(FileError::database("open table marks", path))?;
    let mut newest = None;
    for row in table.iter().map_err(FileError::database("read marks", path))? {
        let (key, value) = row.map_err(FileError::database("read marks", path))?;
        let arrived_ms = match epoch_and_lane(key.value()) {
            Some((_, CLOSED)) => ClosedRow::decode(value.value()).map(|row| row.arrived_ms),
            _ => LaneRow::decode(value.value()).map(|row| row.arrived_ms),
        };
        newest = newest.max(arrived_ms);
    }
    Ok(newest)
}
