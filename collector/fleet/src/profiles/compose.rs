//! The configuration document of one host, of the profiles in force on it and of extra pieces. Pure: equal inputs, equal bytes.

use std::collections::BTreeMap;

use muster_common::wire::message::Configuration;
use serde_json::{Map, Value};

use super::bounds::{
    CONFIGURATION_BYTES_MAX, CONFIGURATION_CHECKS_MAX, CONFIGURATION_LOGS_MAX, CONFIGURATION_PROBLEMS_MAX, PROFILES_MAX,
};
use super::document::Accept;
use super::reader::shown;
use super::selector::{Host, Judged};
use super::set::Set;
use super::toml_text::write_table;

/// What makes documents equal, as agents compute it: xxh3-128 of the bytes, big-endian; zeros of an empty one.
pub type ConfigurationDigest = [u8; 16];

/// What something other than profiles adds to a host's document: accepted finds of discovery.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// What it comes from, in a few words.
    pub origin: String,
    /// Each the keys of one `[[logs]]`.
    pub logs: Vec<Value>,
    /// Each the keys of one `[[checks]]`.
    pub checks: Vec<Value>,
}

/// The document of one host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Composed {
    /// TOML: `[[logs]]` and `[[checks]]`; empty where nothing is in force.
    pub document: String,
    pub digest: ConfigurationDigest,
    /// Profiles in force, with those that they include, by name.
    pub profiles: Vec<String>,
    /// Profiles that fit, by name. Those that are not in force are proposed.
    pub fits: Vec<String>,
    /// Each check, and the profile or piece that it comes from.
    pub checks: Vec<(String, String)>,
    pub problems: Vec<String>,
}

impl Composed {
    /// Profiles that fit and are not in force.
    pub(super) fn proposed(&self) -> Vec<String> {
        self.fits.iter().filter(|name| !self.profiles.contains(name)).cloned().collect()
    }
}

/// Composes the document of a host. `assigned`: names of profiles, whether they fit or not.
pub(super) fn compose(
    set: &Set,
    host: &Host<'_>,
    assigned: &[String],
    pieces: &[Piece],
    judged: &mut Judged,
) -> Composed {
    let mut composed = Composed::default();
    let mut roots: Vec<&str> = Vec::new();
    for (name, (_, profile)) in &set.effective {
        let fits = profile.selector.as_ref().is_some_and(|selector| selector.fits(host, judged));
        if assigned.contains(name) || fits && profile.accept == Accept::Auto {
            roots.push(name);
        }
        composed.fits.extend(fits.then(|| name.clone()));
    }
    let missing = assigned.iter().filter(|name| !set.effective.contains_key(*name));
    composed.problems.extend(
        missing.map(|name| format!("profile `{name}` is assigned, and there is none of this name: unassign it")),
    );
    let (mut writing, mut names, mut others) = (Writing::default(), Vec::new(), 0);
    for name in set.with_included(roots) {
        composed.profiles.push(name.to_owned());
        if let Some(profile) = set.profile(name)
            && writing.add(&format!("profile {name}"), &profile.logs, &profile.checks)
        {
            names.push(name);
        }
    }
    let mut sorted: Vec<&Piece> = pieces.iter().collect();
    sorted.sort_by(|one, two| one.origin.cmp(&two.origin));
    for piece in sorted {
        others += usize::from(writing.add(&shown(&piece.origin), &piece.logs, &piece.checks));
    }
    composed.problems.extend(writing.problems);
    composed.problems.truncate(CONFIGURATION_PROBLEMS_MAX);
    composed.checks = writing.checks.into_iter().map(|(name, (origin, _))| (name, origin)).collect();
    if !writing.text.is_empty() {
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let others = if others > 0 { format!("; and of {others} other pieces") } else { String::new() };
        composed.document = format!("# Composed by the collector of the profiles {names}{others}\n{}", writing.text);
    }
    composed.digest = Configuration::digest_of(&composed.document);
    composed
}

/// Room for the first line: 200 names of 63 bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
const _: () = assert!(PROFILES_MAX * 65 + 128 < HEAD_BYTES_MAX);

#[derive(Default)]
struct Writing {
    text: String,
    checks: BTreeMap<String, (String, Map<String, Value>)>,
    logs: Vec<Map<String, Value>>,
    problems: Vec<String>,
}

impl Writing {
    /// Adds what one origin brings, all of it or nothing. The first check of a name wins. The answer is whether anything is written.
    fn add(&mut self, origin: &str, logs: &[Value], checks: &[Value]) -> bool {
        let (mut text, mut problems) = (format!("\n# {origin}\n"), Vec::new());
        let mut new_logs: Vec<Map<String, Value>> = Vec::new();
        for group in logs.iter().filter_map(Value::as_object) {
            if !self.logs.contains(group) && !new_logs.contains(group) {
                write_table("logs", group, &mut text);
                new_logs.push(group.clone());
            }
        }
        let mut new_checks: Vec<(String, Map<String, Value>)> = Vec::new();
        for check in checks.iter().filter_map(Value::as_object) {
            let Some(name) = check.get("name").and_then(Value::as_str) else {
                problems.push(format!("{origin}: a check without a name is left out"));
                continue;
            };
            let own = new_checks.iter().find(|(other, _)| other == name).map(|(_, check)| (origin, check));
            let other = self.checks.get(name).map(|(origin, check)| (origin.as_str(), check));
            match other.or(own) {
                None => {
                    write_table("checks", check, &mut text);
                    new_checks.push((name.to_owned(), check.clone()));
                }
                Some((_, same)) if same == check => {}
                Some((first, _)) => problems.push(format!(
                    "check `{}` of {origin} is left out: {first} has another of this name; give one of the two another name",
                    shown(name)
                )),
            }
        }
        if let Some(too_much) = self.too_much(origin, &text, new_logs.len(), new_checks.len()) {
            self.problems.push(too_much);
            return false;
        }
        self.problems.append(&mut problems);
        if new_logs.is_empty() && new_checks.is_empty() {
            return false;
        }
        self.text.push_str(&text);
        self.logs.append(&mut new_logs);
        self.checks.extend(new_checks.into_iter().map(|(name, check)| (name, (origin.to_owned(), check))));
        true
    }

    fn too_much(&self, origin: &str, text: &str, logs: usize, checks: usize) -> Option<String> {
        let left_out = |what: String| format!("{origin} is left out: with it {what}; let fewer profiles fit this host");
        if self.text.len() + text.len() > CONFIGURATION_BYTES_MAX - HEAD_BYTES_MAX {
            return Some(left_out(format!("the document would have more than {CONFIGURATION_BYTES_MAX} bytes")));
        }
        if self.checks.len() + checks > CONFIGURATION_CHECKS_MAX {
            return Some(left_out(format!("there would be more than {CONFIGURATION_CHECKS_MAX} checks")));
        }
        if self.logs.len() + logs > CONFIGURATION_LOGS_MAX {
            return Some(left_out(format!("there would be more than {CONFIGURATION_LOGS_MAX} groups of log files")));
        }
        None
    }
}
