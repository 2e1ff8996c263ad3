//! Power cuts and disk errors at every operation of a short run: what was acknowledged is there once, what was not comes once
//! when it is sent again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::cut::{CutDisk, Fault, Operation};

use super::world::{BEGIN_MS, World, append, batch, config, epoch, gap, scrape, table};
use crate::{Append, Config, Outcome, Record, Source, open};

/// What a client does, one after the other; each until it is acknowledged.
enum Step {
    Commit(Vec<Append>),
    Flush { merge: bool },
    Hello,
}

fn script() -> Vec<Step> {
    let (up, load) = (table("up", "a", 3), table("load", "b", 2));
    let at = |seq: i64| BEGIN_MS + seq * 15_000;
    let now = muster_common::time::Timestamp::from_millis(BEGIN_MS);
    let p1 = |seq: i64, records: Vec<Record>| batch(epoch(1), seq as u64, records);
    let http = |body| {
        append(Source::Http { body, stamped: true }, vec![scrape(&load, BEGIN_MS + 7 + body as i64, body as f64)], now)
    };
    let own = |tick: u64| append(Source::Own { run: epoch(9), tick }, vec![scrape(&up, at(100 + tick as i64), 0.0)], now);
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
        Step::Commit(vec![p1(8, vec![scrape(&up, at(8), 8.0)]), p1(9, vec![scrape(&table("new", "c", 1), at(9), 9.0)])]),
        Step::Flush { merge: true },
    ]
}

/// Samples of the script, each counted once.
const SAMPLES: u64 = 3 + 2 + 3 + 3 + 3 + 3 + 2 + 2 + 3 + 3 + 3 + 1;

fn small() -> Config {
    let mut small = config(Path::new("/data"));
    small.cache_bytes = 1 << 20;
    small
}

/// Opens, unless the disk fails meanwhile.
fn try_open(disk: &CutDisk) -> Option<World> {
    let now = muster_common::time::Timestamp::from_millis(BEGIN_MS);
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let parts = open(disk, small(), now, &mut || 5).ok()?;
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
            assert!(outcomes.iter().all(taken), "{outcomes:?}");
            // The projection keeps up.
            if let Some(entry) = world.parts.writer.take_entries().last() {
                world.parts.writer.state_reached(entry.position);
            }
            true
        }
        Step::Flush { merge } => world.parts.admin.flush(*merge, world.now).is_ok(),
        Step::Hello => world.parts.writer.hello(super::world::HOST, &[epoch(1)], world.now).is_ok(),
    }
}

/// Runs the script from `*done` on; stops at the first step that fails.
fn run(world: &mut World, script: &[Step], done: &mut usize) -> bool {
    while let Some(step) = script.get(*done) {
        if !take(world, step) {
            return false;
        }
        *done += 1;
    }
    true
}

/// What is seen after each step when nothing fails.
fn expected(script: &[Step]) -> Vec<(Vec<String>, u64)> {
    let mut world = try_open(&CutDisk::new(0)).unwrap();
    let mut seen = vec![(world.dump(), world.raw_count())];
    for step in script {
        assert!(take(&mut world, step));
        seen.push((world.dump(), world.raw_count()));
    }
    seen
}

/// After a fault: what was acknowledged is there, and perhaps what was under way; nothing else.
fn check(world: &World, expected: &[(Vec<String>, u64)], done: usize, what: &str) {
    let seen = (world.dump(), world.raw_count());
    let under_way = expected.get(done + 1).unwrap_or(&expected[done]);
    assert!(seen == expected[done] || seen == *under_way, "{what}, {done} steps done: {seen:#?}");
}

#[test]
fn a_power_cut_at_any_operation_loses_and_doubles_nothing() {
    let script = script();
    let expected = expected(&script);
    assert_eq!(expected.last().unwrap().1, SAMPLES);
    let mut operations = 0;
    for at in 0.. {
        let disk = CutDisk::new(at);
        disk.power_off_at(at);
        let mut done = 0;
        let ended = try_open(&disk).is_some_and(|mut world| run(&mut world, &script, &mut done));
        if ended && !disk.is_off() {
            break;
        }
        disk.cut();
        let mut world = try_open(&disk).unwrap_or_else(|| panic!("cut at operation {at}: it does not open"));
        check(&world, &expected, done, &format!("cut at operation {at}"));
        assert!(run(&mut world, &script, &mut done), "cut at operation {at}");
        check(&world, &expected, done, &format!("cut at operation {at}, run to its end"));
        assert!(!world.parts.admin.health().marks_lost, "cut at operation {at}");
        operations = at;
    }
    assert!(operations > 150, "{operations}");
}

#[test]
fn a_disk_error_at_any_operation_is_no_loss_even_if_the_power_goes_later() {
    let script = script();
    let expected = expected(&script);
    let faults = [
        (Operation::Sync, Fault::Io, 3),
        (Operation::Write, Fault::NoSpace, 7),
        (Operation::Rename, Fault::Io, 1),
        (Operation::SyncDir, Fault::Io, 1),
        (Operation::Create, Fault::NoSpace, 1),
        (Operation::Unlink, Fault::Io, 1),
    ];
    for (operation, fault, step) in faults {
        for nth in (1..).step_by(step) {
            let what = format!("{operation:?} {nth} fails with {fault:?}");
            let disk = CutDisk::new(nth);
            let mut done = 0;
            let mut world = try_open(&disk).unwrap();
            disk.fail(operation, nth, 1, fault);
            let mut failures = 0;
            while !run(&mut world, &script, &mut done) {
                failures += 1;
                assert!(failures < 5, "{what}: it does not recover");
                if failures == 1 && nth % 2 == 0 {
                    // The process ends here, and another begins: the disk's pages are as they were.
                    drop(world);
                    world = try_open(&disk).unwrap_or_else(|| panic!("{what}: it does not open"));
                }
            }
            check(&world, &expected, done, &what);
            assert!(world.parts.admin.health().is_good(), "{what}: {:?}", world.parts.admin.health());
            disk.cut();
            let mut world = try_open(&disk).unwrap_or_else(|| panic!("{what}: it does not open after a cut"));
            check(&world, &expected, done, &format!("{what}, then cut"));
            assert!(run(&mut world, &script, &mut done));
            if failures == 0 {
                break;
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
    let disk = CutDisk::new(1);
    let mut world = try_open(&disk).unwrap();
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
    let mut world = try_open(&disk).unwrap();
    world.commit(&[batch(epoch(1), 1, vec![])]);
    world.parts.admin.flush(false, world.now).unwrap();
    let (id, image) = (world.parts.writer.store_id(), disk.image());
    assert_eq!(world.parts.writer.incarnation(), 1);
    drop(world);
    let restored = Config { restored: true, ..small() };
    let now = muster_common::time::Timestamp::from_millis(BEGIN_MS);
    let copy: Arc<dyn Disk> = Arc::new(CutDisk::from_image(2, &image));
    let parts = open(copy.clone(), restored, now, &mut || 77).unwrap();
    assert_eq!((parts.writer.store_id(), parts.writer.incarnation()), (id, 77));
    drop(parts);
    let parts = open(copy.clone(), small(), now, &mut || 78).unwrap();
    assert_eq!(parts.writer.incarnation(), 77, "it stays until the next restore");
    drop(parts);
    for name in copy.list(Path::new("/data/inbox")).unwrap() {
        copy.unlink(&Path::new("/data/inbox").join(name)).unwrap();
    }
    let parts = open(copy, small(), now, &mut || 79).unwrap();
    assert_eq!((parts.writer.incarnation(), parts.admin.health().marks_lost), (79, true));
}

#[test]
fn an_old_generation_that_was_never_flushed_is_rebuilt_beside_the_active_one() {
    let disk = CutDisk::new(1);
    let mut world = try_open(&disk).unwrap();
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
    let world = try_open(&disk).unwrap();
    assert_eq!((world.dump(), world.parts.reader.view().stats().heads), seen);
    world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!((world.dump(), world.raw_count()), (seen.0, 8));
}
