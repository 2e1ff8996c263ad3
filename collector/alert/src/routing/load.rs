//! From the text of Alertmanager's configuration to its values. Every mistake is told with its place and what to do; nothing is taken of a
//! text that has any. What is right but not done by us is a warning.

use jiff::tz::TimeZone;
use muster_query::nearest;
use muster_yaml::{Key, Node, Place, Yaml};

use super::config::{AlertingConfig, Global};
use super::intervals::TimeIntervals;
use super::receivers::{Receiver, Secret};
use super::route::RouteTree;
use super::{load_intervals, load_receiver, load_route};

use crate::rules::{Mistake, Reader, read_yaml};

/// Reads the text of a file that the configuration names: `Err` says why it cannot be read.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Result<String, String>;

const TOP_KEYS: &[&str] = &[
    "global",
    "route",
    "receivers",
    "inhibit_rules",
    "time_intervals",
    "mute_time_intervals",
    "templates",
    "tracing",
    "muster",
];
const MUSTER_KEYS: &[&str] = &["fallback", "zone", "external_url", "templates"];

/// Reads a configuration; files that it names (passwords, certificates) are read by `read_file`, their paths as they are written.
///
/// # Errors
/// All mistakes, in the order of their places.
pub fn load_config(path: &str, text: &str, read_file: ReadFile<'_>) -> Result<AlertingConfig, Vec<Mistake>> {
    let mut loading = Loading {
        reader: Reader::new(path, text),
        warnings: Vec::new(),
        read_file,
        receivers_named: Vec::new(),
        intervals_named: Vec::new(),
    };
    let config = match read_yaml(path, text) {
        Ok(root) => loading.config(&root),
        Err(mistake) => {
            loading.reader.mistakes.push(mistake);
            None
        }
    };
    loading.reader.mistakes.sort_by_key(|mistake| mistake.place);
    loading.warnings.sort_by_key(|warning| warning.place);
    match config {
        Some(mut config) if loading.reader.mistakes.is_empty() => {
            config.warnings = loading.warnings;
            Ok(config)
        }
        _ => Err(loading.reader.mistakes),
    }
}

/// One configuration in reading.
pub(super) struct Loading<'a> {
    pub(super) reader: Reader<'a>,
    warnings: Vec<Mistake>,
    read_file: ReadFile<'a>,
    /// Receivers and time intervals that something refers to, and where.
    pub(super) receivers_named: Vec<(Place, String)>,
    pub(super) intervals_named: Vec<(Place, String)>,
}

/// The entries of a map; those without a value are not there.
pub(super) struct Entries<'y>(Vec<&'y (Key, Yaml)>);

impl<'y> Entries<'y> {
    pub(super) fn entry(&self, name: &str) -> Option<(&'y Key, &'y Yaml)> {
        let found = self.0.iter().find(|(key, value)| key.name == name && !matches!(value.node, Node::Null));
        found.map(|(key, value)| (key, value))
    }

    pub(super) fn get(&self, name: &str) -> Option<&'y Yaml> {
        self.entry(name).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'y Key, &'y Yaml)> + '_ {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl Loading<'_> {
    pub(super) fn mistake(&mut self, place: Place, what: impl Into<String>, remedy: impl Into<String>) {
        self.reader.mistake(place, what, remedy);
    }

    pub(super) fn warn(&mut self, place: Place, what: impl Into<String>, meaning: impl Into<String>) {
        self.warnings.push(Mistake::new(self.reader.path, place, what, meaning));
    }

    /// The entries of a map with known keys; of anything else a mistake and none.
    pub(super) fn entries<'y>(&mut self, yaml: &'y Yaml, known: &[&str], what: &str) -> Entries<'y> {
        Entries(self.reader.keys(yaml, known, what).unwrap_or_default())
    }

    /// The entries of a map whose keys are free.
    pub(super) fn free_entries<'y>(&mut self, yaml: &'y Yaml, what: &str) -> &'y [(Key, Yaml)] {
        if let Node::Map(entries) = &yaml.node {
            for (index, (key, _)) in entries.iter().enumerate() {
                if entries[..index].iter().any(|(other, _)| other.name == key.name) {
                    self.mistake(key.place, format!("key {:?} stands twice", key.name), "write it once");
                }
            }
            return entries;
        }
        self.reader.wrong_kind(yaml, what, "a map: `name: value`");
        &[]
    }

    pub(super) fn list<'y>(&mut self, yaml: Option<&'y Yaml>, what: &str) -> &'y [Yaml] {
        match yaml.map(|yaml| (yaml, &yaml.node)) {
            None => &[],
            Some((_, Node::List(list))) => list,
            Some((yaml, _)) => {
                self.reader.wrong_kind(yaml, what, "a list: each entry on its own line behind `- `");
                &[]
            }
        }
    }

    pub(super) fn text(&mut self, entries: &Entries<'_>, name: &str) -> Option<String> {
        entries.get(name).and_then(|yaml| self.reader.scalar(yaml, name))
    }

    pub(super) fn texts(&mut self, entries: &Entries<'_>, name: &str) -> Vec<(Place, String)> {
        let list = self.list(entries.get(name), name);
        list.iter().filter_map(|one| Some((one.place, self.reader.scalar(one, name)?))).collect()
    }

    pub(super) fn span(&mut self, entries: &Entries<'_>, name: &str) -> Option<i64> {
        entries.get(name).and_then(|yaml| self.reader.span(yaml, name))
    }

    pub(super) fn truth(&mut self, entries: &Entries<'_>, name: &str) -> Option<bool> {
        let yaml = entries.get(name)?;
        match &*self.reader.scalar(yaml, name)?.to_ascii_lowercase() {
            "true" | "yes" | "on" | "y" => Some(true),
            "false" | "no" | "off" | "n" => Some(false),
            other => {
                self.mistake(yaml.place, format!("{name} {other:?} is no truth value"), "write true or false");
                None
            }
        }
    }

    pub(super) fn count(&mut self, entries: &Entries<'_>, name: &str) -> Option<usize> {
        let yaml = entries.get(name)?;
        let text = self.reader.scalar(yaml, name)?;
        let count = text.parse().ok();
        if count.is_none() {
            self.mistake(yaml.place, format!("{name} {text:?} is no count"), "write a whole number");
        }
        count
    }

    /// What an entry says itself, or the file that `NAME_file` names; both are a mistake, an empty text is nothing.
    pub(super) fn text_or_file(&mut self, entries: &Entries<'_>, name: &str) -> Option<String> {
        let file_key = format!("{name}_file");
        let own = self.text(entries, name).filter(|text| !text.is_empty());
        let Some((key, yaml)) = entries.entry(&file_key) else { return own };
        if own.is_some() {
            self.mistake(key.place, format!("{name} and {file_key} are both given"), "leave one of them out");
        }
        let path = self.reader.scalar(yaml, &file_key)?;
        match (self.read_file)(&path) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(why) => {
                let remedy = "name a file that the collector may read";
                self.mistake(yaml.place, format!("{file_key} {path:?} cannot be read: {why}"), remedy);
                None
            }
        }
    }

    pub(super) fn secret(&mut self, entries: &Entries<'_>, name: &str) -> Option<Secret> {
        self.text_or_file(entries, name).map(Secret::new)
    }

    fn config(&mut self, root: &Yaml) -> Option<AlertingConfig> {
        let top = self.entries(root, TOP_KEYS, "the configuration");
        if let Some((key, _)) = top.entry("tracing") {
            self.warn(key.place, "tracing is not done", "it changes nothing");
        }
        let global = top.get("global").map_or_else(Global::default, |yaml| load_receiver::global(self, yaml));
        let mut receivers = self.receivers(&top, &global);
        let route = match top.get("route") {
            Some(yaml) => load_route::root(self, yaml),
            None => {
                self.mistake(root.place, "there is no route", "write `route:` and below it `receiver: ...`");
                None
            }
        };
        let rules = self.list(top.get("inhibit_rules"), "inhibit_rules");
        let inhibit = rules.iter().map(|yaml| load_route::inhibit_rule(self, yaml)).collect();
        let intervals = load_intervals::intervals(self, &top);
        if let Some(yaml) = top.get("templates").filter(|_| !self.texts(&top, "templates").is_empty()) {
            let meaning =
                "a folder with email.html and email.txt is named by `templates` below `muster:` (ALERTING.md)";
            self.warn(yaml.place, "templates of Alertmanager are not used here", meaning);
        }
        let muster = top.get("muster").map(|yaml| self.entries(yaml, MUSTER_KEYS, "muster"));
        let muster = muster.unwrap_or(Entries(Vec::new()));
        if let Some(yaml) = muster.get("zone") {
            self.zones(yaml, &mut receivers);
        }
        let fallback = self.text(&muster, "fallback");
        if let (Some(name), Some(yaml)) = (&fallback, muster.get("fallback")) {
            self.receivers_named.push((yaml.place, name.clone()));
        }
        let external_url = muster.get("external_url").and_then(|yaml| load_receiver::url(self, yaml, "external_url"));
        let templates = self.text(&muster, "templates");
        self.check_names(&receivers, &intervals);
        let route = route?;
        let fallback = fallback.unwrap_or_else(|| route.receiver.clone());
        let route = RouteTree::new(route);
        self.warn_of_foreign(&top, &receivers, &fallback);
        Some(AlertingConfig {
            global,
            route,
            receivers,
            inhibit,
            intervals: TimeIntervals::new(intervals),
            fallback,
            templates,
            external_url,
            warnings: Vec::new(),
        })
    }

    fn receivers(&mut self, top: &Entries<'_>, global: &Global) -> Vec<Receiver> {
        let mut receivers: Vec<Receiver> = Vec::new();
        for yaml in self.list(top.get("receivers"), "receivers") {
            let receiver = load_receiver::receiver(self, yaml, global);
            if receivers.iter().any(|other| other.name == receiver.name) {
                let what = format!("receiver {:?} stands twice", receiver.name);
                self.mistake(yaml.place, what, "give each receiver its own name");
            }
            receivers.push(receiver);
        }
        receivers
    }

    fn zones(&mut self, yaml: &Yaml, receivers: &mut [Receiver]) {
        for (key, value) in self.free_entries(yaml, "zone") {
            self.receivers_named.push((key.place, key.name.clone()));
            let zone = self.reader.scalar(value, "zone").and_then(|text| self.zone(value.place, &text));
            if let Some(receiver) = receivers.iter_mut().find(|own| own.name == key.name) {
                receiver.zone = zone;
            }
        }
    }

    pub(super) fn zone(&mut self, place: Place, name: &str) -> Option<TimeZone> {
        if name == "Local" {
            return Some(TimeZone::system());
        }
        let zone = TimeZone::get(name).ok();
        if zone.is_none() {
            let remedy = "write a name of the tz database, such as Europe/Berlin or UTC";
            self.mistake(place, format!("there is no time zone {name:?}"), remedy);
        }
        zone
    }

    /// Whatever is referred to must be there.
    fn check_names(&mut self, receivers: &[Receiver], intervals: &[super::TimeInterval]) {
        let receivers: Vec<&str> = receivers.iter().map(|own| own.name.as_str()).collect();
        let intervals: Vec<&str> = intervals.iter().map(|own| own.name.as_str()).collect();
        for (what, named, known) in [
            ("receiver", std::mem::take(&mut self.receivers_named), receivers),
            ("time interval", std::mem::take(&mut self.intervals_named), intervals),
        ] {
            for (place, name) in named.into_iter().filter(|(_, name)| !known.contains(&name.as_str())) {
                let remedy = match nearest(&name, known.iter().copied()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None if known.is_empty() => format!("define the {what}"),
                    None => format!("define it, or name one of {}", known[..known.len().min(10)].join(", ")),
                };
                self.mistake(place, format!("there is no {what} {name:?}"), remedy);
            }
        }
    }

    fn warn_of_foreign(&mut self, top: &Entries<'_>, receivers: &[Receiver], fallback: &str) {
        let silent = |own: &&Receiver| own.emails.is_empty() && own.webhooks.is_empty();
        let is_fallback_silent = receivers.iter().find(|own| own.name == fallback).as_ref().is_some_and(silent);
        let Some(Node::List(list)) = top.get("receivers").map(|yaml| &yaml.node) else { return };
        for (yaml, own) in list.iter().zip(receivers).filter(|(_, own)| !own.foreign.is_empty()) {
            let what = format!("receiver {:?} has {}, which are not sent from here", own.name, own.foreign.join(", "));
            let meaning = if is_fallback_silent {
                format!("and the fallback receiver {fallback:?} has no addresses: give it some, or nobody is told")
            } else if own.name == fallback {
                "what it has beside is told".to_owned()
            } else {
                format!("the fallback receiver {fallback:?} is told instead")
            };
            self.warn(yaml.place, what, meaning);
        }
    }

    /// Known options that do nothing here.
    pub(super) fn warn_of_idle(&mut self, entries: &Entries<'_>, idle: &[&str]) {
        for (key, _) in entries.iter().filter(|(key, _)| idle.contains(&&*key.name)) {
            self.warn(key.place, format!("{} is not used here", key.name), "it changes nothing");
        }
    }
}

#[cfg(test)]
mod tests;
