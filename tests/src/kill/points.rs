//! kill -9 of the collector at the n-th call of a system call that changes the disk, chosen by strace.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_common::time;

use super::{Report, stored};
use crate::harness::agent;
use crate::harness::collector::{Collector, Options};
use crate::harness::http::escape;
use crate::load::wire;
use crate::load::workload::{INTERVAL_MS, host_name};

/// (system call, its n-th call after the start): start-up, first commits, steady commits, flush, merge and unlink.
const POINTS: [(&str, u32); 20] = [
    ("fdatasync", 12),
    ("pwrite64", 150),
    ("rename", 1),
    ("fdatasync", 40),
    ("unlink", 1),
    ("pwrite64", 400),
    ("fsync", 2),
    ("fdatasync", 75),
    ("rename", 2),
    ("ftruncate", 2),
    ("pwrite64", 900),
    ("fdatasync", 110),
    ("unlink", 2),
    ("fsync", 4),
    ("pwrite64", 1500),
    ("fdatasync", 20),
    ("pwrite64", 250),
    ("fdatasync", 55),
    ("rename", 3),
    ("pwrite64", 2200),
];

const HOSTS: usize = 4;
const SEED: u64 = 9;
/// Far more than a trial sends: 40 hours of scrapes, all in the past.
const TICKS: i64 = 9_600;
/// A point that is not reached by then is a miss.
const REACH: Duration = Duration::from_secs(30);

/// Runs `count` of the points (at most 20), spread over the list, under load.
///
/// # Errors
/// When a program does not start or the load breaks for another reason than the kills.
pub fn at_points(programs: &Path, folder: &Path, count: usize) -> Result<Report> {
    let mut options = Options::new(programs, &folder.join("data"));
    let mut collector = Collector::start(&options)?;
    (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
    let word = agent::token(programs, &collector, &["--pattern", "node-*", "--uses", &HOSTS.to_string()])?;
    let load = wire::Load {
        target: collector.agents,
        word,
        seed: SEED,
        hosts: HOSTS,
        ticks: TICKS,
        start_ms: time::now().millis() - (TICKS + 10) * INTERVAL_MS,
        window: 8,
        pause: Duration::from_millis(20),
        reconnects: 2_000,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let hosts = runtime.block_on(wire::enrol(&load))?;
    let progress = Arc::new(wire::Progress::default());
    let sending = runtime.spawn({
        let (load, progress) = (load.clone(), Arc::clone(&progress));
        async move { wire::run(&load, hosts, &progress).await }
    });

    let mut report = Report::default();
    let step = (POINTS.len() / count.clamp(1, POINTS.len())).max(1);
    for (call, number) in POINTS.iter().step_by(step).take(count) {
        let before = answers(&collector, &load, &progress)?;
        if !collector.stop()?.success() {
            bail!("the collector did not end well on SIGTERM");
        }
        let hit = killed_at(&options, call, *number)?;
        let start = time::monotonic();
        collector = Collector::start(&options).with_context(|| format!("after a kill at {call} {number}"))?;
        let back = time::monotonic() - start;
        let after = before.iter().map(|(path, _)| Ok(collector.get(path)?.body)).collect::<Result<Vec<_>>>()?;
        let changed = before.iter().zip(&after).filter(|((_, before), after)| before != *after).count() as u64;
        report.answers_changed += changed;
        report.hits += u64::from(hit.is_some());
        report.slowest_return = report.slowest_return.max(back);
        report.kills.push(format!(
            "{call} number {number}: {}, back in {:.2} s, {changed} of {} answers changed",
            hit.map_or_else(|| "not reached".to_owned(), |call| format!("killed in `{call}`")),
            back.as_secs_f64(),
            before.len()
        ));
    }
    progress.stop.store(true, Ordering::Relaxed);
    runtime.block_on(sending)??;
    collector.stop()?;
    let acked = progress.acked.lock().clone();
    report.samples = progress.acked_amount.load(Ordering::Relaxed);
    stored::compare(&options.data, &load, &acked, &mut report)?;
    Ok(report)
}

/// Starts the collector under strace, which kills it at that call, and pushes it towards the call by flushes. Gives the call that strace
/// wrote down as its last; `None` when it was not reached.
fn killed_at(options: &Options, call: &str, number: u32) -> Result<Option<String>> {
    let (under, log) = under_strace(options, call, number);
    // It may die before it is ready: that is a hit as well, at its start, if strace says so.
    let mut collector = match Collector::start(&under) {
        Ok(collector) => collector,
        Err(error) => return injected(&log)?.map(Some).ok_or(error),
    };
    let ended = AtomicBool::new(false);
    let end = std::thread::scope(|scope| {
        let (http, token) = (collector.http, collector.token.clone());
        scope.spawn({
            let ended = &ended;
            move || {
                while !ended.load(Ordering::Relaxed) {
                    let flush = crate::harness::http::Connection::open(http).and_then(|mut connection| {
                        let headers = [format!("Authorization: Bearer {token}")];
                        connection.request("POST", "/-/flush?merge=1", &headers, b"")
                    });
                    // The collector dies under some of these: that is the point.
                    drop(flush);
                    std::thread::sleep(Duration::from_millis(500));
                }
            }
        });
        let end = collector.wait_end(REACH);
        ended.store(true, Ordering::Relaxed);
        end
    });
    if end.is_err() {
        collector.kill()?;
        return Ok(None);
    }
    injected(&log)
}

/// Options of a collector that strace kills at that call, and the file in which strace writes its calls down.
pub(super) fn under_strace(options: &Options, call: &str, number: u32) -> (Options, PathBuf) {
    let inject = format!("inject={call}:signal=SIGKILL:when={number}");
    let trace = format!("trace={call}");
    let log = options.data.with_extension("strace");
    let file = log.to_string_lossy();
    let mut under = options.clone();
    under.wrapper = ["strace", "-f", "-qq", "-o", &file, "-e", &trace, "-e", &inject].map(str::to_owned).to_vec();
    (under, log)
}

/// The call at which strace killed the process, as strace wrote it down; `None` when it did not.
pub(super) fn injected(log: &Path) -> Result<Option<String>> {
    let text = std::fs::read_to_string(log).with_context(|| format!("strace wrote no {}", log.display()))?;
    let killed = text.lines().any(|line| line.contains("+++ killed by SIGKILL +++"));
    let call = text.lines().rev().find(|line| line.contains('(') && !line.contains("+++"));
    Ok(call.filter(|_| killed).map(|line| line.chars().take(100).collect()))
}

/// Questions about what is acknowledged by all hosts now, and their answers as bytes.
fn answers(collector: &Collector, load: &wire::Load, progress: &wire::Progress) -> Result<Vec<(String, Vec<u8>)>> {
    let acked = agent::until("acknowledged batches", Duration::from_secs(60), || {
        let least = progress.acked.lock().iter().copied().min().unwrap_or(0);
        Ok((least >= 20).then_some(least))
    })?;
    // Seq n is tick n - 1; phases spread over one interval.
    let end = (load.start_ms + (i64::try_from(acked)? - 1) * INTERVAL_MS) / 1000;
    let start = end - 1_800;
    let questions = [
        format!("node_load1{{host=\"{}\"}}", host_name(0)),
        "sum by (host, mode) (rate(node_cpu_seconds_total[5m]))".to_owned(),
        "topk(3, node_memory_MemFree_bytes)".to_owned(),
        "count({__name__=~\"node_.*\"})".to_owned(),
    ];
    let mut answers = Vec::new();
    for question in &questions {
        let path = format!("/api/v1/query_range?query={}&start={start}&end={end}&step=15", escape(question));
        answers.push((path.clone(), collector.get(&path)?.body));
    }
    Ok(answers)
}
