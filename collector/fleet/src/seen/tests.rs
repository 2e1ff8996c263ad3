use super::*;
use crate::testing::{Bench, Machine, OPERATOR, at};
use crate::{EventKind, HostState, RegistryChange};

fn refused(seen: Seen) -> Refused {
    match seen {
        Seen::Refused(refused) => refused,
        Seen::Welcome => panic!("welcomed"),
    }
}

/// A copy of a machine's disk, with another machine id.
fn copy(machine: &Machine, machine_id: &str) -> Machine {
    let facts = muster_common::wire::message::HostFacts { machine_id: machine_id.into(), ..machine.facts.clone() };
    Machine {
        name: machine.name.clone(),
        facts,
        key: machine.key.clone(),
        csr: machine.csr.clone(),
        enrolled: machine.enrolled.clone(),
    }
}

#[test]
fn what_hello_tells_is_shown_at_once_and_on_disk_with_the_next_change() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let commits = bench.fleet.counts.lock().commits;
    assert_eq!(bench.row(machine.id()).last_hello_ms, None);
    assert_eq!(bench.fleet.saw(machine.id(), &machine.hello(1, 5, &[1]), None, at(1)).unwrap(), Seen::Welcome);
    assert_eq!(bench.fleet.saw(machine.id(), &machine.hello(2, 9, &[2]), None, at(2)).unwrap(), Seen::Welcome);
    assert_eq!(bench.fleet.counts.lock().commits, commits, "hellos do not wait for the disk");
    let row = bench.row(machine.id());
    assert_eq!((row.last_hello_ms, row.agent_version.as_str()), (Some(at(2).millis()), "0.1.0"));
    assert_eq!((row.facts, row.boot_id), (machine.facts.clone(), "02".repeat(16)));
    bench.fleet.maintain(at(60)).unwrap();
    assert_eq!(bench.kinds().last(), Some(&EventKind::HostBooted));
    bench.fleet.maintain(at(61)).unwrap();
    assert_eq!(bench.fleet.counts.lock().commits, commits + 1, "what is on disk is not written again");
    let bench = bench.reopen();
    assert_eq!(bench.row(machine.id()).last_hello_ms, Some(at(2).millis()));
    assert_eq!(bench.kinds().iter().filter(|kind| **kind == EventKind::HostBooted).count(), 1);
    // The same boot, another process; then the same process over another connection.
    for second in [70, 80] {
        bench.fleet.saw(machine.id(), &machine.hello(2, 60, &[3]), None, at(second)).unwrap();
    }
    bench.fleet.flush_events().unwrap();
    assert_eq!(bench.kinds().iter().filter(|kind| **kind == EventKind::AgentRestarted).count(), 1);
    assert_eq!(bench.kinds().iter().filter(|kind| **kind == EventKind::HostBooted).count(), 1);
}

#[test]
fn a_machine_with_another_id_is_set_aside_while_the_host_lives() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let clone = copy(&machine, "clone");
    let (host, version) = (machine.id(), bench.fleet.changes_after(0).version);
    bench.fleet.saw(host, &machine.hello(1, 5, &[1]), None, at(1)).unwrap();
    let answer = refused(bench.fleet.saw(host, &clone.hello(7, 5, &[1, 2]), Some(at(10)), at(12)).unwrap());
    assert_eq!(answer.code, RefusalCode::Quarantined);
    assert!(
        answer.message.contains("machine id is `clone`") && answer.message.contains("heard 2 s ago"),
        "{}",
        answer.message
    );
    assert!(bench.fleet.changes_after(version).changes.contains(&RegistryChange::Quarantined { host }));
    let bench = bench.reopen();
    let again = refused(bench.fleet.saw(host, &clone.hello(8, 9, &[3]), None, at(400)).unwrap());
    assert_eq!(again.code, RefusalCode::Quarantined, "after a reboot and a restart of the collector as well");
    assert_eq!(bench.fleet.saw(host, &machine.hello(1, 5, &[1]), None, at(401)).unwrap(), Seen::Welcome);
    let rows = bench.in_state(HostState::Quarantined);
    assert_eq!((rows.len(), rows[0].of, rows[0].machine_id.as_str()), (1, Some(host), "clone"));
    assert_eq!(bench.row(host).state, HostState::Active);
}

#[test]
fn a_host_that_was_silent_may_come_back_on_another_machine() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let moved = copy(&machine, "new-board");
    bench.fleet.saw(machine.id(), &machine.hello(1, 5, &[1]), None, at(1)).unwrap();
    let seen = bench.fleet.saw(machine.id(), &moved.hello(2, 9, &[1]), Some(at(10)), at(311)).unwrap();
    assert_eq!(seen, Seen::Welcome);
    assert_eq!(bench.row(machine.id()).machine_id, "new-board");
    assert!(bench.kinds().contains(&EventKind::MachineChanged));
}

#[test]
fn two_copies_that_take_turns_are_found_and_the_first_goes_on() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let host = machine.id();
    let (first, second) = (machine.hello(1, 5, &[1]), machine.hello(2, 9, &[2]));
    for (seconds, hello) in [(1, &first), (60, &second), (120, &first)] {
        assert_eq!(bench.fleet.saw(host, hello, Some(at(seconds)), at(seconds)).unwrap(), Seen::Welcome);
    }
    let answer = refused(bench.fleet.saw(host, &second, Some(at(179)), at(180)).unwrap());
    assert!(answer.message.contains("took turns"), "{}", answer.message);
    assert!(answer.remedy.contains("muster hosts approve"), "{}", answer.remedy);
    let restarted = machine.hello(2, 77, &[4]);
    refused(bench.fleet.saw(host, &restarted, Some(at(190)), at(191)).unwrap());
    assert_eq!(bench.fleet.saw(host, &first, Some(at(190)), at(192)).unwrap(), Seen::Welcome);
    let rows = bench.in_state(HostState::Quarantined);
    assert_eq!((rows.len(), rows[0].of), (1, Some(host)));
    let kinds = bench.kinds();
    assert!(kinds.contains(&EventKind::HostReverted) && kinds.contains(&EventKind::HostQuarantined));
}

#[test]
fn approving_the_machine_set_aside_swaps_the_two() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    let (host, right) = (machine.id(), copy(&machine, "right"));
    bench.fleet.saw(host, &machine.hello(1, 5, &[1]), None, at(1)).unwrap();
    refused(bench.fleet.saw(host, &right.hello(2, 5, &[2]), Some(at(9)), at(10)).unwrap());
    let row = bench.in_state(HostState::Quarantined).remove(0);
    let version = bench.fleet.changes_after(0).version;
    bench.fleet.approve(row.id, None, OPERATOR, at(11)).unwrap();
    assert!(bench.fleet.changes_after(version).changes.contains(&RegistryChange::Replaced { host }));
    assert_eq!(bench.fleet.saw(host, &right.hello(2, 5, &[2]), None, at(12)).unwrap(), Seen::Welcome);
    refused(bench.fleet.saw(host, &machine.hello(1, 5, &[1]), Some(at(12)), at(13)).unwrap());
    assert_eq!(bench.fleet.saw(host, &right.hello(2, 5, &[2]), None, at(14)).unwrap(), Seen::Welcome);
    assert_eq!(bench.row(host).machine_id, "right");
    let rows = bench.in_state(HostState::Quarantined);
    assert_eq!((rows.len(), rows[0].machine_id.as_str()), (1, "machine-of-db1"));
    assert!(bench.fleet.authenticate(machine.leaf(), at(15)).is_ok(), "both hold the same certificate");
}

#[test]
fn a_retired_host_is_not_welcomed() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    bench.fleet.retire(machine.id(), "sold", OPERATOR, at(1)).unwrap();
    let answer = refused(bench.fleet.saw(machine.id(), &machine.hello(1, 5, &[1]), None, at(2)).unwrap());
    assert_eq!(answer.code, RefusalCode::Certificate);
    refused(bench.fleet.saw(HostId([9; 16]), &machine.hello(1, 5, &[1]), None, at(2)).unwrap());
}

#[test]
fn events_of_hellos_are_written_before_there_are_too_many() {
    let bench = Bench::new();
    let machine = bench.host("db1");
    for boot in 0..=RIDING_EVENTS_MAX + 1 {
        let mut hello = machine.hello(0, 5, &[]);
        hello.boot_id[..8].copy_from_slice(&(boot as u64 + 1).to_le_bytes());
        bench.fleet.saw(machine.id(), &hello, None, at(boot as u64)).unwrap();
    }
    assert!(bench.fleet.sightings.lock().events.len() <= RIDING_EVENTS_MAX);
    assert!(bench.kinds().len() > RIDING_EVENTS_MAX);
}
