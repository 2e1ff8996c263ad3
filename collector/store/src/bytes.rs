//! Small pieces of byte work: LEB128 numbers, a reader that cannot run past its end, zstd with contexts that are reused.

use std::io;

use zstd::bulk::{Compressor, Decompressor};

/// zstd's level for everything the store writes: decoding dominates, and level 3 halves the speed for a tenth of the size.
const LEVEL: i32 = 1;

pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_varint(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Appends the values as 8 little-endian bytes each.
pub(crate) fn put_values(out: &mut Vec<u8>, values: &[f64]) {
    let start = out.len();
    out.resize(start + values.len() * 8, 0);
    for (bytes, value) in out[start..].chunks_exact_mut(8).zip(values) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
}

/// The values of bytes that [`put_values`] wrote.
pub(crate) fn values(bytes: &[u8]) -> impl Iterator<Item = f64> + '_ {
    let (whole, _) = bytes.as_chunks::<8>();
    whole.iter().map(|bytes| f64::from_le_bytes(*bytes))
}

/// Reads from the front; `None` once there is not enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return (shift < 63 || byte < 2).then_some(number);
            }
        }
        None
    }

    pub(crate) fn varint_u32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    /// A count of things that each take at least one byte of what is left: what a damaged count could make us allocate.
    pub(crate) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok().filter(|&count| count <= self.0.len())
    }

    pub(crate) fn signed(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Compresses with one context after another.
pub(crate) struct Squeezer(Compressor<'static>);

impl Squeezer {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Compressor::new(LEVEL)?))
    }

    /// Appends the compressed form of `plain` and answers its length.
    pub(crate) fn squeeze(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let start = out.len();
        out.resize(start + zstd::zstd_safe::compress_bound(plain.len()), 0);
        let written = self.0.compress_to_buffer(plain, &mut out[start..])?;
        out.truncate(start + written);
        Ok(written)
    }
}

/// Decompresses what must come to exactly `plain_bytes`; `None`: it does not.
pub(crate) fn expand(squeezed: &[u8], plain_bytes: usize) -> Option<Vec<u8>> {
    // A context a thread: making one costs more than a small block.
    thread_local! {
        static CONTEXT: std::cell::RefCell<Option<Decompressor<'static>>> = const { std::cell::RefCell::new(None) };
    }
    // zstd's best ratio is near 1:4,000 on whole blocks of one byte; beyond that the length is a lie.
    if plain_bytes > squeezed.len().saturating_mul(50_000) {
        return None;
    }
    CONTEXT.with_borrow_mut(|context| {
        if context.is_none() {
            *context = Decompressor::new().ok();
        }
        let mut plain = Vec::with_capacity(plain_bytes);
        context.as_mut()?.decompress_to_buffer(squeezed, &mut plain).ok()?;
        (plain.len() == plain_bytes).then_some(plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_and_cut_ones_are_none() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(Bytes(&out).varint(), Some(number));
            assert_eq!(Bytes(&out[..out.len() - 1]).varint(), None);
        }
        for number in [0, -1, 1, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            put_signed(&mut out, number);
            assert_eq!(Bytes(&out).signed(), Some(number));
        }
        assert_eq!(Bytes(&[0xff; 11]).varint(), None);
        assert_eq!(Bytes(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]).varint(), None);
    }

    #[test]
    fn squeezed_bytes_expand_to_the_told_length_only() {
        let mut out = vec![7];
        let length = Squeezer::new().unwrap().squeeze(&[1; 5000], &mut out).unwrap();
        assert_eq!((out[0], out.len()), (7, 1 + length));
        assert_eq!(expand(&out[1..], 5000), Some(vec![1; 5000]));
        assert_eq!(expand(&out[1..], 4999), None);
        assert_eq!(expand(&out[1..], 5001), None);
    }
}
