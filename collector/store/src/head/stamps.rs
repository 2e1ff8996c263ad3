//! The times of one head. A sample names its time by number: all series of a scrape share one, and since numbers rise with
//! every commit, "stamp below n" is also "arrived by then", which is how a view ends at an arrival.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::RwLock;

/// Times in one block: 64 KiB.
const BLOCK: usize = 8_192;

/// Times by number. One writer adds; readers take the blocks and need no lock after that.
#[derive(Default)]
pub(crate) struct Stamps {
    blocks: RwLock<Vec<Arc<[AtomicI64]>>>,
}

/// The blocks at one moment.
pub(crate) struct StampsCopy(Vec<Arc<[AtomicI64]>>);

impl Stamps {
    /// Sets the time of stamp `number`, the next one.
    pub(crate) fn set(&self, number: u32, at_ms: i64) {
        let (block, place) = (number as usize / BLOCK, number as usize % BLOCK);
        if let Some(times) = self.blocks.read().get(block) {
            times[place].store(at_ms, Ordering::Relaxed);
            return;
        }
        let times: Arc<[AtomicI64]> = (0..BLOCK).map(|_| AtomicI64::new(0)).collect();
        times[place].store(at_ms, Ordering::Relaxed);
        self.blocks.write().push(times);
    }

    /// Readers see every stamp below a `visible` that they read before: it is published, with release order, after `set`.
    pub(crate) fn copy(&self) -> StampsCopy {
        StampsCopy(self.blocks.read().clone())
    }
}

impl StampsCopy {
    pub(crate) fn at_ms(&self, stamp: u32) -> i64 {
        self.0[stamp as usize / BLOCK][stamp as usize % BLOCK].load(Ordering::Relaxed)
    }
}
