//! `deploy.toml`: services, the order of environments, freezes and secrets of webhooks, read as a whole before any of it is in force.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use muster_common::settings::{ConfigErrors, Document, Entry, Place, Problem, Value, nearest};
use muster_common::time::{Span, parse_span};

use super::deploy::DEPLOY_LIMIT_MAX_MS;
use super::freeze::{FREEZES_MAX, FreezeSpec, ReadFreeze, check_freeze_name};
use super::rate::{RateSpec, SERVICE_RATES_MAX};
use super::service::{ReadService, SERVICES_MAX, ServiceSpec, circle, clean};
use super::settings::{DeploySettings, HookSecret};

/// Bytes of the file: five hundred services have some 150 kB.
pub const DEPLOY_FILE_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a file with a secret.
const SECRET_FILE_BYTES_MAX: u64 = 4 << 10;
const SERVICE_KEYS: [&str; 8] = ["name", "hosts", "units", "checks", "streams", "packages", "repositories", "rates"];
const RATE_KEYS: [&str; 3] = ["name", "bad", "all"];
const FREEZE_KEYS: [&str; 7] = ["name", "matchers", "from", "to", "recurrence", "zone", "reason"];
const GATE_KEYS: [&str; 2] = ["after", "soak"];
/// What stands beside the lists: sections with their keys.
const SINGLE_KEYS: [&str; 3] = ["deploys.abandon_after", "hooks.github_secret_file", "hooks.gitlab_token_file"];
/// Soaks of one environment: more than a month is a calendar, not a soak.
const SOAK_MAX: Duration = Duration::from_secs(31 * 86_400);
/// A deploy is given up after at least this long.
const LIMIT_MIN: Duration = Duration::from_secs(60);

/// Reads the file, and those that it names.
///
/// # Errors
/// All that is wrong with them, each with its place and what to do.
pub fn read_deploy_file(path: &Path) -> Result<DeploySettings, ConfigErrors> {
    let shown = path.display().to_string();
    let whole = |message: String| {
        let remedy = "check name and rights: user muster-collector must be able to read it".to_owned();
        let place = Place::Whole { file: shown.clone() };
        ConfigErrors(vec![Problem { place, key: String::new(), message, remedy }])
    };
    let length = std::fs::metadata(path).map(|file| file.len());
    let length = length.map_err(|error| whole(format!("the file cannot be read ({error})")))?;
    if length > DEPLOY_FILE_BYTES_MAX {
        return Err(whole(format!("the file has {length} bytes, more than {DEPLOY_FILE_BYTES_MAX}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| whole(format!("the file cannot be read ({error})")))?;
    read_deploys(&shown, &text, &|path| read_secret(Path::new(path)))
}

fn read_secret(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("`{}` cannot be read ({error})", path.display());
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > SECRET_FILE_BYTES_MAX {
        return Err(format!("`{}` has {length} bytes, more than {SECRET_FILE_BYTES_MAX}", path.display()));
    }
    std::fs::read(path).map_err(failed)
}

/// Reads the file's text; `secret` reads the files that it names.
pub(super) fn read_deploys(
    path: &str,
    text: &str,
    secret: &dyn Fn(&str) -> Result<Vec<u8>, String>,
) -> Result<DeploySettings, ConfigErrors> {
    let mut document = Document::default();
    document.read_file(path, text);
    let mut reader = Reader { entries: document.entries, problems: document.problems };
    let mut settings = DeploySettings { path: path.to_owned(), ..DeploySettings::default() };
    reader.services(&mut settings);
    reader.freezes(&mut settings);
    reader.gate(&mut settings);
    reader.single(&mut settings, secret);
    reader.unknown();
    if reader.problems.is_empty() {
        return Ok(settings);
    }
    reader.problems.sort();
    Err(ConfigErrors(reader.problems))
}

/// What is left to read, and what was wrong.
struct Reader {
    entries: BTreeMap<String, Entry>,
    problems: Vec<Problem>,
}

/// One table of a list: its own place and its keys.
struct Item<'e> {
    place: &'e Place,
    list: &'static str,
    keys: &'e [(String, Entry)],
}

impl Item<'_> {
    fn get(&self, key: &str) -> Option<&Entry> {
        self.keys.iter().find(|(name, _)| name == key).map(|(_, entry)| entry)
    }

    /// Where a key stands, or the table if it is not there.
    fn place_of(&self, key: &str) -> Place {
        self.get(key).map_or(self.place, |entry| &entry.place).clone()
    }
}

impl Reader {
    fn problem(&mut self, place: &Place, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let (place, key) = (place.clone(), key.to_owned());
        self.problems.push(Problem { place, key, message: message.into(), remedy: remedy.into() });
    }

    /// A mistake whose words have the remedy after their last colon.
    fn split_problem(&mut self, place: &Place, key: &str, why: &str) {
        let (message, remedy) = why.rsplit_once(": ").unwrap_or((why, "correct it"));
        self.problem(place, key, message, remedy);
    }

    fn wrong(&mut self, key: &str, entry: &Entry, wanted: &str, remedy: &str) {
        let message = format!("this must be {wanted}, not {}", entry.value.kind());
        self.problem(&entry.place, key, message, remedy);
    }

    /// The tables of a list, of which all keys are known ones.
    fn list(&mut self, name: &'static str, known: &[&str], most: usize, then: &mut dyn FnMut(&mut Self, &Item<'_>)) {
        if let Some(entry) = self.entries.remove(name) {
            self.tables(name, &entry, known, most, then);
        }
    }

    fn tables(
        &mut self,
        name: &'static str,
        entry: &Entry,
        known: &[&str],
        most: usize,
        then: &mut dyn FnMut(&mut Self, &Item<'_>),
    ) {
        let remedy = format!("write `[[{name}]]` and `name = \"...\"` under it");
        let Value::List(items) = &entry.value else { return self.wrong(name, entry, "a list of tables", &remedy) };
        if items.len() > most {
            let message = format!("there are {} of them, more than {most}", items.len());
            self.problem(&entry.place, name, message, "leave some out");
        }
        for item in items {
            let Value::Group(keys) = &item.value else {
                self.wrong(name, item, "a table", &remedy);
                continue;
            };
            for (key, entry) in keys.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
                self.unknown_key(&format!("{name}.{}", clean(key)), key, &entry.place, known);
            }
            then(self, &Item { place: &item.place, list: name, keys });
        }
    }

    fn unknown_key(&mut self, path: &str, key: &str, place: &Place, known: &[&str]) {
        let remedy = match nearest(key, known.iter().copied()) {
            Some(near) => format!("write `{near}` if that is meant"),
            None => format!("leave it out; known are {}", known.join(", ")),
        };
        self.problem(place, path, "is no key of this file", remedy);
    }

    fn text(&mut self, item: &Item<'_>, key: &str) -> Option<String> {
        let entry = item.get(key)?;
        match &entry.value {
            Value::Text(text) => Some(text.clone()),
            _ => {
                self.wrong(&format!("{}.{key}", item.list), entry, "a text", "write it in quotes");
                None
            }
        }
    }

    fn texts(&mut self, key: &str, entry: &Entry) -> Vec<String> {
        let remedy = "write such as [\"one\", \"two\"]";
        let Value::List(items) = &entry.value else {
            self.wrong(key, entry, "a list of texts", remedy);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) => texts.push(text.clone()),
                _ => self.wrong(key, item, "a text", remedy),
            }
        }
        texts
    }

    fn texts_of(&mut self, item: &Item<'_>, key: &str) -> Vec<String> {
        item.get(key).map(|entry| self.texts(&format!("{}.{key}", item.list), entry)).unwrap_or_default()
    }

    fn services(&mut self, settings: &mut DeploySettings) {
        let mut repositories: BTreeMap<String, String> = BTreeMap::new();
        self.list("services", &SERVICE_KEYS, SERVICES_MAX, &mut |reader, item| {
            let before = reader.problems.len();
            let spec = ServiceSpec {
                name: reader.text(item, "name").unwrap_or_default(),
                hosts: reader.texts_of(item, "hosts").join(", "),
                units: reader.texts_of(item, "units"),
                checks: reader.texts_of(item, "checks"),
                streams: reader.texts_of(item, "streams"),
                packages: reader.texts_of(item, "packages"),
                repositories: reader.texts_of(item, "repositories"),
                rates: reader.rates(item),
            };
            if reader.problems.len() > before {
                return;
            }
            let name = spec.name.clone();
            for repository in &spec.repositories {
                if let Some(other) = repositories.insert(repository.to_ascii_lowercase(), name.clone()) {
                    let message = format!("`{}` is named by service {other} as well", clean(repository));
                    let remedy = "a webhook tells of one service: name the repository in one of them";
                    reader.problem(&item.place_of("repositories"), "services.repositories", message, remedy);
                }
            }
            match ReadService::new(spec) {
                Err((key, why)) => {
                    let place = item.place_of(key);
                    reader.split_problem(&place, &format!("services.{key}"), &why);
                }
                Ok(service) => {
                    if settings.services.insert(name.clone(), service).is_some() {
                        let place = item.place_of("name");
                        let message = format!("service `{name}` is declared twice");
                        reader.problem(&place, "services.name", message, "give each a name of its own");
                    }
                }
            }
        });
    }

    /// `[[services.rates]]`: what a service is compared by.
    fn rates(&mut self, item: &Item<'_>) -> Vec<RateSpec> {
        const LIST: &str = "services.rates";
        let mut rates = Vec::new();
        let Some(entry) = item.get("rates") else { return rates };
        self.tables(LIST, entry, &RATE_KEYS, SERVICE_RATES_MAX, &mut |reader, item| {
            let before = reader.problems.len();
            let mut text = |key| reader.text(item, key).unwrap_or_default();
            let rate = RateSpec { name: text("name"), bad: text("bad"), all: text("all") };
            if reader.problems.len() > before {
                return;
            }
            match rate.check() {
                Err((key, why)) => reader.split_problem(&item.place_of(key), &format!("{LIST}.{key}"), &why),
                Ok(()) => rates.push(rate),
            }
        });
        rates
    }

    fn freezes(&mut self, settings: &mut DeploySettings) {
        self.list("freezes", &FREEZE_KEYS, FREEZES_MAX, &mut |reader, item| {
            let before = reader.problems.len();
            let name = reader.text(item, "name").unwrap_or_default();
            let zone = reader.text(item, "zone").unwrap_or_default();
            let spec = FreezeSpec {
                matchers: reader.texts_of(item, "matchers").join(", "),
                from_ms: reader.moment(item, "from", &zone),
                to_ms: reader.moment(item, "to", &zone),
                recurrence: reader.text(item, "recurrence").unwrap_or_default(),
                reason: reader.text(item, "reason").unwrap_or_default(),
                zone,
            };
            if let Err(why) = check_freeze_name(&name) {
                reader.split_problem(&item.place_of("name"), "freezes.name", &why);
            }
            if reader.problems.len() > before {
                return;
            }
            match ReadFreeze::new(spec) {
                Err((key, why)) => {
                    let place = item.place_of(key);
                    reader.split_problem(&place, &format!("freezes.{key}"), &why);
                }
                Ok(freeze) => {
                    if settings.freezes.insert(name.clone(), freeze).is_some() {
                        let place = item.place_of("name");
                        let message = format!("freeze `{name}` stands twice");
                        reader.problem(&place, "freezes.name", message, "give each a name of its own");
                    }
                }
            }
        });
    }

    /// A date and time; one without an offset is by the clock of the zone.
    fn moment(&mut self, item: &Item<'_>, key: &str, zone: &str) -> Option<i64> {
        let entry = item.get(key)?;
        let path = format!("{}.{key}", item.list);
        let remedy = "write such as 2026-12-24T00:00:00+01:00, or 2026-12-24 for its beginning in `zone`";
        let (Value::Moment(text) | Value::Text(text)) = &entry.value else {
            self.wrong(&path, entry, "a date and time", remedy);
            return None;
        };
        let zone = TimeZone::get(if zone.is_empty() { "UTC" } else { zone }).unwrap_or(TimeZone::UTC);
        let local = |at: DateTime| at.to_zoned(zone.clone()).ok().map(|at| at.timestamp());
        let read = text.parse::<jiff::Timestamp>().ok();
        let read = read.or_else(|| text.parse::<DateTime>().ok().and_then(local));
        let read = read.or_else(|| text.parse::<Date>().ok().and_then(|date| local(date.at(0, 0, 0, 0))));
        if read.is_none() {
            self.problem(&entry.place, &path, format!("`{}` is no date and time", clean(text)), remedy);
        }
        read.map(jiff::Timestamp::as_millisecond)
    }

    /// `[gate]`: a key for each environment, with what must have been before.
    fn gate(&mut self, settings: &mut DeploySettings) {
        let keys: Vec<String> =
            self.entries.keys().filter(|key| *key == "gate" || key.starts_with("gate.")).cloned().collect();
        let mut places = BTreeMap::new();
        for path in keys {
            let Some(entry) = self.entries.remove(&path) else { continue };
            let named = path.strip_prefix("gate.").and_then(|rest| rest.rsplit_once('.'));
            let Some((env, key)) = named.filter(|(env, _)| !env.is_empty()) else {
                let remedy = "write such as production = { after = [\"staging\"], soak = \"30m\" }";
                self.wrong(&path, &entry, "an environment with what must have been before", remedy);
                continue;
            };
            places.entry(env.to_owned()).or_insert_with(|| entry.place.clone());
            let rule = settings.environments.entry(env.to_owned()).or_default();
            match key {
                "after" => rule.after = self.texts(&path, &entry),
                "soak" => {
                    let soak = self.span(&path, &entry, (Duration::ZERO, SOAK_MAX));
                    rule.soak_ms = soak.unwrap_or(0);
                }
                other => self.unknown_key(&path, other, &entry.place, &GATE_KEYS),
            }
        }
        for (env, rule) in &settings.environments {
            let mut seen = BTreeSet::new();
            let twice = rule.after.iter().find(|before| !seen.insert(before.as_str()));
            if let (Some(twice), Some(place)) = (twice, places.get(env)) {
                let message = format!("`{}` stands twice in `after`", clean(twice));
                self.problem(place, &format!("gate.{env}"), message, "name each environment once");
            }
        }
        if let Some(env) = circle(&settings.environments)
            && let Some(place) = places.get(env)
        {
            let message = format!("`{env}` comes after itself, so nothing could ever go there");
            self.problem(place, &format!("gate.{env}"), message, "break the circle of `after`");
        }
    }

    fn span(&mut self, key: &str, entry: &Entry, (least, most): (Duration, Duration)) -> Option<i64> {
        let remedy = format!("write a duration in quotes from {} to {}, such as \"30m\"", Span(least), Span(most));
        let Value::Text(text) = &entry.value else {
            self.wrong(key, entry, "a duration", &remedy);
            return None;
        };
        match parse_span(text) {
            Ok(span) if (least..=most).contains(&span) => i64::try_from(span.as_millis()).ok(),
            Ok(_) => {
                self.problem(&entry.place, key, format!("`{}` is out of bounds", clean(text)), remedy);
                None
            }
            Err(error) => {
                self.split_problem(&entry.place, key, &error.to_string());
                None
            }
        }
    }

    fn single(&mut self, settings: &mut DeploySettings, secret: &dyn Fn(&str) -> Result<Vec<u8>, String>) {
        if let Some(entry) = self.entries.remove(SINGLE_KEYS[0]) {
            let most = Duration::from_millis(u64::try_from(DEPLOY_LIMIT_MAX_MS).unwrap_or(0));
            if let Some(limit_ms) = self.span(SINGLE_KEYS[0], &entry, (LIMIT_MIN, most)) {
                settings.limit_ms = limit_ms;
            }
        }
        settings.github = self.secret(SINGLE_KEYS[1], secret);
        settings.gitlab = self.secret(SINGLE_KEYS[2], secret);
    }

    fn secret(&mut self, key: &str, read: &dyn Fn(&str) -> Result<Vec<u8>, String>) -> Option<HookSecret> {
        let entry = self.entries.remove(key)?;
        let Value::Text(path) = &entry.value else {
            self.wrong(key, &entry, "the path of a file", "write it in quotes, such as \"/etc/muster/github.secret\"");
            return None;
        };
        match read(path).map(|bytes| HookSecret::new(&bytes)) {
            Ok(Ok(secret)) => Some(secret),
            Ok(Err(why)) => {
                self.split_problem(&entry.place, key, &why);
                None
            }
            Err(why) => {
                let remedy = "check name and rights: user muster-collector must be able to read it";
                self.problem(&entry.place, key, why, remedy);
                None
            }
        }
    }

    /// What nobody read is none of this file's.
    fn unknown(&mut self) {
        let known: Vec<&str> = ["services", "freezes", "gate"].into_iter().chain(SINGLE_KEYS).collect();
        for (path, entry) in std::mem::take(&mut self.entries) {
            // A section without a key in it says nothing.
            let is_empty_section = entry.value == Value::Table && matches!(path.as_str(), "deploys" | "hooks");
            if !is_empty_section {
                self.unknown_key(&clean(&path), &path, &entry.place, &known);
            }
        }
    }
}

#[cfg(test)]
mod tests;
