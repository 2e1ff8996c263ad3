//! Which checks and hosts stand otherwise since somebody looked: for who shows status as it changes and must not read all of it each time.
//!
//! There is one follower at a time. It is woken by a version, and takes what gathered since; if that was more than is kept, it is told so and
//! reads everything.

use std::collections::BTreeSet;

use muster_common::host::HostId;
use tokio::sync::watch;

use crate::fleet::Fleet;
use crate::status::CheckView;

/// Subjects kept for the follower: a result of every check of a large fleet, in some MB.
pub const MOVES_MAX: usize = 100_000;

/// What moved since it was asked last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusMoves {
    /// Host and check; an empty check stands for the host itself. What is no more is among them.
    pub subjects: BTreeSet<(HostId, String)>,
    /// There were more, or the book was read anew: anything may have moved.
    pub missed: bool,
}

/// What gathers.
pub(crate) struct Moves {
    version: watch::Sender<u64>,
    /// `None`: nobody follows.
    gathered: Option<StatusMoves>,
}

impl Moves {
    pub(crate) fn new() -> Self {
        Self { version: watch::Sender::new(0), gathered: None }
    }

    /// After the transaction that made them durable.
    pub(crate) fn tell(&mut self, moved: BTreeSet<(HostId, String)>) {
        if moved.is_empty() {
            return;
        }
        if let Some(gathered) = self.gathered.as_mut().filter(|gathered| !gathered.missed) {
            gathered.subjects.extend(moved);
            if gathered.subjects.len() > MOVES_MAX {
                *gathered = StatusMoves { subjects: BTreeSet::new(), missed: true };
            }
        }
        self.version.send_modify(|version| *version += 1);
    }

    /// The book was read anew.
    pub(crate) fn lost(&mut self) {
        if let Some(gathered) = &mut self.gathered {
            *gathered = StatusMoves { subjects: BTreeSet::new(), missed: true };
        }
        self.version.send_modify(|version| *version += 1);
    }
}

impl Fleet {
    /// A version that grows whenever a check, a host's absence or a downtime changes, to wait on.
    pub fn subscribe_status(&self) -> watch::Receiver<u64> {
        self.moves.lock().version.subscribe()
    }

    /// From now on what moves is gathered, until [`Self::unfollow_status`].
    pub fn follow_status(&self) {
        self.moves.lock().gathered = Some(StatusMoves::default());
    }

    pub fn unfollow_status(&self) {
        self.moves.lock().gathered = None;
    }

    /// What has moved since the last call, or since it is followed.
    pub fn take_status_moves(&self) -> StatusMoves {
        self.moves.lock().gathered.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// These checks as they stand; those that are no more are left out.
    pub fn checks_of<'k>(&self, wanted: impl IntoIterator<Item = &'k (HostId, String)>) -> Vec<CheckView> {
        let book = self.book.lock();
        wanted.into_iter().filter_map(|(host, check)| book.view(*host, check)).collect()
    }

    /// Every check that is not well: bad, soft or hard, or without news for too long.
    pub fn bad_checks(&self) -> Vec<CheckView> {
        self.book.lock().bad_views()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> (HostId, String) {
        (HostId([1; 16]), number.to_string())
    }

    #[test]
    fn what_moved_gathers_only_while_somebody_follows_and_is_bounded() {
        let mut moves = Moves::new();
        let seen = moves.version.subscribe();
        moves.tell([key(1)].into());
        assert!(moves.gathered.is_none() && seen.has_changed().unwrap());
        moves.gathered = Some(StatusMoves::default());
        moves.tell([key(1), key(2)].into());
        moves.tell([key(2)].into());
        let taken = moves.gathered.as_mut().map(std::mem::take).unwrap();
        assert_eq!(taken, StatusMoves { subjects: [key(1), key(2)].into(), missed: false });
        moves.tell((0..=MOVES_MAX).map(key).collect());
        moves.tell([key(1)].into());
        assert_eq!(moves.gathered, Some(StatusMoves { subjects: BTreeSet::new(), missed: true }));
    }
}
