//! Questions to hosts: of a person to real agents, and to many simulated ones of which some are dead.

use std::time::Duration;

use muster_tests::ask;
use muster_tests::harness::agent::{AgentHome, muster, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;

use super::LIMIT;

#[test]
fn a_person_asks_real_agents_and_is_told_who_is_missing() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let enrol = |name: &str| AgentHome::enrol(&programs, &collector, folder.path(), name).unwrap();
    let (first, second, refuses) = (enrol("ask1"), enrol("ask2"), enrol("shy"));
    let agents =
        [first.start(&[]).unwrap(), second.start(&[]).unwrap(), refuses.start(&["ask.enabled=false"]).unwrap()];
    let run = |words: &[&str]| muster(&programs, &collector, words).unwrap();
    // Each agent is a process of its own on the same machine: who is asked for them sees all three.
    let mine = format!("pid = {}", agents[0].id());
    let question = ["ask", "processes", "--where", &mine, "--columns", "name,pid", "--host", "ask1", "--host", "ask2"];
    let (text, notes) = until("both agents to answer", LIMIT, || {
        let (code, text, notes) = run(&question);
        Ok((code == 0).then_some((text, notes)))
    })
    .unwrap();
    let row: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["2", "2", "muster-agent", &agents[0].id().to_string(), "ask1", "ask2"], "{text}");
    assert!(notes.ends_with("2 of 2 hosts answered\n"), "{notes}");

    // All hosts: one refuses by its own file, and says by which key.
    let refusal = until("the third agent to refuse", LIMIT, || {
        let (code, text, notes) = run(&["ask", "agent", "--columns", "version", "-o", "csv"]);
        let is_told = notes.contains("missing, refused: shy: ") && notes.contains("`enabled = true` under [ask]");
        Ok(is_told.then_some((code, text, notes)))
    });
    let (code, text, notes) = refusal.unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!((code, text), (1, format!("hosts,count,version,on\n2,2,{version},ask1 ask2\n")));
    assert!(notes.ends_with("2 of 3 hosts answered\n"), "{notes}");

    // What its own file forbids the agent tells nobody, and one that has gone is named at once.
    let [first, second, _refuses] = agents;
    second.kill().unwrap();
    first.stop().unwrap();
    let (code, _, notes) = until("the stopped agent to be missing", LIMIT, || {
        let (code, text, notes) = run(&["ask", "users", "--host", "ask1", "--timeout", "1s"]);
        Ok(notes.contains("missing, silent: ask1: it is not connected").then_some((code, text, notes)))
    })
    .unwrap();
    assert!(code == 1 && notes.ends_with("0 of 1 hosts answered\n"), "{notes}");

    let (code, _, error) = run(&["ask", "users", "--where", "pid = 1"]);
    assert!(code != 0 && error.contains("table users has no column `pid` (the question): it has name, uid"), "{error}");
    let (code, tables, _) = run(&["ask", "tables"]);
    assert!(code == 0 && tables.lines().any(|line| line.starts_with("disk_usage ")), "{tables}");
    // Every question stands in the audit.
    let (_, audit, _) = run(&["audit", "list"]);
    assert!(audit.contains("fleet_asked") && audit.contains("asked for version of agent on 3 hosts (all)"), "{audit}");
}

#[test]
fn of_many_hosts_the_dead_are_named_within_the_time() {
    // As many as may enrol at once: the figure is measured with 1,000.
    let report = ask::run(&programs::folder(), 150, 3, 1).unwrap();
    assert!(report.worst <= Duration::from_secs(5), "{report:?}");
}
