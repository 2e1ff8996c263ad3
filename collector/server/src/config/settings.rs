//! The table of all keys: how each is read, and whether a reload takes it. A key is one line here and a field of [`Config`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use muster_common::time::parse_span;

use super::Config;
use super::table::Scalar;

/// One key.
pub(crate) struct Rule {
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
    /// Whether a reload puts a changed value in force; the others want a restart.
    pub(crate) reloads: bool,
    pub(crate) set: fn(&mut Config, &Scalar) -> Result<(), String>,
    pub(crate) is_same: fn(&Config, &Config) -> bool,
}

/// One line of the table: section, key, when a change takes effect, the field, and how its value is read.
macro_rules! key {
    ($section:literal, $key:literal, $reloads:expr, $($field:ident).+, $read:expr) => {
        Rule {
            section: $section,
            key: $key,
            reloads: $reloads,
            set: |config, value| {
                let read: fn(&Scalar) -> Result<_, String> = $read;
                config.$($field).+ = read(value)?;
                Ok(())
            },
            is_same: |a, b| a.$($field).+ == b.$($field).+,
        }
    };
}

const AT_RELOAD: bool = true;
const AT_RESTART: bool = false;
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

pub(crate) const RULES: &[Rule] = &[
    key!("storage", "data", AT_RESTART, data, |value| text(value).map(PathBuf::from)),
    key!("http", "listen", AT_RESTART, http.listen, address),
    key!("http", "connections_max", AT_RESTART, http.connections_max, |value| whole(value, 1, 100_000)),
    key!("http", "tls", AT_RESTART, http.tls, |value| truth(value).map(Some)),
    key!("http", "cert", AT_RELOAD, http.cert, path),
    key!("http", "key", AT_RELOAD, http.key, path),
    key!("http", "socket", AT_RESTART, http.socket, path),
    key!("agents", "listen", AT_RESTART, agents.listen, address),
    key!("agents", "spread", AT_RESTART, agents.spread, |value| span(value, Duration::ZERO, 600 * SECOND)),
    // Shorter than an agent's slowest batches would make silence of a pause.
    key!("agents", "silent_after", AT_RESTART, agents.silent_after, |value| span(value, 10 * SECOND, 3_600 * SECOND)),
    key!("agents", "advertise", AT_RESTART, agents.advertise, host),
    key!("install", "packages", AT_RESTART, install.packages, |value| text(value).map(PathBuf::from)),
    key!("retention", "metrics", AT_RESTART, retention.metrics, |value| span(value, DAY, CENTURY)),
    key!("retention", "logs", AT_RESTART, retention.logs, |value| span(value, DAY, CENTURY)),
    key!("retention", "events", AT_RESTART, retention.events, |value| span(value, DAY, CENTURY)),
    key!("store", "maintenance_interval", AT_RELOAD, store.maintenance_interval, |value| span(
        value,
        SECOND,
        600 * SECOND
    )),
    key!("query", "timeout", AT_RELOAD, query.timeout, |value| span(value, SECOND, 3_600 * SECOND)),
    key!("query", "lookback", AT_RELOAD, query.lookback, |value| span(value, SECOND, DAY)),
    key!("query", "series_max", AT_RELOAD, query.series_max, |value| whole(value, 1, 100_000_000)),
    key!("query", "samples_max", AT_RELOAD, query.samples_max, |value| whole(value, 1, 10_000_000_000)),
    key!("query", "running_max", AT_RESTART, query.running_max, |value| whole(value, 1, 256)),
    key!("query", "waiting_max", AT_RESTART, query.waiting_max, |value| whole(value, 0, 100_000)),
    key!("runtime", "workers", AT_RESTART, runtime.workers, |value| whole(value, 1, 256)),
    key!("profiles", "folder", AT_RELOAD, profiles.folder, path),
    key!("discovery", "rules", AT_RELOAD, discovery.rules, path),
    key!("discovery", "gone_days", AT_RELOAD, discovery.gone_days, |value| whole(value, 1, 3_650)
        .map(|days| u32::try_from(days).unwrap_or(u32::MAX))),
    key!("deploys", "file", AT_RELOAD, deploys.file, path),
    key!("tasks", "keys", AT_RELOAD, tasks.keys, path),
    key!("tasks", "calls_a_minute", AT_RELOAD, tasks.calls_a_minute, |value| whole(value, 1, 100_000)
        .map(|calls| u32::try_from(calls).unwrap_or(u32::MAX))),
    key!("tasks", "approvals", AT_RELOAD, tasks.approvals, |value| whole(value, 0, 8)
        .map(|approvals| u8::try_from(approvals).unwrap_or(u8::MAX))),
    key!("heartbeat", "url", AT_RELOAD, heartbeat.url, web_address),
    key!("heartbeat", "fail_url", AT_RELOAD, heartbeat.fail_url, web_address),
    key!("heartbeat", "interval", AT_RELOAD, heartbeat.interval, |value| span(value, 5 * SECOND, 3_600 * SECOND)),
    key!("snapshot", "folder", AT_RELOAD, snapshot.folder, |value| text(value).map(PathBuf::from).map(Some)),
    key!("snapshot", "key_file", AT_RELOAD, snapshot.key_file, |value| text(value).map(PathBuf::from).map(Some)),
    key!("snapshot", "every", AT_RELOAD, snapshot.every, |value| match value {
        Scalar::Text(text) if text == "off" => Ok(Duration::ZERO),
        _ => span(value, 60 * SECOND, 366 * DAY),
    }),
    key!("snapshot", "keep", AT_RELOAD, snapshot.keep, |value| whole(value, 1, 10_000)),
    key!("log", "level", AT_RELOAD, log.level, filter),
];

/// The names of all sections.
pub fn sections() -> Vec<&'static str> {
    let mut names: Vec<_> = RULES.iter().map(|rule| rule.section).collect();
    names.dedup();
    names
}

/// Keys (`section.key`) that differ between the two and that a reload cannot put in force.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let changed = RULES.iter().filter(|rule| !rule.reloads && !(rule.is_same)(old, new));
    changed.map(|rule| format!("{}.{}", rule.section, rule.key)).collect()
}

fn text(value: &Scalar) -> Result<String, String> {
    match value {
        Scalar::Text(text) if !text.is_empty() => Ok(text.clone()),
        Scalar::Text(_) => Err("this must not be empty".to_owned()),
        other => Err(format!("this must be a text in quotes, not {}", other.kind())),
    }
}

fn path(value: &Scalar) -> Result<Option<PathBuf>, String> {
    text(value).map(|path| Some(PathBuf::from(path)))
}

fn truth(value: &Scalar) -> Result<bool, String> {
    match value {
        Scalar::Truth(truth) => Ok(*truth),
        other => Err(format!("this must be true or false, not {}", other.kind())),
    }
}

fn host(value: &Scalar) -> Result<Option<String>, String> {
    let text = text(value)?;
    if muster_api::is_host(&text) {
        return Ok(Some(text));
    }
    Err(format!("`{text}` is no host: write a name or an address without a port, such as \"collector.example\""))
}

fn whole(value: &Scalar, min: usize, max: usize) -> Result<usize, String> {
    match value {
        Scalar::Whole(number) => usize::try_from(*number)
            .ok()
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| format!("{number} is out of bounds: write a whole number from {min} to {max}")),
        other => Err(format!("this must be a whole number from {min} to {max}, not {}", other.kind())),
    }
}

fn span(value: &Scalar, min: Duration, max: Duration) -> Result<Duration, String> {
    use muster_common::time::Span;
    let Scalar::Text(text) = value else {
        return Err(format!("this must be a duration in quotes, such as \"30s\", not {}", value.kind()));
    };
    let read = parse_span(text).map_err(|error| error.to_string())?;
    if (min..=max).contains(&read) {
        Ok(read)
    } else {
        Err(format!("`{text}` is out of bounds: write a duration from {} to {}", Span(min), Span(max)))
    }
}

fn address(value: &Scalar) -> Result<SocketAddr, String> {
    let text = text(value)?;
    text.parse().map_err(|_| {
        format!("`{text}` is no address: write ADDRESS:PORT with a numeric address, such as \"127.0.0.1:9470\" or \"[::1]:9470\"")
    })
}

fn web_address(value: &Scalar) -> Result<String, String> {
    let text = text(value)?;
    muster_alert::notify::HeartbeatUrl::new(&text).map(|_| text)
}

fn filter(value: &Scalar) -> Result<String, String> {
    let text = text(value)?;
    match tracing_subscriber::EnvFilter::builder().parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("`{text}` is no log level ({error}): write error, warn, info, debug or trace")),
    }
}

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn every_key_stands_in_the_file_that_comes_along() {
        let text = include_str!("../../../../packaging/collector/collector.toml");
        for rule in RULES {
            let section =
                text.split(&format!("\n#[{}]\n", rule.section)).nth(1).and_then(|rest| rest.split("\n#[").next());
            let key = format!("#{} = ", rule.key);
            let is_there = section.is_some_and(|section| section.lines().any(|line| line.starts_with(&key)));
            assert!(is_there, "packaging/collector/collector.toml has no `{key}` below `#[{}]`", rule.section);
        }
    }
}
