//! The first of each kind among all processes, in bounded room however many there are.

use super::stat::NAME_BYTES_MAX;

/// One process as it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub pid: u32,
    pub name: ([u8; NAME_BYTES_MAX], usize),
    pub state: u8,
    pub threads: u32,
    pub started_ticks: u64,
    /// Hundredths of a percent of one processor; `None`: not looked at before.
    pub cpu: Option<u32>,
    pub rss_bytes: u64,
    /// Bytes a second, read and written; `None`: not readable, or not before.
    pub io: Option<(u64, u64)>,
}

impl Seen {
    pub(super) fn name(&self) -> &[u8] {
        &self.name.0[..self.name.1.min(NAME_BYTES_MAX)]
    }
}

/// What it uses of each kind; 0: nothing that would make it one of the first.
fn uses(seen: &Seen) -> [u64; 3] {
    let (read, written) = seen.io.unwrap_or_default();
    [seen.cpu.unwrap_or(0).into(), seen.rss_bytes, read.saturating_add(written)]
}

/// The first `top` by CPU, memory, and reading and writing.
pub(super) struct Leaders {
    top: usize,
    first: [Vec<(u64, Seen)>; 3],
}

impl Leaders {
    pub(super) fn new(top: usize) -> Self {
        Self { top, first: std::array::from_fn(|_| Vec::with_capacity(top + 1)) }
    }

    pub(super) fn offer(&mut self, seen: &Seen) {
        for (first, used) in self.first.iter_mut().zip(uses(seen)) {
            // Of those that use as much the one that was offered first stays.
            let place = first.partition_point(|(other, _)| *other >= used);
            if used > 0 && place < self.top {
                first.insert(place, (used, *seen));
                first.truncate(self.top);
            }
        }
    }

    /// All of them, each once, by CPU and then by memory.
    pub(super) fn all(self) -> Vec<Seen> {
        let mut all: Vec<Seen> = self.first.into_iter().flatten().map(|(_, seen)| seen).collect();
        all.sort_unstable_by_key(|seen| (std::cmp::Reverse(uses(seen)), seen.pid));
        all.dedup();
        all
    }
}
