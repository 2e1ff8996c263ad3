//! Rows of many hosts, equal ones once, within a bound of memory.

use std::collections::HashMap;

use muster_common::host::HostId;
use muster_common::inventory::{Row, Value};

use super::AskedRow;

/// Different rows of one question: ten times what anybody reads, and enough to group by.
pub const ROWS_MAX: usize = 50_000;
/// Hosts named of one row; of the others their number is known.
pub const HOSTS_NAMED_MAX: usize = 100;
/// Rows worked in for one question: a million take about a second.
const SEEN_MAX: u64 = 1_000_000;
/// What a row takes beside its texts: its place in the map, its values, its list of hosts.
const ROW_BYTES: usize = 160;
const VALUE_BYTES: usize = 32;
const HOST_BYTES: usize = 16;

#[derive(Default)]
struct Merged {
    count: u64,
    on_hosts: u64,
    hosts: Vec<HostId>,
    /// The place of the host that it was seen on last, so that a host counts once.
    last: Option<u32>,
}

/// The rows of one question.
#[derive(Default)]
pub(super) struct Rows {
    rows: HashMap<Row, Merged>,
    /// What they take, about.
    pub(super) bytes: usize,
    pub(super) dropped: u64,
    seen: u64,
}

impl Rows {
    /// A row of the host at this place among those asked. `room`: bytes that may be taken.
    pub(super) fn add(&mut self, row: Row, host: HostId, place: u32, room: usize) {
        self.seen += 1;
        let is_known = self.rows.contains_key(&row);
        let bytes = if is_known { HOST_BYTES } else { bytes_of(&row) + HOST_BYTES };
        if self.seen > SEEN_MAX || bytes > room || (!is_known && self.rows.len() >= ROWS_MAX) {
            self.dropped += 1;
            return;
        }
        let merged = self.rows.entry(row).or_default();
        merged.count += 1;
        if merged.last.replace(place) != Some(place) {
            merged.on_hosts += 1;
            if merged.hosts.len() < HOSTS_NAMED_MAX {
                merged.hosts.push(host);
                self.bytes += HOST_BYTES;
            }
        }
        if !is_known {
            self.bytes += bytes - HOST_BYTES;
        }
    }

    /// Most common first, then by their values.
    pub(super) fn into_rows(self) -> Vec<AskedRow> {
        let row = |(values, merged): (Row, Merged)| {
            let Merged { count, on_hosts, hosts, .. } = merged;
            AskedRow { values, count, on_hosts, hosts }
        };
        let mut rows: Vec<AskedRow> = self.rows.into_iter().map(row).collect();
        rows.sort_unstable_by(|one, other| {
            (other.on_hosts, other.count).cmp(&(one.on_hosts, one.count)).then_with(|| one.values.cmp(&other.values))
        });
        rows
    }
}

fn bytes_of(row: &[Value]) -> usize {
    let text = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
    ROW_BYTES + row.iter().map(|value| VALUE_BYTES + text(value)).sum::<usize>()
}
