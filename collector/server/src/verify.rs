//! Deploys are compared with what was there before, once their soak time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster_api::State;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether one is due: soak times are minutes and hours.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Looks until `stop`; what it reads then is broken off.
pub(crate) async fn run(state: Arc<State>, stop: CancellationToken) {
    let cancelled = Arc::new(AtomicBool::new(false));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let (shared, flag) = (Arc::clone(&state), Arc::clone(&cancelled));
        let mut work = tokio::task::spawn_blocking(move || muster_api::verify_deploys(&shared, &flag));
        let done = tokio::select! {
            done = &mut work => done,
            () = stop.cancelled() => {
                cancelled.store(true, Ordering::Relaxed);
                work.await
            }
        };
        match done {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!("what became of deploys cannot be kept: {error}"),
            Err(error) => tracing::error!("to compare deploys ended in a panic: {error}"),
        }
    }
}
