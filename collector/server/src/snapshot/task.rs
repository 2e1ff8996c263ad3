//! Snapshots of the running collector: one at a time, on a thread of its own, asked for or because it is time.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use muster_api::{ApiError, ErrorKind, SnapshotAsk, SnapshotEnd, SnapshotProgress, SnapshotRow, SnapshotsView};
use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::stat::Stat;
use muster_common::time::{Timestamp, monotonic, now};
use muster_fleet::Fleet;
use muster_store::Admin;
use tokio_util::sync::CancellationToken;

use super::config_files::ConfigFiles;
use super::error::SnapshotError;
use super::folder;
use super::make::{Ask, Source, hex, make};
use super::manifest::{Keys, Manifest};
use super::read_key;
use crate::config::Config;
use crate::error::chain;
use crate::reload::Reloader;
use crate::trouble::{Part, Troubles};

/// How often it is looked whether one is due.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// One that failed is tried again after this, or after its interval if that is shorter.
const AGAIN_AFTER: Duration = Duration::from_secs(3_600);

/// The collector's snapshots.
pub(crate) struct Snapshots {
    admin: Admin,
    fleet: Arc<Fleet>,
    data: PathBuf,
    reloader: Arc<Reloader>,
    troubles: Arc<Troubles>,
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
    is_over: AtomicBool,
}

#[derive(Default)]
struct State {
    running: Option<SnapshotProgress>,
    thread: Option<JoinHandle<()>>,
    ended: Option<SnapshotEnd>,
    last: Option<Last>,
    made: u64,
    failed: u64,
    tried: Option<Timestamp>,
}

/// Of the last one that was made by this process.
struct Last {
    made: Timestamp,
    barrier_seconds: f64,
    seconds: f64,
    bytes: u64,
}

impl Snapshots {
    pub(crate) fn new(
        admin: Admin,
        fleet: Arc<Fleet>,
        data: PathBuf,
        reloader: Arc<Reloader>,
        troubles: Arc<Troubles>,
    ) -> Arc<Self> {
        // Not the disk that rings when it is full: a snapshot that finds no room gives up, and nobody makes any for it.
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let (state, is_over) = (Mutex::default(), AtomicBool::new(false));
        Arc::new(Self { admin, fleet, data, reloader, troubles, disk, state, is_over })
    }

    /// Begins one and answers its name; it goes on by itself.
    ///
    /// # Errors
    /// [`SnapshotError`]: what is asked for cannot be, or another is being made.
    pub(crate) fn begin(self: &Arc<Self>, asked: &SnapshotAsk, at: Timestamp) -> Result<String, SnapshotError> {
        self.begin_for(asked, at, false)
    }

    fn begin_for(self: &Arc<Self>, asked: &SnapshotAsk, at: Timestamp, is_due: bool) -> Result<String, SnapshotError> {
        let config = self.reloader.current();
        let ask = self.ask(asked, &config, at)?;
        let (id, keep) = (ask.name.clone(), (ask.folder == folder_of(&config)).then_some(config.snapshot.keep));
        let mut state = self.lock();
        if state.running.is_some() {
            return Err(SnapshotError::Busy);
        }
        let this = Arc::clone(self);
        let thread = std::thread::Builder::new().name("snapshot".into()).spawn(move || this.work(&ask, keep, is_due));
        state.thread = Some(thread.map_err(SnapshotError::disk("start a thread for", &self.data))?);
        state.running = Some(SnapshotProgress { id: id.clone(), done_bytes: 0, total_bytes: 0 });
        state.tried = Some(at);
        Ok(id)
    }

    fn ask(&self, asked: &SnapshotAsk, config: &Config, now: Timestamp) -> Result<Ask, SnapshotError> {
        let folder = asked.to.clone().unwrap_or_else(|| folder_of(config));
        let key_file = asked.key_file.clone().or_else(|| config.snapshot.key_file.clone());
        if let Some(path) =
            [asked.to.as_ref(), asked.key_file.as_ref()].into_iter().flatten().find(|path| !is_plain(path))
        {
            return Err(SnapshotError::Path { path: path.display().to_string() });
        }
        let key = match key_file {
            _ if asked.without_ca_key => None,
            None => return Err(SnapshotError::NoKey),
            Some(path) => Some(read_key(&RealDisk, &path)?),
        };
        let name = folder::free_name(&*self.disk, &folder, now, self.admin.store_id())?;
        // A folder that cannot be read is told by the next reload; what is in force of it is in state.redb.
        let profiles = crate::profiles::paths(config).unwrap_or_default();
        let discovery = crate::profiles::discovery_files(config);
        let deploys = crate::profiles::deploy_file(config).filter(|path| path.is_file());
        let keys = config.tasks.keys.clone().into_iter().filter(|path| path.is_file()).collect();
        let config = ConfigFiles::read(self.reloader.arguments(), profiles, discovery, deploys, keys)?;
        Ok(Ask { folder, key, config, name, now })
    }

    fn work(&self, ask: &Ask, keep: Option<usize>, is_due: bool) {
        let begun = monotonic();
        let source = Source { disk: &self.disk, admin: &self.admin, fleet: &self.fleet, data: &self.data };
        let progress = |done: u64, total: u64| {
            if let Some(running) = &mut self.lock().running {
                (running.done_bytes, running.total_bytes) = (done, total);
            }
            !self.is_over.load(Ordering::Relaxed)
        };
        let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make(&source, ask, &progress)));
        let made = made.unwrap_or_else(|_| {
            Err(SnapshotError::refused(&ask.folder, "making it ended in a panic, which the collector's log tells"))
        });
        let problem = made.as_ref().err().map(|error| chain(error));
        match (&made, &problem) {
            (Ok(made), _) => tracing::info!("made snapshot {} in `{}`", made.id, ask.folder.display()),
            (Err(_), Some(problem)) => tracing::error!("no snapshot was made: {problem}"),
            (Err(_), None) => {}
        }
        // Old ones go only when the new one is complete.
        if let (Ok(made), Some(keep)) = (&made, keep)
            && let Err(error) = folder::retain(&*self.disk, &ask.folder, &made.store, keep)
        {
            tracing::warn!("old snapshots were not removed: {}", chain(&error));
        }
        // Who asked for one is told; of one that was due nobody else would know.
        if made.is_ok() || (is_due && !self.is_over.load(Ordering::Relaxed)) {
            self.troubles.set(Part::Snapshots, problem.clone());
        }
        let mut state = self.lock();
        state.running = None;
        match &made {
            Ok(manifest) => {
                state.made += 1;
                state.last = Some(Last {
                    made: ask.now,
                    barrier_seconds: manifest.barrier_us as f64 / 1e6,
                    seconds: (monotonic() - begun).as_secs_f64(),
                    bytes: manifest.bytes(),
                });
            }
            Err(_) => state.failed += 1,
        }
        state.ended =
            Some(SnapshotEnd { id: ask.name.clone(), folder: ask.folder.display().to_string(), at: now(), problem });
    }

    /// What there is, what is being made, and how the last one ended.
    ///
    /// # Errors
    /// [`SnapshotError`]: the folder cannot be read.
    pub(crate) fn overview(&self) -> Result<SnapshotsView, SnapshotError> {
        let folder = folder_of(&self.reloader.current());
        let running = self.lock().running.clone();
        let mut kept = Vec::new();
        for found in folder::list(&*self.disk, &folder)? {
            let is_running = running.as_ref().is_some_and(|running| running.id == found.name);
            if !is_running {
                kept.push(row(found));
            }
        }
        Ok(SnapshotsView { folder: folder.display().to_string(), running, ended: self.lock().ended.clone(), kept })
    }

    /// Its numbers.
    pub(crate) fn stats(&self) -> Vec<Stat> {
        let state = self.lock();
        let total = |outcome: &'static str, count| {
            Stat::counter("muster_collector_snapshots_total", "Snapshots, by outcome.", count).with("outcome", outcome)
        };
        let mut stats = vec![total("made", state.made), total("failed", state.failed)];
        if let Some(last) = &state.last {
            for (name, help, value) in [
                (
                    "muster_collector_snapshot_barrier_seconds",
                    "How long commits were held for the last snapshot.",
                    last.barrier_seconds,
                ),
                ("muster_collector_snapshot_seconds", "How long the last snapshot took.", last.seconds),
                ("muster_collector_snapshot_bytes", "Bytes of the last snapshot.", last.bytes as f64),
                (
                    "muster_collector_snapshot_timestamp_seconds",
                    "When the last snapshot was made, since 1970.",
                    last.made.millis() as f64 / 1_000.0,
                ),
            ] {
                stats.push(Stat::gauge(name, help, value));
            }
        }
        stats
    }

    /// Gives up the one that is being made and waits until it is removed. Blocks.
    pub(crate) fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        let thread = self.lock().thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a snapshot ended in a panic");
        }
    }

    /// Begins one if it is time.
    pub(crate) fn begin_if_due(self: &Arc<Self>, now: Timestamp) {
        let config = self.reloader.current();
        let every = config.snapshot.every;
        if every.is_zero() {
            return;
        }
        let tried = self.lock().tried;
        let newest = match self.newest(&folder_of(&config)) {
            Ok(newest) => newest,
            Err(error) => return self.troubles.set(Part::Snapshots, Some(chain(&error))),
        };
        if !is_due(now, newest, tried, every) {
            return;
        }
        match self.begin_for(&SnapshotAsk::default(), now, true) {
            Ok(_) | Err(SnapshotError::Busy) => {}
            Err(error) => {
                self.lock().tried = Some(now);
                self.troubles.set(Part::Snapshots, Some(chain(&error)));
            }
        }
    }

    /// When the newest complete snapshot of this store in the folder was made.
    fn newest(&self, folder: &Path) -> Result<Option<Timestamp>, SnapshotError> {
        let store = hex(&self.admin.store_id());
        let made = folder::list(&*self.disk, folder)?.into_iter().filter_map(|found| found.manifest.ok());
        Ok(made.filter(|made| made.store == store).map(|made| Timestamp::from_millis(made.made_ms)).max())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole after every line.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is time: so long after the newest one, and not at once after one that failed.
fn is_due(now: Timestamp, newest: Option<Timestamp>, tried: Option<Timestamp>, every: Duration) -> bool {
    let is_old = newest.is_none_or(|newest| now.since(newest) >= every);
    is_old && tried.is_none_or(|tried| now.since(tried) >= every.min(AGAIN_AFTER))
}

/// Where snapshots lie when nobody says another place: beside the data folder, so that segments need not be copied, and not in it.
pub(crate) fn folder_of(config: &Config) -> PathBuf {
    let beside = || config.data.parent().unwrap_or(Path::new("/")).join("muster-snapshots");
    config.snapshot.folder.clone().unwrap_or_else(beside)
}

fn is_plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| !matches!(part, Component::ParentDir))
}

fn row(found: folder::Found) -> SnapshotRow {
    match found.manifest {
        Ok(manifest) => {
            let Manifest { made_ms, barrier_us, keys, ref counts, ref collector, .. } = manifest;
            SnapshotRow {
                made: Timestamp::from_millis(made_ms),
                bytes: manifest.bytes(),
                barrier_ms: barrier_us as f64 / 1_000.0,
                samples: counts.as_ref().map_or(0, |counts| counts.samples),
                lines: counts.as_ref().map_or(0, |counts| counts.lines),
                keys: match keys {
                    Keys::Sealed => "sealed",
                    Keys::LeftOut => "left out",
                    Keys::Plain => "plain",
                },
                collector: collector.clone(),
                id: found.name,
                problem: None,
            }
        }
        Err(error) => SnapshotRow {
            id: found.name,
            made: Timestamp::from_millis(0),
            bytes: 0,
            barrier_ms: 0.0,
            samples: 0,
            lines: 0,
            keys: "",
            collector: String::new(),
            problem: Some(chain(&error)),
        },
    }
}

impl From<SnapshotError> for ApiError {
    fn from(error: SnapshotError) -> Self {
        let kind = match &error {
            SnapshotError::NoKey
            | SnapshotError::Path { .. }
            | SnapshotError::Key { .. }
            | SnapshotError::KeyFile { .. } => ErrorKind::BadData,
            SnapshotError::Busy | SnapshotError::NoRoom { .. } => ErrorKind::Conflict,
            _ => ErrorKind::Internal,
        };
        Self::said(kind, &chain(&error)).place("snapshot")
    }
}

/// Looks whether one is due, until `stop`.
pub(crate) async fn run(snapshots: Arc<Snapshots>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let looking = Arc::clone(&snapshots);
        if let Err(error) = tokio::task::spawn_blocking(move || looking.begin_if_due(now())).await {
            tracing::error!("looking for due snapshots ended in a panic: {error}");
        }
    }
    let ending = tokio::task::spawn_blocking(move || snapshots.stop());
    if let Err(error) = ending.await {
        tracing::error!("ending snapshots ended in a panic: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_due_after_its_interval_and_one_that_failed_after_an_hour() {
        let at = |hours: u64| Timestamp::from_millis(0).plus(Duration::from_secs(hours * 3_600));
        let day = Duration::from_secs(86_400);
        for (now, newest, tried, due) in [
            (100, None, None, true),
            (100, Some(77), None, false),
            (100, Some(76), None, true),
            (100, Some(76), Some(99), true),
            (100, Some(76), Some(100), false),
            // The clock stepped back.
            (100, Some(200), None, false),
        ] {
            assert_eq!(is_due(at(now), newest.map(at), tried.map(at), day), due, "{now} {newest:?} {tried:?}");
        }
        assert!(is_due(at(1), None, Some(at(1).minus(Duration::from_secs(61))), Duration::from_secs(60)));
    }
}
