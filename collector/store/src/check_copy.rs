//! Reads a copy of a store whole: every page of its databases, every block of its segments, every entry of its inbox.

use std::path::Path;
use std::sync::Arc;

use muster_common::disk::{Disk, Open};
use redb::{Database, ReadableDatabase};

use crate::catalog::{Catalog, CatalogState, SegmentRow, StoreIdentity, identity};
use crate::database::open_unchanged;
use crate::error::FileError;
use crate::inbox::blob::decode;
use crate::inbox::file;
use crate::logs::record::LogClass;
use crate::logs::segment::LogSegment;
use crate::segment::Segment;
use crate::snapshot::{CATALOG, StoreCounts};

/// redb's cache for a file that is read once.
const CACHE_BYTES: usize = 16 << 20;

/// Reads everything in this folder and changes nothing.
///
/// # Errors
/// [`FileError`] names the first file that is missing, damaged, of a later version, or does not belong to the others.
pub fn check_copy(disk: &Arc<dyn Disk>, folder: &Path) -> Result<StoreCounts, FileError> {
    examine(disk, folder, true)
}

/// The same numbers, those of segments as the catalog has them: segments are not read.
///
/// # Errors
/// As [`check_copy`].
pub fn count_copy(disk: &Arc<dyn Disk>, folder: &Path) -> Result<StoreCounts, FileError> {
    examine(disk, folder, false)
}

/// The format and the id of the store in this folder; `None`: there is none. Later formats keep the rows that tell them.
///
/// # Errors
/// [`FileError`] when the catalog cannot be read.
pub fn identity_of(disk: &dyn Disk, folder: &Path) -> Result<Option<StoreIdentity>, FileError> {
    let path = folder.join(CATALOG);
    match disk.open(&path, Open::Read) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => drop(opened.map_err(FileError::disk("open", &path))?),
    }
    let database = open_unchanged(disk, &path, CACHE_BYTES)?;
    identity(&file::begin_read(&database, &path)?, &path)
}

fn examine(disk: &Arc<dyn Disk>, folder: &Path, reads_segments: bool) -> Result<StoreCounts, FileError> {
    let state = catalog(disk, &folder.join(CATALOG))?;
    let mut counts = StoreCounts::default();
    for (&number, row) in &state.segments {
        let path = folder.join("segments/metrics").join(row.file_name(number));
        if reads_segments {
            let segment = Segment::open(disk, number, path)?;
            segment.verify()?;
            same(&segment, row, &state)?;
        }
        counts.segments += 1;
        counts.samples += row.samples;
    }
    for class in LogClass::ALL {
        let inner = folder.join("segments").join(class.folder());
        for (&number, row) in &state.logs.class(class).segments {
            let path = inner.join(row.row.file_name(number));
            if reads_segments {
                let segment = LogSegment::open(disk, class, number, path, row.cleaned)?;
                segment.base.verify()?;
                same(&segment.base, &row.row, &state)?;
            }
            counts.segments += 1;
            match class {
                LogClass::Logs => counts.lines += row.row.samples,
                LogClass::Events => counts.events += row.row.samples,
            }
        }
    }
    inbox(&**disk, folder, &state, &mut counts)?;
    Ok(counts)
}

fn same(segment: &Segment, row: &SegmentRow, state: &CatalogState) -> Result<(), FileError> {
    let header = &segment.header;
    if SegmentRow::of(header) != *row {
        return Err(FileError::damaged(&segment.path, "its header is not what the catalog says"));
    }
    if header.store_id != state.store_id {
        return Err(FileError::damaged(&segment.path, "it is of another store"));
    }
    Ok(())
}

fn catalog(disk: &Arc<dyn Disk>, path: &Path) -> Result<CatalogState, FileError> {
    let mut database = open_unchanged(&**disk, path, CACHE_BYTES)?;
    whole(&mut database, path)?;
    let read = file::begin_read(&database, path)?;
    Catalog::new(disk.clone(), path.to_owned(), CACHE_BYTES).load(&read)
}

/// Whether every page of the file is what its checksum says.
fn whole(database: &mut Database, path: &Path) -> Result<(), FileError> {
    match database.check_integrity() {
        Ok(true) => Ok(()),
        Ok(false) => Err(FileError::damaged(path, "its pages fail their checksums")),
        Err(_) => Err(FileError::damaged(path, "its pages cannot be read")),
    }
}

fn inbox(disk: &dyn Disk, folder: &Path, state: &CatalogState, counts: &mut StoreCounts) -> Result<(), FileError> {
    let inner = folder.join("inbox");
    let names = disk.list(&inner).map_err(FileError::disk("list", &inner))?;
    let mut generations: Vec<u64> = names.iter().filter_map(|name| name.strip_suffix(".redb")?.parse().ok()).collect();
    generations.sort_unstable();
    if generations.last().is_none_or(|&newest| newest <= state.flushed_through) {
        return Err(FileError::damaged(&inner, "the file with the marks is missing"));
    }
    for generation in generations {
        let path = file::path(&inner, generation);
        let mut database = open_unchanged(disk, &path, CACHE_BYTES)?;
        whole(&mut database, &path)?;
        let read = database.begin_read().map_err(FileError::database("begin to read", &path))?;
        file::check_version(&read, &path)?;
        let (_, damaged) = file::read_series(&read, 0, &path, &mut |_, _| {})?;
        let mut entries = 0;
        let blobs = file::read_blobs(&read, 0, &path, &mut |blob| {
            entries += decode(blob, true)?.len() as u64;
            Some(())
        })?;
        if damaged + blobs.damaged > 0 {
            return Err(FileError::damaged(&path, "entries fail their checksums"));
        }
        counts.inbox_files += 1;
        // Those that are flushed too stand there for state.redb.
        counts.inbox_entries += if generation > state.flushed_through { entries } else { 0 };
    }
    Ok(())
}
