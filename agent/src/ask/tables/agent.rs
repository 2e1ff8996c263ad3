//! The agent itself: its version, since when it runs, and what its configuration makes of it.

use muster_common::inventory::Value;

use super::{Host, Scene, Stop, Taker};

pub(super) fn read(host: &Host, _: &Scene, taker: &mut Taker<'_>) -> Result<(), Stop> {
    let facts = &host.facts;
    taker.add([
        Value::from(env!("CARGO_PKG_VERSION")),
        i64::from(std::process::id()).into(),
        facts.started_s.into(),
        facts.interval_ms.into(),
        facts.checks.into(),
        facts.log_groups.into(),
        facts.spool_max_bytes.into(),
        facts.inventory_interval_s.into(),
        i64::from(host.redactor.is_some()).into(),
    ])
}
