//! Deploys over a real file: told, recognised, asked about, after restarts and power cuts.

mod freezes;
mod packages;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use muster_common::disk::cut::CutDisk;
use muster_common::host::HostId;

use super::file::read_deploys;
use super::*;
use crate::testing::{Bench, OPERATOR, at, day};
use crate::{AnnouncedBy, Event, EventKind, FleetError};

const DECLARED: &str = r#"
[deploys]
abandon_after = "1h"
[[services]]
name = "shop"
hosts = ["role=web"]
packages = ["shop"]
repositories = ["acme/shop"]
[[services]]
name = "till"
hosts = ["role=till"]
[gate]
production = { after = ["staging"], soak = "30m" }
[[freezes]]
name = "nights"
matchers = ["env=staging"]
recurrence = "daily 01:00-02:00"
reason = "backups"
"#;

fn declared() -> DeploySettings {
    read_deploys("deploy.toml", DECLARED, &|_| Err("none".to_owned())).unwrap_or_else(|errors| panic!("{errors}"))
}

fn ms(seconds: u64) -> i64 {
    at(seconds).millis()
}

/// A host of the shop in this environment.
fn web(bench: &Bench, name: &str, env: &str) -> HostId {
    let host = bench.host(name).id();
    label(bench, host, &[("role", "web"), ("env", env)]);
    host
}

fn label(bench: &Bench, host: HostId, labels: &[(&str, &str)]) {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    bench.fleet.relabel(host, &labels, OPERATOR, at(0)).unwrap();
}

/// With what is declared, as the server does after each opening.
fn declare(bench: Bench) -> Bench {
    bench.fleet.set_deploy_settings(declared());
    bench
}

fn start(version: &str, env: &str) -> DeployStart {
    DeployStart { service: "shop".into(), version: version.into(), env: env.into(), ..DeployStart::default() }
}

fn running(env: &str) -> DeployRef {
    DeployRef::Running { service: "shop".into(), env: env.into(), version: None }
}

/// Kind and text of the events of deploys and freezes, oldest first.
fn told(bench: &Bench) -> Vec<String> {
    let of = bench
        .events()
        .into_iter()
        .filter(|event| event.kind.class() == crate::EventClass::Deploy && event.kind != EventKind::DeployOnHost);
    of.map(|event: Event| format!("{}: {}", event.kind.as_str(), event.text)).collect()
}

/// Number, version and state of all, newest first.
fn listed(bench: &Bench) -> Vec<String> {
    let all = bench.fleet.deploys(&DeployQuery { limit: 100, ..DeployQuery::default() });
    all.iter().map(|one| format!("{} {} {} {}", one.id, one.version, one.env, one.state.as_str())).collect()
}

/// Version, hosts and soak of the shop's versions there.
fn seen(bench: &Bench, env: &str, seconds: u64) -> Vec<(String, usize, i64)> {
    let all = bench.fleet.versions("shop", env).unwrap();
    all.iter().map(|one| (one.version.clone(), one.hosts.len(), one.soaked_ms(ms(seconds)) / 1_000)).collect()
}

#[test]
fn a_deploy_is_told_from_its_start_to_its_end_and_a_restart_changes_no_answer() {
    let bench = declare(Bench::new());
    let (one, _two) = (web(&bench, "web1", "staging"), web(&bench, "web2", "staging"));
    web(&bench, "web3", "production");
    let told_by = DeployStart { link: "https://ci.example/7".into(), note: "fixes".into(), ..start("1.0", "staging") };
    let begun = bench.fleet.start_deploy(told_by, OPERATOR, at(100)).unwrap();
    assert_eq!((begun.deploy.id, begun.is_new, begun.superseded.len()), (1, true, 0));
    assert_eq!(seen(&bench, "staging", 200), []);
    let (ended, is_news) =
        bench.fleet.finish_deploy(&running("staging"), DeployResult::Ok, "", OPERATOR, at(160)).unwrap();
    assert_eq!(
        (ended.state, ended.ended_ms, ended.note.as_str(), is_news),
        (DeployState::Ok, Some(ms(160)), "fixes", true)
    );
    // Of one host, which fails.
    let canary = DeployStart { hosts: vec![one.to_string()], ..start("1.1", "staging") };
    bench.fleet.start_deploy(canary, OPERATOR, at(300)).unwrap();
    bench.fleet.finish_deploy(&DeployRef::Id(2), DeployResult::Failed, "crash", OPERATOR, at(310)).unwrap();
    bench.fleet.start_deploy(start("1.0", "production"), OPERATOR, at(400)).unwrap();
    let events = [
        "deploy_started: deploy of shop 1.0 to staging began on 2 hosts",
        "deploy_ended: deploy of shop 1.0 to staging ended well after 1m",
        "deploy_started: deploy of shop 1.1 to staging began on 1 hosts",
        "deploy_ended: deploy of shop 1.1 to staging failed after 10s",
        "deploy_started: deploy of shop 1.0 to production began on 1 hosts",
    ];
    let answers = |bench: &Bench| {
        let versions = bench.fleet.versions("shop", "staging").unwrap();
        (
            told(bench),
            listed(bench),
            versions,
            bench.fleet.services(at(500)),
            bench.fleet.deploy(1),
            bench.fleet.deploy(9),
        )
    };
    let before = answers(&bench);
    assert_eq!(before.0, events);
    assert_eq!(before.1, ["3 1.0 production running", "2 1.1 staging failed", "1 1.0 staging ok"]);
    assert_eq!(seen(&bench, "staging", 500), [("1.1".to_owned(), 0, 0), ("1.0".to_owned(), 2, 340)]);
    let bench = declare(bench.reopen());
    assert_eq!(answers(&bench), before);
    let shop = &bench.fleet.services(at(500))[0];
    let production = &shop.environments[0];
    assert_eq!((production.env.as_str(), production.hosts, &production.running[..]), ("production", 1, &[3][..]));
    assert_eq!(production.rule, Some(EnvironmentRule { after: vec!["staging".into()], soak_ms: 1_800_000 }));
    assert_eq!(shop.environments[1].versions.iter().map(|one| one.version.as_str()).collect::<Vec<_>>(), ["1.0"]);
    let on_web1 =
        bench.events().into_iter().filter(|event| event.host == Some(one) && event.kind == EventKind::DeployOnHost);
    let expect = [
        "deploy of shop 1.0 to staging began",
        "deploy of shop 1.0 to staging ended well",
        "deploy of shop 1.1 to staging began",
        "deploy of shop 1.1 to staging failed",
    ];
    assert_eq!(on_web1.map(|event| event.text).collect::<Vec<_>>(), expect);
    let fields = &bench.events().into_iter().find(|event| event.kind == EventKind::DeployEnded).unwrap().fields;
    for (name, value) in [("deploy", "1"), ("service", "shop"), ("env", "staging"), ("version", "1.0"), ("state", "ok")]
    {
        assert_eq!(fields[name], value);
    }
    let query = DeployQuery { env: Some("staging".into()), before: Some(2), limit: 5, ..DeployQuery::default() };
    assert_eq!(bench.fleet.deploys(&query).iter().map(|one| one.id).collect::<Vec<_>>(), [1]);
    let hosts = bench.fleet.service_hosts("shop", "staging").unwrap();
    assert_eq!(
        hosts.into_values().collect::<std::collections::BTreeSet<_>>(),
        ["web1".to_owned(), "web2".to_owned()].into()
    );
}

#[test]
fn what_is_told_twice_is_one_and_what_contradicts_is_refused() {
    let bench = declare(Bench::new());
    web(&bench, "web1", "staging");
    let fleet = &bench.fleet;
    let keyed = DeployStart { key: "acme/shop:42".into(), source: DeploySource::Github, ..start("1.0", "staging") };
    assert!(fleet.start_deploy(keyed.clone(), OPERATOR, at(10)).unwrap().is_new);
    let again = fleet.start_deploy(keyed.clone(), OPERATOR, at(20)).unwrap();
    assert_eq!((again.is_new, again.deploy.id, again.deploy.started_ms), (false, 1, ms(10)));
    let by_key = DeployRef::Key("acme/shop:42".into());
    let end = |result, seconds| fleet.finish_deploy(&by_key, result, "", OPERATOR, at(seconds));
    assert!(end(DeployResult::Ok, 30).unwrap().1);
    let (same, is_news) = end(DeployResult::Ok, 40).unwrap();
    assert_eq!((same.ended_ms, is_news), (Some(ms(30)), false));
    let error = end(DeployResult::Failed, 50).unwrap_err().to_string();
    assert_eq!(error, "deploy 1 has ended as ok already: start a deploy of the version that is to be there now");
    // Told again after its end it is still the same.
    assert!(!fleet.start_deploy(keyed, OPERATOR, at(60)).unwrap().is_new);
    // The key of one teller is none of another's.
    let other = DeployStart { key: "acme/shop:42".into(), ..start("1.1", "staging") };
    assert!(fleet.start_deploy(other, OPERATOR, at(70)).unwrap().is_new);
    assert_eq!(told(&bench).len(), 3);
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let bench = declare(Bench::new());
    let (one, till) = (web(&bench, "web1", "staging"), bench.host("till1").id());
    label(&bench, till, &[("role", "till")]);
    let text = |start: DeployStart| bench.fleet.start_deploy(start, OPERATOR, at(10)).unwrap_err().to_string();
    for (bad, told) in [
        (
            DeployStart { service: "blog".into(), ..start("1", "staging") },
            "no service `blog` is declared, declared are shop, till:",
        ),
        (start("1", "prod"), "service `shop` has no host with the label env=\"prod\", its hosts are in staging:"),
        (DeployStart { service: "till".into(), ..start("1", "prod") }, "none of its hosts has the label `env`"),
        (
            DeployStart { hosts: vec![till.to_string()], ..start("1", "staging") },
            "host till1 is none of service shop in staging",
        ),
        (DeployStart { hosts: vec!["x".into()], ..start("1", "staging") }, "no host `x` is registered"),
        (start("", "staging"), "field `version` of the deploy cannot be taken, since it is empty"),
    ] {
        let error = text(bad);
        assert!(error.contains(told), "{error}");
    }
    let none =
        |which: &DeployRef| bench.fleet.finish_deploy(which, DeployResult::Ok, "", OPERATOR, at(10)).unwrap_err();
    for (which, told) in [
        (DeployRef::Id(7), "no deploy 7 is known"),
        (DeployRef::Key(String::new()), "no deploy with the key `` is known"),
        (running("staging"), "no running deploy of shop to staging is known"),
    ] {
        assert!(none(&which).to_string().contains(told), "{}", none(&which));
    }
    let named = DeployStart { hosts: vec![one.to_string()], ..start("1", "staging") };
    assert!(bench.fleet.start_deploy(named, OPERATOR, at(10)).is_ok());
    bench.fleet.set_deploy_settings(DeploySettings::default());
    assert!(text(start("1", "staging")).contains("no service `shop` is declared, none is:"));
    assert!(matches!(bench.fleet.versions("shop", "staging"), Err(FleetError::NoService { .. })));
}

#[test]
fn what_never_ends_is_given_up_and_another_start_takes_its_place() {
    let bench = declare(Bench::new());
    let (one, two) = (web(&bench, "web1", "staging"), web(&bench, "web2", "staging"));
    let on = |host: HostId, version: &str| DeployStart { hosts: vec![host.to_string()], ..start(version, "staging") };
    bench.fleet.start_deploy(on(one, "1"), OPERATOR, at(100)).unwrap();
    assert_eq!(bench.fleet.start_deploy(on(two, "2"), OPERATOR, at(200)).unwrap().superseded.len(), 0);
    assert_eq!(bench.fleet.start_deploy(on(one, "3"), OPERATOR, at(300)).unwrap().superseded, [1]);
    assert_eq!(bench.fleet.start_deploy(start("4", "staging"), OPERATOR, at(400)).unwrap().superseded, [2, 3]);
    bench.fleet.maintain(at(3_999)).unwrap();
    assert_eq!(bench.fleet.deploy(4).unwrap().state, DeployState::Running);
    bench.fleet.maintain(at(4_100)).unwrap();
    let bench = declare(bench.reopen());
    let four = bench.fleet.deploy(4).unwrap();
    assert_eq!((four.state, four.ended_ms), (DeployState::Abandoned, Some(ms(4_000))));
    let all = told(&bench);
    assert_eq!(
        all.last().unwrap(),
        "deploy_abandoned: deploy of shop 4 to staging was given up: nobody said within 1h how it ended"
    );
    let gone = "deploy_abandoned: deploy of shop 1 to staging was given up: one of 3 began on its hosts";
    assert!(all.iter().any(|one| one == gone), "{all:?}");
    assert_eq!(seen(&bench, "staging", 5_000), []);
}

#[test]
fn changes_while_a_deploy_runs_are_announced_by_it() {
    let bench = declare(Bench::new());
    let (one, other) = (web(&bench, "web1", "staging"), web(&bench, "web2", "production"));
    bench.fleet.start_deploy(start("1", "staging"), OPERATOR, at(1_000)).unwrap();
    let announced = |bench: &Bench, host: HostId, since: u64, until: u64| {
        let by = bench.fleet.announcer().announced(host, ms(since), ms(until))?;
        Some((by.kind, by.id, by.reason))
    };
    let by_it = Some((AnnouncedBy::Deploy, 1, "deploy of shop 1 to staging".to_owned()));
    assert_eq!(announced(&bench, one, 100, 999), None);
    assert_eq!(announced(&bench, one, 100, 1_000), by_it);
    // It runs: until it would be given up.
    assert_eq!(announced(&bench, one, 4_000, 4_500), by_it);
    assert_eq!(announced(&bench, one, 4_601, 4_700), None);
    assert_eq!(announced(&bench, other, 100, 2_000), None);
    bench.fleet.finish_deploy(&running("staging"), DeployResult::Ok, "", OPERATOR, at(1_200)).unwrap();
    let bench = declare(bench.reopen());
    assert_eq!(announced(&bench, one, 1_100, 2_000), by_it);
    assert_eq!(announced(&bench, one, 1_201, 2_000), None);
}

#[test]
fn old_deploys_go_but_not_the_last_good_one_of_a_service() {
    let bench = declare(Bench::new());
    web(&bench, "web1", "staging");
    web(&bench, "web2", "production");
    let deploy = |version: &str, env: &str, result, now| {
        bench.fleet.start_deploy(start(version, env), OPERATOR, now).unwrap();
        bench.fleet.finish_deploy(&running(env), result, "", OPERATOR, now).unwrap();
    };
    deploy("1", "staging", DeployResult::Ok, day(1));
    deploy("2", "staging", DeployResult::Failed, day(2));
    deploy("1", "production", DeployResult::Ok, day(3));
    deploy("3", "production", DeployResult::Ok, day(4));
    deploy("4", "production", DeployResult::Failed, day(500));
    deploy("5", "production", DeployResult::Failed, day(501));
    assert_eq!(
        listed(&bench),
        ["6 5 production failed", "5 4 production failed", "4 3 production ok", "1 1 staging ok"]
    );
}

#[test]
fn a_power_cut_leaves_a_deploy_with_its_event_or_neither() {
    for operation in 0.. {
        let disk = CutDisk::new(operation);
        let bench = declare(Bench::on(Arc::new(disk.clone()), Path::new("/data")));
        web(&bench, "web1", "staging");
        bench.fleet.start_deploy(start("1", "staging"), OPERATOR, at(10)).unwrap();
        disk.power_off_at(disk.operations() + operation);
        let is_done = bench.fleet.finish_deploy(&running("staging"), DeployResult::Ok, "", OPERATOR, at(20)).is_ok();
        let is_finished = !disk.is_off();
        disk.cut();
        let bench = declare(bench.reopen());
        let is_ended = bench.fleet.deploy(1).unwrap().state == DeployState::Ok;
        assert!(is_ended || !is_done, "operation {operation}: what was told to have ended runs again");
        assert_eq!(told(&bench).len(), 1 + usize::from(is_ended), "operation {operation}");
        // Told again it is so, once.
        bench.fleet.finish_deploy(&DeployRef::Id(1), DeployResult::Ok, "", OPERATOR, at(30)).unwrap();
        assert_eq!((told(&bench).len(), seen(&bench, "staging", 30).len()), (2, 1), "operation {operation}");
        if is_finished {
            assert!(operation > 2, "only {operation} operations were cut");
            return;
        }
    }
}
