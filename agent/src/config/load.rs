//! From settings as written to settings as checked, all mistakes at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_common::limits::HOST_NAME_BYTES_MAX;
use muster_common::settings::{ConfigErrors, Document, Entry, Place, Problem, Value, nearest};
use muster_common::time::{Span, parse_span};

use super::{AgentConfig, CollectorConfig, Config, DEFAULT_FILE, DEFAULT_SPOOL_BYTES, DEFAULT_STATE_DIR, SpoolConfig};
use crate::ask::AskConfig;
use crate::checks::settings::Checks as ChecksConfig;
use crate::inventory::InventoryConfig;
use crate::sampler::{MetricsConfig, SourceConfig};
use crate::sources;
use crate::tasks;
use crate::top::ProcessesConfig;

/// Every key, with what it is set to when absent; `*` stands for the name of a source.
pub const KEYS: [(&str, &str); 33] = [
    ("collector.addresses", "[] (those of the enrolment)"),
    ("agent.name", "the host's own name"),
    ("agent.state_dir", "\"/var/lib/muster-agent\""),
    ("agent.task_socket", "\"/run/muster-task.sock\""),
    ("agent.host_checks", "true"),
    ("agent.check_concurrency", "twice the processors"),
    ("metrics.interval", "\"10s\""),
    ("metrics.instance", "the collector's default: the host's registered name"),
    ("metrics.job", "the collector's default: \"node\""),
    ("metrics.proc", "\"/proc\""),
    ("metrics.sys", "\"/sys\""),
    ("sources.*.enabled", "true, for interrupts and tcpstat false"),
    ("sources.*.interval", "each tick, or 60s for the slow ones"),
    ("spool.max_bytes", "1073741824"),
    ("processes.enabled", "true"),
    ("processes.interval", "\"30s\""),
    ("processes.top", "5"),
    ("processes.arguments", "false"),
    ("inventory.enabled", "true"),
    ("inventory.interval", "\"15m\""),
    ("inventory.files", "[] (the built-in ones always count)"),
    ("inventory.certificates", "[] (the built-in ones always count)"),
    ("ask.enabled", "true"),
    ("logs", "the journal, or the classic files of the system"),
    ("journal.enabled", "true, with [[logs]] false"),
    ("journal.from", "\"end\""),
    ("redaction.patterns", "[] (the built-in ones always count)"),
    ("checks", "[]"),
    ("remote.enabled", "true"),
    ("remote.log_paths", "[\"/var/log\"]"),
    ("remote.paths", "those of remote.log_paths"),
    ("remote.targets", "[\"localhost\", \"127.0.0.0/8\", \"::1\"] and the host's own name"),
    ("remote.commands", "{}"),
];

/// What people will write because later versions have it, or because they expect it there, and what to tell them.
const NOT_YET: [(&str, &str, &str); 3] = [
    (
        "checks.concurrency",
        "stands elsewhere, since `[[checks]]` makes `checks` a list",
        "write `check_concurrency = 4` under [agent]",
    ),
    (
        "tasks",
        "tasks are allowed in a file of their own",
        "write them into /etc/muster/task.toml, which muster-task reads",
    ),
    (
        "metrics.labels",
        "labels of a host come from its registration",
        "give them to `muster token new --label name=value`",
    ),
];

/// Samples closer than this cost more than they tell; farther apart than 5 min they fall out of PromQL's lookback.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// A spool below this holds less than an hour of one host.
const SPOOL_BYTES_MIN: u64 = 1 << 20;

/// Reads the file (the default one if none is named, whose absence is no error) and the overrides.
///
/// # Errors
/// [`ConfigErrors`] with every mistake.
pub fn load(file: Option<&Path>, sets: &[String]) -> Result<Config, ConfigErrors> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&name, &text, sets),
        Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => parse(&name, "", sets),
        Err(error) => Err(ConfigErrors(vec![Problem {
            place: Place::Whole { file: name },
            key: String::new(),
            message: format!("the configuration cannot be read ({error})"),
            remedy: "name a readable TOML file with --config".to_owned(),
        }])),
    }
}

/// Checks a file's text and the overrides. `name` stands in the messages.
///
/// # Errors
/// [`ConfigErrors`] with every mistake.
pub fn parse(name: &str, text: &str, sets: &[String]) -> Result<Config, ConfigErrors> {
    let mut document = Document::default();
    document.read_file(name, text);
    sets.iter().for_each(|argument| document.read_set(argument));
    let mut checks = Checks { document, is_remote: false };
    let mut config = Config {
        collector: CollectorConfig { addresses: checks.addresses() },
        agent: AgentConfig {
            name: checks.host_name("agent.name"),
            state_dir: checks.folder("agent.state_dir", DEFAULT_STATE_DIR),
            task_socket: checks.folder("agent.task_socket", tasks::SOCKET),
        },
        metrics: MetricsConfig {
            interval: checks.span("metrics.interval", INTERVAL).unwrap_or(MetricsConfig::INTERVAL),
            instance: checks.instance(),
            job: checks.label_value("metrics.job"),
            proc: checks.folder("metrics.proc", "/proc"),
            sys: checks.folder("metrics.sys", "/sys"),
            sources: checks.sources(),
        },
        spool: SpoolConfig { max_bytes: checks.bytes("spool.max_bytes").unwrap_or(DEFAULT_SPOOL_BYTES) },
        processes: checks.processes(),
        inventory: checks.inventory(),
        ask: AskConfig { enabled: checks.boolean("ask.enabled").unwrap_or(AskConfig::default().enabled) },
        logs: checks.logs(),
        remote: checks.remote(name),
        checks: ChecksConfig::default(),
    };
    config.checks = checks.checks(&config);
    checks.refuse_the_rest();
    let mut problems = checks.document.problems;
    problems.sort_unstable();
    if problems.is_empty() { Ok(config) } else { Err(ConfigErrors(problems)) }
}

/// Takes entries out of the document one by one; what is left at the end is unknown.
pub(super) struct Checks {
    pub(super) document: Document,
    /// It is a remote configuration, which names commands of the host in place of its own.
    pub(super) is_remote: bool,
}

impl Checks {
    pub(super) fn problem(&mut self, place: &Place, key: &str, message: String, remedy: &str) {
        let (place, key, remedy) = (place.clone(), key.to_owned(), remedy.to_owned());
        self.document.problems.push(Problem { place, key, message, remedy });
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        self.document.entries.remove(key)
    }

    pub(super) fn place_of(&self, key: &str) -> Option<Place> {
        self.document.entries.get(key).map(|entry| entry.place.clone())
    }

    /// Keys that stand below this one.
    pub(super) fn keys_below(&self, section: &str) -> Vec<String> {
        let inside = format!("{section}.");
        self.document.entries.keys().filter(|key| key.starts_with(&inside)).cloned().collect()
    }

    fn text(&mut self, key: &str, example: &str) -> Option<(String, Place)> {
        let entry = self.take(key)?;
        match entry.value {
            Value::Text(text) => Some((text, entry.place)),
            other => {
                self.problem(
                    &entry.place,
                    key,
                    format!("is {}, not a text", other.kind()),
                    &format!("write \"{example}\""),
                );
                None
            }
        }
    }

    fn span(&mut self, key: &str, (least, most): (Duration, Duration)) -> Option<Duration> {
        let (text, place) = self.text(key, "10s")?;
        match parse_span(&text) {
            Ok(span) if span < least || span > most => {
                let why = if span > most { ": beyond it PromQL, which looks back 5 min, sees gaps" } else { "" };
                let message = format!("`{text}` lies outside {} to {}{why}", Span(least), Span(most));
                self.problem(&place, key, message, "write a duration between the two, such as \"10s\"");
                None
            }
            Ok(span) => Some(span),
            Err(_) => {
                let message = format!("`{text}` is no duration");
                self.problem(&place, key, message, "write a number and a unit, such as \"10s\", \"1m\" or \"1m30s\"");
                None
            }
        }
    }

    fn bytes(&mut self, key: &str) -> Option<u64> {
        let entry = self.take(key)?;
        let number = if let Value::Integer(number) = entry.value { u64::try_from(number).ok() } else { None };
        if number.is_none_or(|number| number < SPOOL_BYTES_MIN) {
            let message = format!("is no number of bytes of at least {SPOOL_BYTES_MIN}");
            self.problem(&entry.place, key, message, "write an integer, such as 1073741824 for 1 GiB");
            return None;
        }
        number
    }

    fn processes(&mut self) -> ProcessesConfig {
        let default = ProcessesConfig::default();
        ProcessesConfig {
            enabled: self.boolean("processes.enabled").unwrap_or(default.enabled),
            interval: self.span("processes.interval", ProcessesConfig::INTERVAL).unwrap_or(default.interval),
            top: self.top("processes.top").unwrap_or(default.top),
            arguments: self.boolean("processes.arguments").unwrap_or(default.arguments),
        }
    }

    fn inventory(&mut self) -> InventoryConfig {
        let default = InventoryConfig::default();
        let interval = self.take("inventory.interval");
        let interval = interval.and_then(|entry| self.span_of("inventory.interval", &entry, InventoryConfig::INTERVAL));
        let mut globs = |key: &str| self.take(key).map(|entry| self.patterns(key, &entry)).unwrap_or_default();
        let (files, certificates) = (globs("inventory.files"), globs("inventory.certificates"));
        InventoryConfig {
            enabled: self.boolean("inventory.enabled").unwrap_or(default.enabled),
            interval: interval.unwrap_or(default.interval),
            files,
            certificates,
        }
    }

    fn top(&mut self, key: &str) -> Option<usize> {
        let entry = self.take(key)?;
        let number = if let Value::Integer(number) = entry.value { usize::try_from(number).ok() } else { None };
        let number = number.filter(|number| (1..=ProcessesConfig::TOP_MAX).contains(number));
        if number.is_none() {
            let message = format!("is no number from 1 to {}", ProcessesConfig::TOP_MAX);
            self.problem(&entry.place, key, message, "write an integer, such as 5");
        }
        number
    }

    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        let entry = self.take(key)?;
        if let Value::Boolean(flag) = entry.value {
            return Some(flag);
        }
        self.problem(&entry.place, key, format!("is {}, not true or false", entry.value.kind()), "write true or false");
        None
    }

    fn folder(&mut self, key: &str, default: &str) -> PathBuf {
        let Some((text, place)) = self.text(key, default) else { return PathBuf::from(default) };
        if !text.starts_with('/') {
            self.problem(
                &place,
                key,
                format!("`{text}` is no absolute path"),
                &format!("write one, such as \"{default}\""),
            );
        }
        PathBuf::from(text)
    }

    fn host_name(&mut self, key: &str) -> Option<String> {
        let (text, place) = self.text(key, "web1.example.org")?;
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if text.is_empty() || text.len() > HOST_NAME_BYTES_MAX || !text.bytes().all(letter) {
            let message = format!("`{text}` is no host name");
            self.problem(&place, key, message, "use 1 to 253 letters, digits, dots, dashes and underscores");
            return None;
        }
        Some(text)
    }

    fn label_value(&mut self, key: &str) -> Option<String> {
        let (text, place) = self.text(key, "node")?;
        if text.trim().is_empty() {
            self.problem(&place, key, "is empty".to_owned(), "write a value, or remove the key for the default");
            return None;
        }
        Some(text)
    }

    fn instance(&mut self) -> Option<String> {
        const KEY: &str = "metrics.instance";
        let place = self.place_of(KEY);
        let text = self.label_value(KEY)?;
        if text.replace("{host}", "").contains(['{', '}']) {
            let message = format!("`{text}` has a placeholder other than {{host}}");
            let place = place.unwrap_or(Place::Whole { file: String::new() });
            self.problem(&place, KEY, message, "write a text with {host} in it, such as \"{host}:9100\"");
            return None;
        }
        Some(text)
    }

    fn addresses(&mut self) -> Vec<String> {
        const KEY: &str = "collector.addresses";
        const REMEDY: &str = "write a list of \"HOST:PORT\", such as [\"collector.example:9471\"]";
        let Some(entry) = self.take(KEY) else { return Vec::new() };
        let items = match entry.value {
            Value::List(items) if !items.is_empty() => items,
            // One address without brackets, as --set gives it.
            Value::Text(text) => {
                let each =
                    |part: &str| Entry { value: Value::Text(part.trim().to_owned()), place: entry.place.clone() };
                text.split(',').map(each).collect()
            }
            Value::List(_) => {
                self.problem(&entry.place, KEY, "the list is empty".to_owned(), REMEDY);
                return Vec::new();
            }
            other => {
                self.problem(&entry.place, KEY, format!("is {}, not a list of texts", other.kind()), REMEDY);
                return Vec::new();
            }
        };
        let mut addresses = Vec::new();
        for item in items {
            match item.value {
                Value::Text(text) if is_address(&text) && !addresses.contains(&text) => addresses.push(text),
                Value::Text(text) if addresses.contains(&text) => {
                    self.problem(&item.place, KEY, format!("`{text}` stands twice"), "name each address once");
                }
                Value::Text(text) => self.problem(&item.place, KEY, format!("`{text}` is no HOST:PORT"), REMEDY),
                other => self.problem(&item.place, KEY, format!("holds {}, not a text", other.kind()), REMEDY),
            }
        }
        addresses
    }

    fn sources(&mut self) -> BTreeMap<&'static str, SourceConfig> {
        let mut configs = BTreeMap::new();
        for name in sources::names() {
            let enabled = self.boolean(&format!("sources.{name}.enabled"));
            let interval = self.span(&format!("sources.{name}.interval"), INTERVAL);
            if enabled.is_some() || interval.is_some() {
                configs.insert(name, SourceConfig { enabled, interval });
            }
        }
        configs
    }

    fn refuse_the_rest(&mut self) {
        let known: Vec<String> = KEYS
            .iter()
            .flat_map(|(key, _)| match key.split_once('*') {
                Some((before, after)) => sources::names().map(|name| format!("{before}{name}{after}")).collect(),
                None => vec![(*key).to_owned()],
            })
            .collect();
        for (key, entry) in std::mem::take(&mut self.document.entries) {
            // An empty section sets nothing, if it is one that we have.
            let inside = format!("{key}.");
            if entry.value == Value::Table && known.iter().any(|known| known.starts_with(&inside)) {
                continue;
            }
            let later = NOT_YET.iter().find(|(section, ..)| key == *section || key.starts_with(&format!("{section}.")));
            let (message, remedy) = match (later, nearest(&key, known.iter().map(String::as_str))) {
                (Some((_, message, remedy)), _) => ((*message).to_owned(), (*remedy).to_owned()),
                (None, Some(near)) => ("is no setting of this version".to_owned(), format!("did you mean `{near}`?")),
                (None, None) => ("is no setting of this version".to_owned(), remedy_for(&key)),
            };
            self.problem(&entry.place, &key, message, &remedy);
        }
    }
}

/// Names what the section has, so that the next attempt hits.
fn remedy_for(key: &str) -> String {
    let section = key.split('.').next().unwrap_or_default();
    let inside: Vec<&str> =
        KEYS.iter().map(|(key, _)| *key).filter(|key| key.split('.').next() == Some(section)).collect();
    if inside.is_empty() {
        "remove it; the sections are [collector], [agent], [metrics], [sources.NAME], [spool], [processes], [inventory], [ask], [[logs]], [journal], [redaction], [[checks]] and [remote]".to_owned()
    } else {
        format!("remove it; [{section}] has {}", inside.join(", "))
    }
}

/// `HOST:PORT` with a host name, an IPv4 address or an IPv6 address in brackets, and a port other than 0.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let port_is_good = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    let host_is_good = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    port_is_good && host_is_good
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
    [collector]
    addresses = ["collector.example:9471", "[::1]:9471"]

    [agent]
    name = "web1"
    state_dir = "/var/lib/other"

    [metrics]
    interval = "15s"
    instance = "{host}:9100"
    job = "node"
    proc = "/host/proc"
    sys = "/host/sys"

    [sources.netclass]
    interval = "5m"

    [sources.arp]
    enabled = false

    [spool]
    max_bytes = 2_000_000

    [processes]
    interval = "1m"
    top = 20
    arguments = true

    [inventory]
    enabled = false
    interval = "1h"
    files = ["/srv/app/*.toml"]
    certificates = ["/srv/app/tls/*.pem", "/srv/**/*.crt"]

    [ask]
    enabled = false
    "#;

    fn problems(text: &str, sets: &[&str]) -> Vec<String> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        match parse("agent.toml", text, &sets) {
            Ok(config) => panic!("accepted: {config:?}"),
            Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn every_key_reaches_its_place() {
        let config = parse("agent.toml", GOOD, &[]).unwrap();
        assert_eq!(config.collector.addresses, ["collector.example:9471", "[::1]:9471"]);
        assert_eq!(
            (config.agent.name.as_deref(), config.agent.state_dir.as_path()),
            (Some("web1"), Path::new("/var/lib/other"))
        );
        let metrics = &config.metrics;
        assert_eq!((metrics.interval.as_secs(), metrics.instance.as_deref()), (15, Some("{host}:9100")));
        assert_eq!((metrics.job.as_deref(), metrics.proc.as_path()), (Some("node"), Path::new("/host/proc")));
        assert_eq!(metrics.sources["netclass"].interval, Some(Duration::from_secs(300)));
        assert_eq!(metrics.sources["arp"].enabled, Some(false));
        assert_eq!(config.spool.max_bytes, 2_000_000);
        let processes = &config.processes;
        assert_eq!((processes.enabled, processes.interval.as_secs()), (true, 60));
        assert_eq!((processes.top, processes.arguments), (20, true));
        let inventory = &config.inventory;
        assert_eq!((inventory.enabled, inventory.interval.as_secs()), (false, 3_600));
        assert_eq!((inventory.files.len(), inventory.certificates[1].text()), (1, "/srv/**/*.crt"));
        assert!(!config.ask.enabled);
    }

    #[test]
    fn every_section_and_key_stands_in_the_file_that_comes_along() {
        let text = include_str!("../../../packaging/agent/agent.toml");
        // Of the folders that only tests and containers change nothing is said.
        let left_out = ["agent.state_dir", "agent.task_socket", "metrics.proc", "metrics.sys"];
        for (key, _) in KEYS.iter().filter(|(key, _)| !left_out.contains(key)) {
            let (section, name) = key.rsplit_once('.').unwrap_or((key, ""));
            let section = section.trim_end_matches(".*");
            let is_head = |line: &str| {
                let inner = line.strip_prefix("#[").map(|rest| rest.trim_start_matches('['));
                inner.and_then(|inner| inner.strip_prefix(section)).is_some_and(|rest| rest.starts_with(['.', ']']))
            };
            assert!(text.lines().any(is_head), "no section {section} for {key}");
            assert!(
                name.is_empty() || text.lines().any(|line| line.starts_with(&format!("#{name} ="))),
                "no key {key}"
            );
        }
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let config = parse("agent.toml", "[metrics]\n", &[]).unwrap();
        assert_eq!(config.metrics, MetricsConfig::default());
        assert_eq!(config.spool.max_bytes, DEFAULT_SPOOL_BYTES);
        assert_eq!(config.processes, ProcessesConfig::default());
        assert_eq!(config.inventory, InventoryConfig::default());
        assert_eq!(config.ask, AskConfig { enabled: true });
        assert_eq!(config.agent.state_dir, Path::new(DEFAULT_STATE_DIR));
        assert_eq!(config.agent.task_socket, Path::new(tasks::SOCKET));
        assert!(load(Some(Path::new("/nonexistent/agent.toml")), &[]).is_err());
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_place_key_and_remedy() {
        let text = "[metrics]\nintervall = \"10s\"\ninterval = \"10x\"\njob = 5\n\n[collector]\naddresses = [\"a\", \"b:0\", 7]\n\n[spool]\nmax_bytes = -1\n[[logs]]\npaths = []\n[[checks]]\nname = 1\n";
        assert_eq!(
            problems(text, &["agent.name=a b", "nonsense"]),
            [
                "agent.toml:2:1: metrics.intervall: is no setting of this version: did you mean `metrics.interval`?",
                "agent.toml:3:1: metrics.interval: `10x` is no duration: write a number and a unit, such as \"10s\", \"1m\" or \"1m30s\"",
                "agent.toml:4:1: metrics.job: is an integer, not a text: write \"node\"",
                "agent.toml:7:14: collector.addresses: `a` is no HOST:PORT: write a list of \"HOST:PORT\", such as [\"collector.example:9471\"]",
                "agent.toml:7:19: collector.addresses: `b:0` is no HOST:PORT: write a list of \"HOST:PORT\", such as [\"collector.example:9471\"]",
                "agent.toml:7:26: collector.addresses: holds an integer, not a text: write a list of \"HOST:PORT\", such as [\"collector.example:9471\"]",
                "agent.toml:10:1: spool.max_bytes: is no number of bytes of at least 1048576: write an integer, such as 1073741824 for 1 GiB",
                "agent.toml:12:1: logs.paths: is empty: write absolute paths, with * ? [a-z] or ** as wildcards, such as [\"/var/log/app/*.log\"]",
                "agent.toml:13:1: checks: has neither `command` nor `kind`: write `command = [\"/usr/lib/nagios/plugins/check_disk\", \"-w\", \"10%\"]`, or `kind = \"disk\"`",
                "agent.toml:14:1: checks.name: is an integer, not a text: write one, such as \"disk\"",
                "--set agent.name=a b: agent.name: `a b` is no host name: use 1 to 253 letters, digits, dots, dashes and underscores",
                "--set nonsense: this argument has no `=`: write --set section.key=value, such as --set metrics.interval=15s",
            ]
        );
    }

    /// One mistake each, and a word that its message must hold.
    #[test]
    fn each_mistake_names_its_remedy() {
        for (text, word) in [
            ("[metrics]\ninterval = \"500ms\"\n", "1s to 5m"),
            ("[metrics]\ninterval = \"6m\"\n", "1s to 5m"),
            ("[metrics]\ninterval = 10\n", "is an integer, not a text"),
            ("[metrics]\ninstance = \"{name}\"\n", "{host}:9100"),
            ("[metrics]\njob = \"\"\n", "is empty"),
            ("[metrics]\nproc = \"proc\"\n", "no absolute path"),
            ("[metrics.labels]\nenv = \"prod\"\n", "token new --label"),
            ("[agent]\nname = \"a/b\"\n", "letters, digits"),
            (
                "[agent]\ncolour = \"red\"\n",
                "[agent] has agent.name, agent.state_dir, agent.task_socket, agent.host_checks, agent.check_concurrency",
            ),
            ("[weather]\nsun = true\n", "the sections are"),
            ("[collector]\naddresses = []\n", "empty"),
            ("[collector]\naddresses = 5\n", "not a list"),
            ("[collector]\naddresses = [\"a:1\", \"a:1\"]\n", "twice"),
            ("[collector]\naddresses = [\"::1:9471\"]\n", "no HOST:PORT"),
            ("[sources.cpu]\nenabled = \"no\"\n", "true or false"),
            ("[sources.cpus]\nenabled = true\n", "did you mean `sources.cpu.enabled`"),
            ("[sources.cpu]\ninterval = \"2h\"\n", "1s to 5m: beyond it PromQL, which looks back 5 min"),
            ("[sources.cpu]\ninterval = \"6m\"\n", "1s to 5m"),
            ("[spool]\nmax_bytes = 10\n", "1048576"),
            ("[processes]\ntop = 21\n", "from 1 to 20"),
            ("[processes]\ntop = \"many\"\n", "from 1 to 20"),
            ("[processes]\ninterval = \"1s\"\n", "5s to 5m"),
            ("[processes]\narguments = 1\n", "true or false"),
            ("[inventory]\ninterval = \"5s\"\n", "1m to 1d"),
            ("[inventory]\nfiles = [\"etc/hosts\"]\n", "no absolute path"),
            ("[inventory]\ncertificates = []\n", "is empty"),
            ("[inventory]\nfolder_names = 1\n", "[inventory] has inventory.enabled"),
            ("[[checks]]\nname = \"disk\"\n", "neither `command` nor `kind`"),
            ("metrics = 5\n", "is no setting"),
            ("[metrics]\ninterval = \"10s\"\ninterval = \"20s\"\n", "no valid TOML"),
            ("[metrics\n", "no valid TOML"),
        ] {
            let found = problems(text, &[]);
            assert!(found.iter().any(|problem| problem.contains(word)), "{text:?} gave {found:?}, without {word:?}");
            assert!(found.iter().all(|problem| problem.starts_with("agent.toml:")), "{found:?}");
        }
    }

    #[test]
    fn overrides_win_over_the_file_and_take_addresses_without_brackets() {
        let sets = ["metrics.interval=1m", "collector.addresses=c1:9471,c2:9471", "sources.netclass.enabled=false"];
        let config = parse("agent.toml", GOOD, &sets.map(str::to_owned)).unwrap();
        assert_eq!(config.metrics.interval.as_secs(), 60);
        assert_eq!(config.collector.addresses, ["c1:9471", "c2:9471"]);
        assert_eq!(config.metrics.sources["netclass"].enabled, Some(false));
        assert_eq!(config.metrics.sources["netclass"].interval, Some(Duration::from_secs(300)));
    }
}
