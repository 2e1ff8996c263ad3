//! One connection: three ordered streams with delays of their own, and an end that each side learns of in its time.

use std::collections::VecDeque;
use std::sync::Arc;

use muster_common::wire::frame::FrameReader;
use muster_common::wire::message::Message;

/// An ordered stream: what was written, and when it arrives.
pub(super) struct Pipe<T> {
    items: VecDeque<(i64, T)>,
}

impl<T> Default for Pipe<T> {
    fn default() -> Self {
        Self { items: VecDeque::new() }
    }
}

impl<T> Pipe<T> {
    /// Arrives `delay_ms` from now, never before what was written earlier.
    pub(super) fn push(&mut self, now_ms: i64, delay_ms: i64, item: T) {
        let due = self.items.back().map_or(0, |(due, _)| *due).max(now_ms + delay_ms);
        self.items.push_back((due, item));
    }

    pub(super) fn pop(&mut self, now_ms: i64) -> Option<T> {
        if self.items.front().is_some_and(|(due, _)| *due <= now_ms) {
            return self.items.pop_front().map(|(_, item)| item);
        }
        None
    }

    /// From here on nothing arrives.
    pub(super) fn clear(&mut self) {
        self.items.clear();
    }
}

/// A connection between one agent process and one collector process.
#[derive(Default)]
pub(super) struct Link {
    /// The collector's number of it; `None` until its side stands.
    pub(super) number: u64,
    pub(super) control_up: Pipe<Arc<[u8]>>,
    pub(super) lane_up: Pipe<Arc<[u8]>>,
    pub(super) down: Pipe<Message>,
    pub(super) control_frames: FrameReader,
    pub(super) lane_frames: FrameReader,
    /// When the agent learns that the connection is gone.
    pub(super) agent_learns_ms: Option<i64>,
    /// When the collector learns it.
    pub(super) collector_learns_ms: Option<i64>,
}

impl Link {
    pub(super) fn is_cut(&self) -> bool {
        self.agent_learns_ms.is_some() || self.collector_learns_ms.is_some()
    }

    /// What is on its way down is lost, what is on its way up may still arrive; each side learns of it in its own time.
    pub(super) fn cut(&mut self, agent_learns_ms: i64, collector_learns_ms: i64) {
        self.down.clear();
        self.agent_learns_ms.get_or_insert(agent_learns_ms);
        self.collector_learns_ms.get_or_insert(collector_learns_ms);
    }
}
