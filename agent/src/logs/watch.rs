//! Being woken when something changes in a folder. A hint: the sweep is the net under it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::event::{EventKind, ModifyKind};
use notify::{RecursiveMode, Watcher};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: PathBuf,
    /// A name came, went or changed; else bytes did.
    pub is_name: bool,
}

/// The watched folders.
pub struct Watch {
    watcher: Option<notify::RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    /// Folders that cannot be watched: they are swept more often.
    refused: BTreeSet<PathBuf>,
}

impl Watch {
    /// `tell` is called on a thread of the watcher's; it must not block.
    pub fn new(tell: impl Fn(Change) + Send + 'static) -> Self {
        let handler = move |event: notify::Result<notify::Event>| {
            // An error is an overflow or the like: something was missed, somewhere.
            let Ok(event) = event else { return tell(Change { path: PathBuf::new(), is_name: true }) };
            let is_name = match event.kind {
                EventKind::Access(_) => return,
                EventKind::Modify(ModifyKind::Data(_)) => false,
                _ => true,
            };
            if event.need_rescan() {
                tell(Change { path: PathBuf::new(), is_name: true });
            }
            event.paths.into_iter().for_each(|path| tell(Change { path, is_name }));
        };
        let watcher = notify::recommended_watcher(handler);
        if let Err(error) = &watcher {
            tracing::warn!(%error, "no folder can be watched; folders are looked at each second");
        }
        Self { watcher: watcher.ok(), watched: BTreeSet::new(), refused: BTreeSet::new() }
    }

    /// Watches these folders and no others. Says whether all of them are watched.
    pub fn set(&mut self, folders: &BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else { return folders.is_empty() };
        let gone: Vec<PathBuf> = self.watched.difference(folders).cloned().collect();
        for folder in gone {
            // A folder that was deleted is watched no more already.
            let _ = watcher.unwatch(&folder);
            self.watched.remove(&folder);
        }
        self.refused.retain(|folder| folders.contains(folder));
        for folder in folders {
            if !self.watched.contains(folder) {
                self.add(folder);
            }
        }
        self.refused.is_empty()
    }

    fn add(&mut self, folder: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.watched.insert(folder.to_path_buf());
                self.refused.remove(folder);
            }
            Err(error) => {
                if self.refused.insert(folder.to_path_buf()) {
                    tracing::warn!(folder = %folder.display(), %error, "this folder cannot be watched; it is looked at each second (raise fs.inotify.max_user_watches)");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    #[test]
    fn changes_of_bytes_and_names_are_told_and_what_cannot_be_watched_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, changes) = sync_channel(100);
        let mut watch = Watch::new(move |change| drop(sender.try_send(change)));
        let folders = BTreeSet::from([folder.path().to_path_buf()]);
        assert!(watch.set(&folders));
        let path = folder.path().join("a.log");
        std::fs::write(&path, b"x").unwrap();
        let wait = |is_name: bool| loop {
            let change = changes.recv_timeout(Duration::from_secs(20)).unwrap();
            if change == (Change { path: path.clone(), is_name }) {
                return;
            }
        };
        wait(true);
        std::fs::write(&path, b"yy").unwrap();
        wait(false);
        assert!(!watch.set(&BTreeSet::from([folder.path().join("missing")])));
        assert!(watch.set(&BTreeSet::new()));
    }
}
