//! Hosts that are away: what they said of it, and whether a host through which they are reached is away too.

use muster_common::check::CheckState::{Critical as C, Ok as O};
use muster_common::wire::message::CheckDefinition;

use super::{
    AbsentNow, Away, Expected, Goodbye, HostNow, StatusChange, Story, Subject, at, definition, id, ms, result,
};

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

fn away(story: &mut Story, host: usize, seconds: i64, why: Away) {
    story.hosts[host].absent = Some(AbsentNow { since_ms: ms(seconds), why });
}

#[test]
fn a_host_that_boots_is_held_until_its_time_and_then_told_as_silent() {
    for is_late in [false, true] {
        let mut story = Story::new();
        story.result(0, "disk", C, 10);
        expect(&mut story, 1, Goodbye::Reboot, 700);
        away(&mut story, 0, 105, Away::Rebooting);
        let disk = "1/disk disk critical host_absent:HostRebooting expected_absence:web1";
        assert_eq!(story.tick(105), ["host 1 HostRebooting warning expected_absence:web1", disk]);
        restart(&mut story);
        assert_eq!((story.tick(200), story.tick(699)), (vec![], vec![]));
        if is_late {
            let told = ["host 1 HostSilent critical", "1/disk disk critical host_absent:HostSilent"];
            assert_eq!(story.tick(700), told);
            // Ingest finds it out a look later.
            away(&mut story, 0, 105, Away::Silent);
            assert_eq!(story.tick(710), [""; 0]);
            continue;
        }
        // It is heard; that it is back is told half a minute later, which may be after its time.
        story.book.expect_no_absence(id(1));
        let disk = "1/disk disk critical host_absent:HostRebooting";
        assert_eq!(story.tick(700), ["host 1 HostRebooting warning expected_absence:web1", disk]);
        story.away(0, None, false);
        assert_eq!(story.tick(730), ["host 1 ended Recovered", "1/disk disk critical"]);
    }
}

#[test]
fn a_collector_that_has_just_started_gives_a_host_that_boots_its_time() {
    let mut story = Story::new();
    expect(&mut story, 1, Goodbye::Reboot, 700);
    away(&mut story, 0, 105, Away::Rebooting);
    assert_eq!(story.tick(105), ["host 1 HostRebooting warning expected_absence:web1"]);
    restart(&mut story);
    assert_eq!(story.tick(900), ["host 1 HostRebooting warning expected_absence:web1"], "held as before, and longer");
    assert_eq!((story.tick(1_019), story.tick(1_020)), (vec![], vec!["host 1 HostSilent critical".to_owned()]));
}

/// `web1` and `web2` behind `gw`.
fn behind_a_gateway() -> Story {
    let mut story = Story::new();
    for host in &mut story.hosts[..2] {
        host.labels.insert("parent".to_owned(), " other, GW".to_owned());
    }
    assert_eq!(story.tick(1), [""; 0]);
    story
}

const UNREACHABLE: [&str; 2] =
    ["host 1 HostUnreachable critical parent_down:GW", "host 2 HostUnreachable critical parent_down:GW"];

#[test]
fn children_of_a_silent_host_are_unreachable_until_two_minutes_after_its_return() {
    let mut story = behind_a_gateway();
    story.hosts.push(HostNow { id: id(4), name: "here".into(), ..story.hosts[2].clone() });
    story.result(0, "disk", C, 10);
    // A child is found to be silent before its parent is.
    story.away(0, Some(60), false);
    let disk = "1/disk disk critical host_absent:HostSilent";
    assert_eq!(story.tick(60), ["host 1 HostSilent critical parent_down:GW", disk]);
    for host in [1, 2] {
        story.away(host, Some(75), false);
    }
    let disk = "1/disk disk critical host_absent:HostUnreachable";
    assert_eq!(story.tick(75), [UNREACHABLE[0], disk, UNREACHABLE[1], "host 3 HostSilent critical"]);
    assert_eq!(story.tick(900), [""; 0]);
    story.away(2, None, false);
    // Held as before, now with an end.
    assert_eq!(story.tick(1_000), [UNREACHABLE[0], UNREACHABLE[1], "host 3 ended Recovered"]);
    restart(&mut story);
    story.away(0, None, false);
    assert_eq!(story.tick(1_030), ["host 1 ended Recovered", "1/disk disk critical"]);
    assert_eq!((story.tick(1_119), story.tick(1_120)), (vec![], vec!["host 2 HostSilent critical".to_owned()]));
}

#[test]
fn a_parent_that_is_up_stopped_or_away_since_later_is_no_reason() {
    let mut story = behind_a_gateway();
    story.hosts.push(HostNow { id: id(4), name: "here".into(), ..story.hosts[2].clone() });
    story.away(0, Some(60), false);
    assert_eq!(story.tick(60), ["host 1 HostSilent critical parent_down:GW"], "it may yet be silent as well");
    assert_eq!((story.tick(104), story.tick(105)), (vec![], vec!["host 1 HostSilent critical".to_owned()]));
    // The agent of a gateway that stops forwards no packet less.
    away(&mut story, 2, 110, Away::Stopped);
    assert_eq!(story.tick(110), ["host 3 HostStopped warning"]);
    away(&mut story, 2, 500, Away::Rebooting);
    expect(&mut story, 3, Goodbye::Reboot, 1_100);
    story.away(1, Some(530), false);
    assert_eq!(story.tick(530), [UNREACHABLE[1], "host 3 HostRebooting warning expected_absence:gw"]);
}

#[test]
fn hosts_that_are_reached_through_each_other_say_nothing_of_each_other() {
    let mut story = behind_a_gateway();
    story.hosts.push(HostNow { id: id(4), name: "here".into(), ..story.hosts[2].clone() });
    story.hosts[2].labels.insert("parent".to_owned(), "web1, gw".to_owned());
    for host in 0..3 {
        story.away(host, Some(60), false);
    }
    // `web2` is reached through the circle and is no part of it.
    let told = ["host 1 HostSilent critical", UNREACHABLE[1], "host 3 HostSilent critical"];
    assert_eq!(story.tick(60), told);
}

#[test]
fn a_gateway_with_a_hundred_children_is_one_problem_and_one_end() {
    let mut story = Story::new();
    let child = |number: u8| HostNow {
        id: id(number),
        name: format!("rack{number}"),
        labels: [("parent".to_owned(), "gw".to_owned())].into(),
        is_ephemeral: false,
        absent: None,
    };
    story.hosts.extend((10..110).map(child));
    story.tick(0);
    let (mut free, mut ends, mut held) = (Vec::new(), Vec::new(), std::collections::BTreeSet::new());
    let mut look = |story: &mut Story, seconds: i64| {
        story.book.tick(at(seconds), story.hosts.clone());
        for change in story.book.settle(at(seconds)).changes {
            match change {
                StatusChange::Problem(problem) if problem.holds.is_empty() => free.push(problem.subject),
                StatusChange::Problem(problem) => drop(held.insert(problem.subject)),
                StatusChange::Ended { subject, .. } => ends.push(subject),
            }
        }
    };
    // Looks of ingest find them in any order; back are they in any order too, the last of them 100 s after the gateway.
    for (host, seconds) in (3..103).zip((60..90).cycle()) {
        story.away(host, Some(seconds), false);
    }
    story.away(2, Some(85), false);
    (60..300).for_each(|seconds| look(&mut story, seconds));
    story.away(2, None, false);
    for (number, seconds) in (300..500).enumerate() {
        if number < 100 {
            story.away(3 + number, None, false);
        }
        look(&mut story, seconds);
    }
    assert_eq!(free, [Subject::Host { host: id(3) }]);
    assert_eq!(ends.iter().filter(|subject| !held.contains(subject)).count(), 1);
    assert_eq!((ends.len(), held.len()), (101, 100));
}
