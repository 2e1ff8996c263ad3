//! A series' shape in one row of block characters.

/// A row of block characters for one series, as tall as its value lies between its own lowest and highest.
pub fn sparkline(values: &[f64], width: usize) -> String {
    const BLOCKS: [char; 8] =
        ['\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let columns = values.len().min(width);
    (0..columns)
        .map(|column| {
            let part = &values[column * values.len() / columns..(column + 1) * values.len() / columns];
            let (count, sum) =
                part.iter().filter(|value| value.is_finite()).fold((0, 0.0), |(n, sum), value| (n + 1, sum + value));
            if count == 0 {
                return ' ';
            }
            let share = if high > low { (sum / f64::from(count) - low) / (high - low) } else { 0.0 };
            BLOCKS[((share * 8.0) as usize).min(7)]
        })
        .collect()
}
