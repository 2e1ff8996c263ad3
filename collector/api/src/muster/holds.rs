//! Why something is not told, as answers say it.

use muster_alert::Held;
use muster_fleet::status::Hold;
use serde_json::{Value, json};

/// Of status.
pub(super) fn of_status(holds: &[Hold]) -> Vec<Value> {
    let one = |hold: &Hold| json!({"why": hold.why.as_str(), "by": hold.by, "until_ms": hold.until_ms});
    holds.iter().map(one).collect()
}

/// Of an alert.
pub(super) fn of_alert(holds: &[Held]) -> Vec<Value> {
    let one = |hold: &Held| json!({"why": hold.why.as_str(), "by": hold.by, "until_ms": hold.until_ms});
    holds.iter().map(one).collect()
}
