//! Lines of a view: found by stream, gathered part by part, given in one of three orders.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use memchr::memmem::Finder;
use muster_common::label::LabelSet;

use super::delete::{Cuts, cuts, touching};
use super::gather::{Found, Gathered, Gatherer, Origin, Overflow};
use super::record::LogClass;
use super::select::{LogEntryRef, LogOrder, LogSelect, LogVolume, is_before};
use super::write::millis;
use crate::error::SelectError;
use crate::shared::add;
use crate::view::View;

/// Bytes of lines held at once: sorting them costs more than gathering above that.
const HELD_MAX: usize = 32 << 20;
/// What a part is aimed at once it is known how much of what is looked at is held.
const HELD_AIM: u64 = HELD_MAX as u64 / 8 * 5;
/// How much larger the next part may be: each part reads every group that reaches into it.
const GROWTH_MAX: u64 = 16;
/// What the first part is to look at: the last hundred lines should not cost a search of all.
const FIRST_BYTES: u64 = 1 << 20;
/// The same where only lines with a text are held.
const FIRST_BYTES_SEARCHED: u64 = 8 << 20;

type Each<'a> = dyn FnMut(&Arc<LabelSet>, &LogEntryRef<'_>) -> ControlFlow<()> + 'a;

/// The streams that were found, and where they are read from.
struct Selection<'a> {
    gatherer: Gatherer<'a>,
    /// By label set, those of one set by precedence.
    found: Vec<Found>,
    /// Each label set's part of `found`.
    sets: Vec<Range<usize>>,
    /// Times of all that was found, both included; none: nothing was.
    times: Option<(i64, i64)>,
    /// About the bytes of lines that overlap.
    estimate: u64,
}

impl View {
    /// Calls `each` with the selected lines in the order asked for, until it breaks. Segments that turn out to be damaged are
    /// left out: ask [`View::warnings`] afterwards.
    ///
    /// # Errors
    /// [`SelectError`]: a limit was passed, the query was cancelled, or the disk failed.
    pub fn logs(&self, request: &LogSelect<'_>, each: &mut Each<'_>) -> Result<(), SelectError> {
        let mut selection = self.find_logs(request)?;
        let Some((min_ns, max_ns)) = selection.times else { return Ok(()) };
        let times = (request.from_ns.max(min_ns), request.to_ns.min(max_ns.saturating_add(1)));
        let all = 0..selection.sets.len();
        let mut looked_at = 0;
        match request.order {
            LogOrder::ByStream => selection.by_stream(times, &mut looked_at, each).map(drop),
            LogOrder::Forward => selection.by_time(all, times, true, &mut looked_at, each).map(drop),
            LogOrder::Backward => selection.by_time(all, times, false, &mut looked_at, each).map(drop),
        }
    }

    /// The label sets of the selected streams that have a line within the times, sorted; needles are not looked at.
    ///
    /// # Errors
    /// As [`View::logs`].
    pub fn log_streams(&self, request: &LogSelect<'_>) -> Result<Vec<Arc<LabelSet>>, SelectError> {
        let request = &LogSelect { needles: &[], ..*request };
        let mut selection = self.find_logs(request)?;
        let mut out = Vec::new();
        for set in selection.sets.clone() {
            request.check_cancelled()?;
            for place in set.clone() {
                if selection.count(place, true)?.entries > 0 {
                    out.push(selection.found[place].labels.clone());
                    break;
                }
            }
        }
        Ok(out)
    }

    /// The label names of the selected streams, sorted.
    ///
    /// # Errors
    /// As [`View::logs`].
    pub fn log_label_names(&self, request: &LogSelect<'_>) -> Result<Vec<String>, SelectError> {
        let streams = self.log_streams(request)?;
        let names: BTreeSet<&str> = streams.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    /// The values of one label among the selected streams, sorted.
    ///
    /// # Errors
    /// As [`View::logs`].
    pub fn log_label_values(&self, name: &str, request: &LogSelect<'_>) -> Result<Vec<String>, SelectError> {
        let streams = self.log_streams(request)?;
        let values: BTreeSet<&str> = streams.iter().filter_map(|labels| labels.get(name)).collect();
        Ok(values.into_iter().map(str::to_owned).collect())
    }

    /// How much the selection holds; needles are not looked at.
    ///
    /// # Errors
    /// As [`View::logs`].
    pub fn log_volume(&self, request: &LogSelect<'_>) -> Result<LogVolume, SelectError> {
        let request = &LogSelect { needles: &[], ..*request };
        let mut selection = self.find_logs(request)?;
        let mut volume = LogVolume::default();
        for set in selection.sets.clone() {
            request.check_cancelled()?;
            let before = volume.entries;
            for place in set {
                let one = selection.count(place, false)?;
                volume.chunks += one.chunks;
                volume.entries += one.entries;
                volume.bytes += one.bytes;
            }
            volume.streams += u64::from(volume.entries > before);
        }
        Ok(volume)
    }

    fn find_logs<'a>(&'a self, request: &'a LogSelect<'a>) -> Result<Selection<'a>, SelectError> {
        let needles: Vec<&Vec<u8>> = request.needles.iter().filter(|needle| !needle.is_empty()).collect();
        let mut finders: Vec<Finder<'_>> = needles.into_iter().map(Finder::new).collect();
        // The longest is the rarest, most likely.
        finders.sort_by_key(|finder| std::cmp::Reverse(finder.needle().len()));
        let gatherer = Gatherer { shared: &self.shared, request, origins: Vec::new(), finders, damaged: Vec::new() };
        let mut selection = Selection { gatherer, found: Vec::new(), sets: Vec::new(), times: None, estimate: 0 };
        for class in LogClass::ALL {
            for segment in self.snapshot.logs[class as usize].iter() {
                let header = &segment.base.header;
                if header.max_ms >= millis(request.from_ns) && header.min_ms <= millis(request.to_ns) {
                    request.check_cancelled()?;
                    selection.add_segment(self, segment)?;
                }
            }
            for view in &self.snapshot.heads {
                let head = view.head.logs.class(class);
                let overlaps = |&(min, max): &(i64, i64)| max >= request.from_ns && is_before(min, request.to_ns);
                let Some(times) = head.times().filter(overlaps) else { continue };
                let tombstones = touching(&self.snapshot, view.head.generation, 0);
                let streams = head.find(request.matchers, view.lines_visible);
                let found = streams.iter().map(|one| (one.labels.clone(), cuts(&tombstones, &one.labels)));
                let found: Vec<(Arc<LabelSet>, Cuts)> = found.collect();
                selection.estimate += view.head.logs.bytes();
                selection.add(Origin::Head(streams), found, times);
            }
        }
        selection.settle()?;
        Ok(selection)
    }
}

impl Selection<'_> {
    fn add_segment(&mut self, view: &View, segment: &Arc<super::segment::LogSegment>) -> Result<(), SelectError> {
        let (shared, request) = (self.gatherer.shared, self.gatherer.request);
        let looked_up = segment
            .base
            .find(&shared.cache, request.matchers)
            .and_then(|found| Ok((found, segment.groups_by_tokens(&shared.cache, request.needles)?)));
        let (streams, groups) = match looked_up {
            Ok(found) => found,
            Err(error) if error.is_damage() => {
                shared.quarantine_log(segment, &error);
                return Ok(());
            }
            Err(error) => return Err(SelectError::Io(error)),
        };
        let overlaps =
            |group: &super::group::GroupRow| group.max_ns >= request.from_ns && is_before(group.min_ns, request.to_ns);
        let overlapping = (0..).zip(&segment.groups).filter(|(_, group)| overlaps(group));
        let wanted = |(number, _): &(u32, _)| groups.as_ref().is_none_or(|groups| groups.contains(number));
        let skipped = overlapping.clone().filter(|one| !wanted(one)).count();
        add(&shared.counters.log_groups_skipped, skipped as u64);
        let within = overlapping.filter(wanted).map(|(_, group)| group);
        let times = within.clone().map(|group| (group.min_ns, group.max_ns));
        let Some(times) = times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else { return Ok(()) };
        self.estimate += within.map(|group| group.raw).sum::<u64>();
        let tombstones = touching(&view.snapshot, segment.base.header.hi, segment.cleaned);
        let origin = self.gatherer.origins.len() as u32;
        self.found.extend(streams.into_iter().map(|one| Found {
            cuts: cuts(&tombstones, &one.labels),
            labels: one.labels,
            origin,
            number: one.number,
        }));
        self.note(Origin::Segment { segment: segment.clone(), groups }, times);
        Ok(())
    }

    fn add(&mut self, origin: Origin, found: Vec<(Arc<LabelSet>, Cuts)>, times: (i64, i64)) {
        let number = self.gatherer.origins.len() as u32;
        let found = found.into_iter().enumerate();
        self.found.extend(found.map(|(place, (labels, cuts))| Found {
            labels,
            origin: number,
            number: place as u32,
            cuts,
        }));
        self.note(origin, times);
    }

    fn note(&mut self, origin: Origin, (min, max): (i64, i64)) {
        self.gatherer.origins.push(origin);
        self.gatherer.damaged.push(false);
        self.times = Some(self.times.map_or((min, max), |(a, b)| (a.min(min), b.max(max))));
    }

    fn settle(&mut self) -> Result<(), SelectError> {
        // Stable: equal label sets stay in the order of precedence.
        self.found.sort_by(|a, b| a.labels.cmp(&b.labels));
        let mut start = 0;
        for same in self.found.chunk_by(|a, b| a.labels == b.labels) {
            self.sets.push(start..start + same.len());
            start += same.len();
        }
        let max = self.gatherer.request.limits.streams_max;
        if self.sets.len() > max { Err(SelectError::TooManyStreams { max }) } else { Ok(()) }
    }

    /// Gathers some label sets' lines within some times.
    fn gather(
        &mut self,
        sets: &Range<usize>,
        times: (i64, i64),
        held_max: usize,
        out: &mut Gathered,
    ) -> Result<Result<(), Overflow>, SelectError> {
        let mut streams = Vec::new();
        for (place, set) in self.sets[sets.clone()].iter().enumerate() {
            let place = (sets.start + place) as u32;
            streams.extend(self.found[set.clone()].iter().map(|found| (place, found)));
        }
        self.gatherer.gather(&streams, times, held_max, out)
    }

    fn spend(&self, out: &Gathered, looked_at: &mut u64) -> Result<(), SelectError> {
        *looked_at += out.looked_at;
        let max = self.gatherer.request.limits.bytes_max;
        if *looked_at > max { Err(SelectError::TooManyBytes { max }) } else { Ok(()) }
    }

    fn labels(&self, set: u32) -> &Arc<LabelSet> {
        &self.found[self.sets[set as usize].start].labels
    }

    /// The part of `whole` that holds about the bytes that the first part is to have.
    fn first_part(&self, whole: u64) -> u64 {
        let aim = if self.gatherer.finders.is_empty() { FIRST_BYTES } else { FIRST_BYTES_SEARCHED };
        match self.estimate.div_ceil(aim) {
            0 | 1 => whole,
            parts => (whole / parts).max(1),
        }
    }

    fn by_stream(
        &mut self,
        times: (i64, i64),
        looked_at: &mut u64,
        each: &mut Each<'_>,
    ) -> Result<ControlFlow<()>, SelectError> {
        let (mut out, mut start) = (Gathered::default(), 0);
        let mut count = self.first_part(self.sets.len() as u64) as usize;
        while start < self.sets.len() {
            let part = start..self.sets.len().min(start.saturating_add(count));
            if let Err(Overflow) = self.gather(&part, times, HELD_MAX, &mut out)? {
                if part.len() > 1 {
                    count = part.len() / 2;
                    continue;
                }
                // One stream of more than that: piece by piece.
                if self.by_time(part.clone(), times, true, looked_at, each)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                start = part.end;
                continue;
            }
            self.spend(&out, looked_at)?;
            out.sort_by_stream();
            for (set, entry) in out.iter() {
                if each(self.labels(set), &entry).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            start = part.end;
            count = usize::try_from(grown(count as u64, out.held())).unwrap_or(usize::MAX);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Window by window, each as long as what it holds allows. `to` of `times` is excluded.
    fn by_time(
        &mut self,
        sets: Range<usize>,
        times: (i64, i64),
        forward: bool,
        looked_at: &mut u64,
        each: &mut Each<'_>,
    ) -> Result<ControlFlow<()>, SelectError> {
        let (mut out, (mut from, mut to)) = (Gathered::default(), times);
        let mut width = self.first_part(to.wrapping_sub(from).cast_unsigned()).max(1);
        loop {
            if from >= to && !(from == i64::MAX && to == i64::MAX) {
                return Ok(ControlFlow::Continue(()));
            }
            let left = to.wrapping_sub(from).cast_unsigned();
            let whole = width >= left;
            let window = match (whole, forward) {
                (true, _) => (from, to),
                (false, true) => (from, from.wrapping_add_unsigned(width)),
                (false, false) => (to.wrapping_sub_unsigned(width), to),
            };
            // Lines of one nanosecond cannot be told apart by time.
            let held_max = if width.min(left) <= 1 { usize::MAX } else { HELD_MAX };
            if let Err(Overflow) = self.gather(&sets, window, held_max, &mut out)? {
                width = (width.min(left) / 2).max(1);
                continue;
            }
            self.spend(&out, looked_at)?;
            out.sort_by_time();
            let mut give = |(set, entry): (u32, LogEntryRef<'_>)| each(self.labels(set), &entry);
            let flow =
                if forward { out.iter().try_for_each(&mut give) } else { out.iter().rev().try_for_each(&mut give) };
            if flow.is_break() || whole {
                return Ok(flow);
            }
            (from, to) = if forward { (window.1, to) } else { (from, window.0) };
            width = grown(width, out.held());
        }
    }

    /// What one stream of one origin holds; with `any` only whether it holds something.
    fn count(&mut self, place: usize, any: bool) -> Result<LogVolume, SelectError> {
        let found = &self.found[place];
        let (origin, request) = (found.origin as usize, self.gatherer.request);
        let mut volume = LogVolume::default();
        if self.gatherer.damaged[origin] {
            return Ok(volume);
        }
        match &self.gatherer.origins[origin] {
            Origin::Head(streams) => {
                streams[found.number as usize].each(request.from_ns, request.to_ns, &mut |(at_ns, line, fields)| {
                    if !found.cuts.hide(at_ns) {
                        volume.entries += 1;
                        volume.bytes += (line.len() + fields.len()) as u64;
                    }
                    !(any && volume.entries > 0)
                });
                volume.chunks = u64::from(volume.entries > 0);
                Ok(volume)
            }
            Origin::Segment { segment, .. } => {
                let counted = count_segment(self.gatherer.shared, segment, found, request, any);
                match counted {
                    Ok(volume) => Ok(volume),
                    Err(error) => self.gatherer.lenient(origin, error).map(|()| LogVolume::default()),
                }
            }
        }
    }
}

/// The size of the next part, after one of this size that held so much.
fn grown(size: u64, held: usize) -> u64 {
    let held = (held as u64).max(1);
    if held >= HELD_AIM {
        return size;
    }
    let aimed = u128::from(size) * u128::from(HELD_AIM) / u128::from(held);
    u64::try_from(aimed).unwrap_or(u64::MAX).min(size.saturating_mul(GROWTH_MAX))
}

fn count_segment(
    shared: &crate::shared::Shared,
    segment: &super::segment::LogSegment,
    found: &Found,
    request: &LogSelect<'_>,
    any: bool,
) -> Result<LogVolume, crate::error::FileError> {
    let mut volume = LogVolume::default();
    let header = &segment.base.header;
    let covered = millis(request.from_ns) < header.min_ms && millis(request.to_ns) > header.max_ms;
    if any && covered && found.cuts.is_empty() {
        // A stream of a segment has a line there.
        return Ok(LogVolume { entries: 1, ..volume });
    }
    for group in segment.groups_with(found.number, found.number) {
        let row = &segment.groups[group];
        if row.max_ns < request.from_ns || !is_before(row.min_ns, request.to_ns) {
            continue;
        }
        let alone = row.first == found.number && row.last == found.number && found.cuts.is_empty();
        if alone && row.min_ns >= request.from_ns && is_before(row.max_ns, request.to_ns) {
            volume.chunks += 1;
            volume.entries += u64::from(row.rows);
            volume.bytes += row.raw;
        } else {
            let rows = segment.rows(&shared.log_cache, group)?;
            let run = rows.run_of(found.number).map(|run| rows.within(run, request.from_ns, request.to_ns));
            let seen = run.unwrap_or(0..0).filter(|&row| !found.cuts.hide(rows.times[row]));
            let before = volume.entries;
            for row in seen {
                volume.entries += 1;
                volume.bytes += rows.raw(&(row..row + 1));
            }
            volume.chunks += u64::from(volume.entries > before);
        }
        if any && volume.entries > 0 {
            break;
        }
    }
    Ok(volume)
}
