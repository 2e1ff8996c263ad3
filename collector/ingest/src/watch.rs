//! Follows the registry: names and labels to sessions, denials to live connections, ends to series.

use std::collections::{HashMap, HashSet};
use std::slice::Iter;
use std::sync::Arc;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time::{self, Timestamp};
use muster_fleet::{By, Changes, HostState, RegistryChange, ephemeral_reason};
use muster_store::{OWN_HOST, SampleBlock};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::counters::Count;
use crate::error_text::chain;
use crate::host_labels::HOST;
use crate::hub::Hub;
use crate::session::Input;
use crate::stale::{Ending, Keep, markers};
use crate::ticking::{Runs, commit, select_recent, unended_hosts, unended_up};

/// How long a session may take to carry out an order before the others' markers are written without it.
const ORDER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long until markers that the disk did not take are tried again; after the last, their series fade with the lookback.
const MARKERS_AGAIN: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1), Duration::from_secs(4)];
/// How often the registry's own housekeeping is due.
const MAINTAIN_EVERY: Duration = Duration::from_secs(60);
/// How often what hosts told is looked at for what is new or gone.
const DISCOVER_EVERY: Duration = Duration::from_secs(1);

/// Acts on changes of the registry until the collector stops. `endings`: what an earlier run left unended.
pub(crate) async fn run(hub: Arc<Hub>, runs: Runs, authorities: mpsc::Sender<()>, endings: Vec<Ending>) {
    let mut versions = hub.fleet.subscribe();
    versions.mark_changed();
    let mut version = 0;
    let mut marker_tick = 0;
    end_series(&hub, runs, &mut marker_tick, endings).await;
    // A crash may have come between the retirement and this.
    forget_retired(&hub).await;
    let mut minute = tokio::time::interval(MAINTAIN_EVERY);
    minute.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut second = tokio::time::interval(DISCOVER_EVERY);
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = hub.stop.cancelled() => return,
            changed = versions.changed() => if changed.is_err() { return },
            _ = minute.tick() => {
                maintain(&hub).await;
                continue;
            }
            _ = second.tick() => {
                discover(&hub).await;
                continue;
            }
        }
        versions.borrow_and_update();
        let changes = hub.fleet.changes_after(version);
        version = changes.version;
        act(&hub, runs, &mut marker_tick, &authorities, changes).await;
    }
}

async fn act(hub: &Arc<Hub>, runs: Runs, marker_tick: &mut u64, authorities: &mpsc::Sender<()>, changes: Changes) {
    if hub.refresh_enrolled() {
        hub.intake.forget();
    }
    let mut endings = Vec::new();
    let mut hosts: HashSet<HostId> = HashSet::new();
    let mut retired = Vec::new();
    let missed = changes.missed;
    let mut all = missed;
    for change in changes.changes {
        match change {
            RegistryChange::Activated { .. } | RegistryChange::Quarantined { .. } => {}
            RegistryChange::Renamed { host, from, .. } => {
                hosts.insert(host);
                endings.push(Ending { host: from, keep: None });
            }
            RegistryChange::Relabelled { host, from, to } => {
                hosts.insert(host);
                let name = hub.host_labels(host).map(|labels| labels.name.clone());
                endings.extend(name.map(|host| Ending { host, keep: Some(Keep { from, to }) }));
            }
            RegistryChange::Retired { host, name, .. } => {
                hosts.insert(host);
                retired.push(host);
                endings.push(Ending { host: name, keep: None });
            }
            RegistryChange::Replaced { host } | RegistryChange::Denied { host: Some(host), .. } => {
                hosts.insert(host);
            }
            RegistryChange::Denied { host: None, .. } => all = true,
            // One that is due already covers this one too.
            RegistryChange::Authorities => drop(authorities.try_send(())),
        }
    }
    recheck(hub, (!all).then_some(&hosts)).await;
    for host in retired {
        hub.forget(host);
        hub.queue.forget(host).await;
    }
    if missed {
        forget_retired(hub).await;
        let reading = hub.clone();
        let left = tokio::task::spawn_blocking(move || unended_hosts(&reading, &unended_up(&reading, time::now())));
        endings.extend(left.await.unwrap_or_default());
    }
    end_series(hub, runs, marker_tick, endings).await;
}

/// Forgets the marks of hosts that were retired without this having been told: before a crash, or among changes that were missed. The
/// list of marks is read before the registry, so that no host that comes meanwhile is taken for one that went.
async fn forget_retired(hub: &Arc<Hub>) {
    for host in hub.queue.marked_hosts().await {
        let is_retired = hub.fleet.host(host).is_none_or(|row| row.state == HostState::Retired);
        if is_retired && host != OWN_HOST {
            hub.forget(host);
            hub.queue.forget(host).await;
        }
    }
}

/// Judges the certificates of live connections again (of these hosts; `None`: of all), and gives those that hold their
/// host's present name and labels. Waits until the sessions have carried it out: what they commit under old labels is then
/// queued. A denied one that does not listen is cut off.
async fn recheck(hub: &Arc<Hub>, hosts: Option<&HashSet<HostId>>) {
    let mut waits = Vec::new();
    let mut denied = Vec::new();
    for (connection, host, leaf) in hub.connections_of(hosts) {
        let input = match hub.fleet.authenticate(&leaf, time::now()) {
            Err(refused) => {
                denied.push(connection);
                Input::Denied(refused)
            }
            Ok(_) => match hub.host_labels(host) {
                Some(labels) => Input::HostChanged(labels),
                None => continue,
            },
        };
        waits.push(hub.order_and_wait(connection, input));
    }
    let all = async {
        for wait in waits {
            // A session that ended meanwhile says nothing, and has nothing more to queue.
            let _ = wait.await;
        }
    };
    if timeout(ORDER_TIMEOUT, all).await.is_err() {
        tracing::warn!("a session did not take a change of the registry in time");
        denied.into_iter().for_each(|connection| hub.cut_off(connection));
    }
}

/// Writes the markers of series that have ended.
async fn end_series(hub: &Arc<Hub>, runs: Runs, last_tick: &mut u64, endings: Vec<Ending>) {
    if endings.is_empty() {
        return;
    }
    hub.queue.barrier().await;
    // Shared by all, so that a failing disk does not hold up the next change of the registry for long.
    let mut waits = MARKERS_AGAIN.iter();
    for ending in endings {
        let reading = hub.clone();
        let read = tokio::task::spawn_blocking(move || {
            let now = time::now();
            let recent = select_recent(&reading, &[(HOST, &ending.host)], now);
            markers(&recent, &ending, now)
        });
        let Ok(Some(block)) = read.await else { continue };
        let count = block.samples() as u64;
        *last_tick = u64::try_from(time::now().millis()).unwrap_or(0).max(*last_tick + 1);
        let count_as = if commit_marker(hub, runs, last_tick, block, &mut waits).await {
            Count::StaleMarkers
        } else {
            Count::StaleMarkersDropped
        };
        hub.counters.add(count_as, count);
    }
}

/// Commits markers, trying again while the disk takes nothing. The tick stays that of the last try, so a try that was durable
/// after all is a repeat. Whether they are durable.
async fn commit_marker(
    hub: &Arc<Hub>,
    runs: Runs,
    tick: &mut u64,
    block: SampleBlock,
    waits: &mut Iter<'_, Duration>,
) -> bool {
    for after in waits {
        if commit(hub, runs.markers, tick, vec![block.clone()]).await {
            return true;
        }
        tokio::select! {
            () = hub.stop.cancelled() => break,
            () = tokio::time::sleep(*after) => {}
        }
    }
    commit(hub, runs.markers, tick, vec![block]).await
}

async fn maintain(hub: &Arc<Hub>) {
    let hub = hub.clone();
    let done = tokio::task::spawn_blocking(move || {
        let now = time::now();
        let heard = hub.presences.lock().all(now);
        let arrivals: HashMap<HostId, Timestamp> = heard.iter().map(|one| (one.host, one.last_arrival)).collect();
        let due = hub.fleet.due_retirements(now, hub.ready, |host| arrivals.get(&host).copied());
        for host in due {
            let silence = hub.fleet.host(host).and_then(|row| row.ephemeral).unwrap_or_default();
            if let Err(error) = hub.fleet.retire(host, &ephemeral_reason(silence), &By::MUSTER, now) {
                tracing::error!(%host, "an ephemeral host was not retired: {}", chain(&error));
            }
        }
        hub.fleet.maintain(now)
    });
    match done.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!("the registry's housekeeping failed: {}", chain(&error)),
        Err(error) => tracing::error!("the registry's housekeeping failed: {error}"),
    }
}

async fn discover(hub: &Arc<Hub>) {
    let fleet = Arc::clone(&hub.fleet);
    match tokio::task::spawn_blocking(move || fleet.discover(time::now())).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!("what is new or gone on hosts waits: {}", chain(&error)),
        Err(error) => tracing::error!("what is new or gone on hosts waits: {error}"),
    }
}
