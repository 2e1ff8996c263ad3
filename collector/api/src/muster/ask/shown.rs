//! The answer of many hosts as JSON.

use std::collections::HashMap;

use muster_common::ask::Sieve;
use muster_common::host::HostId;
use muster_fleet::{AskOutcome, AskedRow, Missing};
use serde_json::{Value, json};

use crate::muster::inventory::{cells, kind};

/// The rows, as many as are told, and who is missing.
pub(super) fn answer(outcome: AskOutcome, sieve: &Sieve, hosts: &[(HostId, String)], limit: usize) -> Value {
    let names: HashMap<HostId, &str> = hosts.iter().map(|(id, name)| (*id, name.as_str())).collect();
    let name = |host: &HostId| names.get(host).copied().unwrap_or_default();
    let columns: Vec<Value> =
        sieve.columns().map(|column| json!({"name": column.name, "kind": kind(column.kind)})).collect();
    let left_out = outcome.rows.len().saturating_sub(limit);
    let row = |row: &AskedRow| {
        let mut on: Vec<&str> = row.hosts.iter().map(name).collect();
        on.sort_unstable();
        json!({"values": cells(&row.values), "count": row.count, "on_hosts": row.on_hosts, "hosts": on})
    };
    let rows: Vec<Value> = outcome.rows.iter().take(limit).map(row).collect();
    let missing = |one: &Missing| {
        let problem = if one.problem.is_empty() { one.why.text() } else { &one.problem };
        json!({"host": name(&one.host), "why": one.why.as_str(), "problem": problem})
    };
    let missing: Vec<Value> = outcome.missing.iter().map(missing).collect();
    let notes: Vec<Value> =
        outcome.notes.iter().map(|(host, problem)| json!({"host": name(host), "problem": problem})).collect();
    json!({
        "version": 1,
        "table": sieve.table().name,
        "columns": columns,
        "rows": rows,
        "left_out": left_out,
        "asked": outcome.asked,
        "answered": outcome.answered,
        "missing": missing,
        "notes": notes,
        "dropped": outcome.dropped,
        "took_ms": u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
    })
}
