//! From a batch of lines to what the store is to keep.
//!
//! What is refused is refused line by line: its ranges move all the same, or the agent would read the same lines again for ever.

use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::wire::message::{LogBatch, LogLine, LogStream, SourceRange, WireLabel};
use muster_store::{LogBlock, LogClass, LogEntry, RangeRecord, Record};

use crate::admit::{TimeBounds, TimeRefusal};
use crate::counters::{Count, Counters};
use crate::host_labels::{HostLabels, SeriesRefusal};

/// What a record costs in memory beside its bytes, and what a line does.
const RECORD_BYTES: usize = 256;
const LINE_BYTES: usize = 64;

/// Of the reason why lines are refused: a text of a label's size, since it stands once for each range.
const REASON_BYTES_MAX: usize = 1_024;

/// A batch of lines, admitted.
pub(super) struct Lines {
    pub(super) records: Vec<Record>,
    pub(super) lines: u64,
    /// Ranges that skip something, with a text that says what.
    pub(super) skips: u64,
    /// What it costs in memory until it is committed.
    pub(super) bytes: usize,
}

/// Gives each stream its host's labels and leaves out what is refused, counted.
pub(super) fn read_lines(batch: LogBatch, host: &HostLabels, bounds: TimeBounds, counters: &Counters) -> Lines {
    let mut read = Lines { records: Vec::new(), lines: 0, skips: 0, bytes: RECORD_BYTES };
    read.records.reserve(batch.ranges.len() + batch.streams.len());
    for range in batch.ranges {
        let SourceRange { source, from, to, skipped, tail_hash, gone } = range;
        if !skipped.is_empty() {
            read.skips += 1;
            tracing::warn!(host = %host.name, path = source.path, "lines before byte {from} are lost: {skipped}");
        }
        read.bytes += RECORD_BYTES + source.path.len() + skipped.len();
        read.records.push(Record::Range(RangeRecord { source, from, to, skipped, tail_hash, gone }));
    }
    for stream in batch.streams {
        let Some(block) = read_stream(stream, host, bounds, counters) else { continue };
        read.lines += block.entries.len() as u64;
        read.bytes += RECORD_BYTES + block.bytes() + LINE_BYTES * block.entries.len();
        read.records.push(Record::Logs(block));
    }
    read
}

/// What moves positions over lines that are refused as a whole: each range as it came, so that it is judged, and behind it one without
/// bytes that names the loss.
pub(super) fn refused_ranges(ranges: &[SourceRange], why: &str) -> Vec<Record> {
    let mut skipped = format!("refused by the collector: {why}");
    let mut end = skipped.len().min(REASON_BYTES_MAX);
    while !skipped.is_char_boundary(end) {
        end -= 1;
    }
    skipped.truncate(end);
    let record = |range: &SourceRange, from: u64, skipped: &str| {
        let SourceRange { source, to, tail_hash, gone, .. } = range.clone();
        Record::Range(RangeRecord { source, from, to, skipped: skipped.to_owned(), tail_hash, gone })
    };
    ranges.iter().flat_map(|one| [record(one, one.from, &one.skipped), record(one, one.to, &skipped)]).collect()
}

fn read_stream(stream: LogStream, host: &HostLabels, bounds: TimeBounds, counters: &Counters) -> Option<LogBlock> {
    let labels = match host.resolve_stream(&stream.labels) {
        Ok(labels) => Arc::new(labels),
        Err(refusal) => {
            let count = match refusal {
                SeriesRefusal::Reserved => Count::LinesReserved,
                SeriesRefusal::NoName | SeriesRefusal::Labels(_) => Count::LinesLabels,
            };
            counters.add(count, stream.lines.len() as u64);
            tracing::warn!(host = %host.name, lines = stream.lines.len(), "lines dropped: {refusal}");
            return None;
        }
    };
    let entries: Vec<LogEntry> =
        stream.lines.into_iter().filter_map(|line| read_line(line, bounds, counters)).collect();
    (!entries.is_empty()).then_some(LogBlock { class: LogClass::Logs, labels, entries })
}

fn read_line(line: LogLine, bounds: TimeBounds, counters: &Counters) -> Option<LogEntry> {
    let LogLine { at_ns, line, fields } = line;
    if let Err(refusal) = bounds.admit(at_ns.div_euclid(1_000_000)) {
        counters.one(match refusal {
            TimeRefusal::Future => Count::LinesFuture,
            TimeRefusal::TooOld => Count::LinesTooOld,
        });
        return None;
    }
    let pair = |field: &WireLabel| (field.name.clone(), field.value.clone());
    // A line is worth more than what was said about it.
    let fields = LabelSet::new(fields.iter().map(pair)).unwrap_or_else(|_| {
        counters.one(Count::LineFields);
        LabelSet::default()
    });
    Some(LogEntry { at_ns, line, fields })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use muster_common::host::HostId;
    use muster_common::time::Timestamp;
    use muster_common::wire::message::SourceId;

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;
    const NOW_NS: i64 = NOW_MS * 1_000_000;

    fn wire(labels: &[(&str, &str)]) -> Vec<WireLabel> {
        labels.iter().map(|(name, value)| WireLabel { name: (*name).into(), value: (*value).into() }).collect()
    }

    fn line(at_ns: i64, text: &str, fields: &[(&str, &str)]) -> LogLine {
        LogLine { at_ns, line: text.into(), fields: wire(fields) }
    }

    fn read(streams: Vec<LogStream>, counters: &Counters) -> Lines {
        let source = SourceId {
            device: 1,
            inode: 2,
            fingerprint: 3,
            fingerprint_bytes: 4,
            incarnation: 0,
            path: "/var/log/a".into(),
        };
        let range = SourceRange { source, from: 5, to: 9, skipped: "rotated away".into(), tail_hash: 7, gone: true };
        let labels = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
        let host = HostLabels { id: HostId([7; 16]), name: "web1".into(), labels };
        let day = std::time::Duration::from_secs(86_400);
        let bounds = TimeBounds::at(Timestamp::from_millis(NOW_MS), day);
        read_lines(LogBatch { ranges: vec![range], streams, extensions: Vec::new() }, &host, bounds, counters)
    }

    fn blocks(lines: &Lines) -> Vec<(String, Vec<String>)> {
        let block = |record: &Record| match record {
            Record::Logs(block) => {
                let text = |entry: &LogEntry| format!("{}{}", String::from_utf8_lossy(&entry.line), entry.fields);
                Some((block.labels.to_string(), block.entries.iter().map(text).collect()))
            }
            _ => None,
        };
        lines.records.iter().filter_map(block).collect()
    }

    #[test]
    fn streams_get_the_labels_of_their_host_and_ranges_go_along() {
        let counters = Counters::default();
        let stream = |labels, lines| LogStream { labels: wire(labels), lines };
        let streams = vec![
            stream(
                &[("filename", "/a"), ("host", "x")],
                vec![line(NOW_NS, "one", &[]), line(NOW_NS, "two", &[("k", "v")])],
            ),
            stream(&[("job", "nginx")], vec![line(NOW_NS, "three", &[])]),
        ];
        let lines = read(streams, &counters);
        assert_eq!((lines.lines, lines.skips), (3, 1));
        assert!(lines.bytes > 4 * 256);
        let Record::Range(range) = &lines.records[0] else { panic!("ranges come first") };
        assert_eq!((range.from, range.to, range.gone, range.tail_hash), (5, 9, true, 7));
        let file = r#"{env="prod", exported_host="x", filename="/a", host="web1", instance="web1", job="logs"}"#;
        let nginx = r#"{env="prod", host="web1", instance="web1", job="nginx"}"#;
        let two = r#"two{k="v"}"#;
        assert_eq!(
            blocks(&lines),
            [
                (file.to_owned(), vec!["one{}".to_owned(), two.to_owned()]),
                (nginx.to_owned(), vec!["three{}".to_owned()])
            ]
        );
    }

    #[test]
    fn what_is_refused_is_left_out_and_counted_and_its_range_moves() {
        let counters = Counters::default();
        let stream = |labels, lines| LogStream { labels: wire(labels), lines };
        let many: Vec<(String, String)> = (0..64).map(|number| (format!("l{number}"), "x".to_owned())).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let streams = vec![
            stream(&[("source", "muster")], vec![line(NOW_NS, "forged", &[]); 2]),
            stream(&many, vec![line(NOW_NS, "too many labels", &[])]),
            stream(
                &[],
                vec![
                    line(NOW_NS + 600_001 * 1_000_000, "future", &[]),
                    line(NOW_NS - 86_401 * 1_000_000_000, "old", &[]),
                    line(i64::MIN, "older", &[]),
                    line(NOW_NS, "kept", &[("a", "1"), ("a", "2")]),
                ],
            ),
        ];
        let lines = read(streams, &counters);
        assert_eq!(blocks(&lines).into_iter().map(|(_, lines)| lines).collect::<Vec<_>>(), [["kept{}"]]);
        assert!(matches!(lines.records[0], Record::Range(_)));
        let counts =
            [Count::LinesReserved, Count::LinesLabels, Count::LinesFuture, Count::LinesTooOld, Count::LineFields];
        assert_eq!(counts.map(|count| counters.value(count)), [2, 1, 1, 2, 1]);
        let nothing = read(vec![stream(&[("source", "muster")], vec![line(NOW_NS, "forged", &[])])], &counters);
        assert_eq!((nothing.lines, nothing.records.len()), (0, 1), "the range alone");
    }
}
