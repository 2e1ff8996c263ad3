//! Profiles: what hosts of a kind are to be watched by, written once; the configuration that each host gets of them, and how a change reaches all of them.
//!
//! [`document`] reads YAML, [`selector`] says which hosts a profile fits, [`set`] is a version of all profiles, [`compose`](mod@compose) makes the document of
//! one host: all pure. [`rollout`] is the machine that gives a change to one host, then to 5 %, then to all. [`book`] is all of it in memory,
//! [`step`] what follows from what happens, [`change`] what people do to the set, [`plan`] what it would do. `PROFILES.md` tells forms and rules.
//!
//! Invariants: a document is a function of the set's version and of what is known of the host; nothing is given to a host before it is durable that
//! it is to have it; a host on which a document broke is back on the one before, alone.

mod assign;
mod book;
mod bounds;
mod built_in;
mod change;
mod check;
mod compose;
mod cut;
mod diff;
mod document;
mod grammar;
mod handles;
mod mistake;
mod plan;
mod reader;
mod rollout;
mod rows;
mod selector;
mod set;
mod step;
mod toml_text;
mod views;
mod world;

pub use self::book::ProfileVersion;
pub(crate) use self::book::{ProfileBook, ProfileRows};
pub use self::bounds::{
    ASSIGNMENTS_A_HOST_MAX, CONFIGURATION_BYTES_MAX, CONFIGURATION_CHECKS_MAX, DOCUMENT_BYTES_MAX, PROFILE_CHECKS_MAX,
    PROFILE_LOGS_MAX, PROFILES_MAX, ROLLOUTS_KEPT, SET_BYTES_MAX, VERSIONS_KEPT,
};
pub use self::built_in::built_in_profiles;
pub use self::change::{Applied, ProfileChange};
pub use self::check::check_profile_files;
pub use self::compose::{Composed, ConfigurationDigest, Piece};
pub use self::document::{Accept, is_profile_name};
pub use self::grammar::check_kinds;
pub use self::mistake::{ProfileMistake, ProfileMistakes};
pub use self::plan::{Plan, PlannedHost};
pub use self::rollout::{AWAY_MS, ConfigurationWord, FailedHost, Rollout, RolloutState, SOAK_MS, WORD_MS};
pub use self::rows::Assignment;
pub use self::set::{ProfileSet, ProfileSource, ProfileText};
pub use self::views::{ConfigurationView, ProfileView, ToldView};

#[cfg(test)]
mod tests;
