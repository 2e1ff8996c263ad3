//! How available something was: pure and exact, in whole milliseconds, from what is known of each moment and from what was planned.
//!
//! Each moment of a window is up, down or not known, and is planned or not. What a report says is made of these six sums alone, so every
//! number of it can be checked by hand. `AVAILABILITY.md` tells the three ways in which planned time counts.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span as Calendar, Timestamp};
use muster_common::host::HostId;

use crate::fleet::Fleet;
use crate::status::ReadDowntime;

/// From the first millisecond to before the second.
pub type Span = (i64, i64);

/// What is known of a subject: spans in order that do not touch one another with the same state. Of the time between them nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    spans: Vec<(Span, bool)>,
}

impl Timeline {
    /// The subject was up, or down, in this time, which does not begin before the last one ended.
    pub fn push(&mut self, (from_ms, to_ms): Span, is_up: bool) {
        if from_ms >= to_ms {
            return;
        }
        match self.spans.last_mut() {
            Some(((_, end_ms), was_up)) if *end_ms == from_ms && *was_up == is_up => *end_ms = to_ms,
            _ => self.spans.push(((from_ms, to_ms), is_up)),
        }
    }

    /// From the first to the last, in order.
    pub fn spans(&self) -> &[(Span, bool)] {
        &self.spans
    }
}

/// A timeline out of samples: each says how things stand until the next, but for no longer than samples stay away where all is well.
#[derive(Clone, Debug)]
pub struct Samples {
    hold_ms: i64,
    last: Option<(i64, Option<bool>)>,
    timeline: Timeline,
}

impl Samples {
    /// `hold_ms`: how long a sample that nothing follows counts.
    pub fn new(hold_ms: i64) -> Self {
        Self { hold_ms, last: None, timeline: Timeline::default() }
    }

    /// Times rise; one that does not is left out. `None`: from here on it is not known.
    pub fn push(&mut self, at_ms: i64, is_up: Option<bool>) {
        if self.last.is_some_and(|(last_ms, _)| at_ms <= last_ms) {
            return;
        }
        self.close(at_ms);
        self.last = Some((at_ms, is_up));
    }

    pub fn finish(mut self) -> Timeline {
        self.close(i64::MAX);
        self.timeline
    }

    fn close(&mut self, next_ms: i64) {
        if let Some((at_ms, Some(is_up))) = self.last {
            self.timeline.push((at_ms, next_ms.min(at_ms.saturating_add(self.hold_ms))), is_up);
        }
    }
}

/// How long it was what, in milliseconds; the six add up to the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub up_ms: u64,
    pub down_ms: u64,
    pub unknown_ms: u64,
    /// The same of planned time.
    pub planned_up_ms: u64,
    pub planned_down_ms: u64,
    pub planned_unknown_ms: u64,
}

/// What planned time is to availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedAs {
    /// Time as any other: planned work costs availability.
    Counted,
    /// Nothing: only other time is looked at.
    Excluded,
    /// Time in which it was up, whatever it was: planned work costs nothing, and the whole window is looked at.
    Ignored,
}

/// What time of which nothing is known is to availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownAs {
    Excluded,
    Down,
}

/// Up for so long of so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub up_ms: u64,
    pub of_ms: u64,
}

impl Times {
    /// The window by state and plan. `planned` is in order and apart, as [`union`] makes it.
    pub fn measure((from_ms, to_ms): Span, timeline: &Timeline, planned: &[Span]) -> Self {
        let window = (from_ms, to_ms.max(from_ms));
        let (mut times, total, total_planned) = (Self::default(), length(window), overlap(window, planned));
        for ((from, to), is_up) in timeline.spans() {
            let span = ((*from).max(window.0), (*to).min(window.1));
            let (all, of_it) = (length(span), overlap(span, planned));
            let (plain, plan) = match is_up {
                true => (&mut times.up_ms, &mut times.planned_up_ms),
                false => (&mut times.down_ms, &mut times.planned_down_ms),
            };
            *plain += all - of_it;
            *plan += of_it;
        }
        times.planned_unknown_ms = total_planned - times.planned_up_ms - times.planned_down_ms;
        times.unknown_ms = total - total_planned - times.up_ms - times.down_ms;
        times
    }

    /// Of several subjects together: each counts for as long as it was there.
    pub fn add(&mut self, other: &Self) {
        self.up_ms += other.up_ms;
        self.down_ms += other.down_ms;
        self.unknown_ms += other.unknown_ms;
        self.planned_up_ms += other.planned_up_ms;
        self.planned_down_ms += other.planned_down_ms;
        self.planned_unknown_ms += other.planned_unknown_ms;
    }

    pub const fn planned_ms(&self) -> u64 {
        self.planned_up_ms + self.planned_down_ms + self.planned_unknown_ms
    }

    pub const fn total_ms(&self) -> u64 {
        self.up_ms + self.down_ms + self.unknown_ms + self.planned_ms()
    }

    pub fn share(&self, planned: PlannedAs, unknown: UnknownAs) -> Share {
        let (up_ms, down_ms, unknown_ms) = match planned {
            PlannedAs::Counted => (
                self.up_ms + self.planned_up_ms,
                self.down_ms + self.planned_down_ms,
                self.unknown_ms + self.planned_unknown_ms,
            ),
            PlannedAs::Excluded => (self.up_ms, self.down_ms, self.unknown_ms),
            PlannedAs::Ignored => (self.up_ms + self.planned_ms(), self.down_ms, self.unknown_ms),
        };
        let missing_ms = if unknown == UnknownAs::Down { unknown_ms } else { 0 };
        Share { up_ms, of_ms: up_ms + down_ms + missing_ms }
    }
}

impl Share {
    /// Ten-thousandths of a percent, rounded down: what was down for a moment is never shown as 100 %. `None`: there is no time to speak of.
    pub fn parts(self) -> Option<u64> {
        let parts = (u128::from(self.up_ms) * 1_000_000).checked_div(u128::from(self.of_ms))?;
        u64::try_from(parts).ok()
    }

    /// As people read it: `99.9861`; empty where there is none.
    pub fn text(self) -> String {
        self.parts().map(|parts| format!("{}.{:04}", parts / 10_000, parts % 10_000)).unwrap_or_default()
    }
}

/// These spans in order and apart from each other.
pub fn union(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|(from, to)| from < to);
    spans.sort_unstable();
    let mut apart: Vec<Span> = Vec::new();
    for (from, to) in spans {
        match apart.last_mut() {
            Some((_, end)) if from <= *end => *end = (*end).max(to),
            _ => apart.push((from, to)),
        }
    }
    apart
}

const fn length((from_ms, to_ms): Span) -> u64 {
    // A time that fits between two moments of i64 fits.
    if from_ms < to_ms { to_ms.abs_diff(from_ms) } else { 0 }
}

/// How much of a span others cover that are in order and apart.
fn overlap(span: Span, others: &[Span]) -> u64 {
    let first = others.partition_point(|(_, to)| *to <= span.0);
    let touching = others[first..].iter().take_while(|(from, _)| *from < span.1);
    touching.map(|(from, to)| length(((*from).max(span.0), (*to).min(span.1)))).sum()
}

/// A month `2026-11` by the calendar of a zone: it has an hour less or more where clocks are set.
///
/// # Errors
/// What is wrong with either, in words.
pub fn month_span(month: &str, zone: &str) -> Result<Span, String> {
    let wrong = || format!("`{month}` is no month: write such as 2026-11");
    let (year, number) = month.split_once('-').ok_or_else(wrong)?;
    let is_number = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(year, 4) || !is_number(number, 2) {
        return Err(wrong());
    }
    let (year, number) = (year.parse().map_err(|_| wrong())?, number.parse().map_err(|_| wrong())?);
    let first = Date::new(year, number, 1).map_err(|_| wrong())?;
    let zone = TimeZone::get(zone)
        .map_err(|_| format!("zone `{zone}` is unknown: write its IANA name, such as `Europe/Berlin` or `UTC`"))?;
    let at = |date: Date| {
        let midnight = date.to_datetime(jiff::civil::Time::midnight()).to_zoned(zone.clone());
        midnight.map(|at| at.timestamp().as_millisecond()).map_err(|_| wrong())
    };
    let next = first.checked_add(Calendar::new().months(1)).map_err(|_| wrong())?;
    Ok((at(first)?, at(next)?))
}

/// The month before the one that this moment lies in: `2026-10`.
///
/// # Errors
/// That the zone is unknown, in words.
pub fn month_before(now_ms: i64, zone: &str) -> Result<String, String> {
    let known = TimeZone::get(zone)
        .map_err(|_| format!("zone `{zone}` is unknown: write its IANA name, such as `Europe/Berlin` or `UTC`"))?;
    let date = Timestamp::from_millisecond(now_ms).unwrap_or_default().to_zoned(known).date().first_of_month();
    let before = date.yesterday().unwrap_or(date);
    Ok(format!("{:04}-{:02}", before.year(), before.month()))
}

/// What was planned in one window: downtimes, those of maintenances among them, by the names and labels that hosts have now.
pub struct Planner {
    window: Span,
    downtimes: Vec<ReadDowntime>,
}

impl Fleet {
    /// Downtimes that touch this window, over or not. Those that ended more than 400 days ago are not known.
    pub fn planner(&self, window: Span) -> Planner {
        let downtimes = self.downtimes_between(window.0, window.1);
        Planner { window, downtimes: downtimes.into_iter().filter_map(|one| ReadDowntime::new(one).ok()).collect() }
    }
}

impl Planner {
    /// The times that were planned of a host, or of one check of it, in order and apart.
    pub fn planned(
        &self,
        host: HostId,
        name: &str,
        labels: &BTreeMap<String, String>,
        check: Option<&str>,
    ) -> Vec<Span> {
        let about = self.downtimes.iter().filter(|one| one.is_about(host, name, labels, check));
        union(about.flat_map(|one| one.windows_within(self.window.0, self.window.1)).collect())
    }
}

#[cfg(test)]
mod tests;
