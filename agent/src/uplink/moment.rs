//! What the uplink is told of the time.

use std::time::Duration;

use muster_common::time::{self, Timestamp};

/// One reading of both clocks: the wall's for what is told and stamped, the steady one for every interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// This host's own clock, uncorrected.
    pub wall: Timestamp,
    /// Never steps; its zero is arbitrary.
    pub steady: Duration,
}

impl Moment {
    /// Reads both clocks. For the program's edge; everything below takes a `Moment`.
    pub fn read() -> Self {
        Self { wall: time::now(), steady: time::monotonic() }
    }
}
