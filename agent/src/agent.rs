//! Builds and runs everything: the only file that knows all parts.
//!
//! One thread runs the loop: sampling ticks, the connection's words, the spool's answers and the session's deadlines each become one input of
//! the session, whose effects are carried out before the next one. The spool has a thread of its own, since disks may hang and sampling may not.

mod certificate;
mod remote;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::real::RealDisk;
use muster_common::host::HostId;
use muster_common::identity::{CertificateFacts, Identity, Trust, random};
use muster_common::sample::MetricKind;
use muster_common::time::{Timestamp, monotonic};
use muster_common::wire::message::{GoodbyeReason, Message, Problem, RefusalCode};
use tokio::sync::mpsc;

use crate::ask;
use crate::config::Config;
use crate::facts;
use crate::handed::worker::HandedNews;
use crate::identity_files::{Enrolled, IdentityError, IdentityFiles};
use crate::log_side::LogSide;
use crate::logs::worker::{LogNews, LogWorkerError};
use crate::own::{ConnectFailure, Own};
use crate::remote::machine::Times;
use crate::remote::side::{RemoteNews, RemoteSide};
use crate::report_side::{ReportEars, ReportError, ReportSide};
use crate::sampler::{self, MetricsConfig, OwnNumbers, Sampler};
use crate::schedule::{Schedule, Wake};
use crate::service::Service;
use crate::spool::worker::SpoolWorker;
use crate::spool::{Spool, SpoolAnswer, SpoolConfig, SpoolError, SpoolLimits};
use crate::status::{self, Cost, EpochStatus, HostStatus, Status};
use crate::tasks::TaskSide;
use crate::uplink::quic::{DialError, Loss, Numbered, Uplink, Word, client_config};
use crate::uplink::renewal::Renewals;
use crate::uplink::{Effect, HelloFacts, Input, LinkState, Moment, Note, Row, Session, Settings};

/// Answers of the spool that may wait for the loop; the session has fewer under way.
const ANSWERS_MAX: usize = 256;
/// How often the certificate's age is looked at while connected; at once after a welcome.
const RENEWAL_EVERY: Duration = Duration::from_secs(60);
/// The loop wakes at least this often, whatever is due.
const WAKE_WITHIN: Duration = Duration::from_secs(10);

/// Why the agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(
        "this host is not enrolled ({state_dir} has no identity): run `muster-agent enrol --collector HOST:PORT --token WORD`, with a word from `muster token new`"
    )]
    NotEnrolled { state_dir: String },
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Connection(#[from] DialError),
    #[error(transparent)]
    Logs(#[from] LogWorkerError),
    #[error(transparent)]
    Reports(#[from] ReportError),
    #[error("no thread can be started for the spool: {source}; raise the limit of tasks for this user")]
    Thread {
        #[source]
        source: std::io::Error,
    },
}

/// Runs until `stop` says why to end; then flushes and returns within 5 s.
///
/// # Errors
/// [`RunError`] when something that it cannot do without is missing.
pub async fn run(config: Config, stop: impl Future<Output = GoodbyeReason>) -> Result<(), RunError> {
    run_with(config, Times::default(), stop).await
}

async fn run_with(config: Config, times: Times, stop: impl Future<Output = GoodbyeReason>) -> Result<(), RunError> {
    let state_dir = config.agent.state_dir.clone();
    let files = IdentityFiles::new(&state_dir);
    let not_enrolled = || RunError::NotEnrolled { state_dir: state_dir.display().to_string() };
    if !state_dir.is_dir() {
        return Err(not_enrolled());
    }
    let _lock = files.lock()?;
    let enrolled = files.load()?.ok_or_else(not_enrolled)?;
    let (mut agent, ears) = Agent::build(config, times, files, enrolled)?;
    let Ears { mut answers, mut words, mut log_news, mut reports, mut remote, mut tasks } = ears;
    tracing::info!(host = %agent.status.host.name, collector = agent.uplink.address(), "agent runs");
    let mut service = Service::from_environment(monotonic());
    service.ready(&format!("samples and sends as {}", agent.status.host.name));
    let mut stop = std::pin::pin!(stop);
    let mut is_stopping = false;
    agent.give(Input::Tick);
    while !agent.done {
        let now = monotonic();
        // Fed here and nowhere else: each turn of this loop is one input worked off.
        service.alive(now);
        let due = agent.next_due().min(service.next()).saturating_sub(now).min(WAKE_WITHIN);
        tokio::select! {
            biased;
            reason = &mut stop, if !is_stopping => {
                is_stopping = true;
                service.stopping();
                tracing::info!(?reason, "agent stops");
                agent.give(Input::Stop(reason));
            }
            Some(answer) = answers.recv() => {
                agent.worker.flush();
                agent.give(Input::Spool(answer));
            }
            Some(numbered) = words.recv() => {
                if let Some(word) = agent.uplink.hear(numbered) {
                    let was_connected = agent.is_connected();
                    agent.hear(word);
                    if !was_connected && agent.is_connected() {
                        // The installer, for one, waits to read it there.
                        agent.status_at = Duration::ZERO;
                    }
                }
            }
            Some(report) = reports.results.recv() => {
                let reports = reports.with_others(report);
                agent.give(Input::Reports(reports));
            }
            Some(news) = reports.news.recv() => agent.hear_handed(news),
            Some(answer) = reports.answers.recv() => agent.give(Input::Answer(answer)),
            Some(told) = tasks.recv() => agent.hear_task(told),
            Some(handed) = reports.handed.recv(), if agent.session.takes_handed() => agent.give(Input::Handed(handed)),
            Some(news) = log_news.recv(), if agent.wants_log_news() => agent.hear_logs(news),
            Some(news) = remote.recv(), if !is_stopping => {
                if let Some(ears) = agent.hear_remote(news) {
                    log_news = ears;
                }
            }
            () = tokio::time::sleep(due) => agent.tick(is_stopping),
        }
        agent.send_logs();
        agent.look_at_remote();
    }
    agent.remote.stop(Moment::read());
    agent.write_status();
    // Before the connection goes: the reader writes its hints.
    drop(agent.logs.take());
    agent.uplink.shut().await;
    Ok(())
}

struct Agent {
    state_dir: PathBuf,
    proc: PathBuf,
    files: IdentityFiles,
    host: HostId,
    identity: Identity,
    certificate: CertificateFacts,
    renewals: Renewals,
    /// The key of the certificate asked for.
    renewing: Option<Vec<u8>>,
    /// The identity in use is not on the disk yet, which failed to take it.
    is_unstored: bool,
    own: Arc<Own>,
    sampler: Sampler,
    schedule: Schedule,
    session: Session,
    worker: SpoolWorker,
    logs: Option<LogSide>,
    reports: ReportSide,
    remote: RemoteSide,
    tasks: TaskSide,
    /// Of logs, and of handed reports.
    problems: [Vec<Problem>; 2],
    uplink: Uplink,
    status: Status,
    status_at: Duration,
    renew_at: Duration,
    last_problem: String,
    effects: Vec<Effect>,
    done: bool,
}

/// What the agent hears: the spool's answers, the connections' words, the reader of logs, those who make reports.
struct Ears {
    answers: mpsc::Receiver<SpoolAnswer>,
    words: mpsc::Receiver<Numbered>,
    log_news: mpsc::Receiver<LogNews>,
    reports: ReportEars,
    remote: mpsc::Receiver<RemoteNews>,
    tasks: mpsc::Receiver<(u64, Message)>,
}

impl Agent {
    fn build(config: Config, times: Times, files: IdentityFiles, enrolled: Enrolled) -> Result<(Self, Ears), RunError> {
        let state_dir = config.agent.state_dir.clone();
        let now = Moment::read();
        let own = Arc::new(Own::default());
        let host = enrolled.host;
        let limits = SpoolLimits { bytes_max: config.spool.max_bytes, ..SpoolLimits::default() };
        let spool_config = SpoolConfig { folder: state_dir.join("spool"), host, limits };
        let (spool, mut loaded) = Spool::open(Arc::new(RealDisk), spool_config, Arc::clone(&own))?;
        loaded.notes.iter().for_each(|note| tracing::warn!("{note}"));
        let asked = ask::Host::new(&config, now.wall.millis() / 1_000);
        let (surroundings, host_facts) = remote::surroundings(config, (host, times), &enrolled, &own);
        let (mut remote, remote_news, config) = RemoteSide::start(surroundings, now);
        let looks = (config.processes, config.metrics.proc.as_path(), config.inventory, asked);
        let (report_side, reports, placed) = ReportSide::start(&state_dir, config.checks, looks, &own, now.wall)?;
        remote.set_say(report_side.say());
        loaded.handed = placed;
        let (say, answers) = mpsc::channel(ANSWERS_MAX);
        // The receiver goes only with the program.
        let worker = SpoolWorker::start(spool, move |answer| drop(say.blocking_send(answer)));
        let worker = worker.map_err(|source| RunError::Thread { source })?;
        let hello = HelloFacts {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: facts::boot_id(&config.metrics.proc),
            started_ms: now.wall.millis(),
            facts: host_facts,
        };
        let settings = Settings {
            interval: config.metrics.interval,
            identity: config.metrics.identity_labels(&enrolled.enrolment.name),
            ..Settings::default()
        };
        let session = Session::new(settings, hello, Arc::clone(&own), loaded, Box::new(system_random));
        let (logs, log_news) = LogSide::start(config.logs, state_dir.clone(), Arc::clone(&own))?;
        let addresses = match config.collector.addresses {
            addresses if addresses.is_empty() => enrolled.enrolment.collector.clone(),
            addresses => addresses,
        };
        let trust = Trust::Roots(enrolled.roots_der());
        let (uplink, words) = Uplink::new(addresses, client_config(&trust, Some(&enrolled.identity))?);
        let (task_side, tasks) = TaskSide::new(&config.agent.task_socket, &own);
        let status = first_status(&config.metrics, &enrolled, now);
        let agent = Self {
            state_dir,
            proc: config.metrics.proc.clone(),
            files,
            host,
            identity: enrolled.identity,
            certificate: enrolled.facts,
            renewals: Renewals::default(),
            renewing: None,
            is_unstored: false,
            own,
            sampler: Sampler::new(&config.metrics),
            schedule: Schedule::new(config.metrics.interval, phase_seed(host), now.steady),
            session,
            worker,
            logs,
            reports: report_side,
            remote,
            tasks: task_side,
            problems: [Vec::new(), Vec::new()],
            uplink,
            status,
            status_at: now.steady,
            renew_at: Duration::MAX,
            last_problem: String::new(),
            effects: Vec::new(),
            done: false,
        };
        Ok((agent, Ears { answers, words, log_news, reports, remote: remote_news, tasks }))
    }

    fn next_due(&self) -> Duration {
        let session = self.session.deadline().unwrap_or(Duration::MAX);
        let remote = self.remote.deadline().unwrap_or(Duration::MAX);
        session.min(self.schedule.next()).min(self.status_at).min(self.renew_at).min(remote)
    }

    /// One input of the session, and everything that follows from it.
    fn give(&mut self, input: Input<'_>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.session.step(Moment::read(), input, &mut effects);
        self.carry_out_all(effects);
    }

    fn wants_log_news(&self) -> bool {
        self.logs.as_ref().is_some_and(LogSide::is_hungry)
    }

    fn hear_logs(&mut self, news: LogNews) {
        if let Some(problems) = self.logs.as_mut().and_then(|logs| logs.hear(news)) {
            self.problems[0] = problems;
            self.give(Input::Problems(self.problems.concat()));
        }
    }

    fn hear_handed(&mut self, news: HandedNews) {
        match news {
            HandedNews::Answer(answer) => self.give(Input::HandedAnswer(answer)),
            HandedNews::Problems(problems) => {
                self.problems[1] = problems;
                self.give(Input::Problems(self.problems.concat()));
            }
        }
    }

    fn hear_task(&mut self, told: (u64, Message)) {
        if let Some(message) = self.tasks.hear(told) {
            self.give(Input::Task(message));
        }
    }

    /// Lines go on their way while the session takes them; where it takes none for a while nothing is read.
    fn send_logs(&mut self) {
        let now = Moment::read();
        let Some(logs) = &mut self.logs else { return };
        logs.hold(self.session.rests_logs(now));
        while self.session.takes_logs(now)
            && let Some(frame) = self.logs.as_mut().and_then(LogSide::next)
        {
            self.give(Input::Logs(frame));
        }
    }

    fn carry_out_all(&mut self, mut effects: Vec<Effect>) {
        let mut stuck = 0;
        for effect in effects.drain(..) {
            stuck += u32::from(!self.carry_out(effect));
        }
        self.effects = effects;
        if stuck > 0 {
            tracing::warn!("the connection takes no more frames than its window allows: closing it");
            self.uplink.close();
            self.give(Input::Disconnected);
        }
    }

    /// `false`: the connection is stuck.
    fn carry_out(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Connect => {
                self.session.set_takes_tasks(self.tasks.is_there());
                self.uplink.connect();
            }
            Effect::Send { on, bytes } => return self.uplink.send(on, bytes),
            Effect::Close => self.uplink.close(),
            Effect::Spool(request) => self.worker.ask(request),
            Effect::Renewed { chain_der } => self.renewed(chain_der),
            Effect::Logs(order) => {
                if let Some(logs) = &mut self.logs {
                    logs.obey(order);
                }
            }
            Effect::Handed(order) => self.reports.obey(order),
            Effect::Inventory(order) => self.reports.obey_inventory(order),
            Effect::Ask(ask) => {
                if let Some(answer) = self.reports.ask(ask) {
                    self.give(Input::Answer(answer));
                }
            }
            Effect::Configuration(configuration) => self.remote.offered(configuration),
            Effect::Tasks(order) => self.tasks.obey(order),
            Effect::Note(note) => self.note(&note),
            Effect::Done => self.done = true,
        }
        true
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Connected { peer } => {
                tracing::debug!(%peer, "connected");
                self.connected();
            }
            Word::Failed(error) => {
                self.own.connect_failed(error.reason());
                let problem = error.to_string();
                if problem != self.last_problem {
                    tracing::warn!("no connection: {problem}");
                    self.last_problem = problem;
                }
                self.give(Input::Disconnected);
            }
            Word::Lost(Loss { why, reason }) => {
                // A collector that refuses this host's certificate says so only after the handshake: that is no end of a session.
                if self.is_connected() && reason != ConnectFailure::Handshake {
                    tracing::info!("the connection is gone: {why}");
                } else {
                    self.own.connect_failed(reason);
                    if why != self.last_problem {
                        tracing::warn!("no session: {why}");
                    }
                }
                self.last_problem = why;
                self.give(Input::Disconnected);
            }
            Word::Message(message) => self.give(Input::Message(*message)),
        }
    }

    fn is_connected(&self) -> bool {
        self.session.link_state() == LinkState::Connected
    }

    fn corrected(&self, now: Moment) -> Timestamp {
        Timestamp::from_millis(now.wall.millis().saturating_add(self.session.correction_ms()))
    }

    fn tick(&mut self, is_stopping: bool) {
        let now = Moment::read();
        if !is_stopping && self.schedule.wake(now.steady) != Wake::Early {
            self.sample(now);
        } else {
            self.give(Input::Tick);
        }
        if now.steady >= self.status_at {
            self.status_at = now.steady + status::WRITE_EVERY;
            self.write_status();
        }
        if now.steady >= self.renew_at {
            self.renew_at = now.steady + RENEWAL_EVERY;
            if self.is_unstored {
                self.store_identity();
            }
            self.renew_if_due(now);
        }
    }

    fn sample(&mut self, now: Moment) {
        let moment = sampler::Moment { clock: now.wall, correction_ms: self.session.correction_at(now) };
        let (own, missed) = (&self.own, self.schedule.missed());
        let rows = self.sampler.sample(moment, &mut |numbers| tell_own(own, missed, numbers));
        let row = Row {
            at_ms: rows.at_ms(),
            generation: rows.generation(),
            series: rows.series(),
            values: rows.values(),
            present: rows.present(),
        };
        let mut effects = std::mem::take(&mut self.effects);
        self.session.step(now, Input::Row(row), &mut effects);
        self.carry_out_all(effects);
    }

    fn write_status(&mut self) {
        let epoch = |(epoch, acked, given_out): (muster_common::wire::message::Epoch, u64, u64)| EpochStatus {
            epoch: epoch.0.iter().map(|byte| format!("{byte:02x}")).collect(),
            created_ms: epoch.created_ms(),
            acked,
            given_out,
        };
        self.status.written_ms = Moment::read().wall.millis();
        self.status.totals.missed_ticks = self.schedule.missed();
        self.status.count(&self.own);
        self.status.link(self.session.link_state(), &self.last_problem);
        self.status.collector.address = self.uplink.address().to_owned();
        self.status.spool.epochs = self.session.epochs().map(epoch).collect();
        self.status.spool.problems = self.session.disk_troubles().map(ToString::to_string).collect();
        self.status.cost = Cost::read(&self.proc);
        if let Err(error) = self.status.write(&self.state_dir) {
            tracing::debug!("the status file cannot be written: {error}");
        }
    }

    fn note(&mut self, note: &Note) {
        if let Note::Welcomed { host_name, host_id } = note {
            self.last_problem.clear();
            self.renewals.welcomed();
            self.renew_at = Duration::ZERO;
            self.status.host.name.clone_from(host_name);
            if *host_id != self.host.0 {
                let told = HostId(*host_id);
                tracing::warn!("the collector takes this host for {told}, its certificate says {}", self.host);
            }
        }
        if matches!(note, Note::Refused { code: RefusalCode::Certificate, .. }) {
            self.renewals.refused();
        }
        let collector = self.uplink.address();
        if note.is_good_news() {
            tracing::info!(collector, "{note}");
        } else {
            tracing::warn!(collector, "{note}");
        }
    }
}

/// What is known of this host before anything happens.
fn first_status(metrics: &MetricsConfig, enrolled: &Enrolled, now: Moment) -> Status {
    let host = HostStatus {
        id: enrolled.host.to_string(),
        name: enrolled.enrolment.name.clone(),
        certificate_expires_ms: enrolled.facts.not_after.millis(),
        certificate_problem: String::new(),
    };
    Status {
        version: 1,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started_ms: now.wall.millis(),
        interval_seconds: metrics.interval.as_secs_f64(),
        host,
        ..Status::default()
    }
}

/// The numbers of the agent's parts, into the row.
fn tell_own(own: &Own, missed: u64, numbers: &mut OwnNumbers<'_>) {
    numbers.counter("muster_agent_missed_ticks_total", &[], missed);
    own.each(&mut |(name, _, kind, label, value)| {
        let labels = label.as_slice();
        match kind {
            // Counters are counts of things: whole, far below 2^53.
            MetricKind::Counter => numbers.counter(name, labels, value as u64),
            _ => numbers.gauge(name, labels, value),
        }
    });
}

/// Hosts sample at different moments of their interval, each always at the same.
fn phase_seed(host: HostId) -> u64 {
    host.0.iter().fold(0, |seed: u64, byte| seed.wrapping_mul(0x0100_0000_01b3).wrapping_add(u64::from(*byte)))
}

/// From the system; where it has none, from clock and process, which still differ from run to run.
fn system_random() -> u64 {
    let bytes = random::<8>().unwrap_or_else(|_| {
        let nanos = Moment::read().wall.nanos().cast_unsigned() ^ u64::from(std::process::id()).rotate_left(40);
        nanos.to_le_bytes()
    });
    u64::from_le_bytes(bytes)
}

/// SIGTERM or SIGINT, and why this host's agent is stopped.
///
/// # Errors
/// When the system gives no signal handler.
pub fn signals(state_dir: &Path) -> std::io::Result<impl Future<Output = GoodbyeReason> + use<>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let state_dir = state_dir.to_path_buf();
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        crate::stop::stop_reason(&state_dir, Path::new("/run"), Path::new("systemctl")).await
    })
}

#[cfg(test)]
mod tests;
