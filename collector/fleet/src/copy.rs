//! A copy of state.redb as it was at one moment, without the keys of the CA, and what a copy must pass before it is believed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use muster_common::disk::Disk;
use muster_store::Position;
use muster_store::database::{DatabaseOpenError, create_database, open_database};
use parking_lot::RwLockReadGuard;
use redb::TableHandle;
use serde::{Deserialize, Serialize};

use crate::error::FleetError;
use crate::sealed::SnapshotKey;
use crate::state::{CACHE_BYTES, FILE_NAME, Pair, Reading, State, begin};
use crate::tables::{ALL, AUTHORITIES};

/// state.redb at one moment. Changes go on meanwhile.
pub struct FrozenState<'a> {
    // Before the guard: the file is not opened anew while somebody reads what was open.
    pub(crate) reading: Reading,
    pub(crate) applied: Option<Position>,
    pub(crate) _scan: RwLockReadGuard<'a, ()>,
}

/// What a copy of state.redb holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateCounts {
    /// Rows by table; those of `authorities` are none where they are kept apart.
    pub rows: BTreeMap<String, u64>,
    /// The last inbox entry with records that it has.
    pub applied: Option<Position>,
}

/// The CAs with their keys: whoever reads them can make a certificate of any host.
pub struct Authorities(Vec<Pair>);

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Authorities").field(&self.0.len()).finish()
    }
}

/// A row as it is sealed.
#[derive(Serialize, Deserialize)]
struct SealedRow {
    #[serde(with = "crate::rows::hex_bytes")]
    key: Vec<u8>,
    #[serde(with = "crate::rows::hex_bytes")]
    value: Vec<u8>,
}

impl FrozenState<'_> {
    /// How far the inbox is applied in it.
    pub fn applied(&self) -> Option<Position> {
        self.applied
    }

    /// Writes a new `state.redb` of it into this folder, durably, but for the CAs, which it answers.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails; what is in the folder then is for the caller to remove.
    pub fn write(self, disk: &dyn Disk, folder: &Path) -> Result<(StateCounts, Authorities), FleetError> {
        let path = folder.join(FILE_NAME);
        let failed = |action: &'static str| {
            let path = path.display().to_string();
            move |source: redb::Error| FleetError::Database { action, path, source: Box::new(source) }
        };
        let (mut rows, mut authorities) = (BTreeMap::new(), Vec::new());
        create_database(disk, &path, CACHE_BYTES, true, |database| -> Result<(), FleetError> {
            let transaction = begin(database).map_err(failed("begin a copy"))?;
            for table in ALL {
                let mut to = transaction.open_table(table).map_err(|error| failed("make a table")(error.into()))?;
                let mut count = 0;
                self.reading.each(table, |key, value| {
                    if table.name() == AUTHORITIES.name() {
                        authorities.push((key.to_vec(), value.to_vec()));
                        return Ok(());
                    }
                    count += 1;
                    to.insert(key, value).map(drop).map_err(|error| failed("write a copy")(error.into()))
                })?;
                rows.insert(table.name().to_owned(), count);
            }
            transaction.commit().map_err(|error| failed("commit a copy")(error.into()))
        })?;
        Ok((StateCounts { rows, applied: self.applied }, Authorities(authorities)))
    }
}

impl Authorities {
    /// As bytes that only this key opens; `about` names the snapshot.
    ///
    /// # Errors
    /// [`FleetError::Random`], [`FleetError::Sealed`].
    pub fn seal(&self, key: &SnapshotKey, about: &[u8]) -> Result<Vec<u8>, FleetError> {
        let rows: Vec<_> =
            self.0.iter().map(|(key, value)| SealedRow { key: key.clone(), value: value.clone() }).collect();
        // Rows of two texts each: JSON has a form for them.
        key.seal(&serde_json::to_vec(&rows).unwrap_or_default(), about)
    }

    /// What [`Authorities::seal`] made.
    ///
    /// # Errors
    /// [`FleetError::Sealed`]: another key, or damage.
    pub fn open(bytes: &[u8], key: &SnapshotKey, about: &[u8]) -> Result<Self, FleetError> {
        let rows: Vec<SealedRow> = serde_json::from_slice(&key.open(bytes, about)?)
            .map_err(|error| FleetError::Sealed { what: format!("what is in it cannot be read ({error})") })?;
        Ok(Self(rows.into_iter().map(|row| (row.key, row.value)).collect()))
    }

    /// Puts them into the `state.redb` of this folder, durably.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn put(&self, disk: &dyn Disk, folder: &Path) -> Result<(), FleetError> {
        let path = folder.join(FILE_NAME);
        let database = open_database(disk, &path, false, CACHE_BYTES)?;
        let write = || -> Result<(), redb::Error> {
            let transaction = begin(&database)?;
            {
                let mut table = transaction.open_table(AUTHORITIES)?;
                for (key, value) in &self.0 {
                    table.insert(key.as_slice(), value.as_slice())?;
                }
            }
            Ok(transaction.commit()?)
        };
        let shown = path.display().to_string();
        write().map_err(|source| FleetError::Database {
            action: "put the CA's keys back",
            path: shown.clone(),
            source: Box::new(source),
        })?;
        database.close().map_err(|source| DatabaseOpenError::Database { path: shown, source: Box::new(source) }.into())
    }
}

/// Reads the `state.redb` of this folder whole, every row of it, and changes nothing.
///
/// # Errors
/// [`FleetError`] names what is missing, damaged or of a later version.
pub fn check_state(disk: &Arc<dyn Disk>, folder: &Path) -> Result<StateCounts, FleetError> {
    State::examine(Arc::clone(disk), folder)
}

/// The format of the `state.redb` in this folder, which is not changed; `None`: there is none yet.
///
/// # Errors
/// [`FleetError`] when it cannot be read.
pub fn format_of(disk: &dyn Disk, folder: &Path) -> Result<Option<u32>, FleetError> {
    State::format_of(disk, folder)
}

#[cfg(test)]
mod tests {
    use muster_common::disk::Open;
    use muster_common::disk::cut::CutDisk;

    use super::*;
    use crate::testing::{Bench, at};
    use crate::{TokenSpec, open};

    fn key() -> SnapshotKey {
        SnapshotKey::new(b"a key that is long enough").unwrap().with_rounds(2)
    }

    #[test]
    fn a_copy_is_of_its_moment_and_has_the_ca_only_with_its_key() {
        let (cut, copy) = (CutDisk::new(1), Path::new("/copy"));
        let disk: Arc<dyn Disk> = Arc::new(cut);
        let bench = Bench::on(Arc::clone(&disk), Path::new("/data"));
        bench.host("web");
        let frozen = bench.fleet.freeze().unwrap();
        // Changes are not held.
        bench.fleet.new_token(TokenSpec::default(), at(1)).unwrap();
        disk.create_dir_all(copy).unwrap();
        let (counts, authorities) = frozen.write(&*disk, copy).unwrap();
        assert_eq!((counts.rows["hosts"], counts.rows["tokens"], counts.rows["authorities"]), (1, 1, 0));
        assert_eq!(check_state(&disk, copy).unwrap(), counts);
        assert_eq!(format!("{authorities:?}"), "Authorities(1)");
        let sealed = authorities.seal(&key(), b"one").unwrap();
        assert!(Authorities::open(&sealed, &key(), b"two").is_err());
        Authorities::open(&sealed, &key(), b"one").unwrap().put(&*disk, copy).unwrap();
        let put_back = open(Arc::clone(&disk), copy, at(2)).unwrap();
        assert_eq!((put_back.pin(), put_back.hosts().len()), (bench.fleet.pin(), 1));
        assert_eq!((put_back.tokens().len(), bench.fleet.tokens().len()), (1, 2));
    }

    #[test]
    fn a_copy_that_is_damaged_or_newer_is_refused() {
        let (cut, copy) = (CutDisk::new(1), Path::new("/copy"));
        let disk: Arc<dyn Disk> = Arc::new(cut);
        let bench = Bench::on(Arc::clone(&disk), Path::new("/data"));
        disk.create_dir_all(copy).unwrap();
        bench.fleet.freeze().unwrap().write(&*disk, copy).unwrap();
        assert_eq!(format_of(&*disk, copy).unwrap(), Some(crate::FORMAT));
        assert_eq!(format_of(&*disk, Path::new("/none")).unwrap(), None);
        let path = copy.join(FILE_NAME);
        let file = disk.open(&path, Open::Write).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.pread(&mut bytes, 0).unwrap();
        // In the row of the CA's event.
        let place = bytes.windows(9).position(|part| part == b"made a CA").unwrap();
        file.pwrite(b"M", place as u64).unwrap();
        let told = check_state(&disk, copy).unwrap_err().to_string();
        assert!(told.contains("/copy/state.redb` is damaged") && told.contains("checksums"), "{told}");
        file.pwrite(b"m", place as u64).unwrap();
        check_state(&disk, copy).unwrap();
        drop(file);
        let database = open_database(&*disk, &path, false, CACHE_BYTES).unwrap();
        let transaction = begin(&database).unwrap();
        let newer = (crate::FORMAT + 1).to_le_bytes();
        transaction.open_table(crate::tables::META).unwrap().insert(b"format".as_slice(), newer.as_slice()).unwrap();
        transaction.commit().unwrap();
        drop(database);
        let told = check_state(&disk, copy).unwrap_err().to_string();
        assert!(told.contains("has format 2, but this collector knows 1"), "{told}");
    }
}
