//! The disk, noticing when it is full: wherever that happens, the maintenance loop hears of it and frees the reserve.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use muster_common::disk::{Disk, DiskFile, Open, Space};
use tokio::sync::Notify;

/// How often the disk had no room, and a bell for whoever makes some.
#[derive(Debug, Default)]
pub(crate) struct FullBell {
    refused: AtomicU64,
    bell: Notify,
}

impl FullBell {
    /// Writes refused for want of room since the start.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Waits until a write is refused. A ring while nobody waits is kept.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    fn heed<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                self.refused.fetch_add(1, Ordering::Relaxed);
                self.bell.notify_one();
            }
        })
    }
}

/// A [`Disk`] that rings.
pub(crate) struct WatchedDisk<D> {
    pub(crate) disk: D,
    pub(crate) full: Arc<FullBell>,
}

struct WatchedFile {
    file: Box<dyn DiskFile>,
    full: Arc<FullBell>,
}

impl<D: Disk> Disk for WatchedDisk<D> {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let file = self.full.heed(self.disk.open(path, how))?;
        Ok(Box::new(WatchedFile { file, full: Arc::clone(&self.full) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.full.heed(self.disk.rename(from, to))
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        self.full.heed(self.disk.sync_dir(folder))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.disk.unlink(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.full.heed(self.disk.link(from, to))
    }

    fn remove_dir(&self, folder: &Path) -> io::Result<()> {
        self.disk.remove_dir(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        self.full.heed(self.disk.create_dir_all(folder))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.disk.space(path)
    }
}

impl DiskFile for WatchedFile {
    fn pread(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.pread(buffer, offset)
    }

    fn pwrite(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.full.heed(self.file.pwrite(bytes, offset))
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.full.heed(self.file.set_len(bytes))
    }

    fn sync(&self) -> io::Result<()> {
        self.full.heed(self.file.sync())
    }
}

#[cfg(test)]
mod tests {
    use muster_common::disk::cut::CutDisk;

    use super::*;

    #[tokio::test]
    async fn a_write_without_room_rings_the_bell() {
        let full = Arc::new(FullBell::default());
        let disk = WatchedDisk { disk: CutDisk::new(1), full: Arc::clone(&full) };
        disk.create_dir_all(Path::new("/d")).unwrap();
        let file = disk.open(Path::new("/d/f"), Open::Create).unwrap();
        file.pwrite(b"some", 0).unwrap();
        assert_eq!(full.refused(), 0);
        disk.disk.set_capacity(Some(1));
        assert_eq!(file.pwrite(&[1; 4096], 4).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(full.refused(), 1);
        full.rung().await;
    }
}
