//! `muster-task check`: what the settings let run, and what of it this host cannot do.

use std::fmt::Write as _;
use std::path::Path;

use muster_common::time::Span;

use crate::account;
use crate::settings::{STOP_FILE, Settings};

/// What was found, for people.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub text: String,
    /// Each with its remedy.
    pub problems: Vec<String>,
}

/// Looks at accounts and folders; `file`: where the settings came from.
pub fn check(file: &Path, settings: &Settings, passwd: &Path) -> Findings {
    let mut found = Findings::default();
    let mut say = |line: String| {
        let _ = writeln!(found.text, "{line}");
    };
    let stop = file.with_file_name(STOP_FILE);
    say(match (settings.enabled, stop.exists()) {
        (false, _) => format!("no task runs here: {} does not say `enabled = true`", file.display()),
        (true, true) => format!("no task runs here while {} is there", stop.display()),
        (true, false) => "tasks run here".to_owned(),
    });
    say(format!("signers of catalogues: {}", settings.signers.len()));
    let names: Vec<&str> = settings.approvers.keys().map(String::as_str).collect();
    let approval = if settings.require_approval { "needed" } else { "not needed" };
    say(format!(
        "approval: {approval}; approvers: {}",
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    ));
    for (name, allowed) in &settings.tasks {
        let limits = allowed.limits;
        say(format!(
            "{name} as {}: at most {}, {} MiB, {} processes, {} KiB of output",
            allowed.account,
            Span(limits.timeout),
            limits.memory_bytes >> 20,
            limits.processes,
            limits.output_bytes >> 10
        ));
    }
    let accounts = settings.tasks.iter().map(|(name, allowed)| (format!("tasks.{name}.account"), &allowed.account));
    for (key, name) in accounts.chain([("agent_user".to_owned(), &settings.agent_user)]) {
        match account::find(passwd, name) {
            Ok(Some(_)) => {}
            Ok(None) => {
                found.problems.push(format!("{key}: this host has no account {name}: create it, or name another"))
            }
            Err(error) => found.problems.push(format!("{}: {error}: make it readable", passwd.display())),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Allowed, parse};

    #[test]
    fn what_may_run_is_said_and_what_is_missing_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("task.toml");
        let mut settings = parse("task.toml", "agent_user = \"root\"\n[tasks.a]\naccount = \"root\"\n").unwrap();
        let found = check(&file, &settings, Path::new("/etc/passwd"));
        assert!(found.text.starts_with("no task runs here: ") && found.problems.is_empty(), "{found:?}");
        assert!(found.text.contains("a as root: at most 1m, 256 MiB, 64 processes, 256 KiB of output"), "{found:?}");
        settings.enabled = true;
        let limits = settings.tasks["a"].limits;
        settings.tasks.insert("b".into(), Allowed { account: "nobody-here".into(), limits });
        let found = check(&file, &settings, Path::new("/etc/passwd"));
        assert!(found.text.starts_with("tasks run here\n") && found.problems.len() == 1, "{found:?}");
        std::fs::write(folder.path().join(STOP_FILE), "").unwrap();
        assert!(check(&file, &settings, Path::new("/etc/passwd")).text.starts_with("no task runs here while "));
    }
}
