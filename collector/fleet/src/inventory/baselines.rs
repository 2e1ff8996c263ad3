//! Baselines: what hosts ought to have, pinned as it was once, whatever most of them become.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::inventory::{Digest, Row, TABLES, Table, Value, named, numbered};
use muster_common::matcher_text::{all_match_by, read_matchers};
use muster_common::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::drift::{Expected, judged, majority};
use super::packed::{TABLE_BYTES_MAX, bytes_of, pack, row_of, take_row, unpack};
use super::snapshot::InventorySnapshot;
use crate::by::By;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::outbox::{Event, EventKind};
use crate::tables::BASELINE_ROWS;

/// Baselines of one collector: one for each role and site, and some hosts.
pub const BASELINES_MAX: usize = 100;
const NAME_BYTES_MAX: usize = 128;
const MATCHERS_BYTES_MAX: usize = 1_024;

/// What a host has for itself: no other one ought to have it. A baseline of one host alone has it too.
const OWN_COLUMNS: [(&str, &[&str]); 4] =
    [("os", &["machine_id"]), ("hardware", &["serial"]), ("block_devices", &["serial"]), ("interfaces", &["mac"])];
/// Tables whose rows a host has for itself: they are in a baseline of others only where they are named.
const OWN_TABLES: [&str; 3] = ["addresses", "certificates", "containers"];

/// A baseline as it is listed: table `baselines`, key its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    pub name: String,
    /// Over `host` and the host's labels: which hosts ought to be so.
    pub matchers: String,
    /// The host whose rows they are, by the name it had; empty: what more than half of the hosts had.
    pub host: String,
    /// In the order of their numbers.
    pub tables: Vec<String>,
    pub rows: u64,
    pub made_ms: i64,
    pub by: String,
}

/// What is to be pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaselineSpec {
    pub matchers: String,
    /// What this host has; `None`: what more than half of those that match have.
    pub host: Option<HostId>,
    /// None: all that are the same on several hosts.
    pub tables: Vec<&'static Table>,
}

/// What is expected, by table.
pub type BaselineRows = BTreeMap<u8, Vec<Expected>>;

impl Fleet {
    /// All, by name.
    pub fn baselines(&self) -> Vec<Baseline> {
        self.memory.read().baselines.values().cloned().collect()
    }

    /// A baseline, what it expects, and the hosts that ought to be so now.
    ///
    /// # Errors
    /// [`FleetError::NoBaseline`]; when the disk or the file fails, or the rows are damaged.
    pub fn baseline(&self, name: &str) -> Result<(Baseline, BaselineRows, Vec<HostId>), FleetError> {
        let known = self.memory.read().baselines.get(name).cloned();
        let none = || FleetError::NoBaseline { name: name.chars().take(NAME_BYTES_MAX).collect() };
        let baseline = known.ok_or_else(none)?;
        let rows = self.scan(|reading| {
            let bytes = reading.value(BASELINE_ROWS, name.as_bytes())?.ok_or_else(none)?;
            read_rows(&bytes).map_err(|what| reading.damage(BASELINE_ROWS, name.as_bytes(), what))
        })?;
        let hosts = self.matched(&baseline.matchers).map_err(refused)?;
        Ok((baseline, rows, hosts))
    }

    /// Pins what hosts have now, instead of what was pinned under this name.
    ///
    /// # Errors
    /// [`FleetError::StatusSpec`] says what is wrong; [`FleetError::NoHost`]; when the disk or the file fails.
    pub fn pin_baseline(
        &self,
        name: &str,
        spec: &BaselineSpec,
        by: &By,
        now: Timestamp,
    ) -> Result<Baseline, FleetError> {
        check(name, spec).map_err(refused)?;
        let hosts = self.matched(&spec.matchers).map_err(refused)?;
        let rows = pinned(&self.inventory_of_all(), spec, &hosts);
        if rows.is_empty() {
            let why = match spec.host {
                Some(_) => {
                    "nothing is known of what this host has in these tables: `muster inventory show` says what is"
                }
                None => {
                    "fewer than three hosts match of which these tables are known, or nothing is common to more than half of them: widen the matchers, or name a host"
                }
            };
            return Err(refused(why.to_owned()));
        }
        let bytes = bytes_of(&rows);
        if bytes > TABLE_BYTES_MAX {
            return Err(refused(format!(
                "its rows have {bytes} bytes, more than {TABLE_BYTES_MAX}: name fewer tables"
            )));
        }
        let packed = pack(Digest::default(), rows.iter()).map_err(|error| refused(error.to_string()))?;
        let is_there = |table: &&Table| rows.iter().any(|row| row[0] == Value::Integer(table.number.into()));
        let tables = TABLES.iter().filter(is_there).map(|table| table.name.to_owned()).collect();
        self.change(|memory, draft| {
            if memory.baselines.len() >= BASELINES_MAX && !memory.baselines.contains_key(name) {
                let why = format!("there are {BASELINES_MAX} baselines, which is the most: unpin some");
                return Err(refused(why));
            }
            let host = spec.host.map(|id| {
                let row = memory.host(id).filter(|row| row.state == HostState::Active);
                row.map(|row| row.name.clone()).ok_or_else(|| FleetError::NoHost { asked: id.to_string() })
            });
            let baseline = Baseline {
                name: name.to_owned(),
                matchers: spec.matchers.clone(),
                host: host.transpose()?.unwrap_or_default(),
                tables,
                rows: rows.len() as u64,
                made_ms: now.millis(),
                by: by.to_string(),
            };
            let what =
                if baseline.host.is_empty() { "most hosts".to_owned() } else { format!("host `{}`", baseline.host) };
            let text = format!("pinned baseline `{name}` of {}: what {what} had", spec.matchers);
            draft.events.push(Event::new(EventKind::BaselinePinned, by, now, text).with("baseline", name));
            draft.baselines.push((baseline.clone(), packed));
            Ok(baseline)
        })
    }

    /// Drops a baseline.
    ///
    /// # Errors
    /// [`FleetError::NoBaseline`]; when the disk or the file fails.
    pub fn unpin_baseline(&self, name: &str, by: &By, now: Timestamp) -> Result<Baseline, FleetError> {
        self.change(|memory, draft| {
            let none = || FleetError::NoBaseline { name: name.chars().take(NAME_BYTES_MAX).collect() };
            let baseline = memory.baselines.get(name).cloned().ok_or_else(none)?;
            let text = format!("dropped baseline `{name}` of {}", baseline.matchers);
            draft.events.push(Event::new(EventKind::BaselineUnpinned, by, now, text).with("baseline", name));
            draft.forgotten_baselines.push(name.to_owned());
            Ok(baseline)
        })
    }

    /// The active hosts that these matchers mean, by id.
    fn matched(&self, matchers: &str) -> Result<Vec<HostId>, String> {
        let matchers = read_matchers(matchers).map_err(|error| error.to_string())?;
        let memory = self.memory.read();
        let active = memory.hosts().filter(|row| row.state == HostState::Active);
        let matched = active.filter(|row| {
            all_match_by(&matchers, |of| {
                if of == "host" { Some(row.name.as_str()) } else { row.labels.get(of).map(String::as_str) }
            })
        });
        let mut hosts: Vec<HostId> = matched.map(|row| row.id).collect();
        hosts.sort_unstable();
        Ok(hosts)
    }
}

fn refused(why: String) -> FleetError {
    FleetError::StatusSpec { what: "the baseline", why }
}

fn check(name: &str, spec: &BaselineSpec) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(|one| one.is_control() || one == '/') {
        return Err(format!("its name is no text of 1 to {NAME_BYTES_MAX} bytes without a slash: give another"));
    }
    if spec.matchers.len() > MATCHERS_BYTES_MAX {
        return Err(format!("its matchers are longer than {MATCHERS_BYTES_MAX} bytes: shorten them"));
    }
    match read_matchers(&spec.matchers) {
        Ok(matchers) if matchers.is_empty() => Err("it has no matchers: give such as role=web".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The rows to keep: number of the table, columns that count, and the values.
fn pinned(snapshot: &InventorySnapshot, spec: &BaselineSpec, hosts: &[HostId]) -> Vec<Row> {
    let is_of_itself = spec.host.is_some_and(|host| hosts == [host]);
    let is_wanted = |table: &&Table| {
        if spec.tables.is_empty() {
            is_of_itself || spec.host.is_none() || !OWN_TABLES.contains(&table.name)
        } else {
            spec.tables.contains(table)
        }
    };
    let mut all = Vec::new();
    for table in TABLES.iter().filter(is_wanted) {
        let expected = match spec.host {
            None => majority(snapshot, table, hosts),
            Some(host) => {
                let judged = if is_of_itself { judged(table) } else { judged(table) & !own_columns(table) };
                let row = |row: &[Value]| Expected { row: row.to_vec(), judged };
                snapshot.rows(host, table).map(row).collect()
            }
        };
        all.extend(expected.into_iter().map(|one| {
            let head = [Value::Integer(table.number.into()), Value::Integer(one.judged.into())];
            head.into_iter().chain(one.row).collect::<Row>()
        }));
    }
    all
}

fn own_columns(table: &Table) -> u32 {
    let own = OWN_COLUMNS.iter().find(|(name, _)| *name == table.name).map_or(&[][..], |(_, columns)| columns);
    own.iter().filter_map(|name| table.column(name)).fold(0, |all, at| all | 1 << at)
}

fn read_rows(bytes: &[u8]) -> Result<BaselineRows, String> {
    let packed = unpack(bytes)?;
    let (mut rest, mut all) = (packed.plain.as_slice(), BaselineRows::new());
    while !rest.is_empty() {
        let row = take_row(&mut rest).and_then(row_of).ok_or("a row cannot be read")?;
        let head = row.get(..2).map(|head| (head[0].clone(), head[1].clone()));
        let Some((Value::Integer(number), Value::Integer(judged))) = head else {
            return Err("a row names no table".to_owned());
        };
        // Of a later version there may be tables that are not known here.
        let Some(table) = u8::try_from(number).ok().and_then(numbered) else { continue };
        let judged = u32::try_from(judged).map_err(|_| "a row names no columns")?;
        all.entry(table.number).or_default().push(Expected { row: row[2..].to_vec(), judged });
    }
    Ok(all)
}

/// The tables that a baseline names and this version knows.
pub fn tables_of(baseline: &Baseline) -> Vec<&'static Table> {
    baseline.tables.iter().filter_map(|name| named(name)).collect()
}
