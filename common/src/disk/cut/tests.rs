use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use super::*;
use crate::disk::real::RealDisk;
use crate::disk::{Disk, DiskFile, Open};

const OLD: u8 = b'o';
const NEW: u8 = b'n';

fn path(name: &str) -> std::path::PathBuf {
    Path::new("/data").join(name)
}

fn disk(seed: u64) -> CutDisk {
    let disk = CutDisk::new(seed);
    disk.create_dir_all(Path::new("/data")).unwrap();
    disk
}

/// A durable file of `bytes` old bytes.
fn durable_file(disk: &CutDisk, name: &str, bytes: usize) -> Box<dyn DiskFile> {
    let file = disk.open(&path(name), Open::Create).unwrap();
    file.pwrite(&vec![OLD; bytes], 0).unwrap();
    file.sync().unwrap();
    disk.sync_dir(Path::new("/data")).unwrap();
    file
}

fn read(disk: &dyn Disk, path: &Path) -> std::io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap()];
    file.pread(&mut bytes, 0)?;
    Ok(bytes)
}

/// What both disks must do alike, below a folder that does not exist yet.
fn conform(disk: &dyn Disk, root: &Path) {
    let kind = |result: std::io::Result<()>| result.map_err(|error| error.kind());
    let opened = |path: &Path, how| disk.open(path, how).map(|_| ()).map_err(|error| error.kind());
    let folder = root.join("a/b");
    assert_eq!(disk.list(&folder).map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    disk.create_dir_all(&folder).unwrap();
    disk.create_dir_all(&folder).unwrap();
    assert_eq!(disk.list(root).unwrap(), ["a"]);
    let (one, two) = (folder.join("one"), folder.join("two"));
    assert_eq!(opened(&one, Open::Read), Err(ErrorKind::NotFound));
    assert_eq!(opened(&one, Open::Write), Err(ErrorKind::NotFound));
    assert_eq!(opened(&root.join("none/one"), Open::Create), Err(ErrorKind::NotFound));

    let file = disk.open(&one, Open::Create).unwrap();
    assert_eq!(opened(&one, Open::Create), Err(ErrorKind::AlreadyExists));
    assert!(file.is_empty().unwrap());
    file.pwrite(b"abc", 0).unwrap();
    file.pwrite(b"xyz", 6).unwrap();
    assert_eq!(read(disk, &one).unwrap(), b"abc\0\0\0xyz");
    file.set_len(4).unwrap();
    file.set_len(6).unwrap();
    file.pwrite(b"", 100).unwrap();
    assert_eq!(read(disk, &one).unwrap(), b"abc\0\0\0", "a cut end comes back as zeros");
    let mut more = [0; 7];
    assert_eq!(kind(file.pread(&mut more, 0)), Err(ErrorKind::UnexpectedEof));
    assert_eq!(kind(file.pread(&mut more[..1], 6)), Err(ErrorKind::UnexpectedEof));
    assert_eq!(kind(file.pread(&mut [], 1000)), Ok(()));
    file.sync().unwrap();

    let reader = disk.open(&one, Open::Read).unwrap();
    assert!(reader.pwrite(b"x", 0).is_err() && reader.set_len(0).is_err(), "opened for reading");
    file.pwrite(b"A", 0).unwrap();
    reader.pread(&mut more[..1], 0).unwrap();
    assert_eq!(more[0], b'A', "all handles see one file");

    disk.open(&two, Open::Create).unwrap().pwrite(b"two", 0).unwrap();
    assert_eq!(disk.list(&folder).unwrap(), ["one", "two"]);
    assert_eq!(disk.list(&one).map_err(|error| error.kind()), Err(ErrorKind::NotADirectory));
    assert_eq!(kind(disk.rename(&folder.join("none"), &two)), Err(ErrorKind::NotFound));
    disk.rename(&two, &two).unwrap();
    disk.rename(&two, &one).unwrap();
    assert_eq!(read(disk, &one).unwrap(), b"two");
    assert_eq!(file.len().unwrap(), 6, "a replaced file lives on in its handles");
    assert_eq!(kind(disk.unlink(&two)), Err(ErrorKind::NotFound));
    disk.rename(&one, &root.join("a/moved")).unwrap();
    assert_eq!(disk.list(&folder).unwrap(), Vec::<String>::new());
    assert_eq!(disk.list(&root.join("a")).unwrap(), ["b", "moved"]);

    let file = disk.open(&root.join("a/moved"), Open::Write).unwrap();
    disk.unlink(&root.join("a/moved")).unwrap();
    file.pwrite(b"still", 0).unwrap();
    file.pread(&mut more[..5], 0).unwrap();
    assert_eq!(&more[..5], b"still", "an unlinked file lives on in its handles");
    disk.sync_dir(&root.join("a")).unwrap();
    file.pread(&mut more[..5], 0).unwrap();
    assert_eq!(kind(disk.sync_dir(&root.join("gone"))), Err(ErrorKind::NotFound));
    assert_eq!(kind(disk.unlink(&folder)), Err(ErrorKind::IsADirectory));
    let space = disk.space(root).unwrap();
    assert!(space.free_bytes > 0 && space.free_bytes <= space.total_bytes);
}

#[test]
fn the_real_and_the_cut_disk_behave_alike() {
    conform(&CutDisk::new(1), Path::new("/data"));
    let folder = std::env::temp_dir().join(format!("muster-disk-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    conform(&RealDisk, &folder.join("data"));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn synced_writes_survive_every_cut() {
    for seed in 0..200 {
        let disk = disk(seed);
        let file = durable_file(&disk, "a", 3000);
        file.pwrite(&[NEW; 700], 300).unwrap();
        file.set_len(2000).unwrap();
        file.sync().unwrap();
        disk.cut();
        let mut expected = vec![OLD; 2000];
        expected[300..1000].fill(NEW);
        assert_eq!(read(&disk, &path("a")).unwrap(), expected, "seed {seed}");
        assert!(file.sync().is_err() && file.len().is_err(), "a handle from before the cut");
    }
}

#[test]
fn unsynced_writes_survive_whole_or_torn_or_not_at_all() {
    let (mut none, mut all, mut torn, mut second_only) = (0, 0, 0, 0);
    for seed in 0..400 {
        let disk = disk(seed);
        let file = durable_file(&disk, "a", 8192);
        file.pwrite(&[NEW; 4096], 0).unwrap();
        file.pwrite(&[NEW; 1000], 5000).unwrap();
        disk.cut();
        let bytes = read(&disk, &path("a")).unwrap();
        assert_eq!(bytes.len(), 8192);
        for sector in bytes[..4096].chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "sectors are whole, seed {seed}");
        }
        assert!(
            bytes[4096..5000].iter().chain(&bytes[6000..]).all(|byte| *byte == OLD),
            "only what was written changes"
        );
        match bytes[..4096].iter().filter(|byte| **byte == NEW).count() {
            0 => none += 1,
            4096 => all += 1,
            _ => torn += 1,
        }
        second_only += u32::from(bytes[..4096].iter().all(|byte| *byte == OLD) && bytes[5000..6000].contains(&NEW));
    }
    assert!(none > 40 && all > 40 && torn > 40 && second_only > 10, "{none} {all} {torn} {second_only}");
}

#[test]
fn a_length_survives_as_one_that_the_file_had() {
    let mut lengths = BTreeSet::new();
    for seed in 0..200 {
        let disk = disk(seed);
        let file = durable_file(&disk, "a", 1000);
        file.set_len(400).unwrap();
        file.pwrite(&[NEW; 1000], 1000).unwrap();
        disk.cut();
        let bytes = read(&disk, &path("a")).unwrap();
        lengths.insert(bytes.len());
        if bytes.len() == 2000 {
            assert!(bytes[400..1000].iter().all(|byte| *byte == 0), "what a shorter length took away never comes back");
        }
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [400, 1000, 2000]);
}

#[test]
fn names_survive_only_after_the_folder_is_synced() {
    let (mut old, mut new, mut both_files) = (0, 0, 0);
    for seed in 0..200 {
        let disk = disk(seed);
        drop(durable_file(&disk, "a", 10));
        let file = disk.open(&path("b"), Open::Create).unwrap();
        file.pwrite(&[NEW; 10], 0).unwrap();
        file.sync().unwrap();
        disk.rename(&path("b"), &path("a")).unwrap();
        let synced = seed % 2 == 0;
        if synced {
            disk.sync_dir(Path::new("/data")).unwrap();
        }
        disk.cut();
        let bytes = read(&disk, &path("a")).unwrap();
        assert!(bytes == [OLD; 10] || bytes == [NEW; 10], "one or the other, whole");
        assert!(!synced || bytes == [NEW; 10]);
        both_files += u32::from(disk.list(Path::new("/data")).unwrap().len() == 2);
        if bytes == [NEW; 10] { new += 1 } else { old += 1 }
    }
    assert!(old > 20 && new > 120 && both_files > 10, "{old} {new} {both_files}");
}

#[test]
fn unsynced_names_survive_as_a_prefix_of_their_order() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let disk = disk(seed);
        drop(durable_file(&disk, "a", 1));
        disk.open(&path("b"), Open::Create).unwrap();
        disk.unlink(&path("a")).unwrap();
        disk.open(&path("c"), Open::Create).unwrap();
        disk.cut();
        seen.insert(disk.list(Path::new("/data")).unwrap().concat());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["a", "ab", "b", "bc"]);
}

#[test]
fn syncing_one_folder_brings_what_its_names_stand_on() {
    let disk = disk(3);
    let other = Path::new("/other");
    disk.create_dir_all(other).unwrap();
    let file = disk.open(&path("a"), Open::Create).unwrap();
    file.pwrite(&[NEW; 3], 0).unwrap();
    file.sync().unwrap();
    disk.open(&path("stays"), Open::Create).unwrap();
    disk.rename(&path("a"), &other.join("a")).unwrap();
    disk.sync_dir(other).unwrap();
    let image = disk.image();
    assert_eq!(image.files().collect::<Vec<_>>(), [other.join("a")]);
    assert_eq!(image.file(&other.join("a")), Some(&[NEW; 3][..]));
}

#[test]
fn a_failed_sync_leaves_its_writes_to_chance_for_good() {
    let (mut kept, mut lost) = (0, 0);
    for seed in 0..100 {
        let disk = disk(seed);
        let file = durable_file(&disk, "a", 2048);
        file.pwrite(&[NEW; 512], 0).unwrap();
        disk.fail(Operation::Sync, 1, 1, Fault::Io);
        assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(5));
        file.pwrite(&[NEW; 512], 1024).unwrap();
        file.sync().unwrap();
        disk.cut();
        let bytes = read(&disk, &path("a")).unwrap();
        assert!(bytes[1024..1536].iter().all(|byte| *byte == NEW), "what a good sync followed is durable");
        if bytes[0] == NEW { kept += 1 } else { lost += 1 }
    }
    assert!(kept > 10 && lost > 10, "{kept} {lost}");
}

#[test]
fn planned_errors_come_when_planned() {
    let disk = disk(1);
    let file = durable_file(&disk, "a", 100);
    disk.fail(Operation::Write, 2, 2, Fault::NoSpace);
    file.pwrite(b"1", 0).unwrap();
    assert_eq!(file.pwrite(b"2", 0).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.pwrite(b"3", 0).unwrap_err().kind(), ErrorKind::StorageFull);
    file.pwrite(b"4", 0).unwrap();
    disk.fail(Operation::Rename, 1, 1, Fault::Io);
    assert!(disk.rename(&path("a"), &path("b")).is_err());
    disk.rename(&path("a"), &path("b")).unwrap();
    disk.fail(Operation::Create, 1, 1, Fault::Io);
    assert!(disk.open(&path("c"), Open::Create).is_err());
    assert_eq!(disk.list(Path::new("/data")).unwrap(), ["b"]);
}

#[test]
fn the_power_goes_before_the_operation_asked_for() {
    let disk = disk(1);
    let file = durable_file(&disk, "a", 100);
    disk.power_off_at(disk.operations() + 1);
    file.pwrite(&[NEW; 100], 0).unwrap();
    assert!(!disk.is_off());
    assert!(file.sync().is_err() && disk.is_off());
    assert!(file.pread(&mut [0], 0).is_err() && disk.open(&path("a"), Open::Read).is_err());
    disk.cut();
    assert!(!disk.is_off());
    disk.power_off();
    assert!(disk.list(Path::new("/data")).is_err());
    disk.cut();
    assert_eq!(read(&disk, &path("a")).unwrap().len(), 100);
}

#[test]
fn a_full_disk_takes_what_has_room_and_frees_what_is_unlinked() {
    let disk = disk(1);
    disk.set_capacity(Some(1000));
    let file = durable_file(&disk, "a", 900);
    assert_eq!(disk.space(Path::new("/")).unwrap().free_bytes, 100);
    assert_eq!(file.pwrite(&[NEW; 300], 800).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 1000, "the part with room was written");
    file.pwrite(&[NEW; 10], 0).unwrap();
    assert_eq!(file.set_len(1001).unwrap_err().kind(), ErrorKind::StorageFull);
    drop(file);
    disk.unlink(&path("a")).unwrap();
    drop(durable_file(&disk, "b", 1000));
}

#[test]
fn an_image_is_the_durable_state_and_can_be_gone_back_to() {
    let disk = disk(1);
    let file = durable_file(&disk, "a", 600);
    let image = disk.image();
    file.pwrite(&[NEW; 600], 0).unwrap();
    disk.open(&path("b"), Open::Create).unwrap();
    assert_eq!(disk.image(), image, "nothing of it is durable yet");
    file.sync().unwrap();
    assert_ne!(disk.image(), image);
    let clone = CutDisk::from_image(2, &image);
    disk.restore_image(&image);
    assert!(file.len().is_err(), "a handle from before");
    for one in [&disk, &clone] {
        assert_eq!(read(one, &path("a")).unwrap(), [OLD; 600]);
        assert_eq!(one.list(Path::new("/data")).unwrap(), ["a"]);
    }
}

#[test]
fn the_same_seed_gives_the_same_disk() {
    let run = |seed| {
        let disk = disk(seed);
        let mut images = Vec::new();
        for round in 0..20 {
            let file = durable_file(&disk, &format!("f{round}"), 2000);
            file.pwrite(&[NEW; 1500], 700).unwrap();
            disk.rename(&path(&format!("f{round}")), &path("last")).unwrap();
            disk.cut();
            images.push(disk.image());
        }
        images
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
