use std::path::Path;

use muster_common::disk::cut::CutDisk;
use muster_common::time::Timestamp;

use super::*;
use crate::handed::file::tests::report;
use crate::handed::give::{folder_of, give};

const STATE: &str = "/state";

fn folder() -> PathBuf {
    folder_of(Path::new(STATE))
}

fn hand_over(disk: &CutDisk, number: i64) {
    give(disk, Path::new(STATE), Timestamp::from_millis(1_700_000_000_000 + number), number, report("a", number))
        .unwrap();
}

fn open(disk: &CutDisk) -> (HandedFolder, Vec<HandedFrame>) {
    HandedFolder::open(Arc::new(disk.clone()), folder(), 0).unwrap()
}

fn write(disk: &CutDisk, name: &str, bytes: &[u8]) {
    let file = disk.open(&folder().join(name), Open::Create).unwrap();
    file.pwrite(bytes, 0).unwrap();
    file.sync().unwrap();
    disk.sync_dir(&folder()).unwrap();
}

#[test]
fn a_report_waits_gets_its_place_and_goes() {
    let disk = CutDisk::new(1);
    hand_over(&disk, 1);
    hand_over(&disk, 2);
    let (mut folder, placed) = open(&disk);
    assert_eq!(placed, []);
    let (first, second) = (folder.take_next().unwrap(), folder.take_next().unwrap());
    assert_eq!((first.at_ms, second.at_ms, folder.take_next()), (1, 2, None));
    folder.look(0).unwrap();
    assert!(!folder.has_waiting(), "what is taken does not wait");
    let epoch = Epoch::new(5, 5);
    folder.claim(first.id, epoch, 7).unwrap();
    disk.cut();
    let (mut folder, placed) = open(&disk);
    assert_eq!(placed.iter().map(|one| (one.at_ms, one.place)).collect::<Vec<_>>(), [(1, Some((epoch, 7)))]);
    assert_eq!(folder.take_next().map(|one| (one.at_ms, one.place)), Some((2, None)), "the other one waits still");
    folder.free(placed[0].id).unwrap();
    let again = folder.take_next().unwrap();
    assert_eq!((again.at_ms, again.place), (1, None));
    folder.done(again.id);
    let (mut folder, placed) = open(&disk);
    assert_eq!((placed.len(), folder.take_next().map(|one| one.at_ms)), (0, Some(2)));
}

/// However the power is cut, a report is there once: it waits, or it has the place that was asked for, or it was told to be gone.
#[test]
fn a_power_cut_at_any_operation_leaves_one_file_with_one_name() {
    let epoch = Epoch::new(5, 5);
    let steps = |disk: &CutDisk| -> io::Result<bool> {
        let (mut folder, _) = HandedFolder::open(Arc::new(disk.clone()), folder(), 0)?;
        let one = folder.take_next().ok_or(io::ErrorKind::NotFound)?;
        folder.claim(one.id, epoch, 1)?;
        folder.free(one.id)?;
        let one = folder.take_next().ok_or(io::ErrorKind::NotFound)?;
        folder.claim(one.id, epoch, 2)?;
        folder.done(one.id);
        Ok(true)
    };
    let begin = |seed| {
        let disk = CutDisk::new(seed);
        hand_over(&disk, 1);
        disk
    };
    let disk = begin(0);
    let before = disk.operations();
    assert!(steps(&disk).unwrap());
    for cut_at in 0..disk.operations() - before {
        for seed in 0..8 {
            let disk = begin(seed);
            disk.power_off_at(disk.operations() + cut_at);
            let went = steps(&disk);
            disk.cut();
            let (mut folder, placed) = open(&disk);
            let waiting = std::iter::from_fn(|| folder.take_next()).count();
            let there = placed.len() + waiting;
            let is_told_gone = matches!(went, Ok(true));
            assert!(there == 1 || (is_told_gone && there == 0), "cut at {cut_at}: {placed:?} and {waiting} waiting");
        }
    }
}

#[test]
fn foreign_and_torn_files_are_set_aside_and_named() {
    let disk = CutDisk::new(1);
    hand_over(&disk, 1);
    hand_over(&disk, 2);
    let (_, _) = open(&disk);
    write(&disk, "notes.txt", b"not ours");
    let torn = Name { at_ns: 1, random: 1, place: None }.text();
    write(&disk, &torn, b"MSTRHND\0 cut off");
    write(&disk, &format!("{torn}.new"), b"");
    let (mut folder, _) = open(&disk);
    let good: Vec<i64> = std::iter::from_fn(|| folder.take_next()).map(|one| one.at_ms).collect();
    assert_eq!(good, [1, 2], "the others are taken all the same");
    let problems = folder.problems();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.starts_with("2 files") && problems[0].place.contains("/state/handed/"), "{problems:?}");
    let names = disk.list(&self::folder()).unwrap();
    assert!(names.contains(&"notes.txt.aside".to_owned()) && names.contains(&format!("{torn}.new")), "{names:?}");
    folder.look(UNFINISHED_FOR_NS + 2).unwrap();
    let names = disk.list(&self::folder()).unwrap();
    assert!(!names.contains(&format!("{torn}.new")), "whoever wrote it is no more");
}
