//! The only file that calls bincode (`message` merely derives), so that it can be exchanged: bodies in and out.
//!
//! bincode's standard configuration (varint integers, little-endian), whose bytes WIRE.md explains from first principles.
//! Its limit charges decoded sizes. No wire type is recursive and no list holds zero-sized elements: its two holes.

use bincode::config;
use bincode::error::DecodeError;
use bincode::{Decode, Encode};

use super::error::ContentError;
use super::message::{FrameKind, Message, Report, SourceRange};
use crate::limits::{CONTROL_DECODE_BYTES_MAX, CONTROL_PLAIN_BYTES_MAX, FRAME_DECODE_BYTES_MAX};

/// Appends the body of this message.
///
/// # Errors
/// [`ContentError::Body`] on what the format cannot hold, which no message type has.
pub(super) fn encode_body(message: &Message, out: &mut Vec<u8>) -> Result<(), ContentError> {
    match message {
        Message::Hello(body) => put(body, out),
        Message::Enrol(body) => put(body, out),
        Message::Renew(body) => put(body, out),
        Message::AgentGoodbye(body) => put(body, out),
        Message::ClockProbe(body) => put(body, out),
        Message::Problems(body) => put(body, out),
        Message::ConfigurationState(body) => put(body, out),
        Message::Answer(body) => put(body, out),
        Message::TaskState(body) => put(body, out),
        Message::TaskOutput(body) => put(body, out),
        Message::Welcome(body) => put(body, out),
        Message::Enrolled(body) => put(body, out),
        Message::Renewed(body) => put(body, out),
        Message::CollectorGoodbye(body) => put(body, out),
        Message::ClockAnswer(body) => put(body, out),
        Message::Ack(body) => put(body, out),
        Message::Throttle(body) => put(body, out),
        Message::NeedContext(body) => put(body, out),
        Message::Refused(body) => put(body, out),
        Message::Positions(body) => put(body, out),
        Message::InventoryWanted(body) => put(body, out),
        Message::Configuration(body) => put(body, out),
        Message::Ask(body) => put(body, out),
        Message::TaskCatalogue(body) => put(body, out),
        Message::Task(body) => put(body, out),
        Message::TaskCancel(body) => put(body, out),
        Message::TaskAck(body) => put(body, out),
        Message::Context(body) => put(body, out),
        Message::Metrics(body) => put(body, out),
        Message::Reports(body) => put(body, out),
        Message::Logs(body) => put(body, out),
        Message::Gap(body) => put(body, out),
    }
}

/// The message of this kind that the bytes hold, all of them.
///
/// # Errors
/// [`ContentError::Body`] or [`ContentError::Trailing`]; never allocates more than some three times the limit.
pub(super) fn decode_body(kind: FrameKind, plain: &[u8]) -> Result<Message, ContentError> {
    match kind {
        FrameKind::Hello => take(kind, plain).map(Message::Hello),
        FrameKind::Enrol => take(kind, plain).map(Message::Enrol),
        FrameKind::Renew => take(kind, plain).map(Message::Renew),
        FrameKind::AgentGoodbye => take(kind, plain).map(Message::AgentGoodbye),
        FrameKind::ClockProbe => take(kind, plain).map(Message::ClockProbe),
        FrameKind::Problems => take(kind, plain).map(Message::Problems),
        FrameKind::ConfigurationState => take(kind, plain).map(Message::ConfigurationState),
        FrameKind::Answer => take(kind, plain).map(Message::Answer),
        FrameKind::TaskState => take(kind, plain).map(Message::TaskState),
        FrameKind::TaskOutput => take(kind, plain).map(Message::TaskOutput),
        FrameKind::Welcome => take(kind, plain).map(Message::Welcome),
        FrameKind::Enrolled => take(kind, plain).map(Message::Enrolled),
        FrameKind::Renewed => take(kind, plain).map(Message::Renewed),
        FrameKind::CollectorGoodbye => take(kind, plain).map(Message::CollectorGoodbye),
        FrameKind::ClockAnswer => take(kind, plain).map(Message::ClockAnswer),
        FrameKind::Ack => take(kind, plain).map(Message::Ack),
        FrameKind::Throttle => take(kind, plain).map(Message::Throttle),
        FrameKind::NeedContext => take(kind, plain).map(Message::NeedContext),
        FrameKind::Refused => take(kind, plain).map(Message::Refused),
        FrameKind::Positions => take(kind, plain).map(Message::Positions),
        FrameKind::InventoryWanted => take(kind, plain).map(Message::InventoryWanted),
        FrameKind::Configuration => take(kind, plain).map(Message::Configuration),
        FrameKind::Ask => take(kind, plain).map(Message::Ask),
        FrameKind::TaskCatalogue => take(kind, plain).map(Message::TaskCatalogue),
        FrameKind::Task => take(kind, plain).map(Message::Task),
        FrameKind::TaskCancel => take(kind, plain).map(Message::TaskCancel),
        FrameKind::TaskAck => take(kind, plain).map(Message::TaskAck),
        FrameKind::Context => take(kind, plain).map(Message::Context),
        FrameKind::Metrics => take(kind, plain).map(Message::Metrics),
        FrameKind::Reports => take(kind, plain).map(Message::Reports),
        FrameKind::Logs => take(kind, plain).map(Message::Logs),
        FrameKind::Gap => take(kind, plain).map(Message::Gap),
    }
}

/// Appends one report.
///
/// # Errors
/// As [`encode_body`].
pub(super) fn encode_report(report: &Report, out: &mut Vec<u8>) -> Result<(), ContentError> {
    put(report, out)
}

/// The report that the bytes hold, all of them.
///
/// # Errors
/// As [`decode_body`].
pub(super) fn decode_report(plain: &[u8]) -> Result<Report, ContentError> {
    take(FrameKind::Reports, plain)
}

/// The ranges at the beginning of a batch of lines, whatever follows them; `None`: they cannot be read.
pub(super) fn decode_ranges(plain: &[u8]) -> Option<Vec<SourceRange>> {
    let config = config::standard().with_limit::<FRAME_DECODE_BYTES_MAX>();
    bincode::decode_from_slice(plain, config).ok().map(|(ranges, _)| ranges)
}

fn put<T: Encode>(body: &T, out: &mut Vec<u8>) -> Result<(), ContentError> {
    bincode::encode_into_std_write(body, out, config::standard())
        .map(|_| ())
        .map_err(|error| ContentError::Body { problem: error.to_string() })
}

fn take<T: Decode<()>>(kind: FrameKind, plain: &[u8]) -> Result<T, ContentError> {
    let result = if kind.plain_bytes_max() <= CONTROL_PLAIN_BYTES_MAX {
        bincode::decode_from_slice(plain, config::standard().with_limit::<CONTROL_DECODE_BYTES_MAX>())
    } else {
        bincode::decode_from_slice(plain, config::standard().with_limit::<FRAME_DECODE_BYTES_MAX>())
    };
    match result {
        Ok((body, read)) if read == plain.len() => Ok(body),
        Ok((_, read)) => Err(ContentError::Trailing { bytes: plain.len().saturating_sub(read) }),
        Err(error) => Err(ContentError::Body { problem: explain(&error) }),
    }
}

fn explain(error: &DecodeError) -> String {
    match error {
        DecodeError::UnexpectedEnd { .. } => "it ends in the middle of a field".to_owned(),
        DecodeError::LimitExceeded => "it wants more memory than its kind may have".to_owned(),
        DecodeError::UnexpectedVariant { type_name, found, .. } => format!("{type_name} has no variant {found}"),
        DecodeError::Utf8 { .. } => "a text is not UTF-8".to_owned(),
        DecodeError::InvalidIntegerType { .. } => "a number is longer than its field".to_owned(),
        other => other.to_string(),
    }
}
