//! Marks: what is due in each (host, epoch, lane), decided inside the transaction that commits the data (rules 3, 6, 8, 21).

use std::path::Path;

use muster_common::host::HostId;
use muster_common::wire::message::{Epoch, Lane};
use redb::{ReadableTable, Table, WriteTransaction};

use super::tables::{CLOSED, ClosedRow, FLOORS, LaneRow, MARKS, MarkKey, mark_key};
use crate::error::FileError;

/// Where a lane of an epoch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No batch of it was ever seen.
    New,
    Known {
        seq: u64,
    },
    /// Its epoch is forgotten; a mark there can be moved by gaps only.
    Expired {
        seq: u64,
        floor_ms: i64,
    },
}

/// What to do with a batch, gap or tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Commit it, for a gap from this seq on; the mark becomes `mark`.
    Take {
        from: u64,
        mark: u64,
        expired: bool,
    },
    Repeat {
        mark: u64,
    },
    NotNext {
        mark: u64,
    },
    Expired {
        floor_ms: i64,
    },
}

/// Only mark + 1 is taken.
pub(crate) fn judge_batch(standing: Standing, seq: u64) -> Verdict {
    let mark = match standing {
        Standing::New => 0,
        Standing::Known { seq } => seq,
        Standing::Expired { seq: mark, .. } if seq <= mark => return Verdict::Repeat { mark },
        Standing::Expired { floor_ms, .. } => return Verdict::Expired { floor_ms },
    };
    if seq <= mark {
        Verdict::Repeat { mark }
    } else if seq - mark == 1 {
        Verdict::Take { from: seq, mark: seq, expired: false }
    } else {
        Verdict::NotNext { mark }
    }
}

/// A gap continues the mark, or is cut to what is above it; of an expired epoch it may begin anywhere.
pub(crate) fn judge_gap(standing: Standing, from: u64, to: u64) -> Verdict {
    let (mark, expired) = match standing {
        Standing::New => (0, false),
        Standing::Known { seq } => (seq, false),
        Standing::Expired { seq, .. } => (seq, true),
    };
    if to <= mark {
        Verdict::Repeat { mark }
    } else if expired {
        Verdict::Take { from: from.max(mark + 1), mark: to, expired }
    } else if from <= mark + 1 {
        Verdict::Take { from: mark + 1, mark: to, expired }
    } else {
        Verdict::NotNext { mark }
    }
}

/// Any tick above the mark, the first whatever it is.
pub(crate) fn judge_tick(standing: Standing, tick: u64) -> Verdict {
    match standing {
        Standing::Known { seq: mark } | Standing::Expired { seq: mark, .. } if tick <= mark => Verdict::Repeat { mark },
        _ => Verdict::Take { from: tick, mark: tick, expired: false },
    }
}

/// The mark tables inside one transaction.
pub(crate) struct MarkTables<'t> {
    pub(crate) marks: Table<'t, &'static [u8], &'static [u8]>,
    pub(crate) floors: Table<'t, &'static [u8; 16], i64>,
    path: &'t Path,
    /// What was put, for the planted bug that puts it later.
    pub(crate) written: Vec<(MarkKey, LaneRow)>,
}

impl<'t> MarkTables<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction, path: &'t Path) -> Result<Self, FileError> {
        let marks = transaction.open_table(MARKS).map_err(FileError::database("open table marks", path))?;
        let floors = transaction.open_table(FLOORS).map_err(FileError::database("open table floors", path))?;
        Ok(Self { marks, floors, path, written: Vec::new() })
    }

    pub(crate) fn lane_row(&self, key: &MarkKey) -> Result<Option<LaneRow>, FileError> {
        let found = self.marks.get(key.as_slice()).map_err(FileError::database("read a mark", self.path))?;
        found.map(|row| LaneRow::decode(row.value()).ok_or_else(|| self.damaged())).transpose()
    }

    pub(crate) fn closed_row(&self, host: HostId, epoch: Epoch) -> Result<Option<ClosedRow>, FileError> {
        let key = mark_key(host, epoch, CLOSED);
        let found = self.marks.get(key.as_slice()).map_err(FileError::database("read a mark", self.path))?;
        found.map(|row| ClosedRow::decode(row.value()).ok_or_else(|| self.damaged())).transpose()
    }

    pub(crate) fn floor(&self, host: HostId) -> Result<Option<i64>, FileError> {
        let found = self.floors.get(&host.0).map_err(FileError::database("read a floor", self.path))?;
        Ok(found.map(|floor| floor.value()))
    }

    /// Where this lane stands. An epoch that was closed is opened again by it: its marks were kept.
    pub(crate) fn standing(&mut self, host: HostId, epoch: Epoch, lane: Lane) -> Result<Standing, FileError> {
        let key = mark_key(host, epoch, lane as u8);
        let mut row = self.lane_row(&key)?;
        if row.is_none()
            && let Some(closed) = self.closed_row(host, epoch)?
        {
            self.reopen(host, epoch, closed)?;
            row = closed.lane(lane);
        }
        let floor_ms = self.floor(host)?;
        Ok(match (row, floor_ms) {
            (Some(row), floor_ms) if row.expired => {
                Standing::Expired { seq: row.seq, floor_ms: floor_ms.unwrap_or_default() }
            }
            (Some(row), _) => Standing::Known { seq: row.seq },
            (None, Some(floor_ms)) if epoch.created_ms() <= floor_ms && !self.is_known(host, epoch)? => {
                Standing::Expired { seq: 0, floor_ms }
            }
            (None, _) => Standing::New,
        })
    }

    /// Whether another lane of this epoch has a mark: then the epoch itself is not forgotten.
    fn is_known(&self, host: HostId, epoch: Epoch) -> Result<bool, FileError> {
        for lane in Lane::ALL {
            if self.lane_row(&mark_key(host, epoch, lane as u8))?.is_some_and(|row| !row.expired) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Splits a closed epoch's row into lane rows again.
    pub(crate) fn reopen(&mut self, host: HostId, epoch: Epoch, closed: ClosedRow) -> Result<(), FileError> {
        self.remove(&mark_key(host, epoch, CLOSED))?;
        for lane in Lane::ALL {
            if let Some(row) = closed.lane(lane) {
                self.put(mark_key(host, epoch, lane as u8), row)?;
            }
        }
        Ok(())
    }

    pub(crate) fn put(&mut self, key: MarkKey, row: LaneRow) -> Result<(), FileError> {
        self.marks
            .insert(key.as_slice(), row.encode().as_slice())
            .map_err(FileError::database("write a mark", self.path))?;
        self.written.push((key, row));
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: &MarkKey) -> Result<(), FileError> {
        self.marks.remove(key.as_slice()).map_err(FileError::database("remove a mark", self.path))?;
        Ok(())
    }

    pub(crate) fn damaged(&self) -> FileError {
        FileError::damaged(self.path, "a row of table marks has the wrong length")
    }

    pub(crate) fn path(&self) -> &'t Path {
        self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_next_seq_is_taken() {
        let known = Standing::Known { seq: 4 };
        assert_eq!(judge_batch(Standing::New, 1), Verdict::Take { from: 1, mark: 1, expired: false });
        assert_eq!(judge_batch(Standing::New, 2), Verdict::NotNext { mark: 0 });
        assert_eq!(judge_batch(known, 5), Verdict::Take { from: 5, mark: 5, expired: false });
        assert_eq!(judge_batch(known, 4), Verdict::Repeat { mark: 4 });
        assert_eq!(judge_batch(known, 6), Verdict::NotNext { mark: 4 });
        assert_eq!(judge_batch(known, u64::MAX), Verdict::NotNext { mark: 4 });
    }

    #[test]
    fn a_gap_continues_the_mark_or_is_cut_to_it() {
        let known = Standing::Known { seq: 4 };
        assert_eq!(judge_gap(known, 5, 9), Verdict::Take { from: 5, mark: 9, expired: false });
        assert_eq!(judge_gap(known, 2, 9), Verdict::Take { from: 5, mark: 9, expired: false });
        assert_eq!(judge_gap(known, 2, 4), Verdict::Repeat { mark: 4 });
        assert_eq!(judge_gap(known, 6, 9), Verdict::NotNext { mark: 4 });
    }

    #[test]
    fn a_forgotten_epoch_moves_by_gaps_only() {
        let new = Standing::Expired { seq: 0, floor_ms: 50 };
        assert_eq!(judge_batch(new, 57), Verdict::Expired { floor_ms: 50 });
        assert_eq!(judge_gap(new, 57, 57), Verdict::Take { from: 57, mark: 57, expired: true });
        let moved = Standing::Expired { seq: 57, floor_ms: 50 };
        assert_eq!(judge_batch(moved, 57), Verdict::Repeat { mark: 57 });
        assert_eq!(judge_batch(moved, 58), Verdict::Expired { floor_ms: 50 });
    }

    #[test]
    fn a_tick_above_the_mark_is_taken_even_when_some_were_skipped() {
        assert_eq!(judge_tick(Standing::New, 0), Verdict::Take { from: 0, mark: 0, expired: false });
        assert_eq!(judge_tick(Standing::Known { seq: 7 }, 7), Verdict::Repeat { mark: 7 });
        assert_eq!(judge_tick(Standing::Known { seq: 7 }, 12), Verdict::Take { from: 12, mark: 12, expired: false });
    }
}
