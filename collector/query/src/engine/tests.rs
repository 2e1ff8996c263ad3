use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::promql::script::{fetch_from, series};

fn data() -> Vec<Columns> {
    (0..20).map(|host| series(&format!("m{{host=\"{host:02}\"}} 0+1x100"), 10_000)).collect()
}

fn engine(change: impl FnOnce(&mut Limits)) -> Engine {
    let mut limits = Limits::default();
    change(&mut limits);
    Engine::new(limits)
}

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

/// What was read for this query: matchers and times.
fn readings(query: &str, times: (i64, i64, i64)) -> Vec<(String, i64, i64)> {
    let (data, seen) = (data(), RefCell::new(Vec::new()));
    let fetch = |request: &Request<'_>| {
        let matchers: Vec<String> = request.matchers.iter().map(ToString::to_string).collect();
        seen.borrow_mut().push((matchers.join(","), request.from_ms, request.to_ms));
        fetch_from(&data, request)
    };
    Engine::default().range_over(&fetch, query, times, &control()).unwrap();
    let mut seen = seen.into_inner();
    seen.sort();
    seen
}

#[test]
fn each_selector_is_read_once_for_just_its_times() {
    let (from, to, step) = (600_000, 900_000, 60_000);
    let check = |query: &str, expected: &[(i64, i64)]| {
        let got: Vec<_> = readings(query, (from, to, step)).into_iter().map(|(_, from, to)| (from, to)).collect();
        assert_eq!(got, expected, "{query}");
    };
    check("m", &[(300_001, 900_000)]);
    check("rate(m[1m])", &[(540_001, 900_000)]);
    check("m offset 1m", &[(240_001, 840_000)]);
    check("m @ 100", &[(-199_999, 100_000)]);
    check("rate(m[1m] @ end() offset 1m)", &[(780_001, 840_000)]);
    // A grid from the first multiple of 40 s after 600 s - 2 min; then the lookback.
    check("sum_over_time(m[2m:40s])", &[(520_000 - 299_999, 880_000)]);
    check("sum_over_time(m[2m:40s] @ 100)", &[(-299_999, 80_000)]);
    // Alike selectors share what overlaps, also with their matchers in another order.
    check("m + m", &[(300_001, 900_000)]);
    check("m{a=\"\", b=\"\"} + m{b=\"\", a=\"\"}", &[(300_001, 900_000)]);
    check("rate(m[1m]) + m", &[(300_001, 900_000)]);
    check("m - m offset 1d", &[(300_001 - 86_400_000, 900_000 - 86_400_000), (300_001, 900_000)]);
    // A quoted name may look like two matchers.
    check(r#"m{a="", b=""} + m{"a=\"\",b"=""}"#, &[(300_001, 900_000), (300_001, 900_000)]);
    check("1 + vector(2)", &[]);
    // No multiple of 1 h in the window: nothing to read.
    check("sum_over_time(m[1m:1h])", &[]);
}

#[test]
fn limits_are_named() {
    let data = data();
    let fetch = |request: &Request<'_>| fetch_from(&data, request);
    let range = |engine: &Engine, query: &str| {
        engine.range_over(&fetch, query, (0, 600_000, 10_000), &control()).map(|_| ()).unwrap_err()
    };
    let few_samples = engine(|limits| limits.samples_max = 1_000);
    for query in ["m", "rate(m[5m])", "vector(1) + on () group_right sum_over_time(m[10m:1s])"] {
        let error = range(&few_samples, query);
        assert!(matches!(error, QueryError::TooMuch { .. }), "{query}: {error:?}");
        assert_eq!(error.error_type(), "execution");
    }
    // What is read fits, what is computed does not.
    let one = engine(|limits| limits.samples_max = 700);
    let error = range(&one, "sum_over_time(m{host=\"00\"}[1m:1s])");
    assert!(error.to_string().contains("query processing would load too many samples into memory"), "{error}");
    let error = range(&one, "sum_over_time(vector(time())[10m:1s])");
    assert!(error.to_string().contains("subquery has"), "{error}");
    // Values that come again after a while make long rows of few points.
    let error = range(&one, "count_values(\"v\", m{host=\"00\"} % 30)");
    assert!(error.to_string().contains("query processing would load too many samples into memory"), "{error}");
    let few_series = engine(|limits| limits.series_max = 3);
    assert!(matches!(range(&few_series, "m"), QueryError::TooMuch { .. }));
    let few_points = engine(|limits| limits.points_max = 10);
    let error = range(&few_points, "m");
    assert_eq!(
        error.to_string(),
        "exceeded maximum resolution of 10 points per timeseries. Try decreasing the query resolution (?step=XX)"
    );
    assert_eq!(error.error_type(), "bad_data");
}

#[test]
fn wrong_times_are_refused() {
    let fetch = |_: &Request<'_>| Ok(Vec::new());
    let range = |times| Engine::default().range_over(&fetch, "m", times, &control()).map(|_| ());
    for (times, text) in [
        ((10, 0, 1), "end timestamp must not be before start time"),
        ((0, 10, 0), "zero or negative query resolution step widths are not accepted. Try a positive integer"),
        ((0, 10, -5), "zero or negative query resolution step widths are not accepted. Try a positive integer"),
        ((i64::MIN, 10, 5), "out of range"),
        ((0, i64::MAX, 5), "out of range"),
    ] {
        let error = range(times).unwrap_err();
        assert!(error.to_string().contains(text) && error.error_type() == "bad_data", "{error}");
    }
    assert!(range((0, 0, i64::MAX)).is_ok());
    assert!(range((-TIME_MS_MAX, -TIME_MS_MAX + 5, 1)).is_ok());
    let far = Engine::default().instant_over(&fetch, "m[292y:] offset -292y", TIME_MS_MAX, &control());
    assert!(matches!(far, Err(QueryError::TooMuch { .. })), "{far:?}");
}

#[test]
fn a_query_ends_when_it_is_told_to() {
    let data = data();
    let cancelled = control();
    let fetch = |request: &Request<'_>| {
        cancelled.cancelled.store(true, Ordering::Relaxed);
        fetch_from(&data, request)
    };
    let error = Engine::default().instant_over(&fetch, "sum(m)", 100_000, &cancelled).unwrap_err();
    assert_eq!(
        (error.error_type(), error.to_string()),
        ("canceled", "query was canceled in expression evaluation".into())
    );
    let fetch = |request: &Request<'_>| fetch_from(&data, request);
    let late = Control::new(Duration::ZERO);
    let error = Engine::default().instant_over(&fetch, "sum(m)", 100_000, &late).unwrap_err();
    assert_eq!((error.error_type(), error.to_string()), ("timeout", "query timed out in expression evaluation".into()));
    let short = engine(|limits| limits.timeout = Duration::ZERO);
    assert_eq!(short.instant_over(&fetch, "m", 100_000, &control()), Err(QueryError::Timeout));
}

#[test]
fn what_the_store_cannot_do_is_passed_on() {
    for (failure, kind) in [
        (SourceError::Failed("disk on fire".into()), "internal"),
        (SourceError::TooMuch("too many series".into()), "execution"),
        (SourceError::Cancelled, "canceled"),
    ] {
        let fetch = |_: &Request<'_>| Err(failure.clone());
        let error = Engine::default().instant_over(&fetch, "sum(rate(m[5m]))", 0, &control()).unwrap_err();
        assert_eq!(error.error_type(), kind);
    }
}

#[test]
fn counters_by_kind_are_not_doubted() {
    let mut data = vec![series("requests 0+1x100", 10_000)];
    let infos = |data: &[Columns]| {
        let fetch = |request: &Request<'_>| fetch_from(data, request);
        Engine::default().instant_over(&fetch, "sum(\n  rate(requests[5m]))", 600_000, &control()).unwrap().infos
    };
    let text = "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \
                \"requests\" (2:8)";
    assert_eq!(infos(&data), [text]);
    data[0].kind = muster_common::sample::MetricKind::Counter;
    assert!(infos(&data).is_empty());
}

#[test]
fn evaluation_of_the_deepest_and_longest_expressions_fits_the_stack() {
    let data = data();
    let work = move || {
        let fetch = |request: &Request<'_>| fetch_from(&data, request);
        let engine = Engine::default();
        let run = |query: &str| engine.range_over(&fetch, query, (0, 60_000, 30_000), &control());
        for (open, close) in [
            ("(", ")"),
            ("-", ""),
            ("abs(", ")"),
            ("sum by (host) (", ")"),
            ("2^", ""),
            ("label_join(", ",'a','')"),
            ("vector(scalar(", "))"),
            ("topk(1,", ")"),
            ("max_over_time(", "[5m:1m])"),
            ("1+(", ")"),
        ] {
            let depth = if open.len() >= 14 || open == "1+(" { 60 } else { 120 };
            run(&format!("{}m{}", open.repeat(depth), close.repeat(depth))).unwrap();
        }
        run(&vec!["m"; crate::limits::CHAIN_MAX].join(" or ")).unwrap();
        run(&vec!["1"; crate::limits::CHAIN_MAX].join(" + ")).unwrap();
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

/// The same series in a real store on a disk in memory.
fn stored(data: &[Columns]) -> muster_store::Parts {
    use muster_common::disk::cut::CutDisk;
    use muster_common::time::Timestamp;
    use muster_store::{Append, Config, Outcome, Point, Record, SampleBlock, SeriesTable, Source};

    let now = Timestamp::from_millis(2_000_000);
    let mut random = 0;
    let mut next = || {
        random += 1;
        random
    };
    let disk = std::sync::Arc::new(CutDisk::new(1));
    let mut parts = muster_store::open(disk, Config::new("/data"), now, &mut next).unwrap();
    let table = SeriesTable::new(data.iter().map(|one| ((*one.labels).clone(), one.kind)).collect());
    let samples = |(number, one): (usize, &Columns)| {
        let series = u32::try_from(number).unwrap();
        let point = move |(at_ms, value): (&i64, &f64)| Point { series, at_ms: *at_ms, value: *value };
        one.millis.iter().zip(&one.values).map(point).collect::<Vec<_>>()
    };
    let points = data.iter().enumerate().flat_map(samples).collect();
    let records = vec![Record::Samples(SampleBlock::Points { table: std::sync::Arc::new(table), points })];
    let source = Source::Http { body: 1, stamped: true };
    let outcomes = parts.writer.commit(&[Append { source, records, arrived: now, live: true }], now).unwrap();
    assert!(matches!(outcomes[..], [Outcome::Committed { .. }]), "{outcomes:?}");
    parts
}

#[test]
fn a_store_answers_the_same_before_and_after_a_flush() {
    let mut data = data();
    data.push(series("gone{host=\"00\"} 1 2 stale _ 5", 10_000));
    let parts = stored(&data);
    let fetch = |request: &Request<'_>| fetch_from(&data, request);
    let engine = Engine::default();
    let queries = [
        "m",
        "sum(rate(m[1m]))",
        "m{host=~\"0.*\"} > 10",
        "gone",
        "gone or on () vector(1)",
        "topk(3, m)",
        "sum_over_time(m[1m:20s] offset 30s)",
        "count by (__name__) ({host=\"00\"})",
        "m - m @ 100",
        "absent(nothing)",
    ];
    for flushed in [false, true] {
        if flushed {
            parts.admin.flush(true, muster_common::time::Timestamp::from_millis(2_100_000)).unwrap();
        }
        let view = parts.reader.view();
        for query in queries {
            let own = engine.range(&view, query, 0, 900_000, 30_000, &control());
            assert_eq!(own, engine.range_over(&fetch, query, (0, 900_000, 30_000), &control()), "{query}");
            let own = engine.instant(&view, query, 45_000, &control());
            assert_eq!(own, engine.instant_over(&fetch, query, 45_000, &control()), "{query}");
        }
        let small = Engine::new(Limits { series_max: 3, ..Limits::default() });
        assert!(matches!(small.instant(&view, "m", 45_000, &control()), Err(QueryError::TooMuch { .. })));
        let cancelled = control();
        cancelled.cancelled.store(true, Ordering::Relaxed);
        assert_eq!(engine.instant(&view, "m", 45_000, &cancelled), Err(QueryError::Cancelled));
    }
}
