//! Frames cut, joined, refused and gone on from.

use super::alloc;
use super::samples::{EPOCH, assert_same, context, frames};
use crate::limits::{
    BATCH_SCRAPES_MAX, CONTEXT_SERIES_MAX, FRAME_PAYLOAD_BYTES_MAX, HELLO_EPOCHS_MAX, INVENTORY_COLUMNS_MAX,
    INVENTORY_ROWS_MAX, INVENTORY_TEXT_BYTES_MAX, LABELS_MAX, PROBLEM_TEXT_BYTES_MAX, PROBLEMS_MAX,
};
use crate::wire::frame::{
    ContentError, EncodeError, Encoder, FLAG_ZSTD, Frame, FrameError, FrameReader, HEAD_BYTES, checksum, decode,
    decode_head, encode,
};
use crate::wire::inventory::{InventoryReport, InventoryWord, TableReport, Value};
use crate::wire::message::{
    Ack, Answer, Ask, CollectorGoodbye, Configuration, ConfigurationState, Epoch, Extension, FrameKind, Gap, GapReason,
    HeldEpoch, InventoryWanted, Lane, LogBatch, LogLine, LogStream, Message, MetricBatch, Problem, Problems,
    RefusalCode, Report, ReportBatch, Scrape, SourceId, SourceRange, Task, TaskApproval, TaskCall, TaskCatalogue,
    TaskOutput, TaskState, WireLabel,
};

/// Makes a damaged frame whole again, so that what lies behind the checksum is reached.
pub(super) fn fix_checksum(bytes: &mut [u8]) {
    if let Some((head, payload)) = bytes.split_first_chunk_mut::<HEAD_BYTES>() {
        let crc = checksum(head, payload);
        head[14..18].copy_from_slice(&crc.to_le_bytes());
    }
}

fn ack(seq: u64) -> Frame {
    Frame::control(Message::Ack(Ack { epoch: EPOCH, lane: Lane::P1, seq }))
}

fn lines(bytes: usize, compressible: bool) -> Message {
    let mut rng = fastrand::Rng::with_seed(5);
    let line = |_| LogLine {
        at_ns: 0,
        line: if compressible { vec![b'x'; 1000] } else { std::iter::repeat_with(|| rng.u8(..)).take(1000).collect() },
        fields: Vec::new(),
    };
    let lines = (0..bytes / 1000).map(line).collect();
    Message::Logs(LogBatch {
        ranges: Vec::new(),
        streams: vec![LogStream { labels: Vec::new(), lines }],
        extensions: Vec::new(),
    })
}

#[test]
fn frames_come_out_whole_however_the_bytes_are_cut() {
    let mut stream = Vec::new();
    let mut encoder = Encoder::new();
    let samples: Vec<Frame> =
        frames().into_iter().chain([Frame::batch(Lane::P2, EPOCH, 1, lines(200_000, false))]).collect();
    for sample in &samples {
        let before = stream.len();
        assert_eq!(encoder.encode(sample, &mut stream), Ok(stream.len() - before));
        assert_eq!(&stream[before..], encode(sample).unwrap(), "both ways of writing agree");
    }
    for seed in 0..20 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut reader, mut got, mut rest) = (FrameReader::new(), Vec::new(), stream.as_slice());
        while !rest.is_empty() {
            let most = rest.len().min(1 << rng.u32(0..17));
            let (part, after) = rest.split_at(rng.usize(1..=most));
            reader.push(part);
            while let Some(frame) = reader.next().unwrap() {
                got.push(frame);
            }
            rest = after;
        }
        assert_eq!((reader.pending_bytes(), got.len()), (0, samples.len()));
        got.iter().zip(&samples).for_each(|(got, sample)| assert_same(got, sample));
    }
}

#[test]
fn a_reader_holds_one_frame_and_one_push_and_refuses_more() {
    let mut reader = FrameReader::new();
    let big = encode(&Frame::batch(Lane::P2, EPOCH, 1, lines(240_000, false))).unwrap();
    let (_, peak) = alloc::peak_bytes(|| {
        for part in big[..big.len() - 1].chunks(1200) {
            reader.push(part);
            assert_eq!(reader.next(), Ok(None));
        }
    });
    assert!(peak < 2 * big.len() + 4096, "{peak}");
    reader.push(&vec![0; 300_000]);
    let error = reader.next().unwrap_err();
    assert!(matches!(error, FrameError::Overrun { .. }), "{error}");
    reader.push(&big);
    assert_eq!(reader.next(), Err(error), "a failed reader stays failed");
}

#[test]
fn a_refused_batch_is_named_and_the_next_frame_still_comes() {
    let sample = frames().into_iter().find(|frame| frame.message.kind() == FrameKind::Metrics).unwrap();
    let Message::Metrics(mut batch) = sample.message.clone() else { panic!("a batch") };
    batch.scrapes[0].differs.push(0);
    let mut bytes = encode(&sample).unwrap();
    let mut body = Vec::new();
    crate::wire::codec::encode_body(&Message::Metrics(batch), &mut body).unwrap();
    bytes.truncate(HEAD_BYTES);
    bytes[4] = 0;
    for at in [6, 10] {
        bytes[at..at + 4].copy_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    }
    bytes.extend_from_slice(&body);
    fix_checksum(&mut bytes);
    bytes.extend_from_slice(&encode(&ack(9)).unwrap());
    let mut reader = FrameReader::new();
    reader.push(&bytes);
    let error = reader.next().unwrap_err();
    let head = error.refused_batch().expect("its seq is taken");
    assert_eq!(
        (head.lane, head.epoch, head.seq, error.refusal()),
        (Some(Lane::P1), EPOCH, 65_536, RefusalCode::Protocol)
    );
    let text = error.to_string();
    assert!(text.starts_with("metrics frame of lane p1, seq 65536: scrapes[0]: "), "{text}");
    assert_eq!(reader.next(), Ok(Some(ack(9))));
}

/// A frame of lane p2 with this body, as it is.
fn logs_frame(body: &[u8]) -> Vec<u8> {
    let batch = LogBatch { ranges: Vec::new(), streams: Vec::new(), extensions: Vec::new() };
    let mut bytes = encode(&Frame::batch(Lane::P2, EPOCH, 7, Message::Logs(batch))).unwrap();
    bytes.truncate(HEAD_BYTES);
    bytes[4] = 0;
    for at in [6, 10] {
        bytes[at..at + 4].copy_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    }
    bytes.extend_from_slice(body);
    fix_checksum(&mut bytes);
    bytes
}

#[test]
fn of_refused_lines_the_ranges_are_told_where_they_can_be_read() {
    let source =
        SourceId { device: 1, inode: 2, fingerprint: 3, fingerprint_bytes: 4, incarnation: 0, path: "/a".into() };
    let range =
        |from| SourceRange { source: source.clone(), from, to: 20, skipped: String::new(), tail_hash: 5, gone: false };
    let field = WireLabel { name: "a".into(), value: "b".into() };
    let many = LogLine { at_ns: 1, line: b"x".to_vec(), fields: vec![field; LABELS_MAX + 1] };
    let body = |from| {
        let streams = vec![LogStream { labels: Vec::new(), lines: vec![many.clone()] }];
        let batch = LogBatch { ranges: vec![range(from)], streams, extensions: Vec::new() };
        let mut body = Vec::new();
        crate::wire::codec::encode_body(&Message::Logs(batch), &mut body).unwrap();
        body
    };
    let told = |body: &[u8]| {
        let mut reader = FrameReader::new();
        reader.push(&logs_frame(body));
        match reader.next() {
            Err(FrameError::Content { head, ranges, .. }) if head.seq == 7 => ranges.into_vec(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told(&body(10)), [range(10)], "a line with more fields than one may have");
    let cut = body(10);
    assert_eq!(told(&cut[..cut.len() - 9]), [range(10)], "lines that end too early");
    assert_eq!(told(&body(30)), [], "a range that is none");
    assert_eq!(told(&cut[..5]), [], "ranges that end too early");
}

#[test]
fn unknown_formats_kinds_and_flags_are_a_matter_of_version() {
    let good = encode(&ack(1)).unwrap();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        fix_checksum(&mut bytes);
        let mut reader = FrameReader::new();
        reader.push(&bytes);
        let error = reader.next().unwrap_err();
        assert_eq!((error.refused_batch(), reader.next()), (None, Err(error.clone())), "it ends the session");
        error
    };
    assert_eq!(with(0, b'G'), FrameError::Magic { found: *b"Gu" });
    assert_eq!(with(2, 2), FrameError::Format { found: 2 });
    assert_eq!(with(3, 0x6f), FrameError::Kind { number: 0x6f });
    assert_eq!(with(4, 2), FrameError::Flags { kind: FrameKind::Ack, flags: 2 });
    for (at, byte) in [(2, 2), (3, 0x6f), (4, 2)] {
        assert_eq!(with(at, byte).refusal(), RefusalCode::Version);
    }
    assert!(matches!(with(5, 0), FrameError::Head { .. }), "a lane where there is none");
    assert!(matches!(with(5, 3), FrameError::Head { .. }), "a lane that does not exist");
    assert!(matches!(with(20, 3), FrameError::Head { .. }), "an epoch where there is none");
    assert!(matches!(with(34, 3), FrameError::Head { .. }), "a seq where there is none");
}

#[test]
fn only_what_shrinks_is_compressed() {
    let flags = |frame: &Frame| encode(frame).unwrap()[4];
    assert_eq!(flags(&ack(1)), 0, "small");
    assert_eq!(flags(&Frame::batch(Lane::P2, EPOCH, 1, lines(5000, false))), 0, "random");
    assert_eq!(flags(&Frame::batch(Lane::P2, EPOCH, 1, lines(5000, true))), FLAG_ZSTD);
}

#[test]
fn what_is_too_large_is_named_and_writes_nothing() {
    let mut out = b"before".to_vec();
    let mut encoder = Encoder::new();
    for (message, what) in [(lines(251_000, false), "compressed"), (lines(4_300_000, true), "before compression")] {
        let error = encoder.encode(&Frame::batch(Lane::P2, EPOCH, 1, message), &mut out).unwrap_err();
        assert!(error.is_too_large() && error.to_string().contains(what), "{error}");
    }
    assert_eq!(out, b"before");
    let most = encoder.encode(&Frame::batch(Lane::P2, EPOCH, 1, lines(4_100_000, true)), &mut out).unwrap();
    assert!(most < FRAME_PAYLOAD_BYTES_MAX);
}

#[test]
fn an_encoder_asks_for_no_memory_once_it_is_warm() {
    let samples = frames();
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    for pass in 0..3 {
        let ((), calls) = alloc::calls(|| {
            for sample in &samples {
                out.clear();
                encoder.encode(sample, &mut out).unwrap();
            }
        });
        assert!(pass == 0 || calls == 0, "{calls} in pass {pass}");
    }
}

#[test]
fn messages_beyond_their_limits_are_neither_sent_nor_taken() {
    let refuse = |frame: Frame, place: &str| {
        let error = encode(&frame).unwrap_err();
        let EncodeError::Content { reason: ContentError::Invalid { place: found, .. }, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(found, place, "{error}");
    };
    let Message::Hello(hello) = frames()[0].message.clone() else { panic!("the order of samples changed") };
    let mut many = hello.clone();
    many.epochs =
        (0..=HELLO_EPOCHS_MAX as u64).map(|n| HeldEpoch { epoch: Epoch::new(1, n), last_seq: [0; 3] }).collect();
    refuse(Frame::control(Message::Hello(many)), "epochs");
    let mut twice = hello.clone();
    twice.epochs[1] = twice.epochs[0].clone();
    refuse(Frame::control(Message::Hello(twice)), "epochs[1]");
    let mut extended = hello;
    extended.extensions = vec![Extension { id: 1, bytes: Vec::new() }; 17];
    refuse(Frame::control(Message::Hello(extended)), "extensions");

    let mut short = context();
    short.row.pop();
    refuse(Frame::context(EPOCH, short), "row");
    let mut scale = context();
    scale.series[3].scale = 10;
    refuse(Frame::context(EPOCH, scale), "series[3]");
    let mut large = context();
    large.series = vec![large.series[2].clone(); CONTEXT_SERIES_MAX + 1];
    refuse(Frame::context(EPOCH, large), "series");

    let scrape = Scrape { at_ms: 0, present: Vec::new(), differs: Vec::new(), changes: Vec::new(), raw: Vec::new() };
    let batch = |scrapes| {
        Frame::batch(Lane::P1, EPOCH, 1, Message::Metrics(MetricBatch { context: 1, scrapes, extensions: Vec::new() }))
    };
    refuse(batch(vec![scrape.clone(); BATCH_SCRAPES_MAX + 1]), "scrapes");
    refuse(batch(vec![Scrape { raw: vec![1.0], ..scrape }]), "scrapes[0]");
    refuse(Frame::gap(Lane::P0, EPOCH, 9, Gap { to: 8, reason: GapReason::Lost, from_ms: 0, to_ms: 0 }), "to");
    let problem = Problem { place: "/var/log/a".into(), message: "x".into(), remedy: "y".into() };
    let problems = |problems| Frame::control(Message::Problems(Problems { problems, extensions: Vec::new() }));
    assert!(encode(&problems(vec![problem.clone(); PROBLEMS_MAX])).is_ok());
    refuse(problems(vec![problem.clone(); PROBLEMS_MAX + 1]), "problems");
    let long = Problem { remedy: "y".repeat(PROBLEM_TEXT_BYTES_MAX + 1), ..problem };
    refuse(problems(vec![long]), "problems: remedy");
    refuse(
        Frame::control(Message::CollectorGoodbye(CollectorGoodbye { reason: "x".repeat(5000), spread_ms: 0 })),
        "reason",
    );
}

#[test]
fn an_inventory_beyond_its_limits_is_neither_sent_nor_taken() {
    let told = |tables: Vec<TableReport>| {
        let report = Report::Inventory(InventoryReport { tables, ..InventoryReport::default() });
        let batch = ReportBatch { reports: vec![report], extensions: Vec::new() };
        match encode(&Frame::batch(Lane::P0, EPOCH, 1, Message::Reports(batch))) {
            Err(EncodeError::Content { reason: ContentError::Invalid { place, .. }, .. }) => place,
            other => format!("{:?}", other.map(|_| ())),
        }
    };
    let table = |table, word| TableReport { table, digest: 0, dropped: 0, word };
    let whole = |part, parts, rows| table(6, InventoryWord::Whole { part, parts, rows });
    let changed = |gone, now| table(6, InventoryWord::Changed { from: 0, gone, now });
    let failed = |bytes| table(6, InventoryWord::Failed { problem: "x".repeat(bytes) });
    let row = |bytes| vec![Value::Text("x".repeat(bytes))];
    let fine = "Ok(())";
    let (rows, text, columns) = (INVENTORY_ROWS_MAX, INVENTORY_TEXT_BYTES_MAX, INVENTORY_COLUMNS_MAX);
    for (tables, place) in [
        ((0..=64).map(|number| table(number, InventoryWord::Unchanged)).collect(), "reports[0].tables"),
        // A later version's table.
        (vec![table(255, InventoryWord::Unchanged), whole(0, 2, vec![]), whole(1, 2, vec![])], fine),
        (vec![whole(0, 2, vec![]), table(6, InventoryWord::Unchanged)], "reports[0].tables[1]"),
        (vec![failed(text)], fine),
        (vec![failed(text + 1)], "reports[0].tables[0].problem"),
        (vec![whole(255, 256, vec![row(text), vec![]])], fine),
        (vec![whole(0, 257, vec![])], "reports[0].tables[0].parts"),
        (vec![whole(1, 1, vec![])], "reports[0].tables[0].part"),
        (vec![whole(0, 0, vec![])], "reports[0].tables[0].part"),
        (vec![whole(0, 1, vec![vec![]; rows])], fine),
        (vec![whole(0, 1, vec![vec![]; rows + 1])], "reports[0].tables[0].rows"),
        (vec![whole(0, 1, vec![row(text + 1)])], "reports[0].tables[0].rows: text"),
        (vec![changed(vec![vec![Value::Null; columns]], vec![])], fine),
        (vec![changed(vec![vec![Value::Null; columns + 1]], vec![])], "reports[0].tables[0].gone: row"),
        (vec![changed(vec![], vec![vec![]; rows + 1])], "reports[0].tables[0].now"),
    ] {
        assert_eq!(told(tables), place);
    }
    let wanted =
        |tables| encode(&Frame::control(Message::InventoryWanted(InventoryWanted { tables, extensions: vec![] })));
    assert!(wanted(vec![1; 64]).is_ok() && wanted(vec![1; 65]).is_err());
}

#[test]
fn what_is_wanted_of_hosts_and_what_they_say_to_it_is_bounded() {
    let fits = |message| encode(&Frame::control(message)).is_ok();
    let document = |bytes: usize| Configuration::new(1, "#".repeat(bytes));
    assert!(fits(Message::Configuration(document(0))) && fits(Message::Configuration(document(256 << 10))));
    assert!(!fits(Message::Configuration(document((256 << 10) + 1))));
    let foreign = Configuration { document: "# another".into(), ..document(8) };
    assert!(!fits(Message::Configuration(foreign)), "another document than its digest's");
    let frames = frames();
    let sample =
        |kind| frames.iter().map(|frame| frame.message.clone()).find(|message| message.kind() == kind).unwrap();
    let Message::ConfigurationState(state) = sample(FrameKind::ConfigurationState) else { panic!("a state") };
    let long = Problem { place: "p".repeat(1024), message: "m".repeat(1024), remedy: "r".repeat(1024) };
    let told = |problems| fits(Message::ConfigurationState(ConfigurationState { problems, ..state.clone() }));
    assert!(told(vec![long.clone(); 20]) && !told(vec![long; 21]));
    let Message::Ask(ask) = sample(FrameKind::Ask) else { panic!("a question") };
    let filters = |count| fits(Message::Ask(Ask { filters: vec![ask.filters[0].clone(); count], ..ask.clone() }));
    assert!(filters(8) && !filters(9));
    let Message::Answer(answer) = sample(FrameKind::Answer) else { panic!("an answer") };
    let rows = |rows| fits(Message::Answer(Answer { rows, ..answer.clone() }));
    let text = |bytes: usize| vec![Value::Text("x".repeat(bytes))];
    assert!(rows(vec![text(200); 1000]) && !rows(vec![text(1); 1001]));
    assert!(rows(vec![text(1024); 250]) && !rows(vec![text(1024); 400]) && !rows(vec![text(1025)]));
}

#[test]
fn frames_of_tasks_are_bounded_and_say_of_which_call() {
    let fits = |message| encode(&Frame::control(message)).is_ok();
    let frames = frames();
    let sample =
        |kind| frames.iter().map(|frame| frame.message.clone()).find(|message| message.kind() == kind).unwrap();
    let Message::TaskCatalogue(catalogue) = sample(FrameKind::TaskCatalogue) else { panic!("a catalogue") };
    let document =
        |bytes| fits(Message::TaskCatalogue(TaskCatalogue { document: "#".repeat(bytes), ..catalogue.clone() }));
    assert!(document(256 << 10) && !document((256 << 10) + 1));
    let Message::Task(task) = sample(FrameKind::Task) else { panic!("a task") };
    let order = |bytes| fits(Message::Task(Task { order: "o".repeat(bytes), ..task.clone() }));
    assert!(order(32 << 10) && !order((32 << 10) + 1));
    let step = |step| fits(Message::Task(Task { call: TaskCall { step, ..task.call }, ..task.clone() }));
    assert!(step(7) && !step(8));
    let proof = |count| fits(Message::Task(Task { proof: vec![task.proof[0]; count], ..task.clone() }));
    assert!(proof(32) && !proof(33));
    let approvals =
        |count| fits(Message::Task(Task { approvals: vec![task.approvals[0].clone(); count], ..task.clone() }));
    assert!(approvals(8) && !approvals(9));
    let name = TaskApproval { approver: "a".repeat(129), signature: [0; 64] };
    assert!(!fits(Message::Task(Task { approvals: vec![name], ..task.clone() })));
    let Message::TaskOutput(output) = sample(FrameKind::TaskOutput) else { panic!("output") };
    let text = |bytes| fits(Message::TaskOutput(TaskOutput { text: "x".repeat(bytes), ..output.clone() }));
    assert!(text(32 << 10) && !text((32 << 10) + 1));
    assert!(!fits(Message::TaskOutput(TaskOutput { call: TaskCall::CATALOGUE, ..output })), "of no call");
    let Message::TaskState(state) = sample(FrameKind::TaskState) else { panic!("a state") };
    let of = |state| fits(Message::TaskState(state));
    assert!(of(TaskState { call: TaskCall::CATALOGUE, ..state.clone() }));
    assert!(!of(TaskState { number: 0, ..state.clone() }));
    assert!(!of(TaskState { output_bytes: 1, dropped_bytes: 2, ..state.clone() }));
    assert!(!of(TaskState { problem: "p".repeat(1025), ..state }));
}

#[test]
fn a_frame_in_the_wrong_place_is_not_sent() {
    let gap = Gap { to: 8, reason: GapReason::Lost, from_ms: 0, to_ms: 0 };
    for wrong in [
        Frame { lane: Some(Lane::P0), ..ack(1) },
        Frame { seq: 1, ..ack(1) },
        Frame { epoch: EPOCH, ..ack(1) },
        Frame { seq: 1, ..Frame::context(EPOCH, context()) },
        Frame { lane: Some(Lane::P2), ..Frame::context(EPOCH, context()) },
        Frame::context(Epoch::NONE, context()),
        Frame::gap(Lane::P0, EPOCH, 0, gap.clone()),
        Frame::gap(Lane::P0, Epoch::NONE, 1, gap.clone()),
        Frame { lane: None, ..Frame::gap(Lane::P0, EPOCH, 1, gap) },
        Frame::batch(
            Lane::P0,
            EPOCH,
            1,
            frames().into_iter().find(|frame| frame.message.kind() == FrameKind::Metrics).unwrap().message,
        ),
    ] {
        assert!(matches!(encode(&wrong), Err(EncodeError::Head { .. })), "{wrong:?}");
    }
}

#[test]
fn decode_wants_exactly_the_payload_that_the_header_tells() {
    let bytes = encode(&ack(1)).unwrap();
    let (head_bytes, payload) = bytes.split_first_chunk::<HEAD_BYTES>().unwrap();
    let head = decode_head(head_bytes).unwrap();
    assert_eq!(head.to_bytes(), *head_bytes);
    assert_eq!(decode(&head, head_bytes, payload), Ok(ack(1)));
    assert!(matches!(decode(&head, head_bytes, &payload[1..]), Err(FrameError::Length { .. })));
}
