//! The rows in memory with what finds them, and the same rows as changes of the table.

use std::collections::{BTreeMap, BTreeSet};

use muster_fleet::{SmallRow, SmallTable};

use super::row::{BadRow, Key, Payload, Row, decode, encode, hex};
use super::step::Change;

/// Whose mails of which incident: these keep their order.
pub(super) type Thread = (u64, String, String);

/// All rows. Everything but `rows`, `payloads` follows from these two.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Pool {
    rows: BTreeMap<Key, Row>,
    payloads: BTreeMap<Key, Payload>,
    live: BTreeSet<Key>,
    /// Finished rows, those that finished first first.
    done: BTreeSet<(i64, Key)>,
    threads: BTreeMap<Thread, BTreeSet<Key>>,
    /// Attempts of mails by recipient, for the hourly cap.
    starts: BTreeMap<String, BTreeSet<(i64, Key)>>,
    digests: BTreeMap<String, BTreeSet<(i64, Key)>>,
    body_bytes: usize,
}

pub(super) fn write(key: Vec<u8>, value: Option<Vec<u8>>) -> SmallRow {
    SmallRow { table: SmallTable::Outgoing, key, value }
}

pub(super) fn thread_of(row: &Row) -> Thread {
    (row.incident, row.receiver.clone(), row.target.recipient.clone())
}

impl Pool {
    /// Of the table's rows; keys that are not of rows are left out.
    ///
    /// # Errors
    /// [`BadRow`] on a row that this version cannot read.
    pub(super) fn load<'a>(table: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<Self, BadRow> {
        let mut pool = Self::default();
        let mut heads = BTreeMap::new();
        for (bytes, value) in table.filter(|(bytes, _)| bytes.first() == Some(&b'r')) {
            match Key::read(bytes).ok_or_else(|| BadRow::Key { key: hex(bytes) })? {
                (key, b'h') => drop(heads.insert(key, decode::<Row>(bytes, value)?)),
                (key, _) => drop(pool.payloads.insert(key, decode(bytes, value)?)),
            }
        }
        for (key, row) in heads {
            if row.state.done_ms().is_none() && !pool.payloads.contains_key(&key) {
                return Err(BadRow::Missing { key: hex(&key.body()), part: "body" });
            }
            pool.index(key, &row);
            pool.rows.insert(key, row);
        }
        pool.body_bytes = pool.payloads.values().map(Payload::size_bytes).sum();
        Ok(pool)
    }

    pub(super) fn row(&self, key: Key) -> Option<&Row> {
        self.rows.get(&key)
    }

    pub(super) fn payload(&self, key: Key) -> Option<&Payload> {
        self.payloads.get(&key)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (Key, &Row)> {
        self.rows.iter().map(|(key, row)| (*key, row))
    }

    pub(super) fn live(&self) -> impl Iterator<Item = (Key, &Row)> {
        self.live.iter().filter_map(|key| self.rows.get(key).map(|row| (*key, row)))
    }

    pub(super) fn row_count(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn live_count(&self) -> usize {
        self.live.len()
    }

    pub(super) const fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    pub(super) fn first_done(&self) -> Option<(i64, Key)> {
        self.done.first().copied()
    }

    /// Rows of one incident to one recipient, the first first.
    pub(super) fn thread(&self, thread: &Thread) -> impl Iterator<Item = (Key, &Row)> {
        self.threads.get(thread).into_iter().flatten().filter_map(|key| self.rows.get(key).map(|row| (*key, row)))
    }

    /// Times of the attempts to tell a recipient since `after_ms`, the oldest first.
    pub(super) fn starts(&self, recipient: &str, after_ms: i64) -> impl Iterator<Item = (i64, Key)> {
        let least = Key { notice: 0, recipient: 0 };
        self.starts.get(recipient).into_iter().flat_map(move |starts| starts.range((after_ms, least)..).copied())
    }

    pub(super) fn last_digest_ms(&self, recipient: &str) -> Option<i64> {
        self.digests.get(recipient).and_then(|times| times.last()).map(|(at, _)| *at)
    }

    pub(super) fn insert(&mut self, key: Key, row: Row, payload: Payload, change: &mut Change) {
        change.rows.push(write(key.head(), Some(encode(&row))));
        change.rows.push(write(key.body(), Some(encode(&payload))));
        self.index(key, &row);
        self.rows.insert(key, row);
        self.body_bytes += payload.size_bytes();
        self.payloads.insert(key, payload);
    }

    /// Changes a row, in memory and in the table; the body of one that is finished goes.
    pub(super) fn update(&mut self, key: Key, change: &mut Change, edit: impl FnOnce(&mut Row)) {
        let Some(mut row) = self.rows.remove(&key) else { return };
        self.unindex(key, &row);
        edit(&mut row);
        change.rows.push(write(key.head(), Some(encode(&row))));
        if row.state.done_ms().is_some() {
            self.drop_payload(key, change);
        }
        self.index(key, &row);
        self.rows.insert(key, row);
    }

    pub(super) fn remove(&mut self, key: Key, change: &mut Change) {
        let Some(row) = self.rows.remove(&key) else { return };
        self.unindex(key, &row);
        self.drop_payload(key, change);
        change.rows.push(write(key.head(), None));
    }

    fn drop_payload(&mut self, key: Key, change: &mut Change) {
        if let Some(payload) = self.payloads.remove(&key) {
            self.body_bytes -= payload.size_bytes();
            change.rows.push(write(key.body(), None));
        }
    }

    fn index(&mut self, key: Key, row: &Row) {
        match row.state.done_ms() {
            None => drop(self.live.insert(key)),
            Some(at) => drop(self.done.insert((at, key))),
        }
        self.threads.entry(thread_of(row)).or_default().insert(key);
        let recipient = &row.target.recipient;
        if let Some(at) = row.started_ms.filter(|_| !row.is_webhook && !key.is_digest()) {
            self.starts.entry(recipient.clone()).or_default().insert((at, key));
        }
        if key.is_digest() {
            self.digests.entry(recipient.clone()).or_default().insert((row.queued_ms, key));
        }
    }

    fn unindex(&mut self, key: Key, row: &Row) {
        self.live.remove(&key);
        if let Some(at) = row.state.done_ms() {
            self.done.remove(&(at, key));
        }
        forget(&mut self.threads, &thread_of(row), &key);
        let recipient = &row.target.recipient;
        if let Some(at) = row.started_ms {
            forget(&mut self.starts, recipient, &(at, key));
        }
        if key.is_digest() {
            forget(&mut self.digests, recipient, &(row.queued_ms, key));
        }
    }
}

/// Takes one of a set, and the set with its last.
fn forget<K: Ord, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = map.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            map.remove(key);
        }
    }
}
