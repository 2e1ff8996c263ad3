//! File, `--set` and flags to the validated [`Config`], all mistakes at once.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Config;
use super::place::{ConfigErrors, Mistake, Place, nearest};
use super::settings::RULES;
use super::table::{Setting, Settings, Source, merge, ordered};

/// What the command line says about the configuration. Flags win over `--set`, which wins over the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--config`: this file must exist. Without it [`super::DEFAULT_FILE`] is read when there is one.
    pub config: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub http: Option<SocketAddr>,
    pub agents: Option<SocketAddr>,
    pub no_auth: bool,
    pub sets: Vec<String>,
    /// `--rules`: rule files or folders of them. Without it [`super::DEFAULT_RULES`] where there is one.
    pub rules: Vec<PathBuf>,
    /// `--alerting`. Without it [`super::DEFAULT_ALERTING`] where there is one.
    pub alerting: Option<PathBuf>,
}

impl Arguments {
    /// The configuration file in use.
    pub fn config_file(&self) -> Option<PathBuf> {
        let usual = || Some(PathBuf::from(super::DEFAULT_FILE)).filter(|path| path.exists());
        self.config.clone().or_else(usual)
    }

    /// The rule and routing files in use.
    pub fn alerting_files(&self) -> muster_alert::alerting::Files {
        let found = |path: &str| Some(PathBuf::from(path)).filter(|path| path.exists());
        let rules = match self.rules.as_slice() {
            [] => found(super::DEFAULT_RULES).into_iter().collect(),
            named => named.to_vec(),
        };
        muster_alert::alerting::Files {
            rules,
            alerting: self.alerting.clone().or_else(|| found(super::DEFAULT_ALERTING)),
            profiles: Vec::new(),
        }
    }
}

/// The configuration that these arguments name; reads the file anew each time, so a reload is a second call.
///
/// # Errors
/// Every mistake of file and flags, each with its place.
pub fn load(arguments: &Arguments) -> Result<Config, ConfigErrors> {
    let path = arguments.config.clone().unwrap_or_else(|| PathBuf::from(super::DEFAULT_FILE));
    let shown = path.display().to_string();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && arguments.config.is_none() => None,
        Err(error) => {
            let message =
                format!("failed to read `{shown}`: {error}; name a TOML file that user muster-collector may read");
            return Err(ConfigErrors(vec![Mistake { place: Place::Flag("--config".to_owned()), message }]));
        }
    };
    load_text(text.as_deref().map(|text| Source { path: &shown, text }), arguments)
}

fn load_text(file: Option<Source<'_>>, arguments: &Arguments) -> Result<Config, ConfigErrors> {
    let (settings, mut mistakes) = merge(file, &arguments.sets);
    let mut config = Config::default();
    let mut listen_place = Place::Flag("--http".to_owned());
    for ((section, key), setting) in &settings.keys {
        let rule = RULES.iter().find(|rule| rule.section == section && rule.key == key);
        match rule {
            Some(rule) => {
                if let Err(message) = (rule.set)(&mut config, &setting.value) {
                    let message = format!("{section}.{key}: {message}");
                    mistakes.push(Mistake { place: setting.value_place.clone(), message });
                }
                if (rule.section, rule.key) == ("http", "listen") {
                    listen_place = setting.value_place.clone();
                }
            }
            None => mistakes.extend(unknown(section, key, setting)),
        }
    }
    if let Some(data) = &arguments.data {
        config.data.clone_from(data);
    }
    if let Some(http) = arguments.http {
        (config.http.listen, listen_place) = (http, Place::Flag(format!("--http {http}")));
    }
    if let Some(agents) = arguments.agents {
        config.agents.listen = agents;
    }
    config.http.no_auth = arguments.no_auth;
    mistakes.extend(check_listen(&config, listen_place));
    mistakes.extend(check_tls(&config, &settings));
    match ordered(mistakes) {
        Some(errors) => Err(errors),
        None => Ok(config),
    }
}

fn unknown(section: &str, key: &str, setting: &Setting) -> Option<Mistake> {
    let mistake = |message| Some(Mistake { place: setting.key_place.clone(), message });
    if !RULES.iter().any(|rule| rule.section == section) {
        if !key.is_empty() {
            // The section's own marker tells of it once.
            return if matches!(setting.key_place, Place::Flag(_)) { mistake(unknown_section(section)) } else { None };
        }
        return mistake(unknown_section(section));
    }
    if key.is_empty() {
        return None;
    }
    let name = format!("{section}.{key}");
    let known = || RULES.iter().filter(|rule| rule.section == section).map(|rule| rule.key);
    let hint = match nearest(key, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("[{section}] has {}", known().collect::<Vec<_>>().join(", ")),
    };
    mistake(format!("unknown key `{name}`: {hint}"))
}

fn unknown_section(section: &str) -> String {
    let known = super::sections();
    let hint = match nearest(section, known.iter().copied()) {
        Some(near) => format!("did you mean `[{near}]`?"),
        None => format!("there are {}", known.join(", ")),
    };
    format!("unknown section `[{section}]`: {hint}")
}

fn check_listen(config: &Config, place: Place) -> Option<Mistake> {
    let listen = config.http.listen;
    if listen.ip().is_loopback() || !config.http.no_auth {
        return None;
    }
    let message = format!(
        "--no-auth with {listen} would let anyone on the network do everything: use a loopback address, such as 127.0.0.1"
    );
    Some(Mistake { place, message })
}

/// What keys of TLS say together.
fn check_tls(config: &Config, settings: &Settings) -> Vec<Mistake> {
    let http = &config.http;
    let place = |key: &str| {
        let setting = settings.keys.get(&("http".to_owned(), key.to_owned()))?;
        Some(setting.key_place.clone())
    };
    let mut mistakes = Vec::new();
    let mut mistake = |key: &str, message: String| {
        mistakes.extend(place(key).map(|place| Mistake { place, message }));
    };
    match (&http.cert, &http.key) {
        (Some(_), None) => {
            mistake("cert", "http.cert without http.key: name the file of its private key too".to_owned())
        }
        (None, Some(_)) => {
            mistake("key", "http.key without http.cert: name the file of its certificate too".to_owned())
        }
        _ => {}
    }
    if http.tls == Some(false) && !http.listen.ip().is_loopback() {
        let message = format!(
            "http.tls = false with {}: tokens would cross the network in plain; take the key out, or listen on 127.0.0.1:{port} and put a TLS proxy before it",
            http.listen,
            port = http.listen.port()
        );
        mistake("tls", message);
    }
    if http.tls == Some(false) && http.cert.is_some() && http.listen.ip().is_loopback() {
        mistake("tls", "http.tls = false, and yet http.cert is named: take one of them out".to_owned());
    }
    mistakes
}

#[cfg(test)]
#[path = "load/tests.rs"]
mod tests;
