//! `--context`: lines before and after each line found, of its own stream.
//!
//! Around each time of found lines it is asked how far so many lines reach; times that meet become one; then all lines of these
//! times are read, and those near a found one shown. So a line is shown once, and lines of one time stamp are counted right.

use std::collections::{BTreeMap, HashSet, VecDeque};

use serde_json::Value;

use super::Stop;
use super::ask::{Asked, Line, Lines, pages};
use super::lines::Writer;
use super::text::{Texts, quoted};
use crate::error::Failure;

/// Lines read around one found time at the most: of a stream that says more within these times, the rest is left out and noted.
const LINES_MAX: usize = 20_000;

type Labels = Vec<(String, String)>;

/// Shows the found lines, oldest first, stream by stream.
pub(super) async fn show<A>(
    ask: &A,
    found: &[Line],
    count: usize,
    notes: &mut Texts,
    writer: &mut Writer<'_>,
) -> Result<(), Stop>
where
    A: AsyncFn(Vec<(&'static str, String)>) -> Result<Value, Failure>,
{
    let mut streams: BTreeMap<&Labels, Vec<&Line>> = BTreeMap::new();
    for line in found {
        streams.entry(&line.stream).or_default().push(line);
    }
    for (labels, found) in streams {
        let query = selector(labels);
        let times: Vec<i64> = found.chunk_by(|a, b| a.at_ns == b.at_ns).map(|same| same[0].at_ns).collect();
        let mut reach: Vec<(i64, i64)> = Vec::new();
        for at_ns in times {
            let from =
                Asked { query: query.clone(), from_ns: i64::MIN + 1, to_ns: at_ns, forward: false, limit: count };
            let to = Asked {
                query: query.clone(),
                from_ns: at_ns.saturating_add(1),
                to_ns: i64::MAX,
                forward: true,
                limit: count,
            };
            let from = lines(ask, &from, labels, notes).await?.first().map_or(at_ns, |line| line.at_ns);
            let to = lines(ask, &to, labels, notes).await?.last().map_or(at_ns, |line| line.at_ns);
            match reach.last_mut() {
                Some(last) if last.1 >= from => last.1 = last.1.max(to),
                _ => reach.push((from, to)),
            }
        }
        for (from_ns, to_ns) in reach {
            let asked = Asked {
                query: query.clone(),
                from_ns,
                to_ns: to_ns.saturating_add(1),
                forward: true,
                limit: LINES_MAX,
            };
            let around = lines(ask, &asked, labels, notes).await?;
            if around.len() >= LINES_MAX {
                notes.add(format!("more than {LINES_MAX} lines in a context: the rest of it is left out"));
            }
            let found: Vec<&Line> =
                found.iter().copied().filter(|line| (from_ns..=to_ns).contains(&line.at_ns)).collect();
            for part in near(&around, &is_found(&around, &found), count) {
                writer.part()?;
                for (line, is_found) in part {
                    writer.write_in_context(line, is_found)?;
                }
            }
        }
    }
    Ok(())
}

/// All lines of one page after the other that are of exactly this stream.
async fn lines<A>(ask: &A, asked: &Asked, labels: &Labels, notes: &mut Texts) -> Result<Lines, Stop>
where
    A: AsyncFn(Vec<(&'static str, String)>) -> Result<Value, Failure>,
{
    let mut read = VecDeque::new();
    pages(ask, asked, notes, &mut |page: Lines| {
        let own = page.into_iter().filter(|line| line.stream == *labels);
        if asked.forward {
            read.extend(own);
        } else {
            own.rev().for_each(|line| read.push_front(line));
        }
        Ok(())
    })
    .await?;
    Ok(read.into())
}

/// The selector of one stream; it also selects streams with more labels.
fn selector(labels: &Labels) -> String {
    let matchers: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    format!("{{{}}}", matchers.join(", "))
}

/// Which of these lines were found: by time and text, or where the query changed the text by time.
fn is_found(lines: &[Line], found: &[&Line]) -> Vec<bool> {
    let there: HashSet<(i64, &str)> = lines.iter().map(key).collect();
    let (same, changed): (Vec<&Line>, Vec<&Line>) = found.iter().partition(|line| there.contains(&key(line)));
    let same: HashSet<(i64, &str)> = same.into_iter().map(key).collect();
    let changed: HashSet<i64> = changed.into_iter().map(|line| line.at_ns).collect();
    lines.iter().map(|line| same.contains(&key(line)) || changed.contains(&line.at_ns)).collect()
}

fn key(line: &Line) -> (i64, &str) {
    (line.at_ns, &line.text)
}

/// The lines at most `count` places from a found one, in parts that do not meet.
fn near<'l>(lines: &'l [Line], is_found: &[bool], count: usize) -> Vec<Vec<(&'l Line, bool)>> {
    let mut shown = vec![false; lines.len()];
    for (place, _) in is_found.iter().enumerate().filter(|(_, found)| **found) {
        let end = lines.len().min(place.saturating_add(count).saturating_add(1));
        shown[place.saturating_sub(count)..end].fill(true);
    }
    let (mut parts, mut open) = (Vec::new(), false);
    for (place, line) in lines.iter().enumerate() {
        if !shown[place] {
            open = false;
            continue;
        }
        if !open {
            parts.push(Vec::new());
        }
        open = true;
        if let Some(part) = parts.last_mut() {
            part.push((line, is_found[place]));
        }
    }
    parts
}
