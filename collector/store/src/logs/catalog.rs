//! The log side of `catalog.redb`: segments of both classes, and tombstones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::matcher::{LabelRegex, Matcher, Test};
use redb::{ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction};

use super::record::LogClass;
use crate::bytes::{Bytes, put_varint};
use crate::catalog::{CatalogState, SegmentRow, changes};
use crate::error::FileError;

/// Class, segment number -> row of the segment, then the highest number of a tombstone whose lines are not in it.
const SEGMENTS: TableDefinition<'static, (u8, u64), &[u8]> = TableDefinition::new("log_segments");
/// Class, segment number -> the same, then why it is not read.
const QUARANTINED: TableDefinition<'static, (u8, u64), &[u8]> = TableDefinition::new("log_quarantined");
/// Class, name of a file that is to be unlinked.
const DROPPED: TableDefinition<'static, (u8, &str), ()> = TableDefinition::new("log_dropped");
/// Number -> tombstone.
const TOMBSTONES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("tombstones");

const TOMBSTONE_VERSION: u8 = 1;

/// What the catalog knows of a log segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogRow {
    pub(crate) row: SegmentRow,
    /// Tombstones up to this number took their lines out when it was written.
    pub(crate) cleaned: u64,
}

/// Segments of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClassState {
    pub(crate) segments: BTreeMap<u64, LogRow>,
    pub(crate) quarantined: BTreeMap<u64, (LogRow, String)>,
    pub(crate) dropped: BTreeSet<String>,
}

/// The log side of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogsState {
    pub(crate) classes: [ClassState; 2],
    pub(crate) tombstones: BTreeMap<u64, Arc<Tombstone>>,
}

/// Lines that are deleted: those of matching streams within the times, in what had arrived when it was made (rule 24).
#[derive(Debug)]
pub(crate) struct Tombstone {
    pub(crate) number: u64,
    /// The last generation that it covers.
    pub(crate) covers: u64,
    /// Included; `to_ns` is not.
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    pub(crate) matchers: Vec<Matcher>,
}

/// Rows never change: a number says which it is.
impl PartialEq for Tombstone {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Tombstone {}

impl Tombstone {
    /// Whether a segment or head of generations up to `hi` holds lines that it may cover.
    pub(crate) fn touches(&self, hi: u64, cleaned: u64) -> bool {
        hi <= self.covers && cleaned < self.number
    }

    pub(crate) fn matches(&self, labels: &LabelSet) -> bool {
        self.matchers.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name).unwrap_or("")))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![TOMBSTONE_VERSION];
        out.extend(self.covers.to_le_bytes());
        out.extend(self.from_ns.to_le_bytes());
        out.extend(self.to_ns.to_le_bytes());
        put_varint(&mut out, self.matchers.len() as u64);
        for matcher in &self.matchers {
            let (operator, value) = match &matcher.test {
                Test::Equal(value) => (0, value.as_str()),
                Test::NotEqual(value) => (1, value.as_str()),
                Test::Regex(regex) => (2, regex.pattern()),
                Test::NotRegex(regex) => (3, regex.pattern()),
            };
            out.push(operator);
            for text in [matcher.name.as_str(), value] {
                put_varint(&mut out, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
        }
        out
    }

    fn decode(number: u64, bytes: &[u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        (rest.u8()? == TOMBSTONE_VERSION).then_some(())?;
        let (covers, from_ns, to_ns) = (rest.u64()?, rest.i64()?, rest.i64()?);
        let mut matchers = Vec::new();
        for _ in 0..rest.count()? {
            let operator = rest.u8()?;
            let mut text = || {
                let length = rest.count()?;
                String::from_utf8(rest.take(length)?.to_vec()).ok()
            };
            let (name, value) = (text()?, text()?);
            let test = match operator {
                0 => Test::Equal(value),
                1 => Test::NotEqual(value),
                2 => Test::Regex(LabelRegex::new(&value).ok()?),
                3 => Test::NotRegex(LabelRegex::new(&value).ok()?),
                _ => return None,
            };
            matchers.push(Matcher { name, test });
        }
        rest.is_empty().then_some(Self { number, covers, from_ns, to_ns, matchers })
    }
}

impl LogRow {
    fn encode(&self) -> Vec<u8> {
        let mut out = self.row.encode();
        out.extend(self.cleaned.to_le_bytes());
        out
    }

    fn decode(rest: &mut Bytes<'_>) -> Option<Self> {
        Some(Self { row: SegmentRow::decode(rest)?, cleaned: rest.u64()? })
    }
}

impl ClassState {
    /// As the planner of merges and retention see segments.
    pub(crate) fn as_metrics(&self) -> CatalogState {
        let quarantined = self.quarantined.iter().map(|(number, (row, why))| (*number, (row.row, why.clone())));
        CatalogState {
            segments: self.segments.iter().map(|(number, row)| (*number, row.row)).collect(),
            quarantined: quarantined.collect(),
            ..CatalogState::default()
        }
    }

    /// Takes a segment out: its file is to go.
    pub(crate) fn drop_segment(&mut self, number: u64) {
        let row = self.segments.remove(&number).or_else(|| self.quarantined.remove(&number).map(|(row, _)| row));
        if let Some(row) = row {
            self.dropped.insert(row.row.file_name(number));
        }
    }
}

impl LogsState {
    pub(crate) fn class(&self, class: LogClass) -> &ClassState {
        &self.classes[class as usize]
    }

    pub(crate) fn class_mut(&mut self, class: LogClass) -> &mut ClassState {
        &mut self.classes[class as usize]
    }

    pub(crate) fn has_segment(&self, number: u64) -> bool {
        self.classes.iter().any(|class| class.segments.contains_key(&number))
    }

    /// Keeps the file but reads it no more.
    pub(crate) fn quarantine(&mut self, number: u64, why: &str) {
        for class in &mut self.classes {
            if let Some(row) = class.segments.remove(&number) {
                class.quarantined.insert(number, (row, why.to_owned()));
            }
        }
    }

    /// Tombstones that no segment needs any more go; heads that one covers keep it.
    pub(crate) fn drop_done_tombstones(&mut self, flushed_through: u64) {
        let classes = &self.classes;
        let rows = || {
            let aside = classes.iter().flat_map(|class| class.quarantined.values().map(|(row, _)| row));
            classes.iter().flat_map(|class| class.segments.values()).chain(aside)
        };
        self.tombstones
            .retain(|_, one| one.covers > flushed_through || rows().any(|row| one.touches(row.row.lo, row.cleaned)));
    }

    /// Writes the rows that differ.
    pub(crate) fn write(&self, transaction: &WriteTransaction, before: &Self, path: &Path) -> Result<(), FileError> {
        let mut segments = open(transaction, SEGMENTS, path)?;
        let mut quarantined = open(transaction, QUARANTINED, path)?;
        let mut dropped =
            transaction.open_table(DROPPED).map_err(FileError::database("open table log_dropped", path))?;
        let wrong = |error| FileError::database("write the tables of logs", path)(error);
        for class in LogClass::ALL {
            let (old, new, kind) = (before.class(class), self.class(class), class as u8);
            for (number, row) in changes(&old.segments, &new.segments) {
                let done = match row {
                    Some(row) => segments.insert((kind, number), row.encode().as_slice()).map(drop),
                    None => segments.remove((kind, number)).map(drop),
                };
                done.map_err(wrong)?;
            }
            for (number, row) in changes(&old.quarantined, &new.quarantined) {
                let done = match row {
                    Some((row, why)) => {
                        let mut bytes = row.encode();
                        bytes.extend_from_slice(why.as_bytes());
                        quarantined.insert((kind, number), bytes.as_slice()).map(drop)
                    }
                    None => quarantined.remove((kind, number)).map(drop),
                };
                done.map_err(wrong)?;
            }
            for name in new.dropped.difference(&old.dropped) {
                dropped.insert((kind, name.as_str()), ()).map_err(wrong)?;
            }
            for name in old.dropped.difference(&new.dropped) {
                dropped.remove((kind, name.as_str())).map_err(wrong)?;
            }
        }
        let mut tombstones =
            transaction.open_table(TOMBSTONES).map_err(FileError::database("open table tombstones", path))?;
        for (number, row) in changes(&before.tombstones, &self.tombstones) {
            let done = match row {
                Some(row) => tombstones.insert(number, row.encode().as_slice()).map(drop),
                None => tombstones.remove(number).map(drop),
            };
            done.map_err(wrong)?;
        }
        Ok(())
    }

    /// Reads all of it; a catalog that has no such tables yet has none of it.
    pub(crate) fn load(read: &ReadTransaction, path: &Path) -> Result<Self, FileError> {
        let mut state = Self::default();
        let damaged = || FileError::damaged(path, "a row of a log segment or tombstone cannot be decoded");
        let wrong = |error| FileError::database("read the tables of logs", path)(error);
        if let Some(table) = there(read.open_table(SEGMENTS), path)? {
            for row in table.iter().map_err(wrong)? {
                let (key, value) = row.map_err(wrong)?;
                let class = LogClass::from_u8(key.value().0).ok_or_else(damaged)?;
                let row = LogRow::decode(&mut Bytes(value.value())).ok_or_else(damaged)?;
                state.class_mut(class).segments.insert(key.value().1, row);
            }
        }
        if let Some(table) = there(read.open_table(QUARANTINED), path)? {
            for row in table.iter().map_err(wrong)? {
                let (key, value) = row.map_err(wrong)?;
                let class = LogClass::from_u8(key.value().0).ok_or_else(damaged)?;
                let mut rest = Bytes(value.value());
                let row = LogRow::decode(&mut rest).ok_or_else(damaged)?;
                let why = String::from_utf8_lossy(rest.0).into_owned();
                state.class_mut(class).quarantined.insert(key.value().1, (row, why));
            }
        }
        if let Some(table) = there(read.open_table(DROPPED), path)? {
            for row in table.iter().map_err(wrong)? {
                let (key, ()) = row.map(|(key, _)| (key, ())).map_err(wrong)?;
                let class = LogClass::from_u8(key.value().0).ok_or_else(damaged)?;
                state.class_mut(class).dropped.insert(key.value().1.to_owned());
            }
        }
        if let Some(table) = there(read.open_table(TOMBSTONES), path)? {
            for row in table.iter().map_err(wrong)? {
                let (key, value) = row.map_err(wrong)?;
                let tombstone = Tombstone::decode(key.value(), value.value()).ok_or_else(damaged)?;
                state.tombstones.insert(key.value(), Arc::new(tombstone));
            }
        }
        Ok(state)
    }
}

type RowTable<'t> = redb::Table<'t, (u8, u64), &'static [u8]>;

fn open<'t>(
    transaction: &'t WriteTransaction,
    table: TableDefinition<'static, (u8, u64), &'static [u8]>,
    path: &Path,
) -> Result<RowTable<'t>, FileError> {
    transaction.open_table(table).map_err(FileError::database("open a table of log segments", path))
}

fn there<T>(table: Result<T, TableError>, path: &Path) -> Result<Option<T>, FileError> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(FileError::database("open a table of logs", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_reads_back_with_every_kind_of_matcher() {
        let regex = |text: &str| LabelRegex::new(text).unwrap();
        let one = |name: &str, test| Matcher { name: name.into(), test };
        let matchers = vec![
            one("a", Test::Equal("1".into())),
            one("b", Test::NotEqual(String::new())),
            one("c", Test::Regex(regex("x|y.*"))),
            one("d", Test::NotRegex(regex(".+"))),
        ];
        let tombstone = Tombstone { number: 7, covers: 3, from_ns: i64::MIN, to_ns: 5, matchers };
        let bytes = tombstone.encode();
        let read = Tombstone::decode(7, &bytes).unwrap();
        assert_eq!((read.covers, read.from_ns, read.to_ns, read.matchers.len()), (3, i64::MIN, 5, 4));
        assert_eq!(read.encode(), bytes);
        let labels = |pairs: &[(&str, &str)]| LabelSet::new(pairs.iter().copied()).unwrap();
        assert!(read.matches(&labels(&[("a", "1"), ("b", "2"), ("c", "yz")])));
        assert!(!read.matches(&labels(&[("a", "1"), ("b", "2"), ("c", "z")])));
        (0..bytes.len()).for_each(|cut| assert!(Tombstone::decode(7, &bytes[..cut]).is_none()));
        assert!(read.touches(3, 6) && !read.touches(4, 0) && !read.touches(3, 7));
    }

    #[test]
    fn a_tombstone_goes_when_no_input_is_left() {
        let row = |lo, hi, cleaned| LogRow {
            row: SegmentRow { lo, hi, day: None, min_ms: 0, max_ms: 0, samples: 1, bytes: 1 },
            cleaned,
        };
        let tombstone = |number, covers| {
            (number, Arc::new(Tombstone { number, covers, from_ns: 0, to_ns: 9, matchers: Vec::new() }))
        };
        let mut state = LogsState { tombstones: [tombstone(5, 2), tombstone(6, 9)].into(), ..LogsState::default() };
        state.class_mut(LogClass::Logs).segments.insert(1, row(1, 2, 5));
        state.class_mut(LogClass::Events).quarantined.insert(2, (row(2, 2, 0), "damaged".into()));
        state.drop_done_tombstones(8);
        assert_eq!(state.tombstones.len(), 2, "one that is set aside may come back");
        state.class_mut(LogClass::Events).drop_segment(2);
        state.drop_done_tombstones(8);
        assert_eq!(state.tombstones.keys().copied().collect::<Vec<_>>(), [6], "generation 9 is not flushed");
        state.drop_done_tombstones(9);
        assert_eq!(state.tombstones.len(), 1, "segment 1 was written before it");
        state.class_mut(LogClass::Logs).segments.insert(1, row(1, 2, 6));
        state.drop_done_tombstones(9);
        assert!(state.tombstones.is_empty());
    }
}
