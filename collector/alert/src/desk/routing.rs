//! The plan in force: the configuration, the silences, and which firing alerts inhibit others.

use std::sync::Arc;

use muster_common::label::LabelSet;

use crate::alert::{Alert, AlertChange, Held};
use crate::dispatch::{Plan, RoutePlan, Waits};
use crate::routing::{AlertingConfig, Inhibitor, Route, Silences};

/// What the dispatcher asks.
pub struct Routing {
    config: Arc<AlertingConfig>,
    pub(super) silences: Silences,
    inhibitor: Inhibitor,
}

impl Routing {
    pub fn new(config: Arc<AlertingConfig>, silences: Silences) -> Self {
        let inhibitor = Inhibitor::new(&config.inhibit);
        Self { config, silences, inhibitor }
    }

    pub fn config(&self) -> &Arc<AlertingConfig> {
        &self.config
    }

    pub fn silences(&self) -> &Silences {
        &self.silences
    }

    /// What holds an alert back on each of its routes, at least one: for lists of thousands, which need neither groups nor waits.
    pub fn held_ways(&self, alert: &Alert, now_ms: i64) -> Vec<(&Route, Vec<Held>)> {
        let inhibited = self.inhibitor.held(&alert.labels);
        let silenced = self.silences.held(&alert.labels, now_ms);
        let held = |route: &Route| {
            let muted = self.config.intervals.held_by(route, now_ms);
            let mut held = alert.holds.clone();
            held.extend([inhibited.clone(), muted, silenced.clone()].into_iter().flatten());
            held
        };
        self.config.route.routes_of(&alert.labels).into_iter().map(|route| (route, held(route))).collect()
    }

    /// Puts another configuration in force. `firing`: all alerts that fire.
    pub(super) fn configure<'a>(&mut self, config: Arc<AlertingConfig>, firing: impl Iterator<Item = &'a Alert>) {
        self.inhibitor = Inhibitor::new(&config.inhibit);
        self.config = config;
        for alert in firing {
            self.inhibitor.fires(alert.id, &alert.labels);
        }
    }

    /// Before the dispatcher takes these, so that one of them inhibits another.
    pub(super) fn note(&mut self, changes: &[AlertChange]) {
        for change in changes {
            match change {
                AlertChange::Firing(alert) => self.inhibitor.fires(alert.id, &alert.labels),
                AlertChange::Ended { id, .. } => self.inhibitor.ended(*id),
            }
        }
    }
}

impl Plan for Routing {
    fn routes(&self, labels: &LabelSet) -> Vec<RoutePlan> {
        let way = |route: &crate::routing::Route| RoutePlan {
            route: route.id.clone(),
            receiver: route.receiver.clone(),
            group_labels: route.group_labels(labels),
            waits: Waits {
                group_wait_ms: route.group_wait_ms,
                group_interval_ms: route.group_interval_ms,
                repeat_interval_ms: route.repeat_interval_ms,
            },
        };
        self.config.route.routes_of(labels).into_iter().map(way).collect()
    }

    fn holds(&self, alert: &Alert, route: &str, now_ms: i64) -> Vec<Held> {
        let inhibited = self.inhibitor.held(&alert.labels);
        let silenced = self.silences.held(&alert.labels, now_ms);
        let held_by = |route| self.config.intervals.held_by(route, now_ms);
        let muted = match self.config.route.by_id(route) {
            Some(route) => held_by(route),
            // A storm's common group has no route of its own: a member waits while every route of its own would let it wait.
            None => {
                let all: Option<Vec<Held>> =
                    self.config.route.routes_of(&alert.labels).into_iter().map(held_by).collect();
                all.and_then(|all| all.into_iter().next())
            }
        };
        [inhibited, muted, silenced].into_iter().flatten().collect()
    }
}
