//! Looks at the certificate again and again.

use std::sync::Arc;
use std::time::Duration;

use muster_common::time::now;
use tokio_util::sync::CancellationToken;

use super::Certificates;
use crate::trouble::{Part, Troubles};

/// Files that were renewed are in force within a minute; reading them takes microseconds.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// Until `stop`.
pub(crate) async fn run(certificates: Arc<Certificates>, troubles: Arc<Troubles>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let looked = Arc::clone(&certificates);
        match tokio::task::spawn_blocking(move || looked.look(now())).await {
            Ok(trouble) => troubles.set(Part::Certificate, trouble),
            Err(error) => troubles.set(Part::Certificate, Some(format!("looking at it ended in a panic: {error}"))),
        }
    }
}
