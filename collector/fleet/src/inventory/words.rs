//! Changes in words: one event a report, at most [`EVENTS_AN_HOUR`] of a host.

use muster_common::host::HostId;
use muster_common::inventory::{Table, Value};
use muster_common::time::Timestamp;

use super::log::Change;
use crate::by::By;
use crate::outbox::{Event, EventKind};

/// Events of one host in an hour: an upgrade makes one, somebody at work a dozen.
const EVENTS_AN_HOUR: u32 = 60;
const HOUR_MS: i64 = 3_600_000;
/// Changes that an event tells by name; the others are counted in it.
const TOLD_MAX: usize = 20;
/// Columns told of one row that is another than before.
const COLUMNS_TOLD_MAX: usize = 3;
/// Letters of one value.
const VALUE_CHARS_MAX: usize = 60;

/// How much a host has told.
#[derive(Clone, Default)]
pub(crate) struct Budget {
    since_ms: i64,
    told: u32,
    /// Changes that no event told since the last one.
    untold: u64,
}

impl Budget {
    /// Whether what was reported then becomes an event; if so, how many changes before it were not told.
    fn tells(&mut self, arrived_ms: i64, changes: u64) -> Option<u64> {
        if arrived_ms.abs_diff(self.since_ms) >= HOUR_MS.unsigned_abs() {
            (self.since_ms, self.told) = (arrived_ms, 0);
        }
        if self.told >= EVENTS_AN_HOUR {
            self.untold += changes;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

/// The event of one report's changes, if any of them is news. The number is of changes that it would have told but for the bound.
pub(super) fn event(
    budget: &mut Budget,
    (host, name): (HostId, &str),
    changes: &[Change],
    arrived_ms: i64,
) -> (Option<Event>, u64) {
    let news: Vec<&Change> = changes.iter().filter(|change| is_news(change)).collect();
    let (Some(first), count) = (news.first(), news.len() as u64) else { return (None, 0) };
    let Some(untold) = budget.tells(arrived_ms, count) else { return (None, count) };
    let words: Vec<String> = news.iter().take(TOLD_MAX).map(|change| words(change)).collect();
    let more = count.saturating_sub(words.len() as u64);
    let mut tables: Vec<&str> = news.iter().map(|change| change.table.name).collect();
    tables.dedup();
    let told = words.join("; ");
    let mut text = format!("host `{name}` has changed: {told}");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    if untold > 0 {
        text.push_str(&format!("; before that {untold} changes were not told, since there were too many"));
    }
    let since_ms = news.iter().map(|change| change.since_ms).min().unwrap_or(first.since_ms);
    let event = Event::new(EventKind::InventoryChange, &By::AGENT, Timestamp::from_millis(arrived_ms), text)
        .of(host, name)
        .with("tables", tables.join(","))
        .with("changes", told)
        .with("more", more.to_string())
        .with("untold", untold.to_string())
        .with("since_ms", since_ms.to_string())
        .with("at_ms", first.at_ms.to_string());
    (Some(event), 0)
}

/// Whether more than quiet columns differ.
pub(super) fn is_news(change: &Change) -> bool {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return true };
    differing(before, after).any(|column| !change.table.is_quiet(column))
}

fn differing<'a>(before: &'a [Value], after: &'a [Value]) -> impl Iterator<Item = usize> + 'a {
    let value = |row: &'a [Value], column: usize| row.get(column).unwrap_or(&Value::Null);
    (0..before.len().max(after.len())).filter(move |column| value(before, *column) != value(after, *column))
}

/// One change as people say it: `package openssl 3.0.1 -> 3.0.2`, `user ann is new`.
pub(super) fn words(change: &Change) -> String {
    let Change { table, before, after, .. } = change;
    let (one, keys) = (table.one, table.keys);
    let Some(row) = after.as_ref().or(before.as_ref()) else { return one.to_owned() };
    let title = title(table, row);
    let thing = if title.is_empty() { one.to_owned() } else { format!("{one} {title}") };
    let main = row.get(keys).filter(|value| **value != Value::Null).map(|value| format!(" {}", shown(value)));
    match (before, after) {
        (Some(before), Some(after)) => {
            let null = Value::Null;
            let value = |row: &[Value], column: usize| shown(row.get(column).unwrap_or(&null));
            let columns: Vec<usize> = differing(before, after).filter(|column| !table.is_quiet(*column)).collect();
            if keys > 0 && columns == [keys] {
                return format!("{thing} {} -> {}", value(before, keys), value(after, keys));
            }
            let one = |column: &usize| {
                let name = table.columns.get(*column).map_or("", |column| column.name);
                format!("{name} {} -> {}", value(before, *column), value(after, *column))
            };
            let told: Vec<String> = columns.iter().take(COLUMNS_TOLD_MAX).map(one).collect();
            format!("{thing}: {}", told.join(", "))
        }
        (None, _) => format!("{thing}{} is new", main.unwrap_or_default()),
        (Some(_), None) => format!("{thing}{} is gone", main.unwrap_or_default()),
    }
}

/// The thing that a row is, and what is said of it if that is asked for: `package openssl 3.0.2`, `user ann`. Of packages and files what tells
/// one from another of the same name is their first value; of a file it is a hash, shortened. Of other things the first values are told.
pub(crate) fn thing_words(table: &Table, row: &[Value], is_whole: bool) -> String {
    const HASH_CHARS: usize = 12;
    const VALUES_MAX: usize = 5;
    let title = title(table, row);
    let thing = if title.is_empty() { table.one.to_owned() } else { format!("{} {title}", table.one) };
    let told = if matches!(table.name, "packages" | "files" | "kernel") { 1 } else { VALUES_MAX };
    let values = row.iter().enumerate().skip(table.keys);
    let values = values.filter(|(at, value)| **value != Value::Null && !table.is_quiet(*at)).map(|(_, value)| {
        let mut shown = shown(value);
        if table.name == "files" {
            shown.truncate(shown.floor_char_boundary(HASH_CHARS));
        }
        shown
    });
    let values = values.take(if is_whole { told } else { 0 });
    [thing].into_iter().chain(values).collect::<Vec<_>>().join(" ")
}

/// What a row is called: its name, if that is part of the key, else all of the key.
fn title(table: &Table, row: &[Value]) -> String {
    let name = table.column("name").filter(|column| *column < table.keys).and_then(|column| row.get(column));
    match name {
        Some(name) => shown(name),
        None => row.iter().take(table.keys).map(shown).collect::<Vec<_>>().join(" "),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) if text.is_empty() => "empty".to_owned(),
        // A host's own words: they must not break the line or move a terminal.
        Value::Text(text) => {
            let mut letters = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
            let mut shown: String = letters.by_ref().take(VALUE_CHARS_MAX).collect();
            if letters.next().is_some() {
                shown.push_str("...");
            }
            shown
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{Row, named};

    use super::*;

    fn change(table: &str, before: Option<Row>, after: Option<Row>) -> Change {
        Change { table: named(table).unwrap(), since_ms: 1, at_ms: 2, arrived_ms: 3, before, after }
    }

    fn package(version: &str) -> Option<Row> {
        Some(vec![
            "dpkg".into(),
            "openssl".into(),
            "amd64".into(),
            version.into(),
            "openssl".into(),
            "installed".into(),
        ])
    }

    #[test]
    fn changes_are_told_as_people_say_them() {
        let user = |shell: &str, home: &str| {
            Some(vec!["ann".into(), 1_000.into(), 1_000.into(), Value::Null, home.into(), shell.into()])
        };
        let port = Some(vec!["tcp".into(), "::".into(), 22.into(), "sshd\u{1b}[1m".into()]);
        let kernel = |release: &str| Some(vec![release.into(), Value::Null]);
        for (change, told, is) in [
            (change("packages", package("3.0.1"), package("3.0.2")), "package openssl 3.0.1 -> 3.0.2", true),
            (change("packages", None, package("3.0.2")), "package openssl 3.0.2 is new", true),
            (change("packages", package("3.0.2"), None), "package openssl 3.0.2 is gone", true),
            (
                change("users", user("/bin/sh", "/"), user("/bin/bash", "")),
                "user ann: home / -> empty, shell /bin/sh -> /bin/bash",
                true,
            ),
            (change("listening_ports", None, port), "listening port tcp :: 22 sshd [1m is new", true),
            (change("kernel", kernel("6.1"), kernel("6.2")), "kernel: release 6.1 -> 6.2", true),
            (
                change(
                    "units",
                    Some(vec!["a.service".into(), "A".into(), "loaded".into(), "active".into(), "running".into()]),
                    Some(vec!["a.service".into(), "A".into(), "loaded".into(), "failed".into(), "failed".into()]),
                ),
                "unit a.service: ",
                false,
            ),
        ] {
            assert_eq!((words(&change).as_str(), is_news(&change)), (told, is));
        }
        let long = change("packages", None, package(&"9".repeat(100)));
        assert_eq!(words(&long), format!("package openssl {}... is new", "9".repeat(60)));
    }

    #[test]
    fn a_host_has_a_bound_of_events_and_the_next_one_counts_the_rest() {
        let mut budget = Budget::default();
        let host = (HostId([1; 16]), "web1");
        let two = [change("packages", None, package("1")), change("packages", package("1"), None)];
        let mut told = |ms| event(&mut budget, host, &two, ms);
        let first = told(5).0.unwrap();
        assert_eq!(first.text, "host `web1` has changed: package openssl 1 is new; package openssl 1 is gone");
        assert_eq!((1..200).filter(|ms| told(5 + ms).0.is_some()).count(), 59);
        let next = told(HOUR_MS + 5).0.unwrap();
        assert!(
            next.text.ends_with("; before that 280 changes were not told, since there were too many"),
            "{}",
            next.text
        );
        assert_eq!(next.fields["untold"], "280");
        let many: Vec<Change> = (0..50).map(|_| change("packages", None, package("1"))).collect();
        let event = event(&mut Budget::default(), host, &many, 5).0.unwrap();
        assert!(event.text.ends_with("; and 30 more"), "{}", event.text);
        let fields = ["tables", "more", "since_ms", "at_ms"].map(|field| event.fields[field].as_str());
        assert_eq!((fields, event.kind), (["packages", "30", "1", "2"], EventKind::InventoryChange));
    }
}
