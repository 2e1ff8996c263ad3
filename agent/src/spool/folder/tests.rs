mod shares;

use std::path::Path;

use muster_common::disk::cut::{CutDisk, Fault, Operation};

use super::*;
use crate::own::DropReason;
use crate::spool::Found;
use crate::spool::epochs::StoreSeen;
use crate::spool::epochs::{EpochRow, EpochState};

const HOST: HostId = HostId([5; 16]);
const FOLDER: &str = "/state/spool";

fn epoch(number: i64) -> Epoch {
    Epoch::new(number, 7)
}

fn config(bytes_max: u64) -> SpoolConfig {
    let limits = SpoolLimits {
        bytes_max,
        file_system_percent: 100,
        free_percent: 0,
        metrics_percent: 100,
        reports_percent: 100,
    };
    SpoolConfig { folder: FOLDER.into(), host: HOST, limits }
}

fn open(disk: &CutDisk) -> (Spool, Loaded) {
    Spool::open(Arc::new(disk.clone()), config(64 << 20), Arc::new(Own::default())).unwrap()
}

fn row(number: i64, last: u64, state: EpochState) -> EpochRow {
    EpochRow {
        epoch: epoch(number),
        last_seq: [0, last, 0],
        known_seq: [0, 2, 0],
        acked: [0, 1, 0],
        state,
        joined_from_ms: -4,
    }
}

fn keep(spool: &mut Spool, rows: Vec<EpochRow>) -> bool {
    let store = Some(StoreSeen { store_id: [3; 16], incarnation: 9 });
    let request = SpoolRequest::Keep { version: 1, table: EpochTable { store, rows }, sync_first: true };
    spool.serve(request) == Some(SpoolAnswer::Kept { version: 1, trouble: None })
}

fn body(seq: u64, length: usize) -> Arc<[u8]> {
    (0..length).map(|at| (seq as usize * 31 + at) as u8).collect()
}

fn batch(number: i64, seq: u64, context: u32, length: usize) -> SpooledBatch {
    let (from_ms, to_ms) = (seq as i64 * 10, seq as i64 * 10 + 5);
    SpooledBatch { epoch: epoch(number), lane: Lane::P1, seq, context, from_ms, to_ms, frame: body(seq, length) }
}

fn context(id: u32) -> Arc<[u8]> {
    body(u64::from(id) + 1000, 300)
}

fn append(spool: &mut Spool, batch: SpooledBatch) -> AppendOutcome {
    let context_frame = (batch.context != 0).then(|| context(batch.context));
    match spool.serve(SpoolRequest::Append { batch, context_frame }) {
        Some(SpoolAnswer::Appended { outcome, .. }) => outcome,
        other => panic!("{other:?}"),
    }
}

fn read(spool: &mut Spool, number: i64, from: u64, have_context: u32) -> Option<Found> {
    match spool.serve(SpoolRequest::Read { epoch: epoch(number), lane: Lane::P1, from, have_context }) {
        Some(SpoolAnswer::Found { found, .. }) => found,
        other => panic!("{other:?}"),
    }
}

/// All seqs of an epoch, read as a drain does; every frame and context is checked.
fn drain(spool: &mut Spool, number: i64) -> Vec<u64> {
    let (mut seqs, mut from, mut have) = (Vec::new(), 1, 0);
    while let Some(found) = read(spool, number, from, have) {
        let seq = found.batch.seq;
        assert!(seq >= from && found.batch == batch(number, seq, found.batch.context, found.batch.frame.len()));
        if found.batch.context != have {
            assert_eq!(found.context_frame, Some(context(found.batch.context)), "seq {seq}");
            have = found.batch.context;
        }
        seqs.push(seq);
        from = seq + 1;
    }
    seqs
}

fn files(disk: &CutDisk) -> usize {
    disk.list(Path::new(FOLDER)).unwrap().iter().filter(|name| segment::is_file_name(name)).count()
}

fn ack(spool: &mut Spool, number: i64, seq: u64) {
    assert_eq!(spool.serve(SpoolRequest::Acked { epoch: epoch(number), lane: Lane::P1, seq }), None);
}

#[test]
fn what_was_appended_comes_back_in_order_with_its_context_now_and_after_a_restart() {
    let disk = CutDisk::new(1);
    let (mut spool, loaded) = open(&disk);
    assert_eq!(loaded, Loaded { is_rebuilt: true, ..Loaded::default() });
    assert!(keep(&mut spool, vec![row(1, 256, EpochState::Open), row(2, 256, EpochState::Open)]));
    for seq in 1..=40 {
        let outcome = append(&mut spool, batch(1, seq, 1 + seq as u32 / 10, 200));
        assert!(matches!(outcome, AppendOutcome::Held { .. }));
        if seq % 2 == 0 {
            append(&mut spool, batch(2, seq, 0, 50));
        }
    }
    let all: Vec<u64> = (1..=40).collect();
    let even: Vec<u64> = (1..=20).map(|half| half * 2).collect();
    assert_eq!((drain(&mut spool, 1), drain(&mut spool, 2)), (all.clone(), even.clone()));
    // Going back and forth, as a rewind and two drains side by side do.
    for from in [30, 3, 31, 4, 40] {
        assert_eq!(read(&mut spool, 1, from, 0).unwrap().batch.seq, from);
        assert_eq!(read(&mut spool, 2, 7, 0).unwrap().batch.seq, 8);
    }
    assert_eq!(read(&mut spool, 1, 41, 0), None);
    assert_eq!(spool.serve(SpoolRequest::Sync), Some(SpoolAnswer::Synced { trouble: None }));
    drop(spool);
    disk.cut();
    let (mut spool, loaded) = open(&disk);
    assert_eq!(loaded.notes, Vec::<String>::new());
    assert_eq!(loaded.table.store, Some(StoreSeen { store_id: [3; 16], incarnation: 9 }));
    assert_eq!(loaded.table.rows, vec![row(1, 256, EpochState::Open), row(2, 256, EpochState::Open)]);
    let held: Vec<_> = loaded.held.iter().map(|run| (run.epoch, run.first_seq, run.last_seq)).collect();
    assert_eq!(held, vec![(epoch(1), 1, 40), (epoch(2), 2, 40)]);
    assert_eq!((drain(&mut spool, 1), drain(&mut spool, 2)), (all, even));
}

#[test]
fn a_torn_tail_is_cut_at_every_byte_and_nothing_before_it_is_lost() {
    let disk = CutDisk::new(2);
    let (mut spool, _) = open(&disk);
    assert!(keep(&mut spool, vec![row(1, 256, EpochState::Open)]));
    let mut ends = Vec::new();
    for seq in 1..=4 {
        append(&mut spool, batch(1, seq, 1, 30));
        ends.push(spool.bytes());
    }
    assert_eq!(spool.serve(SpoolRequest::Sync), Some(SpoolAnswer::Synced { trouble: None }));
    drop(spool);
    let image = disk.image();
    let name = segment::file_name(Lane::P1, epoch(1), 1);
    let path = Path::new(FOLDER).join(name);
    let whole = image.file(&path).unwrap().len() as u64;
    assert_eq!(whole, ends[3]);
    for length in 0..=whole {
        let disk = CutDisk::from_image(3, &image);
        disk.open(&path, Open::Write).unwrap().set_len(length).unwrap();
        let (mut spool, loaded) = open(&disk);
        let kept = ends.iter().filter(|end| **end <= length).count() as u64;
        assert_eq!(drain(&mut spool, 1), (1..=kept).collect::<Vec<_>>(), "cut at {length}");
        // Between two records nothing is torn: after the header, after the context, after each batch.
        let after_context = segment::HEADER_BYTES + segment::RECORD_HEAD_BYTES as u64 + 300;
        let clean = ends.contains(&length) || length == segment::HEADER_BYTES || length == after_context;
        assert_eq!(loaded.notes.is_empty(), clean, "cut at {length}: {:?}", loaded.notes);
        assert_eq!(spool.bytes(), if kept == 0 { 0 } else { ends[kept as usize - 1] });
    }
}

#[test]
fn a_flipped_byte_ends_the_segment_there_and_never_gives_wrong_bytes() {
    let disk = CutDisk::new(4);
    let (mut spool, _) = open(&disk);
    assert!(keep(&mut spool, vec![row(1, 256, EpochState::Open)]));
    (1..=4).for_each(|seq| assert!(matches!(append(&mut spool, batch(1, seq, 1, 30)), AppendOutcome::Held { .. })));
    assert_eq!(spool.serve(SpoolRequest::Sync), Some(SpoolAnswer::Synced { trouble: None }));
    let path = Path::new(FOLDER).join(segment::file_name(Lane::P1, epoch(1), 1));
    let image = disk.image();
    let bytes = image.file(&path).unwrap().to_vec();
    for at in (0..bytes.len()).step_by(3) {
        let disk = CutDisk::from_image(5, &image);
        let file = disk.open(&path, Open::Write).unwrap();
        file.pwrite(&[bytes[at] ^ 0x40], at as u64).unwrap();
        let (mut spool, _) = open(&disk);
        // `drain` compares every frame and context with what was written.
        let seqs = drain(&mut spool, 1);
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "byte {at}");
        assert!(seqs.len() < 4, "byte {at}");
    }
    // The same while the file is open: the reader finds out.
    let file = disk.open(&path, Open::Write).unwrap();
    let third = bytes.len() as u64 - 2 * (segment::RECORD_HEAD_BYTES as u64 + 30) + 5;
    file.pwrite(&[0xee], third).unwrap();
    assert_eq!(drain(&mut spool, 1), vec![1, 2]);
    assert!(matches!(append(&mut spool, batch(1, 5, 1, 30)), AppendOutcome::Held { .. }));
    assert_eq!(drain(&mut spool, 1), vec![1, 2, 5]);
}

#[test]
fn power_cuts_lose_only_what_was_not_synced() {
    for seed in 0..200 {
        let disk = CutDisk::new(seed);
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut spool, _) = open(&disk);
        assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
        let (mut synced, mut seq) = (0, 0);
        for _ in 0..rng.u64(1..60) {
            if rng.u8(..5) == 0 {
                assert_eq!(spool.serve(SpoolRequest::Sync), Some(SpoolAnswer::Synced { trouble: None }));
                synced = seq;
            } else {
                seq += 1;
                let length = rng.usize(1..3000);
                append(&mut spool, batch(1, seq, 1 + seq as u32 / 9, length));
            }
        }
        disk.cut();
        let (mut spool, _) = open(&disk);
        let seqs = drain(&mut spool, 1);
        assert!(seqs.len() as u64 >= synced, "seed {seed}: {} of {synced}", seqs.len());
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn segments_are_small_and_go_when_acked() {
    let disk = CutDisk::new(6);
    let (mut spool, _) = open(&disk);
    assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
    (1..=100)
        .for_each(|seq| assert!(matches!(append(&mut spool, batch(1, seq, 1, 200_000)), AppendOutcome::Held { .. })));
    let before = files(&disk);
    assert!((5..=6).contains(&before), "{before} files for 20 MB");
    ack(&mut spool, 1, 50);
    assert_eq!(read(&mut spool, 1, 51, 0).unwrap().batch.seq, 51);
    assert!(files(&disk) <= before - 2);
    ack(&mut spool, 1, 100);
    assert_eq!((files(&disk), spool.bytes(), read(&mut spool, 1, 1, 0)), (0, 0, None));
    append(&mut spool, batch(1, 101, 1, 10));
    assert_eq!(drain(&mut spool, 1), vec![101]);
    spool.serve(SpoolRequest::Forget { epoch: epoch(1) });
    assert_eq!((files(&disk), spool.bytes()), (0, 0));
}

#[test]
fn at_its_limit_the_spool_drops_the_oldest_and_counts() {
    let disk = CutDisk::new(7);
    let own = Arc::new(Own::default());
    let mut spool = Spool::open(Arc::new(disk.clone()), config(1 << 20), Arc::clone(&own)).unwrap().0;
    assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open), row(2, 4096, EpochState::Open)]));
    (1..=20)
        .for_each(|seq| assert!(matches!(append(&mut spool, batch(1, seq, 1, 40_000)), AppendOutcome::Held { .. })));
    ack(&mut spool, 1, 3);
    (1..=10)
        .for_each(|seq| assert!(matches!(append(&mut spool, batch(2, seq, 1, 40_000)), AppendOutcome::Held { .. })));
    assert!(spool.bytes() <= 1 << 20);
    let (old, new) = (drain(&mut spool, 1), drain(&mut spool, 2));
    assert_eq!(new, (1..=10).collect::<Vec<_>>());
    assert!(!old.is_empty() && old[0] > 4 && old.last() == Some(&20), "{old:?}");
    // Of the acked ones nothing is lost; the counts say so where a whole segment was acked or not.
    assert_eq!(own.dropped_batches(DropReason::SpoolFull), old[0] - 1 - 3);
    assert_eq!(own.spool_bytes.value(), i64::try_from(spool.bytes()).unwrap());
}

#[test]
fn a_disk_without_room_takes_nothing_and_recovers() {
    let disk = CutDisk::new(8);
    let (mut spool, _) = open(&disk);
    assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
    (1..=10).for_each(|seq| assert!(matches!(append(&mut spool, batch(1, seq, 1, 1000)), AppendOutcome::Held { .. })));
    // The first refusal costs the oldest segment, which is all there is; with no room even for one record nothing is held.
    disk.set_capacity(Some(2 * 4096 + 100));
    assert_eq!(append(&mut spool, batch(1, 11, 1, 1000)), AppendOutcome::Full);
    assert_eq!(append(&mut spool, batch(1, 12, 1, 1000)), AppendOutcome::Full);
    assert!(keep(&mut spool, vec![row(1, 8192, EpochState::Open)]), "the table is overwritten in place");
    disk.set_capacity(None);
    assert!(matches!(append(&mut spool, batch(1, 13, 1, 1000)), AppendOutcome::Held { .. }));
    assert_eq!(drain(&mut spool, 1), vec![13]);
}

#[test]
fn an_error_of_the_disk_costs_one_batch_and_no_other() {
    for (operation, nth) in [(Operation::Write, 1), (Operation::Write, 2), (Operation::Create, 1)] {
        let disk = CutDisk::new(9);
        let (mut spool, _) = open(&disk);
        assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
        disk.fail(operation, nth, 1, Fault::Io);
        let outcomes: Vec<bool> = (1..=5)
            .map(|seq| matches!(append(&mut spool, batch(1, seq, 1, 1000)), AppendOutcome::Held { .. }))
            .collect();
        let lost = nth;
        let expect: Vec<u64> = (1..=5).filter(|seq| *seq != lost).collect();
        assert_eq!(outcomes.iter().filter(|held| !**held).count(), 1);
        assert_eq!(drain(&mut spool, 1), expect, "{operation:?} {nth}");
        assert_eq!(spool.serve(SpoolRequest::Sync), Some(SpoolAnswer::Synced { trouble: None }));
        disk.cut();
        assert_eq!(drain(&mut open(&disk).0, 1), expect, "{operation:?} {nth} after a cut");
    }
}

#[test]
fn after_a_failed_sync_appends_go_elsewhere_and_what_was_lost_shows_as_missing() {
    let disk = CutDisk::new(10);
    let (mut spool, _) = open(&disk);
    assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
    (1..=3).for_each(|seq| assert_ne!(append(&mut spool, batch(1, seq, 1, 1000)), AppendOutcome::Full));
    disk.fail(Operation::Sync, 1, 1, Fault::Io);
    assert!(matches!(spool.serve(SpoolRequest::Sync), Some(SpoolAnswer::Synced { trouble: Some(_) })));
    (4..=6).for_each(|seq| assert_ne!(append(&mut spool, batch(1, seq, 1, 1000)), AppendOutcome::Full));
    assert_eq!(spool.serve(SpoolRequest::Sync), Some(SpoolAnswer::Synced { trouble: None }));
    disk.cut();
    let seqs = drain(&mut open(&disk).0, 1);
    assert!(seqs.ends_with(&[4, 5, 6]), "{seqs:?}");
}

#[test]
fn segments_of_no_epoch_or_of_another_host_are_discarded_at_open() {
    let disk = CutDisk::new(11);
    let (mut spool, _) = open(&disk);
    (1..=4).for_each(|number| assert_ne!(append(&mut spool, batch(number, 1, 0, 10)), AppendOutcome::Full));
    let rows = vec![row(1, 9, EpochState::Open), row(4, 1, EpochState::Ended)];
    assert!(keep(&mut spool, rows.clone()));
    drop(spool);
    let (mut spool, loaded) = open(&disk);
    assert_eq!((loaded.notes.len(), loaded.table.rows), (2, rows));
    let found: Vec<bool> = (1..=4).map(|number| drain(&mut spool, number) == vec![1]).collect();
    assert_eq!(found, [true, false, false, true]);
    drop(spool);
    let other = SpoolConfig { host: HostId([6; 16]), ..config(64 << 20) };
    let (_, loaded) = Spool::open(Arc::new(disk.clone()), other, Arc::new(Own::default())).unwrap();
    assert_eq!((loaded.table, loaded.held, files(&disk)), (EpochTable::default(), Vec::new(), 0));
}

#[test]
fn the_table_survives_a_cut_at_any_write_as_the_old_or_the_new_one() {
    for seed in 0..300 {
        let disk = CutDisk::new(seed);
        let (mut spool, _) = open(&disk);
        let table = |number: u64| vec![row(1, number, EpochState::Open)];
        let mut rng = fastrand::Rng::with_seed(seed);
        let last = rng.u64(1..6);
        (1..=last).for_each(|number| assert!(keep(&mut spool, table(number))));
        // The power goes before one of the two operations of the next write: the write itself, or its sync.
        disk.power_off_at(disk.operations() + rng.u64(..2));
        assert!(!keep(&mut spool, table(last + 1)));
        disk.cut();
        let (mut spool, loaded) = open(&disk);
        assert!([table(last), table(last + 1)].contains(&loaded.table.rows), "seed {seed}: {:?}", loaded.table);
        assert!(keep(&mut spool, table(99)));
        drop(spool);
        disk.cut();
        assert_eq!(open(&disk).1.table.rows, table(99), "seed {seed}");
    }
}

#[test]
fn a_lost_table_is_rebuilt_from_the_segments() {
    let disk = CutDisk::new(12);
    let (mut spool, _) = open(&disk);
    assert!(keep(&mut spool, vec![row(1, 9, EpochState::Open)]));
    append(&mut spool, batch(1, 3, 0, 10));
    assert_eq!(spool.serve(SpoolRequest::Sync), Some(SpoolAnswer::Synced { trouble: None }));
    drop(spool);
    let file = disk.open(&Path::new(FOLDER).join("epochs"), Open::Write).unwrap();
    file.pwrite(&[0; 8192], 0).unwrap();
    let (mut spool, loaded) = open(&disk);
    assert_eq!(
        loaded.table.rows.iter().map(|row| (row.epoch, row.last_seq[1])).collect::<Vec<_>>(),
        [(epoch(1), u64::MAX)]
    );
    assert_eq!(drain(&mut spool, 1), vec![3]);
}

#[test]
fn the_first_versions_files_are_read_for_ever() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/spool/testdata");
    let disk = CutDisk::new(13);
    let (mut spool, _) = open(&disk);
    let rows = vec![row(1, 9, EpochState::Ended), row(2, 256, EpochState::Open)];
    assert!(keep(&mut spool, rows.clone()));
    append(&mut spool, batch(1, 3, 1, 40));
    append(&mut spool, batch(1, 5, 1, 20));
    append(&mut spool, batch(1, 6, 2, 0));
    assert_eq!(spool.serve(SpoolRequest::Sync), Some(SpoolAnswer::Synced { trouble: None }));
    drop(spool);
    let image = disk.image();
    let segment = segment::file_name(Lane::P1, epoch(1), 3);
    for (name, golden) in [("epochs", "epochs.v1"), (segment.as_str(), "segment.v1")] {
        let written = image.file(&Path::new(FOLDER).join(name)).unwrap();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join(golden), written).unwrap();
        }
        let kept = std::fs::read(path.join(golden)).unwrap();
        assert!(written == kept.as_slice(), "{golden} changed: a changed format is a new version, see SPOOL.md");
        let file = disk.open(&Path::new(FOLDER).join(name), Open::Write).unwrap();
        file.set_len(0).unwrap();
        file.pwrite(&kept, 0).unwrap();
    }
    let (mut spool, loaded) = open(&disk);
    assert_eq!((loaded.table.rows, drain(&mut spool, 1)), (rows, vec![3, 5, 6]));
}

/// The disk, with a size that others share and reads that fail.
#[derive(Clone)]
struct Shared {
    disk: CutDisk,
    space: Arc<std::sync::Mutex<Option<muster_common::disk::Space>>>,
    /// Opens and reads that fail from now on, and how.
    fails: Arc<std::sync::Mutex<(u32, u32, i32)>>,
}

struct SharedFile {
    file: Box<dyn DiskFile>,
    fails: Arc<std::sync::Mutex<(u32, u32, i32)>>,
}

impl Shared {
    fn new(seed: u64) -> Self {
        Self { disk: CutDisk::new(seed), space: Arc::default(), fails: Arc::default() }
    }
}

impl Disk for Shared {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut fails = self.fails.lock().unwrap();
        if how == Open::Read && fails.0 > 0 {
            fails.0 -= 1;
            return Err(io::Error::from_raw_os_error(fails.2));
        }
        let file = self.disk.open(path, how)?;
        Ok(Box::new(SharedFile { file, fails: Arc::clone(&self.fails) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_dir(folder)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.disk.unlink(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_dir_all(folder)
    }

    fn space(&self, path: &Path) -> io::Result<muster_common::disk::Space> {
        self.space.lock().unwrap().map_or_else(|| self.disk.space(path), Ok)
    }
}

impl DiskFile for SharedFile {
    fn pread(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut fails = self.fails.lock().unwrap();
        if fails.1 > 0 {
            fails.1 -= 1;
            return Err(io::Error::from_raw_os_error(fails.2));
        }
        self.file.pread(buffer, offset)
    }

    fn pwrite(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.pwrite(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

fn refusal(spool: &mut Spool, batch: SpooledBatch) -> String {
    let context_frame = (batch.context != 0).then(|| context(batch.context));
    match spool.serve(SpoolRequest::Append { batch, context_frame }) {
        Some(SpoolAnswer::Appended { trouble: Some(trouble), .. }) => trouble.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_disk_that_other_data_fills_costs_nothing_of_what_is_held() {
    let disk = Shared::new(14);
    let limits = SpoolLimits {
        bytes_max: 64 << 20,
        file_system_percent: 100,
        free_percent: 10,
        metrics_percent: 100,
        reports_percent: 100,
    };
    let config = SpoolConfig { limits, ..config(0) };
    let own = Arc::new(Own::default());
    let total_bytes = 10 << 30;
    let leave = |free_bytes| {
        *disk.space.lock().unwrap() = Some(muster_common::disk::Space { total_bytes, free_bytes });
    };
    leave(2 << 30);
    let mut spool = Spool::open(Arc::new(disk.clone()), config, Arc::clone(&own)).unwrap().0;
    assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
    (1..=60)
        .for_each(|seq| assert!(matches!(append(&mut spool, batch(1, seq, 1, 200_000)), AppendOutcome::Held { .. })));
    leave(900 << 20);
    let told = refusal(&mut spool, batch(1, 61, 1, 200_000));
    assert!(told.contains(FOLDER) && told.contains("free room there"), "{told}");
    assert_eq!(own.dropped_batches(DropReason::SpoolFull), 0);
    assert_eq!(drain(&mut spool, 1), (1..=60).collect::<Vec<_>>());
    // Just under the tenth: its own oldest segment makes the room.
    leave(1 << 30);
    assert!(matches!(append(&mut spool, batch(1, 62, 1, 200_000)), AppendOutcome::Held { .. }));
    let dropped = own.dropped_batches(DropReason::SpoolFull);
    assert!((1..=21).contains(&dropped), "one segment, not all: {dropped}");
}

#[test]
fn a_read_that_fails_now_gives_up_nothing() {
    // EMFILE, ENFILE and ENOMEM at open; EIO at the first read.
    for (opens, reads, errno) in [(1, 0, 24), (3, 0, 23), (1, 0, 12), (0, 1, 5), (0, 5, 5), (40, 0, 23)] {
        let disk = Shared::new(15);
        let own = Arc::new(Own::default());
        let mut spool = Spool::open(Arc::new(disk.clone()), config(64 << 20), Arc::clone(&own)).unwrap().0;
        assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
        (1..=9).for_each(|seq| assert_ne!(append(&mut spool, batch(1, seq, 1, 1000)), AppendOutcome::Full));
        *disk.fails.lock().unwrap() = (opens, reads, errno);
        for _ in 0..opens.max(reads) {
            let answer = spool.serve(SpoolRequest::Read { epoch: epoch(1), lane: Lane::P1, from: 1, have_context: 0 });
            let Some(SpoolAnswer::Unread { epoch: at, from: 1, trouble, .. }) = answer else { panic!("{answer:?}") };
            assert!(at == epoch(1) && trouble.to_string().contains(".spool"), "{trouble}");
        }
        assert_eq!(drain(&mut spool, 1), (1..=9).collect::<Vec<_>>(), "{opens} {reads} {errno}");
        assert_eq!((own.spool_damages.value(), own.dropped_batches(DropReason::DiskError)), (0, 0));
        assert_eq!(own.spool_errors.value(), u64::from(opens.max(reads)));
    }
}

#[test]
fn a_start_without_file_handles_fails_and_gives_up_nothing() {
    let disk = Shared::new(18);
    let open = || Spool::open(Arc::new(disk.clone()), config(64 << 20), Arc::default());
    let mut spool = open().unwrap().0;
    assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
    (1..=9).for_each(|seq| assert_ne!(append(&mut spool, batch(1, seq, 1, 1000)), AppendOutcome::Full));
    drop(spool);
    for errno in [23, 24, 12] {
        *disk.fails.lock().unwrap() = (1, 0, errno);
        let Err(error) = open() else { panic!("opened as if nothing was held: {errno}") };
        assert!(error.to_string().contains(".spool"), "{error}");
    }
    assert_eq!(drain(&mut open().unwrap().0, 1), (1..=9).collect::<Vec<_>>());
}

#[test]
fn a_sector_that_stays_bad_ends_its_segment_there_after_thirty_reads() {
    let disk = Shared::new(16);
    let mut spool = Spool::open(Arc::new(disk.clone()), config(64 << 20), Arc::default()).unwrap().0;
    assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
    (1..=9).for_each(|seq| assert_ne!(append(&mut spool, batch(1, seq, 0, 1000)), AppendOutcome::Full));
    assert_eq!(read(&mut spool, 1, 1, 0).unwrap().batch.seq, 1);
    *disk.fails.lock().unwrap() = (0, 30, 5);
    let mut ask =
        || spool.serve(SpoolRequest::Read { epoch: epoch(1), lane: Lane::P1, from: 2, have_context: 0 }).unwrap();
    for _ in 0..29 {
        let answer = ask();
        assert!(matches!(answer, SpoolAnswer::Unread { .. }), "{answer:?}");
    }
    assert!(matches!(ask(), SpoolAnswer::Found { found: None, .. }));
}

#[test]
fn what_the_disk_refuses_is_told_with_place_and_remedy() {
    for (operation, fault, words) in [
        (Operation::Write, Fault::NoSpace, "(os error 28); the disk is full: free room on it"),
        (Operation::Write, Fault::Io, "(os error 5); look at the kernel's log"),
    ] {
        let disk = CutDisk::new(17);
        let (mut spool, _) = open(&disk);
        assert!(keep(&mut spool, vec![row(1, 4096, EpochState::Open)]));
        disk.fail(operation, 1, 2, fault);
        let told = refusal(&mut spool, batch(1, 1, 1, 1000));
        assert!(told.contains(FOLDER) && told.contains(words), "{told}");
        disk.fail(Operation::Sync, 1, 1, fault);
        let request = SpoolRequest::Keep { version: 7, table: EpochTable::default(), sync_first: false };
        let Some(SpoolAnswer::Kept { version: 7, trouble: Some(trouble) }) = spool.serve(request) else { panic!() };
        assert!(trouble.to_string().contains(words), "{trouble}");
    }
    let trouble = Trouble::disk("append to", Path::new("/x"), &io::Error::from_raw_os_error(30));
    assert!(trouble.to_string().contains("read-only"), "{trouble}");
}
