//! From measured values and their limits to a state, one clear line and perfdata.

use std::time::Duration;

use muster_common::check::CheckState;
use muster_common::range::Range;
use muster_common::time::Span;
use muster_common::wire::message::Perfdata;

use super::keys::Keys;
use crate::checks::outcome::Outcome;

/// Things named in the first line; the further lines have all.
const NAMED_MAX: usize = 4;

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Percent,
    Bytes,
    Seconds,
    Days,
    Number,
}

impl Unit {
    /// As perfdata has it.
    const fn symbol(self) -> &'static str {
        match self {
            Self::Percent => "%",
            Self::Bytes => "B",
            Self::Seconds => "s",
            Self::Days => "d",
            Self::Number => "",
        }
    }

    /// What is worth keeping of a value: digits beyond it are noise, and cost room as samples.
    fn round(self, value: f64) -> f64 {
        let steps = match self {
            Self::Seconds => 1e6,
            Self::Percent | Self::Days | Self::Number => 1e3,
            Self::Bytes => 1.0,
        };
        (value * steps).round() / steps
    }

    /// For people.
    pub(crate) fn show(self, value: f64) -> String {
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        match self {
            Self::Percent => format!("{} %", (value * 10.0).round() / 10.0),
            Self::Bytes => {
                let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
                let (mut value, mut unit) = (value, 0);
                while value.abs() >= 1024.0 && unit + 1 < units.len() {
                    value /= 1024.0;
                    unit += 1;
                }
                format!("{} {}", rounded(value), units[unit])
            }
            Self::Seconds if value.abs() < 1.0 => format!("{} ms", rounded(value * 1e3)),
            Self::Seconds if (60.0..1e12).contains(&value) => Span(Duration::from_secs(value as u64)).to_string(),
            Self::Seconds => format!("{} s", rounded(value)),
            Self::Days => format!("{} days", (value * 10.0).round() / 10.0),
            Self::Number => rounded(value).to_string(),
        }
    }
}

/// The two thresholds of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    pub(crate) warn: Option<Range>,
    pub(crate) crit: Option<Range>,
}

impl Limits {
    /// Those of the keys `warn` and `crit`; the defaults count only where neither is set.
    pub(crate) fn of(keys: &Keys, defaults: Self) -> Self {
        let set = Self { warn: keys.range("warn"), crit: keys.range("crit") };
        if set == Self::default() { defaults } else { set }
    }

    pub(crate) const fn at_most(warn: f64, crit: f64) -> Self {
        Self { warn: Some(at_most(warn)), crit: Some(at_most(crit)) }
    }

    pub(crate) const fn at_least(warn: f64, crit: f64) -> Self {
        Self { warn: Some(at_least(warn)), crit: Some(at_least(crit)) }
    }

    fn judge(&self, value: f64) -> (CheckState, Option<Range>) {
        match (self.warn.filter(|range| range.alerts(value)), self.crit.filter(|range| range.alerts(value))) {
            (_, Some(range)) => (CheckState::Critical, Some(range)),
            (Some(range), None) => (CheckState::Warning, Some(range)),
            (None, None) => (CheckState::Ok, None),
        }
    }
}

pub(crate) const fn at_most(to: f64) -> Range {
    Range { from: 0.0, to, inside: false }
}

pub(crate) const fn at_least(from: f64) -> Range {
    Range { from, to: f64::INFINITY, inside: false }
}

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    pub(crate) label: String,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    pub(crate) limits: Limits,
    /// The bounds that the value cannot leave.
    pub(crate) bounds: (Option<f64>, Option<f64>),
    /// What people read of it; empty: it stands in perfdata only.
    pub(crate) words: String,
}

impl Reading {
    /// Without bounds but 0.
    pub(crate) fn new(
        label: impl Into<String>,
        value: f64,
        unit: Unit,
        limits: Limits,
        words: impl Into<String>,
    ) -> Self {
        Self { label: label.into(), value, unit, limits, bounds: (Some(0.0), None), words: words.into() }
    }

    pub(crate) fn state(&self) -> CheckState {
        self.limits.judge(self.value).0
    }

    /// Its words, with the limit that it is over.
    fn sentence(&self) -> String {
        match self.limits.judge(self.value).1 {
            Some(range) => format!("{} ({})", self.words, show_limit(range, self.unit)),
            None => self.words.clone(),
        }
    }

    fn perfdata(&self) -> Perfdata {
        let range = |range: Option<Range>| range.map(|range| range.to_string()).unwrap_or_default();
        Perfdata {
            label: self.label.clone(),
            value: self.unit.round(self.value),
            unit: self.unit.symbol().to_owned(),
            warn: range(self.limits.warn),
            crit: range(self.limits.crit),
            min: self.bounds.0.unwrap_or(f64::NAN),
            max: self.bounds.1.unwrap_or(f64::NAN),
        }
    }
}

fn show_limit(range: Range, unit: Unit) -> String {
    let (from, to) = (unit.show(range.from), unit.show(range.to));
    match (range.inside, range.from > 0.0, range.to == f64::INFINITY) {
        (true, ..) => format!("may not be {range}"),
        (false, true, true) => format!("at least {from}"),
        (false, true, false) if range.from == range.to => format!("has to be {to}"),
        (false, true, false) => format!("has to be {from} to {to}"),
        (false, false, _) if range.from == 0.0 || range.from == f64::NEG_INFINITY => format!("limit {to}"),
        (false, false, _) => format!("has to be {from} to {to}"),
    }
}

/// The result of all readings together: the worst state; those that are not OK stand first.
///
/// `title` is the kind in capitals: `DISK CRITICAL - /var 96 % used (limit 95 %)`.
pub(crate) fn outcome(title: &str, mut readings: Vec<Reading>) -> Outcome {
    let perfdata = readings.iter().map(Reading::perfdata).collect();
    readings.retain(|reading| !reading.words.is_empty());
    readings.sort_by_key(|reading| std::cmp::Reverse(reading.state().rank()));
    let state = readings.first().map_or(CheckState::Ok, Reading::state);
    let bad = readings.iter().filter(|reading| reading.state() != CheckState::Ok).count();
    let shown = if bad > 0 { bad } else { readings.len() };
    let mut words: Vec<String> = readings.iter().take(shown.min(NAMED_MAX)).map(Reading::sentence).collect();
    if shown > NAMED_MAX {
        words.push(format!("and {} more", shown - NAMED_MAX));
    }
    let output = format!("{title} {state} - {}", words.join(", "));
    let long_output = if readings.len() > words.len() {
        let lines: Vec<String> = readings.iter().map(|one| format!("{}: {}", one.state(), one.sentence())).collect();
        lines.join("\n")
    } else {
        String::new()
    };
    Outcome { state, output, long_output, perfdata }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_stands_first_with_its_limit() {
        let limits = Limits::at_most(90.0, 95.0);
        let used = |path: &str, value: f64| {
            Reading::new(path, value, Unit::Percent, limits, format!("{path} {} used", Unit::Percent.show(value)))
        };
        let all_good = outcome("DISK", vec![used("/", 42.04)]);
        assert_eq!((all_good.state, all_good.output.as_str()), (CheckState::Ok, "DISK OK - / 42 % used"));
        let bad = outcome("DISK", vec![used("/", 42.0), used("/srv", 91.0), used("/var", 96.0)]);
        assert_eq!(bad.output, "DISK CRITICAL - /var 96 % used (limit 95 %), /srv 91 % used (limit 90 %)");
        assert_eq!(bad.long_output.lines().last(), Some("OK: / 42 % used"));
        assert_eq!(
            (bad.perfdata[2].warn.as_str(), bad.perfdata[2].crit.as_str(), bad.perfdata[2].min),
            ("90", "95", 0.0)
        );
        let many = outcome("DISK", (0..9).map(|number| used(&format!("/{number}"), 1.0)).collect());
        assert!(many.output.ends_with("/3 1 % used, and 5 more"), "{}", many.output);
    }

    #[test]
    fn limits_are_told_in_words() {
        for (range, unit, words) in [
            ("10:", Unit::Percent, "at least 10 %"),
            ("1:1", Unit::Number, "has to be 1"),
            ("2:4", Unit::Number, "has to be 2 to 4"),
            ("-0.5:0.5", Unit::Seconds, "has to be -500 ms to 500 ms"),
            ("~:3", Unit::Seconds, "limit 3 s"),
            ("93600", Unit::Seconds, "limit 1d2h"),
            ("@5:6", Unit::Number, "may not be @5:6"),
            ("1073741824:", Unit::Bytes, "at least 1 GiB"),
        ] {
            assert_eq!(show_limit(range.parse().unwrap(), unit), words, "{range}");
        }
    }
}
