//! Flipped bits, lost and foreign files: never a wrong answer, never a panic, always a word about it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::cut::{CutDisk, DiskImage};
use muster_common::disk::{Disk, Open};
use redb::ReadableTable;

use super::world::{BEGIN_MS, Folder, World, batch, config, epoch, open_at, open_real, scrape, table};
use crate::database::open_database;
use crate::inbox::tables::{ENTRIES, SERIES};
use crate::{Select, SelectError};

const SEGMENTS: &str = "/data/segments/metrics";

/// Two segments: 40 times of 30 series, then one time of another; and something in the head.
fn fill(disk: &Arc<dyn Disk>) -> World {
    let mut world = open_at(disk, config(Path::new("/data")));
    let (up, load) = (table("up", "a", 30), table("load", "a", 1));
    let rows = (0..40).map(|i| scrape(&up, BEGIN_MS + i * 15_000, i as f64)).collect();
    world.commit(&[batch(epoch(1), 1, rows)]);
    world.parts.admin.flush(false, world.now).unwrap();
    world.commit(&[batch(epoch(1), 2, vec![scrape(&load, BEGIN_MS, 1.0)])]);
    world.parts.admin.flush(false, world.now).unwrap();
    world.commit(&[batch(epoch(1), 3, vec![scrape(&load, BEGIN_MS + 1, 2.0)])]);
    world
}

fn filled() -> (DiskImage, Vec<String>, PathBuf) {
    let disk = CutDisk::new(1);
    let world = fill(&(Arc::new(disk.clone()) as Arc<dyn Disk>));
    let seen = world.dump();
    drop(world);
    let image = disk.image();
    let first = image.files().find(|path| path.starts_with(SEGMENTS) && path.to_string_lossy().contains("/1-1-"));
    let first = first.unwrap().to_owned();
    (image, seen, first)
}

fn flip(disk: &dyn Disk, path: &Path, at: u64, bit: u8) {
    let file = disk.open(path, Open::Write).unwrap();
    let mut byte = [0];
    file.pread(&mut byte, at).unwrap();
    file.pwrite(&[byte[0] ^ (1 << bit)], at).unwrap();
    file.sync().unwrap();
}

#[test]
fn a_flipped_bit_anywhere_in_a_segment_is_found_and_the_rest_answered() {
    let (image, seen, path) = filled();
    let rest = &seen[30..];
    assert_eq!((seen.len(), rest[0].starts_with("load")), (31, true));
    let length = image.file(&path).unwrap().len() as u64;
    for at in (0..length).step_by(3) {
        let disk: Arc<dyn Disk> = Arc::new(CutDisk::from_image(at, &image));
        flip(&*disk, &path, at, (at % 8) as u8);
        let world = open_at(&disk, config(Path::new("/data")));
        let names = world.parts.reader.view().label_names(&Select::all_times(&[])).unwrap();
        let partly = world.dump();
        // What was read before the damage was met may stand in this answer, in the next it does not.
        assert!(partly.iter().all(|line| seen.contains(line)) && partly.contains(&rest[0]), "byte {at}: {partly:?}");
        assert_eq!(world.dump(), rest, "byte {at}");
        assert!(names.contains(&"host".to_owned()));
        let health = world.parts.admin.health();
        assert_eq!((health.quarantined.len(), world.parts.reader.view().warnings().len()), (1, 1), "byte {at}");
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(health.quarantined[0].0 == name && health.quarantined[0].1.contains("damaged"), "{health:?}");
        // Maintenance writes it down; a restart does not read it again; nothing merges over its place.
        world.parts.admin.flush(true, world.now).unwrap();
        drop(world);
        let world = open_at(&disk, config(Path::new("/data")));
        assert_eq!((world.dump(), world.parts.admin.health().quarantined.len()), (rest.to_vec(), 1), "byte {at}");
    }
}

#[test]
fn a_segment_put_back_whole_is_read_again() {
    let (image, seen, path) = filled();
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::from_image(1, &image));
    flip(&*disk, &path, 300, 1);
    let world = open_at(&disk, config(Path::new("/data")));
    world.dump();
    world.parts.admin.maintain(world.now).unwrap();
    drop(world);
    assert_eq!(open_at(&disk, config(Path::new("/data"))).dump(), seen[30..]);
    flip(&*disk, &path, 300, 1);
    let world = open_at(&disk, config(Path::new("/data")));
    assert!(world.dump() == seen && world.parts.admin.health().is_good());
}

#[test]
fn damage_is_found_by_a_merge_and_refused_by_a_raw_count() {
    let (image, seen, path) = filled();
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::from_image(1, &image));
    let world = open_at(&disk, config(Path::new("/data")));
    flip(&*disk, &path, 300, 1);
    let error = world.parts.reader.view().raw_count(&Select::all_times(&[]));
    // Counting needs no values: byte 300 lies in them.
    assert_eq!(error.unwrap(), 30 * 40 + 2);
    let report = world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!((report.merges, world.parts.admin.health().quarantined.len()), (0, 1));
    assert_eq!(world.dump(), seen[30..]);
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::from_image(1, &image));
    let world = open_at(&disk, config(Path::new("/data")));
    let length = image.file(&path).unwrap().len() as u64;
    (300..length - 300).step_by(16).for_each(|at| flip(&*disk, &path, at, 1));
    let error = world.parts.reader.view().raw_count(&Select::all_times(&[])).unwrap_err();
    assert!(matches!(error, SelectError::Damaged { .. }), "{error}");
}

#[test]
fn a_segment_that_is_gone_is_told_and_the_rest_answered() {
    let (image, seen, path) = filled();
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::from_image(1, &image));
    disk.unlink(&path).unwrap();
    let world = open_at(&disk, config(Path::new("/data")));
    assert_eq!(world.dump(), seen[30..]);
    assert!(world.parts.admin.health().quarantined[0].1.contains("open"), "{:?}", world.parts.admin.health());
}

#[test]
fn unnamed_segments_go_unless_they_may_hold_what_is_missing() {
    let (image, seen, path) = filled();
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::from_image(1, &image));
    let folder = Path::new(SEGMENTS);
    let leave = || {
        for name in ["1-2-99.seg", "7-7-98.seg", "notes.txt"] {
            let _ = disk.open(&folder.join(name), Open::Create);
        }
    };
    leave();
    let world = open_at(&disk, config(Path::new("/data")));
    assert!(world.dump() == seen && world.parts.admin.health().is_good());
    drop(world);
    let there = disk.list(folder).unwrap();
    assert!(there.contains(&"notes.txt".to_owned()) && there.len() == 4, "{there:?}");
    // Where something is missing, what covers it is kept for whoever puts it right.
    leave();
    disk.unlink(&path).unwrap();
    let world = open_at(&disk, config(Path::new("/data")));
    assert_eq!(
        (world.dump(), world.parts.admin.health().set_aside),
        (seen[30..].to_vec(), vec!["1-2-99.seg".to_owned()])
    );
    assert_eq!(disk.list(folder).unwrap(), ["2-2-2.seg", "aside", "notes.txt"]);
}

#[test]
fn a_damaged_inbox_value_loses_its_commit_alone_and_is_counted() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let (up, load) = (table("up", "a", 2), table("load", "a", 2));
    for seq in 1..=3 {
        world.commit(&[batch(epoch(1), seq, vec![scrape(&up, BEGIN_MS + seq as i64, seq as f64)])]);
    }
    world.commit(&[batch(epoch(1), 4, vec![scrape(&load, BEGIN_MS, 4.0)])]);
    drop(world);
    let path = folder.0.join("inbox/1.redb");
    let change = |table, key: u64| {
        let database = open_database(&muster_common::disk::real::RealDisk, &path, false, 1 << 20).unwrap();
        let transaction = database.begin_write().unwrap();
        match table {
            "entries" => {
                let mut table = transaction.open_table(ENTRIES).unwrap();
                let mut value = table.get(key).unwrap().unwrap().value().to_vec();
                value[30] ^= 1;
                table.insert(key, value.as_slice()).unwrap();
            }
            _ => {
                let mut table = transaction.open_table(SERIES).unwrap();
                let mut value = table.get(key as u32).unwrap().unwrap().value().to_vec();
                value[12] ^= 1;
                table.insert(key as u32, value.as_slice()).unwrap();
            }
        }
        transaction.commit().unwrap();
    };
    change("entries", 1);
    let mut world = open_real(&folder);
    let ups = ["up{host=\"a\", i=\"000\"} 1=1 3=3", "up{host=\"a\", i=\"001\"} 1=2 3=4"].map(str::to_owned);
    assert_eq!((&world.dump()[..2], world.parts.admin.health().damaged_entries), (&ups[..], 1));
    // The damaged file ends here: what was lost at its end may have had the numbers that come next.
    let next = world.commit(&[batch(epoch(2), 1, vec![])]);
    assert_eq!(super::world::entries(&next), [Ok((2, 1))]);
    // Marks are of the file, not of its values: nothing is taken twice.
    assert_eq!(world.commit(&[batch(epoch(1), 4, vec![])]), [crate::Outcome::Repeat { mark: 4 }]);
    drop(world);
    change("series", 1);
    let mut world = open_real(&folder);
    let health = world.parts.admin.health();
    assert_eq!((world.dump(), health.damaged_entries, health.lost_samples), (ups.to_vec(), 2, 2));
    // A lost series is written down anew when it comes again.
    world.commit(&[batch(epoch(1), 5, vec![scrape(&load, BEGIN_MS + 5, 5.0)])]);
    assert_eq!(world.dump()[2], "load{host=\"a\", i=\"000\"} 5=5");
    drop(world);
    assert_eq!(open_real(&folder).dump()[2], "load{host=\"a\", i=\"000\"} 5=5");
}

#[test]
fn files_of_a_later_version_are_refused_by_name() {
    let folder = Folder::new();
    drop(open_real(&folder));
    let path = folder.0.join("inbox/1.redb");
    let database = open_database(&muster_common::disk::real::RealDisk, &path, false, 1 << 20).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(crate::inbox::tables::META).unwrap().insert("version", 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let now = muster_common::time::Timestamp::from_millis(BEGIN_MS);
    let disk = Arc::new(muster_common::disk::real::RealDisk);
    let Err(error) = crate::open(disk, config(&folder.0), now, &mut || 1) else { panic!("it opened") };
    let text = crate::admin::chain(&error);
    assert!(text.contains("1.redb") && text.contains("format 2") && text.contains("install"), "{text}");
}
