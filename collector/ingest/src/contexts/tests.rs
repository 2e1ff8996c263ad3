use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::wire::message::WireLabel;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000)
}

fn epoch() -> Epoch {
    Epoch::new(1, 1)
}

fn host() -> HostLabels {
    HostLabels { id: HostId([1; 16]), name: "web1".to_owned(), labels: BTreeMap::new() }
}

fn entry(name: &str, labels: &[(&str, &str)]) -> SeriesEntry {
    let wire = |(name, value): &(&str, &str)| WireLabel { name: (*name).to_owned(), value: (*value).to_owned() };
    SeriesEntry { name: name.to_owned(), labels: labels.iter().map(wire).collect(), kind: 2, scale: 0 }
}

fn context(id: u32, series: Vec<SeriesEntry>) -> Context {
    let row = (0..series.len()).map(|number| number as f64).collect();
    Context { id, series, row, extensions: Vec::new() }
}

struct Bench {
    contexts: Contexts,
    pool: Arc<ContextPool>,
    budget: SeriesBudget,
    counters: Counters,
}

impl Bench {
    fn new(bytes_max: usize, pool_bytes_max: usize, series_max: usize) -> Self {
        let pool = ContextPool::new(pool_bytes_max);
        let contexts = Contexts::new(pool.clone(), bytes_max);
        Self { contexts, pool, budget: SeriesBudget::new(series_max, now()), counters: Counters::default() }
    }

    fn insert(&mut self, context: Context) -> Result<(), PoolFull> {
        self.contexts.insert(epoch(), context, &host(), &mut self.budget, now(), &self.counters)
    }

    fn usable(&mut self, id: u32) -> Arc<Resolved> {
        match self.contexts.find(epoch(), id) {
            Some(Known::Usable(resolved)) => resolved,
            other => panic!("context {id} is {other:?}"),
        }
    }
}

fn scrape(present: u8) -> Scrape {
    Scrape { at_ms: 5, present: vec![present], differs: vec![0], changes: Vec::new(), raw: Vec::new() }
}

fn names(resolved: &Resolved) -> Vec<&str> {
    resolved.table().series().iter().map(|series| series.labels.name()).collect()
}

#[test]
fn series_that_are_refused_are_left_out_and_their_samples_counted() {
    let mut bench = Bench::new(1 << 20, 1 << 20, 3);
    let series = vec![
        entry("a", &[]),
        entry("reserved", &[("source", "muster")]),
        entry("b", &[]),
        entry("b", &[]),
        entry("bad", &[("", "x")]),
        entry("c", &[]),
        entry("over", &[]),
    ];
    bench.insert(context(1, series)).unwrap();
    let resolved = bench.usable(1);
    assert_eq!(names(&resolved), ["a", "b", "c"]);
    let row = resolved.row(&scrape(0b0111_1111), &bench.counters).unwrap();
    assert_eq!((row.present, row.values), (None, vec![0.0, 2.0, 5.0]));
    let row = resolved.row(&scrape(0b0110_0010), &bench.counters).unwrap();
    assert_eq!((row.present, row.values), (Some(vec![0b100]), vec![5.0]));
    let value = |count| bench.counters.value(count);
    assert_eq!((value(Count::SeriesReserved), value(Count::SamplesReserved)), (1, 2));
    assert_eq!((value(Count::SeriesTwice), value(Count::SamplesTwice)), (1, 1));
    assert_eq!((value(Count::SeriesLabels), value(Count::SamplesLabels)), (1, 1));
    assert_eq!((value(Count::SeriesLimit), value(Count::SamplesSeriesLimit)), (1, 2));
    assert!(resolved.row(&scrape(0b1000_0000), &bench.counters).is_err(), "a bit beyond the context");
}

#[test]
fn all_present_needs_no_bitmap_and_a_part_keeps_its_own() {
    let mut bench = Bench::new(1 << 20, 1 << 20, 10);
    bench.insert(context(1, vec![entry("a", &[]), entry("b", &[])])).unwrap();
    let resolved = bench.usable(1);
    let row = resolved.row(&scrape(0b11), &bench.counters).unwrap();
    assert_eq!((row.present, row.values, row.at_ms), (None, vec![0.0, 1.0], 5));
    let row = resolved.row(&scrape(0b10), &bench.counters).unwrap();
    assert_eq!((row.present, row.values), (Some(vec![0b10]), vec![1.0]));
}

#[test]
fn a_new_context_of_the_same_dictionary_shares_the_table() {
    let mut bench = Bench::new(1 << 20, 1 << 20, 10);
    bench.insert(context(1, vec![entry("a", &[]), entry("b", &[])])).unwrap();
    bench.insert(context(2, vec![entry("a", &[]), entry("b", &[])])).unwrap();
    bench.insert(context(3, vec![entry("a", &[]), entry("c", &[])])).unwrap();
    assert!(Arc::ptr_eq(bench.usable(1).table(), bench.usable(2).table()));
    assert!(!Arc::ptr_eq(bench.usable(1).table(), bench.usable(3).table()));
    bench.contexts.clear();
    assert!(bench.contexts.find(epoch(), 1).is_none());
    assert_eq!(bench.pool.used_bytes(), 0);
}

#[test]
fn the_cache_is_bounded_by_its_own_bytes_and_the_least_used_goes() {
    let one = 256 + 237;
    let mut bench = Bench::new(2 * one, 1 << 20, 10);
    bench.insert(context(1, vec![entry("a", &[])])).unwrap();
    bench.insert(context(2, vec![entry("b", &[])])).unwrap();
    bench.usable(1);
    bench.insert(context(3, vec![entry("c", &[])])).unwrap();
    assert!(bench.contexts.find(epoch(), 2).is_none());
    assert_eq!(bench.counters.value(Count::ContextsEvicted), 1);
    assert_eq!(bench.pool.used_bytes(), 2 * one);
    bench.usable(1);
    bench.usable(3);
    let large: Vec<SeriesEntry> = (0..10).map(|number| entry(&format!("m{number}"), &[])).collect();
    bench.insert(context(4, large)).unwrap();
    let text = match bench.contexts.find(epoch(), 4) {
        Some(Known::Refused(why)) => why.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(text.starts_with("context 4 needs 2626 bytes of 986"), "{text}");
    drop(bench.contexts);
    assert_eq!(bench.pool.used_bytes(), 0);
}

#[test]
fn all_sessions_together_are_bounded_too() {
    let one = 256 + 237;
    let mut bench = Bench::new(1 << 20, one, 10);
    let mut other = Contexts::new(bench.pool.clone(), 1 << 20);
    bench.insert(context(1, vec![entry("a", &[])])).unwrap();
    let mut budget = SeriesBudget::new(10, now());
    let full = other.insert(epoch(), context(1, vec![entry("a", &[])]), &host(), &mut budget, now(), &bench.counters);
    assert_eq!(full, Err(PoolFull));
    bench.insert(context(2, vec![entry("b", &[])])).unwrap();
    assert!(bench.contexts.find(epoch(), 1).is_none(), "a session makes room by its own");
}
