//! The rules of EXACTLY-ONCE.md one by one.

use std::collections::BTreeSet;

use muster_common::disk::Disk;
use muster_common::disk::cut::{Fault, Operation};
use muster_common::wire::message::{Ack, Epoch, GapReason, Lane, Message, Throttle};

use super::model::Kind;
use super::world::{START_MS, World};
use crate::own::DropReason;
use crate::uplink::session::{LinkState, Note};

/// A world with a welcomed session and some rows committed.
pub(super) fn welcomed(seed: u64) -> World {
    let mut world = World::new(seed);
    world.run(5);
    world.pass(2_000);
    assert_eq!((world.missing(), world.session().link_state()), (vec![], LinkState::Connected));
    world
}

fn current(world: &World) -> Epoch {
    world.session().epochs().last().expect("an epoch").0
}

pub(super) fn hold(world: &mut World, millis: u32) {
    world.tell_agent(Message::Throttle(Throttle { linger_ms: 0, hold_ms: millis }));
    world.pass(100);
}

/// Rows of batches committed under each epoch from this place of the record on.
fn rows_of(world: &World, from: usize, epoch: Epoch) -> Vec<u64> {
    let batches = world.collector.seen[from..].iter().filter(|(at, ..)| *at == epoch);
    batches
        .filter_map(|(.., kind)| if let Kind::Batch(rows) = kind { Some(rows.clone()) } else { None })
        .flatten()
        .collect()
}

#[test]
fn a_start_opens_an_epoch_and_hello_lists_all_that_are_held_oldest_first() {
    let mut world = World::new(1);
    world.network_up = false;
    world.pass(10);
    for _ in 0..3 {
        world.run(40);
        world.pass(40_000);
        world.crash(false);
        world.start();
    }
    world.network_up = true;
    world.pass(61_000);
    let hello = world.collector.hellos.last().unwrap().clone();
    assert_eq!(hello.epochs.len(), 4, "{:?}", hello.epochs);
    assert!(hello.epochs[..3].iter().all(|held| held.last_seq[1] > 0));
    assert_eq!(hello.epochs[3].last_seq, [0; 3], "the one of this process is not used yet");
    world.settle(200);
    assert_eq!((world.missing(), world.collector.store.gaps.len()), (vec![], 0));
    assert_eq!(world.session().epochs().count(), 1, "what is committed needs no place");
}

#[test]
fn while_everything_is_acked_the_disk_is_hardly_touched() {
    let mut world = World::new(2);
    world.run(10);
    let (operations, syncs) = (world.disk.operations(), world.own.spool_syncs.value());
    world.run(3_600);
    assert_eq!((world.missing(), world.own.spooled_batches.value()), (vec![], 0));
    // One write and one sync for every 224 batches.
    assert!(world.disk.operations() - operations <= 34, "{}", world.disk.operations() - operations);
    assert!(world.own.spool_syncs.value() - syncs <= 17);
}

#[test]
fn what_is_unacked_for_ten_seconds_is_spooled_and_synced_twice_a_minute() {
    let mut world = welcomed(3);
    world.network_up = false;
    world.break_connection();
    let syncs = world.own.spool_syncs.value();
    world.run(8);
    assert_eq!(world.own.spooled_batches.value(), 0);
    world.run(592);
    // A batch every 10 s; the last one or two are younger than 10 s.
    assert!((57..=60).contains(&world.own.spooled_batches.value()), "{}", world.own.spooled_batches.value());
    assert!(world.own.spool_syncs.value() - syncs <= 22, "{}", world.own.spool_syncs.value() - syncs);
    assert!(world.own.queued_bytes.value() < 2_000);
}

#[test]
fn a_reconnect_with_a_backlog_opens_an_epoch_and_one_without_does_not() {
    let mut world = welcomed(4);
    let before = current(&world);
    world.break_connection();
    world.pass(5_000);
    assert_eq!(current(&world), before);
    world.network_up = false;
    world.break_connection();
    world.run(30);
    let offline = current(&world);
    assert!(offline > before, "what is made after a break is apart from what was made before");
    world.network_up = true;
    world.pass(61_000);
    assert!(current(&world) > offline);
    world.settle(100);
    assert_eq!(world.missing(), Vec::<u64>::new());
}

#[test]
fn live_rows_come_first_and_older_epochs_follow_oldest_first_under_the_rate_cap() {
    let mut world = World::new(5);
    world.network_up = false;
    world.run(9_000);
    world.crash(false);
    world.start();
    world.run(60);
    world.network_up = true;
    world.pass(61_000);
    let sent = world.own.sent_bytes.value();
    let first_live = world.made.len() as u64 + 1;
    world.run(10);
    world.pass(100);
    assert!((first_live..first_live + 10).all(|number| world.count(number) == 1), "live rows wait for nothing");
    let missing = world.missing();
    assert!(!missing.is_empty(), "the backlog takes longer");
    let oldest = *missing.first().unwrap();
    assert!(missing.iter().all(|number| *number >= oldest) && (1..oldest).all(|number| world.count(number) == 1));
    // Ten live batches of about 150 bytes earn four times as much for the backlog.
    assert!(world.own.sent_bytes.value() - sent < 12_000, "{}", world.own.sent_bytes.value() - sent);
    let epochs: Vec<Epoch> = world.collector.seen.iter().map(|(epoch, ..)| *epoch).collect();
    let live = *epochs.iter().max().unwrap();
    let backlog: Vec<Epoch> = epochs.into_iter().filter(|epoch| *epoch != live).collect();
    assert!(backlog.is_sorted(), "oldest first");
}

#[test]
fn contexts_come_before_their_batches_in_every_session_and_are_never_asked_for() {
    let mut world = World::new(6);
    for round in 0..20 {
        world.run(7);
        world.generation += u64::from(round % 3 == 0);
        world.break_connection();
    }
    world.settle(200);
    assert_eq!((world.missing(), world.own.context_requests.value()), (vec![], 0));
}

#[test]
fn a_context_that_is_asked_for_goes_again_with_everything_after_the_mark() {
    let mut world = welcomed(7);
    world.latency_ms = 2_500;
    world.run(6);
    world.collector.forget_contexts();
    world.run(20);
    world.latency_ms = 20;
    world.settle(100);
    assert!((1..=3).contains(&world.own.context_requests.value()), "{}", world.own.context_requests.value());
    assert_eq!((world.missing(), world.collector.store.gaps.len()), (vec![], 0));
}

#[test]
fn a_context_that_cannot_be_had_makes_its_batches_gaps_and_the_next_one_goes_on() {
    let mut world = welcomed(8);
    world.collector.refuses_contexts = true;
    world.break_connection();
    world.run(30);
    world.collector.refuses_contexts = false;
    world.generation += 1;
    world.run(10);
    world.settle(100);
    let gaps = &world.collector.store.gaps;
    assert!(!gaps.is_empty() && gaps.iter().all(|(.., gap)| gap.reason == GapReason::Lost), "{gaps:?}");
    assert_eq!(world.own.dropped_batches(DropReason::ContextLost), gaps.len() as u64);
    assert!(!world.missing().is_empty() && world.missing().iter().all(|number| (6..=40).contains(number)));
}

#[test]
fn a_mark_above_what_was_given_out_starts_an_epoch_and_what_came_later_goes_again() {
    let mut world = welcomed(9);
    let reverted = current(&world);
    hold(&mut world, 600_000);
    world.run(20);
    let (_, acked, last) = world.session().epochs().last().unwrap();
    assert!(acked < last);
    // Another life of this machine sent more under the same seqs; its last batch came between our 10th and 11th row.
    // The clocks agree to 5 s only, so it counts as having sent up to the 15th.
    let arrived_ms = START_MS + i64::try_from(world.made[&10]).unwrap() + 10;
    world.collector.store.marks.insert(reverted, (last + 50, arrived_ms));
    let seen = world.collector.seen.len();
    world.break_connection();
    world.pass(3_000);
    world.run(5);
    world.settle(100);
    assert!(world.notes.contains(&Note::Reverted { epoch: reverted, given_out: last, mark: last + 50 }));
    assert_eq!(world.own.reverts.value(), 1);
    assert_eq!(rows_of(&world, seen, reverted), Vec::<u64>::new(), "nothing more under the old epoch");
    // What the other life may have sent itself does not go again.
    assert_eq!(world.missing(), (6..=15).collect::<Vec<_>>());
    assert!(world.session().epochs().all(|(epoch, ..)| epoch != reverted));
    world.break_connection();
    world.pass(3_000);
    assert!(world.collector.hellos.last().unwrap().epochs.iter().all(|held| held.epoch != reverted));
}

#[test]
fn a_restored_store_gets_a_gap_for_what_it_lost_what_is_held_and_a_new_epoch() {
    for spooled in [false, true] {
        let mut world = welcomed(10);
        let closed = current(&world);
        let snapshot = world.collector.store.clone();
        world.run(10);
        world.pass(1_000);
        hold(&mut world, 600_000);
        world.run(8);
        if spooled {
            world.pass(20_000);
            assert!(world.own.spooled_batches.value() > 0);
        }
        let (_, acked, last) = world.session().epochs().last().unwrap();
        let mark = snapshot.marks[&closed].0;
        assert!(mark < acked && acked < last);
        world.collector.store = snapshot;
        world.collector.store.incarnation += 1;
        let seen = world.collector.seen.len();
        world.break_connection();
        world.pass(3_000);
        world.settle(100);
        assert!(world.notes.contains(&Note::Restored { epoch: closed, acked, mark }), "{:?}", world.notes);
        let gaps: Vec<_> =
            world.collector.store.gaps.iter().map(|(at, from, gap)| (*at, *from, gap.to, gap.reason)).collect();
        assert_eq!(gaps, [(closed, mark + 1, acked, GapReason::Closed)]);
        assert_eq!(rows_of(&world, seen, closed), (16..=23).collect::<Vec<_>>(), "under their own seqs");
        assert!(current(&world) > closed);
        // Rows 6 to 15 were acked by the store that is gone; 16 to 23 were still held.
        assert_eq!(world.missing(), (6..=15).collect::<Vec<_>>(), "spooled: {spooled}");
    }
}

#[test]
fn a_store_restored_while_the_agent_was_down_is_named_by_the_table() {
    let mut world = welcomed(11);
    let snapshot = world.collector.store.clone();
    let closed = current(&world);
    world.run(10);
    world.stop();
    world.collector.store = snapshot;
    world.collector.store.incarnation += 1;
    world.start();
    world.pass(3_000);
    world.settle(60);
    let gaps: Vec<_> = world.collector.store.gaps.iter().map(|(at, _, gap)| (*at, gap.reason)).collect();
    assert_eq!(gaps, [(closed, GapReason::Closed)]);
    assert_eq!(world.missing(), (6..=15).collect::<Vec<_>>());
}

#[test]
fn steps_of_the_clock_start_an_epoch() {
    for step_ms in [-60_000, -1_500, 60_000] {
        let mut world = welcomed(12);
        let before = current(&world);
        world.wall_ahead_ms += step_ms;
        world.run(3);
        assert!(current(&world) > before, "{step_ms}");
        assert!(world.notes.contains(&Note::ClockStepped { back: step_ms < 0 }));
        world.settle(60);
        assert_eq!(world.missing(), Vec::<u64>::new());
    }
}

#[test]
fn a_clock_far_off_is_corrected_once_and_asked_again_every_ten_minutes() {
    let mut world = World::new(13);
    world.collector.clock_ahead_ms = 60_000;
    world.run(5);
    assert_eq!(world.session().correction_ms(), 60_000);
    world.run(590);
    assert_eq!(world.own.clock_corrections.value(), 1);
    world.collector.clock_ahead_ms = 100;
    world.run(20);
    assert_eq!((world.session().correction_ms(), world.own.clock_corrections.value()), (0, 2));
    assert_eq!(world.own.clock_offset_ms.value(), 100);
    world.settle(60);
    assert_eq!(world.missing(), Vec::<u64>::new());
}

#[test]
fn throttle_makes_batches_larger_and_rarer_or_holds_them() {
    let mut world = welcomed(14);
    world.tell_agent(Message::Throttle(Throttle { linger_ms: 5_000, hold_ms: 0 }));
    world.pass(1_000);
    let seen = world.collector.seen.len();
    world.run(30);
    let batches = world.collector.seen[seen..].iter().filter(|(.., kind)| matches!(kind, Kind::Batch(_))).count();
    assert!((5..=7).contains(&batches), "{batches}");
    hold(&mut world, 20_000);
    let seen = world.collector.seen.len();
    world.run(15);
    assert_eq!(world.collector.seen.len(), seen);
    world.run(20);
    world.settle(60);
    assert_eq!(world.missing(), Vec::<u64>::new());
}

#[test]
fn a_lane_that_is_not_offered_gets_nothing() {
    let mut world = World::new(15);
    world.collector.lanes = 0b101;
    world.run(30);
    assert_eq!((world.collector.seen.len(), world.session().link_state()), (0, LinkState::Connected));
}

#[test]
fn a_full_spool_drops_the_oldest_and_the_gap_says_why_even_after_a_crash() {
    let mut world = World::new(16);
    world.network_up = false;
    world.crash(false);
    world.spool_bytes_max = 30_000;
    world.start();
    world.run(3_000);
    let dropped = world.own.dropped_batches(DropReason::SpoolFull);
    assert!(dropped > 20, "{dropped}");
    world.crash(false);
    world.start();
    world.network_up = true;
    world.pass(61_000);
    world.settle(400);
    let gaps: Vec<_> = world.collector.store.gaps.iter().map(|(_, from, gap)| (*from, gap.to, gap.reason)).collect();
    assert!(gaps.len() == 1 && gaps[0].0 == 1 && gaps[0].2 == GapReason::SpoolFull, "{gaps:?}");
    assert_eq!(gaps[0].1, dropped);
    let missing = world.missing();
    assert!(missing.len() as u64 >= dropped * 10 && missing.iter().filter(|number| **number < 2_900).is_sorted());
}

#[test]
fn epochs_beyond_what_a_hello_may_list_become_one_gap() {
    let mut world = World::new(17);
    world.network_up = false;
    for _ in 0..40 {
        world.run(25);
        world.pass(40_000);
        world.crash(false);
        world.start();
    }
    world.network_up = true;
    world.pass(61_000);
    assert!(world.collector.hellos.last().unwrap().epochs.len() <= 32);
    world.settle(400);
    let joined: Vec<_> = world.collector.store.gaps.iter().filter(|(.., gap)| gap.from_ms != 0).collect();
    assert_eq!(joined.len(), 1, "{:?}", world.collector.store.gaps);
    let (joined_at, _, gap) = joined[0];
    assert!(gap.reason == GapReason::SpoolFull && gap.from_ms < joined_at.created_ms(), "{gap:?}");
    assert!(world.own.dropped_batches(DropReason::TooManyEpochs) > 0);
    assert!(world.missing().iter().all(|number| *number < 400));
}

#[test]
fn without_a_durable_table_nothing_is_numbered_and_rows_are_counted() {
    let mut world = World::new(18);
    world.crash(false);
    world.disk.fail(Operation::Sync, 1, 40, Fault::Io);
    world.start();
    world.run(70);
    assert!(world.notes.iter().any(|note| matches!(note, Note::EpochNotKept { .. })));
    assert_eq!(world.own.batches.value(), 0);
    assert!(world.own.dropped_rows(DropReason::NoEpoch) > 0);
    world.run(30);
    world.settle(100);
    let missing = world.missing().len() as u64;
    assert_eq!(missing, world.own.dropped_rows(DropReason::NoEpoch), "each is counted, no other is lost");
}

#[test]
fn memory_is_bounded_while_the_disk_takes_nothing() {
    let mut world = World::new(19);
    world.crash(false);
    world.settings.queue_bytes_max = 4_000;
    world.start();
    world.pass(100);
    world.disk.set_capacity(Some(8_192));
    world.network_up = false;
    world.break_connection();
    for _ in 0..200 {
        world.run(10);
        assert!(world.own.queued_bytes.value() <= 4_000 + 400, "{}", world.own.queued_bytes.value());
    }
    assert!(world.notes.iter().any(|note| matches!(note, Note::SpoolRefuses { .. })));
    let dropped = world.own.dropped_batches(DropReason::QueueFull) + world.own.dropped_batches(DropReason::SpoolFull);
    assert!(dropped > 100);
    world.network_up = true;
    world.pass(61_000);
    world.settle(100);
    let named: u64 = world.collector.store.gaps.iter().map(|(_, from, gap)| gap.to + 1 - from).sum();
    assert_eq!(named, dropped);
    assert!(world.missing().len() >= 1_000);
}

#[test]
fn a_repeated_ack_without_progress_rewinds_and_one_after_progress_does_not() {
    let mut world = welcomed(20);
    let (epoch, acked, _) = world.session().epochs().last().unwrap();
    // The collector lost what came after its mark, and says so as often as it likes.
    world.collector.ignores = 3;
    world.run(3);
    world.tell_agent(Message::Ack(Ack { epoch, lane: Lane::P1, seq: acked }));
    world.pass(5_000);
    assert_eq!(world.missing(), Vec::<u64>::new());
    let sent = world.own.sent_bytes.value();
    for _ in 0..10 {
        let (epoch, acked, _) = world.session().epochs().last().unwrap();
        world.tell_agent(Message::Ack(Ack { epoch, lane: Lane::P1, seq: acked }));
        world.run(1);
    }
    assert!(world.own.sent_bytes.value() - sent < 3_000);
}

#[test]
fn epochs_are_never_used_twice_over_many_lives() {
    let mut world = World::new(21);
    let mut seen = BTreeSet::new();
    for life in 0..10 {
        world.run(5);
        world.pass(1_000);
        assert!(seen.insert(current(&world)), "life {life}");
        if life % 2 == 0 {
            world.stop()
        } else {
            world.crash(true)
        }
        world.start();
    }
    assert!(world.disk.list(std::path::Path::new("/state/spool")).unwrap().contains(&"epochs".to_owned()));
}

#[test]
fn a_step_of_the_clock_takes_the_correction_along_and_the_collector_is_asked_at_once() {
    // The host's clock is set right; set back further; and set right while a question is under way.
    for (off_ms, then_ms, latency_ms) in
        [(-60_000, 0, 20), (-60_000, -3_660_000, 20), (90_000, 0, 20), (-60_000, 0, 3_000)]
    {
        let mut world = World::new(22);
        world.wall_ahead_ms = off_ms;
        world.run(5);
        assert_eq!(world.session().correction_ms(), -off_ms);
        world.latency_ms = latency_ms;
        if latency_ms > 1_000 {
            world.break_connection();
            world.run(5);
        }
        world.wall_ahead_ms = then_ms;
        for second in 0..20 {
            let off = world.row() - world.collector_ms();
            assert!(off.abs() <= 5_000, "{off} ms off {second} s after {off_ms} became {then_ms}");
            world.pass(1_000);
        }
        assert_eq!(world.session().correction_ms(), -then_ms);
        world.latency_ms = 20;
        world.settle(60);
    }
}

#[test]
fn a_step_of_a_clock_that_was_right_is_corrected_within_a_round_trip() {
    let mut world = welcomed(23);
    world.wall_ahead_ms = -3_600_000;
    world.run(1);
    assert_eq!((world.session().correction_ms(), world.own.clock_corrections.value()), (3_600_000, 1));
}

#[test]
fn sleep_leaves_the_correction_as_it_was() {
    let mut world = World::new(24);
    world.wall_ahead_ms = -60_000;
    world.run(5);
    // Two hours of sleep: both wall clocks went on, the steady one did not.
    world.wall_ahead_ms += 7_200_000;
    world.collector.clock_ahead_ms += 7_200_000;
    let off = world.row() - (world.collector_ms() + 7_200_000);
    assert!(off.abs() <= 5_000, "{off}");
}
