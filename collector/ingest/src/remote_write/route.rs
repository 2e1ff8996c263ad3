//! The route: whether there is room, and what the sender is answered. Who may push was checked before it. Prometheus retries on
//! 5xx and 429 and drops a request on any other refusal, so a request that cannot succeed must not be answered by those.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Extension, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::LengthLimitError;
use muster_common::time;
use muster_fleet::{Grant, Scope};
use muster_store::{Append, Outcome, Source};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use xxhash_rust::xxh3::Xxh3;

use super::body::{check_headers, decompress, plain_bytes};
use super::intake::Admitted;
use super::series::Speaker;
use crate::admit::TimeBounds;
use crate::committer::Answer;
use crate::counters::Count;
use crate::hub::{DECODING_BYTES_A_PERMIT, Hub};

const PATH: &str = "/api/v1/write";
/// Bodies above this are decoded off the runtime's threads: some milliseconds would hold up others.
const INLINE_BYTES_MAX: usize = 512 << 10;
/// How long a body may take to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// What a sender that finds everything full is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(2);

pub(crate) fn routes(hub: Arc<Hub>) -> Router {
    Router::new().route(PATH, post(write)).with_state(hub)
}

/// Why a request is not answered 204.
struct Refusal {
    status: StatusCode,
    text: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(status: StatusCode, text: impl ToString) -> Self {
        Self { status, text: text.to_string(), retry_after: None }
    }

    fn later(status: StatusCode, text: impl ToString, after: Duration) -> Self {
        Self { status, text: text.to_string(), retry_after: Some(after) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.text)).into_response();
        if let Some(after) = self.retry_after {
            let seconds = HeaderValue::from(after.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// `grant` was put there by the check of tokens before this route; none where the collector asks nobody for a token.
async fn write(State(hub): State<Arc<Hub>>, grant: Option<Extension<Grant>>, request: Request) -> Response {
    let grant = grant.map(|Extension(grant)| grant);
    let response = match take(&hub, grant.as_ref(), request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    };
    hub.counters.one(match response.status() {
        StatusCode::NO_CONTENT => Count::Http204,
        StatusCode::PAYLOAD_TOO_LARGE => Count::Http413,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Count::Http415,
        StatusCode::TOO_MANY_REQUESTS => Count::Http429,
        StatusCode::SERVICE_UNAVAILABLE => Count::Http503,
        _ => Count::Http400,
    });
    response
}

/// What can be told from the headers is checked before the body is read, and memory is taken before it is used.
async fn take(hub: &Arc<Hub>, grant: Option<&Grant>, request: Request) -> Result<(), Refusal> {
    let (parts, body) = request.into_parts();
    check_headers(&parts.headers).map_err(|error| Refusal::new(error.status(), error))?;
    let limits = hub.config.remote_write.body;
    let max = limits.compressed_bytes_max;
    let told = told_length(&parts.headers).unwrap_or(max);
    // First, since a request that can never succeed must not be told to come again.
    if told > max {
        return Err(too_large(max));
    }
    let _body_room = take_room(hub, told)?;
    let body = read_body(body, max, BODY_TIMEOUT).await?;
    let plain = plain_bytes(&body, limits).map_err(|error| Refusal::new(error.status(), error))?;
    let _plain_room = take_room(hub, plain)?;
    let speaker = Speaker {
        enrolled: hub.enrolled(),
        // Without tokens only this machine can push, and it is the operator's.
        speaks_for_hosts: grant.is_none_or(|grant| grant.allows(Scope::Admin)),
    };
    let hash = body_hash(grant, &parts.extensions, &body);
    let admitted = if plain > INLINE_BYTES_MAX {
        let hub = hub.clone();
        let read = tokio::task::spawn_blocking(move || admit(&hub, &body, &speaker)).await;
        read.map_err(|error| {
            tracing::error!("a request could not be read: {error}");
            let text = "the request could not be read: it is tried again; the collector's log says why";
            Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, RETRY_AFTER)
        })??
    } else {
        admit(hub, &body, &speaker)?
    };
    let verdict = match &admitted.first_refusal {
        Some(first) => {
            let (taken, refused) = (admitted.samples, admitted.refused);
            let text = format!("{refused} samples refused, {taken} taken; the first: {first}");
            Err(Refusal::new(StatusCode::BAD_REQUEST, text))
        }
        None => Ok(()),
    };
    if !admitted.records.is_empty() {
        commit(hub, hash, admitted).await?;
    }
    verdict
}

fn told_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A part of the memory that all requests share, while it is needed.
fn take_room(hub: &Hub, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
    let permits = u32::try_from(bytes.div_ceil(DECODING_BYTES_A_PERMIT)).unwrap_or(u32::MAX);
    let full = "too many requests are being read: try again later";
    let taken = hub.decoding.clone().try_acquire_many_owned(permits);
    taken.map_err(|_| Refusal::later(StatusCode::TOO_MANY_REQUESTS, full, RETRY_AFTER))
}

fn too_large(max: usize) -> Refusal {
    let text = format!("the body has more than {max} bytes: send fewer samples per request");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// A body that is slow or cut off is the network's fault, not the request's: 503 lets the sender keep it.
async fn read_body(body: Body, max: usize, within: Duration) -> Result<Bytes, Refusal> {
    match timeout(within, to_bytes(body, max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.source().is_some_and(|source| source.is::<LengthLimitError>()) => Err(too_large(max)),
        Ok(Err(error)) => {
            let text = format!("the body was cut off: {error}: send it again");
            Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, RETRY_AFTER))
        }
        Err(_) => {
            let text = format!(
                "the body did not come within {} s: send it again, and fewer samples per request if the network is slow",
                within.as_secs()
            );
            Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, RETRY_AFTER))
        }
    }
}

/// Hash of who pushes, where, and what: a repeat of the same body by the same sender is known by it.
fn body_hash(grant: Option<&Grant>, extensions: &Extensions, body: &[u8]) -> u128 {
    let mut hash = Xxh3::new();
    match (grant, extensions.get::<ConnectInfo<SocketAddr>>()) {
        (Some(grant), _) => hash.update(grant.id.as_bytes()),
        // The address without its port: a sender that repeats may come over another connection.
        (None, Some(ConnectInfo(peer))) => hash.update(peer.ip().to_string().as_bytes()),
        (None, None) => {}
    }
    hash.update(&[0]);
    hash.update(PATH.as_bytes());
    hash.update(&[0]);
    hash.update(body);
    hash.digest128()
}

fn admit(hub: &Hub, body: &[u8], speaker: &Speaker) -> Result<Admitted, Refusal> {
    let plain = decompress(body, hub.config.remote_write.body).map_err(|error| Refusal::new(error.status(), error))?;
    let bounds = TimeBounds::at(time::now(), hub.config.session.retention);
    let admitted = hub.intake.admit(&plain, speaker, bounds, &hub.counters);
    admitted.map_err(|error| {
        let text = format!("the body is no remote write request of version 1: {error}");
        Refusal::new(StatusCode::BAD_REQUEST, text)
    })
}

async fn commit(hub: &Hub, body: u128, admitted: Admitted) -> Result<(), Refusal> {
    let source = Source::Http { body, stamped: admitted.stamped };
    let append = Append { source, records: admitted.records, arrived: time::now(), live: true };
    let queued = hub.queue.try_append(append, admitted.bytes);
    let answer = queued.map_err(|full| Refusal::later(StatusCode::TOO_MANY_REQUESTS, full, RETRY_AFTER))?;
    match answer.await {
        Ok(Answer::Settled { outcome: Outcome::Committed { .. }, .. }) => {
            hub.counters.add(Count::Samples, admitted.samples);
            Ok(())
        }
        Ok(Answer::Settled { outcome: Outcome::RepeatedBody, .. }) => {
            hub.counters.one(Count::HttpRepeats);
            Ok(())
        }
        Ok(Answer::Settled { outcome, .. }) => {
            // No outcome of a push; a sender that comes again finds it undone or repeated.
            tracing::error!("the store answered a push with {outcome:?}");
            let text = "the store did not take the body: send it again; if it stays so, the collector's log says more";
            Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, RETRY_AFTER))
        }
        Ok(Answer::Malformed { why }) => Err(Refusal::new(StatusCode::BAD_REQUEST, why)),
        Ok(Answer::Failed { retry_after, .. }) if hub.queue.health().is_failing() => {
            let text = "the collector's disk does not take data now: try again later";
            Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, retry_after.unwrap_or(RETRY_AFTER)))
        }
        Ok(Answer::Failed { retry_after, .. }) => {
            let text = "the store takes no more just now: try again later";
            Err(Refusal::later(StatusCode::TOO_MANY_REQUESTS, text, retry_after.unwrap_or(RETRY_AFTER)))
        }
        Err(_) => {
            let text = "the collector stops: send it again when it is back";
            Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, text, RETRY_AFTER))
        }
    }
}
