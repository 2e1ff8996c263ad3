//! What was asked for, what servers got, and whether that fits.

use std::collections::{BTreeMap, BTreeSet};

use crate::outgoing::{Key, News, Parcel, Payload};

/// One mail that was asked for.
pub(super) struct Asked {
    pub(super) thread: (u64, String),
    pub(super) notice: u64,
    pub(super) is_end: bool,
}

#[derive(Default)]
pub(super) struct Ledger {
    per_hour: usize,
    asked: BTreeMap<String, Asked>,
    /// By content: Message-IDs that servers saw.
    ids: BTreeMap<String, BTreeSet<String>>,
    contents: BTreeMap<String, String>,
    /// Acceptances of which the queue has written that it knows.
    acknowledged: BTreeSet<String>,
    arrived: BTreeMap<String, i64>,
    digested: BTreeSet<String>,
    dead: BTreeSet<(u64, u32)>,
    refused: BTreeSet<(String, String)>,
    /// By recipient: attempts that reached a server.
    starts: BTreeMap<String, Vec<(i64, String)>>,
    last_in_thread: BTreeMap<(u64, String), u64>,
    away_since: BTreeMap<String, i64>,
    told: BTreeSet<String>,
    pub(super) repeats: usize,
    pub(super) violations: Vec<String>,
}

/// The content of a parcel: a name that the world gave it; of digests the names of what is in it.
pub(super) fn content(parcel: &Parcel) -> &str {
    match &parcel.payload {
        Payload::Mail(text) | Payload::Webhook(text) => text,
    }
}

impl Ledger {
    pub(super) fn new(per_hour: usize) -> Self {
        Self { per_hour, ..Self::default() }
    }

    pub(super) fn ask(&mut self, content: String, asked: Asked) {
        self.asked.entry(content).or_insert(asked);
    }

    fn fault(&mut self, text: String) {
        self.violations.push(text);
    }

    /// A server is asked to take it.
    pub(super) fn attempt(&mut self, server: &str, parcel: &Parcel) {
        let name = content(parcel).to_owned();
        if self.acknowledged.contains(&name) {
            self.fault(format!("{name} is sent again although it was known to be accepted"));
        }
        if self.refused.contains(&(server.to_owned(), name.clone())) {
            self.fault(format!("{name} is tried again at {server}, which refused it"));
        }
        let ids = self.ids.entry(name.clone()).or_default();
        ids.insert(parcel.message_id.clone());
        if ids.len() > 1 {
            self.fault(format!("{name} has several Message-IDs"));
        }
    }

    /// An attempt begins. What is tried again within the hour counts once.
    pub(super) fn start(&mut self, now: i64, parcel: &Parcel) {
        if parcel.key.is_digest() {
            return;
        }
        let (name, hour) = (content(parcel).to_owned(), now - 3_600_000 + 1..=now);
        let starts = self.starts.entry(parcel.recipient.replace("backup+", "")).or_default();
        if starts.iter().any(|(at, other)| hour.contains(at) && *other == name) {
            return;
        }
        starts.push((now, name.clone()));
        if starts.iter().filter(|(at, _)| hour.contains(at)).count() > self.per_hour {
            let text = format!("{name} is beyond the hourly cap at {now}: {starts:?}");
            self.fault(text);
        }
    }

    /// The attempt that began then never reached a server, and the queue knows.
    pub(super) fn unstart(&mut self, started: i64, parcel: &Parcel) {
        let starts = self.starts.entry(parcel.recipient.replace("backup+", "")).or_default();
        starts.retain(|(at, name)| *at != started || name != content(parcel));
    }

    /// A server has it.
    pub(super) fn arrive(&mut self, now: i64, parcel: &Parcel) {
        let name = content(parcel).to_owned();
        if let Some(other) =
            self.contents.insert(parcel.message_id.clone(), name.clone()).filter(|other| *other != name)
        {
            self.fault(format!("{} arrived as {other} and as {name}", parcel.message_id));
        }
        if parcel.key.is_digest() {
            self.digested.extend(name.split_whitespace().map(str::to_owned));
        }
        if self.arrived.insert(name.clone(), now).is_some() {
            self.repeats += 1;
            return;
        }
        if let Some(asked) = self.asked.get(&name) {
            let last = self.last_in_thread.entry(asked.thread.clone()).or_insert(0);
            if *last > asked.notice {
                let text = format!("{name} arrives after notice {last} of its thread");
                self.fault(text);
            } else {
                *last = asked.notice;
            }
        }
    }

    pub(super) fn answered(&mut self, server: &str) {
        self.away_since.remove(server);
        self.told.remove(server);
    }

    pub(super) fn is_away(&mut self, now: i64, server: &str) {
        let since = *self.away_since.entry(server.to_owned()).or_insert(now);
        if now - since > 6 * 60_000 && !self.told.contains(server) {
            self.fault(format!("{server} is away for 6 minutes and nobody is told"));
        }
    }

    pub(super) fn acknowledge(&mut self, name: &str) {
        self.acknowledged.insert(name.to_owned());
    }

    pub(super) fn refuse(&mut self, server: &str, name: &str) {
        self.refused.insert((server.to_owned(), name.to_owned()));
    }

    pub(super) fn tell(&mut self, news: &News) {
        match news {
            News::Dead { key, within, .. } => {
                self.dead.extend(within.iter().chain([key]).map(|Key { notice, recipient }| (*notice, *recipient)));
            }
            News::Trouble { server, .. } => drop(self.told.insert(server.clone())),
            News::SecondTarget { .. } | News::TroubleOver { .. } => {}
        }
    }

    /// At the end: everybody was told of everything, or it was said that not.
    pub(super) fn close(&mut self) {
        let mut missing = Vec::new();
        for (name, asked) in &self.asked {
            let (notice, recipient) = name.trim_start_matches('n').split_once('r').unwrap_or_default();
            let key = (notice.parse().unwrap_or(0), recipient.parse().unwrap_or(0));
            let told_with_end = self.asked.iter().any(|(other, end)| {
                let has_it = self.arrived.contains_key(other)
                    || self.digested.contains(other)
                    || self.dead.contains(&key_of(other));
                end.is_end && end.thread == asked.thread && end.notice > asked.notice && has_it
            });
            let is_merged = told_with_end && !self.ids.get(name).is_some_and(|_| self.arrived.contains_key(name));
            if !self.arrived.contains_key(name)
                && !self.digested.contains(name)
                && !self.dead.contains(&key)
                && !is_merged
            {
                missing.push(format!("{name} never arrived and nobody says why"));
            }
        }
        self.violations.extend(missing);
    }
}

fn key_of(name: &str) -> (u64, u32) {
    let (notice, recipient) = name.trim_start_matches('n').split_once('r').unwrap_or_default();
    (notice.parse().unwrap_or(0), recipient.parse().unwrap_or(0))
}
