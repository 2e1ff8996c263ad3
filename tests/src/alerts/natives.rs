//! What the agent's own checks cost their host: an agent with them beside one without.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::harness::agent::{AgentHome, until};
use crate::harness::collector::{Collector, Options};
use crate::harness::programs::live_cpu_seconds;

/// The first runs are spread over the interval of a minute.
const LIMIT: Duration = Duration::from_secs(180);

/// Processor time of both agents over the same span.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CheckCost {
    pub checks: usize,
    /// Kinds among them.
    pub kinds: usize,
    /// Results that arrived in the span.
    pub runs: f64,
    pub with_s: f64,
    pub without_s: f64,
    pub span_s: f64,
}

impl CheckCost {
    /// What the checks add in an hour, in processor seconds.
    pub fn hour_s(&self) -> f64 {
        (self.with_s - self.without_s) * 3_600.0 / self.span_s
    }
}

/// Two agents on this host, one of them with `checks` checks of all kinds that can be here, each every minute; counted from when each check has
/// run once.
///
/// # Errors
/// When a program fails.
pub fn check_cost(programs: &Path, folder: &Path, checks: usize, span: Duration) -> Result<CheckCost> {
    let collector = Collector::start(&Options::new(programs, &folder.join("data")))?;
    // Takes connections by itself: the system answers for those that nobody accepts.
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let kinds = kinds(&collector, listener.local_addr()?.port());
    let config = folder.join("checks.toml");
    let mut text = String::new();
    for (number, kind) in kinds.iter().cycle().take(checks).enumerate() {
        let _ = writeln!(text, "[[checks]]\nname = \"c{number}\"\ninterval = \"60s\"\nretry = \"60s\"\n{kind}");
    }
    std::fs::write(&config, text)?;
    let with = AgentHome::enrol(programs, &collector, folder, "with")?
        .start_with(&["--config".to_owned(), config.to_string_lossy().into_owned()])?;
    let bare = folder.join("bare.toml");
    std::fs::write(&bare, "")?;
    let without = AgentHome::enrol(programs, &collector, folder, "without")?
        .start_with(&["--config".to_owned(), bare.to_string_lossy().into_owned()])?;
    until("a result of each check", LIMIT, || {
        let seen = collector.number("count(muster_check_state{host=\"with\"})", None)?;
        Ok((seen == Some(checks as f64)).then_some(()))
    })
    .with_context(|| with.log())?;
    // A hundredth of a second, in which the system counts, would be a tenth of what is to be told apart.
    let both = || Ok::<_, anyhow::Error>((live_cpu_seconds(with.id())?, live_cpu_seconds(without.id())?));
    let before = both()?;
    std::thread::sleep(span);
    let after = both()?;
    let seconds = span.as_secs_f64();
    let runs = format!("sum(count_over_time(muster_check_state{{host=\"with\"}}[{seconds:.0}s]))");
    let runs = collector.number(&runs, None)?.context("no results in the span")?;
    with.stop()?;
    without.stop()?;
    collector.stop()?;
    Ok(CheckCost {
        checks,
        kinds: kinds.len(),
        runs,
        with_s: after.0 - before.0,
        without_s: after.1 - before.1,
        span_s: seconds,
    })
}

/// The keys of one check of each kind.
fn kinds(collector: &Collector, port: u16) -> Vec<String> {
    let mut kinds = vec![
        "kind = \"disk\"\npath = \"/\"\n".to_owned(),
        "kind = \"inode\"\n".to_owned(),
        "kind = \"load\"\nper_core = true\n".to_owned(),
        "kind = \"memory\"\n".to_owned(),
        "kind = \"swap\"\n".to_owned(),
        "kind = \"process\"\nprocess = \"muster-agent\"\n".to_owned(),
        format!("kind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n"),
        format!("kind = \"http\"\nurl = \"http://{}/-/healthy\"\n", collector.http),
        "kind = \"file_age\"\npath = \"/proc/self/stat\"\ncrit = \"1000d\"\n".to_owned(),
        format!("kind = \"port\"\nport = {port}\n"),
        "kind = \"time\"\n".to_owned(),
    ];
    // Units are asked of systemd, where it is the one that runs this machine.
    if Path::new("/run/systemd/private").exists() {
        kinds.push("kind = \"unit\"\nunit = \"dbus.service\"\n".to_owned());
    }
    kinds
}
