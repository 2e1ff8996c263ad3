//! Checks, alerts, silences and mail over a real store, a real registry and real alerting.

use axum::body::Body;
use axum::http::{Request, header};
use muster_alert::desk::Desk;
use muster_common::check::CheckState;
use muster_common::time::Timestamp;
use muster_common::wire::message::{CheckDefinition, CheckReport, Perfdata, Report};
use muster_fleet::{Reported, Scope};
use serde_json::{Value, json};

use super::fixture::{Answer, Fixture, NOW_MS};
use super::muster::ask;

/// A collector with host web-1, whose check `disk` has just become CRITICAL.
async fn fixture() -> Fixture {
    let fixture = Fixture::new();
    ask(&fixture, "web-1", 1);
    assert_eq!(fixture.post_json("/api/muster/v1/hosts/web-1/approve", "{}").await.status, 200);
    report(&fixture, CheckState::Critical, 0);
    fixture
}

pub(super) fn report(fixture: &Fixture, state: CheckState, after_ms: i64) {
    let perfdata = Perfdata {
        label: "/var".into(),
        value: 97.0,
        unit: "%".into(),
        warn: "90".into(),
        crit: "95".into(),
        min: f64::NAN,
        max: f64::NAN,
    };
    let definition = CheckDefinition {
        interval_ms: 60_000,
        retry_ms: 10_000,
        remedy: "grow it".into(),
        ..CheckDefinition::default()
    };
    let report = Report::Check(CheckReport {
        at_ms: NOW_MS + after_ms,
        check: "disk".into(),
        state: state as u8,
        output: "97 % used".into(),
        long_output: String::new(),
        perfdata: vec![perfdata],
        duration_ms: 5,
        definition,
    });
    let host = fixture.fleet().find("web-1").unwrap();
    let arrived = Timestamp::from_millis(NOW_MS + after_ms);
    fixture.fleet().apply_reports(&[Reported { host, arrived, is_live: true, report }]).unwrap();
}

/// With a token of this scope.
pub(super) async fn send_as(fixture: &Fixture, scope: Scope, method: &str, path: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::AUTHORIZATION, format!("Bearer {}", fixture.word(scope)));
    fixture.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Message, place and remedy of one of our errors, which all stand there.
fn error(answer: &Answer) -> [String; 3] {
    let error = &answer.json()["error"];
    let words = ["message", "where", "remedy"].map(|key| error[key].as_str().unwrap_or("").to_owned());
    assert!(words.iter().all(|word| !word.is_empty()), "{}", answer.text);
    words
}

const ALERTS: &str = r#"[{"labels": {"alertname": "Slow", "team": "web", "empty": ""}, "annotations": {"summary": "it is slow"},
    "startsAt": "2023-11-14T22:00:00Z", "endsAt": "0001-01-01T00:00:00.000Z", "generatorURL": "http://p.example/graph"},
    {"labels": {"alertname": "Lag", "team": "db"}}]"#;

#[tokio::test]
async fn checks_are_shown_acknowledged_and_forgotten() {
    let fixture = fixture().await;
    let listed = fixture.get("/api/muster/v1/checks?host=web-1&problems=true").await.json();
    let check = &listed["checks"][0];
    let shown =
        ["host", "check", "state", "hard_state", "output", "remedy", "kind"].map(|key| check[key].as_str().unwrap());
    assert_eq!(shown, ["web-1", "disk", "CRITICAL", "CRITICAL", "97 % used", "grow it", "plugin"]);
    assert_eq!(
        (&check["is_hard"], &check["holds"], &check["perfdata"][0]["value"]),
        (&json!(true), &json!([]), &json!(97.0))
    );
    assert_eq!(check["perfdata"][0]["min"], Value::Null);

    let path = "/api/muster/v1/checks/web-1/disk/ack";
    let body = json!({"comment": "on it", "sticky": true, "until_ms": NOW_MS + 60_000}).to_string();
    assert_eq!(send_as(&fixture, Scope::Read, "POST", path, &body).await.status, 403);
    let taken = send_as(&fixture, Scope::Silence, "POST", path, &body).await.json();
    assert_eq!(taken["check"]["acknowledgement"]["comment"], "on it");
    assert_eq!(taken["check"]["holds"][0]["why"], "acknowledged");
    assert_eq!(taken["check"]["holds"][0]["until_ms"], NOW_MS + 60_000);
    let free = fixture.delete(path).await.json();
    assert_eq!((&free["check"]["acknowledgement"], &free["check"]["holds"]), (&Value::Null, &json!([])));

    let late = fixture.post_json(path, &json!({"until_ms": NOW_MS}).to_string()).await;
    assert_eq!((late.status.as_u16(), error(&late)[1].as_str()), (400, "field `until_ms`"));
    let missing = fixture.get("/api/muster/v1/checks/web-1/nothing").await;
    assert_eq!(missing.status, 404);
    assert!(error(&missing)[0].contains("no check `nothing`"), "{}", missing.text);
    assert_eq!(fixture.get("/api/muster/v1/checks?host=web-9").await.status, 404);
    assert_eq!(fixture.get("/api/muster/v1/checks?problems=maybe").await.status, 400);

    assert_eq!(fixture.delete("/api/muster/v1/checks/web-1/disk").await.json()["check"]["check"], "disk");
    assert_eq!(fixture.get("/api/muster/v1/checks").await.json()["checks"], json!([]));
    // What is well has nothing to acknowledge.
    report(&fixture, CheckState::Ok, 1_000);
    assert_eq!(fixture.post_json(path, "{}").await.status, 409);
    assert_eq!(fixture.get("/api/muster/v1/checks?problems=true").await.json()["checks"], json!([]));
}

#[tokio::test]
async fn downtimes_are_planned_shown_and_ended() {
    let fixture = fixture().await;
    let body = json!({"matchers": ["host=\"web-1\"", "check=~\"d.*\""], "reason": "new disk", "starts_ms": NOW_MS,
        "ends_ms": NOW_MS + 60_000, "every": null, "zone": null});
    let planned = fixture.post_json("/api/muster/v1/downtimes", &body.to_string()).await;
    assert_eq!(planned.status, 201, "{}", planned.text);
    let id = planned.json()["downtime"]["id"].as_u64().unwrap();
    let listed = fixture.get("/api/muster/v1/downtimes").await.json();
    let one = &listed["downtimes"][0];
    assert_eq!((one["state"].as_str(), one["matchers"][1].as_str()), (Some("active"), Some("check=~\"d.*\"")));
    assert_eq!((&one["every"], &one["zone"], &one["reason"]), (&Value::Null, &Value::Null, &json!("new disk")));
    let check = fixture.get("/api/muster/v1/checks/web-1/disk").await.json();
    assert_eq!(check["check"]["holds"][0]["why"], "downtime");
    let ended = fixture.delete(&format!("/api/muster/v1/downtimes/{id}")).await.json();
    assert_eq!((&ended["downtime"]["id"], &ended["downtime"]["state"]), (&json!(id), &json!("ended")));
    assert_eq!(fixture.delete(&format!("/api/muster/v1/downtimes/{id}")).await.status, 404);
    let mut past = body.clone();
    past["starts_ms"] = json!(NOW_MS - 1_000);
    let id = fixture.post_json("/api/muster/v1/downtimes", &past.to_string()).await.json()["downtime"]["id"].clone();
    assert_eq!(fixture.delete(&format!("/api/muster/v1/downtimes/{id}")).await.status, 200);
    assert_eq!(fixture.get("/api/muster/v1/downtimes").await.json()["downtimes"], json!([]));
    let all = fixture.get("/api/muster/v1/downtimes?ended=true").await.json();
    let one = &all["downtimes"][0];
    assert_eq!(all["downtimes"].as_array().unwrap().len(), 1, "one that never began is not remembered");
    assert_eq!((&one["id"], &one["state"], &one["ends_ms"]), (&id, &json!("ended"), &json!(NOW_MS)));
    assert_eq!(fixture.get("/api/muster/v1/downtimes?ended=maybe").await.status, 400);
    for (change, status) in
        [(json!({"matchers": ["host"]}), 400), (json!({"ends_ms": NOW_MS}), 400), (json!({"every": "soon"}), 400)]
    {
        let mut wrong = body.clone();
        wrong.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = fixture.post_json("/api/muster/v1/downtimes", &wrong.to_string()).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        error(&refused);
    }
}

#[tokio::test]
async fn time_intervals_are_listed_with_the_routes_that_use_them() {
    let fixture = Fixture::new();
    let answer = fixture.get("/api/muster/v1/mutes").await.json();
    assert_eq!((&answer["version"], &answer["now_ms"]), (&json!(1), &json!(NOW_MS)));
    assert_eq!(
        answer["intervals"],
        json!([{
            "name": "always",
            "periods": [{"times": [{"start_time": "00:00", "end_time": "24:00"}], "location": "UTC"}],
            "mutes": [{"route": "{}/{team=\"db\"}", "receiver": "chat"}],
            "activates": [],
            "is_on": true,
            "next_change_ms": null,
        }])
    );
}

#[tokio::test]
async fn rules_are_shown_in_prometheus_shape() {
    let fixture = Fixture::new();
    let groups = fixture.get("/api/v1/rules?rule_group[]=planted").await.json();
    let group = &groups["data"]["groups"][0];
    assert_eq!(
        (&group["interval"], &group["limit"], &group["lastEvaluation"]),
        (&json!(30.0), &json!(7), &json!("0001-01-01T00:00:00Z"))
    );
    let (recording, alerting) = (&group["rules"][0], &group["rules"][1]);
    assert_eq!(
        (&recording["type"], &recording["name"], &recording["health"]),
        (&json!("recording"), &json!("planted:up:sum"), &json!("unknown"))
    );
    assert!(recording.get("state").is_none() && recording.get("alerts").is_none());
    assert_eq!(
        (&alerting["state"], &alerting["duration"], &alerting["keepFiringFor"]),
        (&json!("inactive"), &json!(300.0), &json!(60.0))
    );
    assert_eq!(
        (&alerting["query"], &alerting["labels"], &alerting["alerts"]),
        (&json!("up == 0"), &json!({"severity": "critical"}), &json!([]))
    );
    assert_eq!(alerting["annotations"]["summary"], "{{ $labels.host }} is down");
    let only = fixture.get("/api/v1/rules?type=record&rule_group[]=planted").await.json();
    assert_eq!(only["data"]["groups"][0]["rules"].as_array().unwrap().len(), 1);
    let wrong = fixture.get("/api/v1/rules?type=both").await;
    assert_eq!((wrong.status.as_u16(), wrong.json()["errorType"].as_str()), (400, Some("bad_data")));
    assert_eq!(fixture.get("/api/v1/alerts").await.json(), json!({"status": "success", "data": {"alerts": []}}));
}

#[tokio::test]
async fn alerts_are_pushed_and_asked_as_alertmanager_has_them() {
    let fixture = Fixture::new();
    assert_eq!(send_as(&fixture, Scope::Read, "POST", "/api/v2/alerts", ALERTS).await.status, 403);
    let pushed = send_as(&fixture, Scope::Ingest, "POST", "/api/v2/alerts", ALERTS).await;
    assert_eq!(pushed.status, 200, "{}", pushed.text);
    let alerts = fixture.get("/api/v2/alerts?filter=alertname%3D%22Slow%22").await.json();
    let alert = &alerts[0];
    assert_eq!((alerts.as_array().unwrap().len(), &alert["labels"]), (1, &json!({"alertname": "Slow", "team": "web"})));
    assert_eq!(
        (&alert["annotations"], &alert["generatorURL"]),
        (&json!({"summary": "it is slow"}), &json!("http://p.example/graph"))
    );
    assert_eq!(
        (&alert["startsAt"], &alert["endsAt"]),
        (&json!("2023-11-14T22:00:00Z"), &json!("2023-11-14T22:18:20Z"))
    );
    assert_eq!((&alert["receivers"], &alert["fingerprint"].as_str().unwrap().len()), (&json!([{"name": "ops"}]), &16));
    assert_eq!(alert["status"], json!({"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}));
    // Its route has a mute time that is always on.
    let muted = fixture.get("/api/v2/alerts?receiver=cha.").await.json();
    assert_eq!((muted.as_array().unwrap().len(), &muted[0]["status"]["mutedBy"]), (1, &json!(["always"])));
    let groups = fixture.get("/api/v2/alerts/groups?muted=false").await.json();
    assert_eq!((groups.as_array().unwrap().len(), &groups[0]["labels"]), (1, &json!({"alertname": "Slow"})));
    assert_eq!((&groups[0]["receiver"]["name"], groups[0]["alerts"].as_array().unwrap().len()), (&json!("ops"), 1));

    // Pushed as ended.
    let end = r#"[{"labels": {"alertname": "Slow", "team": "web"}, "endsAt": "2023-11-14T22:13:00Z"}]"#;
    assert_eq!(fixture.post_json("/api/v2/alerts", end).await.status, 200);
    assert_eq!(fixture.get("/api/v2/alerts?filter=alertname%3DSlow").await.json(), json!([]));

    // The good one is taken beside those that are not.
    let mixed = json!([{"labels": {}}, {"labels": {"alertname": "Good"}}, {"labels": {"a": "x".repeat(9_000)}},
        {"labels": {"alertname": "Odd"}, "startsAt": "2023-11-14T22:13:00Z", "endsAt": "2023-11-14T22:12:00Z"}]);
    let refused = fixture.post_json("/api/v2/alerts", &mixed.to_string()).await;
    let said = refused.json();
    assert_eq!(refused.status, 400);
    assert!(
        said.as_str().unwrap().starts_with("3 alerts were not taken, 1 were: alert 0: at least one label"),
        "{said}"
    );
    assert_eq!(fixture.get("/api/v2/alerts?filter=alertname%3DGood").await.json().as_array().unwrap().len(), 1);
    let many = vec![json!({"labels": {"a": "b"}}); 10_001];
    assert_eq!(fixture.post_json("/api/v2/alerts", &Value::from(many).to_string()).await.status, 413);
    assert!(fixture.get("/api/v2/nothing").await.json().is_string(), "errors are one string");
}

#[tokio::test]
async fn silences_are_set_changed_and_ended() {
    let fixture = Fixture::new();
    assert_eq!(fixture.post_json("/api/v2/alerts", ALERTS).await.status, 200);
    let body = |id: &str, name: &str, hours: u32| {
        json!({"id": id, "matchers": [{"name": "alertname", "value": name, "isRegex": false}], "createdBy": "ann", "comment": "why",
            "startsAt": "2023-11-14T22:00:00Z", "endsAt": format!("2023-11-15T{hours:02}:00:00Z")})
        .to_string()
    };
    let put = async |body: String| fixture.post_json("/api/v2/silences", &body).await;
    assert_eq!(send_as(&fixture, Scope::Ingest, "POST", "/api/v2/silences", &body("", "Slow", 1)).await.status, 403);
    let made = send_as(&fixture, Scope::Silence, "POST", "/api/v2/silences", &body("", "Slow", 1)).await;
    let id = made.json()["silenceID"].as_str().unwrap().to_owned();
    let shown = fixture.get(&format!("/api/v2/silence/{id}")).await.json();
    assert_eq!((&shown["status"]["state"], &shown["startsAt"]), (&json!("active"), &json!("2023-11-14T22:13:20Z")));
    assert_eq!(shown["matchers"], json!([{"name": "alertname", "value": "Slow", "isRegex": false, "isEqual": true}]));
    let alerts = fixture.get("/api/v2/alerts?filter=alertname%3DSlow").await.json();
    assert_eq!(
        (&alerts[0]["status"]["state"], &alerts[0]["status"]["silencedBy"]),
        (&json!("suppressed"), &json!([id]))
    );
    assert_eq!(fixture.get("/api/v2/alerts?silenced=false&filter=alertname%3DSlow").await.json(), json!([]));

    // Longer: the same one. About something else: another, and this one ends.
    assert_eq!(put(body(&id, "Slow", 2)).await.json()["silenceID"], json!(id));
    let other = put(body(&id, "Lag", 2)).await.json()["silenceID"].as_str().unwrap().to_owned();
    assert_ne!(other, id);
    assert_eq!(fixture.get(&format!("/api/v2/silence/{id}")).await.json()["status"]["state"], "expired");
    let listed = fixture.get("/api/v2/silences").await.json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (2, &json!(other)));
    let filtered = fixture.get("/api/v2/silences?filter=alertname%3DSlow").await.json();
    assert_eq!((filtered.as_array().unwrap().len(), &filtered[0]["id"]), (1, &json!(id)));
    assert_eq!(fixture.delete(&format!("/api/v2/silence/{other}")).await.status, 200);
    assert_eq!(fixture.delete(&format!("/api/v2/silence/{other}")).await.status, 500, "it is over");

    for (refused, status) in [
        (put(body("00000000-0000-4000-8000-000000000000", "Slow", 1)).await, 404),
        (put(body("", "Slow", 1).replace("2023-11-15", "2023-11-13")).await, 400),
        (put(body("", "Slow", 1).replace("false", "true").replace("Slow", "(")).await, 400),
        (put(body("", "", 1)).await, 400),
        (fixture.delete("/api/v2/silence/none").await, 404),
    ] {
        assert_eq!(refused.status, status, "{}", refused.text);
        assert!(refused.json().is_string());
    }
}

#[tokio::test]
async fn status_and_receivers_hide_how_people_are_reached() {
    let fixture = Fixture::new();
    let status = fixture.get("/api/v2/status").await.json();
    let config = status["config"]["original"].as_str().unwrap();
    assert!(config.contains("receiver: \"ops\"") && config.contains(r#"matchers: ["team=\"db\""]"#), "{config}");
    assert!(!config.contains("example.org"), "{config}");
    assert_eq!(
        (&status["cluster"]["status"], &status["versionInfo"]["version"]),
        (&json!("disabled"), &json!("0.28.0+muster.0.1.0"))
    );
    assert_eq!(fixture.get("/api/v2/receivers").await.json(), json!([{"name": "ops"}, {"name": "chat"}]));
}

#[tokio::test]
async fn alerts_and_routes_say_who_was_told_or_why_nobody_is() {
    let fixture = fixture().await;
    assert_eq!(fixture.post_json("/api/v2/alerts", ALERTS).await.status, 200);
    let listed = fixture.get("/api/muster/v1/alerts?matcher=alertname%3Ddisk").await.json();
    let alert = &listed["alerts"][0];
    assert_eq!(
        (&alert["state"], &alert["labels"]["host"], &alert["origin"]["kind"]),
        (&json!("firing"), &json!("web-1"), &json!("check"))
    );
    let waits = json!([{"receiver": "ops", "told_ms": null, "next_ms": NOW_MS + 30_000, "storm": false}]);
    assert_eq!((&alert["receivers"], &alert["holds"]), (&waits, &json!([])));
    let lag = fixture.get("/api/muster/v1/alerts?matcher=team%3Ddb").await.json();
    assert_eq!(lag["alerts"][0]["holds"][0]["why"], "mute_time");

    let explain = async |body: Value| fixture.post_json("/api/muster/v1/routes/explain", &body.to_string()).await;
    let told = explain(json!({"alert": alert["id"]})).await.json();
    let route = &told["explanation"]["routes"][0];
    assert_eq!(
        (&route["receiver"], &route["told_ms"], &route["next_ms"]),
        (&json!("ops"), &Value::Null, &json!(NOW_MS + 30_000))
    );
    assert_eq!(route["group"], "{alertname=\"disk\"}");
    assert!(route["notes"][0].as_str().unwrap().starts_with("a new group waits 30s"), "{route}");
    let told = explain(json!({"labels": {"alertname": "New", "team": "db"}})).await.json();
    let explanation = &told["explanation"];
    assert_eq!((&explanation["alert"], &explanation["holds"][0]["by"]), (&Value::Null, &json!("always")));
    let notes = explanation["routes"][0]["notes"].to_string();
    assert!(notes.contains("slack_configs of receiver chat") && notes.contains("ops is told too"), "{notes}");
    for wrong in [json!({}), json!({"alert": "00aa", "labels": {"a": "b"}}), json!({"labels": {}})] {
        let refused = explain(wrong).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        error(&refused);
    }
    assert_eq!(explain(json!({"alert": "00aa"})).await.status, 404);
    assert_eq!(fixture.get("/api/muster/v1/alerts?matcher=%3D").await.status, 400);
}

#[tokio::test]
async fn rule_files_are_linted_and_tested() {
    let fixture = Fixture::new();
    let lint = async |text: &str| {
        let body = json!({"files": [{"name": "a.yml", "text": text}]}).to_string();
        fixture.post_json("/api/muster/v1/rules/lint", &body).await.json()["findings"].clone()
    };
    let found = lint("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up ==\n").await;
    assert_eq!(found[0]["level"], "error");
    assert!(found[0]["where"].as_str().unwrap().starts_with("a.yml:5:"), "{found}");
    let rules = "groups:\n- name: g\n  rules:\n  - record: a:b\n    expr: sum(up)\n";
    let test = |value: u32| {
        format!(
            "rule_files: [a.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n  - series: up\n    values: 1 1 1\n  \
             promql_expr_test:\n  - expr: a:b\n    eval_time: 2m\n    exp_samples:\n    - labels: a:b\n      value: {value}\n"
        )
    };
    let file = |name: &str, text: &str| json!({"name": name, "text": text});
    let body = json!({"tests": [
        {"test": file("good.yml", &test(1)), "rules": [file("a.yml", rules)]},
        {"test": file("bad.yml", &test(2)), "rules": [file("a.yml", rules)]},
        {"test": file("alone.yml", &test(1))},
    ]});
    let results = fixture.post_json("/api/muster/v1/rules/unit", &body.to_string()).await.json()["results"].clone();
    assert_eq!(results[0], json!({"name": "good.yml", "cases": 1, "failures": []}));
    assert_eq!(results[1]["failures"].as_array().unwrap().len(), 1, "{results}");
    assert!(results[2]["failures"][0].as_str().unwrap().contains("`a.yml` was not sent"), "{results}");
    let nothing = fixture.post_json("/api/muster/v1/rules/lint", r#"{"files": []}"#).await;
    assert_eq!((nothing.status.as_u16(), error(&nothing)[1].as_str()), (400, "field `files`"));
}

#[tokio::test]
async fn mail_is_previewed_and_a_test_tells_what_went_wrong() {
    let fixture = fixture().await;
    assert_eq!(fixture.get("/api/muster/v1/mail").await.json()["rows"], json!([]));
    let id = fixture.state.alerting.ask(|desk: &Desk| desk.dispatch().alerts().next().unwrap().id.to_string());
    let mail = fixture.get(&format!("/api/muster/v1/mail/preview?alert={id}")).await.json();
    assert_eq!((&mail["receiver"], &mail["recipient"]), (&json!("ops"), &json!("ann@example.org")));
    for (part, word) in [("subject", "web-1"), ("text", "97 % used"), ("html", "<html"), ("eml", "To: ann@example.org")]
    {
        assert!(mail[part].as_str().unwrap().contains(word), "{part}: {}", mail[part]);
    }
    let page = fixture.get(&format!("/api/muster/v1/mail/preview.html?alert={id}")).await;
    assert_eq!(
        (page.status.as_u16(), &page.headers["content-type"]),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert!(
        page.text.contains("<html") && page.text.contains("97 % used") && !page.text.contains("cid:"),
        "{}",
        page.text
    );
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    for word in ["default-src 'none';", "; sandbox;", "frame-ancestors 'self'"] {
        assert!(policy.contains(word) && !policy.contains("script-src") && !policy.contains("allow-"), "{policy}");
    }
    for path in ["preview", "preview.html"] {
        assert_eq!(fixture.get(&format!("/api/muster/v1/mail/{path}?alert=00aa")).await.status, 404);
    }
    let none = fixture.get("/api/muster/v1/mail/preview").await;
    assert_eq!((none.status.as_u16(), error(&none)[1].as_str()), (400, "parameter `alert`"));

    // Nobody listens at port 1 of this machine.
    let tested = fixture.post_json("/api/muster/v1/mail/test", r#"{"receiver": "ops"}"#).await.json();
    let sent = &tested["sent"][0];
    assert_eq!((&sent["recipient"], &sent["accepted"]), (&json!("ann@example.org"), &json!(false)));
    assert!(!sent["answer"].as_str().unwrap().is_empty());
    let unknown = fixture.post_json("/api/muster/v1/mail/test", r#"{"receiver": "nobody"}"#).await;
    assert_eq!((unknown.status.as_u16(), error(&unknown)[2].as_str()), (404, "those there are are ops, chat"));
    let silence = send_as(&fixture, Scope::Silence, "POST", "/api/muster/v1/mail/test", r#"{"receiver": "ops"}"#).await;
    assert_eq!(silence.status, 403);
}

#[tokio::test]
async fn numbers_of_alerting_are_the_collectors() {
    let fixture = fixture().await;
    let metrics = fixture.get("/metrics").await.text;
    assert!(metrics.contains("muster_collector_alerts_firing 1\n"), "{metrics}");
}
