//! The route: whether there is room, and what the sender is answered. Who may push was checked before it. Prometheus retries on
//! 5xx and 429 and drops a request on any other refusal, so a request that cannot succeed must not be answered by those.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use muster_common::time;
use muster_fleet::Grant;
use muster_store::Source;

use super::body::check_headers;
use super::intake::Admitted;
use crate::admit::TimeBounds;
use crate::counters::Count;
use crate::http::body::{body_hash, decoded, decompress, plain_bytes, receive, take_room};
use crate::http::commit::commit;
use crate::http::refusal::Refusal;
use crate::http::speaker::Speaker;
use crate::hub::Hub;

const PATH: &str = "/api/v1/write";

pub(crate) fn routes(hub: Arc<Hub>) -> Router {
    Router::new().route(PATH, post(write)).with_state(hub)
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
    let body = receive(hub, &parts.headers, body).await?;
    let plain = plain_bytes(&body.bytes, hub.config.remote_write.body);
    let plain = plain.map_err(|error| Refusal::new(error.status(), error))?;
    let _plain_room = take_room(hub, plain)?;
    let speaker = Speaker::of(hub, grant);
    let body_hash = body_hash(grant, &parts.extensions, PATH, &body.bytes);
    let (reading, bytes) = (hub.clone(), body.bytes.clone());
    let admitted = decoded(plain, move || admit(&reading, &bytes, &speaker)).await?;
    let verdict = match &admitted.first_refusal {
        Some(first) => {
            let (taken, refused) = (admitted.samples, admitted.refused);
            let text = format!("{refused} samples refused, {taken} taken; the first: {first}");
            Err(Refusal::new(StatusCode::BAD_REQUEST, text))
        }
        None => Ok(()),
    };
    if !admitted.records.is_empty() {
        let source = Source::Http { body: body_hash, stamped: admitted.stamped };
        if commit(hub, source, admitted.records, admitted.bytes).await? {
            hub.counters.add(Count::Samples, admitted.samples);
        }
    }
    verdict
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
