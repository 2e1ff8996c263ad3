//! What a plot shows.

/// Points of one series, milliseconds and value, oldest first. What is not finite is a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlotSeries {
    pub name: String,
    pub points: Vec<(i64, f64)>,
}

/// On which side of a limit values are bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    Above,
    Below,
}

/// A line at a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub value: f64,
    /// Such as `limit` or `warning`.
    pub name: String,
    pub bad: Bad,
    pub is_critical: bool,
}

/// Something that happened: a line at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub at_ms: i64,
    pub text: String,
}

/// One plot.
#[derive(Clone, Debug, PartialEq)]
pub struct PlotData {
    pub title: String,
    /// `%`, `B`, `s` or any other; empty: a bare number.
    pub unit: String,
    pub from_ms: i64,
    pub to_ms: i64,
    /// Usual distance of points; a longer pause than two and a half of it is a gap.
    pub step_ms: i64,
    /// Five are shown, more are not.
    pub series: Vec<PlotSeries>,
    pub limits: Vec<Limit>,
    /// Those of the plotted time are shown with their numbers, from 1, up to [`MARKS`].
    pub marks: Vec<Mark>,
    pub onset_ms: Option<i64>,
}

/// More marks hide the lines.
pub const MARKS: usize = 6;

impl PlotData {
    /// The marks that are shown and their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &Mark)> {
        let inside = self.marks.iter().filter(|mark| (self.from_ms..=self.to_ms).contains(&mark.at_ms));
        (1..).zip(inside.take(MARKS))
    }

    /// The last finite value of the first series.
    pub fn last(&self) -> Option<f64> {
        self.series.first()?.points.iter().rev().map(|(_, value)| *value).find(|value| value.is_finite())
    }
}

/// Colours for light or for dark surroundings. Mails take the light one on its own grey, which reads in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}
