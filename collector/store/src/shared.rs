//! What writer, reader, admin and replay share: the published snapshot, health and counters.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use muster_common::disk::Disk;
use muster_common::time::Timestamp;
use parking_lot::Mutex;

use crate::config::Config;
use crate::head::Head;
use crate::logs::catalog::Tombstone;
use crate::logs::record::LogClass;
use crate::logs::segment::LogSegment;
use crate::logs::tail::Tails;
use crate::segment::Segment;
use crate::segment::cache::Cache;

/// The one instance behind all handles.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) config: Config,
    pub(crate) inbox_folder: PathBuf,
    pub(crate) segment_folder: PathBuf,
    /// Of logs and of events.
    pub(crate) log_folders: [PathBuf; 2],
    pub(crate) published: Published,
    pub(crate) cache: Cache,
    /// Row groups of logs: their own, since one long search would push out all of the metrics'.
    pub(crate) log_cache: Cache,
    pub(crate) tails: Tails,
    pub(crate) health: Mutex<HealthState>,
    pub(crate) counters: Counters,
}

/// What a view sees: opened segments, sealed heads, the active head up to an arrival.
#[derive(Clone)]
pub(crate) struct Snapshot {
    /// By generation, rising; the last is the active one.
    pub(crate) heads: Vec<HeadView>,
    /// By generation interval, rising: later ones win.
    pub(crate) segments: Arc<[Arc<Segment>]>,
    /// The same of logs and of events.
    pub(crate) logs: [Arc<[Arc<LogSegment>]>; 2],
    pub(crate) tombstones: Arc<[Arc<Tombstone>]>,
}

#[derive(Clone)]
pub(crate) struct HeadView {
    pub(crate) head: Arc<Head>,
    /// Stamps below this have arrived.
    pub(crate) visible: u32,
    /// Blocks of lines with a number below this have arrived.
    pub(crate) lines_visible: u32,
}

/// The current snapshot; swapped by one pointer store.
pub(crate) struct Published {
    /// Held while a new snapshot is built from the current one.
    building: Mutex<()>,
    current: ArcSwap<Snapshot>,
}

impl Published {
    pub(crate) fn new() -> Self {
        let empty =
            Snapshot { heads: Vec::new(), segments: Arc::new([]), logs: Default::default(), tombstones: Arc::new([]) };
        Self { building: Mutex::new(()), current: ArcSwap::from_pointee(empty) }
    }

    pub(crate) fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        let _building = self.building.lock();
        let mut next = Snapshot::clone(&self.current.load());
        change(&mut next);
        self.current.store(Arc::new(next));
    }

    /// Shows what was appended to this head.
    pub(crate) fn arrived(&self, head: &Arc<Head>) {
        let (visible, lines_visible) = (head.arrived(), head.logs.arrived());
        self.change(|snapshot| {
            for view in snapshot.heads.iter_mut().filter(|view| Arc::ptr_eq(&view.head, head)) {
                view.visible = visible;
                view.lines_visible = lines_visible;
            }
        });
    }

    /// Puts a head in its place among the others.
    pub(crate) fn add_head(&self, head: Arc<Head>) {
        let (visible, lines_visible) = (head.arrived(), head.logs.arrived());
        self.change(|snapshot| {
            snapshot.heads.push(HeadView { head, visible, lines_visible });
            snapshot.heads.sort_by_key(|view| view.head.generation);
        });
    }
}

/// What is wrong now; [`crate::Health`] is its copy.
#[derive(Debug, Default)]
pub(crate) struct HealthState {
    pub(crate) inbox_failing: Option<(Timestamp, String)>,
    pub(crate) flush_failing: Option<(Timestamp, String)>,
    /// Segments that are not read: file name and reason.
    pub(crate) quarantined: Vec<(String, String)>,
    /// Segments found damaged and not yet written down in the catalog: number and reason.
    pub(crate) to_quarantine: Vec<(u64, String)>,
    pub(crate) set_aside: Vec<String>,
    pub(crate) damaged_entries: u64,
    pub(crate) lost_samples: u64,
    /// The inbox was gone although segments were there: marks are lost, a new incarnation was taken.
    pub(crate) marks_lost: bool,
}

impl HealthState {
    pub(crate) fn quarantine(&mut self, number: u64, file_name: &str, why: &str) {
        if !self.quarantined.iter().any(|(name, _)| name == file_name) {
            self.quarantined.push((file_name.to_owned(), why.to_owned()));
            self.to_quarantine.push((number, why.to_owned()));
        }
    }
}

/// Everything the store counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) commit_errors: AtomicU64,
    pub(crate) commit_micros: AtomicU64,
    pub(crate) appends_committed: AtomicU64,
    pub(crate) samples_committed: AtomicU64,
    pub(crate) repeats: AtomicU64,
    pub(crate) not_next: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) repeated_bodies: AtomicU64,
    pub(crate) epochs_forced: AtomicU64,
    pub(crate) misplaced: AtomicU64,
    pub(crate) throttled: AtomicU64,
    pub(crate) repeat_rows: AtomicU64,
    pub(crate) repeat_rows_evicted: AtomicU64,
    pub(crate) blob_bytes: AtomicU64,
    pub(crate) inbox_bytes: AtomicU64,
    pub(crate) seals: AtomicU64,
    pub(crate) flushes: AtomicU64,
    pub(crate) flush_errors: AtomicU64,
    pub(crate) flush_micros: AtomicU64,
    pub(crate) merges: AtomicU64,
    pub(crate) merge_micros: AtomicU64,
    pub(crate) doubles_dropped: AtomicU64,
    pub(crate) segments_expired: AtomicU64,
    pub(crate) segments_damaged: AtomicU64,
    pub(crate) unlink_errors: AtomicU64,
    pub(crate) lines_committed: AtomicU64,
    pub(crate) line_bytes_committed: AtomicU64,
    pub(crate) lines_deleted: AtomicU64,
    pub(crate) tail_dropped: AtomicU64,
    pub(crate) log_positions: AtomicU64,
    pub(crate) log_groups_read: AtomicU64,
    pub(crate) log_groups_skipped: AtomicU64,
}

/// Adds to a counter that nothing is ordered by.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl Shared {
    pub(crate) fn new(disk: Arc<dyn Disk>, config: Config) -> Self {
        Self {
            inbox_folder: config.folder.join("inbox"),
            log_folders: LogClass::ALL.map(|class| config.folder.join("segments").join(class.folder())),
            segment_folder: config.folder.join("segments").join("metrics"),
            cache: Cache::new(config.cache_bytes),
            log_cache: Cache::new(config.log_cache_bytes),
            tails: Tails::default(),
            published: Published::new(),
            health: Mutex::default(),
            counters: Counters::default(),
            disk,
            config,
        }
    }
}
