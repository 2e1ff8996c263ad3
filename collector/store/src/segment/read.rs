//! Reads a segment: by pread through the cache, every checksum verified on every read from the disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_common::disk::{Disk, DiskFile, Open};
use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_common::sample::MetricKind;

use super::blocks::{DirectoryBlock, SeriesBlock, TimesBlock, ValuesBlock};
use super::cache::{Cache, Key};
use super::format::{
    BLOCK_SERIES, FOOTER_BYTES, HEADER_BYTES, Header, KIND_METRICS, SECTIONS, Section, footer, open_block,
};
use super::postings::NameBlock;
use crate::bytes::Bytes;
use crate::error::FileError;
use crate::postings::{Postings, resolve};

/// An opened segment. Its file is unlinked when the last view that holds it goes, once retention or a merge let it go.
pub(crate) struct Segment {
    /// Its number in the catalog: never used twice.
    pub(crate) number: u64,
    pub(crate) header: Header,
    pub(crate) path: PathBuf,
    file: Box<dyn DiskFile>,
    disk: Arc<dyn Disk>,
    /// Offset of every block, and of the end, by section.
    offsets: [Vec<u64>; SECTIONS - 1],
    /// Label names in order; the n-th has the n-th postings block.
    names: Vec<String>,
    pub(crate) metrics: Vec<(String, MetricKind)>,
    let_go: AtomicBool,
}

/// A series of a segment that passes the matchers.
pub(crate) struct Found {
    pub(crate) number: u32,
    pub(crate) labels: Arc<LabelSet>,
    pub(crate) kind: MetricKind,
}

impl Segment {
    /// Reads header, index and footer, and checks them; blocks are checked when they are read.
    pub(crate) fn open(disk: &Arc<dyn Disk>, number: u64, path: PathBuf) -> Result<Self, FileError> {
        Self::open_kind(disk, number, path, KIND_METRICS)
    }

    /// The container of any kind.
    pub(crate) fn open_kind(disk: &Arc<dyn Disk>, number: u64, path: PathBuf, kind: u8) -> Result<Self, FileError> {
        let file = disk.open(&path, Open::Read).map_err(FileError::disk("open", &path))?;
        let length = file.len().map_err(FileError::disk("ask the length of", &path))?;
        if length < (HEADER_BYTES + FOOTER_BYTES) as u64 {
            return Err(FileError::damaged(&path, "it is cut off"));
        }
        let mut bytes = [0; HEADER_BYTES];
        file.pread(&mut bytes, 0).map_err(FileError::disk("read", &path))?;
        let header = Header::decode_kind(&bytes, &path, kind)?;
        let mut end = [0; FOOTER_BYTES];
        file.pread(&mut end, length - FOOTER_BYTES as u64).map_err(FileError::disk("read", &path))?;
        if header.file_bytes != length || end != footer(length) {
            return Err(FileError::damaged(&path, "its length is not what its header says"));
        }
        let inside = |&(offset, bytes): &(u64, u64)| offset.checked_add(bytes).is_some_and(|end| end <= length);
        if !header.sections.iter().all(inside) {
            return Err(FileError::damaged(&path, "a section lies outside the file"));
        }
        let (offset, stored) = header.sections[Section::Index as usize];
        let mut block = vec![0; usize::try_from(stored).unwrap_or(usize::MAX)];
        file.pread(&mut block, offset).map_err(FileError::disk("read", &path))?;
        let index = open_block(&block).and_then(|plain| decode_index(&plain, &header));
        let Some((offsets, names, metrics)) = index else {
            return Err(FileError::damaged(&path, "its index fails its checksum"));
        };
        let (disk, let_go) = (disk.clone(), AtomicBool::new(false));
        Ok(Self { number, header, path, file, disk, offsets, names, metrics, let_go })
    }

    /// Reads every block and checks it.
    pub(crate) fn verify(&self) -> Result<(), FileError> {
        for bounds in self.offsets.iter().flat_map(|offsets| offsets.windows(2)) {
            self.plain(bounds[0], bounds[1])?;
        }
        Ok(())
    }

    /// Nobody new will ask for it: the file goes with the last view.
    pub(crate) fn let_go(&self) {
        self.let_go.store(true, Ordering::Release);
    }

    pub(crate) fn file_name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The series that pass, in the order of their label sets.
    pub(crate) fn find(&self, cache: &Cache, matchers: &[Matcher]) -> Result<Vec<Found>, FileError> {
        let candidates = resolve(&SegmentPostings { segment: self, cache }, matchers)?;
        let mut found = Vec::with_capacity(candidates.series.len());
        let mut block: Option<(u32, Arc<SeriesBlock>)> = None;
        for number in candidates.series {
            let wanted = number / BLOCK_SERIES as u32;
            let series = match &block {
                Some((number, series)) if *number == wanted => series,
                _ => &block.insert((wanted, self.series_block(cache, wanted)?)).1,
            };
            let place = number as usize % BLOCK_SERIES;
            let (labels, kind) = series.0.get(place).ok_or_else(|| self.damaged("a series block is too short"))?;
            let passes = |matcher: &&Matcher| matcher.is_match(labels.get(&matcher.name).unwrap_or(""));
            if candidates.unchecked.iter().all(passes) {
                found.push(Found { number, labels: labels.clone(), kind: *kind });
            }
        }
        Ok(found)
    }

    /// Label names, in order.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The postings of a label name.
    pub(crate) fn name_block(&self, cache: &Cache, name: &str) -> Result<Option<Arc<NameBlock>>, FileError> {
        let Ok(number) = self.names.binary_search_by(|other| other.as_str().cmp(name)) else { return Ok(None) };
        let block = self.block(cache, Section::Postings, number as u32, |plain| {
            let block = NameBlock::decode(&plain, self.header.series)?;
            let bytes = block.bytes();
            Some((block, bytes))
        });
        block.map(Some)
    }

    pub(crate) fn series_block(&self, cache: &Cache, number: u32) -> Result<Arc<SeriesBlock>, FileError> {
        self.block(cache, Section::Series, number, |plain| {
            let block = SeriesBlock::decode(&plain)?;
            let bytes = block.bytes();
            Some((block, bytes))
        })
    }

    pub(crate) fn directory_block(&self, cache: &Cache, number: u32) -> Result<Arc<DirectoryBlock>, FileError> {
        self.block(cache, Section::Directory, number, |plain| {
            let block = DirectoryBlock::decode(&plain)?;
            let bytes = block.bytes();
            Some((block, bytes))
        })
    }

    pub(crate) fn values_block(&self, cache: &Cache, number: u32) -> Result<Arc<ValuesBlock>, FileError> {
        self.block(cache, Section::Values, number, |plain| {
            let bytes = plain.len();
            Some((ValuesBlock(plain), bytes))
        })
    }

    pub(crate) fn times_block(&self, cache: &Cache, number: u32) -> Result<Arc<TimesBlock>, FileError> {
        self.block(cache, Section::Times, number, |plain| {
            let block = TimesBlock::decode(&plain)?;
            let bytes = block.bytes();
            Some((block, bytes))
        })
    }

    /// A block through the cache; `decode` answers it with its size in memory.
    pub(crate) fn block<T: Send + Sync + 'static>(
        &self,
        cache: &Cache,
        section: Section,
        number: u32,
        decode: impl FnOnce(Vec<u8>) -> Option<(T, usize)>,
    ) -> Result<Arc<T>, FileError> {
        let key = Key { segment: self.number, section: section as u8, number };
        cache.part(key, || {
            decode(self.plain_block(section, number)?).ok_or_else(|| self.damaged("a block cannot be decoded"))
        })
    }

    /// A block's plain bytes, from the disk.
    pub(crate) fn plain_block(&self, section: Section, number: u32) -> Result<Vec<u8>, FileError> {
        let offsets = &self.offsets[section as usize];
        let place = number as usize;
        let (Some(&start), Some(&end)) = (offsets.get(place), offsets.get(place + 1)) else {
            return Err(self.damaged("a block is named that it has not"));
        };
        self.plain(start, end)
    }

    /// The plain bytes of the block between these offsets.
    fn plain(&self, start: u64, end: u64) -> Result<Vec<u8>, FileError> {
        let mut stored = vec![0; usize::try_from(end - start).unwrap_or(usize::MAX)];
        self.file.pread(&mut stored, start).map_err(FileError::disk("read", &self.path))?;
        open_block(&stored).ok_or_else(|| self.damaged("a block fails its checksum"))
    }

    pub(crate) fn damaged(&self, what: &'static str) -> FileError {
        FileError::damaged(&self.path, what)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if self.let_go.load(Ordering::Acquire) {
            // The catalog lists it as dropped until it is gone: an error here is made good at the next open.
            let _ = self.disk.unlink(&self.path);
        }
    }
}

type Index = ([Vec<u64>; SECTIONS - 1], Vec<String>, Vec<(String, MetricKind)>);

fn decode_index(plain: &[u8], header: &Header) -> Option<Index> {
    let mut rest = Bytes(plain);
    let mut offsets: [Vec<u64>; SECTIONS - 1] = Default::default();
    for (section, offsets) in offsets.iter_mut().enumerate() {
        let (mut offset, length) = header.sections[section];
        let end = offset + length;
        let blocks = rest.count()?;
        offsets.push(offset);
        for _ in 0..blocks {
            offset = offset.checked_add(rest.varint()?).filter(|&offset| offset <= end)?;
            offsets.push(offset);
        }
        (offset == end).then_some(())?;
    }
    let mut names = Vec::new();
    for _ in 1..offsets[Section::Postings as usize].len() {
        names.push(take_text(&mut rest)?);
    }
    let mut metrics = Vec::new();
    for _ in 0..rest.count()? {
        metrics.push((take_text(&mut rest)?, MetricKind::from_u8(rest.u8()?)));
    }
    (rest.is_empty() && names.is_sorted()).then_some((offsets, names, metrics))
}

fn take_text(rest: &mut Bytes<'_>) -> Option<String> {
    let length = rest.count()?;
    String::from_utf8(rest.take(length)?.to_vec()).ok()
}

struct SegmentPostings<'a> {
    segment: &'a Segment,
    cache: &'a Cache,
}

impl Postings for SegmentPostings<'_> {
    type Error = FileError;

    fn all(&self) -> Result<Vec<u32>, FileError> {
        Ok((0..self.segment.header.series as u32).collect())
    }

    fn equal(&self, name: &str, value: &str) -> Result<Vec<u32>, FileError> {
        let block = self.segment.name_block(self.cache, name)?;
        Ok(block.and_then(|block| block.find(value).map(<[u32]>::to_vec)).unwrap_or_default())
    }

    fn passing(&self, name: &str, test: &dyn Fn(&str) -> bool) -> Result<Vec<u32>, FileError> {
        let Some(block) = self.segment.name_block(self.cache, name)? else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for number in (0..block.len()).filter(|&number| test(block.value(number))) {
            all.extend_from_slice(block.list(number));
        }
        // A series has one value of a name: no repeats.
        all.sort_unstable();
        Ok(all)
    }
}
