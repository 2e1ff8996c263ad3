//! Times that come again: `sun 02:00-04:00`, `mon-fri 22:00-06:00`, `daily 03:00-03:30`, in a zone, by the clock on its walls.
//!
//! A window belongs to the day on which it begins. Where the clocks are set on, a time that does not exist is as much later as they are
//! set on; where they are set back, the first of the two times counts. So a window may be an hour longer or shorter, or empty.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Days ahead that are looked at: a window a week, of which one may be empty.
const DAYS: i32 = 15;
const WEEK: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Windows of a week.
#[derive(Clone, Debug)]
pub(crate) struct Recurrence {
    /// By [`WEEK`].
    days: [bool; 7],
    from: Time,
    /// Not after `from`: on the next day.
    to: Time,
    zone: TimeZone,
}

impl Recurrence {
    /// Reads the days, the times and the zone's IANA name.
    ///
    /// # Errors
    /// What is wrong, in words with the form that is wanted.
    pub(crate) fn parse(text: &str, zone: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}`: write such as `sun 02:00-04:00`, `mon-fri 22:00-06:00` or `daily 03:00-03:30`");
        let (days, times) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let (from, to) = times.trim().split_once('-').ok_or_else(wrong)?;
        let zone = TimeZone::get(zone)
            .map_err(|_| format!("zone `{zone}` is unknown: write its IANA name, such as `Europe/Berlin` or `UTC`"))?;
        let (from, to) = (time(from).ok_or_else(wrong)?, time(to).ok_or_else(wrong)?);
        Ok(Self { days: week_days(days).ok_or_else(wrong)?, from, to, zone })
    }

    /// The windows of the days around this time, in order: begin and end, milliseconds.
    pub(crate) fn windows(&self, around_ms: i64) -> impl Iterator<Item = (i64, i64)> {
        let today = Timestamp::from_millisecond(around_ms).ok().map(|at| at.to_zoned(self.zone.clone()).date());
        let dates = (-1..DAYS).filter_map(move |days| today?.checked_add(Span::new().days(days)).ok());
        dates.filter_map(|date| self.window(date)).filter(|(from, to)| from < to)
    }

    fn window(&self, date: Date) -> Option<(i64, i64)> {
        let (_, is_on) = WEEK.iter().zip(self.days).find(|((_, day), _)| *day == date.weekday())?;
        let end = if self.to <= self.from { date.tomorrow().ok()? } else { date };
        let at = |date: Date, time| date.to_datetime(time).to_zoned(self.zone.clone()).ok();
        let (from, to) = (at(date, self.from)?, at(end, self.to)?);
        is_on.then(|| (from.timestamp().as_millisecond(), to.timestamp().as_millisecond()))
    }
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// `daily`, a day, `mon-fri`, `sat-mon`, or several of these by commas.
fn week_days(text: &str) -> Option<[bool; 7]> {
    let number = |name: &str| WEEK.iter().position(|(day, _)| name.eq_ignore_ascii_case(day));
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            _ if part.eq_ignore_ascii_case("daily") => (0, 6),
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        let count = (last + 7 - first) % 7;
        (first..=first + count).for_each(|day| days[day % 7] = true);
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    /// The first windows that end after this time.
    fn next(text: &str, zone: &str, now: &str, count: usize) -> Vec<String> {
        let recurrence = Recurrence::parse(text, zone).unwrap();
        let windows = recurrence.windows(ms(now)).filter(|(_, to)| *to > ms(now));
        let shown = |ms: i64| Timestamp::from_millisecond(ms).unwrap().to_string();
        windows.take(count).map(|(from, to)| format!("{} {}", shown(from), shown(to))).collect()
    }

    #[test]
    fn windows_come_by_the_clock_of_their_zone() {
        for (text, zone, now, windows) in [
            // 2026-11-29 is a Sunday.
            ("sun 02:00-04:00", "UTC", "2026-11-27T12:00:00Z", &["2026-11-29T02:00:00Z 2026-11-29T04:00:00Z"][..]),
            ("sun 02:00-04:00", "Asia/Tokyo", "2026-11-27T12:00:00Z", &["2026-11-28T17:00:00Z 2026-11-28T19:00:00Z"]),
            (
                "mon-fri 22:00-06:00",
                "Europe/Berlin",
                "2026-11-27T22:00:00Z",
                &["2026-11-27T21:00:00Z 2026-11-28T05:00:00Z", "2026-11-30T21:00:00Z 2026-12-01T05:00:00Z"],
            ),
            ("daily 03:00-03:30", "UTC", "2026-11-27T03:29:59Z", &["2026-11-27T03:00:00Z 2026-11-27T03:30:00Z"]),
            ("sat-mon 00:00-00:00", "UTC", "2026-11-27T03:00:00Z", &["2026-11-28T00:00:00Z 2026-11-29T00:00:00Z"]),
            // Clocks are set on at 02:00 on 2026-03-29: an hour shorter, and empty where all of it is missing.
            (
                "sun 02:00-04:00",
                "Europe/Berlin",
                "2026-03-28T12:00:00Z",
                &["2026-03-29T01:00:00Z 2026-03-29T02:00:00Z", "2026-04-05T00:00:00Z 2026-04-05T02:00:00Z"],
            ),
            (
                "sun 02:00-03:00",
                "Europe/Berlin",
                "2026-03-28T12:00:00Z",
                &["2026-04-05T00:00:00Z 2026-04-05T01:00:00Z"],
            ),
            // Clocks are set back at 03:00 on 2026-10-25: an hour longer.
            (
                "sun 02:00-04:00",
                "Europe/Berlin",
                "2026-10-24T12:00:00Z",
                &["2026-10-25T00:00:00Z 2026-10-25T03:00:00Z"],
            ),
        ] {
            assert_eq!(next(text, zone, now, windows.len()), windows, "{text} {zone} {now}");
        }
    }

    #[test]
    fn other_forms_are_refused_with_the_form_wanted() {
        for bad in [
            "",
            "sun",
            "sun 2-4",
            "son 02:00-04:00",
            "sun 02:00",
            "sun 24:00-25:00",
            "mon-xyz 01:00-02:00",
            "daily +1:00-02:00",
        ] {
            assert!(Recurrence::parse(bad, "UTC").unwrap_err().contains("mon-fri 22:00-06:00"), "{bad}");
        }
        assert!(Recurrence::parse("daily 01:00-02:00", "Mars/Base").unwrap_err().contains("IANA"));
    }
}
