//! What the API asks of the rest: closures over the parts that it may not know.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster_api::{Health, Hooks, Problem};
use muster_common::time::{Span, Timestamp, now};
use muster_store::{Admin, Health as StoreHealth};

use crate::doctor::{self, Bound};
use crate::heartbeat::Heartbeats;
use crate::http::HttpCounts;
use crate::intake::Intake;
use crate::reload::Reloader;
use crate::reserve::Reserve;
use crate::self_metrics;
use crate::snapshot::Snapshots;
use crate::tls::Certificates;
use crate::trouble::Troubles;
use crate::watched_disk::FullBell;

/// The parts that the hooks look at.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) data: PathBuf,
    pub(crate) reserve: Reserve,
    pub(crate) full: Arc<FullBell>,
    pub(crate) troubles: Arc<Troubles>,
    pub(crate) admin: Admin,
    pub(crate) intake: Intake,
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) is_ready: Arc<AtomicBool>,
    pub(crate) heartbeats: Arc<Heartbeats>,
    pub(crate) http: Arc<HttpCounts>,
    /// Where HTTPS is spoken.
    pub(crate) certificates: Option<Arc<Certificates>>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) bound: Bound,
}

pub(crate) fn hooks(seen: &Seen) -> Hooks {
    let (health, process, intake, presence) = (seen.clone(), seen.clone(), seen.intake.clone(), seen.intake.clone());
    let (reloader, certificates) = (Arc::clone(&seen.reloader), seen.certificates.clone());
    let (making, listing) = (Arc::clone(&seen.snapshots), Arc::clone(&seen.snapshots));
    let (looked_at, kept) = (seen.clone(), Arc::clone(&seen.reloader));
    Hooks {
        now: Box::new(now),
        health: Box::new(move || health.health()),
        process_stats: Box::new(move || {
            let mut stats = self_metrics::stats(&process.data, &process.reserve, &process.full);
            stats.extend(process.heartbeats.stats());
            stats.extend(process.http.stats());
            stats.extend(process.snapshots.stats());
            stats
        }),
        intake_stats: Box::new(move || intake.stats()),
        doctor: Box::new(move || {
            doctor::examine(&looked_at.reloader.current(), looked_at.bound, &looked_at.reserve, now())
        }),
        retention: Box::new(move || {
            let config = kept.current();
            [config.retention.metrics, config.retention.logs, config.retention.events]
        }),
        presence: Box::new(move || presence.presence()),
        https: Box::new(move || certificates.as_ref().map(|certificates| certificates.https())),
        make_snapshot: Box::new(move |asked| making.begin(asked, now()).map_err(Into::into)),
        snapshots: Box::new(move || listing.overview().map_err(Into::into)),
        reload: Box::new(move || reloader.reload()),
    }
}

impl Seen {
    /// Why nothing is taken now, in words.
    pub(crate) fn unready(&self) -> Option<String> {
        self.health().unready.map(|problem| format!("{} ({})", problem.message, problem.place))
    }

    fn health(&self) -> Health {
        let (data, store) = (self.data.display().to_string(), self.admin.health());
        let mut problems = self.troubles.problems();
        let inbox = intake_problem(&store, self.intake.is_storage_failing(), self.intake.is_broken(), &data);
        problems.extend(inbox.clone());
        problems.extend(store_problems(&store, &data));
        let starts_or_stops = !self.is_ready.load(Ordering::Relaxed);
        let unready = if starts_or_stops { Some(Problem::starts_or_stops()) } else { inbox };
        Health { unready, problems }
    }
}

/// Why nothing can be taken now, if so.
fn intake_problem(store: &StoreHealth, is_failing: bool, is_broken: bool, data: &str) -> Option<Problem> {
    let (message, remedy) = if is_broken {
        (
            "the thread that commits ended in a panic, so nothing is acknowledged".to_owned(),
            "the collector ends by itself and its service manager starts it again; report the panic that its log shows",
        )
    } else {
        let (length, why) = match &store.inbox_failing {
            Some((at, why)) => (format!(" for {}", since(*at)), format!(": {why}")),
            None if is_failing => (String::new(), String::new()),
            None => return None,
        };
        (
            format!("commits fail{length}, so nothing is acknowledged and agents keep what they have{why}"),
            "free room or repair the disk; it is tried again by itself",
        )
    };
    Some(Problem { message, place: format!("`{data}/inbox`"), remedy: remedy.to_owned() })
}

fn since(at: Timestamp) -> String {
    Span(Duration::from_secs(now().since(at).as_secs())).to_string()
}

/// What the store says is wrong with it, beside what hinders the intake.
fn store_problems(health: &StoreHealth, data: &str) -> Vec<Problem> {
    let problem = |message: String, place: String, remedy: &str| Problem { message, place, remedy: remedy.to_owned() };
    let mut problems = Vec::new();
    if let Some((at, why)) = &health.flush_failing {
        let message = format!("flush, merge or retention fails for {}: {why}", since(*at));
        problems.push(problem(
            message,
            format!("`{data}/segments`"),
            "free room or repair the disk; it is tried again by itself",
        ));
    }
    for (file, why) in &health.quarantined {
        let message = format!("`{file}` is damaged and not read: {why}");
        problems.push(problem(message, format!("`{data}/segments`"), "restore the file from a snapshot and restart"));
    }
    for file in &health.set_aside {
        let message = format!("`{file}` is named by no catalog, but may hold what a damaged or missing segment held");
        problems.push(problem(
            message,
            format!("`{data}/segments/metrics/aside`"),
            "restore that segment from a snapshot and restart, then remove this file",
        ));
    }
    if health.damaged_entries > 0 {
        let (entries, samples) = (health.damaged_entries, health.lost_samples);
        let message = format!("{entries} entries of the inbox are damaged; {samples} samples are lost");
        problems.push(problem(message, format!("`{data}/inbox`"), "check the disk"));
    }
    if health.marks_lost {
        let message = "the inbox was missing at the start: what had not been flushed is lost".to_owned();
        problems.push(problem(
            message,
            format!("`{data}/inbox`"),
            "restore the whole folder from one snapshot; a restart ends this notice",
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_part_of_the_stores_health_is_a_problem_of_its_own() {
        assert!(store_problems(&StoreHealth::default(), "d").is_empty());
        let since = now().minus(Duration::from_millis(10_500));
        let health = StoreHealth {
            inbox_failing: Some((since, "no space".into())),
            flush_failing: Some((since, "no space".into())),
            quarantined: vec![("a.seg".into(), "checksum".into())],
            set_aside: vec!["1-2-9.seg".into()],
            damaged_entries: 1,
            lost_samples: 30,
            marks_lost: true,
        };
        let problems = store_problems(&health, "d");
        assert_eq!(problems.len(), 5);
        assert_eq!(problems[1].message, "`a.seg` is damaged and not read: checksum");
        assert!(problems[2].message.starts_with("`1-2-9.seg` ") && problems[2].place == "`d/segments/metrics/aside`");
        assert_eq!(problems[3].message, "1 entries of the inbox are damaged; 30 samples are lost");
        assert!(problems.iter().all(|problem| problem.place.starts_with("`d/") && !problem.remedy.is_empty()));
    }
    #[test]
    fn what_hinders_the_intake_is_told_with_its_remedy() {
        let good = StoreHealth::default();
        let since = now().minus(Duration::from_millis(10_500));
        let failing = StoreHealth { inbox_failing: Some((since, "no space".into())), ..StoreHealth::default() };
        assert_eq!(intake_problem(&good, false, false, "d"), None);
        for (store, is_failing, is_broken, message) in [
            (
                &failing,
                true,
                false,
                "commits fail for 10s, so nothing is acknowledged and agents keep what they have: no space",
            ),
            (&good, true, false, "commits fail, so nothing is acknowledged and agents keep what they have"),
            (&failing, true, true, "the thread that commits ended in a panic, so nothing is acknowledged"),
        ] {
            let problem = intake_problem(store, is_failing, is_broken, "d").unwrap();
            assert_eq!((problem.message.as_str(), problem.place.as_str()), (message, "`d/inbox`"));
            assert!(!problem.remedy.is_empty());
        }
    }
}
