//! A grid of dots drawn as braille characters, two dots wide and four high a cell.

/// Where each dot of a cell stands in Unicode's braille block, by row and column.
const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

pub(crate) struct Canvas {
    columns: usize,
    rows: usize,
    cells: Vec<Cell>,
}

/// The dots of one character, and which series was drawn there last.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cell {
    dots: u8,
    pub(crate) series: Option<usize>,
}

impl Cell {
    pub(crate) fn character(self) -> char {
        match self.dots {
            0 => ' ',
            dots => char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '),
        }
    }
}

impl Canvas {
    pub(crate) fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, cells: vec![Cell::default(); columns * rows] }
    }

    pub(crate) fn dots_wide(&self) -> usize {
        self.columns * 2
    }

    pub(crate) fn dots_high(&self) -> usize {
        self.rows * 4
    }

    /// The cells of one row of characters, row 0 at the top.
    pub(crate) fn row(&self, row: usize) -> &[Cell] {
        &self.cells[row * self.columns..(row + 1) * self.columns]
    }

    /// Sets one dot; y counts from the bottom. Dots outside are left out.
    pub(crate) fn dot(&mut self, x: usize, y: usize, series: usize) {
        if x >= self.dots_wide() || y >= self.dots_high() {
            return;
        }
        let from_top = self.dots_high() - 1 - y;
        let cell = &mut self.cells[from_top / 4 * self.columns + x / 2];
        cell.dots |= BITS[from_top % 4][x % 2];
        cell.series = Some(series);
    }

    /// A straight line between two dots, both included.
    pub(crate) fn line(&mut self, from: (usize, usize), to: (usize, usize), series: usize) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1));
        for step in 0..=steps {
            self.dot(between(from.0, to.0, step, steps), between(from.1, to.1, step, steps), series);
        }
    }
}

/// The coordinate `step` of `steps` on the way from `a` to `b`, rounded to the nearest.
fn between(a: usize, b: usize, step: usize, steps: usize) -> usize {
    if steps == 0 {
        return a;
    }
    let way = (a.abs_diff(b) * step * 2 + steps) / (steps * 2);
    if b >= a { a + way } else { a - way }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(canvas: &Canvas) -> Vec<String> {
        (0..canvas.rows).map(|row| canvas.row(row).iter().map(|cell| cell.character()).collect()).collect()
    }

    #[test]
    fn dots_stand_where_braille_has_them() {
        let mut canvas = Canvas::new(2, 2);
        canvas.dot(0, 0, 0);
        canvas.dot(3, 7, 1);
        canvas.dot(4, 0, 2);
        canvas.dot(0, 8, 2);
        assert_eq!(drawn(&canvas), [" \u{2808}", "\u{2840} "]);
        assert_eq!((canvas.row(1)[0].series, canvas.row(0)[1].series), (Some(0), Some(1)));
    }

    #[test]
    fn a_line_has_no_holes() {
        let mut canvas = Canvas::new(2, 1);
        canvas.line((0, 0), (3, 3), 0);
        assert_eq!(drawn(&canvas), ["\u{2860}\u{280a}"]);
        let mut canvas = Canvas::new(1, 1);
        canvas.line((1, 3), (1, 0), 0);
        assert_eq!(drawn(&canvas), ["\u{28b8}"]);
    }
}
