//! Reads one segment series by series, and remembers the blocks of the series before: neighbours mostly share theirs, so most
//! reads do not ask the cache.

use std::sync::Arc;

use super::Segment;
use super::blocks::{DirectoryBlock, TimesBlock, ValuesBlock};
use super::cache::Cache;
use super::format::BLOCK_SERIES;
use super::write::ChunkRow;
use crate::bytes::values;
use crate::columns::Columns;
use crate::error::FileError;

/// Where the last series was found.
pub(crate) struct Cursor<'a> {
    pub(crate) segment: &'a Segment,
    cache: &'a Cache,
    directory: Last<DirectoryBlock>,
    times: Last<TimesBlock>,
    values: Last<ValuesBlock>,
}

/// The block used last, by its number.
type Last<T> = Option<(u32, Arc<T>)>;

/// The block of this number: the last one, or what `load` finds.
fn block<T>(
    last: &mut Last<T>,
    number: u32,
    load: impl FnOnce(u32) -> Result<Arc<T>, FileError>,
) -> Result<Arc<T>, FileError> {
    match last {
        Some((known, block)) if *known == number => Ok(block.clone()),
        _ => Ok(last.insert((number, load(number)?)).1.clone()),
    }
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(segment: &'a Segment, cache: &'a Cache) -> Self {
        Self { segment, cache, directory: None, times: None, values: None }
    }

    /// Whether the series has a sample within these times. Exact: looks at the times where a chunk only touches them.
    pub(crate) fn has(&mut self, series: u32, from_ms: i64, to_ms: i64) -> Result<bool, FileError> {
        let directory = self.directory(series)?;
        for chunk in self.chunks(&directory, series, from_ms, to_ms)? {
            if chunk.min_ms >= from_ms || chunk.max_ms <= to_ms {
                return Ok(true);
            }
            let block = self.times(chunk)?;
            let times = self.column(&block, chunk)?;
            let first = times.partition_point(|&ms| ms < from_ms);
            if times.get(first).is_some_and(|&ms| ms <= to_ms) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds the series' samples within these times.
    pub(crate) fn read(&mut self, series: u32, from_ms: i64, to_ms: i64, out: &mut Columns) -> Result<(), FileError> {
        let directory = self.directory(series)?;
        for chunk in self.chunks(&directory, series, from_ms, to_ms)? {
            let block = self.times(chunk)?;
            let times = self.column(&block, chunk)?;
            let group = self.values(chunk)?;
            let bytes = group.chunk(chunk);
            let bytes = bytes.ok_or_else(|| self.segment.damaged("a chunk lies outside its group"))?;
            let first = times.partition_point(|&ms| ms < from_ms);
            let end = times.partition_point(|&ms| ms <= to_ms);
            out.extend(&times[first..end], values(&bytes[first * 8..end * 8]));
        }
        Ok(())
    }

    /// Samples within these times as they were appended: those that later ones of the same time replaced count too, with the
    /// chunk that they were in.
    pub(crate) fn count(&mut self, series: u32, from_ms: i64, to_ms: i64) -> Result<u64, FileError> {
        let directory = self.directory(series)?;
        let mut count = 0;
        for chunk in self.chunks(&directory, series, from_ms, to_ms)? {
            let block = self.times(chunk)?;
            let times = self.column(&block, chunk)?;
            let within = times.partition_point(|&ms| ms <= to_ms) - times.partition_point(|&ms| ms < from_ms);
            count += within as u64 + u64::from(chunk.doubles);
        }
        Ok(count)
    }

    /// Samples dropped from the series for later ones of the same time.
    pub(crate) fn doubles(&mut self, series: u32) -> Result<u64, FileError> {
        let directory = self.directory(series)?;
        let chunks = self.chunks(&directory, series, i64::MIN, i64::MAX)?;
        Ok(chunks.map(|chunk| u64::from(chunk.doubles)).sum())
    }

    fn directory(&mut self, series: u32) -> Result<Arc<DirectoryBlock>, FileError> {
        let number = series / BLOCK_SERIES as u32;
        block(&mut self.directory, number, |number| self.segment.directory_block(self.cache, number))
    }

    fn times(&mut self, chunk: &ChunkRow) -> Result<Arc<TimesBlock>, FileError> {
        block(&mut self.times, chunk.time_group, |number| self.segment.times_block(self.cache, number))
    }

    fn values(&mut self, chunk: &ChunkRow) -> Result<Arc<ValuesBlock>, FileError> {
        block(&mut self.values, chunk.group, |number| self.segment.values_block(self.cache, number))
    }

    /// The chunks of a series that reach into these times.
    fn chunks<'b>(
        &self,
        directory: &'b DirectoryBlock,
        series: u32,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<impl Iterator<Item = &'b ChunkRow> + use<'b>, FileError> {
        let chunks = directory.chunks(series as usize % BLOCK_SERIES);
        let chunks = chunks.ok_or_else(|| self.segment.damaged("a directory block is too short"))?;
        Ok(chunks.iter().filter(move |chunk| chunk.min_ms <= to_ms && chunk.max_ms >= from_ms))
    }

    fn column<'b>(&self, block: &'b TimesBlock, chunk: &ChunkRow) -> Result<&'b [i64], FileError> {
        let times = block.0.get(chunk.time_column as usize).filter(|times| times.len() == chunk.count as usize);
        times.map(|times| &**times).ok_or_else(|| self.segment.damaged("a chunk and its times differ in length"))
    }
}
