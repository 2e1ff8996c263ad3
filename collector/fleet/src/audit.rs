//! The audit: one row for every change that somebody made and for refusals, each with the hash of the row before it.
//!
//! Rows are made of events, in the transaction of the change ([`crate::state`] writes both): an event that is [`By::Somebody`]'s
//! is a row as well, and an event cannot be made without a [`By`]. STATE.md tells the bytes that are hashed.

use redb::{StorageError, Table};
use serde::{Deserialize, Serialize};

use crate::by::{By, counted_source};
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::outbox::{Event, EventKind};
use crate::rows::{Sha256, cut_to, decode, encode, hex, unhex};
use crate::tables::{AUDIT, Put, meta};

/// Rows kept: about 40 MB. A team that makes 100 changes a day is remembered for almost three years.
pub const AUDIT_ROWS_MAX: u64 = 100_000;
/// Bytes of a text and of an object that are recorded: parts of them are what strangers sent.
const TEXT_BYTES_MAX: usize = 1_000;
const OBJECT_BYTES_MAX: usize = 256;
/// What the hashed bytes begin with: a row's hash is that of nothing else.
const DOMAIN: &[u8] = b"muster audit 1\0";

/// What became of what somebody wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditResult {
    Done,
    Refused,
}

impl AuditResult {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// What an event tells the audit beside what it tells everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    /// From where.
    pub source: String,
    pub result: AuditResult,
}

/// One row: table `audit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// From 1, without a gap.
    pub seq: u64,
    /// By the collector's clock, milliseconds since 1970.
    pub ms: i64,
    /// `user:NAME`, `token:ID`, `unix:UID`, `file`, `anybody`.
    pub by: String,
    /// An address, `unix`, `file`.
    pub source: String,
    pub action: EventKind,
    /// What it was done to: a host, a token, a user; empty: the collector.
    pub object: String,
    pub text: String,
    pub result: AuditResult,
    pub(crate) prev: Sha256,
    pub(crate) hash: Sha256,
}

impl AuditRow {
    /// The hash, hexadecimal: noted elsewhere it proves every row up to this one.
    pub fn hash(&self) -> String {
        hex(&self.hash.0)
    }

    /// The hash of the row before, hexadecimal; zeros before the first.
    pub fn prev(&self) -> String {
        hex(&self.prev.0)
    }

    /// The hash that this row must have.
    fn computed(&self) -> Sha256 {
        let mut bytes = DOMAIN.to_vec();
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.ms.to_be_bytes());
        let texts = [&self.by, &self.source, self.action.as_str(), &self.object, &self.text, self.result.as_str()];
        for text in texts {
            // A text is far below 4 GiB: they are bounded where they come in.
            bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(self.prev.0);
        Sha256::of(&bytes)
    }
}

/// A place in the chain: a row's number and its hash. Number 0: before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub seq: u64,
    pub hash: Sha256,
}

impl Link {
    pub(crate) const START: Self = Self { seq: 0, hash: Sha256([0; 32]) };

    /// As `meta` keeps it: seq u64 LE, hash 32 B.
    fn bytes(self) -> Vec<u8> {
        [&self.seq.to_le_bytes()[..], &self.hash.0].concat()
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (seq, hash) = bytes.split_first_chunk::<8>()?;
        Some(Self { seq: u64::from_le_bytes(*seq), hash: Sha256(hash.try_into().ok()?) })
    }
}

/// How far the audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The newest row.
    pub head: Link,
    /// The newest of the rows that went.
    pub anchor: Link,
    pub rows: u64,
}

impl Chain {
    #[cfg(test)]
    pub(crate) const EMPTY: Self = Self { head: Link::START, anchor: Link::START, rows: 0 };

    /// The row that this event is, if somebody answers for it.
    fn row(&self, event: &Event) -> Option<AuditRow> {
        let noted = event.noted.as_ref()?;
        let mut row = AuditRow {
            seq: self.head.seq + 1,
            ms: event.ms,
            by: event.by.clone(),
            source: noted.source.clone(),
            action: event.kind,
            object: event.object(),
            text: event.text.clone(),
            result: noted.result,
            prev: self.head.hash,
            hash: Sha256([0; 32]),
        };
        row.hash = row.computed();
        Some(row)
    }

    /// Writes the rows of these events; over `rows_max` the oldest go and leave their anchor. The answer is what changes in `meta`.
    pub(crate) fn write<'a>(
        &mut self,
        table: &mut Table<'_, &'static [u8], &'static [u8]>,
        events: impl Iterator<Item = &'a Event>,
        rows_max: u64,
    ) -> Result<Vec<Put>, StorageError> {
        let before = *self;
        for event in events {
            let Some(row) = self.row(event) else { continue };
            table.insert(row.seq.to_be_bytes().as_slice(), encode(&row).as_slice())?;
            self.head = Link { seq: row.seq, hash: row.hash };
            self.rows += 1;
        }
        while self.rows > rows_max
            && let Some((key, value)) = table.pop_first()?
        {
            self.rows -= 1;
            // A row that cannot be read leaves the anchor where it is, so that it stays visible that one is missing.
            if let Ok(row) = decode::<AuditRow>(value.value())
                && row.seq.to_be_bytes() == key.value()
            {
                self.anchor = Link { seq: row.seq, hash: row.hash };
            }
        }
        let mut puts = Vec::new();
        if self.head != before.head {
            puts.push(Put::set(crate::tables::META, meta::AUDIT_HEAD, self.head.bytes()));
        }
        if self.anchor != before.anchor {
            puts.push(Put::set(crate::tables::META, meta::AUDIT_ANCHOR, self.anchor.bytes()));
        }
        Ok(puts)
    }
}

/// A chain without a break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditProof {
    /// Rows looked at.
    pub rows: u64,
    /// The number of the oldest of them, and of the newest; 0: none.
    pub first_seq: u64,
    pub head_seq: u64,
    /// The newest row's hash, hexadecimal.
    pub head: String,
    /// The number of the row that has the hash noted earlier.
    pub noted_seq: Option<u64>,
}

/// Where the chain breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditBreak {
    /// The first row that is not what it must be; `None`: all rows are, but none has the hash noted earlier.
    pub seq: Option<u64>,
    pub why: String,
}

/// Walks rows in their order, from after the anchor to the head.
pub(crate) fn walk(
    rows: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
    anchor: Link,
    head: Link,
    noted: Option<Sha256>,
) -> Result<AuditProof, AuditBreak> {
    let (mut last, mut count) = (anchor, 0);
    let mut noted_seq = noted.filter(|hash| *hash == anchor.hash && anchor.seq > 0).map(|_| anchor.seq);
    for (key, value) in rows {
        let wanted = last.seq + 1;
        let broken = |why: String| AuditBreak { seq: Some(wanted), why };
        if key != wanted.to_be_bytes() {
            return Err(broken("the row is missing".to_owned()));
        }
        let row: AuditRow = decode(&value).map_err(|what| broken(format!("the row cannot be read: {what}")))?;
        if row.seq != wanted || row.hash != row.computed() || encode(&row) != value {
            return Err(broken("the row is not as it was written: its hash is another".to_owned()));
        }
        if row.prev != last.hash {
            return Err(broken("the row before it was another when this one was written".to_owned()));
        }
        last = Link { seq: row.seq, hash: row.hash };
        count += 1;
        if noted == Some(row.hash) {
            noted_seq = Some(row.seq);
        }
    }
    if last.seq < head.seq {
        return Err(AuditBreak { seq: Some(last.seq + 1), why: "the row is missing, and all after it".to_owned() });
    }
    if last != head {
        let why = "it is not the row that was written last".to_owned();
        return Err(AuditBreak { seq: Some(last.seq), why });
    }
    if let (Some(hash), None) = (noted, noted_seq) {
        let why = format!(
            "no row has the hash {} that was noted: rows were removed or written anew since, or it is of rows older than {}, which are not kept",
            hex(&hash.0),
            anchor.seq + 1
        );
        return Err(AuditBreak { seq: None, why });
    }
    let first_seq = if count == 0 { 0 } else { anchor.seq + 1 };
    Ok(AuditProof { rows: count, first_seq, head_seq: last.seq, head: hex(&last.hash.0), noted_seq })
}

/// Which rows are asked for. Times are milliseconds, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
    /// `by` must be this.
    pub by: Option<String>,
    pub action: Option<EventKind>,
    /// `object` must be this.
    pub object: Option<String>,
    pub result: Option<AuditResult>,
    /// Only rows before this number.
    pub before: Option<u64>,
    pub limit: usize,
}

impl AuditQuery {
    /// Whether it asks for this row, whatever number it has.
    pub(crate) fn wants(&self, row: &AuditRow) -> bool {
        self.from_ms.is_none_or(|from_ms| row.ms >= from_ms)
            && self.to_ms.is_none_or(|to_ms| row.ms <= to_ms)
            && self.by.as_ref().is_none_or(|by| row.by == *by)
            && self.action.is_none_or(|action| row.action == action)
            && self.object.as_ref().is_none_or(|object| row.object == *object)
            && self.result.is_none_or(|result| row.result == result)
    }
}

impl Fleet {
    /// Rows that match, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a row cannot be read.
    pub fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRow>, FleetError> {
        self.scan(|reading| reading.audit(query))
    }

    /// Walks the whole chain. `noted`: a hash noted earlier, which one of the rows must have.
    ///
    /// # Errors
    /// [`FleetError::AuditHash`] for a `noted` that is no hash; when the disk or the file fails. A chain that breaks is no error but an
    /// answer.
    pub fn verify_audit(&self, noted: Option<&str>) -> Result<Result<AuditProof, AuditBreak>, FleetError> {
        let noted = noted.map(|text| {
            let given = || FleetError::AuditHash { given: text.chars().take(80).collect() };
            unhex::<32>(text).map(Sha256).ok_or_else(given)
        });
        let noted = noted.transpose()?;
        self.scan(|reading| {
            let (anchor, head) = reading.audit_ends()?;
            Ok(walk(reading.pairs(AUDIT)?.into_iter(), anchor, head, noted))
        })
    }

    /// Records what somebody did that changes nothing in this file, or was refused: an event and a row in a transaction of their own.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn record(&self, record: Record, now: muster_common::time::Timestamp) -> Result<(), FleetError> {
        let Record { by, action, object, text, result } = record;
        let (object, text) = (cut_to(&object, OBJECT_BYTES_MAX), cut_to(&text, TEXT_BYTES_MAX));
        self.change(|_, draft| {
            let mut event = Event::new(action, &by, now, text);
            if !object.is_empty() {
                event = event.with("object", object.as_str());
            }
            if let Some(noted) = &mut event.noted {
                noted.result = result;
            }
            draft.events.push(event);
            Ok(())
        })
    }
}

impl Fleet {
    /// Records that somebody was refused: as [`Fleet::record`], unless it is one of a flood; those are summed in a row that comes later.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn record_refusal(&self, mut record: Record, now: muster_common::time::Timestamp) -> Result<(), FleetError> {
        let source = counted_source(record.by.source().unwrap_or_default());
        let Some(summed) = self.refusals.lock().step(&source, now) else {
            self.counts.lock().summed_refusals += 1;
            return Ok(());
        };
        record.text.push_str(&summed.text());
        self.record(record, now)
    }
}

/// What [`Fleet::record`] records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub by: By,
    pub action: EventKind,
    /// Empty: the collector.
    pub object: String,
    pub text: String,
    pub result: AuditResult,
}

#[cfg(test)]
mod tests;
