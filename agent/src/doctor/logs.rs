//! Each configured log: whether the agent's user may read what the pattern matches, and see that there is anything.

use std::path::Path;

use muster_common::finding::Finding;

use super::account::{Account, Names};
use super::look::{Look, Obstacle, RealLook, give, lack, right_name, way};
use super::needs;
use super::rights::{Right, allows};
use super::scene::Scene;
use super::unit::Unit;
use crate::logs::defaults::choose;
use crate::logs::files::{Files, RealFiles};
use crate::logs::glob::Glob;
use crate::logs::settings::LogGroup;

/// Files of one pattern that are looked at: what is wrong with thousands is wrong with these.
const FILES_MAX: usize = 1_000;
/// Findings of one pattern; the rest is counted.
const TOLD_MAX: usize = 5;

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    let has_journal = super::journal::answers();
    let (groups, _) = choose(&scene.config().logs, has_journal, &RealFiles);
    let is_own = scene.config().logs.groups.is_some();
    let mut findings = Vec::new();
    let mut count = 0;
    for group in &groups {
        for pattern in &group.paths {
            let (found, files) =
                judge(&RealLook, &RealFiles, (group, pattern), (&scene.account, &scene.names), &scene.unit);
            count += files;
            // Of the classic files a system has some only.
            let wanted = |finding: &Finding| is_own || !finding.what.starts_with(NOTHING);
            findings.extend(found.into_iter().filter(wanted));
        }
    }
    if findings.is_empty() {
        let text =
            if groups.is_empty() { "no files are configured".to_owned() } else { format!("{count} files can be read") };
        findings.push(Finding::ok(text, ""));
    }
    findings
}

const NOTHING: &str = "nothing matches";

/// What hinders the reading of this pattern's files, and how many there are.
fn judge<F: Files>(
    look: &impl Look,
    files: &F,
    (group, pattern): (&LogGroup, &Glob),
    (account, names): (&Account, &Names),
    unit: &Unit,
) -> (Vec<Finding>, usize) {
    let place = pattern.text().to_owned();
    if let Some((why, lines)) = needs::hidden(pattern.text(), unit) {
        return (vec![Finding::problem(why, place, needs::drop_in(&lines))], 0);
    }
    let found = pattern.expand(files);
    let mut findings: Vec<Finding> = Vec::new();
    let mut more = 0;
    let mut tell = |finding: Finding| {
        // One folder closes all that is in it, and is told once.
        if findings.contains(&finding) {
            return;
        }
        if findings.len() < TOLD_MAX { findings.push(finding) } else { more += 1 }
    };
    // Folders with a wildcard in them are listed by the agent. Of one that it cannot list it finds no file.
    let mut closed: Vec<&Path> = Vec::new();
    for folder in listed(pattern, &found.folders) {
        if let Some(finding) = readable(look, folder, Right::Read, account, names, &place) {
            closed.push(folder);
            tell(finding);
        }
    }
    let wanted = found.files.iter().filter(|(path, _)| !group.exclude.iter().any(|glob| glob.matches(path)));
    let wanted: Vec<&Path> = wanted.map(|(path, _)| path.as_path()).collect();
    for path in wanted.iter().take(FILES_MAX).filter(|path| !closed.iter().any(|folder| path.starts_with(folder))) {
        if let Some(finding) = readable(look, path, Right::Read, account, names, &place) {
            tell(finding);
        }
    }
    for (folder, error) in &found.refused {
        let finding = readable(look, folder, Right::Read, account, names, &place);
        tell(finding.unwrap_or_else(|| {
            Finding::warning(
                format!("{} cannot be listed: {error}", folder.display()),
                place.clone(),
                "run the doctor as root",
            )
        }));
    }
    if more > 0 {
        findings.push(Finding::problem(
            format!("{more} more names of this pattern lack rights"),
            place.clone(),
            "as those above",
        ));
    }
    if findings.is_empty() && wanted.is_empty() {
        let reaches = first_plain(pattern);
        let finding = readable(look, &reaches, Right::Execute, account, names, &place);
        let nothing = || {
            let remedy = "nothing, if the file comes later; else correct [[logs]] paths";
            Finding::warning(format!("{NOTHING} {place}"), place.clone(), remedy)
        };
        findings.push(finding.unwrap_or_else(nothing));
    }
    (findings, wanted.len())
}

/// Those of the folders that a wildcard of the pattern lists.
fn listed<'a>(pattern: &Glob, folders: &'a [std::path::PathBuf]) -> &'a [std::path::PathBuf] {
    let last = pattern.text().rsplit('/').next().unwrap_or_default();
    if last.contains(['*', '?', '[']) { folders } else { &[] }
}

/// The folder before the first wildcard.
fn first_plain(pattern: &Glob) -> std::path::PathBuf {
    let mut folder = std::path::PathBuf::from("/");
    let parts: Vec<&str> = pattern.text().trim_start_matches('/').split('/').collect();
    for part in &parts[..parts.len().saturating_sub(1)] {
        if part.contains(['*', '?', '[']) {
            break;
        }
        folder.push(part);
    }
    folder
}

fn readable(
    look: &impl Look,
    path: &Path,
    right: Right,
    account: &Account,
    names: &Names,
    place: &str,
) -> Option<Finding> {
    match way(look, account, path, right) {
        Ok(_) | Err(Obstacle::NotThere(_)) => None,
        Err(Obstacle::Lacks { at, right, node }) => {
            let mut remedy = give(account, names, &at, right, &node);
            // Of a group that is its own the others' files may differ: all of them at once is another way.
            if remedy.starts_with("setfacl") {
                let lines =
                    ["AmbientCapabilities", "CapabilityBoundingSet"].map(|key| format!("{key}=CAP_DAC_READ_SEARCH"));
                remedy =
                    format!("{remedy}\nor let the agent read every file of this host:\n{}", needs::drop_in(&lines));
            }
            Some(Finding::problem(lack(account, names, &at, right, &node), place, remedy))
        }
        Err(Obstacle::Unseen(at, error)) => {
            // Who is the agent's user finds what the agent finds.
            let above = at.parent().and_then(|folder| look.node(folder).ok().map(|node| (folder, node)));
            if let Some((folder, node)) = above
                && !allows(account, &node, Right::Execute)
            {
                let what = lack(account, names, folder, Right::Execute, &node);
                return Some(Finding::problem(what, place, give(account, names, folder, Right::Execute, &node)));
            }
            let what = format!(
                "whether user {} has {} on {} cannot be seen: {error}",
                account.name,
                right_name(right, false),
                at.display()
            );
            Some(Finding::warning(what, place, "run the doctor as root"))
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::super::look::memory::MemoryLook;
    use super::*;
    use crate::logs::memory::MemoryFiles;
    use crate::logs::settings::From;

    fn told(look: &MemoryLook, pattern: &str, unit: &Unit) -> Vec<Finding> {
        let names = Names::of("root:x:0:0::/:/x\nmuster:x:990:989::/:/x\n", "root:x:0:\nadm:x:4:\n");
        let account = names.account("muster", &[], 0).unwrap();
        let files = MemoryFiles::default();
        look.nodes
            .iter()
            .filter(|(_, node)| !node.is_folder)
            .for_each(|(path, _)| files.write(&path.display().to_string(), b"x\n"));
        let glob = Glob::new(pattern).unwrap();
        let exclude = vec![Glob::new("/var/log/app/secret*").unwrap()];
        let group =
            LogGroup { paths: vec![glob.clone()], exclude, labels: Vec::new(), from: From::Start, multiline: None };
        judge(look, &files, (&group, &glob), (&account, &names), unit).0
    }

    #[test]
    fn the_file_the_right_and_the_remedy_are_named() {
        let mut look = MemoryLook::default();
        look.file("/var/log/app/a.log", 0o644, b"").file("/var/log/app/secret.log", 0o600, b"");
        assert_eq!(told(&look, "/var/log/app/*.log", &Unit::default()), []);
        look.change("/var/log/app/a.log", |node| (node.mode, node.group) = (0o640, 4));
        let found = told(&look, "/var/log/app/*.log", &Unit::default());
        assert!(
            found.len() == 1 && found[0].what.contains("lacks r (read) on /var/log/app/a.log, which is root:adm 0640")
        );
        assert_eq!((found[0].place.as_str(), found[0].level), ("/var/log/app/*.log", Level::Problem));
        assert!(found[0].remedy.starts_with("usermod -aG adm muster"), "{found:?}");
        look.change("/var/log/app/a.log", |node| node.mode = 0o600);
        let found = told(&look, "/var/log/app/a.log", &Unit::default());
        assert!(
            found[0].remedy.contains("setfacl -m u:muster:r") && found[0].remedy.contains("CAP_DAC_READ_SEARCH"),
            "{found:?}"
        );
    }

    #[test]
    fn a_closed_folder_is_told_once_for_all_that_is_in_it() {
        let mut look = MemoryLook::default();
        (0..20).for_each(|number| _ = look.file(&format!("/var/log/app/{number}.log"), 0o644, b""));
        look.change("/var/log/app", |node| node.mode = 0o700);
        let found = told(&look, "/var/log/app/*.log", &Unit::default());
        assert!(found.len() == 1 && found[0].what.contains("lacks r (list) on /var/log/app"), "{found:?}");
        let found = told(&look, "/var/log/app/5.log", &Unit::default());
        assert!(found.len() == 1 && found[0].what.contains("lacks x (go through) on /var/log/app"), "{found:?}");
        look.change("/var/log/app", |node| node.mode = 0o711);
        let found = told(&look, "/var/log/app/*.log", &Unit::default());
        assert!(found.len() == 1 && found[0].what.contains("lacks r (list) on /var/log/app"), "{found:?}");
        assert_eq!(told(&look, "/var/log/app/5.log", &Unit::default()), [], "a plain name needs no listing");
        (0..20).for_each(|number| _ = look.file(&format!("/var/log/app/{number}.log"), 0o600, b""));
        look.change("/var/log/app", |node| node.mode = 0o755);
        let found = told(&look, "/var/log/app/*.log", &Unit::default());
        assert!(found.len() == TOLD_MAX + 1 && found[TOLD_MAX].what.starts_with("15 more"), "{found:?}");
    }

    #[test]
    fn nothing_there_and_what_the_unit_hides_are_told() {
        let mut look = MemoryLook::default();
        look.file("/var/log/other", 0o644, b"");
        let found = told(&look, "/var/log/app/*.log", &Unit::default());
        assert!(found[0].level == Level::Warning && found[0].what.starts_with(NOTHING), "{found:?}");
        let unit = Unit { private_tmp: true, ..Unit::default() };
        assert!(told(&look, "/tmp/x.log", &unit)[0].remedy.ends_with("[Service]\nPrivateTmp=no"));
        look.closed.push("/var/log".into());
        assert!(told(&look, "/var/log/other", &Unit::default())[0].remedy.contains("root"));
    }
}
