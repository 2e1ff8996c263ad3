//! What one text has otherwise than another, line by line, as `diff -u` writes it.

use std::fmt::Write;

/// Lines around what differs.
const CONTEXT: usize = 3;
/// Pairs of lines that are compared: two parts of two thousand lines. Beyond that the whole part is told as taken out and put in.
const PAIRS_MAX: usize = 4_000_000;
/// Lines of one answer: more of them nobody reads.
const LINES_MAX: usize = 400;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Both(&'a str),
    Before(&'a str),
    After(&'a str),
}

/// The difference between two texts; empty: there is none.
pub(super) fn unified(before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let lines = compared(&before.lines().collect::<Vec<_>>(), &after.lines().collect::<Vec<_>>());
    let mut out = String::new();
    let (mut at, mut old, mut new) = (0, 1, 1);
    while let Some(first) = (at..lines.len()).find(|at| !matches!(lines[*at], Line::Both(_))) {
        let from = first.saturating_sub(CONTEXT).max(at);
        (old, new) = (old + from - at, new + from - at);
        // Up to where more than two contexts of lines are the same.
        let mut to = first;
        while let Some(next) = (to..lines.len()).find(|at| !matches!(lines[*at], Line::Both(_))) {
            if next > to + 2 * CONTEXT {
                break;
            }
            to = next + 1;
        }
        let to = (to + CONTEXT).min(lines.len());
        let part = &lines[from..to];
        let olds = part.iter().filter(|line| !matches!(line, Line::After(_))).count();
        let news = part.iter().filter(|line| !matches!(line, Line::Before(_))).count();
        // A String takes every write.
        let _ =
            writeln!(out, "@@ -{},{olds} +{},{news} @@", old - usize::from(olds == 0), new - usize::from(news == 0));
        for line in part {
            let _ = match line {
                Line::Both(text) => writeln!(out, " {text}"),
                Line::Before(text) => writeln!(out, "-{text}"),
                Line::After(text) => writeln!(out, "+{text}"),
            };
        }
        (at, old, new) = (to, old + olds, new + news);
    }
    let count = out.lines().count();
    if count <= LINES_MAX {
        return out;
    }
    let kept: Vec<&str> = out.lines().take(LINES_MAX).collect();
    format!("{}\n... {} more lines\n", kept.join("\n"), count - LINES_MAX)
}

fn compared<'a>(before: &[&'a str], after: &[&'a str]) -> Vec<Line<'a>> {
    let head = before.iter().zip(after).take_while(|(one, two)| one == two).count();
    let (before_rest, after_rest) = (&before[head..], &after[head..]);
    let tail = before_rest.iter().rev().zip(after_rest.iter().rev()).take_while(|(one, two)| one == two).count();
    let (old, new) = (&before_rest[..before_rest.len() - tail], &after_rest[..after_rest.len() - tail]);
    let mut lines: Vec<Line<'a>> = before[..head].iter().map(|line| Line::Both(line)).collect();
    if old.len().saturating_mul(new.len()) > PAIRS_MAX {
        lines.extend(old.iter().map(|line| Line::Before(line)));
        lines.extend(new.iter().map(|line| Line::After(line)));
    } else {
        middle(old, new, &mut lines);
    }
    lines.extend(before[before.len() - tail..].iter().map(|line| Line::Both(line)));
    lines
}

/// By the longest common subsequence.
fn middle<'a>(old: &[&'a str], new: &[&'a str], lines: &mut Vec<Line<'a>>) {
    let width = new.len() + 1;
    // How many lines the rests from here on have in common.
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for at in (0..old.len()).rev() {
        for other in (0..new.len()).rev() {
            common[at * width + other] = if old[at] == new[other] {
                common[(at + 1) * width + other + 1] + 1
            } else {
                common[(at + 1) * width + other].max(common[at * width + other + 1])
            };
        }
    }
    let (mut at, mut other) = (0, 0);
    while at < old.len() || other < new.len() {
        if at < old.len() && other < new.len() && old[at] == new[other] {
            lines.push(Line::Both(old[at]));
            (at, other) = (at + 1, other + 1);
        } else if other == new.len()
            || at < old.len() && common[(at + 1) * width + other] >= common[at * width + other + 1]
        {
            lines.push(Line::Before(old[at]));
            at += 1;
        } else {
            lines.push(Line::After(new[other]));
            other += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_read_as_those_of_diff() {
        for (before, after, expect) in [
            ("a\nb\n", "a\nb\n", ""),
            ("", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"),
            ("a\n", "", "@@ -1,1 +0,0 @@\n-a\n"),
            ("1\n2\n3\n4\n5\n", "1\n2\n3\nx\n5\n", "@@ -1,5 +1,5 @@\n 1\n 2\n 3\n-4\n+x\n 5\n"),
            (
                "a\n1\n2\n3\n4\n5\n6\n7\n8\nb\n",
                "A\n1\n2\n3\n4\n5\n6\n7\n8\nB\n",
                "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -7,4 +7,4 @@\n 6\n 7\n 8\n-b\n+B\n",
            ),
            ("a\n1\n2\nb\n", "A\n1\n2\nB\n", "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n-b\n+B\n"),
        ] {
            assert_eq!(unified(before, after), expect, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_difference_is_bounded_and_its_parts_make_the_other_text() {
        let text = |count: usize, start: &str| (0..count).map(|at| format!("{start}{at}\n")).collect::<String>();
        let long = unified(&text(3_000, "a"), &text(3_000, "b"));
        assert!(long.lines().count() == LINES_MAX + 1 && long.ends_with("more lines\n"), "{}", long.len());
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut some =
                |count| (0..random.usize(0..count)).map(|_| ["a", "b", "c"][random.usize(0..3)]).collect::<Vec<_>>();
            let (before, after) = (some(20), some(20));
            let lines = compared(&before, &after);
            let olds: Vec<&str> = lines
                .iter()
                .filter_map(|line| if let Line::Both(own) | Line::Before(own) = line { Some(*own) } else { None })
                .collect();
            let news: Vec<&str> = lines
                .iter()
                .filter_map(|line| if let Line::Both(own) | Line::After(own) = line { Some(*own) } else { None })
                .collect();
            assert_eq!((olds, news), (before, after));
        }
    }
}
