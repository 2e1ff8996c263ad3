//! The fleet: who the hosts are and who may speak.
//!
//! Registry, embedded CA, tokens, users and their sessions, deny list, the projection of the inbox to small state, the outbox of events, and the audit, all in one file,
//! `state.redb` (STATE.md describes it). Everything is synchronous and takes the time as an argument; [`Fleet`] is shared by an `Arc`.
//!
//! Invariants: what is told to anyone was durable before; identity is the host id of the certificate and nothing a host says; secrets
//! are kept as hashes only; every list is bounded and what is dropped is counted; an event lies in the transaction of the change that
//! it tells of, and so does its row of the audit if somebody ([`By`]) made the change.
//!
//! For ingest: TLS with [`Fleet::server_identity`] and [`Fleet::ca_der`]; without a certificate [`Fleet::enrol`] and nothing else; with one
//! [`Fleet::authenticate`], then [`Fleet::saw`] with the hello before the older session is fenced, [`Fleet::renew`] when asked. On every
//! move of [`Fleet::subscribe`] it reads [`Fleet::changes_after`] and acts as [`RegistryChange`] says. [`Fleet::apply`] is the projection.
//! Configurations: sessions tell [`Fleet::configuration_connected`], [`Fleet::configuration_told`] and [`Fleet::configuration_gone`], a ticker calls
//! [`Fleet::step_profiles`], and hosts of [`Fleet::take_configurations_due`] are given what [`Fleet::configuration_for`] says.

mod announcements;
mod asking;
mod audit;
pub mod availability;
mod bounded;
mod by;
mod ca;
mod changes;
mod checks;
mod copy;
mod csr;
mod delivery;
mod deny;
mod deploys;
mod discovery;
mod draft;
mod enrol;
mod error;
mod fleet;
mod follower;
pub mod gate;
mod glance;
mod host;
mod http_tokens;
mod inventory;
mod issue;
mod looks;
mod losses;
mod machines;
mod maintain;
mod maintenances;
mod make_tokens;
mod memory;
mod moves;
mod names;
mod outbox;
mod passwords;
#[cfg(feature = "planted")]
pub mod planted;
mod profiles;
mod projection;
mod refusals;
mod refuse;
mod registry;
mod restored;
mod rotate;
mod rows;
mod sealed;
mod seen;
mod sessions;
mod standing;
mod state;
pub mod status;
pub mod suspects;
mod tables;
mod tasks;
#[cfg(test)]
mod testing;
mod tokens;
mod users;

pub use announcements::{
    ANNOUNCED_LATE_MS, ANNOUNCED_MAX_MS, ANNOUNCEMENT_HOSTS_MAX, ANNOUNCEMENTS_MAX, Announced, AnnouncedBy,
    Announcement, AnnouncementSpec, Announcer,
};
pub use asking::{
    ASKED_ROWS_MAX, AnswerCounts, AskOutcome, AskedRow, HOSTS_NAMED_MAX, Missing, MissingWhy, QUESTIONS_MAX, Question,
    QuestionDue, QuestionError, WITHIN_DEFAULT, WITHIN_MAX, Waiting,
};
pub use audit::{AUDIT_ROWS_MAX, AuditBreak, AuditProof, AuditQuery, AuditResult, AuditRow, Record};
pub use bounded::Bounded;
pub use by::{By, Who, counted_source, source_of};
pub use ca::{AuthorityRole, CA_LIFE, LEAF_LIFE, RENEW_AFTER_END, ServerIdentity, ServerNames};
pub use changes::{CHANGES_MAX, Changes, RegistryChange};
pub use checks::Reported;
pub use copy::{Authorities, FrozenState, StateCounts, check_state, format_of};
pub use deny::Denied;
pub use deploys::{
    DEPLOY_FILE_BYTES_MAX, DEPLOY_HOSTS_MAX, DEPLOY_LIMIT_MAX_MS, DEPLOY_LIMIT_MS, DEPLOYS_MAX, Deploy, DeployQuery,
    DeployRef, DeployResult, DeploySettings, DeploySource, DeployStart, DeployStarted, DeployState, ENV_LABEL,
    EnvironmentRule, FREEZE_OVERRIDES_MAX, FREEZES_MAX, Freeze, FreezeNow, FreezeOverride, FreezeSpec, FreezeView,
    HookSecret, OVERRIDE_MAX_MS, OVERRIDE_MS, RateSpec, SERVICE_PARTS_MAX, SERVICE_RATES_MAX, SERVICES_MAX,
    ServiceEnvironment, ServiceSpec, ServiceView, VERSION_BYTES_MAX, VersionSeen, read_counters, read_deploy_file,
    shape_of, written_counters,
};
pub use discovery::{
    DECISIONS_MAX, DISCOVERY_RULES_MAX, Decision, Discovered, DiscoveryPage, DiscoveryQuery, DiscoveryRule, FileRules,
    ItemState, ItemView, Overflow, RULE_FILE_BYTES_MAX, RuleAction, RuleMatches, RuleSource, RuleSpec, RuleView,
    item_kinds, read_discovery_rules,
};
pub use enrol::{EnrolOutcome, WAITING_MAX};
pub use error::{ErrorKind, FleetError};
pub use fleet::{Fleet, open};
pub use follower::{Follower, SmallChange, SmallEvent, SmallRow, SmallTable};
pub use glance::{BadCheck, HostGlance};
pub use host::{HostRow, HostState};
pub use http_tokens::{Grant, HTTP_TOKEN_LIFE_MAX, HttpTokenView, Scope};
pub use inventory::{
    AlikeHosts, BASELINES_MAX, Baseline, BaselineRows, BaselineSpec, CHANGES_A_HOST_MAX, CHANGES_KEPT_MS,
    CHANGES_MAX as INVENTORY_CHANGES_MAX, ChangeCursor, ChangePage, ChangeQuery, DRIFT_HOSTS_MIN, DriftLimits,
    Expected, HostDrift, HostInventory, HostTable, InventoryChange, InventorySnapshot, KeyDrift, Norm, RowBook,
    RowChange, RowSince, TableDrift, TableKnown, drift, majority, tables_of,
};
pub use issue::{Admitted, RenewOutcome};
pub use looks::{LOOKS_KEPT_MS, LOOKS_MAX, covers};
pub use losses::LogLoss;
pub use maintain::{RETIRED_MAX, WAITING_KEPT};
pub use moves::{MOVES_MAX, StatusMoves};
pub use names::{
    HOST_LABEL_VALUE_BYTES_MAX, HOST_LABELS_MAX, LabelRefusal, NameError, OWN_HOST, PatternError, RESERVED_LABELS,
    check_labels, check_name, check_pattern, pattern_matches,
};
pub use outbox::{Event, EventClass, EventKind, OUTBOX_ROWS_MAX, OutboxState};
pub use passwords::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PasswordHash, check_password};
pub use profiles::{
    ASSIGNMENTS_A_HOST_MAX, AWAY_MS, Accept, Applied, Assignment, CONFIGURATION_BYTES_MAX, CONFIGURATION_CHECKS_MAX,
    Composed, ConfigurationDigest, ConfigurationView, ConfigurationWord, DOCUMENT_BYTES_MAX, FailedHost,
    PROFILE_CHECKS_MAX, PROFILE_LOGS_MAX, PROFILES_MAX, Piece, Plan, PlannedHost, ProfileChange, ProfileMistake,
    ProfileMistakes, ProfileSet, ProfileSource, ProfileText, ProfileVersion, ProfileView, ROLLOUTS_KEPT, Rollout,
    RolloutState, SET_BYTES_MAX, SOAK_MS, ToldView, VERSIONS_KEPT, WORD_MS, built_in_profiles, check_kinds,
    check_profile_files, is_profile_name,
};
pub use projection::GAPS_MAX;
pub use registry::{EPHEMERAL_STOPPED, ephemeral_reason};
pub use restored::{Restored, RestoredWhy};
pub use rotate::Rotation;
pub use sealed::{MAKE_KEY, SnapshotKey};
pub use seen::Seen;
pub use sessions::{SESSION_IDLE, SESSION_LIFE, SESSIONS_A_USER_MAX, SESSIONS_MAX, Session, SessionView};
pub use standing::{Standing, StandingNote, Told};
pub use state::{FILE_NAME, FORMAT};
pub use tasks::{
    ACCEPT_MS, AGAIN_MS, Approval, CANCEL_MS, CatalogueView, Health, Heard, OnTrouble, OrderHost, OrderState,
    OrderView, Progress, Run, RunState, STEP_BACK, STEP_FORWARD, TASK_CATALOGUES_KEPT, TASK_HOSTS_KEPT,
    TASK_ORDER_HOSTS_MAX, TASK_ORDERS_KEPT, TASK_ORDERS_OPEN_MAX, TASK_OUTPUT_KEPT_BYTES_MAX, TASK_OUTPUTS_BYTES_MAX,
    TASK_WITHIN_MAX_MS, TaskCall, TaskDue, TaskKeys, TaskOrder, TaskOutput, TaskSettings, TaskSpec, TaskSteer, Terms,
    WaveSize,
};
pub use tokens::{Binding, EPHEMERAL_MIN, TOKEN_LIFE_MAX, TOKEN_USES_MAX, TOKENS_MAX, TokenSpec, TokenView};
pub use users::{Role, USER_NAME_BYTES_MAX, USERS_MAX, UserChange, UserView, check_user_name};
