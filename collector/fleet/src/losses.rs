//! Losses as events: gaps that agents name and log lines that were gone before they could be read. Each host has a bound, since a host
//! that loses without end must not push out what else happened.

use std::collections::HashMap;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time::Timestamp;

use crate::fleet::Fleet;
use crate::outbox::{Event, EventKind};
use crate::rows::cut;

/// Losses of one host within this time are one event: the first is told at once, those after it together.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Gaps of one host that are events within an hour; the others stand in table `gaps` alone.
const GAPS_AN_HOUR: u32 = 100;
const HOUR_MS: i64 = 3_600_000;

/// What is kept of losses between events.
#[derive(Default)]
pub(crate) struct Losses {
    logs: HashMap<HostId, LogLoss>,
    gaps: HashMap<HostId, GapBudget>,
    /// Gaps that became no event.
    pub(crate) gaps_untold: u64,
}

struct LogLoss {
    told: Timestamp,
    waiting: Option<Sum>,
}

/// Losses that wait to be told together.
struct Sum {
    path: String,
    reason: String,
    bytes: u64,
    count: u64,
}

struct GapBudget {
    since_ms: i64,
    told: u32,
}

impl Losses {
    /// Takes a loss; gives what is to be told of it now.
    fn add(&mut self, host: HostId, path: &str, bytes: u64, reason: &str, now: Timestamp) -> Option<Sum> {
        let sum = || Sum { path: cut(path), reason: cut(reason), bytes, count: 1 };
        let Some(loss) = self.logs.get_mut(&host) else {
            self.logs.insert(host, LogLoss { told: now, waiting: None });
            return Some(sum());
        };
        match &mut loss.waiting {
            Some(waiting) => {
                waiting.bytes = waiting.bytes.saturating_add(bytes);
                waiting.count += 1;
                None
            }
            None if now.since(loss.told) < TOLD_EVERY => {
                loss.waiting = Some(sum());
                None
            }
            None => {
                loss.told = now;
                Some(sum())
            }
        }
    }

    /// What has waited long enough. Hosts that lose nothing any more are forgotten.
    fn due(&mut self, now: Timestamp) -> Vec<(HostId, Sum)> {
        let mut due = Vec::new();
        self.logs.retain(|host, loss| {
            if now.since(loss.told) < TOLD_EVERY {
                return true;
            }
            let waiting = loss.waiting.take();
            loss.told = now;
            let keeps = waiting.is_some();
            due.extend(waiting.map(|sum| (*host, sum)));
            keeps
        });
        due.sort_by_key(|(host, _)| *host);
        due
    }

    /// Whether a gap of this host that was reported then becomes an event.
    pub(crate) fn tells_gap(&mut self, host: HostId, arrived_ms: i64) -> bool {
        let budget = self.gaps.entry(host).or_insert(GapBudget { since_ms: arrived_ms, told: 0 });
        if arrived_ms.abs_diff(budget.since_ms) >= HOUR_MS.unsigned_abs() {
            *budget = GapBudget { since_ms: arrived_ms, told: 0 };
        }
        budget.told += 1;
        let tells = budget.told <= GAPS_AN_HOUR;
        self.gaps_untold += u64::from(!tells);
        tells
    }

    pub(crate) fn forget(&mut self, hosts: &[HostId]) {
        for host in hosts {
            self.logs.remove(host);
            self.gaps.remove(host);
        }
    }
}

impl Sum {
    fn event(self, host: HostId, name: &str, now: Timestamp) -> Event {
        let Self { path, reason, bytes, count } = self;
        let others = if count > 1 { format!(" and in {} more losses", count - 1) } else { String::new() };
        let text = format!("host `{name}` lost {bytes} bytes of log lines in `{path}`{others}: {reason}");
        let event = Event::new(EventKind::LogLost, "agent", now, text).of(host, name).with("path", path);
        event.with("bytes", bytes.to_string()).with("losses", count.to_string()).with("reason", reason)
    }
}

impl Fleet {
    /// Notes that bytes of a log of a host will never come: an event, at most one a minute for each host, which has the sum of the others.
    /// It blocks on no disk: the event is durable with the next change or call of [`Fleet::flush_events`].
    pub fn note_log_loss(&self, host: HostId, path: &str, bytes: u64, reason: &str, now: Timestamp) {
        let Some(name) = self.memory.read().host(host).map(|row| row.name.clone()) else { return };
        let told = self.losses.lock().add(host, path, bytes, reason, now);
        if let Some(sum) = told {
            self.sightings.lock().tell(sum.event(host, &name, now));
        }
    }

    /// Log losses that have waited long enough become events.
    pub(crate) fn tell_losses(&self, now: Timestamp) {
        let due = self.losses.lock().due(now);
        for (host, sum) in due {
            let name = self.memory.read().host(host).map(|row| row.name.clone()).unwrap_or_default();
            self.sightings.lock().tell(sum.event(host, &name, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, at};

    #[test]
    fn the_first_loss_is_told_at_once_and_the_others_of_a_minute_together() {
        let bench = Bench::new();
        let host = bench.host("web1").id();
        let other = bench.host("web2").id();
        let told = |bench: &Bench| -> Vec<String> {
            let lost = bench.events().into_iter().filter(|event| event.kind == EventKind::LogLost);
            lost.map(|event| event.text).collect()
        };
        bench.fleet.note_log_loss(host, "/var/log/a", 100, "rotated away", at(10));
        bench.fleet.note_log_loss(host, "/var/log/b", 7, "rotated away", at(20));
        bench.fleet.note_log_loss(host, "/var/log/c", 5, "rotated away", at(30));
        bench.fleet.note_log_loss(other, "/var/log/a", 1, "deleted", at(30));
        bench.fleet.note_log_loss(HostId([9; 16]), "/var/log/a", 1, "of no host", at(30));
        bench.fleet.flush_events(at(31)).unwrap();
        let first = "host `web1` lost 100 bytes of log lines in `/var/log/a`: rotated away";
        let second = "host `web2` lost 1 bytes of log lines in `/var/log/a`: deleted";
        assert_eq!(told(&bench), [first, second]);
        bench.fleet.flush_events(at(69)).unwrap();
        assert_eq!(told(&bench).len(), 2);
        bench.fleet.flush_events(at(70)).unwrap();
        let sum = "host `web1` lost 12 bytes of log lines in `/var/log/b` and in 1 more losses: rotated away";
        assert_eq!(told(&bench)[2..], [sum]);
        let bench = bench.reopen();
        assert_eq!(told(&bench).len(), 3, "they are durable");
        let event = &bench.events()[bench.events().len() - 1];
        assert_eq!((event.fields["bytes"].as_str(), event.fields["losses"].as_str()), ("12", "2"));
    }

    #[test]
    fn a_host_that_loses_without_end_has_a_bound_of_events() {
        let mut losses = Losses::default();
        let host = HostId([1; 16]);
        let mut told = 0;
        for second in 0..3_600 {
            told += usize::from(losses.add(host, "/x", 1, "y", at(second)).is_some());
            told += losses.due(at(second)).len();
        }
        assert!((59..=61).contains(&told), "{told}");
        let tells = (0..200).filter(|ms| losses.tells_gap(host, *ms)).count();
        assert_eq!((tells, losses.gaps_untold), (100, 100));
        assert!(losses.tells_gap(host, HOUR_MS) && losses.tells_gap(HostId([2; 16]), 5));
        losses.due(at(8_000));
        losses.due(at(9_000));
        assert!(losses.logs.is_empty());
    }
}
