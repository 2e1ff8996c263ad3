//! A histogram: a row a step, its bar made of what each series has there. Unlike a graph it shows a step without a value as none.

use super::axis::{clock, short};
use super::picture::{LINES_MAX, Line, Plot, coloured, letter};

/// Below this no two bars can be told apart; a narrower terminal wraps.
const BAR_COLUMNS_MIN: usize = 20;

impl Plot {
    /// Bars as text, each line ended: a row for each step. Values that are not over 0 have no part in a bar; without one it says so instead.
    pub fn bars(&self) -> String {
        let drawn = &self.lines[..self.lines.len().min(LINES_MAX)];
        let times: Vec<i64> = (self.from_ms..=self.to_ms).step_by(self.step()).collect();
        let rows: Vec<Vec<f64>> = times.iter().map(|at_ms| self.values(drawn, *at_ms)).collect();
        let sums: Vec<f64> = rows.iter().map(|values| sum(values.iter())).collect();
        let highest = sums.iter().copied().fold(0.0, f64::max);
        if highest <= 0.0 {
            return "nothing to draw: no value over 0 in this time\n".to_owned();
        }
        let clocks: Vec<String> = times.iter().map(|at_ms| clock(*at_ms, self.to_ms - self.from_ms)).collect();
        let numbers: Vec<String> = sums.iter().map(|sum| short(*sum)).collect();
        let beside = longest(&clocks) + longest(&numbers) + " | ".len();
        let columns = self.width.saturating_sub(beside).max(BAR_COLUMNS_MIN);
        let mut out = String::new();
        for ((clock, values), number) in clocks.iter().zip(&rows).zip(&numbers) {
            out.push_str(&format!("{clock} \u{2502}"));
            for (index, cells) in
                cells(values, highest, columns).into_iter().enumerate().filter(|(_, cells)| *cells > 0)
            {
                // Letters read without colours too; with colours they still say which line of the legend a part is.
                out.push_str(&coloured(self.colours, index, &letter(index).to_string().repeat(cells)));
            }
            out.push_str(&format!(" {number}\n"));
        }
        out.push_str(&format!("{:>1$} UTC\n", "", longest(&clocks).saturating_sub(" UTC".len())));
        self.push_sums(&mut out, drawn, &rows);
        out
    }

    /// At least a millisecond, so that rows end.
    fn step(&self) -> usize {
        usize::try_from(self.step_ms).unwrap_or(1).max(1)
    }

    /// What each series has in the row of this time: a point belongs to the row nearest to it.
    fn values(&self, drawn: &[Line], at_ms: i64) -> Vec<f64> {
        let half = self.step_ms / 2;
        let is_of = |(point_ms, value): &&(i64, f64)| {
            (at_ms - half..at_ms - half + self.step_ms).contains(point_ms) && value.is_finite() && *value > 0.0
        };
        drawn.iter().map(|line| sum(line.points.iter().filter(is_of).map(|(_, value)| value))).collect()
    }

    fn push_sums(&self, out: &mut String, drawn: &[Line], rows: &[Vec<f64>]) {
        for (index, line) in drawn.iter().enumerate() {
            let of = || rows.iter().map(|values| &values[index]);
            let (sum, high) = (short(sum(of())), short(of().copied().fold(0.0, f64::max)));
            let letter = coloured(self.colours, index, &letter(index).to_string());
            out.push_str(&format!("{letter} {}  sum {sum}, max {high}\n", line.name));
        }
        if self.lines.len() > drawn.len() {
            let (more, all) = (self.lines.len() - drawn.len(), self.lines.len());
            out.push_str(&format!("and {more} of {all} series not drawn: narrow the expression, or sum or topk it\n"));
        }
    }
}

/// The standard library's sum of nothing is -0.
fn sum<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

fn longest(texts: &[String]) -> usize {
    texts.iter().map(String::len).max().unwrap_or(0)
}

/// Columns of each part of a bar. What is there has at least one, so that one error among a thousand lines is seen.
fn cells(values: &[f64], highest: f64, columns: usize) -> Vec<usize> {
    // Room for the parts that are rounded up: with it no bar is longer than its columns.
    let scale = columns.saturating_sub(values.len()).max(1) as f64 / highest;
    values.iter().map(|value| if *value > 0.0 { ((value * scale) as usize).max(1) } else { 0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, points: &[(i64, f64)]) -> Line {
        Line { name: name.to_owned(), points: points.iter().map(|(second, value)| (second * 1_000, *value)).collect() }
    }

    fn plot(lines: Vec<Line>) -> Plot {
        Plot { lines, from_ms: 0, to_ms: 8_000, step_ms: 2_000, width: 37, colours: false }
    }

    const TWO_LEVELS: &str = "\
00:00:00 |bbbbbbbbbbbbbbbbbbbb 1000
00:00:02 |abbbbbbbbbb 501
00:00:04 | 0
00:00:06 | 0
00:00:08 |aaaaaa 300
     UTC
a {level=\"error\"}  sum 301, max 300
b {level=\"info\"}  sum 1500, max 1000
";

    #[test]
    fn parts_stand_behind_each_other_and_a_step_without_values_is_empty() {
        let info = line("{level=\"info\"}", &[(0, 1000.0), (2, 500.0), (6, f64::NAN)]);
        let picture = plot(vec![line("{level=\"error\"}", &[(2, 1.0), (8, 300.0)]), info]);
        assert_eq!(picture.bars().replace('\u{2502}', "|"), TWO_LEVELS);
        let picture = Plot { colours: true, ..picture }.bars();
        assert!(picture.contains("\u{1b}[36ma\u{1b}[0m\u{1b}[33mbbbb"), "{picture}");
    }

    #[test]
    fn nothing_over_0_is_a_sentence() {
        assert_eq!(
            plot(vec![line("a", &[(0, -1.0), (2, f64::INFINITY)])]).bars(),
            "nothing to draw: no value over 0 in this time\n"
        );
    }

    #[test]
    fn no_bar_is_longer_than_the_terminal_and_the_series_left_out_are_told() {
        let lines = (0..20).map(|number| line(&format!("s{number}"), &[(0, 1.0), (2, 1e6)])).collect();
        let picture = plot(lines).bars();
        assert!(picture.lines().take(5).all(|row| row.chars().count() <= 37 + " 12.00M".len()), "{picture}");
        assert!(picture.ends_with("and 8 of 20 series not drawn: narrow the expression, or sum or topk it\n"));
    }
}
