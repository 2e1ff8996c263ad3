//! What is decided about the journal: where it is begun, which entries were sent before, what goes out.

use std::sync::Arc;

use muster_common::wire::message::{LogLine, Position, SourceId, WireLabel};
use xxhash_rust::xxh3::xxh3_64;

use super::entry::JournalEntry;
use crate::logs::batch::{Batch, End, Entry, Labels, Piece, flag_truncated};
use crate::logs::counters::SkipReason;
use crate::logs::level::level_of_priority;
use crate::logs::settings::From;
use muster_common::redact::{KeyState, Redactor};

/// What `--since` looks back: clocks of entries that were written side by side differ by less.
const OVERLAP_US: u64 = 2_000_000;
/// Label sets kept: units of one host; beyond it they are made anew.
const STREAMS_MAX: usize = 2_000;

/// Where journalctl is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// `--after-cursor`
    After { cursor: String },
    /// `--since`, microseconds since 1970.
    Since { us: u64 },
    /// Every entry that there is.
    Head,
    /// `--lines=0`: those from now on.
    Now,
}

/// The journal as a source.
#[derive(Debug)]
pub struct Journal {
    source: Arc<SourceId>,
    from: From,
    /// The position after the last entry that was handed out, and the hash of its cursor.
    sent: Option<(u64, u64)>,
    cursor: String,
    /// While entries come that were sent before: up to the one with this hash.
    skips_to: Option<u64>,
    /// The last acknowledged position with its cursor, and those handed out after it.
    acked_cursor: String,
    acked: Option<(u64, u64)>,
    unacked: std::collections::VecDeque<(u64, String)>,
    /// A range that names an entry given up, and goes out first.
    skip: Option<Piece>,
    streams: std::collections::HashMap<(String, u8), Labels>,
    key_state: KeyState,
}

/// Cursors remembered between two acks; beyond it the oldest go, and the hint is a little older.
const UNACKED_MAX: usize = 1_024;

impl Journal {
    /// `machine_id` names the source, so that a host's name may change.
    pub fn new(machine_id: &str, from: From) -> Self {
        let path = format!("journal:{machine_id}");
        let source = SourceId { device: 0, inode: 0, fingerprint: 0, fingerprint_bytes: 0, incarnation: 0, path };
        Self {
            source: Arc::new(source),
            from,
            sent: None,
            cursor: String::new(),
            skips_to: None,
            acked_cursor: String::new(),
            acked: None,
            unacked: std::collections::VecDeque::new(),
            skip: None,
            streams: std::collections::HashMap::new(),
            key_state: KeyState::default(),
        }
    }

    pub fn source(&self) -> &SourceId {
        &self.source
    }

    /// The collector's positions: says where the child has to begin. `hint`: the cursor that the host remembers.
    pub fn seek(&mut self, positions: &[Position], hint: &str) -> Begin {
        let position = positions.iter().find(|position| position.source == *self.source);
        self.sent = position.map(|position| (position.offset, position.tail_hash));
        self.acked = self.sent;
        self.unacked.clear();
        self.skip.take_if(|skip| Some(skip.end.to) != self.sent.map(|(offset, _)| offset));
        self.begin(hint)
    }

    /// Where a child that is started again has to begin: behind what was handed out.
    pub fn begin(&mut self, hint: &str) -> Begin {
        self.skips_to = None;
        let Some((offset, hash)) = self.sent else {
            return if self.from == From::Start { Begin::Head } else { Begin::Now };
        };
        for cursor in [self.cursor.as_str(), self.acked_cursor.as_str(), hint] {
            if !cursor.is_empty() && xxh3_64(cursor.as_bytes()) == hash {
                return Begin::After { cursor: cursor.to_owned() };
            }
        }
        self.skips_to = Some(hash);
        Begin::Since { us: offset.saturating_sub(OVERLAP_US) }
    }

    /// One entry. It goes out unless it was sent before.
    pub fn take(&mut self, entry: JournalEntry, redactor: &Redactor, batch: &mut Batch) -> u64 {
        let hash = xxh3_64(entry.cursor.as_bytes());
        if let (Some(last), Some((offset, _))) = (self.skips_to, self.sent) {
            if hash == last {
                self.skips_to = None;
                return 0;
            }
            // The one that was sent last is not there any more once the journal has passed its time.
            if entry.realtime_us <= offset {
                return 0;
            }
            self.skips_to = None;
        }
        let (from, to) = match self.sent {
            Some((offset, _)) => (offset, entry.realtime_us.max(offset.saturating_add(1))),
            None => (entry.realtime_us.saturating_sub(1), entry.realtime_us),
        };
        self.sent = Some((to, hash));
        self.cursor.clone_from(&entry.cursor);
        if self.unacked.len() >= UNACKED_MAX {
            self.unacked.pop_front();
        }
        self.unacked.push_back((to, entry.cursor.clone()));
        let labels = self.labels(&entry);
        let mut line = entry.message;
        let redacted = redactor.redact(&mut line, &mut self.key_state);
        let mut fields = Vec::new();
        for (name, value) in [
            ("identifier", entry.identifier),
            ("pid", entry.pid),
            ("transport", entry.transport),
            ("container", entry.container),
        ] {
            if !value.is_empty() {
                fields.push(WireLabel { name: name.to_owned(), value });
            }
        }
        if entry.is_truncated {
            flag_truncated(&mut fields);
        }
        // The position rises strictly, so its time does too.
        let at_ns = i64::try_from(to.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let end = End { source: Arc::clone(&self.source), from, to, tail_hash: hash, skipped: "", gone: false };
        let entry = Entry { labels, line: LogLine { at_ns, line, fields } };
        batch.push(Piece { entry: Some(entry), end, more: Vec::new() });
        redacted
    }

    /// The collector has it up to here.
    pub fn acked(&mut self, to: u64) {
        while let Some((offset, cursor)) = self.unacked.pop_front_if(|(offset, _)| *offset <= to) {
            self.acked = Some((offset, xxh3_64(cursor.as_bytes())));
            self.acked_cursor = cursor;
        }
    }

    /// The collector cannot take the entries up to here: the next seek goes on behind them, and a range says why.
    pub fn give_up(&mut self, to: u64) {
        let is_held = self.unacked.iter().any(|(offset, _)| *offset == to);
        self.acked(to);
        if let (true, Some((offset, tail_hash))) = (is_held, self.acked) {
            let (source, skipped) = (Arc::clone(&self.source), SkipReason::Refused.text());
            let end = End { source, from: offset, to: offset, tail_hash, skipped, gone: false };
            self.skip = Some(Piece { entry: None, end, more: Vec::new() });
        }
    }

    /// The range that goes out before everything else, once.
    pub fn told_skip(&mut self) -> Option<Piece> {
        self.skip.take()
    }

    /// What is acknowledged, as the collector would tell it.
    pub fn acked_position(&self) -> Vec<Position> {
        let position = |(offset, tail_hash)| Position { source: (*self.source).clone(), offset, tail_hash };
        self.acked.map(position).into_iter().collect()
    }

    /// For the hint file.
    pub fn hint(&self) -> &str {
        &self.acked_cursor
    }

    fn labels(&mut self, entry: &JournalEntry) -> Labels {
        let priority = entry.priority.unwrap_or(u8::MAX);
        let key = (entry.unit.clone(), priority);
        if self.streams.len() >= STREAMS_MAX && !self.streams.contains_key(&key) {
            self.streams.clear();
        }
        let make = || {
            let mut labels = vec![WireLabel { name: "job".to_owned(), value: "journal".to_owned() }];
            if let Some(level) = level_of_priority(priority) {
                labels.push(WireLabel { name: "level".to_owned(), value: level.to_owned() });
            }
            if !entry.unit.is_empty() {
                labels.push(WireLabel { name: "unit".to_owned(), value: entry.unit.clone() });
            }
            Arc::new(labels)
        };
        Arc::clone(self.streams.entry(key).or_insert_with(make))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, realtime_us: u64) -> JournalEntry {
        JournalEntry {
            cursor: format!("s=1;i={number}"),
            realtime_us,
            message: format!("message {number}").into_bytes(),
            priority: Some(3),
            unit: "ssh.service".to_owned(),
            ..JournalEntry::default()
        }
    }

    /// What goes out for these entries.
    fn taken(journal: &mut Journal, entries: &[JournalEntry]) -> Batch {
        let redactor = Redactor::new(&[]).unwrap();
        let mut batch = Batch::default();
        for entry in entries {
            journal.take(entry.clone(), &redactor, &mut batch);
        }
        batch
    }

    fn positions(batch: &Batch) -> Vec<Position> {
        let ranges = batch.to_wire().ranges;
        let position = |range: &muster_common::wire::message::SourceRange| Position {
            source: range.source.clone(),
            offset: range.to,
            tail_hash: range.tail_hash,
        };
        ranges.last().map(position).into_iter().collect()
    }

    #[test]
    fn positions_rise_strictly_and_labels_are_few() {
        let mut journal = Journal::new("m1", From::Start);
        assert_eq!(journal.seek(&[], ""), Begin::Head);
        // Two in the same microsecond, and a clock that went back.
        let entries = [entry(1, 1_000), entry(2, 1_000), entry(3, 400), entry(4, 2_000)];
        let wire = taken(&mut journal, &entries).to_wire();
        let [range] = wire.ranges.as_slice() else { panic!("one range") };
        assert_eq!((range.from, range.to, range.source.path.as_str()), (999, 2_000, "journal:m1"));
        let [stream] = wire.streams.as_slice() else { panic!("one stream") };
        let times: Vec<i64> = stream.lines.iter().map(|line| line.at_ns / 1_000).collect();
        assert_eq!(times, [1_000, 1_001, 1_002, 2_000]);
        let labels: Vec<String> = stream.labels.iter().map(|one| format!("{}={}", one.name, one.value)).collect();
        assert_eq!(labels, ["job=journal", "level=error", "unit=ssh.service"]);
    }

    #[test]
    fn after_a_restart_nothing_is_sent_twice_with_the_cursor_or_without() {
        let entries: Vec<JournalEntry> = (0..10).map(|number| entry(number, 5_000_000 + number / 3)).collect();
        for committed in 1..=10 {
            let mut journal = Journal::new("m1", From::Start);
            journal.seek(&[], "");
            let batch = taken(&mut journal, &entries[..committed]);
            journal.acked(u64::MAX);
            let (position, hint) = (positions(&batch), journal.hint().to_owned());
            // With the hint: journalctl gives what is behind the cursor.
            let mut journal = Journal::new("m1", From::Start);
            assert_eq!(journal.seek(&position, &hint), Begin::After { cursor: hint.clone() });
            let rest = taken(&mut journal, &entries[committed..]);
            assert_eq!(rest.lines(), 10 - committed);
            // Wiped: it gives some from before.
            let mut journal = Journal::new("m1", From::Start);
            let Begin::Since { us } = journal.seek(&position, "") else { panic!("a time") };
            assert!(us < 5_000_000);
            let rest = taken(&mut journal, &entries);
            assert_eq!(rest.lines(), 10 - committed, "committed {committed}");
            if let Some(range) = rest.to_wire().ranges.first() {
                assert_eq!(range.from, position[0].offset);
            }
        }
    }

    #[test]
    fn an_entry_that_is_given_up_is_named_and_the_next_one_follows_it() {
        let mut journal = Journal::new("m1", From::Start);
        journal.seek(&[], "");
        taken(&mut journal, &[entry(1, 1_000), entry(2, 2_000), entry(3, 3_000)]);
        journal.acked(1_000);
        journal.give_up(2_000);
        let back = journal.acked_position();
        assert_eq!(journal.seek(&back, ""), Begin::After { cursor: "s=1;i=2".to_owned() });
        let skip = journal.told_skip().expect("a range that says so").end;
        assert_eq!((skip.from, skip.to, skip.skipped), (2_000, 2_000, SkipReason::Refused.text()));
        let rest = taken(&mut journal, &[entry(3, 3_000)]).to_wire();
        assert_eq!((rest.ranges[0].from, rest.ranges[0].to), (2_000, 3_000));
        assert_eq!(journal.told_skip(), None);
    }

    #[test]
    fn when_the_last_entry_is_gone_it_goes_on_with_the_first_later_one() {
        let mut journal = Journal::new("m1", From::End);
        assert_eq!(journal.seek(&[], ""), Begin::Now);
        let batch = taken(&mut journal, &[entry(1, 1_000)]);
        let mut journal = Journal::new("m1", From::End);
        journal.seek(&positions(&batch), "");
        let rest = taken(&mut journal, &[entry(7, 900), entry(8, 1_000), entry(9, 1_001), entry(10, 1_000)]);
        assert_eq!(rest.lines(), 2);
        // And a child that is started again goes on behind what was handed out.
        assert_eq!(journal.begin(""), Begin::After { cursor: "s=1;i=10".to_owned() });
    }

    #[test]
    fn the_cursor_of_the_hint_is_that_of_the_last_ack() {
        let mut journal = Journal::new("m1", From::Start);
        journal.seek(&[], "");
        taken(&mut journal, &[entry(1, 10), entry(2, 20), entry(3, 30)]);
        journal.acked(25);
        assert_eq!(journal.hint(), "s=1;i=2");
    }
}
