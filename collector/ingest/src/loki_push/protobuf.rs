//! `logproto.PushRequest` by hand: streams{labels, entries{timestamp{seconds, nanos}, line, structuredMetadata{name, value}}}.

use std::borrow::Cow;

use muster_common::limits::LABELS_MAX;

use super::intake::{Intake, Pairs, StreamFault, TooMany};
use super::selector;
use crate::http::protobuf::{Cursor, ProtobufError, Value};

/// Why a body is no push request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    #[error(transparent)]
    Protobuf(#[from] ProtobufError),
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

/// Reads a whole request into the intake.
///
/// # Errors
/// [`PushError`]; [`Intake::place`] tells how far it came.
pub fn read(body: &[u8], intake: &mut Intake<'_>) -> Result<(), PushError> {
    let mut cursor = Cursor::new(body, 0);
    while let Some((field, value)) = cursor.field()? {
        match (field, value) {
            (1, Value::Bytes(stream, at)) => read_stream(stream, at, intake)?,
            (1, value) => return Err(value.unexpected(field, cursor.at).into()),
            _ => {}
        }
    }
    Ok(())
}

fn read_stream(bytes: &[u8], base: usize, intake: &mut Intake<'_>) -> Result<(), PushError> {
    intake.begin_stream()?;
    let mut labels: &[u8] = &[];
    let mut cursor = Cursor::new(bytes, base);
    while let Some((field, value)) = cursor.field()? {
        match (field, value) {
            (1, Value::Bytes(text, _)) => labels = text,
            (2, Value::Bytes(entry, at)) => read_entry(entry, at, intake)?,
            (1 | 2, value) => return Err(value.unexpected(field, base + cursor.at).into()),
            _ => {}
        }
    }
    let text = std::str::from_utf8(labels).map_err(|_| StreamFault::NotText);
    intake.end_stream(text.and_then(selector::parse));
    Ok(())
}

fn read_entry(bytes: &[u8], base: usize, intake: &mut Intake<'_>) -> Result<(), PushError> {
    intake.begin_entry()?;
    let (mut at_ns, mut line, mut fields) = (0, &[][..], Pairs::default());
    let mut cursor = Cursor::new(bytes, base);
    while let Some((field, value)) = cursor.field()? {
        match (field, value) {
            (1, Value::Bytes(time, at)) => at_ns = read_time(time, at)?,
            (2, Value::Bytes(text, _)) => line = text,
            (3, Value::Bytes(pair, at)) => {
                let pair = read_pair(pair, at)?;
                fields.count += 1;
                if fields.count <= LABELS_MAX {
                    fields.list.push(pair);
                }
            }
            (1..=3, value) => return Err(value.unexpected(field, base + cursor.at).into()),
            _ => {}
        }
    }
    intake.entry(at_ns, Cow::Borrowed(line), &fields);
    Ok(())
}

/// Nanoseconds; seconds and nanoseconds are what they are, however far apart their signs and sizes.
fn read_time(bytes: &[u8], base: usize) -> Result<i128, ProtobufError> {
    let mut at_ns = 0;
    let mut cursor = Cursor::new(bytes, base);
    while let Some((field, value)) = cursor.field()? {
        match (field, value) {
            (1, Value::Varint(seconds)) => at_ns += i128::from(seconds.cast_signed()) * 1_000_000_000,
            (2, Value::Varint(nanos)) => at_ns += i128::from(nanos.cast_signed()),
            (1 | 2, value) => return Err(value.unexpected(field, base + cursor.at)),
            _ => {}
        }
    }
    Ok(at_ns)
}

/// Bytes that are no text are replaced: a name or value of metadata is no reason to lose a line.
fn read_pair(bytes: &[u8], base: usize) -> Result<(Cow<'_, str>, Cow<'_, str>), ProtobufError> {
    let mut pair = (Cow::Borrowed(""), Cow::Borrowed(""));
    let mut cursor = Cursor::new(bytes, base);
    while let Some((field, value)) = cursor.field()? {
        match (field, value) {
            (1, Value::Bytes(name, _)) => pair.0 = String::from_utf8_lossy(name),
            (2, Value::Bytes(text, _)) => pair.1 = String::from_utf8_lossy(text),
            (1 | 2, value) => return Err(value.unexpected(field, base + cursor.at)),
            _ => {}
        }
    }
    Ok(pair)
}
