//! The disk as both ends use it, so that tests can cut its power.
//!
//! [`real::RealDisk`] is the file system; [`cut::CutDisk`] keeps what was written apart from what was synced and loses the rest on a
//! seeded cut. Spool, inbox, catalog, state and segments go through this trait and nothing else touches files of theirs.

pub mod copy;
pub mod cut;
pub mod real;

use std::io;
use std::path::Path;

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Must exist; reads only.
    Read,
    /// Must exist; reads and writes.
    Write,
    /// Must not exist; reads and writes.
    Create,
}

/// A folder tree. All calls block; they are made on threads of their own, never on a runtime's.
pub trait Disk: Send + Sync + 'static {
    /// # Errors
    /// As the file system: not found, exists, no space, read-only.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>>;

    /// Replaces `to`. Durable after [`Disk::sync_dir`] of the folder.
    ///
    /// # Errors
    /// As the file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes created, renamed and unlinked names of this folder durable.
    ///
    /// # Errors
    /// As the file system.
    fn sync_dir(&self, folder: &Path) -> io::Result<()>;

    /// # Errors
    /// As the file system.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// A second name for a file, which is not copied. Durable after [`Disk::sync_dir`] of the second name's folder.
    ///
    /// # Errors
    /// As the file system; `Unsupported` or `CrossesDevices` where a copy is the only way.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _ = (from, to);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Removes an empty folder. Durable after [`Disk::sync_dir`] of the folder above it.
    ///
    /// # Errors
    /// As the file system.
    fn remove_dir(&self, folder: &Path) -> io::Result<()> {
        let _ = folder;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Names (not paths) of the files and folders in this folder, sorted.
    ///
    /// # Errors
    /// As the file system.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes this folder and those above it, durably; none of them needs to be missing.
    ///
    /// # Errors
    /// As the file system.
    fn create_dir_all(&self, folder: &Path) -> io::Result<()>;

    /// Size and free bytes of the file system under this path.
    ///
    /// # Errors
    /// As the file system.
    fn space(&self, path: &Path) -> io::Result<Space>;
}

/// Room on a file system, in bytes, as an ordinary user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total_bytes: u64,
    pub free_bytes: u64,
}

/// An open file. Methods take `&self`: offsets are arguments, so readers and the one writer share a handle.
pub trait DiskFile: Send + Sync + 'static {
    /// Fills the whole buffer from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` past the end, else as the file system.
    fn pread(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of it at `offset`, growing the file where needed.
    ///
    /// # Errors
    /// As the file system.
    fn pwrite(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// # Errors
    /// As the file system.
    fn len(&self) -> io::Result<u64>;

    /// Whether it holds no byte.
    ///
    /// # Errors
    /// As the file system.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// # Errors
    /// As the file system.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// fdatasync: what was written, and the length, survive a power cut (the name only after [`Disk::sync_dir`]).
    ///
    /// # Errors
    /// As the file system. After an error nothing is known of what was written: reopen and look.
    fn sync(&self) -> io::Result<()>;
}
