//! A version of all profiles: their documents, which of them count, and what one set differs from another by. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bounds::{MISTAKES_MAX, PROFILES_MAX, SET_BYTES_MAX};
use super::document::{Accept, Profile, read_file};
use super::mistake::{ProfileMistake, ProfileMistakes};

/// Where a profile comes from. A later one hides earlier ones of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileSource {
    /// It comes with the collector.
    BuiltIn,
    /// It was given over the API.
    Api,
    /// It stands in a file that the collector's configuration names.
    File,
}

impl ProfileSource {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built in",
            Self::Api => "api",
            Self::File => "file",
        }
    }
}

/// A document as a set keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileText {
    pub name: String,
    pub source: ProfileSource,
    /// Of a file, its path; else empty.
    pub file: String,
    /// The YAML document, without blank lines around it.
    pub text: String,
}

/// A version: what state.redb has of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileSet {
    /// From 1; 0: there was none yet.
    pub version: u64,
    pub made_ms: i64,
    pub by: String,
    pub reason: String,
    /// By name, then source.
    pub profiles: Vec<ProfileText>,
}

/// A version that was read.
#[derive(Debug, Default)]
pub(super) struct Set {
    pub(super) row: ProfileSet,
    /// Those that count, by name, with the place of their document in the row.
    pub(super) effective: BTreeMap<String, (usize, Profile)>,
    /// Documents that this collector cannot read, which an earlier one could: what is wrong, by place.
    pub(super) broken: BTreeMap<usize, String>,
}

impl Set {
    /// Reads a version again. Nothing here is refused: what cannot be read is left out and told.
    pub(super) fn of(row: ProfileSet) -> Self {
        let mut set = Self { row, ..Self::default() };
        for (place, document) in set.row.profiles.iter().enumerate() {
            let mut mistakes = ProfileMistakes::default();
            let read = read_file(&document.name, &document.text, &mut mistakes).pop().map(|read| read.profile);
            match read.filter(|profile| mistakes.0.is_empty() && profile.name == document.name) {
                // In the order of sources: the last one counts.
                Some(profile) => drop(set.effective.insert(document.name.clone(), (place, profile))),
                None => drop(set.broken.insert(place, mistakes.to_string())),
            }
        }
        set
    }

    pub(super) fn profile(&self, name: &str) -> Option<&Profile> {
        self.effective.get(name).map(|(_, profile)| profile)
    }

    /// These profiles and all that they include, by name.
    pub(super) fn with_included<'s>(&'s self, names: impl IntoIterator<Item = &'s str>) -> BTreeSet<&'s str> {
        let mut all = BTreeSet::new();
        let mut open: Vec<&str> = names.into_iter().collect();
        while let Some(name) = open.pop() {
            if let Some(profile) = self.profile(name)
                && all.insert(name)
            {
                open.extend(profile.include.iter().map(String::as_str));
            }
        }
        all
    }

    /// Rule files of profiles that are in force on some host, and of all that come into force by themselves: name and text.
    pub(super) fn rules(&self, in_force: &BTreeSet<String>) -> Vec<(String, String)> {
        let counts = |(name, (_, profile)): &(&String, &(usize, Profile))| {
            profile.accept == Accept::Auto || in_force.contains(name.as_str())
        };
        let rules = |(name, (_, profile)): (&String, &(usize, Profile))| Some((name.clone(), profile.rules.clone()?));
        self.effective.iter().filter(counts).filter_map(rules).collect()
    }

    /// Names of profiles that are in one set only, or have another text, in both orders: added, changed, removed. Of names that several sources
    /// have the one that counts is compared.
    pub(super) fn differences(&self, after: &Self) -> (Vec<String>, Vec<String>, Vec<String>) {
        let text = |set: &Self, name: &str| {
            set.effective
                .get(name)
                .map(|(place, _)| (set.row.profiles[*place].source, set.row.profiles[*place].text.clone()))
        };
        let (mut added, mut changed, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        let names: BTreeSet<&String> = self.effective.keys().chain(after.effective.keys()).collect();
        for name in names {
            match (text(self, name), text(after, name)) {
                (None, Some(_)) => added.push(name.clone()),
                (Some(_), None) => removed.push(name.clone()),
                (one, other) if one != other => changed.push(name.clone()),
                _ => {}
            }
        }
        (added, changed, removed)
    }
}

/// Documents of one source, each mistake of them told. `texts`: what a mistake calls them, and the text.
pub(super) fn read_source(
    texts: &[(String, String)],
    source: ProfileSource,
    mistakes: &mut ProfileMistakes,
) -> Vec<(ProfileText, usize)> {
    let mut all: Vec<(ProfileText, usize)> = Vec::new();
    for (path, text) in texts {
        for read in read_file(path, text, mistakes) {
            let name = read.profile.name;
            if let Some((first, _)) = all.iter().find(|(other, _)| other.name == name) {
                let (line, first) = (read.lines_before + 1, first.file.clone());
                let what = format!("the name stands twice, first in {first}");
                mistakes.push(ProfileMistake {
                    file: path.clone(),
                    line,
                    profile: name,
                    key: "profile".into(),
                    what,
                    remedy: "give each profile a name of its own".into(),
                });
                continue;
            }
            all.push((ProfileText { name, source, file: path.clone(), text: read.text }, read.lines_before + 1));
        }
    }
    all
}

/// In the order in which sets keep them.
pub(super) fn sorted(mut profiles: Vec<ProfileText>) -> Vec<ProfileText> {
    profiles.sort_by(|one, two| (&one.name, one.source).cmp(&(&two.name, two.source)));
    profiles
}

/// What is wrong between profiles: too many, includes that lead nowhere, circles. Told where the document says it.
/// `lines`: where documents begin in their files, by name.
pub(super) fn check(set: &Set, lines: &BTreeMap<String, usize>, mistakes: &mut ProfileMistakes) {
    let of = |name: &str| {
        let place = set.effective.get(name).map(|(place, _)| *place);
        place.and_then(|place| set.row.profiles.get(place))
    };
    let mut tell = |name: &str, key: &str, what: String, remedy: &str| {
        let document = of(name);
        let file =
            document.map(|own| if own.file.is_empty() { own.source.as_str().to_owned() } else { own.file.clone() });
        let at = document.and_then(|own| own.text.lines().position(|line| line.starts_with(key))).unwrap_or_default();
        let line = lines.get(name).copied().unwrap_or(1) + at;
        mistakes.push(ProfileMistake {
            file: file.unwrap_or_default(),
            line,
            profile: name.to_owned(),
            key: key.to_owned(),
            what,
            remedy: remedy.to_owned(),
        });
    };
    if set.row.profiles.len() > PROFILES_MAX {
        let what = format!("there are {} profiles, but at most {PROFILES_MAX} are taken", set.row.profiles.len());
        tell("", "", what, "remove some, or join some");
    }
    let bytes: usize = set.row.profiles.iter().map(|own| own.text.len()).sum();
    if bytes > SET_BYTES_MAX {
        tell(
            "",
            "",
            format!("all documents have {bytes} bytes, but at most {SET_BYTES_MAX} are taken"),
            "shorten some",
        );
    }
    for (name, (_, profile)) in &set.effective {
        for other in profile.include.iter().filter(|other| !set.effective.contains_key(*other)) {
            tell(name, "include", format!("there is no profile `{other}`"), "give it too, or leave it out here");
        }
    }
    for circle in circles(set) {
        let mut names = circle.clone();
        if names.len() > CIRCLE_SHOWN_MAX {
            names.splice(CIRCLE_SHOWN_MAX - 2..circle.len() - 1, ["..."]);
        }
        let what = format!("includes itself: {}", names.join(" -> "));
        tell(circle[0], "include", what, "leave one of these includes out");
    }
}

/// Names of a circle that are shown.
const CIRCLE_SHOWN_MAX: usize = 20;

/// Each circle of includes once, as many as anybody reads, from its first name back to it.
fn circles(set: &Set) -> Vec<Vec<&str>> {
    let mut found: Vec<Vec<&str>> = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in set.effective.keys().map(String::as_str) {
        if found.len() >= MISTAKES_MAX {
            break;
        }
        // The way from the start, each name with the number of its includes that were walked.
        let mut way: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((name, next)) = way.last_mut() {
            let own = *name;
            let other = set.profile(own).and_then(|profile| profile.include.get(*next)).map(String::as_str);
            *next += 1;
            match other {
                None => {
                    done.insert(own);
                    way.pop();
                }
                Some(other) => match way.iter().position(|(name, _)| *name == other) {
                    Some(at) => {
                        let names = way[at..].iter().map(|(name, _)| *name).chain([other]);
                        found.push(names.collect());
                    }
                    None if !done.contains(other) => way.push((other, 0)),
                    None => {}
                },
            }
        }
    }
    found
}

/// A set that is shared by what is composed of it.
pub(super) type SharedSet = Arc<Set>;
