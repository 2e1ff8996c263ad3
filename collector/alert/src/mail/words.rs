//! Times, spans, texts and curves as words that a mail can carry.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::plot::PlotData;

/// Columns of the curve in the text part.
const COLUMNS: usize = 48;
/// Lower blocks from one eighth to full.
const BARS: [char; 8] =
    ['\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];

/// A text of foreign origin on one line: no control characters, no marks that turn the direction of writing, at most `longest` characters.
pub(super) fn clean(text: &str, longest: usize) -> String {
    let turns = |character: char| matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let mut out = String::new();
    for (count, character) in text.trim().chars().enumerate() {
        if count == longest {
            out.push_str("...");
            break;
        }
        out.push(if character.is_control() || turns(character) { ' ' } else { character });
    }
    out
}

fn format(ms: i64, zone: &TimeZone, form: &str) -> String {
    Timestamp::from_millisecond(ms)
        .map_or_else(|_| "at an unknown time".to_owned(), |at| at.to_zoned(zone.clone()).strftime(form).to_string())
}

/// `14:03 CET (13:03 UTC)`, with the date where it is another day than `now_ms`.
pub(super) fn moment(ms: i64, now_ms: i64, zone: &TimeZone) -> String {
    let day = |ms| format(ms, zone, "%Y-%m-%d");
    let form = if day(ms) == day(now_ms) { "%H:%M %Z" } else { "%Y-%m-%d %H:%M %Z" };
    let local = format(ms, zone, form);
    let utc = format(ms, &TimeZone::UTC, "%H:%M UTC");
    if local.ends_with(&utc) { local } else { format!("{local} ({utc})") }
}

/// `14:03:20`, with the date where it is another day than `now_ms`.
pub(super) fn clock(ms: i64, now_ms: i64, zone: &TimeZone) -> String {
    let day = |ms| format(ms, zone, "%Y-%m-%d");
    format(ms, zone, if day(ms) == day(now_ms) { "%H:%M:%S" } else { "%m-%d %H:%M" })
}

pub(super) fn date(ms: i64, zone: &TimeZone) -> String {
    format(ms, zone, "%Y-%m-%d %H:%M")
}

/// `40 s`, `7 min`, `1 h 7 min`, `3 d 4 h`.
pub(super) fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |count: i64, unit: &str, rest: i64, small: &str| {
        if rest == 0 { format!("{count} {unit}") } else { format!("{count} {unit} {rest} {small}") }
    };
    if seconds < 120 {
        format!("{seconds} s")
    } else if minutes < 60 {
        format!("{minutes} min")
    } else if days == 0 {
        two(hours, "h", minutes % 60, "min")
    } else {
        two(days, "d", hours % 24, "h")
    }
}

/// The first series as bars, a space where nothing is known; empty without any value.
pub(super) fn curve(plot: &PlotData) -> String {
    let Some(series) = plot.series.first() else { return String::new() };
    let width = (plot.to_ms.saturating_sub(plot.from_ms) / COLUMNS as i64).max(1);
    let mut columns = [None::<f64>; COLUMNS];
    for (at, value) in
        series.points.iter().filter(|(at, value)| value.is_finite() && (plot.from_ms..=plot.to_ms).contains(at))
    {
        let index = usize::try_from(at.saturating_sub(plot.from_ms) / width).unwrap_or(0).min(COLUMNS - 1);
        columns[index] = Some(columns[index].map_or(*value, |other| other.max(*value)));
    }
    let known = || columns.iter().flatten().copied();
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return String::new();
    }
    let bar = |value: f64| {
        let part = if high > low { (value - low) / (high - low) } else { 0.5 };
        BARS[((part * 7.0).round() as usize).min(7)]
    };
    columns.iter().map(|column| column.map_or(' ', bar)).collect()
}

/// Lowest and highest finite value of the first series.
pub(super) fn bounds(plot: &PlotData) -> Option<(f64, f64)> {
    let finite = plot.series.first()?.points.iter().map(|(_, value)| *value).filter(|value| value.is_finite());
    finite.fold(None, |bounds, value| {
        Some(bounds.map_or((value, value), |(low, high): (f64, f64)| (low.min(value), high.max(value))))
    })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{clean, moment, span};

    #[test]
    fn spans_are_short() {
        for (seconds, expect) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (4020, "1 h 7 min"),
            (7200, "2 h"),
            (273_600, "3 d 4 h"),
            (-5, "0 s"),
        ] {
            assert_eq!(span(seconds * 1000), expect);
        }
    }

    #[test]
    fn times_name_the_zone_and_utc() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = 1_773_147_780_000;
        assert_eq!(moment(at, at, &zone), "14:03 CET (13:03 UTC)");
        assert_eq!(moment(at, at + 86_400_000, &zone), "2026-03-10 14:03 CET (13:03 UTC)");
        assert_eq!(moment(at, at, &TimeZone::UTC), "13:03 UTC");
    }

    #[test]
    fn foreign_text_stays_on_its_line_and_within_bounds() {
        assert_eq!(clean("a\r\nBcc: x@y\u{202e}z\0", 100), "a  Bcc: x@y z ");
        assert_eq!(clean(&"x".repeat(1_000_000), 5), "xxxxx...");
    }
}
