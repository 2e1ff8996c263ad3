//! When tables are looked at. Pure: what time it is and what was heard come as arguments.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::sources::{Pace, SOURCES};

/// What is heard waits so long for more of its kind: an installation changes hundreds of files.
const GATHER: Duration = Duration::from_secs(2);
/// And no longer than this in all, together with the look.
const GATHER_MAX: Duration = Duration::from_secs(8);
/// Between two looks at a table of which is heard again and again: doubled each time, so that a host that is always changing costs as much as
/// one that is asked each minute, and a change is known within a minute.
const REST: Duration = Duration::from_secs(10);
const REST_MAX: Duration = Duration::from_secs(40);

/// So many tables side by side share a moment if they are looked at each minute: a wake with cold caches costs as much as a look.
const SIDE_BY_SIDE: usize = 10;

/// One table's turn; its place among [`SOURCES`] is its number.
#[derive(Clone, Debug)]
struct Turn {
    every: Duration,
    /// More often than the interval says.
    is_often: bool,
    /// When it comes although nothing is heard.
    due: Duration,
    /// First and last of what was heard since the last look.
    heard: Option<(Duration, Duration)>,
    /// Not before this for what is heard.
    rested: Duration,
    rest: Duration,
    looked: Option<Duration>,
}

/// The turns of all tables.
#[derive(Debug)]
pub(super) struct Schedule {
    turns: Vec<Turn>,
}

impl Schedule {
    /// All tables are due now; from then on each has its own part of the interval.
    pub(super) fn new(interval: Duration, now: Duration) -> Self {
        let turn = |pace: Pace| Turn {
            every: match pace {
                Pace::Interval => interval,
                Pace::Every(span) => span.min(interval),
            },
            is_often: pace != Pace::Interval,
            due: now,
            heard: None,
            rested: now,
            rest: REST,
            looked: None,
        };
        Self { turns: SOURCES.iter().map(|source| turn(source.pace)).collect() }
    }

    /// When the next table is due.
    pub(super) fn next(&self) -> Duration {
        self.turns.iter().map(Turn::when).min().unwrap_or(Duration::MAX)
    }

    /// The places of the tables that are due now; they are taken as looked at.
    pub(super) fn take(&mut self, now: Duration) -> Vec<usize> {
        let count = u32::try_from(self.turns.len()).unwrap_or(u32::MAX).max(1);
        let mut due = Vec::new();
        for (place, turn) in self.turns.iter_mut().enumerate() {
            if turn.when() <= now {
                let shared = if turn.is_often { place / SIDE_BY_SIDE * SIDE_BY_SIDE } else { place };
                let part = u32::try_from(shared).unwrap_or(0);
                turn.take(now, part, count);
                due.push(place);
            }
        }
        due
    }

    /// Something was heard of this table.
    pub(super) fn hear(&mut self, place: usize, now: Duration) {
        if let Some(turn) = self.turns.get_mut(place) {
            turn.heard = Some((turn.heard.map_or(now, |(first, _)| first), now));
        }
    }

    /// The collector wants this table: at once.
    pub(super) fn want(&mut self, place: usize, now: Duration) {
        if let Some(turn) = self.turns.get_mut(place) {
            turn.due = turn.due.min(now);
        }
    }
}

impl Turn {
    fn when(&self) -> Duration {
        let heard = self.heard.map(|(first, last)| (last + GATHER).min(first + GATHER_MAX).max(self.rested));
        heard.map_or(self.due, |heard| heard.min(self.due))
    }

    fn take(&mut self, now: Duration, part: u32, count: u32) {
        if self.heard.take().is_some() {
            let is_busy = self.looked.is_some_and(|looked| now.saturating_sub(looked) < 2 * self.rest);
            self.rest = if is_busy { (self.rest * 2).min(REST_MAX) } else { REST };
            self.rested = now + self.rest;
        }
        // The first of its own turns lies in its part of the interval, and from there on it stays.
        let first = self.looked.is_none();
        self.looked = Some(now);
        if first {
            self.due = now + self.every - self.every * part / count;
        } else if self.due <= now {
            // A machine that slept makes up for nothing.
            let late = now.saturating_sub(self.due).as_nanos() / self.every.as_nanos().max(1);
            self.due += self.every * u32::try_from(late + 1).unwrap_or(1);
        }
    }
}
