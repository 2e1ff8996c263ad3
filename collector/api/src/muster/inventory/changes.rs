//! Every change of what hosts have and are, newest first.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::host::HostId;
use muster_common::inventory::Value as Cell;
use muster_fleet::{Announced, ChangeCursor, ChangePage, ChangeQuery, Fleet, FleetError, InventoryChange};
use serde_json::{Value, json};

use super::words::{cells, host, row, table};
use crate::error::{ApiError, MusterError};
use crate::form::Parameters;
use crate::muster::body::{answer, bad, limit, moment, truth};
use crate::state::State;
use crate::work::blocking;

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;

/// What is asked for.
struct Wanted {
    hosts: Vec<String>,
    /// Only those that are announced, or news that are not.
    announced: Option<bool>,
    query: ChangeQuery,
}

/// The changes of `host` (several: those of each; none: of all), of `table`, with `text` in them, from `from` on and before `to`.
pub(in crate::muster) async fn list(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let wanted = wanted(&Parameters::of(request).await?)?;
    let fleet = Arc::clone(&state.fleet);
    Ok(answer(StatusCode::OK, blocking("the changes asked for", move || found(&fleet, wanted)).await?))
}

fn wanted(form: &Parameters) -> Result<Wanted, ApiError> {
    let limit = limit(form, LIMIT, LIMIT_MAX)?;
    let before = form.first("before").map(|text| {
        ChangeCursor::parse(text).ok_or_else(|| {
            bad("parameter `before`", "it is no place in the list", "give back the `next` of the page before")
        })
    });
    let millis = |name, otherwise| Ok::<_, ApiError>(moment(form, name)?.map_or(otherwise, |at| at.millis()));
    let query = ChangeQuery {
        hosts: None,
        table: form.first("table").map(table).transpose()?,
        key: form.first("key").map_or_else(Vec::new, |key| vec![Cell::from(key)]),
        text: form.first("text").unwrap_or_default().to_owned(),
        from_ms: millis("from", i64::MIN)?,
        to_ms: millis("to", i64::MAX)?,
        limit,
        before: before.transpose()?,
    };
    let announced = form.first("announced").map(|_| {
        truth(form, "announced", false, "write announced=false for changes that nobody spoke of, true for the others")
    });
    let hosts = form.all("host").map(str::to_owned).collect();
    Ok(Wanted { hosts, announced: announced.transpose()?, query })
}

fn found(fleet: &Fleet, wanted: Wanted) -> Result<Value, FleetError> {
    let hosts: Vec<HostId> =
        wanted.hosts.iter().map(|asked| Ok(host(fleet, asked)?.id)).collect::<Result<_, FleetError>>()?;
    let query = ChangeQuery { hosts: (!hosts.is_empty()).then_some(hosts), ..wanted.query };
    let mut announcer = fleet.announcer();
    let mut judge = |one: &InventoryChange| announcer.announced(one.host, one.since_ms, one.at_ms);
    let ChangePage { changes, next } = match wanted.announced {
        None => fleet.inventory_changes(&query)?,
        Some(true) => fleet.inventory_changes_if(&query, |one| judge(one).is_some())?,
        // What changes all the time is announced by nobody.
        Some(false) => fleet.inventory_changes_if(&query, |one| one.is_news && judge(one).is_none())?,
    };
    let mut names = Names { fleet, known: HashMap::new() };
    let all: Vec<Value> = changes
        .iter()
        .map(|change| {
            let mut object = change_json(change, names.of(change.host));
            object["announced"] = judge(change).as_ref().map(announced_json).into();
            object
        })
        .collect();
    Ok(json!({"changes": all, "next": next.map(|cursor| cursor.to_string())}))
}

/// Names of hosts, each looked up once.
pub(super) struct Names<'f> {
    pub(super) fleet: &'f Fleet,
    pub(super) known: HashMap<HostId, String>,
}

impl Names<'_> {
    /// Its id where it has none any more.
    pub(super) fn of(&mut self, host: HostId) -> String {
        let name = || self.fleet.host(host).map_or_else(|| host.to_string(), |row| row.name);
        self.known.entry(host).or_insert_with(name).clone()
    }
}

pub(super) const fn kind(change: &InventoryChange) -> &'static str {
    match (&change.before, &change.after) {
        (None, _) => "added",
        (Some(_), None) => "removed",
        (Some(_), Some(_)) => "changed",
    }
}

fn announced_json(by: &Announced) -> Value {
    json!({"kind": by.kind.as_str(), "id": by.id, "reason": by.reason, "by": by.by})
}

pub(super) fn change_json(change: &InventoryChange, host: String) -> Value {
    let shown = |one: &Option<Vec<Cell>>| one.as_ref().map(|one| row(change.table, one));
    json!({
        "host": host,
        "host_id": change.host.to_string(),
        "table": change.table.name,
        "kind": kind(change),
        "words": change.words,
        "after_ms": change.since_ms,
        "until_ms": change.at_ms,
        "arrived_ms": change.arrived_ms,
        "key": cells(&change.key),
        "before": shown(&change.before),
        "after": shown(&change.after),
        "is_news": change.is_news,
    })
}
