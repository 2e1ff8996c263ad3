//! Reads a log segment: the container of metric segments with other blocks in it (LAYOUT.md, "log segment").

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use muster_codec::{TokenMap, fold, groups_of, hash, inner_tokens};
use muster_common::disk::Disk;

use super::group::{GroupRow, RowsBlock, decode_directory};
use super::record::LogClass;
use super::write::kind_of;
use crate::error::FileError;
use crate::segment::Segment;
use crate::segment::cache::Cache;
use crate::segment::format::Section;

/// An opened log segment.
pub(crate) struct LogSegment {
    pub(crate) base: Segment,
    pub(crate) class: LogClass,
    /// Tombstones up to this number took their lines out when it was written.
    pub(crate) cleaned: u64,
    pub(crate) groups: Vec<GroupRow>,
    fences: Vec<u64>,
}

/// Lines, then fields, of a group.
pub(crate) struct TextBlock(pub(crate) Vec<u8>);

impl LogSegment {
    /// As [`Segment::open`], and the directory.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        class: LogClass,
        number: u64,
        path: PathBuf,
        cleaned: u64,
    ) -> Result<Self, FileError> {
        let base = Segment::open_kind(disk, number, path, kind_of(class))?;
        let plain = base.plain_block(Section::Directory, 0)?;
        let Some((groups, fences)) = decode_directory(&plain) else {
            return Err(base.damaged("its directory cannot be decoded"));
        };
        let rows: u64 = groups.iter().map(|group| u64::from(group.rows)).sum();
        let streams = groups.last().map_or(0, |group| u64::from(group.last) + 1);
        if groups.len() as u64 != base.header.chunks || rows != base.header.samples || streams != base.header.series {
            return Err(base.damaged("its directory and its header differ"));
        }
        Ok(Self { base, class, cleaned, groups, fences })
    }

    /// Groups that have a stream of these numbers, both included.
    pub(crate) fn groups_with(&self, first: u32, last: u32) -> Range<usize> {
        let start = self.groups.partition_point(|group| group.last < first);
        let end = self.groups.partition_point(|group| group.first <= last);
        start..end.max(start)
    }

    pub(crate) fn rows(&self, cache: &Cache, group: usize) -> Result<Arc<RowsBlock>, FileError> {
        self.base.block(cache, Section::Values, group as u32 * 2, |plain| {
            let block = RowsBlock::decode(&plain)?;
            let bytes = block.bytes();
            Some((block, bytes))
        })
    }

    /// The text of a group; its length is that which its rows say.
    pub(crate) fn text(&self, cache: &Cache, group: usize, rows: &RowsBlock) -> Result<Arc<TextBlock>, FileError> {
        self.base.block(cache, Section::Values, group as u32 * 2 + 1, |plain| {
            let bytes = plain.len();
            (bytes == rows.text_bytes()).then_some((TextBlock(plain), bytes))
        })
    }

    /// The groups that may have a line with all these texts; `None`: no text tells anything.
    pub(crate) fn groups_by_tokens(
        &self,
        cache: &Cache,
        needles: &[Vec<u8>],
    ) -> Result<Option<BTreeSet<u32>>, FileError> {
        let (mut folded, mut found): (Vec<u8>, Option<BTreeSet<u32>>) = (Vec::new(), None);
        for needle in needles {
            fold(needle, &mut folded);
            for token in inner_tokens(&folded) {
                let groups = self.token_groups(cache, hash(token))?;
                let kept = match found {
                    Some(before) => groups.into_iter().filter(|group| before.contains(group)).collect(),
                    None => groups.into_iter().collect::<BTreeSet<u32>>(),
                };
                if kept.is_empty() {
                    return Ok(Some(kept));
                }
                found = Some(kept);
            }
        }
        Ok(found)
    }

    fn token_groups(&self, cache: &Cache, hash: u64) -> Result<Vec<u32>, FileError> {
        let Some(page) = TokenMap::page_of(&self.fences, hash) else { return Ok(Vec::new()) };
        // Block 0 is the directory.
        let page = self.base.block(cache, Section::Directory, page as u32 + 1, |plain| {
            let bytes = plain.len();
            Some((TextBlock(plain), bytes))
        })?;
        let groups = groups_of(&page.0, hash, self.groups.len() as u32);
        groups.ok_or_else(|| self.base.damaged("a page of its token map cannot be decoded"))
    }
}
