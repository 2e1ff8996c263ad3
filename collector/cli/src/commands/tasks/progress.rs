//! How far an order is, as a bar on a terminal, until it has ended.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde_json::Value;

use super::show::{counts_text, is_over};
use crate::client::Client;
use crate::error::Failure;
use crate::table::plain;

/// How often is asked how far it is: what people watch.
const EVERY: Duration = Duration::from_secs(1);
/// Columns of a bar.
const COLUMNS: u64 = 30;

/// Returns when the order has ended, or is paused: then a person is asked for.
pub(super) async fn follow(client: &Client, path: &str) -> Result<(), Failure> {
    let mut out = std::io::stderr();
    let is_terminal = out.is_terminal();
    let mut last = String::new();
    loop {
        let answer = client.get(path).await?;
        let order = &answer["order"];
        let line = bar(order);
        let is_end = is_over(order) || order["state"] == "paused";
        // What cannot be shown is not what is waited for.
        if is_terminal {
            let _ = write!(out, "\r\x1b[K{line}{}", if is_end { "\n" } else { "" }).and_then(|()| out.flush());
        } else if line != last {
            let _ = writeln!(out, "{line}");
        }
        last = line;
        if is_end {
            return Ok(());
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// `[######>.......................]  41/100 running, wave 5: 41 ok, 2 running, 57 waiting`.
pub(super) fn bar(order: &Value) -> String {
    let (counts, number) = if order["step"] == 1 {
        (&order["back_counts"], sum(&order["back_counts"]))
    } else {
        (&order["counts"], order["hosts"].as_u64().unwrap_or(0))
    };
    let of = |states: &[&str]| states.iter().filter_map(|state| counts[*state].as_u64()).sum::<u64>();
    let open = of(&["waiting", "sent", "running"]);
    let done = number.saturating_sub(open);
    let columns = |hosts: u64| (hosts * COLUMNS).checked_div(number).unwrap_or(0);
    let filled = columns(done);
    let moving = columns(done + of(&["sent", "running"])).saturating_sub(filled);
    let rest = COLUMNS - filled - moving;
    let (filled, moving, rest) = (filled as usize, moving as usize, rest as usize);
    let state = plain(order["state"].as_str().unwrap_or("?")).replace('_', " ");
    let wave = order["wave"].as_u64().unwrap_or(0) + 1;
    format!(
        "[{}{}{}] {done:>4}/{number} {state}, wave {wave}: {}",
        "#".repeat(filled),
        ">".repeat(moving),
        ".".repeat(rest),
        counts_text(counts)
    )
}

fn sum(counts: &Value) -> u64 {
    counts.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bar_has_what_is_done_then_what_moves() {
        let order = json!({
            "state": "running", "step": 0, "wave": 4, "hosts": 100,
            "counts": {"ok": 50, "running": 10, "waiting": 40}, "back_counts": {},
        });
        let line = bar(&order);
        assert_eq!(line, "[###############>>>............]   50/100 running, wave 5: 50 ok, 10 running, 40 waiting");
        let back = json!({
            "state": "rolling_back", "step": 1, "wave": 0, "hosts": 100,
            "counts": {"ok": 41, "cancelled": 59}, "back_counts": {"ok": 41},
        });
        assert_eq!(bar(&back), format!("[{}]   41/41 rolling back, wave 1: 41 ok", "#".repeat(30)));
        assert!(bar(&json!({})).starts_with("[......"));
    }
}
