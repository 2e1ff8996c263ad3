//! Time intervals of a configuration.

use jiff::tz::TimeZone;
use muster_yaml::Yaml;

use super::intervals::{IntervalRange, MONTHS, Period, TimeInterval, WEEKDAYS};
use super::load::{Entries, Loading};

const INTERVAL_KEYS: &[&str] = &["name", "time_intervals"];
const PERIOD_KEYS: &[&str] = &["times", "weekdays", "days_of_month", "months", "years", "location"];
const TIME_KEYS: &[&str] = &["start_time", "end_time"];

/// Those of `time_intervals` and of its older name `mute_time_intervals`.
pub(super) fn intervals(loading: &mut Loading<'_>, top: &Entries<'_>) -> Vec<TimeInterval> {
    let mut all: Vec<TimeInterval> = Vec::new();
    for key in ["mute_time_intervals", "time_intervals"] {
        for yaml in loading.list(top.get(key), key) {
            let entries = loading.entries(yaml, INTERVAL_KEYS, "a time interval");
            let name = loading.text(&entries, "name").unwrap_or_default();
            if name.is_empty() {
                loading.mistake(yaml.place, "the time interval has no name", "write `name: ...`");
            } else if all.iter().any(|other| other.name == name) {
                let what = format!("time interval {name:?} stands twice");
                loading.mistake(yaml.place, what, "give each time interval its own name");
            }
            let list = loading.list(entries.get("time_intervals"), "time_intervals");
            let periods = list.iter().map(|yaml| period(loading, yaml)).collect();
            all.push(TimeInterval { name, periods });
        }
    }
    all
}

fn period(loading: &mut Loading<'_>, yaml: &Yaml) -> Period {
    let entries = loading.entries(yaml, PERIOD_KEYS, "a period");
    let zone = entries.get("location").and_then(|yaml| {
        let name = loading.reader.scalar(yaml, "location")?;
        loading.zone(yaml.place, &name)
    });
    Period {
        times: entries.get("times").map(|_| times(loading, &entries)),
        weekdays: ranges(loading, &entries, "weekdays", "monday or monday:friday", &|text| {
            place_in(&WEEKDAYS, text, 0)
        }),
        days_of_month: ranges(loading, &entries, "days_of_month", "1:7 or -3:-1 or 31", &|text| {
            text.parse().ok().filter(|day: &i32| *day != 0 && (-31..=31).contains(day))
        }),
        months: ranges(loading, &entries, "months", "may, may:august or 5:8", &|text| {
            place_in(&MONTHS, text, 1).or_else(|| text.parse().ok().filter(|month| (1..=12).contains(month)))
        }),
        years: ranges(loading, &entries, "years", "2026 or 2026:2030", &|text| {
            text.parse().ok().filter(|year| (0..=9_999).contains(year))
        }),
        zone: zone.unwrap_or(TimeZone::UTC),
    }
}

fn place_in(names: &[&str], text: &str, first: i32) -> Option<i32> {
    let place = names.iter().position(|name| name.eq_ignore_ascii_case(text))?;
    Some(i32::try_from(place).ok()? + first)
}

fn times(loading: &mut Loading<'_>, entries: &Entries<'_>) -> Vec<IntervalRange> {
    let mut ranges = Vec::new();
    for yaml in loading.list(entries.get("times"), "times") {
        let own = loading.entries(yaml, TIME_KEYS, "a time range");
        let (from, to) = (time(loading, &own, "start_time", yaml), time(loading, &own, "end_time", yaml));
        let (Some(from), Some(to)) = (from, to) else { continue };
        if from >= to {
            let remedy = "over midnight, write two: until 24:00 and from 00:00";
            loading.mistake(yaml.place, "end_time must be behind start_time", remedy);
        }
        ranges.push(IntervalRange { from, to });
    }
    ranges
}

/// Minutes of the day.
fn time(loading: &mut Loading<'_>, entries: &Entries<'_>, name: &str, range: &Yaml) -> Option<i32> {
    let text = loading.text(entries, name);
    let place = entries.get(name).map_or(range.place, |yaml| yaml.place);
    let minutes = text.as_deref().and_then(|text| {
        let (hour, minute) = text.split_once(':')?;
        let number = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten();
        let (hour, minute) = (i32::from(number(hour)?), i32::from(number(minute)?));
        let is_time = hour < 24 && minute < 60 || (hour, minute) == (24, 0);
        is_time.then_some(hour * 60 + minute)
    });
    if minutes.is_none() {
        let what =
            text.map_or_else(|| format!("the time range has no {name}"), |own| format!("{name} {own:?} is no time"));
        loading.mistake(place, what, "write '09:00' or '17:30', '24:00' being the end of the day");
    }
    minutes
}

/// `a` or `a:b`.
fn ranges(
    loading: &mut Loading<'_>,
    entries: &Entries<'_>,
    name: &str,
    example: &str,
    read: &dyn Fn(&str) -> Option<i32>,
) -> Option<Vec<IntervalRange>> {
    entries.get(name)?;
    let mut ranges = Vec::new();
    for (place, text) in loading.texts(entries, name) {
        let (from, to) = text.split_once(':').unwrap_or((&text, &text));
        let (Some(from), Some(to)) = (read(from.trim()), read(to.trim())) else {
            loading.mistake(place, format!("{name} {text:?} is no range"), format!("write such as {example}"));
            continue;
        };
        // Days counted from the end are compared as in the longest month.
        let of_longest = |day: i32| if day < 0 { 31 + day } else { day };
        if of_longest(from) > of_longest(to) || (from < 0 && to > 0) {
            let what = format!("{name} {text:?} ends before it begins");
            loading.mistake(place, what, format!("write such as {example}"));
        }
        ranges.push(IntervalRange { from, to });
    }
    Some(ranges)
}
