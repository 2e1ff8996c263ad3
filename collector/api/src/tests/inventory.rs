//! What hosts have and are, and every change: told by reports, asked by every route.

use muster_common::host::HostId;
use muster_common::inventory::{Difference, Row, Rows, Value as Cell, named};
use muster_common::time::Timestamp;
use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};
use muster_common::wire::message::Report;
use muster_common::wire::record::encode_report;
use muster_store::{Position, ReplayEntry, ReportRecord, StateRecord};
use serde_json::{Value, json};

use super::fixture::{Fixture, NOW_MS, now};
use super::muster::ask;

const PACKAGES: &str = "packages";

fn package(name: &str, version: &str) -> Row {
    [Cell::from("dpkg"), name.into(), "amd64".into(), version.into(), Cell::Null, "installed".into()].into()
}

pub(super) fn packages(rows: &[(&str, &str)]) -> Rows {
    Rows::of(named(PACKAGES).unwrap(), rows.iter().map(|(name, version)| package(name, version))).unwrap()
}

/// Two hosts that are let in.
pub(super) async fn two_hosts() -> (Fixture, [HostId; 2]) {
    let fixture = Fixture::new();
    for (name, number) in [("web-1", 1), ("web-2", 2)] {
        ask(&fixture, name, number);
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), "{}").await;
    }
    let hosts = ["web-1", "web-2"].map(|name| fixture.fleet().find(name).unwrap());
    (fixture, hosts)
}

/// A look that ended so many seconds ago, after one 60 s before it.
fn tell(fixture: &Fixture, entry: u64, host: HostId, ago: i64, digest: u64, word: InventoryWord) {
    let at_ms = NOW_MS - ago * 1_000;
    let table = named(PACKAGES).unwrap().number;
    let tables = vec![TableReport { table, digest, dropped: 0, word }];
    let report = Report::Inventory(InventoryReport { at_ms, since_ms: at_ms - 60_000, tables, extensions: Vec::new() });
    let records = vec![StateRecord::Report(ReportRecord { host, report: encode_report(&report).unwrap().into() })];
    let (position, arrived) = (Position { generation: 1, entry }, Timestamp::from_millis(at_ms));
    fixture.fleet().apply(&[ReplayEntry { position, arrived, live: true, records }]).unwrap();
}

pub(super) fn whole(fixture: &Fixture, entry: u64, host: HostId, ago: i64, rows: &Rows) {
    let word = InventoryWord::Whole { part: 0, parts: 1, rows: rows.iter().cloned().collect() };
    tell(fixture, entry, host, ago, rows.digest().0, word);
}

pub(super) fn changed(fixture: &Fixture, entry: u64, host: HostId, ago: i64, (before, after): (&Rows, &Rows)) {
    let Difference { gone, now } = Difference::between(before, after);
    let word = InventoryWord::Changed { from: before.digest().0, gone, now };
    tell(fixture, entry, host, ago, after.digest().0, word);
}

pub(super) async fn asked(fixture: &Fixture, path: &str) -> Value {
    let answer = fixture.get(&format!("/api/muster/v1/{path}")).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
    answer.json()
}

async fn sql(fixture: &Fixture, sql: &str) -> Value {
    let encoded = percent(sql);
    asked(fixture, &format!("inventory/query?sql={encoded}")).await["rows"].clone()
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// What a look at a host's packages found.
pub(super) fn tell_packages(fixture: &Fixture, name: &str) {
    let host = fixture.fleet().find(name).unwrap();
    whole(fixture, 1_000, host, 100, &packages(&[("bash", "5.2")]));
}

/// web-1 is upgraded 600 s ago and gets curl 300 s ago; web-2 stays.
async fn told() -> Fixture {
    let (fixture, [one, other]) = two_hosts().await;
    let old = packages(&[("bash", "5.2"), ("openssl", "3.0.2")]);
    let new = packages(&[("bash", "5.2"), ("openssl", "3.0.11")]);
    let newest = packages(&[("bash", "5.2"), ("curl", "8"), ("openssl", "3.0.11")]);
    whole(&fixture, 1, one, 3_000, &old);
    whole(&fixture, 2, other, 2_900, &old);
    changed(&fixture, 3, one, 600, (&old, &new));
    changed(&fixture, 4, one, 300, (&new, &newest));
    fixture
}

#[tokio::test]
async fn a_hosts_tables_are_told_now_and_at_a_moment() {
    let fixture = told().await;
    let all = asked(&fixture, "hosts/web-1/inventory").await;
    let table = &all["tables"][0];
    assert_eq!((&table["table"], &table["one"], &table["rows"]), (&json!(PACKAGES), &json!("package"), &json!(3)));
    let times = ["known_from_ms", "seen_ms", "changed_ms"].map(|name| table[name].as_i64().unwrap());
    assert_eq!((times, &table["problem"]), ([NOW_MS - 3_000_000, NOW_MS - 300_000, NOW_MS - 300_000], &Value::Null));

    let versions = |answer: &Value| -> Vec<String> {
        answer["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| format!("{} {}", row[1].as_str().unwrap(), row[3].as_str().unwrap()))
            .collect()
    };
    let now = asked(&fixture, "hosts/web-1/inventory/packages?since=true").await;
    assert_eq!(versions(&now), ["bash 5.2", "curl 8", "openssl 3.0.11"]);
    assert_eq!((&now["columns"][3], &now["keys"]), (&json!({"name": "version", "kind": "text"}), &json!(3)));
    let since = |after: Value, ago: i64| json!({"after_ms": after, "until_ms": NOW_MS - ago * 1_000});
    assert_eq!(now["since"][0], since(Value::Null, 3_000), "it was there at the first look");
    assert_eq!(now["since"][1], since(json!(NOW_MS - 360_000), 300));
    for (ago, expect) in [(301, vec!["bash 5.2", "openssl 3.0.11"]), (601, vec!["bash 5.2", "openssl 3.0.2"])] {
        let then = asked(&fixture, &format!("hosts/web-1/inventory/packages?at={}", NOW_MS - ago * 1_000)).await;
        assert_eq!(versions(&then), expect, "{ago}");
    }
    for (path, status, told) in [
        ("hosts/web-1/inventory/packages?at=1", 404, "at that time is not known"),
        ("hosts/web-1/inventory/users", 404, "what web-1 had in table users is not known"),
        ("hosts/web-1/inventory/nothing", 400, "there is no table `nothing`"),
        ("hosts/web-1/inventory/packages?at=soon", 400, "`soon` is no time"),
        ("hosts/web-1/inventory/packages?at=1&since=true", 400, "of the present alone"),
        ("hosts/nobody/inventory", 404, "nobody"),
        ("hosts/nobody/inventory/packages", 404, "nobody"),
    ] {
        let answer = fixture.get(&format!("/api/muster/v1/{path}")).await;
        assert!(answer.status.as_u16() == status && answer.text.contains(told), "{path}: {}", answer.text);
    }
    let (silent, _) = two_hosts().await;
    let none = asked(&silent, "hosts/web-2/inventory").await;
    assert!(none["tables"] == json!([]) && none["note"].as_str().unwrap().contains("[inventory]"), "{none}");
}

#[tokio::test]
async fn sql_is_asked_over_all_hosts_now_and_at_a_moment() {
    let fixture = told().await;
    for (question, expect) in [
        (
            "SELECT host, version FROM packages WHERE name = 'openssl' ORDER BY host",
            json!([["web-1", "3.0.11"], ["web-2", "3.0.2"]]),
        ),
        (
            "SELECT host FROM packages WHERE name = 'openssl' AND version_compare(version, '3.0.11') < 0",
            json!([["web-2"]]),
        ),
        ("SELECT hosts, name FROM packages_counted WHERE name = 'bash'", json!([[2, "bash"]])),
        ("SELECT count(*) FROM packages_counted", json!([[4]])),
        (
            "SELECT h.host FROM hosts h WHERE NOT EXISTS (SELECT 1 FROM packages p WHERE p.host = h.host AND p.name = 'curl')",
            json!([["web-2"]]),
        ),
        (
            "SELECT host, kind, words FROM changes WHERE words LIKE '%openssl%'",
            json!([["web-1", "changed", "package openssl 3.0.2 -> 3.0.11"]]),
        ),
        ("SELECT until - after FROM changes", json!([[60], [60]])),
        ("SELECT state, labels ->> '$.env', enrolled FROM hosts LIMIT 1", json!([["active", null, null]])),
        ("SELECT name FROM users", json!([])),
        ("SELECT 1.5, NULL, x'ff'", json!([[1.5, null, "ff"]])),
    ] {
        assert_eq!(sql(&fixture, question).await, expect, "{question}");
    }
    let question = percent("SELECT version FROM packages WHERE host = 'web-1' AND name = 'openssl'");
    let then = asked(&fixture, &format!("inventory/query?at={}&sql={question}", NOW_MS - 700_000)).await;
    assert_eq!(
        (&then["rows"], &then["cut"], &then["columns"]),
        (&json!([["3.0.2"]]), &json!(false), &json!(["version"]))
    );
    let csv = fixture.get(&format!("/api/muster/v1/inventory/query?format=csv&sql={question}")).await;
    assert_eq!((csv.status.as_u16(), csv.text.as_str()), (200, "version\r\n3.0.11\r\n"));
    for (question, status, told) in [
        ("sql=SELECT%20x%20FROM%20packages", 400, "packages has host, manager, name"),
        ("sql=SELECT%20*%20FROM%20package", 400, "the tables are addresses, addresses_counted"),
        ("sql=SELECT%20FROM", 400, "at character 8"),
        ("sql=DELETE%20FROM%20packages", 400, "only a single SELECT"),
        ("sql=ATTACH%20'/etc/passwd'%20AS%20p", 400, "only a single SELECT"),
        ("sql=SELECT%201&format=xml", 400, "write json or csv"),
        ("", 400, "parameter `sql`"),
    ] {
        let answer = fixture.get(&format!("/api/muster/v1/inventory/query?{question}")).await;
        assert!(answer.status.as_u16() == status && answer.text.contains(told), "{question}: {}", answer.text);
    }
    let tables = asked(&fixture, "inventory/tables").await;
    let names: Vec<&str> =
        tables["tables"].as_array().unwrap().iter().map(|one| one["table"].as_str().unwrap()).collect();
    assert!(names.contains(&"packages") && names.contains(&"hosts") && names.contains(&"changes"), "{names:?}");
}

#[tokio::test]
async fn changes_are_listed_newest_first_and_page_by_page() {
    let fixture = told().await;
    let all = asked(&fixture, "changes").await;
    let words = |answer: &Value| -> Vec<String> {
        answer["changes"].as_array().unwrap().iter().map(|one| one["words"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(words(&all), ["package curl 8 is new", "package openssl 3.0.2 -> 3.0.11"]);
    let one = &all["changes"][1];
    let expect = json!({
        "host": "web-1", "host_id": fixture.fleet().find("web-1").unwrap().to_string(), "table": "packages", "kind": "changed",
        "words": "package openssl 3.0.2 -> 3.0.11", "after_ms": NOW_MS - 660_000, "until_ms": NOW_MS - 600_000,
        "arrived_ms": NOW_MS - 600_000, "key": ["dpkg", "openssl", "amd64"], "is_news": true, "announced": null,
        "before": ["dpkg", "openssl", "amd64", "3.0.2", null, "installed"],
        "after": ["dpkg", "openssl", "amd64", "3.0.11", null, "installed"],
    });
    assert_eq!(*one, expect);
    let first = asked(&fixture, "changes?limit=1").await;
    assert_eq!(words(&first), ["package curl 8 is new"]);
    let next = first["next"].as_str().unwrap();
    assert_eq!(
        words(&asked(&fixture, &format!("changes?limit=1&before={next}")).await),
        ["package openssl 3.0.2 -> 3.0.11"]
    );
    for (query, count) in [
        ("host=web-1", 2),
        ("host=web-2", 0),
        ("host=web-1&host=web-2", 2),
        ("table=packages", 2),
        ("table=users", 0),
        ("text=CURL", 1),
        ("key=dpkg", 2),
        (&format!("from={}", NOW_MS - 400_000), 1),
        (&format!("to={}", NOW_MS - 400_000), 1),
    ] {
        assert_eq!(words(&asked(&fixture, &format!("changes?{query}")).await).len(), count, "{query}");
    }
    let events = asked(&fixture, "events").await.to_string();
    assert!(events.contains("inventory_change") && events.contains("package openssl 3.0.2 -> 3.0.11"), "{events}");
    for (query, told) in [
        ("limit=0", "from 1 to"),
        ("before=zz", "`next` of the page before"),
        ("table=x", "no table `x`"),
        ("from=x", "no time"),
    ] {
        let answer = fixture.get(&format!("/api/muster/v1/changes?{query}")).await;
        assert!(answer.status.as_u16() == 400 && answer.text.contains(told), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn two_hosts_and_two_moments_are_compared() {
    let fixture = told().await;
    let hosts = asked(&fixture, "inventory/compare?one=web-2&other=web-1&table=packages").await;
    let table = &hosts["tables"][0];
    let rows: Vec<(&str, &Value, &Value)> = table["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["key"][1].as_str().unwrap(), &row["one"][3], &row["other"][3]))
        .collect();
    assert_eq!(rows, [("curl", &Value::Null, &json!("8")), ("openssl", &json!("3.0.2"), &json!("3.0.11"))]);
    let path = format!("inventory/compare?one=web-1&one_at={}&other=web-1", NOW_MS - 700_000);
    let moments = asked(&fixture, &path).await;
    let of =
        |name: &str| moments["tables"].as_array().unwrap().iter().find(|table| table["table"] == name).unwrap().clone();
    assert_eq!((of("packages")["rows"].as_array().unwrap().len(), &of("packages")["known"]), (2, &json!(true)));
    assert_eq!((&of("users")["known"], &of("users")["rows"]), (&json!(false), &json!([])));
    assert_eq!(moments["one"], json!({"host": "web-1", "at_ms": NOW_MS - 700_000}));
    for (query, told) in [
        ("one=web-1", "parameter `other`"),
        ("one=web-1&other=x", "`x`"),
        ("one=web-1&other=web-2&table=x", "no table"),
    ] {
        let answer = fixture.get(&format!("/api/muster/v1/inventory/compare?{query}")).await;
        assert!(answer.status.is_client_error() && answer.text.contains(told), "{query}: {}", answer.text);
    }
    assert_eq!(now().millis(), NOW_MS);
}

/// Four web servers and a database, all let in and labelled.
async fn five_hosts() -> Fixture {
    let fixture = Fixture::new();
    for (name, role, number) in
        [("web-1", "web", 1), ("web-2", "web", 2), ("web-3", "web", 3), ("web-4", "web", 4), ("db-1", "db", 5)]
    {
        ask(&fixture, name, number);
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), "{}").await;
        let labels = json!({"set": {"role": role}}).to_string();
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/labels"), &labels).await;
        let mut rows = vec![("bash", "5.2"), ("openssl", if name == "web-2" { "3.0.2" } else { "3.0.11" })];
        match name {
            "web-3" => rows.push(("nmap", "7")),
            "web-4" => drop(rows.remove(0)),
            _ => {}
        }
        let host = fixture.fleet().find(name).unwrap();
        whole(&fixture, number.into(), host, 1_000, &packages(&rows));
    }
    fixture
}

/// Hosts, package, and what differs there.
fn drifted(group: &Value) -> Vec<String> {
    let tables = group["tables"].as_array().unwrap();
    let keys = tables.iter().flat_map(|table| table["drift"].as_array().unwrap());
    let others = keys.flat_map(|key| key["others"].as_array().unwrap().iter().map(move |other| (key, other)));
    let told = others.map(|(key, other)| {
        format!("{} {} {} {}", other["host"], key["key"][1], other["row"][3], key["expected"][3]).replace('"', "")
    });
    told.collect()
}

#[tokio::test]
async fn hosts_are_told_from_most_of_their_group() {
    let fixture = five_hosts().await;
    let all = asked(&fixture, "inventory/drift?group=role").await;
    assert_eq!((&all["alone"], &all["group_by"], &all["hosts_min"]), (&json!(1), &json!(["role"]), &json!(3)));
    let group = &all["groups"][0];
    assert_eq!((&group["name"], &group["hosts"], &group["rows"]), (&json!("role=web"), &json!(4), &json!(3)));
    let expect = ["web-4 bash null 5.2", "web-3 nmap 7 null", "web-2 openssl 3.0.2 3.0.11"];
    assert_eq!(drifted(group), expect);
    let by_host = json!([{"host": "web-2", "rows": 1}, {"host": "web-3", "rows": 1}, {"host": "web-4", "rows": 1}]);
    assert_eq!((&group["by_host"], all["groups"].as_array().unwrap().len()), (&by_host, 1));
    let table = &group["tables"][0];
    let of = |name: &str| table[name].clone();
    assert_eq!([of("hosts"), of("own"), of("undecided")], [json!(4), json!(0), json!(0)]);
    assert_eq!(table["drift"][2]["others"][0]["columns"], json!(["version"]));
    for (query, expect) in [
        ("", &expect[..]),
        ("host=web-2", &expect[2..]),
        ("group=role&host=web-1", &[]),
        ("group=role&table=users", &[]),
        ("limit=1", &expect[..1]),
    ] {
        let answer = asked(&fixture, &format!("inventory/drift?{query}")).await;
        assert_eq!(drifted(&answer["groups"][0]), expect, "{query}");
    }
    let cut = asked(&fixture, "inventory/drift?limit=1").await;
    assert_eq!((&cut["groups"][0]["left_out"], &cut["groups"][0]["rows"]), (&json!(2), &json!(3)));
    let nobody = asked(&fixture, "inventory/drift?group=nothing").await;
    assert_eq!((&nobody["groups"][0]["hosts"], &nobody["groups"][0]["name"]), (&json!(5), &json!("nothing=")));
    for (query, told) in [("limit=0", "from 1 to"), ("table=x", "no table"), ("host=x", "`x`"), ("own=x", "own=true")] {
        let answer = fixture.get(&format!("/api/muster/v1/inventory/drift?{query}")).await;
        assert!(answer.status.is_client_error() && answer.text.contains(told), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_nobody_announced_stands_out() {
    let fixture = told().await;
    let words = |answer: &Value| -> Vec<String> {
        answer["changes"].as_array().unwrap().iter().map(|one| one["words"].as_str().unwrap().to_owned()).collect()
    };
    let all = ["package curl 8 is new", "package openssl 3.0.2 -> 3.0.11"];
    assert_eq!(words(&asked(&fixture, "changes?announced=false").await), all);
    assert_eq!(words(&asked(&fixture, "changes?announced=true").await), [""; 0]);
    let path = "/api/muster/v1/announcements";
    // It comes after the change.
    let body = json!({"hosts": ["web-1"], "from_ms": NOW_MS - 630_000, "to_ms": NOW_MS - 500_000, "reason": "CVE"});
    let made = fixture.post_json(path, &body.to_string()).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let made = made.json()["announcement"].clone();
    assert_eq!((&made["id"], &made["state"], &made["hosts"]), (&json!(1), &json!("ended"), &json!(["web-1"])));
    assert_eq!(words(&asked(&fixture, "changes?announced=false").await), all[..1]);
    let known = asked(&fixture, "changes?announced=true").await;
    assert_eq!(words(&known), all[1..]);
    let by = json!({"kind": "announcement", "id": 1, "reason": "CVE", "by": made["by"]});
    assert_eq!(known["changes"][0]["announced"], by);
    let downtime =
        json!({"matchers": ["host=web-1"], "starts_ms": NOW_MS - 310_000, "ends_ms": NOW_MS + 60_000, "reason": "r"});
    let made = fixture.post_json("/api/muster/v1/downtimes", &downtime.to_string()).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    assert_eq!(words(&asked(&fixture, "changes?announced=false").await), [""; 0]);
    let newest = &asked(&fixture, "changes?limit=1").await["changes"][0]["announced"];
    assert_eq!((&newest["kind"], &newest["reason"]), (&json!("downtime"), &json!("r")));

    let by_label = json!({"matchers": ["host=~\"web-.*\""], "to_ms": NOW_MS + 60_000, "reason": "kernel"});
    fixture.post_json(path, &by_label.to_string()).await;
    let list = asked(&fixture, "announcements").await;
    let states: Vec<&Value> = list["announcements"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["active", "ended"], "the newest first");
    let ended = fixture.delete(&format!("{path}/2")).await;
    assert_eq!((ended.status.as_u16(), &ended.json()["announcement"]["state"]), (200, &json!("ended")));
    for (body, status, told) in [
        (json!({"to_ms": NOW_MS + 1, "reason": "r"}), 400, "it names no host"),
        (json!({"hosts": ["nobody"], "to_ms": NOW_MS + 1, "reason": "r"}), 404, "nobody"),
        (json!({"hosts": ["web-1"], "to_ms": NOW_MS, "reason": "r"}), 400, "ends before it begins"),
        (json!({"hosts": ["web-1"], "reason": "r"}), 400, "to_ms"),
        (json!({"hosts": ["web-1"], "from_ms": 5, "to_ms": NOW_MS, "reason": "r"}), 400, "30 days"),
    ] {
        let answer = fixture.post_json(path, &body.to_string()).await;
        assert!(answer.status.as_u16() == status && answer.text.contains(told), "{body}: {}", answer.text);
    }
    for (id, status) in [("2", 404), ("9", 404), ("x", 400)] {
        assert_eq!(fixture.delete(&format!("{path}/{id}")).await.status.as_u16(), status, "{id}");
    }
    let bad = fixture.get("/api/muster/v1/changes?announced=maybe").await;
    assert!(bad.status.as_u16() == 400 && bad.text.contains("announced=false"), "{}", bad.text);
}

#[tokio::test]
async fn hosts_are_told_from_what_is_pinned() {
    let fixture = five_hosts().await;
    let put = async |name: &str, body: Value| {
        let path = format!("/api/muster/v1/inventory/baselines/{name}");
        let request = fixture.request("PUT", &path).body(axum::body::Body::from(body.to_string())).unwrap();
        fixture.send(request).await
    };
    let made = put("web", json!({"matchers": ["role=web"], "host": "web-2", "tables": ["packages"]})).await;
    assert_eq!(made.status.as_u16(), 200, "{}", made.text);
    let made = made.json()["baseline"].clone();
    assert_eq!((&made["host"], &made["tables"], &made["rows"]), (&json!("web-2"), &json!([PACKAGES]), &json!(2)));
    assert_eq!(put("db-1", json!({})).await.json()["baseline"]["matchers"], json!(["host=\"db-1\""]));
    let off = asked(&fixture, "inventory/drift?baseline=web").await;
    assert_eq!((&off["baseline"], &off["groups"][0]["name"]), (&json!("web"), &json!("web")));
    let expect = [
        "web-4 bash null 5.2",
        "web-3 nmap 7 null",
        "web-1 openssl 3.0.11 3.0.2",
        "web-3 openssl 3.0.11 3.0.2",
        "web-4 openssl 3.0.11 3.0.2",
    ];
    assert_eq!(drifted(&off["groups"][0]), expect);
    let own = asked(&fixture, "inventory/drift?baseline=db-1").await;
    assert_eq!((&own["groups"][0]["hosts"], &own["groups"][0]["rows"]), (&json!(1), &json!(0)));
    let listed = asked(&fixture, "inventory/baselines").await;
    let names: Vec<&Value> = listed["baselines"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["db-1", "web"]);
    let gone = fixture.delete("/api/muster/v1/inventory/baselines/web").await;
    assert_eq!((gone.status.as_u16(), &gone.json()["baseline"]["name"]), (200, &json!("web")));
    for (query, status, told) in
        [("baseline=web", 404, "no baseline `web`"), ("baseline=db-1&group=role", 400, "leave out one")]
    {
        let answer = fixture.get(&format!("/api/muster/v1/inventory/drift?{query}")).await;
        assert!(answer.status.as_u16() == status && answer.text.contains(told), "{query}: {}", answer.text);
    }
    for (name, body, status, told) in [
        ("nobody", json!({}), 404, "nobody"),
        ("a", json!({"matchers": ["role=web"], "tables": ["x"]}), 400, "no table `x`"),
        ("a", json!({"matchers": ["role=db"]}), 400, "fewer than three hosts match"),
        ("a", json!({"host": "web-1"}), 400, "it has no matchers"),
    ] {
        let answer = put(name, body).await;
        assert!(answer.status.as_u16() == status && answer.text.contains(told), "{name}: {}", answer.text);
    }
    assert_eq!(fixture.delete("/api/muster/v1/inventory/baselines/web").await.status.as_u16(), 404);
}

/// An alert of this host that began so many seconds ago.
pub(super) async fn alerting(fixture: &Fixture, host: &str, ago: i64) -> String {
    let starts = jiff::Timestamp::from_millisecond(NOW_MS - ago * 1_000).unwrap().to_string();
    let labels = json!({"alertname": "tls handshakes", "host": host, "severity": "critical"});
    let alerts = json!([{"labels": labels, "annotations": {"summary": "handshakes fail"}, "startsAt": starts}]);
    assert_eq!(fixture.post_json("/api/v2/alerts", &alerts.to_string()).await.status, 200);
    let all = asked(fixture, "alerts").await;
    let own = all["alerts"].as_array().unwrap().iter().find(|alert| alert["labels"]["host"] == host).unwrap();
    own["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_alert_tells_what_changed_before_it_and_so_does_its_mail() {
    let fixture = told().await;
    let id = alerting(&fixture, "web-1", 240).await;
    let before = asked(&fixture, &format!("alerts/{id}/changes")).await;
    let told = |at: usize| {
        let one = &before["suspects"][at];
        format!("{} on {}: {}", one["change"]["words"].as_str().unwrap(), one["hosts"], one["why"].as_str().unwrap())
    };
    assert!(
        told(0).starts_with(
            "package openssl 3.0.2 -> 3.0.11 on [\"web-1\"]: 6 to 7 min before, only on this host, names ssl"
        ),
        "{}",
        told(0)
    );
    assert!(
        told(1).starts_with("package curl 8 is new on [\"web-1\"]: 1 to 2 min before, only on this host"),
        "{}",
        told(1)
    );
    assert_eq!(
        (&before["suspects_count"], &before["is_partial"], &before["contrast"]),
        (&json!(2), &json!(false), &Value::Null)
    );
    let note = "nothing found that separates 1 host with the problem and 1 without more than chance does";
    assert_eq!(
        (&before["note"], &before["alert"], &before["onset_ms"]),
        (&json!(note), &json!(id), &json!(NOW_MS - 240_000))
    );
    assert_eq!(asked(&fixture, &format!("alerts/{id}/changes?limit=1")).await["suspects"].as_array().unwrap().len(), 1);

    let mail = asked(&fixture, &format!("mail/preview?alert={id}")).await;
    let (text, html) = (mail["text"].as_str().unwrap(), mail["html"].as_str().unwrap());
    for words in ["What changed before", "package openssl 3.0.2", "only on this host, names ssl"] {
        assert!(text.contains(words) && html.contains(words), "{words}: {text}");
    }
    let other = alerting(&fixture, "web-2", 240).await;
    let both = asked(&fixture, &format!("alerts/{id}/changes")).await;
    assert!(both["suspects"][0]["why"].as_str().unwrap().contains("on 1 of 2 hosts with the problem"), "{both}");
    assert_eq!(asked(&fixture, &format!("alerts/{other}/changes")).await["suspects_count"], 2);
}

#[tokio::test]
async fn what_separates_the_hosts_of_an_alert_is_told_with_its_chance() {
    let fixture = Fixture::new();
    for number in 0..30_u32 {
        let name = format!("web-{number}");
        ask(&fixture, &name, number);
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), "{}").await;
        let host = fixture.fleet().find(&name).unwrap();
        let version = if number < 6 { "3.0.2" } else { "3.0.1" };
        whole(&fixture, 1 + u64::from(number), host, 3_000, &packages(&[("bash", "5.2"), ("openssl", version)]));
    }
    let mut id = String::new();
    for number in 0..6 {
        id = alerting(&fixture, &format!("web-{number}"), 240 + number).await;
    }
    let contrast = asked(&fixture, &format!("alerts/{id}/changes")).await;
    let words = "all 6 hosts with the problem have package openssl 3.0.2, and none of 24 others do";
    assert_eq!(
        (&contrast["contrast"]["words"], &contrast["contrast"]["fact"]),
        (&json!(words), &json!("package openssl 3.0.2"))
    );
    assert!(contrast["contrast"]["chance"].as_f64().unwrap() < 1e-4, "{contrast}");
    assert_eq!(contrast["note"], "compared were 6 hosts with the problem and 24 without");
}

#[tokio::test]
async fn what_cannot_be_asked_of_an_alert_is_refused_by_name() {
    let fixture = told().await;
    let id = alerting(&fixture, "web-9", 240).await;
    let before = asked(&fixture, &format!("alerts/{id}/changes")).await;
    assert_eq!((&before["note"], &before["suspects"]), (&json!("the alert is of no host that is known"), &json!([])));
    for (path, status, told) in [
        (format!("alerts/{id}/changes?limit=0"), 400, "write a number from 1 to 1000"),
        ("alerts/00/changes".to_owned(), 404, "no alert `00` is known"),
    ] {
        let answer = fixture.get(&format!("/api/muster/v1/{path}")).await;
        assert!(answer.status.as_u16() == status && answer.text.contains(told), "{path}: {}", answer.text);
    }
}
