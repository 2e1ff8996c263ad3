//! Known gaps in the warnings of answers.

use muster_common::host::HostId;
use muster_common::sample::MetricKind;
use muster_common::wire::message::{Epoch, GapReason, Lane};
use muster_store::{GapRecord, LogLossRecord, Position, ReplayEntry, StateRecord};
use serde_json::{Value, json};

use super::fixture::{Fixture, NOW_MS, now};
use super::muster::ask;

const HOUR: i64 = 3_600_000;

/// Two known hosts' `up`, one sample every 15 s for two minutes up to now.
fn filled() -> Fixture {
    let mut fixture = Fixture::new();
    let samples: Vec<_> = (0..=8).rev().map(|k| (NOW_MS - k * 15_000, 1.0)).collect();
    for (machine, host) in [(1, "web-1"), (2, "web-2")] {
        ask(&fixture, host, machine);
        fixture.store(&[("__name__", "up"), ("host", host), ("job", "node")], MetricKind::Gauge, &samples);
    }
    fixture.store(&[("__name__", "own"), ("host", "muster")], MetricKind::Gauge, &samples);
    fixture
}

/// Makes it known that batches 3 to 5 of this host are missing.
fn lose(fixture: &Fixture, entry: u64, host: HostId, from_ms: i64, to_ms: i64) {
    let gap = GapRecord {
        host,
        epoch: Epoch::new(NOW_MS - 100 * HOUR, 1),
        lane: Lane::P1,
        from: 3,
        to: 5,
        reason: GapReason::SpoolFull,
        from_ms,
        to_ms,
        arrived_ms: NOW_MS,
    };
    let entry = ReplayEntry {
        position: Position { generation: 1, entry },
        arrived: now(),
        live: true,
        records: vec![StateRecord::Gap(gap)],
    };
    fixture.fleet().apply(&[entry]).unwrap();
}

/// Makes it known that 40 bytes of a file of this host were rotated away, or that a batch of its lines was refused.
fn lose_lines(fixture: &Fixture, entry: u64, host: HostId, from_ms: i64, to_ms: i64, is_gap: bool) {
    let record = if is_gap {
        StateRecord::Gap(GapRecord {
            host,
            epoch: Epoch::new(NOW_MS - 100 * HOUR, 1),
            lane: Lane::P2,
            from: 3,
            to: 3,
            reason: GapReason::Refused,
            from_ms,
            to_ms,
            arrived_ms: to_ms,
        })
    } else {
        let (path, reason) = ("/var/log/a".to_owned(), "rotated away".to_owned());
        StateRecord::LogLoss(LogLossRecord { host, path, bytes: 40, reason, from_ms, arrived_ms: to_ms })
    };
    let position = Position { generation: 1, entry };
    fixture.fleet().apply(&[ReplayEntry { position, arrived: now(), live: true, records: vec![record] }]).unwrap();
}

async fn warnings(fixture: &Fixture, path: &str) -> Vec<String> {
    let json = fixture.get(path).await.json();
    assert_eq!(json["status"], "success", "{path}: {json}");
    json["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn id(fixture: &Fixture, name: &str) -> HostId {
    fixture.fleet().hosts().into_iter().find(|host| host.name == name).unwrap().id
}

#[tokio::test]
async fn known_gaps_are_warnings_of_the_answers_they_touch() {
    let fixture = filled();
    let host = HostId([1; 16]);
    lose(&fixture, 1, host, NOW_MS - 60_000, NOW_MS - 30_000);
    let expect = format!(
        "host {host}: 3 batches missing between 2023-11-14T22:12:20Z and 2023-11-14T22:12:50Z (the agent's spool was full)"
    );
    // Aggregated over hosts: it may be any.
    let answer = fixture.get("/api/v1/query_range?query=sum(up)&start=1699999970&end=1700000000&step=15").await;
    assert_eq!(answer.json()["warnings"], json!([expect]));
    // All series of the answer are of other hosts, or the time is another.
    for path in ["/api/v1/query?query=up", "/api/v1/query?query=own", "/api/v1/query?query=sum(up)&time=1699990000"] {
        assert!(fixture.get(path).await.json()["warnings"].is_null(), "{path}");
    }
}

#[tokio::test]
async fn a_gap_counts_where_the_query_reads_and_nowhere_else() {
    let fixture = filled();
    lose(&fixture, 1, HostId([1; 16]), NOW_MS - 3 * HOUR - 60_000, NOW_MS - 3 * HOUR);
    for (query, count) in [
        ("sum(count_over_time(up[1d]))", 1),
        ("sum(sum_over_time(up[4h:1h]))", 1),
        ("sum(up offset 3h) or vector(1)", 1),
        ("sum(up @ 1699989170)", 1),
        ("sum(up)", 0),
        ("sum(count_over_time(up[2h]))", 0),
        ("sum(up offset 1d) or vector(1)", 0),
        ("1+1", 0),
    ] {
        let path = format!("/api/v1/query?query={}", query.replace('+', "%2B").replace(' ', "+"));
        assert_eq!(warnings(&fixture, &path).await.len(), count, "{query}");
    }
}

#[tokio::test]
async fn an_answer_that_a_gap_left_empty_names_it() {
    let fixture = filled();
    lose(&fixture, 1, id(&fixture, "web-1"), NOW_MS - 20 * HOUR, NOW_MS - 10 * HOUR);
    for path in [
        "/api/v1/query?query=up%7Bhost=%22web-1%22%7D&time=1699950000",
        "/api/v1/query_range?query=up%7Bhost=%22web-1%22%7D&start=1699950000&end=1699950060&step=15",
    ] {
        let told = warnings(&fixture, path).await;
        assert!(told.len() == 1 && told[0].starts_with("host web-1: "), "{path}: {told:?}");
    }
}

#[tokio::test]
async fn samples_under_a_former_name_do_not_hide_the_hosts_gap() {
    let fixture = filled();
    let host = id(&fixture, "web-1");
    lose(&fixture, 1, host, NOW_MS - 60_000, NOW_MS - 30_000);
    let query = "/api/v1/query?query=up%7Bhost=%22web-1%22%7D";
    assert!(warnings(&fixture, query).await[0].starts_with("host web-1: "));
    fixture.fleet().rename(host, "db-1", &muster_fleet::By::Itself("test"), now()).unwrap();
    let told = warnings(&fixture, query).await;
    assert!(told.len() == 1 && told[0].starts_with("host db-1: "), "{told:?}");
}

/// A question for lines or numbers of the hour before now.
fn log_path(query: &str) -> String {
    let query: String = query
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    format!("/loki/api/v1/query_range?query={query}&start={}000000&end={NOW_MS}000000&step=60", NOW_MS - HOUR)
}

#[tokio::test]
async fn lost_lines_are_warnings_of_the_log_queries_that_look_at_their_host_and_time() {
    let fixture = filled();
    lose_lines(&fixture, 1, id(&fixture, "web-1"), NOW_MS - 90_000, NOW_MS - 30_000, false);
    lose_lines(&fixture, 2, id(&fixture, "web-2"), NOW_MS - 60_000, NOW_MS - 60_000, true);
    lose(&fixture, 3, id(&fixture, "web-2"), NOW_MS - 60_000, NOW_MS - 30_000);
    let one = "host web-1: 40 bytes of log lines missing between 2023-11-14T22:11:50Z and 2023-11-14T22:12:50Z (rotated away)";
    let two = "host web-2: 1 batch of log lines missing between 2023-11-14T22:12:20Z and 2023-11-14T22:12:20Z (refused for its content)";
    let both: &[&str] = &[one, two];
    for (query, expect) in [
        ("{job=\"nginx\"} |= \"error\"", both),
        ("{host=~\"web-.*\"}", both),
        ("{host=\"web-1\"}", &[one]),
        ("{job=\"logs\", host!=\"web-1\"}", &[two]),
        ("sum(count_over_time({host=\"web-1\"}[1m]))", &[one]),
        ("sum(rate({host=\"web-1\"}[1m])) / sum(rate({host=\"web-2\"}[1m]))", both),
        // A name that nobody has may be a former one.
        ("{host=\"old\"}", both),
        ("{host=\"muster\"}", &[]),
        ("{source=\"muster\", host=\"web-1\"}", &[]),
        ("count_over_time({host=\"web-1\"}[1m] offset 1h)", &[]),
        ("vector(1)", &[]),
    ] {
        assert_eq!(warnings(&fixture, &log_path(query)).await, *expect, "{query}");
    }
    let early = log_path("{host=\"web-1\"}").replace(&format!("end={NOW_MS}"), &format!("end={}", NOW_MS - 90_000));
    assert_eq!(warnings(&fixture, &early).await, [""; 0], "the end is excluded");
    // Lines that are missing are no samples that are.
    let samples = warnings(&fixture, "/api/v1/query?query=sum(up)").await;
    assert!(samples.len() == 1 && samples[0].starts_with("host web-2: 3 batches missing"), "{samples:?}");
}
