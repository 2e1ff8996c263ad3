//! Which samples an expression needs, and reading them: every selector once, over just the time it looks at.

use std::rc::Rc;

use muster_common::matcher::Matcher;
use muster_common::sample::is_stale;

use crate::error::QueryError;
use crate::promql::ast::{Expr, Kind, Selector, Shift};
use crate::promql::eval::evaluator::Evaluator;
use crate::source::{Columns, Fetch, Request, SourceError};
use crate::vector::grid::Grid;
use crate::vector::labels::SeriesLabels;
use crate::vector::rows::{ABSENT, Row, Rows};

/// What one selector looks at.
pub(crate) struct Need {
    selector: usize,
    matchers: Vec<Matcher>,
    /// The matchers as text, to find alike ones.
    key: String,
    from: i64,
    to: i64,
}

/// One reading, shared by alike selectors whose times overlap.
struct Reading {
    matchers: Vec<Matcher>,
    from: i64,
    to: i64,
    uses_left: usize,
    columns: Option<Rc<Vec<Columns>>>,
}

pub(crate) struct Selections<'a> {
    fetch: &'a Fetch<'a>,
    readings: Vec<Reading>,
    /// By selector; `None` for one that is never evaluated.
    of: Vec<Option<usize>>,
    loaded: usize,
    /// Of these, what was given out for the last time: its taker lets it go before anything else is read.
    parting: usize,
}

impl<'a> Selections<'a> {
    pub(crate) fn new(fetch: &'a Fetch<'a>) -> Self {
        Self { fetch, readings: Vec::new(), of: Vec::new(), loaded: 0, parting: 0 }
    }

    /// First and last time of all that is planned to be read.
    pub(crate) fn ends(&self) -> Option<(i64, i64)> {
        let first = self.readings.iter().map(|reading| reading.from).min()?;
        let last = self.readings.iter().map(|reading| reading.to).max()?;
        Some((first, last))
    }

    /// Samples held now.
    pub(crate) fn loaded(&self) -> usize {
        self.loaded
    }

    /// Makes readings of needs.
    pub(crate) fn plan(&mut self, mut needs: Vec<Need>) {
        needs.sort_by(|a, b| (&a.key, a.from).cmp(&(&b.key, b.from)));
        let mut last_key = String::new();
        for need in needs {
            if self.of.len() <= need.selector {
                self.of.resize(need.selector + 1, None);
            }
            match self.readings.last_mut() {
                Some(last) if last_key == need.key && need.from <= last.to => {
                    last.to = last.to.max(need.to);
                    last.uses_left += 1;
                }
                _ => self.readings.push(Reading {
                    matchers: need.matchers,
                    from: need.from,
                    to: need.to,
                    uses_left: 1,
                    columns: None,
                }),
            }
            self.of[need.selector] = Some(self.readings.len() - 1);
            last_key = need.key;
        }
    }

    pub(crate) fn columns(
        &mut self,
        selector: usize,
        series_max: usize,
        room: usize,
    ) -> Result<Rc<Vec<Columns>>, QueryError> {
        let Some(reading) = self.of.get(selector).copied().flatten().and_then(|index| self.readings.get_mut(index))
        else {
            return Ok(Rc::new(Vec::new()));
        };
        self.loaded -= std::mem::take(&mut self.parting);
        reading.uses_left = reading.uses_left.saturating_sub(1);
        let columns = match reading.columns.take() {
            Some(columns) => columns,
            None => {
                let request = Request {
                    matchers: &reading.matchers,
                    from_ms: reading.from,
                    to_ms: reading.to,
                    series_max,
                    samples_max: room.saturating_sub(self.loaded),
                };
                let columns = (self.fetch)(&request).map_err(|error| match error {
                    SourceError::TooMuch(message) => QueryError::TooMuch { message },
                    SourceError::Cancelled => QueryError::Cancelled,
                    SourceError::Failed(message) => QueryError::Source { message },
                })?;
                self.loaded += columns.iter().map(|one| one.values.len()).sum::<usize>();
                Rc::new(columns)
            }
        };
        if reading.uses_left > 0 {
            reading.columns = Some(Rc::clone(&columns));
        } else {
            self.parting = columns.iter().map(|one| one.values.len()).sum();
        }
        Ok(columns)
    }
}

impl Evaluator<'_> {
    /// The needs of all selectors below this node when it is evaluated over this grid.
    pub(crate) fn collect(&self, expr: &Expr, grid: Grid, needs: &mut Vec<Need>) {
        let grid = if expr.invariant { grid.first() } else { grid };
        match &expr.kind {
            Kind::Number(_) | Kind::Text(_) => {}
            Kind::Selector(selector) => {
                let lookback = i64::try_from(self.limits.lookback.as_millis()).unwrap_or(0);
                self.need(selector, selector.shift, lookback, grid, needs);
            }
            Kind::Range(range) => self.need(&range.selector, range.selector.shift, range.range_ms, grid, needs),
            Kind::Subquery(subquery) => self.collect(&subquery.inner, self.subgrid(subquery, grid), needs),
            Kind::Call(call) => call.args.iter().for_each(|arg| self.collect(arg, grid, needs)),
            Kind::Aggregate(aggregate) => {
                aggregate.param.iter().chain([&aggregate.inner]).for_each(|part| self.collect(part, grid, needs));
            }
            Kind::Binary(_) => {
                let mut node = expr;
                while let Kind::Binary(binary) = &node.kind {
                    self.collect(&binary.rhs, grid, needs);
                    node = &binary.lhs;
                }
                self.collect(node, grid, needs);
            }
            Kind::Unary(unary) => self.collect(&unary.inner, grid, needs),
            Kind::Paren(inner) => self.collect(inner, grid, needs),
        }
    }

    fn need(&self, selector: &Selector, shift: Shift, window: i64, grid: Grid, needs: &mut Vec<Need>) {
        if grid.steps == 0 {
            return;
        }
        let (first, last) = self.moments(shift, grid).ends();
        // The name quoted before it, since a name may hold what looks like matchers.
        let text = |matcher: &Matcher| format!("{:?} {matcher}", matcher.name);
        let mut texts: Vec<String> = selector.matchers.iter().map(text).collect();
        texts.sort_unstable();
        needs.push(Need {
            selector: selector.id,
            matchers: selector.matchers.clone(),
            key: texts.join(","),
            // Windows are open on the left.
            from: first - window + 1,
            to: last,
        });
    }

    /// An instant selector: at each step the last sample not older than the lookback, unless it ends the series.
    pub(crate) fn instant_rows(&mut self, selector: &Selector, grid: Grid) -> Result<Rows, QueryError> {
        self.instant_values(selector, grid, |_, value| value)
    }

    /// As [`Evaluator::instant_rows`], of what `pick` makes of each sample's time and value.
    pub(crate) fn instant_values(
        &mut self,
        selector: &Selector,
        grid: Grid,
        pick: fn(i64, f64) -> f64,
    ) -> Result<Rows, QueryError> {
        let moments = self.moments(selector.shift, grid);
        let lookback = i64::try_from(self.limits.lookback.as_millis()).unwrap_or(0);
        let columns = self.columns(selector.id)?;
        let mut rows = Vec::with_capacity(columns.len());
        let mut steps = vec![ABSENT; grid.steps];
        for one in columns.iter() {
            self.control.check()?;
            steps.fill(ABSENT);
            let mut seen = one.millis.partition_point(|time| *time <= moments.at(0));
            for (step, cell) in steps.iter_mut().enumerate() {
                let now = moments.at(step);
                while one.millis.get(seen).is_some_and(|time| *time <= now) {
                    seen += 1;
                }
                let Some(last) = seen.checked_sub(1) else { continue };
                let (time, value) = (one.millis[last], one.values[last]);
                if time > now - lookback && !is_stale(value) {
                    *cell = pick(time, value);
                }
            }
            if let Some(row) = Row::cut(SeriesLabels::new(one.labels.clone()), &steps) {
                self.grow(row.values.len())?;
                rows.push(row);
            }
        }
        Ok(Rows::new(rows))
    }
}
