//! A walk over the protobuf of a `prometheus.WriteRequest`, in place: no copy, no allocation but the two lists it fills.
//!
//! Written by hand since the labels' bytes as a whole are the key of the series cache: a steady request never looks at a
//! single label. Unknown fields are skipped as protobuf demands; groups, cut fields and overlong varints are refused.

/// Why bytes are no write request. Positions count from the decompressed body's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    #[error("the body ends inside a field at byte {at}: send the whole message, and compress it as one block")]
    Cut { at: usize },
    #[error("a number at byte {at} is longer than 64 bits: encode a `prometheus.WriteRequest`")]
    Varint { at: usize },
    #[error(
        "field {field} at byte {at} has wire type {wire}, which the message does not have there: encode a `prometheus.WriteRequest`"
    )]
    Wire { field: u64, wire: u8, at: usize },
    #[error("field number 0 at byte {at}: encode a `prometheus.WriteRequest`")]
    FieldZero { at: usize },
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
    let mut cursor = Cursor { bytes: body, at: 0, base: 0 };
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
            (TIMESERIES | METADATA, value) => return Err(value.unexpected(field, cursor.at)),
            _ => {}
        }
    }
    Ok(request)
}

fn walk_series<'a>(bytes: &'a [u8], base: usize, request: &mut Request<'a>) -> Result<(), WalkError> {
    // At most REQUEST_SAMPLES_MAX, far below u32.
    let first_sample = request.samples.len() as u32;
    let mut cursor = Cursor { bytes, at: 0, base };
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
            (LABELS | SAMPLES | HISTOGRAMS, value) => return Err(value.unexpected(field, base + start)),
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

fn walk_sample(bytes: &[u8], base: usize) -> Result<RawSample, WalkError> {
    // How every sender writes it: value, then time, nothing else.
    if let [0x09, v0, v1, v2, v3, v4, v5, v6, v7, 0x10, rest @ ..] = bytes
        && let Some((at, [])) = short_varint(rest)
    {
        let value = f64::from_le_bytes([*v0, *v1, *v2, *v3, *v4, *v5, *v6, *v7]);
        return Ok(RawSample { at_ms: at.cast_signed(), value, is_stamped: true });
    }
    let mut sample = RawSample { at_ms: 0, value: 0.0, is_stamped: false };
    let mut cursor = Cursor { bytes, at: 0, base };
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

/// A varint of at most nine bytes (63 bits), and what follows it.
fn short_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (place, byte) in bytes.iter().enumerate().take(9) {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[place + 1..]));
        }
    }
    None
}

fn walk_metadata(bytes: &[u8], base: usize) -> Result<RawMetadata<'_>, WalkError> {
    let mut metadata = RawMetadata { kind: 0, family: &[] };
    let mut cursor = Cursor { bytes, at: 0, base };
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
    let mut cursor = Cursor { bytes: labels, at: 0, base: 0 };
    while let Some((field, value)) = cursor.field()? {
        let Value::Bytes(label, base) = value else { return Err(value.unexpected(field, cursor.at)) };
        let mut inner = Cursor { bytes: label, at: 0, base };
        let mut pair: RawLabel<'_> = (&[], &[]);
        while let Some((field, value)) = inner.field()? {
            match (field, value) {
                (1, Value::Bytes(name, _)) => pair.0 = name,
                (2, Value::Bytes(value, _)) => pair.1 = value,
                (1 | 2, value) => return Err(value.unexpected(field, base)),
                _ => {}
            }
        }
        all.push(pair);
    }
    Ok(all)
}

enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    /// The bytes, and where they begin in the body.
    Bytes(&'a [u8], usize),
    Fixed32,
}

impl Value<'_> {
    fn unexpected(&self, field: u64, at: usize) -> WalkError {
        let wire = match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(..) => 2,
            Self::Fixed32 => 5,
        };
        WalkError::Wire { field, wire, at }
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where `bytes` begins in the body.
    base: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn field(&mut self) -> Result<Option<(u64, Value<'a>)>, WalkError> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let at = self.base + self.at;
        let tag = self.varint()?;
        let (field, wire) = (tag >> 3, (tag & 7) as u8);
        if field == 0 {
            return Err(WalkError::FieldZero { at });
        }
        let value = match wire {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.take::<8>()?)),
            2 => {
                let length = self.varint()?;
                let start = self.at;
                let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
                let bytes = end.and_then(|end| self.bytes.get(start..end)).ok_or(WalkError::Cut { at })?;
                self.at = start + bytes.len();
                Value::Bytes(bytes, self.base + start)
            }
            5 => {
                self.take::<4>()?;
                Value::Fixed32
            }
            wire => return Err(WalkError::Wire { field, wire, at }),
        };
        Ok(Some((field, value)))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WalkError> {
        let start = self.at;
        if let Some(byte) = self.bytes.get(start)
            && byte & 0x80 == 0
        {
            self.at += 1;
            return Ok(u64::from(*byte));
        }
        let mut number = 0u64;
        for place in 0..10 {
            let byte = *self.bytes.get(start + place).ok_or(WalkError::Cut { at: self.base + start })?;
            if place == 9 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.at = start + place + 1;
                return Ok(number);
            }
        }
        Err(WalkError::Varint { at: self.base + start })
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WalkError> {
        let part = self.bytes[self.at..].first_chunk::<N>().ok_or(WalkError::Cut { at: self.base + self.at })?;
        self.at += N;
        Ok(*part)
    }
}

#[cfg(test)]
mod tests;
