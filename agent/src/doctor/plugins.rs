//! Each plugin: whether it is there, may be started by the agent's user, is safe to start, and can work under the unit.

use std::path::{Path, PathBuf};

use muster_common::finding::Finding;

use super::account::{Account, Names};
use super::look::{Look, Obstacle, RealLook, give, lack, way};
use super::needs::{self, Need};
use super::rights::{Right, is_world_writable};
use super::scene::Scene;
use super::unit::{Unit, capability_names};
use crate::checks::settings::{Plugin, Work};

/// Where a plugin's own commands are found: what the agent gives it as PATH.
const PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// The kernel reads this much of a script's first line.
const FIRST_LINE_BYTES_MAX: usize = 256;
/// Mode bits.
const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
/// Programs that a plugin starts, whose own rights decide: `check_ping` is a wrapper.
const STARTS: [(&str, &str); 4] =
    [("check_ping", "ping"), ("check_fping", "fping"), ("check_mailq", "mailq"), ("check_ide_smart", "smartctl")];

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut count = 0;
    for check in &scene.config().checks.checks {
        if let Work::Plugin(plugin) = &check.work {
            count += 1;
            findings.extend(judge(&RealLook, &check.name, plugin, (&scene.account, &scene.names), &scene.unit));
        }
    }
    if findings.is_empty() {
        let text =
            if count == 0 { "no plugin is configured".to_owned() } else { format!("{count} plugins can be started") };
        findings.push(Finding::ok(text, ""));
    }
    findings
}

/// Everything that hinders this plugin or makes it dangerous; nothing: it can work.
fn judge(
    look: &impl Look,
    check: &str,
    plugin: &Plugin,
    (account, names): (&Account, &Names),
    unit: &Unit,
) -> Vec<Finding> {
    let Some(program) = plugin.command.first().map(PathBuf::from) else { return Vec::new() };
    let place = format!("check {check}: {}", program.display());
    let mut findings = Vec::new();
    for file in std::iter::once(program.clone()).chain(started_by(look, &program)) {
        if let Some(finding) = startable(look, &file, file == program, (account, names), &place) {
            findings.push(finding);
        }
        findings.extend(is_unsafe(look, &file, account, names, &place));
    }
    if !findings.is_empty() {
        return findings;
    }
    let mut wanted = needs::of_words(&plugin.command);
    for other in started_by(look, &program).into_iter().chain(helper(look, &program)) {
        wanted.extend(needs::of_words(&[other.display().to_string()]));
    }
    for file in std::iter::once(program.clone()).chain(helper(look, &program)) {
        wanted.extend(of_file(look, &file, account));
    }
    let (mut whys, mut lines): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (why, more) in wanted.iter().filter_map(|need| needs::judge(need, unit)) {
        for (list, texts) in [(&mut whys, vec![why]), (&mut lines, more)] {
            let new: Vec<String> = texts.into_iter().filter(|text| !list.contains(text)).collect();
            list.extend(new);
        }
    }
    if whys.is_empty() {
        return without_rights(look, &program, &wanted, account, unit, &place).into_iter().collect();
    }
    let mut remedy = needs::drop_in(&lines);
    if wanted.iter().any(|need| matches!(need, Need::OtherUser(_))) {
        // Root needs nobody to become root.
        let command = plugin.command.iter().skip(usize::from(needs::becomes_another(&program)));
        let command = command.cloned().collect::<Vec<_>>().join(" ");
        remedy = format!(
            "let root's cron or a timer run: muster-agent exec {check} --plugin -- {command}\n\
             which keeps the unit as it is; or relax it:\n{remedy}"
        );
    }
    vec![Finding::problem(format!("it {}", whys.join("; it ")), place, remedy)]
}

/// A plugin that is known to need capabilities which neither its file nor its user has.
fn without_rights(
    look: &impl Look,
    program: &Path,
    wanted: &[Need],
    account: &Account,
    unit: &Unit,
    place: &str,
) -> Option<Finding> {
    let bits = wanted.iter().find_map(|need| if let Need::Capabilities(bits) = need { Some(*bits) } else { None })?;
    let target = look.target(program);
    let by_file = look.capabilities(&target).as_deref().and_then(file_capabilities).unwrap_or(0);
    let by_owner = look.node(&target).is_ok_and(|node| node.mode & SET_USER_ID != 0 && node.owner == 0);
    let missing = bits & !(by_file | account.capabilities | unit.ambient);
    let has_helper = helper(look, program).is_some();
    if missing == 0 || by_owner || has_helper {
        return None;
    }
    let names = capability_names(missing);
    let remedy = format!("setcap {}+ep {}", names.to_lowercase().replace(' ', ","), target.display());
    Some(Finding::problem(
        format!("it needs {names}, which neither its file nor user {} has", account.name),
        place,
        remedy,
    ))
}

/// The interpreters that the kernel starts for a script, in turn: of `#!/usr/bin/env python3` both.
fn started_by(look: &impl Look, program: &Path) -> Vec<PathBuf> {
    let Ok(head) = look.head(program, FIRST_LINE_BYTES_MAX) else { return Vec::new() };
    let Some(rest) = head.strip_prefix(b"#!") else { return Vec::new() };
    let line = String::from_utf8_lossy(rest.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let mut words = line.split_ascii_whitespace();
    let Some(interpreter) = words.next() else { return Vec::new() };
    let mut files = vec![PathBuf::from(interpreter)];
    if interpreter.ends_with("/env")
        && let Some(name) = words.find(|word| !word.starts_with('-') && !word.contains('='))
    {
        files.push(in_path(look, name));
    }
    files
}

/// Where PATH has a program; in its first folder where none has it, so that it is told to be missing.
fn in_path(look: &impl Look, name: &str) -> PathBuf {
    let all = || PATH.iter().map(|folder| Path::new(folder).join(name));
    all()
        .find(|path| look.node(path).is_ok_and(|node| !node.is_folder))
        .unwrap_or_else(|| Path::new("/usr/bin").join(name))
}

fn helper(look: &impl Look, program: &Path) -> Option<PathBuf> {
    let name = program.file_name()?.to_string_lossy();
    let (_, helper) = STARTS.iter().find(|(known, _)| *known == name)?;
    Some(in_path(look, helper)).filter(|path| look.node(path).is_ok())
}

fn startable(
    look: &impl Look,
    file: &Path,
    is_plugin: bool,
    (account, names): (&Account, &Names),
    place: &str,
) -> Option<Finding> {
    let what = if is_plugin { "the plugin" } else { "its interpreter" };
    let shown = file.display();
    match way(look, account, file, Right::Execute) {
        Ok(node) if node.is_folder => {
            Some(Finding::problem(format!("{what} {shown} is a folder"), place, "name the program in `command`"))
        }
        Ok(_) => None,
        Err(Obstacle::NotThere(at)) => {
            let remedy = if is_plugin {
                "install it (apt-get install monitoring-plugins-basic), or correct `command`".to_owned()
            } else {
                format!("install {shown}, or correct the first line of the script")
            };
            Some(Finding::problem(format!("{what} is not there: {} is missing", at.display()), place, remedy))
        }
        Err(Obstacle::Lacks { at, right, node }) => {
            let nobody = right == Right::Execute && !node.is_folder && node.mode & 0o111 == 0;
            let remedy =
                if nobody { format!("chmod 0755 {}", at.display()) } else { give(account, names, &at, right, &node) };
            Some(Finding::problem(
                format!("{what} cannot be started: {}", lack(account, names, &at, right, &node)),
                place,
                remedy,
            ))
        }
        Err(Obstacle::Unseen(at, error)) => Some(Finding::warning(
            format!("{} cannot be looked at: {error}", at.display()),
            place,
            "run the doctor as root",
        )),
    }
}

/// Whoever may change the file, or the names on its way, runs code as the agent.
fn is_unsafe(look: &impl Look, file: &Path, account: &Account, names: &Names, place: &str) -> Vec<Finding> {
    let target = look.target(file);
    let mut findings = Vec::new();
    for at in target.ancestors() {
        let Ok(node) = look.node(at) else { continue };
        if is_world_writable(&node) {
            let what = format!("everybody may write to {}, and so run code as user {}", at.display(), account.name);
            findings.push(Finding::problem(what, place, format!("chmod o-w {}", at.display())));
        } else if node.owner != 0 && node.owner != account.uid {
            let what = format!(
                "{} belongs to user {}, who can run code as user {} by it",
                at.display(),
                names.user(node.owner),
                account.name
            );
            findings.push(Finding::warning(what, place, format!("chown root:root {}", at.display())));
        }
    }
    findings
}

/// What the file itself says that it needs.
fn of_file(look: &impl Look, file: &Path, account: &Account) -> Vec<Need> {
    let target = look.target(file);
    let mut needs = Vec::new();
    if let Some(bits) = look.capabilities(&target).as_deref().and_then(file_capabilities) {
        needs.push(Need::Capabilities(bits));
    }
    // What is known to do with capabilities does so without its owner's rights.
    let known = needs::of_words(&[file.display().to_string()]).iter().any(|need| matches!(need, Need::Capabilities(_)));
    if let Ok(node) = look.node(&target)
        && !known
    {
        let changes_user = node.mode & SET_USER_ID != 0 && node.owner != account.uid;
        let changes_group = node.mode & SET_GROUP_ID != 0 && !account.groups.contains(&node.group);
        if changes_user || changes_group {
            let bit = if changes_user { "set-user-id" } else { "set-group-id" };
            needs.push(Need::OtherUser(format!("the {bit} bit of {}", target.display())));
        }
    }
    needs
}

/// The permitted set of `security.capability` (revisions 2 and 3); `None`: nothing in it, or another form.
fn file_capabilities(bytes: &[u8]) -> Option<u64> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let revision = word(0)? >> 24;
    if !(2..=3).contains(&revision) {
        return None;
    }
    // Permitted and inheritable, the low halves first.
    let bits = u64::from(word(4)?) | u64::from(word(12)?) << 32;
    (bits != 0 && !capability_names(bits).is_empty()).then_some(bits)
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::super::look::memory::MemoryLook;
    use super::super::unit;
    use super::*;
    use crate::checks::exec_check::ExecLimits;

    const UNIT: &str = "[Service]\nUser=muster\nNoNewPrivileges=yes\nCapabilityBoundingSet=\nPrivateDevices=yes\nProtectSystem=strict\n\
                        SystemCallFilter=~@privileged\n";

    fn told(look: &MemoryLook, command: &str) -> Vec<Finding> {
        let names =
            Names::of("root:x:0:0::/:/x\nmuster:x:990:989::/:/x\nann:x:1000:1000::/:/x\n", "root:x:0:\nops:x:60:\n");
        let account = names.account("muster", &[], 0).unwrap();
        let limits = ExecLimits { memory_bytes: 1, files: 1, cpu_seconds: 1, nice: 0 };
        let command = command.split(' ').map(str::to_owned).collect();
        let plugin = Plugin { command, env: std::collections::BTreeMap::new(), limits };
        judge(look, "it", &plugin, (&account, &names), &unit::parse(&[UNIT.to_owned()]))
    }

    fn only(findings: &[Finding], level: Level, what: &str, remedy: &str) {
        assert_eq!(findings.len(), 1, "{findings:#?}");
        let found = &findings[0];
        assert!(found.level == level && found.what.contains(what) && found.remedy.contains(remedy), "{found:#?}");
        assert!(found.place.starts_with("check it: /p/x"), "{found:?}");
    }

    #[test]
    fn what_is_there_and_may_be_started_needs_no_word() {
        let mut look = MemoryLook::default();
        look.file("/p/x", 0o755, b"\x7fELF").file("/p/script", 0o755, b"#!/usr/bin/env python3\n");
        look.file("/usr/bin/env", 0o755, b"").file("/usr/bin/python3", 0o755, b"");
        assert_eq!(told(&look, "/p/x -w 5"), []);
        assert_eq!(told(&look, "/p/script"), []);
    }

    #[test]
    fn each_obstacle_is_told_with_its_remedy() {
        let mut look = MemoryLook::default();
        look.file("/other", 0o755, b"");
        only(
            &told(&look, "/p/x"),
            Level::Problem,
            "the plugin is not there: /p is missing",
            "monitoring-plugins-basic",
        );
        look.file("/p/x", 0o644, b"");
        only(&told(&look, "/p/x"), Level::Problem, "user muster lacks x (execute) on /p/x", "chmod 0755 /p/x");
        look.change("/p/x", |node| (node.mode, node.group) = (0o750, 60));
        only(&told(&look, "/p/x"), Level::Problem, "which is root:ops 0750", "usermod -aG ops muster");
        look.file("/p/x", 0o755, b"#! /usr/bin/python2 -u\nx");
        only(&told(&look, "/p/x"), Level::Problem, "its interpreter is not there: /usr is missing", "first line");
        look.file("/p/x", 0o777, b"");
        only(&told(&look, "/p/x"), Level::Problem, "everybody may write to /p/x", "chmod o-w /p/x");
        look.file("/p/x", 0o755, b"").change("/p", |node| node.owner = 1000);
        only(&told(&look, "/p/x"), Level::Warning, "/p belongs to user ann", "chown root:root /p");
        look.closed.push(PathBuf::from("/p"));
        only(&told(&look, "/p/x"), Level::Warning, "cannot be looked at", "as root");
    }

    #[test]
    fn rights_that_the_file_would_get_are_held_against_the_unit() {
        let mut look = MemoryLook::default();
        look.file("/p/x", 0o755, b"");
        let attribute = [0x0200_0001_u32, 1 << 13, 0, 0, 0].map(u32::to_le_bytes).concat();
        look.capabilities.insert(PathBuf::from("/p/x"), attribute);
        only(
            &told(&look, "/p/x"),
            Level::Problem,
            "it needs CAP_NET_RAW",
            "[Service]\nAmbientCapabilities=CAP_NET_RAW\n",
        );
        look.capabilities.clear();
        look.change("/p/x", |node| node.mode = 0o4755);
        let found = told(&look, "/p/x -q");
        only(&found, Level::Problem, "by the set-user-id bit of /p/x", "NoNewPrivileges=no\n");
        assert!(
            found[0].remedy.starts_with("let root's cron or a timer run: muster-agent exec it --plugin -- /p/x -q"),
            "{found:?}"
        );
        assert_eq!(file_capabilities(&[1, 0, 0, 1]), None);
        assert_eq!(file_capabilities(&[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn a_helper_counts_as_its_plugin_does() {
        let mut look = MemoryLook::default();
        look.file("/p/check_ping", 0o755, b"").file("/usr/bin/ping", 0o755, b"");
        let filter = "[Service]\nSystemCallFilter=capset setuid";
        let found = told(&look, "/p/check_ping -H x");
        assert!(found.len() == 1 && found[0].remedy.ends_with(filter), "{found:?}");
        let attribute = [0x0200_0001_u32, 1 << 13, 0, 0, 0].map(u32::to_le_bytes).concat();
        look.capabilities.insert(PathBuf::from("/usr/bin/ping"), attribute);
        let found = told(&look, "/p/check_ping -H x");
        assert!(found[0].what.contains("; it needs CAP_NET_RAW") && found[0].remedy.contains(filter), "{found:?}");
        assert!(
            found[0].remedy.ends_with("\nAmbientCapabilities=CAP_NET_RAW\nCapabilityBoundingSet=CAP_NET_RAW"),
            "{found:?}"
        );
    }
}
