//! Remote write v1 as Prometheus sends it: protobuf in snappy, over keep-alive connections, in time order, ending now.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::harness::http::Connection;

use super::protobuf::{bytes, varint};
use super::workload::{HostSeries, INTERVAL_MS, host_name, host_series, scrape_ms};

/// What to send. Hosts are dealt out over the connections; every request holds `hosts_a_request` hosts.
#[derive(Clone, Debug)]
pub struct Load {
    pub target: SocketAddr,
    pub token: Option<String>,
    pub seed: u64,
    pub hosts: usize,
    pub ticks: i64,
    pub connections: usize,
    pub hosts_a_request: usize,
    /// Samples of each series in one request: 1 as live, more as backfill.
    pub ticks_a_request: i64,
    /// Time of the first tick; the caller chooses it so that the last lies before now.
    pub start_ms: i64,
}

/// What was taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub samples: u64,
    pub requests: u64,
    pub wire_bytes: u64,
}

/// Sends all of it; connections keep in step by tick, so that time never runs apart.
///
/// # Errors
/// The first answer other than success, with its text.
pub fn run(load: &Load) -> Result<Sent> {
    let (samples, requests, bytes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let barrier = Barrier::new(load.connections);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..load.connections)
            .map(|number| {
                let (barrier, samples, requests, bytes) = (&barrier, &samples, &requests, &bytes);
                scope.spawn(move || -> Result<()> {
                    let mut worker = Worker::new(load, number)?;
                    let mut tick = 0;
                    while tick < load.ticks {
                        let count = load.ticks_a_request.min(load.ticks - tick);
                        let sent = worker.send(load, tick, count);
                        barrier.wait();
                        let sent = sent?;
                        samples.fetch_add(sent.samples, Ordering::Relaxed);
                        requests.fetch_add(sent.requests, Ordering::Relaxed);
                        bytes.fetch_add(sent.wire_bytes, Ordering::Relaxed);
                        tick += count;
                    }
                    Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
        }
        anyhow::Ok(())
    })?;
    Ok(Sent { samples: samples.into_inner(), requests: requests.into_inner(), wire_bytes: bytes.into_inner() })
}

/// A host's number, and each of its series with its label messages.
type SentHost = (usize, Vec<(Vec<u8>, HostSeries)>);

struct Worker {
    hosts: Vec<SentHost>,
    connection: Connection,
    headers: Vec<String>,
    plain: Vec<u8>,
    packed: Vec<u8>,
    encoder: snap::raw::Encoder,
}

impl Worker {
    fn new(load: &Load, number: usize) -> Result<Self> {
        let own = (0..load.hosts).filter(|host| host % load.connections == number);
        let hosts = own.map(|host| {
            let series = host_series(load.seed, host).into_iter();
            (host, series.map(|series| (encode_labels(host, &series), series)).collect())
        });
        Ok(Self {
            hosts: hosts.collect(),
            connection: Connection::open(load.target)?,
            headers: headers(load.token.as_deref()),
            plain: Vec::new(),
            packed: Vec::new(),
            encoder: snap::raw::Encoder::new(),
        })
    }

    fn send(&mut self, load: &Load, tick: i64, count: i64) -> Result<Sent> {
        let mut sent = Sent::default();
        let mut points = Vec::new();
        for group in self.hosts.chunks_mut(load.hosts_a_request) {
            self.plain.clear();
            for (host, series) in group {
                let times: Vec<i64> =
                    (0..count).map(|i| scrape_ms(load.seed, *host, load.start_ms, tick + i)).collect();
                for (labels, series) in series {
                    points.clear();
                    for time in &times {
                        encode_sample(&mut points, series.values.step(), *time);
                    }
                    self.plain.push(0x0a);
                    varint(&mut self.plain, (labels.len() + points.len()) as u64);
                    self.plain.extend_from_slice(labels);
                    self.plain.extend_from_slice(&points);
                    sent.samples += times.len() as u64;
                }
            }
            self.packed.resize(snap::raw::max_compress_len(self.plain.len()), 0);
            let size = self.encoder.compress(&self.plain, &mut self.packed).context("snappy")?;
            post(&mut self.connection, "/api/v1/write", &self.headers, &self.packed[..size])?;
            sent.requests += 1;
            sent.wire_bytes += size as u64;
        }
        Ok(sent)
    }
}

/// The label messages of one series (field 1 of a TimeSeries), sorted by name as the protocol asks.
fn encode_labels(host: usize, series: &HostSeries) -> Vec<u8> {
    let instance = format!("{}:9100", host_name(host));
    let env = if host.is_multiple_of(5) { "staging" } else { "prod" };
    let mut labels: Vec<(&str, &str)> =
        vec![("__name__", &series.name), ("env", env), ("instance", &instance), ("job", "node")];
    labels.extend(series.labels.iter().map(|(name, value)| (*name, value.as_str())));
    labels.sort_unstable();
    label_messages(&labels)
}

fn label_messages(labels: &[(&str, &str)]) -> Vec<u8> {
    let (mut all, mut one) = (Vec::new(), Vec::new());
    for (name, value) in labels {
        one.clear();
        bytes(&mut one, 1, name.as_bytes());
        bytes(&mut one, 2, value.as_bytes());
        bytes(&mut all, 1, &one);
    }
    all
}

/// One Sample (field 2 of a TimeSeries): value as fixed64, time in ms as varint.
fn encode_sample(out: &mut Vec<u8>, value: f64, millis: i64) {
    let mut time = Vec::with_capacity(10);
    varint(&mut time, millis as u64);
    out.extend_from_slice(&[0x12, 10 + time.len() as u8, 0x09]);
    out.extend_from_slice(&value.to_le_bytes());
    out.push(0x10);
    out.extend_from_slice(&time);
}

/// Posts until it is taken: 429 and 503 are tried again, as every sender does.
pub(super) fn post(connection: &mut Connection, path: &str, headers: &[String], body: &[u8]) -> Result<()> {
    for _ in 0..600 {
        let answer = connection.request("POST", path, headers, body)?;
        match answer.status {
            200..=299 => return Ok(()),
            429 | 503 => std::thread::sleep(Duration::from_millis(100)),
            status => bail!("{path} was answered {status}: {}", answer.text()),
        }
    }
    bail!("{path} was put off 600 times")
}

/// The headers that the protocol asks for.
fn headers(token: Option<&str>) -> Vec<String> {
    let mut headers = vec![
        "Content-Type: application/x-protobuf".to_owned(),
        "Content-Encoding: snappy".to_owned(),
        "X-Prometheus-Remote-Write-Version: 0.1.0".to_owned(),
    ];
    headers.extend(token.map(|token| format!("Authorization: Bearer {token}")));
    headers
}

/// One series that a [`Writer`] sends.
#[derive(Clone, Debug)]
pub struct Series {
    /// Sorted by name, the metric's name among them.
    labels: Vec<(String, String)>,
}

impl Series {
    pub fn new(mut labels: Vec<(String, String)>) -> Self {
        labels.sort();
        Self { labels }
    }

    /// The metric's name.
    pub fn name(&self) -> &str {
        self.labels.iter().find(|(name, _)| name == "__name__").map_or("", |(_, value)| value)
    }
}

/// Sends samples that the caller has made.
pub struct Writer {
    connection: Connection,
    headers: Vec<String>,
}

impl Writer {
    /// # Errors
    /// When nobody listens there.
    pub fn open(target: SocketAddr, token: Option<&str>) -> Result<Self> {
        Ok(Self { connection: Connection::open(target)?, headers: headers(token) })
    }

    /// One request: of each series its points, (ms, value) in time order.
    ///
    /// # Errors
    /// The collector's refusal.
    pub fn write(&mut self, batch: &[(&Series, Vec<(i64, f64)>)]) -> Result<()> {
        let mut plain = Vec::new();
        for (series, points) in batch {
            let labels: Vec<_> = series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let mut message = label_messages(&labels);
            for (millis, value) in points {
                encode_sample(&mut message, *value, *millis);
            }
            bytes(&mut plain, 1, &message);
        }
        let packed = snap::raw::Encoder::new().compress_vec(&plain).context("snappy")?;
        post(&mut self.connection, "/api/v1/write", &self.headers, &packed)
    }
}

/// The start time so that `ticks` scrapes end a minute before `now_ms`.
pub fn start_for(now_ms: i64, ticks: i64) -> i64 {
    now_ms - 60_000 - (ticks + 1) * INTERVAL_MS
}
