//! The simulator of alerting in its short form; `muster-trial sim-alert` runs more seeds.

use muster_tests::sim_alert::{Bug, big, catch, many};

#[test]
fn five_hundred_worlds_of_alerting_keep_every_promise() {
    let found = many(0, 500, 2);
    let first: Vec<String> =
        found.violations.iter().take(5).map(|(seed, what)| format!("seed {seed}: {}", what.0)).collect();
    assert!(first.is_empty(), "{} worlds broke a promise:\n{}", found.violations.len(), first.join("\n"));
    let report = found.report;
    assert!(report.letters > 15_000 && report.repeats > 200, "worlds are too tame: {report:?}");
    assert!(report.crashes > 500 && report.restarts > 60, "worlds are too tame: {report:?}");
}

#[test]
fn every_bug_planted_in_alerting_is_caught() {
    for (name, bug) in Bug::all() {
        assert!(catch(bug, 200).is_some(), "{name} is not caught within 200 seeds");
    }
}

const TEN_MINUTES_MS: i64 = 600_000;

#[test]
fn an_upgrade_of_500_agents_with_a_restart_of_the_collector_is_told_nobody() {
    assert_eq!(big::upgrade(500).unwrap(), big::Letters::new());
}

#[test]
fn a_parent_of_100_checks_is_told_twice_and_they_are_not() {
    for is_host in [false, true] {
        let letters = big::parent(100, is_host).unwrap();
        let counts: Vec<_> = letters.iter().map(|(to, times)| (to.as_str(), times.len())).collect();
        let ops = [("boss@example.org", 2), ("ops@example.org", 2)];
        let expected: Vec<_> = ops.into_iter().chain((!is_host).then_some(("team@example.org", 2))).collect();
        assert_eq!(counts, expected, "the parent is a host: {is_host}");
    }
}

#[test]
fn hosts_that_are_silent_at_once_are_told_in_three_letters_and_their_return_too() {
    for more in [0, 3] {
        let (letters, back_ms) = big::silence(500, more).unwrap();
        assert_eq!(letters.len(), 2, "ops and boss: {letters:?}");
        let went = big::most_within(&letters, big::BEGIN_MS, TEN_MINUTES_MS);
        let came = big::most_within(&letters, back_ms, TEN_MINUTES_MS);
        assert!((1..=3).contains(&went) && (1..=3).contains(&came), "{went} and {came}, {more} stay: {letters:?}");
    }
}
