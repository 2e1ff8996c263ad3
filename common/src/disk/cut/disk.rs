//! The disk itself: one lock around names, files and power.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use super::super::{Disk, DiskFile, Open, Space};
use super::image::DiskImage;
use super::inode::{Inode, Loss};
use super::names::{Names, Node, Tree};
use super::power::{Fault, Operation, Power};

/// What a disk without a limit says of its size.
const UNLIMITED_BYTES: u64 = 1 << 40;
/// EBADF.
const NOT_FOR_WRITING: i32 = 9;

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct CutDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Counts cuts and restores; handles of an older era are dead.
    era: u64,
    power: Power,
    capacity_bytes: Option<u64>,
    rng: Rng,
    names: Names,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
}

impl CutDisk {
    /// An empty disk; the seed decides every cut to come.
    pub fn new(seed: u64) -> Self {
        Self::from_image(seed, &DiskImage::default())
    }

    /// A disk with this state, all of it durable: a clone of a machine.
    pub fn from_image(seed: u64, image: &DiskImage) -> Self {
        let mut state = State {
            era: 0,
            power: Power::default(),
            capacity_bytes: None,
            rng: Rng::with_seed(seed),
            names: Names::new(Tree::new()),
            inodes: BTreeMap::new(),
            next_inode: 0,
        };
        state.restore(image);
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The power goes and comes back: unsynced changes survive in part, open handles fail from now on, planned faults are forgotten.
    pub fn cut(&self) {
        self.lock().cut();
    }

    /// The power goes and stays away: everything fails with EIO until [`CutDisk::cut`].
    pub fn power_off(&self) {
        self.lock().power.off = true;
    }

    /// The power goes just before the operation of this number (see [`CutDisk::operations`]), and stays away.
    pub fn power_off_at(&self, operation: u64) {
        self.lock().power.stop_at = Some(operation);
    }

    pub fn is_off(&self) -> bool {
        self.lock().power.off
    }

    /// How many operations that change the disk were begun since it was made; cuts do not reset it.
    pub fn operations(&self) -> u64 {
        self.lock().power.operations
    }

    /// Makes the `nth` operation of this kind from now (1: the next one), and `times - 1` after it, fail. A write that fails
    /// leaves some of its bytes, a sync that fails leaves its writes to chance, all others do nothing.
    pub fn fail(&self, operation: Operation, nth: u64, times: u64, fault: Fault) {
        self.lock().power.plan(operation, nth, times, fault);
    }

    /// How many bytes files may have together (their lengths count); `None`: no limit. Beyond it a write keeps what has room and fails with ENOSPC.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity_bytes = bytes;
    }

    /// The durable state, as a cut that loses everything else would leave it. Changes nothing.
    pub fn image(&self) -> DiskImage {
        self.lock().image()
    }

    /// Back to an older state: a machine reverted, a disk restored. Open handles fail from now on.
    pub fn restore_image(&self, image: &DiskImage) {
        self.lock().restore(image);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every line; a panic in a test's other thread does not change that.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn cut(&mut self) {
        let kept = self.rng.usize(0..=self.names.unsynced());
        self.names.cut(kept);
        let named = self.names.named_now();
        self.inodes.retain(|inode, _| named.contains(inode));
        for inode in self.inodes.values_mut() {
            inode.cut(Loss::Dice(self.rng.u64(..)));
            inode.opens = 0;
        }
        self.era += 1;
        self.power.restore();
    }

    fn image(&self) -> DiskImage {
        let bytes = |node: &Node| match node {
            Node::Folder => None,
            Node::File(inode) => {
                let mut inode = self.inodes.get(inode).cloned().unwrap_or_default();
                inode.cut(Loss::Everything);
                Some(Arc::new(inode.bytes))
            }
        };
        DiskImage { nodes: self.names.durable().iter().map(|(path, node)| (path.clone(), bytes(node))).collect() }
    }

    fn restore(&mut self, image: &DiskImage) {
        self.inodes.clear();
        let mut tree = Tree::new();
        for (path, bytes) in &image.nodes {
            let node = match bytes {
                None => Node::Folder,
                Some(bytes) => Node::File(self.add(Inode::durable(Vec::clone(bytes)))),
            };
            tree.insert(path.clone(), node);
        }
        self.names = Names::new(tree);
        self.era += 1;
        self.power.restore();
    }

    fn add(&mut self, inode: Inode) -> u64 {
        self.next_inode += 1;
        self.inodes.insert(self.next_inode, inode);
        self.next_inode
    }

    /// Forgets files that neither a name nor a handle leads to.
    fn sweep(&mut self) {
        let reachable = self.names.reachable();
        self.inodes.retain(|number, inode| inode.opens > 0 || reachable.contains(number));
    }

    fn free_bytes(&self) -> u64 {
        let Some(capacity) = self.capacity_bytes else { return UNLIMITED_BYTES };
        let named = self.names.named_now();
        let counted = self.inodes.iter().filter(|(number, inode)| inode.opens > 0 || named.contains(number));
        capacity.saturating_sub(counted.map(|(_, inode)| inode.bytes.len() as u64).sum())
    }

    fn inode(&mut self, number: u64) -> io::Result<&mut Inode> {
        self.inodes.get_mut(&number).ok_or_else(|| Fault::Io.error())
    }

    fn write(&mut self, number: u64, bytes: &[u8], offset: usize) -> io::Result<()> {
        let fault = self.power.begin(Operation::Write)?;
        let end = offset.checked_add(bytes.len()).ok_or(io::ErrorKind::InvalidInput)?;
        if let Some(fault) = fault {
            let part = self.rng.usize(0..=bytes.len());
            self.inode(number)?.write(&bytes[..part], offset);
            return Err(fault.error());
        }
        let grows = end.saturating_sub(self.inode(number)?.bytes.len()) as u64;
        // Without a limit nothing is counted.
        let lacking = if grows == 0 { 0 } else { grows.saturating_sub(self.free_bytes()) };
        let part = bytes.len().saturating_sub(usize::try_from(lacking).unwrap_or(usize::MAX));
        self.inode(number)?.write(&bytes[..part], offset);
        if lacking == 0 { Ok(()) } else { Err(Fault::NoSpace.error()) }
    }

    fn set_len(&mut self, number: u64, len: usize) -> io::Result<()> {
        self.power.begin_whole(Operation::SetLen)?;
        let grows = len.saturating_sub(self.inode(number)?.bytes.len()) as u64;
        if grows > 0 && grows > self.free_bytes() {
            return Err(Fault::NoSpace.error());
        }
        self.inode(number)?.set_len(len);
        Ok(())
    }

    fn sync(&mut self, number: u64) -> io::Result<()> {
        match self.power.begin(Operation::Sync)? {
            None => self.inode(number)?.sync(),
            Some(fault) => {
                self.inode(number)?.fail_sync();
                return Err(fault.error());
            }
        }
        Ok(())
    }
}

impl Disk for CutDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        state.power.check()?;
        let number = if how == Open::Create {
            state.names.check_new(path)?;
            state.power.begin_whole(Operation::Create)?;
            let number = state.add(Inode::default());
            state.names.create(path, number);
            number
        } else {
            state.names.file(path)?
        };
        state.inode(number)?.opens += 1;
        let handle = CutFile { disk: self.clone(), era: state.era, number, writes: how != Open::Read };
        Ok(Box::new(handle))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.power.begin_whole(Operation::Rename)?;
        state.names.rename(from, to)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.power.begin_whole(Operation::SyncDir)?;
        state.names.sync_dir(folder)?;
        state.sweep();
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.power.begin_whole(Operation::Unlink)?;
        state.names.unlink(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.power.begin_whole(Operation::Create)?;
        state.names.link(from, to)
    }

    fn remove_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.power.begin_whole(Operation::Unlink)?;
        state.names.remove_dir(folder)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.lock();
        state.power.check()?;
        state.names.list(folder)
    }

    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.power.begin_whole(Operation::CreateDir)?;
        state.names.create_dir_all(folder)
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let state = self.lock();
        state.power.check()?;
        let total_bytes = state.capacity_bytes.unwrap_or(UNLIMITED_BYTES);
        Ok(Space { total_bytes, free_bytes: state.free_bytes() })
    }
}

struct CutFile {
    disk: CutDisk,
    era: u64,
    number: u64,
    writes: bool,
}

impl CutFile {
    fn lock(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.lock();
        if state.era != self.era {
            return Err(Fault::Io.error());
        }
        state.power.check()?;
        Ok(state)
    }

    fn lock_to_write(&self) -> io::Result<MutexGuard<'_, State>> {
        if self.writes { self.lock() } else { Err(io::Error::from_raw_os_error(NOT_FOR_WRITING)) }
    }
}

impl DiskFile for CutFile {
    fn pread(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.lock()?;
        let bytes = &state.inode(self.number)?.bytes;
        let part = index(offset)
            .ok()
            .and_then(|start| bytes.get(start..)?.get(..buffer.len()))
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof));
        // Nothing wanted is there everywhere, as on a real disk.
        if !buffer.is_empty() {
            buffer.copy_from_slice(part?);
        }
        Ok(())
    }

    fn pwrite(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.lock_to_write()?.write(self.number, bytes, index(offset)?)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.lock()?.inode(self.number)?.bytes.len() as u64)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.lock_to_write()?.set_len(self.number, index(bytes)?)
    }

    fn sync(&self) -> io::Result<()> {
        self.lock()?.sync(self.number)
    }
}

impl Drop for CutFile {
    fn drop(&mut self) {
        let mut state = self.disk.lock();
        if state.era != self.era {
            return;
        }
        if let Some(inode) = state.inodes.get_mut(&self.number) {
            inode.opens = inode.opens.saturating_sub(1);
        }
    }
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}
