//! A roll-out over simulated hosts on real QUIC, one wave of which is bad: whether it stops there and is rolled back, and how soon.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use muster_common::task::{Catalogue, Order, SigningKey};
use muster_common::time;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::collector::{Collector, Options};
use crate::harness::http::Connection;
use crate::load::called::{Called, Done};
use crate::load::wire::{self, Load};
use crate::load::workload::host_name;

/// Hosts of a wave, and the one whose hosts fail: the fourth after the canary.
const BATCH: usize = 10;
const BAD_WAVE: usize = 4;
/// Of those that run it, how many lose their session in the middle: each tenth.
const BREAKS: usize = 10;
/// Longer than twice the waves take on a starved machine.
const WITHIN: Duration = Duration::from_secs(300);
const DOCUMENT: &str = "version = 1\nexpires = 2099-01-01T00:00:00Z\n\
    [tasks.upgrade]\nabout = \"Upgrades it\"\nargv = [\"/usr/bin/upgrade\", \"{version}\"]\naccount = \"root\"\n\
    [tasks.upgrade.parameters.version]\nkind = \"version\"\n\
    [tasks.downgrade]\nabout = \"Takes it back\"\nargv = [\"/usr/bin/downgrade\"]\naccount = \"root\"\n";

/// `muster-trial rollout`
#[derive(clap::Args)]
pub struct RolloutArguments {
    /// Folder of the built programs.
    #[arg(long)]
    programs: PathBuf,
    #[arg(long, default_value_t = 100)]
    hosts: usize,
}

/// Runs the trial: `key=value` words.
///
/// # Errors
/// When a host ran what it must not, ran it twice, or was not rolled back.
pub fn trial(arguments: &RolloutArguments) -> Result<String> {
    let RolloutArguments { programs, hosts } = arguments;
    ensure!(*hosts > BATCH * (BAD_WAVE + 1), "there must be hosts after the bad wave");
    let folder = tempfile::Builder::new().prefix("muster-rollout-").tempdir()?;
    let keys = Keys::new(folder.path())?;
    let mut options = Options::new(programs, &folder.path().join("data"));
    let named = format!("tasks.keys={}", keys.file.display());
    options.arguments = ["--set", "agents.spread=0s", "--set", &named].map(str::to_owned).into();
    let collector = Collector::start(&options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let enrolled = runtime.block_on(wire::enrol(&Load::idle(&collector, *hosts, "{}")?))?;
    let done = Arc::new(Mutex::new(Done::default()));
    let bad = 1 + BATCH * (BAD_WAVE - 1)..1 + BATCH * BAD_WAVE;
    let endpoint = runtime.block_on(async { wire::endpoint() })?;
    let mut sessions = JoinSet::new();
    for host in enrolled {
        let called = Called {
            code: i32::from(bad.contains(&host.number)),
            breaks: host.number % BREAKS == BREAKS / 2,
            target: collector.agents,
            approver: keys.approver.public(),
            done: Arc::clone(&done),
            host,
        };
        sessions.spawn_on(called.run(endpoint.clone()), runtime.handle());
    }
    let order = start(&collector, &keys, *hosts)?;
    let (trouble, end, last) = watch(&collector, order, &mut sessions)?;
    drop(sessions);
    judge(&last, &done.lock(), *hosts, bad.end)?;
    let done = done.lock();
    Ok(format!(
        "hosts={hosts} ran={} untouched={} rolled_back={} most_at_once={} twice=0 breaks={} stopped_s={:.1} rolled_back_s={:.1}",
        bad.end,
        hosts - bad.end,
        last["back_counts"]["ok"],
        done.most_at_once,
        done.breaks,
        trouble.as_secs_f64(),
        end.as_secs_f64()
    ))
}

/// Who signs and who approves, and the file by which the collector knows both.
struct Keys {
    signer: SigningKey,
    approver: SigningKey,
    file: PathBuf,
}

impl Keys {
    fn new(folder: &Path) -> Result<Self> {
        let key = || anyhow::Ok(SigningKey::from_pem(&SigningKey::generate_pem()?)?);
        let (signer, approver, file) = (key()?, key()?, folder.join("task-keys"));
        std::fs::write(&file, format!("signer release {}\napprover bob {}\n", signer.public(), approver.public()))?;
        Ok(Self { signer, approver, file })
    }
}

fn post(collector: &Collector, token: &str, path: &str, body: &Value) -> Result<Value> {
    let headers = [format!("Authorization: Bearer {token}"), "Connection: close".to_owned()];
    let answer = Connection::open(collector.http)?.request("POST", path, &headers, body.to_string().as_bytes())?;
    if !(200..300).contains(&answer.status) {
        bail!("{path}: {}: {}", answer.status, answer.text());
    }
    answer.json()
}

/// Catalogue, request and approval, the last by another token; the order's number.
fn start(collector: &Collector, keys: &Keys, hosts: usize) -> Result<u64> {
    const ORDERS: &str = "/api/muster/v1/tasks/orders";
    let signature = keys.signer.sign(&Catalogue::signed_bytes(DOCUMENT)).to_string();
    let signed = json!({"document": DOCUMENT, "signature": signature});
    post(collector, &collector.token, "/api/muster/v1/tasks/catalogue", &signed)?;
    let names: Vec<String> = (0..hosts).map(host_name).collect();
    let wanted = json!({
        "task": "upgrade", "parameters": {"version": "2.0-1"}, "back": {"task": "downgrade"}, "hosts": names,
        "canary": 1, "batch": BATCH.to_string(), "failures_max": 2, "on_trouble": "roll_back", "soak": "1s",
    });
    let order = post(collector, &collector.token, ORDERS, &wanted)?;
    let number = order["order"]["order"].as_u64().context("no number")?;
    let token = post(
        collector,
        &collector.token,
        "/api/muster/v1/tokens",
        &json!({"kind": "http", "scopes": ["task:approve"]}),
    )?;
    let token = token["token"]["word"].as_str().context("no word")?.to_owned();
    let text = order["order"]["text"].as_str().context("no text")?;
    let signature = keys.approver.sign(&Order::signed_bytes(text)).to_string();
    let path = format!("{ORDERS}/{number}/approve");
    let approval = json!({"approver": "bob", "signature": signature});
    if post(collector, &collector.token, &path, &approval).is_ok() {
        bail!("who asked for it approved it");
    }
    post(collector, &token, &path, &approval)?;
    Ok(number)
}

/// Until it has ended: how long until it was being rolled back, until its end, and how it is then.
fn watch(collector: &Collector, order: u64, sessions: &mut JoinSet<Result<()>>) -> Result<(Duration, Duration, Value)> {
    let begun = time::monotonic();
    let mut trouble = None;
    loop {
        let answer = collector.get(&format!("/api/muster/v1/tasks/orders/{order}"))?.json()?;
        let (state, since) = (answer["order"]["state"].as_str().unwrap_or_default(), time::monotonic() - begun);
        if state == "rolling_back" {
            trouble.get_or_insert(since);
        }
        if let Some(ended) = sessions.try_join_next() {
            ended.context("a host panicked")??;
        }
        match state {
            "running" | "stopping" | "rolling_back" if since < WITHIN => std::thread::sleep(Duration::from_millis(100)),
            "rolled_back" => return Ok((trouble.unwrap_or(since), since, answer["order"].clone())),
            _ => bail!("after {} s the order is {}", since.as_secs(), answer["order"]),
        }
    }
}

fn judge(order: &Value, done: &Done, hosts: usize, ran: usize) -> Result<()> {
    let first: Vec<usize> = done.begun.keys().filter(|(_, step)| *step == 0).map(|(host, _)| *host).collect();
    let back: Vec<usize> = done.begun.keys().filter(|(_, step)| *step == 1).map(|(host, _)| *host).collect();
    let wanted: Vec<usize> = (0..ran).collect();
    ensure!(first == wanted, "hosts {first:?} ran it, not {wanted:?}");
    ensure!(back == wanted, "hosts {back:?} were rolled back, not {wanted:?}");
    ensure!(done.begun.values().all(|times| *times == 1), "a host ran a step twice: {:?}", done.begun);
    ensure!(done.most_at_once <= BATCH, "{} hosts at once", done.most_at_once);
    ensure!(order["counts"]["cancelled"] == hosts - ran, "{order}");
    ensure!(order["counts"]["failed"] == BATCH && order["back_counts"]["ok"] == ran, "{order}");
    Ok(())
}
