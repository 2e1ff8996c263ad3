//! `DATA/reserve`: 64 MiB kept aside, given up when the disk is full, so that retention can still commit what frees space.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

const FILE_NAME: &str = "reserve";
/// Many times what a commit of the catalog and a copy of the marks take.
pub(crate) const RESERVE_BYTES: u64 = 64 << 20;
/// Room that must be free beside it before it is taken again: else it would be given up at once.
pub(crate) const TAKE_AGAIN_BYTES: u64 = 4 * RESERVE_BYTES;

/// The file. It holds blocks of the file system, never content.
#[derive(Clone, Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
}

impl Reserve {
    pub(crate) fn new(data: &Path) -> Self {
        Self { path: data.join(FILE_NAME), bytes: RESERVE_BYTES }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn is_taken(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|file| file.len() >= self.bytes)
    }

    /// Takes the room, where it is not taken yet. Without enough of it no file is left behind.
    pub(crate) fn take(&self) -> io::Result<()> {
        if self.is_taken() {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&self.path)?;
        let taken = self.fill(&file).and_then(|()| file.sync_all());
        if taken.is_err() {
            drop(file);
            self.release()?;
        }
        taken
    }

    fn fill(&self, file: &File) -> io::Result<()> {
        match fallocate(file, FallocateFlags::empty(), 0, self.bytes) {
            Ok(()) => Ok(()),
            // A file system without fallocate: write it full. Noise, since zeros may be stored as a hole or compressed.
            Err(rustix::io::Errno::OPNOTSUPP) => write_noise(file, self.bytes),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the room back.
    pub(crate) fn release(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn write_noise(mut file: &File, bytes: u64) -> io::Result<()> {
    use std::io::Write;
    let (mut state, mut block) = (0x9e37_79b9_7f4a_7c15_u64, [0_u8; 1 << 16]);
    for _ in 0..bytes.div_ceil(block.len() as u64) {
        for chunk in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all(&block)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_reserve_holds_blocks_and_gives_them_back() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve { bytes: 1 << 20, ..Reserve::new(folder.path()) };
        assert!(!reserve.is_taken());
        reserve.take().unwrap();
        reserve.take().unwrap();
        let held = std::fs::metadata(reserve.path()).unwrap();
        assert!(held.len() == 1 << 20 && held.blocks() * 512 >= 1 << 20, "a file with holes reserves nothing");
        reserve.release().unwrap();
        reserve.release().unwrap();
        assert!(!reserve.is_taken() && !reserve.path().exists());
    }

    #[test]
    fn noise_takes_blocks_where_fallocate_does_not_work() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("x")).unwrap();
        write_noise(&file, 1 << 20).unwrap();
        let held = file.metadata().unwrap();
        assert!(held.len() == 1 << 20 && held.blocks() * 512 >= 1 << 20);
    }
}
