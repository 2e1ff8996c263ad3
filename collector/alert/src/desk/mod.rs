//! Everything that alert knows, as one pure machine over its rows: where alerts of all sources meet routes, silences and the queue.
//!
//! [`Desk`] joins the dispatcher, the [`Routing`] in force, pushed alerts and the queue; every operation gives the [`muster_fleet::SmallChange`]
//! that its transaction writes. `letters` makes the queue's rows of a notice; `servers` makes notifiers of the configuration; `events` tells the
//! history. It knows no clock, no lock and no socket; `alerting` has those.

mod events;
mod letters;
mod routing;
mod servers;
mod state;

pub use letters::Letters;
pub use routing::Routing;
pub use servers::notifiers;
pub use state::{Desk, LoadError, Stored};
