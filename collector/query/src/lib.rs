//! Queries: PromQL over views of the store.
//!
//! [`Engine`] parses the text, reads each selector once for just the time it looks at, evaluates series by series over
//! the grid of steps, and answers with Prometheus' value types and error kinds. It never writes, and a query ends when
//! its [`Control`] says so. What lies outside of the supported part of PromQL is refused by name.

mod engine;
mod error;
mod limits;
mod parse;
mod promql;
mod source;
mod text;
mod value;
mod vector;

pub use engine::Engine;
pub use error::{Place, QueryError};
pub use limits::{CHAIN_MAX, Control, Limits, NESTING_MAX, QUERY_BYTES_MAX};
pub use parse::{parse, parse_selector};
pub use promql::ast::{Expr, ValueType};
pub use value::{Answer, Point, Series, Value};
