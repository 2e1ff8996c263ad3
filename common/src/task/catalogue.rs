//! The catalogue: which tasks there are. TOML that people write, sign offline and review; what is signed are its bytes as they are.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use toml::value::Datetime;

use super::parameter::{Kind, ParameterError, is_name, is_plain};
use crate::digest::{Sha256, Sum};
use crate::limits::{
    TASK_ARGUMENTS_MAX, TASK_CATALOGUE_BYTES_MAX, TASK_CATALOGUE_TASKS_MAX, TASK_MAINTENANCE_MAX,
    TASK_OUTPUT_BYTES_MAX, TASK_PARAMETERS_MAX, TASK_VALUE_BYTES_MAX,
};
use crate::matcher::anchored_regex;
use crate::time::parse_span;

const HEAD: &[u8] = b"muster-task catalogue v1\0";
/// Names of programs that run what they are given as a text.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "csh", "tcsh", "fish"];

/// All tasks that one signature is for.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Rises with every change; a host never goes back.
    pub version: u64,
    /// From then on no host takes an order of it.
    pub expires_ms: i64,
    /// By their names.
    pub tasks: BTreeMap<String, Definition>,
    digest: Sum,
}

/// One task.
#[derive(Clone, Debug)]
pub struct Definition {
    /// What it does, for people.
    pub about: String,
    /// The program and its arguments, in which `{name}` stands for a parameter.
    pub argv: Vec<String>,
    /// The user that it runs as.
    pub account: String,
    pub limits: Limits,
    /// Hosts that run it are in a maintenance: how long their health may take to return after it. `None`: it disturbs nothing that is watched. Hosts
    /// make nothing of it; it is signed with the rest, since it keeps alerts back.
    pub maintenance: Option<Duration>,
    pub parameters: BTreeMap<String, Kind>,
}

/// What a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub timeout: Duration,
    /// Of all its processes where the host has cgroups, else of each.
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub processes: u32,
    /// Output that is kept; what is beyond is counted.
    pub output_bytes: u64,
}

impl Limits {
    /// The smaller of each.
    pub fn least(self, other: Self) -> Self {
        Self {
            timeout: self.timeout.min(other.timeout),
            memory_bytes: self.memory_bytes.min(other.memory_bytes),
            processes: self.processes.min(other.processes),
            output_bytes: self.output_bytes.min(other.output_bytes),
        }
    }
}

impl Default for Limits {
    /// Of a task that restarts something and says how it went.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), memory_bytes: 256 << 20, processes: 64, output_bytes: 256 << 10 }
    }
}

/// Everything that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the catalogue cannot be used: {}; correct it and sign it again", problems.join("; "))]
pub struct CatalogueError {
    /// Each with its place, at least one.
    pub problems: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalogue {
    version: u64,
    expires: Datetime,
    #[serde(default)]
    tasks: BTreeMap<String, RawTask>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTask {
    about: String,
    argv: Vec<String>,
    account: String,
    timeout: Option<String>,
    memory_mib: Option<u64>,
    processes: Option<u32>,
    output_kib: Option<u64>,
    maintenance: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, RawParameter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParameter {
    kind: String,
    from: Option<i64>,
    to: Option<i64>,
    values: Option<Vec<String>>,
    pattern: Option<String>,
    bytes_max: Option<usize>,
}

impl Catalogue {
    /// What a signature of a document is made over.
    pub fn signed_bytes(document: &str) -> Vec<u8> {
        [HEAD, document.as_bytes()].concat()
    }

    /// What orders name it by: SHA-256 over what is signed.
    pub fn digest_of(document: &str) -> Sum {
        Sha256::of(&Self::signed_bytes(document))
    }

    /// [`Catalogue::digest_of`] the document that it was read from.
    pub fn digest(&self) -> Sum {
        self.digest
    }

    /// # Errors
    /// [`CatalogueError`] with all that is wrong; where it is no TOML or has a wrong key, with that alone.
    pub fn parse(document: &str) -> Result<Self, CatalogueError> {
        let whole = |problem: String| CatalogueError { problems: vec![problem] };
        if document.len() > TASK_CATALOGUE_BYTES_MAX {
            return Err(whole("it is longer than 256 KiB".to_owned()));
        }
        let raw: RawCatalogue =
            toml::from_str(document).map_err(|error| whole(error.to_string().trim().replace('\n', " ")))?;
        let mut problems = Vec::new();
        if raw.version == 0 {
            problems.push("version: is counted from 1".to_owned());
        }
        let expires_ms = millis_of(raw.expires).unwrap_or_else(|| {
            problems.push("expires: write a date, a time and Z, such as 2027-06-01T00:00:00Z".to_owned());
            0
        });
        if raw.tasks.len() > TASK_CATALOGUE_TASKS_MAX {
            problems.push(format!("tasks: {} of at most {TASK_CATALOGUE_TASKS_MAX}", raw.tasks.len()));
        }
        let mut tasks = BTreeMap::new();
        for (name, task) in raw.tasks {
            let mut told = |problem: String| problems.push(format!("tasks.{name}.{problem}"));
            if !is_name(&name) {
                told("name: lower-case letters, digits, `.`, `_` and `-` alone, at most 64".to_owned());
            }
            let definition = define(task, &mut told);
            tasks.insert(name, definition);
        }
        if !problems.is_empty() {
            return Err(CatalogueError { problems });
        }
        Ok(Self { version: raw.version, expires_ms, tasks, digest: Self::digest_of(document) })
    }
}

impl Definition {
    /// The words of the command with these values in it: as many as the catalogue has, whatever the values are.
    ///
    /// # Errors
    /// [`ParameterError`] with the first parameter that does not do.
    pub fn command(&self, values: &BTreeMap<String, String>) -> Result<Vec<String>, ParameterError> {
        if let Some(name) = values.keys().find(|name| !self.parameters.contains_key(*name)) {
            return Err(ParameterError::Unknown { name: name.clone() });
        }
        for (name, kind) in &self.parameters {
            let value = values.get(name).ok_or_else(|| ParameterError::Missing { name: name.clone() })?;
            kind.judge(name, value)?;
        }
        let fill = |word: &String| {
            pieces(word).fold(String::new(), |mut filled, piece| {
                match piece {
                    Piece::Text(text) => filled.push_str(text),
                    Piece::Parameter(name) => filled.push_str(values.get(name).map_or("", String::as_str)),
                }
                filled
            })
        };
        Ok(self.argv.iter().map(fill).collect())
    }
}

enum Piece<'a> {
    Text(&'a str),
    Parameter(&'a str),
}

/// A word's texts and parameters in turn. Braces around what is no name stand for themselves.
fn pieces(word: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = word;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let named = |at: usize| {
            let inner = rest[at..].strip_prefix('{')?;
            let (name, _) = inner.split_once('}')?;
            is_name(name).then_some(name)
        };
        let next = rest.match_indices('{').find_map(|(at, _)| Some((at, named(at)?)));
        let (piece, taken) = match next {
            Some((0, name)) => (Piece::Parameter(name), name.len() + 2),
            Some((at, _)) => (Piece::Text(&rest[..at]), at),
            None => (Piece::Text(rest), rest.len()),
        };
        rest = &rest[taken..];
        Some(piece)
    })
}

fn define(raw: RawTask, told: &mut impl FnMut(String)) -> Definition {
    let parameters: BTreeMap<String, Kind> = raw
        .parameters
        .into_iter()
        .filter_map(|(name, parameter)| {
            if !is_name(&name) {
                told(format!("parameters.{name}: this is no name"));
            }
            let kind = kind_of(parameter).map_err(|problem| told(format!("parameters.{name}: {problem}"))).ok()?;
            Some((name, kind))
        })
        .collect();
    if parameters.len() > TASK_PARAMETERS_MAX {
        told(format!("parameters: {} of at most {TASK_PARAMETERS_MAX}", parameters.len()));
    }
    judge_argv(&raw.argv, &parameters, told);
    if raw.account.is_empty() || !raw.account.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    {
        told("account: the name of a user of the host".to_owned());
    }
    if raw.about.is_empty() || raw.about.len() > TASK_VALUE_BYTES_MAX || !is_plain(&raw.about) {
        told("about: say on one line what it does".to_owned());
    }
    let usual = Limits::default();
    let timeout = raw.timeout.as_deref().map_or(Ok(usual.timeout), parse_span).unwrap_or_else(|error| {
        told(format!("timeout: {error}"));
        usual.timeout
    });
    let limits = Limits {
        timeout,
        memory_bytes: raw.memory_mib.map_or(usual.memory_bytes, |mib| mib.saturating_mul(1 << 20)),
        processes: raw.processes.unwrap_or(usual.processes),
        output_bytes: raw.output_kib.map_or(usual.output_bytes, |kib| kib.saturating_mul(1 << 10)),
    };
    if !(Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&limits.timeout) {
        told("timeout: from 1s to 1d".to_owned());
    }
    if !(4 << 20..=1 << 40).contains(&limits.memory_bytes) {
        told("memory_mib: from 4 to 1048576".to_owned());
    }
    if !(1..=4_096).contains(&limits.processes) {
        told("processes: from 1 to 4096".to_owned());
    }
    if limits.output_bytes > TASK_OUTPUT_BYTES_MAX as u64 {
        told("output_kib: at most 4096".to_owned());
    }
    let maintenance = raw.maintenance.as_deref().map(parse_span).transpose().unwrap_or_else(|error| {
        told(format!("maintenance: {error}"));
        None
    });
    if maintenance.is_some_and(|span| !(Duration::from_secs(1)..=TASK_MAINTENANCE_MAX).contains(&span)) {
        told("maintenance: from 1s to 1h".to_owned());
    }
    Definition { about: raw.about, argv: raw.argv, account: raw.account, limits, maintenance, parameters }
}

fn judge_argv(argv: &[String], parameters: &BTreeMap<String, Kind>, told: &mut impl FnMut(String)) {
    let named = |word: &String| {
        let names = pieces(word).filter_map(|piece| match piece {
            Piece::Parameter(name) => Some(name.to_owned()),
            Piece::Text(_) => None,
        });
        names.collect::<Vec<_>>()
    };
    match argv.first() {
        Some(program) if program.starts_with('/') && named(program).is_empty() => {}
        _ => told("argv: begins with the whole path of a program, in which no parameter stands".to_owned()),
    }
    if argv.len() > TASK_ARGUMENTS_MAX {
        told(format!("argv: {} words of at most {TASK_ARGUMENTS_MAX}", argv.len()));
    }
    if argv.iter().any(|word| word.len() > TASK_VALUE_BYTES_MAX || word.contains('\0')) {
        told("argv: a word is longer than 1024 bytes, or has a byte 0".to_owned());
    }
    let is_shell = |word: &String| word.rsplit('/').next().is_some_and(|last| SHELLS.contains(&last));
    // `-c`, `-ec`, `-lc`: what follows is a program of its own, in which a parameter would be code.
    let is_text = |word: &String| word.starts_with('-') && !word.starts_with("--") && word.contains('c');
    if let Some(shell) = argv.iter().position(is_shell)
        && argv[shell..].iter().any(is_text)
    {
        told("argv: a shell that is given a text to run; put the text into a file of the host".to_owned());
    }
    let used: Vec<String> = argv.iter().flat_map(named).collect();
    for name in &used {
        if !parameters.contains_key(name) {
            told(format!("argv: {{{name}}} is no parameter of the task"));
        }
    }
    for name in parameters.keys().filter(|name| !used.contains(name)) {
        told(format!("parameters.{name}: stands nowhere in argv"));
    }
}

fn kind_of(raw: RawParameter) -> Result<Kind, String> {
    let RawParameter { kind, from, to, values, pattern, bytes_max } = raw;
    let only = |allowed: &[&str]| {
        let given = [
            ("from", from.is_some()),
            ("to", to.is_some()),
            ("values", values.is_some()),
            ("pattern", pattern.is_some()),
            ("bytes_max", bytes_max.is_some()),
        ];
        given
            .iter()
            .find(|(name, is_given)| *is_given && !allowed.contains(name))
            .map_or(Ok(()), |(name, _)| Err(format!("{name} means nothing for kind {kind:?}")))
    };
    match kind.as_str() {
        "integer" => {
            only(&["from", "to"])?;
            match (from, to) {
                (Some(from), Some(to)) if from <= to => Ok(Kind::Integer { from, to }),
                _ => Err("an integer has `from` and a `to` that is not below it".to_owned()),
            }
        }
        "choice" => {
            only(&["values"])?;
            let values = values.unwrap_or_default();
            let fits = |value: &String| value.len() <= TASK_VALUE_BYTES_MAX && is_plain(value);
            if values.is_empty() || values.len() > 64 || !values.iter().all(fits) {
                return Err("a choice has `values`, from 1 to 64, without control characters".to_owned());
            }
            Ok(Kind::Choice { values })
        }
        "host" => only(&[]).map(|()| Kind::Host),
        "version" => only(&[]).map(|()| Kind::Version),
        "text" => {
            only(&["pattern", "bytes_max"])?;
            let pattern = pattern.as_deref().ok_or("a text has a `pattern` that it must fit as a whole")?;
            let pattern = anchored_regex(pattern).map_err(|error| format!("pattern: {error}"))?;
            let bytes_max = bytes_max.unwrap_or(64);
            if !(1..=TASK_VALUE_BYTES_MAX).contains(&bytes_max) {
                return Err("bytes_max: from 1 to 1024".to_owned());
            }
            Ok(Kind::Text { pattern, bytes_max })
        }
        other => Err(format!("{other:?} is none of integer, choice, host, version and text")),
    }
}

/// Milliseconds since 1970; `None` without date, time or zone.
fn millis_of(written: Datetime) -> Option<i64> {
    let (date, time) = (written.date?, written.time?);
    let offset_minutes = match written.offset? {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    // Days since 1970 of the Gregorian calendar, years beginning in March.
    let (year, month) = (i64::from(date.year), i64::from(date.month));
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + i64::from(date.day) - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    let minutes = days * 1_440 + i64::from(time.hour) * 60 + i64::from(time.minute) - offset_minutes;
    Some((minutes * 60 + i64::from(time.second.unwrap_or(0))) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
version = 12
expires = 2027-06-01T02:00:00+02:00

[tasks.restart-unit]
about = "Restarts a unit"
argv = ["/usr/bin/systemctl", "{how}", "--", "{unit}.service", "{}", "{ a }"]
account = "root"
timeout = "2m"
memory_mib = 64
processes = 8
output_kib = 16
maintenance = "10m"

[tasks.restart-unit.parameters.unit]
kind = "text"
pattern = "[a-z0-9@-]+"
[tasks.restart-unit.parameters.how]
kind = "choice"
values = ["restart", "reload"]

[tasks.ping]
about = "Pings a host"
argv = ["/usr/bin/ping", "-c", "{count}", "{host}"]
account = "nobody"
parameters = { count = { kind = "integer", from = 1, to = 10 }, host = { kind = "host" } }
"#;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_catalogue_is_read_and_its_commands_are_filled_in() {
        let catalogue = Catalogue::parse(GOOD).unwrap();
        assert_eq!((catalogue.version, catalogue.expires_ms), (12, 1_811_808_000_000));
        assert_eq!(catalogue.digest(), Catalogue::digest_of(GOOD));
        let restart = &catalogue.tasks["restart-unit"];
        let limits =
            Limits { timeout: Duration::from_secs(120), memory_bytes: 64 << 20, processes: 8, output_bytes: 16 << 10 };
        assert_eq!((restart.limits, restart.account.as_str()), (limits, "root"));
        let maintained = [restart.maintenance, catalogue.tasks["ping"].maintenance];
        assert_eq!(maintained, [Some(Duration::from_secs(600)), None]);
        let command = restart.command(&values(&[("how", "reload"), ("unit", "a{how}")]));
        assert!(matches!(command, Err(ParameterError::Value { .. })), "{command:?}");
        assert_eq!(
            restart.command(&values(&[("how", "reload"), ("unit", "nginx")])).unwrap(),
            ["/usr/bin/systemctl", "reload", "--", "nginx.service", "{}", "{ a }"]
        );
        let missing = restart.command(&values(&[("how", "reload")])).unwrap_err();
        assert_eq!(missing, ParameterError::Missing { name: "unit".into() });
        let unknown = restart.command(&values(&[("how", "reload"), ("unit", "a"), ("x", "")])).unwrap_err();
        assert_eq!(unknown, ParameterError::Unknown { name: "x".into() });
        assert_eq!(catalogue.tasks["ping"].limits, Limits::default());
    }

    #[test]
    fn a_value_is_never_filled_in_twice() {
        let document = GOOD.replace("[a-z0-9@-]+", ".*");
        let catalogue = Catalogue::parse(&document).unwrap();
        let words =
            catalogue.tasks["restart-unit"].command(&values(&[("how", "restart"), ("unit", "{how}; id $(id)")]));
        assert_eq!(words.unwrap()[3], "{how}; id $(id).service");
    }

    #[test]
    fn every_byte_counts() {
        assert_ne!(Catalogue::digest_of(GOOD), Catalogue::digest_of(&format!("{GOOD}\n")));
    }

    #[test]
    fn mistakes_are_told_with_their_places() {
        for (from, to, place) in [
            ("version = 12", "version = 0", "version: is counted from 1"),
            ("version = 12", "", "missing field `version`"),
            ("+02:00", "", "expires: write"),
            ("account = \"root\"", "account = \"ro ot\"", "tasks.restart-unit.account"),
            ("account = \"root\"", "acount = \"root\"", "acount"),
            ("\"/usr/bin/systemctl\"", "\"systemctl\"", "tasks.restart-unit.argv: begins with the whole path"),
            ("\"/usr/bin/systemctl\"", "\"/usr/bin/{how}\"", "tasks.restart-unit.argv: begins with the whole path"),
            ("\"/usr/bin/systemctl\"", "\"/bin/bash\", \"-ec\"", "tasks.restart-unit.argv: a shell"),
            ("\"/usr/bin/systemctl\"", "\"/usr/bin/env\", \"sh\", \"-c\"", "tasks.restart-unit.argv: a shell"),
            ("\"{how}\"", "\"{when}\"", "{when} is no parameter"),
            ("\"{how}\"", "\"x\"", "tasks.restart-unit.parameters.how: stands nowhere"),
            ("timeout = \"2m\"", "timeout = \"2 minutes\"", "tasks.restart-unit.timeout"),
            ("timeout = \"2m\"", "timeout = \"2d\"", "tasks.restart-unit.timeout: from 1s to 1d"),
            ("memory_mib = 64", "memory_mib = 1", "tasks.restart-unit.memory_mib"),
            ("processes = 8", "processes = 0", "tasks.restart-unit.processes"),
            ("output_kib = 16", "output_kib = 5000", "tasks.restart-unit.output_kib"),
            ("maintenance = \"10m\"", "maintenance = true", "maintenance"),
            ("maintenance = \"10m\"", "maintenance = \"soon\"", "tasks.restart-unit.maintenance: "),
            ("maintenance = \"10m\"", "maintenance = \"0s\"", "tasks.restart-unit.maintenance: from 1s to 1h"),
            ("maintenance = \"10m\"", "maintenance = \"2h\"", "tasks.restart-unit.maintenance: from 1s to 1h"),
            ("[a-z0-9@-]+", "[", "tasks.restart-unit.parameters.unit: pattern"),
            ("values = [\"restart\", \"reload\"]", "values = []", "tasks.restart-unit.parameters.how: a choice"),
            ("from = 1, to = 10", "from = 11, to = 10", "tasks.ping.parameters.count: an integer"),
            ("from = 1, to = 10", "from = 1, to = 10, values = [\"1\"]", "values means nothing"),
            ("kind = \"host\"", "kind = \"path\"", "tasks.ping.parameters.host: \"path\" is none of"),
            ("[tasks.ping]", "[tasks.Ping]", "tasks.Ping.name"),
        ] {
            let document = GOOD.replacen(from, to, 1);
            let error = Catalogue::parse(&document).unwrap_err().to_string();
            assert!(error.contains(place), "{from} as {to}: {error}");
        }
        let both = GOOD.replace("processes = 8", "processes = 0").replace("memory_mib = 64", "memory_mib = 0");
        assert_eq!(Catalogue::parse(&both).unwrap_err().problems.len(), 2, "all at once");
        let long = format!("{GOOD}#{}", "x".repeat(256 << 10));
        assert!(Catalogue::parse(&long).unwrap_err().to_string().contains("256 KiB"));
    }
}
