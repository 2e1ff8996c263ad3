//! One series of one head: the last samples open, those before in sealed chunks that readers share.

use std::sync::Arc;

/// Samples in the open part; full ones become chunks that readers share.
pub(crate) const OPEN_SAMPLES: usize = 32;

/// A sample in 12 bytes: stamp (see [`super::stamps`]), then the value's bits, low half first.
pub(crate) type Packed = [u32; 3];

pub(crate) const fn pack(stamp: u32, value: f64) -> Packed {
    let bits = value.to_bits();
    // Both halves, losslessly.
    [stamp, bits as u32, (bits >> 32) as u32]
}

pub(crate) const fn value_of(sample: Packed) -> f64 {
    f64::from_bits(sample[1] as u64 | (sample[2] as u64) << 32)
}

/// Samples in the order of commits; stamps never fall.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    open: Vec<Packed>,
    sealed: Vec<Arc<[Packed]>>,
}

impl Slot {
    /// Whether it had no sample yet.
    pub(crate) fn push(&mut self, stamp: u32, value: f64) -> bool {
        if self.open.len() == OPEN_SAMPLES {
            self.sealed.push(std::mem::take(&mut self.open).into());
        }
        self.open.push(pack(stamp, value));
        self.open.len() == 1 && self.sealed.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.sealed.is_empty()
    }

    /// Samples in sealed chunks.
    pub(crate) fn sealed(&self) -> &[Arc<[Packed]>] {
        &self.sealed
    }

    pub(crate) fn open(&self) -> &[Packed] {
        &self.open
    }
}

#[cfg(test)]
mod tests {
    use muster_common::sample::{STALE_BITS, stale};

    use super::*;

    #[test]
    fn every_bit_of_a_value_survives_and_order_is_kept() {
        let mut slot = Slot::default();
        for stamp in 0..100 {
            assert_eq!(slot.push(stamp, if stamp == 50 { stale() } else { f64::from(stamp) * 0.1 }), stamp == 0);
        }
        let read: Vec<_> = slot.sealed().iter().flat_map(|chunk| chunk.iter()).chain(slot.open()).copied().collect();
        assert_eq!((read.len(), slot.sealed().len(), slot.is_empty()), (100, 3, false));
        assert_eq!(value_of(read[50]).to_bits(), STALE_BITS);
        assert!(read.iter().enumerate().all(|(i, sample)| sample[0] == i as u32));
    }
}
