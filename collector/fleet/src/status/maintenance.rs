//! Maintenances: somebody, or the product itself, works on hosts, and says when that began and when it is done.
//!
//! While one is open a downtime of its own holds what its hosts have. When it is done health gets a while to return; what has not returned
//! then is told by one alert, `MaintenanceNotRecovered`, which holds the problems that it lists. `STATUS.md` tells the rules.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use serde::{Deserialize, Serialize};

use super::check_row::Told;
use super::condition::Severity;
use super::freshness::GRACE_MS;
use crate::rows::host_id;

/// Maintenances that are not closed: each is looked at every second, and has a downtime that is tried on every problem.
pub const MAINTENANCES_OPEN_MAX: usize = 1_000;
/// Those that are closed and still listed, the oldest go: two or three a day for a year.
pub const MAINTENANCES_CLOSED_MAX: usize = 1_000;
/// How long one that is closed is listed: as long as changes are kept.
pub const MAINTENANCES_KEPT_MS: i64 = 400 * 86_400_000;
/// Hosts of one by id; matchers say more.
pub const MAINTENANCE_HOSTS_MAX: usize = 1_000;
/// How long health may take to return where nothing is said: a machine boots, and its checks have run once or twice.
pub const MAINTENANCE_GRACE_MS: i64 = 5 * 60_000;
/// The longest time that may be given to health: what is away for an hour after the work is what somebody must know.
pub const MAINTENANCE_GRACE_MAX_MS: i64 = 3_600_000;
/// The longest work: what is longer is a downtime that somebody plans.
pub const MAINTENANCE_MAX_MS: i64 = 30 * 86_400_000;
/// Problems that one alert lists and holds; those over it are told by themselves. More is read by nobody.
pub(crate) const UNRETURNED_MAX: usize = 500;
/// Bytes of a name, a reference, and of the matchers.
const NAME_BYTES_MAX: usize = 128;
const MATCHERS_BYTES_MAX: usize = 1_024;
/// Bytes that are kept of what a problem said.
const WORDS_BYTES_MAX: usize = 160;
/// Problems named in one line; the rest is a number.
const NAMED_MAX: usize = 4;

/// A maintenance as somebody asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceSpec {
    /// What is done: `kernel upgrade`.
    pub name: String,
    /// What of the product opened it: `task 7`; empty: a person.
    #[serde(default)]
    pub reference: String,
    /// Ids of hosts.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Over `host` and the host's labels, `role=web`; all must match. Empty: the hosts alone.
    #[serde(default)]
    pub matchers: String,
    /// When the work is expected to be done, milliseconds.
    pub ends_ms: i64,
    /// How long health may take to return after that, milliseconds.
    pub grace_ms: i64,
}

/// Where a maintenance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaintenanceState {
    /// The work is going on.
    Open,
    /// It is done, or should be; health gets its time.
    Settling,
    /// Health has not returned.
    NotRecovered,
    /// Health has returned, at once or later.
    Closed,
}

impl MaintenanceState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settling => "settling",
            Self::NotRecovered => "not_recovered",
            Self::Closed => "closed",
        }
    }
}

/// A problem that was not there before a maintenance, and is still there after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreturned {
    #[serde(with = "host_id")]
    pub host: HostId,
    /// As it was named when that was found.
    pub host_name: String,
    /// Empty: the host itself.
    pub check: String,
    /// What it said then.
    pub words: String,
}

/// A maintenance: table `maintenances`, key its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maintenance {
    pub id: u64,
    #[serde(flatten)]
    pub spec: MaintenanceSpec,
    pub by: String,
    pub begun_ms: i64,
    /// The number of its downtime, which ends when it is judged.
    pub downtime: u64,
    pub state: MaintenanceState,
    /// When somebody said that it is done.
    pub finished_ms: Option<i64>,
    /// It was not done by its expected end, which was told.
    pub overran: bool,
    /// When it was looked at whether health has returned.
    pub judged_ms: Option<i64>,
    pub closed_ms: Option<i64>,
    /// What has not returned yet.
    pub unreturned: Vec<Unreturned>,
    /// Of the alert, as it was when it was judged: a host that returns makes no other alert of it.
    pub(crate) severity: Option<Severity>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) told: Option<Told>,
}

/// What is due of a maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Its expected end has come, and nobody has said that it is done.
    Overrun,
    /// Health has had its time.
    Judge,
}

impl Maintenance {
    pub(crate) fn new(id: u64, spec: MaintenanceSpec, by: String, begun_ms: i64, downtime: u64) -> Self {
        Self {
            id,
            spec,
            by,
            begun_ms,
            downtime,
            state: MaintenanceState::Open,
            finished_ms: None,
            overran: false,
            judged_ms: None,
            closed_ms: None,
            unreturned: Vec::new(),
            severity: None,
            labels: BTreeMap::new(),
            told: None,
        }
    }

    /// Whether its downtime is on.
    pub const fn is_under_way(&self) -> bool {
        matches!(self.state, MaintenanceState::Open | MaintenanceState::Settling)
    }

    /// When it is judged if nothing comes between, milliseconds.
    pub fn judged_at_ms(&self) -> i64 {
        self.finished_ms.unwrap_or(self.spec.ends_ms).saturating_add(self.spec.grace_ms)
    }

    /// What is due now. A process that is ready (`ready_ms`) since it began judges it only when hosts have had the time to be heard again.
    pub(crate) fn due(&self, now_ms: i64, ready_ms: Option<i64>) -> Option<Due> {
        let ready_ms = ready_ms?;
        let hearing_ms = if self.begun_ms < ready_ms { ready_ms.saturating_add(GRACE_MS) } else { i64::MIN };
        match self.state {
            MaintenanceState::Open if now_ms >= self.spec.ends_ms => Some(Due::Overrun),
            MaintenanceState::Settling if now_ms >= self.judged_at_ms().max(hearing_ms) => Some(Due::Judge),
            _ => None,
        }
    }

    /// What has not returned, in one line.
    pub(crate) fn summary(&self) -> String {
        let count = self.unreturned.len();
        let plural = if count == 1 { "problem has" } else { "problems have" };
        let named: Vec<String> = self.unreturned.iter().take(NAMED_MAX).map(Unreturned::line).collect();
        let more = count.saturating_sub(NAMED_MAX);
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        let (id, name) = (self.id, &self.spec.name);
        format!(
            "health has not returned after maintenance {id} ({name}): {count} {plural} not gone: {}{more}",
            named.join("; ")
        )
    }

    /// All that has not returned, a line each, and how the maintenance ended.
    pub(crate) fn description(&self) -> String {
        let end = match self.finished_ms {
            Some(_) => "it was finished, and".to_owned(),
            None => "nobody finished it by its expected end, and".to_owned(),
        };
        let minutes = self.spec.grace_ms.div_euclid(60_000);
        let lines: Vec<String> = self.unreturned.iter().map(Unreturned::line).collect();
        format!("begun by {}; {end} health had {minutes} min to return\n{}", self.by, lines.join("\n"))
    }
}

impl Unreturned {
    pub(crate) fn new(host: HostId, host_name: &str, check: &str, words: &str) -> Self {
        let line = words.lines().next().unwrap_or_default();
        let end = (0..=line.len().min(WORDS_BYTES_MAX)).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
        Self { host, host_name: host_name.to_owned(), check: check.to_owned(), words: line[..end].to_owned() }
    }

    fn line(&self) -> String {
        match self.check.as_str() {
            "" => format!("{}: {}", self.host_name, self.words),
            check => format!("{}/{check}: {}", self.host_name, self.words),
        }
    }
}

/// What is wrong with it, in words; of hosts and matchers the downtime that it makes says more.
pub(crate) fn check_spec(spec: &MaintenanceSpec, now_ms: i64) -> Result<(), String> {
    if spec.name.trim().is_empty() {
        return Err("it has no name: say what is going to be done".to_owned());
    }
    if spec.name.len().max(spec.reference.len()) > NAME_BYTES_MAX {
        return Err(format!("its name is longer than {NAME_BYTES_MAX} bytes: shorten it"));
    }
    if spec.matchers.len() > MATCHERS_BYTES_MAX {
        return Err(format!("its matchers are longer than {MATCHERS_BYTES_MAX} bytes: shorten them"));
    }
    if spec.hosts.is_empty() && spec.matchers.trim().is_empty() {
        return Err("it names no host: give hosts, or matchers such as role=web".to_owned());
    }
    if spec.hosts.len() > MAINTENANCE_HOSTS_MAX {
        return Err(format!("it names more than {MAINTENANCE_HOSTS_MAX} hosts: give matchers"));
    }
    if spec.ends_ms <= now_ms {
        return Err("it ends before it begins: give an end that is to come".to_owned());
    }
    if spec.ends_ms.saturating_sub(now_ms) > MAINTENANCE_MAX_MS {
        return Err("it is longer than 30 days: plan a downtime instead".to_owned());
    }
    if !(0..=MAINTENANCE_GRACE_MAX_MS).contains(&spec.grace_ms) {
        return Err("health may take at most an hour to return: give less".to_owned());
    }
    Ok(())
}
