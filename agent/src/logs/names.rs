//! Names that rotation gives: which file a name was rotated away from, and which of two was rotated earlier.

use std::cmp::Ordering;

/// What stands for the age in a rotated name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// `.1`, `.2`: the higher, the older.
    Number(u32),
    /// `-20260131`, `.2026-01-31_10`: the lower, the older. Kept as its digits.
    Date(String),
    /// `.old`: older than anything else of its file, for there is one of it.
    Old,
}

/// One reading of a name as a rotated one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rotated {
    /// The name before rotation.
    pub(super) stem: String,
    pub(super) age: Age,
    pub(super) is_gz: bool,
}

/// A date has a day: shorter runs of digits are numbers of rotation.
const DATE_DIGITS_MIN: usize = 6;
/// logrotate's own limit is 4 digits.
const NUMBER_DIGITS_MAX: usize = 4;

/// All ways in which this name can be that of a rotated file: `app.log.1`, `app.log-20260131.gz`, `app-20260131.log`, `app.1.log`.
pub(super) fn readings(name: &str) -> Vec<Rotated> {
    let (plain, is_gz) = match name.strip_suffix(".gz") {
        Some(plain) => (plain, true),
        None => (name, false),
    };
    let mut found = Vec::new();
    if let Some(stem) = plain.strip_suffix(".old") {
        found.push(Rotated { stem: stem.to_owned(), age: Age::Old, is_gz });
    }
    if let Some((stem, age)) = split_age(plain) {
        found.push(Rotated { stem: stem.to_owned(), age, is_gz });
    }
    // The ending stays last: `app-20260131.log` of `app.log`.
    if let Some((base, ending)) = plain.rsplit_once('.')
        && !ending.is_empty()
        && ending.bytes().any(|byte| byte.is_ascii_alphabetic())
        && let Some((stem, age)) = split_age(base)
    {
        found.push(Rotated { stem: format!("{stem}.{ending}"), age, is_gz });
    }
    // `app.log.gz` alone: compressed in its place.
    if is_gz && found.is_empty() {
        found.push(Rotated { stem: plain.to_owned(), age: Age::Old, is_gz });
    }
    found.retain(|one| !one.stem.is_empty());
    found
}

/// Cuts a number or date with its separator off the end.
fn split_age(name: &str) -> Option<(&str, Age)> {
    let is_inside = |byte: u8| byte.is_ascii_digit() || b"-_.:T".contains(&byte);
    let length = name.bytes().rev().take_while(|byte| is_inside(*byte)).count();
    let (stem, suffix) = name.split_at(name.len() - length);
    let separator = suffix.bytes().next()?;
    let digits: String = suffix.chars().filter(char::is_ascii_digit).collect();
    if !b"-_.".contains(&separator) || !suffix.ends_with(|last: char| last.is_ascii_digit()) {
        return None;
    }
    if digits.len() >= DATE_DIGITS_MIN {
        return Some((stem, Age::Date(digits)));
    }
    // A number stands alone behind a dot; what is before it may have digits too (`v1.2.log.3`).
    let (before, number) = name.rsplit_once('.')?;
    let is_number =
        !number.is_empty() && number.len() <= NUMBER_DIGITS_MAX && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| number.parse().ok().map(|number| (before, Age::Number(number)))).flatten()
}

/// `Less` when `a` was rotated earlier than `b`, each with its time of last writing.
pub(super) fn older(a: (&Age, i64), b: (&Age, i64)) -> Ordering {
    match (a.0, b.0) {
        (Age::Number(x), Age::Number(y)) => y.cmp(x).then(a.1.cmp(&b.1)),
        (Age::Date(x), Age::Date(y)) => x.cmp(y).then(a.1.cmp(&b.1)),
        _ => a.1.cmp(&b.1),
    }
}

/// Puts rotated files in order, the oldest first. Kinds of names that are mixed go by the time of last writing throughout, since three
/// names compared two by two in different ways may have no order.
pub(super) fn sort_oldest_first<T>(files: &mut [T], age: impl Fn(&T) -> (&Age, i64)) {
    let kind = |one: &Age| std::mem::discriminant(one);
    let is_mixed = files.windows(2).any(|two| kind(age(&two[0]).0) != kind(age(&two[1]).0));
    if is_mixed {
        files.sort_by_key(|one| age(one).1);
    } else {
        files.sort_by(|a, b| older(age(a), age(b)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(name: &str) -> Vec<String> {
        readings(name).into_iter().map(|one| one.stem).collect()
    }

    #[test]
    fn rotated_names_lead_back_to_their_file() {
        for (name, stem) in [
            ("app.log.1", "app.log"),
            ("app.log.12.gz", "app.log"),
            ("app.log-20260131", "app.log"),
            ("app.log-20260131.gz", "app.log"),
            ("app.log.2026-01-31_10", "app.log"),
            ("app.log-20260131-1769850000", "app.log"),
            ("app-20260131.log", "app.log"),
            ("app.1.log", "app.log"),
            ("app.log.old", "app.log"),
            ("app.log.gz", "app.log"),
            ("syslog.1", "syslog"),
        ] {
            assert!(stems(name).contains(&stem.to_owned()), "{name}: {:?}", readings(name));
        }
        for name in ["app.log", "syslog", "auth.log", "app2.log", ".1", "web-1.log"] {
            assert!(stems(name).is_empty(), "{name}: {:?}", readings(name));
        }
    }

    #[test]
    fn the_oldest_comes_first() {
        let sorted = |names: &[(&str, i64)]| {
            let mut files: Vec<(String, Age, i64)> =
                names.iter().map(|(name, at)| ((*name).to_owned(), readings(name)[0].age.clone(), *at)).collect();
            sort_oldest_first(&mut files, |one| (&one.1, one.2));
            files.into_iter().map(|one| one.0).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(sorted(&[("a.1", 9), ("a.10.gz", 1), ("a.2", 5)]), "a.10.gz a.2 a.1");
        assert_eq!(sorted(&[("a-20260202", 1), ("a-20260131.gz", 9)]), "a-20260131.gz a-20260202");
        assert_eq!(sorted(&[("a-20260202", 5), ("a.1", 3), ("a.old", 1)]), "a.old a.1 a-20260202");
    }
}
