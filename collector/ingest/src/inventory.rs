//! Asks hosts for tables of their inventory: where what one told does not follow from what is known of it, only the whole table helps.

use std::collections::HashSet;
use std::sync::Arc;

use crate::hub::Hub;
use crate::session::Input;

/// Hands what fleet wants to the sessions of those hosts until the collector stops. A host without a session needs no question: its next hello
/// is answered by what is known.
pub(crate) async fn run(hub: Arc<Hub>) {
    let mut wanted = hub.fleet.subscribe_inventory_wanted();
    wanted.mark_changed();
    loop {
        tokio::select! {
            () = hub.stop.cancelled() => return,
            changed = wanted.changed() => if changed.is_err() { return },
        }
        wanted.borrow_and_update();
        for (host, tables) in hub.fleet.take_inventory_wanted() {
            for (connection, _, _) in hub.connections_of(Some(&HashSet::from([host]))) {
                // Nobody waits for it to be carried out.
                drop(hub.order_and_wait(connection, Input::TablesWanted(tables.clone())));
            }
        }
    }
}
