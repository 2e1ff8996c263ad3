//! Seals, flushes, merges, retention: answers stay the same while files come and go.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::cut::{CutDisk, Fault, Operation};
use muster_common::disk::real::RealDisk;

use super::world::{
    BEGIN_MS, Folder, World, append, batch, config, entries, epoch, gap, open_at, open_real, scrape, table,
};
use crate::{CommitError, Outcome, Position, Source};

const DAY_MS: i64 = 86_400_000;

fn files(folder: &Folder, under: &str) -> Vec<String> {
    let mut names = RealDisk.list(&folder.0.join(under)).unwrap();
    names.retain(|name| name != "aside");
    names
}

/// Three generations: in order, out of order over two days, and with times that are there already.
fn fill(world: &mut World) {
    let (up, load) = (table("up", "a", 3), table("load", "a", 2));
    world.commit(&[
        batch(epoch(1), 1, vec![scrape(&up, BEGIN_MS, 10.0), scrape(&load, BEGIN_MS, 1.0)]),
        batch(epoch(1), 2, vec![scrape(&up, BEGIN_MS + 15_000, 20.0)]),
    ]);
    world.parts.admin.flush(false, world.now).unwrap();
    let late = vec![scrape(&up, BEGIN_MS + 30_000, 30.0), scrape(&up, BEGIN_MS - DAY_MS, -1.0)];
    world.commit(&[batch(epoch(1), 3, late)]);
    world.parts.admin.flush(false, world.now).unwrap();
    let again = vec![scrape(&up, BEGIN_MS + 15_000, 21.0), scrape(&up, BEGIN_MS + 15_000, 22.0)];
    world.commit(&[batch(epoch(1), 4, again)]);
}

#[test]
fn answers_stay_the_same_through_flush_merge_and_restart() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    fill(&mut world);
    let seen = world.dump();
    assert_eq!(seen.len(), 5);
    let (first, ms) = ("up{host=\"a\", i=\"000\"}", -DAY_MS);
    assert!(seen.contains(&format!("{first} {ms}=-1 0=10 15000=22 30000=30")), "{seen:?}");
    let count = world.raw_count();
    assert_eq!(count, 3 + 2 + 3 + 3 + 3 + 3 + 3, "doubles are counted");
    drop(world);
    let world = open_real(&folder);
    assert_eq!((world.dump(), world.raw_count()), (seen.clone(), count), "after a restart");
    world.parts.admin.flush(false, world.now).unwrap();
    assert_eq!((world.dump(), world.raw_count()), (seen.clone(), count), "flushed");
    assert_eq!(files(&folder, "segments/metrics").len(), 3);
    let report = world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!((report.merges, report.generations, report.waiting), (1, 0, 0));
    assert_eq!((world.dump(), world.raw_count()), (seen.clone(), count), "merged");
    assert_eq!(files(&folder, "segments/metrics").len(), 2, "one a day");
    assert_eq!(files(&folder, "inbox"), ["4.redb"], "an empty file is left");
    drop(world);
    let world = open_real(&folder);
    assert_eq!((world.dump(), world.raw_count()), (seen, count), "merged and restarted");
    assert!(world.parts.admin.health().is_good(), "{:?}", world.parts.admin.health());
    assert_eq!(world.stat("segment_samples_appended"), count as f64);
    assert_eq!(world.stat("segment_samples"), (count - 6) as f64);
}

#[test]
fn files_of_merged_and_expired_segments_go_with_the_last_view() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    fill(&mut world);
    world.parts.admin.flush(false, world.now).unwrap();
    let view = world.parts.reader.view();
    let before = files(&folder, "segments/metrics");
    world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!(files(&folder, "segments/metrics").len(), 3 + 2, "the old view reads the old files");
    assert_eq!(view.stats().segments, 3);
    drop(view);
    let after = files(&folder, "segments/metrics");
    assert!(after.len() == 2 && !after.iter().any(|name| before.contains(name)), "{after:?}");
    drop(world);
    let mut short = config(&folder.0);
    short.retention = Duration::from_secs(3_600);
    let world = open_at(&(Arc::new(RealDisk) as Arc<dyn Disk>), short);
    let report = world.parts.admin.maintain(world.now).unwrap();
    assert_eq!((report.expired, files(&folder, "segments/metrics").len()), (1, 1), "yesterday's goes");
    assert_eq!(world.dump()[2..].iter().filter(|line| line.contains("=-1")).count(), 0);
}

#[test]
fn what_is_too_old_goes_while_the_disk_is_too_full_to_flush() {
    let disk = CutDisk::new(1);
    let mut short = config(Path::new("/data"));
    short.retention = Duration::from_secs(3_600);
    let mut world = open_at(&(Arc::new(disk.clone()) as Arc<dyn Disk>), short);
    let up = table("up", "a", 30);
    let rows = (0..40).map(|i| scrape(&up, BEGIN_MS + i * 15_000, i as f64)).collect();
    world.commit(&[batch(epoch(1), 1, rows)]);
    world.parts.admin.flush(false, world.now).unwrap();
    world.now = world.now.plus(Duration::from_secs(2 * 3_600));
    world.commit(&[batch(epoch(1), 2, vec![scrape(&up, world.now.millis(), 1.0)])]);
    world.now = world.now.plus(Duration::from_secs(601));
    let inodes = |folder: &str| disk.list(Path::new(folder)).unwrap().len();
    assert_eq!(inodes("/data/segments/metrics"), 2, "one segment and the folder of those set aside");
    // A new file cannot be made; the catalog's own pages are there.
    disk.fail(Operation::Create, 1, 1, Fault::NoSpace);
    let failed = world.parts.admin.maintain(world.now);
    assert!(failed.is_err() && world.parts.admin.health().flush_failing.is_some(), "{failed:?}");
    assert_eq!(inodes("/data/segments/metrics"), 1, "retention does not wait for the flush");
    world.parts.admin.maintain(world.now).unwrap();
    assert_eq!((world.raw_count(), world.parts.admin.health().flush_failing), (30, None));
}

#[test]
fn marks_and_bodies_are_carried_over_seals() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let http = append(Source::Http { body: 5, stamped: true }, vec![], world.now);
    world.commit(&[batch(epoch(1), 1, vec![]), http.clone()]);
    for _ in 0..3 {
        world.parts.admin.flush(false, world.now).unwrap();
        world.commit(&[append(Source::Http { body: 6, stamped: false }, vec![], world.now)]);
    }
    assert_eq!(files(&folder, "inbox").len(), 1, "generations without records of small state go when flushed");
    let outcomes = world.commit(&[batch(epoch(1), 1, vec![]), http, batch(epoch(1), 2, vec![])]);
    assert_eq!(entries(&outcomes), [Err(Outcome::Repeat { mark: 1 }), Err(Outcome::RepeatedBody), Ok((4, 2))]);
}

#[test]
fn files_wait_for_the_state_projection_and_two_waiting_throttle() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let flush = |world: &World| world.parts.admin.flush(false, world.now);
    world.commit(&[gap(epoch(1), 1, 1)]);
    assert_eq!(flush(&world).unwrap().waiting, 1);
    world.commit(&[gap(epoch(1), 2, 2)]);
    assert_eq!(flush(&world).unwrap().waiting, 2);
    world.commit(&[gap(epoch(1), 3, 3)]);
    world.now = world.now.plus(Duration::from_secs(3_600));
    let error = world.try_commit(&[gap(epoch(1), 4, 4)]).unwrap_err();
    assert!(matches!(error, CommitError::Throttled { waiting: 2, .. }) && error.retry_after().is_some());
    assert!(flush(&world).is_err());
    assert_eq!(world.parts.admin.maintain(world.now).unwrap().generations, 0);
    assert!(world.parts.admin.health().is_good(), "throttling is no failure");
    drop(world);
    // After a restart the flushed files are still replayed to the projection, but never to the head.
    let mut world = open_real(&folder);
    assert_eq!(world.parts.replay.after(Some(Position { generation: 1, entry: 1 })).unwrap().len(), 2);
    assert_eq!(files(&folder, "inbox").len(), 3);
    world.parts.writer.state_reached(Position { generation: 2, entry: 1 });
    assert_eq!(files(&folder, "inbox"), ["3.redb"]);
    world.now = world.now.plus(Duration::from_secs(3_600));
    assert_eq!(entries(&world.commit(&[gap(epoch(1), 4, 4)])), [Ok((4, 1))]);
}

#[test]
fn a_generation_is_sealed_by_bytes_by_its_head_and_by_age() {
    let bounds: [fn(&mut crate::Config); 2] =
        [|config| config.generation_bytes_max = 20_000, |config| config.head_bytes_max = 200_000];
    for bound in bounds {
        let folder = Folder::new();
        let mut small = config(&folder.0);
        bound(&mut small);
        let mut world = open_at(&(Arc::new(RealDisk) as Arc<dyn Disk>), small);
        let up = table("up", "a", 1_000);
        let mut seq = 0;
        while world.parts.reader.view().stats().generation == 1 && seq < 1_000 {
            seq += 1;
            world.commit(&[batch(epoch(1), seq, vec![scrape(&up, BEGIN_MS + seq as i64, seq as f64 * 0.37)])]);
        }
        assert!((2..200).contains(&seq), "{seq}");
        let before = world.dump();
        assert_eq!(world.parts.admin.maintain(world.now).unwrap().generations, 1);
        assert_eq!(world.dump(), before);
        world.now = world.now.plus(Duration::from_secs(601));
        assert_eq!(world.parts.admin.maintain(world.now).unwrap().generations, 1, "by age");
        assert_eq!(world.dump(), before);
    }
}

#[test]
fn neighbours_merge_by_themselves_when_there_are_enough() {
    let folder = Folder::new();
    let mut many = config(&folder.0);
    many.merge_segments_min = 4;
    let mut world = open_at(&(Arc::new(RealDisk) as Arc<dyn Disk>), many);
    let up = table("up", "a", 3);
    let mut merges = 0;
    for seq in 1..=32 {
        world.commit(&[batch(epoch(1), seq, vec![scrape(&up, BEGIN_MS + seq as i64 * 15_000, seq as f64)])]);
        world.now = world.now.plus(Duration::from_secs(601));
        merges += world.parts.admin.maintain(world.now).unwrap().merges;
    }
    let segments = world.parts.reader.view().stats().segments;
    assert!(merges >= 8 && segments <= 7, "{merges} merges, {segments} segments");
    assert_eq!(world.raw_count(), 96);
    let expected: String = (1..=32).map(|seq| format!(" {}={}", seq * 15_000, seq + 1)).collect();
    assert_eq!(world.dump()[1], format!("up{{host=\"a\", i=\"001\"}}{expected}"));
}

#[test]
fn a_later_generation_wins_whatever_was_merged_before() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let up = table("up", "a", 1);
    for seq in 1..=6 {
        world.commit(&[batch(epoch(1), seq, vec![scrape(&up, BEGIN_MS, seq as f64)])]);
        world.parts.admin.flush(seq % 2 == 0, world.now).unwrap();
        assert_eq!(world.dump(), [format!("up{{host=\"a\", i=\"000\"}} 0={seq}")]);
    }
    assert_eq!((world.raw_count(), world.parts.reader.view().stats().segments), (6, 1));
}

#[test]
fn backfill_of_many_days_is_split_by_day() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let up = table("up", "a", 2);
    let days = 150;
    let rows = (0..days).map(|day| scrape(&up, BEGIN_MS - day * DAY_MS, day as f64)).collect();
    world.commit(&[batch(epoch(1), 1, rows)]);
    let seen = world.dump();
    world.parts.admin.flush(true, world.now).unwrap();
    assert_eq!(files(&folder, "segments/metrics").len(), days as usize);
    assert_eq!((world.dump(), world.raw_count()), (seen, 2 * days as u64));
}

#[test]
fn a_series_that_goes_and_comes_back_keeps_its_samples_apart_and_the_index_small() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    for generation in 0..4 {
        let churned = table("m", &format!("host{generation}"), 6_000);
        world.commit(&[batch(epoch(1), generation + 1, vec![scrape(&churned, BEGIN_MS + generation as i64, 0.0)])]);
        world.parts.admin.flush(false, world.now).unwrap();
    }
    // 24,000 series came by; the index was begun anew when most of it was out of use.
    assert!(world.stat("series_known") < 24_000.0, "{}", world.stat("series_known"));
    assert_eq!((world.dump().len(), world.raw_count()), (24_000, 24_000));
}

#[test]
fn a_generation_sealed_during_a_merge_is_flushed_before_its_end() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let wide = table("up", "a", 5_000);
    for seq in 1..=2 {
        world.commit(&[batch(epoch(1), seq, vec![scrape(&wide, BEGIN_MS + seq as i64, seq as f64)])]);
        world.parts.admin.flush(false, world.now).unwrap();
    }
    world.commit(&[batch(epoch(1), 3, vec![scrape(&wide, BEGIN_MS + 1, 9.0)])]);
    let seen = world.dump();
    let merges = world.parts.admin.engine.maintain(world.now, |maintenance| {
        maintenance.engine.inbox.lock().seal_now(world.now).unwrap();
        let merges = maintenance.merge(crate::merge_plan::Why::Due { segments_min: 2 })?;
        assert_eq!(maintenance.shared().published.load().heads.len(), 1, "only the active one is left");
        Ok(merges)
    });
    assert_eq!((merges.unwrap(), world.raw_count()), (1, 15_000));
    assert!(world.dump() == seen);
    drop(world);
    let world = open_real(&folder);
    assert!(world.dump() == seen && world.parts.admin.health().is_good());
}
