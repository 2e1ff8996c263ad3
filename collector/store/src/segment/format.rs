//! The bytes of a segment file, version 1 (LAYOUT.md, "segment"): header, blocks, footer.

use std::path::Path;

use crate::bytes::{Bytes, Squeezer, expand};
use crate::error::FileError;

pub(crate) const MAGIC: [u8; 8] = *b"MUSTSEGM";
pub(crate) const END_MAGIC: [u8; 8] = *b"MUSTSEGE";
pub(crate) const VERSION: u16 = 1;
/// Samples of metrics.
pub(crate) const KIND_METRICS: u8 = 1;
/// Lines, and the collector's own.
pub(crate) const KIND_LOGS: u8 = 2;
pub(crate) const KIND_EVENTS: u8 = 3;
pub(crate) const HEADER_BYTES: usize = 256;
/// Magic, file length.
pub(crate) const FOOTER_BYTES: usize = 16;
/// Plain length, stored length, encoding, crc.
pub(crate) const BLOCK_HEAD_BYTES: usize = 13;
/// The largest plain block that is believed: a series block of 256 label sets of the largest kind.
const BLOCK_PLAIN_MAX: usize = 1 << 30;

/// Samples of one chunk at most.
pub(crate) const CHUNK_SAMPLES_MAX: usize = 1_024;
/// Plain bytes at which a value group ends.
pub(crate) const GROUP_BYTES: usize = 64 << 10;
/// Times at which a time group ends: 64 KiB once decoded.
pub(crate) const GROUP_TIMES: usize = 8 << 10;
/// Series of one series block and of one directory block.
pub(crate) const BLOCK_SERIES: usize = 256;
/// A chunk's first byte: its values follow as 8 little-endian bytes each.
pub(crate) const VALUES_RAW: u8 = 0;
/// A time column's first byte: count, first, then differences of differences.
pub(crate) const TIMES_DELTA: u8 = 0;

/// A section of the file; also part of a cache key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Section {
    Values = 0,
    Times = 1,
    Series = 2,
    Directory = 3,
    Postings = 4,
    Index = 5,
}

pub(crate) const SECTIONS: usize = 6;

/// What the first 256 bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) store_id: [u8; 16],
    /// The generations that it covers, both included.
    pub(crate) lo: u64,
    pub(crate) hi: u64,
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
    pub(crate) series: u64,
    pub(crate) chunks: u64,
    pub(crate) samples: u64,
    /// Samples before those of equal (series, ms) were dropped.
    pub(crate) appended: u64,
    pub(crate) file_bytes: u64,
    /// The UTC day (since 1970) that all samples are of; none: unsplit level 0.
    pub(crate) day: Option<i32>,
    /// Offset and length of each section.
    pub(crate) sections: [(u64, u64); SECTIONS],
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        self.encode_kind(KIND_METRICS)
    }

    /// Of logs: `series` are streams, `chunks` row groups, `samples` lines, `appended` bytes of lines and fields.
    pub(crate) fn encode_kind(&self, kind: u8) -> [u8; HEADER_BYTES] {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend([kind, u8::from(self.day.is_some())]);
        out.extend([0; 4]);
        out.extend(self.store_id);
        for number in [self.lo, self.hi] {
            out.extend(number.to_le_bytes());
        }
        for ms in [self.min_ms, self.max_ms] {
            out.extend(ms.to_le_bytes());
        }
        for number in [self.series, self.chunks, self.samples, self.appended, self.file_bytes] {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.day.unwrap_or(0).to_le_bytes());
        for (offset, length) in self.sections {
            out.extend(offset.to_le_bytes());
            out.extend(length.to_le_bytes());
        }
        let mut bytes = [0; HEADER_BYTES];
        bytes[..out.len()].copy_from_slice(&out);
        let crc = crc32c::crc32c(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    #[cfg(test)]
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES], path: &Path) -> Result<Self, FileError> {
        Self::decode_kind(bytes, path, KIND_METRICS)
    }

    pub(crate) fn decode_kind(bytes: &[u8; HEADER_BYTES], path: &Path, kind: u8) -> Result<Self, FileError> {
        let damaged = || FileError::damaged(path, "the header fails its checksum");
        let mut rest = Bytes(bytes);
        if rest.array() != Some(MAGIC) {
            return Err(FileError::damaged(path, "it does not begin as a segment"));
        }
        let version = rest.u16().ok_or_else(damaged)?;
        let mut plain = *bytes;
        plain[12..16].fill(0);
        // Later versions keep this checksum where it is, so that damage is not taken for a version.
        if crc32c::crc32c(&plain).to_le_bytes() != bytes[12..16] || version == 0 {
            return Err(damaged());
        }
        if version > VERSION {
            return Err(FileError::Version { path: path.display().to_string(), found: version, known: VERSION });
        }
        Self::fields(&mut rest, kind).ok_or_else(damaged)
    }

    fn fields(rest: &mut Bytes<'_>, wanted: u8) -> Option<Self> {
        let (kind, flags, _crc) = (rest.u8()?, rest.u8()?, rest.u32()?);
        let mut header = Self {
            store_id: rest.array()?,
            lo: rest.u64()?,
            hi: rest.u64()?,
            min_ms: rest.i64()?,
            max_ms: rest.i64()?,
            series: rest.u64()?,
            chunks: rest.u64()?,
            samples: rest.u64()?,
            appended: rest.u64()?,
            file_bytes: rest.u64()?,
            day: None,
            sections: [(0, 0); SECTIONS],
        };
        let day = i32::from_le_bytes(rest.array()?);
        header.day = (flags & 1 != 0).then_some(day);
        for section in &mut header.sections {
            *section = (rest.u64()?, rest.u64()?);
        }
        (kind == wanted && header.lo <= header.hi).then_some(header)
    }
}

/// The last 16 bytes: a file that was cut has none.
pub(crate) fn footer(file_bytes: u64) -> [u8; FOOTER_BYTES] {
    let mut bytes = [0; FOOTER_BYTES];
    bytes[..8].copy_from_slice(&END_MAGIC);
    bytes[8..].copy_from_slice(&file_bytes.to_le_bytes());
    bytes
}

/// Appends a block: plain and stored length, encoding (0 plain, 1 zstd where that saves a twentieth), crc, bytes.
pub(crate) fn put_block(plain: &[u8], squeezer: &mut Squeezer, out: &mut Vec<u8>) -> std::io::Result<usize> {
    let start = out.len();
    out.extend([0; BLOCK_HEAD_BYTES]);
    let mut stored = squeezer.squeeze(plain, out)?;
    let encoding = u8::from(stored <= plain.len() - plain.len() / 20);
    if encoding == 0 {
        out.truncate(start + BLOCK_HEAD_BYTES);
        out.extend_from_slice(plain);
        stored = plain.len();
    }
    let length = |bytes: usize| u32::try_from(bytes).map_err(|_| std::io::Error::other("a block of over 4 GiB"));
    let head = &mut out[start..];
    head[..4].copy_from_slice(&length(plain.len())?.to_le_bytes());
    head[4..8].copy_from_slice(&length(stored)?.to_le_bytes());
    head[8] = encoding;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head[..9]), &head[BLOCK_HEAD_BYTES..]);
    head[9..13].copy_from_slice(&crc.to_le_bytes());
    Ok(out.len() - start)
}

/// The plain bytes of a block; `None`: its checksum or a length is wrong.
pub(crate) fn open_block(block: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Bytes(block);
    let (plain, stored) = (rest.u32()? as usize, rest.u32()? as usize);
    let (encoding, crc) = (rest.u8()?, rest.u32()?);
    if rest.0.len() != stored || crc32c::crc32c_append(crc32c::crc32c(&block[..9]), rest.0) != crc {
        return None;
    }
    match encoding {
        0 if plain == stored => Some(rest.0.to_vec()),
        1 if plain <= BLOCK_PLAIN_MAX => expand(rest.0, plain),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_header_is_found() {
        let header = Header {
            store_id: [7; 16],
            lo: 3,
            hi: 9,
            min_ms: -5,
            max_ms: 77,
            series: 1,
            chunks: 2,
            samples: 3,
            appended: 4,
            file_bytes: 999,
            day: Some(19_000),
            sections: [(256, 10), (266, 20), (286, 1), (287, 1), (288, 1), (289, 1)],
        };
        let bytes = header.encode();
        let path = Path::new("x.seg");
        assert_eq!(Header::decode(&bytes, path).unwrap(), header);
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&flipped, path).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn blocks_read_back_whole_or_not_at_all() {
        let mut squeezer = Squeezer::new().unwrap();
        let noise: Vec<u8> = (0..1000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for plain in [vec![], vec![1; 5000], noise] {
            let mut block = Vec::new();
            assert_eq!(put_block(&plain, &mut squeezer, &mut block).unwrap(), block.len());
            assert_eq!(open_block(&block), Some(plain));
            for at in 0..block.len() {
                let mut flipped = block.clone();
                flipped[at] ^= 0x10;
                assert_eq!(open_block(&flipped), None, "byte {at}");
                assert_eq!(open_block(&block[..at]), None, "cut at {at}");
            }
        }
    }
}
