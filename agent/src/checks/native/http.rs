//! An HTTP or HTTPS address: status, time, a text in the body, and how long the certificate is valid.

mod answer;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::check::CheckState;
use muster_common::identity::certificate;
use muster_common::time::{self, Timestamp};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::keys::{Form, Key, KeyError, Keys, key};
use super::reading::{Limits, Reading, Unit, at_least, outcome};
use super::tcp::{connect, no_answer, resolve};
use super::tls::{Authorities, unverified, with_file};
use super::{Ask, Asked, CRIT, Moment, Net, Probe, Touch, WARN};
use crate::checks::outcome::Outcome;
use crate::fence::Fence;
use answer::Answer;
use wire::Wire;

pub(super) const KEYS: &[Key] = &[
    WARN,
    CRIT,
    key("url", Form::Text),
    key("status", Form::Texts),
    key("body", Form::Text),
    key("verify", Form::Flag),
    key("ca_file", Form::Path),
    key("certificate_warn", Form::Range),
    key("certificate_crit", Form::Range),
];
const DAY_SECONDS: f64 = 86_400.0;

struct Http {
    url: Url,
    limits: Limits,
    /// Empty: any below 400.
    statuses: Vec<u16>,
    body: Option<String>,
    authorities: Authorities,
    certificate_days: Limits,
}

#[derive(Clone, Debug, PartialEq)]
struct Url {
    is_tls: bool,
    /// Without brackets.
    host: String,
    port: u16,
    /// As the Host header has it.
    authority: String,
    target: String,
}

pub(super) fn build(keys: &Keys, _: &Path) -> Result<Probe, KeyError> {
    let written = keys.required("url", "https://www.example.org/health")?;
    let url = parse_url(written).ok_or_else(|| {
        let remedy = "write http or https, a host, and what else is needed, such as \"https://www.example.org/health\"";
        KeyError::new("url", format!("`{written}` is no address of http or https"), remedy)
    })?;
    let mut statuses = Vec::new();
    for status in keys.texts("status") {
        let number = status.parse().ok().filter(|number| (100..600).contains(number));
        let wrong =
            || KeyError::new("status", format!("`{status}` is no status"), "write a list, such as [\"200\", \"301\"]");
        statuses.push(number.ok_or_else(wrong)?);
    }
    let authorities = match (keys.text("ca_file"), keys.flag("verify").unwrap_or(true)) {
        (Some(_), false) => {
            return Err(KeyError::new("ca_file", "verifies nothing beside `verify = false`", "remove one of the two"));
        }
        (Some(file), true) => Authorities::File(PathBuf::from(file)),
        (None, true) => Authorities::System,
        (None, false) => Authorities::Any,
    };
    let set = Limits { warn: keys.range("certificate_warn"), crit: keys.range("certificate_crit") };
    let days = Limits { warn: Some(at_least(14.0)), crit: Some(at_least(7.0)) };
    Ok(Probe::Ask(Arc::new(Http {
        url,
        limits: Limits::of(keys, Limits::default()),
        statuses,
        body: keys.text("body").map(str::to_owned),
        authorities,
        certificate_days: if set == Limits::default() { days } else { set },
    })))
}

pub(super) fn touches(keys: &Keys) -> Vec<Touch> {
    let host = |url: Url| Touch::Host { key: "url", host: url.host, port: url.port };
    let url = keys.text("url").and_then(parse_url).map(host);
    let file = keys.text("ca_file").map(|path| Touch::File { key: "ca_file", path: PathBuf::from(path) });
    url.into_iter().chain(file).collect()
}

fn parse_url(text: &str) -> Option<Url> {
    let (is_tls, rest) = match text.split_once("://")? {
        ("http", rest) => (false, rest),
        ("https", rest) => (true, rest),
        _ => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let target = target.split('#').next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[') {
        Some(six) => {
            let (host, after) = six.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None if is_tls => 443,
        None => 80,
    };
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'@';
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let is_good =
        !host.is_empty() && authority.bytes().all(plain) && target.bytes().all(|byte| byte.is_ascii_graphic());
    is_good.then(|| Url { is_tls, host: host.to_owned(), port, authority: authority.to_owned(), target })
}

/// An answer with what else was seen.
struct Seen {
    answer: Answer,
    seconds: f64,
    /// The end of the server's own certificate.
    valid_until: Option<Timestamp>,
}

impl Ask for Http {
    fn ask<'a>(&'a self, net: &'a Net, moment: Moment) -> Asked<'a> {
        Box::pin(async move {
            let place = format!("{}{}", self.url.authority, self.url.target);
            let failed =
                |text: String| Ok(Outcome::line(CheckState::Critical, format!("HTTP CRITICAL - {place} {text}")));
            let addresses = resolve(&self.url.host, self.url.port);
            let asked = async {
                let addresses = addresses.await.map_err(Failure::Unknown)?;
                self.exchange(net, &moment, &addresses).await
            };
            match tokio::time::timeout(moment.limit, asked).await {
                Ok(Ok(seen)) => Ok(self.judge(&place, seen, moment.now)),
                Ok(Err(Failure::Critical(text))) => failed(text),
                Ok(Err(Failure::Unknown(text))) => Err(text),
                Err(_) => failed(no_answer(moment.limit)),
            }
        })
    }
}

/// Why there is no answer: the server's fault, or ours.
enum Failure {
    Critical(String),
    Unknown(String),
}

impl Http {
    async fn exchange(&self, net: &Net, moment: &Moment, addresses: &[std::net::SocketAddr]) -> Result<Seen, Failure> {
        let begun = time::monotonic();
        let critical = |what: &str, error: &std::io::Error| Failure::Critical(format!("{what}: {error}"));
        let fence = moment.fence.as_deref();
        let tls =
            if self.url.is_tls { Some(self.tls(net, moment.now, fence).map_err(Failure::Unknown)?) } else { None };
        let stream = connect(addresses).await.map_err(|error| critical("takes no connection", &error))?;
        let mut wire = Wire::new(stream, tls);
        wire.handshake().await.map_err(|error| critical("has no TLS that can be trusted", &error))?;
        let valid_until = wire.certificate().and_then(|der| certificate::read(der).ok()).map(|facts| facts.not_after);
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: muster-agent/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            self.url.target,
            self.url.authority,
            env!("CARGO_PKG_VERSION")
        );
        wire.write(request.as_bytes()).await.map_err(|error| critical("takes no request", &error))?;
        let answer = answer::read(&mut wire).await.map_err(|error| critical("gives no whole answer", &error))?;
        Ok(Seen { answer, seconds: (time::monotonic() - begun).as_secs_f64(), valid_until })
    }

    fn tls(&self, net: &Net, now: Timestamp, fence: Option<&Fence>) -> Result<ClientConnection, String> {
        let config = match &self.authorities {
            Authorities::System => net.tls.system(now)?,
            Authorities::File(path) => with_file(path, fence)?,
            Authorities::Any => unverified()?,
        };
        let name = ServerName::try_from(self.url.host.clone())
            .map_err(|_| format!("`{}` is no name that a certificate can have", self.url.host))?;
        ClientConnection::new(config, name).map_err(|error| format!("TLS cannot be set up: {error}"))
    }

    fn judge(&self, place: &str, seen: Seen, now: Timestamp) -> Outcome {
        let Seen { answer, seconds, valid_until } = seen;
        let status = answer.status;
        let has_status = if self.statuses.is_empty() { status < 400 } else { self.statuses.contains(&status) };
        let lacks_text =
            self.body.as_ref().filter(|text| memchr::memmem::find(&answer.body, text.as_bytes()).is_none());
        let words = format!("{place} status {status} in {}", Unit::Seconds.show(seconds));
        let mut readings = vec![
            Reading::new("time", seconds, Unit::Seconds, self.limits, words),
            Reading::new("size", answer.body.len() as f64, Unit::Bytes, Limits::default(), ""),
        ];
        if let Some(end) = valid_until {
            let days = (end.millis() - now.millis()) as f64 / 1e3 / DAY_SECONDS;
            let words = format!("certificate valid for {}", Unit::Days.show(days));
            let reading = Reading::new("certificate", days, Unit::Days, self.certificate_days, words);
            readings.push(Reading { bounds: (None, None), ..reading });
        }
        let judged = outcome("HTTP", readings);
        let failure = match (has_status, lacks_text) {
            (false, _) => format!("{place} status {status} {}", answer.reason),
            (true, Some(text)) => format!("{place} status {status}, but its body lacks `{text}`"),
            (true, None) => return judged,
        };
        let output = format!("HTTP CRITICAL - {}", failure.trim_end());
        Outcome { state: CheckState::Critical, output, long_output: judged.output, perfdata: judged.perfdata }
    }
}

#[cfg(test)]
mod tests;
