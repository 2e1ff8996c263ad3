//! Disks that fail or are full, and deadlines that must not stay due meanwhile (the world fails on one that does).

use std::path::Path;

use muster_common::disk::cut::{Fault, Operation};
use muster_common::wire::message::{Ack, Lane, Message};

use super::rules::{hold, welcomed};
use super::world::World;
use crate::own::DropReason;
use crate::spool::{SpoolAnswer, Trouble};
use crate::uplink::session::{Input, Note};

#[test]
fn at_the_bound_of_an_epoch_an_unwritable_table_is_tried_every_two_seconds_and_nothing_spins() {
    let mut world = welcomed(25);
    world.disk.fail(Operation::Sync, 1, 60, Fault::Io);
    world.run(400);
    assert!(world.notes.iter().any(|note| matches!(note, Note::EpochNotKept { .. })));
    world.settle(100);
}

#[test]
fn a_loss_is_made_durable_even_when_the_first_write_of_it_fails() {
    let mut world = World::new(26);
    world.crash(false);
    world.settings.queue_bytes_max = 2_000;
    world.start();
    world.run(40);
    world.disk.set_capacity(Some(8_192));
    world.network_up = false;
    world.break_connection();
    world.run(60);
    let dropped = world.own.dropped_batches(DropReason::QueueFull);
    world.disk.fail(Operation::Sync, 1, 5, Fault::Io);
    world.run(200);
    assert!(world.own.dropped_batches(DropReason::QueueFull) > dropped);
    let given_out = world.session().epochs().last().unwrap().2;
    world.pass(40_000);
    world.crash(true);
    world.disk.set_capacity(None);
    world.start();
    world.network_up = true;
    world.pass(61_000);
    world.settle(200);
    let told = world.collector.store.gaps.iter().map(|(_, _, gap)| gap.to).max().unwrap();
    assert!(told + 5 >= given_out, "gaps up to {told} of {given_out} given out");
}

#[test]
fn a_repeated_ack_during_a_hold_waits_for_its_end() {
    let mut world = welcomed(27);
    let (epoch, acked, _) = world.session().epochs().last().unwrap();
    world.collector.ignores = 3;
    world.run(3);
    world.tell_agent(Message::Ack(Ack { epoch, lane: Lane::P1, seq: acked }));
    hold(&mut world, 20_000);
    world.pass(15_000);
    assert_eq!(world.missing().len(), 3);
    world.pass(10_000);
    assert_eq!(world.missing(), Vec::<u64>::new());
}

#[test]
fn a_backlog_that_cannot_be_read_now_is_told_and_waits() {
    let mut world = World::new(28);
    world.network_up = false;
    world.run(300);
    world.stop();
    world.start();
    let backlog = world.session().epochs().next().unwrap().0;
    let from = 1;
    world.network_up = true;
    world.latency_ms = 2_000;
    world.pass(61_000);
    world.break_connection();
    world.pass(1_500);
    let trouble = Trouble::disk("read", Path::new("/state/spool/x"), &std::io::Error::from_raw_os_error(23));
    world.step(Input::Spool(SpoolAnswer::Unread { epoch: backlog, lane: Lane::P1, from, trouble: trouble.clone() }));
    assert!(world.session().disk_troubles().any(|told| *told == trouble));
    assert!(world.notes.contains(&Note::SpoolUnread { trouble }));
    world.latency_ms = 20;
    world.settle(200);
    assert_eq!((world.missing(), world.collector.store.gaps.len()), (vec![], 0));
    assert_eq!(world.session().disk_troubles().count(), 0);
}

#[test]
fn contexts_count_where_memory_is_bounded_and_the_newest_batch_stays() {
    let mut world = World::new(29);
    world.crash(false);
    world.settings.queue_bytes_max = 4_000;
    world.start();
    world.pass(100);
    world.disk.set_capacity(Some(8_192));
    world.network_up = false;
    world.break_connection();
    // Each row has a dictionary of its own, so each batch a context.
    for _ in 0..300 {
        world.generation += 1;
        world.run(1);
        world.pass(10_000);
        assert!(world.own.queued_bytes.value() <= 4_000, "{}", world.own.queued_bytes.value());
    }
    let (_, acked, last) = world.session().epochs().last().unwrap();
    assert!(world.own.queued_bytes.value() > 2_000 && acked < last);
    // A context larger than the bound: what was made last is held all the same.
    world.crash(false);
    world.settings.queue_bytes_max = 10;
    world.start();
    world.run(30);
    world.network_up = true;
    world.pass(61_000);
    world.settle(300);
    let newest = world.made.len() as u64;
    assert_eq!((world.count(newest), world.missing().last() < Some(&newest)), (1, true));
}

#[test]
fn a_full_disk_is_told_with_its_place_and_the_remedy() {
    let mut world = World::new(30);
    world.pass(100);
    world.disk.set_capacity(Some(8_192));
    world.network_up = false;
    world.break_connection();
    world.run(100);
    let note = world.notes.iter().find(|note| matches!(note, Note::SpoolRefuses { .. })).unwrap().to_string();
    let told: Vec<String> = world.session().disk_troubles().map(ToString::to_string).collect();
    for text in [note, told.concat()] {
        assert!(text.contains("/state/spool") && text.contains("free room"), "{text}");
    }
    world.disk.set_capacity(None);
    world.run(30);
    assert_eq!(world.session().disk_troubles().count(), 0);
}

#[test]
fn a_renewal_that_does_not_help_is_tried_with_the_usual_backoff() {
    let mut world = World::new(31);
    world.certificate_expired = true;
    world.break_connection();
    world.pass(600_000);
    let connects = world.own.connects.value();
    assert!((10..60).contains(&connects), "{connects} connections in 10 min");
    world.certificate_expired = false;
    world.pass(61_000);
    world.settle(60);
}
