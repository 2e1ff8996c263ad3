//! Maintenances of orders beside the book that keeps them, in worlds of every kind of mishap.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::time::Timestamp;

use super::super::maintained::Maintained;
use super::super::*;
use super::live;
use super::world::{Does, MINUTE, SECOND, World, id, terms};
use crate::status::{HostNow, MAINTENANCE_HOSTS_MAX, MaintenanceSpec, MaintenanceState, StatusBook, Work};

/// The longest that a run of a world takes that goes from step to step as slowly as it may.
const SLOWEST_MS: i64 = 60 * MINUTE;

/// The book of status over the hosts of a world, kept as the collector does each second.
#[derive(Default)]
struct Kept {
    book: StatusBook,
    /// When a host of each maintenance was given its call last.
    sent: BTreeMap<String, i64>,
    most: usize,
}

impl Kept {
    fn look(&mut self, world: &World) {
        let now = Timestamp::from_millis(world.now_ms);
        let host = |id: &HostId| HostNow {
            id: *id,
            name: id.to_string(),
            labels: BTreeMap::new(),
            is_ephemeral: false,
            absent: None,
        };
        self.book.tick(now, world.machine.members.keys().map(host).collect());
        let maintained = world.machine.maintained();
        let going_on: BTreeSet<String> = maintained.iter().map(|one| one.reference(7)).collect();
        for one in &maintained {
            let spec = MaintenanceSpec {
                name: one.name(7, "restart"),
                reference: one.reference(7),
                hosts: one.hosts.iter().map(ToString::to_string).collect(),
                ends_ms: one.ends_ms,
                grace_ms: one.grace_ms,
                ..MaintenanceSpec::default()
            };
            self.book.keep_work(Work { spec, owner: "user:ann".to_owned() }, now).unwrap();
            let sent = one.hosts.iter().filter_map(|host| world.machine.members[host].run(one.step));
            let sent = sent.map(|run| run.sent_ms).max().unwrap_or(0);
            self.sent.insert(one.reference(7), sent);
        }
        self.book.end_work(PREFIX, &going_on, now);
        self.hold(world, &maintained);
    }

    /// Open are those of waves that run, each with all of its hosts, never beyond its end, and never for longer than a wave may take.
    fn hold(&mut self, world: &World, maintained: &[Maintained]) {
        let all = self.book.maintenances();
        let open: Vec<_> = all.iter().filter(|one| one.state == MaintenanceState::Open).collect();
        assert_eq!(open.len(), maintained.len(), "{open:?}");
        for one in maintained {
            let row = open.iter().find(|row| row.spec.reference == one.reference(7)).unwrap();
            assert!(one.hosts.iter().all(|host| row.spec.hosts.contains(&host.to_string())), "{row:?}");
            assert!(row.spec.ends_ms > world.now_ms && !row.overran, "{row:?}");
        }
        for row in &open {
            let since_ms = world.now_ms - self.sent[&row.spec.reference];
            // A process knows of no absence that began before it: where it begins anew over and over the way back has no end.
            assert!(since_ms <= SLOWEST_MS || world.restarts > 0, "open for {since_ms} ms: {row:?}");
        }
        self.most = self.most.max(all.len());
    }
}

#[test]
fn in_any_world_each_maintenance_is_closed_and_none_is_open_without_its_wave() {
    let (mut waves, mut backs) = (0, 0);
    for seed in 0..60 {
        let mut kept = Kept::default();
        let mut world = live(seed, &mut |world| kept.look(world));
        for _ in 0..400 {
            world.pass(1);
            kept.look(&world);
        }
        let all = kept.book.maintenances();
        let closed = all.iter().filter(|one| one.state == MaintenanceState::Closed).count();
        assert_eq!((closed, kept.book.downtimes().len()), (all.len(), 0), "world {seed}: {all:?}");
        let ran = world.machine.members.values().any(|member| member.forward.sent_ms > 0);
        assert!(!ran || !all.is_empty(), "world {seed} had a call and no maintenance");
        waves += all.len();
        backs += all.iter().filter(|one| one.spec.reference.starts_with("task 7 back wave ")).count();
    }
    assert!(waves > 100 && backs > 10, "too little happened: {waves}, {backs}");
}

#[test]
fn a_wave_has_one_from_its_first_call_until_all_of_it_has_soaked() {
    let mut world = World::new(terms(1, WaveSize::Hosts(2)), [Does::Well(3); 3], 1);
    world.pass(5);
    assert_eq!(world.machine.maintained(), [], "nobody has approved it");
    world.happens(Happened::Approved);
    world.pass(1);
    let [first] = &world.machine.maintained()[..] else { panic!("the canary has one") };
    assert_eq!((first.reference(7), first.hosts.as_slice()), ("task 7 wave 1".to_owned(), &[id(0)][..]));
    assert_eq!(first.name(7, "restart"), "task restart, order 7, wave 1");
    // The call, the task, the way back and the soak.
    assert_eq!(first.ends_ms - world.run(0).sent_ms, (5 + 10 + 5) * MINUTE + 30 * SECOND);
    world.pass(15);
    assert_eq!(world.run(0).state, RunState::Ok);
    assert_eq!(world.machine.maintained().len(), 1, "it soaks");
    world.pass(30);
    let [second] = &world.machine.maintained()[..] else { panic!("the batch has one") };
    assert_eq!((second.reference(7), second.hosts.len(), second.grace_ms), ("task 7 wave 2".to_owned(), 2, 5 * MINUTE));
    world.pass(60);
    assert_eq!((world.state().is_open(), world.machine.maintained().len()), (false, 0));
    world.machine.terms.maintenance_ms = None;
    world.restart();
    assert_eq!(world.machine.terms.maintenance_ms, None);
}

#[test]
fn more_hosts_than_a_maintenance_may_have_are_in_several() {
    let hosts = MAINTENANCE_HOSTS_MAX * 2 + 1;
    let mut world = World::new(terms(0, WaveSize::Percent(100)), vec![Does::Hangs; hosts], 1);
    world.happens(Happened::Approved);
    let mut some = MAINTENANCE_HOSTS_MAX + 1;
    world.happens(Happened::Tick { calls: &mut some });
    let before = world.machine.maintained();
    world.now_ms += SECOND;
    let mut all = hosts;
    world.happens(Happened::Tick { calls: &mut all });
    let parts = world.machine.maintained();
    let references: Vec<String> = parts.iter().map(|one| one.reference(7)).collect();
    assert_eq!(references, ["task 7 wave 1", "task 7 wave 1 part 2", "task 7 wave 1 part 3"]);
    assert_eq!(parts.iter().map(|one| one.hosts.len()).collect::<Vec<_>>(), [1_000, 1_000, 1]);
    assert_eq!(parts[0].hosts, before[0].hosts, "who has a place keeps it");
    assert_eq!(parts[1].hosts[..1], before[1].hosts);
}
