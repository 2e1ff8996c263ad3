//! The rows of the dispatcher: alerts that fire or whose end is not told yet, groups with what was told, notices as they were made.
//!
//! Values are a version byte and JSON. ALERTING.md, "Dispatch", has their fields.

use std::collections::BTreeMap;

use muster_common::label::LabelSet;
use muster_fleet::{SmallRow, SmallTable};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::group::{Group, Member};
use super::plan::Waits;
use crate::alert::{Alert, AlertId, Held, Notice, NoticeKind, Origin};
use crate::row_codec::{self, BadValue};

/// The first byte of the keys of alerts as the dispatcher has them.
pub const FIRING_ROW: u8 = b'a';
const VERSION: u8 = 1;
/// Row of `SmallTable::AlertMeta`: the number that the next notice gets, u64 little-endian.
pub(super) const NOTICE_NEXT: &[u8] = b"notice_next";
/// Row of `SmallTable::AlertMeta`: when the data folder was put back to an older state last, i64 little-endian, milliseconds.
pub(super) const RESTORED: &[u8] = b"restored";

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadRow {
    #[error(
        "a row of table {table:?} has version {version}, this collector reads {VERSION}: start the newer one again"
    )]
    Version { table: SmallTable, version: u8 },
    #[error("a row of table {table:?} is damaged ({what}): restore the data folder from a snapshot")]
    Damaged { table: SmallTable, what: String },
}

type Labels = BTreeMap<String, String>;

fn map(labels: &LabelSet) -> Labels {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn set(labels: &Labels) -> Result<LabelSet, String> {
    LabelSet::new(labels.iter()).map_err(|error| error.to_string())
}

#[derive(Serialize, Deserialize)]
struct AlertRow {
    id: String,
    labels: Labels,
    annotations: BTreeMap<String, String>,
    origin: Origin,
    active_ms: i64,
    starts_ms: i64,
    ends_ms: Option<i64>,
    updated_ms: i64,
    /// JSON has no form for what is not finite.
    value: Option<f64>,
    expression: String,
    holds: Vec<Held>,
    is_quiet_end: bool,
    #[serde(default)]
    is_one_of_many: bool,
}

#[derive(Serialize, Deserialize)]
struct GroupRow {
    route: String,
    receiver: String,
    labels: Labels,
    is_mass: bool,
    group_wait_ms: i64,
    group_interval_ms: i64,
    repeat_interval_ms: i64,
    members: BTreeMap<String, Member>,
    ready_ms: Option<i64>,
    last_ms: Option<i64>,
    incident: Option<u64>,
    opened_ms: Option<i64>,
    #[serde(default)]
    is_joined: bool,
}

#[derive(Serialize, Deserialize)]
struct NoticeRow {
    incident: u64,
    kind: NoticeKind,
    receiver: String,
    group_key: String,
    group_labels: Labels,
    at_ms: i64,
    firing: Vec<AlertRow>,
    resolved: Vec<AlertRow>,
}

fn hex(id: AlertId) -> String {
    format!("{:032x}", id.0)
}

fn unhex(text: &str) -> Result<AlertId, String> {
    u128::from_str_radix(text, 16).map(AlertId).map_err(|error| error.to_string())
}

fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    row_codec::encode(VERSION, row)
}

fn decode<T: DeserializeOwned>(table: SmallTable, bytes: &[u8]) -> Result<T, BadRow> {
    row_codec::decode(VERSION, bytes).map_err(|error| match error {
        BadValue::Version(version) => BadRow::Version { table, version },
        other => BadRow::Damaged { table, what: other.to_string() },
    })
}

fn alert_row(alert: &Alert) -> AlertRow {
    AlertRow {
        id: hex(alert.id),
        labels: map(&alert.labels),
        annotations: alert.annotations.clone(),
        origin: alert.origin.clone(),
        active_ms: alert.active_ms,
        starts_ms: alert.starts_ms,
        ends_ms: alert.ends_ms,
        updated_ms: alert.updated_ms,
        value: alert.value.filter(|value| value.is_finite()),
        expression: alert.expression.clone(),
        holds: alert.holds.clone(),
        is_quiet_end: alert.is_quiet_end,
        is_one_of_many: alert.is_one_of_many,
    }
}

fn alert_of(row: AlertRow) -> Result<Alert, String> {
    Ok(Alert {
        id: unhex(&row.id)?,
        labels: set(&row.labels)?,
        annotations: row.annotations,
        origin: row.origin,
        active_ms: row.active_ms,
        starts_ms: row.starts_ms,
        ends_ms: row.ends_ms,
        updated_ms: row.updated_ms,
        value: row.value,
        expression: row.expression,
        again: false,
        holds: row.holds,
        is_quiet_end: row.is_quiet_end,
        is_one_of_many: row.is_one_of_many,
    })
}

/// An alert as a row has it.
fn alert_value(alert: &Alert) -> Vec<u8> {
    encode(&alert_row(alert))
}

/// The alert of a row.
///
/// # Errors
/// [`BadRow`].
pub(super) fn read_alert(bytes: &[u8]) -> Result<Alert, BadRow> {
    let table = SmallTable::Alerts;
    alert_of(decode(table, bytes)?).map_err(|what| BadRow::Damaged { table, what })
}

pub(super) fn put_alert(id: AlertId, alert: Option<&Alert>) -> SmallRow {
    let key = [&[FIRING_ROW][..], &id.0.to_be_bytes()].concat();
    SmallRow { table: SmallTable::Alerts, key, value: alert.map(alert_value) }
}

fn group_key(key: &str) -> Vec<u8> {
    // A group's labels may be long; its name is in the row.
    xxh3_128(key.as_bytes()).to_be_bytes().to_vec()
}

pub(super) fn put_group(key: &str, group: Option<&Group>) -> SmallRow {
    let value = group.map(|group| {
        encode(&GroupRow {
            route: group.route.clone(),
            receiver: group.receiver.clone(),
            labels: map(&group.labels),
            is_mass: group.is_mass,
            group_wait_ms: group.waits.group_wait_ms,
            group_interval_ms: group.waits.group_interval_ms,
            repeat_interval_ms: group.waits.repeat_interval_ms,
            members: group.members.iter().map(|(id, member)| (hex(*id), *member)).collect(),
            ready_ms: group.ready_ms,
            last_ms: group.last_ms,
            incident: group.incident,
            opened_ms: group.opened_ms,
            is_joined: group.is_joined,
        })
    });
    SmallRow { table: SmallTable::Groups, key: group_key(key), value }
}

pub(super) fn read_group(bytes: &[u8]) -> Result<Group, BadRow> {
    let table = SmallTable::Groups;
    let row: GroupRow = decode(table, bytes)?;
    let damaged = |what: String| BadRow::Damaged { table, what };
    let members = row.members.iter().map(|(id, member)| Ok((unhex(id)?, *member))).collect::<Result<_, String>>();
    Ok(Group {
        route: row.route,
        receiver: row.receiver,
        labels: set(&row.labels).map_err(damaged)?,
        is_mass: row.is_mass,
        waits: Waits {
            group_wait_ms: row.group_wait_ms,
            group_interval_ms: row.group_interval_ms,
            repeat_interval_ms: row.repeat_interval_ms,
        },
        members: members.map_err(damaged)?,
        ready_ms: row.ready_ms,
        last_ms: row.last_ms,
        incident: row.incident,
        opened_ms: row.opened_ms,
        is_joined: row.is_joined,
    })
}

pub(super) fn put_notice(notice: &Notice) -> SmallRow {
    let alerts = |alerts: &[Alert]| alerts.iter().map(alert_row).collect();
    let value = encode(&NoticeRow {
        incident: notice.incident,
        kind: notice.kind,
        receiver: notice.receiver.clone(),
        group_key: notice.group_key.clone(),
        group_labels: map(&notice.group_labels),
        at_ms: notice.at_ms,
        firing: alerts(&notice.firing),
        resolved: alerts(&notice.resolved),
    });
    SmallRow { table: SmallTable::Notices, key: notice.id.to_be_bytes().to_vec(), value: Some(value) }
}

pub(super) fn read_notice(key: &[u8], bytes: &[u8]) -> Result<Notice, BadRow> {
    let table = SmallTable::Notices;
    let row: NoticeRow = decode(table, bytes)?;
    let damaged = |what: String| BadRow::Damaged { table, what };
    let id = key.try_into().map(u64::from_be_bytes).map_err(|_| damaged("its key is not 8 bytes".to_owned()))?;
    let alerts = |rows: Vec<AlertRow>| rows.into_iter().map(alert_of).collect::<Result<Vec<_>, _>>();
    Ok(Notice {
        id,
        incident: row.incident,
        kind: row.kind,
        receiver: row.receiver,
        group_key: row.group_key,
        group_labels: set(&row.group_labels).map_err(damaged)?,
        at_ms: row.at_ms,
        firing: alerts(row.firing).map_err(damaged)?,
        resolved: alerts(row.resolved).map_err(damaged)?,
    })
}
