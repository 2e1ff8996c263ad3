//! The tables that can be asked: those of the inventory, and those that would be out of date before they arrived in one.
//!
//! A new live one is a line here and a file in the agent. Names are osquery's where it has the same thing, sizes are bytes.

use crate::inventory::tables::{integer, table, text, time};
use crate::inventory::{TABLES, Table};

/// Tables that are only asked. They have no number, since none is ever told of by itself.
pub static LIVE: [Table; 5] = [
    table(
        0,
        "processes",
        "process",
        1,
        &[
            integer("pid"),
            text("name"),
            text("user"),
            // Without arguments, unless the host's own file tells them.
            text("command"),
            // The kernel's letter: R, S, D, Z, T, I.
            text("state"),
            time("started"),
            integer("threads"),
            // Of one processor, over half a second.
            integer("cpu_percent"),
            // Since it started, all threads together.
            integer("cpu_ms"),
            integer("rss_bytes"),
        ],
    ),
    table(
        0,
        "connections",
        "connection",
        5,
        &[
            text("protocol"),
            text("local_address"),
            integer("local_port"),
            text("remote_address"),
            integer("remote_port"),
            text("user"),
            text("process"),
        ],
    ),
    table(
        0,
        "disk_usage",
        "file system",
        1,
        &[
            text("path"),
            text("device"),
            text("type"),
            integer("size_bytes"),
            integer("used_bytes"),
            // For users that are not root.
            integer("free_bytes"),
            // Of what such users may use, as df tells it.
            integer("used_percent"),
            integer("inodes"),
            integer("inodes_used"),
            integer("inodes_used_percent"),
        ],
    ),
    table(
        0,
        "logged_in",
        "login session",
        3,
        &[text("user"), text("terminal"), integer("pid"), text("remote"), text("type"), text("state"), time("since")],
    ),
    table(
        0,
        "agent",
        "agent",
        0,
        &[
            text("version"),
            integer("pid"),
            time("started"),
            integer("interval_ms"),
            integer("checks"),
            integer("log_groups"),
            integer("spool_max_bytes"),
            integer("inventory_interval_s"),
            integer("tells_arguments"),
        ],
    ),
];

/// Every table that can be asked: the inventory's, then the live ones.
pub fn all() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().chain(&LIVE)
}

/// The table of this name.
pub fn named(name: &str) -> Option<&'static Table> {
    all().find(|table| table.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_each_given_once_and_live_tables_have_no_number() {
        let names: BTreeSet<&str> = all().map(|table| table.name).collect();
        assert_eq!(names.len(), TABLES.len() + LIVE.len());
        for table in &LIVE {
            assert_eq!((table.number, named(table.name)), (0, Some(table)));
            let columns: BTreeSet<&str> = table.columns.iter().map(|column| column.name).collect();
            assert_eq!(columns.len(), table.columns.len(), "{}", table.name);
            // What every answer has beside a table's own columns.
            assert!(!columns.contains("host") && !columns.contains("count"), "{}", table.name);
        }
        assert_eq!(named("packages").map(|table| table.number), Some(6));
        assert_eq!(named("nothing"), None);
    }
}
