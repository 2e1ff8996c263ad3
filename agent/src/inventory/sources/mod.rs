//! The sources of the tables: one file a subject, each reading a [`Scene`] into the rows of its table.
//!
//! A source reads files and parses bytes that may be anything: what is no UTF-8 is replaced, what is too much is left out and noted, and what
//! cannot be looked at at all is a [`Problem`] that names its place. What a host simply lacks is an empty table.
//!
//! To add a table: its line in `common/src/inventory/tables.rs`, a file here, its `mod` line, and its line in [`SOURCES`].

mod accounts;
mod address;
mod block_devices;
mod certificates;
mod containers;
mod docker;
mod files;
mod hardware;
mod interfaces;
mod kernel;
mod listening_ports;
mod modules;
mod mounts;
mod os;
mod packages;
mod packages_rpm;
mod resolvers;
mod routes;
mod sysctl;
mod timers;
mod unit_files;
mod units;

use std::time::Duration;

use muster_common::inventory::{Rows, TABLES, Table};

use super::scene::{Problem, Scene};

pub(crate) use accounts::{shown, user_names};
pub(super) use address::ipv4_of_host;
pub(crate) use address::socket_address;
pub(crate) use listening_ports::{read_lines as each_socket_line, socket_inode};
pub(super) use packages::DATABASES;
pub(super) use unit_files::{FOLDERS as UNIT_FOLDERS, UnitFiles, UnitHead};

/// When a table is looked at although nothing was heard of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Once in the interval that is configured.
    Interval,
    /// More often, since nothing tells of changes and a look is cheap.
    Every(Duration),
}

const INTERVAL: Pace = Pace::Interval;
/// What starts and stops on a host is known, proposed and shown within a minute: 50 s until the look, the rest for the way.
const OFTEN: Pace = Pace::Every(Duration::from_secs(50));

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) table: &'static Table,
    pub(super) pace: Pace,
    read: fn(&Scene, &mut Rows) -> Result<(), Problem>,
}

/// The source of every table, by the table's number.
#[rustfmt::skip]
pub(crate) static SOURCES: [Source; 21] = [
    Source { table: of("os"), pace: INTERVAL, read: os::read },
    Source { table: of("kernel"), pace: INTERVAL, read: kernel::read },
    Source { table: of("hardware"), pace: INTERVAL, read: hardware::read },
    Source { table: of("virtualisation"), pace: INTERVAL, read: hardware::read_virtualisation },
    Source { table: of("block_devices"), pace: INTERVAL, read: block_devices::read },
    Source { table: of("packages"), pace: INTERVAL, read: packages::read },
    Source { table: of("units"), pace: OFTEN, read: units::read },
    Source { table: of("timers"), pace: INTERVAL, read: timers::read },
    Source { table: of("listening_ports"), pace: OFTEN, read: listening_ports::read },
    Source { table: of("users"), pace: INTERVAL, read: accounts::read_users },
    Source { table: of("groups"), pace: INTERVAL, read: accounts::read_groups },
    Source { table: of("mounts"), pace: INTERVAL, read: mounts::read },
    Source { table: of("interfaces"), pace: OFTEN, read: interfaces::read },
    Source { table: of("addresses"), pace: OFTEN, read: address::read },
    Source { table: of("routes"), pace: OFTEN, read: routes::read },
    Source { table: of("resolvers"), pace: OFTEN, read: resolvers::read },
    Source { table: of("sysctl"), pace: INTERVAL, read: sysctl::read },
    Source { table: of("certificates"), pace: INTERVAL, read: certificates::read },
    Source { table: of("containers"), pace: OFTEN, read: containers::read },
    Source { table: of("files"), pace: INTERVAL, read: files::read },
    Source { table: of("modules"), pace: INTERVAL, read: modules::read },
];

/// The table of this name; a name without a table does not compile.
const fn of(name: &str) -> &'static Table {
    let mut number = 0;
    while number < TABLES.len() {
        if is_same(TABLES[number].name.as_bytes(), name.as_bytes()) {
            return &TABLES[number];
        }
        number += 1;
    }
    panic!("no table has this name")
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    one.len() == other.len()
}

/// Looks at one table.
///
/// # Errors
/// When it cannot be looked at.
pub(crate) fn look(scene: &Scene, source: &Source) -> Result<Rows, Problem> {
    let mut rows = Rows::new(source.table);
    (source.read)(scene, &mut rows)?;
    Ok(rows)
}

/// Whether an interface is one end of a container's cable: these come and go with containers, and are not the host's.
fn is_cable(name: &str) -> bool {
    ["veth", "cali", "lxc", "vnet"].iter().any(|start| name.starts_with(start))
}

/// Runs a question to a service within a time limit, on a runtime of its own.
fn ask<T>(place: &str, limit: Duration, question: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let problem = |problem: String| Problem { place: place.to_owned(), problem };
    let runtime = crate::checks::worker::runtime().map_err(|error| problem(format!("cannot be asked: {error}")))?;
    let answered = runtime.block_on(async { tokio::time::timeout(limit, question).await });
    runtime.shutdown_background();
    answered.unwrap_or_else(|_| Err(problem(format!("gave no answer within {} s", limit.as_secs()))))
}
