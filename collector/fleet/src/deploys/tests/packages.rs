//! Deploys that nobody told of.

use muster_common::inventory::{Row, Rows, Value, named};
use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};
use muster_common::wire::message::Report;
use muster_common::wire::record::encode_report;
use muster_store::{Position, ReplayEntry, ReportRecord, StateRecord};

use super::*;
use crate::AnnouncementSpec;
use crate::testing::after_each_cut;

/// A look at a host's packages at these seconds.
fn look(number: u64, host: HostId, seconds: u64, packages: &[(&str, &str)]) -> ReplayEntry {
    let row = |(name, version): &(&str, &str)| -> Row {
        vec!["dpkg".into(), (*name).into(), "amd64".into(), (*version).into(), Value::Null, "installed".into()]
    };
    let rows = Rows::of(named("packages").unwrap(), packages.iter().map(row)).unwrap();
    let word = InventoryWord::Whole { part: 0, parts: 1, rows: rows.iter().cloned().collect() };
    let table = TableReport { table: rows.table().number, digest: rows.digest().0, dropped: 0, word };
    let look = InventoryReport { at_ms: ms(seconds), since_ms: 0, tables: vec![table], extensions: Vec::new() };
    let report = encode_report(&Report::Inventory(look)).unwrap().into();
    let records = vec![StateRecord::Report(ReportRecord { host, report })];
    ReplayEntry { position: Position { generation: 1, entry: number }, arrived: at(seconds + 1), live: true, records }
}

/// The rows that were recognised: version, hosts, whether nobody announced it.
fn recognised(bench: &Bench) -> Vec<(String, usize, bool)> {
    let all = bench.fleet.deploys(&DeployQuery { limit: 100, ..DeployQuery::default() });
    let all = all.into_iter().filter(|one| one.source == DeploySource::Package);
    all.map(|one| (one.version.clone(), one.hosts.len(), one.is_unannounced())).collect()
}

#[test]
fn a_change_of_a_services_package_is_a_deploy_that_nobody_announced() {
    let bench = declare(Bench::new());
    let (one, two) = (web(&bench, "web1", "staging"), web(&bench, "web2", "staging"));
    let stranger = bench.host("db1").id();
    bench
        .fleet
        .apply(&[
            look(1, one, 100, &[("bash", "5"), ("shop", "1.0")]),
            look(2, two, 100, &[("shop", "1.0")]),
            look(3, stranger, 100, &[("shop", "1.0")]),
        ])
        .unwrap();
    assert_eq!(recognised(&bench), [], "the first look changes nothing");
    bench
        .fleet
        .apply(&[
            look(4, one, 900, &[("bash", "6"), ("shop", "1.1")]),
            look(5, stranger, 900, &[("shop", "1.1")]),
            // Another host joins, and is told again.
            look(6, two, 950, &[("shop", "1.1")]),
            look(7, two, 960, &[("shop", "1.1")]),
        ])
        .unwrap();
    let bench = declare(bench.reopen());
    assert_eq!(recognised(&bench), [("1.1".to_owned(), 2, true)]);
    let row = bench.fleet.deploy(1).unwrap();
    assert_eq!(
        (row.package.as_str(), row.started_ms, row.ended_ms, row.state),
        ("shop", ms(100), Some(ms(950)), DeployState::Ok)
    );
    assert_eq!(seen(&bench, "staging", 1_000), [("1.1".to_owned(), 2, 50)]);
    let events = [
        "deploy_recognised: unannounced deploy of shop 1.1 to staging recognised: package shop on web1 changed from 1.0",
        "deploy_recognised: unannounced deploy of shop 1.1 to staging recognised: package shop on web2 changed from 1.0",
    ];
    assert_eq!(told(&bench), events);
    let event = bench.events().into_iter().find(|event| event.kind == EventKind::DeployRecognised).unwrap();
    assert_eq!(
        (event.host, event.fields["unannounced"].as_str(), event.fields["from"].as_str()),
        (Some(one), "true", "1.0")
    );
    // Back to the version before is a deploy of its own, and so is going there again.
    bench.fleet.apply(&[look(8, one, 1_800, &[("shop", "1.0")]), look(9, one, 2_700, &[("shop", "1.1")])]).unwrap();
    assert_eq!(recognised(&bench).len(), 3);
    // A package that goes is none.
    bench.fleet.apply(&[look(10, one, 3_600, &[("bash", "6")])]).unwrap();
    assert_eq!(recognised(&bench).len(), 3);
}

#[test]
fn a_deploy_that_was_told_covers_the_change_of_its_hosts() {
    let bench = declare(Bench::new());
    let (one, two) = (web(&bench, "web1", "staging"), web(&bench, "web2", "staging"));
    bench.fleet.apply(&[look(1, one, 100, &[("shop", "1.0")]), look(2, two, 100, &[("shop", "1.0")])]).unwrap();
    let canary = DeployStart { hosts: vec![one.to_string()], ..start("1.1", "staging") };
    bench.fleet.start_deploy(canary, OPERATOR, at(500)).unwrap();
    bench.fleet.finish_deploy(&running("staging"), DeployResult::Ok, "", OPERATOR, at(600)).unwrap();
    // Both looks are after its end; the change of the second host is none of its.
    bench.fleet.apply(&[look(3, one, 900, &[("shop", "1.1")]), look(4, two, 900, &[("shop", "1.1")])]).unwrap();
    assert_eq!(recognised(&bench), [("1.1".to_owned(), 1, true)]);
    assert_eq!(bench.fleet.deploy(2).unwrap().hosts, [two.to_string()]);
    // An announcement is no deploy, but says that somebody knew.
    let spec = AnnouncementSpec {
        matchers: "role=web".into(),
        from_ms: ms(1_000),
        to_ms: ms(2_000),
        reason: "upgrade".into(),
        ..AnnouncementSpec::default()
    };
    bench.fleet.announce(spec, OPERATOR, at(1_000)).unwrap();
    bench.fleet.apply(&[look(5, two, 1_800, &[("shop", "1.2")])]).unwrap();
    assert_eq!(recognised(&bench)[0], ("1.2".to_owned(), 1, false));
    assert_eq!(bench.fleet.deploy(3).unwrap().announced, "announcement 1");
}

#[test]
fn many_hosts_are_one_row_and_some_events() {
    let bench = declare(Bench::new());
    let hosts: Vec<HostId> = (0..25).map(|number| web(&bench, &format!("web{number}"), "staging")).collect();
    let looks = |first: u64, seconds: u64, version: &str| -> Vec<ReplayEntry> {
        hosts.iter().zip(first..).map(|(host, number)| look(number, *host, seconds, &[("shop", version)])).collect()
    };
    bench.fleet.apply(&looks(1, 100, "1")).unwrap();
    bench.fleet.apply(&looks(101, 900, "2")).unwrap();
    assert_eq!((recognised(&bench), told(&bench).len()), (vec![("2".to_owned(), 25, true)], 20));
    assert_eq!(seen(&bench, "staging", 1_000), [("2".to_owned(), 25, 100)]);
}

#[test]
fn a_power_cut_leaves_a_change_with_its_deploy_or_neither() {
    let entries = |bench: &Bench| {
        bench.fleet.set_deploy_settings(declared());
        let host = web(bench, "web1", "staging");
        [look(1, host, 100, &[("shop", "1")]), look(2, host, 200, &[("shop", "2")])]
    };
    after_each_cut(entries, |bench, known, operation| {
        bench.fleet.set_deploy_settings(declared());
        let expect = usize::from(known == 2);
        assert_eq!((recognised(bench).len(), told(bench).len()), (expect, expect), "operation {operation}");
    });
}
