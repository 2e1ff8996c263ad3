use std::collections::BTreeMap;

use super::super::compare::{Count, Rate};
use super::*;
use crate::deploys::{DeployRef, DeployResult, DeployStart, read_deploy_file};
use crate::testing::{Bench, OPERATOR, at};

const DECLARED: &str = r#"
[[services]]
name = "shop"
hosts = ["role=web"]
[gate]
production = { after = ["staging"], soak = "30m" }
"#;
const MINUTE: u64 = 60;

fn declare(bench: Bench) -> Bench {
    let path = bench.folder.join("deploy.toml");
    std::fs::write(&path, DECLARED).unwrap();
    bench.fleet.set_deploy_settings(read_deploy_file(&path).unwrap());
    bench
}

/// A fleet with two hosts in production and one in staging.
fn world() -> Bench {
    let bench = declare(Bench::new());
    for (name, env) in [("web1", "production"), ("web2", "production"), ("st1", "staging")] {
        let host = bench.host(name).id();
        let labels = [("role", "web"), ("env", env)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        bench.fleet.relabel(host, &BTreeMap::from(labels), OPERATOR, at(0)).unwrap();
    }
    bench
}

/// Deploys a version, which takes a minute.
fn deploy(bench: &Bench, version: &str, env: &str, hosts: &[&str], minute: u64) -> u64 {
    let ids = hosts.iter().map(|name| bench.fleet.find(name).unwrap().to_string()).collect();
    let (service, version) = ("shop".to_owned(), version.to_owned());
    let start = DeployStart { service, version, env: env.to_owned(), hosts: ids, ..DeployStart::default() };
    let id = bench.fleet.start_deploy(start, OPERATOR, at(minute * MINUTE)).unwrap().deploy.id;
    let end = at((minute + 1) * MINUTE);
    bench.fleet.finish_deploy(&DeployRef::Id(id), DeployResult::Ok, "", OPERATOR, end).unwrap();
    id
}

fn due(bench: &Bench, minute: u64) -> Vec<DueVerdict> {
    bench.fleet.verdicts_due(at(minute * MINUTE))
}

/// Thirty minutes with so many bad lines of 100 in each.
fn numbers(canary: u64, baseline: u64) -> Comparison {
    let slots = |bad| (0..30).map(|_| Count(bad, 100)).collect();
    let (canary, baseline) = (slots(canary), slots(baseline));
    let rate = Rate { name: "errors".to_owned(), canary, baseline, ..Rate::default() };
    Comparison { rates: vec![rate], selector: "{host=\"web1\"}".to_owned(), ..Comparison::default() }
}

fn series(bench: &Bench) -> Vec<(f64, String)> {
    let stats = bench.fleet.stats();
    let own = stats.iter().filter(|stat| stat.name == "muster_deploy_verdict");
    own.map(|stat| (stat.value, format!("{:?}", stat.labels))).collect()
}

#[test]
fn a_deploy_to_what_comes_after_another_is_due_once_its_soak_time_is_over() {
    let bench = world();
    let id = deploy(&bench, "8", "production", &[], 10);
    deploy(&bench, "8", "staging", &[], 10);
    assert_eq!(due(&bench, 40), []);
    let [one] = due(&bench, 41).try_into().unwrap();
    let of = |minute: u64| at(minute * MINUTE).millis();
    assert_eq!((one.deploy, one.before_ms, one.from_ms, one.to_ms), (id, of(10), of(11), of(41)));
    assert_eq!((one.hosts.join(" "), one.others.len()), ("web1 web2".to_owned(), 0));

    let made = bench.fleet.keep_verdict(id, numbers(8, 4), at(41 * MINUTE)).unwrap();
    assert_eq!((made.outcome, made.version.as_str()), (VerdictOutcome::Worse, "8"));
    assert_eq!(due(&bench, 42), []);
    assert_eq!(series(&bench).len(), 1);
    assert_eq!(series(&bench)[0].0, 1.0);
    let event = bench.events().pop().unwrap();
    assert_eq!(event.kind, EventKind::DeployVerified);
    assert!(
        event.text.contains("shop 8 in production is worse than what was there before: errors: 240 of 3000"),
        "{}",
        event.text
    );
    assert!(event.fields["evidence"].starts_with("/logs?q=%7Bhost") && event.fields["deploy"] == id.to_string());

    // A restart changes no answer.
    let before = (bench.fleet.verdict("shop", "production"), series(&bench));
    let bench = declare(bench.reopen());
    assert_eq!((bench.fleet.verdict("shop", "production"), series(&bench)), before);
    assert_eq!(due(&bench, 42), []);
}

#[test]
fn the_newest_counts_some_hosts_are_compared_with_the_others_and_what_is_late_is_left() {
    let bench = world();
    let first = deploy(&bench, "8", "production", &[], 10);
    let second = deploy(&bench, "9", "production", &["web1"], 20);
    let [one] = due(&bench, 60).try_into().unwrap();
    assert_eq!((one.deploy, one.hosts.join(" "), one.others.join(" ")), (second, "web1".to_owned(), "web2".to_owned()));
    bench.fleet.keep_verdict(second, Comparison::default(), at(60 * MINUTE)).unwrap();
    let verdict = bench.fleet.verdict("shop", "production").unwrap();
    assert_eq!(
        (verdict.outcome, verdict.text.as_str()),
        (VerdictOutcome::NotEnough, "nothing is there that could be compared")
    );
    assert_eq!(series(&bench)[0].0, 2.0);
    // The newest one takes its place, in the series too.
    let third = deploy(&bench, "10", "production", &[], 100);
    assert!(third > first);
    bench.fleet.keep_verdict(third, numbers(4, 4), at(200 * MINUTE)).unwrap();
    assert_eq!((series(&bench).len(), series(&bench)[0].0), (1, 0.0));

    deploy(&bench, "11", "production", &[], 300);
    assert_eq!(due(&bench, 331).len(), 1);
    assert_eq!(due(&bench, 331 + 25 * 60), []);
    assert!(matches!(bench.fleet.keep_verdict(99, numbers(1, 1), at(0)), Err(FleetError::NoDeploy { .. })));
}
