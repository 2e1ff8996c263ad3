//! Short ways to append lines and ask for them.

use std::ops::ControlFlow;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, Lane, SourceId};

use super::world::{BEGIN_MS, HOST, World, append};
use crate::{
    Append, LogBlock, LogClass, LogEntry, LogOrder, LogSelect, Outcome, PositionRow, RangeRecord, Record, Source,
};

pub(super) const BEGIN_NS: i64 = BEGIN_MS * 1_000_000;
pub(super) const SECOND_NS: i64 = 1_000_000_000;

pub(super) fn labels(job: &str) -> Arc<LabelSet> {
    Arc::new(LabelSet::new([("host", "a"), ("job", job)]).unwrap())
}

/// The order of label sets that differ in this value alone: that of their canonical bytes, length first.
pub(super) fn order(job: &str) -> (usize, String) {
    (job.len(), job.to_owned())
}

/// Lines of one stream, by nanoseconds after the beginning.
pub(super) fn lines(job: &str, entries: &[(i64, &str)]) -> Record {
    let entry = |&(after_ns, line): &(i64, &str)| LogEntry {
        at_ns: BEGIN_NS + after_ns,
        line: line.as_bytes().to_vec(),
        fields: LabelSet::default(),
    };
    let class = if job == "events" { LogClass::Events } else { LogClass::Logs };
    Record::Logs(LogBlock { class, labels: labels(job), entries: entries.iter().map(entry).collect() })
}

pub(super) fn source(inode: u64) -> SourceId {
    SourceId { device: 1, inode, fingerprint: 7, fingerprint_bytes: 64, incarnation: 0, path: format!("/log/{inode}") }
}

pub(super) fn range(inode: u64, from: u64, to: u64) -> Record {
    let (source, skipped) = (source(inode), String::new());
    Record::Range(RangeRecord { source, from, to, skipped, tail_hash: to * 3, gone: false })
}

pub(super) fn p2(epoch: Epoch, seq: u64, records: Vec<Record>) -> Append {
    append(Source::Batch { host: HOST, epoch, lane: Lane::P2, seq }, records, Timestamp::from_millis(BEGIN_MS))
}

pub(super) fn misplaced(mark: u64, positions: &[(u64, u64)]) -> Outcome {
    let row = |&(inode, offset): &(u64, u64)| PositionRow {
        source: source(inode),
        offset,
        tail_hash: offset * 3,
        arrived_ms: BEGIN_MS,
    };
    Outcome::Misplaced { mark, positions: positions.iter().map(row).collect() }
}

impl World {
    /// Lines of a selection as text: `job after_ns line`.
    pub(super) fn log_dump_of(&self, request: &LogSelect<'_>) -> Vec<String> {
        let mut out = Vec::new();
        self.parts
            .reader
            .view()
            .logs(request, &mut |labels, entry| {
                let fields: Vec<String> = entry.fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
                let (job, line) = (labels.get("job").unwrap_or(""), String::from_utf8_lossy(entry.line));
                out.push(format!("{job} {} {line}{}", entry.at_ns - BEGIN_NS, fields.concat()));
                ControlFlow::Continue(())
            })
            .unwrap();
        out
    }

    /// Everything, stream by stream; asserts that the three orders tell the same lines.
    pub(super) fn log_dump(&self) -> Vec<String> {
        let of = |order| self.log_dump_of(&LogSelect { order, ..LogSelect::all_times(&[]) });
        let (streams, forward, mut backward) = (of(LogOrder::ByStream), of(LogOrder::Forward), of(LogOrder::Backward));
        backward.reverse();
        assert_eq!(forward, backward, "one is the reverse of the other");
        let time = |line: &String| line.split(' ').nth(1).unwrap().parse::<i64>().unwrap();
        assert!(forward.is_sorted_by_key(time), "{forward:#?}");
        let mut by_stream = forward;
        by_stream.sort_by_key(|line| order(line.split(' ').next().unwrap()));
        assert_eq!(by_stream, streams);
        streams
    }

    pub(super) fn log_dump_by(&self, matchers: &[Matcher], from_ns: i64, to_ns: i64, order: LogOrder) -> Vec<String> {
        let (from_ns, to_ns) = (BEGIN_NS + from_ns, BEGIN_NS + to_ns);
        self.log_dump_of(&LogSelect { from_ns, to_ns, order, ..LogSelect::all_times(matchers) })
    }

    /// Inode and offset of each position of the host.
    pub(super) fn positions(&mut self) -> Vec<(u64, u64)> {
        let rows = self.parts.writer.positions(HOST).unwrap();
        rows.iter().map(|row| (row.source.inode, row.offset)).collect()
    }
}
