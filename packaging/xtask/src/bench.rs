//! `cargo xtask bench`: loads of metrics and log lines against a release build of the collector, and the agent's own cost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::figures::Row;
use crate::process::{self, Kept};
use crate::{build, figures};

/// A release collector on loopback in a folder that goes with it.
pub(crate) struct Collector {
    pub(crate) kept: Kept,
    pub(crate) http: String,
    pub(crate) agents: String,
    pub(crate) token: String,
    pub(crate) data: PathBuf,
}

impl Collector {
    pub(crate) fn start(programs: &Path, folder: &Path) -> Result<Self> {
        let data = folder.join("collector");
        let mut command = Command::new(programs.join("muster-collector"));
        command.args(["serve", "--http", "127.0.0.1:0", "--agents", "127.0.0.1:0", "--data"]).arg(&data);
        let mut kept = Kept::start(&mut command)?;
        let limit = Duration::from_secs(60);
        let ready = kept.wait_for("ready line", limit, |line| line.contains("ready http=").then(|| line.to_owned()))?;
        let word = |key: &str| {
            let found = ready.split_whitespace().find_map(|word| word.strip_prefix(key)).map(str::to_owned);
            found.with_context(|| format!("the ready line has no {key}: {ready}"))
        };
        let (http, agents) = (word("http=")?, word("agents=")?);
        let token = std::fs::read_to_string(data.join("admin.token")).context("no admin.token")?.trim().to_owned();
        Ok(Self { kept, http, agents, token, data })
    }

    /// What `muster` prints when it asks this collector as its administrator.
    pub(crate) fn muster(&self, programs: &Path, words: &[&str]) -> Result<String> {
        let mut command = Command::new(programs.join("muster"));
        command.args(["--url", &format!("http://{}", self.http), "--token", &self.token]).args(words);
        process::output(&mut command)
    }
}

/// What a trial printed on its last line: `key=value` words.
pub(crate) type Values = BTreeMap<String, f64>;

/// Runs `muster-trial` to its end and reads its last line.
pub(crate) fn trial(programs: &Path, words: &[&str]) -> Result<Values> {
    trial_lines(programs, words).map(|(_, values)| values)
}

/// As [`trial`], with the lines before the last.
pub(crate) fn trial_lines(programs: &Path, words: &[&str]) -> Result<(Vec<String>, Values)> {
    let mut command = Command::new(programs.join("muster-trial"));
    let text = process::output(command.args(words))?;
    for line in text.lines() {
        println!("  {line}");
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines.pop().unwrap_or_default();
    let pairs = last.split_whitespace().filter_map(|word| word.split_once('='));
    let values: Values = pairs.filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?))).collect();
    if values.is_empty() {
        bail!("muster-trial {} printed no values: {text}", words.join(" "));
    }
    Ok((lines, values))
}

/// A collector that has taken one load and has all of it in segments.
pub(crate) struct Loaded {
    pub(crate) collector: Collector,
    /// What the trial told.
    values: Values,
    pub(crate) cpu_seconds: f64,
    pub(crate) disk_bytes: f64,
    pub(crate) peak_mib: f64,
    /// Goes with this value, after the collector.
    _folder: TempDir,
}

impl Loaded {
    pub(crate) fn value(&self, key: &str) -> Result<f64> {
        self.values.get(key).copied().with_context(|| format!("the trial tells no {key}"))
    }
}

/// One load by its name in `muster-trial` against a fresh collector; `ticks` batches of each host.
pub(crate) fn load(programs: &Path, name: &str, hosts: u32, ticks: u32) -> Result<Loaded> {
    let folder = tempfile::Builder::new().prefix("muster-bench-").tempdir()?;
    let collector = Collector::start(programs, folder.path())?;
    let before = process::cpu_seconds(collector.kept.id())?;
    let (hosts, ticks) = (hosts.to_string(), ticks.to_string());
    let target = if name.ends_with("wire") { &collector.agents } else { &collector.http };
    let mut words = vec![name, "--target", target, "--http", &collector.http, "--token", &collector.token];
    words.extend(["--hosts", &hosts, "--ticks", &ticks, "--flush"]);
    let values = trial(programs, &words)?;
    let id = collector.kept.id();
    Ok(Loaded {
        values,
        cpu_seconds: process::cpu_seconds(id)? - before,
        disk_bytes: process::folder_bytes(&collector.data.join("segments")) as f64,
        peak_mib: process::status_kib(id, "VmHWM")? as f64 / 1024.0,
        collector,
        _folder: folder,
    })
}

/// Samples, collector CPU seconds until all of them are in segments, and data folder bytes of one load.
pub(crate) struct Ingested {
    pub(crate) samples: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) disk_bytes: f64,
    pub(crate) peak_mib: f64,
    pub(crate) wire_bytes: f64,
}

/// One load of metrics (`wire` or `remote-write`): 100 k series, one scrape a batch or request group.
pub(crate) fn ingest(programs: &Path, name: &str, ticks: u32) -> Result<Ingested> {
    let mut loaded = load(programs, name, 200, ticks)?;
    let ingested = Ingested {
        samples: loaded.value("samples")?,
        cpu_seconds: loaded.cpu_seconds,
        disk_bytes: loaded.disk_bytes,
        peak_mib: loaded.peak_mib,
        wire_bytes: loaded.value("wire_bytes")?,
    };
    loaded.collector.kept.stop()?;
    Ok(ingested)
}

pub(crate) fn run(names: &[&str]) -> Result<()> {
    let programs = figures::release_programs()?;
    let all = ["wire", "remote-write", "log-wire", "loki-push", "new-files", "tail", "agent"];
    for name in if names.is_empty() { &all[..] } else { names } {
        match *name {
            "wire" | "remote-write" => {
                let done = ingest(&programs, name, 40)?;
                println!(
                    "{name}: {:.2} M samples per CPU second until flushed, {:.2} B a sample in segments, {:.0} MiB peak, \
                     {:.2} B a sample on the wire",
                    done.samples / done.cpu_seconds / 1e6,
                    done.disk_bytes / done.samples,
                    done.peak_mib,
                    done.wire_bytes / done.samples,
                );
            }
            "log-wire" | "loki-push" => print(&figures::log_rows(&programs, name)?),
            "new-files" => print(&figures::new_file_rows(&programs)?),
            "tail" => print(&figures::tail_rows(&programs, true)?),
            "agent" => print(&figures::agent_rows(&programs, Duration::from_secs(60))?),
            other => bail!("no bench `{other}`; there are {}", all.join(", ")),
        }
    }
    Ok(())
}

fn print(rows: &[Row]) {
    let commit = build::commit();
    for row in rows {
        println!("{}", row.line(&commit));
    }
}
