use muster_common::sample::MetricKind;

use super::fixture::{Fixture, NOW_MS};

/// Two hosts' `up` and a counter, one sample every 15 s for two minutes up to now.
fn filled() -> Fixture {
    let mut fixture = Fixture::new();
    let times = || (0..=8).rev().map(|k| NOW_MS - k * 15_000);
    for (host, value) in [("web-1", 1.0), ("web-2", 0.0)] {
        let samples: Vec<_> = times().map(|at| (at, value)).collect();
        fixture.store(&[("__name__", "up"), ("host", host), ("job", "node")], MetricKind::Gauge, &samples);
    }
    let samples: Vec<_> = times().enumerate().map(|(k, at)| (at, k as f64 * 30.0)).collect();
    fixture.store(&[("__name__", "node_cpu_seconds_total"), ("host", "web-1")], MetricKind::Counter, &samples);
    fixture
}

#[tokio::test]
async fn query_answers_have_prometheus_bytes() {
    let fixture = filled();
    for (path, expect) in [
        (
            "/api/v1/query?query=up&time=1700000000",
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","host":"web-1","job":"node"},"value":[1700000000,"1"]},{"metric":{"__name__":"up","host":"web-2","job":"node"},"value":[1700000000,"0"]}]}}"#,
        ),
        (
            "/api/v1/query?query=up&time=2023-11-14T22:13:20.5Z&limit=1",
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","host":"web-1","job":"node"},"value":[1700000000.500,"1"]}]},"warnings":["results truncated due to limit"]}"#,
        ),
        (
            "/api/v1/query?query=max_over_time(node_cpu_seconds_total[1m])",
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"host":"web-1"},"value":[1700000000,"240"]}]}}"#,
        ),
        (
            "/api/v1/query_range?query=sum(up)&start=1699999970&end=1700000000&step=15",
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1699999970,"1"],[1699999985,"1"],[1700000000,"1"]]}]}}"#,
        ),
        (
            "/api/v1/query?query=count(up)&time=1700000010&lookback_delta=5s",
            r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
        ),
        (
            "/api/v1/query?query=count(up)&time=1700000010&lookback_delta=11",
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000010,"2"]}]}}"#,
        ),
        ("/api/v1/query?query=1%2B1&time=0", r#"{"status":"success","data":{"resultType":"scalar","result":[0,"2"]}}"#),
        ("/api/v1/query?query=nothing", r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#),
        (
            "/api/v1/query?query=%22a%22&time=1",
            r#"{"status":"success","data":{"resultType":"string","result":[1,"a"]}}"#,
        ),
    ] {
        let answer = fixture.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, expect), "{path}");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn a_form_in_the_body_is_the_same_as_a_query_string() {
    let fixture = filled();
    for (path, form) in [
        ("/api/v1/query", "query=up&time=1700000000"),
        ("/api/v1/query_range", "query=up&start=1699999970&end=1700000000&step=15s"),
        ("/api/v1/series", "match%5B%5D=up"),
        ("/api/v1/labels", "match[]=up"),
    ] {
        let posted = fixture.post_form(path, form).await;
        let got = fixture.get(&format!("{path}?{form}")).await;
        assert_eq!((posted.status.as_u16(), posted.text), (200, got.text), "{path}");
    }
}

#[tokio::test]
async fn labels_series_and_metadata_have_prometheus_bytes() {
    let fixture = filled();
    for (path, data) in [
        ("/api/v1/labels", r#"["__name__","host","job"]"#),
        ("/api/v1/labels?match[]=node_cpu_seconds_total", r#"["__name__","host"]"#),
        ("/api/v1/labels?start=1&end=2", "[]"),
        ("/api/v1/label/host/values", r#"["web-1","web-2"]"#),
        ("/api/v1/label/host/values?match[]=node_cpu_seconds_total", r#"["web-1"]"#),
        (
            "/api/v1/label/__name__/values?match[]=up&match[]=node_cpu_seconds_total",
            r#"["node_cpu_seconds_total","up"]"#,
        ),
        ("/api/v1/label/nosuch/values", "[]"),
        ("/api/v1/query_exemplars?query=up&start=1&end=2", "[]"),
        // Names that are no identifiers come escaped.
        ("/api/v1/label/U__ho_73_t/values", r#"["web-1","web-2"]"#),
        ("/api/v1/label/U______name____/values?match[]=up", r#"["up"]"#),
        (
            "/api/v1/series?match[]=up",
            r#"[{"__name__":"up","host":"web-1","job":"node"},{"__name__":"up","host":"web-2","job":"node"}]"#,
        ),
        (
            "/api/v1/series?match[]=up%7Bhost%3D%22web-1%22%7D&match[]=%7Bhost%3D%22web-1%22%7D",
            r#"[{"__name__":"node_cpu_seconds_total","host":"web-1"},{"__name__":"up","host":"web-1","job":"node"}]"#,
        ),
        ("/api/v1/series?match[]=up&start=1&end=2", "[]"),
        (
            "/api/v1/metadata",
            r#"{"node_cpu_seconds_total":[{"type":"counter","help":"","unit":""}],"up":[{"type":"gauge","help":"","unit":""}]}"#,
        ),
        ("/api/v1/metadata?metric=up", r#"{"up":[{"type":"gauge","help":"","unit":""}]}"#),
        ("/api/v1/metadata?limit=1", r#"{"node_cpu_seconds_total":[{"type":"counter","help":"","unit":""}]}"#),
        (
            "/api/v1/status/buildinfo",
            r#"{"version":"3.0.0+muster.0.1.0","revision":"","branch":"","buildUser":"","buildDate":"","goVersion":""}"#,
        ),
    ] {
        let answer = fixture.get(path).await;
        let expect = format!("{{\"status\":\"success\",\"data\":{data}}}");
        assert_eq!((answer.status.as_u16(), answer.text), (200, expect), "{path}");
    }
    let answer = fixture.get("/api/v1/label/host/values?limit=1").await;
    assert_eq!(answer.text, r#"{"status":"success","data":["web-1"],"warnings":["results truncated due to limit"]}"#);
}

#[tokio::test]
async fn metadata_names_families_and_zero_per_metric_is_no_limit() {
    let mut fixture = Fixture::new();
    fixture.store(&[("__name__", "muster_collector_tails")], MetricKind::Gauge, &[(NOW_MS, 1.0)]);
    let own = fixture.get("/api/v1/metadata?metric=muster_collector_tails").await.json();
    let help = &own["data"]["muster_collector_tails"][0]["help"];
    let stats = fixture.state.stats();
    assert_eq!(
        *help,
        stats.iter().find(|stat| stat.name == "muster_collector_tails").unwrap().help,
        "its own numbers have words"
    );
    let mut fixture = Fixture::new();
    for (name, kind) in [
        ("wait_bucket", MetricKind::Histogram),
        ("wait_count", MetricKind::Histogram),
        ("wait_sum", MetricKind::Histogram),
        ("pause", MetricKind::Summary),
        ("pause_count", MetricKind::Summary),
        ("pause_sum", MetricKind::Summary),
        ("open_count", MetricKind::Gauge),
    ] {
        fixture.store(&[("__name__", name), ("host", "web-1")], kind, &[(NOW_MS, 1.0)]);
    }
    let entry = |kind: &str| format!("[{{\"type\":\"{kind}\",\"help\":\"\",\"unit\":\"\"}}]");
    let (gauge, histogram, summary) = (entry("gauge"), entry("histogram"), entry("summary"));
    for (path, data) in [
        (
            "/api/v1/metadata?limit_per_metric=0",
            format!("{{\"open_count\":{gauge},\"pause\":{summary},\"wait\":{histogram}}}"),
        ),
        ("/api/v1/metadata?metric=wait", format!("{{\"wait\":{histogram}}}")),
        ("/api/v1/metadata?limit=0", "{}".to_owned()),
    ] {
        let answer = fixture.get(path).await;
        assert_eq!(answer.text, format!("{{\"status\":\"success\",\"data\":{data}}}"), "{path}");
    }
}

#[tokio::test]
async fn refused_questions_are_counted_by_their_kind() {
    let fixture = filled();
    for path in [
        "/api/v1/query?query=sum(",
        "/api/v1/query_range?query=up%5B5m%5D&start=1&end=2&step=1",
        "/api/v1/query?query=up%2Bon(job)up",
        "/api/v1/query?query=up&timeout=0",
    ] {
        assert_ne!(fixture.get(path).await.status.as_u16(), 200, "{path}");
    }
    let text = fixture.get("/metrics").await.text;
    for (reason, count) in [("bad_data", 2), ("execution", 1), ("timeout", 1), ("internal", 0)] {
        let line = format!("muster_collector_queries_refused_total{{reason=\"{reason}\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
}

#[tokio::test]
async fn each_wrong_question_has_prometheus_kind_and_text() {
    let fixture = filled();
    for (path, status, kind, start) in [
        ("/api/v1/query", 400, "bad_data", "invalid parameter \"query\": 1:1: parse error: "),
        ("/api/v1/query?query=sum(", 400, "bad_data", "invalid parameter \"query\": 1:5: parse error: "),
        (
            "/api/v1/query?query=up&time=soon",
            400,
            "bad_data",
            "invalid parameter \"time\": invalid time value for 'time': cannot parse \"soon\" to a valid timestamp",
        ),
        (
            "/api/v1/query?query=up&timeout=soon",
            400,
            "bad_data",
            "invalid parameter \"timeout\": cannot parse \"soon\" to a valid duration",
        ),
        ("/api/v1/query?query=up&limit=-1", 400, "bad_data", "invalid parameter \"limit\": limit must be non-negative"),
        ("/api/v1/query?query=up&timeout=0", 503, "timeout", "query timed out in expression evaluation"),
        ("/api/v1/query?query=%zz", 400, "bad_data", "error parsing form values: invalid URL escape \"%zz\""),
        ("/api/v1/query?query=up%2Bon(job)up", 422, "execution", "found duplicate series for the match group"),
        (
            "/api/v1/query_range?query=up&start=2&end=1&step=1",
            400,
            "bad_data",
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            "/api/v1/query_range?query=up&start=1&end=2&step=0",
            400,
            "bad_data",
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (
            "/api/v1/query_range?query=up&start=0&end=99999&step=1",
            400,
            "bad_data",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        (
            "/api/v1/query_range?query=up%5B5m%5D&start=1&end=2&step=1",
            400,
            "bad_data",
            "invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector",
        ),
        ("/api/v1/series", 400, "bad_data", "no match[] parameter provided"),
        ("/api/v1/series?match[]=%7B", 400, "bad_data", "invalid parameter \"match[]\": 1:2: parse error: "),
        (
            "/api/v1/labels?start=2&end=1",
            400,
            "bad_data",
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        ("/api/v1/metadata?limit=x", 400, "bad_data", "limit must be a number"),
        ("/api/v1/targets", 404, "not_found", "this version has no path `/api/v1/targets`"),
    ] {
        let answer = fixture.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        let json = answer.json();
        assert_eq!((json["status"].as_str(), json["errorType"].as_str()), (Some("error"), Some(kind)), "{path}");
        let told = json["error"].as_str().unwrap();
        assert!(told.starts_with(start), "{path}: {told}");
    }
    let answer = fixture.delete("/api/v1/query").await;
    assert_eq!(answer.status.as_u16(), 405);
    assert_eq!(
        answer.json()["error"],
        "`/api/v1/query` does not take DELETE (/api/v1/query): the `Allow` header names the methods that it takes"
    );
}
