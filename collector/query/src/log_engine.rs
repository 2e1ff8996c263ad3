//! The engine's LogQL half: from a query to its answer, over views of the store or whoever else gives lines.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_store::{LogEntryRef, LogLimits, LogSelect, SelectError, View};

use crate::engine::{Engine, by_labels, instant_value, series_of, thousands};
use crate::error::QueryError;
use crate::limits::Control;
use crate::logql::ast::LogExpr;
use crate::logql::eval::{Evaluator, lines};
use crate::logql::fields::Cut;
use crate::logql::parse::parse_log_query;
use crate::logql::source::{FetchLogs, LogFields, LogLine, LogOrder, LogRequest, LogSourceError};
use crate::prepared::PreparedLog;
use crate::value::{LogAnswer, LogPage, LogRead, LogValue, Value};
use crate::vector::grid::Grid;

const NS_PER_MS: i64 = 1_000_000;

type Each<'a> = dyn FnMut(&Arc<LabelSet>, &LogLine<'_>) -> ControlFlow<()> + 'a;

impl Engine {
    /// The value of a metric query at one time. Loki answers no log queries so, and neither does this.
    ///
    /// # Errors
    /// [`QueryError`], with Loki's texts where Loki has one.
    pub fn log_instant(
        &self,
        view: &View,
        query: &str,
        at_ns: i64,
        control: &Control,
    ) -> Result<LogAnswer, QueryError> {
        over_view(view, control, |fetch| self.log_instant_over(fetch, query, at_ns, control))
    }

    /// As [`Engine::log_instant`], of a query that was read before.
    ///
    /// # Errors
    /// [`QueryError`] of limits and of reading.
    pub fn log_instant_prepared(
        &self,
        view: &View,
        query: &PreparedLog,
        at_ns: i64,
        control: &Control,
    ) -> Result<LogAnswer, QueryError> {
        over_view(view, control, |fetch| self.log_value(fetch, &query.expr, at_ns, control))
    }

    pub(crate) fn log_instant_over(
        &self,
        fetch: &FetchLogs<'_>,
        query: &str,
        at_ns: i64,
        control: &Control,
    ) -> Result<LogAnswer, QueryError> {
        let expr = parse_log_query(query)?;
        if !expr.is_metric() {
            return Err(QueryError::BadData {
                message: "log queries are not supported as an instant query type, please change your query to a range \
                          query type"
                    .into(),
            });
        }
        self.log_value(fetch, &expr, at_ns, control)
    }

    /// Bytes of lines from the first of `times` to before the second, by these labels; streams that lack one of them are left out.
    ///
    /// # Errors
    /// [`QueryError`] of limits and of reading.
    pub fn log_volume(
        &self,
        view: &View,
        matchers: &[Matcher],
        (start_ns, end_ns): (i64, i64),
        by: &[String],
        control: &Control,
    ) -> Result<LogAnswer, QueryError> {
        let expr = LogExpr::volume(matchers, end_ns.saturating_sub(start_ns), by)?;
        // A window has its end and not its begin.
        over_view(view, control, |fetch| self.log_value(fetch, &expr, end_ns.saturating_sub(1), control))
    }

    /// The value of a metric query at one time.
    fn log_value(
        &self,
        fetch: &FetchLogs<'_>,
        expr: &LogExpr,
        at_ns: i64,
        control: &Control,
    ) -> Result<LogAnswer, QueryError> {
        let mut evaluator = Evaluator::new(fetch, self.limits(), control.within(self.limits().timeout));
        let out = evaluator.eval(expr, Grid::instant(at_ns))?;
        let value = match instant_value(out, at_ns.div_euclid(NS_PER_MS)) {
            Value::Scalar { at_ms, value } => LogValue::Scalar { at_ms, value },
            Value::Vector(points) => LogValue::Vector(points),
            Value::Matrix(_) | Value::String { .. } => LogValue::Vector(Vec::new()),
        };
        Ok(answer(value, &evaluator, Cut::default()))
    }

    /// The page's lines of a log query from the first of `times` to before the second; or the value of a metric query at the first
    /// and each third after it up to the second, which is included. Nanoseconds.
    ///
    /// # Errors
    /// [`QueryError`], with Loki's texts where Loki has one.
    pub fn log_range(
        &self,
        view: &View,
        query: &str,
        times: (i64, i64, i64),
        page: &LogPage,
        control: &Control,
    ) -> Result<LogAnswer, QueryError> {
        over_view(view, control, |fetch| self.log_range_over(fetch, query, times, page, control))
    }

    pub(crate) fn log_range_over(
        &self,
        fetch: &FetchLogs<'_>,
        query: &str,
        (start_ns, end_ns, step_ns): (i64, i64, i64),
        page: &LogPage,
        control: &Control,
    ) -> Result<LogAnswer, QueryError> {
        let bad = |message: String| Err(QueryError::BadData { message });
        if end_ns < start_ns {
            return bad("end timestamp must not be before or equal to start time".into());
        }
        let expr = parse_log_query(query)?;
        let mut evaluator = Evaluator::new(fetch, self.limits(), control.within(self.limits().timeout));
        if let Some(log) = expr.lines() {
            if page.limit == 0 {
                return bad("limit must be a positive value".into());
            }
            let lines = lines(&mut evaluator, log, (start_ns, end_ns), page)?;
            let answer = answer(LogValue::Streams(lines.streams), &evaluator, lines.cut);
            return Ok(LogAnswer { next: lines.next, ..answer });
        }
        if step_ns <= 0 {
            return bad("zero or negative query resolution step widths are not accepted. Try a positive integer".into());
        }
        let (points, span) = (self.limits().points_max, i128::from(end_ns) - i128::from(start_ns));
        if span / i128::from(step_ns) > points as i128 {
            return bad(format!(
                "exceeded maximum resolution of {} points per time series. Try increasing the value of the step \
                 parameter",
                thousands(points)
            ));
        }
        let steps = usize::try_from(span / i128::from(step_ns)).map_or(1, |steps| steps + 1);
        let grid = Grid { start: start_ns, step: step_ns, steps };
        let out = evaluator.eval(&expr, grid)?;
        let series = series_of(out, steps, |step| grid.at(step).div_euclid(NS_PER_MS));
        Ok(answer(LogValue::Matrix(by_labels(series)), &evaluator, Cut::default()))
    }
}

fn answer(value: LogValue, evaluator: &Evaluator<'_>, cut: Cut) -> LogAnswer {
    let mut warnings = Vec::new();
    if cut.labels {
        warnings.push(format!(
            "lines have more than {} labels, the others were left out: use keep, or name those you need, as in json \
             a=\"b\"",
            muster_common::limits::LABELS_MAX
        ));
    }
    if cut.values || evaluator.values_cut {
        warnings.push(format!(
            "label values were cut to {} bytes: use drop for long ones",
            muster_common::limits::LABEL_VALUE_BYTES_MAX
        ));
    }
    LogAnswer { value, warnings, stats: evaluator.stats, next: None, reads: Vec::new() }
}

/// Gives one selector's lines from a view of the store.
fn select_lines(
    view: &View,
    request: &LogRequest<'_>,
    control: &Control,
    each: &mut Each<'_>,
) -> Result<(), LogSourceError> {
    let order = match request.order {
        LogOrder::ByStream => muster_store::LogOrder::ByStream,
        LogOrder::Forward => muster_store::LogOrder::Forward,
        LogOrder::Backward => muster_store::LogOrder::Backward,
    };
    let select = LogSelect {
        matchers: request.matchers,
        from_ns: request.from_ns,
        to_ns: request.to_ns,
        order,
        needles: request.needles,
        limits: LogLimits { streams_max: request.streams_max, bytes_max: request.bytes_max },
        cancelled: Some(&control.cancelled),
    };
    let mut line = |labels: &Arc<LabelSet>, entry: &LogEntryRef<'_>| {
        let fields = LogFields::canonical(entry.fields.canonical());
        each(labels, &LogLine { at_ns: entry.at_ns, line: entry.line, fields })
    };
    match view.logs(&select, &mut line) {
        Ok(()) => Ok(()),
        Err(SelectError::Cancelled) => Err(LogSourceError::Cancelled),
        Err(error @ (SelectError::TooManyStreams { .. } | SelectError::TooManyBytes { .. })) => {
            Err(LogSourceError::TooMuch(error.to_string()))
        }
        Err(error) => Err(LogSourceError::Failed(error.to_string())),
    }
}

/// Answers from this view. The answer says what the store could not read of it, and what was looked at: what is known to be missing there is
/// told by who knows it.
fn over_view(
    view: &View,
    control: &Control,
    ask: impl FnOnce(&FetchLogs<'_>) -> Result<LogAnswer, QueryError>,
) -> Result<LogAnswer, QueryError> {
    let reads = RefCell::new(Vec::new());
    let fetch = |request: &LogRequest<'_>, each: &mut Each<'_>| {
        if request.from_ns < request.to_ns {
            let (from_ms, to_ms) = (request.from_ns.div_euclid(NS_PER_MS), (request.to_ns - 1).div_euclid(NS_PER_MS));
            reads.borrow_mut().push(LogRead { matchers: request.matchers.to_vec(), from_ms, to_ms });
        }
        select_lines(view, request, control, each)
    };
    let mut answer = ask(&fetch)?;
    answer.warnings.extend(view.warnings());
    answer.reads = reads.into_inner();
    Ok(answer)
}
