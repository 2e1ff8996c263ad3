//! The 42 bytes before every payload.

use super::error::FrameError;
use super::kind::Carries;
use super::message::{Epoch, FrameKind, Lane};
use crate::limits::FRAME_PAYLOAD_BYTES_MAX;

/// Bytes of a header.
pub const HEAD_BYTES: usize = 42;
/// What every frame begins with.
pub const MAGIC: [u8; 2] = *b"Mu";
/// The frame format of protocol 1.
pub const FORMAT: u8 = 1;
/// Flag bit 0: the payload is one zstd frame.
pub const FLAG_ZSTD: u8 = 1;
/// The lane byte of frames without a lane.
pub const LANE_NONE: u8 = 0xff;

const CRC_AT: usize = 14;

/// A header's fields, checked: kind known, lengths within their limits, lane, epoch and seq as the kind wants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub kind: FrameKind,
    pub flags: u8,
    pub lane: Option<Lane>,
    /// Bytes after the header.
    pub payload_len: u32,
    /// Bytes of the body after decompression.
    pub raw_len: u32,
    /// CRC-32C of the header with this field as zero, then of the payload.
    pub crc: u32,
    pub epoch: Epoch,
    pub seq: u64,
}

/// Reads and checks a header, before anything is allocated for its payload.
///
/// # Errors
/// Every [`FrameError`] but checksum and content; all of them end the session.
pub fn decode_head(bytes: &[u8; HEAD_BYTES]) -> Result<Head, FrameError> {
    let magic = [bytes[0], bytes[1]];
    if magic != MAGIC {
        return Err(FrameError::Magic { found: magic });
    }
    if bytes[2] != FORMAT {
        return Err(FrameError::Format { found: bytes[2] });
    }
    let kind = FrameKind::from_u8(bytes[3]).ok_or(FrameError::Kind { number: bytes[3] })?;
    let flags = bytes[4];
    if flags & !FLAG_ZSTD != 0 {
        return Err(FrameError::Flags { kind, flags });
    }
    let lane = match bytes[5] {
        LANE_NONE => None,
        number => Some(Lane::from_u8(number).ok_or(FrameError::Head { kind, problem: "its lane is unknown" })?),
    };
    let head = Head {
        kind,
        flags,
        lane,
        payload_len: u32::from_le_bytes(array(bytes, 6)),
        raw_len: u32::from_le_bytes(array(bytes, 10)),
        crc: u32::from_le_bytes(array(bytes, CRC_AT)),
        epoch: Epoch(array(bytes, 18)),
        seq: u64::from_le_bytes(array(bytes, 34)),
    };
    head.check_lengths()?;
    check_place(kind, lane, head.epoch, head.seq).map_err(|problem| FrameError::Head { kind, problem })?;
    Ok(head)
}

/// Whether lane, epoch and seq are what this kind carries.
pub(super) fn check_place(kind: FrameKind, lane: Option<Lane>, epoch: Epoch, seq: u64) -> Result<(), &'static str> {
    match kind.carries() {
        Carries::Nothing if lane.is_some() => Err("it names a lane, but its kind has none"),
        Carries::Nothing if epoch != Epoch::NONE || seq != 0 => {
            Err("it names an epoch or a seq, but its kind has none")
        }
        Carries::Context if lane != Some(Lane::P1) => Err("its kind goes on lane p1"),
        Carries::Context if seq != 0 => Err("a context has no seq"),
        Carries::Batch(None) if lane.is_none() => Err("its kind needs a lane"),
        Carries::Batch(Some(wanted)) if lane != Some(wanted) => Err("its kind goes on another lane"),
        Carries::Batch(_) if seq == 0 => Err("seqs begin at 1"),
        Carries::Context | Carries::Batch(_) if epoch == Epoch::NONE => Err("its epoch is missing"),
        _ => Ok(()),
    }
}

impl Head {
    /// The bytes of this header.
    pub fn to_bytes(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2] = FORMAT;
        bytes[3] = self.kind.number();
        bytes[4] = self.flags;
        bytes[5] = self.lane.map_or(LANE_NONE, |lane| lane as u8);
        bytes[6..10].copy_from_slice(&self.payload_len.to_le_bytes());
        bytes[10..14].copy_from_slice(&self.raw_len.to_le_bytes());
        bytes[14..18].copy_from_slice(&self.crc.to_le_bytes());
        bytes[18..34].copy_from_slice(&self.epoch.0);
        bytes[34..42].copy_from_slice(&self.seq.to_le_bytes());
        bytes
    }

    /// Header and payload in bytes.
    pub const fn frame_bytes(&self) -> usize {
        HEAD_BYTES + self.payload_len as usize
    }

    pub(super) const fn lane_name(&self) -> &'static str {
        match self.lane {
            None => "none",
            Some(Lane::P0) => "p0",
            Some(Lane::P1) => "p1",
            Some(Lane::P2) => "p2",
        }
    }

    fn check_lengths(&self) -> Result<(), FrameError> {
        let (kind, payload, raw) = (self.kind, self.payload_len as usize, self.raw_len as usize);
        if payload > FRAME_PAYLOAD_BYTES_MAX {
            return Err(FrameError::TooLarge { kind, what: "a payload", bytes: payload, max: FRAME_PAYLOAD_BYTES_MAX });
        }
        if raw > kind.plain_bytes_max() {
            return Err(FrameError::TooLarge { kind, what: "a body", bytes: raw, max: kind.plain_bytes_max() });
        }
        if self.flags & FLAG_ZSTD == 0 && payload != raw {
            return Err(FrameError::Head { kind, problem: "it is not compressed, but its two lengths differ" });
        }
        Ok(())
    }
}

/// CRC-32C (Castagnoli) of a header with its crc field as zero, then of the payload.
pub fn checksum(head_bytes: &[u8; HEAD_BYTES], payload: &[u8]) -> u32 {
    let mut head = *head_bytes;
    head[CRC_AT..CRC_AT + 4].fill(0);
    crc32c::crc32c_append(crc32c::crc32c(&head), payload)
}

fn array<const N: usize>(bytes: &[u8; HEAD_BYTES], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}
