//! Profiles, configurations and roll-outs as others see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::stat::Stat;
use xxhash_rust::xxh3::Xxh3;

use super::book::{Entry, ProfileVersion};
use super::compose::ConfigurationDigest;
use super::document::Accept;
use super::reader::shown;
use super::rollout::{ConfigurationWord, Rollout};
use super::rows::unpack_set;
use super::selector::Judged;
use super::set::{ProfileSet, ProfileSource};
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::tables::PROFILE_SETS;

/// A profile, one of each name and source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileView {
    pub name: String,
    pub source: ProfileSource,
    /// Of a file, its path; else empty.
    pub file: String,
    pub description: String,
    pub accept: Accept,
    pub has_selector: bool,
    pub include: Vec<String>,
    pub logs: u64,
    pub checks: u64,
    pub has_rules: bool,
    /// Sources whose profile of this name it hides.
    pub hides: Vec<ProfileSource>,
    /// The source whose profile of this name hides it; `None`: it counts.
    pub hidden_by: Option<ProfileSource>,
    /// Hosts that it is in force on, by itself, by hand or included; 0 of a hidden one.
    pub hosts: u64,
    /// Hosts that its selector fits, in force there or not.
    pub fits: u64,
    /// Hosts that it is assigned to by hand.
    pub assigned: u64,
    /// The document, YAML.
    pub text: String,
    /// Why this collector cannot use it, though an earlier one could; empty: it can.
    pub problem: String,
    /// The version of the set that this is of.
    pub version: u64,
}

/// The configuration of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationView {
    /// Of the document that it is to have; 0: none was ever offered.
    pub number: u64,
    pub digest: ConfigurationDigest,
    /// TOML; empty: none.
    pub document: String,
    /// The version of the set that it is composed of.
    pub version: u64,
    /// In force, with those that they include.
    pub profiles: Vec<String>,
    /// Those that fit and are only proposed.
    pub proposed: Vec<String>,
    /// Each check, and the profile or piece that it comes from.
    pub checks: Vec<(String, String)>,
    /// What was left out, and why.
    pub problems: Vec<String>,
    /// Why it was set back to what it has; empty: it was not.
    pub set_back: String,
    /// What it told last; `None`: nothing yet.
    pub told: Option<ToldView>,
    /// Whether its agent takes configurations; `None`: it is not connected.
    pub reads: Option<bool>,
}

/// What a host told of its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldView {
    pub word: ConfigurationWord,
    /// Zeros: none.
    pub in_force: ConfigurationDigest,
    pub offered: ConfigurationDigest,
    pub problems: Vec<String>,
    pub ms: i64,
}

impl Fleet {
    /// Every profile of the version that holds, by name, then source; counts are those of the last time each host was composed.
    pub fn profiles(&self) -> Vec<ProfileView> {
        let (mut in_force, mut fits, mut assigned) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let count = |counts: &mut BTreeMap<String, u64>, name: &String| *counts.entry(name.clone()).or_default() += 1;
        let book = self.profiles.lock();
        for kept in book.hosts.values().filter_map(|entry| entry.kept.as_ref()) {
            kept.profiles.iter().for_each(|name| count(&mut in_force, name));
            kept.fits.iter().for_each(|name| count(&mut fits, name));
        }
        book.assignments.values().flat_map(BTreeMap::keys).for_each(|name| count(&mut assigned, name));
        let set = Arc::clone(&book.current);
        drop(book);
        let view = |(place, text): (usize, &super::set::ProfileText)| {
            let counts = set.effective.get(&text.name).filter(|(own, _)| *own == place);
            let same = || set.row.profiles.iter().filter(|other| other.name == text.name);
            let of = |counts: &BTreeMap<String, u64>, is: bool| {
                if is { counts.get(&text.name).copied().unwrap_or(0) } else { 0 }
            };
            // A hidden one is read again: it is shown, and nothing else is made of it.
            let mut unused = super::mistake::ProfileMistakes::default();
            let read = super::document::read_file("", &text.text, &mut unused).pop().map(|read| read.profile);
            ProfileView {
                name: text.name.clone(),
                source: text.source,
                file: text.file.clone(),
                description: read.as_ref().map(|read| read.description.clone()).unwrap_or_default(),
                accept: read.as_ref().map(|read| read.accept).unwrap_or_default(),
                has_selector: read.as_ref().is_some_and(|read| read.selector.is_some()),
                include: read.as_ref().map(|read| read.include.clone()).unwrap_or_default(),
                logs: read.as_ref().map_or(0, |read| read.logs.len() as u64),
                checks: read.as_ref().map_or(0, |read| read.checks.len() as u64),
                has_rules: read.as_ref().is_some_and(|read| read.rules.is_some()),
                hides: same().filter(|other| other.source < text.source).map(|other| other.source).collect(),
                hidden_by: same().map(|other| other.source).filter(|source| *source > text.source).max(),
                hosts: of(&in_force, counts.is_some()),
                fits: of(&fits, counts.is_some()),
                assigned: of(&assigned, counts.is_some()),
                text: text.text.clone(),
                problem: set.broken.get(&place).cloned().unwrap_or_default(),
                version: set.row.version,
            }
        };
        set.row.profiles.iter().enumerate().map(view).collect()
    }

    /// The configuration of a host. Composed anew, so that each check's origin is known; `None`: no active host has this id.
    pub fn configuration_view(&self, host: HostId) -> Option<ConfigurationView> {
        let world = self.world(Some(&BTreeSet::from([host])));
        let subject = world.subjects.first()?;
        let (set, row, reads) = {
            let book = self.profiles.lock();
            let row = book.hosts.get(&host).map(|entry| entry.row.clone()).unwrap_or_default();
            (book.set_of(host), row, book.sessions.get(&host).copied())
        };
        let composed = world.compose(&set, subject, &mut Judged::default());
        let told = row.told.map(|told| ToldView {
            word: told.word,
            in_force: told.in_force,
            offered: told.offered,
            problems: told.problems,
            ms: told.ms,
        });
        Some(ConfigurationView {
            number: row.number,
            digest: composed.digest,
            proposed: composed.proposed(),
            document: composed.document,
            version: set.row.version,
            profiles: composed.profiles,
            checks: composed.checks,
            problems: composed.problems,
            set_back: row.problem,
            told,
            reads,
        })
    }

    /// Hosts of whose document something was left out, and why.
    pub fn configuration_problems(&self) -> Vec<(HostId, Vec<String>)> {
        let book = self.profiles.lock();
        let kept = book.hosts.iter().filter_map(|(host, entry)| Some((*host, entry.kept.as_ref()?.problems.clone())));
        kept.filter(|(_, problems)| !problems.is_empty()).collect()
    }

    /// Roll-outs, newest first, at most 50. The first one may be open.
    pub fn rollouts(&self) -> Vec<Rollout> {
        self.profiles.lock().rollouts.values().rev().cloned().collect()
    }

    /// Versions that are kept, newest first: the last 50 and those that hosts are still on.
    pub fn profile_versions(&self) -> Vec<ProfileVersion> {
        self.profiles.lock().versions.values().rev().cloned().collect()
    }

    /// All profiles of a version.
    ///
    /// # Errors
    /// [`FleetError::NoProfileVersion`]; when the disk or the file fails, or the row is damaged.
    pub fn profiles_at(&self, version: u64) -> Result<ProfileSet, FleetError> {
        self.scan(|reading| {
            let key = version.to_be_bytes();
            let bytes = reading.value(PROFILE_SETS, &key)?.ok_or(FleetError::NoProfileVersion { version })?;
            unpack_set(&bytes).map_err(|what| reading.damage(PROFILE_SETS, &key, what))
        })
    }

    /// The profiles that the API has, as one YAML text; applied again it changes nothing.
    pub fn export_profiles(&self) -> String {
        let set = self.current_set();
        let own = set.row.profiles.iter().filter(|text| text.source == ProfileSource::Api);
        own.map(|text| format!("---\n{}", text.text)).collect()
    }

    /// Rule files of profiles, (name, text), for crate alert: of profiles that are in force on some host, and of all that accept themselves. The number
    /// is another when they are.
    pub fn profile_rules(&self) -> (u64, Vec<(String, String)>) {
        let (set, in_force) = {
            let book = self.profiles.lock();
            let kept = book.hosts.values().filter_map(|entry| entry.kept.as_ref());
            let names: BTreeSet<String> = kept.flat_map(|kept| &kept.profiles).cloned().collect();
            (Arc::clone(&book.current), names)
        };
        let rules = set.rules(&in_force);
        let mut hasher = Xxh3::new();
        for (name, text) in &rules {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        (hasher.digest(), rules)
    }

    /// One profile's document, as it counts.
    ///
    /// # Errors
    /// [`FleetError::NoProfile`].
    pub fn profile_text(&self, name: &str) -> Result<String, FleetError> {
        let set = self.current_set();
        let place = set.effective.get(name).map(|(place, _)| *place);
        let text = place.and_then(|place| set.row.profiles.get(place)).map(|own| own.text.clone());
        text.ok_or_else(|| FleetError::NoProfile { name: shown(name) })
    }

    /// Numbers of profiles and configurations.
    pub(crate) fn profile_stats(&self) -> Vec<Stat> {
        let book = self.profiles.lock();
        let open = book.rollouts.values().find(|row| row.state.is_open());
        let is = |state| f64::from(open.is_some_and(|row| row.state == state));
        let (running, stopped) = (super::rollout::RolloutState::Running, super::rollout::RolloutState::Stopped);
        let rollouts = "Open roll-outs of profiles by state: alert on one that is stopped.";
        let set_back = book.hosts.values().filter(|entry| !entry.row.problem.is_empty()).count();
        let is_broken = |entry: &&Entry| entry.row.told.as_ref().is_some_and(|told| told.has_failed(entry.row.digest));
        let broken = book.hosts.values().filter(is_broken).count();
        vec![
            Stat::gauge("muster_collector_profiles", "Profiles that count.", book.current.effective.len() as f64),
            Stat::gauge(
                "muster_collector_profiles_version",
                "The version of the profiles.",
                book.current.row.version as f64,
            ),
            Stat::gauge("muster_collector_rollouts_open", rollouts, is(running)).with("state", "running"),
            Stat::gauge("muster_collector_rollouts_open", rollouts, is(stopped)).with("state", "stopped"),
            Stat::gauge(
                "muster_collector_configurations_set_back",
                "Hosts that keep an older configuration, since the newest one broke there.",
                set_back as f64,
            ),
            Stat::gauge(
                "muster_collector_configurations_broken",
                "Hosts that refused or reverted the configuration that they are to have.",
                broken as f64,
            ),
            Stat::counter(
                "muster_collector_configurations_composed_total",
                "Documents composed for hosts.",
                book.composed,
            ),
            Stat::counter(
                "muster_collector_configurations_failed_total",
                "Hosts that were set back to the configuration before.",
                book.failed,
            ),
        ]
    }
}
