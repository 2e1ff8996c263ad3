//! From matchers to series numbers, the same for the head's index and for segments: sorted lists by (label name, value).

use muster_common::matcher::{Matcher, Test};

/// Candidates up to this number are checked label by label instead of through long lists.
const CHECK_BY_LABELS_MAX: usize = 2_048;

/// Series numbers by label. Every list is sorted and free of repeats.
pub(crate) trait Postings {
    type Error;

    /// Every series.
    fn all(&self) -> Result<Vec<u32>, Self::Error>;

    /// Series whose label `name` is `value`, which is not empty.
    fn equal(&self, name: &str, value: &str) -> Result<Vec<u32>, Self::Error>;

    /// Series that have the label `name` with a value that passes.
    fn passing(&self, name: &str, test: &dyn Fn(&str) -> bool) -> Result<Vec<u32>, Self::Error>;
}

/// The series that may match, and the matchers that the caller must still hold against each one's labels.
pub(crate) struct Candidates<'a> {
    pub(crate) series: Vec<u32>,
    pub(crate) unchecked: Vec<&'a Matcher>,
}

/// Narrows by the cheapest matchers first; an absent label matches as an empty text.
pub(crate) fn resolve<'a, P: Postings>(postings: &P, matchers: &'a [Matcher]) -> Result<Candidates<'a>, P::Error> {
    let mut series: Option<Vec<u32>> = None;
    let mut ordered: Vec<&Matcher> = matchers.iter().collect();
    ordered.sort_by_key(|matcher| cost(matcher));
    let mut unchecked = Vec::new();
    for matcher in ordered {
        if series.as_ref().is_some_and(|found| found.len() <= CHECK_BY_LABELS_MAX) {
            unchecked.push(matcher);
            continue;
        }
        let name = matcher.name.as_str();
        if matcher.matches_absent() {
            let unwanted = match &matcher.test {
                Test::NotEqual(value) => postings.equal(name, value)?,
                _ => postings.passing(name, &|value| !matcher.is_match(value))?,
            };
            let from = match series.take() {
                Some(found) => found,
                None => postings.all()?,
            };
            series = Some(subtract(&from, &unwanted));
        } else {
            let wanted = included(postings, matcher)?;
            series = Some(match series.take() {
                Some(found) => intersect(&found, &wanted),
                None => wanted,
            });
        }
    }
    let series = match series {
        Some(found) => found,
        None => postings.all()?,
    };
    Ok(Candidates { series, unchecked })
}

/// Equality narrows most and costs one look-up; what only takes away comes last.
fn cost(matcher: &Matcher) -> u8 {
    match &matcher.test {
        _ if matcher.matches_absent() => 3,
        Test::Equal(_) => 0,
        Test::Regex(regex) if regex.literals().is_some() => 1,
        _ => 2,
    }
}

fn included<P: Postings>(postings: &P, matcher: &Matcher) -> Result<Vec<u32>, P::Error> {
    match &matcher.test {
        Test::Equal(value) => postings.equal(&matcher.name, value),
        Test::Regex(regex) => match regex.literals() {
            Some(values) => {
                let mut lists = Vec::with_capacity(values.len());
                for value in values.iter().filter(|value| !value.is_empty()) {
                    lists.push(postings.equal(&matcher.name, value)?);
                }
                Ok(union(lists))
            }
            None => postings.passing(&matcher.name, &|value| matcher.is_match(value)),
        },
        Test::NotEqual(_) | Test::NotRegex(_) => postings.passing(&matcher.name, &|value| matcher.is_match(value)),
    }
}

/// All numbers of the lists, sorted, once each.
pub(crate) fn union(mut lists: Vec<Vec<u32>>) -> Vec<u32> {
    match lists.len() {
        0 => Vec::new(),
        1 => lists.pop().unwrap_or_default(),
        _ => {
            let mut all = lists.concat();
            all.sort_unstable();
            all.dedup();
            all
        }
    }
}

fn intersect(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() * 16 < long.len() {
        return short.iter().copied().filter(|number| long.binary_search(number).is_ok()).collect();
    }
    let (mut out, mut rest) = (Vec::with_capacity(short.len()), long);
    for &number in short {
        let skip = rest.iter().take_while(|&&other| other < number).count();
        rest = &rest[skip..];
        if rest.first() == Some(&number) {
            out.push(number);
        }
    }
    out
}

fn subtract(from: &[u32], unwanted: &[u32]) -> Vec<u32> {
    let mut rest = unwanted;
    let mut out = Vec::with_capacity(from.len());
    for &number in from {
        let skip = rest.iter().take_while(|&&other| other < number).count();
        rest = &rest[skip..];
        if rest.first() != Some(&number) {
            out.push(number);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_joined_and_taken_apart() {
        assert_eq!(union(vec![vec![3, 5], vec![1, 5], vec![]]), [1, 3, 5]);
        assert_eq!(intersect(&[1, 4, 9], &[0, 1, 2, 9]), [1, 9]);
        let many: Vec<u32> = (0..1000).collect();
        assert_eq!(intersect(&many, &[5, 2000]), [5]);
        assert_eq!(subtract(&[1, 2, 3, 4], &[0, 2, 4, 6]), [1, 3]);
    }
}
