//! `[remote]`: from the host's own file to what it opens to a remote configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use muster_common::settings::{Entry, Value};

use super::load::Checks;
use crate::remote::bounds::{Bound, RemoteConfig, Written};
use crate::remote::targets::{self, Target};

/// Folders and targets of one bound: more than this nobody looks over.
const BOUNDS_MAX: usize = 1_000;
const COMMANDS: &str = "remote.commands";
const COMMAND_EXAMPLE: &str =
    "write `load = [\"/usr/lib/nagios/plugins/check_load\", \"-w\", \"5\"]` under [remote.commands]";

impl Checks {
    /// `file`: the name of the host's own file.
    pub(super) fn remote(&mut self, file: &str) -> RemoteConfig {
        let default = RemoteConfig::default();
        let at = Bound::ALL.map(|bound| self.place_of(&format!("remote.{}", bound.key())));
        RemoteConfig {
            enabled: self.boolean("remote.enabled").unwrap_or(default.enabled),
            log_paths: self.folders("remote.log_paths").unwrap_or(default.log_paths),
            paths: self.folders("remote.paths"),
            targets: self.targets("remote.targets"),
            commands: self.remote_commands(),
            written: Written { file: file.to_owned(), at },
        }
    }

    fn items(&mut self, key: &str, remedy: &str) -> Option<Vec<Entry>> {
        let entry = self.take(key)?;
        let Value::List(items) = entry.value else {
            self.wrong(key, &entry, "a list", remedy);
            return None;
        };
        if items.len() > BOUNDS_MAX {
            let message = format!("has {} entries, but at most {BOUNDS_MAX} are allowed", items.len());
            self.problem(&entry.place, key, message, "name folders or networks that hold several");
        }
        Some(items)
    }

    fn folders(&mut self, key: &str) -> Option<Vec<PathBuf>> {
        const REMEDY: &str =
            "write absolute paths of folders, without wildcards, such as [\"/var/log\", \"/srv/app/log\"]";
        let mut folders = Vec::new();
        for item in self.items(key, REMEDY)? {
            match &item.value {
                Value::Text(text) if is_plain_path(text) => {
                    folders.push(PathBuf::from(if text == "/" { text } else { text.trim_end_matches('/') }));
                }
                Value::Text(text) => {
                    self.problem(&item.place, key, format!("`{text}` is no absolute path of a folder"), REMEDY)
                }
                other => self.problem(&item.place, key, format!("holds {}, not a text", other.kind()), REMEDY),
            }
        }
        Some(folders)
    }

    fn targets(&mut self, key: &str) -> Option<Vec<Target>> {
        let mut found = Vec::new();
        for item in self.items(key, targets::REMEDY)? {
            match &item.value {
                Value::Text(text) => match Target::parse(text) {
                    Some(target) => found.push(target),
                    None => self.problem(&item.place, key, format!("`{text}` is no target"), targets::REMEDY),
                },
                other => self.problem(&item.place, key, format!("holds {}, not a text", other.kind()), targets::REMEDY),
            }
        }
        Some(found)
    }

    fn remote_commands(&mut self) -> BTreeMap<String, Vec<String>> {
        let mut commands = BTreeMap::new();
        if let Some(entry) = self.take(COMMANDS).filter(|entry| entry.value != Value::Table) {
            self.wrong(COMMANDS, &entry, "a table", COMMAND_EXAMPLE);
        }
        for key in self.keys_below(COMMANDS) {
            let (Some(entry), Some(name)) = (self.take(&key), key.strip_prefix("remote.commands.")) else { continue };
            if let Some(words) = self.command(&key, &entry, COMMAND_EXAMPLE) {
                commands.insert(name.to_owned(), words);
            }
        }
        commands
    }
}

/// Absolute, and without parts that lead elsewhere or wildcards that nothing here would expand.
fn is_plain_path(text: &str) -> bool {
    let Some(parts) = text.strip_prefix('/') else { return false };
    let is_odd = |part: &str| part == "." || part == ".." || part.contains(['*', '?', '[', '\0']);
    let inner = parts.strip_suffix('/').unwrap_or(parts);
    text == "/" || inner.split('/').all(|part| !part.is_empty() && !is_odd(part))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn what_is_open_to_a_remote_configuration_is_read() {
        let text = "[remote]\nenabled = false\nlog_paths = [\"/var/log/\", \"/srv/app\"]\npaths = [\"/\"]\ntargets = [\"localhost\", \"10.0.0.0/8:5432\"]\n\n[remote.commands]\nload = [\"/usr/lib/nagios/plugins/check_load\", \"-w\", \"5\"]\n";
        let remote = parse("agent.toml", text, &[]).unwrap().remote;
        assert!(!remote.enabled && remote.log_paths == ["/var/log", "/srv/app"].map(PathBuf::from));
        assert_eq!((remote.paths.unwrap(), remote.targets.unwrap().len()), (vec![PathBuf::from("/")], 2));
        assert_eq!(remote.commands["load"].len(), 3);
        assert_eq!(remote.written.at[0].as_ref().unwrap().to_string(), "agent.toml:3:1");
        let default = parse("agent.toml", "[remote.commands]\n", &[]).unwrap().remote;
        assert_eq!(
            default,
            RemoteConfig {
                written: Written { file: "agent.toml".to_owned(), ..Written::default() },
                ..default.clone()
            }
        );
        assert!(default.enabled && default.log_paths == [PathBuf::from("/var/log")] && default.paths.is_none());
        let nothing = parse("agent.toml", "[remote]\nlog_paths = []\ntargets = []\n", &[]).unwrap().remote;
        assert!(nothing.log_paths.is_empty() && nothing.targets == Some(Vec::new()));
    }

    #[test]
    fn each_mistake_names_its_remedy() {
        for (text, word) in [
            ("[remote]\nenabled = 1\n", "true or false"),
            ("[remote]\nlog_paths = \"/var/log\"\n", "not a list"),
            ("[remote]\nlog_paths = [\"var/log\"]\n", "without wildcards"),
            ("[remote]\nlog_paths = [\"/var/../etc\"]\n", "no absolute path of a folder"),
            ("[remote]\npaths = [\"/var/*\"]\n", "without wildcards"),
            ("[remote]\npaths = [5]\n", "holds an integer"),
            ("[remote]\ntargets = [\"a b\"]\n", "NETWORK/BITS"),
            ("[remote]\ncommands = 5\n", "not a table"),
            ("[remote.commands]\nload = [\"check_load\"]\n", "no absolute path"),
            ("[remote.commands]\nload = \"/bin/true\"\n", "remote.commands.load: is a text, not a list"),
            ("[remote]\nlog_path = [\"/var/log\"]\n", "did you mean `remote.log_paths`"),
        ] {
            let Err(errors) = parse("agent.toml", text, &[]) else { panic!("{text} accepted") };
            assert!(errors.0.len() == 1 && errors.to_string().contains(word), "{text}: {errors}");
        }
    }
}
