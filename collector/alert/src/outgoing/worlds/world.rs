//! One world: notices, servers, crashes, all from a seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use muster_fleet::SmallRow;

use super::ledger::{Asked, Ledger, content};
use crate::outgoing::planted::Planted;
use crate::outgoing::{Change, DigestLetter, Event, Key, Limits, NewRow, Outcome, Parcel, Payload, Queue, Target};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const LIMITS: Limits =
    Limits { mails_per_hour: 6, sessions_per_server: 2, parcels_per_session: 4, rows: 100_000, body_bytes: 64 << 20 };

/// How one address behaves.
#[derive(Clone, Copy)]
enum Manner {
    Good,
    Greylists,
    Refuses,
    /// The reply to DATA is lost now and then.
    Loses,
}

/// A parcel under way: what the server will say, and when.
struct Flight {
    started: i64,
    at: i64,
    server: String,
    parcel: Parcel,
}

pub(super) struct World {
    rng: Rng,
    now: i64,
    table: BTreeMap<Vec<u8>, Vec<u8>>,
    queue: Queue,
    flights: Vec<Flight>,
    pub(super) ledger: Ledger,
    manners: Vec<Manner>,
    tries: BTreeMap<String, u32>,
    /// When servers do not answer: server, from, to.
    outages: Vec<(String, i64, i64)>,
    has_second: bool,
    crashes: u32,
    bug: Option<Planted>,
    /// Whether each step is compared with what a restart would know.
    is_reloaded: bool,
}

fn load(table: &BTreeMap<Vec<u8>, Vec<u8>>, bug: Option<Planted>) -> Queue {
    let compose =
        Arc::new(|letter: &DigestLetter| letter.entries.iter().map(|entry| format!("{} ", entry.summary)).collect());
    let rows = table.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    let mut queue = Queue::load(LIMITS, compose, rows).unwrap();
    queue.planted = bug;
    queue
}

fn write(table: &mut BTreeMap<Vec<u8>, Vec<u8>>, rows: Vec<SmallRow>) {
    for row in rows {
        match row.value {
            Some(value) => drop(table.insert(row.key, value)),
            None => drop(table.remove(&row.key)),
        }
    }
}

impl World {
    pub(super) fn new(seed: u64, bug: Option<Planted>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let table = BTreeMap::new();
        let queue = load(&table, bug);
        let mut outages = Vec::new();
        for server in ["mx1", "mx2"] {
            for _ in 0..rng.usize(0..3) {
                let from = rng.i64(0..8 * HOUR);
                let long = if rng.u8(0..20) == 0 { 60 * HOUR } else { 90 * MINUTE };
                outages.push((server.to_owned(), from, from + rng.i64(MINUTE..long)));
            }
        }
        let manners = (0..4)
            .map(|_| [Manner::Good, Manner::Good, Manner::Greylists, Manner::Refuses, Manner::Loses][rng.usize(0..5)]);
        let (manners, has_second) = (manners.collect(), rng.bool());
        let ledger = Ledger::new(LIMITS.mails_per_hour);
        Self {
            rng,
            now: 0,
            table,
            queue,
            flights: Vec::new(),
            ledger,
            manners,
            tries: BTreeMap::new(),
            outages,
            has_second,
            crashes: 0,
            bug,
            is_reloaded: bug.is_none() && seed.is_multiple_of(8),
        }
    }

    /// Runs until nothing waits.
    pub(super) fn run(&mut self) {
        let first = self.queue.step(0, Event::Started);
        self.commit(first, &[]);
        let (mut notice, mut open) = (0, Vec::new());
        let mut next_notice = 0;
        for _ in 0..20_000 {
            let flight = self.flights.iter().map(|flight| flight.at).min();
            let notice_at = (notice < 60).then_some(next_notice);
            let Some(at) = [flight, notice_at, self.queue.deadline_ms()].into_iter().flatten().min() else { break };
            if notice >= 60 && self.flights.is_empty() && self.queue.waiting().0 == 0 {
                break;
            }
            self.now = self.now.max(at);
            if self.rng.u8(0..40) == 0 {
                self.crash();
            } else if flight == Some(at) {
                self.land();
            } else if notice_at == Some(at) {
                notice += 1;
                let is_end = !open.is_empty() && self.rng.bool();
                let is_new = !is_end && (open.is_empty() || self.rng.bool());
                if is_new {
                    open.push(notice);
                }
                let incident = if is_new { notice } else { open[self.rng.usize(0..open.len())] };
                if is_end {
                    open.retain(|other| *other != incident);
                }
                next_notice = at
                    + if self.rng.u8(0..4) == 0 { self.rng.i64(0..40 * MINUTE) } else { self.rng.i64(0..3 * MINUTE) };
                self.notify(notice, incident, is_end);
            } else {
                let change = self.queue.step(self.now, Event::Due);
                self.commit(change, &[]);
            }
            if self.is_reloaded {
                self.check_reload();
            }
        }
        if self.queue.waiting().0 > 0 {
            self.ledger.violations.push(format!("{} rows wait for ever", self.queue.waiting().0));
        }
        self.ledger.close();
    }

    /// What is in the table is all that there is.
    fn check_reload(&mut self) {
        if !load(&self.table, None).stands_as(&self.queue) {
            self.ledger.violations.push(format!("at {} a restart would know something else", self.now));
        }
    }

    fn notify(&mut self, notice: u64, incident: u64, is_end: bool) {
        let target = |server: &str, address: String| Target { server: server.to_owned(), recipient: address };
        let mut rows = Vec::new();
        // The same people for all notices of an incident.
        for recipient in 0..1 + (incident % 4) as u32 {
            let name = format!("n{notice}r{recipient}");
            rows.push(NewRow {
                key: Key { notice, recipient },
                incident,
                receiver: "ops".to_owned(),
                target: target("mx1", format!("p{recipient}@example.org")),
                second: self.has_second.then(|| target("mx2", format!("backup+p{recipient}@example.org"))),
                domain: "muster.example.org".to_owned(),
                subject: "subject".to_owned(),
                summary: name.clone(),
                is_end,
                payload: Payload::Mail(name.clone()),
            });
            self.ledger.ask(name, Asked { thread: (incident, format!("p{recipient}")), notice, is_end });
        }
        let change = self.queue.step(self.now, Event::Enqueue(rows.clone()));
        if self.rng.u8(0..30) == 0 {
            // The transaction is lost, and what made the notice makes it again.
            self.crash();
            let change = self.queue.step(self.now, Event::Enqueue(rows));
            self.commit(change, &[]);
            return;
        }
        self.commit(change, &[]);
    }

    /// Writes what a step changed and starts what it starts; `known` is what the ledger may hold against the queue from then on.
    fn commit(&mut self, change: Change, known: &[(Outcome, String, String)]) {
        write(&mut self.table, change.rows);
        for news in &change.news {
            self.ledger.tell(news);
        }
        for (outcome, server, name) in known {
            match outcome {
                Outcome::Accepted => self.ledger.acknowledge(name),
                Outcome::Permanent { .. } => self.ledger.refuse(server, name),
                _ => {}
            }
        }
        if !change.sessions.is_empty() && self.rng.u8(0..25) == 0 {
            // It ends before it sends; the cap counts what may have been sent.
            for parcel in change.sessions.iter().flat_map(|session| &session.parcels) {
                self.ledger.start(self.now, parcel);
            }
            self.crash();
            return;
        }
        for session in change.sessions {
            let mut at = self.now;
            assert!(session.parcels.len() <= LIMITS.parcels_per_session, "a session has too many parcels");
            for parcel in session.parcels {
                // One after the other, or all at once where nobody answers.
                at += if self.is_out(&session.server, self.now) { 0 } else { self.rng.i64(10..5 * SECOND) };
                self.ledger.start(self.now, &parcel);
                self.flights.push(Flight { started: self.now, at, server: session.server.clone(), parcel });
            }
        }
        for server in ["mx1", "mx2"] {
            let most = LIMITS.sessions_per_server * LIMITS.parcels_per_session;
            assert!(self.flights.iter().filter(|flight| flight.server == server).count() <= most, "too many at once");
        }
    }

    fn is_out(&self, server: &str, now: i64) -> bool {
        self.outages.iter().any(|(other, from, to)| other == server && (*from..*to).contains(&now))
    }

    /// What the server does with a parcel.
    fn serve(&mut self, flight: &Flight) -> Outcome {
        let (server, parcel) = (flight.server.as_str(), &flight.parcel);
        if self.is_out(server, self.now) {
            return Outcome::Away { text: "connection refused".to_owned() };
        }
        self.ledger.answered(server);
        self.ledger.attempt(server, parcel);
        let name = format!("{server} {}", content(parcel));
        let tries = self.tries.entry(name).or_default();
        *tries += 1;
        let tries = *tries;
        let index = parcel.recipient.trim_start_matches("backup+p").trim_start_matches('p').as_bytes()[0] - b'0';
        let manner = if server == "mx2" { Manner::Good } else { self.manners[usize::from(index)] };
        let outcome = match manner {
            Manner::Greylists if tries < 3 => Outcome::Temporary { code: 450, text: "greylisted".to_owned() },
            Manner::Refuses if self.rng.u8(0..3) == 0 => {
                Outcome::Permanent { code: 550, text: "no such user".to_owned() }
            }
            Manner::Loses if tries < 4 && self.rng.bool() => Outcome::Unknown { text: "connection closed".to_owned() },
            _ => Outcome::Accepted,
        };
        let is_taken = match outcome {
            Outcome::Accepted => true,
            Outcome::Unknown { .. } => self.rng.bool(),
            _ => false,
        };
        if is_taken {
            self.ledger.arrive(self.now, parcel);
        }
        outcome
    }

    fn land(&mut self) {
        let Some(index) = (0..self.flights.len()).min_by_key(|index| self.flights[*index].at) else { return };
        let flight = self.flights.remove(index);
        let outcome = self.serve(&flight);
        if self.rng.u8(0..30) == 0 {
            // The server has said it, and nobody writes it down.
            self.crash();
            return;
        }
        let is_away = matches!(outcome, Outcome::Away { .. });
        if is_away {
            self.ledger.unstart(flight.started, &flight.parcel);
        }
        let known = [(outcome.clone(), flight.server.clone(), content(&flight.parcel).to_owned())];
        let change = self.queue.step(self.now, Event::Outcome { key: flight.parcel.key, outcome });
        let crashes = self.crashes;
        self.commit(change, &known);
        if is_away && self.crashes == crashes {
            self.ledger.is_away(self.now, &flight.server);
        }
    }

    /// The process ends here: what is under way arrives or does not, and nobody hears of it.
    fn crash(&mut self) {
        self.crashes += 1;
        for flight in std::mem::take(&mut self.flights) {
            if self.rng.bool() {
                self.serve(&flight);
            }
        }
        self.now += self.rng.i64(0..2 * MINUTE);
        self.queue = load(&self.table, self.bug);
        let change = self.queue.step(self.now, Event::Started);
        write(&mut self.table, change.rows);
        for news in &change.news {
            self.ledger.tell(news);
        }
        for session in change.sessions {
            for parcel in session.parcels {
                let at = self.now + self.rng.i64(10..SECOND);
                self.ledger.start(self.now, &parcel);
                self.flights.push(Flight { started: self.now, at, server: session.server.clone(), parcel });
            }
        }
    }
}
