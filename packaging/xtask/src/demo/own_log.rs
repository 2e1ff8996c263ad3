//! The collector's own log as a file. The collector logs to standard error, as a service manager wants it; here the demo takes those lines
//! and keeps them as such a manager may: in a file that is rotated by rename.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

/// `collector.log` in a folder, with `.1` (the youngest) and up behind it. Clones are of the same file.
#[derive(Clone)]
pub(super) struct OwnLog {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

struct State {
    file: File,
    rotations: usize,
    /// The first error of the disk: told when the lines are counted.
    error: Option<std::io::Error>,
}

impl OwnLog {
    pub(super) fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join("collector.log");
        let file = File::create(&path).with_context(|| format!("failed to make {}", path.display()))?;
        let state = Arc::new(Mutex::new(State { file, rotations: 0, error: None }));
        Ok(Self { path, state })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// One line, in one write.
    pub(super) fn write(&self, line: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = state.file.write_all(format!("{line}\n").as_bytes()) {
            state.error.get_or_insert(error);
        }
    }

    /// The file becomes `.1`, what was `.1` becomes `.2`, and so on; the next line opens a new file.
    pub(super) fn rotate(&self) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for number in (1..=state.rotations).rev() {
            fs::rename(self.numbered(number), self.numbered(number + 1))?;
        }
        fs::rename(&self.path, self.numbered(1))?;
        state.file = File::create(&self.path)?;
        state.rotations += 1;
        Ok(())
    }

    fn numbered(&self, number: usize) -> PathBuf {
        PathBuf::from(format!("{}.{number}", self.path.display()))
    }

    /// What stands in each file, the oldest first, read back from the disk.
    pub(super) fn read(&self) -> Result<Vec<String>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.error.take() {
            return Err(error).with_context(|| format!("failed to write {}", self.path.display()));
        }
        let older = (1..=state.rotations).rev().map(|number| self.numbered(number));
        let files = older.chain([self.path.clone()]);
        files.map(|path| fs::read_to_string(&path).with_context(|| path.display().to_string())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_are_read_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let log = OwnLog::create(folder.path()).unwrap();
        for line in ["a", "b"] {
            log.write(line);
            log.rotate().unwrap();
        }
        log.write("c");
        assert_eq!(log.read().unwrap(), ["a\n", "b\n", "c\n"]);
        assert!(folder.path().join("collector.log.2").is_file());
    }
}
