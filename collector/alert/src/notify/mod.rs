//! Ways to tell people: what carries a session of the queue to a server, one file a kind.
//!
//! A notifier decides nothing: it tries each parcel once and says what became of it. Every phase has a time limit, so that a session is over
//! before the queue's lease is.

mod email;
mod heartbeat;
mod http;
#[cfg(test)]
pub(crate) mod server;
mod table;
#[cfg(test)]
mod tests;
mod webhook;

pub use email::{Email, SmtpSecurity, SmtpSettings};
pub use heartbeat::{Beat, HeartbeatUrl, Signs, beat};
pub use http::HttpError;
pub use table::{Attempt, Attempted, Notifier, Notifiers, Report, SettingsError};
pub use webhook::{Webhook, WebhookSettings, webhook_body};
