//! The machine: what enters and what became of it; `pump` has what time brings.

mod pump;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backoff;
use super::digest::DigestLetter;
use super::planted::Planted;
use super::pool::{Pool, Thread, thread_of, write};
use super::row::{BadRow, Key, NewRow, Payload, Row, State, decode, encode, message_id};
use super::step::{Change, Counts, DeadReason, Event, News, Outcome};
use crate::mail::Place;

/// An attempt is over in this time for certain: notifiers bound every phase, see `notify`.
const LEASE_MS: i64 = 15 * 60_000;
/// Mail servers give up after some days; a notice of the day before yesterday helps nobody.
const OLDEST_MS: i64 = 48 * 3_600_000;
/// Finished rows stay for questions, and as the memory of threads.
const KEEP_MS: i64 = 7 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// Time for what belongs together to gather before the first digest.
const DIGEST_WAIT_MS: i64 = 5 * 60_000;
/// Longest that a server may be away before we say so and use the second target.
const TROUBLE_MS: i64 = 5 * 60_000;

/// Bounds; each may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Mails to one recipient in an hour; what is beyond goes in one digest an hour.
    pub mails_per_hour: usize,
    /// Connections to one server at a time.
    pub sessions_per_server: usize,
    /// Rows that share a connection.
    pub parcels_per_session: usize,
    /// Rows of all states. 100,000 are some 60 MB in memory and on disk.
    pub rows: usize,
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mails_per_hour: 60,
            sessions_per_server: 2,
            parcels_per_session: 20,
            rows: 100_000,
            body_bytes: 64 << 20,
        }
    }
}

/// A server that does not answer; a row of its own in the table while that is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Absence {
    since_ms: i64,
    failures: u32,
    next_ms: i64,
    is_told: bool,
    why: String,
}

/// Composes the mail of a digest: MIME without Message-ID and references.
pub(super) type Compose = Arc<dyn Fn(&DigestLetter) -> String + Send + Sync>;

/// The queue. Two that were loaded of the same rows do the same from then on.
pub struct Queue {
    limits: Limits,
    compose: Compose,
    pool: Pool,
    absences: BTreeMap<String, Absence>,
    /// Rows that sessions of this process have, by server. Not in the table: rows say what is leased.
    sessions: BTreeMap<String, Vec<BTreeSet<Key>>>,
    wake_ms: Option<i64>,
    counts: Counts,
    pub(super) planted: Option<Planted>,
}

fn absence_key(server: &str) -> Vec<u8> {
    [b"s", server.as_bytes()].concat()
}

impl Queue {
    /// The machine of the rows of [`muster_fleet::SmallTable::Outgoing`], (key, value). Its first event is [`Event::Started`].
    ///
    /// # Errors
    /// [`BadRow`] on a row that this version cannot read.
    pub fn load<'a>(
        limits: Limits,
        compose: Arc<dyn Fn(&DigestLetter) -> String + Send + Sync>,
        table: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) -> Result<Self, BadRow> {
        let pool = Pool::load(table.clone())?;
        let mut absences = BTreeMap::new();
        for (key, value) in table {
            if let Some(server) = key.strip_prefix(b"s") {
                absences.insert(String::from_utf8_lossy(server).into_owned(), decode(key, value)?);
            }
        }
        let (sessions, counts) = (BTreeMap::new(), Counts::default());
        Ok(Self { limits, compose, pool, absences, sessions, wake_ms: Some(i64::MIN), counts, planted: None })
    }

    #[cfg(feature = "planted")]
    pub fn plant(&mut self, bug: Planted) {
        self.planted = Some(bug);
    }

    fn is_planted(&self, bug: Planted) -> bool {
        bug.is(self.planted)
    }

    /// When [`Event::Due`] is next to be told; `None`: after the next other event.
    pub const fn deadline_ms(&self) -> Option<i64> {
        self.wake_ms
    }

    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// All rows, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = (Key, &Row)> {
        self.pool.rows()
    }

    /// Rows that are neither accepted nor given up, and the bytes of their bodies.
    pub fn waiting(&self) -> (usize, usize) {
        (self.pool.live_count(), self.pool.body_bytes())
    }

    /// Since when the oldest row waits for its server; one that waits its turn under the hourly cap does not.
    pub fn waiting_since_ms(&self) -> Option<i64> {
        let waits = |row: &Row| {
            matches!(row.state, State::Deferred { .. }) || self.absences.contains_key(&row.current().server)
        };
        self.pool.live().filter(|(_, row)| waits(row)).map(|(_, row)| row.queued_ms).min()
    }

    /// Where a mail of this incident to this recipient will stand: whoever composes it says so in its words. Its subject is that of the first;
    /// one that tells the end is the only one where all that was to be told is surely still here.
    pub fn place(&self, incident: u64, receiver: &str, recipient: &str) -> Place {
        let thread = (incident, receiver.to_owned(), recipient.to_owned());
        let subject = self.pool.thread(&thread).next().map(|(_, row)| row.subject.clone());
        Place { subject, is_only: self.unsent(&thread).is_some() }
    }

    /// The rows that wait of an incident of which nothing may have arrived.
    fn unsent(&self, thread: &Thread) -> Option<Vec<Key>> {
        let mut waiting = Vec::new();
        for (key, row) in self.pool.thread(thread) {
            match &row.state {
                State::Dead { .. } => {}
                _ if row.is_surely_unsent() => waiting.push(key),
                State::Deferred { .. } if self.is_planted(Planted::MergesTheUnknown) => waiting.push(key),
                _ => return None,
            }
        }
        Some(waiting).filter(|waiting| !waiting.is_empty())
    }

    /// One step. The caller writes `rows`, then starts `sessions`.
    pub fn step(&mut self, now_ms: i64, event: Event) -> Change {
        let mut change = Change::default();
        match event {
            Event::Started => self.recover(now_ms, &mut change),
            Event::Enqueue(rows) => {
                for row in rows {
                    self.enqueue(now_ms, row, &mut change);
                }
            }
            Event::Due => {}
            Event::Outcome { key, outcome } => {
                let is_last = self.leave_session(key);
                self.settle(now_ms, key, outcome, &mut change);
                if !is_last {
                    return change;
                }
            }
        }
        self.pump(now_ms, &mut change);
        change
    }

    /// What was under way when the process ended may have arrived.
    fn recover(&mut self, now_ms: i64, change: &mut Change) {
        let leased = self.pool.live().filter(|(_, row)| matches!(row.state, State::Leased { .. })).map(|(key, _)| key);
        for key in leased.collect::<Vec<_>>() {
            if self.is_planted(Planted::LeaseIsAccepted) {
                self.pool.update(key, change, |row| row.state = State::Accepted { at_ms: now_ms });
                continue;
            }
            self.pool.update(key, change, |row| {
                row.may_have_arrived = true;
                row.state =
                    State::Deferred { next_ms: now_ms, why: "the collector ended while it was being sent".to_owned() };
            });
        }
        if self.is_planted(Planted::CapForgets) {
            let all =
                self.pool.rows().filter(|(_, row)| row.started_ms.is_some()).map(|(key, _)| key).collect::<Vec<_>>();
            for key in all {
                self.pool.update(key, change, |row| row.started_ms = None);
            }
        }
    }

    fn enqueue(&mut self, now_ms: i64, new: NewRow, change: &mut Change) {
        if self.pool.row(new.key).is_some() {
            return;
        }
        let size_bytes = new.payload.size_bytes();
        while self.pool.row_count() >= self.limits.rows
            && let Some((_, oldest)) = self.pool.first_done()
        {
            self.pool.remove(oldest, change);
            self.counts.forgotten += 1;
        }
        if self.pool.row_count() >= self.limits.rows || self.pool.body_bytes() + size_bytes > self.limits.body_bytes {
            self.counts.dead_queue_full += 1;
            let text = format!("{} rows with {} bytes wait already", self.pool.row_count(), self.pool.body_bytes());
            let (receiver, recipient) = (new.receiver, new.target.recipient);
            change.news.push(News::Dead {
                key: new.key,
                within: Vec::new(),
                receiver,
                recipient,
                reason: DeadReason::QueueFull,
                text,
            });
            return;
        }
        let own_id = message_id(new.incident, new.key.notice, &new.receiver, &new.target.recipient, &new.domain);
        let is_webhook = matches!(new.payload, Payload::Webhook(_));
        let mut row = Row {
            incident: new.incident,
            receiver: new.receiver,
            target: new.target,
            second: new.second,
            uses_second: false,
            message_id: own_id,
            references: Vec::new(),
            subject: new.subject,
            summary: new.summary,
            is_end: new.is_end,
            queued_ms: now_ms,
            started_ms: None,
            attempts: 0,
            may_have_arrived: false,
            is_webhook,
            size_bytes,
            state: State::Queued,
        };
        self.place_in_thread(now_ms, new.key, &mut row, &new.domain, change);
        self.pool.insert(new.key, row, new.payload, change);
    }

    /// Refers to what went before, or takes its place where that is surely still here.
    fn place_in_thread(&mut self, now_ms: i64, key: Key, row: &mut Row, domain: &str, change: &mut Change) {
        let thread = thread_of(row);
        let unsent = if row.is_end && !row.is_webhook { self.unsent(&thread) } else { None };
        if let Some(unsent) = unsent {
            if let Some(first) = unsent.first().and_then(|first| self.pool.row(*first)) {
                row.message_id.clone_from(&first.message_id);
                row.references.clone_from(&first.references);
            }
            for earlier in unsent {
                self.counts.merged += 1;
                self.pool.update(earlier, change, |row| row.state = State::Within { row: key, at_ms: now_ms });
            }
            return;
        }
        if key.notice == row.incident {
            return;
        }
        let mut ids = self.pool.thread(&thread).map(|(_, row)| row.message_id.clone());
        let known_first = ids.next();
        let last = ids.last();
        let invented = || message_id(row.incident, row.incident, &row.receiver, &row.target.recipient, domain);
        row.references.push(known_first.unwrap_or_else(invented));
        row.references.extend(last);
        row.references.dedup();
    }

    /// Takes the row out of its session; whether it was the session's last.
    fn leave_session(&mut self, key: Key) -> bool {
        for (server, sessions) in &mut self.sessions {
            let Some(index) = sessions.iter().position(|keys| keys.contains(&key)) else { continue };
            sessions[index].remove(&key);
            if !sessions[index].is_empty() {
                return false;
            }
            sessions.remove(index);
            if sessions.is_empty() {
                let server = server.clone();
                self.sessions.remove(&server);
            }
            return true;
        }
        true
    }

    fn settle(&mut self, now_ms: i64, key: Key, outcome: Outcome, change: &mut Change) {
        let Some(row) = self.pool.row(key) else { return };
        if row.state.done_ms().is_some() {
            return;
        }
        let (server, attempts) = (row.current().server.clone(), row.attempts);
        let defer = |text: String| State::Deferred { next_ms: now_ms + backoff::of_row(attempts), why: text };
        match outcome {
            Outcome::Accepted => {
                self.counts.accepted += 1;
                self.server_answers(&server, change);
                let written = change.rows.len();
                self.pool.update(key, change, |row| row.state = State::Accepted { at_ms: now_ms });
                if self.is_planted(Planted::AcceptedNotWritten) {
                    change.rows.truncate(written);
                }
            }
            Outcome::Temporary { code, text } => {
                self.server_answers(&server, change);
                self.pool.update(key, change, |row| row.state = defer(format!("{code} {text}")));
                self.give_up_if_old(now_ms, key, change);
            }
            Outcome::Permanent { code, text } => {
                self.server_answers(&server, change);
                self.refused(now_ms, key, format!("{code} {text}"), change);
            }
            Outcome::Away { text } => {
                self.server_is_away(now_ms, &server, text, change);
                self.pool.update(key, change, |row| {
                    // Nothing was sent, so the hour's cap is not used by this attempt; by an earlier one it may be.
                    if row.attempts == 1 {
                        row.started_ms = None;
                    }
                    row.state = State::Queued;
                });
                self.give_up_if_old(now_ms, key, change);
            }
            Outcome::Unknown { text } => {
                self.pool.update(key, change, |row| {
                    row.may_have_arrived = true;
                    row.state = defer(text);
                });
                self.give_up_if_old(now_ms, key, change);
            }
        }
    }

    fn refused(&mut self, now_ms: i64, key: Key, text: String, change: &mut Change) {
        let Some(row) = self.pool.row(key) else { return };
        if self.is_planted(Planted::RetriesRefused) {
            let next_ms = now_ms + backoff::of_row(row.attempts);
            self.pool.update(key, change, |row| row.state = State::Deferred { next_ms, why: text });
            return;
        }
        match &row.second {
            Some(second) if !row.uses_second => {
                let (receiver, server) = (row.receiver.clone(), second.server.clone());
                change.news.push(News::SecondTarget { key, receiver, server, text: text.clone() });
                self.pool.update(key, change, |row| {
                    row.uses_second = true;
                    row.state = State::Deferred { next_ms: now_ms, why: text };
                });
            }
            _ => self.give_up(now_ms, key, DeadReason::Refused, text, change),
        }
    }

    fn give_up_if_old(&mut self, now_ms: i64, key: Key, change: &mut Change) {
        let Some(row) = self.pool.row(key) else { return };
        if now_ms - row.queued_ms < OLDEST_MS {
            return;
        }
        let text = match &row.state {
            State::Deferred { why, .. } => why.clone(),
            _ => self.absences.get(&row.current().server).map_or_else(String::new, |absence| absence.why.clone()),
        };
        self.give_up(now_ms, key, DeadReason::TooOld, text, change);
    }

    fn give_up(&mut self, now_ms: i64, key: Key, reason: DeadReason, text: String, change: &mut Change) {
        let Some(row) = self.pool.row(key) else { return };
        match reason {
            DeadReason::Refused => self.counts.dead_refused += 1,
            DeadReason::TooOld => self.counts.dead_too_old += 1,
            DeadReason::QueueFull => self.counts.dead_queue_full += 1,
        }
        let (receiver, recipient) = (row.receiver.clone(), row.current().recipient.clone());
        let why = format!("{}: {text}", reason.as_str());
        let within = self
            .pool
            .rows()
            .filter(|(_, row)| matches!(row.state, State::Within { row, .. } if row == key))
            .map(|(key, _)| key);
        let within = within.collect();
        change.news.push(News::Dead { key, within, receiver, recipient, reason, text });
        self.pool.update(key, change, |row| row.state = State::Dead { at_ms: now_ms, why });
    }

    fn server_answers(&mut self, server: &str, change: &mut Change) {
        let Some(absence) = self.absences.remove(server) else { return };
        change.rows.push(write(absence_key(server), None));
        if absence.is_told {
            change.news.push(News::TroubleOver { server: server.to_owned() });
        }
    }

    /// Counts a failure once for all rows of a session, whose outcomes come at the same time.
    fn server_is_away(&mut self, now_ms: i64, server: &str, why: String, change: &mut Change) {
        let absence = self.absences.entry(server.to_owned()).or_insert(Absence {
            since_ms: now_ms,
            failures: 0,
            next_ms: now_ms,
            is_told: false,
            why: String::new(),
        });
        if absence.next_ms > now_ms {
            return;
        }
        absence.failures = absence.failures.saturating_add(1);
        absence.next_ms = now_ms + backoff::of_server(absence.failures);
        absence.why = why;
        change.rows.push(write(absence_key(server), Some(encode(absence))));
        let old =
            self.pool.live().filter(|(_, row)| row.current().server == server && now_ms - row.queued_ms >= OLDEST_MS);
        let old =
            old.filter(|(_, row)| !matches!(row.state, State::Leased { .. })).map(|(key, _)| key).collect::<Vec<_>>();
        for key in old {
            self.give_up_if_old(now_ms, key, change);
        }
    }

    #[cfg(test)]
    pub(super) fn stands_as(&self, other: &Self) -> bool {
        self.pool == other.pool && self.absences == other.absences
    }
}
