//! The live tables: one file each, in the order of [`LIVE`].
//!
//! A reader gives every row to a [`Taker`], which knows whether it is wanted, and asks it before it does what only some questions need
//! ([`muster_common::ask::Sieve::needs`]). Bytes of foreign programs: what is no UTF-8 is replaced, what is not understood is left out.
//!
//! To add a table: its line in `common/src/ask/tables.rs`, a file here, its `mod` line, and its line in [`READERS`].

mod agent;
mod connections;
mod disk_usage;
mod logged_in;
mod processes;

use muster_common::ask::LIVE;

use super::answer::{Stop, Taker};
use super::host::Host;
use crate::inventory::Scene;

pub(super) use disk_usage::Disks;
#[cfg(test)]
pub(super) use disk_usage::Statvfs;

/// Reads one table.
pub(super) type Reader = fn(&Host, &Scene, &mut Taker<'_>) -> Result<(), Stop>;

/// The reader of each live table, by its name.
pub(super) const READERS: [(&str, Reader); LIVE.len()] = [
    ("processes", processes::read),
    ("connections", connections::read),
    ("disk_usage", disk_usage::read),
    ("logged_in", logged_in::read),
    ("agent", agent::read),
];
