//! The whole wiring, in start order; and the end, in reverse.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use muster_alert::RuleBatch;
use muster_alert::alerting::{Alerting, AlertingError, Files, StoreEvidence, load_settings};
use muster_api::{
    Access, Counts, Dialect, Install, Live, Logins, PoolSettings, QueryPool, REMEMBERED_FOR, Remembered, Scope, State,
    Tails,
};
use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::identity::certificate;
use muster_common::time::{Timestamp, now};
use muster_fleet::{AuditResult, By, EventKind, Fleet, Record};
use muster_ingest::{IngestConfig, Recorder};
use muster_store::Parts;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Arguments, Config};
use crate::doctor::Bound;
use crate::error::{StartError, chain};
use crate::hooks::{Seen, hooks};
use crate::http::{BoundSocket, Service};
use crate::intake::Intake;
use crate::lock::Lock;
use crate::maintenance::{self, Maintenance};
use crate::reload::{Reloader, SetLevel, engine};
use crate::reserve::Reserve;
use crate::snapshot::{Formats, Snapshots};
use crate::tls::Certificates;
use crate::trouble::{Part, Troubles};
use crate::watched_disk::{FullBell, WatchedDisk};
use crate::{admin_token, heartbeat, http, profiles, snapshot, tls, verify};

/// Ticks of rule groups that may wait for the store; beyond, they are dropped and counted.
const RULE_BATCHES_MAX: usize = 64;
/// How often the collector's own numbers are handed on to be stored: once an interval of their grid.
const OWN_EVERY: Duration = Duration::from_secs(15);

/// A running collector. Dropping it without [`Collector::stop`] is like a crash: nothing acknowledged is lost.
pub struct Collector {
    http: SocketAddr,
    agents: SocketAddr,
    pub(crate) state: Arc<State>,
    #[cfg(test)]
    pub(crate) snapshots: Arc<Snapshots>,
    reloader: Arc<Reloader>,
    intake: Intake,
    is_ready: Arc<AtomicBool>,
    broken: CancellationToken,
    /// Ends the listener.
    stop_http: CancellationToken,
    /// Ends the loops.
    stop_loops: CancellationToken,
    listening: Vec<JoinHandle<()>>,
    loops: Vec<JoinHandle<()>>,
    _socket: Option<BoundSocket>,
    /// Last, so that all files are closed when another may open the folder.
    _lock: Lock,
}

impl Collector {
    /// Starts everything. `config` must come from `arguments`, which a reload reads again.
    ///
    /// # Errors
    /// [`StartError`] names what could not be started and what to do about it.
    #[expect(clippy::too_many_lines, reason = "the start order, to be read in one go")]
    pub async fn start(arguments: Arguments, config: Config, set_level: SetLevel) -> Result<Self, StartError> {
        let started = now();
        let data = config.data.clone();
        let lock = Lock::take(&data)?;
        // Before the store, so that a taken address is told at once; connections wait until all is ready.
        let address = config.http.listen;
        let (listener, http) = http::bind(address).map_err(|source| StartError::Http { address, source })?;
        let mut socket = listen_locally(&config)?;

        let troubles = Arc::new(Troubles::default());
        let reserve = Reserve::new(&data);
        troubles.set(Part::Reserve, reserve.take().err().map(|error| error.to_string()));
        let full = Arc::new(FullBell::default());
        let disk: Arc<dyn Disk> = Arc::new(WatchedDisk { disk: RealDisk, full: Arc::clone(&full) });
        let opening = config.clone();
        let opened = tokio::task::spawn_blocking(move || open_files(disk, &opening)).await;
        let (parts, fleet, restored) = opened.map_err(|_| StartError::Panic)??;
        let Parts { writer, reader, admin, replay, past: _ } = parts;
        let certificates = open_certificates(&config, http, &fleet, started)?;
        let query_engine = Arc::new(ArcSwap::from_pointee(engine(&config)));
        // Before ingest, whose start applies what the inbox holds: so all that status makes of it is followed.
        let (batches, recorded) = mpsc::channel(RULE_BATCHES_MAX);
        let (set_up, _) = profiles::read(&config, &arguments.alerting_files()).map_err(StartError::Alerting)?;
        let putting = Arc::clone(&fleet);
        let put = tokio::task::spawn_blocking(move || profiles::put(&putting, set_up)).await;
        put.map_err(|_| StartError::Panic)?.map_err(|why| StartError::Alerting(vec![why]))?;
        let (rules_version, rules) = profiles::rules(&fleet);
        let files = Files { profiles: rules, ..arguments.alerting_files() };
        let settings = load_settings(&files).map_err(StartError::Alerting)?;
        settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let alerting_parts = muster_alert::alerting::Parts {
            fleet: Arc::clone(&fleet),
            reader: reader.clone(),
            engine: Arc::clone(&query_engine),
            evidence: Arc::new(StoreEvidence {
                reader: reader.clone(),
                engine: Arc::clone(&query_engine),
                fleet: Arc::clone(&fleet),
            }),
            store: writer.store_id(),
            incarnation: writer.incarnation(),
            domain: host_name(),
            ready: started,
            batches,
        };
        let starting = move || {
            // What the copy did not know of is summed up (EXACTLY-ONCE.md rule 26).
            if restored {
                Alerting::start_restored(alerting_parts, settings, now())
            } else {
                Alerting::start(alerting_parts, settings, now())
            }
        };
        let alerting = tokio::task::spawn_blocking(starting).await.map_err(|_| StartError::Panic)?;
        let alerting = alerting.map_err(|source: AlertingError| StartError::AlertingState(Box::new(source)))?;

        let mut ingest_config = IngestConfig {
            goodbye_spread: config.agents.spread,
            silent_after: config.agents.silent_after,
            ..IngestConfig::new(config.agents.listen)
        };
        // What would be unlinked at once is not taken.
        ingest_config.session.retention = config.retention.metrics;
        ingest_config.retention_logs = config.retention.logs;
        ingest_config.session.retention_logs = config.retention.logs;
        let ingest = muster_ingest::start(ingest_config, writer, reader.clone(), replay, Arc::clone(&fleet)).await;
        let ingest =
            ingest.map_err(|source| StartError::Ingest { address: config.agents.listen, source: Box::new(source) })?;
        let (agents, intakes) = (ingest.agents_addr(), ingest.routes());
        let broken = ingest.broken();
        let recorder = ingest.recorder();
        let intake = Intake::new(ingest);

        let reloader = Arc::new(Reloader::new(arguments, &config, Arc::clone(&query_engine), set_level));
        reloader.fleet(Arc::clone(&fleet));
        reloader.alerting(Arc::clone(&alerting));
        certificates.iter().for_each(|certificates| reloader.certificates(Arc::clone(certificates)));
        let is_ready = Arc::new(AtomicBool::new(true));
        let snapshots = Snapshots::new(
            admin.clone(),
            Arc::clone(&fleet),
            data.clone(),
            Arc::clone(&reloader),
            Arc::clone(&troubles),
        );
        let seen = Seen {
            data,
            reserve: reserve.clone(),
            full: Arc::clone(&full),
            troubles: Arc::clone(&troubles),
            admin: admin.clone(),
            intake: intake.clone(),
            reloader: Arc::clone(&reloader),
            is_ready: Arc::clone(&is_ready),
            heartbeats: Arc::default(),
            http: Arc::default(),
            certificates: certificates.clone(),
            snapshots: Arc::clone(&snapshots),
            bound: Bound { http, agents, ca_ends: ca_ends(&fleet) },
        };
        let state = Arc::new(State {
            reader,
            admin: admin.clone(),
            fleet,
            engine: query_engine,
            alerting: Arc::clone(&alerting),
            pool: QueryPool::new(PoolSettings {
                running_max: config.query.running_max,
                waiting_max: config.query.waiting_max,
                ..PoolSettings::default()
            }),
            tails: Tails::default(),
            live: Live::new(started),
            strips: Mutex::default(),
            remembered: Remembered::new(REMEMBERED_FOR),
            logins: Logins::default(),
            hooks: hooks(&seen),
            access: if config.http.no_auth { Access::Everyone } else { Access::Tokens },
            version: env!("CARGO_PKG_VERSION"),
            started,
            http,
            agents,
            counts: Counts::default(),
            install: Install::new(config.install.packages.clone(), config.agents.advertise.clone(), host_name()),
        });
        let intakes = muster_api::protect(intakes, &state, Scope::Ingest, Dialect::Plain);
        let router = muster_api::router(&state).merge(intakes).merge(muster_web::router());

        let (stop_http, stop_loops) = (CancellationToken::new(), CancellationToken::new());
        let connections_max = config.http.connections_max;
        let tls = certificates.as_ref().map(|certificates| certificates.acceptor()).transpose();
        let service = Service { router, tls: tls.map_err(StartError::Tls)?, counts: Arc::clone(&seen.http) };
        let mut listening =
            vec![tokio::spawn(http::serve(listener, service.clone(), connections_max, stop_http.clone()))];
        if let Some(listener) = socket.as_mut().and_then(BoundSocket::take) {
            listening.push(tokio::spawn(http::serve_socket(listener, service, stop_http.clone())));
        }
        let watch = certificates.map(|certificates| tls::run(certificates, Arc::clone(&troubles), stop_loops.clone()));
        let maintenance = Maintenance { admin, reserve, full, troubles, reloader: Arc::clone(&reloader) };
        let mut loops = vec![
            tokio::spawn(maintenance::run(maintenance, stop_loops.clone())),
            tokio::spawn(hand_on_own_numbers(Arc::clone(&state), intake.clone(), stop_loops.clone())),
            tokio::spawn(muster_alert::alerting::run(Arc::clone(&alerting), stop_loops.clone())),
            tokio::spawn(record(recorder, recorded, stop_loops.clone())),
            tokio::spawn(muster_api::run_live(Arc::clone(&state))),
            tokio::spawn(verify::run(Arc::clone(&state), stop_loops.clone())),
            tokio::spawn(profiles::run(
                Arc::clone(&state.fleet),
                Arc::clone(&reloader),
                rules_version,
                stop_loops.clone(),
            )),
            tokio::spawn(heartbeat::run(seen, alerting, stop_loops.clone())),
            tokio::spawn(snapshot::run_due(Arc::clone(&snapshots), stop_loops.clone())),
        ];
        loops.extend(watch.map(tokio::spawn));
        Ok(Self {
            http,
            agents,
            state,
            #[cfg(test)]
            snapshots,
            reloader,
            intake,
            is_ready,
            broken,
            stop_http,
            stop_loops,
            listening,
            loops,
            _socket: socket,
            _lock: lock,
        })
    }

    /// Where HTTP is served.
    pub fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// Where agents connect to.
    pub fn agents_addr(&self) -> SocketAddr {
        self.agents
    }

    /// Attempts to commit so far: rises every 15 s at least while the thread that commits goes on.
    pub fn commit_attempts(&self) -> u64 {
        self.intake.commit_attempts()
    }

    /// Waits until the collector can take nothing any more and only a new process helps; why.
    pub async fn broken(&self) -> &'static str {
        self.broken.cancelled().await;
        "the thread that commits ended in a panic, the log above says where: start the collector again, and report it"
    }

    /// Reads the configuration anew; as `POST /-/reload`.
    ///
    /// # Errors
    /// Every mistake of the file; then the old configuration is still in force.
    pub async fn reload(&self) -> Result<String, String> {
        let reloader = Arc::clone(&self.reloader);
        let fleet = Arc::clone(&self.state.fleet);
        let work = move || {
            let told = reloader.reload()?;
            let (action, result) = (EventKind::ConfigReloaded, AuditResult::Done);
            let record = Record { by: By::file(), action, object: String::new(), text: told.clone(), result };
            if let Err(error) = fleet.record(record, now()) {
                tracing::error!("the audit does not know of the reload: {}", chain(&error));
            }
            Ok(told)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => Err(format!("the reload ended in a panic: {error}")),
        }
    }

    /// Says goodbye to agents, lets requests end, makes everything durable, closes all files.
    pub async fn stop(self) {
        self.is_ready.store(false, Ordering::Relaxed);
        self.stop_loops.cancel();
        // Intakes over HTTP end with the listener: they must have been answered before the committer goes.
        self.stop_http.cancel();
        tokio::join!(self.state.tails.end(), self.state.live.end());
        for listener in self.listening {
            join(listener).await;
        }
        if let Some(ingest) = self.intake.take() {
            ingest.stop("the collector stops").await;
        }
        for task in self.loops {
            join(task).await;
        }
        let fleet = Arc::clone(&self.state.fleet);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || fleet.maintain(now())).await {
            tracing::warn!("when hosts and tokens were last seen was not kept: {}", chain(&error));
        }
    }
}

async fn join(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!("a part of the collector ended in a panic: {error}");
    }
}

/// Writes what rules record, until `stop`.
async fn record(recorder: Recorder, mut batches: mpsc::Receiver<RuleBatch>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(batch) = batches.recv() => drop(recorder.write(batch.run, batch.tick, batch.samples).await),
        }
    }
}

/// The machine's name, for Message-IDs, and for hosts that are to find it.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.');
    if !name.is_empty() && name.chars().all(is_plain) { name } else { "localhost".to_owned() }
}

/// In the data folder, where `http.socket` names no other path.
const SOCKET: &str = "http.sock";

/// The unix socket. The usual one is a convenience: without it (a path that is too long for one) `muster` takes a token.
fn listen_locally(config: &Config) -> Result<Option<BoundSocket>, StartError> {
    let path = config.http.socket.clone().unwrap_or_else(|| config.data.join(SOCKET));
    match http::bind_socket(&path) {
        Ok(socket) => Ok(Some(socket)),
        Err(source) if config.http.socket.is_some() => {
            Err(StartError::Socket { path: path.display().to_string(), source })
        }
        Err(error) => {
            tracing::warn!("`{}` is not listened on: {error}; name another path by http.socket", path.display());
            Ok(None)
        }
    }
}

/// The certificate of HTTPS, where it is spoken. Blocks for some milliseconds.
fn open_certificates(
    config: &Config,
    listen: SocketAddr,
    fleet: &Arc<Fleet>,
    now: Timestamp,
) -> Result<Option<Arc<Certificates>>, StartError> {
    if !config.http.is_tls() {
        return Ok(None);
    }
    let certificates = Certificates::open(config, listen, &host_name(), fleet, now).map_err(StartError::Tls)?;
    let https = certificates.https();
    let whose = if https.is_own_ca { "the embedded CA" } else { "http.cert" };
    tracing::info!("HTTPS on {listen} with a certificate of {whose}; the pin of its key is {}", https.pin.to_curl());
    Ok(Some(Arc::new(certificates)))
}

/// The end of the CA certificate that lasts longest.
fn ca_ends(fleet: &Fleet) -> Option<Timestamp> {
    fleet.ca_der().iter().filter_map(|der| certificate::read(der).ok()).map(|facts| facts.not_after).max()
}

/// Store and registry, and the first administrator; whether the folder was put back from a copy. Blocks.
fn open_files(disk: Arc<dyn Disk>, config: &Config) -> Result<(Parts, Arc<Fleet>, bool), StartError> {
    let (at, path) = (now(), config.data.display().to_string());
    // Whoever puts an older folder back leaves this file in it, so that agents which are ahead are noticed (EXACTLY-ONCE.md rule 10).
    let marker = config.data.join(snapshot::RESTORED);
    let restored = marker.exists();
    if config.data.join(snapshot::RESTORING).exists() {
        return Err(StartError::HalfRestored { path });
    }
    let copied = snapshot::before_opening(&disk, &config.data, &snapshot::folder_of(config), Formats::KNOWN, at);
    match copied.map_err(|source| StartError::Step { path: path.clone(), source: Box::new(source) })? {
        None => {}
        Some(name) => tracing::info!("made snapshot {name} before this version changes the formats of the data folder"),
    }
    let store = muster_store::Config {
        retention: config.retention.metrics,
        retention_logs: config.retention.logs,
        retention_events: config.retention.events,
        restored,
        ..muster_store::Config::new(&config.data)
    };
    let mut random = random_numbers().map_err(|source| StartError::Random { source })?;
    let parts = muster_store::open(Arc::clone(&disk), store, at, &mut random);
    let parts = parts.map_err(|source| StartError::Store { path: path.clone(), source: Box::new(source) })?;
    let fleet_error = |source| StartError::Fleet { path: path.clone(), source: Box::new(source) };
    let fleet = muster_fleet::open(disk, &config.data, at).map_err(fleet_error)?;
    fleet.set_incarnation(parts.writer.incarnation(), parts.past, at).map_err(fleet_error)?;
    let word = match fleet.ensure_admin_token(at).map_err(fleet_error)? {
        // A snapshot has no words: whoever put it back must be able to ask.
        None if restored && !config.data.join(admin_token::FILE_NAME).exists() => {
            Some(fleet.another_admin_token(at).map_err(fleet_error)?)
        }
        word => word,
    };
    if let Some(word) = word {
        let path = config.data.join(admin_token::FILE_NAME).display().to_string();
        admin_token::write(&config.data, &word).map_err(|source| StartError::AdminToken { path, source })?;
        fleet.admin_token_kept().map_err(fleet_error)?;
    }
    if restored {
        tracing::info!("this data folder was restored: agents that are ahead of it send what they still hold");
        // After the event that tells of it is durable. One incarnation too many, if the power goes before this is durable, does no harm.
        let removed = std::fs::remove_file(&marker);
        removed.map_err(|source| StartError::Restored { path: marker.display().to_string(), source })?;
    }
    Ok((parts, Arc::new(fleet), restored))
}

/// Numbers from the system's generator, for ids.
fn random_numbers() -> std::io::Result<impl FnMut() -> u64> {
    let mut seed = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let mut state = u64::from_le_bytes(seed);
    // SplitMix64: every seed gives another sequence, and no two steps of one are the same.
    Ok(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// Hands the numbers that ingest does not have on to it, until `stop`.
async fn hand_on_own_numbers(state: Arc<State>, intake: Intake, stop: CancellationToken) {
    loop {
        let (state, to) = (Arc::clone(&state), intake.clone());
        // Some of them are read from files.
        let handed = tokio::task::spawn_blocking(move || to.remember_own(state.own_stats())).await;
        if let Err(error) = handed {
            tracing::error!("the collector's own numbers ended in a panic: {error}");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(OWN_EVERY) => {}
        }
    }
}
