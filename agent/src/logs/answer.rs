//! The collector's first answer, or the first of another store, and what the host remembers.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::wire::message::Position;

use super::batch::Batch;
use super::content::{Content, Mark, tail_hash};
use super::files::{Entry, Files};
use super::hints::{Hints, SourceHint};
use super::kept::Kept;
use super::reader::{LogReader, Start};
use super::settings::From;
use super::source::{At, Key, Source};
use crate::uplink::Moment;

impl<F: Files + Clone> LogReader<F> {
    /// What the collector has of this host: from now on lines may be handed out. Nothing that was known before counts but where files were
    /// begun, and what can be read only because it is held open.
    pub(super) fn first_answer(&mut self, positions: &[Position], now: Moment) {
        self.is_answered = true;
        let is_wiped = self.hints.version == 0;
        let mut used = BTreeSet::new();
        self.starts = self.let_go(positions, &mut used);
        self.start_by_hints(positions);
        self.by_path.clear();
        self.by_id = self.sources.iter().filter_map(|(key, one)| Some((Arc::clone(one.id.as_ref()?), *key))).collect();
        self.by_place.clear();
        self.families.values_mut().for_each(|family| family.judged.clear());
        let mut told = Vec::new();
        for (index, position) in positions.iter().enumerate() {
            let head = PathBuf::from(&position.source.path);
            let Some(group) = self.group_of(&head) else { continue };
            for pattern in self.groups[group].paths.iter().filter(|pattern| pattern.matches(&head)) {
                self.seen_patterns.insert(pattern.text().to_owned());
            }
            if used.contains(&index) {
                continue;
            }
            let hint = self.hints.sources.iter().find(|hint| hint.is_of(&position.source));
            let (size, mtime_ns) = hint.map_or((0, 0), |hint| (hint.size, hint.mtime_ns));
            let is_known = is_wiped || hint.is_some();
            let mut source = Source::new(
                (position.source.device, position.source.inode),
                head.clone(),
                head.clone(),
                self.stream_of(group, &head),
            );
            source.id = Some(Arc::new(position.source.clone()));
            source.incarnation = position.source.incarnation;
            source.opened = At { offset: position.offset, hash: position.tail_hash };
            source.began = self.began(position, group);
            source.seek(source.opened);
            source.acked = Some(position.offset);
            source.size = size.max(position.offset);
            source.mtime_ns = mtime_ns;
            source.is_unverified = true;
            source.missing = Some(now.steady);
            let key = self.insert(source);
            if !is_known {
                told.push(key);
            }
        }
        self.is_first_look = true;
        self.look(now);
        self.is_first_look = false;
        self.starts.clear();
        // What the host has forgotten and no folder has was told to be gone before.
        for key in told {
            if self.sources.get(&key).is_some_and(|source| source.missing.is_some() && source.content.is_none()) {
                self.forget(key);
            }
        }
    }

    /// Only what nothing but an open file or the spool has is kept, and goes on where the collector is. Gives where all others were begun, by
    /// device and inode.
    fn let_go(&mut self, positions: &[Position], used: &mut BTreeSet<usize>) -> HashMap<(u64, u64), Start> {
        let mut starts = HashMap::new();
        let mut last_of: HashMap<PathBuf, Key> = HashMap::new();
        for (key, mut source) in std::mem::take(&mut self.sources) {
            if !source.is_unlinked || source.content.is_none() {
                // Found again below, by what the collector knows; only where it was to be begun is kept.
                starts.insert(source.place, Start { offset: source.began, id: source.id.as_deref().cloned() });
                self.close(&mut source);
                continue;
            }
            if self.is_whole_elsewhere(&mut source, positions) {
                // Found again below as well, and with more than what was kept.
                if let (Some(number), Some(spool)) = (source.spooled, &mut self.spool) {
                    spool.remove(number);
                }
                self.close(&mut source);
                continue;
            }
            self.answer_open(&mut source, positions, used);
            source.after = last_of.insert(source.head.clone(), key);
            if source.opened.offset == 0 {
                // Known from now on, so that its packed form is not taken for another file.
                self.identify(&mut source, &mut Batch::default());
            }
            self.sources.insert(key, source);
        }
        starts
    }

    /// What the host had begun and the collector knows nothing of, since it was away or lost it, is gone on with.
    fn start_by_hints(&mut self, positions: &[Position]) {
        for hint in &self.hints.sources {
            let id = hint.source();
            if positions.iter().all(|position| position.source != id) {
                let start = Start { offset: hint.began, id: Some(id) };
                self.starts.entry((hint.device, hint.inode)).or_insert(start);
            }
        }
    }

    /// A deleted file that was held open for the answer, or is in the spool, goes on where the collector is; where the collector has nothing
    /// of what was handed out under its identity, from where it was begun.
    fn answer_open(&mut self, source: &mut Source<F>, positions: &[Position], used: &mut BTreeSet<usize>) {
        source.acked = None;
        self.adopt(source, positions, used);
        let mut trusts_next = false;
        if source.acked.is_none() && source.id.is_some() {
            let began = source.began;
            let hash = source.content.as_mut().and_then(|one| one.hash_before(&self.files, began).ok().flatten());
            trusts_next = hash.is_none() && began > 0;
            source.opened = At { offset: began, hash: hash.unwrap_or(tail_hash(&[])) };
        }
        let at = self.within_kept(source, source.opened);
        source.seek(at);
        source.trusts_next = trusts_next && at == source.opened;
        source.is_ordered = false;
    }

    /// Whether a file of its folder has also what was not kept of it, because the collector had that and has it no more.
    fn is_whole_elsewhere(&self, source: &mut Source<F>, positions: &[Position]) -> bool {
        let (Some(id), Some(content)) = (source.id.clone(), &mut source.content) else { return false };
        let Some(first) = content.kept().map(Kept::first) else { return false };
        let position = positions.iter().find(|position| position.source == *id);
        if first <= position.map_or(source.began, |position| position.offset) {
            return false;
        }
        let Some(tail_hash) = content.hash_before(&self.files, first).ok().flatten() else { return false };
        let mark = Mark { source: (*id).clone(), offset: first, tail_hash };
        let (Some(folder), Some(name)) = (source.head.parent(), source.head.file_name()) else { return false };
        let is_of_family = |entry: &Entry| {
            entry.stat.is_file
                && entry.name.as_encoded_bytes().starts_with(name.as_encoded_bytes())
                && entry.name != name
        };
        let entries = self.files.list(folder).unwrap_or_default();
        entries.iter().filter(|entry| is_of_family(entry)).any(|entry| {
            let path = folder.join(&entry.name);
            let Ok(handle) = self.open_file(&path, &source.head) else { return false };
            let is_packed = path.extension().is_some_and(|ending| ending == "gz");
            Content::new(&self.files, handle, is_packed).matches(&self.files, &mark).unwrap_or(false)
        })
    }

    /// Finds its position.
    fn adopt(&self, source: &mut Source<F>, positions: &[Position], used: &mut BTreeSet<usize>) {
        let Some(content) = &mut source.content else { return };
        let mut best: Option<(usize, &Position)> = None;
        for (index, position) in positions.iter().enumerate() {
            let id = &position.source;
            if source.id.as_deref() == Some(id) {
                best = Some((index, position));
                break;
            }
            // What is in the spool may have come under its packed form's inode, in a life of which this disk knows nothing.
            let is_candidate = (id.device, id.inode) == source.place
                || (source.spooled.is_some() && !used.contains(&index) && Path::new(&id.path) == source.head);
            if is_candidate
                && content.matches(&self.files, &mark_of(position)).unwrap_or(false)
                && best.is_none_or(|(_, best)| best.source.incarnation < id.incarnation)
            {
                best = Some((index, position));
            }
        }
        let Some((index, position)) = best else { return };
        used.insert(index);
        source.id = Some(Arc::new(position.source.clone()));
        source.incarnation = position.source.incarnation;
        source.opened = At { offset: position.offset, hash: position.tail_hash };
        source.began = self.group_of(&source.head).map_or(0, |group| self.began(position, group));
        source.seek(source.opened);
        source.acked = Some(position.offset);
    }

    /// Where a source was begun that was found by its position.
    fn began(&self, position: &Position, group: usize) -> u64 {
        match self.hints.sources.iter().find(|hint| hint.is_of(&position.source)) {
            Some(hint) => hint.began,
            None if self.groups[group].from == From::Start => 0,
            // From before this process, and nobody knows: not from its start, which was not wanted.
            None => position.offset,
        }
    }

    /// What is worth remembering.
    pub fn hints(&self, cursor: &str) -> Hints {
        let hint = |source: &Source<F>| {
            let id = source.id.as_deref()?;
            Some(SourceHint {
                device: id.device,
                inode: id.inode,
                fingerprint: id.fingerprint,
                fingerprint_bytes: id.fingerprint_bytes,
                incarnation: id.incarnation,
                path: id.path.clone(),
                acked: source.acked.unwrap_or(source.began),
                tail_hash: source.hash_before_acked(),
                size: source.size,
                mtime_ns: source.mtime_ns,
                began: source.began,
            })
        };
        let is_live = |source: &&Source<F>| !source.is_done || source.acked != Some(source.sent);
        Hints {
            version: 1,
            patterns: self.seen_patterns.iter().cloned().collect(),
            sources: self.sources.values().filter(is_live).filter_map(hint).collect(),
            cursor: cursor.to_owned(),
        }
    }
}

fn mark_of(position: &Position) -> Mark {
    Mark { source: position.source.clone(), offset: position.offset, tail_hash: position.tail_hash }
}
