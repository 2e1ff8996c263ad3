//! From an inbox file back into a head.

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::time::Timestamp;

use super::blob::{Entry, Samples, decode};
use crate::append::{Position, ReplayEntry};
use crate::head::Head;
use crate::logs::record::LogBlock;
use crate::logs::tail::LineArrival;

/// Appends the entries of one file to its head.
pub(crate) struct Replayer<'a> {
    head: &'a Arc<Head>,
    /// The index' slots of the file's slots, where they are not the same.
    slots: Option<&'a HashMap<u32, u32>>,
    keeps_lines: bool,
    out: Replayed,
}

/// What a file held.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) last_entry: u64,
    pub(crate) first_at: Option<Timestamp>,
    pub(crate) last_state: Option<u64>,
    /// Those with records of small state.
    pub(crate) entries: Vec<ReplayEntry>,
    /// Samples of series whose block is damaged.
    pub(crate) lost: u64,
    /// The blocks of lines, where they are kept for live tails.
    pub(crate) lines: Vec<(LineArrival, LogBlock)>,
    /// Above every slot that was named.
    pub(crate) slots_end: usize,
}

impl<'a> Replayer<'a> {
    pub(crate) fn new(head: &'a Arc<Head>, slots: Option<&'a HashMap<u32, u32>>) -> Self {
        Self { head, slots, keeps_lines: false, out: Replayed::default() }
    }

    /// Keeps the lines: they turn out to be durable after an error, and live tails have not had them.
    pub(crate) fn keeping_lines(self, keeps_lines: bool) -> Self {
        Self { keeps_lines, ..self }
    }

    /// `None`: the blob is damaged.
    pub(crate) fn blob(&mut self, blob: &[u8]) -> Option<()> {
        for mut entry in decode(blob, true)? {
            for samples in &entry.samples {
                self.append(samples);
            }
            for block in std::mem::take(&mut entry.logs) {
                let arrival = LineArrival { generation: self.head.generation, block: self.head.logs.arrived() };
                self.head.logs.append(&block);
                if self.keeps_lines {
                    self.out.lines.push((arrival, block));
                }
            }
            note(entry, self.head.generation, &mut self.out);
        }
        Some(())
    }

    pub(crate) fn finish(self) -> Replayed {
        self.out
    }

    fn append(&mut self, samples: &Samples) {
        let known = |slot: u32| match self.slots {
            Some(slots) => slots.get(&slot).copied(),
            None => self.head.index.get(slot).map(|_| slot),
        };
        match samples {
            Samples::Row { at_ms, slots, values } => {
                let last = slots.iter().max().map_or(0, |&slot| slot as usize + 1);
                self.out.slots_end = self.out.slots_end.max(last);
                let pairs: (Vec<u32>, Vec<f64>) =
                    slots.iter().zip(values).filter_map(|(&slot, &value)| Some((known(slot)?, value))).unzip();
                self.out.lost += (slots.len() - pairs.0.len()) as u64;
                self.head.append_row(*at_ms, pairs.0.into_iter(), &pairs.1);
            }
            Samples::Points(points) => {
                let last = points.iter().map(|point| point.0 as usize + 1).max().unwrap_or(0);
                self.out.slots_end = self.out.slots_end.max(last);
                let kept: Vec<_> =
                    points.iter().filter_map(|&(slot, at_ms, value)| Some((known(slot)?, at_ms, value))).collect();
                self.out.lost += (points.len() - kept.len()) as u64;
                self.head.append_points(kept.into_iter());
            }
        }
    }
}

/// Takes the records of small state out of an entry.
pub(crate) fn note(entry: Entry, generation: u64, out: &mut Replayed) {
    out.last_entry = out.last_entry.max(entry.entry);
    out.first_at = out.first_at.or(Some(entry.arrived));
    if !entry.state.is_empty() {
        out.last_state = out.last_state.max(Some(entry.entry));
        let position = Position { generation, entry: entry.entry };
        out.entries.push(ReplayEntry { position, arrived: entry.arrived, live: entry.live, records: entry.state });
    }
}
