//! Start and stop: the committer's thread, the endpoint, the loops, in this order and back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use muster_common::stat::Stat;
use muster_common::time;
use muster_fleet::{Fleet, FleetError};
use muster_store::{Past, Reader, Replay, Writer};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::apply::{Apply, ApplyError};
use crate::committer;
use crate::config::IngestConfig;
use crate::contexts::ContextPool;
use crate::counters::Counters;
use crate::hub::Hub;
use crate::listener::{self, ListenError};
use crate::own::Run;
use crate::presence::Presence;
use crate::recorder::Recorder;
use crate::ticker::Ticker;
use crate::ticking::{self, Runs};
use crate::watch;
use crate::{configurations, inventory, loki_push, outbox, questions, remote_write, silence, tasks};

/// How long sessions may take to end when the collector stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Why ingest did not start.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the registry could not note the store's incarnation: free room or repair the disk, then start again")]
    Fleet(#[from] FleetError),
    #[error("failed to start the committer's thread: raise the limit on processes (`TasksMax=` of the unit)")]
    Thread(#[source] std::io::Error),
    #[error("the start's work was cut off: {0}; the log above says where; report it, and start again")]
    Cut(String),
}

/// All intakes of a running collector.
pub struct Ingest {
    hub: Arc<Hub>,
    endpoint: quinn::Endpoint,
    address: SocketAddr,
    committer: JoinHandle<()>,
}

/// Brings the small state up to the inbox, then listens.
///
/// # Errors
/// [`IngestError`] names what could not be started.
pub async fn start(
    config: IngestConfig,
    writer: Writer,
    reader: Reader,
    replay: Replay,
    fleet: Arc<Fleet>,
) -> Result<Ingest, IngestError> {
    let now = time::now();
    let (store_id, incarnation) = (writer.store_id(), writer.incarnation());
    let counters = Arc::new(Counters::default());
    let applying = fleet.clone();
    let applied = tokio::task::spawn_blocking(move || {
        // Told before by whoever opened the store and knows its past; here for one who did not.
        applying.set_incarnation(incarnation, Past::default(), now)?;
        Ok::<_, IngestError>(Apply::start(applying, &replay)?)
    });
    let (apply, reached) = applied.await.map_err(|error| IngestError::Cut(error.to_string()))??;
    if let Some(reached) = reached {
        writer.state_reached(reached);
    }
    let (thread, queue) = committer::new(writer, apply, counters.clone(), config.queue);
    let committer = std::thread::Builder::new().name("committer".to_owned()).spawn(move || thread.run());
    let committer = committer.map_err(IngestError::Thread)?;
    let pool = ContextPool::new(config.contexts_bytes_max);
    // The store's id seeds the keys of series: it is random, and nobody who pushes knows it.
    let (seed_bytes, _) = store_id.split_at(8);
    let seed = seed_bytes.iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    let (endpoint, renew_at) = match listener::listen(&config, &fleet, now) {
        Ok(listening) => listening,
        Err(error) => {
            queue.stop();
            return Err(error.into());
        }
    };
    let address = endpoint.local_addr().map_err(|source| ListenError::Bind { address: config.agents, source })?;
    let hub = Arc::new(Hub::new(config, (counters, pool), fleet, reader, queue, seed, now));
    let runs = Runs {
        up: Run::Up.epoch(store_id, incarnation),
        numbers: Run::Numbers.epoch(store_id, incarnation),
        markers: Run::Markers.epoch(store_id, incarnation),
    };
    let reading = hub.clone();
    let left = tokio::task::spawn_blocking(move || {
        let up = ticking::unended_up(&reading, now);
        let endings = ticking::unended_hosts(&reading, &up);
        (up, endings)
    });
    let (up, endings) = left.await.map_err(|error| IngestError::Cut(error.to_string()))?;
    let mut ticker = Ticker::default();
    ticker.adopt(up);
    let (authorities, changed) = mpsc::channel(1);
    hub.tasks.spawn(watch::run(hub.clone(), runs, authorities, endings));
    hub.tasks.spawn(inventory::run(hub.clone()));
    hub.tasks.spawn(configurations::run(hub.clone()));
    hub.tasks.spawn(questions::run(hub.clone()));
    hub.tasks.spawn(tasks::run(hub.clone()));
    hub.tasks.spawn(outbox::run(hub.clone()));
    hub.tasks.spawn(silence::run(hub.clone()));
    hub.tasks.spawn(ticking::run(hub.clone(), runs, ticker));
    hub.tasks.spawn(listener::keep_identity(hub.clone(), endpoint.clone(), renew_at, changed));
    hub.tasks.spawn(listener::accept(hub.clone(), endpoint.clone()));
    Ok(Ingest { hub, endpoint, address, committer })
}

impl Ingest {
    /// Where agents connect to.
    pub fn agents_addr(&self) -> SocketAddr {
        self.address
    }

    /// The HTTP intakes. They ask nobody who they are: to be served behind a check of tokens that puts the `Grant` in the
    /// request's extensions; a request without one has all rights. To be served with `into_make_service_with_connect_info::<SocketAddr>()`, so that senders without a
    /// token are told apart by their address.
    pub fn routes(&self) -> Router {
        remote_write::route::routes(self.hub.clone()).merge(loki_push::route::routes(self.hub.clone()))
    }

    /// This crate's numbers.
    pub fn stats(&self) -> Vec<Stat> {
        ticking::own_stats(&self.hub)
    }

    /// The numbers of other parts, stored with this crate's and fleet's own at the next grid time and every one after it.
    pub fn remember_own(&self, stats: Vec<Stat>) {
        *self.hub.own_stats.lock() = stats;
    }

    /// What writes for rules.
    pub fn recorder(&self) -> Recorder {
        Recorder::new(Arc::clone(&self.hub))
    }

    /// Every host heard since the start, by id.
    pub fn presence(&self) -> Vec<Presence> {
        self.hub.presences.lock().all(time::now())
    }

    /// Cancelled when nothing can be committed any more until a new start: the committer's thread ended in a panic.
    pub fn broken(&self) -> CancellationToken {
        self.hub.queue.health().broken()
    }

    /// Whether commits are not taken now.
    pub fn is_storage_failing(&self) -> bool {
        self.hub.queue.health().is_failing()
    }

    #[cfg(test)]
    pub(crate) async fn marked_hosts(&self) -> Vec<muster_common::host::HostId> {
        self.hub.queue.marked_hosts().await
    }

    #[cfg(test)]
    pub(crate) fn plant_panic(&self) {
        self.hub.queue.plant_panic();
    }

    #[cfg(test)]
    pub(crate) fn plant_session_panic(&self) {
        self.hub.panics_once.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// Says goodbye to all agents, with a delay to come back over, lets what is under way become durable, and ends.
    pub async fn stop(self, reason: &str) {
        tracing::info!("ingest stops: {reason}");
        self.hub.stop.cancel();
        self.hub.tasks.close();
        // Sessions end by themselves; the endpoint's loop ends when it is closed.
        let sessions = async {
            while self.hub.sessions() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(STOP_TIMEOUT, sessions).await.is_err() {
            tracing::warn!("some sessions did not end in time");
        }
        self.endpoint.close(0_u32.into(), b"the collector stops");
        if timeout(STOP_TIMEOUT, self.hub.tasks.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        self.hub.queue.stop();
        let committer = self.committer;
        match tokio::task::spawn_blocking(move || committer.join()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => tracing::error!("the committer had ended in a panic; the log above says where"),
            Err(error) => tracing::error!("the committer's end was not awaited: {error}"),
        }
    }
}
