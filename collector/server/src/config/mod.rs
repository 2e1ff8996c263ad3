//! The validated configuration. No key needs to be set; `collector.toml` and `--set` change the defaults below.

mod load;
mod place;
mod settings;
mod table;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use load::{Arguments, load};
pub use place::{ConfigErrors, Mistake, Place};
pub use settings::{needs_restart, sections};

/// Where `collector.toml` is looked for when `--config` names none.
pub const DEFAULT_FILE: &str = "/etc/muster/collector.toml";
/// Where rule files are looked for when `--rules` names none.
pub const DEFAULT_RULES: &str = "/etc/muster/rules";
/// Where Alertmanager's configuration is looked for when `--alerting` names none.
pub const DEFAULT_ALERTING: &str = "/etc/muster/alerting.yml";

/// Where profiles are looked for when `profiles.folder` names no folder.
pub const DEFAULT_PROFILES: &str = "/etc/muster/profiles";
/// Where rules of discovery are looked for when `discovery.rules` names none.
pub const DEFAULT_DISCOVERY: &str = "/etc/muster/discovery.yml";
/// Where services and freezes are looked for when `deploys.file` names no file.
pub const DEFAULT_DEPLOYS: &str = "/etc/muster/deploy.toml";

/// Everything the collector is told. Times are spans, sizes bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub data: PathBuf,
    pub http: Http,
    pub agents: Agents,
    pub install: Install,
    pub retention: Retention,
    pub store: Store,
    pub query: Query,
    pub runtime: Runtime,
    pub profiles: Profiles,
    pub discovery: Discovery,
    pub deploys: Deploys,
    pub tasks: Tasks,
    pub heartbeat: Heartbeat,
    pub snapshot: Snapshot,
    pub log: Log,
}

/// `[http]`: the one listener for questions, commands and HTTP intakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// On another address than a loopback one it is HTTPS.
    pub listen: SocketAddr,
    pub connections_max: usize,
    /// HTTPS on loopback too; `false` is said of loopback alone.
    pub tls: Option<bool>,
    /// PEM, the collector's own certificate first; with `key` or not at all. Without it HTTPS has a certificate of the embedded CA.
    pub cert: Option<PathBuf>,
    /// PEM, unencrypted.
    pub key: Option<PathBuf>,
    /// The unix socket; `None`: `http.sock` in the data folder.
    pub socket: Option<PathBuf>,
    /// `--no-auth`: who can connect may do everything.
    pub no_auth: bool,
}

/// The two files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Http {
    /// Whether HTTPS is spoken.
    pub fn is_tls(&self) -> bool {
        !self.listen.ip().is_loopback() || self.tls.unwrap_or(self.cert.is_some())
    }

    /// The files of the certificate, where it is not one of the embedded CA.
    pub fn certificate(&self) -> Option<CertificateFiles> {
        let (certificate, key) = (self.cert.clone()?, self.key.clone()?);
        self.is_tls().then_some(CertificateFiles { certificate, key })
    }
}

/// `[agents]`: the QUIC listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Agents {
    pub listen: SocketAddr,
    /// Over how long the agents' next connections are spread when this collector stops.
    pub spread: Duration,
    /// How long after its last arrival a host is silent, which is told.
    pub silent_after: Duration,
    /// The name or address that hosts dial; `None`: found out where it is needed.
    pub advertise: Option<String>,
}

/// `[install]`: what hosts are installed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// The folder of the installer and the packages; need not be there.
    pub packages: PathBuf,
}

/// `[retention]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    pub metrics: Duration,
    pub logs: Duration,
    /// What happened is asked for longer than what was said.
    pub events: Duration,
}

/// `[store]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// How often sealed generations are looked for, merged and dropped.
    pub maintenance_interval: Duration,
}

/// `[query]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub timeout: Duration,
    pub lookback: Duration,
    pub series_max: usize,
    pub samples_max: usize,
    pub running_max: usize,
    pub waiting_max: usize,
}

/// `[runtime]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Runtime {
    /// Threads that serve connections; queries and commits have their own.
    pub workers: usize,
}

/// `[profiles]`: what hosts are set up by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profiles {
    /// A folder of `*.yml`; `None`: [`DEFAULT_PROFILES`] where there is one.
    pub folder: Option<PathBuf>,
}

/// `[discovery]`: what becomes of what hosts newly have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// A file of rules, or a folder of `*.yml`; `None`: [`DEFAULT_DISCOVERY`] where there is one.
    pub rules: Option<PathBuf>,
    /// After how many days what vanished is archived by itself.
    pub gone_days: u32,
}

/// `[deploys]`: what is declared of services, and when nothing may go out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deploys {
    /// A file of its own form; `None`: [`DEFAULT_DEPLOYS`] where there is one.
    pub file: Option<PathBuf>,
}

/// `[tasks]`: orders to hosts. Hosts judge by files of their own; what stands here only tells mistakes earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tasks {
    /// A file of public keys: who signs catalogues, who approves. `None`: nobody's signature is looked at here.
    pub keys: Option<PathBuf>,
    /// Calls to all hosts together within a minute.
    pub calls_a_minute: u32,
    /// How many approvals each order needs.
    pub approvals: u8,
}

/// `[heartbeat]`: signs of life for a service outside that tells people when they stay away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Asked for (GET) while alerts would reach people; empty: no signs are given.
    pub url: String,
    /// Asked for while they would not; empty: then there is silence, which the service notices later.
    pub fail_url: String,
    pub interval: Duration,
}

/// `[snapshot]`: copies of everything that the collector keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Where they lie; `None`: `muster-snapshots` beside the data folder.
    pub folder: Option<PathBuf>,
    /// The file with the key for the CA's private key.
    pub key_file: Option<PathBuf>,
    /// How often one is made by itself; zero: never.
    pub every: Duration,
    /// How many are kept in the folder.
    pub keep: usize,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// A level, or what `tracing`'s filters take: `info,muster_ingest=debug`.
    pub level: String,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            data: PathBuf::from("/var/lib/muster-collector"),
            http: Http {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9470)),
                connections_max: 512,
                tls: None,
                cert: None,
                key: None,
                socket: None,
                no_auth: false,
            },
            agents: Agents {
                listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9471)),
                spread: Duration::from_secs(30),
                silent_after: Duration::from_secs(60),
                advertise: None,
            },
            install: Install { packages: PathBuf::from("/usr/share/muster/agent") },
            retention: Retention { metrics: 90 * DAY, logs: 30 * DAY, events: 730 * DAY },
            store: Store { maintenance_interval: Duration::from_secs(1) },
            query: Query {
                timeout: Duration::from_secs(120),
                lookback: Duration::from_secs(300),
                series_max: 500_000,
                samples_max: 50_000_000,
                running_max: 2,
                waiting_max: 128,
            },
            runtime: Runtime { workers: 2 },
            profiles: Profiles::default(),
            discovery: Discovery { rules: None, gone_days: 7 },
            deploys: Deploys::default(),
            tasks: Tasks { keys: None, calls_a_minute: 600, approvals: 1 },
            heartbeat: Heartbeat { url: String::new(), fail_url: String::new(), interval: Duration::from_secs(60) },
            snapshot: Snapshot { folder: None, key_file: None, every: Duration::ZERO, keep: 7 },
            log: Log { level: "info".to_owned() },
        }
    }
}
