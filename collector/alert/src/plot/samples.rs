//! Plots of tests.

use super::{Bad, Limit, Mark, PlotData, PlotSeries};

const MINUTE: i64 = 60_000;
/// 2026-03-10 13:03 UTC.
pub(crate) const ONSET: i64 = 1_773_147_780_000;

/// A file system that fills, with a gap.
pub(crate) fn filling() -> PlotData {
    let from_ms = ONSET - 120 * MINUTE;
    let points = (0..=135).filter(|minute| !(50..62).contains(minute)).map(|minute: i64| {
        let wave = ((minute * 37) % 11) as f64 / 10.0;
        let rise = ((minute - 70).max(0) as f64) * 0.38;
        (from_ms + minute * MINUTE, 71.0 + wave + rise)
    });
    PlotData {
        title: "db1: /var used".to_owned(),
        unit: "%".to_owned(),
        from_ms,
        to_ms: ONSET + 15 * MINUTE,
        step_ms: MINUTE,
        series: vec![PlotSeries { name: "/var".to_owned(), points: points.collect() }],
        limits: vec![
            Limit { value: 90.0, name: "limit".to_owned(), bad: Bad::Above, is_critical: true },
            Limit { value: 80.0, name: "warning".to_owned(), bad: Bad::Above, is_critical: false },
        ],
        marks: vec![
            Mark { at_ms: from_ms + 66 * MINUTE, text: "postgresql 16.2 to 16.3".to_owned() },
            Mark { at_ms: from_ms + 80 * MINUTE, text: "unit backup.service started".to_owned() },
        ],
        onset_ms: Some(ONSET),
    }
}
