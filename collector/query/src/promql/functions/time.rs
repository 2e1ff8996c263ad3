//! Times and dates, in UTC.

use crate::error::QueryError;
use crate::promql::ast::{Call, Kind};
use crate::promql::eval::{ABSENT, Evaluator, Grid, Out, Row, Rows, SeriesLabels};

/// A second as the calendar shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    year: i64,
    /// From 1.
    month: u8,
    day: u8,
    second_of_day: i64,
    days_since_1970: i64,
}

/// The time of the step, in seconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
pub(crate) fn time(at_ms: i64) -> f64 {
    at_ms as f64 / 1000.0
}

/// The time of each sample: its own where the argument is a selector, else that of the step.
pub(crate) fn timestamp(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    let mut rows = match &call.args[0].bare().kind {
        Kind::Selector(selector) => evaluator.instant_values(selector, grid, |at_ms, _| time(at_ms))?,
        _ => {
            let mut rows = evaluator.vector(&call.args[0], grid)?;
            rows.map(|step, _| Some(time(grid.at(step))));
            rows
        }
    };
    rows.drop_names_merging()?;
    Ok(Out::Rows(rows))
}

impl Evaluator<'_> {
    /// A part of the date of each value, or without an argument of each step.
    pub(crate) fn date(&mut self, call: &Call, part: fn(Date) -> f64, grid: Grid) -> Result<Out, QueryError> {
        let of = |seconds: f64| Date::of(seconds).map_or(f64::NAN, part);
        let Some(arg) = call.args.first() else {
            self.grow(grid.steps)?;
            let mut values = vec![ABSENT; grid.steps];
            for (step, value) in values.iter_mut().enumerate() {
                *value = of(time(grid.at(step)).floor());
            }
            return Ok(Out::Rows(Rows::new(Row::cut(SeriesLabels::none(), &values).into_iter().collect())));
        };
        let mut rows = self.vector(arg, grid)?;
        rows.map(|_, value| Some(of(value)));
        rows.drop_names_merging()?;
        Ok(Out::Rows(rows))
    }
}

impl Date {
    /// The date of seconds since 1970, their fraction cut off; `None` beyond some hundred million years.
    pub(crate) fn of(seconds: f64) -> Option<Self> {
        if seconds.is_nan() || seconds.abs() > 1e16 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the range was checked, the fraction is not wanted")]
        let seconds = seconds as i64;
        let days = seconds.div_euclid(86_400);
        // Days of the era of 400 years that starts on a first of March, so that the leap day is the last of its year.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Some(Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
            second_of_day: seconds.rem_euclid(86_400),
            days_since_1970: days,
        })
    }

    fn is_leap(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    fn days_in(self, month: u8) -> u8 {
        match month {
            2 if self.is_leap() => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "parts of a date are small")]
fn number(part: i64) -> f64 {
    part as f64
}

pub(crate) fn minute(date: Date) -> f64 {
    number(date.second_of_day / 60 % 60)
}

pub(crate) fn hour(date: Date) -> f64 {
    number(date.second_of_day / 3_600)
}

/// Sunday is 0.
pub(crate) fn day_of_week(date: Date) -> f64 {
    number((date.days_since_1970 + 4).rem_euclid(7))
}

pub(crate) fn day_of_month(date: Date) -> f64 {
    f64::from(date.day)
}

pub(crate) fn day_of_year(date: Date) -> f64 {
    (1..date.month).map(|month| f64::from(date.days_in(month))).sum::<f64>() + f64::from(date.day)
}

pub(crate) fn days_in_month(date: Date) -> f64 {
    f64::from(date.days_in(date.month))
}

pub(crate) fn month(date: Date) -> f64 {
    f64::from(date.month)
}

pub(crate) fn year(date: Date) -> f64 {
    number(date.year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_known_seconds() {
        for (seconds, expected) in [
            (0.0, (1970, 1, 1, 0, 4)),
            (-1.0, (1969, 12, 31, 86_399, 3)),
            (951_782_400.0, (2000, 2, 29, 0, 2)),
            (1_709_251_199.0, (2024, 2, 29, 86_399, 4)),
            (4_107_542_400.0, (2100, 3, 1, 0, 1)),
            (-2_203_891_200.0, (1900, 3, 1, 0, 4)),
        ] {
            let date = Date::of(seconds).unwrap();
            let (y, m, d, s, week) = expected;
            assert_eq!((date.year, date.month, date.day, date.second_of_day), (y, m, d, s), "{seconds}");
            assert_eq!(day_of_week(date), f64::from(week), "{seconds}");
        }
        assert_eq!(Date::of(f64::NAN), None);
        assert_eq!(day_of_year(Date::of(1_709_251_199.0).unwrap()), 60.0);
    }
}
