//! The frames of version 1 as files: every later version reads them.

use std::path::PathBuf;

use super::samples::{assert_same, frames, inventory, processes};
use super::second;
use crate::inventory::Digest;
use crate::wire::frame::{Frame, FrameReader, encode};
use crate::wire::message::{Extension, FrameKind, Hello, Message, Welcome};

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
fn golden_reports_of_later_kinds_are_read_by_both_decoders() {
    for (name, sample) in [("reports_processes", processes()), ("reports_inventory", inventory())] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/v1/{name}.bin"));
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
}

fn golden_welcome() -> Welcome {
    match second::decode(&read(FrameKind::Welcome)).unwrap().message {
        Message::Welcome(welcome) => welcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_a_collector_that_says_so_takes_reports_of_later_kinds() {
    let mut welcome = golden_welcome();
    welcome.extensions.clear();
    assert!(!welcome.takes_processes() && !welcome.takes_inventory(), "one of before");
    for (bytes, takes) in [
        (vec![], (false, false)),
        (vec![2], (false, false)),
        (vec![3], (true, false)),
        (vec![4], (true, true)),
        (vec![9, 1], (true, true)),
    ] {
        welcome.extensions = vec![Extension { id: Welcome::REPORTS_KNOWN, bytes }];
        assert_eq!((welcome.takes_processes(), welcome.takes_inventory()), takes, "{:?}", welcome.extensions);
    }
    welcome.extensions = vec![Extension { id: 9, bytes: vec![9] }, Welcome::reports_known()];
    assert!(welcome.takes_processes() && welcome.takes_inventory());
}

#[test]
fn only_a_collector_that_says_so_is_told_of_configurations() {
    let mut welcome = golden_welcome();
    welcome.extensions.clear();
    assert!(!welcome.takes_configuration_states(), "one of before");
    for (bytes, takes) in [(vec![], false), (vec![6], false), (vec![7], true), (vec![200], true)] {
        welcome.extensions = vec![Extension { id: Welcome::FRAMES_KNOWN, bytes }];
        assert_eq!(welcome.takes_configuration_states(), takes, "{:?}", welcome.extensions);
    }
    welcome.extensions = vec![Welcome::reports_known(), Welcome::frames_known()];
    assert!(welcome.takes_configuration_states());
}

#[test]
fn tasks_go_only_between_ends_that_say_so() {
    let mut welcome = golden_welcome();
    welcome.extensions.clear();
    assert!(!welcome.takes_task_states(), "one of before");
    for (bytes, takes) in [(vec![], false), (vec![9], false), (vec![10], true), (vec![200], true)] {
        welcome.extensions = vec![Extension { id: Welcome::FRAMES_KNOWN, bytes }];
        assert_eq!(welcome.takes_task_states(), takes, "{:?}", welcome.extensions);
    }
    let Message::Hello(mut hello) = second::decode(&read(FrameKind::Hello)).unwrap().message else { panic!("a hello") };
    assert!(!hello.takes_tasks(), "one of before");
    for (bytes, takes) in [(vec![], false), (vec![0], false), (vec![1], true), (vec![2, 9], true)] {
        hello.extensions = vec![Extension { id: Hello::TASKS, bytes }];
        assert_eq!(hello.takes_tasks(), takes, "{:?}", hello.extensions);
    }
    hello.extensions = vec![Extension { id: Hello::FRAMES_KNOWN, bytes: vec![0x31] }];
    assert!(!hello.takes_tasks(), "an agent that reads the frames has no program to run them by that alone");
    hello.extensions.push(Hello::tasks_taken());
    assert!(hello.takes_tasks());
}

#[test]
fn a_welcome_says_which_rows_the_collector_has() {
    let mut welcome = golden_welcome();
    assert_eq!(welcome.inventory_digests(), [], "one of before");
    let digests = [(1, Digest(0x0102)), (6, Digest(u64::MAX))];
    let known = Welcome::digests_known(&digests);
    assert_eq!(known.bytes[..9], [1, 2, 1, 0, 0, 0, 0, 0, 0]);
    welcome.extensions.push(known);
    let Message::Welcome(mut read) =
        second::decode(&encode(&Frame::control(Message::Welcome(welcome))).unwrap()).unwrap().message
    else {
        panic!("a welcome")
    };
    assert_eq!(read.inventory_digests(), digests);
    let last = read.extensions.last_mut().unwrap();
    last.bytes.pop();
    assert_eq!(read.inventory_digests(), digests[..1], "what is cut off is not known");
    read.extensions = vec![Extension { id: Welcome::INVENTORY_DIGESTS, bytes: vec![5; 9 * 100] }];
    assert_eq!(read.inventory_digests().len(), 64);
}

#[test]
fn only_an_agent_that_says_so_is_asked_for_whole_tables() {
    let Message::Hello(mut hello) = second::decode(&read(FrameKind::Hello)).unwrap().message else { panic!("a hello") };
    let kinds = [FrameKind::Positions, FrameKind::InventoryWanted, FrameKind::Configuration, FrameKind::Ask];
    let reads = |hello: &Hello| kinds.map(|kind| hello.reads(kind));
    let before = [true, false, false, false];
    assert_eq!(reads(&hello), before, "one of before");
    hello.extensions.push(Extension { id: Hello::FRAMES_KNOWN, bytes: Vec::new() });
    assert_eq!(reads(&hello), before);
    hello.extensions = vec![Extension { id: Hello::FRAMES_KNOWN, bytes: vec![0x2b] }];
    assert_eq!(reads(&hello), [true, true, false, false]);
    hello.extensions = vec![Hello::frames_known()];
    assert_eq!(reads(&hello), [true; 4]);
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
