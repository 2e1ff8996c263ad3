//! What status says, as changes of alerts.

use std::collections::BTreeMap;

use muster_common::check::PERFDATA_SERIES;
use muster_common::label::LabelSet;
use muster_fleet::status::{Condition, EndReason, StatusChange, Subject};

use crate::alert::{Alert, AlertChange, AlertId, Held, HeldReason, Origin};

/// The alert of a problem, or its end.
pub fn from_status(change: &StatusChange) -> AlertChange {
    match change {
        StatusChange::Problem(condition) => AlertChange::Firing(Box::new(alert(condition))),
        StatusChange::Ended { subject, at_ms, why, .. } => AlertChange::Ended {
            id: AlertId::of_subject(subject),
            at_ms: *at_ms,
            why: match why {
                EndReason::Recovered => "recovered",
                EndReason::Removed => "removed",
                EndReason::Retired => "retired",
            },
            is_quiet: matches!(why, EndReason::Retired),
        },
    }
}

fn alert(condition: &Condition) -> Alert {
    let own = [("alertname", condition.name.as_str()), ("severity", condition.severity.as_str())];
    // Labels of a host are far below every limit; a check's that are not are left out rather than the alert.
    let labels = condition.labels.with(&own).or_else(|_| LabelSet::new(own)).unwrap_or_default();
    let mut annotations = BTreeMap::new();
    // As rules name them: an address is a page to open, words are what to do.
    let is_web = condition.remedy.starts_with("http://") || condition.remedy.starts_with("https://");
    let texts = [
        ("summary", &condition.output),
        ("description", &condition.long_output),
        (if is_web { "runbook_url" } else { "remedy" }, &condition.remedy),
    ];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        annotations.insert(name.to_owned(), text.clone());
    }
    let held = |hold: &muster_fleet::status::Hold| Held {
        why: HeldReason::Status(hold.why),
        by: hold.by.clone(),
        until_ms: hold.until_ms,
    };
    Alert {
        id: AlertId::of_subject(&condition.subject),
        labels,
        annotations,
        origin: Origin::Status(condition.subject.clone()),
        active_ms: condition.since_ms,
        starts_ms: condition.since_ms,
        ends_ms: None,
        updated_ms: condition.at_ms,
        value: condition.perfdata.first().map(|one| one.value).filter(|value| value.is_finite()),
        expression: expression(condition),
        again: condition.again,
        holds: condition.holds.iter().map(held).collect(),
        is_quiet_end: false,
        is_one_of_many: condition.is_one_of_many,
    }
}

/// The series of its first number, for plots.
fn expression(condition: &Condition) -> String {
    let (Subject::Check { check, .. }, Some(first)) = (&condition.subject, condition.perfdata.first()) else {
        return String::new();
    };
    let host = condition.labels.get("host").unwrap_or_default();
    format!("{PERFDATA_SERIES}{{host={host:?}, check={check:?}, label={:?}}}", first.label)
}

#[cfg(test)]
mod tests {
    use muster_common::host::HostId;
    use muster_common::wire::message::Perfdata;
    use muster_fleet::status::{Hold, HoldReason, Severity};

    use super::*;

    #[test]
    fn a_problem_is_an_alert_of_its_subject_whatever_its_labels() {
        let subject = Subject::Check { host: HostId([1; 16]), check: "disk".into() };
        let number = Perfdata {
            label: "/var".into(),
            value: 96.0,
            unit: "%".into(),
            warn: "90".into(),
            crit: "95".into(),
            min: 0.0,
            max: 100.0,
        };
        let mut condition = Condition {
            subject: subject.clone(),
            name: "disk".into(),
            severity: Severity::Critical,
            labels: LabelSet::new([("host", "db1"), ("check", "disk"), ("env", "prod")]).unwrap(),
            since_ms: 5,
            at_ms: 9,
            output: "96 % used".into(),
            long_output: String::new(),
            perfdata: vec![number],
            remedy: "grow it".into(),
            is_one_of_many: false,
            again: false,
            holds: vec![Hold { why: HoldReason::Downtime, by: "3".into(), until_ms: Some(7) }],
        };
        let AlertChange::Firing(first) = from_status(&StatusChange::Problem(condition.clone())) else { panic!() };
        let labels = r#"{alertname="disk", check="disk", env="prod", host="db1", severity="critical"}"#;
        assert_eq!((first.labels.to_string().as_str(), first.starts_ms, first.value), (labels, 5, Some(96.0)));
        assert_eq!(first.expression, r#"muster_check_perfdata{host="db1", check="disk", label="/var"}"#);
        assert_eq!(first.annotations["remedy"], "grow it");
        assert_eq!(first.holds[0].why, HeldReason::Status(HoldReason::Downtime));
        condition.labels = LabelSet::new([("host", "db2")]).unwrap();
        let AlertChange::Firing(second) = from_status(&StatusChange::Problem(condition)) else { panic!() };
        assert_eq!(first.id, second.id);
        let end = StatusChange::Ended { subject, at_ms: 8, why: EndReason::Retired, output: String::new() };
        assert_eq!(from_status(&end), AlertChange::Ended { id: first.id, at_ms: 8, why: "retired", is_quiet: true });
    }
}
