use self::world::{Does, World, digest, id, name};
use super::*;

mod world;

/// A hundred hosts that take what they are given, but those.
fn hundred(but: &[(u64, Does)]) -> World {
    World::new(
        (0..100).map(|number| but.iter().find(|(host, _)| *host == number).map_or(Does::TakesIt, |(_, does)| *does)),
    )
}

#[test]
fn waves_are_one_host_then_five_percent_then_all() {
    let mut world = hundred(&[]);
    let canary = world.canary();
    world.pass(1);
    assert_eq!((world.having(2), world.has[&canary]), (1, 2));
    world.pass(61);
    assert_eq!((world.having(2), world.machine.row.wave), (1, 0), "the soak lasts a minute from its word");
    world.pass(2);
    assert_eq!((world.having(2), world.machine.row.wave), (6, 1));
    world.pass(65);
    assert_eq!((world.having(2), world.machine.row.wave), (100, 2));
    world.pass(65);
    let row = &world.machine.row;
    assert_eq!((row.state, row.good, row.failed.len(), row.reason.as_str()), (RolloutState::Done, 100, 0, ""));
    assert_eq!(world.effects.last(), Some(&Effect::Done));
    let done = world.effects.len();
    world.pass(1_000);
    assert_eq!(world.effects.len(), done, "what is done does nothing more");
}

#[test]
fn a_document_that_breaks_on_one_host_of_a_hundred_is_set_back_there_alone() {
    for does in [Does::RefusesIt, Does::RevertsIt(10), Does::RevertsIt(59), Does::IsMute, Does::Dies(1), Does::Dies(40)]
    {
        let bad = if hundred(&[]).canary() == id(7) { 8 } else { 7 };
        let mut world = hundred(&[(bad, does)]);
        world.pass(1_500);
        let row = &world.machine.row;
        assert_eq!((row.state, row.good), (RolloutState::Done, 99), "{does:?}");
        assert_eq!((world.having(2), world.has[&id(bad)]), (99, 1), "{does:?}");
        let named = world.named();
        assert!(named.len() == 1 && named[0].starts_with(&format!("web{bad} ")), "{does:?}: {named:?}");
        if does == Does::RefusesIt {
            assert_eq!(named, [format!("web{bad} refused it: checks.kind: no such")]);
        }
    }
}

#[test]
fn a_document_that_breaks_on_the_first_host_stops_after_it() {
    for does in [Does::RefusesIt, Does::RevertsIt(30), Does::IsMute, Does::Dies(5)] {
        let mut world = hundred(&[]);
        let canary = world.canary();
        world.does.insert(canary, does);
        world.pass(1_500);
        let row = &world.machine.row;
        assert_eq!((row.state, row.wave, world.having(2)), (RolloutState::Stopped, 0, 0), "{does:?}");
        assert!(row.reason.starts_with(&format!("the first host, {}, ", name(canary))), "{}", row.reason);
        let released = world.effects.iter().filter(|effect| matches!(effect, Effect::Release(_))).count();
        assert_eq!((released, world.effects.last()), (1, Some(&Effect::Stopped)), "{does:?}");
        // A person goes on without it.
        world.happens(Happened::Resume);
        world.pass(600);
        assert_eq!((world.machine.row.state, world.having(2), world.named().len()), (RolloutState::Done, 99, 1));
    }
}

#[test]
fn more_than_a_twentieth_of_a_wave_stops_it_and_two_of_a_small_one() {
    let canary = hundred(&[]).canary();
    let others: Vec<u64> = (0..100).filter(|number| id(*number) != canary).collect();
    // Of the second wave's five two are too many; one is not.
    for (bad, state) in [(1, RolloutState::Done), (2, RolloutState::Stopped)] {
        let mut world = hundred(&[]);
        let mut order: Vec<(u64, HostId)> =
            world.machine.members.iter().map(|(host, member)| (member.order, *host)).collect();
        order.sort_unstable();
        world.does.extend(order[1..=bad].iter().map(|(_, host)| (*host, Does::RefusesIt)));
        world.pass(1_000);
        assert_eq!((world.machine.row.state, world.named().len()), (state, bad));
        if state == RolloutState::Stopped {
            assert_eq!(world.having(2), 4, "the canary and the three others of the wave");
            assert!(
                world.machine.row.reason.contains("2 of 5 hosts of the wave failed"),
                "{}",
                world.machine.row.reason
            );
        }
    }
    let mut world = hundred(&others[20..60].iter().map(|number| (*number, Does::RevertsIt(20))).collect::<Vec<_>>());
    world.pass(2_000);
    assert_eq!(world.machine.row.state, RolloutState::Stopped);
}

#[test]
fn hosts_that_come_later_get_it_when_the_rest_has_it() {
    let mut world = hundred(&[]);
    let canary = world.canary();
    let away = if canary == id(3) { id(4) } else { id(3) };
    world.does.insert(away, Does::IsAway);
    world.happens(Happened::Gone(away));
    world.pass(10);
    world.happens(Happened::Connected(away));
    world.happens(Happened::Gone(away));
    world.pass(130);
    assert_eq!((world.having(2), world.machine.row.wave, world.has[&away]), (99, 2, 1));
    world.does.insert(away, Does::TakesIt);
    world.happens(Happened::Connected(away));
    world.happens(Happened::Tick);
    assert_eq!(world.has[&away], 2, "at once in the last wave");
    world.pass(70);
    assert_eq!((world.machine.row.state, world.machine.row.good), (RolloutState::Done, 100));

    // Nobody is there: it waits for a first host.
    let mut world = World::new([Does::IsAway, Does::IsAway]);
    world.pass(10_000);
    assert_eq!((world.machine.row.state, world.machine.row.wave, world.having(2)), (RolloutState::Running, 0, 0));
    world.does.insert(id(0), Does::TakesIt);
    world.happens(Happened::Connected(id(0)));
    world.pass(70);
    assert_eq!(
        (world.machine.row.state, world.having(2)),
        (RolloutState::Done, 1),
        "the other one gets it when it comes"
    );
}

#[test]
fn a_host_that_comes_and_goes_without_a_word_has_an_end_too() {
    let mut world = World::new([Does::IsMute]);
    let host = id(0);
    world.pass(200);
    world.happens(Happened::Gone(host));
    world.pass(200);
    world.happens(Happened::Connected(host));
    world.pass(50);
    assert_eq!(world.machine.row.state, RolloutState::Running, "it has a minute to say how it stands");
    for _ in 0..20 {
        world.happens(Happened::Gone(host));
        world.pass(20);
        world.happens(Happened::Connected(host));
        world.pass(20);
    }
    assert_eq!(world.named(), ["web0 did not say within 15 min that it is in force"]);
}

#[test]
fn a_restart_after_each_event_changes_nothing_but_time() {
    let bad = if hundred(&[]).canary() == id(7) { 8 } else { 7 };
    for does in [Does::RefusesIt, Does::RevertsIt(2), Does::TakesIt] {
        let mut world = hundred(&[(bad, does)]);
        for _ in 0..40 {
            world.pass(11);
            world.restart();
        }
        world.pass(300);
        let failed = usize::from(does != Does::TakesIt);
        assert_eq!((world.machine.row.state, world.having(2)), (RolloutState::Done, 100 - failed), "{does:?}");
    }
    // Restarted every second nothing is taken for good that nobody watched for a minute.
    let mut world = hundred(&[]);
    world.restarts = true;
    world.pass(200);
    assert_eq!((world.machine.row.wave, world.having(2)), (0, 1));
    world.restarts = false;
    world.pass(300);
    assert_eq!(world.machine.row.state, RolloutState::Done);
}

#[test]
fn people_stop_it_and_late_reverts_are_set_back() {
    let mut world = hundred(&[]);
    world.pass(70);
    world.happens(Happened::Stop("user:ann stopped it: lunch"));
    world.pass(2_000);
    assert_eq!((world.machine.row.state, world.having(2)), (RolloutState::Stopped, 6));
    assert_eq!(world.machine.row.reason, "user:ann stopped it: lunch");
    let canary = world.canary();
    let problems = ["the agent died".to_owned()];
    let told = Told { word: ConfigurationWord::Reverted, in_force: digest(1), offered: digest(2), problems: &problems };
    world.happens(Happened::Told(canary, told));
    assert_eq!((world.having(2), world.named().len()), (5, 1), "although it had been good");
    world.happens(Happened::Resume);
    world.happens(Happened::Resume);
    world.pass(301);
    assert_eq!((world.machine.row.state, world.having(2)), (RolloutState::Done, 99));
    assert_eq!(world.effects.iter().filter(|effect| **effect == Effect::Resumed).count(), 1);

    // A retired host is no failure, and a document that the host itself changed begins its soak anew.
    let mut world = World::new([Does::TakesIt]);
    world.pass(30);
    world.happens(Happened::Expects(id(0), Expected { digest: digest(3) }));
    world.pass(40);
    assert_eq!(world.machine.row.state, RolloutState::Running);
    world.happens(Happened::Left(id(0)));
    world.pass(1);
    assert_eq!((world.machine.row.state, world.machine.row.failed.len()), (RolloutState::Done, 0));
}

#[test]
fn in_any_world_nobody_has_a_document_that_broke_and_waves_keep_their_bounds() {
    for seed in 0..150 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (count, broken) = (random.usize(1..60), random.usize(0..12));
        let mut does: Vec<Does> = vec![Does::TakesIt; count];
        for _ in 0..broken {
            let kinds = [
                Does::RefusesIt,
                Does::RevertsIt(random.i64(1..90)),
                Does::IsMute,
                Does::Dies(random.i64(1..90)),
                Does::IsAway,
            ];
            does[random.usize(0..count)] = kinds[random.usize(0..kinds.len())];
        }
        let mut world = World::new(does.clone());
        for _ in 0..random.usize(20..80) {
            world.pass(random.i64(1..60));
            match random.u8(0..12) {
                0 => world.restart(),
                1 => world.happens(Happened::Resume),
                2 => world.happens(Happened::Stop("x")),
                3 => {
                    let host = id(random.u64(0..count as u64));
                    world.happens(Happened::Gone(host));
                    world.happens(Happened::Connected(host));
                }
                _ => {}
            }
            let [waiting, released, good, failed] = world.machine.counts();
            assert_eq!(waiting + released + good + failed, count as u64, "seed {seed}");
            let wave = world.machine.row.wave;
            let most = [1, 1 + (count * 5).div_ceil(100), count][usize::from(wave)];
            assert!((released + good + failed) as usize <= most, "seed {seed}: wave {wave}");
            for (host, has) in &world.has {
                let stage = world.machine.members[host].stage;
                assert_eq!(*has == 2, matches!(stage, Stage::Released | Stage::Good), "seed {seed}: {stage:?}");
            }
        }
        // People go on until it is over, or nobody is there to try it.
        for _ in 0..50 {
            world.happens(Happened::Resume);
            world.pass(60);
        }
        let ends = world.machine.row.state == RolloutState::Done;
        assert!(ends || world.machine.connected.is_empty(), "seed {seed}: {:?}", world.machine.row);
        for (number, does) in (0..).zip(&does) {
            let bad = matches!(does, Does::RefusesIt | Does::RevertsIt(_));
            assert!(!bad || !ends || world.has[&id(number)] == 1, "seed {seed}: web{number} {does:?}");
        }
    }
}

#[test]
fn ten_thousand_hosts_are_released_in_portions() {
    let mut world = World::new((0..10_000).map(|_| Does::TakesIt));
    let mut most = 0;
    for _ in 0..400 {
        let before = world.having(2);
        world.pass(1);
        most = most.max(world.having(2) - before);
    }
    assert_eq!((world.machine.row.state, world.machine.row.good, most), (RolloutState::Done, 10_000, RELEASES_A_STEP));
}
