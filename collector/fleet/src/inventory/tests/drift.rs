//! Drift against a naive comparison of every host with every other, what is left out, and what it costs.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::error::FleetError;

const ALL: DriftLimits = DriftLimits { host: None, with_own: false, told: usize::MAX };

/// Key, host's number and columns; a missing row has `-`, one that ought not to be `+`.
type Found = BTreeSet<(Row, u8, String)>;

fn id(number: u8) -> HostId {
    HostId([number; 16])
}

/// Hosts 1, 2, ... with these rows.
fn snapshot(table: &'static Table, hosts: &[Vec<Row>]) -> (InventorySnapshot, Vec<HostId>) {
    let mut state = Loading::new().finish();
    let ids: Vec<HostId> = (1..=hosts.len() as u8).map(id).collect();
    let reports = ids.iter().zip(hosts).map(|(host, rows)| {
        let rows = Rows::of(table, rows.clone()).unwrap();
        let look = InventoryReport { at_ms: ms(10), tables: vec![whole(&rows)], ..InventoryReport::default() };
        Reported { host: *host, arrived: at(10), is_live: true, report: Report::Inventory(look) }
    });
    let reports: Vec<Reported> = reports.collect();
    let step = state.plan(&reports, |_| Some("h".to_owned())).unwrap();
    state.take(step);
    ((*state.snapshot()).clone(), ids)
}

fn flat(found: &TableDrift) -> Found {
    let mut all = Found::new();
    for key in &found.keys {
        for other in &key.others {
            let how = match (&other.row, &key.expected) {
                (None, Some(_)) => "-".to_owned(),
                (Some(_), None) => "+".to_owned(),
                _ => other.columns.join(","),
            };
            all.insert((key.key.clone(), other.host.0[0], how));
        }
    }
    all
}

/// The same, each host's rows by key, each column counted by hand.
fn naive(table: &'static Table, hosts: &[Vec<Row>]) -> Found {
    let hosts: Vec<BTreeMap<Row, &Row>> =
        hosts.iter().map(|rows| rows.iter().map(|row| (row[..table.keys].to_vec(), row)).collect()).collect();
    let half = |count: usize| 2 * count > hosts.len();
    let keys: BTreeSet<&Row> = hosts.iter().flat_map(BTreeMap::keys).collect();
    let having = |key: &Row| hosts.iter().filter(|host| host.contains_key(key)).count();
    let (mut all, mut extra) = (Found::new(), Vec::new());
    for key in keys {
        let is_expected = half(having(key));
        for (number, host) in (1..).zip(&hosts) {
            match host.get(key) {
                None if is_expected => drop(all.insert((key.clone(), number, "-".into()))),
                Some(_) if half(hosts.len() - having(key)) => extra.push((key.clone(), number)),
                Some(row) if is_expected => {
                    let off = (table.keys..table.columns.len()).filter(|at| {
                        let same = |other: &Row| {
                            hosts.iter().filter(|host| host.get(key).is_some_and(|row| row[*at] == other[*at])).count()
                        };
                        let right = hosts.iter().filter_map(|host| host.get(key)).find(|row| half(same(row)));
                        !table.is_quiet(*at) && right.is_some_and(|right| right[*at] != row[*at])
                    });
                    let off: Vec<&str> = off.map(|at| table.columns[at].name).collect();
                    if !off.is_empty() {
                        all.insert((key.clone(), number, off.join(",")));
                    }
                }
                _ => {}
            }
        }
    }
    let kin = |key: &Row| key[..table.keys.saturating_sub(1)].to_vec();
    for (key, number) in &extra {
        let with = extra.iter().filter(|one| kin(&one.0) == kin(key)).map(|one| one.1).collect::<BTreeSet<_>>();
        if !half(with.len()) {
            all.insert((key.clone(), *number, "+".into()));
        }
    }
    all
}

fn some_rows(table: &'static Table, random: &mut fastrand::Rng) -> Vec<Row> {
    let mut rows: BTreeMap<Row, Row> = BTreeMap::new();
    for _ in 0..random.usize(0..9) {
        // Small numbers are drawn more often, so that there are majorities.
        let value = |column: &muster_common::inventory::Column, random: &mut fastrand::Rng| {
            let number = i64::from(random.u8(0..6).saturating_sub(3));
            match column.kind {
                muster_common::inventory::Kind::Text if random.u8(0..9) == 0 => Value::Null,
                muster_common::inventory::Kind::Text => Value::Text(number.to_string()),
                _ => number.into(),
            }
        };
        let row: Row = table.columns.iter().map(|column| value(column, random)).collect();
        rows.insert(row[..table.keys].to_vec(), row);
    }
    rows.into_values().collect()
}

#[test]
fn drift_is_what_a_naive_comparison_finds() {
    let mut random = fastrand::Rng::with_seed(11);
    let (mut others, mut owns, mut missing) = (0, 0, 0);
    for round in 0..120 {
        let names = ["packages", "listening_ports", "kernel", "users", "addresses", "routes"];
        let table = named(names[round % names.len()]).unwrap();
        let count = random.usize(3..9);
        let hosts: Vec<Vec<Row>> = (0..count).map(|_| some_rows(table, &mut random)).collect();
        let (snapshot, ids) = snapshot(table, &hosts);
        let found = &drift(&snapshot, table, &[&ids], Norm::Majority, ALL)[0];
        let expect = naive(table, &hosts);
        assert_eq!(flat(found), expect, "round {round}, {}", table.name);
        assert_eq!((found.rows, found.hosts), (expect.len() as u64, count));
        let counts: u64 = found.by_host.iter().map(|(_, count)| count).sum();
        assert_eq!(counts, found.rows);
        missing += expect.iter().filter(|one| one.2 == "-").count();
        others += expect.iter().filter(|one| !["-", "+"].contains(&one.2.as_str())).count();
        owns += found.own;
        // What the majority has is a baseline that finds at least as much of it, and whole groups are as their parts.
        let common = majority(&snapshot, table, &ids);
        let by_norm = &drift(&snapshot, table, &[&ids], Norm::Baseline(&common), ALL)[0];
        let of_expected = |found: Found| found.into_iter().filter(|one| one.2 != "+").collect::<BTreeSet<_>>();
        assert_eq!(of_expected(flat(by_norm)), of_expected(expect.clone()));
        let twice = drift(&snapshot, table, &[&ids, &ids[..1], &ids], Norm::Majority, ALL);
        assert_eq!((&twice[0], &twice[2], twice[1].rows), (found, found, 0));
        let one = DriftLimits { host: Some(ids[0]), ..ALL };
        let of_one = flat(&drift(&snapshot, table, &[&ids], Norm::Majority, one)[0]);
        assert_eq!(of_one, expect.into_iter().filter(|one| one.1 == 1).collect());
    }
    assert!(others > 50 && owns > 50 && missing > 50, "{others} {owns} {missing}");
}

#[test]
fn what_each_host_has_for_itself_is_no_drift_and_what_a_few_have_more_is() {
    let address = |last: u8| vec!["eth0".into(), Value::Text(format!("10.0.0.{last}")), 24.into()];
    let table = named("addresses").unwrap();
    let (all, ids) = snapshot(table, &[vec![address(1)], vec![address(2)], vec![address(3), address(9)]]);
    let found = &drift(&all, table, &[&ids], Norm::Majority, ALL)[0];
    assert_eq!((found.rows, found.own), (0, 4), "each has its own");
    let with_own = DriftLimits { with_own: true, ..ALL };
    assert_eq!(drift(&all, table, &[&ids], Norm::Majority, with_own)[0].rows, 4);

    let serial = |serial: &str, memory: i64| {
        vec![vec![
            "V".into(),
            "M".into(),
            serial.into(),
            Value::Null,
            Value::Null,
            Value::Null,
            "P".into(),
            8.into(),
            memory.into(),
        ]]
    };
    let table = named("hardware").unwrap();
    let (all, ids) = snapshot(table, &[serial("a", 64), serial("b", 64), serial("c", 32)]);
    let found = &drift(&all, table, &[&ids], Norm::Majority, ALL)[0];
    assert_eq!(flat(found), Found::from([(vec![], 3, "memory_bytes".to_owned())]));
    assert_eq!((found.undecided, found.keys[0].expected.as_ref().unwrap()[2].clone()), (1, Value::Null));

    let of = |more: &[&str]| more.iter().chain(&["bash"]).map(|name| package(name, "1")).collect::<Vec<_>>();
    let (all, ids) = snapshot(packages(), &[of(&["nmap"]), of(&[]), of(&[]), of(&[]), vec![]]);
    let found = &drift(&all, packages(), &[&ids], Norm::Majority, ALL)[0];
    let names: Vec<_> = found.keys.iter().map(|key| (key.key[1].clone(), key.expected.is_some())).collect();
    assert_eq!(names, [("bash".into(), true), ("nmap".into(), false)]);
    let first = DriftLimits { told: 1, ..ALL };
    let cut = &drift(&all, packages(), &[&ids], Norm::Majority, first)[0];
    assert_eq!((cut.keys.len(), cut.rows, &cut.keys[0]), (1, 2, &found.keys[0]));
    assert_eq!(drift(&all, packages(), &[&ids[..2]], Norm::Majority, ALL)[0].rows, 0, "of two neither is right");
    let strange = drift(&all, packages(), &[&[id(77)]], Norm::Majority, ALL);
    assert_eq!((strange[0].hosts, strange[0].rows), (0, 0));
}

#[test]
fn a_baseline_says_what_is_right_whatever_most_have() {
    let of = |version: &str| vec![package("bash", version), package("zsh", "1")];
    let (all, ids) = snapshot(packages(), &[of("2"), of("2"), of("1")]);
    let right = |name: &str| Expected { row: package(name, "1"), judged: super::super::drift::judged(packages()) };
    let baseline = [right("bash"), right("nginx")];
    let found = &drift(&all, packages(), &[&ids], Norm::Baseline(&baseline), ALL)[0];
    let found: Vec<_> = flat(found).into_iter().map(|(key, host, how)| (key[1].clone(), host, how)).collect();
    let expect = [
        ("bash", 1, "version"),
        ("bash", 2, "version"),
        ("nginx", 1, "-"),
        ("nginx", 2, "-"),
        ("nginx", 3, "-"),
        ("zsh", 1, "+"),
        ("zsh", 2, "+"),
        ("zsh", 3, "+"),
    ];
    assert_eq!(found, expect.map(|(name, host, how)| (Value::from(name), host, how.to_owned())), "all have zsh");
    let one = DriftLimits { with_own: true, ..ALL };
    assert_eq!(drift(&all, packages(), &[&ids[2..]], Norm::Baseline(&baseline), one)[0].rows, 2);
}

/// One group of all hosts, and many small ones.
#[test]
fn large_fleets_are_compared_by_numbers_of_rows() {
    const HOSTS: u64 = 200;
    let bench = super::size::filled(HOSTS);
    let snapshot = bench.fleet.inventory_of_all();
    let ids: Vec<HostId> = snapshot.hosts().map(|(id, _)| id).collect();
    let whole = drift(&snapshot, packages(), &[&ids], Norm::Majority, ALL);
    let parts: Vec<&[HostId]> = ids.chunks(3).collect();
    let of_parts = drift(&snapshot, packages(), &parts, Norm::Majority, ALL);
    // Five images that agree in all but versions, of which none has more than a fifth.
    assert_eq!((whole[0].rows, whole[0].undecided, whole[0].hosts), (0, 600, HOSTS as usize));
    assert_eq!(of_parts.len(), parts.len());
}

#[test]
fn what_is_pinned_stays_as_it_was_and_is_replaced_or_dropped() {
    let bench = Bench::new();
    let hosts = ["web1", "web2", "web3", "db1"].map(|name| bench.host(name).id());
    let of = |version: &str| rows(&[("bash", version), ("zsh", "5.9")]);
    let users = || Rows::of(named("users").unwrap(), [vec!["ann".into(), 7.into()]]).unwrap();
    let tell = |bench: &Bench, number: u64, seconds: u64, version: &str| {
        let told = hosts.iter().zip(number..);
        let told = told.map(|(host, number)| entry(number, *host, seconds, vec![whole(&of(version)), whole(&users())]));
        bench.fleet.apply(&told.collect::<Vec<_>>()).unwrap();
    };
    tell(&bench, 1, 100, "5.1");
    let spec = |matchers: &str, host, tables| BaselineSpec { matchers: matchers.to_owned(), host, tables };
    let fleet = &bench.fleet;
    let web = fleet.pin_baseline("web", &spec("host=~\"web.*\"", None, vec![]), OPERATOR, at(110)).unwrap();
    assert_eq!((web.rows, web.host.as_str(), &web.tables), (3, "", &vec!["packages".to_owned(), "users".to_owned()]));
    let by_host = spec("host=~\"web.*\"", Some(hosts[3]), vec![packages()]);
    let golden = fleet.pin_baseline("golden", &by_host, OPERATOR, at(110)).unwrap();
    assert_eq!((golden.rows, golden.host.as_str()), (2, "db1"));

    tell(&bench, 11, 200, "5.2");
    let bench = bench.reopen();
    let fleet = &bench.fleet;
    let mut webs = hosts[..3].to_vec();
    webs.sort_unstable();
    for name in ["web", "golden"] {
        let (baseline, rows, matched) = fleet.baseline(name).unwrap();
        assert_eq!((baseline.name.as_str(), matched.as_slice()), (name, webs.as_slice()));
        let norm = Norm::Baseline(&rows[&packages().number]);
        let found = drift(&fleet.inventory_of_all(), packages(), &[&matched], norm, ALL);
        assert_eq!((found[0].rows, found[0].keys.len()), (3, 1), "all have bash 5.2");
        let key = &found[0].keys[0];
        assert_eq!(
            (key.expected.as_ref().unwrap()[3].clone(), &key.others[0].columns),
            ("5.1".into(), &vec!["version"])
        );
    }
    fleet.pin_baseline("web", &spec("host=~\"web.*\"", None, vec![packages()]), OPERATOR, at(210)).unwrap();
    let (_, rows, matched) = fleet.baseline("web").unwrap();
    let norm = Norm::Baseline(&rows[&packages().number]);
    assert_eq!((rows.len(), drift(&fleet.inventory_of_all(), packages(), &[&matched], norm, ALL)[0].rows), (1, 0));
    fleet.unpin_baseline("golden", OPERATOR, at(220)).unwrap();
    assert_eq!(fleet.baselines().iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["web"]);
    assert_eq!((count(&bench, crate::tables::BASELINES), count(&bench, crate::tables::BASELINE_ROWS)), (1, 1));
    let refused =
        |name: &str, spec: &BaselineSpec| fleet.pin_baseline(name, spec, OPERATOR, at(230)).unwrap_err().to_string();
    for (name, bad, told) in [
        ("", spec("host=web1", None, vec![]), "its name"),
        ("a/b", spec("host=web1", None, vec![]), "without a slash"),
        ("a", spec("", None, vec![]), "it has no matchers"),
        ("a", spec("host", None, vec![]), "host"),
        ("a", spec("host=web1", None, vec![]), "fewer than three hosts match"),
        (
            "a",
            spec("host=web1", Some(hosts[0]), vec![named("mounts").unwrap()]),
            "nothing is known of what this host has",
        ),
    ] {
        assert!(refused(name, &bad).contains(told), "{}", refused(name, &bad));
    }
    let known = crate::inventory::BASELINES_MAX - fleet.baselines().len();
    let one = spec("host=web1", Some(hosts[0]), vec![packages()]);
    (0..known).for_each(|number| drop(fleet.pin_baseline(&number.to_string(), &one, OPERATOR, at(240)).unwrap()));
    assert!(refused("another", &one).contains("unpin some"));
    assert!(fleet.pin_baseline("web", &one, OPERATOR, at(250)).is_ok(), "one that is there is replaced");
    assert!(matches!(fleet.unpin_baseline("golden", OPERATOR, at(260)), Err(FleetError::NoBaseline { .. })));
    assert!(matches!(fleet.baseline("golden"), Err(FleetError::NoBaseline { .. })));
}

#[test]
fn hosts_that_are_off_become_numbers_once_something_changed() {
    let bench = Bench::new();
    let hosts = ["web1", "web2", "web3"].map(|name| bench.host(name).id());
    let tell = |number: u64, seconds: u64, versions: [&str; 3]| {
        let told = hosts.iter().zip(versions).zip(number..);
        let told = told
            .map(|((host, version), number)| entry(number, *host, seconds, vec![whole(&rows(&[("bash", version)]))]));
        bench.fleet.apply(&told.collect::<Vec<_>>()).unwrap();
    };
    let told = || -> Vec<(String, f64)> {
        let stats = bench.fleet.stats().into_iter().filter(|stat| {
            ["muster_collector_inventory_drift_hosts", "muster_collector_inventory_off_baseline_hosts"]
                .contains(&stat.name)
        });
        stats.map(|stat| (stat.labels[0].1.clone(), stat.value)).collect()
    };
    tell(1, 100, ["5.1", "5.1", "5.1"]);
    bench.fleet.maintain(at(110)).unwrap();
    assert_eq!(told(), [("all hosts".to_owned(), 0.0)]);
    let spec = BaselineSpec { matchers: "host=~\"web.*\"".to_owned(), host: None, tables: vec![packages()] };
    bench.fleet.pin_baseline("web", &spec, OPERATOR, at(120)).unwrap();
    tell(11, 200, ["5.1", "5.2", "5.2"]);
    assert_eq!(told().len(), 1, "nothing is counted where it is asked for");
    bench.fleet.maintain(at(210)).unwrap();
    assert_eq!(told(), [("all hosts".to_owned(), 1.0), ("web".to_owned(), 2.0)]);
    bench.fleet.unpin_baseline("web", OPERATOR, at(220)).unwrap();
    bench.fleet.maintain(at(230)).unwrap();
    assert_eq!(told(), [("all hosts".to_owned(), 1.0)]);
}
