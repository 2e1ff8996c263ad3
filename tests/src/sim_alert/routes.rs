//! The two configurations of these worlds, as text and as what they mean.

use std::sync::Arc;

use muster_alert::desk::Letters;
use muster_alert::mail::Templates;
use muster_alert::routing::{AlertingConfig, load_config};

use super::Violation;

/// The hour (UTC) in which `team` is not told of `c2`.
pub(super) const NIGHT_HOUR: i64 = 1;

const HEAD: &str = r"
global:
  smtp_smarthost: 'one.example.org:587'
  smtp_from: 'muster@example.org'
  smtp_require_tls: false
inhibit_rules:
  - source_matchers: [alertname=c3, severity=critical]
    target_matchers: [alertname=c1]
    equal: [host]
time_intervals:
  - name: night
    time_intervals:
      - times: [{start_time: '01:00', end_time: '02:00'}]
receivers:
  - name: ops
    email_configs: [{to: 'ops@example.org, boss@example.org', send_resolved: true}]
  - name: team
    email_configs: [{to: 'team@example.org', smarthost: 'two.example.org:587', send_resolved: true}]
  - name: lab
    email_configs: [{to: 'lab@example.org', send_resolved: true}]
  - name: hook
    webhook_configs: [{url: 'http://hook.example.org/in', send_resolved: true}]
route:
  receiver: ops
  group_by: [alertname, host]
  group_wait: 0s
  group_interval: 5m
  repeat_interval: 4h
  routes:
";

const FIRST: &str = r"
    - {matchers: [alertname=c0], receiver: team, group_wait: 30s, continue: true}
    - {matchers: [alertname=c1], receiver: hook, continue: true}
    - {matchers: [alertname=c2], receiver: team, group_wait: 30s, mute_time_intervals: [night]}
    - {matchers: [way=x], receiver: team, group_wait: 30s}
    - {matchers: [env=lab], receiver: lab}
    - {receiver: ops}
";

const SECOND: &str = r"
    - {matchers: [alertname=c1], receiver: team, group_wait: 30s, continue: true}
    - {matchers: [alertname=c1], receiver: hook}
    - {matchers: [alertname=c3], receiver: team}
    - {matchers: [way=x], receiver: hook}
    - {matchers: [env=lab], receiver: lab}
    - {receiver: ops, group_by: [host]}
";

/// Which of the two is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    First,
    Second,
}

impl Form {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    fn config(self) -> Result<AlertingConfig, Violation> {
        let text = format!("{HEAD}{}", if self == Self::First { FIRST } else { SECOND });
        load_config("alerting.yml", &text, &|path| Err(format!("no file {path}"))).map_err(|mistakes| {
            let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            Violation(format!("the configuration does not load: {}", all.join("; ")))
        })
    }

    pub(super) fn letters(self, templates: &Arc<Templates>) -> Result<Letters, Violation> {
        let config = Arc::new(self.config()?);
        Ok(Letters { config, templates: Arc::clone(templates), domain: "muster.example.org".to_owned() })
    }

    /// Who is told of an alert of this name; of a host of the laboratory others are told than else.
    pub(super) fn receivers(self, name: &str, is_lab: bool) -> &'static [&'static str] {
        if is_lab {
            return match (self, name) {
                (Self::First, "c0") => &["team", "lab"],
                (Self::First, "c1") => &["hook", "lab"],
                (Self::First, "c2") | (Self::Second, "c3") => &["team"],
                (Self::Second, "c1") => &["team", "hook"],
                _ => &["lab"],
            };
        }
        match (self, name) {
            (Self::First, "c0") => &["team", "ops"],
            (Self::First, "c1") => &["hook", "ops"],
            (Self::First, "c2" | "r0" | "r2") | (Self::Second, "c3") => &["team"],
            (Self::Second, "r0" | "r2") => &["hook"],
            (Self::Second, "c1") => &["team", "hook"],
            _ => &["ops"],
        }
    }

    /// Whether its receiver is not told at night.
    pub(super) fn is_muted(self, name: &str, now_ms: i64) -> bool {
        let hour = now_ms.div_euclid(3_600_000).rem_euclid(24);
        self == Self::First && name == "c2" && hour == NIGHT_HOUR
    }
}
