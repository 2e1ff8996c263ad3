//! Rule 8: what hello does to the marks of its host.

use muster_common::host::HostId;
use muster_common::wire::message::{Epoch, Lane};
use redb::ReadableTable;

use super::marks::MarkTables;
use super::tables::{CLOSED, ClosedRow, LaneRow, epoch_and_lane, mark_key};
use crate::append::MarkRow;
use crate::config::Config;
use crate::error::FileError;

/// What hello found and changed.
pub(crate) struct Greeted {
    pub(crate) marks: Vec<MarkRow>,
    pub(crate) changed: bool,
    /// Closed epochs that went although an older one is open.
    pub(crate) forced: u64,
}

/// Rows of one host, in the order of epochs.
struct HostRows {
    open: Vec<(Epoch, Lane, LaneRow)>,
    closed: Vec<(Epoch, ClosedRow)>,
}

/// Opens what is listed, closes what is not, forgets closed epochs that are too old or too many and raises the floor past them.
pub(crate) fn greet(
    tables: &mut MarkTables<'_>,
    host: HostId,
    held: &[Epoch],
    now_ms: i64,
    config: &Config,
) -> Result<Greeted, FileError> {
    let path = tables.path();
    let mut rows = read(tables, host)?;
    let mut changed = false;
    // Listed after all: a reverted machine. Its marks are what tells it so.
    for (epoch, row) in rows.closed.extract_if(.., |(epoch, _)| held.contains(epoch)) {
        tables.reopen(host, epoch, row)?;
        rows.open.extend(Lane::ALL.iter().filter_map(|&lane| Some((epoch, lane, row.lane(lane)?))));
        changed = true;
    }
    for (epoch, lane, row) in rows.open.extract_if(.., |(epoch, ..)| !held.contains(epoch)) {
        tables.remove(&mark_key(host, epoch, lane as u8))?;
        match rows.closed.last_mut() {
            Some((last, closed)) if *last == epoch => closed.add(lane, row),
            _ => {
                let mut closed = ClosedRow { closed_ms: now_ms, arrived_ms: row.arrived_ms, ..ClosedRow::default() };
                closed.add(lane, row);
                rows.closed.push((epoch, closed));
            }
        }
        changed = true;
    }
    rows.closed.sort_by_key(|(epoch, _)| *epoch);
    for (epoch, row) in rows.closed.iter().filter(|(_, row)| row.closed_ms == now_ms) {
        let key = mark_key(host, *epoch, CLOSED);
        tables
            .marks
            .insert(key.as_slice(), row.encode().as_slice())
            .map_err(FileError::database("write a mark", path))?;
    }
    let forgotten = forget(tables, host, held, &rows.closed, now_ms, config)?;
    changed |= forgotten.any;
    rows.open.sort_by_key(|(epoch, lane, _)| (*epoch, *lane));
    let marks = rows.open.iter();
    let marks = marks.map(|&(epoch, lane, row)| MarkRow { epoch, lane, seq: row.seq, arrived_ms: row.arrived_ms });
    Ok(Greeted { marks: marks.collect(), changed, forced: forgotten.forced })
}

/// The epochs to forget, oldest first: aged out or beyond the number kept, but not one that is not older than every open epoch, since
/// the floor, which then stands for it, would pass an open one. Beyond the hard bound that counts no more: an open epoch that has a mark
/// is known whatever the floor is, and what comes of one that has none becomes a gap `expired`.
pub(crate) fn forgettable(closed: &[(Epoch, i64)], held: &[Epoch], now_ms: i64, config: &Config) -> Vec<Epoch> {
    let oldest_open_ms = held.iter().map(|epoch| epoch.created_ms()).min().unwrap_or(i64::MAX);
    let age_ms = i64::try_from(config.epoch_age.as_millis()).unwrap_or(i64::MAX);
    let beyond = closed.len().saturating_sub(config.epochs_closed_max);
    let far_beyond = closed.len().saturating_sub(config.epochs_closed_hard_max);
    let out = closed.iter().enumerate().filter(|(place, (epoch, closed_ms))| {
        let old = now_ms.saturating_sub(*closed_ms) > age_ms;
        *place < far_beyond || ((old || *place < beyond) && epoch.created_ms() < oldest_open_ms)
    });
    out.map(|(_, (epoch, _))| *epoch).collect()
}

struct Forgotten {
    any: bool,
    forced: u64,
}

fn forget(
    tables: &mut MarkTables<'_>,
    host: HostId,
    held: &[Epoch],
    closed: &[(Epoch, ClosedRow)],
    now_ms: i64,
    config: &Config,
) -> Result<Forgotten, FileError> {
    let ages: Vec<(Epoch, i64)> = closed.iter().map(|(epoch, row)| (*epoch, row.closed_ms)).collect();
    let gone = forgettable(&ages, held, now_ms, config);
    for epoch in &gone {
        tables.remove(&mark_key(host, *epoch, CLOSED))?;
    }
    if let Some(newest) = gone.iter().map(|epoch| epoch.created_ms()).max() {
        let floor_ms = tables.floor(host)?.map_or(newest, |floor| floor.max(newest));
        let path = tables.path();
        tables.floors.insert(&host.0, floor_ms).map_err(FileError::database("write a floor", path))?;
    }
    let oldest_open_ms = held.iter().map(|epoch| epoch.created_ms()).min().unwrap_or(i64::MAX);
    let forced = gone.iter().filter(|epoch| epoch.created_ms() >= oldest_open_ms).count() as u64;
    Ok(Forgotten { any: !gone.is_empty(), forced })
}

fn read(tables: &MarkTables<'_>, host: HostId) -> Result<HostRows, FileError> {
    let (first, last) = (mark_key(host, Epoch([0; 16]), 0), mark_key(host, Epoch([0xff; 16]), CLOSED));
    let mut rows = HostRows { open: Vec::new(), closed: Vec::new() };
    let found = tables.marks.range(first.as_slice()..=last.as_slice());
    for row in found.map_err(FileError::database("read marks", tables.path()))? {
        let (key, value) = row.map_err(FileError::database("read marks", tables.path()))?;
        let (epoch, lane) = epoch_and_lane(key.value()).ok_or_else(|| tables.damaged())?;
        match Lane::from_u8(lane) {
            Some(lane) => {
                let row = LaneRow::decode(value.value()).ok_or_else(|| tables.damaged())?;
                rows.open.push((epoch, lane, row));
            }
            None => {
                let row = ClosedRow::decode(value.value()).ok_or_else(|| tables.damaged())?;
                rows.closed.push((epoch, row));
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_epochs_go_by_age_and_number_but_never_past_an_open_one() {
        let mut config = Config::new("x");
        config.epochs_closed_max = 2;
        let day = 86_400_000;
        let epoch = |created_ms| Epoch::new(created_ms, 1);
        let closed = [(epoch(10), 0), (epoch(20), 5 * day), (epoch(30), 6 * day), (epoch(40), 7 * day)];
        // 10 is over 7 days old; 10 and 20 are beyond the two kept.
        assert_eq!(forgettable(&closed, &[epoch(50)], 8 * day, &config), [epoch(10), epoch(20)]);
        assert_eq!(forgettable(&closed, &[epoch(20), epoch(50)], 8 * day, &config), [epoch(10)]);
        assert_eq!(forgettable(&closed, &[epoch(5)], 8 * day, &config), []);
        assert_eq!(forgettable(&closed, &[], 8 * day, &config), [epoch(10), epoch(20)]);
        config.epochs_closed_hard_max = 3;
        assert_eq!(forgettable(&closed, &[epoch(5)], 8 * day, &config), [epoch(10)], "the hard bound is one");
    }
}
