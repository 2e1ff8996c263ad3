//! Status over the real file: what follows from a report is durable with it, and what fails is done again.

use std::sync::Arc;

use muster_common::check::CheckState;
use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{CheckDefinition, CheckReport, Report};
use parking_lot::Mutex;

use super::Reported;
use crate::follower::{Follower, SmallChange, SmallEvent, SmallRow, SmallTable};
use crate::rows::Registration;
use crate::standing::{Standing, StandingNote};
use crate::status::{Acknowledgement, DowntimeSpec, Expected, Goodbye, HoldReason, StatusChange};
use crate::testing::{Bench, at};
use crate::{By, ErrorKind, EventKind, FleetError};

const ANN: &By = &By::Itself("ann");

/// Notes what it is told, and writes a row and an event for each telling.
#[derive(Default)]
struct Notebook {
    changes: Mutex<Vec<StatusChange>>,
    settled: Mutex<Vec<bool>>,
}

impl Follower for Notebook {
    fn follow(&self, changes: &[StatusChange], now: Timestamp) -> SmallChange {
        self.changes.lock().extend_from_slice(changes);
        let (key, value) =
            (now.millis().to_be_bytes().to_vec(), Some(vec![u8::try_from(changes.len()).unwrap_or(u8::MAX)]));
        let row = SmallRow { table: SmallTable::Alerts, key, value };
        let event = SmallEvent {
            kind: EventKind::AlertFiring,
            host: None,
            host_name: String::new(),
            text: "alerts".to_owned(),
            by: By::MUSTER,
            fields: vec![("count".to_owned(), changes.len().to_string())],
        };
        SmallChange { rows: vec![row], events: vec![event] }
    }

    fn settled(&self, durable: bool) {
        self.settled.lock().push(durable);
    }
}

fn reported(host: HostId, state: CheckState, seconds: u64) -> Reported {
    let definition = CheckDefinition { interval_ms: 60_000, retry_ms: 10_000, ..CheckDefinition::default() };
    let report = Report::Check(CheckReport {
        at_ms: at(seconds).millis(),
        check: "disk".to_owned(),
        state: state as u8,
        output: "97 % used".to_owned(),
        long_output: String::new(),
        perfdata: Vec::new(),
        duration_ms: 5,
        definition,
    });
    Reported { host, arrived: at(seconds), is_live: true, report }
}

fn bench() -> (Bench, HostId, Arc<Notebook>) {
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let notebook = Arc::new(Notebook::default());
    bench.fleet.set_follower(Arc::<Notebook>::clone(&notebook));
    (bench, host, notebook)
}

#[test]
fn rows_and_events_of_status_and_alert_are_durable_together() {
    let (bench, host, notebook) = bench();
    let before = bench.kinds().len();
    bench.fleet.apply_reports(&[reported(host, CheckState::Critical, 10)]).unwrap();
    assert_eq!(*notebook.settled.lock(), [true]);
    let bench = bench.reopen();
    assert_eq!(bench.kinds()[before..], [EventKind::CheckState, EventKind::AlertFiring]);
    let rows = bench.fleet.small_rows(SmallTable::Alerts).unwrap();
    assert_eq!(rows, [(at(10).millis().to_be_bytes().to_vec(), vec![1])]);
    let view = bench.fleet.check(host, "disk").unwrap();
    assert_eq!(
        (view.hard_state, view.output.as_str(), view.host_name.as_str()),
        (CheckState::Critical, "97 % used", "web1")
    );
    assert_eq!(bench.fleet.checks(), [view]);
    let told = notebook.changes.lock().clone();
    assert_eq!(bench.fleet.conditions(at(10)), told, "what was told stands over a restart");

    bench.fleet.set_follower(Arc::<Notebook>::clone(&notebook));
    bench.fleet.apply_reports(&[reported(host, CheckState::Critical, 10)]).unwrap();
    bench.fleet.tick_status(at(11)).unwrap();
    assert_eq!(
        (notebook.changes.lock().len(), bench.kinds().len()),
        (1, before + 2),
        "applied again it changes nothing"
    );
}

#[test]
fn a_transaction_that_failed_is_done_again() {
    let (bench, host, notebook) = bench();
    // Closed between step and commit, as a failing disk does.
    let mut state = bench.fleet.sure_state().unwrap();
    assert_eq!(bench.fleet.step_reports(&[reported(host, CheckState::Critical, 10)]), Some(at(10)));
    state.close();
    assert!(bench.fleet.commit_status(&mut state, crate::draft::Draft::default(), at(10)).is_err());
    drop(state);
    assert_eq!(*notebook.settled.lock(), [false]);
    bench.fleet.apply_reports(&[reported(host, CheckState::Critical, 10)]).unwrap();
    assert_eq!(*notebook.settled.lock(), [false, true]);
    let told = notebook.changes.lock().clone();
    assert_eq!((told.len(), &told[0]), (2, &told[1]));
    assert!(bench.reopen().fleet.check(host, "disk").is_some());
}

#[test]
fn hosts_that_are_away_are_told_with_the_event_of_it() {
    let (bench, host, notebook) = bench();
    bench.fleet.tick_status(at(1)).unwrap();
    bench.fleet.apply_reports(&[reported(host, CheckState::Critical, 10)]).unwrap();
    let note = |standing| StandingNote { host, standing, last_heard: Some(at(10)), goodbye: "" };
    bench.fleet.note_standings(&[note(Standing::Silent)], at(70)).unwrap();
    let told: Vec<_> = notebook.changes.lock().drain(..).map(|change| shown(&change)).collect();
    assert_eq!(told, ["disk []", "HostSilent []", "disk [HostAbsent]"]);
    let bench = bench.reopen();
    bench.fleet.set_follower(Arc::<Notebook>::clone(&notebook));
    bench.fleet.note_standings(&[note(Standing::Present)], at(80)).unwrap();
    bench.fleet.expect_absence(host, at(200));
    bench.fleet.tick_status(at(81)).unwrap();
    bench.fleet.expect_no_absence(host);
    bench.fleet.retire(host, "scrapped", &By::Itself("operator"), at(90)).unwrap();
    bench.fleet.tick_status(at(91)).unwrap();
    let told: Vec<_> = notebook.changes.lock().drain(..).map(|change| shown(&change)).collect();
    assert_eq!(told, ["ended", "disk []", "disk [ExpectedAbsence]", "ended"]);
    assert!(bench.fleet.checks().is_empty() && bench.reopen().fleet.checks().is_empty());
}

#[test]
fn a_goodbye_is_durable_with_the_next_tick() {
    let (bench, host, _) = bench();
    bench.fleet.tick_status(at(1)).unwrap();
    bench.fleet.said_goodbye(host, Goodbye::Reboot, at(10));
    let expected = Some(Expected { goodbye: Goodbye::Reboot, until_ms: at(610).millis() });
    assert_eq!(bench.fleet.standings()[0].expected, expected);
    // What a failing disk takes is not forgotten by those who heard it.
    bench.fleet.state.lock().close();
    assert_eq!(bench.fleet.standings()[0].expected, expected);
    bench.fleet.tick_status(at(11)).unwrap();
    let bench = bench.reopen();
    assert_eq!(bench.fleet.standings()[0].expected, expected);
    bench.fleet.expect_no_absence(host);
    bench.fleet.tick_status(at(12)).unwrap();
    assert_eq!(bench.reopen().fleet.standings()[0].expected, None);
}

/// A fleet of 500 hosts, each with a check that is well and becomes stale after 30 s.
fn fleet_of_500() -> (Bench, Vec<HostId>, Arc<Notebook>) {
    let (bench, first, notebook) = bench();
    let hosts: Vec<_> =
        (1..=500_u16).map(|number| HostId(std::array::from_fn(|at| number.to_be_bytes()[at % 2]))).collect();
    let like = |row: &Registration, id: &HostId| Registration { id: *id, name: format!("web-{id}"), ..row.clone() };
    let added = bench.fleet.change(|memory, draft| {
        draft.hosts.extend(hosts.iter().map(|id| like(memory.host(first).unwrap(), id)));
        Ok(())
    });
    added.unwrap();
    bench.fleet.retire(first, "it was a pattern only", &By::Itself("operator"), at(0)).unwrap();
    bench.fleet.tick_status(at(1)).unwrap();
    let results: Vec<_> = hosts.iter().map(|host| short_lived(*host, 95)).collect();
    bench.fleet.apply_reports(&results).unwrap();
    (bench, hosts, notebook)
}

fn short_lived(host: HostId, seconds: u64) -> Reported {
    let mut one = reported(host, CheckState::Ok, seconds);
    let Report::Check(check) = &mut one.report else { panic!("a check") };
    check.definition.ttl_ms = 30_000;
    one
}

/// Problems that are told, and those that are held.
fn told_and_held(notebook: &Notebook) -> (Vec<String>, usize) {
    let changes = notebook.changes.lock();
    let problems = changes.iter().filter_map(|change| match change {
        StatusChange::Problem(problem) => Some(problem),
        StatusChange::Ended { .. } => None,
    });
    let (free, held): (Vec<_>, Vec<_>) = problems.partition(|problem| problem.holds.is_empty());
    (free.iter().map(|problem| problem.name.clone()).collect(), held.len())
}

#[test]
fn an_upgrade_of_the_whole_fleet_with_the_collector_in_its_middle_tells_nothing() {
    let (mut bench, hosts, notebook) = fleet_of_500();
    // All go within 10 s and are back within two minutes; the collector begins anew at 112 s and listens again at 130 s.
    let goes = |number: usize| 100 + number as u64 / 50;
    let returns = |number: usize| 131 + number as u64 / 6;
    for second in (100..112).chain(130..400) {
        if second == 130 {
            bench = bench.reopen();
            bench.fleet.set_follower(Arc::<Notebook>::clone(&notebook));
            assert!(
                bench.fleet.standings().iter().all(|told| told.expected.is_some()),
                "ingest knows why it hears nobody"
            );
        }
        for (number, host) in hosts.iter().enumerate() {
            if second == goes(number) {
                bench.fleet.said_goodbye(*host, Goodbye::Upgrade, at(second));
            }
            if second == returns(number) {
                bench.fleet.expect_no_absence(*host);
            }
        }
        // What they send first when they are back, some a minute late.
        let sent = hosts.iter().enumerate().filter(|(number, _)| second == returns(*number) + *number as u64 % 60);
        let sent: Vec<_> = sent.map(|(_, host)| short_lived(*host, second)).collect();
        bench.fleet.apply_reports(&sent).unwrap();
        let returned = hosts.iter().enumerate().filter(|(number, _)| second > returns(*number) + 60);
        let beats: Vec<_> = returned.filter(|_| second % 20 == 0).map(|(_, host)| short_lived(*host, second)).collect();
        bench.fleet.apply_reports(&beats).unwrap();
        bench.fleet.tick_status(at(second)).unwrap();
    }
    assert!(notebook.changes.lock().is_empty(), "{:?}", told_and_held(&notebook));
    assert!(bench.fleet.standings().iter().all(|told| told.expected.is_none()));
}

#[test]
fn a_whole_fleet_that_is_silent_is_one_problem() {
    let (bench, hosts, notebook) = fleet_of_500();
    let note = |standing| move |host: &HostId| StandingNote { host: *host, standing, last_heard: None, goodbye: "" };
    let silent: Vec<_> = hosts.iter().map(note(Standing::Silent)).collect();
    bench.fleet.note_standings(&silent, at(170)).unwrap();
    bench.fleet.tick_status(at(171)).unwrap();
    assert_eq!(told_and_held(&notebook), (vec!["NothingReceived".to_owned()], 500));
    let back: Vec<_> = hosts.iter().map(note(Standing::Present)).collect();
    bench.fleet.note_standings(&back, at(300)).unwrap();
    assert_eq!(told_and_held(&notebook), (vec!["NothingReceived".to_owned()], 500));
    assert_eq!(notebook.changes.lock().len(), 2 * 501);
}

fn shown(change: &StatusChange) -> String {
    match change {
        StatusChange::Problem(problem) => {
            let holds: Vec<HoldReason> = problem.holds.iter().map(|hold| hold.why).collect();
            format!("{} {holds:?}", problem.name)
        }
        StatusChange::Ended { .. } => "ended".to_owned(),
    }
}

#[test]
fn what_people_do_is_durable_and_what_they_do_wrong_is_named() {
    let (bench, host, notebook) = bench();
    let ack = |by: &str| Acknowledgement {
        by: by.to_owned(),
        comment: "on it".to_owned(),
        at_ms: at(20).millis(),
        until_ms: None,
        is_sticky: true,
    };
    let downtime = DowntimeSpec {
        matchers: "host=web1".into(),
        starts_ms: at(0).millis(),
        ends_ms: at(1_000).millis(),
        owner: "ann".into(),
        ..DowntimeSpec::default()
    };
    let kind = |error: FleetError| error.kind();
    let fleet = &bench.fleet;
    assert_eq!(fleet.acknowledge(host, Some("disk"), ack("ann"), ANN, at(5)).map_err(kind), Err(ErrorKind::NotFound));
    assert_eq!(
        fleet.acknowledge(HostId([9; 16]), None, ack("ann"), ANN, at(5)).map_err(kind),
        Err(ErrorKind::NotFound)
    );
    fleet
        .apply_reports(&[reported(host, CheckState::Critical, 10), reported(HostId([9; 16]), CheckState::Ok, 10)])
        .unwrap();
    assert_eq!(fleet.acknowledge(host, None, ack("ann"), ANN, at(20)).map_err(kind), Err(ErrorKind::Conflict));
    assert_eq!(fleet.acknowledge(host, Some("disk"), ack(""), ANN, at(20)).map_err(kind), Err(ErrorKind::Input));
    assert_eq!(fleet.unacknowledge(host, Some("disk"), ANN, at(20)).map_err(kind), Err(ErrorKind::Conflict));
    fleet.acknowledge(host, Some("disk"), ack("ann"), ANN, at(20)).unwrap();
    assert_eq!(fleet.add_downtime(downtime.clone(), ANN, at(20)).unwrap(), 1);
    let wrong = DowntimeSpec { matchers: "web1".into(), ..downtime.clone() };
    let error = fleet.add_downtime(wrong, ANN, at(20)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the downtime cannot be taken: \"web1\" is no matcher: =, !=, =~ or !~ must follow the label's name"
    );
    assert_eq!(fleet.end_downtime(7, ANN, at(20)).map_err(kind), Err(ErrorKind::NotFound));

    let bench = bench.reopen();
    let fleet = &bench.fleet;
    let holds: Vec<_> = fleet.check(host, "disk").unwrap().holds.iter().map(|hold| hold.why).collect();
    assert_eq!(holds, [HoldReason::Acknowledged, HoldReason::Downtime]);
    assert_eq!(fleet.downtimes().iter().map(|row| (row.id, row.spec.clone())).collect::<Vec<_>>(), [(1, downtime)]);
    fleet.unacknowledge(host, Some("disk"), ANN, at(30)).unwrap();
    fleet.end_downtime(1, ANN, at(30)).unwrap();
    fleet.forget_check(host, "disk", ANN, at(40)).unwrap();
    assert_eq!(fleet.forget_check(host, "disk", ANN, at(40)).map_err(kind), Err(ErrorKind::NotFound));
    let bench = bench.reopen();
    assert!(bench.fleet.checks().is_empty() && bench.fleet.downtimes().is_empty());
    let kinds = bench.kinds();
    use EventKind::{Acknowledged, CheckRemoved, DowntimeEnded, DowntimeSet, Unacknowledged};
    assert!(kinds.ends_with(&[Unacknowledged, DowntimeEnded, CheckRemoved]) && kinds.contains(&Acknowledged));
    assert!(kinds.contains(&DowntimeSet));
    assert_eq!(notebook.changes.lock().len(), 3, "told, acknowledged, in a downtime");
}

#[test]
fn rows_of_alert_are_written_removed_and_read_by_key() {
    let (bench, ..) = bench();
    let row = |table, key: &str, value: Option<&str>| SmallRow {
        table,
        key: key.as_bytes().to_vec(),
        value: value.map(|value| value.as_bytes().to_vec()),
    };
    let change = |rows| SmallChange { rows, events: Vec::new() };
    let all = [
        SmallTable::Alerts,
        SmallTable::Groups,
        SmallTable::Silences,
        SmallTable::AlertMeta,
        SmallTable::Notices,
        SmallTable::Outgoing,
    ];
    let rows = all.iter().flat_map(|table| [row(*table, "b", Some("2")), row(*table, "a", Some("1"))]).collect();
    bench.fleet.change_small(at(1), || change(rows)).unwrap();
    bench.fleet.change_small(at(2), || change(vec![row(SmallTable::Groups, "a", None)])).unwrap();
    let bench = bench.reopen();
    for table in all {
        let keys: Vec<_> = bench.fleet.small_rows(table).unwrap().into_iter().map(|(key, _)| key).collect();
        let expected: &[&[u8]] = if table == SmallTable::Groups { &[b"b"] } else { &[b"a", b"b"] };
        assert_eq!(keys, expected, "{table:?}");
    }
}
