//! Rows of `SmallTable::Alerts`: alerts of rules that are pending or firing, so that a restart forgets none.
//!
//! Key: `r`, 16 bytes of the rule (file, group, name, expression and labels), 16 bytes of the alert. Value: a version byte, then JSON.
//! A row is written when an alert begins, fires, is held or kept, and removed when it ends; not when its value changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_fleet::{SmallRow, SmallTable};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::active::{Active, Phase};
use super::alerting::StepContext;
use super::file::Rule;
use crate::alert::AlertId;
use crate::row_codec;

/// The first byte of the keys of rules' alerts; other sources of alerts have others.
pub const RULE_ROW: u8 = b'r';
/// A changed meaning is a new number, read beside the old one.
const ROW_VERSION: u8 = 1;
const KEY_BYTES: usize = 33;

/// An alert as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AlertRow {
    pub(super) file: String,
    pub(super) group: String,
    pub(super) rule: String,
    labels: BTreeMap<String, String>,
    /// Labels of the series without the name.
    series: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    active_ms: i64,
    /// Absent: pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    firing_since_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_since_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<String>,
    #[serde(default)]
    is_missing: bool,
    /// Absent: no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

/// What rows of a rule begin with. A rule that says something else is another rule; other annotations, `for` or place in the file are not.
pub(super) fn rule_key(file: &str, group: &str, rule: &Rule) -> [u8; 16] {
    let mut bytes = Vec::new();
    let labels = rule.labels.iter().flat_map(|(name, template)| [name.as_str(), template.text()]);
    for part in [file, group, &rule.name, rule.expr.text()].into_iter().chain(labels) {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    xxh3_128(&bytes).to_be_bytes()
}

fn key(rule: [u8; 16], id: AlertId) -> Vec<u8> {
    [&[RULE_ROW][..], &rule, &id.0.to_be_bytes()].concat()
}

/// The rule and the alert of a key; `None`: another source's.
pub(super) fn read_key(key: &[u8]) -> Option<([u8; 16], AlertId)> {
    if key.len() != KEY_BYTES || key[0] != RULE_ROW {
        return None;
    }
    let rule = key[1..17].try_into().ok()?;
    Some((rule, AlertId(u128::from_be_bytes(key[17..].try_into().ok()?))))
}

pub(super) fn written(
    rule_key: [u8; 16],
    rule: &Rule,
    context: &StepContext<'_>,
    id: AlertId,
    active: &Active,
) -> SmallRow {
    let map = |labels: &LabelSet| labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let row = AlertRow {
        file: context.file.to_owned(),
        group: context.group.to_owned(),
        rule: rule.name.clone(),
        labels: map(&active.labels),
        series: map(&active.series),
        annotations: active.annotations.clone(),
        active_ms: active.active_ms,
        firing_since_ms: match active.phase {
            Phase::Firing { since_ms } => Some(since_ms),
            Phase::Pending => None,
        },
        keep_since_ms: active.keep_since_ms,
        held: active.held.clone(),
        is_missing: active.is_missing,
        value: Some(active.value).filter(|value| value.is_finite()),
    };
    SmallRow { table: SmallTable::Alerts, key: key(rule_key, id), value: Some(row_codec::encode(ROW_VERSION, &row)) }
}

pub(super) fn removed(rule_key: [u8; 16], id: AlertId) -> SmallRow {
    SmallRow { table: SmallTable::Alerts, key: key(rule_key, id), value: None }
}

/// The row in these bytes, or what is wrong with them.
pub(super) fn decode(bytes: &[u8]) -> Result<AlertRow, String> {
    row_codec::decode(ROW_VERSION, bytes).map_err(|error| error.to_string())
}

impl AlertRow {
    /// The alert as it was.
    pub(super) fn restored(self) -> Result<Active, String> {
        let labels = LabelSet::new(&self.labels).map_err(|error| error.to_string())?;
        let series = LabelSet::new(&self.series).map_err(|error| error.to_string())?;
        let mut active = Active::new(Arc::new(labels), Arc::new(series), self.active_ms);
        active.annotations = self.annotations;
        active.phase = self.firing_since_ms.map_or(Phase::Pending, |since_ms| Phase::Firing { since_ms });
        (active.keep_since_ms, active.held, active.is_missing) = (self.keep_since_ms, self.held, self.is_missing);
        active.value = self.value.unwrap_or(f64::NAN);
        Ok(active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of version 1.
    const GOLDEN: &str = "\u{1}{\"file\":\"f\",\"group\":\"g\",\"rule\":\"r\",\"labels\":{\"alertname\":\"r\"},\"series\":{},\
                          \"annotations\":{\"summary\":\"s\"},\"active_ms\":5,\"firing_since_ms\":7,\"is_missing\":false,\"value\":1.5}";

    #[test]
    fn rows_of_version_1_are_read_and_written_the_same() {
        let row = decode(GOLDEN.as_bytes()).unwrap();
        assert_eq!(row_codec::encode(ROW_VERSION, &row), GOLDEN.as_bytes());
        let active = row.restored().unwrap();
        assert_eq!((active.phase, active.active_ms, active.value), (Phase::Firing { since_ms: 7 }, 5, 1.5));
        assert_eq!(decode(b"\x02{}"), Err("row version 2 is unknown".into()));
        assert!(decode(b"").is_err() && decode(b"\x01{").is_err());
        assert!(decode(b"\x01{}").is_err());
    }

    #[test]
    fn keys_tell_rule_and_alert() {
        let own = key([3; 16], AlertId(9));
        assert_eq!(read_key(&own), Some(([3; 16], AlertId(9))));
        assert_eq!((read_key(b"s"), read_key(&own[..32])), (None, None));
    }
}
