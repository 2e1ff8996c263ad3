//! The configuration: whether it loads, whether the agent's user may read it, and who else may write to it.

use std::path::Path;

use muster_common::finding::Finding;

use super::account::{Account, Names};
use super::look::{Look, Obstacle, RealLook, give, lack, way};
use super::rights::{Right, is_world_writable};
use super::scene::Scene;

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    let mut findings = Vec::new();
    for problem in scene.mistakes.iter().flat_map(|mistakes| &mistakes.0) {
        let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
        let what = format!("{key}{}", problem.message);
        findings.push(Finding::problem(what, problem.place.to_string(), problem.remedy.clone()));
    }
    findings.extend(judge(&RealLook, &scene.config_file, &scene.account, &scene.names));
    if findings.is_empty() {
        let config = scene.config();
        let (checks, groups) = (config.checks.checks.len(), config.logs.groups.as_ref().map_or(0, Vec::len));
        let text =
            format!("it loads: {checks} checks, {groups} groups of logs, a sample each {:?}", config.metrics.interval);
        findings.push(Finding::ok(text, scene.config_file.display().to_string()));
    }
    findings
}

/// The file's rights; a missing file means the defaults.
fn judge(look: &impl Look, file: &Path, account: &Account, names: &Names) -> Vec<Finding> {
    let place = file.display().to_string();
    match way(look, account, file, Right::Read) {
        Ok(_) => {}
        Err(Obstacle::NotThere(_)) => return Vec::new(),
        Err(Obstacle::Lacks { at, right, node }) => {
            return vec![Finding::problem(
                lack(account, names, &at, right, &node),
                place,
                give(account, names, &at, right, &node),
            )];
        }
        Err(Obstacle::Unseen(at, error)) => {
            let what = format!("{} cannot be looked at: {error}", at.display());
            return vec![Finding::warning(what, place, "run the doctor as root")];
        }
    }
    let target = look.target(file);
    let writable = target.ancestors().filter(|at| look.node(at).is_ok_and(|node| is_world_writable(&node)));
    let one = |at: &Path| {
        let what = format!("everybody may write to {}, and so give the agent commands to run", at.display());
        Finding::problem(what, place.clone(), format!("chmod o-w {}", at.display()))
    };
    writable.map(one).collect()
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::super::look::memory::MemoryLook;
    use super::*;

    #[test]
    fn the_agent_may_read_it_and_only_root_may_write_it() {
        let names = Names::of("muster:x:990:989::/:/x\n", "muster:x:989:\n");
        let account = names.account("muster", &[], 0).unwrap();
        let mut look = MemoryLook::default();
        let told = |look: &MemoryLook| judge(look, Path::new("/etc/muster/agent.toml"), &account, &names);
        assert_eq!(told(&look), []);
        look.file("/etc/muster/agent.toml", 0o644, b"");
        assert_eq!(told(&look), []);
        look.change("/etc/muster/agent.toml", |node| (node.mode, node.group) = (0o640, 989));
        assert_eq!(told(&look), []);
        look.change("/etc/muster/agent.toml", |node| node.mode = 0o600);
        assert!(told(&look)[0].remedy.starts_with("setfacl -m u:muster:r /etc/muster/agent.toml"), "{:?}", told(&look));
        look.change("/etc/muster/agent.toml", |node| node.mode = 0o666);
        let found = told(&look);
        assert!(found[0].level == Level::Problem && found[0].remedy == "chmod o-w /etc/muster/agent.toml", "{found:?}");
        look.closed.push("/etc".into());
        assert_eq!(told(&look)[0].level, Level::Warning);
    }
}
