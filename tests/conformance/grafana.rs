//! What Grafana's Loki data source asks (`pkg/tsdb/loki` of Grafana 11: api.go, healthcheck.go) and what it reads of the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use muster_common::time;
use muster_common::wire::frame::Frame;
use muster_common::wire::message::{
    Epoch, Lane, LogBatch, LogLine, LogStream, Message, SourceId, SourceRange, WireLabel,
};
use muster_tests::harness::agent::{AgentHome, muster, token, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::http::{Answer, Connection, escape};
use muster_tests::harness::programs;
use muster_tests::load::wire;
use serde_json::Value;

use crate::e2e::LIMIT;

const HOUR_NS: i64 = 3_600_000_000_000;

/// An annotation as the data source makes it of a line: time in milliseconds, values of labels, text.
#[derive(Debug)]
struct Annotation {
    time_ms: i64,
    tags: BTreeSet<String>,
    text: String,
}

/// Asks as its HTTP client does. `tags`: of a query that Grafana makes beside the user's own.
fn ask(collector: &Collector, path: &str, tags: Option<&str>) -> Result<Answer> {
    let mut headers = vec![
        format!("Authorization: Bearer {}", collector.token),
        "User-Agent: Grafana/11.4.0".to_owned(),
        "X-Loki-Response-Encoding-Flags: categorize-labels".to_owned(),
        "X-Scope-OrgID: 1".to_owned(),
        "Connection: close".to_owned(),
    ];
    headers.extend(tags.map(|tags| format!("X-Query-Tags: Source={tags}")));
    Connection::open(collector.http)?.request("GET", path, &headers, b"")
}

/// A range query of the last hour, parameters in the order in which Go writes them.
fn range(query: &str, limit: usize) -> String {
    let end = time::now().nanos() + 1_000_000_000;
    let (start, query) = (end - HOUR_NS, escape(query));
    format!(
        "/loki/api/v1/query_range?direction=backward&end={end}&limit={limit}&query={query}&start={start}&step=15000ms"
    )
}

/// The annotations that a dashboard shows of this query.
fn annotations(collector: &Collector, query: &str, limit: usize) -> Result<Vec<Annotation>> {
    let answer = ask(collector, &range(query, limit), None)?;
    if answer.status != 200 {
        bail!("{query}: {}: {}", answer.status, answer.text());
    }
    let json = answer.json()?;
    assert_eq!((&json["status"], &json["data"]["resultType"]), (&"success".into(), &"streams".into()), "{json}");
    let mut all = Vec::new();
    for stream in json["data"]["result"].as_array().context("no result")? {
        let labels: BTreeMap<String, String> = serde_json::from_value(stream["stream"].clone())?;
        for entry in stream["values"].as_array().context("no values")? {
            let time_ns: i64 = entry[0].as_str().context("times are texts")?.parse()?;
            let mut tags: BTreeSet<String> = labels.values().cloned().collect();
            // Its answer says that these come apart, and the data source puts them together again.
            for kind in ["structuredMetadata", "parsed"] {
                let pairs: BTreeMap<String, String> = serde_json::from_value(
                    entry[2].get(kind).cloned().unwrap_or_else(|| Value::Object(Default::default())),
                )?;
                tags.extend(pairs.into_values());
            }
            let text = entry[1].as_str().context("a line is a text")?.to_owned();
            all.push(Annotation { time_ms: time_ns / 1_000_000, tags, text });
        }
    }
    assert_eq!(json["data"]["encodingFlags"], serde_json::json!(["categorize-labels"]), "{json}");
    Ok(all)
}

/// Waits until an annotation has this tag.
fn until_tagged(collector: &Collector, query: &str, tag: &str) -> Annotation {
    until(tag, LIMIT, || Ok(annotations(collector, query, 100)?.into_iter().find(|one| one.tags.contains(tag))))
        .unwrap()
}

#[test]
fn events_of_a_host_are_annotations() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let begun_ms = time::now().millis();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "web1").unwrap();
    AgentHome::enrol(&programs, &collector, folder.path(), "web2").unwrap();
    let of_host = "{source=\"muster\", host=\"web1\"}";
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    until("samples", LIMIT, || collector.number("node_load1{host=\"web1\"}", None)).unwrap();
    agent.kill().unwrap();
    let agent = home.start(&["metrics.interval=1s"]).unwrap();
    until_tagged(&collector, of_host, "agent_restarted");
    let (code, _, error) = muster(&programs, &collector, &["hosts", "retire", "web1"]).unwrap();
    assert_eq!(code, 0, "{error}");
    let retired = until_tagged(&collector, of_host, "host_retired");
    let expect: BTreeSet<String> = ["change", "host_retired", "muster", "web1"].map(str::to_owned).into();
    assert!(retired.tags.is_superset(&expect), "{retired:?}");
    assert_eq!(retired.text, "host `web1` was retired: an operator retired it");
    drop(agent);

    let all = annotations(&collector, of_host, 100).unwrap();
    let now_ms = time::now().millis();
    assert!(all.iter().all(|one| (begun_ms..=now_ms).contains(&one.time_ms)), "{all:?}");
    assert!(all.iter().all(|one| one.tags.contains("web1") && !one.tags.contains("web2")), "{all:?}");
    let kinds = ["host_enrolled", "agent_restarted", "host_retired"];
    let time_of = |kind: &str| {
        let times: Vec<i64> = all.iter().filter(|one| one.tags.contains(kind)).map(|one| one.time_ms).collect();
        assert_eq!(times.len(), 1, "{kind} once: {all:?}");
        times[0]
    };
    assert!(kinds.map(time_of).is_sorted(), "{all:?}");
    // One kind, as somebody who wants no more of them on a graph writes it; and the newest alone.
    let restarts = "{source=\"muster\", event=\"boot\"} | kind=\"agent_restarted\"";
    let restarts = annotations(&collector, restarts, 100).unwrap();
    assert!(restarts.len() == 1 && restarts[0].text.contains("`web1`"), "{restarts:?}");
    let newest = annotations(&collector, of_host, 1).unwrap();
    assert_eq!((newest.len(), newest[0].time_ms), (1, all.iter().map(|one| one.time_ms).max().unwrap()));
}

#[test]
fn the_health_check_and_the_editors_questions_are_answered() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("data"))).unwrap();
    AgentHome::enrol(&programs, &collector, folder.path(), "web1").unwrap();
    until_tagged(&collector, "{source=\"muster\", host=\"web1\"}", "host_enrolled");
    // An instant query at 4 s after 1970, which its ten digits make seconds for Loki too; its one value has to be 2.
    let path = format!("/loki/api/v1/query?direction=backward&query={}&time=4000000000", escape("vector(1)+vector(1)"));
    let answer = ask(&collector, &path, None).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json().unwrap();
    assert_eq!(json["data"]["resultType"], "vector");
    assert_eq!(
        json["data"]["result"],
        serde_json::json!([{"metric": {}, "value": [4_000_000_000_i64, "2"]}]),
        "{json}"
    );
    // What its editor and its list of labels ask, with the times of the dashboard.
    let end = time::now().nanos() + 1_000_000_000;
    let times = format!("start={}&end={end}", end - HOUR_NS);
    let selector = escape("{source=\"muster\"}");
    let data = |path: &str| {
        let answer = ask(&collector, &format!("/loki/api/v1/{path}"), None).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json().unwrap()
    };
    assert_eq!(data(&format!("labels?{times}"))["data"], serde_json::json!(["event", "host", "job", "source"]));
    let values = data(&format!("label/host/values?{times}&query={selector}"));
    assert!(values["data"].as_array().unwrap().contains(&"web1".into()), "{values}");
    let series = data(&format!("series?{times}&match%5B%5D={selector}"));
    assert!(series["data"].as_array().unwrap().iter().any(|labels| labels["host"] == "web1"), "{series}");
    let stats = data(&format!("index/stats?{times}&query={selector}"));
    assert!(stats["entries"].as_i64() >= Some(2) && stats["bytes"].as_i64() > Some(0), "{stats}");
    // The histogram over a log panel comes with a tag of its own.
    let histogram =
        range("sum by (level, detected_level) (count_over_time({source=\"muster\"} | drop __error__[15s]))", 100);
    let answer = ask(&collector, &histogram, Some("logvolhist")).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json().unwrap()["data"]["resultType"], "matrix");
    let volume = data(&format!("index/volume?{times}&query={selector}&targetLabels=host&limit=5"));
    assert!(volume["data"]["result"].as_array().unwrap().iter().any(|one| one["metric"]["host"] == "web1"), "{volume}");
    for (of, word) in [("detected_fields", "fields"), ("patterns", "patterns"), ("drilldown-limits", "settings")] {
        let refused = ask(&collector, &format!("/loki/api/v1/{of}?{times}&query={selector}"), None).unwrap();
        assert!(refused.status == 404 && refused.text().contains(word), "{of}: {}: {}", refused.status, refused.text());
    }
    // A refusal is shown as its text.
    let refused = ask(&collector, &range("{source=", 100), None).unwrap();
    assert_eq!((refused.status, refused.text().starts_with("parse error at line 1, col ")), (400, true));
}

/// Lines `from..to` of a file whose lines have ten bytes each; before them `skipped` is lost.
fn lines(epoch: Epoch, seq: u64, from: u64, to: u64, skipped: &str) -> Frame {
    let at_ns = time::now().nanos();
    let line = |number: u64| LogLine { at_ns, line: format!("line {number:05}").into_bytes(), fields: Vec::new() };
    let path = "/var/log/app.log".to_owned();
    let source = SourceId { device: 1, inode: 7, fingerprint: 2, fingerprint_bytes: 64, incarnation: 0, path };
    let (from_byte, to_byte) = (from * 10, to * 10);
    let range =
        SourceRange { source, from: from_byte, to: to_byte, skipped: skipped.to_owned(), tail_hash: to, gone: false };
    let label = WireLabel { name: "filename".to_owned(), value: "/var/log/app.log".to_owned() };
    let stream = LogStream { labels: vec![label], lines: (from..to).map(line).collect() };
    let batch = LogBatch { ranges: vec![range], streams: vec![stream], extensions: Vec::new() };
    Frame::batch(Lane::P2, epoch, seq, Message::Logs(batch))
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_were_rotated_away_are_an_annotation_once_and_a_warning_also_after_a_kill() {
    let programs = programs::folder();
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(&programs, &folder.path().join("data"));
    let collector = Collector::start(&options).unwrap();
    let word = token(&programs, &collector, &["--pattern", "node-*", "--uses", "1"]).unwrap();
    let load = wire::Load {
        target: collector.agents,
        word,
        seed: 1,
        hosts: 1,
        ticks: 0,
        start_ms: time::now().millis(),
        window: 1,
        pause: Duration::ZERO,
        reconnects: 0,
    };
    let host = wire::enrol(&load).await.unwrap().remove(0);
    let name = muster_tests::load::workload::host_name(0);
    let epoch = Epoch::new(time::now().millis(), 7);
    let frames = [lines(epoch, 1, 0, 3, ""), lines(epoch, 2, 40, 42, "rotated away before it was read")];
    wire::send(collector.agents, &host, &frames).await.unwrap();

    let lost = "{source=\"muster\", event=\"loss\"} | kind=\"log_lost\"";
    let text =
        format!("host `{name}` lost 370 bytes of log lines in `/var/log/app.log`: rotated away before it was read");
    let told = until_tagged(&collector, lost, &name);
    assert_eq!(told.text, text);
    let warning = format!("host {name}: 370 bytes of log lines missing between ");
    let warned = |collector: &Collector, query: &str| -> Vec<String> {
        let json = ask(collector, &range(query, 100), None).unwrap().json().unwrap();
        serde_json::from_value(json["warnings"].clone()).unwrap_or_default()
    };
    let check = |collector: &Collector| {
        let told = annotations(collector, lost, 100).unwrap();
        assert!(told.len() == 1 && told[0].text == text, "{told:?}");
        let lines = warned(collector, "{job=\"logs\"}");
        assert!(lines.len() == 1 && lines[0].starts_with(&warning), "{lines:?}");
        assert_eq!(warned(collector, lost), [""; 0], "no event is missing");
        let (code, out, error) = muster(&programs, collector, &["logs", "{job=\"logs\"}", "--since", "1h"]).unwrap();
        assert_eq!((code, out.lines().count()), (0, 5), "{out}");
        assert!(error.starts_with(&format!("warning: {warning}")) && error.lines().count() == 1, "{error}");
    };
    check(&collector);
    collector.kill().unwrap();
    let collector = Collector::start(&options).unwrap();
    until_tagged(&collector, lost, &name);
    check(&collector);
    collector.flush().unwrap();
    check(&collector);
}
