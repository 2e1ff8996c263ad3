//! The gate: may this version of a service go to that environment. `collector/fleet/GATE.md` tells what is judged; here its facts are gathered.

mod compared;
mod gather;
mod lines;
mod rates;
mod shown;
mod verify;

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::gate::{Asked, Code, Override};
use muster_fleet::{By, FleetError};
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::verify::verify_deploys;
use super::body::{answer, bad, limit, numbered, read, truth};
use crate::error::{ApiError, MusterError};
use crate::form::Parameters;
use crate::state::State;
use crate::work::{blocking, by};

/// Decisions of one answer, and where nobody says how many.
const DECISIONS_MAX: usize = 1_000;
const DECISIONS: usize = 50;
/// Bytes of a name, a version, a reason.
const NAME_BYTES_MAX: usize = 200;
const REASON_BYTES_MAX: usize = 1_024;

/// Asks. Nothing can be overridden by what only asks.
pub(super) async fn ask(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let by = by(&request);
    let form = Parameters::of(request).await?;
    let name = |name: &'static str| text(&format!("parameter `{name}`"), form.first(name).unwrap_or(""));
    let asked = Asked {
        service: name("service")?,
        version: name("version")?,
        to: name("to")?,
        rollback: truth(&form, "rollback", false, "write rollback=true to ask whether it may go back to this version")?,
        at_ms: state.now().millis(),
        over: None,
    };
    Ok(decide(state, asked, by).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Overriding {
    service: String,
    version: String,
    to: String,
    #[serde(default)]
    rollback: bool,
    /// Why it is taken on.
    reason: String,
    /// What is lifted; none: all that can be.
    #[serde(default)]
    codes: Vec<String>,
}

/// Asks, and takes on oneself what speaks against it.
pub(super) async fn override_it(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let by = by(&request);
    let body: Overriding = read(request).await?;
    if body.reason.trim().is_empty() || body.reason.len() > REASON_BYTES_MAX {
        let told = format!("it is empty or longer than {REASON_BYTES_MAX} bytes");
        return Err(bad("field `reason`", told, "say in a sentence why it is to go on all the same").into());
    }
    let code = |name: &String| {
        let known = Code::parse(name).filter(|code| code.is_waivable());
        known.ok_or_else(|| {
            let remedy = "freeze, problem, new_pattern, error_rate and canary_worse can be lifted";
            bad("field `codes`", format!("`{}` cannot be lifted", name.escape_debug()), remedy)
        })
    };
    let codes: Result<Vec<Code>, ApiError> = body.codes.iter().map(code).collect();
    let asked = Asked {
        service: text("field `service`", &body.service)?,
        version: text("field `version`", &body.version)?,
        to: text("field `to`", &body.to)?,
        rollback: body.rollback,
        at_ms: state.now().millis(),
        over: Some(Override { by: by.to_string(), reason: body.reason, codes: codes? }),
    };
    Ok(decide(state, asked, by).await?)
}

/// A name that can be kept.
fn text(place: &str, text: &str) -> Result<String, ApiError> {
    let is_good = !text.trim().is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    is_good.then(|| text.to_owned()).ok_or_else(|| {
        let told = format!("it is empty, longer than {NAME_BYTES_MAX} bytes, or has control characters");
        bad(place, told, "give service, version and the environment it is to go to")
    })
}

async fn decide(state: Arc<State>, asked: Asked, by: By) -> Result<Response, ApiError> {
    let shared = Arc::clone(&state);
    // Lines are read, so it takes its turn with the queries.
    let facts = state.pool.run(move |cancelled| gather::facts(&shared, asked, cancelled)).await?;
    let now = state.now();
    let made = blocking("the decision", move || state.fleet.decide_gate(facts, &by, now)).await?;
    Ok(answer(StatusCode::OK, shown::decision(&made)))
}

/// Those that are kept, the newest first.
pub(super) async fn decisions(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let limit = limit(&form, DECISIONS, DECISIONS_MAX)?;
    let number = |text: &str| {
        text.parse::<u64>().map_err(|_| bad("parameter `before`", "it is no number of a decision", "write digits"))
    };
    let before = form.first("before").map(number).transpose()?;
    let all = state.fleet.gate_decisions(form.first("service"), before, limit);
    let all: Vec<Value> = all.iter().map(shown::head).collect();
    Ok(answer(StatusCode::OK, json!({"decisions": all})))
}

/// A decision with its facts, and what these say now.
pub(super) async fn replay(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
) -> Result<Response, MusterError> {
    let id = numbered(&asked, "a decision", "muster gate decisions")?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || Ok::<_, FleetError>(shown::replay(&fleet.replay_gate(id)?));
    Ok(answer(StatusCode::OK, blocking("the decision asked for", work).await?))
}
