//! Where one lane of one epoch stands within a session.

use muster_common::time::Timestamp;

/// What to do with the batch that was just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is mark + 1, counting what is on its way to the disk.
    Take,
    /// Durable already: ack the mark again.
    Repeat,
    /// On its way to the disk: its ack will come.
    UnderWay,
    /// Not its turn, and the agent does not know yet: tell it the mark.
    AskRewind,
    /// Not its turn, and the agent was told.
    Discard,
}

/// Seqs of one lane: what is durable and what is expected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    /// Everything up to here is durable.
    pub(super) mark: u64,
    /// The seq to take next. 0: an epoch that hello did not list, of which the store will say where it stands.
    next: u64,
    /// Since when batches are discarded because the agent must rewind.
    discarding: Option<Timestamp>,
    /// Nothing of it is taken any more in this session: the agent was told positions and goes on in another epoch (rule 13).
    is_closed: bool,
}

impl Track {
    pub(super) fn at(mark: u64) -> Self {
        Self { mark, next: mark.saturating_add(1), discarding: None, is_closed: false }
    }

    pub(super) fn unknown() -> Self {
        Self { mark: 0, next: 0, discarding: None, is_closed: false }
    }

    pub(super) fn turn(&self, seq: u64, to: u64) -> Turn {
        if self.is_closed {
            Turn::Discard
        } else if to <= self.mark {
            Turn::Repeat
        } else if self.next == 0 || (seq <= self.next && to >= self.next) {
            Turn::Take
        } else if to < self.next {
            Turn::UnderWay
        } else if self.discarding.is_some() {
            Turn::Discard
        } else {
            Turn::AskRewind
        }
    }

    /// The first seq of a range that is to be taken: what stands before it is durable or on its way.
    pub(super) fn start(&self, seq: u64) -> u64 {
        seq.max(self.next)
    }

    pub(super) fn took(&mut self, to: u64) {
        self.next = to.saturating_add(1);
        self.discarding = None;
    }

    /// From now on everything but the expected seq is discarded.
    pub(super) fn discard(&mut self, now: Timestamp) {
        self.discarding.get_or_insert(now);
    }

    /// Since when the agent was told to rewind and has not; of a closed lane nothing is expected.
    pub(super) fn discarding(&self) -> Option<Timestamp> {
        self.discarding.filter(|_| !self.is_closed)
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Everything up to `mark` is durable.
    pub(super) fn advance(&mut self, mark: u64) {
        self.mark = self.mark.max(mark);
        if self.next != 0 {
            self.next = self.next.max(self.mark.saturating_add(1));
        }
    }

    /// The store stands here, whatever was expected: what was sent after it is lost to this session and must come again.
    pub(super) fn reset(&mut self, mark: u64, now: Timestamp) {
        self.mark = mark;
        self.next = mark.saturating_add(1);
        self.discard(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mark_plus_one_is_taken() {
        let now = Timestamp::from_millis(0);
        let mut track = Track::at(4);
        let cases =
            [(3, 3, Turn::Repeat), (4, 4, Turn::Repeat), (5, 5, Turn::Take), (5, 9, Turn::Take), (3, 7, Turn::Take)];
        for (seq, to, turn) in cases {
            assert_eq!(track.turn(seq, to), turn, "{seq} to {to}");
        }
        assert_eq!(track.turn(6, 6), Turn::AskRewind);
        track.took(6);
        assert_eq!(
            (track.turn(5, 5), track.turn(6, 6), track.turn(7, 7)),
            (Turn::UnderWay, Turn::UnderWay, Turn::Take)
        );
        assert_eq!((track.turn(6, 8), track.start(6)), (Turn::Take, 7));
        track.discard(now);
        assert_eq!((track.turn(8, 8), track.turn(7, 7)), (Turn::Discard, Turn::Take));
        track.advance(6);
        assert_eq!(track.turn(6, 6), Turn::Repeat);
        track.reset(2, now);
        assert_eq!((track.turn(3, 3), track.turn(4, 4)), (Turn::Take, Turn::Discard));
    }

    #[test]
    fn of_a_closed_lane_nothing_is_taken_and_nothing_is_waited_for() {
        let mut track = Track::at(4);
        track.discard(Timestamp::from_millis(0));
        track.close();
        assert_eq!([3, 5, 9].map(|seq| track.turn(seq, seq)), [Turn::Discard; 3]);
        assert_eq!(track.discarding(), None);
    }

    #[test]
    fn an_epoch_that_hello_did_not_list_starts_where_the_agent_says() {
        let mut track = Track::unknown();
        assert_eq!(track.turn(7, 7), Turn::Take);
        track.took(7);
        assert_eq!((track.turn(8, 8), track.turn(9, 9)), (Turn::Take, Turn::AskRewind));
        assert_eq!(track.turn(u64::MAX, u64::MAX), Turn::AskRewind);
    }
}
