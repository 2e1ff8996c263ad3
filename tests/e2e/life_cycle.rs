//! Hosts approved, renamed, replaced and retired through `muster`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use muster_common::wire::message::GoodbyeReason;
use muster_tests::harness::agent::{AgentHome, muster, run, token, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::mailbox::Mailbox;
use muster_tests::harness::programs;
use muster_tests::load::wire::{self, Load};

use super::LIMIT;
use super::alerts::alerting;

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

/// States of the hosts whose names begin so, as the API tells them.
fn states(collector: &Collector, prefix: &str) -> Vec<String> {
    let listed = collector.get("/api/muster/v1/hosts?all=true").unwrap().json().unwrap();
    let hosts = listed["hosts"].as_array().unwrap_or_else(|| panic!("{listed}")).iter();
    let named = hosts.filter(|host| host["name"].as_str().is_some_and(|name| name.starts_with(prefix)));
    named.map(|host| host["state"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_copied_machine_is_set_aside_and_the_first_goes_on() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "golden").unwrap();
    let _first = home.start(&["metrics.interval=1s"]).unwrap();
    until("samples", LIMIT, || collector.number("node_load1{host=\"golden\"}", None)).unwrap();
    let copy = AgentHome { programs: programs.clone(), state: folder.path().join("copy"), name: "golden".to_owned() };
    let copied = Command::new("cp").arg("-a").args([&home.state, &copy.state]).status().unwrap();
    assert!(copied.success());

    let second = copy.start(&["metrics.interval=1s"]).unwrap();
    // Both come back half a minute after the other took over, and the second return tells that there are two.
    until("the copy to be set aside", 3 * LIMIT, || {
        Ok(states(&collector, "golden").contains(&"quarantined".to_owned()).then_some(()))
    })
    .unwrap();
    until("its word on it", LIMIT, || Ok(second.log().contains("set aside").then_some(()))).unwrap();
    let count = || collector.number("count_over_time(node_load1{host=\"golden\"}[1h])", None);
    let before = count().unwrap().unwrap_or_default();
    until("the first to go on", LIMIT, || Ok(count()?.filter(|now| *now >= before + 3.0))).unwrap();
}

#[test]
fn a_relabelled_host_with_an_open_problem_is_no_news() {
    let programs = programs::folder();
    let (folder, mailbox) = (tempfile::tempdir().unwrap(), Mailbox::start(None).unwrap());
    let mut options = Options::new(&programs, &folder.path().join("data"));
    options.arguments = vec!["--alerting".to_owned(), alerting(folder.path(), &mailbox)];
    let collector = Collector::start(&options).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "web-1").unwrap();
    let _agent = home.start(&["metrics.interval=1s"]).unwrap();
    push(&home, "raid", "CRITICAL");
    mailbox.wait(1, LIMIT).unwrap();
    let (code, _, error) = muster(&programs, &collector, &["hosts", "label", "web-1", "env=prod"]).unwrap();
    assert_eq!(code, 0, "{error}");
    let (code, _, error) = muster(&programs, &collector, &["hosts", "rename", "web-1", "web-2"]).unwrap();
    assert_eq!(code, 0, "{error}");
    until("the new labels", LIMIT, || collector.number("node_load1{host=\"web-2\",env=\"prod\"}", None)).unwrap();
    push(&home, "other", "CRITICAL");
    let mails = mailbox.wait(2, LIMIT).unwrap();
    assert!(mails[1].text().contains("other") && !mails[1].text().contains("raid"), "{}", mails[1].text());
    push(&home, "raid", "OK");
    let mails = mailbox.wait(3, LIMIT).unwrap();
    let thread = mails[0].header("message-id").unwrap();
    assert!(mails[2].header("references").is_some_and(|ids| ids.contains(&thread)), "{}", mails[2].text());
}

fn push(home: &AgentHome, check: &str, state: &str) {
    let folder = home.state.to_string_lossy();
    let words = ["push", "--state-dir", &folder, check, "--state", state, "--output", "by hand"];
    let (code, _, error) = run(&home.programs, "muster-agent", &words).unwrap();
    assert_eq!(code, 0, "{error}");
}

/// A hundred hosts of a group that is scaled, by a token that lets them go by themselves.
fn ephemeral(programs: &Path, collector: &Collector, runtime: &tokio::runtime::Runtime) -> Vec<wire::Host> {
    let word = token(programs, collector, &["--pattern", "node-*", "--uses", "100", "--ephemeral", "6h"]).unwrap();
    let load = Load {
        target: collector.agents,
        word,
        seed: 1,
        hosts: 100,
        ticks: 0,
        start_ms: 0,
        window: 1,
        pause: Duration::ZERO,
        reconnects: 0,
    };
    runtime.block_on(wire::enrol(&load)).unwrap()
}

#[test]
fn a_hundred_ephemeral_hosts_are_no_mail_when_scaled_in_and_one_when_killed() {
    let programs = programs::folder();
    let (folder, mailbox) = (tempfile::tempdir().unwrap(), Mailbox::start(None).unwrap());
    let mut options = Options::new(&programs, &folder.path().join("data"));
    let silent = ["--set", "agents.silent_after=10s"].map(str::to_owned);
    options.arguments =
        ["--alerting".to_owned(), alerting(folder.path(), &mailbox)].into_iter().chain(silent).collect();
    let collector = Collector::start(&options).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "stays").unwrap();
    let _agent = home.start(&["metrics.interval=1s"]).unwrap();
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();

    let scaled = runtime();
    let hosts = ephemeral(&programs, &collector, &scaled);
    let crowd = scaled.block_on(wire::connect(collector.agents, &hosts)).unwrap();
    scaled.block_on(crowd.say_goodbye(GoodbyeReason::Shutdown)).unwrap();
    let retired = |count| {
        let states = states(&collector, "node-");
        Ok((states.iter().filter(|state| *state == "retired").count() == count).then_some(()))
    };
    until("a hundred retired hosts", LIMIT, || retired(100)).unwrap();
    push(&home, "first", "CRITICAL");
    let mails = mailbox.wait(1, LIMIT).unwrap();
    assert!(mails[0].text().contains("first"), "hosts that were scaled in are told: {}", mails[0].text());

    let killed = runtime();
    let hosts = ephemeral(&programs, &collector, &killed);
    let crowd = killed.block_on(wire::connect(collector.agents, &hosts)).unwrap();
    // Without a word, as a machine dies: whoever drives the connections is no more.
    killed.shutdown_background();
    let mails = mailbox.wait(2, 3 * LIMIT).unwrap();
    let text = mails[1].text();
    assert!(text.contains("HostSilent") && text.contains("100"), "{text}");
    drop(crowd);
    push(&home, "second", "CRITICAL");
    let mails = mailbox.wait(3, LIMIT).unwrap();
    assert!(mails[2].text().contains("second"), "the killed are told once: {}", mails[2].text());
}
