//! Power cuts and disk errors at every operation of a short run: what was acknowledged is there once, what was not comes once
//! when it is sent again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::cut::{CutDisk, Fault, Operation};
use muster_common::time::Timestamp;

use super::world::{BEGIN_MS, HOST, World, append, batch, config, epoch, gap, scrape, table};
use crate::{Append, Config, Outcome, Past, Reborn, Record, Source, open};

/// What a client does, one after the other; each until it is acknowledged.
pub(super) enum Step {
    Commit(Vec<Append>),
    Flush { merge: bool },
    Hello,
}

pub(super) fn script() -> Vec<Step> {
    let (up, load) = (table("up", "a", 3), table("load", "b", 2));
    let at = |seq: i64| BEGIN_MS + seq * 15_000;
    let now = Timestamp::from_millis(BEGIN_MS);
    let p1 = |seq: i64, records: Vec<Record>| batch(epoch(1), seq as u64, records);
    let http = |body| {
        append(Source::Http { body, stamped: true }, vec![scrape(&load, BEGIN_MS + 7 + body as i64, body as f64)], now)
    };
    let own =
        |tick: u64| append(Source::Own { run: epoch(9), tick }, vec![scrape(&up, at(100 + tick as i64), 0.0)], now);
    vec![
        Step::Commit(vec![p1(1, vec![scrape(&up, at(1), 1.0)]), http(1)]),
        Step::Commit(vec![p1(2, vec![scrape(&up, at(2), 2.0), scrape(&up, at(2) - 86_400_000, 0.5)])]),
        Step::Flush { merge: false },
        Step::Commit(vec![p1(3, vec![scrape(&up, at(2), 2.5)]), own(1), http(1), http(2)]),
        Step::Commit(vec![gap(epoch(1), 4, 5), p1(6, vec![scrape(&load, at(6), 6.0)])]),
        Step::Hello,
        Step::Flush { merge: true },
        Step::Commit(vec![p1(7, vec![scrape(&up, at(7), 7.0)]), own(1), own(2), http(2)]),
        Step::Flush { merge: false },
        Step::Commit(vec![
            p1(8, vec![scrape(&up, at(8), 8.0)]),
            p1(9, vec![scrape(&table("new", "c", 1), at(9), 9.0)]),
        ]),
        Step::Flush { merge: true },
    ]
}

/// Samples of the script, each counted once.
const SAMPLES: u64 = 3 + 2 + 3 + 3 + 3 + 3 + 2 + 2 + 3 + 3 + 3 + 1;

pub(super) fn small() -> Config {
    let mut small = config(Path::new("/data"));
    small.cache_bytes = 1 << 20;
    small
}

/// Opens, unless the disk fails meanwhile.
fn try_open(disk: &CutDisk, config: Config) -> Option<World> {
    let now = Timestamp::from_millis(BEGIN_MS);
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let parts = open(disk, config, now, &mut || 5).ok()?;
    Some(World { parts, now })
}

/// Whether the step is acknowledged.
fn take(world: &mut World, step: &Step) -> bool {
    match step {
        Step::Commit(appends) => {
            let Ok(outcomes) = world.try_commit(appends) else { return false };
            let taken = |outcome: &Outcome| {
                matches!(outcome, Outcome::Committed { .. } | Outcome::Repeat { .. } | Outcome::RepeatedBody)
            };
            // The projection keeps up.
            if let Some(entry) = world.parts.writer.take_entries().last() {
                world.parts.writer.state_reached(entry.position);
            }
            outcomes.iter().all(taken)
        }
        Step::Flush { merge } => world.parts.admin.flush(*merge, world.now).is_ok(),
        Step::Hello => world.parts.writer.hello(HOST, &[epoch(1)], world.now).is_ok(),
    }
}

/// A script, and what is seen after each of its steps when nothing fails.
pub(super) struct Drill {
    script: Vec<Step>,
    expected: Vec<(Vec<String>, u64)>,
    config: Config,
}

impl Drill {
    pub(super) fn new(script: Vec<Step>, config: Config) -> Self {
        let mut world = try_open(&CutDisk::new(0), small()).unwrap();
        let mut expected = vec![(world.dump(), world.raw_count())];
        for step in &script {
            assert!(take(&mut world, step));
            expected.push((world.dump(), world.raw_count()));
        }
        Self { script, expected, config }
    }

    fn open(&self, disk: &CutDisk) -> Option<World> {
        try_open(disk, self.config.clone())
    }

    /// Runs the script from `*done` on; stops at the first step that fails.
    fn run(&self, world: &mut World, done: &mut usize) -> bool {
        while let Some(step) = self.script.get(*done) {
            if !take(world, step) {
                return false;
            }
            *done += 1;
        }
        true
    }

    /// After a fault: what was acknowledged is there, and perhaps what was under way; nothing else.
    fn check(&self, world: &World, done: usize, what: &str) -> Result<(), String> {
        let seen = (world.dump(), world.raw_count());
        let under_way = self.expected.get(done + 1).unwrap_or(&self.expected[done]);
        if world.parts.admin.health().marks_lost {
            return Err(format!("{what}: the marks are lost"));
        }
        if seen == self.expected[done] || seen == *under_way {
            return Ok(());
        }
        Err(format!("{what}, {done} steps done: {seen:#?}, not {:#?}", self.expected[done]))
    }

    /// Cuts the power before the operation `at`, looks, and goes on for some steps. `Ok(false)`: it ended before that operation.
    pub(super) fn cut_at(&self, at: u64, seed: u64, steps: usize) -> Result<bool, String> {
        let what = format!("cut at operation {at}");
        let disk = CutDisk::new(seed);
        disk.power_off_at(at);
        let mut done = 0;
        let ended = self.open(&disk).is_some_and(|mut world| self.run(&mut world, &mut done));
        let reached = disk.is_off() || !ended;
        disk.cut();
        let mut world = self.open(&disk).ok_or_else(|| format!("{what}: it does not open"))?;
        self.check(&world, done, &what)?;
        // What is under way comes again: if it had been durable, it must not be doubled.
        let end = self.script.len().min(done.saturating_add(steps));
        while done < end {
            if !take(&mut world, &self.script[done]) {
                return Err(format!("{what}: step {done} fails afterwards"));
            }
            done += 1;
            self.check(&world, done, &format!("{what}, run on"))?;
        }
        Ok(reached)
    }

    /// The `nth` operation of a kind fails; sometimes the process ends with it; in the end the power is cut. Answers failures.
    fn fail_at(&self, operation: Operation, nth: u64, fault: Fault) -> Result<usize, String> {
        let what = format!("{operation:?} {nth} fails with {fault:?}");
        let disk = CutDisk::new(nth);
        let mut done = 0;
        let mut world = self.open(&disk).ok_or("it does not open")?;
        disk.fail(operation, nth, 1, fault);
        let mut failures = 0;
        while !self.run(&mut world, &mut done) {
            failures += 1;
            if failures == 5 {
                return Err(format!("{what}: it does not recover"));
            }
            if failures == 1 && nth.is_multiple_of(2) {
                // The process ends here, and another begins: the disk's pages are as they were.
                drop(world);
                world = self.open(&disk).ok_or_else(|| format!("{what}: it does not open"))?;
            }
        }
        self.check(&world, done, &what)?;
        if !world.parts.admin.health().is_good() {
            return Err(format!("{what}: {:?}", world.parts.admin.health()));
        }
        disk.cut();
        let world = self.open(&disk).ok_or_else(|| format!("{what}: it does not open after a cut"))?;
        self.check(&world, done, &format!("{what}, then cut"))?;
        Ok(failures)
    }
}

#[test]
fn a_power_cut_at_any_operation_loses_and_doubles_nothing() {
    let drill = Drill::new(script(), small());
    assert_eq!(drill.expected.last().unwrap().1, SAMPLES);
    let worker = |from: u64| {
        let mut at = from;
        // The step that was under way and the one after it; now and then all that are left.
        while drill.cut_at(at, at, if at % 16 < 2 { usize::MAX } else { 2 }).unwrap() {
            at += 2;
        }
        assert!(at > 300, "{at}");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| worker(0));
        scope.spawn(|| worker(1));
    });
}

#[test]
fn a_disk_error_at_any_operation_is_no_loss_even_if_the_power_goes_later() {
    let drill = Drill::new(script(), small());
    let faults = [
        (Operation::Sync, Fault::Io, 3),
        (Operation::Write, Fault::NoSpace, 7),
        (Operation::Rename, Fault::Io, 1),
        (Operation::SyncDir, Fault::Io, 1),
        (Operation::Create, Fault::NoSpace, 1),
        (Operation::Unlink, Fault::Io, 1),
    ];
    for (operation, fault, step) in faults {
        let mut failures = 0;
        for nth in (1..).step_by(step) {
            if drill.fail_at(operation, nth, fault).unwrap() == 0 && operation != Operation::Unlink {
                break;
            }
            failures += 1;
            // A failed unlink is no failure of a step: it is made good later.
            if operation == Operation::Unlink && nth > 20 {
                break;
            }
        }
        assert!(failures > 0, "{operation:?}");
    }
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
    let disk = CutDisk::new(1);
    let mut world = try_open(&disk, small()).unwrap();
    let up = table("up", "a", 200);
    let one = |seq: u64| batch(epoch(1), seq, vec![scrape(&up, BEGIN_MS + seq as i64, seq as f64 * 0.1)]);
    assert_eq!(world.commit(&[one(1)]).len(), 1);
    disk.set_capacity(Some(1));
    let mut seq = 1;
    let error = loop {
        match world.try_commit(&[one(seq + 1)]) {
            Ok(_) => seq += 1,
            Err(error) => break error,
        }
        assert!(seq < 10_000);
    };
    assert!(error.retry_after().is_some(), "{error}");
    assert!(world.parts.admin.health().inbox_failing.is_some() && world.stat("store_failing") == 1.0);
    assert_eq!(world.raw_count(), seq * 200, "queries go on");
    assert!(world.try_commit(&[one(seq + 1)]).is_err());
    assert!(world.parts.admin.flush(false, world.now).is_err());
    assert!(world.parts.admin.health().flush_failing.is_some());
    disk.set_capacity(None);
    assert_eq!(world.commit(&[one(seq), one(seq + 1)]).len(), 2);
    world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!(world.raw_count(), (seq + 1) * 200);
    assert!(world.parts.admin.health().is_good(), "{:?}", world.parts.admin.health());
}

#[test]
fn a_restored_store_and_one_whose_inbox_is_gone_take_a_new_incarnation() {
    let disk = CutDisk::new(1);
    let mut world = try_open(&disk, small()).unwrap();
    world.commit(&[batch(epoch(1), 1, vec![])]);
    world.parts.admin.flush(false, world.now).unwrap();
    let (id, image) = (world.parts.writer.store_id(), disk.image());
    assert_eq!(world.parts.writer.incarnation(), 1);
    drop(world);
    let restored = Config { restored: true, ..small() };
    let now = Timestamp::from_millis(BEGIN_MS);
    let copy: Arc<dyn Disk> = Arc::new(CutDisk::from_image(2, &image));
    let parts = open(copy.clone(), restored, now, &mut || 77).unwrap();
    assert_eq!((parts.writer.store_id(), parts.writer.incarnation()), (id, 77));
    assert_eq!(parts.past, Past { reborn: Some(Reborn::Restored), last_arrival: Some(now) }, "as the marks tell it");
    drop(parts);
    let parts = open(copy.clone(), small(), now, &mut || 78).unwrap();
    assert_eq!(parts.writer.incarnation(), 77, "it stays until the next restore");
    drop(parts);
    for name in copy.list(Path::new("/data/inbox")).unwrap() {
        copy.unlink(&Path::new("/data/inbox").join(name)).unwrap();
    }
    let parts = open(copy.clone(), small(), now, &mut || 79).unwrap();
    assert_eq!((parts.writer.incarnation(), parts.admin.health().marks_lost), (79, true));
    // No marks and no sample: nothing tells when anything arrived.
    assert_eq!(parts.past, Past { reborn: Some(Reborn::MarksLost), last_arrival: None });
    drop(parts);
    assert_eq!(open(copy, small(), now, &mut || 80).unwrap().past, Past::default());
}

#[test]
fn a_store_that_never_flushed_notices_that_its_inbox_is_gone() {
    let disk = CutDisk::new(1);
    let mut world = try_open(&disk, small()).unwrap();
    assert_eq!(world.parts.past, Past::default());
    world.commit(&[batch(epoch(1), 1, vec![])]);
    drop(world);
    disk.unlink(Path::new("/data/inbox/1.redb")).unwrap();
    let mut world = try_open(&disk, small()).unwrap();
    assert!(world.parts.admin.health().marks_lost && world.parts.writer.incarnation() > 1);
    assert_eq!(world.parts.past, Past { reborn: Some(Reborn::MarksLost), last_arrival: None });
    // Where there is a segment, it tells: its newest sample may lie ten minutes ahead.
    world.commit(&[batch(epoch(1), 1, vec![scrape(&table("up", "a", 1), BEGIN_MS, 1.0)])]);
    world.parts.admin.flush(false, world.now).unwrap();
    drop(world);
    disk.unlink(Path::new("/data/inbox/2.redb")).unwrap();
    let last_arrival = Some(Timestamp::from_millis(BEGIN_MS - 600_000));
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let past = open(disk, small(), Timestamp::from_millis(BEGIN_MS), &mut || 99).unwrap().past;
    assert_eq!(past, Past { reborn: Some(Reborn::MarksLost), last_arrival });
}

#[test]
fn an_old_generation_that_was_never_flushed_is_rebuilt_beside_the_active_one() {
    let disk = CutDisk::new(1);
    let mut world = try_open(&disk, small()).unwrap();
    let (up, load) = (table("up", "a", 2), table("load", "a", 2));
    for seq in 1..=3 {
        let records = if seq == 2 { vec![scrape(&load, BEGIN_MS, 5.0)] } else { vec![] };
        let records = [records, vec![scrape(&up, BEGIN_MS + seq as i64, seq as f64)]].concat();
        world.commit(&[batch(epoch(1), seq, records)]);
        world.now = world.now.plus(Duration::from_secs(601));
    }
    let seen = (world.dump(), world.parts.reader.view().stats().heads);
    assert_eq!(seen.1, 3);
    disk.cut();
    let world = try_open(&disk, small()).unwrap();
    assert_eq!((world.dump(), world.parts.reader.view().stats().heads), seen);
    world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!((world.dump(), world.raw_count()), (seen.0, 8));
}
