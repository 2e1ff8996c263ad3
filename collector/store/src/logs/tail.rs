//! Live tail: lines pushed from the ack path to whoever listens, as they are committed (no polling, no offsets).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use parking_lot::{Mutex, RwLock};

use super::record::LogBlock;

/// Called when lines come and none waited.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// Where in the order of arrival a line stands: generation, then block of lines in it. [`crate::View::lines_end`] is compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineArrival {
    pub(crate) generation: u64,
    pub(crate) block: u32,
}

/// Bytes of lines that wait for one receiver: a line may have 256 KiB, so their number is no bound.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Who listens.
#[derive(Default)]
pub(crate) struct Tails {
    list: RwLock<Vec<Weak<Queue>>>,
}

struct Queue {
    matchers: Vec<Matcher>,
    capacity: usize,
    wake: Wake,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<TailEntry>,
    bytes: usize,
    dropped: u64,
}

/// One line as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailEntry {
    pub labels: Arc<LabelSet>,
    pub at_ns: i64,
    pub line: Vec<u8>,
    pub fields: LabelSet,
    pub arrival: LineArrival,
}

/// What [`crate::Reader::tail`] gives; dropping it ends the subscription.
pub struct TailReceiver {
    queue: Arc<Queue>,
}

impl Tails {
    pub(crate) fn add(&self, matchers: Vec<Matcher>, capacity: usize, wake: Wake) -> TailReceiver {
        let queue = Arc::new(Queue { matchers, capacity, wake, waiting: Mutex::default() });
        let mut list = self.list.write();
        list.retain(|known| known.strong_count() > 0);
        list.push(Arc::downgrade(&queue));
        TailReceiver { queue }
    }

    /// Hands a committed block to everyone whose matchers it passes; answers how many lines were dropped.
    pub(crate) fn push(&self, block: &LogBlock, arrival: LineArrival) -> u64 {
        let list = self.list.read();
        list.iter().filter_map(Weak::upgrade).map(|queue| queue.push(block, arrival)).sum()
    }

    pub(crate) fn count(&self) -> usize {
        self.list.read().iter().filter(|queue| queue.strong_count() > 0).count()
    }
}

impl Queue {
    fn push(&self, block: &LogBlock, arrival: LineArrival) -> u64 {
        let passes = |matcher: &Matcher| matcher.is_match(block.labels.get(&matcher.name).unwrap_or(""));
        if block.entries.is_empty() || !self.matchers.iter().all(passes) {
            return 0;
        }
        let mut waiting = self.waiting.lock();
        let (was_empty, mut dropped) = (waiting.entries.is_empty() && waiting.dropped == 0, 0);
        for entry in &block.entries {
            let bytes = entry.bytes();
            if waiting.entries.len() >= self.capacity || waiting.bytes + bytes > WAITING_BYTES_MAX {
                dropped += 1;
                continue;
            }
            waiting.bytes += bytes;
            waiting.entries.push_back(TailEntry {
                labels: block.labels.clone(),
                at_ns: entry.at_ns,
                line: entry.line.clone(),
                fields: entry.fields.clone(),
                arrival,
            });
        }
        waiting.dropped += dropped;
        drop(waiting);
        if was_empty {
            (self.wake)();
        }
        dropped
    }
}

impl TailReceiver {
    /// Moves what waits to the end of `out`; answers how many lines were dropped since the last call.
    pub fn drain(&self, out: &mut Vec<TailEntry>) -> u64 {
        let mut waiting = self.queue.waiting.lock();
        waiting.bytes = 0;
        out.extend(waiting.entries.drain(..));
        std::mem::take(&mut waiting.dropped)
    }
}

impl crate::shared::Shared {
    /// Counts the lines that a commit added to a head from this arrival on, and tells them to those who listen. Only once views
    /// show them: whoever listens and then takes a view has each line in one of the two.
    pub(crate) fn note_lines<'a>(
        &self,
        mut arrival: LineArrival,
        records: impl Iterator<Item = &'a crate::append::Record>,
    ) {
        let count = |counter: &AtomicU64, number: u64| counter.fetch_add(number, Ordering::Relaxed);
        for record in records {
            if let crate::append::Record::Logs(block) = record
                && !block.entries.is_empty()
            {
                count(&self.counters.lines_committed, block.entries.len() as u64);
                count(&self.counters.line_bytes_committed, block.bytes() as u64);
                count(&self.counters.tail_dropped, self.tails.push(block, arrival));
                arrival.block += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::logs::record::{LogClass, LogEntry};

    #[test]
    fn lines_beyond_the_capacity_are_counted_and_one_wake_covers_what_waits() {
        let (tails, woken) = (Tails::default(), Arc::new(AtomicUsize::new(0)));
        let wake = {
            let woken = woken.clone();
            Box::new(move || {
                woken.fetch_add(1, Ordering::Relaxed);
            })
        };
        let receiver = tails.add(vec![Matcher::equal("job", "a")], 3, wake);
        let block = |job: &str, count: i64| {
            let labels = Arc::new(LabelSet::new([("job", job)]).unwrap());
            let entry = |at_ns| LogEntry { at_ns, line: b"x".to_vec(), fields: LabelSet::default() };
            LogBlock { class: LogClass::Logs, labels, entries: (0..count).map(entry).collect() }
        };
        let arrival = LineArrival { generation: 1, block: 0 };
        let push = |job: &str, count: i64| tails.push(&block(job, count), arrival);
        assert_eq!((push("a", 2), push("b", 9), push("a", 2)), (0, 0, 1));
        let mut out = Vec::new();
        assert_eq!((receiver.drain(&mut out), woken.load(Ordering::Relaxed)), (1, 1));
        assert_eq!(out.iter().map(|entry| entry.at_ns).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!((push("a", 1), receiver.drain(&mut out), woken.load(Ordering::Relaxed)), (0, 0, 2));
        assert_eq!((tails.count(), out.len()), (1, 4));
        drop(receiver);
        assert_eq!((push("a", 9), tails.count()), (0, 0));
    }
}
