//! The gate: its scenarios, how often hosts that are alike look worse, how often twice the errors are seen, and whether kept facts decide again as they did.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use muster_fleet::gate::world::scenarios::{Scenario, scenarios};
use muster_fleet::gate::world::{ALIKE, SEEN, cry_wolf, look_worse};
use muster_fleet::gate::{Code, Facts, judge};

/// Seeds that no number of the comparison was tuned on.
const FIRST_SEED: u64 = 1_000_001;
/// Minutes that hosts which are alike are looked at.
const MINUTES: [usize; 3] = [10, 30, 60];

/// Scenarios, and so many seeds of each made-up service: `key=value` words.
///
/// # Errors
/// When facts cannot be written and read again.
pub fn trial(seeds: u64) -> Result<String> {
    let all = scenarios();
    let (count, mut right, mut same) = (all.len(), 0, 0);
    for Scenario { name, facts, verdict, codes } in all {
        let decision = judge(&facts);
        let told = decision.codes().into_iter().map(Code::as_str).collect::<Vec<_>>().join(" ");
        right += usize::from((decision.verdict, told.as_str()) == (verdict, codes));
        let kept = serde_json::to_string(&facts).with_context(|| format!("failed to write the facts of `{name}`"))?;
        let read: Facts =
            serde_json::from_str(&kept).with_context(|| format!("failed to read the facts of `{name}`"))?;
        same += usize::from(judge(&read) == decision);
    }
    ensure!(seeds > 0, "there are no seeds: give one at least");
    let seeds_of = || -> Range<u64> { FIRST_SEED..FIRST_SEED + seeds };
    let alike =
        ALIKE.iter().flat_map(|(_, service)| MINUTES.map(|minutes| look_worse(*service, minutes, 1.0, seeds_of())));
    let alike: Vec<usize> = alike.collect();
    let (worlds, alike_worse, alike_most) =
        (alike.len(), alike.iter().sum::<usize>(), alike.iter().max().copied().unwrap_or(0));
    let found = SEEN.iter().map(|(_, service, minutes)| look_worse(*service, *minutes, 2.0, seeds_of()));
    let found_least = found.min().unwrap_or(0);
    let [wolf_canary, wolf_since] = [true, false].map(|is_canary| cry_wolf(is_canary, seeds_of()));
    Ok(format!(
        "scenarios={count} right={right} same={same} seeds={seeds} alike_worlds={worlds} alike_worse={alike_worse} alike_most={alike_most} \
         found_worlds={} found_least={found_least} wolf_canary={wolf_canary} wolf_since={wolf_since}",
        SEEN.len()
    ))
}
