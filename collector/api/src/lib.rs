//! Every question and command that comes over HTTP: Prometheus' and Loki's query APIs, Alertmanager's, Muster's own, and the administrator's routes.
//!
//! An edge that depends downwards only (store, query, fleet, alert). What other edges and the wiring know (who is connected, how to
//! reload, how the disk is) comes as closures in [`Hooks`]. Five dialects, each in its folder: they differ in shapes and in how an error is said, never
//! in what is true. None imports another, except that our own shows silences and lines live in the shape of the dialect that lists them.

mod admin;
mod alertmanager;
mod auth;
mod cookie;
mod error;
mod form;
mod gaps;
mod install;
mod json;
mod live;
mod login_limit;
mod logins;
mod loki;
mod muster;
mod places;
mod pool;
mod prometheus;
mod remembered;
mod route;
mod state;
mod strip;
mod tails;
mod work;

pub use auth::{OverTls, PeerGrant, protect};
pub use error::{ApiError, Dialect, ErrorKind};
pub use install::{Install, is_host};
pub use live::{Live, run as run_live};
pub use logins::Logins;
pub use muster::verify_deploys;
pub use muster_fleet::Scope;
pub use pool::{PoolSettings, QueryPool};
pub use remembered::{REMEMBERED_FOR, Remembered};
pub use route::{Route, router, routes};
pub use state::{
    Access, Counts, Health, Hooks, HostPresence, Https, MakeSnapshot, OwnFindings, Problem, SnapshotAsk, SnapshotEnd,
    SnapshotProgress, SnapshotRow, SnapshotsView, State,
};
pub use strip::Strips;
pub use tails::Tails;

/// The OpenAPI document of Muster's own API, as `/api/muster/v1/openapi.yaml` serves it.
pub const OPENAPI: &str = include_str!("../openapi.yaml");

#[cfg(test)]
mod tests;
