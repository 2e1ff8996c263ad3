//! What a change of the set would do, found out without doing it.

use std::collections::BTreeSet;
use std::sync::Arc;

use muster_common::host::HostId;

use super::bounds::{CONFIGURATION_PROBLEMS_MAX, PLAN_HOSTS_MAX};
use super::change::{ProfileChange, prepared};
use super::diff::unified;
use super::selector::Judged;
use crate::error::FleetError;
use crate::fleet::Fleet;

/// What a change would do. Nothing of it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The version that it was made over, to be given to [`Fleet::apply_profiles`].
    pub base: u64,
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    /// Hosts that get another document than they have now.
    pub hosts: u64,
    /// Some of them, by name.
    pub shown: Vec<PlannedHost>,
    /// Names of hosts of these that do not take configurations: their agent is older, or their own file says so.
    pub unable: Vec<String>,
    /// Names of profiles whose rules are otherwise then.
    pub rules: Vec<String>,
    /// The rule files as they would be, for crate alert to judge: name and text.
    pub rule_files: Vec<(String, String)>,
    /// What would be left out of hosts' documents, and why.
    pub problems: Vec<String>,
}

/// A host whose document changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedHost {
    pub host: HostId,
    pub name: String,
    /// As `diff -u` has it, of at most 400 lines.
    pub diff: String,
}

impl Fleet {
    /// What a change would do. Every host is composed twice, 0.6 ms each.
    ///
    /// # Errors
    /// [`FleetError::Profiles`] with every mistake of every document.
    pub fn plan_profiles(&self, change: &ProfileChange) -> Result<Plan, FleetError> {
        let before = self.current_set();
        let after = Arc::new(prepared(&before, change)?);
        let (added, changed, removed) = before.differences(&after);
        let mut plan = Plan { base: before.row.version, added, changed, removed, ..Plan::default() };
        if before.row.profiles == after.row.profiles {
            plan.rule_files = self.profile_rules().1;
            return Ok(plan);
        }
        let world = self.world(None);
        let sessions = self.profiles.lock().sessions.clone();
        let mut judged = Judged::default();
        let mut in_force = BTreeSet::new();
        for subject in &world.subjects {
            let host = subject.row.id;
            let set = self.profiles.lock().set_of(host);
            let (old, new) = (world.compose(&set, subject, &mut judged), world.compose(&after, subject, &mut judged));
            let told = new.problems.iter().filter(|problem| !old.problems.contains(problem));
            let room = CONFIGURATION_PROBLEMS_MAX.saturating_sub(plan.problems.len());
            plan.problems.extend(told.take(room).map(|problem| format!("host `{}`: {problem}", subject.row.name)));
            in_force.extend(new.profiles);
            if old.digest == new.digest {
                continue;
            }
            plan.hosts += 1;
            if sessions.get(&host) == Some(&false) {
                plan.unable.push(subject.row.name.clone());
            }
            plan.shown.push(PlannedHost { host, name: subject.row.name.clone(), diff: String::new() });
        }
        plan.shown.sort_by(|one, two| one.name.cmp(&two.name));
        plan.shown.truncate(PLAN_HOSTS_MAX);
        for one in &mut plan.shown {
            let Some(subject) = world.subjects.iter().find(|subject| subject.row.id == one.host) else { continue };
            let set = self.profiles.lock().set_of(subject.row.id);
            one.diff = unified(
                &world.compose(&set, subject, &mut judged).document,
                &world.compose(&after, subject, &mut judged).document,
            );
        }
        plan.rule_files = after.rules(&in_force);
        let old_rules = self.profile_rules().1;
        let names = old_rules.iter().chain(&plan.rule_files).map(|(name, _)| name);
        plan.rules =
            names.filter(|name| text_of(&old_rules, name) != text_of(&plan.rule_files, name)).cloned().collect();
        plan.rules.sort();
        plan.rules.dedup();
        Ok(plan)
    }
}

fn text_of<'a>(rules: &'a [(String, String)], name: &str) -> Option<&'a str> {
    rules.iter().find(|(own, _)| own == name).map(|(_, text)| text.as_str())
}
