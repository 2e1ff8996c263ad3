//! Random runs with random cuts and faults against a model that is a map.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::cut::{CutDisk, Fault, Operation};
use muster_common::time::Timestamp;

use super::world::{BEGIN_MS, World, batch, config, epoch, table};
use crate::{Append, Config, Outcome, Point, Record, Row, SampleBlock, SeriesTable, open};

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

/// What must be there: by series, by time; and how often something was appended.
#[derive(Default)]
struct Model {
    samples: BTreeMap<Vec<u8>, (String, BTreeMap<i64, f64>)>,
    appended: u64,
}

impl Model {
    fn add(&mut self, table: &SeriesTable, series: usize, at_ms: i64, value: f64) {
        let labels = &table.series()[series].labels;
        let entry = self.samples.entry(labels.canonical().to_vec());
        entry.or_insert_with(|| (labels.to_string(), BTreeMap::new())).1.insert(at_ms, value);
        self.appended += 1;
    }

    fn dump(&self) -> Vec<String> {
        let line = |(labels, samples): &(String, BTreeMap<i64, f64>)| {
            let samples = samples.iter().map(|(ms, value)| format!(" {}={value}", ms - BEGIN_MS));
            format!("{labels}{}", samples.collect::<String>())
        };
        self.samples.values().map(line).collect()
    }
}

/// A batch of a few scrapes and points over three days, most of them in a crowd of few times; told to the model too.
fn random_batch(dice: &mut Dice, tables: &[Arc<SeriesTable>], seq: u64, model: &mut Model) -> Append {
    let mut records = Vec::new();
    for _ in 0..=dice.below(2) {
        let table = &tables[dice.below(tables.len() as u64) as usize];
        let at = |dice: &mut Dice| BEGIN_MS + dice.below(3) as i64 * 86_400_000 + dice.below(12) as i64 * 1_000;
        if dice.below(2) == 0 {
            let (at_ms, mut present, mut values) = (at(dice), vec![0u8; table.len().div_ceil(8)], Vec::new());
            for series in 0..table.len() {
                if dice.below(3) > 0 {
                    present[series / 8] |= 1 << (series % 8);
                    values.push(seq as f64 + series as f64 / 8.0);
                    model.add(table, series, at_ms, seq as f64 + series as f64 / 8.0);
                }
            }
            let rows = vec![Row { at_ms, present: Some(present), values }];
            records.push(Record::Samples(SampleBlock::Rows { table: table.clone(), rows }));
        } else {
            let mut points = Vec::new();
            for _ in 0..dice.below(40) {
                let series = dice.below(table.len() as u64) as usize;
                let (at_ms, value) = (at(dice), dice.below(1_000) as f64);
                points.push(Point { series: series as u32, at_ms, value });
                model.add(table, series, at_ms, value);
            }
            records.push(Record::Samples(SampleBlock::Points { table: table.clone(), points }));
        }
    }
    batch(epoch(1), seq, records)
}

fn reopen(disk: &CutDisk, now: Timestamp) -> World {
    let small = Config { merge_segments_min: 3, cache_bytes: 1 << 20, ..config(Path::new("/data")) };
    loop {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        // A planned fault may hit the opening; it hits but once.
        if let Ok(parts) = open(disk, small.clone(), now, &mut || 3) {
            return World { parts, now };
        }
    }
}

#[test]
fn random_runs_with_cuts_and_faults_agree_with_a_map() {
    for seed in 1..=12u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let disk = CutDisk::new(seed);
        let tables: Vec<_> = (1..=4).map(|i| table(&format!("m{i}"), "a", i * 5)).collect();
        let mut world = reopen(&disk, Timestamp::from_millis(BEGIN_MS));
        let mut model = Model::default();
        for seq in 1..=30 {
            let append = random_batch(&mut dice, &tables, seq, &mut model);
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
            let done = match dice.below(4) {
                0 => world.parts.admin.flush(dice.below(3) == 0, now).is_ok(),
                1 => world.parts.admin.maintain(now).is_ok(),
                _ => true,
            };
            if disk.is_off() {
                disk.cut();
                world = reopen(&disk, now);
            }
            assert!(world.dump() == model.dump(), "seed {seed}, seq {seq}, {done}: {:#?}", world.dump());
            assert_eq!(world.raw_count(), model.appended, "seed {seed}, seq {seq}");
        }
        disk.cut();
        let world = reopen(&disk, world.now);
        world.parts.admin.flush(true, world.now).unwrap();
        assert!(world.dump() == model.dump(), "seed {seed} at the end");
        assert_eq!(world.raw_count(), model.appended, "seed {seed} at the end");
        assert!(world.parts.reader.view().stats().segments <= 3, "one a day");
        assert!(world.parts.admin.health().is_good(), "seed {seed}: {:?}", world.parts.admin.health());
    }
}
