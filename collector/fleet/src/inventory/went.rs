//! When a row went, by the log of changes.

use muster_common::host::HostId;
use muster_common::inventory::{Table, Value};

use super::log::{Change, Place};
use crate::error::FleetError;
use crate::state::Reading;
use crate::tables::INVENTORY_CHANGES;

/// Changes of a host that are looked through, newest first: what is asked for happened seconds ago.
const CHANGES_LOOKED_AT: usize = 10_000;

/// The newest change of the row of this key: it happened after the first and not after the second, milliseconds since 1970. `None`: the log does
/// not have it.
///
/// # Errors
/// [`FleetError`] when the disk or the file fails, or a change is damaged.
pub(crate) fn last_change(
    reading: &Reading,
    host: HostId,
    table: &Table,
    is_its: impl Fn(&[Value]) -> bool,
) -> Result<Option<(i64, i64)>, FleetError> {
    let first = Place { host, at_ms: i64::MIN, table: 0, number: 0 };
    let end = Place { host, at_ms: i64::MAX, table: u8::MAX, number: u32::MAX };
    let (mut found, mut left) = (None, CHANGES_LOOKED_AT);
    reading.newest_first(INVENTORY_CHANGES, &first.by_host(), &end.by_host(), |key, value| {
        left -= 1;
        if let Some(place) = Place::of_host_key(key).filter(|place| place.table == table.number) {
            let change = Change::read(place, value).map_err(|what| reading.damage(INVENTORY_CHANGES, key, what))?;
            found = change.filter(|change| is_its(&change.key())).map(|change| (change.since_ms, change.at_ms));
        }
        Ok(found.is_none() && left > 0)
    })?;
    Ok(found)
}
