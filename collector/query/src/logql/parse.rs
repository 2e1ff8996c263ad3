//! From text to a checked expression.

use muster_common::matcher::Matcher;

use crate::error::{Place, QueryError};
use crate::limits::QUERY_BYTES_MAX;
use crate::logql::ast::LogExpr;
use crate::logql::parser::Parser;
use crate::text::fault::{Fault, Trouble};

/// Reads a LogQL query, for lines or for numbers.
///
/// # Errors
/// [`QueryError::LogParse`] and [`QueryError::LogUnsupported`] name the place and what to do.
pub fn parse_log_query(text: &str) -> Result<LogExpr, QueryError> {
    bounded(text)?;
    Parser::new(text).whole().map_err(|fault| placed(text, fault))
}

/// Reads one stream selector, such as `match[]` gives: `{app="web"}`.
///
/// # Errors
/// As [`parse_log_query`]; anything behind the braces is refused.
pub fn parse_log_selector(text: &str) -> Result<Vec<Matcher>, QueryError> {
    bounded(text)?;
    Parser::new(text).only_selector().map_err(|fault| placed(text, fault))
}

fn bounded(text: &str) -> Result<(), QueryError> {
    if text.len() <= QUERY_BYTES_MAX {
        return Ok(());
    }
    let message = format!("query has {} bytes, but at most {QUERY_BYTES_MAX} are read: shorten it", text.len());
    Err(placed(text, Fault::new(QUERY_BYTES_MAX, message)))
}

fn placed(text: &str, fault: Fault) -> QueryError {
    let place = Place::of(text, fault.at);
    match fault.trouble {
        Trouble::Wrong(message) => QueryError::LogParse { place, message },
        Trouble::Refused(what, remedy) => QueryError::LogUnsupported { place, what, remedy },
    }
}
