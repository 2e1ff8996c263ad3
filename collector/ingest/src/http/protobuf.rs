//! A walk over protobuf, in place: no copy, no allocation. Unknown fields are skipped by the callers as protobuf demands; groups, cut
//! fields and overlong varints are refused.

/// Why bytes are no message. Positions count from the decompressed body's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    #[error("the body ends inside a field at byte {at}: send the whole message, and compress it as one block")]
    Cut { at: usize },
    #[error("a number at byte {at} is longer than 64 bits: encode the message of this route")]
    Varint { at: usize },
    #[error(
        "field {field} at byte {at} has wire type {wire}, which the message does not have there: encode the message of this route"
    )]
    Wire { field: u64, wire: u8, at: usize },
    #[error("field number 0 at byte {at}: encode the message of this route")]
    FieldZero { at: usize },
}

/// A varint of at most nine bytes (63 bits), and what follows it.
pub fn short_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (place, byte) in bytes.iter().enumerate().take(9) {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[place + 1..]));
        }
    }
    None
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    /// The bytes, and where they begin in the body.
    Bytes(&'a [u8], usize),
    Fixed32,
}

impl Value<'_> {
    /// The error of a field that has another wire type than its message says.
    pub fn unexpected(&self, field: u64, at: usize) -> ProtobufError {
        let wire = match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(..) => 2,
            Self::Fixed32 => 5,
        };
        ProtobufError::Wire { field, wire, at }
    }
}

/// Walks the fields of one message.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    /// How far it is in `bytes`.
    pub at: usize,
    /// Where `bytes` begins in the body.
    base: usize,
}

impl<'a> Cursor<'a> {
    /// `base`: where `bytes` begins in the body, for the places in errors.
    pub const fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    /// The next field and its number; `None`: the message ends here.
    ///
    /// # Errors
    /// [`ProtobufError`].
    #[inline]
    pub fn field(&mut self) -> Result<Option<(u64, Value<'a>)>, ProtobufError> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let at = self.base + self.at;
        let tag = self.varint()?;
        let (field, wire) = (tag >> 3, (tag & 7) as u8);
        if field == 0 {
            return Err(ProtobufError::FieldZero { at });
        }
        let value = match wire {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.take::<8>()?)),
            2 => {
                let length = self.varint()?;
                let start = self.at;
                let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
                let bytes = end.and_then(|end| self.bytes.get(start..end)).ok_or(ProtobufError::Cut { at })?;
                self.at = start + bytes.len();
                Value::Bytes(bytes, self.base + start)
            }
            5 => {
                self.take::<4>()?;
                Value::Fixed32
            }
            wire => return Err(ProtobufError::Wire { field, wire, at }),
        };
        Ok(Some((field, value)))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, ProtobufError> {
        let start = self.at;
        if let Some(byte) = self.bytes.get(start)
            && byte & 0x80 == 0
        {
            self.at += 1;
            return Ok(u64::from(*byte));
        }
        let mut number = 0u64;
        for place in 0..10 {
            let byte = *self.bytes.get(start + place).ok_or(ProtobufError::Cut { at: self.base + start })?;
            if place == 9 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.at = start + place + 1;
                return Ok(number);
            }
        }
        Err(ProtobufError::Varint { at: self.base + start })
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ProtobufError> {
        let part = self.bytes[self.at..].first_chunk::<N>().ok_or(ProtobufError::Cut { at: self.base + self.at })?;
        self.at += N;
        Ok(*part)
    }
}
