//! A live tail up to its frames: first the lines that are there, then each as it is committed. How the frames travel is for others
//! ([`super::tail`] over WebSockets, our own API as Server-Sent Events).
//!
//! Between the two nothing is lost or doubled: the subscription begins first, then the view is taken, and of what is pushed
//! everything that the view had is left out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request;
use muster_common::label::LabelSet;
use muster_query::{AnswerEntry, Control, Direction, LogFields, LogPage, LogPipeline, LogValue, parse_log_query};
use muster_store::{LineArrival, TailEntry, TailReceiver};
use tokio::sync::Notify;

use super::parameters::{SINCE_NS, bad, bounds, is_categorized, is_flagged, limit, refusal, within_max};
use crate::auth::Asked;
use crate::error::{ApiError, ErrorKind};
use crate::form::Parameters;
use crate::places::Place;
use crate::state::State;

/// Lines that wait for one client: some seconds of a busy host.
const WAITING_MAX: usize = 10_000;
/// Lines and bytes of one frame: clients show a frame at once, and take no endless one.
const FRAME_LINES_MAX: usize = 1_000;
const FRAME_BYTES_MAX: usize = 1 << 20;
/// Loki's own bound of `delay_for`, in seconds.
const DELAY_MAX: u64 = 5;

type Line = (Arc<LabelSet>, AnswerEntry);

/// Writes one frame: lines by stream, and when how many were dropped before them.
pub(crate) type MakeFrame = fn(&[(&LabelSet, Vec<&AnswerEntry>)], Option<(i64, u64)>, bool) -> Vec<u8>;

/// What is asked for.
pub(crate) struct TailAsked {
    query: String,
    start_ns: i64,
    page: LogPage,
    delay: Duration,
    pipeline: LogPipeline,
}

/// One tail from its beginning on.
pub(crate) struct Follow {
    pub(crate) state: Arc<State>,
    pub(crate) place: Place,
    receiver: TailReceiver,
    pub(crate) woken: Arc<Notify>,
    /// Away while it works on another thread.
    pipeline: Option<LogPipeline>,
    page: LogPage,
    query: String,
    start_ns: i64,
    pub(crate) delay: Duration,
    /// What arrived before this the client has.
    seen: Option<LineArrival>,
    /// The request's: asked again whether they are still good.
    pub(crate) asked: Asked,
    frame: MakeFrame,
}

/// Why a tail ends.
pub(crate) enum End {
    /// The client went away, or is to be told nothing any more.
    Gone,
    /// The collector stops.
    Stops,
    /// The question, or who asks, is not good (any more).
    Refused(String),
    Failed(String),
}

impl TailAsked {
    /// # Errors
    /// `bad_data` on a parameter that is none, or a query that is no log query.
    pub(crate) fn read(state: &State, head: &request::Parts) -> Result<Self, ApiError> {
        let form = Parameters::of_uri(&head.uri)?;
        let query = form.first("query").unwrap_or("").to_owned();
        let (start_ns, _) = bounds(&form, state.now(), SINCE_NS)?;
        let limit = within_max(limit(&form)?)?;
        let delay = delay(&form)?;
        // A browser's EventSource and WebSocket send no headers of a page's choice.
        let categorized = is_categorized(&head.headers) || form.all("encoding_flags").any(is_flagged);
        let expr = parse_log_query(&query).map_err(|error| refusal(&error))?;
        let pipeline = LogPipeline::new(&expr, categorized).map_err(|error| refusal(&error))?;
        let page = LogPage { categorized, ..LogPage::new(limit, Direction::Backward) };
        Ok(Self { query, start_ns, page, delay, pipeline })
    }

    /// Takes a place and subscribes.
    ///
    /// # Errors
    /// `unavailable` when all places are taken.
    pub(crate) fn begin(self, state: Arc<State>, head: &request::Parts, frame: MakeFrame) -> Result<Follow, ApiError> {
        let Self { query, start_ns, page, delay, pipeline } = self;
        let place = state.tails.begin()?;
        let woken = Arc::new(Notify::new());
        let wake = {
            let woken = Arc::clone(&woken);
            Box::new(move || woken.notify_one())
        };
        let receiver = state.reader.tail(pipeline.matchers().to_vec(), WAITING_MAX, wake);
        let asked = Asked::of(&head.method, &head.headers, &head.extensions).again();
        let pipeline = Some(pipeline);
        Ok(Follow { state, place, receiver, woken, pipeline, page, query, start_ns, delay, seen: None, asked, frame })
    }
}

fn delay(form: &Parameters) -> Result<Duration, ApiError> {
    let Some(text) = form.first("delay_for") else { return Ok(Duration::ZERO) };
    match text.parse::<u64>() {
        Ok(seconds @ 0..=DELAY_MAX) => Ok(Duration::from_secs(seconds)),
        Ok(_) => Err(bad(format!("delay_for can't be greater than {DELAY_MAX}"))),
        Err(_) => Err(bad(format!("strconv.Atoi: parsing {text:?}: invalid syntax"))),
    }
}

impl Follow {
    /// The frames of the newest lines that are there, oldest first.
    pub(crate) async fn first(&mut self) -> Result<Vec<Vec<u8>>, End> {
        let (shared, query, page) = (Arc::clone(&self.state), self.query.clone(), self.page);
        let (start_ns, frame) = (self.start_ns, self.frame);
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
            Ok((frames(lines, None, page.categorized, frame), view.lines_end()))
        };
        let asked: Result<_, ApiError> = tokio::select! {
            () = self.place.ended() => return Err(End::Stops),
            asked = self.state.pool.run(work) => asked.and_then(|asked| asked),
        };
        let (frames, seen) = asked.map_err(|error| {
            let end = if error.kind() == ErrorKind::BadData { End::Refused } else { End::Failed };
            end(error.message().to_owned())
        })?;
        self.seen = seen;
        Ok(frames)
    }

    /// The frames of what waits.
    pub(crate) async fn drain(&mut self) -> Result<Vec<Vec<u8>>, End> {
        let mut entries = Vec::new();
        let dropped = self.receiver.drain(&mut entries);
        let seen = self.seen;
        entries.retain(|entry| seen <= Some(entry.arrival));
        let Some(mut pipeline) = self.pipeline.take() else { return Err(End::Gone) };
        let (categorized, frame) = (self.page.categorized, self.frame);
        let dropped = (dropped > 0).then(|| (self.state.now().nanos(), dropped));
        // Pipelines take processor time.
        let worked = tokio::task::spawn_blocking(move || {
            let lines: Vec<Line> = entries.iter().filter_map(|entry| run(&mut pipeline, entry)).collect();
            (pipeline, frames(lines, dropped, categorized, frame))
        });
        let (pipeline, frames) = worked.await.map_err(|error| {
            tracing::error!("a live tail ended in a panic: {error}");
            End::Failed("the tail ended in a panic; the collector's log says where".to_owned())
        })?;
        self.pipeline = Some(pipeline);
        Ok(frames)
    }
}

fn run(pipeline: &mut LogPipeline, entry: &TailEntry) -> Option<Line> {
    pipeline.run(&entry.labels, entry.at_ns, &entry.line, LogFields::canonical(entry.fields.canonical()))
}

/// These lines by time in frames, the first of which tells what was dropped before. Lines of one time keep their order.
fn frames(mut lines: Vec<Line>, dropped: Option<(i64, u64)>, categorized: bool, frame: MakeFrame) -> Vec<Vec<u8>> {
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
    use super::super::response::frame;
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
        let made = frames(lines, Some((9, 4)), false, frame);
        assert_eq!(made.len(), 1);
        assert_eq!(
            text(&made[0]),
            r#"{"streams":[{"stream":{"app":"a"},"values":[["1","xx"],["3","x"]]},{"stream":{"app":"b"},"values":[["2","x"]]}],"dropped_entries":[{"timestamp":"9","labels":{},"count":4}]}"#
        );
        assert_eq!(frames(Vec::new(), None, false, frame), Vec::<Vec<u8>>::new());
        assert_eq!(
            text(&frames(vec![line("a", 1, 1)], None, true, frame)[0]),
            r#"{"streams":[{"stream":{"app":"a"},"values":[["1","x",{}]]}],"encodingFlags":["categorize-labels"]}"#
        );
        let told = frames(Vec::new(), Some((9, 4)), false, frame);
        assert_eq!(told.len(), 1, "what was dropped is told without a line, too");
    }

    #[test]
    fn frames_are_bounded_and_a_long_line_has_one_for_itself() {
        let many = (0..2_500).map(|at_ns| line("a", at_ns, 1)).collect();
        assert_eq!(frames(many, None, false, frame).len(), 3);
        let long = (0..4).map(|at_ns| line("a", at_ns, FRAME_BYTES_MAX)).collect();
        assert_eq!(frames(long, None, false, frame).len(), 4);
    }
}
