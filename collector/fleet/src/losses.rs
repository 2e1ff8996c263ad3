//! Losses as events: gaps that agents name, and log lines that were gone before they could be read. Both come from the inbox by the
//! projection alone, a row and its event in one transaction. Each host has a bound of events, since a host that loses without end must not
//! push out what else happened.

use std::collections::HashMap;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_store::{LogLossRecord, ReplayEntry, StateRecord};
use serde::{Deserialize, Serialize};

use crate::by::By;
use crate::outbox::{Event, EventKind};
use crate::rows::{cut, host_id};

/// Losses of one host that are events within an hour; the others stand in their tables alone.
const EVENTS_AN_HOUR: u32 = 100;
const HOUR_MS: i64 = 3_600_000;

/// How much each host has told.
#[derive(Default)]
pub(crate) struct Losses {
    budgets: HashMap<HostId, Budget>,
    /// Losses that became no event.
    pub(crate) untold: u64,
}

struct Budget {
    since_ms: i64,
    told: u32,
}

/// Log lines of a host that will never come: what the ranges of one batch skip for one reason, as table `log_losses` keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLoss {
    #[serde(with = "host_id")]
    pub host: HostId,
    /// The first of its sources.
    pub path: String,
    /// Of all of them.
    pub bytes: u64,
    pub sources: u64,
    pub reason: String,
    /// The lines were written between these, by the collector's clock, milliseconds. `from_ms` 0: nothing tells since when.
    pub from_ms: i64,
    pub to_ms: i64,
}

impl Losses {
    /// Whether what was reported of this host then becomes an event.
    pub(crate) fn tells(&mut self, host: HostId, arrived_ms: i64) -> bool {
        let budget = self.budgets.entry(host).or_insert(Budget { since_ms: arrived_ms, told: 0 });
        if arrived_ms.abs_diff(budget.since_ms) >= HOUR_MS.unsigned_abs() {
            *budget = Budget { since_ms: arrived_ms, told: 0 };
        }
        budget.told += 1;
        let tells = budget.told <= EVENTS_AN_HOUR;
        self.untold += u64::from(!tells);
        tells
    }

    pub(crate) fn forget(&mut self, hosts: &[HostId]) {
        for host in hosts {
            self.budgets.remove(host);
        }
    }
}

impl LogLoss {
    /// Those of an entry, one for each host and reason, in the order of their first sources.
    pub(crate) fn of_entry(entry: &ReplayEntry) -> Vec<Self> {
        let mut losses: Vec<Self> = Vec::new();
        for record in &entry.records {
            let StateRecord::LogLoss(record) = record else { continue };
            let reason = cut(&record.reason);
            match losses.iter_mut().find(|loss| loss.host == record.host && loss.reason == reason) {
                Some(loss) => loss.add(record),
                None => losses.push(Self {
                    host: record.host,
                    path: cut(&record.path),
                    bytes: record.bytes,
                    sources: 1,
                    reason,
                    from_ms: record.from_ms,
                    to_ms: record.arrived_ms,
                }),
            }
        }
        losses
    }

    fn add(&mut self, record: &LogLossRecord) {
        self.bytes = self.bytes.saturating_add(record.bytes);
        self.sources += 1;
        self.from_ms = self.from_ms.min(record.from_ms);
        self.to_ms = self.to_ms.max(record.arrived_ms);
    }

    /// What tells of it.
    pub(crate) fn event(&self, name: &str) -> Event {
        let others = match self.sources {
            0 | 1 => String::new(),
            2 => " and in 1 more".to_owned(),
            sources => format!(" and in {} more", sources - 1),
        };
        let (bytes, path, reason) = (self.bytes, &self.path, &self.reason);
        let text = format!("host `{name}` lost {bytes} bytes of log lines in `{path}`{others}: {reason}");
        let at = Timestamp::from_millis(self.to_ms);
        let event = Event::new(EventKind::LogLost, &By::AGENT, at, text).of(self.host, name);
        event
            .with("path", path.as_str())
            .with("bytes", bytes.to_string())
            .with("sources", self.sources.to_string())
            .with("from_ms", self.from_ms.to_string())
            .with("to_ms", self.to_ms.to_string())
            .with("reason", reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use muster_common::wire::message::{Epoch, GapReason, Lane};
    use muster_store::{GapRecord, Past, Position, Reborn};

    use super::*;
    use crate::testing::{Bench, after_each_cut, at};

    fn lost(host: HostId, path: &str, bytes: u64, reason: &str, from_ms: i64, arrived_ms: i64) -> StateRecord {
        let (path, reason) = (path.to_owned(), reason.to_owned());
        StateRecord::LogLoss(LogLossRecord { host, path, bytes, reason, from_ms, arrived_ms })
    }

    fn entry(number: u64, records: Vec<StateRecord>) -> ReplayEntry {
        ReplayEntry { position: Position { generation: 1, entry: number }, arrived: at(0), live: true, records }
    }

    fn told(bench: &Bench) -> Vec<String> {
        let lost = bench.events().into_iter().filter(|event| event.kind == EventKind::LogLost);
        lost.map(|event| event.text).collect()
    }

    #[test]
    fn what_a_batch_loses_for_one_reason_is_one_event_and_one_row_however_often_it_is_applied() {
        let bench = Bench::new();
        bench.fleet.set_incarnation(1, Past::default(), at(1)).unwrap();
        let host = bench.host("web1").id();
        let rotated = "rotated away before it was read";
        let records = vec![
            lost(host, "/var/log/a", 100, rotated, 4_000, 9_000),
            lost(host, "/var/log/b", 7, "deleted", 0, 9_000),
            lost(host, "/var/log/c", 5, rotated, 3_000, 9_000),
        ];
        let gap = StateRecord::Gap(GapRecord {
            host,
            epoch: Epoch::new(1_000, 7),
            lane: Lane::P2,
            from: 3,
            to: 4,
            reason: GapReason::Refused,
            from_ms: 9_500,
            to_ms: 9_500,
            arrived_ms: 9_500,
        });
        let entries = [entry(1, records), entry(2, vec![gap])];
        bench.fleet.apply(&entries[..1]).unwrap();
        bench.fleet.apply(&entries).unwrap();
        let expect = [
            "host `web1` lost 105 bytes of log lines in `/var/log/a` and in 1 more: rotated away before it was read",
            "host `web1` lost 7 bytes of log lines in `/var/log/b`: deleted",
            "batches 3 to 4 of log lines of host `web1` will never come: the collector refused its content",
        ];
        assert_eq!(told(&bench), expect);
        let bench = bench.reopen();
        bench.fleet.apply(&entries).unwrap();
        // A restore applies the whole inbox again.
        let past = Past { reborn: Some(Reborn::Restored), last_arrival: None };
        bench.fleet.set_incarnation(2, past, at(9)).unwrap();
        bench.fleet.apply(&entries).unwrap();
        assert_eq!(told(&bench), expect);
        let event = bench.events().into_iter().find(|event| event.kind == EventKind::LogLost).unwrap();
        let fields = ["path", "bytes", "sources", "from_ms", "to_ms", "reason"].map(|name| event.fields[name].as_str());
        assert_eq!((fields, event.ms), (["/var/log/a", "105", "2", "3000", "9000", rotated], 9_000));
        let paths = |from_ms, to_ms| -> Vec<String> {
            bench.fleet.log_losses(from_ms, to_ms).unwrap().into_iter().map(|loss| loss.path).collect()
        };
        assert_eq!(paths(0, i64::MAX), ["/var/log/a", "/var/log/b"]);
        assert_eq!(paths(0, 2_999), ["/var/log/b"], "nothing tells since when that one is missing");
        assert_eq!((paths(9_000, 9_000).len(), paths(9_001, i64::MAX).len()), (2, 0));
        let rows = |name| bench.fleet.stats().iter().find(|stat| stat.name == name).unwrap().value;
        assert_eq!(rows("muster_collector_log_losses"), 2.0);
    }

    #[test]
    fn a_replay_after_a_cut_tells_a_loss_once() {
        let entries = |bench: &Bench| {
            let host = bench.host("web1").id();
            [1, 2].map(|number| entry(number, vec![lost(host, "/a", number, "gone", 1, 2)]))
        };
        after_each_cut(entries, |bench, known, operation| {
            assert_eq!(told(bench).len() as u64, known, "operation {operation}");
            assert_eq!(bench.fleet.log_losses(0, 10).unwrap().len() as u64, known, "operation {operation}");
        });
    }

    #[test]
    fn a_host_that_loses_without_end_has_a_bound_of_events() {
        let mut losses = Losses::default();
        let host = HostId([1; 16]);
        let tells = (0..200).filter(|ms| losses.tells(host, *ms)).count();
        assert_eq!((tells, losses.untold), (100, 100));
        assert!(losses.tells(host, HOUR_MS) && losses.tells(HostId([2; 16]), 5));
        losses.forget(&[host]);
        assert_eq!(losses.budgets.len(), 1);
    }
}
