//! What the routes stand on.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use muster_alert::alerting::Alerting;
use muster_common::finding::Finding;
use muster_common::host::HostId;
use muster_common::identity::Pin;
use muster_common::stat::Stat;
use muster_common::time::Timestamp;
use muster_fleet::{Fleet, Scope};
use muster_query::Engine;
use muster_store::{Admin, Reader};

use crate::error::ApiError;
use crate::install::Install;
use crate::live::Live;
use crate::logins::Logins;
use crate::pool::QueryPool;
use crate::remembered::Remembered;
use crate::strip::Strips;
use crate::tails::Tails;

/// Everything a request may need. Built by the server once, shared by all routes.
pub struct State {
    pub reader: Reader,
    pub admin: Admin,
    pub fleet: Arc<Fleet>,
    pub alerting: Arc<Alerting>,
    /// Swapped by a reload.
    pub engine: Arc<ArcSwap<Engine>>,
    pub pool: QueryPool,
    pub tails: Tails,
    pub live: Live,
    /// How hosts stood over the last day.
    pub strips: Mutex<Strips>,
    pub remembered: Remembered,
    pub logins: Logins,
    pub hooks: Hooks,
    pub access: Access,
    /// The version of the collector.
    pub version: &'static str,
    pub started: Timestamp,
    pub http: SocketAddr,
    pub agents: SocketAddr,
    pub counts: Counts,
    /// The served installer.
    pub install: Install,
}

/// How HTTPS is spoken here, for those who must trust it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Https {
    /// Of the listener's own key.
    pub pin: Pin,
    /// The root to trust, where the chain has one: the embedded CA, or what http.cert ends in. Else it is one that systems know.
    pub ca_pem: Option<String>,
    /// What the certificate is for.
    pub dns_names: Vec<String>,
    pub addresses: Vec<IpAddr>,
    /// Whether it is of the embedded CA; else it is http.cert's.
    pub is_own_ca: bool,
    pub expires: Timestamp,
}

/// Who may use the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Those with a token that has the route's scope.
    Tokens,
    /// `--no-auth`: all who can connect. Only ever with a loopback address.
    Everyone,
}

/// Begins what is asked for and gives its name.
pub type MakeSnapshot = Box<dyn Fn(&SnapshotAsk) -> Result<String, ApiError> + Send + Sync>;

/// What only the layers above and beside know.
pub struct Hooks {
    /// The clock.
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// Whether the collector takes and answers, and what is wrong with it.
    pub health: Box<dyn Fn() -> Health + Send + Sync>,
    /// Numbers of the process and its data folder.
    pub process_stats: Box<dyn Fn() -> Vec<Stat> + Send + Sync>,
    /// Numbers of ingest.
    pub intake_stats: Box<dyn Fn() -> Vec<Stat> + Send + Sync>,
    /// What the process and its machine are like, for the doctor. Blocks.
    pub doctor: Box<dyn Fn() -> OwnFindings + Send + Sync>,
    /// How long metrics, logs and events are kept.
    pub retention: Box<dyn Fn() -> [Duration; 3] + Send + Sync>,
    /// Whom ingest hears.
    pub presence: Box<dyn Fn() -> Vec<HostPresence> + Send + Sync>,
    /// The certificate in force; `None`: HTTP is plain.
    pub https: Box<dyn Fn() -> Option<Https> + Send + Sync>,
    /// Begins to make a snapshot and gives its name. Blocks for a moment.
    pub make_snapshot: MakeSnapshot,
    /// The snapshots that there are. Blocks.
    pub snapshots: Box<dyn Fn() -> Result<SnapshotsView, ApiError> + Send + Sync>,
    /// Reads the configuration anew and puts it in force; what was done, or why the old one stays. Blocks.
    pub reload: Box<dyn Fn() -> Result<String, String> + Send + Sync>,
}

/// What a snapshot is asked to be. Paths are of the collector's machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotAsk {
    /// The folder that it is made in; `None`: the configured one.
    pub to: Option<PathBuf>,
    /// The key for the CA's private key; `None`: the configured one.
    pub key_file: Option<PathBuf>,
    /// That key is left out.
    pub without_ca_key: bool,
}

/// The snapshots of a collector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SnapshotsView {
    /// Where they lie.
    pub folder: String,
    pub running: Option<SnapshotProgress>,
    /// The last one of this process.
    pub ended: Option<SnapshotEnd>,
    /// Oldest first.
    pub kept: Vec<SnapshotRow>,
}

/// How far a snapshot is: bytes of its files that are summed. Until it is known how many there are, 0 of 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotProgress {
    pub id: String,
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// How a snapshot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotEnd {
    pub id: String,
    pub folder: String,
    pub at: Timestamp,
    /// Why there is none; `None`: it is complete.
    pub problem: Option<String>,
}

/// One snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotRow {
    pub id: String,
    pub made: Timestamp,
    pub bytes: u64,
    /// How long commits were held for it.
    pub barrier_ms: f64,
    /// Of its segments.
    pub samples: u64,
    pub lines: u64,
    /// What became of the CA's private key: `sealed`, `left out`, `plain`.
    pub keys: &'static str,
    /// The version of the collector that made it.
    pub collector: String,
    /// Why it cannot be used.
    pub problem: Option<String>,
}

/// What only the wiring can look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnFindings {
    /// With their examinations' names.
    pub findings: Vec<Finding>,
    /// On the data folder's file system, as far as it can be seen.
    pub free_bytes: Option<u64>,
    /// Keys of the configuration and how long they keep what is theirs.
    pub retention: [(&'static str, Duration); 3],
    /// The settings in force as text, without secrets.
    pub settings: String,
}

/// How the collector is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why it does not take and answer now; `None`: it does.
    pub unready: Option<Problem>,
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, said as an error is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub message: String,
    pub place: String,
    pub remedy: String,
}

impl Problem {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({"message": self.message, "where": self.place, "remedy": self.remedy})
    }

    /// Before all is started, and from the moment it begins to stop.
    pub fn starts_or_stops() -> Self {
        let message = "the collector starts or stops".to_owned();
        Self { message, place: String::new(), remedy: "ask again".to_owned() }
    }
}

/// One host as ingest sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPresence {
    pub host: HostId,
    /// `up`, `silent`, `agent_stopped`, `rebooting`: ingest's own words.
    pub state: String,
    pub last_arrival: Option<Timestamp>,
    /// The newest time of its samples, by its own clock.
    pub newest_data: Option<Timestamp>,
    /// What its agent says is wrong there.
    pub problems: Vec<Problem>,
}

/// What the edge counts itself.
#[derive(Debug, Default)]
pub struct Counts {
    pub(crate) requests: AtomicU64,
    /// By the scope that the route wants, then by reason: no good token, or not good for this.
    refused: [[AtomicU64; REASONS.len()]; SCOPES.len()],
}

/// All that a route may want.
const SCOPES: [Scope; 8] = [
    Scope::Read,
    Scope::Ingest,
    Scope::Silence,
    Scope::TaskRequest,
    Scope::TaskApprove,
    Scope::Ask,
    Scope::Deploy,
    Scope::Admin,
];
const REASONS: [&str; 2] = ["unauthorized", "forbidden"];

impl Counts {
    pub(crate) fn refuse(&self, scope: Scope, is_unauthorized: bool) {
        let place = SCOPES.iter().position(|known| *known == scope);
        if let Some(reasons) = place.and_then(|place| self.refused.get(place)) {
            reasons[usize::from(!is_unauthorized)].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn refusals(&self) -> impl Iterator<Item = Stat> {
        let by_scope = SCOPES.iter().zip(&self.refused);
        by_scope.flat_map(|(scope, reasons)| {
            REASONS.iter().zip(reasons).map(|(reason, count)| {
                let help = "HTTP requests refused for who sent them, by the scope wanted and the reason.";
                Stat::counter("muster_collector_http_refused_total", help, count.load(Ordering::Relaxed))
                    .with("scope", scope.as_str())
                    .with("reason", *reason)
            })
        })
    }
}

impl State {
    pub(crate) fn now(&self) -> Timestamp {
        (self.hooks.now)()
    }

    /// Whom ingest hears. A silent host is unreachable where status says so.
    pub(crate) fn presence(&self) -> HashMap<HostId, HostPresence> {
        let heard = (self.hooks.presence)().into_iter().map(|presence| (presence.host, presence));
        let mut heard: HashMap<_, _> = heard.collect();
        for host in self.fleet.unreachable_hosts(self.now()) {
            if let Some(presence) = heard.get_mut(&host).filter(|presence| presence.state == "silent") {
                "unreachable".clone_into(&mut presence.state);
            }
        }
        heard
    }

    /// Every number of the collector: `/metrics`, the status page and the stored series show the same.
    pub fn stats(&self) -> Vec<Stat> {
        let mut stats = self.own_stats();
        stats.extend(self.fleet.stats());
        stats.extend((self.hooks.intake_stats)());
        stats
    }

    /// The numbers that ingest, which stores them all, does not have by itself.
    pub fn own_stats(&self) -> Vec<Stat> {
        let mut stats = vec![
            Stat::gauge("muster_collector_build_info", "The version, as a label.", 1.0).with("version", self.version),
            Stat::gauge(
                "muster_collector_start_time_seconds",
                "When this process began, since 1970.",
                self.started.millis() as f64 / 1_000.0,
            ),
            Stat::counter(
                "muster_collector_http_requests_total",
                "HTTP requests that reached a route.",
                self.counts.requests.load(Ordering::Relaxed),
            ),
        ];
        stats.extend(self.counts.refusals());
        stats.extend(self.pool.stats());
        stats.extend(self.tails.stats());
        stats.extend(self.live.stats());
        stats.extend(self.logins.stats());
        stats.extend(self.remembered.stats());
        stats.extend(self.admin.stats());
        stats.extend(self.alerting.stats((self.hooks.now)()));
        stats.extend((self.hooks.process_stats)());
        stats
    }
}
