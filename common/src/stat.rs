//! A program's own numbers: what each part counts about itself, gathered by the edge that shows and stores them.

use crate::sample::MetricKind;

/// One number of the program itself, as it will stand on `/metrics` and in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Stat {
    /// `muster_collector_...` or `muster_agent_...`; counters end in `_total`, units are spelt.
    pub name: &'static str,
    pub help: &'static str,
    pub kind: MetricKind,
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

impl Stat {
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, kind: MetricKind::Counter, labels: Vec::new(), value: value as f64 }
    }

    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: MetricKind::Gauge, labels: Vec::new(), value }
    }

    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }
}
