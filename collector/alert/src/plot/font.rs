//! Letters as strokes, since plots must look the same on machines without fonts.

use std::fmt::Write as _;

/// Grid units from the top of a capital to the base line; letters with a tail go 2 below.
const CAPITAL: f64 = 6.0;
const GAP: f64 = 1.7;
const SPACE: f64 = 2.2;
/// What has no strokes of its own: a box.
const UNKNOWN: &str = "0040460600";

/// Strokes of a character, each a row of points, a digit for x (0 to 4) and one for y (0 is the top, 6 the base line).
#[expect(clippy::too_many_lines, reason = "a table")]
fn strokes(character: char) -> &'static str {
    match character {
        '0' | 'O' => "103041453616050110",
        '1' => "012026",
        '2' => "01103041420646",
        '3' => "0110304142334445361605 1333",
        '4' => "36300444",
        '5' => "40000212324345361605",
        '6' => "413010010516364544331304",
        '7' => "004016",
        '8' => "13020110304142331304051636454433",
        '9' => "051636454130100102133342",
        'A' => "062046 1434",
        'B' => "06003041423303 3344453606",
        'C' => "4130100105163645",
        'D' => "06003041453606",
        'E' => "40000646 0333",
        'F' => "400006 0333",
        'G' => "41301001051636454323",
        'H' => "0006 4046 0343",
        'I' => "0006",
        'J' => "4045361605",
        'K' => "0006 400346",
        'L' => "000646",
        'M' => "0600234046",
        'N' => "06004640",
        'P' => "06003041423303",
        'Q' => "103041453616050110 2446",
        'R' => "06003041423303 2346",
        'S' => "413010010213334445361605",
        'T' => "0040 2026",
        'U' => "000516364540",
        'V' => "002640",
        'W' => "0016233640",
        'X' => "0046 4006",
        'Y' => "002340 2326",
        'Z' => "00400646",
        'a' => "4246 4332120305163645",
        'b' => "0006 0312324345361605",
        'c' => "4332120305163645",
        'd' => "4046 4332120305163645",
        'e' => "04444332120305163645",
        'f' => "30201116 0222",
        'g' => "4247381807 4332120305163645",
        'h' => "0006 0312324346",
        'i' => "0206 00",
        'j' => "121708 10",
        'k' => "0006 320436",
        'l' => "0006",
        'm' => "0206 03122326 23324346",
        'n' => "0206 0312324346",
        'o' => "123243453616050312",
        'p' => "0208 0312324345361605",
        'q' => "4248 4332120305163645",
        'r' => "0206 031232",
        's' => "4212031434453606",
        't' => "10152636 0232",
        'u' | '\u{b5}' | '\u{3bc}' => "0205163645 4246",
        'v' => "022642",
        'w' => "0216243642",
        'x' => "0246 4206",
        'y' => "0226 4218",
        'z' => "02420646",
        '.' => "06",
        ',' => "1607",
        ':' => "03 06",
        ';' => "13 1607",
        '-' => "0333",
        '+' => "0444 2226",
        '/' => "0740",
        '%' => "0010110100 3545463635 0640",
        '=' => "0242 0444",
        '(' => "10010516",
        ')' => "00111506",
        '[' => "10000616",
        ']' => "00101606",
        '{' => "20101203141626",
        '}' => "00101223141606",
        '_' => "0747",
        '<' => "410345",
        '>' => "014305",
        '*' => "2024 0143 4103",
        '#' => "1016 3036 0242 0444",
        '\'' => "0001",
        '"' => "0001 2021",
        '!' => "0004 06",
        '?' => "01103041422324 26",
        '~' => "04132443",
        '^' => "022042",
        '|' => "0007",
        '\\' => "0047",
        '$' => "413010010213334445361605 2027",
        '&' => "46111020310405162644",
        '@' => "3424143334 4536160501103041 4144",
        '`' => "0011",
        '\u{b0}' => "1021120110",
        _ => UNKNOWN,
    }
}

fn points(stroke: &str) -> impl Iterator<Item = (f64, f64)> + Clone {
    let digits = stroke.bytes().map(|byte| f64::from(byte.saturating_sub(b'0')));
    digits.clone().step_by(2).zip(digits.skip(1).step_by(2))
}

fn width_of(character: char) -> f64 {
    if character == ' ' {
        return SPACE;
    }
    strokes(character).split(' ').flat_map(points).map(|(x, _)| x).fold(0.0, f64::max)
}

/// Width of a text whose capitals are `height` high, in the same unit.
pub(super) fn width(text: &str, height: f64) -> f64 {
    let sum: f64 = text.chars().map(|character| width_of(character) + GAP).sum();
    (sum - GAP).max(0.0) * height / CAPITAL
}

/// The `d` of a path that writes `text`, its left end and base line at (x, y).
pub(super) fn path(text: &str, x: f64, y: f64, height: f64) -> String {
    let scale = height / CAPITAL;
    let (mut out, mut left) = (String::new(), x);
    for character in text.chars() {
        if character != ' ' {
            for stroke in strokes(character).split(' ') {
                let mut count = 0;
                for (index, (px, py)) in points(stroke).enumerate() {
                    let letter = if index == 0 { 'M' } else { 'L' };
                    let _ = write!(out, "{letter}{:.2} {:.2}", left + px * scale, y + (py - CAPITAL) * scale);
                    count += 1;
                }
                if count == 1 {
                    // A dot: the round end of a line of almost no length.
                    out.push_str("l0.01 0");
                }
            }
        }
        left += (width_of(character) + GAP) * scale;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{UNKNOWN, points, strokes};

    #[test]
    fn every_printable_character_has_strokes_within_the_grid() {
        for character in ('!'..='~').chain(['\u{b0}', '\u{b5}']) {
            let glyph = strokes(character);
            assert_ne!(glyph, UNKNOWN, "{character}");
            for stroke in glyph.split(' ') {
                assert!(stroke.len().is_multiple_of(2) && !stroke.is_empty(), "{character}: {stroke}");
                assert!(points(stroke).all(|(x, y)| x <= 4.0 && y <= 8.0), "{character}: {stroke}");
            }
        }
    }
}
