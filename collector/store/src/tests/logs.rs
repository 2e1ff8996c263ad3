//! Lines: what is taken, where it stands in answers, and that flush, merge, restart and deletes change no more than they say.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;

use super::log_world::{BEGIN_NS, SECOND_NS, labels, lines, misplaced, p2, range, source};
use super::world::{BEGIN_MS, Folder, HOST, World, batch, config, entries, epoch, open_at, open_real, scrape, table};
use crate::{
    Append, CommitError, LogBlock, LogClass, LogEntry, LogLimits, LogLossRecord, LogOrder, LogSelect, LogVolume,
    Outcome, RangeRecord, Record, SelectError, StateRecord,
};

const DAY_NS: i64 = 86_400 * SECOND_NS;

/// Three generations: equal times, late lines, two days, an event.
fn fill(world: &mut World) {
    let first = vec![
        range(1, 0, 40),
        lines("web", &[(0, "start"), (5, "same"), (5, "same"), (9, "GET /a status=200")]),
        lines("db", &[(5, "vacuum"), (-DAY_NS, "yesterday")]),
    ];
    world.commit(&[p2(epoch(1), 1, first)]);
    world.parts.admin.flush(false, world.now).unwrap();
    let second = vec![range(1, 40, 60), lines("web", &[(5, "late same"), (20, "POST /b status=500 \u{fc}")])];
    world.commit(&[p2(epoch(1), 2, second), p2(epoch(1), 3, vec![lines("events", &[(7, "host enrolled")])])]);
    world.parts.admin.flush(false, world.now).unwrap();
    let fields = LabelSet::new([("trace", "4711")]).unwrap();
    let entries = vec![LogEntry { at_ns: BEGIN_NS + 30, line: b"\x00\xff".to_vec(), fields }];
    let third = Record::Logs(LogBlock { class: LogClass::Logs, labels: labels("web"), entries });
    world.commit(&[p2(epoch(1), 4, vec![range(1, 60, 70), third, lines("db", &[(1, "checkpoint")])])]);
}

const FILLED: [&str; 11] = [
    "db -86400000000000 yesterday",
    "db 1 checkpoint",
    "db 5 vacuum",
    "web 0 start",
    "web 5 same",
    "web 5 same",
    "web 5 late same",
    "web 9 GET /a status=200",
    "web 20 POST /b status=500 \u{fc}",
    "web 30 \u{0}\u{fffd} trace=4711",
    "events 7 host enrolled",
];

#[test]
fn lines_stay_as_they_are_through_flush_merge_and_restart() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    fill(&mut world);
    assert_eq!(world.log_dump(), FILLED);
    assert_eq!(world.positions(), [(1, 70)]);
    drop(world);
    let mut world = open_real(&folder);
    assert_eq!((world.log_dump(), world.positions()), (FILLED.map(str::to_owned).to_vec(), vec![(1, 70)]), "restarted");
    world.parts.admin.flush(false, world.now).unwrap();
    assert_eq!((world.log_dump(), world.positions()), (FILLED.map(str::to_owned).to_vec(), vec![(1, 70)]), "flushed");
    let report = world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!((world.log_dump(), report.merges), (FILLED.map(str::to_owned).to_vec(), 1), "merged");
    let files = |class: &str| {
        let mut names = RealDisk.list(&folder.0.join("segments").join(class)).unwrap();
        names.retain(|name| name != "aside");
        names.len()
    };
    assert_eq!((files("logs"), files("events"), files("metrics")), (2, 1, 0), "one a day and class");
    drop(world);
    let mut world = open_real(&folder);
    assert_eq!((world.log_dump(), world.positions()), (FILLED.map(str::to_owned).to_vec(), vec![(1, 70)]));
    assert!(world.parts.admin.health().is_good(), "{:?}", world.parts.admin.health());
    assert_eq!(world.stat("log_segment_lines"), 11.0);
}

#[test]
fn selections_by_label_time_and_order() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    fill(&mut world);
    for merged in [false, true] {
        let web = [Matcher::equal("job", "web")];
        let found = world.log_dump_by(&web, 5, 20, LogOrder::Backward);
        assert_eq!(found, ["web 9 GET /a status=200", "web 5 late same", "web 5 same", "web 5 same"], "{merged}");
        assert_eq!(world.log_dump_by(&[], 5, 8, LogOrder::Forward)[..2], ["db 5 vacuum", "web 5 same"]);
        assert_eq!(world.log_dump_by(&[], 8, 5, LogOrder::Forward).len(), 0);
        let view = world.parts.reader.view();
        let within = LogSelect { from_ns: BEGIN_NS + 6, to_ns: BEGIN_NS + 10, ..LogSelect::all_times(&[]) };
        let streams: Vec<_> = view.log_streams(&within).unwrap();
        assert_eq!(streams, [labels("web"), labels("events")], "{merged}");
        assert_eq!(view.log_label_names(&within).unwrap(), ["host", "job"]);
        let all = view.log_streams(&LogSelect::all_times(&[])).unwrap();
        assert_eq!(all, [labels("db"), labels("web"), labels("events")], "{merged}");
        let late = LogSelect { from_ns: BEGIN_NS + 31, ..LogSelect::all_times(&[]) };
        assert!(view.log_streams(&late).unwrap().is_empty(), "{merged}");
        assert_eq!(view.log_label_values("job", &within).unwrap(), ["events", "web"]);
        let volume = view.log_volume(&LogSelect::all_times(&web)).unwrap();
        let chunks = if merged { 1 } else { 3 };
        assert_eq!(volume, LogVolume { streams: 1, chunks, entries: 7, bytes: 5 + 4 + 4 + 17 + 9 + 21 + 2 + 13 });
        let mut count = 0;
        let all = LogSelect::all_times(&[]);
        let stop = &mut |_: &Arc<LabelSet>, _: &crate::LogEntryRef<'_>| {
            count += 1;
            if count == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        view.logs(&all, stop).unwrap();
        assert_eq!(count, 3);
        let limits = |streams_max, bytes_max| LogSelect { limits: LogLimits { streams_max, bytes_max }, ..all };
        let ask = |request: &LogSelect<'_>| view.logs(request, &mut |_, _| ControlFlow::Continue(()));
        assert!(matches!(ask(&limits(2, 1 << 20)), Err(SelectError::TooManyStreams { max: 2 })));
        assert!(matches!(ask(&limits(3, 50)), Err(SelectError::TooManyBytes { max: 50 })));
        let cancelled = std::sync::atomic::AtomicBool::new(true);
        let cancel = LogSelect { cancelled: Some(&cancelled), ..all };
        assert!(matches!(ask(&cancel), Err(SelectError::Cancelled)));
        drop(view);
        world.parts.admin.flush(true, world.now).unwrap();
    }
}

#[test]
fn a_needle_is_a_substring_and_tokens_only_skip_what_cannot_have_it() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    // About 4 MiB: several row groups. Group by group other words stand between separators.
    let mut seq = 0;
    for part in 0..8 {
        seq += 1;
        let text: Vec<String> = (0..4_000)
            .map(|i| format!("level=info part=p{part} n={i} request took {}ms and {}", i % 77, "x".repeat(90)))
            .collect();
        let entries: Vec<(i64, &str)> =
            text.iter().enumerate().map(|(i, line)| (i64::from(part) * 4_000 + i as i64, line.as_str())).collect();
        world.commit(&[p2(epoch(1), seq, vec![lines("web", &entries)])]);
    }
    let ask = |world: &World, needles: &[&str]| {
        let needles: Vec<Vec<u8>> = needles.iter().map(|needle| needle.as_bytes().to_vec()).collect();
        let all = world.log_dump_of(&LogSelect { needles: &needles, ..LogSelect::all_times(&[]) });
        let has = |line: &&String| needles.iter().all(|needle| line.contains(std::str::from_utf8(needle).unwrap()));
        assert!(all.iter().filter(has).count() == all.len(), "here the text decides line by line");
        all.len()
    };
    for flushed in [false, true] {
        assert_eq!(ask(&world, &["part=p3 n=77 "]), 1, "{flushed}");
        assert_eq!(ask(&world, &["art=p3 n=77"]), 11, "77 and 770 to 779");
        assert_eq!(ask(&world, &["level=info", " n=9 "]), 8);
        assert_eq!(ask(&world, &[""]), 32_000);
        assert_eq!((ask(&world, &[" nothing "]), ask(&world, &["nothing"]), ask(&world, &["xlevel"])), (0, 0, 0));
        world.parts.admin.flush(false, world.now).unwrap();
    }
    let skipped = world.stat("log_groups_skipped_total");
    let groups = world.parts.reader.view().log_volume(&LogSelect::all_times(&[])).unwrap().chunks;
    assert!(groups >= 4, "{groups}");
    assert_eq!(ask(&world, &[" nothing "]), 0);
    assert_eq!(world.stat("log_groups_skipped_total") - skipped, groups as f64, "no group was read");
    let read = world.stat("log_groups_read_total");
    assert_eq!(ask(&world, &[" part=p5 "]), 4_000);
    assert!(world.stat("log_groups_read_total") - read < groups as f64);
}

#[test]
fn more_than_memory_may_hold_comes_in_the_same_order() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let mut seq = 0;
    let mut expected = Vec::new();
    // 40 MiB in 40 streams that interleave, with a burst of one nanosecond.
    for part in 0..20i64 {
        for job in 0..40i64 {
            seq += 1;
            let text = format!("{} {}", "y".repeat(50_000), part * 100 + job);
            let at_ns = if part == 7 { 7_000 } else { part * 1_000 + job * 10 };
            expected.push((at_ns, format!("j{job:02}"), part * 100 + job));
            world.commit(&[p2(epoch(1), seq, vec![lines(&format!("j{job:02}"), &[(at_ns, &text)])])]);
        }
        if part % 6 == 5 {
            world.parts.admin.flush(false, world.now).unwrap();
        }
    }
    let read = |order| {
        let mut out = Vec::new();
        let request = LogSelect { order, ..LogSelect::all_times(&[]) };
        world
            .parts
            .reader
            .view()
            .logs(&request, &mut |labels, entry| {
                let number = std::str::from_utf8(&entry.line[50_001..]).unwrap().parse::<i64>().unwrap();
                out.push((entry.at_ns - BEGIN_NS, labels.get("job").unwrap().to_owned(), number));
                ControlFlow::Continue(())
            })
            .unwrap();
        out
    };
    expected.sort();
    assert!(read(LogOrder::Forward) == expected);
    let mut backward = read(LogOrder::Backward);
    backward.reverse();
    assert!(backward == expected);
    expected.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0)));
    assert!(read(LogOrder::ByStream) == expected);
}

#[test]
fn a_view_does_not_change_when_lines_come() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let one = |seq: u64| p2(epoch(1), seq, vec![lines("web", &[(seq as i64, "x")])]);
    let mut views = Vec::new();
    for seq in 1..=80 {
        world.commit(&[one(seq)]);
        views.push(world.parts.reader.view());
        if seq % 33 == 0 {
            world.parts.admin.flush(seq == 66, world.now).unwrap();
        }
    }
    for (place, view) in views.iter().enumerate() {
        let volume = view.log_volume(&LogSelect::all_times(&[])).unwrap();
        assert_eq!((volume.entries, volume.streams), (place as u64 + 1, 1));
    }
}

#[test]
fn views_taken_beside_a_writer_hold_whole_commits_and_do_not_change() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let reader = world.parts.reader.clone();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = || {
            let mut last = 0;
            for _ in 0..100_000 {
                let ended = done.load(std::sync::atomic::Ordering::Acquire);
                let view = reader.view();
                let mut count = 0;
                let all = LogSelect::all_times(&[]);
                let counting = &mut |_: &Arc<LabelSet>, _: &crate::LogEntryRef<'_>| {
                    count += 1;
                    ControlFlow::Continue(())
                };
                view.logs(&all, counting).unwrap();
                let volume = view.log_volume(&all).unwrap();
                assert_eq!((count, count % 5), (volume.entries, 0), "each commit has five lines");
                assert!(count >= last, "{count} after {last}");
                last = count;
                if ended {
                    break;
                }
            }
            last
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        for seq in 1..=120u64 {
            let at = seq as i64 % 7;
            world.commit(&[
                p2(epoch(1), seq * 2 - 1, vec![lines("web", &[(at, "a"), (at, "b")]), lines("db", &[(at, "c")])]),
                p2(epoch(1), seq * 2, vec![lines("web", &[(at, "d")]), lines("events", &[(at, "e")])]),
            ]);
            if seq % 25 == 0 {
                world.parts.admin.flush(seq % 50 == 0, world.now).unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 600);
        }
    });
}

#[test]
fn a_stream_without_labels_and_a_line_at_either_end_of_time_are_lines_too() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let entry = |at_ns, line: &str| LogEntry { at_ns, line: line.into(), fields: LabelSet::default() };
    let entries = vec![entry(i64::MAX, "last"), entry(i64::MIN, "first"), entry(0, "")];
    let block = LogBlock { class: LogClass::Logs, labels: Arc::new(LabelSet::default()), entries };
    world.commit(&[p2(epoch(1), 1, vec![Record::Logs(block), lines("web", &[])])]);
    for round in 0..3 {
        for order in [LogOrder::ByStream, LogOrder::Forward, LogOrder::Backward] {
            let mut found = Vec::new();
            let request = LogSelect { order, ..LogSelect::all_times(&[]) };
            let read = &mut |labels: &Arc<LabelSet>, entry: &crate::LogEntryRef<'_>| {
                assert!(labels.is_empty() && entry.fields.is_empty());
                found.push((entry.at_ns, entry.line.to_vec()));
                ControlFlow::Continue(())
            };
            world.parts.reader.view().logs(&request, read).unwrap();
            if order == LogOrder::Backward {
                found.reverse();
            }
            let expected = [(i64::MIN, b"first".to_vec()), (0, vec![]), (i64::MAX, b"last".to_vec())];
            assert_eq!(found, expected, "round {round}, {order:?}");
        }
        world.parts.admin.flush(round == 1, world.now).unwrap();
    }
    assert!(world.parts.admin.health().is_good());
}

#[test]
fn ranges_are_taken_from_the_committed_position_only() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let skip = |inode, from, to, why: &str| {
        let (source, skipped) = (source(inode), why.to_owned());
        Record::Range(RangeRecord { source, from, to, skipped, tail_hash: to * 3, gone: false })
    };
    let outcomes = world.commit(&[
        p2(epoch(1), 1, vec![range(1, 100, 150), lines("web", &[(1, "a")])]),
        p2(epoch(1), 2, vec![range(2, 0, 10), range(1, 140, 160), lines("web", &[(2, "refused")])]),
        p2(epoch(1), 2, vec![range(1, 150, 160), range(1, 160, 170), range(2, 0, 10)]),
        p2(epoch(1), 1, vec![range(1, 0, 1)]),
        p2(epoch(1), 4, vec![range(1, 0, 1)]),
    ]);
    let expected = [
        Ok((1, 1)),
        Err(misplaced(1, &[(1, 150)])),
        Ok((1, 2)),
        Err(Outcome::Repeat { mark: 2 }),
        Err(Outcome::NotNext { mark: 2 }),
    ];
    assert_eq!(entries(&outcomes), expected, "the seq comes first");
    assert_eq!((world.positions(), world.log_dump()), (vec![(1, 170), (2, 10)], vec!["web 1 a".to_owned()]));
    for round in 0..3 {
        let seq = 3 + round;
        let (at, mark) = (170 + round * 100, seq - 1);
        let both = misplaced(mark, &[(1, at), (2, 10)]);
        let refused = world.commit(&[
            p2(epoch(1), seq, vec![range(1, at + 1, at + 2), range(2, 10, 10)]),
            p2(epoch(1), seq, vec![skip(1, at - 1, at + 2, "rotated away"), range(2, 10, 10)]),
            p2(epoch(1), seq, vec![skip(1, at + 90, at + 100, "rotated away")]),
        ]);
        assert_eq!(entries(&refused)[..2], [Err(both.clone()), Err(both)], "round {round}");
        let Outcome::Committed { position } = refused[2] else { panic!("{refused:?}") };
        // What was skipped is for state.redb, which the file waits for.
        world.parts.writer.state_reached(position);
        // Later rounds go by the catalog and by a restart.
        world.parts.admin.flush(false, world.now).unwrap();
        if round == 1 {
            drop(world);
            world = open_real(&folder);
        }
    }
    assert_eq!(world.stat("appends_refused_total"), 2.0 + 0.0, "since the restart");
    let outside = super::world::append(crate::Source::Http { body: 1, stamped: true }, vec![range(1, 0, 1)], world.now);
    assert!(matches!(world.try_commit(&[outside]), Err(CommitError::Malformed { .. })));
    assert!(world.try_commit(&[p2(epoch(1), 6, vec![range(1, 5, 4)])]).is_err());
}

#[test]
fn what_ranges_skip_reaches_the_projection_with_its_bytes_live_and_at_replay() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let skip = |inode, from, to| {
        let (source, skipped) = (source(inode), "rotated away".to_owned());
        Record::Range(RangeRecord { source, from, to, skipped, tail_hash: 0, gone: false })
    };
    world.commit(&[p2(epoch(1), 1, vec![range(1, 0, 50)])]);
    world.commit(&[
        // Nothing lay between, as an agent that names a skip twice has it.
        p2(epoch(1), 2, vec![skip(1, 50, 60)]),
        p2(epoch(1), 3, vec![range(2, 0, 5), skip(1, 70, 70), skip(1, 75, 80), skip(3, 7, 9)]),
        p2(epoch(1), 4, vec![skip(1, 10, 80)]),
    ]);
    let live = world.parts.writer.take_entries();
    let loss = |path: &str, bytes, from_ms| {
        let (path, reason) = (path.to_owned(), "rotated away".to_owned());
        StateRecord::LogLoss(LogLossRecord { host: HOST, path, bytes, reason, from_ms, arrived_ms: BEGIN_MS })
    };
    assert_eq!((live.len(), live[0].position.entry), (1, 3));
    assert_eq!(live[0].records, [loss("/log/1", 10, BEGIN_MS), loss("/log/1", 5, BEGIN_MS), loss("/log/3", 7, 0)]);
    assert_eq!(world.parts.replay.after(None).unwrap(), live, "replay says what was said live");
    world.parts.admin.flush(false, world.now).unwrap();
    drop(world);
    let mut world = open_real(&folder);
    assert_eq!(world.parts.replay.after(None).unwrap(), live, "the file stays until state.redb has it");
    let now = world.now.plus(Duration::from_secs(60));
    let late = Append { arrived: now, ..p2(epoch(1), 4, vec![skip(2, 6, 7)]) };
    world.commit(&[late]);
    let later = world.parts.writer.take_entries();
    let (path, reason) = ("/log/2".to_owned(), "rotated away".to_owned());
    let (from_ms, arrived_ms) = (BEGIN_MS, now.millis());
    let expect = LogLossRecord { host: HOST, path, bytes: 1, reason, from_ms, arrived_ms };
    assert_eq!(later[0].records, [StateRecord::LogLoss(expect)], "by the catalog's position, since it moved last");
}

#[test]
fn positions_of_a_forgotten_host_and_of_sources_that_are_gone_go() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let gone = |inode, from, to| {
        let (source, skipped) = (source(inode), String::new());
        Record::Range(RangeRecord { source, from, to, skipped, tail_hash: 0, gone: true })
    };
    world.commit(&[p2(epoch(1), 1, vec![range(1, 0, 10), gone(2, 0, 20), gone(3, 0, 30)])]);
    world.parts.admin.flush(false, world.now).unwrap();
    world.now = world.now.plus(Duration::from_secs(5 * 86_400));
    // One of them is there after all.
    world.commit(&[p2(epoch(1), 2, vec![range(3, 30, 31)])]);
    world.parts.admin.flush(false, world.now).unwrap();
    assert_eq!(world.positions(), [(1, 10), (2, 20), (3, 31)]);
    world.now = world.now.plus(Duration::from_secs(3 * 86_400));
    world.commit(&[p2(epoch(1), 3, vec![range(1, 10, 11)])]);
    world.parts.admin.flush(false, world.now).unwrap();
    assert_eq!(world.positions(), [(1, 11), (3, 31)]);
    drop(world);
    let mut world = open_real(&folder);
    assert_eq!(world.positions(), [(1, 11), (3, 31)]);
    world.parts.writer.forget(HOST, world.now).unwrap();
    assert_eq!(world.positions(), []);
    drop(world);
    let mut world = open_real(&folder);
    assert_eq!(world.positions(), [], "the row that says so is in the inbox");
    assert_eq!(entries(&world.commit(&[p2(epoch(2), 1, vec![range(1, 5, 6)])])), [Ok((4, 1))]);
    world.parts.admin.flush(false, world.now).unwrap();
    drop(world);
    let mut world = open_real(&folder);
    assert_eq!(world.positions(), [(1, 6)], "and in the catalog");
    assert_eq!(world.parts.writer.positions(HostId([9; 16])).unwrap(), []);
}

#[test]
fn a_delete_hides_at_once_what_had_arrived_and_merges_carry_it_out() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    fill(&mut world);
    let web = vec![Matcher::equal("job", "web")];
    let before = world.parts.reader.view();
    let report = world.parts.admin.delete_logs(web.clone(), BEGIN_NS + 5, BEGIN_NS + 20, world.now).unwrap();
    assert_eq!((report.covers, report.segments), (3, 4));
    // The same line again is not deleted: it came later.
    world.commit(&[p2(epoch(1), 5, vec![lines("web", &[(5, "same")])])]);
    let rest = [&FILLED[..4], &["web 5 same"], &FILLED[8..]].concat();
    assert_eq!(world.log_dump(), rest);
    let volume = |view: &crate::View| view.log_volume(&LogSelect::all_times(&web)).unwrap().entries;
    assert_eq!((volume(&world.parts.reader.view()), volume(&before)), (4, 7), "an older view does not change");
    let tight = LogSelect { from_ns: BEGIN_NS + 6, to_ns: BEGIN_NS + 20, ..LogSelect::all_times(&web) };
    assert!(world.parts.reader.view().log_streams(&tight).unwrap().is_empty());
    drop(world);
    let mut world = open_real(&folder);
    assert_eq!(
        (world.log_dump(), world.stat("store_tombstones")),
        (rest.iter().map(|line| (*line).to_owned()).collect(), 1.0)
    );
    world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!(
        (world.log_dump(), world.stat("store_tombstones")),
        (rest.iter().map(|line| (*line).to_owned()).collect(), 0.0)
    );
    assert_eq!((world.stat("log_segment_lines"), world.stat("lines_deleted_total")), (8.0, 4.0));
    // All lines of a class: its segments go.
    world.parts.admin.delete_logs(vec![], i64::MIN, i64::MAX, world.now).unwrap();
    assert!(world.log_dump().is_empty());
    world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!((world.stat("log_segment_lines"), world.stat("store_tombstones")), (0.0, 0.0));
    drop(before);
    world.parts.admin.maintain(world.now).unwrap();
    assert_eq!(RealDisk.list(&folder.0.join("segments/logs")).unwrap(), ["aside"]);
    world.commit(&[p2(epoch(1), 6, vec![lines("web", &[(5, "same")])])]);
    assert_eq!(world.log_dump(), ["web 5 same"]);
}

#[test]
fn maintenance_rewrites_one_segment_with_hidden_lines_at_a_time() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    fill(&mut world);
    world.parts.admin.delete_logs(vec![Matcher::equal("job", "web")], i64::MIN, i64::MAX, world.now).unwrap();
    let seen = world.log_dump();
    let mut rounds = 0;
    while world.stat("store_tombstones") > 0.0 {
        rounds += 1;
        world.parts.admin.maintain(world.now).unwrap();
        assert_eq!(world.log_dump(), seen, "round {rounds}");
        assert!(rounds < 10);
    }
    assert_eq!((rounds, world.stat("log_segment_lines")), (3, 4.0));
}

#[test]
fn classes_are_kept_for_their_own_times() {
    let folder = Folder::new();
    let mut small = config(&folder.0);
    small.retention_logs = Duration::from_secs(3_600);
    small.retention_events = Duration::from_secs(10 * 86_400);
    let mut world = open_at(&(Arc::new(RealDisk) as Arc<dyn Disk>), small);
    fill(&mut world);
    world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!(world.parts.admin.maintain(world.now).unwrap().expired, 1, "yesterday's lines");
    assert_eq!(world.log_dump(), FILLED[1..]);
    world.now = world.now.plus(Duration::from_secs(86_400));
    assert_eq!(world.parts.admin.maintain(world.now).unwrap().expired, 1);
    assert_eq!(world.log_dump(), FILLED[10..]);
}

#[test]
fn lines_seal_a_generation_by_their_bytes() {
    let folder = Folder::new();
    let mut small = config(&folder.0);
    small.log_head_bytes_max = 200_000;
    let mut world = open_at(&(Arc::new(RealDisk) as Arc<dyn Disk>), small);
    let mut seq = 0;
    while world.parts.reader.view().stats().generation == 1 && seq < 1_000 {
        seq += 1;
        world.commit(&[p2(epoch(1), seq, vec![lines("web", &[(seq as i64, &"z".repeat(1_000))])])]);
    }
    assert!((100..200).contains(&seq), "{seq}");
    assert_eq!(world.parts.admin.maintain(world.now).unwrap().generations, 1);
    assert_eq!(world.log_dump().len() as u64, seq);
}

#[test]
fn tails_get_what_is_committed_from_then_on() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let one = |seq: u64, job: &str| p2(epoch(1), seq, vec![lines(job, &[(seq as i64, "x"), (0, "y")])]);
    world.commit(&[one(1, "web")]);
    let tail = world.parts.reader.tail(vec![Matcher::equal("job", "web")], 3, Box::new(|| {}));
    world.commit(&[one(2, "web"), one(2, "web"), one(3, "db"), one(4, "web")]);
    let mut out = Vec::new();
    assert_eq!(tail.drain(&mut out), 1, "a repeat is no line, and one did not fit");
    let times: Vec<i64> = out.iter().map(|entry| entry.at_ns - BEGIN_NS).collect();
    assert_eq!((times, &*out[0].labels), (vec![2, 0, 4], &*labels("web")));
    assert_eq!(world.stat("tail_lines_dropped_total"), 1.0);
}

#[test]
fn who_listens_and_then_looks_has_each_line_in_one_of_the_two() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let reader = world.parts.reader.clone();
    let (begun, has_begun) = std::sync::mpsc::sync_channel(1);
    let listener = std::thread::spawn(move || {
        let mut rounds = Vec::new();
        for _ in 0..40 {
            let tail = reader.tail(vec![Matcher::equal("job", "web")], 10_000, Box::new(|| {}));
            let view = reader.view();
            let mut seen = Vec::new();
            let matchers = [Matcher::equal("job", "web")];
            let select = LogSelect::all_times(&matchers);
            view.logs(&select, &mut |_, entry| {
                seen.push(entry.at_ns - BEGIN_NS);
                ControlFlow::Continue(())
            })
            .unwrap();
            rounds.push((seen, view, tail));
            let _ = begun.try_send(());
        }
        rounds
    });
    has_begun.recv().unwrap();
    for seq in 1..=60_u64 {
        // A line of another stream and a flush between: blocks and generations count on.
        world.commit(&[p2(epoch(1), seq, vec![lines("db", &[(0, "z")]), lines("web", &[(seq as i64, "x")])])]);
        if seq % 20 == 0 {
            world.parts.admin.flush(false, world.now).unwrap();
        }
    }
    for (mut seen, view, tail) in listener.join().unwrap() {
        let mut out = Vec::new();
        assert_eq!(tail.drain(&mut out), 0);
        let later = out.iter().filter(|one| view.lines_end() <= Some(one.arrival));
        seen.extend(later.map(|one| one.at_ns - BEGIN_NS));
        assert_eq!(seen, (1..=60).collect::<Vec<_>>());
    }
}

#[test]
fn metrics_and_lines_share_a_generation_and_its_flush() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let up = table("up", "a", 2);
    world.commit(&[
        batch(epoch(1), 1, vec![scrape(&up, super::world::BEGIN_MS, 1.0)]),
        p2(epoch(1), 1, vec![range(1, 0, 5), lines("web", &[(1, "a")])]),
    ]);
    let seen = (world.dump(), world.log_dump());
    drop(world);
    let world = open_real(&folder);
    assert_eq!((world.dump(), world.log_dump()), seen);
    world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!((world.dump(), world.log_dump()), seen);
    assert_eq!((world.stat("flushes_total"), world.raw_count()), (1.0, 2));
}
