//! Server-Sent Events as text (HTML standard, 9.2).

use axum::body::Bytes;

/// One event. `data` is JSON in one line, as serde writes it.
pub(crate) fn sse(name: &str, id: Option<u64>, data: &str) -> Bytes {
    debug_assert!(!data.contains(['\n', '\r']), "one line");
    match id {
        Some(id) => format!("event: {name}\nid: {id}\ndata: {data}\n\n"),
        None => format!("event: {name}\ndata: {data}\n\n"),
    }
    .into()
}

/// A line that readers skip: a sign of life.
pub(crate) fn comment() -> Bytes {
    Bytes::from_static(b":\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_name_number_and_data_and_ends_with_an_empty_line() {
        assert_eq!(sse("alerts", Some(7), r#"{"a":"b\n"}"#), "event: alerts\nid: 7\ndata: {\"a\":\"b\\n\"}\n\n");
        assert_eq!(sse("lines", None, "{}"), "event: lines\ndata: {}\n\n");
    }
}
