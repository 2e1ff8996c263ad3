//! A scripted file system for tests and the simulator: names, inodes that are used again, links, files held open after their last name went.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::files::{Entry, Files, Stat};
use crate::fence::Fence;

#[derive(Debug, Default)]
struct Node {
    bytes: Vec<u8>,
    mtime_ns: i64,
    is_closed_to_us: bool,
}

#[derive(Debug)]
struct Tree {
    device: u64,
    names: BTreeMap<PathBuf, u64>,
    links: BTreeMap<PathBuf, PathBuf>,
    nodes: BTreeMap<u64, Rc<RefCell<Node>>>,
    clock_ns: i64,
    opens: u64,
}

/// Clones share one tree.
#[derive(Clone, Debug)]
pub struct MemoryFiles {
    tree: Rc<RefCell<Tree>>,
}

impl Default for MemoryFiles {
    fn default() -> Self {
        Self::on_device(1)
    }
}

/// An open file: it lives on when its name is gone, as long as this does.
#[derive(Debug)]
pub struct MemoryHandle {
    inode: u64,
    node: Rc<RefCell<Node>>,
}

impl Tree {
    fn new(device: u64) -> Self {
        let (names, links, nodes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { device, names, links, nodes, clock_ns: 0, opens: 0 }
    }

    fn now(&mut self) -> i64 {
        self.clock_ns += 1_000;
        self.clock_ns
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        let mut path = path.to_path_buf();
        for _ in 0..8 {
            match self.links.get(&path) {
                Some(target) => path = target.clone(),
                None => break,
            }
        }
        path
    }

    /// The lowest number that no name and no open handle uses: as ext4 gives them out.
    fn free_inode(&mut self) -> u64 {
        self.nodes.retain(|inode, node| Rc::strong_count(node) > 1 || self.names.values().any(|one| one == inode));
        (100..).find(|inode| !self.nodes.contains_key(inode)).unwrap_or(u64::MAX)
    }

    fn stat(&self, inode: u64) -> Option<Stat> {
        let node = self.nodes.get(&inode)?.borrow();
        Some(Stat {
            device: self.device,
            inode,
            size: node.bytes.len() as u64,
            mtime_ns: node.mtime_ns,
            links: self.names.values().filter(|one| **one == inode).count() as u64,
            is_file: true,
            is_folder: false,
            owner: 0,
            group: 4,
            mode: 0o640,
        })
    }
}

impl MemoryFiles {
    /// A tree whose files are on the device of this number.
    pub fn on_device(device: u64) -> Self {
        Self { tree: Rc::new(RefCell::new(Tree::new(device))) }
    }

    /// Appends, making the file where it is not.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let mut tree = self.tree.borrow_mut();
        let path = tree.resolve(Path::new(path));
        let inode = match tree.names.get(&path) {
            Some(inode) => *inode,
            None => {
                let inode = tree.free_inode();
                tree.names.insert(path, inode);
                tree.nodes.insert(inode, Rc::default());
                inode
            }
        };
        let now = tree.now();
        let mut node = tree.nodes[&inode].borrow_mut();
        node.bytes.extend_from_slice(bytes);
        node.mtime_ns = now;
    }

    /// Writes into what this handle is open on, wherever its name went.
    pub fn write_to(&self, handle: &MemoryHandle, bytes: &[u8]) {
        let now = self.tree.borrow_mut().now();
        let mut node = handle.node.borrow_mut();
        node.bytes.extend_from_slice(bytes);
        node.mtime_ns = now;
    }

    pub fn overwrite(&self, path: &str, offset: usize, bytes: &[u8]) {
        let mut tree = self.tree.borrow_mut();
        let now = tree.now();
        let mut node = tree.nodes[&tree.names[Path::new(path)]].borrow_mut();
        node.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
        node.mtime_ns = now;
    }

    pub fn rename(&self, from: &str, to: &str) {
        let mut tree = self.tree.borrow_mut();
        let inode = tree.names.remove(Path::new(from)).expect("a file to rename");
        tree.names.insert(PathBuf::from(to), inode);
    }

    pub fn remove(&self, path: &str) {
        let mut tree = self.tree.borrow_mut();
        tree.names.remove(Path::new(path)).expect("a file to remove");
    }

    pub fn truncate(&self, path: &str) {
        let mut tree = self.tree.borrow_mut();
        let now = tree.now();
        let mut node = tree.nodes[&tree.names[Path::new(path)]].borrow_mut();
        node.bytes.clear();
        node.mtime_ns = now;
    }

    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let tree = self.tree.borrow();
        tree.nodes[&tree.names[Path::new(path)]].borrow().bytes.clone()
    }

    /// A new file with these bytes in the place of whatever was there.
    pub fn replace(&self, path: &str, bytes: &[u8]) {
        self.tree.borrow_mut().names.remove(Path::new(path));
        self.write(path, bytes);
    }

    pub fn link(&self, path: &str, target: &str) {
        self.tree.borrow_mut().links.insert(PathBuf::from(path), PathBuf::from(target));
    }

    pub fn close_to_us(&self, path: &str, is_closed: bool) {
        let tree = self.tree.borrow();
        tree.nodes[&tree.names[Path::new(path)]].borrow_mut().is_closed_to_us = is_closed;
    }

    /// How often files were opened.
    pub fn opens(&self) -> u64 {
        self.tree.borrow().opens
    }

    /// Handles that are open now.
    pub fn open_handles(&self) -> usize {
        let tree = self.tree.borrow();
        tree.nodes.values().map(|node| Rc::strong_count(node) - 1).sum()
    }
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl Files for MemoryFiles {
    type Handle = MemoryHandle;

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let tree = self.tree.borrow();
        let mut entries = BTreeMap::new();
        for path in tree.names.keys().chain(tree.links.keys()) {
            let Ok(rest) = path.strip_prefix(folder) else { continue };
            let mut parts = rest.components();
            let Some(name) = parts.next() else { continue };
            let stat = if parts.next().is_some() {
                Some(Stat { is_folder: true, device: tree.device, ..Stat::default() })
            } else {
                tree.names.get(&tree.resolve(path)).and_then(|inode| tree.stat(*inode))
            };
            if let Some(stat) = stat {
                entries.entry(name.as_os_str().to_owned()).or_insert(stat);
            }
        }
        if entries.is_empty() {
            return Err(not_found());
        }
        Ok(entries.into_iter().map(|(name, stat)| Entry { name, stat }).collect())
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let tree = self.tree.borrow();
        tree.names.get(&tree.resolve(path)).and_then(|inode| tree.stat(*inode)).ok_or_else(not_found)
    }

    fn open(&self, path: &Path) -> io::Result<MemoryHandle> {
        let mut tree = self.tree.borrow_mut();
        let inode = *tree.names.get(&tree.resolve(path)).ok_or_else(not_found)?;
        let node = Rc::clone(&tree.nodes[&inode]);
        if node.borrow().is_closed_to_us {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        tree.opens += 1;
        Ok(MemoryHandle { inode, node })
    }

    fn open_within(&self, path: &Path, fence: &Fence) -> io::Result<MemoryHandle> {
        let target = self.target(path);
        if !fence.holds_target(&target, |folder| self.target(folder)) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, fence.outside(&target)));
        }
        self.open(path)
    }

    fn is_link(&self, path: &Path) -> bool {
        self.tree.borrow().links.contains_key(path)
    }

    fn stat_of(&self, handle: &MemoryHandle) -> io::Result<Stat> {
        let tree = self.tree.borrow();
        tree.stat(handle.inode).ok_or_else(not_found)
    }

    fn read_at(&self, handle: &MemoryHandle, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let node = handle.node.borrow();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(node.bytes.len());
        let count = buffer.len().min(node.bytes.len() - start);
        buffer[..count].copy_from_slice(&node.bytes[start..start + count]);
        Ok(count)
    }

    fn target(&self, path: &Path) -> PathBuf {
        self.tree.borrow().resolve(path)
    }
}
