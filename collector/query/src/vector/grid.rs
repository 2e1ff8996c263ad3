//! The times at which an expression is evaluated.

/// `start`, `start + step`, ... in milliseconds. Bounds on spans and times keep every sum of them inside `i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) start: i64,
    /// Above zero.
    pub(crate) step: i64,
    /// May be zero: a subquery whose window holds no multiple of its step.
    pub(crate) steps: usize,
}

impl Grid {
    pub(crate) fn instant(at: i64) -> Self {
        Self { start: at, step: 1, steps: 1 }
    }

    /// All times from `start` to `end`, both included if they fall on a step.
    pub(crate) fn between(start: i64, end: i64, step: i64) -> Self {
        let steps = if end < start { 0 } else { usize::try_from((end - start) / step + 1).unwrap_or(usize::MAX) };
        Self { start, step, steps }
    }

    pub(crate) fn at(self, step: usize) -> i64 {
        self.start + self.step * i64::try_from(step).unwrap_or(0)
    }

    pub(crate) fn last(self) -> i64 {
        self.at(self.steps.saturating_sub(1))
    }

    /// Only the first step: where what does not change is evaluated.
    pub(crate) fn first(self) -> Self {
        Self { steps: self.steps.min(1), ..self }
    }
}

/// The times a selector or subquery looks from: those of the grid, or one fixed by `@`, moved back by its offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    pub(crate) grid: Grid,
    pub(crate) fixed: Option<i64>,
    pub(crate) offset: i64,
}

impl Moments {
    pub(crate) fn at(&self, step: usize) -> i64 {
        self.fixed.unwrap_or_else(|| self.grid.at(step)) - self.offset
    }

    /// First and last of them.
    pub(crate) fn ends(&self) -> (i64, i64) {
        (self.at(0), self.at(self.grid.steps.saturating_sub(1)))
    }

    /// The grid of a subquery: the multiples of `step` in the windows of this length that end at these times.
    pub(crate) fn subgrid(&self, range: i64, step: i64) -> Grid {
        let (first, last) = self.ends();
        let start = ((first - range).div_euclid(step) + 1) * step;
        if self.grid.steps == 0 { Grid { start, step, steps: 0 } } else { Grid::between(start, last, step) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subgrids_are_aligned_and_open_on_the_left() {
        let subgrid = |grid, range, step| Moments { grid, fixed: None, offset: 0 }.subgrid(range, step);
        let long = subgrid(Grid::between(0, 600_000, 60_000), 60_000, 20_000);
        assert_eq!(long, Grid { start: -40_000, step: 20_000, steps: 33 });
        assert_eq!(subgrid(Grid::instant(5), 10, 10), Grid { start: 0, step: 10, steps: 1 });
        assert_eq!(subgrid(Grid::instant(10), 10, 10), Grid { start: 10, step: 10, steps: 1 });
        assert_eq!(subgrid(Grid::instant(15), 4, 10).steps, 0, "no multiple of 10 in (11, 15]");
        assert_eq!(subgrid(Grid::instant(-5), 10, 10), Grid { start: -10, step: 10, steps: 1 });
        let fixed = Moments { grid: Grid::between(0, 100, 10), fixed: Some(55), offset: 5 };
        assert_eq!(fixed.subgrid(20, 10), Grid { start: 40, step: 10, steps: 2 });
    }
}
