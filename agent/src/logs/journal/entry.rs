//! One entry as `journalctl -o json` prints it.

use muster_common::limits::LOG_LINE_BYTES_MAX;
use serde_json::{Map, Value};

/// Fields that are asked for; `__CURSOR` and `__REALTIME_TIMESTAMP` always come.
pub const FIELDS: &str =
    "MESSAGE,PRIORITY,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,SYSLOG_IDENTIFIER,_PID,_TRANSPORT,_MACHINE_ID,CONTAINER_NAME";

/// What is kept of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalEntry {
    pub cursor: String,
    /// Microseconds since 1970.
    pub realtime_us: u64,
    pub message: Vec<u8>,
    pub is_truncated: bool,
    /// 0 to 7.
    pub priority: Option<u8>,
    pub unit: String,
    pub identifier: String,
    pub pid: String,
    pub transport: String,
    pub container: String,
    pub machine_id: String,
}

/// Why a line is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry of the journal that is none: {problem}")]
pub struct EntryError {
    problem: String,
}

/// Reads one line.
///
/// # Errors
/// [`EntryError`] when it is no JSON object, or has no cursor or time.
pub fn parse(line: &[u8]) -> Result<JournalEntry, EntryError> {
    let fail = |problem: &str| EntryError { problem: problem.to_owned() };
    let fields: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| EntryError { problem: error.to_string() })?;
    let text = |name: &str| String::from_utf8_lossy(&bytes_of(fields.get(name))).into_owned();
    let cursor = text("__CURSOR");
    let realtime_us = text("__REALTIME_TIMESTAMP").parse().map_err(|_| fail("it has no time"))?;
    if cursor.is_empty() {
        return Err(fail("it has no cursor"));
    }
    let mut message = bytes_of(fields.get("MESSAGE"));
    let is_truncated = message.len() > LOG_LINE_BYTES_MAX;
    message.truncate(LOG_LINE_BYTES_MAX);
    let user_unit = text("_SYSTEMD_USER_UNIT");
    let unit = if user_unit.is_empty() { text("_SYSTEMD_UNIT") } else { user_unit };
    Ok(JournalEntry {
        cursor,
        realtime_us,
        message,
        is_truncated,
        priority: text("PRIORITY").parse().ok().filter(|priority| *priority < 8),
        unit,
        identifier: text("SYSLOG_IDENTIFIER"),
        pid: text("_PID"),
        transport: text("_TRANSPORT"),
        container: text("CONTAINER_NAME"),
        machine_id: text("_MACHINE_ID"),
    })
}

/// A field is a text, a list of bytes where it is no UTF-8, null where it is too large, or a list of these where it came more than once:
/// then the first one counts.
fn bytes_of(value: Option<&Value>) -> Vec<u8> {
    match value {
        Some(Value::String(text)) => text.as_bytes().to_vec(),
        Some(Value::Array(items)) => match items.first() {
            Some(Value::Number(_)) => {
                items.iter().filter_map(Value::as_u64).filter_map(|byte| u8::try_from(byte).ok()).collect()
            }
            Some(first @ (Value::String(_) | Value::Array(_))) => match first {
                Value::Array(inner) if inner.iter().any(Value::is_array) => Vec::new(),
                other => bytes_of(Some(other)),
            },
            _ => Vec::new(),
        },
        Some(Value::Number(number)) => number.to_string().into_bytes(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_texts_bytes_lists_or_nothing() {
        let message = |value: &str| {
            let line = format!("{{\"__CURSOR\":\"s=1\",\"__REALTIME_TIMESTAMP\":\"5\",\"MESSAGE\":{value}}}");
            parse(line.as_bytes()).map(|entry| entry.message)
        };
        assert_eq!(message("\"hello\"").unwrap(), b"hello");
        assert_eq!(message("[104,255,0]").unwrap(), [104, 255, 0]);
        assert_eq!(message("null").unwrap(), b"");
        assert_eq!(message("[\"first\",\"second\"]").unwrap(), b"first");
        assert_eq!(message("[[104,105],\"x\"]").unwrap(), b"hi");
        assert_eq!(message("{\"a\":1}").unwrap(), b"");
        assert_eq!(message("[[[[1]]]]").unwrap(), b"");
    }

    #[test]
    fn what_is_no_entry_is_an_error_and_no_panic() {
        for line in
            ["", "x", "[]", "{}", "{\"__CURSOR\":\"a\"}", "{\"__REALTIME_TIMESTAMP\":\"5\"}", "-- No entries --"]
        {
            assert!(parse(line.as_bytes()).is_err(), "{line}");
        }
        let deep = format!("{{\"MESSAGE\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(parse(deep.as_bytes()).is_err());
        let mut rng = fastrand::Rng::with_seed(7);
        let good =
            b"{\"__CURSOR\":\"s=1\",\"__REALTIME_TIMESTAMP\":\"5\",\"MESSAGE\":[1,2],\"PRIORITY\":\"6\"}".to_vec();
        for _ in 0..5_000 {
            let mut line = good.clone();
            let at = rng.usize(..line.len());
            line[at] = rng.u8(..);
            let _ = parse(&line);
        }
    }
}
