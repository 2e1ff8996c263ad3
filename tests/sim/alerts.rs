//! The simulator of alerting in its short form; `muster-trial sim-alert` runs more seeds.

use muster_tests::sim_alert::{Bug, catch, many};

#[test]
fn five_hundred_worlds_of_alerting_keep_every_promise() {
    let found = many(0, 500, 2);
    let first: Vec<String> =
        found.violations.iter().take(5).map(|(seed, what)| format!("seed {seed}: {}", what.0)).collect();
    assert!(first.is_empty(), "{} worlds broke a promise:\n{}", found.violations.len(), first.join("\n"));
    let report = found.report;
    assert!(report.letters > 20_000 && report.repeats > 400, "worlds are too tame: {report:?}");
    assert!(report.crashes > 1_000 && report.restarts > 100, "worlds are too tame: {report:?}");
}

#[test]
fn every_bug_planted_in_alerting_is_caught() {
    for (name, bug) in Bug::all() {
        assert!(catch(bug, 200).is_some(), "{name} is not caught within 200 seeds");
    }
}
