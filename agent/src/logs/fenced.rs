//! Groups of a remote configuration: whatever their names lead to, nothing outside of what the host's own file opens to them is read.
//!
//! Folders and links are judged when they are looked at, so that what leads out is told and left alone; and each file once more when it is
//! opened, by the file itself, since links may be turned meanwhile.

use std::io;
use std::path::Path;

use muster_common::wire::message::Problem;

use super::files::{Files, Stat};
use super::problems::{shortened, unreadable};
use super::reader::LogReader;
use crate::fence::{Fence, is_outside};

impl<F: Files + Clone> LogReader<F> {
    /// From this group on all are of a remote configuration.
    pub fn set_fence(&mut self, first: usize, fence: Fence) {
        self.fence = Some((first, fence));
    }

    pub(super) fn fence_of_group(&self, group: usize) -> Option<&Fence> {
        self.fence.as_ref().filter(|(first, _)| group >= *first).map(|(_, fence)| fence)
    }

    /// What the files of this name, and those rotated away from it, are read within; `None`: anywhere.
    fn fence_of(&self, head: &Path) -> Option<&Fence> {
        let (first, fence) = self.fence.as_ref()?;
        let group = self.families.get(head).map(|family| family.group).or_else(|| self.group_of(head));
        // Of a name that no group has any more nobody knows who asked for it.
        group.is_none_or(|group| group >= *first).then_some(fence)
    }

    /// Opens a file of this name's rotation.
    pub(super) fn open_file(&self, path: &Path, head: &Path) -> io::Result<F::Handle> {
        match self.fence_of(head) {
            Some(fence) => self.files.open_within(path, fence),
            None => self.files.open(path),
        }
    }

    /// Whether a name in a folder that was judged is a link that leads out.
    pub(super) fn leads_out(&self, path: &Path, group: usize) -> bool {
        self.fence_of_group(group).is_some_and(|fence| leads_out(&self.files, path, fence))
    }
}

/// Whether a name in a folder that was judged is a link that leads out.
pub(super) fn leads_out<F: Files>(files: &F, path: &Path, fence: &Fence) -> bool {
    files.is_link(path) && !is_within(files, path, fence)
}

/// Whether the path leads to something within the fence.
pub(super) fn is_within<F: Files>(files: &F, path: &Path, fence: &Fence) -> bool {
    fence.holds_target(&files.target(path), |folder| files.target(folder))
}

/// What is told of a name that leads out.
pub(crate) fn told_outside(path: &Path, why: &str) -> Problem {
    let message = format!("a remote configuration names it, and it is not read: {why}");
    let remedy = "add that folder to `log_paths` under [remote] in the host's own file, or remove the link";
    shortened(path.display().to_string(), message, remedy.to_owned())
}

/// What is told of a file that could not be opened.
pub(super) fn told_unopened(path: &Path, stat: &Stat, error: &io::Error) -> Problem {
    if is_outside(error) { told_outside(path, &error.to_string()) } else { unreadable(path, stat, error.kind()) }
}
