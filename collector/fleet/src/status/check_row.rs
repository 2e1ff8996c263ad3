//! The rows of table `checks`: a check of a host with all that its status needs, and what was told of a host or of the fleet.

use std::collections::BTreeMap;

use muster_common::check::{CheckKind, CheckState};
use muster_common::host::HostId;
use muster_common::wire::message::{CheckDefinition, CheckReport, Perfdata};
use serde::{Deserialize, Serialize};

use super::acknowledgement::Acknowledgement;
use super::condition::{Hold, Severity};
use super::expected::Expected;
use super::flapping::Flapping;
use super::machine::Machine;

/// A spool gives up what it holds of a check one after the other, without pauses: after so long none of it is left, and what came last is
/// how the check stands, also if its next result is far away or comes only when somebody hands it over.
const CATCHING_UP_MS: i64 = 60_000;

/// A check of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckRow {
    pub definition: Definition,
    pub machine: Machine,
    pub flapping: Flapping,
    pub output: String,
    pub long_output: String,
    pub perfdata: Vec<PerfdataRow>,
    pub duration_ms: u32,
    pub acknowledgement: Option<Acknowledgement>,
    /// When the newest result arrived, milliseconds.
    pub arrived_ms: i64,
    /// The newest result came as it was made, or soon after, not from a spool.
    pub is_live: bool,
    /// Nothing has come for too long, since then.
    pub stale_ms: Option<i64>,
    /// When it was OK again after its last hard problem; 0: never.
    pub recovered_ms: i64,
    /// A new bad result of a volatile check that is to be told.
    pub again: bool,
    pub told: Option<Told>,
}

/// What of a host, or of the whole fleet, status keeps: the same table, with an empty name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct OwnRow {
    /// When a host was heard again last; 0: it was never away.
    pub returned_ms: i64,
    pub acknowledgement: Option<Acknowledgement>,
    pub told: Option<Told>,
    /// Of the fleet's: the number that the last downtime got.
    #[serde(default)]
    pub downtimes_made: u64,
    /// Of the fleet's: the number that the last maintenance got.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub maintenances_made: u64,
    /// A host's: what its agent's goodbye said, until it is heard again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// A host's: when it was silent or booted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Down>,
}

/// A time in which a host was silent or booted, so that nothing was reached through it; milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Down {
    pub from_ms: i64,
    pub to_ms: i64,
}

/// What was given last of a problem: another one is given where this differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub name: String,
    pub severity: Severity,
    pub since_ms: i64,
    pub holds: Vec<Hold>,
    /// All labels in their canonical text.
    pub labels: String,
}

/// [`CheckDefinition`] as a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// [`CheckKind`] as its number, which may be a later version's.
    pub kind: u8,
    pub interval_ms: u64,
    pub retry_ms: u64,
    pub max_attempts: u16,
    pub ttl_ms: u64,
    pub volatile: bool,
    pub parents: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub remedy: String,
}

/// [`Perfdata`] as a row; JSON has no NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PerfdataRow {
    pub label: String,
    pub value: Option<f64>,
    pub unit: String,
    pub warn: String,
    pub crit: String,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl CheckRow {
    pub(crate) fn new(definition: Definition) -> Self {
        Self {
            definition,
            machine: Machine::new(),
            flapping: Flapping::default(),
            output: String::new(),
            long_output: String::new(),
            perfdata: Vec::new(),
            duration_ms: 0,
            acknowledgement: None,
            arrived_ms: 0,
            is_live: false,
            stale_ms: None,
            recovered_ms: 0,
            again: false,
            told: None,
        }
    }

    /// Takes over what a result says, beside its state.
    pub(crate) fn take_words(&mut self, report: &CheckReport) {
        self.output.clone_from(&report.output);
        self.long_output.clone_from(&report.long_output);
        self.perfdata = report.perfdata.iter().map(PerfdataRow::from_wire).collect();
        self.duration_ms = report.duration_ms;
    }

    /// How bad it is: its hard state, or unknown where it is stale; `None`: no problem.
    pub(crate) fn severity(&self) -> Option<Severity> {
        match self.machine.hard_state {
            CheckState::Critical => Some(Severity::Critical),
            CheckState::Warning => Some(Severity::Warning),
            CheckState::Unknown => Some(Severity::Unknown),
            CheckState::Ok => self.stale_ms.map(|_| Severity::Unknown),
        }
    }

    /// Whether the agent starts it by itself, so that a list without it means that it is no more.
    pub(crate) fn is_scheduled_by_agent(&self) -> bool {
        CheckKind::from_u8(self.definition.kind).is_some_and(CheckKind::is_scheduled_by_agent)
    }

    /// Whether newer results than this one may be on their way out of the host's spool.
    pub(crate) const fn is_catching_up(&self, now_ms: i64) -> bool {
        let waited_ms = now_ms.saturating_sub(self.arrived_ms);
        !self.is_live && self.stale_ms.is_none() && waited_ms < CATCHING_UP_MS
    }

    /// Whether a rule file has it.
    pub(crate) fn is_metric(&self) -> bool {
        self.definition.is_metric()
    }
}

impl Definition {
    pub(crate) const fn is_metric(&self) -> bool {
        self.kind == CheckKind::Metric as u8
    }

    pub(crate) fn from_wire(wire: &CheckDefinition) -> Self {
        Self {
            kind: wire.kind,
            interval_ms: wire.interval_ms,
            retry_ms: wire.retry_ms,
            max_attempts: wire.max_attempts,
            ttl_ms: wire.ttl_ms,
            volatile: wire.volatile,
            parents: wire.parents.clone(),
            labels: wire.labels.iter().map(|label| (label.name.clone(), label.value.clone())).collect(),
            remedy: wire.remedy.clone(),
        }
    }
}

impl PerfdataRow {
    fn from_wire(wire: &Perfdata) -> Self {
        let number = |value: f64| value.is_finite().then_some(value);
        let (label, unit) = (wire.label.clone(), wire.unit.clone());
        let (warn, crit) = (wire.warn.clone(), wire.crit.clone());
        let (value, min, max) = (number(wire.value), number(wire.min), number(wire.max));
        Self { label, value, unit, warn, crit, min, max }
    }

    pub(crate) fn to_wire(&self) -> Perfdata {
        Perfdata {
            label: self.label.clone(),
            value: self.value.unwrap_or(f64::NAN),
            unit: self.unit.clone(),
            warn: self.warn.clone(),
            crit: self.crit.clone(),
            min: self.min.unwrap_or(f64::NAN),
            max: self.max.unwrap_or(f64::NAN),
        }
    }
}

/// Key of a check's row; of a host's own with an empty name.
pub(crate) fn row_key(host: HostId, check: &str) -> Vec<u8> {
    [&host.0, check.as_bytes()].concat()
}

/// Host and check of a key.
pub(crate) fn read_key(key: &[u8]) -> Option<(HostId, String)> {
    let (host, check) = key.split_first_chunk::<16>()?;
    Some((HostId(*host), String::from_utf8(check.to_vec()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{decode, encode};

    #[test]
    fn rows_and_keys_read_back_whole() {
        let wire = Perfdata {
            label: "a b".into(),
            value: f64::NAN,
            unit: "%".into(),
            warn: "80".into(),
            crit: "@1:2".into(),
            min: 0.0,
            max: f64::NAN,
        };
        let definition = Definition {
            kind: 0,
            interval_ms: 60_000,
            retry_ms: 10_000,
            max_attempts: 3,
            ttl_ms: u64::MAX,
            volatile: true,
            parents: vec!["gw".into(), "gw/ping".into()],
            labels: BTreeMap::from([("team".into(), "db".into())]),
            remedy: "look".into(),
        };
        let mut row = CheckRow::new(definition);
        row.machine.step(CheckState::Warning, 5, 1);
        row.perfdata = vec![PerfdataRow::from_wire(&wire)];
        row.told = Some(Told {
            name: "disk".into(),
            severity: Severity::Warning,
            since_ms: 5,
            holds: Vec::new(),
            labels: "{}".into(),
        });
        assert_eq!(decode::<CheckRow>(&encode(&row)), Ok(row.clone()));
        assert!(row.perfdata[0].to_wire().value.is_nan() && row.is_scheduled_by_agent());
        let key = row_key(HostId([7; 16]), "disk /");
        assert_eq!(read_key(&key), Some((HostId([7; 16]), "disk /".to_owned())));
        assert_eq!((read_key(&key[..16]), read_key(&key[..15])), (Some((HostId([7; 16]), String::new())), None));
    }

    /// What earlier collectors wrote must read as it did.
    #[test]
    fn rows_of_version_one_read_and_write_as_ever() {
        let check = concat!(
            r#"{"definition":{"kind":0,"interval_ms":60000,"retry_ms":10000,"max_attempts":3,"ttl_ms":0,"volatile":false,"#,
            r#""parents":["gw"],"labels":{"team":"db"},"remedy":"look"},"#,
            r#""machine":{"state":"CRITICAL","hard_state":"WARNING","attempt":3,"since_ms":1,"hard_since_ms":2,"at_ms":3},"#,
            r#""flapping":{"bits":5,"is_on":false},"output":"full","long_output":"","#,
            r#""perfdata":[{"label":"a","value":1.5,"unit":"%","warn":"","crit":"","min":null,"max":null}],"duration_ms":7,"#,
            r#""acknowledgement":{"by":"ann","comment":"","at_ms":4,"until_ms":null,"is_sticky":true},"#,
            r#""arrived_ms":5,"is_live":true,"stale_ms":null,"recovered_ms":0,"again":false,"#,
            r#""told":{"name":"disk","severity":"warning","since_ms":1,"#,
            r#""holds":[{"why":"downtime","by":"1","until_ms":9}],"labels":"{}"}}"#,
        );
        let own = r#"{"returned_ms":1,"acknowledgement":null,"told":null,"downtimes_made":2}"#;
        let downtime = concat!(
            r#"{"id":1,"matchers":"host=a","starts_ms":1,"ends_ms":2,"recurrence":"","zone":"","#,
            r#""owner":"ann","reason":"disks"}"#,
        );
        let bytes = |text: &str| [&[1], text.as_bytes()].concat();
        assert_eq!(encode(&decode::<CheckRow>(&bytes(check)).unwrap()), bytes(check));
        let expected =
            own.replace("2}", r#"2,"expected":{"goodbye":"upgrade","until_ms":3},"down":{"from_ms":4,"to_ms":5}}"#);
        for own in [own, &expected] {
            assert_eq!(encode(&decode::<OwnRow>(&bytes(own)).unwrap()), bytes(own));
        }
        assert_eq!(encode(&decode::<super::super::Downtime>(&bytes(downtime)).unwrap()), bytes(downtime));
    }

    #[test]
    fn a_hard_problem_outweighs_that_it_is_stale() {
        for (state, stale, severity) in [
            (CheckState::Ok, None, None),
            (CheckState::Ok, Some(9), Some(Severity::Unknown)),
            (CheckState::Critical, Some(9), Some(Severity::Critical)),
            (CheckState::Unknown, None, Some(Severity::Unknown)),
        ] {
            let wire = CheckDefinition { kind: 3, ..CheckDefinition::default() };
            let mut row = CheckRow::new(Definition::from_wire(&wire));
            row.machine.step(state, 5, 1);
            row.stale_ms = stale;
            assert_eq!((row.severity(), row.is_scheduled_by_agent()), (severity, false));
        }
    }
}
