//! Rule files as they are in force: groups of rules, read and checked.

use std::sync::Arc;

use muster_common::range::Range;
use muster_query::{Prepared, PreparedLog};
use muster_yaml::Place;

use crate::template::Template;

/// One rule file.
#[derive(Clone, Debug)]
pub struct RuleFile {
    pub path: String,
    pub groups: Vec<Arc<RuleGroup>>,
}

/// Rules that are evaluated one after the other at one time.
#[derive(Clone, Debug)]
pub struct RuleGroup {
    pub file: String,
    pub name: String,
    pub interval_ms: i64,
    /// How far behind the time of the tick the rules look.
    pub query_offset_ms: i64,
    /// Series that one rule may make; 0: any number.
    pub limit: usize,
    pub rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
pub struct Rule {
    /// The alert's name, the metric that is recorded, or the check.
    pub name: String,
    pub expr: RuleExpr,
    /// Those of the group and of the rule, by name. A recording rule's are texts as they are.
    pub labels: Vec<(String, Template)>,
    pub kind: RuleKind,
    pub place: Place,
}

#[derive(Clone, Debug)]
pub enum RuleKind {
    Recording,
    Alerting(AlertSpec),
    /// A check of kind `metric` of every host that the expression has a series of.
    Check(CheckSpec),
}

/// What a metric check has besides its expression.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckSpec {
    /// At least one of the two.
    pub warn: Option<Range>,
    pub crit: Option<Range>,
    /// Of the values, for people: `%`, `B`, `s`, ...
    pub unit: String,
    pub max_attempts: u16,
    pub remedy: String,
    pub parents: Vec<String>,
    /// When no result is too old a result; 0: as for every check, by the group's interval.
    pub ttl_ms: u64,
}

/// What an alerting rule has besides its expression.
#[derive(Clone, Debug)]
pub struct AlertSpec {
    pub for_ms: i64,
    pub keep_firing_for_ms: i64,
    pub annotations: Vec<(String, Template)>,
    pub no_data: NoData,
}

/// What becomes of an alert whose series has no data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoData {
    /// It stays as it is while its host is expected to be away or the collector has just started; else it ends, as in Prometheus.
    #[default]
    Hold,
    /// It ends, as in Prometheus.
    Ok,
    /// Missing data are as bad as what the rule asks for: the alert stays, or begins.
    Alert,
}

impl NoData {
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("hold", Self::Hold), ("ok", Self::Ok), ("alert", Self::Alert)];
}

/// An expression in one of the two languages.
#[derive(Clone, Debug)]
pub enum RuleExpr {
    Prom {
        query: Prepared,
        /// What it compares to a number: tells missing data from data that do not fit.
        compared: Option<Prepared>,
    },
    Log(PreparedLog),
}

impl RuleExpr {
    pub fn text(&self) -> &str {
        match self {
            Self::Prom { query, .. } => query.text(),
            Self::Log(query) => query.text(),
        }
    }

    /// The value of key `type`.
    pub fn language(&self) -> &'static str {
        match self {
            Self::Prom { .. } => "promql",
            Self::Log(_) => "logql",
        }
    }
}

impl Rule {
    pub fn alert(&self) -> Option<&AlertSpec> {
        match &self.kind {
            RuleKind::Alerting(spec) => Some(spec),
            RuleKind::Recording | RuleKind::Check(_) => None,
        }
    }

    pub fn check(&self) -> Option<&CheckSpec> {
        match &self.kind {
            RuleKind::Check(spec) => Some(spec),
            RuleKind::Recording | RuleKind::Alerting(_) => None,
        }
    }
}
