//! Which of two versions is the later, as dpkg orders them (deb-version(7), "Sorting algorithm").

use std::cmp::Ordering;

/// Epoch, then the upstream version, then what the distribution appends behind the last dash.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (split(one), split(other));
    one.0.cmp(&other.0).then_with(|| part(one.1, other.1)).then_with(|| part(one.2, other.2))
}

fn split(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) if !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit()) => {
            (epoch.parse().unwrap_or(u64::MAX), rest)
        }
        _ => (0, version),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// By turns what is no digit, letter by letter, and what is, as a number.
fn part(mut one: &str, mut other: &str) -> Ordering {
    // Each turn takes something of one of them.
    while !one.is_empty() || !other.is_empty() {
        let (words, rests) = (words(one), words(other));
        let order = letters(words.0, rests.0);
        if order.is_ne() {
            return order;
        }
        let (first, second) = (digits(words.1), digits(rests.1));
        let order = numbers(first.0, second.0);
        if order.is_ne() {
            return order;
        }
        (one, other) = (first.1, second.1);
    }
    Ordering::Equal
}

fn words(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| letter.is_ascii_digit()).unwrap_or(text.len()))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()))
}

/// Without leading zeros the longer number is the larger.
fn numbers(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// A tilde before the end, the end before letters, letters before all else.
fn letters(one: &str, other: &str) -> Ordering {
    let weight = |letter: Option<u8>| match letter {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(letter),
        Some(letter) => i32::from(letter) + 256,
    };
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let differs =
        (0..one.len().max(other.len())).map(|at| weight(one.get(at).copied()).cmp(&weight(other.get(at).copied())));
    differs.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        // Each before the next.
        let order = [
            "0~rc1",
            "0",
            "1.0~beta1~svn1245",
            "1.0~beta1",
            "1.0",
            "1.0-1",
            "1.0-1+deb12u1",
            "1.0-1.1",
            "1.0-2",
            "1.0a",
            "1.0+b1",
            "1.0.1",
            "1.2",
            "1.10",
            "3.0.2",
            "3.0.11-1~deb12u2",
            "3.0.11-1",
            "10",
            "1:0.5",
            "2:0",
        ];
        for (at, one) in order.iter().enumerate() {
            for (place, other) in order.iter().enumerate() {
                assert_eq!(compare(one, other), at.cmp(&place), "{one} {other}");
            }
        }
        assert_eq!(compare("1.02", "1.2"), Ordering::Equal);
        assert_eq!(compare("x:1", "1"), Ordering::Greater);
        assert_eq!(compare("99999999999999999999999:1", "1:1"), Ordering::Greater);
    }
}
