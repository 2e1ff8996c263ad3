//! One rotation: which of its files are known, which are copies or packed forms of known ones, which are begun.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::limits::LOG_LINE_BYTES_MAX;
use muster_common::wire::message::SourceId;

use super::batch::Batch;
use super::content::{Content, FINGERPRINT_BYTES, Mark, TAIL_BYTES, tail_hash};
use super::files::{Files, Stat};
use super::names::{Age, sort_oldest_first};
use super::plan::{Member, Verdict, judge};
use super::reader::{Family, LogReader};
use super::scan::{Look, Print, rotate};
use super::settings::From;
use super::source::{At, Key, Source, Stream};
use crate::uplink::Moment;

/// One file of a family while it is judged.
struct Item {
    path: PathBuf,
    stat: Stat,
    age: Age,
    is_head: bool,
    is_asked: bool,
    known: Option<Key>,
}

impl Item {
    fn is_gz(&self) -> bool {
        self.path.extension().is_some_and(|ending| ending == "gz")
    }

    fn print(&self) -> Print {
        (self.stat.place(), self.stat.size, self.stat.mtime_ns)
    }
}

impl<F: Files + Clone> LogReader<F> {
    fn items(&self, head: &Path, stat: Option<Stat>, look: &Look) -> Vec<Item> {
        let Some(family) = self.families.get(head) else { return Vec::new() };
        let exclude = &self.groups[family.group].exclude;
        let mut items = Vec::new();
        for (path, stat, reading) in look.rotated.get(head).into_iter().flatten() {
            if exclude.iter().any(|glob| glob.matches(path)) || self.leads_out(path, family.group) {
                continue;
            }
            let is_asked = look.found.contains_key(path) && !reading.is_gz;
            let age = reading.age.clone();
            items.push(Item { path: path.clone(), stat: *stat, age, is_head: false, is_asked, known: None });
        }
        sort_oldest_first(&mut items, |item| (&item.age, item.stat.mtime_ns));
        if let Some(stat) = stat {
            let path = head.to_path_buf();
            items.push(Item { path, stat, age: Age::Number(0), is_head: true, is_asked: true, known: None });
        }
        items
    }

    pub(super) fn judge_family(
        &mut self,
        head: &Path,
        stat: Option<Stat>,
        look: &Look,
        unlocated: &mut BTreeSet<Key>,
        now: Moment,
    ) {
        let mut items = self.items(head, stat, look);
        for item in &mut items {
            let print = item.print();
            let is_own = |key: &&Key| self.sources.get(key).is_some_and(|source| source.head == head);
            let by_copy = || look.copies.get(&print).filter(is_own);
            item.known = self.by_place.get(&print.0).or_else(by_copy).copied();
        }
        let of_family = |reader: &Self, key: &Key| reader.sources.get(key).is_some_and(|source| source.head == head);
        let mut lost: Vec<Key> = unlocated.iter().filter(|key| of_family(self, key)).copied().collect();
        // Whether the present file has been read says whether rotated ones are its copies: it is left as it is.
        let known = items.iter().filter(|item| !item.is_head).filter_map(|item| item.known);
        self.identify_early(known.chain(lost.iter().copied()).collect(), now);
        if !lost.is_empty() {
            self.find_by_content(head, &mut items, &mut lost, unlocated, now);
        }
        self.find_spooled(head, &mut items);
        self.find_finished(head, &items);
        let (is_unborn, is_anchor) = self.head_of(&items);
        let first_new = self.next_key;
        let Some(family) = self.families.get(head) else { return };
        let members: Vec<Member> = items.iter().map(|item| self.member(item, head, family, is_anchor)).collect();
        let (group, stream) = (family.group, Arc::clone(&family.stream));
        // A time that is not known counts as the latest: rather a loss that is named than lines twice.
        let seen = |key: &Key| self.sources.get(key).map(|one| if one.mtime_ns == 0 { i64::MAX } else { one.mtime_ns });
        let is_spooled = |one: &Source<F>| one.spooled.is_some() && one.head == head;
        let spooled = || self.sources.iter().filter(|(_, one)| is_spooled(one));
        let lost_ns = lost.iter().filter_map(seen).chain(spooled().map(|(_, one)| one.mtime_ns)).max();
        let is_seen = self.is_seen(group, head);
        // Deleted files that are still open, or in the spool, come before the name's present file.
        let open = lost.iter().filter(|key| self.sources.get(key).is_some_and(|one| one.content.is_some()));
        let is_placed = |key: &Key| items.iter().any(|item| item.known == Some(*key));
        let unplaced = spooled().map(|(key, _)| *key).filter(|key| !is_placed(key));
        let mut before: Option<Key> = open.copied().chain(unplaced).max();
        let forming = self.forming(&items, is_unborn);
        for ((item, verdict), is_forming) in items.into_iter().zip(judge(&members, lost_ns)).zip(forming) {
            if is_forming {
                continue;
            }
            // The packed form may stand beside the file that it was made from.
            let is_twin =
                verdict == Verdict::Unseen && !item.is_head && item.known.is_none() && self.is_twin(head, &item);
            let verdict = if is_twin { Verdict::Old } else { verdict };
            let key = match verdict {
                Verdict::Known => item.known,
                _ if item.known.is_some() => item.known,
                Verdict::Unseen => Some(self.begin(&item, head, &stream, false, before, now)),
                Verdict::First => {
                    let is_end = self.groups[group].from == From::End && !is_seen;
                    Some(self.begin(&item, head, &stream, is_end, before, now))
                }
                Verdict::Old => {
                    // Beside a file of which nothing was read yet this may be its copy, which counts once the file is cut off.
                    if let Some(family) = self.families.get_mut(head).filter(|_| !is_unborn) {
                        family.judged.insert(item.print());
                    }
                    None
                }
            };
            let Some(key) = key else { continue };
            // What is kept in the spool has its order already: two that wait for each other would wait for ever.
            let is_behind = before.is_some_and(|before| self.is_behind(before, key));
            if let Some(source) = self.sources.get_mut(&key)
                && !is_behind
                && (!source.is_ordered || (source.id.is_none() && before.is_some_and(|one| one >= first_new)))
                && before != Some(key)
            {
                source.is_ordered = true;
                source.after = before;
            }
            before = Some(key);
        }
    }

    /// Whether nothing was read of the present file yet, and whether it shows that all rotated files are older than it. It does not when
    /// one of them is new and has other bytes: that is a copy of what this file held before it was cut off, unseen.
    fn head_of(&self, items: &[Item]) -> (bool, bool) {
        let Some((head, older)) = items.split_last().filter(|(last, _)| last.is_head) else { return (false, true) };
        if head.known.and_then(|key| self.sources.get(&key)).is_some_and(|source| source.id.is_some()) {
            return (false, true);
        }
        let judged = self.families.get(&head.path).map(|family| &family.judged);
        let is_new =
            |item: &&Item| item.known.is_none() && judged.is_some_and(|judged| !judged.contains(&item.print()));
        (true, older.iter().filter(is_new).all(|item| self.is_forming(head, item)))
    }

    /// A file that had half a line when it was found has no identity yet. It gets it before its packed form could be taken for another file.
    fn identify_early(&mut self, keys: Vec<Key>, now: Moment) {
        let is_nameless = |source: &Source<F>| source.id.is_none() && source.opened.offset == 0;
        for key in keys {
            if self.is_answered && self.sources.get(&key).is_some_and(is_nameless) {
                self.identify_waiting(key, now, &mut Batch::default());
            }
        }
    }

    fn member(&self, item: &Item, head: &Path, family: &Family, is_anchor: bool) -> Member {
        Member {
            is_known: item.known.is_some_and(|key| {
                // What was found before the first answer was not judged by it.
                let is_judged_by = self.sources.get(&key).is_some_and(|source| source.acked.is_some());
                (is_judged_by || !self.is_first_look) && (is_anchor || !item.is_head)
            }),
            is_judged: !item.is_head && item.known.is_none() && family.judged.contains(&item.print()),
            is_head: item.is_head,
            is_asked: item.is_asked,
            // What is held open or kept was begun too.
            is_begun: (self.is_first_look && item.known.is_some()) || self.begun(item, head).is_some(),
            mtime_ns: item.stat.mtime_ns,
        }
    }

    fn forming(&self, items: &[Item], is_unborn: bool) -> Vec<bool> {
        let Some(head) = items.last().filter(|_| is_unborn) else { return vec![false; items.len()] };
        let is_one = |item: &Item| !item.is_head && item.known.is_none() && !item.is_gz();
        items.iter().map(|item| is_one(item) && self.is_forming(head, item)).collect()
    }

    /// Whether this is a copy of the present file, whole or in the making, as they are before the file is cut off.
    fn is_forming(&self, head: &Item, item: &Item) -> bool {
        let (from, to) = (item.stat.size.saturating_sub(TAIL_BYTES as u64), item.stat.size);
        item.stat.size <= head.stat.size
            && [(0, to.min(FINGERPRINT_BYTES as u64)), (from, to)].into_iter().all(|(from, to)| {
                let bytes = |path| self.bytes_of(path, &head.path, from, to);
                bytes(&item.path).is_some_and(|own| Some(own) == bytes(&head.path))
            })
    }

    fn bytes_of(&self, path: &Path, head: &Path, from: u64, to: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        let handle = self.open_file(path, head).ok()?;
        let count = self.files.read_at(&handle, &mut bytes, from).ok()?;
        (count == bytes.len()).then_some(bytes)
    }

    /// Whether these are the bytes of a source that is known.
    fn is_twin(&self, head: &Path, item: &Item) -> bool {
        self.twin_of(item, head, |source| source.head == head).is_some()
    }

    fn twin_of(&self, item: &Item, head: &Path, is_asked: impl Fn(&Source<F>) -> bool) -> Option<Key> {
        let handle = self.open_file(&item.path, head).ok()?;
        let mut content = Content::new(&self.files, handle, item.is_gz());
        let mut asked = self.sources.iter().filter(|(_, source)| is_asked(source));
        let twin = asked.find(|(_, source)| {
            let Some(id) = &source.id else { return false };
            let mark = Mark { source: (**id).clone(), offset: source.at.offset, tail_hash: source.at.hash };
            content.matches(&self.files, &mark).unwrap_or(false)
        });
        twin.map(|(key, _)| *key)
    }

    /// Copies and packed forms of what is in the spool: they are not read, and say where in the order of the family it stands.
    fn find_spooled(&mut self, head: &Path, items: &mut [Item]) {
        let is_spooled = |source: &Source<F>| source.spooled.is_some() && source.head == head;
        if !self.sources.values().any(is_spooled) {
            return;
        }
        for item in items.iter_mut().filter(|item| item.known.is_none() && !item.is_head) {
            item.known = self.twin_of(item, head, is_spooled);
            if let (Some(_), Some(family)) = (item.known, self.families.get_mut(head)) {
                family.judged.insert(item.print());
            }
        }
    }

    /// Whether this source waits, over however many others, for that one.
    fn is_behind(&self, key: Key, other: Key) -> bool {
        let older = |key: &Key| self.sources.get(key).and_then(|source| source.after);
        std::iter::successors(older(&key), older).take(self.sources.len()).any(|older| older == other)
    }

    /// Packed forms of what was read to its end are old, and what is younger than they are was never read: the file that they were made
    /// from may be gone, and its inode another's, before anybody looks.
    fn find_finished(&mut self, head: &Path, items: &[Item]) {
        let is_finished = |source: &Source<F>| source.is_done && source.head == head;
        if !self.sources.values().any(is_finished) {
            return;
        }
        for item in items.iter().filter(|item| item.known.is_none() && !item.is_head) {
            let print = item.print();
            if self.families.get(head).is_some_and(|family| !family.judged.contains(&print))
                && self.twin_of(item, head, is_finished).is_some()
                && let Some(family) = self.families.get_mut(head)
            {
                family.judged.insert(print);
            }
        }
    }

    fn is_seen(&self, group: usize, head: &Path) -> bool {
        let patterns = &self.groups[group].paths;
        patterns.iter().any(|glob| glob.matches(head) && self.seen_patterns.contains(glob.text()))
    }

    /// Looks for sources that lost their file in the files of the family: a copy, or the packed form.
    fn find_by_content(
        &mut self,
        head: &Path,
        items: &mut [Item],
        lost: &mut Vec<Key>,
        unlocated: &mut BTreeSet<Key>,
        now: Moment,
    ) {
        for item in items.iter_mut().filter(|item| item.known.is_none() && !item.is_head) {
            let Ok(handle) = self.open_file(&item.path, head) else { continue };
            let mut content = Content::new(&self.files, handle, item.is_gz());
            let mut best: Option<(u64, Key)> = None;
            for key in lost.iter() {
                let Some(source) = self.sources.get(key) else { continue };
                let Some(id) = &source.id else { continue };
                let mark = Mark { source: (**id).clone(), offset: source.at.offset, tail_hash: source.at.hash };
                if content.matches(&self.files, &mark).unwrap_or(false) && best.is_none_or(|best| best.0 < mark.offset)
                {
                    best = Some((mark.offset, *key));
                }
            }
            let Some((_, key)) = best else { continue };
            item.known = Some(key);
            lost.retain(|one| *one != key);
            unlocated.remove(&key);
            if let Some(family) = self.families.get_mut(head) {
                family.judged.insert(item.print());
            }
            if self.sources.get(&key).is_some_and(|source| source.content.is_none()) {
                self.make_room();
                self.open += 1;
            }
            let Some(source) = self.sources.get_mut(&key) else { continue };
            source.path.clone_from(&item.path);
            source.target.clone_from(&item.path);
            source.missing = None;
            source.is_unverified = false;
            source.is_cut = false;
            if source.content.is_none() {
                source.content = Some(content);
                source.is_copy = true;
                source.copy = Some(item.print());
            }
            rotate(source, now);
        }
    }

    /// Begins a source that was not known.
    fn begin(
        &mut self,
        item: &Item,
        head: &Path,
        stream: &Arc<Stream>,
        is_end: bool,
        before: Option<Key>,
        now: Moment,
    ) -> Key {
        let place = item.stat.place();
        let mut source = Source::new(place, head.to_path_buf(), item.path.clone(), Arc::clone(stream));
        source.target = self.files.target(&item.path);
        source.last_byte = now.steady;
        source.mtime_ns = item.stat.mtime_ns;
        if !item.is_gz() {
            source.size = item.stat.size;
        }
        let start = match self.begun(item, head) {
            Some(start) => start,
            None if is_end => self.end_of(&item.path, head, item.stat.size),
            None => 0,
        };
        if start > 0 && start <= source.size {
            // The hash is read with the first bytes.
            source.opened = At { offset: start, hash: 0 };
            source.began = start;
        }
        if !item.is_head {
            rotate(&mut source, now);
        }
        // The older file may have got its last lines since it was read to its end.
        if let Some(older) = before.and_then(|key| self.sources.get_mut(&key))
            && !older.is_done
            && older.missing.is_none()
        {
            older.is_at_end = false;
            older.is_dirty = true;
            older.next_read = now.steady;
        }
        let target = source.target.clone();
        let key = self.insert(source);
        self.by_place.insert(place, key);
        self.by_path.insert(item.path.clone(), key);
        self.by_path.insert(target, key);
        if self.is_answered && start == 0 {
            // Known from now on: its copy or packed form may appear before it is read.
            self.identify_waiting(key, now, &mut Batch::default());
        }
        key
    }

    /// Where this file was begun before, by its inode or, where it is packed, by its content.
    fn begun(&self, item: &Item, head: &Path) -> Option<u64> {
        let is_it = |id: &SourceId| {
            let mark = Mark { source: id.clone(), offset: 0, tail_hash: tail_hash(&[]) };
            let Ok(handle) = self.open_file(&item.path, head) else { return false };
            Content::new(&self.files, handle, item.is_gz()).matches(&self.files, &mark).unwrap_or(false)
        };
        if let Some(start) = self.starts.get(&item.stat.place()) {
            return start.id.as_ref().is_none_or(is_it).then_some(start.offset);
        }
        let ids = self.starts.values().filter_map(|start| Some((start.id.as_ref()?, start.offset)));
        let mut own = ids.filter(|(id, _)| item.is_gz() && Path::new(&id.path) == head);
        own.find(|(id, _)| is_it(id)).map(|(_, offset)| offset)
    }

    /// Where the last line that is not whole begins.
    fn end_of(&self, path: &Path, head: &Path, size: u64) -> u64 {
        let Ok(handle) = self.open_file(path, head) else { return size };
        let length = size.min(LOG_LINE_BYTES_MAX as u64);
        let mut last = vec![0; usize::try_from(length).unwrap_or(0)];
        match self.files.read_at(&handle, &mut last, size - length) {
            Ok(count) => match memchr::memrchr(b'\n', &last[..count]) {
                Some(newline) => size - length + newline as u64 + 1,
                None if length == size => 0,
                None => size,
            },
            Err(_) => size,
        }
    }
}
