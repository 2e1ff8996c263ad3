//! Lane p0: results of checks, and those that other processes handed over.

use std::path::Path;

use muster_common::disk::Disk;
use muster_common::wire::inventory::InventoryReport;
use muster_common::wire::message::{FrameKind, InventoryWanted, Message, ProcessLook, Report};

use super::rules::{hold, welcomed};
use super::world::World;
use crate::own::DropReason;
use crate::uplink::session::{Input, InventoryOrder, LinkState};

/// Results committed, which must be each once.
fn arrived(world: &World) -> Vec<u64> {
    let results = &world.collector.store.results;
    let mut sorted = results.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), results.len(), "committed more than once: {results:?}");
    results.clone()
}

fn upto(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

fn offline(world: &mut World) {
    world.network_up = false;
    world.break_connection();
}

fn online(world: &mut World) {
    world.network_up = true;
    world.pass(61_000);
    world.settle(200);
}

/// Looks at processes, by when they were taken.
fn looks(world: &World) -> Vec<i64> {
    let at = |report: &Report| if let Report::Processes(look) = report { look.at_ms } else { 0 };
    world.collector.store.looks.iter().map(at).collect()
}

#[test]
fn what_the_collector_has_of_an_inventory_is_told_where_it_takes_one() {
    let mut world = welcomed(43);
    assert_eq!(world.inventory_orders, [], "a collector of before");
    assert!(world.collector.hellos[0].reads(FrameKind::InventoryWanted));
    world.collector.takes_processes = true;
    world.break_connection();
    world.pass(61_000);
    world.settle(100);
    let wanted = InventoryWanted { tables: vec![6, 9], extensions: Vec::new() };
    world.step(Input::Message(Message::InventoryWanted(wanted)));
    assert_eq!(world.inventory_orders, [InventoryOrder::Known(Vec::new()), InventoryOrder::Wanted(vec![6, 9])]);
}

#[test]
fn looks_at_processes_go_only_where_they_are_read_and_apart_from_results() {
    let mut world = welcomed(41);
    let look = |at_ms| Report::Processes(ProcessLook { at_ms, ..ProcessLook::default() });
    world.tell(vec![look(1)]);
    world.pass(200);
    assert_eq!((looks(&world), world.own.looks_unsent.value()), (vec![], 1), "a collector of before");
    world.collector.takes_processes = true;
    world.break_connection();
    world.pass(61_000);
    world.settle(100);
    world.say();
    world.tell(vec![look(2), look(3)]);
    world.say();
    world.pass(200);
    assert_eq!((looks(&world), arrived(&world)), (vec![2, 3], upto(2)));
    // Away it may come back as it was: what is taken meanwhile is kept like results.
    offline(&mut world);
    world.tell(vec![look(4)]);
    world.pass(2_000);
    world.crash(true);
    world.start();
    online(&mut world);
    assert_eq!((looks(&world), world.own.looks_unsent.value()), (vec![2, 3, 4], 1));
}

#[test]
fn inventories_go_only_where_they_are_read_and_apart_from_all_others() {
    let mut world = welcomed(43);
    let inventory = |at_ms| Report::Inventory(InventoryReport { at_ms, ..InventoryReport::default() });
    world.tell(vec![inventory(1)]);
    world.pass(200);
    assert_eq!(world.collector.store.looks, [], "a collector of before");
    world.collector.takes_processes = true;
    world.break_connection();
    world.pass(61_000);
    world.settle(100);
    let look = Report::Processes(ProcessLook { at_ms: 3, ..ProcessLook::default() });
    world.say();
    world.tell(vec![inventory(2), look.clone(), inventory(4)]);
    world.say();
    world.pass(200);
    let expect = [inventory(2), look, inventory(4)];
    assert_eq!((world.collector.store.looks.as_slice(), arrived(&world)), (expect.as_slice(), upto(2)));
}

#[test]
fn a_result_goes_at_once_and_those_of_a_moment_together() {
    let mut world = welcomed(1);
    let batches = world.own.report_batches.value();
    for _ in 0..3 {
        world.say();
    }
    world.pass(60);
    assert_eq!(arrived(&world), upto(3));
    assert_eq!((world.own.report_batches.value() - batches, world.own.reports.value()), (1, 3));
    world.pass(100);
    assert!(world.session().is_settled());
}

#[test]
fn while_results_are_acked_the_disk_is_hardly_touched() {
    let mut world = welcomed(2);
    let (operations, syncs) = (world.disk.operations(), world.own.spool_syncs.value());
    for _ in 0..3_600 {
        world.say();
        world.run(1);
    }
    assert_eq!((arrived(&world), world.own.spooled_batches.value()), (upto(3_600), 0));
    // As without results: one write and one sync for every 224 rows, which reserve results as well.
    assert!(world.disk.operations() - operations <= 36, "{}", world.disk.operations() - operations);
    assert!(world.own.spool_syncs.value() - syncs <= 18);
}

#[test]
fn what_is_unacked_for_a_second_survives_a_power_cut() {
    let mut world = welcomed(3);
    offline(&mut world);
    world.say();
    world.pass(900);
    assert_eq!(world.own.spooled_batches.value(), 0);
    world.pass(200);
    assert_eq!(world.own.spooled_batches.value(), 1);
    world.pass(50);
    world.crash(true);
    world.start();
    online(&mut world);
    assert_eq!((arrived(&world), world.collector.store.report_gaps.len()), (upto(1), 0));
}

#[test]
fn a_lost_connection_resends_what_was_not_acked_and_nothing_else() {
    for cut_after in [1, 15, 25, 45, 65] {
        let mut world = welcomed(4);
        world.say();
        world.pass(cut_after);
        world.break_connection();
        world.say();
        world.pass(5_000);
        world.settle(100);
        assert_eq!((arrived(&world), world.collector.store.report_gaps.len()), (upto(2), 0), "after {cut_after} ms");
    }
}

#[test]
fn epochs_of_reports_are_drained_oldest_first_and_one_after_another() {
    let mut world = welcomed(5);
    offline(&mut world);
    for _ in 0..6 {
        for _ in 0..40 {
            world.say();
            world.pass(1_200);
        }
        world.run(12);
        world.crash(false);
        world.start();
    }
    let first = world.say();
    world.network_up = true;
    world.pass(61_000);
    world.say();
    world.settle(400);
    assert!(first > 240 && world.collector.store.report_gaps.is_empty());
    assert_eq!(arrived(&world), upto(first + 1), "states never step back in time");
}

#[test]
fn frames_lost_on_the_way_do_not_let_a_younger_epoch_pass() {
    let mut world = welcomed(6);
    offline(&mut world);
    for _ in 0..5 {
        world.say();
        world.pass(1_500);
    }
    world.collector.ignores = 3;
    world.network_up = true;
    world.pass(61_000);
    for _ in 0..5 {
        world.say();
        world.pass(500);
    }
    world.settle(200);
    assert_eq!(arrived(&world), upto(10));
}

#[test]
fn nothing_is_sent_on_a_lane_that_is_not_offered_and_all_of_it_later() {
    let mut world = World::new(7);
    // The model fails on any frame of it.
    world.collector.lanes = 0b010;
    world.pass(5_000);
    for _ in 0..10 {
        world.say();
        world.run(2);
    }
    assert_eq!((world.missing(), world.session().link_state()), (vec![], LinkState::Connected));
    world.break_connection();
    world.collector.lanes = 0b011;
    online(&mut world);
    assert_eq!(arrived(&world), upto(10));
}

#[test]
fn a_hold_holds_reports_too() {
    let mut world = welcomed(8);
    hold(&mut world, 5_000);
    world.say();
    world.pass(3_000);
    assert_eq!(arrived(&world), [0_u64; 0]);
    world.pass(3_000);
    assert_eq!(arrived(&world), upto(1));
}

#[test]
fn what_neither_disk_nor_memory_has_is_a_gap_that_is_told() {
    let mut world = welcomed(9);
    (world.settings.queue_bytes_max, world.spool_bytes_max) = (2_000, 1);
    world.crash(false);
    world.network_up = false;
    world.start();
    world.pass(1_000);

    for _ in 0..200 {
        world.say();
        world.pass(100);
    }
    let dropped = world.own.dropped_batches(DropReason::QueueFull);
    assert!(dropped > 100, "{dropped}");
    world.network_up = true;
    world.pass(61_000);
    world.run(100);
    let results = arrived(&world);
    assert!(results.is_sorted() && results.last() == Some(&200), "{results:?}");
    let gaps = &world.collector.store.report_gaps;
    let named: u64 = gaps.iter().map(|(_, from, gap)| gap.to + 1 - from).sum();
    assert_eq!(named, dropped, "{gaps:?}");
}

#[test]
fn rows_go_before_reports_where_memory_is_short() {
    let mut world = welcomed(10);
    (world.settings.queue_bytes_max, world.spool_bytes_max) = (1_500, 1);
    world.crash(false);
    world.network_up = false;
    world.start();
    world.pass(1_000);

    for _ in 0..8 {
        world.say();
        world.run(20);
    }
    assert!(world.own.dropped_batches(DropReason::QueueFull) > 0);
    world.network_up = true;
    world.pass(61_000);
    world.run(60);
    assert_eq!(arrived(&world), upto(8));
}

#[test]
fn a_reverted_machine_sends_its_new_results_under_a_new_epoch() {
    let mut world = welcomed(11);
    world.say();
    world.pass(500);
    let image = world.disk.image();
    for _ in 0..3 {
        world.say();
        world.run(3);
    }
    world.crash(false);
    world.disk.restore_image(&image);
    world.network_up = false;
    world.start();
    world.pass(20_000);
    for _ in 0..3 {
        world.say();
        world.pass(2_000);
    }
    world.crash(false);
    world.start();
    online(&mut world);
    assert_eq!(arrived(&world), upto(7));
}

#[test]
fn a_process_that_ends_in_order_leaves_no_result_behind() {
    let mut world = welcomed(12);
    world.say();
    world.stop();
    assert_eq!(arrived(&world), upto(1), "it was waited for");
    world.network_up = false;
    world.start();
    world.pass(2_000);
    world.say();
    world.stop();
    world.crash(true);
    world.start();
    online(&mut world);
    assert_eq!((arrived(&world), world.collector.store.report_gaps.len()), (upto(2), 0));
}

#[test]
fn handed_reports_arrive_once_each_whether_an_agent_runs_or_not() {
    let mut world = welcomed(13);
    world.hand_over();
    world.pass(200);
    assert_eq!(arrived(&world), upto(1));
    world.crash(false);
    for _ in 0..40 {
        world.hand_over();
        world.now_ms += 10;
    }
    world.start();
    world.pass(5_000);
    world.settle(100);
    assert_eq!((arrived(&world), world.collector.store.report_gaps.len()), (upto(41), 0));
    assert_eq!(world.disk.list(Path::new("/state/handed")).unwrap(), [""; 0]);
    assert_eq!(world.own.spooled_batches.value(), 0, "their files are their spool");
}

#[test]
fn handed_reports_arrive_once_whatever_operation_the_power_is_cut_at() {
    let run = |cut_at: Option<u64>, seed: u64| {
        let mut world = welcomed(seed);
        let begin = world.disk.operations();
        world.hand_over();
        if let Some(cut_at) = cut_at {
            world.disk.power_off_at(begin + cut_at);
        }
        let known = world.said;
        for _ in 0..300 {
            world.pass(1);
            if world.disk.is_off() {
                break;
            }
        }
        let operations = world.disk.operations() - begin;
        world.crash(true);
        world.start();
        world.pass(60_000);
        online(&mut world);
        let (results, gaps) = (arrived(&world), world.collector.store.report_gaps.len());
        assert_eq!((results, gaps), (upto(known), 0), "cut at {cut_at:?} of seed {seed}");
        operations
    };
    let handed = {
        let mut world = welcomed(0);
        let begin = world.disk.operations();
        world.hand_over();
        world.disk.operations() - begin
    };
    let operations = run(None, 0);
    assert!(operations > handed, "{operations}");
    for cut_at in handed..operations {
        for seed in 0..6 {
            run(Some(cut_at), seed);
        }
    }
}

#[test]
fn a_folder_that_hangs_holds_up_no_other_result_for_long() {
    let mut world = welcomed(14);
    world.handed_hangs = Some(Vec::new());
    let handed = world.hand_over();
    world.pass(100);
    let other = world.say();
    world.pass(1_000);
    assert_eq!(arrived(&world), [0_u64; 0], "its place stands before the other's");
    world.pass(2_000);
    assert_eq!(arrived(&world), [other]);
    assert_eq!(world.collector.store.report_gaps.len(), 1, "the place that it did not get is told");
    let orders = world.handed_hangs.take().unwrap();
    orders.into_iter().for_each(|order| world.obey_handed(order));
    world.pass(1_000);
    assert_eq!(arrived(&world), [other, handed], "under another one");
}

#[test]
fn results_arrive_once_and_in_order_whatever_happens() {
    for seed in 0..400 {
        let mut world = World::new(seed);
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let (mut said, mut handed) = (Vec::new(), Vec::new());
        let mut deaths = Vec::new();
        for _ in 0..rng.usize(20..80) {
            match rng.u32(..12) {
                0..4 => {
                    let at = world.now_ms;
                    said.push((world.say(), at));
                }
                4..6 => handed.push(world.hand_over()),
                6 => world.break_connection(),
                7 => world.network_up = !world.network_up,
                8 => {
                    deaths.push(world.now_ms);
                    world.crash(rng.bool());
                    world.start();
                }
                9 => {
                    world.stop();
                    world.start();
                }
                10 => {
                    world.row();
                }
                _ => {}
            }
            world.pass(rng.u64(..4_000));
        }
        world.network_up = true;
        world.pass(61_000);
        world.settle(400);
        let results = arrived(&world);
        let in_order: Vec<u64> = results.iter().copied().filter(|number| !handed.contains(number)).collect();
        assert!(in_order.is_sorted(), "seed {seed}: {in_order:?}");
        assert!(handed.iter().all(|number| results.contains(number)), "seed {seed}: a handed one is missing");
        for (number, at) in said {
            // Written once unacked for 1 s, synced at most 1 s after the sync before.
            let was_at_risk = deaths.iter().any(|death| (at..at + 2_500).contains(death));
            assert!(results.contains(&number) || was_at_risk, "seed {seed}: {number} of {at} is missing: {deaths:?}");
        }
    }
}
