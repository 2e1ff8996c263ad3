//! The frames of version 1 as files: every later version reads them.

use std::path::PathBuf;

use super::samples::{assert_same, frames, processes};
use super::second;
use crate::wire::frame::{FrameReader, encode};
use crate::wire::message::{Extension, FrameKind, Message, Welcome};

fn path(kind: FrameKind) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/v1/{}.bin", kind.name()))
}

pub(super) fn read(kind: FrameKind) -> Vec<u8> {
    let path = path(kind);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run with UPDATE_GOLDEN=1", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "the one switch of the tests")]
fn wants_update() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok()
}

#[test]
fn golden_frames_of_every_kind_are_read_by_both_decoders() {
    let samples = frames();
    assert_eq!(
        samples.iter().map(|frame| frame.message.kind()).collect::<Vec<_>>(),
        FrameKind::ALL,
        "a sample of each kind"
    );
    for sample in &samples {
        let kind = sample.message.kind();
        if wants_update() {
            std::fs::create_dir_all(path(kind).parent().unwrap()).unwrap();
            std::fs::write(path(kind), encode(sample).unwrap()).unwrap();
        }
        let bytes = read(kind);
        let mut reader = FrameReader::new();
        reader.push(&bytes);
        let ours = reader.next().unwrap().unwrap();
        assert_eq!((reader.pending_bytes(), reader.next()), (0, Ok(None)));
        assert_same(&ours, sample);
        let other = second::decode(&bytes).unwrap_or_else(|| panic!("{kind:?} by WIRE.md"));
        assert_same(&other, sample);
    }
}

#[test]
fn golden_reports_of_processes_are_read_by_both_decoders() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1/reports_processes.bin");
    let sample = processes();
    if wants_update() {
        std::fs::write(&path, encode(&sample).unwrap()).unwrap();
    }
    let bytes = std::fs::read(path).unwrap();
    let mut reader = FrameReader::new();
    reader.push(&bytes);
    assert_same(&reader.next().unwrap().unwrap(), &sample);
    assert_same(&second::decode(&bytes).unwrap(), &sample);
    let today = encode(&sample).unwrap();
    assert_eq!(second::body(&today), second::body(&bytes), "a changed report is a new kind");
}

#[test]
fn only_a_collector_that_says_so_takes_reports_of_processes() {
    let Message::Welcome(mut welcome) = second::decode(&read(FrameKind::Welcome)).unwrap().message else {
        panic!("a welcome")
    };
    welcome.extensions.clear();
    assert!(!welcome.takes_processes(), "one of before");
    for (bytes, takes) in [(vec![], false), (vec![2], false), (vec![3], true), (vec![9, 1], true)] {
        welcome.extensions = vec![Extension { id: Welcome::REPORTS_KNOWN, bytes }];
        assert_eq!(welcome.takes_processes(), takes, "{:?}", welcome.extensions);
    }
    welcome.extensions = vec![Extension { id: 9, bytes: vec![9] }, Welcome::reports_known()];
    assert!(welcome.takes_processes());
}

#[test]
fn what_is_written_today_is_read_by_the_second_decoder_and_has_the_golden_body() {
    for sample in frames() {
        let kind = sample.message.kind();
        let today = encode(&sample).unwrap();
        assert_same(&second::decode(&today).unwrap(), &sample);
        // Not the payloads: another release of zstd may compress the same body otherwise.
        assert_eq!(second::body(&today), second::body(&read(kind)), "{kind:?}: a changed message is a new kind");
    }
}

#[test]
fn rows_of_the_golden_scrapes_have_the_very_bits() {
    let context = second::decode(&read(FrameKind::Context)).unwrap();
    let metrics = second::decode(&read(FrameKind::Metrics)).unwrap();
    for which in 0..2 {
        let rows = second::row(&context, &metrics, which).unwrap();
        let expected = super::samples::SERIES.iter().map(|one| one.5[which].map(f64::to_bits));
        assert_eq!(rows, expected.collect::<Vec<_>>(), "scrape {which}");
    }
}
