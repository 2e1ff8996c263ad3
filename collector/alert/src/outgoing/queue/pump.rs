//! What time brings: leases that end, news of servers, digests, and which rows may start.

use std::collections::{BTreeMap, BTreeSet};

use super::{DIGEST_WAIT_MS, HOUR_MS, KEEP_MS, LEASE_MS, Queue, TROUBLE_MS, absence_key};
use crate::outgoing::digest::{DigestLetter, ENTRIES, entry};
use crate::outgoing::planted::Planted;
use crate::outgoing::pool::{Thread, thread_of, write};
use crate::outgoing::row::{Key, Payload, Row, State, encode, recipient_hash};
use crate::outgoing::step::{Change, News, Outcome, Parcel, Session};

impl Queue {
    /// All that time alone brings, then what may start.
    pub(super) fn pump(&mut self, now_ms: i64, change: &mut Change) {
        self.expire(now_ms, change);
        self.tell_trouble(now_ms, change);
        let mut plan = self.plan(now_ms);
        if self.write_digests(now_ms, &plan, change) {
            plan = self.plan(now_ms);
        }
        for (key, uses_second) in &plan.second {
            let uses_second = *uses_second;
            if let Some(second) = self.pool.row(*key).and_then(|row| row.second.as_ref()).filter(|_| uses_second) {
                let (receiver, server) =
                    (self.pool.row(*key).map_or_else(String::new, |row| row.receiver.clone()), second.server.clone());
                change.news.push(News::SecondTarget {
                    key: *key,
                    receiver,
                    server,
                    text: "the first does not answer".to_owned(),
                });
            }
            self.pool.update(*key, change, |row| row.uses_second = uses_second);
        }
        self.start(now_ms, &plan, change);
        self.wake_ms = self.next_wake(now_ms, &plan);
    }

    fn expire(&mut self, now_ms: i64, change: &mut Change) {
        let lost =
            self.pool.live().filter(|(_, row)| matches!(row.state, State::Leased { until_ms } if until_ms <= now_ms));
        for key in lost.map(|(key, _)| key).collect::<Vec<_>>() {
            self.leave_session(key);
            let text = "no outcome in time".to_owned();
            self.settle(now_ms, key, Outcome::Unknown { text }, change);
        }
        while let Some((at, key)) = self.pool.first_done()
            && now_ms - at >= KEEP_MS
        {
            self.pool.remove(key, change);
        }
    }

    fn tell_trouble(&mut self, now_ms: i64, change: &mut Change) {
        for (server, absence) in &mut self.absences {
            if absence.is_told || now_ms - absence.since_ms < TROUBLE_MS {
                continue;
            }
            absence.is_told = true;
            change.rows.push(write(absence_key(server), Some(encode(absence))));
            let waiting_count = self.pool.live().filter(|(_, row)| row.current().server == *server).count();
            let (server, since_ms, text) = (server.clone(), absence.since_ms, absence.why.clone());
            change.news.push(News::Trouble { server, since_ms, waiting_count, text });
        }
    }

    /// Which rows may start now and why others may not.
    fn plan(&self, now_ms: i64) -> Plan {
        let mut plan = Plan::default();
        let mut used: BTreeMap<&str, usize> = BTreeMap::new();
        let mut blocked: BTreeSet<Thread> = BTreeSet::new();
        let mut held_threads: BTreeSet<Thread> = BTreeSet::new();
        let is_ordered = !self.is_planted(Planted::EndOvertakes);
        for (key, row) in self.pool.live() {
            let thread = thread_of(row);
            if held_threads.contains(&thread) && row.is_surely_unsent() {
                plan.held.entry(row.target.recipient.clone()).or_default().push(key);
                continue;
            }
            if (is_ordered && !blocked.insert(thread.clone())) || !self.is_due(now_ms, row, &mut plan) {
                continue;
            }
            let target = match (&row.second, self.absences.get(&row.target.server)) {
                (Some(second), Some(absence))
                    if now_ms - absence.since_ms >= TROUBLE_MS && !self.absences.contains_key(&second.server) =>
                {
                    second
                }
                _ => row.current(),
            };
            let absence = self.absences.get(&target.server);
            if let Some(absence) = absence.filter(|absence| absence.next_ms > now_ms) {
                plan.wake(absence.next_ms);
                continue;
            }
            if let Some(free_ms) =
                self.cap(now_ms, key, row, plan.started.get(&row.target.recipient).copied().unwrap_or(0))
            {
                plan.wake(free_ms);
                if row.is_surely_unsent() {
                    held_threads.insert(thread);
                    plan.held.entry(row.target.recipient.clone()).or_default().push(key);
                }
                continue;
            }
            // A server that is away is asked by one session only.
            let sessions = if absence.is_some() { 1 } else { self.limits.sessions_per_server };
            let free = sessions.saturating_sub(self.sessions.get(&target.server).map_or(0, Vec::len));
            let used = used.entry(&target.server).or_default();
            if *used >= free * self.limits.parcels_per_session {
                continue;
            }
            *used += 1;
            if self.counts_for_cap(now_ms, key, row) {
                *plan.started.entry(row.target.recipient.clone()).or_default() += 1;
            }
            let uses_second = row.second.as_ref().is_some_and(|second| second == target);
            if uses_second != row.uses_second {
                plan.second.push((key, uses_second));
            }
            plan.ready.entry(target.server.clone()).or_default().push(key);
        }
        plan
    }

    fn is_due(&self, now_ms: i64, row: &Row, plan: &mut Plan) -> bool {
        match row.state {
            State::Queued => true,
            State::Deferred { next_ms, .. } if next_ms <= now_ms => true,
            State::Deferred { next_ms: at, .. } | State::Leased { until_ms: at } => {
                plan.wake(at);
                false
            }
            State::Accepted { .. } | State::Within { .. } | State::Dead { .. } => false,
        }
    }

    /// Whether an attempt now is one more of this hour.
    fn counts_for_cap(&self, now_ms: i64, key: Key, row: &Row) -> bool {
        !row.is_webhook && !key.is_digest() && row.started_ms.is_none_or(|at| at <= now_ms - HOUR_MS)
    }

    /// When the hourly cap lets this row go; `None`: now.
    fn cap(&self, now_ms: i64, key: Key, row: &Row, starting_count: usize) -> Option<i64> {
        if !self.counts_for_cap(now_ms, key, row) {
            return None;
        }
        let mut starts = self.pool.starts(&row.target.recipient, now_ms - HOUR_MS + 1).map(|(at, _)| at);
        let oldest = starts.next();
        let count = usize::from(oldest.is_some()) + starts.count() + starting_count;
        (count >= self.limits.mails_per_hour).then(|| oldest.unwrap_or(now_ms) + HOUR_MS)
    }

    /// One digest an hour and recipient of what the cap holds back. Whether any was written.
    fn write_digests(&mut self, now_ms: i64, plan: &Plan, change: &mut Change) -> bool {
        let mut is_any = false;
        for (recipient, held) in &plan.held {
            if self.digest_due(recipient, held).is_none_or(|due| due > now_ms) {
                continue;
            }
            for keys in held.chunks(ENTRIES) {
                is_any = true;
                self.write_digest(now_ms, recipient, keys, change);
            }
        }
        is_any
    }

    fn digest_due(&self, recipient: &str, held: &[Key]) -> Option<i64> {
        let first = held.iter().filter_map(|key| self.pool.row(*key)).map(|row| row.queued_ms).min()?;
        let last = self.pool.last_digest_ms(recipient).map_or(i64::MIN, |at| at + HOUR_MS);
        Some(last.max(first + DIGEST_WAIT_MS))
    }

    fn write_digest(&mut self, now_ms: i64, recipient: &str, keys: &[Key], change: &mut Change) {
        let Some((first, last)) = keys.first().zip(keys.last()) else { return };
        let Some(model) = self.pool.row(*first).cloned() else { return };
        let mut entries: Vec<_> = keys.iter().filter_map(|key| self.pool.row(*key)).map(entry).collect();
        if self.is_planted(Planted::DigestDropsLast) {
            entries.pop();
        }
        let count = entries.len();
        let per_hour = self.limits.mails_per_hour;
        let (receiver, recipient) = (model.receiver.clone(), recipient.to_owned());
        let body =
            (self.compose)(&DigestLetter { receiver, recipient: recipient.clone(), at_ms: now_ms, per_hour, entries });
        let key = Key::of_digest(*last);
        let domain = model.message_id.rsplit_once('@').map_or("", |(_, domain)| domain.trim_end_matches('>'));
        let row = Row {
            incident: 0,
            message_id: format!(
                "<d{}.r{}.{}@{domain}>",
                last.notice,
                last.recipient,
                recipient_hash(&model.receiver, &recipient)
            ),
            references: Vec::new(),
            subject: format!("{count} more notices"),
            summary: String::new(),
            is_end: false,
            queued_ms: now_ms,
            started_ms: None,
            attempts: 0,
            may_have_arrived: false,
            size_bytes: body.len(),
            state: State::Queued,
            ..model
        };
        self.counts.digests += 1;
        self.pool.insert(key, row, Payload::Mail(body), change);
        for entry in keys {
            self.pool.update(*entry, change, |row| row.state = State::Within { row: key, at_ms: now_ms });
        }
    }

    fn start(&mut self, now_ms: i64, plan: &Plan, change: &mut Change) {
        for (server, keys) in &plan.ready {
            for keys in keys.chunks(self.limits.parcels_per_session.max(1)) {
                let mut parcels = Vec::with_capacity(keys.len());
                for key in keys {
                    let is_fresh = self.is_planted(Planted::FreshMessageId);
                    self.counts.attempts += 1;
                    self.pool.update(*key, change, |row| {
                        row.attempts = row.attempts.saturating_add(1);
                        // The latest attempt: by it the mail arrives, and it must still count within the hour after that.
                        row.started_ms = Some(now_ms);
                        if is_fresh {
                            row.message_id = format!("<a{}.{}", row.attempts, row.message_id.trim_start_matches('<'));
                        }
                        row.state = State::Leased { until_ms: now_ms + LEASE_MS };
                    });
                    parcels.extend(self.parcel(*key));
                }
                self.sessions.entry(server.clone()).or_default().push(keys.iter().copied().collect());
                change.sessions.push(Session { server: server.clone(), parcels });
            }
        }
    }

    fn parcel(&self, key: Key) -> Option<Parcel> {
        let (row, payload) = self.pool.row(key).zip(self.pool.payload(key))?;
        Some(Parcel {
            key,
            recipient: row.current().recipient.clone(),
            message_id: row.message_id.clone(),
            references: row.references.clone(),
            payload: payload.clone(),
        })
    }

    fn next_wake(&self, now_ms: i64, plan: &Plan) -> Option<i64> {
        let digests = plan
            .held
            .iter()
            .filter_map(|(recipient, held)| self.digest_due(recipient, held))
            .filter(|due| *due > now_ms);
        let troubles =
            self.absences.values().filter(|absence| !absence.is_told).map(|absence| absence.since_ms + TROUBLE_MS);
        let kept = self.pool.first_done().map(|(at, _)| at + KEEP_MS);
        let leases = (!plan.ready.is_empty()).then_some(now_ms + LEASE_MS);
        plan.wake_ms.into_iter().chain(leases).chain(digests).chain(troubles).chain(kept).min()
    }
}

/// What one look at all waiting rows found.
#[derive(Debug, Default)]
struct Plan {
    ready: BTreeMap<String, Vec<Key>>,
    /// Rows whose target changes, and whether to the second.
    second: Vec<(Key, bool)>,
    /// Rows that the hourly cap holds back, by recipient.
    held: BTreeMap<String, Vec<Key>>,
    started: BTreeMap<String, usize>,
    wake_ms: Option<i64>,
}

impl Plan {
    fn wake(&mut self, at_ms: i64) {
        self.wake_ms = Some(self.wake_ms.map_or(at_ms, |wake| wake.min(at_ms)));
    }
}
