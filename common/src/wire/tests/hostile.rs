//! Bytes from strangers: lies about lengths, bombs, cuts, flips. Never a panic, never more memory than the limits allow.

use super::alloc::peak_bytes;
use super::frames::fix_checksum;
use super::golden;
use super::samples::{EPOCH, frames, inventory, processes};
use crate::limits::{
    CONTROL_DECODE_BYTES_MAX, CONTROL_PLAIN_BYTES_MAX, FRAME_DECODE_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX,
    FRAME_PLAIN_BYTES_MAX,
};
use crate::wire::frame::{ContentError, FLAG_ZSTD, Frame, FrameError, FrameReader, HEAD_BYTES, encode};
use crate::wire::kind::Carries;
use crate::wire::message::{FrameKind, Lane, Message};

/// bincode charges a list's header on the wire less than it has in memory: at worst 32 bytes for 10.
const CHARGE_FACTOR: usize = 4;

fn read(bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
    let mut reader = FrameReader::new();
    reader.push(bytes);
    reader.next()
}

fn put_u32(bytes: &mut [u8], at: usize, number: usize) {
    bytes[at..at + 4].copy_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
}

/// A frame of this kind with this payload and a right checksum.
fn frame(kind: FrameKind, flags: u8, payload: &[u8], raw_len: usize) -> Vec<u8> {
    let mut bytes = vec![0; HEAD_BYTES];
    bytes[..6].copy_from_slice(&[b'M', b'u', 1, kind.number(), flags, 0xff]);
    put_u32(&mut bytes, 6, payload.len());
    put_u32(&mut bytes, 10, raw_len);
    let lane = match kind.carries() {
        Carries::Nothing => None,
        Carries::Context => Some(Lane::P1),
        Carries::Batch(lane) => Some(lane.unwrap_or(Lane::P0)),
    };
    if let Some(lane) = lane {
        bytes[5] = lane as u8;
        bytes[18..34].copy_from_slice(&EPOCH.0);
        bytes[34] = u8::from(kind != FrameKind::Context);
    }
    bytes.extend_from_slice(payload);
    fix_checksum(&mut bytes);
    bytes
}

fn plain(kind: FrameKind, body: &[u8]) -> Vec<u8> {
    frame(kind, 0, body, body.len())
}

fn content(bytes: &[u8]) -> ContentError {
    match read(bytes) {
        Err(FrameError::Content { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lies_about_lengths_are_refused_before_memory_is_taken() {
    for kind in FrameKind::ALL {
        let good = golden::read(kind);
        for (at, max) in [(6, FRAME_PAYLOAD_BYTES_MAX), (10, kind.plain_bytes_max())] {
            for told in [max + 1, 1 << 24, u32::MAX as usize] {
                let mut bytes = good.clone();
                put_u32(&mut bytes, at, told);
                fix_checksum(&mut bytes);
                let (result, peak) = peak_bytes(|| read(&bytes));
                assert!(matches!(result, Err(FrameError::TooLarge { bytes, .. }) if bytes == told), "{result:?}");
                assert!(peak < 8192, "{peak}");
            }
        }
    }
}

#[test]
fn a_bomb_writes_no_more_than_it_told() {
    // 1 GiB of zeros in some 33 KB: zstd's own streaming, since no frame of ours may be that large.
    let zeros = vec![0; 1 << 20];
    let mut bomb = Vec::new();
    let mut writer = zstd::stream::Encoder::new(&mut bomb, 1).unwrap();
    for _ in 0..1024 {
        std::io::Write::write_all(&mut writer, &zeros).unwrap();
    }
    writer.finish().unwrap();
    assert!(bomb.len() < FRAME_PAYLOAD_BYTES_MAX);
    for (kind, max) in [(FrameKind::Logs, FRAME_PLAIN_BYTES_MAX), (FrameKind::Enrol, CONTROL_PLAIN_BYTES_MAX)] {
        for told in [0, 100, max] {
            let bytes = frame(kind, FLAG_ZSTD, &bomb, told);
            let (reason, peak) = peak_bytes(|| content(&bytes));
            assert!(matches!(reason, ContentError::Zstd { .. }), "{reason}");
            assert!(peak < 2 * bomb.len() + told + 8192, "{peak} for {told}");
        }
    }
}

#[test]
fn a_compressed_length_must_be_the_right_one_and_the_frame_the_only_one() {
    let body = vec![7; 5000];
    let packed = zstd::bulk::compress(&body, 3).unwrap();
    for told in [0, 1, 4999, 5001, 60_000] {
        let reason = content(&frame(FrameKind::Hello, FLAG_ZSTD, &packed, told));
        assert!(matches!(reason, ContentError::Zstd { raw_len, .. } if raw_len == told), "{reason}");
    }
    let twice = [packed.clone(), packed.clone()].concat();
    let skippable = [packed.as_slice(), &[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9]].concat();
    for (payload, told) in
        [(twice.as_slice(), 10_000), (&skippable, 5000), (&packed[..packed.len() - 1], 5000), (b"no zstd", 7), (b"", 0)]
    {
        let reason = content(&frame(FrameKind::Hello, FLAG_ZSTD, payload, told));
        assert!(matches!(reason, ContentError::Zstd { .. }), "{reason}");
    }
}

#[test]
fn huge_counts_take_no_memory() {
    // Whole bodies that begin with a list or a text, and its count: 2^16, 2^32, 2^63, the largest.
    let counts: [&[u8]; 4] = [
        &[252, 0, 0, 1, 0],
        &[253, 0, 0, 0, 0, 1, 0, 0, 0],
        &[253, 0, 0, 0, 0, 0, 0, 0, 0x80],
        &[253, 255, 255, 255, 255, 255, 255, 255, 255],
    ];
    let zero_series_context = [1, 0];
    for (kind, before) in [
        (FrameKind::Logs, &[][..]),
        (FrameKind::Logs, &[0]),
        (FrameKind::Logs, &[0, 0]),
        (FrameKind::Reports, &[]),
        (FrameKind::Reports, INVENTORY),
        (FrameKind::InventoryWanted, &[]),
        (FrameKind::InventoryWanted, &[0]),
        (FrameKind::Configuration, CONFIGURATION),
        (FrameKind::ConfigurationState, CONFIGURATION_STATE),
        (FrameKind::Ask, &[1]),
        (FrameKind::Ask, &[1, 0]),
        (FrameKind::Ask, &[1, 0, 0]),
        (FrameKind::Answer, &[1, 0]),
        (FrameKind::Answer, &[1, 0, 0]),
        (FrameKind::Answer, &[1, 0, 0, 1]),
        (FrameKind::TaskCatalogue, &[]),
        (FrameKind::TaskCatalogue, &[0; 65]),
        (FrameKind::Task, &[0; 33]),
        (FrameKind::Task, &[0; 34]),
        (FrameKind::Task, &[0; 35]),
        (FrameKind::TaskCancel, &[0; 17]),
        (FrameKind::TaskAck, &[0; 19]),
        (FrameKind::TaskState, &[0; 20]),
        (FrameKind::TaskOutput, &[0; 18]),
        (FrameKind::Metrics, &[1]),
        (FrameKind::Context, &[1]),
        (FrameKind::Context, &zero_series_context),
        (FrameKind::Positions, &[0]),
        (FrameKind::Problems, &[]),
        (FrameKind::Problems, &[1]),
        (FrameKind::Renewed, &[]),
        (FrameKind::Renewed, &[1]),
        (FrameKind::Renew, &[]),
        (FrameKind::CollectorGoodbye, &[]),
        (FrameKind::Enrol, &[1]),
    ] {
        for count in counts {
            let (reason, peak) = peak_bytes(|| content(&plain(kind, &[before, count].concat())));
            assert!(matches!(reason, ContentError::Body { .. }), "{kind:?} {reason}");
            let most = if kind.plain_bytes_max() > CONTROL_PLAIN_BYTES_MAX {
                FRAME_DECODE_BYTES_MAX
            } else {
                CONTROL_DECODE_BYTES_MAX
            };
            assert!(peak <= most + 8192, "{kind:?}: {peak} for {count:?}");
        }
    }
}

/// Number and digest, up to the document.
const CONFIGURATION: &[u8] = &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Up to the problems.
const CONFIGURATION_STATE: &[u8] =
    &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// A batch with one report, an inventory with one whole table, up to its rows.
const INVENTORY: &[u8] = &[1, 4, 0, 0, 1, 6, 0, 0, 2, 0, 1];

#[test]
fn the_worst_bodies_stay_within_the_bound_of_memory() {
    // Lists of elements that are many times larger in memory than on the wire, as many as a body holds.
    let repeated = |before: &[u8], element: &[u8], count: u32, after: &[u8], times: usize| {
        let one = [before, &[252], &count.to_le_bytes(), &element.repeat(count as usize), after].concat();
        one.repeat(times)
    };
    let nothing: &[u8] = &[];
    let cases = [
        // logs: no ranges, streams of no labels and many empty lines
        (FrameKind::Logs, [&[0, 4][..], &repeated(&[0], &[0, 0, 0], 200_000, nothing, 4), &[0]].concat()),
        // logs: one line with very many empty fields, another stream with as many labels
        (FrameKind::Logs, [&[0, 8][..], &repeated(nothing, &[0, 0], 200_000, &[0], 8), &[0]].concat()),
        (FrameKind::Logs, [&[0, 0][..], &repeated(nothing, &[7, 0], 350_000, nothing, 1)].concat()),
        (FrameKind::Metrics, [&[1][..], &repeated(nothing, &[0, 0, 0, 0, 0], 110_000, &[0], 1)].concat()),
        (FrameKind::Context, [&[1][..], &repeated(nothing, &[0, 0, 0, 0], 200_000, &[0, 0], 1)].concat()),
        (FrameKind::Reports, repeated(nothing, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 90_000, &[0], 1)),
        // reports: one table of an inventory, of very many rows without values, and of one row of very many values
        (FrameKind::Reports, [INVENTORY, &repeated(nothing, &[0], 500_000, &[0, 0], 1)].concat()),
        (FrameKind::Reports, [INVENTORY, &[1], &repeated(nothing, &[0], 500_000, &[0, 0], 1)].concat()),
        (FrameKind::Problems, repeated(nothing, &[0, 0, 0], 150_000, &[0], 1)),
        (FrameKind::Enrolled, [&[0; 17][..], &repeated(nothing, &[0], 8000, nothing, 1)].concat()),
    ];
    let mut worst = 0;
    for (kind, body) in cases {
        let packed = zstd::bulk::compress(&body, 3).unwrap();
        let bytes = frame(kind, FLAG_ZSTD, &packed, body.len());
        let (result, peak) = peak_bytes(|| read(&bytes));
        assert!(result.is_err(), "{kind:?} has more than its limits allow");
        let large = kind.plain_bytes_max() > CONTROL_PLAIN_BYTES_MAX;
        let limit = if large { FRAME_DECODE_BYTES_MAX } else { CONTROL_DECODE_BYTES_MAX };
        assert!(peak <= CHARGE_FACTOR * limit + kind.plain_bytes_max() + bytes.len(), "{kind:?}: {peak}");
        worst = worst.max(peak);
    }
    assert!(worst > FRAME_DECODE_BYTES_MAX / 2, "the cases do reach for memory: {worst}");
}

#[test]
fn a_range_that_is_neither_gone_nor_there_is_refused() {
    let Some(sample) = frames().into_iter().find(|frame| frame.message.kind() == FrameKind::Logs) else {
        panic!("no sample of logs")
    };
    let mut body = Vec::new();
    crate::wire::codec::encode_body(&sample.message, &mut body).unwrap();
    // The first range ends with the mark `gone`, behind the nine bytes of its hash.
    let hash = body.windows(9).position(|nine| nine == [253, 0, 0, 0, 0, 0, 0, 0, 0x80]).unwrap();
    assert_eq!(body[hash + 9], 1);
    for byte in [2, 3, 250, 251, 255] {
        body[hash + 9] = byte;
        assert!(matches!(content(&plain(FrameKind::Logs, &body)), ContentError::Body { .. }), "{byte}");
    }
}

#[test]
fn bytes_after_a_body_are_refused() {
    for sample in frames() {
        let kind = sample.message.kind();
        let mut body = Vec::new();
        crate::wire::codec::encode_body(&sample.message, &mut body).unwrap();
        assert_eq!(read(&plain(kind, &body)).unwrap().unwrap().message.kind(), kind);
        body.push(0);
        assert_eq!(content(&plain(kind, &body)), ContentError::Trailing { bytes: 1 }, "{kind:?}");
    }
}

#[test]
fn a_frame_cut_anywhere_is_waited_for_or_refused() {
    for kind in FrameKind::ALL {
        let good = golden::read(kind);
        for cut in 0..good.len() {
            assert_eq!(read(&good[..cut]), Ok(None), "{kind:?} at {cut}");
            if cut >= HEAD_BYTES {
                // Made whole again by lengths that fit: the body ends early.
                let mut bytes = good[..cut].to_vec();
                put_u32(&mut bytes, 6, cut - HEAD_BYTES);
                if bytes[4] & FLAG_ZSTD == 0 {
                    put_u32(&mut bytes, 10, cut - HEAD_BYTES);
                }
                fix_checksum(&mut bytes);
                assert!(matches!(read(&bytes), Err(FrameError::Content { .. })), "{kind:?} at {cut}");
            }
        }
    }
}

#[test]
fn every_flipped_byte_is_noticed_and_none_harms_behind_a_right_checksum() {
    for kind in FrameKind::ALL {
        let good = golden::read(kind);
        for at in 0..good.len() {
            for flip in [0x01, 0x80, 0xff, 0x10] {
                let mut bytes = good.clone();
                bytes[at] ^= flip;
                assert!(!matches!(read(&bytes), Ok(Some(_))), "{kind:?} at {at} with {flip:02x}");
                fix_checksum(&mut bytes);
                survives(&bytes);
            }
        }
    }
}

/// Whatever is taken can be written again and is then the same.
fn survives(bytes: &[u8]) {
    if let Ok(Some(frame)) = read(bytes) {
        let again = encode(&frame).unwrap_or_else(|error| panic!("{error} for {frame:?}"));
        assert_eq!(format!("{:?}", read(&again)), format!("{:?}", Ok::<_, FrameError>(Some(frame))));
    }
}

/// How many mutations: 200,000 in the dev profile take some seconds, so both halves of them run side by side.
const MUTATIONS: u64 = 100_000;

fn mutate(seeds: std::ops::Range<u64>) {
    let mut bodies: Vec<Vec<u8>> = FrameKind::ALL.into_iter().map(golden::read).collect();
    // Most bodies in the clear, so that mutations reach the decoder and not only zstd.
    bodies.extend(frames().iter().chain(&[processes(), inventory()]).map(|sample| {
        let mut body = Vec::new();
        crate::wire::codec::encode_body(&sample.message, &mut body).unwrap();
        plain(sample.message.kind(), &body)
    }));
    let mut taken = 0u64;
    for seed in seeds {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut bytes = rng.choice(&bodies).unwrap().clone();
        for _ in 0..rng.u8(1..4) {
            let at = rng.usize(HEAD_BYTES.min(bytes.len() - 1)..bytes.len());
            match rng.u8(0..5) {
                0 => bytes[at] = rng.u8(..),
                1 => bytes[at] = *rng.choice(&[0, 1, 250, 251, 252, 253, 254, 255]).unwrap(),
                2 => {
                    bytes.truncate(at.max(HEAD_BYTES));
                    bytes.push(rng.u8(..));
                }
                3 => bytes.insert(at, rng.u8(..)),
                _ => {
                    let head = rng.usize(..HEAD_BYTES.min(bytes.len()));
                    bytes[head] ^= 1 << rng.u8(..8);
                }
            }
        }
        if rng.u8(..) < 250 && bytes.len() >= HEAD_BYTES {
            let payload = bytes.len() - HEAD_BYTES;
            put_u32(&mut bytes, 6, payload);
            if bytes[4] & FLAG_ZSTD == 0 {
                put_u32(&mut bytes, 10, payload);
            }
            fix_checksum(&mut bytes);
        }
        match read(&bytes) {
            Ok(Some(frame)) if seed % 16 == 0 => {
                taken += 1;
                assert!(encode(&frame).is_ok(), "seed {seed}: {frame:?}");
            }
            Ok(Some(Frame { message: Message::Metrics(_), .. })) => taken += 1,
            _ => {}
        }
    }
    assert!(taken > 100, "mutations reach the decoder: {taken}");
}

#[test]
fn seeded_mutations_never_panic_first_half() {
    mutate(0..MUTATIONS);
}

#[test]
fn seeded_mutations_never_panic_second_half() {
    mutate(MUTATIONS..2 * MUTATIONS);
}
