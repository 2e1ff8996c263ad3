//! Notices on their way: letters with their evidence into the queue, sessions to their servers.

use std::sync::Arc;

use muster_common::time::now;
use tokio::sync::Semaphore;

use super::handle::{Alerting, AlertingError};
use crate::outgoing::Session;

/// Sessions at a time, of all servers: threads of nothing, but each is a connection.
const SESSIONS_MAX: usize = 32;

impl Alerting {
    /// Writes the letters of all notices that are durable, and puts them into the queue. Blocks: it reads the store and draws.
    ///
    /// # Errors
    /// [`AlertingError`] when the disk or the file fails: the notices are written again.
    pub(super) fn write_letters(&self) -> Result<(), AlertingError> {
        for notice in self.ask(crate::desk::Desk::unhanded) {
            let letters = self.ask(crate::desk::Desk::letters);
            let evidence = self.parts.evidence.gather(&notice, now());
            let place =
                |receiver: &str, recipient: &str| self.ask(|desk| desk.place(notice.incident, receiver, recipient));
            let (rows, faults) = letters.rows(&notice, &evidence, &place);
            for fault in faults {
                tracing::warn!("notice {}: {fault}", notice.id);
            }
            let now = now();
            self.change(now, |desk| desk.hand_over(now.millis(), &notice, rows))?;
        }
        Ok(())
    }
}

/// Starts the sessions that are due; each reports what became of its rows as soon as that is known.
pub(super) fn start_sessions(alerting: &Arc<Alerting>, places: &Arc<Semaphore>) {
    for session in alerting.ask_mut(crate::desk::Desk::take_sessions) {
        tokio::spawn(carry_out(Arc::clone(alerting), session, Arc::clone(places)));
    }
}

pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(SESSIONS_MAX))
}

async fn carry_out(alerting: Arc<Alerting>, session: Session, places: Arc<Semaphore>) {
    let Ok(_place) = places.acquire().await else { return };
    let notifiers = alerting.notifiers.load_full();
    // A transaction a row: a row that was accepted is known to be as soon as it can be.
    let (say, mut heard) = tokio::sync::mpsc::channel(session.parcels.len().max(1));
    let telling = async {
        while let Some((key, outcome)) = heard.recv().await {
            let alerting = Arc::clone(&alerting);
            let told = tokio::task::spawn_blocking(move || alerting.outcome(key, outcome, now())).await;
            match told {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("what became of a notice was not written: {error}"),
                Err(error) => tracing::error!("what became of a notice was not written, it ended in a panic: {error}"),
            }
        }
    };
    let sending = async {
        let mut report = |key, outcome| {
            // As many places as parcels, of which each is reported once.
            drop(say.try_send((key, outcome)));
        };
        notifiers.run(&session, &mut report).await;
        drop(say);
    };
    tokio::join!(sending, telling);
}
