//! Which epoch is written to, and its durability: rule 2 (durable before first use, new at every start, at every reconnect that finds a
//! backlog, after a step of the clock), and the bound on epochs that a hello may list.
//!
//! One table is under way to the disk at a time. While a new epoch is in it nothing is numbered, since the row of the one before then says
//! that it has ended.

use std::time::Duration;

use muster_common::limits::HELLO_EPOCHS_MAX;
use muster_common::wire::message::{Epoch, Lane};

use super::super::moment::Moment;
use super::run::{Run, row_of};
use super::{Note, Session};
use crate::own::DropReason;
use crate::spool::{EpochTable, SpoolRequest, StoreSeen, Trouble};

/// Seqs that one write of the table allows to be given out: 43 min at 10 s, and as far as a reverted machine may go unnoticed.
const RESERVE: u64 = 256;
/// The next write is asked for when this many are left.
const RESERVE_LEFT: u64 = 32;
/// Between two tries to write the table.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Losses are made durable at most this often.
const LOSS_EVERY: Duration = Duration::from_secs(30);
/// Above this many epochs a new one starts only where it must: one for priority's sake would make the bound below drop data.
const WISH_EPOCHS_MAX: usize = 16;
/// The same for reports, each of which may be a batch of its own: 40 min at 100 checks a minute.
const RESERVE_REPORTS: u64 = 4_096;
const RESERVE_REPORTS_LEFT: u64 = 128;
/// Room for the one being written and one that content moves to.
const HELD_MAX: usize = HELLO_EPOCHS_MAX - 2;

/// Why a new epoch should start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    /// Live batches should not stand behind these: a backlog exists at a reconnect.
    Backlog,
    ClockStep,
    /// Must, whatever the present one holds: a process start, a reverted machine, a restored store.
    Must,
}

/// What of the table is wanted and what is under way.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) wish: Option<Wish>,
    /// A batch made after the connection was lost starts a new epoch.
    pub(super) on_next_batch: bool,
    /// Something was dropped: how far seqs were given out is to be durable, so that even a crash leaves a gap that says so.
    pub(super) tells_loss: bool,
    pub(super) last_table: bool,
    pub(super) last_table_kept: Option<bool>,
    under_way: Option<Pending>,
    version: u64,
    retry_at: Duration,
    failed: bool,
    /// Why, until a write succeeds.
    pub(super) trouble: Option<Trouble>,
    kept_at: Duration,
}

/// What becomes true when the table under way is durable.
#[derive(Clone, Copy, Debug)]
struct Pending {
    version: u64,
    opening: Option<Epoch>,
    extended: Option<(Epoch, [u64; LANES.len()])>,
    moved: bool,
    last_table: bool,
    tells_loss: bool,
}

impl Keeping {
    pub(super) fn at_start() -> Self {
        Self {
            wish: Some(Wish::Must),
            on_next_batch: false,
            tells_loss: false,
            last_table: false,
            last_table_kept: None,
            under_way: None,
            version: 0,
            retry_at: Duration::ZERO,
            failed: false,
            trouble: None,
            kept_at: Duration::ZERO,
        }
    }

    pub(super) fn wish(&mut self, wish: Wish) {
        self.wish = self.wish.max(Some(wish));
    }

    /// Whether a new epoch is wanted or on its way.
    pub(super) fn is_opening(&self) -> bool {
        self.wish.is_some() || self.under_way.is_some_and(|pending| pending.opening.is_some())
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    pub(super) fn retry_at(&self) -> Option<Duration> {
        let due = if self.failed { Some(self.retry_at) } else { self.tells_loss.then(|| self.kept_at + LOSS_EVERY) };
        due.filter(|_| self.under_way.is_none())
    }
}

/// Lanes whose seqs the table reserves: lines have positions instead.
pub(super) const LANES: [Lane; 2] = [Lane::P0, Lane::P1];

/// Seqs of a lane that one write of the table allows, and how many are left when the next one is asked for.
fn reserve(lane: Lane) -> (u64, u64) {
    match lane {
        Lane::P0 => (RESERVE_REPORTS, RESERVE_REPORTS_LEFT),
        Lane::P1 | Lane::P2 => (RESERVE, RESERVE_LEFT),
    }
}

impl Session {
    /// Whether a batch may be numbered now.
    pub(super) fn may_number(&mut self, lane: Lane) -> bool {
        self.drop_idle_wish();
        if self.keeping.is_opening() || self.keeping.last_table {
            return false;
        }
        self.current_run(lane).is_some_and(|run| run.last < run.bound)
    }

    /// Whether what is gathered would be numbered now, or wait for the table: its write, or the next try at it, is then what is due.
    pub(super) fn could_number(&self, lane: Lane) -> bool {
        let current = self.runs.iter().find(|run| Some(run.epoch) == self.current && run.lane == lane);
        let has_room = current.is_some_and(|run| run.last < run.bound);
        has_room && !self.keeping.is_opening() && !self.keeping.last_table
    }

    /// Writes the table where something in it must change.
    pub(super) fn open_or_extend_epochs(&mut self, now: Moment) {
        self.drop_idle_wish();
        let opens = self.keeping.wish.is_some();
        let is_short = |run: &Run| run.bound.saturating_sub(run.last) <= reserve(run.lane).1;
        let extends = !opens && self.runs.iter().any(|run| Some(run.epoch) == self.current && is_short(run));
        let moved = self.moves.front().is_some_and(|first| first.is_ready());
        let last_table = self.keeping.last_table && self.keeping.last_table_kept.is_none();
        if self.keeping.is_under_way() || now.steady < self.keeping.retry_at {
            return;
        }
        let tells_loss = self.keeping.tells_loss && now.steady >= self.keeping.kept_at + LOSS_EVERY;
        if !(opens || extends || moved || last_table || tells_loss) {
            // What the failed write was for has gone: there is nothing to try again.
            (self.keeping.failed, self.keeping.trouble) = (false, None);
            return;
        }
        self.join_oldest();
        self.keeping.version += 1;
        let (version, tells_loss) = (self.keeping.version, self.keeping.tells_loss);
        let mut pending = Pending { version, opening: None, extended: None, moved, last_table, tells_loss };
        let mut table = EpochTable { store: self.store, rows: Vec::with_capacity(self.runs.len() + 2) };
        for runs in self.runs.chunk_by(|a, b| a.epoch == b.epoch) {
            // Once a new epoch opens or the process ends, no seq of the present one is given out any more.
            let open = Some(runs[0].epoch) == self.current && !opens && !self.keeping.last_table;
            let bound = |run: &Run| if extends { run.last.saturating_add(reserve(run.lane).0) } else { run.bound };
            if extends && open {
                let of = |lane: Lane| runs.iter().find(|run| run.lane == lane).map_or(0, bound);
                pending.extended = Some((runs[0].epoch, LANES.map(of)));
            }
            table.rows.extend(row_of(runs, open.then_some(&bound)));
        }
        if moved {
            self.moved_rows(&mut table);
        }
        if opens {
            let epoch = self.new_epoch(now);
            table.rows.extend(row_of(&new_runs(epoch), Some(&|run| run.bound)));
            pending.opening = Some(epoch);
            self.keeping.wish = None;
        }
        table.rows.sort_unstable_by_key(|row| row.epoch);
        self.keeping.tells_loss = false;
        self.keeping.under_way = Some(pending);
        let sync_first = moved || last_table;
        self.ask_spool(SpoolRequest::Keep { version, table, sync_first });
    }

    /// Whether one more epoch may start for order's sake alone.
    pub(super) fn has_room_for_epochs(&self) -> bool {
        self.epochs_held() < WISH_EPOCHS_MAX
    }

    /// A new epoch where the present one has given out nothing would change nothing but its name.
    fn drop_idle_wish(&mut self) {
        let unused = self.current.is_some_and(|epoch| !self.logs.is_stale(epoch))
            && self.runs.iter().filter(|run| Some(run.epoch) == self.current).all(|run| run.last == 0);
        let many = !self.has_room_for_epochs();
        if let Some(wish) = self.keeping.wish
            && wish < Wish::Must
            && (unused || (many && wish == Wish::Backlog && self.current.is_some()))
        {
            self.keeping.wish = None;
        }
    }

    /// Later than every epoch held, by name and by its random part, whatever the clock says.
    fn new_epoch(&mut self, now: Moment) -> Epoch {
        let newest = self.runs.iter().map(|run| run.epoch.created_ms()).max().unwrap_or(0);
        let created_ms = self.clock.corrected_ms(now).max(newest.saturating_add(1)).max(1);
        Epoch::new(created_ms, (self.random)())
    }

    /// The table under way is durable, or it is not: then what it would have allowed stays forbidden, and it is tried again.
    pub(super) fn kept(&mut self, now: Moment, version: u64, trouble: Option<Trouble>) {
        let Some(pending) = self.keeping.under_way.filter(|pending| pending.version == version) else { return };
        self.keeping.under_way = None;
        let before = std::mem::replace(&mut self.keeping.trouble, trouble);
        if let Some(trouble) = &self.keeping.trouble {
            if before.as_ref() != Some(trouble) {
                let trouble = trouble.clone();
                self.note(Note::EpochNotKept { trouble });
            }
            self.keeping.failed = true;
            self.keeping.retry_at = now.steady + RETRY_AFTER;
            self.keeping.tells_loss |= pending.tells_loss;
            if pending.opening.is_some() {
                self.keeping.wish(Wish::Must);
            }
            if pending.last_table {
                self.keeping.last_table_kept = Some(false);
            }
            return;
        }
        self.keeping.failed = false;
        self.keeping.kept_at = now.steady;
        if let Some((epoch, bounds)) = pending.extended {
            for (lane, bound) in LANES.into_iter().zip(bounds) {
                if let Some(run) = self.run(epoch, lane) {
                    run.bound = bound;
                }
            }
        }
        if let Some(epoch) = pending.opening {
            for run in self.runs.iter_mut().filter(|run| Some(run.epoch) == self.current) {
                run.bound = run.last;
                run.trim_contexts();
            }
            self.add_runs(new_runs(epoch));
            self.current = Some(epoch);
            self.keeping.on_next_batch = false;
            self.own.epochs_started.add(1);
        }
        if pending.moved {
            self.moved();
        }
        if pending.last_table {
            self.keeping.last_table_kept = Some(true);
        }
    }

    /// Before a hello would list too many: the oldest two become one gap, in the name of the younger.
    pub(super) fn join_oldest(&mut self) {
        while self.epochs_held() > HELD_MAX {
            let mut epochs = self.runs.chunk_by(|a, b| a.epoch == b.epoch).map(|runs| runs[0].epoch);
            let (Some(oldest), Some(younger)) = (epochs.next(), epochs.next()) else { return };
            let of_both = self.runs.iter().filter(|run| run.epoch == oldest || run.epoch == younger);
            if of_both.into_iter().any(|run| Some(run.epoch) == self.current || run.blocked) {
                return;
            }
            let mut lost = 0;
            let mut claims = Vec::new();
            for old in self.runs.extract_if(.., |run| run.epoch == oldest).collect::<Vec<_>>() {
                let Some(young) = self.runs.iter_mut().find(|run| run.epoch == younger && run.lane == old.lane) else {
                    continue;
                };
                lost += old.rest() + young.rest();
                let from_ms = if old.joined_from_ms != 0 { old.joined_from_ms } else { oldest.created_ms() };
                young.joined_from_ms = from_ms;
                if old.has_rest() && !young.has_rest() {
                    // A seq that no batch ever had, so that there is one to tell the loss by.
                    young.last += 1;
                    young.bound = young.bound.max(young.last);
                }
                claims.extend(old.ram.iter().chain(&young.ram).filter_map(|held| held.claim));
                young.ram.clear();
                young.spooled_last = 0;
            }
            self.own.drop_batches(DropReason::TooManyEpochs, lost);
            [oldest, younger].into_iter().for_each(|epoch| self.ask_spool(SpoolRequest::Forget { epoch }));
            // Their files are there still: they get another place.
            claims.into_iter().for_each(|claim| self.free_handed(claim.id));
        }
    }

    /// Remembers which store answered; whether it is another one, or another incarnation, than the one before.
    pub(super) fn saw_store(&mut self, seen: StoreSeen) -> bool {
        let before = self.store.replace(seen);
        if before.is_some_and(|before| before.store_id != seen.store_id) {
            self.note(Note::OtherStore);
        }
        before.is_some_and(|before| before != seen)
    }
}

/// Both lanes of an epoch that begins.
fn new_runs(epoch: Epoch) -> [Run; LANES.len()] {
    LANES.map(|lane| Run::new(epoch, lane, reserve(lane).0))
}
