//! How soon a check that turned hard is a mail: results pushed one by one at a real agent, its collector, and a mail server.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_common::time::{self, Timestamp};

use crate::harness::agent::{AgentHome, run, until};
use crate::harness::collector::{Collector, Options};
use crate::harness::http::escape;
use crate::harness::mailbox::{Mail, Mailbox};

/// Sixty times what is promised: a mail that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of the results.
#[derive(Debug, Default)]
pub struct Told {
    /// From the moment that the check was hard at the collector (its event's) to the end of the mail at its server.
    pub since_hard: Vec<Duration>,
    /// From the end of `muster-agent push`, with which the result is durable on the host; zero for a mail that was there before the command had
    /// ended. The agent looks once a second for what is handed over.
    pub since_pushed: Vec<Duration>,
    /// Mails whose text, decoded, has the check's output, its host and its state.
    pub readable: usize,
    pub largest_bytes: usize,
}

/// The time that this share of them did not exceed (nearest rank), in milliseconds; not a number of none.
pub fn percentile_ms(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let rank = (share * times.len() as f64).ceil().max(1.0) as usize;
    times.get(rank - 1).map_or(f64::NAN, |took| took.as_secs_f64() * 1_000.0)
}

/// Pushes `count` results for as many checks, each when the last one's mail is there.
///
/// # Errors
/// When a program does not start or a mail does not come.
pub fn mail_latency(programs: &Path, folder: &Path, count: usize) -> Result<Told> {
    let mailbox = Mailbox::start(None)?;
    let path = folder.join("alerting.yml");
    std::fs::write(&path, alerting(&mailbox, count)?)?;
    let mut options = Options::new(programs, &folder.join("data"));
    options.arguments = vec!["--alerting".to_owned(), path.to_string_lossy().into_owned()];
    let collector = Collector::start(&options)?;
    let home = AgentHome::enrol(programs, &collector, folder, "alerts1")?;
    let _agent = home.start(&[])?;
    let mut told = Told::default();
    // The first result waits for the agent's start: it is not counted.
    for number in 0..=count {
        let output = format!("disk {number} of the array does not answer");
        let pushed = push(&home, &check(number), &output)?;
        let mail = arrived(&mailbox, &recipient(number))?;
        if number == 0 {
            continue;
        }
        told.since_hard.push(mail.at.since(hard_at(&collector, &check(number))?));
        told.since_pushed.push(mail.at.since(pushed));
        let text = mail.text();
        told.readable += usize::from([output.as_str(), &home.name, "CRITICAL"].iter().all(|word| text.contains(word)));
        told.largest_bytes = told.largest_bytes.max(mail.bytes.len());
    }
    Ok(told)
}

/// When this check was hard, by its event.
fn hard_at(collector: &Collector, check: &str) -> Result<Timestamp> {
    let query = escape(&format!("{{source=\"muster\", event=\"state\"}} | kind=\"check_state\" | check=\"{check}\""));
    until("the event of a check's state", PATIENCE, || {
        let answer = collector.get(&format!("/loki/api/v1/query_range?query={query}&since=1h"))?.json()?;
        let nanos = answer["data"]["result"][0]["values"][0][0].as_str().and_then(|nanos| nanos.parse::<i64>().ok());
        Ok(nanos.map(|nanos| Timestamp::from_millis(nanos / 1_000_000)))
    })
}

fn check(number: usize) -> String {
    format!("c{number}")
}

fn recipient(number: usize) -> String {
    format!("c{number}@example.org")
}

/// A receiver of its own for each check, so that no storm gathers what is to be told by itself.
fn alerting(mailbox: &Mailbox, count: usize) -> Result<String> {
    let mut routes = String::new();
    let mut receivers = String::from("receivers:\n- name: others\n");
    for number in 0..=count {
        let (check, to) = (check(number), recipient(number));
        writeln!(routes, "  - receiver: {check}\n    matchers: ['check=\"{check}\"']")?;
        writeln!(receivers, "- name: {check}\n  email_configs:\n  - to: {to}")?;
    }
    Ok(format!(
        "global:\n  smtp_smarthost: {}\n  smtp_from: muster@example.org\n  smtp_require_tls: false\n\
         route:\n  receiver: others\n  group_by: [alertname, host, check]\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 1h\n\
         \x20 routes:\n{routes}{receivers}",
        mailbox.address
    ))
}

/// When the command had ended.
fn push(home: &AgentHome, check: &str, output: &str) -> Result<Timestamp> {
    let state = home.state.to_string_lossy();
    let words = ["push", "--state-dir", &state, check, "--state", "CRITICAL", "--output", output];
    let (code, _, error) = run(&home.programs, "muster-agent", &words)?;
    let ended = time::now();
    if code == 0 { Ok(ended) } else { bail!("muster-agent push: {error}") }
}

/// The mail to this recipient, as soon as it is there.
fn arrived(mailbox: &Mailbox, to: &str) -> Result<Mail> {
    let begun = time::monotonic();
    let mut mails = mailbox.mails();
    loop {
        if let Some(at) = mails.iter().position(|mail| mail.to.iter().any(|one| one == to)) {
            return Ok(mails.swap_remove(at));
        }
        let left = PATIENCE.checked_sub(time::monotonic() - begun).with_context(|| format!("no mail to {to}"))?;
        mails = mailbox.wait(mails.len() + 1, left).with_context(|| format!("no mail to {to}"))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| percentile_ms(&mut times, share)), [100.0, 198.0, 200.0]);
        assert!(percentile_ms(&mut [], 0.99).is_nan());
    }
}
