//! Hosts that go on reporting: one that says nothing for minutes is silent, and what its checks found is held back as the host's problem.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use muster_common::time;
use muster_common::wire::frame::Frame;
use muster_common::wire::message::{CheckDefinition, CheckReport, Epoch, Lane, Message, Report, ReportBatch};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::load::wire::{self, Host, Lasting};

/// Checks of a host, as a usual configuration has them.
const CHECKS: usize = 20;
/// Every so manieth host has a problem: 500 of 5,000.
pub(super) const PROBLEM_EVERY: usize = 10;
/// Every check runs once a minute, as checks do where nothing else is said.
const ROUND: Duration = Duration::from_secs(60);
/// Hosts that are waited for at once: one after the other would wait for 5,000 commits.
const WORKERS: usize = 32;

/// Connected hosts whose checks report each minute, spread evenly over it.
pub(super) struct Reporting {
    hosts: Arc<Vec<Mutex<Reporter>>>,
    rounds: JoinSet<Result<()>>,
}

struct Reporter {
    session: Lasting,
    epoch: Epoch,
    seq: u64,
    /// Its first check is critical.
    is_bad: bool,
}

impl Reporting {
    /// Connects all; returns when each has reported once.
    ///
    /// # Errors
    /// A refusal by the collector, or a broken connection.
    pub(super) async fn start(target: SocketAddr, hosts: &[Host]) -> Result<Self> {
        let endpoint = wire::endpoint()?;
        let mut reporters = Vec::with_capacity(hosts.len());
        for host in hosts {
            let epoch = Epoch::new(time::now().millis(), host.number as u64);
            let session = Lasting::open(&endpoint, target, host, epoch).await?;
            let is_bad = host.number.is_multiple_of(PROBLEM_EVERY);
            reporters.push(Mutex::new(Reporter { session, epoch, seq: 0, is_bad }));
        }
        let hosts = Arc::new(reporters);
        let mut first = workers(&hosts, None);
        while let Some(ended) = first.join_next().await {
            ended.context("a reporter panicked")??;
        }
        let rounds = workers(&hosts, Some(ROUND));
        Ok(Self { hosts, rounds })
    }

    /// The first check of a host turns critical; returns when that is durable.
    ///
    /// # Errors
    /// When there is no such host, or the collector does not take it.
    pub(super) async fn make_problem(&self, number: usize) -> Result<()> {
        let mut host = self.hosts.get(number).with_context(|| format!("there is no host {number}"))?.lock().await;
        host.is_bad = true;
        host.report().await
    }

    /// Whether all are still reporting.
    ///
    /// # Errors
    /// Why one is not.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.rounds.try_join_next() {
            Some(ended) => ended.context("a reporter panicked")?.context("a host stopped reporting"),
            None => Ok(()),
        }
    }
}

/// Each takes its part of the hosts: once, or again and again so that one round takes this long.
fn workers(hosts: &Arc<Vec<Mutex<Reporter>>>, round: Option<Duration>) -> JoinSet<Result<()>> {
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS.min(hosts.len()) {
        let hosts = Arc::clone(hosts);
        workers.spawn(async move {
            let own = || hosts.iter().skip(worker).step_by(WORKERS);
            let Some(round) = round else {
                for host in own() {
                    host.lock().await.report().await?;
                }
                return Ok(());
            };
            let mut turn = tokio::time::interval(round / u32::try_from(own().count())?);
            loop {
                for host in own() {
                    turn.tick().await;
                    host.lock().await.report().await?;
                }
            }
        });
    }
    workers
}

impl Reporter {
    /// One result of each check.
    async fn report(&mut self) -> Result<()> {
        let at_ms = time::now().millis();
        let reports = (0..CHECKS).map(|check| {
            let is_bad = self.is_bad && check == 0;
            Report::Check(CheckReport {
                at_ms,
                check: format!("check-{check:02}"),
                state: if is_bad { 2 } else { 0 },
                output: if is_bad { "CRITICAL: 96 % of /var are used".into() } else { "OK: 41 %".into() },
                long_output: String::new(),
                perfdata: Vec::new(),
                duration_ms: 3,
                definition: CheckDefinition { ttl_ms: 7_200_000, ..CheckDefinition::default() },
            })
        });
        let batch = ReportBatch { reports: reports.collect(), extensions: Vec::new() };
        self.seq += 1;
        let frame = Frame::batch(Lane::P0, self.epoch, self.seq, Message::Reports(batch));
        self.session.send(&[frame]).await
    }
}

/// The rounds go on between what the caller does, so they need threads of their own.
///
/// # Errors
/// When no thread can be started.
pub(super) fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}
