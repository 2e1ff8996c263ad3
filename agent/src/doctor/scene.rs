//! What the examinations look at, read once.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use muster_common::time::Timestamp;

use super::account::{self, Account, Names};
use super::path::Reached;
use super::unit::{self, Unit};
use crate::config::{self, Config, ConfigErrors, DEFAULT_FILE};
use crate::identity_files::{Enrolled, IdentityError, IdentityFiles};
use crate::status::Status;

/// What to look at.
#[derive(Clone, Debug)]
pub struct DoctorOptions {
    /// As `--config`; `None`: the default file, which may be missing.
    pub config: Option<PathBuf>,
    /// As `--state`; `None`: what the configuration says.
    pub state: Option<PathBuf>,
    pub sets: Vec<String>,
    /// The service's file to judge by; `None`: the installed one.
    pub unit: Option<PathBuf>,
}

/// Everything that more than one examination needs.
pub struct Scene {
    pub(super) config_file: PathBuf,
    /// The defaults where the file has mistakes.
    config: Config,
    pub(super) mistakes: Option<ConfigErrors>,
    pub(super) state_dir: PathBuf,
    pub(super) status: std::io::Result<Option<Status>>,
    pub(super) enrolled: Result<Option<Enrolled>, IdentityError>,
    pub(super) names: Names,
    /// As whom the agent works.
    pub(super) account: Account,
    pub(super) unit: Unit,
    pub(super) now: Timestamp,
    reached: OnceLock<Vec<Reached>>,
}

impl Scene {
    /// Reads configuration, identity, status and unit; what cannot be read is a finding of its examination.
    pub fn read(options: &DoctorOptions, now: Timestamp) -> Self {
        let root = Path::new("/");
        let loaded = config::load(options.config.as_deref(), &options.sets);
        let (config, mistakes) = match loaded {
            Ok(config) => (config, None),
            Err(errors) => (defaults(), Some(errors)),
        };
        let state_dir = options.state.clone().unwrap_or_else(|| config.agent.state_dir.clone());
        let unit = match &options.unit {
            Some(file) => unit::read_with_drop_ins(root, file),
            None => unit::find(root),
        };
        let mut names = Names::read(root);
        if let Some(user) = unit.user.as_deref().filter(|user| names.account(user, &[], 0).is_none()) {
            names.look_up(user);
        }
        let status = Status::read(&state_dir);
        // A unit that is named is judged by, whatever runs now.
        let running = status.as_ref().ok().and_then(Option::as_ref).filter(|_| options.unit.is_none());
        let account = find_account(running, &unit, &state_dir, &names);
        Self {
            config_file: options.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE)),
            config,
            mistakes,
            enrolled: IdentityFiles::new(&state_dir).load(),
            status,
            state_dir,
            names,
            account,
            unit,
            now,
            reached: OnceLock::new(),
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The collector's addresses as the agent would take them.
    pub(super) fn addresses(&self) -> Vec<String> {
        let configured = &self.config.collector.addresses;
        match &self.enrolled {
            Ok(Some(enrolled)) if configured.is_empty() => enrolled.enrolment.collector.clone(),
            _ => configured.clone(),
        }
    }

    /// How far one comes to each of them; found out once.
    pub(super) fn reached(&self) -> &[Reached] {
        self.reached.get_or_init(|| super::path::reach(self))
    }

    /// For the bundle: the status file, and what it calls a problem.
    pub(crate) fn status_json(&self) -> serde_json::Value {
        let shown = self.status().and_then(|status| status.show_json(self.now).ok());
        shown.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// For the bundle: patterns of secrets that the configuration adds.
    pub(crate) fn own_patterns(&self) -> Vec<String> {
        self.config.logs.redaction.clone()
    }

    pub(crate) fn account_name(&self) -> &str {
        &self.account.name
    }

    pub(crate) fn unit_file(&self) -> Option<String> {
        self.unit.file.as_ref().map(|file| file.display().to_string())
    }

    /// The configuration's file, there or not.
    pub fn config_file(&self) -> &Path {
        &self.config_file
    }

    /// The unit's user, where there is none of that name.
    pub(super) fn missing_user(&self) -> Option<&str> {
        let user = self.unit.user.as_deref()?;
        self.names.account(user, &[], 0).is_none().then_some(user)
    }

    pub(super) fn status(&self) -> Option<&Status> {
        self.status.as_ref().ok().and_then(Option::as_ref)
    }
}

fn defaults() -> Config {
    config::parse("", "", &[]).unwrap_or_else(|errors| unreachable!("an empty file has no mistakes: {errors}"))
}

fn find_account(running: Option<&Status>, unit: &Unit, state_dir: &Path, names: &Names) -> Account {
    use std::os::unix::fs::MetadataExt;
    let process = |id: &str| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let is_agent =
            id == "self" || status.lines().next().is_some_and(|line| line.starts_with("Name:\tmuster-agent"));
        is_agent.then(|| account::of_process(&status, names)).flatten()
    };
    let by_unit = || {
        let user = unit.user.as_deref().or_else(|| unit.file.as_ref().map(|_| "root"))?;
        let capabilities = if user == "root" { unit.bounding } else { unit.ambient & unit.bounding };
        names.account(user, &unit.groups, capabilities)
    };
    let by_folder = || {
        // Root's own folder says nothing: it is made by whoever enrols.
        let owner = std::fs::metadata(state_dir).ok().map(|meta| meta.uid()).filter(|uid| *uid != 0)?;
        names.account(&owner.to_string(), &[], 0)
    };
    running
        .and_then(|status| process(&status.pid.to_string()))
        .or_else(by_unit)
        .or_else(by_folder)
        .or_else(|| process("self"))
        .unwrap_or(Account { name: "?".to_owned(), uid: u32::MAX, groups: Default::default(), capabilities: 0 })
}
