//! What is wrong, of all sources, as the default page shows it: alerts that fire, and checks that are not well yet only by their last results.

use std::cmp::Reverse;
use std::collections::HashMap;

use muster_alert::desk::Desk;
use muster_alert::dispatch::severity_rank;
use muster_alert::{Alert, AlertId, Held, HeldReason, Origin};
use muster_common::check::CheckState;
use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_fleet::status::{Acknowledgement, CheckView, HoldReason, Subject};
use serde::{Serialize, Serializer};

use super::alerts::{common_holds, told_ms};
use crate::state::State;
use crate::strip::Mark;

/// One row.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    /// The alert's; of a soft problem `soft:HOST_ID/CHECK`.
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    pub(super) title: String,
    pub(super) host: Option<String>,
    pub(super) host_id: Option<String>,
    pub(super) check: Option<String>,
    pub(super) severity: String,
    /// Of the newest result.
    check_state: Option<&'static str>,
    attempt: Option<u16>,
    max_attempts: Option<u16>,
    pub(super) since_ms: i64,
    owner: Option<String>,
    /// Who was told.
    receivers: Vec<String>,
    is_flapping: bool,
    acknowledgement: Option<Ack>,
    pub(super) holds: Vec<Hold>,
    pub(super) handled: bool,
    value: Option<f64>,
    output: String,
    remedy: Option<String>,
    #[serde(serialize_with = "as_object")]
    labels: LabelSet,
    pub(super) group: String,
    incident: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Ack {
    by: String,
    comment: String,
    at_ms: i64,
    until_ms: Option<i64>,
    sticky: bool,
}

impl Problem {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name)
    }

    /// Why nobody is told of it, in words; empty: people are.
    pub(super) fn held_words(&self) -> String {
        let words = |hold: &Hold| match hold.by.as_str() {
            "" => hold.why.to_owned(),
            by => format!("{} ({by})", hold.why),
        };
        self.holds.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}

/// What of a problem a list of hosts needs.
pub(super) struct Brief {
    /// Of a host's or a check's own alert.
    pub(super) host_id: Option<HostId>,
    /// Label `host` of another one.
    pub(super) host: Option<String>,
    pub(super) id: AlertId,
    pub(super) mark: Mark,
    pub(super) since_ms: i64,
    pub(super) handled: bool,
}

/// Which problems are asked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted<'w> {
    /// Also those that are not confirmed yet.
    pub(super) soft: bool,
    /// Only those of the host of this name.
    pub(super) host: Option<&'w str>,
}

/// Why it is not told, or not by itself.
#[derive(Debug, Serialize)]
pub(super) struct Hold {
    why: &'static str,
    by: String,
    until_ms: Option<i64>,
}

/// Rows that stand together: those of one mail thread, else those of one name and service.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Group {
    key: String,
    title: String,
    count: usize,
    unhandled: usize,
    severity: String,
    since_ms: i64,
}

fn as_object<S: Serializer>(labels: &LabelSet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels.iter())
}

impl From<&Acknowledgement> for Ack {
    fn from(ack: &Acknowledgement) -> Self {
        let (by, comment) = (ack.by.clone(), ack.comment.clone());
        Self { by, comment, at_ms: ack.at_ms, until_ms: ack.until_ms, sticky: ack.is_sticky }
    }
}

/// Whether somebody or something takes care of what is held for this: a person has taken or foreseen it, or another problem that is shown is its
/// reason. What flaps, or comes at night, still wants somebody.
const fn is_cared_for(why: HeldReason) -> bool {
    match why {
        HeldReason::Inhibited | HeldReason::Silenced => true,
        HeldReason::MuteTime | HeldReason::NoData => false,
        HeldReason::Status(why) => match why {
            HoldReason::Acknowledged
            | HoldReason::Downtime
            | HoldReason::HostAbsent
            | HoldReason::ParentDown
            | HoldReason::ExpectedAbsence
            | HoldReason::Maintenance => true,
            HoldReason::Flapping | HoldReason::CatchingUp => false,
        },
    }
}

/// What fleet knows beside the alerts: read before the desk is asked, under one lock each.
struct Known {
    /// By host and name.
    checks: Vec<CheckView>,
    hosts: HashMap<HostId, Acknowledgement>,
}

impl Known {
    fn check(&self, host: HostId, check: &str) -> Option<&CheckView> {
        let found = self.checks.binary_search_by(|one| (one.host, one.check.as_str()).cmp(&(host, check)));
        found.ok().map(|place| &self.checks[place])
    }
}

/// A host that is asked for: alerts of its own are known by its id, others by their label.
struct Of<'w> {
    id: Option<HostId>,
    name: &'w str,
}

impl Of<'_> {
    fn has(&self, alert: &Alert) -> bool {
        match &alert.origin {
            Origin::Status(Subject::Host { host } | Subject::Check { host, .. }) => Some(*host) == self.id,
            _ => alert.labels.get("host") == Some(self.name),
        }
    }
}

/// Every problem that is asked for, those that want somebody first.
pub(super) fn gather(state: &State, now_ms: i64, wanted: Wanted<'_>) -> Vec<Problem> {
    let of = wanted.host.map(|name| Of { id: state.fleet.find(name).ok(), name });
    let is_wanted = |alert: &&Alert| alert.is_firing() && of.as_ref().is_none_or(|of| of.has(alert));
    // Of a large fleet's checks few are bad: only to find those that are not confirmed yet are all of them looked at.
    let mut checks = if wanted.soft {
        state.fleet.bad_checks()
    } else {
        state.fleet.checks_of(&state.alerting.ask(|desk| checks_of(desk.dispatch().alerts().filter(is_wanted))))
    };
    checks.sort_unstable_by(|a, b| (a.host, &a.check).cmp(&(b.host, &b.check)));
    let known = Known { checks, hosts: state.fleet.host_acknowledgements().into_iter().collect() };
    let mut problems: Vec<Problem> = state.alerting.ask(|desk| {
        let firing = desk.dispatch().alerts().filter(is_wanted);
        firing.map(|alert| of_alert(desk, alert, &known, now_ms)).collect()
    });
    if wanted.soft {
        let is_soft = |check: &&CheckView| {
            let is_soft = check.hard_state == CheckState::Ok && check.stale_ms.is_none();
            is_soft && wanted.host.is_none_or(|name| check.host_name == name)
        };
        problems.extend(known.checks.iter().filter(is_soft).map(of_soft));
    }
    sort(&mut problems);
    problems
}

/// The checks that these alerts are of.
fn checks_of<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<(HostId, String)> {
    let check = |alert: &Alert| match &alert.origin {
        Origin::Status(Subject::Check { host, check }) => Some((*host, check.clone())),
        _ => None,
    };
    alerts.filter_map(check).collect()
}

/// Every alert that fires, as short as a list of hosts needs it: their whole rows cost several times as much as that list.
pub(super) fn briefs(state: &State, now_ms: i64) -> Vec<Brief> {
    state.alerting.ask(|desk| {
        let firing = desk.dispatch().alerts().filter(|alert| alert.is_firing());
        let brief = |alert: &Alert| {
            let host_id = match &alert.origin {
                Origin::Status(Subject::Host { host } | Subject::Check { host, .. }) => Some(*host),
                _ => None,
            };
            let label = || alert.labels.get("host").map(str::to_owned);
            let held = common_holds(&desk.routing().held_ways(alert, now_ms));
            Brief {
                host_id,
                host: if host_id.is_none() { label() } else { None },
                id: alert.id,
                mark: Mark::of_severity(alert.severity()),
                since_ms: alert.starts_ms,
                handled: held.iter().any(|held| is_cared_for(held.why)),
            }
        };
        firing.map(brief).collect()
    })
}

/// Those that nobody takes care of first, then the worst, then the newest.
fn sort(problems: &mut [Problem]) {
    problems.sort_by_cached_key(|one| {
        (one.handled, Reverse(severity_rank(&one.severity)), Reverse(one.since_ms), one.id.clone())
    });
}

fn of_alert(desk: &Desk, alert: &Alert, known: &Known, now_ms: i64) -> Problem {
    let (kind, host_id, check) = match &alert.origin {
        Origin::Rule { .. } => ("rule", None, None),
        Origin::Pushed { .. } => ("pushed", None, None),
        Origin::Status(Subject::Fleet) => ("fleet", None, None),
        Origin::Status(Subject::Maintenance { .. }) => ("maintenance", None, None),
        Origin::Status(Subject::Host { host }) => ("host", Some(*host), None),
        Origin::Status(Subject::Check { host, check }) => ("check", Some(*host), Some(check.clone())),
    };
    let ways = desk.routing().held_ways(alert, now_ms);
    let held = common_holds(&ways);
    let groups: Vec<_> = desk.dispatch().groups_of(alert.id).map(|(_, group)| group).collect();
    let told = groups.iter().filter(|group| told_ms(group, alert.id).is_some());
    let mut receivers: Vec<String> = told.map(|group| group.receiver.clone()).collect();
    receivers.sort_unstable();
    receivers.dedup();
    let view = host_id.zip(check.as_deref()).and_then(|(host, check)| known.check(host, check));
    let acknowledgement = match (host_id, &check) {
        (Some(host), None) => known.hosts.get(&host),
        _ => view.and_then(|view| view.acknowledgement.as_ref()),
    };
    let handled = held.iter().any(|held| is_cared_for(held.why));
    let storm = groups.iter().find(|group| group.is_mass).map(|group| Hold {
        why: "storm",
        by: group.receiver.clone(),
        until_ms: None,
    });
    let incident = groups.iter().filter_map(|group| group.incident).min();
    let label = |name: &str| alert.labels.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let annotation = |name: &str| alert.annotations.get(name).cloned();
    let planned = ways.first().map(|(way, _)| way.receiver.clone());
    Problem {
        id: alert.id.to_string(),
        kind,
        state: "firing",
        title: alert.name().to_owned(),
        host: label("host"),
        host_id: host_id.map(|id| id.to_string()),
        check,
        severity: alert.severity().to_owned(),
        check_state: view.map(|view| view.state.as_str()),
        attempt: view.map(|view| view.attempt),
        max_attempts: view.map(|view| view.max_attempts),
        since_ms: alert.starts_ms,
        owner: label("owner").or_else(|| label("team")).or_else(|| receivers.first().cloned()).or(planned),
        receivers,
        is_flapping: view.is_some_and(|view| view.is_flapping),
        acknowledgement: acknowledgement.map(Ack::from),
        holds: held.iter().map(hold).chain(storm).collect(),
        handled,
        value: alert.value.filter(|value| value.is_finite()),
        output: annotation("summary").or_else(|| view.map(|view| view.output.clone())).unwrap_or_default(),
        remedy: annotation("remedy").or_else(|| annotation("runbook_url")),
        labels: alert.labels.clone(),
        group: group_key(incident, alert.name(), alert.labels.get("service").unwrap_or_default()),
        incident,
    }
}

fn hold(held: &Held) -> Hold {
    Hold { why: held.why.as_str(), by: held.by.clone(), until_ms: held.until_ms }
}

/// A check whose last results are bad and not enough yet.
fn of_soft(check: &CheckView) -> Problem {
    let severity = match check.state {
        CheckState::Critical => "critical",
        CheckState::Warning => "warning",
        CheckState::Unknown | CheckState::Ok => "unknown",
    };
    let labels = [("alertname", &check.check), ("host", &check.host_name), ("check", &check.check)];
    Problem {
        id: format!("soft:{}/{}", check.host, check.check),
        kind: "check",
        state: "soft",
        title: check.check.clone(),
        host: Some(check.host_name.clone()),
        host_id: Some(check.host.to_string()),
        check: Some(check.check.clone()),
        severity: severity.to_owned(),
        check_state: Some(check.state.as_str()),
        attempt: Some(check.attempt),
        max_attempts: Some(check.max_attempts),
        since_ms: check.since_ms,
        owner: None,
        receivers: Vec::new(),
        is_flapping: check.is_flapping,
        acknowledgement: None,
        holds: Vec::new(),
        handled: false,
        value: check.perfdata.first().map(|one| one.value).filter(|value| value.is_finite()),
        output: check.output.clone(),
        remedy: (!check.remedy.is_empty()).then(|| check.remedy.clone()),
        // Names of hosts and checks are far below the limits of labels.
        labels: LabelSet::new(labels).unwrap_or_default(),
        group: group_key(None, &check.check, ""),
        incident: None,
    }
}

fn group_key(incident: Option<u64>, name: &str, service: &str) -> String {
    match (incident, service) {
        (Some(incident), _) => format!("incident/{incident}"),
        (None, "") => format!("name/{name}"),
        (None, service) => format!("name/{name}/{service}"),
    }
}

/// The groups of rows that are sorted, in the order of their first rows.
pub(super) fn groups(problems: &[Problem]) -> Vec<Group> {
    let (mut groups, mut places): (Vec<Group>, HashMap<&str, usize>) = (Vec::new(), HashMap::new());
    for one in problems {
        let place = *places.entry(&one.group).or_insert_with(|| {
            let (key, title, severity) = (one.group.clone(), one.title.clone(), one.severity.clone());
            groups.push(Group { key, title, count: 0, unhandled: 0, severity, since_ms: one.since_ms });
            groups.len() - 1
        });
        let group = &mut groups[place];
        group.count += 1;
        group.unhandled += usize::from(!one.handled);
        group.since_ms = group.since_ms.min(one.since_ms);
        if severity_rank(&one.severity) > severity_rank(&group.severity) {
            group.severity.clone_from(&one.severity);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(id: &str, severity: &str, since_ms: i64, handled: bool) -> Problem {
        let view = CheckView {
            host: HostId([1; 16]),
            host_name: "web1".into(),
            check: "disk".into(),
            state: CheckState::Critical,
            hard_state: CheckState::Ok,
            attempt: 1,
            max_attempts: 3,
            since_ms,
            hard_since_ms: 0,
            at_ms: 0,
            arrived_ms: 0,
            is_live: true,
            stale_ms: None,
            output: String::new(),
            long_output: String::new(),
            perfdata: Vec::new(),
            duration_ms: 0,
            kind: 0,
            interval_ms: 0,
            parents: Vec::new(),
            remedy: String::new(),
            is_flapping: false,
            flapping_percent: 0.0,
            acknowledgement: None,
            holds: Vec::new(),
        };
        Problem { id: id.to_owned(), severity: severity.to_owned(), handled, ..of_soft(&view) }
    }

    #[test]
    fn what_nobody_takes_care_of_comes_first_then_the_worst_then_the_newest() {
        let mut all = vec![
            problem("a", "critical", 9, true),
            problem("b", "warning", 5, false),
            problem("c", "critical", 1, false),
            problem("d", "critical", 3, false),
            problem("e", "", 9, false),
        ];
        sort(&mut all);
        assert_eq!(all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["d", "c", "b", "e", "a"]);
        all[4].group = "incident/7".to_owned();
        let groups = groups(&all);
        let seen: Vec<_> =
            groups.iter().map(|one| (one.key.as_str(), one.count, one.unhandled, one.since_ms)).collect();
        assert_eq!(seen, [("name/disk", 4, 4, 1), ("incident/7", 1, 0, 9)]);
        assert_eq!(groups[0].severity, "critical");
    }

    #[test]
    fn a_hold_is_care_only_where_a_person_or_another_problem_stands_behind_it() {
        use HoldReason as Status;
        for (why, expect) in [
            (HeldReason::Silenced, true),
            (HeldReason::Inhibited, true),
            (HeldReason::MuteTime, false),
            (HeldReason::Status(Status::Acknowledged), true),
            (HeldReason::Status(Status::ParentDown), true),
            (HeldReason::Status(Status::Flapping), false),
        ] {
            assert_eq!(is_cared_for(why), expect, "{why:?}");
        }
        assert_eq!(group_key(None, "Disk", "shop"), "name/Disk/shop");
        assert_eq!(group_key(Some(3), "Disk", "shop"), "incident/3");
    }
}
