//! What people are told of hosts: a real fleet whose status the dispatcher follows.

use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::real::RealDisk;
use muster_common::host::HostId;
use muster_common::identity::{TokenWord, certificate};
use muster_common::time::Timestamp;
use muster_common::wire::message::{Enrol, HostFacts, PROTOCOL};
use muster_fleet::status::{Goodbye, StatusChange};
use muster_fleet::{Binding, By, EnrolOutcome, Fleet, Follower, SmallChange, Standing, StandingNote, TokenSpec};
use parking_lot::Mutex;

use super::bench::Bench;
use crate::alert::Alert;
use crate::dispatch::Event;
use crate::from_status;

/// Takes what status tells, for the dispatcher.
#[derive(Default)]
struct Told(Mutex<Vec<StatusChange>>);

impl Follower for Told {
    fn follow(&self, changes: &[StatusChange], _: Timestamp) -> SmallChange {
        self.0.lock().extend_from_slice(changes);
        SmallChange::default()
    }

    fn settled(&self, durable: bool) {
        assert!(durable);
    }
}

struct Site {
    fleet: Fleet,
    told: Arc<Told>,
    bench: Bench,
    _kept: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let bench = Bench::new();
        let now = Timestamp::from_millis(bench.now_ms);
        let fleet = muster_fleet::open(Arc::new(RealDisk), kept.path(), now).unwrap();
        let told = Arc::new(Told::default());
        fleet.set_follower(Arc::<Told>::clone(&told));
        Self { fleet, told, bench, _kept: kept }
    }

    /// Hosts of this name and number, behind `parent` unless that is empty.
    fn hosts(&self, name: &str, count: u32, parent: &str) -> Vec<HostId> {
        self.enrol(name, count, parent, None)
    }

    fn enrol(&self, name: &str, count: u32, parent: &str, ephemeral: Option<Duration>) -> Vec<HostId> {
        let labels = [("team", "a"), ("parent", parent)].into_iter().filter(|label| !label.1.is_empty());
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let spec = TokenSpec {
            binding: Binding::Pattern(format!("{name}*")),
            labels: labels.collect(),
            uses: count,
            ttl: Duration::from_secs(60),
            ephemeral,
            ..TokenSpec::default()
        };
        let word = self.fleet.new_token(spec, self.now()).unwrap();
        let token = TokenWord::parse(&word).unwrap().token.to_string();
        let enrol = |number| {
            let csr_der = certificate::new_request(&certificate::new_key().unwrap()).unwrap();
            let facts = HostFacts { machine_id: format!("{name}-{number}"), ..HostFacts::default() };
            let (name, token) = (format!("{name}{number}"), token.clone());
            let request = Enrol { protocol: PROTOCOL, token, csr_der, name, facts };
            match self.fleet.enrol(&request, "192.0.2.1:4000", self.now()).unwrap() {
                EnrolOutcome::Issued(enrolled) => HostId(enrolled.host_id),
                EnrolOutcome::Refused(refused) => panic!("{}", refused.message),
            }
        };
        (0..count).map(enrol).collect()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.bench.now_ms)
    }

    fn stand(&mut self, hosts: &[HostId], standing: Standing) {
        let note = |host: &HostId| StandingNote { host: *host, standing, last_heard: None, goodbye: "" };
        let notes: Vec<_> = hosts.iter().map(note).collect();
        self.fleet.note_standings(&notes, self.now()).unwrap();
        self.give();
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.bench.pass(1_000);
            self.fleet.tick_status(self.now()).unwrap();
            self.give();
        }
    }

    fn give(&mut self) {
        let changes: Vec<_> = self.told.0.lock().drain(..).map(|change| from_status(&change)).collect();
        self.bench.give(Event::Alerts(changes));
    }

    /// What was told to fire, and to have ended, since the last call.
    fn told(&mut self) -> Vec<String> {
        let notices = std::mem::take(&mut self.bench.notices);
        let firing = notices.iter().flat_map(|notice| &notice.firing).map(|alert| ("", alert));
        let ended = notices.iter().flat_map(|notice| &notice.resolved).map(|alert| ("end of ", alert));
        let name = |alert: &Alert| alert.labels.get("host").unwrap_or_default().to_owned();
        let shown: Vec<_> = firing.chain(ended).map(|(end, it)| format!("{end}{} {}", it.name(), name(it))).collect();
        assert_eq!(shown.len(), notices.len(), "one notice each");
        shown
    }
}

#[test]
fn a_gateway_that_goes_and_returns_is_two_notices_whatever_lies_behind_it() {
    let mut site = Site::new();
    let (gateway, racks, here) = (site.hosts("gw", 1, ""), site.hosts("rack", 100, "gw0"), site.hosts("here", 1, ""));
    site.pass(1);
    // Looks of ingest, 15 s apart: some are found before the gateway, some after it.
    site.stand(&racks[..40], Standing::Silent);
    site.pass(15);
    site.stand(&racks[40..80], Standing::Silent);
    site.pass(15);
    site.stand(&[&gateway[..], &racks[80..]].concat(), Standing::Silent);
    site.pass(600);
    assert_eq!(site.told(), ["HostSilent gw0"]);
    site.stand(&racks[..10], Standing::Present);
    site.pass(15);
    site.stand(&gateway, Standing::Present);
    site.pass(60);
    site.stand(&racks[10..90], Standing::Present);
    site.pass(50);
    site.stand(&racks[90..99], Standing::Present);
    site.pass(9);
    assert_eq!(site.told(), ["end of HostSilent gw0"]);
    // One that does not come back is told after two minutes.
    site.pass(10);
    assert_eq!(site.told(), ["HostSilent rack99"]);
    site.stand(&here, Standing::Silent);
    site.pass(60);
    assert_eq!(site.told(), ["HostSilent here0"]);
}

#[test]
fn a_host_that_boots_is_told_only_where_it_does_not_come_back() {
    let mut site = Site::new();
    let (gateway, racks, _) = (site.hosts("gw", 1, ""), site.hosts("rack", 5, "gw0"), site.hosts("here", 1, ""));
    site.pass(200);
    for is_back in [true, false] {
        site.fleet.said_goodbye(gateway[0], Goodbye::Reboot, site.now());
        site.pass(10);
        site.stand(&gateway, Standing::Rebooting);
        site.pass(80);
        site.stand(&racks, Standing::Silent);
        site.pass(100);
        if is_back {
            site.fleet.expect_no_absence(gateway[0]);
            site.pass(30);
            site.stand(&[&gateway[..], &racks[..]].concat(), Standing::Present);
            site.pass(600);
            assert_eq!(site.told(), [""; 0]);
        } else {
            site.pass(405);
            assert_eq!(site.told(), [""; 0]);
            site.pass(10);
            assert_eq!(site.told(), ["HostSilent gw0"]);
        }
    }
}

#[test]
fn a_hundred_ephemeral_hosts_that_are_killed_are_one_notice_and_their_retirement_none() {
    let mut site = Site::new();
    let (cells, _) = (site.enrol("cell", 100, "", Some(Duration::from_secs(6 * 3_600))), site.hosts("here", 1, ""));
    site.pass(1);
    // As looks of ingest find them, whose last words came at different moments of an interval.
    site.stand(&cells[..35], Standing::Silent);
    site.pass(15);
    site.stand(&cells[35..], Standing::Silent);
    site.pass(900);
    let notices = std::mem::take(&mut site.bench.notices);
    assert_eq!(notices.iter().map(|notice| notice.firing.len()).collect::<Vec<_>>(), [100]);
    for host in &cells {
        site.fleet.retire(*host, "it is ephemeral", &By::MUSTER, site.now()).unwrap();
    }
    site.give();
    site.pass(900);
    assert_eq!(site.told(), [""; 0]);
    assert_eq!(site.bench.row_count(), 0);
}
