//! The loops: time, rules, letters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster_common::time::now;
use tokio_util::sync::CancellationToken;

use super::handle::{Alerting, AlertingError};
use super::send::{places, start_sessions};

/// How often status, groups and rules are looked at where nothing wakes them: the clock may be set back, so deadlines are not slept for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs alerting until `stop`.
pub async fn run(alerting: Arc<Alerting>, stop: CancellationToken) {
    let flag = Arc::new(AtomicBool::new(false));
    let rules = tokio::spawn(rounds(Arc::clone(&alerting), Arc::clone(&flag), stop.clone()));
    let places = places();
    loop {
        let at = Arc::clone(&alerting);
        let done = tokio::task::spawn_blocking(move || look(&at)).await;
        tell("alerts and notices wait", done);
        start_sessions(&alerting, &places);
        tokio::select! {
            () = stop.cancelled() => break,
            () = alerting.wake.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    flag.store(true, Ordering::Relaxed);
    // A rule under way sees the flag.
    drop(rules.await);
}

fn look(alerting: &Alerting) -> Result<(), AlertingError> {
    alerting.tick(now())?;
    alerting.write_letters()?;
    alerting.look_ms.store(now().millis(), Ordering::Relaxed);
    Ok(())
}

/// Rules and status, once a second, apart from notices: a round may take long.
async fn rounds(alerting: Arc<Alerting>, flag: Arc<AtomicBool>, stop: CancellationToken) {
    loop {
        let (at, flag) = (Arc::clone(&alerting), Arc::clone(&flag));
        let done = tokio::task::spawn_blocking(move || {
            at.parts.fleet.tick_status(now())?;
            at.round(now(), &flag)?;
            at.round_ms.store(now().millis(), Ordering::Relaxed);
            Ok(())
        });
        tell("rules and status wait", done.await);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn tell(what: &str, done: Result<Result<(), AlertingError>, tokio::task::JoinError>) {
    match done {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!("{what}: {error}"),
        Err(error) => tracing::error!("{what}, they ended in a panic: {error}"),
    }
}
