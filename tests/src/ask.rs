//! Questions to many hosts over real QUIC, some of which say nothing: how soon there is an answer, and whether it names them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use muster_common::inventory::{Row, Value};
use muster_common::time;
use muster_common::wire::message::{Answer, AnswerWord, Ask};
use tokio::task::JoinSet;

use crate::harness::collector::{Collector, Options};
use crate::load::asked::Asked;
use crate::load::wire::{self, Host, Load};
use crate::load::workload::host_name;

/// Processes that each host tells: 20 that all have, and 20 of its own.
const COMMON: usize = 20;
const OWN: usize = 20;

/// `muster-trial ask`
#[derive(clap::Args)]
pub struct AskArguments {
    /// Folder of the built programs.
    #[arg(long)]
    programs: PathBuf,
    #[arg(long, default_value_t = 1_000)]
    hosts: usize,
    /// So many of them say nothing: one is not connected, the others take the question and hang.
    #[arg(long, default_value_t = 3)]
    dead: usize,
    #[arg(long, default_value_t = 10)]
    questions: u32,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The slowest question with the dead, and without them, from its request to its last byte.
    pub worst: Duration,
    pub without_dead: Duration,
    /// Different rows and bytes of an answer.
    pub rows: usize,
    pub bytes: usize,
}

/// Runs the trial: `key=value` words.
///
/// # Errors
/// When a question has another answer than it must have.
pub fn trial(arguments: &AskArguments) -> Result<String> {
    let AskArguments { programs, hosts, dead, questions } = arguments;
    let Report { worst, without_dead, rows, bytes } = run(programs, *hosts, *dead, *questions)?;
    let (worst, alone) = (worst.as_millis(), without_dead.as_millis());
    Ok(format!("hosts={hosts} dead={dead} worst_ms={worst} without_dead_ms={alone} rows={rows} bytes={bytes}"))
}

/// Asks a collector with so many hosts again and again. Each answer must have all rows of the living, and name just the dead.
///
/// # Errors
/// When one has not, or the collector refuses a host.
pub fn run(programs: &Path, hosts: usize, dead: usize, questions: u32) -> Result<Report> {
    ensure!((1..hosts).contains(&dead), "some hosts must be dead, and some alive");
    let folder = tempfile::Builder::new().prefix("muster-ask-").tempdir()?;
    let mut options = Options::new(programs, folder.path());
    options.arguments = ["--set", "agents.spread=0s"].map(str::to_owned).into();
    let collector = Collector::start(&options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let enrolled = runtime.block_on(wire::enrol(&Load::idle(&collector, hosts, "{}")?))?;
    let sessions = runtime.block_on(connect(&collector, &enrolled, dead))?;
    let mut report = Report { worst: Duration::ZERO, without_dead: Duration::ZERO, rows: 0, bytes: 0 };
    let dead_names: Vec<String> = (0..dead).map(host_name).collect();
    let living: Vec<String> = (dead..hosts).map(host_name).collect();
    for _ in 0..questions {
        let (took, rows, bytes) = asked(&collector, "", hosts, &dead_names)?;
        ensure!(rows == COMMON + OWN * living.len(), "{rows} different rows of {} hosts", living.len());
        (report.worst, report.rows, report.bytes) = (report.worst.max(took), rows, bytes);
        let matchers = format!(r#","matchers":["host!~\"{}\""]"#, dead_names.join("|"));
        let (took, ..) = asked(&collector, &matchers, living.len(), &[])?;
        report.without_dead = report.without_dead.max(took);
    }
    drop(sessions);
    Ok(report)
}

/// Connects all but the first; of the others the first `dead - 1` take questions and never answer.
async fn connect(collector: &Collector, hosts: &[Host], dead: usize) -> Result<JoinSet<Result<()>>> {
    let endpoint = wire::endpoint()?;
    let mut sessions = JoinSet::new();
    for host in hosts.iter().skip(1) {
        let (mut asked, number) = (Asked::open(&endpoint, collector.agents, host).await?, host.number);
        sessions.spawn(async move {
            loop {
                let ask = asked.next().await?;
                if number >= dead {
                    asked.answer(answer(&ask, number)).await?;
                }
            }
        });
    }
    Ok(sessions)
}

fn answer(ask: &Ask, host: usize) -> Answer {
    let row =
        |name: String, threads: usize| -> Row { vec![name.into(), "root".into(), Value::Integer(threads as i64)] };
    let common = (0..COMMON).map(|number| row(format!("daemon-{number}"), 1));
    let own = (0..OWN).map(|number| row(format!("worker-{host}-{number}"), number));
    Answer {
        id: ask.id,
        word: AnswerWord::Rows,
        columns: ask.columns.clone(),
        rows: common.chain(own).collect(),
        dropped: 0,
        problem: String::new(),
        extensions: Vec::new(),
    }
}

/// How long one question took, its different rows, and the bytes of its answer. The missing must be just these hosts.
fn asked(collector: &Collector, more: &str, hosts: usize, missing: &[String]) -> Result<(Duration, usize, usize)> {
    let body = format!(r#"{{"table":"processes","columns":["name","user","threads"],"limit":50000{more}}}"#);
    let begun = time::monotonic();
    let answer = collector.request("POST", "/api/muster/v1/ask", body.as_bytes())?;
    let took = time::monotonic() - begun;
    if answer.status != 200 {
        bail!("{}: {}", answer.status, answer.text());
    }
    let (bytes, answer) = (answer.body.len(), answer.json()?);
    let named: Vec<&str> =
        answer["missing"].as_array().into_iter().flatten().filter_map(|one| one["host"].as_str()).collect();
    ensure!(named == missing, "missing are {named:?}, not {missing:?}");
    ensure!(answer["answered"] == hosts - missing.len(), "{} of {hosts} answered", answer["answered"]);
    let rows = answer["rows"].as_array().map_or(0, Vec::len);
    let first = &answer["rows"][0];
    ensure!(first["on_hosts"] == hosts - missing.len(), "the most common row first: {first}");
    Ok((took, rows, bytes))
}
