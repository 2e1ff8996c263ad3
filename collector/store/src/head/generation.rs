//! The head of one generation: its samples in memory, by slot of the series index.
//!
//! One writer (the committer, under the inbox's lock) appends what is durable already; readers walk short slots under a short
//! lock and share the chunks of long ones. A sealed generation's head does not change any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use parking_lot::RwLock;

use super::index::SeriesIndex;
use super::slot::{Packed, Slot, value_of};
use super::stamps::{Stamps, StampsCopy};
use crate::columns::Columns;
use crate::logs::head::LogHead;

/// Slots under one lock: a host's scrape takes a few locks, a reader disturbs few series.
const BLOCK: usize = 256;
/// Chunks that a reader walks while it holds the lock (half a microsecond); of longer slots it takes shares and lets go first.
const CHUNKS_UNDER_LOCK: usize = 8;
/// What one series costs beside its samples: its slot, its open buffer's overhead, its share of the index.
const SERIES_BYTES: u64 = 120;
/// What one sample costs, with its share of growing buffers.
const SAMPLE_BYTES: u64 = 14;

type SlotBlock = RwLock<Box<[Slot]>>;

/// Samples of one generation.
pub(crate) struct Head {
    pub(crate) generation: u64,
    pub(crate) index: Arc<SeriesIndex>,
    /// The lines of the same generation.
    pub(crate) logs: LogHead,
    blocks: RwLock<Vec<Option<Arc<SlotBlock>>>>,
    stamps: Stamps,
    /// Stamps set so far; what a view may see is a copy of this made after the commit.
    stamps_set: AtomicU32,
    samples: AtomicU64,
    series: AtomicU32,
    min_ms: AtomicI64,
    max_ms: AtomicI64,
}

/// Reads slots of one head up to one arrival.
pub(crate) struct HeadReader {
    blocks: Vec<Option<Arc<SlotBlock>>>,
    stamps: StampsCopy,
    visible: u32,
}

impl Head {
    pub(crate) fn new(generation: u64, index: Arc<SeriesIndex>) -> Self {
        Self {
            generation,
            index,
            logs: LogHead::default(),
            blocks: RwLock::default(),
            stamps: Stamps::default(),
            stamps_set: AtomicU32::new(0),
            samples: AtomicU64::new(0),
            series: AtomicU32::new(0),
            min_ms: AtomicI64::new(i64::MAX),
            max_ms: AtomicI64::new(i64::MIN),
        }
    }

    /// One scrape: the values of the present slots, in order.
    pub(crate) fn append_row(&self, at_ms: i64, slots: impl Iterator<Item = u32>, values: &[f64]) {
        let stamp = self.next_stamp(at_ms);
        self.append(slots.zip(values).map(|(slot, &value)| (slot, stamp, value)));
    }

    /// Single samples; those of one time that stand together share a stamp.
    pub(crate) fn append_points(&self, points: impl Iterator<Item = (u32, i64, f64)>) {
        let mut last: Option<(i64, u32)> = None;
        self.append(points.map(|(slot, at_ms, value)| {
            let stamp = match last {
                Some((ms, stamp)) if ms == at_ms => stamp,
                _ => self.next_stamp(at_ms),
            };
            last = Some((at_ms, stamp));
            (slot, stamp, value)
        }));
    }

    fn append(&self, samples: impl Iterator<Item = (u32, u32, f64)>) {
        let (mut count, mut started) = (0, 0);
        let mut samples = samples.peekable();
        while let Some(&(slot, ..)) = samples.peek() {
            let number = slot as usize / BLOCK;
            let block = self.block(number);
            let mut slots = block.write();
            while let Some((slot, stamp, value)) = samples.next_if(|(slot, ..)| *slot as usize / BLOCK == number) {
                started += u32::from(slots[slot as usize % BLOCK].push(stamp, value));
                count += 1;
            }
        }
        self.samples.fetch_add(count, Ordering::Relaxed);
        self.series.fetch_add(started, Ordering::Relaxed);
    }

    fn block(&self, number: usize) -> Arc<SlotBlock> {
        if let Some(Some(block)) = self.blocks.read().get(number) {
            return block.clone();
        }
        let mut blocks = self.blocks.write();
        if blocks.len() <= number {
            blocks.resize(number + 1, None);
        }
        let made = || Arc::new(RwLock::new((0..BLOCK).map(|_| Slot::default()).collect()));
        blocks[number].get_or_insert_with(made).clone()
    }

    fn next_stamp(&self, at_ms: i64) -> u32 {
        let stamp = self.stamps_set.load(Ordering::Relaxed);
        self.stamps.set(stamp, at_ms);
        self.stamps_set.store(stamp + 1, Ordering::Release);
        self.min_ms.fetch_min(at_ms, Ordering::Relaxed);
        self.max_ms.fetch_max(at_ms, Ordering::Relaxed);
        stamp
    }

    /// The arrival up to which everything appended so far counts.
    pub(crate) fn arrived(&self) -> u32 {
        self.stamps_set.load(Ordering::Acquire)
    }

    pub(crate) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Series with a sample.
    pub(crate) fn series(&self) -> u32 {
        self.series.load(Ordering::Relaxed)
    }

    /// About what it occupies, the label sets not counted.
    pub(crate) fn bytes(&self) -> u64 {
        self.samples() * SAMPLE_BYTES + u64::from(self.series()) * SERIES_BYTES + u64::from(self.arrived()) * 8
    }

    /// The times between which all its samples lie; none: it has no sample.
    pub(crate) fn times(&self) -> Option<(i64, i64)> {
        let (min, max) = (self.min_ms.load(Ordering::Relaxed), self.max_ms.load(Ordering::Relaxed));
        (min <= max).then_some((min, max))
    }

    pub(crate) fn reader(&self, visible: u32) -> HeadReader {
        HeadReader { blocks: self.blocks.read().clone(), stamps: self.stamps.copy(), visible }
    }

    /// Slots that have samples, rising.
    pub(crate) fn used_slots(&self) -> Vec<u32> {
        let blocks = self.blocks.read().clone();
        let mut used = Vec::with_capacity(self.series() as usize);
        for (number, block) in blocks.iter().enumerate() {
            let Some(block) = block else { continue };
            let slots = block.read();
            let filled = slots.iter().enumerate().filter(|(_, slot)| !slot.is_empty());
            used.extend(filled.map(|(place, _)| (number * BLOCK + place) as u32));
        }
        used
    }
}

impl HeadReader {
    /// Calls `each` with the visible samples in the order of commits, until it answers `false`.
    fn each(&self, slot: u32, mut each: impl FnMut(i64, f64) -> bool) {
        let Some(Some(block)) = self.blocks.get(slot as usize / BLOCK) else { return };
        let slots = block.read();
        let one = &slots[slot as usize % BLOCK];
        let mut take = |part: &[Packed]| {
            part.iter().all(|&sample| sample[0] < self.visible && each(self.stamps.at_ms(sample[0]), value_of(sample)))
        };
        if one.sealed().len() <= CHUNKS_UNDER_LOCK {
            let _ = one.sealed().iter().all(|chunk| take(chunk)) && take(one.open());
        } else {
            let (sealed, open) = (one.sealed().to_vec(), one.open().to_vec());
            drop(slots);
            let _ = sealed.iter().all(|chunk| take(chunk)) && take(&open);
        }
    }

    /// Whether a sample lies within these times, both included.
    pub(crate) fn has(&self, slot: u32, from_ms: i64, to_ms: i64) -> bool {
        let mut found = false;
        self.each(slot, |at_ms, _| {
            found = (from_ms..=to_ms).contains(&at_ms);
            !found
        });
        found
    }

    /// Adds the samples within these times, in the order of commits.
    pub(crate) fn read(&self, slot: u32, from_ms: i64, to_ms: i64, out: &mut Columns) {
        self.each(slot, |at_ms, value| {
            if (from_ms..=to_ms).contains(&at_ms) {
                out.push(at_ms, value);
            }
            true
        });
    }

    /// Samples within these times, repeats included.
    pub(crate) fn count(&self, slot: u32, from_ms: i64, to_ms: i64) -> u64 {
        let mut count = 0;
        self.each(slot, |at_ms, _| {
            count += u64::from((from_ms..=to_ms).contains(&at_ms));
            true
        });
        count
    }
}
