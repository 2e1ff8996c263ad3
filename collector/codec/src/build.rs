//! Builds token maps: pairs of hash and group are sorted in bounded runs, and runs are joined by union.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use crate::map::{Page, PageWriter};
use crate::token::{HASH_BITS, fold, hash, tokens};

/// Pairs held unsorted: 8 MiB. A run of them is then kept in a third of that as pages.
const PENDING_MAX: usize = if cfg!(test) { 1 << 12 } else { 1 << 20 };
/// Runs beyond this number are joined, so that a union never has many inputs.
const RUNS_MAX: usize = 16;
/// Groups that a pair has room for: 16 TiB of lines.
const GROUPS_MAX: u32 = 1 << (64 - HASH_BITS);

/// A finished map: pages, and the first hash of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenMap {
    pub fences: Vec<u64>,
    pub pages: Vec<Vec<u8>>,
}

/// Gathers the tokens of a segment's row groups, group by group.
#[derive(Default)]
pub struct TokenMapBuilder {
    group: u32,
    seen: HashSet<u64, BuildHasherDefault<Plain>>,
    pending: Vec<u64>,
    runs: Vec<TokenMap>,
    folded: Vec<u8>,
}

/// Hashes are hashes already.
#[derive(Default)]
struct Plain(u64);

impl Hasher for Plain {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        // The table takes bits from both ends.
        self.0 = number | number << HASH_BITS;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl TokenMapBuilder {
    /// Notes the tokens of a text of the group that is open.
    pub fn text(&mut self, text: &[u8]) {
        let mut folded = std::mem::take(&mut self.folded);
        fold(text, &mut folded);
        self.seen.extend(tokens(&folded).map(hash));
        self.folded = folded;
    }

    /// Ends the open group; the next text is of the next one.
    pub fn end_group(&mut self) {
        let group = u64::from(self.group.min(GROUPS_MAX - 1));
        self.pending.extend(self.seen.drain().map(|hash| hash << (64 - HASH_BITS) | group));
        self.group += 1;
        if self.pending.len() >= PENDING_MAX {
            self.end_run();
        }
    }

    fn end_run(&mut self) {
        self.pending.sort_unstable();
        let (mut writer, mut groups) = (MapWriter::new(GROUPS_MAX), Vec::new());
        for same in self.pending.chunk_by(|a, b| a >> (64 - HASH_BITS) == b >> (64 - HASH_BITS)) {
            groups.clear();
            groups.extend(same.iter().map(|pair| (pair & u64::from(GROUPS_MAX - 1)) as u32));
            writer.push(same[0] >> (64 - HASH_BITS), &groups);
        }
        self.pending.clear();
        self.runs.push(writer.finish());
        if self.runs.len() > RUNS_MAX {
            let runs = std::mem::take(&mut self.runs);
            // Our own pages: they cannot be damaged.
            self.runs.extend(union(&runs, GROUPS_MAX, GROUPS_MAX));
        }
    }

    /// The map of all groups that were ended, and how many they are.
    pub fn finish(mut self) -> (TokenMap, u32) {
        self.end_run();
        let map = union(&self.runs, GROUPS_MAX, self.group).unwrap_or_default();
        (map, self.group)
    }
}

/// Cuts a map into pages.
struct MapWriter {
    map: TokenMap,
    page: PageWriter,
    groups_total: u32,
}

impl MapWriter {
    fn new(groups_total: u32) -> Self {
        Self { map: TokenMap::default(), page: PageWriter::default(), groups_total }
    }

    fn push(&mut self, hash: u64, groups: &[u32]) {
        if self.page.bytes.is_empty() {
            self.map.fences.push(hash);
        }
        self.page.push(hash, groups, self.groups_total);
        if self.page.is_full() {
            self.map.pages.push(std::mem::take(&mut self.page).bytes);
        }
    }

    fn finish(mut self) -> TokenMap {
        if !self.page.bytes.is_empty() {
            self.map.pages.push(self.page.bytes);
        }
        self.map
    }
}

/// One map being read in order.
struct Cursor<'a> {
    pages: std::slice::Iter<'a, Vec<u8>>,
    page: Page<'a>,
    total: u32,
    hash: Option<u64>,
    groups: Vec<u32>,
}

impl Cursor<'_> {
    fn advance(&mut self) -> Option<()> {
        loop {
            match self.page.next(&mut self.groups) {
                Ok(Some(hash)) => {
                    self.hash = Some(hash);
                    return Some(());
                }
                Ok(None) => match self.pages.next() {
                    Some(page) => self.page = Page::new(page, self.total),
                    None => {
                        self.hash = None;
                        return Some(());
                    }
                },
                Err(()) => return None,
            }
        }
    }
}

/// The map of all pairs that any of the maps has. They number the same groups; `total` is what they were written with, and
/// `new_total` what the result is to be read with. `None`: a page is damaged.
pub fn union(maps: &[TokenMap], total: u32, new_total: u32) -> Option<TokenMap> {
    let mut cursors = Vec::with_capacity(maps.len());
    for map in maps {
        let page = Page::new(&[], total);
        let mut cursor = Cursor { pages: map.pages.iter(), page, total, hash: None, groups: Vec::new() };
        cursor.advance()?;
        cursors.push(cursor);
    }
    let (mut writer, mut groups) = (MapWriter::new(new_total), Vec::new());
    while let Some(hash) = cursors.iter().filter_map(|cursor| cursor.hash).min() {
        groups.clear();
        for cursor in cursors.iter_mut().filter(|cursor| cursor.hash == Some(hash)) {
            groups.extend_from_slice(&cursor.groups);
            cursor.advance()?;
        }
        groups.sort_unstable();
        groups.dedup();
        if groups.last().is_some_and(|&last| last >= new_total) {
            return None;
        }
        writer.push(hash, &groups);
    }
    Some(writer.finish())
}

impl TokenMap {
    /// The page that may have this hash, by the first hashes of all.
    pub fn page_of(fences: &[u64], hash: u64) -> Option<usize> {
        fences.partition_point(|&first| first <= hash).checked_sub(1)
    }

    /// The groups that may have a token with this hash; `None`: a page is damaged.
    pub fn groups(&self, hash: u64, groups_total: u32) -> Option<Vec<u32>> {
        match Self::page_of(&self.fences, hash) {
            Some(page) => crate::groups_of(self.pages.get(page)?, hash, groups_total),
            None => Some(Vec::new()),
        }
    }
}
