//! Reading back. What the disk does not give now is asked for again later; only what is wrong in itself is given up.

use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::sync::Arc;

use muster_common::disk::Open;
use muster_common::wire::message::{Epoch, Lane};

use super::{CURSORS_MAX, Cursor, Key, Segment, Spool};
use crate::own::DropReason;
use crate::spool::segment::{self, Record, RecordKind};
use crate::spool::{Found, SpooledBatch, Trouble};

/// A sector that the disk failed to give so often in a row is bad: 5 min at one try every 10 s. Without an end it would hold up all that is
/// behind it for ever.
const FAILED_READS_MAX: u32 = 30;

/// Why one segment gives nothing more.
enum Stop {
    /// From this offset, after this seq, what it holds is wrong or gone.
    Damage { end: u64, last_seq: u64 },
    /// Not now; the reading stands at this offset, after this seq.
    Error { error: io::Error, end: u64, last_seq: u64 },
}

impl Spool {
    /// The first batch held with a seq of at least `from`.
    ///
    /// # Errors
    /// [`Trouble`] when the disk does not give it now: nothing is given up, ask again.
    pub(super) fn read(
        &mut self,
        epoch: Epoch,
        lane: Lane,
        from: u64,
        have_context: u32,
    ) -> Result<Option<Found>, Trouble> {
        let of_epoch = (lane, epoch, 0)..=(lane, epoch, u64::MAX);
        let holds = |(_, segment): &(&Key, &Segment)| segment.last_seq >= from && segment.batches > 0;
        let mut next = self.segments.range(of_epoch).find(holds).map(|(key, _)| *key);
        while let Some(key) = next {
            match self.read_in(key, from, have_context) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(Stop::Damage { end, last_seq }) => self.damaged(key, end, last_seq),
                Err(Stop::Error { error, end, last_seq }) => {
                    self.failed(key, &error)?;
                    self.damaged(key, end, last_seq);
                }
            }
            let after = (Bound::Excluded(key), Bound::Included((lane, epoch, u64::MAX)));
            next = self.segments.range(after).find(holds).map(|(key, _)| *key);
        }
        Ok(None)
    }

    /// Reads on in one segment. `None` when it has nothing from there on.
    fn read_in(&mut self, key: Key, from: u64, have_context: u32) -> Result<Option<Found>, Stop> {
        let mut cursor = match self.cursors.iter().position(|cursor| cursor.key == key && cursor.after < from) {
            Some(at) => self.cursors.remove(at),
            None => {
                self.cursors.retain(|cursor| cursor.key != key);
                let file = self.disk.open(&self.path(key), Open::Read).map_err(|error| match error.kind() {
                    ErrorKind::NotFound => Stop::Damage { end: 0, last_seq: 0 },
                    _ => Stop::Error { error, end: 0, last_seq: 0 },
                })?;
                Cursor { key, file, offset: segment::HEADER_BYTES, after: 0 }
            }
        };
        let mut body = std::mem::take(&mut self.buffer);
        let found = self.read_on(&mut cursor, from, have_context, &mut body);
        self.buffer = body;
        if !matches!(found, Err(Stop::Error { .. })) {
            if let Some(segment) = self.segments.get_mut(&key) {
                segment.failed_reads = 0;
            }
            if self.cursors.len() >= CURSORS_MAX {
                self.cursors.remove(0);
            }
            self.cursors.push(cursor);
        }
        found
    }

    fn read_on(
        &self,
        cursor: &mut Cursor,
        from: u64,
        have_context: u32,
        body: &mut Vec<u8>,
    ) -> Result<Option<Found>, Stop> {
        let key = cursor.key;
        let end = self.segments.get(&key).map_or(0, |segment| segment.end);
        while cursor.offset < end {
            let record = record_at(cursor, cursor.offset, end, body)?;
            if record.kind == RecordKind::Batch && record.seq >= from {
                let wanted = record.context != 0 && record.context != have_context;
                let context_frame = if wanted { self.context(cursor, record.context)? } else { None };
                cursor.offset += record.total_bytes();
                cursor.after = record.seq;
                let (from_ms, to_ms, frame) = (record.from_ms, record.to_ms, Arc::from(body.as_slice()));
                let (context, seq) = (record.context, record.seq);
                let batch = SpooledBatch { epoch: key.1, lane: key.0, seq, context, from_ms, to_ms, frame };
                return Ok(Some(Found { batch, context_frame }));
            }
            cursor.offset += record.total_bytes();
            if record.kind == RecordKind::Batch {
                cursor.after = record.seq;
            }
        }
        Ok(None)
    }

    /// `None`: it is not there, or damaged; the batch then goes as a gap.
    fn context(&self, cursor: &Cursor, id: u32) -> Result<Option<Arc<[u8]>>, Stop> {
        let Some(segment) = self.segments.get(&cursor.key) else { return Ok(None) };
        let Some((_, offset)) = segment.contexts.iter().find(|(known, _)| *known == id) else { return Ok(None) };
        let mut body = Vec::new();
        match record_at(cursor, *offset, segment.end, &mut body) {
            Ok(record) if record.kind == RecordKind::Context && record.context == id => Ok(Some(Arc::from(body))),
            Ok(_) | Err(Stop::Damage { .. }) => Ok(None),
            Err(stop) => Err(stop),
        }
    }

    /// A read that the disk failed. `Ok`: so often that the rest of the segment is given up.
    fn failed(&mut self, key: Key, error: &io::Error) -> Result<(), Trouble> {
        self.own.spool_errors.add(1);
        let path = self.path(key);
        let Some(segment) = self.segments.get_mut(&key) else { return Ok(()) };
        segment.failed_reads = segment.failed_reads.saturating_add(1);
        // Handles and memory come back; a sector that is bad stays so.
        let may_be_bad = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
        if !may_be_bad || segment.failed_reads < FAILED_READS_MAX {
            return Err(Trouble::disk("read", &path, error));
        }
        Ok(())
    }

    /// From now on this segment ends at `end`, after batch `last_seq`: what follows is missing, and shows as a gap.
    fn damaged(&mut self, key: Key, end: u64, last_seq: u64) {
        self.own.spool_damages.add(1);
        if let Some(segment) = self.segments.get_mut(&key) {
            self.own
                .drop_batches(DropReason::DiskError, segment.last_seq.saturating_sub(last_seq).min(segment.batches));
            let bytes = &mut self.bytes[key.0 as usize];
            *bytes = bytes.saturating_sub(segment.end.saturating_sub(end));
            (segment.end, segment.last_seq, segment.writer) = (end.min(segment.end), last_seq, None);
            if last_seq == 0 {
                segment.batches = 0;
            }
        }
    }
}

/// The record at this offset, its body in `body`.
fn record_at(cursor: &Cursor, offset: u64, end: u64, body: &mut Vec<u8>) -> Result<Record, Stop> {
    let (at, last_seq) = (cursor.offset, cursor.after);
    let damage = Stop::Damage { end: at, last_seq };
    match segment::read_record(cursor.file.as_ref(), offset, end, body) {
        Ok(Some(record)) => Ok(record),
        Ok(None) => Err(damage),
        // The file is shorter than what was written to it.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(damage),
        Err(error) => Err(Stop::Error { error, end: at, last_seq }),
    }
}
