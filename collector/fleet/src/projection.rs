//! The projection of inbox entries to small state: known gaps, and how far the inbox is applied, in one transaction.
//!
//! `ingest::apply` is its only caller, live and at replay (EXACTLY-ONCE.md rule 19). Entries at or below the position reached
//! change nothing, so a replay that begins too early does no harm.

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, GapReason, Lane};
use muster_store::{GapRecord, Position, ReplayEntry, StateRecord};
use redb::Table;
use serde::{Deserialize, Serialize};

use crate::losses::Losses;
use crate::outbox::{Event, EventKind};
use crate::rows::{encode, hex_bytes, host_id};

/// Gaps kept; about 25 MB. Each is a loss that somebody should have looked at long before there are so many.
pub const GAPS_MAX: u64 = 100_000;

/// What an apply changes: gaps with their keys, and the position reached.
pub(crate) struct Projected {
    pub gaps: Vec<(Vec<u8>, GapRow)>,
    /// For each gap what tells of it if it is new, unless its host has told too much.
    pub events: Vec<Option<Event>>,
    pub reached: Position,
}

/// Gaps kept and dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GapCounts {
    pub rows: u64,
    /// The oldest, dropped because there were more than [`GAPS_MAX`].
    pub dropped: u64,
}

/// A gap as table `gaps` keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GapRow {
    #[serde(with = "host_id")]
    host: HostId,
    #[serde(with = "hex_bytes")]
    epoch: Vec<u8>,
    lane: u8,
    from: u64,
    to: u64,
    reason: Reason,
    from_ms: i64,
    to_ms: i64,
    arrived_ms: i64,
}

/// [`GapReason`] by its stored name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    SpoolFull,
    Thinned,
    Expired,
    Refused,
    Lost,
    Closed,
}

impl Projected {
    /// What these entries (rising positions) change beyond `applied`; `None`: nothing.
    pub(crate) fn new(entries: &[ReplayEntry], applied: Option<Position>) -> Option<Self> {
        let fresh = || entries.iter().filter(|entry| applied.is_none_or(|applied| entry.position > applied));
        let reached = fresh().map(|entry| entry.position).max()?;
        let gaps = fresh().flat_map(|entry| {
            entry.records.iter().zip(0_u32..).map(|(record, number)| match record {
                StateRecord::Gap(gap) => {
                    let row = GapRow::new(gap);
                    (row.key(entry.position, number), row)
                }
            })
        });
        Some(Self { gaps: gaps.collect(), events: Vec::new(), reached })
    }

    /// Makes the events of its gaps. `name`: of a host.
    pub(crate) fn tell(&mut self, losses: &mut Losses, name: impl Fn(HostId) -> String) {
        let told = self.gaps.iter().map(|(_, row)| losses.tells_gap(row.host, row.arrived_ms).then_some(row));
        self.events = told.map(|row| row.map(|row| row.event(&name(row.host)))).collect();
    }

    /// Whether only the position moves.
    pub(crate) fn is_empty(&self) -> bool {
        self.gaps.is_empty()
    }
}

impl GapRow {
    fn new(gap: &GapRecord) -> Self {
        Self {
            host: gap.host,
            epoch: gap.epoch.0.to_vec(),
            lane: gap.lane as u8,
            from: gap.from,
            to: gap.to,
            reason: match gap.reason {
                GapReason::SpoolFull => Reason::SpoolFull,
                GapReason::Thinned => Reason::Thinned,
                GapReason::Expired => Reason::Expired,
                GapReason::Refused => Reason::Refused,
                GapReason::Lost => Reason::Lost,
                GapReason::Closed => Reason::Closed,
            },
            from_ms: gap.from_ms,
            to_ms: gap.to_ms,
            arrived_ms: gap.arrived_ms,
        }
    }

    /// The record of this row; `None` when its epoch or lane is none.
    pub(crate) fn record(&self) -> Option<GapRecord> {
        Some(GapRecord {
            host: self.host,
            epoch: Epoch(self.epoch.as_slice().try_into().ok()?),
            lane: Lane::from_u8(self.lane)?,
            from: self.from,
            to: self.to,
            reason: match self.reason {
                Reason::SpoolFull => GapReason::SpoolFull,
                Reason::Thinned => GapReason::Thinned,
                Reason::Expired => GapReason::Expired,
                Reason::Refused => GapReason::Refused,
                Reason::Lost => GapReason::Lost,
                Reason::Closed => GapReason::Closed,
            },
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            arrived_ms: self.arrived_ms,
        })
    }

    /// What tells of it.
    fn event(&self, name: &str) -> Event {
        let why = match self.reason {
            Reason::SpoolFull => "the agent's spool was full",
            Reason::Thinned => "the agent thinned out its backlog",
            Reason::Expired => "it came after its epoch was forgotten",
            Reason::Refused => "the collector refused its content",
            Reason::Lost => "the agent lost it",
            Reason::Closed => "the epoch ended without it",
        };
        let (from_ms, to_ms) = self.missing();
        let text = format!("batches {} to {} of host `{name}` will never come: {why}", self.from, self.to);
        let at = Timestamp::from_millis(self.arrived_ms);
        let event = Event::new(EventKind::Gap, "agent", at, text).of(self.host, name);
        let reason = serde_json::to_value(self.reason).ok().and_then(|reason| reason.as_str().map(str::to_owned));
        event
            .with("from", self.from.to_string())
            .with("to", self.to.to_string())
            .with("from_ms", from_ms.to_string())
            .with("to_ms", to_ms.to_string())
            .with("lane", format!("p{}", self.lane))
            .with("reason", reason.unwrap_or_default())
    }

    /// The time in which something is missing. Where the agent could not tell: nothing of an epoch is older than the epoch, and
    /// nothing that was reported missing is younger than the report.
    pub(crate) fn missing(&self) -> (i64, i64) {
        let epoch = self.epoch.as_slice().try_into().map_or(0, |bytes| Epoch(bytes).created_ms());
        let end = if self.to_ms == 0 { self.arrived_ms } else { self.to_ms };
        let start = if self.from_ms == 0 { epoch.min(end) } else { self.from_ms };
        (start, end)
    }

    fn key(&self, position: Position, number: u32) -> Vec<u8> {
        let mut key = Self::key_from(self.missing().1);
        key.extend_from_slice(&position.generation.to_be_bytes());
        key.extend_from_slice(&position.entry.to_be_bytes());
        key.extend_from_slice(&number.to_be_bytes());
        key
    }

    /// Where the gaps begin whose missing time ends at or after this.
    pub(crate) fn key_from(end_ms: i64) -> Vec<u8> {
        // With the sign bit turned, byte order is the order of the numbers.
        (end_ms ^ i64::MIN).to_be_bytes().to_vec()
    }
}

/// The row of a gap that comes from no entry of the inbox, and its key.
pub(crate) fn apart(gap: &GapRecord) -> (Vec<u8>, GapRow) {
    let row = GapRow::new(gap);
    // No entry has this position.
    (row.key(Position { generation: 0, entry: 0 }, 0), row)
}

/// Writes the gaps and drops the oldest beyond [`GAPS_MAX`]. `fresh` is called with the place of each that was not known.
pub(crate) fn write_gaps(
    table: &mut Table<'_, &'static [u8], &'static [u8]>,
    rows: &[(Vec<u8>, GapRow)],
    mut counts: GapCounts,
    mut fresh: impl FnMut(usize),
) -> Result<GapCounts, redb::Error> {
    for (place, (key, row)) in rows.iter().enumerate() {
        if table.insert(key.as_slice(), encode(row).as_slice())?.is_none() {
            counts.rows += 1;
            fresh(place);
        }
    }
    while counts.rows > GAPS_MAX && table.pop_first()?.is_some() {
        counts.rows -= 1;
        counts.dropped += 1;
    }
    Ok(counts)
}
