//! `eq`, `lt` and the others, as strict about types as Go is.

use std::cmp::Ordering;

use super::value::Value;

/// Whether two values are the same.
///
/// # Errors
/// Types that cannot be compared: Go takes no whole number for a float.
pub(super) fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Nil, _) | (_, Value::Nil) => false,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        _ => return Err(incompatible(a, b)),
    })
}

/// Which is less; `None` where one is no number.
///
/// # Errors
/// As [`equal`], and types that have no order.
pub(super) fn order(a: &Value, b: &Value) -> Result<Option<Ordering>, String> {
    Ok(match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bool(_), Value::Bool(_)) => return Err("invalid type for comparison".into()),
        _ => return Err(incompatible(a, b)),
    })
}

fn incompatible(a: &Value, b: &Value) -> String {
    let hint = match (a, b) {
        (Value::Float(_), Value::Int(own)) | (Value::Int(own), Value::Float(_)) => format!(": write {own}.0"),
        _ => String::new(),
    };
    format!("incompatible types for comparison{hint}")
}
