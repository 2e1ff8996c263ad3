//! Inbox files on disk: their names, how a new one is made, and how one is read back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, WriteTransaction};

use super::pieces::{Joined, Joiner};
use super::positions;
use super::repeats::is_live;
use super::tables::{CLOSED, ENTRIES, FLOORS, LaneRow, MARKS, META, REPEATS, SERIES, VERSION};
use crate::append::OWN_HOST;
use crate::bytes::{Bytes, Squeezer, expand, put_varint};
use crate::database::create_database;
use crate::error::FileError;
use crate::planted::{Planted, is_planted};
use crate::shared::Shared;
use crate::table::TableSeries;

/// Plain bytes of one block of the series table: below the page trap even where nothing compresses.
const SERIES_BLOCK_BYTES: usize = 250_000;

pub(crate) fn path(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("{generation}.redb"))
}

/// Generations of the inbox files in the folder, rising.
pub(crate) fn generations(shared: &Shared) -> Result<Vec<u64>, FileError> {
    let folder = &shared.inbox_folder;
    let names = shared.disk.list(folder).map_err(FileError::disk("list", folder))?;
    let mut found: Vec<u64> = names.iter().filter_map(|name| name.strip_suffix(".redb")?.parse().ok()).collect();
    found.sort_unstable();
    Ok(found)
}

/// Makes the file of a generation: a copy of marks, floors and live repeat rows of the one before, and nothing else.
pub(crate) fn create(
    shared: &Shared,
    generation: u64,
    before: Option<&Database>,
    now: Timestamp,
) -> Result<(), FileError> {
    let path = path(&shared.inbox_folder, generation);
    let cache_bytes = shared.config.inbox_cache_bytes;
    let sync_folder = !is_planted(&shared.config, Planted::NoSyncDir);
    create_database(&*shared.disk, &path, cache_bytes, sync_folder, |database| {
        let transaction = database.begin_write().map_err(FileError::database("begin a transaction", &path))?;
        fill(shared, &transaction, generation, before, now, &path)?;
        transaction.commit().map_err(FileError::database("commit", &path))
    })
}

fn fill(
    shared: &Shared,
    transaction: &WriteTransaction,
    generation: u64,
    before: Option<&Database>,
    now: Timestamp,
    path: &Path,
) -> Result<(), FileError> {
    let mut meta = transaction.open_table(META).map_err(FileError::database("open table meta", path))?;
    for (key, value) in [("version", VERSION), ("generation", generation)] {
        meta.insert(key, value).map_err(FileError::database("write table meta", path))?;
    }
    // Every table exists from the first commit on, so that readers need not ask.
    let mut marks = transaction.open_table(MARKS).map_err(FileError::database("open table marks", path))?;
    let mut floors = transaction.open_table(FLOORS).map_err(FileError::database("open table floors", path))?;
    let mut repeats = transaction.open_table(REPEATS).map_err(FileError::database("open table repeats", path))?;
    positions::open_table(transaction, path)?;
    transaction.open_table(SERIES).map_err(FileError::database("open table series", path))?;
    transaction.open_table(ENTRIES).map_err(FileError::database("open table entries", path))?;
    let Some(before) = before else { return Ok(()) };
    let old = begin_read(before, path)?;
    let rows = old.open_table(MARKS).map_err(FileError::database("open table marks", path))?;
    for row in rows.iter().map_err(FileError::database("read marks", path))? {
        let (key, value) = row.map_err(FileError::database("read marks", path))?;
        if !is_old_run(key.value(), value.value(), now, shared.config.epoch_age) {
            marks.insert(key.value(), value.value()).map_err(FileError::database("write a mark", path))?;
        }
    }
    let rows = old.open_table(FLOORS).map_err(FileError::database("open table floors", path))?;
    for row in rows.iter().map_err(FileError::database("read floors", path))? {
        let (key, value) = row.map_err(FileError::database("read floors", path))?;
        floors.insert(key.value(), value.value()).map_err(FileError::database("write a floor", path))?;
    }
    if is_planted(&shared.config, Planted::RepeatRowsNotCarried) {
        return Ok(());
    }
    let rows = old.open_table(REPEATS).map_err(FileError::database("open table repeats", path))?;
    for row in rows.iter().map_err(FileError::database("read repeat rows", path))? {
        let (key, value) = row.map_err(FileError::database("read repeat rows", path))?;
        if is_live(value.value().0, now, shared.config.repeat_age) {
            repeats.insert(key.value(), value.value()).map_err(FileError::database("write a repeat row", path))?;
        }
    }
    Ok(())
}

/// The collector's own runs say no hello: their marks go when nothing has arrived on them for as long as closed epochs stay.
fn is_old_run(key: &[u8], value: &[u8], now: Timestamp, age: std::time::Duration) -> bool {
    let own = key.starts_with(&OWN_HOST.0) && key.last() != Some(&CLOSED);
    own && LaneRow::decode(value).is_some_and(|row| now.since(Timestamp::from_millis(row.arrived_ms)) > age)
}

pub(crate) fn begin_read(database: &Database, path: &Path) -> Result<ReadTransaction, FileError> {
    database.begin_read().map_err(FileError::database("begin to read", path))
}

/// Refuses a file of a later version.
pub(crate) fn check_version(read: &ReadTransaction, path: &Path) -> Result<(), FileError> {
    let meta = read.open_table(META).map_err(FileError::database("open table meta", path))?;
    let version = meta.get("version").map_err(FileError::database("read table meta", path))?;
    let found = version.map_or(0, |version| version.value());
    if found == 0 || found > VERSION {
        let found = u16::try_from(found).unwrap_or(u16::MAX);
        return Err(FileError::Version { path: path.display().to_string(), found, known: VERSION as u16 });
    }
    Ok(())
}

/// The repeat rows: body and arrival.
pub(crate) fn read_repeats(read: &ReadTransaction, path: &Path) -> Result<Vec<(u128, i64)>, FileError> {
    let table = read.open_table(REPEATS).map_err(FileError::database("open table repeats", path))?;
    let mut rows = Vec::new();
    for row in table.iter().map_err(FileError::database("read repeat rows", path))? {
        let (key, value) = row.map_err(FileError::database("read repeat rows", path))?;
        rows.push((u128::from_le_bytes(*key.value()), value.value().0));
    }
    Ok(rows)
}

/// Calls `each` with every series of the blocks from this number on. Answers the number after the last block, and how many
/// blocks are damaged: their series are not known, so samples of them are lost.
pub(crate) fn read_series(
    read: &ReadTransaction,
    from: u32,
    path: &Path,
    each: &mut dyn FnMut(u32, TableSeries),
) -> Result<(u32, u64), FileError> {
    let table = read.open_table(SERIES).map_err(FileError::database("open table series", path))?;
    let (mut next, mut damaged) = (from, 0);
    for row in table.range(from..).map_err(FileError::database("read series", path))? {
        let (key, value) = row.map_err(FileError::database("read series", path))?;
        damaged += u64::from(decode_series(key.value(), value.value(), each).is_none());
        next = key.value() + 1;
    }
    Ok((next, damaged))
}

/// What reading the entries of a file came to.
#[derive(Debug, Default)]
pub(crate) struct EntriesRead {
    pub(crate) next_piece: u64,
    pub(crate) bytes: u64,
    /// Pieces that failed their checksum.
    pub(crate) damaged: u64,
}

/// Calls `each` with every whole blob from this piece on.
pub(crate) fn read_blobs(
    read: &ReadTransaction,
    from: u64,
    path: &Path,
    each: &mut dyn FnMut(&[u8]) -> Option<()>,
) -> Result<EntriesRead, FileError> {
    let table: ReadOnlyTable<u64, &[u8]> =
        read.open_table(ENTRIES).map_err(FileError::database("open table entries", path))?;
    let mut out = EntriesRead { next_piece: from, ..EntriesRead::default() };
    let mut joiner = Joiner::default();
    for row in table.range(from..).map_err(FileError::database("read entries", path))? {
        let (key, value) = row.map_err(FileError::database("read entries", path))?;
        out.next_piece = key.value() + 1;
        out.bytes += value.value().len() as u64;
        match joiner.push(key.value(), value.value()) {
            Joined::Part | Joined::Skipped => {}
            Joined::Damaged => out.damaged += 1,
            Joined::Blob(blob) => out.damaged += u64::from(each(&blob).is_none()),
            Joined::Newer(version) => {
                let (path, found) = (path.display().to_string(), u16::from(version));
                return Err(FileError::Version { path, found, known: VERSION as u16 });
            }
        }
    }
    Ok(out)
}

/// The hosts that have a mark or a floor, by id.
pub(crate) fn marked_hosts(read: &ReadTransaction, path: &Path) -> Result<Vec<HostId>, FileError> {
    let marks = read.open_table(MARKS).map_err(FileError::database("open table marks", path))?;
    let floors = read.open_table(FLOORS).map_err(FileError::database("open table floors", path))?;
    let mut hosts = BTreeSet::new();
    for row in marks.iter().map_err(FileError::database("read marks", path))? {
        let (key, _) = row.map_err(FileError::database("read marks", path))?;
        hosts.extend(key.value().first_chunk().map(|host| HostId(*host)));
    }
    for row in floors.iter().map_err(FileError::database("read floors", path))? {
        let (host, _) = row.map_err(FileError::database("read floors", path))?;
        hosts.insert(HostId(*host.value()));
    }
    Ok(hosts.into_iter().collect())
}

/// Blocks of the series table: version, crc, plain length, then zstd of (slot as difference, kind, length, canonical bytes).
pub(crate) fn encode_series<'a>(
    first_block: u32,
    series: impl Iterator<Item = (u32, &'a LabelSet, MetricKind)>,
    squeezer: &mut Squeezer,
) -> std::io::Result<Vec<Vec<u8>>> {
    let (mut blocks, mut plain, mut last) = (Vec::new(), Vec::new(), 0);
    let mut series = series.peekable();
    while let Some((slot, labels, kind)) = series.next() {
        // Slots may be in any order: the difference wraps.
        put_varint(&mut plain, u64::from(slot.wrapping_sub(last)));
        last = slot;
        plain.push(kind as u8);
        put_varint(&mut plain, labels.canonical().len() as u64);
        plain.extend_from_slice(labels.canonical());
        if plain.len() >= SERIES_BLOCK_BYTES - 10_000 || series.peek().is_none() {
            let mut body = u32::try_from(plain.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
            squeezer.squeeze(&plain, &mut body)?;
            let mut block = vec![VERSION as u8];
            block.extend(series_checksum(first_block + blocks.len() as u32, &body).to_le_bytes());
            block.append(&mut body);
            blocks.push(block);
            plain.clear();
            last = 0;
        }
    }
    Ok(blocks)
}

fn series_checksum(block: u32, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block.to_le_bytes()), body)
}

pub(crate) fn decode_series(block: u32, value: &[u8], each: &mut dyn FnMut(u32, TableSeries)) -> Option<()> {
    let mut rest = Bytes(value);
    let (version, crc) = (rest.u8()?, rest.u32()?);
    if u64::from(version) != VERSION || series_checksum(block, rest.0) != crc {
        return None;
    }
    let length = rest.u32()? as usize;
    let plain = expand(rest.0, length)?;
    let (mut rest, mut slot) = (Bytes(&plain), 0u32);
    while !rest.is_empty() {
        slot = slot.wrapping_add(rest.varint_u32()?);
        let kind = MetricKind::from_u8(rest.u8()?);
        let length = rest.count()?;
        let labels = Arc::new(LabelSet::from_canonical(rest.take(length)?).ok()?);
        each(slot, TableSeries { id: labels.id(), labels, kind });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_blocks_read_back_and_a_flipped_bit_is_found() {
        let sets: Vec<LabelSet> = (0..5000)
            .map(|i| LabelSet::new([("__name__", format!("m{i}")), ("host", "x".repeat(80))]).unwrap())
            .collect();
        let rows = sets.iter().enumerate().map(|(i, set)| (9_000 - i as u32, set, MetricKind::Gauge));
        let blocks = encode_series(3, rows, &mut Squeezer::new().unwrap()).unwrap();
        assert!(blocks.len() > 1);
        let mut read = Vec::new();
        for (i, block) in blocks.iter().enumerate() {
            decode_series(3 + i as u32, block, &mut |slot, series| read.push((slot, series))).unwrap();
            assert!(decode_series(4 + i as u32, block, &mut |_, _| {}).is_none(), "under another number");
            let mut damaged = block.clone();
            damaged[block.len() / 2] ^= 4;
            assert!(decode_series(3 + i as u32, &damaged, &mut |_, _| {}).is_none());
        }
        assert_eq!(read.len(), sets.len());
        assert!(read.iter().zip(&sets).enumerate().all(|(i, ((slot, series), set))| {
            *slot == 9_000 - i as u32 && *series.labels == *set && series.kind == MetricKind::Gauge
        }));
    }
}
