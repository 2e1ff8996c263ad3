//! Deploys, services and freezes; what webhooks of GitHub and GitLab tell.

mod freezes;
mod github;
mod gitlab;
mod hook;
mod intake;
mod services;
mod shown;

pub(super) use self::freezes::{add as add_freeze, end as end_freeze, lift as override_freeze, list as freezes};
pub(super) use self::github::take as github_hook;
pub(super) use self::gitlab::take as gitlab_hook;
pub(crate) use self::intake::running as running_deploys;
pub(super) use self::intake::{finish, finish_running, list, one, start};
pub(super) use self::services::list as services;
