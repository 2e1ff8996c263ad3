//! Events as annotations: queries of the Loki data source over the collector's own streams.

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
use muster_tests::harness::http::Answer;
use muster_tests::harness::programs;
use muster_tests::load::wire;
use serde_json::Value;

use super::client::{self, Times};
use crate::e2e::LIMIT;

/// An annotation as the data source makes it of a line: time in milliseconds, values of labels, text.
#[derive(Debug)]
pub(super) struct Annotation {
    pub(super) time_ms: i64,
    pub(super) tags: BTreeSet<String>,
    pub(super) text: String,
}

/// A range query of the last hour.
fn ask(collector: &Collector, query: &str, limit: usize) -> Result<Answer> {
    let Times { start_s, end_s } = Times::last(3_600);
    let (start, end, limit) = (format!("{start_s}000000000"), format!("{end_s}000000000"), limit.to_string());
    let parameters = [
        ("direction", "backward"),
        ("end", &*end),
        ("limit", &limit),
        ("query", query),
        ("start", &start),
        ("step", "15000ms"),
    ];
    client::loki(collector, "/loki/api/v1/query_range", &parameters, None)
}

/// The annotations that a dashboard shows of this query.
pub(super) fn annotations(collector: &Collector, query: &str, limit: usize) -> Result<Vec<Annotation>> {
    let answer = ask(collector, query, limit)?;
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
pub(super) fn until_tagged(collector: &Collector, query: &str, tag: &str) -> Annotation {
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
        let json = ask(collector, query, 100).unwrap().json().unwrap();
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
