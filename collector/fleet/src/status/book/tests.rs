//! The book's rules, each by a short story.

use std::collections::BTreeMap;

use muster_common::check::CheckState;
use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{CheckDefinition, CheckList, CheckReport, Report};

use super::{AbsentNow, Away, HostNow, StatusBook};
use redb::TableHandle;

use crate::by::By;
use crate::outbox::{Event, EventKind};
use crate::rows::decode;
use crate::status::acknowledgement::Acknowledgement;
use crate::status::condition::{EndReason, HoldReason, StatusChange, Subject};
use crate::status::downtime::{Downtime, DowntimeSpec};
use crate::status::expected::{Expected, Goodbye};
use crate::status::maintenance::Maintenance;
use crate::tables::Put;

const ANN: &By = &By::Itself("ann");

mod away;
mod clock;
mod maintenance;
mod random;

/// 2026-01-01 and this many seconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(ms(seconds))
}

fn ms(seconds: i64) -> i64 {
    1_767_225_600_000 + seconds * 1_000
}

fn id(number: u8) -> HostId {
    HostId([number; 16])
}

fn definition(max_attempts: u16) -> CheckDefinition {
    CheckDefinition { interval_ms: 60_000, retry_ms: 10_000, max_attempts, ..CheckDefinition::default() }
}

fn result(check: &str, state: CheckState, seconds: i64, definition: CheckDefinition) -> Report {
    Report::Check(CheckReport {
        at_ms: ms(seconds),
        check: check.to_owned(),
        state: state as u8,
        output: format!("{check} is {state}"),
        long_output: String::new(),
        perfdata: Vec::new(),
        duration_ms: 5,
        definition,
    })
}

/// Rows as they lie on disk, by table and key.
#[derive(Clone, Default, PartialEq, Debug)]
struct Rows(BTreeMap<(&'static str, Vec<u8>), Vec<u8>>);

impl Rows {
    fn take(&mut self, puts: &[Put]) {
        for put in puts {
            let known = ["checks", "downtimes", "ended_downtimes", "maintenances"];
            let table = known.into_iter().find(|name| *name == put.table.name()).unwrap();
            let key = (table, put.key.clone());
            match &put.value {
                Some(value) => self.0.insert(key, value.clone()),
                None => self.0.remove(&key),
            };
        }
    }

    fn load(&self, hosts: &[HostNow]) -> StatusBook {
        let of =
            |table| self.0.iter().filter(move |(key, _)| key.0 == table).map(|(key, value)| (key.1.clone(), value));
        let checks = of("checks").map(|(key, value)| (key, value.clone())).collect();
        let downtimes = of("downtimes").map(|(key, value)| (key, decode::<Downtime>(value).unwrap())).collect();
        let ended = of("ended_downtimes").map(|(_, value)| decode::<Downtime>(value).unwrap()).collect();
        let book = StatusBook::load(hosts.to_vec(), checks, downtimes, ended);
        let mut book = book.unwrap_or_else(|(_, key, what)| panic!("{key:?}: {what}"));
        book.load_maintenances(of("maintenances").map(|(_, value)| decode::<Maintenance>(value).unwrap()).collect());
        book
    }
}

/// Three hosts and a book that has been ready since 0 s.
struct Story {
    book: StatusBook,
    hosts: Vec<HostNow>,
    rows: Rows,
    events: Vec<Event>,
}

impl Story {
    fn new() -> Self {
        let host = |(number, name): (u8, &str)| HostNow {
            id: id(number),
            name: name.to_owned(),
            labels: BTreeMap::from([("site".to_owned(), "a".to_owned())]),
            is_ephemeral: false,
            absent: None,
        };
        let hosts = [(1, "web1"), (2, "web2"), (3, "gw")].map(host).to_vec();
        let mut story = Self { book: StatusBook::default(), hosts, rows: Rows::default(), events: Vec::new() };
        assert_eq!(story.tick(0), [""; 0]);
        story
    }

    /// What was told, each in one line.
    fn settle(&mut self, seconds: i64) -> Vec<String> {
        let outcome = self.book.settle(at(seconds));
        self.rows.take(&outcome.rows);
        self.events.extend(outcome.events);
        outcome.changes.iter().map(shown).collect()
    }

    fn tick(&mut self, seconds: i64) -> Vec<String> {
        self.book.tick(at(seconds), self.hosts.clone());
        self.settle(seconds)
    }

    fn report(&mut self, host: usize, report: &Report, seconds: i64) -> Vec<String> {
        self.book.report(&self.hosts[host], report, at(seconds), true);
        self.settle(seconds)
    }

    /// A live result of a check that is hard at once.
    fn result(&mut self, host: usize, check: &str, state: CheckState, seconds: i64) -> Vec<String> {
        self.report(host, &result(check, state, seconds, definition(1)), seconds)
    }

    fn away(&mut self, host: usize, seconds: Option<i64>, is_stopped: bool) {
        let why = if is_stopped { Away::Stopped } else { Away::Silent };
        self.hosts[host].absent = seconds.map(|seconds| AbsentNow { since_ms: ms(seconds), why });
    }

    fn kinds(&self) -> Vec<EventKind> {
        self.events.iter().map(|event| event.kind).collect()
    }
}

fn shown(change: &StatusChange) -> String {
    let subject = |subject: &Subject| match subject {
        Subject::Host { host } => format!("host {}", host.0[0]),
        Subject::Check { host, check } => format!("{}/{check}", host.0[0]),
        Subject::Fleet => "fleet".to_owned(),
        Subject::Maintenance { id } => format!("maintenance {id}"),
    };
    match change {
        StatusChange::Problem(it) => {
            let holds: Vec<_> = it.holds.iter().map(|hold| format!(" {}:{}", hold.why.as_str(), hold.by)).collect();
            let again = if it.again { " again" } else { "" };
            format!("{} {} {}{again}{}", subject(&it.subject), it.name, it.severity.as_str(), holds.concat())
        }
        StatusChange::Ended { subject: about, why, .. } => format!("{} ended {why:?}", subject(about)),
    }
}

use CheckState::{Critical as C, Ok as O, Warning as W};

#[test]
fn only_hard_problems_and_their_differences_are_told() {
    let mut story = Story::new();
    let three = |state, seconds| result("disk", state, seconds, definition(3));
    for (state, seconds, told) in [
        (O, 10, &[][..]),
        (W, 20, &[]),
        (W, 30, &[]),
        (W, 40, &["1/disk disk warning"]),
        (W, 50, &[]),
        (C, 60, &["1/disk disk critical"]),
        (C, 55, &[]),
        (O, 70, &["1/disk ended Recovered"]),
        (O, 80, &[]),
    ] {
        assert_eq!(story.report(0, &three(state, seconds), seconds), told, "{seconds}");
    }
    assert_eq!(story.kinds(), [EventKind::CheckState; 3]);
    let view = story.book.view(id(1), "disk").unwrap();
    assert_eq!((view.state, view.attempt, view.since_ms, view.at_ms), (O, 0, ms(70), ms(80)));
}

#[test]
fn a_problem_has_its_hosts_labels_which_its_check_cannot_forge() {
    let mut story = Story::new();
    let label =
        |name: &str, value: &str| muster_common::wire::message::WireLabel { name: name.into(), value: value.into() };
    let labels = vec![label("host", "other"), label("site", "z"), label("team", "db"), label("severity", "none")];
    let report = result("disk", C, 10, CheckDefinition { labels, ..definition(1) });
    story.report(0, &report, 10);
    let [StatusChange::Problem(problem)] = &story.book.standing(ms(10))[..] else { panic!("one problem") };
    let labels: Vec<_> = problem.labels.iter().collect();
    assert_eq!(labels, [("check", "disk"), ("host", "web1"), ("site", "a"), ("team", "db")]);
}

#[test]
fn volatile_checks_are_told_anew_with_each_bad_result() {
    let mut story = Story::new();
    let report = |state, seconds| result("log", state, seconds, CheckDefinition { volatile: true, ..definition(1) });
    for (state, seconds, told) in [
        (C, 10, &["1/log log critical"][..]),
        (C, 20, &["1/log log critical again"]),
        (C, 20, &[]),
        (O, 30, &["1/log ended Recovered"]),
    ] {
        assert_eq!(story.report(0, &report(state, seconds), seconds), told, "{seconds}");
    }
}

#[test]
fn acknowledgements_hold_until_they_expire_the_problem_changes_or_it_ends() {
    let ack = |until: Option<i64>, is_sticky| Acknowledgement {
        by: "ann".into(),
        comment: "on it".into(),
        at_ms: ms(20),
        until_ms: until.map(ms),
        is_sticky,
    };
    // (until, sticky, state at 30 s, told at 30 s, told at 60 s)
    for (until, is_sticky, state, told, later) in [
        (None, false, W, &[][..], &[][..]),
        (None, false, C, &["1/disk disk critical"], &[]),
        (None, true, C, &["1/disk disk critical acknowledged:ann"], &[]),
        (None, true, O, &["1/disk ended Recovered"], &[]),
        (Some(50), true, W, &[], &["1/disk disk warning"]),
    ] {
        let mut story = Story::new();
        assert!(!story.book.acknowledge(id(1), "disk", ack(None, true), ANN, at(5)), "no check");
        story.result(0, "disk", W, 10);
        assert!(story.book.acknowledge(id(1), "disk", ack(until, is_sticky), ANN, at(20)));
        assert_eq!(story.settle(20), ["1/disk disk warning acknowledged:ann"]);
        assert_eq!(story.result(0, "disk", state, 30), told, "{until:?} {is_sticky} {state}");
        assert_eq!(story.tick(60), later, "{until:?} {is_sticky} {state}");
    }
    let mut story = Story::new();
    story.result(0, "disk", W, 10);
    story.book.acknowledge(id(1), "disk", ack(None, true), ANN, at(20));
    story.settle(20);
    assert!(story.book.unacknowledge(id(1), "disk", ANN, at(25)));
    assert_eq!(story.settle(25), ["1/disk disk warning"]);
    assert!(!story.book.unacknowledge(id(1), "disk", ANN, at(26)));
    assert_eq!(story.kinds(), [EventKind::CheckState, EventKind::Acknowledged, EventKind::Unacknowledged]);
}

#[test]
fn downtimes_hold_what_they_match_while_they_are_on() {
    let mut story = Story::new();
    story.result(0, "disk", C, 10);
    story.result(1, "disk", C, 10);
    let (owner, reason) = ("ann".to_owned(), "disks".to_owned());
    let matchers = "host=web1, check=~\"di.*\"".to_owned();
    let (starts_ms, ends_ms) = (ms(30), ms(60));
    let spec = DowntimeSpec { matchers, starts_ms, ends_ms, owner, reason, ..DowntimeSpec::default() };
    assert_eq!(story.book.add_downtime(spec.clone(), ANN, at(20)), Ok(1));
    assert_eq!((story.settle(20), story.tick(29)), (vec![], vec![]));
    assert_eq!(story.tick(30), ["1/disk disk critical downtime:1"]);
    assert_eq!(story.result(0, "disk", O, 40), ["1/disk ended Recovered"], "the end of what was told is never held");
    assert_eq!(story.result(0, "disk", C, 50), ["1/disk disk critical downtime:1"]);
    assert_eq!(story.tick(60), ["1/disk disk critical"]);
    assert!(story.book.downtimes().is_empty() && !story.book.end_downtime(1, ANN, at(61)));
    assert!(story.book.add_downtime(spec.clone(), ANN, at(61)).is_err(), "it is over");
    story.book = story.rows.load(&story.hosts);
    let next = story.book.add_downtime(DowntimeSpec { ends_ms: ms(90), ..spec }, ANN, at(61));
    assert_eq!(next, Ok(2), "numbers are not used again");
    assert_eq!(story.settle(61), ["1/disk disk critical downtime:2"]);
    assert!(story.book.end_downtime(2, ANN, at(62)));
    assert_eq!(story.settle(62), ["1/disk disk critical"]);
}

#[test]
fn downtimes_that_were_on_are_remembered_for_a_year() {
    let mut story = Story::new();
    let spec = |from: i64, to: i64| DowntimeSpec {
        matchers: "host=web1".to_owned(),
        starts_ms: ms(from),
        ends_ms: ms(to),
        ..DowntimeSpec::default()
    };
    for (number, (from, to)) in [(30, 60), (30, 900), (500, 900)].into_iter().enumerate() {
        assert_eq!(story.book.add_downtime(spec(from, to), ANN, at(20)), Ok(number as u64 + 1));
    }
    story.tick(60);
    assert!(story.book.end_downtime(2, ANN, at(70)) && story.book.end_downtime(3, ANN, at(70)));
    story.settle(70);
    let ended = |story: &Story| -> Vec<(u64, i64, i64)> {
        let rows = story.book.ended_downtimes();
        rows.iter().map(|row| (row.id, row.spec.starts_ms - ms(0), row.spec.ends_ms - ms(0))).collect()
    };
    assert_eq!(ended(&story), [(1, 30_000, 60_000), (2, 30_000, 70_000)], "the third never began");
    story.book = story.rows.load(&story.hosts);
    assert_eq!(ended(&story), [(1, 30_000, 60_000), (2, 30_000, 70_000)]);
    let year = super::ENDED_DOWNTIMES_KEPT_MS / 1_000;
    story.tick(59 + year);
    assert_eq!(ended(&story).len(), 2);
    story.tick(60 + year);
    assert_eq!(ended(&story), [(2, 30_000, 70_000)]);
    for number in 0..super::ENDED_DOWNTIMES_MAX {
        let now = at(100 + year + number as i64);
        let mut one = spec(0, 0);
        (one.starts_ms, one.ends_ms) = (now.millis() - 1, now.millis() + 60_000);
        let id = story.book.add_downtime(one, ANN, now).unwrap();
        assert!(story.book.end_downtime(id, ANN, now));
    }
    assert_eq!((ended(&story).len(), ended(&story)[0].0), (super::ENDED_DOWNTIMES_MAX, 4), "the oldest goes");
    story.settle(101 + year);
    let before = ended(&story);
    story.book = story.rows.load(&story.hosts);
    assert_eq!(ended(&story), before);
}

#[test]
fn a_host_that_is_away_is_told_instead_of_its_checks() {
    let mut story = Story::new();
    story.result(0, "disk", C, 10);
    story.away(0, Some(70), false);
    assert_eq!(story.tick(70), ["host 1 HostSilent critical", "1/disk disk critical host_absent:HostSilent"]);
    assert_eq!(story.tick(10_000), [""; 0], "and nothing of it is stale");
    story.away(0, Some(10_010), true);
    assert_eq!(story.tick(10_010), ["host 1 HostStopped warning", "1/disk disk critical host_absent:HostStopped"]);
    story.away(0, None, false);
    assert_eq!(story.tick(10_100), ["host 1 ended Recovered", "1/disk disk critical"]);
    assert_eq!((story.tick(10_219), story.tick(10_220)), (vec![], vec![]), "stale is no other problem than bad");
    assert!(story.book.view(id(1), "disk").unwrap().stale_ms.is_some(), "two minutes after it was back");
    story.book.expect_absence(id(1), Expected { goodbye: Goodbye::Restart, until_ms: ms(10_300) });
    assert_eq!(story.tick(10_230), ["1/disk disk critical expected_absence:web1"]);
    assert_eq!(story.tick(10_300), ["1/disk disk critical"]);
}

#[test]
fn when_nothing_is_received_from_any_host_that_is_one_problem() {
    let mut story = Story::new();
    (0..3).for_each(|host| story.away(host, Some(70 + host as i64), false));
    assert_eq!(story.tick(75), SILENT_FLEET);
    story.away(0, None, false);
    let silent = |host: u8| format!("host {host} HostSilent critical host_absent:NothingReceived");
    let told = ["fleet ended Recovered".to_owned(), "host 1 ended Recovered".to_owned(), silent(2), silent(3)];
    assert_eq!(story.tick(80), told);
    // The others have two minutes to be heard too.
    story.away(1, None, false);
    assert_eq!(story.tick(199), ["host 2 ended Recovered"]);
    assert_eq!(story.tick(200), ["host 3 HostSilent critical"]);
    // One after another is no failure of the collector.
    story.away(0, Some(280), false);
    assert_eq!(story.tick(280), ["host 1 HostSilent critical"]);
}

#[test]
fn a_fleet_that_is_away_as_planned_is_told_when_the_plan_is_over() {
    for (matchers, is_held) in [("site=a", true), ("host=~\"web.*\"", false)] {
        let mut story = Story::new();
        let (starts_ms, ends_ms, matchers) = (ms(60), ms(600), matchers.to_owned());
        let spec =
            DowntimeSpec { matchers, starts_ms, ends_ms, reason: "a new switch".to_owned(), ..DowntimeSpec::default() };
        assert_eq!(story.book.add_downtime(spec, ANN, at(20)), Ok(1));
        (0..3).for_each(|host| story.away(host, Some(70 + host as i64), false));
        let fleet = "fleet NothingReceived critical";
        let told = story.tick(75);
        assert_eq!(told[0], if is_held { format!("{fleet} downtime:1") } else { fleet.to_owned() });
        assert_eq!(told.len(), 4, "{told:?}");
        let over = story.tick(600);
        assert_eq!(over.first().is_some_and(|first| first == fleet), is_held, "{over:?}");
    }
}

const SILENT_FLEET: [&str; 4] = [
    "fleet NothingReceived critical",
    "host 1 HostSilent critical host_absent:NothingReceived",
    "host 2 HostSilent critical host_absent:NothingReceived",
    "host 3 HostSilent critical host_absent:NothingReceived",
];

#[test]
fn hosts_that_are_no_more_or_boot_as_they_said_do_not_count_for_the_whole_fleet() {
    // The row of a host that is not active any more waits for the next tick, which ends it: nothing is known of its absence.
    for (silent, told) in [(2, &["host 1 HostSilent critical", "host 2 HostSilent critical"][..]), (3, &SILENT_FLEET)] {
        let mut story = Story::new();
        story.hosts.push(HostNow { id: id(4), name: "gone".to_owned(), ..story.hosts[0].clone() });
        story.tick(1);
        story.result(3, "disk", O, 2);
        story.hosts.truncate(silent);
        for host in 0..silent {
            story.away(host, Some(70), false);
        }
        story.book = story.rows.load(&story.hosts);
        story.book.touch_problems();
        assert_eq!(story.settle(75), told, "{silent} hosts");
    }

    let mut booting = Story::new();
    booting.book.expect_absence(id(1), Expected { goodbye: Goodbye::Reboot, until_ms: ms(660) });
    booting.hosts[0].absent = Some(AbsentNow { since_ms: ms(60), why: Away::Rebooting });
    for host in 1..3 {
        booting.away(host, Some(70), false);
    }
    let told = [
        "host 1 HostRebooting warning expected_absence:web1",
        "host 2 HostSilent critical",
        "host 3 HostSilent critical",
    ];
    assert_eq!(booting.tick(70), told);
    let fourth = HostNow { id: id(4), name: "db".to_owned(), ..booting.hosts[1].clone() };
    booting.hosts.push(fourth);
    assert_eq!(booting.tick(75)[0], "fleet NothingReceived critical", "one that boots hinders nobody either");
}

#[test]
fn children_wait_for_their_parents() {
    let mut story = Story::new();
    let child = |state, seconds, parents: &[&str]| {
        let parents = parents.iter().map(|&parent| parent.to_owned()).collect();
        result("http", state, seconds, CheckDefinition { parents, ..definition(1) })
    };
    let parents = &["GW/ping", "gw", "unknown"];
    assert_eq!(story.report(0, &child(C, 10, parents), 10), ["1/http http critical"]);
    assert_eq!(story.result(2, "ping", C, 20), ["1/http http critical parent_down:GW/ping", "3/ping ping critical"]);
    assert_eq!(story.result(2, "ping", O, 30), ["3/ping ended Recovered"], "held until it has a result of its own");
    assert_eq!(story.report(0, &child(C, 30, parents), 31), [""; 0]);
    assert_eq!(story.report(0, &child(C, 35, parents), 35), ["1/http http critical"]);
    story.away(2, Some(40), false);
    assert_eq!(story.tick(40), ["1/http http critical parent_down:gw", "host 3 HostSilent critical"]);
    story.away(2, None, false);
    assert_eq!(story.tick(50), ["host 3 ended Recovered"]);
    assert_eq!(story.report(0, &child(O, 60, parents), 60), ["1/http ended Recovered"]);
}

#[test]
fn of_a_circle_everything_is_told() {
    let mut story = Story::new();
    let check = |check, seconds, parent: &str| {
        result(check, C, seconds, CheckDefinition { parents: vec![parent.to_owned()], ..definition(1) })
    };
    assert_eq!(story.report(0, &check("a", 10, "web1/b"), 10), ["1/a a critical"]);
    assert_eq!(story.report(0, &check("b", 10, "web1/a"), 10), ["1/b b critical"]);
    assert_eq!(story.report(0, &check("self", 10, "web1/self"), 10), ["1/self self critical"]);
    assert_eq!(story.tick(11), [""; 0]);
}

#[test]
fn what_flaps_or_catches_up_is_held() {
    let mut story = Story::new();
    let mut told = Vec::new();
    for seconds in 1..=8 {
        told = story.result(0, "disk", if seconds % 2 == 0 { C } else { O }, seconds);
    }
    assert_eq!(told, ["1/disk disk critical flapping:"]);
    assert_eq!(story.events.iter().filter(|event| event.kind == EventKind::CheckFlapping).count(), 1);
    let report = result("load", C, 10, definition(1));
    story.book.report(&story.hosts[0], &report, at(500), false);
    assert_eq!(story.settle(500), ["1/load load critical catching_up:"]);
    story.book.report(&story.hosts[0], &result("raid", C, 491, definition(1)), at(500), false);
    assert_eq!(story.settle(500), ["1/raid raid critical"], "it was made a moment ago");
    assert_eq!(story.result(0, "load", C, 501), ["1/load load critical"]);
}

#[test]
fn what_came_last_out_of_a_spool_is_told_also_when_nothing_newer_comes() {
    let mut story = Story::new();
    story.tick(499);
    // Handed over while the host could not be heard, and nobody hands anything over again.
    let pushed = |seconds| result("raid", C, seconds, CheckDefinition { kind: 3, interval_ms: 0, ..definition(1) });
    story.book.report(&story.hosts[0], &pushed(10), at(500), false);
    assert_eq!(story.settle(500), ["1/raid raid critical catching_up:"]);
    story.book.report(&story.hosts[0], &pushed(20), at(530), false);
    assert_eq!(story.settle(530), [""; 0]);
    story.book = story.rows.load(&story.hosts);
    assert_eq!((story.tick(560), story.tick(589)), (vec![], vec![]), "as long after the last one");
    assert_eq!(story.tick(590), ["1/raid raid critical"]);
}

#[test]
fn what_does_not_come_any_more_is_stale() {
    let mut story = Story::new();
    story.result(0, "disk", O, 10);
    // Three runs of a minute and a minute, by arrival.
    assert_eq!((story.tick(249), story.tick(250)), (vec![], vec!["1/disk disk unknown".to_owned()]));
    let [StatusChange::Problem(problem)] = &story.book.standing(ms(250))[..] else { panic!("one problem") };
    assert_eq!(problem.output, "no result since 2026-01-01 00:00:10 UTC");
    assert_eq!(story.result(0, "disk", O, 260), ["1/disk ended Recovered"]);
    // A restart long after gives what waits in spools its time.
    story.book = story.rows.load(&story.hosts);
    assert_eq!((story.tick(5_000), story.tick(5_119)), (vec![], vec![]));
    assert_eq!(story.tick(5_120), ["1/disk disk unknown"]);
}

#[test]
fn checks_end_when_they_are_not_listed_forgotten_or_their_host_retires() {
    let mut story = Story::new();
    for check in ["disk", "load", "cron"] {
        let kind = if check == "cron" { 2 } else { 0 };
        story.report(0, &result(check, C, 10, CheckDefinition { kind, ..definition(1) }), 10);
    }
    let list = |seconds| Report::Checks(CheckList { at_ms: ms(seconds), checks: vec!["load".into()] });
    assert_eq!(story.report(0, &list(9), 11), [""; 0], "a list from before the result");
    assert_eq!(story.report(0, &list(11), 11), ["1/disk ended Removed"], "what cron runs is in no list");
    assert!(story.book.forget(id(1), "cron", ANN, at(12)) && !story.book.forget(id(1), "cron", ANN, at(12)));
    assert_eq!(story.settle(12), ["1/cron ended Removed"]);
    let retired = story.hosts.remove(0);
    assert_eq!(story.tick(13), ["1/load ended Retired"]);
    assert_eq!((story.book.views().len(), story.rows.0.len()), (0, 0));
    story.book.report(&retired, &list(14), at(14), true);
    assert_eq!(story.settle(14), [""; 0]);
}

#[test]
fn new_names_and_labels_are_told_and_keep_the_problem() {
    let mut story = Story::new();
    story.result(0, "disk", C, 10);
    story.hosts[0].name = "www".into();
    assert_eq!(story.tick(20), ["1/disk disk critical"]);
    story.hosts[0].labels.clear();
    assert_eq!((story.tick(30), story.tick(31)), (vec!["1/disk disk critical".to_owned()], vec![]));
}

#[test]
fn checks_of_one_host_are_bounded_and_those_over_it_counted() {
    let mut story = Story::new();
    for number in 0..super::CHECKS_MAX + 2 {
        story.book.report(&story.hosts[0], &result(&number.to_string(), O, 10, definition(1)), at(10), true);
    }
    story.settle(10);
    assert_eq!((story.book.len(), story.book.refused), (super::CHECKS_MAX, 2));
    assert_eq!(story.result(0, "0", C, 20), ["1/0 0 critical"], "those that are known go on");
}

#[test]
fn results_of_a_clock_that_is_ahead_do_not_hold_off_later_ones() {
    let mut story = Story::new();
    story.report(0, &result("disk", C, 90_000, definition(1)), 10);
    assert_eq!(story.result(0, "disk", O, 20), ["1/disk ended Recovered"]);
}

#[test]
fn bad_and_well_and_bad_again_between_two_looks_are_two_problems() {
    let mut story = Story::new();
    story.result(0, "disk", C, 10);
    for (state, seconds) in [(O, 20), (C, 30)] {
        story.book.report(&story.hosts[0], &result("disk", state, seconds, definition(1)), at(31), true);
    }
    let changes = story.book.settle(at(31)).changes;
    let expected = Subject::Check { host: id(1), check: "disk".into() };
    let [StatusChange::Ended { subject, at_ms, why, .. }, StatusChange::Problem(problem)] = &changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!((subject, *at_ms, *why, problem.since_ms), (&expected, ms(20), EndReason::Recovered, ms(30)));
    assert!(problem.holds.iter().all(|hold| hold.why != HoldReason::ParentDown));
}
