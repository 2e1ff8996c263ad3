//! `logs/tail`: lines as they are committed, as Server-Sent Events, from the same places and within the same bounds as Loki's tail.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use futures_util::{Stream, stream};
use muster_common::label::LabelSet;
use muster_query::AnswerEntry;
use tokio::time::Interval;

use crate::error::MusterError;
use crate::json::push_list;
use crate::live::{self, LIFE_EVERY, Look, bye, comment, may, sse, ticks};
use crate::loki::{End, Follow, TailAsked, push_stream};
use crate::state::State;

pub(super) async fn tail(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let (head, _) = request.into_parts();
    let asked = TailAsked::read(&state, &head)?;
    let follow = asked.begin(state, &head, events)?;
    let (life, look) = (ticks(LIFE_EVERY), Look::new());
    let tail = Tail { follow, ready: VecDeque::new(), is_begun: false, is_over: false, life, look };
    Ok(live::answer(tail.pieces()))
}

/// The events of one frame: what was dropped before its lines, then the lines, each stream as Loki's answers have it.
fn events(streams: &[(&LabelSet, Vec<&AnswerEntry>)], dropped: Option<(i64, u64)>, categorized: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some((at_ns, count)) = dropped {
        let data = serde_json::json!({"version": 1, "at_ns": at_ns.to_string(), "count": count});
        out.extend_from_slice(&sse("dropped", None, &data.to_string()));
    }
    if !streams.is_empty() {
        out.extend_from_slice(b"event: lines\ndata: {\"version\":1,\"streams\":");
        push_list(&mut out, streams, |out, (labels, entries)| {
            push_stream(out, labels, entries.iter().copied(), categorized);
        });
        out.extend_from_slice(b"}\n\n");
    }
    out
}

/// A tail that its client reads at its own pace: what does not fit meanwhile is dropped by the subscription, and told.
struct Tail {
    follow: Follow,
    ready: VecDeque<Vec<u8>>,
    is_begun: bool,
    is_over: bool,
    life: Interval,
    look: Look,
}

impl Tail {
    fn pieces(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut tail| async move { tail.next().await.map(|piece| (Ok(piece), tail)) })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        match self.piece().await {
            Ok(piece) => Some(piece),
            Err(end) => {
                self.is_over = true;
                match end {
                    End::Gone => None,
                    End::Stops => Some(bye("the collector stops")),
                    End::Refused(why) | End::Failed(why) => Some(bye(&why)),
                }
            }
        }
    }

    async fn piece(&mut self) -> Result<Bytes, End> {
        if !self.is_begun {
            self.is_begun = true;
            self.ready.extend(self.follow.first().await?);
            // At once, so that a page knows that it is open although no line is there.
            return Ok(self.ready.pop_front().map_or_else(comment, Bytes::from));
        }
        loop {
            if self.look.is_due() && !may(&self.follow.state, &self.follow.asked) {
                return Err(End::Refused("the token or session is no longer good".to_owned()));
            }
            if let Some(piece) = self.ready.pop_front() {
                return Ok(piece.into());
            }
            let woken = Arc::clone(&self.follow.woken);
            let is_woken = tokio::select! {
                () = self.follow.place.ended() => return Err(End::Stops),
                () = woken.notified() => true,
                () = self.look.wait() => false,
                _ = self.life.tick() => return Ok(comment()),
            };
            if is_woken {
                // Lines that come within this are one frame.
                tokio::select! {
                    () = self.follow.place.ended() => return Err(End::Stops),
                    () = tokio::time::sleep(self.follow.delay) => {}
                }
                self.ready.extend(self.follow.drain().await?);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_is_told_before_the_lines_that_came_after() {
        let labels = LabelSet::new([("app", "a")]).unwrap();
        let entry = AnswerEntry { at_ns: 5, line: b"x\r\n\xff".to_vec(), fields: Vec::new(), parsed: Vec::new() };
        let made = String::from_utf8(events(&[(&labels, vec![&entry])], Some((9, 4)), false)).unwrap();
        assert_eq!(
            made,
            "event: dropped\ndata: {\"at_ns\":\"9\",\"count\":4,\"version\":1}\n\n\
             event: lines\ndata: {\"version\":1,\"streams\":[{\"stream\":{\"app\":\"a\"},\"values\":[[\"5\",\"x\\r\\n\\ufffd\"]]}]}\n\n"
        );
        assert_eq!(
            events(&[], Some((9, 4)), false),
            b"event: dropped\ndata: {\"at_ns\":\"9\",\"count\":4,\"version\":1}\n\n"
        );
    }
}
