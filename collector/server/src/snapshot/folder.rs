//! The folder that snapshots lie in: their names, which are complete, and how many are kept.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::copy::remove_all;
use muster_common::time::Timestamp;

use super::error::SnapshotError;
use super::manifest::{self, Manifest};

/// A folder that has the name of a snapshot, and what its manifest says or why it says nothing.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) manifest: Result<Manifest, SnapshotError>,
}

/// `20260131T140000Z-1a2b3c4d`: the time in UTC, so that names sort by age, and the begin of the store's id.
fn name(at: Timestamp, store: [u8; 16]) -> String {
    let seconds = at.millis().div_euclid(1_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z{}", ending(store))
}

/// What the names of one store's snapshots end with.
fn ending(store: [u8; 16]) -> String {
    format!("-{:02x}{:02x}{:02x}{:02x}", store[0], store[1], store[2], store[3])
}

/// A name that no folder there has: that of this second, or of the next that is free.
pub(crate) fn free_name(
    disk: &dyn Disk,
    folder: &Path,
    now: Timestamp,
    store: [u8; 16],
) -> Result<String, SnapshotError> {
    let there = match disk.list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        there => there.map_err(SnapshotError::disk("list", folder))?,
    };
    let mut at = now;
    while there.contains(&name(at, store)) {
        at = at.plus(Duration::from_secs(1));
    }
    Ok(name(at, store))
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar. Years are counted from March here, so that the
/// day that not every year has is the last one.
const fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    // Since 1 March 0000.
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_OF_400_YEARS);
    let of_era = days.rem_euclid(DAYS_OF_400_YEARS);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

fn is_name(name: &str) -> bool {
    let form = b"00000000T000000Z-xxxxxxxx";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        other => byte == *other,
    };
    name.len() == form.len() && name.bytes().zip(form).all(fits)
}

/// Every folder there that is or was to become a snapshot, oldest first. A folder that is not there has none.
pub(crate) fn list(disk: &dyn Disk, folder: &Path) -> Result<Vec<Found>, SnapshotError> {
    let names = match disk.list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        names => names.map_err(SnapshotError::disk("list", folder))?,
    };
    let found = names.into_iter().filter(|name| is_name(name));
    let mut found: Vec<Found> =
        found.map(|name| Found { manifest: Manifest::read(disk, &folder.join(&name)), name }).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Removes what a crash left of this store's snapshots. Those of others may just be being made.
pub(crate) fn clear_unfinished(disk: &dyn Disk, folder: &Path, store: [u8; 16]) -> Result<usize, SnapshotError> {
    let mut cleared = 0;
    for found in list(disk, folder)?.into_iter().filter(|found| found.name.ends_with(&ending(store))) {
        let path = folder.join(&found.name);
        // One whose manifest is damaged was complete: that is for people to look at.
        match disk.open(&path.join(manifest::FILE_NAME), muster_common::disk::Open::Read) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                remove_all(disk, &path).map_err(SnapshotError::disk("remove", &path))?;
                cleared += 1;
            }
            Err(error) => return Err(SnapshotError::disk("open", &path)(error)),
            Ok(_) => {}
        }
    }
    Ok(cleared)
}

/// Removes the oldest complete snapshots of this store beyond `keep`. The manifest goes first, so that what a crash leaves is none.
pub(crate) fn retain(disk: &dyn Disk, folder: &Path, store: &str, keep: usize) -> Result<usize, SnapshotError> {
    let found = list(disk, folder)?;
    let is_ours = |found: &&Found| found.manifest.as_ref().is_ok_and(|manifest| manifest.store == store);
    let ours: Vec<&Found> = found.iter().filter(is_ours).collect();
    let old = &ours[..ours.len().saturating_sub(keep)];
    for one in old {
        remove(disk, &folder.join(&one.name))?;
    }
    Ok(old.len())
}

/// Removes a snapshot, or what there is of one.
pub(crate) fn remove(disk: &dyn Disk, path: &Path) -> Result<(), SnapshotError> {
    let manifest = path.join(manifest::FILE_NAME);
    match disk.unlink(&manifest) {
        Ok(()) => disk.sync_dir(path).map_err(SnapshotError::disk("sync folder", path))?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(SnapshotError::disk("remove", &manifest)(error)),
    }
    remove_all(disk, path).map_err(SnapshotError::disk("remove", path))
}

#[cfg(test)]
mod tests {
    use muster_common::disk::copy::write_new;
    use muster_common::disk::cut::CutDisk;

    use super::super::manifest::tests::manifest;
    use super::*;

    const STORE: [u8; 16] = [0x2a, 0, 0, 0xff, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5];
    const OTHER: [u8; 16] = [7; 16];

    #[test]
    fn names_tell_the_time_and_sort_by_it() {
        for (ms, text) in [
            (0, "19700101T000000Z-2a0000ff"),
            (951_827_696_999, "20000229T123456Z-2a0000ff"),
            (1_772_323_199_000, "20260228T235959Z-2a0000ff"),
            (4_107_542_400_000, "21000301T000000Z-2a0000ff"),
        ] {
            assert_eq!(name(Timestamp::from_millis(ms), STORE), text);
            assert!(is_name(text));
        }
        for wrong in ["", "20260228T235959Z-0000002", "20260228T235959Z-0000002A", "2026-228T235959Z-0000002a", "aside"]
        {
            assert!(!is_name(wrong), "{wrong}");
        }
    }

    fn put(disk: &CutDisk, second: i64, store: &str) -> String {
        let name = free_name(disk, Path::new("/s"), Timestamp::from_millis(second * 1_000), STORE).unwrap();
        let path = Path::new("/s").join(&name);
        disk.create_dir_all(&path.join("data")).unwrap();
        write_new(disk, &path.join("data/file"), b"abc").unwrap();
        Manifest { store: store.into(), id: name.clone(), ..manifest() }.write(disk, &path).unwrap();
        name
    }

    #[test]
    fn only_complete_ones_of_this_store_are_kept_and_counted() {
        let disk = CutDisk::new(1);
        assert!(list(&disk, Path::new("/s")).unwrap().is_empty());
        let names: Vec<_> = (1..=4).map(|second| put(&disk, second, "ours")).collect();
        let other = put(&disk, 0, "other");
        let unfinished = [name(Timestamp::from_millis(9_000), STORE), name(Timestamp::from_millis(9_000), OTHER)];
        for name in &unfinished {
            disk.create_dir_all(&Path::new("/s").join(name).join("data/inbox")).unwrap();
            write_new(&disk, &Path::new("/s").join(name).join("manifest.json.new"), b"{").unwrap();
        }
        assert_eq!(put(&disk, 4, "third"), name(Timestamp::from_millis(5_000), STORE), "a name is given once");
        disk.create_dir_all(Path::new("/s/notes")).unwrap();
        assert_eq!(retain(&disk, Path::new("/s"), "ours", 2).unwrap(), 2);
        assert_eq!(clear_unfinished(&disk, Path::new("/s"), STORE).unwrap(), 1);
        let kept: Vec<_> = disk.list(Path::new("/s")).unwrap();
        let third = name(Timestamp::from_millis(5_000), STORE);
        assert_eq!(kept, [other.as_str(), &names[2], &names[3], &third, &unfinished[1], "notes"]);
        // A damaged manifest is not taken for a half made snapshot.
        let path = Path::new("/s").join(&names[3]).join(manifest::FILE_NAME);
        disk.open(&path, muster_common::disk::Open::Write).unwrap().pwrite(b"x", 70).unwrap();
        assert_eq!(clear_unfinished(&disk, Path::new("/s"), STORE).unwrap(), 0);
        assert_eq!(retain(&disk, Path::new("/s"), "ours", 1).unwrap(), 0, "one is left that counts");
    }

    #[test]
    fn a_removal_that_the_power_ends_leaves_a_whole_snapshot_or_none() {
        for operation in 0.. {
            let disk = CutDisk::new(operation);
            let name = put(&disk, 1, "ours");
            let path = Path::new("/s").join(&name);
            disk.sync_dir(&path.join("data")).unwrap();
            disk.sync_dir(&path).unwrap();
            disk.power_off_at(disk.operations() + operation);
            let done = remove(&disk, &path);
            disk.cut();
            match Manifest::read(&disk, &path) {
                Ok(_) => assert_eq!(disk.list(&path.join("data")).unwrap(), ["file"], "cut at {operation}"),
                Err(_) => {
                    clear_unfinished(&disk, Path::new("/s"), STORE).unwrap();
                    assert!(disk.list(Path::new("/s")).unwrap().is_empty(), "cut at {operation}");
                }
            }
            if done.is_ok() {
                return;
            }
        }
    }
}
