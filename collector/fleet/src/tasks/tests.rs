//! Tasks over a real file: catalogues, requests, approvals, what sessions are given, and what is kept.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::task::{Catalogue, Order, PublicKey, Signature, SigningKey, is_target};
use muster_common::time::Timestamp;
use muster_common::wire::message as wire;

use super::*;
use crate::testing::{Bench, OPERATOR, at};
use crate::{By, ErrorKind, EventClass, EventKind, Fleet, FleetError};

mod maintained;

struct Keys {
    signer: SigningKey,
    bob: SigningKey,
}

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate_pem().unwrap()).unwrap()
}

fn document(version: u64) -> String {
    format!(
        "version = {version}\nexpires = 2027-01-01T00:00:00Z\n\
         [tasks.restart]\nabout = \"Restarts a unit\"\nargv = [\"/usr/bin/systemctl\", \"restart\", \"--\", \"{{unit}}.service\"]\n\
         account = \"root\"\ntimeout = \"30s\"\n[tasks.restart.parameters.unit]\nkind = \"text\"\npattern = \"[a-z0-9]+\"\nbytes_max = 64\n\
         [tasks.undo]\nabout = \"Takes it back\"\nargv = [\"/usr/bin/true\"]\naccount = \"root\"\n"
    )
}

fn ann() -> By {
    By::user("ann", "192.0.2.1")
}

fn bob() -> By {
    By::user("bob", "192.0.2.2")
}

/// A fleet of this many hosts with a catalogue, all connected.
fn bench(hosts: usize) -> (Bench, Keys, Vec<HostId>) {
    let (bench, keys) = (Bench::new(), Keys { signer: key(), bob: key() });
    let hosts: Vec<HostId> = (0..hosts).map(|host| bench.host(&format!("web{host}")).id()).collect();
    let named = |name: &str, key: &SigningKey| BTreeMap::from([(name.to_owned(), key.public())]);
    let known = TaskKeys { signers: named("release", &keys.signer), approvers: named("bob", &keys.bob) };
    bench.fleet.set_task_settings(TaskSettings { keys: known, ..TaskSettings::default() });
    let document = document(1);
    let signature = keys.signer.sign(&Catalogue::signed_bytes(&document)).to_string();
    bench.fleet.add_task_catalogue(&document, &signature, &ann(), at(1)).unwrap();
    hosts.iter().for_each(|host| bench.fleet.task_connected(*host, true));
    bench.fleet.step_tasks(at(2)).unwrap();
    bench.fleet.take_tasks_due();
    (bench, keys, hosts)
}

fn restart(unit: &str) -> TaskCall {
    TaskCall { task: "restart".into(), parameters: BTreeMap::from([("unit".to_owned(), unit.to_owned())]) }
}

fn spec(hosts: &[HostId]) -> TaskSpec {
    TaskSpec { soak_ms: 5_000, ..TaskSpec::new(hosts.to_vec(), restart("nginx")) }
}

fn approve(fleet: &Fleet, order: &OrderView, key: &SigningKey, now: Timestamp) -> Result<OrderView, FleetError> {
    let signature = key.sign(&Order::signed_bytes(&order.order.text)).to_string();
    fleet.approve_task(order.order.number, "bob", &signature, &bob(), now)
}

fn calls(fleet: &Fleet) -> Vec<(HostId, wire::Task)> {
    let due = fleet.take_tasks_due().into_iter();
    due.filter_map(|(host, due)| if let TaskDue::Call(call) = due { Some((host, call)) } else { None }).collect()
}

fn state(call: wire::TaskCall, number: u32, word: wire::TaskWord) -> wire::TaskState {
    wire::TaskState {
        call,
        number,
        at_ms: 0,
        word,
        problem: String::new(),
        chunks: 0,
        output_bytes: 7,
        dropped_bytes: 0,
        extensions: Vec::new(),
    }
}

/// A host does what it is called for.
fn does(fleet: &Fleet, host: HostId, call: wire::TaskCall, code: i32) {
    fleet.task_told(host, state(call, 1, wire::TaskWord::Accepted));
    let text = "restarted\n".to_owned();
    fleet.task_wrote(host, wire::TaskOutput { call, chunk: 0, text, extensions: Vec::new() });
    fleet.task_told(host, state(call, 3, wire::TaskWord::Ended { code }));
}

#[test]
fn an_order_is_approved_by_somebody_else_and_hosts_get_what_was_signed() {
    let (bench, keys, hosts) = bench(3);
    let fleet = &bench.fleet;
    let order = fleet.request_task(&spec(&hosts), &ann(), at(3)).unwrap();
    let number = order.order.number;
    fleet.step_tasks(at(4)).unwrap();
    assert_eq!(fleet.take_tasks_due(), [], "nobody is called before it is approved");

    let kind = |result: Result<OrderView, FleetError>| result.unwrap_err().kind();
    assert_eq!(kind(approve(fleet, &order, &key(), at(5))), ErrorKind::Input, "another's key");
    let signature = keys.bob.sign(&Order::signed_bytes(&order.order.text)).to_string();
    let by_ann = fleet.approve_task(number, "bob", &signature, &ann(), at(5));
    assert!(by_ann.unwrap_err().to_string().contains("somebody else must approve it"));
    assert_eq!(kind(fleet.approve_task(number, "ann", &signature, &bob(), at(5))), ErrorKind::Input);
    assert_eq!(kind(fleet.approve_task(number, "eve", &signature, &bob(), at(5))), ErrorKind::Input);
    assert_eq!(kind(fleet.approve_task(9, "bob", &signature, &bob(), at(5))), ErrorKind::NotFound);
    let approved = approve(fleet, &order, &keys.bob, at(6)).unwrap();
    assert_eq!(approved.order.progress.state, OrderState::Running);
    assert!(approved.order.approvals[0].is_verified);
    assert_eq!(kind(approve(fleet, &order, &keys.bob, at(6))), ErrorKind::Conflict);

    fleet.step_tasks(at(7)).unwrap();
    let called = calls(fleet);
    assert_eq!(called.len(), 1, "the canary");
    let (host, call) = &called[0];
    let read = Order::parse(&call.order).unwrap();
    assert_eq!((call.host, call.call.order, *host), (host.0, read.id, hosts[0]));
    assert!(is_target(&read.targets, *host, &call.proof) && !is_target(&read.targets, hosts[1], &call.proof));
    let signature = Signature(call.approvals[0].signature);
    assert!(keys.bob.public().signed(&Order::signed_bytes(&call.order), &signature));
    assert_eq!((read.requester.as_str(), read.steps.len()), ("user:ann", 1));

    does(fleet, *host, call.call, 0);
    fleet.step_tasks(at(8)).unwrap();
    let acks: Vec<TaskDue> = fleet.take_tasks_due().into_iter().map(|(_, due)| due).collect();
    assert_eq!(acks, [TaskDue::Ack(wire::TaskAck { call: call.call, state: 3, chunks: 1, extensions: Vec::new() })]);
    let wrote = fleet.task_output(number, *host, STEP_FORWARD).unwrap();
    assert_eq!((wrote.text.as_str(), wrote.heard.output_bytes), ("restarted\n", 7));
    for second in 9..40 {
        fleet.step_tasks(at(second)).unwrap();
        calls(fleet).into_iter().for_each(|(host, call)| does(fleet, host, call.call, 0));
    }
    let order = fleet.task_order(number).unwrap();
    assert_eq!((order.order.progress.state, order.counts[0][RunState::Ok as usize]), (OrderState::Done, 3));
    let told: Vec<EventKind> =
        bench.events().into_iter().map(|event| event.kind).filter(|kind| kind.class() == EventClass::Task).collect();
    use EventKind as E;
    assert_eq!(told, [E::TaskCatalogueAdded, E::TaskRequested, E::TaskApproved, E::TaskBegun, E::TaskFinished]);
    assert!(fleet.verify_audit(None).unwrap().is_ok());
}

#[test]
fn what_was_decided_goes_on_after_a_restart_and_a_new_session_is_given_what_it_is_owed() {
    let (bench, keys, hosts) = bench(2);
    let order = bench.fleet.request_task(&TaskSpec { canary: 0, ..spec(&hosts) }, &ann(), at(3)).unwrap();
    approve(&bench.fleet, &order, &keys.bob, at(4)).unwrap();
    bench.fleet.step_tasks(at(5)).unwrap();
    let first = calls(&bench.fleet);
    assert_eq!(first.len(), 1, "a quarter of two is one");
    let bench = bench.reopen();
    bench.fleet.task_connected(hosts[0], true);
    bench.fleet.step_tasks(at(6)).unwrap();
    let due = bench.fleet.take_tasks_due();
    assert!(matches!(&due[0].1, TaskDue::Catalogue(offer) if offer.document == document(1)));
    assert_eq!(due[1].1, TaskDue::Call(first[0].1.clone()), "the same call, to the byte");
    assert_eq!(due.len(), 2);
    bench.fleet.task_told(hosts[0], state(first[0].1.call, 1, wire::TaskWord::Accepted));
    bench.fleet.step_tasks(at(7)).unwrap();
    bench.fleet.take_tasks_due();
    bench.fleet.task_connected(hosts[0], true);
    bench.fleet.step_tasks(at(8)).unwrap();
    assert_eq!(calls(&bench.fleet), [], "who has the call is not given it again");
    let order = bench.fleet.steer_task(1, TaskSteer::Stop, "enough", &bob(), at(9)).unwrap();
    assert_eq!(order.order.progress.reason, "user:bob stopped it: enough");
    let due = bench.fleet.take_tasks_due();
    assert!(matches!(&due[..], [(_, TaskDue::Cancel(cancel))] if cancel.call == first[0].1.call));
    bench.fleet.task_told(hosts[0], state(first[0].1.call, 2, wire::TaskWord::Cancelled));
    bench.fleet.step_tasks(at(10)).unwrap();
    assert_eq!(bench.fleet.task_order(1).unwrap().order.progress.state, OrderState::Stopped);
    let again = bench.fleet.steer_task(1, TaskSteer::Resume, "", &bob(), at(11)).unwrap_err();
    assert_eq!(again.to_string(), "order 1 is stopped, so it cannot be resumed: `muster task show 1` tells more");
}

#[test]
fn catalogues_only_go_forward_and_are_signed_by_a_known_key() {
    let (bench, keys, hosts) = bench(1);
    let fleet = &bench.fleet;
    let add = |document: &str, key: &SigningKey| {
        let signature = key.sign(&Catalogue::signed_bytes(document)).to_string();
        fleet.add_task_catalogue(document, &signature, &ann(), at(10))
    };
    assert!(add(&document(1), &keys.signer).unwrap_err().to_string().contains("not above 1"));
    assert!(add(&document(2), &key()).unwrap_err().to_string().contains("none of the signers"));
    assert!(fleet.add_task_catalogue(&document(2), "00", &ann(), at(10)).is_err());
    assert!(add("version = 3", &keys.signer).is_err());
    let order = fleet.request_task(&spec(&hosts), &ann(), at(11)).unwrap();
    let open = add(&document(2), &keys.signer).unwrap_err();
    assert_eq!(open.kind(), ErrorKind::Conflict);
    fleet.steer_task(order.order.number, TaskSteer::Stop, "", &ann(), at(12)).unwrap();
    let view = add(&document(2), &keys.signer).unwrap();
    assert_eq!((view.version, view.signer.as_str(), view.tasks.len()), (2, "release", 2));
    let due = fleet.take_tasks_due();
    assert!(due.iter().any(|(host, due)| *host == hosts[0] && matches!(due, TaskDue::Catalogue(_))));
    let why = wire::TaskWord::Refused { why: wire::TaskRefusal::CatalogueUnsigned };
    fleet.task_told(hosts[0], state(wire::TaskCall::CATALOGUE, 1, why));
    fleet.step_tasks(at(13)).unwrap();
    assert_eq!(fleet.task_catalogue().unwrap().refused.len(), 1);
}

#[test]
fn a_request_that_cannot_be_done_is_refused_with_what_is_wrong() {
    let (bench, _keys, hosts) = bench(2);
    let ask = |spec: TaskSpec| bench.fleet.request_task(&spec, &ann(), at(5)).unwrap_err().to_string();
    let base = || spec(&hosts);
    for (spec, wrong) in [
        (TaskSpec { hosts: vec![], ..base() }, "it is for 0 hosts"),
        (TaskSpec { hosts: vec![hosts[0], hosts[0]], ..base() }, "it names a host twice"),
        (TaskSpec { hosts: vec![HostId([9; 16])], ..base() }, "is not active"),
        (TaskSpec { forward: restart("../etc"), ..base() }, "unit"),
        (TaskSpec { forward: TaskCall { task: "rm".into(), ..TaskCall::default() }, ..base() }, "no task `rm`"),
        (TaskSpec { batch: WaveSize::Percent(0), ..base() }, "a batch has one host"),
        (TaskSpec { within_ms: 8 * 24 * 3_600_000, ..base() }, "more than 7 days"),
        (TaskSpec { soak_ms: -1, ..base() }, "12 hours at most"),
    ] {
        let told = ask(spec);
        assert!(told.contains(wrong), "{told}");
    }
    for _ in 0..TASK_ORDERS_OPEN_MAX {
        bench.fleet.request_task(&base(), &ann(), at(5)).unwrap();
    }
    assert!(ask(base()).contains("which is the most"));
}

#[test]
fn output_is_kept_up_to_its_bound_in_order_and_once() {
    let (bench, keys, hosts) = bench(1);
    let fleet = &bench.fleet;
    let order = fleet.request_task(&spec(&hosts), &ann(), at(3)).unwrap();
    approve(fleet, &order, &keys.bob, at(4)).unwrap();
    fleet.step_tasks(at(5)).unwrap();
    let call = calls(fleet)[0].1.call;
    let chunk = |chunk: u32| wire::TaskOutput { call, chunk, text: "x".repeat(32 << 10), extensions: Vec::new() };
    for number in [0, 0, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9] {
        fleet.task_wrote(hosts[0], chunk(number));
    }
    fleet.step_tasks(at(6)).unwrap();
    let ack = fleet.take_tasks_due().pop().unwrap().1;
    assert!(matches!(ack, TaskDue::Ack(ack) if ack.chunks == 10));
    let wrote = fleet.task_output(1, hosts[0], STEP_FORWARD).unwrap();
    assert_eq!((wrote.text.len(), wrote.heard.left_out), (256 << 10, 64 << 10));
    let bench = bench.reopen();
    let wrote = bench.fleet.task_output(1, hosts[0], STEP_FORWARD).unwrap();
    assert_eq!((wrote.text.len(), wrote.heard.kept), (256 << 10, 8));
    assert!(bench.fleet.task_output(1, HostId([1; 16]), STEP_FORWARD).is_err());
}

#[test]
fn all_tasks_are_paused_at_once_and_calls_have_a_rate() {
    let (bench, keys, hosts) = bench(5);
    let fleet = &bench.fleet;
    let approvers = BTreeMap::from([("bob".to_owned(), keys.bob.public())]);
    let known = TaskKeys { approvers, signers: BTreeMap::<String, PublicKey>::new() };
    fleet.set_task_settings(TaskSettings { keys: known, calls_a_minute: 30, approvals: 1 });
    let all = TaskSpec { canary: 0, batch: WaveSize::Percent(100), ..spec(&hosts) };
    let order = fleet.request_task(&all, &ann(), at(3)).unwrap();
    approve(fleet, &order, &keys.bob, at(4)).unwrap();
    fleet.pause_tasks("a change freeze", OPERATOR, at(4)).unwrap();
    assert!(fleet.tasks_paused().unwrap().ends_with("a change freeze"));
    fleet.step_tasks(at(5)).unwrap();
    assert_eq!(calls(fleet), []);
    let bench = bench.reopen();
    let fleet = &bench.fleet;
    fleet.set_task_settings(TaskSettings { calls_a_minute: 30, ..TaskSettings::default() });
    hosts.iter().for_each(|host| fleet.task_connected(*host, true));
    fleet.step_tasks(at(6)).unwrap();
    assert_eq!(calls(fleet), [], "a restart does not forget it");
    fleet.resume_tasks(OPERATOR, at(6)).unwrap();
    assert_eq!(fleet.tasks_paused(), None);
    fleet.step_tasks(at(7)).unwrap();
    assert_eq!(calls(fleet).len(), 3, "a tenth of a minute's");
    fleet.step_tasks(at(8)).unwrap();
    assert_eq!(calls(fleet).len(), 0);
    fleet.step_tasks(at(9)).unwrap();
    assert_eq!(calls(fleet).len(), 1, "one each two seconds");
}

#[test]
fn a_bad_wave_is_rolled_back_with_the_second_step_of_the_same_approval() {
    let (bench, keys, hosts) = bench(4);
    let fleet = &bench.fleet;
    let back = Some(TaskCall { task: "undo".into(), ..TaskCall::default() });
    let wanted = TaskSpec { back, on_trouble: OnTrouble::RollBack, batch: WaveSize::Hosts(2), ..spec(&hosts) };
    let order = fleet.request_task(&wanted, &ann(), at(3)).unwrap();
    approve(fleet, &order, &keys.bob, at(4)).unwrap();
    let mut seen = Vec::new();
    for second in 5..60 {
        fleet.step_tasks(at(second)).unwrap();
        for (host, call) in calls(fleet) {
            seen.push((host, call.call.step));
            does(fleet, host, call.call, if host == hosts[2] && call.call.step == 0 { 1 } else { 0 });
        }
    }
    let order = fleet.task_order(order.order.number).unwrap();
    assert_eq!(order.order.progress.state, OrderState::RolledBack, "{order:?}");
    assert_eq!(seen.iter().filter(|(_, step)| *step == 0).count(), 3);
    assert_eq!(seen.iter().filter(|(_, step)| *step == 1).count(), 3);
    let failed: Vec<_> = bench.events().into_iter().filter(|event| event.kind == EventKind::TaskFailed).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].text.contains("on host `web2`: failed: the task ended with exit code 1"), "{}", failed[0].text);
    assert_eq!(fleet.task_hosts(order.order.number)[2].runs.len(), 2);
}
