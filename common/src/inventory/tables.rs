//! The tables of an inventory: a new one is one line here, one source in the agent, and a line in its page.
//!
//! Names of tables and columns are osquery's where it has the same thing, since people have written queries against those.

/// What a column holds. Any value may also be null: not known, or there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    /// Seconds since 1970, UTC.
    Time,
}

/// One column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
}

/// One table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// On the wire and on disk; never given to another table.
    pub number: u8,
    /// In SQL, in the API and on pages.
    pub name: &'static str,
    /// One row, to people, such as `package`.
    pub one: &'static str,
    /// In the order of a row's values. A later version only adds columns, at the end: a row with fewer values has nulls there.
    pub columns: &'static [Column],
    /// So many of the first columns say which thing a row is; the others say how it is. None: the table has at most one row.
    pub keys: usize,
}

pub(crate) const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

pub(crate) const fn integer(name: &'static str) -> Column {
    Column { name, kind: Kind::Integer }
}

pub(crate) const fn time(name: &'static str) -> Column {
    Column { name, kind: Kind::Time }
}

pub(crate) const fn table(
    number: u8,
    name: &'static str,
    one: &'static str,
    keys: usize,
    columns: &'static [Column],
) -> Table {
    Table { number, name, one, columns, keys }
}

/// All tables, by number. Sizes are bytes, states are the words of the program that has them.
pub static TABLES: [Table; 21] = [
    table(
        1,
        "os",
        "operating system",
        0,
        &[
            text("id"),
            text("name"),
            text("version"),
            text("codename"),
            text("architecture"),
            text("machine_id"),
            text("time_zone"),
        ],
    ),
    table(2, "kernel", "kernel", 0, &[text("release"), text("version"), text("arguments"), time("boot_time")]),
    table(
        3,
        "hardware",
        "hardware",
        0,
        &[
            text("vendor"),
            text("model"),
            text("serial"),
            text("board"),
            text("firmware"),
            text("firmware_date"),
            text("processor"),
            integer("processors"),
            integer("memory_bytes"),
        ],
    ),
    table(4, "virtualisation", "virtualisation", 0, &[text("kind"), text("container")]),
    table(
        5,
        "block_devices",
        "block device",
        1,
        &[text("name"), text("model"), text("serial"), integer("size_bytes"), integer("rotational"), text("type")],
    ),
    table(
        6,
        "packages",
        "package",
        3,
        &[text("manager"), text("name"), text("architecture"), text("version"), text("source"), text("status")],
    ),
    table(
        7,
        "units",
        "unit",
        1,
        &[
            text("name"),
            text("description"),
            text("load_state"),
            text("active_state"),
            text("sub_state"),
            text("file_state"),
            text("path"),
        ],
    ),
    table(8, "timers", "timer", 1, &[text("name"), text("unit"), text("schedule")]),
    table(
        9,
        "listening_ports",
        "listening port",
        3,
        &[text("protocol"), text("address"), integer("port"), text("process"), text("unit"), text("user")],
    ),
    table(
        10,
        "users",
        "user",
        1,
        &[text("name"), integer("uid"), integer("gid"), text("comment"), text("home"), text("shell")],
    ),
    table(11, "groups", "group", 1, &[text("name"), integer("gid"), text("members")]),
    table(12, "mounts", "mount", 1, &[text("path"), text("device"), text("type"), text("options")]),
    table(
        13,
        "interfaces",
        "network interface",
        1,
        &[text("name"), text("mac"), text("kind"), integer("mtu"), text("state")],
    ),
    table(14, "addresses", "network address", 2, &[text("interface"), text("address"), integer("prefix")]),
    table(
        15,
        "routes",
        "route",
        4,
        &[text("destination"), integer("prefix"), text("gateway"), text("interface"), integer("metric")],
    ),
    table(16, "resolvers", "name server", 1, &[text("address"), text("search")]),
    table(17, "sysctl", "kernel parameter", 1, &[text("name"), text("value")]),
    table(
        18,
        "certificates",
        "certificate",
        2,
        &[
            text("path"),
            text("serial"),
            text("subject"),
            text("issuer"),
            text("names"),
            time("not_before"),
            time("not_after"),
            text("sha256"),
        ],
    ),
    table(
        19,
        "containers",
        "container",
        1,
        &[text("id"), text("name"), text("runtime"), text("image"), text("state"), time("created")],
    ),
    table(
        20,
        "files",
        "configuration file",
        1,
        &[text("path"), text("sha256"), integer("size_bytes"), text("mode"), text("user"), text("group")],
    ),
    table(21, "modules", "kernel module", 1, &[text("name"), integer("size_bytes"), text("used_by")]),
];

/// Columns that change all the time, or that follow from another: that they differ is kept, and is no news to tell people of. What a unit or a
/// container does is its state, which checks watch; a reboot has an event of its own; a file's new size comes with a new hash.
pub static QUIET: [(&str, &[&str]); 7] = [
    ("kernel", &["boot_time"]),
    ("units", &["active_state", "sub_state"]),
    ("listening_ports", &["process"]),
    ("interfaces", &["state"]),
    ("containers", &["state"]),
    ("files", &["size_bytes"]),
    ("modules", &["used_by"]),
];

/// The table of this name.
pub fn named(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// The table of this number.
pub fn numbered(number: u8) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.number == number)
}

impl Table {
    /// The place of a column in a row.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Whether it is no news that the column at this place is otherwise.
    pub fn is_quiet(&self, place: usize) -> bool {
        let quiet = QUIET.iter().find(|(table, _)| *table == self.name).map_or(&[][..], |(_, columns)| columns);
        self.columns.get(place).is_some_and(|column| quiet.contains(&column.name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_and_names_are_each_given_once() {
        for (at, table) in TABLES.iter().enumerate() {
            assert_eq!(usize::from(table.number), at + 1, "{}", table.name);
            assert_eq!((named(table.name), numbered(table.number)), (Some(table), Some(table)));
            assert!(table.keys < table.columns.len() && !table.one.is_empty(), "{}", table.name);
            let names: BTreeSet<&str> = table.columns.iter().map(|column| column.name).collect();
            assert_eq!(names.len(), table.columns.len(), "{}", table.name);
            // Columns that every table has in SQL, beside its own.
            assert!(!names.contains("host") && !names.contains("since"), "{}", table.name);
            for (place, column) in table.columns.iter().enumerate() {
                assert_eq!(table.column(column.name), Some(place));
            }
        }
        for (table, columns) in QUIET {
            let table = named(table).unwrap();
            for name in columns {
                let place = table.column(name).unwrap();
                assert!(table.is_quiet(place) && place >= table.keys, "{name} of {}", table.name);
            }
            assert!(!table.is_quiet(0) && !table.is_quiet(99));
        }
        assert_eq!((named("nothing"), numbered(0), TABLES[0].column("nothing")), (None, None, None));
    }
}
