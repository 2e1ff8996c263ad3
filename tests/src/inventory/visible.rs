//! How soon the collector's API has what changed on a host with a real agent: an edited file, and a port that somebody listens at.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_common::time;
use serde_json::Value;

use crate::harness::agent::{AgentHome, until};
use crate::harness::collector::{Collector, Options};
use crate::harness::http::escape;

const HOST: &str = "changing";
/// Longer than any change may take, so that one that is late is measured and not only missed.
const LIMIT: Duration = Duration::from_secs(180);
/// Between two looks at the listening ports. Rounds begin at moments that are spread over it.
const LOOKS: Duration = Duration::from_secs(60);
/// Edits one after the other, for which the agent looks less and less often.
const EDITS: u32 = 20;
const EDIT_EVERY: Duration = Duration::from_secs(2);
/// Ports that a person chose: the kernel gives those from 32,768 on to whoever asks for any, and they are not proposed.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const FIRST: &str = "workers = 4\n";

/// A collector, its agent, and the file that is edited.
struct Scene {
    collector: Collector,
    file: PathBuf,
}

/// Runs the trial: `key=value` words.
///
/// # Errors
/// When a program fails, or a change is not known after three minutes.
pub(super) fn trial(programs: &Path, rounds: u32) -> Result<String> {
    let folder = tempfile::Builder::new().prefix("muster-visible-").tempdir()?;
    let collector = Collector::start(&Options::new(programs, &folder.path().join("data")))?;
    let home = AgentHome::enrol(programs, &collector, folder.path(), HOST)?;
    let conf = folder.path().join("etc");
    std::fs::create_dir(&conf)?;
    let scene = Scene { collector, file: conf.join("service.conf") };
    scene.write(FIRST)?;
    let agent = home.start(&[&format!("inventory.files=[\"{}/*.conf\"]", conf.display())])?;
    let first = until("the first look", LIMIT, || scene.hash()).with_context(|| agent.log())?;
    // From here on a port that is known tells when the ports were looked at.
    let port = scene.listen()?;
    until("the first port", LIMIT, || scene.has_port(port.1))?;
    let (mut files, mut ports) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        std::thread::sleep(LOOKS * round / rounds);
        let (file, port) = scene.round(round)?;
        files.push(file);
        ports.push(port);
    }
    let last = scene.many_edits(&first)?;
    agent.stop()?;
    let [(file, file_worst), (port, port_worst)] = [median_and_worst(files), median_and_worst(ports)];
    Ok(format!(
        "rounds={rounds} file_ms={file} file_worst_ms={file_worst} port_ms={port} port_worst_ms={port_worst} edits={EDITS} last_edit_ms={}",
        last.as_millis()
    ))
}

impl Scene {
    /// Edits the file as editors do: whole, under its name at once.
    fn write(&self, text: &str) -> Result<()> {
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, text)?;
        Ok(std::fs::rename(&fresh, &self.file)?)
    }

    /// Somebody listens on all addresses at a port that is free; until it is dropped.
    fn listen(&self) -> Result<(TcpListener, u16)> {
        for _ in 0..100 {
            let port = fastrand::u16(PORTS);
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
                return Ok((listener, port));
            }
        }
        bail!("no port of {PORTS:?} is free")
    }

    fn asked(&self, path: &str) -> Result<Value> {
        self.collector.get(&format!("/api/muster/v1/{path}"))?.json()
    }

    /// The hash of the file as the last look saw it.
    fn hash(&self) -> Result<Option<String>> {
        let sql = format!("SELECT sha256 FROM files WHERE host = '{HOST}' AND path = '{}'", self.file.display());
        let answer = self.asked(&format!("inventory/query?sql={}", escape(&sql)))?;
        Ok(answer["rows"][0][0].as_str().map(str::to_owned))
    }

    /// The hash that the file has by the newest change of it.
    fn newest(&self) -> Result<Option<String>> {
        let answer = self.asked(&format!("changes?host={HOST}&table=files"))?;
        let path = self.file.to_string_lossy();
        let mut changes = answer["changes"].as_array().into_iter().flatten();
        let newest = changes.find(|one| one["key"][0] == *path);
        Ok(newest.and_then(|one| one["after"][1].as_str()).map(str::to_owned))
    }

    /// Whether the port is proposed.
    fn has_port(&self, port: u16) -> Result<Option<()>> {
        let answer = self.asked(&format!("discovery?host={HOST}&kind=port&state=proposed&limit=10000"))?;
        let start = format!("port:tcp/{port}/");
        let mut items = answer["items"].as_array().into_iter().flatten();
        Ok(items.any(|item| item["key"].as_str().is_some_and(|key| key.starts_with(&start))).then_some(()))
    }

    /// How long a change of the file takes until it is in the log, and a port until it is proposed.
    fn round(&self, round: u32) -> Result<(Duration, Duration)> {
        let before = self.newest()?;
        let begun = time::monotonic();
        self.write(&format!("workers = {}\n", round + 5))?;
        let port = self.listen()?;
        let (mut file, mut proposed) = (None, None);
        until("the edited file and the new port", LIMIT, || {
            if file.is_none() && self.newest()? != before {
                file = Some(time::monotonic() - begun);
            }
            if proposed.is_none() && self.has_port(port.1)?.is_some() {
                proposed = Some(time::monotonic() - begun);
            }
            Ok(file.zip(proposed))
        })
    }

    /// How long the last of many edits takes, after which the file is as at first.
    fn many_edits(&self, first: &str) -> Result<Duration> {
        for edit in 0..EDITS {
            self.write(&format!("edit = {edit}\n"))?;
            std::thread::sleep(EDIT_EVERY);
        }
        let begun = time::monotonic();
        self.write(FIRST)?;
        until("the last of many edits", LIMIT, || Ok((self.newest()?.as_deref() == Some(first)).then_some(())))?;
        Ok(time::monotonic() - begun)
    }
}

/// In milliseconds.
fn median_and_worst(mut all: Vec<Duration>) -> (u128, u128) {
    all.sort();
    let of = |place: usize| all.get(place).map_or(0, Duration::as_millis);
    (of(all.len() / 2), of(all.len().saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_worst_are_of_the_sorted_times() {
        let all = |seconds: &[u64]| median_and_worst(seconds.iter().map(|one| Duration::from_secs(*one)).collect());
        assert_eq!((all(&[3, 1, 2]), all(&[5]), all(&[])), ((2_000, 3_000), (5_000, 5_000), (0, 0)));
    }
}
