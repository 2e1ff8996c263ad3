use std::sync::atomic::Ordering;

use muster_common::sample::MetricKind;

use super::fixture::{Fixture, NOW_MS};
use crate::Problem;

#[tokio::test]
async fn health_is_a_status_and_a_line() {
    let fixture = Fixture::new();
    for (path, text) in [("/-/healthy", "Muster is healthy.\n"), ("/-/ready", "Muster is ready.\n")] {
        let answer = fixture.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, text));
    }
    fixture.is_ready.store(false, Ordering::Relaxed);
    let problem = |text: &str| Problem { message: text.into(), place: "inbox".into(), remedy: "free room".into() };
    fixture.problems.lock().unwrap().extend([problem("no commit"), problem("no flush")]);
    let answer = fixture.get("/-/healthy").await;
    assert_eq!(
        (answer.status.as_u16(), answer.text.as_str()),
        (503, "no commit (inbox): free room\nno flush (inbox): free room\n")
    );
    let answer = fixture.get("/-/ready").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (503, "the collector starts or stops: ask again\n"));
}

#[tokio::test]
async fn a_flush_changes_no_answer() {
    let mut fixture = Fixture::new();
    fixture.store(&[("__name__", "up"), ("host", "a")], MetricKind::Gauge, &[(NOW_MS - 1_000, 1.0)]);
    let before = fixture.get("/api/v1/query?query=up").await.text;
    for path in ["/-/flush", "/-/flush?merge=1"] {
        let answer = fixture.post_form(path, "").await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        assert_eq!(fixture.get("/api/v1/query?query=up").await.text, before);
    }
    assert!(before.contains("\"1\""));
    let answer = fixture.post_form("/-/flush?merge=yes", "").await;
    assert_eq!(
        answer.text,
        "`yes` is neither 0 nor 1 (parameter `merge`): write merge=1 to merge the day's segments as well\n"
    );
    assert_eq!(fixture.get("/-/flush").await.status.as_u16(), 405);
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let fixture = Fixture::new();
    let answer = fixture.get("/metrics").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(
        answer
            .text
            .contains("# TYPE muster_collector_build_info gauge\nmuster_collector_build_info{version=\"0.1.0\"} 1\n")
    );
    let mut names = std::collections::BTreeSet::new();
    for line in answer.text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        assert!(names.insert(series.to_owned()), "twice: {line}");
    }
}

#[tokio::test]
async fn a_bad_configuration_is_told_and_the_old_stays() {
    let fixture = Fixture::new();
    let answer = fixture.post_form("/-/reload", "").await;
    assert_eq!(answer.status.as_u16(), 400);
    assert_eq!(answer.text, "the old configuration stays in force:\nc.toml:1:1: planted\n");
}
