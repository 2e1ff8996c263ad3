//! What native checks cost, in a process that does nothing else.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use anyhow::Result;
use muster_agent::checks::measure::{Cost, measure, natives};

/// As many as the figure has, each every 2 s instead of every minute, so that a short time has many runs.
const CHECKS: usize = 100;
const INTERVAL: Duration = Duration::from_secs(2);

/// Runs them for this long. The port that they look at is this process's own; who accepts there is part of what is counted.
///
/// # Errors
/// When there is no port, or the checks cannot be run.
pub fn native_cost(span: Duration) -> Result<Cost> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    // It ends with the process: nothing wakes it once the checks are over.
    std::thread::Builder::new().name("taker".into()).spawn(move || while listener.accept().is_ok() {})?;
    Ok(measure(natives(CHECKS, INTERVAL, port), span)?)
}
