//! Changes of the set: applied, taken back. A change is a new version; what it does to hosts is a roll-out.

use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::time::Timestamp;

use super::book::{ProfileBook, head};
use super::bounds::DESCRIPTION_BYTES_MAX;
use super::built_in::built_in;
use super::mistake::{ProfileMistake, ProfileMistakes};
use super::rollout::{Machine, Rollout, RolloutState, Stage};
use super::rows::{Part, pack_set};
use super::selector::Judged;
use super::set::{ProfileSet, ProfileSource, ProfileText, Set, SharedSet, check, read_source, sorted};
use super::step::Work;
use super::world::World;
use crate::by::By;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::outbox::{Event, EventKind};
use crate::tables::{PROFILE_SETS, Put};

/// What somebody wants of the profiles that the API has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// What a mistake calls it (a file's name), and YAML of one or several documents. Profiles of these names are given or replaced.
    pub documents: Vec<(String, String)>,
    /// Names of profiles that go.
    pub remove: Vec<String>,
}

/// What was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The version that holds now; the one before if nothing changed.
    pub version: u64,
    pub is_changed: bool,
    /// The roll-out that began; `None`: no host's document changes.
    pub rollout: Option<Rollout>,
}

/// What a change does to hosts.
struct Affected {
    /// Each host whose document changes.
    hosts: Vec<HostId>,
}

impl Fleet {
    /// Applies a change of the profiles that the API has: a new version, and a roll-out to the hosts whose document changes, in one transaction.
    ///
    /// # Errors
    /// [`FleetError::Profiles`] with every mistake; [`FleetError::ProfilesMoved`] when `base` is no more the version that holds;
    /// [`FleetError::StatusSpec`] for a bad reason; when the disk or the file fails.
    pub fn apply_profiles(
        &self,
        change: &ProfileChange,
        base: u64,
        by: &By,
        reason: &str,
        now: Timestamp,
    ) -> Result<Applied, FleetError> {
        check_reason(reason)?;
        let before = self.current_set();
        check_base(&before, base)?;
        let after = prepared(&before, change)?;
        self.put_set(&before, after, by, reason, now)
    }

    /// Takes the profiles of files, `(path, text)`, and the built-in ones of this version, in place of those before: to be called at every
    /// start, and when the files are read anew. Without a difference nothing happens.
    ///
    /// # Errors
    /// [`FleetError::Profiles`] with every mistake of every file: nothing is taken then, and what was before stays. When the disk or the file
    /// fails.
    pub fn set_profile_files(
        &self,
        files: &[(String, String)],
        by: &By,
        now: Timestamp,
    ) -> Result<Applied, FleetError> {
        loop {
            let before = self.current_set();
            let mut mistakes = ProfileMistakes::default();
            let read = read_source(files, ProfileSource::File, &mut mistakes);
            let lines = read.iter().map(|(text, line)| (text.name.clone(), *line)).collect();
            let of_api = before.row.profiles.iter().filter(|text| text.source == ProfileSource::Api).cloned();
            let profiles = read.into_iter().map(|(text, _)| text).chain(of_api).chain(built_in()).collect();
            let after = Set::of(ProfileSet { profiles: sorted(profiles), ..ProfileSet::default() });
            check(&after, &lines, &mut mistakes);
            if !mistakes.0.is_empty() {
                return Err(FleetError::Profiles(mistakes));
            }
            match self.put_set(&before, after, by, "the files or the built-in profiles are others", now) {
                // Somebody applied a change between.
                Err(FleetError::ProfilesMoved { .. }) => {}
                done => return done,
            }
        }
    }

    /// Stops the open roll-out: nobody else gets the new documents.
    ///
    /// # Errors
    /// [`FleetError::NoRollout`]; [`FleetError::StatusSpec`] for a bad reason; when the disk or the file fails.
    pub fn stop_rollout(&self, by: &By, reason: &str, now: Timestamp) -> Result<Rollout, FleetError> {
        check_reason(reason)?;
        let why = format!("{by} stopped it: {}", reason.trim());
        self.steer(RolloutState::Running, by, now, |book, work| book.happen(work, super::rollout::Happened::Stop(&why)))
    }

    /// Goes on with a stopped roll-out. Hosts that failed stay as they are; [`Fleet::retry_configuration`] gives one the new document again.
    ///
    /// # Errors
    /// [`FleetError::NoRollout`]; when the disk or the file fails.
    pub fn resume_rollout(&self, by: &By, now: Timestamp) -> Result<Rollout, FleetError> {
        self.steer(RolloutState::Stopped, by, now, |book, work| book.happen(work, super::rollout::Happened::Resume))
    }

    fn steer(
        &self,
        wanted: RolloutState,
        by: &By,
        now: Timestamp,
        act: impl FnOnce(&mut ProfileBook, &mut Work<'_>),
    ) -> Result<Rollout, FleetError> {
        self.change_profiles(by, now, |book, work| {
            let row = |book: &mut ProfileBook| book.machine(now.millis()).map(|machine| machine.row.clone());
            let open = row(book).filter(|row| row.state == wanted);
            let open = open.ok_or(FleetError::NoRollout { wanted: wanted.as_str() })?;
            act(book, work);
            // It may have ended by it.
            Ok(row(book).unwrap_or(open))
        })
    }

    /// Takes the open roll-out back: a new version with the profiles from before it, which hosts get at once, since they had them.
    ///
    /// # Errors
    /// [`FleetError::NoRollout`]; [`FleetError::StatusSpec`] for a bad reason; when the disk or the file fails.
    pub fn revert_rollout(&self, by: &By, reason: &str, now: Timestamp) -> Result<Applied, FleetError> {
        check_reason(reason)?;
        self.change_profiles(by, now, |book, work| {
            let open = book.machine(now.millis()).map(|machine| (machine.row.target, machine.row.base));
            let none = || FleetError::NoRollout { wanted: "running or stopped" };
            let (target, base) = open.ok_or_else(none)?;
            let old = book.sets.get(&base).map(Arc::clone).ok_or_else(none)?;
            let version = book.current.row.version + 1;
            let row = ProfileSet {
                version,
                made_ms: now.millis(),
                by: by.to_string(),
                reason: reason.trim().to_owned(),
                profiles: old.row.profiles.clone(),
            };
            let packed = pack_set(&row).map_err(|why| FleetError::StatusSpec { what: "the version", why })?;
            for (host, entry) in &mut book.hosts {
                let row = &mut entry.row;
                // Those that an earlier roll-out had set back are on what they had before this one.
                let before = row.part.map_or(row.version, |part| Some(part.from));
                let is_good = row.part.is_some_and(|part| part.stage == Stage::Good);
                let kept = before.filter(|before| *before != base && !row.problem.is_empty() && !is_good);
                if row.version != kept {
                    work.touch(*host);
                }
                row.version = kept;
                if kept.is_none() {
                    row.problem.clear();
                }
            }
            let why = format!("{by} reverted it: {}", reason.trim());
            book.close(work, RolloutState::Reverted, why);
            book.numbers.settled = version;
            let text = format!(
                "the roll-out of version {target} of the profiles is reverted: version {version} is what version {base} was: {}",
                reason.trim()
            );
            work.events.push(Event::new(EventKind::RolloutReverted, by, now, text).with("version", version.to_string()));
            book.take_set(work, Arc::new(Set::of(row)), packed);
            book.all_marked = true;
            Ok(Applied { version, is_changed: true, rollout: None })
        })
    }

    pub(super) fn current_set(&self) -> SharedSet {
        Arc::clone(&self.profiles.lock().current)
    }

    /// Makes a set the version that holds, unless it is what holds.
    fn put_set(
        &self,
        before: &SharedSet,
        mut after: Set,
        by: &By,
        reason: &str,
        now: Timestamp,
    ) -> Result<Applied, FleetError> {
        if before.row.profiles == after.row.profiles {
            return Ok(Applied { version: before.row.version, is_changed: false, rollout: None });
        }
        let version = before.row.version + 1;
        after.row = ProfileSet {
            version,
            made_ms: now.millis(),
            by: by.to_string(),
            reason: reason.trim().to_owned(),
            profiles: std::mem::take(&mut after.row.profiles),
        };
        let packed = pack_set(&after.row).map_err(|why| FleetError::StatusSpec { what: "the version", why })?;
        let after = Arc::new(after);
        let affected = self.affected(&self.world(None), &after);
        let text = applied_text(before, &after);
        self.change_profiles(by, now, |book, work| {
            check_base(&book.current, before.row.version)?;
            let event = Event::new(EventKind::ProfilesApplied, by, now, text);
            work.events.push(event.with("version", version.to_string()).with("reason", reason.trim()));
            book.close(work, RolloutState::Superseded, format!("version {version} took over"));
            book.take_set(work, Arc::clone(&after), packed);
            let rollout = book.begin(work, version, &affected);
            Ok(Applied { version, is_changed: true, rollout })
        })
    }

    /// Hosts whose document another set makes another.
    fn affected(&self, world: &World, after: &Set) -> Affected {
        let mut judged = Judged::default();
        let mut hosts = Vec::new();
        for subject in &world.subjects {
            let host = subject.row.id;
            let set = {
                let book = self.profiles.lock();
                // It would never get it, so nothing would wait for it.
                (book.sessions.get(&host) != Some(&false)).then(|| book.set_of(host))
            };
            let Some(set) = set else { continue };
            let old = world.compose(&set, subject, &mut judged).digest;
            if old != world.compose(after, subject, &mut judged).digest {
                hosts.push(host);
            }
        }
        Affected { hosts }
    }
}

impl ProfileBook {
    fn take_set(&mut self, work: &mut Work<'_>, set: SharedSet, packed: Vec<u8>) {
        let version = set.row.version;
        work.puts.push(Put::set(PROFILE_SETS, &version.to_be_bytes(), packed));
        self.versions.insert(version, head(&set.row));
        self.sets.insert(version, Arc::clone(&set));
        self.current = set;
    }

    /// Begins the roll-out of a version that was just taken.
    fn begin(&mut self, work: &mut Work<'_>, target: u64, affected: &Affected) -> Option<Rollout> {
        let settled = self.numbers.settled;
        if affected.hosts.is_empty() {
            self.numbers.settled = target;
            for (host, entry) in &mut self.hosts {
                if entry.row.version.take().is_some() {
                    entry.row.problem.clear();
                    work.touch(*host);
                }
            }
            self.all_marked = true;
            return None;
        }
        let now_ms = work.now.millis();
        for host in &affected.hosts {
            let row = &mut self.hosts.entry(*host).or_default().row;
            row.part = Some(Part { stage: Stage::Waiting, wave: 0, from: row.version.unwrap_or(settled) });
            work.touch(*host);
        }
        let row = Rollout {
            target,
            base: settled,
            state: RolloutState::Running,
            wave: 0,
            wave_failed: 0,
            reason: String::new(),
            by: work.by.to_string(),
            begun_ms: now_ms,
            changed_ms: now_ms,
            hosts: affected.hosts.len() as u64,
            good: 0,
            failed: Vec::new(),
        };
        let members = affected.hosts.iter().map(|host| (*host, Stage::Waiting, 0));
        self.machine = Some(Machine::new(row, members, self.able_hosts(), now_ms));
        self.happen(work, super::rollout::Happened::Tick);
        self.machine.as_ref().map(|machine| machine.row.clone())
    }
}

fn check_reason(reason: &str) -> Result<(), FleetError> {
    let why = match reason.trim() {
        "" => "it has no reason: say why".to_owned(),
        long if long.len() > DESCRIPTION_BYTES_MAX => {
            format!("its reason is longer than {DESCRIPTION_BYTES_MAX} bytes: shorten it")
        }
        _ => return Ok(()),
    };
    Err(FleetError::StatusSpec { what: "the change", why })
}

fn check_base(current: &Set, base: u64) -> Result<(), FleetError> {
    let version = current.row.version;
    if version == base { Ok(()) } else { Err(FleetError::ProfilesMoved { base, version }) }
}

/// The set with a change, or all that is wrong with it.
pub(super) fn prepared(before: &Set, change: &ProfileChange) -> Result<Set, FleetError> {
    let mut mistakes = ProfileMistakes::default();
    let read = read_source(&change.documents, ProfileSource::Api, &mut mistakes);
    let mut profiles = before.row.profiles.clone();
    let has = |profiles: &[ProfileText], name: &str, source| {
        profiles.iter().any(|own| own.name == name && own.source == source)
    };
    let mut tell = |file: &str, line: usize, profile: &str, what: String, remedy: &str| {
        let (file, remedy, key) = (file.to_owned(), remedy.to_owned(), "profile".to_owned());
        mistakes.push(ProfileMistake { file, line, profile: profile.to_owned(), key, what, remedy });
    };
    for name in &change.remove {
        if has(&profiles, name, ProfileSource::Api) {
            profiles.retain(|own| own.name != *name || own.source != ProfileSource::Api);
        } else {
            let what = "is to be removed, and the API has no profile of this name".to_owned();
            tell(
                "remove",
                1,
                &super::reader::shown(name),
                what,
                "those of files go with their file, built-in ones cannot",
            );
        }
    }
    let mut lines = std::collections::BTreeMap::new();
    for (text, line) in read {
        let file = profiles.iter().find(|own| own.name == text.name && own.source == ProfileSource::File);
        if let Some(file) = file {
            let what = format!("the file {} has a profile of this name", file.file);
            tell(&text.file, line, &text.name, what, "change it there, or give this one another name");
            continue;
        }
        if change.remove.contains(&text.name) {
            tell(&text.file, line, &text.name, "is to be removed as well".to_owned(), "do one of the two");
        }
        lines.insert(text.name.clone(), line);
        profiles.retain(|own| own.name != text.name || own.source != ProfileSource::Api);
        // The name that a text was given under is of no use later.
        profiles.push(ProfileText { file: String::new(), ..text });
    }
    let after = Set::of(ProfileSet { profiles: sorted(profiles), ..ProfileSet::default() });
    check(&after, &lines, &mut mistakes);
    if mistakes.0.is_empty() { Ok(after) } else { Err(FleetError::Profiles(mistakes)) }
}

/// What was applied, in a sentence.
fn applied_text(before: &Set, after: &Set) -> String {
    const NAMES_MAX: usize = 20;
    let (added, changed, removed) = before.differences(after);
    let part = |what: &str, names: &[String]| {
        let more = names.len().saturating_sub(NAMES_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!names.is_empty()).then(|| format!("{what} {}{more}", names[..names.len().min(NAMES_MAX)].join(", ")))
    };
    let parts = [part("added", &added), part("changed", &changed), part("removed", &removed)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let parts = if parts.is_empty() { "what counts is the same".to_owned() } else { parts.join("; ") };
    format!("version {} of the profiles: {parts}", after.row.version)
}
