//! A cgroup (version 2) for each run: what it bounds holds for all of a task's processes together, and one write ends all of them.
//!
//! The unit delegates a subtree (`Delegate=yes`). This process moves into a leaf of it, since the kernel bounds only groups without processes of
//! their own, and makes a group beside itself for each run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use muster_common::task::Limits;

/// Where version 2 is mounted, by itself or beside version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// The leaf of this process.
const OWN: &str = "muster-task";

/// Where groups can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    base: PathBuf,
    /// Memory and processes can be bounded; else groups only end what runs.
    pub has_limits: bool,
}

/// The group of one run. Removed when dropped.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
}

impl Groups {
    /// Prepares the subtree that this process is in; `None`: the system gives none to it.
    pub fn open() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
        MOUNTS.iter().find_map(|mount| Self::at(&Path::new(mount).join(path.trim_start_matches('/')), path == "/"))
    }

    fn at(base: &Path, is_root: bool) -> Option<Self> {
        fs::metadata(base.join("cgroup.procs")).ok()?;
        // A group of a process before, or of this one: whoever is already in the leaf stands below what was delegated.
        let base = if base.ends_with(OWN) { base.parent()? } else { base };
        if !is_root {
            let leaf = base.join(OWN);
            make(&leaf).ok()?;
            fs::write(leaf.join("cgroup.procs"), std::process::id().to_string()).ok()?;
            for controller in ["+memory", "+pids"] {
                // What the system does not have shows below.
                let _ = fs::write(base.join("cgroup.subtree_control"), controller);
            }
        }
        end_left_over(base);
        let probe = base.join(format!("{OWN}-probe-{}", std::process::id()));
        make(&probe).ok()?;
        let has = |file: &str| fs::metadata(probe.join(file)).is_ok();
        let (can_kill, has_limits) = (has("cgroup.kill"), has("memory.max") && has("pids.max"));
        fs::remove_dir(&probe).ok()?;
        can_kill.then(|| Self { base: base.to_owned(), has_limits })
    }

    /// A group of this name with these limits, empty.
    ///
    /// # Errors
    /// As the file system: the group is still in use, or a limit cannot be set.
    pub fn make(&self, name: &str, limits: &Limits) -> io::Result<Group> {
        // With the process, since another one may run the same call of another host.
        let group = Group { path: self.base.join(format!("{OWN}-{}-{name}", std::process::id())) };
        make(&group.path)?;
        if self.has_limits {
            fs::write(group.path.join("memory.max"), limits.memory_bytes.to_string())?;
            fs::write(group.path.join("pids.max"), limits.processes.to_string())?;
            // Absent without swap.
            let _ = fs::write(group.path.join("memory.swap.max"), "0");
        }
        Ok(group)
    }
}

impl Group {
    /// The file that a process writes 0 to, to be in it.
    pub fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// SIGKILL to all of them at once; forks do not get away.
    ///
    /// # Errors
    /// As the file system.
    pub fn kill(&self) -> io::Result<()> {
        fs::write(self.path.join("cgroup.kill"), "1")
    }

    /// Whether anybody is in it.
    pub fn is_empty(&self) -> bool {
        fs::read_to_string(self.procs()).map_or(true, |text| text.trim().is_empty())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a cgroup cannot be removed");
        }
    }
}

/// Ends what a process that was killed has left in groups of its runs, and takes these away.
fn end_left_over(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str());
        let process =
            name.and_then(|name| name.strip_prefix(OWN)?.strip_prefix('-')?.split('-').next()?.parse::<u32>().ok());
        if process.is_none_or(|process| Path::new(&format!("/proc/{process}")).exists()) {
            continue;
        }
        tracing::warn!(path = %path.display(), "a run outlived its muster-task and is ended");
        let ended = fs::write(path.join("cgroup.kill"), "1");
        // The kernel lets a group go once its last process is gone; else the next start tries again.
        if let Err(error) = ended.and_then(|()| fs::remove_dir(&path)) {
            tracing::warn!(path = %path.display(), %error, "a cgroup cannot be taken away yet");
        }
    }
}

fn make(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
