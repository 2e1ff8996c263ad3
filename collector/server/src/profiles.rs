//! What hosts are set up by and stands in files: profiles, with the rules that they bring, rules of discovery, and what is declared of services.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_alert::alerting::{Files, Settings, load_settings};
use muster_common::time::now;
use muster_fleet::{
    By, DeploySettings, FileRules, Fleet, TaskKeys, TaskSettings, check_profile_files, read_deploy_file,
    read_discovery_rules,
};
use tokio_util::sync::CancellationToken;

use crate::config::{Arguments, Config, DEFAULT_DEPLOYS, DEFAULT_DISCOVERY, DEFAULT_PROFILES};
use crate::error::chain;
use crate::reload::Reloader;

/// How often is looked whether other rules of profiles are in force: a profile's come with the first host that it fits.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Profiles as files have them: path and text of each.
type ProfileFiles = Vec<(String, String)>;

/// All of it, without mistakes.
pub(crate) struct SetUp {
    profiles: ProfileFiles,
    discovery: FileRules,
    gone_days: u32,
    deploys: DeploySettings,
    tasks: TaskSettings,
}

/// Reads the files, and everything that stands in them is right by itself.
///
/// # Errors
/// Every mistake, a line each, with its place and what to do.
pub(crate) fn read(config: &Config, files: &Files) -> Result<(SetUp, Settings), Vec<String>> {
    let profiles = read_folder(config).map_err(|why| vec![why]);
    let judged = profiles.and_then(|profiles| {
        let rules = named(check_profile_files(&profiles).map_err(|mistakes| vec![mistakes.to_string()])?);
        let rules = Files { rules: Vec::new(), alerting: None, profiles: rules };
        // Those of profiles are only warned of elsewhere; here their writer is at hand.
        let refused: Vec<String> = load_settings(&rules)?.warnings;
        if refused.is_empty() { Ok(profiles) } else { Err(refused) }
    });
    let discovery = read_discovery_rules(&discovery_paths(config));
    match (judged, discovery, read_deploys(config), load_settings(files), read_tasks(config)) {
        (Ok(profiles), Ok(discovery), Ok(deploys), Ok(settings), Ok(tasks)) => {
            Ok((SetUp { profiles, discovery, gone_days: config.discovery.gone_days, deploys, tasks }, settings))
        }
        (profiles, discovery, deploys, settings, tasks) => {
            let all = [profiles.err(), discovery.err(), deploys.err(), settings.err(), tasks.err()];
            Err(all.into_iter().flatten().flatten().collect())
        }
    }
}

/// What stands of tasks in the configuration and in the file of keys that it names.
///
/// # Errors
/// The file cannot be read, or every line of it that is wrong.
fn read_tasks(config: &Config) -> Result<TaskSettings, Vec<String>> {
    let tasks = &config.tasks;
    let keys = match &tasks.keys {
        None => TaskKeys::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| vec![unreadable(path, &error)])?;
            let placed = |mistakes: Vec<String>| {
                mistakes.into_iter().map(|mistake| format!("`{}`, {mistake}", path.display())).collect::<Vec<_>>()
            };
            TaskKeys::parse(&text).map_err(placed)?
        }
    };
    Ok(TaskSettings { keys, calls_a_minute: tasks.calls_a_minute, approvals: tasks.approvals })
}

/// Rules under the names by which mistakes and lists call their files.
fn named(rules: Vec<(String, String)>) -> Vec<(String, String)> {
    rules.into_iter().map(|(name, text)| (format!("profile {name}"), text)).collect()
}

/// The rules that profiles bring now, with a number that is another when they are.
pub(crate) fn rules(fleet: &Fleet) -> (u64, Vec<(String, String)>) {
    let (version, rules) = fleet.profile_rules();
    (version, named(rules))
}

/// The same of files that are in nobody's way yet: for `--check-config`.
///
/// # Errors
/// As [`read`].
pub fn check(config: &Config, arguments: &Arguments) -> Result<Settings, Vec<String>> {
    read(config, &arguments.alerting_files()).map(|(_, settings)| settings)
}

/// All `*.yml` and `*.yaml` of the folder, by name; none where no folder is named and the usual one is not there.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn paths(config: &Config) -> Result<Vec<PathBuf>, String> {
    let usual = || Some(PathBuf::from(DEFAULT_PROFILES)).filter(|folder| folder.is_dir());
    let Some(folder) = config.profiles.folder.clone().or_else(usual) else { return Ok(Vec::new()) };
    let entries = std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))?;
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yml" || end == "yaml");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_yaml).collect();
    paths.sort();
    Ok(paths)
}

/// The files of rules of discovery one by one, for a snapshot; none of a folder that cannot be read.
pub(crate) fn discovery_files(config: &Config) -> Vec<PathBuf> {
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yml" || end == "yaml");
    let files = discovery_paths(config).into_iter().flat_map(|path| {
        let entries = std::fs::read_dir(&path).map(|entries| entries.flatten().map(|entry| entry.path()));
        entries.map_or_else(|_| vec![path], |entries| entries.filter(is_yaml).collect())
    });
    files.filter(|path| path.is_file()).collect()
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("failed to read `{}`: {error}; user muster-collector must be able to read it", path.display())
}

fn read_folder(config: &Config) -> Result<ProfileFiles, String> {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        Ok((path.display().to_string(), text))
    };
    paths(config)?.into_iter().map(read).collect()
}

/// The file or folder of rules of discovery, if one is named or the usual one is there.
pub(crate) fn discovery_paths(config: &Config) -> Vec<PathBuf> {
    let usual = || Some(PathBuf::from(DEFAULT_DISCOVERY)).filter(|path| path.exists());
    config.discovery.rules.clone().or_else(usual).into_iter().collect()
}

/// What is declared of services, if a file is named or the usual one is there; else nothing is.
fn read_deploys(config: &Config) -> Result<DeploySettings, Vec<String>> {
    let told = |problems: muster_common::settings::ConfigErrors| problems.0.iter().map(ToString::to_string).collect();
    deploy_file(config).map_or_else(|| Ok(DeploySettings::default()), |path| read_deploy_file(&path).map_err(told))
}

pub(crate) fn deploy_file(config: &Config) -> Option<PathBuf> {
    let usual = || Some(PathBuf::from(DEFAULT_DEPLOYS)).filter(|path| path.exists());
    config.deploys.file.clone().or_else(usual)
}

/// Puts it in force: what hosts get of profiles goes out as a roll-out.
///
/// # Errors
/// When profiles that the API has stand against them, or the disk failed.
pub(crate) fn put(fleet: &Fleet, set_up: SetUp) -> Result<(), String> {
    let done = fleet.set_profile_files(&set_up.profiles, &By::MUSTER, now()).map_err(|error| chain(&error))?;
    fleet.set_discovery_files(set_up.discovery);
    fleet.set_gone_days(set_up.gone_days);
    fleet.set_deploy_settings(set_up.deploys);
    fleet.set_task_settings(set_up.tasks);
    if done.is_changed {
        let begun = done.rollout.map(|rollout| format!(", a roll-out to {} hosts begins", rollout.hosts));
        tracing::info!("version {} of the profiles is in force{}", done.version, begun.unwrap_or_default());
    }
    Ok(())
}

/// Reads rules anew whenever profiles bring other ones, until `stop`.
pub(crate) async fn run(fleet: Arc<Fleet>, reloader: Arc<Reloader>, mut known: u64, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let version = fleet.profile_rules().0;
        if version == known {
            continue;
        }
        let reading = Arc::clone(&reloader);
        let read = tokio::task::spawn_blocking(move || reading.read_rules()).await;
        match read.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(()) => known = version,
            // The next look tries again; a reload says why as well.
            Err(why) => tracing::error!("rules of profiles are not in force: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "rules:\n  groups:\n  - name: g\n    rules:\n    - alert: A\n      expr: up ==";

    #[test]
    fn profiles_of_a_folder_are_read_by_name_and_their_mistakes_are_told_with_those_of_rules() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut config = Config::default();
        config.profiles.folder = Some(at("profiles"));
        let faults = read(&config, &Files::default()).err().unwrap();
        assert!(faults[0].contains("profiles") && faults[0].contains("muster-collector"), "{faults:?}");
        std::fs::create_dir(at("profiles")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(at("profiles").join(name), text).unwrap();
        write("b.yml", "profile: b\nlogs:\n- paths: [/var/log/b.log]\n");
        write("a.yaml", "profile: a\nlogs:\n- paths: [/var/log/a.log]\n");
        write("note.txt", "no profile");
        let (set_up, _) = read(&config, &Files::default()).unwrap_or_else(|faults| panic!("{faults:?}"));
        let names: Vec<&str> = set_up.profiles.iter().map(|(path, _)| path.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["a.yaml", "b.yml"]);
        write("c.yml", &format!("profile: c\n{RULES}\n"));
        std::fs::write(at("own.yml"), format!("{}\n", &RULES[9..])).unwrap();
        let files = Files { rules: vec![at("own.yml")], ..Files::default() };
        let faults = read(&config, &files).err().unwrap().join("\n");
        assert!(faults.contains("profile c") && faults.contains("own.yml:"), "{faults}");
        write("c.yml", "profile: c\nlogs:\n- paths: [/var/log/c.log]\n  colour: red\n");
        let faults = read(&config, &Files::default()).err().unwrap().join("\n");
        assert!(faults.contains("c.yml") && faults.contains("colour"), "{faults}");
        write("c.yml", "profile: c\nlogs:\n- paths: [/var/log/c.log]\n");
        config.discovery.rules = Some(at("discovery.yml"));
        let rules = |text: &str| std::fs::write(at("discovery.yml"), text).unwrap();
        rules("rules:\n- name: shop\n  kind: unit\n  action: perhaps\n");
        let faults = read(&config, &Files::default()).err().unwrap().join("\n");
        assert!(faults.contains("discovery.yml"), "{faults}");
        rules("rules:\n- name: shop\n  kind: unit\n  action: accept\n");
        assert!(read(&config, &Files::default()).is_ok());
        config.deploys.file = Some(at("deploy.toml"));
        let services = |text: &str| std::fs::write(at("deploy.toml"), text).unwrap();
        services("[[services]]\nname = \"shop\"\n");
        let faults = read(&config, &Files::default()).err().unwrap().join("\n");
        assert!(faults.contains("deploy.toml:1:") && faults.contains("services.hosts"), "{faults}");
        services("[[services]]\nname = \"shop\"\nhosts = [\"role=web\"]\n");
        let (set_up, _) = read(&config, &Files::default()).unwrap_or_else(|faults| panic!("{faults:?}"));
        assert_eq!(set_up.deploys.services_len(), 1);
        config.tasks.keys = Some(at("task-keys"));
        std::fs::write(at("task-keys"), "signer release ed25519:12\n").unwrap();
        let faults = read(&config, &Files::default()).err().unwrap().join("\n");
        assert!(faults.contains("task-keys`, line 1: "), "{faults}");
        std::fs::write(at("task-keys"), "# nobody yet\n").unwrap();
        assert!(read(&config, &Files::default()).is_ok());
    }
}
