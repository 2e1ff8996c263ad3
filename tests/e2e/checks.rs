//! Results that other programs hand to the agent, up to PromQL.

use std::time::Duration;

use muster_tests::harness::agent::{AgentHome, run, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;

use super::LIMIT;

/// A collector, and a host that is enrolled and runs no agent yet.
fn begin(name: &str) -> (tempfile::TempDir, Options, Collector, AgentHome) {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(&programs, &folder.path().join("data"));
    let collector = Collector::start(&options).unwrap();
    (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
    let home = AgentHome::enrol(&programs, &collector, folder.path(), name).unwrap();
    (folder, options, collector, home)
}

fn handed(home: &AgentHome, words: &[&str]) -> (i32, String, String) {
    let state = home.state.to_string_lossy();
    let (command, rest) = words.split_first().unwrap();
    let folder = if *command == "push" { "--state-dir" } else { "--state" };
    let words: Vec<&str> = [*command, folder, &state].into_iter().chain(rest.iter().copied()).collect();
    run(&home.programs, "muster-agent", &words).unwrap()
}

/// How many samples there are of this in the last hour.
fn count(collector: &Collector, series: &str) -> f64 {
    collector.number(&format!("count_over_time({series}[1h])"), None).unwrap().unwrap_or(0.0)
}

#[test]
fn what_is_pushed_without_an_agent_arrives_once_after_its_start() {
    let (_folder, _, collector, home) = begin("push1");
    for state in ["OK", "2"] {
        let words =
            ["push", "raid", "--state", state, "--output", "sdb is gone", "--perfdata", "disks=1;2;1", "--ttl", "10m"];
        let (code, _, error) = handed(&home, &words);
        assert_eq!(code, 0, "{error}");
    }
    assert_eq!(std::fs::read_dir(home.state.join("handed")).unwrap().count(), 2, "durable, and nobody took them");
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    let state = "muster_check_state{host=\"push1\",check=\"raid\"}";
    until("both results", LIMIT, || Ok((count(&collector, state) >= 2.0).then_some(()))).unwrap();
    assert_eq!(collector.number(state, None).unwrap(), Some(2.0), "in their order");
    assert_eq!(collector.number("muster_check_perfdata{host=\"push1\",label=\"disks\"}", None).unwrap(), Some(1.0));
    until("an empty folder", LIMIT, || Ok((std::fs::read_dir(home.state.join("handed"))?.count() == 0).then_some(())))
        .unwrap();
    // Another life of the agent finds nothing to send again.
    agent.kill().unwrap();
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    handed(&home, &["push", "raid", "--state", "OK"]);
    until("the third", LIMIT, || Ok((count(&collector, state) >= 3.0).then_some(()))).unwrap();
    assert_eq!(count(&collector, state), 3.0);
    drop(agent);
}

#[test]
fn results_survive_kills_of_either_end_each_once() {
    let (_folder, options, collector, home) = begin("push2");
    let state = "muster_check_state{host=\"push2\"}";
    let mut agent = home.start(&["metrics.interval=1s"]).unwrap();
    let mut collector = collector;
    let mut told = 0.0;
    for round in 0..4 {
        for number in 0..5 {
            let (code, _, error) = handed(&home, &["push", &format!("c{round}-{number}"), "--state", "1"]);
            assert_eq!(code, 0, "{error}");
            told += 1.0;
        }
        if round % 2 == 0 {
            agent.kill().unwrap();
            agent = home.start(&["metrics.interval=1s"]).unwrap();
        } else {
            collector.kill().unwrap();
            collector = Collector::start(&options).unwrap();
        }
    }
    let sum = || anyhow::Ok(collector.number(&format!("sum(count_over_time({state}[1h]))"), None)?.unwrap_or(0.0));
    until("all results", LIMIT, || Ok((sum()? >= told).then_some(()))).unwrap();
    until("an empty folder", LIMIT, || Ok((std::fs::read_dir(home.state.join("handed"))?.count() == 0).then_some(())))
        .unwrap();
    assert_eq!(sum().unwrap(), told);
    drop(agent);
}

#[test]
fn exec_ends_with_the_commands_code_and_tells_how_it_went() {
    let (_folder, _, collector, home) = begin("exec1");
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    let words =
        ["exec", "backup", "--every", "24h", "--label", "team=db", "--", "sh", "-c", "echo on; echo of >&2; exit 3"];
    let (code, out, error) = handed(&home, &words);
    assert_eq!((code, out.as_str()), (3, "on\n"), "{error}");
    assert!(error.contains("of"), "{error}");
    let series = "muster_check_state{host=\"exec1\",check=\"backup\",team=\"db\"}";
    until("its result", Duration::from_secs(20), || Ok(collector.number(series, None)?.filter(|state| *state == 2.0)))
        .unwrap();
    let duration = "muster_check_perfdata{host=\"exec1\",check=\"backup\",label=\"duration\",unit=\"s\"}";
    assert!(collector.number(duration, None).unwrap().is_some_and(|seconds| seconds < 60.0));
    let (code, _, error) = handed(&home, &["push", "raid", "--state", "broken"]);
    assert!(code == 2 && error.contains("UNKNOWN"), "{code} {error}");
    drop(agent);
}
