//! The configuration as a whole.

use super::inhibit::InhibitRule;
use super::intervals::TimeIntervals;
use super::receivers::{HttpConfig, Receiver, SmtpConfig};
use super::route::{GroupBy, Route, RouteTree};
use crate::rules::Mistake;

/// Alertmanager's defaults.
pub(super) const GROUP_WAIT_MS: i64 = 30_000;
pub(super) const GROUP_INTERVAL_MS: i64 = 5 * 60_000;
pub(super) const REPEAT_INTERVAL_MS: i64 = 4 * 3_600_000;
const RESOLVE_TIMEOUT_MS: i64 = 5 * 60_000;

/// What holds where a receiver does not say it.
#[derive(Clone, Debug)]
pub struct Global {
    pub smtp: SmtpConfig,
    pub smtp_from: Option<String>,
    pub http: HttpConfig,
    /// When a pushed alert without an end is over if it is not pushed again.
    pub resolve_timeout_ms: i64,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            smtp: SmtpConfig::default(),
            smtp_from: None,
            http: HttpConfig::default(),
            resolve_timeout_ms: RESOLVE_TIMEOUT_MS,
        }
    }
}

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct AlertingConfig {
    pub global: Global,
    pub route: RouteTree,
    /// In their order in the file.
    pub receivers: Vec<Receiver>,
    pub inhibit: Vec<InhibitRule>,
    pub intervals: TimeIntervals,
    /// The name of the receiver that is told what others cannot be.
    pub fallback: String,
    /// The folder of mail templates that take the place of ours, as written: relative to this file.
    pub templates: Option<String>,
    /// Where links in notices lead to; `None`: nowhere is known.
    pub external_url: Option<String>,
    /// What was left out, with its place and what it means.
    pub warnings: Vec<Mistake>,
}

impl AlertingConfig {
    /// What holds without a file: one receiver `default` that has no addresses yet, at once for a host's first problem of a kind.
    pub fn built_in() -> Self {
        let root = Route {
            id: String::new(),
            receiver: "default".to_owned(),
            group_by: GroupBy::Labels(vec!["alertname".to_owned(), "host".to_owned()]),
            group_wait_ms: 0,
            group_interval_ms: GROUP_INTERVAL_MS,
            repeat_interval_ms: REPEAT_INTERVAL_MS,
            mute: Vec::new(),
            active: Vec::new(),
            is_continued: false,
            matchers: Vec::new(),
            children: Vec::new(),
        };
        Self {
            global: Global::default(),
            route: RouteTree::new(root),
            receivers: vec![Receiver { name: "default".to_owned(), ..Receiver::default() }],
            inhibit: Vec::new(),
            intervals: TimeIntervals::default(),
            fallback: "default".to_owned(),
            templates: None,
            external_url: None,
            warnings: Vec::new(),
        }
    }

    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|own| own.name == name)
    }

    /// Who is really told when `name` is to be: the receiver itself, and the fallback where the receiver has ways that we do not know.
    pub fn told_for(&self, name: &str) -> Vec<&Receiver> {
        let Some(own) = self.receiver(name) else { return Vec::new() };
        let fallback =
            self.receiver(&self.fallback).filter(|fallback| !own.foreign.is_empty() && fallback.name != own.name);
        std::iter::once(own).chain(fallback).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::label::LabelSet;

    #[test]
    fn the_built_in_configuration_tells_its_default_receiver() {
        let own = AlertingConfig::built_in();
        let labels = LabelSet::new([("alertname", "A"), ("host", "h"), ("x", "y")]).unwrap();
        let routes = own.route.routes_of(&labels);
        assert_eq!((routes.len(), routes[0].id.as_str(), routes[0].receiver.as_str()), (1, "{}", "default"));
        assert_eq!(routes[0].group_labels(&labels), LabelSet::new([("alertname", "A"), ("host", "h")]).unwrap());
        assert!(own.told_for("default")[0].emails.is_empty() && own.told_for("nope").is_empty());
    }
}
