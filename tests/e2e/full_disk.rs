//! A collector whose disk is full: it says so, gives up its reserve, acknowledges nothing that is not durable, and is well again with room.

use muster_tests::harness::agent::{AgentHome, muster, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;
use serde_json::Value;

use super::LIMIT;

/// The reserve, room to take it again, and some more: memory is used only for what is written.
const DISK_BYTES: u64 = 1 << 30;

fn status(collector: &Collector) -> Value {
    collector.get("/api/muster/v1/status").unwrap().json().unwrap()
}

fn problems(collector: &Collector) -> Vec<String> {
    let status = status(collector);
    let all = status["collector"]["problems"].as_array().unwrap();
    all.iter().map(|problem| problem["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_full_disk_is_told_costs_nothing_and_is_over_when_there_is_room() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let options = Options { disk_bytes: Some(DISK_BYTES), ..Options::new(&programs, &data) };
    let collector = Collector::start(&options).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "full").unwrap();
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    let newest = "timestamp(node_load1{host=\"full\"})";
    until("a sample", LIMIT, || collector.number(newest, None)).unwrap();
    assert_eq!(problems(&collector), [""; 0]);

    collector.resize_disk(&data, None).unwrap();
    // A flush needs new files.
    let _ = collector.request("POST", "/-/flush", b"").unwrap();
    let mut log = Vec::new();
    until("the reserve to be given up", LIMIT, || {
        log.extend(collector.log());
        Ok(log.iter().any(|line| line.contains("the disk is full: gave up")).then_some(()))
    })
    .unwrap();
    // The room that it gave is taken as well.
    collector.resize_disk(&data, None).unwrap();
    let told = until("commits to fail", LIMIT, || {
        let _ = collector.request("POST", "/-/flush", b"")?;
        let told = problems(&collector);
        Ok(told.iter().any(|problem| problem.contains("nothing is acknowledged")).then_some(told))
    })
    .unwrap();
    assert!(told.iter().any(|problem| problem.contains("MiB are free")), "{told:?}");
    assert_eq!(collector.request("GET", "/-/ready", b"").unwrap().status, 503);
    let (code, page, _) = muster(&programs, &collector, &["status"]).unwrap();
    assert!(code == 1 && page.contains("NOT WELL") && page.contains("free room"), "{page}");
    let before = collector.number(newest, None).unwrap().unwrap();

    collector.resize_disk(&data, Some(DISK_BYTES)).unwrap();
    until("all to be well", LIMIT, || Ok(problems(&collector).is_empty().then_some(()))).unwrap();
    until("samples again", LIMIT, || Ok(collector.number(newest, None)?.filter(|newest| *newest > before + 2.0)))
        .unwrap();
    // What was made meanwhile was held by the agent: nothing is missing and nothing given up.
    until("what was held", LIMIT, || {
        let rows = collector.query("node_load1{host=\"full\"}[10m]", None)?;
        let times = rows[0]["values"].as_array().unwrap();
        let holes = times.windows(2).any(|pair| pair[1][0].as_f64() > pair[0][0].as_f64().map(|at| at + 2.5));
        Ok((!holes).then_some(()))
    })
    .unwrap();
    drop(agent);
    assert!(collector.stop().unwrap().success());
}
