//! Rows of values coded against a context's row: two bitmaps, small integers for what moved by a decimal step, and raw
//! values for the rest. Bit-exact: what comes out has the very bits that went in, NaN payloads and -0.0 included.
//!
//! With p = 10^scale and base = round(r * p) for the context's value r (halves away from zero; 0 where that is no integer
//! of at most 2^53), a change d stands for the value (base + d) / p. The encoder takes d only where that gives the value's
//! own bits, so rounding never shows. A row depends on its context alone, never on another row.

use super::message::{Context, Scrape};

/// Decimal places that a series may be coded in.
pub const SCALE_MAX: u8 = 9;
/// The scale of series whose differing values all go raw.
pub const SCALE_RAW: u8 = 255;

/// Integers of this magnitude and below are exact in an f64.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
const POWERS: [f64; SCALE_MAX as usize + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Why a scrape does not fit its context, or cannot be coded against it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("a context of {series} series has a row of {row} values: send the context again, whole")]
    Context { series: usize, row: usize },
    #[error(
        "series {series} of the context has scale {scale}, which is neither 0 to {SCALE_MAX} nor {SCALE_RAW}: upgrade the sender"
    )]
    Scale { series: usize, scale: u8 },
    #[error(
        "bitmap `{bitmap}` has {found} bytes, but the context's {series} series need {needed}: it belongs to another context"
    )]
    Bitmap { bitmap: &'static str, found: usize, needed: usize, series: usize },
    #[error("bitmap `{bitmap}` has a bit beyond the context's {series} series: upgrade the sender")]
    UnusedBits { bitmap: &'static str, series: usize },
    #[error("series {series} differs but is not present: upgrade the sender")]
    DiffersAbsent { series: usize },
    #[error("{found} values for {needed} present series: give one for each")]
    Values { found: usize, needed: usize },
    #[error("the changes end before series {series}: the scrape was cut")]
    ChangesEnd { series: usize },
    #[error("the change of series {series} is no shortest varint of 64 bits: upgrade the sender")]
    Varint { series: usize },
    #[error("the change of series {series} leaves the range of exact integers: upgrade the sender")]
    Range { series: usize },
    #[error("series {series} has a raw value that is not there: the scrape was cut")]
    RawEnd { series: usize },
    #[error("{changes} bytes of changes and {raw} raw values are left over: the scrape belongs to another context")]
    LeftOver { changes: usize, raw: usize },
}

/// The scale for a series that has this value: the fewest decimal places that hold it exactly, [`SCALE_RAW`] when none do.
/// NaN and infinities say nothing about a series' step and count as whole numbers.
pub fn pick_scale(value: f64) -> u8 {
    if !value.is_finite() || value.to_bits() == (-0.0_f64).to_bits() {
        return 0;
    }
    (0..=SCALE_MAX).find(|scale| integer(value, POWERS[usize::from(*scale)]).is_some()).unwrap_or(SCALE_RAW)
}

/// The integer that stands for this value at this power, where that is exact.
fn integer(value: f64, power: f64) -> Option<i64> {
    let scaled = (value * power).round();
    let exact = scaled.abs() <= EXACT_MAX && (scaled / power).to_bits() == value.to_bits();
    // Whole and at most 2^53: the cast is exact. (-0.0 is left out above: 0 / p has other bits.)
    (exact && !(scaled == 0.0 && value.is_sign_negative())).then_some(scaled as i64)
}

/// The integer that changes of this context value count from.
fn base(value: f64, power: f64) -> i64 {
    let scaled = (value * power).round();
    // NaN fails the comparison.
    if scaled.abs() <= EXACT_MAX { scaled as i64 } else { 0 }
}

/// What rows of one context are coded against: its values, scales and bases. Keeps no labels.
#[derive(Clone, Debug)]
pub struct RowCoder {
    row: Box<[f64]>,
    scales: Box<[u8]>,
    bases: Box<[i64]>,
}

impl RowCoder {
    /// # Errors
    /// [`RowError::Context`] or [`RowError::Scale`] on a context that contradicts itself.
    pub fn new(context: &Context) -> Result<Self, RowError> {
        if context.row.len() != context.series.len() {
            return Err(RowError::Context { series: context.series.len(), row: context.row.len() });
        }
        let scales: Box<[u8]> = context.series.iter().map(|entry| entry.scale).collect();
        if let Some(series) = scales.iter().position(|scale| *scale > SCALE_MAX && *scale != SCALE_RAW) {
            return Err(RowError::Scale { series, scale: scales[series] });
        }
        let power = |scale: u8| POWERS.get(usize::from(scale));
        let bases = context.row.iter().zip(&scales).map(|(value, scale)| power(*scale).map_or(0, |p| base(*value, *p)));
        Ok(Self { bases: bases.collect(), row: context.row.clone().into_boxed_slice(), scales })
    }

    /// How many series the context has.
    pub fn series(&self) -> usize {
        self.row.len()
    }

    /// Bytes of each bitmap.
    pub fn bitmap_bytes(&self) -> usize {
        self.row.len().div_ceil(8)
    }

    /// Codes one row into `scrape`, whose lists are emptied and filled again: no allocation once they have the room.
    /// `present` is a bitmap over the context's series (`None`: all of them), `values` those of the present ones in order.
    ///
    /// # Errors
    /// [`RowError`] when bitmap or values do not fit the context; `scrape` is then without meaning.
    pub fn encode(
        &self,
        at_ms: i64,
        present: Option<&[u8]>,
        values: &[f64],
        scrape: &mut Scrape,
    ) -> Result<(), RowError> {
        scrape.at_ms = at_ms;
        scrape.present.clear();
        match present {
            Some(bitmap) => scrape.present.extend_from_slice(bitmap),
            None => self.fill(&mut scrape.present),
        }
        self.check_bitmap("present", &scrape.present)?;
        let needed = count_ones(&scrape.present);
        if values.len() != needed {
            return Err(RowError::Values { found: values.len(), needed });
        }
        let Scrape { present, differs, changes, raw, .. } = scrape;
        differs.clear();
        differs.resize(present.len(), 0);
        changes.clear();
        raw.clear();
        for (series, value) in ones(present).zip(values) {
            if value.to_bits() == self.row[series].to_bits() {
                continue;
            }
            differs[series / 8] |= 1 << (series % 8);
            match POWERS.get(usize::from(self.scales[series])).and_then(|power| integer(*value, *power)) {
                // Both are within 2^53, so neither the difference nor one more than its zigzag overflows.
                Some(whole) => put_varint(changes, zigzag(whole - self.bases[series]) + 1),
                None => {
                    changes.push(0);
                    raw.push(*value);
                }
            }
        }
        Ok(())
    }

    /// Appends the values of `scrape.present`'s series, in order, to `values`.
    ///
    /// # Errors
    /// [`RowError`] on anything that does not fit this context exactly; `values` is then as it was.
    pub fn decode(&self, scrape: &Scrape, values: &mut Vec<f64>) -> Result<(), RowError> {
        let before = values.len();
        let result = self.decode_onto(scrape, values);
        if result.is_err() {
            values.truncate(before);
        }
        result
    }

    fn decode_onto(&self, scrape: &Scrape, values: &mut Vec<f64>) -> Result<(), RowError> {
        self.check_bitmap("present", &scrape.present)?;
        self.check_bitmap("differs", &scrape.differs)?;
        for (at, (present, differs)) in scrape.present.iter().zip(&scrape.differs).enumerate() {
            if differs & !present != 0 {
                let bit = (differs & !present).trailing_zeros() as usize;
                return Err(RowError::DiffersAbsent { series: at * 8 + bit });
            }
        }
        values.reserve(count_ones(&scrape.present));
        let (mut changes, mut raw) = (scrape.changes.as_slice(), scrape.raw.as_slice());
        for series in ones(&scrape.present) {
            if scrape.differs[series / 8] & (1 << (series % 8)) == 0 {
                values.push(self.row[series]);
                continue;
            }
            match take_varint(&mut changes, series)?.checked_sub(1) {
                Some(change) => values.push(self.changed(series, unzigzag(change))?),
                None => {
                    let (value, rest) = raw.split_first().ok_or(RowError::RawEnd { series })?;
                    values.push(*value);
                    raw = rest;
                }
            }
        }
        if changes.is_empty() && raw.is_empty() {
            Ok(())
        } else {
            Err(RowError::LeftOver { changes: changes.len(), raw: raw.len() })
        }
    }

    fn changed(&self, series: usize, change: i64) -> Result<f64, RowError> {
        let power = POWERS.get(usize::from(self.scales[series])).ok_or(RowError::Range { series })?;
        let whole = self.bases[series].checked_add(change).ok_or(RowError::Range { series })?;
        if whole.unsigned_abs() > 1 << 53 {
            return Err(RowError::Range { series });
        }
        Ok(whole as f64 / power)
    }

    fn fill(&self, bitmap: &mut Vec<u8>) {
        bitmap.resize(self.bitmap_bytes(), 0xff);
        if let (Some(last), used @ 1..) = (bitmap.last_mut(), self.row.len() % 8) {
            *last = (1 << used) - 1;
        }
    }

    fn check_bitmap(&self, bitmap: &'static str, bytes: &[u8]) -> Result<(), RowError> {
        let (series, needed) = (self.row.len(), self.bitmap_bytes());
        if bytes.len() != needed {
            return Err(RowError::Bitmap { bitmap, found: bytes.len(), needed, series });
        }
        match (bytes.last(), series % 8) {
            (Some(last), used @ 1..) if last >> used != 0 => Err(RowError::UnusedBits { bitmap, series }),
            _ => Ok(()),
        }
    }
}

fn count_ones(bitmap: &[u8]) -> usize {
    bitmap.iter().map(|byte| byte.count_ones() as usize).sum()
}

/// The places of set bits, rising.
fn ones(bitmap: &[u8]) -> impl Iterator<Item = usize> {
    bitmap.iter().enumerate().flat_map(|(at, byte)| {
        let mut left = *byte;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(at * 8 + bit)
        })
    })
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        // The low seven bits; the cast drops the rest on purpose.
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// LEB128 of 64 bits, in its shortest form only.
fn take_varint(bytes: &mut &[u8], series: usize) -> Result<u64, RowError> {
    let mut number = 0u64;
    for (at, byte) in bytes.iter().enumerate() {
        let part = u64::from(byte & 0x7f);
        if at == 9 && *byte > 1 {
            return Err(RowError::Varint { series });
        }
        number |= part << (7 * at);
        if byte & 0x80 == 0 {
            if *byte == 0 && at > 0 {
                return Err(RowError::Varint { series });
            }
            *bytes = &bytes[at + 1..];
            return Ok(number);
        }
    }
    Err(RowError::ChangesEnd { series })
}

#[cfg(test)]
mod tests;
