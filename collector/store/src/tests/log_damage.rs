//! Flipped bits in log segments and inbox: never a wrong line, never a panic, always a word about it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::cut::{CutDisk, DiskImage};
use muster_common::disk::{Disk, Open};
use redb::ReadableTable;

use super::log_world::{lines, p2, range};
use super::world::{Folder, World, config, epoch, open_at, open_real};
use crate::LogSelect;
use crate::database::open_database;
use crate::inbox::tables::ENTRIES;

fn fill(disk: &Arc<dyn Disk>) -> World {
    let mut world = open_at(disk, config(Path::new("/data")));
    let text: Vec<String> = (0..60).map(|i| format!("request {i} took {} ms", i * 37 % 101)).collect();
    let entries: Vec<(i64, &str)> = text.iter().enumerate().map(|(i, line)| (i as i64, line.as_str())).collect();
    world.commit(&[p2(epoch(1), 1, vec![range(1, 0, 9), lines("web", &entries), lines("db", &entries[..9])])]);
    world.parts.admin.flush(false, world.now).unwrap();
    world.commit(&[p2(epoch(1), 2, vec![lines("later", &[(0, "flushed")])])]);
    world.parts.admin.flush(false, world.now).unwrap();
    world.commit(&[p2(epoch(1), 3, vec![lines("later", &[(1, "in memory")])])]);
    world
}

fn filled() -> (DiskImage, Vec<String>, PathBuf) {
    let disk = CutDisk::new(1);
    let world = fill(&(Arc::new(disk.clone()) as Arc<dyn Disk>));
    let seen = world.log_dump();
    drop(world);
    let image = disk.image();
    let first = image.files().find(|path| path.to_string_lossy().contains("segments/logs/1-1-"));
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
fn a_flipped_bit_anywhere_in_a_log_segment_is_found_and_the_rest_answered() {
    let (image, seen, path) = filled();
    let rest: Vec<String> = seen.iter().filter(|line| line.starts_with("later")).cloned().collect();
    assert_eq!((seen.len(), rest.len()), (71, 2));
    let length = image.file(&path).unwrap().len() as u64;
    for at in (0..length).step_by(3) {
        let disk: Arc<dyn Disk> = Arc::new(CutDisk::from_image(at, &image));
        flip(&*disk, &path, at, (at % 8) as u8);
        let world = open_at(&disk, config(Path::new("/data")));
        let needles = [b" 5 took ".to_vec()];
        // Not every answer meets the damage; the one that reads all of it does, or the merge.
        world.log_dump_of(&LogSelect { needles: &needles, ..LogSelect::all_times(&[]) });
        let partly = world.log_dump_of(&LogSelect::all_times(&[]));
        assert!(partly.iter().all(|line| seen.contains(line)), "byte {at}: {partly:?}");
        assert!(rest.iter().all(|line| partly.contains(line)), "byte {at}");
        world.parts.admin.flush(true, world.now).unwrap();
        let health = world.parts.admin.health();
        if health.quarantined.is_empty() {
            // Nothing reads this byte of postings: all lines are there, and the merge wrote new ones.
            assert_eq!(world.log_dump(), seen, "byte {at}");
            continue;
        }
        assert_eq!((health.quarantined.len(), world.parts.reader.view().warnings().len()), (1, 1), "byte {at}");
        assert!(health.quarantined[0].1.contains("damaged"), "{health:?}");
        assert_eq!(world.log_dump(), rest, "byte {at}");
        drop(world);
        let world = open_at(&disk, config(Path::new("/data")));
        assert_eq!((world.log_dump(), world.parts.admin.health().quarantined.len()), (rest.clone(), 1), "byte {at}");
        // Put back whole it is read again.
        drop(world);
        flip(&*disk, &path, at, (at % 8) as u8);
        let world = open_at(&disk, config(Path::new("/data")));
        assert!(world.log_dump() == seen && world.parts.admin.health().is_good(), "byte {at}");
    }
}

#[test]
fn unnamed_log_segments_go_unless_they_may_hold_what_is_missing() {
    let (image, seen, path) = filled();
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::from_image(1, &image));
    let folder = path.parent().unwrap();
    let leave = || drop(disk.open(&folder.join("1-2-99.seg"), Open::Create));
    leave();
    let world = open_at(&disk, config(Path::new("/data")));
    assert!(world.log_dump() == seen && world.parts.admin.health().is_good());
    drop(world);
    assert!(!disk.list(folder).unwrap().contains(&"1-2-99.seg".to_owned()));
    leave();
    disk.unlink(&path).unwrap();
    let world = open_at(&disk, config(Path::new("/data")));
    assert_eq!(world.parts.admin.health().set_aside, ["1-2-99.seg"]);
    assert_eq!((world.log_dump().len(), world.parts.admin.health().quarantined.len()), (2, 1));
}

#[test]
fn a_damaged_inbox_value_loses_its_lines_alone_and_no_position() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    for seq in 1..=3 {
        world.commit(&[p2(epoch(1), seq, vec![range(1, seq, seq + 1), lines("web", &[(seq as i64, "a line")])])]);
    }
    drop(world);
    let path = folder.0.join("inbox/1.redb");
    let database = open_database(&muster_common::disk::real::RealDisk, &path, false, 1 << 20).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(ENTRIES).unwrap();
        let mut value = table.get(1).unwrap().unwrap().value().to_vec();
        value[40] ^= 1;
        table.insert(1, value.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let mut world = open_real(&folder);
    assert_eq!(world.log_dump(), ["web 1 a line", "web 3 a line"]);
    assert_eq!((world.positions(), world.parts.admin.health().damaged_entries), (vec![(1, 4)], 1));
}
