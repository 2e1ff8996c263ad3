//! Plots as text against golden files, and as pixels.

use jiff::tz::TimeZone;
use resvg::tiny_skia::Pixmap;

use super::samples::{ONSET, filling};
use super::{Bad, Limit, Mark, PNG_BYTES, PlotData, PlotSeries, Theme, png, svg};

const MINUTE: i64 = 60_000;

/// Five series of bytes, with values that are none.
fn five() -> PlotData {
    let from_ms = ONSET - 120 * MINUTE;
    let one = |number: i64| {
        let points = (0..=8100).map(move |second| {
            let at = from_ms + second * 1000;
            let value = 2e9 + 4e8 * number as f64 + 3e8 * ((second as f64) / (300.0 + 90.0 * number as f64)).sin();
            (at, if number == 1 && (3000..4000).contains(&second) { f64::NAN } else { value })
        });
        PlotSeries { name: format!("worker-{number}"), points: points.collect() }
    };
    PlotData {
        title: "Memory by process".to_owned(),
        unit: "B".to_owned(),
        step_ms: 1000,
        series: (0..7).map(one).collect(),
        limits: vec![Limit { value: 1.5e9, name: "least".to_owned(), bad: Bad::Below, is_critical: false }],
        marks: Vec::new(),
        ..filling()
    }
}

/// Six marks within minutes before the onset.
fn crowded() -> PlotData {
    let mark = |minute: i64| Mark { at_ms: ONSET - minute * MINUTE, text: "unit restarted".to_owned() };
    PlotData { marks: [40, 9, 4, 3, 2, 0].map(mark).to_vec(), ..filling() }
}

/// Where the plates of numbers stand: the small ones of the words' plates.
fn plates(text: &str) -> Vec<(f64, f64)> {
    let number = |line: &str, name: &str| -> f64 {
        let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let plates = text.lines().filter(|line| line.starts_with("<rect") && line.contains("opacity=\"0.85\""));
    let small = plates.filter(|line| number(line, "width") < 15.0);
    small.map(|line| (number(line, "x"), number(line, "y"))).collect()
}

#[test]
fn numbers_of_marks_never_cover_each_other() {
    let places = plates(&svg(&crowded(), &berlin(), Theme::Light));
    assert_eq!(places.len(), 6);
    for (index, (x, y)) in places.iter().enumerate() {
        let is_apart = |(other_x, other_y): &(f64, f64)| (x - other_x).abs() >= 10.0 || (y - other_y).abs() >= 14.0;
        assert!(places[index + 1..].iter().all(is_apart), "{places:?}");
    }
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn is_golden(name: &str, text: &str) {
    let path = format!("{}/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    #[expect(clippy::disallowed_methods, reason = "the variable is how golden files are written anew")]
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        text,
        "{name} differs: look at the change, then UPDATE_GOLDEN=1"
    );
}

#[test]
fn plots_are_as_they_were() {
    is_golden("plot-light.svg", &svg(&filling(), &berlin(), Theme::Light));
    is_golden("plot-dark.svg", &svg(&filling(), &berlin(), Theme::Dark));
}

#[test]
fn pictures_decode_and_are_small() {
    for (name, data, theme) in [
        ("light", filling(), Theme::Light),
        ("dark", filling(), Theme::Dark),
        ("five", five(), Theme::Light),
        ("crowded", crowded(), Theme::Light),
    ] {
        let bytes = png(&data, &berlin(), theme).unwrap();
        assert!(bytes.len() <= PNG_BYTES, "{name}: {} bytes", bytes.len());
        let pixels = Pixmap::decode_png(&bytes).unwrap();
        assert!([(1200, 440), (600, 220)].contains(&(pixels.width(), pixels.height())), "{name}");
    }
}

#[test]
fn what_cannot_be_drawn_is_left_out() {
    let empty = PlotData { series: Vec::new(), limits: Vec::new(), marks: Vec::new(), onset_ms: None, ..filling() };
    let nothing_finite = PlotData {
        series: vec![PlotSeries { name: "x".to_owned(), points: vec![(ONSET, f64::NAN), (ONSET + 1, f64::INFINITY)] }],
        ..empty.clone()
    };
    let one_point =
        PlotData { series: vec![PlotSeries { name: "x".to_owned(), points: vec![(ONSET, 1e308)] }], ..empty.clone() };
    let backwards = PlotData { from_ms: ONSET, to_ms: ONSET - 1, ..filling() };
    let far = PlotData { from_ms: i64::MIN, to_ms: i64::MAX, title: "<x>\r\n\u{1f600}".repeat(100_000), ..filling() };
    for data in [empty, nothing_finite, one_point, backwards, far] {
        let text = svg(&data, &TimeZone::UTC, Theme::Dark);
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert!(text.len() < 200_000);
        png(&data, &TimeZone::UTC, Theme::Dark).unwrap();
    }
}
