//! The engine's LogQL half: from a query to its answer, over whoever gives lines.

use crate::engine::{Engine, by_labels, instant_value, series_of, thousands};
use crate::error::QueryError;
use crate::limits::Control;
use crate::logql::eval::{Evaluator, lines};
use crate::logql::fields::Cut;
use crate::logql::parse::parse_log_query;
use crate::logql::source::FetchLogs;
use crate::value::{Direction, LogAnswer, LogValue, Value};
use crate::vector::grid::Grid;

const NS_PER_MS: i64 = 1_000_000;

impl Engine {
    /// The value of a metric query at one time. Loki answers no log queries so, and neither does this.
    ///
    /// # Errors
    /// [`QueryError`], with Loki's texts where Loki has one.
    pub fn log_instant(
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
        let mut evaluator = Evaluator::new(fetch, self.limits(), control.within(self.limits().timeout));
        let out = evaluator.eval(&expr, Grid::instant(at_ns))?;
        let value = match instant_value(out, at_ns.div_euclid(NS_PER_MS)) {
            Value::Scalar { at_ms, value } => LogValue::Scalar { at_ms, value },
            Value::Vector(points) => LogValue::Vector(points),
            Value::Matrix(_) | Value::String { .. } => LogValue::Vector(Vec::new()),
        };
        Ok(answer(value, &evaluator, Cut::default()))
    }

    /// The lines of a log query from `start_ns` to before `end_ns`, at most `limit`; or the value of a metric query at
    /// `start_ns` and each `step_ns` after it up to `end_ns`, which is included.
    ///
    /// # Errors
    /// [`QueryError`], with Loki's texts where Loki has one.
    pub fn log_range(
        &self,
        fetch: &FetchLogs<'_>,
        query: &str,
        (start_ns, end_ns, step_ns): (i64, i64, i64),
        limit: usize,
        direction: Direction,
        control: &Control,
    ) -> Result<LogAnswer, QueryError> {
        let bad = |message: String| Err(QueryError::BadData { message });
        if end_ns < start_ns {
            return bad("end timestamp must not be before or equal to start time".into());
        }
        let expr = parse_log_query(query)?;
        let mut evaluator = Evaluator::new(fetch, self.limits(), control.within(self.limits().timeout));
        if let Some(log) = expr.lines() {
            if limit == 0 {
                return bad("limit must be a positive value".into());
            }
            let (streams, cut) = lines(&mut evaluator, log, (start_ns, end_ns), limit, direction)?;
            return Ok(answer(LogValue::Streams(streams), &evaluator, cut));
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
    LogAnswer { value, warnings, stats: evaluator.stats }
}
