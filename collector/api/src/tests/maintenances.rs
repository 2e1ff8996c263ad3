//! Maintenances over HTTP: begun, listed, told to open pages, finished, and what their downtimes let nobody do.

use muster_common::check::CheckState;
use muster_common::time::Timestamp;
use serde_json::{Value, json};

use super::alerting::report;
use super::fixture::{Fixture, NOW_MS};
use super::live::Events;
use super::muster::ask;

const PATH: &str = "/api/muster/v1/maintenances";

async fn with_host() -> Fixture {
    let fixture = Fixture::new();
    ask(&fixture, "web-1", 1);
    assert_eq!(fixture.post_json("/api/muster/v1/hosts/web-1/approve", "{}").await.status, 200);
    fixture
}

async fn list(fixture: &Fixture, query: &str) -> Vec<Value> {
    fixture.get(&format!("{PATH}{query}")).await.json()["maintenances"].as_array().unwrap().clone()
}

fn tick(fixture: &Fixture, after_ms: i64) {
    fixture.fleet().tick_status(Timestamp::from_millis(NOW_MS + after_ms)).unwrap();
}

#[tokio::test]
async fn a_maintenance_is_begun_finished_and_leaves_an_alert_where_health_does_not_return() {
    let fixture = with_host().await;
    tick(&fixture, 0);
    let mut events = Events::open(&fixture, "/api/muster/v1/live?topics=maintenances").await;
    let body = json!({"name": "new kernel", "hosts": ["web-1"], "ends_ms": NOW_MS + 3_600_000, "grace_ms": 60_000});
    let begun = fixture.post_json(PATH, &body.to_string()).await;
    assert_eq!(begun.status.as_u16(), 201, "{}", begun.text);
    let begun = begun.json()["maintenance"].clone();
    assert_eq!((&begun["state"], &begun["hosts"]), (&"open".into(), &json!(["web-1"])));
    assert!(begun["by"].as_str().unwrap().starts_with("token:"), "{begun}");
    assert_eq!(list(&fixture, "").await.first(), Some(&begun));
    assert_eq!(events.of_topic("maintenances").await.data["changed"], json!([begun]));
    // Its downtime is one of those listed, and only it ends that.
    let downtimes = fixture.get("/api/muster/v1/downtimes").await.json();
    assert_eq!(downtimes["downtimes"][0]["reason"], "maintenance: new kernel");
    let refused = fixture.delete("/api/muster/v1/downtimes/1").await;
    assert_eq!(refused.status.as_u16(), 409, "{}", refused.text);
    assert!(refused.text.contains("muster maintenance finish 1"), "{}", refused.text);

    report(&fixture, CheckState::Critical, 1_000);
    let alert = |alerts: &Value, name: &str| {
        let all = alerts["alerts"].as_array().unwrap();
        all.iter().find(|one| one["labels"]["alertname"] == name).cloned()
    };
    let alerts = fixture.get("/api/muster/v1/alerts").await.json();
    assert_eq!(alert(&alerts, "disk").unwrap()["holds"][0]["why"], "downtime");
    let finished = fixture.post_json(&format!("{PATH}/1/finish"), "{}").await;
    assert_eq!((finished.status.as_u16(), &finished.json()["maintenance"]["state"]), (200, &"settling".into()));
    tick(&fixture, 60_000);
    let left = &list(&fixture, "").await[0];
    assert_eq!((&left["state"], &left["unreturned"][0]["check"]), (&"not_recovered".into(), &"disk".into()));
    let alerts = fixture.get("/api/muster/v1/alerts").await.json();
    let told = alert(&alerts, "MaintenanceNotRecovered").unwrap();
    assert_eq!(told["origin"], json!({"kind": "maintenance", "maintenance": 1}));
    assert_eq!((&told["holds"], &told["labels"]["host"]), (&json!([]), &"web-1".into()));
    let held = &alert(&alerts, "disk").unwrap()["holds"][0];
    assert_eq!((&held["why"], &held["by"]), (&"maintenance".into(), &"1".into()));

    report(&fixture, CheckState::Ok, 70_000);
    tick(&fixture, 71_000);
    assert!(list(&fixture, "").await.is_empty());
    assert_eq!(list(&fixture, "?closed=true").await[0]["state"], "closed");
    let again = fixture.post_json(&format!("{PATH}/1/finish"), "{}").await;
    assert_eq!(again.status.as_u16(), 404, "{}", again.text);
    let audited = fixture.get("/api/muster/v1/audit?action=maintenance_begun").await.json();
    assert_eq!((audited["rows"].as_array().unwrap().len(), &audited["rows"][0]["object"]), (1, &"web-1".into()));
}

#[tokio::test]
async fn one_that_is_about_nobody_is_refused() {
    let fixture = with_host().await;
    for (body, status, why) in [
        (json!({"name": "x", "hosts": ["web-9"], "ends_ms": NOW_MS + 1}), 404, "web-9"),
        (json!({"name": "x", "matchers": ["role=db"], "ends_ms": NOW_MS + 1}), 400, "no active host"),
        (json!({"name": "x", "hosts": ["web-1"], "ends_ms": NOW_MS}), 400, "ends before"),
        (json!({"name": "x", "hosts": ["web-1"], "ends_ms": NOW_MS + 1, "grace_ms": -1}), 400, "an hour"),
    ] {
        let answer = fixture.post_json(PATH, &body.to_string()).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert!(answer.text.contains(why), "{}", answer.text);
    }
    assert_eq!(fixture.post_json(&format!("{PATH}/x/finish"), "{}").await.status.as_u16(), 400);
}
