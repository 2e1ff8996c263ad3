//! The picture: canvas, axes and legend put together.

use super::axis::{clock, short, ticks};
use super::canvas::Canvas;

/// Lines that are drawn: more cannot be told apart.
pub const LINES_MAX: usize = 12;
/// ANSI colours of the lines, those that read on light and dark.
const COLOURS: [u8; 6] = [36, 33, 35, 32, 31, 34];
const ROWS: usize = 16;
/// Below this nothing can be read; a narrower terminal wraps.
const COLUMNS_MIN: usize = 40;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// For the legend.
    pub name: String,
    /// Milliseconds since 1970 and value, rising.
    pub points: Vec<(i64, f64)>,
}

/// What to draw, as lines ([`Plot::draw`]) or as bars ([`Plot::bars`]), in `width` columns of text; a line is broken where two points are more
/// than `step_ms` and a half apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    pub lines: Vec<Line>,
    pub from_ms: i64,
    pub to_ms: i64,
    pub step_ms: i64,
    pub width: usize,
    pub colours: bool,
}

impl Plot {
    /// The picture as text, each line ended. Without a finite value it says so instead.
    pub fn draw(&self) -> String {
        let drawn = &self.lines[..self.lines.len().min(LINES_MAX)];
        let finite =
            || drawn.iter().flat_map(|line| &line.points).map(|(_, value)| *value).filter(|value| value.is_finite());
        let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        if low > high {
            return "nothing to draw: no finite value in this time\n".to_owned();
        }
        let ticks = ticks(low, high, 4);
        let labels: Vec<String> = ticks.iter().map(|tick| short(*tick)).collect();
        let left = labels.iter().map(String::len).max().unwrap_or(1);
        // Labels, a space and the axis on the left; a space and a letter on the right.
        let columns = self.width.max(COLUMNS_MIN) - left - 2 - 2;
        let scale = Scale {
            from_ms: self.from_ms,
            to_ms: self.to_ms.max(self.from_ms + 1),
            low: ticks[0],
            high: ticks[ticks.len() - 1],
        };
        let mut canvas = Canvas::new(columns, ROWS);
        let mut ends: Vec<String> = vec![String::new(); ROWS];
        for (index, line) in drawn.iter().enumerate() {
            if let Some(y) = self.draw_line(&mut canvas, &scale, index, line) {
                ends[ROWS - 1 - y / 4].push_str(&coloured(self.colours, index, &letter(index).to_string()));
            }
        }
        let mut out = String::new();
        for (row, end) in ends.iter().enumerate() {
            let tick = ticks.iter().position(|tick| ROWS - 1 - scale.y(*tick, canvas.dots_high()) / 4 == row);
            let (label, axis) = tick.map_or(("", '\u{2502}'), |tick| (labels[tick].as_str(), '\u{2524}'));
            out.push_str(&format!("{label:>left$} {axis}"));
            self.push_cells(&mut out, &canvas, row);
            out.push_str(&if end.is_empty() { String::new() } else { format!(" {end}") });
            let kept = out.trim_end_matches(' ').len();
            out.truncate(kept);
            out.push('\n');
        }
        self.push_time_axis(&mut out, left, columns);
        self.push_legend(&mut out, drawn);
        out
    }

    /// Draws one line; gives the height of its last dot.
    fn draw_line(&self, canvas: &mut Canvas, scale: &Scale, index: usize, line: &Line) -> Option<usize> {
        let mut last: Option<(i64, (usize, usize))> = None;
        for &(at_ms, value) in &line.points {
            if !value.is_finite() {
                last = None;
                continue;
            }
            let dot = (scale.x(at_ms, canvas.dots_wide()), scale.y(value, canvas.dots_high()));
            match last {
                Some((before_ms, before)) if at_ms - before_ms <= self.step_ms + self.step_ms / 2 => {
                    canvas.line(before, dot, index);
                }
                _ => canvas.dot(dot.0, dot.1, index),
            }
            last = Some((at_ms, dot));
        }
        last.map(|(_, (_, y))| y)
    }

    fn push_cells(&self, out: &mut String, canvas: &Canvas, row: usize) {
        let mut colour = None;
        for cell in canvas.row(row) {
            if self.colours && cell.series != colour {
                out.push_str(&cell.series.map_or("\u{1b}[0m".to_owned(), start_colour));
                colour = cell.series;
            }
            out.push(cell.character());
        }
        if colour.is_some() {
            out.push_str("\u{1b}[0m");
        }
    }

    fn push_time_axis(&self, out: &mut String, left: usize, columns: usize) {
        let span_ms = self.to_ms - self.from_ms;
        let label_width = clock(self.from_ms, span_ms).len();
        // A mark at both ends and so many between as leave three characters between their labels.
        let marks = (columns / (label_width + 3)).clamp(2, 7);
        let position = |mark: usize| mark * (columns - 1) / (marks - 1);
        let mut line: Vec<char> = vec!['\u{2500}'; columns];
        let mut words = vec![' '; columns + left + 2];
        for mark in 0..marks {
            line[position(mark)] = '\u{252c}';
            let share = i64::try_from(mark).unwrap_or(0);
            let all = i64::try_from(marks - 1).unwrap_or(1).max(1);
            let word = clock(self.from_ms + span_ms / all * share, span_ms);
            let centre = left + 2 + position(mark);
            let start = centre.saturating_sub(word.len() / 2).min(words.len().saturating_sub(word.len()));
            for (slot, character) in words[start..].iter_mut().zip(word.chars()) {
                *slot = character;
            }
        }
        out.push_str(&format!("{:>left$} \u{2514}", ""));
        out.extend(line);
        out.push('\n');
        let words: String = words.into_iter().collect();
        out.push_str(words.trim_end());
        out.push_str(" UTC\n");
    }

    fn push_legend(&self, out: &mut String, drawn: &[Line]) {
        for (index, line) in drawn.iter().enumerate() {
            let finite: Vec<f64> =
                line.points.iter().map(|(_, value)| *value).filter(|value| value.is_finite()).collect();
            let summary = match finite.last() {
                None => "no value".to_owned(),
                Some(last) => {
                    let (low, high) = (
                        finite.iter().copied().fold(f64::INFINITY, f64::min),
                        finite.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                    );
                    format!("last {}, min {}, max {}", short(*last), short(low), short(high))
                }
            };
            out.push_str(&format!(
                "{} {}  {summary}\n",
                coloured(self.colours, index, &letter(index).to_string()),
                line.name
            ));
        }
        if self.lines.len() > drawn.len() {
            let (more, all) = (self.lines.len() - drawn.len(), self.lines.len());
            out.push_str(&format!("and {more} of {all} series not drawn: narrow the expression, or sum or topk it\n"));
        }
    }
}

pub(super) fn coloured(colours: bool, index: usize, text: &str) -> String {
    if colours { format!("{}{text}\u{1b}[0m", start_colour(index)) } else { text.to_owned() }
}

fn start_colour(index: usize) -> String {
    format!("\u{1b}[{}m", COLOURS[index % COLOURS.len()])
}

pub(super) fn letter(index: usize) -> char {
    // There are at most LINES_MAX of them.
    char::from(b'a' + u8::try_from(index % 26).unwrap_or(0))
}

/// Maps times and values to dots.
struct Scale {
    from_ms: i64,
    to_ms: i64,
    low: f64,
    high: f64,
}

impl Scale {
    fn x(&self, at_ms: i64, dots: usize) -> usize {
        let share = (at_ms - self.from_ms) as f64 / (self.to_ms - self.from_ms) as f64;
        // Clamped, so it is a valid index.
        (share.clamp(0.0, 1.0) * (dots - 1) as f64).round() as usize
    }

    fn y(&self, value: f64, dots: usize) -> usize {
        let share = (value - self.low) / (self.high - self.low);
        (share.clamp(0.0, 1.0) * (dots - 1) as f64).round() as usize
    }
}
