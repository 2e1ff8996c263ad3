//! Catalogues and orders in memory: read at opening, and changed together with the file.
//!
//! Between a change and its commit, and after one that failed, it differs from the file; what is given to hosts is only what is durable.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_common::host::HostId;
use muster_common::task::{Catalogue, Order, Targets};
use muster_common::wire::message as wire;

use super::bounds::{QUEUE_BYTES_MAX, QUEUE_MAX, TASK_HOSTS_KEPT, TASK_ORDERS_KEPT};
use super::keys::TaskSettings;
use super::rollout::{Machine, Member, OrderState, STEP_BACK};
use super::rows::{CatalogueRow, Heard, HostRow, Numbers, TaskOrder, host_key, output_key, split_host_key};
use crate::rows::{decode, encode};
use crate::state::Pair;
use crate::tables::{META, Put, TASK_CATALOGUES, TASK_HOSTS, TASK_ORDERS, TASK_OUTPUTS, Table, meta};

/// What a restore skips: numbers that may have been given since the copy was made.
const RESTORED_SKIP: u64 = 1_000;

/// Something for a session of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskDue {
    Catalogue(wire::TaskCatalogue),
    Call(wire::Task),
    Cancel(wire::TaskCancel),
    Ack(wire::TaskAck),
}

/// What a host's session told since the last step.
#[derive(Debug)]
pub(super) enum Queued {
    Connected { takes: bool },
    Gone,
    Retired,
    State(wire::TaskState),
    Output(wire::TaskOutput),
}

/// An order with its hosts.
pub(super) struct Entry {
    pub(super) row: TaskOrder,
    pub(super) id: [u8; 16],
    pub(super) machine: Machine,
    pub(super) heard: BTreeMap<HostId, [Heard; 2]>,
    /// Made when the first call is.
    pub(super) targets: Option<Targets>,
}

/// What a host says of the catalogue that it was offered last: taken, or why not.
pub(super) type Taken = Result<(), String>;

/// All of it.
pub(crate) struct TaskBook {
    pub(super) settings: TaskSettings,
    pub(super) numbers: Numbers,
    pub(super) catalogues: BTreeMap<u64, CatalogueRow>,
    /// The newest one, read.
    pub(super) current: Option<Catalogue>,
    pub(super) orders: BTreeMap<u64, Entry>,
    pub(super) by_id: HashMap<[u8; 16], u64>,
    /// Connected hosts, and whether they take tasks.
    pub(super) sessions: BTreeMap<HostId, bool>,
    /// When a host's session ended, as far as this process knows.
    pub(super) away_since: HashMap<HostId, i64>,
    /// When this process took its first step; 0: not yet.
    pub(super) began_ms: i64,
    pub(super) taken: HashMap<HostId, Taken>,
    queue: Vec<(HostId, Queued)>,
    /// What the step that is not durable yet has worked in.
    pub(super) worked: Vec<(HostId, Queued)>,
    queue_bytes: usize,
    /// Words and chunks that found the queue full, in this process.
    pub(super) dropped: u64,
    pub(super) due: Vec<(HostId, TaskDue)>,
    /// Calls that may be sent now, in thousandths, and when that was so.
    pub(super) calls_milli: u64,
    pub(super) calls_ms: i64,
    /// Calls sent by this process.
    pub(super) called: u64,
    /// Bytes of output that is kept.
    pub(super) output_bytes: u64,
    /// Orders whose hosts are to be in a maintenance and are in none, with the reason.
    pub(super) unmaintained: BTreeMap<u64, String>,
    /// Times that anything that can be seen changed.
    pub(super) moved: u64,
}

/// The tables as they were read.
#[derive(Default)]
pub(crate) struct TaskRows {
    pub(crate) numbers: Option<Vec<u8>>,
    pub(crate) catalogues: Vec<Pair>,
    pub(crate) orders: Vec<Pair>,
    pub(crate) hosts: Vec<Pair>,
}

/// The table, the key and what is wrong with the row.
type Damage = (Table, Vec<u8>, String);

impl TaskBook {
    /// Reads the tables.
    ///
    /// # Errors
    /// The row that cannot be read.
    pub(crate) fn load(rows: TaskRows) -> Result<Self, Damage> {
        let mut book = Self::empty();
        if let Some(bytes) = &rows.numbers {
            book.numbers = decode(bytes).map_err(|what| (META, meta::TASKS.to_vec(), what))?;
        }
        for (key, value) in rows.catalogues {
            let row: CatalogueRow = decode(&value).map_err(|what| (TASK_CATALOGUES, key, what))?;
            book.catalogues.insert(row.version, row);
        }
        book.read_current();
        for (key, value) in rows.orders {
            let read = decode::<TaskOrder>(&value).and_then(|row| Ok((read_id(&row.text)?, row)));
            let (id, row) = read.map_err(|what| (TASK_ORDERS, key, what))?;
            book.put(id, row, BTreeMap::new());
        }
        for (key, value) in rows.hosts {
            let read = split_host_key(&key).and_then(|(order, host)| Ok((order, host, decode::<HostRow>(&value)?)));
            let (order, host, row) = read.map_err(|what| (TASK_HOSTS, key.clone(), what))?;
            let entry = book.orders.get_mut(&order);
            let entry = entry.ok_or_else(|| (TASK_HOSTS, key, format!("there is no order {order}")))?;
            book.output_bytes += row.heard.iter().map(|heard| heard.kept_bytes).sum::<u64>();
            entry.machine.members.insert(host, row.member);
            entry.heard.insert(host, row.heard);
        }
        Ok(book)
    }

    fn empty() -> Self {
        Self {
            settings: TaskSettings::default(),
            numbers: Numbers::default(),
            catalogues: BTreeMap::new(),
            current: None,
            orders: BTreeMap::new(),
            by_id: HashMap::new(),
            sessions: BTreeMap::new(),
            away_since: HashMap::new(),
            began_ms: 0,
            taken: HashMap::new(),
            queue: Vec::new(),
            worked: Vec::new(),
            queue_bytes: 0,
            dropped: 0,
            due: Vec::new(),
            calls_milli: 0,
            calls_ms: 0,
            called: 0,
            output_bytes: 0,
            unmaintained: BTreeMap::new(),
            moved: 0,
        }
    }

    /// Goes on where another left off that the file was read anew after. Who is connected is given what it is owed, which may have been given.
    pub(crate) fn go_on(&mut self, before: &mut Self) {
        self.settings = std::mem::take(&mut before.settings);
        self.sessions = std::mem::take(&mut before.sessions);
        self.away_since = std::mem::take(&mut before.away_since);
        self.taken = std::mem::take(&mut before.taken);
        let again = self.sessions.iter().map(|(host, takes)| (*host, Queued::Connected { takes: *takes }));
        let told = std::mem::take(&mut before.worked).into_iter().chain(std::mem::take(&mut before.queue));
        self.queue = again.chain(told).collect();
        self.queue_bytes = before.queue_bytes;
        self.due = std::mem::take(&mut before.due);
        (self.began_ms, self.dropped, self.called) = (before.began_ms, before.dropped, before.called);
        (self.calls_milli, self.calls_ms, self.moved) = (before.calls_milli, before.calls_ms, before.moved + 1);
    }

    /// Another data folder may have given out numbers that this one does not know of, and may have stopped orders that are open here: a person looks
    /// first.
    pub(crate) fn skip_numbers(&mut self) -> Put {
        self.numbers.next += RESTORED_SKIP;
        if !self.open_orders().is_empty() {
            "since the collector was restored: look at the orders that are open".clone_into(&mut self.numbers.paused);
        }
        Put::set(META, meta::TASKS, encode(&self.numbers))
    }

    pub(super) fn read_current(&mut self) {
        let newest = self.catalogues.last_key_value();
        // It was read before it was taken; a later version of this program may know better.
        self.current = newest.and_then(|(_, row)| Catalogue::parse(&row.document).ok());
    }

    pub(super) fn put(&mut self, id: [u8; 16], row: TaskOrder, members: BTreeMap<HostId, Member>) {
        let machine = Machine { terms: row.terms, progress: row.progress.clone(), members };
        self.by_id.insert(id, row.number);
        self.orders.insert(row.number, Entry { row, id, machine, heard: BTreeMap::new(), targets: None });
    }

    /// Takes in what a session tells; what finds the queue full is counted, and told again after the next welcome.
    pub(super) fn queue(&mut self, host: HostId, queued: Queued) {
        let (bytes, can_go) = match &queued {
            Queued::Output(output) => (output.text.len(), true),
            Queued::State(state) => (state.problem.len(), true),
            _ => (0, false),
        };
        let is_full = self.queue.len() >= QUEUE_MAX || self.queue_bytes + bytes > QUEUE_BYTES_MAX;
        if can_go && is_full {
            self.dropped += 1;
            return;
        }
        self.queue_bytes += bytes;
        self.queue.push((host, queued));
    }

    pub(super) fn take_queue(&mut self) -> Vec<(HostId, Queued)> {
        self.queue_bytes = 0;
        std::mem::take(&mut self.queue)
    }

    pub(super) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The hosts that a wave of an open order waits for, and since when what happens to them counts.
    pub(super) fn watched(&self) -> BTreeMap<HostId, i64> {
        let mut watched = BTreeMap::new();
        for entry in self.orders.values().filter(|entry| entry.row.progress.state.is_open()) {
            let step = entry.machine.progress.step;
            for (host, member) in &entry.machine.members {
                if let Some(run) = member.run(step).filter(|run| run.is_unsettled()) {
                    let since = watched.entry(*host).or_insert(run.sent_ms);
                    *since = run.sent_ms.min(*since);
                }
            }
        }
        watched
    }

    /// Orders beyond those that are kept, the oldest that are over.
    pub(super) fn old_orders(&self) -> Vec<u64> {
        let mut hosts: usize = self.orders.values().map(|entry| entry.machine.members.len()).sum();
        let mut orders = self.orders.len();
        let mut old = Vec::new();
        for (number, entry) in &self.orders {
            if orders <= TASK_ORDERS_KEPT && hosts <= TASK_HOSTS_KEPT {
                break;
            }
            if !entry.row.progress.state.is_open() {
                old.push(*number);
                orders -= 1;
                hosts -= entry.machine.members.len();
            }
        }
        old
    }

    /// Forgets an order with all that is kept of it; the answer is the rows that go.
    pub(super) fn remove(&mut self, number: u64) -> Vec<Put> {
        let mut puts = self.remove_output(number);
        let Some(entry) = self.orders.remove(&number) else { return puts };
        self.by_id.remove(&entry.id);
        puts.push(Put::remove(TASK_ORDERS, &number.to_be_bytes()));
        puts.extend(entry.machine.members.keys().map(|host| Put::remove(TASK_HOSTS, &host_key(number, *host))));
        puts
    }

    /// Forgets the output of an order.
    pub(super) fn remove_output(&mut self, number: u64) -> Vec<Put> {
        let mut puts = Vec::new();
        let Some(entry) = self.orders.get_mut(&number) else { return puts };
        for (host, heard) in &mut entry.heard {
            let mut is_any = false;
            for (step, heard) in (0..=STEP_BACK).zip(heard.iter_mut()) {
                puts.extend(
                    (0..heard.kept).map(|chunk| Put::remove(TASK_OUTPUTS, &output_key(number, *host, step, chunk))),
                );
                self.output_bytes -= heard.kept_bytes.min(self.output_bytes);
                is_any |= heard.kept > 0;
                heard.left_out += std::mem::take(&mut heard.kept_bytes);
                heard.kept = 0;
            }
            if is_any && let Some(member) = entry.machine.members.get(host) {
                let row = HostRow { member: member.clone(), heard: *heard };
                puts.push(Put::set(TASK_HOSTS, &host_key(number, *host), encode(&row)));
            }
        }
        puts
    }

    /// The newest order whose output can go: the oldest that is over and has any.
    pub(super) fn oldest_output(&self) -> Option<u64> {
        let has = |entry: &Entry| entry.heard.values().flatten().any(|heard| heard.kept > 0);
        let closed = self.orders.iter().filter(|(_, entry)| !entry.row.progress.state.is_open());
        closed.filter(|(_, entry)| has(entry)).map(|(number, _)| *number).next()
    }

    pub(super) fn open_orders(&self) -> BTreeSet<u64> {
        let open = self.orders.iter().filter(|(_, entry)| entry.row.progress.state.is_open());
        open.map(|(number, _)| *number).collect()
    }

    /// Forgets hosts that have left the fleet; orders are told at the next step, and keep what became of them.
    pub(crate) fn forget(&mut self, hosts: &[HostId]) {
        for host in hosts {
            self.taken.remove(host);
            self.queue(*host, Queued::Retired);
        }
    }
}

impl Entry {
    pub(super) fn host_row(&self, host: HostId) -> Option<HostRow> {
        let member = self.machine.members.get(&host)?.clone();
        Some(HostRow { member, heard: self.heard.get(&host).copied().unwrap_or_default() })
    }

    /// The row of the order as the machine has it now.
    pub(super) fn refresh(&mut self) {
        self.row.progress.clone_from(&self.machine.progress);
    }

    pub(super) const fn state(&self) -> OrderState {
        self.machine.progress.state
    }
}

/// The id of an order's text.
fn read_id(text: &str) -> Result<[u8; 16], String> {
    Order::parse(text).map(|order| order.id).map_err(|error| error.to_string())
}
