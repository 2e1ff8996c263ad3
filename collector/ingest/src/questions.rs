//! Carries questions of people to the sessions of the hosts that are asked, and says at once who has none.

use std::collections::HashSet;
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::time;
use muster_fleet::{MissingWhy, QuestionDue};

use crate::hub::Hub;
use crate::session::Input;

/// Hands on what is asked until the collector stops. What comes back goes from each session to fleet.
pub(crate) async fn run(hub: Arc<Hub>) {
    let mut due = hub.fleet.subscribe_questions();
    due.mark_changed();
    loop {
        tokio::select! {
            () = hub.stop.cancelled() => return,
            changed = due.changed() => if changed.is_err() { return },
        }
        due.borrow_and_update();
        for question in hub.fleet.take_questions() {
            ask(&hub, &question);
        }
    }
}

fn ask(hub: &Hub, QuestionDue { ask, hosts }: &QuestionDue) {
    let mut silent: HashSet<HostId> = hosts.iter().copied().collect();
    for (connection, host, _) in hub.connections_of(Some(&silent.clone())) {
        silent.remove(&host);
        // Of two sessions of a host the open one answers. Nobody waits for it to be carried out.
        drop(hub.order_and_wait(connection, Input::Ask(Box::new(ask.clone()))));
    }
    for host in silent {
        hub.fleet.unasked(host, ask.id, MissingWhy::Silent, time::monotonic());
    }
}
