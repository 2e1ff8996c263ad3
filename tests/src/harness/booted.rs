//! A Debian root in which systemd itself runs as process 1, in namespaces of its own: it sees no process, network or mount of this machine.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_common::time::monotonic;

use super::root::{Root, Said};

/// Makes the mounts that systemd wants to find and becomes it. `$1` the root, `$2` the one that it shares with others, if any. By
/// pivot_root, since who lives in a chroot may make no namespaces of users, which units want.
const BOOT: &str = r#"
root=$1
mount --make-rprivate /
if [ -z "$2" ]; then
    mount --bind "$root" "$root"
else
    own=$root root=$root/top
    if ! mount -t overlay -o "lowerdir=$2,upperdir=$own/upper,workdir=$own/work" overlay "$root"; then
        mount --bind "$root" "$root"
        cp -a "$2/." "$root"
        cp -a "$own/upper/." "$root"
    fi
fi
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
cd "$root"
pivot_root . mnt
umount --lazy /mnt
exec /usr/bin/env -i container=muster-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --show-status=0 --log-target=journal --log-level=notice
"#;

/// How long a minimal system may take to boot on a starved machine.
const BOOT_LIMIT: Duration = Duration::from_secs(60);

/// A running system. Dropping it ends everything in it.
pub struct Booted {
    pub root: Root,
    child: Child,
    /// Of process 1 of the system, as this machine numbers it.
    init: u32,
    group: PathBuf,
}

impl Booted {
    /// Boots it.
    ///
    /// # Errors
    /// When this machine lets nobody do so, or the system does not come up: with what it said.
    pub fn start(root: Root) -> Result<Self> {
        Self::boot(root, None)
    }

    /// Boots it on the network of another: both have the same loopback addresses and nothing else.
    ///
    /// # Errors
    /// As [`Booted::start`].
    pub fn beside(root: Root, other: &Self) -> Result<Self> {
        Self::boot(root, Some(other.init))
    }

    fn boot(root: Root, network_of: Option<u32>) -> Result<Self> {
        let group = own_group()?;
        std::fs::create_dir_all(root.path("/var/log"))?;
        let log = std::fs::File::create(root.path("/var/log/boot.log"))?;
        let mut command = Command::new("sh");
        let enter = r#"echo $$ > "$3/cgroup.procs"; boot=$4
            if [ -n "$5" ]; then set -- "$1" "$2" "nsenter --net=/proc/$5/ns/net" ""; else set -- "$1" "$2" "" --net; fi
            exec $3 unshare --mount --pid $4 --cgroup --uts --ipc --fork --kill-child sh -ec "$boot" sh "$1" "$2""#;
        let (folder, lower) = root.layers();
        command.args(["-ec", enter, "sh"]).arg(folder).arg(lower.unwrap_or(std::path::Path::new(""))).arg(&group);
        command.arg(BOOT).arg(network_of.map_or_else(String::new, |init| init.to_string()));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("failed to start sh")?;
        let mut booted = Self { root, child, init: 0, group };
        booted.wait()?;
        Ok(booted)
    }

    fn wait(&mut self) -> Result<()> {
        let end = monotonic() + BOOT_LIMIT;
        let path = format!("/proc/{0}/task/{0}/children", self.child.id());
        while monotonic() < end {
            if let Some(status) = self.child.try_wait()? {
                bail!("systemd ended with {status}: {}", self.boot_log());
            }
            let children = std::fs::read_to_string(&path).unwrap_or_default();
            self.init = children.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
            if self.init > 0 {
                let state = self.run(&["systemctl", "is-system-running"])?.out;
                if ["running", "degraded"].contains(&state.trim()) {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("systemd is not up after {BOOT_LIMIT:?}: {}", self.boot_log())
    }

    fn boot_log(&self) -> String {
        self.root.read("/var/log/boot.log").unwrap_or_default()
    }

    /// Runs a command in it as root, to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, words: &[&str]) -> Result<Said> {
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            &self.init.to_string(),
            "--mount",
            "--pid",
            "--net",
            "--uts",
            "--ipc",
            "--cgroup",
            "--root",
            "--wd",
        ]);
        command.args(words).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        let output =
            command.stdin(Stdio::null()).output().with_context(|| format!("failed to run {}", words.join(" ")))?;
        Ok(output.into())
    }

    /// Where its files are, as it sees them now, from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init)).join(inside.trim_start_matches('/'))
    }

    /// Runs `look` until it is satisfied.
    ///
    /// # Errors
    /// When a look fails, or none is satisfied within a minute: with what the last one saw.
    pub fn until(&self, what: &str, look: impl Fn(&Self) -> Result<(bool, String)>) -> Result<String> {
        let end = monotonic() + BOOT_LIMIT;
        loop {
            let (is_good, seen) = look(self)?;
            match is_good {
                true => return Ok(seen),
                false if monotonic() > end => bail!("no {what} within {BOOT_LIMIT:?}: {seen}"),
                false => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    /// A property of a unit, such as `ActiveState`.
    ///
    /// # Errors
    /// When systemd does not answer.
    pub fn property(&self, unit: &str, name: &str) -> Result<String> {
        let said = self.run(&["systemctl", "show", "--value", "--property", name, unit])?.ok()?;
        Ok(said.trim().to_owned())
    }

    /// What a unit logged.
    ///
    /// # Errors
    /// When there is no journal.
    pub fn journal(&self, unit: &str) -> Result<String> {
        self.run(&["journalctl", "--no-pager", "--output=cat", "--unit", unit])?.ok()
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        // --kill-child: with it goes process 1, and with that every process of its namespace.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Which is a little later: a group goes once nobody is in it.
        for _ in 0..100 {
            if remove_groups(&self.group).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A control group of its own, so that systemd there touches nothing of this machine's.
fn own_group() -> Result<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (point, kind) = (words.nth(1)?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(point))
    });
    let mount = mount.context("this machine has no unified control groups")?;
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let group = mount.join(format!("muster-test-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&group).with_context(|| format!("no control group can be made at {}", group.display()))?;
    Ok(group)
}

/// Groups go from the leaves up, once their processes are gone.
fn remove_groups(group: &std::path::Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_groups(&entry.path())?;
        }
    }
    std::fs::remove_dir(group)
}
