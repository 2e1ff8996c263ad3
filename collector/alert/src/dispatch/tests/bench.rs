//! A dispatcher with rows, a clock and a plan that tests turn.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::label::LabelSet;
use muster_fleet::SmallTable;

use crate::alert::{Alert, AlertChange, AlertId, Held, HeldReason, Notice, Origin};
use crate::dispatch::{Dispatch, Event, Plan, Planted, RoutePlan, Waits};

pub(super) const WAITS: Waits = Waits { group_wait_ms: 0, group_interval_ms: 60_000, repeat_interval_ms: 3_600_000 };

/// Label `team` names the receiver, `all` two of them; groups by `group_by`.
#[derive(Clone, Debug)]
pub(super) struct TestPlan {
    pub(super) waits: Waits,
    /// Alerts with these values of label `host` are silenced.
    pub(super) silenced: BTreeSet<String>,
    /// An alert named `Root` of the same host inhibits all others.
    pub(super) inhibits: bool,
    /// Receivers take each other's teams.
    pub(super) is_swapped: bool,
    /// All routes have one name, whoever their receiver is.
    pub(super) is_one_route: bool,
    pub(super) group_by: &'static [&'static str],
    /// Firing alerts named `Root`.
    pub(super) roots: BTreeSet<AlertId>,
}

impl Default for TestPlan {
    fn default() -> Self {
        Self {
            waits: WAITS,
            silenced: BTreeSet::new(),
            inhibits: false,
            is_swapped: false,
            is_one_route: false,
            group_by: &["alertname", "host"],
            roots: BTreeSet::new(),
        }
    }
}

impl TestPlan {
    pub(super) fn receivers(&self, labels: &LabelSet) -> Vec<&'static str> {
        match (labels.get("team").unwrap_or_default(), self.is_swapped) {
            ("a", false) | ("b", true) => vec!["ann"],
            ("b", false) | ("a", true) => vec!["bob"],
            ("all", _) => vec!["ann", "bob"],
            _ => Vec::new(),
        }
    }
}

impl Plan for TestPlan {
    fn routes(&self, labels: &LabelSet) -> Vec<RoutePlan> {
        let group = self.group_by.iter().map(|name| (*name, labels.get(name).unwrap_or_default()));
        let group = LabelSet::new(group).unwrap();
        let way = |receiver: &str| RoutePlan {
            route: if self.is_one_route { "one".to_owned() } else { format!("to-{receiver}") },
            receiver: receiver.to_owned(),
            group_labels: group.clone(),
            waits: self.waits,
        };
        self.receivers(labels).into_iter().map(way).collect()
    }

    fn holds(&self, alert: &Alert, _: &str, _: i64) -> Vec<Held> {
        let host = alert.labels.get("host").unwrap_or_default();
        let held = |why, by: &str| Held { why, by: by.to_owned(), until_ms: None };
        let mut holds = Vec::new();
        if self.silenced.contains(host) {
            holds.push(held(HeldReason::Silenced, "s"));
        }
        let has_root = self.roots.contains(&id("Root", host));
        if self.inhibits && has_root && alert.name() != "Root" {
            holds.push(held(HeldReason::Inhibited, "Root"));
        }
        holds
    }
}

pub(super) struct Bench {
    pub(super) dispatch: Dispatch,
    pub(super) plan: TestPlan,
    pub(super) now_ms: i64,
    pub(super) notices: Vec<Notice>,
    rows: BTreeMap<(SmallTable, Vec<u8>), Vec<u8>>,
    bug: Option<Planted>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(None)
    }

    pub(super) fn with(bug: Option<Planted>) -> Self {
        let mut bench = Self {
            dispatch: Dispatch::default(),
            plan: TestPlan::default(),
            now_ms: 1_700_000_000_000,
            notices: Vec::new(),
            rows: BTreeMap::new(),
            bug,
        };
        bench.restart();
        bench
    }

    /// Another process with the rows of the last.
    pub(super) fn restart(&mut self) {
        let rows = self.rows.iter().map(|((table, key), value)| (*table, key.as_slice(), value.as_slice()));
        self.dispatch = Dispatch::load(rows).unwrap();
        if let Some(bug) = self.bug {
            self.dispatch.plant(bug);
        }
    }

    pub(super) fn row_count(&self) -> usize {
        self.rows.keys().filter(|(table, _)| matches!(table, SmallTable::Alerts | SmallTable::Groups)).count()
    }

    pub(super) fn give(&mut self, event: Event) -> Vec<Notice> {
        if let Event::Alerts(changes) = &event {
            for change in changes {
                match change {
                    AlertChange::Firing(alert) if alert.name() == "Root" => self.plan.roots.insert(alert.id),
                    AlertChange::Firing(_) => false,
                    AlertChange::Ended { id, .. } => self.plan.roots.remove(id),
                };
            }
        }
        let effects = self.dispatch.step(self.now_ms, event, &self.plan);
        for row in effects.rows {
            match row.value {
                Some(value) => self.rows.insert((row.table, row.key), value),
                None => self.rows.remove(&(row.table, row.key)),
            };
        }
        self.notices.extend(effects.notices.iter().cloned());
        effects.notices
    }

    pub(super) fn fire(&mut self, alert: Alert) -> Vec<Notice> {
        self.give(Event::Alerts(vec![AlertChange::Firing(Box::new(alert))]))
    }

    pub(super) fn end(&mut self, id: AlertId) -> Vec<Notice> {
        self.end_with(id, false)
    }

    pub(super) fn end_with(&mut self, id: AlertId, is_quiet: bool) -> Vec<Notice> {
        self.give(Event::Alerts(vec![AlertChange::Ended { id, at_ms: self.now_ms, why: "over", is_quiet }]))
    }

    pub(super) fn replan(&mut self) -> Vec<Notice> {
        self.give(Event::Replanned(Vec::new()))
    }

    /// Lets time pass, with every deadline told when it comes.
    pub(super) fn pass(&mut self, span_ms: i64) -> Vec<Notice> {
        let end_ms = self.now_ms + span_ms;
        let before = self.notices.len();
        for _ in 0..100_000 {
            match self.dispatch.deadline_ms().filter(|at_ms| *at_ms <= end_ms) {
                Some(at_ms) => self.now_ms = self.now_ms.max(at_ms),
                None => break,
            }
            self.give(Event::Tick);
        }
        self.now_ms = end_ms;
        self.notices[before..].to_vec()
    }
}

/// A firing alert; its id is its name and host, whatever its other labels.
pub(super) fn alert(name: &str, host: &str, team: &str, severity: &str, now_ms: i64) -> Alert {
    let labels = [("alertname", name), ("host", host), ("team", team), ("severity", severity)];
    Alert {
        id: id(name, host),
        labels: LabelSet::new(labels).unwrap(),
        annotations: BTreeMap::new(),
        origin: Origin::Pushed { by: "test".to_owned() },
        active_ms: now_ms,
        starts_ms: now_ms,
        ends_ms: None,
        updated_ms: now_ms,
        value: Some(1.0),
        expression: String::new(),
        again: false,
        holds: Vec::new(),
        is_quiet_end: false,
        is_one_of_many: false,
    }
}

pub(super) fn id(name: &str, host: &str) -> AlertId {
    AlertId::of_labels(&LabelSet::new([("alertname", name), ("host", host)]).unwrap())
}
