//! Inventories over a real file: what a host tells, how it is asked about, and what bounds hold.

mod drift;
mod history;
mod size;

use muster_common::host::HostId;
use muster_common::inventory::{Difference, Row, Rows, Table, Value, named, numbered};
use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};
use muster_common::wire::message::Report;
use muster_common::wire::record::encode_report;
use muster_store::{Past, Position, Reborn, ReplayEntry, ReportRecord, StateRecord};

use super::log::Limits;
use super::*;
use crate::EventKind;
use crate::checks::Reported;
use crate::tables::{INVENTORY, INVENTORY_CHANGES, INVENTORY_TIMES};
use crate::testing::{Bench, OPERATOR, after_each_cut, at};

fn packages() -> &'static Table {
    named("packages").unwrap()
}

fn package(name: &str, version: &str) -> Row {
    vec!["dpkg".into(), name.into(), "amd64".into(), version.into(), Value::Null, "installed".into()]
}

/// The packages of these names and versions.
fn rows(of: &[(&str, &str)]) -> Rows {
    Rows::of(packages(), of.iter().map(|(name, version)| package(name, version))).unwrap()
}

fn word(rows: &Rows, word: InventoryWord) -> TableReport {
    TableReport { table: rows.table().number, digest: rows.digest().0, dropped: 0, word }
}

fn whole(rows: &Rows) -> TableReport {
    word(rows, InventoryWord::Whole { part: 0, parts: 1, rows: rows.iter().cloned().collect() })
}

fn changed(before: &Rows, after: &Rows) -> TableReport {
    let Difference { gone, now } = Difference::between(before, after);
    word(after, InventoryWord::Changed { from: before.digest().0, gone, now })
}

fn unchanged(rows: &Rows) -> TableReport {
    word(rows, InventoryWord::Unchanged)
}

fn failed(why: &str) -> TableReport {
    word(&rows(&[]), InventoryWord::Failed { problem: why.to_owned() })
}

/// A look of these seconds, that arrived a second later.
fn entry(number: u64, host: HostId, seconds: u64, tables: Vec<TableReport>) -> ReplayEntry {
    let look = InventoryReport { at_ms: ms(seconds), since_ms: 0, tables, extensions: Vec::new() };
    arriving(number, host, seconds + 1, look)
}

fn arriving(number: u64, host: HostId, arrived: u64, look: InventoryReport) -> ReplayEntry {
    let report = encode_report(&Report::Inventory(look)).unwrap().into();
    let records = vec![StateRecord::Report(ReportRecord { host, report })];
    ReplayEntry { position: Position { generation: 1, entry: number }, arrived: at(arrived), live: true, records }
}

fn ms(seconds: u64) -> i64 {
    at(seconds).millis()
}

/// Names and versions of a host's packages, at these seconds.
fn told(bench: &Bench, host: HostId, seconds: Option<u64>) -> Option<Vec<String>> {
    let rows = bench.fleet.inventory_rows(host, packages(), seconds.map(at)).unwrap()?;
    let text = |value: &Value| if let Value::Text(text) = value { text.clone() } else { String::new() };
    Some(rows.iter().map(|row| format!("{} {}", text(&row[1]), text(&row[3]))).collect())
}

/// Changes in words with their seconds, oldest first.
fn log(bench: &Bench, query: &ChangeQuery) -> Vec<String> {
    let page = bench.fleet.inventory_changes(query).unwrap();
    let seconds = |ms: i64| (ms - at(0).millis()) / 1_000;
    let told = page.changes.iter().rev();
    told.map(|one| format!("{} to {}: {}", seconds(one.since_ms), seconds(one.at_ms), one.words)).collect()
}

fn all() -> ChangeQuery {
    ChangeQuery { limit: usize::MAX, ..ChangeQuery::default() }
}

fn count(bench: &Bench, table: crate::tables::Table) -> usize {
    bench.fleet.scan(|reading| reading.pairs(table)).unwrap().len()
}

fn stat(bench: &Bench, name: &str) -> f64 {
    let name = format!("muster_collector_inventory_{name}");
    bench.fleet.stats().iter().find(|stat| stat.name == name).unwrap().value
}

#[test]
fn looks_become_rows_and_changes_as_of_any_moment() {
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let (one, two) = (rows(&[("bash", "5.1"), ("openssl", "3.0.1")]), rows(&[("bash", "5.1"), ("openssl", "3.0.2")]));
    let three = rows(&[("openssl", "3.0.2"), ("zsh", "5.9")]);
    assert_eq!((told(&bench, host, None), bench.fleet.inventory_digests(host)), (None, vec![]));
    let users = TableReport { table: 10, ..failed("/etc/passwd: gone") };
    let entries = [
        entry(1, host, 100, vec![whole(&one), users]),
        entry(2, host, 200, vec![unchanged(&one)]),
        entry(3, host, 300, vec![changed(&one, &two)]),
        entry(4, host, 400, vec![whole(&three)]),
    ];
    bench.fleet.apply(&entries).unwrap();
    let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    for (seconds, expect) in [
        (Some(99), None),
        (Some(100), list(&["bash 5.1", "openssl 3.0.1"])),
        (Some(299), list(&["bash 5.1", "openssl 3.0.1"])),
        (Some(300), list(&["bash 5.1", "openssl 3.0.2"])),
        (Some(400), list(&["openssl 3.0.2", "zsh 5.9"])),
        (None, list(&["openssl 3.0.2", "zsh 5.9"])),
    ] {
        assert_eq!(told(&bench, host, seconds), expect, "at {seconds:?}");
    }
    let expect = [
        "200 to 300: package openssl 3.0.1 -> 3.0.2",
        "300 to 400: package bash 5.1 is gone",
        "300 to 400: package zsh 5.9 is new",
    ];
    assert_eq!(log(&bench, &all()), expect);
    let tables = bench.fleet.inventory_tables(host);
    let of = |name: &str| tables.iter().find(|one| one.table.name == name).unwrap();
    let known = of("packages");
    assert_eq!((known.rows, known.digest, known.known_from_ms), (2, three.digest(), Some(ms(100))));
    assert_eq!((known.seen_ms, known.changed_ms, known.problem.as_str()), (ms(400), ms(400), ""));
    assert_eq!((of("users").known_from_ms, of("users").problem.as_str()), (None, "/etc/passwd: gone"));
    assert_eq!(bench.fleet.inventory_digests(host), [(6, three.digest())]);
    assert_eq!(*bench.fleet.subscribe_inventory().borrow(), 3);
    let since = |name: &str| {
        let key = ["dpkg".into(), name.into(), "amd64".into()];
        bench.fleet.inventory_since(host, packages(), &key).unwrap()
    };
    assert_eq!(since("openssl"), Some(RowSince::Changed { since_ms: ms(200), at_ms: ms(300) }));
    assert_eq!(since("bash"), None);
    let told = bench.events().into_iter().filter(|event| event.kind == EventKind::InventoryChange);
    let texts: Vec<String> = told.map(|event| event.text).collect();
    assert_eq!(texts.len(), 2, "the first look is no news");
    assert_eq!(texts[1], "host `web1` has changed: package bash 5.1 is gone; package zsh 5.9 is new");
}

#[test]
fn two_hosts_and_two_moments_are_compared_and_all_are_seen_at_once() {
    let bench = Bench::new();
    let (web, db) = (bench.host("web1").id(), bench.host("db1").id());
    let (one, two) = (rows(&[("bash", "5.1")]), rows(&[("bash", "5.2"), ("zsh", "5.9")]));
    let entries = [
        entry(1, web, 100, vec![whole(&one)]),
        entry(2, db, 150, vec![whole(&one)]),
        entry(3, web, 200, vec![changed(&one, &two)]),
    ];
    bench.fleet.apply(&entries).unwrap();
    let difference = |one, other| {
        let changes = bench.fleet.inventory_difference(one, other, packages()).unwrap()?;
        let version = |row: &Option<Row>| row.as_ref().map_or("-".to_owned(), |row| format!("{:?}", row[3]));
        Some(changes.iter().map(|one| version(&one.before) + " " + &version(&one.after)).collect::<Vec<_>>())
    };
    let expect = [r#"Text("5.1") Text("5.2")"#, r#"- Text("5.9")"#];
    assert_eq!(difference((web, Some(at(100))), (web, None)).unwrap(), expect);
    assert_eq!(difference((db, None), (web, None)).unwrap(), expect);
    assert_eq!(difference((db, None), (web, Some(at(199)))).unwrap(), [""; 0]);
    assert_eq!(difference((db, Some(at(149))), (web, None)), None, "not known for then");
    let versions = |snapshot: &InventorySnapshot, host| -> Vec<Value> {
        snapshot.rows(host, packages()).map(|row| row[3].clone()).collect()
    };
    let now = bench.fleet.inventory_of_all();
    let number = |snapshot: &InventorySnapshot, host: HostId| {
        snapshot.host(host).unwrap().table(packages()).unwrap().numbers()[0]
    };
    assert_eq!((versions(&now, web), versions(&now, db)), (vec!["5.2".into(), "5.9".into()], vec!["5.1".into()]));
    let then = bench.fleet.inventory_of_all_at(at(170)).unwrap();
    assert_eq!((versions(&then, web), versions(&then, db)), (vec!["5.1".into()], vec!["5.1".into()]));
    let digest = then.host(web).unwrap().table(packages()).unwrap().digest;
    assert_eq!(digest, one.digest());
    let before = bench.fleet.inventory_of_all_at(at(120)).unwrap();
    assert_eq!((versions(&before, web).len(), versions(&before, db).len()), (1, 0));
    // What a reader holds stays, and equal rows are one.
    let held = bench.fleet.inventory_of_all();
    bench.fleet.apply(&[entry(4, db, 300, vec![changed(&one, &two)])]).unwrap();
    assert_eq!((versions(&held, db), versions(&bench.fleet.inventory_of_all(), db).len()), (vec!["5.1".into()], 2));
    let now = bench.fleet.inventory_of_all();
    assert_eq!(number(&now, web), number(&now, db));
    assert_eq!(bench.fleet.inventory.read().different(packages()), 2);
}

#[test]
fn what_does_not_follow_is_asked_for_once_a_minute_and_whole_tables_come_in_parts() {
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let (one, two) = (rows(&[("a", "1"), ("b", "1")]), rows(&[("a", "2"), ("b", "1"), ("c", "1")]));
    let wanted = || bench.fleet.take_inventory_wanted();
    bench.fleet.apply(&[entry(1, host, 10, vec![unchanged(&one)])]).unwrap();
    assert_eq!((wanted(), wanted(), told(&bench, host, None)), (vec![(host, vec![6])], vec![], None));
    bench.fleet.apply(&[entry(2, host, 20, vec![changed(&one, &two)])]).unwrap();
    assert_eq!(wanted(), [], "it was asked ten seconds ago");
    let part = |rows: &Rows, part: u16| {
        let all: Vec<Row> = rows.iter().cloned().collect();
        let piece = all.chunks(1).nth(part.into()).unwrap().to_vec();
        word(rows, InventoryWord::Whole { part, parts: all.len() as u16, rows: piece })
    };
    bench.fleet.apply(&[entry(3, host, 90, vec![part(&two, 0)])]).unwrap();
    bench.fleet.apply(&[entry(4, host, 90, vec![part(&two, 1)])]).unwrap();
    assert_eq!(told(&bench, host, None), None);
    // A restart forgets the parts.
    let bench = bench.reopen();
    bench.fleet.apply(&[entry(5, host, 90, vec![part(&two, 2)])]).unwrap();
    assert_eq!((told(&bench, host, None), bench.fleet.take_inventory_wanted()), (None, vec![(host, vec![6])]));
    let parts = (0..3).map(|number| part(&two, number)).collect();
    bench.fleet.apply(&[entry(6, host, 100, parts)]).unwrap();
    assert_eq!(told(&bench, host, None).unwrap(), ["a 2", "b 1", "c 1"]);
    // Of another look, out of order, or to another digest.
    bench.fleet.apply(&[entry(7, host, 110, vec![part(&one, 0)]), entry(8, host, 120, vec![part(&one, 1)])]).unwrap();
    let lie = TableReport { digest: 5, ..whole(&one) };
    bench.fleet.apply(&[entry(9, host, 400, vec![lie])]).unwrap();
    assert_eq!(told(&bench, host, None).unwrap(), ["a 2", "b 1", "c 1"], "what was known stands");
    assert_eq!((log(&bench, &all()), stat(&bench, "asked_total")), (vec![], 2.0));
}

#[test]
fn rows_that_break_a_rule_are_refused_by_name_and_unknown_tables_are_passed_over() {
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let one = rows(&[("a", "1")]);
    let table = |rows: Vec<Row>| TableReport { word: InventoryWord::Whole { part: 0, parts: 1, rows }, ..whole(&one) };
    let later = TableReport { table: 200, ..whole(&one) };
    bench.fleet.apply(&[entry(1, host, 10, vec![whole(&one), later])]).unwrap();
    let problem = || bench.fleet.inventory_tables(host)[0].problem.clone();
    let other = |table: TableReport| TableReport { digest: 1, ..table };
    bench.fleet.apply(&[entry(2, host, 20, vec![other(table(vec![vec![Value::Null; 9]]))])]).unwrap();
    assert_eq!(
        problem(),
        "a row of table packages has 9 values, and there are 6 columns: upgrade whichever of agent and collector is older"
    );
    assert_eq!(
        (told(&bench, host, None).unwrap(), bench.fleet.inventory_tables(host).len()),
        (vec!["a 1".to_owned()], 1)
    );
    let long = "x".repeat(1_000);
    let many = (0..4_500).map(|number| package(&format!("p{number}"), &long)).collect::<Vec<_>>();
    let halves = many.chunks(2_250).zip(0..).map(|(rows, part)| TableReport {
        word: InventoryWord::Whole { part, parts: 2, rows: rows.to_vec() },
        ..other(whole(&one))
    });
    let halves: Vec<_> = halves.map(|half| entry(0, host, 30, vec![half])).zip(3..).collect();
    for (half, number) in halves {
        let position = Position { generation: 1, entry: number };
        bench.fleet.apply(&[ReplayEntry { position, ..half }]).unwrap();
    }
    assert_eq!(problem(), "its rows are more than 4 MiB: leave some of them out on the host");
    assert_eq!((stat(&bench, "refused_total"), bench.fleet.take_inventory_wanted()), (2.0, vec![]));
    bench.fleet.apply(&[entry(9, host, 40, vec![unchanged(&one)])]).unwrap();
    assert_eq!(problem(), "");
}

#[test]
fn a_replay_a_restart_and_a_restore_change_nothing() {
    let bench = Bench::new();
    bench.fleet.set_incarnation(1, Past::default(), at(1)).unwrap();
    let host = bench.host("web1").id();
    let versions: Vec<Rows> = (0..6).map(|number| rows(&[("a", &number.to_string()), ("b", "1")])).collect();
    let mut entries = vec![entry(1, host, 100, vec![whole(&versions[0])])];
    for (pair, number) in versions.windows(2).zip(2..) {
        let told = if number % 2 == 0 { changed(&pair[0], &pair[1]) } else { whole(&pair[1]) };
        entries.push(entry(number, host, 100 * number, vec![told]));
    }
    let all_of = |bench: &Bench| {
        let events = bench.kinds().into_iter().filter(|kind| *kind == EventKind::InventoryChange).count();
        (
            log(bench, &all()),
            told(bench, host, Some(350)),
            told(bench, host, None),
            events,
            count(bench, INVENTORY_TIMES),
        )
    };
    bench.fleet.apply(&entries[..3]).unwrap();
    bench.fleet.apply(&entries).unwrap();
    let expect = all_of(&bench);
    assert_eq!((expect.0.len(), expect.1.clone().unwrap()[0].as_str(), expect.3, expect.4), (5, "a 2", 5, 5));
    let bench = bench.reopen();
    assert_eq!(all_of(&bench), expect);
    bench.fleet.apply(&entries).unwrap();
    let past = Past { reborn: Some(Reborn::Restored), last_arrival: None };
    bench.fleet.set_incarnation(2, past, at(9)).unwrap();
    for entry in &entries {
        bench.fleet.apply(std::slice::from_ref(entry)).unwrap();
    }
    assert_eq!((all_of(&bench), bench.fleet.take_inventory_wanted()), (expect, vec![]));
}

#[test]
fn a_change_is_durable_with_the_position_that_names_it() {
    let (one, two) = (rows(&[("a", "1")]), rows(&[("a", "2"), ("b", "1")]));
    let entries = |bench: &Bench| {
        let host = bench.host("web1").id();
        [entry(1, host, 100, vec![whole(&one)]), entry(2, host, 200, vec![changed(&one, &two)])]
    };
    after_each_cut(entries, |bench, known, operation| {
        let host = bench.fleet.hosts()[0].id;
        let expect = if known == 2 { &two } else { &one };
        assert_eq!(
            &bench.fleet.inventory_rows(host, packages(), None).unwrap().unwrap(),
            expect,
            "operation {operation}"
        );
        let events = bench.kinds().into_iter().filter(|kind| *kind == EventKind::InventoryChange).count();
        let changes = (count(bench, INVENTORY_CHANGES), count(bench, INVENTORY_TIMES), events);
        assert_eq!(changes, if known == 2 { (2, 2, 1) } else { (0, 0, 0) }, "operation {operation}");
    });
}

#[test]
fn changes_are_found_by_host_table_key_text_and_time_page_by_page() {
    let bench = Bench::new();
    let (web, db) = (bench.host("web1").id(), bench.host("db1").id());
    let versions: Vec<Rows> = (0..5).map(|number| rows(&[("a", &number.to_string()), ("OpenSSL", "3")])).collect();
    let mut number = 0;
    for (host, ahead) in [(web, 0), (db, 50)] {
        for (at, version) in versions.iter().enumerate() {
            number += 1;
            let seconds = 100 * (at as u64 + 1) + ahead;
            bench.fleet.apply(&[entry(number, host, seconds, vec![whole(version)])]).unwrap();
        }
    }
    assert_eq!(log(&bench, &all()).len(), 8);
    let of = |query: ChangeQuery| log(&bench, &query).len();
    assert_eq!(of(ChangeQuery { hosts: Some(vec![web]), ..all() }), 4);
    assert_eq!(of(ChangeQuery { hosts: Some(vec![web, db]), ..all() }), 8);
    assert_eq!(of(ChangeQuery { hosts: Some(vec![]), ..all() }), 0);
    assert_eq!(of(ChangeQuery { table: named("users"), ..all() }), 0);
    assert_eq!(of(ChangeQuery { key: vec!["dpkg".into(), "a".into()], ..all() }), 8);
    assert_eq!(of(ChangeQuery { key: vec!["rpm".into()], ..all() }), 0);
    assert_eq!(
        (of(ChangeQuery { text: "DPKG".into(), ..all() }), of(ChangeQuery { text: "openssl".into(), ..all() })),
        (8, 0)
    );
    for hosts in [None, Some(vec![web])] {
        let query = ChangeQuery { hosts: hosts.clone(), from_ms: ms(300), to_ms: ms(400), ..all() };
        assert_eq!(of(query), if hosts.is_none() { 3 } else { 2 });
        let mut query = ChangeQuery { hosts: hosts.clone(), limit: 3, ..all() };
        let mut seen = Vec::new();
        loop {
            let page = bench.fleet.inventory_changes(&query).unwrap();
            seen.extend(page.changes.iter().map(|one| (one.host, one.at_ms)));
            let Some(next) = page.next else { break };
            query.before = ChangeCursor::parse(&next.to_string());
            assert_eq!(query.before, Some(next));
        }
        assert_eq!(seen.len(), if hosts.is_none() { 8 } else { 4 });
        assert!(seen.windows(2).all(|two| two[0].1 > two[1].1), "newest first, each once");
    }
    assert_eq!((ChangeCursor::parse("00"), ChangeCursor::parse("x\u{e9}")), (None, None));
}

#[test]
fn the_oldest_changes_go_and_the_past_that_they_told_is_not_known_any_more() {
    let bench = Bench::new();
    let (web, db) = (bench.host("web1").id(), bench.host("db1").id());
    let versions: Vec<Rows> = (0..9).map(|number| rows(&[("a", &number.to_string())])).collect();
    bench.fleet.inventory.write().limits = Limits { kept_ms: 1_000_000, all: 6, of_host: 4 };
    let mut number = 0;
    let mut tell = |host, seconds, version: usize| {
        number += 1;
        bench.fleet.apply(&[entry(number, host, seconds, vec![whole(&versions[version])])]).unwrap();
    };
    tell(db, 50, 0);
    tell(db, 60, 1);
    for version in 0..7 {
        tell(web, 100 * (version as u64 + 1), version);
    }
    // Of the six of web1 the first two went, since a host has at most four.
    assert_eq!((log(&bench, &all()).len(), stat(&bench, "changes_dropped_total")), (5, 2.0));
    assert_eq!((told(&bench, web, Some(299)), told(&bench, web, Some(300)).unwrap()), (None, vec!["a 2".to_owned()]));
    assert_eq!(told(&bench, db, Some(55)).unwrap(), ["a 0"]);
    tell(db, 800, 2);
    tell(db, 900, 3);
    assert_eq!((told(&bench, db, Some(55)), told(&bench, db, Some(60)).unwrap()), (None, vec!["a 1".to_owned()]));
    let bench = bench.reopen();
    assert_eq!(
        (told(&bench, web, Some(299)), told(&bench, db, Some(55)), count(&bench, INVENTORY_TIMES)),
        (None, None, 6)
    );
    bench.fleet.inventory.write().limits = Limits { kept_ms: 1_000_000, ..Limits::default() };
    bench.fleet.apply(&[entry(99, db, 1_500, vec![whole(&versions[8])])]).unwrap();
    assert_eq!((log(&bench, &all()).len(), stat(&bench, "changes_dropped_total")), (5, 0.0), "what went was over");
    assert_eq!((told(&bench, web, Some(499)), told(&bench, web, Some(500)).unwrap()), (None, vec!["a 4".to_owned()]));
}

#[test]
fn a_clock_that_is_ahead_or_set_back_keeps_the_log_in_order() {
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let versions: Vec<Rows> = (0..4).map(|number| rows(&[("a", &number.to_string())])).collect();
    let look =
        |at_ms, since_ms, table| InventoryReport { at_ms, since_ms, tables: vec![table], extensions: Vec::new() };
    let tables = [whole(&versions[0]), changed(&versions[0], &versions[1]), changed(&versions[1], &versions[2])];
    let [first, second, third] = tables;
    let entries = [
        arriving(1, host, 100, look(ms(500), 0, first)),
        // Its clock was set right.
        arriving(2, host, 200, look(ms(50), ms(900), second)),
        arriving(3, host, 300, look(ms(290), ms(250), third)),
        // A spool that was kept hands out an older look.
        arriving(4, host, 50, look(ms(40), 0, whole(&versions[3]))),
    ];
    bench.fleet.apply(&entries).unwrap();
    assert_eq!(log(&bench, &all()), ["100 to 100: package a 0 -> 1", "250 to 290: package a 1 -> 2"]);
    assert_eq!((told(&bench, host, Some(99)), told(&bench, host, Some(100)).unwrap()), (None, vec!["a 1".to_owned()]));
}

#[test]
fn quiet_columns_are_kept_and_no_news() {
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let units = named("units").unwrap();
    let unit = |state: &str, file: &str| {
        let row: Row = vec!["a.service".into(), "A".into(), "loaded".into(), state.into(), Value::Null, file.into()];
        Rows::of(units, [row]).unwrap()
    };
    let (one, two) = (unit("active", "enabled"), unit("failed", "enabled"));
    let three = unit("active", "disabled");
    let entries = [
        entry(1, host, 100, vec![whole(&one)]),
        entry(2, host, 200, vec![changed(&one, &two)]),
        entry(3, host, 300, vec![changed(&two, &three)]),
    ];
    bench.fleet.apply(&entries).unwrap();
    let texts: Vec<String> = bench
        .events()
        .into_iter()
        .filter(|event| event.kind == EventKind::InventoryChange)
        .map(|event| event.text)
        .collect();
    assert_eq!(texts, ["host `web1` has changed: unit a.service: file_state enabled -> disabled"]);
    let news: Vec<bool> =
        bench.fleet.inventory_changes(&all()).unwrap().changes.iter().map(|one| one.is_news).collect();
    assert_eq!(news, [true, false]);
}

#[test]
fn the_inventory_goes_with_its_host_and_follows_its_name() {
    let bench = Bench::new();
    let (web, db) = (bench.host("web1").id(), bench.host("db1").id());
    let (one, two) = (rows(&[("a", "1")]), rows(&[("a", "2")]));
    let stranger = HostId([9; 16]);
    let entries: Vec<_> =
        [(1, web), (2, db), (3, stranger)].map(|(n, host)| entry(n, host, 100, vec![whole(&one)])).into();
    bench.fleet.apply(&entries).unwrap();
    bench.fleet.apply(&[entry(4, web, 200, vec![changed(&one, &two)])]).unwrap();
    bench.fleet.rename(db, "db2", OPERATOR, at(300)).unwrap();
    assert_eq!((told(&bench, db, None).unwrap().len(), told(&bench, stranger, None)), (1, None));
    let rows_before = count(&bench, INVENTORY);
    bench.fleet.retire(web, "sold", OPERATOR, at(400)).unwrap();
    let judge = |bench: &Bench| {
        assert_eq!((told(bench, web, None), bench.fleet.inventory_tables(web)), (None, vec![]));
        assert_eq!((count(bench, INVENTORY), rows_before), (2, 4));
        assert_eq!(log(bench, &all()), ["100 to 200: package a 1 -> 2"], "changes stay until their time is up");
        assert_eq!(bench.fleet.inventory.read().different(packages()), 1);
    };
    judge(&bench);
    bench.fleet.apply(&[entry(5, web, 500, vec![whole(&one)])]).unwrap();
    judge(&bench);
    judge(&bench.reopen());
}

#[test]
fn parts_that_wait_are_bounded_and_the_oldest_go() {
    let mut state = Loading::new().finish();
    let long = "x".repeat(1_000);
    // Some 4.1 MB: sixteen of them are within the bound.
    let rows: Vec<Row> = (0..3_900).map(|number| package(&format!("p{number}"), &long)).collect();
    let part = word(&self::rows(&[]), InventoryWord::Whole { part: 0, parts: 2, rows });
    for host in 0..18 {
        let seconds = u64::from(host);
        let tables = vec![TableReport { digest: 5, ..part.clone() }];
        let look = InventoryReport { at_ms: ms(seconds), tables, ..InventoryReport::default() };
        let arrived = at(seconds);
        let one = Reported { host: HostId([host; 16]), arrived, is_live: true, report: Report::Inventory(look) };
        let step = state.plan(&[one], |_| Some("web".to_owned())).unwrap();
        state.take(step);
    }
    let waits = |host| state.partials.contains_key(&(HostId([host; 16]), 6));
    assert_eq!((state.partials.len(), waits(0), waits(1), waits(2), waits(17)), (16, false, false, true, true));
}

#[test]
fn a_commit_that_failed_is_applied_again() {
    let bench = Bench::new();
    let host = bench.host("web1").id();
    let (one, two) = (rows(&[("a", "1")]), rows(&[("a", "2")]));
    bench.fleet.apply(&[entry(1, host, 100, vec![whole(&one)])]).unwrap();
    bench.fleet.state.lock().close();
    bench.fleet.apply(&[entry(2, host, 200, vec![changed(&one, &two)])]).unwrap();
    assert_eq!(told(&bench, host, None).unwrap(), ["a 2"]);
    assert!(numbered(6) == Some(packages()) && !bench.fleet.inventory_digests(host).is_empty());
}
