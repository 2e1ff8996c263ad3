//! Queries: PromQL and LogQL over views of the store.
//!
//! [`Engine`] parses the text, reads each selector once for just the time it looks at, evaluates series by series over
//! the grid of steps, and answers with Prometheus' value types and error kinds. It never writes, and a query ends when
//! its [`Control`] says so. What lies outside of the supported part of either language is refused
//! by name.

mod engine;
mod error;
mod limits;
mod log_engine;
mod logql;
mod memory;
mod parse;
mod prepared;
mod promql;
mod source;
mod text;
mod value;
mod vector;

pub use engine::Engine;
pub use error::{Place, QueryError};
pub use limits::{CHAIN_MAX, Control, Limits, NESTING_MAX, QUERY_BYTES_MAX};
pub use logql::ast::LogExpr;
pub use logql::parse::{parse_log_query, parse_log_selector};
pub use logql::pipeline::LogPipeline;
pub use logql::source::LogFields;
pub use memory::MemorySeries;
pub use parse::{parse, parse_selector};
pub use prepared::{Prepared, PreparedLog};
pub use promql::ast::{Expr, ValueType};
pub use promql::uses::MetricUse;
pub use text::near::nearest;
pub use value::{
    Answer, AnswerEntry, Direction, LogAnswer, LogMark, LogPage, LogRead, LogStats, LogValue, Point, Series,
    StreamAnswer, Value,
};
