//! The gate: may this version of a service go to that environment. GATE.md tells what is looked at and why each number is what it is.
//!
//! Pure: [`judge`] decides over [`Facts`], which whoever can see alerts, lines and deploys gathers; [`compare()`] is the statistics in it, [`Lines`]
//! makes counts of log lines, [`increases`] of counters. `decisions` keeps facts with their decision, so that they give it again.

mod compare;
mod counters;
mod decisions;
mod facts;
mod judge;
mod links;
mod patterns;
mod tail;
#[cfg(test)]
mod tests;
mod verdict;
mod verdicts;
#[cfg(any(test, feature = "planted"))]
pub mod world;

pub use self::compare::{
    CELLS_MAX, CHANCE_MILLIONTHS, COMPARED_PATTERNS_MAX, Compared, Comparison, Count, EXCESS_MIN, FACTOR_MIN_PERCENT,
    OF_MIN, Outcome, PatternCells, RATES_MAX, Rate, SLOTS_MAX, SLOTS_MIN, Worse, compare,
};
pub use self::counters::{COUNTER_GAP_MS, Counter, SlotTimes, increases};
pub use self::decisions::{GATE_AGAIN_MS, GATE_DECISIONS_MAX, GateDecision, GateHead, GateReplay};
pub use self::facts::{
    Asked, Before, Ended, FACT_HOSTS_MAX, FACT_PROBLEMS_MAX, Facts, Freeze, HostFact, HowEnded, Override, Place,
    Problem, SeenThere,
};
pub use self::judge::judge;
pub use self::links::escaped;
pub use self::patterns::{CountedLines, Lines, Side, literal, pattern, speaks_of_errors};
pub use self::verdict::{Code, Decision, Effect, Reason, Verdict};
pub(crate) use self::verdicts::verdict_stats;
pub use self::verdicts::{DeployVerdict, DueVerdict, VERDICTS_MAX, VERIFY_MS, VerdictOutcome};
