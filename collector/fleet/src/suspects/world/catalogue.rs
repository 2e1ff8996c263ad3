//! What breaks and what merely changes.

use muster_common::inventory::{Row, Table, Value};

use super::{Dice, table};

/// A thing that changes: its table, its key and what else is always said of it, and how it changes.
#[derive(Clone, Copy)]
pub(super) struct Thing {
    table: &'static str,
    /// The first texts of its row; of numbers their digits.
    row: &'static [&'static str],
    how: How,
}

#[derive(Clone, Copy)]
enum How {
    /// Another value in the column of this name.
    Column(&'static str),
    New,
    Gone,
}

/// A problem and what is behind it.
pub(super) struct Fault {
    pub(super) names: &'static [&'static str],
    pub(super) output: &'static [&'static str],
    pub(super) thing: Thing,
    /// It is on the host that the problem's parent is on.
    pub(super) is_near: bool,
}

const fn thing(table: &'static str, row: &'static [&'static str], how: How) -> Thing {
    Thing { table, row, how }
}

const fn fault(names: &'static [&'static str], output: &'static [&'static str], thing: Thing) -> Fault {
    Fault { names, output, thing, is_near: false }
}

/// Some name their reason, some say it only in their output, some only hint at a kind of thing, and two say nothing of it.
pub(super) const FAULTS: [Fault; 15] = [
    fault(
        &["http shop", "https://shop.example.org/"],
        &["HTTP 502 Bad Gateway (nginx) after 0.02 s"],
        thing("files", &["/etc/nginx/sites-enabled/shop.conf"], How::Column("sha256")),
    ),
    fault(
        &["postgres"],
        &["could not connect to server: Connection refused"],
        thing(
            "packages",
            &["dpkg", "postgresql-16", "amd64", "16.2-1", "postgresql-16", "installed"],
            How::Column("version"),
        ),
    ),
    fault(
        &["tcp 6379"],
        &["connect to 10.1.0.7:6379: connection refused"],
        thing(
            "units",
            &["redis-server.service", "Redis", "loaded", "active", "running", "enabled"],
            How::Column("file_state"),
        ),
    ),
    fault(
        &["disk /srv/backup"],
        &["/srv/backup 97 % used"],
        thing("mounts", &["/srv/backup", "/dev/sdb1", "ext4", "rw"], How::Column("options")),
    ),
    fault(
        &["certificate www.example.org"],
        &["certificate ends in 2 d, issuer is Test CA"],
        thing("certificates", &["/etc/ssl/certs/www.pem", "17", "CN=www.example.org"], How::New),
    ),
    fault(
        &["dns intern.example.org"],
        &["no answer within 5 s"],
        thing("resolvers", &["10.1.0.53", "example.org"], How::Gone),
    ),
    fault(
        &["mail queue"],
        &["412 mails wait, postfix/smtp[9]: fatal: bad string length"],
        thing("files", &["/etc/postfix/main.cf"], How::Column("sha256")),
    ),
    fault(
        &["HostMemoryHigh", "node_memory_MemAvailable_bytes"],
        &["memory 97 % used"],
        thing("packages", &["dpkg", "tomcat10", "all", "10.1.6-1", "tomcat10", "installed"], How::Column("version")),
    ),
    fault(
        &["load"],
        &["load 31.2, 8 processors"],
        thing("timers", &["reindex.timer", "reindex.service", "hourly"], How::New),
    ),
    fault(
        &["ssh"],
        &["Server closed the connection"],
        thing("files", &["/etc/ssh/sshd_config"], How::Column("sha256")),
    ),
    fault(
        &["clock"],
        &["offset 4.2 s"],
        thing("units", &["chrony.service", "NTP", "loaded", "active", "running", "enabled"], How::Column("file_state")),
    ),
    fault(
        &["ping gateway"],
        &["100 % packet loss"],
        thing("routes", &["10.2.0.0", "16", "10.1.0.1", "eth0"], How::Gone),
    ),
    fault(
        &["orders", "rate of orders"],
        &["0 orders in 10 min"],
        thing("packages", &["dpkg", "php8.2-fpm", "amd64", "8.2.1-1", "php8.2", "installed"], How::Column("version")),
    ),
    fault(
        &["batch night"],
        &["exit code 1: permission denied"],
        thing("users", &["batch", "1201", "1201", "", "/srv/batch", "/bin/sh"], How::Column("gid")),
    ),
    Fault {
        names: &["http portal", "https://portal.example.org/"],
        output: &["HTTP 500: database is read-only"],
        thing: thing("sysctl", &["vm.overcommit_memory", "0"], How::Column("value")),
        is_near: true,
    },
];

/// What changes on any day, and on which share of the other hosts.
const DECOYS: [(Thing, f64); 20] = [
    (thing("packages", &["dpkg", "tzdata", "all", "2026a", "tzdata", "installed"], How::Column("version")), 0.95),
    (thing("packages", &["dpkg", "libc6", "amd64", "2.36-9", "glibc", "installed"], How::Column("version")), 0.7),
    (thing("packages", &["dpkg", "openssl", "amd64", "3.0.14", "openssl", "installed"], How::Column("version")), 0.8),
    (thing("packages", &["dpkg", "vim-tiny", "amd64", "9.0", "vim", "installed"], How::Column("version")), 0.3),
    (thing("packages", &["dpkg", "nginx-common", "all", "1.22.1", "nginx", "installed"], How::Column("version")), 0.1),
    (thing("packages", &["dpkg", "strace", "amd64", "6.1", "strace", "installed"], How::New), 0.02),
    (thing("packages", &["dpkg", "python3-requests", "all", "2.28", "requests", "installed"], How::New), 0.05),
    (
        thing(
            "units",
            &["fstrim.service", "Trim", "loaded", "inactive", "dead", "static"],
            How::Column("active_state"),
        ),
        0.9,
    ),
    (
        thing("units", &["nginx.service", "Web", "loaded", "active", "running", "enabled"], How::Column("sub_state")),
        0.05,
    ),
    (thing("units", &["debug-shell.service", "Shell", "loaded", "inactive", "dead", "disabled"], How::New), 0.02),
    (thing("files", &["/etc/motd"], How::Column("sha256")), 0.9),
    (thing("files", &["/etc/resolv.conf"], How::Column("sha256")), 0.2),
    (thing("files", &["/etc/cron.d/report"], How::Column("sha256")), 0.02),
    (thing("files", &["/etc/sudoers.d/ops"], How::Column("sha256")), 0.6),
    (thing("files", &["/etc/logrotate.d/nginx"], How::Column("sha256")), 0.05),
    (thing("users", &["intern7", "2007", "2007", "", "/srv/intern7", "/bin/bash"], How::New), 0.3),
    (thing("listening_ports", &["tcp", "127.0.0.1", "38211", "code-server"], How::New), 0.02),
    (thing("mounts", &["/mnt/usb", "/dev/sdz1", "vfat", "rw"], How::New), 0.02),
    (thing("sysctl", &["net.core.somaxconn", "4096"], How::Column("value")), 0.4),
    (thing("modules", &["usb_storage", "77824"], How::New), 0.05),
];

/// A decoy, and on which share of the fleet it changed too.
pub(super) fn decoy(dice: &mut Dice) -> (Thing, f64) {
    // One in six is a reason of another problem: as likely to matter here as anything else.
    if dice.chance(1.0 / 6.0) {
        return (FAULTS[dice.below(FAULTS.len())].thing, 0.02);
    }
    DECOYS[dice.below(DECOYS.len())]
}

/// Its table, its row before and its row after.
pub(super) fn row_of(dice: &mut Dice, thing: &Thing) -> (&'static Table, Option<Row>, Option<Row>) {
    let table = table(thing.table);
    let mut row: Row = vec![Value::Null; table.columns.len()];
    for ((place, column), text) in row.iter_mut().zip(table.columns).zip(thing.row) {
        *place = match (column.kind, text.parse::<i64>()) {
            (muster_common::inventory::Kind::Text, _) | (_, Err(_)) => Value::Text((*text).to_owned()),
            (_, Ok(number)) => Value::Integer(number),
        };
    }
    match thing.how {
        How::New => (table, None, Some(row)),
        How::Gone => (table, Some(row), None),
        How::Column(name) => {
            let mut after = row.clone();
            if let Some(value) = table.column(name).and_then(|at| after.get_mut(at)) {
                let number = dice.below(1 << 20) as i64;
                *value = match value {
                    Value::Integer(_) => Value::Integer(number),
                    _ => Value::Text(format!("{number:x}")),
                };
            }
            (table, Some(row), Some(after))
        }
    }
}
