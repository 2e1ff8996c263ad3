//! A store with a few samples, a registry, and requests without a socket.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use futures_util::StreamExt;
use muster_alert::alerting::{self, Alerting};
use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_common::wire::message::Epoch;
use muster_fleet::{By, Fleet, Scope};
use muster_query::Engine;
use muster_store::{
    Append, LogBlock, LogClass, LogEntry, Outcome, Parts, Reader, Record, Row, SampleBlock, SeriesTable, Source, Writer,
};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{
    Access, Counts, Health, HostPresence, Https, Install, Live, Logins, OwnFindings, PoolSettings, Problem, QueryPool,
    Remembered, State, Tails, router,
};

/// The clock of all these tests: 2023-11-14T22:13:20Z.
pub(super) const NOW_MS: i64 = 1_700_000_000_000;

pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(NOW_MS)
}

const RULES: &str = "\
groups:
- name: planted
  interval: 30s
  limit: 7
  rules:
  - record: planted:up:sum
    expr: sum(up)
  - alert: PlantedDown
    expr: up == 0
    for: 5m
    keep_firing_for: 1m
    labels: {severity: critical}
    annotations: {summary: '{{ $labels.host }} is down'}
";

const ROUTES: &str = "\
global: {smtp_smarthost: '127.0.0.1:1', smtp_from: muster@example.org, smtp_require_tls: false}
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 30s
  routes:
  - receiver: chat
    matchers: [team=\"db\"]
    mute_time_intervals: [always]
receivers:
- name: ops
  email_configs: [{to: ann@example.org}]
- name: chat
  slack_configs: [{api_url: 'https://chat.example/hook', channel: db}]
time_intervals:
- name: always
  time_intervals: [{times: [{start_time: '00:00', end_time: '24:00'}]}]
";

/// A collector without sockets.
pub(super) struct Fixture {
    pub(super) state: Arc<State>,
    pub(super) presence: Arc<Mutex<Vec<HostPresence>>>,
    pub(super) problems: Arc<Mutex<Vec<Problem>>>,
    /// The certificate that is said to be in force.
    pub(super) https: Arc<Mutex<Option<Https>>>,
    pub(super) is_ready: Arc<AtomicBool>,
    /// Whether a reload succeeds.
    pub(super) can_reload: Arc<AtomicBool>,
    pub(super) writer: Writer,
    pub(super) admin_word: String,
    live: std::sync::Once,
    tick: u64,
    _folder: TempDir,
}

/// Nanoseconds after [`NOW_MS`], line, structured metadata.
pub(super) type Line<'a> = (i64, &'a [u8], &'a [(&'a str, &'a str)]);

/// Alerting of one rule file and one routing file, whose receivers are nowhere.
fn alerting(
    fleet: &Arc<Fleet>,
    reader: &Reader,
    engine: &Arc<ArcSwap<Engine>>,
    folder: &std::path::Path,
) -> Arc<Alerting> {
    let (rules, routes) = (folder.join("rules.yml"), folder.join("alerting.yml"));
    std::fs::write(&rules, RULES).unwrap();
    std::fs::write(&routes, ROUTES).unwrap();
    let files = alerting::Files { rules: vec![rules], alerting: Some(routes), profiles: Vec::new() };
    let settings = alerting::load_settings(&files).unwrap();
    let evidence = Arc::new(alerting::StoreEvidence {
        reader: reader.clone(),
        engine: Arc::clone(engine),
        fleet: Arc::clone(fleet),
    });
    // Nobody takes what rules record: a full channel drops it.
    let (batches, _) = tokio::sync::mpsc::channel(1);
    let parts = alerting::Parts {
        fleet: Arc::clone(fleet),
        reader: reader.clone(),
        engine: Arc::clone(engine),
        evidence,
        store: [7; 16],
        incarnation: 1,
        domain: "muster.example".to_owned(),
        ready: now(),
        batches,
    };
    Alerting::start(parts, settings, now()).unwrap()
}

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// One that is kept and one that is being made.
fn planted_snapshots() -> crate::SnapshotsView {
    let row = crate::SnapshotRow {
        id: "20231113T221320Z-07070707".to_owned(),
        made: now(),
        bytes: 5,
        barrier_ms: 2.5,
        samples: 3,
        lines: 1,
        keys: "sealed",
        collector: "0.1.0".to_owned(),
        problem: None,
    };
    let running = crate::SnapshotProgress { id: "20231114T221320Z-07070707".to_owned(), done_bytes: 1, total_bytes: 9 };
    crate::SnapshotsView { folder: "/s".to_owned(), running: Some(running), ended: None, kept: vec![row] }
}

/// What the process around the API says; what a test changes of it is behind the locks.
fn hooks(
    presence: &Arc<Mutex<Vec<HostPresence>>>,
    problems: &Arc<Mutex<Vec<Problem>>>,
    https: &Arc<Mutex<Option<Https>>>,
    is_ready: &Arc<AtomicBool>,
    can_reload: &Arc<AtomicBool>,
) -> crate::Hooks {
    let (seen, told, spoken) = (Arc::clone(presence), Arc::clone(problems), Arc::clone(https));
    let (ready, reloads) = (Arc::clone(is_ready), Arc::clone(can_reload));
    crate::Hooks {
        now: Box::new(now),
        health: Box::new(move || Health {
            unready: (!ready.load(Ordering::Relaxed)).then(Problem::starts_or_stops),
            problems: told.lock().unwrap().clone(),
        }),
        process_stats: Box::new(Vec::new),
        intake_stats: Box::new(Vec::new),
        doctor: Box::new(|| OwnFindings {
            settings: "planted settings".to_owned(),
            free_bytes: Some(1_000_000_000),
            retention: ["retention.metrics", "retention.logs", "retention.events"]
                .map(|key| (key, std::time::Duration::from_secs(30 * 86_400))),
            ..OwnFindings::default()
        }),
        retention: Box::new(|| [30, 30, 730].map(|days| std::time::Duration::from_secs(days * 86_400))),
        presence: Box::new(move || seen.lock().unwrap().clone()),
        https: Box::new(move || spoken.lock().unwrap().clone()),
        make_snapshot: Box::new(|ask| match &ask.to {
            None => Ok("20231114T221320Z-07070707".to_owned()),
            Some(to) => {
                Err(crate::ApiError::said(crate::ErrorKind::Conflict, &format!("`{}` is full: free it", to.display())))
            }
        }),
        snapshots: Box::new(|| Ok(planted_snapshots())),
        reload: Box::new(move || match reloads.load(Ordering::Relaxed) {
            true => Ok("reloaded".to_owned()),
            false => Err("c.toml:1:1: planted".to_owned()),
        }),
    }
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(Access::Tokens, PoolSettings::default())
    }

    pub(super) fn with(access: Access, pool: PoolSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let config = muster_store::Config::new(folder.path());
        let Parts { writer, reader, admin, .. } =
            muster_store::open(Arc::clone(&disk), config, now(), &mut || 7).unwrap();
        let fleet = Arc::new(muster_fleet::open(disk, folder.path(), now()).unwrap());
        let admin_word = fleet.ensure_admin_token(now()).unwrap().unwrap();
        fleet.admin_token_kept().unwrap();
        let presence: Arc<Mutex<Vec<HostPresence>>> = Arc::default();
        let problems: Arc<Mutex<Vec<Problem>>> = Arc::default();
        let https: Arc<Mutex<Option<Https>>> = Arc::default();
        let (is_ready, can_reload) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let hooks = hooks(&presence, &problems, &https, &is_ready, &can_reload);
        let engine = Arc::new(ArcSwap::from_pointee(Engine::default()));
        let alerting = alerting(&fleet, &reader, &engine, folder.path());
        let state = Arc::new(State {
            reader,
            admin,
            fleet,
            alerting,
            engine,
            pool: QueryPool::new(pool),
            tails: Tails::default(),
            live: Live::new(now()),
            strips: Mutex::default(),
            // No answer is made anew for time alone: what does not tell that it changed would be seen.
            remembered: Remembered::new(std::time::Duration::from_secs(3_600)),
            logins: Logins::default(),
            hooks,
            access,
            version: "0.1.0",
            started: now(),
            http: "127.0.0.1:9470".parse().unwrap(),
            agents: "0.0.0.0:9471".parse().unwrap(),
            counts: Counts::default(),
            install: Install::new(folder.path().join("packages"), None, "machine.example".to_owned()),
        });
        Self {
            state,
            presence,
            problems,
            https,
            is_ready,
            can_reload,
            writer,
            admin_word,
            live: std::sync::Once::new(),
            tick: 0,
            _folder: folder,
        }
    }

    pub(super) fn fleet(&self) -> &Arc<Fleet> {
        &self.state.fleet
    }

    /// Puts an installer of this text into the packages' folder.
    pub(super) fn serve_installer(&self, script: &str) {
        let packages = &self.state.install.packages;
        std::fs::create_dir_all(packages).unwrap();
        std::fs::write(packages.join("install.sh"), script).unwrap();
    }

    /// Stores these samples of one series.
    pub(super) fn store(&mut self, labels: &[(&str, &str)], kind: MetricKind, samples: &[(i64, f64)]) {
        let set = LabelSet::new(labels.iter().copied()).unwrap();
        let table = Arc::new(SeriesTable::new(vec![(set, kind)]));
        let row = |&(at_ms, value): &(i64, f64)| Row { at_ms, present: None, values: vec![value] };
        let block = SampleBlock::Rows { table, rows: samples.iter().map(row).collect() };
        self.append(Record::Samples(block));
    }

    /// Stores these lines of one stream.
    pub(super) fn log(&mut self, labels: &[(&str, &str)], lines: &[Line<'_>]) {
        let entry = |&(after_ns, line, fields): &Line<'_>| LogEntry {
            at_ns: NOW_MS * 1_000_000 + after_ns,
            line: line.to_vec(),
            fields: LabelSet::new(fields.iter().copied()).unwrap(),
        };
        let block = LogBlock {
            class: LogClass::Logs,
            labels: Arc::new(LabelSet::new(labels.iter().copied()).unwrap()),
            entries: lines.iter().map(entry).collect(),
        };
        self.append(Record::Logs(block));
    }

    fn append(&mut self, record: Record) {
        self.tick += 1;
        let append = Append {
            source: Source::Own { run: Epoch::new(1, 1), tick: self.tick },
            records: vec![record],
            arrived: now(),
            live: true,
        };
        let outcomes = self.writer.commit(&[append], now()).unwrap();
        assert!(matches!(outcomes[..], [Outcome::Committed { .. }]), "{outcomes:?}");
    }

    /// A token of this scope.
    pub(super) fn word(&self, scope: Scope) -> String {
        self.fleet().new_http_token(&[scope], std::time::Duration::from_secs(60), &By::Itself("test"), now()).unwrap()
    }

    /// Lets the live feed run, from the first request on.
    pub(super) fn run_live(&self) {
        self.live.call_once(|| drop(tokio::spawn(crate::run_live(Arc::clone(&self.state)))));
    }

    /// The whole answer; of one that does not end its first piece.
    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        self.run_live();
        let response = router(&self.state).oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let is_stream = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let bytes = if is_stream {
            response.into_body().into_data_stream().next().await.unwrap().unwrap()
        } else {
            axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()
        };
        Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub(super) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let bearer = format!("Bearer {}", self.admin_word);
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, bearer)
    }

    /// As the administrator.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post_form(&self, path: &str, form: &str) -> Answer {
        let request = self.request("POST", path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    pub(super) async fn post_json(&self, path: &str, body: &str) -> Answer {
        let request = self.request("POST", path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }
}
