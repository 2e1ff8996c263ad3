//! The systemd journal: whether there is a journalctl, and whether the agent's user may read the system's entries.

use std::path::{Path, PathBuf};

use muster_common::finding::Finding;

use super::account::{Account, Names};
use super::look::{Look, Obstacle, RealLook, lack, way};
use super::rights::Right;
use super::scene::Scene;
use crate::logs::journal;

const PROGRAM: &str = "journalctl";
/// Where journald keeps its files: on the disk, else in memory.
const FOLDERS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
const GROUP: &str = "systemd-journal";

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    let config = &scene.config().logs;
    let is_wanted = config.journal.enabled.unwrap_or(config.groups.is_none());
    let is_asked_for = config.journal.enabled == Some(true);
    if !is_wanted {
        return vec![Finding::ok("it is not read: [[logs]] names what is", "")];
    }
    judge(&RealLook, &files(), answers(), is_asked_for, (&scene.account, &scene.names))
}

/// Whether there is a journalctl that has an entry to show.
pub(super) fn answers() -> bool {
    journal::child::probe(Path::new(PROGRAM)).is_some()
}

/// The system's journal of each machine that has one here.
fn files() -> Vec<PathBuf> {
    let folders = FOLDERS.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    folders.map(|entry| entry.path().join("system.journal")).filter(|path| path.exists()).collect()
}

fn judge(
    look: &impl Look,
    files: &[PathBuf],
    answers: bool,
    is_asked_for: bool,
    (account, names): (&Account, &Names),
) -> Vec<Finding> {
    for file in files {
        match way(look, account, file, Right::Read) {
            Ok(_) => {
                return vec![Finding::ok(format!("user {} may read it", account.name), file.display().to_string())];
            }
            Err(Obstacle::Lacks { at, right, node }) => {
                let remedy = format!("usermod -aG {GROUP} {}\nsystemctl restart muster-agent", account.name);
                return vec![Finding::problem(
                    lack(account, names, &at, right, &node),
                    file.display().to_string(),
                    remedy,
                )];
            }
            Err(Obstacle::NotThere(_)) => {}
            Err(Obstacle::Unseen(at, error)) => {
                let is_in = names.gid(GROUP).is_some_and(|gid| account.groups.contains(&gid));
                if is_in {
                    return vec![Finding::ok(
                        format!("user {} is in group {GROUP}", account.name),
                        at.display().to_string(),
                    )];
                }
                let what = format!("whether user {} may read it cannot be seen: {error}", account.name);
                return vec![Finding::warning(what, at.display().to_string(), "run the doctor as root")];
            }
        }
    }
    match (answers, is_asked_for) {
        (true, _) => vec![Finding::ok("journalctl answers", PROGRAM)],
        (false, true) => {
            let what = "the configuration asks for the journal, and journalctl shows no entry";
            let remedy = "install systemd's journald, or write [journal] enabled = false";
            vec![Finding::problem(what, "journal.enabled", remedy)]
        }
        (false, false) => vec![Finding::ok("this host has no journal; its classic log files are read", "")],
    }
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::super::look::memory::MemoryLook;
    use super::*;

    #[test]
    fn the_group_that_reads_the_journal_is_named() {
        let names = Names::of("root:x:0:0::/:/x\nmuster:x:990:989::/:/x\n", "root:x:0:\nsystemd-journal:x:999:\n");
        let account = |groups: &[&str]| {
            names.account("muster", &groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>(), 0).unwrap()
        };
        let path = "/var/log/journal/0123/system.journal";
        let mut look = MemoryLook::default();
        look.file(path, 0o640, b"").change(path, |node| node.group = 999);
        let told =
            |look: &MemoryLook, groups: &[&str]| judge(look, &[path.into()], true, false, (&account(groups), &names));
        let found = told(&look, &[]);
        assert!(
            found[0].level == Level::Problem && found[0].remedy.starts_with("usermod -aG systemd-journal muster"),
            "{found:?}"
        );
        assert_eq!(told(&look, &["systemd-journal"])[0].level, Level::Ok);
        look.closed.push("/var/log/journal".into());
        assert_eq!(told(&look, &[])[0].level, Level::Warning);
        assert_eq!(told(&look, &["systemd-journal"])[0].level, Level::Ok);
        let none = |answers, asked| judge(&look, &[], answers, asked, (&account(&[]), &names))[0].level;
        assert_eq!((none(false, true), none(false, false), none(true, true)), (Level::Problem, Level::Ok, Level::Ok));
    }
}
