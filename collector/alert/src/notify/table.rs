//! Servers by the name that rows have.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::outgoing::{Key, Outcome, Parcel, Session};

/// Somebody waits for the end of a try that sends nothing.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(20);

/// Told as soon as the fate of a parcel is known, so that little is unsure if the process ends.
pub type Report<'a> = dyn FnMut(Key, Outcome) + Send + 'a;

/// One server of one kind.
pub trait Notifier: Send + Sync {
    /// Tries every parcel once, and reports once for each that it has dealt with.
    fn deliver<'a>(
        &'a self,
        parcels: &'a [Parcel],
        report: &'a mut Report<'_>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

    /// Comes as far as it can without sending anything: where the server is, and the error in its words. `None`: nothing can be tried without.
    fn attempt(&self) -> Option<Attempt<'_>> {
        None
    }
}

/// A try that sends nothing.
pub struct Attempt<'a> {
    /// The server's address for people.
    pub place: String,
    /// What was reached, or why it was not.
    pub trying: Pin<Box<dyn Future<Output = Result<&'static str, String>> + Send + 'a>>,
}

/// How such a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    pub place: String,
    pub result: Result<&'static str, String>,
}

/// Why a notifier cannot be made of its settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("server {server}: certificates of {file} cannot be used: {text}")]
    Certificates { server: String, file: String, text: String },
    #[error("server {server}: {text}")]
    Tls { server: String, text: String },
    #[error("server {server}: a password needs TLS: set `require_tls: true`, or allow it in clear text")]
    ClearPassword { server: String },
    #[error("`{url}` is no address of a webhook: write http:// or https://, a host, and a path")]
    Url { url: String },
    #[error("`{text}` is no sender's address: {source}")]
    From { text: String, source: lettre::address::AddressError },
}

/// All servers of a configuration.
#[derive(Clone, Default)]
pub struct Notifiers {
    servers: BTreeMap<String, Arc<dyn Notifier>>,
}

impl Notifiers {
    pub fn add(&mut self, server: String, notifier: Arc<dyn Notifier>) {
        self.servers.insert(server, notifier);
    }

    /// Tries every server once without sending anything; one address once, whatever the number of senders.
    pub async fn attempt(&self) -> Vec<Attempted> {
        let mut attempted: Vec<Attempted> = Vec::new();
        for Attempt { place, trying } in self.servers.values().filter_map(|notifier| notifier.attempt()) {
            if !attempted.iter().any(|other| other.place == place) {
                let result = tokio::time::timeout(ATTEMPT_WITHIN, trying).await;
                let late = || Err(format!("no answer within {} s", ATTEMPT_WITHIN.as_secs()));
                attempted.push(Attempted { result: result.unwrap_or_else(|_| late()), place });
            }
        }
        attempted
    }

    /// Carries a session out. Every parcel has exactly one report afterwards.
    pub async fn run(&self, session: &Session, report: &mut Report<'_>) {
        let mut open: Vec<Key> = session.parcels.iter().map(|parcel| parcel.key).collect();
        let rest = match self.servers.get(&session.server) {
            None => Outcome::Away { text: format!("no server `{}` in the configuration", session.server) },
            Some(notifier) => {
                let mut once = |key, outcome| {
                    if let Some(index) = open.iter().position(|other| *other == key) {
                        open.swap_remove(index);
                        report(key, outcome);
                    }
                };
                notifier.deliver(&session.parcels, &mut once).await;
                Outcome::Away { text: "the notifier ended before it".to_owned() }
            }
        };
        for key in open {
            report(key, rest.clone());
        }
    }
}
