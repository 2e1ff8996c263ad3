//! Which version has been where since when, found out of the deploys alone: pure.
//!
//! A deploy that ended well puts its version on its hosts at its end; one that failed or was rolled back changes nothing but that it is known
//! to have done so. A host that came later has what was deployed to all hosts last. So whatever the table of deploys says is the whole answer,
//! and a restart changes none.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::host::HostId;

use super::deploy::{Deploy, DeploySource, DeployState};

/// A version of a service in an environment. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSeen {
    pub service: String,
    pub env: String,
    pub version: String,
    /// Hosts that have it now, by id.
    pub hosts: Vec<HostId>,
    /// Since when some host has it, the last time that it came; `None`: it never ended well on a host that is still there.
    pub since_ms: Option<i64>,
    /// When the last host lost it; `None`: some host has it, or none ever had.
    pub until_ms: Option<i64>,
    /// Since when all hosts have had it, the last time that they did; `None`: never all at once.
    pub whole_ms: Option<i64>,
    /// When the first host lost it after that; `None`: all have it.
    pub whole_until_ms: Option<i64>,
    /// The longest that all hosts had it before the last time, milliseconds.
    pub soaked_before_ms: i64,
    /// The last deploy of it that ended well, and when.
    pub ok: Option<(u64, i64)>,
    /// The last deploy of it that failed or was rolled back, and when.
    pub failed: Option<(u64, i64)>,
    /// Who told of the last one that ended well or badly.
    pub source: DeploySource,
}

impl VersionSeen {
    /// How long all hosts have had it without a break, milliseconds; of several times the longest.
    pub fn soaked_ms(&self, now_ms: i64) -> i64 {
        let last = self.whole_ms.map_or(0, |from| self.whole_until_ms.unwrap_or(now_ms).saturating_sub(from));
        last.max(self.soaked_before_ms)
    }

    /// Whether some host has it now.
    pub fn is_there(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// Whether its last deploy that ended did not end well.
    pub fn has_failed(&self) -> bool {
        match (self.ok, self.failed) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some((ok, ok_ms)), Some((failed, failed_ms))) => (failed_ms, failed) > (ok_ms, ok),
        }
    }
}

/// The versions of one service in one environment, the one deployed last first. `deploys`: all of theirs in any order; `hosts`: those that it
/// has there now.
pub(crate) fn versions<'d>(
    (service, env): (&str, &str),
    deploys: impl Iterator<Item = &'d Deploy>,
    hosts: &BTreeSet<HostId>,
) -> Vec<VersionSeen> {
    let mut ended: Vec<(i64, &Deploy)> =
        deploys.filter_map(|deploy| Some((deploy.ended_ms?, deploy))).filter(|(_, one)| is_judged(one.state)).collect();
    ended.sort_unstable_by_key(|(ended_ms, deploy)| (*ended_ms, deploy.id));
    let mut sweep = Sweep { hosts, at: BTreeMap::new(), seen: BTreeMap::new() };
    for (ended_ms, deploy) in &ended {
        let seen = sweep.seen.entry(deploy.version.as_str()).or_insert_with(|| VersionSeen {
            service: service.to_owned(),
            env: env.to_owned(),
            version: deploy.version.clone(),
            hosts: Vec::new(),
            since_ms: None,
            until_ms: None,
            whole_ms: None,
            whole_until_ms: None,
            soaked_before_ms: 0,
            ok: None,
            failed: None,
            source: deploy.source,
        });
        seen.source = deploy.source;
        if deploy.state == DeployState::Ok {
            seen.ok = Some((deploy.id, *ended_ms));
            sweep.put(deploy, *ended_ms);
        } else {
            seen.failed = Some((deploy.id, *ended_ms));
        }
    }
    let Sweep { at, mut seen, .. } = sweep;
    for (host, version) in at {
        if let Some(seen) = seen.get_mut(version) {
            seen.hosts.push(host);
        }
    }
    let mut all: Vec<VersionSeen> = seen.into_values().collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.ok.max(one.failed).map(|(id, ms)| (ms, id))));
    all
}

const fn is_judged(state: DeployState) -> bool {
    matches!(state, DeployState::Ok | DeployState::Failed | DeployState::RolledBack)
}

/// The hosts as they are after some of the deploys.
struct Sweep<'d> {
    hosts: &'d BTreeSet<HostId>,
    at: BTreeMap<HostId, &'d str>,
    seen: BTreeMap<&'d str, VersionSeen>,
}

impl<'d> Sweep<'d> {
    fn put(&mut self, deploy: &'d Deploy, now_ms: i64) {
        let covered: Vec<HostId> = if deploy.hosts.is_empty() {
            self.hosts.iter().copied().collect()
        } else {
            let named = deploy.hosts.iter().filter_map(|host| HostId::parse(host));
            named.filter(|host| self.hosts.contains(host)).collect()
        };
        let version = deploy.version.as_str();
        let mut lost: BTreeSet<&str> = BTreeSet::new();
        for host in covered {
            if let Some(before) = self.at.insert(host, version).filter(|before| *before != version) {
                lost.insert(before);
            }
        }
        for before in lost {
            let left = self.count(before);
            if let Some(seen) = self.seen.get_mut(before) {
                if seen.whole_ms.is_some() {
                    seen.whole_until_ms.get_or_insert(now_ms);
                }
                if left == 0 {
                    seen.until_ms = Some(now_ms);
                }
            }
        }
        let (count, all) = (self.count(version), self.hosts.len());
        let Some(seen) = self.seen.get_mut(version).filter(|_| count > 0) else { return };
        if seen.since_ms.is_none() || seen.until_ms.take().is_some() {
            seen.since_ms = Some(now_ms);
        }
        if count == all {
            match (seen.whole_ms, seen.whole_until_ms) {
                // All had it already: it goes on.
                (Some(_), None) => {}
                (before, until) => {
                    let soaked = before.zip(until).map_or(0, |(from, to)| to.saturating_sub(from));
                    seen.soaked_before_ms = seen.soaked_before_ms.max(soaked);
                    (seen.whole_ms, seen.whole_until_ms) = (Some(now_ms), None);
                }
            }
        }
    }

    fn count(&self, version: &str) -> usize {
        self.at.values().filter(|one| **one == version).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u8) -> HostId {
        HostId([number; 16])
    }

    /// Number, version, hosts (none: all), end, state.
    type Told<'a> = (u64, &'a str, &'a [u8], i64, DeployState);

    fn deploy(&(id, version, hosts, ended_ms, state): &Told<'_>) -> Deploy {
        Deploy {
            id,
            service: "shop".into(),
            version: version.into(),
            env: "staging".into(),
            state,
            source: DeploySource::Api,
            hosts: hosts.iter().map(|number| host(*number).to_string()).collect(),
            matchers: String::new(),
            started_ms: ended_ms - 1,
            ended_ms: (state != DeployState::Running).then_some(ended_ms),
            by: String::new(),
            link: String::new(),
            note: String::new(),
            key: String::new(),
            package: String::new(),
            announced: String::new(),
            freeze: String::new(),
            lifted: None,
        }
    }

    fn seen(told: &[Told<'_>], hosts: &[u8]) -> Vec<VersionSeen> {
        let deploys: Vec<Deploy> = told.iter().map(deploy).collect();
        versions(("shop", "staging"), deploys.iter(), &hosts.iter().map(|number| host(*number)).collect())
    }

    use DeployState::{Abandoned, Failed, Ok as Good, RolledBack, Running};

    #[test]
    fn a_version_is_there_from_its_end_until_another_is() {
        let all = seen(&[(1, "1", &[], 100, Good), (2, "2", &[], 300, Good)], &[1, 2]);
        let [two, one] = &all[..] else { panic!("{all:?}") };
        assert_eq!((two.version.as_str(), two.since_ms, two.until_ms, two.hosts.len()), ("2", Some(300), None, 2));
        assert_eq!((one.since_ms, one.until_ms, one.hosts.len()), (Some(100), Some(300), 0));
        assert_eq!((one.soaked_ms(900), two.soaked_ms(900), one.is_there()), (200, 600, false));
    }

    #[test]
    fn what_did_not_end_well_changes_nothing_but_that_it_did_not() {
        let all = seen(
            &[
                (1, "1", &[], 100, Good),
                (2, "2", &[], 200, Failed),
                (3, "3", &[], 300, RolledBack),
                (4, "4", &[], 400, Abandoned),
                (5, "5", &[], 500, Running),
            ],
            &[1],
        );
        let told: Vec<_> = all.iter().map(|one| (one.version.as_str(), one.has_failed(), one.soaked_ms(600))).collect();
        assert_eq!(told, [("3", true, 0), ("2", true, 0), ("1", false, 500)]);
        // It failed, and then it did not.
        let all = seen(&[(1, "1", &[], 100, Failed), (2, "1", &[], 200, Good)], &[1]);
        assert_eq!((all[0].has_failed(), all[0].failed, all[0].ok), (false, Some((1, 100)), Some((2, 200))));
        let all = seen(&[(1, "1", &[], 100, Good), (2, "1", &[], 200, RolledBack)], &[1]);
        assert_eq!((all[0].has_failed(), all[0].soaked_ms(500)), (true, 400));
    }

    #[test]
    fn a_soak_counts_while_all_hosts_have_it() {
        let told: &[Told<'_>] = &[
            (1, "1", &[], 0, Good),
            (2, "2", &[1], 100, Good),
            (3, "2", &[2, 3], 400, Good),
            // Again to all: the soak goes on.
            (4, "2", &[], 500, Good),
            (5, "3", &[3], 600, Good),
            (6, "2", &[3], 900, Good),
        ];
        let after = |count: usize| seen(&told[..count], &[1, 2, 3]);
        let of = |all: &[VersionSeen], version: &str| all.iter().find(|one| one.version == version).unwrap().clone();
        let two = of(&after(2), "2");
        assert_eq!(
            (two.since_ms, two.whole_ms, &two.hosts[..], two.soaked_ms(1_000)),
            (Some(100), None, &[host(1)][..], 0)
        );
        let one = of(&after(2), "1");
        assert_eq!(
            (one.until_ms, one.whole_until_ms, one.hosts.len(), one.soaked_ms(1_000)),
            (None, Some(100), 2, 100)
        );
        assert_eq!(of(&after(3), "2").soaked_ms(1_000), 600);
        assert_eq!(of(&after(4), "2").soaked_ms(1_000), 600);
        assert_eq!(of(&after(5), "2").soaked_ms(1_000), 200);
        // Whole again since 900; the longest counts.
        let two = of(&after(6), "2");
        assert_eq!((two.soaked_ms(1_000), two.soaked_ms(1_200), two.since_ms), (200, 300, Some(100)));
        assert_eq!(of(&after(6), "3").until_ms, Some(900));
    }

    #[test]
    fn hosts_that_came_later_have_what_all_got_and_those_that_left_do_not_count() {
        let told: &[Told<'_>] = &[(1, "1", &[], 100, Good), (2, "2", &[9], 200, Good)];
        let all = seen(told, &[1, 2, 3]);
        assert_eq!(
            all.iter().map(|one| (one.version.as_str(), one.hosts.len())).collect::<Vec<_>>(),
            [("2", 0), ("1", 3)]
        );
        assert_eq!((all[0].since_ms, all[0].ok, all[1].soaked_ms(300)), (None, Some((2, 200)), 200));
        let none = seen(told, &[]);
        assert_eq!((none.len(), none[1].soaked_ms(300), none[1].ok), (2, 0, Some((1, 100))));
    }
}
