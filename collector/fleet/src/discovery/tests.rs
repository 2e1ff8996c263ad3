//! Discovery over a real file: what hosts tell becomes items, and a restart at any moment changes nothing.

mod pieces;
mod rules;

use muster_common::host::HostId;
use muster_common::inventory::{Row, Rows, named};
use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};
use muster_common::wire::message::Report;
use muster_common::wire::record::encode_report;
use muster_store::{Position, ReplayEntry, ReportRecord, StateRecord};
use serde_json::json;

use super::*;
use crate::testing::{Bench, OPERATOR, after_each_cut, at, day};
use crate::{AnnouncementSpec, By, Event, EventKind, FleetError};

fn units(names: &[&str]) -> Rows {
    let row = |name: &&str| -> Row {
        vec![(*name).into(), "A service".into(), "loaded".into(), "active".into(), "running".into(), "enabled".into()]
    };
    Rows::of(named("units").unwrap(), names.iter().map(row)).unwrap()
}

fn ports(all: &[(i64, &str, &str)]) -> Rows {
    let row = |(port, process, unit): &(i64, &str, &str)| -> Row {
        vec!["tcp".into(), "::".into(), (*port).into(), (*process).into(), (*unit).into(), "root".into()]
    };
    Rows::of(named("listening_ports").unwrap(), all.iter().map(row)).unwrap()
}

fn mounts(paths: &[&str]) -> Rows {
    let row = |path: &&str| -> Row { vec![(*path).into(), "/dev/sdb1".into(), "ext4".into(), "rw".into()] };
    Rows::of(named("mounts").unwrap(), paths.iter().map(row)).unwrap()
}

fn whole(rows: &Rows) -> TableReport {
    let word = InventoryWord::Whole { part: 0, parts: 1, rows: rows.iter().cloned().collect() };
    TableReport { table: rows.table().number, digest: rows.digest().0, dropped: 0, word }
}

fn entry(number: u64, host: HostId, seconds: u64, tables: Vec<TableReport>) -> ReplayEntry {
    let look = InventoryReport { at_ms: at(seconds).millis(), since_ms: 0, tables, extensions: Vec::new() };
    let report = encode_report(&Report::Inventory(look)).unwrap().into();
    let records = vec![StateRecord::Report(ReportRecord { host, report })];
    ReplayEntry { position: Position { generation: 1, entry: number }, arrived: at(seconds), live: true, records }
}

/// One host and what it tells, each look a second before it is worked in.
struct World {
    bench: Bench,
    host: HostId,
    entries: u64,
}

impl World {
    fn new() -> Self {
        let bench = Bench::new();
        let host = bench.host("web1").id();
        Self { bench, host, entries: 0 }
    }

    fn tell(&mut self, seconds: u64, tables: Vec<TableReport>) {
        self.entries += 1;
        self.bench.fleet.apply(&[entry(self.entries, self.host, seconds, tables)]).unwrap();
        self.bench.fleet.discover(at(seconds + 1)).unwrap();
    }

    fn look(&mut self, seconds: u64, tables: &[&Rows]) {
        self.tell(seconds, tables.iter().map(|rows| whole(rows)).collect());
    }

    fn decide(&self, seconds: u64, decision: Decision, keys: &[&str]) {
        let items: Vec<_> = keys.iter().map(|key| (self.host, (*key).to_owned())).collect();
        let hindered = self.bench.fleet.decide_items(&items, decision, &ann(), "as agreed", at(seconds)).unwrap();
        assert!(hindered.is_empty(), "{hindered:?}");
    }

    /// `state key` of each item, by key.
    fn items(&self) -> Vec<String> {
        items(&self.bench)
    }

    fn texts(&self, kind: EventKind) -> Vec<String> {
        self.events(kind).into_iter().map(|event| event.text).collect()
    }

    fn events(&self, kind: EventKind) -> Vec<Event> {
        self.bench.events().into_iter().filter(|event| event.kind == kind).collect()
    }

    fn view(&self, key: &str) -> ItemView {
        let page = self.bench.fleet.discovery(&DiscoveryQuery::default(), at(0));
        page.items.into_iter().find(|item| item.key == key).unwrap()
    }
}

fn ann() -> By {
    By::user("ann", "192.0.2.1")
}

fn items(bench: &Bench) -> Vec<String> {
    let page = bench.fleet.discovery(&DiscoveryQuery::default(), at(0));
    page.items.iter().map(|item| format!("{} {}", item.state.as_str(), item.key)).collect()
}

#[test]
fn what_a_host_newly_has_is_proposed_watched_and_gone() {
    let mut world = World::new();
    let moved = world.bench.fleet.subscribe_discovery();
    let first = units(&["shop.service", "nginx.service"]);
    world.look(100, &[&first, &ports(&[(80, "nginx", "nginx.service")]), &mounts(&["/", "/srv/data"])]);
    let expect = ["proposed daemon:nginx", "proposed mount:/srv/data", "proposed unit:shop.service"];
    assert_eq!(world.items(), expect);
    let told = "host `web1` was looked at for the first time: 1 daemon, 1 unit, 1 mount proposed";
    assert_eq!(world.texts(EventKind::Discovered), [told]);
    assert!(*moved.borrow() > 0);
    assert_eq!(world.bench.fleet.accepted_checks(world.host), [], "nothing is accepted");

    // Java comes.
    let more = units(&["shop.service", "nginx.service", "tomcat.service"]);
    world.look(200, &[&more, &ports(&[(80, "nginx", "nginx.service"), (8_080, "java", "tomcat.service")])]);
    let told = world.texts(EventKind::Discovered);
    let port = "host `web1` has tcp port 8080 (process java, unit tomcat.service), which is new: accept or ignore it";
    let unit = "host `web1` has unit tomcat.service (A service), which is new: accept or ignore it";
    assert_eq!(told[1..], [port, unit]);
    let event = &world.events(EventKind::Discovered)[1];
    let fields = ["item", "kind", "state", "port", "process", "unit"].map(|name| event.fields[name].as_str());
    assert_eq!(fields, ["port:tcp/8080/java", "port", "proposed", "8080", "java", "tomcat.service"]);
    assert_eq!((event.host, event.kind.class().as_str()), (Some(world.host), "change"));
}

#[test]
fn what_is_accepted_is_watched_and_gone_when_it_went() {
    let mut world = World::new();
    let own = units(&["shop.service", "nginx.service", "tomcat.service"]);
    let listening = ports(&[(80, "nginx", "nginx.service"), (8_080, "java", "tomcat.service")]);
    world.look(100, &[&own, &listening, &mounts(&["/", "/srv/data"])]);
    world.decide(300, Decision::Accept, &["port:tcp/8080/java", "daemon:nginx", "mount:/srv/data"]);
    world.decide(300, Decision::Ignore, &["unit:shop.service", "unit:tomcat.service"]);
    let fleet = &world.bench.fleet;
    assert_eq!(fleet.accepted_daemons(world.host), ["nginx"]);
    let checks = fleet.accepted_checks(world.host);
    let names: Vec<_> =
        checks.iter().map(|(key, check)| format!("{key} {}", check["name"].as_str().unwrap())).collect();
    let expect =
        ["mount:/srv/data disk:srv:data", "mount:/srv/data mount:srv:data", "port:tcp/8080/java port:tcp:8080"];
    assert_eq!(names, expect);
    let told = world.texts(EventKind::ItemAccepted);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("accepted on host `web1`: tcp port 8080 (process java, unit tomcat.service); daemon nginx")
            && told[0].ends_with(": as agreed"),
        "{told:?}"
    );

    // The disk is unmounted: between the looks of 200 and 400 s.
    world.look(400, &[&mounts(&["/"]), &own]);
    assert_eq!(world.view("mount:/srv/data").went_ms, Some((at(100).millis(), at(400).millis())));
    assert_eq!(world.items()[1], "gone mount:/srv/data");
    assert_eq!(world.bench.fleet.accepted_checks(world.host), checks, "its checks stay");
    let gone = &world.events(EventKind::ItemGone)[0];
    assert!(gone.text.contains("no file system /srv/data (ext4, on /dev/sdb1) any more"), "{}", gone.text);
    assert_eq!(gone.fields["since_ms"], at(100).millis().to_string());

    // It is back, and goes again for good.
    world.look(500, &[&mounts(&["/", "/srv/data"])]);
    assert_eq!(
        (world.items()[1].as_str(), world.texts(EventKind::ItemReturned).len()),
        ("accepted mount:/srv/data", 1)
    );
    world.look(600, &[&mounts(&["/"])]);
    world.bench.fleet.maintain(day(7)).unwrap();
    assert_eq!(world.items()[1], "gone mount:/srv/data");
    world.bench.fleet.maintain(day(8)).unwrap();
    let archived = world.view("mount:/srv/data");
    assert_eq!(
        (archived.state, archived.reason.as_str(), archived.by.as_str()),
        (ItemState::Archived, "gone for 7 days", "muster")
    );
    assert!(world.texts(EventKind::ItemArchived)[0].ends_with("archived, gone for 7 days"));
    assert_eq!(world.bench.fleet.accepted_checks(world.host).len(), 1);
    // An accepted port whose process is seen no more under another name: nothing of it moved.
    assert_eq!(world.items()[2], "accepted port:tcp/8080/java");
    let before = world.items();
    world.bench = world.bench.reopen();
    assert_eq!((world.items(), world.bench.fleet.discover(at(999)).unwrap().left), (before, 0));
}

#[test]
fn what_was_announced_is_archived_with_its_reason_also_late() {
    let mut world = World::new();
    world.look(100, &[&units(&["a.service", "b.service"])]);
    world.decide(110, Decision::Accept, &["unit:a.service", "unit:b.service"]);
    let spec = |from: u64, to: u64| AnnouncementSpec {
        hosts: vec![world.host.to_string()],
        from_ms: at(from).millis(),
        to_ms: at(to).millis(),
        reason: "the shop moves".into(),
        ..AnnouncementSpec::default()
    };
    world.bench.fleet.announce(spec(150, 200), &ann(), at(150)).unwrap();
    let late = spec(260, 350);
    world.look(200, &[&units(&["b.service"])]);
    let one = world.view("unit:a.service");
    assert_eq!((one.state, one.reason.as_str(), one.by.as_str()), (ItemState::Archived, "the shop moves", "user:ann"));
    assert_eq!((world.events(EventKind::ItemGone).len(), world.events(EventKind::ItemArchived).len()), (0, 1));
    assert_eq!(world.bench.fleet.accepted_checks(world.host).len(), 1);
    // A downtime announces nothing: what does not come back after one is gone.
    let downtime = crate::status::DowntimeSpec {
        matchers: "host=web1".into(),
        starts_ms: at(210).millis(),
        ends_ms: at(310).millis(),
        owner: "user:ann".into(),
        reason: "reboot".into(),
        ..crate::status::DowntimeSpec::default()
    };
    world.bench.fleet.add_downtime(downtime, &ann(), at(210)).unwrap();
    world.look(300, &[&units(&[])]);
    assert_eq!(world.items()[1], "gone unit:b.service");
    world.bench.fleet.announce(late, &ann(), at(400)).unwrap();
    world.bench.fleet.maintain(at(460)).unwrap();
    assert_eq!(world.view("unit:b.service").reason, "the shop moves");
}

#[test]
fn when_an_accepted_certificate_ends_is_a_series() {
    let mut world = World::new();
    let row = |ends: i64| -> Row {
        let texts = ["/etc/a.pem", "1", "CN=a", "CN=ca", "a.example"];
        let sum = ["aa".to_owned()].map(Into::into);
        texts.map(Into::into).into_iter().chain([1.into(), ends.into()]).chain(sum).collect()
    };
    let certificates = |ends| Rows::of(named("certificates").unwrap(), [row(ends)]).unwrap();
    world.look(100, &[&certificates(5_000)]);
    let ends = |world: &World| -> Vec<(f64, String)> {
        let all = world.bench.fleet.stats().into_iter();
        let ours = all.filter(|stat| stat.name == "muster_collector_discovery_certificate_end_timestamp_seconds");
        ours.map(|stat| (stat.value, format!("{:?}", stat.labels))).collect()
    };
    assert!(ends(&world).is_empty(), "it is not accepted");
    world.decide(110, Decision::Accept, &["certificate:/etc/a.pem"]);
    world.look(200, &[&certificates(9_000)]);
    let told = ends(&world);
    assert!(told.len() == 1 && told[0].0 == 9_000.0, "{told:?}");
    assert!(told[0].1.contains("web1") && told[0].1.contains("/etc/a.pem"), "{told:?}");
}

#[test]
fn a_table_that_is_not_told_whole_makes_nothing_gone() {
    let mut world = World::new();
    world.look(100, &[&units(&["a.service"]), &ports(&[(80, "x", "")])]);
    world.decide(110, Decision::Accept, &["unit:a.service"]);
    let none = units(&[]);
    let failed = InventoryWord::Failed { problem: "systemd is silent".into() };
    world.tell(200, vec![TableReport { word: failed, ..whole(&none) }]);
    assert_eq!(world.items()[1], "accepted unit:a.service");
    // Truncated: what is not in it may be there.
    world.tell(300, vec![TableReport { dropped: 3, ..whole(&none) }]);
    assert_eq!(world.items()[1], "accepted unit:a.service");
    // New things of it are there all the same.
    let other = units(&["c.service"]);
    world.tell(400, vec![TableReport { dropped: 3, ..whole(&other) }]);
    assert_eq!(world.items()[1..], ["accepted unit:a.service", "proposed unit:c.service"]);
    // The same rows, and now they are all.
    world.tell(500, vec![TableReport { word: InventoryWord::Unchanged, ..whole(&other) }]);
    assert_eq!(world.items()[1..], ["gone unit:a.service", "proposed unit:c.service"]);
}

#[test]
fn a_silent_host_archives_nothing_and_a_retired_one_everything() {
    let mut world = World::new();
    world.look(100, &[&units(&["a.service", "b.service", "c.service"])]);
    world.decide(110, Decision::Accept, &["unit:a.service", "unit:b.service"]);
    world.look(200, &[&units(&["b.service", "c.service"])]);
    let note =
        crate::StandingNote { host: world.host, standing: crate::Standing::Silent, last_heard: None, goodbye: "" };
    world.bench.fleet.note_standings(&[note], at(300)).unwrap();
    world.bench.fleet.maintain(day(30)).unwrap();
    assert_eq!(world.items(), ["gone unit:a.service", "accepted unit:b.service", "proposed unit:c.service"]);
    world.bench.fleet.retire(world.host, "sold", OPERATOR, day(31)).unwrap();
    assert_eq!(world.items(), ["archived unit:a.service", "archived unit:b.service"]);
    assert_eq!(world.view("unit:b.service").reason, "retired");
    assert!(world.bench.fleet.accepted_checks(world.host).is_empty());
    let world = World { bench: world.bench.reopen(), ..world };
    assert_eq!(world.items().len(), 2);
    world.bench.fleet.maintain(day(39)).unwrap();
    assert!(world.items().is_empty(), "remembered for a week");
}

#[test]
fn decisions_are_of_all_or_of_none_and_name_what_hinders() {
    let mut world = World::new();
    world.look(100, &[&units(&["a.service", "b.service"])]);
    let fleet = &world.bench.fleet;
    let key = |key: &str| (world.host, key.to_owned());
    let (a, b, none) = (key("unit:a.service"), key("unit:b.service"), key("unit:\u{1b}none"));
    let stranger = (HostId([9; 16]), "unit:a.service".to_owned());
    let decide = |items: &[(HostId, String)], decision, reason: &str| {
        fleet.decide_items(items, decision, &ann(), reason, at(120))
    };
    let hindered = decide(&[a.clone(), none, stranger], Decision::Accept, "").unwrap();
    let told: Vec<String> = hindered.iter().map(|(place, error)| format!("{place} {error}")).collect();
    assert!(told[0].starts_with("1 host `web1` has no item `unit: none`: `muster discovery --host web1`"), "{told:?}");
    assert!(told.len() == 2 && told[1].starts_with("2 no host"), "{told:?}");
    assert!(world.items().iter().all(|item| item.starts_with("proposed")));
    let hindered = decide(std::slice::from_ref(&a), Decision::Archive, "old").unwrap();
    assert!(matches!(hindered[0].1, FleetError::WrongItem { .. }), "{hindered:?}");
    for (items, decision, reason) in [
        (vec![], Decision::Accept, String::new()),
        (vec![a.clone(); DECISIONS_MAX + 1], Decision::Accept, String::new()),
        (vec![a.clone()], Decision::Archive, " ".into()),
        (vec![a.clone()], Decision::Ignore, "x".repeat(1_025)),
    ] {
        assert!(matches!(decide(&items, decision, &reason), Err(FleetError::StatusSpec { .. })), "{reason}");
    }
    // The same twice is once; what is so already is no change.
    assert!(decide(&[a.clone(), a.clone(), b], Decision::Accept, "").unwrap().is_empty());
    assert!(decide(std::slice::from_ref(&a), Decision::Accept, "").unwrap().is_empty());
    assert_eq!(world.events(EventKind::ItemAccepted).len(), 1);
    let audited = fleet.audit(&crate::AuditQuery { limit: 10, ..Default::default() }).unwrap();
    assert_eq!((audited[0].object.as_str(), audited[0].by.as_str()), ("web1", "user:ann"));
    assert!(decide(&[a], Decision::Archive, "moved").unwrap().is_empty());
    assert_eq!(
        (world.items()[0].as_str(), world.view("unit:a.service").reason.as_str()),
        ("archived unit:a.service", "moved")
    );
}

#[test]
fn a_host_has_a_bound_of_items_and_the_rest_is_named() {
    let mut world = World::new();
    let names: Vec<String> = (0..600).map(|number| format!("u{number:03}.service")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.look(100, &[&units(&names[..510])]);
    let over = || world.bench.fleet.discovery(&DiscoveryQuery::default(), at(0)).over;
    assert_eq!((world.items().len(), over()[0].count, over()[0].first.len()), (500, 10, 10));
    assert_eq!(over()[0].first[0], "unit:u500.service");
    let told = world.texts(EventKind::Discovered);
    assert!(
        told[1].contains("more than 500 things to watch, so 10 are not taken, such as unit:u500.service"),
        "{told:?}"
    );
    // Twenty go, and give their places to those that waited.
    world.look(200, &[&units(&names[20..530])]);
    let page = world.bench.fleet.discovery(&DiscoveryQuery::default(), at(0));
    assert_eq!((page.items.len(), page.over[0].count), (500, 10));
    assert_eq!(page.items[0].key, "unit:u020.service");
    let told = world.texts(EventKind::Discovered);
    // Twenty that are new, no second word on those that are too many.
    assert_eq!(told.len(), 2 + 20, "{told:?}");
    world.look(300, &[&units(&names[20..100])]);
    assert!(world.bench.fleet.discovery(&DiscoveryQuery::default(), at(0)).over.is_empty());
    world.look(400, &[&units(&names[20..150])]);
    let told = world.texts(EventKind::Discovered);
    assert_eq!(told.len(), 2 + 20 + 21, "{told:?}");
    assert!(told.last().unwrap().contains("30 more things that are new"), "{told:?}");
}

#[test]
fn a_host_tells_of_so_many_new_things_in_an_hour_and_counts_the_rest() {
    let mut world = World::new();
    world.look(100, &[&units(&[])]);
    for round in 0..100_u64 {
        let name = format!("u{round}.service");
        world.look(110 + 2 * round, &[&units(&[&name])]);
    }
    let told = world.texts(EventKind::Discovered);
    assert_eq!(told.len(), 60, "{told:?}");
    let stats = world.bench.fleet.stats();
    let untold = stats.iter().find(|stat| stat.name == "muster_collector_discovery_untold_total").unwrap();
    assert_eq!(untold.value, 40.0);
    world.decide(400, Decision::Accept, &["unit:u99.service"]);
    world.look(410, &[&units(&[])]);
    assert_eq!(world.events(EventKind::ItemGone).len(), 1, "what is gone is told always");
    world.look(3_800, &[&units(&["new.service"])]);
    let last = world.texts(EventKind::Discovered).pop().unwrap();
    assert!(
        last.contains("new.service")
            && last.ends_with("before that 40 events were left out, since there were too many"),
        "{last}"
    );
}

#[test]
fn items_are_filtered_and_paged() {
    let bench = Bench::new();
    let hosts: Vec<HostId> = ["web1", "web2"].iter().map(|name| bench.host(name).id()).collect();
    for (number, host) in hosts.iter().enumerate() {
        let tables = vec![whole(&units(&["a.service", "b.service", "c.service"])), whole(&ports(&[(80, "x", "")]))];
        bench.fleet.apply(&[entry(number as u64 + 1, *host, 100, tables)]).unwrap();
    }
    assert_eq!(bench.fleet.discover(at(101)).unwrap(), Discovered { looked: 2, left: 0 });
    let mut all = hosts.clone();
    all.sort_unstable();
    let ask = |query: DiscoveryQuery| bench.fleet.discovery(&query, at(0));
    let mut query = DiscoveryQuery { limit: 3, ..DiscoveryQuery::default() };
    let mut seen = Vec::new();
    loop {
        let page = ask(query.clone());
        seen.extend(page.items.iter().map(|item| (item.host, item.key.clone())));
        let Some(next) = page.next else { break };
        assert_eq!(page.items.len(), 3);
        query.after = Some(next);
    }
    let expect = ask(DiscoveryQuery::default()).items;
    assert_eq!(seen, expect.iter().map(|item| (item.host, item.key.clone())).collect::<Vec<_>>());
    assert_eq!((seen.len(), seen[0].0, seen[7].0), (8, all[0], all[1]));
    let of = |hosts, state, kind: Option<&str>| {
        ask(DiscoveryQuery { hosts, state, kind: kind.map(str::to_owned), ..DiscoveryQuery::default() }).items.len()
    };
    assert_eq!(of(Some(vec![hosts[1]]), None, None), 4);
    assert_eq!(of(None, Some(ItemState::Proposed), Some("port")), 2);
    assert_eq!(
        (of(None, Some(ItemState::Gone), None), of(None, None, Some("x")), of(Some(vec![]), None, None)),
        (0, 0, 0)
    );
}

#[test]
fn only_hosts_whose_tables_changed_are_looked_at() {
    let bench = Bench::new();
    let hosts: Vec<HostId> = (0..250).map(|number| bench.host(&format!("h{number}")).id()).collect();
    let (one, two) = (units(&["a.service"]), units(&["a.service", "b.service"]));
    let tell = |number: u64, host: HostId, seconds: u64, word: TableReport| {
        bench.fleet.apply(&[entry(number, host, seconds, vec![word])]).unwrap();
    };
    let unchanged = || TableReport { word: InventoryWord::Unchanged, ..whole(&one) };
    for (number, host) in hosts.iter().enumerate() {
        tell(number as u64 + 1, *host, 100, whole(&one));
    }
    assert_eq!(bench.fleet.discover(at(101)).unwrap(), Discovered { looked: 200, left: 50 });
    assert_eq!(bench.fleet.discover(at(102)).unwrap(), Discovered { looked: 50, left: 0 });
    // All are heard again, one has something new, another something that is no thing to watch.
    for (number, host) in hosts.iter().enumerate() {
        tell(number as u64 + 1_000, *host, 200, unchanged());
    }
    tell(5_000, hosts[7], 300, whole(&two));
    tell(5_001, hosts[8], 300, whole(&mounts(&["/"])));
    let packages = Rows::of(named("packages").unwrap(), [vec!["dpkg".into(), "x".into(), "amd64".into(), "1".into()]]);
    tell(5_002, hosts[9], 300, whole(&packages.unwrap()));
    assert_eq!(bench.fleet.discover(at(301)).unwrap(), Discovered { looked: 2, left: 0 });
    let looks = bench.fleet.stats().into_iter().find(|stat| stat.name == "muster_collector_discovery_looks_total");
    assert_eq!(looks.unwrap().value, 252.0);
    assert_eq!(bench.fleet.discover(at(302)).unwrap(), Discovered::default());
    // A restart finds what it knows; only the look that changed no row is done again.
    let bench = bench.reopen();
    assert_eq!(bench.fleet.discover(at(303)).unwrap().looked, 0);
}

#[test]
fn hostile_names_come_back_as_they_are() {
    let mut world = World::new();
    let evil = "x\u{1b}[2J\n<b>\0";
    let long = "y".repeat(1_024);
    world.look(100, &[&ports(&[(80, evil, evil), (81, &long, "")])]);
    world.look(200, &[&ports(&[(80, evil, evil), (81, &long, ""), (82, evil, "")])]);
    let world = World { bench: world.bench.reopen(), ..world };
    let one = world.view(&format!("port:tcp/80/{evil}"));
    assert_eq!((one.fields["process"].as_str(), one.fields["unit"].as_str()), (evil, evil));
    world.decide(300, Decision::Accept, &[&one.key, &format!("port:tcp/81/{long}")]);
    assert_eq!(world.bench.fleet.accepted_checks(world.host).len(), 2);
    for event in world.bench.events() {
        assert!(!event.text.contains(char::is_control), "{}", event.text);
    }
}

/// What is known after all was worked in, with the events of discovery.
fn told(bench: &Bench) -> (Vec<String>, Vec<String>) {
    let is_ours = |event: &Event| {
        matches!(
            event.kind,
            EventKind::Discovered | EventKind::ItemGone | EventKind::ItemReturned | EventKind::ItemArchived
        )
    };
    (items(bench), bench.events().into_iter().filter(is_ours).map(|event| event.text).collect())
}

#[test]
fn a_cut_at_any_operation_changes_nothing() {
    use muster_common::disk::cut::CutDisk;
    let (before, after) = (units(&["a.service", "b.service"]), units(&["b.service", "c.service"]));
    let rule = || RuleSpec {
        name: "c".into(),
        kind: "unit".into(),
        items: "name=\"c.service\"".into(),
        hosts: String::new(),
        action: RuleAction::Accept,
    };
    let mut expect = None;
    for operation in 0.. {
        let disk = CutDisk::new(operation);
        let bench = Bench::on(std::sync::Arc::new(disk.clone()), std::path::Path::new("/data"));
        let host = bench.host("web1").id();
        let entries = [entry(1, host, 100, vec![whole(&before)]), entry(2, host, 200, vec![whole(&after)])];
        bench.fleet.apply(&entries[..1]).unwrap();
        bench.fleet.discover(at(101)).unwrap();
        let a = [(host, "unit:a.service".to_owned())];
        bench.fleet.decide_items(&a, Decision::Accept, &ann(), "", at(150)).unwrap();
        bench.fleet.put_discovery_rule(rule(), &ann(), at(160)).unwrap();
        // The cut falls into either transaction, the inventory's or ours.
        disk.power_off_at(disk.operations() + operation);
        let done = bench.fleet.apply(&entries).is_ok() && bench.fleet.discover(at(201)).is_ok();
        let is_finished = !disk.is_off();
        disk.cut();
        let bench = bench.reopen();
        bench.fleet.apply(&entries).unwrap();
        bench.fleet.discover(at(201)).unwrap();
        let found = told(&bench);
        assert_eq!(found, *expect.get_or_insert_with(|| found.clone()), "operation {operation}");
        assert_eq!(found.0, ["gone unit:a.service", "proposed unit:b.service", "accepted unit:c.service"]);
        assert_eq!(found.1.len(), 3, "{:?}", found.1);
        if is_finished {
            assert!(done && operation > 4, "only {operation} operations were cut");
            return;
        }
    }
}

#[test]
fn a_failed_commit_is_done_again_by_the_same_process() {
    let mut world = World::new();
    world.look(100, &[&units(&["a.service"])]);
    world.entries += 1;
    let next = entry(world.entries, world.host, 200, vec![whole(&units(&["a.service", "b.service"]))]);
    world.bench.fleet.apply(&[next]).unwrap();
    let moved = world.bench.fleet.subscribe_discovery();
    let before = *moved.borrow();
    world.bench.fleet.state.lock().close();
    assert_eq!(world.bench.fleet.discover(at(201)).unwrap().looked, 1);
    assert_eq!(world.items(), ["proposed unit:a.service", "proposed unit:b.service"]);
    assert!(*moved.borrow() > before, "who follows goes on following");
}

#[test]
fn applying_again_from_the_beginning_finds_the_same() {
    after_each_cut(
        |bench| {
            let host = bench.fleet.hosts().first().map(|row| row.id).unwrap_or_else(|| bench.host("web1").id());
            [
                entry(1, host, 100, vec![whole(&units(&["a.service"]))]),
                entry(2, host, 200, vec![whole(&units(&["a.service", "b.service"]))]),
            ]
        },
        |bench, reached, operation| {
            bench.fleet.discover(at(300)).unwrap();
            let expect = ["proposed unit:a.service", "proposed unit:b.service"];
            assert_eq!(items(bench), expect[..reached as usize], "operation {operation}");
        },
    );
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let mut world = World::new();
    world.look(100, &[&units(&["a.service"])]);
    let page = world.bench.fleet.discovery(&DiscoveryQuery::default(), at(0));
    assert_eq!(page.items[0].checks[0]["kind"], json!("unit"));
    let mut discovery = Discovery::default();
    let key = [&world.host.0[..], b"unit:a.service"].concat();
    for (key, value, told) in [
        (&key[..], &b"\x01{}"[..], "missing field"),
        (&key[..], &b"\x02{}"[..], "row version 2 is unknown"),
        (&key[..10], &b"\x01{}"[..], "no host and item"),
    ] {
        let why = discovery.load_item(key, value).unwrap_err();
        assert!(why.contains(told), "{why}");
    }
}
