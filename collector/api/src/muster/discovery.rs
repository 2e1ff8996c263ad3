//! Discovery: what hosts newly have, what somebody decided of it, and the rules that decide by themselves.

mod rules;

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::host::HostId;
use muster_fleet::{Decision, DiscoveryPage, DiscoveryQuery, Fleet, FleetError, ItemState, ItemView, item_kinds};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use self::rules::{list as rules, put as put_rule, remove as remove_rule, test as test_rule};
use super::body::{answer, bad, limit, read};
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::form::Parameters;
use crate::state::State;
use crate::work::{blocking, by, refusal};

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;
/// Items of one request, as the fleet has it.
const ITEMS_MAX: usize = muster_fleet::DECISIONS_MAX;

/// The items of `host` (several: those of each; none: of all), in `state`, of `kind`, by host and key.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let (query, hosts) = wanted(&form)?;
    let (fleet, now) = (Arc::clone(&state.fleet), state.now());
    let work = move || {
        let hosts = hosts.iter().map(|asked| fleet.find(asked)).collect::<Result<Vec<HostId>, FleetError>>()?;
        let query = DiscoveryQuery { hosts: (!hosts.is_empty()).then_some(hosts), ..query };
        Ok::<_, FleetError>(page(&fleet.discovery(&query, now)))
    };
    Ok(answer(StatusCode::OK, blocking("the items asked for", work).await?))
}

fn wanted(form: &Parameters) -> Result<(DiscoveryQuery, Vec<String>), ApiError> {
    let state = form.first("state").map(|name| {
        let names: Vec<&str> = ItemState::SHOWN.iter().map(|state| state.as_str()).collect();
        ItemState::parse(name).ok_or_else(|| none_of("state", name, &names))
    });
    let kind = form.first("kind").map(|name| {
        let names: Vec<&str> = item_kinds().map(|(name, _)| name).collect();
        if names.contains(&name) { Ok(name.to_owned()) } else { Err(none_of("kind", name, &names)) }
    });
    let after = form.first("after").map(|text| {
        let place = text.split_once('/').and_then(|(host, key)| Some((HostId::parse(host)?, key.to_owned())));
        place.ok_or_else(|| {
            bad("parameter `after`", "it is no place in the list", "give back the `next` of the page before")
        })
    });
    let limit = limit(form, LIMIT, LIMIT_MAX)?;
    let (state, kind, after) = (state.transpose()?, kind.transpose()?, after.transpose()?);
    let hosts = form.all("host").map(str::to_owned).collect();
    Ok((DiscoveryQuery { hosts: None, state, kind, after, limit }, hosts))
}

fn none_of(what: &str, given: &str, names: &[&str]) -> ApiError {
    let given: String = given.chars().take(100).collect();
    bad(&format!("parameter `{what}`"), format!("`{given}` is none"), format!("write one of {}", names.join(", ")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    items: Vec<One>,
    decision: String,
    #[serde(default)]
    reason: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    host: String,
    key: String,
}

/// What became of each row: why it hinders the others, if it does.
type Rows = Vec<(One, Option<ApiError>)>;

/// Decides of many items: of all of them, or of none.
pub(super) async fn decide(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let Decide { items, decision, reason } = read(request).await?;
    let Some(decision) = Decision::parse(&decision) else {
        let given: String = decision.chars().take(100).collect();
        let remedy = "write accept, ignore or archive";
        return Err(bad("field `decision`", format!("`{given}` is none"), remedy).into());
    };
    if !(1..=ITEMS_MAX).contains(&items.len()) {
        let message = format!("{} items are named", items.len());
        return Err(bad("field `items`", message, format!("name 1 to {ITEMS_MAX}")).into());
    }
    let fleet = Arc::clone(&state.fleet);
    let work =
        move || all_or_none(&fleet, items, |fleet, items| fleet.decide_items(items, decision, &by, &reason, now));
    let rows = blocking("the request's body", work).await?;
    let hindered = rows.iter().filter(|(_, error)| error.is_some()).count();
    let first =
        rows.iter().find_map(|(_, error)| error.as_ref()).map_or_else(String::new, |error| error.message().to_owned());
    let count = rows.len();
    let rows: Vec<Value> = rows.iter().map(|(one, error)| row_json(one, error.as_ref())).collect();
    if hindered == 0 {
        return Ok(answer(StatusCode::OK, json!({"decision": decision.as_str(), "decided": count, "rows": rows})));
    }
    let error = json!({
        "code": ErrorKind::Conflict.muster(),
        "message": format!("nothing is decided, since {hindered} of {count} cannot be; the first: {first}"),
        "where": "field `items`",
        "remedy": "leave out the rows that have an error",
    });
    Ok(answer(StatusCode::CONFLICT, json!({"error": error, "rows": rows})))
}

/// Looks the hosts up, and does it if all are there.
fn all_or_none(
    fleet: &Fleet,
    items: Vec<One>,
    work: impl FnOnce(&Fleet, &[(HostId, String)]) -> Result<Vec<(usize, FleetError)>, FleetError>,
) -> Result<Rows, FleetError> {
    let told = |error: FleetError| refusal(&error.into(), "the item asked for");
    let (mut rows, mut found): (Rows, Vec<(HostId, String)>) = (Vec::new(), Vec::new());
    for one in items {
        match fleet.find(&one.host) {
            Ok(host) => {
                found.push((host, one.key.clone()));
                rows.push((one, None));
            }
            Err(error) => rows.push((one, Some(told(error)))),
        }
    }
    // Where a host is not known nothing is tried, and what else hinders is told once it is mended.
    if found.len() == rows.len() {
        for (place, error) in work(fleet, &found)? {
            rows[place].1 = Some(told(error));
        }
    }
    Ok(rows)
}

fn row_json(one: &One, error: Option<&ApiError>) -> Value {
    json!({"host": one.host, "key": one.key, "error": error.map(ApiError::message)})
}

fn page(page: &DiscoveryPage) -> Value {
    let over = page.over.iter().map(|over| {
        json!({"host": over.host_name, "host_id": over.host.to_string(), "count": over.count, "first": over.first})
    });
    json!({
        "items": page.items.iter().map(item_json).collect::<Vec<_>>(),
        "next": page.next.as_ref().map(|(host, key)| format!("{host}/{key}")),
        "over": over.collect::<Vec<_>>(),
    })
}

fn item_json(item: &ItemView) -> Value {
    json!({
        "host": item.host_name,
        "host_id": item.host.to_string(),
        "key": item.key,
        "kind": item.kind,
        "state": item.state.as_str(),
        "words": item.words,
        "fields": item.fields,
        "checks": item.checks,
        "profile": item.profile,
        "is_there": item.is_there,
        "found_ms": item.found_ms,
        "since_ms": item.since_ms,
        "by": item.by,
        "reason": item.reason,
        "went_after_ms": item.went_ms.map(|(after_ms, _)| after_ms),
        "went_until_ms": item.went_ms.map(|(_, until_ms)| until_ms),
        "is_flapping": item.is_flapping,
    })
}
