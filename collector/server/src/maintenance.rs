//! What time alone brings about in the store: sealed heads to segments, merges, retention; and room, when the disk is full.

use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::time::now;
use muster_store::Admin;
use tokio_util::sync::CancellationToken;

use crate::error::chain;
use crate::reload::Reloader;
use crate::reserve::{Reserve, TAKE_AGAIN_BYTES};
use crate::trouble::{Part, Troubles};
use crate::watched_disk::FullBell;

/// While the disk stays full every write rings: so often what can be freed is freed.
const FULL_AGAIN: Duration = Duration::from_secs(5);

pub(crate) struct Maintenance {
    pub(crate) admin: Admin,
    pub(crate) reserve: Reserve,
    pub(crate) full: Arc<FullBell>,
    pub(crate) troubles: Arc<Troubles>,
    pub(crate) reloader: Arc<Reloader>,
}

/// Rounds until `stop`; the round under way is finished.
pub(crate) async fn run(maintenance: Maintenance, stop: CancellationToken) {
    let maintenance = Arc::new(maintenance);
    loop {
        let interval = maintenance.reloader.current().store.maintenance_interval;
        let is_full = tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => false,
            () = maintenance.full.rung() => true,
        };
        let round = Arc::clone(&maintenance);
        let done = tokio::task::spawn_blocking(move || round.round(is_full)).await;
        if let Err(error) = done {
            maintenance.troubles.set(Part::Maintenance, Some(format!("maintenance ended in a panic: {error}")));
        }
        if is_full {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(FULL_AGAIN) => {}
            }
        }
    }
}

impl Maintenance {
    fn round(&self, is_full: bool) {
        let mut done = Ok(());
        if is_full {
            self.give_room();
            // An inbox file takes some ten times the room of the segment that its data become.
            done = self.admin.flush(false, now()).map(|_| ());
        }
        let done = done.and(self.admin.maintain(now()).map(|_| ()));
        self.troubles.set(Part::Maintenance, done.err().map(|error| chain(&error)));
        self.take_reserve();
    }

    fn give_room(&self) {
        if !self.reserve.is_taken() {
            return;
        }
        let path = self.reserve.path().display();
        match self.reserve.release() {
            Ok(()) => {
                tracing::error!("the disk is full: gave up `{path}` so that retention can commit; free some room")
            }
            Err(error) => tracing::error!("the disk is full and `{path}` cannot be given up: {error}"),
        }
    }

    /// Takes the reserve (again) when there is room for it.
    fn take_reserve(&self) {
        if self.reserve.is_taken() {
            self.troubles.set(Part::Reserve, None);
            return;
        }
        let folder = self.reserve.path().parent().unwrap_or(self.reserve.path());
        let free_bytes = RealDisk.space(folder).map_or(0, |space| space.free_bytes);
        let why = if free_bytes < TAKE_AGAIN_BYTES {
            Some(format!("only {} MiB are free on its disk", free_bytes >> 20))
        } else {
            self.reserve.take().err().map(|error| error.to_string())
        };
        self.troubles.set(Part::Reserve, why);
    }
}
