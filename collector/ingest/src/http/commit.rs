//! From admitted records to the store, and what the sender is told.

use std::time::Duration;

use axum::http::StatusCode;
use muster_common::time;
use muster_store::{Append, Outcome, Record, Source};

use super::refusal::{RETRY_AFTER, Refusal};
use crate::committer::Answer;
use crate::counters::Count;
use crate::hub::Hub;

/// Commits what a body said. Whether it is new: a repeat is answered alike and not stored again.
pub(crate) async fn commit(hub: &Hub, source: Source, records: Vec<Record>, bytes: usize) -> Result<bool, Refusal> {
    let append = Append { source, records, arrived: time::now(), live: true };
    let queued = hub.queue.try_append(append, bytes);
    let answer = queued.map_err(|full| Refusal::later(StatusCode::TOO_MANY_REQUESTS, full, RETRY_AFTER))?;
    let unavailable = |text: &str, after: Option<Duration>| {
        Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, after.unwrap_or(RETRY_AFTER)))
    };
    match answer.await {
        Ok(Answer::Settled { outcome: Outcome::Committed { .. }, .. }) => Ok(true),
        Ok(Answer::Settled { outcome: Outcome::RepeatedBody, .. }) => {
            hub.counters.one(Count::HttpRepeats);
            Ok(false)
        }
        Ok(Answer::Settled { outcome, .. }) => {
            // No outcome of a push; a sender that comes again finds it undone or repeated.
            tracing::error!("the store answered a push with {outcome:?}");
            let text = "the store did not take the body: send it again; if it stays so, the collector's log says more";
            unavailable(text, None)
        }
        Ok(Answer::Malformed { why }) => Err(Refusal::new(StatusCode::BAD_REQUEST, why)),
        Ok(Answer::Failed { retry_after, .. }) if hub.queue.health().is_failing() => {
            unavailable("the collector's disk does not take data now: try again later", retry_after)
        }
        Ok(Answer::Failed { retry_after, .. }) => {
            let text = "the store takes no more just now: try again later";
            Err(Refusal::later(StatusCode::TOO_MANY_REQUESTS, text, retry_after.unwrap_or(RETRY_AFTER)))
        }
        Err(_) => unavailable("the collector stops: send it again when it is back", None),
    }
}
