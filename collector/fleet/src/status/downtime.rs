//! Downtimes: times at which problems of what they match are not told, because somebody works there.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::host::HostId;
use muster_common::matcher::Matcher;
use muster_common::matcher_text::{all_match_by, read_matchers};
use serde::{Deserialize, Serialize};

use super::window::Window;

/// Bytes of each text of a downtime.
const TEXT_BYTES_MAX: usize = 1_024;

/// A downtime as somebody asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DowntimeSpec {
    /// Over `host`, the host's labels, and `check`: `host=web1, check=~"disk.*"`. All must match.
    pub matchers: String,
    pub starts_ms: i64,
    pub ends_ms: i64,
    /// `sun 02:00-04:00`, `mon-fri 22:00-06:00`, `daily 03:00-03:30`: only then, between start and end; empty: all of that time.
    #[serde(default)]
    pub recurrence: String,
    /// IANA name of the zone of `recurrence`; empty: UTC.
    #[serde(default)]
    pub zone: String,
    pub owner: String,
    pub reason: String,
    /// Ids of hosts that it is about beside those that match; only a maintenance names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

/// A downtime that is not over: table `downtimes`, key its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downtime {
    pub id: u64,
    #[serde(flatten)]
    pub spec: DowntimeSpec,
}

impl Downtime {
    /// Whether it is on now.
    pub fn is_on(&self, now_ms: i64) -> bool {
        ReadDowntime::new(self.clone()).is_ok_and(|read| read.is_on(now_ms))
    }
}

/// One with its texts read.
#[derive(Clone, Debug)]
pub(crate) struct ReadDowntime {
    pub row: Downtime,
    hosts: BTreeSet<HostId>,
    matchers: Vec<Matcher>,
    window: Window,
}

impl ReadDowntime {
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn new(row: Downtime) -> Result<Self, String> {
        let spec = &row.spec;
        let texts = [&spec.matchers, &spec.recurrence, &spec.zone, &spec.owner, &spec.reason];
        if texts.iter().any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(format!("a text of it is longer than {TEXT_BYTES_MAX} bytes: shorten it"));
        }
        let hosts: BTreeSet<HostId> = spec.hosts.iter().filter_map(|host| HostId::parse(host)).collect();
        let is_by_id = !hosts.is_empty() && spec.matchers.trim().is_empty();
        let matchers = if is_by_id { Vec::new() } else { matchers_of(&spec.matchers)? };
        let window = Window::new((spec.starts_ms, spec.ends_ms), &spec.recurrence, &spec.zone)?;
        Ok(Self { row, hosts, matchers, window })
    }

    /// Whether it is over for good.
    pub(crate) fn is_over(&self, now_ms: i64) -> bool {
        now_ms >= self.row.spec.ends_ms
    }

    pub(crate) fn is_on(&self, now_ms: i64) -> bool {
        self.window.is_on(now_ms)
    }

    /// Whether it is on at some moment after `since_ms` and not after `at_ms`, as far as two weeks after the first show.
    pub(crate) fn touches(&self, since_ms: i64, at_ms: i64) -> bool {
        self.window.touches(since_ms, at_ms)
    }

    /// When it begins or ends next; `None`: never again, as far as two weeks ahead show.
    pub(crate) fn next_change(&self, now_ms: i64) -> Option<i64> {
        self.window.next_change(now_ms)
    }

    /// Whether it is about this host, or this check of it.
    pub(crate) fn is_about(
        &self,
        id: HostId,
        host: &str,
        labels: &BTreeMap<String, String>,
        check: Option<&str>,
    ) -> bool {
        let label = |name: &str| match name {
            "host" => Some(host),
            "check" => check,
            _ => labels.get(name).map(String::as_str),
        };
        self.hosts.contains(&id) || !self.matchers.is_empty() && all_match_by(&self.matchers, label)
    }

    /// The times between these two at which it is on, in order and apart from each other, milliseconds.
    pub(crate) fn windows_within(&self, from_ms: i64, to_ms: i64) -> Vec<(i64, i64)> {
        self.window.within(from_ms, to_ms)
    }
}

fn matchers_of(text: &str) -> Result<Vec<Matcher>, String> {
    match read_matchers(text) {
        Ok(matchers) if matchers.is_empty() => Err("no matcher: write such as host=\"web1\"".to_owned()),
        Ok(matchers) => Ok(matchers),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> DowntimeSpec {
        let (owner, reason) = ("ann".to_owned(), "disks".to_owned());
        DowntimeSpec {
            matchers: "host=web1".into(),
            starts_ms: 10,
            ends_ms: 20,
            owner,
            reason,
            ..DowntimeSpec::default()
        }
    }

    fn read(spec: DowntimeSpec) -> Result<ReadDowntime, String> {
        ReadDowntime::new(Downtime { id: 1, spec })
    }

    #[test]
    fn a_single_one_is_on_from_start_to_end() {
        let downtime = read(spec()).unwrap();
        for (now, is_on, is_over, next) in [
            (9, false, false, Some(10)),
            (10, true, false, Some(20)),
            (19, true, false, Some(20)),
            (20, false, true, None),
        ] {
            let stands = (downtime.is_on(now), downtime.is_over(now), downtime.next_change(now));
            assert_eq!(stands, (is_on, is_over, next), "{now}");
        }
    }

    #[test]
    fn a_recurring_one_is_on_in_its_windows_between_start_and_end() {
        let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let (starts_ms, ends_ms) = (ms("2026-10-18T00:30:00Z"), ms("2026-10-25T02:30:00Z"));
        let (recurrence, zone) = ("sun 02:00-04:00".to_owned(), "Europe/Berlin".to_owned());
        let downtime = read(DowntimeSpec { starts_ms, ends_ms, recurrence, zone, ..spec() }).unwrap();
        for (now, is_on, next) in [
            // On 2026-10-18 from 00:00 to 02:00 UTC; cut by the start.
            ("2026-10-17T12:00:00Z", false, "2026-10-18T00:30:00Z"),
            ("2026-10-18T00:30:00Z", true, "2026-10-18T02:00:00Z"),
            ("2026-10-18T02:00:00Z", false, "2026-10-25T00:00:00Z"),
            // The clocks are set back at 01:00 UTC: to 03:00 UTC, cut by the end.
            ("2026-10-25T01:59:00Z", true, "2026-10-25T02:30:00Z"),
        ] {
            assert_eq!((downtime.is_on(ms(now)), downtime.next_change(ms(now))), (is_on, Some(ms(next))), "{now}");
        }
        assert_eq!((downtime.is_on(ends_ms), downtime.next_change(ends_ms)), (false, None));
    }

    #[test]
    fn matchers_see_host_labels_and_check() {
        let labels = BTreeMap::from([("site".to_owned(), "b".to_owned())]);
        for (matchers, check, is_about) in [
            ("host=web1", Some("disk"), true),
            ("host=web1", None, true),
            ("host=web2", Some("disk"), false),
            ("site=b, check=~\"d.*\"", Some("disk"), true),
            ("site=b, check=~\"d.*\"", None, false),
            ("check=\"\"", None, true),
        ] {
            let downtime = read(DowntimeSpec { matchers: matchers.into(), ..spec() }).unwrap();
            let about = downtime.is_about(HostId([1; 16]), "web1", &labels, check);
            assert_eq!(about, is_about, "{matchers} {check:?}");
        }
    }

    #[test]
    fn hosts_by_id_are_meant_whatever_they_are_called() {
        let hosts = vec![HostId([1; 16]).to_string()];
        let none = BTreeMap::new();
        for (matchers, is_about) in [("", [true, false, false]), ("host=web3", [true, false, true])] {
            let downtime = read(DowntimeSpec { matchers: matchers.into(), hosts: hosts.clone(), ..spec() }).unwrap();
            let about = [(1, "web1"), (2, "web2"), (3, "web3")]
                .map(|(number, name)| downtime.is_about(HostId([number; 16]), name, &none, Some("disk")));
            assert_eq!(about, is_about, "{matchers}");
        }
        assert!(read(DowntimeSpec { matchers: String::new(), hosts: vec!["no id".into()], ..spec() }).is_err());
    }

    #[test]
    fn the_windows_of_a_month_are_all_there_and_cut_by_its_ends() {
        let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let (starts_ms, ends_ms) = (ms("2026-10-01T00:00:00Z"), ms("2027-01-01T00:00:00Z"));
        let (recurrence, zone) = ("daily 23:00-01:00".to_owned(), "Europe/Berlin".to_owned());
        let downtime = read(DowntimeSpec { starts_ms, ends_ms, recurrence, zone, ..spec() }).unwrap();
        // October in Berlin has 31 days and an hour.
        let (from, to) = (ms("2026-09-30T22:00:00Z"), ms("2026-10-31T23:00:00Z"));
        let windows = downtime.windows_within(from, to);
        assert_eq!(windows.len(), 31);
        assert_eq!(windows[0], (ms("2026-10-01T21:00:00Z"), ms("2026-10-01T23:00:00Z")));
        assert_eq!(windows[30], (ms("2026-10-31T22:00:00Z"), to));
        let total: i64 = windows.iter().map(|(from, to)| to - from).sum();
        assert_eq!(total, (30 * 2 + 1) * 3_600_000);
        assert_eq!(read(spec()).unwrap().windows_within(15, 100), [(15, 20)]);
        assert!(read(spec()).unwrap().windows_within(20, 100).is_empty());
    }

    #[test]
    fn bad_ones_are_refused() {
        for bad in [
            DowntimeSpec { matchers: String::new(), ..spec() },
            DowntimeSpec { ends_ms: 10, ..spec() },
            DowntimeSpec { recurrence: "now and then".into(), ..spec() },
            DowntimeSpec { recurrence: "daily 01:00-02:00".into(), zone: "Nowhere".into(), ..spec() },
            DowntimeSpec { reason: "x".repeat(1_025), ..spec() },
        ] {
            assert!(read(bad.clone()).is_err(), "{bad:?}");
        }
    }
}
