//! What an open session does with what comes on its lanes: contexts, batches, gaps.

use muster_common::time::Timestamp;
use muster_common::wire::frame::FrameError;
use muster_common::wire::message::{
    Context, Epoch, Gap, GapReason, Lane, LogBatch, Message, MetricBatch, NeedContext, RefusalCode, Refused,
    ReportBatch, SourceRange,
};
use muster_store::{Append, GapRecord, Record, Source};

use super::content::read_batch;
use super::lane::{Track, Turn};
use super::lines::{read_lines, refused_ranges};
use super::machine::Session;
use super::message::Effect;
use super::outstanding::{Kind, Pending};
use super::report::{Admission, read_reports};
use crate::admit::TimeBounds;
use crate::contexts::Known;
use crate::counters::Count;

/// Lanes of epochs that one session may use: hello's 32 with three lanes each, and new ones that a stepping clock makes.
const TRACKS_MAX: usize = 256;
/// What a gap costs in memory until it is committed.
const GAP_BYTES: usize = 256;

impl Session {
    pub(super) fn context(&mut self, now: Timestamp, epoch: Epoch, context: Context) {
        let Some(host) = self.host.clone() else { return };
        let budget = self.shared.budget.clone();
        let counters = self.shared.counters.clone();
        let kept = self.contexts.insert(epoch, context, &host, &mut budget.lock(), now, &counters);
        if let Err(full) = kept {
            self.refuse(Refused {
                code: RefusalCode::Busy,
                message: full.to_string(),
                remedy: "raise [ingest] contexts_bytes of the collector, or send fewer series".to_owned(),
                retry_after_ms: 30_000,
            });
        }
    }

    pub(super) fn batch(&mut self, now: Timestamp, lane: Option<Lane>, epoch: Epoch, seq: u64, batch: &MetricBatch) {
        let Some(key) = self.turn(now, lane, epoch, (seq, seq)) else { return };
        let counters = self.shared.counters.clone();
        let known = self.contexts.find(epoch, batch.context);
        let content = match known {
            None => {
                counters.one(Count::BatchesAwaitingContext);
                counters.one(Count::ContextsNeeded);
                let track = self.tracks.entry(key).or_insert_with(Track::unknown);
                track.discard(now);
                let need = NeedContext { epoch, context: batch.context, mark: track.mark };
                self.send(Message::NeedContext(need));
                return;
            }
            Some(Known::Refused(why)) => Err(why.to_string()),
            Some(Known::Usable(context)) => {
                let bounds = TimeBounds::at(now, self.settings.retention);
                read_batch(batch, &context, bounds, &counters)
            }
        };
        match content {
            Ok(content) => {
                let Some(host) = self.host.as_ref().map(|host| host.id) else { return };
                let source = Source::Batch { host, epoch, lane: key.1, seq };
                let kind = Kind::Batch { samples: content.samples };
                self.took(key, seq);
                self.commit(now, key, (seq, seq), kind, content.bytes, source, content.records);
            }
            Err(why) => {
                self.took(key, seq);
                self.refuse_seqs(now, key, (seq, seq), &why);
            }
        }
    }

    pub(super) fn reports(&mut self, now: Timestamp, lane: Option<Lane>, epoch: Epoch, seq: u64, batch: ReportBatch) {
        let Some(key) = self.turn(now, lane, epoch, (seq, seq)) else { return };
        let Some(host) = self.host.clone() else { return };
        let admission = Admission {
            host: &host,
            bounds: TimeBounds::at(now, self.settings.retention),
            event_bounds: TimeBounds::at(now, self.settings.retention_logs),
            now,
            counters: &self.shared.counters,
        };
        let content = read_reports(batch, &mut self.shared.budget.lock(), &admission);
        let source = Source::Batch { host: host.id, epoch, lane: key.1, seq };
        let kind = Kind::Reports { samples: content.samples, reports: content.reports };
        self.took(key, seq);
        self.commit(now, key, (seq, seq), kind, content.bytes, source, content.records);
    }

    pub(super) fn log_batch(&mut self, now: Timestamp, lane: Option<Lane>, epoch: Epoch, seq: u64, batch: LogBatch) {
        let Some(key) = self.turn(now, lane, epoch, (seq, seq)) else { return };
        let Some(host) = self.host.clone() else { return };
        let bounds = TimeBounds::at(now, self.settings.retention_logs);
        let content = read_lines(batch, &host, bounds, &self.shared.counters);
        let source = Source::Batch { host: host.id, epoch, lane: key.1, seq };
        let kind = Kind::Lines { lines: content.lines, skips: content.skips };
        self.took(key, seq);
        self.commit(now, key, (seq, seq), kind, content.bytes, source, content.records);
    }

    pub(super) fn gap(&mut self, now: Timestamp, lane: Option<Lane>, epoch: Epoch, seq: u64, gap: &Gap) {
        if gap.to == u64::MAX {
            self.refuse_protocol("a gap to the last seq that there is", "upgrade the agent");
            return;
        }
        let Some(key) = self.turn(now, lane, epoch, (seq, gap.to)) else { return };
        let from = self.tracks.get(&key).map_or(seq, |track| track.start(seq));
        self.took(key, gap.to);
        self.commit_gap(now, key, (from, gap.to), Kind::Gap, gap.reason, (gap.from_ms, gap.to_ms));
    }

    /// A batch whose frame is whole and whose body cannot be read: its seq is taken by a gap all the same.
    pub(super) fn undecodable(
        &mut self,
        now: Timestamp,
        (lane, epoch, seq): (Option<Lane>, Epoch, u64),
        error: &FrameError,
    ) {
        let Some(key) = self.turn(now, lane, epoch, (seq, seq)) else { return };
        self.took(key, seq);
        let (seqs, why) = ((seq, seq), error.to_string());
        match (key.1, error) {
            (Lane::P2, FrameError::Content { ranges, .. }) if !ranges.is_empty() => {
                self.refuse_lines(now, key, seq, ranges, &why);
            }
            (Lane::P2, _) => self.refuse_unread_lines(now, key, seqs, &why),
            _ => self.refuse_seqs(now, key, seqs, &why),
        }
    }

    /// Lines that cannot be read, of ranges that can: their positions move on, or the agent would send the same lines for ever.
    fn refuse_lines(&mut self, now: Timestamp, key: (Epoch, Lane), seq: u64, ranges: &[SourceRange], why: &str) {
        let Some(host) = self.host.clone() else { return };
        tracing::warn!(host = %host.name, seq, "lines refused, their ranges are skipped: {why}");
        let (epoch, lane) = key;
        let arrived_ms = now.millis();
        let reason = GapReason::Refused;
        let (from_ms, to_ms) = (arrived_ms, arrived_ms);
        let gap = GapRecord { host: host.id, epoch, lane, from: seq, to: seq, reason, from_ms, to_ms, arrived_ms };
        let mut records = vec![Record::Gap(gap)];
        records.extend(refused_ranges(ranges, why));
        let bytes = GAP_BYTES * records.len();
        let source = Source::Batch { host: host.id, epoch, lane, seq };
        let kind = Kind::RefusedLines { ranges: ranges.len() as u64 };
        self.commit(now, key, (seq, seq), kind, bytes, source, records);
    }

    /// Lines of ranges that nobody but the agent knows. It is not acknowledged, since the agent would take them for stored, and nothing that
    /// follows is taken, since it might open a source behind them: the agent is told when the gap is committed.
    pub(super) fn refuse_unread_lines(&mut self, now: Timestamp, key: (Epoch, Lane), seqs: (u64, u64), why: &str) {
        if let Some(host) = &self.host {
            tracing::warn!(host = %host.name, seq = seqs.0, "lines refused, the agent has to send them otherwise: {why}");
        }
        self.tracks.entry(key).or_insert_with(Track::unknown).close();
        let at = now.millis();
        self.commit_gap(now, key, seqs, Kind::UnreadLines, GapReason::Refused, (at, at));
    }

    /// The lane of a batch whose turn it is; for all others, does what is to be done and gives `None`.
    fn turn(
        &mut self,
        now: Timestamp,
        lane: Option<Lane>,
        epoch: Epoch,
        (seq, to): (u64, u64),
    ) -> Option<(Epoch, Lane)> {
        let Some(lane) = lane.filter(|lane| self.settings.lanes & (1 << *lane as u8) != 0) else {
            self.refuse_lane(lane);
            return None;
        };
        self.effects.push(Effect::Heard);
        let key = (epoch, lane);
        if self.tracks.len() >= TRACKS_MAX && !self.tracks.contains_key(&key) {
            self.refuse_protocol(
                "too many epochs in one session",
                "connect again, so that hello can close the old ones",
            );
            return None;
        }
        let track = self.tracks.entry(key).or_insert_with(Track::unknown);
        let mark = track.mark;
        let counters = self.shared.counters.clone();
        match track.turn(seq, to) {
            Turn::Take => return Some(key),
            Turn::Repeat => {
                counters.one(Count::BatchesRepeated);
                self.ack(key, mark);
            }
            Turn::UnderWay => counters.one(Count::BatchesRepeated),
            Turn::Discard => counters.one(Count::BatchesOutOfOrder),
            Turn::AskRewind => {
                track.discard(now);
                counters.one(Count::BatchesOutOfOrder);
                self.ack(key, mark);
            }
        }
        None
    }

    /// Seqs whose content is refused: a gap takes them, so that the lane goes on.
    pub(super) fn refuse_seqs(&mut self, now: Timestamp, key: (Epoch, Lane), seqs: (u64, u64), why: &str) {
        if let Some(host) = &self.host {
            tracing::warn!(host = %host.name, seq = seqs.0, "batch refused, its seq becomes a gap: {why}");
        }
        let at = now.millis();
        self.commit_gap(now, key, seqs, Kind::Refusal, GapReason::Refused, (at, at));
    }

    /// Seqs of an epoch at or below the agent's floor.
    pub(super) fn expire(&mut self, now: Timestamp, pending: &Pending) {
        let Some(host) = &self.host else { return };
        tracing::warn!(host = %host.name, seq = pending.from, "batch of a forgotten epoch, its seq becomes a gap `expired`");
        let key = (pending.epoch, pending.lane);
        self.commit_gap(now, key, (pending.from, pending.to), Kind::Expired, GapReason::Expired, (0, 0));
    }

    fn commit_gap(
        &mut self,
        now: Timestamp,
        key: (Epoch, Lane),
        (from, to): (u64, u64),
        kind: Kind,
        reason: GapReason,
        (from_ms, to_ms): (i64, i64),
    ) {
        let Some(host) = self.host.as_ref().map(|host| host.id) else { return };
        let (epoch, lane) = key;
        let arrived_ms = now.millis();
        let record = GapRecord { host, epoch, lane, from, to, reason, from_ms, to_ms, arrived_ms };
        // Of a forgotten epoch the store knows no mark: there the gap takes all seqs from the first.
        let source_from = if kind == Kind::Expired { 1 } else { from };
        let source = Source::Gap { host, epoch, lane, from: source_from, to };
        self.commit(now, key, (from, to), kind, GAP_BYTES, source, vec![Record::Gap(record)]);
    }

    fn took(&mut self, key: (Epoch, Lane), to: u64) {
        self.tracks.entry(key).or_insert_with(Track::unknown).took(to);
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of the append or of its bookkeeping")]
    fn commit(
        &mut self,
        now: Timestamp,
        key: (Epoch, Lane),
        (from, to): (u64, u64),
        kind: Kind,
        bytes: usize,
        source: Source,
        records: Vec<Record>,
    ) {
        if !self.is_open() {
            self.shared.counters.one(Count::BatchesFenced);
            return;
        }
        let (epoch, lane) = key;
        let append = Append { source, records, arrived: now, live: epoch >= self.newest };
        let token = self.outstanding.next_token();
        // Behind a failed commit a new one cannot be the mark's next: it waits for the same try.
        let (waiting, effect) = if self.outstanding.is_stalled() {
            (Some(append), None)
        } else {
            (None, Some(Effect::Commit { token, append }))
        };
        self.outstanding.push(Pending { token, epoch, lane, from, to, bytes, kind, waiting });
        self.effects.extend(effect);
    }
}
