//! `tail`: lines over a WebSocket, first those that are there, then each as it is committed.
//!
//! Between the two nothing is lost or doubled: the subscription begins first, then the view is taken, and of what is pushed
//! everything that the view had is left out.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Request, State as Shared};
use axum::response::Response;
use muster_common::label::LabelSet;
use muster_fleet::Scope;
use muster_query::{AnswerEntry, Control, Direction, LogFields, LogPage, LogPipeline, LogValue, parse_log_query};
use muster_store::{LineArrival, TailEntry, TailReceiver};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, Sleep};

use super::parameters::{SINCE_NS, bad, bounds, is_categorized, limit, refusal, within_max};
use super::response::frame;
use crate::auth::{Asked, Guard};
use crate::error::{ApiError, Dialect, ErrorKind, LokiError};
use crate::form::Parameters;
use crate::state::State;
use crate::tails::Place;

/// Lines that wait for one client: some seconds of a busy host.
const WAITING_MAX: usize = 10_000;
/// Lines and bytes of one frame: clients show a frame at once, and take no endless one.
const FRAME_LINES_MAX: usize = 1_000;
const FRAME_BYTES_MAX: usize = 1 << 20;
/// Loki's own bound of `delay_for`, in seconds.
const DELAY_MAX: u64 = 5;
/// How long a client may take for one frame before it is let go.
const SEND_WITHIN: Duration = Duration::from_secs(30);
/// How often a silent client is asked whether it is there, and a token whether it is still good.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Pings in a row without a word from the client.
const UNANSWERED_MAX: u32 = 3;
/// What a client sends is pings and a goodbye.
const RECEIVED_BYTES_MAX: usize = 4 << 10;
/// The text of a close frame, by the protocol.
const CLOSE_TEXT_MAX: usize = 123;

type Line = (Arc<LabelSet>, AnswerEntry);

/// One tail from its beginning on.
struct Tail {
    state: Arc<State>,
    place: Place,
    receiver: TailReceiver,
    woken: Arc<Notify>,
    /// Away while it works on another thread.
    pipeline: Option<LogPipeline>,
    categorized: bool,
    delay: Duration,
    /// What arrived before this the client has.
    seen: Option<LineArrival>,
    /// The request's: asked again whether they are still good.
    asked: Asked,
}

/// Why a tail ends.
enum End {
    /// The client went away, or is to be told nothing any more.
    Gone,
    Told(u16, String),
}

pub(super) async fn tail(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, LokiError> {
    let (mut head, _) = request.into_parts();
    let form = Parameters::of_uri(&head.uri)?;
    let query = form.first("query").unwrap_or("").to_owned();
    let (start_ns, _) = bounds(&form, state.now(), SINCE_NS)?;
    let limit = within_max(limit(&form)?)?;
    let delay = delay(&form)?;
    let categorized = is_categorized(&head.headers);
    let expr = parse_log_query(&query).map_err(|error| refusal(&error))?;
    let pipeline = LogPipeline::new(&expr, categorized).map_err(|error| refusal(&error))?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &state).await.map_err(|rejection| {
        bad(rejection.to_string()).place("the request's head").remedy("ask for an upgrade to a WebSocket")
    })?;
    let place = state.tails.begin()?;
    let woken = Arc::new(Notify::new());
    let wake = {
        let woken = Arc::clone(&woken);
        Box::new(move || woken.notify_one())
    };
    let receiver = state.reader.tail(pipeline.matchers().to_vec(), WAITING_MAX, wake);
    let page = LogPage { categorized, ..LogPage::new(limit, Direction::Backward) };
    let asked = Asked::of(&head.method, &head.headers, &head.extensions);
    let pipeline = Some(pipeline);
    let tail = Tail { state, place, receiver, woken, pipeline, categorized, delay, seen: None, asked };
    let upgrade = upgrade.max_message_size(RECEIVED_BYTES_MAX).max_frame_size(RECEIVED_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |mut socket| async move {
        let end = tail.run(&mut socket, query, start_ns, page).await;
        if let End::Told(code, text) = end {
            let reason = text[..text.floor_char_boundary(CLOSE_TEXT_MAX)].into();
            let goodbye = Message::Close(Some(CloseFrame { code, reason }));
            let _ = tokio::time::timeout(Duration::from_secs(1), socket.send(goodbye)).await;
        }
    }))
}

fn delay(form: &Parameters) -> Result<Duration, ApiError> {
    let Some(text) = form.first("delay_for") else { return Ok(Duration::ZERO) };
    match text.parse::<u64>() {
        Ok(seconds @ 0..=DELAY_MAX) => Ok(Duration::from_secs(seconds)),
        Ok(_) => Err(bad(format!("delay_for can't be greater than {DELAY_MAX}"))),
        Err(_) => Err(bad(format!("strconv.Atoi: parsing {text:?}: invalid syntax"))),
    }
}

impl Tail {
    async fn run(mut self, socket: &mut WebSocket, query: String, start_ns: i64, page: LogPage) -> End {
        match self.begin(socket, query, start_ns, page).await {
            Ok(()) => self.follow(socket).await.err().unwrap_or(End::Gone),
            Err(end) => end,
        }
    }

    /// The newest lines that are there, oldest first.
    async fn begin(&mut self, socket: &mut WebSocket, query: String, start_ns: i64, page: LogPage) -> Result<(), End> {
        let shared = Arc::clone(&self.state);
        let work = move |cancelled: &Arc<std::sync::atomic::AtomicBool>| {
            let engine = shared.engine.load_full();
            let control = Control { cancelled: Arc::clone(cancelled), ..Control::new(engine.limits().timeout) };
            let view = shared.reader.view();
            // Lines of clocks ahead are there as well.
            let answer = engine
                .log_range(&view, &query, (start_ns, i64::MAX, 1), &page, &control)
                .map_err(|error| shared.pool.refused(refusal(&error)))?;
            let LogValue::Streams(streams) = answer.value else { return Ok((Vec::new(), view.lines_end())) };
            let mut lines: Vec<Line> = Vec::new();
            for stream in streams {
                let labels = Arc::new(stream.labels);
                lines.extend(stream.entries.into_iter().rev().map(|entry| (Arc::clone(&labels), entry)));
            }
            Ok((frames(lines, None, page.categorized), view.lines_end()))
        };
        let asked: Result<_, ApiError> = tokio::select! {
            () = self.place.ended() => return Err(End::of_collector()),
            asked = self.state.pool.run(work) => asked.and_then(|asked| asked),
        };
        let (frames, seen) = asked.map_err(|error| {
            let code = if error.kind() == ErrorKind::BadData { close_code::POLICY } else { close_code::ERROR };
            End::Told(code, error.message().to_owned())
        })?;
        self.seen = seen;
        self.send_all(socket, frames).await
    }

    /// Lines as they come, until the client or the collector has enough.
    async fn follow(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.reset();
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (woken, mut unanswered, mut due) = (Arc::clone(&self.woken), 0, None::<Pin<Box<Sleep>>>);
        loop {
            tokio::select! {
                () = self.place.ended() => return Err(End::of_collector()),
                received = socket.recv() => match received {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return Err(End::Gone),
                    Some(Ok(_)) => unanswered = 0,
                },
                _ = ping.tick() => {
                    let state = Arc::clone(&self.state);
                    let guard = Guard { state, scope: Some(Scope::Read), dialect: Dialect::Loki };
                    if guard.admit(&self.asked).is_err() {
                        return Err(End::Told(close_code::POLICY, "the token is no longer good".to_owned()));
                    }
                    if unanswered >= UNANSWERED_MAX {
                        return Err(End::Gone);
                    }
                    unanswered += 1;
                    self.send(socket, Message::Ping(Bytes::new())).await?;
                },
                () = woken.notified(), if due.is_none() => due = Some(Box::pin(tokio::time::sleep(self.delay))),
                () = over(&mut due) => {
                    due = None;
                    let frames = self.drain().await?;
                    self.send_all(socket, frames).await?;
                },
            }
        }
    }

    /// The frames of what waits.
    async fn drain(&mut self) -> Result<Vec<Vec<u8>>, End> {
        let mut entries = Vec::new();
        let dropped = self.receiver.drain(&mut entries);
        let seen = self.seen;
        entries.retain(|entry| seen <= Some(entry.arrival));
        let Some(mut pipeline) = self.pipeline.take() else { return Err(End::Gone) };
        let (categorized, dropped) = (self.categorized, (dropped > 0).then(|| (self.state.now().nanos(), dropped)));
        // Pipelines take processor time.
        let worked = tokio::task::spawn_blocking(move || {
            let lines: Vec<Line> = entries.iter().filter_map(|entry| run(&mut pipeline, entry)).collect();
            (pipeline, frames(lines, dropped, categorized))
        });
        let (pipeline, frames) = worked.await.map_err(|error| {
            tracing::error!("a live tail ended in a panic: {error}");
            End::Told(close_code::ERROR, "the tail ended in a panic; the collector's log says where".to_owned())
        })?;
        self.pipeline = Some(pipeline);
        Ok(frames)
    }

    async fn send_all(&mut self, socket: &mut WebSocket, frames: Vec<Vec<u8>>) -> Result<(), End> {
        for frame in frames {
            let text = String::from_utf8(frame).map_err(|_| End::Gone)?;
            self.send(socket, Message::Text(text.into())).await?;
        }
        Ok(())
    }

    async fn send(&mut self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        let sent = tokio::select! {
            () = self.place.ended() => return Err(End::of_collector()),
            sent = tokio::time::timeout(SEND_WITHIN, socket.send(message)) => sent,
        };
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => {
                self.state.tails.count_slow();
                Err(End::Gone)
            }
        }
    }
}

impl End {
    fn of_collector() -> Self {
        Self::Told(close_code::AWAY, "the collector stops".to_owned())
    }
}

/// Ends when the time is over, if one runs.
async fn over(due: &mut Option<Pin<Box<Sleep>>>) {
    match due {
        Some(due) => due.await,
        None => std::future::pending().await,
    }
}

fn run(pipeline: &mut LogPipeline, entry: &TailEntry) -> Option<Line> {
    pipeline.run(&entry.labels, entry.at_ns, &entry.line, LogFields::canonical(entry.fields.canonical()))
}

/// These lines by time in frames, the first of which tells what was dropped before. Lines of one time keep their order.
fn frames(mut lines: Vec<Line>, dropped: Option<(i64, u64)>, categorized: bool) -> Vec<Vec<u8>> {
    lines.sort_by_key(|(_, entry)| entry.at_ns);
    let (mut frames, mut dropped, mut rest) = (Vec::new(), dropped, &lines[..]);
    // Each turn takes at least one line, or tells what was dropped.
    while !rest.is_empty() || dropped.is_some() {
        let mut bytes = 0;
        let fits = |(_, entry): &&Line| {
            let first = bytes == 0;
            bytes += entry.line.len() + 1;
            first || bytes <= FRAME_BYTES_MAX
        };
        let count = rest.iter().take(FRAME_LINES_MAX).take_while(fits).count();
        let part;
        (part, rest) = rest.split_at(count);
        let mut streams: BTreeMap<&LabelSet, Vec<&AnswerEntry>> = BTreeMap::new();
        for (labels, entry) in part {
            streams.entry(labels).or_default().push(entry);
        }
        let streams: Vec<_> = streams.into_iter().collect();
        frames.push(frame(&streams, dropped.take(), categorized));
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(app: &str, at_ns: i64, bytes: usize) -> Line {
        let labels = Arc::new(LabelSet::new([("app", app)]).unwrap());
        (labels, AnswerEntry { at_ns, line: vec![b'x'; bytes], fields: Vec::new(), parsed: Vec::new() })
    }

    fn text(frame: &[u8]) -> &str {
        std::str::from_utf8(frame).unwrap()
    }

    #[test]
    fn a_frame_has_lokis_shape_and_is_by_time() {
        let lines = vec![line("b", 2, 1), line("a", 3, 1), line("a", 1, 2)];
        let made = frames(lines, Some((9, 4)), false);
        assert_eq!(made.len(), 1);
        assert_eq!(
            text(&made[0]),
            r#"{"streams":[{"stream":{"app":"a"},"values":[["1","xx"],["3","x"]]},{"stream":{"app":"b"},"values":[["2","x"]]}],"dropped_entries":[{"timestamp":"9","labels":{},"count":4}]}"#
        );
        assert_eq!(frames(Vec::new(), None, false), Vec::<Vec<u8>>::new());
        assert_eq!(
            text(&frames(vec![line("a", 1, 1)], None, true)[0]),
            r#"{"streams":[{"stream":{"app":"a"},"values":[["1","x",{}]]}],"encodingFlags":["categorize-labels"]}"#
        );
        let told = frames(Vec::new(), Some((9, 4)), false);
        assert_eq!(told.len(), 1, "what was dropped is told without a line, too");
    }

    #[test]
    fn frames_are_bounded_and_a_long_line_has_one_for_itself() {
        let many = (0..2_500).map(|at_ns| line("a", at_ns, 1)).collect();
        assert_eq!(frames(many, None, false).len(), 3);
        let long = (0..4).map(|at_ns| line("a", at_ns, FRAME_BYTES_MAX)).collect();
        assert_eq!(frames(long, None, false).len(), 4);
    }
}
