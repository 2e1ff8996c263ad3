//! One recording rule: the series that it makes of a result.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use muster_common::label::{LabelSet, NAME};

use super::alerting::Vector;
use super::file::Rule;

/// What a recording rule keeps from round to round: the label sets that it made, so that they are not made anew.
#[derive(Debug, Default)]
pub struct RecordingState {
    made: HashMap<u128, Arc<LabelSet>>,
}

impl RecordingState {
    /// The samples of a round.
    ///
    /// # Errors
    /// What Prometheus would say: the query's error, two series with one label set, more series than the limit.
    pub fn step(&mut self, rule: &Rule, result: Result<Vector, String>, limit: usize) -> Result<Vector, String> {
        let result = result?;
        let mut made = HashMap::with_capacity(result.len());
        let mut seen = HashSet::with_capacity(result.len());
        let mut samples = Vec::with_capacity(result.len());
        for (series, value) in result {
            let key = series.id().0;
            let labels = match self.made.get(&key) {
                Some(labels) => Arc::clone(labels),
                None => Arc::new(recorded(rule, &series)?),
            };
            if !seen.insert(labels.id()) {
                return Err("vector contains metrics with the same labelset after applying rule labels".into());
            }
            made.insert(key, Arc::clone(&labels));
            samples.push((labels, value));
        }
        if limit > 0 && samples.len() > limit {
            return Err(format!("exceeded limit of {limit} with {} series", samples.len()));
        }
        self.made = made;
        Ok(samples)
    }
}

/// The series' labels with the rule's name and labels. Labels of a recording rule are no templates, as in Prometheus.
fn recorded(rule: &Rule, series: &LabelSet) -> Result<LabelSet, String> {
    let mut changes = vec![(NAME, rule.name.as_str())];
    changes.extend(rule.labels.iter().map(|(name, template)| (name.as_str(), template.text())));
    series.with(&changes).map_err(|error| error.to_string())
}
