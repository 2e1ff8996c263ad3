//! Time intervals: when a route tells nothing, or when alone it tells.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::route::Route;
use crate::alert::{Held, HeldReason};

/// How far ahead the end of an interval is looked for: a week and a day, since most intervals are of weeks. Beyond it no end is told.
const LOOK_AHEAD_DAYS: i64 = 8;

/// As configurations write them, from Sunday on.
pub const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
/// From January on.
pub const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A range with both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntervalRange {
    pub from: i32,
    pub to: i32,
}

impl IntervalRange {
    fn has(self, value: i32) -> bool {
        (self.from..=self.to).contains(&value)
    }
}

/// One period; what it does not say is every time. All that it says must hold.
#[derive(Clone, Debug)]
pub struct Period {
    /// Minutes of the local day; the end is not in it.
    pub times: Option<Vec<IntervalRange>>,
    /// 0 is Sunday.
    pub weekdays: Option<Vec<IntervalRange>>,
    /// From 1; negative from the month's end, -1 being its last day.
    pub days_of_month: Option<Vec<IntervalRange>>,
    /// From 1.
    pub months: Option<Vec<IntervalRange>>,
    pub years: Option<Vec<IntervalRange>>,
    pub zone: TimeZone,
}

impl Default for Period {
    fn default() -> Self {
        Self { times: None, weekdays: None, days_of_month: None, months: None, years: None, zone: TimeZone::UTC }
    }
}

impl Period {
    fn has(&self, at: Timestamp) -> bool {
        let local = at.to_zoned(self.zone.clone());
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let any = |spans: &Option<Vec<IntervalRange>>, value: i32| {
            spans.as_ref().is_none_or(|spans| spans.iter().any(|span| span.has(value)))
        };
        let is_in_times =
            self.times.as_ref().is_none_or(|times| times.iter().any(|span| span.from <= minute && minute < span.to));
        let days = i32::from(local.days_in_month());
        let day = i32::from(local.day());
        let from_end = |day: i32| if day < 0 { days + day + 1 } else { day };
        let is_in_days = self.days_of_month.as_ref().is_none_or(|spans| {
            // A range that begins behind this month's end has no day in it: 31 is not the 30th.
            let real = |span: &IntervalRange| IntervalRange { from: from_end(span.from), to: from_end(span.to) };
            spans.iter().any(|span| real(span).has(day))
        });
        is_in_times
            && is_in_days
            && any(&self.weekdays, i32::from(local.weekday().to_sunday_zero_offset()))
            && any(&self.months, i32::from(local.month()))
            && any(&self.years, i32::from(local.year()))
    }

    /// The moments of a local day at which it may begin or end.
    fn edges(&self, day: Date) -> Vec<Timestamp> {
        let Ok(start) = day.to_zoned(self.zone.clone()) else { return Vec::new() };
        let minutes = self.times.iter().flatten().flat_map(|span| [span.from, span.to]);
        let at = |minute: i32| {
            let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
            let time = Time::new(hour, minute, 0, 0).ok()?;
            Some(day.to_datetime(time).to_zoned(self.zone.clone()).ok()?.timestamp())
        };
        let clock_change = self.zone.following(start.timestamp()).next().map(|change| change.timestamp());
        std::iter::once(start.timestamp()).chain(minutes.filter_map(at)).chain(clock_change).collect()
    }
}

/// A named list of periods; it is on while one of them is.
#[derive(Clone, Debug)]
pub struct TimeInterval {
    pub name: String,
    pub periods: Vec<Period>,
}

impl TimeInterval {
    pub fn is_on(&self, now_ms: i64) -> bool {
        Timestamp::from_millisecond(now_ms).is_ok_and(|at| self.periods.iter().any(|period| period.has(at)))
    }

    /// When it begins or ends next, if that is within eight days.
    pub fn next_change_ms(&self, now_ms: i64) -> Option<i64> {
        let is_on = self.is_on(now_ms);
        self.edges(now_ms).into_iter().find(|edge| self.is_on(*edge) != is_on)
    }

    /// Moments behind `now`, in their order, at which it may change.
    fn edges(&self, now_ms: i64) -> Vec<i64> {
        let Ok(now) = Timestamp::from_millisecond(now_ms) else { return Vec::new() };
        let mut edges: Vec<i64> = Vec::new();
        for period in &self.periods {
            // By the calendar: a day may have 23 hours.
            let today = now.to_zoned(period.zone.clone()).date();
            let days = (0..=LOOK_AHEAD_DAYS).map_while(|day| today.checked_add(day.days()).ok());
            edges.extend(days.flat_map(|day| period.edges(day)).map(|at| at.as_millisecond()));
        }
        edges.retain(|edge| *edge > now_ms);
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}

/// All time intervals by their names.
#[derive(Clone, Debug, Default)]
pub struct TimeIntervals {
    all: BTreeMap<String, TimeInterval>,
}

impl TimeIntervals {
    pub fn new(intervals: impl IntoIterator<Item = TimeInterval>) -> Self {
        Self { all: intervals.into_iter().map(|own| (own.name.clone(), own)).collect() }
    }

    pub fn get(&self, name: &str) -> Option<&TimeInterval> {
        self.all.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &TimeInterval> {
        self.all.values()
    }

    /// Why a route tells nothing now: a mute interval is on, or it has active ones and none is. The end is told where it comes within
    /// eight days. It is the same for all alerts of the route: ask once.
    pub fn held_by(&self, route: &Route, now_ms: i64) -> Option<Held> {
        let by = self.holding(route, now_ms)?;
        let named = route.mute.iter().chain(&route.active).filter_map(|name| self.all.get(name));
        let mut edges: Vec<i64> = named.flat_map(|own| own.edges(now_ms)).collect();
        edges.sort_unstable();
        edges.dedup();
        let until_ms = edges.into_iter().find(|edge| self.holding(route, *edge).is_none());
        Some(Held { why: HeldReason::MuteTime, by, until_ms })
    }

    /// The names of what holds a route at a time.
    fn holding(&self, route: &Route, at_ms: i64) -> Option<String> {
        let is_on = |name: &&String| self.all.get(*name).is_some_and(|own| own.is_on(at_ms));
        if let Some(name) = route.mute.iter().find(is_on) {
            return Some(name.clone());
        }
        let is_outside = !route.active.is_empty() && !route.active.iter().any(|name| is_on(&name));
        is_outside.then(|| format!("not {}", route.active.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::route::GroupBy;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn spans(own: &[(i32, i32)]) -> Option<Vec<IntervalRange>> {
        Some(own.iter().map(|(from, to)| IntervalRange { from: *from, to: *to }).collect())
    }

    fn is_on(period: &Period, at: &str) -> bool {
        TimeInterval { name: "i".into(), periods: vec![period.clone()] }.is_on(ms(at))
    }

    #[test]
    fn all_that_a_period_says_must_hold() {
        let office = Period { times: spans(&[(540, 1020)]), weekdays: spans(&[(1, 5)]), ..Period::default() };
        for (at, expected) in [
            ("2026-01-05T08:59:59Z", false),
            ("2026-01-05T09:00:00Z", true),
            ("2026-01-05T16:59:59Z", true),
            ("2026-01-05T17:00:00Z", false),
            ("2026-01-04T12:00:00Z", false),
        ] {
            assert_eq!(is_on(&office, at), expected, "{at}");
        }
        let own = Period { months: spans(&[(1, 3), (12, 12)]), years: spans(&[(2026, 2027)]), ..Period::default() };
        for (at, expected) in [
            ("2026-03-31T23:59:59Z", true),
            ("2026-04-01T00:00:00Z", false),
            ("2027-12-01T00:00:00Z", true),
            ("2028-01-01T00:00:00Z", false),
        ] {
            assert_eq!(is_on(&own, at), expected, "{at}");
        }
        assert!(is_on(&Period::default(), "2026-04-01T00:00:00Z"));
        assert!(!is_on(&Period { weekdays: Some(Vec::new()), ..Period::default() }, "2026-04-01T00:00:00Z"));
    }

    #[test]
    fn days_count_from_both_ends_of_the_month() {
        let last = Period { days_of_month: spans(&[(-3, -1)]), ..Period::default() };
        for (at, expected) in [
            ("2026-02-25T12:00:00Z", false),
            ("2026-02-26T12:00:00Z", true),
            ("2028-02-26T12:00:00Z", false),
            ("2028-02-29T12:00:00Z", true),
            ("2026-01-31T12:00:00Z", true),
        ] {
            assert_eq!(is_on(&last, at), expected, "{at}");
        }
        let mixed = Period { days_of_month: spans(&[(31, 31), (10, -20)]), ..Period::default() };
        for (at, expected) in [
            ("2026-04-30T12:00:00Z", false),
            ("2026-05-31T12:00:00Z", true),
            ("2026-05-12T12:00:00Z", true),
            ("2026-05-13T12:00:00Z", false),
        ] {
            assert_eq!(is_on(&mixed, at), expected, "{at}");
        }
    }

    fn night() -> Period {
        Period { times: spans(&[(120, 180)]), zone: berlin(), ..Period::default() }
    }

    #[test]
    fn local_times_follow_summer_time() {
        // 02:00 to 03:00 is 01:00Z in winter and 00:00Z in summer; on 2026-03-29 there is no such hour, on 2026-10-25 there are two.
        for (at, expected) in [
            ("2026-01-10T01:30:00Z", true),
            ("2026-07-10T00:30:00Z", true),
            ("2026-07-10T01:30:00Z", false),
            ("2026-03-29T00:59:00Z", false),
            ("2026-03-29T01:00:00Z", false),
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T01:30:00Z", true),
            ("2026-10-25T02:00:00Z", false),
        ] {
            assert_eq!(is_on(&night(), at), expected, "{at}");
        }
    }

    fn route(mute: &[&str], active: &[&str]) -> Route {
        let names = |own: &[&str]| own.iter().map(|name| (*name).to_owned()).collect();
        Route {
            id: "{}".into(),
            receiver: "r".into(),
            group_by: GroupBy::All,
            group_wait_ms: 0,
            group_interval_ms: 1,
            repeat_interval_ms: 1,
            mute: names(mute),
            active: names(active),
            is_continued: false,
            matchers: Vec::new(),
            children: Vec::new(),
        }
    }

    fn intervals() -> TimeIntervals {
        let weekend = Period { weekdays: spans(&[(0, 0), (6, 6)]), zone: berlin(), ..Period::default() };
        let evening = Period { times: spans(&[(1080, 1440)]), zone: berlin(), ..Period::default() };
        let summer = Period { months: spans(&[(6, 8)]), ..Period::default() };
        let own = [("night", night()), ("weekend", weekend), ("evening", evening), ("summer", summer)];
        TimeIntervals::new(own.map(|(name, period)| TimeInterval { name: name.into(), periods: vec![period] }))
    }

    #[test]
    fn a_route_is_held_while_muted_or_not_active() {
        let own = intervals();
        let held = |route: &Route, at: &str| {
            let held = own.held_by(route, ms(at))?;
            assert_eq!(held.why, HeldReason::MuteTime);
            let until = held.until_ms.map(|at| Timestamp::from_millisecond(at).unwrap().to_string());
            Some(format!("{} {}", held.by, until.unwrap_or_default()))
        };
        let told = |own: Option<String>| own.unwrap_or_default();
        let muted = route(&["night", "weekend"], &[]);
        assert_eq!(told(held(&muted, "2026-01-05T12:00:00Z")), "");
        assert_eq!(told(held(&muted, "2026-01-06T01:30:00Z")), "night 2026-01-06T02:00:00Z");
        // Over the weekend into Monday, local midnight.
        assert_eq!(told(held(&muted, "2026-01-03T12:00:00Z")), "weekend 2026-01-04T23:00:00Z");
        // The hour that comes twice ends with the second one.
        assert_eq!(told(held(&route(&["night"], &[]), "2026-10-25T00:30:00Z")), "night 2026-10-25T02:00:00Z");
        let active = route(&[], &["weekend", "evening"]);
        assert_eq!(told(held(&active, "2026-01-05T12:00:00Z")), "not weekend, evening 2026-01-05T17:00:00Z");
        assert_eq!(told(held(&active, "2026-01-05T17:00:00Z")), "");
        assert_eq!(told(held(&active, "2026-07-13T15:59:00Z")), "not weekend, evening 2026-07-13T16:00:00Z");
        // The night before the short day, just before midnight.
        let sunday = route(&["weekend"], &["evening"]);
        assert_eq!(told(held(&sunday, "2026-03-27T23:30:00Z")), "weekend 2026-03-30T16:00:00Z");
        assert_eq!(told(held(&active, "2026-03-27T16:30:00Z")), "not weekend, evening 2026-03-27T17:00:00Z");
        let daily = route(&[], &["evening"]);
        assert_eq!(told(held(&daily, "2026-03-28T23:10:00Z")), "not evening 2026-03-29T16:00:00Z");
        let both = route(&["evening"], &["weekend", "evening"]);
        assert_eq!(told(held(&both, "2026-01-05T17:00:00Z")), "evening 2026-01-09T23:00:00Z");
        // Two months off: no end is told.
        assert_eq!(told(held(&route(&["summer"], &[]), "2026-06-10T00:00:00Z")), "summer ");
        assert_eq!(told(held(&route(&[], &[]), "2026-06-10T00:00:00Z")), "");
    }
}
