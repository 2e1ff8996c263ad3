//! Quantiles of classic histograms: series that share all labels but `le`, the upper bound of their bucket.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use muster_common::label::NAME;

use crate::error::QueryError;
use crate::promql::ast::Call;
use crate::promql::eval::{ABSENT, Evaluator, Grid, Out, Row, Rows, SeriesLabels};

const BUCKET_LABEL: &str = "le";

/// Two counts nearer than this part of their sum are taken for equal: they differ by rounding.
const SAME_COUNT: f64 = 1e-12;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    upper: f64,
    count: f64,
}

/// The buckets of one histogram: upper bounds with their rows.
struct Histogram {
    labels: SeriesLabels,
    buckets: Vec<(f64, usize)>,
}

/// `histogram_quantile(q, buckets)`.
pub(crate) fn histogram_quantile(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    let quantile = evaluator.scalar(&call.args[0], grid)?;
    evaluator.check_quantile(&quantile, grid, call.args[0].span.start);
    let rows = evaluator.vector(&call.args[1], grid)?;
    let (histograms, bad) = gather(&rows);
    let at = call.args[1].span.start;
    for (name, value) in bad {
        let of_metric = if name.is_empty() { String::new() } else { format!(" for metric name {name:?}") };
        let text = format!("bucket label \"le\" is missing or has a malformed value of {value:?}{of_metric}");
        evaluator.notes.warn(at, &text);
    }
    let mut out = Vec::with_capacity(histograms.len());
    let mut cells = vec![ABSENT; grid.steps];
    let mut buckets = Vec::new();
    let mut forced = false;
    for histogram in histograms {
        evaluator.control.check()?;
        cells.fill(ABSENT);
        for (step, cell) in cells.iter_mut().enumerate() {
            buckets.clear();
            for (upper, index) in &histogram.buckets {
                buckets.extend(rows.rows[*index].get(step).map(|count| Bucket { upper: *upper, count }));
            }
            if !buckets.is_empty() {
                *cell = bucket_quantile(quantile.at(step), &mut buckets, &mut forced);
            }
        }
        out.extend(Row::cut(histogram.labels, &cells));
    }
    if forced {
        let text = "input to histogram_quantile needed to be fixed for monotonicity \
                    (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
        evaluator.notes.info(at, text);
    }
    let mut out = Rows::new(out);
    out.drop_names_merging()?;
    Ok(Out::Rows(out))
}

/// Metric names and bounds that could not be read.
type Unread = BTreeSet<(String, String)>;

/// The histograms among the rows, buckets by their bounds.
fn gather(rows: &Rows) -> (Vec<Histogram>, Unread) {
    let mut numbers = std::collections::HashMap::new();
    let (mut histograms, mut unread, mut key) = (Vec::<Histogram>::new(), Unread::new(), Vec::new());
    for (index, row) in rows.rows.iter().enumerate() {
        let text = row.labels.get(BUCKET_LABEL);
        let Some(upper) = bound(text) else {
            unread.insert((row.labels.get(NAME).to_owned(), text.to_owned()));
            continue;
        };
        // The name stays: equal buckets of two metrics are two histograms.
        row.labels.subset(|name| name != BUCKET_LABEL.as_bytes(), &mut key);
        let number = *numbers.entry(key.clone()).or_insert_with(|| {
            histograms.push(Histogram { labels: SeriesLabels::of_subset(&key), buckets: Vec::new() });
            histograms.len() - 1
        });
        histograms[number].buckets.push((upper, index));
    }
    for histogram in &mut histograms {
        histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    (histograms, unread)
}

fn bound(text: &str) -> Option<f64> {
    text.parse().ok().filter(|bound: &f64| !bound.is_nan())
}

/// The quantile by straight lines within the bucket it falls into. Buckets come by their bounds; NaN without a last
/// bucket to infinity, with fewer than two buckets, or without observations.
fn bucket_quantile(q: f64, buckets: &mut Vec<Bucket>, forced: &mut bool) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if buckets.last().is_none_or(|last| last.upper != f64::INFINITY) {
        return f64::NAN;
    }
    // Bounds written differently (1 and 1.0) are one bucket.
    buckets.dedup_by(|later, earlier| {
        let same = later.upper == earlier.upper;
        if same {
            earlier.count += later.count;
        }
        same
    });
    *forced |= make_rising(buckets);
    let (Some(last), true) = (buckets.last(), buckets.len() >= 2) else { return f64::NAN };
    if last.count == 0.0 {
        return f64::NAN;
    }
    let rank = q * last.count;
    let inner = &buckets[..buckets.len() - 1];
    let place = inner.partition_point(|bucket| bucket.count.partial_cmp(&rank).is_none_or(Ordering::is_lt));
    if place == inner.len() {
        return inner[place - 1].upper;
    }
    let end = inner[place];
    if place == 0 && end.upper <= 0.0 {
        return end.upper;
    }
    let start = if place == 0 { Bucket { upper: 0.0, count: 0.0 } } else { inner[place - 1] };
    start.upper + (end.upper - start.upper) * ((rank - start.count) / (end.count - start.count))
}

/// Buckets count all below their bound, so counts rise; where they do not, by rounding or by scrapes in between, the
/// count before stands. Answers whether more than rounding had to be mended.
fn make_rising(buckets: &mut [Bucket]) -> bool {
    let mut forced = false;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        if bucket.count == before {
            continue;
        }
        if nearly_equal(before, bucket.count) {
            bucket.count = before;
        } else if bucket.count < before {
            bucket.count = before;
            forced = true;
        } else {
            before = bucket.count;
        }
    }
    forced
}

fn nearly_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SAME_COUNT * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SAME_COUNT
}
