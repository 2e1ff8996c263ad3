//! The doctor's one question over real parts: what is planted is found, under the shape that both doctors have.

use muster_fleet::Scope;
use serde_json::Value;

use super::fixture::{Fixture, NOW_MS};
use super::muster::ask;
use crate::state::Problem;

/// Level and text of each finding of this examination.
fn of<'a>(json: &'a Value, examination: &str) -> Vec<(&'a str, &'a str)> {
    let findings = json["findings"].as_array().unwrap().iter();
    let own = findings.filter(|finding| finding["examination"] == examination);
    own.map(|finding| (finding["level"].as_str().unwrap(), finding["what"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn what_is_wrong_is_found_with_its_remedy() {
    let mut fixture = Fixture::new();
    ask(&fixture, "web-1", 1);
    let message = "commits fail".to_owned();
    let problem = Problem { message, place: "`d/inbox`".to_owned(), remedy: "free room".to_owned() };
    fixture.problems.lock().unwrap().push(problem);
    // Some 100 MB a day, for an hour.
    let samples: Vec<(i64, f64)> =
        (0..240).map(|number| (NOW_MS - (240 - number) * 15_000, 1e9 - number as f64 * 17_361.0)).collect();
    let labels = [("__name__", "muster_collector_disk_free_bytes"), ("job", "muster")];
    fixture.store(&labels, muster_common::sample::MetricKind::Gauge, &samples);

    let answer = fixture.get("/api/muster/v1/doctor").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!((&json["version"], &json["settings"]), (&1.into(), &"planted settings".into()));
    assert_eq!(of(&json, "store"), [("problem", "commits fail")]);
    assert_eq!(of(&json, "hosts"), [("warning", "1 hosts wait to be let in: web-1")]);
    // Port 1 of the alerting file's server has nobody.
    let mail = of(&json, "mail");
    assert!(matches!(mail[..], [("problem", what)] if what.starts_with("no mail can be sent: connecting")), "{mail:?}");
    let forecast = of(&json, "forecast");
    assert!(matches!(forecast[..], [("warning", what)] if what.starts_with("the disk is full in ")), "{forecast:?}");
    let receivers = of(&json, "receivers");
    assert!(
        receivers.iter().any(|(_, what)| what.contains("slack")),
        "what was left out of the file is told: {receivers:?}"
    );
    for finding in json["findings"].as_array().unwrap() {
        let keys: Vec<&String> = finding.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["examination", "level", "remedy", "what", "where"]);
        assert!(finding["level"] == "ok" || finding["remedy"] != "", "{finding}");
    }
}

#[tokio::test]
async fn only_an_administrator_may_ask() {
    let fixture = Fixture::new();
    for (scope, status) in [(Scope::Read, 403), (Scope::Silence, 403), (Scope::Admin, 200)] {
        let request = axum::http::Request::get("/api/muster/v1/doctor")
            .header(axum::http::header::AUTHORIZATION, format!("Bearer {}", fixture.word(scope)));
        let answer = fixture.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{scope:?}");
    }
}
