//! An older copy of the data folder put back: agents go on, and nothing is counted twice.

use std::process::Command;

use muster_tests::harness::agent::{AgentHome, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;

use super::LIMIT;

#[test]
fn agents_go_on_with_a_collector_that_was_put_back() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut options = Options::new(&programs, &data);
    let collector = Collector::start(&options).unwrap();
    (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "kept").unwrap();
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    let count = "count_over_time(node_load1{host=\"kept\"}[10m])";
    until("samples", LIMIT, || Ok(collector.number(count, None)?.filter(|count| *count >= 2.0))).unwrap();
    assert!(collector.stop().unwrap().success());
    let copy = |from: &str, to: &str| {
        let status = Command::new("cp").args(["-a", from, to]).current_dir(folder.path()).status().unwrap();
        assert!(status.success(), "cp -a {from} {to}");
    };
    copy("data", "older");

    let collector = Collector::start(&options).unwrap();
    until("more samples", LIMIT, || Ok(collector.number(count, None)?.filter(|count| *count >= 6.0))).unwrap();
    assert!(collector.stop().unwrap().success());
    std::fs::remove_dir_all(&data).unwrap();
    copy("older", "data");
    std::fs::write(data.join("restored"), "").unwrap();

    let collector = Collector::start(&options).unwrap();
    assert!(!data.join("restored").exists(), "the mark of a restore is used up");
    let age = "time() - timestamp(node_load1{host=\"kept\"})";
    until("fresh samples", LIMIT, || Ok(collector.number(age, None)?.filter(|age| *age < 3.0))).unwrap();
    drop(agent);
    assert!(collector.stop().unwrap().success());
}
