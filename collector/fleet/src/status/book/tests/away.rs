//! Hosts that are away: what they said of it.

use muster_common::check::CheckState::{Critical as C, Ok as O};
use muster_common::wire::message::CheckDefinition;

use super::{Expected, Goodbye, Story, definition, id, ms, result};

fn expect(story: &mut Story, host: u8, goodbye: Goodbye, until: i64) {
    story.book.expect_absence(id(host), Expected { goodbye, until_ms: ms(until) });
}

/// The collector is started anew, by what lies on disk.
fn restart(story: &mut Story) {
    story.book = story.rows.load(&story.hosts);
}

#[test]
fn what_a_goodbye_said_is_kept_over_a_restart() {
    let mut story = Story::new();
    story.result(0, "disk", O, 10);
    expect(&mut story, 1, Goodbye::Upgrade, 140);
    assert_eq!(story.tick(21), [""; 0]);
    restart(&mut story);
    assert_eq!(story.book.expected(id(1)), Some(Expected { goodbye: Goodbye::Upgrade, until_ms: ms(140) }));
    assert_eq!(story.tick(30), [""; 0]);
    assert_eq!(story.result(0, "disk", C, 31), ["1/disk disk critical expected_absence:web1"]);
    restart(&mut story);
    story.book.expect_no_absence(id(1));
    assert_eq!(story.settle(50), ["1/disk disk critical"]);
    restart(&mut story);
    assert_eq!(story.book.expected(id(1)), None);
}

#[test]
fn nothing_is_stale_for_being_away_as_expected() {
    let check = |seconds| result("disk", O, seconds, CheckDefinition { ttl_ms: 30_000, ..definition(1) });
    let (mut back, mut late) = (Story::new(), Story::new());
    for story in [&mut back, &mut late] {
        story.report(0, &check(300), 300);
        expect(story, 1, Goodbye::Restart, 425);
        assert_eq!(story.tick(420), [""; 0]);
    }
    back.book.expect_no_absence(id(1));
    assert_eq!(
        (back.tick(421), back.tick(540)),
        (vec![], vec![]),
        "what waited in its spool has two minutes to arrive"
    );
    assert_eq!(back.tick(541), ["1/disk disk unknown"]);
    assert_eq!((late.tick(544), late.tick(545)), (vec![], vec!["1/disk disk unknown".to_owned()]));
}
