//! What hosts that ought to be alike have otherwise than most of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::host::HostId;
use muster_common::inventory::{TABLES, Table};
use muster_fleet::{
    AlikeHosts, DRIFT_HOSTS_MIN, DriftLimits, Fleet, FleetError, HostDrift, KeyDrift, Norm, TableDrift, drift,
};
use serde_json::{Value, json};

use super::changes::Names;
use super::words::{cells, host, row, shape, table};
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::form::Parameters;
use crate::muster::body::{answer, bad, limit, truth};
use crate::state::State;
use crate::work::blocking;

/// Rows of hosts in one answer: a page of them; and some megabytes.
const LIMIT: usize = 1_000;
const LIMIT_MAX: usize = 20_000;

/// Drift that is looked for at once: it takes a core for as long as a second.
static RUNNING: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);

struct Wanted {
    by: Vec<String>,
    table: Option<&'static Table>,
    host: Option<String>,
    baseline: Option<String>,
    with_own: bool,
    limit: usize,
}

/// What hosts of a group have otherwise than most of it. `group`: the label that makes groups, may stand several times; none: hosts with the same
/// values of all labels.
pub(in crate::muster) async fn list(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let wanted = wanted(&Parameters::of(request).await?)?;
    let Ok(_turn) = RUNNING.acquire().await else {
        return Err(ApiError::new(ErrorKind::Unavailable, "the collector ends").remedy("ask again in a minute").into());
    };
    let fleet = Arc::clone(&state.fleet);
    Ok(answer(StatusCode::OK, blocking("the drift asked for", move || found(&fleet, &wanted)).await?))
}

fn wanted(form: &Parameters) -> Result<Wanted, ApiError> {
    let limit = limit(form, LIMIT, LIMIT_MAX)?;
    if form.first("baseline").is_some() && form.first("group").is_some() {
        let remedy = "leave out one of `group` and `baseline`";
        return Err(bad("parameter `group`", "a baseline says itself which hosts it is of", remedy));
    }
    Ok(Wanted {
        by: form.all("group").filter(|label| !label.is_empty()).map(str::to_owned).collect(),
        table: form.first("table").map(table).transpose()?,
        host: form.first("host").map(str::to_owned),
        baseline: form.first("baseline").map(str::to_owned),
        with_own: truth(form, "own", false, "write own=true for rows that most hosts have of their own too")?,
        limit,
    })
}

fn found(fleet: &Fleet, wanted: &Wanted) -> Result<Value, FleetError> {
    let only = wanted.host.as_deref().map(|asked| Ok::<_, FleetError>(host(fleet, asked)?.id)).transpose()?;
    let limits = DriftLimits { host: only, with_own: wanted.with_own, told: wanted.limit };
    if let Some(name) = &wanted.baseline {
        return off_baseline(fleet, name, wanted.table, limits);
    }
    let mut groups = fleet.alike_hosts(&wanted.by);
    groups.retain(|group| only.is_none_or(|only| group.hosts.contains(&only)));
    let (groups, small): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.hosts.len() >= DRIFT_HOSTS_MIN);
    let told =
        Told::of(fleet, &groups, |table| wanted.table.is_none_or(|only| only == table), limits, |_| Norm::Majority);
    let alone: usize = small.iter().map(|group| group.hosts.len()).sum();
    let mut names = Names { fleet, known: HashMap::new() };
    let told: Vec<Value> = groups.iter().zip(&told).map(|(group, told)| told.json(group, &mut names)).collect();
    let by = &wanted.by;
    Ok(json!({"group_by": by, "baseline": null, "hosts_min": DRIFT_HOSTS_MIN, "alone": alone, "groups": told}))
}

/// The hosts that a baseline is of are its one group.
fn off_baseline(
    fleet: &Fleet,
    name: &str,
    only: Option<&'static Table>,
    limits: DriftLimits,
) -> Result<Value, FleetError> {
    let (baseline, rows, hosts) = fleet.baseline(name)?;
    let group = AlikeHosts { labels: BTreeMap::new(), hosts };
    let is_pinned = |table: &Table| rows.contains_key(&table.number) && only.is_none_or(|only| only == table);
    let norm = |table: &'static Table| Norm::Baseline(rows.get(&table.number).map_or(&[][..], Vec::as_slice));
    let told = Told::of(fleet, std::slice::from_ref(&group), is_pinned, limits, norm);
    let mut names = Names { fleet, known: HashMap::new() };
    let mut told: Vec<Value> = told.iter().map(|told| told.json(&group, &mut names)).collect();
    told.iter_mut().for_each(|group| group["name"] = baseline.name.as_str().into());
    Ok(json!({"group_by": [], "baseline": baseline.name, "hosts_min": 1, "alone": 0, "groups": told}))
}

/// What is found of one group in all tables.
#[derive(Default)]
pub(super) struct Told {
    tables: Vec<TableDrift>,
    by_host: BTreeMap<HostId, u64>,
}

impl Told {
    /// Of each group, in their order.
    pub(super) fn of<'n>(
        fleet: &Fleet,
        groups: &[AlikeHosts],
        is_asked: impl Fn(&Table) -> bool,
        mut limits: DriftLimits,
        norm: impl Fn(&'static Table) -> Norm<'n>,
    ) -> Vec<Self> {
        let snapshot = fleet.inventory_of_all();
        let hosts: Vec<&[HostId]> = groups.iter().map(|group| group.hosts.as_slice()).collect();
        let mut all: Vec<Self> = groups.iter().map(|_| Self::default()).collect();
        for table in TABLES.iter().filter(|table| is_asked(table)) {
            for (told, found) in all.iter_mut().zip(drift(&snapshot, table, &hosts, norm(table), limits)) {
                limits.told -= found.keys.iter().map(|key| key.others.len()).sum::<usize>().min(limits.told);
                for (host, rows) in &found.by_host {
                    *told.by_host.entry(*host).or_default() += rows;
                }
                if found.rows > 0 {
                    told.tables.push(found);
                }
            }
        }
        all
    }

    pub(super) fn json(&self, group: &AlikeHosts, names: &mut Names<'_>) -> Value {
        let mut by_host: Vec<(u64, String)> =
            self.by_host.iter().map(|(host, rows)| (*rows, names.of(*host))).collect();
        by_host.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let by_host: Vec<Value> = by_host.iter().map(|(rows, host)| json!({"host": host, "rows": rows})).collect();
        let rows: u64 = self.tables.iter().map(|table| table.rows).sum();
        let told = self.tables.iter().flat_map(|table| &table.keys).map(|key| key.others.len() as u64).sum::<u64>();
        let tables: Vec<Value> = self.tables.iter().map(|found| table_json(found, names)).collect();
        json!({
            "name": group.name(), "labels": group.labels, "hosts": group.hosts.len(), "rows": rows,
            "left_out": rows - told.min(rows), "by_host": by_host, "tables": tables,
        })
    }
}

fn table_json(found: &TableDrift, names: &mut Names<'_>) -> Value {
    let mut object = shape(found.table);
    object["hosts"] = found.hosts.into();
    object["rows"] = found.rows.into();
    object["own"] = found.own.into();
    object["undecided"] = found.undecided.into();
    object["drift"] = found.keys.iter().map(|key| key_json(found.table, key, names)).collect();
    object
}

fn key_json(table: &Table, key: &KeyDrift, names: &mut Names<'_>) -> Value {
    let mut others: Vec<(String, &HostDrift)> = key.others.iter().map(|other| (names.of(other.host), other)).collect();
    others.sort_by(|a, b| a.0.cmp(&b.0));
    let other = |(name, other): &(String, &HostDrift)| {
        let row = other.row.as_ref().map(|one| row(table, one));
        json!({"host": name, "host_id": other.host.to_string(), "row": row, "columns": other.columns})
    };
    let others: Vec<Value> = others.iter().map(other).collect();
    let expected = key.expected.as_ref().map(|one| row(table, one));
    json!({"key": cells(&key.key), "expected": expected, "others": others, "left_out": key.left_out})
}
