//! `muster-trial`: loads, kill trials and the simulator as one program, for `cargo xtask bench` and `figures`.
//!
//! The last line of each trial is `key=value` words.
#![expect(clippy::print_stdout, reason = "a command line program: standard output is its purpose")]

mod tail_trials;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use muster_common::time;
use muster_tests::harness::http::Connection;
use muster_tests::harness::packaged;
use muster_tests::load::corpus::HostLines;
use muster_tests::load::log_feed::LogFeed;
use muster_tests::load::{loki_push, remote_write, wire};
use muster_tests::sim_alert::big;
use muster_tests::{
    alerts, ask, gate, inventory, kill, maintenance, pages, rollout, sim, sim_alert, snapshots, sql, upgrade,
    without_outage,
};

/// Loads and trials against Muster; `cargo xtask figures` runs them.
#[derive(Parser)]
enum Trial {
    /// Hosts over QUIC, one batch a scrape.
    Wire(LoadArguments),
    /// The same hosts by remote write.
    RemoteWrite(LoadArguments),
    /// Hosts with log lines of the corpus over QUIC, 256 KiB of them a batch; `--ticks` batches a host.
    LogWire(LoadArguments),
    /// The same lines by Loki's push.
    LokiPush(LoadArguments),
    /// Worlds of the simulator, one a seed.
    Sim {
        #[arg(long, default_value_t = 2_000)]
        seeds: u64,
        /// The first seed; with `--seeds 1` one world again.
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[arg(long, default_value_t = 2)]
        threads: u64,
    },
    /// Every planted bug: how many seeds until the simulator finds it.
    Planted {
        #[arg(long, default_value_t = 200)]
        seeds: u64,
    },
    /// Worlds of alerting, one a seed.
    SimAlert {
        #[arg(long, default_value_t = 2_000)]
        seeds: u64,
        /// The first seed; with `--seeds 1` one world again.
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[arg(long, default_value_t = 2)]
        threads: u64,
    },
    /// Every bug planted in alerting: how many seeds until its simulator finds it.
    PlantedAlert {
        #[arg(long, default_value_t = 200)]
        seeds: u64,
    },
    /// Processor time of rounds of 5,000 rules over a store of 100,000 series.
    RulesBench {
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
    /// From results that turn checks hard to mails, one after the other, from a real agent over a real collector to a mail server.
    AlertLatency {
        /// Folder of the built programs.
        #[arg(long)]
        programs: std::path::PathBuf,
        #[arg(long, default_value_t = 200)]
        count: usize,
    },
    /// Processor time that 100 native checks a minute cost the agent: one with them beside one without, for so many seconds.
    NativeChecks {
        /// Folder of the built programs.
        #[arg(long)]
        programs: std::path::PathBuf,
        #[arg(long, default_value_t = 180)]
        seconds: u64,
    },
    /// Many hosts to which the same happens at once, each in a world of its own: letters to a recipient.
    Storms,
    /// kill -9 of the collector at chosen system calls, under strace.
    KillPoints(KillArguments),
    /// kill -9 of both ends at random moments.
    KillMoments(KillArguments),
    /// kill -9 of the collector while it mails, with a mail server that fails in every way.
    MailKills(KillArguments),
    /// A snapshot of so many GiB under load, and a collector that goes on from it.
    Snapshot {
        /// Folder of the built programs.
        #[arg(long)]
        programs: std::path::PathBuf,
        #[arg(long, default_value_t = 5.0)]
        gib: f64,
    },
    /// Numbered lines through rotations and faults, from a real agent to a real collector, counted there.
    Tail {
        /// Folder of the built programs.
        #[arg(long)]
        programs: std::path::PathBuf,
        /// The cases; none: all. `list` prints their names.
        cases: Vec<String>,
    },
    /// How soon the first lines of new files are visible in a query, from a real agent to a real collector.
    NewFiles {
        /// Folder of the built programs.
        #[arg(long)]
        programs: std::path::PathBuf,
        #[arg(long, default_value_t = 30)]
        count: u32,
    },
    /// From a bare Debian root to a host's first number in the API, by packages that are made already; and how exposed their units are.
    Packages {
        /// What `cargo xtask dist` made.
        #[arg(long)]
        packages: std::path::PathBuf,
    },
    /// Upgrades of agent and collector by packages of two versions, under a real systemd, while lines are written.
    Upgrade {
        /// What `cargo xtask dist` made of one version.
        #[arg(long)]
        old: std::path::PathBuf,
        /// And of the next.
        #[arg(long)]
        new: std::path::PathBuf,
        #[arg(long, default_value_t = 12)]
        rounds: u32,
        /// Lines a second.
        #[arg(long, default_value_t = 2_000)]
        rate: u64,
    },
    /// Mails of hosts that go down in a maintenance and without one, and of one that does not return from it.
    Maintenance(maintenance::MaintenanceArguments),
    /// Questions to many hosts, some of which say nothing.
    Ask(ask::AskArguments),
    /// A roll-out over many hosts, one wave of which is bad.
    Rollout(rollout::RolloutArguments),
    /// A roll-out that restarts real servers behind a load balancer, under load.
    WithoutOutage(without_outage::OutageArguments),
    /// What inventories and configurations of many hosts cost, how soon changes are known, and whether answers are true.
    #[command(subcommand)]
    Inventory(inventory::Word),
    /// The gate: its scenarios, and of so many seeds of made-up services how many look worse.
    Gate {
        #[arg(long, default_value_t = 2_000)]
        seeds: u64,
    },
    /// SQL over the packages of many hosts.
    Sql {
        #[arg(long, default_value_t = 10_000)]
        hosts: u32,
    },
    /// What the pages ask of a collector with many hosts: processor time of an answer.
    Pages {
        /// Folder of the built programs.
        #[arg(long)]
        programs: std::path::PathBuf,
        #[arg(long, default_value_t = 5_000)]
        hosts: usize,
        /// Look at them in Chromium too, which the sources of the pages must have been built with.
        #[arg(long)]
        seen: bool,
    },
    /// kill -9 of either end at random moments under 10,000 lines a second with a rotation each second.
    TailKills {
        #[command(flatten)]
        arguments: KillArguments,
        /// The agent's state folder goes at every third of its deaths, all but its identity.
        #[arg(long)]
        wipe: bool,
    },
}

#[derive(clap::Args)]
struct KillArguments {
    /// Folder of the built programs.
    #[arg(long)]
    programs: std::path::PathBuf,
    #[arg(long, default_value_t = 20)]
    count: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(clap::Args)]
struct LoadArguments {
    /// Where to send: the agents' address for `wire`, the HTTP address for `remote-write`.
    #[arg(long)]
    target: SocketAddr,
    /// The HTTP address.
    #[arg(long)]
    http: SocketAddr,
    /// The administrator's token.
    #[arg(long)]
    token: String,
    #[arg(long, default_value_t = 200)]
    hosts: usize,
    #[arg(long, default_value_t = 40)]
    ticks: i64,
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Ask the collector to write its heads to segments at the end.
    #[arg(long)]
    flush: bool,
}

impl LoadArguments {
    /// A word with which all hosts of the load may enrol.
    fn word(&self) -> Result<String> {
        let body = format!(r#"{{"kind":"enrolment","pattern":"node-*","uses":{},"ttl":"1h"}}"#, self.hosts);
        let made: serde_json::Value = serde_json::from_str(&self.post("/api/muster/v1/tokens", &body)?)?;
        Ok(made["token"]["word"].as_str().with_context(|| format!("no word in {made}"))?.to_owned())
    }

    fn wire(&self) -> Result<wire::Load> {
        Ok(wire::Load {
            target: self.target,
            word: self.word()?,
            seed: self.seed,
            hosts: self.hosts,
            ticks: self.ticks,
            start_ms: remote_write::start_for(time::now().millis(), self.ticks),
            window: 4,
            pause: Duration::ZERO,
            reconnects: 0,
        })
    }

    /// The times of the corpus: the hour that ends a minute ago.
    fn hour(&self) -> (i64, i64) {
        const HOUR_NS: i64 = 3_600_000_000_000;
        (time::now().nanos() - 60_000_000_000 - HOUR_NS, HOUR_NS)
    }

    /// Asks for heads to be written to segments, where the load says so.
    fn finish(&self) -> Result<()> {
        if self.flush { self.post("/-/flush", "").map(drop) } else { Ok(()) }
    }

    fn post(&self, path: &str, body: &str) -> Result<String> {
        let headers = [format!("Authorization: Bearer {}", self.token), "Content-Type: application/json".to_owned()];
        let answer = Connection::open(self.http)?.request("POST", path, &headers, body.as_bytes())?;
        if answer.status < 300 { Ok(answer.text()) } else { bail!("POST {path}: {}: {}", answer.status, answer.text()) }
    }
}

fn main() -> ExitCode {
    let done = match Trial::parse() {
        Trial::Wire(arguments) => run_wire(&arguments),
        Trial::RemoteWrite(arguments) => run_remote_write(&arguments),
        Trial::LogWire(arguments) => run_log_wire(&arguments),
        Trial::LokiPush(arguments) => run_loki_push(&arguments),
        Trial::Sim { seeds, from, threads } => run_sim(from, seeds, threads),
        Trial::Planted { seeds } => run_planted(seeds),
        Trial::SimAlert { seeds, from, threads } => run_sim_alert(from, seeds, threads),
        Trial::PlantedAlert { seeds } => run_planted_alert(seeds),
        Trial::RulesBench { rounds } => run_rules_bench(rounds),
        Trial::AlertLatency { programs, count } => run_alert_latency(&programs, count),
        Trial::NativeChecks { programs, seconds } => run_native_checks(&programs, Duration::from_secs(seconds)),
        Trial::KillPoints(arguments) => {
            run_kill(|folder| kill::at_points(&arguments.programs, folder, arguments.count as usize))
        }
        Trial::KillMoments(arguments) => {
            run_kill(|folder| kill::at_moments(&arguments.programs, folder, arguments.count, arguments.seed))
        }
        Trial::Storms => run_storms(),
        Trial::MailKills(arguments) => run_mail_kills(&arguments),
        Trial::Snapshot { programs, gib } => run_snapshot(&programs, gib),
        Trial::Tail { programs, cases } => tail_trials::cases(&programs, &cases),
        Trial::NewFiles { programs, count } => tail_trials::new_files(&programs, count),
        Trial::Packages { packages } => run_packages(&packages),
        Trial::Upgrade { old, new, rounds, rate } => run_upgrade(&old, &new, rounds, rate),
        Trial::Maintenance(arguments) => maintenance::trial(&arguments).map(|words| println!("{words}")),
        Trial::Ask(arguments) => ask::trial(&arguments).map(|words| println!("{words}")),
        Trial::Rollout(arguments) => rollout::trial(&arguments).map(|words| println!("{words}")),
        Trial::WithoutOutage(arguments) => without_outage::trial(&arguments).map(|words| println!("{words}")),
        Trial::Inventory(word) => inventory::trial(&word).map(|words| println!("{words}")),
        Trial::Gate { seeds } => gate::trial(seeds).map(|words| println!("{words}")),
        Trial::Sql { hosts } => sql::trial(hosts).map(|words| println!("{words}")),
        Trial::Pages { programs, hosts, seen } => pages::trial(&programs, hosts, seen).map(|words| println!("{words}")),
        Trial::TailKills { arguments, wipe } => tail_trials::kills(&arguments, wipe),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muster-trial: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_packages(packages: &std::path::Path) -> Result<()> {
    let [agent, collector] = [packaged::AGENT_UNIT, packaged::COLLECTOR_UNIT].map(packaged::exposure);
    let seconds = packaged::first_data(packages)?.as_secs_f64();
    println!("seconds={seconds:.1} agent_exposure={} collector_exposure={}", agent?, collector?);
    Ok(())
}

fn run_upgrade(old: &std::path::Path, new: &std::path::Path, rounds: u32, rate: u64) -> Result<()> {
    let upgrade::Report { upgrades, written, counts, mails, control } = upgrade::run(old, new, rounds, rate)?;
    let muster_tests::tail::Counts { received, lost, doubled, reordered, damaged } = counts;
    println!(
        "upgrades={upgrades} written={written} received={received} lost={lost} doubled={doubled} reordered={reordered} damaged={damaged} mails={mails} control={control}"
    );
    Ok(())
}

fn run_wire(arguments: &LoadArguments) -> Result<()> {
    let load = arguments.wire()?;
    let progress = Arc::new(wire::Progress::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let hosts = wire::enrol(&load).await?;
        wire::run(&load, hosts, &progress).await
    })?;
    arguments.finish()?;
    let samples = progress.acked_amount.load(Ordering::Relaxed);
    println!("samples={samples} wire_bytes={}", progress.wire_bytes.load(Ordering::Relaxed));
    Ok(())
}

fn run_remote_write(arguments: &LoadArguments) -> Result<()> {
    let load = remote_write::Load {
        target: arguments.target,
        token: Some(arguments.token.clone()),
        seed: arguments.seed,
        hosts: arguments.hosts,
        ticks: arguments.ticks,
        connections: 4,
        hosts_a_request: 4,
        ticks_a_request: 1,
        start_ms: remote_write::start_for(time::now().millis(), arguments.ticks),
    };
    let sent = remote_write::run(&load)?;
    arguments.finish()?;
    println!("samples={} wire_bytes={} requests={}", sent.samples, sent.wire_bytes, sent.requests);
    Ok(())
}

fn run_log_wire(arguments: &LoadArguments) -> Result<()> {
    let (load, hour) = (arguments.wire()?, arguments.hour());
    let progress = Arc::new(wire::Progress::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let hosts = wire::enrol(&load).await?;
        let feed = |host| {
            let lines = HostLines::new(load.seed, host, hour, load.ticks);
            Ok(LogFeed::new(load.seed, host, load.start_ms, lines))
        };
        wire::run_with(&load, hosts, &progress, feed).await
    })?;
    arguments.finish()?;
    let bytes = progress.acked_amount.load(Ordering::Relaxed);
    println!("line_bytes={bytes} wire_bytes={}", progress.wire_bytes.load(Ordering::Relaxed));
    Ok(())
}

fn run_loki_push(arguments: &LoadArguments) -> Result<()> {
    let load = loki_push::Load {
        target: arguments.target,
        token: arguments.token.clone(),
        seed: arguments.seed,
        hosts: arguments.hosts,
        groups: arguments.ticks,
        connections: 4,
        span: arguments.hour(),
    };
    let (bytes, wire_bytes) = loki_push::run(&load)?;
    arguments.finish()?;
    println!("line_bytes={bytes} wire_bytes={wire_bytes}");
    Ok(())
}

fn run_sim(from: u64, seeds: u64, threads: u64) -> Result<()> {
    if seeds == 1 {
        let scenario = sim::Scenario { trace: true, ..sim::Scenario::new(from, None) };
        println!("{scenario:?}");
        println!("{:?}", sim::run(&scenario));
        return Ok(());
    }
    let found = sim::many(from, seeds, None, threads);
    for (seed, violation) in &found.violations {
        println!("seed {seed}: {violation}");
    }
    let sim::Report { rows, crashes, restores, from_snapshots, inboxes_lost, gaps, lines, reports, wipes, deletes } =
        found.report;
    println!(
        "seeds={seeds} violations={} rows={rows} crashes={crashes} restores={restores} from_snapshots={from_snapshots} inboxes_lost={inboxes_lost} gaps={gaps} lines={lines} reports={reports} wipes={wipes} deletes={deletes}",
        found.violations.len()
    );
    Ok(())
}

fn run_sim_alert(from: u64, seeds: u64, threads: u64) -> Result<()> {
    if seeds == 1 {
        let faults = sim_alert::Faults { trace: true, ..sim_alert::Faults::new(from, None) };
        println!("{faults:?}");
        println!("{:?}", sim_alert::run(&faults));
        return Ok(());
    }
    let found = sim_alert::many(from, seeds, threads);
    for (seed, violation) in &found.violations {
        println!("seed {seed}: {violation:?}");
    }
    let sim_alert::Report { letters, repeats, notices, crashes, restarts, results } = found.report;
    println!(
        "seeds={seeds} violations={} letters={letters} repeats={repeats} notices={notices} crashes={crashes} restarts={restarts} results={results}",
        found.violations.len()
    );
    Ok(())
}

fn run_planted(seeds: u64) -> Result<()> {
    print_caught(&sim::Bug::all(), seeds, |bug| {
        sim::catch(bug, seeds).map(|(seed, violation)| (seed, violation.to_string()))
    })
}

fn run_planted_alert(seeds: u64) -> Result<()> {
    print_caught(&sim_alert::Bug::all(), seeds, |bug| {
        sim_alert::catch(bug, seeds).map(|(seed, violation)| (seed, violation.0))
    })
}

fn print_caught<B: Copy>(bugs: &[(&str, B)], seeds: u64, catch: impl Fn(B) -> Option<(u64, String)>) -> Result<()> {
    let (mut caught, mut worst) = (0, 0);
    for (name, bug) in bugs {
        match catch(*bug) {
            Some((seed, violation)) => {
                caught += 1;
                worst = worst.max(seed);
                println!("{name}: caught at seed {seed}: {violation}");
            }
            None => println!("{name}: NOT caught within {seeds} seeds"),
        }
    }
    println!("caught={caught} of={} worst_seed={worst}", bugs.len());
    Ok(())
}

fn run_storms() -> Result<()> {
    const TEN_MINUTES_MS: i64 = 600_000;
    let broken = |violation: sim_alert::Violation| anyhow::anyhow!("{}", violation.0);
    let most = |letters: &big::Letters| letters.values().map(Vec::len).max().unwrap_or(0);
    let upgrade = most(&big::upgrade(500).map_err(broken)?);
    let gateway = most(&big::parent(100, true).map_err(broken)?);
    let check = most(&big::parent(100, false).map_err(broken)?);
    let (silent, back_ms) = big::silence(500, 0).map_err(broken)?;
    let went = big::most_within(&silent, big::BEGIN_MS, TEN_MINUTES_MS);
    let came = big::most_within(&silent, back_ms, TEN_MINUTES_MS);
    println!("upgrade={upgrade} gateway={gateway} check={check} silent={went} back={came}");
    Ok(())
}

fn run_mail_kills(arguments: &KillArguments) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let report = kill::with_mails(&arguments.programs, folder.path(), arguments.count, arguments.seed)?;
    println!(
        "alerts={} kills={} at_calls={} lost={} second_ids={} repeats={} largest_bytes={}",
        report.alerts,
        report.kills,
        report.at_calls,
        report.lost,
        report.second_ids,
        report.repeats,
        report.largest_bytes
    );
    Ok(())
}

fn run_rules_bench(rounds: u32) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("muster-rules-").tempdir()?;
    let cost = alerts::rules_cost(folder.path(), rounds)?;
    for (round, seconds) in cost.cpu_seconds.iter().enumerate() {
        println!("round {round}: {seconds:.2} CPU-s");
    }
    println!(
        "rules={} series={} failures={} samples={} mean_cpu_s={:.3}",
        cost.rules,
        cost.series,
        cost.failures,
        cost.samples,
        cost.mean_cpu_seconds()
    );
    Ok(())
}

fn run_alert_latency(programs: &std::path::Path, count: usize) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("muster-alerts-").tempdir()?;
    use alerts::percentile_ms;
    let mut told = alerts::mail_latency(programs, folder.path(), count)?;
    println!(
        "count={} p50_ms={:.1} p99_ms={:.1} max_ms={:.1} pushed_p50_ms={:.1} pushed_p99_ms={:.1} readable={} largest_mail_bytes={}",
        told.since_hard.len(),
        percentile_ms(&mut told.since_hard, 0.5),
        percentile_ms(&mut told.since_hard, 0.99),
        percentile_ms(&mut told.since_hard, 1.0),
        percentile_ms(&mut told.since_pushed, 0.5),
        percentile_ms(&mut told.since_pushed, 0.99),
        told.readable,
        told.largest_bytes
    );
    Ok(())
}

fn run_native_checks(programs: &std::path::Path, span: Duration) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("muster-checks-").tempdir()?;
    let cost = alerts::check_cost(programs, folder.path(), 100, span)?;
    println!(
        "checks={} kinds={} runs={} with_s={:.2} without_s={:.2} hourly_cpu_s={:.3}",
        cost.checks,
        cost.kinds,
        cost.runs,
        cost.with_s,
        cost.without_s,
        cost.hour_s()
    );
    Ok(())
}

fn run_snapshot(programs: &std::path::Path, gib: f64) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("muster-snapshot-").tempdir()?;
    let report = snapshots::under_load(programs, folder.path(), (gib * (1_u64 << 30) as f64) as u64)?;
    println!(
        "bytes={} barrier_ms={:.1} seconds={:.1} cpu_s={:.2} idle_cpu_s={:.2} stall_ms={} acked={} verify_s={:.1} restore_s={:.1} lost={} doubled={} repeated_mails={}",
        report.bytes,
        report.barrier_ms,
        report.seconds,
        report.cpu_s,
        report.idle_cpu_s,
        report.stall_ms,
        report.acked,
        report.verify_s,
        report.restore_s,
        report.lost,
        report.doubled,
        report.repeated_mails
    );
    Ok(())
}

fn run_kill(trial: impl FnOnce(&std::path::Path) -> Result<kill::Report>) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("muster-kill-").tempdir()?;
    let report = trial(folder.path())?;
    for kill in &report.kills {
        println!("{kill}");
    }
    println!(
        "lost={} doubled={} answers_changed={} hits={} samples={} slowest_return_s={:.3}",
        report.lost,
        report.doubled,
        report.answers_changed,
        report.hits,
        report.samples,
        report.slowest_return.as_secs_f64()
    );
    Ok(())
}
