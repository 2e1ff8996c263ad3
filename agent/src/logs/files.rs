//! The file system as the reader of logs uses it, so that tests can script it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::fence::Fence;

/// What is known of a file without opening it. Links are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    /// Last writing, ns since 1970.
    pub mtime_ns: i64,
    /// Names that it has; 0: deleted.
    pub links: u64,
    pub is_file: bool,
    pub is_folder: bool,
    pub owner: u32,
    pub group: u32,
    pub mode: u32,
}

impl Stat {
    pub fn place(&self) -> (u64, u64) {
        (self.device, self.inode)
    }
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: OsString,
    pub stat: Stat,
}

/// Everything that the reader asks of the system. All calls block.
pub trait Files {
    type Handle;

    /// Names of a folder with what they are, by name; names that vanish meanwhile and links that lead nowhere are left out.
    ///
    /// # Errors
    /// As the file system.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;

    /// # Errors
    /// As the file system.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// # Errors
    /// As the file system.
    fn open(&self, path: &Path) -> io::Result<Self::Handle>;

    /// Opens what lies within the fence, wherever links lead.
    ///
    /// # Errors
    /// As [`Fence::open`].
    fn open_within(&self, path: &Path, fence: &Fence) -> io::Result<Self::Handle>;

    /// Whether the name itself is a link.
    fn is_link(&self, path: &Path) -> bool;

    /// # Errors
    /// As the file system.
    fn stat_of(&self, handle: &Self::Handle) -> io::Result<Stat>;

    /// Bytes from `offset`, fewer than asked only at the end of the file.
    ///
    /// # Errors
    /// As the file system.
    fn read_at(&self, handle: &Self::Handle, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Where the path leads when links are followed; the path itself where it leads nowhere.
    fn target(&self, path: &Path) -> PathBuf;
}

/// The system's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFiles;

impl RealFiles {
    fn convert(meta: &std::fs::Metadata) -> Stat {
        Stat {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            mtime_ns: meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec()),
            links: meta.nlink(),
            is_file: meta.is_file(),
            is_folder: meta.is_dir(),
            owner: meta.uid(),
            group: meta.gid(),
            mode: meta.mode() & 0o7777,
        }
    }
}

impl Files for RealFiles {
    type Handle = File;

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if let Ok(stat) = self.stat(&entry.path()) {
                entries.push(Entry { name: entry.file_name(), stat });
            }
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        std::fs::metadata(path).map(|meta| Self::convert(&meta))
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe in the place of a log would hold up the open for ever.
        std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)
    }

    fn open_within(&self, path: &Path, fence: &Fence) -> io::Result<File> {
        fence.open(path)
    }

    fn is_link(&self, path: &Path) -> bool {
        std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())
    }

    fn stat_of(&self, handle: &File) -> io::Result<Stat> {
        handle.metadata().map(|meta| Self::convert(&meta))
    }

    fn read_at(&self, handle: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match handle.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn target(&self, path: &Path) -> PathBuf {
        std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
    }
}
