//! What all connections, intakes and loops of one collector share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use muster_common::host::HostId;
use muster_common::stat::Stat;
use muster_common::time::Timestamp;
use muster_common::wire::message::Problem;
use muster_fleet::{Fleet, HostState};
use muster_store::Reader;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admit::SeriesBudget;
use crate::committer::CommitQueue;
use crate::config::IngestConfig;
use crate::connection_limits::Connections;
use crate::contexts::ContextPool;
use crate::counters::{Count, Counters};
use crate::fences::{Claim, Fences, SessionNumber};
use crate::host_labels::HostLabels;
use crate::presence::Presences;
use crate::remote_write::intake::Intake;
use crate::session::{Input, Settings, Shared};

/// An order to a session from outside its connection.
pub(crate) struct Order {
    pub(crate) input: Input,
    /// Told once its effects are carried out: what it commits is queued.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

/// A connection with a certificate, from its handshake to its end.
pub(crate) struct Live {
    pub(crate) host: HostId,
    pub(crate) leaf: Vec<u8>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) connection: quinn::Connection,
}

/// Orders that may wait for a session: its own host's fences, changes and the collector's load. A session that does not even
/// take these is cut off.
pub(crate) const ORDERS_MAX: usize = 64;

#[derive(Default)]
struct Claims {
    fences: Fences,
    connections: HashMap<SessionNumber, u64>,
}

pub(crate) struct Hub {
    pub(crate) config: IngestConfig,
    pub(crate) settings: Arc<Settings>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) reader: Reader,
    pub(crate) queue: CommitQueue,
    pub(crate) pool: Arc<ContextPool>,
    pub(crate) intake: Intake,
    pub(crate) decoding: Arc<Semaphore>,
    pub(crate) presences: Mutex<Presences>,
    pub(crate) connections: Mutex<Connections>,
    pub(crate) handshaking: AtomicUsize,
    /// Series of others, to be stored with this crate's own.
    pub(crate) own_stats: Mutex<Vec<Stat>>,
    pub(crate) ready: Timestamp,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// The next session that takes a step ends in a panic.
    #[cfg(test)]
    pub(crate) panics_once: std::sync::atomic::AtomicBool,
    enrolled: RwLock<Arc<HashSet<String>>>,
    claims: Mutex<Claims>,
    live: Mutex<HashMap<u64, Live>>,
    budgets: Mutex<HashMap<HostId, Arc<Mutex<SeriesBudget>>>>,
    next_hello: AtomicU64,
    next_connection: AtomicU64,
}

/// Bytes that one permit of [`Hub::decoding`] stands for.
pub(crate) const DECODING_BYTES_A_PERMIT: usize = 1024;

impl Hub {
    pub(crate) fn new(
        config: IngestConfig,
        (counters, pool): (Arc<Counters>, Arc<ContextPool>),
        fleet: Arc<Fleet>,
        reader: Reader,
        queue: CommitQueue,
        seed: u64,
        now: Timestamp,
    ) -> Self {
        Self {
            counters,
            pool,
            intake: Intake::new(config.remote_write.cached_series_max, seed),
            decoding: Arc::new(Semaphore::new(config.remote_write.decoding_bytes_max / DECODING_BYTES_A_PERMIT)),
            presences: Mutex::new(Presences::new(config.silent_after)),
            connections: Mutex::new(Connections::new(config.connections, now)),
            handshaking: AtomicUsize::new(0),
            own_stats: Mutex::new(Vec::new()),
            ready: now,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            #[cfg(test)]
            panics_once: std::sync::atomic::AtomicBool::new(false),
            enrolled: RwLock::new(Arc::new(enrolled_names(&fleet))),
            claims: Mutex::new(Claims::default()),
            live: Mutex::new(HashMap::new()),
            budgets: Mutex::new(HashMap::new()),
            next_hello: AtomicU64::new(1),
            next_connection: AtomicU64::new(1),
            settings: Arc::new(config.session.clone()),
            config,
            fleet,
            reader,
            queue,
        }
    }

    /// What a session of this host shares. The series budget outlives the session.
    pub(crate) fn shared(&self, host: HostId, now: Timestamp) -> Shared {
        let fresh = || Arc::new(Mutex::new(SeriesBudget::new(self.config.session.series_max, now)));
        let budget = self.budgets.lock().entry(host).or_insert_with(fresh).clone();
        let throttle = *self.queue.throttle().borrow();
        Shared { counters: self.counters.clone(), pool: self.pool.clone(), budget, throttle }
    }

    /// Hosts of the registry that are expected, by id.
    pub(crate) fn expected(&self) -> Vec<Arc<HostLabels>> {
        let active = self.fleet.hosts().into_iter().filter(|row| row.state == HostState::Active);
        active.map(|row| Arc::new(HostLabels { id: row.id, name: row.name, labels: row.labels })).collect()
    }

    pub(crate) fn host_labels(&self, host: HostId) -> Option<Arc<HostLabels>> {
        let row = self.fleet.host(host).filter(|row| row.state == HostState::Active)?;
        Some(Arc::new(HostLabels { id: row.id, name: row.name, labels: row.labels }))
    }

    /// The names of enrolled hosts, for pushes that use them.
    pub(crate) fn enrolled(&self) -> Arc<HashSet<String>> {
        self.enrolled.read().clone()
    }

    /// Reads the enrolled names anew. Whether they changed.
    pub(crate) fn refresh_enrolled(&self) -> bool {
        let names = enrolled_names(&self.fleet);
        let mut enrolled = self.enrolled.write();
        let changed = **enrolled != names;
        if changed {
            *enrolled = Arc::new(names);
        }
        changed
    }

    /// Takes a connection into the list of those that orders reach.
    pub(crate) fn register(&self, live: Live) -> u64 {
        let number = self.next_connection.fetch_add(1, Ordering::Relaxed);
        self.live.lock().insert(number, live);
        number
    }

    pub(crate) fn unregister(&self, connection: u64) {
        self.live.lock().remove(&connection);
    }

    pub(crate) fn sessions(&self) -> usize {
        self.live.lock().len()
    }

    /// The number of a hello that has just arrived.
    pub(crate) fn number_hello(&self) -> SessionNumber {
        SessionNumber(self.next_hello.fetch_add(1, Ordering::Relaxed))
    }

    /// Fences the older sessions of this host; what the claimant is to be told now, if anything.
    pub(crate) fn claim(&self, host: HostId, hello: SessionNumber, connection: u64) -> Option<Input> {
        let mut claims = self.claims.lock();
        let claim = claims.fences.claim(host, hello);
        if claim == Claim::Superseded {
            return Some(Input::Fenced);
        }
        claims.connections.insert(hello, connection);
        let Claim::Wait { fence } = claim else { return Some(Input::Drained) };
        let fenced: Vec<u64> = fence.iter().filter_map(|older| claims.connections.get(older).copied()).collect();
        drop(claims);
        for older in fenced {
            self.order(older, Input::Fenced, None);
        }
        None
    }

    /// A session that claimed has nothing under way any more.
    pub(crate) fn release(&self, host: HostId, hello: SessionNumber) {
        let mut claims = self.claims.lock();
        claims.connections.remove(&hello);
        let next = claims.fences.ended(host, hello).and_then(|next| claims.connections.get(&next).copied());
        drop(claims);
        if let Some(next) = next {
            self.order(next, Input::Drained, None);
        }
    }

    /// Gives an order to one connection. One that does not take orders any more is closed.
    fn order(&self, connection: u64, input: Input, done: Option<oneshot::Sender<()>>) {
        let live = self.live.lock();
        if let Some(live) = live.get(&connection)
            && let Err(mpsc::error::TrySendError::Full(_)) = live.orders.try_send(Order { input, done })
        {
            live.connection.close(0_u32.into(), b"the session does not answer");
        }
    }

    /// Closes a connection without its session's word.
    pub(crate) fn cut_off(&self, connection: u64) {
        if let Some(live) = self.live.lock().get(&connection) {
            live.connection.close(0_u32.into(), b"the session does not answer");
        }
    }

    /// Connections of these hosts (`None`: all), with their leaf certificates.
    pub(crate) fn connections_of(&self, hosts: Option<&HashSet<HostId>>) -> Vec<(u64, HostId, Vec<u8>)> {
        let live = self.live.lock();
        let wanted = live.iter().filter(|(_, live)| hosts.is_none_or(|hosts| hosts.contains(&live.host)));
        wanted.map(|(number, live)| (*number, live.host, live.leaf.clone())).collect()
    }

    /// Gives an order and a way to wait until it is carried out.
    pub(crate) fn order_and_wait(&self, connection: u64, input: Input) -> oneshot::Receiver<()> {
        let (done, wait) = oneshot::channel();
        self.order(connection, input, Some(done));
        wait
    }

    /// All that is wrong on a host now.
    pub(crate) fn take_problems(&self, host: HostId, problems: Vec<Problem>) {
        let dropped = self.presences.lock().problems(host, problems);
        self.counters.one(Count::ProblemSets);
        self.counters.add(Count::ProblemsDropped, dropped as u64);
    }

    /// Forgets what is kept of a host that has gone for good.
    pub(crate) fn forget(&self, host: HostId) {
        self.presences.lock().forget(host);
        self.budgets.lock().remove(&host);
    }
}

fn enrolled_names(fleet: &Fleet) -> HashSet<String> {
    let active = fleet.hosts().into_iter().filter(|row| row.state == HostState::Active);
    active.map(|row| row.name).collect()
}
