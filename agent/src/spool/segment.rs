//! One spool file: a header, then records, each under its own checksum. `agent/SPOOL.md` says it byte by byte.

use std::io;

use muster_common::disk::DiskFile;
use muster_common::host::HostId;
use muster_common::limits::FRAME_PAYLOAD_BYTES_MAX;
use muster_common::wire::message::{Epoch, Lane};

/// A segment's size at most: small enough that an ack soon frees one, large enough that 1 GiB is 256 files.
pub const SEGMENT_BYTES_MAX: u64 = 4 << 20;
pub const HEADER_BYTES: u64 = 64;
pub const RECORD_HEAD_BYTES: usize = 40;
/// A record's body: one frame, header included, with room for a later header.
pub const BODY_BYTES_MAX: usize = FRAME_PAYLOAD_BYTES_MAX + 1024;

const MAGIC: [u8; 8] = *b"MSTRSPL\0";
const VERSION: u16 = 1;
const KIND_BATCH: u8 = 1;
const KIND_CONTEXT: u8 = 2;

/// What a segment's first 64 bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub lane: Lane,
    pub host: HostId,
    pub epoch: Epoch,
    /// No batch in it has a lower seq.
    pub first_seq: u64,
    pub created_ms: i64,
}

/// A record's kind. Kinds that this version does not know are stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    Batch,
    Context,
    Other,
}

/// A record without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub kind: RecordKind,
    /// The id of the context it is, or that its batch names.
    pub context: u32,
    /// 0 for a context.
    pub seq: u64,
    pub from_ms: i64,
    pub to_ms: i64,
    pub body_bytes: u32,
}

impl Record {
    /// Bytes of the record with its head.
    pub fn total_bytes(&self) -> u64 {
        RECORD_HEAD_BYTES as u64 + u64::from(self.body_bytes)
    }
}

/// The name of a segment's file: sorts by lane, creation of its epoch, seq.
pub fn file_name(lane: Lane, epoch: Epoch, first_seq: u64) -> String {
    let hex: String = epoch.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("p{}-{hex}-{first_seq:016x}.spool", lane as u8)
}

/// Whether a name is one that [`file_name`] makes.
pub fn is_file_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() == 58 && bytes[0] == b'p' && bytes[2] == b'-' && bytes[35] == b'-' && name.ends_with(".spool")
}

pub fn encode_header(header: &Header, into: &mut Vec<u8>) {
    let start = into.len();
    into.extend_from_slice(&MAGIC);
    into.extend_from_slice(&VERSION.to_le_bytes());
    into.extend_from_slice(&[header.lane as u8, 0]);
    into.extend_from_slice(&header.host.0);
    into.extend_from_slice(&header.epoch.0);
    into.extend_from_slice(&header.first_seq.to_le_bytes());
    into.extend_from_slice(&header.created_ms.to_le_bytes());
    let crc = crc32c::crc32c(&into[start..]);
    into.extend_from_slice(&crc.to_le_bytes());
}

/// `None` for anything that [`encode_header`] did not write.
pub fn decode_header(bytes: &[u8; HEADER_BYTES as usize]) -> Option<Header> {
    let (body, crc) = bytes.split_at(60);
    if crc != crc32c::crc32c(body).to_le_bytes() || body[..8] != MAGIC || body[8..10] != VERSION.to_le_bytes() {
        return None;
    }
    Some(Header {
        lane: Lane::from_u8(body[10])?,
        host: HostId(body[12..28].try_into().ok()?),
        epoch: Epoch(body[28..44].try_into().ok()?),
        first_seq: u64::from_le_bytes(body[44..52].try_into().ok()?),
        created_ms: i64::from_le_bytes(body[52..60].try_into().ok()?),
    })
}

/// Appends a batch's record.
pub fn encode_batch(context: u32, seq: u64, from_ms: i64, to_ms: i64, frame: &[u8], into: &mut Vec<u8>) {
    encode_record(KIND_BATCH, context, seq, (from_ms, to_ms), frame, into);
}

/// Appends a context's record.
pub fn encode_context(context: u32, frame: &[u8], into: &mut Vec<u8>) {
    encode_record(KIND_CONTEXT, context, 0, (0, 0), frame, into);
}

fn encode_record(kind: u8, context: u32, seq: u64, (from_ms, to_ms): (i64, i64), frame: &[u8], into: &mut Vec<u8>) {
    let start = into.len();
    // Frames are bounded far below u32::MAX; a longer one would be refused by its own reader.
    into.extend_from_slice(&u32::try_from(frame.len()).unwrap_or(u32::MAX).to_le_bytes());
    into.extend_from_slice(&[0; 4]);
    into.extend_from_slice(&[kind, 0, 0, 0]);
    into.extend_from_slice(&context.to_le_bytes());
    into.extend_from_slice(&seq.to_le_bytes());
    into.extend_from_slice(&from_ms.to_le_bytes());
    into.extend_from_slice(&to_ms.to_le_bytes());
    into.extend_from_slice(frame);
    let crc = crc32c::crc32c(&into[start..]);
    into[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the record at `offset` of a file that is good up to `end`; its body goes to `body`.
/// `Ok(None)`: there is no whole, undamaged record here; what follows is not to be trusted either.
///
/// # Errors
/// As the disk.
pub fn read_record(file: &dyn DiskFile, offset: u64, end: u64, body: &mut Vec<u8>) -> io::Result<Option<Record>> {
    if offset.saturating_add(RECORD_HEAD_BYTES as u64) > end {
        return Ok(None);
    }
    let mut head = [0; RECORD_HEAD_BYTES];
    file.pread(&mut head, offset)?;
    let u32_at = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    let i64_at = |at: usize| i64::from_le_bytes(u64_at(at).to_le_bytes());
    let record = Record {
        kind: match head[8] {
            KIND_BATCH => RecordKind::Batch,
            KIND_CONTEXT => RecordKind::Context,
            _ => RecordKind::Other,
        },
        context: u32_at(12),
        seq: u64_at(16),
        from_ms: i64_at(24),
        to_ms: i64_at(32),
        body_bytes: u32_at(0),
    };
    let length = record.body_bytes as usize;
    if length > BODY_BYTES_MAX || offset.saturating_add(record.total_bytes()) > end {
        return Ok(None);
    }
    body.clear();
    body.resize(length, 0);
    file.pread(body, offset + RECORD_HEAD_BYTES as u64)?;
    let told = u32_at(4);
    head[4..8].fill(0);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head), body);
    Ok((crc == told).then_some(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_and_damaged_ones_do_not() {
        let header =
            Header { lane: Lane::P1, host: HostId([7; 16]), epoch: Epoch::new(5, 6), first_seq: 9, created_ms: -3 };
        let mut bytes = Vec::new();
        encode_header(&header, &mut bytes);
        let mut bytes: [u8; 64] = bytes.try_into().unwrap();
        assert_eq!(decode_header(&bytes), Some(header));
        for at in 0..bytes.len() {
            bytes[at] ^= 0x10;
            assert_eq!(decode_header(&bytes), None, "byte {at}");
            bytes[at] ^= 0x10;
        }
    }

    #[test]
    fn names_sort_by_lane_then_creation_then_seq() {
        let name = |ms, seq| file_name(Lane::P1, Epoch::new(ms, 1), seq);
        let mut names = vec![name(2, 1), name(1, 300), name(1, 2), file_name(Lane::P0, Epoch::new(9, 9), 9)];
        names.sort();
        assert_eq!(names, [file_name(Lane::P0, Epoch::new(9, 9), 9), name(1, 2), name(1, 300), name(2, 1)]);
        assert!(names.iter().all(|name| is_file_name(name)));
        assert!(!is_file_name("epochs") && !is_file_name("p1-x.spool"));
    }
}
