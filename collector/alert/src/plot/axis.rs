//! Where ticks go and what they say.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Longest unit that is written.
const UNIT: usize = 12;

/// A number with its unit: `96 %`, `1.5 GiB`, `250 ms`, `3.2 k`.
pub(crate) fn with_unit(value: f64, unit: &str) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    // A unit comes from a check's output: whatever is longer is none.
    let unit = unit.char_indices().nth(UNIT).map_or(unit, |(end, _)| &unit[..end]);
    let size = value.abs();
    if size >= 1e18 {
        return format!("{value:.2e} {unit}").trim_end().to_owned();
    }
    match unit {
        "B" => scaled(value, size, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"]),
        "s" if size > 0.0 && size < 1e-3 => format!("{} us", short(value * 1e6)),
        "s" if size > 0.0 && size < 1.0 => format!("{} ms", short(value * 1e3)),
        "s" if size >= 7200.0 => format!("{} h", short(value / 3600.0)),
        "s" if size >= 120.0 => format!("{} min", short(value / 60.0)),
        "" => scaled(value, size, 1000.0, &["", "k", "M", "G", "T", "P"]),
        "%" | "s" | "ms" | "us" => format!("{} {unit}", short(value)),
        other => format!("{} {other}", scaled(value, size, 1000.0, &["", "k", "M", "G", "T", "P"])),
    }
}

fn scaled(value: f64, size: f64, base: f64, names: &[&str]) -> String {
    let (mut size, mut value, mut index) = (size, value, 0);
    while size >= base && index + 1 < names.len() {
        size /= base;
        value /= base;
        index += 1;
    }
    format!("{} {}", short(value), names[index]).trim_end().to_owned()
}

/// Three digits that count.
fn short(value: f64) -> String {
    let size = value.abs();
    let digits = if size >= 100.0 || size == 0.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        return format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned();
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Lowest and highest value of the axis and its ticks, for values from `low` to `high`.
pub(super) fn values(low: f64, high: f64, unit: &str) -> (f64, f64, Vec<f64>) {
    let (mut low, mut high) = (low, high);
    // Of nothing but zeros the axis still has a one.
    if low == 0.0 && high == 0.0 {
        high = 1.0;
    }
    if low >= 0.0 && low < high * 0.6 {
        low = 0.0;
    }
    let span = (high - low).max(high.abs().max(1e-9) * 0.02).max(1e-9);
    let base: f64 = if unit == "B" { 2.0 } else { 10.0 };
    let rough = span / 4.0;
    let power = base.powf(rough.log(base).floor());
    let steps: &[f64] = if unit == "B" { &[1.0, 2.0] } else { &[1.0, 2.0, 2.5, 5.0, 10.0] };
    let step = steps.iter().map(|step| step * power).find(|step| *step >= rough * 0.999).unwrap_or(rough);
    low = (low / step).floor() * step;
    // Room above what is highest, so that the line does not touch the frame; 100 % is the end.
    let is_full = unit == "%" && high <= 100.0;
    high = ((high + span * 0.04) / step).ceil() * step;
    if is_full {
        high = high.min(100.0);
    }
    let mut ticks = Vec::new();
    let mut tick = low;
    while tick <= high + step * 0.01 && ticks.len() < 12 {
        ticks.push(if tick.abs() < step * 0.01 { 0.0 } else { tick });
        tick += step;
    }
    (low, high, ticks)
}

/// Round times between two moments in a zone, with their words, at most 7.
pub(super) fn times(from_ms: i64, to_ms: i64, zone: &TimeZone) -> Vec<(i64, String)> {
    const MINUTE: i64 = 60_000;
    const STEPS: [i64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 10_080];
    let span = to_ms.saturating_sub(from_ms).max(1);
    let step = STEPS.iter().map(|minutes| minutes * MINUTE).find(|step| span / step < 7).unwrap_or(span / 6 + 1);
    let offset =
        |ms: i64| Timestamp::from_millisecond(ms).map_or(0, |at| i64::from(zone.to_offset(at).seconds()) * 1000);
    // Round in the zone's time of the beginning; a change of its offset on the way moves labels, not ticks.
    let local = from_ms.saturating_add(offset(from_ms));
    let past = local.rem_euclid(step);
    let mut tick = from_ms.saturating_add(if past == 0 { 0 } else { step - past });
    let mut ticks = Vec::new();
    while tick <= to_ms && ticks.len() < 8 {
        ticks.push((tick, clock(tick, zone, step >= 1440 * MINUTE)));
        tick = tick.saturating_add(step);
    }
    ticks
}

fn clock(ms: i64, zone: &TimeZone, is_days: bool) -> String {
    let form = if is_days { "%d %b" } else { "%H:%M" };
    Timestamp::from_millisecond(ms)
        .map_or_else(|_| String::new(), |at| at.to_zoned(zone.clone()).strftime(form).to_string())
}

#[cfg(test)]
mod tests {
    use super::{values, with_unit};

    #[test]
    fn numbers_are_short_and_have_their_unit() {
        for (value, unit, expect) in [
            (96.04, "%", "96 %"),
            (96.4, "%", "96.4 %"),
            (1_610_612_736.0, "B", "1.5 GiB"),
            (0.25, "s", "250 ms"),
            (3200.0, "", "3.2 k"),
            (0.0, "", "0"),
            (-0.5, "", "-0.5"),
            (1e300, "B", "1.00e300 B"),
            (f64::NAN, "%", "NaN"),
        ] {
            assert_eq!(with_unit(value, unit), expect);
        }
    }

    #[test]
    fn axes_hold_their_values_and_few_ticks() {
        for (low, high) in [(0.0, 96.0), (88.0, 90.0), (5.0, 5.0), (-3.0, 4.0), (0.0, 0.0), (1e-7, 2e-7), (1e12, 3e12)]
        {
            let (bottom, top, ticks) = values(low, high, "");
            assert!(bottom <= low && top >= high && top > bottom, "{low} {high}: {bottom} {top}");
            assert!((2..=9).contains(&ticks.len()), "{low} {high}: {ticks:?}");
        }
    }
}
