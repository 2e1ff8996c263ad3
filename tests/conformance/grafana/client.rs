//! Grafana's HTTP client, with the headers that it sends.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use muster_common::time;
use muster_tests::harness::collector::Collector;
use muster_tests::harness::http::{Answer, Connection, escape};

/// What every request of a data source's back end has: those of Go's client, and what tells where in Grafana it came from.
const BACK_END: [&str; 8] = [
    "User-Agent: Grafana/11.4.0",
    "Accept-Encoding: gzip",
    "X-Datasource-Uid: muster",
    "X-Dashboard-Uid: muster-host",
    "X-Panel-Id: 1",
    "X-Grafana-Org-Id: 1",
    "X-Query-Group-Id: 6b0c7f5e-91b1-4d5e-8a0e-1d1f4c8e2a77",
    "Connection: close",
];

/// What is handed through for a page of Grafana in a browser.
const PROXIED: [&str; 7] = [
    "User-Agent: Grafana/11.4.0",
    "Accept: application/json, text/plain, */*",
    "Accept-Encoding: gzip",
    "Accept-Language: en",
    "X-Forwarded-For: 127.0.0.1",
    "X-Grafana-Org-Id: 1",
    "Connection: close",
];

/// Who of Grafana asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    BackEnd,
    Proxy,
}

/// One request, its answer unpacked.
pub(super) fn send(
    collector: &Collector,
    way: Way,
    method: &str,
    path: &str,
    more: &[String],
    body: &str,
) -> Result<Answer> {
    let fixed = match way {
        Way::BackEnd => &BACK_END[..],
        Way::Proxy => &PROXIED[..],
    };
    let mut headers: Vec<String> = fixed.iter().map(|&line| line.to_owned()).collect();
    headers.push(format!("Authorization: Bearer {}", collector.token));
    headers.extend_from_slice(more);
    let mut answer = Connection::open(collector.http)?.request(method, path, &headers, body.as_bytes())?;
    if answer.header("content-encoding") == Some("gzip") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut plain).context("no gzip")?;
        answer.body = plain;
    }
    Ok(answer)
}

/// Parameters as Go writes them: by name, and those of one name in their order.
pub(super) fn encode(parameters: &[(&str, &str)]) -> String {
    let mut sorted = parameters.to_vec();
    sorted.sort_by_key(|(name, _)| *name);
    let pairs: Vec<String> =
        sorted.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value).replace("%20", "+"))).collect();
    pairs.join("&")
}

/// A question of the Prometheus data source: by POST with a form unless `method` is GET.
pub(super) fn prometheus(
    collector: &Collector,
    method: &str,
    path: &str,
    parameters: &[(&str, &str)],
) -> Result<Answer> {
    let form = encode(parameters);
    if method == "POST" {
        let content = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
        return send(collector, Way::BackEnd, method, path, &content, &form);
    }
    send(collector, Way::BackEnd, method, &with(path, &form), &[], "")
}

/// A question of the Loki data source; `source`: of a query that Grafana makes beside the user's own.
pub(super) fn loki(
    collector: &Collector,
    path: &str,
    parameters: &[(&str, &str)],
    source: Option<&str>,
) -> Result<Answer> {
    let mut headers = vec!["X-Loki-Response-Encoding-Flags: categorize-labels".to_owned()];
    headers.extend(source.map(|source| format!("X-Query-Tags: Source={source}")));
    send(collector, Way::BackEnd, "GET", &with(path, &encode(parameters)), &headers, "")
}

fn with(path: &str, form: &str) -> String {
    if form.is_empty() { path.to_owned() } else { format!("{path}?{form}") }
}

/// The time of a dashboard that shows the last while, up to a second from now: what has just happened is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) start_s: i64,
    pub(super) end_s: i64,
}

impl Times {
    pub(super) fn last(seconds: i64) -> Self {
        let end_s = time::now().millis() / 1_000 + 1;
        Self { start_s: end_s - seconds, end_s }
    }
}
