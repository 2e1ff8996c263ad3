//! A remote configuration: the grammar of the host's own file, of which it has `[[logs]]`, `[[checks]]` and `[redaction]`, within the bounds of
//! `[remote]`.

use std::collections::BTreeSet;

use muster_common::limits::HOST_CHECKS_MAX;
use muster_common::redact::OWN_PATTERNS_MAX;
use muster_common::settings::{ConfigErrors, Document, Entry, Value, nearest};

use super::Config;
use super::load::{Checks, KEYS};
use super::logs::GROUPS_MAX;
use crate::checks::host_pack_names;
use crate::checks::native;
use crate::checks::settings::{Check, Work};
use crate::logs::glob::Glob;
use crate::remote::document::RemoteDocument;

/// What a remote configuration has.
const OFFERED: [&str; 3] = ["logs", "checks", "redaction.patterns"];
/// Keys of a check that start a program, or say how.
const PROGRAM: [&str; 3] = ["command", "env", "memory"];

/// Checks a remote configuration's text. `name` stands in the messages; `host` is the host's own file, whose bounds and names count;
/// `own_names` are this host's.
///
/// # Errors
/// [`ConfigErrors`] with every mistake and every excess.
pub fn parse_remote(
    name: &str,
    text: &str,
    host: &Config,
    own_names: &[String],
) -> Result<RemoteDocument, ConfigErrors> {
    let mut document = Document::default();
    document.read_file(name, text);
    let mut reader = Checks { document, is_remote: true };
    reader.refuse_the_hosts_own(host);
    let offered = RemoteDocument {
        logs: reader.offered_logs(host),
        checks: reader.offered_checks(host, own_names),
        redaction: reader.offered_redaction(host),
    };
    let mut problems = reader.document.problems;
    problems.sort_unstable();
    if problems.is_empty() { Ok(offered) } else { Err(ConfigErrors(problems)) }
}

impl Checks {
    fn refuse_the_hosts_own(&mut self, host: &Config) {
        let left: Vec<String> =
            self.document.entries.keys().filter(|key| !OFFERED.contains(&key.as_str())).cloned().collect();
        for key in left {
            let Some(entry) = self.take(&key) else { continue };
            if key == "redaction" && entry.value == Value::Table {
                continue;
            }
            let section = key.split('.').next().unwrap_or_default();
            let is_hosts =
                KEYS.iter().any(|(known, _)| known.split('.').next() == Some(section)) && section != "redaction";
            let near = nearest(&key, OFFERED).filter(|_| !is_hosts);
            let (message, remedy) = match near {
                Some(near) => ("is no setting of a remote configuration".to_owned(), format!("did you mean `{near}`?")),
                None if is_hosts => (
                    "is for the host's own file to set, never for a remote configuration".to_owned(),
                    format!("write it in {}, or leave it out of the profile", host.remote.written.file),
                ),
                None => (
                    "is no setting of a remote configuration".to_owned(),
                    "remove it; a remote configuration has [[logs]], [[checks]] and [redaction] patterns".to_owned(),
                ),
            };
            self.problem(&entry.place, &key, message, &remedy);
        }
    }

    fn offered_logs(&mut self, host: &Config) -> Vec<crate::logs::settings::LogGroup> {
        let Some(entry) = self.take("logs") else { return Vec::new() };
        let own = host.logs.groups.as_ref().map_or(0, Vec::len);
        self.judge_room(&entry, "logs", own, GROUPS_MAX, "groups of logs");
        let items = if let Value::List(items) = &entry.value { items.as_slice() } else { &[] };
        let keys = items.iter().filter_map(|item| if let Value::Group(keys) = &item.value { Some(keys) } else { None });
        let paths = keys.flatten().filter(|(key, _)| key == "paths").map(|(_, paths)| paths);
        for path in
            paths.filter_map(|paths| if let Value::List(paths) = &paths.value { Some(paths) } else { None }).flatten()
        {
            let Value::Text(text) = &path.value else { continue };
            if let Some(Err(excess)) = Glob::new(text).map(|glob| host.remote.judge_log_path(&glob)) {
                self.problem(&path.place, "logs.paths", excess.message, &excess.remedy);
            }
        }
        self.groups(&entry)
    }

    fn offered_redaction(&mut self, host: &Config) -> Vec<String> {
        if let Some(entry) = self.document.entries.get("redaction.patterns").cloned() {
            self.judge_room(&entry, "redaction.patterns", host.logs.redaction.len(), OWN_PATTERNS_MAX, "patterns");
        }
        self.redaction()
    }

    /// What the host has of its own counts too.
    fn judge_room(&mut self, entry: &Entry, key: &str, own: usize, most: usize, what: &str) {
        let offered = if let Value::List(items) = &entry.value { items.len() } else { 0 };
        // More than `most` alone is told by the grammar.
        if offered <= most && own + offered > most {
            let message = format!(
                "with the {own} of the host's own file these are {} {what}, but at most {most} are allowed",
                own + offered
            );
            self.problem(&entry.place, key, message, "join some, here or in the host's own file");
        }
    }

    fn offered_checks(&mut self, host: &Config, own_names: &[String]) -> Vec<Check> {
        let Some(entry) = self.take("checks") else { return Vec::new() };
        self.judge_room(&entry, "checks", host.checks.checks.len(), HOST_CHECKS_MAX, "checks");
        let packed = host_pack_names().filter(|_| host.checks.host_pack);
        let mut taken: BTreeSet<&str> = packed.collect();
        taken.extend(host.checks.checks.iter().map(|check| check.name.as_str()));
        let mut names = BTreeSet::new();
        let mut checks = Vec::new();
        for (item, keys) in self.check_items(&entry) {
            let Some(keys) = self.without_program(item, keys, host) else { continue };
            let Some(check) = self.check(item, &keys, &mut names) else { continue };
            if taken.contains(check.name.as_str()) {
                let place = keys.iter().find(|(key, _)| key == "name").map_or(&item.place, |(_, name)| &name.place);
                let message = format!("`{}` is a check of this host's own", check.name);
                let remedy =
                    format!("give it another name, or remove the host's own from {}", host.remote.written.file);
                self.problem(place, "checks.name", message, &remedy);
            }
            self.judge_touches(item, &keys, &check, host, own_names);
            checks.push(check);
        }
        checks
    }

    fn judge_touches(
        &mut self,
        item: &Entry,
        keys: &[(String, Entry)],
        check: &Check,
        host: &Config,
        own_names: &[String],
    ) {
        let Work::Native { kind, keys: values } = &check.work else { return };
        let Some(kind) = native::kind(kind) else { return };
        for touch in (kind.touches)(values) {
            if let Err(excess) = host.remote.judge_touch(&touch, own_names) {
                let key = touch.key();
                let place = keys.iter().find(|(name, _)| name == key).map_or(&item.place, |(_, entry)| &entry.place);
                self.problem(place, &format!("checks.{key}"), excess.message, &excess.remedy);
            }
        }
    }

    /// The check's keys with the host's own command in the place of `use`. `None`: it would bring a program, or names one that is not there.
    fn without_program(
        &mut self,
        item: &Entry,
        keys: &[(String, Entry)],
        host: &Config,
    ) -> Option<Vec<(String, Entry)>> {
        let file = &host.remote.written.file;
        let mut is_good = true;
        for (key, entry) in keys.iter().filter(|(key, _)| PROGRAM.contains(&key.as_str())) {
            let message = "a remote configuration brings no command".to_owned();
            let remedy = format!(
                "allow it in the host's own file ({file}) under [remote.commands], and name it here with `use`"
            );
            self.problem(&entry.place, &format!("checks.{key}"), message, &remedy);
            is_good = false;
        }
        let (used, mut rest): (Vec<_>, Vec<_>) = keys.iter().cloned().partition(|(key, _)| key == "use");
        let has_kind = rest.iter().any(|(key, _)| key == "kind");
        match used.first() {
            Some((_, entry)) if has_kind => {
                let message = "stands beside `kind`".to_owned();
                self.problem(
                    &entry.place,
                    "checks.use",
                    message,
                    "keep one: a command of the host has `use`, a check of the agent `kind`",
                );
                is_good = false;
            }
            Some((_, Entry { value: Value::Text(name), place })) => match host.remote.commands.get(name) {
                Some(words) => {
                    let word = |word: &String| Entry { value: Value::Text(word.clone()), place: place.clone() };
                    let value = Value::List(words.iter().map(word).collect());
                    rest.push(("command".to_owned(), Entry { value, place: place.clone() }));
                }
                None => {
                    let known: Vec<&str> = host.remote.commands.keys().map(String::as_str).collect();
                    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                    let message = format!("`{name}` is no command that this host allows (it allows {known})");
                    let remedy = format!(
                        "write `{name} = [\"/path/of/the/program\", \"argument\"]` under [remote.commands] in {file}"
                    );
                    self.problem(place, "checks.use", message, &remedy);
                    is_good = false;
                }
            },
            Some((_, entry)) => {
                self.wrong(
                    "checks.use",
                    entry,
                    "a text",
                    "write the name of a command under [remote.commands] of the host's own file",
                );
                is_good = false;
            }
            None if !has_kind && is_good => {
                let message = "has neither `use` nor `kind`".to_owned();
                let remedy = "write `kind = \"disk\"`, or `use` with the name of a command under [remote.commands] of the host's own file";
                self.problem(&item.place, "checks", message, remedy);
                is_good = false;
            }
            None => {}
        }
        is_good.then_some(rest)
    }
}

#[cfg(test)]
mod tests;
