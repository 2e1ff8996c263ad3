//! A TCP port of any host: whether it takes a connection, and how soon.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::check::CheckState;
use muster_common::time;
use tokio::net::TcpStream;

use super::keys::{KeyError, Keys};
use super::reading::{Limits, Reading, Unit, outcome};
use super::{Ask, Asked, Moment, Net, Probe, Touch};
use crate::checks::outcome::Outcome;

struct Tcp {
    host: String,
    port: u16,
    limits: Limits,
}

pub(super) fn build(keys: &Keys, _: &Path) -> Result<Probe, KeyError> {
    let host = keys.required("host", "db.example.org")?.to_owned();
    let port = keys.port("port").ok_or_else(|| KeyError::new("port", "is missing", "write `port = 5432`"))?;
    Ok(Probe::Ask(Arc::new(Tcp { host, port, limits: Limits::of(keys, Limits::default()) })))
}

pub(super) fn touches(keys: &Keys) -> Vec<Touch> {
    let (Some(host), Some(port)) = (keys.text("host"), keys.port("port")) else { return Vec::new() };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    vec![Touch::Host { key: "host", host, port }]
}

impl Ask for Tcp {
    fn ask<'a>(&'a self, _: &'a Net, moment: Moment) -> Asked<'a> {
        Box::pin(async move {
            let begun = time::monotonic();
            let place = format!("{}:{}", self.host, self.port);
            let connected = tokio::time::timeout(moment.limit, async {
                let addresses = resolve(&self.host, self.port).await?;
                Ok::<_, String>(connect(&addresses).await)
            });
            let failed =
                |text: String| Ok(Outcome::line(CheckState::Critical, format!("TCP CRITICAL - {place} {text}")));
            match connected.await {
                Ok(Ok(Ok(_))) => {}
                Ok(Ok(Err(error))) => return failed(format!("takes no connection: {error}")),
                Ok(Err(unresolved)) => return Err(unresolved),
                Err(_) => return failed(no_answer(moment.limit)),
            }
            let seconds = (time::monotonic() - begun).as_secs_f64();
            let words = format!("{place} connected in {}", Unit::Seconds.show(seconds));
            Ok(outcome("TCP", vec![Reading::new("time", seconds, Unit::Seconds, self.limits, words)]))
        })
    }
}

pub(super) fn no_answer(limit: Duration) -> String {
    format!("gave no answer within {}", Unit::Seconds.show(limit.as_secs_f64()))
}

/// All addresses of a host.
///
/// # Errors
/// Why there is none, with what to do.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = tokio::net::lookup_host((host.trim_start_matches('[').trim_end_matches(']'), port)).await;
    let addresses: Vec<SocketAddr> = found
        .map_err(|error| format!("{host} has no address ({error}): check the name, and this host's DNS"))?
        .collect();
    if addresses.is_empty() { Err(format!("{host} has no address: check the name")) } else { Ok(addresses) }
}

/// The first address that takes a connection; else the first one's error.
pub(super) async fn connect(addresses: &[SocketAddr]) -> std::io::Result<TcpStream> {
    let mut first = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| std::io::Error::from(std::io::ErrorKind::AddrNotAvailable)))
}
