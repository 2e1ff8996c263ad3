//! What one run of a check gave, and the report that is made of it.

use std::time::Duration;

use muster_common::check::CheckState;
use muster_common::limits::{CHECK_PERFDATA_MAX, REPORT_TEXT_BYTES_MAX};
use muster_common::wire::message::{CheckReport, Perfdata};

use super::settings::Check;

/// One run's result. Texts and numbers are within the limits of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub state: CheckState,
    /// One line.
    pub output: String,
    /// Further lines; empty: none.
    pub long_output: String,
    pub perfdata: Vec<Perfdata>,
}

impl Outcome {
    /// A result of one line.
    pub(super) fn line(state: CheckState, output: impl Into<String>) -> Self {
        Self { state, output: output.into(), long_output: String::new(), perfdata: Vec::new() }
    }

    /// The check itself could not be made: `what` says why and what to do.
    pub(super) fn unknown(what: impl std::fmt::Display) -> Self {
        Self::line(CheckState::Unknown, format!("UNKNOWN - {what}"))
    }

    /// The report that the collector gets. `at_ms`: when the run ended, by the corrected clock.
    pub fn into_report(self, check: &Check, at_ms: i64, duration: Duration) -> CheckReport {
        let mut perfdata = self.perfdata;
        perfdata.truncate(CHECK_PERFDATA_MAX);
        CheckReport {
            at_ms,
            check: check.name.clone(),
            state: self.state as u8,
            output: shorten(self.output, REPORT_TEXT_BYTES_MAX),
            long_output: shorten(self.long_output, REPORT_TEXT_BYTES_MAX),
            perfdata,
            duration_ms: u32::try_from(duration.as_millis()).unwrap_or(u32::MAX),
            definition: check.definition(),
        }
    }
}

/// The head of a text, cut between letters.
pub(super) fn shorten(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_letters() {
        assert_eq!(shorten("a\u{e4}b".to_owned(), 2), "a");
        assert_eq!(shorten("a\u{e4}b".to_owned(), 3), "a\u{e4}");
        assert_eq!(shorten("ab".to_owned(), 9), "ab");
    }
}
