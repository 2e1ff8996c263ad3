//! Which hosts a profile fits: conditions over labels, facts and inventory, pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use muster_common::host::HostId;
use muster_common::inventory::{Kind, Table, Value, named};
use muster_common::matcher::{LabelRegex, Matcher};
use muster_common::matcher_text::{all_match_by, read_matchers};
use muster_common::wire::message::HostFacts;
use muster_yaml::{Node, Plain, Yaml};

use super::bounds::{CONDITIONS_MAX, PATTERN_BYTES_MAX};
use super::reader::{Reader, nearest};
use crate::inventory::InventorySnapshot;

/// What a host says of itself at each hello.
pub(super) const FACTS: [&str; 8] =
    ["host_name", "machine_id", "os", "kernel", "architecture", "processors", "memory_bytes", "virtualisation"];

/// Judgements that are remembered, about 50 MB: twenty conditions on packages, of which a large fleet has fifty thousand different ones.
const JUDGED_MAX: usize = 1_000_000;
/// The number of the next condition.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Conditions, all of which must hold.
#[derive(Debug, Default)]
pub(super) struct Selector {
    labels: Vec<Matcher>,
    facts: Vec<(&'static str, LabelRegex)>,
    /// One of them is enough; none: nothing is asked.
    inventory: Vec<Condition>,
}

/// A row of this table is like all of these columns.
#[derive(Debug)]
struct Condition {
    /// Of this process: what is remembered of one is never taken for another's.
    number: u64,
    table: &'static Table,
    columns: Vec<(usize, Wanted)>,
}

#[derive(Debug)]
enum Wanted {
    Text(LabelRegex),
    Integer(i64),
}

/// A host as selectors see it.
pub(super) struct Host<'a> {
    pub(super) id: HostId,
    pub(super) name: &'a str,
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) facts: &'a HostFacts,
    pub(super) inventory: &'a InventorySnapshot,
}

/// What is known of rows by their number: of thousands of hosts that have a row it is judged once. For the conditions of one set of profiles and
/// one snapshot.
#[derive(Default)]
pub(super) struct Judged(HashMap<(u64, u32), bool>);

#[cfg(test)]
impl Judged {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Selector {
    pub(super) fn fits(&self, host: &Host<'_>, judged: &mut Judged) -> bool {
        let label =
            |name: &str| if name == "host" { Some(host.name) } else { host.labels.get(name).map(String::as_str) };
        all_match_by(&self.labels, label)
            && self.facts.iter().all(|(name, regex)| regex.is_match(&fact(host.facts, name)))
            && (self.inventory.is_empty() || self.inventory.iter().any(|one| one.holds(host, judged)))
    }
}

impl Condition {
    fn holds(&self, host: &Host<'_>, judged: &mut Judged) -> bool {
        let Some(known) = host.inventory.host(host.id).and_then(|known| known.table(self.table)) else { return false };
        let book = host.inventory.book(self.table);
        if judged.0.len() > JUDGED_MAX {
            judged.0.clear();
        }
        known
            .numbers()
            .iter()
            .any(|number| *judged.0.entry((self.number, *number)).or_insert_with(|| self.is_like(book.row(*number))))
    }

    fn is_like(&self, row: &[Value]) -> bool {
        self.columns.iter().all(|(place, wanted)| match (wanted, row.get(*place)) {
            (Wanted::Text(regex), Some(Value::Text(text))) => regex.is_match(text),
            (Wanted::Integer(wanted), Some(Value::Integer(number))) => wanted == number,
            _ => false,
        })
    }
}

fn fact(facts: &HostFacts, name: &str) -> String {
    match name {
        "host_name" => facts.host_name.clone(),
        "machine_id" => facts.machine_id.clone(),
        "os" => facts.os.clone(),
        "kernel" => facts.kernel.clone(),
        "architecture" => facts.architecture.clone(),
        "processors" => facts.processors.to_string(),
        "memory_bytes" => facts.memory_bytes.to_string(),
        _ => facts.virtualisation.clone(),
    }
}

impl Reader<'_> {
    pub(super) fn selector(&mut self, yaml: &Yaml) -> Selector {
        let mut selector = Selector::default();
        let keys = self.keys(yaml, &["labels", "facts", "inventory"], "selector");
        if matches!(&yaml.node, Node::Map(all) if all.is_empty()) {
            let remedy = "write a condition, such as `labels: 'role=\"web\"'`, or remove it";
            self.mistake(yaml.place.line, "selector", "has no condition and would fit every host", remedy);
        }
        for (name, value) in keys {
            match name {
                "labels" => selector.labels = self.matchers(value),
                "facts" => selector.facts = self.facts(value),
                _ => selector.inventory = self.conditions(value),
            }
        }
        selector
    }

    fn matchers(&mut self, yaml: &Yaml) -> Vec<Matcher> {
        const KEY: &str = "selector.labels";
        const REMEDY: &str =
            "write matchers over the host's labels and `host`, such as '{env=\"prod\",role=~\"web.*\"}'";
        let Some(text) = self.text(yaml, KEY, PATTERN_BYTES_MAX) else { return Vec::new() };
        match read_matchers(text) {
            Ok(matchers) if !matchers.is_empty() => return matchers,
            Ok(_) => self.mistake(yaml.place.line, KEY, "has no matcher", REMEDY),
            Err(error) => self.mistake(yaml.place.line, KEY, format!("cannot be read: {error}"), REMEDY),
        }
        Vec::new()
    }

    fn facts(&mut self, yaml: &Yaml) -> Vec<(&'static str, LabelRegex)> {
        let mut all = Vec::new();
        for (name, value) in self.keys(yaml, &FACTS, "selector.facts") {
            let Some(known) = FACTS.iter().find(|known| **known == name) else { continue };
            let regex = self.anchored(value, &format!("selector.facts.{name}"));
            all.extend(regex.map(|regex| (*known, regex)));
        }
        all
    }

    fn anchored(&mut self, yaml: &Yaml, key: &str) -> Option<LabelRegex> {
        let text = self.text(yaml, key, PATTERN_BYTES_MAX)?;
        match LabelRegex::new(text) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let reason = error.reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let remedy = "write a regular expression that the whole value matches, such as \"nginx\\\\.service\"";
                self.mistake(yaml.place.line, key, format!("is no pattern: {reason}"), remedy);
                None
            }
        }
    }

    fn conditions(&mut self, yaml: &Yaml) -> Vec<Condition> {
        const KEY: &str = "selector.inventory";
        const EXAMPLE: &str = "a list such as `- {table: units, where: {name: \"nginx\\\\.service\"}}`";
        let items = self.list(yaml, KEY, EXAMPLE, CONDITIONS_MAX);
        if items.is_empty() {
            self.mistake(yaml.place.line, KEY, "has no entry", format!("write {EXAMPLE}"));
        }
        items.iter().filter_map(|item| self.condition(item, KEY)).collect()
    }

    fn condition(&mut self, item: &Yaml, key: &str) -> Option<Condition> {
        let keys = self.keys(item, &["table", "where"], key);
        let find = |name: &str| keys.iter().find(|(own, _)| *own == name).map(|(_, value)| *value);
        let (Some(table), Some(columns)) = (find("table"), find("where")) else {
            if matches!(item.node, Node::Map(_)) {
                self.mistake(item.place.line, key, "lacks `table` or `where`", "write both");
            }
            return None;
        };
        let name = self.text(table, &format!("{key}.table"), PATTERN_BYTES_MAX)?;
        let Some(known) = named(name) else {
            let near = nearest(name, muster_common::inventory::TABLES.iter().map(|table| table.name));
            let remedy =
                near.map_or("see `muster inventory tables`".to_owned(), |near| format!("did you mean `{near}`?"));
            self.mistake(
                table.place.line,
                &format!("{key}.table"),
                format!("`{}` is no table", super::reader::shown(name)),
                remedy,
            );
            return None;
        };
        let names: Vec<&str> = known.columns.iter().map(|column| column.name).collect();
        let of = format!("{key}.where");
        let written = self.keys(columns, &names, &of);
        if matches!(&columns.node, Node::Map(all) if all.is_empty()) {
            self.mistake(columns.place.line, &of, "names no column", format!("write some of {}", names.join(", ")));
        }
        let mut wanted = Vec::new();
        for (name, value) in &written {
            let Some(place) = known.column(name) else { continue };
            let of = format!("{of}.{name}");
            let one = match (known.columns[place].kind, &value.node) {
                (Kind::Text, _) => self.anchored(value, &of).map(Wanted::Text),
                (_, Node::Scalar(_, Plain::Integer(number))) => Some(Wanted::Integer(*number)),
                _ => {
                    self.wrong(value, &of, "an integer");
                    None
                }
            };
            wanted.extend(one.map(|one| (place, one)));
        }
        (!wanted.is_empty() && wanted.len() == written.len()).then(|| Condition {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            table: known,
            columns: wanted,
        })
    }
}
