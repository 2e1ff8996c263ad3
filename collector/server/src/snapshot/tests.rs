//! Snapshots of a store and a registry on a disk whose power can go: whole or none, and the data folder as it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::copy::{read_all, walk, write_new};
use muster_common::disk::cut::{CutDisk, DiskImage};
use muster_common::disk::{Disk, Open};
use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, Lane};
use muster_fleet::{Binding, Fleet, SnapshotKey, TokenSpec};
use muster_store::{Append, Parts, Record, Row, SampleBlock, Select, SeriesTable, Source as Sender};

use super::config_files::ConfigFiles;
use super::folder::{clear_unfinished, list};
use super::make::{Ask, Source, make};
use super::step::{Formats, before_opening};
use super::verify::check_contents;
use super::{Keys, Manifest, RESTORED, RESTORING, SnapshotError, restore, verify};

const DATA: &str = "/var/data";
const FOLDER: &str = "/var/snapshots";
const NEW: &str = "/new/data";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_704_110_400_000 + seconds * 1_000)
}

fn key() -> SnapshotKey {
    SnapshotKey::new(b"a key that is long enough").unwrap().with_rounds(2)
}

/// A store and a registry, open.
struct World {
    disk: Arc<dyn Disk>,
    parts: Parts,
    fleet: Fleet,
    data: PathBuf,
}

impl World {
    fn open(cut: &CutDisk, data: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let (disk, data): (Arc<dyn Disk>, _) = (Arc::new(cut.clone()), PathBuf::from(data));
        let restored = disk.open(&data.join(RESTORED), Open::Read).is_ok();
        let config = muster_store::Config { restored, inbox_cache_bytes: 1 << 20, ..muster_store::Config::new(&data) };
        let mut number = 4;
        let parts = muster_store::open(Arc::clone(&disk), config, at(0), &mut || {
            number += 1;
            number
        })?;
        let fleet = muster_fleet::open(Arc::clone(&disk), &data, at(0))?;
        fleet.set_incarnation(parts.writer.incarnation(), parts.past, at(0))?;
        Ok(Self { disk, parts, fleet, data })
    }

    /// Batch `seq` of the one host: three series, each with `seq` at that second.
    fn commit(&mut self, seq: u64) -> bool {
        let labels = |i: u8| LabelSet::new([("__name__", "up".to_owned()), ("i", i.to_string())]).unwrap();
        let table = Arc::new(SeriesTable::new((0..3).map(|i| (labels(i), MetricKind::Gauge)).collect()));
        let rows = vec![Row { at_ms: at(seq as i64).millis(), present: None, values: vec![seq as f64; 3] }];
        let source = Sender::Batch { host: HostId([7; 16]), epoch: Epoch::new(at(0).millis(), 9), lane: Lane::P1, seq };
        let records = vec![Record::Samples(SampleBlock::Rows { table, rows })];
        let append = Append { source, records, arrived: at(0), live: true };
        self.parts.writer.commit(&[append], at(0)).is_ok()
    }

    fn dump(&self) -> Vec<Vec<f64>> {
        let rows = self.parts.reader.view().select(&Select::all_times(&[])).unwrap();
        rows.into_iter().map(|row| row.values).collect()
    }

    fn make(&self, key: Option<SnapshotKey>) -> Result<Manifest, SnapshotError> {
        let source = Source { disk: &self.disk, admin: &self.parts.admin, fleet: &self.fleet, data: &self.data };
        let folder = PathBuf::from(FOLDER);
        let name = super::folder::free_name(&*self.disk, &folder, at(0), self.parts.writer.store_id())?;
        make(&source, &Ask { folder, key, config: ConfigFiles::default(), name, now: at(0) }, &|_, _| true)
    }
}

/// What stands in `http.key`.
const HTTP_KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----\n";

/// What `/var/data` holds: four batches, some of them in segments, a token, and the key of HTTPS.
fn filled() -> (CutDisk, World) {
    let cut = CutDisk::new(1);
    let mut world = World::open(&cut, DATA).unwrap();
    for seq in 1..=4 {
        assert!(world.commit(seq));
        if seq == 2 {
            world.parts.admin.flush(false, at(0)).unwrap();
        }
    }
    let spec = TokenSpec { binding: Binding::Name("web".into()), ..TokenSpec::default() };
    world.fleet.new_token(spec, at(0)).unwrap();
    write_new(&cut, &world.data.join("http.key"), HTTP_KEY).unwrap();
    cut.sync_dir(&world.data).unwrap();
    (cut, world)
}

/// A disk with one snapshot, and the snapshot's folder.
fn with_snapshot(key: Option<SnapshotKey>) -> (DiskImage, PathBuf) {
    let (cut, world) = filled();
    let manifest = world.make(key).unwrap();
    drop(world);
    (cut.image(), Path::new(FOLDER).join(manifest.id))
}

fn on(image: &DiskImage, seed: u64) -> (CutDisk, Arc<dyn Disk>) {
    let cut = CutDisk::from_image(seed, image);
    let disk: Arc<dyn Disk> = Arc::new(cut.clone());
    (cut, disk)
}

#[test]
fn what_was_there_is_there_after_a_restore_and_the_ca_is_the_same() {
    let (cut, mut world) = filled();
    let (pin, dump, tokens) = (world.fleet.pin(), world.dump(), world.fleet.tokens().len());
    let manifest = world.make(Some(key())).unwrap();
    assert_eq!((manifest.keys, manifest.version), (Keys::Sealed, 1));
    assert!(manifest.barrier_us > 0);
    let counts = manifest.counts.clone().unwrap();
    assert_eq!((counts.samples, counts.segments, counts.rows["authorities"]), (12, 2, 0));
    assert!(world.commit(5) && world.dump()[0].len() == 5, "it goes on");
    drop(world);
    let disk: Arc<dyn Disk> = Arc::new(cut.clone());
    let from = Path::new(FOLDER).join(&manifest.id);
    // The key of the CA is nowhere in the clear.
    let state = read_all(&*disk, &from.join("data/state.redb"), 1 << 30).unwrap();
    assert!(!state.windows(7).any(|part| part == b"key_der"));
    let sealed = read_all(&*disk, &from.join("http-key.sealed"), 1 << 20).unwrap();
    assert!(!sealed.windows(HTTP_KEY.len()).any(|part| part == HTTP_KEY) && manifest.has_http_key());
    assert_eq!(verify(&disk, &from, Some(&key())).unwrap(), manifest);
    let restored = restore(&disk, &from, Path::new(NEW), Some(&key()), true).unwrap();
    assert!(!restored.lost_keys);
    assert_eq!(read_all(&*disk, &Path::new(NEW).join("http.key"), 1 << 20).unwrap(), HTTP_KEY, "pins go on");
    let world = World::open(&cut, NEW).unwrap();
    assert_eq!((world.fleet.pin(), world.dump(), world.fleet.tokens().len()), (pin, dump, tokens));
    assert!(world.fleet.restored().is_some(), "what may be missing is named");
}

#[test]
fn a_snapshot_without_the_key_says_what_is_lost_and_makes_a_new_ca() {
    let (cut, world) = filled();
    let (pin, dump) = (world.fleet.pin(), world.dump());
    let manifest = world.make(None).unwrap();
    assert_eq!(manifest.keys, Keys::LeftOut);
    drop(world);
    let disk: Arc<dyn Disk> = Arc::new(cut.clone());
    let from = Path::new(FOLDER).join(&manifest.id);
    assert!(restore(&disk, &from, Path::new(NEW), None, true).unwrap().lost_keys);
    assert!(disk.open(&Path::new(NEW).join("http.key"), Open::Read).is_err());
    let world = World::open(&cut, NEW).unwrap();
    assert_ne!(world.fleet.pin(), pin);
    assert_eq!(world.dump(), dump);
}

#[test]
fn another_key_and_no_key_are_refused_before_anything_is_written() {
    let (image, from) = with_snapshot(Some(key()));
    let (_, disk) = on(&image, 1);
    let wrong = SnapshotKey::new(b"another key that is long").unwrap();
    for (key, told) in [
        (Some(&wrong), "this key does not open it: give the key file that was in force"),
        (None, "the CA's keys are sealed: give the key file"),
    ] {
        let error = restore(&disk, &from, Path::new(NEW), key, false).unwrap_err();
        assert!(crate::chain(&error).contains(told), "{}", crate::chain(&error));
        assert!(disk.list(Path::new(NEW)).is_err(), "nothing was made");
    }
    assert!(crate::chain(&verify(&disk, &from, Some(&wrong)).unwrap_err()).contains("does not open"));
}

#[test]
fn a_snapshot_that_is_not_as_it_was_made_is_refused_with_the_place() {
    let (image, from) = with_snapshot(Some(key()));
    let (files, _) = walk(&*on(&image, 1).1, &from).unwrap();
    assert!(files.len() >= 6, "{files:?}");
    let told = |disk: &Arc<dyn Disk>| {
        let error = restore(disk, &from, Path::new(NEW), Some(&key()), false).unwrap_err();
        assert!(disk.list(Path::new(NEW)).is_err(), "nothing was made");
        assert_eq!(verify(disk, &from, None).unwrap_err().to_string(), error.to_string());
        error.to_string()
    };
    for file in files {
        let path = from.join(&file);
        let shown = path.display().to_string();
        let (_, disk) = on(&image, 1);
        disk.unlink(&path).unwrap();
        let missing = told(&disk);
        assert!(
            missing.contains(&shown) && missing.contains("missing") || missing.contains("no complete snapshot"),
            "{missing}"
        );
        let (_, disk) = on(&image, 1);
        let opened = disk.open(&path, Open::Write).unwrap();
        let length = opened.len().unwrap();
        opened.set_len(length - 1).unwrap();
        let cut_off = told(&disk);
        assert!(cut_off.contains(&shown) && cut_off.contains("take another copy"), "{cut_off}");
        for place in [0, length / 2, length - 1] {
            let (_, disk) = on(&image, 1);
            let (opened, mut byte) = (disk.open(&path, Open::Write).unwrap(), [0]);
            opened.pread(&mut byte, place).unwrap();
            opened.pwrite(&[byte[0] ^ 8], place).unwrap();
            let flipped = told(&disk);
            assert!(flipped.contains(&shown) && flipped.contains("take another copy"), "{flipped}");
        }
    }
    let (_, disk) = on(&image, 1);
    write_new(&*disk, &from.join("data/inbox/99.redb"), b"x").unwrap();
    let more = told(&disk);
    assert!(more.contains("data/inbox/99.redb") && more.contains("no such file was in the snapshot"), "{more}");
}

#[test]
fn nothing_is_restored_over_data() {
    let (image, from) = with_snapshot(Some(key()));
    let (cut, disk) = on(&image, 1);
    let told = restore(&disk, &from, Path::new(DATA), Some(&key()), false).unwrap_err().to_string();
    assert!(
        told.contains("`/var/data` is not empty (`catalog.redb` lies there): name a folder that is empty"),
        "{told}"
    );
    assert_eq!(World::open(&cut, DATA).unwrap().dump()[0].len(), 4);
    disk.create_dir_all(&Path::new(NEW).join("lost+found")).unwrap();
    restore(&disk, &from, Path::new(NEW), Some(&key()), false).unwrap();
}

/// What stands in `/var/data` after the power came back: every batch that was acknowledged, and the CA.
fn check_data(cut: &CutDisk, place: u64) {
    let world = World::open(cut, DATA).unwrap_or_else(|error| panic!("cut at {place}: {error}"));
    assert_eq!(world.dump(), vec![vec![1.0, 2.0, 3.0, 4.0]; 3], "cut at {place}");
    assert_eq!(world.fleet.tokens().len(), 1, "cut at {place}");
}

#[test]
fn a_power_cut_at_any_operation_of_making_one_harms_nothing() {
    let (cut, world) = filled();
    drop(world);
    let image = cut.image();
    let mut whole = 0;
    for operation in 0.. {
        let (cut, disk) = on(&image, operation);
        let world = World::open(&cut, DATA).unwrap();
        cut.power_off_at(cut.operations() + operation);
        let made = world.make(Some(key()));
        let is_done = !cut.is_off();
        // Closing its files writes too.
        drop(world);
        cut.cut();
        check_data(&cut, operation);
        let found = list(&*disk, Path::new(FOLDER)).unwrap();
        assert!(found.len() <= 1);
        for one in found {
            if one.manifest.is_ok() {
                whole += 1;
                verify(&disk, &Path::new(FOLDER).join(&one.name), Some(&key()))
                    .unwrap_or_else(|error| panic!("cut at {operation}: {}", crate::chain(&error)));
            } else {
                assert!(made.is_err(), "cut at {operation}: none was made");
                let store = World::open(&cut, DATA).unwrap().parts.writer.store_id();
                assert_eq!(clear_unfinished(&*disk, Path::new(FOLDER), store).unwrap(), 1);
                assert!(disk.list(Path::new(FOLDER)).unwrap().is_empty());
            }
        }
        if is_done {
            made.unwrap();
            assert!(operation > 50 && whole > 0, "{operation} operations, {whole} whole");
            return;
        }
        assert!(made.is_err(), "cut at {operation}");
    }
}

#[test]
fn a_power_cut_at_any_operation_of_a_restore_leaves_what_is_refused_or_all_of_it() {
    let (image, from) = with_snapshot(Some(key()));
    for operation in 0.. {
        let (cut, disk) = on(&image, operation);
        cut.power_off_at(cut.operations() + operation);
        let done = restore(&disk, &from, Path::new(NEW), Some(&key()), false);
        let is_done = !cut.is_off();
        cut.cut();
        let there = disk.list(Path::new(NEW)).unwrap_or_default();
        let has = |name: &str| there.iter().any(|one| one == name);
        if has(RESTORING) || there.is_empty() {
            assert!(!is_done, "cut at {operation}");
            // Begun anew it comes to its end.
            restore(&disk, &from, Path::new(NEW), Some(&key()), true)
                .unwrap_or_else(|error| panic!("cut at {operation}: {}", crate::chain(&error)));
        } else {
            assert!(has(RESTORED), "cut at {operation}: {there:?}");
            let manifest = Manifest::read(&*disk, &from).unwrap();
            check_contents(&disk, Path::new(NEW), &manifest).unwrap();
        }
        let world = World::open(&cut, NEW).unwrap_or_else(|error| panic!("cut at {operation}: {error}"));
        assert_eq!(world.dump(), vec![vec![1.0, 2.0, 3.0, 4.0]; 3], "cut at {operation}");
        drop(world);
        // The snapshot is only read.
        verify(&disk, &from, None).unwrap();
        if is_done {
            done.unwrap();
            assert!(operation > 20);
            return;
        }
    }
}

#[test]
fn a_disk_without_room_ends_a_snapshot_and_keeps_nothing_of_it() {
    let (cut, world) = filled();
    let used = {
        let space = |cut: &CutDisk| cut.space(Path::new("/")).unwrap();
        cut.set_capacity(Some(1 << 40));
        space(&cut).total_bytes - space(&cut).free_bytes
    };
    cut.set_capacity(Some(used + (200 << 20)));
    let told = world.make(None).unwrap_err().to_string();
    assert!(
        told.contains("there is no room for a snapshot in `/var/snapshots`") && told.contains("MiB are free"),
        "{told}"
    );
    assert!(world.disk.list(Path::new(FOLDER)).unwrap().is_empty());
    // Room that goes away meanwhile: others write too.
    cut.set_capacity(None);
    cut.fail(muster_common::disk::cut::Operation::Write, 40, 1, muster_common::disk::cut::Fault::NoSpace);
    let told = world.make(None).unwrap_err().to_string();
    assert!(told.contains("became full, so what there was of the snapshot is removed"), "{told}");
    assert!(world.disk.list(Path::new(FOLDER)).unwrap().is_empty());
    world.make(None).unwrap();
    drop(world);
    check_data(&cut, 0);
}

#[test]
fn one_that_is_given_up_is_removed() {
    let (_, world) = filled();
    let source = Source { disk: &world.disk, admin: &world.parts.admin, fleet: &world.fleet, data: &world.data };
    let ask = Ask {
        folder: FOLDER.into(),
        key: None,
        config: ConfigFiles::default(),
        name: "20240101T120000Z-05000000".into(),
        now: at(0),
    };
    assert!(matches!(make(&source, &ask, &|_, _| false), Err(SnapshotError::Cancelled)));
    assert!(world.disk.list(Path::new(FOLDER)).unwrap().is_empty());
}

#[test]
fn before_a_format_changes_the_folder_is_copied_and_comes_back() {
    let (cut, world) = filled();
    drop(world);
    let disk: Arc<dyn Disk> = Arc::new(cut.clone());
    let before = |known| before_opening(&disk, Path::new(DATA), Path::new(FOLDER), known, at(0));
    assert_eq!(before(Formats::KNOWN).unwrap(), None);
    assert!(disk.list(Path::new(FOLDER)).is_err(), "nothing is made for nothing");
    let none = before_opening(&disk, Path::new("/none"), Path::new(FOLDER), Formats::KNOWN, at(0));
    assert_eq!(none.unwrap(), None, "a folder that is to be made");
    let newer = Formats { state: Some(muster_fleet::FORMAT + 1), ..Formats::KNOWN };
    let name = before(newer).unwrap().unwrap();
    let from = Path::new(FOLDER).join(&name);
    let manifest = verify(&disk, &from, None).unwrap();
    assert_eq!((manifest.keys, manifest.counts.is_none()), (Keys::Plain, true));
    restore(&disk, &from, Path::new(NEW), None, true).unwrap();
    let (old, new) = (World::open(&cut, DATA).unwrap(), World::open(&cut, NEW).unwrap());
    assert_eq!((old.dump(), old.fleet.pin()), (new.dump(), new.fleet.pin()));
    // Without room the collector does not start.
    drop((old, new));
    cut.fail(muster_common::disk::cut::Operation::Write, 3, 1, muster_common::disk::cut::Fault::NoSpace);
    assert!(matches!(before(newer), Err(SnapshotError::Full { .. })));
    assert_eq!(disk.list(Path::new(FOLDER)).unwrap(), [name]);
}
