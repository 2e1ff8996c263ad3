//! What looking at the inventory costs a host: an agent that does beside one that does not, and what the agent itself counts.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_common::inventory::TABLES;

use crate::harness::agent::{Agent, AgentHome, run, until};
use crate::harness::collector::{Collector, Options};
use crate::harness::programs::live_cpu_seconds;

/// All tables are looked at at the start, and told with the next row of metrics.
const LIMIT: Duration = Duration::from_secs(180);
/// What the start leaves to be done, such as sending whole tables, is over by then.
const REST: Duration = Duration::from_secs(20);
const LOOKS: &str = "muster_agent_inventory_looks_total{host=\"looking\"}";

/// Runs both agents with their default intervals for so many seconds: `key=value` words.
///
/// # Errors
/// When a program fails.
pub(super) fn trial(programs: &Path, seconds: u64) -> Result<String> {
    let folder = tempfile::Builder::new().prefix("muster-inventory-").tempdir()?;
    let collector = Collector::start(&Options::new(programs, &folder.path().join("data")))?;
    // No file of this machine's own agent is read.
    let bare = folder.path().join("bare.toml");
    std::fs::write(&bare, "")?;
    let bare = bare.to_string_lossy().into_owned();
    let start = |name: &str, enabled: bool| -> Result<Agent> {
        let words = ["--config", &bare, "--set", &format!("inventory.enabled={enabled}")].map(str::to_owned);
        AgentHome::enrol(programs, &collector, folder.path(), name)?.start_with(&words)
    };
    let (looking, other) = (start("looking", true)?, start("other", false)?);
    let all = TABLES.len() as f64;
    until("a look at each table", LIMIT, || Ok(collector.number(LOOKS, None)?.filter(|looks| *looks >= all)))
        .with_context(|| looking.log())?;
    std::thread::sleep(REST);
    let both = || Ok::<_, anyhow::Error>((live_cpu_seconds(looking.id())?, live_cpu_seconds(other.id())?));
    let looks = || collector.number(LOOKS, None)?.context("the agent tells no looks");
    let (before, looks_before) = (both()?, looks()?);
    std::thread::sleep(Duration::from_secs(seconds));
    let (after, looks_after) = (both()?, looks()?);
    looking.stop()?;
    other.stop()?;
    collector.stop()?;
    let (with_s, without_s) = (after.0 - before.0, after.1 - before.1);
    let hour_s = (with_s - without_s) * 3_600.0 / seconds as f64;
    let counted_s = counted(programs, &bare)?;
    Ok(format!(
        "seconds={seconds} looks={:.0} with_s={with_s:.3} without_s={without_s:.3} hour_cpu_s={hour_s:.3} counted_hour_cpu_s={counted_s:.2}",
        looks_after - looks_before
    ))
}

/// Processor seconds an hour by the agent's own count: each table looked at again, times its looks an hour.
fn counted(programs: &Path, config: &str) -> Result<f64> {
    let (code, text, error) = run(programs, "muster-agent", &["inventory", "--cost", "--config", config])?;
    // A table that cannot be looked at here costs nothing here.
    ensure!(code == 0 || !text.is_empty(), "muster-agent inventory --cost: {error}");
    read_total(&text).with_context(|| format!("no total in {text}"))
}

fn read_total(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("all tables: ")?.split(' ').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_the_agents_count_is_read() {
        let text = "os 6 rows, 0.1 ms\nall tables: 1.25 s of CPU an hour\n";
        assert_eq!((read_total(text), read_total("os 6 rows\n")), (Some(1.25), None));
    }
}
