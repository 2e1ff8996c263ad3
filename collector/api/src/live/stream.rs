//! One stream: what the feed has for its topics, a sign of life, and an end when who asked may no more.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt, Stream as Pieces, stream};
use muster_fleet::Scope;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use super::event::{comment, sse};
use super::feed::Want;
use super::ring::Found;
use super::topic::Topics;
use crate::auth::{Asked, Guard};
use crate::error::{ApiError, Dialect, ErrorKind};
use crate::places::Place;
use crate::state::State;

/// A sign of life: below the minute after which proxies and telephone networks forget a silent connection.
pub(crate) const LIFE_EVERY: Duration = Duration::from_secs(15);
/// How often is looked whether token or session are still good: within some seconds of a logout the stream ends.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How long the feed may take to read topics that nobody followed.
const BEGIN_WITHIN: Duration = Duration::from_secs(10);

/// One stream.
pub(crate) struct Stream {
    state: Arc<State>,
    want: Want,
    place: Place,
    /// Asked again whether they are still good.
    asked: Asked,
    newest: watch::Receiver<u64>,
    /// What its client has.
    number: u64,
    greeting: Option<Bytes>,
    life: Interval,
    look: Look,
    is_over: bool,
}

/// When to look again whether who asked still may.
pub(crate) struct Look {
    ticks: Interval,
    is_due: bool,
}

impl Look {
    pub(crate) fn new() -> Self {
        Self { ticks: ticks(LOOK_EVERY), is_due: false }
    }

    /// Until it is time.
    pub(crate) async fn wait(&mut self) {
        self.ticks.tick().await;
        self.is_due = true;
    }

    /// Whether it is time, once.
    pub(crate) fn is_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due) || self.ticks.tick().now_or_never().is_some()
    }
}

/// A stream of these topics. `headers` may have `Last-Event-ID`.
///
/// # Errors
/// `unavailable` when too many are open, or the feed does not run.
pub(crate) async fn begin(
    state: &Arc<State>,
    topics: Topics,
    headers: &HeaderMap,
    asked: Asked,
) -> Result<Stream, ApiError> {
    let mut place = state.live.take_place()?;
    let mut newest = state.live.newest();
    let want = Want::new(state, topics);
    let followed = async {
        while !topics.without(state.live.followed()).is_empty() {
            // The sender lives as long as the state.
            let _ = newest.changed().await;
        }
    };
    let is_begun = tokio::select! {
        () = place.ended() => false,
        begun = tokio::time::timeout(BEGIN_WITHIN, followed) => begun.is_ok(),
    };
    if !is_begun {
        let error = ApiError::new(ErrorKind::Unavailable, "the live feed does not run");
        return Err(error.place("live streams").remedy("ask again").retry_after_seconds(5));
    }
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let held = last.filter(|last| !matches!(state.live.after(*last, topics), Found::Lost(..)));
    // What is not held is found so once more, and told as a resync.
    let number = last.unwrap_or_else(|| *newest.borrow());
    let shown = held.unwrap_or_else(|| *newest.borrow());
    let hello = json!({"version": 1, "revision": shown, "topics": topics.json(), "is_resumed": held.is_some()});
    let greeting = Some(sse("hello", Some(shown), &hello.to_string()));
    let (life, look) = (ticks(LIFE_EVERY), Look::new());
    let state = Arc::clone(state);
    Ok(Stream { state, want, place, asked: asked.again(), newest, number, greeting, life, look, is_over: false })
}

/// Ticks from one period on.
pub(crate) fn ticks(every: Duration) -> Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.reset();
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl Stream {
    /// The pieces of the answer's body.
    pub(crate) fn pieces(self) -> impl Pieces<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut stream| async move { stream.next().await.map(|piece| (Ok(piece), stream)) })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        while !self.is_over {
            // Between two messages too: one that has much to read must not outlive its session for it.
            if self.look.is_due() && !may(&self.state, &self.asked) {
                self.state.live.count_refused();
                return Some(self.goodbye("the token or session is no longer good"));
            }
            match self.state.live.after(self.number, self.want.topics) {
                Found::Message(number, text) => {
                    self.number = number;
                    return Some(text);
                }
                Found::Lost(topics, number) => {
                    self.number = number;
                    self.state.live.count_resync();
                    let data = json!({"version": 1, "revision": number, "topics": topics.json()});
                    return Some(sse("resync", Some(number), &data.to_string()));
                }
                Found::Nothing(number) => self.number = number,
            }
            tokio::select! {
                () = self.place.ended() => return Some(self.goodbye("the collector stops")),
                _ = self.newest.changed() => {}
                () = self.look.wait() => {}
                _ = self.life.tick() => return Some(comment()),
            }
        }
        None
    }

    fn goodbye(&mut self, why: &str) -> Bytes {
        self.is_over = true;
        bye(why)
    }
}

/// The last event of a stream: the client is not to think that the network failed.
pub(crate) fn bye(why: &str) -> Bytes {
    sse("bye", None, &json!({"version": 1, "why": why}).to_string())
}

/// Whether who asked still may.
pub(crate) fn may(state: &Arc<State>, asked: &Asked) -> bool {
    let guard = Guard { state: Arc::clone(state), scope: Some(Scope::Read), dialect: Dialect::Muster };
    guard.admit(asked).is_ok()
}

/// An answer of Server-Sent Events.
pub(crate) fn answer(pieces: impl Pieces<Item = Result<Bytes, Infallible>> + Send + 'static) -> Response {
    let mut response = (StatusCode::OK, Body::from_stream(pieces)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that gather an answer before they hand it on are asked not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
