//! The simulator's short form; `cargo xtask figures` runs 50,000 seeds.

mod alerts;

use muster_tests::sim::{Bug, Report, catch, many};

#[test]
fn two_thousand_worlds_keep_every_promise() {
    let found = many(0, 2_000, None, 2);
    let first: Vec<String> =
        found.violations.iter().take(5).map(|(seed, what)| format!("seed {seed}: {what}")).collect();
    assert!(first.is_empty(), "{} worlds broke a promise:\n{}", found.violations.len(), first.join("\n"));
    assert!(found.report.rows > 50_000 && found.report.crashes > 5_000, "worlds are too tame: {:?}", found.report);
    assert!(found.report.from_snapshots > 100, "too few restores are of snapshots: {:?}", found.report);
    assert!(found.report.restores > 100 && found.report.inboxes_lost > 50, "worlds are too tame: {:?}", found.report);
    let Report { lines, wipes, deletes, .. } = found.report;
    assert!(lines > 200_000 && wipes > 300 && deletes > 200, "worlds are too tame: {:?}", found.report);
    assert!(found.report.reports > 50_000, "worlds are too tame: {:?}", found.report);
    assert!(found.report.gaps > 500, "nothing is lost that could be named: {:?}", found.report);
}

#[test]
fn every_planted_bug_is_caught() {
    for (name, bug) in Bug::all() {
        assert!(catch(bug, 200).is_some(), "{name} is not caught within 200 seeds");
    }
}
