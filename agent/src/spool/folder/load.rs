//! Taking over the files of an earlier process.

use std::io;

use muster_common::disk::{DiskFile, Open};
use rustix::io::Errno;

use super::{HeldRun, Segment, Spool};
use crate::spool::epochs::{EpochRow, EpochTable};
use crate::spool::segment::{self, RecordKind};

impl Spool {
    /// Takes over a file of an earlier process; the note says what had to be done to it.
    pub(super) fn load(&mut self, name: &str, table: Option<&EpochTable>) -> io::Result<Option<&'static str>> {
        let path = self.config.folder.join(name);
        let file = self.disk.open(&path, Open::Read)?;
        let length = file.len()?;
        let mut head = [0; segment::HEADER_BYTES as usize];
        let header = match length {
            segment::HEADER_BYTES.. => {
                file.pread(&mut head, 0)?;
                segment::decode_header(&head)
            }
            _ => None,
        };
        let discard = match header {
            None => Some("discarded: its header is damaged or of an unknown version"),
            Some(header) if header.host != self.config.host => Some("discarded: it belongs to another host id"),
            Some(header) => {
                let is_known = |table: &EpochTable| table.rows.iter().any(|row| row.epoch == header.epoch);
                (!table.is_none_or(is_known)).then_some("discarded: its epoch is done")
            }
        };
        let (Some(header), None) = (header, discard) else {
            self.disk.unlink(&path)?;
            return Ok(discard);
        };
        let segment = scan(file.as_ref(), length, &mut self.buffer)?;
        let torn = segment.end < length;
        if torn {
            self.own.spool_damages.add(1);
        }
        if segment.batches == 0 {
            self.disk.unlink(&path)?;
            return Ok(torn.then_some("discarded: no batch in it is whole"));
        }
        if torn {
            // Only tidiness: the end is known, and nothing is appended to an old file.
            let _ = self.disk.open(&path, Open::Write).and_then(|file| file.set_len(segment.end));
        }
        self.bytes[header.lane as usize] += segment.end;
        self.segments.insert((header.lane, header.epoch, header.first_seq), segment);
        Ok(torn.then_some("cut at its first damaged record"))
    }
}

/// Whether this process lacked handles or memory, which says nothing of the file.
pub(super) fn is_want(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::NFILE | Errno::MFILE | Errno::NOMEM))
}

/// Reads a file of an earlier process up to its first damaged record. Seqs must rise, else what follows is damage too.
fn scan(file: &dyn DiskFile, length: u64, body: &mut Vec<u8>) -> io::Result<Segment> {
    let mut segment = Segment { end: segment::HEADER_BYTES, name_synced: true, ..Segment::default() };
    while let Some(record) = segment::read_record(file, segment.end, length, body)? {
        match record.kind {
            RecordKind::Batch if record.seq <= segment.last_seq => break,
            RecordKind::Batch => {
                segment.last_seq = record.seq;
                segment.batches += 1;
            }
            RecordKind::Context => segment.contexts.push((record.context, segment.end)),
            RecordKind::Other => {}
        }
        segment.end += record.total_bytes();
    }
    Ok(segment)
}

/// The table when its file is lost: every epoch that has segments, without a bound on what was given out.
pub(super) fn rebuilt(held: &[HeldRun]) -> EpochTable {
    let mut rows: Vec<EpochRow> = Vec::new();
    for run in held {
        if rows.last().is_none_or(|row| row.epoch != run.epoch) {
            rows.push(EpochRow::unbounded(run.epoch));
        }
    }
    EpochTable { store: None, rows }
}
