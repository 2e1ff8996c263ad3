//! One moment of the store: what a query reads.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_common::label::{LabelSet, NAME};
use muster_common::matcher::Matcher;
use muster_common::sample::MetricKind;

use crate::columns::Columns;
use crate::error::{FileError, SelectError};
use crate::head::HeadReader;
use crate::head::index::SeriesIndex;
use crate::logs::tail::LineArrival;
use crate::postings::resolve;
use crate::segment::Segment;
use crate::segment::cursor::Cursor;
use crate::select::{Select, SeriesColumns};
use crate::shared::{Shared, Snapshot};

/// Series are looked at for cancellation in steps of this many.
const CANCEL_STEP: usize = 256;

/// Opened segments, sealed heads and the active head up to one arrival. It does not change; files it needs stay.
#[derive(Clone)]
pub struct View {
    pub(crate) shared: Arc<Shared>,
    pub(crate) snapshot: Arc<Snapshot>,
}

/// Where samples come from, lowest precedence first: segments by generation, then heads by generation.
enum Origin<'a> {
    Segment(RefCell<Cursor<'a>>),
    Head { reader: HeadReader, index: &'a Arc<SeriesIndex>, times: (i64, i64) },
}

/// A series of one origin that passes the matchers.
struct Found {
    labels: Arc<LabelSet>,
    kind: MetricKind,
    origin: u32,
    /// The slot, or the number in the segment.
    number: u32,
}

/// A slot of a head's index, with what stands there.
type Slotted = (u32, Arc<LabelSet>, MetricKind);

impl View {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let snapshot = shared.published.load();
        Self { shared, snapshot }
    }

    /// The selected series' samples, sorted by label set; where generations hold the same (series, ms) the latest stands.
    /// Segments that turn out to be damaged are left out: ask [`View::warnings`] afterwards.
    ///
    /// # Errors
    /// [`SelectError`]: a limit was passed, the query was cancelled, or the disk failed.
    pub fn select(&self, request: &Select<'_>) -> Result<Vec<SeriesColumns>, SelectError> {
        let origins = self.origins(request);
        let found = self.find(&origins, request)?;
        let (mut out, mut samples) = (Vec::new(), 0);
        for (place, same) in found.chunk_by(|a, b| a.labels == b.labels).enumerate() {
            if place % CANCEL_STEP == 0 {
                request.check_cancelled()?;
            }
            let mut columns = Columns::default();
            for one in same {
                self.read(&origins[one.origin as usize], one.number, request, &mut columns)?;
            }
            columns.settle();
            if columns.is_empty() {
                continue;
            }
            samples += columns.len();
            if samples > request.limits.samples_max {
                return Err(SelectError::TooManySamples { max: request.limits.samples_max });
            }
            let (labels, kind) = (same[0].labels.clone(), kind_of(same));
            out.push(SeriesColumns { labels, kind, millis: columns.millis, values: columns.values });
        }
        Ok(out)
    }

    /// The label sets of the selected series, sorted.
    ///
    /// # Errors
    /// As [`View::select`].
    pub fn series(&self, request: &Select<'_>) -> Result<Vec<Arc<LabelSet>>, SelectError> {
        let found = self.find(&self.origins(request), request)?;
        Ok(found.chunk_by(|a, b| a.labels == b.labels).map(|same| same[0].labels.clone()).collect())
    }

    /// The label names of the selected series, sorted.
    ///
    /// # Errors
    /// As [`View::select`].
    pub fn label_names(&self, request: &Select<'_>) -> Result<Vec<String>, SelectError> {
        let mut names = BTreeSet::new();
        if request.matchers.is_empty() {
            for name in self.all_names(request) {
                if !names.contains(&name) && self.has_value(&name, request)? {
                    names.insert(name);
                }
            }
        } else {
            for labels in self.series(request)? {
                for (name, _) in labels.iter().filter(|(name, _)| !names.contains(*name)).collect::<Vec<_>>() {
                    names.insert(name.to_owned());
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    /// The values of one label among the selected series, sorted.
    ///
    /// # Errors
    /// As [`View::select`].
    pub fn label_values(&self, name: &str, request: &Select<'_>) -> Result<Vec<String>, SelectError> {
        let mut values = BTreeSet::new();
        if request.matchers.is_empty() {
            self.each_value(name, request, &mut |value| {
                values.insert(value.to_owned());
                true
            })?;
        } else {
            for labels in self.series(request)? {
                if let Some(value) = labels.get(name).filter(|value| !values.contains(*value)) {
                    values.insert(value.to_owned());
                }
            }
        }
        Ok(values.into_iter().collect())
    }

    /// Metric names with their kinds, sorted by name.
    pub fn metadata(&self) -> Vec<(String, MetricKind)> {
        let mut metrics: BTreeMap<String, MetricKind> = BTreeMap::new();
        let mut note = |name: &str, kind: MetricKind| match metrics.get_mut(name) {
            Some(known) if kind != MetricKind::Untyped => *known = kind,
            Some(_) => {}
            None => {
                metrics.insert(name.to_owned(), kind);
            }
        };
        for segment in self.snapshot.segments.iter() {
            segment.metrics.iter().for_each(|(name, kind)| note(name, *kind));
        }
        for view in &self.snapshot.heads {
            let reader = view.head.reader(view.visible);
            view.head.index.values(NAME, &mut |name, slots| {
                if let Some(slot) = slots.into_iter().find(|&slot| reader.has(slot, i64::MIN, i64::MAX))
                    && let Some(one) = view.head.index.get(slot)
                {
                    note(name, one.kind);
                }
            });
        }
        metrics.into_iter().collect()
    }

    /// Samples of the selection as they were appended: each counted, also where a later one of the same time replaced it. What
    /// a ledger compares, since the last write hides doubles.
    ///
    /// # Errors
    /// As [`View::select`], and [`SelectError::Damaged`]: a count without a damaged segment would be a lie.
    pub fn raw_count(&self, request: &Select<'_>) -> Result<u64, SelectError> {
        let (cache, mut count) = (&self.shared.cache, 0);
        for origin in &self.origins(request) {
            match origin {
                Origin::Segment(cursor) => {
                    let cursor = &mut *cursor.borrow_mut();
                    let segment = cursor.segment;
                    let strict = |error| strict(segment, error);
                    for one in segment.find(cache, request.matchers).map_err(strict)? {
                        count += cursor.count(one.number, request.from_ms, request.to_ms).map_err(strict)?;
                    }
                }
                Origin::Head { reader, index, .. } => {
                    let slots = self.find_slots(index, request.matchers);
                    let counts = slots.iter().map(|(slot, ..)| reader.count(*slot, request.from_ms, request.to_ms));
                    count += counts.sum::<u64>();
                }
            }
        }
        Ok(count)
    }

    /// Lines that arrived before this are in the view (unless a delete hides them, or retention took them), others are not: what
    /// of a live tail the view gives as well. None: the view is of nothing.
    pub fn lines_end(&self) -> Option<LineArrival> {
        // The last head is the active one.
        let active = self.snapshot.heads.last()?;
        Some(LineArrival { generation: active.head.generation, block: active.lines_visible })
    }

    /// What an answer from this view must tell: segments that are not read because they are damaged.
    pub fn warnings(&self) -> Vec<String> {
        let health = self.shared.health.lock();
        let texts = health.quarantined.iter();
        texts.map(|(file, why)| format!("segment {file} is set aside ({why}): what it holds is missing")).collect()
    }

    /// How much it holds.
    pub fn stats(&self) -> ViewStats {
        let heads = &self.snapshot.heads;
        ViewStats {
            generation: heads.last().map_or(0, |view| view.head.generation),
            heads: heads.len(),
            head_samples: heads.iter().map(|view| view.head.samples()).sum(),
            segments: self.snapshot.segments.len(),
            segment_samples: self.snapshot.segments.iter().map(|segment| segment.header.samples).sum(),
            segment_bytes: self.snapshot.segments.iter().map(|segment| segment.header.file_bytes).sum(),
        }
    }

    fn origins(&self, request: &Select<'_>) -> Vec<Origin<'_>> {
        let segments = self.snapshot.segments.iter();
        let segments = segments.filter(|one| request.overlaps(one.header.min_ms, one.header.max_ms));
        let cursor = |segment| Origin::Segment(RefCell::new(Cursor::new(segment, &self.shared.cache)));
        let mut origins: Vec<Origin<'_>> = segments.map(|segment| cursor(segment)).collect();
        for view in &self.snapshot.heads {
            if let Some(times) = view.head.times().filter(|(min, max)| request.overlaps(*min, *max)) {
                let reader = view.head.reader(view.visible);
                origins.push(Origin::Head { reader, index: &view.head.index, times });
            }
        }
        origins
    }

    /// The matching series of all origins, by label set; those of one set by precedence.
    fn find(&self, origins: &[Origin<'_>], request: &Select<'_>) -> Result<Vec<Found>, SelectError> {
        let mut all: Vec<Found> = Vec::new();
        let mut resolved: Option<(u64, Vec<Slotted>)> = None;
        for (origin, from) in origins.iter().enumerate() {
            request.check_cancelled()?;
            let origin = origin as u32;
            let before = all.len();
            match from {
                Origin::Segment(cursor) => {
                    self.find_in_segment(&mut cursor.borrow_mut(), origin, request, &mut all)?;
                }
                Origin::Head { reader, index, .. } => {
                    // Heads in a row mostly share their index.
                    if resolved.as_ref().is_none_or(|(number, _)| *number != index.number()) {
                        resolved = Some((index.number(), self.find_slots(index, request.matchers)));
                    }
                    let slots = resolved.iter().flat_map(|(_, slots)| slots);
                    let used = slots.filter(|(slot, ..)| reader.has(*slot, request.from_ms, request.to_ms));
                    all.extend(used.map(|(slot, labels, kind)| Found {
                        labels: labels.clone(),
                        kind: *kind,
                        origin,
                        number: *slot,
                    }));
                    // As many series as one origin has, all origins together have at least.
                    if all.len() - before > request.limits.series_max {
                        return Err(SelectError::TooManySeries { max: request.limits.series_max });
                    }
                }
            }
        }
        // Stable: equal label sets stay in the order of precedence. Runs that are in order already cost one pass.
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
        if all.chunk_by(|a, b| a.labels == b.labels).count() > request.limits.series_max {
            return Err(SelectError::TooManySeries { max: request.limits.series_max });
        }
        Ok(all)
    }

    fn find_in_segment(
        &self,
        cursor: &mut Cursor<'_>,
        origin: u32,
        request: &Select<'_>,
        all: &mut Vec<Found>,
    ) -> Result<(), SelectError> {
        let segment = cursor.segment;
        let found = segment.find(&self.shared.cache, request.matchers).and_then(|mut found| {
            if !request.covers(segment.header.min_ms, segment.header.max_ms) {
                let mut kept = Vec::with_capacity(found.len());
                for one in found {
                    if cursor.has(one.number, request.from_ms, request.to_ms)? {
                        kept.push(one);
                    }
                }
                found = kept;
            }
            Ok(found)
        });
        match found {
            Ok(found) if found.len() > request.limits.series_max => {
                Err(SelectError::TooManySeries { max: request.limits.series_max })
            }
            Ok(found) => {
                let found = found.into_iter();
                all.extend(found.map(|one| Found { labels: one.labels, kind: one.kind, origin, number: one.number }));
                Ok(())
            }
            Err(error) => self.lenient(segment, error),
        }
    }

    /// Slots of an index whose labels pass, with what stands there; mostly in the order of label sets, where they are many.
    fn find_slots(&self, index: &SeriesIndex, matchers: &[Matcher]) -> Vec<Slotted> {
        let Ok(candidates) = resolve(index, matchers);
        let passes = |labels: &LabelSet| {
            candidates.unchecked.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name).unwrap_or("")))
        };
        let found = index.get_all(&index.roughly_ordered(candidates.series)).into_iter();
        found.filter(|(_, one)| passes(&one.labels)).map(|(slot, one)| (slot, one.labels, one.kind)).collect()
    }

    fn read(
        &self,
        origin: &Origin<'_>,
        number: u32,
        request: &Select<'_>,
        out: &mut Columns,
    ) -> Result<(), SelectError> {
        match origin {
            Origin::Head { reader, .. } => {
                reader.read(number, request.from_ms, request.to_ms, out);
                Ok(())
            }
            Origin::Segment(cursor) => {
                let cursor = &mut *cursor.borrow_mut();
                let read = cursor.read(number, request.from_ms, request.to_ms, out);
                read.or_else(|error| self.lenient(cursor.segment, error))
            }
        }
    }

    /// Damage sets the segment aside and the answer goes on without it; anything else is an error.
    fn lenient(&self, segment: &Segment, error: FileError) -> Result<(), SelectError> {
        if error.is_damage() {
            self.shared.quarantine(segment, &error);
            Ok(())
        } else {
            Err(SelectError::Io(error))
        }
    }

    fn all_names(&self, request: &Select<'_>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for origin in &self.origins(request) {
            match origin {
                Origin::Segment(cursor) => names.extend(cursor.borrow().segment.names().iter().cloned()),
                Origin::Head { index, .. } => names.extend(index.names().iter().map(|name| name.to_string())),
            }
        }
        names
    }

    fn has_value(&self, name: &str, request: &Select<'_>) -> Result<bool, SelectError> {
        let mut found = false;
        self.each_value(name, request, &mut |_| {
            found = true;
            false
        })?;
        Ok(found)
    }

    /// Calls `each` with the values of a label that a series with samples in the range has, until it answers `false`.
    fn each_value(
        &self,
        name: &str,
        request: &Select<'_>,
        each: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(), SelectError> {
        for origin in &self.origins(request) {
            request.check_cancelled()?;
            let mut more = true;
            match origin {
                Origin::Segment(cursor) => {
                    let cursor = &mut *cursor.borrow_mut();
                    if let Err(error) = self.segment_values(cursor, name, request, &mut |value| {
                        more = each(value);
                        more
                    }) {
                        self.lenient(cursor.segment, error)?;
                    }
                }
                Origin::Head { reader, index, times } => {
                    let (from_ms, to_ms) = if request.covers(times.0, times.1) {
                        (i64::MIN, i64::MAX)
                    } else {
                        (request.from_ms, request.to_ms)
                    };
                    index.values(name, &mut |value, slots| {
                        if more && slots.iter().any(|&slot| reader.has(slot, from_ms, to_ms)) {
                            more = each(value);
                        }
                    });
                }
            }
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn segment_values(
        &self,
        cursor: &mut Cursor<'_>,
        name: &str,
        request: &Select<'_>,
        each: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(), FileError> {
        let segment = cursor.segment;
        let Some(block) = segment.name_block(&self.shared.cache, name)? else { return Ok(()) };
        let covered = request.covers(segment.header.min_ms, segment.header.max_ms);
        for number in 0..block.len() {
            let mut used = covered;
            for &series in block.list(number) {
                used = used || cursor.has(series, request.from_ms, request.to_ms)?;
                if used {
                    break;
                }
            }
            if used && !each(block.value(number)) {
                break;
            }
        }
        Ok(())
    }
}

/// How much a view holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewStats {
    /// The active generation.
    pub generation: u64,
    pub heads: usize,
    pub head_samples: u64,
    pub segments: usize,
    pub segment_samples: u64,
    pub segment_bytes: u64,
}

/// The latest kind that is known.
fn kind_of(same: &[Found]) -> MetricKind {
    same.iter().rev().map(|one| one.kind).find(|&kind| kind != MetricKind::Untyped).unwrap_or(MetricKind::Untyped)
}

fn strict(segment: &Segment, error: FileError) -> SelectError {
    match error {
        FileError::Damaged { what, .. } => SelectError::Damaged { file: segment.file_name(), what: what.to_owned() },
        error => SelectError::Io(error),
    }
}
