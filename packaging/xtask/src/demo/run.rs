//! The demo from start to end, and its part about metrics.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::mailbox::Mailbox;
use super::own_log::OwnLog;
use super::{changes, deploys, lines, mail, pages, set_up};
use crate::process::{self, Kept, output};
use crate::{build, web};

/// How long each step may take before the demo says what is wrong: many times what a slow machine needs.
pub(super) const STEP: Duration = Duration::from_secs(60);

/// The name under which the demo's host is enrolled.
pub(super) const HOST: &str = "demo-host";

pub(crate) fn run(once: bool) -> Result<()> {
    println!("building (the first time takes some minutes) ...");
    web::build()?;
    run_with(&build::programs(&build::PRODUCT, false)?, once)
}

/// The demo with these programs; `once` ends it when everything was shown.
pub(crate) fn run_with(programs: &Path, once: bool) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("failed to catch Ctrl-C")?;
    }
    let folder = tempfile::Builder::new().prefix("muster-demo-").tempdir()?;
    let mut demo = Demo::start(programs, folder.path())?;
    demo.make_users(folder.path())?;
    demo.enrol_and_run()?;
    demo.show_arrival(&stop)?;
    demo.rotate_and_kill(&stop)?;
    demo.show_host(&stop)?;
    demo.show_lines(&stop)?;
    demo.show_histogram()?;
    demo.kill_and_repair()?;
    demo.show_change(folder.path())?;
    demo.show_set_up(folder.path())?;
    demo.show_deploy()?;
    demo.leave_something_to_see(folder.path())?;
    demo.show_cost()?;
    demo.show_next_steps();
    if !once {
        println!("\nrunning; Ctrl-C ends it and removes {}", folder.path().display());
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(200));
        }
        println!("\nstopping");
    }
    demo.stop()?;
    if once {
        println!("\ndemo: everything happened");
    }
    Ok(())
}

/// An error when the plot has no line, or the table not the demo's host.
fn shown(plot: &str, table: &str) -> Result<()> {
    if !plot.lines().any(|line| line.contains("mode=") && line.contains("  last ")) {
        bail!("`muster query --plot` drew no CPU mode");
    }
    if !table.lines().any(|line| line.split_whitespace().next() == Some(HOST)) {
        bail!("`muster hosts list` does not show {HOST}");
    }
    Ok(())
}

pub(super) struct Demo {
    pub(super) programs: PathBuf,
    data: PathBuf,
    /// The agent's state folder.
    pub(super) state: PathBuf,
    /// The collector's configuration.
    pub(super) config: PathBuf,
    agent_config: PathBuf,
    pub(super) url: String,
    pub(super) agents: String,
    token: String,
    /// The enrolment word that the agent has used.
    pub(super) word: String,
    pub(super) log: OwnLog,
    pub(super) collector: Kept,
    agent: Option<Kept>,
    pub(super) mailbox: Mailbox,
    /// What the check watches.
    pub(super) service: Option<Kept>,
}

impl Demo {
    fn start(programs: &Path, folder: &Path) -> Result<Self> {
        let data = folder.join("collector");
        let log = OwnLog::create(&folder.join("log"))?;
        let (config, agent_config) = (folder.join("collector.toml"), folder.join("agent.toml"));
        std::fs::write(&config, lines::collector_config("trace"))?;
        std::fs::write(
            &agent_config,
            lines::agent_config(log.path())
                + &mail::agent_config()
                + &changes::agent_config(folder)
                + &set_up::agent_config(folder),
        )?;
        changes::prepare(folder)?;
        set_up::prepare(folder)?;
        let (mailbox, alerting) = (Mailbox::start(None)?, folder.join("alerting.yml"));
        std::fs::write(&alerting, mail::alerting(&mailbox))?;
        let rules = folder.join("rules.yml");
        std::fs::write(&rules, pages::RULES)?;
        let services = deploys::prepare(folder)?;
        let service = Some(mail::start_service()?);
        let mut command = Command::new(programs.join("muster-collector"));
        command.args(["serve", "--http", "127.0.0.1:0", "--agents", "127.0.0.1:0", "--data"]).arg(&data);
        command.arg("--config").arg(&config).arg("--alerting").arg(&alerting).arg("--rules").arg(&rules);
        command.arg("--set").arg(format!("deploys.file={}", services.display()));
        let own = log.clone();
        let mut collector = Kept::start_with(&mut command, move |line| own.write(line))?;
        let ready =
            collector.wait_for("ready line", STEP, |line| line.contains("ready http=").then(|| line.to_owned()))?;
        let word = |key: &str| {
            let found = ready.split_whitespace().find_map(|word| word.strip_prefix(key)).map(str::to_owned);
            found.with_context(|| format!("the ready line has no {key}: {ready}"))
        };
        let (http, agents) = (word("http=")?, word("agents=")?);
        let token = std::fs::read_to_string(data.join("admin.token")).context("the collector wrote no admin.token")?;
        println!("collector   ready, HTTP on {http}, agents on {agents} (QUIC, mutual TLS)");
        Ok(Self {
            programs: programs.to_path_buf(),
            state: folder.join("agent"),
            data,
            config,
            agent_config,
            url: format!("http://{http}"),
            agents,
            token: token.trim().to_owned(),
            word: String::new(),
            log,
            collector,
            agent: None,
            mailbox,
            service,
        })
    }

    pub(super) fn muster(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("muster"));
        command.args(["--url", &self.url, "--token", &self.token]).args(words);
        command
    }

    fn enrol_and_run(&mut self) -> Result<()> {
        let printed = output(&mut self.muster(&["token", "new", "--name", HOST, "--label", "env=demo"]))?;
        let word = printed.lines().last().context("`muster token new` printed nothing")?.to_owned();
        println!("token       {}... made by `muster token new`", word.chars().take(12).collect::<String>());
        let state = self.state.to_string_lossy().into_owned();
        let mut enrol = Command::new(self.programs.join("muster-agent"));
        enrol.args(["enrol", "--collector", &self.agents, "--token", &word, "--name", HOST, "--state", &state]);
        output(&mut enrol)?;
        println!("enrolled    {HOST}: certificate for 30 days, renewed by itself");
        self.word = word;
        self.start_agent()
    }

    pub(super) fn start_agent(&mut self) -> Result<()> {
        let mut run = Command::new(self.programs.join("muster-agent"));
        run.args(["run", "--set", "metrics.interval=1s", "--state"]).arg(&self.state);
        run.arg("--config").arg(&self.agent_config);
        self.agent = Some(Kept::start(&mut run)?);
        Ok(())
    }

    pub(super) fn kill_agent(&mut self) -> Result<()> {
        self.agent.take().context("the agent runs")?.kill()
    }

    /// One instant query's answer: the values, in the order of the answer.
    fn ask(&self, expression: &str) -> Result<Vec<(Value, f64)>> {
        let text = output(&mut self.muster(&["-o", "json", "query", expression]))?;
        let json: Value =
            serde_json::from_str(&text).with_context(|| format!("no JSON from `muster query`: {text}"))?;
        let found = json.pointer("/data/result").or_else(|| json.get("result")).and_then(Value::as_array);
        let rows = found.with_context(|| format!("no result in {text}"))?;
        let row = |row: &Value| {
            let value = row["value"][1].as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
            (row["metric"].clone(), value)
        };
        Ok(rows.iter().map(row).collect())
    }

    /// Asks until the first value passes `enough`; gives it and how long it took.
    fn until(&self, stop: &AtomicBool, expression: &str, enough: impl Fn(f64) -> bool) -> Result<(f64, Duration)> {
        #[expect(clippy::disallowed_methods, reason = "a command that shows how long a step took")]
        let start = Instant::now();
        loop {
            let answer = self.ask(expression)?;
            if let Some((_, value)) = answer.first().filter(|(_, value)| enough(*value)) {
                return Ok((*value, start.elapsed()));
            }
            if stop.load(Ordering::Relaxed) {
                bail!("ended by Ctrl-C");
            }
            if start.elapsed() > STEP {
                bail!("`{expression}` had no fitting answer within {STEP:?}: {answer:?}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Asks `muster` until what it prints fits.
    pub(super) fn wait_for(&self, words: &[&str], what: &str, fits: impl Fn(&str) -> bool) -> Result<()> {
        #[expect(clippy::disallowed_methods, reason = "a command that says how long it waits")]
        let start = Instant::now();
        loop {
            // Exit code 1 says that there is a problem, which there may be.
            let answer = self.muster(words).output()?;
            let text = String::from_utf8_lossy(&answer.stdout);
            if fits(&text) {
                return Ok(());
            }
            if start.elapsed() > STEP {
                let said = String::from_utf8_lossy(&answer.stderr);
                bail!("{what}: `muster {}` shows nothing of it within {STEP:?}:\n{text}{said}", words.join(" "));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn show_arrival(&self, stop: &AtomicBool) -> Result<()> {
        let (load, took) = self.until(stop, &format!("node_load1{{host=\"{HOST}\"}}"), |_| true)?;
        println!("sample      first one queried {:.1} s after the start: node_load1 = {load}", took.as_secs_f64());
        let (series, _) = self.until(stop, &format!("count({{host=\"{HOST}\"}})"), |count| count >= 200.0)?;
        println!("series      {series} of this host, under node_exporter's names");
        let rate = format!(
            "scalar(count({{host=\"{HOST}\"}})) * sum(count_over_time(node_load1{{host=\"{HOST}\"}}[10s])) / 10"
        );
        let (rate, _) = self.until(stop, &rate, |rate| rate > 0.0)?;
        println!(
            "samples     {rate:.0} a second (interval 1 s here, 10 s by default), each durable before it is acknowledged"
        );
        Ok(())
    }

    fn show_host(&self, stop: &AtomicBool) -> Result<()> {
        let cpu = "sum by (mode) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5s]))";
        // A plot needs some points: wait until the counters are 20 s old.
        self.until(stop, "count_over_time(node_load1[40s])", |count| count >= 20.0)?;
        println!("\n$ muster query '{cpu}' --since 30s --step 1s --plot");
        let plot = output(&mut self.muster(&["query", cpu, "--since", "30s", "--step", "1s", "--plot"]))?;
        print!("{plot}");
        println!("\n$ muster hosts list");
        let table = output(&mut self.muster(&["hosts", "list"]))?;
        print!("{table}");
        shown(&plot, &table)
    }

    fn show_cost(&self) -> Result<()> {
        let agent = self.agent.as_ref().context("the agent runs")?;
        let cpu = process::cpu_seconds(agent.id())?;
        let samples = self.ask("sum(count_over_time(node_load1[5m]))")?.first().map_or(0.0, |(_, value)| *value);
        let peak = process::status_kib(agent.id(), "VmHWM")?;
        println!(
            "\nagent       {:.1} MiB peak memory, {:.2} CPU seconds for {samples} scrapes, sending included (development build)",
            peak as f64 / 1024.0,
            cpu
        );
        println!("collector   {:.1} MiB memory", process::status_kib(self.collector.id(), "VmRSS")? as f64 / 1024.0);
        Ok(())
    }

    fn show_next_steps(&self) {
        let muster = self.programs.join("muster");
        let muster = muster.display();
        let (url, data, agents) = (&self.url, self.data.display(), &self.agents);
        println!(
            "
try         export MUSTER_TOKEN=$(cat {data}/admin.token)
            {muster} --url {url} status
            {muster} --url {url} query 'topk(5, node_filesystem_avail_bytes)'
            {muster} --url {url} query 'rate(node_network_receive_bytes_total[30s])' --since 5m --plot
            {muster} --url {url} logs '{{app=\"muster-collector\"}} |= \"INFO\"' -f
Grafana     a Prometheus and a Loki data source with URL {url} and the header Authorization: Bearer $MUSTER_TOKEN
Prometheus  remote_write: [{{url: {url}/api/v1/write, authorization: {{credentials_file: {data}/admin.token}}}}]
second host serve with --agents 0.0.0.0:9471, then here: {muster} --url {url} token new --name web-1
            and there: muster-agent enrol --collector THIS-HOST:9471 --token WORD && muster-agent run
            (this collector listens for agents on {agents}, which only this machine can reach)"
        );
    }

    fn stop(mut self) -> Result<()> {
        if let Some(mut agent) = self.agent.take() {
            agent.stop().context("stopping the agent")?;
        }
        if let Some(service) = self.service.take() {
            service.kill().context("ending the demo's service")?;
        }
        self.collector.stop().context("stopping the collector")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_without_a_line_or_its_host_is_no_success() {
        let plot = "0 |\na {mode=\"user\"}  last 0.01, min 0, max 0.02\n";
        let table = "NAME       STATE\ndemo-host  up\n";
        assert!(shown(plot, table).is_ok());
        for (plot, table) in [
            ("no series from 2023-11-14 22:12:20 UTC to 2023-11-14 22:13:20 UTC\n", table),
            ("", table),
            (plot, "no hosts yet\n"),
            (plot, "NAME       STATE\nweb-1  up\n"),
        ] {
            assert!(shown(plot, table).is_err(), "{plot}{table}");
        }
    }
}
