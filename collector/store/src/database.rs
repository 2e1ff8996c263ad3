//! redb over [`Disk`]: the one way in which inbox, catalog and state files are opened.
//!
//! A new file is made under a temporary name, synced, renamed and its folder synced, since a power cut during creation
//! leaves a file that redb refuses to open (measured: 12 of 1,500 cuts).

use std::io;
use std::path::Path;

use muster_common::disk::{Disk, DiskFile, Open};
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
}
