//! `/etc/muster/task.toml`: what this host lets be run, and whose words count. All mistakes are told at once.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use muster_common::host::HostId;
use muster_common::limits::TASK_OUTPUT_BYTES_MAX;
use muster_common::settings::{ConfigErrors, Document, Entry, Place, Problem, Value, nearest};
use muster_common::task::{Limits, PublicKey, is_name};
use muster_common::time::parse_span;

pub const DEFAULT_FILE: &str = "/etc/muster/task.toml";
/// Beside the settings: while it is there, nothing is run.
pub const STOP_FILE: &str = "no-tasks";
/// Keys of each kind: more people than any organisation lets sign.
const KEYS_MAX: usize = 32;
/// Where a key is written as a whole.
const KEY_REMEDY: &str = "write a public key as `muster task key show` prints it, `ed25519:` and 64 digits";

/// Keys outside of the lists, with what they are when absent.
pub const KEYS: [(&str, &str); 9] = [
    ("enabled", "false"),
    ("agent_user", "\"muster\""),
    ("folder", "\"/var/lib/muster-task\""),
    ("host", "the first that the agent names, and no other after it"),
    ("signers", "[]"),
    ("approvers.*", "nobody"),
    ("require_approval", "true"),
    ("require_cgroup", "false"),
    ("calls_per_minute", "6"),
];
const TASK_KEYS: [&str; 5] = ["account", "timeout", "memory_mib", "processes", "output_kib"];

/// The file, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub enabled: bool,
    /// Whose connections are taken.
    pub agent_user: String,
    pub folder: PathBuf,
    /// Which host this is; `None`: pinned at first use.
    pub host: Option<HostId>,
    /// Whose catalogues are taken.
    pub signers: Vec<PublicKey>,
    /// Whose approvals count, by their names.
    pub approvers: BTreeMap<String, PublicKey>,
    pub require_approval: bool,
    /// Nothing runs where the system gives no cgroup with limits.
    pub require_cgroup: bool,
    pub calls_per_minute: u32,
    /// Tasks that may run here, by their names.
    pub tasks: BTreeMap<String, Allowed>,
}

/// What one task may here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The catalogue must name this very account.
    pub account: String,
    /// Never more than this, whatever the catalogue says.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: false,
            agent_user: "muster".to_owned(),
            folder: PathBuf::from("/var/lib/muster-task"),
            host: None,
            signers: Vec::new(),
            approvers: BTreeMap::new(),
            require_approval: true,
            require_cgroup: false,
            calls_per_minute: 6,
            tasks: BTreeMap::new(),
        }
    }
}

/// Reads the file. One that is not there runs no tasks; one that others than root (and whoever runs this) may write is refused.
///
/// # Errors
/// [`ConfigErrors`] with every mistake.
pub fn load(path: &Path) -> Result<Settings, ConfigErrors> {
    let name = path.display().to_string();
    let fail = |message: String, remedy: &str| {
        let place = Place::Whole { file: name.clone() };
        Err(ConfigErrors(vec![Problem { place, key: String::new(), message, remedy: remedy.to_owned() }]))
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(error) => return fail(format!("cannot be read ({error})"), "give it to root with mode 0644"),
    };
    let own = rustix::process::geteuid().as_raw();
    if metadata.mode() & 0o022 != 0 || (metadata.uid() != 0 && metadata.uid() != own) {
        let message = format!("belongs to user {} with mode {:04o}", metadata.uid(), metadata.mode() & 0o7777);
        return fail(message, "whoever may write it may run everything: `chown root`, `chmod go-w`");
    }
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&name, &text),
        Err(error) => fail(format!("cannot be read ({error})"), "give it to root with mode 0644"),
    }
}

/// Checks a file's text. `name` stands in the messages.
///
/// # Errors
/// [`ConfigErrors`] with every mistake.
pub fn parse(name: &str, text: &str) -> Result<Settings, ConfigErrors> {
    let mut document = Document::default();
    document.read_file(name, text);
    let mut reader = Reader { document };
    let settings = reader.settings(name);
    reader.leftovers();
    let mut problems = reader.document.problems;
    problems.sort();
    if problems.is_empty() { Ok(settings) } else { Err(ConfigErrors(problems)) }
}

struct Reader {
    document: Document,
}

impl Reader {
    fn settings(&mut self, name: &str) -> Settings {
        let usual = Settings::default();
        let settings = Settings {
            enabled: self.boolean("enabled", usual.enabled),
            agent_user: self.text("agent_user").map_or(usual.agent_user, |(text, _)| text),
            folder: self.folder().unwrap_or(usual.folder),
            host: self.host(),
            signers: self.signers(),
            approvers: self.approvers(),
            require_approval: self.boolean("require_approval", usual.require_approval),
            require_cgroup: self.boolean("require_cgroup", usual.require_cgroup),
            calls_per_minute: self.number("calls_per_minute", 1..=600).map_or(usual.calls_per_minute, |n| n as u32),
            tasks: self.tasks(),
        };
        let place = Place::Whole { file: name.to_owned() };
        if settings.enabled && settings.signers.is_empty() {
            self.problem(&place, "signers", "nobody may sign catalogues", KEY_REMEDY);
        }
        if settings.enabled && settings.require_approval && settings.approvers.is_empty() {
            let remedy = "write `anna = \"ed25519:...\"` under [approvers], or `require_approval = false`";
            self.problem(&place, "approvers", "nobody may approve orders", remedy);
        }
        settings
    }

    fn problem(&mut self, place: &Place, key: &str, message: impl Into<String>, remedy: &str) {
        let (place, key) = (place.clone(), key.to_owned());
        self.document.problems.push(Problem { place, key, message: message.into(), remedy: remedy.to_owned() });
    }

    fn wrong(&mut self, key: &str, entry: &Entry, wanted: &str, remedy: &str) {
        self.problem(&entry.place, key, format!("is {}, not {wanted}", entry.value.kind()), remedy);
    }

    fn take(&mut self, key: &str) -> Option<Entry> {
        self.document.entries.remove(key)
    }

    fn boolean(&mut self, key: &str, usual: bool) -> bool {
        match self.take(key) {
            Some(Entry { value: Value::Boolean(flag), .. }) => flag,
            Some(entry) => {
                self.wrong(key, &entry, "true or false", "write true or false");
                usual
            }
            None => usual,
        }
    }

    fn text(&mut self, key: &str) -> Option<(String, Place)> {
        match self.take(key)? {
            Entry { value: Value::Text(text), place } => Some((text, place)),
            entry => {
                self.wrong(key, &entry, "a text", "write it in quotes");
                None
            }
        }
    }

    fn number(&mut self, key: &str, range: std::ops::RangeInclusive<i64>) -> Option<u64> {
        let entry = self.take(key)?;
        let Value::Integer(number) = entry.value else {
            self.wrong(key, &entry, "an integer", "write a number");
            return None;
        };
        if !range.contains(&number) {
            let remedy = format!("write a number from {} to {}", range.start(), range.end());
            self.problem(&entry.place, key, format!("{number} is out of bounds"), &remedy);
        }
        u64::try_from(number).ok()
    }

    fn folder(&mut self) -> Option<PathBuf> {
        let (text, place) = self.text("folder")?;
        if !text.starts_with('/') {
            self.problem(&place, "folder", "is no absolute path", "write /var/lib/muster-task");
        }
        Some(PathBuf::from(text))
    }

    fn host(&mut self) -> Option<HostId> {
        let (text, place) = self.text("host")?;
        let id = HostId::parse(&text);
        if id.is_none() {
            self.problem(&place, "host", format!("{text:?} is no host id"), "copy it from `muster-agent status`");
        }
        id
    }

    fn key(&mut self, key: &str, text: &str, place: &Place) -> Option<PublicKey> {
        PublicKey::parse(text).map_err(|error| self.problem(place, key, error.to_string(), KEY_REMEDY)).ok()
    }

    fn signers(&mut self) -> Vec<PublicKey> {
        let Some(entry) = self.take("signers") else { return Vec::new() };
        let Value::List(items) = &entry.value else {
            self.wrong("signers", &entry, "a list", KEY_REMEDY);
            return Vec::new();
        };
        if items.len() > KEYS_MAX {
            self.problem(&entry.place, "signers", format!("more than {KEYS_MAX} keys"), "name fewer");
        }
        let mut keys = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) => keys.extend(self.key("signers", text, &item.place)),
                other => {
                    let message = format!("holds {}, not a text", other.kind());
                    self.problem(&item.place, "signers", message, KEY_REMEDY);
                }
            }
        }
        keys
    }

    fn below(&self, section: &str) -> Vec<String> {
        self.document.entries.keys().filter(|key| key.starts_with(section)).cloned().collect()
    }

    fn approvers(&mut self) -> BTreeMap<String, PublicKey> {
        let mut approvers = BTreeMap::new();
        self.empty_section("approvers");
        for path in self.below("approvers.") {
            let Some((text, place)) = self.text(&path) else { continue };
            let name = path.trim_start_matches("approvers.").to_owned();
            if let Some(key) = self.key(&path, &text, &place) {
                if approvers.values().any(|known| *known == key) {
                    let remedy = "a key is one person's: give each a key of their own";
                    self.problem(&place, &path, "the key stands here twice", remedy);
                }
                approvers.insert(name, key);
            }
        }
        if approvers.len() > KEYS_MAX {
            let place = Place::Whole { file: "approvers".to_owned() };
            self.problem(&place, "approvers", format!("more than {KEYS_MAX} keys"), "name fewer");
        }
        approvers
    }

    /// A section without keys is a leaf of its own.
    fn empty_section(&mut self, key: &str) {
        if let Some(entry) = self.take(key).filter(|entry| entry.value != Value::Table) {
            self.wrong(key, &entry, "a section", &format!("write [{key}] and keys below it"));
        }
    }

    fn tasks(&mut self) -> BTreeMap<String, Allowed> {
        let mut names: BTreeMap<String, Place> = BTreeMap::new();
        self.empty_section("tasks");
        for path in self.below("tasks.") {
            let rest = path.trim_start_matches("tasks.");
            let (name, key) = rest.rsplit_once('.').unwrap_or((rest, ""));
            let place = self.document.entries[&path].place.clone();
            // Names of tasks may have dots, keys have none; a section without keys is a leaf.
            let name = if TASK_KEYS.contains(&key) || is_near(key) { name } else { rest };
            names.entry(name.to_owned()).or_insert(place);
        }
        let mut tasks = BTreeMap::new();
        for (name, place) in names {
            let path = |key: &str| format!("tasks.{name}.{key}");
            if let Some(entry) = self.take(&format!("tasks.{name}")).filter(|entry| entry.value != Value::Table) {
                self.wrong(&format!("tasks.{name}"), &entry, "a section", "write [tasks.NAME] and keys below it");
            }
            if !is_name(&name) {
                self.problem(&place, &format!("tasks.{name}"), "is no name of a task", "copy it from the catalogue");
            }
            let account = self.text(&path("account")).map(|(text, _)| text);
            if account.is_none() {
                let remedy = "write `account = \"root\"`, or the user that it runs as";
                self.problem(&place, &path("account"), "is missing", remedy);
            }
            let limits = self.limits(&path);
            tasks.insert(name, Allowed { account: account.unwrap_or_default(), limits });
        }
        tasks
    }

    fn limits(&mut self, path: &dyn Fn(&str) -> String) -> Limits {
        let usual = Limits::default();
        let timeout = self.text(&path("timeout")).and_then(|(text, place)| {
            let span = parse_span(&text);
            span.map_err(|error| self.problem(&place, &path("timeout"), error.to_string(), "write 2m")).ok()
        });
        let kib = (TASK_OUTPUT_BYTES_MAX >> 10) as i64;
        Limits {
            timeout: timeout.unwrap_or(usual.timeout),
            memory_bytes: self.number(&path("memory_mib"), 4..=1 << 20).map_or(usual.memory_bytes, |mib| mib << 20),
            processes: self.number(&path("processes"), 1..=4096).map_or(usual.processes, |number| number as u32),
            output_bytes: self.number(&path("output_kib"), 0..=kib).map_or(usual.output_bytes, |kib| kib << 10),
        }
    }

    fn leftovers(&mut self) {
        for (key, entry) in std::mem::take(&mut self.document.entries) {
            let last = key.rsplit('.').next().unwrap_or(&key);
            let known: Vec<&str> = KEYS.iter().map(|(key, _)| *key).chain(TASK_KEYS).collect();
            let remedy = nearest(last, known).map_or_else(
                || "remove it, or see man muster-task for the keys".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            self.problem(&entry.place, &key, "is unknown here", &remedy);
        }
    }
}

/// A key with a slip of the pen, which is no part of a name.
fn is_near(key: &str) -> bool {
    nearest(key, TASK_KEYS).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn key(byte: &str) -> String {
        format!("ed25519:{}", byte.repeat(32))
    }

    #[test]
    fn everything_that_can_be_set_is_read() {
        let text = format!(
            "enabled = true\nagent_user = \"agent\"\nfolder = \"/srv/t\"\nhost = \"0199c0de-0000-7000-8000-000000000001\"\n\
             signers = [\"{}\"]\nrequire_approval = false\nrequire_cgroup = true\ncalls_per_minute = 60\n[approvers]\nanna = \"{}\"\n\
             [tasks.restart-unit]\naccount = \"root\"\ntimeout = \"2m\"\nmemory_mib = 64\nprocesses = 4\noutput_kib = 8\n[tasks.\"a.b\"]\naccount = \"nobody\"\n",
            key("aa"),
            key("bb")
        );
        let settings = parse("task.toml", &text).unwrap();
        assert!(settings.enabled && !settings.require_approval && settings.require_cgroup);
        assert_eq!((settings.agent_user.as_str(), settings.calls_per_minute), ("agent", 60));
        assert_eq!((settings.signers.len(), settings.approvers["anna"].0), (1, [0xbb; 32]));
        let limits =
            Limits { timeout: Duration::from_secs(120), memory_bytes: 64 << 20, processes: 4, output_bytes: 8 << 10 };
        assert_eq!(settings.tasks["restart-unit"], Allowed { account: "root".into(), limits });
        assert_eq!(settings.tasks["a.b"], Allowed { account: "nobody".into(), limits: Limits::default() });
        let nothing = parse("task.toml", "").unwrap();
        assert!(nothing == Settings::default() && !nothing.enabled && nothing.require_approval);
    }

    #[test]
    fn every_mistake_is_told_with_its_place_and_what_to_do() {
        for (text, place, word) in [
            ("enabled = 1\n", "task.toml:1:1", "true or false"),
            ("enabled = true\nrequire_approval = false\n", "task.toml", "nobody may sign"),
            ("folder = \"var\"\n", "task.toml:1:1", "no absolute path"),
            ("host = \"db1\"\n", "task.toml:1:1", "no host id"),
            ("signers = \"x\"\n", "task.toml:1:1", "not a list"),
            ("signers = [\"x\"]\n", "task.toml:1:12", "no public key"),
            ("[approvers]\nanna = \"x\"\n", "task.toml:2:1", "no public key"),
            ("calls_per_minute = 0\n", "task.toml:1:1", "from 1 to 600"),
            ("[tasks.a]\ntimeout = \"1m\"\n", "task.toml:2:1", "account"),
            ("[tasks.a]\n", "task.toml:1:8", "account"),
            ("[tasks.a]\naccount = \"root\"\ntimeot = \"1m\"\n", "task.toml:3:1", "did you mean `timeout`"),
            ("[tasks.a]\naccount = \"root\"\ntimeout = \"soon\"\n", "task.toml:3:1", "no duration"),
            ("[tasks.a]\naccount = \"root\"\nmemory_mib = 1\n", "task.toml:3:1", "from 4 to"),
            ("[tasks.A]\naccount = \"root\"\n", "task.toml:2:1", "no name of a task"),
            ("enable = true\n", "task.toml:1:1", "did you mean `enabled`"),
            ("enabled\n", "task.toml:1:", "no valid TOML"),
        ] {
            let Err(errors) = parse("task.toml", text) else { panic!("{text} accepted") };
            let told = errors.to_string();
            assert!(told.contains(place) && told.contains(word), "{text}: {told}");
        }
        let twice = format!("[approvers]\nanna = \"{}\"\nbob = \"{}\"\n", key("aa"), key("aa"));
        assert!(parse("task.toml", &twice).unwrap_err().to_string().contains("stands here twice"));
    }

    #[test]
    fn the_file_that_comes_along_names_every_key_and_is_right_with_and_without_its_examples() {
        let text = include_str!("../../../packaging/agent/task.toml");
        assert_eq!(parse("task.toml", text), Ok(Settings::default()));
        let is_setting =
            |line: &str| line.starts_with("#[") || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        let switched_on =
            |line: &str| if is_setting(line) { line.trim_start_matches('#').to_owned() } else { line.to_owned() };
        let full: String = text.lines().map(|line| switched_on(line) + "\n").collect();
        let settings = parse("task.toml", &full).unwrap();
        assert!(settings.host.is_some() && settings.signers.len() == 1 && settings.approvers.len() == 1);
        assert_eq!(settings.tasks["restart-unit"], Allowed { account: "root".into(), limits: Limits::default() });
        for key in KEYS.iter().map(|(key, _)| key.trim_end_matches(".*")).chain(TASK_KEYS) {
            let is_named = |line: &str| line.starts_with(&format!("#{key} = ")) || line == format!("#[{key}]");
            assert!(text.lines().any(is_named), "no key {key}");
        }
    }

    #[test]
    fn a_file_that_others_may_write_is_refused_and_one_that_is_not_there_runs_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("task.toml");
        assert_eq!(load(&path), Ok(Settings::default()));
        std::fs::write(&path, "calls_per_minute = 9\n").unwrap();
        for (mode, is_taken) in [(0o644, true), (0o600, true), (0o664, false), (0o646, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(load(&path).is_ok(), is_taken, "{mode:o}");
        }
    }
}
