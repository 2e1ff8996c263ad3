//! What SQL is asked over: the tables of an inventory, the hosts, and their changes.

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::inventory::{Kind, Row, TABLES, Table, Value as Cell};
use muster_common::time::Timestamp;
use muster_fleet::{ChangeQuery, FleetError, HostState, InventorySnapshot};
use muster_sql::{Database, Field, Relation, Shared};

use super::changes::{Names, kind};
use crate::state::State;

/// Changes that SQL sees, the newest: reading them from the disk takes a tenth of a second.
pub(super) const CHANGES_MAX: usize = 50_000;

/// Hosts and changes, which are no tables of an inventory, with their columns.
pub(super) const OWN: [(&str, &[(&str, Kind)]); 2] = [
    (
        "hosts",
        &[
            ("host", Kind::Text),
            ("id", Kind::Text),
            ("state", Kind::Text),
            ("presence", Kind::Text),
            ("agent_version", Kind::Text),
            ("enrolled", Kind::Time),
            ("heard", Kind::Time),
            ("labels", Kind::Text),
        ],
    ),
    (
        "changes",
        &[
            ("host", Kind::Text),
            ("after", Kind::Time),
            ("until", Kind::Time),
            ("in_table", Kind::Text),
            ("kind", Kind::Text),
            ("words", Kind::Text),
        ],
    ),
];

/// The tables that this question can mean, as of now or of a moment.
///
/// # Errors
/// As the fleet's.
pub(super) fn database(state: &State, sql: &str, at: Option<Timestamp>) -> Result<Database, FleetError> {
    let sql = sql.to_ascii_lowercase();
    let snapshot = match at {
        None => state.fleet.inventory_of_all(),
        Some(at) => state.fleet.inventory_of_all_at(at)?,
    };
    // Hosts that are retired are no part of an answer about now; what they had is gone anyway.
    let rows = state.fleet.hosts();
    let names: HashMap<_, Arc<str>> = rows.iter().map(|row| (row.id, Arc::from(row.name.as_str()))).collect();
    let mut database = Database::default();
    for table in &TABLES {
        let counted = format!("{}_counted", table.name);
        // What is not named is there too, so that a mistake is told with all names, but has no rows.
        let is_named = sql.contains(table.name);
        let shared = Arc::new(if is_named {
            shared(&snapshot, table, &names)
        } else {
            Shared::new(fields(table), Vec::new(), Vec::new())
        });
        database.add(table.name, Relation::Shared(Arc::clone(&shared)));
        if table.keys > 0 {
            database.add(&counted, Relation::Counted(shared));
        }
    }
    for (name, columns) in OWN {
        let fields = columns.iter().map(|(name, kind)| Field::new(name, *kind)).collect();
        let rows = match name {
            _ if !sql.contains(name) => Vec::new(),
            "hosts" => hosts(state),
            _ => changes(state, at)?,
        };
        database.add(name, Relation::Plain { fields, rows: Arc::new(rows) });
    }
    Ok(database)
}

fn fields(table: &Table) -> Vec<Field> {
    table.columns.iter().map(|column| Field::new(column.name, column.kind)).collect()
}

fn shared(
    snapshot: &InventorySnapshot,
    table: &Table,
    names: &HashMap<muster_common::host::HostId, Arc<str>>,
) -> Shared {
    let hosts =
        snapshot.hosts().filter_map(|(id, host)| Some((names.get(&id)?.clone(), host.table(table)?.shared_numbers())));
    Shared::new(fields(table), snapshot.book(table).rows().collect(), hosts.collect())
}

fn hosts(state: &State) -> Vec<Row> {
    let presence = state.presence();
    let seconds = |ms: i64| Cell::Integer(ms.div_euclid(1_000));
    let row = |glance: muster_fleet::HostGlance| {
        let presence = presence.get(&glance.id);
        let heard = presence.and_then(|presence| presence.last_arrival).map(|at| at.millis());
        vec![
            glance.name.into(),
            glance.id.to_string().into(),
            glance.state.as_str().into(),
            Cell::from(presence.map(|presence| presence.state.clone())),
            glance.agent_version.into(),
            glance.enrolled_ms.map_or(Cell::Null, seconds),
            heard.map_or(Cell::Null, seconds),
            serde_json::to_string(&glance.labels).unwrap_or_default().into(),
        ]
    };
    state.fleet.glances().into_iter().filter(|glance| glance.state != HostState::Retired).map(row).collect()
}

fn changes(state: &State, at: Option<Timestamp>) -> Result<Vec<Row>, FleetError> {
    let to_ms = at.map_or(i64::MAX, |at| at.millis().saturating_add(1));
    let query = ChangeQuery { to_ms, limit: CHANGES_MAX, ..ChangeQuery::default() };
    let page = state.fleet.inventory_changes(&query)?;
    let mut names = Names { fleet: &state.fleet, known: HashMap::new() };
    let row = |change: &muster_fleet::InventoryChange| {
        vec![
            names.of(change.host).into(),
            Cell::Integer(change.since_ms.div_euclid(1_000)),
            Cell::Integer(change.at_ms.div_euclid(1_000)),
            change.table.name.into(),
            kind(change).into(),
            change.words.as_str().into(),
        ]
    };
    Ok(page.changes.iter().map(row).collect())
}
