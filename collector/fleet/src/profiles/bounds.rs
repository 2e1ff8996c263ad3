//! How much of everything there may be, each number with its reason.

/// Profiles of all sources: ten built-in ones, and one for each role that a large fleet has.
pub const PROFILES_MAX: usize = 200;
/// Bytes of one document: the longest that a person still reads has a tenth.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 10;
/// Bytes of all of them: they lie in memory, and each of the versions kept has them all.
pub const SET_BYTES_MAX: usize = 2 << 20;
/// Checks of one profile.
pub const PROFILE_CHECKS_MAX: usize = 100;
/// Groups of log files of one profile.
pub const PROFILE_LOGS_MAX: usize = 50;
/// Conditions of a selector's `inventory`.
pub(super) const CONDITIONS_MAX: usize = 50;
/// Profiles that one includes.
pub(super) const INCLUDES_MAX: usize = 50;
/// Bytes of a description, and of the reason of a change.
pub(super) const DESCRIPTION_BYTES_MAX: usize = 1_024;
/// Bytes of a regular expression or another text of a selector.
pub(super) const PATTERN_BYTES_MAX: usize = 1_024;
/// Mistakes told at once: more of them nobody reads.
pub(super) const MISTAKES_MAX: usize = 500;

/// Bytes of the document of one host: a message of the wire carries it whole.
pub const CONFIGURATION_BYTES_MAX: usize = 256 << 10;
/// Checks of one host that come from profiles: half of what an agent takes, the other half is its own file's.
pub const CONFIGURATION_CHECKS_MAX: usize = 500;
/// Groups of log files of one host that come from profiles: an agent takes 256 in all.
pub(super) const CONFIGURATION_LOGS_MAX: usize = 200;
/// Problems of one host that are kept: each names a profile or a check.
pub(super) const CONFIGURATION_PROBLEMS_MAX: usize = 100;

/// Profiles assigned to one host by hand.
pub const ASSIGNMENTS_A_HOST_MAX: usize = 50;
/// Versions of the set that are kept to be looked at, beside those that hosts are still on.
pub const VERSIONS_KEPT: usize = 50;
/// Roll-outs that are kept to be looked at: as many as versions.
pub const ROLLOUTS_KEPT: usize = VERSIONS_KEPT;
/// Hosts of which a plan shows the difference.
pub(super) const PLAN_HOSTS_MAX: usize = 20;
/// Hosts that failed which a roll-out names; beyond that it has long stopped.
pub(super) const NAMED_MAX: usize = 1_000;
