//! A collector as the rules have it: a batch is taken whole or not at all, and a range only where it goes on from what is committed.

use std::collections::BTreeMap;

use muster_common::wire::message::{LogBatch, LogLine, Position, SourceId};

#[derive(Clone, Debug, Default)]
pub(crate) struct Collector {
    committed: BTreeMap<SourceId, (u64, u64)>,
    /// Lines by their file, in the order of arrival, which has to be that of their times.
    pub(super) streams: BTreeMap<String, Vec<LogLine>>,
    /// Named losses: reason and bytes.
    pub(super) losses: Vec<(String, u64)>,
    pub(super) gone: usize,
    pub(super) batches: usize,
}

impl Collector {
    pub(crate) fn take(&mut self, batch: &LogBatch) -> Result<(), String> {
        let mut after = self.committed.clone();
        let mut losses = Vec::new();
        for range in &batch.ranges {
            match after.get(&range.source) {
                Some((offset, _)) if *offset < range.from && !range.skipped.is_empty() => {
                    losses.push((range.skipped.clone(), range.from - offset));
                }
                Some((offset, _)) if *offset != range.from => {
                    return Err(format!("{range:?} does not go on from {offset}"));
                }
                _ => {}
            }
            after.insert(range.source.clone(), (range.to, range.tail_hash));
        }
        self.committed = after;
        self.losses.extend(losses);
        self.batches += 1;
        self.gone += batch.ranges.iter().filter(|range| range.gone).count();
        for stream in &batch.streams {
            let name = |label: &&muster_common::wire::message::WireLabel| label.name == "filename";
            let file = stream.labels.iter().find(name).map(|label| label.value.clone()).unwrap_or_default();
            self.streams.entry(file).or_default().extend(stream.lines.iter().cloned());
        }
        Ok(())
    }

    /// Stands where it stood, as after a restore; what it was sent since is gone.
    pub(super) fn put_back(&mut self, positions: &[Position]) {
        let row = |one: &Position| (one.source.clone(), (one.offset, one.tail_hash));
        self.committed = positions.iter().map(row).collect();
    }

    pub(crate) fn positions(&self) -> Vec<Position> {
        let position = |(source, (offset, tail_hash)): (&SourceId, &(u64, u64))| Position {
            source: source.clone(),
            offset: *offset,
            tail_hash: *tail_hash,
        };
        self.committed.iter().map(position).collect()
    }

    /// All lines, file by file.
    pub(crate) fn text(&self) -> String {
        self.streams.values().flatten().map(|line| format!("{}\n", String::from_utf8_lossy(&line.line))).collect()
    }

    pub(super) fn is_in_order(&self) -> bool {
        self.streams.values().all(|lines| lines.windows(2).all(|two| two[0].at_ns < two[1].at_ns))
    }
}
