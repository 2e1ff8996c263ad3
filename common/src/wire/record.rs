//! A report by itself, as the collector's inbox keeps it: a version and the report's bytes as they stand in a batch (`WIRE.md`, reports).
//!
//! The inbox does not look into it, so a report that a later version knows more of is stored as it is.

use super::check::check_report;
use super::codec;
use super::error::ContentError;
use super::message::Report;

/// Version 1: the bytes of a `Report` as in a frame of protocol 1.
const VERSION: u8 = 1;

/// The bytes of a report.
///
/// # Errors
/// [`ContentError`] when the report breaks a rule of its fields.
pub fn encode_report(report: &Report) -> Result<Vec<u8>, ContentError> {
    check_report(report)?;
    let mut bytes = vec![VERSION];
    codec::encode_report(report, &mut bytes)?;
    Ok(bytes)
}

/// The report that these bytes hold.
///
/// # Errors
/// [`ContentError`] when they are of another version, damaged, or more than a report.
pub fn decode_report(bytes: &[u8]) -> Result<Report, ContentError> {
    let Some((&VERSION, body)) = bytes.split_first() else {
        let problem = format!("it is of version {:?}, and this program knows version {VERSION}", bytes.first());
        return Err(ContentError::Body { problem });
    };
    let report = codec::decode_report(body)?;
    check_report(&report)?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::wire::message::{CheckDefinition, CheckList, CheckReport, Perfdata, WireLabel};

    fn check() -> Report {
        let one = Perfdata {
            label: "/".into(),
            value: 42.5,
            unit: "%".into(),
            warn: "80".into(),
            crit: "90".into(),
            min: 0.0,
            max: 100.0,
        };
        Report::Check(CheckReport {
            at_ms: 1_700_000_000_000,
            check: "disk".into(),
            state: 1,
            output: "82 % of / used".into(),
            long_output: String::new(),
            perfdata: vec![one],
            duration_ms: 12,
            definition: CheckDefinition {
                kind: 1,
                interval_ms: 60_000,
                retry_ms: 15_000,
                max_attempts: 3,
                ttl_ms: 200_000,
                volatile: false,
                parents: vec!["db1".into()],
                labels: vec![WireLabel { name: "team".into(), value: "storage".into() }],
                remedy: "free some room".into(),
            },
        })
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests alone")]
    fn records_of_version_1_are_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/report-v1.bin");
        if std::env::var("UPDATE_GOLDEN").is_ok() {
            std::fs::write(&path, encode_report(&check()).unwrap()).unwrap();
        }
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(decode_report(&bytes).unwrap(), check());
        assert_eq!(encode_report(&check()).unwrap(), bytes);
    }

    #[test]
    fn damage_and_other_versions_are_refused() {
        let bytes = encode_report(&Report::Checks(CheckList { at_ms: 5, checks: vec!["disk".into()] })).unwrap();
        for cut in 0..bytes.len() {
            assert!(decode_report(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(decode_report(&longer).is_err());
        let other = [&[2], &bytes[1..]].concat();
        assert!(decode_report(&other).unwrap_err().to_string().contains("version"));
        let mut broken = check();
        if let Report::Check(check) = &mut broken {
            check.state = 9;
        }
        assert!(encode_report(&broken).is_err(), "what no decoder would take is not stored");
    }
}
