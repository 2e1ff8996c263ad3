//! Known servers, by their units or by what listens: each has a profile that knows more of it than a check of its unit.

use super::unit::is_enabled;
use super::{Cells, Found, ItemKind, Looked, Offer, What, clean, with_details};

pub(super) const PROFILE: &str = "profile";
const UNIT: &str = "unit";
const PROCESS: &str = "process";

pub(super) const KIND: ItemKind = ItemKind {
    name: "daemon",
    many: "daemons",
    fields: &[PROFILE, UNIT, PROCESS],
    tables: &["units", "listening_ports"],
    find,
    // The profile brings them.
    checks: |_| Vec::new(),
    words,
};

/// A server that there is a profile for.
pub(super) struct Daemon {
    profile: &'static str,
    /// Of Debian and of Red Hat, without `.service`; one that ends with `@` stands for its instances.
    units: &'static [&'static str],
    /// As the kernel has their names, 15 bytes at the most.
    processes: &'static [&'static str],
    /// Where systemd listens in its stead until somebody comes.
    ports: &'static [i64],
}

/// A server is a line here; its profile has the same name.
#[rustfmt::skip]
static DAEMONS: [Daemon; 10] = [
    Daemon { profile: "sshd", units: &["ssh", "sshd", "ssh@", "sshd@"], processes: &["sshd"], ports: &[22] },
    Daemon { profile: "nginx", units: &["nginx"], processes: &["nginx"], ports: &[] },
    Daemon { profile: "apache", units: &["apache2", "httpd", "apache2@", "httpd@"], processes: &["apache2", "httpd"], ports: &[] },
    Daemon { profile: "postgresql", units: &["postgresql", "postgresql@", "postgresql-12", "postgresql-13", "postgresql-14", "postgresql-15", "postgresql-16", "postgresql-17", "postgresql-18"], processes: &["postgres", "postmaster"], ports: &[] },
    Daemon { profile: "mysql", units: &["mysql", "mysqld", "mariadb", "mysqld@", "mariadb@"], processes: &["mysqld", "mariadbd"], ports: &[] },
    Daemon { profile: "redis", units: &["redis-server", "redis", "redis-server@", "redis@"], processes: &["redis-server"], ports: &[] },
    Daemon { profile: "docker", units: &["docker"], processes: &["dockerd"], ports: &[] },
    // Its process is called `master`, as others are too.
    Daemon { profile: "postfix", units: &["postfix", "postfix@"], processes: &[], ports: &[] },
    Daemon { profile: "bind", units: &["named", "bind9", "named-chroot"], processes: &["named"], ports: &[] },
    Daemon { profile: "haproxy", units: &["haproxy", "haproxy@"], processes: &["haproxy"], ports: &[] },
];

/// Listens at ports of containers: each is a thing of its own.
const FORWARDER: &str = "docker-proxy";

/// The server whose unit this is.
pub(super) fn of_unit(name: &str) -> Option<&'static Daemon> {
    let stem = name.strip_suffix(".service")?;
    let is_its = |unit: &&str| match unit.strip_suffix('@') {
        Some(template) => stem.strip_prefix(template).is_some_and(|rest| rest.starts_with('@')),
        None => stem == *unit,
    };
    DAEMONS.iter().find(|daemon| daemon.units.iter().any(is_its))
}

/// The server that listens at a port.
pub(super) fn of_port(port: i64, process: &str, unit: &str) -> Option<&'static Daemon> {
    if process == FORWARDER {
        return None;
    }
    let is_for_it = |daemon: &&Daemon| process == "systemd" && daemon.ports.contains(&port);
    let is_it = |daemon: &&Daemon| daemon.processes.contains(&process) || is_for_it(daemon);
    of_unit(unit).or_else(|| DAEMONS.iter().find(is_it))
}

fn find(looked: &Looked<'_>) -> Vec<Found> {
    DAEMONS.iter().filter_map(|daemon| found(looked, daemon)).collect()
}

/// By the first of its units that runs or, where none does, is started with the host; else by what listens; else by any unit of it.
fn found(looked: &Looked<'_>, daemon: &'static Daemon) -> Option<Found> {
    let is_this = |one: Option<&'static Daemon>| one.is_some_and(|one| one.profile == daemon.profile);
    let mut units: Vec<(u8, &str, Cells<'_>)> = looked
        .rows("units")
        .filter_map(|row| Some((row, row.text("name")?)))
        .filter(|(_, name)| is_this(of_unit(name)))
        .map(|(row, name)| {
            let text = |column| row.text(column).unwrap_or_default();
            let rank = match (text("active_state"), text("sub_state")) {
                ("active" | "reloading", "running") => 0,
                ("active" | "activating" | "reloading" | "failed", _) if is_enabled(text("file_state")) => 1,
                _ => 2,
            };
            (rank, name, row)
        })
        .collect();
    units.sort_by_key(|(rank, name, _)| (*rank, *name));
    let listener = looked.rows("listening_ports").find_map(|row| {
        let (process, unit) = (row.text("process").unwrap_or_default(), row.text("unit").unwrap_or_default());
        is_this(of_port(row.number("port")?, process, unit)).then_some((process, row))
    });
    let process = listener.map_or("", |(process, _)| process);
    let unit = units.first();
    let name = unit.map_or("", |(_, name, _)| name);
    let row = unit.filter(|(rank, ..)| *rank < 2 || listener.is_none()).map(|(.., row)| *row);
    let row = row.or(listener.map(|(_, row)| row))?;
    let values = vec![daemon.profile.to_owned(), name.to_owned(), process.to_owned()];
    let is_running = unit.is_some_and(|(rank, ..)| *rank < 2) || listener.is_some();
    Some(Found { what: row.what(format!("daemon:{}", daemon.profile), values), offer: Offer::when(is_running) })
}

fn words(what: &What) -> String {
    let of = with_details(
        format!("daemon {}", clean(what.value(PROFILE))),
        &[("unit ", what.value(UNIT)), ("process ", what.value(PROCESS))],
    );
    format!("{of}, which has a profile")
}
