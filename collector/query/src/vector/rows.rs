//! Values over the grid. A row holds one series from its first to its last value; a hole is a marker no computation
//! yields, so a row is one plain array.

use std::collections::HashMap;

use muster_common::label::NAME;
use muster_common::sample::{is_stale, stale};

use crate::error::QueryError;
use crate::vector::labels::SeriesLabels;

/// No value at this step. Stale markers end a series when it is read, and arithmetic quiets every NaN, so none of
/// the values computed here ever has these bits.
pub(crate) const ABSENT: f64 = stale();

#[inline]
pub(crate) fn is_absent(value: f64) -> bool {
    is_stale(value)
}

/// One series over the grid.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) labels: SeriesLabels,
    /// The step of `values[0]`.
    pub(crate) first: usize,
    /// Without [`ABSENT`] at either end; empty only while it is built or taken apart.
    pub(crate) values: Vec<f64>,
}

/// An instant vector over the grid: at most one row for each label set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    /// The order was asked for (`sort`, `topk`) and is kept in an instant answer.
    pub(crate) ordered: bool,
}

/// A scalar over the grid.
#[derive(Clone, Debug)]
pub(crate) enum Scalar {
    Constant(f64),
    /// One value a step.
    Steps(Vec<f64>),
}

/// What an expression evaluates to.
#[derive(Clone, Debug)]
pub(crate) enum Out {
    Scalar(Scalar),
    Rows(Rows),
    Text(String),
}

impl Out {
    /// Values and holes held: what limits count.
    pub(crate) fn cells(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.cells(),
            Self::Scalar(Scalar::Steps(values)) => values.len(),
            Self::Scalar(Scalar::Constant(_)) | Self::Text(_) => 0,
        }
    }
}

impl Row {
    /// The row of these steps' values, holes at the ends cut off; `None` if there is no value at all.
    pub(crate) fn cut(labels: SeriesLabels, steps: &[f64]) -> Option<Self> {
        let first = steps.iter().position(|value| !is_absent(*value))?;
        let last = steps.iter().rposition(|value| !is_absent(*value))?;
        Some(Self { labels, first, values: steps[first..=last].to_vec() })
    }

    pub(crate) fn get(&self, step: usize) -> Option<f64> {
        let value = self.values.get(step.checked_sub(self.first)?)?;
        (!is_absent(*value)).then_some(*value)
    }

    /// Steps and values, holes left out.
    pub(crate) fn points(&self) -> impl Iterator<Item = (usize, f64)> {
        let cells = self.values.iter().enumerate();
        cells.filter(|(_, value)| !is_absent(**value)).map(|(index, value)| (self.first + index, *value))
    }

    /// Changes each value; `None` makes a hole. Answers whether a value is left.
    pub(crate) fn map(&mut self, mut change: impl FnMut(usize, f64) -> Option<f64>) -> bool {
        let (first, mut holes) = (self.first, false);
        for (index, value) in self.values.iter_mut().enumerate() {
            if !is_absent(*value) {
                *value = change(first + index, *value).unwrap_or(ABSENT);
            }
            holes |= is_absent(*value);
        }
        if holes { self.trim() } else { true }
    }

    fn trim(&mut self) -> bool {
        let Some(last) = self.values.iter().rposition(|value| !is_absent(*value)) else {
            self.values.clear();
            return false;
        };
        self.values.truncate(last + 1);
        let first = self.values.iter().position(|value| !is_absent(*value)).unwrap_or(0);
        self.values.drain(..first);
        self.first += first;
        true
    }
}

impl Rows {
    pub(crate) fn new(rows: Vec<Row>) -> Self {
        Self { rows, ordered: false }
    }

    /// Values and holes held: what limits count.
    pub(crate) fn cells(&self) -> usize {
        self.rows.iter().map(|row| row.values.len()).sum()
    }

    /// Changes each value of each row, and drops what is left empty.
    pub(crate) fn map(&mut self, mut change: impl FnMut(usize, f64) -> Option<f64>) {
        self.rows.retain_mut(|row| row.map(&mut change));
    }

    pub(crate) fn drop_names(&mut self) {
        self.rows.iter_mut().for_each(|row| row.labels.drop_name());
    }

    /// Drops the metric names; two rows that then are one series are an error even if they never meet.
    pub(crate) fn drop_names_strictly(&mut self) -> Result<(), QueryError> {
        let same = self.one_name();
        self.drop_names();
        if same || self.doubles().is_none() { Ok(()) } else { Err(QueryError::same_labels()) }
    }

    /// Drops the metric names and makes one row of those that then are one series.
    pub(crate) fn drop_names_merging(&mut self) -> Result<(), QueryError> {
        let same = self.one_name();
        self.drop_names();
        if same { Ok(()) } else { self.merge() }
    }

    /// Rows of one label set become one row; two values at one step are an error.
    pub(crate) fn merge(&mut self) -> Result<(), QueryError> {
        let Some(places) = self.doubles() else { return Ok(()) };
        let rows = std::mem::take(&mut self.rows);
        let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
        for (row, place) in rows.into_iter().zip(places) {
            match merged.get_mut(place) {
                Some(into) => into.absorb(&row)?,
                None => merged.push(row),
            }
        }
        self.rows = merged;
        Ok(())
    }

    /// Whether all rows have the same metric name: then dropping it makes no two of them alike.
    fn one_name(&self) -> bool {
        let mut names = self.rows.iter().map(|row| row.labels.get(NAME));
        let first = names.next();
        names.all(|name| Some(name) == first)
    }

    /// For each row the place of its label set among the different ones; `None` if all differ.
    fn doubles(&self) -> Option<Vec<usize>> {
        let mut places = Vec::with_capacity(self.rows.len());
        let mut seen: HashMap<Vec<u8>, usize> = HashMap::with_capacity(self.rows.len());
        let mut key = Vec::new();
        for row in &self.rows {
            row.labels.subset(|_| true, &mut key);
            let next = seen.len();
            places.push(*seen.entry(key.clone()).or_insert(next));
        }
        (seen.len() < self.rows.len()).then_some(places)
    }
}

impl Row {
    /// Takes over the other's values, which must lie at other steps.
    pub(crate) fn absorb(&mut self, other: &Self) -> Result<(), QueryError> {
        for (step, value) in other.points() {
            if self.get(step).is_some() {
                return Err(QueryError::same_labels());
            }
            self.set(step, value);
        }
        Ok(())
    }

    /// Puts a value at a step, growing the row to it. Answers by how many cells.
    pub(crate) fn set(&mut self, step: usize, value: f64) -> usize {
        let before = self.values.len();
        if self.values.is_empty() {
            self.first = step;
        } else if step < self.first {
            self.values.splice(..0, std::iter::repeat_n(ABSENT, self.first - step));
            self.first = step;
        }
        let index = step - self.first;
        if index >= self.values.len() {
            self.values.resize(index + 1, ABSENT);
        }
        self.values[index] = value;
        self.values.len() - before
    }
}

impl Scalar {
    pub(crate) fn at(&self, step: usize) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Steps(values) => values.get(step).copied().unwrap_or(f64::NAN),
        }
    }

    /// One scalar of two, step by step.
    pub(crate) fn zip(&self, other: &Self, operate: impl Fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Constant(a), Self::Constant(b)) => Self::Constant(operate(*a, *b)),
            (Self::Steps(a), _) => Self::Steps(a.iter().enumerate().map(|(i, a)| operate(*a, other.at(i))).collect()),
            (_, Self::Steps(b)) => Self::Steps(b.iter().enumerate().map(|(i, b)| operate(self.at(i), *b)).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_grown_and_merged() {
        let labels = SeriesLabels::none();
        let mut row = Row::cut(labels.clone(), &[ABSENT, 1.0, ABSENT, 3.0, ABSENT]).unwrap();
        assert_eq!((row.first, row.values.len(), row.get(2), row.get(3)), (1, 3, None, Some(3.0)));
        row.absorb(&Row { labels: labels.clone(), first: 0, values: vec![7.0] }).unwrap();
        row.absorb(&Row { labels: labels.clone(), first: 6, values: vec![9.0] }).unwrap();
        assert_eq!(row.points().collect::<Vec<_>>(), [(0, 7.0), (1, 1.0), (3, 3.0), (6, 9.0)]);
        assert!(row.absorb(&Row { labels: labels.clone(), first: 6, values: vec![9.0] }).is_err());
        assert!(row.map(|_, value| (value > 2.0 && value < 9.0).then_some(value)));
        assert_eq!((row.first, row.values.len()), (0, 4));
        assert!(!row.map(|_, _| None));
        assert!(Row::cut(labels, &[ABSENT]).is_none());
    }

    #[test]
    fn nan_is_a_value_and_no_hole() {
        assert!(!is_absent(f64::NAN) && !is_absent(-f64::NAN) && !is_absent(ABSENT + 1.0));
    }
}
