//! The served installer: its files, without a token, and the one command for a host that fetches them.
//!
//! Whoever can connect may fetch them, since a host that is to be enrolled has nothing yet; they hold no secret. The command carries what
//! the host needs to know that they are the collector's: the CA, the pin of its key, and the hash of the script.

mod address;
mod command;
mod files;

use std::path::PathBuf;
use std::sync::Arc;

use axum::routing::get;
use tokio::sync::Semaphore;

use crate::error::Dialect;
use crate::route::{READ, Route};

pub use address::is_host;
pub(crate) use command::{Asked, for_token};

/// Files that are sent at a time; the next wait. Each has one piece in memory.
const SENDING_MAX: usize = 32;

/// Where the packages lie, and how hosts reach this collector.
pub struct Install {
    /// `[install] packages`.
    pub packages: PathBuf,
    /// `[agents] advertise`: the name or address that hosts dial.
    pub advertise: Option<String>,
    /// The machine's own name.
    pub machine: String,
    sending: Arc<Semaphore>,
}

impl Install {
    pub fn new(packages: PathBuf, advertise: Option<String>, machine: String) -> Self {
        Self { packages, advertise, machine, sending: Arc::new(Semaphore::new(SENDING_MAX)) }
    }
}

pub(crate) const ROUTES: &[Route] = &[Route {
    path: "/install/{*file}",
    methods: READ,
    scope: None,
    dialect: Dialect::Plain,
    handler: || get(files::send),
}];
