//! Who uses a host: a process that does is named by the API and by `muster`, through a restart of the collector.

use std::process::{Child, Command};
use std::time::Duration;

use muster_tests::harness::agent::{AgentHome, muster, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;
use serde_json::Value;

/// Two looks of 5 s, and what a machine with other work takes.
const LIMIT: Duration = Duration::from_secs(60);

struct Busy(Child);

impl Busy {
    fn start() -> Self {
        Self(Command::new("sh").args(["-c", "while :; do :; done", "--password=hunter2"]).spawn().unwrap())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // One that has ended needs no kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn processes(collector: &Collector, host: &str, query: &str) -> Value {
    collector.get(&format!("/api/muster/v1/hosts/{host}/processes{query}")).unwrap().json().unwrap()
}

fn named(answer: &Value, pid: u32) -> Option<&Value> {
    answer["processes"].as_array()?.iter().find(|one| one["pid"] == pid)
}

#[test]
fn a_busy_process_is_named_now_later_and_after_a_restart() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(&programs, &folder.path().join("data"));
    let collector = Collector::start(&options).unwrap();
    (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "busy1").unwrap();
    let unknown = processes(&collector, "busy1", "");
    assert_eq!((unknown["state"].as_str(), unknown["processes"].as_array().map(Vec::len)), (Some("unknown"), Some(0)));
    assert!(unknown["note"].as_str().unwrap().contains("too old"), "{unknown}");

    let busy = Busy::start();
    let pid = busy.0.id();
    let agent = home.start(&["processes.interval=5s", "processes.top=20"]).unwrap();
    let look = || {
        let answer = processes(&collector, "busy1", "");
        Ok(named(&answer, pid).is_some_and(|one| one["cpu_percent"].as_f64() > Some(1.0)).then_some(answer))
    };
    let answer = until("the busy process", LIMIT, look).unwrap();
    let one = named(&answer, pid).unwrap();
    assert_eq!(
        (one["name"].as_str(), one["command"].as_str(), one["arguments"].as_u64()),
        (Some("sh"), Some("sh"), Some(3))
    );
    assert!(!answer.to_string().contains("hunter2"), "arguments stay on the host: {answer}");
    assert!(one["rss_bytes"].as_u64() > Some(0) && one["started_ms"].as_i64() > Some(1_600_000_000_000), "{one}");
    assert!(answer["totals"]["seen"].as_u64() > Some(2) && answer["covers"] == true, "{answer}");
    let (looked_ms, span_ms) = (answer["looked_at_ms"].as_i64().unwrap(), answer["span_ms"].as_i64().unwrap());
    assert!((4_000..60_000).contains(&span_ms), "{span_ms}");

    // Of an earlier moment the look that covers it answers, though newer ones came.
    agent.stop().unwrap();
    let then = processes(&collector, "busy1", &format!("?at={}", looked_ms - 1));
    assert!(named(&then, pid).is_some(), "{then}");
    let long_ago = processes(&collector, "busy1", &format!("?at={}", looked_ms - 3_600_000));
    assert_eq!(long_ago["covers"], false, "{long_ago}");
    let (code, text, error) = muster(&programs, &collector, &["hosts", "processes", "busy1", "--by", "cpu"]).unwrap();
    assert_eq!(code, 0, "{error}");
    assert!(text.lines().any(|line| line.starts_with(&pid.to_string()) && line.contains("sh (+3)")), "{text}");
    assert!(text.contains(" processes, ") && text.contains("ago)"), "{text}");
    let bad = collector.request("GET", "/api/muster/v1/hosts/busy1/processes?at=yesterday", b"").unwrap();
    assert!(bad.status == 400 && bad.text().contains("milliseconds"), "{}", bad.text());

    let before = processes(&collector, "busy1", "")["processes"].clone();
    collector.kill().unwrap();
    let collector = Collector::start(&options).unwrap();
    assert_eq!(processes(&collector, "busy1", "")["processes"], before);

    // Switched off, the host says so.
    let _agent = home.start(&["processes.enabled=false"]).unwrap();
    let off = || Ok((processes(&collector, "busy1", "")["state"] == "off").then_some(()));
    until("the word that it is off", LIMIT, off).unwrap();
}
