use self::world::{Does, MINUTE, SECOND, World, id, terms};
use super::*;

mod maintained;
mod world;

fn started(terms: Terms, does: impl IntoIterator<Item = Does>) -> World {
    let mut world = World::new(terms, does, 1);
    world.happens(Happened::Approved);
    world
}

/// A hundred hosts that do it well, but those.
fn hundred(terms: Terms, but: &[(u64, Does)]) -> World {
    let does = |number| but.iter().find(|(host, _)| *host == number).map_or(Does::Well(3), |(_, does)| *does);
    started(terms, (0..100).map(does))
}

fn count(world: &World, state: RunState) -> u64 {
    world.machine.counts(STEP_FORWARD)[state as usize]
}

#[test]
fn waves_are_the_canary_then_batches_and_each_soaks() {
    let mut world = hundred(terms(1, WaveSize::Percent(25)), &[]);
    world.pass(1);
    assert_eq!(count(&world, RunState::Sent), 1, "the canary");
    assert_eq!(world.run(0).state, RunState::Sent, "hosts have their turn in the order that was asked for");
    world.pass(25);
    assert_eq!((count(&world, RunState::Ok), world.machine.progress.wave), (1, 0), "it soaks");
    world.pass(25);
    assert_eq!(world.machine.progress.wave, 1);
    assert_eq!(count(&world, RunState::Waiting), 74);
    world.pass(400);
    assert_eq!((world.state(), count(&world, RunState::Ok)), (OrderState::Done, 100));
    let waves = world.effects.iter().filter(|effect| matches!(effect, Effect::WaveDone(_))).count();
    assert_eq!(waves, 4, "the canary and three of four batches of 25, the last of 24 ends the order");
    let done = world.effects.len();
    world.pass(1_000);
    assert_eq!(world.effects.len(), done, "what is done does nothing more");
}

#[test]
fn nothing_is_called_before_approval_and_a_request_that_nobody_approves_expires() {
    let mut world = World::new(terms(1, WaveSize::Hosts(10)), [Does::Well(1); 5], 1);
    world.pass(179 * 60);
    assert_eq!((world.state(), world.effects.len()), (OrderState::Requested, 0));
    world.pass(60);
    assert_eq!(world.state(), OrderState::Expired);
    assert_eq!(world.effects, [Effect::Finished]);
    assert_eq!(
        (count(&world, RunState::Skipped), world.run(0).reason.as_str()),
        (5, "the order expired before its turn")
    );
    world.happens(Happened::Approved);
    assert_eq!(world.state(), OrderState::Expired);
}

#[test]
fn each_way_in_which_a_canary_fails_holds_everything() {
    for (does, reason) in [
        (Does::Fails(2), "the task ended with exit code 3"),
        (Does::Refuses, "the task is not allowed here"),
        (Does::Hangs, "did not say within 10 min how it ended"),
        (Does::IsMute, "did not say within 10 min how it ended"),
        (Does::GoesAway(2), "did not come back within 5 min"),
        (Does::BreaksAfter(2), "has a new problem: nginx is CRITICAL"),
    ] {
        let mut world = hundred(Terms { failures_max: 50, ..terms(1, WaveSize::Hosts(20)) }, &[(0, does)]);
        world.pass(1_000);
        assert_eq!((world.state(), count(&world, RunState::Waiting)), (OrderState::Paused, 99), "{does:?}");
        let progress = &world.machine.progress;
        assert!(
            progress.reason.starts_with("1 of 1 canaries failed") && progress.reason.contains(reason),
            "{progress:?}"
        );
        world.happens(Happened::Resume);
        world.pass(2_000);
        assert_eq!(
            (world.state(), count(&world, RunState::Ok)),
            (OrderState::Done, if world.run(0).state == RunState::Ok { 100 } else { 99 }),
            "{does:?}: {:?}",
            world.machine.progress
        );
        assert!(world.run(0).has_failed(), "{does:?}: a person who goes on makes no failure good");
    }
}

#[test]
fn of_a_batch_as_many_may_fail_as_the_terms_say() {
    let bad: Vec<(u64, Does)> = (10..13).map(|host| (host, Does::Fails(2))).collect();
    let mut world = hundred(Terms { failures_max: 3, ..terms(1, WaveSize::Hosts(20)) }, &bad);
    world.pass(1_000);
    assert_eq!((world.state(), count(&world, RunState::Failed)), (OrderState::Done, 3));
    let mut world =
        hundred(Terms { failures_max: 2, on_trouble: OnTrouble::Stop, ..terms(1, WaveSize::Hosts(20)) }, &bad);
    world.pass(1_000);
    assert_eq!(world.state(), OrderState::Stopped);
    assert!(world.machine.progress.reason.starts_with("3 hosts failed, 2 may"), "{:?}", world.machine.progress);
    let ran = count(&world, RunState::Ok) + 3;
    assert_eq!((ran, count(&world, RunState::Cancelled)), (21, 79), "the others of its wave came to their end");
}

#[test]
fn a_hundred_hosts_with_one_bad_wave_are_stopped_and_rolled_back() {
    let back_expires_ms = Some(400 * MINUTE);
    let bad: Vec<(u64, Does)> = (31..41).map(|host| (host, Does::BreaksAfter(2))).collect();
    let terms =
        Terms { failures_max: 2, on_trouble: OnTrouble::RollBack, back_expires_ms, ..terms(1, WaveSize::Hosts(10)) };
    let mut world = hundred(terms, &bad);
    world.pass(2_000);
    assert_eq!(world.state(), OrderState::RolledBack);
    assert_eq!(
        (count(&world, RunState::Ok), count(&world, RunState::Cancelled)),
        (41, 59),
        "the canary and four waves"
    );
    let counts = world.machine.counts(STEP_BACK);
    assert_eq!(counts[RunState::Ok as usize], 41, "all that ran, and nobody else");
    assert_eq!(counts.iter().sum::<u64>(), 41);
    assert_eq!((0..100).filter(|host| world.begun(id(*host), STEP_BACK) == 1).count(), 41);
    let told: Vec<&Effect> = world
        .effects
        .iter()
        .filter(|effect| !matches!(effect, Effect::Call(..) | Effect::Ended(..) | Effect::WaveDone(_)))
        .collect();
    assert_eq!(told, [&Effect::Begun, &Effect::RollingBack, &Effect::Finished]);
}

#[test]
fn a_reboot_within_its_time_is_no_failure() {
    let mut world = hundred(terms(1, WaveSize::Hosts(50)), &[(0, Does::Boots(120)), (7, Does::Boots(290))]);
    world.pass(1_500);
    assert_eq!((world.state(), count(&world, RunState::Ok)), (OrderState::Done, 100));
    let mut world = hundred(terms(1, WaveSize::Hosts(50)), &[(0, Does::Boots(320))]);
    world.pass(315);
    assert_eq!((world.run(0).state, world.state()), (RunState::Lost, OrderState::Paused));
    world.pass(60);
    let run = world.run(0);
    assert_eq!((run.state, run.reason.as_str()), (RunState::Ok, ""), "it came back and said that it had ended well");
}

#[test]
fn paused_and_stopped_orders_call_nobody() {
    let mut world = hundred(terms(0, WaveSize::Hosts(10)), &[(3, Does::Hangs)]);
    world.pass(10);
    world.happens(Happened::Pause("ann looks"));
    world.pass(300);
    assert_eq!(
        (world.state(), count(&world, RunState::Ok), count(&world, RunState::Running)),
        (OrderState::Paused, 9, 1)
    );
    world.happens(Happened::Resume);
    world.pass(10);
    assert_eq!(count(&world, RunState::Waiting), 90, "one of the wave is not at its end");
    world.happens(Happened::Stop("ann has seen enough"));
    assert_eq!(world.state(), OrderState::Stopping);
    world.pass(10);
    assert_eq!((world.state(), count(&world, RunState::Cancelled)), (OrderState::Stopped, 91));
    assert_eq!(world.run(99).reason, "ann has seen enough");
    assert!(!world.machine.allows(&Happened::Resume, world.now_ms));
    assert!(!world.machine.allows(&Happened::Stop("again"), world.now_ms));
}

#[test]
fn a_request_is_taken_back_and_an_order_that_is_done_can_be_rolled_back() {
    let mut world = World::new(terms(1, WaveSize::Hosts(10)), [Does::Well(1); 5], 1);
    world.happens(Happened::Stop("wrong hosts"));
    assert_eq!((world.state(), count(&world, RunState::Cancelled)), (OrderState::Cancelled, 5));
    let terms = Terms { back_expires_ms: Some(180 * MINUTE), ..terms(1, WaveSize::Hosts(10)) };
    let mut world = started(terms, [Does::Well(1), Does::Refuses, Does::Well(1)]);
    world.machine.terms.failures_max = 1;
    world.pass(200);
    assert_eq!(world.state(), OrderState::Done);
    world.happens(Happened::RollBack("it was wrong"));
    world.pass(100);
    assert_eq!(world.state(), OrderState::RolledBack);
    assert_eq!(world.machine.counts(STEP_BACK).iter().sum::<u64>(), 2, "a host that refused has nothing to take back");
    assert!(!world.machine.allows(&Happened::RollBack("again"), world.now_ms));
}

#[test]
fn a_busy_host_is_asked_again_and_who_is_away_has_its_turn_until_the_order_expires() {
    let mut world = hundred(
        terms(1, WaveSize::Hosts(100)),
        &[(0, Does::BusyFirst(3)), (5, Does::IsAway), (6, Does::BusyFirst(200))],
    );
    world.pass(200);
    assert_eq!(world.run(0).state, RunState::Ok);
    world.pass(2_000);
    assert_eq!((world.state(), count(&world, RunState::Waiting)), (OrderState::Paused, 1));
    assert_eq!(world.run(6).reason, "was busy all the time, and was stopped then");
    world.happens(Happened::Resume);
    world.pass(180 * 60);
    assert_eq!((world.state(), world.run(5).state), (OrderState::Expired, RunState::Skipped));
}

#[test]
fn no_more_calls_are_sent_than_may_be() {
    let mut world = hundred(terms(0, WaveSize::Percent(100)), &[]);
    world.calls_a_minute = 12;
    world.pass(60 - 1);
    let before = world.effects.iter().filter(|effect| matches!(effect, Effect::Call(..))).count();
    assert_eq!(before, 100, "the bucket was full");
    let mut world = hundred(terms(0, WaveSize::Percent(100)), &[]);
    let mut none = 0;
    world.happens(Happened::Tick { calls: &mut none });
    assert_eq!(count(&world, RunState::Sent), 0);
    let mut seven = 7;
    world.happens(Happened::Tick { calls: &mut seven });
    assert_eq!((seven, count(&world, RunState::Sent), world.state()), (0, 7, OrderState::Running));
}

#[test]
fn a_retired_host_holds_nothing_up() {
    let mut world = hundred(terms(1, WaveSize::Hosts(99)), &[(0, Does::Hangs), (9, Does::IsAway)]);
    world.pass(5);
    world.happens(Happened::Left(id(9)));
    world.happens(Happened::Left(id(0)));
    assert_eq!((world.run(9).state, world.run(0).state), (RunState::Skipped, RunState::Lost));
    world.pass(5);
    assert_eq!(world.state(), OrderState::Paused, "it was the canary");
}

/// A world of every kind of mishap, and what people do in it; `look` sees it after each step of theirs.
fn live(seed: u64, look: &mut dyn FnMut(&World)) -> World {
    let mut random = fastrand::Rng::with_seed(seed);
    let hosts = random.usize(1..24);
    let bad = random.u32(0..30);
    let mut does = || {
        if random.u32(0..100) >= bad {
            return Does::Well(random.i64(0..40));
        }
        match random.u32(0..9) {
            0 => Does::Fails(random.i64(0..20)),
            1 => Does::BreaksAfter(random.i64(0..20)),
            2 => Does::Boots(random.i64(10..400)),
            3 => Does::Refuses,
            4 => Does::BusyFirst(random.u8(0..40)),
            5 => Does::Hangs,
            6 => Does::IsMute,
            7 => Does::GoesAway(random.i64(0..20)),
            _ => Does::IsAway,
        }
    };
    let forward: Vec<Does> = (0..hosts).map(|_| does()).collect();
    let back: Vec<Does> = (0..hosts).map(|_| does()).collect();
    let batch = if random.bool() { WaveSize::Hosts(random.u32(1..12)) } else { WaveSize::Percent(random.u8(1..=100)) };
    let terms = Terms {
        failures_max: random.u32(0..4),
        on_trouble: [OnTrouble::Pause, OnTrouble::Stop, OnTrouble::RollBack][random.usize(0..3)],
        soak_ms: random.i64(0..60) * SECOND,
        expires_ms: random.i64(2..60) * MINUTE,
        back_expires_ms: random.bool().then_some(70 * MINUTE),
        ..terms(random.u32(0..3), batch)
    };
    let mut world = World::new(terms, forward, seed);
    world.back = (0..).map(id).zip(back).collect();
    (world.losses, world.restarts, world.replays) = (random.u32(0..8), random.u32(0..6), random.u32(0..500));
    if random.bool() {
        world.calls_a_minute = random.usize(1..20);
    }
    world.happens(Happened::Approved);
    look(&world);
    let mut pass = |world: &mut World, seconds: i64| {
        for _ in 0..seconds {
            world.pass(1);
            look(world);
        }
    };
    for _ in 0..40 {
        pass(&mut world, random.i64(1..150));
        match random.u32(0..24) {
            0 => world.happens(Happened::Pause("a person")),
            1 | 2 => world.happens(Happened::Resume),
            3 if random.bool() => world.happens(Happened::Stop("a person")),
            4 => world.happens(Happened::RollBack("a person")),
            5 => world.happens(Happened::Left(id(random.u64(0..hosts as u64)))),
            _ => {}
        }
    }
    for _ in 0..100 {
        if world.state().is_open() {
            pass(&mut world, 100);
        }
    }
    world
}

/// What must always be so is held at every step ([`World::hold`] and its neighbours).
#[test]
fn worlds_end_by_a_name_whatever_happens() {
    let mut ends = std::collections::BTreeMap::<&str, u32>::new();
    for seed in 0..250 {
        let world = live(seed, &mut |_| ());
        let progress = &world.machine.progress;
        assert!(!progress.state.is_open(), "world {seed} has not ended: {progress:?}");
        *ends.entry(progress.word()).or_default() += 1;
    }
    for state in ["done", "stopped", "rolled_back", "expired"] {
        assert!(ends.get(state).is_some_and(|worlds| *worlds >= 10), "too few worlds end so: {ends:?}");
    }
}
