//! What can go wrong in the fleet, each with its place and what to do about it.

use muster_common::identity::RandomError;
use muster_store::database::DatabaseOpenError;

use crate::names::{LabelRefusal, NameError, PatternError};
use crate::profiles::ProfileMistakes;

/// Why an operation on the fleet failed. Refusals of agents are no errors: they are [`muster_common::wire::message::Refused`].
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("failed to make the data folder `{path}`: check its owner and the disk")]
    Folder {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Open(#[from] DatabaseOpenError),
    #[error("failed to {action} in `{path}`: check the disk, the collector tries again at the next call")]
    Database {
        action: &'static str,
        path: String,
        #[source]
        source: Box<redb::Error>,
    },
    #[error(
        "`{path}` has format {found}, but this collector knows {known} at most: start the newer muster-collector again, or restore the snapshot taken before the upgrade"
    )]
    Newer { path: String, found: u32, known: u32 },
    #[error("`{path}` is damaged: table `{table}`, row `{row}`: {what}; restore it from a snapshot")]
    Damaged { path: String, table: String, row: String, what: String },
    #[error("failed to {action}: {what}")]
    Certificate { action: &'static str, what: String },
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Label(#[from] LabelRefusal),
    #[error(transparent)]
    Pattern(#[from] PatternError),
    #[error("no host `{asked}` is registered: `muster hosts list` shows names and ids")]
    NoHost { asked: String },
    #[error("`{asked}` means {count} hosts: give the id, `muster hosts list` shows it")]
    Ambiguous { asked: String, count: usize },
    #[error(
        "the name `{name}` belongs to host {host}: choose another, rename or retire that one, or take its place with `muster hosts replace {name}`"
    )]
    Taken { name: String, host: String },
    #[error("host `{name}` is {state}, so it cannot be {action}: {remedy}")]
    WrongState { name: String, state: &'static str, action: &'static str, remedy: &'static str },
    #[error(
        "no machine waits under the name `{name}`: make a token with `muster token new --name {name} --replace` and enrol with it there"
    )]
    NobodyWaits { name: String },
    #[error(
        "the user name `{name}` {what}: lower-case letters, digits, `.`, `-` and `_` are allowed, the first being a letter or digit, 64 at most"
    )]
    UserName { name: String, what: String },
    #[error("no user `{name}` is known: `muster user list` shows those there are")]
    NoUser { name: String },
    #[error("there is a user `{name}` already: change it with `muster user passwd` or `muster user role`")]
    UserTaken { name: String },
    #[error("there are {count} users, which is the most: remove some")]
    TooManyUsers { count: usize },
    #[error("the password {what}")]
    Password { what: &'static str },
    #[error("failed to hash a password: there is too little memory, try again")]
    Hashing,
    #[error("no session `{id}` is known: it has ended, or is another user's")]
    NoSession { id: String },
    #[error("`{given}` is no hash of the audit: give the 64 hexadecimal digits that `muster audit verify` showed")]
    AuditHash { given: String },
    #[error("no token `{id}` is known: `muster token list` shows the ids")]
    NoToken { id: String },
    #[error("{what} of a token is {given}, but must be {allowed}")]
    TokenSpec { what: &'static str, given: String, allowed: &'static str },
    #[error("there are {count} tokens, which is the most: revoke some or wait until they expire")]
    TooManyTokens { count: usize },
    #[error(
        "serial `{serial}` is no certificate serial: give the 32 hexadecimal digits that `muster hosts list` shows"
    )]
    NoSerial { serial: String },
    #[error("host `{host}` has no check `{check}`: `muster checks list` shows those it has")]
    NoCheck { host: String, check: String },
    #[error("{what} of host `{host}` is no problem now, so there is nothing to acknowledge or to take back")]
    NoProblem { host: String, what: String },
    #[error("no baseline `{name}` is pinned: `muster inventory baselines` shows them")]
    NoBaseline { name: String },
    #[error("{0}")]
    Profiles(ProfileMistakes),
    #[error(
        "version {base} of the profiles is no more the newest, version {version} is: plan again and apply what that shows"
    )]
    ProfilesMoved { base: u64, version: u64 },
    #[error("no profile `{name}` is known: `muster profiles list` shows them")]
    NoProfile { name: String },
    #[error("profile `{name}` is not assigned to host `{host}`: `muster profiles assigned` shows what is")]
    NotAssigned { name: String, host: String },
    #[error("version {version} of the profiles is not kept: `muster profiles versions` shows which are")]
    NoProfileVersion { version: u64 },
    #[error("no roll-out is {wanted}: `muster profiles rollouts` shows how they stand")]
    NoRollout { wanted: &'static str },
    #[error("host `{host}` has no item `{key}`: `muster discovery --host {host}` shows those it has")]
    NoItem { host: String, key: String },
    #[error("item `{key}` of host `{host}` {what}: {remedy}")]
    WrongItem { host: String, key: String, what: &'static str, remedy: &'static str },
    #[error("no rule `{name}` of discovery is known: `muster discovery rules list` shows them")]
    NoDiscoveryRule { name: String },
    #[error("the rule `{name}` stands in the file `{path}`: change it there, or give another name")]
    RuleOfFile { name: String, path: String },
    #[error("field `{field}` of the deploy cannot be taken, since {why}")]
    DeploySpec { field: &'static str, why: String },
    #[error("field `{field}` of the freeze cannot be taken, since {why}")]
    FreezeSpec { field: &'static str, why: String },
    #[error(
        "no service `{name}` is declared, {known}: declare it in deploy.toml, `muster services` shows those there are"
    )]
    NoService { name: String, known: String },
    #[error(
        "service `{service}` has no host with the label env=\"{env}\", {there}: correct the environment, or label the hosts"
    )]
    NoServiceHosts { service: String, env: String, there: String },
    #[error("no {wanted} is known: `muster deploy list` shows them")]
    NoDeploy { wanted: String },
    #[error("deploy {id} has ended as {state} already: start a deploy of the version that is to be there now")]
    DeployEnded { id: u64, state: &'static str },
    #[error("no freeze `{id}` is known that is not over: `muster freeze list` shows them")]
    NoFreeze { id: String },
    #[error("the freeze `{id}` stands in the file `{path}`: change it there, or lift it for a while")]
    FreezeOfFile { id: String, path: String },
    #[error("nothing freezes `{service}` in `{env}` now: deploy, there is nothing to lift")]
    NothingFrozen { service: String, env: String },
    #[error("{what} cannot be taken: {why}")]
    TaskSpec { what: &'static str, why: String },
    #[error("no order {number} of tasks is known, or the host is none of its: `muster task list` shows the numbers")]
    NoTaskOrder { number: u64 },
    #[error("order {number} is {state}, so it cannot be {action}: `muster task show {number}` tells more")]
    TaskState { number: u64, state: &'static str, action: &'static str },
    #[error(
        "order {number} of tasks is open, whose hosts would refuse it by another catalogue: wait for its end or stop it"
    )]
    TaskOpen { number: u64 },
    #[error("no announcement {id} is known that has not ended: `muster changes announced` shows the numbers")]
    NoAnnouncement { id: u64 },
    #[error("no decision {id} of the gate is kept: `muster gate decisions` shows those that are")]
    NoGateDecision { id: u64 },
    #[error("no downtime {id} is known: `muster checks downtime list` shows the numbers")]
    NoDowntime { id: u64 },
    #[error("no maintenance {id} is under way: `muster maintenance list` shows the numbers")]
    NoMaintenance { id: u64 },
    #[error(
        "downtime {id} belongs to maintenance {maintenance}: end it with `muster maintenance finish {maintenance}`"
    )]
    DowntimeOfMaintenance { id: u64, maintenance: u64 },
    #[error(
        "maintenance {id} belongs to {reference}, which closes it when it has ended there: stop that, or wait for it"
    )]
    MaintenanceOfWork { id: u64, reference: String },
    #[error("{what} cannot be taken: {why}")]
    StatusSpec { what: &'static str, why: String },
    #[error("the sealed keys of the CA cannot be used: {what}")]
    Sealed { what: String },
    #[error("the next CA cannot take over yet: {what}")]
    Rotation { what: String },
}

/// What kind of failure a [`FleetError`] is, for exit codes and HTTP states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was asked for is wrong in itself.
    Input,
    /// What was asked about is not there.
    NotFound,
    /// It is there, but in a state that forbids this.
    Conflict,
    /// Disk, database, random generator: not the asker's fault.
    Storage,
}

impl FleetError {
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Folder { .. }
            | Self::Open(_)
            | Self::Database { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Certificate { .. }
            | Self::Hashing
            | Self::Random(_) => ErrorKind::Storage,
            Self::Name(_)
            | Self::Label(_)
            | Self::Pattern(_)
            | Self::TokenSpec { .. }
            | Self::NoSerial { .. }
            | Self::UserName { .. }
            | Self::Password { .. }
            | Self::AuditHash { .. }
            | Self::Sealed { .. }
            | Self::Profiles(_)
            | Self::DeploySpec { .. }
            | Self::FreezeSpec { .. }
            | Self::NoServiceHosts { .. }
            | Self::TaskSpec { .. }
            | Self::StatusSpec { .. } => ErrorKind::Input,
            Self::NoHost { .. }
            | Self::NoCheck { .. }
            | Self::NoDowntime { .. }
            | Self::NoAnnouncement { .. }
            | Self::NoGateDecision { .. }
            | Self::NoMaintenance { .. }
            | Self::NoBaseline { .. }
            | Self::NoProfile { .. }
            | Self::NotAssigned { .. }
            | Self::NoProfileVersion { .. }
            | Self::NoItem { .. }
            | Self::NoTaskOrder { .. }
            | Self::NoDiscoveryRule { .. }
            | Self::NoService { .. }
            | Self::NoDeploy { .. }
            | Self::NoFreeze { .. }
            | Self::NoToken { .. }
            | Self::NoUser { .. }
            | Self::NoSession { .. }
            | Self::NobodyWaits { .. } => ErrorKind::NotFound,
            Self::Ambiguous { .. }
            | Self::Taken { .. }
            | Self::WrongState { .. }
            | Self::TooManyTokens { .. }
            | Self::UserTaken { .. }
            | Self::TooManyUsers { .. }
            | Self::NoProblem { .. }
            | Self::ProfilesMoved { .. }
            | Self::NoRollout { .. }
            | Self::WrongItem { .. }
            | Self::TaskState { .. }
            | Self::TaskOpen { .. }
            | Self::RuleOfFile { .. }
            | Self::DeployEnded { .. }
            | Self::FreezeOfFile { .. }
            | Self::NothingFrozen { .. }
            | Self::DowntimeOfMaintenance { .. }
            | Self::MaintenanceOfWork { .. }
            | Self::Rotation { .. } => ErrorKind::Conflict,
        }
    }
}
