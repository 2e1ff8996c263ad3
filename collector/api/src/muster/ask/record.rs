//! Every question is in the audit, also one whose asker went before it was answered.

use std::sync::Arc;

use muster_fleet::{AskOutcome, AuditResult, By, EventKind, Record as AuditRecord};

use crate::error::ApiError;
use crate::state::State;
use crate::work;

/// A question that is not in the audit yet. Dropped, it is put there as one that nobody waited for.
pub(super) struct Record {
    state: Arc<State>,
    /// By whom, of which table, what.
    begun: Option<(By, &'static str, String)>,
}

impl Record {
    pub(super) fn begin(state: &Arc<State>, by: By, table: &'static str, text: String) -> Self {
        Self { state: Arc::clone(state), begun: Some((by, table, text)) }
    }

    pub(super) async fn answered(mut self, outcome: &AskOutcome) -> Result<(), ApiError> {
        let Some((by, table, text)) = self.begun.take() else { return Ok(()) };
        let text = format!("{text}: {} of {} answered", outcome.answered, outcome.asked);
        work::record(&self.state, by, EventKind::FleetAsked, table, text).await
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some((by, table, text)) = self.begun.take() else { return };
        let (fleet, now) = (Arc::clone(&self.state.fleet), self.state.now());
        let text = format!("{text}: who asked did not wait for the answer");
        let record = move || {
            let (object, result) = (table.to_owned(), AuditResult::Done);
            if let Err(error) =
                fleet.record(AuditRecord { by, action: EventKind::FleetAsked, object, text, result }, now)
            {
                tracing::error!("a question to hosts is not in the audit: {error}");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(record)),
            // Nobody else's thread is held up here.
            Err(_) => record(),
        }
    }
}
