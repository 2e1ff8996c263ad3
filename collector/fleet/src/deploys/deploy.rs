//! A deploy as it is told, kept and read.

use serde::{Deserialize, Serialize};

use super::service::{SERVICE_NAME_BYTES_MAX, clean};

/// Deploys that are kept: 25 a day for as long as changes are. Those that ended first go, except the last good one of each service in each
/// environment.
pub const DEPLOYS_MAX: usize = 10_000;
/// Hosts of one deploy by name, and hosts of one that was recognised; a deploy of all hosts of its service names none.
pub const DEPLOY_HOSTS_MAX: usize = 1_000;
/// A deploy that has not ended after this long is given up, unless it is said otherwise: nobody waits longer for one, and it announces changes.
pub const DEPLOY_LIMIT_MS: i64 = 6 * 3_600_000;
/// The most that may be said: as long as an announcement may be.
pub const DEPLOY_LIMIT_MAX_MS: i64 = 30 * 24 * 3_600_000;
/// Bytes of a version, which stands in subjects of mails.
pub const VERSION_BYTES_MAX: usize = 200;
const TEXT_BYTES_MAX: usize = 1_024;

/// How a deploy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployState {
    Running,
    Ok,
    Failed,
    /// What was there before is there again.
    RolledBack,
    /// It never ended: nobody said so within the limit, or another one began on its hosts.
    Abandoned,
}

impl DeployState {
    pub const ALL: [Self; 5] = [Self::Running, Self::Ok, Self::Failed, Self::RolledBack, Self::Abandoned];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Abandoned => "abandoned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What somebody says has become of a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeployResult {
    Ok,
    Failed,
    RolledBack,
}

impl DeployResult {
    pub const ALL: [Self; 3] = [Self::Ok, Self::Failed, Self::RolledBack];

    pub const fn as_str(self) -> &'static str {
        self.state().as_str()
    }

    pub const fn state(self) -> DeployState {
        match self {
            Self::Ok => DeployState::Ok,
            Self::Failed => DeployState::Failed,
            Self::RolledBack => DeployState::RolledBack,
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == text)
    }
}

/// Who told of a deploy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeploySource {
    #[default]
    Api,
    Github,
    Gitlab,
    /// Nobody: a package of the service changed on hosts.
    Package,
}

impl DeploySource {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Package => "package",
        }
    }
}

/// What is told when a deploy begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployStart {
    pub service: String,
    pub version: String,
    pub env: String,
    /// Ids; none: all hosts of the service in the environment.
    pub hosts: Vec<String>,
    /// Where more can be read, `https://...`; empty: nowhere.
    pub link: String,
    pub note: String,
    /// What names this deploy to whoever tells of it, so that what is told twice is one; empty: it has no such name.
    pub key: String,
    pub source: DeploySource,
}

/// A deploy as it is kept: table `deploys`, key its number. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    pub id: u64,
    pub service: String,
    pub version: String,
    pub env: String,
    pub state: DeployState,
    pub source: DeploySource,
    /// Ids of its hosts; none: those that `matchers` fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Those of the service when it began, and its environment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub matchers: String,
    pub started_ms: i64,
    pub ended_ms: Option<i64>,
    pub by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub link: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The package that changed, of one that was recognised.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub package: String,
    /// Of one that was recognised: what announced the change, `announcement 3`; empty: nobody did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub announced: String,
    /// The freeze that was on when it began, by its id; empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub freeze: String,
    /// The override that had lifted that freeze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<u64>,
}

impl Deploy {
    /// Whether it was recognised by a change that nobody announced.
    pub fn is_unannounced(&self) -> bool {
        self.source == DeploySource::Package && self.announced.is_empty()
    }

    /// `shop 1.4.2 to production`.
    pub fn words(&self) -> String {
        format!("{} {} to {}", self.service, self.version, self.env)
    }
}

/// What was made of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployStarted {
    pub deploy: Deploy,
    /// False: it was told before.
    pub is_new: bool,
    /// Deploys that were given up, since this one began on their hosts.
    pub superseded: Vec<u64>,
}

/// Which deploy is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeployRef {
    Id(u64),
    /// By what its teller calls it.
    Key(String),
    /// The newest that runs.
    Running {
        service: String,
        env: String,
        version: Option<String>,
    },
}

impl DeployRef {
    /// In words of a message.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Id(id) => format!("deploy {id}"),
            Self::Key(key) => format!("deploy with the key `{}`", clean(key)),
            Self::Running { service, env, version } => {
                let version = version.as_ref().map(|version| format!(" {}", clean(version))).unwrap_or_default();
                format!("running deploy of {}{version} to {}", clean(service), clean(env))
            }
        }
    }
}

/// What is wrong with what was told: the field, and how.
pub(super) fn check(start: &DeployStart) -> Result<(), (&'static str, String)> {
    check_version(&start.version)?;
    let is_plain = |text: &str| !text.chars().any(char::is_control);
    if start.env.is_empty() || start.env.len() > SERVICE_NAME_BYTES_MAX || !is_plain(&start.env) {
        let why = format!("it is the value of the hosts' label `env`, 1 to {SERVICE_NAME_BYTES_MAX} bytes: give that");
        return Err(("env", why));
    }
    if start.hosts.len() > DEPLOY_HOSTS_MAX {
        let why = format!("it names more than {DEPLOY_HOSTS_MAX} hosts: name none, which means all of the service");
        return Err(("hosts", why));
    }
    let is_link = start.link.starts_with("https://") || start.link.starts_with("http://");
    if !start.link.is_empty() && (!is_link || !is_plain(&start.link) || start.link.contains(char::is_whitespace)) {
        return Err(("link", "it is no address: write one such as https://ci.example/run/7".to_owned()));
    }
    for (field, text) in [("link", &start.link), ("note", &start.note), ("key", &start.key)] {
        if text.len() > TEXT_BYTES_MAX {
            return Err((field, format!("it is longer than {TEXT_BYTES_MAX} bytes: shorten it")));
        }
    }
    Ok(())
}

/// What is wrong with a version.
pub(super) fn check_version(version: &str) -> Result<(), (&'static str, String)> {
    if version.trim().is_empty() {
        return Err(("version", "it is empty: give what is deployed, such as 1.4.2 or a commit".to_owned()));
    }
    if version.len() > VERSION_BYTES_MAX || version.chars().any(char::is_control) || version.trim() != version {
        return Err((
            "version",
            format!(
                "it is longer than {VERSION_BYTES_MAX} bytes, or has spaces around it or control characters: correct it"
            ),
        ));
    }
    Ok(())
}

/// What is wrong with a note.
pub(super) fn check_note(note: &str) -> Result<(), (&'static str, String)> {
    if note.len() > TEXT_BYTES_MAX {
        return Err(("note", format!("it is longer than {TEXT_BYTES_MAX} bytes: shorten it")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DeployStart {
        let text = str::to_owned;
        DeployStart { service: text("shop"), version: text("1.4.2"), env: text("production"), ..DeployStart::default() }
    }

    #[test]
    fn names_of_states_are_as_stored() {
        for state in DeployState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(DeployState::parse(state.as_str()), Some(state));
        }
        for result in DeployResult::ALL {
            assert_eq!(DeployResult::parse(result.as_str()), Some(result));
        }
        assert_eq!((DeployResult::parse("running"), DeployState::parse("done")), (None, None));
        for source in [DeploySource::Api, DeploySource::Github, DeploySource::Gitlab, DeploySource::Package] {
            assert_eq!(serde_json::to_value(source).unwrap(), source.as_str());
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_its_field() {
        assert_eq!(check(&DeployStart { link: "https://ci.example/1".into(), ..start() }), Ok(()));
        for (bad, field, told) in [
            (DeployStart { version: " ".into(), ..start() }, "version", "is empty"),
            (DeployStart { version: "1\n2".into(), ..start() }, "version", "control characters"),
            (DeployStart { version: " 1".into(), ..start() }, "version", "spaces around it"),
            (DeployStart { version: "1".repeat(201), ..start() }, "version", "longer than 200"),
            (DeployStart { env: String::new(), ..start() }, "env", "label `env`"),
            (DeployStart { hosts: vec![String::new(); 1_001], ..start() }, "hosts", "more than 1000"),
            (DeployStart { link: "javascript:alert(1)".into(), ..start() }, "link", "no address"),
            (DeployStart { link: "https://a b".into(), ..start() }, "link", "no address"),
            (DeployStart { note: "x".repeat(1_025), ..start() }, "note", "longer than 1024"),
            (DeployStart { key: "x".repeat(1_025), ..start() }, "key", "longer than 1024"),
        ] {
            let (found, why) = check(&bad).unwrap_err();
            assert!(found == field && why.contains(told), "{found}: {why}");
        }
    }
}
