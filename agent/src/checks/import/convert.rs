//! Which of NRPE's commands become checks: pure.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::check::{NAME_REMEDY, is_check_name};
use muster_common::limits::HOST_CHECKS_MAX;

use super::nrpe_file::{Setting, Settings};
use super::words::split;

/// A check may take this long; what takes longer is a job.
const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);
/// Programs that run others as somebody else.
const OTHER_USERS: [&str; 5] = ["sudo", "doas", "su", "pkexec", "runuser"];

/// One command that became a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub file: String,
    pub line: usize,
    pub name: String,
    /// Program and arguments; never empty.
    pub command: Vec<String>,
    /// Assignments that stood before the program.
    pub env: BTreeMap<String, String>,
    /// As NRPE called it, where the name had to be changed.
    pub called: Option<String>,
}

/// One line that was not taken, or not as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub file: String,
    /// From 1; 0: the file as a whole.
    pub line: usize,
    /// The command's or setting's name.
    pub what: String,
    pub why: String,
    pub remedy: String,
    /// Whether a command may be missing among the checks by it; else it is something to know.
    pub is_lost: bool,
}

/// What came of NRPE's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub taken: Vec<Taken>,
    pub left: Vec<Left>,
    /// Where the files say it.
    pub timeout: Option<Duration>,
}

impl Imported {
    /// Whether all that NRPE runs is among the checks.
    pub fn is_complete(&self) -> bool {
        self.left.iter().all(|left| !left.is_lost)
    }
}

/// What holds for every command; the last line of each counts, as NRPE has it.
#[derive(Default)]
struct Whole {
    prefix: Vec<String>,
    timeout: Option<Duration>,
}

pub(super) fn convert(read: &Settings) -> Imported {
    let mut imported = Imported { left: read.left.clone(), ..Imported::default() };
    let whole = whole(&read.settings, &mut imported.left);
    imported.timeout = whole.timeout;
    let commands: Vec<(&Setting, &str)> =
        read.settings.iter().filter_map(|setting| Some((setting, command_name(&setting.name)?))).collect();
    // The last of a name counts.
    let last: BTreeMap<&str, usize> =
        commands.iter().enumerate().map(|(index, (_, called))| (*called, index)).collect();
    for (index, (setting, called)) in commands.iter().enumerate() {
        let what = format!("command[{called}]");
        if let Some((later, _)) = last.get(called).filter(|last| **last > index).and_then(|last| commands.get(*last)) {
            let why = format!("is defined again at {}:{}, which is the one that NRPE runs", later.file, later.line);
            imported.left.push(left(setting, &what, why, "nothing, or give both names of their own".to_owned()));
            continue;
        }
        match take(setting, called, &whole, &imported.taken) {
            Ok(taken) => imported.taken.push(taken),
            Err((why, remedy)) => imported.left.push(Left { is_lost: true, ..left(setting, &what, why, remedy) }),
        }
    }
    if commands.is_empty()
        && let Some(first) = read.settings.first()
    {
        let (why, remedy) =
            ("no command is defined here, or in what it includes", "name the file with `command[...]` lines");
        imported.left.push(Left {
            line: 0,
            is_lost: true,
            ..left(first, "command", why.to_owned(), remedy.to_owned())
        });
    }
    imported
}

fn left(setting: &Setting, what: &str, why: String, remedy: String) -> Left {
    let (file, line, what) = (setting.file.clone(), setting.line, what.to_owned());
    Left { file, line, what, why, remedy, is_lost: false }
}

fn command_name(setting: &str) -> Option<&str> {
    setting.strip_prefix("command[")?.split(']').next()
}

fn whole(settings: &[Setting], told: &mut Vec<Left>) -> Whole {
    let mut whole = Whole::default();
    let last = |name: &str| settings.iter().rev().find(|setting| setting.name.trim() == name);
    if let Some(setting) = last("command_prefix") {
        let mut tell = |why: String, remedy: &str| told.push(left(setting, "command_prefix", why, remedy.to_owned()));
        match split(&setting.value) {
            Ok(words) if words.first().is_some_and(|word| OTHER_USERS.contains(&base_name(word))) => tell(
                format!("`{}` is left out of every command: checks run as the agent's user", setting.value),
                "`muster-agent doctor` names what then lacks a right; what must be root runs by root's cron or a timer as \
                 `muster-agent exec NAME --plugin -- COMMAND`",
            ),
            Ok(words) if words.first().is_some_and(|word| word.starts_with('/')) => whole.prefix = words,
            Ok(_) => {
                tell("is no absolute path, and is left out of every command".to_owned(), "write the program's path")
            }
            Err(refusal) => tell(format!("{refusal}, and is left out of every command"), &refusal.remedy()),
        }
    }
    if let Some(setting) = last("command_timeout") {
        let seconds = setting.value.trim().parse().ok().map(Duration::from_secs);
        whole.timeout = seconds.filter(|span| (Duration::from_secs(1)..=TIMEOUT_MAX).contains(span));
        if whole.timeout.is_none() {
            let why = format!("`{}` is no time between 1 and {} seconds", setting.value, TIMEOUT_MAX.as_secs());
            let remedy = "checks have 30 seconds unless `timeout` says otherwise".to_owned();
            told.push(left(setting, "command_timeout", why, remedy));
        }
    }
    if let Some(setting) = last("nrpe_user").filter(|setting| setting.value.trim() != "muster") {
        let why = format!("commands ran as `{}` and run as the agent's user now", setting.value.trim());
        let remedy = "give user muster what that user was given: groups, sudoers, accounts of databases";
        told.push(left(setting, "nrpe_user", why, remedy.to_owned()));
    }
    whole
}

fn take(setting: &Setting, called: &str, whole: &Whole, taken: &[Taken]) -> Result<Taken, (String, String)> {
    let mut words = split(&setting.value).map_err(|refusal| (refusal.to_string(), refusal.remedy()))?;
    let mut env = BTreeMap::new();
    while let Some((name, value)) = words.first().and_then(|word| assignment(word)) {
        env.insert(name.to_owned(), value.to_owned());
        words.remove(0);
    }
    let Some(program) = words.first() else { return Err(("names no program".to_owned(), "write one".to_owned())) };
    if let Some(other) = [program.as_str()].into_iter().find(|word| OTHER_USERS.contains(&base_name(word))) {
        return Err((
            format!("runs by `{other}`, and checks of the agent cannot become another user"),
            format!(
                "let that user's cron or timer run `muster-agent exec {called} --plugin -- {}`, or drop {other} where the \
                 agent's user has the right itself",
                words.iter().skip(1).cloned().collect::<Vec<_>>().join(" ")
            ),
        ));
    }
    if !program.starts_with('/') {
        return Err((format!("`{program}` is no absolute path"), "write the program's path".to_owned()));
    }
    let name: String = called.chars().map(|one| if is_check_name(&one.to_string()) { one } else { '_' }).collect();
    if !is_check_name(&name) {
        return Err(("its name is none of a check".to_owned(), NAME_REMEDY.to_owned()));
    }
    if let Some(other) = taken.iter().find(|other| other.name == name) {
        let why = format!("would be called `{name}`, as is the one of {}:{}", other.file, other.line);
        return Err((why, NAME_REMEDY.to_owned()));
    }
    if taken.len() >= HOST_CHECKS_MAX {
        return Err((format!("would be more than {HOST_CHECKS_MAX} checks"), "join some".to_owned()));
    }
    let command = whole.prefix.iter().cloned().chain(words).collect();
    let called = (name != called).then(|| called.to_owned());
    Ok(Taken { file: setting.file.clone(), line: setting.line, name, command, env, called })
}

fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// `NAME=value` before the program.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    is_name.then_some((name, value))
}
