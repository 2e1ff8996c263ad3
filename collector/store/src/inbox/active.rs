//! The inbox in memory: the active file, the sealed ones, and how the active one is opened again after an error.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use muster_common::time::Timestamp;
use redb::Database;

use super::blob::BlobEncoder;
use super::positions::{Layer, Positions};
use super::repeats::Repeats;
use super::{file, replay};
use crate::append::{Position, ReplayEntry};
use crate::bytes::Squeezer;
use crate::database::{make_durable, open_database};
use crate::error::FileError;
use crate::head::Head;
use crate::head::index::SeriesIndex;
use crate::logs::record::LogBlock;
use crate::logs::tail::LineArrival;
use crate::shared::{Shared, add};

/// Owner of all inbox files.
pub(crate) struct Inbox {
    pub(crate) shared: Arc<Shared>,
    pub(crate) active: Active,
    /// Files that wait for a flush or for state.redb, by generation.
    pub(crate) sealed: BTreeMap<u64, SealedFile>,
    pub(crate) state_reached: Option<Position>,
    pub(crate) positions: Positions,
    /// Committed records of small state that were not handed out yet.
    pub(crate) entries: Vec<ReplayEntry>,
    pub(crate) encoder: BlobEncoder,
    pub(crate) squeezer: Squeezer,
}

/// The file that commits go to. Its numbers say what of the file is in the head already.
pub(crate) struct Active {
    pub(crate) generation: u64,
    pub(crate) path: PathBuf,
    /// `None` after an error, until it is opened again.
    pub(crate) database: Option<Database>,
    pub(crate) head: Arc<Head>,
    pub(crate) next_entry: u64,
    pub(crate) next_piece: u64,
    pub(crate) next_series_block: u32,
    /// Bytes of blobs and series blocks.
    pub(crate) bytes: u64,
    /// When the first entry was committed.
    pub(crate) first_at: Option<Timestamp>,
    /// The last entry with records of small state.
    pub(crate) last_state: Option<u64>,
    pub(crate) registered: Registered,
    pub(crate) repeats: Repeats,
    /// Something in the file failed its checksum.
    pub(crate) is_damaged: bool,
    pub(crate) positions: Layer,
}

/// Which slots this file's series table has.
pub(crate) struct Registered {
    /// Unique in the process; a table that remembers it need not be asked slot by slot.
    pub(crate) number: u64,
    bits: Vec<u64>,
    /// Set by the transaction that is being made.
    fresh: Vec<u32>,
}

/// A sealed file, as long as it must stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedFile {
    pub(crate) last_state: Option<u64>,
    /// The catalog says so.
    pub(crate) flushed: bool,
}

impl Registered {
    pub(crate) fn new() -> Self {
        Self { number: Self::next_number(), bits: Vec::new(), fresh: Vec::new() }
    }

    fn next_number() -> u64 {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        NUMBERS.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes a slot for the transaction being made, unless the file has it.
    pub(crate) fn want(&mut self, slot: u32) {
        if self.set(slot) {
            self.fresh.push(slot);
        }
    }

    /// Whether it was not set.
    pub(crate) fn set(&mut self, slot: u32) -> bool {
        let (word, bit) = (slot as usize / 64, 1u64 << (slot % 64));
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        let was = self.bits[word] & bit != 0;
        self.bits[word] |= bit;
        !was
    }

    /// So that a slot is written again: its kind became known.
    pub(crate) fn unset(&mut self, slot: u32) {
        if let Some(word) = self.bits.get_mut(slot as usize / 64) {
            *word &= !(1u64 << (slot % 64));
        }
        // Tables that remember this registration must look again.
        self.number = Self::next_number();
    }

    pub(crate) fn fresh(&self) -> &[u32] {
        &self.fresh
    }

    pub(crate) fn committed(&mut self) {
        self.fresh.clear();
    }

    /// The transaction failed: whether its slots are in the file is to be read there.
    pub(crate) fn failed(&mut self) {
        for slot in std::mem::take(&mut self.fresh) {
            self.unset(slot);
        }
        self.number = Self::next_number();
    }
}

impl Active {
    pub(crate) fn new(shared: &Shared, generation: u64, index: Arc<SeriesIndex>) -> Self {
        Self {
            generation,
            path: file::path(&shared.inbox_folder, generation),
            database: None,
            head: Arc::new(Head::new(generation, index)),
            next_entry: 1,
            next_piece: 0,
            next_series_block: 0,
            bytes: 0,
            first_at: None,
            last_state: None,
            registered: Registered::new(),
            repeats: Repeats::default(),
            is_damaged: false,
            positions: Layer::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.next_entry == 1
    }

    /// As [`Active::take_up`], of a file whose last use may have ended in an error.
    /// Views and live tails then show it.
    pub(crate) fn take_up_again(&mut self, shared: &Shared, entries: &mut Vec<ReplayEntry>) -> Result<(), FileError> {
        make_durable(&*shared.disk, &self.path)?;
        // Before the head is shown nobody can listen.
        let is_shown = shared.published.load().heads.iter().any(|view| Arc::ptr_eq(&view.head, &self.head));
        let lines = self.read(shared, entries, is_shown)?;
        shared.published.arrived(&self.head);
        lines.iter().for_each(|(arrival, block)| {
            shared.tails.push(block, *arrival);
        });
        Ok(())
    }

    /// Opens the file and takes up everything in it that is not in memory yet.
    pub(crate) fn take_up(&mut self, shared: &Shared, entries: &mut Vec<ReplayEntry>) -> Result<(), FileError> {
        self.read(shared, entries, false).map(drop)
    }

    /// Answers the lines, if they are to be kept.
    fn read(
        &mut self,
        shared: &Shared,
        entries: &mut Vec<ReplayEntry>,
        keeps_lines: bool,
    ) -> Result<Vec<(LineArrival, LogBlock)>, FileError> {
        let database = open_database(&*shared.disk, &self.path, false, shared.config.inbox_cache_bytes)?;
        let read = file::begin_read(&database, &self.path)?;
        file::check_version(&read, &self.path)?;
        let registered = &mut self.registered;
        let index = self.head.index.clone();
        let (next_series_block, damaged) =
            file::read_series(&read, self.next_series_block, &self.path, &mut |slot, series| {
                index.restore(slot, &series);
                registered.set(slot);
            })?;
        let mut replayer = replay::Replayer::new(&self.head, None).keeping_lines(keeps_lines);
        let blobs = file::read_blobs(&read, self.next_piece, &self.path, &mut |blob| replayer.blob(blob))?;
        let replayed = replayer.finish();
        index.reserve(replayed.slots_end);
        entries.extend(replayed.entries);
        self.next_series_block = next_series_block;
        self.next_piece = blobs.next_piece;
        self.next_entry = self.next_entry.max(replayed.last_entry + 1);
        self.bytes += blobs.bytes;
        self.first_at = self.first_at.or(replayed.first_at);
        self.last_state = replayed.last_state.max(self.last_state);
        self.is_damaged |= blobs.damaged + damaged > 0;
        self.repeats = Repeats::load(file::read_repeats(&read, &self.path)?.into_iter());
        self.positions = Layer::load(&read, &self.path)?;
        drop(read);
        self.database = Some(database);
        let mut health = shared.health.lock();
        health.damaged_entries += blobs.damaged + damaged;
        health.lost_samples += replayed.lost;
        Ok(replayed.lines)
    }
}

impl Inbox {
    /// Ready to commit: after an error the newest file is looked for, opened and taken up first.
    pub(crate) fn ready(&mut self) -> Result<(), FileError> {
        if self.active.database.is_some() {
            return Ok(());
        }
        let shared = self.shared.clone();
        // A new file may have been renamed into place before the error: it carries the marks on, the old one no more. The folder
        // is synced before anything is committed there.
        let newest = file::generations(&shared)?.pop().unwrap_or(self.active.generation);
        shared.disk.sync_dir(&shared.inbox_folder).map_err(FileError::disk("sync folder", &shared.inbox_folder))?;
        if newest > self.active.generation {
            // Everything committed to the old file must be in its head before it is sealed.
            self.active.take_up_again(&shared, &mut self.entries)?;
            self.rotate(newest);
        }
        self.active.take_up_again(&shared, &mut self.entries)?;
        shared.health.lock().inbox_failing = None;
        Ok(())
    }

    /// Drops the handle: what the failed call left on disk is unknown.
    pub(crate) fn fail(&mut self, error: &FileError, now: Timestamp) {
        self.active.database = None;
        self.active.registered.failed();
        add(&self.shared.counters.commit_errors, 1);
        let mut health = self.shared.health.lock();
        let text = crate::admin::chain(error);
        match &mut health.inbox_failing {
            Some((_, last)) => *last = text,
            none => *none = Some((now, text)),
        }
    }

    /// The next generation's file becomes the active one; its head shares the series index while most of it is in use.
    pub(crate) fn rotate(&mut self, generation: u64) {
        let head = &self.active.head;
        let (used, known) = (head.series() as usize, head.index.len());
        let index = if known > used * 2 + 10_000 { Arc::new(SeriesIndex::new()) } else { head.index.clone() };
        let next = Active::new(&self.shared, generation, index);
        let old = std::mem::replace(&mut self.active, next);
        self.positions.seal(old.generation, old.positions);
        self.sealed.insert(old.generation, SealedFile { last_state: old.last_state, flushed: false });
        self.shared.published.add_head(self.active.head.clone());
        add(&self.shared.counters.seals, 1);
    }
}
