//! How connections and processes end.

use std::time::Duration;

use muster_common::disk::cut::{Fault, Operation};
use muster_common::wire::message::{Ack, CollectorGoodbye, GoodbyeReason, Lane, Message, RefusalCode, Refused};

use super::world::World;
use crate::uplink::session::{LinkState, Note};

fn welcomed(seed: u64) -> World {
    let mut world = World::new(seed);
    world.run(5);
    world.pass(2_000);
    assert_eq!(world.session().link_state(), LinkState::Connected);
    world
}

#[test]
fn each_refusal_waits_as_long_as_its_reason_needs() {
    for (code, retry_after_ms, least, most) in [
        (RefusalCode::Busy, 0, 0, 1),
        (RefusalCode::Busy, 20_000, 20, 21),
        (RefusalCode::Storage, 5_000, 5, 6),
        (RefusalCode::Protocol, 0, 5, 6),
        (RefusalCode::Superseded, 0, 30, 31),
        (RefusalCode::Version, 0, 60, 61),
        (RefusalCode::Certificate, 0, 600, 601),
        (RefusalCode::Quarantined, 0, 600, 601),
        (RefusalCode::Quarantined, 900_000, 900, 901),
    ] {
        let mut world = welcomed(1);
        let (message, remedy) = ("no".to_owned(), "do this".to_owned());
        let refused = Refused { code, message: message.clone(), remedy: remedy.clone(), retry_after_ms };
        world.tell_agent(Message::Refused(refused));
        world.pass(20);
        assert_eq!(world.session().link_state(), LinkState::Refused { message, remedy });
        let again_in = world.notes.iter().find_map(|note| match note {
            Note::Refused { again_in, .. } => Some(*again_in),
            _ => None,
        });
        let again_in = again_in.unwrap();
        assert!((Duration::from_secs(least)..=Duration::from_secs(most)).contains(&again_in), "{code:?}: {again_in:?}");
        let hellos = world.collector.hellos.len();
        let millis = u64::try_from(again_in.as_millis()).unwrap();
        world.pass(millis.saturating_sub(1));
        assert_eq!(world.collector.hellos.len(), hellos, "{code:?}");
        world.pass(200);
        assert_eq!((world.collector.hellos.len(), world.session().link_state()), (hellos + 1, LinkState::Connected));
    }
}

#[test]
fn a_collector_that_leaves_is_asked_again_within_its_spread() {
    let mut world = welcomed(2);
    let goodbye = CollectorGoodbye { reason: "restart".to_owned(), spread_ms: 30_000 };
    world.tell_agent(Message::CollectorGoodbye(goodbye));
    world.pass(50);
    let hellos = world.collector.hellos.len();
    world.run(31);
    assert_eq!(world.collector.hellos.len(), hellos + 1);
    world.settle(60);
    assert_eq!(world.missing(), Vec::<u64>::new());
}

#[test]
fn failed_attempts_come_back_ever_more_slowly_up_to_a_minute() {
    let mut world = World::new(3);
    world.network_up = false;
    let connects = world.own.connects.value();
    world.pass(3_600_000);
    assert_eq!(world.own.connects.value(), connects);
    world.network_up = true;
    world.pass(60_100);
    assert_eq!(world.session().link_state(), LinkState::Connected);
}

#[test]
fn a_connection_without_progress_is_given_up() {
    let mut world = welcomed(4);
    world.collector.ignores = u32::MAX;
    world.run(5);
    let hellos = world.collector.hellos.len();
    world.pass(84_000);
    assert_eq!(world.collector.hellos.len(), hellos);
    world.collector.ignores = 0;
    world.pass(20_000);
    assert!(world.notes.contains(&Note::Stalled));
    assert_eq!(world.collector.hellos.len(), hellos + 1);
    world.settle(60);
    assert_eq!(world.missing(), Vec::<u64>::new());
}

#[test]
fn an_ack_of_what_was_never_given_out_ends_the_session_so_that_hello_settles_it() {
    let mut world = welcomed(5);
    let (epoch, _, last) = world.session().epochs().last().unwrap();
    let hellos = world.collector.hellos.len();
    world.tell_agent(Message::Ack(Ack { epoch, lane: Lane::P1, seq: last + 1 }));
    world.pass(5_000);
    assert_eq!(world.collector.hellos.len(), hellos + 1);
    world.settle(60);
    assert_eq!(world.missing(), Vec::<u64>::new());
}

#[test]
fn a_stop_flushes_says_why_and_leaves_exact_bounds() {
    for reason in [GoodbyeReason::Restart, GoodbyeReason::Shutdown] {
        let mut world = welcomed(6);
        world.row();
        let began = world.now_ms;
        world.step(crate::uplink::session::Input::Stop(reason));
        while !world.done {
            world.pass(10);
        }
        assert!(world.now_ms - began < 500, "{} ms", world.now_ms - began);
        assert_eq!((world.missing(), world.collector.goodbyes.clone()), (vec![], vec![reason]));
        assert_eq!((world.own.spooled_batches.value(), world.session().link_state()), (0, LinkState::Stopped));
        let (epoch, _, last) = world.session().epochs().last().unwrap();
        world.crash(true);
        world.start();
        world.pass(3_000);
        let hello = world.collector.hellos.last().unwrap();
        assert!(hello.epochs.iter().any(|held| held.epoch == epoch && held.last_seq[1] == last), "exact, not a bound");
    }
}

#[test]
fn a_stop_without_a_connection_spools_everything_durably() {
    let mut world = World::new(7);
    world.network_up = false;
    world.run(25);
    world.stop();
    world.disk.cut();
    world.network_up = true;
    world.start();
    world.pass(3_000);
    world.settle(60);
    assert_eq!((world.missing(), world.collector.store.gaps.len()), (vec![], 0));
}

#[test]
fn a_stop_with_a_silent_collector_or_a_dead_disk_ends_in_time() {
    let mut world = welcomed(8);
    world.collector.ignores = u32::MAX;
    world.run(5);
    world.stop();
    world.disk.cut();
    world.collector.ignores = 0;
    world.start();
    world.pass(3_000);
    world.settle(60);
    assert_eq!(world.missing(), Vec::<u64>::new());

    let mut world = welcomed(9);
    world.network_up = false;
    world.break_connection();
    world.run(15);
    for operation in [Operation::Write, Operation::Sync, Operation::Create] {
        world.disk.fail(operation, 1, 1_000, Fault::Io);
    }
    world.stop();
}

#[test]
fn a_stop_just_after_a_restore_loses_nothing_that_was_held() {
    for steps in 0..6 {
        let mut world = welcomed(10);
        let snapshot = world.collector.store.clone();
        world.run(10);
        world.tell_agent(Message::Throttle(muster_common::wire::message::Throttle { linger_ms: 0, hold_ms: 600_000 }));
        world.pass(100);
        world.run(8);
        world.pass(if steps % 2 == 0 { 20_000 } else { 0 });
        world.collector.store = snapshot;
        world.collector.store.incarnation += 1;
        world.break_connection();
        world.pass(steps * 300);
        world.stop();
        world.start();
        world.pass(3_000);
        world.settle(100);
        assert_eq!(world.missing(), (6..=15).collect::<Vec<_>>(), "after {steps}");
    }
}
