//! How many connections, handshakes and enrolments are let in. Pure; limits are per certificate, since many hosts may stand
//! behind one address.

use std::collections::HashMap;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time::Timestamp;

/// Bounds of the listener.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Open connections in all: each costs about 40 KB.
    pub connections_max: usize,
    /// Handshakes under way; more wait in the endpoint's own bounded queue or are refused.
    pub handshakes_max: usize,
    /// From this many handshakes under way on, a client must first show that its address is real.
    pub retry_from: usize,
    /// Open connections of one certificate: the one that works, one that takes over, and room for a flapping network.
    pub per_host_max: u32,
    /// Connections that one certificate may make in a row, and how soon it may make one more.
    pub per_host_burst: u32,
    pub per_host_every: Duration,
    /// Connections without a certificate at once.
    pub enrolling_max: u32,
    /// Those that may come in a row, and how soon one more.
    pub enrolling_burst: u32,
    pub enrolling_every: Duration,
    pub handshake_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            handshakes_max: 1_024,
            retry_from: 128,
            per_host_max: 4,
            per_host_burst: 10,
            per_host_every: Duration::from_secs(2),
            enrolling_max: 64,
            enrolling_burst: 200,
            enrolling_every: Duration::from_millis(50),
            handshake_timeout: Duration::from_secs(5),
        }
    }
}

/// A bucket that fills with time: whole connections, and the rest of a span towards the next.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u32,
    since: Timestamp,
}

impl Bucket {
    fn full(burst: u32, now: Timestamp) -> Self {
        Self { left: burst, since: now }
    }

    /// Takes one, or says how long to wait for it.
    fn take(&mut self, burst: u32, every: Duration, now: Timestamp) -> Result<(), Duration> {
        let every_ms = every.as_millis().max(1);
        let gained = now.since(self.since).as_millis() / every_ms;
        let gained = u32::try_from(gained).unwrap_or(u32::MAX).min(burst);
        if gained > 0 {
            self.left = self.left.saturating_add(gained).min(burst);
            self.since = now;
        }
        if self.left == 0 {
            return Err(every);
        }
        self.left -= 1;
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct OfHost {
    open: u32,
    bucket: Bucket,
}

/// Who is connected. One for the listener.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    hosts: HashMap<HostId, OfHost>,
    enrolling: u32,
    enrolling_bucket: Bucket,
}

/// Why a connection is not let in now, and when to try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    #[error("this certificate has {open} connections open already")]
    Open { open: u32 },
    #[error("this certificate connects too often")]
    Often { wait: Duration },
    #[error("too many hosts enrol at once")]
    Enrolling { wait: Duration },
}

impl TooMany {
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Open { .. } => Duration::from_secs(10),
            Self::Often { wait } | Self::Enrolling { wait } => *wait,
        }
    }
}

/// Hosts whose bucket is remembered while nothing of them is open; beyond it the full ones are forgotten.
const REMEMBERED_MAX: usize = 50_000;

impl Connections {
    pub fn new(limits: ConnectionLimits, now: Timestamp) -> Self {
        let enrolling_bucket = Bucket::full(limits.enrolling_burst, now);
        Self { limits, hosts: HashMap::new(), enrolling: 0, enrolling_bucket }
    }

    /// A connection with this host's certificate.
    ///
    /// # Errors
    /// [`TooMany`]; then [`Connections::closed`] must not be called for it.
    pub fn open(&mut self, host: HostId, now: Timestamp) -> Result<(), TooMany> {
        let limits = self.limits;
        if self.hosts.len() >= REMEMBERED_MAX && !self.hosts.contains_key(&host) {
            self.hosts.retain(|_, one| one.open > 0);
        }
        let fresh = OfHost { open: 0, bucket: Bucket::full(limits.per_host_burst, now) };
        let one = self.hosts.entry(host).or_insert(fresh);
        if one.open >= limits.per_host_max {
            return Err(TooMany::Open { open: one.open });
        }
        let taken = one.bucket.take(limits.per_host_burst, limits.per_host_every, now);
        taken.map_err(|wait| TooMany::Often { wait })?;
        one.open += 1;
        Ok(())
    }

    pub fn closed(&mut self, host: HostId) {
        if let Some(one) = self.hosts.get_mut(&host) {
            one.open = one.open.saturating_sub(1);
        }
    }

    /// A connection without a certificate.
    ///
    /// # Errors
    /// [`TooMany`]; then [`Connections::enrol_closed`] must not be called for it.
    pub fn enrol(&mut self, now: Timestamp) -> Result<(), TooMany> {
        let limits = self.limits;
        if self.enrolling >= limits.enrolling_max {
            return Err(TooMany::Enrolling { wait: Duration::from_secs(5) });
        }
        let taken = self.enrolling_bucket.take(limits.enrolling_burst, limits.enrolling_every, now);
        taken.map_err(|wait| TooMany::Enrolling { wait })?;
        self.enrolling += 1;
        Ok(())
    }

    pub fn enrol_closed(&mut self) {
        self.enrolling = self.enrolling.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: HostId = HostId([1; 16]);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_certificate_has_few_connections_and_makes_them_slowly() {
        let limits = ConnectionLimits { per_host_max: 2, per_host_burst: 3, ..ConnectionLimits::default() };
        let mut connections = Connections::new(limits, at(0));
        assert_eq!(connections.open(HOST, at(0)), Ok(()));
        assert_eq!(connections.open(HOST, at(0)), Ok(()));
        assert_eq!(connections.open(HOST, at(0)), Err(TooMany::Open { open: 2 }));
        connections.closed(HOST);
        assert_eq!(connections.open(HOST, at(0)), Ok(()));
        connections.closed(HOST);
        assert_eq!(connections.open(HOST, at(1)), Err(TooMany::Often { wait: Duration::from_secs(2) }));
        assert_eq!(connections.open(HostId([2; 16]), at(1)), Ok(()), "others do not notice");
        assert_eq!(connections.open(HOST, at(2)), Ok(()));
    }

    #[test]
    fn enrolments_are_few_at_once_and_in_a_row() {
        let limits = ConnectionLimits { enrolling_max: 1, enrolling_burst: 2, ..ConnectionLimits::default() };
        let mut connections = Connections::new(limits, at(0));
        assert_eq!(connections.enrol(at(0)), Ok(()));
        assert!(connections.enrol(at(0)).is_err());
        connections.enrol_closed();
        assert_eq!(connections.enrol(at(0)), Ok(()));
        connections.enrol_closed();
        assert!(connections.enrol(at(0)).is_err());
        assert_eq!(connections.enrol(at(1)), Ok(()));
    }
}
