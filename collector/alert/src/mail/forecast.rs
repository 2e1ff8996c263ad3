//! When a series reaches its limit if it goes on as it does.

use super::words::span;
use crate::plot::{Bad, Limit, PlotData};

/// Fewer points make no trend.
const POINTS: usize = 10;
/// How much of the values' variance the line must explain: what swings goes nowhere.
const FIT: f64 = 0.8;
/// Nobody acts on what is further away, and no line of an hour reaches so far.
const AHEAD_MS: f64 = 7.0 * 86_400_000.0;

/// `critical in 40 min`, `at the limit in 3 h`, or `full in 2 d` of percents whose limits are behind; empty: there is no limit, no steady trend, or
/// nothing is reached within 7 days.
pub(crate) fn forecast(plot: &PlotData) -> String {
    let (Some(last), Some(slope)) = (plot.last(), slope(plot)) else { return String::new() };
    let until = |target: f64| Some((target - last) / slope).filter(|ms| (0.0..=AHEAD_MS).contains(ms));
    let is_passed = |limit: &Limit| match limit.bad {
        Bad::Above => last > limit.value,
        Bad::Below => last < limit.value,
    };
    let is_towards = |limit: &Limit| (limit.bad == Bad::Above) == (slope > 0.0);
    let has_passed = plot.limits.iter().any(is_passed);
    let ahead = plot.limits.iter().filter(|limit| !is_passed(limit) && is_towards(limit));
    let next =
        ahead.filter_map(|limit| Some((until(limit.value)?, limit))).min_by(|one, other| one.0.total_cmp(&other.0));
    if let Some((ms, limit)) = next {
        let what = if has_passed && limit.is_critical { "critical" } else { "at the limit" };
        return format!("{what} in {}", span(rounded(ms)));
    }
    let fills =
        plot.unit == "%" && last < 100.0 && plot.limits.iter().any(|limit| is_passed(limit) && is_towards(limit));
    match until(100.0).filter(|_| fills && slope > 0.0) {
        Some(ms) => format!("full in {}", span(rounded(ms))),
        None => String::new(),
    }
}

/// To a second: 59 min 59.9999 s are an hour.
fn rounded(ms: f64) -> i64 {
    (ms / 1000.0).round() as i64 * 1000
}

/// Change a millisecond of the first series over the second half of the plot, by least squares; `None`: it is not steady, or flat.
fn slope(plot: &PlotData) -> Option<f64> {
    let middle_ms = plot.from_ms.midpoint(plot.to_ms);
    let inside = |at: &i64| (middle_ms..=plot.to_ms).contains(at);
    let points = plot.series.first()?.points.iter().filter(|(at, value)| inside(at) && value.is_finite());
    let points: Vec<(f64, f64)> = points.map(|(at, value)| (at.saturating_sub(middle_ms) as f64, *value)).collect();
    if points.len() < POINTS {
        return None;
    }
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (time, value) = (mean(|point| point.0), mean(|point| point.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| of(x - time, y - value)).sum::<f64>();
    let (times, values, both) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
    let is_steady = times > 0.0 && values > 0.0 && both * both / (times * values) >= FIT;
    is_steady.then(|| both / times).filter(|slope| slope.is_finite() && *slope != 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::PlotSeries;
    use crate::plot::samples::filling;

    const MINUTE: i64 = 60_000;

    /// Two hours of a value a minute, and these limits (critical, warning).
    fn plot(unit: &str, bad: Bad, limits: &[f64], value: impl Fn(i64) -> f64) -> PlotData {
        let limit =
            |(index, value): (usize, &f64)| Limit { value: *value, name: "x".into(), bad, is_critical: index == 0 };
        PlotData {
            unit: unit.to_owned(),
            from_ms: 0,
            to_ms: 120 * MINUTE,
            series: vec![PlotSeries {
                name: "x".to_owned(),
                points: (0..=120).map(|minute| (minute * MINUTE, value(minute))).collect(),
            }],
            limits: limits.iter().enumerate().map(limit).collect(),
            ..filling()
        }
    }

    #[test]
    fn what_rises_steadily_reaches_its_limits_one_after_the_other() {
        let rises = |rate: f64| move |minute: i64| 60.0 + (minute - 120) as f64 * rate;
        let above = |unit: &str, limits: &[f64], rate: f64| forecast(&plot(unit, Bad::Above, limits, rises(rate)));
        assert_eq!(above("%", &[90.0, 80.0], 0.5), "at the limit in 40 min");
        assert_eq!(above("%", &[90.0, 50.0], 0.5), "critical in 1 h");
        assert_eq!(above("%", &[55.0, 50.0], 0.5), "full in 1 h 20 min");
        // Bytes have no end that is known.
        assert_eq!(above("B", &[55.0, 50.0], 0.5), "");
        assert_eq!(above("%", &[], 0.5), "");
        assert_eq!(above("%", &[90.0], 0.003), "at the limit in 6 d 22 h");
        assert_eq!(above("%", &[90.0], 0.002), "", "too far away");
        assert_eq!(above("%", &[90.0], -0.5), "", "it goes away from its limit");
        assert_eq!(above("%", &[50.0], -0.5), "", "it recovers");
    }

    #[test]
    fn what_falls_reaches_a_lower_limit() {
        let falls = |minute: i64| 10.0 - minute as f64 * 0.05;
        assert_eq!(forecast(&plot("", Bad::Below, &[1.0], falls)), "at the limit in 1 h");
        assert_eq!(forecast(&plot("", Bad::Below, &[5.0], falls)), "");
    }

    #[test]
    fn what_is_not_steady_goes_nowhere() {
        let swings = |minute: i64| 60.0 + (minute % 7) as f64 * 3.0 + minute as f64 * 0.01;
        assert_eq!(forecast(&plot("%", Bad::Above, &[90.0], swings)), "");
        assert_eq!(forecast(&plot("%", Bad::Above, &[90.0], |_| 60.0)), "");
        let few = |minute: i64| if minute > 111 { minute as f64 / 2.0 } else { f64::NAN };
        assert_eq!(forecast(&plot("%", Bad::Above, &[90.0], few)), "");
        // Only the second half counts.
        let turned = |minute: i64| if minute < 60 { 200.0 } else { minute as f64 * 0.5 };
        assert_eq!(forecast(&plot("%", Bad::Above, &[90.0], turned)), "at the limit in 1 h");
        assert_eq!(forecast(&PlotData { series: Vec::new(), ..filling() }), "");
    }
}
