//! Marks, repeats, gaps, epochs: what is taken and what is not.

use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, Lane};

use super::world::{BEGIN_MS, Folder, HOST, append, batch, entries, epoch, gap, open_real, scrape, table};
use crate::{Append, Outcome, Record, ReportRecord, Source, StateRecord};

#[test]
fn only_mark_plus_one_is_taken_and_all_of_a_commit_is_seen() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let up = table("up", "a", 2);
    let one = |seq: u64| batch(epoch(1), seq, vec![scrape(&up, BEGIN_MS + seq as i64, seq as f64)]);
    let outcomes = world.commit(&[one(1), one(2), one(2), one(4), one(3)]);
    let (repeat, not_next) = (Outcome::Repeat { mark: 2 }, Outcome::NotNext { mark: 2 });
    assert_eq!(entries(&outcomes), [Ok((1, 1)), Ok((1, 2)), Err(repeat), Err(not_next), Ok((1, 3))]);
    let seen = ["up{host=\"a\", i=\"000\"} 1=1 2=2 3=3", "up{host=\"a\", i=\"001\"} 1=2 2=3 3=4"];
    assert_eq!(world.dump(), seen);
    drop(world);
    let mut world = open_real(&folder);
    assert_eq!(world.dump(), seen, "replayed");
    let outcomes = world.commit(&[one(3), one(4)]);
    assert_eq!(entries(&outcomes), [Err(Outcome::Repeat { mark: 3 }), Ok((1, 4))]);
    assert_eq!((world.raw_count(), world.stat("samples_committed_total")), (8, 2.0));
}

#[test]
fn lanes_and_epochs_have_marks_of_their_own() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let on = |epoch: Epoch, lane, seq| append(Source::Batch { host: HOST, epoch, lane, seq }, vec![], world.now);
    let appends =
        [on(epoch(1), Lane::P1, 1), on(epoch(1), Lane::P0, 1), on(epoch(2), Lane::P1, 1), on(epoch(2), Lane::P1, 3)];
    let outcomes = world.commit(&appends);
    let not_next = Outcome::NotNext { mark: 1 };
    assert_eq!(entries(&outcomes), [Ok((1, 1)), Ok((1, 2)), Ok((1, 3)), Err(not_next)]);
}

#[test]
fn gaps_move_the_mark_and_reach_the_projection_cut() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let outcomes =
        world.commit(&[batch(epoch(1), 1, vec![]), gap(epoch(1), 4, 6), gap(epoch(1), 1, 3), gap(epoch(1), 2, 3)]);
    let refused = [Err(Outcome::NotNext { mark: 1 }), Ok((1, 2)), Err(Outcome::Repeat { mark: 3 })];
    assert_eq!(entries(&outcomes)[1..], refused);
    assert_eq!(entries(&world.commit(&[batch(epoch(1), 4, vec![])])), [Ok((1, 3))]);
    let live = world.parts.writer.take_entries();
    let StateRecord::Gap(record) = &live[0].records[0] else { panic!("{live:?}") };
    assert_eq!((live.len(), live[0].position.entry, record.from, record.to), (1, 2, 2, 3));
    assert_eq!(world.parts.replay.after(None).unwrap(), live, "replay says what was said live");
    assert!(world.parts.replay.after(Some(live[0].position)).unwrap().is_empty());
    assert!(world.parts.writer.take_entries().is_empty());
}

#[test]
fn reports_reach_the_projection_in_order_and_are_said_again_by_replay() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let report = |text: &str| ReportRecord { host: HOST, report: text.as_bytes().into() };
    let records = |texts: &[&str]| texts.iter().map(|text| Record::Report(report(text))).collect::<Vec<_>>();
    let p0 = |seq, texts: &[&str], live| {
        let source = Source::Batch { host: HOST, epoch: epoch(1), lane: Lane::P0, seq };
        Append { source, records: records(texts), arrived: Timestamp::from_millis(BEGIN_MS), live }
    };
    let commits = [p0(1, &["a", "b"], false), p0(1, &["a", "b"], false), p0(2, &["c"], true)];
    let outcomes = world.commit(&commits);
    assert_eq!(entries(&outcomes), [Ok((1, 1)), Err(Outcome::Repeat { mark: 1 }), Ok((1, 2))]);
    let live = world.parts.writer.take_entries();
    let state = |texts: &[&str]| texts.iter().map(|text| StateRecord::Report(report(text))).collect::<Vec<_>>();
    assert_eq!((&live[0].records, live[0].live), (&state(&["a", "b"]), false));
    assert_eq!((&live[1].records, live[1].live), (&state(&["c"]), true));
    world.parts.admin.flush(false, world.now).unwrap();
    assert_eq!(world.parts.replay.after(None).unwrap(), live, "a flushed file still says them");
    drop(world);
    let world = open_real(&folder);
    assert_eq!(world.parts.replay.after(None).unwrap(), live);
    assert_eq!(world.parts.replay.after(Some(live[0].position)).unwrap(), live[1..]);
}

#[test]
fn hello_closes_what_is_not_listed_and_opens_it_again_with_its_marks() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    world.commit(&[batch(epoch(1), 1, vec![]), batch(epoch(1), 2, vec![]), batch(epoch(2), 1, vec![])]);
    let seqs = |world: &mut super::world::World, held: &[Epoch]| {
        let marks = world.parts.writer.hello(HOST, held, world.now).unwrap();
        marks.iter().map(|mark| (mark.epoch, mark.lane, mark.seq)).collect::<Vec<_>>()
    };
    assert_eq!(seqs(&mut world, &[epoch(2), epoch(3)]), [(epoch(2), Lane::P1, 1)]);
    drop(world);
    let mut world = open_real(&folder);
    // Epoch 1 is closed, not forgotten: a batch of it still goes by its mark.
    assert_eq!(entries(&world.commit(&[batch(epoch(1), 2, vec![])])), [Err(Outcome::Repeat { mark: 2 })]);
    let both = [(epoch(1), Lane::P1, 2), (epoch(2), Lane::P1, 1)];
    assert_eq!(seqs(&mut world, &[epoch(1), epoch(2)]), both);
}

#[test]
fn forgotten_epochs_are_refused_by_the_floor_and_their_seqs_taken_by_gaps() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    world.commit(&[batch(epoch(1), 1, vec![]), batch(epoch(5), 1, vec![])]);
    world.parts.writer.hello(HOST, &[epoch(5)], world.now).unwrap();
    world.now = world.now.plus(Duration::from_secs(8 * 86_400));
    world.parts.writer.hello(HOST, &[epoch(5)], world.now).unwrap();
    let expired = Outcome::Expired { floor_ms: BEGIN_MS + 1 };
    let outcomes = world.commit(&[batch(epoch(1), 1, vec![]), batch(epoch(0), 7, vec![]), batch(epoch(2), 1, vec![])]);
    assert_eq!(entries(&outcomes), [Err(expired.clone()), Err(expired.clone()), Ok((2, 1))]);
    let outcomes = world.commit(&[gap(epoch(0), 7, 7), batch(epoch(0), 8, vec![]), batch(epoch(0), 7, vec![])]);
    assert_eq!(entries(&outcomes), [Ok((2, 2)), Err(expired), Err(Outcome::Repeat { mark: 7 })]);
}

#[test]
fn a_host_that_lists_one_old_epoch_for_ever_has_a_bounded_number_of_rows_and_its_backlog_still_goes() {
    let folder = Folder::new();
    let mut small = super::world::config(&folder.0);
    small.epochs_closed_hard_max = 5;
    let mut world = super::world::open_at(&(Arc::new(RealDisk) as Arc<dyn Disk>), small);
    let old = Epoch::new(1, 1);
    world.commit(&[batch(old, 1, vec![])]);
    for number in 1..=20 {
        world.commit(&[batch(epoch(number), 1, vec![])]);
        world.parts.writer.hello(HOST, &[old], world.now).unwrap();
    }
    assert_eq!(world.stat("epochs_forced_total"), 15.0);
    let expired = Outcome::Expired { floor_ms: epoch(15).created_ms() };
    let again: Vec<_> = [15, 16].map(|number| batch(epoch(number), 1, vec![])).into();
    assert_eq!(world.commit(&again), [expired, Outcome::Repeat { mark: 1 }], "nothing is taken twice");
    let next = [batch(old, 2, vec![]), batch(epoch(21), 1, vec![])];
    assert!(world.commit(&next).iter().all(|outcome| matches!(outcome, Outcome::Committed { .. })));
}

#[test]
fn an_evicted_place_of_a_body_that_came_again_leaves_its_row() {
    let folder = Folder::new();
    let mut small = super::world::config(&folder.0);
    small.repeat_rows_max = 4;
    let mut world = super::world::open_at(&(Arc::new(RealDisk) as Arc<dyn Disk>), small);
    let begin = world.now;
    let mut push = |body, minute: u64| {
        world.now = begin.plus(Duration::from_secs(minute * 60));
        world.commit(&[append(Source::Http { body, stamped: true }, vec![], world.now)]).remove(0)
    };
    // The second goes into the second generation, which has the first's row; the window of that ends within it.
    for (body, minute) in [(1, 0), (2, 14), (1, 16), (3, 17)] {
        assert!(matches!(push(body, minute), Outcome::Committed { .. }), "{body}");
    }
    assert!(matches!(push(4, 18), Outcome::Committed { .. }), "the oldest place goes");
    assert_eq!(push(1, 19), Outcome::RepeatedBody);
    assert_eq!(world.stat("repeat_rows_evicted_total"), 0.0);
}

#[test]
fn a_body_with_time_stamps_is_taken_once_in_fifteen_minutes() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let http = |body, stamped| append(Source::Http { body, stamped }, vec![], world.now);
    let appends = [http(1, true), http(1, true), http(2, false), http(2, false)];
    let outcomes = world.commit(&appends);
    assert_eq!(entries(&outcomes), [Ok((1, 1)), Err(Outcome::RepeatedBody), Ok((1, 2)), Ok((1, 3))]);
    drop(world);
    let mut world = open_real(&folder);
    world.now = world.now.plus(Duration::from_secs(14 * 60));
    // A seal by age comes first: the row is carried into the new file.
    assert_eq!(entries(&world.commit(&appends[..1])), [Err(Outcome::RepeatedBody)]);
    assert_eq!(world.parts.reader.view().stats().generation, 2);
    world.now = world.now.plus(Duration::from_secs(2 * 60));
    assert_eq!(entries(&world.commit(&appends[..1])), [Ok((2, 1))]);
}

#[test]
fn own_ticks_are_taken_above_the_mark_and_old_runs_are_not_carried_for_ever() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let own = |run, tick| append(Source::Own { run, tick }, vec![], world.now);
    let (first, again, later) = (own(epoch(1), 0), own(epoch(1), 0), own(epoch(1), 9));
    let outcomes = world.commit(&[first, again, later.clone()]);
    assert_eq!(entries(&outcomes), [Ok((1, 1)), Err(Outcome::Repeat { mark: 0 }), Ok((1, 2))]);
    world.parts.admin.flush(false, world.now).unwrap();
    assert_eq!(entries(&world.commit(std::slice::from_ref(&later))), [Err(Outcome::Repeat { mark: 9 })]);
    let other = append(Source::Own { run: epoch(2), tick: 1 }, vec![], world.now);
    world.now = world.now.plus(Duration::from_secs(8 * 86_400));
    world.commit(&[other]);
    world.parts.admin.flush(false, world.now).unwrap();
    assert_eq!(entries(&world.commit(&[later])), [Ok((3, 1))], "its mark went with the seal");
}

#[test]
fn malformed_rows_are_refused_before_anything_is_written() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let up = table("up", "a", 9);
    let good = batch(epoch(1), 1, vec![scrape(&up, 1, 0.0)]);
    for present in [None, Some(vec![0xff]), Some(vec![0xff, 0x02]), Some(vec![0xff, 0x01])] {
        let rows = vec![crate::Row { at_ms: 1, present, values: vec![0.0; 4] }];
        let bad = crate::Record::Samples(crate::SampleBlock::Rows { table: up.clone(), rows });
        let error = world.try_commit(&[good.clone(), batch(epoch(1), 2, vec![bad])]).unwrap_err();
        assert!(error.to_string().starts_with("append 1 of the commit is malformed"), "{error}");
    }
    let points = vec![crate::Point { series: 9, at_ms: 1, value: 0.0 }];
    let bad = crate::Record::Samples(crate::SampleBlock::Points { table: up.clone(), points });
    assert!(world.try_commit(&[batch(epoch(1), 1, vec![bad])]).is_err());
    assert_eq!(entries(&world.commit(&[good])), [Ok((1, 1))]);
}
