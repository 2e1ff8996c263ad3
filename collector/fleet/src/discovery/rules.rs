//! Rules that decide of proposals by themselves: ordered by name, the first that matches.
//!
//! They stand in table `discovery_rules`, or in files that are read with the configuration; a file's hides one of the same name. A proposal that
//! waits is judged anew whenever a rule changes, so none waits that a rule would decide.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_common::matcher::Matcher;
use muster_common::matcher_text::{all_match_by, read_matchers};
use muster_common::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::kinds::{self, What, kind_name};
use crate::by::By;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::outbox::{Event, EventKind};

/// Rules of one collector: one for each role and kind, and some hosts.
pub const DISCOVERY_RULES_MAX: usize = 200;
const NAME_BYTES_MAX: usize = 63;
const MATCHERS_BYTES_MAX: usize = 1_024;
/// Proposals that a test tells by name; the others are counted.
const TOLD_MAX: usize = 20;

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    Accept,
    Ignore,
}

impl RuleAction {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Ignore => "ignore",
        }
    }
}

/// A rule as somebody writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    pub name: String,
    /// Of which kind items must be; empty: of any.
    #[serde(default)]
    pub kind: String,
    /// Over `key`, `kind` and the fields of the kind: `port=~"80|443",process="nginx"`. Empty: all.
    #[serde(default)]
    pub items: String,
    /// Over `host` and the host's labels: `role=web`. Empty: all.
    #[serde(default)]
    pub hosts: String,
    pub action: RuleAction,
}

/// One as it is kept: table `discovery_rules`, key its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryRule {
    pub rule: RuleSpec,
    pub by: String,
    pub made_ms: i64,
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSource {
    Api,
    /// In this file, so it is changed there and not over the API.
    File(String),
}

/// A rule as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleView {
    pub rule: RuleSpec,
    pub source: RuleSource,
    /// A file has one of the same name, which counts.
    pub is_hidden: bool,
    /// Who made it; empty: whoever wrote the file.
    pub by: String,
    /// 0: not known.
    pub made_ms: i64,
}

/// The proposals that wait and a rule would decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleMatches {
    pub items: u64,
    pub hosts: u64,
    /// Of these the first: the host's name, the item's key, and what it is.
    pub first: Vec<(String, String, String)>,
}

/// A rule that can be asked.
#[derive(Clone, Debug)]
pub(crate) struct ReadRule {
    pub(crate) spec: RuleSpec,
    items: Vec<Matcher>,
    hosts: Vec<Matcher>,
}

/// The rules of all files, to be put in force at once.
#[derive(Clone, Debug, Default)]
pub struct FileRules(pub(crate) BTreeMap<String, (String, Arc<ReadRule>)>);

/// Those that count, by name.
pub(crate) type RuleSet = BTreeMap<String, Arc<ReadRule>>;

impl ReadRule {
    /// The error says what is wrong, and what to do.
    pub(crate) fn new(spec: RuleSpec) -> Result<Self, String> {
        check_rule_name(&spec.name)?;
        let kind = match spec.kind.as_str() {
            "" => None,
            name => Some(kinds::kind(name).ok_or_else(|| {
                let names: Vec<&str> = kinds::KINDS.iter().map(|kind| kind.name).collect();
                format!("there is no kind `{}`: write one of {}", kinds::clean(name), names.join(", "))
            })?),
        };
        if spec.items.len().max(spec.hosts.len()) > MATCHERS_BYTES_MAX {
            return Err(format!("its matchers are longer than {MATCHERS_BYTES_MAX} bytes: shorten them"));
        }
        let read = |what: &str, text: &str| {
            read_matchers(text).map_err(|error| format!("its matchers of {what} cannot be read: {error}"))
        };
        let (items, hosts) = (read("items", &spec.items)?, read("hosts", &spec.hosts)?);
        let fields: Vec<&str> = match kind {
            Some(kind) => kind.fields.to_vec(),
            None => kinds::KINDS.iter().flat_map(|kind| kind.fields).copied().collect(),
        };
        let is_known = |name: &str| name == "key" || name == "kind" || fields.contains(&name);
        if let Some(matcher) = items.iter().find(|matcher| !is_known(&matcher.name)) {
            let (name, mut known) = (kinds::clean(&matcher.name), fields);
            known.sort_unstable();
            known.dedup();
            return Err(format!("no item has a field `{name}`: match key, kind, {}", known.join(", ")));
        }
        if kind.is_none() && items.is_empty() && hosts.is_empty() {
            return Err("it matches everything on all hosts: give a kind, matchers of items, or of hosts".to_owned());
        }
        Ok(Self { spec, items, hosts })
    }

    pub(crate) fn is_about(&self, what: &What, host: &str, labels: &BTreeMap<String, String>) -> bool {
        let kind = kind_name(&what.key);
        let field = |name: &str| match name {
            "key" => Some(what.key.as_str()),
            "kind" => Some(kind),
            name => Some(what.value(name)),
        };
        let label = |name: &str| if name == "host" { Some(host) } else { labels.get(name).map(String::as_str) };
        (self.spec.kind.is_empty() || self.spec.kind == kind)
            && all_match_by(&self.items, field)
            && all_match_by(&self.hosts, label)
    }
}

/// The first rule that decides of this.
pub(crate) fn first_rule<'r>(
    rules: &'r RuleSet,
    what: &What,
    (host, labels): (&str, &BTreeMap<String, String>),
) -> Option<&'r RuleSpec> {
    rules.values().find(|rule| rule.is_about(what, host, labels)).map(|rule| &rule.spec)
}

fn check_rule_name(name: &str) -> Result<(), String> {
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_letter = |byte: u8| is_first(byte) || b"_.-".contains(&byte);
    let is_good =
        name.len() <= NAME_BYTES_MAX && name.bytes().next().is_some_and(is_first) && name.bytes().all(is_letter);
    is_good.then_some(()).ok_or_else(|| {
        format!(
            "its name is none: lower-case letters, digits, `_`, `.` and `-` are allowed, the first being a letter or digit, {NAME_BYTES_MAX} at most"
        )
    })
}

fn refused(why: String) -> FleetError {
    FleetError::StatusSpec { what: "the rule", why }
}

impl Fleet {
    /// All rules, by name; where a file hides one, the file's first.
    pub fn discovery_rules(&self) -> Vec<RuleView> {
        self.discovery.lock().rule_views()
    }

    /// Which of the proposals that wait this rule would decide; nothing is changed.
    ///
    /// # Errors
    /// [`FleetError::StatusSpec`] says what is wrong with it.
    pub fn test_discovery_rule(&self, spec: RuleSpec) -> Result<RuleMatches, FleetError> {
        let rule = ReadRule::new(spec).map_err(refused)?;
        let memory = self.memory.read();
        let mut matches = RuleMatches::default();
        for (host, items) in self.discovery.lock().hosts() {
            let Some(row) = memory.host(host).filter(|row| row.state == HostState::Active) else { continue };
            let before = matches.items;
            for item in items.proposed().filter(|item| rule.is_about(&item.what, &row.name, &row.labels)) {
                matches.items += 1;
                if matches.first.len() < TOLD_MAX {
                    matches.first.push((row.name.clone(), item.what.key.clone(), item.what.words()));
                }
            }
            matches.hosts += u64::from(matches.items > before);
        }
        Ok(matches)
    }

    /// Makes a rule, or gives it in place of the one of its name. What waits is judged anew at once, of many hosts with the next calls of
    /// [`Fleet::discover`]. The answer has what it matched.
    ///
    /// # Errors
    /// [`FleetError::StatusSpec`] says what is wrong with it; [`FleetError::RuleOfFile`]; when the disk or the file fails.
    pub fn put_discovery_rule(
        &self,
        spec: RuleSpec,
        by: &By,
        now: Timestamp,
    ) -> Result<(DiscoveryRule, RuleMatches), FleetError> {
        let matches = self.test_discovery_rule(spec.clone())?;
        let rule = self.change(|_, draft| {
            let discovery = self.discovery.lock();
            discovery.own_name(&spec.name)?;
            if discovery.api_rules() >= DISCOVERY_RULES_MAX && discovery.api_rule(&spec.name).is_none() {
                return Err(refused(format!("there are {DISCOVERY_RULES_MAX} rules, which is the most: remove some")));
            }
            let rule = DiscoveryRule { rule: spec, by: by.to_string(), made_ms: now.millis() };
            let text = format!(
                "set the rule `{}` of discovery: {}; {} proposals of {} hosts match now",
                rule.rule.name,
                words(&rule.rule),
                matches.items,
                matches.hosts
            );
            let event = Event::new(EventKind::DiscoveryRuleSet, by, now, text).with("object", rule.rule.name.as_str());
            draft.events.push(event.with("items", matches.items.to_string()));
            draft.discovery.rules.insert(rule.rule.name.clone(), Some(rule.clone()));
            Ok(rule)
        })?;
        self.discover(now)?;
        Ok((rule, matches))
    }

    /// Removes a rule. What it decided stays.
    ///
    /// # Errors
    /// [`FleetError::NoDiscoveryRule`], [`FleetError::RuleOfFile`]; when the disk or the file fails.
    pub fn remove_discovery_rule(&self, name: &str, by: &By, now: Timestamp) -> Result<DiscoveryRule, FleetError> {
        self.change(|_, draft| {
            let discovery = self.discovery.lock();
            let Some(rule) = discovery.api_rule(name).cloned() else {
                discovery.own_name(name)?;
                return Err(FleetError::NoDiscoveryRule { name: kinds::clean(name) });
            };
            let text = format!("removed the rule `{name}` of discovery: {}", words(&rule.rule));
            draft.events.push(Event::new(EventKind::DiscoveryRuleRemoved, by, now, text).with("object", name));
            draft.discovery.rules.insert(name.to_owned(), None);
            Ok(rule)
        })
    }

    /// Puts the rules of files in force, in place of those before. What waits is judged anew with the next calls of [`Fleet::discover`].
    pub fn set_discovery_files(&self, rules: FileRules) {
        self.discovery.lock().set_files(rules);
    }
}

/// `accept ports with port="80" on hosts with role="web"`.
fn words(rule: &RuleSpec) -> String {
    let many = kinds::kind(&rule.kind).map_or("items", |kind| kind.many);
    let with = |before: &str, text: &str| {
        if text.trim().is_empty() { String::new() } else { format!(" {before} {}", kinds::clean(text)) }
    };
    format!("{} {many}{}{}", rule.action.as_str(), with("with", &rule.items), with("on hosts with", &rule.hosts))
}

#[cfg(test)]
mod tests;
