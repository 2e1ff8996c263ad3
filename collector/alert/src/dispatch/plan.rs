//! What the dispatcher asks of the configuration and of the silences.

use muster_common::label::LabelSet;

use crate::alert::{Alert, Held};

/// The waits of a route, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// From the first alert of a group that is to be told until it is told.
    pub group_wait_ms: i64,
    /// Between two notices of a group.
    pub group_interval_ms: i64,
    /// Until a notice is made although nothing changed.
    pub repeat_interval_ms: i64,
}

/// One way of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePlan {
    /// The route's stable name.
    pub route: String,
    pub receiver: String,
    /// The labels by which its group differs from the route's others.
    pub group_labels: LabelSet,
    pub waits: Waits,
}

/// The configuration in force, and the silences.
pub trait Plan {
    /// The ways of an alert with these labels. None: nobody is told.
    fn routes(&self, labels: &LabelSet) -> Vec<RoutePlan>;

    /// Why this alert is not told on this route now, apart from what its source says: inhibition, mute times, silences.
    fn holds(&self, alert: &Alert, route: &str, now_ms: i64) -> Vec<Held>;
}
