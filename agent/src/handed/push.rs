//! `muster-agent push`: a result that somebody else found.

use std::time::Duration;

use muster_common::check::{CheckKind, CheckState};
use muster_common::limits::REPORT_TEXT_BYTES_MAX;
use muster_common::wire::message::{CheckDefinition, CheckReport, Perfdata, WireLabel};

/// The largest name of a check: a label's value must hold it, and people read it.
const NAME_BYTES_MAX: usize = 256;

/// What is told.
#[derive(Clone, Debug)]
pub struct PushOptions {
    pub check: String,
    pub state: CheckState,
    pub output: String,
    pub perfdata: Vec<Perfdata>,
    pub labels: Vec<WireLabel>,
    /// A result that is older than this is stale; zero: never.
    pub ttl: Duration,
    pub attempts: u16,
}

/// The report of it. Of a text that is too long the beginning stands.
pub fn report(options: PushOptions, at_ms: i64) -> CheckReport {
    let (first, rest) = options.output.split_once('\n').unwrap_or((&options.output, ""));
    CheckReport {
        at_ms,
        check: options.check,
        state: options.state as u8,
        output: cut(first),
        long_output: cut(rest.trim_end_matches('\n')),
        perfdata: options.perfdata,
        duration_ms: 0,
        definition: CheckDefinition {
            kind: CheckKind::Push as u8,
            interval_ms: 0,
            retry_ms: 0,
            max_attempts: options.attempts,
            ttl_ms: u64::try_from(options.ttl.as_millis()).unwrap_or(u64::MAX),
            volatile: false,
            parents: Vec::new(),
            labels: options.labels,
            remedy: String::new(),
        },
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(REPORT_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// A state by its word or number.
///
/// # Errors
/// A text that lists the words.
pub fn parse_state(text: &str) -> Result<CheckState, String> {
    let by_number = text.parse().ok().and_then(CheckState::from_u8);
    let by_word = (0..4).filter_map(CheckState::from_u8).find(|state| state.as_str().eq_ignore_ascii_case(text));
    by_number.or(by_word).ok_or_else(|| format!("`{text}` is no state: write OK, WARNING, CRITICAL, UNKNOWN or 0 to 3"))
}

/// The name of a check.
///
/// # Errors
/// A text that says which names there may be.
pub fn parse_name(text: &str) -> Result<String, String> {
    let is_good = !text.trim().is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    let wrong = || format!("a check's name has 1 to {NAME_BYTES_MAX} bytes and no control characters");
    is_good.then(|| text.to_owned()).ok_or_else(wrong)
}

/// A label as `name=value`.
///
/// # Errors
/// A text with the form.
pub fn parse_label(text: &str) -> Result<WireLabel, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(WireLabel { name: name.to_owned(), value: value.to_owned() }),
        _ => Err(format!("`{text}` is no label: write NAME=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_names_and_labels_are_read_or_refused_with_their_forms() {
        assert_eq!(parse_state("critical"), Ok(CheckState::Critical));
        assert_eq!(parse_state("1"), Ok(CheckState::Warning));
        assert!(["4", "-1", "bad"].iter().all(|text| parse_state(text).unwrap_err().contains("UNKNOWN")));
        assert_eq!(parse_name("disk /var"), Ok("disk /var".to_owned()));
        assert!(
            ["", " ", "a\nb"].iter().all(|text| parse_name(text).is_err()) && parse_name(&"x".repeat(257)).is_err()
        );
        assert_eq!(parse_label("team=a=b").map(|label| label.value), Ok("a=b".to_owned()));
        assert!(["team", "=x"].iter().all(|text| parse_label(text).is_err()));
    }

    #[test]
    fn the_first_line_is_the_output_and_the_rest_follows() {
        let options = PushOptions {
            check: "raid".into(),
            state: CheckState::Warning,
            output: format!("degraded\nsdb is gone\n{}\n", "x".repeat(100_000)),
            perfdata: Vec::new(),
            labels: Vec::new(),
            ttl: Duration::from_secs(600),
            attempts: 2,
        };
        let report = report(options, 9);
        assert_eq!((report.output.as_str(), report.state, report.definition.ttl_ms), ("degraded", 1, 600_000));
        assert!(report.long_output.starts_with("sdb is gone\nx") && report.long_output.len() == REPORT_TEXT_BYTES_MAX);
        assert_eq!((report.definition.kind, report.definition.max_attempts), (CheckKind::Push as u8, 2));
    }
}
