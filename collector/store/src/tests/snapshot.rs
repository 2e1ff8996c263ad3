//! Copies of a store that goes on: each is the store as it was at one moment, whole, and a copy that is not is not believed.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use muster_common::disk::copy::walk;
use muster_common::disk::cut::CutDisk;
use muster_common::disk::{Disk, DiskFile, Open, Space};

use super::world::{BEGIN_MS, World, batch, config, epoch, open_at, scrape, table};
use crate::{
    Admin, Config, FORMAT, FileError, OpenError, Outcome, Reborn, SnapshotError, StoreCopy, StoreCounts, check_copy,
    count_copy, identity_of, open,
};

const COPY: &str = "/copies/one";

fn copy(admin: &Admin, disk: &Arc<dyn Disk>, folder: &str, world_now: muster_common::time::Timestamp) -> StoreCopy {
    disk.create_dir_all(Path::new(folder)).unwrap();
    let copied = admin.copy_to(&**disk, Path::new(folder), world_now, &|| true, || Ok::<(), SnapshotError>(()));
    copied.unwrap().0
}

fn reopened(disk: &Arc<dyn Disk>, folder: &str) -> World {
    open_at(disk, Config { restored: true, ..config(Path::new(folder)) })
}

fn filled(disk: &Arc<dyn Disk>) -> World {
    let mut world = open_at(disk, config(Path::new("/data")));
    let up = table("up", "a", 3);
    for seq in 1..=4_u64 {
        let at_ms = BEGIN_MS + seq as i64 * 15_000;
        world.commit(&[batch(epoch(1), seq, vec![scrape(&up, at_ms, seq as f64)])]);
        if seq % 2 == 0 {
            world.parts.admin.flush(false, world.now).unwrap();
        }
    }
    world
}

#[test]
fn a_copy_is_the_store_at_its_moment_and_the_store_goes_on() {
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::new(1));
    let mut world = filled(&disk);
    let up = table("up", "a", 3);
    let next = |seq: u64| batch(epoch(1), seq, vec![scrape(&up, BEGIN_MS + seq as i64 * 15_000, seq as f64)]);
    world.commit(&[next(5)]);
    let before = world.dump();
    let made = copy(&world.parts.admin, &disk, COPY, world.now);
    assert_eq!((made.linked, made.copied), (3, 0));
    assert_eq!(world.dump(), before);
    // It goes on: another batch, merges, files that go.
    world.commit(&[next(6)]);
    world.parts.admin.flush(true, world.now).unwrap();
    world.parts.admin.maintain(world.now).unwrap();
    let counts = check_copy(&disk, Path::new(COPY)).unwrap();
    assert_eq!(counts, count_copy(&disk, Path::new(COPY)).unwrap());
    // All of it was flushed; the file of the barrier has marks alone.
    assert_eq!(counts, StoreCounts { segments: 3, samples: 15, inbox_files: 1, ..StoreCounts::default() });
    let mut copied = reopened(&disk, COPY);
    assert_eq!((copied.dump(), copied.raw_count()), (before, 15));
    assert_eq!(copied.parts.past.reborn, Some(Reborn::Restored));
    assert_eq!(copied.parts.writer.store_id(), world.parts.writer.store_id());
    // Its marks are those of the moment: batch 5 is known, 6 is next.
    assert_eq!(copied.commit(&[next(5)]), [Outcome::Repeat { mark: 5 }]);
    assert!(matches!(copied.commit(&[next(6)])[..], [Outcome::Committed { .. }]));
    assert_eq!(world.raw_count(), 18);
}

#[test]
fn what_the_inbox_holds_is_copied_with_it() {
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::new(1));
    let mut world = filled(&disk);
    let up = table("up", "a", 3);
    disk.create_dir_all(Path::new(COPY)).unwrap();
    // What is committed between the flush before the barrier and the barrier is only in the inbox: here nobody can commit then, so the
    // state of small things stands for it, whose file waits for state.redb though it is flushed.
    world.commit(&[super::world::gap(epoch(1), 5, 6), batch(epoch(1), 7, vec![scrape(&up, BEGIN_MS + 1, 7.0)])]);
    let made = copy(&world.parts.admin, &disk, COPY, world.now);
    let counts = check_copy(&disk, Path::new(COPY)).unwrap();
    assert_eq!((counts.inbox_files, counts.inbox_entries, counts.samples), (2, 0, 15));
    let copied = reopened(&disk, COPY);
    let entries = copied.parts.replay.after(None).unwrap();
    assert_eq!(entries.len(), 1, "the gap is there for state.redb");
    assert!(entries[0].position.generation < made.generation);
}

#[test]
fn copies_under_load_are_prefixes_of_what_was_acknowledged() {
    let cut = CutDisk::new(7);
    let disk: Arc<dyn Disk> = Arc::new(cut);
    // A seal every few commits, so that copies meet all of its moments.
    let small = Config { generation_bytes_max: 3_000, merge_segments_min: 4, ..config(Path::new("/data")) };
    let World { parts, now } = open_at(&disk, small);
    let (admin, mut writer) = (parts.admin.clone(), parts.writer);
    // How far it may be ahead: a fast writer would else have the copies grow without end.
    const AHEAD: u64 = 60;
    let (acked, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let allowed = Arc::new(AtomicU64::new(0));
    let (told, over, bound) = (Arc::clone(&acked), Arc::clone(&is_over), Arc::clone(&allowed));
    let committing = std::thread::spawn(move || {
        let up = table("up", "a", 3);
        let mut seq = 1;
        while !over.load(Ordering::Acquire) {
            if seq > bound.load(Ordering::Acquire) {
                std::thread::yield_now();
                continue;
            }
            let one = batch(epoch(1), seq, vec![scrape(&up, BEGIN_MS + seq as i64, seq as f64)]);
            // While flushes are held for a copy it may be told to wait.
            if writer.commit(&[one], now).is_ok() {
                told.store(seq, Ordering::Release);
                seq += 1;
            }
        }
        seq - 1
    });
    let mut copies = Vec::new();
    for number in 0..12 {
        let target = acked.load(Ordering::Acquire) + 10;
        allowed.store(target + AHEAD, Ordering::Release);
        while acked.load(Ordering::Acquire) < target {
            admin.maintain(now).unwrap();
            assert!(!committing.is_finished(), "the writer ended in a panic");
        }
        let folder = format!("/copies/{number}");
        let before = acked.load(Ordering::Acquire);
        copy(&admin, &disk, &folder, now);
        copies.push((folder, before, acked.load(Ordering::Acquire)));
    }
    is_over.store(true, Ordering::Release);
    let all = committing.join().unwrap();
    let mut went_on = 0;
    for (folder, before, after) in copies {
        check_copy(&disk, Path::new(&folder)).unwrap();
        let copied = reopened(&disk, &folder);
        let rows = copied.parts.reader.view().select(&crate::Select::all_times(&[])).unwrap();
        assert_eq!(rows.len(), 3);
        let known = rows[0].millis.len() as u64;
        // One may have been durable and not yet told of.
        assert!((before..=after + 1).contains(&known), "{known} of {before} to {after}");
        let values: Vec<f64> = (1..=known).map(|seq| seq as f64).collect();
        for (place, row) in rows.iter().enumerate() {
            let expected: Vec<f64> = values.iter().map(|value| value + place as f64).collect();
            assert_eq!(row.values, expected, "no batch is missing, half or twice");
        }
        assert_eq!(copied.raw_count(), known * 3);
        went_on += u64::from(all > after);
    }
    assert!(went_on > 0);
}

/// A disk from which nothing can be linked, as one that lies elsewhere.
struct Elsewhere(CutDisk);

impl Disk for Elsewhere {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        self.0.open(path, how)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        self.0.sync_dir(folder)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.0.unlink(path)
    }
    fn link(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::CrossesDevices.into())
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.0.list(folder)
    }
    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        self.0.create_dir_all(folder)
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        self.0.space(path)
    }
}

#[test]
fn where_nothing_can_be_linked_it_is_copied_and_counted_before() {
    let cut = CutDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(Elsewhere(cut));
    let world = filled(&disk);
    disk.create_dir_all(Path::new(COPY)).unwrap();
    let needed = world.parts.admin.copy_bytes(Path::new(COPY)).unwrap();
    let made = copy(&world.parts.admin, &disk, COPY, world.now);
    assert_eq!((made.linked, made.copied), (0, 2));
    let (files, _) = walk(&*disk, Path::new(COPY)).unwrap();
    let length = |path: &std::path::PathBuf| disk.open(&Path::new(COPY).join(path), Open::Read).unwrap().len().unwrap();
    let segments: u64 = files.iter().filter(|file| file.extension().is_some_and(|end| end == "seg")).map(length).sum();
    assert!(segments > 0 && needed > segments, "{needed} for {segments} and more");
    assert_eq!(reopened(&disk, COPY).dump(), world.dump());
}

#[test]
fn a_copy_that_is_not_whole_is_not_believed() {
    let cut = CutDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(cut.clone());
    let world = filled(&disk);
    copy(&world.parts.admin, &disk, COPY, world.now);
    drop(world);
    let image = cut.image();
    let (files, _) = walk(&*disk, Path::new(COPY)).unwrap();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        let path = Path::new(COPY).join(&file);
        cut.restore_image(&image);
        check_copy(&disk, Path::new(COPY)).unwrap();
        disk.unlink(&path).unwrap();
        let told = check_copy(&disk, Path::new(COPY)).unwrap_err().to_string();
        let folder = path.parent().unwrap().display().to_string();
        assert!(told.contains(&folder), "{told}");
        if file.extension().is_some_and(|end| end == "seg") {
            cut.restore_image(&image);
            let opened = disk.open(&path, Open::Write).unwrap();
            let middle = opened.len().unwrap() / 2;
            let mut byte = [0];
            opened.pread(&mut byte, middle).unwrap();
            opened.pwrite(&[byte[0] ^ 1], middle).unwrap();
            let told = check_copy(&disk, Path::new(COPY)).unwrap_err().to_string();
            assert!(told.contains(&path.display().to_string()), "{told}");
        }
    }
}

#[test]
fn a_later_format_is_refused_by_name_and_tells_its_store() {
    use redb::TableDefinition;
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::new(1));
    let world = filled(&disk);
    copy(&world.parts.admin, &disk, COPY, world.now);
    let known = identity_of(&*disk, Path::new(COPY)).unwrap().unwrap();
    assert_eq!((known.format, known.store_id), (FORMAT, world.parts.writer.store_id()));
    assert_eq!(identity_of(&*disk, Path::new("/none")).unwrap(), None);
    let meta: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
    let newer = |file: &str| {
        let database = crate::database::open_database(&*disk, &Path::new(COPY).join(file), false, 1 << 20).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(meta).unwrap().insert("version", FORMAT + 1).unwrap();
        transaction.commit().unwrap();
    };
    let inbox = disk.list(&Path::new(COPY).join("inbox")).unwrap();
    for file in [format!("inbox/{}", inbox[0]), "catalog.redb".to_owned()] {
        newer(&file);
        let told = check_copy(&disk, Path::new(COPY)).unwrap_err().to_string();
        assert!(told.contains(&file) && told.contains("has format 2, but this version reads only up to 1"), "{told}");
        let opened = open(disk.clone(), config(Path::new(COPY)), world.now, &mut || 5).map(drop);
        assert!(matches!(opened, Err(OpenError::File(FileError::Version { found: 2, known: 1, .. }))), "{opened:?}");
    }
    assert_eq!(identity_of(&*disk, Path::new(COPY)).unwrap().unwrap().store_id, known.store_id);
}

#[test]
fn a_copy_of_bytes_can_be_given_up() {
    let disk: Arc<dyn Disk> = Arc::new(CutDisk::new(1));
    let world = filled(&disk);
    disk.create_dir_all(Path::new(COPY)).unwrap();
    let given_up = |folder: &Path| {
        world.parts.admin.copy_to(&*disk, folder, world.now, &|| false, || Ok::<(), SnapshotError>(())).unwrap_err()
    };
    assert!(matches!(given_up(Path::new(COPY)), SnapshotError::File(FileError::Disk { .. })));
    assert_eq!(world.dump().len(), 3);
}
