//! From a decompressed body to blocks of samples: which series, which samples, what is refused and why.

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::label::{LabelSet, SeriesId};
use muster_store::{Point, Record, SampleBlock, SeriesTable, TableSeries};
use parking_lot::RwLock;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::series::{Place, RawKey, Refusal, SeriesCache, TABLES_MAX, kind_of_number, resolve};
use super::walker::{Request, WalkError, walk, walk_labels};
use crate::admit::{TimeBounds, TimeRefusal};
use crate::counters::{Count, Counters};
use crate::host_labels::SeriesRefusal;
use crate::http::speaker::Speaker;

/// Reads bodies. One for all requests: the cache is shared.
pub struct Intake {
    cache: RwLock<SeriesCache>,
    /// Seeds the keys, so that nobody can make two series share one.
    seed: u64,
}

/// A body, read and admitted.
#[derive(Debug, Default)]
pub struct Admitted {
    pub records: Vec<Record>,
    pub samples: u64,
    /// Memory until it is committed.
    pub bytes: usize,
    /// Every sample carries a time, so that the body can be compared with earlier ones.
    pub stamped: bool,
    /// Samples that were not taken.
    pub refused: u64,
    /// The first refusal, with series and limit, for the answer.
    pub first_refusal: Option<String>,
}

impl Intake {
    pub fn new(series_max: usize, seed: u64) -> Self {
        Self { cache: RwLock::new(SeriesCache::new(series_max)), seed }
    }

    /// Series in the cache.
    pub fn cached_series(&self) -> usize {
        self.cache.read().len()
    }

    /// The registry has changed: label sets may resolve to others.
    pub fn forget(&self) {
        self.cache.write().clear();
    }

    /// Reads a body whole, then admits series by series and sample by sample.
    ///
    /// # Errors
    /// [`WalkError`]: nothing of a body that is no write request is taken.
    pub fn admit(
        &self,
        body: &[u8],
        speaker: &Speaker,
        bounds: TimeBounds,
        counters: &Counters,
    ) -> Result<Admitted, WalkError> {
        let request = walk(body)?;
        let keys = self.keys(&request, speaker);
        self.note_kinds(&request);
        self.resolve_missing(&request, &keys, speaker, counters);
        let mut gathered = Gathered::default();
        self.gather(&request, &keys, bounds, counters, &mut gathered);
        if gathered.blocks.len() > TABLES_MAX {
            gathered = self.move_together(&keys, gathered);
        }
        Ok(gathered.admitted())
    }

    fn keys(&self, request: &Request<'_>, speaker: &Speaker) -> Vec<RawKey> {
        // Who may speak for hosts resolves to other label sets, under other keys.
        let seed = self.seed ^ u64::from(speaker.speaks_for_hosts);
        let key = |labels: &[u8]| xxh3_128_with_seed(labels, seed);
        let mut keys: Vec<RawKey> = request.series.iter().map(|series| key(series.labels)).collect();
        for (at, labels) in &request.scattered {
            keys[*at] = key(labels);
        }
        keys
    }

    fn note_kinds(&self, request: &Request<'_>) {
        if request.metadata.is_empty() {
            return;
        }
        let mut cache = self.cache.write();
        for metadata in &request.metadata {
            if let Ok(family) = std::str::from_utf8(metadata.family) {
                cache.note_kind(family, kind_of_number(metadata.kind));
            }
        }
    }

    fn resolve_missing(&self, request: &Request<'_>, keys: &[RawKey], speaker: &Speaker, counters: &Counters) {
        let mut found: Vec<(RawKey, Result<LabelSet, Refusal>)> = Vec::new();
        let mut aging: Vec<RawKey> = Vec::new();
        {
            let cache = self.cache.read();
            for (at, key) in keys.iter().enumerate() {
                if cache.find(*key).is_none() {
                    found.push((*key, resolve(labels_of(request, at), speaker)));
                } else if cache.is_aging(*key) {
                    aging.push(*key);
                }
            }
        }
        if found.is_empty() && aging.is_empty() {
            return;
        }
        for (_, result) in &found {
            if let Err(refusal) = result {
                counters.one(counts(refusal).0);
            }
        }
        found.sort_by_key(|(key, _)| *key);
        found.dedup_by_key(|(key, _)| *key);
        let mut cache = self.cache.write();
        for key in aging {
            if let Some(place) = cache.find(key).cloned() {
                cache.insert(key, place);
            }
        }
        if !found.is_empty() {
            cache.add(found);
        }
    }

    fn gather(
        &self,
        request: &Request<'_>,
        keys: &[RawKey],
        bounds: TimeBounds,
        counters: &Counters,
        gathered: &mut Gathered,
    ) {
        gathered.stamped = true;
        let mut last = 0;
        let cache = self.cache.read();
        for (at, (series, key)) in request.series.iter().zip(keys).enumerate() {
            let end = request.series.get(at + 1).map_or(request.samples.len(), |next| next.first_sample as usize);
            let samples = &request.samples[series.first_sample as usize..end];
            if series.histograms > 0 {
                counters.add(Count::SamplesHistogram, u64::from(series.histograms));
                gathered.refuse(u64::from(series.histograms), || {
                    format!("{}: native histograms are not stored: send classic ones", shown(request, at))
                });
            }
            match cache.find(*key) {
                Some(Place::In { table, series }) => {
                    last = gathered.block(table, last);
                    for sample in samples {
                        gathered.stamped &= sample.is_stamped;
                        if let Err(refusal) = bounds.admit(sample.at_ms) {
                            counters.one(time_count(refusal));
                            gathered.refuse(1, || time_text(request, at, sample.at_ms, refusal));
                            continue;
                        }
                        let point = Point { series: *series, at_ms: sample.at_ms, value: sample.value };
                        gathered.blocks[last].1.push(point);
                    }
                }
                Some(Place::Refused(refusal)) => {
                    counters.add(counts(refusal).1, samples.len() as u64);
                    gathered.refuse(samples.len() as u64, || format!("{}: {refusal}", shown(request, at)));
                }
                // It was put in a moment ago; another request with a million new series has pushed it out since.
                None => gathered.refuse(samples.len() as u64, || {
                    format!("{}: the series cache is too small for these requests", shown(request, at))
                }),
            }
        }
    }

    /// All series of this request into one table, here and for the requests to come.
    fn move_together(&self, keys: &[RawKey], gathered: Gathered) -> Gathered {
        let mut cache = self.cache.write();
        let mut series: Vec<TableSeries> = Vec::with_capacity(keys.len());
        let mut seen: HashMap<SeriesId, u32> = HashMap::with_capacity(keys.len());
        let mut place_of = |one: &TableSeries| {
            // Bounded by the series of one request, far below u32.
            let next = series.len() as u32;
            let place = *seen.entry(one.id).or_insert(next);
            if place == next {
                series.push(one.clone());
            }
            place
        };
        let mut places: Vec<(RawKey, u32)> = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(Place::In { table, series }) = cache.find(*key) {
                places.push((*key, place_of(&table.series()[*series as usize])));
            }
        }
        let mut points = Vec::with_capacity(gathered.blocks.iter().map(|(_, points)| points.len()).sum());
        for (table, block) in &gathered.blocks {
            let moved = |point: &Point| Point { series: place_of(&table.series()[point.series as usize]), ..*point };
            points.extend(block.iter().map(moved));
        }
        let shared = series.into_iter().map(|one| (one.id, one.labels, one.kind));
        let table = Arc::new(SeriesTable::shared(shared));
        cache.settle(&places, &table);
        Gathered { blocks: vec![(table, points)], ..gathered }
    }
}

#[derive(Default)]
struct Gathered {
    blocks: Vec<(Arc<SeriesTable>, Vec<Point>)>,
    stamped: bool,
    refused: u64,
    first_refusal: Option<String>,
}

impl Gathered {
    /// The block of this table; the last one is asked first.
    fn block(&mut self, table: &Arc<SeriesTable>, last: usize) -> usize {
        if self.blocks.get(last).is_some_and(|(one, _)| Arc::ptr_eq(one, table)) {
            return last;
        }
        match self.blocks.iter().position(|(one, _)| Arc::ptr_eq(one, table)) {
            Some(at) => at,
            None => {
                self.blocks.push((table.clone(), Vec::new()));
                self.blocks.len() - 1
            }
        }
    }

    fn refuse(&mut self, samples: u64, text: impl FnOnce() -> String) {
        self.refused += samples;
        self.first_refusal.get_or_insert_with(text);
    }

    fn admitted(self) -> Admitted {
        let samples: usize = self.blocks.iter().map(|(_, points)| points.len()).sum();
        let blocks = self.blocks.into_iter().filter(|(_, points)| !points.is_empty());
        let records = blocks.map(|(table, points)| Record::Samples(SampleBlock::Points { table, points }));
        Admitted {
            records: records.collect(),
            samples: samples as u64,
            bytes: 256 + samples * std::mem::size_of::<Point>(),
            stamped: self.stamped,
            refused: self.refused,
            first_refusal: self.first_refusal,
        }
    }
}

fn labels_of<'a>(request: &'a Request<'_>, at: usize) -> &'a [u8] {
    match request.scattered.binary_search_by_key(&at, |(series, _)| *series) {
        Ok(found) => &request.scattered[found].1,
        Err(_) => request.series[at].labels,
    }
}

fn counts(refusal: &Refusal) -> (Count, Count) {
    match refusal {
        Refusal::Series(SeriesRefusal::Reserved) => (Count::SeriesReserved, Count::SamplesReserved),
        _ => (Count::SeriesLabels, Count::SamplesLabels),
    }
}

const fn time_count(refusal: TimeRefusal) -> Count {
    match refusal {
        TimeRefusal::Future => Count::SamplesFuture,
        TimeRefusal::TooOld => Count::SamplesTooOld,
    }
}

fn time_text(request: &Request<'_>, at: usize, at_ms: i64, refusal: TimeRefusal) -> String {
    let why = match refusal {
        TimeRefusal::Future => "is more than 10 min ahead of the collector's clock: set the sender's clock",
        TimeRefusal::TooOld => "is older than the retention: raise [retention] metrics, or do not send it",
    };
    format!("{}: the sample time {at_ms} ms {why}", shown(request, at))
}

/// A series as its sender would know it, shortened; bytes that are no text are replaced.
fn shown(request: &Request<'_>, at: usize) -> String {
    const SHOWN_CHARS_MAX: usize = 200;
    let Ok(labels) = walk_labels(labels_of(request, at)) else { return format!("series {at}") };
    let mut text = String::from("series {");
    for (place, (name, value)) in labels.iter().enumerate() {
        let comma = if place > 0 { ", " } else { "" };
        text.push_str(&format!("{comma}{}={:?}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
        if text.len() > SHOWN_CHARS_MAX {
            break;
        }
    }
    let mut text: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use muster_common::time::Timestamp;

    use super::*;
    use crate::remote_write::tests::Body;

    const NOW: i64 = 1_700_000_000_000;

    fn intake() -> Intake {
        Intake::new(1000, 42)
    }

    fn admit(intake: &Intake, body: Body) -> Admitted {
        let bounds = TimeBounds::at(Timestamp::from_millis(NOW), Duration::from_secs(3600));
        intake.admit(&body.bytes(), &Speaker::default(), bounds, &Counters::default()).unwrap()
    }

    /// `labels@time=value` of each sample.
    fn told(admitted: &Admitted) -> Vec<String> {
        let mut told = Vec::new();
        for record in &admitted.records {
            let Record::Samples(SampleBlock::Points { table, points }) = record else { panic!("points only") };
            for point in points {
                let labels = &table.series()[point.series as usize].labels;
                told.push(format!("{labels}@{}={}", point.at_ms - NOW, point.value));
            }
        }
        told
    }

    fn table(admitted: &Admitted) -> Arc<SeriesTable> {
        match &admitted.records[0] {
            Record::Samples(SampleBlock::Points { table, .. }) => table.clone(),
            _ => panic!("points only"),
        }
    }

    fn two() -> Body {
        Body::new()
            .series(&[("__name__", "a"), ("job", "x")], &[(1.0, NOW), (2.0, NOW + 1)])
            .series(&[("__name__", "b")], &[(3.0, NOW)])
    }

    #[test]
    fn samples_come_out_once_and_steady_requests_share_a_table() {
        let intake = intake();
        let first = admit(&intake, two());
        assert_eq!((first.samples, first.refused, first.stamped), (3, 0, true));
        let mut all = told(&first);
        all.sort();
        assert_eq!(all, [r#"a{job="x"}@0=1"#, r#"a{job="x"}@1=2"#, "b@0=3"]);
        let second = admit(&intake, two());
        assert!(Arc::ptr_eq(&table(&first), &table(&second)));
        intake.forget();
        assert!(!Arc::ptr_eq(&table(&first), &table(&admit(&intake, two()))));
    }

    #[test]
    fn a_bad_series_is_named_and_the_others_are_taken() {
        let body = Body::new()
            .series(&[("__name__", "a"), ("source", "muster")], &[(1.0, NOW)])
            .series(&[("__name__", "a"), ("b", "1"), ("b", "2")], &[(1.0, NOW), (1.0, NOW)])
            .series(&[("__name__", "late")], &[(1.0, NOW - 3_600_001), (2.0, NOW)])
            .series(&[("__name__", "early")], &[(1.0, NOW + 600_001)]);
        let admitted = admit(&intake(), body);
        assert_eq!((admitted.samples, admitted.refused), (1, 5));
        assert_eq!(told(&admitted), ["late@0=2"]);
        let text = admitted.first_refusal.unwrap();
        assert!(text.starts_with(r#"series {__name__="a", source="muster"}: label `source="muster"`"#), "{text}");
    }

    #[test]
    fn samples_without_a_time_are_not_compared() {
        let bounds = TimeBounds { from_ms: i64::MIN, to_ms: i64::MAX };
        let mut series = crate::remote_write::tests::label_fields(&[("__name__", "a")]);
        series.extend([0x12, 0]);
        let body = Body::new().raw_series(&series).bytes();
        let admitted = intake().admit(&body, &Speaker::default(), bounds, &Counters::default()).unwrap();
        assert_eq!((admitted.samples, admitted.stamped), (1, false));
    }

    #[test]
    fn series_that_lie_in_many_tables_move_together() {
        let intake = intake();
        let name = |number: usize| format!("m{number}");
        for number in 0..40 {
            admit(&intake, Body::new().series(&[("__name__", &name(number))], &[(1.0, NOW)]));
        }
        let all = || {
            (0..40)
                .fold(Body::new(), |body, number| body.series(&[("__name__", &name(number))], &[(number as f64, NOW)]))
        };
        let together = admit(&intake, all());
        assert_eq!((together.records.len(), together.samples), (1, 40));
        assert_eq!(told(&together)[39], "m39@0=39");
        assert!(Arc::ptr_eq(&table(&together), &table(&admit(&intake, all()))));
    }

    #[test]
    fn two_spellings_of_one_series_are_one_series() {
        let body = Body::new()
            .series(&[("__name__", "a"), ("b", "1")], &[(1.0, NOW)])
            .series(&[("b", "1"), ("__name__", "a")], &[(2.0, NOW + 1)]);
        let mut all = told(&admit(&intake(), body));
        all.sort();
        assert_eq!(all, [r#"a{b="1"}@0=1"#, r#"a{b="1"}@1=2"#]);
    }
}
