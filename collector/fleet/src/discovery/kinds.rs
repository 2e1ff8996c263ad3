//! The kinds of things that are found on hosts, and what each is made of.
//!
//! To add a kind: a file in `kinds`, its `mod` line, and its line in [`KINDS`].

mod certificate;
mod container;
mod daemon;
mod mount;
mod noise;
mod port;
mod unit;

use muster_common::check::is_check_name;
use muster_common::digest::Sha256;
use muster_common::host::HostId;
use muster_common::inventory::{Table, Value, named};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::inventory::InventorySnapshot;

/// Letters of a name of a check that are the thing's own: with the kind before it and a mark of 8 digits behind it stays below 100.
const NAME_CHARS_MAX: usize = 70;
/// Letters of one text of a host in words for people.
const WORD_CHARS_MAX: usize = 100;

/// One kind.
pub(crate) struct ItemKind {
    /// In keys, in the API and on pages.
    pub(crate) name: &'static str,
    /// Several of them, to people.
    pub(crate) many: &'static str,
    /// Names of [`What::values`], which rules match.
    pub(crate) fields: &'static [&'static str],
    /// The tables that say whether a thing is there. While one of them is not known whole, nothing of this kind vanishes.
    pub(crate) tables: &'static [&'static str],
    find: fn(&Looked<'_>) -> Vec<Found>,
    /// Objects with just the keys of `[[checks]]` in agent.toml.
    checks: fn(&What) -> Vec<Json>,
    words: fn(&What) -> String,
}

/// Every kind there is.
pub(crate) static KINDS: [ItemKind; 6] =
    [daemon::KIND, unit::KIND, port::KIND, mount::KIND, certificate::KIND, container::KIND];

/// The kind of this name.
pub(crate) fn kind(name: &str) -> Option<&'static ItemKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// A thing, as the last look that saw it had it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct What {
    /// Its kind, a colon, and a text that survives restarts of the thing: `unit:nginx.service`.
    pub(crate) key: String,
    /// The values of its kind's fields, in their order; empty: not known.
    pub(crate) values: Vec<String>,
    /// The row that it stands for: the number of its table, and its key as texts.
    pub(crate) table: u8,
    pub(crate) row: Vec<String>,
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) what: What,
    pub(crate) offer: Offer,
}

/// Whether a thing that is there is to be proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Yes,
    /// It is there, and no use to watch: it does not run, or it is the system's own.
    No,
    /// Another thing stands for it: a daemon for its unit and its ports.
    Covered,
}

impl Offer {
    const fn when(is_offered: bool) -> Self {
        if is_offered { Self::Yes } else { Self::No }
    }
}

/// What is known of a host, as kinds read it.
pub(crate) struct Looked<'a> {
    pub(crate) snapshot: &'a InventorySnapshot,
    pub(crate) host: HostId,
    /// The keys of items that are known of it and begin with this.
    pub(crate) known: &'a dyn Fn(&str) -> Vec<String>,
}

/// One row of a table.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'a> {
    table: &'static Table,
    row: &'a [Value],
}

impl<'a> Looked<'a> {
    /// The rows of a table, by key; none of a table that there is not.
    fn rows(&self, table: &str) -> impl Iterator<Item = Cells<'a>> {
        let (snapshot, host) = (self.snapshot, self.host);
        named(table).into_iter().flat_map(move |table| snapshot.rows(host, table).map(move |row| Cells { table, row }))
    }

    /// Whether what it would take to miss a thing of this kind is known: each of its tables was told whole by its last look.
    pub(crate) fn is_whole(&self, kind: &ItemKind) -> bool {
        let host = self.snapshot.host(self.host);
        kind.tables.iter().all(|table| {
            let known = host.and_then(|host| host.table(named(table)?));
            known.is_some_and(|known| known.known_from_ms.is_some() && known.problem.is_empty() && known.dropped == 0)
        })
    }

    /// All things of a host, each key once, by key.
    pub(crate) fn find(&self) -> Vec<Found> {
        let mut all: Vec<Found> = KINDS.iter().flat_map(|kind| (kind.find)(self)).collect();
        all.sort_by(|a, b| a.what.key.cmp(&b.what.key));
        all.dedup_by(|next, one| next.what.key == one.what.key);
        all
    }
}

impl<'a> Cells<'a> {
    /// A text that is there and not empty.
    fn text(&self, column: &str) -> Option<&'a str> {
        match self.row.get(self.table.column(column)?)? {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn number(&self, column: &str) -> Option<i64> {
        match self.row.get(self.table.column(column)?)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    fn what(&self, key: String, values: Vec<String>) -> What {
        let row = self.row.iter().take(self.table.keys).map(text_of).collect();
        What { key, values, table: self.table.number, row }
    }
}

/// A value of a key as [`What::row`] has it.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}

impl What {
    /// The kind of a key; of one that a later version wrote, none.
    pub(crate) fn kind(&self) -> Option<&'static ItemKind> {
        kind(kind_name(&self.key))
    }

    /// The value of a field; empty: not known, or its kind has no such field.
    pub(crate) fn value(&self, field: &str) -> &str {
        let at = self.kind().and_then(|kind| kind.fields.iter().position(|name| *name == field));
        at.and_then(|at| self.values.get(at)).map_or("", String::as_str)
    }

    /// The checks that it brings once it is accepted.
    pub(crate) fn checks(&self) -> Vec<Json> {
        self.kind().map(|kind| (kind.checks)(self)).unwrap_or_default()
    }

    /// The profile that it stands for, if it is a daemon.
    pub(crate) fn profile(&self) -> Option<&str> {
        let is_daemon = self.kind().is_some_and(|kind| kind.name == daemon::KIND.name);
        Some(self.value(daemon::PROFILE)).filter(|profile| is_daemon && !profile.is_empty())
    }

    /// The file of a certificate and when it ends, seconds since 1970; of other things none.
    pub(crate) fn certificate(&self) -> Option<(&str, i64)> {
        let is_one = self.kind().is_some_and(|kind| kind.name == certificate::KIND.name);
        let ends = self.value(certificate::NOT_AFTER).parse().ok().filter(|_| is_one)?;
        Some((self.value(certificate::PATH), ends))
    }

    /// What it is, to people: `tcp port 8080 (process java, unit shop.service)`.
    pub(crate) fn words(&self) -> String {
        self.kind().map_or_else(|| clean(&self.key), |kind| (kind.words)(self))
    }
}

/// The kind's name of an item's key.
pub(crate) fn kind_name(key: &str) -> &str {
    key.split_once(':').map_or("", |(kind, _)| kind)
}

/// A host's own text in a sentence: it must not break the line or move a terminal.
pub(crate) fn clean(text: &str) -> String {
    let mut letters = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut shown: String = letters.by_ref().take(WORD_CHARS_MAX).collect();
    if letters.next().is_some() {
        shown.push_str("...");
    }
    shown
}

/// `what (of this, and that)`, leaving out what is not known.
fn with_details(what: String, details: &[(&str, &str)]) -> String {
    let known = details.iter().filter(|(_, value)| !value.is_empty());
    let told: Vec<String> = known.map(|(before, value)| format!("{before}{}", clean(value))).collect();
    if told.is_empty() { what } else { format!("{what} ({})", told.join(", ")) }
}

/// What to do when a check of an accepted thing is bad: the same of all, so that two items that bring the same check agree.
const REMEDY: &str = "This was found on the host and accepted. `muster discovery --host HOST` shows it; if it is meant to be gone, archive it there.";

/// A check, with what else its kind of check needs.
fn check(name: &str, text: &str, kind: &str, more: Json) -> Json {
    let mut check = json!({"name": check_name(name, text), "kind": kind, "remedy": REMEDY});
    if let (Some(check), Json::Object(more)) = (check.as_object_mut(), more) {
        check.extend(more);
    }
    check
}

/// A name that a check may have, the same for the same thing: letters that it may not have become `_`, and what they were is in a mark behind.
fn check_name(kind: &str, text: &str) -> String {
    let text = text.trim_start_matches('/');
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
    // A path stays readable without a mark, unless it holds colons itself.
    let slash = |letter: char| if letter == '/' && !text.contains(':') { ':' } else { letter };
    let written: String = text.chars().map(slash).collect();
    if !written.is_empty() && written.chars().count() <= NAME_CHARS_MAX && written.chars().all(is_letter) {
        return format!("{kind}:{written}");
    }
    let kept: String =
        written.chars().take(NAME_CHARS_MAX).map(|letter| if is_letter(letter) { letter } else { '_' }).collect();
    let mark = &Sha256::of(text.as_bytes()).to_string()[..8];
    let name = format!("{kind}:{kept}-{mark}");
    debug_assert!(is_check_name(&name), "{name}");
    name
}

#[cfg(test)]
mod tests;
