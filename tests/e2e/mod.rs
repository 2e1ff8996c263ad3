//! The real programs against each other on loopback: few, each for one promise.

mod alerts;
mod ask;
mod bad_input;
mod checks;
mod deploys;
mod doctor;
mod first_host;
mod full_disk;
mod gate;
mod https;
mod installer;
mod inventory;
mod journal;
mod kill;
mod life_cycle;
mod logs;
mod maintenance;
mod operator;
mod processes;
mod receivers;
mod restore;
mod set_up;
mod snapshot;
mod tasks;
mod users;
mod without_outage;

use std::time::Duration;

/// Longer than anything here takes on a starved machine; a test that waits this long has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
