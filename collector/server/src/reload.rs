//! The configuration read anew, as a whole: either all of it is right and in force, or nothing changed.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use muster_alert::alerting::{Alerting, Files, load_settings};
use muster_common::time::now;
use muster_fleet::Fleet;
use muster_query::{Engine, Limits};

use crate::config::{Arguments, Config, load, needs_restart};
use crate::error::chain;
use crate::profiles;
use crate::tls::Certificates;

/// Puts a log level in force; why it cannot, else.
pub type SetLevel = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What a reload reads from and writes to.
pub(crate) struct Reloader {
    arguments: Arguments,
    /// As the collector was started: keys that want a restart are compared with these.
    started_with: Config,
    /// As it runs now.
    current: ArcSwap<Config>,
    engine: Arc<ArcSwap<Engine>>,
    set_level: SetLevel,
    /// Known once it has started, as is the next.
    fleet: OnceLock<Arc<Fleet>>,
    alerting: OnceLock<Arc<Alerting>>,
    /// The same, where HTTPS is spoken.
    certificates: OnceLock<Arc<Certificates>>,
}

/// The query engine of this configuration.
pub(crate) fn engine(config: &Config) -> Engine {
    let query = &config.query;
    Engine::new(Limits {
        timeout: query.timeout,
        series_max: query.series_max,
        samples_max: query.samples_max,
        lookback: query.lookback,
        ..Limits::default()
    })
}

impl Reloader {
    pub(crate) fn new(
        arguments: Arguments,
        config: &Config,
        engine: Arc<ArcSwap<Engine>>,
        set_level: SetLevel,
    ) -> Self {
        let current = ArcSwap::from_pointee(config.clone());
        Self {
            arguments,
            started_with: config.clone(),
            current,
            engine,
            set_level,
            fleet: OnceLock::new(),
            alerting: OnceLock::new(),
            certificates: OnceLock::new(),
        }
    }

    /// Whose profiles a reload reads again.
    pub(crate) fn fleet(&self, fleet: Arc<Fleet>) {
        let is_first = self.fleet.set(fleet).is_ok();
        debug_assert!(is_first, "the fleet is opened once");
    }

    /// The rule and routing files, with the rules that profiles bring.
    fn files(&self) -> Files {
        let profiles = self.fleet.get().map(|fleet| profiles::rules(fleet).1).unwrap_or_default();
        Files { profiles, ..self.arguments.alerting_files() }
    }

    /// Reads rules and routing anew, since profiles bring others.
    ///
    /// # Errors
    /// Why the old ones stay in force.
    pub(crate) fn read_rules(&self) -> Result<(), String> {
        let settings = load_settings(&self.files()).map_err(|faults| faults.join("\n"))?;
        settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let Some(alerting) = self.alerting.get() else { return Ok(()) };
        alerting.configure(settings, now()).map_err(|error| chain(&error))
    }

    /// Whom else a reload is about.
    pub(crate) fn alerting(&self, alerting: Arc<Alerting>) {
        let is_first = self.alerting.set(alerting).is_ok();
        debug_assert!(is_first, "alerting starts once");
    }

    /// Whose files a reload reads again.
    pub(crate) fn certificates(&self, certificates: Arc<Certificates>) {
        let is_first = self.certificates.set(certificates).is_ok();
        debug_assert!(is_first, "HTTPS starts once");
    }

    pub(crate) fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    pub(crate) fn current(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// What was done, or every mistake of the file; then the old configuration is still in force.
    pub(crate) fn reload(&self) -> Result<String, String> {
        let new = load(&self.arguments).map_err(|errors| {
            tracing::error!("the configuration was not reloaded, the old one stays in force:\n{errors}");
            errors.to_string()
        })?;
        // Before anything is in force, so that all of it is or nothing.
        let refused = |faults: Vec<String>| {
            let errors = faults.join("\n");
            tracing::error!("the configuration was not reloaded, the old one stays in force:\n{errors}");
            errors
        };
        let (set_up, mut settings) = profiles::read(&new, &self.files()).map_err(refused)?;
        let certificate = self.certificates.get().map(|certificates| certificates.prepare(&new, now())).transpose();
        let certificate = certificate.inspect_err(|why| {
            tracing::error!("the configuration was not reloaded, the old one stays in force:\n{why}");
        })?;
        if let Some(fleet) = self.fleet.get() {
            // They may stand against profiles that the API has: then nothing else has changed yet.
            profiles::put(fleet, set_up).map_err(|why| refused(vec![why]))?;
            settings = load_settings(&self.files()).map_err(refused)?;
        }
        settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        (self.set_level)(&new.log.level)?;
        if let Some(alerting) = self.alerting.get() {
            alerting.configure(settings, now()).map_err(|error| chain(&error))?;
        }
        if let (Some(certificates), Some(prepared)) = (self.certificates.get(), certificate) {
            certificates.put(prepared);
        }
        self.engine.store(Arc::new(engine(&new)));
        let mut waiting = needs_restart(&self.started_with, &new);
        let is_named = waiting.iter().any(|key| key == "http.listen" || key == "http.tls");
        if self.started_with.http.is_tls() != new.http.is_tls() && !is_named {
            // A certificate where HTTP was plain, or none any more where it made it HTTPS.
            waiting.push("http.cert and http.key".to_owned());
        }
        self.current.store(Arc::new(new));
        let told = if waiting.is_empty() {
            "reloaded: the configuration is in force".to_owned()
        } else {
            format!("reloaded: in force but for {}, which want a restart", waiting.join(", "))
        };
        tracing::info!("{told}");
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bad_file_changes_nothing_and_a_good_one_says_what_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("collector.toml");
        std::fs::write(&path, "[query]\ntimeout = \"30s\"\n").unwrap();
        let arguments = Arguments { config: Some(path.clone()), ..Arguments::default() };
        let config = load(&arguments).unwrap();
        let levels = Arc::new(Mutex::new(Vec::new()));
        let set_level: SetLevel = Box::new({
            let levels = Arc::clone(&levels);
            move |level| {
                levels.lock().unwrap().push(level.to_owned());
                Ok(())
            }
        });
        let shared = Arc::new(ArcSwap::from_pointee(engine(&config)));
        let reloader = Reloader::new(arguments, &config, Arc::clone(&shared), set_level);

        std::fs::write(&path, "[query]\ntimeout = \"40s\"\nlookbak = \"1m\"\n[log]\nlevel = \"debug\"\n").unwrap();
        let told = reloader.reload().unwrap_err();
        assert!(told.ends_with("collector.toml:3:1: unknown key `query.lookbak`: did you mean `lookback`?"), "{told}");
        assert_eq!(shared.load().limits().timeout, Duration::from_secs(30));
        assert!(levels.lock().unwrap().is_empty());

        std::fs::write(&path, "[query]\ntimeout = \"40s\"\n[log]\nlevel = \"debug\"\n[runtime]\nworkers = 4\n")
            .unwrap();
        let told = reloader.reload().unwrap();
        assert_eq!(told, "reloaded: in force but for runtime.workers, which want a restart");
        assert_eq!(shared.load().limits().timeout, Duration::from_secs(40));
        assert_eq!(*levels.lock().unwrap(), ["debug"]);
        assert_eq!(reloader.reload().unwrap(), told, "the key still waits");

        std::fs::write(&path, "[http]\ncert = \"/c.pem\"\nkey = \"/k.pem\"\n").unwrap();
        let told = reloader.reload().unwrap();
        assert_eq!(told, "reloaded: in force but for http.cert and http.key, which want a restart");

        std::fs::write(&path, "").unwrap();
        assert_eq!(reloader.reload().unwrap(), "reloaded: the configuration is in force");
        assert_eq!(reloader.current().query.timeout, Config::default().query.timeout);
    }
}
