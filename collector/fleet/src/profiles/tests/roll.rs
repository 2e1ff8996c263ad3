//! Roll-outs over a real file, with agents that do as they are told, and a restart of the collector wherever one may come.

use super::agents::{Agents, stopped_events};
use super::fleet::{ann, apply, give, web};
use super::*;
use crate::testing::{Bench, OPERATOR, at};
use crate::{ErrorKind, EventKind, FleetError};

#[test]
fn of_thirty_hosts_one_keeps_its_last_good_and_is_named() {
    let mut agents = Agents::new(30);
    apply(&agents.bench, &give(&web("old")), at(1));
    assert_eq!(agents.run(RolloutState::Done).good, 30);
    assert_eq!(agents.having("old"), 30);
    let change = give(&web("new"));
    assert_eq!(agents.bench.fleet.plan_profiles(&change).unwrap().hosts, 30);
    let second = agents.second;
    let applied = apply(&agents.bench, &change, at(second));
    assert_eq!(applied.rollout.unwrap().hosts, 30);
    agents.pass(3);
    assert_eq!((agents.having("new"), agents.having("old")), (1, 29));
    let canary = *agents
        .hosts
        .iter()
        .find(|host| agents.bench.fleet.configuration_for(**host).unwrap().2.contains("new"))
        .unwrap();
    let bad = *agents.hosts.iter().find(|host| **host != canary).unwrap();
    agents.broken.insert(bad, "new");
    let done = agents.run(RolloutState::Done);
    agents.pass(3);
    assert_eq!((done.good, done.hosts, done.failed.len(), done.failed[0].host), (29, 30, 1, bad));
    assert_eq!((agents.having("new"), agents.having("old")), (29, 1), "that one alone is on its last good one");
    let view = agents.bench.fleet.configuration_view(bad).unwrap();
    assert_eq!((view.set_back.as_str(), view.version), ("refused it: checks.kind: no such", 2));
    assert_eq!(agents.bench.fleet.configuration_view(canary).unwrap().version, 3);
    let name = agents.bench.row(bad).name;
    assert_eq!(
        stopped_events(&agents, EventKind::ConfigurationFailed),
        [format!(
            "host `{name}` keeps its last good configuration: of version 3 of the profiles it refused it: checks.kind: no such"
        )]
    );
    let told = stopped_events(&agents, EventKind::RolloutDone);
    assert_eq!(
        told.last().unwrap(),
        &format!("version 3 of the profiles is rolled out to 29 of 30 hosts; kept their last good one: {name}")
    );
    let stats = agents.bench.fleet.stats();
    let stat = |name: &str| stats.iter().find(|stat| stat.name == name).unwrap().value;
    assert_eq!(
        (stat("muster_collector_configurations_set_back"), stat("muster_collector_profiles_version")),
        (1.0, 3.0)
    );

    // It stays so over a restart, its labels are still its own, and somebody may have it try again.
    agents.restart();
    agents.pass(3);
    assert_eq!((agents.having("new"), agents.having("old")), (29, 1));
    agents.broken.clear();
    assert!(agents.bench.fleet.retry_configuration(canary, &ann(), at(9_000)).is_err());
    agents.bench.fleet.retry_configuration(bad, &ann(), at(9_000)).unwrap();
    agents.pass(3);
    assert_eq!(
        (agents.having("new"), agents.bench.fleet.configuration_view(bad).unwrap().set_back),
        (30, String::new())
    );
}

#[test]
fn a_document_that_breaks_on_the_first_host_stops_and_is_reverted() {
    let mut agents = Agents::new(12);
    apply(&agents.bench, &give(&web("old")), at(1));
    agents.run(RolloutState::Done);
    agents.broken = agents.hosts.iter().map(|host| (*host, "new")).collect();
    let second = agents.second;
    apply(&agents.bench, &give(&web("new")), at(second));
    let stopped = agents.run(RolloutState::Stopped);
    agents.pass(400);
    assert_eq!((agents.having("new"), agents.having("old"), stopped.failed.len()), (0, 12, 1));
    let name = agents.bench.row(stopped.failed[0].host).name;
    assert_eq!(stopped.reason, format!("the first host, {name}, refused it: checks.kind: no such"));
    let told = stopped_events(&agents, EventKind::RolloutStopped);
    assert_eq!(
        told,
        [format!(
            "the roll-out of version 3 of the profiles stopped, 11 of 12 hosts have not got it: {}",
            stopped.reason
        )]
    );
    assert_eq!(EventKind::RolloutStopped.class().as_str(), "state");
    agents.restart();
    agents.pass(70);
    assert_eq!(
        (agents.rollout().state, agents.having("old")),
        (RolloutState::Stopped, 12),
        "a restart does not go on by itself"
    );
    // Resumed it goes to the next wave, where one of one is one too few to stop it, and two are not.
    agents.bench.fleet.resume_rollout(&ann(), at(9_000)).unwrap();
    let again = agents.bench.fleet.resume_rollout(&ann(), at(9_000)).unwrap_err();
    assert!(again.kind() == ErrorKind::Conflict && again.to_string().starts_with("no roll-out is stopped"), "{again}");
    let stopped = agents.run(RolloutState::Stopped);
    assert!(stopped.wave == 2 && stopped.failed.len() > 2 && agents.having("old") == 12, "{stopped:?}");
    let given: Vec<u64> = agents.hosts.iter().filter_map(|host| agents.numbers[host].last().copied()).collect();
    let reverted = agents.bench.fleet.revert_rollout(&ann(), "no good", at(9_500)).unwrap();
    assert_eq!((reverted.version, agents.rollout().state), (4, RolloutState::Reverted));
    agents.pass(3);
    assert_eq!((agents.having("old"), agents.bench.fleet.profile_text("web").unwrap()), (12, web("old")));
    let after: Vec<u64> = agents.hosts.iter().filter_map(|host| agents.numbers[host].last().copied()).collect();
    assert_eq!(given, after, "who had the old one gets nothing");
    assert!(matches!(agents.bench.fleet.revert_rollout(&ann(), "again", at(9_500)), Err(FleetError::NoRollout { .. })));
    let audit = agents.bench.fleet.audit(&crate::AuditQuery { limit: 2, ..Default::default() }).unwrap();
    let done = [EventKind::RolloutReverted, EventKind::RolloutResumed];
    assert_eq!(audit.iter().map(|row| row.action).collect::<Vec<_>>(), done, "what people did is audited");
    assert!(audit.iter().all(|row| row.by == "user:ann"));
    agents.restart();
    agents.pass(3);
    assert_eq!(agents.having("old"), 12);
}

#[test]
fn a_restart_after_each_second_of_a_roll_out_loses_nothing() {
    let mut agents = Agents::new(8);
    apply(&agents.bench, &give(&web("old")), at(1));
    agents.run(RolloutState::Done);
    let second = agents.second;
    apply(&agents.bench, &give(&web("new")), at(second));
    // Each step of each wave is cut once: seconds between restarts grow, so that in between it comes further.
    for seconds in (1..6).chain([61, 1, 2, 62, 1, 3, 63, 1, 1, 64, 1, 65]) {
        let before = (agents.rollout().wave, agents.having("new"));
        agents.pass(seconds);
        agents.restart();
        agents.pass(1);
        let after = (agents.rollout().wave, agents.having("new"));
        assert!(after >= before, "{before:?} {after:?}");
        assert_eq!(agents.having("new") + agents.having("old"), 8, "each has one of the two");
    }
    assert_eq!((agents.rollout().state, agents.having("new")), (RolloutState::Done, 8));
    // Nobody was given the same document twice: one number of the old, one of the new.
    assert!(agents.numbers.values().all(|numbers| numbers.len() == 2), "{:?}", agents.numbers);
}

#[test]
fn a_file_that_is_closed_by_a_failure_is_gone_on_from() {
    let mut agents = Agents::new(6);
    apply(&agents.bench, &give(&web("old")), at(1));
    for _ in 0..8 {
        // Longer than the soak, which begins anew.
        agents.pass(67);
        agents.bench.fleet.state.lock().close();
    }
    assert_eq!((agents.rollout().state, agents.having("old")), (RolloutState::Done, 6));
    assert!(agents.numbers.values().all(|numbers| numbers.len() == 1), "{:?}", agents.numbers);
}

#[test]
fn a_host_that_was_set_back_before_is_not_given_by_a_revert_what_broke_there() {
    let mut agents = Agents::new(4);
    apply(&agents.bench, &give(&web("one")), at(1));
    agents.run(RolloutState::Done);
    let second = agents.second;
    apply(&agents.bench, &give(&web("two")), at(second));
    agents.pass(3);
    let canary = *agents
        .hosts
        .iter()
        .find(|host| agents.bench.fleet.configuration_for(**host).unwrap().2.contains("two"))
        .unwrap();
    let bad = *agents.hosts.iter().find(|host| **host != canary).unwrap();
    agents.broken.insert(bad, "two");
    agents.run(RolloutState::Done);
    agents.pass(3);
    assert_eq!((agents.having("two"), agents.having("one")), (3, 1));
    let second = agents.second;
    apply(&agents.bench, &give(&web("three")), at(second));
    agents.pass(3);
    assert_eq!(agents.having("three"), 1);
    agents.bench.fleet.revert_rollout(&ann(), "no good", at(second)).unwrap();
    agents.pass(3);
    assert_eq!((agents.having("two"), agents.having("one")), (3, 1), "as before");
    let view = agents.bench.fleet.configuration_view(bad).unwrap();
    assert!(view.version == 2 && !view.set_back.is_empty(), "{view:?}");
    agents.restart();
    agents.pass(3);
    assert_eq!((agents.having("two"), agents.having("one")), (3, 1));
}

#[test]
fn a_host_that_refuses_its_own_change_is_told_once_and_counted() {
    let mut agents = Agents::new(2);
    let host = agents.hosts[0];
    agents.broken.insert(host, "nginx");
    agents.bench.fleet.assign_profile(host, "nginx", &ann(), "", at(1)).unwrap();
    agents.pass(3);
    agents.tell(host, Some((agents.bench.fleet.configuration_for(host).unwrap().1, "checks.kind: no such")));
    agents.pass(3);
    let told = stopped_events(&agents, EventKind::ConfigurationFailed);
    assert_eq!(told, ["host `web0` refused its configuration 1: checks.kind: no such"]);
    let broken = |agents: &Agents| {
        let stats = agents.bench.fleet.stats();
        stats.iter().find(|stat| stat.name == "muster_collector_configurations_broken").unwrap().value
    };
    assert_eq!(broken(&agents), 1.0);
    agents.bench.fleet.unassign_profile(host, "nginx", &ann(), "", at(9)).unwrap();
    agents.pass(3);
    assert_eq!(broken(&agents), 0.0);
}

#[test]
fn a_newer_version_takes_over_and_hosts_that_come_get_what_the_rest_has() {
    let mut agents = Agents::new(5);
    let late = agents.hosts[4];
    agents.away.insert(late);
    agents.bench.fleet.configuration_gone(late);
    apply(&agents.bench, &give(&web("one")), at(1));
    agents.pass(5);
    assert_eq!(agents.having("one"), 1);
    let second = agents.second;
    apply(&agents.bench, &give(&web("two")), at(second));
    let states: Vec<RolloutState> = agents.bench.fleet.rollouts().iter().map(|one| one.state).collect();
    assert_eq!(states, [RolloutState::Running, RolloutState::Superseded]);
    assert_eq!(agents.run(RolloutState::Done).good, 4);
    assert_eq!((agents.having("two"), agents.having("one")), (4, 0));
    agents.away.clear();
    agents.bench.fleet.configuration_connected(late, true);
    agents.tell(late, None);
    agents.pass(1);
    agents.give(late);
    assert_eq!(agents.having("two"), 5);

    // A host that changes itself during a roll-out changes by the version that it is on, at once.
    let second = agents.second;
    apply(
        &agents.bench,
        &give(
            &(web("three")
                + "---\nprofile: extra\nselector: {labels: 'extra=\"1\"'}\nchecks: [{name: extra, kind: swap}]\n"),
        ),
        at(second),
    );
    agents.bench.fleet.stop_rollout(&ann(), "wait", at(second)).unwrap();
    let labels =
        |extra: &str| BTreeMap::from([("role".to_owned(), "web".to_owned()), ("extra".to_owned(), extra.to_owned())]);
    agents
        .hosts
        .clone()
        .into_iter()
        .for_each(|host| agents.bench.fleet.relabel(host, &labels("1"), OPERATOR, at(second)).unwrap());
    agents.pass(3);
    assert!(agents.having("two") >= 4 && agents.having("extra") <= 1, "version 4 is not given to others");
    // A new host joins what is under way.
    agents.bench.fleet.resume_rollout(&ann(), at(second)).unwrap();
    let token = agents.bench.token(crate::testing::pattern("new*"));
    let mut machine = crate::testing::Machine::new("new1");
    let new = machine.enrol(&agents.bench.fleet, &token, at(second)).unwrap();
    agents.bench.fleet.relabel(new, &labels("2"), OPERATOR, at(second)).unwrap();
    agents.hosts.push(new);
    agents.bench.fleet.configuration_connected(new, true);
    let done = agents.run(RolloutState::Done);
    agents.pass(3);
    assert_eq!((agents.having("three"), agents.having("extra"), done.good), (6, 5, 6));
}

#[test]
fn a_commit_that_fails_leaves_nothing_half_done() {
    use muster_common::disk::cut::CutDisk;
    use std::path::Path;
    for operation in 0..60 {
        let disk = CutDisk::new(operation);
        let bench = Bench::on(std::sync::Arc::new(disk.clone()), Path::new("/data"));
        let host = bench.host("web1").id();
        bench.fleet.relabel(host, &BTreeMap::from([("role".to_owned(), "web".to_owned())]), OPERATOR, at(0)).unwrap();
        bench.fleet.set_profile_files(&[], &crate::By::MUSTER, at(0)).unwrap();
        bench.fleet.configuration_connected(host, true);
        bench.fleet.step_profiles(at(1)).unwrap();
        disk.power_off_at(disk.operations() + operation);
        let applied = bench.fleet.apply_profiles(&give(&web("new")), 1, &ann(), "x", at(2));
        let stepped = applied.is_ok() && bench.fleet.step_profiles(at(3)).is_ok();
        let offered = bench.fleet.configuration_for(host);
        let is_off = disk.is_off();
        disk.cut();
        let bench = bench.reopen();
        let versions = bench.fleet.profile_versions().len();
        assert!(versions == 2 || versions == 1 && applied.is_err(), "operation {operation}");
        assert_eq!(bench.fleet.rollouts().len(), versions - 1, "operation {operation}");
        if let Some((number, digest, document)) = offered {
            assert!(document.contains("new"));
            bench.fleet.step_profiles(at(4)).unwrap();
            assert_eq!(
                bench.fleet.configuration_for(host),
                Some((number, digest, document)),
                "what was given was durable"
            );
        }
        if !is_off && stepped {
            assert!(operation > 5, "only {operation} operations were cut");
            return;
        }
    }
    panic!("the power was always cut");
}
