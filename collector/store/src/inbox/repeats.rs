//! Rule 25: hashes of HTTP bodies, so that a body sent again within 15 min is not counted again.
//!
//! The table in the inbox file decides; memory only keeps the order of arrival, to know which rows are the oldest.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use muster_common::time::Timestamp;
use redb::{ReadableTable, Table};

use super::tables::REPEATS;
use crate::append::Position;
use crate::config::Config;
use crate::error::FileError;

/// The rows of the active file, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    order: VecDeque<(i64, u128)>,
}

type RepeatTable<'t> = Table<'t, &'static [u8; 16], (i64, u64, u64)>;

impl Repeats {
    /// From the rows of a file, in any order.
    pub(crate) fn load(rows: impl Iterator<Item = (u128, i64)>) -> Self {
        let mut order: Vec<(i64, u128)> = rows.map(|(body, arrived_ms)| (arrived_ms, body)).collect();
        order.sort_unstable();
        Self { order: order.into() }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// After a commit: these are there now.
    pub(crate) fn add(&mut self, bodies: &[u128], arrived_ms: i64) {
        self.order.extend(bodies.iter().map(|&body| (arrived_ms, body)));
    }

    /// After a commit: these places were seen to.
    pub(crate) fn drop_oldest(&mut self, count: usize) {
        self.order.drain(..count.min(self.order.len()));
    }

    /// The places that must go so that `new` more stay within the bound: (arrival, body). A body that came again after the window
    /// has a second place, and the row is of that one.
    fn oldest_beyond(&self, new: usize, config: &Config) -> impl Iterator<Item = (i64, u128)> + '_ {
        let beyond = (self.order.len() + new).saturating_sub(config.repeat_rows_max);
        self.order.iter().take(beyond).copied()
    }

    /// Removes the rows of the oldest places so that `new` more stay within the bound.
    pub(crate) fn evict(
        &self,
        table: &mut RepeatTable<'_>,
        new: usize,
        config: &Config,
        path: &Path,
    ) -> Result<Evicted, FileError> {
        let mut evicted = Evicted::default();
        for (arrived_ms, body) in self.oldest_beyond(new, config) {
            let key = body.to_le_bytes();
            let row = table.get(&key).map_err(FileError::database("read a repeat row", path))?;
            let is_of_place = row.is_some_and(|row| row.value().0 == arrived_ms);
            evicted.places += 1;
            if is_of_place {
                table.remove(&key).map_err(FileError::database("remove a repeat row", path))?;
                evicted.rows += 1;
            }
        }
        Ok(evicted)
    }
}

/// What [`Repeats::evict`] came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evicted {
    pub(crate) places: usize,
    pub(crate) rows: usize,
}

/// Whether this body was committed within the window.
pub(crate) fn is_repeat(
    table: &RepeatTable<'_>,
    body: u128,
    now: Timestamp,
    age: Duration,
    path: &Path,
) -> Result<bool, FileError> {
    let found = table.get(&body.to_le_bytes()).map_err(FileError::database("read a repeat row", path))?;
    Ok(found.is_some_and(|row| is_live(row.value().0, now, age)))
}

/// Whether a row of this arrival still counts.
pub(crate) fn is_live(arrived_ms: i64, now: Timestamp, age: Duration) -> bool {
    now.since(Timestamp::from_millis(arrived_ms)) < age
}

/// Remembers a body where it was committed.
pub(crate) fn remember(
    table: &mut RepeatTable<'_>,
    body: u128,
    now: Timestamp,
    at: Position,
    path: &Path,
) -> Result<(), FileError> {
    let row = (now.millis(), at.generation, at.entry);
    table.insert(&body.to_le_bytes(), row).map_err(FileError::database("write a repeat row", path))?;
    Ok(())
}

/// Opens the table in a transaction.
pub(crate) fn open_table<'t>(
    transaction: &'t redb::WriteTransaction,
    path: &Path,
) -> Result<RepeatTable<'t>, FileError> {
    transaction.open_table(REPEATS).map_err(FileError::database("open table repeats", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_rows_go_first() {
        let mut repeats = Repeats::load([(7, 30), (5, 10), (6, 20)].into_iter());
        let mut config = Config::new("x");
        config.repeat_rows_max = 3;
        assert_eq!(repeats.oldest_beyond(2, &config).collect::<Vec<_>>(), [(10, 5), (20, 6)]);
        repeats.drop_oldest(2);
        repeats.add(&[8, 9], 40);
        assert_eq!((repeats.len(), repeats.oldest_beyond(0, &config).count()), (3, 0));
    }
}
