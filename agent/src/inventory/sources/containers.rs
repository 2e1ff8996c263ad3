//! Containers: as their manager tells them over its socket, where this user may use it; else those that run, by their control groups.

use std::collections::BTreeSet;

use muster_common::inventory::Rows;

use super::{Problem, Scene, docker};

/// Groups that are looked at, some 10 ms each minute, and how deep they are nested: pods stand four levels down.
const GROUPS_MAX: usize = 5_000;
const DEPTH_MAX: usize = 7;
/// Names of the groups of a container, and what runs them. Behind them stands the container's id.
const SCOPES: [(&str, &str); 4] =
    [("docker-", "docker"), ("libpod-", "podman"), ("cri-containerd-", "containerd"), ("crio-", "crio")];
/// Digits of an id.
const ID_DIGITS: usize = 64;

pub(super) fn read(scene: &Scene, rows: &mut Rows) -> Result<(), Problem> {
    for (runtime, socket) in &scene.container_sockets {
        match docker::containers(socket, runtime) {
            Ok(found) => found.into_iter().for_each(|row| rows.add(row)),
            // Not there, or not for this user: their control groups are for all.
            Err(docker::Silent::Absent) => {}
            Err(docker::Silent::Failed(problem)) => return Err(problem),
        }
    }
    let mut found = BTreeSet::new();
    // Version 2 stands in the root, version 1 has systemd's in a folder.
    let top =
        if scene.path("sys/fs/cgroup/cgroup.controllers").exists() { "sys/fs/cgroup" } else { "sys/fs/cgroup/systemd" };
    let mut left = GROUPS_MAX;
    walk(scene, top, 0, &mut left, &mut found);
    if left == 0 {
        scene.note(format!("/{top}: only {GROUPS_MAX} control groups are looked at for containers"));
    }
    for (id, runtime) in found {
        // What a manager told stays: the first of equal keys does.
        rows.add([id.into(), None::<String>.into(), runtime.into(), None::<String>.into(), "running".into()]);
    }
    Ok(())
}

fn walk(scene: &Scene, folder: &str, depth: usize, left: &mut usize, found: &mut BTreeSet<(String, &'static str)>) {
    let Ok(entries) = std::fs::read_dir(scene.path(folder)) else { return };
    for entry in entries.flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if *left == 0 {
            return;
        }
        *left -= 1;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(container) = container_of(&name) {
            found.insert(container);
        } else if depth < DEPTH_MAX {
            walk(scene, &format!("{folder}/{name}"), depth + 1, left, found);
        }
    }
}

/// `docker-0123...cdef.scope`
fn container_of(group: &str) -> Option<(String, &'static str)> {
    let name = group.strip_suffix(".scope").unwrap_or(group);
    let (id, runtime) = SCOPES.iter().find_map(|(start, runtime)| name.strip_prefix(start).map(|id| (id, *runtime)))?;
    (id.len() == ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| (id.to_owned(), runtime))
}

#[cfg(test)]
mod tests {
    use super::container_of;

    #[test]
    fn groups_of_containers_are_known_by_name_and_id() {
        let id = "0123456789abcdef".repeat(4);
        for (start, runtime) in [("docker-", "docker"), ("libpod-", "podman"), ("cri-containerd-", "containerd")] {
            assert_eq!(container_of(&format!("{start}{id}.scope")), Some((id.clone(), runtime)));
        }
        for other in ["docker-1.scope", "nginx.service", "docker-.scope", "libpod-conmon-x.scope"] {
            assert_eq!(container_of(other), None, "{other}");
        }
    }
}
