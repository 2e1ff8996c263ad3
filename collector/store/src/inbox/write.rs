//! One commit: judge every append inside the transaction, write what is taken, make it durable, then show it.

use std::path::Path;
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::time::{Timestamp, monotonic};
use muster_common::wire::message::{Epoch, Lane};
use redb::{Durability, WriteTransaction};

use super::marks::{MarkTables, Standing, Verdict, judge_batch, judge_gap, judge_tick};
use super::positions::{self, Layers, Lost, Moved};
use super::repeats::Evicted;
use super::tables::{ENTRIES, LaneRow, SERIES, mark_key};
use super::{Inbox, epochs, file, pieces, repeats};
use crate::append::{
    Append, GapRecord, MarkRow, OWN_HOST, Outcome, Position, Record, ReplayEntry, SampleBlock, Source, StateRecord,
};
use crate::error::{CommitError, FileError};
use crate::logs::tail::LineArrival;
use crate::planted::{Planted, is_planted};
use crate::shared::add;
use crate::table::Cached;

/// What a transaction will have done once it is durable.
#[derive(Default)]
struct Staged<'a> {
    outcomes: Vec<Outcome>,
    taken: Vec<Taken<'a>>,
    bodies: Vec<u128>,
    evicted: Evicted,
    moved: Moved,
    pieces: u64,
    series_blocks: u32,
    bytes: u64,
}

/// An append that is taken: its slots by sample block, its records of small state with cuts applied.
struct Taken<'a> {
    append: &'a Append,
    entry: u64,
    slots: Vec<Arc<[u32]>>,
    lost: Vec<Lost>,
    state: Vec<StateRecord>,
}

/// How an append was judged.
enum Judged {
    /// `from`: of a gap that is cut.
    Take {
        from: u64,
        lost: Vec<Lost>,
    },
    Refuse(Outcome),
}

impl Inbox {
    /// One durable transaction for all of them.
    pub(crate) fn commit(&mut self, appends: &[Append], now: Timestamp) -> Result<Vec<Outcome>, CommitError> {
        for (place, append) in appends.iter().enumerate() {
            if let Some(reason) = append.malformed() {
                return Err(CommitError::Malformed { append: place, reason });
            }
        }
        let begun = monotonic();
        self.ready().map_err(|error| self.failed(error, now))?;
        if self.is_due(now) {
            self.seal(now)?;
        }
        let staged = self.write(appends, now).map_err(|error| self.failed(error, now))?;
        let outcomes = self.show(staged, now);
        let counters = &self.shared.counters;
        add(&counters.commits, 1);
        add(&counters.commit_micros, u64::try_from((monotonic() - begun).as_micros()).unwrap_or(u64::MAX));
        Ok(outcomes)
    }

    /// Rule 8 for one host; answers the marks of the listed epochs.
    pub(crate) fn hello(&mut self, host: HostId, held: &[Epoch], now: Timestamp) -> Result<Vec<MarkRow>, CommitError> {
        self.ready().map_err(|error| self.failed(error, now))?;
        self.greet(host, held, now).map_err(|error| self.failed(error, now))
    }

    fn failed(&mut self, error: FileError, now: Timestamp) -> CommitError {
        self.fail(&error, now);
        CommitError::Unknown(error)
    }

    fn greet(&mut self, host: HostId, held: &[Epoch], now: Timestamp) -> Result<Vec<MarkRow>, FileError> {
        let path = self.active.path.clone();
        let transaction = self.begin(&path)?;
        let greeted = {
            let mut tables = MarkTables::open(&transaction, &path)?;
            epochs::greet(&mut tables, host, held, now.millis(), &self.shared.config)?
        };
        if greeted.changed {
            transaction.commit().map_err(FileError::database("commit", &path))?;
            add(&self.shared.counters.epochs_forced, greeted.forced);
        } else {
            transaction.abort().map_err(FileError::database("end a transaction", &path))?;
        }
        Ok(greeted.marks)
    }

    /// Takes all marks and positions of a host away: it is retired, no certificate will bring it back.
    pub(crate) fn forget(&mut self, host: HostId, now: Timestamp) -> Result<(), CommitError> {
        self.ready().map_err(|error| self.failed(error, now))?;
        self.forget_marks(host).map_err(|error| self.failed(error, now))
    }

    fn forget_marks(&mut self, host: HostId) -> Result<(), FileError> {
        let path = self.active.path.clone();
        let transaction = self.begin(&path)?;
        {
            let mut tables = MarkTables::open(&transaction, &path)?;
            let (first, last) = (mark_key(host, Epoch([0; 16]), 0), mark_key(host, Epoch([0xff; 16]), 0xff));
            let whole = first.as_slice()..=last.as_slice();
            tables.marks.retain_in(whole, |_, _| false).map_err(FileError::database("remove marks", &path))?;
            tables.floors.remove(&host.0).map_err(FileError::database("remove a floor", &path))?;
        }
        positions::forget(&transaction, host, &path)?;
        transaction.commit().map_err(FileError::database("commit", &path))?;
        self.forgot_positions(host);
        Ok(())
    }

    /// The hosts of the mark tables.
    pub(crate) fn marked_hosts(&mut self, now: Timestamp) -> Result<Vec<HostId>, CommitError> {
        self.ready().map_err(|error| self.failed(error, now))?;
        self.read_marked_hosts().map_err(|error| self.failed(error, now))
    }

    fn read_marked_hosts(&self) -> Result<Vec<HostId>, FileError> {
        let path = &self.active.path;
        let Some(database) = &self.active.database else { return Ok(Vec::new()) };
        file::marked_hosts(&file::begin_read(database, path)?, path)
    }

    fn begin(&self, path: &Path) -> Result<WriteTransaction, FileError> {
        let database = self.active.database.as_ref();
        // `ready` came before; without a handle nothing can be said of the file.
        let database = database.ok_or_else(|| FileError::damaged(path, "it is not open"))?;
        database.begin_write().map_err(FileError::database("begin a transaction", path))
    }

    fn write<'a>(&mut self, appends: &'a [Append], now: Timestamp) -> Result<Staged<'a>, FileError> {
        let path = self.active.path.clone();
        let mut transaction = self.begin(&path)?;
        let mut staged = Staged::default();
        let mut late_marks = Vec::new();
        self.judge_all(&transaction, appends, now, &mut staged, &mut late_marks)?;
        if is_planted(&self.shared.config, Planted::MarkOutsideTransaction) && !staged.taken.is_empty() {
            transaction.abort().map_err(FileError::database("end a transaction", &path))?;
            transaction = self.begin(&path)?;
        } else {
            late_marks.clear();
        }
        if staged.taken.is_empty() {
            transaction.abort().map_err(FileError::database("end a transaction", &path))?;
            return Ok(staged);
        }
        self.write_series(&transaction, &mut staged)?;
        self.write_blob(&transaction, &mut staged)?;
        let apart = is_planted(&self.shared.config, Planted::PositionApartFromData);
        if !apart {
            positions::write(&transaction, &staged.moved, &path)?;
        }
        if is_planted(&self.shared.config, Planted::AckBeforeCommit) && self.active.next_entry.is_multiple_of(2) {
            // A planted bug does not care for the reason of a refusal.
            let _ = transaction.set_durability(Durability::None);
        }
        transaction.commit().map_err(FileError::database("commit", &path))?;
        if apart {
            let transaction = self.begin(&path)?;
            positions::write(&transaction, &staged.moved, &path)?;
            transaction.commit().map_err(FileError::database("commit", &path))?;
        }
        if !late_marks.is_empty() {
            let transaction = self.begin(&path)?;
            let mut tables = MarkTables::open(&transaction, &path)?;
            for (key, row) in late_marks {
                tables.put(key, row)?;
            }
            drop(tables);
            transaction.commit().map_err(FileError::database("commit", &path))?;
        }
        Ok(staged)
    }

    fn judge_all<'a>(
        &mut self,
        transaction: &WriteTransaction,
        appends: &'a [Append],
        now: Timestamp,
        staged: &mut Staged<'a>,
        written: &mut Vec<([u8; 33], LaneRow)>,
    ) -> Result<(), FileError> {
        let path = self.active.path.clone();
        let mut marks = MarkTables::open(transaction, &path)?;
        let mut bodies = repeats::open_table(transaction, &path)?;
        for append in appends {
            let entry = self.active.next_entry + staged.taken.len() as u64;
            let position = Position { generation: self.active.generation, entry };
            let judged = match append.source {
                Source::Http { body, stamped } => {
                    let age = self.shared.config.repeat_age;
                    if stamped && repeats::is_repeat(&bodies, body, now, age, &path)? {
                        Judged::Refuse(Outcome::RepeatedBody)
                    } else {
                        if stamped {
                            repeats::remember(&mut bodies, body, now, position, &path)?;
                            staged.bodies.push(body);
                        }
                        Judged::Take { from: 0, lost: Vec::new() }
                    }
                }
                _ => judge(&mut marks, &self.layers(), append, now, &mut staged.moved)?,
            };
            staged.outcomes.push(match judged {
                Judged::Refuse(outcome) => outcome,
                Judged::Take { from, lost } => {
                    let slots = self.resolve(append);
                    let state = state_records(append, from, &lost);
                    staged.taken.push(Taken { append, entry, slots, lost, state });
                    Outcome::Committed { position }
                }
            });
        }
        let repeats = &self.active.repeats;
        staged.evicted = repeats.evict(&mut bodies, staged.bodies.len(), &self.shared.config, &path)?;
        *written = std::mem::take(&mut marks.written);
        Ok(())
    }

    /// The slots of an append's tables; a table that this file has seen whole costs no look-up.
    fn resolve(&mut self, append: &Append) -> Vec<Arc<[u32]>> {
        let index = &self.active.head.index;
        let registered = &mut self.active.registered;
        let blocks = append.records.iter().filter_map(|record| match record {
            Record::Samples(block) => Some(block.table()),
            _ => None,
        });
        let resolve = |table: &Arc<crate::table::SeriesTable>| {
            let cached = table.cached();
            if cached.index == index.number() && cached.registered == registered.number {
                return cached.slots;
            }
            let slots = if cached.index == index.number() {
                cached.slots
            } else {
                index.assign(table.series(), &mut |slot| registered.unset(slot))
            };
            slots.iter().for_each(|&slot| registered.want(slot));
            // Should the transaction fail, the registration gets another number and this is void.
            table.remember(Cached { index: index.number(), slots: slots.clone(), registered: registered.number });
            slots
        };
        blocks.map(resolve).collect()
    }

    fn write_series(&mut self, transaction: &WriteTransaction, staged: &mut Staged<'_>) -> Result<(), FileError> {
        let active = &self.active;
        if active.registered.fresh().is_empty() {
            return Ok(());
        }
        let path = &active.path;
        let series = active.head.index.get_all(active.registered.fresh());
        let rows = series.iter().map(|(slot, one)| (*slot, &*one.labels, one.kind));
        let blocks = file::encode_series(active.next_series_block, rows, &mut self.squeezer)
            .map_err(FileError::disk("compress series for", path))?;
        let mut table = transaction.open_table(SERIES).map_err(FileError::database("open table series", path))?;
        for block in &blocks {
            let number = active.next_series_block + staged.series_blocks;
            table.insert(number, block.as_slice()).map_err(FileError::database("write series", path))?;
            staged.series_blocks += 1;
            staged.bytes += block.len() as u64;
        }
        Ok(())
    }

    fn write_blob(&mut self, transaction: &WriteTransaction, staged: &mut Staged<'_>) -> Result<(), FileError> {
        let path = &self.active.path;
        self.encoder.begin(self.active.next_entry);
        for taken in &staged.taken {
            self.encoder.add(taken.append, &taken.slots, &taken.state, &taken.lost);
        }
        let blob = self.encoder.finish().map_err(FileError::disk("compress entries for", path))?;
        let mut table = transaction.open_table(ENTRIES).map_err(FileError::database("open table entries", path))?;
        for piece in pieces::cut(self.active.next_piece, blob) {
            let key = self.active.next_piece + staged.pieces;
            table.insert(key, piece.as_slice()).map_err(FileError::database("write entries", path))?;
            staged.pieces += 1;
            staged.bytes += piece.len() as u64;
        }
        Ok(())
    }

    /// After the commit: memory follows the file, then the head, then the view.
    fn show(&mut self, staged: Staged<'_>, now: Timestamp) -> Vec<Outcome> {
        let active = &mut self.active;
        active.next_entry += staged.taken.len() as u64;
        active.next_piece += staged.pieces;
        active.next_series_block += staged.series_blocks;
        active.bytes += staged.bytes;
        active.registered.committed();
        active.repeats.drop_oldest(staged.evicted.places);
        active.repeats.add(&staged.bodies, now.millis());
        active.positions.take(staged.moved);
        let mut samples = 0;
        let arrival = LineArrival { generation: active.generation, block: active.head.logs.arrived() };
        for taken in &staged.taken {
            active.first_at.get_or_insert(now);
            samples += append_to_head(active, taken);
            if !taken.state.is_empty() {
                active.last_state = Some(taken.entry);
                self.entries.push(ReplayEntry {
                    position: Position { generation: active.generation, entry: taken.entry },
                    arrived: taken.append.arrived,
                    live: taken.append.live,
                    records: taken.state.clone(),
                });
            }
        }
        let counters = &self.shared.counters;
        if !staged.taken.is_empty() {
            self.shared.published.arrived(&active.head);
            self.shared.note_lines(arrival, staged.taken.iter().flat_map(|taken| &taken.append.records));
            add(&counters.appends_committed, staged.taken.len() as u64);
            add(&counters.samples_committed, samples);
            add(&counters.blob_bytes, staged.bytes);
            add(&counters.repeat_rows_evicted, staged.evicted.rows as u64);
        }
        counters.inbox_bytes.store(active.bytes, std::sync::atomic::Ordering::Relaxed);
        counters.repeat_rows.store(active.repeats.len() as u64, std::sync::atomic::Ordering::Relaxed);
        for outcome in &staged.outcomes {
            match outcome {
                Outcome::Committed { .. } => {}
                Outcome::Repeat { .. } => add(&counters.repeats, 1),
                Outcome::NotNext { .. } => add(&counters.not_next, 1),
                Outcome::Expired { .. } => add(&counters.expired, 1),
                Outcome::RepeatedBody => add(&counters.repeated_bodies, 1),
                Outcome::Misplaced { .. } => add(&counters.misplaced, 1),
            }
        }
        staged.outcomes
    }
}

/// Judges by the mark, then by positions, and moves both.
fn judge(
    marks: &mut MarkTables<'_>,
    layers: &Layers<'_>,
    append: &Append,
    now: Timestamp,
    moved: &mut Moved,
) -> Result<Judged, FileError> {
    let (host, epoch, lane) = match append.source {
        Source::Batch { host, epoch, lane, .. } | Source::Gap { host, epoch, lane, .. } => (host, epoch, lane),
        Source::Own { run, .. } => (OWN_HOST, run, Lane::P1),
        Source::Http { .. } => return Ok(Judged::Take { from: 0, lost: Vec::new() }),
    };
    let standing: Standing = marks.standing(host, epoch, lane)?;
    let verdict = match append.source {
        Source::Gap { from, to, .. } => judge_gap(standing, from, to),
        Source::Own { tick, .. } => judge_tick(standing, tick),
        Source::Batch { seq, .. } => judge_batch(standing, seq),
        Source::Http { .. } => return Ok(Judged::Take { from: 0, lost: Vec::new() }),
    };
    Ok(match verdict {
        Verdict::Repeat { mark } => Judged::Refuse(Outcome::Repeat { mark }),
        Verdict::NotNext { mark } => Judged::Refuse(Outcome::NotNext { mark }),
        Verdict::Expired { floor_ms } => Judged::Refuse(Outcome::Expired { floor_ms }),
        Verdict::Take { from, mark, expired } => {
            let lost = match layers.judge(append, now, moved) {
                Ok(lost) => lost,
                // Only a batch has ranges, and its mark was one below.
                Err(positions) => return Ok(Judged::Refuse(Outcome::Misplaced { mark: mark - 1, positions })),
            };
            let row = LaneRow { seq: mark, arrived_ms: now.millis(), expired };
            marks.put(mark_key(host, epoch, lane as u8), row)?;
            Judged::Take { from, lost }
        }
    })
}

/// The records of small state, in order; the gap that moves the mark says no more than it moved.
fn state_records(append: &Append, from: u64, lost: &[Lost]) -> Vec<StateRecord> {
    let cut = |gap: &GapRecord| {
        let mut gap = gap.clone();
        if let Source::Gap { host, epoch, lane, to, .. } = append.source
            && (gap.host, gap.epoch, gap.lane, gap.to) == (host, epoch, lane, to)
        {
            gap.from = gap.from.max(from);
        }
        StateRecord::Gap(gap)
    };
    let mut lost = lost.iter().peekable();
    let records = append.records.iter().enumerate().filter_map(|(place, record)| match record {
        Record::Gap(gap) => Some(cut(gap)),
        Record::Range(range) => {
            let lost = lost.next_if(|lost| lost.record == place)?;
            Some(range.loss(append.source.host()?, lost.bytes, lost.from_ms, append.arrived.millis()))
        }
        Record::Report(report) => Some(StateRecord::Report(report.clone())),
        _ => None,
    });
    records.collect()
}

fn append_to_head(active: &super::Active, taken: &Taken<'_>) -> u64 {
    for record in &taken.append.records {
        if let Record::Logs(block) = record {
            active.head.logs.append(block);
        }
    }
    let blocks = taken.append.records.iter().filter_map(|record| match record {
        Record::Samples(block) => Some(block),
        _ => None,
    });
    let mut samples = 0;
    for (block, slots) in blocks.zip(&taken.slots) {
        samples += block.samples() as u64;
        match block {
            SampleBlock::Rows { rows, .. } => {
                for row in rows {
                    match &row.present {
                        None => active.head.append_row(row.at_ms, slots.iter().copied(), &row.values),
                        Some(bits) => {
                            let present = slots.iter().enumerate().filter(|(i, _)| bits[i / 8] >> (i % 8) & 1 == 1);
                            active.head.append_row(row.at_ms, present.map(|(_, &slot)| slot), &row.values);
                        }
                    }
                }
            }
            SampleBlock::Points { points, .. } => {
                let points = points.iter().map(|point| (slots[point.series as usize], point.at_ms, point.value));
                active.head.append_points(points);
            }
        }
    }
    samples
}
