//! Round numbers for the axes and short forms of them.

/// The round values from the lowest to the highest, about `wanted` of them, covering both bounds.
pub(crate) fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let span = if high > low { high - low } else { low.abs().max(1.0) };
    let rough = span / wanted.max(1) as f64;
    let magnitude = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * magnitude);
    let first = (low / step + 1e-9).floor();
    let last = (high / step - 1e-9).ceil().max(first + 1.0);
    // At most some tens: `span / step` is at most `wanted`.
    let count = (last - first).min(100.0) as usize;
    (0..=count).map(|index| (first + index as f64) * step).map(|tick| if tick == 0.0 { 0.0 } else { tick }).collect()
}

/// A value in few characters: `1.25k`, `3.5G`, `0.042`, `1e-9`.
pub(crate) fn short(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN".to_owned()
        } else if value > 0.0 {
            "+Inf".to_owned()
        } else {
            "-Inf".to_owned()
        };
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e18).contains(&size) {
        return format!("{value:.2e}");
    }
    let units = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")];
    let (divisor, unit) = units.into_iter().find(|(from, _)| size >= *from).unwrap_or((1.0, ""));
    let divisor = if unit == "k" { 1e3 } else { divisor };
    let scaled = value / divisor;
    let decimals = match scaled.abs() {
        0.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.01 => 4,
        _ => 6,
    };
    let text = format!("{scaled:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// The time of day (and, where a span of days is shown, the day), UTC.
pub(crate) fn clock(millis: i64, span_ms: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(millis) else { return millis.to_string() };
    let time = time.to_zoned(jiff::tz::TimeZone::UTC);
    let form = if span_ms <= 7_200_000 {
        "%H:%M:%S"
    } else if span_ms <= 172_800_000 {
        "%H:%M"
    } else {
        "%m-%d %H:%M"
    };
    time.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        for (low, high, wanted, expect) in [
            (0.0, 1.0, 4, vec![0.0, 0.25, 0.5, 0.75, 1.0]),
            (3.0, 97.0, 5, vec![0.0, 20.0, 40.0, 60.0, 80.0, 100.0]),
            (-1.0, 1.0, 2, vec![-1.0, 0.0, 1.0]),
            (5.0, 5.0, 5, vec![5.0, 6.0]),
            (0.0, 0.0, 4, vec![0.0, 0.25]),
        ] {
            assert_eq!(ticks(low, high, wanted), expect, "{low} to {high}");
        }
        for (low, high) in [(1e-9, 2e-9), (-1e12, 1e15), (1e300, 1.1e300)] {
            let ticks = ticks(low, high, 5);
            let slack = (high - low) * 1e-6;
            assert!(ticks[0] <= low + slack && ticks[ticks.len() - 1] >= high - slack && ticks.len() <= 8, "{ticks:?}");
        }
    }

    #[test]
    fn values_have_short_forms() {
        for (value, expect) in [
            (0.0, "0"),
            (1.0, "1"),
            (1.25, "1.25"),
            (9_999.0, "9999"),
            (12_345.0, "12.35k"),
            (250_000.0, "250k"),
            (3.5e9, "3.5G"),
            (-2e6, "-2M"),
            (0.042, "0.042"),
            (0.000_5, "0.0005"),
            (1e-9, "1.00e-9"),
            (1e20, "1.00e20"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(short(value), expect, "{value}");
        }
    }

    #[test]
    fn times_are_as_long_as_the_span_needs() {
        let at = 1_700_000_000_000;
        assert_eq!(clock(at, 60_000), "22:13:20");
        assert_eq!(clock(at, 86_400_000), "22:13");
        assert_eq!(clock(at, 604_800_000), "11-14 22:13");
    }
}
