//! One commit's appends as bytes (LAYOUT.md, "blob"): what they say in one part, all sample values in another.
//!
//! A blob decodes with nothing but its own inbox file's series table: times, values and decisions are absolute (rule 18).

use std::io;
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, GapReason, Lane};

use super::blob_logs::{LOGS, RANGE, decode_logs, decode_range, put_logs, put_range};
use super::positions::Lost;
use crate::append::{Append, GapRecord, Point, Record, ReportRecord, Row, SampleBlock, Source, StateRecord};
use crate::bytes::{Bytes, Squeezer, expand, put_signed, put_values, put_varint, values};
use crate::logs::record::{LogBlock, RangeRecord};

/// Meta under this size is not compressed: the frame would eat the gain.
const META_SQUEEZE_MIN: usize = 512;

const LIVE: u8 = 1;
const ROWS: u8 = 1;
const POINTS: u8 = 2;
const GAP: u8 = 3;
/// 4 and 5 are of `blob_logs`.
const REPORT: u8 = 6;

/// Builds blobs; buffers and the zstd context are kept from one to the next.
pub(crate) struct BlobEncoder {
    squeezer: Squeezer,
    first_entry: u64,
    appends: u32,
    meta: Vec<u8>,
    values: Vec<u8>,
    lines: Vec<u8>,
    blob: Vec<u8>,
}

impl BlobEncoder {
    pub(crate) fn new() -> io::Result<Self> {
        let (meta, values, lines, blob) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(Self { squeezer: Squeezer::new()?, first_entry: 0, appends: 0, meta, values, lines, blob })
    }

    pub(crate) fn begin(&mut self, first_entry: u64) {
        (self.first_entry, self.appends) = (first_entry, 0);
        self.meta.clear();
        self.values.clear();
        self.lines.clear();
    }

    /// Adds one append. `slots`: of each sample block's table, in order. `state`: its records of small state, cuts applied.
    /// `lost`: what its ranges lose, in order.
    pub(crate) fn add(&mut self, append: &Append, slots: &[Arc<[u32]>], state: &[StateRecord], lost: &[Lost]) {
        self.appends += 1;
        self.put_source(&append.source);
        self.meta.extend(append.arrived.nanos().to_le_bytes());
        self.meta.push(if append.live { LIVE } else { 0 });
        put_varint(&mut self.meta, append.records.len() as u64);
        let mut gaps = state.iter().filter_map(|record| match record {
            StateRecord::Gap(gap) => Some(gap),
            StateRecord::LogLoss(_) | StateRecord::Report(_) => None,
        });
        let (mut slots, mut lost) = (slots.iter(), lost.iter().peekable());
        for (place, record) in append.records.iter().enumerate() {
            match record {
                Record::Samples(block) => {
                    let slots: &[u32] = slots.next().map_or(&[], |slots| slots);
                    match block {
                        SampleBlock::Rows { rows, .. } => self.put_rows(slots, rows),
                        SampleBlock::Points { points, .. } => self.put_points(slots, points),
                    }
                }
                Record::Gap(_) => {
                    if let Some(gap) = gaps.next() {
                        self.put_gap(gap);
                    }
                }
                Record::Logs(block) => put_logs(&mut self.meta, &mut self.lines, block),
                Record::Range(range) => {
                    put_range(&mut self.meta, range, lost.next_if(|lost| lost.record == place));
                }
                Record::Report(report) => self.put_report(report),
            }
        }
    }

    /// The blob of all that was added since `begin`.
    pub(crate) fn finish(&mut self) -> io::Result<&[u8]> {
        self.blob.clear();
        self.blob.extend(self.first_entry.to_le_bytes());
        self.blob.extend(self.appends.to_le_bytes());
        let lengths_at = self.blob.len();
        self.blob.extend([0; 16]);
        let meta_stored = if self.meta.len() < META_SQUEEZE_MIN {
            self.blob.extend_from_slice(&self.meta);
            self.meta.len()
        } else {
            self.squeezer.squeeze(&self.meta, &mut self.blob)?
        };
        let values_stored =
            if self.values.is_empty() { 0 } else { self.squeezer.squeeze(&self.values, &mut self.blob)? };
        for (place, length) in [self.meta.len(), meta_stored, self.values.len(), values_stored].into_iter().enumerate()
        {
            let length = u32::try_from(length).map_err(|_| io::Error::other("a commit of over 4 GiB"))?;
            self.blob[lengths_at + 4 * place..][..4].copy_from_slice(&length.to_le_bytes());
        }
        if !self.lines.is_empty() {
            // Only where there are some: other blobs end with the values.
            let lengths_at = self.blob.len();
            self.blob.extend([0; 8]);
            let stored = self.squeezer.squeeze(&self.lines, &mut self.blob)?;
            for (place, length) in [self.lines.len(), stored].into_iter().enumerate() {
                let length = u32::try_from(length).map_err(|_| io::Error::other("a commit of over 4 GiB"))?;
                self.blob[lengths_at + 4 * place..][..4].copy_from_slice(&length.to_le_bytes());
            }
        }
        Ok(&self.blob)
    }

    fn put_source(&mut self, source: &Source) {
        let meta = &mut self.meta;
        match *source {
            Source::Batch { host, epoch, lane, seq } => {
                meta.push(0);
                put_lane(meta, host, epoch, lane);
                meta.extend(seq.to_le_bytes());
            }
            Source::Gap { host, epoch, lane, from, to } => {
                meta.push(1);
                put_lane(meta, host, epoch, lane);
                meta.extend(from.to_le_bytes());
                meta.extend(to.to_le_bytes());
            }
            Source::Http { body, stamped } => {
                meta.push(2);
                meta.extend(body.to_le_bytes());
                meta.push(u8::from(stamped));
            }
            Source::Own { run, tick } => {
                meta.push(3);
                meta.extend(run.0);
                meta.extend(tick.to_le_bytes());
            }
        }
    }

    fn put_rows(&mut self, slots: &[u32], rows: &[Row]) {
        self.meta.push(ROWS);
        put_slots(&mut self.meta, slots);
        put_varint(&mut self.meta, rows.len() as u64);
        let mut last_ms = 0;
        for row in rows {
            put_signed(&mut self.meta, row.at_ms.wrapping_sub(last_ms));
            last_ms = row.at_ms;
            match &row.present {
                None => self.meta.push(0),
                Some(present) => {
                    self.meta.push(1);
                    self.meta.extend_from_slice(present);
                }
            }
            put_values(&mut self.values, &row.values);
        }
    }

    fn put_points(&mut self, slots: &[u32], points: &[Point]) {
        self.meta.push(POINTS);
        put_varint(&mut self.meta, points.len() as u64);
        let (mut last_slot, mut last_ms) = (0, 0);
        for point in points {
            let slot = i64::from(slots[point.series as usize]);
            put_signed(&mut self.meta, slot - last_slot);
            put_signed(&mut self.meta, point.at_ms.wrapping_sub(last_ms));
            (last_slot, last_ms) = (slot, point.at_ms);
        }
        self.values.reserve(points.len() * 8);
        points.iter().for_each(|point| self.values.extend(point.value.to_le_bytes()));
    }

    fn put_report(&mut self, report: &ReportRecord) {
        self.meta.push(REPORT);
        self.meta.extend(report.host.0);
        put_varint(&mut self.meta, report.report.len() as u64);
        self.meta.extend_from_slice(&report.report);
    }

    fn put_gap(&mut self, gap: &GapRecord) {
        self.meta.push(GAP);
        put_lane(&mut self.meta, gap.host, gap.epoch, gap.lane);
        self.meta.extend(gap.from.to_le_bytes());
        self.meta.extend(gap.to.to_le_bytes());
        self.meta.push(reason_number(gap.reason));
        for ms in [gap.from_ms, gap.to_ms, gap.arrived_ms] {
            self.meta.extend(ms.to_le_bytes());
        }
    }
}

fn put_lane(meta: &mut Vec<u8>, host: HostId, epoch: Epoch, lane: Lane) {
    meta.extend(host.0);
    meta.extend(epoch.0);
    meta.push(lane as u8);
}

/// Runs of consecutive slots: a host's series mostly are one.
fn put_slots(meta: &mut Vec<u8>, slots: &[u32]) {
    let runs = slots.chunk_by(|a, b| a.checked_add(1) == Some(*b));
    put_varint(meta, slots.chunk_by(|a, b| a.checked_add(1) == Some(*b)).count() as u64);
    for run in runs {
        put_varint(meta, u64::from(run[0]));
        put_varint(meta, run.len() as u64);
    }
}

/// The stored number of a reason; new ones are added at the end.
const REASONS: [GapReason; 6] = [
    GapReason::SpoolFull,
    GapReason::Thinned,
    GapReason::Expired,
    GapReason::Refused,
    GapReason::Lost,
    GapReason::Closed,
];

fn reason_number(reason: GapReason) -> u8 {
    REASONS.iter().position(|&one| one == reason).unwrap_or(0) as u8
}

/// One append read back.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) entry: u64,
    pub(crate) arrived: Timestamp,
    pub(crate) live: bool,
    pub(crate) samples: Vec<Samples>,
    pub(crate) logs: Vec<LogBlock>,
    /// For people and later projections: their positions have done their work.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by tests alone so far"))]
    pub(crate) ranges: Vec<RangeRecord>,
    pub(crate) state: Vec<StateRecord>,
}

/// Samples by slot of the file they stand in.
#[derive(Debug, PartialEq)]
pub(crate) enum Samples {
    Row { at_ms: i64, slots: Vec<u32>, values: Vec<f64> },
    Points(Vec<(u32, i64, f64)>),
}

/// The appends of a blob; without `with_values` only their records of small state. `None`: the bytes are damaged.
pub(crate) fn decode(blob: &[u8], with_values: bool) -> Option<Vec<Entry>> {
    let mut rest = Bytes(blob);
    let (first_entry, appends) = (rest.u64()?, rest.u32()?);
    let [meta_plain, meta_stored, values_plain, values_stored] =
        [rest.u32()? as usize, rest.u32()? as usize, rest.u32()? as usize, rest.u32()? as usize];
    let (stored, squeezed) = (rest.take(meta_stored)?, rest.take(values_stored)?);
    let expanded;
    let meta = if meta_plain < META_SQUEEZE_MIN {
        stored
    } else {
        expanded = expand(stored, meta_plain)?;
        &expanded
    };
    let plain = if with_values && values_plain > 0 { expand(squeezed, values_plain)? } else { Vec::new() };
    let text = if rest.is_empty() { Vec::new() } else { decode_lines(&mut rest, with_values)? };
    let (mut meta, mut values, mut lines) = (Bytes(meta), Bytes(&plain), Bytes(&text));
    let mut entries = Vec::new();
    for entry in first_entry..first_entry.checked_add(u64::from(appends))? {
        entries.push(decode_entry(entry, &mut meta, &mut values, &mut lines, with_values)?);
    }
    (rest.is_empty() && meta.is_empty() && values.is_empty() && lines.is_empty()).then_some(entries)
}

fn decode_lines(rest: &mut Bytes<'_>, with_lines: bool) -> Option<Vec<u8>> {
    let (plain, stored) = (rest.u32()? as usize, rest.u32()? as usize);
    let squeezed = rest.take(stored)?;
    if with_lines { expand(squeezed, plain) } else { Some(Vec::new()) }
}

fn decode_entry(
    entry: u64,
    meta: &mut Bytes<'_>,
    column: &mut Bytes<'_>,
    lines: &mut Bytes<'_>,
    with_values: bool,
) -> Option<Entry> {
    // For people and later projections, but for the host: the mark has done its work.
    let host = decode_source(meta)?.host();
    let (arrived, flags, records) = (Timestamp::from_nanos(meta.i64()?), meta.u8()?, meta.count()?);
    let (mut samples, mut logs, mut ranges, mut state) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..records {
        match meta.u8()? {
            ROWS => decode_rows(meta, column, with_values, &mut samples)?,
            POINTS => decode_points(meta, column, with_values, &mut samples)?,
            GAP => state.push(StateRecord::Gap(decode_gap(meta)?)),
            REPORT => state.push(StateRecord::Report(decode_report(meta)?)),
            LOGS => decode_logs(meta, lines, with_values, &mut logs)?,
            RANGE => {
                let (range, lost) = decode_range(meta)?;
                if let Some((bytes, from_ms)) = lost {
                    state.push(range.loss(host?, bytes, from_ms, arrived.millis()));
                }
                ranges.push(range);
            }
            _ => return None,
        }
    }
    Some(Entry { entry, arrived, live: flags & LIVE != 0, samples, logs, ranges, state })
}

fn decode_source(meta: &mut Bytes<'_>) -> Option<Source> {
    Some(match meta.u8()? {
        0 => {
            let (host, epoch, lane) = decode_lane(meta)?;
            Source::Batch { host, epoch, lane, seq: meta.u64()? }
        }
        1 => {
            let (host, epoch, lane) = decode_lane(meta)?;
            Source::Gap { host, epoch, lane, from: meta.u64()?, to: meta.u64()? }
        }
        2 => Source::Http { body: u128::from_le_bytes(meta.array()?), stamped: meta.u8()? != 0 },
        3 => Source::Own { run: Epoch(meta.array()?), tick: meta.u64()? },
        _ => return None,
    })
}

fn decode_lane(meta: &mut Bytes<'_>) -> Option<(HostId, Epoch, Lane)> {
    Some((HostId(meta.array()?), Epoch(meta.array()?), Lane::from_u8(meta.u8()?)?))
}

fn decode_slots(meta: &mut Bytes<'_>) -> Option<Vec<u32>> {
    let runs = meta.count()?;
    let mut slots = Vec::new();
    for _ in 0..runs {
        let (first, length) = (meta.varint_u32()?, meta.varint_u32()?);
        // A file has far fewer series; a damaged length must not fill memory.
        let end = first.checked_add(length).filter(|_| length <= 1 << 26)?;
        slots.extend(first..end);
    }
    Some(slots)
}

fn decode_rows(meta: &mut Bytes<'_>, column: &mut Bytes<'_>, with_values: bool, out: &mut Vec<Samples>) -> Option<()> {
    let slots = decode_slots(meta)?;
    let (rows, mut at_ms) = (meta.count()?, 0i64);
    for _ in 0..rows {
        at_ms = at_ms.wrapping_add(meta.signed()?);
        let present = match meta.u8()? {
            0 => None,
            1 => Some(meta.take(slots.len().div_ceil(8))?),
            _ => return None,
        };
        if !with_values {
            continue;
        }
        let slots = match present {
            None => slots.clone(),
            Some(bits) => {
                let set = slots.iter().enumerate().filter(|(i, _)| bits[i / 8] >> (i % 8) & 1 == 1);
                set.map(|(_, &slot)| slot).collect()
            }
        };
        let bytes = column.take(slots.len() * 8)?;
        out.push(Samples::Row { at_ms, slots, values: values(bytes).collect() });
    }
    Some(())
}

fn decode_points(
    meta: &mut Bytes<'_>,
    column: &mut Bytes<'_>,
    with_values: bool,
    out: &mut Vec<Samples>,
) -> Option<()> {
    let count = meta.count()?;
    let mut points = Vec::with_capacity(if with_values { count } else { 0 });
    let (mut slot, mut at_ms) = (0i64, 0i64);
    for _ in 0..count {
        slot = slot.checked_add(meta.signed()?)?;
        at_ms = at_ms.wrapping_add(meta.signed()?);
        let slot = u32::try_from(slot).ok()?;
        if with_values {
            points.push((slot, at_ms, f64::from_le_bytes(column.array()?)));
        }
    }
    if with_values {
        out.push(Samples::Points(points));
    }
    Some(())
}

fn decode_report(meta: &mut Bytes<'_>) -> Option<ReportRecord> {
    let host = HostId(meta.array()?);
    let bytes = meta.count()?;
    Some(ReportRecord { host, report: meta.take(bytes)?.into() })
}

fn decode_gap(meta: &mut Bytes<'_>) -> Option<GapRecord> {
    let (host, epoch, lane) = decode_lane(meta)?;
    let (from, to) = (meta.u64()?, meta.u64()?);
    let reason = *REASONS.get(usize::from(meta.u8()?))?;
    let (from_ms, to_ms, arrived_ms) = (meta.i64()?, meta.i64()?, meta.i64()?);
    Some(GapRecord { host, epoch, lane, from, to, reason, from_ms, to_ms, arrived_ms })
}

#[cfg(test)]
mod tests {
    use muster_common::label::LabelSet;
    use muster_common::sample::{MetricKind, STALE_BITS, stale};

    use super::*;
    use crate::table::SeriesTable;

    fn gap() -> GapRecord {
        let (host, epoch) = (HostId([1; 16]), Epoch::new(5, 6));
        GapRecord {
            host,
            epoch,
            lane: Lane::P1,
            from: 2,
            to: 9,
            reason: GapReason::Lost,
            from_ms: 1,
            to_ms: 2,
            arrived_ms: 3,
        }
    }

    fn report() -> ReportRecord {
        ReportRecord { host: HostId([1; 16]), report: [1, 2, 3].into() }
    }

    fn blob() -> Vec<u8> {
        let series = (0..10).map(|i| (LabelSet::new([("__name__", format!("m{i}"))]).unwrap(), MetricKind::Gauge));
        let table = Arc::new(SeriesTable::new(series.collect()));
        let slots: Arc<[u32]> = [7, 8, 9, 10, 3, 4, 5, 100, 101, 0].into();
        let rows = vec![
            Row { at_ms: 1_700_000_000_000, present: None, values: (0..10).map(f64::from).collect() },
            Row { at_ms: -5, present: Some(vec![0b101, 0b10]), values: vec![stale(), f64::INFINITY, -0.0] },
        ];
        let points = vec![Point { series: 9, at_ms: 1, value: 2.5 }, Point { series: 0, at_ms: i64::MIN, value: 3.5 }];
        let records = vec![
            Record::Samples(SampleBlock::Rows { table: table.clone(), rows }),
            Record::Gap(gap()),
            Record::Samples(SampleBlock::Points { table, points }),
            Record::Report(report()),
        ];
        let source = Source::Batch { host: HostId([1; 16]), epoch: Epoch::new(5, 6), lane: Lane::P1, seq: 3 };
        let append = Append { source, records, arrived: Timestamp::from_nanos(77), live: true };
        let http = Source::Http { body: 5, stamped: true };
        let empty = Append { source: http, records: Vec::new(), arrived: Timestamp::from_nanos(78), live: false };
        let mut encoder = BlobEncoder::new().unwrap();
        encoder.begin(40);
        let state = [StateRecord::Gap(gap()), StateRecord::Report(report())];
        encoder.add(&append, &[slots.clone(), slots], &state, &[]);
        encoder.add(&empty, &[], &[], &[]);
        encoder.finish().unwrap().to_vec()
    }

    #[test]
    fn a_blob_says_all_that_was_appended() {
        let entries = decode(&blob(), true).unwrap();
        assert_eq!(entries.len(), 2);
        let first = &entries[0];
        assert_eq!((first.entry, first.arrived.nanos(), first.live), (40, 77, true));
        assert_eq!(first.state, [StateRecord::Gap(gap()), StateRecord::Report(report())]);
        let Samples::Row { at_ms, slots, values } = &first.samples[1] else { panic!("{first:?}") };
        assert_eq!((*at_ms, &slots[..]), (-5, &[7, 9, 0][..]));
        assert_eq!((values[0].to_bits(), values[2].to_bits()), (STALE_BITS, (-0.0f64).to_bits()));
        assert_eq!(first.samples[2], Samples::Points(vec![(0, 1, 2.5), (7, i64::MIN, 3.5)]));
        assert_eq!((entries[1].entry, entries[1].live, entries[1].samples.len()), (41, false, 0));
        let state_only = decode(&blob(), false).unwrap();
        assert!(state_only[0].samples.is_empty() && state_only[0].state.len() == 2);
    }

    #[test]
    fn cut_or_changed_bytes_never_panic() {
        let blob = blob();
        for cut in 0..blob.len() {
            assert!(decode(&blob[..cut], true).is_none(), "cut at {cut}");
        }
        for at in 0..blob.len() {
            for bit in 0..8 {
                let mut changed = blob.clone();
                changed[at] ^= 1 << bit;
                let _ = decode(&changed, true);
            }
        }
    }
}
