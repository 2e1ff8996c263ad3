//! One file: its bytes as readers see them, and how to take back what was not synced.

use fastrand::Rng;

/// What a disk writes whole.
const SECTOR: usize = 512;

/// A file's bytes with the changes since its last sync, oldest first, each with what it replaced.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) bytes: Vec<u8>,
    pub(super) opens: u32,
    log: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    what: What,
    /// Length of the file before it.
    old_len: usize,
    fate: Fate,
}

#[derive(Clone, Debug)]
enum What {
    /// `other` holds what was there before; while changes are taken back, what was written.
    Write { offset: usize, len: usize, other: Vec<u8> },
    /// `tail` holds what a shorter length took away.
    SetLen { len: usize, tail: Vec<u8> },
}

/// What a cut may do to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Not synced yet.
    Loose,
    /// Its sync failed: no later one makes it durable.
    Doomed,
    /// Synced, but kept in the log since an older change is doomed.
    Durable,
}

/// What a cut does to one file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Loss {
    /// Everything not durable is lost.
    Everything,
    /// By these dice: nothing, everything, the end, or any part.
    Dice(u64),
}

impl Inode {
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self { bytes, opens: 0, log: Vec::new() }
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        let (old_len, end) = (self.bytes.len(), offset + bytes.len());
        if bytes.is_empty() {
            return;
        }
        let other = self.bytes[offset.min(old_len)..end.min(old_len)].to_vec();
        if end > old_len {
            self.bytes.resize(end, 0);
        }
        self.bytes[offset..end].copy_from_slice(bytes);
        self.push(What::Write { offset, len: bytes.len(), other }, old_len);
    }

    pub(super) fn set_len(&mut self, len: usize) {
        let old_len = self.bytes.len();
        let tail = self.bytes.get(len..).map(<[u8]>::to_vec).unwrap_or_default();
        self.bytes.resize(len, 0);
        self.push(What::SetLen { len, tail }, old_len);
    }

    fn push(&mut self, what: What, old_len: usize) {
        self.log.push(Change { what, old_len, fate: Fate::Loose });
    }

    pub(super) fn sync(&mut self) {
        if self.log.iter().all(|change| change.fate == Fate::Loose) {
            self.log.clear();
        } else {
            self.settle_loose(Fate::Durable);
        }
    }

    pub(super) fn fail_sync(&mut self) {
        self.settle_loose(Fate::Doomed);
    }

    fn settle_loose(&mut self, fate: Fate) {
        self.log.iter_mut().filter(|change| change.fate == Fate::Loose).for_each(|change| change.fate = fate);
    }

    /// What the disk holds of this file after a cut.
    pub(super) fn cut(&mut self, loss: Loss) {
        let mut log = std::mem::take(&mut self.log);
        log.iter_mut().rev().for_each(|change| self.take_back(change));
        let durable = log.iter().rposition(|change| change.fate == Fate::Durable).map_or(0, |last| last + 1);
        let mut dice = match loss {
            Loss::Everything => Dice { rng: Rng::with_seed(0), mode: Mode::Lose, lengths: durable },
            Loss::Dice(seed) => Dice::new(seed, durable, log.len()),
        };
        for (index, change) in log.iter().enumerate() {
            self.redo(index, change, &mut dice);
        }
    }

    /// Makes the bytes what they were before this change, and the change hold what it brought.
    fn take_back(&mut self, change: &mut Change) {
        match &mut change.what {
            What::Write { offset, len, other } => {
                let written = self.bytes[*offset..*offset + *len].to_vec();
                let replaced = std::mem::replace(other, written);
                self.bytes.truncate(change.old_len);
                // Empty where the write began beyond the old end.
                let start = change.old_len.min(*offset);
                self.bytes[start..start + replaced.len()].copy_from_slice(&replaced);
            }
            What::SetLen { len, tail } => {
                self.bytes.truncate(change.old_len.min(*len));
                self.bytes.extend_from_slice(tail);
            }
        }
    }

    fn redo(&mut self, index: usize, change: &Change, dice: &mut Dice) {
        let with_length = index < dice.lengths || change.fate == Fate::Durable;
        match &change.what {
            What::SetLen { len, .. } => {
                if with_length {
                    self.bytes.resize(*len, 0);
                }
            }
            What::Write { offset, len, other } => {
                if with_length && offset + len > self.bytes.len() {
                    self.bytes.resize(offset + len, 0);
                }
                match if change.fate == Fate::Durable { Part::All } else { dice.part(index) } {
                    Part::All => self.put(*offset, other),
                    Part::None => {}
                    Part::Torn => {
                        let mut at = 0;
                        while at < *len {
                            let end = ((offset + at) / SECTOR * SECTOR + SECTOR - offset).min(*len);
                            if dice.rng.bool() {
                                self.put(offset + at, &other[at..end]);
                            }
                            at = end;
                        }
                    }
                }
            }
        }
    }

    /// Writes as far as the length reaches.
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(offset..) {
            let len = room.len().min(bytes.len());
            room[..len].copy_from_slice(&bytes[..len]);
        }
    }
}

enum Part {
    All,
    None,
    Torn,
}

enum Mode {
    Lose,
    Keep,
    /// What came before this change is kept, itself torn, the rest lost.
    Prefix(usize),
    Any,
}

/// The decisions of one cut for one file.
struct Dice {
    rng: Rng,
    mode: Mode,
    /// How many changes had their effect on the length written.
    lengths: usize,
}

impl Dice {
    fn new(seed: u64, durable: usize, changes: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let (mode, lengths) = match rng.u8(0..8) {
            0 => (Mode::Lose, durable),
            1 => (Mode::Keep, changes),
            2 | 3 => {
                let kept = rng.usize(durable..=changes);
                (Mode::Prefix(kept), rng.usize(kept..=changes).min(kept + 1))
            }
            _ => (Mode::Any, rng.usize(durable..=changes)),
        };
        Self { rng, mode, lengths }
    }

    fn part(&mut self, index: usize) -> Part {
        match self.mode {
            Mode::Lose => Part::None,
            Mode::Keep => Part::All,
            Mode::Prefix(kept) if index < kept => Part::All,
            Mode::Prefix(kept) if index == kept => Part::Torn,
            Mode::Prefix(_) => Part::None,
            Mode::Any => match self.rng.u8(0..4) {
                0 => Part::Torn,
                1 | 2 => Part::All,
                _ => Part::None,
            },
        }
    }
}
