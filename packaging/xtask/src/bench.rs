//! `cargo xtask bench`: loads against a release build of the collector, and the agent's own cost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

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
}

/// What a trial printed on its last line: `key=value` words.
pub(crate) type Values = BTreeMap<String, f64>;

/// Runs `muster-trial` to its end and reads its last line.
pub(crate) fn trial(programs: &Path, words: &[&str]) -> Result<Values> {
    let mut command = Command::new(programs.join("muster-trial"));
    let text = process::output(command.args(words))?;
    for line in text.lines() {
        println!("  {line}");
    }
    let last = text.lines().last().unwrap_or_default();
    let pairs = last.split_whitespace().filter_map(|word| word.split_once('='));
    let values: Values = pairs.filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?))).collect();
    if values.is_empty() { bail!("muster-trial {} printed no values: {text}", words.join(" ")) } else { Ok(values) }
}

/// Samples, collector CPU seconds until all of them are in segments, and data folder bytes of one load.
pub(crate) struct Ingested {
    pub(crate) samples: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) disk_bytes: f64,
    pub(crate) peak_mib: f64,
    pub(crate) wire_bytes: f64,
}

/// One load (`wire` or `remote-write`) against a fresh collector: 100 k series, one scrape a batch or request group.
pub(crate) fn ingest(programs: &Path, name: &str, ticks: u32) -> Result<Ingested> {
    let folder = tempfile::Builder::new().prefix("muster-bench-").tempdir()?;
    let mut collector = Collector::start(programs, folder.path())?;
    let before = process::cpu_seconds(collector.kept.id())?;
    let ticks = ticks.to_string();
    let target = if name == "wire" { &collector.agents } else { &collector.http };
    let words = [
        name,
        "--target",
        target,
        "--http",
        &collector.http,
        "--token",
        &collector.token,
        "--hosts",
        "200",
        "--ticks",
        &ticks,
        "--flush",
    ];
    let values = trial(programs, &words)?;
    let samples = *values.get("samples").context("the trial tells no samples")?;
    let ingested = Ingested {
        samples,
        cpu_seconds: process::cpu_seconds(collector.kept.id())? - before,
        disk_bytes: process::folder_bytes(&collector.data.join("segments")) as f64,
        peak_mib: process::status_kib(collector.kept.id(), "VmHWM")? as f64 / 1024.0,
        wire_bytes: values.get("wire_bytes").copied().unwrap_or(0.0),
    };
    collector.kept.stop()?;
    Ok(ingested)
}

pub(crate) fn run(names: &[&str]) -> Result<()> {
    let programs = figures::release_programs()?;
    let all = ["wire", "remote-write", "agent"];
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
            "agent" => {
                let commit = build::commit();
                for row in figures::agent_rows(&programs, Duration::from_secs(60))? {
                    println!("{}", row.line(&commit));
                }
            }
            other => bail!("no bench `{other}`; there are {}", all.join(", ")),
        }
    }
    Ok(())
}
