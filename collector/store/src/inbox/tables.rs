//! The tables of an inbox file and their rows (LAYOUT.md, "inbox").

use muster_common::host::HostId;
use muster_common::wire::message::{Epoch, Lane};
use redb::TableDefinition;

use crate::bytes::Bytes;

/// The format that this code writes, and the highest that it reads.
pub(crate) const VERSION: u64 = 1;

/// `version`, `generation`.
pub(crate) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
/// host, epoch, lane -> [`LaneRow`]; lane 0xff -> [`ClosedRow`].
pub(crate) const MARKS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("marks");
/// host -> creation time (ms) up to which unknown epochs are refused.
pub(crate) const FLOORS: TableDefinition<'static, &[u8; 16], i64> = TableDefinition::new("floors");
/// Body hash -> arrival (ms), generation and entry of the first.
pub(crate) const REPEATS: TableDefinition<'static, &[u8; 16], (i64, u64, u64)> = TableDefinition::new("repeats");
/// Block number -> series with their slots.
pub(crate) const SERIES: TableDefinition<'static, u32, &[u8]> = TableDefinition::new("series");
/// Piece number -> a piece of a commit's blob.
pub(crate) const ENTRIES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("entries");

pub(crate) type MarkKey = [u8; 33];

/// In place of a lane: the one row of a closed epoch.
pub(crate) const CLOSED: u8 = 0xff;

pub(crate) fn mark_key(host: HostId, epoch: Epoch, lane: u8) -> MarkKey {
    let mut key = [0; 33];
    key[..16].copy_from_slice(&host.0);
    key[16..32].copy_from_slice(&epoch.0);
    key[32] = lane;
    key
}

/// The epoch and lane (or [`CLOSED`]) of a key.
pub(crate) fn epoch_and_lane(key: &[u8]) -> Option<(Epoch, u8)> {
    let mut rest = Bytes(key.get(16..)?);
    Some((Epoch(rest.array()?), rest.u8()?))
}

/// How far one lane of an open epoch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneRow {
    pub(crate) seq: u64,
    pub(crate) arrived_ms: i64,
    /// The epoch was unknown and at or below the floor: only gaps move this mark.
    pub(crate) expired: bool,
}

/// How far all lanes of a closed epoch are; 0: nothing was committed on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClosedRow {
    pub(crate) seqs: [u64; 3],
    pub(crate) arrived_ms: i64,
    pub(crate) closed_ms: i64,
    /// Bit per lane number.
    pub(crate) expired: u8,
}

impl LaneRow {
    pub(crate) fn encode(&self) -> [u8; 17] {
        let mut bytes = [0; 17];
        bytes[..8].copy_from_slice(&self.seq.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.arrived_ms.to_le_bytes());
        bytes[16] = u8::from(self.expired);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        Some(Self { seq: rest.u64()?, arrived_ms: rest.i64()?, expired: rest.u8()? & 1 == 1 })
    }
}

impl ClosedRow {
    pub(crate) fn encode(&self) -> [u8; 41] {
        let mut bytes = [0; 41];
        for (place, seq) in self.seqs.iter().enumerate() {
            bytes[place * 8..place * 8 + 8].copy_from_slice(&seq.to_le_bytes());
        }
        bytes[24..32].copy_from_slice(&self.arrived_ms.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.closed_ms.to_le_bytes());
        bytes[40] = self.expired;
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        Some(Self {
            seqs: [rest.u64()?, rest.u64()?, rest.u64()?],
            arrived_ms: rest.i64()?,
            closed_ms: rest.i64()?,
            expired: rest.u8()?,
        })
    }

    pub(crate) fn lane(&self, lane: Lane) -> Option<LaneRow> {
        let seq = self.seqs[lane as usize];
        let expired = self.expired >> lane as u8 & 1 == 1;
        (seq > 0).then_some(LaneRow { seq, arrived_ms: self.arrived_ms, expired })
    }

    pub(crate) fn add(&mut self, lane: Lane, row: LaneRow) {
        self.seqs[lane as usize] = row.seq;
        self.arrived_ms = self.arrived_ms.max(row.arrived_ms);
        self.expired |= u8::from(row.expired) << lane as u8;
    }
}
