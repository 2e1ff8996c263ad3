//! The example of a task with a real service: a roll-out restarts each nginx behind haproxy, and nobody who uses the site sees it.

use muster_tests::harness::{programs, tasks};
use muster_tests::without_outage;

#[test]
fn a_service_is_restarted_server_by_server_and_no_request_fails() {
    let is_root = tasks::is_root().unwrap();
    assert!(is_root, "run the tests as root: mounts of its own let two hosts of one machine have each their files");
    let told = without_outage::run(&programs::folder(), 10_000).unwrap();
    let seen = &told.seen;
    assert_eq!(seen.failed, 0, "{:?}", seen.problems);
    assert!(seen.kept + seen.fresh >= 10_000 && seen.kept >= 1_000 && seen.fresh >= 1_000, "{told:?}");
    // Both releases served people, each server really was away, and never both.
    assert!(["1.0", "2.0"].iter().all(|release| seen.releases.contains_key(*release)), "{told:?}");
    assert!(!seen.releases.contains_key("?"), "the bad release served nobody: {told:?}");
    assert_eq!(told.stops, [3, 1], "one for the good release each, one for the bad and one back: {told:?}");
    assert!(told.refused.iter().all(|refused| *refused > 0) && told.none_there == 0, "{told:?}");
    // The bad one stopped at the first server and was taken back there.
    assert_eq!((told.bad.as_str(), told.at_last), ("rolled_back", vec!["2.0".to_owned(); 2]));
    let waves = ["task 1 wave 1", "task 1 wave 2"].map(|name| (name.to_owned(), true));
    assert_eq!(told.maintenances, waves, "one for each wave, finished with it");
    assert!(told.without_task > 0, "a stop without the task fails requests");
}
