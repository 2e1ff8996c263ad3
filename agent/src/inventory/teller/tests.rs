use std::collections::{BTreeSet, VecDeque};

use muster_common::inventory::{Value, named, numbered};

use super::*;

fn ports(random: &mut fastrand::Rng) -> Rows {
    let mut rows = Rows::new(named("listening_ports").unwrap());
    for _ in 0..random.usize(0..8) {
        rows.add(["tcp".into(), "::".into(), random.i64(0..6).into(), "sshd".into()]);
    }
    rows
}

fn users(count: usize, comment: &str) -> Rows {
    let mut rows = Rows::new(named("users").unwrap());
    for number in 0..count {
        rows.add([format!("user{number}").into(), 1.into(), 1.into(), comment.into()]);
    }
    rows
}

fn at_once(at_ms: i64) -> Taken {
    Taken { begun_ms: at_ms, ended_ms: at_ms }
}

/// A collector that believes nothing.
#[derive(Default)]
struct Collector {
    tables: BTreeMap<u8, Rows>,
    parts: BTreeMap<u8, Vec<Row>>,
    failed: BTreeSet<u8>,
    wanted: BTreeSet<u8>,
}

impl Collector {
    fn read(&mut self, report: &InventoryReport) {
        assert!(report.since_ms <= report.at_ms, "{report:?}");
        for told in &report.tables {
            let (table, number) = (numbered(told.table).unwrap(), told.table);
            let known = self.tables.get(&number).map(Rows::digest);
            self.failed.remove(&number);
            match &told.word {
                InventoryWord::Unchanged if known != Some(Digest(told.digest)) => drop(self.wanted.insert(number)),
                InventoryWord::Unchanged => {}
                InventoryWord::Failed { problem } => {
                    assert!(!problem.is_empty());
                    self.failed.insert(number);
                }
                InventoryWord::Changed { from, gone, now } => {
                    let difference = Difference { gone: gone.clone(), now: now.clone() };
                    let before = self.tables.get(&number);
                    let way = (Digest(*from), Digest(told.digest));
                    match before.and_then(|before| difference.apply(before, way).ok()) {
                        Some(after) => drop(self.tables.insert(number, after)),
                        None => drop(self.wanted.insert(number)),
                    }
                }
                InventoryWord::Whole { part, parts, rows } => {
                    let all = self.parts.entry(number).or_default();
                    if *part == 0 {
                        all.clear();
                    }
                    all.extend(rows.iter().cloned());
                    if part + 1 == *parts {
                        let whole = Rows::of(table, self.parts.remove(&number).unwrap()).unwrap();
                        if whole.digest() == Digest(told.digest) {
                            self.tables.insert(number, whole);
                            self.wanted.remove(&number);
                        } else {
                            self.wanted.insert(number);
                        }
                    }
                }
            }
        }
    }

    fn digests(&self) -> Vec<(u8, Digest)> {
        self.tables.iter().map(|(number, rows)| (*number, rows.digest())).collect()
    }
}

#[test]
fn any_history_ends_with_the_collector_knowing_the_host() {
    for seed in 0..3_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut collector, mut lane) = (Collector::default(), VecDeque::new());
        let (mut teller, mut now, mut at) = (Teller::default(), ports(&mut random), 1);
        let number = now.table().number;
        let loses = random.bool();
        for step in 0..40 {
            at += 1;
            match random.u8(0..10) {
                0 => teller = Teller::default(),
                1 => teller.welcome(&collector.digests()),
                2 => teller.look(number, at_once(at), Err("/proc/net/tcp: is gone".to_owned())),
                3 => teller.gather(),
                4 if loses => drop(lane.pop_front()),
                5 | 6 => now = ports(&mut random),
                7 => {
                    let wanted: Vec<u8> = std::mem::take(&mut collector.wanted).into_iter().collect();
                    if !teller.wanted(&wanted).is_empty() {
                        teller.look(number, at_once(at), Ok(now.clone()));
                    }
                }
                _ => teller.look(number, at_once(at), Ok(now.clone())),
            }
            lane.extend(teller.take());
            if random.bool()
                && let Some(report) = lane.pop_front()
            {
                collector.read(&report);
            }
            assert!(lane.len() <= 2 * step + 3);
        }
        // In the end all arrives, and the collector asks for what it lacks.
        teller.welcome(&collector.digests());
        for _ in 0..3 {
            at += 1;
            teller.look(number, at_once(at), Ok(now.clone()));
            teller.gather();
            lane.extend(teller.take());
            lane.drain(..).for_each(|report| collector.read(&report));
            let wanted: Vec<u8> = std::mem::take(&mut collector.wanted).into_iter().collect();
            teller.wanted(&wanted);
        }
        assert_eq!(collector.tables.get(&number), Some(&now), "seed {seed}");
        assert!(collector.failed.is_empty() && collector.wanted.is_empty(), "seed {seed}");
    }
}

fn words(reports: &[InventoryReport]) -> Vec<String> {
    let word = |word: &InventoryWord| match word {
        InventoryWord::Unchanged => "unchanged".to_owned(),
        InventoryWord::Changed { gone, now, .. } => format!("changed -{} +{}", gone.len(), now.len()),
        InventoryWord::Whole { part, parts, rows } => format!("whole {part}/{parts} {}", rows.len()),
        InventoryWord::Failed { problem } => format!("failed {problem}"),
    };
    reports.iter().flat_map(|report| report.tables.iter().map(|table| word(&table.word))).collect()
}

#[test]
fn nothing_is_told_before_the_welcome_and_what_is_known_is_not_told_again() {
    let rows = users(3, "x");
    let number = rows.table().number;
    let mut teller = Teller::default();
    teller.look(number, at_once(10), Ok(users(2, "x")));
    teller.look(number, at_once(20), Ok(rows.clone()));
    teller.gather();
    assert_eq!(teller.take(), []);
    teller.welcome(&[(number, rows.digest())]);
    assert_eq!(teller.take(), []);
    teller.look(number, at_once(30), Ok(rows.clone()));
    teller.gather();
    let told = teller.take();
    assert_eq!((words(&told), told[0].at_ms, told[0].since_ms), (vec!["unchanged".to_owned()], 30, 0));
    // A later welcome does not know what is under way.
    teller.look(number, at_once(40), Ok(users(4, "x")));
    teller.welcome(&[]);
    let told = teller.take();
    assert_eq!((words(&told), told[0].at_ms, told[0].since_ms), (vec!["changed -0 +1".to_owned()], 40, 30));
    // One that has nothing gets an empty table too.
    let mut teller = Teller::default();
    teller.welcome(&[]);
    teller.look(number, at_once(10), Ok(users(0, "")));
    assert_eq!(words(&teller.take()), ["whole 0/1 0"]);
}

#[test]
fn what_is_looked_at_together_is_told_together_between_its_looks() {
    let more = users(3, "x");
    let (users, other) = (users(2, "x"), Rows::new(named("groups").unwrap()));
    let (number, groups) = (users.table().number, other.table().number);
    let mut teller = Teller::default();
    teller.welcome(&[]);
    let taken = |begun_ms, ended_ms| Taken { begun_ms, ended_ms };
    teller.look(number, taken(10, 15), Ok(users));
    teller.look(groups, taken(10, 15), Ok(other));
    let told = teller.take();
    assert_eq!((told.len(), told[0].tables.len(), told[0].at_ms, told[0].since_ms), (1, 2, 15, 0));
    // A look that saw nothing bounds no change.
    teller.look(number, taken(20, 25), Err("gone".to_owned()));
    teller.take();
    teller.look(number, taken(30, 35), Ok(more));
    let told = teller.take();
    assert_eq!((told[0].at_ms, told[0].since_ms), (35, 10));
}

#[test]
fn a_failure_is_told_once_and_its_end_at_once() {
    let rows = users(2, "x");
    let number = rows.table().number;
    let mut teller = Teller::default();
    teller.welcome(&[]);
    let fail = || Err("/etc/passwd: cannot be read".to_owned());
    let mut told = |look: Result<Rows, String>, at: i64| {
        teller.look(number, at_once(at), look);
        words(&teller.take())
    };
    assert_eq!(told(fail(), 1), ["failed /etc/passwd: cannot be read"]);
    assert_eq!(told(fail(), 2), [""; 0]);
    assert_eq!(told(Err("x".repeat(5_000)), 3)[0].len(), "failed ".len() + PROBLEM_BYTES_MAX);
    assert_eq!(told(Ok(rows.clone()), 4), ["whole 0/1 2"]);
    assert_eq!(told(fail(), 5).len(), 1);
    assert_eq!(told(Ok(rows.clone()), 6), ["unchanged"]);
    assert_eq!(told(Ok(users(1, "x")), 7), ["changed -1 +0"]);
    // Of a table that fails on, the refresh says so.
    assert_eq!(told(fail(), 8).len(), 1);
    assert_eq!(told(fail(), 9), [""; 0]);
    teller.gather();
    let told = teller.take();
    assert_eq!((words(&told), told[0].at_ms), (vec!["failed /etc/passwd: cannot be read".to_owned()], 9));
}

#[test]
fn large_tables_go_in_parts_and_hostile_ones_not_at_all() {
    let number = named("users").unwrap().number;
    let mut teller = Teller::default();
    teller.welcome(&[]);
    teller.look(number, at_once(1), Ok(users(4_000, &"c".repeat(150))));
    let told = teller.take();
    assert!((4..=5).contains(&told.len()), "{} reports", told.len());
    let rows: usize = told
        .iter()
        .map(|report| match &report.tables[..] {
            [TableReport { word: InventoryWord::Whole { rows, .. }, .. }] => {
                assert!(rows_bytes(rows) <= PART_BYTES_MAX);
                rows.len()
            }
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(rows, 4_000);
    // All of them changed: that fits no report.
    teller.look(number, at_once(2), Ok(users(4_000, &"d".repeat(150))));
    assert!(words(&teller.take())[0].starts_with("whole 0/"));
    teller.look(number, at_once(3), Ok(users(5_000, &"c".repeat(1_000))));
    let told = words(&teller.take());
    assert!(told.len() == 1 && told[0].contains("more than 4194304"), "{told:?}");
}

#[test]
fn a_refresh_without_news_is_one_small_report() {
    let mut teller = Teller::default();
    teller.welcome(&[]);
    for round in 1..4 {
        for number in 1..=21 {
            let table = numbered(number).unwrap();
            let mut rows = Rows::new(table);
            rows.add(vec![Value::Null; table.columns.len()]);
            teller.look(number, at_once(i64::from(number) * round), Ok(rows));
        }
        if round == 1 {
            // Looks of one moment would go together; these are of 21.
            assert_eq!(teller.take().len(), 21);
        }
    }
    teller.gather();
    let told = teller.take();
    assert_eq!((told.len(), told[0].tables.len(), told[0].at_ms, told[0].since_ms), (1, 21, 3, 1));
    let bytes: usize = told[0].tables.iter().map(|table| word_bytes(&table.word)).sum();
    assert!(bytes <= 1_000, "{bytes} bytes");
    teller.gather();
    assert_eq!(teller.take(), []);
}
