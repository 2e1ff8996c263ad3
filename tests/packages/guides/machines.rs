//! The machines that the guides speak of: each a Debian that systemd boots when the first guide begins that names it, all on one network
//! of their own.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use muster_tests::harness::booted::Booted;
use muster_tests::harness::root::{Root, Said};

/// A machine: what is on it before a guide begins.
struct Machine {
    name: &'static str,
    /// Of loopback: they have no other network.
    address: &'static str,
    /// Of [`SERVICES`] those that run on it.
    services: &'static [&'static str],
    /// The file on the collector that whoever sells clouds makes it with: its user-data.
    made_with: Option<&'static str>,
}

const fn machine(name: &'static str, address: &'static str, services: &'static [&'static str]) -> Machine {
    Machine { name, address, services, made_with: None }
}

/// The first is there always. Names in guides; `.example` behind them works too.
const MACHINES: [Machine; 8] = [
    machine("collector", "127.0.0.2", &["ssh"]),
    machine("web-1", "127.0.0.11", &["ssh", "nagios-nrpe-server"]),
    Machine { made_with: Some("root/user-data.yaml"), ..machine("web-2", "127.0.0.12", &["ssh"]) },
    machine("web-3", "127.0.0.13", &["ssh"]),
    machine("web-4", "127.0.0.14", &["ssh"]),
    machine("collector-2", "127.0.0.3", &["ssh"]),
    machine("prometheus", "127.0.0.31", &["ssh", "prometheus", "prometheus-node-exporter"]),
    machine("laptop", "127.0.0.21", &[]),
];
/// What the image has switched on, and what a machine has only where its row says so.
const SERVICES: [&str; 4] = ["ssh", "nagios-nrpe-server", "prometheus", "prometheus-node-exporter"];
/// Where the packages of a release lie on every machine, and those of the next one.
const RELEASES: [&str; 2] = ["/srv/muster", "/srv/muster-next"];

/// Those that a text speaks of, by word.
pub(super) fn named(text: &str) -> Vec<&'static str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let words: Vec<&str> = text.split(|letter| !is_part(letter)).collect();
    MACHINES.iter().map(|machine| machine.name).filter(|name| words.contains(name)).collect()
}

/// Seconds that one block may take: a reader would have given up.
const TYPED_WITHIN: &str = "60";

pub(super) fn is_machine(name: &str) -> bool {
    MACHINES.iter().any(|machine| machine.name == name)
}

pub(super) struct Machines {
    /// By their places in [`MACHINES`].
    booted: Vec<Option<Booted>>,
    packages: [&'static Path; 2],
    /// The key by which root on the collector may go to every machine, with its public half.
    ssh_key: tempfile::TempDir,
}

impl Machines {
    /// The collector's machine runs, nothing is installed.
    ///
    /// # Errors
    /// When this machine boots none.
    pub(super) fn new(packages: &'static Path, next: &'static Path) -> Result<Self> {
        let ssh_key = tempfile::tempdir()?;
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(ssh_key.path().join("id"));
        ensure!(command.status()?.success(), "ssh-keygen made no key");
        let machines = Self { booted: MACHINES.iter().map(|_| None).collect(), packages: [packages, next], ssh_key };
        let first = Booted::start(machines.root(&MACHINES[0])?)?;
        Ok(Self { booted: std::iter::once(Some(first)).chain((1..MACHINES.len()).map(|_| None)).collect(), ..machines })
    }

    /// Boots those of these names that do not run yet, at the same time; not those that are only made by what a guide writes.
    pub(super) fn boot(&mut self, names: &[&str]) -> Result<()> {
        let wanted = |at: &usize| {
            let machine = &MACHINES[*at];
            self.booted[*at].is_none() && machine.made_with.is_none() && names.contains(&machine.name)
        };
        let wanted: Vec<usize> = (0..MACHINES.len()).filter(wanted).collect();
        let this = &*self;
        let booted: Vec<Result<Booted>> = std::thread::scope(|scope| {
            let threads: Vec<_> = wanted.iter().map(|&at| scope.spawn(move || this.boot_one(at))).collect();
            let ended = threads.into_iter().map(|thread| thread.join());
            ended.map(|ended| ended.unwrap_or_else(|_| bail!("a thread that boots panicked"))).collect()
        });
        for (at, booted) in wanted.into_iter().zip(booted) {
            self.booted[at] = Some(booted?);
        }
        Ok(())
    }

    fn boot_one(&self, at: usize) -> Result<Booted> {
        let (machine, root) = (&MACHINES[at], self.root(&MACHINES[at])?);
        let first = self.booted[0].as_ref().context("the first machine is gone")?;
        if let Some(made_with) = machine.made_with {
            let user_data = std::fs::read_to_string(first.path(made_with)).context(made_with)?;
            seed(&root, machine.name, &user_data)?;
        }
        Booted::beside(root, first)
    }

    /// Runs this script by `sh -eu` as root, to its end; one that waits for what does not come is ended with code 124.
    pub(super) fn run(&mut self, name: &str, script: &str) -> Result<Said> {
        let folder_and_script = format!("export HOME=/root LC_ALL=C.UTF-8; cd\n{script}");
        self.get(name)?.run(&["timeout", "--kill-after=5", TYPED_WITHIN, "sh", "-euc", &folder_and_script])
    }

    pub(super) fn read(&mut self, name: &str, path: &str) -> Result<String> {
        let path = self.get(name)?.path(path);
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// Writes a file, with the folders above it; one that was there keeps its owner and its mode.
    pub(super) fn write(&mut self, name: &str, path: &str, text: &str) -> Result<()> {
        let path = self.get(name)?.path(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        std::fs::write(path, text)?;
        Ok(())
    }

    /// Boots it where it does not run.
    fn get(&mut self, name: &str) -> Result<&Booted> {
        let at = MACHINES.iter().position(|machine| machine.name == name).context("no such machine")?;
        if self.booted[at].is_none() {
            self.booted[at] = Some(self.boot_one(at)?);
        }
        self.booted[at].as_ref().context("it was booted")
    }

    /// What a machine is before anybody follows a guide on it: a name, its peers' names, sshd, the packages of two releases.
    fn root(&self, machine: &Machine) -> Result<Root> {
        let root = Root::for_guides()?;
        let put = |path: &str, text: &str| put(&root, path, text);
        put("/etc/hostname", &format!("{}\n", machine.name))?;
        let hosts = MACHINES.iter().map(|peer| format!("{0} {1} {1}.example\n", peer.address, peer.name));
        put("/etc/hosts", &format!("127.0.0.1 localhost\n{}", hosts.collect::<String>()))?;
        put("/etc/ssh/sshd_config.d/own.conf", &format!("ListenAddress {}\n", machine.address))?;
        put("root/.ssh/authorized_keys", &std::fs::read_to_string(self.ssh_key.path().join("id.pub"))?)?;
        put("root/.ssh/config", "StrictHostKeyChecking accept-new\n")?;
        put("root/.ssh/id_ed25519", &std::fs::read_to_string(self.ssh_key.path().join("id"))?)?;
        std::fs::set_permissions(root.path("root/.ssh/id_ed25519"), PermissionsExt::from_mode(0o600))?;
        for folder in ["root", "root/.ssh"] {
            std::fs::set_permissions(root.path(folder), PermissionsExt::from_mode(0o700))?;
        }
        // Else agents wait up to 30 s after each end of the collector, so that many do not come back at once.
        put(
            "/etc/systemd/system/muster-collector.service.d/test.conf",
            "[Service]\nExecStart=\nExecStart=/usr/bin/muster-collector serve --set agents.spread=1s\n",
        )?;
        if machine.made_with.is_none() {
            put("/etc/cloud/cloud-init.disabled", "")?;
        }
        for service in SERVICES.iter().filter(|service| !machine.services.contains(service)) {
            let unit = root.path(&format!("/etc/systemd/system/{service}.service"));
            std::fs::create_dir_all(unit.parent().unwrap_or(Path::new("/")))?;
            symlink("/dev/null", unit)?;
        }
        for (folder, packages) in RELEASES.iter().zip(self.packages) {
            root.bring(packages, folder)?;
        }
        Ok(root)
    }
}

fn put(root: &Root, path: &str, text: &str) -> Result<()> {
    let path = root.path(path);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    std::fs::write(&path, text).with_context(|| path.display().to_string())
}

/// What cloud-init finds at the first boot: the form that needs no network (NoCloud).
fn seed(root: &Root, name: &str, user_data: &str) -> Result<()> {
    // As a cloud's image says it of itself.
    let image = "datasource_list: [NoCloud]\nnetwork: {config: disabled}\nlocale: C.UTF-8\n";
    put(root, "/etc/cloud/cloud.cfg.d/99_image.cfg", image)?;
    put(root, "/var/lib/cloud/seed/nocloud/meta-data", &format!("instance-id: i-{name}\nlocal-hostname: {name}\n"))?;
    put(root, "/var/lib/cloud/seed/nocloud/user-data", user_data)
}
