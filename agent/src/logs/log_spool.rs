//! Files of the spool that hold bytes of logs: what is neither acknowledged nor to be read again elsewhere. `agent/SPOOL.md` says them byte by byte.
//!
//! A file holds one range of one source. It is written whole, synced, renamed to its name, never appended to, and removed when the collector
//! has it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::{Disk, Open, Space};
use muster_common::wire::message::SourceId;

use super::content::FINGERPRINT_BYTES;
use super::kept::{Body, Kept};
use crate::spool::limits::kept_free;

/// All files together: what an orderly end writes within its 5 s on a slow disk.
pub const BYTES_MAX: u64 = 64 << 20;
/// Of the file system: as much as the rest of the spool may take, and what stays free.
const SHARE_PERCENT: u64 = 5;
const FREE_PERCENT: u8 = 10;

const FOLDER: &str = "spool-logs";
const MAGIC: [u8; 8] = *b"MSTRLOG\0";
const VERSION: u16 = 1;
/// The collector was told of the source under this id.
const FLAG_KNOWN: u16 = 1;
/// Bytes before path and beginning, and the two checksums behind them.
const FIXED_BYTES: usize = 92;
const CHECKSUM_BYTES: usize = 8;
/// As a position's path.
const PATH_BYTES_MAX: usize = 4_096;
const COPY_BYTES: usize = 256 << 10;

/// What is told of the source beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// With an empty fingerprint where it was not given yet; its path is the name that is followed in any case.
    pub(super) source: SourceId,
    pub(super) is_known: bool,
    /// Everything before is acknowledged, as far as was known.
    pub(super) from: u64,
    /// The range of the bytes: `start` is up to 64 below `from`.
    pub(super) start: u64,
    pub(super) end: u64,
    /// The size of the file when it was last seen: what it had beyond `end` is lost.
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    /// The first bytes of the file, up to 1,024: what a fingerprint is of.
    pub(super) beginning: Vec<u8>,
}

impl Header {
    fn bytes(&self) -> usize {
        FIXED_BYTES + self.source.path.len() + self.beginning.len() + CHECKSUM_BYTES
    }

    fn encode(&self, body_crc: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes());
        let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(if self.is_known { FLAG_KNOWN } else { 0 }).to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.bytes()).unwrap_or(u32::MAX).to_le_bytes());
        for number in [self.source.device, self.source.inode, self.source.fingerprint] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.source.fingerprint_bytes.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.source.incarnation.to_le_bytes());
        for number in [self.from, self.start, self.end, self.size] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.mtime_ns.to_le_bytes());
        out.extend_from_slice(&short(self.source.path.len()));
        out.extend_from_slice(&short(self.beginning.len()));
        out.extend_from_slice(self.source.path.as_bytes());
        out.extend_from_slice(&self.beginning);
        out.extend_from_slice(&body_crc.to_le_bytes());
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// The header and the checksum of the bytes behind it; `None` for anything that [`Header::encode`] did not write.
    fn decode(bytes: &[u8]) -> Option<(Self, u32)> {
        let (all, crc) = bytes.split_last_chunk::<4>()?;
        let (rest, body_crc) = all.split_last_chunk::<4>()?;
        if u32::from_le_bytes(*crc) != crc32c::crc32c(all) || rest.len() < FIXED_BYTES || rest[..8] != MAGIC {
            return None;
        }
        let u16_at = |at: usize| Some(u16::from_le_bytes(rest.get(at..at + 2)?.try_into().ok()?));
        let u32_at = |at: usize| Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(rest.get(at..at + 8)?.try_into().ok()?));
        let (path, beginning) = (usize::from(u16_at(88)?), usize::from(u16_at(90)?));
        if u16_at(8)? != VERSION || rest.len() != FIXED_BYTES + path + beginning {
            return None;
        }
        let header = Self {
            source: SourceId {
                device: u64_at(16)?,
                inode: u64_at(24)?,
                fingerprint: u64_at(32)?,
                fingerprint_bytes: u16_at(40)?,
                incarnation: u32_at(44)?,
                path: String::from_utf8(rest[FIXED_BYTES..FIXED_BYTES + path].to_vec()).ok()?,
            },
            is_known: u16_at(10)? & FLAG_KNOWN != 0,
            from: u64_at(48)?,
            start: u64_at(56)?,
            end: u64_at(64)?,
            size: u64_at(72)?,
            mtime_ns: i64::from_le_bytes(rest[80..88].try_into().ok()?),
            beginning: rest[FIXED_BYTES + path..].to_vec(),
        };
        (header.start <= header.from && header.from <= header.end).then_some((header, u32::from_le_bytes(*body_crc)))
    }
}

/// The folder with these files.
pub struct LogSpool {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    bytes_max: u64,
    /// Bytes of each file by its number.
    files: BTreeMap<u64, u64>,
    is_made: bool,
}

impl LogSpool {
    /// Looks which files there are; ones that were not finished go.
    pub fn open(disk: Arc<dyn Disk>, state_dir: &Path, bytes_max: u64) -> Self {
        let folder = state_dir.join(FOLDER);
        let mut spool = Self { disk, folder, bytes_max, files: BTreeMap::new(), is_made: false };
        let Ok(names) = spool.disk.list(&spool.folder) else { return spool };
        spool.is_made = true;
        for name in names {
            let path = spool.folder.join(&name);
            match number_of(&name) {
                Some(number) => {
                    let bytes = spool.disk.open(&path, Open::Read).and_then(|file| file.len()).unwrap_or(0);
                    spool.files.insert(number, bytes);
                }
                None if name.ends_with(".new") => spool.unlink(&path),
                None => {}
            }
        }
        spool
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.values().sum()
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.files.keys().copied().collect()
    }

    /// Opens a file and looks at all of its bytes. `None`: it is damaged.
    ///
    /// # Errors
    /// As the disk.
    pub(super) fn read(&self, number: u64) -> io::Result<Option<(Header, Kept)>> {
        let file = self.disk.open(&self.path(number), Open::Read)?;
        let length = file.len()?;
        let mut fixed = [0; FIXED_BYTES];
        if length < FIXED_BYTES as u64 {
            return Ok(None);
        }
        file.pread(&mut fixed, 0)?;
        let header_bytes = u64::from(u32::from_le_bytes([fixed[12], fixed[13], fixed[14], fixed[15]]));
        let most = (FIXED_BYTES + PATH_BYTES_MAX + FINGERPRINT_BYTES + CHECKSUM_BYTES) as u64;
        if header_bytes > most.min(length) {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(header_bytes).unwrap_or(0)];
        file.pread(&mut bytes, 0)?;
        let Some((header, body_crc)) = Header::decode(&bytes) else { return Ok(None) };
        if length - header_bytes != header.end - header.start {
            return Ok(None);
        }
        let (mut crc, mut at, mut buffer) = (0, header_bytes, vec![0; COPY_BYTES]);
        while at < length {
            let count = buffer.len().min(usize::try_from(length - at).unwrap_or(usize::MAX));
            file.pread(&mut buffer[..count], at)?;
            crc = crc32c::crc32c_append(crc, &buffer[..count]);
            at += count as u64;
        }
        if crc != body_crc {
            return Ok(None);
        }
        let body = Body::Spooled { file, at: header_bytes, length: header.end - header.start };
        let kept = Kept { beginning: header.beginning.clone(), start: header.start, body };
        Ok(Some((header, kept)))
    }

    /// Writes the bytes from `header.start` that `read` gives, up to `header.end` (`u64::MAX`: all that there are) or as many as there is room for; what the file then says is
    /// the answer's. Its name is durable after [`LogSpool::settle`].
    ///
    /// # Errors
    /// As the disk or `read`; `StorageFull` where there is no room for one byte that is not acknowledged.
    pub(super) fn write(
        &mut self,
        mut header: Header,
        read: &mut dyn FnMut(&mut [u8], u64) -> io::Result<usize>,
    ) -> io::Result<(u64, Header, Kept)> {
        if !self.is_made {
            self.disk.create_dir_all(&self.folder)?;
            self.is_made = true;
        }
        let room = self.room(self.disk.space(&self.folder)?).saturating_sub(header.bytes() as u64);
        let is_endless = header.end == u64::MAX;
        header.end = header.end.min(header.start.saturating_add(room));
        if header.end <= header.from {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let number = self.files.last_key_value().map_or(1, |(last, _)| last + 1);
        let path = self.path(number);
        let temporary = path.with_extension("new");
        match self.copy(&mut header, is_endless, &temporary, read) {
            Ok(()) => self.disk.rename(&temporary, &path)?,
            Err(error) => {
                self.unlink(&temporary);
                return Err(error);
            }
        }
        self.files.insert(number, header.bytes() as u64 + header.end - header.start);
        let file = self.disk.open(&path, Open::Read)?;
        let body = Body::Spooled { file, at: header.bytes() as u64, length: header.end - header.start };
        let kept = Kept { beginning: header.beginning.clone(), start: header.start, body };
        Ok((number, header, kept))
    }

    fn copy(
        &self,
        header: &mut Header,
        is_endless: bool,
        path: &Path,
        read: &mut dyn FnMut(&mut [u8], u64) -> io::Result<usize>,
    ) -> io::Result<()> {
        let file = self.disk.open(path, Open::Create)?;
        let (mut crc, mut offset, mut buffer) = (0, header.start, vec![0; COPY_BYTES]);
        while offset < header.end {
            let most = buffer.len().min(usize::try_from(header.end - offset).unwrap_or(usize::MAX));
            let count = read(&mut buffer[..most], offset)?;
            if count == 0 {
                break;
            }
            file.pwrite(&buffer[..count], header.bytes() as u64 + offset - header.start)?;
            crc = crc32c::crc32c_append(crc, &buffer[..count]);
            offset += count as u64;
        }
        if is_endless && offset == header.end {
            // What is left out could not be named.
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        header.end = offset;
        if is_endless {
            header.size = offset;
        }
        if header.end <= header.from {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        file.pwrite(&header.encode(crc), 0)?;
        file.sync()
    }

    /// Makes the names of what was written durable.
    ///
    /// # Errors
    /// As the disk.
    pub(super) fn settle(&self) -> io::Result<()> {
        self.disk.sync_dir(&self.folder)
    }

    /// The collector has it, or nobody can read it.
    pub(super) fn remove(&mut self, number: u64) {
        if self.files.remove(&number).is_some() {
            // One that stays is found acknowledged, or damaged, after the next start.
            self.unlink(&self.path(number));
        }
    }

    fn room(&self, space: Space) -> u64 {
        let share = (space.total_bytes / 100 * SHARE_PERCENT).min(self.bytes_max);
        let free = space.free_bytes.saturating_sub(kept_free(space, FREE_PERCENT));
        share.saturating_sub(self.bytes()).min(free)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:016x}.log"))
    }

    fn unlink(&self, path: &Path) {
        if let Err(error) = self.disk.unlink(path) {
            tracing::warn!(path = %path.display(), %error, "a file of the spool cannot be removed");
        }
    }
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".log").filter(|hex| hex.len() == 16).and_then(|hex| u64::from_str_radix(hex, 16).ok())
}

#[cfg(test)]
mod tests;
