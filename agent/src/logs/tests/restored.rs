//! A collector that lacks what it had, or never had what the host began.

use std::time::Duration;

use super::{Bench, numbered, packed};
use crate::logs::memory::MemoryFiles;
use crate::logs::reader::Scope;

const LOG: &str = "/var/log/app.log";
const ONE: &str = "/var/log/app.log.1";
const TWO: &str = "/var/log/app.log.2";

fn bench() -> (MemoryFiles, Bench<MemoryFiles>) {
    let files = MemoryFiles::default();
    (files.clone(), Bench::answered(files, &["/var/log/*.log"]))
}

/// No line twice, none missing, in order, nothing named as lost.
fn whole(bench: &Bench<MemoryFiles>, range: std::ops::Range<u32>) {
    assert_eq!(bench.lines(), String::from_utf8(numbered(range)).unwrap());
    assert_eq!(bench.collector.losses, []);
}

#[test]
fn a_restored_collector_gets_again_what_it_lacks_also_of_files_that_were_done_with() {
    for is_restarted in [false, true] {
        let (files, mut bench) = bench();
        files.write(LOG, &numbered(0..5));
        bench.settle();
        let image = bench.collector.clone();
        files.write(LOG, &numbered(5..10));
        files.rename(LOG, ONE);
        files.write(LOG, &numbered(10..20));
        bench.settle_for(Duration::from_secs(40));
        // A second file is rotated away, packed and done with.
        files.replace("/var/log/app.log.2.gz", &packed(&files.bytes(ONE)));
        files.remove(ONE);
        files.rename(LOG, ONE);
        files.write(LOG, &numbered(20..30));
        bench.settle_for(Duration::from_secs(40));
        whole(&bench, 0..30);
        if is_restarted {
            bench.restart(false);
            bench.answer();
        }
        bench.collector = image;
        let positions = bench.collector.positions();
        bench.reader.seek(&positions, Scope::Anew, bench.now);
        bench.settle_for(Duration::from_secs(40));
        whole(&bench, 0..30);
    }
}

#[test]
fn a_collector_that_lost_all_gets_what_was_followed_from_where_it_was_begun() {
    for is_restarted in [false, true] {
        let (files, mut bench) = bench();
        files.write(ONE, b"from before the agent\n");
        files.write(LOG, &numbered(0..5));
        bench.settle();
        if is_restarted {
            bench.restart(false);
            bench.answer();
        }
        files.write(LOG, &numbered(5..10));
        files.rename(ONE, TWO);
        files.rename(LOG, ONE);
        files.write(LOG, &numbered(10..20));
        bench.settle();
        whole(&bench, 0..20);
        bench.collector = super::Collector::default();
        bench.reader.seek(&[], Scope::Anew, bench.now);
        bench.settle_for(Duration::from_secs(40));
        whole(&bench, 0..20);
    }
}

#[test]
fn a_file_begun_and_rotated_while_the_collector_was_away_is_read_from_its_first_line_also_after_a_restart() {
    for is_packed in [false, true] {
        let (files, mut bench) = bench();
        bench.settle();
        bench.reader.hold(true);
        files.write(LOG, &numbered(0..10));
        bench.settle_for(Duration::from_secs(12));
        files.rename(LOG, ONE);
        files.write(LOG, &numbered(10..20));
        bench.settle_for(Duration::from_secs(12));
        if is_packed {
            files.write("/var/log/app.log.2.gz", &packed(&files.bytes(ONE)));
            files.remove(ONE);
        } else {
            files.rename(ONE, TWO);
        }
        files.rename(LOG, ONE);
        files.write(LOG, &numbered(20..30));
        bench.settle();
        bench.stop_and_start();
        bench.answer();
        bench.settle_for(Duration::from_secs(40));
        whole(&bench, 0..30);
    }
}

#[test]
fn a_spool_of_another_life_is_known_by_what_the_collector_has_under_its_packed_form() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..10));
    bench.settle();
    bench.reader.hold(true);
    files.rename(LOG, TWO);
    files.write(LOG, &numbered(10..20));
    bench.settle();
    files.write("/var/log/app.log.1.gz", &packed(&files.bytes(LOG)));
    files.remove(LOG);
    files.write(LOG, &numbered(20..30));
    bench.settle();
    bench.stop_and_start();
    let spooled = bench.disk.image();
    // The host forgets, and the packed form is read; then its disk is again as it was.
    bench.restart(true);
    bench.answer();
    bench.settle_for(Duration::from_secs(40));
    whole(&bench, 0..30);
    bench.disk.restore_image(&spooled);
    bench.restart(false);
    bench.answer();
    bench.settle_for(Duration::from_secs(40));
    whole(&bench, 0..30);
}
