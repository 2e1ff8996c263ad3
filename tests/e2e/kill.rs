//! kill -9 of the collector at system calls that matter: the short form of what `cargo xtask figures` does at length.

use muster_tests::harness::programs;
use muster_tests::kill;

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_write() {
    let folder = tempfile::tempdir().unwrap();
    let report = kill::at_points(&programs::folder(), folder.path(), 4).unwrap();
    assert_eq!((report.lost, report.doubled, report.answers_changed), (0, 0, 0), "{report:?}");
    assert!(report.hits >= 4, "{report:?}");
}

#[test]
fn what_was_visible_survives_a_kill_of_either_end() {
    let folder = tempfile::tempdir().unwrap();
    let report = kill::at_moments(&programs::folder(), folder.path(), 3, 7).unwrap();
    assert_eq!((report.lost, report.doubled, report.answers_changed), (0, 0, 0), "{report:?}");
}
