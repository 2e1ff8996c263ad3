//! Why the collector did not start, with the place and what to do about it.

use std::io;
use std::net::SocketAddr;

use muster_fleet::FleetError;
use muster_ingest::IngestError;
use muster_store::OpenError;

/// Why [`crate::Collector::start`] failed. The causes below a text say more; [`chain`] prints all in one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "the data folder `{path}` cannot be used: let user muster-collector own it, or name another with --data DIR"
    )]
    Data {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{other} uses the data folder `{path}`: stop it, or give this one another folder with --data DIR")]
    Locked { path: String, other: String },
    #[error("failed to listen for HTTP on {address}: stop what listens there, or choose another with --http ADDR:PORT")]
    Http {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error(
        "the unix socket `{path}` cannot be listened on: name another path by http.socket, in a folder that is the collector's own"
    )]
    Socket {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("HTTPS cannot be spoken: {0}")]
    Tls(String),
    #[error(
        "the store in `{path}` cannot be opened: see the cause; user muster-collector must own the folder, and a damaged one is restored from a snapshot"
    )]
    Store {
        path: String,
        #[source]
        source: Box<OpenError>,
    },
    #[error(
        "the registry in `{path}` cannot be opened: see the cause; user muster-collector must own the folder, and a damaged one is restored from a snapshot"
    )]
    Fleet {
        path: String,
        #[source]
        source: Box<FleetError>,
    },
    #[error(
        "a restore into `{path}` has begun and not ended: repeat `muster-collector restore` into the same folder, which begins it anew"
    )]
    HalfRestored { path: String },
    #[error(
        "this version changes the formats of the data folder `{path}`, and the snapshot that it makes before could not be made: see the cause, or start the version before"
    )]
    Step {
        path: String,
        #[source]
        source: Box<crate::snapshot::SnapshotError>,
    },
    #[error("failed to remove `{path}`, which marks the data folder as restored: remove it by hand")]
    Restored {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the administrator's token cannot be written to `{path}`: let user muster-collector write there")]
    AdminToken {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("rules and routing cannot be put in force:\n{}", .0.join("\n"))]
    Alerting(Vec<String>),
    #[error(
        "alerting cannot start: see the cause; a damaged state.redb is restored with the whole data folder from a snapshot"
    )]
    AlertingState(#[source] Box<muster_alert::alerting::AlertingError>),
    #[error("agents cannot be listened for on {address}: choose another address with --agents ADDR:PORT")]
    Ingest {
        address: SocketAddr,
        #[source]
        source: Box<IngestError>,
    },
    #[error("the system's random generator, /dev/urandom, cannot be read: give the collector a /dev with it")]
    Random {
        #[source]
        source: io::Error,
    },
    #[error(
        "a part of the collector ended in a panic while it started: report it with the log above, which says where, and start again"
    )]
    Panic,
}

/// An error and all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
