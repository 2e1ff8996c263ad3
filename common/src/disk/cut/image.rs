//! The durable state of a disk as a value: what a revert or a restore goes back to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folders (`None`) and files of a disk as a cut that loses all unsynced changes would leave them. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskImage {
    pub(super) nodes: BTreeMap<PathBuf, Option<Arc<Vec<u8>>>>,
}

impl DiskImage {
    /// The bytes of a file; `None` when there is none of this name.
    pub fn file(&self, path: &Path) -> Option<&[u8]> {
        self.nodes.get(path)?.as_deref().map(Vec::as_slice)
    }

    /// The names of all files, sorted.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.nodes.iter().filter(|(_, bytes)| bytes.is_some()).map(|(path, _)| path.as_path())
    }
}
