//! The feed that all streams share: the ring, who follows what, and how much of it there was.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use muster_common::stat::Stat;
use muster_common::time::Timestamp;
use tokio::sync::watch;

use super::event::sse;
use super::ring::{Found, MESSAGE_BYTES_MAX, Ring};
use super::topic::{Topic, Topics};
use crate::error::{ApiError, ErrorKind};
use crate::places::{Place, Places};
use crate::state::State;

/// Streams at a time. A stream costs a connection, one message and little else; with the tails they take three of eight of the connections that the
/// listener has by default (512), so that questions always get through.
const STREAMS_MAX: u32 = 128;

/// The live feed of one collector.
pub struct Live {
    ring: Mutex<Ring>,
    /// The number of the newest message, to wait on; also moved when a topic begins to be followed.
    newest: watch::Sender<u64>,
    /// How many streams want each topic.
    wanted: watch::Sender<[u32; Topic::ALL.len()]>,
    pub(super) places: Places,
    messages: AtomicU64,
    /// Messages that were too long, whose topic was loaded anew instead.
    long: AtomicU64,
    /// Times that a stream was told to load lists anew.
    resyncs: AtomicU64,
    /// Streams that ended since who asked may no more.
    refused: AtomicU64,
}

/// That a stream wants these topics, while it is held.
pub(super) struct Want {
    state: Arc<State>,
    pub(super) topics: Topics,
}

impl Live {
    /// `started` orders the numbers of this process after those of earlier ones.
    pub fn new(started: Timestamp) -> Self {
        let first = u64::try_from(started.millis()).unwrap_or(1).saturating_mul(1_000);
        Self {
            ring: Mutex::new(Ring::new(first)),
            newest: watch::Sender::new(first.saturating_sub(1)),
            wanted: watch::Sender::new([0; Topic::ALL.len()]),
            places: Places::new(STREAMS_MAX),
            messages: AtomicU64::new(0),
            long: AtomicU64::new(0),
            resyncs: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// `unavailable` when all places are taken.
    pub(super) fn take_place(&self) -> Result<Place, ApiError> {
        self.places.take().ok_or_else(|| {
            let message = format!("{} live streams are open, which is the most", self.places.max());
            let error = ApiError::new(ErrorKind::Unavailable, message).place("live streams");
            error.remedy("close a page; one stream serves a whole page").retry_after_seconds(5)
        })
    }

    /// What streams want now, to wait on.
    pub(super) fn wanted(&self) -> watch::Receiver<[u32; Topic::ALL.len()]> {
        self.wanted.subscribe()
    }

    pub(super) fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    pub(super) fn followed(&self) -> Topics {
        self.ring().followed()
    }

    pub(super) fn after(&self, number: u64, topics: Topics) -> Found {
        self.ring().after(number, topics)
    }

    pub(super) fn follow(&self, topics: Topics) {
        let mut ring = self.ring();
        topics.iter().for_each(|topic| ring.follow(topic));
        let newest = ring.newest();
        drop(ring);
        self.newest.send_replace(newest);
    }

    pub(super) fn unfollow(&self, topics: Topics) {
        let mut ring = self.ring();
        topics.iter().for_each(|topic| ring.unfollow(topic));
    }

    /// Tells the rows of a topic that changed and the ids of those that are gone.
    pub(super) fn tell(&self, topic: Topic, changed: &[serde_json::Value], gone: &[String]) {
        let data = serde_json::json!({"version": 1, "changed": changed, "gone": gone}).to_string();
        if data.len() > MESSAGE_BYTES_MAX {
            return self.skip(topic);
        }
        self.messages.fetch_add(1, Ordering::Relaxed);
        let mut ring = self.ring();
        let text: Bytes = sse(topic.as_str(), Some(ring.next()), &data);
        ring.push(topic, text);
        let newest = ring.newest();
        drop(ring);
        self.newest.send_replace(newest);
    }

    /// More of this topic changed than is told row by row: its list is to be loaded anew.
    pub(super) fn skip(&self, topic: Topic) {
        self.long.fetch_add(1, Ordering::Relaxed);
        let mut ring = self.ring();
        ring.skip(topic);
        let newest = ring.newest();
        drop(ring);
        self.newest.send_replace(newest);
    }

    pub(super) fn count_resync(&self) {
        self.resyncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends all streams and [`super::run`]; returns when they have, or after a bounded wait.
    pub async fn end(&self) {
        if !self.places.end().await {
            tracing::warn!("live streams were cut off");
        }
    }

    pub(crate) fn stats(&self) -> Vec<Stat> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let dropped = |reason: &'static str, number| {
            let help =
                "Live streams that were refused or ended by the collector, and messages that were not sent, by reason.";
            Stat::counter("muster_collector_live_dropped_total", help, number).with("reason", reason)
        };
        let resyncs = "Times that a live stream was told to load its lists anew.";
        vec![
            Stat::gauge("muster_collector_live_streams", "Live streams over HTTP.", self.places.open() as f64),
            Stat::counter("muster_collector_live_streams_total", "Live streams that began.", self.places.begun()),
            Stat::counter(
                "muster_collector_live_messages_total",
                "Messages made for live streams.",
                count(&self.messages),
            ),
            Stat::gauge(
                "muster_collector_live_bytes",
                "Bytes of the messages kept for live streams.",
                self.ring().bytes() as f64,
            ),
            Stat::counter("muster_collector_live_resyncs_total", resyncs, count(&self.resyncs)),
            dropped("too_many", self.places.refused()),
            dropped("message_too_long", count(&self.long)),
            dropped("no_longer_allowed", count(&self.refused)),
        ]
    }
}

impl Want {
    pub(super) fn new(state: &Arc<State>, topics: Topics) -> Self {
        let add = |counts: &mut [u32; Topic::ALL.len()]| topics.iter().for_each(|topic| counts[topic as usize] += 1);
        state.live.wanted.send_modify(add);
        Self { state: Arc::clone(state), topics }
    }
}

impl Drop for Want {
    fn drop(&mut self) {
        self.state.live.wanted.send_modify(|counts| self.topics.iter().for_each(|topic| counts[topic as usize] -= 1));
    }
}
