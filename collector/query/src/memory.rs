//! Series in memory that queries can read instead of a store, or beside a view of it: what a round of rules has made and the store does
//! not have yet, and the input of rule unit tests.

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::label::{LabelSet, NAME, SeriesId};
use muster_common::matcher::{Matcher, Test};
use muster_common::sample::MetricKind;

use crate::source::{Columns, Request, SourceError};
use crate::vector::labels::compare;

/// Series by their labels; samples of each in order of time.
#[derive(Clone, Debug, Default)]
pub struct MemorySeries {
    series: Vec<Columns>,
    places: HashMap<SeriesId, usize>,
    /// Places by metric name: nearly every selector names one.
    by_name: HashMap<String, Vec<usize>>,
}

impl MemorySeries {
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// How many series.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Adds a sample. One of a time that the series has already takes its place; an older one is put where it belongs.
    pub fn append(&mut self, labels: &Arc<LabelSet>, at_ms: i64, value: f64) {
        let place = *self.places.entry(labels.id()).or_insert_with(|| {
            let place = self.series.len();
            self.by_name.entry(labels.name().to_owned()).or_default().push(place);
            let (labels, kind) = (Arc::clone(labels), MetricKind::Untyped);
            self.series.push(Columns { labels, kind, millis: Vec::new(), values: Vec::new() });
            place
        });
        let columns = &mut self.series[place];
        let at = columns.millis.partition_point(|own| *own < at_ms);
        if columns.millis.get(at) == Some(&at_ms) {
            columns.values[at] = value;
        } else {
            columns.millis.insert(at, at_ms);
            columns.values.insert(at, value);
        }
    }

    /// The labels of all series that were ever added.
    pub fn labels(&self) -> impl Iterator<Item = &Arc<LabelSet>> {
        self.series.iter().map(|columns| &columns.labels)
    }

    pub(crate) fn fetch(&self, request: &Request<'_>) -> Result<Vec<Columns>, SourceError> {
        let (mut found, mut samples) = (Vec::new(), 0usize);
        for own in self.sought(request.matchers) {
            let from = own.millis.partition_point(|ms| *ms < request.from_ms);
            let to = own.millis.partition_point(|ms| *ms <= request.to_ms);
            if from >= to || !request.matchers.iter().all(|one| one.is_match(own.labels.get(&one.name).unwrap_or(""))) {
                continue;
            }
            samples += to - from;
            if samples > request.samples_max || found.len() >= request.series_max {
                return Err(SourceError::TooMuch("the selector reads too much: select fewer series".into()));
            }
            let (millis, values) = (own.millis[from..to].to_vec(), own.values[from..to].to_vec());
            found.push(Columns { labels: Arc::clone(&own.labels), kind: own.kind, millis, values });
        }
        found.sort_by(|a, b| compare(&a.labels, &b.labels));
        Ok(found)
    }

    /// Puts what is asked for of these series into the answer of another source; where both have a sample, these series' counts.
    pub(crate) fn overlay(&self, request: &Request<'_>, below: Vec<Columns>) -> Result<Vec<Columns>, SourceError> {
        let own = if self.is_empty() { Vec::new() } else { self.fetch(request)? };
        if own.is_empty() {
            return Ok(below);
        }
        let mut all = below;
        let places: HashMap<SeriesId, usize> =
            all.iter().enumerate().map(|(place, columns)| (columns.labels.id(), place)).collect();
        for columns in own {
            match places.get(&columns.labels.id()) {
                Some(place) => merge(&mut all[*place], &columns),
                None => all.push(columns),
            }
        }
        all.sort_by(|a, b| compare(&a.labels, &b.labels));
        Ok(all)
    }

    /// The series that may fit: those of the name that is asked for, if one is.
    fn sought(&self, matchers: &[Matcher]) -> Box<dyn Iterator<Item = &Columns> + '_> {
        let name = matchers.iter().find_map(|matcher| match &matcher.test {
            Test::Equal(value) if matcher.name == NAME => Some(value),
            _ => None,
        });
        match name {
            Some(name) => Box::new(self.by_name.get(name).into_iter().flatten().map(|place| &self.series[*place])),
            None => Box::new(self.series.iter()),
        }
    }
}

fn merge(into: &mut Columns, from: &Columns) {
    for (at_ms, value) in from.millis.iter().zip(&from.values) {
        let at = into.millis.partition_point(|own| own < at_ms);
        if into.millis.get(at) == Some(at_ms) {
            into.values[at] = *value;
        } else {
            into.millis.insert(at, *at_ms);
            into.values.insert(at, *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Control, Engine, Prepared, Value};

    fn labels(pairs: &[(&str, &str)]) -> Arc<LabelSet> {
        Arc::new(LabelSet::new(pairs.iter().copied()).unwrap())
    }

    #[test]
    fn queries_read_what_was_added() {
        let mut memory = MemorySeries::default();
        let (a, b) = (labels(&[(NAME, "m"), ("a", "1")]), labels(&[(NAME, "m"), ("a", "2")]));
        for (set, at_ms, value) in [(&a, 1_000, 1.0), (&a, 500, 7.0), (&a, 1_000, 2.0), (&b, 1_000, 3.0)] {
            memory.append(set, at_ms, value);
        }
        assert_eq!((memory.len(), memory.labels().count()), (2, 2));
        let ask = |text: &str, at_ms| {
            let control = Control::new(Duration::from_secs(10));
            let none = MemorySeries::default();
            let answer =
                Engine::default().instant_memory(&memory, &none, &Prepared::new(text).unwrap(), at_ms, &control);
            match answer.unwrap().value {
                Value::Vector(points) => points.iter().map(|point| point.value).collect::<Vec<_>>(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(ask("m", 1_000), [2.0, 3.0]);
        assert_eq!(ask("m", 999), [7.0]);
        assert_eq!(ask("sum({a=~\".+\"})", 2_000), [5.0]);
        assert_eq!(ask("other", 2_000), [0.0; 0]);
    }

    #[test]
    fn what_lies_over_another_source_counts() {
        let mut memory = MemorySeries::default();
        let (a, b) = (labels(&[(NAME, "m"), ("a", "1")]), labels(&[(NAME, "m"), ("a", "0")]));
        memory.append(&a, 1_000, 2.0);
        memory.append(&b, 1_000, 3.0);
        let below = Columns { labels: a, kind: MetricKind::Gauge, millis: vec![500, 1_000], values: vec![1.0, 1.0] };
        let matchers = [Matcher::equal(NAME, "m")];
        let request = Request { matchers: &matchers, from_ms: 0, to_ms: 1_000, series_max: 9, samples_max: 9 };
        let all = memory.overlay(&request, vec![below]).unwrap();
        let own: Vec<_> = all.iter().map(|one| (one.labels.get("a"), &*one.values)).collect();
        assert_eq!(own, [(Some("0"), &[3.0][..]), (Some("1"), &[1.0, 2.0][..])]);
    }
}
