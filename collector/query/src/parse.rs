//! From text to a checked expression.

use muster_common::matcher::Matcher;

use crate::error::{Place, QueryError};
use crate::limits::QUERY_BYTES_MAX;
use crate::promql::ast::{Expr, Kind};
use crate::promql::parser::Parser;
use crate::promql::typecheck::check;
use crate::text::fault::{Fault, Trouble};

/// Reads an expression and tests its types.
///
/// # Errors
/// [`QueryError::Parse`] and [`QueryError::Unsupported`] name the place and what to do.
pub fn parse(text: &str) -> Result<Expr, QueryError> {
    bounded(text)?;
    let checked = Parser::new(text).whole().and_then(|expr| check(&expr).map(|()| expr));
    checked.map_err(|fault| placed(text, fault))
}

/// Reads one selector, such as `match[]` gives: `up{job="node"}`.
///
/// # Errors
/// As [`parse`]; anything but a plain selector is refused, windows and shifts too.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, QueryError> {
    bounded(text)?;
    let expr = Parser::new(text).only_selector().map_err(|fault| placed(text, fault))?;
    match expr.kind {
        Kind::Selector(selector) => Ok(selector.matchers),
        _ => Err(placed(text, Fault::new(0, "expected a selector such as up{job=\"node\"}"))),
    }
}

fn bounded(text: &str) -> Result<(), QueryError> {
    if text.len() <= QUERY_BYTES_MAX {
        return Ok(());
    }
    let message =
        format!("expression has {} bytes, but at most {QUERY_BYTES_MAX} are read: use recording rules", text.len());
    Err(placed(text, Fault::new(QUERY_BYTES_MAX, message)))
}

fn placed(text: &str, fault: Fault) -> QueryError {
    let place = Place::of(text, fault.at);
    match fault.trouble {
        Trouble::Wrong(message) => QueryError::Parse { place, message },
        Trouble::Refused(what, remedy) => QueryError::Unsupported { place, what, remedy },
    }
}

#[cfg(test)]
mod tests;
