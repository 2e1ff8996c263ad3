//! Who answers the expressions of rules: a view of the store, or series in memory.

use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_query::{Control, Engine, LogValue, MemorySeries, Prepared, PreparedLog, QueryError, Value};
use muster_store::View;

use super::alerting::Vector;
use super::file::RuleExpr;

/// Answers expressions at one time.
pub trait Ask {
    /// `over`: what earlier rules of this round recorded, and the store does not have yet.
    ///
    /// # Errors
    /// The query's, for people.
    fn prom(&self, query: &Prepared, over: &MemorySeries, at_ms: i64) -> Result<Vector, String>;

    /// # Errors
    /// As [`Ask::prom`].
    fn log(&self, query: &PreparedLog, at_ms: i64) -> Result<Vector, String>;
}

/// Answers from a view of the store. One view for a round of a group, so that its rules see the same data.
pub struct ViewAsk<'a> {
    pub engine: &'a Engine,
    pub view: &'a View,
    /// Ends a rule that takes too long, or all when the collector stops.
    pub control: &'a Control,
}

impl Ask for ViewAsk<'_> {
    fn prom(&self, query: &Prepared, over: &MemorySeries, at_ms: i64) -> Result<Vector, String> {
        let answer = self.engine.instant_prepared(self.view, over, query, at_ms, self.control);
        vector_of(answer.map(|answer| answer.value))
    }

    fn log(&self, query: &PreparedLog, at_ms: i64) -> Result<Vector, String> {
        let at_ns = at_ms.saturating_mul(1_000_000);
        let answer = self.engine.log_instant_prepared(self.view, query, at_ns, self.control);
        match answer.map_err(|error| error.to_string())?.value {
            LogValue::Vector(points) => Ok(points.into_iter().map(|point| (point.labels, point.value)).collect()),
            LogValue::Scalar { value, .. } => Ok(vec![(Arc::new(LabelSet::default()), value)]),
            LogValue::Streams(_) | LogValue::Matrix(_) => Err("rule result is not a vector or scalar".into()),
        }
    }
}

/// Answers from series in memory, which have no lines.
pub struct MemoryAsk<'a> {
    pub engine: &'a Engine,
    pub memory: &'a MemorySeries,
    pub control: &'a Control,
}

impl Ask for MemoryAsk<'_> {
    fn prom(&self, query: &Prepared, over: &MemorySeries, at_ms: i64) -> Result<Vector, String> {
        vector_of(self.engine.instant_memory(self.memory, over, query, at_ms, self.control).map(|answer| answer.value))
    }

    fn log(&self, _: &PreparedLog, _: i64) -> Result<Vector, String> {
        Err("there are no log lines here: a LogQL rule needs a store".into())
    }
}

fn vector_of(answer: Result<Value, QueryError>) -> Result<Vector, String> {
    match answer.map_err(|error| error.to_string())? {
        Value::Vector(points) => Ok(points.into_iter().map(|point| (point.labels, point.value)).collect()),
        Value::Scalar { value, .. } => Ok(vec![(Arc::new(LabelSet::default()), value)]),
        Value::Matrix(_) | Value::String { .. } => Err("rule result is not a vector or scalar".into()),
    }
}

impl RuleExpr {
    pub(super) fn ask(&self, ask: &dyn Ask, over: &MemorySeries, at_ms: i64) -> Result<Vector, String> {
        match self {
            Self::Prom { query, .. } => ask.prom(query, over, at_ms),
            Self::Log(query) => ask.log(query, at_ms),
        }
    }
}

#[cfg(test)]
mod tests;
