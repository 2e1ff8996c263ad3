//! An older copy of the data folder put back: agents go on, nothing is counted twice, and what is gone is named.

use std::process::Command;

use muster_common::time::now;
use muster_tests::harness::agent::{AgentHome, muster, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;
use muster_tests::kill;

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
    // Enough that their loss is a hole.
    until("more samples", LIMIT, || Ok(collector.number(count, None)?.filter(|count| *count >= 10.0))).unwrap();
    assert!(collector.stop().unwrap().success());
    let stopped_ms = now().millis() as f64;
    // Away for as long as a sample takes at least.
    until("a sample to be held", LIMIT, || Ok((now().millis() as f64 > stopped_ms + 2_500.0).then_some(()))).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    copy("older", "data");
    std::fs::write(data.join("restored"), "").unwrap();

    let collector = Collector::start(&options).unwrap();
    assert!(!data.join("restored").exists(), "the mark of a restore is used up");
    let age = "time() - timestamp(node_load1{host=\"kept\"})";
    until("fresh samples", LIMIT, || Ok(collector.number(age, None)?.filter(|age| *age < 3.0))).unwrap();
    let restored = collector.get("/api/muster/v1/status").unwrap().json().unwrap()["restored"].clone();
    let [from_ms, to_ms] = ["from_ms", "to_ms"].map(|key| restored[key].as_f64().unwrap());
    assert!(restored["why"] == "restored" && from_ms < to_ms, "{restored}");
    let events = collector.get("/api/muster/v1/events").unwrap().json().unwrap();
    let kinds: Vec<_> =
        events["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "store_restored").count(), 1, "{kinds:?}");
    let (code, page, _) = muster(&programs, &collector, &["status"]).unwrap();
    assert!(code == 0 && page.contains("restored   what was acknowledged between"), "{page}");
    // Samples come every second. Only what was acknowledged after the copy is gone, and that lies in the time that is named: what the
    // agent held while the collector was away is here.
    let times = times_ms(&collector);
    let holes: Vec<_> = times.windows(2).filter(|pair| pair[1] - pair[0] > 2_500.0).collect();
    assert_eq!(holes.len(), 1, "{times:?}");
    assert!(holes[0][0] >= from_ms - 2_500.0 && holes[0][1] <= stopped_ms + 2_500.0, "{holes:?} {restored}");
    let held = times.iter().filter(|at| (stopped_ms..to_ms).contains(*at)).count();
    assert!(held > 0, "{times:?} between {stopped_ms} and {to_ms}");
    drop(agent);
    assert!(collector.stop().unwrap().success());
    let (raw, distinct) = kill::stored_samples(&data, "kept").unwrap();
    assert!(raw == distinct && raw > 0, "{raw} samples are stored, {distinct} answered");
}

/// The times of one series' samples, milliseconds.
fn times_ms(collector: &Collector) -> Vec<f64> {
    let rows = collector.query("node_load1{host=\"kept\"}[10m]", None).unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0]["values"].as_array().unwrap().iter().map(|pair| pair[0].as_f64().unwrap() * 1_000.0).collect()
}
