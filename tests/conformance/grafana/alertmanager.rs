//! The Alertmanager data source: saved and tested, and the pages of alerting that go through it.

use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::http::Answer;
use muster_tests::harness::programs;
use serde_json::{Value, json};

use super::client::{self, Way};
use super::recorded::Kind::{Is, List, Object, Text, Time, Truth};
use super::recorded::Reads::{FallsBack, Fields};
use super::recorded::Source::Page;
use super::recorded::{Row, wrong};

/// Times as JavaScript writes them. What should have begun long ago begins now.
const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";
const FAR: &str = "2099-01-01T00:00:00.000Z";
const FARTHER: &str = "2099-01-02T00:00:00.000Z";

#[rustfmt::skip]
const ALERT: &[(&str, super::recorded::Kind)] = &[
    ("*/fingerprint", Text), ("*/labels", Object), ("*/labels/alertname", Text), ("*/annotations", Object), ("*/startsAt", Time), ("*/endsAt", Time),
    ("*/updatedAt", Time), ("*/generatorURL?", Text), ("*/receivers/*/name", Text), ("*/status/state", Text), ("*/status/silencedBy", List),
    ("*/status/inhibitedBy", List), ("*/status/mutedBy", List),
];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("save and test: whether it is a Mimir", Page, "GET", "/api/v1/status/buildinfo", &[], Fields(&[("data/version", Text), ("data/application?", Is("Prometheus"))])),
    ("save and test: an answer here would make it a Mimir", Page, "GET", "/alertmanager/api/v2/status", &[], FallsBack("then it asks the next")),
    ("save and test, and the page of contact points", Page, "GET", "/api/v2/status", &[],
        Fields(&[("cluster/status", Text), ("cluster/peers", List), ("config/original", Text), ("uptime", Time), ("versionInfo/version", Text),
            ("versionInfo/revision", Text), ("versionInfo/branch", Text), ("versionInfo/buildUser", Text), ("versionInfo/buildDate", Text), ("versionInfo/goVersion", Text)])),
    ("the page of groups", Page, "GET", "/api/v2/alerts/groups", &[],
        Fields(&[("*/labels", Object), ("*/receiver/name", Text), ("*/alerts/*/fingerprint", Text), ("*/alerts/*/status/state", Text), ("*/alerts/*/receivers/*/name", Text)])),
    ("the page of groups, filtered", Page, "GET", "/api/v2/alerts/groups?active=true&filter=alertname%3D%22Slow%22&inhibited=true&silenced=true&unprocessed=true", &[],
        Fields(&[("*/alerts/*/labels/alertname", Is("Slow"))])),
    ("alerts that a silence would cover", Page, "GET", "/api/v2/alerts?filter=alertname%3D%22Slow%22&silenced=true&active=true&inhibited=true", &[], Fields(ALERT)),
    ("alerts", Page, "GET", "/api/v2/alerts", &[], Fields(ALERT)),
    ("the page of silences", Page, "GET", "/api/v2/silences", &[],
        Fields(&[("*/id", Text), ("*/status/state", Text), ("*/startsAt", Time), ("*/endsAt", Time), ("*/updatedAt", Time), ("*/createdBy", Text), ("*/comment", Text),
            ("*/matchers/*/name", Text), ("*/matchers/*/value", Text), ("*/matchers/*/isRegex", Truth), ("*/matchers/*/isEqual", Truth)])),
];

/// What a page changes: a body as JSON, answered by JSON where there is something to say.
fn change(collector: &Collector, method: &str, path: &str, body: &Value) -> Answer {
    let (content, body) = match body {
        Value::Null => (Vec::new(), String::new()),
        body => (vec!["Content-Type: application/json".to_owned()], body.to_string()),
    };
    client::send(collector, Way::Proxy, method, path, &content, &body).unwrap()
}

#[test]
fn the_alertmanager_data_source_finds_what_it_reads_and_its_pages_silence() {
    let (programs, folder) = (programs::folder(), tempfile::tempdir().unwrap());
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    // What Grafana's own alerts come as, where the data source is told to take them.
    let alert = json!([{"labels": {"alertname": "Slow", "team": "web"}, "annotations": {"summary": "it is slow"}, "startsAt": LONG_AGO, "endsAt": FAR, "generatorURL": "http://grafana.example/alerting/1"}]);
    let pushed = change(&collector, "POST", "/api/v2/alerts", &alert);
    assert_eq!(pushed.status, 200, "{}", pushed.text());
    let silence = |id: Option<&str>, ends: &str| {
        let matchers = json!([{"name": "alertname", "value": "Slow", "isRegex": false, "isEqual": true}]);
        let mut silence = json!({"matchers": matchers, "startsAt": LONG_AGO, "endsAt": ends, "createdBy": "ann", "comment": "created by Grafana"});
        if let Some(id) = id {
            silence["id"] = id.into();
        }
        change(&collector, "POST", "/api/v2/silences", &silence)
    };
    let made = silence(None, FAR);
    assert_eq!(made.status, 200, "{}", made.text());
    let id = made.json().unwrap()["silenceID"].as_str().unwrap().to_owned();
    let wrong = wrong(&collector, ROWS);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let page = |path: &str| change(&collector, "GET", path, &Value::Null).json().unwrap();
    assert_eq!(page("/api/v2/alerts")[0]["status"]["silencedBy"], json!([id]));
    let shown = page(&format!("/api/v2/silence/{id}"));
    assert_eq!((&shown["status"]["state"], &shown["createdBy"]), (&"active".into(), &"ann".into()), "{shown}");
    // Changed, it is the same one; ended, it stays on the page as expired.
    let changed = silence(Some(&id), FARTHER);
    assert_eq!(changed.json().unwrap(), json!({"silenceID": id}));
    let ended = change(&collector, "DELETE", &format!("/api/v2/silence/{id}"), &Value::Null);
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert_eq!(page("/api/v2/silences")[0]["status"]["state"], "expired");
    assert_eq!(page("/api/v2/alerts")[0]["status"]["state"], "active");
}
