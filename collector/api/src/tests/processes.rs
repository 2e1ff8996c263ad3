//! Who used a host: what is known, what is not, and of when.

use muster_common::wire::message::{ProcessLook, ProcessUse, Report};
use muster_common::wire::record::encode_report;
use muster_store::{Position, ReplayEntry, ReportRecord, StateRecord};
use serde_json::{Value, json};

use super::fixture::{Fixture, NOW_MS, now};
use super::muster::ask;

async fn asked(fixture: &Fixture, query: &str) -> Value {
    fixture.get(&format!("/api/muster/v1/hosts/web-1/processes{query}")).await.json()
}

/// A host's look of 30 s that ended so many seconds ago.
fn tell(fixture: &Fixture, entry: u64, ago: i64, look: ProcessLook) {
    let host = fixture.fleet().hosts()[0].id;
    let look = ProcessLook { at_ms: NOW_MS - ago * 1_000, ..look };
    let report = encode_report(&Report::Processes(look)).unwrap().into();
    let records = vec![StateRecord::Report(ReportRecord { host, report })];
    let position = Position { generation: 1, entry };
    fixture.fleet().apply(&[ReplayEntry { position, arrived: now(), live: true, records }]).unwrap();
}

fn look(name: &str) -> ProcessLook {
    let one = ProcessUse {
        pid: 77,
        started_ms: NOW_MS - 5_000_000,
        name: name.into(),
        command: name.into(),
        arguments: 1,
        user: "web".into(),
        state: b'R',
        threads: 3,
        has_cpu: true,
        cpu: 9_987,
        rss_bytes: 1 << 20,
        ..ProcessUse::default()
    };
    let unknown = ProcessUse { has_cpu: false, has_io: true, write_rate: 5, pid: 9, ..one.clone() };
    ProcessLook {
        span_ms: 30_000,
        interval_ms: 30_000,
        seen: 150,
        running: 2,
        processes: vec![one, unknown],
        ..ProcessLook::default()
    }
}

#[tokio::test]
async fn the_look_at_a_moment_is_told_with_its_age() {
    let fixture = Fixture::new();
    ask(&fixture, "web-1", 1);
    fixture.post_json("/api/muster/v1/hosts/web-1/approve", "{}").await;
    let none = asked(&fixture, "").await;
    assert_eq!(
        (&none["version"], &none["state"], &none["kept_ms"]),
        (&json!(1), &json!("unknown"), &json!(86_400_000))
    );
    assert!(none["note"].as_str().unwrap().contains("version not known"), "{none}");
    tell(&fixture, 1, 600, look("night"));
    tell(&fixture, 2, 10, look("now"));
    let newest = asked(&fixture, "").await;
    assert_eq!(
        (&newest["state"], &newest["covers"], &newest["age_ms"]),
        (&json!("known"), &json!(true), &json!(10_000))
    );
    assert_eq!((&newest["looked_at_ms"], &newest["span_ms"]), (&json!(NOW_MS - 10_000), &json!(30_000)));
    assert_eq!(newest["totals"], json!({"seen": 150, "unseen": 0, "running": 2, "blocked": 0, "zombies": 0}));
    let first = json!({
        "pid": 77, "name": "now", "command": "now", "arguments": 1, "user": "web", "state": "R", "threads": 3,
        "started_ms": NOW_MS - 5_000_000, "cpu_percent": 99.87, "rss_bytes": 1 << 20,
        "read_bytes_per_second": null, "written_bytes_per_second": null,
    });
    assert_eq!(newest["processes"][0], first);
    let second = &newest["processes"][1];
    assert_eq!((&second["cpu_percent"], &second["written_bytes_per_second"]), (&Value::Null, &json!(5)));
    let then = asked(&fixture, &format!("?at={}", NOW_MS - 610_000)).await;
    assert_eq!((&then["processes"][0]["name"], &then["covers"]), (&json!("night"), &json!(true)));
    let between = asked(&fixture, &format!("?at={}", NOW_MS - 300_000)).await;
    assert_eq!(between["covers"], json!(false), "{between}");
    tell(&fixture, 3, 1, ProcessLook::default());
    let off = asked(&fixture, "").await;
    assert_eq!((&off["state"], &off["processes"]), (&json!("off"), &json!([])));
    assert!(off["note"].as_str().unwrap().contains("[processes]"), "{off}");
}

#[tokio::test]
async fn no_host_and_no_time_are_said() {
    let fixture = Fixture::new();
    let answer = fixture.get("/api/muster/v1/hosts/nobody/processes").await;
    assert_eq!(answer.status.as_u16(), 404, "{}", answer.text);
    ask(&fixture, "web-1", 1);
    for at in ["now", "1.5", "99999999999999999999"] {
        let answer = fixture.get(&format!("/api/muster/v1/hosts/web-1/processes?at={at}")).await;
        assert!(answer.status.as_u16() == 400 && answer.text.contains("`at`"), "{at}: {}", answer.text);
    }
    for at in [i64::MIN, 0, i64::MAX] {
        assert_eq!(asked(&fixture, &format!("?at={at}")).await["state"], "unknown");
    }
}
