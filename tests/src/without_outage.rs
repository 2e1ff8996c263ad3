//! A real service behind a real load balancer while a roll-out of a real task restarts it, server by server: whether a request fails.
//!
//! The task, its catalogue and its settings are those of `packaging/examples/rolling-restart`, as they stand; addresses and the two words that start and
//! stop nginx are this test's, which has no service manager. Two servers of nginx, haproxy before them, an agent and `muster-task` for each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use muster_common::time;
use serde_json::Value;

use self::load::{Load, Seen};
use self::servers::{Balancer, Nginx, example};
use crate::harness::agent::until;
use crate::harness::tasks::{TaskHost, Team};

mod load;
mod servers;

/// Longer than any part takes on a starved machine.
const LIMIT: Duration = Duration::from_secs(120);
const HOSTS: [&str; 2] = ["web-1", "web-2"];
/// The one that they serve at first, the one that they are brought to, and one that does not say what it is.
const RELEASES: [&str; 3] = ["1.0", "2.0", "3.0-bad"];

/// `muster-trial without-outage`
#[derive(clap::Args)]
pub struct OutageArguments {
    /// Folder of the built programs.
    #[arg(long)]
    programs: PathBuf,
    /// Requests at the least.
    #[arg(long, default_value_t = 10_000)]
    requests: u64,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Through the load balancer, from before the first roll-out to after the last.
    pub seen: Seen,
    /// Stops of each server, and connections to each itself that were refused meanwhile.
    pub stops: [u32; 2],
    pub refused: [u64; 2],
    /// Moments at which no server was there.
    pub none_there: u64,
    /// How the order of the bad release ended, and what its servers serve then.
    pub bad: String,
    pub at_last: Vec<String>,
    /// What the maintenances of the good release are called, and whether each is finished.
    pub maintenances: Vec<(String, bool)>,
    /// Requests that failed when a server was stopped without the task.
    pub without_task: u64,
    /// How long the roll-out took.
    pub took: Duration,
}

/// Runs the trial: `key=value` words.
///
/// # Errors
/// As [`run`].
pub fn trial(arguments: &OutageArguments) -> Result<String> {
    let told = run(&arguments.programs, arguments.requests)?;
    let Told { seen, stops, without_task, took, .. } = told;
    Ok(format!(
        "requests={} kept={} fresh={} failed={} stops={} releases={} without_task={without_task} rollout_s={:.1}",
        seen.kept + seen.fresh,
        seen.kept,
        seen.fresh,
        seen.failed,
        stops.iter().sum::<u32>(),
        seen.releases.len(),
        took.as_secs_f64()
    ))
}

/// Brings both servers to a newer release, then tries one that is bad, under load all the while. Needs root.
///
/// # Errors
/// When a program does not do as asked, or an order does not end as it must.
pub fn run(programs: &Path, requests: u64) -> Result<Told> {
    let folder = tempfile::Builder::new().prefix("muster-outage-").tempdir()?;
    let mut servers = HOSTS.map(|name| Nginx::start(&folder.path().join(name), &RELEASES)).into_iter();
    let (Some(one), Some(two)) = (servers.next(), servers.next()) else { bail!("two servers") };
    let servers = [one?, two?];
    let balancer = Balancer::start(folder.path(), servers.each_ref().map(|server| server.address))?;
    let team = Team::start(programs, folder.path(), &[])?;
    team.publish(&example("tasks.toml")?)?;
    let hosts = HOSTS.iter().zip(&servers).map(|(name, server)| host(&team, folder.path(), name, server, &balancer));
    let mut hosts = hosts.collect::<Result<Vec<_>>>()?;
    hosts.iter_mut().try_for_each(TaskHost::start)?;
    team.wait_in_force(2)?;

    let load = Load::start(balancer.site, servers.each_ref().map(|server| server.address));
    load.wait(requests / 10)?;
    let begun = time::monotonic();
    let order = roll_out(&team, RELEASES[1], RELEASES[0])?;
    let state = end(&team, order)?;
    ensure!(state == "done", "{state}: {}\n{}", team.shown(order)?, outputs(&team, order, ""));
    let took = time::monotonic() - begun;
    let maintenances = maintenances(&team, order)?;
    let order = roll_out(&team, RELEASES[2], RELEASES[1])?;
    let bad = end(&team, order)?;
    ensure!(bad == "rolled_back", "{bad}: {}\n{}", team.shown(order)?, outputs(&team, order, ""));
    load.wait(requests)?;
    let at_last = servers.iter().map(Nginx::release).collect::<Result<Vec<_>>>()?;
    let (seen, refused, none_there) = load.end()?;
    let stops = servers.each_ref().map(Nginx::stops);

    // The same without the task: else nothing would have been shown.
    let load = Load::start(balancer.site, servers.each_ref().map(|server| server.address));
    load.wait(100)?;
    servers[0].stop()?;
    let without_task = until("a request that fails", LIMIT, || Ok(Some(load.failed()).filter(|failed| *failed > 0)))?;
    load.end()?;
    Ok(Told { seen, stops, refused, none_there, bad, at_last, maintenances, without_task, took })
}

/// A host whose task finds script and settings where the example has them.
fn host(team: &Team, folder: &Path, name: &str, server: &Nginx, balancer: &Balancer) -> Result<TaskHost> {
    use std::os::unix::fs::PermissionsExt;
    let (programs, settings) = (folder.join(format!("{name}-sbin")), folder.join(format!("{name}-default")));
    std::fs::create_dir(&programs)?;
    std::fs::create_dir(&settings)?;
    let script = programs.join("rolling-restart");
    std::fs::write(&script, example("rolling-restart")?)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    let [stop, start] = ["stop", "start"].map(|verb| format!("{} {verb}", server.service.display()));
    let values = BTreeMap::from([
        ("HAPROXY", balancer.commands.to_string()),
        ("SERVER", format!("web/{name}")),
        ("SITE", server.site().display().to_string()),
        ("CHECK", server.address.to_string()),
        ("STOP", stop),
        ("START", start),
        ("WAIT", "10".to_owned()),
    ]);
    std::fs::write(settings.join("rolling-restart"), with_values(&example("rolling-restart.default")?, &values)?)?;
    let host = team.host(name, &example("task.toml")?)?;
    Ok(host.sees(&[(&programs, "/usr/local/sbin"), (&settings, "/etc/default")]))
}

/// The example's settings with each of its values exchanged.
fn with_values(text: &str, values: &BTreeMap<&str, String>) -> Result<String> {
    let mut left: Vec<&str> = values.keys().copied().collect();
    let mut out = String::new();
    for line in text.lines() {
        match line.split_once('=').filter(|(name, _)| !name.starts_with('#')) {
            Some((name, _)) => {
                let value = values.get(name).with_context(|| format!("the example has a setting {name}"))?;
                left.retain(|known| *known != name);
                out += &format!("{name}=\"{value}\"\n");
            }
            None => out += &format!("{line}\n"),
        }
    }
    ensure!(left.is_empty(), "the example has no settings {left:?}");
    Ok(out)
}

/// Asks for the roll-out as the example says, and has it approved.
fn roll_out(team: &Team, version: &str, back: &str) -> Result<u64> {
    let (version, back) = (format!("version={version}"), format!("version={back}"));
    let task = "rolling-restart";
    let mut words = vec!["rollout", "start", task, "--on", "host=~web-.*", "--set", &version];
    words.extend(["--back", task, "--back-set", &back, "--batch", "1", "--soak", "1s", "--on-trouble", "roll-back"]);
    let order = team.ask(&words)?;
    team.approve(order)?;
    Ok(order)
}

/// The state in which an order ends.
fn end(team: &Team, order: u64) -> Result<String> {
    until("the end of the roll-out", LIMIT, || {
        let answer = team.order(order)?;
        let state = answer["order"]["state"].as_str().unwrap_or_default();
        Ok((!["running", "stopping", "rolling_back"].contains(&state)).then(|| state.to_owned()))
    })
    .with_context(|| outputs(team, order, "so far"))
}

/// Those of an order, by name, and whether their work is over.
fn maintenances(team: &Team, order: u64) -> Result<Vec<(String, bool)>> {
    let answer = team.order(order)?;
    let all = answer["maintenances"].as_array().context("maintenances")?;
    let one = |one: &Value| Some((one["reference"].as_str()?.to_owned(), !one["finished_ms"].is_null()));
    let mut all = all.iter().map(|each| one(each).context("a maintenance")).collect::<Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}

fn outputs(team: &Team, order: u64, when: &str) -> String {
    let of = |host: &&str| team.output(order, host).map_or_else(|error| format!("{error:#}"), |(out, _)| out);
    HOSTS.iter().map(|host| format!("{host} {when}:\n{}\n", of(host))).collect()
}
