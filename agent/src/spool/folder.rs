//! The spool's folder: appends, reads, drops. Blocking and deterministic; see [`super::worker`] for its thread.

mod load;
mod read;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::{Disk, DiskFile, Open};
use muster_common::host::HostId;
use muster_common::wire::message::{Epoch, Lane};

use super::epochs::{EpochFile, EpochTable};
use super::limits::{Room, SpoolLimits};
use super::segment::{self, Header};
use super::{AppendOutcome, SpoolAnswer, SpoolRequest, SpooledBatch, Trouble};
use crate::own::{DropReason, Own};
use crate::uplink::HandedFrame;

/// Segments open for appending at once: of both lanes, the epoch being written and the one it took over from.
const WRITERS_MAX: usize = 4;
/// Remembered read positions: the live epoch's and the one being drained, for each lane in use.
const CURSORS_MAX: usize = 4;

/// Where the spool is, whose it is, and how large it may be.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    pub folder: PathBuf,
    pub host: HostId,
    pub limits: SpoolLimits,
}

/// Why the spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("the spool cannot be opened: {trouble}")]
    Disk { trouble: Trouble },
}

/// What an opened spool holds of one epoch and lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldRun {
    pub epoch: Epoch,
    pub lane: Lane,
    pub first_seq: u64,
    pub last_seq: u64,
    pub bytes: u64,
}

/// What was found at open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    pub table: EpochTable,
    /// Sorted by epoch, then lane.
    pub held: Vec<HeldRun>,
    /// The table was lost and made anew from the segments.
    pub is_rebuilt: bool,
    /// Reports of other processes that have a place; `crate::handed` finds them.
    pub handed: Vec<HandedFrame>,
    /// What had to be cut or discarded, for the log.
    pub notes: Vec<String>,
}

/// Lane, epoch and first seq: the order of files.
type Key = (Lane, Epoch, u64);

#[derive(Default)]
struct Segment {
    last_seq: u64,
    batches: u64,
    /// Bytes that are good; what lies beyond is not ours to trust.
    end: u64,
    /// Where each context's record begins.
    contexts: Vec<(u32, u64)>,
    writer: Option<Arc<dyn DiskFile>>,
    dirty: bool,
    name_synced: bool,
    /// Reads in a row that the disk failed.
    failed_reads: u32,
}

/// Where reading of a segment stands: every batch before `offset` has a seq of at most `after`.
struct Cursor {
    key: Key,
    file: Box<dyn DiskFile>,
    offset: u64,
    after: u64,
}

/// The spool. One owner.
pub struct Spool {
    disk: Arc<dyn Disk>,
    config: SpoolConfig,
    own: Arc<Own>,
    epochs: EpochFile,
    segments: BTreeMap<Key, Segment>,
    acked: BTreeMap<(Lane, Epoch), u64>,
    cursors: Vec<Cursor>,
    /// Of all segments, by lane.
    bytes: [u64; Lane::ALL.len()],
    /// Batches dropped for want of room since it was opened.
    dropped: u64,
    buffer: Vec<u8>,
}

impl Spool {
    /// Opens or makes the folder; cuts torn tails; discards what belongs to another host or to no epoch of the table.
    ///
    /// # Errors
    /// [`SpoolError`] when the folder or the table of epochs cannot be read or made.
    pub fn open(disk: Arc<dyn Disk>, config: SpoolConfig, own: Arc<Own>) -> Result<(Self, Loaded), SpoolError> {
        let fail = |doing| {
            let folder = config.folder.clone();
            move |source: io::Error| SpoolError::Disk { trouble: Trouble::disk(doing, &folder, &source) }
        };
        disk.create_dir_all(&config.folder).map_err(fail("make the spool's folder"))?;
        let (epochs, table) =
            EpochFile::open(&disk, &config.folder, config.host).map_err(fail("open the table of epochs in"))?;
        let names = disk.list(&config.folder).map_err(fail("list"))?;
        let (segments, acked, cursors) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut spool = Self {
            disk,
            config,
            own,
            epochs,
            segments,
            acked,
            cursors,
            bytes: [0; Lane::ALL.len()],
            dropped: 0,
            buffer: Vec::new(),
        };
        let mut loaded = Loaded::default();
        for name in names.iter().filter(|name| segment::is_file_name(name)) {
            match spool.load(name, table.as_ref()) {
                Ok(None) => {}
                Ok(Some(note)) => loaded.notes.push(format!("spool file {name}: {note}")),
                // Nothing is wrong with the file. Going on without it would tell what it holds as lost; the next start may have handles.
                Err(error) if load::is_want(&error) => {
                    let trouble = Trouble::disk("read", &spool.config.folder.join(name), &error);
                    return Err(SpoolError::Disk { trouble });
                }
                Err(error) => loaded.notes.push(format!("spool file {name}: left alone, it cannot be read: {error}")),
            }
        }
        loaded.held = spool.held();
        loaded.is_rebuilt = table.is_none();
        loaded.table = table.unwrap_or_else(|| load::rebuilt(&loaded.held));
        spool.tell_size();
        Ok((spool, loaded))
    }

    /// Carries out one request.
    pub fn serve(&mut self, request: SpoolRequest) -> Option<SpoolAnswer> {
        let answer = match request {
            SpoolRequest::Keep { version, table, sync_first } => {
                let kept = if sync_first { self.sync() } else { Ok(()) };
                let trouble = kept.and_then(|()| self.keep(&table)).err();
                Some(SpoolAnswer::Kept { version, trouble })
            }
            SpoolRequest::Append { batch, context_frame } => {
                let before = self.dropped;
                let (outcome, trouble) = self.append(&batch, context_frame.as_deref());
                let (epoch, lane, seq, dropped) = (batch.epoch, batch.lane, batch.seq, self.dropped - before);
                Some(SpoolAnswer::Appended { epoch, lane, seq, outcome, dropped, trouble })
            }
            SpoolRequest::Read { epoch, lane, from, have_context } => {
                Some(match self.read(epoch, lane, from, have_context) {
                    Ok(found) => SpoolAnswer::Found { epoch, lane, from, found },
                    Err(trouble) => SpoolAnswer::Unread { epoch, lane, from, trouble },
                })
            }
            SpoolRequest::Acked { epoch, lane, seq } => {
                self.acked(epoch, lane, seq);
                None
            }
            SpoolRequest::Forget { epoch } => {
                self.forget(epoch);
                None
            }
            SpoolRequest::Sync => Some(SpoolAnswer::Synced { trouble: self.sync().err() }),
        };
        self.tell_size();
        answer
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.bytes.iter().sum()
    }

    fn tell_size(&self) {
        self.own.spool_bytes.set_size(self.bytes());
    }

    fn held(&self) -> Vec<HeldRun> {
        let mut held: Vec<HeldRun> = Vec::new();
        for (&(lane, epoch, first_seq), segment) in &self.segments {
            match held.last_mut() {
                Some(run) if run.epoch == epoch && run.lane == lane => {
                    run.last_seq = run.last_seq.max(segment.last_seq);
                    run.bytes += segment.end;
                }
                _ => held.push(HeldRun { epoch, lane, first_seq, last_seq: segment.last_seq, bytes: segment.end }),
            }
        }
        held.sort_unstable_by_key(|run| (run.epoch, run.lane));
        held
    }

    fn keep(&mut self, table: &EpochTable) -> Result<(), Trouble> {
        self.own.spool_syncs.add(1);
        let kept = self.epochs.keep(table);
        self.counted("write the table of epochs in", &self.config.folder, kept)
    }

    /// Counts an error and says what it was about.
    fn counted<T>(&self, doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, Trouble> {
        result.map_err(|error| {
            self.own.spool_errors.add(1);
            Trouble::disk(doing, path, &error)
        })
    }

    fn append(&mut self, batch: &SpooledBatch, context: Option<&[u8]>) -> (AppendOutcome, Option<Trouble>) {
        let context_bytes = context.map_or(0, |frame| segment::RECORD_HEAD_BYTES + frame.len());
        let needed = (segment::RECORD_HEAD_BYTES + batch.frame.len() + context_bytes) as u64 + segment::HEADER_BYTES;
        let (mut outcome, mut trouble) = (AppendOutcome::Full, None);
        // Twice: a disk that is full in truth may have room once the oldest segment is gone.
        for _ in 0..2 {
            if let Err(refusal) = self.make_room(batch.lane, needed) {
                return (AppendOutcome::Full, Some(refusal));
            }
            match self.write(batch, context, needed) {
                Ok(bytes) => {
                    self.own.spooled_batches.add(1);
                    return (AppendOutcome::Held { bytes }, None);
                }
                Err(error) => {
                    self.own.spool_errors.add(1);
                    trouble = Some(Trouble::disk("append to the spool in", &self.config.folder, &error));
                    self.close_writer(batch.lane, batch.epoch);
                    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
                    outcome = if full { AppendOutcome::Full } else { AppendOutcome::Failed };
                    if !full || !self.drop_oldest(batch.lane) {
                        break;
                    }
                }
            }
        }
        (outcome, trouble)
    }

    /// Drops the oldest until `needed` bytes may be written on this lane, where dropping makes the room: of its own share where that is full,
    /// else metrics first. For metrics no report goes.
    fn make_room(&mut self, lane: Lane, needed: u64) -> Result<(), Trouble> {
        let folder = &self.config.folder;
        let mut space = self.counted("ask for the room of", folder, self.disk.space(folder))?;
        loop {
            let own_bytes = self.bytes[lane as usize];
            let droppable = if lane == Lane::P0 { own_bytes + self.bytes[Lane::P1 as usize] } else { own_bytes };
            match self.config.limits.room(space, lane, (own_bytes, droppable), needed) {
                Room::Fits => return Ok(()),
                Room::Short => return Err(Trouble::short(&self.config.folder, space)),
                Room::TooLarge => {
                    let folder = self.config.folder.display().to_string();
                    let share_bytes = self.config.limits.share_bytes(lane, space);
                    return Err(Trouble::Share { folder, needed_bytes: needed, share_bytes });
                }
                room @ (Room::AfterOwnDrop | Room::AfterDrop) => {
                    let before = self.bytes();
                    let dropped =
                        if room == Room::AfterOwnDrop { self.drop_oldest_of(lane) } else { self.drop_oldest(lane) };
                    if !dropped {
                        return Err(Trouble::short(&self.config.folder, space));
                    }
                    // Counted, not asked again: a file system that frees blocks later would cost everything that is held.
                    space.free_bytes = space.free_bytes.saturating_add(before.saturating_sub(self.bytes()));
                }
            }
        }
    }

    /// Makes room on the disk for this lane: metrics go first, reports only for reports.
    fn drop_oldest(&mut self, lane: Lane) -> bool {
        self.drop_oldest_of(Lane::P1) || (lane == Lane::P0 && self.drop_oldest_of(Lane::P0))
    }

    fn drop_oldest_of(&mut self, lane: Lane) -> bool {
        let Some((&key, segment)) = self.segments.range((lane, Epoch::NONE, 0)..).next() else { return false };
        if key.0 != lane {
            return false;
        }
        let acked = self.acked.get(&(key.0, key.1)).copied().unwrap_or(0);
        let lost = segment.batches.min(segment.last_seq.saturating_sub(acked));
        self.own.drop_batches(DropReason::SpoolFull, lost);
        self.dropped += lost;
        self.remove(key);
        true
    }

    /// Unlinks a segment. When that fails the file stays for the next start, which finds its content acked or its epoch done.
    fn remove(&mut self, key: Key) {
        let Some(segment) = self.segments.remove(&key) else { return };
        let bytes = &mut self.bytes[key.0 as usize];
        *bytes = bytes.saturating_sub(segment.end);
        self.cursors.retain(|cursor| cursor.key != key);
        if self.disk.unlink(&self.path(key)).is_err() {
            self.own.spool_errors.add(1);
        }
    }

    fn path(&self, (lane, epoch, first_seq): Key) -> PathBuf {
        self.config.folder.join(segment::file_name(lane, epoch, first_seq))
    }

    /// Writes the batch, and its context where needed, in one call. Returns the bytes that the file grew by.
    fn write(&mut self, batch: &SpooledBatch, context: Option<&[u8]>, needed: u64) -> io::Result<u64> {
        let key = self.writer_for(batch, needed)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let result = match self.segments.get_mut(&key) {
            Some(segment) => write_to(segment, key, self.config.host, batch, context, &mut buffer),
            None => Err(io::Error::other("the segment just opened is gone")),
        };
        self.buffer = buffer;
        let grown = result?;
        self.bytes[batch.lane as usize] += grown;
        Ok(grown)
    }

    /// The segment that takes this batch: the open one of its epoch, or a new one.
    fn writer_for(&mut self, batch: &SpooledBatch, needed: u64) -> io::Result<Key> {
        let of_epoch = (batch.lane, batch.epoch, 0)..=(batch.lane, batch.epoch, u64::MAX);
        let last = self.segments.range(of_epoch).next_back();
        if let Some((&key, segment)) = last
            && segment.writer.is_some()
        {
            if segment.end + needed <= self.segment_bytes_max(batch.lane) && batch.seq > segment.last_seq {
                return Ok(key);
            }
            self.close_writer(batch.lane, batch.epoch);
        }
        let open: Vec<Key> = self.segments.iter().filter(|(_, s)| s.writer.is_some()).map(|(key, _)| *key).collect();
        if open.len() >= WRITERS_MAX {
            self.close_writer(open[0].0, open[0].1);
        }
        let key = (batch.lane, batch.epoch, batch.seq);
        let path = self.path(key);
        if self.segments.contains_key(&key) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "this seq is in the spool already"));
        }
        let file = match self.disk.open(&path, Open::Create) {
            // A file that is not in our list holds nothing that counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.unlink(&path)?;
                self.disk.open(&path, Open::Create)?
            }
            other => other?,
        };
        self.segments.insert(key, Segment { writer: Some(Arc::from(file)), dirty: true, ..Segment::default() });
        Ok(key)
    }

    /// On a small disk segments are small too, so that dropping the oldest does not drop everything.
    fn segment_bytes_max(&self, lane: Lane) -> u64 {
        let space = self.disk.space(&self.config.folder);
        let quarter = space.map_or(u64::MAX, |space| self.config.limits.share_bytes(lane, space) / 4);
        segment::SEGMENT_BYTES_MAX.min(quarter)
    }

    /// Ends appending to an epoch's segment, synced; an empty one goes.
    fn close_writer(&mut self, lane: Lane, epoch: Epoch) {
        let of_epoch = (lane, epoch, 0)..=(lane, epoch, u64::MAX);
        let open = self.segments.range(of_epoch).find(|(_, segment)| segment.writer.is_some()).map(|(key, _)| *key);
        let Some(key) = open else { return };
        // A failure is counted; what it cost shows as missing.
        let _ = self.sync_segment(key);
        let Some(segment) = self.segments.get_mut(&key) else { return };
        segment.writer = None;
        if segment.batches == 0 {
            self.remove(key);
        }
    }

    /// fdatasync of every segment appended to since the last one, and of the folder when a file is new.
    fn sync(&mut self) -> Result<(), Trouble> {
        let dirty: Vec<Key> = self.segments.iter().filter(|(_, s)| s.dirty).map(|(key, _)| *key).collect();
        let mut result = Ok(());
        for key in dirty {
            // All of them, whatever happens to one.
            let synced = self.sync_segment(key);
            result = result.and(synced);
        }
        result
    }

    fn sync_segment(&mut self, key: Key) -> Result<(), Trouble> {
        let path = self.path(key);
        let Some(segment) = self.segments.get_mut(&key) else { return Ok(()) };
        let (Some(writer), true) = (segment.writer.clone(), segment.dirty) else { return Ok(()) };
        self.own.spool_syncs.add(1);
        let mut result = writer.sync();
        if result.is_ok() && !segment.name_synced {
            result = self.disk.sync_dir(&self.config.folder);
        }
        segment.dirty = false;
        let result = self.counted("sync", &path, result);
        if let Some(segment) = self.segments.get_mut(&key) {
            match result {
                Ok(()) => segment.name_synced = true,
                // What the file holds is unknown now: append elsewhere; reads find out by the checksums.
                Err(_) => segment.writer = None,
            }
        }
        result
    }

    fn acked(&mut self, epoch: Epoch, lane: Lane, seq: u64) {
        let acked = self.acked.entry((lane, epoch)).or_default();
        *acked = seq.max(*acked);
        let acked = *acked;
        let of_epoch = (lane, epoch, 0)..=(lane, epoch, u64::MAX);
        let done = |segment: &Segment| segment.last_seq <= acked;
        let keys: Vec<Key> = self.segments.range(of_epoch).filter(|(_, s)| done(s)).map(|(key, _)| *key).collect();
        for key in keys {
            self.remove(key);
        }
    }

    fn forget(&mut self, epoch: Epoch) {
        let keys: Vec<Key> = self.segments.keys().filter(|key| key.1 == epoch).copied().collect();
        for key in keys {
            self.remove(key);
        }
        self.acked.retain(|(_, acked), _| *acked != epoch);
    }
}

fn write_to(
    segment: &mut Segment,
    key: Key,
    host: HostId,
    batch: &SpooledBatch,
    context: Option<&[u8]>,
    buffer: &mut Vec<u8>,
) -> io::Result<u64> {
    let writer = segment.writer.clone().ok_or_else(|| io::Error::other("the segment is closed"))?;
    if segment.end == 0 {
        let created_ms = batch.to_ms;
        let header = Header { lane: key.0, host, epoch: key.1, first_seq: key.2, created_ms };
        segment::encode_header(&header, buffer);
    }
    let mut context_at = None;
    if batch.context != 0 && !segment.contexts.iter().any(|(known, _)| *known == batch.context) {
        let frame = context.ok_or_else(|| io::Error::other("a batch came without the context it names"))?;
        context_at = Some((batch.context, segment.end + buffer.len() as u64));
        segment::encode_context(batch.context, frame, buffer);
    }
    segment::encode_batch(batch.context, batch.seq, batch.from_ms, batch.to_ms, &batch.frame, buffer);
    writer.pwrite(buffer, segment.end)?;
    segment.contexts.extend(context_at);
    segment.end += buffer.len() as u64;
    segment.last_seq = batch.seq;
    segment.batches += 1;
    segment.dirty = true;
    Ok(buffer.len() as u64)
}

#[cfg(test)]
mod tests;
