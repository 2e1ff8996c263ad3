//! Files of version 1 with lines, as they were first written, are read by today's code. `UPDATE_GOLDEN=1` writes them again:
//! only for a format that was never released.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::label::LabelSet;
use redb::ReadableDatabase;

use super::log_world::{BEGIN_NS, labels, lines, p2, range, source};
use super::world::{Folder, HOST, epoch, open_real};
use crate::database::open_database;
use crate::inbox::blob::decode;
use crate::inbox::file::path as inbox_path;
use crate::inbox::pieces::{Joined, Joiner};
use crate::inbox::tables::ENTRIES;
use crate::logs::segment::LogSegment;
use crate::segment::cache::Cache;
use crate::{LogBlock, LogClass, LogEntry, RangeRecord, Record};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn block() -> LogBlock {
    let fields = LabelSet::new([("trace", "4711")]).unwrap();
    let entries = vec![
        LogEntry { at_ns: BEGIN_NS + 9, line: b"\x00\xff".to_vec(), fields },
        LogEntry { at_ns: BEGIN_NS, line: b"GET /a status=200".to_vec(), fields: LabelSet::default() },
    ];
    LogBlock { class: LogClass::Logs, labels: labels("web"), entries }
}

fn gone() -> RangeRecord {
    RangeRecord { source: source(2), from: 5, to: 9, skipped: "rotated away".into(), tail_hash: 7, gone: true }
}

/// Makes the golden files from a small run.
fn update() {
    let folder = Folder::new();
    let mut world = open_real(&folder);
    let records = vec![range(1, 0, 20), Record::Logs(block()), Record::Range(gone()), lines("db", &[(5, "vacuum")])];
    world.commit(&[p2(epoch(1), 1, records)]);
    drop(world);
    let path = inbox_path(&folder.0.join("inbox"), 1);
    let database = open_database(&RealDisk, &path, false, 1 << 20).unwrap();
    let read = database.begin_read().unwrap();
    let entries = read.open_table(ENTRIES).unwrap();
    std::fs::write(golden("log-entry-v1.bin"), entries.get(0).unwrap().unwrap().value()).unwrap();
    drop((entries, read, database));
    let world = open_real(&folder);
    world.parts.admin.flush(false, world.now).unwrap();
    std::fs::copy(folder.0.join("segments/logs/1-1-1.seg"), golden("log-segment-v1.seg")).unwrap();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of the tests alone")]
fn files_of_version_1_with_lines_are_read() {
    if std::env::var("UPDATE_GOLDEN").is_ok() {
        update();
    }
    let mut joiner = Joiner::default();
    let Joined::Blob(blob) = joiner.push(0, &std::fs::read(golden("log-entry-v1.bin")).unwrap()) else {
        panic!("the entry is one whole piece")
    };
    let entries = decode(&blob, true).unwrap();
    let Record::Range(first) = range(1, 0, 20) else { panic!("a range") };
    assert_eq!((entries.len(), &entries[0].ranges), (1, &vec![first, gone()]));
    let loss = gone().loss(HOST, 5, 0, BEGIN_NS / 1_000_000);
    assert_eq!(entries[0].state, [loss], "the bytes before it came never");
    assert_eq!((entries[0].logs.len(), &entries[0].logs[0]), (2, &block()));
    assert!(decode(&blob, false).unwrap()[0].logs.is_empty(), "passed over");

    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let segment = LogSegment::open(&disk, LogClass::Logs, 1, golden("log-segment-v1.seg"), 0).unwrap();
    let wrong = LogSegment::open(&disk, LogClass::Events, 1, golden("log-segment-v1.seg"), 0);
    assert!(wrong.is_err(), "its kind is in the header");
    let (header, cache) = (&segment.base.header, Cache::new(1 << 20));
    assert_eq!((header.series, header.chunks, header.samples, header.day), (2, 1, 3, None));
    assert_eq!((header.min_ms, header.appended), (BEGIN_NS / 1_000_000, 2 + 13 + 17 + 6));
    let found = segment.base.find(&cache, &[]).unwrap();
    assert_eq!(found.iter().map(|one| one.labels.clone()).collect::<Vec<_>>(), [labels("db"), labels("web")]);
    let rows = segment.rows(&cache, 0).unwrap();
    assert_eq!(rows.times, [BEGIN_NS + 5, BEGIN_NS, BEGIN_NS + 9]);
    let text = segment.text(&cache, 0, &rows).unwrap();
    let read: Vec<&[u8]> = (0..3).map(|row| &text.0[rows.line(row)]).collect();
    assert_eq!(read, [&b"vacuum"[..], b"GET /a status=200", b"\x00\xff"]);
    let fields = LabelSet::from_canonical(&text.0[rows.fields(2)]).unwrap();
    assert_eq!(fields.get("trace"), Some("4711"));
    let groups = |needle: &str| segment.groups_by_tokens(&cache, &[needle.as_bytes().to_vec()]).unwrap();
    assert_eq!(groups(" /a ").map(|groups| groups.len()), Some(1));
    assert_eq!(groups("=404 ").map(|groups| groups.len()), Some(0));
    assert_eq!(groups("status"), None);
}
