//! The newest messages, which every stream reads at its own pace. Pure.

use std::collections::VecDeque;

use axum::body::Bytes;

use super::topic::{Topic, Topics};

/// Messages kept: at 4 a second of each of 6 topics the last 3 minutes at the worst, hours usually. A page that slept for less goes on where it was.
const MESSAGES_MAX: usize = 4_096;
/// Bytes kept, of all topics together, whatever the number of streams.
const BYTES_MAX: usize = 8 << 20;
/// Bytes of one message: beyond, loading the list is cheaper than the difference.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// One message, whole as it is sent.
#[derive(Clone, Debug)]
struct Message {
    number: u64,
    topic: Topic,
    text: Bytes,
}

/// What a reader finds after a number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The next message of its topics, and its number.
    Message(u64, Bytes),
    /// All up to this number is read.
    Nothing(u64),
    /// Messages of some topic after its number are gone, or it was not followed all the time: the lists of these, and of those of which others
    /// wait, are to be loaded anew, and then all up to this number is read.
    Lost(Topics, u64),
}

pub(crate) struct Ring {
    messages: VecDeque<Message>,
    bytes: usize,
    /// What the next message gets.
    next: u64,
    /// By topic: what is known of it is whole from this number on; `None`: it is not followed.
    from: [Option<u64>; Topic::ALL.len()],
}

impl Ring {
    /// Numbers rise over restarts too where they begin with the time (ms) times a thousand: fewer messages than that are made.
    pub(crate) fn new(first: u64) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, next: first, from: [None; Topic::ALL.len()] }
    }

    /// The number of the newest message, or what stands for it.
    pub(crate) fn newest(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// From now on every change of this topic becomes a message.
    pub(crate) fn follow(&mut self, topic: Topic) {
        self.from[topic as usize].get_or_insert(self.next);
    }

    /// No more.
    pub(crate) fn unfollow(&mut self, topic: Topic) {
        self.from[topic as usize] = None;
    }

    pub(crate) fn followed(&self) -> Topics {
        let followed = Topic::ALL.into_iter().filter(|topic| self.from[*topic as usize].is_some());
        followed.map(Topics::of).fold(Topics::NONE, Topics::with)
    }

    /// What a message is to be numbered with.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Takes the message of [`Self::next`].
    pub(crate) fn push(&mut self, topic: Topic, text: Bytes) {
        self.bytes += text.len();
        self.messages.push_back(Message { number: self.next, topic, text });
        self.next += 1;
        while self.messages.len() > MESSAGES_MAX || self.bytes > BYTES_MAX {
            let Some(gone) = self.messages.pop_front() else { break };
            self.bytes -= gone.text.len();
            self.miss(gone.topic, gone.number + 1);
        }
    }

    /// A change that is not told: whoever is not further than this loads the list.
    pub(crate) fn skip(&mut self, topic: Topic) {
        self.next += 1;
        self.miss(topic, self.next);
    }

    fn miss(&mut self, topic: Topic, from: u64) {
        if let Some(known) = &mut self.from[topic as usize] {
            *known = from.max(*known);
        }
    }

    /// What comes after this number for who follows these topics. A number of the future is one of another process.
    pub(crate) fn after(&self, number: u64, topics: Topics) -> Found {
        let is_whole = |topic: &Topic| {
            number < self.next && self.from[*topic as usize].is_some_and(|from| number.saturating_add(1) >= from)
        };
        let lost = topics.iter().filter(|topic| !is_whole(topic)).map(Topics::of).fold(Topics::NONE, Topics::with);
        let begin = self.messages.partition_point(|message| message.number <= number);
        let mut waiting = self.messages.range(begin..).filter(|message| topics.has(message.topic));
        if !lost.is_empty() {
            let lost = waiting.map(|message| Topics::of(message.topic)).fold(lost, Topics::with);
            return Found::Lost(lost, self.newest());
        }
        match waiting.next() {
            Some(message) => Found::Message(message.number, message.text.clone()),
            None => Found::Nothing(self.newest()),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERTS: Topics = Topics::of(Topic::Alerts);
    const BOTH: Topics = ALERTS.with(Topics::of(Topic::Hosts));

    fn ring() -> Ring {
        let mut ring = Ring::new(1_000);
        ring.follow(Topic::Alerts);
        ring.follow(Topic::Hosts);
        ring
    }

    #[test]
    fn a_reader_gets_its_topics_in_order() {
        let mut ring = ring();
        assert_eq!(ring.after(ring.newest(), BOTH), Found::Nothing(999));
        ring.push(Topic::Alerts, "a".into());
        ring.push(Topic::Hosts, "h".into());
        ring.push(Topic::Alerts, "b".into());
        assert_eq!(ring.after(999, ALERTS), Found::Message(1_000, "a".into()));
        assert_eq!(ring.after(1_000, ALERTS), Found::Message(1_002, "b".into()));
        assert_eq!(ring.after(1_002, ALERTS), Found::Nothing(1_002));
        assert_eq!(ring.after(1_000, BOTH), Found::Message(1_001, "h".into()));
    }

    #[test]
    fn who_fell_behind_is_told_of_which_topics() {
        let mut ring = ring();
        ring.push(Topic::Hosts, "h".into());
        for _ in 0..MESSAGES_MAX {
            ring.push(Topic::Alerts, "a".into());
        }
        // The one of the hosts has gone, and none of the alerts, which wait.
        assert_eq!(ring.after(999, BOTH), Found::Lost(BOTH, ring.newest()));
        assert_eq!(ring.after(999, Topics::of(Topic::Hosts)), Found::Lost(Topics::of(Topic::Hosts), ring.newest()));
        assert!(matches!(ring.after(999, ALERTS), Found::Message(1_001, _)));
        let big = Bytes::from(vec![b'x'; MESSAGE_BYTES_MAX]);
        for _ in 0..9 {
            ring.push(Topic::Alerts, big.clone());
        }
        assert!(ring.bytes() <= BYTES_MAX);
        assert_eq!(ring.after(999, ALERTS), Found::Lost(ALERTS, ring.newest()));
        let newest = ring.newest();
        ring.skip(Topic::Alerts);
        assert_eq!(ring.after(newest, BOTH), Found::Lost(ALERTS, newest + 1));
        assert_eq!(ring.after(ring.newest(), BOTH), Found::Nothing(ring.newest()));
    }

    #[test]
    fn numbers_of_another_process_or_of_a_time_unfollowed_are_not_honoured() {
        let mut ring = ring();
        for number in [0, 998, 1_000, u64::MAX] {
            assert_eq!(ring.after(number, ALERTS), Found::Lost(ALERTS, 999), "{number}");
        }
        ring.push(Topic::Alerts, "a".into());
        ring.unfollow(Topic::Hosts);
        assert_eq!((ring.after(1_000, BOTH), ring.followed()), (Found::Lost(Topics::of(Topic::Hosts), 1_000), ALERTS));
        ring.push(Topic::Alerts, "a".into());
        ring.follow(Topic::Hosts);
        assert_eq!(ring.after(1_000, BOTH), Found::Lost(BOTH, 1_001), "a change may have been missed");
        assert_eq!(ring.after(1_001, BOTH), Found::Nothing(1_001));
    }
}
