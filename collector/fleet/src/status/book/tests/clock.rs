//! Clocks of hosts that are off.

use muster_common::check::CheckState::{Critical as C, Ok as O, Warning as W};

use super::{Story, at, definition, id, ms, result};

/// The clock of `web1` is so far ahead; what was told.
fn measured(story: &mut Story, seconds: i64, ahead: i64) -> Vec<String> {
    story.book.measured_clock(id(1), at(seconds + ahead), at(seconds));
    story.settle(seconds)
}

#[test]
fn a_clock_that_is_off_twice_is_a_problem_beside_the_hosts_others() {
    let mut story = Story::new();
    story.result(0, "disk", C, 5);
    assert_eq!(measured(&mut story, 10, 4), [""; 0]);
    assert!(story.book.view(id(1), "HostClockSkewed").is_none(), "of a clock that is right nothing is kept");
    for (seconds, ahead, told) in [
        (20, 7, &[][..]),
        // One frame that waited on its way.
        (620, 0, &[]),
        (1_220, -9, &[]),
        (1_820, -9, &["1/HostClockSkewed HostClockSkewed warning"]),
        (2_420, -3, &[]),
        (3_020, 2, &[]),
        (3_620, 1, &["1/HostClockSkewed ended Recovered"]),
        (4_220, 4, &[]),
    ] {
        assert_eq!(measured(&mut story, seconds, ahead), told, "{seconds}");
        story.book = story.rows.load(&story.hosts);
    }
    let view = story.book.view(id(1), "HostClockSkewed").unwrap();
    assert_eq!(
        (view.state, view.output.as_str(), view.at_ms),
        (O, "its clock is 4.0 s ahead of the collector's", ms(4_220))
    );
    assert_eq!(story.result(0, "disk", W, 5_000), ["1/disk disk warning"]);
}

#[test]
fn what_is_known_of_a_clock_is_held_while_its_host_is_away_and_never_stale() {
    let mut story = Story::new();
    measured(&mut story, 10, 60);
    assert_eq!(measured(&mut story, 20, 60), ["1/HostClockSkewed HostClockSkewed warning"]);
    story.away(0, Some(100), false);
    let clock = "1/HostClockSkewed HostClockSkewed warning host_absent:HostSilent";
    assert_eq!(story.tick(100), ["host 1 HostSilent critical", clock]);
    story.away(0, None, false);
    assert_eq!(story.tick(200), ["host 1 ended Recovered", "1/HostClockSkewed HostClockSkewed warning"]);
    assert_eq!(story.tick(100_000), [""; 0]);
}

#[test]
fn no_agent_says_how_its_clock_stands_and_no_stranger_has_one() {
    let mut story = Story::new();
    measured(&mut story, 10, 60);
    assert_eq!(story.report(0, &result("HostClockSkewed", O, 15, definition(1)), 15), [""; 0]);
    assert_eq!(story.book.refused, 1);
    assert_eq!(measured(&mut story, 20, 60).len(), 1);
    for seconds in [30, 40] {
        story.book.measured_clock(id(9), at(seconds + 60), at(seconds));
    }
    assert_eq!((story.settle(40), story.book.view(id(9), "HostClockSkewed")), (vec![], None));
}
