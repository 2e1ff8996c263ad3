//! Files of version 1, as they were first written, are read by today's code. `UPDATE_GOLDEN=1` writes them again: only for a
//! format that was never released.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::real::RealDisk;
use muster_common::disk::{Disk, Open};
use muster_common::label::LabelSet;
use muster_common::sample::{MetricKind, STALE_BITS, stale};
use redb::ReadableDatabase;

use super::world::{BEGIN_MS, Folder, HOST, batch, epoch, gap, open_real, scrape, table};
use crate::columns::Columns;
use crate::database::open_database;
use crate::inbox::blob::{Samples, decode};
use crate::inbox::file::{decode_series, path as inbox_path};
use crate::inbox::pieces::{Joined, Joiner};
use crate::inbox::tables::{ENTRIES, SERIES};
use crate::segment::Segment;
use crate::segment::cache::Cache;
use crate::segment::cursor::Cursor;
use crate::{Point, Record, ReportRecord, SampleBlock, StateRecord};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn report() -> ReportRecord {
    ReportRecord { host: HOST, report: b"\x01 a report's bytes".as_slice().into() }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of the tests alone")]
fn entries_of_version_1_with_reports_are_read() {
    let name = golden("report-entry-v1.bin");
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        let folder = Folder::new();
        let mut world = open_real(&folder);
        world.commit(&[batch(
            epoch(1),
            1,
            vec![scrape(&table("up", "a", 1), BEGIN_MS, 0.5), Record::Report(report())],
        )]);
        drop(world);
        let path = inbox_path(&folder.0.join("inbox"), 1);
        let database = open_database(&RealDisk, &path, false, 1 << 20).unwrap();
        let entries = database.begin_read().unwrap().open_table(ENTRIES).unwrap();
        std::fs::write(&name, entries.get(0).unwrap().unwrap().value()).unwrap();
    }
    let mut joiner = Joiner::default();
    let Joined::Blob(blob) = joiner.push(0, &std::fs::read(name).unwrap()) else {
        panic!("the entry is one whole piece")
    };
    for with_values in [true, false] {
        let entries = decode(&blob, with_values).unwrap();
        assert_eq!((entries.len(), &entries[0].state[..]), (1, &[StateRecord::Report(report())][..]));
        assert_eq!(entries[0].samples.len(), usize::from(with_values));
    }
}

/// Makes the golden files from a small run.
fn update() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let up = table("up", "a", 3);
    let points = vec![Point { series: 2, at_ms: BEGIN_MS + 20, value: stale() }];
    let single = Record::Samples(SampleBlock::Points { table: up.clone(), points });
    world.commit(&[batch(epoch(1), 1, vec![scrape(&up, BEGIN_MS, 0.5), single]), gap(epoch(1), 2, 4)]);
    world.commit(&[batch(epoch(1), 5, vec![scrape(&up, BEGIN_MS, 1.5)])]);
    drop(world);
    let path = inbox_path(&folder.0.join("inbox"), 1);
    let database = open_database(&RealDisk, &path, false, 1 << 20).unwrap();
    let read = database.begin_read().unwrap();
    let entries = read.open_table(ENTRIES).unwrap();
    std::fs::write(golden("entry-v1.bin"), entries.get(0).unwrap().unwrap().value()).unwrap();
    let series = read.open_table(SERIES).unwrap();
    std::fs::write(golden("series-v1.bin"), series.get(0).unwrap().unwrap().value()).unwrap();
    drop((entries, series, read, database));
    let world = open_real(&folder);
    world.parts.admin.flush(false, world.now).unwrap();
    let segments = folder.0.join("segments/metrics");
    std::fs::copy(segments.join("1-1-1.seg"), golden("segment-v1.seg")).unwrap();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of the tests alone")]
fn files_of_version_1_are_read() {
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        update();
    }
    let mut joiner = Joiner::default();
    let Joined::Blob(blob) = joiner.push(0, &std::fs::read(golden("entry-v1.bin")).unwrap()) else {
        panic!("the entry is one whole piece")
    };
    let entries = decode(&blob, true).unwrap();
    let values = vec![0.5, 1.5, 2.5];
    assert_eq!(entries[0].samples[0], Samples::Row { at_ms: BEGIN_MS, slots: vec![0, 1, 2], values });
    let Samples::Points(points) = &entries[0].samples[1] else { panic!("{entries:?}") };
    assert_eq!((points[0].0, points[0].1, points[0].2.to_bits()), (2, BEGIN_MS + 20, STALE_BITS));
    let StateRecord::Gap(record) = &entries[1].state[0] else { panic!("{entries:?}") };
    assert_eq!((entries.len(), record.from, record.to, record.epoch), (2, 2, 4, epoch(1)));
    let mut series = Vec::new();
    let block = std::fs::read(golden("series-v1.bin")).unwrap();
    decode_series(0, &block, &mut |slot, one| series.push((slot, one.labels.to_string(), one.kind))).unwrap();
    assert_eq!(series.len(), 3);
    assert_eq!(series[1], (1, "up{host=\"a\", i=\"001\"}".to_owned(), MetricKind::Gauge));
    segment_is_read();
}

fn segment_is_read() {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    disk.open(&golden("segment-v1.seg"), Open::Read).unwrap();
    let segment = Segment::open(&disk, 1, golden("segment-v1.seg")).unwrap();
    let cache = Cache::new(1 << 20);
    let header = &segment.header;
    assert_eq!((header.lo, header.hi, header.day, header.series), (1, 1, None, 3));
    assert_eq!((header.samples, header.appended, header.min_ms, header.max_ms), (4, 7, BEGIN_MS, BEGIN_MS + 20));
    let found = segment.find(&cache, &[]).unwrap();
    let expected: Vec<LabelSet> = ["000", "001", "002"]
        .iter()
        .map(|i| LabelSet::new([("__name__", "up"), ("host", "a"), ("i", i)]).unwrap())
        .collect();
    assert_eq!(found.iter().map(|one| LabelSet::clone(&one.labels)).collect::<Vec<_>>(), expected);
    let mut columns = Columns::default();
    Cursor::new(&segment, &cache).read(2, i64::MIN, i64::MAX, &mut columns).unwrap();
    assert_eq!(columns.millis, [BEGIN_MS, BEGIN_MS + 20]);
    assert_eq!((columns.values[0], columns.values[1].to_bits()), (3.5, STALE_BITS));
    assert_eq!(segment.metrics, [("up".to_owned(), MetricKind::Gauge)]);
    assert_eq!(segment.names(), ["__name__", "host", "i"]);
}
