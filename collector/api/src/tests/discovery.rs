//! What hosts newly have: told by reports, asked and decided over the API.

use muster_common::host::HostId;
use muster_common::inventory::{Row, Rows, Value as Cell, named};
use muster_common::time::Timestamp;
use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};
use muster_common::wire::message::Report;
use muster_common::wire::record::encode_report;
use muster_store::{Position, ReplayEntry, ReportRecord, StateRecord};
use serde_json::{Value, json};

use super::fixture::{Fixture, NOW_MS, now};
use super::live::Events;
use super::muster::ask;

fn services(names: &[&str]) -> Rows {
    let row = |name: &&str| -> Row {
        let texts = [*name, "A service", "loaded", "active", "running", "enabled"];
        texts.into_iter().map(Cell::from).collect()
    };
    Rows::of(named("units").unwrap(), names.iter().map(row)).unwrap()
}

fn listening(ports: &[(i64, &str)]) -> Rows {
    let row = |(port, process): &(i64, &str)| -> Row {
        [Cell::from("tcp"), "::".into(), (*port).into(), (*process).into(), Cell::Null, "root".into()].into()
    };
    Rows::of(named("listening_ports").unwrap(), ports.iter().map(row)).unwrap()
}

fn tell(fixture: &Fixture, entry: u64, host: HostId, tables: &[&Rows]) {
    let at_ms = NOW_MS - 600_000 + i64::try_from(entry).unwrap();
    let whole = |rows: &&Rows| {
        let word = InventoryWord::Whole { part: 0, parts: 1, rows: rows.iter().cloned().collect() };
        TableReport { table: rows.table().number, digest: rows.digest().0, dropped: 0, word }
    };
    let tables = tables.iter().map(whole).collect();
    let report = Report::Inventory(InventoryReport { at_ms, since_ms: 0, tables, extensions: Vec::new() });
    let records = vec![StateRecord::Report(ReportRecord { host, report: encode_report(&report).unwrap().into() })];
    let (position, arrived) = (Position { generation: 1, entry }, Timestamp::from_millis(at_ms));
    fixture.fleet().apply(&[ReplayEntry { position, arrived, live: true, records }]).unwrap();
    fixture.fleet().discover(now()).unwrap();
}

/// What a look at a host's units found.
pub(super) fn tell_services(fixture: &Fixture, name: &str, entry: u64, names: &[&str]) {
    let host = fixture.fleet().find(name).unwrap();
    tell(fixture, entry, host, &[&services(names)]);
}

async fn with_hosts(names: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    for (name, number) in names.iter().zip(1..) {
        ask(&fixture, name, number);
        fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), "{}").await;
    }
    fixture
}

async fn listed(fixture: &Fixture, query: &str) -> Value {
    let answer = fixture.get(&format!("/api/muster/v1/discovery?{query}")).await;
    assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.text);
    answer.json()
}

fn keys(answer: &Value) -> Vec<String> {
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = answer["items"].as_array().unwrap();
    items.iter().map(|item| format!("{} {} {}", text(item, "host"), text(item, "state"), text(item, "key"))).collect()
}

async fn decide(fixture: &Fixture, items: &[(&str, &str)], decision: &str, reason: &str) -> (u16, Value) {
    let items: Vec<Value> = items.iter().map(|(host, key)| json!({"host": host, "key": key})).collect();
    let body = json!({"items": items, "decision": decision, "reason": reason}).to_string();
    let answer = fixture.post_json("/api/muster/v1/discovery/decide", &body).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn items_are_listed_decided_and_paged() {
    let fixture = with_hosts(&["web-1", "web-2"]).await;
    let hosts = ["web-1", "web-2"].map(|name| fixture.fleet().find(name).unwrap());
    tell(
        &fixture,
        1,
        hosts[0],
        &[&services(&["shop.service", "nginx.service"]), &listening(&[(80, "nginx"), (81, "x")])],
    );
    tell(&fixture, 2, hosts[1], &[&services(&["till.service"])]);
    let all = listed(&fixture, "").await;
    let expect = [
        "web-1 proposed daemon:nginx",
        "web-1 proposed port:tcp/81/x",
        "web-1 proposed unit:shop.service",
        "web-2 proposed unit:till.service",
    ];
    // Hosts are by their ids, which two of one moment have in any order.
    let mut sorted = keys(&all);
    sorted.sort_unstable();
    assert_eq!((sorted, &all["next"], &all["over"]), (expect.map(str::to_owned).to_vec(), &Value::Null, &json!([])));
    let all = listed(&fixture, "host=web-1").await;
    let nginx = &all["items"][0];
    assert_eq!((&nginx["profile"], &nginx["checks"], &nginx["is_there"]), (&json!("nginx"), &json!([]), &json!(true)));
    let port = &all["items"][1];
    let expect = json!({"protocol": "tcp", "port": "81", "process": "x", "addresses": "::"});
    assert_eq!(
        (&port["fields"], &port["words"], &port["kind"]),
        (&expect, &json!("tcp port 81 (process x)"), &json!("port"))
    );
    assert_eq!(port["checks"][0]["port"], 81);
    for (query, count) in [
        ("host=web-1", 3),
        ("host=web-1&host=web-2", 4),
        ("state=accepted", 0),
        ("state=proposed&kind=unit", 2),
        ("kind=container", 0),
    ] {
        assert_eq!(keys(&listed(&fixture, query).await).len(), count, "{query}");
    }
    let first = listed(&fixture, "limit=3").await;
    let next = first["next"].as_str().unwrap().replace('/', "%2F");
    assert_eq!((keys(&first).len(), keys(&listed(&fixture, &format!("limit=3&after={next}")).await).len()), (3, 1));

    let some = [("web-1", "daemon:nginx"), ("web-1", "port:tcp/81/x"), ("web-2", "unit:till.service")];
    let (status, done) = decide(&fixture, &some, "accept", "ours").await;
    assert_eq!((status, &done["decided"], &done["rows"][0]["error"]), (200, &json!(3), &Value::Null));
    assert_eq!(fixture.fleet().accepted_daemons(hosts[0]), ["nginx"]);
    let accepted = &listed(&fixture, "state=accepted&kind=port").await["items"][0];
    let by = format!("token:{}", fixture.admin_word.split('.').next().unwrap());
    assert_eq!((&accepted["by"], &accepted["reason"]), (&json!(by), &json!("ours")));

    // It goes, and is gone; archiving it wants a reason.
    tell(&fixture, 3, hosts[0], &[&listening(&[(80, "nginx")])]);
    let gone = listed(&fixture, "state=gone").await;
    assert_eq!(keys(&gone), ["web-1 gone port:tcp/81/x"]);
    let times = ["went_after_ms", "went_until_ms"].map(|name| gone["items"][0][name].as_i64().unwrap());
    assert_eq!(times, [NOW_MS - 599_999, NOW_MS - 599_997]);
    let one = [("web-1", "port:tcp/81/x")];
    let (status, refused) = decide(&fixture, &one, "archive", "").await;
    assert!(status == 400 && refused.to_string().contains("it has no reason"), "{refused}");
    assert_eq!(decide(&fixture, &one, "archive", "moved").await.0, 200);
    assert_eq!(listed(&fixture, "state=archived").await["items"][0]["reason"], "moved");
}

#[tokio::test]
async fn what_cannot_be_decided_hinders_all_and_says_why() {
    let fixture = with_hosts(&["web-1"]).await;
    tell_services(&fixture, "web-1", 1, &["shop.service", "till.service"]);
    let shop = ("web-1", "unit:shop.service");
    let (status, told) = decide(&fixture, &[shop, ("web-1", "unit:x")], "accept", "").await;
    assert_eq!((status, &told["error"]["code"], &told["rows"][0]["error"]), (409, &json!("conflict"), &Value::Null));
    assert!(told["rows"][1]["error"].as_str().unwrap().contains("has no item `unit:x`"), "{told}");
    let message = "nothing is decided, since 1 of 2 cannot be; the first: host `web-1` has no item `unit:x`";
    assert_eq!(told["error"]["message"], message);
    let (status, told) = decide(&fixture, &[shop, ("web-9", "unit:x")], "accept", "").await;
    assert!(status == 409 && told["rows"][1]["error"].as_str().unwrap().contains("web-9"), "{told}");
    let (status, told) = decide(&fixture, &[shop], "archive", "old").await;
    assert!(
        status == 409
            && told["rows"][0]["error"]
                .as_str()
                .unwrap()
                .contains("`unit:shop.service` of host `web-1` was not accepted"),
        "{told}"
    );
    assert_eq!(keys(&listed(&fixture, "state=proposed").await).len(), 2);
    for (body, told) in [
        (json!({"items": [], "decision": "accept"}), "0 items are named"),
        (json!({"items": [{"host": "web-1", "key": "k"}], "decision": "maybe"}), "`maybe` is none"),
        (json!({"items": [{"host": "web-1"}], "decision": "accept"}), "missing field"),
        (json!({"items": [{"host": "web-1", "key": "k"}], "decision": "accept", "color": "red"}), "unknown field"),
        (json!({"items": vec![json!({"host": "web-1", "key": "k"}); 1_001], "decision": "accept"}), "1001 items"),
    ] {
        let answer = fixture.post_json("/api/muster/v1/discovery/decide", &body.to_string()).await;
        assert!(answer.status.as_u16() == 400 && answer.text.contains(told), "{}", answer.text);
    }
    for (query, told) in [
        ("state=new", "write one of proposed, accepted, ignored, gone, archived"),
        ("kind=socket", "write one of daemon, unit, port, mount, certificate, container"),
        ("limit=0", "write a number from 1 to 10000"),
        ("after=x", "it is no place in the list"),
    ] {
        let answer = fixture.get(&format!("/api/muster/v1/discovery?{query}")).await;
        assert!(answer.status.as_u16() == 400 && answer.text.contains(told), "{}", answer.text);
    }
    assert_eq!(fixture.get("/api/muster/v1/discovery?host=nobody").await.status.as_u16(), 404);
}

async fn put(fixture: &Fixture, name: &str, body: Value) -> (u16, Value) {
    let request = fixture.request("PUT", &format!("/api/muster/v1/discovery/rules/{name}"));
    let answer = fixture.send(request.body(axum::body::Body::from(body.to_string())).unwrap()).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn rules_are_tried_made_listed_and_removed() {
    const RULES: &str = "/api/muster/v1/discovery/rules";
    let fixture = with_hosts(&["web-1"]).await;
    tell_services(&fixture, "web-1", 1, &["shop.service", "till.service"]);
    let rule = json!({"kind": "unit", "items": ["name=~\"shop.*\""], "hosts": ["host=web-1"], "action": "accept"});
    let tried = fixture.post_json(&format!("{RULES}/test"), &rule.to_string()).await.json();
    let first = json!([{"host": "web-1", "key": "unit:shop.service", "words": "unit shop.service (A service)"}]);
    assert_eq!(tried["matched"], json!({"items": 1, "hosts": 1, "first": first}));
    assert_eq!(keys(&listed(&fixture, "state=proposed").await).len(), 2);
    let (status, made) = put(&fixture, "shops", rule).await;
    assert_eq!((status, &made["matched"]["items"]), (200, &json!(1)));
    assert_eq!(listed(&fixture, "state=accepted").await["items"][0]["by"], "rule:shops");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yml");
    std::fs::write(&path, "rules:\n  - {name: quiet, kind: unit, items: 'name=\"till.service\"', action: ignore}\n")
        .unwrap();
    fixture.fleet().set_discovery_files(muster_fleet::read_discovery_rules(std::slice::from_ref(&path)).unwrap());
    fixture.fleet().discover(now()).unwrap();
    let all = fixture.get(RULES).await.json();
    let (file, own) = (&all["rules"][0], &all["rules"][1]);
    assert_eq!(
        (&file["source"], &file["file"], &file["by"]),
        (&json!("file"), &json!(path.display().to_string()), &Value::Null)
    );
    assert_eq!((&own["name"], &own["source"], &own["made_ms"]), (&json!("shops"), &json!("api"), &json!(NOW_MS)));
    assert_eq!((&own["items"], &own["hosts"]), (&json!(["name=~\"shop.*\""]), &json!(["host=web-1"])));
    assert_eq!(listed(&fixture, "state=ignored").await["items"][0]["key"], "unit:till.service");
    let bad = |kind: &str| json!({"kind": kind, "action": "accept"});
    for (name, body, status, told) in [
        ("quiet", bad("unit"), 409, "stands in the file"),
        ("Bad", bad("unit"), 400, "its name is none"),
        ("bad", bad("socket"), 400, "no kind `socket`"),
        ("bad", json!({"action": "drop"}), 400, "unknown variant"),
        ("bad", json!({"kind": "unit"}), 400, "missing field"),
    ] {
        let (found, answer) = put(&fixture, name, body).await;
        assert!(found == status && answer.to_string().contains(told), "{found} {answer}");
    }
    assert_eq!(fixture.delete(&format!("{RULES}/shops")).await.status.as_u16(), 200);
    assert_eq!(fixture.delete(&format!("{RULES}/shops")).await.status.as_u16(), 404);
    assert_eq!(fixture.delete(&format!("{RULES}/quiet")).await.status.as_u16(), 409);
    assert_eq!(keys(&listed(&fixture, "state=accepted").await).len(), 1, "what it decided stays");
}

#[tokio::test]
async fn hostile_names_are_data() {
    let fixture = with_hosts(&["web-1"]).await;
    let host = fixture.fleet().find("web-1").unwrap();
    let evil = "x\u{1b}[2J\n<script>alert(1)</script>\0\"";
    let long = "y".repeat(1_024);
    tell(&fixture, 1, host, &[&listening(&[(80, evil), (81, &long)])]);
    let all = listed(&fixture, "").await;
    let key = format!("port:tcp/80/{evil}");
    assert_eq!((&all["items"][0]["key"], &all["items"][0]["fields"]["process"]), (&json!(key), &json!(evil)));
    assert!(!all["items"][0]["words"].as_str().unwrap().contains(char::is_control), "{all}");
    assert_eq!(all["items"][1]["fields"]["process"], long.as_str());
    assert_eq!(decide(&fixture, &[("web-1", &key)], "accept", "").await.0, 200);
    let next = listed(&fixture, "limit=1").await["next"].as_str().unwrap().to_owned();
    let escaped: String = next.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(keys(&listed(&fixture, &format!("after={escaped}")).await).len(), 1);
}

#[tokio::test]
async fn open_pages_are_told_that_something_was_found() {
    let fixture = with_hosts(&["web-1"]).await;
    tell_services(&fixture, "web-1", 1, &["shop.service"]);
    let mut events = Events::open(&fixture, "/api/muster/v1/live?topics=discovery").await;
    let hello = events.next().await.unwrap();
    assert_eq!((hello.name.as_str(), &hello.data["topics"]), ("hello", &json!(["discovery"])));
    tell_services(&fixture, "web-1", 2, &["shop.service", "till.service"]);
    let told = events.next().await.unwrap();
    let row = &told.data["changed"][0];
    assert_eq!(
        (told.name.as_str(), &row["id"], &row["counts"]["proposed"]),
        ("discovery", &json!("discovery"), &json!(2))
    );
}
