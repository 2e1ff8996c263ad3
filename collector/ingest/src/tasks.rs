//! Steps orders of tasks, and hands sessions what they are to be given of them. What hosts say goes from each session to fleet.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time;
use muster_fleet::TaskDue;

use crate::error_text::chain;
use crate::hub::Hub;
use crate::session::Input;

/// How often what hosts told is worked in and orders go on: people wait for a task that takes a second.
const STEP_EVERY: Duration = Duration::from_secs(1);

/// Goes on until the collector stops. What is due to a host without a session is dropped: its next one is given all that it is owed.
pub(crate) async fn run(hub: Arc<Hub>) {
    let mut moved = hub.fleet.subscribe_tasks();
    moved.mark_changed();
    let mut said = String::new();
    // Not a sleep in the loop: calls that are due again and again would never let a step come.
    let mut ticks = tokio::time::interval(STEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = hub.stop.cancelled() => return,
            changed = moved.changed() => if changed.is_err() { return },
            _ = ticks.tick() => {
                let fleet = Arc::clone(&hub.fleet);
                let stepped = tokio::task::spawn_blocking(move || fleet.step_tasks(time::now())).await;
                let why = match stepped {
                    Ok(done) => done.err().map(|error| chain(&error)).unwrap_or_default(),
                    Err(error) => error.to_string(),
                };
                // A disk that is full says so each second.
                if !why.is_empty() && why != said {
                    tracing::error!("orders of tasks do not go on: {why}");
                }
                said = why;
            }
        }
        moved.borrow_and_update();
        hand_on(&hub);
    }
}

/// Gives each host what is due to it in one order to its session, so that a session's orders do not run full.
fn hand_on(hub: &Hub) {
    let mut by_host: BTreeMap<HostId, Vec<TaskDue>> = BTreeMap::new();
    for (host, due) in hub.fleet.take_tasks_due() {
        by_host.entry(host).or_default().push(due);
    }
    if by_host.is_empty() {
        return;
    }
    let hosts: HashSet<HostId> = by_host.keys().copied().collect();
    for (connection, host, _) in hub.connections_of(Some(&hosts)) {
        if let Some(due) = by_host.get(&host) {
            // Nobody waits for it to be carried out. Of two sessions of a host the open one takes it.
            drop(hub.order_and_wait(connection, Input::Tasks(due.clone())));
        }
    }
}
