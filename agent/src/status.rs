//! What `muster-agent status` shows. The agent listens on nothing, so it writes its state to a file every 10 s and when it has connected (a new file renamed over the
//! old one, not synced: after a crash it would be old news anyway), and `status` reads that.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use muster_common::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::own::{ConnectFailure, DropReason, Own};
use crate::uplink::LinkState;

const FILE: &str = "status.json";
/// How often the file is written.
pub const WRITE_EVERY: Duration = Duration::from_secs(10);
/// A file older than this was not written by a running agent.
const STALE_AFTER: Duration = Duration::from_secs(60);
/// No ack for this long while connected is worth a word, or for this many intervals where that is longer.
const ACK_LATE_AFTER: Duration = Duration::from_secs(120);
const ACK_LATE_INTERVALS: f64 = 3.0;

/// The file, version 1. Times are ms since 1970 by this host's clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: u32,
    pub agent_version: String,
    pub pid: u32,
    pub written_ms: i64,
    pub started_ms: i64,
    pub interval_seconds: f64,
    pub host: HostStatus,
    pub collector: CollectorStatus,
    pub spool: SpoolStatus,
    /// What the collector adds to the host's own file.
    #[serde(default)]
    pub remote: RemoteStatus,
    pub totals: Totals,
    /// Batches numbered that will not arrive, by reason; reasons with none are left out.
    pub dropped_batches: BTreeMap<String, u64>,
    /// Rows that were never numbered.
    pub dropped_rows: BTreeMap<String, u64>,
    pub cost: Cost,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostStatus {
    pub id: String,
    pub name: String,
    pub certificate_expires_ms: i64,
    /// Why it was not renewed, or not stored, the last time; empty: all is well.
    #[serde(default)]
    pub certificate_problem: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectorStatus {
    pub address: String,
    /// connected, connecting, waiting, refused or stopped.
    pub state: String,
    /// The collector's words, when it refused; else why the last connection failed, as far as is known.
    pub problem: String,
    pub remedy: String,
    /// 0: none since the agent started.
    pub last_ack_ms: i64,
    pub rtt_seconds: f64,
    pub clock_offset_seconds: f64,
    pub clock_correction_seconds: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RemoteStatus {
    /// Of the configuration that was offered last; 0: none was.
    pub number: u64,
    /// Of the one in force; 0: the host's own file alone.
    pub number_in_force: u64,
    /// Digests as hexadecimal digits; empty: none.
    pub in_force: String,
    pub offered: String,
    /// none, in force, trial, refused, reverted or disabled; empty: of an agent that takes none.
    pub word: String,
    pub since_ms: i64,
    /// Each with place and remedy; warnings too.
    pub problems: Vec<String>,
}

impl RemoteStatus {
    /// Whether what was offered last does not run.
    pub fn is_bad(&self) -> bool {
        ["refused", "reverted"].contains(&self.word.as_str())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpoolStatus {
    pub bytes: u64,
    pub queued_bytes: u64,
    pub epochs: Vec<EpochStatus>,
    /// What the disk does not do at present, each with place and remedy.
    #[serde(default)]
    pub problems: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochStatus {
    pub epoch: String,
    pub created_ms: i64,
    pub acked: u64,
    pub given_out: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    pub rows: u64,
    pub batches: u64,
    pub acked_batches: u64,
    pub gaps: u64,
    pub connects: u64,
    pub refusals: u64,
    /// Connections that failed before a welcome.
    #[serde(default)]
    pub connect_failures: u64,
    #[serde(default)]
    pub renewal_failures: u64,
    pub missed_ticks: u64,
}

/// What the agent itself takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
    pub resident_peak_bytes: u64,
}

impl Status {
    /// Takes over what the agent counts.
    pub fn count(&mut self, own: &Own) {
        let size = |value: i64| u64::try_from(value).unwrap_or(0);
        self.collector.last_ack_ms = own.last_ack_ms.value();
        self.collector.rtt_seconds = own.rtt_us.value() as f64 / 1e6;
        self.collector.clock_offset_seconds = own.clock_offset_ms.value() as f64 / 1e3;
        self.collector.clock_correction_seconds = own.clock_correction_ms.value() as f64 / 1e3;
        self.spool.bytes = size(own.spool_bytes.value());
        self.spool.queued_bytes = size(own.queued_bytes.value());
        self.totals = Totals {
            rows: own.rows.value(),
            batches: own.batches.value(),
            acked_batches: own.acked_batches.value(),
            gaps: own.gaps.value(),
            connects: own.connects.value(),
            refusals: own.refusals.value(),
            connect_failures: ConnectFailure::ALL.iter().map(|reason| own.connect_failures(*reason)).sum(),
            renewal_failures: own.renewal_failures.value(),
            missed_ticks: self.totals.missed_ticks,
        };
        let some = |count: &dyn Fn(DropReason) -> u64| {
            let named = DropReason::ALL.iter().map(|reason| (reason.name().to_owned(), count(*reason)));
            named.filter(|(_, count)| *count > 0).collect()
        };
        self.dropped_batches = some(&|reason| own.dropped_batches(reason));
        self.dropped_rows = some(&|reason| own.dropped_rows(reason));
    }

    /// Takes over where the connection stands.
    pub fn link(&mut self, state: LinkState, last_problem: &str) {
        let (word, problem, remedy) = match state {
            LinkState::Connected => ("connected", String::new(), String::new()),
            LinkState::Connecting => ("connecting", last_problem.to_owned(), String::new()),
            LinkState::Waiting => ("waiting", last_problem.to_owned(), String::new()),
            LinkState::Refused { message, remedy } => ("refused", message, remedy),
            LinkState::Stopped => ("stopped", String::new(), String::new()),
        };
        (self.collector.state, self.collector.problem, self.collector.remedy) = (word.to_owned(), problem, remedy);
    }

    /// Writes the file.
    ///
    /// # Errors
    /// As the file system; the old file stays then.
    pub fn write(&self, state_dir: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        let temporary = state_dir.join("status.json.tmp");
        std::fs::write(&temporary, bytes)?;
        std::fs::rename(&temporary, state_dir.join(FILE))
    }

    /// Reads the file; `None`: no agent ever ran here.
    ///
    /// # Errors
    /// As the file system; `InvalidData` when it is not the agent's.
    pub fn read(state_dir: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(state_dir.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is wrong, each with its remedy; nothing: all is well.
    pub fn problems(&self, now: Timestamp) -> Vec<String> {
        let mut problems = Vec::new();
        let age = now.since(Timestamp::from_millis(self.written_ms));
        if self.collector.state == "stopped" {
            problems.push("the agent was stopped: start it with `muster-agent run` or its service".to_owned());
            return problems;
        }
        if age > STALE_AFTER {
            let told = Span(Duration::from_secs(age.as_secs()));
            problems.push(format!("the agent does not run: its last word is {told} old; start it and look at its log"));
            return problems;
        }
        let collector = &self.collector;
        match collector.state.as_str() {
            "connected" => {
                let last = collector.last_ack_ms.max(self.started_ms);
                let silent = now.since(Timestamp::from_millis(last));
                let intervals = Duration::try_from_secs_f64(self.interval_seconds * ACK_LATE_INTERVALS);
                if silent > intervals.unwrap_or_default().max(ACK_LATE_AFTER) {
                    let told = Span(Duration::from_secs(silent.as_secs()));
                    problems.push(format!("connected, but nothing was acknowledged for {told}: look at the collector"));
                }
            }
            "refused" => problems.push(format!("the collector refuses: {}; {}", collector.problem, collector.remedy)),
            _ if collector.problem.is_empty() => problems.push(format!("not connected to {}", collector.address)),
            _ => problems.push(format!("not connected: {}", collector.problem)),
        }
        problems.extend(self.spool.problems.iter().cloned());
        let remote = &self.remote;
        if remote.is_bad() {
            let first = remote.problems.first().map_or("look at the agent's log", String::as_str);
            problems.push(format!("configuration {} of the collector is {}: {first}", remote.number, remote.word));
        }
        if collector.clock_correction_seconds != 0.0 {
            let offset = collector.clock_offset_seconds;
            problems.push(format!(
                "this host's clock is {offset:+.1} s off the collector's: set it (samples are corrected)"
            ));
        }
        if !self.host.certificate_problem.is_empty() {
            problems.push(self.host.certificate_problem.clone());
        }
        if self.host.certificate_expires_ms < now.millis() {
            problems.push("the certificate has expired: it is renewed at the next connection".to_owned());
        }
        problems
    }

    /// For people.
    pub fn show(&self, now: Timestamp) -> String {
        let ago = |ms: i64| Span(Duration::from_secs(now.since(Timestamp::from_millis(ms)).as_secs())).to_string();
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:<12}{value}");
        };
        let (collector, spool, totals) = (&self.collector, &self.spool, &self.totals);
        line("host", format!("{} ({})", self.host.name, self.host.id));
        line("agent", format!("{}, process {}, since {}", self.agent_version, self.pid, ago(self.started_ms)));
        line("collector", format!("{} at {}", collector.state, collector.address));
        let acked =
            if collector.last_ack_ms == 0 { "never".to_owned() } else { format!("{} ago", ago(collector.last_ack_ms)) };
        line("last ack", acked);
        let ms = collector.rtt_seconds * 1e3;
        line("connection", format!("round trip {ms:.1} ms, clock {:+.3} s", collector.clock_offset_seconds));
        line(
            "batches",
            format!("{} made, {} acknowledged, {} gaps", totals.batches, totals.acked_batches, totals.gaps),
        );
        line("spool", format!("{} bytes on disk, {} in memory", spool.bytes, spool.queued_bytes));
        for one in &spool.epochs {
            let created = ago(one.created_ms);
            line(
                "  epoch",
                format!("{} made {created} ago, {} of {} acknowledged", one.epoch, one.acked, one.given_out),
            );
        }
        let remote = &self.remote;
        if !remote.word.is_empty() && remote.word != "none" {
            let digest =
                if remote.in_force.is_empty() { "the host's own file alone" } else { remote.in_force.as_str() };
            let number =
                if remote.number_in_force == 0 { String::new() } else { format!("{} ", remote.number_in_force) };
            line(
                "remote",
                format!(
                    "{} (number {}) since {}; in force: {number}{digest}",
                    remote.word,
                    remote.number,
                    ago(remote.since_ms)
                ),
            );
            remote.problems.iter().for_each(|problem| line("", problem.clone()));
        }
        for (what, dropped) in [("batches", &self.dropped_batches), ("rows", &self.dropped_rows)] {
            dropped.iter().for_each(|(reason, count)| line("dropped", format!("{count} {what}: {reason}")));
        }
        let cost = &self.cost;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let memory =
            format!("{:.1} MiB now, {:.1} MiB at most", mib(cost.resident_bytes), mib(cost.resident_peak_bytes));
        line("own cost", format!("{:.2} CPU seconds, {memory}", cost.cpu_seconds));
        let expires = Timestamp::from_millis(self.host.certificate_expires_ms).since(now);
        line("certificate", format!("{} left", Span(Duration::from_secs(expires.as_secs() / 3600 * 3600))));
        for problem in self.problems(now) {
            line("PROBLEM", problem);
        }
        text
    }

    /// For programs: the file and what is wrong.
    ///
    /// # Errors
    /// Never for a value that was read.
    pub fn show_json(&self, now: Timestamp) -> serde_json::Result<String> {
        let mut value = serde_json::to_value(self)?;
        value["problems"] = serde_json::to_value(self.problems(now))?;
        serde_json::to_string_pretty(&value)
    }
}

/// The text of a file of the kernel's, which has no size, by as few calls as it takes.
fn read_once(path: &Path) -> io::Result<String> {
    let mut text = String::with_capacity(4 << 10);
    std::fs::File::open(path)?.take(64 << 10).read_to_string(&mut text)?;
    Ok(text)
}

impl Cost {
    /// Reads what the kernel counts of this process; zeros where it does not tell.
    pub fn read(proc: &Path) -> Self {
        let text = |file: &str| read_once(&proc.join("self").join(file)).unwrap_or_default();
        let stat = text("stat");
        // After the name in brackets: utime and stime are the 12th and 13th word, in hundredths of a second.
        let words = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
        let ticks: u64 = words.skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
        let status = text("status");
        let kib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0)
        };
        Self {
            cpu_seconds: ticks as f64 / 100.0,
            resident_bytes: kib("VmRSS:") * 1024,
            resident_peak_bytes: kib("VmHWM:") * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well(now: Timestamp) -> Status {
        let mut status =
            Status { version: 1, written_ms: now.millis(), started_ms: now.millis() - 500_000, ..Status::default() };
        let own = Own::default();
        own.last_ack_ms.set(now.millis() - 3_000);
        own.drop_batches(DropReason::SpoolFull, 7);
        status.count(&own);
        status.link(LinkState::Connected, "");
        status.host.certificate_expires_ms = now.millis() + 86_400_000;
        status
    }

    #[test]
    fn the_file_comes_back_and_says_what_was_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(1_700_000_000_000);
        assert_eq!(Status::read(folder.path()).unwrap(), None);
        let status = well(now);
        status.write(folder.path()).unwrap();
        assert_eq!(Status::read(folder.path()).unwrap(), Some(status.clone()));
        let text = status.show(now);
        assert!(text.contains("last ack    3s ago") && text.contains("7 batches: spool_full"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&status.show_json(now).unwrap()).unwrap();
        assert_eq!((&json["problems"], &json["dropped_batches"]["spool_full"]), (&serde_json::json!([]), &7.into()));
        std::fs::write(folder.path().join(FILE), "{}x").unwrap();
        assert!(Status::read(folder.path()).is_err());
    }

    #[test]
    fn each_problem_is_named_with_its_remedy() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        assert_eq!(well(now).problems(now), Vec::<String>::new());
        let one = |change: &dyn Fn(&mut Status), words: &str| {
            let mut status = well(now);
            change(&mut status);
            let problems = status.problems(now);
            assert!(problems.len() == 1 && problems[0].contains(words), "{words}: {problems:?}");
        };
        one(&|status| status.written_ms -= 61_000, "does not run");
        one(&|status| status.collector.last_ack_ms -= 130_000, "nothing was acknowledged for 2m13s");
        let slow = |silent_ms: i64| {
            let mut status = well(now);
            status.interval_seconds = 300.0;
            status.started_ms = now.millis() - 10_000_000;
            status.collector.last_ack_ms = now.millis() - silent_ms;
            status.problems(now)
        };
        assert_eq!(slow(890_000), Vec::<String>::new(), "a host that samples every 5 min is acknowledged every 5 min");
        assert!(slow(910_000)[0].contains("nothing was acknowledged"));
        one(&|status| status.link(LinkState::Stopped, ""), "stopped");
        one(&|status| status.link(LinkState::Waiting, "no answer"), "not connected: no answer");
        let refused = LinkState::Refused { message: "denied".into(), remedy: "enrol again".into() };
        one(&|status| status.link(refused.clone(), ""), "denied; enrol again");
        let full = std::io::Error::from_raw_os_error(28);
        let trouble =
            crate::spool::Trouble::disk("append to the spool in", Path::new("/state/spool"), &full).to_string();
        let words =
            "append to the spool in /state/spool: No space left on device (os error 28); the disk is full: free room";
        one(&|status| status.spool.problems = vec![trouble.clone()], words);
        let remote = |word: &str| RemoteStatus {
            number: 7,
            word: word.to_owned(),
            problems: vec!["configuration 7:1:1: it is wrong: mend it".to_owned()],
            ..RemoteStatus::default()
        };
        one(
            &|status| status.remote = remote("refused"),
            "configuration 7 of the collector is refused: configuration 7:1:1",
        );
        one(&|status| status.remote = remote("reverted"), "is reverted");
        for word in ["none", "in force", "trial", "disabled"] {
            let status = Status { remote: remote(word), ..well(now) };
            assert_eq!(status.problems(now), Vec::<String>::new(), "{word} is no problem");
            assert_eq!(status.show(now).contains("configuration 7:1:1: it is wrong"), word != "none");
        }
        one(&|status| status.collector.clock_correction_seconds = 9.0, "clock");
        one(&|status| status.host.certificate_expires_ms = 0, "expired");
        one(&|status| status.host.certificate_problem = "no room".to_owned(), "no room");
    }

    #[test]
    fn own_cost_is_read_from_the_kernel() {
        let cost = Cost::read(Path::new("/proc"));
        assert!(cost.resident_bytes > 1 << 20 && cost.resident_peak_bytes >= cost.resident_bytes);
        assert_eq!(Cost::read(Path::new("/nowhere")), Cost::default());
    }
}
