//! Signs of life at their interval, to a service outside that tells people when they stay away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use muster_alert::alerting::Alerting;
use muster_alert::notify::{Beat, HeartbeatUrl, beat};
use muster_common::stat::Stat;
use muster_common::time::now;
use tokio_util::sync::CancellationToken;

use crate::hooks::Seen;

/// Signs that were given, and what hindered them.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats {
    alive: AtomicU64,
    failing: AtomicU64,
    not_taken: AtomicU64,
}

impl Heartbeats {
    pub(crate) fn stats(&self) -> Vec<Stat> {
        let (name, help) =
            ("muster_collector_heartbeats_total", "Signs of life that were due, by what became of them.");
        let count =
            |of: &AtomicU64, result| Stat::counter(name, help, of.load(Ordering::Relaxed)).with("result", result);
        vec![count(&self.alive, "alive"), count(&self.failing, "failing"), count(&self.not_taken, "not_taken")]
    }
}

/// Gives signs until `stop`; a reload takes effect at the next one.
pub(crate) async fn run(seen: Seen, alerting: Arc<Alerting>, stop: CancellationToken) {
    let counts = &seen.heartbeats;
    loop {
        let config = seen.reloader.current().heartbeat.clone();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(config.interval) => {}
        }
        if config.url.is_empty() {
            continue;
        }
        let signs = alerting.signs(seen.unready());
        let (url, count) = match beat(&signs, now()) {
            Beat::Alive => (&config.url, &counts.alive),
            Beat::Failing(reasons) => {
                tracing::error!("no sign of life is given, since people would not be told: {}", reasons.join("; "));
                (&config.fail_url, &counts.failing)
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        if url.is_empty() {
            continue;
        }
        // Addresses are checked when the configuration is.
        let sent = match HeartbeatUrl::new(url) {
            Ok(url) => url.send().await,
            Err(wrong) => Err(wrong),
        };
        if let Err(why) = sent {
            counts.not_taken.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("a sign of life was not taken: {why}");
        }
    }
}
