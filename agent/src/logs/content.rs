//! The bytes of a source, plain or unpacked, and what identifies them: a fingerprint of the beginning and a hash before an offset.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use muster_common::wire::message::SourceId;
use xxhash_rust::xxh3::xxh3_64;

use super::files::Files;
use super::kept::Kept;

/// Bytes of a fingerprint: with fewer, logs with a long common head look alike.
pub(super) const FINGERPRINT_BYTES: usize = 1_024;
/// Bytes hashed before an offset (WIRE.md: `tail_hash`).
pub(super) const TAIL_BYTES: usize = 64;

/// Unpacked bytes that are kept to go back: more than one read of a source takes.
const WINDOW_BYTES: usize = 640 << 10;

/// How far a source is read or committed, and what must stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) source: SourceId,
    pub(super) offset: u64,
    /// xxh3-64 of up to 64 bytes before `offset`.
    pub(super) tail_hash: u64,
}

/// The hash before `to`, of bytes that end there.
pub(super) fn tail_hash(before: &[u8]) -> u64 {
    xxh3_64(&before[before.len().saturating_sub(TAIL_BYTES)..])
}

/// Hash and length of a file's beginning, or `None` while it has nothing that lasts: bytes of zero at the end are those of a
/// preallocated file, which will be written over.
pub(super) fn fingerprint(beginning: &[u8]) -> Option<(u64, u16)> {
    let beginning = &beginning[..beginning.len().min(FINGERPRINT_BYTES)];
    let length = beginning.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let length = if length == 0 && beginning.len() == FINGERPRINT_BYTES { FINGERPRINT_BYTES } else { length };
    (length > 0).then(|| (xxh3_64(&beginning[..length]), u16::try_from(length).unwrap_or(u16::MAX)))
}

/// An open source.
pub(super) enum Content<F: Files> {
    Plain(F::Handle),
    Packed(Box<Packed<F>>),
    /// What is left of a file that is gone or cut.
    Kept(Box<Kept>),
}

/// A compressed file, read forward; going back starts it over.
pub(super) struct Packed<F: Files> {
    decoder: Option<MultiGzDecoder<Raw<F>>>,
    /// Unpacked bytes so far, and the last of them: a reader goes back over a line that is not whole, and must not start over for it.
    at: u64,
    window: Vec<u8>,
}

struct Raw<F: Files> {
    files: F,
    handle: F::Handle,
    at: u64,
}

impl<F: Files> Read for Raw<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.files.read_at(&self.handle, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl<F: Files + Clone> Content<F> {
    pub(super) fn new(files: &F, handle: F::Handle, is_gz: bool) -> Self {
        if is_gz {
            let raw = Raw { files: files.clone(), handle, at: 0 };
            Self::Packed(Box::new(Packed { decoder: Some(MultiGzDecoder::new(raw)), at: 0, window: Vec::new() }))
        } else {
            Self::Plain(handle)
        }
    }

    pub(super) fn is_packed(&self) -> bool {
        matches!(self, Self::Packed(_))
    }

    pub(super) fn kept(&self) -> Option<&Kept> {
        match self {
            Self::Kept(kept) => Some(kept),
            Self::Plain(_) | Self::Packed(_) => None,
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept().is_some()
    }

    /// The size of the file now, where that can be told.
    pub(super) fn size(&self, files: &F) -> Option<u64> {
        match self {
            Self::Plain(handle) => files.stat_of(handle).ok().map(|stat| stat.size),
            Self::Packed(_) | Self::Kept(_) => None,
        }
    }

    /// Bytes from `offset`, fewer than asked only at the end.
    ///
    /// # Errors
    /// As the file system, or what is wrong with the compressed bytes.
    pub(super) fn read_at(&mut self, files: &F, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Plain(handle) => files.read_at(handle, buffer, offset),
            Self::Packed(packed) => packed.read_at(buffer, offset),
            Self::Kept(kept) => kept.read_at(buffer, offset),
        }
    }

    /// Whether this is the content of the mark: the same beginning, at least as long, the same bytes before the offset.
    ///
    /// # Errors
    /// As [`Content::read_at`].
    pub(super) fn matches(&mut self, files: &F, mark: &Mark) -> io::Result<bool> {
        let mut beginning = [0; FINGERPRINT_BYTES];
        let length = usize::from(mark.source.fingerprint_bytes).min(FINGERPRINT_BYTES);
        let beginning = &mut beginning[..length];
        if self.read_at(files, beginning, 0)? < length || xxh3_64(beginning) != mark.source.fingerprint {
            return Ok(false);
        }
        Ok(self.hash_before(files, mark.offset)? == Some(mark.tail_hash))
    }

    /// The hash before `offset`; `None` when there are fewer bytes.
    ///
    /// # Errors
    /// As [`Content::read_at`].
    pub(super) fn hash_before(&mut self, files: &F, offset: u64) -> io::Result<Option<u64>> {
        let mut tail = [0; TAIL_BYTES];
        let lead = usize::try_from(offset).unwrap_or(usize::MAX).min(TAIL_BYTES);
        let tail = &mut tail[..lead];
        let count = self.read_at(files, tail, offset - lead as u64)?;
        Ok((count == lead).then(|| tail_hash(tail)))
    }
}

impl<F: Files> Packed<F> {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = self.at - self.window.len() as u64;
        if offset < start
            && let Some(decoder) = self.decoder.take()
        {
            let mut raw = decoder.into_inner();
            raw.at = 0;
            self.decoder = Some(MultiGzDecoder::new(raw));
            self.at = 0;
            self.window.clear();
        }
        let end = offset.saturating_add(buffer.len() as u64);
        while self.at < end && self.advance()? > 0 {}
        let start = self.at - self.window.len() as u64;
        let from = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX).min(self.window.len());
        let count = buffer.len().min(self.window.len() - from);
        buffer[..count].copy_from_slice(&self.window[from..from + count]);
        Ok(count)
    }

    /// Unpacks some more bytes; 0: there are none.
    fn advance(&mut self) -> io::Result<usize> {
        let Some(decoder) = &mut self.decoder else { return Ok(0) };
        let mut more = [0; 16 << 10];
        let count = decoder.read(&mut more)?;
        self.at += count as u64;
        self.window.extend_from_slice(&more[..count]);
        if self.window.len() > 2 * WINDOW_BYTES {
            self.window.drain(..self.window.len() - WINDOW_BYTES);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::memory::MemoryFiles;
    use std::io::Write;
    use std::path::Path;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn mark(bytes: &[u8], fingerprint_bytes: usize, offset: usize) -> Mark {
        let (fingerprint, fingerprint_bytes) = fingerprint(&bytes[..fingerprint_bytes]).unwrap();
        let source =
            SourceId { device: 1, inode: 1, fingerprint, fingerprint_bytes, incarnation: 0, path: "/a".into() };
        Mark { source, offset: offset as u64, tail_hash: tail_hash(&bytes[..offset]) }
    }

    #[test]
    fn plain_and_packed_bytes_are_known_by_beginning_and_tail() {
        let files = MemoryFiles::default();
        let bytes: Vec<u8> = (0..20_000u32).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        files.write("/a", &bytes);
        files.write("/a.gz", &packed(&bytes));
        for (path, is_gz) in [("/a", false), ("/a.gz", true)] {
            let mut content = Content::new(&files, files.open(Path::new(path)).unwrap(), is_gz);
            assert!(content.matches(&files, &mark(&bytes, 1_024, 100_000)).unwrap(), "{path}");
            assert!(content.matches(&files, &mark(&bytes, 10, bytes.len())).unwrap(), "{path}");
            let mut longer = mark(&bytes, 10, 5_000);
            longer.offset = bytes.len() as u64 + 1;
            assert!(!content.matches(&files, &longer).unwrap(), "{path}");
            let mut other = mark(&bytes, 1_024, 5_000);
            other.tail_hash ^= 1;
            assert!(!content.matches(&files, &other).unwrap(), "{path}");
            let mut buffer = [0; 7];
            assert_eq!(content.read_at(&files, &mut buffer, 21).unwrap(), 7);
            assert_eq!(buffer, bytes[21..28], "going back works too");
        }
    }

    #[test]
    fn damaged_packed_bytes_are_an_error_and_no_panic() {
        let files = MemoryFiles::default();
        let good = packed(&b"line\n".repeat(500));
        for cut in [0, 1, 5, 11, good.len() / 2, good.len() - 1] {
            files.replace("/b.gz", &good[..cut]);
            let mut content = Content::new(&files, files.open(Path::new("/b.gz")).unwrap(), true);
            let mut buffer = vec![0; 4_000];
            let result = content.read_at(&files, &mut buffer, 0);
            assert!(result.is_err() || result.unwrap() < 2_500, "cut at {cut}");
        }
    }

    #[test]
    fn zeros_at_the_end_are_no_part_of_a_fingerprint() {
        assert_eq!(fingerprint(b"abc\0\0\0"), fingerprint(b"abc"));
        assert_eq!((fingerprint(b""), fingerprint(&[0; 100])), (None, None));
        assert!(fingerprint(&[0; 2_000]).is_some(), "a hole at the beginning");
    }
}
