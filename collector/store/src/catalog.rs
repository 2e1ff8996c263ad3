//! `catalog.redb`: which segments there are, and how far the inbox is flushed. A segment exists because a row here names it.
//!
//! Every commit saves the allocator (quick-repair): commits are rare, and the file must open at once whatever its age.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::Disk;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use crate::bytes::Bytes;
use crate::database::{DatabaseOpenError, make_durable, open_database};
use crate::error::FileError;
use crate::inbox::positions::{Fold, Layer};
use crate::logs::catalog::LogsState;
use crate::segment::format::Header;

/// The format that this code writes, and the highest that it reads.
pub const FORMAT: u64 = 1;
const VERSION: u64 = FORMAT;

/// `version`, `store_id_high`, `store_id_low`, `incarnation`, `flushed_through`, `next_segment`.
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
/// Segment number -> [`SegmentRow`].
const SEGMENTS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("segments");
/// Segment number -> its row, then why it is not read.
const QUARANTINED: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("quarantined");
/// Names of files that are to be unlinked once no view reads them.
const DROPPED: TableDefinition<'static, &str, ()> = TableDefinition::new("dropped");

/// Which store a catalog is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreIdentity {
    pub format: u64,
    pub store_id: [u8; 16],
}

/// `None`: nothing was written to it yet.
pub(crate) fn identity(read: &ReadTransaction, path: &Path) -> Result<Option<StoreIdentity>, FileError> {
    let meta = match read.open_table(META) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(FileError::database("open table meta", path)(error)),
    };
    let get = |key| -> Result<u64, FileError> {
        let row = meta.get(key).map_err(FileError::database("read table meta", path))?;
        Ok(row.map_or(0, |row| row.value()))
    };
    let mut store_id = [0; 16];
    store_id[..8].copy_from_slice(&get("store_id_high")?.to_le_bytes());
    store_id[8..].copy_from_slice(&get("store_id_low")?.to_le_bytes());
    Ok(Some(StoreIdentity { format: get("version")?, store_id }))
}

/// What the catalog knows of a segment; the rest stands in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRow {
    pub(crate) lo: u64,
    pub(crate) hi: u64,
    pub(crate) day: Option<i32>,
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
    pub(crate) samples: u64,
    pub(crate) bytes: u64,
}

/// Everything in the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CatalogState {
    pub(crate) store_id: [u8; 16],
    /// 0 only before the first commit.
    pub(crate) incarnation: u64,
    pub(crate) flushed_through: u64,
    pub(crate) next_segment: u64,
    pub(crate) segments: BTreeMap<u64, SegmentRow>,
    pub(crate) quarantined: BTreeMap<u64, (SegmentRow, String)>,
    pub(crate) dropped: BTreeSet<String>,
    pub(crate) logs: LogsState,
}

/// The file and its contents in memory.
pub(crate) struct Catalog {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    cache_bytes: usize,
    /// `None` after an error, until it is opened again.
    database: Option<Database>,
    state: CatalogState,
    /// The next segment's number, where some were given out since the last commit.
    next_number: u64,
}

impl SegmentRow {
    pub(crate) fn of(header: &Header) -> Self {
        let Header { lo, hi, day, min_ms, max_ms, samples, file_bytes: bytes, .. } = *header;
        Self { lo, hi, day, min_ms, max_ms, samples, bytes }
    }

    /// The file's name in `segments/metrics/`.
    pub(crate) fn file_name(&self, number: u64) -> String {
        format!("{}-{}-{number}.seg", self.lo, self.hi)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION as u8, u8::from(self.day.is_some())];
        out.extend(self.day.unwrap_or(0).to_le_bytes());
        for number in [self.lo, self.hi, self.samples, self.bytes] {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.min_ms.to_le_bytes());
        out.extend(self.max_ms.to_le_bytes());
        out
    }

    pub(crate) fn decode(rest: &mut Bytes<'_>) -> Option<Self> {
        (u64::from(rest.u8()?) == VERSION).then_some(())?;
        let has_day = rest.u8()? != 0;
        let day = i32::from_le_bytes(rest.array()?);
        let (lo, hi, samples, bytes) = (rest.u64()?, rest.u64()?, rest.u64()?, rest.u64()?);
        let (min_ms, max_ms) = (rest.i64()?, rest.i64()?);
        Some(Self { lo, hi, day: has_day.then_some(day), min_ms, max_ms, samples, bytes })
    }
}

/// The generations that a segment's file name tells; `None`: not a segment's name.
pub(crate) fn generations_of(file_name: &str) -> Option<(u64, u64)> {
    let mut parts = file_name.strip_suffix(".seg")?.split('-');
    let (lo, hi) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let _number: u64 = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((lo, hi))
}

impl Catalog {
    pub(crate) fn new(disk: Arc<dyn Disk>, path: PathBuf, cache_bytes: usize) -> Self {
        Self { disk, path, cache_bytes, database: None, state: CatalogState::default(), next_number: 0 }
    }

    /// Opens the file where it is not open and reads all of it: after an error what is there counts.
    pub(crate) fn ready(&mut self) -> Result<&CatalogState, FileError> {
        if self.database.is_none() {
            make_durable(&*self.disk, &self.path)?;
            let database = open_database(&*self.disk, &self.path, true, self.cache_bytes)?;
            let read = database.begin_read().map_err(FileError::database("begin to read", &self.path))?;
            self.state = self.load(&read)?;
            drop(read);
            self.database = Some(database);
        }
        Ok(&self.state)
    }

    pub(crate) fn state(&self) -> &CatalogState {
        &self.state
    }

    /// A number for a new segment. The next commit remembers that it was given out.
    pub(crate) fn take_number(&mut self) -> u64 {
        let number = self.next_number.max(self.state.next_segment);
        self.next_number = number + 1;
        number
    }

    /// Makes this the catalog, in one durable transaction. After an error it is unknown which of the two it is.
    pub(crate) fn commit(&mut self, next: CatalogState) -> Result<(), FileError> {
        self.commit_with(next, &Fold::default())
    }

    /// The same, with what a flush says of positions in the same transaction.
    pub(crate) fn commit_with(&mut self, mut next: CatalogState, fold: &Fold) -> Result<(), FileError> {
        self.ready()?;
        next.next_segment = next.next_segment.max(self.next_number);
        let Some(database) = &self.database else { return Ok(()) };
        let written = self.write(database, &next, fold);
        match written {
            Ok(()) => self.state = next,
            Err(_) => self.database = None,
        }
        written
    }

    /// Closes the file, lets `work` read it, and opens it again: nothing is written to it meanwhile, and it is whole by itself.
    pub(crate) fn at_rest<T>(&mut self, work: impl FnOnce(&Path) -> Result<T, FileError>) -> Result<T, FileError> {
        self.ready()?;
        if let Some(database) = self.database.take() {
            let closed = database.close().map_err(|source| DatabaseOpenError::Database {
                path: self.path.display().to_string(),
                source: Box::new(source),
            });
            closed.map_err(FileError::Open)?;
        }
        let done = work(&self.path);
        self.ready()?;
        done
    }

    /// All positions of log sources.
    pub(crate) fn positions(&mut self) -> Result<Layer, FileError> {
        self.ready()?;
        let Some(database) = &self.database else { return Ok(Layer::default()) };
        Layer::load(&database.begin_read().map_err(FileError::database("begin to read", &self.path))?, &self.path)
    }

    fn write(&self, database: &Database, next: &CatalogState, fold: &Fold) -> Result<(), FileError> {
        let path = &self.path;
        let mut transaction = database.begin_write().map_err(FileError::database("begin a transaction", path))?;
        transaction.set_quick_repair(true);
        self.write_meta(&transaction, next)?;
        {
            let before = &self.state;
            let rows = changes(&before.segments, &next.segments);
            let mut table =
                transaction.open_table(SEGMENTS).map_err(FileError::database("open table segments", path))?;
            for (number, row) in rows {
                let done = match row {
                    Some(row) => table.insert(number, row.encode().as_slice()).map(drop),
                    None => table.remove(number).map(drop),
                };
                done.map_err(FileError::database("write table segments", path))?;
            }
            let rows = changes(&before.quarantined, &next.quarantined);
            let mut table =
                transaction.open_table(QUARANTINED).map_err(FileError::database("open table quarantined", path))?;
            for (number, row) in rows {
                let done = match row {
                    Some((row, why)) => {
                        let mut bytes = row.encode();
                        bytes.extend_from_slice(why.as_bytes());
                        table.insert(number, bytes.as_slice()).map(drop)
                    }
                    None => table.remove(number).map(drop),
                };
                done.map_err(FileError::database("write table quarantined", path))?;
            }
            let mut table = transaction.open_table(DROPPED).map_err(FileError::database("open table dropped", path))?;
            for name in next.dropped.difference(&before.dropped) {
                table.insert(name.as_str(), ()).map_err(FileError::database("write table dropped", path))?;
            }
            for name in before.dropped.difference(&next.dropped) {
                table.remove(name.as_str()).map_err(FileError::database("write table dropped", path))?;
            }
        }
        next.logs.write(&transaction, &self.state.logs, path)?;
        fold.write(&transaction, path)?;
        transaction.commit().map_err(FileError::database("commit", path))
    }

    fn write_meta(&self, transaction: &WriteTransaction, next: &CatalogState) -> Result<(), FileError> {
        let mut table = transaction.open_table(META).map_err(FileError::database("open table meta", &self.path))?;
        let mut halves = Bytes(&next.store_id);
        let rows = [
            ("version", VERSION),
            ("store_id_high", halves.u64().unwrap_or_default()),
            ("store_id_low", halves.u64().unwrap_or_default()),
            ("incarnation", next.incarnation),
            ("flushed_through", next.flushed_through),
            ("next_segment", next.next_segment),
        ];
        for (key, value) in rows {
            table.insert(key, value).map_err(FileError::database("write table meta", &self.path))?;
        }
        Ok(())
    }

    /// Everything in the file but positions.
    pub(crate) fn load(&self, read: &ReadTransaction) -> Result<CatalogState, FileError> {
        let path = &self.path;
        let mut state = CatalogState { next_segment: 1, ..CatalogState::default() };
        let meta = match read.open_table(META) {
            Ok(table) => table,
            // A new file.
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(state),
            Err(error) => return Err(FileError::database("open table meta", path)(error)),
        };
        let get = |key| -> Result<u64, FileError> {
            let row = meta.get(key).map_err(FileError::database("read table meta", path))?;
            Ok(row.map_or(0, |row| row.value()))
        };
        let version = get("version")?;
        if version != VERSION {
            let found = u16::try_from(version).unwrap_or(u16::MAX);
            return Err(FileError::Version { path: path.display().to_string(), found, known: VERSION as u16 });
        }
        state.store_id[..8].copy_from_slice(&get("store_id_high")?.to_le_bytes());
        state.store_id[8..].copy_from_slice(&get("store_id_low")?.to_le_bytes());
        state.incarnation = get("incarnation")?;
        state.flushed_through = get("flushed_through")?;
        state.next_segment = get("next_segment")?;
        let damaged = || FileError::damaged(path, "a row of a segment has the wrong length");
        let table = read.open_table(SEGMENTS).map_err(FileError::database("open table segments", path))?;
        for row in table.iter().map_err(FileError::database("read table segments", path))? {
            let (number, row) = row.map_err(FileError::database("read table segments", path))?;
            let row = SegmentRow::decode(&mut Bytes(row.value())).ok_or_else(damaged)?;
            state.segments.insert(number.value(), row);
        }
        let table = read.open_table(QUARANTINED).map_err(FileError::database("open table quarantined", path))?;
        for row in table.iter().map_err(FileError::database("read table quarantined", path))? {
            let (number, row) = row.map_err(FileError::database("read table quarantined", path))?;
            let mut rest = Bytes(row.value());
            let row = SegmentRow::decode(&mut rest).ok_or_else(damaged)?;
            state.quarantined.insert(number.value(), (row, String::from_utf8_lossy(rest.0).into_owned()));
        }
        let table = read.open_table(DROPPED).map_err(FileError::database("open table dropped", path))?;
        for row in table.iter().map_err(FileError::database("read table dropped", path))? {
            let (name, ()) =
                row.map(|(name, _)| (name, ())).map_err(FileError::database("read table dropped", path))?;
            state.dropped.insert(name.value().to_owned());
        }
        state.logs = LogsState::load(read, path)?;
        Ok(state)
    }
}

/// Rows to write (`Some`) and to remove (`None`).
pub(crate) fn changes<'a, V: PartialEq>(
    before: &'a BTreeMap<u64, V>,
    next: &'a BTreeMap<u64, V>,
) -> Vec<(u64, Option<&'a V>)> {
    let gone = before.keys().filter(|number| !next.contains_key(number)).map(|&number| (number, None));
    let new = next.iter().filter(|(number, row)| before.get(number) != Some(row));
    gone.chain(new.map(|(&number, row)| (number, Some(row)))).collect()
}

impl CatalogState {
    /// Takes a segment out: its file is to go.
    pub(crate) fn drop_segment(&mut self, number: u64) {
        let row = self.segments.remove(&number).or_else(|| self.quarantined.remove(&number).map(|(row, _)| row));
        if let Some(row) = row {
            self.dropped.insert(row.file_name(number));
        }
    }

    /// Keeps the file but reads it no more.
    pub(crate) fn quarantine(&mut self, number: u64, why: &str) {
        if let Some(row) = self.segments.remove(&number) {
            self.quarantined.insert(number, (row, why.to_owned()));
        }
        self.logs.quarantine(number, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_tell_their_generations() {
        let row = SegmentRow { lo: 3, hi: 12, day: Some(-4), min_ms: -9, max_ms: 7, samples: 5, bytes: 6 };
        assert_eq!(generations_of(&row.file_name(77)), Some((3, 12)));
        for name in ["x.seg", "1-2.seg", "1-2-3-4.seg", "1-2-3", "-1-2-3.seg"] {
            assert_eq!(generations_of(name), None, "{name}");
        }
        assert_eq!(SegmentRow::decode(&mut Bytes(&row.encode())), Some(row));
    }
}
