//! The availability report over samples in a real store: its numbers are known beforehand.

use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_fleet::By;
use muster_fleet::status::DowntimeSpec;
use serde_json::Value;

use super::fixture::{Fixture, NOW_MS};
use super::muster::ask_at;

const MINUTE: i64 = 60_000;

fn ago(minutes: i64) -> i64 {
    NOW_MS - minutes * MINUTE
}

/// web-1 has been there for two hours: down from 60 to 50 min ago, planned work from 55 to 45 min ago, and nothing came from 30 to 20 min ago.
async fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    for (name, number, role) in [("web-1", 1, "<web>"), ("db-1", 2, "db")] {
        ask_at(&fixture, name, number, Timestamp::from_millis(ago(120)));
        assert_eq!(fixture.post_json(&format!("/api/muster/v1/hosts/{name}/approve"), "{}").await.status, 200);
        let labels = serde_json::json!({"set": {"role": role}});
        let path = format!("/api/muster/v1/hosts/{name}/labels");
        assert_eq!(fixture.post_json(&path, &labels.to_string()).await.status, 200);
    }
    let of_web = |at: i64| {
        let is_missing = (ago(30)..ago(20)).contains(&at);
        (!is_missing).then(|| (at, if (ago(60)..ago(50)).contains(&at) { 0.0 } else { 1.0 }))
    };
    let grid = || (0..480).map(|number| ago(120) + number * 15_000);
    let web: Vec<(i64, f64)> = grid().filter_map(of_web).collect();
    let own = |host| [("__name__", "up"), ("host", host), ("instance", host), ("job", "node")];
    fixture.store(&own("web-1"), MetricKind::Gauge, &web);
    fixture.store(&own("db-1"), MetricKind::Gauge, &grid().map(|at| (at, 1.0)).collect::<Vec<_>>());
    // What something on the host says of its own targets is nothing of the host's.
    let other = [("__name__", "up"), ("host", "db-1"), ("instance", "db-1:9100"), ("job", "postgres")];
    fixture.store(&other, MetricKind::Gauge, &grid().map(|at| (at, 0.0)).collect::<Vec<_>>());
    let states: Vec<(i64, f64)> =
        (0..120).map(|number| (ago(120 - number), if number < 30 { 2.0 } else { 1.0 })).collect();
    fixture.store(
        &[("__name__", "muster_check_state"), ("host", "db-1"), ("check", "disk")],
        MetricKind::Gauge,
        &states,
    );
    let spec = DowntimeSpec {
        matchers: "host=web-1".into(),
        starts_ms: ago(55),
        ends_ms: ago(45),
        owner: "ann".into(),
        ..DowntimeSpec::default()
    };
    fixture.fleet().add_downtime(spec, &By::Itself("ann"), Timestamp::from_millis(ago(90))).unwrap();
    fixture.fleet().tick_status(Timestamp::from_millis(ago(40))).unwrap();
    fixture
}

async fn json(fixture: &Fixture, query: &str) -> Value {
    let answer = fixture.get(&format!("/api/muster/v1/availability?month=2023-11&{query}")).await;
    assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_report_has_the_exact_times_of_each_host_and_group() {
    let fixture = fixture().await;
    let report = json(&fixture, "group=role").await;
    assert_eq!((&report["is_over"], &report["to_ms"]), (&false.into(), &NOW_MS.into()));
    let groups = report["groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|group| group["group"].as_str().unwrap()).collect::<Vec<_>>(), ["<web>", "db"]);
    let web = &groups[0]["hosts"][0];
    let times = ["up_ms", "down_ms", "unknown_ms", "planned_up_ms", "planned_down_ms", "planned_unknown_ms"];
    let times = times.map(|name| web[name].as_i64().unwrap() / 1_000);
    // The last sample before the gap counts for 30 s, of which 15 s are the gap's.
    assert_eq!((web["host"].as_str(), times), (Some("web-1"), [5_715, 300, 585, 300, 300, 0]));
    assert_eq!(times.iter().sum::<i64>(), 7_200);
    for (query, percent, all) in [
        ("", 95.0124, 97.7298),
        ("planned=counted", 90.9297, 95.6568),
        ("planned=ignored", 95.4648, 97.8284),
        ("unknown=down", 86.5909, 93.5869),
        ("planned=counted&unknown=down", 83.5416, 91.7708),
    ] {
        let report = json(&fixture, &format!("group=role&{query}")).await;
        assert_eq!(report["groups"][0]["percent"].as_f64(), Some(percent), "{query}");
        assert_eq!(report["all"]["percent"].as_f64(), Some(all), "{query}");
        assert_eq!(report["groups"][1]["percent"].as_f64(), Some(100.0), "{query}");
    }
    let one = json(&fixture, "match=role%3Ddb").await;
    assert_eq!(
        (one["groups"][0]["group"].as_str(), one["groups"][0]["hosts"].as_array().unwrap().len()),
        (Some(""), 1)
    );
}

#[tokio::test]
async fn a_check_is_down_while_it_is_critical_and_hosts_without_it_are_left_out() {
    let fixture = fixture().await;
    let report = json(&fixture, "check=disk").await;
    let hosts = report["groups"][0]["hosts"].as_array().unwrap();
    assert_eq!((hosts.len(), hosts[0]["host"].as_str()), (1, Some("db-1")));
    assert_eq!((hosts[0]["down_ms"].as_i64(), hosts[0]["percent"].as_f64()), (Some(30 * MINUTE), Some(75.0)));
    assert_eq!(json(&fixture, "check=none").await["groups"], serde_json::json!([]));
}

#[tokio::test]
async fn the_same_numbers_come_as_csv_and_as_a_page_without_anything_beside_it() {
    let fixture = fixture().await;
    let csv = fixture.get("/api/muster/v1/availability?month=2023-11&group=role&format=csv").await;
    let lines: Vec<&str> = csv.text.split("\r\n").collect();
    assert_eq!(
        lines[..3],
        [
            "month,group,host,percent,available_ms,of_ms,up_ms,down_ms,unknown_ms,planned_up_ms,planned_down_ms,planned_unknown_ms",
            "2023-11,<web>,,95.0124,5715000,6015000,5715000,300000,585000,300000,300000,0",
            "2023-11,<web>,web-1,95.0124,5715000,6015000,5715000,300000,585000,300000,300000,0",
        ]
    );
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8; header=present");
    let html = fixture.get("/api/muster/v1/availability?month=2023-11&group=role&format=html").await;
    assert_eq!(html.headers["content-type"], "text/html; charset=utf-8");
    assert!(html.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    for part in [
        "<title>Availability in 2023-11</title>",
        "<caption>role &lt;web&gt;</caption>",
        "<tr><td>web-1<td>95.0124 %<td>01:35:15<td>00:05:00<td>00:09:45<td>00:10:00<td>00:05:00</tr>",
        "The month goes on",
    ] {
        assert!(html.text.contains(part), "{part}: {}", html.text);
    }
    for not in ["<web>", "<script", "http://", "https://", "src="] {
        assert!(!html.text.contains(not), "{not}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_its_place() {
    let fixture = Fixture::new();
    for (query, place) in [
        ("month=2023-13", "month"),
        ("month=2024-01", "month"),
        ("zone=Mars", "zone"),
        ("format=pdf", "format"),
        ("planned=maybe", "planned"),
    ] {
        let answer = fixture.get(&format!("/api/muster/v1/availability?{query}")).await;
        assert_eq!(answer.status.as_u16(), 400, "{query}");
        assert!(answer.text.contains(&format!("parameter `{place}`")), "{query}: {}", answer.text);
    }
    let none = fixture.get("/api/muster/v1/availability").await.json();
    assert_eq!((none["month"].as_str(), &none["all"]["percent"]), (Some("2023-10"), &Value::Null));
}
