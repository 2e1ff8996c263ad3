//! Hosts approved, renamed, replaced and retired through `muster`.

use muster_tests::harness::agent::{AgentHome, muster, token, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;

use super::LIMIT;

#[test]
fn a_renamed_host_keeps_its_id_and_its_old_series_end() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "old-name").unwrap();
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    until("the old name", LIMIT, || collector.number("node_load1{host=\"old-name\"}", None)).unwrap();

    let (code, _, error) = muster(&programs, &collector, &["hosts", "rename", "old-name", "new-name"]).unwrap();
    assert_eq!(code, 0, "{error}");
    until("the new name", LIMIT, || collector.number("node_load1{host=\"new-name\"}", None)).unwrap();
    until("the old series' end", LIMIT, || {
        Ok(collector.query("node_load1{host=\"old-name\"}", None)?.is_empty().then_some(()))
    })
    .unwrap();
    assert!(agent.stop().unwrap().success());
}

#[test]
fn a_retired_host_is_cut_off_at_once_and_its_series_end() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "gone").unwrap();
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    until("samples", LIMIT, || collector.number("node_load1{host=\"gone\"}", None)).unwrap();

    let (code, _, error) = muster(&programs, &collector, &["hosts", "retire", "gone"]).unwrap();
    assert_eq!(code, 0, "{error}");
    until("the series' end", LIMIT, || Ok(collector.query("{host=\"gone\"}", None)?.is_empty().then_some(()))).unwrap();
    until("the agent's word on it", LIMIT, || Ok(agent.log().contains("retired").then_some(()))).unwrap();
    let history = collector.number("count_over_time(node_load1{host=\"gone\"}[10m])", None).unwrap();
    assert!(history.is_some_and(|count| count >= 1.0), "history stays: {history:?}");
}

#[test]
fn a_taken_name_waits_until_it_is_approved() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    AgentHome::enrol(&programs, &collector, folder.path(), "db-1").unwrap();
    // A token for a pattern does not give away a name that is taken.
    let word = token(&programs, &collector, &["--pattern", "db-*", "--uses", "5"]).unwrap();
    let second = AgentHome { programs: programs.clone(), state: folder.path().join("second"), name: "db-1".to_owned() };
    let state = second.state.to_string_lossy().into_owned();
    let agents = collector.agents.to_string();
    let words = ["enrol", "--collector", &agents, "--token", &word, "--name", "db-1", "--state", &state, "--no-wait"];
    let (code, _, error) = muster_tests::harness::agent::run(&programs, "muster-agent", &words).unwrap();
    assert!(code != 0 && error.contains("approve"), "exit {code}: {error}");
    let (_, text, _) = muster(&programs, &collector, &["-o", "json", "hosts", "list"]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let waiting = json["hosts"].as_array().unwrap().iter().find(|host| host["state"] == "pending").unwrap().clone();
    let id = waiting["id"].as_str().unwrap();

    let (code, text, error) = muster(&programs, &collector, &["hosts", "approve", id, "--as", "db-2"]).unwrap();
    assert_eq!(code, 0, "{text}{error}");
    let (code, _, error) = muster_tests::harness::agent::run(&programs, "muster-agent", &words).unwrap();
    assert_eq!(code, 0, "an approved host is let in: {error}");
    let agent = second.start(&["metrics.interval=1s"]).unwrap();
    until("samples under the approved name", LIMIT, || collector.number("node_load1{host=\"db-2\"}", None)).unwrap();
    assert!(agent.stop().unwrap().success());
}

#[test]
fn a_replaced_machine_takes_over_the_hosts_id() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    AgentHome::enrol(&programs, &collector, folder.path(), "app-1").unwrap();
    let id = |text: &str| {
        text.lines().find(|line| line.contains("app-1")).and_then(|l| l.split_whitespace().last().map(str::to_owned))
    };
    let (_, before, _) = muster(&programs, &collector, &["hosts", "list"]).unwrap();
    let word = token(&programs, &collector, &["--name", "app-1", "--replace"]).unwrap();
    let again = AgentHome { programs: programs.clone(), state: folder.path().join("again"), name: "app-1".to_owned() };
    let (code, _, error) = again.enrol_with(&collector.agents.to_string(), &word).unwrap();
    assert_eq!(code, 0, "{error}");
    let agent = again.start(&["metrics.interval=1s"]).unwrap();
    until("samples of the new machine", LIMIT, || collector.number("node_load1{host=\"app-1\"}", None)).unwrap();
    let (_, after, _) = muster(&programs, &collector, &["hosts", "list"]).unwrap();
    assert!(id(&before).is_some() && id(&before) == id(&after), "{before}{after}");
    assert!(agent.stop().unwrap().success());
}

#[test]
fn a_machine_that_waits_is_given_the_hosts_place() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    AgentHome::enrol(&programs, &collector, folder.path(), "mail-1").unwrap();
    let word = token(&programs, &collector, &["--pattern", "mail-*", "--uses", "5"]).unwrap();
    let second =
        AgentHome { programs: programs.clone(), state: folder.path().join("second"), name: "mail-1".to_owned() };
    let state = second.state.to_string_lossy().into_owned();
    let agents = collector.agents.to_string();
    let words = ["enrol", "--collector", &agents, "--token", &word, "--name", "mail-1", "--state", &state, "--no-wait"];
    let (code, _, error) = muster_tests::harness::agent::run(&programs, "muster-agent", &words).unwrap();
    assert!(code != 0 && error.contains("replace"), "exit {code}: {error}");
    let listed = || {
        let (_, text, _) = muster(&programs, &collector, &["-o", "json", "hosts", "list"]).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["hosts"].as_array().unwrap().clone()
    };
    let before = listed().into_iter().find(|host| host["state"] == "active").unwrap();

    let (code, text, error) = muster(&programs, &collector, &["-o", "csv", "hosts", "replace", "mail-1"]).unwrap();
    assert_eq!(code, 0, "{error}");
    assert!(text.starts_with("name,state,seen,") && text.lines().nth(1).unwrap().starts_with("mail-1,"), "{text}");
    let (code, _, error) = muster_tests::harness::agent::run(&programs, "muster-agent", &words).unwrap();
    assert_eq!(code, 0, "the machine is let in: {error}");
    let agent = second.start(&["metrics.interval=1s"]).unwrap();
    until("samples of the new machine", LIMIT, || collector.number("node_load1{host=\"mail-1\"}", None)).unwrap();
    let after = listed();
    assert!(after.len() == 1 && after[0]["id"] == before["id"], "{after:?}");
    assert!(agent.stop().unwrap().success());
}
