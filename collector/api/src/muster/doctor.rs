//! The collector's doctor: everything that it can say of itself, each with its remedy, gathered for one question.
//!
//! What the process and its machine are is the server's ([`OwnFindings`]); the rest is asked here, of the parts that every route stands on. The
//! parts decide by pure functions of what was asked.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use muster_alert::desk::Desk;
use muster_alert::notify::Attempted;
use muster_alert::outgoing::State as Way;
use muster_alert::routing::AlertingConfig;
use muster_common::check::CheckState;
use muster_common::finding::Finding;
use muster_common::time::{Span, Timestamp};
use muster_fleet::HostState;
use serde_json::json;

use super::body::answer;
use super::storage::slope;
use crate::error::MusterError;
use crate::state::{Https, OwnFindings, Problem, SnapshotsView, State};

/// Names in one finding: a person looks at the first few, and at a list for the rest.
const NAMES_MAX: usize = 5;
/// Rules that are told one by one.
const RULES_MAX: usize = 20;
/// After a start hosts that have not come back yet are on their way: they spread their connections.
const SETTLED_AFTER: Duration = Duration::from_secs(300);
/// A row that waits longer has met a server that does not answer.
const WAITS_MAX: Duration = Duration::from_secs(600);
/// The check that the collector makes of each host's clock.
const CLOCK_CHECK: &str = "HostClockSkewed";
/// A disk that is full within this is somebody's business today.
const FULL_SOON: Duration = Duration::from_secs(7 * 86_400);

/// A certificate that somebody renews by hand, or by a timer that may have failed, is seen in time.
const CERTIFICATE_LEFT_MIN: Duration = Duration::from_secs(14 * 86_400);
/// Older, and going back to it loses more than most can bear.
const SNAPSHOT_AGE_MAX: Duration = Duration::from_secs(7 * 86_400);

pub(super) async fn doctor(Shared(state): Shared<Arc<State>>) -> Result<Response, MusterError> {
    let now = state.now();
    let shared = Arc::clone(&state);
    // It reads files, and waits for a rule group under way.
    let gathered = state.pool.run(move |_| {
        let own = (shared.hooks.doctor)();
        let failing = failing_rules(&shared);
        let snapshots = (shared.hooks.snapshots)();
        (own, failing, slope(&shared, now), snapshots)
    });
    let (own, failing, slope, snapshots) = gathered.await?;
    let mut findings = own.findings.clone();
    let health = (state.hooks.health)();
    findings.extend(parts(&health.problems));
    findings.push(forecast(slope, &own));
    findings.extend((state.hooks.https)().map(|https| certificate(&https, now)));
    findings.push(match snapshots {
        Ok(view) => snapshot(&view, now),
        Err(error) => Finding::problem(error.message(), "snapshots", "see that the folder can be read").of("snapshot"),
    });
    findings.extend(hosts(&state, now));
    findings.push(clocks(&skewed(&state)));
    findings.extend(rules(&failing));
    let config = Arc::clone(&state.alerting.ask(Desk::letters).config);
    findings.extend(alerting(&config));
    findings.extend(servers(&state.alerting.attempt_servers().await));
    findings.push(queue(&state, now));
    let findings: Vec<_> = findings.iter().map(finding_json).collect();
    Ok(answer(
        StatusCode::OK,
        json!({"collector_version": state.version, "settings": own.settings, "findings": findings}),
    ))
}

fn finding_json(finding: &Finding) -> serde_json::Value {
    json!({
        "level": finding.level.as_str(), "examination": finding.examination, "what": finding.what,
        "where": finding.place, "remedy": finding.remedy,
    })
}

/// What the parts say is wrong with themselves.
fn parts(problems: &[Problem]) -> Vec<Finding> {
    if problems.is_empty() {
        return vec![Finding::ok("intake, flush, merge and retention are well", "").of("store")];
    }
    let one = |problem: &Problem| Finding::problem(&problem.message, &problem.place, &problem.remedy).of("store");
    problems.iter().map(one).collect()
}

/// When the disk is full if it goes on so, and whether retention drops the first data before.
fn forecast(slope: Option<f64>, own: &OwnFindings) -> Finding {
    const REMEDY: &str = "shorten [retention], or enlarge the file system";
    let place = "muster_collector_disk_free_bytes";
    let finding = match (slope, own.free_bytes) {
        (Some(slope), Some(free)) if slope < -1.0 => {
            let seconds = free as f64 / -slope;
            let left = Duration::from_secs_f64(seconds.min(100.0 * 365.0 * 86_400.0));
            let span = Span(Duration::from_secs(left.as_secs() / 3_600 * 3_600));
            let shortest = own.retention.iter().min_by_key(|(_, span)| *span);
            match shortest {
                _ if left < FULL_SOON => {
                    Finding::problem(format!("the disk is full in {span} if it goes on so"), place, REMEDY)
                }
                Some((key, kept)) if left < *kept => {
                    let what = format!(
                        "the disk is full in {span} if it goes on so, before {key} ({}) drops the first",
                        Span(*kept)
                    );
                    Finding::warning(what, place, REMEDY)
                }
                _ => Finding::ok(format!("the disk lasts longer than retention: {span}"), place),
            }
        }
        (Some(slope), None) if slope < -1.0 => {
            let mib = -slope * 86_400.0 / f64::from(1 << 20);
            Finding::warning(format!("the disk fills by {mib:.0} MiB a day; what is free is not known"), place, REMEDY)
        }
        (Some(_), _) => Finding::ok("the disk does not fill up", place),
        (None, _) => Finding::ok("how fast the disk fills is known after 30 minutes", place),
    };
    finding.of("forecast")
}

/// How long HTTPS has a certificate. One of the embedded CA is renewed by the collector itself.
fn certificate(https: &Https, now: Timestamp) -> Finding {
    let (place, remedy) = if https.is_own_ca {
        ("the certificate of HTTPS", "start muster-collector again, and report it: it renews this one by itself")
    } else {
        ("http.cert", "renew the file; it is read again within a minute")
    };
    let left = https.expires.since(now);
    let finding = if now >= https.expires {
        Finding::problem("it has expired: no client trusts it", place, remedy)
    } else if left < CERTIFICATE_LEFT_MIN {
        let span = Span(Duration::from_secs(left.as_secs() / 3_600 * 3_600));
        Finding::warning(format!("it ends in {span}"), place, remedy)
    } else {
        Finding::ok(format!("it lasts {} days", left.as_secs() / 86_400), place)
    };
    finding.of("certificates")
}

/// Whether there is a copy to go back to.
fn snapshot(view: &SnapshotsView, now: Timestamp) -> Finding {
    const REMEDY: &str = "muster snapshot create; or every = \"24h\" in [snapshot] makes them by themselves";
    let place = view.folder.as_str();
    let newest = view.kept.iter().filter(|row| row.problem.is_none()).map(|row| row.made).max();
    let failed = view.ended.as_ref().and_then(|ended| ended.problem.as_deref());
    let finding = match (failed, newest) {
        (Some(why), _) => Finding::problem(format!("the last snapshot was not made: {why}"), place, REMEDY),
        (None, None) => Finding::warning("there is no snapshot to go back to", place, REMEDY),
        (None, Some(made)) => {
            let span = Span(Duration::from_secs(now.since(made).as_secs() / 60 * 60));
            let what = format!("the newest snapshot is {span} old");
            if now.since(made) > SNAPSHOT_AGE_MAX {
                Finding::warning(what, place, REMEDY)
            } else {
                Finding::ok(what, place)
            }
        }
    };
    finding.of("snapshot")
}

fn hosts(state: &State, now: Timestamp) -> Vec<Finding> {
    let is_settled = now.since(state.started) > SETTLED_AFTER;
    let rows = state.fleet.hosts();
    let names = |wanted: HostState| {
        rows.iter().filter(|row| row.state == wanted).map(|row| row.name.clone()).collect::<Vec<_>>()
    };
    let heard = state.presence();
    let silent = rows
        .iter()
        .filter(|row| row.state == HostState::Active)
        .filter(|row| heard.get(&row.id).map_or(is_settled, |presence| presence.state == "silent"));
    let silent: Vec<String> = silent.map(|row| row.name.clone()).collect();
    judge_hosts(&names(HostState::Active), &names(HostState::Pending), &names(HostState::Quarantined), &silent)
}

fn judge_hosts(active: &[String], pending: &[String], quarantined: &[String], silent: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !quarantined.is_empty() {
        let what = format!(
            "{} machines use another host's identity and are set aside: {}",
            quarantined.len(),
            listed(quarantined)
        );
        findings.push(Finding::problem(what, "muster hosts list", "enrol the copy anew: muster-agent enrol --replace"));
    }
    if !pending.is_empty() {
        let what = format!("{} hosts wait to be let in: {}", pending.len(), listed(pending));
        findings.push(Finding::warning(what, "muster hosts list", "muster hosts approve HOST"));
    }
    if !silent.is_empty() {
        let what = format!("{} of {} hosts are silent: {}", silent.len(), active.len(), listed(silent));
        findings.push(Finding::warning(what, "muster hosts list", "muster-agent doctor   # on the host"));
    }
    if findings.is_empty() {
        findings
            .push(Finding::ok(format!("{} registered, none silent, none waits", active.len()), "muster hosts list"));
    }
    findings.into_iter().map(|finding| finding.of("hosts")).collect()
}

fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMES_MAX);
    let first = names.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

/// Hosts whose clocks are off.
fn skewed(state: &State) -> Vec<String> {
    let checks = state.fleet.bad_checks();
    let off = checks.into_iter().filter(|check| check.check == CLOCK_CHECK && check.hard_state != CheckState::Ok);
    off.map(|check| check.host_name).collect()
}

fn clocks(skewed: &[String]) -> Finding {
    let place = format!("check {CLOCK_CHECK}");
    if skewed.is_empty() {
        return Finding::ok("no host's clock is off this one's", place).of("clock");
    }
    let what = format!("the clocks of {} hosts are off this one's: {}", skewed.len(), listed(skewed));
    let remedy = "timedatectl   # there; if it is most of them, here";
    Finding::warning(what, place, remedy).of("clock")
}

/// Group, rule and error of each rule that fails.
fn failing_rules(state: &State) -> Vec<(String, String, String)> {
    state.alerting.ask_rules(|ruler| {
        let groups = ruler.groups().iter();
        let failing = groups.flat_map(|group| {
            let spec = group.spec();
            let place = format!("{}, group {}", spec.file, spec.name);
            group.rules().filter_map(move |(rule, health, _)| {
                health.error.as_ref().map(|error| (place.clone(), rule.name.clone(), error.to_string()))
            })
        });
        failing.collect()
    })
}

fn rules(failing: &[(String, String, String)]) -> Vec<Finding> {
    if failing.is_empty() {
        return vec![Finding::ok("every rule was evaluated without an error", "").of("rules")];
    }
    let one = |(place, rule, error): &(String, String, String)| {
        let remedy = "correct the expression: muster query EXPRESSION shows what it gives; then reload";
        Finding::problem(format!("rule {rule} fails: {error}"), place, remedy).of("rules")
    };
    let mut findings: Vec<Finding> = failing.iter().take(RULES_MAX).map(one).collect();
    let more = failing.len().saturating_sub(RULES_MAX);
    if more > 0 {
        findings.push(Finding::problem(format!("{more} more rules fail"), "", "muster rules list").of("rules"));
    }
    findings
}

/// Receivers that nobody hears, and what was left out of the alerting file.
fn alerting(config: &AlertingConfig) -> Vec<Finding> {
    let warned = config.warnings.iter().map(|mistake| {
        let place = format!("{}:{}:{}", mistake.file, mistake.place.line, mistake.place.column);
        Finding::warning(&mistake.what, place, &mistake.remedy)
    });
    let mut findings: Vec<Finding> = warned.collect();
    for receiver in &config.receivers {
        let told = config.told_for(&receiver.name);
        if told.iter().all(|one| one.emails.is_empty() && one.webhooks.is_empty()) {
            let what = format!("alerts for receiver `{}` reach nobody: it has no address", receiver.name);
            let remedy = "give it email_configs or webhook_configs in alerting.yml, then: muster mail test RECEIVER";
            findings.push(Finding::warning(what, format!("receiver {}", receiver.name), remedy));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(format!("{} receivers have addresses", config.receivers.len()), ""));
    }
    findings.into_iter().map(|finding| finding.of("receivers")).collect()
}

fn servers(attempted: &[Attempted]) -> Vec<Finding> {
    if attempted.is_empty() {
        return vec![Finding::ok("no mail server is configured", "").of("mail")];
    }
    let one = |attempt: &Attempted| match &attempt.result {
        Ok(what) => Finding::ok(format!("{}: {what}", attempt.place), &attempt.place),
        Err(why) => {
            let remedy = "correct the server in alerting.yml and reload; what waits is sent when it answers";
            Finding::problem(format!("no mail can be sent: {why}"), &attempt.place, remedy)
        }
    };
    attempted.iter().map(|attempt| one(attempt).of("mail")).collect()
}

fn queue(state: &State, now: Timestamp) -> Finding {
    let (waiting, since_ms, dead) = state.alerting.ask(|desk| {
        let queue = desk.queue();
        let dead = queue.rows().filter(|(_, row)| matches!(row.state, Way::Dead { .. })).count();
        (queue.waiting().0, queue.waiting_since_ms(), dead)
    });
    judge_queue(waiting, since_ms.map(|since_ms| now.since(Timestamp::from_millis(since_ms))), dead)
}

/// `oldest`: how long a row waits for its server.
fn judge_queue(waiting: usize, oldest: Option<Duration>, dead: usize) -> Finding {
    let (place, remedy) = ("muster mail queue", "muster mail queue   # says what each server answered");
    let finding = match oldest.filter(|oldest| *oldest > WAITS_MAX) {
        Some(oldest) => {
            let span = Span(Duration::from_secs(oldest.as_secs()));
            Finding::problem(format!("{waiting} notices wait, the oldest for {span}"), place, remedy)
        }
        None if dead > 0 => {
            Finding::warning(format!("{dead} notices were given up: nobody was told by them"), place, remedy)
        }
        None => Finding::ok(format!("{waiting} notices wait, none was given up"), place),
    };
    finding.of("notices")
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::*;

    fn own(free_bytes: u64) -> OwnFindings {
        let day = Duration::from_secs(86_400);
        let retention =
            [("retention.metrics", 90 * day), ("retention.logs", 30 * day), ("retention.events", 730 * day)];
        OwnFindings { findings: Vec::new(), free_bytes: Some(free_bytes), retention, settings: String::new() }
    }

    #[test]
    fn a_snapshot_that_is_old_missing_or_failed_is_told() {
        use crate::state::{SnapshotEnd, SnapshotRow};
        let day = |days: i64| Timestamp::from_millis(days * 86_400_000);
        let row = |days: i64, problem: Option<&str>| SnapshotRow {
            id: String::new(),
            made: day(days),
            bytes: 1,
            barrier_ms: 1.0,
            samples: 1,
            lines: 1,
            keys: "sealed",
            collector: String::new(),
            problem: problem.map(str::to_owned),
        };
        let view = |kept: Vec<SnapshotRow>| SnapshotsView { folder: "/s".to_owned(), kept, ..SnapshotsView::default() };
        let failed = SnapshotEnd {
            id: String::new(),
            folder: String::new(),
            at: day(9),
            problem: Some("the disk is full".to_owned()),
        };
        for (view, level, words) in [
            (view(vec![]), Level::Warning, "no snapshot"),
            (view(vec![row(9, Some("cut"))]), Level::Warning, "no snapshot"),
            (view(vec![row(1, None)]), Level::Warning, "9d old"),
            (view(vec![row(1, None), row(9, None)]), Level::Ok, "1d old"),
            (SnapshotsView { ended: Some(failed), ..view(vec![row(9, None)]) }, Level::Problem, "the disk is full"),
        ] {
            let found = snapshot(&view, day(10));
            assert!(found.level == level && found.what.contains(words), "{found:?}");
        }
    }

    #[test]
    fn a_disk_that_fills_is_held_against_retention() {
        let a_day = |bytes: f64| Some(-bytes / 86_400.0);
        for (slope, level, word) in [
            (None, Level::Ok, "after 30 minutes"),
            (Some(5.0), Level::Ok, "does not fill"),
            (a_day(1e9), Level::Problem, "full in 5d"),
            (a_day(0.25e9), Level::Warning, "full in 20d if it goes on so, before retention.logs (30d)"),
            (a_day(0.1e9), Level::Ok, "longer than retention: 50d"),
        ] {
            let found = forecast(slope, &own(5_000_000_000));
            assert!(found.level == level && found.what.contains(word), "{found:?}");
        }
    }

    #[test]
    fn hosts_that_want_somebody_are_counted_and_named() {
        let names = |count: usize| (0..count).map(|number| format!("h{number}")).collect::<Vec<_>>();
        assert_eq!(judge_hosts(&names(3), &[], &[], &[])[0].what, "3 registered, none silent, none waits");
        let found = judge_hosts(&names(9), &names(1), &names(2), &names(7));
        let levels: Vec<Level> = found.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Problem, Level::Warning, Level::Warning]);
        assert!(found[2].what.ends_with("7 of 9 hosts are silent: h0, h1, h2, h3, h4 and 2 more"), "{found:?}");
    }

    #[test]
    fn rules_servers_and_the_queue_have_their_findings() {
        assert_eq!((rules(&[])[0].level, servers(&[])[0].level, clocks(&[]).level), (Level::Ok, Level::Ok, Level::Ok));
        let failing: Vec<_> =
            (0..22).map(|number| ("f, group g".to_owned(), format!("r{number}"), "e".to_owned())).collect();
        assert!(rules(&failing).len() == 21 && rules(&failing)[20].what == "2 more rules fail");
        let attempted = [
            Attempted { place: "a:25".to_owned(), result: Ok("it answers") },
            Attempted { place: "b:25".to_owned(), result: Err("connecting: refused".to_owned()) },
        ];
        assert_eq!(
            servers(&attempted).iter().map(|found| found.level).collect::<Vec<_>>(),
            [Level::Ok, Level::Problem]
        );
        let minute = |minutes: u64| Some(Duration::from_secs(minutes * 60));
        assert_eq!(judge_queue(3, minute(5), 0).level, Level::Ok);
        assert_eq!(judge_queue(3, minute(15), 1).what, "3 notices wait, the oldest for 15m");
        assert_eq!(judge_queue(0, None, 1).level, Level::Warning);
        assert!(clocks(&["a".to_owned()]).what.contains("1 hosts are off"));
    }

    #[test]
    fn receivers_without_an_address_are_named() {
        let found = alerting(&AlertingConfig::built_in());
        assert!(
            found.len() == 1 && found[0].level == Level::Warning && found[0].what.contains("`default`"),
            "{found:?}"
        );
    }
}
