//! How far each log source is committed (rules 11 and 15): judged in the transaction of the data, kept in the table of its
//! generation, folded into `catalog.redb` by the flush.
//!
//! All of them are in memory too, about 150 B a source: what decides is a look-up, and hello is a walk over one host's. The
//! layers are those of the files: the catalog's rows, then one layer for each generation that is not flushed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::SourceId;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};

use super::{Inbox, file};
use crate::append::{Append, Record, Source};
use crate::bytes::Bytes;
use crate::database::open_database;
use crate::error::{CommitError, FileError};
use crate::logs::record::{PositionRow, RangeRecord};
use crate::shared::Shared;

/// host, source -> [`Place`]; a host alone -> nothing: older layers' rows of it are void. The same in inbox files and catalog.
pub(crate) const POSITIONS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("positions");

/// How long a position stays when its source is gone (rule 15).
const GONE_AGE: Duration = Duration::from_secs(7 * 86_400);

/// Bytes of a place: offset, tail hash, arrival, flags.
const PLACE_BYTES: usize = 25;
const GONE: u8 = 1;

pub(crate) type Key = Box<[u8]>;

/// Where a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    offset: u64,
    tail_hash: u64,
    arrived_ms: i64,
    gone: bool,
}

/// What one generation says of positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layer {
    rows: BTreeMap<Key, Place>,
    /// Hosts whose rows of older layers are void.
    forgotten: BTreeSet<HostId>,
}

/// The layers below the active one.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// What the catalog holds.
    base: Layer,
    /// By generation.
    sealed: BTreeMap<u64, Layer>,
    /// Rows of `base` that go with the flush of this generation.
    expiring: Option<(u64, BTreeSet<Key>)>,
}

/// What a flush writes into the catalog.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    layer: Layer,
    expired: BTreeSet<Key>,
}

/// All layers, the active one and what the transaction has taken so far included.
pub(crate) struct Layers<'a> {
    pub(crate) active: &'a Layer,
    pub(crate) below: &'a Positions,
}

/// What the range at this place of an append's records loses, which nobody can tell later: the position moves over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) record: usize,
    pub(crate) bytes: u64,
    /// When the source was committed last, milliseconds; 0: never.
    pub(crate) from_ms: i64,
}

/// Rows that a transaction sets.
pub(crate) type Moved = BTreeMap<Key, Place>;

fn key(host: HostId, source: &SourceId) -> Key {
    let mut key = Vec::with_capacity(46 + source.path.len());
    key.extend(host.0);
    for number in [source.device, source.inode, source.fingerprint] {
        key.extend(number.to_le_bytes());
    }
    key.extend(source.fingerprint_bytes.to_le_bytes());
    key.extend(source.incarnation.to_le_bytes());
    key.extend_from_slice(source.path.as_bytes());
    key.into_boxed_slice()
}

fn source_of(key: &[u8]) -> Option<SourceId> {
    let mut rest = Bytes(key.get(16..)?);
    Some(SourceId {
        device: rest.u64()?,
        inode: rest.u64()?,
        fingerprint: rest.u64()?,
        fingerprint_bytes: rest.u16()?,
        incarnation: rest.u32()?,
        path: String::from_utf8(rest.0.to_vec()).ok()?,
    })
}

impl Place {
    fn encode(&self) -> [u8; PLACE_BYTES] {
        let mut bytes = [0; PLACE_BYTES];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.tail_hash.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.arrived_ms.to_le_bytes());
        bytes[24] = if self.gone { GONE } else { 0 };
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        let place =
            Self { offset: rest.u64()?, tail_hash: rest.u64()?, arrived_ms: rest.i64()?, gone: rest.u8()? & GONE != 0 };
        rest.is_empty().then_some(place)
    }

    fn row(&self, key: &[u8]) -> Option<PositionRow> {
        let Self { offset, tail_hash, arrived_ms, .. } = *self;
        Some(PositionRow { source: source_of(key)?, offset, tail_hash, arrived_ms })
    }
}

/// Whether a range may follow this position.
fn continues(committed: Option<u64>, range: &RangeRecord) -> bool {
    match committed {
        None => true,
        Some(offset) => range.from == offset || (range.from > offset && !range.skipped.is_empty()),
    }
}

impl Layers<'_> {
    fn find(&self, key: &[u8]) -> Option<Place> {
        let host = host_of(key)?;
        for layer in std::iter::once(self.active).chain(self.below.sealed.values().rev()) {
            if let Some(place) = layer.rows.get(key) {
                return Some(*place);
            }
            if layer.forgotten.contains(&host) {
                return None;
            }
        }
        self.below.base.rows.get(key).copied()
    }

    /// Judges the ranges of a batch, one after the other, and notes in `moved` where they lead. Gives what they lose, in their order.
    ///
    /// # Errors
    /// The committed positions of the batch's sources, where one of its ranges does not continue its source's.
    pub(crate) fn judge(
        &self,
        append: &Append,
        now: Timestamp,
        moved: &mut Moved,
    ) -> Result<Vec<Lost>, Vec<PositionRow>> {
        let Source::Batch { host, .. } = append.source else { return Ok(Vec::new()) };
        let ranges = append.records.iter().enumerate().filter_map(|(record, one)| match one {
            Record::Range(range) => Some((record, range)),
            _ => None,
        });
        let (mut own, mut lost) = (Moved::new(), Vec::new());
        for (record, range) in ranges.clone() {
            let key = key(host, &range.source);
            let committed = own.get(&key).or_else(|| moved.get(&key)).copied().or_else(|| self.find(&key));
            if !continues(committed.map(|place| place.offset), range) {
                let keys: BTreeSet<Key> = ranges.map(|(_, range)| self::key(host, &range.source)).collect();
                let row = |key: Key| moved.get(&key).copied().or_else(|| self.find(&key))?.row(&key);
                return Err(keys.into_iter().filter_map(row).collect());
            }
            let (position, from_ms) = committed.map_or((0, 0), |place| (place.offset, place.arrived_ms));
            if !range.skipped.is_empty() && range.from > position {
                // A commit under way when this arrived has a later time.
                let from_ms = from_ms.min(append.arrived.millis());
                lost.push(Lost { record, bytes: range.from - position, from_ms });
            }
            let RangeRecord { to: offset, tail_hash, gone, .. } = *range;
            own.insert(key, Place { offset, tail_hash, arrived_ms: now.millis(), gone });
        }
        moved.extend(own);
        Ok(lost)
    }

    /// The positions of a host.
    fn of_host(&self, host: HostId) -> Vec<PositionRow> {
        let mut rows: BTreeMap<&Key, Place> = BTreeMap::new();
        let layers = std::iter::once(&self.below.base).chain(self.below.sealed.values());
        for layer in layers.chain(std::iter::once(self.active)) {
            if layer.forgotten.contains(&host) {
                rows.clear();
            }
            rows.extend(layer.of_host(host));
        }
        rows.into_iter().filter_map(|(key, place)| place.row(key)).collect()
    }
}

impl Layer {
    fn of_host(&self, host: HostId) -> impl Iterator<Item = (&Key, Place)> {
        let from: Key = host.0.into();
        let rows = self.rows.range(from..).take_while(move |(key, _)| key.starts_with(&host.0));
        rows.map(|(key, place)| (key, *place))
    }

    pub(crate) fn take(&mut self, moved: Moved) {
        self.rows.extend(moved);
    }

    fn forget(&mut self, host: HostId) {
        self.rows.retain(|key, _| !key.starts_with(&host.0));
        self.forgotten.insert(host);
    }

    /// Puts a later layer over this one, which has none below it.
    fn fold(&mut self, later: Self) {
        for host in &later.forgotten {
            self.rows.retain(|key, _| !key.starts_with(&host.0));
        }
        self.rows.extend(later.rows);
    }

    /// What table `positions` of a file says; a file without it says nothing.
    pub(crate) fn load(read: &ReadTransaction, path: &Path) -> Result<Self, FileError> {
        let mut layer = Self::default();
        let table = match read.open_table(POSITIONS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(layer),
            Err(error) => return Err(FileError::database("open table positions", path)(error)),
        };
        let damaged = || FileError::damaged(path, "a row of table positions has the wrong length");
        for row in table.iter().map_err(FileError::database("read positions", path))? {
            let (key, value) = row.map_err(FileError::database("read positions", path))?;
            if key.value().len() == 16 {
                layer.forgotten.extend(host_of(key.value()));
            } else {
                let place = Place::decode(value.value()).ok_or_else(damaged)?;
                source_of(key.value()).ok_or_else(damaged)?;
                layer.rows.insert(key.value().into(), place);
            }
        }
        Ok(layer)
    }
}

fn host_of(key: &[u8]) -> Option<HostId> {
    key.first_chunk::<16>().map(|host| HostId(*host))
}

impl Positions {
    pub(crate) fn new(base: Layer) -> Self {
        Self { base, ..Self::default() }
    }

    /// Reads what a sealed file that is not flushed says.
    pub(crate) fn load_sealed(&mut self, shared: &Shared, generation: u64) -> Result<(), FileError> {
        let path = file::path(&shared.inbox_folder, generation);
        let database = open_database(&*shared.disk, &path, false, shared.config.inbox_cache_bytes)?;
        let layer = Layer::load(&file::begin_read(&database, &path)?, &path)?;
        self.seal(generation, layer);
        Ok(())
    }

    /// The active layer is that of a sealed file from now on.
    pub(crate) fn seal(&mut self, generation: u64, layer: Layer) {
        self.sealed.insert(generation, layer);
    }

    /// What the flush of this generation is to write, and what goes with it for its age.
    pub(crate) fn fold_of(&mut self, generation: u64, now: Timestamp) -> Fold {
        let layer = self.sealed.get(&generation).cloned().unwrap_or_default();
        let is_old = |place: &Place| place.gone && now.since(Timestamp::from_millis(place.arrived_ms)) > GONE_AGE;
        let old = self.base.rows.iter().filter(|(_, place)| is_old(place));
        let expired: BTreeSet<Key> = old.map(|(key, _)| key.clone()).collect();
        self.expiring = Some((generation, expired.clone()));
        Fold { layer, expired }
    }

    /// The catalog holds these generations now.
    pub(crate) fn flushed_through(&mut self, generation: u64) {
        if let Some((_, expired)) = self.expiring.take_if(|(of, _)| *of <= generation) {
            self.base.rows.retain(|key, _| !expired.contains(key));
        }
        while let Some(entry) = self.sealed.first_entry().filter(|entry| *entry.key() <= generation) {
            let layer = entry.remove();
            self.base.fold(layer);
        }
    }

    /// Sources known to the catalog.
    pub(crate) fn len(&self) -> usize {
        self.base.rows.len()
    }
}

impl Fold {
    /// Writes it into the catalog's table.
    pub(crate) fn write(&self, transaction: &WriteTransaction, path: &Path) -> Result<(), FileError> {
        let mut table = open_table(transaction, path)?;
        for key in &self.expired {
            table.remove(&**key).map_err(FileError::database("remove a position", path))?;
        }
        for host in &self.layer.forgotten {
            remove_host(&mut table, *host, path)?;
        }
        insert(&mut table, &self.layer.rows, path)
    }
}

type PositionTable<'t> = Table<'t, &'static [u8], &'static [u8]>;

pub(crate) fn open_table<'t>(transaction: &'t WriteTransaction, path: &Path) -> Result<PositionTable<'t>, FileError> {
    transaction.open_table(POSITIONS).map_err(FileError::database("open table positions", path))
}

/// Writes the rows that a commit moved.
pub(crate) fn write(transaction: &WriteTransaction, moved: &Moved, path: &Path) -> Result<(), FileError> {
    if moved.is_empty() {
        return Ok(());
    }
    insert(&mut open_table(transaction, path)?, moved, path)
}

fn insert(table: &mut PositionTable<'_>, rows: &Moved, path: &Path) -> Result<(), FileError> {
    for (key, place) in rows {
        table.insert(&**key, place.encode().as_slice()).map_err(FileError::database("write a position", path))?;
    }
    Ok(())
}

fn remove_host(table: &mut PositionTable<'_>, host: HostId, path: &Path) -> Result<(), FileError> {
    // No source's key has a byte at or above 0xff after the host in all of 40 places: paths are UTF-8.
    let (first, mut last) = (host.0.to_vec(), host.0.to_vec());
    last.extend([0xff; 40]);
    let whole = first.as_slice()..=last.as_slice();
    table.retain_in(whole, |_, _| false).map_err(FileError::database("remove positions", path))
}

/// In the transaction that forgets a host: its rows go, and a row says that those of older layers are void.
pub(crate) fn forget(transaction: &WriteTransaction, host: HostId, path: &Path) -> Result<(), FileError> {
    let mut table = open_table(transaction, path)?;
    remove_host(&mut table, host, path)?;
    table.insert(host.0.as_slice(), [].as_slice()).map_err(FileError::database("write a position", path))?;
    Ok(())
}

impl Inbox {
    pub(crate) fn layers(&self) -> Layers<'_> {
        Layers { active: &self.active.positions, below: &self.positions }
    }

    /// The positions of a host, for hello.
    pub(crate) fn positions_of(&mut self, host: HostId) -> Result<Vec<PositionRow>, CommitError> {
        self.ready()?;
        Ok(self.layers().of_host(host))
    }

    /// After the commit that forgot a host.
    pub(crate) fn forgot_positions(&mut self, host: HostId) {
        self.active.positions.forget(host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(inode: u64) -> SourceId {
        let path = "/var/log/a".to_owned();
        SourceId { device: 1, inode, fingerprint: 2, fingerprint_bytes: 64, incarnation: 0, path }
    }

    fn range(from: u64, skipped: &str) -> RangeRecord {
        RangeRecord { source: source(1), from, to: from + 10, skipped: skipped.into(), tail_hash: 0, gone: false }
    }

    #[test]
    fn a_range_opens_a_source_continues_it_or_names_what_it_skips() {
        assert!(continues(None, &range(0, "")) && continues(None, &range(77, "")));
        assert!(continues(Some(50), &range(50, "")) && continues(Some(50), &range(60, "rotated away")));
        assert!(!continues(Some(50), &range(60, "")) && !continues(Some(50), &range(40, "rotated away")));
    }

    #[test]
    fn later_layers_win_and_a_forgotten_host_has_nothing_of_older_ones() {
        let (a, b) = (HostId([1; 16]), HostId([2; 16]));
        let place = |offset| Place { offset, tail_hash: 0, arrived_ms: 5, gone: false };
        let mut positions = Positions::default();
        let mut base = Layer::default();
        base.rows.extend([(key(a, &source(1)), place(1)), (key(a, &source(2)), place(2))]);
        base.rows.extend([(key(b, &source(1)), place(3))]);
        positions.base = base;
        let mut layer = Layer::default();
        layer.rows.insert(key(a, &source(1)), place(4));
        positions.seal(1, layer);
        let mut active = Layer::default();
        let offsets = |active: &Layer, positions: &Positions, host| {
            let layers = Layers { active, below: positions };
            let rows = layers.of_host(host);
            let found = |row: &PositionRow| layers.find(&key(host, &row.source)).unwrap().offset == row.offset;
            assert!(rows.iter().all(found));
            rows.iter().map(|row| row.offset).collect::<Vec<_>>()
        };
        assert_eq!(offsets(&active, &positions, a), [4, 2]);
        active.forget(a);
        assert_eq!((offsets(&active, &positions, a), offsets(&active, &positions, b)), (vec![], vec![3]));
        active.rows.insert(key(a, &source(9)), place(7));
        positions.flushed_through(1);
        assert_eq!((positions.len(), offsets(&active, &positions, a)), (3, vec![7]));
        positions.seal(2, active);
        positions.flushed_through(2);
        assert_eq!((positions.len(), offsets(&Layer::default(), &positions, a)), (2, vec![7]));
    }

    #[test]
    fn positions_of_sources_that_are_gone_go_after_a_week() {
        let host = HostId([1; 16]);
        let mut positions = Positions::default();
        let place = |gone| Place { offset: 1, tail_hash: 0, arrived_ms: 0, gone };
        positions.base.rows.extend([(key(host, &source(1)), place(true)), (key(host, &source(2)), place(false))]);
        let at = |days: u64| Timestamp::from_millis(0).plus(Duration::from_secs(days * 86_400));
        assert_eq!(positions.fold_of(1, at(7)).expired.len(), 0);
        assert_eq!(positions.fold_of(2, at(8)).expired, [key(host, &source(1))].into());
        positions.flushed_through(1);
        assert_eq!(positions.len(), 2, "its flush is not committed");
        positions.flushed_through(2);
        assert_eq!(positions.len(), 1);
        assert_eq!(source_of(&key(host, &source(2))), Some(source(2)));
    }
}
