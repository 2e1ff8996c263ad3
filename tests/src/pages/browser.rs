//! Chromium before a collector with many hosts: when it paints, how long its tasks are, when a new problem is on an open page.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use muster_common::time;

use super::cost::Large;
use super::history;
use crate::harness::agent::muster;

const USER: &str = "figures";
const PASSWORD: &str = "figures of the pages";

/// Numbers by their names, as `collector/web/ui/tests/figures/large.ts` prints them.
pub type Seen = BTreeMap<String, f64>;

/// Opens the pages of this collector, whose host number 0 has a day of metrics by then.
///
/// # Errors
/// When the browser cannot be run, or finds that something is wrong.
pub fn see(programs: &Path, large: &Large, folder: &Path) -> Result<Seen> {
    let password = folder.join("password");
    std::fs::write(&password, PASSWORD)?;
    let add = ["user", "add", USER, "--role", "admin", "--password-file", &password.to_string_lossy()];
    let (code, _, error) = muster(programs, &large.collector, &add)?;
    if code != 0 {
        bail!("muster user add: {error}");
    }
    let (host, other) = (large.host(0), large.host(1));
    let samples = history::fill(programs, &large.collector, &host, time::now().millis())?;
    let mut command = Command::new("node");
    command.args(["tests/pages.mjs", "--of", "figures"]).current_dir(ui()).stdin(Stdio::null()).stdout(Stdio::piped());
    command.env("MUSTER_URL", format!("http://{}", large.collector.http)).env("MUSTER_TOKEN", &large.collector.token);
    command.env("MUSTER_USER", USER).env("MUSTER_PASSWORD", PASSWORD).env("MUSTER_OUT", folder);
    command.env("MUSTER_HOST", &host).env("MUSTER_OTHER", &other);
    let mut child = command.spawn().context("node is needed")?;
    let mut seen = Seen::from([("samples".to_owned(), samples as f64)]);
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().context("its output")?).lines() {
        let line = line?;
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            // The page is open: now something goes wrong.
            ["inject"] => large.make_problem(1)?,
            ["value", name, number] => {
                seen.insert(name.to_owned(), number.parse().with_context(|| line.clone())?);
            }
            _ => said = format!("{said}{line}\n"),
        }
    }
    if !child.wait()?.success() {
        bail!("the browser has found something wrong:\n{said}");
    }
    Ok(seen)
}

fn ui() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/web/ui")
}
