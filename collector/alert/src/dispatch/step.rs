//! What goes into the dispatcher and what comes out.

use muster_fleet::SmallRow;

use crate::alert::{Alert, AlertChange, Notice};

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    Alerts(Vec<AlertChange>),
    /// Routes, silences, inhibition or mute times are others: every alert is looked at anew, with what changed of some at the same time.
    Replanned(Vec<AlertChange>),
    /// The deadline is reached.
    Tick,
    /// The data folder was put back to an older state, and this is what the sources have now: what began before `at_ms` and was not told
    /// then is summed up, one notice a receiver.
    Restored {
        at_ms: i64,
        changes: Vec<AlertChange>,
    },
}

/// What is worth an event in the history.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Firing(Box<Alert>),
    Ended {
        alert: Box<Alert>,
        why: &'static str,
    },
    /// More alerts than can be kept.
    Overflow {
        name: String,
    },
}

/// What one step made.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    pub notices: Vec<Notice>,
    /// For the transaction of what caused the step.
    pub rows: Vec<SmallRow>,
    pub news: Vec<News>,
}

/// Since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub notices: u64,
    pub alerts_refused: u64,
}
