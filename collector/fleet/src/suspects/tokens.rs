//! Words of alerts against words of changes: which thing is meant, and which tables can explain a kind of problem.

use std::collections::BTreeSet;

use muster_common::inventory::{Table, Value};

use crate::inventory::InventoryChange;

/// Bytes of one text that are read, and words of all: an output may be long, and its beginning says what is wrong.
const TEXT_BYTES_MAX: usize = 4_096;
const WORDS_MAX: usize = 300;
/// Shorter ones are syllables.
const LETTERS_MIN: usize = 3;

/// Behind a colon up to this it may be the minutes of a time.
const TIME_MAX: u16 = 59;

/// Words that name nothing.
const EMPTY: [&str; 62] = [
    "the", "and", "for", "from", "with", "not", "has", "was", "are", "its", "host", "hosts", "check", "alert", "error",
    "errors", "failed", "failure", "failing", "critical", "warning", "unknown", "service", "services", "socket",
    "timer", "unit", "mount", "usr", "etc", "var", "lib", "bin", "opt", "run", "srv", "local", "share", "conf",
    "config", "cfg", "yaml", "yml", "com", "org", "net", "www", "high", "low", "down", "used", "free", "since",
    "limit", "value", "status", "state", "data", "common", "core", "main", "default",
];

/// Names of the same thing: the first is the one that counts.
const SAME: [&[&str]; 11] = [
    &["ssh", "sshd", "openssh"],
    &["apache", "apache2", "httpd"],
    &["postgresql", "postgres", "pgsql", "psql"],
    &["mysql", "mysqld", "mariadb", "mariadbd"],
    &["bind", "bind9", "named"],
    &["chrony", "chronyd"],
    &["ssl", "tls", "openssl", "libssl"],
    &["redis", "redis-server"],
    &["docker", "dockerd", "containerd"],
    &["postfix", "smtpd", "smtp"],
    &["mount", "fstab"],
];

/// Words that tell the kind of a problem, how people call it, and tables whose changes can explain one.
const KINDS: [(&[&str], &str, &[&str]); 9] = [
    (
        &["disk", "filesystem", "filesystems", "inode", "inodes", "space", "storage", "raid", "smart", "mdadm"],
        "disks",
        &["mounts", "block_devices"],
    ),
    (&["certificate", "certificates", "ssl", "expiry", "expires", "x509"], "certificates", &["certificates", "files"]),
    (&["dns", "resolve", "resolver", "lookup", "nxdomain"], "names", &["resolvers", "files", "routes", "units"]),
    (
        &["tcp", "http", "https", "port", "ports", "connect", "connection", "refused", "url", "timeout"],
        "connections",
        &["listening_ports", "units", "packages", "files", "certificates", "containers"],
    ),
    (
        &["network", "interface", "ping", "packet", "route", "unreachable", "hostsilent", "hostunreachable"],
        "the network",
        &["interfaces", "addresses", "routes", "resolvers", "kernel", "modules"],
    ),
    (
        &["cpu", "load", "memory", "oom", "swap", "process", "processes", "pressure"],
        "processes",
        &["packages", "units", "containers", "sysctl", "timers", "files", "kernel"],
    ),
    (
        &["ntp", "clock", "offset", "timesync", "chrony"],
        "the clock",
        &["packages", "units", "files", "os", "resolvers"],
    ),
    (&["systemd", "units", "restart", "restarts"], "units", &["units", "packages", "files", "users"]),
    (
        &["login", "user", "users", "ldap", "pam", "password", "permission", "denied"],
        "users",
        &["users", "groups", "files"],
    ),
];

/// Columns beside the key that name something.
const NAMING: [(&str, &[&str]); 6] = [
    ("packages", &["source"]),
    ("timers", &["unit"]),
    ("listening_ports", &["process", "unit"]),
    ("mounts", &["device"]),
    ("certificates", &["subject", "names"]),
    ("containers", &["name", "image"]),
];
/// Columns of keys that name nothing by which a thing is known.
const NAMELESS: [&str; 5] = ["manager", "architecture", "protocol", "serial", "id"];

/// What an alert is about.
#[derive(Default)]
pub(super) struct Meant {
    names: BTreeSet<String>,
    output: BTreeSet<String>,
    kinds: Vec<usize>,
}

/// How a change fits an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fit {
    /// The word that the alert's own names share with it.
    pub(super) named: Option<String>,
    /// The same of what was said.
    pub(super) said: Option<String>,
    /// The kind of problem that its table can explain.
    pub(super) explains: Option<&'static str>,
}

impl Meant {
    pub(super) fn of(names: &[String], output: &[String]) -> Self {
        let of = |texts: &[String], has_numbers| {
            let words = texts.iter().flat_map(|text| words(text, has_numbers));
            words.take(WORDS_MAX).collect::<BTreeSet<String>>()
        };
        let (names, output) = (of(names, true), of(output, false));
        let kinds_of = |words: &BTreeSet<String>| -> Vec<usize> {
            let is_of = |(signs, _, _): &(&[&str], &str, &[&str])| signs.iter().any(|sign| words.contains(*sign));
            KINDS.iter().enumerate().filter(|(_, kind)| is_of(kind)).map(|(at, _)| at).collect()
        };
        // What is said has words of other kinds too: it counts only where the names tell no kind.
        let kinds = Some(kinds_of(&names)).filter(|kinds| !kinds.is_empty()).unwrap_or_else(|| kinds_of(&output));
        Self { names, output, kinds }
    }

    pub(super) fn fit(&self, change: &InventoryChange) -> Fit {
        let own = own_words(change);
        let shared = |words: &BTreeSet<String>| own.iter().find(|word| words.contains(*word)).cloned();
        let is_explained = |at: &&usize| KINDS[**at].2.contains(&change.table.name);
        Fit {
            named: shared(&self.names),
            said: shared(&self.output),
            explains: self.kinds.iter().find(is_explained).map(|at| KINDS[*at].1),
        }
    }

    /// The word of a name that the alert's own names or what was said have, if any has one.
    pub(super) fn names_text(&self, text: &str) -> Option<String> {
        words(text, false).into_iter().find(|word| self.names.contains(word) || self.output.contains(word))
    }

    /// Whether it is known what kind of problem it is.
    pub(super) fn has_kind(&self) -> bool {
        !self.kinds.is_empty()
    }
}

/// The words that name what changed, those that say most first: the longest.
fn own_words(change: &InventoryChange) -> Vec<String> {
    let rows = || [&change.after, &change.before].into_iter().flatten();
    let texts = rows().flat_map(|row| naming(change.table, row));
    let mut own: Vec<String> = texts
        .flat_map(|value| match value {
            Value::Text(text) => words(text, false),
            Value::Integer(number) => vec![number.to_string()],
            Value::Null => Vec::new(),
        })
        .collect();
    own.sort_by(|one, other| (other.len(), one).cmp(&(one.len(), other)));
    own.dedup();
    own
}

/// The values of a row by which people know the thing.
fn naming<'a>(table: &'static Table, row: &'a [Value]) -> impl Iterator<Item = &'a Value> {
    let more = NAMING.iter().find(|(name, _)| *name == table.name).map_or(&[][..], |(_, columns)| columns);
    table
        .columns
        .iter()
        .zip(row)
        .enumerate()
        .filter(move |(at, (column, value))| {
            let is_name = *at < table.keys && !NAMELESS.contains(&column.name);
            let is_port = column.name == "port" || matches!(value, Value::Text(_));
            is_port && (is_name || more.contains(&column.name))
        })
        .map(|(_, (_, value))| value)
}

/// The words of a text: letters and digits in lower case, by the name that counts, whole paths beside their parts, and numbers only where they
/// stand for ports. A number in an output is mostly a measured one, so there only `:5432` and `port 5432` are taken.
fn words(text: &str, has_numbers: bool) -> Vec<String> {
    let text = text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default().to_lowercase();
    let mut words = Vec::new();
    let mut is_port = false;
    for part in text.split(|letter: char| letter.is_whitespace() || "\"'(),;=[]{}<>|".contains(letter)) {
        let part = part.trim_end_matches(['.', ':', '!', '?']);
        if part.starts_with('/') {
            words.push(part.to_owned());
        }
        for (at, piece) in part.split(|letter: char| !letter.is_alphanumeric()).enumerate() {
            let behind_colon = at > 0 && part.contains(&format!(":{piece}"));
            match piece.parse::<u16>() {
                Ok(number) if (number > 9 && (has_numbers || is_port)) || (number > TIME_MAX && behind_colon) => {
                    words.push(number.to_string());
                }
                Ok(_) => {}
                Err(_) => words.extend(word(piece)),
            }
            is_port = piece == "port" || (is_port && piece.is_empty());
        }
    }
    words
}

/// A word by the name that counts: `sshd` is `ssh`, `libssl3` is `ssl`.
fn word(piece: &str) -> Option<String> {
    let same = |word: &str| SAME.iter().find(|names| names.contains(&word)).map(|names| names[0].to_owned());
    let bare = piece.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let found = same(piece).or_else(|| same(bare)).unwrap_or_else(|| bare.to_owned());
    (found.len() >= LETTERS_MIN && !EMPTY.contains(&found.as_str())).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_names_a_thing() {
        for (text, has_numbers, told) in [
            ("OpenSSH sshd.service failed", false, "ssh ssh"),
            ("disk /var 96 % used, 1.2 GiB free", false, "disk /var gib"),
            ("connect to 10.0.0.5:5432 refused", false, "connect 5432 refused"),
            ("tcp port 8080", true, "tcp port 8080"),
            ("read 5432 rows, port 443.", false, "read rows port 443"),
            ("libssl3 postgresql-16", false, "ssl postgresql"),
        ] {
            assert_eq!(words(text, has_numbers).join(" "), told, "{text}");
        }
        assert!(words(&"\u{e9}x ".repeat(9_000), true).len() < 3_000);
    }
}
