//! A Debian root to install packages in: a folder of its own from the archive that `cargo xtask test` makes, entered by chroot, with the
//! network of this machine.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_common::time::monotonic;

use super::collector::signal;
use super::programs;

/// Mounts what programs need in a namespace of its own, so that nothing is left mounted, then enters. `$1` the root.
const ENTER: &str =
    r#"mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; root=$1; shift; exec chroot "$root" "$@""#;

/// A root with nothing in it but what Debian calls minimal.
pub struct Root {
    folder: tempfile::TempDir,
    /// What it shares with others and never writes to; then the folder has `upper`, its own files, and `work` and `top` for the mount.
    lower: Option<PathBuf>,
}

/// What a command in it said.
#[derive(Clone, Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub error: String,
}

impl Said {
    /// Its standard output.
    ///
    /// # Errors
    /// When it ended with another code than 0: with all that it said.
    pub fn ok(self) -> Result<String> {
        if self.code == 0 { Ok(self.out) } else { bail!("exit code {}: {}{}", self.code, self.out, self.error) }
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), error: text(&output.stderr) }
    }
}

impl Root {
    /// A fresh one.
    ///
    /// # Errors
    /// When it cannot be unpacked, for which one must be root.
    pub fn bare() -> Result<Self> {
        Self::unpack("root.tar")
    }

    /// A fresh one that has systemd.
    ///
    /// # Errors
    /// As [`Root::bare`].
    pub fn with_systemd() -> Result<Self> {
        Self::unpack("systemd.tar")
    }

    /// A fresh one of those that guides are followed on, with what their readers have already: python, cloud-init, Ansible, Prometheus, NRPE.
    /// It costs no unpacking, but only [`super::booted::Booted`] can enter it.
    ///
    /// # Errors
    /// When no folder can be made.
    pub fn for_guides() -> Result<Self> {
        let lower = programs::tool("debian-root", "guides/etc/debian_version");
        let lower = lower.ancestors().nth(2).context("no folder of roots")?.to_owned();
        let folder = tempfile::Builder::new().prefix("muster-root-").tempdir()?;
        for part in ["upper", "work", "top"] {
            std::fs::create_dir(folder.path().join(part))?;
        }
        std::fs::set_permissions(folder.path().join("upper"), std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { folder, lower: Some(lower) })
    }

    /// What it is entered by: its folder, and the one that it shares, if any.
    pub(super) fn layers(&self) -> (&Path, Option<&Path>) {
        (self.folder.path(), self.lower.as_deref())
    }

    fn unpack(archive: &str) -> Result<Self> {
        let archive = programs::tool("debian-root", archive);
        let folder = tempfile::Builder::new().prefix("muster-root-").tempdir()?;
        let mut command = Command::new("tar");
        command.args(["--extract", "--numeric-owner", "--preserve-permissions", "--exclude=./dev/*"]);
        command.arg("--file").arg(archive).arg("--directory").arg(folder.path());
        let output = command.output().context("failed to start tar")?;
        if !output.status.success() {
            bail!("the root cannot be unpacked: {}", String::from_utf8_lossy(&output.stderr));
        }
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { folder, lower: None })
    }

    /// A path in it, as seen from outside; of a file that is its own, where it shares others.
    pub fn path(&self, inside: &str) -> PathBuf {
        let own = self.folder.path().join(if self.lower.is_some() { "upper" } else { "" });
        own.join(inside.trim_start_matches('/'))
    }

    /// A file's text.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(&self, inside: &str) -> Result<String> {
        std::fs::read_to_string(self.path(inside)).with_context(|| inside.to_owned())
    }

    /// A command that runs in it as root once it is started; its id is the program's.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-ec", ENTER, "sh"]);
        command.arg(self.folder.path()).args(words);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, words: &[&str]) -> Result<Said> {
        let output = self.command(words).output().with_context(|| format!("failed to start {}", words.join(" ")))?;
        Ok(output.into())
    }

    /// Copies a folder of files into it.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn bring(&self, from: &Path, inside: &str) -> Result<()> {
        let to = self.path(inside);
        std::fs::create_dir_all(&to)?;
        for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
        Ok(())
    }

    /// Starts a unit of it as far as that goes without systemd: its command line, as its user with its groups, without capabilities, with
    /// its limit of descriptors, with a socket to say that it is ready. `words` are added to the command line.
    ///
    /// # Errors
    /// When the unit or its user is missing, or it cannot be started.
    pub fn start(&self, unit: &str, words: &[&str]) -> Result<Unit> {
        let text = self.read(&format!("/usr/lib/systemd/system/{unit}.service"))?;
        let setting = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.map(str::to_owned).with_context(|| format!("{unit}.service has no {name}="))
        };
        let user = setting("User")?;
        let files = setting("LimitNOFILE")?.parse::<u64>()?.min(files_max()?);
        let mut all = vec!["prlimit".to_owned(), format!("--nofile={files}"), "setpriv".to_owned()];
        all.extend([format!("--reuid={user}"), format!("--regid={}", setting("Group")?)]);
        match setting("SupplementaryGroups") {
            Ok(groups) => all.push(format!("--groups={}", self.groups(&groups)?)),
            Err(_) => all.push("--clear-groups".into()),
        }
        all.extend(["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"].map(String::from));
        all.extend(setting("ExecStart")?.split_whitespace().map(str::to_owned));
        all.extend(words.iter().map(|word| (*word).to_owned()));
        let socket = format!("/run/{unit}.notify");
        let heard = self.path(&socket);
        let _ = std::fs::remove_file(&heard);
        let notices = UnixDatagram::bind(&heard).with_context(|| heard.display().to_string())?;
        std::fs::set_permissions(&heard, std::fs::Permissions::from_mode(0o666))?;
        let log = self.path(&format!("/run/{unit}.log"));
        let words: Vec<&str> = all.iter().map(String::as_str).collect();
        let mut command = self.command(&words);
        command.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        command.stdout(Stdio::null()).stderr(std::fs::File::options().create(true).append(true).open(&log)?);
        let child = command.spawn().context("failed to start unshare")?;
        Ok(Unit { child, notices, log })
    }

    /// Of these names those that the root has, by number: setpriv refuses others, as systemd does.
    fn groups(&self, names: &str) -> Result<String> {
        let file = self.read("/etc/group")?;
        let number = |name: &str| {
            let line = file.lines().find(|line| line.split(':').next() == Some(name))?;
            line.split(':').nth(2).map(str::to_owned)
        };
        let numbers: Vec<String> = names.split_whitespace().filter_map(number).collect();
        if numbers.is_empty() { bail!("the root has none of the groups {names}") } else { Ok(numbers.join(",")) }
    }
}

/// How many descriptors a program may be allowed here: systemd, too, gives what it can.
fn files_max() -> Result<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).context("no limit of files")?;
    Ok(line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(u64::MAX))
}

/// What units are told to be patient for here: short, so that a test sees several signs.
const WATCHDOG: Duration = Duration::from_secs(3);

/// A program that was started as its unit says. Dropping it kills it.
pub struct Unit {
    child: Child,
    notices: UnixDatagram,
    log: PathBuf,
}

impl Unit {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it tells its service manager this; gives the whole notice.
    ///
    /// # Errors
    /// When it does not within `limit`: with what it logged.
    pub fn hear(&self, word: &str, limit: Duration) -> Result<String> {
        let end = monotonic() + limit;
        let mut buffer = [0; 4096];
        loop {
            let left = end.saturating_sub(monotonic());
            if left.is_zero() {
                bail!("no {word} within {limit:?}; it logged:\n{}", self.log());
            }
            self.notices.set_read_timeout(Some(left))?;
            // A timeout is seen at the top of the loop.
            let Ok(length) = self.notices.recv(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.lines().any(|line| line == word) {
                return Ok(text);
            }
        }
    }

    /// # Errors
    /// When it is gone.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal(self.child.id(), name)
    }

    /// SIGTERM, and waits for an orderly end that was announced.
    ///
    /// # Errors
    /// When it does not end well within 20 s.
    pub fn stop(mut self) -> Result<()> {
        self.signal("TERM")?;
        self.hear("STOPPING=1", Duration::from_secs(20))?;
        for _ in 0..400 {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() { Ok(()) } else { bail!("it ended with {status}:\n{}", self.log()) };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("it did not end within 20 s of SIGTERM:\n{}", self.log())
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = signal(self.child.id(), "KILL");
            let _ = self.child.wait();
        }
    }
}
