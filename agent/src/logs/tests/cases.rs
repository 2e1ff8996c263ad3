//! Rotations one by one, in memory: exact lines, contiguous ranges.

use std::path::Path;
use std::time::Duration;

use muster_common::limits::LOG_LINE_BYTES_MAX;

use super::{Bench, group, numbered, packed, starts};
use crate::logs::counters::SkipReason;
use crate::logs::files::Files;
use crate::logs::memory::MemoryFiles;
use crate::logs::reader::{Limits, Scope};
use crate::logs::settings::From;

const LOG: &str = "/var/log/app.log";
const ONE: &str = "/var/log/app.log.1";
const TWO: &str = "/var/log/app.log.2";

fn text(range: std::ops::Range<u32>) -> String {
    String::from_utf8(numbered(range)).unwrap()
}

fn bench() -> (MemoryFiles, Bench<MemoryFiles>) {
    let files = MemoryFiles::default();
    (files.clone(), Bench::answered(files, &["/var/log/*.log"]))
}

/// No line twice, none missing, in order, nothing named as lost.
fn whole(bench: &Bench<MemoryFiles>, range: std::ops::Range<u32>) {
    assert_eq!(bench.lines(), text(range));
    assert!(bench.collector.is_in_order());
    assert_eq!(bench.collector.losses, []);
}

#[test]
fn lines_come_as_they_are_written_and_a_partial_one_waits() {
    let (files, mut bench) = bench();
    files.write(LOG, b"line 0\nline");
    bench.settle();
    assert_eq!(bench.lines(), "line 0\n");
    bench.settle_for(Duration::from_secs(20));
    files.write(LOG, b" 1\r\n\nline 2\n");
    bench.settle();
    assert_eq!(bench.lines(), "line 0\nline 1\n\nline 2\n");
    assert!(bench.collector.is_in_order());
    let labels = bench.collector.positions();
    assert_eq!((labels.len(), labels[0].offset, labels[0].source.path.as_str()), (1, 23, LOG));
}

#[test]
fn a_renamed_file_is_read_to_its_end_before_the_new_one_and_late_lines_still_come() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..10));
    bench.settle();
    files.write(LOG, &numbered(10..20));
    files.rename(LOG, ONE);
    let late = files.open(Path::new(ONE)).unwrap();
    bench.settle();
    files.write_to(&late, &numbered(20..30));
    files.write(LOG, &numbered(30..40));
    bench.settle();
    whole(&bench, 0..40);
    // The writer of the old one had not finished after all.
    files.write_to(&late, b"late\n");
    bench.settle_for(Duration::from_secs(5));
    assert!(bench.lines().ends_with("late\n"));
    assert_eq!(bench.collector.gone, 0);
    bench.settle_for(Duration::from_secs(40));
    assert_eq!((bench.collector.gone, bench.collector.losses.len()), (1, 0), "told to be over after 30 s of quiet");
    files.write_to(&late, b"very late\n");
    bench.settle_for(Duration::from_secs(5));
    assert!(bench.lines().ends_with("very late\n"), "and taken up again");
}

#[test]
fn what_is_told_of_a_name_is_of_the_file_that_has_it_also_when_older_files_are_known() {
    let (files, mut bench) = bench();
    for round in 0..3 {
        files.write(LOG, &numbered(round * 10..round * 10 + 5));
        // Looked at several times, so that both files are known ones.
        bench.settle_for(Duration::from_secs(2));
        files.write(LOG, &numbered(round * 10 + 5..round * 10 + 10));
        bench.reader.changed(Path::new(LOG), false, bench.now);
        // No look at the folders is due: only the hint tells.
        while let Some(batch) = bench.reader.turn(bench.now) {
            bench.deliver(batch);
        }
        whole(&bench, 0..round * 10 + 10);
        if round > 0 {
            files.rename(ONE, TWO);
        }
        files.rename(LOG, ONE);
    }
}

#[test]
fn the_last_line_of_a_rotated_file_waits_5_s_for_its_newline() {
    let (files, mut bench) = bench();
    files.write(LOG, b"line 0\nline 1");
    bench.settle();
    files.rename(LOG, ONE);
    bench.settle();
    assert_eq!(bench.lines(), "line 0\n");
    bench.settle_for(Duration::from_secs(7));
    whole(&bench, 0..2);
}

#[test]
fn a_copied_and_cut_file_gives_the_missing_part_from_its_copy() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..10));
    bench.settle();
    files.write(LOG, &numbered(10..20));
    files.write(ONE, &files.bytes(LOG));
    files.truncate(LOG);
    files.write(LOG, &numbered(20..23));
    bench.settle();
    whole(&bench, 0..23);
    assert_eq!(bench.own.logs.restarts.value(), 1);
    // The copy is seen before the cut, while it is still being written: it is no file of its own.
    files.rename(ONE, TWO);
    files.write(ONE, &files.bytes(LOG)[..10]);
    bench.settle();
    files.replace(ONE, &files.bytes(LOG));
    bench.settle();
    files.truncate(LOG);
    files.write(LOG, &numbered(23..60));
    bench.settle_for(Duration::from_secs(40));
    whole(&bench, 0..60);
}

#[test]
fn a_file_cut_and_grown_beyond_the_position_is_seen_by_the_hash_before_it() {
    let (files, mut bench) = bench();
    files.write(LOG, b"x\n");
    bench.settle();
    files.truncate(LOG);
    files.write(LOG, &numbered(0..50));
    bench.settle();
    assert_eq!(bench.lines(), format!("x\n{}", text(0..50)));
    // Cut in the middle of a read, with nothing unread: no loss to name.
    assert_eq!(bench.collector.losses, []);
}

#[test]
fn what_was_cut_before_it_was_read_is_a_named_loss() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..3));
    bench.settle();
    bench.reader.hold(true);
    files.write(LOG, &numbered(3..6));
    bench.settle();
    files.truncate(LOG);
    files.write(LOG, b"after\n");
    bench.reader.hold(false);
    bench.settle();
    assert_eq!(bench.lines(), format!("{}after\n", text(0..3)));
    assert_eq!(bench.collector.losses, [(SkipReason::Truncated.text().to_owned(), 21)]);
    assert_eq!(bench.own.logs.skipped(SkipReason::Truncated), (21, 1));
}

#[test]
fn a_file_made_anew_with_the_same_inode_is_another() {
    let (files, mut bench) = bench();
    for round in 0..3 {
        files.write(LOG, b"header\n");
        files.write(LOG, &numbered(round * 5..round * 5 + 5));
        bench.settle();
        files.remove(LOG);
        bench.settle_for(Duration::from_secs(70));
    }
    let expected: String = (0..3).map(|round| format!("header\n{}", text(round * 5..round * 5 + 5))).collect();
    assert_eq!(bench.lines(), expected);
    let inodes: std::collections::BTreeSet<u64> =
        bench.collector.positions().iter().map(|one| one.source.inode).collect();
    assert_eq!((bench.collector.positions().len(), inodes.len()), (3, 1), "the inode was used again");
    assert_eq!(bench.collector.losses, []);
}

#[test]
fn a_deleted_file_is_read_to_its_end_when_it_is_open() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..3));
    bench.settle();
    files.write(LOG, &numbered(3..6));
    files.remove(LOG);
    files.write(LOG, &numbered(6..9));
    bench.settle();
    whole(&bench, 0..9);
}

#[test]
fn a_link_that_is_turned_to_another_file_is_followed() {
    let files = MemoryFiles::default();
    let mut bench = Bench::answered(files.clone(), &["/var/log/current"]);
    files.write("/data/a", &numbered(0..5));
    files.link("/var/log/current", "/data/a");
    bench.settle();
    files.write("/data/a", &numbered(5..8));
    files.write("/data/b", &numbered(8..12));
    files.link("/var/log/current", "/data/b");
    bench.settle();
    whole(&bench, 0..12);
}

#[test]
fn files_rotated_while_the_agent_was_down_are_found_oldest_first() {
    for is_wiped in [false, true] {
        let (files, mut bench) = bench();
        files.write("/var/log/app.log.7", b"from before the agent\n");
        files.write(LOG, &numbered(0..5));
        bench.settle();
        files.write(LOG, &numbered(5..10));
        bench.restart(is_wiped);
        files.rename(LOG, ONE);
        files.write(LOG, &numbered(10..20));
        files.rename(ONE, TWO);
        files.rename(LOG, ONE);
        files.write(LOG, &numbered(20..30));
        bench.answer();
        bench.settle();
        whole(&bench, 0..30);
        // And once more, with nothing new.
        bench.restart(is_wiped);
        bench.answer();
        bench.settle_for(Duration::from_secs(60));
        whole(&bench, 0..30);
    }
}

#[test]
fn what_was_compressed_while_the_agent_was_down_is_unpacked_and_read_on() {
    for is_wiped in [false, true] {
        let (files, mut bench) = bench();
        files.write(LOG, &numbered(0..500));
        bench.settle();
        bench.restart(is_wiped);
        files.write(LOG, &numbered(500..900));
        files.replace("/var/log/app.log.3.gz", &packed(&files.bytes(LOG)));
        files.remove(LOG);
        files.write("/var/log/app.log.2.gz", &packed(&numbered(900..1000)));
        files.write(ONE, &numbered(1000..1010));
        files.write(LOG, &numbered(1010..1015));
        bench.answer();
        bench.settle_for(Duration::from_secs(40));
        whole(&bench, 0..1015);
        bench.restart(is_wiped);
        bench.answer();
        bench.settle_for(Duration::from_secs(40));
        whole(&bench, 0..1015);
    }
}

#[test]
fn a_file_found_with_half_a_line_is_known_again_when_it_is_packed() {
    let (files, mut bench) = bench();
    bench.settle();
    bench.reader.hold(true);
    files.write(LOG, b"line");
    bench.settle();
    files.write(LOG, b" 0\nline 1\n");
    files.replace("/var/log/app.log.1.gz", &packed(&files.bytes(LOG)));
    files.remove(LOG);
    files.write(LOG, &numbered(2..5));
    bench.settle();
    bench.reader.hold(false);
    bench.settle_for(Duration::from_secs(40));
    whole(&bench, 0..5);
}

#[test]
fn copies_cut_twice_while_the_agent_was_down_are_all_read() {
    for is_wiped in [false, true] {
        let (files, mut bench) = bench();
        files.write(LOG, &numbered(0..5));
        bench.settle();
        bench.restart(is_wiped);
        files.write(LOG, &numbered(5..10));
        files.write(ONE, &files.bytes(LOG));
        files.truncate(LOG);
        files.write(LOG, &numbered(10..15));
        files.rename(ONE, TWO);
        files.write(ONE, &files.bytes(LOG));
        files.truncate(LOG);
        files.write(LOG, &numbered(15..18));
        bench.answer();
        bench.settle_for(Duration::from_secs(40));
        whole(&bench, 0..18);
    }
}

#[test]
fn a_pattern_that_names_rotated_files_too_sends_nothing_twice() {
    let files = MemoryFiles::default();
    let mut bench = Bench::answered(files.clone(), &["/var/log/app.log*"]);
    files.write(LOG, &numbered(0..5));
    bench.settle();
    files.rename(LOG, ONE);
    files.write(LOG, &numbered(5..10));
    bench.settle();
    files.rename(ONE, TWO);
    files.write(ONE, &files.bytes(LOG));
    bench.settle();
    files.truncate(LOG);
    files.write(LOG, &numbered(10..15));
    files.write("/var/log/app.log.3.gz", &packed(&files.bytes(TWO)));
    files.remove(TWO);
    bench.settle_for(Duration::from_secs(60));
    whole(&bench, 0..15);
}

#[test]
fn a_file_rotated_away_and_deleted_while_the_agent_was_down_is_a_named_loss() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..5));
    bench.settle();
    // It was seen to be longer than what the collector has.
    bench.reader.hold(true);
    files.write(LOG, &numbered(5..8));
    bench.settle();
    bench.restart(false);
    files.remove(LOG);
    files.write(LOG, b"next file\n");
    bench.answer();
    bench.settle_for(Duration::from_secs(15));
    assert_eq!(bench.lines(), format!("{}next file\n", text(0..5)));
    assert_eq!(bench.collector.losses.len(), 1);
    assert!(bench.collector.losses[0].1 == 21, "{:?}", bench.collector.losses);
}

#[test]
fn nothing_is_handed_out_before_the_answer_and_what_is_deleted_meanwhile_is_still_read() {
    let files = MemoryFiles::default();
    let mut bench = Bench::new(files.clone(), vec![group(&["/var/log/*.log"])]);
    files.write(LOG, &numbered(0..5));
    bench.settle();
    files.write(LOG, &numbered(5..8));
    files.remove(LOG);
    files.write(LOG, &numbered(8..10));
    bench.settle();
    assert_eq!(bench.collector.batches, 0);
    bench.answer();
    bench.settle();
    whole(&bench, 0..10);
}

#[test]
fn from_end_begins_behind_the_last_whole_line_once_and_then_at_the_start_of_new_files() {
    let files = MemoryFiles::default();
    let mut groups = vec![group(&["/var/log/*.log"])];
    groups[0].from = From::End;
    files.write(LOG, b"old\nold\npart");
    let mut bench = Bench::new(files.clone(), groups);
    bench.answer();
    bench.settle();
    files.write(LOG, b"ial\nnew\n");
    files.write("/var/log/other.log", b"whole\n");
    bench.settle();
    assert_eq!(bench.lines(), "partial\nnew\nwhole\n");
    // Restarted before anything was written: the position at the end is the collector's.
    for is_wiped in [false, true] {
        bench.restart(is_wiped);
        bench.answer();
        bench.settle();
        assert_eq!(bench.lines(), "partial\nnew\nwhole\n");
    }
}

#[test]
fn a_misplaced_batch_makes_the_reader_go_back_and_nothing_is_lost_or_doubled() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..100));
    files.write("/var/log/b.log", b"b\n");
    bench.wait(Duration::from_millis(200));
    bench.reader.look_soon(bench.now);
    // Handed out and lost on the way.
    assert!(bench.reader.turn(bench.now).is_some());
    bench.reader.seek(&bench.collector.positions(), Scope::Some, bench.now);
    bench.settle();
    assert_eq!(bench.lines(), format!("{}b\n", text(0..100)));
    files.write(LOG, &numbered(100..200));
    bench.wait(Duration::from_millis(200));
    bench.reader.look_soon(bench.now);
    assert!(bench.reader.turn(bench.now).is_some());
    bench.reader.seek(&[], Scope::Some, bench.now);
    bench.settle();
    assert_eq!(bench.lines(), format!("{}b\n", text(0..200)));
    bench.answer();
    bench.settle();
    assert_eq!(bench.lines(), format!("{}b\n", text(0..200)));
}

#[test]
fn a_line_that_is_given_up_is_skipped_by_a_range_that_says_so_and_its_neighbours_come() {
    let (files, mut bench) = bench();
    files.write(LOG, &numbered(0..4));
    bench.settle();
    files.write(LOG, &numbered(4..8));
    bench.wait(Duration::from_millis(200));
    bench.reader.look_soon(bench.now);
    // Line 4 alone was refused; it ends at byte 35, which is no place where a read ends.
    assert!(bench.reader.turn(bench.now).is_some());
    let source = bench.collector.positions()[0].source.clone();
    bench.reader.give_up(&source, 35, bench.now);
    bench.reader.seek(&[], Scope::Some, bench.now);
    bench.settle();
    assert_eq!(bench.lines(), format!("{}{}", text(0..4), text(5..8)));
    assert_eq!(bench.collector.losses, [(SkipReason::Refused.text().to_owned(), 7)]);
    assert_eq!(bench.own.logs.skipped(SkipReason::Refused), (7, 1));
    bench.restart(false);
    bench.answer();
    bench.settle();
    assert_eq!(
        bench.lines(),
        format!("{}{}", text(0..4), text(5..8)),
        "the file is known by the bytes before its position"
    );
}

#[test]
fn lines_beyond_the_limit_keep_their_head_and_are_flagged() {
    let (files, mut bench) = bench();
    let long = vec![b'x'; 3 * LOG_LINE_BYTES_MAX];
    files.write(LOG, b"before\n");
    files.write(LOG, &long);
    bench.settle();
    files.write(LOG, &long);
    bench.settle();
    assert_eq!(bench.lines(), "before\n");
    files.write(LOG, b"\nafter\n");
    bench.settle();
    let lines = &bench.collector.streams[LOG];
    assert_eq!(lines.iter().map(|line| line.line.len()).collect::<Vec<_>>(), [6, LOG_LINE_BYTES_MAX, 5]);
    assert_eq!((lines[1].fields[0].name.as_str(), lines[0].fields.len()), ("truncated", 0));
    assert_eq!(bench.own.logs.truncated.value(), 1);
    assert_eq!(bench.collector.positions()[0].offset, files.bytes(LOG).len() as u64);
}

#[test]
fn zeros_that_a_writer_set_aside_are_waited_for_and_holes_are_skipped() {
    let (files, mut bench) = bench();
    files.write(LOG, b"a\n");
    files.write(LOG, &vec![0; 2 << 20]);
    bench.settle();
    bench.settle();
    files.overwrite(LOG, 2, b"b\nc");
    bench.settle();
    files.overwrite(LOG, 5, b"c\n");
    bench.settle();
    assert_eq!(bench.lines(), "a\nb\ncc\n");
    files.write(LOG, b"d\n");
    bench.settle();
    assert_eq!(bench.lines(), "a\nb\ncc\nd\n");
    assert_eq!(bench.own.logs.skipped(SkipReason::Zeros).0, (2 << 20) - 5);
}

#[test]
fn records_of_several_lines_are_joined_and_go_on_over_a_rotation() {
    let files = MemoryFiles::default();
    let mut groups = vec![group(&["/var/log/*.log"])];
    groups[0].multiline = starts("java");
    let mut bench = Bench::new(files.clone(), groups);
    bench.answer();
    files.write(LOG, b"2026 one\n\tat a\n2026 two\n\tat b\n");
    bench.settle();
    assert_eq!(bench.lines(), "2026 one\n\tat a\n", "the last one may go on");
    files.rename(LOG, ONE);
    files.write(LOG, b"\tat c\n2026 three\n");
    bench.settle();
    assert_eq!(bench.collector.streams[LOG].len(), 2);
    bench.settle_for(Duration::from_secs(3));
    assert_eq!(bench.lines(), "2026 one\n\tat a\n2026 two\n\tat b\n\tat c\n2026 three\n");
    assert_eq!(bench.collector.streams[LOG].len(), 3);
    files.write(LOG, &b"more\n".repeat(1_200));
    bench.settle_for(Duration::from_secs(3));
    assert_eq!(bench.collector.streams[LOG].len(), 6, "500 lines at most");
}

#[test]
fn secrets_and_levels_are_found_and_a_private_key_is_cut_out_after_a_restart_in_its_middle() {
    let (files, mut bench) = bench();
    files.write(LOG, b"ERROR password=hunter2\n-----BEGIN PRIVATE KEY-----\nMIIE\n");
    bench.settle();
    bench.restart(false);
    bench.answer();
    files.write(LOG, b"abcd\n-----END PRIVATE KEY-----\ninfo\n");
    bench.settle();
    let text = bench.lines();
    assert!(!text.contains("hunter2") && !text.contains("MIIE") && !text.contains("abcd"), "{text}");
    assert!(text.starts_with("ERROR password=<redacted>\n") && text.ends_with("\ninfo\n"), "{text}");
    assert_eq!(bench.collector.streams[LOG][0].fields[0].value, "error");
}

#[test]
fn a_file_that_may_not_be_read_is_a_problem_until_it_may() {
    let (files, mut bench) = bench();
    files.write(LOG, b"x\n");
    files.close_to_us(LOG, true);
    bench.settle();
    let problems = bench.reader.problems();
    assert_eq!((problems.len(), problems[0].place.as_str()), (1, LOG));
    assert!(problems[0].message.contains("(mode 0640)"), "{problems:?}");
    files.close_to_us(LOG, false);
    bench.settle_for(Duration::from_secs(12));
    assert_eq!((bench.reader.problems().len(), bench.lines().as_str()), (0, "x\n"));
}

#[test]
fn many_files_are_read_with_few_of_them_open_and_idle_ones_are_closed() {
    let (files, mut bench) = bench();
    bench.reader.set_limits(Limits { open_max: 16, ..Limits::default() });
    for number in 0..300 {
        files.write(&format!("/var/log/{number:03}.log"), b"a\n");
    }
    bench.settle();
    assert!(files.open_handles() <= 16, "{}", files.open_handles());
    for number in 0..300 {
        files.write(&format!("/var/log/{number:03}.log"), b"b\n");
    }
    bench.settle();
    assert_eq!(bench.lines(), "a\nb\n".repeat(300));
    let opens = files.opens();
    bench.settle_for(Duration::from_secs(65));
    assert_eq!((files.open_handles(), files.opens()), (0, opens), "quiet files are closed and not opened again");
}

#[test]
fn deleted_files_are_held_within_bounds_and_the_rest_is_named() {
    let (files, mut bench) = bench();
    // Without a spool, as with one whose disk takes nothing.
    bench.reader.spool = None;
    bench.reader.set_limits(Limits { held_max: 2, ..Limits::default() });
    let name = |number: u32| format!("/var/log/{number}.log");
    for number in 0..5 {
        files.write(&name(number), b"a\n");
    }
    bench.settle();
    bench.reader.hold(true);
    for number in 0..5 {
        files.write(&name(number), b"b\n");
    }
    bench.settle();
    (0..5).for_each(|number| files.remove(&name(number)));
    bench.settle();
    assert!(files.open_handles() <= 2, "{}", files.open_handles());
    bench.settle_for(Duration::from_secs(20));
    bench.reader.hold(false);
    bench.settle_for(Duration::from_secs(5));
    assert_eq!(bench.lines().matches("b\n").count(), 2);
    assert_eq!(bench.collector.losses.len(), 3);
}

#[test]
fn a_reader_with_nothing_to_do_wakes_for_its_sweep_alone() {
    let (files, mut bench) = bench();
    files.write(LOG, b"a\n");
    bench.settle();
    bench.settle();
    let due = bench.reader.next_due(bench.now).saturating_sub(bench.now.steady);
    assert!(due > Duration::from_secs(9), "{due:?}");
}
