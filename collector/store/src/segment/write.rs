//! Writes a segment, series by series in the order of label sets. Nothing names the file before the catalog does, so it is
//! written under its final name; the header goes in last.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use muster_common::disk::{Disk, DiskFile, Open};
use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;

use super::format::{
    BLOCK_SERIES, CHUNK_SAMPLES_MAX, FOOTER_BYTES, GROUP_BYTES, GROUP_TIMES, HEADER_BYTES, Header, SECTIONS, Section,
    TIMES_DELTA, VALUES_RAW, footer, put_block,
};
use super::postings::PostingsBuilder;
use crate::bytes::{Squeezer, put_signed, put_values, put_varint};
use crate::error::FileError;

/// Written bytes are handed to the disk in runs of about this size.
pub(crate) const WRITE_BYTES: usize = 1 << 20;

/// A segment being written.
pub(crate) struct SegmentWriter {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    squeezer: Squeezer,
    /// Finished value groups that wait to be written, and where they will stand.
    out: Vec<u8>,
    offset: u64,
    header: Header,
    values: Vec<u8>,
    /// Stored lengths of value groups.
    value_blocks: Vec<u64>,
    times: TimeGroups,
    series: SeriesBlocks,
    directory: DirectoryBlocks,
    postings: PostingsBuilder,
    metrics: BTreeMap<String, MetricKind>,
    /// The metric of the series before, once its kind is noted.
    last_metric: String,
}

/// Blocks of a section that is kept in memory until the end.
#[derive(Default)]
pub(crate) struct Blocks {
    pub(crate) bytes: Vec<u8>,
    pub(crate) lengths: Vec<u64>,
}

#[derive(Default)]
struct TimeGroups {
    blocks: Blocks,
    plain: Vec<u8>,
    /// Times and columns in the open group.
    times: usize,
    columns: u32,
    known: HashMap<u128, (u32, u32)>,
    last: (Vec<i64>, (u32, u32)),
}

#[derive(Default)]
pub(crate) struct SeriesBlocks {
    pub(crate) blocks: Blocks,
    plain: Vec<u8>,
    last: Vec<u8>,
    pub(crate) count: usize,
}

#[derive(Default)]
struct DirectoryBlocks {
    blocks: Blocks,
    /// Chunks of each series of the open block, and the chunks.
    counts: Vec<u32>,
    chunks: Vec<ChunkRow>,
}

/// Where one chunk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChunkRow {
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
    pub(crate) count: u32,
    /// Samples that were dropped for a later one of the same time.
    pub(crate) doubles: u32,
    pub(crate) group: u32,
    pub(crate) offset: u32,
    pub(crate) time_group: u32,
    pub(crate) time_column: u32,
}

impl SegmentWriter {
    /// Begins the file, over whatever a failed attempt left there.
    pub(crate) fn new(disk: &dyn Disk, path: &Path, header: Header) -> Result<Self, FileError> {
        match disk.unlink(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(FileError::disk("unlink", path)(error));
            }
            _ => {}
        }
        let file = disk.open(path, Open::Create).map_err(FileError::disk("create", path))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            squeezer: Squeezer::new().map_err(FileError::disk("compress", path))?,
            out: Vec::with_capacity(WRITE_BYTES + 2 * GROUP_BYTES),
            offset: HEADER_BYTES as u64,
            header,
            values: Vec::with_capacity(GROUP_BYTES + 8 * CHUNK_SAMPLES_MAX),
            value_blocks: Vec::new(),
            times: TimeGroups::default(),
            series: SeriesBlocks::default(),
            directory: DirectoryBlocks::default(),
            postings: PostingsBuilder::default(),
            metrics: BTreeMap::new(),
            last_metric: String::new(),
        })
    }

    /// Writes the next series: its label set is above the one before. Times rise strictly; `doubles` were dropped from it.
    pub(crate) fn series(
        &mut self,
        labels: &LabelSet,
        kind: MetricKind,
        millis: &[i64],
        values: &[f64],
        mut doubles: u64,
    ) -> Result<(), FileError> {
        if self.series.count == BLOCK_SERIES {
            self.end_series_block()?;
        }
        self.series.push(labels, kind);
        self.postings.push(self.header.series as u32, labels);
        self.note_metric(labels, kind);
        self.header.series += 1;
        self.header.appended += doubles;
        let before = self.directory.chunks.len();
        for (millis, values) in millis.chunks(CHUNK_SAMPLES_MAX).zip(values.chunks(CHUNK_SAMPLES_MAX)) {
            let counted = u32::try_from(doubles).unwrap_or(u32::MAX);
            doubles = 0;
            self.chunk(millis, values, counted)?;
        }
        self.directory.counts.push((self.directory.chunks.len() - before) as u32);
        Ok(())
    }

    fn chunk(&mut self, millis: &[i64], values: &[f64], doubles: u32) -> Result<(), FileError> {
        let (Some(&min_ms), Some(&max_ms)) = (millis.first(), millis.last()) else { return Ok(()) };
        let (time_group, time_column) = self.times.column(millis, &mut self.squeezer, &self.path)?;
        let (group, offset) = (self.value_blocks.len() as u32, self.values.len() as u32);
        self.values.push(VALUES_RAW);
        put_values(&mut self.values, values);
        let count = values.len() as u32;
        let row = ChunkRow { min_ms, max_ms, count, doubles, group, offset, time_group, time_column };
        self.directory.chunks.push(row);
        self.header.chunks += 1;
        self.header.samples += u64::from(count);
        self.header.appended += u64::from(count);
        self.header.min_ms = self.header.min_ms.min(min_ms);
        self.header.max_ms = self.header.max_ms.max(max_ms);
        if self.values.len() >= GROUP_BYTES {
            self.end_value_group()?;
        }
        Ok(())
    }

    fn note_metric(&mut self, labels: &LabelSet, kind: MetricKind) {
        let name = labels.name();
        if name.is_empty() || name == self.last_metric {
            return;
        }
        let known = self.metrics.entry(name.to_owned()).or_insert(kind);
        if *known == MetricKind::Untyped {
            *known = kind;
        }
        if *known != MetricKind::Untyped {
            name.clone_into(&mut self.last_metric);
        }
    }

    fn end_value_group(&mut self) -> Result<(), FileError> {
        let stored = put_block(&self.values, &mut self.squeezer, &mut self.out);
        self.value_blocks.push(stored.map_err(FileError::disk("compress", &self.path))? as u64);
        self.values.clear();
        if self.out.len() >= WRITE_BYTES { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<(), FileError> {
        self.file.pwrite(&self.out, self.offset).map_err(FileError::disk("write", &self.path))?;
        self.offset += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }

    fn end_series_block(&mut self) -> Result<(), FileError> {
        let squeezed = self.series.end(&mut self.squeezer).and_then(|()| self.directory.end(&mut self.squeezer));
        squeezed.map_err(FileError::disk("compress", &self.path))
    }

    /// Writes what is left, then the header, and makes the file durable (its name is so after `sync_dir`).
    pub(crate) fn finish(mut self) -> Result<Header, FileError> {
        if !self.values.is_empty() {
            self.end_value_group()?;
        }
        let path = self.path.clone();
        let squeeze = |result: std::io::Result<()>| result.map_err(FileError::disk("compress", &path));
        squeeze(self.times.end(&mut self.squeezer))?;
        self.end_series_block()?;
        let mut postings = Blocks::default();
        let mut names = Vec::new();
        for (name, plain) in std::mem::take(&mut self.postings).finish() {
            squeeze(postings.push(&plain, &mut self.squeezer))?;
            names.push(name);
        }
        let mut index = Blocks::default();
        let plain = self.index(&names, &postings);
        squeeze(index.push(&plain, &mut self.squeezer))?;
        self.write_out()?;
        let mut sections = [(0, 0); SECTIONS];
        sections[Section::Values as usize] = (HEADER_BYTES as u64, self.offset - HEADER_BYTES as u64);
        let parts = [
            (Section::Times, std::mem::take(&mut self.times.blocks.bytes)),
            (Section::Series, std::mem::take(&mut self.series.blocks.bytes)),
            (Section::Directory, std::mem::take(&mut self.directory.blocks.bytes)),
            (Section::Postings, postings.bytes),
            (Section::Index, index.bytes),
        ];
        for (section, bytes) in parts {
            sections[section as usize] = (self.offset + self.out.len() as u64, bytes.len() as u64);
            self.out.extend_from_slice(&bytes);
        }
        self.header.sections = sections;
        self.header.file_bytes = self.offset + (self.out.len() + FOOTER_BYTES) as u64;
        self.out.extend(footer(self.header.file_bytes));
        self.write_out()?;
        self.file.pwrite(&self.header.encode(), 0).map_err(FileError::disk("write", &self.path))?;
        self.file.sync().map_err(FileError::disk("sync", &self.path))?;
        Ok(self.header)
    }

    fn index(&self, names: &[String], postings: &Blocks) -> Vec<u8> {
        let mut out = Vec::new();
        let sections = [
            &self.value_blocks,
            &self.times.blocks.lengths,
            &self.series.blocks.lengths,
            &self.directory.blocks.lengths,
            &postings.lengths,
        ];
        for lengths in sections {
            put_varint(&mut out, lengths.len() as u64);
            lengths.iter().for_each(|&length| put_varint(&mut out, length));
        }
        names.iter().for_each(|name| put_text(&mut out, name));
        put_varint(&mut out, self.metrics.len() as u64);
        for (name, kind) in &self.metrics {
            put_text(&mut out, name);
            out.push(*kind as u8);
        }
        out
    }
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Appends `bytes` as what it shares with `last` and what it does not.
pub(crate) fn put_front_coded(out: &mut Vec<u8>, last: &[u8], bytes: &[u8]) {
    let shared = last.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    put_varint(out, shared as u64);
    put_varint(out, (bytes.len() - shared) as u64);
    out.extend_from_slice(&bytes[shared..]);
}

impl Blocks {
    pub(crate) fn push(&mut self, plain: &[u8], squeezer: &mut Squeezer) -> std::io::Result<()> {
        self.lengths.push(put_block(plain, squeezer, &mut self.bytes)? as u64);
        Ok(())
    }
}

impl TimeGroups {
    /// The place of these times: of an equal column if there is one (series of one scrape share theirs).
    fn column(&mut self, millis: &[i64], squeezer: &mut Squeezer, path: &Path) -> Result<(u32, u32), FileError> {
        if self.last.0 == millis {
            return Ok(self.last.1);
        }
        self.last.0.clear();
        self.last.0.extend_from_slice(millis);
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        millis.chunks(64).for_each(|part| {
            let mut bytes = [0; 512];
            for (place, ms) in part.iter().enumerate() {
                bytes[place * 8..place * 8 + 8].copy_from_slice(&ms.to_le_bytes());
            }
            hasher.update(&bytes[..part.len() * 8]);
        });
        let hash = hasher.digest128();
        if let Some(&place) = self.known.get(&hash) {
            self.last.1 = place;
            return Ok(place);
        }
        if self.times > 0 && self.times + millis.len() > GROUP_TIMES {
            self.end(squeezer).map_err(FileError::disk("compress", path))?;
        }
        let place = (self.blocks.lengths.len() as u32, self.columns);
        self.columns += 1;
        self.times += millis.len();
        put_times(&mut self.plain, millis);
        self.known.insert(hash, place);
        self.last.1 = place;
        Ok(place)
    }

    fn end(&mut self, squeezer: &mut Squeezer) -> std::io::Result<()> {
        if self.columns > 0 {
            self.blocks.push(&self.plain, squeezer)?;
            self.plain.clear();
            (self.times, self.columns) = (0, 0);
        }
        Ok(())
    }
}

fn put_times(out: &mut Vec<u8>, millis: &[i64]) {
    out.push(TIMES_DELTA);
    put_varint(out, millis.len() as u64);
    let (mut last, mut last_step) = (0i64, 0i64);
    for (place, &ms) in millis.iter().enumerate() {
        let step = ms.wrapping_sub(last);
        put_signed(out, step.wrapping_sub(last_step));
        last = ms;
        // The first is absolute: it says nothing of the steps.
        last_step = if place == 0 { 0 } else { step };
    }
}

impl SeriesBlocks {
    pub(crate) fn push(&mut self, labels: &LabelSet, kind: MetricKind) {
        let bytes = labels.canonical();
        put_front_coded(&mut self.plain, &self.last, bytes);
        self.plain.push(kind as u8);
        self.last.clear();
        self.last.extend_from_slice(bytes);
        self.count += 1;
    }

    pub(crate) fn end(&mut self, squeezer: &mut Squeezer) -> std::io::Result<()> {
        if self.count > 0 {
            self.blocks.push(&self.plain, squeezer)?;
            self.plain.clear();
            self.last.clear();
            self.count = 0;
        }
        Ok(())
    }
}

impl DirectoryBlocks {
    /// Column after column: most of them are runs of one number, which zstd then takes for nothing.
    fn end(&mut self, squeezer: &mut Squeezer) -> std::io::Result<()> {
        if self.counts.is_empty() {
            return Ok(());
        }
        let mut plain = Vec::with_capacity(self.chunks.len() * 12);
        put_varint(&mut plain, self.counts.len() as u64);
        self.counts.iter().for_each(|&count| put_varint(&mut plain, u64::from(count)));
        let chunks = &self.chunks;
        chunks.iter().for_each(|chunk| put_varint(&mut plain, u64::from(chunk.count)));
        chunks.iter().for_each(|chunk| put_varint(&mut plain, u64::from(chunk.doubles)));
        let mut last = 0;
        for chunk in chunks {
            put_signed(&mut plain, chunk.min_ms.wrapping_sub(last));
            last = chunk.min_ms;
        }
        // The span as a number without sign: from the earliest to the latest time it needs 64 bits.
        let span = |chunk: &ChunkRow| chunk.max_ms.wrapping_sub(chunk.min_ms).cast_unsigned();
        chunks.iter().for_each(|chunk| put_varint(&mut plain, span(chunk)));
        let mut before = ChunkRow::default();
        for chunk in chunks {
            put_varint(&mut plain, u64::from(chunk.group - before.group));
            before = *chunk;
        }
        let mut before: Option<ChunkRow> = None;
        for chunk in chunks {
            put_signed(&mut plain, i64::from(chunk.offset) - i64::from(expected_offset(before, chunk.group)));
            before = Some(*chunk);
        }
        let mut before = ChunkRow::default();
        for chunk in chunks {
            put_signed(&mut plain, i64::from(chunk.time_group) - i64::from(before.time_group));
            put_signed(&mut plain, i64::from(chunk.time_column) - i64::from(before.time_column));
            before = *chunk;
        }
        self.counts.clear();
        self.chunks.clear();
        self.blocks.push(&plain, squeezer)
    }
}

/// Where a chunk of this group begins if it follows the one before with raw values.
pub(crate) fn expected_offset(before: Option<ChunkRow>, group: u32) -> u32 {
    match before {
        Some(before) if before.group == group => before.offset + 1 + 8 * before.count,
        _ => 0,
    }
}
