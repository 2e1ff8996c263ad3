//! Discovery: what hosts newly have is proposed, what is accepted is watched, and what vanishes is `gone` before it is forgotten.
//!
//! [`kinds`] makes items of the rows that hosts have told: a kind is a file and a line there. [`machine`] decides of one item what a look, a
//! decision or time make of it, [`look`] of all items of a host; both are pure. [`step`] works in what was looked at, in a transaction after
//! the one of the inventory, so that a restart between the two only leaves it to do. [`rules`] decide what nobody need be asked about;
//! [`ask`] has the questions and decisions. `DISCOVERY.md` tells items, states and rules.

mod ask;
mod item;
mod kinds;
mod look;
mod machine;
mod rule_file;
mod rules;
mod state;
mod step;
mod words;

pub use self::ask::{DECISIONS_MAX, Decision, DiscoveryPage, DiscoveryQuery, ItemView, Overflow, item_kinds};
pub use self::item::ItemState;
pub use self::rule_file::{RULE_FILE_BYTES_MAX, read_discovery_rules};
pub use self::rules::{
    DISCOVERY_RULES_MAX, DiscoveryRule, FileRules, RuleAction, RuleMatches, RuleSource, RuleSpec, RuleView,
};
pub(crate) use self::state::{Discovery, DiscoveryStep};
pub use self::step::Discovered;

#[cfg(test)]
mod tests;
