//! Tasks that boot hosts beside the same boot without one: who is told, over a real registry with its orders, its status and its mails.

use muster_common::task::{Catalogue, SigningKey};
use muster_common::wire::message::{TaskCall as WireCall, TaskState, TaskWord};
use muster_fleet::status::MaintenanceState;
use muster_fleet::{OrderState, Standing, StandingNote, TaskCall, TaskDue, TaskSettings, TaskSpec, WaveSize};

use super::*;

const SECOND: i64 = 1_000;
const DOCUMENT: &str = "version = 1\nexpires = 2099-01-01T00:00:00Z\n\
    [tasks.boot]\nabout = \"Boots the host\"\nargv = [\"/usr/sbin/shutdown\", \"-r\", \"now\"]\naccount = \"root\"\nmaintenance = \"5m\"\n";
/// When nothing was heard of a host for so long it is silent.
const SILENT_AFTER: i64 = 30 * SECOND;

/// A host that boots when it is told to.
struct Booting {
    host: HostId,
    /// How long it is away; `None`: for good.
    away: Option<i64>,
    /// When it went away.
    gone_ms: Option<i64>,
}

impl Booting {
    /// What ingest notes of it, and its sessions.
    fn live(&mut self, fleet: &Fleet, now_ms: i64) {
        let Some(gone_ms) = self.gone_ms else { return };
        let note = |standing| StandingNote { host: self.host, standing, last_heard: Some(at(gone_ms)), goodbye: "" };
        if self.away.is_some_and(|away| now_ms >= gone_ms + away) {
            self.gone_ms = None;
            fleet.task_connected(self.host, true);
            fleet.note_standings(&[note(Standing::Present)], at(now_ms)).unwrap();
        } else if now_ms >= gone_ms + SILENT_AFTER {
            fleet.note_standings(&[note(Standing::Silent)], at(now_ms)).unwrap();
        }
    }

    fn go(&mut self, fleet: &Fleet, now_ms: i64) {
        self.gone_ms = Some(now_ms);
        fleet.task_gone(self.host);
    }
}

fn state(call: WireCall, number: u32, word: TaskWord) -> TaskState {
    TaskState {
        call,
        number,
        at_ms: ONSET,
        word,
        problem: String::new(),
        chunks: 0,
        output_bytes: 0,
        dropped_bytes: 0,
        extensions: Vec::new(),
    }
}

/// A world with four hosts, of which two are ordered to boot and a third boots without an order. The number of the order.
fn ordered() -> (World, [Booting; 3], u64) {
    let world = World::new(1, "ann@example.org", ONSET);
    let fleet = &world.fleet;
    let hosts = [("planned", 1), ("lost", 2), ("unplanned", 3)].map(|(name, machine)| world.host(name, machine, ONSET));
    // Where all are silent at once the collector suspects itself.
    world.host("bystander", 4, ONSET);
    let key = SigningKey::from_pem(&SigningKey::generate_pem().unwrap()).unwrap();
    let signature = key.sign(&Catalogue::signed_bytes(DOCUMENT)).to_string();
    let ann = By::user("ann", "192.0.2.1");
    fleet.set_task_settings(TaskSettings { approvals: 0, ..TaskSettings::default() });
    fleet.add_task_catalogue(DOCUMENT, &signature, &ann, at(ONSET)).unwrap();
    hosts.iter().for_each(|host| fleet.task_connected(*host, true));
    fleet.tick_status(at(ONSET)).unwrap();
    let spec = TaskSpec {
        canary: 0,
        batch: WaveSize::Percent(100),
        ..TaskSpec::new(hosts[..2].to_vec(), TaskCall { task: "boot".into(), ..TaskCall::default() })
    };
    let order = fleet.request_task(&spec, &ann, at(ONSET + 200 * SECOND)).unwrap().order.number;
    let away = [Some(120 * SECOND), None, Some(120 * SECOND)];
    let mut hosts = hosts.iter().zip(away).map(|(host, away)| Booting { host: *host, away, gone_ms: None });
    let hosts = std::array::from_fn(|_| hosts.next().unwrap());
    (world, hosts, order)
}

/// A host is given the call, says that all went well, and boots.
fn take_calls(fleet: &Fleet, hosts: &mut [Booting], now_ms: i64) {
    for (called, due) in fleet.take_tasks_due() {
        let TaskDue::Call(call) = due else { continue };
        fleet.task_told(called, state(call.call, 1, TaskWord::Accepted));
        fleet.task_told(called, state(call.call, 2, TaskWord::Ended { code: 0 }));
        hosts.iter_mut().find(|host| host.host == called).unwrap().go(fleet, now_ms);
    }
}

#[test]
fn a_task_that_boots_hosts_pages_nobody_and_a_host_that_stays_away_is_told_once() {
    let (world, mut hosts, order) = ordered();
    let fleet = &world.fleet;
    let mut told: Vec<(String, String, bool)> = Vec::new();
    let mut mails = Vec::new();
    for second in 201..1_800 {
        let now_ms = ONSET + second * SECOND;
        hosts.iter_mut().for_each(|host| host.live(fleet, now_ms));
        fleet.step_tasks(at(now_ms)).unwrap();
        take_calls(fleet, &mut hosts, now_ms);
        if second == 210 {
            hosts[2].go(fleet, now_ms);
        }
        fleet.tick_status(at(now_ms)).unwrap();
        for notice in world.notices(now_ms) {
            // Of an end nobody here wants a mail.
            if !notice.firing.is_empty() {
                let mail = world.mail(&notice, &world.evidence.gather(&notice, at(now_ms)));
                let mail = parse_mail(mail.as_bytes()).unwrap();
                mails.push(mail.parts().filter_map(|part| part.get_body().ok()).collect::<String>());
            }
            for (alerts, is_firing) in [(&notice.firing, true), (&notice.resolved, false)] {
                let of = |alert: &crate::Alert, label: &str| alert.labels.get(label).unwrap_or_default().to_owned();
                told.extend(alerts.iter().map(|one| (of(one, "host"), of(one, "alertname"), is_firing)));
            }
        }
    }
    let of = |host: &str| -> Vec<(&str, bool)> {
        told.iter().filter(|one| one.0 == host).map(|one| (one.1.as_str(), one.2)).collect()
    };
    assert_eq!(of("planned"), [], "it boots as long as the unplanned one: {told:?}");
    assert_eq!(of("unplanned"), [("HostSilent", true), ("HostSilent", false)], "{told:?}");
    assert_eq!(of("lost"), [("MaintenanceNotRecovered", true)], "{told:?}");
    assert_eq!(mails.len(), 2);
    assert!(mails[1].contains("(task boot, order 1, wave 1)"), "{}", mails[1]);
    // The roll-out was not blind meanwhile: it waited for the first, and gave the second up.
    let progress = fleet.task_order(order).unwrap().order.progress;
    assert_eq!(progress.state, OrderState::Paused);
    assert!(progress.reason.contains("did not come back within 10 min"), "{progress:?}");
    let maintenances = fleet.task_maintenances(order);
    assert_eq!(maintenances.iter().map(|one| one.state).collect::<Vec<_>>(), [MaintenanceState::NotRecovered]);
    assert_eq!((maintenances[0].by.as_str(), maintenances[0].unreturned.len()), ("user:ann", 1));
}
