//! `[[checks]]`, `agent.host_checks` and `agent.check_concurrency`: from the document to settings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use muster_common::check::{self, ATTEMPTS_MAX, RESERVED_LABELS, is_check_name};
use muster_common::limits::{HOST_CHECKS_MAX, LABELS_MAX, TEXT_BYTES_MAX};
use muster_common::settings::{Entry, Value, nearest};
use muster_common::time::{Span, parse_span};
use muster_common::wire::message::WireLabel;

use super::Config;
use super::load::Checks;
use crate::checks::exec_check::ExecLimits;
use crate::checks::native::keys::{Keys, Raw};
use crate::checks::native::{self, NativeKind};
use crate::checks::settings::{
    Check, Checks as ChecksConfig, INTERVAL, MAX_CHECK_ATTEMPTS, Plugin, RETRY, TIMEOUT, Work,
};

/// Keys of every check.
const COMMON: [&str; 13] = [
    "name",
    "command",
    "kind",
    "interval",
    "retry",
    "timeout",
    "max_check_attempts",
    "volatile",
    "parents",
    "labels",
    "remedy",
    "env",
    "memory",
];
/// Between runs: below a second a check is a load, beyond a week its result says nothing.
const SPAN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(7 * 86_400));
/// A run that takes longer than an hour is a job: `muster-agent exec` is for those.
const TIMEOUT_SPAN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3_600));
const CONCURRENCY_MAX: i64 = 256;
/// Below this not even a shell starts.
const MEMORY_BYTES_MIN: u64 = 8 << 20;
/// Processor time beyond the time limit, which ends the plugin first unless it hides from it.
const CPU_GRACE: Duration = Duration::from_secs(5);
const NAME_REMEDY: &str = "write one, such as \"disk\"";
const PLUGIN_EXAMPLE: &str = "`command = [\"/usr/lib/nagios/plugins/check_disk\", \"-w\", \"10%\"]`";

impl Checks {
    /// `config` is what else was read.
    pub(super) fn checks(&mut self, config: &Config) -> ChecksConfig {
        let mut checks = ChecksConfig {
            proc: config.metrics.proc.clone(),
            host: config.agent.name.clone().unwrap_or_default(),
            host_pack: self.boolean("agent.host_checks").unwrap_or(true),
            concurrency: self.take("agent.check_concurrency").and_then(|entry| self.concurrency(&entry)),
            ..ChecksConfig::default()
        };
        let Some(entry) = self.take("checks") else { return checks };
        let mut names = BTreeSet::new();
        for (item, keys) in self.check_items(&entry) {
            if let Some(check) = self.check(item, keys, &mut names) {
                checks.checks.push(check);
            }
        }
        checks
    }

    /// Each `[[checks]]` with its keys.
    pub(super) fn check_items<'e>(&mut self, entry: &'e Entry) -> Vec<(&'e Entry, &'e [(String, Entry)])> {
        let items = match &entry.value {
            Value::List(items) => items.as_slice(),
            Value::Table => &[],
            _ => {
                self.wrong("checks", entry, "a list of tables", "write `[[checks]]` and `name = \"disk\"` under it");
                return Vec::new();
            }
        };
        if items.len() > HOST_CHECKS_MAX {
            let message = format!("has {} checks, but at most {HOST_CHECKS_MAX} are allowed", items.len());
            self.problem(&entry.place, "checks", message, "join some, or let another host do them");
        }
        let mut checks = Vec::new();
        for item in items {
            match &item.value {
                Value::Group(keys) => checks.push((item, keys.as_slice())),
                _ => self.wrong("checks", item, "a table", "write `[[checks]]` and `name = \"disk\"` under it"),
            }
        }
        checks
    }

    fn concurrency(&mut self, entry: &Entry) -> Option<usize> {
        let remedy = "write how many plugins may run at once, such as 4";
        let number = self.integer("agent.check_concurrency", entry, (1, CONCURRENCY_MAX), remedy)?;
        usize::try_from(number).ok()
    }

    pub(super) fn check(
        &mut self,
        item: &Entry,
        keys: &[(String, Entry)],
        names: &mut BTreeSet<String>,
    ) -> Option<Check> {
        let find = |name: &str| keys.iter().find(|(key, _)| key == name).map(|(_, entry)| entry);
        let name = match find("name") {
            Some(entry) => self.check_name(entry, names),
            None => {
                self.problem(&item.place, "checks.name", "is missing".to_owned(), "write `name = \"disk\"`");
                None
            }
        };
        let span = |checks: &mut Self, key: &str, limits, default| {
            find(key).and_then(|entry| checks.span_of(&format!("checks.{key}"), entry, limits)).unwrap_or(default)
        };
        let interval = span(self, "interval", SPAN, INTERVAL);
        let retry = span(self, "retry", SPAN, RETRY.min(interval));
        let timeout = span(self, "timeout", TIMEOUT_SPAN, TIMEOUT);
        let attempts = find("max_check_attempts").and_then(|entry| {
            let remedy = "write how many bad results in a row make a problem, such as 3";
            self.integer("checks.max_check_attempts", entry, (1, i64::from(ATTEMPTS_MAX)), remedy)
        });
        let volatile = find("volatile").is_some_and(|entry| self.flag("checks.volatile", entry));
        let parents = find("parents").map(|entry| self.parents(entry)).unwrap_or_default();
        let labels = find("labels").map(|entry| self.check_labels(entry)).unwrap_or_default();
        let remedy = find("remedy").and_then(|entry| self.remedy(entry)).unwrap_or_default();
        let work = self.work(item, keys, timeout);
        let check = Check::new(name?, work?, interval, retry, timeout);
        let max_check_attempts = attempts.and_then(|number| u16::try_from(number).ok()).unwrap_or(MAX_CHECK_ATTEMPTS);
        Some(Check { max_check_attempts, volatile, parents, labels, remedy, ..check })
    }

    fn check_name(&mut self, entry: &Entry, names: &mut BTreeSet<String>) -> Option<String> {
        const KEY: &str = "checks.name";
        let Value::Text(name) = &entry.value else {
            self.wrong(KEY, entry, "a text", NAME_REMEDY);
            return None;
        };
        if !is_check_name(name) {
            let message = format!("`{name}` is no name of a check");
            self.problem(&entry.place, KEY, message, check::NAME_REMEDY);
            return None;
        }
        if !names.insert(name.clone()) {
            self.problem(&entry.place, KEY, format!("`{name}` stands twice"), "give each check a name of its own");
            return None;
        }
        Some(name.clone())
    }

    fn work(&mut self, item: &Entry, keys: &[(String, Entry)], timeout: Duration) -> Option<Work> {
        let find = |name: &str| keys.iter().find(|(key, _)| key == name).map(|(_, entry)| entry);
        match (find("command"), find("kind")) {
            (Some(command), None) => {
                self.refuse_unknown(keys, None);
                let command = self.command("checks.command", command, PLUGIN_EXAMPLE);
                let env = find("env").map(|entry| self.env(entry)).unwrap_or_default();
                let memory = find("memory").and_then(|entry| self.memory(entry));
                let limits = ExecLimits {
                    memory_bytes: memory.unwrap_or(ExecLimits::MEMORY_BYTES),
                    files: ExecLimits::FILES,
                    cpu_seconds: (timeout + CPU_GRACE).as_secs(),
                    nice: ExecLimits::NICE,
                };
                Some(Work::Plugin(Plugin { command: command?, env, limits }))
            }
            (None, Some(kind)) => self.native(item, kind, keys),
            (Some(_), Some(kind)) => {
                let message = "stands beside `command`".to_owned();
                self.problem(
                    &kind.place,
                    "checks.kind",
                    message,
                    "keep one: a plugin has `command`, a check of the agent `kind`",
                );
                None
            }
            (None, None) => {
                let message = "has neither `command` nor `kind`".to_owned();
                self.problem(&item.place, "checks", message, &format!("write {PLUGIN_EXAMPLE}, or `kind = \"disk\"`"));
                self.refuse_unknown(keys, None);
                None
            }
        }
    }

    fn native(&mut self, item: &Entry, entry: &Entry, written: &[(String, Entry)]) -> Option<Work> {
        let names = || native::KINDS.iter().map(|kind| kind.name);
        let Value::Text(name) = &entry.value else {
            self.wrong("checks.kind", entry, "a text", "write one, such as \"disk\"");
            return None;
        };
        let Some(kind) = native::kind(name) else {
            let remedy = match nearest(name, names()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write one of {}", names().collect::<Vec<_>>().join(", ")),
            };
            self.problem(&entry.place, "checks.kind", format!("`{name}` is none of this version"), &remedy);
            return None;
        };
        for key in ["env", "memory"] {
            if let Some((_, entry)) = written.iter().find(|(name, _)| name == key) {
                let message = "is for checks with `command` alone".to_owned();
                self.problem(&entry.place, &format!("checks.{key}"), message, "remove it");
            }
        }
        self.refuse_unknown(written, Some(kind));
        let (mut keys, mut is_good) = (Keys::default(), true);
        for (name, entry) in written {
            let Some(key) = kind.keys.iter().find(|key| key.name == name) else { continue };
            if let Err(error) = keys.set(*key, raw(&entry.value)) {
                self.problem(&entry.place, &format!("checks.{name}"), error.message, &error.remedy);
                is_good = false;
            }
        }
        if is_good && let Err(error) = (kind.build)(&keys, std::path::Path::new("/proc")) {
            let place =
                written.iter().find(|(name, _)| name == error.key).map_or(&item.place, |(_, entry)| &entry.place);
            self.problem(place, &format!("checks.{}", error.key), error.message, &error.remedy);
            is_good = false;
        }
        is_good.then_some(Work::Native { kind: kind.name, keys })
    }

    fn refuse_unknown(&mut self, written: &[(String, Entry)], kind: Option<&NativeKind>) {
        let own = || kind.into_iter().flat_map(|kind| kind.keys.iter().map(|key| key.name));
        let common: Vec<&str> = if self.is_remote {
            COMMON.into_iter().map(|key| if key == "command" { "use" } else { key }).collect()
        } else {
            COMMON.to_vec()
        };
        for (name, entry) in written {
            if COMMON.contains(&name.as_str()) || own().any(|key| key == name) {
                continue;
            }
            let known: Vec<&str> = common.iter().copied().chain(own()).collect();
            let of = native::KINDS.iter().find(|other| other.keys.iter().any(|key| key.name == name));
            let remedy = match (nearest(name, known.iter().copied()), kind, of) {
                (Some(near), ..) => format!("did you mean `checks.{near}`?"),
                (None, None, Some(other)) => {
                    let program = if self.is_remote { "use" } else { "command" };
                    format!("remove it, or write `kind = \"{}\"` in place of `{program}`", other.name)
                }
                (None, Some(kind), _) => {
                    format!("remove it; kind \"{}\" has {}", kind.name, own().collect::<Vec<_>>().join(", "))
                }
                (None, None, None) => format!("remove it; [[checks]] has {}", common.join(", ")),
            };
            self.problem(&entry.place, &format!("checks.{name}"), "is no setting of this check".to_owned(), &remedy);
        }
    }

    pub(super) fn command(&mut self, key: &str, entry: &Entry, example: &str) -> Option<Vec<String>> {
        let remedy =
            format!("write the program's path and its arguments as a list, such as {example}; no shell reads them");
        let words = self.texts(key, entry, &remedy)?;
        match words.first() {
            Some(program) if program.starts_with('/') => Some(words),
            Some(program) => {
                self.problem(&entry.place, key, format!("`{program}` is no absolute path"), &remedy);
                None
            }
            None => {
                self.problem(&entry.place, key, "is empty".to_owned(), &remedy);
                None
            }
        }
    }

    fn texts(&mut self, key: &str, entry: &Entry, remedy: &str) -> Option<Vec<String>> {
        let Value::List(items) = &entry.value else {
            self.wrong(key, entry, "a list", remedy);
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) if !text.contains('\0') => texts.push(text.clone()),
                other => self.problem(&item.place, key, format!("holds {}, not a text", other.kind()), remedy),
            }
        }
        (texts.len() == items.len()).then_some(texts)
    }

    fn env(&mut self, entry: &Entry) -> BTreeMap<String, String> {
        const REMEDY: &str = "write env = { LANG = \"C.UTF-8\" }";
        let mut env = BTreeMap::new();
        let Value::Group(pairs) = &entry.value else {
            self.wrong("checks.env", entry, "a table", REMEDY);
            return env;
        };
        for (name, value) in pairs {
            let key = format!("checks.env.{name}");
            match &value.value {
                Value::Text(text) if !name.is_empty() && !name.contains(['=', '\0']) && !text.contains('\0') => {
                    env.insert(name.clone(), text.clone());
                }
                Value::Text(_) => self.problem(&value.place, &key, "is no variable".to_owned(), REMEDY),
                _ => self.wrong(&key, value, "a text", REMEDY),
            }
        }
        env
    }

    fn memory(&mut self, entry: &Entry) -> Option<u64> {
        const REMEDY: &str = "write a number of bytes or a size, such as \"512MiB\"";
        let bytes = match &entry.value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Text(text) => {
                let sizes = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
                let of = |(unit, shift): (&str, u32)| {
                    let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
                    number.checked_mul(1 << shift)
                };
                sizes.into_iter().find_map(of)
            }
            _ => None,
        };
        let bytes = bytes.filter(|bytes| *bytes >= MEMORY_BYTES_MIN);
        if bytes.is_none() {
            let message = format!("is no size of at least {} MiB", MEMORY_BYTES_MIN >> 20);
            self.problem(&entry.place, "checks.memory", message, REMEDY);
        }
        bytes
    }

    fn parents(&mut self, entry: &Entry) -> Vec<String> {
        const KEY: &str = "checks.parents";
        const REMEDY: &str = "write hosts and checks that this one needs, such as [\"router1\", \"db1/postgres\"]";
        let parents = self.texts(KEY, entry, REMEDY).unwrap_or_default();
        let is_bad = |parent: &String| {
            parent.is_empty() || parent.len() > TEXT_BYTES_MAX || parent.contains(char::is_whitespace)
        };
        if let Some(bad) = parents.iter().find(|parent| is_bad(parent)) {
            self.problem(&entry.place, KEY, format!("`{bad}` is neither a host nor host/check"), REMEDY);
        }
        if parents.len() > LABELS_MAX {
            let message = format!("has {} parents, but at most {LABELS_MAX} are allowed", parents.len());
            self.problem(&entry.place, KEY, message, "name the nearest ones");
        }
        parents
    }

    fn check_labels(&mut self, entry: &Entry) -> Vec<WireLabel> {
        self.labels_but("checks.labels", entry, &RESERVED_LABELS)
    }

    fn remedy(&mut self, entry: &Entry) -> Option<String> {
        const REMEDY: &str = "write what to do when it is bad: a sentence or an address";
        match &entry.value {
            Value::Text(text) if text.len() <= TEXT_BYTES_MAX => Some(text.clone()),
            Value::Text(_) => {
                let message = format!("has more than {TEXT_BYTES_MAX} bytes");
                self.problem(&entry.place, "checks.remedy", message, REMEDY);
                None
            }
            _ => {
                self.wrong("checks.remedy", entry, "a text", REMEDY);
                None
            }
        }
    }

    fn flag(&mut self, key: &str, entry: &Entry) -> bool {
        if let Value::Boolean(flag) = entry.value {
            return flag;
        }
        self.wrong(key, entry, "true or false", "write true or false");
        false
    }

    fn integer(&mut self, key: &str, entry: &Entry, (least, most): (i64, i64), remedy: &str) -> Option<i64> {
        match entry.value {
            Value::Integer(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                self.problem(&entry.place, key, format!("is no integer from {least} to {most}"), remedy);
                None
            }
        }
    }

    pub(super) fn span_of(
        &mut self,
        key: &str,
        entry: &Entry,
        (least, most): (Duration, Duration),
    ) -> Option<Duration> {
        let Value::Text(text) = &entry.value else {
            self.wrong(key, entry, "a text", "write a duration, such as \"60s\"");
            return None;
        };
        match parse_span(text) {
            Ok(span) if (least..=most).contains(&span) => Some(span),
            Ok(_) => {
                let message = format!("`{text}` lies outside {} to {}", Span(least), Span(most));
                self.problem(&entry.place, key, message, "write a duration between the two, such as \"60s\"");
                None
            }
            Err(_) => {
                let message = format!("`{text}` is no duration");
                self.problem(
                    &entry.place,
                    key,
                    message,
                    "write a number and a unit, such as \"10s\", \"1m\" or \"1m30s\"",
                );
                None
            }
        }
    }
}

fn raw(value: &Value) -> Raw {
    match value {
        Value::Text(text) => Raw::Text(text.clone()),
        Value::Integer(number) => Raw::Integer(*number),
        Value::Boolean(flag) => Raw::Flag(*flag),
        Value::List(items) => {
            let text = |item: &Entry| match &item.value {
                Value::Text(text) => Some(text.clone()),
                Value::Integer(number) => Some(number.to_string()),
                _ => None,
            };
            items.iter().map(text).collect::<Option<Vec<_>>>().map_or(Raw::Other("a list of other things"), Raw::Texts)
        }
        other => Raw::Other(other.kind()),
    }
}

#[cfg(test)]
mod tests;
