//! Cases by hand: each promise of ALERTING.md at its plainest.

use muster_fleet::status::HoldReason;

use super::bench::{Bench, alert, id};
use crate::alert::{Alert, AlertChange, Held, HeldReason, Notice};
use crate::dispatch::Event;

/// `Opened ann: Disk@db1 | resolved: -`.
fn shown(notices: &[Notice]) -> Vec<String> {
    let names = |alerts: &[Alert]| {
        let name = |alert: &Alert| format!("{}@{}", alert.name(), alert.labels.get("host").unwrap_or_default());
        alerts.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    let one = |notice: &Notice| {
        format!("{:?} {}: {} | {}", notice.kind, notice.receiver, names(&notice.firing), names(&notice.resolved))
    };
    notices.iter().map(one).collect()
}

fn held(mut alert: Alert, why: HoldReason) -> Alert {
    alert.holds = vec![Held { why: HeldReason::Status(why), by: "x".to_owned(), until_ms: None }];
    alert
}

#[test]
fn a_problem_is_told_at_once_and_its_end_once_in_the_same_incident() {
    let mut bench = Bench::new();
    let opened = bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    assert_eq!(shown(&opened), ["Opened ann: Disk@db1 | "]);
    assert!(bench.pass(1_000).is_empty());
    assert!(bench.end(id("Disk", "db1")).is_empty(), "the group's next turn has not come");
    let ended = bench.pass(60_000);
    assert_eq!(shown(&ended), ["Resolved ann:  | Disk@db1"]);
    assert_eq!((ended[0].incident, opened[0].incident), (opened[0].id, opened[0].id));
    assert!(bench.pass(100_000_000).is_empty());
    assert_eq!(bench.row_count(), 0);
}

#[test]
fn worse_is_told_at_once_and_better_with_the_groups_next_turn() {
    let mut bench = Bench::new();
    bench.fire(alert("Disk", "db1", "a", "warning", bench.now_ms));
    bench.pass(5_000);
    let worse = bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    assert_eq!(shown(&worse), ["Worse ann: Disk@db1 | "]);
    bench.pass(5_000);
    assert!(bench.fire(alert("Disk", "db1", "a", "warning", bench.now_ms)).is_empty());
    // Back and forth within the turn is no news.
    assert!(bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms)).is_empty());
    bench.fire(alert("Disk", "db1", "a", "warning", bench.now_ms));
    assert_eq!(shown(&bench.pass(60_000)), ["Better ann: Disk@db1 | "]);
    assert_eq!(shown(&bench.pass(3_600_000)), ["Repeat ann: Disk@db1 | "]);
}

#[test]
fn what_ends_and_begins_again_before_its_end_was_told_is_no_news() {
    let mut bench = Bench::new();
    bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    for _ in 0..20 {
        bench.pass(1_000);
        bench.end(id("Disk", "db1"));
        bench.pass(1_000);
        bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    }
    assert_eq!(bench.notices.len(), 1);
}

#[test]
fn a_hold_hides_a_problem_until_it_ends_and_never_the_end_of_what_was_told() {
    let mut bench = Bench::new();
    let disk = |bench: &Bench| alert("Disk", "db1", "a", "critical", bench.now_ms);
    assert!(bench.fire(held(disk(&bench), HoldReason::Downtime)).is_empty());
    assert!(bench.pass(86_400_000).is_empty());
    assert_eq!(shown(&bench.fire(disk(&bench))), ["Opened ann: Disk@db1 | "], "open when the downtime ends");
    bench.fire(held(disk(&bench), HoldReason::Acknowledged));
    assert!(bench.pass(86_400_000).is_empty(), "no repeat of what somebody has taken");
    bench.plan.silenced.insert("db1".to_owned());
    bench.replan();
    assert_eq!(shown(&bench.end(id("Disk", "db1"))), ["Resolved ann:  | Disk@db1"]);
    assert!(bench.fire(disk(&bench)).is_empty(), "silenced");
    bench.end(id("Disk", "db1"));
    assert!(bench.pass(86_400_000).is_empty(), "never told, so no end");
    assert_eq!(bench.row_count(), 0);
}

#[test]
fn an_inhibited_problem_is_told_when_its_root_is_over() {
    let mut bench = Bench::new();
    bench.plan.inhibits = true;
    let at = bench.now_ms;
    let both = ["Disk", "Root"].map(|name| AlertChange::Firing(Box::new(alert(name, "db1", "a", "critical", at))));
    assert_eq!(shown(&bench.give(Event::Alerts(both.to_vec()))), ["Opened ann: Root@db1 | "]);
    bench.pass(120_000);
    bench.end(id("Root", "db1"));
    assert_eq!(shown(&bench.pass(10_000)), ["Opened ann: Disk@db1 | "]);
}

#[test]
fn who_was_told_is_told_the_end_also_when_the_route_moves() {
    let mut bench = Bench::new();
    bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    bench.pass(120_000);
    bench.plan.is_swapped = true;
    assert_eq!(shown(&bench.replan()), ["Opened bob: Disk@db1 | "]);
    bench.pass(120_000);
    let mut ended = shown(&bench.end(id("Disk", "db1")));
    ended.sort();
    assert_eq!(ended, ["Resolved ann:  | Disk@db1", "Resolved bob:  | Disk@db1"]);
    assert_eq!(bench.row_count(), 0);
}

#[test]
fn an_alert_whose_rule_goes_with_the_configuration_is_not_told_on_its_new_way() {
    let mut bench = Bench::new();
    bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    bench.pass(120_000);
    bench.plan.is_swapped = true;
    let ended = AlertChange::Ended { id: id("Disk", "db1"), at_ms: bench.now_ms, why: "no rule", is_quiet: false };
    assert_eq!(shown(&bench.give(Event::Replanned(vec![ended]))), ["Resolved ann:  | Disk@db1"]);
    assert_eq!(bench.row_count(), 0);
}

#[test]
fn the_end_in_one_of_the_groups_of_an_incident_is_not_its_end() {
    let mut bench = Bench::new();
    bench.plan.group_by = &["host"];
    bench.give(Event::Alerts(
        ["Disk", "Load"]
            .map(|name| AlertChange::Firing(Box::new(alert(name, "db1", "a", "critical", bench.now_ms))))
            .into(),
    ));
    bench.pass(120_000);
    bench.plan.group_by = &["alertname", "host"];
    bench.replan();
    assert_eq!(shown(&bench.end(id("Disk", "db1"))), ["Better ann:  | Disk@db1"]);
    assert_eq!(shown(&bench.end(id("Load", "db1"))), ["Resolved ann:  | Load@db1"]);
    assert_eq!(bench.notices.iter().map(|notice| notice.incident).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(bench.row_count(), 0);
}

#[test]
fn the_end_of_an_incident_that_took_in_a_member_of_another_takes_no_mail_back() {
    let mut bench = Bench::new();
    bench.plan.group_by = &["alertname", "host"];
    for name in ["Disk", "Load"] {
        bench.fire(alert(name, "db1", "a", "critical", bench.now_ms));
        bench.pass(120_000);
    }
    bench.plan.group_by = &["host"];
    bench.replan();
    bench.restart();
    // Whoever knows of Disk knows it of the first incident, and of its end only of this mail.
    assert_eq!(shown(&bench.end(id("Disk", "db1"))), ["Better ann: Load@db1 | Disk@db1"]);
    bench.pass(120_000);
    assert_eq!(shown(&bench.end(id("Load", "db1"))), ["Better ann:  | Load@db1"]);
    assert_eq!(bench.row_count(), 0);
    bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    bench.pass(120_000);
    assert_eq!(shown(&bench.end(id("Disk", "db1"))), ["Resolved ann:  | Disk@db1"]);
}

#[test]
fn numbers_of_notices_that_the_copy_does_not_know_are_not_given_again() {
    let mut bench = Bench::new();
    bench.fire(alert("Disk", "db0", "a", "critical", bench.now_ms));
    bench.give(Event::Restored { at_ms: bench.now_ms, changes: Vec::new() });
    bench.restart();
    bench.pass(60_000);
    bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    let numbers: Vec<u64> = bench.notices.iter().map(|notice| notice.id).collect();
    assert_eq!(numbers, [1, 1_700_000_000]);
}

#[test]
fn a_route_that_is_given_another_receiver_tells_that_one() {
    let mut bench = Bench::new();
    bench.plan.is_one_route = true;
    bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    bench.pass(120_000);
    bench.plan.is_swapped = true;
    assert_eq!(shown(&bench.replan()), ["Opened bob: Disk@db1 | "]);
    bench.pass(120_000);
    let mut ended = shown(&bench.end(id("Disk", "db1")));
    ended.sort();
    assert_eq!(ended, ["Resolved ann:  | Disk@db1", "Resolved bob:  | Disk@db1"]);
    assert_eq!(bench.row_count(), 0);
}

#[test]
fn another_label_moves_an_open_alert_without_a_word() {
    let mut bench = Bench::new();
    let mut disk = alert("Disk", "db1", "a", "critical", bench.now_ms);
    let opened = bench.fire(disk.clone());
    bench.pass(120_000);
    disk.labels = disk.labels.with(&[("host", "db2")]).unwrap();
    assert!(bench.fire(disk).is_empty());
    let ended = bench.end(id("Disk", "db1"));
    assert_eq!(shown(&ended), ["Resolved ann:  | Disk@db2"]);
    assert_eq!(ended[0].incident, opened[0].id);
    assert_eq!(bench.row_count(), 0);
}

#[test]
fn a_retired_hosts_alerts_close_without_a_word() {
    let mut bench = Bench::new();
    bench.fire(alert("Disk", "db1", "all", "critical", bench.now_ms));
    bench.pass(120_000);
    bench.end_with(id("Disk", "db1"), true);
    assert!(bench.pass(86_400_000).is_empty());
    assert_eq!(bench.row_count(), 0);
}

#[test]
fn a_storm_is_told_in_three_notices_and_every_end_once() {
    let mut bench = Bench::new();
    let at = bench.now_ms;
    let storm: Vec<AlertChange> = (0..500)
        .map(|n| AlertChange::Firing(Box::new(alert("HostSilent", &format!("web{n}"), "a", "critical", at))))
        .collect();
    bench.give(Event::Alerts(storm));
    bench.pass(600_000);
    let told: usize = bench.notices.iter().map(|notice| notice.firing.len()).sum();
    assert_eq!((bench.notices.len(), told), (3, 500));
    let ends = (0..500).map(|n| AlertChange::Ended {
        id: id("HostSilent", &format!("web{n}")),
        at_ms: 0,
        why: "",
        is_quiet: false,
    });
    bench.give(Event::Alerts(ends.collect()));
    bench.pass(3_600_000);
    let ended: usize = bench.notices.iter().map(|notice| notice.resolved.len()).sum();
    assert_eq!((bench.notices.len(), ended, bench.row_count()), (6, 500, 0));
}

#[test]
fn after_a_restore_what_is_older_is_one_summary() {
    let mut bench = Bench::new();
    bench.fire(alert("Disk", "db0", "a", "critical", bench.now_ms));
    bench.give(Event::Restored { at_ms: bench.now_ms + 1_000, changes: Vec::new() });
    bench.restart();
    for host in ["db1", "db2", "db3"] {
        bench.pass(5_000);
        let old = Alert { starts_ms: bench.now_ms - 100_000, ..alert("Disk", host, "a", "critical", bench.now_ms) };
        assert!(bench.fire(old).is_empty());
    }
    assert_eq!(shown(&bench.pass(60_000)), ["Opened ann: Disk@db1 Disk@db2 Disk@db3 | "]);
    bench.pass(15_000);
    assert_eq!(shown(&bench.fire(alert("Disk", "db9", "a", "critical", bench.now_ms))), ["Opened ann: Disk@db9 | "]);
}

#[test]
fn group_wait_is_kept_and_a_volatile_result_is_told_again() {
    let mut bench = Bench::new();
    bench.plan.waits.group_wait_ms = 30_000;
    bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    assert!(bench.pass(29_999).is_empty());
    bench.end(id("Disk", "db1"));
    assert!(bench.pass(60_000).is_empty(), "over before it was told");
    bench.plan.waits.group_wait_ms = 0;
    bench.fire(alert("Disk", "db1", "a", "critical", bench.now_ms));
    bench.pass(5_000);
    let again = Alert { again: true, ..alert("Disk", "db1", "a", "critical", bench.now_ms) };
    assert_eq!(shown(&bench.fire(again)), ["Worse ann: Disk@db1 | "]);
}

#[test]
fn an_alert_without_a_route_is_kept_and_told_nobody() {
    let mut bench = Bench::new();
    assert!(bench.fire(alert("Disk", "db1", "nobody", "critical", bench.now_ms)).is_empty());
    bench.restart();
    assert_eq!(bench.dispatch.alerts().count(), 1);
    bench.end(id("Disk", "db1"));
    assert_eq!(bench.row_count(), 0);
}
