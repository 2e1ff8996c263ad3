//! The route: what the sender is answered, with Loki's statuses. Who may push was checked before it. Promtail and its relatives retry
//! on 5xx and 429 and drop a request on any other refusal, as Prometheus does.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use muster_common::time;
use muster_fleet::Grant;
use muster_store::Source;

use super::body::Form;
use super::intake::{Admitted, Intake};
use super::{json, protobuf};
use crate::admit::TimeBounds;
use crate::counters::Count;
use crate::http::body::{body_hash, decoded, receive, take_room};
use crate::http::commit::commit;
use crate::http::refusal::Refusal;
use crate::http::speaker::Speaker;
use crate::hub::Hub;

const PATH: &str = "/loki/api/v1/push";

pub(crate) fn routes(hub: Arc<Hub>) -> Router {
    Router::new().route(PATH, post(push)).with_state(hub)
}

/// `grant` was put there by the check of tokens before this route; none where the collector asks nobody for a token.
async fn push(State(hub): State<Arc<Hub>>, grant: Option<Extension<Grant>>, request: Request) -> Response {
    let grant = grant.map(|Extension(grant)| grant);
    let response = match take(&hub, grant.as_ref(), request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    };
    hub.counters.one(match response.status() {
        StatusCode::NO_CONTENT => Count::Push204,
        StatusCode::PAYLOAD_TOO_LARGE => Count::Push413,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Count::Push415,
        StatusCode::TOO_MANY_REQUESTS => Count::Push429,
        StatusCode::SERVICE_UNAVAILABLE => Count::Push503,
        _ => Count::Push400,
    });
    response
}

/// What can be told from the headers is checked before the body is read, and memory is taken before it is used.
async fn take(hub: &Arc<Hub>, grant: Option<&Grant>, request: Request) -> Result<(), Refusal> {
    let (parts, body) = request.into_parts();
    let form = Form::of(&parts.headers).map_err(|error| Refusal::new(error.status(), error))?;
    let body = receive(hub, &parts.headers, body).await?;
    let plain = form.plain_bytes(&body.bytes, hub.config.remote_write.body);
    let plain = plain.map_err(|error| Refusal::new(error.status(), error))?;
    let _plain_room = take_room(hub, plain)?;
    let speaker = Speaker::of(hub, grant);
    let source = Source::Http { body: body_hash(grant, &parts.extensions, PATH, &body.bytes), stamped: true };
    let (reading, bytes) = (hub.clone(), body.bytes.clone());
    let admitted = decoded(plain, move || admit(&reading, form, &bytes, &speaker)).await?;
    let verdict = match &admitted.first_refusal {
        Some(first) => {
            let (taken, refused) = (admitted.lines, admitted.refused);
            let text = format!("{refused} entries refused, {taken} taken; the first: {first}");
            Err(Refusal::new(StatusCode::BAD_REQUEST, text))
        }
        None => Ok(()),
    };
    if !admitted.records.is_empty() && commit(hub, source, admitted.records, admitted.bytes).await? {
        hub.counters.add(Count::Lines, admitted.lines);
    }
    verdict
}

fn admit(hub: &Hub, form: Form, body: &[u8], speaker: &Speaker) -> Result<Admitted, Refusal> {
    let plain = form.decompress(body, hub.config.remote_write.body);
    let plain = plain.map_err(|error| Refusal::new(error.status(), error))?;
    let bounds = TimeBounds::at(time::now(), hub.config.retention_logs);
    let mut intake = Intake::new(speaker, bounds, &hub.counters);
    let body = plain.as_deref().unwrap_or(body);
    let read = match form {
        Form::Json | Form::JsonGzip => json::read(body, &mut intake).map_err(|error| error.to_string()),
        Form::Protobuf => protobuf::read(body, &mut intake).map_err(|error| error.to_string()),
    };
    read.map_err(|error| {
        let text = format!("the body is no push request, nothing of it was taken: {}{error}", intake.place());
        Refusal::new(StatusCode::BAD_REQUEST, text)
    })?;
    Ok(intake.finish())
}
