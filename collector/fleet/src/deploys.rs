//! Deploys: what is declared of services, what is told of deploys and recognised of changes, which version is where, and when nothing may go out.
//!
//! [`service`], [`freeze`] and [`deploy`](mod@deploy) are the forms; [`versions`](mod@versions) and [`packages`] decide, pure; [`intake`] takes what is told, [`ask`] answers. `settings`
//! are of the file `deploy.toml` and not durable here: they are read at every start. `DEPLOYS.md` tells forms and rules.
//!
//! Invariants: what version is where follows from the rows of deploys alone; a deploy that was recognised lies in the transaction of the change
//! that showed it; whoever tells a thing twice under one key has told it once.

mod ask;
mod deploy;
mod file;
mod freeze;
mod intake;
mod packages;
mod rate;
mod rows;
mod service;
mod settings;
mod versions;

pub use self::ask::{DeployQuery, ServiceEnvironment, ServiceView};
pub(crate) use self::ask::{deploy_stats, drop_overrides};
pub use self::deploy::{
    DEPLOY_HOSTS_MAX, DEPLOY_LIMIT_MAX_MS, DEPLOY_LIMIT_MS, DEPLOYS_MAX, Deploy, DeployRef, DeployResult, DeploySource,
    DeployStart, DeployStarted, DeployState, VERSION_BYTES_MAX,
};
pub use self::file::{DEPLOY_FILE_BYTES_MAX, read_deploy_file};
pub use self::freeze::{
    FREEZE_OVERRIDES_MAX, FREEZES_MAX, Freeze, FreezeNow, FreezeOverride, FreezeSpec, FreezeView, OVERRIDE_MAX_MS,
    OVERRIDE_MS,
};
pub(crate) use self::intake::announcing;
pub(crate) use self::packages::PackageChange;
pub use self::rate::{RateSpec, SERVICE_RATES_MAX, read_counters, shape_of, written_counters};
pub(crate) use self::rows::{DeployRows, DeployStep};
pub use self::service::{ENV_LABEL, EnvironmentRule, SERVICE_PARTS_MAX, SERVICES_MAX, ServiceSpec};
pub use self::settings::{DeploySettings, HookSecret};
pub use self::versions::VersionSeen;

#[cfg(test)]
mod tests;
