//! redb over [`Disk`]: the one way in which inbox, catalog and state files are opened.
//!
//! A new file is made under a temporary name, synced, renamed and its folder synced, since a power cut during creation
//! leaves a file that redb refuses to open (measured: 12 of 1,500 cuts).

use std::collections::HashMap;
use std::io;
use std::path::Path;

use muster_common::disk::{Disk, DiskFile, Open};
use parking_lot::Mutex;
use redb::{Database, DatabaseError, StorageBackend};

/// Why a database file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseOpenError {
    #[error("failed to {action} `{path}`")]
    Disk {
        action: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("failed to open `{path}` as a database: restore it from a snapshot, or move it away to begin anew")]
    Database {
        path: String,
        #[source]
        source: Box<DatabaseError>,
    },
}

/// Opens the database at `path`, or makes it when `create` allows and there is none.
///
/// # Errors
/// [`DatabaseOpenError`] names the file and what was being done with it.
pub fn open_database(
    disk: &dyn Disk,
    path: &Path,
    create: bool,
    cache_bytes: usize,
) -> Result<Database, DatabaseOpenError> {
    match disk.open(path, Open::Write) {
        Ok(file) => build(path, file, cache_bytes),
        Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
            create_database(disk, path, cache_bytes, true, |_| Ok::<(), DatabaseOpenError>(()))?;
            let file = disk.open(path, Open::Write).map_err(disk_error("open", path))?;
            build(path, file, cache_bytes)
        }
        Err(error) => Err(disk_error("open", path)(error)),
    }
}

/// Makes the database at `path` with what `fill` commits, and closes it: under a temporary name, synced, renamed, and with
/// `sync_folder` its folder synced. There must be none yet.
///
/// # Errors
/// [`DatabaseOpenError`] names the file and what was being done with it. Whether the new name exists is then unknown.
pub fn create_database<E: From<DatabaseOpenError>>(
    disk: &dyn Disk,
    path: &Path,
    cache_bytes: usize,
    sync_folder: bool,
    fill: impl FnOnce(&Database) -> Result<(), E>,
) -> Result<(), E> {
    let temporary = path.with_extension("redb.new");
    match disk.unlink(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk_error("unlink", &temporary)(error))?,
        _ => {}
    }
    let file = disk.open(&temporary, Open::Create).map_err(disk_error("create", &temporary))?;
    let database = build(&temporary, file, cache_bytes)?;
    fill(&database)?;
    database.close().map_err(|source| DatabaseOpenError::Database {
        path: temporary.display().to_string(),
        source: Box::new(source),
    })?;
    let file = disk.open(&temporary, Open::Write).map_err(disk_error("open", &temporary))?;
    file.sync().map_err(disk_error("sync", &temporary))?;
    drop(file);
    disk.rename(&temporary, path).map_err(disk_error("rename", &temporary))?;
    if sync_folder {
        let folder = path.parent().unwrap_or(Path::new("/"));
        disk.sync_dir(folder).map_err(disk_error("sync folder", folder))?;
    }
    Ok(())
}

/// Writes every byte of the file again and syncs it, before it is opened by whoever cannot know how the last use of it ended.
///
/// After a failed sync the system may hold pages that it believes to be written, and shows them to every reader until the power
/// goes. What is read from such a file is not durable, and no later sync makes it so, unless the pages are written again.
///
/// # Errors
/// [`DatabaseOpenError`] names the file. A file that is not there is none.
pub fn make_durable(disk: &dyn Disk, path: &Path) -> Result<(), DatabaseOpenError> {
    /// Bytes rewritten at a time.
    const STEP: u64 = 1 << 20;
    let file = match disk.open(path, Open::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(disk_error("open", path))?,
    };
    let length = file.len().map_err(disk_error("ask the length of", path))?;
    let mut buffer = Vec::new();
    for offset in (0..length).step_by(STEP as usize) {
        buffer.resize(STEP.min(length - offset) as usize, 0);
        file.pread(&mut buffer, offset).map_err(disk_error("read", path))?;
        file.pwrite(&buffer, offset).map_err(disk_error("write", path))?;
    }
    file.sync().map_err(disk_error("sync", path))
}

/// Opens the database at `path` to be read, and does not change it: what redb writes at opening and closing, a repair after a
/// power cut included, is kept in memory.
///
/// # Errors
/// [`DatabaseOpenError`] names the file and what was being done with it.
pub fn open_unchanged(disk: &dyn Disk, path: &Path, cache_bytes: usize) -> Result<Database, DatabaseOpenError> {
    let file = disk.open(path, Open::Read).map_err(disk_error("open", path))?;
    let length = file.len().map_err(disk_error("ask the length of", path))?;
    if length == 0 {
        // redb would make a new one of it.
        return Err(disk_error("read", path)(io::ErrorKind::UnexpectedEof.into()));
    }
    let backend = Unchanged { file, over: Mutex::new(Over { length, kept: length, blocks: HashMap::new() }) };
    Database::builder()
        .set_cache_size(cache_bytes)
        .create_with_backend(backend)
        .map_err(|source| DatabaseOpenError::Database { path: path.display().to_string(), source: Box::new(source) })
}

fn disk_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DatabaseOpenError {
    let path = path.display().to_string();
    move |source| DatabaseOpenError::Disk { action, path, source }
}

fn build(path: &Path, file: Box<dyn DiskFile>, cache_bytes: usize) -> Result<Database, DatabaseOpenError> {
    Database::builder()
        .set_cache_size(cache_bytes)
        .create_with_backend(Backend(file))
        .map_err(|source| DatabaseOpenError::Database { path: path.display().to_string(), source: Box::new(source) })
}

/// A file of [`Disk`] as redb wants it.
struct Backend(Box<dyn DiskFile>);

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend")
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.pread(out, offset)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.pwrite(data, offset)
    }
}

/// Bytes of one block of [`Over`]: a page of redb.
const BLOCK_BYTES: u64 = 4096;

/// A file that is only read, and over it what was written.
struct Unchanged {
    file: Box<dyn DiskFile>,
    over: Mutex<Over>,
}

struct Over {
    length: u64,
    /// Bytes of the file that count: the least length that was ever set.
    kept: u64,
    /// By number, those that were written.
    blocks: HashMap<u64, Vec<u8>>,
}

impl Unchanged {
    /// A block as it is now.
    fn block(&self, over: &Over, number: u64) -> Result<Vec<u8>, io::Error> {
        if let Some(block) = over.blocks.get(&number) {
            return Ok(block.clone());
        }
        let mut block = vec![0; BLOCK_BYTES as usize];
        let begin = number * BLOCK_BYTES;
        let there = over.kept.saturating_sub(begin).min(BLOCK_BYTES) as usize;
        self.file.pread(&mut block[..there], begin)?;
        Ok(block)
    }

    /// Calls `each` with every block of this range, where in it the range lies, and which part of the range that is.
    fn blocks(
        offset: u64,
        bytes: usize,
        mut each: impl FnMut(u64, std::ops::Range<usize>, std::ops::Range<usize>) -> Result<(), io::Error>,
    ) -> Result<(), io::Error> {
        let mut done = 0;
        while done < bytes {
            let at = offset + done as u64;
            let inner = (at % BLOCK_BYTES) as usize;
            let part = (BLOCK_BYTES as usize - inner).min(bytes - done);
            each(at / BLOCK_BYTES, inner..inner + part, done..done + part)?;
            done += part;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Unchanged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unchanged")
    }
}

impl StorageBackend for Unchanged {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.over.lock().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let over = self.over.lock();
        if offset + out.len() as u64 > over.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if over.blocks.is_empty() && offset + out.len() as u64 <= over.kept {
            return self.file.pread(out, offset);
        }
        Self::blocks(offset, out.len(), |number, inner, part| {
            out[part].copy_from_slice(&self.block(&over, number)?[inner]);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut over = self.over.lock();
        over.length = len;
        over.kept = over.kept.min(len);
        over.blocks.retain(|number, _| number * BLOCK_BYTES < len);
        let last = len / BLOCK_BYTES;
        if let Some(block) = over.blocks.get_mut(&last) {
            block[(len % BLOCK_BYTES) as usize..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut over = self.over.lock();
        over.length = over.length.max(offset + data.len() as u64);
        Self::blocks(offset, data.len(), |number, inner, part| {
            let mut block = self.block(&over, number)?;
            block[inner].copy_from_slice(&data[part]);
            over.blocks.insert(number, block);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use muster_common::disk::real::RealDisk;
    use redb::{ReadableDatabase, TableDefinition};

    use super::*;

    #[test]
    fn a_new_file_is_made_once_and_found_again() {
        let folder = std::env::temp_dir().join(format!("muster-database-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.redb");
        assert!(matches!(open_database(&RealDisk, &path, false, 1 << 20), Err(DatabaseOpenError::Disk { .. })));
        let table: TableDefinition<'_, u64, u64> = TableDefinition::new("t");
        let database = open_database(&RealDisk, &path, true, 1 << 20).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(table).unwrap().insert(1, 2).unwrap();
        write.commit().unwrap();
        drop(database);
        let database = open_database(&RealDisk, &path, true, 1 << 20).unwrap();
        let read = database.begin_read().unwrap().open_table(table).unwrap();
        assert_eq!(read.get(1).unwrap().map(|v| v.value()), Some(2));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_opened_unchanged_stays_as_it_is_even_where_it_must_be_repaired() {
        let disk = muster_common::disk::cut::CutDisk::new(3);
        let (folder, path) = (Path::new("/d"), Path::new("/d/a.redb"));
        disk.create_dir_all(folder).unwrap();
        let table: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("t");
        let database = open_database(&disk, path, true, 1 << 20).unwrap();
        for number in 0..40_u64 {
            let write = database.begin_write().unwrap();
            write.open_table(table).unwrap().insert(number, vec![number as u8; 9_000].as_slice()).unwrap();
            write.commit().unwrap();
        }
        // As after a kill: the file does not say that it was closed.
        let bytes = || muster_common::disk::copy::read_all(&disk, path, 1 << 30).unwrap();
        let killed = bytes();
        let mut opened = open_unchanged(&disk, path, 1 << 20).unwrap();
        let rows = opened.begin_read().unwrap().open_table(table).unwrap();
        let values: Vec<_> = rows.range(0..).unwrap().map(|row| row.unwrap().1.value().to_vec()).collect();
        assert_eq!(values, (0..40).map(|number| vec![number as u8; 9_000]).collect::<Vec<_>>());
        drop(rows);
        assert!(opened.check_integrity().unwrap());
        // Even what is written on purpose.
        let write = opened.begin_write().unwrap();
        write.open_table(table).unwrap().insert(99, vec![1; 200_000].as_slice()).unwrap();
        write.commit().unwrap();
        drop(opened);
        assert!(bytes() == killed);
        drop(database);
        assert!(matches!(open_unchanged(&disk, Path::new("/d/b"), 1 << 20), Err(DatabaseOpenError::Disk { .. })));
        disk.open(Path::new("/d/b"), Open::Create).unwrap();
        assert!(open_unchanged(&disk, Path::new("/d/b"), 1 << 20).is_err(), "an empty file is no database");
    }
}
