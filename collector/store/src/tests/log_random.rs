//! Random runs of lines with random cuts, faults and deletes against a model that is a list.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::cut::{CutDisk, Fault, Operation};
use muster_common::matcher::Matcher;
use muster_common::time::Timestamp;

use super::log_world::{BEGIN_NS, SECOND_NS, lines, order as order_of, p2, range};
use super::world::{BEGIN_MS, World, config, epoch};
use crate::{Append, Config, LogOrder, LogSelect, Outcome, open};

/// xorshift: the same run for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// Every line in the order of arrival: stream, time, text.
#[derive(Default)]
struct Model {
    lines: Vec<(String, i64, String)>,
    position: u64,
}

impl Model {
    fn dump(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.lines.iter().collect();
        lines.sort_by_key(|line| (order_of(&line.0), line.1));
        lines.iter().map(|(job, at, text)| format!("{job} {at} {text}")).collect()
    }

    /// A window with a needle.
    fn ask(&self, from: i64, to: i64, needle: &str, order: LogOrder) -> Vec<String> {
        let within = |line: &&(String, i64, String)| line.1 >= from && line.1 < to && line.2.contains(needle);
        let mut lines: Vec<_> = self.lines.iter().filter(within).collect();
        match order {
            LogOrder::ByStream => lines.sort_by_key(|line| (order_of(&line.0), line.1)),
            _ => lines.sort_by_key(|line| (line.1, order_of(&line.0))),
        }
        if order == LogOrder::Backward {
            lines.reverse();
        }
        lines.iter().map(|(job, at, text)| format!("{job} {at} {text}")).collect()
    }
}

/// A batch of a few lines over three days, most of them in a crowd of few times; told to the model too.
fn random_batch(dice: &mut Dice, seq: u64, model: &mut Model) -> Append {
    let step = dice.below(50);
    let mut records = vec![range(1, model.position, model.position + step)];
    model.position += step;
    for _ in 0..=dice.below(4) {
        let job = ["web", "db", "cron", "events"][dice.below(4) as usize];
        let mut texts = Vec::new();
        for _ in 0..dice.below(20) {
            let after = dice.below(3) as i64 * 86_400 * SECOND_NS + dice.below(12) as i64;
            texts.push((after, format!("w{} x{} end", dice.below(9), dice.below(3))));
        }
        let entries: Vec<(i64, &str)> = texts.iter().map(|(after, text)| (*after, text.as_str())).collect();
        records.push(lines(job, &entries));
        model.lines.extend(texts.into_iter().map(|(after, text)| (job.to_owned(), after, text)));
    }
    p2(epoch(1), seq, records)
}

fn reopen(disk: &CutDisk, now: Timestamp) -> World {
    let base = config(Path::new("/data"));
    let small = Config { merge_segments_min: 3, cache_bytes: 1 << 20, log_cache_bytes: 1 << 20, ..base };
    loop {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        // A planned fault may hit the opening; it hits but once.
        if let Ok(parts) = open(disk, small.clone(), now, &mut || 3) {
            return World { parts, now };
        }
    }
}

/// Deletes a stream's lines of some times, again and again until it is acknowledged; the model loses them once.
fn delete(world: &mut World, disk: &CutDisk, dice: &mut Dice, model: &mut Model) {
    let (job, day) = (["web", "db", "cron"][dice.below(3) as usize], dice.below(3) as i64 * 86_400 * SECOND_NS);
    let (from, to) = (day + dice.below(6) as i64, day + 6 + dice.below(6) as i64);
    loop {
        let matchers = vec![Matcher::equal("job", job)];
        match world.parts.admin.delete_logs(matchers, BEGIN_NS + from, BEGIN_NS + to, world.now) {
            Ok(_) => break,
            Err(_) if disk.is_off() => {
                disk.cut();
                *world = reopen(disk, world.now);
            }
            Err(_) => {}
        }
    }
    model.lines.retain(|line| line.0 != job || line.1 < from || line.1 >= to);
}

fn check(world: &mut World, dice: &mut Dice, model: &Model, what: &str) {
    assert!(world.log_dump() == model.dump(), "{what}: {:#?} not {:#?}", world.log_dump(), model.dump());
    assert_eq!(world.positions(), [(1, model.position)], "{what}");
    let order = [LogOrder::ByStream, LogOrder::Forward, LogOrder::Backward][dice.below(3) as usize];
    let (from, needle) = (dice.below(10) as i64, [" x1 ", "w7 ", "x2 e", ""][dice.below(4) as usize]);
    let to = from + dice.below(2 * 86_400) as i64 * SECOND_NS;
    let needles = [needle.as_bytes().to_vec()];
    let request = LogSelect {
        from_ns: BEGIN_NS + from,
        to_ns: BEGIN_NS + to,
        order,
        needles: &needles,
        ..LogSelect::all_times(&[])
    };
    let mut found = world.log_dump_of(&request);
    found.retain(|line| line.contains(needle));
    assert!(found == model.ask(from, to, needle, order), "{what}: {order:?} {from}..{to} {needle:?}: {found:#?}");
}

#[test]
fn random_runs_of_lines_with_cuts_faults_and_deletes_agree_with_a_list() {
    for seed in 1..=12u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let disk = CutDisk::new(seed);
        let mut world = reopen(&disk, Timestamp::from_millis(BEGIN_MS));
        let mut model = Model::default();
        for seq in 1..=30 {
            let append = random_batch(&mut dice, seq, &mut model);
            let now = world.now.plus(Duration::from_secs(dice.below(400)));
            world.now = now;
            match dice.below(6) {
                0 => disk.power_off_at(disk.operations() + dice.below(40)),
                1 => disk.fail(Operation::Sync, 1 + dice.below(3), 1, Fault::Io),
                2 => disk.fail(Operation::Write, 1 + dice.below(30), 1, Fault::NoSpace),
                _ => {}
            }
            loop {
                match world.parts.writer.commit(std::slice::from_ref(&append), now).as_deref() {
                    Ok([Outcome::Committed { .. } | Outcome::Repeat { .. }]) => break,
                    Ok(other) => panic!("seed {seed}, seq {seq}: {other:?}"),
                    Err(_) if disk.is_off() => {
                        disk.cut();
                        world = reopen(&disk, now);
                    }
                    // Throttled or failed: maintenance, and again.
                    Err(_) => drop(world.parts.admin.maintain(now)),
                }
            }
            let done = match dice.below(5) {
                0 => world.parts.admin.flush(dice.below(3) == 0, now).is_ok(),
                1 => world.parts.admin.maintain(now).is_ok(),
                2 if dice.below(2) == 0 => {
                    delete(&mut world, &disk, &mut dice, &mut model);
                    true
                }
                _ => true,
            };
            if disk.is_off() {
                disk.cut();
                world = reopen(&disk, now);
            }
            check(&mut world, &mut dice, &model, &format!("seed {seed}, seq {seq}, {done}"));
        }
        disk.cut();
        let mut world = reopen(&disk, world.now);
        world.parts.admin.flush(true, world.now).unwrap();
        check(&mut world, &mut dice, &model, &format!("seed {seed} at the end"));
        assert_eq!(world.stat("log_segment_lines"), model.lines.len() as f64, "seed {seed}: deletes are carried out");
        assert_eq!(world.stat("store_tombstones"), 0.0);
        assert!(world.stat("log_segments") <= 6.0, "one a day and class");
        assert!(world.parts.admin.health().is_good(), "seed {seed}: {:?}", world.parts.admin.health());
    }
}
