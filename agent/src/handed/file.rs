//! The bytes of one file (`agent/SPOOL.md`, "handed"): a head under its checksum, then the report as a whole frame of lane p0, under no place.

use std::sync::Arc;

use muster_common::limits::FRAME_PAYLOAD_BYTES_MAX;
use muster_common::wire::frame::{self, EncodeError, Frame, FrameReader, HEAD_BYTES};
use muster_common::wire::message::{Epoch, Lane, Message, Report, ReportBatch};

/// Bytes before the frame.
pub const FILE_HEAD_BYTES: usize = 32;
/// The largest file there can be.
pub const FILE_BYTES_MAX: usize = FILE_HEAD_BYTES + HEAD_BYTES + FRAME_PAYLOAD_BYTES_MAX;

const MAGIC: [u8; 8] = *b"MSTRHND\0";
const VERSION: u16 = 1;
/// Frames are made under this place; the session gives each its own.
const UNPLACED: Epoch = Epoch([0xff; 16]);

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// When what it tells of was, ms since 1970.
    pub at_ms: i64,
    pub frame: Arc<[u8]>,
}

/// Why a file is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("it is no report that was handed over")]
    Foreign,
    #[error("it is of version {0}, and this agent knows version {VERSION}")]
    Version(u16),
    #[error("it is cut or damaged")]
    Damaged,
}

/// The file of a report.
///
/// # Errors
/// [`EncodeError`] when the report breaks a rule of its fields or does not fit a frame.
pub fn encode(at_ms: i64, report: Report) -> Result<Vec<u8>, EncodeError> {
    let batch = ReportBatch { reports: vec![report], extensions: Vec::new() };
    let frame = frame::encode(&Frame::batch(Lane::P0, UNPLACED, 1, Message::Reports(batch)))?;
    let mut bytes = Vec::with_capacity(FILE_HEAD_BYTES + frame.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    // A frame's length is bounded far below u32::MAX.
    bytes.extend_from_slice(&u32::try_from(frame.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&at_ms.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes), &frame);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(&frame);
    Ok(bytes)
}

/// What these bytes hold, all of them.
///
/// # Errors
/// [`Damage`] for anything that [`encode`] did not write.
pub fn decode(bytes: &[u8]) -> Result<Content, Damage> {
    let (head, frame) = bytes.split_at_checked(FILE_HEAD_BYTES).ok_or(Damage::Foreign)?;
    if head[..8] != MAGIC {
        return Err(Damage::Foreign);
    }
    let version = u16::from_le_bytes([head[8], head[9]]);
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head[..28]), frame);
    let length = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
    if crc.to_le_bytes() != head[28..32] || length as usize != frame.len() {
        return Err(Damage::Damaged);
    }
    let at_ms = head[16..24].try_into().map_or(0, i64::from_le_bytes);
    let mut reader = FrameReader::new();
    reader.push(frame);
    let whole = matches!(reader.next(), Ok(Some(Frame { message: Message::Reports(_), lane: Some(Lane::P0), .. })));
    if whole { Ok(Content { at_ms, frame: frame.into() }) } else { Err(Damage::Damaged) }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use muster_common::wire::message::{CheckDefinition, CheckReport};

    use super::*;

    pub(crate) fn report(check: &str, at_ms: i64) -> Report {
        Report::Check(CheckReport {
            at_ms,
            check: check.to_owned(),
            state: 0,
            output: "exit code 0 after 1.500s".to_owned(),
            long_output: "done".to_owned(),
            perfdata: Vec::new(),
            duration_ms: 1_500,
            definition: CheckDefinition {
                kind: 2,
                interval_ms: 86_400_000,
                retry_ms: 0,
                max_attempts: 1,
                ttl_ms: 90_000_000,
                volatile: false,
                parents: Vec::new(),
                labels: Vec::new(),
                remedy: String::new(),
            },
        })
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests alone")]
    fn files_of_version_1_are_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/handed/testdata/report.v1");
        let bytes = encode(1_700_000_000_000, report("backup", 1_700_000_000_000)).unwrap();
        if std::env::var("UPDATE_GOLDEN").is_ok() {
            std::fs::write(&path, &bytes).unwrap();
        }
        let golden = std::fs::read(path).unwrap();
        let content = decode(&golden).unwrap();
        assert_eq!((content.at_ms, &content), (1_700_000_000_000, &decode(&bytes).unwrap()));
    }

    #[test]
    fn every_changed_or_missing_byte_is_seen() {
        let bytes = encode(5, report("backup", 5)).unwrap();
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(decode(&changed).is_err(), "byte {at}");
        }
        let mut newer = bytes;
        newer[8] = 2;
        assert_eq!(decode(&newer), Err(Damage::Version(2)));
        assert_eq!(decode(b"some text of somebody else's"), Err(Damage::Foreign));
    }
}
