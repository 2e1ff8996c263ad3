//! What the store occupies, by kind, and when the disk is full if it goes on as it does.

use std::time::Duration;

use muster_common::stat::Stat;
use muster_common::time::Timestamp;
use muster_query::{Control, Value as Found};
use serde_json::{Value, json};

use crate::state::State;

/// How fast the disk fills, in bytes a second: of the last six hours, once there are at least 30 minutes of them.
const SLOPE: &str =
    "deriv(muster_collector_disk_free_bytes[6h]) and count_over_time(muster_collector_disk_free_bytes[6h]) >= 120";
/// A question of one series.
const SLOPE_WITHIN: Duration = Duration::from_secs(10);
/// Below this many bytes a second nothing fills up: it is how files come and go.
const SLOPE_MIN: f64 = 1.0;

/// Bytes a second by which the free room changes; `None`: it is not known yet.
pub(super) fn slope(state: &State, now: Timestamp) -> Option<f64> {
    let view = state.reader.view();
    let answer = state.engine.load().instant(&view, SLOPE, now.millis(), &Control::new(SLOPE_WITHIN)).ok()?;
    match answer.value {
        Found::Vector(points) => points.first().map(|point| point.value).filter(|value| value.is_finite()),
        _ => None,
    }
}

pub(super) fn json(state: &State, stats: &[Stat], now: Timestamp) -> Value {
    told(stats, (state.hooks.retention)(), slope(state, now))
}

fn told(stats: &[Stat], [metrics, logs, events]: [Duration; 3], slope: Option<f64>) -> Value {
    let kinds = [("metrics", metrics, ""), ("logs", logs, "log_"), ("events", events, "log_")];
    let kinds: Vec<Value> = kinds
        .iter()
        .map(|(kind, kept, log)| {
            let class = (!log.is_empty()).then_some(*kind);
            let of = |what: &str| value(stats, &format!("muster_collector_store_{log}segment{what}"), class);
            let rows = of(if log.is_empty() { "_samples" } else { "_lines" });
            json!({
                "kind": kind,
                "bytes": of("_bytes"),
                "segments": of("s"),
                "rows": rows,
                "retention_seconds": kept.as_secs(),
            })
        })
        .collect();
    let free = value(stats, "muster_collector_disk_free_bytes", None);
    json!({
        "kinds": kinds,
        "inbox_bytes": value(stats, "muster_collector_store_inbox_bytes", None),
        "disk_free_bytes": free,
        "disk_size_bytes": value(stats, "muster_collector_disk_size_bytes", None),
        "free_bytes_a_day": slope.map(|slope| (slope * 86_400.0).round()),
        "full_in_seconds": slope.zip(free).and_then(|(slope, free)| full_in_seconds(slope, free)),
    })
}

/// `None`: it does not fill up.
fn full_in_seconds(slope: f64, free_bytes: f64) -> Option<u64> {
    // Never negative, and `as` saturates.
    (slope < -SLOPE_MIN).then(|| (free_bytes / -slope).max(0.0) as u64)
}

/// Of this number, with this class; `None`: it is not known.
fn value(stats: &[Stat], name: &str, class: Option<&str>) -> Option<f64> {
    let is_of = |stat: &&Stat| {
        let own = stat.labels.iter().find(|(label, _)| *label == "class").map(|(_, value)| value.as_str());
        stat.name == name && own == class
    };
    stats.iter().find(is_of).map(|stat| stat.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_bytes_and_the_disk_its_forecast() {
        let gauge = |name, value| Stat::gauge(name, "", value);
        let stats = [
            gauge("muster_collector_store_segment_bytes", 5.0),
            gauge("muster_collector_store_log_segment_bytes", 7.0).with("class", "logs"),
            gauge("muster_collector_store_log_segment_bytes", 9.0).with("class", "events"),
            gauge("muster_collector_store_log_segment_lines", 3.0).with("class", "events"),
            gauge("muster_collector_disk_free_bytes", 1_000.0),
        ];
        let kept = [30, 20, 10].map(Duration::from_secs);
        let json = told(&stats, kept, Some(-10.0));
        let seen: Vec<_> =
            (0..3).map(|at| (&json["kinds"][at]["bytes"], &json["kinds"][at]["retention_seconds"])).collect();
        let number = |value: f64| Value::from(value);
        assert_eq!(seen, [(&number(5.0), &json!(30)), (&number(7.0), &json!(20)), (&number(9.0), &json!(10))]);
        assert_eq!((&json["kinds"][2]["rows"], &json["kinds"][0]["rows"]), (&number(3.0), &Value::Null));
        assert_eq!((&json["full_in_seconds"], &json["free_bytes_a_day"]), (&json!(100), &number(-864_000.0)));
        for slope in [None, Some(0.0), Some(500.0)] {
            assert_eq!(told(&stats, kept, slope)["full_in_seconds"], Value::Null);
        }
    }
}
