//! The labels that identity gives: from the certificate's registration, never from what the agent sends.
//!
//! Order of right: `host` and the configured host labels, then the agent's own labels, then the defaults of `job` and
//! `instance`. An agent's label that an identity label overrides is kept as `exported_<name>`, so that nothing is lost.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::label::{LabelError, LabelSet, NAME};
use muster_common::wire::message::WireLabel;

/// The label that says which host a series is of.
pub const HOST: &str = "host";
/// The label and value by which the collector marks what it says itself. Nobody else may send it.
pub const SOURCE: &str = "source";
pub const SOURCE_MUSTER: &str = "muster";
/// The host name under which the collector's own series stand. No host and no push may use it.
pub const HOST_MUSTER: &str = "muster";

const INSTANCE: &str = "instance";
const JOB: &str = "job";
const JOB_DEFAULT: &str = "node";
const JOB_DEFAULT_LOGS: &str = "logs";

/// A registered host as its series show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLabels {
    pub id: HostId,
    /// The registered name: the value of label `host`, and of `instance` unless the agent sets that.
    pub name: String,
    /// `env`, `role` and whatever else was given to this host.
    pub labels: BTreeMap<String, String>,
}

/// Why a series is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeriesRefusal {
    #[error("label `source=\"muster\"` and host `muster` are reserved for the collector's own series: rename yours")]
    Reserved,
    #[error("a series needs a metric name: give it a label `__name__`")]
    NoName,
    #[error(transparent)]
    Labels(#[from] LabelError),
}

impl HostLabels {
    /// The label set of a series of this host that the agent calls `name` with `labels`.
    ///
    /// # Errors
    /// [`SeriesRefusal`] names the limit or the reserved label.
    pub fn resolve(&self, name: &str, labels: &[WireLabel]) -> Result<LabelSet, SeriesRefusal> {
        if name.is_empty() {
            return Err(SeriesRefusal::NoName);
        }
        self.with_identity(vec![(NAME.to_owned(), name)], labels, JOB_DEFAULT)
    }

    /// The label set of a stream of lines of this host: as of a series, but without a name and with a default job of its own.
    ///
    /// # Errors
    /// [`SeriesRefusal`] names the limit or the reserved label.
    pub fn resolve_stream(&self, labels: &[WireLabel]) -> Result<LabelSet, SeriesRefusal> {
        self.with_identity(Vec::new(), labels, JOB_DEFAULT_LOGS)
    }

    fn with_identity<'a>(
        &'a self,
        mut pairs: Vec<(String, &'a str)>,
        labels: &'a [WireLabel],
        job: &'a str,
    ) -> Result<LabelSet, SeriesRefusal> {
        pairs.reserve(labels.len() + self.labels.len() + 4);
        for label in labels.iter().filter(|label| !label.value.is_empty()) {
            let mut own = label.name.clone();
            while self.identifies(&own) || (own != label.name && labels.iter().any(|other| other.name == own)) {
                own.insert_str(0, "exported_");
            }
            pairs.push((own, &label.value));
        }
        pairs.push((HOST.to_owned(), &self.name));
        pairs.extend(
            self.labels.iter().filter(|(name, _)| *name != HOST).map(|(name, value)| (name.clone(), value.as_str())),
        );
        for (default, value) in [(INSTANCE, self.name.as_str()), (JOB, job)] {
            if !pairs.iter().any(|(name, _)| name == default) {
                pairs.push((default.to_owned(), value));
            }
        }
        if pairs.iter().any(|(name, value)| name == SOURCE && *value == SOURCE_MUSTER) {
            return Err(SeriesRefusal::Reserved);
        }
        Ok(LabelSet::new(pairs)?)
    }

    /// The label set of this host's `up`.
    ///
    /// # Errors
    /// As [`HostLabels::resolve`]; the registry's limits make that impossible for a registered host.
    pub fn up(&self) -> Result<LabelSet, SeriesRefusal> {
        self.resolve("up", &[])
    }

    fn identifies(&self, name: &str) -> bool {
        name == HOST || self.labels.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web1() -> HostLabels {
        let labels = BTreeMap::from([("env".to_owned(), "production".to_owned())]);
        HostLabels { id: HostId([7; 16]), name: "web1".to_owned(), labels }
    }

    fn resolved(labels: &[(&str, &str)]) -> Result<String, SeriesRefusal> {
        let wire = |(name, value): &(&str, &str)| WireLabel { name: (*name).to_owned(), value: (*value).to_owned() };
        let labels: Vec<WireLabel> = labels.iter().map(wire).collect();
        web1().resolve("m", &labels).map(|set| set.to_string())
    }

    #[test]
    fn identity_overrides_what_the_agent_says_and_keeps_it_as_exported() {
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[], r#"m{env="production", host="web1", instance="web1", job="node"}"#),
            (
                &[("host", "db1")],
                r#"m{env="production", exported_host="db1", host="web1", instance="web1", job="node"}"#,
            ),
            (&[("job", "x"), ("instance", "y:1")], r#"m{env="production", host="web1", instance="y:1", job="x"}"#),
            (&[("env", "")], r#"m{env="production", host="web1", instance="web1", job="node"}"#),
            (
                &[("env", "a"), ("exported_env", "b")],
                r#"m{env="production", exported_env="b", exported_exported_env="a", host="web1", instance="web1", job="node"}"#,
            ),
        ];
        for (labels, expect) in cases {
            assert_eq!(resolved(labels).as_deref(), Ok(expect));
        }
    }

    #[test]
    fn reserved_and_broken_labels_are_refused_by_name() {
        assert_eq!(resolved(&[("source", "muster")]), Err(SeriesRefusal::Reserved));
        assert!(resolved(&[("source", "other")]).is_ok());
        assert_eq!(resolved(&[("", "x")]), Err(SeriesRefusal::Labels(LabelError::EmptyName)));
        let twice = LabelError::Twice { name: "a".to_owned() };
        assert_eq!(resolved(&[("a", "1"), ("a", "2")]), Err(SeriesRefusal::Labels(twice)));
        assert_eq!(web1().resolve("", &[]), Err(SeriesRefusal::NoName));
    }
}
