//! One page of a token map (FORMAT.md): hashes that rise, each with the groups that have such a token.

use crate::bytes::{put_varint, take_varint};

/// Plain bytes at which a page ends: one read, and a few microseconds to walk.
pub(crate) const PAGE_BYTES: usize = 4_096;

/// Writes one page.
#[derive(Default)]
pub(crate) struct PageWriter {
    pub(crate) bytes: Vec<u8>,
    last: u64,
}

impl PageWriter {
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= PAGE_BYTES
    }

    /// Adds a hash above the last one, with its groups, which rise and lie below `groups_total`.
    pub(crate) fn push(&mut self, hash: u64, groups: &[u32], groups_total: u32) {
        // The first stands as it is: no hash is before it.
        put_varint(&mut self.bytes, hash - self.last);
        self.last = hash;
        match *groups {
            [only] => put_varint(&mut self.bytes, u64::from(only) << 1),
            // A varint list takes at least a byte a group, a bitmap a bit of all.
            _ if groups.len() > bitmap_bytes(groups_total) => {
                put_varint(&mut self.bytes, 1);
                let start = self.bytes.len();
                self.bytes.resize(start + bitmap_bytes(groups_total), 0);
                for &group in groups {
                    self.bytes[start + group as usize / 8] |= 1 << (group % 8);
                }
            }
            _ => {
                put_varint(&mut self.bytes, (groups.len() as u64) << 1 | 1);
                let mut before = 0;
                for &group in groups {
                    put_varint(&mut self.bytes, u64::from(group - before));
                    before = group;
                }
            }
        }
    }
}

const fn bitmap_bytes(groups_total: u32) -> usize {
    groups_total.div_ceil(8) as usize
}

/// Reads a page entry by entry.
pub struct Page<'a> {
    rest: &'a [u8],
    groups_total: u32,
    last: Option<u64>,
}

impl<'a> Page<'a> {
    /// `groups_total`: row groups of the segment, as its writer had them.
    pub fn new(bytes: &'a [u8], groups_total: u32) -> Self {
        Self { rest: bytes, groups_total, last: None }
    }

    /// The next hash, its groups put into `groups`; `Ok(None)` at the end.
    ///
    /// # Errors
    /// `Err(())`: the bytes are no page.
    #[expect(clippy::result_unit_err, reason = "there is one way to be wrong, and the caller names file and place")]
    pub fn next(&mut self, groups: &mut Vec<u32>) -> Result<Option<u64>, ()> {
        groups.clear();
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.take(groups).map(Some).ok_or(())
    }

    fn take(&mut self, groups: &mut Vec<u32>) -> Option<u64> {
        let step = take_varint(&mut self.rest)?;
        let hash = match self.last {
            None => step,
            Some(last) => last.checked_add(step).filter(|_| step > 0)?,
        };
        (hash < 1 << crate::HASH_BITS).then_some(())?;
        self.last = Some(hash);
        let head = take_varint(&mut self.rest)?;
        let group = |number: u64| u32::try_from(number).ok().filter(|&number| number < self.groups_total);
        if head & 1 == 0 {
            groups.push(group(head >> 1)?);
        } else if head == 1 {
            let (bits, rest) = self.rest.split_at_checked(bitmap_bytes(self.groups_total))?;
            self.rest = rest;
            for (place, &byte) in bits.iter().enumerate() {
                for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
                    groups.push(group((place * 8 + bit) as u64)?);
                }
            }
        } else {
            let count = usize::try_from(head >> 1).ok().filter(|&count| count <= self.rest.len())?;
            let mut before = 0u64;
            for place in 0..count {
                let step = take_varint(&mut self.rest)?;
                before = before.checked_add(step).filter(|_| step > 0 || place == 0)?;
                groups.push(group(before)?);
            }
        }
        Some(hash)
    }
}

/// The groups of one hash in a page; empty: it is not there; `None`: the bytes are no page.
pub fn groups_of(page: &[u8], hash: u64, groups_total: u32) -> Option<Vec<u32>> {
    let (mut page, mut groups) = (Page::new(page, groups_total), Vec::new());
    loop {
        match page.next(&mut groups) {
            Ok(Some(found)) if found < hash => {}
            Ok(Some(found)) if found == hash => return Some(groups),
            Ok(_) => return Some(Vec::new()),
            Err(()) => return None,
        }
    }
}
