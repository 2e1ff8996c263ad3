//! kill -9 of the collector while it mails, with a mail server that is away, lets wait, hangs up and loses replies: what each recipient got.
//!
//! Every alert has a receiver and a recipient of its own, so each recipient must get one notice: at least one copy, and every copy under the
//! Message-ID of the first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::points::{injected, under_strace};
use crate::harness::collector::{Collector, Options};
use crate::harness::mailbox::{Fault, Mail, Mailbox};

/// Alerts a turn.
const ALERTS: usize = 5;
/// System calls of a notice's way, and how often one thread makes them in a turn (strace counts by thread): commits of state.redb, and the
/// talk with the mail server.
const CALLS: [(&str, u32); 5] = [("fdatasync", 8), ("pwrite64", 30), ("sendto", 2), ("recvfrom", 3), ("connect", 1)];
/// A call that is not reached by then is a miss; then it is killed all the same.
const REACH: Duration = Duration::from_secs(5);
/// Longer than the pauses of a row that has failed as often as here add up to.
const DELIVERY: Duration = Duration::from_secs(20 * 60);
/// After all is there: time for a copy too many.
const QUIET: Duration = Duration::from_secs(20);

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct MailReport {
    pub alerts: usize,
    pub kills: usize,
    /// Of these at a system call.
    pub at_calls: usize,
    /// Recipients that got nothing.
    pub lost: usize,
    /// Recipients that got copies with different Message-IDs, or mails of others.
    pub second_ids: usize,
    /// Copies beyond the first.
    pub repeats: usize,
    pub largest_bytes: usize,
}

/// Kills it so often, under five alerts each.
///
/// # Errors
/// When a program does not start, or mails do not come.
pub fn with_mails(programs: &Path, folder: &Path, kills: u32, seed: u64) -> Result<MailReport> {
    let mailbox = Mailbox::start(None)?;
    let kills = usize::try_from(kills)?;
    let alerts = kills * ALERTS;
    let routing = folder.join("alerting.yml");
    std::fs::write(&routing, configuration(&mailbox, alerts)?)?;
    let mut options = Options::new(programs, &folder.join("data"));
    options.arguments = vec!["--alerting".to_owned(), routing.to_string_lossy().into_owned()];
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut report = MailReport { alerts, kills, ..MailReport::default() };
    for turn in 0..kills {
        faults(&mailbox, &mut rng);
        let wanted = turn * ALERTS..(turn + 1) * ALERTS;
        if turn % 2 == 0 {
            let collector = Collector::start(&options).with_context(|| format!("turn {turn}"))?;
            push(&collector, wanted)?;
            std::thread::sleep(Duration::from_millis(rng.u64(0..600)));
            collector.kill()?;
            continue;
        }
        report.at_calls += usize::from(at_call(&options, &mut rng, wanted.clone())?);
        // What was not answered is pushed again, as every sender does.
        let collector = Collector::start(&options).with_context(|| format!("turn {turn}"))?;
        push(&collector, wanted)?;
        collector.kill()?;
    }
    mailbox.set_away(false);
    mailbox.heal();
    let collector = Collector::start(&options)?;
    let told = |mails: &[Mail]| mails.iter().flat_map(|mail| mail.to.clone()).collect::<BTreeSet<_>>().len();
    crate::harness::agent::until("every recipient's mail", DELIVERY, || {
        Ok((told(&mailbox.mails()) >= alerts).then_some(()))
    })?;
    collector.kill()?;
    let collector = Collector::start(&options)?;
    std::thread::sleep(QUIET);
    if !collector.stop()?.success() {
        bail!("the collector did not end well on SIGTERM");
    }
    judge(&mailbox.mails(), &mut report);
    Ok(report)
}

fn configuration(mailbox: &Mailbox, alerts: usize) -> Result<String> {
    let mut text = format!(
        "global:\n  smtp_smarthost: {}\n  smtp_from: muster@example.org\n  smtp_require_tls: false\n\
         route:\n  receiver: r0\n  group_by: [alertname]\n  group_wait: 0s\n  group_interval: 10m\n  repeat_interval: 24h\n  routes:\n",
        mailbox.address
    );
    for number in 0..alerts {
        writeln!(text, "  - {{receiver: r{number}, matchers: ['alertname=\"A{number}\"']}}")?;
    }
    text.push_str("receivers:\n");
    for number in 0..alerts {
        writeln!(text, "- name: r{number}\n  email_configs:\n  - {{to: a{number}@example.org, send_resolved: false}}")?;
    }
    Ok(text)
}

/// How the mail server is in this turn.
fn faults(mailbox: &Mailbox, rng: &mut fastrand::Rng) {
    mailbox.heal();
    mailbox.set_away(rng.u8(0..5) == 0);
    let kinds = [Fault::LostReply, Fault::Greylist, Fault::Hangup];
    let count = rng.usize(0..4);
    mailbox.fail((0..count).map(|_| kinds[rng.usize(0..kinds.len())]));
}

fn push(collector: &Collector, numbers: std::ops::Range<usize>) -> Result<()> {
    for number in numbers {
        let alert = json!([{"labels": {"alertname": format!("A{number}"), "severity": "critical"}, "endsAt": "2100-01-01T00:00:00Z"}]);
        let answer = collector.request("POST", "/api/v2/alerts", alert.to_string().as_bytes())?;
        if answer.status != 200 {
            bail!("alert {number} was answered {}: {}", answer.status, answer.text());
        }
    }
    Ok(())
}

/// Whether strace killed it at a call of a notice's way.
fn at_call(options: &Options, rng: &mut fastrand::Rng, numbers: std::ops::Range<usize>) -> Result<bool> {
    let (call, often) = CALLS[rng.usize(0..CALLS.len())];
    let (under, log) = under_strace(options, call, rng.u32(1..=often));
    let mut collector = match Collector::start(&under) {
        Ok(collector) => collector,
        Err(error) => return injected(&log)?.map(|_| true).ok_or(error),
    };
    // It may die under the first as under the last.
    drop(push(&collector, numbers));
    if collector.wait_end(REACH).is_err() {
        collector.kill()?;
        return Ok(false);
    }
    Ok(injected(&log)?.is_some())
}

fn judge(mails: &[Mail], report: &mut MailReport) {
    let mut ids: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for mail in mails {
        let id = mail.header("message-id").unwrap_or_default();
        for to in &mail.to {
            ids.entry(to).or_default().insert(id.clone());
        }
    }
    report.lost = report.alerts.saturating_sub(ids.len());
    report.second_ids = ids.values().filter(|ids| ids.len() > 1).count();
    report.repeats = mails.iter().map(|mail| mail.to.len()).sum::<usize>().saturating_sub(ids.len());
    report.largest_bytes = mails.iter().map(|mail| mail.bytes.len()).max().unwrap_or(0);
}
