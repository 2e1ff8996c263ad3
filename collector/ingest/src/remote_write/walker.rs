//! A walk over the protobuf of a `prometheus.WriteRequest`, in place: no copy, no allocation but the two lists it fills.
//!
//! Written by hand since the labels' bytes as a whole are the key of the series cache: a steady request never looks at a
//! single label.

use crate::http::protobuf::{Cursor, ProtobufError, Value, short_varint};

/// Why bytes are no write request. Positions count from the decompressed body's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    #[error(transparent)]
    Protobuf(#[from] ProtobufError),
    #[error("more than {max} series in one request: send fewer samples per request")]
    TooManySeries { max: usize },
    #[error("more than {max} samples in one request: send fewer samples per request")]
    TooManySamples { max: usize },
}

/// One series of a request: its label fields as they lie in the body, and which of the request's samples are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSeries<'a> {
    /// The encoded label fields, one after the other, tags included.
    pub labels: &'a [u8],
    /// Where its samples begin in [`Request::samples`]; they end where the next one's begin.
    pub first_sample: u32,
    /// Native histograms, which are not taken.
    pub histograms: u32,
}

/// One sample. A missing time is 0, as protobuf says, and `is_stamped` tells it from a real one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawSample {
    pub at_ms: i64,
    pub value: f64,
    pub is_stamped: bool,
}

/// What is told of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawMetadata<'a> {
    /// Prometheus' number of the type.
    pub kind: u64,
    pub family: &'a [u8],
}

/// A request as its parts lie in the body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request<'a> {
    pub series: Vec<RawSeries<'a>>,
    pub samples: Vec<RawSample>,
    pub metadata: Vec<RawMetadata<'a>>,
    /// Bodies of label fields that did not lie together; each is the `labels` of the series of the same index given.
    pub scattered: Vec<(usize, Vec<u8>)>,
}

/// Series of one request: what its smallest encodings (2 bytes) would allow in 16 MiB is far beyond any sender.
pub const REQUEST_SERIES_MAX: usize = 1_000_000;
/// Samples of one request, by the same measure.
pub const REQUEST_SAMPLES_MAX: usize = 2_000_000;
/// Metric families of one request; more are skipped, since metadata is only a hint.
const REQUEST_METADATA_MAX: usize = 100_000;

const TIMESERIES: u64 = 1;
const METADATA: u64 = 3;
const LABELS: u64 = 1;
const SAMPLES: u64 = 2;
const HISTOGRAMS: u64 = 4;

/// Reads a whole request.
///
/// # Errors
/// [`WalkError`] names the byte. Labels are not looked into here.
pub fn walk(body: &[u8]) -> Result<Request<'_>, WalkError> {
    let mut request = Request::default();
    let mut cursor = Cursor::new(body, 0);
    while let Some((field, value)) = cursor.field()? {
        match (field, value) {
            (TIMESERIES, Value::Bytes(bytes, at)) => {
                if request.series.len() >= REQUEST_SERIES_MAX {
                    return Err(WalkError::TooManySeries { max: REQUEST_SERIES_MAX });
                }
                walk_series(bytes, at, &mut request)?;
            }
            (METADATA, Value::Bytes(bytes, at)) => {
                let metadata = walk_metadata(bytes, at)?;
                if request.metadata.len() < REQUEST_METADATA_MAX {
                    request.metadata.push(metadata);
                }
            }
            (TIMESERIES | METADATA, value) => return Err(value.unexpected(field, cursor.at).into()),
            _ => {}
        }
    }
    Ok(request)
}

fn walk_series<'a>(bytes: &'a [u8], base: usize, request: &mut Request<'a>) -> Result<(), WalkError> {
    // At most REQUEST_SAMPLES_MAX, far below u32.
    let first_sample = request.samples.len() as u32;
    let mut cursor = Cursor::new(bytes, base);
    let mut labels: Option<(usize, usize)> = None;
    let mut scattered: Option<Vec<u8>> = None;
    let mut histograms = 0;
    loop {
        let start = cursor.at;
        let Some((field, value)) = cursor.field()? else { break };
        match (field, value) {
            (LABELS, Value::Bytes(..)) => match (&mut labels, &mut scattered) {
                (_, Some(scattered)) => scattered.extend_from_slice(&bytes[start..cursor.at]),
                (None, None) => labels = Some((start, cursor.at)),
                (Some((_, end)), None) if *end == start => *end = cursor.at,
                (Some((from, end)), None) => {
                    scattered = Some([&bytes[*from..*end], &bytes[start..cursor.at]].concat());
                }
            },
            (SAMPLES, Value::Bytes(sample, at)) => {
                if request.samples.len() >= REQUEST_SAMPLES_MAX {
                    return Err(WalkError::TooManySamples { max: REQUEST_SAMPLES_MAX });
                }
                request.samples.push(walk_sample(sample, at)?);
            }
            (HISTOGRAMS, Value::Bytes(..)) => histograms += 1,
            (LABELS | SAMPLES | HISTOGRAMS, value) => return Err(value.unexpected(field, base + start).into()),
            _ => {}
        }
    }
    if let Some(scattered) = scattered {
        request.scattered.push((request.series.len(), scattered));
    }
    let labels = labels.map_or(&bytes[..0], |(from, end)| &bytes[from..end]);
    request.series.push(RawSeries { labels, first_sample, histograms });
    Ok(())
}

fn walk_sample(bytes: &[u8], base: usize) -> Result<RawSample, ProtobufError> {
    // How every sender writes it: value, then time, nothing else.
    if let [0x09, v0, v1, v2, v3, v4, v5, v6, v7, 0x10, rest @ ..] = bytes
        && let Some((at, [])) = short_varint(rest)
    {
        let value = f64::from_le_bytes([*v0, *v1, *v2, *v3, *v4, *v5, *v6, *v7]);
        return Ok(RawSample { at_ms: at.cast_signed(), value, is_stamped: true });
    }
    let mut sample = RawSample { at_ms: 0, value: 0.0, is_stamped: false };
    let mut cursor = Cursor::new(bytes, base);
    while let Some((field, value)) = cursor.field()? {
        match (field, value) {
            (1, Value::Fixed64(bits)) => sample.value = f64::from_bits(bits),
            (2, Value::Varint(number)) => {
                sample.at_ms = number.cast_signed();
                sample.is_stamped = true;
            }
            (1 | 2, value) => return Err(value.unexpected(field, base)),
            _ => {}
        }
    }
    Ok(sample)
}

fn walk_metadata(bytes: &[u8], base: usize) -> Result<RawMetadata<'_>, ProtobufError> {
    let mut metadata = RawMetadata { kind: 0, family: &[] };
    let mut cursor = Cursor::new(bytes, base);
    while let Some((field, value)) = cursor.field()? {
        match (field, value) {
            (1, Value::Varint(kind)) => metadata.kind = kind,
            (2, Value::Bytes(family, _)) => metadata.family = family,
            (1 | 2, value) => return Err(value.unexpected(field, base)),
            _ => {}
        }
    }
    Ok(metadata)
}

/// One label: name and value as they lie in the body, not yet known to be UTF-8.
pub type RawLabel<'a> = (&'a [u8], &'a [u8]);

/// The labels of a series' label fields.
///
/// # Errors
/// [`WalkError`], with positions from the start of `labels`.
pub fn walk_labels(labels: &[u8]) -> Result<Vec<RawLabel<'_>>, WalkError> {
    let mut all = Vec::new();
    let mut cursor = Cursor::new(labels, 0);
    while let Some((field, value)) = cursor.field()? {
        let Value::Bytes(label, base) = value else { return Err(value.unexpected(field, cursor.at).into()) };
        let mut inner = Cursor::new(label, base);
        let mut pair: RawLabel<'_> = (&[], &[]);
        while let Some((field, value)) = inner.field()? {
            match (field, value) {
                (1, Value::Bytes(name, _)) => pair.0 = name,
                (2, Value::Bytes(value, _)) => pair.1 = value,
                (1 | 2, value) => return Err(value.unexpected(field, base).into()),
                _ => {}
            }
        }
        all.push(pair);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
