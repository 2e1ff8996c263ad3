//! Inhibition: an alert is not told while another one fires that says more.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;

use crate::alert::{AlertId, Held, HeldReason};
use muster_common::matcher_text::all_match;

/// While an alert fires that matches `source`, those that match `target` and have the same values of the labels `equal` are not told.
/// A label that both lack is equal.
#[derive(Clone, Debug)]
pub struct InhibitRule {
    pub source: Vec<Matcher>,
    pub target: Vec<Matcher>,
    pub equal: Vec<String>,
}

/// The firing sources of one rule that have the same values of its `equal`.
#[derive(Clone, Debug, Default)]
struct Sources {
    /// They are no targets of the rule.
    plain: BTreeSet<AlertId>,
    /// They are its targets too: such alerts do not inhibit each other, or none of two would be told.
    also_targets: BTreeSet<AlertId>,
}

/// Which alerts fire that inhibit others. It costs one look-up a rule to ask, however many fire.
#[derive(Clone, Debug)]
pub struct Inhibitor {
    rules: Vec<InhibitRule>,
    /// A map a rule, by the values of `equal`.
    sources: Vec<HashMap<Vec<String>, Sources>>,
    /// Labels of what was taken as a source, since those of a check's alert may change.
    known: HashMap<AlertId, LabelSet>,
}

impl InhibitRule {
    fn key(&self, labels: &LabelSet) -> Vec<String> {
        self.equal.iter().map(|name| labels.get(name).unwrap_or_default().to_owned()).collect()
    }
}

impl Inhibitor {
    pub fn new(rules: &[InhibitRule]) -> Self {
        Self { rules: rules.to_vec(), sources: vec![HashMap::new(); rules.len()], known: HashMap::new() }
    }

    /// An alert fires, or has other labels than before.
    pub fn fires(&mut self, id: AlertId, labels: &LabelSet) {
        if self.known.get(&id).is_some_and(|known| known == labels) {
            return;
        }
        self.ended(id);
        let mut is_source = false;
        for (rule, sources) in self.rules.iter().zip(&mut self.sources) {
            if all_match(&rule.source, labels) {
                is_source = true;
                let own = sources.entry(rule.key(labels)).or_default();
                let both = all_match(&rule.target, labels);
                if both {
                    own.also_targets.insert(id)
                } else {
                    own.plain.insert(id)
                };
            }
        }
        if is_source {
            self.known.insert(id, labels.clone());
        }
    }

    /// An alert does not fire any more; of one that is not known nothing follows.
    pub fn ended(&mut self, id: AlertId) {
        let Some(labels) = self.known.remove(&id) else { return };
        for (rule, sources) in self.rules.iter().zip(&mut self.sources) {
            if let Entry::Occupied(mut entry) = sources.entry(rule.key(&labels)) {
                entry.get_mut().plain.remove(&id);
                entry.get_mut().also_targets.remove(&id);
                if entry.get().plain.is_empty() && entry.get().also_targets.is_empty() {
                    entry.remove();
                }
            }
        }
    }

    /// The first rule that holds an alert, and the alert that fires.
    pub fn held(&self, target: &LabelSet) -> Option<Held> {
        self.rules.iter().zip(&self.sources).find_map(|(rule, sources)| {
            if sources.is_empty() || !all_match(&rule.target, target) {
                return None;
            }
            let own = sources.get(&rule.key(target))?;
            let also = own.also_targets.first().filter(|_| !all_match(&rule.source, target));
            let by = own.plain.first().or(also)?;
            Some(Held { why: HeldReason::Inhibited, by: by.to_string(), until_ms: None })
        })
    }
}

/// Whether one of the firing alerts inhibits `target`. For many questions keep an [`Inhibitor`].
pub fn inhibits<'a>(
    rules: &[InhibitRule],
    target: &LabelSet,
    firing: impl Iterator<Item = (AlertId, &'a LabelSet)>,
) -> Option<Held> {
    let mut inhibitor = Inhibitor::new(rules);
    for (id, labels) in firing {
        inhibitor.fires(id, labels);
    }
    inhibitor.held(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::matcher_text::read_matchers;

    fn labels(text: &str) -> LabelSet {
        LabelSet::new(text.split_whitespace().map(|pair| pair.split_once('=').unwrap())).unwrap()
    }

    fn rule(source: &str, target: &str, equal: &[&str]) -> InhibitRule {
        InhibitRule {
            source: read_matchers(source).unwrap(),
            target: read_matchers(target).unwrap(),
            equal: equal.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn held(rules: &[InhibitRule], target: &str, firing: &[&str]) -> Option<String> {
        let firing: Vec<LabelSet> = firing.iter().map(|text| labels(text)).collect();
        let named = firing.iter().map(|own| (AlertId::of_labels(own), own));
        let by = inhibits(rules, &labels(target), named)?.by;
        firing.iter().find(|own| AlertId::of_labels(own).to_string() == by).map(|own| own.get("n").unwrap().to_owned())
    }

    #[test]
    fn a_source_that_fires_holds_targets_with_equal_labels() {
        let rules = [rule("severity=critical", "severity=~\"warning|info\"", &["host", "site"])];
        let firing =
            ["n=1 severity=critical host=a", "n=2 severity=critical host=b site=x", "n=3 severity=info host=c"];
        assert_eq!(held(&rules, "n=4 severity=warning host=a", &firing).as_deref(), Some("1"));
        assert_eq!(held(&rules, "n=4 severity=warning host=b", &firing), None, "another site");
        assert_eq!(held(&rules, "n=4 severity=warning host=b site=x", &firing).as_deref(), Some("2"));
        assert_eq!(held(&rules, "n=4 severity=critical host=a", &firing), None, "no target");
        assert_eq!(held(&rules, "n=4 severity=warning host=c", &firing), None, "no source");
        assert_eq!(held(&[], "n=4", &firing), None);
    }

    #[test]
    fn what_is_source_and_target_is_not_held_by_its_like() {
        let rules = [rule("kind=x", "kind=~\"x|y\"", &["host"])];
        assert_eq!(held(&rules, "n=1 kind=x host=a", &["n=1 kind=x host=a"]), None, "itself");
        assert_eq!(held(&rules, "n=1 kind=x host=a", &["n=1 kind=x host=a", "n=2 kind=x host=a"]), None);
        assert_eq!(held(&rules, "n=3 kind=y host=a", &["n=1 kind=x host=a"]).as_deref(), Some("1"));
        let rules = [rule("kind=~\"x|z\"", "kind=~\"x|y\"", &[])];
        assert_eq!(held(&rules, "n=1 kind=x", &["n=1 kind=x", "n=2 kind=z"]).as_deref(), Some("2"));
    }

    #[test]
    fn ends_and_changed_labels_are_followed() {
        let mut inhibitor = Inhibitor::new(&[rule("severity=critical", "severity=warning", &["host"])]);
        let target = labels("severity=warning host=a");
        let id = AlertId(7);
        inhibitor.fires(id, &labels("severity=critical host=a"));
        assert_eq!(inhibitor.held(&target).map(|held| held.by), Some(id.to_string()));
        inhibitor.fires(id, &labels("severity=critical host=b"));
        assert_eq!(inhibitor.held(&target), None);
        inhibitor.fires(id, &labels("severity=critical host=a"));
        inhibitor.ended(id);
        inhibitor.ended(id);
        assert_eq!((inhibitor.held(&target), inhibitor.known.len(), inhibitor.sources[0].len()), (None, 0, 0));
    }

    /// As many as a bad day of the largest fleet has: each question looks at one entry, so that this ends at once.
    #[test]
    fn ten_thousand_firing_alerts_are_asked_of_one_by_one() {
        let mut inhibitor = Inhibitor::new(&[rule("severity=critical", "severity=warning", &["host"])]);
        for host in 0..10_000 {
            inhibitor.fires(AlertId(host), &labels(&format!("severity=critical host=h{host}")));
        }
        for host in (0..20_000).step_by(2) {
            let expected = (host < 10_000).then(|| AlertId(host).to_string());
            let held = inhibitor.held(&labels(&format!("severity=warning host=h{host}")));
            assert_eq!(held.map(|held| held.by), expected, "h{host}");
        }
    }

    /// The plain way over all alerts says the same.
    #[test]
    fn the_index_says_what_looking_at_all_says() {
        let rules = [rule("s=~\"a|b\"", "t=~\"a|b\"", &["e"]), rule("s=c", "t!=\"\"", &["e", "f"])];
        let mut random = 3u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let mut some = 0;
        for _ in 0..500 {
            let mut all = Vec::new();
            for n in 0..6 {
                let pick = ["a", "b", "c", ""];
                let one = |index: u64| pick[index as usize];
                let (s, t, e, f) = (next(4), next(4), next(3), next(2));
                let pairs = [("n", &*n.to_string()), ("s", one(s)), ("t", one(t)), ("e", one(e)), ("f", one(f))];
                all.push(LabelSet::new(pairs).unwrap());
            }
            let (target, firing) = all.split_first().unwrap();
            let same =
                |rule: &InhibitRule, own: &LabelSet| rule.equal.iter().all(|name| own.get(name) == target.get(name));
            let expected = rules.iter().any(|rule| {
                let both = all_match(&rule.source, target);
                all_match(&rule.target, target)
                    && firing.iter().any(|own| {
                        all_match(&rule.source, own) && same(rule, own) && !(both && all_match(&rule.target, own))
                    })
            });
            let named = firing.iter().map(|own| (AlertId::of_labels(own), own));
            assert_eq!(inhibits(&rules, target, named).is_some(), expected, "{target} {firing:?}");
            some += usize::from(expected);
        }
        assert!(some > 50, "{some}");
    }
}
