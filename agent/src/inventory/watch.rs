//! Hearing of changes: names in folders by inotify, mounts by the kernel's mark on mountinfo. Hints, under which the looks at intervals are
//! the net.
//!
//! Not the watcher of logs: that one is woken whenever a file is opened too, which in /etc each start of a program does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// Folders that are watched: the kernel's limit is 8,192 a user at the least, and logs need some.
const FOLDERS_MAX: usize = 1_024;
/// Events of one read; more are read by the next one.
const EVENTS_BYTES: usize = 16 << 10;

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// This name came, went, or was written to.
    Path { path: PathBuf, is_folder: bool },
    /// Something was mounted or unmounted.
    Mounts,
    /// Events were lost.
    Everything,
}

/// The watched folders and mountinfo.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: Option<OwnedFd>,
    watched: BTreeMap<PathBuf, i32>,
    /// Said once: that there are no more watches to be had.
    is_refused: bool,
    mounts: Option<File>,
}

impl Watch {
    /// `proc`: where the kernel's files stand.
    pub(super) fn new(proc: &Path) -> Self {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        if let Err(error) = &inotify {
            tracing::warn!(%error, "no change can be heard of; the inventory is looked at each [inventory] interval alone (raise fs.inotify.max_user_instances)");
        }
        let mounts = ["1", "self"].iter().find_map(|process| File::open(proc.join(process).join("mountinfo")).ok());
        Self { inotify: inotify.ok(), watched: BTreeMap::new(), is_refused: false, mounts }
    }

    /// Watches these folders and no others; those that are not there are left out.
    pub(super) fn set(&mut self, folders: &BTreeSet<PathBuf>) {
        let Some(inotify) = &self.inotify else { return };
        self.watched.retain(|folder, watch| {
            let stays = folders.contains(folder);
            if !stays {
                // A folder that was deleted is watched no more already.
                let _ = inotify::remove_watch(inotify, *watch);
            }
            stays
        });
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::ONLYDIR;
        for folder in folders {
            if self.watched.len() >= FOLDERS_MAX || self.watched.contains_key(folder) {
                continue;
            }
            match inotify::add_watch(inotify, folder, flags) {
                Ok(watch) => {
                    self.watched.insert(folder.clone(), watch);
                }
                Err(Errno::NOSPC) if !self.is_refused => {
                    self.is_refused = true;
                    tracing::warn!(folder = %folder.display(), "this folder cannot be watched: changes in it are seen at the next look (raise fs.inotify.max_user_watches)");
                }
                // Not there, no folder, or not for this user.
                Err(_) => {}
            }
        }
    }

    /// Waits until something is heard, `wake` can be read, or the time is over.
    pub(super) fn wait(&mut self, wake: BorrowedFd<'_>, limit: Duration) -> Vec<Heard> {
        let mut polled = vec![PollFd::new(&wake, PollFlags::IN)];
        polled.extend(self.inotify.as_ref().map(|inotify| PollFd::new(inotify, PollFlags::IN)));
        polled.extend(self.mounts.as_ref().map(|mounts| PollFd::new(mounts, PollFlags::PRI)));
        let limit = Timespec::try_from(limit).ok();
        // Interrupted, it is as if the time were over: the caller comes back.
        let is_woken = poll(&mut polled, limit.as_ref()).is_ok();
        let has_mounts = is_woken
            && self.mounts.is_some()
            && polled.last().is_some_and(|mounts| mounts.revents().contains(PollFlags::PRI));
        drop(polled);
        let mut heard = self.read();
        if has_mounts {
            heard.push(Heard::Mounts);
        }
        heard
    }

    fn read(&mut self) -> Vec<Heard> {
        let Some(inotify) = &self.inotify else { return Vec::new() };
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut reader = inotify::Reader::new(inotify.as_fd(), &mut buffer);
        let (mut heard, mut gone) = (Vec::new(), Vec::new());
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                heard.push(Heard::Everything);
                continue;
            }
            if event.events().contains(ReadFlags::IGNORED) {
                gone.push(event.wd());
                continue;
            }
            let Some((folder, _)) = self.watched.iter().find(|(_, watch)| **watch == event.wd()) else { continue };
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let is_folder = event.events().contains(ReadFlags::ISDIR);
            let told = Heard::Path { path: folder.join(name), is_folder };
            if heard.last() != Some(&told) {
                heard.push(told);
            }
        }
        // A folder that was deleted and made again gets a watch of its own.
        self.watched.retain(|_, watch| !gone.contains(watch));
        heard
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn wait_for(watch: &mut Watch, wake: BorrowedFd<'_>, is_it: impl Fn(&Heard) -> bool) {
        for _ in 0..100 {
            if watch.wait(wake, Duration::from_secs(20)).iter().any(&is_it) {
                return;
            }
        }
        panic!("nothing was heard");
    }

    #[test]
    fn names_that_change_are_heard_of_and_reading_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut watch = Watch::new(Path::new("/proc"));
        watch.set(&BTreeSet::from([folder.path().to_path_buf(), folder.path().join("missing")]));
        assert_eq!(watch.watched.len(), 1);
        let path = folder.path().join("passwd");
        std::fs::write(&path, "x").unwrap();
        let is_path = |heard: &Heard| *heard == Heard::Path { path: path.clone(), is_folder: false };
        wait_for(&mut watch, reader.as_fd(), is_path);
        watch.wait(reader.as_fd(), Duration::ZERO);
        std::fs::read(&path).unwrap();
        assert!(!watch.wait(reader.as_fd(), Duration::ZERO).iter().any(is_path));
        std::fs::rename(&path, folder.path().join("other")).unwrap();
        wait_for(&mut watch, reader.as_fd(), is_path);
        std::fs::create_dir(folder.path().join("new")).unwrap();
        wait_for(&mut watch, reader.as_fd(), |heard| matches!(heard, Heard::Path { is_folder: true, .. }));
        // A word ends the wait.
        writer.write_all(b"x").unwrap();
        watch.wait(reader.as_fd(), Duration::from_secs(1_000));
        std::fs::remove_dir_all(folder.path()).unwrap();
        for _ in 0..100 {
            if watch.watched.is_empty() {
                break;
            }
            watch.wait(reader.as_fd(), Duration::from_millis(10));
        }
        assert!(watch.watched.is_empty(), "a folder that is gone is watched no more");
        watch.set(&BTreeSet::new());
    }
}
