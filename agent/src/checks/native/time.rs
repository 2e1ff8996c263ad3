//! The host's clock: whether the kernel holds it for synchronised, or how far it is from a time server's (SNTP, RFC 4330).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::check::CheckState;
use muster_common::range::Range;
use muster_common::time::{self, Timestamp};
use tokio::net::UdpSocket;

use super::keys::{KeyError, Keys};
use super::reading::{Limits, Reading, Unit, outcome};
use super::tcp::{no_answer, resolve};
use super::{Ask, Asked, Host, Look, Moment, Net, Probe, Touch};
use crate::checks::outcome::Outcome;
use crate::sources::clock_state;

const NTP_PORT: u16 = 123;
const PACKET_BYTES: usize = 48;
/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX_SECONDS: i64 = 2_208_988_800;
/// A datagram may be lost: asked again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

const fn either_way(seconds: f64) -> Range {
    Range { from: -seconds, to: seconds, inside: false }
}

struct Kernel {
    limits: Limits,
}

struct Server {
    host: String,
    port: u16,
    limits: Limits,
}

pub(super) fn build(keys: &Keys, _: &Path) -> Result<Probe, KeyError> {
    // Kerberos gives up at 5 min, logs of two hosts cannot be laid side by side at half a second.
    let limits = Limits::of(keys, Limits { warn: Some(either_way(0.5)), crit: Some(either_way(5.0)) });
    let Some(server) = keys.text("server") else { return Ok(Probe::Look(Box::new(Kernel { limits }))) };
    let wrong =
        || KeyError::new("server", format!("`{server}` is no time server"), "write \"pool.ntp.org\" or \"HOST:PORT\"");
    let (host, port) = parse_server(server).ok_or_else(wrong)?;
    Ok(Probe::Ask(Arc::new(Server { host: host.to_owned(), port, limits })))
}

/// Host and port.
fn parse_server(server: &str) -> Option<(&str, u16)> {
    let is_six = server.matches(':').count() > 1 && !server.starts_with('[');
    let (host, port) = match server.rsplit_once(':').filter(|_| !is_six && !server.ends_with(']')) {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)),
        None => (server, Some(NTP_PORT)),
    };
    Some((host, port.filter(|_| !host.is_empty())?))
}

pub(super) fn touches(keys: &Keys) -> Vec<Touch> {
    let server = keys.text("server").and_then(parse_server);
    let touch = |(host, port): (&str, u16)| {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Touch::Host { key: "server", host, port }
    };
    server.map(touch).into_iter().collect()
}

impl Look for Kernel {
    fn look(&mut self, _: &mut Host) -> Result<Outcome, String> {
        let clock = clock_state().map_err(|error| error.to_string())?;
        let words = format!("the kernel's offset is {}", Unit::Seconds.show(clock.offset_seconds));
        let mut readings = vec![
            signed("offset", clock.offset_seconds, self.limits, words),
            Reading::new("max_error", clock.max_error_seconds, Unit::Seconds, Limits::default(), ""),
        ];
        if clock.is_synchronised {
            return Ok(outcome("TIME", readings));
        }
        readings.iter_mut().for_each(|reading| reading.limits = Limits::default());
        let perfdata = outcome("TIME", readings).perfdata;
        let text = "TIME WARNING - the kernel holds its clock for not synchronised: start chrony or systemd-timesyncd, or name a `server` to compare with";
        Ok(Outcome { perfdata, ..Outcome::line(CheckState::Warning, text) })
    }
}

fn signed(label: &str, value: f64, limits: Limits, words: String) -> Reading {
    Reading { bounds: (None, None), ..Reading::new(label, value, Unit::Seconds, limits, words) }
}

impl Ask for Server {
    fn ask<'a>(&'a self, _: &'a Net, moment: Moment) -> Asked<'a> {
        Box::pin(async move {
            match tokio::time::timeout(moment.limit, self.offset(moment.now)).await {
                Ok(Ok((offset, delay))) => {
                    let words = format!("{} from {}", Unit::Seconds.show(offset), self.host);
                    let delay = Reading::new("delay", delay, Unit::Seconds, Limits::default(), "");
                    Ok(outcome("TIME", vec![signed("offset", offset, self.limits, words), delay]))
                }
                Ok(Err(problem)) => Err(problem),
                Err(_) => Err(format!("{}:{} {}", self.host, self.port, no_answer(moment.limit))),
            }
        })
    }
}

impl Server {
    /// This clock minus the server's, and the way there and back, in seconds.
    async fn offset(&self, now: Timestamp) -> Result<(f64, f64), String> {
        let begun = time::monotonic();
        let addresses = resolve(&self.host, self.port).await?;
        let Some(address) = addresses.first() else { return Err(format!("{} has no address", self.host)) };
        let failed = |error: std::io::Error| format!("{address} cannot be asked: {error}");
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await.map_err(failed)?;
        socket.connect(address).await.map_err(failed)?;
        loop {
            let sent = now.plus(time::monotonic() - begun);
            socket.send(&request(sent)).await.map_err(failed)?;
            let mut packet = [0; PACKET_BYTES];
            let answered = async {
                loop {
                    let length = socket.recv(&mut packet).await.map_err(failed)?;
                    let received = now.plus(time::monotonic() - begun);
                    // What answers another question is passed over.
                    if let Some(answer) = read_answer(&packet[..length], sent, received) {
                        return answer;
                    }
                }
            };
            if let Ok(answer) = tokio::time::timeout(AGAIN_AFTER, answered).await {
                return answer;
            }
        }
    }
}

/// Version 4, client; the transmit time is what the answer repeats.
fn request(sent: Timestamp) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    packet[0] = 0x23;
    packet[40..].copy_from_slice(&to_ntp(sent));
    packet
}

/// `None`: no answer to what was sent then.
fn read_answer(packet: &[u8], sent: Timestamp, received: Timestamp) -> Option<Result<(f64, f64), String>> {
    let packet: &[u8; PACKET_BYTES] = packet.try_into().ok()?;
    let (mode, leap, stratum) = (packet[0] & 7, packet[0] >> 6, packet[1]);
    if mode != 4 || packet[24..32] != to_ntp(sent) {
        return None;
    }
    if stratum == 0 || leap == 3 {
        return Some(Err(
            "the time server is not synchronised itself, or asks to be left alone: name another".to_owned()
        ));
    }
    let (arrived, left) = (from_ntp(&packet[32..40]), from_ntp(&packet[40..48]));
    let seconds = |nanos: i128| nanos as f64 / 1e9;
    let (sent, received) = (i128::from(sent.nanos()), i128::from(received.nanos()));
    let delay = seconds((received - sent) - (left - arrived));
    Some(Ok((seconds((sent - arrived) + (received - left)) / 2.0, delay)))
}

fn to_ntp(at: Timestamp) -> [u8; 8] {
    let seconds = at.nanos().div_euclid(1_000_000_000) + NTP_TO_UNIX_SECONDS;
    let fraction = (at.nanos().rem_euclid(1_000_000_000) << 32) / 1_000_000_000;
    // Eras follow each other every 2^32 s: the low half is what goes over the wire.
    (((seconds as u64) << 32) | fraction as u64).to_be_bytes()
}

/// Nanoseconds since 1970, of the era that began in 1900, or from 2036 of the next.
fn from_ntp(bytes: &[u8]) -> i128 {
    let number = bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let seconds = i128::from(number >> 32);
    let era = if seconds & 0x8000_0000 == 0 { 1i128 << 32 } else { 0 };
    let nanos = (i128::from(number & 0xffff_ffff) * 1_000_000_000) >> 32;
    (seconds + era - i128::from(NTP_TO_UNIX_SECONDS)) * 1_000_000_000 + nanos
}

#[cfg(test)]
mod tests;
