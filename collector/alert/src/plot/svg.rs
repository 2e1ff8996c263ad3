//! The drawing itself: frame, grid, band, limits, marks, lines, words. Every word is strokes.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::axis::{times, values, with_unit};
use super::data::{Bad, Limit, PlotData, PlotSeries, Theme};
use super::font;

/// Size of the drawing; a mail's table is as wide.
pub const WIDTH: u32 = 600;
pub const HEIGHT: u32 = 220;
/// More lines than this are not told apart.
const SERIES: usize = 5;
const TITLE: usize = 70;
/// Height of letters: a phone shows the drawing at half its size, where smaller ones are specks.
const TEXT: f64 = 9.0;
const TITLE_TEXT: f64 = 10.0;
const TOP: f64 = 42.0;
const BOTTOM: f64 = 194.0;
const RIGHT: f64 = 588.0;

struct Colours {
    ground: &'static str,
    field: &'static str,
    grid: &'static str,
    text: &'static str,
    faint: &'static str,
    critical: &'static str,
    warning: &'static str,
    lines: [&'static str; SERIES],
}

const LIGHT: Colours = Colours {
    ground: "#eef0f3",
    field: "#fbfcfd",
    grid: "#dde1e7",
    text: "#2b323c",
    faint: "#67717f",
    critical: "#c62828",
    warning: "#b26a00",
    lines: ["#1f5fbf", "#c2570c", "#177a50", "#7b3fb0", "#6b5b3e"],
};

const DARK: Colours = Colours {
    ground: "#1c2128",
    field: "#22272f",
    grid: "#363d48",
    text: "#dfe4ea",
    faint: "#9aa4b2",
    critical: "#ff6b6b",
    warning: "#f0b44c",
    lines: ["#6ea8fe", "#ff9d5c", "#4cc38a", "#c39bf0", "#cbb994"],
};

struct Frame {
    left: f64,
    low: f64,
    high: f64,
    from_ms: i64,
    to_ms: i64,
}

impl Frame {
    fn x(&self, ms: i64) -> f64 {
        let span = self.to_ms.saturating_sub(self.from_ms).max(1) as f64;
        self.left + (ms.saturating_sub(self.from_ms)) as f64 / span * (RIGHT - self.left)
    }

    /// Clamped to the field: limits and values may be far outside.
    fn y(&self, value: f64) -> f64 {
        let part = (value - self.low) / (self.high - self.low);
        BOTTOM - part.clamp(0.0, 1.0) * (BOTTOM - TOP)
    }
}

/// The plot as SVG without any text element; times in `zone`.
pub fn svg(data: &PlotData, zone: &TimeZone, theme: Theme) -> String {
    let colours = match theme {
        Theme::Light => &LIGHT,
        Theme::Dark => &DARK,
    };
    let series = &data.series[..data.series.len().min(SERIES)];
    let (frame, ticks) = frame(data, series);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n"
    );
    rectangle(&mut out, (0.0, 0.0), (f64::from(WIDTH), f64::from(HEIGHT)), colours.ground, 1.0);
    rectangle(&mut out, (frame.left, TOP), (RIGHT - frame.left, BOTTOM - TOP), colours.field, 1.0);
    draw_grid(&mut out, data, &frame, &ticks, zone, colours);
    for limit in data.limits.iter().filter(|limit| limit.value.is_finite()).take(2) {
        draw_band(&mut out, &frame, limit, colours);
    }
    draw_marks(&mut out, data, &frame, zone, colours);
    for (index, line) in series.iter().enumerate().rev() {
        draw_line(&mut out, data, &frame, line, colours.lines[index]);
    }
    draw_limits(&mut out, data, &frame, colours);
    draw_numbers(&mut out, data, &frame, colours);
    draw_head(&mut out, data, series, colours);
    draw_last(&mut out, data, &frame, colours);
    out.push_str("</svg>\n");
    out
}

fn frame(data: &PlotData, series: &[PlotSeries]) -> (Frame, Vec<f64>) {
    let values_of = series.iter().flat_map(|line| &line.points).map(|(_, value)| *value);
    let limits = data.limits.iter().map(|limit| limit.value);
    let all = || values_of.clone().chain(limits.clone()).filter(|value| value.is_finite());
    let (low, high) =
        all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = if low <= high { (low.max(-1e100), high.min(1e100)) } else { (0.0, 1.0) };
    let (low, high, ticks) = values(low, high, &data.unit);
    let widest = ticks.iter().map(|tick| font::width(&with_unit(*tick, &data.unit), TEXT)).fold(0.0, f64::max);
    let left = (widest + 20.0).clamp(40.0, 160.0);
    (Frame { left, low, high, from_ms: data.from_ms, to_ms: data.to_ms.max(data.from_ms + 1) }, ticks)
}

fn draw_grid(out: &mut String, data: &PlotData, frame: &Frame, ticks: &[f64], zone: &TimeZone, colours: &Colours) {
    for tick in ticks {
        let y = frame.y(*tick);
        line(out, (frame.left, y), (RIGHT, y), colours.grid, 1.0, "");
        let label = with_unit(*tick, &data.unit);
        word(out, &label, frame.left - 8.0 - font::width(&label, TEXT), y + TEXT / 2.0, TEXT, colours.faint, 1.1);
    }
    let mut free = frame.left + 4.0;
    for (at, label) in times(data.from_ms, data.to_ms, zone) {
        let (x, width) = (frame.x(at), font::width(&label, TEXT));
        line(out, (x, TOP), (x, BOTTOM), colours.grid, 1.0, "");
        line(out, (x, BOTTOM), (x, BOTTOM + 4.0), colours.faint, 1.0, "");
        let left = x - width / 2.0;
        if left >= free && left + width <= f64::from(WIDTH) - 4.0 {
            word(out, &label, left, BOTTOM + TEXT + 9.5, TEXT, colours.faint, 1.1);
            free = left + width + 8.0;
        }
    }
    let zone_name = Timestamp::from_millisecond(data.to_ms)
        .map_or_else(|_| String::new(), |at| at.to_zoned(zone.clone()).strftime("%Z").to_string());
    word(
        out,
        &zone_name,
        (frame.left - 8.0 - font::width(&zone_name, TEXT)).max(4.0),
        BOTTOM + TEXT + 9.5,
        TEXT,
        colours.faint,
        1.1,
    );
    line(out, (frame.left, BOTTOM), (RIGHT, BOTTOM), colours.faint, 1.0, "");
}

const fn limit_colour(limit: &Limit, colours: &Colours) -> &'static str {
    if limit.is_critical { colours.critical } else { colours.warning }
}

fn draw_band(out: &mut String, frame: &Frame, limit: &Limit, colours: &Colours) {
    let y = frame.y(limit.value);
    let (from, to) = match limit.bad {
        Bad::Above => (TOP, y),
        Bad::Below => (y, BOTTOM),
    };
    rectangle(out, (frame.left, from), (RIGHT - frame.left, to - from), limit_colour(limit, colours), 0.09);
}

/// Lines of limits, and their words at the left on the side that is good, where there is room.
fn draw_limits(out: &mut String, data: &PlotData, frame: &Frame, colours: &Colours) {
    let mut taken: Vec<f64> = Vec::new();
    for limit in data.limits.iter().filter(|limit| limit.value.is_finite()).take(2) {
        let (y, colour) = (frame.y(limit.value), limit_colour(limit, colours));
        line(out, (frame.left, y), (RIGHT, y), colour, 1.4, "6 3");
        let label = clean(&format!("{} {}", limit.name, with_unit(limit.value, &data.unit)), 30);
        let below = y + TEXT + 5.0;
        let base =
            if below < BOTTOM - 3.0 && limit.bad == Bad::Above || y - 5.0 - TEXT < TOP { below } else { y - 5.0 };
        if taken.iter().any(|other| (other - base).abs() < TEXT + 5.0) {
            continue;
        }
        taken.push(base);
        plate(out, &label, frame.left + 6.0, base, colour, colours);
    }
}

fn draw_marks(out: &mut String, data: &PlotData, frame: &Frame, zone: &TimeZone, colours: &Colours) {
    let inside = |at: &i64| (data.from_ms..=data.to_ms).contains(at);
    for (_, mark) in data.numbered() {
        let x = frame.x(mark.at_ms);
        line(out, (x, TOP), (x, BOTTOM), colours.faint, 1.0, "2 3");
    }
    if let Some(onset) = data.onset_ms.filter(inside) {
        let x = frame.x(onset);
        line(out, (x, TOP), (x, BOTTOM), colours.critical, 1.2, "");
        let clock = Timestamp::from_millisecond(onset)
            .map_or_else(|_| String::new(), |at| at.to_zoned(zone.clone()).strftime("%H:%M").to_string());
        let label = format!("since {clock}");
        let width = font::width(&label, TEXT);
        let left = (x - width / 2.0).clamp(frame.left, RIGHT - width);
        word(out, &label, left, TOP - 4.5, TEXT, colours.critical, 1.2);
    }
}

/// The numbers of the marks at the top of the field, each below those that it would cover.
fn draw_numbers(out: &mut String, data: &PlotData, frame: &Frame, colours: &Colours) {
    let height = TEXT + 7.0;
    let mut taken: Vec<(f64, usize)> = Vec::new();
    for (number, mark) in data.numbered() {
        let label = number.to_string();
        let width = font::width(&label, TEXT);
        let x = frame.x(mark.at_ms).clamp(frame.left + width, RIGHT - width);
        let is_free = |row: &usize| !taken.iter().any(|(other, at)| at == row && (x - other).abs() < width + 7.0);
        let row = (0..=taken.len()).find(is_free).unwrap_or_default();
        taken.push((x, row));
        plate(out, &label, x - width / 2.0, TOP + TEXT + 4.0 + row as f64 * height, colours.text, colours);
    }
}

fn draw_line(out: &mut String, data: &PlotData, frame: &Frame, series: &PlotSeries, colour: &str) {
    let gap = data.step_ms.max(1).saturating_mul(5) / 2;
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut last: Option<i64> = None;
    for (at, value) in thinned(data, series) {
        if !value.is_finite() {
            last = None;
            continue;
        }
        let point = (frame.x(at), frame.y(value));
        match (last, runs.last_mut()) {
            (Some(before), Some(run)) if at.saturating_sub(before) <= gap => run.push(point),
            _ => runs.push(vec![point]),
        }
        last = Some(at);
    }
    let mut path = String::new();
    for run in runs {
        for (index, (x, y)) in run.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
        }
        if run.len() == 1 {
            path.push_str("l0.01 0");
        }
    }
    if !path.is_empty() {
        let _ = writeln!(
            out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>"
        );
    }
}

/// Points within the frame; where there are more than two a pixel only lowest and highest of each pixel, so that no peak is lost. A gap of
/// values that are not finite stays where a whole pixel has no other.
fn thinned(data: &PlotData, series: &PlotSeries) -> Vec<(i64, f64)> {
    let inside: Vec<_> =
        series.points.iter().copied().filter(|(at, _)| (data.from_ms..=data.to_ms).contains(at)).collect();
    let pixels = i64::from(WIDTH);
    if inside.len() <= 2 * WIDTH as usize {
        return inside;
    }
    let width = data.to_ms.saturating_sub(data.from_ms) / pixels + 1;
    let mut out: Vec<(i64, f64)> = Vec::new();
    for bucket in inside.chunk_by(|one, other| {
        one.0.saturating_sub(data.from_ms) / width == other.0.saturating_sub(data.from_ms) / width
    }) {
        let finite = || bucket.iter().copied().filter(|(_, value)| value.is_finite());
        let low = finite().min_by(|one, other| one.1.total_cmp(&other.1));
        let high = finite().max_by(|one, other| one.1.total_cmp(&other.1));
        match (low, high) {
            (Some(low), Some(high)) if low.0 <= high.0 => out.extend([low, high]),
            (Some(low), Some(high)) => out.extend([high, low]),
            _ => out.extend(bucket.first().copied()),
        }
    }
    out
}

fn draw_head(out: &mut String, data: &PlotData, series: &[PlotSeries], colours: &Colours) {
    word(out, &clean(&data.title, TITLE), 10.0, 18.0, TITLE_TEXT, colours.text, 1.5);
    if series.len() < 2 {
        return;
    }
    // The names of the first lines, as many as there is room for beside the title.
    let names = series.iter().map(|line| clean(&line.name, 18));
    let mut room = RIGHT - 10.0 - font::width(&clean(&data.title, TITLE), TITLE_TEXT) - 10.0;
    let fitting = names.take_while(|name| {
        room -= font::width(name, TEXT) + 26.0;
        room >= 0.0
    });
    let mut right = RIGHT;
    for (index, name) in fitting.collect::<Vec<_>>().iter().enumerate().rev() {
        let left = right - font::width(name, TEXT);
        word(out, name, left, 17.5, TEXT, colours.text, 1.1);
        line(out, (left - 15.0, 14.0), (left - 5.0, 14.0), colours.lines[index], 2.4, "");
        right = left - 26.0;
    }
}

/// The last value in words beside its point.
fn draw_last(out: &mut String, data: &PlotData, frame: &Frame, colours: &Colours) {
    let Some(first) = data.series.first() else { return };
    let last =
        first.points.iter().rev().find(|(at, value)| value.is_finite() && (data.from_ms..=data.to_ms).contains(at));
    let Some((at, value)) = last else { return };
    let (x, y) = (frame.x(*at), frame.y(*value));
    let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{}\"/>", colours.lines[0]);
    let label = with_unit(*value, &data.unit);
    let width = font::width(&label, TEXT);
    let left = (x - width - 9.0).max(frame.left + 4.0);
    let base = if y - 8.0 - TEXT > TOP { y - 8.0 } else { y + TEXT + 9.0 };
    plate(out, &label, left, base, colours.lines[0], colours);
}

/// Words on a plate of the field's colour, so that lines do not run through them.
fn plate(out: &mut String, text: &str, x: f64, base: f64, colour: &str, colours: &Colours) {
    rectangle(out, (x - 3.0, base - TEXT - 3.0), (font::width(text, TEXT) + 6.0, TEXT + 6.0), colours.field, 0.85);
    word(out, text, x, base, TEXT, colour, 1.3);
}

fn word(out: &mut String, text: &str, x: f64, y: f64, height: f64, colour: &str, weight: f64) {
    let path = font::path(text, x, y, height);
    if !path.is_empty() {
        let _ = writeln!(
            out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{weight}\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>"
        );
    }
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, weight: f64, dashes: &str) {
    let dashes = if dashes.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dashes}\"") };
    let ((x, y), (to_x, to_y)) = (from, to);
    let _ = writeln!(
        out,
        "<path d=\"M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{weight}\"{dashes}/>"
    );
}

fn rectangle(out: &mut String, at: (f64, f64), size: (f64, f64), colour: &str, opacity: f64) {
    if size.0 > 0.0 && size.1 > 0.0 {
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>",
            at.0, at.1, size.0, size.1
        );
    }
}

fn clean(text: &str, longest: usize) -> String {
    let mut out: String =
        text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(longest).collect();
    if text.chars().nth(longest).is_some() {
        out.truncate(out.char_indices().rev().nth(1).map_or(0, |(at, _)| at));
        out.push_str("..");
    }
    out
}
