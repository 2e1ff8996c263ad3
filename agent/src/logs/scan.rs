//! Looking at the folders: which files there are, which of them are known, which are new.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::wire::message::WireLabel;

use super::content::Mark;
use super::fenced::told_outside;
use super::files::{Entry, Files, Stat};
use super::names::{Rotated, readings};
use super::problems::{shortened, unreadable};
use super::reader::{Family, LogReader};
use super::source::{Key, Source, Stream};
use crate::uplink::Moment;

/// Files that match, by path, with the group that they belong to.
pub(super) type Matches = BTreeMap<PathBuf, (usize, Stat)>;
/// What a file is known by without opening it: device and inode, size, time of last writing.
pub(super) type Print = ((u64, u64), u64, i64);

/// One look at the folders.
pub(super) struct Look {
    pub(super) found: Matches,
    /// What was rotated away from each name.
    pub(super) rotated: HashMap<PathBuf, Vec<(PathBuf, Stat, Rotated)>>,
    /// Copies and packed forms that sources are read from.
    pub(super) copies: HashMap<Print, Key>,
}

pub(super) type Listings = BTreeMap<PathBuf, Vec<Entry>>;

impl<F: Files + Clone> LogReader<F> {
    pub(super) fn insert(&mut self, source: Source<F>) -> Key {
        let key = self.next_key;
        self.next_key += 1;
        if let Some(id) = &source.id {
            self.by_id.insert(Arc::clone(id), key);
        }
        self.sources.insert(key, source);
        key
    }

    pub(super) fn forget(&mut self, key: Key) {
        let Some(mut source) = self.sources.remove(&key) else { return };
        self.close(&mut source);
        if let (Some(number), Some(spool)) = (source.spooled, &mut self.spool) {
            spool.remove(number);
        }
        if self.by_place.get(&source.place) == Some(&key) {
            self.by_place.remove(&source.place);
        }
        if let Some(id) = &source.id {
            self.by_id.remove(id);
        }
        self.by_path.retain(|_, other| *other != key);
    }

    pub(super) fn group_of(&self, path: &Path) -> Option<usize> {
        self.groups.iter().position(|group| {
            group.paths.iter().any(|glob| glob.matches(path)) && !group.exclude.iter().any(|glob| glob.matches(path))
        })
    }

    /// The stream of this name, the same for all files that ever had it.
    pub(super) fn stream_of(&mut self, group: usize, head: &Path) -> Arc<Stream> {
        if let Some(family) = self.families.get(head) {
            return Arc::clone(&family.stream);
        }
        let config = &self.groups[group];
        let mut labels = config.labels.clone();
        labels.push(WireLabel { name: "filename".to_owned(), value: head.display().to_string() });
        labels.sort_unstable();
        let stream = Arc::new(Stream {
            labels: Arc::new(labels),
            starts: config.multiline.clone(),
            last_ns: std::sync::atomic::AtomicI64::new(i64::MIN),
        });
        let family = Family { group, stream: Arc::clone(&stream), judged: BTreeSet::new() };
        self.families.insert(head.to_path_buf(), family);
        stream
    }

    /// One look at everything.
    pub(super) fn scan(&mut self, now: Moment) {
        let found = self.expand();
        let listings = self.listings(&found);
        let mut unlocated = self.locate(&listings, now);
        let mut heads: BTreeMap<PathBuf, Option<Stat>> = BTreeMap::new();
        for (path, (group, stat)) in &found {
            if !self.is_rotated_name(path, &found) {
                self.stream_of(*group, path);
                heads.insert(path.clone(), Some(*stat));
            }
        }
        // Names that are gone for the moment: what was rotated away from them may still have news.
        for source in self.sources.values() {
            heads.entry(source.head.clone()).or_insert(None);
        }
        self.families.retain(|head, _| heads.contains_key(head));
        let copies = self.sources.iter().filter_map(|(key, source)| Some((source.copy?, *key))).collect();
        let look = Look { rotated: rotated_names(&listings, &heads), found, copies };
        for (head, stat) in &heads {
            self.judge_family(head, *stat, &look, &mut unlocated, now);
        }
        for key in unlocated {
            if let Some(source) = self.sources.get_mut(&key)
                && source.content.is_none()
            {
                source.missing.get_or_insert(now.steady);
                // Its inode may come back as another file's.
                source.is_unverified = true;
            }
        }
        self.forget_done(&listings);
        for group in &self.groups {
            self.seen_patterns.extend(group.paths.iter().map(|glob| glob.text().to_owned()));
        }
    }

    fn expand(&mut self) -> Matches {
        let mut found = Matches::new();
        let mut folders = BTreeSet::new();
        let mut refused = Vec::new();
        for (index, group) in self.groups.iter().enumerate() {
            for glob in &group.paths {
                let expansion = glob.expand_within(&self.files, self.fence_of_group(index));
                for path in expansion.outside {
                    let target = self.files.target(&path);
                    let why = self.fence_of_group(index).map(|fence| fence.outside(&target).to_string());
                    refused.push(told_outside(&path, &why.unwrap_or_default()));
                }
                folders.extend(expansion.folders);
                for (folder, kind) in expansion.refused {
                    if let Ok(stat) = self.files.stat(&folder) {
                        refused.push(unreadable(&folder, &stat, kind));
                    }
                }
                if expansion.is_cut {
                    let message = "more folders than are looked into match this pattern".to_owned();
                    let remedy = "name fewer folders in the pattern".to_owned();
                    refused.push(shortened(glob.text().to_owned(), message, remedy));
                }
                for (path, stat) in expansion.files {
                    if !group.exclude.iter().any(|glob| glob.matches(&path)) {
                        found.entry(path).or_insert((index, stat));
                    }
                }
            }
        }
        // Problems of files stay until the file can be read or is gone; those of folders are found anew each time.
        let files = &self.files;
        self.problems.retain(|place, _| files.stat(Path::new(place)).is_ok_and(|stat| stat.is_file));
        refused.into_iter().for_each(|problem| self.put_problem(problem));
        self.folders = folders;
        found
    }

    fn listings(&mut self, found: &Matches) -> Listings {
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        let names = found.keys().chain(self.sources.values().flat_map(|source| [&source.path, &source.head]));
        folders.extend(names.filter_map(|path| path.parent()).map(Path::to_path_buf));
        // A file that was reached by a link goes on in the folder that the link led to.
        for source in self.sources.values().filter(|source| source.target != source.path) {
            folders.extend(source.target.parent().map(Path::to_path_buf));
        }
        let listings: Listings =
            folders.into_iter().filter_map(|folder| Some((folder.clone(), self.files.list(&folder).ok()?))).collect();
        self.folders.extend(listings.keys().cloned());
        listings
    }

    /// Finds the known sources by their inodes. Gives those that are in no folder, or whose name has other bytes now.
    fn locate(&mut self, listings: &Listings, now: Moment) -> BTreeSet<Key> {
        let mut paths: HashMap<(u64, u64), Vec<(PathBuf, Stat)>> = HashMap::new();
        for (folder, entries) in listings {
            for entry in entries.iter().filter(|entry| entry.stat.is_file) {
                paths.entry(entry.stat.place()).or_default().push((folder.join(&entry.name), entry.stat));
            }
        }
        self.by_path.clear();
        let mut unlocated = BTreeSet::new();
        // The newest incarnation of an inode first: it is the one that is there.
        let mut keys: Vec<(u32, Key)> = self.sources.iter().map(|(key, one)| (one.incarnation, *key)).collect();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        for (_, key) in keys {
            let Some(mut source) = self.sources.remove(&key) else { continue };
            let names = paths.get(&source.place).filter(|_| !source.is_copy && !source.is_cut);
            let own = names.and_then(|names| {
                names.iter().find(|(path, _)| *path == source.path || *path == source.head).or_else(|| names.first())
            });
            let is_located = match own {
                Some((path, stat)) => self.settle(key, &mut source, path, *stat, now),
                None => {
                    // A copy goes on being renamed too.
                    let name = source.copy.and_then(|print| {
                        let is_it = |stat: &Stat| (stat.place(), stat.size, stat.mtime_ns) == print;
                        paths.get(&print.0)?.iter().find(|(_, stat)| is_it(stat))
                    });
                    if let Some((path, _)) = name {
                        source.path.clone_from(path);
                    }
                    let is_held = source.content.is_some() || source.spooled.is_some();
                    let is_there = source.is_copy && (is_held || name.is_some());
                    if is_there {
                        source.missing = None;
                    }
                    is_there
                }
            };
            if !is_located {
                if self.by_place.get(&source.place) == Some(&key) {
                    self.by_place.remove(&source.place);
                }
                if source.content.is_some() && !source.is_unlinked {
                    source.is_unlinked = true;
                    rotate(&mut source, now);
                }
                if !source.is_done {
                    unlocated.insert(key);
                }
            }
            self.sources.insert(key, source);
        }
        unlocated
    }

    /// Whether the file of this inode is still the source, and what is new about it.
    fn settle(&mut self, key: Key, source: &mut Source<F>, path: &Path, stat: Stat, now: Moment) -> bool {
        if self.by_place.get(&source.place).is_some_and(|other| *other != key) {
            return false;
        }
        let is_gz = path.extension().is_some_and(|ending| ending == "gz");
        source.path = path.to_path_buf();
        // Cut off and grown again, or its inode given to another file while it was closed: then it must not count as known.
        let is_changed = stat.size != source.size || stat.mtime_ns != source.mtime_ns;
        // A packed file is never written to again.
        let is_other = is_gz && source.mtime_ns != 0 && stat.mtime_ns != source.mtime_ns;
        let is_doubtful = is_other || (is_changed && !is_gz && stat.size >= source.at.offset);
        if (source.is_unverified || is_doubtful) && !self.verify(source, now) {
            return false;
        }
        if !is_gz && stat.size < source.at.offset {
            // Shorter than what was read of it: cut off, or the inode is another file's.
            self.cut(source, now);
            return false;
        }
        source.missing = None;
        source.is_unlinked = false;
        if !is_gz && is_changed {
            if stat.size > source.size {
                source.size = stat.size;
                source.last_byte = now.steady;
            }
            source.is_dirty = true;
            source.is_done &= stat.size <= source.at.offset;
        }
        source.mtime_ns = stat.mtime_ns;
        self.by_place.insert(source.place, key);
        self.by_path.insert(source.path.clone(), key);
        if source.path == source.head {
            source.rotated = None;
            self.by_path.insert(source.target.clone(), key);
        } else {
            rotate(source, now);
            // The name that it had belongs to the file that has it now, whichever of the two is looked at first.
            self.by_path.entry(source.target.clone()).or_insert(key);
        }
        true
    }

    /// Whether the name has the content that the collector's position is of.
    fn verify(&mut self, source: &mut Source<F>, now: Moment) -> bool {
        let Some(id) = source.id.clone() else { return true };
        let mark = Mark { source: (*id).clone(), offset: source.at.offset, tail_hash: source.at.hash };
        let (is_missing, next_read) = (source.missing.take(), source.next_read);
        if !self.open(source, now) {
            // It is there, and cannot be opened now: it stays to be seen.
            source.next_read = next_read;
            return true;
        }
        let matches = source.content.as_mut().is_some_and(|one| one.matches(&self.files, &mark).unwrap_or(false));
        source.is_unverified = false;
        if !matches {
            source.missing = is_missing;
            self.cut(source, now);
        } else if source.is_done {
            self.close(source);
        }
        matches
    }

    /// Its inode has other bytes now.
    fn cut(&mut self, source: &mut Source<F>, now: Moment) {
        source.is_cut = true;
        self.own.logs.restarts.add(1);
        self.close(source);
        let next = self.incarnations.entry(source.place).or_insert(0);
        *next = (*next).max(source.incarnation.saturating_add(1));
        rotate(source, now);
    }

    /// Whether this is the name of something rotated away from a file that is followed.
    fn is_rotated_name(&self, path: &Path, found: &Matches) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return true };
        let name = name.to_string_lossy();
        name.ends_with(".gz")
            || readings(&name).iter().any(|reading| {
                let stem = folder.join(&reading.stem);
                found.contains_key(&stem) || self.families.contains_key(&stem)
            })
    }

    /// What is read to its end, acknowledged, and in no folder any more needs no memory.
    fn forget_done(&mut self, listings: &Listings) {
        let present: BTreeSet<(u64, u64)> = listings.values().flatten().map(|entry| entry.stat.place()).collect();
        let is_over = |source: &Source<F>| {
            let is_told = source.id.is_none() || source.acked == Some(source.sent);
            source.is_done && is_told && (source.is_copy || source.is_cut || !present.contains(&source.place))
        };
        let over: Vec<Key> = self.sources.iter().filter(|(_, one)| is_over(one)).map(|(key, _)| *key).collect();
        over.into_iter().for_each(|key| self.forget(key));
        for family in self.families.values_mut() {
            family.judged.retain(|(place, ..)| present.contains(place));
        }
    }
}

/// Its name is another now: it is read to its end, which was not seen since.
pub(super) fn rotate<F: Files>(source: &mut Source<F>, now: Moment) {
    if source.rotated.is_none() {
        source.rotated = Some(now.steady);
        source.is_at_end = false;
        source.is_dirty = true;
        source.next_read = source.next_read.min(now.steady);
        source.last_byte = now.steady;
    }
}

/// The rotated files of each name that is followed. A name that can be read in two ways goes to the first one that is followed.
fn rotated_names(
    listings: &Listings,
    heads: &BTreeMap<PathBuf, Option<Stat>>,
) -> HashMap<PathBuf, Vec<(PathBuf, Stat, Rotated)>> {
    let mut rotated: HashMap<PathBuf, Vec<(PathBuf, Stat, Rotated)>> = HashMap::new();
    for (folder, entries) in listings {
        for entry in entries.iter().filter(|entry| entry.stat.is_file) {
            let stems = readings(&entry.name.to_string_lossy()).into_iter();
            let stem =
                stems.map(|reading| (folder.join(&reading.stem), reading)).find(|(stem, _)| heads.contains_key(stem));
            if let Some((stem, reading)) = stem {
                rotated.entry(stem).or_default().push((folder.join(&entry.name), entry.stat, reading));
            }
        }
    }
    rotated
}
