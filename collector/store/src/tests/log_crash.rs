//! Power cuts and disk errors at every operation of a short run with lines: none is lost, none doubled, and positions tell
//! exactly what lines there are.

use std::path::Path;
use std::sync::Arc;

use muster_common::disk::Disk;
use muster_common::disk::cut::{CutDisk, Fault, Operation};
use muster_common::matcher::Matcher;
use muster_common::time::Timestamp;

use super::log_world::{BEGIN_NS, SECOND_NS, lines, p2, range};
use super::world::{BEGIN_MS, World, batch, config, epoch, scrape, table};
use crate::{Append, Config, Outcome, open};

const DAY_NS: i64 = 86_400 * SECOND_NS;

/// What a client does, one after the other; each until it is acknowledged.
enum Step {
    Commit(Vec<Append>),
    Flush {
        merge: bool,
    },
    /// All lines of `db`.
    Delete,
}

fn script() -> Vec<Step> {
    let up = table("up", "a", 2);
    let web = |seq: u64, from: u64| {
        let text = format!("{from} bytes in");
        let after = if seq == 3 { -DAY_NS } else { from as i64 };
        p2(epoch(1), seq, vec![range(1, from, from + 10), lines("web", &[(after, &text), (7, "same")])])
    };
    let db = |seq: u64, from: u64, line: &str| {
        p2(epoch(1), seq, vec![range(2, from, from + 5), lines("db", &[(1, line)]), lines("events", &[(2, line)])])
    };
    vec![
        Step::Commit(vec![web(1, 0), batch(epoch(1), 1, vec![scrape(&up, BEGIN_MS, 1.0)])]),
        Step::Commit(vec![db(2, 50, "first"), web(3, 10)]),
        Step::Flush { merge: false },
        Step::Commit(vec![web(4, 20), db(5, 55, "second")]),
        Step::Delete,
        Step::Commit(vec![db(6, 60, "first"), batch(epoch(1), 2, vec![scrape(&up, BEGIN_MS + 1, 2.0)])]),
        Step::Flush { merge: false },
        Step::Commit(vec![web(7, 30)]),
        Step::Flush { merge: true },
        Step::Commit(vec![web(8, 40), db(9, 65, "third")]),
        Step::Delete,
        Step::Commit(vec![web(10, 50), db(11, 70, "last")]),
        Step::Flush { merge: true },
    ]
}

fn small() -> Config {
    let mut small = config(Path::new("/data"));
    (small.cache_bytes, small.log_cache_bytes) = (1 << 20, 1 << 20);
    small
}

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
            outcomes.iter().all(|outcome| matches!(outcome, Outcome::Committed { .. } | Outcome::Repeat { .. }))
        }
        Step::Flush { merge } => world.parts.admin.flush(*merge, world.now).is_ok(),
        Step::Delete => {
            let db = vec![Matcher::equal("job", "db")];
            world.parts.admin.delete_logs(db, BEGIN_NS, i64::MAX, world.now).is_ok()
        }
    }
}

/// Lines, positions, samples.
type Seen = (Vec<String>, Vec<(u64, u64)>, Vec<String>);

fn see(world: &mut World) -> Seen {
    (world.log_dump(), world.positions(), world.dump())
}

/// What is seen after each step when nothing fails.
struct Drill {
    script: Vec<Step>,
    expected: Vec<Seen>,
    config: Config,
}

impl Drill {
    fn new(config: Config) -> Self {
        let mut world = try_open(&CutDisk::new(0), small()).unwrap();
        let script = script();
        let mut expected = vec![see(&mut world)];
        for step in &script {
            assert!(take(&mut world, step));
            expected.push(see(&mut world));
        }
        Self { script, expected, config }
    }

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
    fn check(&self, world: &mut World, done: usize, what: &str) -> Result<(), String> {
        let seen = see(world);
        let under_way = self.expected.get(done + 1).unwrap_or(&self.expected[done]);
        if seen == self.expected[done] || seen == *under_way {
            return Ok(());
        }
        Err(format!("{what}, {done} steps done: {seen:#?}, not {:#?}", self.expected[done]))
    }

    /// Cuts the power before the operation `at`, looks, and goes on for some steps. `Ok(false)`: it ended before that operation.
    fn cut_at(&self, at: u64, seed: u64, steps: usize) -> Result<bool, String> {
        let what = format!("cut at operation {at}");
        let disk = CutDisk::new(seed);
        disk.power_off_at(at);
        let mut done = 0;
        let ended = try_open(&disk, self.config.clone()).is_some_and(|mut world| self.run(&mut world, &mut done));
        let reached = disk.is_off() || !ended;
        disk.cut();
        let mut world = try_open(&disk, self.config.clone()).ok_or_else(|| format!("{what}: it does not open"))?;
        self.check(&mut world, done, &what)?;
        let end = self.script.len().min(done.saturating_add(steps));
        while done < end {
            if !take(&mut world, &self.script[done]) {
                return Err(format!("{what}: step {done} fails afterwards"));
            }
            done += 1;
            self.check(&mut world, done, &format!("{what}, run on"))?;
        }
        Ok(reached)
    }

    /// The `nth` operation of a kind fails; sometimes the process ends with it; in the end the power is cut. Answers failures.
    fn fail_at(&self, operation: Operation, nth: u64, fault: Fault) -> Result<usize, String> {
        let what = format!("{operation:?} {nth} fails with {fault:?}");
        let disk = CutDisk::new(nth);
        let (mut done, mut failures) = (0, 0);
        let mut world = try_open(&disk, self.config.clone()).ok_or("it does not open")?;
        disk.fail(operation, nth, 1, fault);
        while !self.run(&mut world, &mut done) {
            failures += 1;
            if failures == 5 {
                return Err(format!("{what}: it does not recover"));
            }
            if failures == 1 && nth.is_multiple_of(2) {
                drop(world);
                world = try_open(&disk, self.config.clone()).ok_or_else(|| format!("{what}: it does not open"))?;
            }
        }
        self.check(&mut world, done, &what)?;
        if !world.parts.admin.health().is_good() {
            return Err(format!("{what}: {:?}", world.parts.admin.health()));
        }
        disk.cut();
        let mut world =
            try_open(&disk, self.config.clone()).ok_or_else(|| format!("{what}: it does not open again"))?;
        self.check(&mut world, done, &format!("{what}, then cut"))?;
        Ok(failures)
    }
}

#[test]
fn a_power_cut_at_any_operation_loses_and_doubles_no_line_and_positions_agree() {
    let drill = Drill::new(small());
    let last = &drill.expected.last().unwrap().0;
    assert_eq!(last.iter().filter(|line| line.starts_with("db")).collect::<Vec<_>>(), ["db 1 last"]);
    assert_eq!(last.iter().filter(|line| line.ends_with("same")).count(), 6, "equal lines are kept");
    let worker = |from: u64| {
        let mut at = from;
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
fn a_disk_error_at_any_operation_loses_and_doubles_no_line() {
    let drill = Drill::new(small());
    let faults = [
        (Operation::Sync, Fault::Io, 3),
        (Operation::Write, Fault::NoSpace, 11),
        (Operation::Rename, Fault::Io, 1),
        (Operation::SyncDir, Fault::Io, 1),
        (Operation::Create, Fault::NoSpace, 1),
    ];
    for (operation, fault, step) in faults {
        let mut failures = 0;
        for nth in (1..).step_by(step) {
            if drill.fail_at(operation, nth, fault).unwrap() == 0 {
                break;
            }
            failures += 1;
        }
        assert!(failures > 0, "{operation:?}");
    }
}

#[cfg(feature = "planted")]
mod planted {
    use super::*;
    use crate::planted::Planted;

    #[test]
    fn planted_bugs_of_positions_and_tombstones_are_caught_by_power_cuts() {
        for bug in [Planted::PositionApartFromData, Planted::TombstoneHidesLater] {
            let drill = Drill::new(Config { planted: Some(bug), ..small() });
            let caught = (0..20).any(|seed| {
                let mut at = seed;
                loop {
                    match drill.cut_at(at, seed * 1_000 + at, usize::MAX) {
                        Err(_) => return true,
                        Ok(false) => return false,
                        Ok(true) => at += 7,
                    }
                }
            });
            assert!(caught, "{bug:?}");
        }
    }
}
