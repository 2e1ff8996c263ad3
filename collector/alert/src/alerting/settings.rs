//! Rule files and the routing file, read together: all of them are right, or nothing changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::mail::Templates;
use crate::notify::Notifiers;
use crate::routing::{AlertingConfig, load_config};
use crate::{DEFAULT_RULES, DEFAULT_RULES_PATH, RuleDefaults, RuleFile, load_rules};

/// What the command line names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Rule files, or folders of `*.yml` and `*.yaml`.
    pub rules: Vec<PathBuf>,
    /// Alertmanager's configuration; `None`: the built-in one.
    pub alerting: Option<PathBuf>,
    /// Rule files that profiles bring: what a mistake calls them, and the text. They were judged when they were applied.
    pub profiles: Vec<(String, String)>,
}

impl Files {
    /// The rule files that are read, those of folders one by one.
    pub fn rule_paths(&self) -> Vec<PathBuf> {
        rule_paths(&self.rules, &mut Vec::new())
    }

    /// The templates of mails that are read.
    pub fn template_paths(&self) -> Vec<PathBuf> {
        let Some(path) = &self.alerting else { return Vec::new() };
        let Some(named) = read_config(path, &mut Vec::new()).templates else { return Vec::new() };
        let folder = path.parent().unwrap_or_else(|| Path::new(".")).join(named);
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        found.sort();
        found
    }
}

/// All of it, without mistakes.
pub struct Settings {
    pub config: Arc<AlertingConfig>,
    pub rules: Vec<RuleFile>,
    pub notifiers: Notifiers,
    pub templates: Arc<Templates>,
    /// What loads and is not what its writer may think.
    pub warnings: Vec<String>,
}

/// Reads everything anew.
///
/// # Errors
/// Every mistake, a line each, with its place and what to do.
pub fn load_settings(files: &Files) -> Result<Settings, Vec<String>> {
    let mut faults = Vec::new();
    let config = match &files.alerting {
        None => AlertingConfig::built_in(),
        Some(path) => read_config(path, &mut faults),
    };
    let mut sources = vec![(DEFAULT_RULES_PATH.to_owned(), DEFAULT_RULES.to_owned())];
    for path in rule_paths(&files.rules, &mut faults) {
        match std::fs::read_to_string(&path) {
            Ok(text) => sources.push((path.display().to_string(), text)),
            Err(error) => faults.push(unreadable(&path, &error)),
        }
    }
    let (profiles, mut warnings) = rules_of_profiles(files);
    sources.extend(profiles);
    let rules = load_rules(&sources, RuleDefaults::default()).unwrap_or_else(|mistakes| {
        faults.extend(mistakes.iter().map(ToString::to_string));
        Vec::new()
    });
    let templates = load_templates(files, &config, &mut faults);
    let notifiers = crate::desk::notifiers(&config).unwrap_or_else(|wrong| {
        faults.extend(wrong);
        Notifiers::default()
    });
    if !faults.is_empty() {
        return Err(faults);
    }
    warnings.extend(config.warnings.iter().map(ToString::to_string));
    Ok(Settings { config: Arc::new(config), rules, notifiers, templates: Arc::new(templates), warnings })
}

/// Those that can be read, and what is to be said of the others: a later version may judge otherwise than the one that took them, and that is no
/// reason not to start.
fn rules_of_profiles(files: &Files) -> (Vec<(String, String)>, Vec<String>) {
    let (mut good, mut warnings) = (Vec::new(), Vec::new());
    for source in &files.profiles {
        match load_rules(std::slice::from_ref(source), RuleDefaults::default()) {
            Ok(_) => good.push(source.clone()),
            Err(mistakes) => warnings.extend(mistakes.iter().map(|mistake| format!("not in force: {mistake}"))),
        }
    }
    (good, warnings)
}

fn read_config(path: &Path, faults: &mut Vec<String>) -> AlertingConfig {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            faults.push(unreadable(path, &error));
            return AlertingConfig::built_in();
        }
    };
    // Secrets named beside the file are where the file is.
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|error| error.to_string());
    load_config(&path.display().to_string(), &text, &read).unwrap_or_else(|mistakes| {
        faults.extend(mistakes.iter().map(ToString::to_string));
        AlertingConfig::built_in()
    })
}

/// Our mail templates, or those of the folder that the routing file names.
fn load_templates(files: &Files, config: &AlertingConfig, faults: &mut Vec<String>) -> Templates {
    let Some((named, path)) = config.templates.as_ref().zip(files.alerting.as_ref()) else {
        return Templates::default();
    };
    let folder = path.parent().unwrap_or_else(|| Path::new(".")).join(named);
    if !folder.is_dir() {
        let (path, folder) = (path.display(), folder.display());
        faults.push(format!(
            "{path}: muster.templates: `{folder}` is no folder: name one with email.html or email.txt in it"
        ));
        return Templates::default();
    }
    Templates::load(&folder).unwrap_or_else(|error| {
        faults.push(error.to_string());
        Templates::default()
    })
}

/// The files that are named, and those in the folders that are.
fn rule_paths(named: &[PathBuf], faults: &mut Vec<String>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for path in named {
        if !path.is_dir() {
            paths.push(path.clone());
            continue;
        }
        match std::fs::read_dir(path) {
            Err(error) => faults.push(unreadable(path, &error)),
            Ok(entries) => {
                let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yml" || end == "yaml");
                let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_yaml).collect();
                found.sort();
                paths.extend(found);
            }
        }
    }
    paths
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("failed to read `{}`: {error}; name a file that user muster-collector may read", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_of_all_files_are_told_at_once_and_folders_are_searched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("rules")).unwrap();
        std::fs::write(at("rules/a.yml"), "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up ==\n").unwrap();
        std::fs::write(at("rules/note.txt"), "no rules").unwrap();
        std::fs::write(at("alerting.yml"), "route:\n  receiver: nobody\n").unwrap();
        let files = Files {
            rules: vec![at("rules"), at("missing.yml")],
            alerting: Some(at("alerting.yml")),
            ..Files::default()
        };
        let Err(faults) = load_settings(&files) else { panic!("three mistakes were taken") };
        let all = faults.join("\n");
        for place in ["a.yml:5:", "alerting.yml:2:", "missing.yml"] {
            assert!(all.contains(place), "{place} is not in {all}");
        }
        let own = |extra: &str| {
            std::fs::write(at("own.yml"), format!("route: {{receiver: a}}\nreceivers: [{{name: a}}]\n{extra}"))
                .unwrap();
            load_settings(&Files { alerting: Some(at("own.yml")), ..Files::default() })
        };
        let missing = own("muster: {templates: mail}\n").err().unwrap().join("\n");
        assert!(missing.contains("own.yml: muster.templates") && missing.contains("is no folder"), "{missing}");
        std::fs::create_dir(at("mail")).unwrap();
        std::fs::write(at("mail/email.txt"), "{{ subject").unwrap();
        let wrong = own("muster: {templates: mail}\n").err().unwrap().join("\n");
        assert!(wrong.contains("mail/email.txt") && wrong.contains("syntax"), "{wrong}");
        std::fs::write(at("mail/email.txt"), "{{ subject }}\n").unwrap();
        assert!(own("muster: {templates: mail}\n").is_ok());
        let foreign = own("templates: ['*.tmpl']\n").ok().unwrap();
        assert!(
            foreign.warnings[0].contains("own.yml:3:") && foreign.warnings[0].contains("muster:"),
            "{:?}",
            foreign.warnings
        );
        let good =
            ("profile a".to_owned(), "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n".to_owned());
        let bad = ("profile b".to_owned(), "groups:\n- name: g\n  rules:\n  - alert: B\n    expr: up ==\n".to_owned());
        let brought = load_settings(&Files { profiles: vec![good, bad], ..Files::default() });
        let brought = brought.unwrap_or_else(|faults| panic!("{faults:?}"));
        assert!(brought.rules.iter().any(|file| file.path == "profile a"));
        let [told] = &brought.warnings[..] else { panic!("{:?}", brought.warnings) };
        assert!(told.starts_with("not in force: profile b:5:"), "{told}");
        let built_in = load_settings(&Files::default()).unwrap_or_else(|faults| panic!("{faults:?}"));
        assert_eq!((built_in.config.receivers.len(), built_in.warnings.len()), (1, 0));
        assert!(built_in.rules.iter().any(|file| !file.groups.is_empty()));
    }
}
