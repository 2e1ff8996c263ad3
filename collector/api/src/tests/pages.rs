//! What the pages begin with: problems, the fleet, many acknowledgements, the health of the collector.

use muster_common::check::CheckState;
use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_fleet::{Scope, Standing, StandingNote};
use serde_json::{Value, json};

use super::alerting::{report, send_as};
use super::fixture::{Fixture, NOW_MS, now};
use super::muster::ask;
use crate::HostPresence;

async fn host(fixture: &Fixture, name: &str, machine: u32) -> HostId {
    ask(fixture, name, machine);
    assert_eq!(fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), "{}").await.status, 200);
    fixture.fleet().find(name).unwrap()
}

fn heard(fixture: &Fixture, host: HostId, state: &str, before_ms: i64) {
    let at = Timestamp::from_millis(NOW_MS - before_ms);
    let presence = HostPresence {
        host,
        state: state.to_owned(),
        last_arrival: Some(at),
        newest_data: Some(at),
        problems: Vec::new(),
    };
    fixture.presence.lock().unwrap().push(presence);
}

fn titles(answer: &Value) -> Vec<&str> {
    answer["problems"].as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap()).collect()
}

const PUSHED: &str = r#"[{"labels": {"alertname": "Slow", "team": "web", "severity": "warning", "service": "shop"}, "annotations": {"summary": "it is slow"}},
    {"labels": {"alertname": "Lag", "severity": "critical", "host": "web-1"}}]"#;

#[tokio::test]
async fn an_empty_page_says_how_fresh_it_is() {
    let fixture = Fixture::new();
    let (first, second) = (host(&fixture, "web-1", 1).await, host(&fixture, "web-2", 2).await);
    ask(&fixture, "web-3", 3);
    heard(&fixture, first, "up", 4_000);
    heard(&fixture, second, "silent", 90_000);
    let answer = fixture.get("/api/muster/v1/problems").await.json();
    assert_eq!((&answer["version"], &answer["problems"], &answer["unhandled"]), (&json!(1), &json!([]), &json!(0)));
    assert_eq!(
        answer["freshness"],
        json!({
            "newest_arrival_ms": NOW_MS - 4_000,
            "rules_ms": NOW_MS,
            "hosts": {"active": 2, "heard": 1, "silent": 1, "unreachable": 0, "stopped": 0, "rebooting": 0, "unheard": 0, "pending": 1},
        })
    );
}

#[tokio::test]
async fn problems_of_all_sources_are_grouped_and_those_that_want_somebody_come_first() {
    let fixture = Fixture::new();
    let web = host(&fixture, "web-1", 1).await;
    report(&fixture, CheckState::Critical, 0);
    assert_eq!(fixture.post_json("/api/v2/alerts", PUSHED).await.status, 200);
    let answer = fixture.get("/api/muster/v1/problems").await.json();
    assert_eq!(answer["unhandled"], 3);
    assert_eq!(titles(&answer)[2], "Slow");
    let find = |answer: &Value, title: &str| {
        answer["problems"].as_array().unwrap().iter().find(|one| one["title"] == title).unwrap().clone()
    };
    let disk = find(&answer, "disk");
    let shown = ["kind", "state", "host", "check", "severity", "check_state", "output", "remedy"];
    let expect = ["check", "firing", "web-1", "disk", "critical", "CRITICAL", "97 % used", "grow it"];
    assert_eq!(shown.map(|field| disk[field].as_str().unwrap()), expect);
    assert_eq!(
        (&disk["host_id"], &disk["since_ms"], &disk["value"]),
        (&json!(web.to_string()), &json!(NOW_MS), &json!(97.0))
    );
    let slow = find(&answer, "Slow");
    assert_eq!(
        (&slow["owner"], &slow["group"], &slow["kind"]),
        (&json!("web"), &json!("name/Slow/shop"), &json!("pushed"))
    );
    assert_eq!(find(&answer, "Lag")["owner"], "ops", "whom it will be told to");
    assert_eq!(answer["groups"].as_array().unwrap().len(), 3);

    let ack = json!({"comment": "on it"}).to_string();
    assert_eq!(fixture.post_json("/api/muster/v1/checks/web-1/disk/ack", &ack).await.status, 200);
    let answer = fixture.get("/api/muster/v1/problems").await.json();
    let disk = &answer["problems"][2];
    assert_eq!(
        (titles(&answer)[2], &disk["handled"], &disk["acknowledgement"]["comment"]),
        ("disk", &json!(true), &json!("on it"))
    );
    assert_eq!((&disk["holds"][0]["why"], &answer["unhandled"]), (&json!("acknowledged"), &json!(2)));

    // One that is not confirmed yet is shown to who asks.
    report_soft(&fixture);
    assert_eq!(titles(&fixture.get("/api/muster/v1/problems").await.json()).len(), 3);
    let answer = fixture.get("/api/muster/v1/problems?soft=true").await.json();
    let soft = find(&answer, "load");
    assert_eq!((&soft["state"], &soft["attempt"], &soft["max_attempts"]), (&json!("soft"), &json!(1), &json!(3)));
    assert_eq!(fixture.get("/api/muster/v1/problems?soft=maybe").await.status, 400);
}

#[tokio::test]
async fn problems_of_one_host_are_its_own_and_those_whose_label_says_so() {
    let fixture = Fixture::new();
    host(&fixture, "web-1", 1).await;
    host(&fixture, "web-10", 2).await;
    report(&fixture, CheckState::Critical, 0);
    report_soft(&fixture);
    let other = json!([{"labels": {"alertname": "Other", "host": "web-10"}}]).to_string();
    for pushed in [PUSHED, &other] {
        assert_eq!(fixture.post_json("/api/v2/alerts", pushed).await.status, 200);
    }
    for (query, expect) in [
        ("?host=web-1", vec!["Lag", "disk"]),
        ("?host=web-1&soft=true", vec!["Lag", "disk", "load"]),
        ("?host=web-10&soft=true", vec!["Other"]),
        ("?host=web", vec![]),
        ("?host=", vec!["Lag", "disk", "Slow", "Other"]),
    ] {
        let answer = fixture.get(&format!("/api/muster/v1/problems{query}")).await.json();
        let mut seen = titles(&answer);
        seen.sort_unstable();
        let mut expect = expect;
        expect.sort_unstable();
        assert_eq!(seen, expect, "{query}");
        assert_eq!(answer["unhandled"], seen.len(), "{query}");
    }
}

#[tokio::test]
async fn a_long_answer_is_given_again_until_something_changes() {
    let fixture = Fixture::new();
    host(&fixture, "web-1", 1).await;
    let made = |fixture: &Fixture| {
        let stats = fixture.state.stats();
        let of = |how: &str| {
            let is_it = |stat: &&muster_common::stat::Stat| {
                stat.name == "muster_collector_http_long_answers_total" && stat.labels == [("how", how.to_owned())]
            };
            stats.iter().find(is_it).unwrap().value
        };
        (of("made"), of("given_again"))
    };
    let (problems, fleet) = ("/api/muster/v1/problems", "/api/muster/v1/fleet");
    let first = [fixture.get(problems).await.text, fixture.get(fleet).await.text];
    assert_eq!([fixture.get(problems).await.text, fixture.get(fleet).await.text], first);
    assert_eq!(made(&fixture), (2.0, 2.0));
    // A check, an acknowledgement, a silence, a label, a host: each is seen in the next answer.
    report(&fixture, CheckState::Critical, 0);
    assert_eq!(titles(&fixture.get(problems).await.json()), ["disk"]);
    assert_eq!(fixture.get(fleet).await.json()["hosts"][0]["unhandled"], 1);
    let ack = json!({"comment": "on it"}).to_string();
    assert_eq!(fixture.post_json("/api/muster/v1/checks/web-1/disk/ack", &ack).await.status, 200);
    assert_eq!(fixture.get(problems).await.json()["unhandled"], 0);
    assert_eq!(fixture.get(fleet).await.json()["hosts"][0]["unhandled"], 0);
    let labels = json!({"set": {"env": "prod"}}).to_string();
    assert_eq!(fixture.post_json("/api/muster/v1/hosts/web-1/labels", &labels).await.status, 200);
    assert_eq!(fixture.get(fleet).await.json()["hosts"][0]["labels"], json!({"env": "prod"}));
    assert_eq!(fixture.post_json("/api/v2/alerts", PUSHED).await.status, 200);
    let silence = json!({
        "matchers": [{"name": "alertname", "value": "Slow", "isRegex": false}], "comment": "known", "createdBy": "ann",
        "startsAt": "2023-11-14T22:00:00Z", "endsAt": "2023-11-14T23:00:00Z",
    });
    assert_eq!(fixture.get(problems).await.json()["unhandled"], 2);
    assert_eq!(fixture.post_json("/api/v2/silences", &silence.to_string()).await.status, 200);
    assert_eq!(fixture.get(problems).await.json()["unhandled"], 1);
    host(&fixture, "web-2", 2).await;
    assert_eq!(fixture.get(fleet).await.json()["hosts"].as_array().unwrap().len(), 2);
}

fn report_soft(fixture: &Fixture) {
    use muster_common::wire::message::{CheckDefinition, CheckReport, Report};
    let definition = CheckDefinition { interval_ms: 60_000, max_attempts: 3, ..CheckDefinition::default() };
    let report = Report::Check(CheckReport {
        at_ms: NOW_MS,
        check: "load".into(),
        state: CheckState::Warning as u8,
        output: "9".into(),
        long_output: String::new(),
        perfdata: Vec::new(),
        duration_ms: 5,
        definition,
    });
    let host = fixture.fleet().find("web-1").unwrap();
    let reported = muster_fleet::Reported { host, arrived: now(), is_live: true, report };
    fixture.fleet().apply_reports(&[reported]).unwrap();
}

#[tokio::test]
async fn the_fleet_is_short_rows_with_what_was_over_the_day() {
    let fixture = Fixture::new();
    let (first, second) = (host(&fixture, "web-1", 1).await, host(&fixture, "web-2", 2).await);
    heard(&fixture, first, "up", 4_000);
    heard(&fixture, second, "silent", 90_000);
    report(&fixture, CheckState::Critical, 0);
    let note = StandingNote { host: second, standing: Standing::Silent, last_heard: Some(now()), goodbye: "" };
    fixture.fleet().note_standings(&[note], now()).unwrap();
    assert_eq!(fixture.post_json("/api/v2/alerts", PUSHED).await.status, 200);
    let answer = fixture.get("/api/muster/v1/fleet").await.json();
    let rows = answer["hosts"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let row = &rows[0];
    assert_eq!(
        (&row["name"], &row["presence"], &row["last_arrival_ms"], &row["lag_ms"]),
        (&json!("web-1"), &json!("up"), &json!(NOW_MS - 4_000), &json!(4_000))
    );
    assert_eq!(row["checks"], json!({"worst": "CRITICAL", "ok": 0, "warning": 0, "critical": 1, "unknown": 0}));
    assert_eq!((&row["problems"], &row["unhandled"]), (&json!(2), &json!(2)), "its check, and an alert that names it");
    let strip = |row: &Value| row["strip"].as_str().unwrap().to_owned();
    assert_eq!((strip(row), strip(&rows[1])), ("-".repeat(47) + "c", "-".repeat(47) + "s"));
    assert_eq!((&answer["strip"]["buckets"], &answer["strip"]["states"]["s"]), (&json!(48), &json!("silent")));
    // What has ended stays in the half hour where it was.
    report(&fixture, CheckState::Ok, 1_000);
    let again = fixture.get("/api/muster/v1/fleet").await.json();
    assert_eq!(
        (&again["hosts"][0]["checks"]["worst"], strip(&again["hosts"][0])),
        (&json!("OK"), "-".repeat(47) + "c")
    );
    // A new process knows it from the events.
    *fixture.state.strips.lock().unwrap() = crate::Strips::default();
    let anew = fixture.get("/api/muster/v1/fleet").await.json();
    assert_eq!(anew["hosts"][0]["strip"], again["hosts"][0]["strip"]);
}

#[tokio::test]
async fn many_are_acknowledged_at_once_or_none_with_the_reason_of_each_row() {
    let fixture = Fixture::new();
    let silent = host(&fixture, "web-2", 2).await;
    host(&fixture, "web-1", 1).await;
    report(&fixture, CheckState::Critical, 0);
    let note = StandingNote { host: silent, standing: Standing::Silent, last_heard: Some(now()), goodbye: "" };
    fixture.fleet().note_standings(&[note], now()).unwrap();
    let path = "/api/muster/v1/checks/ack";
    let body = |checks: Value| json!({"checks": checks, "comment": "moving"}).to_string();
    let both = json!([{"host": "web-1", "check": "disk"}, {"host": "web-2"}]);

    let mut wrong = both.clone();
    wrong.as_array_mut().unwrap().push(json!({"host": "web-1", "check": "nosuch"}));
    let refused = fixture.post_json(path, &body(wrong)).await;
    assert_eq!(refused.status, 409);
    let json = refused.json();
    assert!(json["error"]["message"].as_str().unwrap().contains("1 of 3"), "{}", refused.text);
    assert_eq!(json["rows"][0]["error"], Value::Null);
    assert!(json["rows"][2]["error"].as_str().unwrap().contains("nosuch"), "{}", refused.text);
    assert_eq!(fixture.get("/api/muster/v1/problems").await.json()["unhandled"], 2, "none was taken");
    let unknown = fixture.post_json(path, &body(json!([{"host": "nosuch"}]))).await;
    assert_eq!(unknown.status, 409, "{}", unknown.text);
    for bad in [json!([]), json!(vec![json!({"host": "a"}); 1_001])] {
        assert_eq!(fixture.post_json(path, &body(bad)).await.status, 400);
    }

    assert_eq!(send_as(&fixture, Scope::Read, "POST", path, &body(both.clone())).await.status, 403);
    let done = send_as(&fixture, Scope::Silence, "POST", path, &body(both)).await;
    assert_eq!((done.status.as_u16(), &done.json()["acknowledged"]), (200, &json!(2)), "{}", done.text);
    let problems = fixture.get("/api/muster/v1/problems").await.json();
    assert_eq!(problems["unhandled"], 0);
    for one in problems["problems"].as_array().unwrap() {
        assert_eq!(one["acknowledgement"]["comment"], "moving", "{one}");
    }
    let audit = fixture.get("/api/muster/v1/audit?limit=10").await.text;
    assert_eq!(audit.matches("\"acknowledged\"").count(), 2, "{audit}");
}

#[tokio::test]
async fn the_status_tells_storage_mail_and_snapshots() {
    let fixture = Fixture::new();
    let status = fixture.get("/api/muster/v1/status").await.json();
    let kinds: Vec<_> = status["storage"]["kinds"].as_array().unwrap().iter().collect();
    let names: Vec<_> = kinds.iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(names, ["metrics", "logs", "events"]);
    assert!(kinds.iter().all(|kind| kind["bytes"].is_number() && kind["rows"].is_number()), "{kinds:?}");
    assert_eq!(kinds[2]["retention_seconds"], 730 * 86_400);
    let mail = json!({"waiting": 0, "sending": 0, "retrying": 0, "waiting_bytes": 0, "oldest_ms": null, "dead": 0});
    assert_eq!(status["mail"], mail);
    let snapshots = json!({"count": 1, "newest_ms": NOW_MS, "newest_bytes": 5, "is_running": true, "problem": null});
    assert_eq!((&status["snapshots"], &status["rules_ms"]), (&snapshots, &json!(NOW_MS)));
    let ca_years = (status["ca"]["expires_ms"].as_i64().unwrap() - NOW_MS) / (365 * 86_400_000);
    assert!((1..100).contains(&ca_years), "{}", status["ca"]);
    let groups = status["rule_groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["name"] == "planted").unwrap();
    assert_eq!(
        (&group["name"], &group["interval_ms"], &group["last_ms"]),
        (&json!("planted"), &json!(30_000), &json!(null))
    );
    assert_eq!((&group["failing"], &group["missed"], group["took_ms"].is_number()), (&json!(0), &json!(0), true));
}

#[tokio::test]
async fn the_status_counts_hosts_whose_data_is_behind() {
    let fixture = Fixture::new();
    for (number, behind_ms) in [0, 60_000, 60_001, 300_001].into_iter().enumerate() {
        let host = host(&fixture, &format!("web-{number}"), number as u32 + 1).await;
        heard(&fixture, host, "up", behind_ms);
    }
    host(&fixture, "web-9", 9).await;
    let status = fixture.get("/api/muster/v1/status").await.json();
    assert_eq!(status["hosts"]["lag"], json!({"known": 4, "over_1m": 2, "over_5m": 1}));
}
