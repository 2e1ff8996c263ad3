//! Bytes of a source whose file is gone or cut: in memory, or in the spool.
//!
//! What was handed out and is not acknowledged can be asked for again, also when the file no longer has it. So each source keeps these bytes
//! ([`Unacked`], bounded); they become its content ([`Kept`]) once its file cannot give them. A deleted file that is held open becomes one too
//! when it is put into the spool.

use std::io;

use muster_common::disk::DiskFile;

use super::content::{TAIL_BYTES, tail_hash};

/// Of one source; an ack that is late by more finds less, and the rest is named.
const SOURCE_BYTES_MAX: usize = 1 << 20;
/// An empty buffer keeps no more room than this.
const SPARE_BYTES_MAX: usize = 16 << 10;

/// Bytes handed out and not acknowledged, with up to 64 acknowledged ones before them, by which a position is known.
#[derive(Debug, Default)]
pub(super) struct Unacked {
    start: u64,
    bytes: Vec<u8>,
}

impl Unacked {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Whether it reaches beyond this offset.
    pub(super) fn reaches_beyond(&self, offset: u64) -> bool {
        !self.bytes.is_empty() && self.end() > offset
    }

    /// The hash before this offset, if all bytes that it is of are here.
    pub(super) fn hash_before(&self, offset: u64) -> Option<u64> {
        let lead = offset.min(TAIL_BYTES as u64);
        let from = usize::try_from((offset - lead).checked_sub(self.start)?).ok()?;
        let bytes = self.bytes.get(from..from + usize::try_from(lead).ok()?)?;
        Some(tail_hash(bytes))
    }

    /// Bytes `from..to` are handed out; `bytes` begin at `base`. Where they do not follow, what was kept before is let go.
    pub(super) fn took(&mut self, base: u64, bytes: &[u8], from: u64, to: u64) {
        let index = |offset: u64| usize::try_from(offset - base).unwrap_or(usize::MAX);
        if to <= from || to < base {
            return;
        }
        if from >= base && !self.bytes.is_empty() && self.end() == from {
            self.bytes.extend_from_slice(&bytes[index(from)..index(to)]);
        } else {
            let begin = if from >= base { from } else { to };
            let begin = begin - (begin - base).min(TAIL_BYTES as u64);
            self.start = begin;
            self.bytes.clear();
            self.bytes.extend_from_slice(&bytes[index(begin)..index(to)]);
        }
        self.drop_first(self.bytes.len().saturating_sub(SOURCE_BYTES_MAX));
    }

    /// The collector has it up to here.
    pub(super) fn acked(&mut self, to: u64) {
        let first = to.min(self.end()).saturating_sub(TAIL_BYTES as u64);
        self.drop_first(usize::try_from(first.saturating_sub(self.start)).unwrap_or(0));
        if self.bytes.len() <= TAIL_BYTES && self.bytes.capacity() > SPARE_BYTES_MAX {
            self.bytes.shrink_to(TAIL_BYTES);
        }
    }

    /// Lets go of all but what a position is known by: memory is short.
    pub(super) fn let_go(&mut self) {
        self.acked(self.end());
    }

    fn drop_first(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.start += count as u64;
    }

    /// As the content of its source.
    pub(super) fn into_kept(self) -> Kept {
        Kept { beginning: Vec::new(), start: self.start, body: Body::Memory(self.bytes) }
    }
}

/// Bytes `start..end` of a source, and its first ones, by which it is known.
pub(super) struct Kept {
    pub(super) beginning: Vec<u8>,
    pub(super) start: u64,
    pub(super) body: Body,
}

pub(super) enum Body {
    Memory(Vec<u8>),
    /// In a file of the spool, from byte `at` of it.
    Spooled {
        file: Box<dyn DiskFile>,
        at: u64,
        length: u64,
    },
}

impl Kept {
    pub(super) fn end(&self) -> u64 {
        self.start
            + match &self.body {
                Body::Memory(bytes) => bytes.len() as u64,
                Body::Spooled { length, .. } => *length,
            }
    }

    /// The first offset that can be gone to: the bytes before it are there too.
    pub(super) fn first(&self) -> u64 {
        if self.start == 0 { 0 } else { (self.start + TAIL_BYTES as u64).min(self.end()) }
    }

    /// Back into memory for the case that it is asked for once more.
    pub(super) fn into_unacked(self) -> Unacked {
        match self.body {
            Body::Memory(bytes) => Unacked { start: self.start, bytes },
            Body::Spooled { .. } => Unacked::default(),
        }
    }

    /// Bytes from `offset`, fewer than asked only at the end of what is kept.
    ///
    /// # Errors
    /// As the disk, and for bytes that are not kept.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let from_slice = |bytes: &[u8], from: u64, buffer: &mut [u8]| {
            let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
            let count = buffer.len().min(bytes.len() - from);
            buffer[..count].copy_from_slice(&bytes[from..from + count]);
            count
        };
        if offset < self.start {
            if offset >= self.beginning.len() as u64 {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "these bytes were not kept"));
            }
            return Ok(from_slice(&self.beginning, offset, buffer));
        }
        match &self.body {
            Body::Memory(bytes) => Ok(from_slice(bytes, offset - self.start, buffer)),
            Body::Spooled { file, at, length } => {
                let from = (offset - self.start).min(*length);
                let count = buffer.len().min(usize::try_from(length - from).unwrap_or(usize::MAX));
                file.pread(&mut buffer[..count], at + from)?;
                Ok(count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unacknowledged_is_kept_with_what_stands_before_it() {
        let file: Vec<u8> = (0..1_000_u32).map(|number| number as u8).collect();
        let mut unacked = Unacked::default();
        unacked.took(0, &file[..300], 0, 200);
        unacked.took(136, &file[136..400], 200, 400);
        assert!(unacked.reaches_beyond(399) && !unacked.reaches_beyond(400));
        unacked.acked(250);
        assert_eq!((unacked.hash_before(250), unacked.hash_before(249)), (Some(tail_hash(&file[..250])), None));
        assert_eq!((unacked.start, unacked.len()), (186, 214));
        // What does not follow begins anew.
        unacked.took(536, &file[536..700], 600, 650);
        assert_eq!((unacked.start, unacked.len()), (536, 114));
        let kept = unacked.into_kept();
        assert_eq!((kept.first(), kept.end()), (600, 650));
        let mut buffer = [0; 100];
        assert_eq!(kept.read_at(&mut buffer, 600).unwrap(), 50);
        assert_eq!(buffer[..50], file[600..650]);
        assert!(kept.read_at(&mut buffer, 0).is_err());
        let mut unacked = kept.into_unacked();
        unacked.acked(650);
        assert_eq!((unacked.start, unacked.len(), unacked.reaches_beyond(650)), (586, 64, false));
    }

    #[test]
    fn a_source_keeps_no_more_than_its_bound() {
        let file = vec![7; SOURCE_BYTES_MAX];
        let mut unacked = Unacked::default();
        unacked.took(0, &file, 0, file.len() as u64);
        unacked.took(file.len() as u64, &file, file.len() as u64, file.len() as u64 * 2);
        assert_eq!((unacked.start, unacked.len()), (file.len() as u64, SOURCE_BYTES_MAX));
        unacked.let_go();
        assert!(unacked.len() == TAIL_BYTES && unacked.bytes.capacity() <= SPARE_BYTES_MAX);
    }
}
