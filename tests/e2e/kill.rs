//! kill -9 of the collector at system calls that matter: the short form of what `cargo xtask figures` does at length.

use std::time::Duration;

use muster_tests::harness::agent::{AgentHome, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;
use muster_tests::kill;

use super::LIMIT;

/// From start to ready after a kill, as `cargo xtask figures` judges it.
const RETURN_MAX: Duration = Duration::from_secs(10);

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_write() {
    let folder = tempfile::tempdir().unwrap();
    let report = kill::at_points(&programs::folder(), folder.path(), 4).unwrap();
    assert_eq!((report.lost, report.doubled, report.answers_changed), (0, 0, 0), "{report:?}");
    assert!(report.hits >= 4, "{report:?}");
    assert!(report.slowest_return > Duration::ZERO && report.slowest_return < RETURN_MAX, "{report:?}");
}

#[test]
fn what_was_visible_survives_a_kill_of_either_end() {
    let folder = tempfile::tempdir().unwrap();
    let report = kill::at_moments(&programs::folder(), folder.path(), 3, 7).unwrap();
    assert_eq!((report.lost, report.doubled, report.answers_changed), (0, 0, 0), "{report:?}");
    assert!(report.slowest_return < RETURN_MAX, "{report:?}");
}

#[test]
fn an_agent_learns_of_a_killed_collector_before_its_connection_times_out() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(&programs, &folder.path().join("data"));
    let collector = Collector::start(&options).unwrap();
    (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "reset").unwrap();
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    let newest = "timestamp(node_load1{host=\"reset\"})";
    let before = until("a sample", LIMIT, || collector.number(newest, None)).unwrap();
    collector.kill().unwrap();
    let collector = Collector::start(&options).unwrap();
    // The idle timeout is 60 s: only the reset of its connection tells the agent sooner.
    until("samples after the kill", Duration::from_secs(30), || {
        Ok(collector.number(newest, None)?.filter(|newest| *newest > before + 1.0))
    })
    .unwrap();
    drop(agent);
}
