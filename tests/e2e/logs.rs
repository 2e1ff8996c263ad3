//! From a line in a file to LogQL, over rotation, crash and loss: short forms of the cases that `cargo xtask figures` runs whole.

use std::time::Duration;

use muster_tests::harness::programs;
use muster_tests::tail::{self, Case, Fault, Plan, Rotate};

fn check(name: &'static str, plan: Plan, fault: Fault) {
    let folder = tempfile::tempdir().unwrap();
    let case = Case { name, plan, fault, lost_ppm_max: 0 };
    let report = tail::run(&programs::folder(), folder.path(), &case).unwrap();
    assert!(report.is_kept(&case), "{name}: {report}");
    assert_eq!(report.counts.received, report.written, "{name}");
}

/// Some seconds of lines with a rotation every half second.
fn plan(rotate: Rotate) -> Plan {
    Plan { lines: 6_000, rate: 2_000, rotate, rotate_every: Duration::from_millis(500), keep: 30, ..Plan::default() }
}

#[test]
fn lines_of_renamed_files_arrive_once_and_in_order() {
    check("rename", Plan { late_lines: 20, ..plan(Rotate::Rename) }, Fault::None);
}

#[test]
fn files_rotated_while_the_agent_was_killed_are_found_and_read() {
    let (at, down) = (Duration::from_millis(800), Duration::from_millis(1_500));
    check("crash-rotate", plan(Rotate::Rename), Fault::Agent { signal: "KILL", at, down });
}

#[test]
fn a_wiped_state_folder_and_a_killed_collector_lose_and_double_nothing() {
    let (at, down) = (Duration::from_millis(800), Duration::from_millis(1_000));
    check("wiped", plan(Rotate::Rename), Fault::WipedState { at, down });
    check("collector-away", plan(Rotate::Rename), Fault::Collector { at, down });
}

#[test]
fn links_that_are_swapped_and_files_that_are_cut_after_a_quiet_moment_are_followed() {
    check("symlink", plan(Rotate::Symlink), Fault::None);
    let quiet = Duration::from_millis(500);
    let slow = Plan { quiet, rotate_every: Duration::from_millis(1_500), ..plan(Rotate::CopyTruncate) };
    check("copytruncate-quiet", slow, Fault::None);
}

#[test]
fn kills_of_either_end_under_load_lose_and_double_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let report = tail::under_kills(&programs::folder(), folder.path(), 4, 7, true).unwrap();
    let counts = report.counts;
    assert_eq!((counts.lost, counts.doubled, counts.reordered, counts.damaged), (0, 0, 0, 0), "{report}");
    assert!(counts.received > 1_000, "{report}");
}
