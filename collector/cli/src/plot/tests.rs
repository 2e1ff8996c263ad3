use super::*;

/// The picture with its non-ASCII characters spelt in ASCII, since sources are ASCII: braille is `o` (one dot), `:` (two or
/// three) or `#`, axes are `|`, `+`, `-`.
fn ascii(picture: &str) -> String {
    picture
        .chars()
        .map(|character| match u32::from(character) {
            0x2801..=0x28ff => match (u32::from(character) - 0x2800).count_ones() {
                1 => 'o',
                2 | 3 => ':',
                _ => '#',
            },
            0x2502 => '|',
            0x2500 => '-',
            0x2514 | 0x2524 | 0x252c => '+',
            0x1b => '^',
            _ => character,
        })
        .collect()
}

fn line(name: &str, points: impl IntoIterator<Item = (i64, f64)>) -> Line {
    Line { name: name.to_owned(), points: points.into_iter().collect() }
}

fn plot(lines: Vec<Line>) -> Plot {
    Plot { lines, from_ms: 1_700_000_000_000, to_ms: 1_700_000_060_000, step_ms: 1_000, width: 60, colours: false }
}

fn minute(value: impl Fn(f64) -> f64) -> Vec<(i64, f64)> {
    (0..=60).map(|second| (1_700_000_000_000 + second * 1_000, value(second as f64))).collect()
}

const TWO_SERIES: &str = r#"100 +:::::
    |     :::::
    |          ::::::o
    |                o::::o
 75 +                     o:::::
    |                           ::::::
    |                                 :::::           o::: a
 50 +                                      :::::::::::o
    |                                      :::::oo::::o
    |                                 :::::           o::: b
    |                           ::::::
 25 +                     o:::::
    |                o::::o
    |          ::::::o
    |     :::::
  0 +:::::
    ++----------------+----------------+-----------------+
 22:13:20         22:13:40         22:14:00       22:14:20 UTC
a {mode="user"}  last 60, min 0, max 60
b {mode="idle"}  last 40, min 40, max 100
"#;

#[test]
fn two_series_with_axes_and_legend() {
    let picture =
        plot(vec![line("{mode=\"user\"}", minute(|s| s)), line("{mode=\"idle\"}", minute(|s| 100.0 - s))]).draw();
    assert_eq!(ascii(&picture), TWO_SERIES);
}

#[test]
fn a_gap_is_not_drawn_over() {
    let points = minute(|_| 5.0).into_iter().filter(|(at, _)| !(1_700_000_020_000..1_700_000_040_000).contains(at));
    let picture = ascii(&plot(vec![line("gap", points)]).draw());
    let row = picture.lines().find(|row| row.contains("::::") || row.contains("oo")).unwrap();
    assert!(row.contains("          "), "{picture}");
}

#[test]
fn colours_are_closed_on_each_row() {
    let mut plot = plot(vec![line("x", minute(|s| s))]);
    plot.colours = true;
    for row in plot.draw().lines().filter(|row| row.contains('\u{1b}')) {
        let last = row.rfind('\u{1b}').unwrap();
        assert!(row[last..].starts_with("\u{1b}[0m"), "{row:?}");
    }
}

#[test]
fn nothing_finite_is_said_and_too_many_are_counted() {
    assert_eq!(plot(vec![line("x", minute(|_| f64::NAN))]).draw(), "nothing to draw: no finite value in this time\n");
    assert_eq!(plot(Vec::new()).draw(), "nothing to draw: no finite value in this time\n");
    let many = (0..15).map(|index| line(&index.to_string(), minute(|s| s * index as f64))).collect();
    let picture = plot(many).draw();
    assert!(picture.ends_with("and 3 of 15 series not drawn: narrow the expression, or sum or topk it\n"), "{picture}");
}

#[test]
fn no_width_and_no_value_breaks_it() {
    for width in [0, 1, 39, 40, 41, 200] {
        for value in [0.0, -1e300, 1e300, 1e-300, f64::INFINITY] {
            let mut plot = plot(vec![line("x", minute(|s| if s < 30.0 { value } else { s }))]);
            plot.width = width;
            let picture = plot.draw();
            assert!(
                picture.lines().take(17).all(|row| row.chars().count() <= width.max(40)),
                "{width} {value}\n{picture}"
            );
        }
    }
    let mut one = plot(vec![line("x", [(1_700_000_000_000, 1.0)])]);
    (one.to_ms, one.step_ms) = (one.from_ms, 0);
    assert!(one.draw().contains("last 1, min 1, max 1"));
}

#[test]
fn a_sparkline_shows_the_shape_in_few_characters() {
    assert_eq!(
        sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8),
        "\u{2581}\u{2582}\u{2583}\u{2584}\u{2585}\u{2586}\u{2587}\u{2588}"
    );
    assert_eq!(sparkline(&[1.0, 1.0], 8), "\u{2581}\u{2581}");
    assert_eq!(sparkline(&[0.0, f64::NAN, 1.0], 8), "\u{2581} \u{2588}");
    assert_eq!(sparkline(&[0.0, 0.0, 8.0, 8.0], 2), "\u{2581}\u{2588}");
    assert_eq!(sparkline(&[], 8), "");
}
