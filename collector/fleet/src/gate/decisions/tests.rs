use std::path::Path;
use std::sync::Arc;

use muster_common::disk::cut::CutDisk;

use super::super::facts::{Asked, HostFact, Override, Place, Problem};
use super::*;
use crate::AuditQuery;
use crate::testing::{Bench, at};

fn ann() -> By {
    By::user("ann", "192.0.2.7")
}

/// A question at so many seconds; all is well unless there is a problem.
fn facts(seconds: u64, version: &str, problem: bool) -> Facts {
    let at_ms = at(seconds).millis();
    let host = HostFact { name: "web1".to_owned(), state: "up".to_owned(), heard_ms: Some(at_ms) };
    let bad = Problem {
        name: "DiskFull".to_owned(),
        host: "web1".to_owned(),
        severity: "critical".to_owned(),
        since_ms: at_ms,
        held: String::new(),
        evidence: "/alerts/1".to_owned(),
    };
    Facts {
        asked: Asked {
            service: "shop".to_owned(),
            version: version.to_owned(),
            to: "production".to_owned(),
            at_ms,
            ..Asked::default()
        },
        is_declared: true,
        rules_ms: Some(at_ms),
        to: Place {
            env: "production".to_owned(),
            hosts: vec![host],
            problems: problem.then_some(bad).into_iter().collect(),
            ..Place::default()
        },
        ..Facts::default()
    }
}

fn overridden(seconds: u64) -> Facts {
    let mut facts = facts(seconds, "8", true);
    facts.asked.over =
        Some(Override { by: "user:ann".to_owned(), reason: "known since May".to_owned(), codes: Vec::new() });
    facts
}

#[test]
fn a_decision_is_kept_once_an_hour_unless_it_is_another_and_replays_after_a_restart() {
    let bench = Bench::new();
    let decide = |facts: Facts, seconds| bench.fleet.decide_gate(facts, &ann(), at(seconds)).unwrap();
    let first = decide(facts(0, "8", false), 0);
    assert_eq!((first.id, first.decision.verdict), (1, Verdict::Go));
    assert_eq!(decide(facts(10, "8", false), 10).id, 1);
    assert_eq!(decide(facts(20, "8", true), 20).id, 2);
    assert_eq!(decide(facts(30, "8", false), 30).id, 3, "it is well again");
    assert_eq!(decide(facts(40, "9", false), 40).id, 4);
    assert_eq!(decide(facts(50, "8", false), 50).id, 3, "of its own version the newest");
    assert_eq!(decide(facts(3_631, "8", false), 3_631).id, 5, "an hour later");
    let kinds = bench.kinds();
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::GateDecided).count(), 5);
    assert!(
        bench.fleet.audit(&AuditQuery { limit: 9, ..AuditQuery::default() }).unwrap().is_empty(),
        "asking is no deed"
    );

    let listed = bench.fleet.gate_decisions(Some("shop"), None, 9);
    let replays: Vec<GateReplay> = (1..=5).map(|id| bench.fleet.replay_gate(id).unwrap()).collect();
    let bench = bench.reopen();
    assert_eq!(bench.fleet.gate_decisions(Some("shop"), None, 9), listed);
    for (id, before) in (1..=5).zip(replays) {
        let replay = bench.fleet.replay_gate(id).unwrap();
        assert!(replay.is_same());
        assert_eq!(replay, before);
    }
    assert_eq!(bench.fleet.gate_decisions(None, Some(3), 1).iter().map(|head| head.id).collect::<Vec<_>>(), [2]);
    assert!(bench.fleet.gate_decisions(Some("blog"), None, 9).is_empty());
    assert!(matches!(bench.fleet.replay_gate(77), Err(FleetError::NoGateDecision { id: 77 })));
}

#[test]
fn who_overrides_stands_in_the_audit_and_in_the_event_each_time() {
    let bench = Bench::new();
    for seconds in [0, 1] {
        let made = bench.fleet.decide_gate(overridden(seconds), &ann(), at(seconds)).unwrap();
        assert_eq!((made.id, made.decision.verdict), (seconds + 1, Verdict::Go));
    }
    let audit = bench.fleet.audit(&AuditQuery { limit: 9, ..AuditQuery::default() }).unwrap();
    assert_eq!(audit.len(), 2);
    let row = &audit[0];
    assert_eq!(
        (row.by.as_str(), row.action, row.object.as_str()),
        ("user:ann", EventKind::GateDecided, "shop/production")
    );
    assert!(row.text.contains("DiskFull") && row.text.contains("lifted by user:ann: known since May"), "{}", row.text);
    let event = bench.events().pop().unwrap();
    for (field, told) in [
        ("verdict", "go"),
        ("override_by", "user:ann"),
        ("reason", "known since May"),
        ("lifted", "problem"),
        ("codes", ""),
        ("decision", "2"),
    ] {
        assert_eq!(event.fields.get(field).map(String::as_str), Some(told), "{field}");
    }
}

#[test]
fn the_oldest_go_and_no_number_comes_twice() {
    let bench = Bench::on(Arc::new(CutDisk::new(1)), Path::new("/data"));
    let extra = 5;
    for at_version in 0..GATE_DECISIONS_MAX + extra {
        bench.fleet.decide_gate(facts(0, &at_version.to_string(), false), &ann(), at(0)).unwrap();
    }
    let listed = bench.fleet.gate_decisions(None, None, usize::MAX);
    assert_eq!(listed.len(), GATE_DECISIONS_MAX);
    let (oldest, newest) = (listed.last().unwrap().id, listed[0].id);
    assert_eq!((oldest as usize, newest as usize), (extra + 1, GATE_DECISIONS_MAX + extra));
    assert!(matches!(bench.fleet.replay_gate(1), Err(FleetError::NoGateDecision { id: 1 })));
    assert!(bench.reopen().fleet.replay_gate(oldest).unwrap().is_same());
}

#[test]
fn a_power_cut_leaves_a_decision_with_its_event_or_neither() {
    for operation in 0.. {
        let disk = CutDisk::new(operation);
        let bench = Bench::on(Arc::new(disk.clone()), Path::new("/data"));
        bench.fleet.decide_gate(facts(0, "7", false), &ann(), at(0)).unwrap();
        disk.power_off_at(disk.operations() + operation);
        let is_told = bench.fleet.decide_gate(overridden(1), &ann(), at(1)).is_ok();
        let is_finished = !disk.is_off();
        disk.cut();
        let bench = bench.reopen();
        let decisions = bench.fleet.gate_decisions(None, None, 9);
        let events = bench.kinds().into_iter().filter(|kind| *kind == EventKind::GateDecided).count();
        let audit = bench.fleet.audit(&AuditQuery { limit: 9, ..AuditQuery::default() }).unwrap();
        assert_eq!((decisions.len(), audit.len() + 1), (events, events), "operation {operation}");
        assert!(!is_told || decisions.len() == 2, "operation {operation}");
        for head in &decisions {
            assert!(bench.fleet.replay_gate(head.id).unwrap().is_same());
        }
        if is_finished {
            assert!(operation > 2, "only {operation} operations were cut");
            return;
        }
    }
}
