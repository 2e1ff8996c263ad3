//! Writes a log segment, stream by stream in the order of label sets, each by (time, arrival). Nothing names the file before
//! the catalog does; the header goes in last.

use std::path::{Path, PathBuf};

use muster_codec::TokenMapBuilder;
use muster_common::disk::{Disk, DiskFile, Open};
use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;

use super::group::{GroupBuilder, GroupRow, encode_directory};
use super::record::LogClass;
use crate::bytes::{Squeezer, put_varint};
use crate::error::FileError;
use crate::segment::format::{
    BLOCK_SERIES, FOOTER_BYTES, HEADER_BYTES, Header, KIND_EVENTS, KIND_LOGS, SECTIONS, Section, footer, put_block,
};
use crate::segment::postings::PostingsBuilder;
use crate::segment::write::{Blocks, SeriesBlocks, WRITE_BYTES, put_text};

/// A log segment being written.
pub(crate) struct LogSegmentWriter {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    class: LogClass,
    squeezer: Squeezer,
    /// Finished blocks that wait to be written, and where they will stand.
    out: Vec<u8>,
    offset: u64,
    header: Header,
    group: GroupBuilder,
    groups: Vec<GroupRow>,
    /// Stored lengths of rows and text blocks, in turn.
    lengths: Vec<u64>,
    series: SeriesBlocks,
    postings: PostingsBuilder,
    tokens: TokenMapBuilder,
}

/// The kind in the header.
pub(crate) const fn kind_of(class: LogClass) -> u8 {
    match class {
        LogClass::Logs => KIND_LOGS,
        LogClass::Events => KIND_EVENTS,
    }
}

/// Milliseconds, rounded down: what catalog and header know times by.
pub(crate) const fn millis(at_ns: i64) -> i64 {
    at_ns.div_euclid(1_000_000)
}

impl LogSegmentWriter {
    /// Begins the file, over whatever a failed attempt left there.
    pub(crate) fn new(disk: &dyn Disk, path: &Path, class: LogClass, header: Header) -> Result<Self, FileError> {
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
            class,
            squeezer: Squeezer::new().map_err(FileError::disk("compress", path))?,
            out: Vec::new(),
            offset: HEADER_BYTES as u64,
            header,
            group: GroupBuilder::default(),
            groups: Vec::new(),
            lengths: Vec::new(),
            series: SeriesBlocks::default(),
            postings: PostingsBuilder::default(),
            tokens: TokenMapBuilder::default(),
        })
    }

    /// Begins the next stream: its label set is above the one before, and it has a line.
    pub(crate) fn stream(&mut self, labels: &LabelSet) -> Result<(), FileError> {
        if self.series.count == BLOCK_SERIES {
            self.series.end(&mut self.squeezer).map_err(FileError::disk("compress", &self.path))?;
        }
        self.series.push(labels, MetricKind::Untyped);
        self.postings.push(self.header.series as u32, labels);
        self.header.series += 1;
        Ok(())
    }

    /// Adds a line to the stream: its time is not below the one before.
    pub(crate) fn entry(&mut self, at_ns: i64, line: &[u8], fields: &[u8]) -> Result<(), FileError> {
        let raw = line.len() + fields.len();
        if !self.group.has_room(raw) {
            self.end_group()?;
        }
        self.group.push(self.header.series as u32 - 1, at_ns, line, fields);
        self.tokens.text(line);
        self.header.samples += 1;
        self.header.appended += raw as u64;
        self.header.min_ms = self.header.min_ms.min(millis(at_ns));
        self.header.max_ms = self.header.max_ms.max(millis(at_ns));
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), FileError> {
        if self.group.is_empty() {
            return Ok(());
        }
        self.groups.push(self.group.row());
        self.tokens.end_group();
        self.header.chunks += 1;
        let (rows, text) = self.group.finish();
        for plain in [rows, text] {
            let stored = put_block(&plain, &mut self.squeezer, &mut self.out);
            self.lengths.push(stored.map_err(FileError::disk("compress", &self.path))? as u64);
        }
        if self.out.len() >= WRITE_BYTES { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<(), FileError> {
        self.file.pwrite(&self.out, self.offset).map_err(FileError::disk("write", &self.path))?;
        self.offset += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }

    /// Writes what is left, then the header, and makes the file durable (its name is so after `sync_dir`).
    pub(crate) fn finish(mut self) -> Result<Header, FileError> {
        self.end_group()?;
        let path = self.path.clone();
        let squeeze = |result: std::io::Result<()>| result.map_err(FileError::disk("compress", &path));
        squeeze(self.series.end(&mut self.squeezer))?;
        let (map, _) = std::mem::take(&mut self.tokens).finish();
        let mut directory = Blocks::default();
        squeeze(directory.push(&encode_directory(&self.groups, &map.fences), &mut self.squeezer))?;
        for page in &map.pages {
            squeeze(directory.push(page, &mut self.squeezer))?;
        }
        let (mut postings, mut names) = (Blocks::default(), Vec::new());
        for (name, plain) in std::mem::take(&mut self.postings).finish() {
            squeeze(postings.push(&plain, &mut self.squeezer))?;
            names.push(name);
        }
        let mut plain = Vec::new();
        let none = Vec::new();
        for lengths in [&self.lengths, &none, &self.series.blocks.lengths, &directory.lengths, &postings.lengths] {
            put_varint(&mut plain, lengths.len() as u64);
            lengths.iter().for_each(|&length| put_varint(&mut plain, length));
        }
        names.iter().for_each(|name| put_text(&mut plain, name));
        put_varint(&mut plain, 0);
        let mut index = Blocks::default();
        squeeze(index.push(&plain, &mut self.squeezer))?;
        self.write_out()?;
        let mut sections = [(self.offset, 0); SECTIONS];
        sections[Section::Values as usize] = (HEADER_BYTES as u64, self.offset - HEADER_BYTES as u64);
        let parts = [
            (Section::Series, std::mem::take(&mut self.series.blocks.bytes)),
            (Section::Directory, directory.bytes),
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
        let header = self.header.encode_kind(kind_of(self.class));
        self.file.pwrite(&header, 0).map_err(FileError::disk("write", &self.path))?;
        self.file.sync().map_err(FileError::disk("sync", &self.path))?;
        Ok(self.header)
    }
}
