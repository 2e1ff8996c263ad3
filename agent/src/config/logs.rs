//! `[[logs]]`, `[journal]` and `[redaction]`: from the document to settings.

use muster_common::limits::LABELS_MAX;
use muster_common::wire::message::WireLabel;

use super::load::Checks;
use crate::logs::glob::Glob;
use crate::logs::multiline::{PRESETS, Starts};
use crate::logs::settings::{From, JournalConfig, LogGroup, LogsConfig, RemoteLogs};
use muster_common::redact::{OWN_PATTERNS_MAX, Redactor};
use muster_common::settings::{Entry, Place, Value, nearest};

/// Keys of one `[[logs]]`.
const KEYS: [&str; 5] = ["paths", "exclude", "labels", "from", "multiline"];
/// Groups of one host: beyond it nobody knows which one a file falls into.
pub(super) const GROUPS_MAX: usize = 256;
/// Labels of a group: few labels make few streams, and the collector adds its own.
const GROUP_LABELS_MAX: usize = 16;
/// Labels that the agent or the collector writes.
const RESERVED: [&str; 5] = ["host", "instance", "filename", "level", "source"];

impl Checks {
    pub(super) fn logs(&mut self) -> LogsConfig {
        let enabled = self.boolean("journal.enabled");
        let from = self.take("journal.from").and_then(|entry| self.begin("journal.from", &entry));
        let redaction = self.redaction();
        let groups = self.take("logs").map(|entry| self.groups(&entry));
        LogsConfig { groups, journal: JournalConfig { enabled, from }, redaction, remote: RemoteLogs::default() }
    }

    pub(super) fn groups(&mut self, entry: &Entry) -> Vec<LogGroup> {
        let Value::List(items) = &entry.value else {
            self.wrong(
                "logs",
                entry,
                "a list of tables",
                "write `[[logs]]` and `paths = [\"/var/log/app/*.log\"]` under it",
            );
            return Vec::new();
        };
        if items.len() > GROUPS_MAX {
            let message = format!("has {} groups, but at most {GROUPS_MAX} are allowed", items.len());
            self.problem(&entry.place, "logs", message, "name more patterns in one group");
        }
        items.iter().filter_map(|item| self.group(item)).collect()
    }

    fn group(&mut self, item: &Entry) -> Option<LogGroup> {
        let Value::Group(keys) = &item.value else {
            self.wrong("logs", item, "a table", "write `[[logs]]` and `paths = [\"/var/log/app/*.log\"]` under it");
            return None;
        };
        let (mut paths, mut exclude, mut labels, mut from, mut multiline) = (None, Vec::new(), Vec::new(), None, None);
        for (key, entry) in keys {
            let full = format!("logs.{key}");
            match key.as_str() {
                "paths" => paths = Some(self.patterns(&full, entry)),
                "exclude" => exclude = self.patterns(&full, entry),
                "labels" => labels = self.labels(&full, entry),
                "from" => from = self.begin(&full, entry),
                "multiline" => multiline = self.multiline(&full, entry),
                other => {
                    let remedy = match nearest(other, KEYS) {
                        Some(near) => format!("did you mean `logs.{near}`?"),
                        None => format!("remove it; [[logs]] has {}", KEYS.join(", ")),
                    };
                    self.problem(&entry.place, &full, "is no setting of this version".to_owned(), &remedy);
                }
            }
        }
        if paths.as_ref().is_none_or(Vec::is_empty) && !keys.iter().any(|(key, _)| key == "paths") {
            self.problem(
                &item.place,
                "logs.paths",
                "is missing".to_owned(),
                "write `paths = [\"/var/log/app/*.log\"]`",
            );
        }
        Some(LogGroup { paths: paths?, exclude, labels, from: from.unwrap_or_default(), multiline })
    }

    pub(super) fn patterns(&mut self, key: &str, entry: &Entry) -> Vec<Glob> {
        const REMEDY: &str =
            "write absolute paths, with * ? [a-z] or ** as wildcards, such as [\"/var/log/app/*.log\"]";
        let Value::List(items) = &entry.value else {
            self.wrong(key, entry, "a list", REMEDY);
            return Vec::new();
        };
        if items.is_empty() {
            self.problem(&entry.place, key, "is empty".to_owned(), REMEDY);
        }
        let mut globs = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) => match Glob::new(text) {
                    Some(glob) => globs.push(glob),
                    None if text.split('/').any(|part| part == "..") => {
                        self.problem(&item.place, key, format!("`{text}` has `..` in it"), REMEDY);
                    }
                    None => self.problem(&item.place, key, format!("`{text}` is no absolute path"), REMEDY),
                },
                other => self.problem(&item.place, key, format!("holds {}, not a text", other.kind()), REMEDY),
            }
        }
        globs
    }

    fn labels(&mut self, key: &str, entry: &Entry) -> Vec<WireLabel> {
        self.labels_but(key, entry, &RESERVED)
    }

    /// Labels of one's own, none of which has a name that is `reserved`.
    pub(super) fn labels_but(&mut self, key: &str, entry: &Entry, reserved: &[&str]) -> Vec<WireLabel> {
        const REMEDY: &str = "write labels = { app = \"shop\" }, names of letters, digits and underscores";
        let Value::Group(pairs) = &entry.value else {
            self.wrong(key, entry, "a table", REMEDY);
            return Vec::new();
        };
        const _: () = assert!(GROUP_LABELS_MAX < LABELS_MAX);
        if pairs.len() > GROUP_LABELS_MAX {
            let message = format!("has {} labels, but at most {GROUP_LABELS_MAX} are allowed", pairs.len());
            self.problem(&entry.place, key, message, "keep those that tell streams apart");
        }
        let mut labels = Vec::new();
        for (name, value) in pairs {
            let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
            let full = format!("{key}.{name}");
            if reserved.contains(&name.as_str()) || name.starts_with("__") {
                self.problem(&value.place, &full, "is written by Muster itself".to_owned(), "choose another name");
            } else if !is_name {
                self.problem(&value.place, &full, "is no label name".to_owned(), REMEDY);
            } else if let Value::Text(text) = &value.value {
                labels.push(WireLabel { name: name.clone(), value: text.clone() });
            } else {
                self.wrong(&full, value, "a text", REMEDY);
            }
        }
        labels
    }

    fn begin(&mut self, key: &str, entry: &Entry) -> Option<From> {
        match &entry.value {
            Value::Text(text) if text == "start" => Some(From::Start),
            Value::Text(text) if text == "end" => Some(From::End),
            _ => {
                let message = "is neither \"start\" nor \"end\"".to_owned();
                self.problem(
                    &entry.place,
                    key,
                    message,
                    "write \"start\" to read what is there, \"end\" for what comes",
                );
                None
            }
        }
    }

    fn multiline(&mut self, key: &str, entry: &Entry) -> Option<Starts> {
        let names = PRESETS.map(|(name, _)| name).join(", ");
        let remedy = format!(
            "write a preset ({names}) or a regular expression that first lines match, such as \"^\\\\d{{4}}-\""
        );
        let Value::Text(text) = &entry.value else {
            self.wrong(key, entry, "a text", &remedy);
            return None;
        };
        match Starts::new(text) {
            Ok(starts) => Some(starts),
            Err(problem) => {
                self.problem(&entry.place, key, format!("is no pattern: {}", one_line(&problem)), &remedy);
                None
            }
        }
    }

    pub(super) fn redaction(&mut self) -> Vec<String> {
        const KEY: &str = "redaction.patterns";
        const REMEDY: &str = "write a list of regular expressions, whose first group (or whole match) is the secret";
        let Some(entry) = self.take(KEY) else { return Vec::new() };
        let Value::List(items) = &entry.value else {
            self.wrong(KEY, &entry, "a list", REMEDY);
            return Vec::new();
        };
        if items.len() > OWN_PATTERNS_MAX {
            let message = format!("has {} patterns, but at most {OWN_PATTERNS_MAX} are allowed", items.len());
            self.problem(&entry.place, KEY, message, "join some with |");
        }
        let mut patterns = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) => match Redactor::new(std::slice::from_ref(text)) {
                    Ok(_) => patterns.push(text.clone()),
                    Err((_, problem)) => {
                        let message = format!("`{text}` cannot be used: {}", one_line(&problem));
                        self.problem(&item.place, KEY, message, REMEDY);
                    }
                },
                other => self.problem(&item.place, KEY, format!("holds {}, not a text", other.kind()), REMEDY),
            }
        }
        patterns
    }

    pub(super) fn wrong(&mut self, key: &str, entry: &Entry, wanted: &str, remedy: &str) {
        let place: Place = entry.place.clone();
        self.problem(&place, key, format!("is {}, not {wanted}", entry.value.kind()), remedy);
    }
}

/// The regex crate draws its errors over several lines; the last one says what is wrong.
fn one_line(problem: &str) -> String {
    problem.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn groups_with_everything_in_them_are_read() {
        let text = "[[logs]]\npaths = [\"/var/log/app/*.log\"]\nexclude = [\"/var/log/app/debug*\"]\nlabels = { app = \"shop\" }\nfrom = \"end\"\nmultiline = \"java\"\n\n[[logs]]\npaths = [\"/srv/**/*.log\"]\nmultiline = \"^\\\\d\"\n\n[journal]\nenabled = true\nfrom = \"start\"\n\n[redaction]\npatterns = [\"card=(\\\\d+)\"]\n";
        let logs = parse("agent.toml", text, &[]).unwrap().logs;
        let groups = logs.groups.unwrap();
        assert_eq!((groups.len(), groups[0].paths[0].text(), groups[0].from), (2, "/var/log/app/*.log", From::End));
        assert_eq!((groups[0].labels[0].value.as_str(), groups[0].exclude.len()), ("shop", 1));
        assert!(groups[0].multiline.is_some() && groups[1].multiline.as_ref().unwrap().is_start(b"7"));
        assert_eq!(logs.journal, JournalConfig { enabled: Some(true), from: Some(From::Start) });
        assert_eq!(logs.redaction, ["card=(\\d+)"]);
        assert_eq!(parse("agent.toml", "", &[]).unwrap().logs, LogsConfig::default());
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_places() {
        let text = "[[logs]]\npath = [\"/a\"]\n\n[[logs]]\npaths = [\"var/log\", 5]\nfrom = \"middle\"\nlabels = { host = \"x\", \"a-b\" = \"y\", n = 1 }\nmultiline = \"(\"\n\n[journal]\nenabled = 1\n\n[redaction]\npatterns = [\"(\", \"x*\"]\n";
        let Err(errors) = parse("agent.toml", text, &[]) else { panic!("accepted") };
        let told: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        for (start, word) in [
            ("agent.toml:1:1: logs.paths: is missing", "paths ="),
            ("agent.toml:2:1: logs.path:", "did you mean `logs.paths`"),
            ("agent.toml:5:10: logs.paths: `var/log` is no absolute path", "wildcards"),
            ("agent.toml:5:21: logs.paths: holds an integer", "wildcards"),
            ("agent.toml:6:1: logs.from: is neither", "\"end\""),
            ("agent.toml:7:12: logs.labels.host:", "another name"),
            ("agent.toml:7:24: logs.labels.a-b:", "no label name"),
            ("agent.toml:7:37: logs.labels.n: is an integer", "a text"),
            ("agent.toml:8:1: logs.multiline: is no pattern: unclosed group", "java, python, go, rust"),
            ("agent.toml:11:1: journal.enabled:", "true or false"),
            ("agent.toml:14:13: redaction.patterns: `(` cannot", "unclosed group"),
            ("agent.toml:14:18: redaction.patterns: `x*` cannot", "empty text"),
        ] {
            assert!(told.iter().any(|one| one.starts_with(start) && one.contains(word)), "{start}: {told:#?}");
        }
        assert_eq!(told.len(), 12, "{told:#?}");
    }
}
