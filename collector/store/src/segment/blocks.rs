//! Decoded blocks of a segment, as the cache holds them.

use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;

use super::format::{CHUNK_SAMPLES_MAX, TIMES_DELTA, VALUES_RAW};
use super::postings::take_front_coded;
use super::write::{ChunkRow, expected_offset};
use crate::bytes::Bytes;

/// Label sets and kinds of up to 256 series.
pub(crate) struct SeriesBlock(pub(crate) Vec<(Arc<LabelSet>, MetricKind)>);

/// Chunks of the same series.
pub(crate) struct DirectoryBlock {
    /// For each series, where its chunks end.
    ends: Vec<u32>,
    chunks: Vec<ChunkRow>,
}

/// Time columns.
pub(crate) struct TimesBlock(pub(crate) Vec<Arc<[i64]>>);

/// Values of many chunks, as stored.
pub(crate) struct ValuesBlock(pub(crate) Vec<u8>);

impl SeriesBlock {
    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        let (mut rest, mut bytes, mut series) = (Bytes(plain), Vec::new(), Vec::new());
        while !rest.is_empty() {
            take_front_coded(&mut rest, &mut bytes)?;
            let kind = MetricKind::from_u8(rest.u8()?);
            series.push((Arc::new(LabelSet::from_canonical(&bytes).ok()?), kind));
        }
        Some(Self(series))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|(labels, _)| labels.canonical().len() + 64).sum()
    }
}

impl DirectoryBlock {
    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        let mut rest = Bytes(plain);
        let series = rest.count()?;
        let (mut ends, mut total) = (Vec::with_capacity(series), 0u32);
        for _ in 0..series {
            total = total.checked_add(rest.varint_u32()?)?;
            ends.push(total);
        }
        let mut chunks = vec![ChunkRow::default(); usize::try_from(total).ok().filter(|&total| total <= plain.len())?];
        for chunk in &mut chunks {
            chunk.count = rest.varint_u32().filter(|&count| (1..=CHUNK_SAMPLES_MAX as u32).contains(&count))?;
        }
        for chunk in &mut chunks {
            chunk.doubles = rest.varint_u32()?;
        }
        let mut last = 0i64;
        for chunk in &mut chunks {
            last = last.wrapping_add(rest.signed()?);
            chunk.min_ms = last;
        }
        for chunk in &mut chunks {
            chunk.max_ms = chunk.min_ms.wrapping_add(rest.varint()?.cast_signed());
        }
        let mut group = 0u32;
        for chunk in &mut chunks {
            group = group.checked_add(rest.varint_u32()?)?;
            chunk.group = group;
        }
        let mut before = None;
        for chunk in &mut chunks {
            let offset = i64::from(expected_offset(before, chunk.group)).checked_add(rest.signed()?)?;
            chunk.offset = u32::try_from(offset).ok()?;
            before = Some(*chunk);
        }
        let (mut time_group, mut time_column) = (0i64, 0i64);
        for chunk in &mut chunks {
            time_group = time_group.checked_add(rest.signed()?)?;
            time_column = time_column.checked_add(rest.signed()?)?;
            chunk.time_group = u32::try_from(time_group).ok()?;
            chunk.time_column = u32::try_from(time_column).ok()?;
        }
        rest.is_empty().then_some(Self { ends, chunks })
    }

    /// The chunks of the n-th series of the block.
    pub(crate) fn chunks(&self, series: usize) -> Option<&[ChunkRow]> {
        let start = if series == 0 { 0 } else { *self.ends.get(series - 1)? };
        self.chunks.get(start as usize..*self.ends.get(series)? as usize)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.ends.len() * 4 + self.chunks.len() * size_of::<ChunkRow>()
    }
}

impl TimesBlock {
    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        let (mut rest, mut columns) = (Bytes(plain), Vec::new());
        while !rest.is_empty() {
            (rest.u8()? == TIMES_DELTA).then_some(())?;
            let count = rest.count()?;
            let (mut times, mut last, mut step) = (Vec::with_capacity(count), 0i64, 0i64);
            for place in 0..count {
                let next = step.wrapping_add(rest.signed()?);
                last = last.wrapping_add(next);
                step = if place == 0 { 0 } else { next };
                times.push(last);
            }
            // Everything above relies on rising times.
            times.is_sorted_by(|a, b| a < b).then_some(())?;
            columns.push(times.into());
        }
        Some(Self(columns))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|times| times.len() * 8 + 32).sum()
    }
}

impl ValuesBlock {
    /// The values' bytes of a chunk.
    pub(crate) fn chunk(&self, chunk: &ChunkRow) -> Option<&[u8]> {
        let mut rest = Bytes(self.0.get(chunk.offset as usize..)?);
        (rest.u8()? == VALUES_RAW).then_some(())?;
        rest.take(chunk.count as usize * 8)
    }
}
