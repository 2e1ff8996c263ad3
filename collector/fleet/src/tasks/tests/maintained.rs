//! Tasks that put their hosts into maintenances, over a real file: when one is open, what it hides from whom, and what a power cut leaves.

use std::path::Path;
use std::sync::Arc;

use muster_common::check::CheckState;
use muster_common::disk::cut::CutDisk;
use muster_common::wire::message::{CheckDefinition, CheckReport, Report};

use super::*;
use crate::Reported;
use crate::status::{HoldReason, MaintenanceState, StatusChange};

/// A catalogue whose tasks disturb their hosts.
fn maintained(version: u64) -> String {
    document(version)
        .replace("timeout = \"30s\"\n", "timeout = \"30s\"\nmaintenance = \"2m\"\n")
        .replace("argv = [\"/usr/bin/true\"]\n", "argv = [\"/usr/bin/true\"]\nmaintenance = \"1m\"\n")
}

fn with_catalogue(bench: &Bench, keys: &Keys) {
    let signature = keys.signer.sign(&Catalogue::signed_bytes(&maintained(2))).to_string();
    bench.fleet.add_task_catalogue(&maintained(2), &signature, &ann(), at(2)).unwrap();
    bench.fleet.take_tasks_due();
    bench.fleet.tick_status(at(2)).unwrap();
}

fn states(fleet: &Fleet) -> Vec<(String, MaintenanceState)> {
    fleet.maintenances().into_iter().map(|one| (one.spec.reference, one.state)).collect()
}

/// A result of a check that is hard at once.
fn reported(host: HostId, state: CheckState, seconds: u64) -> Reported {
    let definition = CheckDefinition { interval_ms: 60_000, max_attempts: 1, ..CheckDefinition::default() };
    let report = CheckReport {
        at_ms: at(seconds).millis(),
        check: "nginx".to_owned(),
        state: state as u8,
        output: "it does not answer".to_owned(),
        long_output: String::new(),
        perfdata: Vec::new(),
        duration_ms: 5,
        definition,
    };
    Reported { host, arrived: at(seconds), is_live: true, report: Report::Check(report) }
}

/// What people are told now: problems that nothing holds.
fn told(fleet: &Fleet, seconds: u64) -> Vec<String> {
    let told = fleet.conditions(at(seconds)).into_iter().filter_map(|change| match change {
        StatusChange::Problem(one) if one.holds.is_empty() => Some(one.name),
        _ => None,
    });
    told.collect()
}

fn second(fleet: &Fleet, seconds: u64) {
    fleet.step_tasks(at(seconds)).unwrap();
    fleet.tick_status(at(seconds)).unwrap();
}

#[test]
fn each_wave_has_one_before_its_calls_which_ends_with_it_and_is_the_requesters() {
    let (bench, keys, hosts) = bench(3);
    with_catalogue(&bench, &keys);
    let fleet = &bench.fleet;
    let order = fleet.request_task(&TaskSpec { batch: WaveSize::Hosts(2), ..spec(&hosts) }, &ann(), at(3)).unwrap();
    assert_eq!((order.order.terms.maintenance_ms, order.order.terms.back_maintenance_ms), (Some(120_000), None));
    second(fleet, 3);
    assert_eq!(states(fleet), [], "nobody has approved it");
    approve(fleet, &order, &keys.bob, at(4)).unwrap();
    fleet.step_tasks(at(5)).unwrap();
    // Before a session is given the call.
    let one = &fleet.maintenances()[0];
    assert_eq!((one.spec.reference.as_str(), one.state), ("task 1 wave 1", MaintenanceState::Open));
    assert_eq!((one.spec.name.as_str(), one.by.as_str()), ("task restart, order 1, wave 1", "user:ann"));
    assert_eq!(one.spec.hosts, [hosts[0].to_string()]);
    // To accept it 5 min, the task's own 30 s and 5 min, the way back 10 min, the soak 5 s.
    assert_eq!(one.spec.ends_ms, at(5 + 300 + 330 + 600 + 5).millis());
    let mut seen = vec![states(fleet)];
    for seconds in 5..300 {
        second(fleet, seconds);
        calls(fleet).into_iter().for_each(|(host, call)| does(fleet, host, call.call, 0));
        let now = states(fleet);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    use MaintenanceState::{Closed, Open, Settling};
    let of = |states: &[MaintenanceState]| -> Vec<(String, MaintenanceState)> {
        (1..).zip(states).map(|(wave, state)| (format!("task 1 wave {wave}"), *state)).collect()
    };
    let wanted: [&[MaintenanceState]; 5] =
        [&[Open], &[Settling, Open], &[Settling, Settling], &[Closed, Settling], &[Closed, Closed]];
    assert_eq!(seen, wanted.map(of));
    assert_eq!(fleet.task_order(1).unwrap().order.progress.state, OrderState::Done);
    assert_eq!((fleet.task_maintenances(1).len(), fleet.downtimes().len()), (2, 0));
    // The audit has what people did.
    let by_muster = bench.events().into_iter().filter(|event| event.kind == EventKind::MaintenanceBegun);
    assert!(by_muster.clone().count() == 2 && by_muster.into_iter().all(|event| event.by == "muster"));
}

#[test]
fn a_task_that_says_nothing_of_it_has_none() {
    let (bench, keys, hosts) = bench(1);
    let fleet = &bench.fleet;
    let order = fleet.request_task(&spec(&hosts), &ann(), at(3)).unwrap();
    approve(fleet, &order, &keys.bob, at(4)).unwrap();
    second(fleet, 5);
    assert_eq!((calls(fleet).len(), states(fleet).len()), (1, 0));
}

#[test]
fn what_is_kept_back_from_people_is_seen_by_the_order_and_told_when_it_stays() {
    let (bench, keys, hosts) = bench(2);
    with_catalogue(&bench, &keys);
    let fleet = &bench.fleet;
    let order = fleet.request_task(&spec(&hosts), &ann(), at(3)).unwrap();
    approve(fleet, &order, &keys.bob, at(4)).unwrap();
    let mut when = BTreeMap::new();
    for seconds in 5..400 {
        second(fleet, seconds);
        for (host, call) in calls(fleet) {
            does(fleet, host, call.call, 0);
            fleet.apply_reports(&[reported(host, CheckState::Critical, seconds)]).unwrap();
            let conditions = fleet.conditions(at(seconds));
            let held = conditions.iter().any(|change| {
                matches!(change, StatusChange::Problem(one) if one.holds.iter().any(|hold| hold.why == HoldReason::Downtime))
            });
            assert!(held, "{conditions:?}");
        }
        let state = fleet.task_order(1).unwrap().order.progress.state;
        when.entry((state == OrderState::Paused, told(fleet, seconds))).or_insert(seconds);
    }
    let order = fleet.task_order(1).unwrap().order;
    assert!(order.progress.reason.contains("has a new problem: nginx is critical"), "{:?}", order.progress);
    let when: Vec<_> = when.into_iter().map(|((paused, told), at)| (at, paused, told)).collect();
    let mut when = when;
    when.sort_unstable();
    let moments: Vec<(bool, &[String])> = when.iter().map(|(_, paused, told)| (*paused, told.as_slice())).collect();
    assert_eq!(moments, [(false, &[][..]), (true, &[][..]), (true, &["MaintenanceNotRecovered".to_owned()][..])]);
    assert_eq!(when[2].0 - when[1].0, 120, "when health has had its two minutes");
    assert_eq!(states(fleet), [("task 1 wave 1".to_owned(), MaintenanceState::NotRecovered)]);

    // It returns, somebody goes on: the next wave has its own, and the first is over.
    fleet.apply_reports(&[reported(hosts[0], CheckState::Ok, 401)]).unwrap();
    fleet.steer_task(1, TaskSteer::Resume, "", &bob(), at(402)).unwrap();
    for seconds in 403..600 {
        second(fleet, seconds);
        calls(fleet).into_iter().for_each(|(host, call)| does(fleet, host, call.call, 0));
        assert!(told(fleet, seconds).is_empty(), "{seconds}");
    }
    assert!(states(fleet).iter().all(|(_, state)| *state == MaintenanceState::Closed), "{:?}", states(fleet));
    assert_eq!(fleet.task_order(1).unwrap().order.progress.state, OrderState::Done);
}

#[test]
fn what_is_taken_back_has_its_own_and_a_stop_ends_it_at_once() {
    let (bench, keys, hosts) = bench(2);
    with_catalogue(&bench, &keys);
    let fleet = &bench.fleet;
    let back = Some(TaskCall { task: "undo".into(), ..TaskCall::default() });
    let wanted = TaskSpec { back, on_trouble: OnTrouble::RollBack, ..spec(&hosts) };
    let order = fleet.request_task(&wanted, &ann(), at(3)).unwrap();
    approve(fleet, &order, &keys.bob, at(4)).unwrap();
    second(fleet, 5);
    let call = calls(fleet).remove(0);
    does(fleet, call.0, call.1.call, 1);
    second(fleet, 6);
    let back = calls(fleet).remove(0);
    let names = |fleet: &Fleet| states(fleet).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(
        (back.1.call.step, names(fleet)),
        (1, vec!["task 1 wave 1".to_owned(), "task 1 back wave 1".to_owned()])
    );
    assert_eq!(fleet.maintenances()[1].spec.grace_ms, 60_000);
    fleet.task_told(back.0, state(back.1.call, 1, wire::TaskWord::Accepted));
    second(fleet, 7);
    fleet.steer_task(1, TaskSteer::Stop, "", &bob(), at(8)).unwrap();
    assert_eq!(states(fleet)[1].1, MaintenanceState::Open, "it runs until the host says that it was stopped");
    fleet.task_told(back.0, state(back.1.call, 2, wire::TaskWord::Cancelled));
    second(fleet, 9);
    let open = states(fleet).into_iter().filter(|(_, state)| *state == MaintenanceState::Open).count();
    assert_eq!((fleet.task_order(1).unwrap().order.progress.state, open), (OrderState::Stopped, 0));
}

#[test]
fn a_host_that_is_retired_meanwhile_holds_none_open() {
    let (bench, keys, hosts) = bench(2);
    with_catalogue(&bench, &keys);
    let fleet = &bench.fleet;
    let order = fleet.request_task(&TaskSpec { canary: 2, ..spec(&hosts) }, &ann(), at(3)).unwrap();
    approve(fleet, &order, &keys.bob, at(4)).unwrap();
    second(fleet, 5);
    for host in &hosts {
        fleet.retire(*host, "", OPERATOR, at(6)).unwrap();
    }
    second(fleet, 7);
    assert!(states(fleet).iter().all(|(_, state)| *state != MaintenanceState::Open), "{:?}", states(fleet));
}

#[test]
fn a_process_that_ends_in_the_middle_leaves_none_that_the_next_does_not_close() {
    let (bench, keys, hosts) = bench(2);
    with_catalogue(&bench, &keys);
    let order = bench.fleet.request_task(&TaskSpec { canary: 0, ..spec(&hosts) }, &ann(), at(3)).unwrap();
    approve(&bench.fleet, &order, &keys.bob, at(4)).unwrap();
    bench.fleet.step_tasks(at(5)).unwrap();
    let (host, call) = calls(&bench.fleet).remove(0);
    let bench = bench.reopen();
    let fleet = &bench.fleet;
    assert_eq!(states(fleet), [("task 1 wave 1".to_owned(), MaintenanceState::Open)]);
    fleet.task_connected(host, true);
    second(fleet, 6);
    does(fleet, host, call.call, 0);
    second(fleet, 7);
    fleet.steer_task(1, TaskSteer::Stop, "", &bob(), at(8)).unwrap();
    second(fleet, 9);
    assert_eq!(states(fleet), [("task 1 wave 1".to_owned(), MaintenanceState::Settling)]);
}

/// An order with a maintenance on a disk in memory, up to the moment when its first wave is due.
fn approved_on(disk: &CutDisk) -> (Bench, HostId) {
    let bench = Bench::on(Arc::new(disk.clone()), Path::new("/data"));
    let keys = Keys { signer: key(), bob: key() };
    let host = bench.host("web0").id();
    let approvers = BTreeMap::from([("bob".to_owned(), keys.bob.public())]);
    let known = TaskKeys { approvers, signers: BTreeMap::new() };
    bench.fleet.set_task_settings(TaskSettings { keys: known, ..TaskSettings::default() });
    with_catalogue(&bench, &keys);
    bench.fleet.task_connected(host, true);
    bench.fleet.step_tasks(at(2)).unwrap();
    bench.fleet.take_tasks_due();
    let order = bench.fleet.request_task(&TaskSpec { soak_ms: 0, ..spec(&[host]) }, &ann(), at(3)).unwrap();
    approve(&bench.fleet, &order, &keys.bob, at(4)).unwrap();
    (bench, host)
}

/// Whether a host has the call now, and whether it is in a maintenance that is open.
fn stands(fleet: &Fleet) -> (bool, bool) {
    let order = fleet.task_order(1).unwrap();
    let has_call = order.order.progress.state.is_open() && fleet.task_hosts(1)[0].runs[0].0.is_unsettled();
    (has_call, states(fleet).iter().any(|(_, state)| *state == MaintenanceState::Open))
}

#[test]
fn power_that_fails_leaves_a_host_with_its_call_in_a_maintenance_and_none_without() {
    // Cut while the call is given, and while its end is worked in.
    for is_end in [false, true] {
        let mut was_cut = 0;
        for operation in 0.. {
            assert!(operation < 80, "the power was always cut");
            let disk = CutDisk::new(operation);
            let (bench, host) = approved_on(&disk);
            if is_end {
                bench.fleet.step_tasks(at(5)).unwrap();
                let (host, call) = calls(&bench.fleet).remove(0);
                does(&bench.fleet, host, call.call, 0);
            }
            disk.power_off_at(disk.operations() + operation);
            let stepped = bench.fleet.step_tasks(at(6));
            let given = calls(&bench.fleet);
            let is_off = disk.is_off();
            disk.cut();
            let bench = bench.reopen();
            let (has_call, is_open) = stands(&bench.fleet);
            assert_eq!(has_call, is_open, "operation {operation} of {is_end}: of one transaction");
            assert!(given.is_empty() || is_open, "a call was given before the maintenance was durable");
            // The next process goes on to the end.
            bench.fleet.task_connected(host, true);
            for seconds in 7..200 {
                second(&bench.fleet, seconds);
                calls(&bench.fleet).into_iter().for_each(|(host, call)| does(&bench.fleet, host, call.call, 0));
            }
            if is_end && has_call {
                // What was said and not acknowledged is said again.
                let id = Order::parse(&bench.fleet.task_order(1).unwrap().order.text).unwrap().id;
                does(&bench.fleet, host, wire::TaskCall { order: id, step: 0 }, 0);
            }
            for seconds in 200..700 {
                second(&bench.fleet, seconds);
            }
            assert_eq!(bench.fleet.task_order(1).unwrap().order.progress.state, OrderState::Done);
            assert!(states(&bench.fleet).iter().all(|(_, state)| *state == MaintenanceState::Closed), "{operation}");
            if !is_off && stepped.is_ok() {
                break;
            }
            was_cut += 1;
        }
        assert!(was_cut > 5, "only {was_cut} operations were cut");
    }
}

#[test]
fn a_wave_without_a_maintenance_goes_on_and_says_why() {
    let (bench, keys, hosts) = bench(1);
    with_catalogue(&bench, &keys);
    let fleet = &bench.fleet;
    let held = crate::status::MaintenanceSpec {
        name: "by hand".to_owned(),
        hosts: vec![hosts[0].to_string()],
        ends_ms: at(90_000).millis(),
        ..Default::default()
    };
    fleet
        .status_change(at(2), |fleet| {
            let mut book = fleet.book.lock();
            for _ in 0..crate::status::MAINTENANCES_OPEN_MAX {
                book.begin_maintenance(held.clone(), OPERATOR, at(2)).unwrap();
            }
            Ok(())
        })
        .unwrap();
    let order = fleet.request_task(&spec(&hosts), &ann(), at(3)).unwrap();
    approve(fleet, &order, &keys.bob, at(4)).unwrap();
    fleet.step_tasks(at(5)).unwrap();
    assert_eq!(calls(fleet).len(), 1);
    let why = fleet.task_order(1).unwrap().unmaintained.unwrap();
    assert!(why.contains("which is the most"), "{why}");
    fleet.finish_maintenance(1, OPERATOR, at(6)).unwrap();
    fleet.tick_status(at(6)).unwrap();
    fleet.step_tasks(at(7)).unwrap();
    assert_eq!(fleet.task_order(1).unwrap().unmaintained, None, "there is room for it now");
    assert_eq!(fleet.task_maintenances(1).len(), 1);
}
