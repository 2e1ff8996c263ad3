//! The folder tree: names as they are, names as they are durable, and the changes between.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File(u64),
}

#[derive(Clone, Debug)]
enum Change {
    Create { path: PathBuf, inode: u64 },
    Unlink { path: PathBuf },
    RemoveDir { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf, inode: u64 },
}

pub(super) type Tree = BTreeMap<PathBuf, Node>;

/// All names of one disk.
#[derive(Clone, Debug)]
pub(super) struct Names {
    now: Tree,
    durable: Tree,
    /// Not durable yet, in the order they were made.
    changes: Vec<Change>,
}

impl Names {
    pub(super) fn new(mut durable: Tree) -> Self {
        durable.insert(PathBuf::from("/"), Node::Folder);
        durable.insert(PathBuf::new(), Node::Folder);
        Self { now: durable.clone(), durable, changes: Vec::new() }
    }

    /// The file of this name.
    ///
    /// # Errors
    /// `NotFound`, `IsADirectory`.
    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        match self.now.get(&clean(path)) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// # Errors
    /// `NotFound`, `NotADirectory`.
    pub(super) fn folder(&self, path: &Path) -> io::Result<()> {
        match self.now.get(&clean(path)) {
            Some(Node::Folder) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// # Errors
    /// `AlreadyExists`, or what is wrong with the folder.
    pub(super) fn check_new(&self, path: &Path) -> io::Result<()> {
        if self.now.contains_key(&clean(path)) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.folder(path.parent().unwrap_or(Path::new("")))
    }

    pub(super) fn create(&mut self, path: &Path, inode: u64) {
        self.change(Change::Create { path: clean(path), inode });
    }

    /// # Errors
    /// `NotFound`, `IsADirectory`.
    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.change(Change::Unlink { path: clean(path) });
        Ok(())
    }

    /// Files only: nothing of Muster renames a folder.
    ///
    /// # Errors
    /// `NotFound`, `IsADirectory`.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.file(from)?;
        self.folder(to.parent().unwrap_or(Path::new("")))?;
        match self.now.get(&clean(to)) {
            Some(Node::Folder) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(other)) if *other == inode => return Ok(()),
            _ => {}
        }
        self.change(Change::Rename { from: clean(from), to: clean(to), inode });
        Ok(())
    }

    /// # Errors
    /// `NotFound` of the file, or why the second name cannot be.
    pub(super) fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.file(from)?;
        self.check_new(to)?;
        self.create(to, inode);
        Ok(())
    }

    /// The names that went from it are durable before it is: no system brings back a name without its folder.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, `DirectoryNotEmpty`.
    pub(super) fn remove_dir(&mut self, folder: &Path) -> io::Result<()> {
        if !self.list(folder)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.sync_dir(folder)?;
        self.change(Change::RemoveDir { path: clean(folder) });
        Ok(())
    }

    /// Makes folders, at once durable.
    ///
    /// # Errors
    /// `NotADirectory` when a file is in the way.
    pub(super) fn create_dir_all(&mut self, folder: &Path) -> io::Result<()> {
        let folder = clean(folder);
        let above: Vec<&Path> = folder.ancestors().collect();
        if above.iter().any(|path| matches!(self.now.get(*path), Some(Node::File(_)))) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        for path in above {
            self.now.insert(path.to_owned(), Node::Folder);
            self.durable.insert(path.to_owned(), Node::Folder);
        }
        Ok(())
    }

    /// # Errors
    /// `NotFound`, `NotADirectory`.
    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.folder(folder)?;
        let folder = clean(folder);
        let within =
            self.now.range(folder.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&folder));
        let names = within.filter(|path| path.parent() == Some(&folder)).filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Makes the changes of this folder durable, with the older ones that they stand on. A rename between two folders
    /// counts to the one it ends in, so that it is never half done.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`.
    pub(super) fn sync_dir(&mut self, folder: &Path) -> io::Result<()> {
        self.folder(folder)?;
        let folder = clean(folder);
        let mut wanted = vec![false; self.changes.len()];
        let mut needed: BTreeSet<&Path> = BTreeSet::new();
        for (change, wanted) in self.changes.iter().zip(&mut wanted).rev() {
            *wanted = change.name().parent() == Some(&folder) || change.paths().any(|path| needed.contains(path));
            if *wanted {
                needed.extend(change.paths());
            }
        }
        for (change, wanted) in std::mem::take(&mut self.changes).into_iter().zip(wanted) {
            if wanted {
                change.apply(&mut self.durable);
            } else {
                self.changes.push(change);
            }
        }
        Ok(())
    }

    /// How many changes a cut may lose.
    pub(super) const fn unsynced(&self) -> usize {
        self.changes.len()
    }

    /// Of the changes not durable the first `kept` survive.
    pub(super) fn cut(&mut self, kept: usize) {
        for change in std::mem::take(&mut self.changes).into_iter().take(kept) {
            change.apply(&mut self.durable);
        }
        self.now = self.durable.clone();
    }

    pub(super) const fn durable(&self) -> &Tree {
        &self.durable
    }

    /// Files that have a name now.
    pub(super) fn named_now(&self) -> BTreeSet<u64> {
        files(&self.now).collect()
    }

    /// Files that a name now, a durable one or a change between leads to.
    pub(super) fn reachable(&self) -> BTreeSet<u64> {
        let changes = self.changes.iter().filter_map(|change| match change {
            Change::Create { inode, .. } | Change::Rename { inode, .. } => Some(*inode),
            Change::Unlink { .. } | Change::RemoveDir { .. } => None,
        });
        files(&self.now).chain(files(&self.durable)).chain(changes).collect()
    }

    fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.now);
        self.changes.push(change);
    }
}

impl Change {
    fn apply(self, tree: &mut Tree) {
        match self {
            Self::Create { path, inode } => {
                tree.insert(path, Node::File(inode));
            }
            Self::Unlink { path } | Self::RemoveDir { path } => {
                tree.remove(&path);
            }
            Self::Rename { from, to, inode } => {
                tree.remove(&from);
                tree.insert(to, Node::File(inode));
            }
        }
    }

    /// The name whose folder makes it durable.
    fn name(&self) -> &Path {
        match self {
            Self::Create { path, .. }
            | Self::Unlink { path }
            | Self::RemoveDir { path }
            | Self::Rename { to: path, .. } => path,
        }
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let other = match self {
            Self::Rename { from, .. } => Some(from.as_path()),
            _ => None,
        };
        std::iter::once(self.name()).chain(other)
    }
}

fn files(tree: &Tree) -> impl Iterator<Item = u64> {
    tree.values().filter_map(|node| match node {
        Node::File(inode) => Some(*inode),
        Node::Folder => None,
    })
}

/// Without `.` and doubled or trailing slashes.
pub(super) fn clean(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}
