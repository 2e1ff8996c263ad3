//! Alertmanager's configuration, and what of it answers "why not told?".
//!
//! `load` (with `load_route`, `load_receiver`, `load_intervals`) reads a file into the values of `config` and `receivers`; `route` finds who is
//! told; `intervals`, `inhibit` and `silence` say why one is not told now. Their matchers are `muster_common::matcher_text`'s.

mod config;
mod inhibit;
mod intervals;
mod load;
mod load_intervals;
mod load_receiver;
mod load_route;
mod receivers;
mod route;
mod silence;

pub use config::{AlertingConfig, Global};
pub use inhibit::{InhibitRule, Inhibitor, inhibits};
pub use intervals::{IntervalRange, MONTHS, Period, TimeInterval, TimeIntervals, WEEKDAYS};
pub use load::{ReadFile, load_config};
pub use receivers::{Authorization, EmailConfig, HttpConfig, Receiver, Secret, SmtpConfig, TlsConfig, WebhookConfig};
pub use route::{GroupBy, Route, RouteTree};
pub use silence::{SILENCE_KEPT_MS, SILENCES_MAX, Silence, SilenceError, SilenceState, Silences};
