//! A snapshot of a large data folder while hosts go on to send, and another collector that goes on from it: how long commits were held,
//! what it cost, and that nothing is lost or told twice.

mod fill;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_common::time;

use crate::harness::agent::{Agent, AgentHome, run, until};
use crate::harness::collector::{Collector, Options};
use crate::harness::mailbox::Mailbox;
use crate::harness::programs;
use crate::kill;
use crate::load::{remote_write, wire};

/// Hosts that go on to send, 20 batches a second each: often enough to see when nothing is acknowledged.
const HOSTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than anything here takes by far.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// A mail that is told twice comes within a few rounds of evaluation.
const QUIET: Duration = Duration::from_secs(15);

/// What it came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Of the snapshot's files.
    pub bytes: u64,
    pub barrier_ms: f64,
    /// From the request to the end.
    pub seconds: f64,
    /// Of the collector meanwhile, and of as long a time before.
    pub cpu_s: f64,
    pub idle_cpu_s: f64,
    /// The longest time meanwhile without an acknowledgement.
    pub stall_ms: u64,
    /// Samples acknowledged meanwhile.
    pub acked: u64,
    pub verify_s: f64,
    pub restore_s: f64,
    /// Samples acknowledged, in the collector that went on; and samples acknowledged before the request, in the restored one.
    pub lost: u64,
    pub doubled: u64,
    pub repeated_mails: usize,
}

struct Scene {
    programs: PathBuf,
    options: Options,
    mailbox: Mailbox,
    key: String,
}

/// Fills a collector with so many bytes, makes a snapshot under load, and restores it.
///
/// # Errors
/// When a program does not start, refuses, or takes too long.
pub fn under_load(programs: &Path, folder: &Path, bytes: u64) -> Result<Report> {
    let (mut scene, collector) = begin(programs, folder)?;
    let home = AgentHome::enrol(programs, &collector, folder, "snapshots1")?;
    let agent = home.start(&[])?;
    tell_once(&scene, &home)?;
    fill::up_to(&collector, &scene.options.data, bytes)?;
    let sending = Sending::start(&collector)?;
    let mut report = Report::default();
    let snapshot = measure(&collector, &sending, &mut report)?;
    let (load, before, acked) = sending.stop()?;
    if !collector.stop()?.success() {
        bail!("the collector did not end well");
    }
    let mut kept = kill::Report::default();
    kill::compare(&scene.options.data, &load, &acked, &mut kept)?;
    put_back(&mut scene, folder, &snapshot, &mut report)?;
    kill::compare(&scene.options.data, &load, &before, &mut kept)?;
    (report.lost, report.doubled) = (kept.lost, kept.doubled);
    report.repeated_mails = mails_after(&scene, agent)?;
    Ok(report)
}

fn begin(programs: &Path, folder: &Path) -> Result<(Scene, Collector)> {
    let at = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let mailbox = Mailbox::start(None)?;
    let routes = format!(
        "global:\n  smtp_smarthost: {}\n  smtp_from: muster@example.org\n  smtp_require_tls: false\n\
         route:\n  receiver: ops\n  group_by: [alertname, host]\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 12h\n\
         receivers:\n- name: ops\n  email_configs:\n  - to: ann@example.org\n",
        mailbox.address
    );
    std::fs::write(at("alerting.yml"), routes)?;
    std::fs::write(at("key"), "a key that nobody else has\n")?;
    std::fs::write(at("collector.toml"), format!("[snapshot]\nkey_file = \"{}\"\n", at("key")))?;
    let mut options = Options::new(programs, &folder.join("data"));
    options.arguments =
        ["--alerting", &at("alerting.yml"), "--config", &at("collector.toml")].map(str::to_owned).to_vec();
    let collector = Collector::start(&options)?;
    (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
    Ok((Scene { programs: programs.to_owned(), options, mailbox, key: at("key") }, collector))
}

/// One problem that is told before the snapshot and goes on.
fn tell_once(scene: &Scene, home: &AgentHome) -> Result<()> {
    let folder = home.state.to_string_lossy();
    let words = ["push", "--state-dir", &folder, "raid", "--state", "CRITICAL", "--output", "sdb is gone"];
    let (code, _, error) = run(&scene.programs, "muster-agent", &words)?;
    if code != 0 {
        bail!("muster-agent push: {error}");
    }
    scene.mailbox.wait(1, Duration::from_secs(60)).map(drop)
}

/// Hosts of the wire load that send until they are told to stop.
struct Sending {
    load: wire::Load,
    progress: Arc<wire::Progress>,
    thread: JoinHandle<Result<()>>,
    before: parking_lot::Mutex<Vec<u64>>,
}

impl Sending {
    fn start(collector: &Collector) -> Result<Self> {
        let body = format!(r#"{{"kind":"enrolment","pattern":"node-*","uses":{HOSTS},"ttl":"1h"}}"#);
        let answer = collector.request("POST", "/api/muster/v1/tokens", body.as_bytes())?.json()?;
        let word = answer["token"]["word"].as_str().with_context(|| format!("no word in {answer}"))?.to_owned();
        const TICKS: i64 = 30_000;
        let load = wire::Load {
            target: collector.agents,
            word,
            seed: 42,
            hosts: HOSTS,
            ticks: TICKS,
            start_ms: remote_write::start_for(time::now().millis(), TICKS),
            window: 4,
            pause: PAUSE,
            reconnects: 0,
        };
        let progress = Arc::new(wire::Progress::default());
        let (sent, seen) = (load.clone(), Arc::clone(&progress));
        let thread = std::thread::Builder::new().name("sending".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let hosts = wire::enrol(&sent).await?;
                wire::run(&sent, hosts, &seen).await
            })
        })?;
        let sending = Self { load, progress, thread, before: parking_lot::Mutex::default() };
        let all_send = || Ok((sending.acked().iter().filter(|acked| **acked > 0).count() == HOSTS).then_some(()));
        until("batches of every host", Duration::from_secs(60), all_send)?;
        Ok(sending)
    }

    fn acked(&self) -> Vec<u64> {
        self.progress.acked.lock().clone()
    }

    fn amount(&self) -> u64 {
        self.progress.acked_amount.load(Ordering::Relaxed)
    }

    /// The load, what was acknowledged of each host before the snapshot, and in all.
    fn stop(self) -> Result<(wire::Load, Vec<u64>, Vec<u64>)> {
        self.progress.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the senders panicked"))??;
        let acked = self.progress.acked.lock().clone();
        Ok((self.load, self.before.into_inner(), acked))
    }
}

/// Makes the snapshot and answers its folder.
fn measure(collector: &Collector, sending: &Sending, report: &mut Report) -> Result<PathBuf> {
    const PATH: &str = "/api/muster/v1/snapshots";
    let cpu = || programs::cpu_seconds(collector.id);
    *sending.before.lock() = sending.acked();
    let (begun, cpu_before, amount) = (time::monotonic(), cpu()?, sending.amount());
    let id = collector.request("POST", PATH, b"")?.json()?["id"].as_str().context("no id")?.to_owned();
    let (mut last, mut last_at, mut asked_at) = (amount, begun, begun);
    let ended = loop {
        std::thread::sleep(Duration::from_millis(2));
        let (now, acked) = (time::monotonic(), sending.amount());
        if acked > last {
            report.stall_ms = report.stall_ms.max((now - last_at).as_millis() as u64);
            (last, last_at) = (acked, now);
        }
        if now - asked_at > Duration::from_millis(200) {
            asked_at = now;
            let answer = collector.get(PATH)?.json()?;
            if answer["ended"]["id"] == id.as_str() {
                break answer;
            }
        }
        if now - begun > PATIENCE {
            bail!("the snapshot does not end");
        }
    };
    report.seconds = (time::monotonic() - begun).as_secs_f64();
    report.cpu_s = cpu()? - cpu_before;
    report.acked = sending.amount() - amount;
    if let Some(problem) = ended["ended"]["problem"].as_str() {
        bail!("no snapshot: {problem}");
    }
    let rows = ended["snapshots"].as_array().context("no snapshots")?;
    let row = rows.iter().find(|row| row["id"] == id.as_str()).context("it is not listed")?;
    report.bytes = row["size_bytes"].as_u64().context("no size")?;
    report.barrier_ms = row["barrier_ms"].as_f64().context("no barrier")?;
    // What the same load costs without one.
    let idle = cpu()?;
    std::thread::sleep(Duration::from_secs_f64(report.seconds));
    report.idle_cpu_s = cpu()? - idle;
    Ok(Path::new(ended["folder"].as_str().context("no folder")?).join(id))
}

/// Reads it whole, makes a data folder of it; the scene's is that one from then on.
fn put_back(scene: &mut Scene, folder: &Path, snapshot: &Path, report: &mut Report) -> Result<()> {
    let from = snapshot.to_string_lossy().into_owned();
    let data = folder.join("restored");
    let to = data.to_string_lossy().into_owned();
    let timed = |words: &[&str]| -> Result<f64> {
        let begun = time::monotonic();
        let (code, text, error) = run(&scene.programs, "muster-collector", words)?;
        if code != 0 {
            bail!("{}: {text}{error}", words.join(" "));
        }
        Ok((time::monotonic() - begun).as_secs_f64())
    };
    report.verify_s = timed(&["verify-snapshot", &from, "--key-file", &scene.key])?;
    report.restore_s = timed(&["restore", "--from", &from, "--data", &to, "--key-file", &scene.key])?;
    scene.options.data = data;
    Ok(())
}

/// How many mails come once a collector goes on from the restored folder and the agent has found it.
fn mails_after(scene: &Scene, agent: Agent) -> Result<usize> {
    let told = scene.mailbox.mails().len();
    let collector = Collector::start(&scene.options)?;
    let age = "time() - timestamp(node_load1{host=\"snapshots1\"})";
    until("the agent", Duration::from_secs(120), || Ok(collector.number(age, None)?.filter(|age| *age < 20.0)))?;
    // Only that nothing comes is waited for.
    let more = scene.mailbox.wait(told + 1, QUIET).map_or(told, |mails| mails.len());
    drop(agent);
    collector.stop()?;
    Ok(more - told)
}
