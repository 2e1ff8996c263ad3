//! Cuts a commit's blob into values that fit redb's pages.
//!
//! redb gives a large value a run of 2^n pages of 4 KiB: 2^n bytes exactly would take twice their size, and any size wastes up
//! to half. So pieces end a little below a power of two, or are kept whole where that wastes under a quarter.

use crate::bytes::Bytes;

/// The longest piece: below 64 pages with its key and header.
const PIECE_BYTES_MAX: usize = 261_000;
/// A page run less redb's and our headers.
const PAGE_BYTES: usize = 4_096;
const OVERHEAD_BYTES: usize = 512;
/// Version, flags, following pieces, crc.
const HEADER_BYTES: usize = 8;
const VERSION: u8 = 1;
const FIRST: u8 = 1;

/// How many of `left` bytes the next piece takes.
fn next_length(left: usize) -> usize {
    if left >= PIECE_BYTES_MAX {
        return PIECE_BYTES_MAX;
    }
    let mut room = PAGE_BYTES - OVERHEAD_BYTES;
    let mut smaller = 0;
    while room < left {
        smaller = room;
        room = (room + OVERHEAD_BYTES) * 2 - OVERHEAD_BYTES;
    }
    if smaller == 0 || left * 4 >= room * 3 { left } else { smaller }
}

/// The pieces of a blob as table values, the first under `key`, each further one under the next.
pub(crate) fn cut(key: u64, blob: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let mut rest = blob;
    while !rest.is_empty() || parts.is_empty() {
        let (part, after) = rest.split_at(next_length(rest.len()));
        parts.push(part);
        rest = after;
    }
    let count = parts.len();
    let pieces = parts.iter().enumerate().map(|(place, part)| {
        let following = u16::try_from(count - 1 - place).unwrap_or(u16::MAX);
        let mut value = Vec::with_capacity(HEADER_BYTES + part.len());
        value.extend([VERSION, if place == 0 { FIRST } else { 0 }]);
        value.extend(following.to_le_bytes());
        value.extend(checksum(key + place as u64, &value, part).to_le_bytes());
        value.extend_from_slice(part);
        value
    });
    pieces.collect()
}

/// The key is in it, so that a value cannot stand under another's.
fn checksum(key: u64, head: &[u8], part: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&key.to_le_bytes()), head);
    crc32c::crc32c_append(crc, part)
}

/// Puts pieces together again.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    blob: Vec<u8>,
    /// Keys of the piece that is due and of the last of this blob; `None`: skipping to the next first piece.
    due: Option<u64>,
}

/// What a piece yields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// More pieces follow.
    Part,
    Blob(Vec<u8>),
    /// This piece is damaged; its blob is lost.
    Damaged,
    /// Belongs to a blob of which a piece was damaged.
    Skipped,
    /// Written by a later version.
    Newer(u8),
}

impl Joiner {
    pub(crate) fn push(&mut self, key: u64, value: &[u8]) -> Joined {
        let Some((following, is_first, part)) = parse(key, value) else {
            self.due = None;
            return match value.first() {
                Some(&version) if version > VERSION => Joined::Newer(version),
                _ => Joined::Damaged,
            };
        };
        if is_first {
            self.blob.clear();
        } else if self.due != Some(key) {
            return Joined::Skipped;
        }
        self.blob.extend_from_slice(part);
        self.due = (following > 0).then_some(key + 1);
        if following == 0 { Joined::Blob(std::mem::take(&mut self.blob)) } else { Joined::Part }
    }
}

fn parse(key: u64, value: &[u8]) -> Option<(u16, bool, &[u8])> {
    let mut rest = Bytes(value);
    let (version, flags, following, crc) = (rest.u8()?, rest.u8()?, rest.u16()?, rest.u32()?);
    let whole = version == VERSION && checksum(key, &value[..4], rest.0) == crc;
    whole.then_some((following, flags & FIRST != 0, rest.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_piece_takes_much_more_pages_than_it_fills() {
        for length in [1, 3_000, 4_096, 5_000, 65_536, 131_072, 140_000, 200_000, 262_144, 261_000, 1_000_000] {
            let pieces = cut(9, &vec![7; length]);
            let pages: usize =
                pieces.iter().map(|piece| (piece.len() + 100).div_ceil(PAGE_BYTES).next_power_of_two()).sum();
            let used: usize = pieces.iter().map(Vec::len).sum();
            assert!(pages * PAGE_BYTES <= used * 14 / 10 + 2 * PAGE_BYTES, "{length}: {pages} pages for {used} bytes");
            assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES_MAX + HEADER_BYTES), "{length}");
            let mut joiner = Joiner::default();
            let joined: Vec<_> = pieces.iter().enumerate().map(|(i, piece)| joiner.push(9 + i as u64, piece)).collect();
            assert_eq!(joined.last(), Some(&Joined::Blob(vec![7; length])), "{length}");
        }
    }

    #[test]
    fn a_damaged_piece_loses_its_blob_and_no_other() {
        let mut pieces = cut(1, &vec![1; 600_000]);
        let count = pieces.len() as u64;
        assert!(count > 2);
        pieces.extend(cut(1 + count, b"next"));
        pieces[1][20] ^= 1;
        let mut joiner = Joiner::default();
        let joined: Vec<_> = pieces.iter().enumerate().map(|(i, piece)| joiner.push(1 + i as u64, piece)).collect();
        assert_eq!(joined[..3], [Joined::Part, Joined::Damaged, Joined::Skipped]);
        assert_eq!(joined.last(), Some(&Joined::Blob(b"next".to_vec())));
        pieces[0][0] = 2;
        assert_eq!(joiner.push(1, &pieces[0]), Joined::Newer(2));
    }
}
