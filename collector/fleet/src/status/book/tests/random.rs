//! Random stories: a book that is read anew from its rows before every step says the same as one that is not, nothing is told twice, and
//! soft and hard are what a plain look at all results says.

use std::collections::BTreeMap;

use muster_common::check::CheckState;
use muster_common::wire::message::{CheckDefinition, CheckList, Report};

use super::{
    ANN, AbsentNow, Acknowledgement, Away, DowntimeSpec, Expected, Goodbye, HostNow, Rows, StatusBook, StatusChange,
    Story, at, definition, id, ms, result,
};
use crate::status::condition::{Condition, Subject};
use crate::status::maintenance::MaintenanceSpec;

const SEEDS: u64 = 16;
const STEPS: usize = 400;
const CHECKS: [&str; 3] = ["disk", "ping", "http"];

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn signed(&mut self, end: u64) -> i64 {
        i64::try_from(self.below(end)).unwrap()
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }
}

/// One step of a story.
#[derive(Clone, Debug)]
enum Op {
    Report { host: HostNow, report: Report, is_live: bool },
    Tick { hosts: Vec<HostNow> },
    Expect { host: u8, expected: Option<Expected> },
    Acknowledge { host: u8, check: String, ack: Acknowledgement },
    Unacknowledge { host: u8, check: String },
    Forget { host: u8, check: String },
    AddDowntime(DowntimeSpec),
    EndDowntime(u64),
    BeginMaintenance(MaintenanceSpec),
    FinishMaintenance(u64),
}

fn run(book: &mut StatusBook, op: &Op, now: i64) {
    match op.clone() {
        Op::Report { host, report, is_live } => book.report(&host, &report, at(now), is_live),
        Op::Tick { hosts } => book.tick(at(now), hosts),
        Op::Expect { host, expected: Some(expected) } => book.expect_absence(id(host), expected),
        Op::Expect { host, expected: None } => book.expect_no_absence(id(host)),
        Op::Acknowledge { host, check, ack } => drop(book.acknowledge(id(host), &check, ack, ANN, at(now))),
        Op::Unacknowledge { host, check } => drop(book.unacknowledge(id(host), &check, ANN, at(now))),
        Op::Forget { host, check } => drop(book.forget(id(host), &check, ANN, at(now))),
        Op::AddDowntime(spec) => drop(book.add_downtime(spec, ANN, at(now)).unwrap()),
        Op::EndDowntime(id) => drop(book.end_downtime(id, ANN, at(now))),
        Op::BeginMaintenance(spec) => drop(book.begin_maintenance(spec, ANN, at(now))),
        Op::FinishMaintenance(id) => drop(book.finish_maintenance(id, ANN, at(now))),
    }
}

fn random_result(random: &mut Random, host: HostNow, now: i64) -> Op {
    let check = *random.pick(&CHECKS);
    let states = [
        CheckState::Ok,
        CheckState::Ok,
        CheckState::Critical,
        CheckState::Critical,
        CheckState::Warning,
        CheckState::Unknown,
    ];
    let parents = match check {
        "http" => vec!["web2".to_owned(), "gw/ping".to_owned()],
        // A circle where it is of `gw` itself.
        "ping" => vec!["gw/http".to_owned()],
        _ => Vec::new(),
    };
    let max_attempts = u16::try_from(random.below(4)).unwrap();
    let kind = u8::try_from(random.below(4)).unwrap();
    let definition = CheckDefinition { kind, parents, volatile: random.below(8) == 0, ..definition(max_attempts) };
    let late = if random.below(4) == 0 { random.signed(300) } else { 0 };
    let report = result(check, *random.pick(&states), now - late, definition);
    Op::Report { host, report, is_live: random.below(5) != 0 }
}

fn random_maintenance(random: &mut Random, host: &HostNow, now: i64) -> Op {
    let hosts = if random.below(2) == 0 { vec![host.id.to_string()] } else { Vec::new() };
    let matchers = random.pick(&["", "host=~\"w.*\"", "site=b"]).to_string();
    let (ends_ms, grace_ms) = (ms(now + 50 + random.signed(300)), random.signed(120) * 1_000);
    let name = "work".to_owned();
    Op::BeginMaintenance(MaintenanceSpec { name, hosts, matchers, ends_ms, grace_ms, ..MaintenanceSpec::default() })
}

fn random_op(random: &mut Random, hosts: &mut Vec<HostNow>, all: &[HostNow], now: i64) -> Op {
    let host = random.pick(hosts).clone();
    let (number, check) = (host.id.0[0], random.pick(&["disk", "ping", "http", ""]).to_string());
    let until = (random.below(2) == 0).then(|| ms(now + random.signed(500)));
    match random.below(23) {
        0..9 => random_result(random, host, now),
        9 => {
            let checks = CHECKS.iter().filter(|_| random.below(3) > 0).map(ToString::to_string).collect();
            Op::Report { host, report: Report::Checks(CheckList { at_ms: ms(now), checks }), is_live: true }
        }
        10 => {
            let is_sticky = random.below(2) == 0;
            let ack = Acknowledgement {
                by: "ann".into(),
                comment: String::new(),
                at_ms: ms(now),
                until_ms: until,
                is_sticky,
            };
            Op::Acknowledge { host: number, check, ack }
        }
        11 => Op::Unacknowledge { host: number, check },
        12 => Op::Forget { host: number, check },
        13 => {
            let matchers = random.pick(&["host=web1", "check=~\"p.*\"", "site=b"]).to_string();
            let recurrence = random.pick(&["", "daily 00:10-00:20"]).to_string();
            let (starts_ms, ends_ms) = (ms(now + random.signed(100)), ms(now + 101 + random.signed(900)));
            let owner = "ann".to_owned();
            Op::AddDowntime(DowntimeSpec { matchers, recurrence, starts_ms, ends_ms, owner, ..DowntimeSpec::default() })
        }
        14 => Op::EndDowntime(1 + random.below(10)),
        15 | 16 => {
            let why = *random.pick(&[Away::Silent, Away::Silent, Away::Stopped, Away::Rebooting]);
            let absent = AbsentNow { since_ms: ms(now), why };
            let is_all = random.below(4) == 0;
            for one in hosts.iter_mut().filter(|one| is_all || one.id == host.id) {
                one.absent = (random.below(2) == 0).then_some(absent);
            }
            Op::Tick { hosts: hosts.clone() }
        }
        17 => {
            for one in hosts.iter_mut().filter(|one| one.id == host.id) {
                one.labels.insert("site".to_owned(), random.pick(&["a", "b"]).to_string());
                one.labels.insert("parent".to_owned(), random.pick(&["", "gw", "web1, GW", "web2,new3"]).to_string());
                one.name = random.pick(&[all[usize::from(number) - 1].name.clone(), format!("new{number}")]).clone();
            }
            Op::Tick { hosts: hosts.clone() }
        }
        20 => random_maintenance(random, &host, now),
        21 | 22 => Op::FinishMaintenance(1 + random.below(15)),
        18 if random.below(2) == 0 => {
            let goodbye = *random.pick(&[Goodbye::Restart, Goodbye::Upgrade, Goodbye::Reboot]);
            Op::Expect { host: number, expected: until.map(|until_ms| Expected { goodbye, until_ms }) }
        }
        18 if random.below(3) == 0 => {
            if hosts.len() < all.len() {
                *hosts = all.to_vec();
            } else {
                hosts.retain(|one| one.id != host.id);
            }
            Op::Tick { hosts: hosts.clone() }
        }
        _ => Op::Tick { hosts: hosts.clone() },
    }
}

/// What was told and has not ended: nothing is told twice, and nothing ends that was not told.
fn note_told(told: &mut BTreeMap<Subject, Condition>, changes: &[StatusChange], place: &str) {
    for change in changes {
        match change {
            StatusChange::Problem(now) => {
                let before = told.insert(now.subject.clone(), now.clone());
                let is_same = before.is_some_and(|before| {
                    (before.severity, &before.name, &before.holds, &before.labels, before.since_ms)
                        == (now.severity, &now.name, &now.holds, &now.labels, now.since_ms)
                });
                assert!(now.again || !is_same, "{place}: told twice: {now:?}");
            }
            StatusChange::Ended { subject, .. } => {
                assert!(told.remove(subject).is_some(), "{place}: {subject:?} ends and was not told");
            }
        }
    }
}

/// All results of a check that counted, as (time, state, attempts that make it hard): its hard state, bad results in a row, and since when.
fn naive(results: &[(i64, CheckState, u16)]) -> (CheckState, bool, i64) {
    let is_ok = |one: &&(i64, CheckState, u16)| one.1 == CheckState::Ok;
    let after_ok = results.iter().rposition(|one| is_ok(&one)).map_or(0, |last| last + 1);
    let bad = &results[after_ok..];
    let is_hard = bad.iter().enumerate().any(|(before, one)| before + 1 >= usize::from(one.2.max(1)));
    let Some(first) = bad.first() else {
        let first_ok = results.iter().rposition(|one| !is_ok(&one)).map_or(0, |last| last + 1);
        return (CheckState::Ok, false, results[first_ok].0);
    };
    let last = bad.last().unwrap().1;
    (if is_hard { last } else { CheckState::Ok }, !is_hard, first.0)
}

#[test]
fn a_book_read_anew_at_every_step_says_the_same_and_nothing_twice() {
    let (mut changes_seen, mut ends_seen, mut not_recovered) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let story = Story::new();
        let (all, mut hosts) = (story.hosts.clone(), story.hosts.clone());
        let (mut kept, mut rows, mut now) = (story.book, Rows::default(), 0);
        let mut told = BTreeMap::new();
        for step in 0..STEPS {
            let place = format!("seed {seed} step {step}");
            now += random.signed(60);
            let mut anew = rows.load(&hosts);
            anew.go_on(&kept);
            let op = random_op(&mut random, &mut hosts, &all, now);
            run(&mut kept, &op, now);
            run(&mut anew, &op, now);
            let (one, other) = (kept.settle(at(now)), anew.settle(at(now)));
            assert_eq!(
                one.changes.iter().map(compared).collect::<Vec<_>>(),
                other.changes.iter().map(compared).collect::<Vec<_>>(),
                "{place}: {op:?}"
            );
            assert_eq!(one.events, other.events, "{place}: {op:?}");
            rows.take(&one.rows);
            let mut also = rows.clone();
            also.take(&other.rows);
            assert_eq!(rows, also, "{place}: {op:?}");
            note_told(&mut told, &one.changes, &place);
            changes_seen += one.changes.len();
            let is_of_maintenance = |change: &&StatusChange| {
                matches!(change, StatusChange::Ended { subject: Subject::Maintenance { .. }, .. })
            };
            not_recovered += one.changes.iter().filter(is_of_maintenance).count();
            ends_seen += one.changes.iter().filter(|change| matches!(change, StatusChange::Ended { .. })).count();
            let standing: Vec<_> = kept
                .standing(ms(now))
                .iter()
                .map(|change| match change {
                    StatusChange::Problem(condition) => condition.subject.clone(),
                    StatusChange::Ended { .. } => panic!("{place}: what stands has not ended"),
                })
                .collect();
            assert_eq!(standing.len(), told.len(), "{place}: {op:?}");
            assert!(standing.iter().all(|subject| told.contains_key(subject)), "{place}");
        }
    }
    assert!(changes_seen > 500 && ends_seen > 125, "{changes_seen} {ends_seen}");
    assert!(not_recovered > 5, "{not_recovered} maintenances had something left that returned later");
}

/// A change whole, as text: NaN of perfdata is itself.
fn compared(change: &StatusChange) -> String {
    format!("{change:?}")
}

#[test]
fn soft_and_hard_are_what_a_plain_look_at_all_results_says() {
    for seed in 0..SEEDS {
        let mut random = Random(1_000 + seed);
        let mut story = Story::new();
        let mut results: Vec<(i64, CheckState, u16)> = Vec::new();
        let mut now = 0;
        for step in 0..STEPS {
            now += 1 + random.signed(20);
            let host = story.hosts[0].clone();
            let Op::Report { report: Report::Check(mut check), is_live, .. } =
                random_result(&mut random, host.clone(), now)
            else {
                panic!("a result")
            };
            check.check = "disk".to_owned();
            if results.last().is_none_or(|last| check.at_ms > last.0) {
                results.push((check.at_ms, CheckState::from_u8(check.state).unwrap(), check.definition.max_attempts));
            }
            story.book.report(&host, &Report::Check(check), at(now), is_live);
            story.settle(now);
            let view = story.book.view(id(1), "disk").unwrap();
            let is_soft = view.hard_state == CheckState::Ok && view.state != CheckState::Ok;
            assert_eq!((view.hard_state, is_soft, view.since_ms), naive(&results), "seed {seed} step {step}");
        }
    }
}
