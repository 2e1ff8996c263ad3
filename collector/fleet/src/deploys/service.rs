//! A service: hosts by their labels, and what of them belongs to it.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::matcher::Matcher;
use muster_common::matcher_text::{all_match_by, read_matchers};

use super::rate::{RateSpec, SERVICE_RATES_MAX};

/// Services of one collector: each is asked about every change of a package.
pub const SERVICES_MAX: usize = 500;
/// Units, checks, streams, packages or repositories of one service.
pub const SERVICE_PARTS_MAX: usize = 50;
/// Bytes of the name of a service or of an environment: what a label's value in a host name may have.
pub(super) const SERVICE_NAME_BYTES_MAX: usize = 63;
/// Bytes of each text of a service or a freeze.
pub(super) const TEXT_BYTES_MAX: usize = 1_024;
/// The label of hosts that says which environment they stand in.
pub const ENV_LABEL: &str = "env";

/// A service as it is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceSpec {
    pub name: String,
    /// Over `host` and the host's labels: `role=web`. Which environment a host stands in is its label `env`.
    pub hosts: String,
    /// Names of units.
    pub units: Vec<String>,
    /// Names of checks; none: all of its hosts.
    pub checks: Vec<String>,
    /// Selectors of log streams: `{unit="shop.service"}`; none: all of its hosts.
    pub streams: Vec<String>,
    /// Names of packages whose change is a deploy of it.
    pub packages: Vec<String>,
    /// Repositories whose webhooks tell of it: `acme/shop`.
    pub repositories: Vec<String>,
    /// What it is compared by, beside its lines.
    pub rates: Vec<RateSpec>,
}

/// One with its texts read.
#[derive(Clone, Debug)]
pub(crate) struct ReadService {
    pub(crate) spec: ServiceSpec,
    hosts: Vec<Matcher>,
}

impl ReadService {
    /// The error says what is wrong, and what to do.
    pub(crate) fn new(spec: ServiceSpec) -> Result<Self, (&'static str, String)> {
        check_name(&spec.name).map_err(|why| ("name", why))?;
        if spec.hosts.len() > TEXT_BYTES_MAX {
            return Err(("hosts", format!("the matchers are longer than {TEXT_BYTES_MAX} bytes: shorten them")));
        }
        let hosts =
            read_matchers(&spec.hosts).map_err(|error| ("hosts", format!("the matchers cannot be read: {error}")))?;
        if hosts.is_empty() {
            return Err(("hosts", "it names no hosts: write matchers of their labels, such as role=web".to_owned()));
        }
        let lists = [
            ("units", &spec.units),
            ("checks", &spec.checks),
            ("streams", &spec.streams),
            ("packages", &spec.packages),
            ("repositories", &spec.repositories),
        ];
        for (key, list) in lists {
            if list.len() > SERVICE_PARTS_MAX {
                return Err((key, format!("there are more than {SERVICE_PARTS_MAX}: leave some out")));
            }
            if list.iter().any(|text| text.trim().is_empty() || text.len() > TEXT_BYTES_MAX) {
                return Err((key, format!("one of them is empty or longer than {TEXT_BYTES_MAX} bytes: correct it")));
            }
        }
        for stream in &spec.streams {
            let read = read_matchers(stream)
                .map_err(|error| ("streams", format!("the selector `{}` cannot be read: {error}", clean(stream))))?;
            if read.is_empty() {
                return Err(("streams", "a selector is empty: write such as {unit=\"shop.service\"}".to_owned()));
            }
        }
        if spec.rates.len() > SERVICE_RATES_MAX {
            return Err(("rates", format!("there are more than {SERVICE_RATES_MAX}: leave some out")));
        }
        let mut names = BTreeSet::new();
        for rate in &spec.rates {
            rate.check().map_err(|(_, why)| ("rates", why))?;
            if !names.insert(&rate.name) {
                let told = format!("two of them are named `{}`: give each a name of its own", clean(&rate.name));
                return Err(("rates", told));
            }
        }
        Ok(Self { spec, hosts })
    }

    pub(crate) fn has_host(&self, host: &str, labels: &BTreeMap<String, String>) -> bool {
        is_matched(&self.hosts, host, labels)
    }
}

/// Whether matchers over `host` and labels fit this host.
pub(super) fn is_matched(matchers: &[Matcher], host: &str, labels: &BTreeMap<String, String>) -> bool {
    all_match_by(matchers, |name| if name == "host" { Some(host) } else { labels.get(name).map(String::as_str) })
}

/// What must have been there before something goes to an environment: `[gate]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentRule {
    /// Environments that a version must have been in.
    pub after: Vec<String>,
    /// For how long, milliseconds.
    pub soak_ms: i64,
}

/// The first environment that leads back to itself over `after`, if any does.
pub(super) fn circle(rules: &BTreeMap<String, EnvironmentRule>) -> Option<&str> {
    let leads_back = |start: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(env) = next.pop() {
            for before in rules.get(env).into_iter().flat_map(|rule| &rule.after) {
                if before == start {
                    return true;
                }
                if seen.insert(before) {
                    next.push(before);
                }
            }
        }
        false
    };
    rules.keys().map(String::as_str).find(|env| leads_back(env))
}

/// Lower-case letters, digits, `_`, `.` and `-`, the first being a letter: so no name is a number of something that the API made.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
    let is_good = name.len() <= SERVICE_NAME_BYTES_MAX
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && name.bytes().all(is_letter);
    is_good.then_some(()).ok_or_else(|| {
        format!(
            "`{}` is no name: lower-case letters, digits, `_`, `.` and `-` are allowed, the first being a letter, {SERVICE_NAME_BYTES_MAX} at most",
            clean(name)
        )
    })
}

/// A foreign text for people: without what would change their terminal, and not for long.
pub(super) fn clean(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    let shown = text.chars().map(|letter| if letter.is_control() { '?' } else { letter });
    shown.take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ServiceSpec {
        ServiceSpec { name: "shop".into(), hosts: "role=web".into(), ..ServiceSpec::default() }
    }

    fn rate(name: &str) -> RateSpec {
        RateSpec { name: name.into(), bad: "x_total".into(), all: "y_total".into() }
    }

    #[test]
    fn a_service_has_the_hosts_that_its_matchers_fit() {
        let service = ReadService::new(ServiceSpec { hosts: "role=web, host!=web9".into(), ..spec() }).unwrap();
        let labels = |role: &str| BTreeMap::from([("role".to_owned(), role.to_owned())]);
        for (host, role, is_its) in [("web1", "web", true), ("web9", "web", false), ("web1", "db", false)] {
            assert_eq!(service.has_host(host, &labels(role)), is_its, "{host} {role}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_key() {
        for (bad, key, told) in [
            (ServiceSpec { name: "9shop".into(), ..spec() }, "name", "is no name"),
            (ServiceSpec { name: "Shop".into(), ..spec() }, "name", "is no name"),
            (ServiceSpec { hosts: String::new(), ..spec() }, "hosts", "names no hosts"),
            (ServiceSpec { hosts: "role".into(), ..spec() }, "hosts", "cannot be read"),
            (ServiceSpec { units: vec![String::new()], ..spec() }, "units", "is empty"),
            (ServiceSpec { checks: vec!["x".into(); 51], ..spec() }, "checks", "more than 50"),
            (ServiceSpec { streams: vec!["{unit}".into()], ..spec() }, "streams", "cannot be read"),
            (ServiceSpec { streams: vec!["{}".into()], ..spec() }, "streams", "is empty"),
            (ServiceSpec { packages: vec!["x".repeat(1_025)], ..spec() }, "packages", "longer than"),
            (ServiceSpec { rates: vec![RateSpec::default()], ..spec() }, "rates", "is empty"),
            (ServiceSpec { rates: vec![rate("a"), rate("b"), rate("a")], ..spec() }, "rates", "are named `a`"),
            (
                ServiceSpec { rates: (0..11).map(|at| rate(&at.to_string())).collect(), ..spec() },
                "rates",
                "more than 10",
            ),
        ] {
            let (found, why) = ReadService::new(bad).unwrap_err();
            assert!(found == key && why.contains(told), "{found}: {why}");
        }
    }

    #[test]
    fn environments_that_wait_for_themselves_are_found() {
        let rule =
            |after: &[&str]| EnvironmentRule { after: after.iter().map(|env| (*env).to_owned()).collect(), soak_ms: 0 };
        let rules = |all: &[(&str, &[&str])]| -> BTreeMap<String, EnvironmentRule> {
            all.iter().map(|(env, after)| ((*env).to_owned(), rule(after))).collect()
        };
        for (all, expect) in [
            (rules(&[("production", &["staging"]), ("staging", &["test"])]), None),
            (rules(&[("production", &["staging", "test"]), ("staging", &["test"])]), None),
            (rules(&[("a", &["a"])]), Some("a")),
            (rules(&[("b", &["a"]), ("a", &["c"]), ("c", &["b"])]), Some("a")),
        ] {
            assert_eq!(circle(&all), expect);
        }
    }
}
