//! A collector that was installed from its package, in a root, and the way from nothing to a host's first data beside it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_common::time::monotonic;

use super::http::{Connection, escape};
use super::programs;
use super::root::{Root, Unit};

/// Longer than anything here takes on a starved machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Where a root has the packages.
pub const SHELF: &str = "/opt/packages";

/// The units, below the repository's root.
pub const AGENT_UNIT: &str = "packaging/agent/muster-agent.service";
pub const COLLECTOR_UNIT: &str = "packaging/collector/muster-collector.service";

/// A file of the repository.
pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).join(path)
}

/// How exposed a unit is, from 0 (closed) to 10 (open), as systemd-analyze judges it.
///
/// # Errors
/// With what systemd-analyze said.
pub fn exposure(unit: &str) -> Result<f64> {
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--no-pager"]).arg(source(unit));
    let output = command.env("SYSTEMD_COLORS", "0").output().context("failed to start systemd-analyze")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().rev().find_map(|line| line.split_once("Overall exposure level for"));
    let number = line.and_then(|(_, rest)| rest.split_once(": ")?.1.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("no exposure in: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Makes the packages of this version of programs that are built.
///
/// # Errors
/// With what `cargo xtask dist` said.
pub fn make(programs: &Path, version: &str, out: &Path) -> Result<()> {
    let mut command = Command::new(programs::program(programs, "xtask"));
    programs::program(programs, "muster-pages");
    command.args(["dist", "--profile", "dev", "--version", version, "--programs"]).arg(programs).arg("--out").arg(out);
    // A time in the past that is always the same: bytes must not depend on when they were made.
    let output = command.env("SOURCE_DATE_EPOCH", "1780000000").output()?;
    if output.status.success() { Ok(()) } else { bail!("dist: {}", String::from_utf8_lossy(&output.stderr)) }
}

/// The installed collector, running.
pub struct PackagedCollector {
    pub unit: Unit,
    pub http: SocketAddr,
    pub agents: SocketAddr,
    token: String,
}

impl PackagedCollector {
    /// Starts the installed unit on free ports of loopback, and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it does not start: with its log.
    pub fn start(root: &Root) -> Result<Self> {
        let unit = root.start("muster-collector", &["--http", "127.0.0.1:0", "--agents", "127.0.0.1:0"])?;
        unit.hear("READY=1", LIMIT)?;
        let log = unit.log();
        let ready = log.lines().rev().find(|line| line.contains("muster-collector ready")).context("no ready line")?;
        let word = |key: &str| ready.split_whitespace().find_map(|word| word.strip_prefix(key)?.parse().ok());
        let (Some(http), Some(agents)) = (word("http="), word("agents=")) else { bail!("no addresses in {ready}") };
        let token = root.read("/var/lib/muster-collector/admin.token")?.trim().to_owned();
        Ok(Self { unit, http, agents, token })
    }

    /// A word for this host, by the installed command as an operator calls it.
    ///
    /// # Errors
    /// With what `muster` said.
    pub fn token(&self, root: &Root, name: &str) -> Result<String> {
        let url = format!("http://{}", self.http);
        let said = root.run(&["muster", "--url", &url, "token", "new", "--name", name])?.ok()?;
        said.lines().last().map(str::to_owned).context("muster token new printed nothing")
    }

    /// The number of an instant query; `None` when it has no result.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn number(&self, expression: &str) -> Result<Option<f64>> {
        let headers = [format!("Authorization: Bearer {}", self.token), "Connection: close".to_owned()];
        let path = format!("/api/v1/query?query={}", escape(expression));
        let answer = Connection::open(self.http)?.request("GET", &path, &headers, b"")?.json()?;
        let text = answer.pointer("/data/result/0/value/1").and_then(serde_json::Value::as_str);
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// Waits for a result that `wanted` takes.
    ///
    /// # Errors
    /// When it does not come within a minute.
    pub fn until(&self, expression: &str, wanted: impl Fn(f64) -> bool) -> Result<f64> {
        let end = monotonic() + LIMIT;
        loop {
            match self.number(expression)? {
                Some(number) if wanted(number) => return Ok(number),
                last if monotonic() > end => bail!("{expression} is {last:?} after {LIMIT:?}"),
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// Runs the installer that lies beside the packages in a root.
///
/// # Errors
/// When it cannot be started.
pub fn install(root: &Root, words: &[&str]) -> Result<super::root::Said> {
    let script = format!("{SHELF}/install.sh");
    let mut all = vec!["sh", &script];
    all.extend(words);
    root.run(&all)
}

/// How long it takes from a bare root to the host's first number in the API, with these packages: the installer, then the unit as it is
/// started by systemd elsewhere. The collector runs already, in a root of its own.
///
/// # Errors
/// When a step fails.
pub fn first_data(packages: &Path) -> Result<Duration> {
    let (middle, host) = (Root::bare()?, Root::bare()?);
    middle.bring(packages, SHELF)?;
    let debs: Vec<PathBuf> =
        ["muster-collector_", "muster_"].map(|start| deb(packages, start)).into_iter().collect::<Result<_>>()?;
    for deb in debs {
        let name = deb.file_name().unwrap_or_default().to_string_lossy().into_owned();
        middle.run(&["dpkg", "-i", &format!("{SHELF}/{name}")])?.ok()?;
    }
    let collector = PackagedCollector::start(&middle)?;
    let word = collector.token(&middle, "first")?;
    host.bring(packages, SHELF)?;
    let start = monotonic();
    install(&host, &["--collector", &collector.agents.to_string(), "--token", &word, "--from", SHELF])?.ok()?;
    let agent = host.start("muster-agent", &[])?;
    collector.until("node_load1{host=\"first\"}", |_| true)?;
    let took = monotonic() - start;
    agent.stop()?;
    collector.unit.stop()?;
    Ok(took)
}

/// The .deb in a folder whose name begins so.
///
/// # Errors
/// When there is none.
pub fn deb(packages: &Path, start: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(packages).with_context(|| packages.display().to_string())?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let found = paths.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(start) && name.ends_with(".deb")
    });
    found.with_context(|| format!("{} has no {start}*.deb", packages.display()))
}
