//! The fleet as its users hold it: one handle, its locks, and how a change goes through.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use muster_common::disk::Disk;
use muster_common::host::HostId;
use muster_common::identity::{Pin, random};
use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, RefusalCode};
use muster_store::{GapRecord, Past, Position, ReplayEntry};
use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::sync::watch;

use crate::asking::Desk;
use crate::by::By;
use crate::ca::{Authority, AuthorityRole, ServerIdentity, ServerNames};
use crate::changes::{Changes, Feed, RegistryChange};
use crate::copy::FrozenState;
use crate::deploys::DeploySettings;
use crate::discovery::Discovery;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::follower::Follower;
use crate::host::{HostRow, HostState};
use crate::inventory::{DriftCounts, InventorySnapshot, InventoryState, InventoryStep};
use crate::losses::{LogLoss, Losses};
use crate::memory::Memory;
use crate::moves::Moves;
use crate::outbox::{Event, EventKind, OutboxState};
use crate::profiles::ProfileBook;
use crate::projection::{GapRow, Projected};
use crate::refusals::Refusals;
use crate::refuse::code_name;
use crate::restored::Restored;
use crate::rows::Sha256;
use crate::seen::Sightings;
use crate::state::{Loaded, Reading, State};
use crate::status::StatusBook;
use crate::tasks::TaskBook;

/// The registry, identity and small state of the collector. Methods block on the disk where they change something; those that
/// sessions call for each connection only read memory.
///
/// Locks are taken in the order of the fields.
pub struct Fleet {
    /// The file; held for the whole of a change, so changes come one after another.
    pub(crate) state: Mutex<State>,
    /// Shared by those who scan tables, apart from `state`, so that a long scan holds up no commit.
    scans: RwLock<()>,
    pub(crate) memory: RwLock<Memory>,
    /// Status; differs from the file only while that is locked, after a failed commit, or until the next one by what hosts said of
    /// their absence and what their clocks showed.
    pub(crate) book: Mutex<StatusBook>,
    /// Inventories, as far as they are durable.
    pub(crate) inventory: RwLock<InventoryState>,
    /// What was discovered, as far as it is durable, and what is still to be looked at.
    pub(crate) discovery: Mutex<Discovery>,
    pub(crate) sightings: Mutex<Sightings>,
    /// When HTTP tokens were used last, milliseconds; [`Fleet::maintain`] writes it.
    pub(crate) used: Mutex<BTreeMap<String, i64>>,
    /// When sessions were used last, milliseconds; [`Fleet::maintain`] writes it.
    pub(crate) session_used: Mutex<HashMap<Sha256, i64>>,
    pub(crate) losses: Mutex<Losses>,
    /// The next seq of the outbox, as far as is durable.
    pub(crate) grown: watch::Sender<u64>,
    /// Changes of inventories taken, and how often whole tables were wanted.
    pub(crate) inventory_moved: watch::Sender<u64>,
    pub(crate) inventory_asks: watch::Sender<u64>,
    /// Profiles and the configurations of hosts. While it is held no other lock of these is taken.
    pub(crate) profiles: Mutex<ProfileBook>,
    /// Times that hosts were to be given another configuration.
    pub(crate) configurations: watch::Sender<u64>,
    /// What is declared of services, environments and freezes; held only to read or to put the `Arc`.
    pub(crate) declared: RwLock<Arc<DeploySettings>>,
    /// Changes of deploys, freezes and what is declared.
    pub(crate) deploys_moved: watch::Sender<u64>,
    /// Catalogues and orders of tasks. While it is held no other lock of these is taken.
    pub(crate) tasks: Mutex<TaskBook>,
    /// Times that sessions were to be given something of tasks.
    pub(crate) tasks_due: watch::Sender<u64>,
    /// Times that orders were otherwise than before.
    pub(crate) tasks_moved: watch::Sender<u64>,
    /// Hosts off their group and off baselines, as [`Fleet::maintain`] found them last.
    pub(crate) drift_counts: Mutex<DriftCounts>,
    /// Questions to hosts that are under way.
    pub(crate) questions: Arc<Desk>,
    feed: Mutex<Feed>,
    pub(crate) moves: Mutex<Moves>,
    pub(crate) follower: RwLock<Option<Arc<dyn Follower>>>,
    pub(crate) refusals: Mutex<Refusals>,
    pub(crate) counts: Mutex<Counts>,
}

/// What this process counted.
#[derive(Default)]
pub(crate) struct Counts {
    pub issued: u64,
    pub renewed: u64,
    pub refused: BTreeMap<&'static str, u64>,
    pub commits: u64,
    pub failed_commits: u64,
    /// Looks at processes that went before their time.
    pub early_looks: u64,
    /// Refusals that have no row of their own in the audit.
    pub summed_refusals: u64,
}

/// Opens `state.redb` in this folder, or makes it together with its CA.
///
/// # Errors
/// [`FleetError`] when the file cannot be opened or read, is damaged, or was written by a newer collector.
pub fn open(disk: Arc<dyn Disk>, folder: &Path, now: Timestamp) -> Result<Fleet, FleetError> {
    let (state, Loaded { memory, sightings, book, inventory, profiles, discovery, tasks }) =
        State::open(disk, folder, now)?;
    let fleet = Fleet {
        state: Mutex::new(state),
        scans: RwLock::new(()),
        memory: RwLock::new(memory),
        book: Mutex::new(book),
        inventory: RwLock::new(inventory),
        discovery: Mutex::new(discovery),
        sightings: Mutex::new(Sightings::new(sightings)),
        used: Mutex::new(BTreeMap::new()),
        session_used: Mutex::new(HashMap::new()),
        losses: Mutex::new(Losses::default()),
        grown: watch::Sender::new(0),
        inventory_moved: watch::Sender::new(0),
        inventory_asks: watch::Sender::new(0),
        profiles: Mutex::new(profiles),
        configurations: watch::Sender::new(0),
        declared: RwLock::default(),
        deploys_moved: watch::Sender::new(0),
        tasks: Mutex::new(tasks),
        tasks_due: watch::Sender::new(0),
        tasks_moved: watch::Sender::new(0),
        drift_counts: Mutex::default(),
        questions: Arc::new(Desk::new(u64::from_le_bytes(random::<8>()?))),
        feed: Mutex::new(Feed::new()),
        moves: Mutex::new(Moves::new()),
        follower: RwLock::new(None),
        refusals: Mutex::default(),
        counts: Mutex::new(Counts::default()),
    };
    fleet.grown.send_replace(fleet.memory.read().outbox.next_seq);
    if fleet.memory.read().authorities.is_empty() {
        fleet.change(|_, draft| {
            let authority = Authority::make(1, AuthorityRole::Current, now)?;
            let text = format!("made a CA, its key has the hash {}", authority.pin());
            draft.events.push(Event::new(EventKind::AuthorityMade, &By::MUSTER, now, text));
            draft.authorities.push(authority.row);
            Ok(())
        })?;
    }
    Ok(fleet)
}

impl Fleet {
    /// The CA certificates to trust for hosts' certificates, DER, the signing one first.
    pub fn ca_der(&self) -> Vec<Vec<u8>> {
        self.memory.read().authorities.iter().map(|authority| authority.row.certificate_der.clone()).collect()
    }

    /// The hash of the signing CA's key, which token words carry.
    pub fn pin(&self) -> Pin {
        self.memory.read().pin
    }

    /// A new key and certificate for the collector's listeners, for 30 days. Ask again at its `renew_at`, and on
    /// [`crate::RegistryChange::Authorities`].
    ///
    /// # Errors
    /// [`FleetError::Certificate`] when the file names no CA that signs, [`FleetError::Random`].
    pub fn server_identity(&self, now: Timestamp) -> Result<ServerIdentity, FleetError> {
        self.memory.read().current_authority()?.issue_server(now)
    }

    /// A certificate for HTTPS by these names and this key (PKCS#8, P-256), which stays: people and programs pin it. Ask again as for
    /// [`Fleet::server_identity`].
    ///
    /// # Errors
    /// [`FleetError::Certificate`] when a name or the key is none, or no CA signs; [`FleetError::Random`].
    pub fn web_identity(
        &self,
        key_der: &[u8],
        names: &ServerNames,
        now: Timestamp,
    ) -> Result<ServerIdentity, FleetError> {
        self.memory.read().current_authority()?.issue_web(key_der, names, now)
    }

    /// 32 secret bytes that are the same in every process of this data folder, for QUIC's stateless resets (RFC 9000, 10.3): an agent whose
    /// collector was killed learns from the next one, at once, that its connection is gone.
    ///
    /// # Errors
    /// [`FleetError::Certificate`] when the file names no CA that signs.
    pub fn reset_key(&self) -> Result<[u8; 32], FleetError> {
        Ok(self.memory.read().current_authority()?.derive(b"muster quic stateless reset"))
    }

    /// A version that grows with every change of the registry, to wait on. Read what changed by [`Fleet::changes_after`].
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.feed.lock().subscribe()
    }

    /// What changed after this version (0: since the start).
    pub fn changes_after(&self, version: u64) -> Changes {
        self.feed.lock().after(version)
    }

    /// Every row of the registry, by id, which is by age.
    pub fn hosts(&self) -> Vec<HostRow> {
        let memory = self.memory.read();
        let sightings = self.sightings.lock();
        memory.hosts().map(|row| HostRow::new(row, sightings.last(row.id))).collect()
    }

    /// Names of the active hosts, by age of the host: cheap enough to ask after every change.
    pub fn active_names(&self) -> Vec<String> {
        let memory = self.memory.read();
        memory.hosts().filter(|row| row.state == HostState::Active).map(|row| row.name.clone()).collect()
    }

    /// One row of the registry.
    pub fn host(&self, id: HostId) -> Option<HostRow> {
        let memory = self.memory.read();
        let sightings = self.sightings.lock();
        memory.host(id).map(|row| HostRow::new(row, sightings.last(id)))
    }

    /// The newest events, at most `limit`, newest first.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn events(&self, limit: usize) -> Result<Vec<Event>, FleetError> {
        self.scan(|reading| reading.events(limit))
    }

    /// Epoch, next seq and size of the outbox.
    pub fn outbox(&self) -> OutboxState {
        self.memory.read().outbox
    }

    /// How far the inbox is applied.
    pub fn applied(&self) -> Option<Position> {
        self.memory.read().applied
    }

    /// Applies inbox entries (in order) in one transaction with the position reached. Entries applied before change nothing. Entries
    /// without records only move the position in memory: applying them again after a crash would change nothing either.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails: then nothing is known, and the same entries may be applied again.
    pub fn apply(&self, entries: &[ReplayEntry]) -> Result<(), FleetError> {
        let mut state = self.sure_state()?;
        let Some(mut projected) = Projected::new(entries, self.memory.read().applied) else { return Ok(()) };
        if projected.is_empty() {
            self.memory.write().applied = Some(projected.reached);
            return Ok(());
        }
        {
            let memory = self.memory.read();
            let name = |host| memory.host(host).map(|row| row.name.clone()).unwrap_or_default();
            projected.tell(&mut self.losses.lock(), name);
            projected.keep_looks(|host| memory.host(host).is_some_and(|row| row.state == HostState::Active));
        }
        let reports = std::mem::take(&mut projected.reports);
        let mut draft = Draft::default();
        projected.inventory = {
            let memory = self.memory.read();
            let active = |host| memory.host(host).filter(|row| row.state == HostState::Active);
            self.inventory.read().plan(&reports, |host| active(host).map(|row| row.name.clone()))
        };
        draft.events.extend(projected.inventory.iter_mut().flat_map(|step| std::mem::take(&mut step.events)));
        let changes = projected.inventory.as_ref().map(InventoryStep::package_changes).unwrap_or_default();
        self.recognise_deploys(&changes, &mut draft);
        draft.projected = Some(projected);
        match self.step_reports(&reports) {
            Some(now) => self.commit_status(&mut state, draft, now),
            None => self.commit(&mut state, draft),
        }
    }

    /// Known gaps that touch this time, both ends included, by the end of what is missing.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn gaps(&self, from_ms: i64, to_ms: i64) -> Result<Vec<GapRecord>, FleetError> {
        let rows = self.scan(|reading| reading.gaps_ending_from(from_ms))?;
        Ok(rows.iter().filter(|row| row.missing().0 <= to_ms).filter_map(GapRow::record).collect())
    }

    /// Losses of log lines that touch this time, both ends included, by the end of what is missing.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn log_losses(&self, from_ms: i64, to_ms: i64) -> Result<Vec<LogLoss>, FleetError> {
        let mut losses = self.scan(|reading| reading.log_losses_ending_from(from_ms))?;
        losses.retain(|loss| loss.from_ms <= to_ms);
        Ok(losses)
    }

    /// The gaps whose missing time ended last, at most `limit`, the newest last.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn newest_gaps(&self, limit: usize) -> Result<Vec<GapRecord>, FleetError> {
        let rows = self.scan(|reading| reading.newest_gaps(limit))?;
        Ok(rows.iter().rev().filter_map(GapRow::record).collect())
    }

    /// Reads tables as they are now, and holds up no commit meanwhile.
    pub(crate) fn scan<T>(&self, read: impl FnOnce(&Reading) -> Result<T, FleetError>) -> Result<T, FleetError> {
        let state = self.sure_state()?;
        // Before the lock on the file goes: it is not opened anew while somebody reads what was open.
        let _reading = self.scans.read();
        let reading = state.reading()?;
        drop(state);
        read(&reading)
    }

    /// As [`Self::scan`], with the inventories of the same commit.
    pub(crate) fn scan_inventory<T>(
        &self,
        read: impl FnOnce(&Reading, &InventorySnapshot) -> Result<T, FleetError>,
    ) -> Result<T, FleetError> {
        let state = self.sure_state()?;
        let _reading = self.scans.read();
        let reading = state.reading()?;
        let snapshot = self.inventory.read().snapshot();
        drop(state);
        read(&reading, &snapshot)
    }

    /// Holds state.redb as it is now, to be copied while changes go on. Called while the store holds its commits, the two are of one
    /// moment: what the inbox has not is not applied here (rule 26).
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn freeze(&self) -> Result<FrozenState<'_>, FleetError> {
        let state = self.sure_state()?;
        let scan = self.scans.read();
        let reading = state.reading()?;
        drop(state);
        Ok(FrozenState { applied: reading.applied()?, reading, _scan: scan })
    }

    /// Tells which incarnation of the data folder this is. A new one (after a restore) gets its own outbox epoch, so that no (epoch, seq)
    /// is used twice for different events; what may be missing since `past` is named by an event, a gap and [`Fleet::restored`]; and
    /// the inbox is to be applied from its beginning. All of it is one transaction: a start that a crash ends leaves it to the next.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn set_incarnation(&self, incarnation: u64, past: Past, now: Timestamp) -> Result<(), FleetError> {
        self.change(|memory, draft| {
            let before = memory.incarnation;
            if before == Some(incarnation) {
                return Ok(());
            }
            let epoch = match before {
                // The epoch made with the file is good for the first incarnation that is told.
                None => memory.outbox.epoch,
                Some(_) => Epoch::new(now.millis(), u64::from_le_bytes(random::<8>()?)),
            };
            draft.incarnation = Some((incarnation, epoch.0));
            if before.is_some() || past.reborn.is_some() {
                let restored = Restored::new(incarnation, before, past, now);
                draft.events.push(restored.event());
                draft.restored = Some(restored);
                draft.rows.push(self.profiles.lock().skip_numbers());
                draft.rows.push(self.tasks.lock().skip_numbers());
            }
            Ok(())
        })
    }

    /// The last restore of this data folder, if there was one.
    pub fn restored(&self) -> Option<Restored> {
        self.memory.read().restored.clone()
    }

    /// Switches a deliberate bug on.
    #[cfg(feature = "planted")]
    pub fn plant(&self, bug: crate::planted::Planted) {
        self.state.lock().planted = Some(bug);
        self.book.lock().planted = Some(bug);
    }

    /// Runs a decision over the registry and makes what it drafted durable. A decision that fails changes nothing.
    pub(crate) fn change<T>(
        &self,
        decide: impl FnOnce(&Memory, &mut Draft) -> Result<T, FleetError>,
    ) -> Result<T, FleetError> {
        let mut state = self.sure_state()?;
        let mut draft = Draft::default();
        let value = decide(&self.memory.read(), &mut draft)?;
        self.commit(&mut state, draft)?;
        Ok(value)
    }

    /// The file, read anew if the last commit left it unsure what is in it.
    pub(crate) fn sure_state(&self) -> Result<MutexGuard<'_, State>, FleetError> {
        let mut state = self.state.lock();
        if state.is_unsure() {
            // Pages that a read transaction of the file before still needs are free to be written once it is opened anew.
            let loaded = {
                let _no_scan = self.scans.write();
                state.load()?
            };
            let mut memory = self.memory.write();
            let applied = if memory.incarnation == loaded.memory.incarnation {
                // What it was ahead of the file by had no records.
                memory.applied.max(loaded.memory.applied)
            } else {
                loaded.memory.applied
            };
            *memory = loaded.memory;
            let mut book = self.book.lock();
            let before = std::mem::replace(&mut *book, loaded.book);
            book.go_on(&before);
            drop(book);
            let mut inventory = self.inventory.write();
            let mut before = std::mem::replace(&mut *inventory, loaded.inventory);
            inventory.go_on(&mut before);
            drop(inventory);
            {
                let mut profiles = self.profiles.lock();
                let mut before = std::mem::replace(&mut *profiles, loaded.profiles);
                profiles.go_on(&mut before);
            }
            {
                let mut tasks = self.tasks.lock();
                let mut before = std::mem::replace(&mut *tasks, loaded.tasks);
                tasks.go_on(&mut before);
            }
            let mut discovery = self.discovery.lock();
            let mut before = std::mem::replace(&mut *discovery, loaded.discovery);
            discovery.go_on(&mut before);
            drop(discovery);
            // A commit that was taken for failed may have brought changes.
            self.inventory_moved.send_modify(|moved| *moved += 1);
            self.deploys_moved.send_modify(|moved| *moved += 1);
            memory.applied = applied;
            self.grown.send_replace(memory.outbox.next_seq);
            drop(memory);
            // Sightings in memory are newer than those of the file.
            self.feed.lock().lost();
            self.moves.lock().lost();
        }
        Ok(state)
    }

    /// Makes the draft durable, with the sightings that wait for a ride, takes it into memory and tells the changes.
    pub(crate) fn commit(&self, state: &mut State, draft: Draft) -> Result<(), FleetError> {
        if draft.is_empty() {
            return Ok(());
        }
        self.commit_all(state, draft)
    }

    /// Makes what hellos told durable.
    pub(crate) fn flush(&self) -> Result<(), FleetError> {
        let mut state = self.sure_state()?;
        if self.sightings.lock().waits() { self.commit_all(&mut state, Draft::default()) } else { Ok(()) }
    }

    fn commit_all(&self, state: &mut State, mut draft: Draft) -> Result<(), FleetError> {
        let riding = self.sightings.lock().ride(&mut draft);
        let gone = gone_hosts(&draft);
        if !gone.is_empty() {
            let inventory = self.inventory.read();
            draft.rows.extend(gone.iter().flat_map(|host| inventory.removals(*host)));
            drop(inventory);
            self.discovery.lock().leave(&mut draft);
            let profiles = self.profiles.lock();
            draft.rows.extend(gone.iter().flat_map(|host| profiles.removals(*host)));
        }
        let committed = {
            let memory = self.memory.read();
            state.commit(&mut draft, &memory)
        };
        let mut counts = self.counts.lock();
        counts.commits += 1;
        let committed = committed.inspect_err(|_| counts.failed_commits += 1)?;
        counts.early_looks += committed.early_looks;
        drop(counts);
        {
            let mut sightings = self.sightings.lock();
            sightings.landed(&riding);
            sightings.forget(&draft.forgotten);
        }
        self.losses.lock().forget(&draft.forgotten);
        self.take_inventory(&mut draft, &gone);
        let discovered = std::mem::take(&mut draft.discovery);
        let accepted = self.discovery.lock().take(discovered, draft.hosts.iter().map(|row| row.id));
        self.profiles.lock().mark(accepted);
        let changes = std::mem::take(&mut draft.changes);
        self.mark_changed(&changes, &gone);
        let next_seq = committed.outbox.next_seq;
        let has_deploys = !draft.deploys.is_empty();
        self.memory.write().take(draft, committed)?;
        self.grown.send_if_modified(|grown| std::mem::replace(grown, next_seq) != next_seq);
        if has_deploys {
            self.deploys_moved.send_modify(|moved| *moved += 1);
        }
        self.feed.lock().tell(changes);
        Ok(())
    }

    /// Takes what was made durable of inventories into memory, and tells it.
    fn take_inventory(&self, draft: &mut Draft, gone: &[HostId]) {
        let step = draft.projected.as_mut().and_then(|projected| projected.inventory.take());
        if step.is_none() && gone.is_empty() {
            return;
        }
        let changed: Vec<HostId> = step.iter().flat_map(InventoryStep::changed_hosts).collect();
        if !changed.is_empty() {
            self.profiles.lock().mark(changed);
        }
        let mut inventory = self.inventory.write();
        let told = step.as_ref().map(InventoryStep::hosts).unwrap_or_default();
        let (changes, asks) = step.map_or((0, false), |step| inventory.take(step));
        inventory.forget(gone);
        self.discovery.lock().looked_at(&inventory.snapshot(), told.into_iter());
        drop(inventory);
        if changes > 0 || !gone.is_empty() {
            self.inventory_moved.send_modify(|moved| *moved += changes.max(1));
        }
        if asks {
            self.inventory_asks.send_modify(|asks| *asks += 1);
        }
    }

    /// Hosts whose configuration may be another by what was made durable.
    fn mark_changed(&self, changes: &[RegistryChange], gone: &[HostId]) {
        let changed = changes.iter().filter_map(|change| match change {
            RegistryChange::Activated { host }
            | RegistryChange::Renamed { host, .. }
            | RegistryChange::Relabelled { host, .. }
            | RegistryChange::Replaced { host } => Some(*host),
            _ => None,
        });
        let changed: Vec<HostId> = changed.collect();
        if changed.is_empty() && gone.is_empty() {
            return;
        }
        if !gone.is_empty() {
            self.tasks.lock().forget(gone);
        }
        let mut profiles = self.profiles.lock();
        profiles.forget(gone);
        profiles.mark(changed);
    }

    pub(crate) fn count_refusal(&self, code: RefusalCode) {
        *self.counts.lock().refused.entry(code_name(code)).or_default() += 1;
    }
}

/// Hosts that leave the fleet by this draft.
fn gone_hosts(draft: &Draft) -> Vec<HostId> {
    let retired = draft.hosts.iter().filter(|row| row.state == HostState::Retired).map(|row| row.id);
    draft.forgotten.iter().copied().chain(retired).collect()
}

#[cfg(test)]
mod tests;
