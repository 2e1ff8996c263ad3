//! Lines into streams: each under the labels that the pipeline gave it, up to the limit.

use std::collections::HashMap;
use std::ops::ControlFlow;

use muster_common::label::LabelSet;

use crate::error::QueryError;
use crate::logql::ast::LogSelector;
use crate::logql::eval::evaluator::Evaluator;
use crate::logql::fields::{Cut, Fields, Pairs, Wanted};
use crate::logql::pipeline::{Pipeline, needles};
use crate::logql::source::{LogLine, LogOrder, LogRequest};
use crate::value::{AnswerEntry, Direction, LogMark, LogPage, StreamAnswer};
use crate::vector::labels::compare;

/// The lines of one page.
pub(crate) struct Lines {
    pub(crate) streams: Vec<StreamAnswer>,
    /// What of their labels did not fit.
    pub(crate) cut: Cut,
    pub(crate) next: Option<LogMark>,
}

/// The page's lines of those from `from_ns` to before `to_ns`.
pub(crate) fn lines(
    evaluator: &mut Evaluator<'_>,
    log: &LogSelector,
    times: (i64, i64),
    page: &LogPage,
) -> Result<Lines, QueryError> {
    let mut pipeline = Pipeline::new(log, Wanted::All);
    let needles = needles(log);
    let (from_ns, to_ns) = page.times(times);
    let request = LogRequest {
        matchers: &log.matchers,
        from_ns,
        to_ns,
        order: if page.direction == Direction::Forward { LogOrder::Forward } else { LogOrder::Backward },
        needles: &needles,
        streams_max: evaluator.limits.series_max,
        bytes_max: evaluator.limits.log_bytes_max,
    };
    let (mut walk, mut out) = (Walk::new(page), Gathered::new(evaluator.limits.log_answer_bytes_max));
    evaluator.read(&request, |evaluator, labels, entry| {
        let Some(line) = pipeline.run(labels, entry) else { return Ok(ControlFlow::Continue(())) };
        if !walk.takes(entry.at_ns) {
            return Ok(ControlFlow::Continue(()));
        }
        out.push(&mut pipeline.fields, entry, line.into_owned(), page.categorized)?;
        evaluator.stats.kept += 1;
        Ok(if out.count >= page.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let next = if out.count >= page.limit { walk.last } else { None };
    let mut streams = out.streams;
    streams.sort_by(|a, b| compare(&a.labels, &b.labels));
    Ok(Lines { streams, cut: out.cut, next })
}

/// Which of the lines that come in the page's direction are given.
struct Walk {
    interval_ns: i64,
    /// Lines of the mark's nanosecond that a page before gave.
    skip: Option<LogMark>,
    last: Option<LogMark>,
}

impl Walk {
    fn new(page: &LogPage) -> Self {
        let last = page.after.filter(|mark| mark.count > 0);
        // Where lines lie apart, that of the last is passed by its time.
        let skip = last.filter(|_| page.interval_ns <= 0);
        Self { interval_ns: page.interval_ns, skip, last }
    }

    fn takes(&mut self, at_ns: i64) -> bool {
        if let Some(skip) = &mut self.skip {
            if skip.at_ns == at_ns && skip.count > 0 {
                skip.count -= 1;
                return false;
            }
            self.skip = None;
        }
        self.last = match self.last {
            Some(last) if self.interval_ns > 0 && at_ns.abs_diff(last.at_ns) < self.interval_ns.cast_unsigned() => {
                return false;
            }
            Some(last) if last.at_ns == at_ns => Some(LogMark { at_ns, count: last.count.saturating_add(1) }),
            _ => Some(LogMark { at_ns, count: 1 }),
        };
        true
    }
}

/// Lines under their labels.
struct Gathered {
    streams: Vec<StreamAnswer>,
    /// By canonical bytes.
    places: HashMap<Box<[u8]>, usize>,
    key: Vec<u8>,
    cut: Cut,
    bytes: usize,
    bytes_max: usize,
    count: usize,
}

impl Gathered {
    fn new(bytes_max: usize) -> Self {
        let (streams, places, key) = (Vec::new(), HashMap::new(), Vec::new());
        Self { streams, places, key, cut: Cut::default(), bytes: 0, bytes_max, count: 0 }
    }

    fn push(
        &mut self,
        labels: &mut Fields,
        entry: &LogLine<'_>,
        line: Vec<u8>,
        categorized: bool,
    ) -> Result<(), QueryError> {
        let (fields, parsed) = if categorized {
            labels.finish_apart(&mut self.key)
        } else {
            let own = labels.finish(None, &mut self.key);
            self.cut = Cut { labels: self.cut.labels | own.labels, values: self.cut.values | own.values };
            (entry.fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), Vec::new())
        };
        let length = |pairs: &Pairs| pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        self.bytes += line.len() + length(&fields) + length(&parsed);
        if self.bytes > self.bytes_max {
            return Err(QueryError::TooMuch {
                message: format!(
                    "the answer would have more than {} bytes of lines: ask for a shorter time or set a lower limit",
                    self.bytes_max
                ),
            });
        }
        let place = match self.places.get(&*self.key) {
            Some(place) => *place,
            None => {
                let labels =
                    LabelSet::from_canonical(&self.key).map_err(|error| QueryError::execution(error.to_string()))?;
                self.places.insert(self.key.as_slice().into(), self.streams.len());
                self.streams.push(StreamAnswer { labels, entries: Vec::new() });
                self.streams.len() - 1
            }
        };
        self.streams[place].entries.push(AnswerEntry { at_ns: entry.at_ns, line, fields, parsed });
        self.count += 1;
        Ok(())
    }
}
