//! Announcements: somebody says that hosts are going to change, so that the changes nobody spoke of stand out.
//!
//! A change is announced where an announcement about its host, a deploy on it, or a downtime of it, covers some moment between the looks that found it. That is
//! judged when it is read, so one that comes late counts too.

use std::collections::{BTreeMap, HashMap};

use muster_common::host::HostId;
use muster_common::matcher::Matcher;
use muster_common::matcher_text::{all_match_by, read_matchers};
use muster_common::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::by::By;
use crate::deploys::{Deploy, ENV_LABEL, announcing};
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::inventory::CHANGES_KEPT_MS;
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::status::ReadDowntime;

/// Announcements that are kept, as long as changes are: 25 a day. The one that ended first goes.
pub const ANNOUNCEMENTS_MAX: usize = 10_000;
/// Hosts of one announcement by name; matchers say more.
pub const ANNOUNCEMENT_HOSTS_MAX: usize = 1_000;
/// How late it may come: whoever worked at night says so in the morning, and nobody explains away last week.
pub const ANNOUNCED_LATE_MS: i64 = 24 * 3_600_000;
/// The longest one: what is always announced is never news.
pub const ANNOUNCED_MAX_MS: i64 = 30 * 24 * 3_600_000;
const TEXT_BYTES_MAX: usize = 1_024;

/// What somebody announces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncementSpec {
    /// Ids of hosts.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Over `host` and the host's labels, `role=web`; all must match. Empty: the hosts alone.
    #[serde(default)]
    pub matchers: String,
    /// From then on, before the other.
    pub from_ms: i64,
    pub to_ms: i64,
    pub reason: String,
}

/// One as it is kept: table `announcements`, key its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub id: u64,
    #[serde(flatten)]
    pub spec: AnnouncementSpec,
    pub by: String,
    pub made_ms: i64,
}

/// What announces a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    pub kind: AnnouncedBy,
    /// Its number among those of its kind.
    pub id: u64,
    pub reason: String,
    pub by: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnouncedBy {
    Announcement,
    /// A deploy that somebody told of.
    Deploy,
    Downtime,
}

impl AnnouncedBy {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announcement => "announcement",
            Self::Deploy => "deploy",
            Self::Downtime => "downtime",
        }
    }
}

impl Fleet {
    /// All that are kept, by number.
    pub fn announcements(&self) -> Vec<Announcement> {
        self.memory.read().announcements.values().cloned().collect()
    }

    /// Announces a change; the answer is it with its number.
    ///
    /// # Errors
    /// [`FleetError::StatusSpec`] says what is wrong with it; when the disk or the file fails.
    pub fn announce(&self, spec: AnnouncementSpec, by: &By, now: Timestamp) -> Result<Announcement, FleetError> {
        check(&spec, now.millis()).map_err(|why| FleetError::StatusSpec { what: "the announcement", why })?;
        self.change(|memory, draft| {
            make_room(memory, draft, now.millis())?;
            let id = memory.announcements.last_key_value().map_or(1, |(id, _)| id + 1);
            let (about, reason) = (about(memory, &spec), &spec.reason);
            let text = format!("announced changes of {about}: {reason}");
            let event = Event::new(EventKind::ChangesAnnounced, by, now, text);
            draft.events.push(event.with("announcement", id.to_string()));
            let made = Announcement { id, spec, by: by.to_string(), made_ms: now.millis() };
            draft.announcements.push(made.clone());
            Ok(made)
        })
    }

    /// Ends an announcement now; one that has not begun goes. The answer is it as it was, ended.
    ///
    /// # Errors
    /// [`FleetError::NoAnnouncement`] if there is none that has not ended; when the disk or the file fails.
    pub fn end_announcement(&self, id: u64, by: &By, now: Timestamp) -> Result<Announcement, FleetError> {
        let now_ms = now.millis();
        self.change(|memory, draft| {
            let known = memory.announcements.get(&id).filter(|known| known.spec.to_ms > now_ms);
            let mut ended = known.cloned().ok_or(FleetError::NoAnnouncement { id })?;
            let text = format!("the announcement of changes of {} has ended", about(memory, &ended.spec));
            let event = Event::new(EventKind::AnnouncementEnded, by, now, text);
            draft.events.push(event.with("announcement", id.to_string()));
            ended.spec.to_ms = now_ms.max(ended.spec.from_ms);
            // It stays with an empty time, so that its number is not given again.
            draft.announcements.push(ended.clone());
            Ok(ended)
        })
    }

    /// What judges whether changes are announced: of announcements and downtimes as they are now. Downtimes that are over are known for 400 days.
    pub fn announcer(&self) -> Announcer<'_> {
        let downtimes = self.downtimes().into_iter().chain(self.ended_downtimes());
        let downtimes = downtimes.filter_map(|one| ReadDowntime::new(one).ok()).collect();
        let of = |one: Announcement| {
            let matchers = read_matchers(&one.spec.matchers).ok()?;
            let hosts = one.spec.hosts.iter().filter_map(|host| HostId::parse(host)).collect();
            Some(ReadAnnouncement { row: one, hosts, matchers })
        };
        let announcements = self.announcements().into_iter().filter_map(of).collect();
        let limit_ms = self.deploy_settings().limit_ms;
        let deploys =
            announcing(&self.memory.read().deploys).filter_map(|row| ReadDeploy::new(row, limit_ms)).collect();
        Announcer { fleet: self, downtimes, announcements, deploys, by_host: HashMap::new() }
    }
}

struct ReadAnnouncement {
    row: Announcement,
    hosts: Vec<HostId>,
    matchers: Vec<Matcher>,
}

impl ReadAnnouncement {
    fn is_about(&self, host: HostId, name: &str, labels: &BTreeMap<String, String>) -> bool {
        let label = |of: &str| if of == "host" { Some(name) } else { labels.get(of).map(String::as_str) };
        self.hosts.contains(&host)
            // A host that is gone has no name by which it could be meant.
            || !self.matchers.is_empty() && !name.is_empty() && all_match_by(&self.matchers, label)
    }
}

/// A deploy that somebody told of, while it ran.
struct ReadDeploy {
    id: u64,
    words: String,
    by: String,
    hosts: Vec<HostId>,
    matchers: Vec<Matcher>,
    env: String,
    from_ms: i64,
    /// Included.
    to_ms: i64,
}

impl ReadDeploy {
    /// Of one that runs: until it would be given up.
    fn new(row: &Deploy, limit_ms: i64) -> Option<Self> {
        Some(Self {
            id: row.id,
            words: format!("deploy of {}", row.words()),
            by: row.by.clone(),
            hosts: row.hosts.iter().filter_map(|host| HostId::parse(host)).collect(),
            matchers: read_matchers(&row.matchers).ok()?,
            env: row.env.clone(),
            from_ms: row.started_ms,
            to_ms: row.ended_ms.unwrap_or(row.started_ms.saturating_add(limit_ms)),
        })
    }

    fn is_about(&self, host: HostId, name: &str, labels: &BTreeMap<String, String>) -> bool {
        if !self.hosts.is_empty() {
            return self.hosts.contains(&host);
        }
        let label = |of: &str| if of == "host" { Some(name) } else { labels.get(of).map(String::as_str) };
        !name.is_empty() && label(ENV_LABEL) == Some(&self.env) && all_match_by(&self.matchers, label)
    }
}

/// Places in the lists of announcements, deploys and downtimes.
type AboutHost = (Vec<usize>, Vec<usize>, Vec<usize>);

/// Judges changes of one question; it finds out once of each host what is about it.
pub struct Announcer<'f> {
    fleet: &'f Fleet,
    downtimes: Vec<ReadDowntime>,
    announcements: Vec<ReadAnnouncement>,
    deploys: Vec<ReadDeploy>,
    by_host: HashMap<HostId, AboutHost>,
}

impl Announcer<'_> {
    /// What announces a change of this host that came about after `since_ms` and not after `at_ms`; an announcement before a deploy, that
    /// before a downtime, the newest before others.
    pub fn announced(&mut self, host: HostId, since_ms: i64, at_ms: i64) -> Option<Announced> {
        let (fleet, downtimes, announcements) = (self.fleet, &self.downtimes, &self.announcements);
        let deploys = &self.deploys;
        let (told, deployed, down) = self.by_host.entry(host).or_insert_with(|| {
            let row = fleet.memory.read().host(host).cloned();
            let (name, labels) = row.as_ref().map_or(("", BTreeMap::new()), |row| (&row.name, row.labels.clone()));
            let told = (0..announcements.len()).filter(|at| announcements[*at].is_about(host, name, &labels));
            let down = (0..downtimes.len())
                .filter(|at| !name.is_empty() && downtimes[*at].is_about(host, name, &labels, None));
            let deployed = (0..deploys.len()).filter(|at| deploys[*at].is_about(host, name, &labels));
            (told.collect(), deployed.collect(), down.collect())
        });
        let covers =
            |spec: &AnnouncementSpec| spec.from_ms < spec.to_ms && spec.from_ms <= at_ms && spec.to_ms > since_ms;
        let announcement = told.iter().rev().map(|at| &announcements[*at].row).find(|row| covers(&row.spec));
        if let Some(row) = announcement {
            let (reason, by) = (row.spec.reason.clone(), row.by.clone());
            return Some(Announced { kind: AnnouncedBy::Announcement, id: row.id, reason, by });
        }
        let runs = |one: &&ReadDeploy| one.from_ms <= at_ms && one.to_ms >= since_ms;
        if let Some(deploy) = deployed.iter().rev().map(|at| &deploys[*at]).find(runs) {
            let (reason, by) = (deploy.words.clone(), deploy.by.clone());
            return Some(Announced { kind: AnnouncedBy::Deploy, id: deploy.id, reason, by });
        }
        let downtime = down.iter().rev().map(|at| &downtimes[*at]).find(|one| one.touches(since_ms, at_ms))?;
        let (id, spec) = (downtime.row.id, &downtime.row.spec);
        Some(Announced { kind: AnnouncedBy::Downtime, id, reason: spec.reason.clone(), by: spec.owner.clone() })
    }
}

fn check(spec: &AnnouncementSpec, now_ms: i64) -> Result<(), String> {
    if spec.hosts.is_empty() && spec.matchers.trim().is_empty() {
        return Err("it names no host: give hosts, or matchers such as role=web".to_owned());
    }
    if spec.hosts.len() > ANNOUNCEMENT_HOSTS_MAX {
        return Err(format!("it names more than {ANNOUNCEMENT_HOSTS_MAX} hosts: give matchers"));
    }
    if spec.reason.trim().is_empty() {
        return Err("it has no reason: say what is going to be done".to_owned());
    }
    if spec.reason.len().max(spec.matchers.len()) > TEXT_BYTES_MAX {
        return Err(format!("a text of it is longer than {TEXT_BYTES_MAX} bytes: shorten it"));
    }
    if spec.to_ms <= spec.from_ms {
        return Err("it ends before it begins: give an end after the beginning".to_owned());
    }
    if spec.to_ms.saturating_sub(spec.from_ms) > ANNOUNCED_MAX_MS {
        return Err("it is longer than 30 days, which would announce everything: give an earlier end".to_owned());
    }
    if spec.from_ms < now_ms.saturating_sub(ANNOUNCED_LATE_MS) {
        return Err("it begins more than 24 hours ago: what was not announced until then stays so".to_owned());
    }
    read_matchers(&spec.matchers).map(drop).map_err(|error| error.to_string())
}

/// Drops those whose changes are not kept any more, and the one that ended first where there are too many.
fn make_room(memory: &Memory, draft: &mut Draft, now_ms: i64) -> Result<(), FleetError> {
    let all = &memory.announcements;
    // The newest keeps its number from being given again.
    let newest = all.last_key_value().map(|(id, _)| *id);
    let ends = |one: &Announcement| one.spec.to_ms;
    let mut ended: Vec<&Announcement> =
        all.values().filter(|one| ends(one) <= now_ms && Some(one.id) != newest).collect();
    ended.sort_by_key(|one| one.spec.to_ms);
    let over = (all.len() + 1).saturating_sub(ANNOUNCEMENTS_MAX);
    if over > ended.len() {
        let why =
            format!("there are {ANNOUNCEMENTS_MAX} announcements that have not ended, which is the most: end some");
        return Err(FleetError::StatusSpec { what: "the announcement", why });
    }
    let old = ended.iter().filter(|one| ends(one).saturating_add(CHANGES_KEPT_MS) <= now_ms).count();
    draft.forgotten_announcements.extend(ended[..over.max(old)].iter().map(|one| one.id));
    Ok(())
}

/// Of which hosts, in a few words.
fn about(memory: &Memory, spec: &AnnouncementSpec) -> String {
    let name = |host: &String| {
        let row = HostId::parse(host).and_then(|id| memory.host(id));
        row.map_or_else(|| host.clone(), |row| row.name.clone())
    };
    let mut parts: Vec<String> = spec.hosts.iter().take(3).map(name).collect();
    if spec.hosts.len() > parts.len() {
        parts.push(format!("{} more hosts", spec.hosts.len() - parts.len()));
    }
    parts.extend((!spec.matchers.trim().is_empty()).then(|| spec.matchers.clone()));
    parts.join(", ")
}

#[cfg(test)]
mod tests;
