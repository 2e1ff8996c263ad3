//! What no file will give again: kept in memory, put into the spool, sent from there.

use std::path::Path;
use std::time::Duration;

use muster_common::disk::Disk;

use super::{Bench, group, numbered, packed};
use crate::logs::counters::SkipReason;
use crate::logs::memory::MemoryFiles;
use crate::logs::reader::{Limits, Scope};

const LOG: &str = "/var/log/app.log";
const ONE: &str = "/var/log/app.log.1";

fn text(range: std::ops::Range<u32>) -> String {
    String::from_utf8(numbered(range)).unwrap()
}

fn bench() -> (MemoryFiles, Bench<MemoryFiles>) {
    let files = MemoryFiles::default();
    (files.clone(), Bench::answered(files, &["/var/log/*.log"]))
}

/// Ten lines are at the collector, and ten more were handed out and got lost on their way.
fn unacked() -> (MemoryFiles, Bench<MemoryFiles>) {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..10));
    bench.settle();
    files.write(LOG, &numbered(10..20));
    bench.lose();
    (files, bench)
}

fn spooled(bench: &Bench<MemoryFiles>) -> usize {
    bench.disk.list(Path::new("/state/spool-logs")).map_or(0, |names| names.len())
}

/// Sorted, since lines of the spool may come after those of the file that took the name.
fn sorted(bench: &Bench<MemoryFiles>) -> Vec<String> {
    let mut lines: Vec<String> = bench.lines().lines().map(|line| format!("{line:>12}")).collect();
    lines.sort();
    lines
}

fn whole(bench: &Bench<MemoryFiles>, range: std::ops::Range<u32>) {
    let mut expected: Vec<String> = range.map(|number| format!("{:>12}", format!("line {number}"))).collect();
    expected.sort();
    assert_eq!(sorted(bench), expected);
    assert_eq!(bench.collector.losses, []);
}

/// After everything is acknowledged nothing is left in the spool.
fn cleared(bench: &mut Bench<MemoryFiles>) {
    bench.settle_for(Duration::from_secs(30));
    assert_eq!((spooled(bench), bench.own.logs.spool_bytes.value()), (0, 0));
}

#[test]
fn a_deleted_file_that_was_not_read_to_its_end_survives_an_orderly_end() {
    for deliver in [false, true] {
        let (files, mut bench) = bench();
        files.write(LOG, &numbered(0..10));
        bench.settle();
        files.write(LOG, &numbered(10..20));
        if deliver {
            bench.lose();
        }
        bench.reader.hold(true);
        files.remove(LOG);
        files.write(LOG, &numbered(20..30));
        bench.settle();
        bench.stop_and_start();
        assert_eq!(spooled(&bench), 1);
        bench.answer();
        bench.settle();
        whole(&bench, 0..30);
        cleared(&mut bench);
    }
}

#[test]
fn lines_handed_out_of_a_file_that_is_cut_are_sent_again_from_memory() {
    for scope in [Scope::All, Scope::Some] {
        let (files, mut bench) = unacked();
        files.truncate(LOG);
        files.write(LOG, &numbered(20..23));
        bench.wait(Duration::from_millis(200));
        bench.reader.look_soon(bench.now);
        // What goes on from the lost lines is lost with the connection too.
        let _ = bench.reader.turn(bench.now);
        let positions = if scope == Scope::All { bench.collector.positions() } else { Vec::new() };
        bench.reader.seek(&positions, scope, bench.now);
        bench.settle();
        whole(&bench, 0..23);
        assert_eq!(spooled(&bench), 0, "no disk is needed for it");
    }
}

#[test]
fn lines_handed_out_of_a_file_that_is_cut_survive_an_end_of_the_agent() {
    for is_orderly in [true, false] {
        let (files, mut bench) = unacked();
        files.truncate(LOG);
        files.write(LOG, &numbered(20..23));
        bench.wait(Duration::from_millis(200));
        bench.reader.look_soon(bench.now);
        let _ = bench.reader.turn(bench.now);
        bench.reader.hold(true);
        if is_orderly {
            bench.stop_and_start();
        } else {
            // The collector is away for a while, then the power.
            bench.settle_for(Duration::from_secs(12));
            bench.disk.cut();
            bench.restart(false);
        }
        bench.answer();
        bench.settle();
        whole(&bench, 0..23);
        cleared(&mut bench);
    }
}

#[test]
fn a_deleted_file_is_put_into_the_spool_once_nobody_writes_into_it_any_more() {
    let (files, mut bench) = unacked();
    let writer = crate::logs::files::Files::open(&files, Path::new(LOG)).unwrap();
    bench.reader.hold(true);
    files.remove(LOG);
    bench.settle_for(Duration::from_secs(20));
    files.write_to(&writer, &numbered(20..30));
    bench.settle_for(Duration::from_secs(20));
    assert_eq!(spooled(&bench), 0, "it may still grow");
    drop(writer);
    bench.settle_for(Duration::from_secs(20));
    assert_eq!((spooled(&bench), files.open_handles()), (1, 0), "its room on the disk is given back");
    // Whatever ends the process now.
    bench.disk.cut();
    bench.restart(false);
    bench.answer();
    bench.settle();
    whole(&bench, 0..30);
    cleared(&mut bench);
}

#[test]
fn the_spool_goes_on_in_the_same_process_too() {
    let (files, mut bench) = unacked();
    bench.reader.hold(true);
    files.remove(LOG);
    bench.settle_for(Duration::from_secs(60));
    assert_eq!(spooled(&bench), 1);
    bench.reader.hold(false);
    bench.answer();
    bench.settle();
    whole(&bench, 0..20);
    // Lost on the way once more, and asked for again.
    cleared(&mut bench);
}

#[test]
fn before_the_first_answer_it_begins_at_the_hint_and_the_answer_cuts_it() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..10));
    bench.settle();
    // The hint is of now; what follows is acknowledged after it was written.
    let hints = bench.reader.hints("");
    files.write(LOG, &numbered(10..15));
    bench.settle();
    files.write(LOG, &numbered(15..20));
    bench.restart(false);
    bench.reader.hints = hints;
    bench.settle();
    files.remove(LOG);
    bench.settle();
    bench.reader.rescue(bench.now, true);
    let kept: Vec<u64> = bench.reader.spool.iter().map(super::LogSpool::bytes).collect();
    assert!(kept[0] < 64 + 100 + 64 + 1_024 + 300, "from the hint on: {kept:?}");
    bench.restart(false);
    bench.answer();
    bench.settle();
    whole(&bench, 0..20);
    cleared(&mut bench);
}

#[test]
fn a_file_that_the_collector_never_heard_of_is_sent_whole() {
    let files = MemoryFiles::default();
    let mut bench = Bench::new(files.clone(), vec![group(&["/var/log/*.log"])]);
    files.write(LOG, &numbered(0..5));
    bench.settle();
    files.remove(LOG);
    files.write(LOG, &numbered(5..10));
    bench.settle();
    bench.stop_and_start();
    bench.answer();
    bench.settle();
    whole(&bench, 0..10);
    cleared(&mut bench);
}

#[test]
fn an_answer_below_what_was_kept_is_a_named_loss_and_one_above_sends_nothing_twice() {
    for is_below in [true, false] {
        let (files, mut bench) = bench();
        files.write(LOG, &numbered(0..10));
        bench.settle();
        let early = bench.collector.positions();
        files.write(LOG, &numbered(10..30));
        bench.settle();
        files.write(LOG, &numbered(30..40));
        bench.lose();
        bench.reader.hold(true);
        files.remove(LOG);
        bench.settle();
        bench.stop_and_start();
        if is_below {
            // The collector was put back.
            bench.collector.put_back(&early);
            bench.answer();
            bench.settle();
            let lost = numbered(10..30).len() as u64;
            let skipped = [(SkipReason::SpoolFull.text().to_owned(), lost)];
            assert_eq!(bench.collector.losses, skipped);
            assert!(bench.lines().ends_with(&text(30..40)));
        } else {
            bench.answer();
            bench.settle();
            whole(&bench, 0..40);
            // Its file in the spool is not removed before the end of the process.
            bench.restart(false);
            bench.answer();
            bench.settle();
            whole(&bench, 0..40);
        }
        cleared(&mut bench);
    }
}

#[test]
fn what_the_spool_has_no_room_for_is_named_and_its_bound_is_kept() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..10));
    bench.settle();
    bench.spool_bytes_max = 1_500;
    bench.restart(false);
    bench.answer();
    files.write(LOG, &numbered(10..1_000));
    bench.settle();
    files.write(LOG, &numbered(1_000..2_000));
    bench.lose();
    bench.reader.hold(true);
    files.remove(LOG);
    bench.settle();
    bench.reader.rescue(bench.now, true);
    let held: Vec<u64> = bench.reader.spool.iter().map(super::LogSpool::bytes).collect();
    assert!(held[0] <= 1_500, "{held:?}");
    bench.restart(false);
    bench.answer();
    bench.settle();
    let [(reason, bytes)] = bench.collector.losses.as_slice() else { panic!("{:?}", bench.collector.losses) };
    assert_eq!(reason, SkipReason::SpoolFull.text());
    let all = text(0..2_000);
    assert!(all.starts_with(&bench.lines()[..bench.lines().len() - 10]), "lines up to there, the last one cut");
    assert!(bench.lines().len() as u64 + bytes - all.len() as u64 <= 1, "each byte is sent or named");
    cleared(&mut bench);
}

#[test]
fn a_disk_that_takes_nothing_costs_a_named_loss_and_no_more() {
    let (files, mut bench) = unacked();
    bench.reader.hold(true);
    files.remove(LOG);
    bench.settle();
    bench.disk.set_capacity(Some(0));
    bench.stop_and_start();
    assert_eq!((spooled(&bench), bench.own.logs.spool_errors.value()), (0, 1));
    bench.answer();
    bench.settle_for(Duration::from_secs(20));
    assert_eq!(bench.collector.losses, [(SkipReason::RotatedAway.text().to_owned(), 80)]);
}

#[test]
fn more_deleted_files_than_may_be_held_go_into_the_spool() {
    let (files, mut bench) = bench();
    bench.reader.set_limits(Limits { held_max: 2, ..Limits::default() });
    let name = |number: u32| format!("/var/log/{number}.log");
    for number in 0..5 {
        files.write(&name(number), &numbered(number * 10..number * 10 + 5));
    }
    bench.settle();
    for number in 0..5 {
        files.write(&name(number), &numbered(number * 10 + 5..number * 10 + 10));
    }
    bench.lose();
    bench.reader.hold(true);
    (0..5).for_each(|number| files.remove(&name(number)));
    bench.settle();
    assert_eq!((spooled(&bench), files.open_handles()), (3, 2));
    bench.reader.hold(false);
    bench.answer();
    bench.settle();
    whole(&bench, 0..50);
    cleared(&mut bench);
}

#[test]
fn a_packed_form_beside_the_spool_is_not_another_file() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..200));
    bench.settle();
    files.write(LOG, &numbered(200..210));
    bench.lose();
    bench.reader.hold(true);
    files.rename(LOG, ONE);
    files.write(LOG, &numbered(210..220));
    bench.settle();
    files.write("/var/log/app.log.1.gz", &packed(&numbered(0..210)));
    files.remove(ONE);
    bench.settle();
    bench.stop_and_start();
    bench.answer();
    bench.settle_for(Duration::from_secs(60));
    whole(&bench, 0..220);
    cleared(&mut bench);
}

#[test]
fn while_all_is_acknowledged_the_spool_is_not_touched() {
    let (files, mut bench) = bench();
    let before = bench.disk.operations();
    for round in 0..20 {
        files.write(LOG, &numbered(round * 10..round * 10 + 10));
        bench.settle();
        if round % 2 == 0 {
            files.remove(LOG);
        } else {
            files.truncate(LOG);
        }
        bench.settle_for(Duration::from_secs(40));
    }
    whole(&bench, 0..200);
    assert_eq!(bench.disk.operations(), before);
}
