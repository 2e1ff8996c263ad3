//! Windows and steps against evaluation as one would write it without thinking of speed.

use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::sample::{MetricKind, is_stale, stale};

use crate::promql::script::{instant, range};
use crate::source::Columns;
use crate::value::{Answer, Series, Value};

/// Seeded, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from((self.0 >> 11) % bound).unwrap()
    }
}

/// A series with gaps, resets, NaN, infinities and stale markers. Whole numbers, so that every order of adding agrees.
fn random_series(random: &mut Random, labels: &[(&str, &str)]) -> Columns {
    let labels = Arc::new(LabelSet::new(labels.iter().copied()).unwrap());
    let mut columns = Columns { labels, kind: MetricKind::Counter, millis: Vec::new(), values: Vec::new() };
    let (mut at, mut value) = (random.below(40_000) - 20_000, 0i64);
    for _ in 0..random.below(120) {
        at += match random.below(8) {
            0 => random.below(400_000),
            1 => 1,
            _ => 10_000 + random.below(3) * 5_000,
        };
        value = if random.below(7) == 0 { random.below(5) } else { value + random.below(20) };
        columns.millis.push(at);
        columns.values.push(match random.below(30) {
            0 => f64::NAN,
            1 => stale(),
            2 if random.below(3) == 0 => f64::INFINITY,
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            _ => value as f64,
        });
    }
    columns
}

/// What the function makes of the samples of one window, all rules written out.
fn expected(function: &str, samples: &[(i64, f64)], start: i64, end: i64) -> Option<f64> {
    let values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
    let numbers = || values.iter().copied().filter(|value| !value.is_nan());
    let pairs = |test: fn(f64, f64) -> bool| values.windows(2).filter(|pair| test(pair[0], pair[1])).count();
    let count = f64::from(u32::try_from(values.len()).unwrap());
    let last = samples.last()?;
    Some(match function {
        "sum_over_time" => values.iter().sum(),
        "avg_over_time" => values.iter().sum::<f64>() / count,
        "min_over_time" => numbers().reduce(f64::min).unwrap_or(f64::NAN),
        "max_over_time" => numbers().reduce(f64::max).unwrap_or(f64::NAN),
        "count_over_time" => count,
        "present_over_time" => 1.0,
        "first_over_time" => values[0],
        "last_over_time" => last.1,
        "resets" => f64::from(u32::try_from(pairs(|a, b| b < a)).unwrap()),
        "changes" => f64::from(u32::try_from(pairs(|a, b| a != b && !(a.is_nan() && b.is_nan()))).unwrap()),
        _ if samples.len() < 2 => return None,
        "irate" | "idelta" => {
            let before = samples[samples.len() - 2];
            let is_rate = function == "irate";
            let change = if is_rate && last.1 < before.1 { last.1 } else { last.1 - before.1 };
            if is_rate { change / (seconds(last.0) - seconds(before.0)) } else { change }
        }
        _ => {
            let is_counter = function != "delta";
            let mut change = last.1 - values[0];
            for pair in values.windows(2).filter(|pair| is_counter && pair[1] < pair[0]) {
                change += pair[0];
            }
            let between = seconds(last.0 - samples[0].0);
            let distance = between / (count - 1.0);
            let stretch = |gap: f64| if gap >= distance * 1.1 { distance / 2.0 } else { gap };
            let mut to_start = stretch(seconds(samples[0].0 - start));
            if is_counter && change > 0.0 && values[0] >= 0.0 {
                to_start = to_start.min(between * (values[0] / change));
            }
            let stretched = change * ((between + to_start + stretch(seconds(end - last.0))) / between);
            if function == "rate" { stretched / seconds(end - start) } else { stretched }
        }
    })
}

#[expect(clippy::cast_precision_loss, reason = "times of a test")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn agree(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        (a, b) => a.is_none() && b.is_none(),
    }
}

#[test]
fn sliding_windows_equal_windows_taken_one_by_one() {
    let functions = [
        "rate",
        "increase",
        "delta",
        "irate",
        "idelta",
        "resets",
        "changes",
        "sum_over_time",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "count_over_time",
        "present_over_time",
        "first_over_time",
        "last_over_time",
    ];
    let mut random = Random(0x5eed_0001);
    let mut compared = 0;
    for round in 0..600 {
        let series = random_series(&mut random, &[("__name__", "m")]);
        let function = functions[round % functions.len()];
        let range_ms = 1 + random.below(300_000);
        let offset_ms = random.below(3) * (random.below(100_000) - 50_000);
        let (start, step) = (random.below(600_000) - 200_000, 1 + random.below(90_000));
        let end = start + step * random.below(60);
        let fixed = (random.below(5) == 0).then(|| random.below(900_000));
        let at = fixed.map_or(String::new(), |ms| format!("@ {}", seconds(ms)));
        let sign = if offset_ms < 0 { "-" } else { "" };
        let query = format!("{function}(m[{range_ms}ms] {at} offset {sign}{}ms)", offset_ms.abs());
        let samples: Vec<(i64, f64)> =
            series.millis.iter().copied().zip(series.values.iter().copied()).filter(|one| !is_stale(one.1)).collect();
        let answer = range(std::slice::from_ref(&series), &query, (start, end, step)).unwrap();
        let Value::Matrix(found) = answer.value else { panic!("no matrix") };
        let mut now = start;
        while now <= end {
            let to = fixed.unwrap_or(now) - offset_ms;
            let window: Vec<_> = samples.iter().copied().filter(|(ms, _)| to - range_ms < *ms && *ms <= to).collect();
            let own = found.first().and_then(|one| Some(one.values[one.millis.iter().position(|ms| *ms == now)?]));
            let wanted = expected(function, &window, to - range_ms, to);
            assert!(agree(own, wanted), "round {round}, {query} at {now}: {own:?}, expected {wanted:?} of {window:?}");
            compared += usize::from(wanted.is_some());
            now += step;
        }
    }
    assert!(compared > 3_000, "{compared}");
}

/// One or more of each operator, aggregation and kind of function.
const EXPRESSIONS: &[&str] = &[
    "a",
    "a offset 30s",
    "a @ 100",
    "-a",
    "a * 2 > 20",
    "2 ^ a",
    "sum(a)",
    "avg by (x) (a)",
    "count without (y) (a)",
    "min by (y) (a)",
    "max(a)",
    "stddev by (x) (a)",
    "stdvar(a)",
    "group by (y) (a)",
    "quantile(0.3, a)",
    "topk(2, a)",
    "bottomk by (x) (1, a)",
    "count_values(\"v\", a)",
    "a + b",
    "a / ignoring(z) b",
    "a * on (x, y) group_left (z) b",
    "b > on (x, y) group_right (z) a",
    "a and b",
    "a or b",
    "b unless on (x) a",
    "a > bool 10",
    "rate(a[1m])",
    "sum by (x) (rate(a[2m]))",
    "max_over_time(a[1m30s])",
    "sum_over_time(a[2m:20s])",
    "avg_over_time(sum(a)[1m:10s] offset 20s)",
    "absent(a)",
    "absent_over_time(a[20s])",
    "scalar(sum(a))",
    "vector(time())",
    "clamp(a, 5, 15)",
    "round(a, 10)",
    "timestamp(a)",
    "timestamp(a @ 50)",
    "predict_linear(a[2m], 60)",
    "deriv(a[2m])",
    "quantile_over_time(0.7, a[2m])",
    "label_replace(a, \"x\", \"new\", \"x\", \".*1\")",
    "label_join(a, \"j\", \"-\", \"x\", \"y\")",
    "sort(a)",
    "histogram_quantile(0.5, label_replace(a, \"le\", \"$1\", \"y\", \"(.*)\"))",
    "hour(a * 1000)",
    "minute()",
    "a == a or b",
    "sgn(a - 10) + abs(a)",
    "sum(a @ 100) + sum(a)",
    "last_over_time(a[1m])",
    "quantile_over_time(scalar(avg(b)) / 30, a[1m] @ 200)",
    "topk(scalar(count(a)) - 2, a)",
];
#[test]
fn a_range_equals_its_instants() {
    let mut random = Random(0x5eed_0002);
    for round in 0..6 {
        let mut data = Vec::new();
        for (x, y) in [("1", "1"), ("1", "2"), ("2", "1"), ("2", "+Inf")] {
            data.push(random_series(&mut random, &[("__name__", "a"), ("x", x), ("y", y)]));
            data.push(random_series(&mut random, &[("__name__", "b"), ("x", x), ("y", y), ("z", "q")]));
        }
        let (start, step) = (random.below(300_000), 7_000 + random.below(50_000));
        for query in EXPRESSIONS.iter().copied() {
            let answer = range(&data, query, (start, start + 20 * step, step)).unwrap();
            let Value::Matrix(all) = answer.value else { panic!("no matrix") };
            for now in (0..=20).map(|i| start + i * step) {
                let mut own: Vec<(String, f64)> = Vec::new();
                for one in &all {
                    assert!(one.millis.is_sorted() && one.millis.len() == one.values.len());
                    own.extend(
                        one.millis.iter().position(|ms| *ms == now).map(|i| (one.labels.to_string(), one.values[i])),
                    );
                }
                let mut wanted: Vec<(String, f64)> = match instant(&data, query, now).unwrap().value {
                    Value::Vector(points) => points.into_iter().map(|p| (p.labels.to_string(), p.value)).collect(),
                    Value::Scalar { value, .. } => vec![("{}".into(), value)],
                    other => panic!("{other:?}"),
                };
                own.sort_by(|a, b| a.0.cmp(&b.0));
                wanted.sort_by(|a, b| a.0.cmp(&b.0));
                let same = own.len() == wanted.len()
                    && own.iter().zip(&wanted).all(|(a, b)| a.0 == b.0 && agree(Some(a.1), Some(b.1)));
                assert!(same, "round {round}, {query} at {now}: {own:?}, as an instant {wanted:?}");
            }
        }
    }
}

/// Expressions that fit their types, by chance.
impl Random {
    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    fn selector(&mut self) -> String {
        self.pick(&["a", "b", "{x=\"1\"}", "a{y!=\"2\"}", "b{x=~\"1|2\"}", "nothing", "{__name__=~\"a|b\"}"]).to_owned()
    }

    fn shift(&mut self) -> String {
        self.pick(&["", "", "", " offset 30s", " offset -45s", " @ 123", " @ 200 offset 1m"]).to_owned()
    }

    fn matrix(&mut self, depth: i64) -> String {
        let range = self.pick(&["1ms", "20s", "1m", "97s", "5m"]);
        if depth > 0 && self.below(3) == 0 {
            let step = self.pick(&["", "7s", "30s", "1h"]);
            return format!("({})[{range}:{step}]{}", self.vector(depth - 1), self.shift());
        }
        format!("{}[{range}]{}", self.selector(), self.shift())
    }

    fn scalar(&mut self, depth: i64) -> String {
        match self.below(if depth > 0 { 6 } else { 4 }) {
            0 => self.pick(&["0", "1", "-2.5", "NaN", "Inf", "1e3"]).to_owned(),
            1 => "time()".into(),
            2 => "0.5".into(),
            3 => self.below(40).to_string(),
            4 => format!("scalar({})", self.vector(depth - 1)),
            _ => format!("({} {} {})", self.scalar(depth - 1), self.pick(&["+", "-", "*", "== bool"]), self.scalar(0)),
        }
    }

    fn vector(&mut self, depth: i64) -> String {
        if depth <= 0 {
            return self.selector() + &self.shift();
        }
        let deeper = depth - 1;
        match self.below(12) {
            0 => format!(
                "{}({})",
                self.pick(&["rate", "max_over_time", "changes", "last_over_time"]),
                self.matrix(deeper)
            ),
            1 => format!(
                "{}({})",
                self.pick(&["increase", "avg_over_time", "absent_over_time", "deriv"]),
                self.matrix(deeper)
            ),
            2 => format!("predict_linear({}, {})", self.matrix(deeper), self.scalar(deeper)),
            3 => format!("quantile_over_time({}, {})", self.scalar(deeper), self.matrix(deeper)),
            4 => {
                let grouping = self.pick(&["", "by (x)", "without (y)", "by (__name__, y)", "by ()"]);
                format!("{} {grouping} ({})", self.pick(&["sum", "avg", "max", "count", "stddev"]), self.vector(deeper))
            }
            5 => format!(
                "{} {} {}",
                self.side(deeper),
                self.pick(&["+", "/ on (x)", "> bool", "%", "<="]),
                self.side(deeper)
            ),
            6 => {
                let operator =
                    self.pick(&["* on (x) group_left (z)", "- ignoring (z) group_right", "and", "or", "unless on (y)"]);
                format!("{} {operator} {}", self.side(deeper), self.side(deeper))
            }
            7 => format!("{} {} {}", self.side(deeper), self.pick(&["*", ">", "!= bool", "-"]), self.scalar(deeper)),
            8 => format!(
                "{}({})",
                self.pick(&["abs", "absent", "timestamp", "-", "sgn", "sort", "hour"]),
                self.vector(deeper)
            ),
            9 => format!("clamp({}, {}, {})", self.vector(deeper), self.scalar(deeper), self.scalar(deeper)),
            10 => format!("label_replace({}, \"x\", \"$1\", \"y\", \"(.).*\")", self.vector(deeper)),
            _ => format!("vector({})", self.scalar(deeper)),
        }
    }

    fn side(&mut self, depth: i64) -> String {
        format!("({})", self.vector(depth))
    }
}

/// Prometheus, too, refuses a range for what collides at other steps; but what a range answers its instants answer.
#[test]
fn whatever_a_range_answers_its_instants_answer() {
    let mut random = Random(0x5eed_0003);
    let mut answered = 0;
    for round in 0..1_500 {
        let mut data = Vec::new();
        for (x, y) in [("1", "1"), ("1", "2"), ("2", "1")] {
            data.push(random_series(&mut random, &[("__name__", "a"), ("x", x), ("y", y)]));
            data.push(random_series(&mut random, &[("__name__", "b"), ("x", x), ("y", y), ("z", "q")]));
        }
        let query = random.vector(1 + round % 4);
        let (start, step) = (random.below(400_000), 5_000 + random.below(60_000));
        let Ok(Answer { value: Value::Matrix(all), .. }) = range(&data, &query, (start, start + 8 * step, step)) else {
            continue;
        };
        answered += 1;
        for now in (0..=8).step_by(2).map(|i| start + i * step) {
            let Value::Vector(points) = instant(&data, &query, now).unwrap_or_else(|e| panic!("{query}: {e}")).value
            else {
                panic!("{query}: no vector")
            };
            let at = |one: &Series| one.millis.iter().position(|ms| *ms == now).map(|index| one.values[index]);
            assert_eq!(points.len(), all.iter().filter_map(at).count(), "{query} at {now}: {points:?}, {all:?}");
            for point in points {
                let own = all.iter().find(|one| one.labels == point.labels).and_then(at);
                let near = own.is_some_and(|own| (own - point.value).abs() < 1e-6);
                assert!(near || agree(own, Some(point.value)), "{query} at {now}: {own:?}, as an instant {point:?}");
            }
        }
    }
    assert!(answered > 800, "{answered}");
}
