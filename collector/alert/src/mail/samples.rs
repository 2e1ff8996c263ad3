//! Notices and evidence of tests.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_fleet::status::Subject;

use super::{Before, Earlier, Evidence, LogLine, MailSettings, Moment, Neighbour, Reading, Suspected};
use crate::alert::{Alert, AlertId, Notice, NoticeKind, Origin};
use crate::plot::samples::{ONSET, filling};

const MINUTE: i64 = 60_000;

pub(crate) fn settings() -> MailSettings {
    MailSettings {
        from: "Muster <muster@example.org>".to_owned(),
        domain: "muster.example.org".to_owned(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        external_url: Some("https://muster.example.org/".to_owned()),
        headers: vec![("X-Team".to_owned(), "storage".to_owned()), ("Subject".to_owned(), "mine".to_owned())],
    }
}

pub(crate) fn alert(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Alert {
    let labels = LabelSet::new(labels.iter().copied()).unwrap();
    Alert {
        id: AlertId::of_labels(&labels),
        labels,
        annotations: annotations
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        origin: Origin::Status(Subject::Check { host: HostId([7; 16]), check: "disk /var".to_owned() }),
        active_ms: ONSET,
        starts_ms: ONSET + 2 * MINUTE,
        ends_ms: None,
        updated_ms: ONSET + 15 * MINUTE,
        value: Some(95.8),
        expression: String::new(),
        again: false,
        holds: Vec::new(),
        is_quiet_end: false,
        is_one_of_many: false,
    }
}

pub(crate) fn disk() -> Alert {
    alert(
        &[
            ("alertname", "disk /var"),
            ("severity", "critical"),
            ("host", "db1"),
            ("check", "disk /var"),
            ("site", "z\u{fc}rich"),
        ],
        &[
            ("summary", "/var 96 % used, 1.2 GiB free"),
            ("remedy", "Look for the largest files: du -xh /var | sort -h | tail"),
            ("title", "/var filling"),
        ],
    )
}

pub(crate) fn notice(firing: Vec<Alert>, resolved: Vec<Alert>) -> Notice {
    Notice {
        id: 41,
        incident: 41,
        kind: if firing.is_empty() { NoticeKind::Resolved } else { NoticeKind::Opened },
        receiver: "ops team".to_owned(),
        group_key: "{}:{}".to_owned(),
        group_labels: LabelSet::new([("host", "db1")]).unwrap(),
        at_ms: ONSET + 15 * MINUTE,
        firing,
        resolved,
    }
}

pub(crate) fn evidence() -> Evidence {
    let line = |minute: i64, text: &str| LogLine {
        at_ms: ONSET + minute * MINUTE,
        source: "postgresql.service".to_owned(),
        text: text.to_owned(),
    };
    Evidence {
        reading: Some(Reading {
            value: Some(95.8),
            unit: "%".to_owned(),
            limit: Some(90.0),
            forecast: "full in 40 min".to_owned(),
        }),
        plot: Some(filling()),
        log_lines: (-6..6)
            .map(|minute| line(minute, "could not extend file \"base/16384/2619\": No space left on device"))
            .collect(),
        events: vec![Moment { at_ms: ONSET - 54 * MINUTE, text: "postgresql upgraded from 16.2 to 16.3".to_owned() }],
        before: Before {
            suspects: vec![Suspected {
                text: "package postgresql 16.2 -> 16.3".to_owned(),
                why: "54 min before, only on this host, its output names postgresql".to_owned(),
                page: String::new(),
            }],
            separator: "all 4 hosts with the problem have kernel 6.1.0-30, and none of 38 others do".to_owned(),
        },
        neighbours: vec![Neighbour { host: "db2".to_owned(), since_ms: ONSET + MINUTE }],
        earlier: vec![Earlier {
            from_ms: ONSET - 9 * 86_400_000,
            to_ms: ONSET - 9 * 86_400_000 + 67 * MINUTE,
            note: "anna: old WAL removed".to_owned(),
        }],
    }
}

/// The first notice of an incident.
pub(crate) fn opened() -> Notice {
    notice(vec![disk()], Vec::new())
}

/// The notice of its end, 67 minutes after the onset.
pub(crate) fn ended() -> Notice {
    let ended = Alert { ends_ms: Some(ONSET + 67 * MINUTE), value: Some(71.0), ..disk() };
    Notice { id: 44, at_ms: ONSET + 67 * MINUTE, ..notice(Vec::new(), vec![ended]) }
}
