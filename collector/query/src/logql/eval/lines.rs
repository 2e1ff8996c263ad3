//! Lines into streams: each under the labels that the pipeline gave it, up to the limit.

use std::collections::HashMap;
use std::ops::ControlFlow;

use muster_common::label::LabelSet;

use crate::error::QueryError;
use crate::logql::ast::LogSelector;
use crate::logql::eval::evaluator::Evaluator;
use crate::logql::fields::{Cut, Wanted};
use crate::logql::pipeline::{Pipeline, needles};
use crate::logql::source::{LogOrder, LogRequest};
use crate::value::{AnswerEntry, Direction, StreamAnswer};
use crate::vector::labels::compare;

/// The first lines in this direction of those from `from_ns` to before `to_ns`, and what of their labels did not fit.
pub(crate) fn lines(
    evaluator: &mut Evaluator<'_>,
    log: &LogSelector,
    (from_ns, to_ns): (i64, i64),
    limit: usize,
    direction: Direction,
) -> Result<(Vec<StreamAnswer>, Cut), QueryError> {
    let mut pipeline = Pipeline::new(log, Wanted::All);
    let needles = needles(log);
    let request = LogRequest {
        matchers: &log.matchers,
        from_ns,
        to_ns,
        order: if direction == Direction::Forward { LogOrder::Forward } else { LogOrder::Backward },
        needles: &needles,
        streams_max: evaluator.limits.series_max,
        bytes_max: evaluator.limits.log_bytes_max,
    };
    let mut streams: Vec<StreamAnswer> = Vec::new();
    let mut places: HashMap<Box<[u8]>, usize> = HashMap::new();
    let (mut key, mut cut, mut bytes, mut count) = (Vec::new(), Cut::default(), 0, 0);
    evaluator.read(&request, |evaluator, labels, entry| {
        let Some(line) = pipeline.run(labels, entry) else { return Ok(ControlFlow::Continue(())) };
        let own = pipeline.fields.finish(None, &mut key);
        cut = Cut { labels: cut.labels | own.labels, values: cut.values | own.values };
        let place = match places.get(&*key) {
            Some(place) => *place,
            None => {
                let labels =
                    LabelSet::from_canonical(&key).map_err(|error| QueryError::execution(error.to_string()))?;
                places.insert(key.as_slice().into(), streams.len());
                streams.push(StreamAnswer { labels, entries: Vec::new() });
                streams.len() - 1
            }
        };
        let fields: Vec<_> = entry.fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        bytes += line.len() + fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if bytes > evaluator.limits.log_answer_bytes_max {
            return Err(QueryError::TooMuch {
                message: format!(
                    "the answer would have more than {} bytes of lines: ask for a shorter time or set a lower limit",
                    evaluator.limits.log_answer_bytes_max
                ),
            });
        }
        streams[place].entries.push(AnswerEntry { at_ns: entry.at_ns, line: line.into_owned(), fields });
        count += 1;
        evaluator.stats.kept += 1;
        Ok(if count >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    streams.sort_by(|a, b| compare(&a.labels, &b.labels));
    Ok((streams, cut))
}
