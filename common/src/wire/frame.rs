//! Frames: a header of 42 bytes and a body, in zstd where that saves bytes.
//!
//! [`Encoder`] and [`Decoder`] reuse their zstd contexts and buffers; [`encode`] and [`decode`] use one of each a thread, so
//! that ten thousand sessions need no context of their own. [`FrameReader`] cuts a byte stream into frames.

use std::cell::RefCell;

pub use super::error::{ContentError, EncodeError, FrameError};
pub use super::head::{FLAG_ZSTD, FORMAT, HEAD_BYTES, Head, LANE_NONE, MAGIC, checksum, decode_head};
pub use super::reader::FrameReader;

use super::message::{Context, Epoch, FrameKind, Gap, Lane, Message, SourceRange};
use super::{check, codec, head};
use crate::limits::FRAME_PAYLOAD_BYTES_MAX;

/// zstd level on the wire: above it agents pay CPU for few bytes.
const LEVEL: i32 = 3;
/// Bodies below this go as they are: zstd's own frame would eat what it saves.
const COMPRESS_FROM_BYTES: usize = 128;
/// Buffers above this are given back after use, so that one large frame does not stay in memory for ever.
const KEEP_BYTES: usize = 1 << 20;

/// One message with the place that its header names. [`super::kind::Carries`] says which kinds have which.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub lane: Option<Lane>,
    pub epoch: Epoch,
    pub seq: u64,
    pub message: Message,
}

impl Frame {
    /// A message of the control stream.
    pub const fn control(message: Message) -> Self {
        Self { lane: None, epoch: Epoch::NONE, seq: 0, message }
    }

    /// A context, for lane p1.
    pub const fn context(epoch: Epoch, context: Context) -> Self {
        Self { lane: Some(Lane::P1), epoch, seq: 0, message: Message::Context(context) }
    }

    /// A batch of metrics, reports or lines. `seq` from 1.
    pub const fn batch(lane: Lane, epoch: Epoch, seq: u64, message: Message) -> Self {
        Self { lane: Some(lane), epoch, seq, message }
    }

    /// A gap that begins at `seq`.
    pub const fn gap(lane: Lane, epoch: Epoch, seq: u64, gap: Gap) -> Self {
        Self::batch(lane, epoch, seq, Message::Gap(gap))
    }
}

thread_local! {
    static ENCODER: RefCell<Encoder> = RefCell::new(Encoder::new());
    static DECODER: RefCell<Decoder> = RefCell::new(Decoder::new());
}

/// The bytes of one frame.
///
/// # Errors
/// [`EncodeError`]: what a reader would refuse is not sent.
pub fn encode(frame: &Frame) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    ENCODER.with_borrow_mut(|encoder| encoder.encode(frame, &mut out))?;
    Ok(out)
}

/// The frame of a header that [`decode_head`] took, the bytes it was read from, and exactly its payload.
///
/// # Errors
/// [`FrameError`] of length, checksum or content.
pub fn decode(head: &Head, head_bytes: &[u8; HEAD_BYTES], payload: &[u8]) -> Result<Frame, FrameError> {
    DECODER.with_borrow_mut(|decoder| decoder.decode(head, head_bytes, payload))
}

/// Writes frames. Keeps a zstd context (some 100 KiB up to a few MiB, by the largest frame) and two buffers.
#[derive(Default)]
pub struct Encoder {
    compressor: zstd::bulk::Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl Encoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the frame to `out` and returns how many bytes it has. On an error `out` is as it was.
    ///
    /// # Errors
    /// [`EncodeError`]: place, content, or more bytes than one frame may have.
    pub fn encode(&mut self, frame: &Frame, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
        let kind = frame.message.kind();
        head::check_place(kind, frame.lane, frame.epoch, frame.seq)
            .map_err(|problem| EncodeError::Head { kind, problem })?;
        check::check(frame.seq, &frame.message).map_err(|reason| EncodeError::Content { kind, reason })?;
        self.plain.clear();
        codec::encode_body(&frame.message, &mut self.plain).map_err(|reason| EncodeError::Content { kind, reason })?;
        let (bytes, max) = (self.plain.len(), kind.plain_bytes_max());
        if bytes > max {
            self.trim();
            return Err(EncodeError::TooLarge { kind, what: "before compression", bytes, at_least: false, max });
        }
        let (flags, payload) = if self.pack().map_err(|problem| EncodeError::Zstd { kind, problem })? {
            (FLAG_ZSTD, &self.packed)
        } else {
            (0, &self.plain)
        };
        let max = FRAME_PAYLOAD_BYTES_MAX;
        if payload.len() > max {
            self.trim();
            return Err(EncodeError::TooLarge { kind, what: "compressed", bytes: max, at_least: true, max });
        }
        let mut head = Head {
            kind,
            flags,
            lane: frame.lane,
            // Both are below the limits checked above.
            payload_len: payload.len() as u32,
            raw_len: bytes as u32,
            crc: 0,
            epoch: frame.epoch,
            seq: frame.seq,
        };
        head.crc = checksum(&head.to_bytes(), payload);
        out.reserve(head.frame_bytes());
        out.extend_from_slice(&head.to_bytes());
        out.extend_from_slice(payload);
        self.trim();
        Ok(head.frame_bytes())
    }

    /// Whether `packed` now holds a shorter form of `plain`. Never writes more than a payload may have.
    fn pack(&mut self) -> Result<bool, String> {
        if self.plain.len() < COMPRESS_FROM_BYTES {
            return Ok(false);
        }
        let room = zstd::zstd_safe::compress_bound(self.plain.len()).min(FRAME_PAYLOAD_BYTES_MAX);
        self.packed.clear();
        self.packed.reserve(room);
        let level = zstd::zstd_safe::CParameter::CompressionLevel(LEVEL);
        self.compressor.set_parameter(level).map_err(|error| error.to_string())?;
        match self.compressor.compress_to_buffer(&self.plain, &mut self.packed) {
            Ok(bytes) => Ok(bytes < self.plain.len()),
            // The only failure that the room above allows is that there was not enough of it.
            Err(_) if room == FRAME_PAYLOAD_BYTES_MAX => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    fn trim(&mut self) {
        self.plain.clear();
        self.plain.shrink_to(KEEP_BYTES);
    }
}

/// Reads frames. Keeps a zstd context (about 100 KiB) and one buffer.
#[derive(Default)]
pub struct Decoder {
    decompressor: zstd::bulk::Decompressor<'static>,
    plain: Vec<u8>,
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// As the function [`decode`].
    ///
    /// # Errors
    /// [`FrameError`] of length, checksum or content.
    pub fn decode(&mut self, head: &Head, head_bytes: &[u8; HEAD_BYTES], payload: &[u8]) -> Result<Frame, FrameError> {
        let (kind, told) = (head.kind, head.payload_len as usize);
        if payload.len() != told {
            return Err(FrameError::Length { kind, told, given: payload.len() });
        }
        let computed = checksum(head_bytes, payload);
        if computed != head.crc {
            return Err(FrameError::Checksum { kind, told: head.crc, computed });
        }
        let message = self.body(head, payload).map_err(|reason| {
            let ranges = if head.kind == FrameKind::Logs { self.ranges(head, payload) } else { Vec::new() };
            FrameError::Content { head: *head, reason, ranges: ranges.into_boxed_slice() }
        });
        self.plain.clear();
        self.plain.shrink_to(KEEP_BYTES);
        Ok(Frame { lane: head.lane, epoch: head.epoch, seq: head.seq, message: message? })
    }

    /// The ranges of a batch of lines whose content is refused, if they can be read.
    fn ranges(&mut self, head: &Head, payload: &[u8]) -> Vec<SourceRange> {
        let plain = if head.flags & FLAG_ZSTD == 0 { Ok(payload) } else { self.unpack(head, payload) };
        let ranges = plain.ok().and_then(codec::decode_ranges).unwrap_or_default();
        if check::check_ranges(&ranges).is_ok() { ranges } else { Vec::new() }
    }

    fn body(&mut self, head: &Head, payload: &[u8]) -> Result<Message, ContentError> {
        let plain = if head.flags & FLAG_ZSTD == 0 { payload } else { self.unpack(head, payload)? };
        let message = codec::decode_body(head.kind, plain)?;
        check::check(head.seq, &message)?;
        Ok(message)
    }

    /// The told length was checked with the header; zstd gets a slice of just that length, so it cannot write more.
    fn unpack(&mut self, head: &Head, payload: &[u8]) -> Result<&[u8], ContentError> {
        let raw_len = head.raw_len as usize;
        let fail = |problem: String| ContentError::Zstd { raw_len, problem };
        let first = zstd::zstd_safe::find_frame_compressed_size(payload)
            .map_err(|code| fail(zstd::zstd_safe::get_error_name(code).to_owned()))?;
        if first != payload.len() {
            return Err(fail(format!("{} bytes follow it", payload.len() - first)));
        }
        self.plain.clear();
        self.plain.resize(raw_len, 0);
        let got = self
            .decompressor
            .decompress_to_buffer(payload, self.plain.as_mut_slice())
            .map_err(|error| fail(error.to_string()))?;
        if got == raw_len { Ok(&self.plain) } else { Err(fail(format!("it holds {got} bytes"))) }
    }
}
