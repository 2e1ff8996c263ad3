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

/// Everything the collector is told. Times are spans, sizes bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub data: PathBuf,
    pub http: Http,
    pub agents: Agents,
    pub retention: Retention,
    pub store: Store,
    pub query: Query,
    pub runtime: Runtime,
    pub heartbeat: Heartbeat,
    pub log: Log,
}

/// `[http]`: the one listener for questions, commands and HTTP intakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// Loopback only, since this version speaks no TLS on HTTP.
    pub listen: SocketAddr,
    pub connections_max: usize,
    /// `--no-auth`: who can connect may do everything.
    pub no_auth: bool,
}

/// `[agents]`: the QUIC listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Agents {
    pub listen: SocketAddr,
    /// Over how long the agents' next connections are spread when this collector stops.
    pub spread: Duration,
    /// How long after its last arrival a host is silent, which is told.
    pub silent_after: Duration,
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

/// `[heartbeat]`: signs of life for a service outside that tells people when they stay away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Asked for (GET) while alerts would reach people; empty: no signs are given.
    pub url: String,
    /// Asked for while they would not; empty: then there is silence, which the service notices later.
    pub fail_url: String,
    pub interval: Duration,
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
            http: Http { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9470)), connections_max: 512, no_auth: false },
            agents: Agents {
                listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9471)),
                spread: Duration::from_secs(30),
                silent_after: Duration::from_secs(60),
            },
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
            heartbeat: Heartbeat { url: String::new(), fail_url: String::new(), interval: Duration::from_secs(60) },
            log: Log { level: "info".to_owned() },
        }
    }
}
