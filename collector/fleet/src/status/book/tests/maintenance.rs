//! Maintenances, each by a short story. Nothing but what starts with `maintenance` or has no hold would reach anybody.

use muster_common::check::CheckState::{Critical as C, Ok as O, Warning as W};

use super::{ANN, Story, at, id, ms};
use crate::outbox::EventKind;
use crate::status::maintenance::{MaintenanceSpec, MaintenanceState};

fn spec(hosts: &[u8], ends: i64) -> MaintenanceSpec {
    MaintenanceSpec {
        name: "new kernel".to_owned(),
        hosts: hosts.iter().map(|host| id(*host).to_string()).collect(),
        ends_ms: ms(ends),
        grace_ms: 300_000,
        ..MaintenanceSpec::default()
    }
}

fn state(story: &Story, number: u64) -> MaintenanceState {
    story.book.maintenance(number).unwrap().state
}

fn kinds_of_maintenance(story: &Story) -> Vec<&'static str> {
    let kinds = story.kinds().into_iter().map(EventKind::as_str);
    kinds.filter(|kind| kind.starts_with("maintenance") || kind.starts_with("downtime")).collect()
}

#[test]
fn work_after_which_health_returns_is_told_to_nobody() {
    let mut story = Story::new();
    assert_eq!(story.book.begin_maintenance(spec(&[1, 2], 3_600), ANN, at(100)), Ok(1));
    story.settle(100);
    story.away(0, Some(150), false);
    assert_eq!(story.tick(150), ["host 1 HostSilent critical downtime:1"]);
    assert_eq!(story.result(1, "disk", C, 160), ["2/disk disk critical downtime:1"]);
    // Another process goes on from the rows; the problems stay held although it has not looked yet.
    let before = std::mem::take(&mut story.book);
    story.book = story.rows.load(&story.hosts);
    story.book.go_on(&before);
    assert_eq!(story.tick(170), [""; 0]);
    story.away(0, None, false);
    assert_eq!(story.tick(200), ["host 1 ended Recovered"]);
    assert!(story.book.finish_maintenance(1, ANN, at(210)) && story.book.finish_maintenance(1, ANN, at(211)));
    assert_eq!(story.result(1, "disk", O, 400), ["2/disk ended Recovered"], "while health has its time");
    assert_eq!((story.tick(509), state(&story, 1)), (vec![], MaintenanceState::Settling));
    assert_eq!((story.tick(510), state(&story, 1)), (vec![], MaintenanceState::Closed));
    assert!(story.book.downtimes().is_empty());
    let planned = &story.book.ended_downtimes()[0].spec;
    assert_eq!((planned.starts_ms, planned.ends_ms), (ms(100), ms(510)));
    assert_eq!(kinds_of_maintenance(&story), ["maintenance_begun", "maintenance_finished", "maintenance_recovered"]);
    assert!(!story.book.finish_maintenance(1, ANN, at(511)), "it is no more under way");
    assert_eq!(story.result(1, "disk", C, 520), ["2/disk disk critical"], "what comes later is told as ever");
}

#[test]
fn what_has_not_returned_is_one_problem_that_lists_it_and_ends_with_the_last_of_it() {
    let mut story = Story::new();
    assert_eq!(story.result(1, "old", C, 50), ["2/old old critical"]);
    story.book.begin_maintenance(spec(&[1, 2], 3_600), ANN, at(100)).unwrap();
    assert_eq!(story.settle(100), ["2/old old critical downtime:1"]);
    story.away(0, Some(150), false);
    story.tick(150);
    story.result(1, "disk", W, 160);
    story.result(2, "disk", C, 165);
    story.book.finish_maintenance(1, ANN, at(200));
    story.settle(200);
    assert_eq!((story.result(1, "disk", W, 450), story.result(1, "old", C, 450)), (vec![], vec![]));
    // Of web2 what was told before is free again, and is not told anew by alerting, which knows it; the rest is one alert.
    assert_eq!(
        story.tick(500),
        [
            "maintenance 1 MaintenanceNotRecovered critical",
            "host 1 HostSilent critical maintenance:1",
            "2/disk disk warning maintenance:1",
            "2/old old critical",
        ]
    );
    let row = story.book.maintenance(1).unwrap();
    let text = "health has not returned after maintenance 1 (new kernel): 2 problems have not gone: \
                web1: nothing arrives of host `web1`; web2/disk: disk is WARNING";
    assert_eq!(row.summary(), text);
    assert!(row.description().contains("health had 5 min to return\nweb1: nothing"), "{}", row.description());
    assert_eq!(row.labels.get("site").map(String::as_str), Some("a"), "what both hosts have in common");
    assert_eq!((row.labels.get("host"), row.labels["maintenance"].as_str()), (None, "new kernel"));

    let before = std::mem::take(&mut story.book);
    story.book = story.rows.load(&story.hosts);
    story.book.go_on(&before);
    assert_eq!(story.tick(510), [""; 0], "a restart tells nothing twice");

    story.away(0, None, false);
    assert_eq!(story.tick(600), ["host 1 ended Recovered"], "one of two: nothing is told of it");
    story.away(0, Some(610), false);
    assert_eq!(story.tick(610), ["host 1 HostSilent critical"], "what happens later is told by itself");
    assert_eq!(story.result(1, "disk", C, 620), ["2/disk disk critical"], "so is what became worse");
    assert_eq!(story.tick(621), ["maintenance 1 ended Recovered"]);
    assert_eq!(state(&story, 1), MaintenanceState::Closed);
    assert_eq!(
        kinds_of_maintenance(&story),
        ["maintenance_begun", "maintenance_finished", "maintenance_not_recovered", "maintenance_recovered"]
    );
}

#[test]
fn a_single_host_gives_the_alert_its_name_and_labels() {
    let mut story = Story::new();
    story.book.begin_maintenance(spec(&[3], 200), ANN, at(100)).unwrap();
    story.away(2, Some(150), false);
    story.tick(150);
    story.tick(200);
    story.tick(500);
    let row = story.book.maintenance(1).unwrap();
    let labels: Vec<_> = row.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["host=gw", "maintenance=new kernel", "site=a"]);
    assert!(row.description().contains("nobody finished it by its expected end"));
    // The host is retired: there is nothing left that could return.
    story.hosts.pop();
    assert_eq!(story.tick(510), ["host 3 ended Retired", "maintenance 1 ended Recovered"]);
}

#[test]
fn what_is_not_finished_by_its_end_is_told_once_and_judged_all_the_same() {
    let mut story = Story::new();
    story.book.begin_maintenance(spec(&[1], 200), ANN, at(100)).unwrap();
    story.result(0, "disk", C, 150);
    for seconds in [199, 200, 201, 499] {
        assert_eq!(story.tick(seconds), [""; 0], "{seconds}");
    }
    assert!(story.book.maintenance(1).unwrap().overran);
    assert_eq!(story.tick(500)[0], "maintenance 1 MaintenanceNotRecovered critical");
    let kinds = kinds_of_maintenance(&story);
    assert_eq!(kinds, ["maintenance_begun", "maintenance_overran", "maintenance_not_recovered"]);

    // Finished late, health has its time from then on.
    story.book.begin_maintenance(spec(&[2], 700), ANN, at(600)).unwrap();
    story.tick(710);
    assert!(story.book.finish_maintenance(2, ANN, at(900)));
    story.tick(1_199);
    assert_eq!(state(&story, 2), MaintenanceState::Settling);
    story.tick(1_200);
    assert_eq!(state(&story, 2), MaintenanceState::Closed);
}

#[test]
fn what_was_told_before_gets_its_end_and_what_is_held_for_another_reason_is_no_news() {
    let mut story = Story::new();
    assert_eq!(story.result(0, "disk", C, 50), ["1/disk disk critical"]);
    story.book.begin_maintenance(spec(&[1, 2], 3_600), ANN, at(100)).unwrap();
    story.settle(100);
    assert_eq!(story.result(0, "disk", O, 120), ["1/disk ended Recovered"]);
    // A check of a host that is away stands for nothing, the host does; somebody has taken the other problem.
    story.result(0, "load", C, 130);
    story.away(0, Some(150), false);
    story.tick(150);
    story.result(1, "load", C, 160);
    let ack = super::Acknowledgement {
        by: "ann".into(),
        comment: String::new(),
        at_ms: ms(170),
        until_ms: None,
        is_sticky: false,
    };
    assert!(story.book.acknowledge(id(2), "load", ack, ANN, at(170)));
    story.book.finish_maintenance(1, ANN, at(200));
    story.tick(500);
    let row = story.book.maintenance(1).unwrap();
    assert_eq!(row.unreturned.iter().map(|one| one.check.as_str()).collect::<Vec<_>>(), [""]);
}

#[test]
fn a_collector_that_has_just_started_lets_hosts_be_heard_before_it_judges() {
    let mut story = Story::new();
    story.book.begin_maintenance(spec(&[1], 3_600), ANN, at(100)).unwrap();
    story.away(0, Some(150), false);
    story.tick(150);
    story.book.finish_maintenance(1, ANN, at(200));
    story.settle(200);
    // Down from 210 s to 800 s: by then health has had its time.
    story.book = story.rows.load(&story.hosts);
    assert_eq!(story.result(1, "disk", O, 790), [""; 0], "what arrives before the first look frees nothing");
    // Still held, although nobody can say until when.
    assert_eq!(story.tick(800), ["host 1 HostSilent critical downtime:1"]);
    assert_eq!(state(&story, 1), MaintenanceState::Settling);
    story.away(0, None, false);
    assert_eq!(story.tick(850), ["host 1 ended Recovered"]);
    assert_eq!((story.tick(919), state(&story, 1)), (vec![], MaintenanceState::Settling));
    assert_eq!((story.tick(920), state(&story, 1)), (vec![], MaintenanceState::Closed));
}

#[test]
fn work_that_goes_on_is_open_again_and_has_more_hosts() {
    let mut story = Story::new();
    let first = MaintenanceSpec { reference: "deploy 7".into(), ..spec(&[1], 200) };
    story.book.begin_maintenance(first, ANN, at(100)).unwrap();
    story.tick(250);
    assert_eq!(state(&story, 1), MaintenanceState::Settling);
    assert_eq!((story.book.maintenance_for("deploy 7"), story.book.maintenance_for("deploy 8")), (Some(1), None));
    story.book.extend_maintenance(1, vec![id(1).to_string(), id(2).to_string()], ms(900), Some(ANN), at(300)).unwrap();
    assert_eq!(state(&story, 1), MaintenanceState::Open);
    assert_eq!(story.book.maintenance(1).unwrap().spec.hosts.len(), 2);
    story.away(1, Some(350), false);
    assert_eq!(story.tick(350), ["host 2 HostSilent critical downtime:1"]);
    assert!(!story.book.end_downtime(1, ANN, at(360)), "only the maintenance ends it");
    assert_eq!(story.book.maintenance_of_downtime(1), Some(1));
    story.book = story.rows.load(&story.hosts);
    assert_eq!(story.book.maintenance(1).unwrap().spec.ends_ms, ms(900));
}

#[test]
fn those_that_mean_nobody_or_have_no_end_are_refused() {
    let mut story = Story::new();
    let other = |matchers: &str| MaintenanceSpec { matchers: matchers.into(), ..spec(&[], 900) };
    for (bad, why) in [
        (spec(&[], 900), "names no host"),
        (spec(&[9], 900), "no active host"),
        (other("site=b"), "no active host"),
        (other("host="), "no active host"),
        (other("host"), "host"),
        (spec(&[1], 100), "ends before"),
        (spec(&[1], 40 * 86_400), "30 days"),
        (MaintenanceSpec { grace_ms: 3_600_001, ..spec(&[1], 900) }, "an hour"),
        (MaintenanceSpec { name: " ".into(), ..spec(&[1], 900) }, "no name"),
    ] {
        let refused = story.book.begin_maintenance(bad.clone(), ANN, at(100)).unwrap_err();
        assert!(refused.contains(why), "{bad:?}: {refused}");
    }
    assert!(story.book.downtimes().is_empty() && story.book.maintenances().is_empty());
    assert_eq!(story.book.begin_maintenance(other("site=a"), ANN, at(100)), Ok(1));
    for number in 2..=super::super::super::maintenance::MAINTENANCES_OPEN_MAX as u64 {
        assert_eq!(story.book.begin_maintenance(spec(&[1], 900), ANN, at(100)), Ok(number));
    }
    assert!(story.book.begin_maintenance(spec(&[1], 900), ANN, at(100)).unwrap_err().contains("the most"));
}
