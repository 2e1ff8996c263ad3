//! The projection of inbox entries to small state: known gaps, lost log lines, looks at processes and inventories, and how far the inbox is applied, in one transaction.
//!
//! `ingest::apply` is its only caller, live and at replay (EXACTLY-ONCE.md rule 19). Entries at or below the position reached
//! change nothing, so a replay that begins too early does no harm.

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, GapReason, Lane};
use muster_common::wire::record::decode_report;
use muster_store::{GapRecord, Position, ReplayEntry, ReportRecord, StateRecord};
use redb::Table;
use serde::{Deserialize, Serialize};

use crate::by::By;
use crate::checks::Reported;
use crate::inventory::InventoryStep;
use crate::looks::LookRow;
use crate::losses::{LogLoss, Losses};
use crate::outbox::{Event, EventKind};
use crate::rows::{encode, hex_bytes, host_id};

/// Gaps kept, and as many losses of log lines; about 25 MB each. Each is a loss that somebody should have looked at long before there
/// are so many.
pub const GAPS_MAX: u64 = 100_000;

/// What an apply changes: gaps, losses of log lines, reports, and the position reached.
pub(crate) struct Projected {
    pub gaps: Vec<Keyed<GapRow>>,
    pub losses: Vec<Keyed<LogLoss>>,
    /// In the order of arrival.
    pub reports: Vec<Reported>,
    /// Those of the reports that are looks at processes, made by [`Self::keep_looks`].
    pub looks: Vec<LookRow>,
    /// What those of the reports that are of inventories change; `None`: none are.
    pub inventory: Option<InventoryStep>,
    pub reached: Position,
}

/// A row and its key.
pub(crate) struct Keyed<R> {
    /// Of the entry that it comes from.
    pub position: Position,
    pub key: Vec<u8>,
    pub row: R,
    /// What tells of it if it is new, unless its host has told too much.
    pub event: Option<Event>,
}

/// Rows of table `gaps` or `log_losses`, kept and dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
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
        let (mut gaps, mut losses, mut reports) = (Vec::new(), Vec::new(), Vec::new());
        for entry in fresh() {
            for (record, number) in entry.records.iter().zip(0_u32..) {
                if let StateRecord::Gap(gap) = record {
                    let row = GapRow::new(gap);
                    let key = row.key(entry.position, number);
                    gaps.push(Keyed { position: entry.position, key, row, event: None });
                }
            }
            reports.extend(reports_of(entry));
            let lost = LogLoss::of_entry(entry).into_iter().zip(0_u32..);
            losses.extend(lost.map(|(row, number)| {
                let key = key(row.to_ms, entry.position, number);
                Keyed { position: entry.position, key, row, event: None }
            }));
        }
        Some(Self { gaps, losses, reports, looks: Vec::new(), inventory: None, reached })
    }

    /// Makes the events of its rows. `name`: of a host.
    pub(crate) fn tell(&mut self, losses: &mut Losses, name: impl Fn(HostId) -> String) {
        for Keyed { row, event, .. } in &mut self.gaps {
            *event = losses.tells(row.host, row.arrived_ms).then(|| row.event(&name(row.host)));
        }
        for Keyed { row, event, .. } in &mut self.losses {
            *event = losses.tells(row.host, row.to_ms).then(|| row.event(&name(row.host)));
        }
    }

    /// Makes rows of the looks at processes of these hosts.
    pub(crate) fn keep_looks(&mut self, is_active: impl Fn(HostId) -> bool) {
        let kept = self.reports.iter().filter(|one| is_active(one.host));
        self.looks = kept.filter_map(LookRow::of).collect();
    }

    /// Whether only the position moves.
    pub(crate) fn is_empty(&self) -> bool {
        self.gaps.is_empty() && self.losses.is_empty() && self.reports.is_empty()
    }
}

/// The reports of an entry. One that cannot be read was written by a later version, whose bytes this one does not know: it is passed over.
fn reports_of(entry: &ReplayEntry) -> impl Iterator<Item = Reported> {
    let (arrived, is_live) = (entry.arrived, entry.live);
    entry.records.iter().filter_map(move |record| {
        let StateRecord::Report(ReportRecord { host, report }) = record else { return None };
        match decode_report(report) {
            Ok(report) => Some(Reported { host: *host, arrived, is_live, report }),
            Err(_) => None,
        }
    })
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
        let (kind, of) = if self.lane == Lane::P2 as u8 {
            (EventKind::LogLost, "log lines of host")
        } else {
            (EventKind::Gap, "host")
        };
        let text = format!("batches {} to {} of {of} `{name}` will never come: {why}", self.from, self.to);
        let at = Timestamp::from_millis(self.arrived_ms);
        let event = Event::new(kind, &By::AGENT, at, text).of(self.host, name);
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
        key(self.missing().1, position, number)
    }
}

/// The key of a row by the end of what is missing, so that a reader of a time begins at its start.
fn key(end_ms: i64, position: Position, number: u32) -> Vec<u8> {
    let mut key = key_from(end_ms);
    key.extend_from_slice(&position.generation.to_be_bytes());
    key.extend_from_slice(&position.entry.to_be_bytes());
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Where the rows begin whose missing time ends at or after this.
pub(crate) fn key_from(end_ms: i64) -> Vec<u8> {
    // With the sign bit turned, byte order is the order of the numbers.
    (end_ms ^ i64::MIN).to_be_bytes().to_vec()
}

/// The row of a gap that comes from no entry of the inbox and has an event of its own.
pub(crate) fn apart(gap: &GapRecord) -> Keyed<GapRow> {
    let row = GapRow::new(gap);
    // No entry has this position.
    let position = Position { generation: 0, entry: 0 };
    Keyed { position, key: row.key(position, 0), row, event: None }
}

/// Writes the rows and drops the oldest beyond [`GAPS_MAX`]. The events of those that were not known go to `told`, with the
/// positions that give their order.
pub(crate) fn write_rows<R: Serialize>(
    table: &mut Table<'_, &'static [u8], &'static [u8]>,
    rows: &mut [Keyed<R>],
    mut kept: Kept,
    told: &mut Vec<(Position, Event)>,
) -> Result<Kept, redb::Error> {
    for Keyed { position, key, row, event } in rows {
        if table.insert(key.as_slice(), encode(row).as_slice())?.is_none() {
            kept.rows += 1;
            told.extend(event.take().map(|event| (*position, event)));
        }
    }
    while kept.rows > GAPS_MAX && table.pop_first()?.is_some() {
        kept.rows -= 1;
        kept.dropped += 1;
    }
    Ok(kept)
}
