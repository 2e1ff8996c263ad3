//! One alert of a rule while it is pending or firing.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_common::label::LabelSet;

use super::alerting::Stepped;
use super::file::AlertSpec;
use crate::alert::{Held, HeldReason};
use crate::template::Template;

/// Where an alert is. Inactive ones are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Pending,
    Firing { since_ms: i64 },
}

#[derive(Clone, Debug)]
pub struct Active {
    /// With `alertname`.
    pub labels: Arc<LabelSet>,
    /// The labels of its series, without the name.
    pub series: Arc<LabelSet>,
    pub annotations: BTreeMap<String, String>,
    pub phase: Phase,
    /// Since when the condition holds.
    pub active_ms: i64,
    /// `keep_firing_for` counts from here.
    pub keep_since_ms: Option<i64>,
    pub value: f64,
    /// Why it stays although it has no data.
    pub held: Option<String>,
    /// It has no data, and its rule says that this is as bad.
    pub is_missing: bool,
    /// When its words were told last.
    pub(super) told_ms: i64,
    /// Words have changed since, and were not told so soon.
    pub(super) owes_words: bool,
    is_filled: bool,
}

/// What an alert of missing data says besides the rule's words.
const NO_DATA_NOTE: &str = "no_data";

impl Active {
    pub(super) fn new(labels: Arc<LabelSet>, series: Arc<LabelSet>, now_ms: i64) -> Self {
        Self {
            labels,
            series,
            annotations: BTreeMap::new(),
            phase: Phase::Pending,
            active_ms: now_ms,
            keep_since_ms: None,
            value: f64::NAN,
            held: None,
            is_missing: false,
            told_ms: i64::MIN / 2,
            owes_words: false,
            is_filled: false,
        }
    }

    pub fn is_firing(&self) -> bool {
        matches!(self.phase, Phase::Firing { .. })
    }

    /// The value of label `alertstate`.
    pub fn state(&self) -> &'static str {
        if self.is_firing() { "firing" } else { "pending" }
    }

    pub(super) fn holds(&self) -> Vec<Held> {
        let held = self.held.iter();
        held.map(|by| Held { why: HeldReason::NoData, by: by.clone(), until_ms: None }).collect()
    }

    /// Takes the round's value and fills the annotations where that can change them. Answers whether a text changed.
    pub(super) fn fill(
        &mut self,
        spec: &AlertSpec,
        series: &LabelSet,
        value: f64,
        is_missing: bool,
        expand: impl Fn(&Template, &mut Stepped) -> String,
        stepped: &mut Stepped,
    ) -> bool {
        debug_assert!(series.canonical().len() >= self.series.canonical().len(), "the series may have a name besides");
        let is_same = self.is_filled && self.value.to_bits() == value.to_bits() && self.is_missing == is_missing;
        (self.value, self.is_missing, self.is_filled) = (value, is_missing, true);
        if is_same && spec.annotations.iter().all(|(_, template)| template.is_steady()) {
            return false;
        }
        let mut filled = BTreeMap::new();
        for (name, template) in &spec.annotations {
            let text = expand(template, stepped);
            if !text.is_empty() {
                filled.insert(name.clone(), text);
            }
        }
        if is_missing {
            filled.insert(NO_DATA_NOTE.into(), "there are no data: the rule counts that as its condition".into());
        }
        let changed = filled != self.annotations;
        self.annotations = filled;
        changed
    }
}
