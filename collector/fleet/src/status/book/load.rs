//! The book from its rows, and what the registry changes in it.

use muster_common::host::HostId;

use super::away::host_parents;
use super::{Away, FLEET, HostBook, HostNow, Key, StatusBook, folded_parent};
use crate::names::folded;
use crate::rows::decode;
use crate::status::check_row::{CheckRow, Down, OwnRow, read_key, row_key};
use crate::status::condition::{EndReason, StatusChange, Subject};
use crate::status::downtime::{Downtime, ReadDowntime};
use crate::tables::{CHECKS, Put, Table};

/// A row that cannot be read: table, key and what is wrong.
pub(crate) type BadRow = (Table, Vec<u8>, String);

impl StatusBook {
    /// The book of these rows (tables `checks` and `downtimes`, keys and values; the rows of `ended_downtimes`). Rows of hosts that are not active any more wait for
    /// the next [`Self::tick`], which ends them.
    pub(crate) fn load(
        hosts: Vec<HostNow>,
        checks: Vec<(Vec<u8>, Vec<u8>)>,
        downtimes: Vec<(Vec<u8>, Downtime)>,
        ended: Vec<Downtime>,
    ) -> Result<Self, BadRow> {
        let mut book = Self::default();
        for host in hosts {
            book.put_host(host, &mut Vec::new());
        }
        for (key, value) in checks {
            let bad = |what: String| (CHECKS, key.clone(), what);
            let (host, check) = read_key(&key).ok_or_else(|| bad("not a host id and a name".to_owned()))?;
            if host == FLEET {
                book.fleet = decode(&value).map_err(bad)?;
            } else if check.is_empty() {
                let own: OwnRow = decode(&value).map_err(bad)?;
                book.host_or_gone(host).own = own;
            } else {
                let row: CheckRow = decode(&value).map_err(bad)?;
                book.adopt(&(host, check.clone()), &row.definition.parents);
                book.host_or_gone(host).checks.insert(check, row);
            }
        }
        for (key, row) in downtimes {
            let id = row.id;
            let read = ReadDowntime::new(row).map_err(|what| (crate::tables::DOWNTIMES, key, what))?;
            book.downtimes.insert(id, read);
        }
        book.ended_downtimes = ended.into_iter().map(|row| (row.id, row)).collect();
        Ok(book)
    }

    /// The host's entry; one that is no active host (any more) has no name.
    pub(super) fn host_or_gone(&mut self, id: HostId) -> &mut HostBook {
        self.hosts.entry(id).or_insert_with(|| HostBook {
            now: HostNow { id, name: String::new(), labels: Default::default(), is_ephemeral: false, absent: None },
            own: OwnRow::default(),
            checks: Default::default(),
            resumed: Default::default(),
        })
    }

    /// Takes a host as it is now: new, renamed, relabelled, gone or back. `touched` gets what is to be compared.
    pub(super) fn put_host(&mut self, now: HostNow, touched: &mut Vec<Key>) {
        let (id, name) = (now.id, folded(&now.name));
        let entry = self.host_or_gone(id);
        if entry.now == now {
            return;
        }
        let old_name = folded(&entry.now.name);
        let is_presence_changed = entry.now.absent != now.absent;
        let (old_parents, parents) = (host_parents(&entry.now), host_parents(&now));
        entry.now = now;
        touched.push((id, String::new()));
        touched.extend(entry.checks.keys().map(|check| (id, check.clone())));
        if old_name != name && self.names.get(&old_name) == Some(&id) {
            self.names.remove(&old_name);
        }
        self.names.insert(name.clone(), id);
        if old_parents != parents {
            self.disown(&(id, String::new()), &old_parents);
            self.adopt(&(id, String::new()), &parents);
        }
        if is_presence_changed {
            touched.extend(self.children.get(&name).into_iter().flatten().cloned());
        }
    }

    /// Takes all active hosts as they are now. Of those that are no more everything goes, without a notice.
    pub(crate) fn sync_hosts(&mut self, hosts: Vec<HostNow>, now_ms: i64) {
        let ids: std::collections::BTreeSet<_> = hosts.iter().map(|host| host.id).collect();
        let gone: Vec<_> = self.hosts.keys().copied().filter(|id| !ids.contains(id)).collect();
        for id in gone {
            self.retire(id, now_ms);
        }
        for host in hosts {
            self.take_host(host, now_ms);
        }
    }

    /// Takes one host as it is now, with the time of its return where it was away.
    pub(crate) fn take_host(&mut self, host: HostNow, now_ms: i64) {
        let id = host.id;
        let before = self.hosts.get(&id);
        let was_away = before.is_some_and(|entry| entry.now.absent.is_some() || entry.own.told.is_some());
        let is_back = was_away && host.absent.is_none();
        let down = before.and_then(|entry| entry.now.absent).filter(|absent| absent.why != Away::Stopped);
        let mut touched = Vec::new();
        self.put_host(host, &mut touched);
        self.touched.extend(touched);
        if is_back && let Some(entry) = self.hosts.get_mut(&id) {
            entry.own.returned_ms = now_ms;
            entry.own.expected = None;
            entry.own.down = down.map(|absent| Down { from_ms: absent.since_ms, to_ms: now_ms }).or(entry.own.down);
            self.change((id, String::new()));
        }
    }

    fn retire(&mut self, id: HostId, now_ms: i64) {
        let Some(entry) = self.hosts.remove(&id) else { return };
        if self.names.get(&folded(&entry.now.name)) == Some(&id) {
            self.names.remove(&folded(&entry.now.name));
        }
        self.disown(&(id, String::new()), &host_parents(&entry.now));
        let mut end = |subject, is_told: bool| {
            let (why, output) = (EndReason::Retired, String::new());
            let ended = StatusChange::Ended { subject, at_ms: now_ms, why, output };
            self.gathered.changes.extend(is_told.then_some(ended));
        };
        end(Subject::Host { host: id }, entry.own.told.is_some());
        for (check, row) in &entry.checks {
            end(Subject::Check { host: id, check: check.clone() }, row.told.is_some());
        }
        self.gathered.rows.push(Put::remove(CHECKS, &row_key(id, "")));
        self.gathered.moved.insert((id, String::new()));
        for (check, row) in entry.checks {
            self.gathered.rows.push(Put::remove(CHECKS, &row_key(id, &check)));
            let key = (id, check);
            self.disown(&key, &row.definition.parents);
            self.gathered.moved.insert(key);
        }
        self.touched.retain(|key| key.0 != id);
        self.changed.retain(|key| key.0 != id);
    }

    /// Notes which parents a check names.
    pub(super) fn adopt(&mut self, child: &Key, parents: &[String]) {
        for parent in parents {
            self.children.entry(folded_parent(parent)).or_default().insert(child.clone());
        }
    }

    pub(super) fn disown(&mut self, child: &Key, parents: &[String]) {
        for parent in parents {
            let parent = folded_parent(parent);
            if let Some(children) = self.children.get_mut(&parent) {
                children.remove(child);
                if children.is_empty() {
                    self.children.remove(&parent);
                }
            }
        }
    }
}
