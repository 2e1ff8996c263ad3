//! The agent's end of the folder: what waits, in order, and the places that were given. Blocking and deterministic; [`super::worker`] is its
//! thread.
//!
//! A file is renamed and never copied: waiting -> placed (durable before it is sent) -> gone (after the ack). So a crash at any step leaves
//! exactly one file, whose name says what is known of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use muster_common::disk::{Disk, Open};
use muster_common::wire::message::{Epoch, Problem};

use super::file::{Content, FILE_BYTES_MAX, decode};
use super::names::{ASIDE, Name, UNFINISHED};
use crate::uplink::HandedFrame;

/// Files that could not be read, kept for people to look at; the oldest go.
const ASIDE_MAX: usize = 64;
/// A file that was not finished within this time belongs to a process that is no more.
const UNFINISHED_FOR_NS: u64 = 3_600_000_000_000;

/// The folder. One owner.
pub struct HandedFolder {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    waiting: BTreeSet<String>,
    /// Handed to the session, by id.
    taken: BTreeMap<u64, Name>,
    next_id: u64,
    aside: Vec<String>,
    /// Why the folder, or a file of it, cannot be read now.
    trouble: Option<(PathBuf, String)>,
}

impl HandedFolder {
    /// Opens or makes the folder. Gives what has a place already.
    ///
    /// # Errors
    /// As the disk.
    pub fn open(disk: Arc<dyn Disk>, folder: PathBuf, now_ns: u64) -> io::Result<(Self, Vec<HandedFrame>)> {
        disk.create_dir_all(&folder)?;
        let mut new = Self {
            disk,
            folder,
            waiting: BTreeSet::new(),
            taken: BTreeMap::new(),
            next_id: 1,
            aside: Vec::new(),
            trouble: None,
        };
        new.look(now_ns)?;
        let mut placed = Vec::new();
        for name in new.disk.list(&new.folder)? {
            if let Some(known) = Name::parse(&name).filter(|known| known.place.is_some()) {
                placed.extend(new.take(&name, known));
            }
        }
        Ok((new, placed))
    }

    /// Finds what is new, sets foreign files aside, removes what was never finished.
    ///
    /// # Errors
    /// As the disk.
    pub fn look(&mut self, now_ns: u64) -> io::Result<()> {
        let names = self.disk.list(&self.folder)?;
        self.aside.clear();
        self.waiting.clear();
        for name in names {
            if name.ends_with(ASIDE) {
                self.aside.push(name);
            } else if let Some(unfinished) = name.strip_suffix(UNFINISHED) {
                let begun = Name::parse(unfinished).map_or(0, |known| known.at_ns);
                if begun.saturating_add(UNFINISHED_FOR_NS) < now_ns {
                    let _ = self.disk.unlink(&self.folder.join(&name));
                }
            } else {
                match Name::parse(&name) {
                    None => self.set_aside(&name),
                    // Also one whose placing failed half-way: it is in `taken` under the name that it has now.
                    Some(known) if known.place.is_some() => {}
                    Some(known) if self.taken.values().any(|taken| *taken == known) => {}
                    Some(_) => {
                        self.waiting.insert(name);
                    }
                }
            }
        }
        while self.aside.len() > ASIDE_MAX {
            let oldest = self.aside.remove(0);
            let _ = self.disk.unlink(&self.folder.join(oldest));
        }
        Ok(())
    }

    /// The next one that waits, in the order in which they were handed over. It is the session's until [`HandedFolder::free`] or
    /// [`HandedFolder::done`].
    pub fn take_next(&mut self) -> Option<HandedFrame> {
        while let Some(name) = self.waiting.pop_first() {
            if let Some(frame) = Name::parse(&name).and_then(|known| self.take(&name, known)) {
                return Some(frame);
            }
        }
        None
    }

    /// Makes this place its name, durably.
    ///
    /// # Errors
    /// As the disk; then it is unknown which name is durable.
    pub fn claim(&mut self, id: u64, epoch: Epoch, seq: u64) -> io::Result<()> {
        self.rename(id, Some((epoch, seq)))
    }

    /// Takes its place from it, durably: it waits again.
    ///
    /// # Errors
    /// As the disk; then nothing has changed, as far as is known: ask again.
    pub fn free(&mut self, id: u64) -> io::Result<()> {
        self.rename(id, None)?;
        if let Some(name) = self.taken.remove(&id) {
            self.waiting.insert(name.text());
        }
        Ok(())
    }

    /// The collector has it. When the file cannot be removed it stays with its place, and the next start finds it done.
    pub fn done(&mut self, id: u64) {
        if let Some(name) = self.taken.remove(&id) {
            let _ = self.disk.unlink(&self.folder.join(name.text()));
        }
    }

    /// Whether any waits.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What is wrong now, for the collector to show.
    pub fn problems(&self) -> Vec<Problem> {
        let place = |name: &str| self.folder.join(name).display().to_string();
        let aside = self.aside.first().map(|first| Problem {
            place: place(first),
            message: format!("{} files in the folder of handed reports were none that can be read", self.aside.len()),
            remedy: "look at what they are and remove them; only `muster-agent exec` and `push` may write there"
                .to_owned(),
        });
        let trouble = self.trouble.as_ref().map(|(path, problem)| Problem {
            place: path.display().to_string(),
            message: format!("a handed report cannot be read: {problem}"),
            remedy: "give the file to the agent's user, or repair the disk".to_owned(),
        });
        aside.into_iter().chain(trouble).collect()
    }

    fn rename(&mut self, id: u64, place: Option<(Epoch, u64)>) -> io::Result<()> {
        let Some(name) = self.taken.get_mut(&id) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no such report was taken"));
        };
        let renamed = name.at(place);
        if renamed != *name {
            self.disk.rename(&self.folder.join(name.text()), &self.folder.join(renamed.text()))?;
            *name = renamed;
        }
        self.disk.sync_dir(&self.folder)
    }

    /// Reads a file and gives it an id. One that cannot be read by anyone is set aside; one that this process cannot read stays.
    fn take(&mut self, text: &str, name: Name) -> Option<HandedFrame> {
        match self.read(text) {
            Ok(Some(content)) => {
                self.trouble = None;
                let id = self.next_id;
                self.next_id += 1;
                self.taken.insert(id, name);
                Some(HandedFrame { id, at_ms: content.at_ms, frame: content.frame, place: name.place })
            }
            Ok(None) => {
                self.set_aside(text);
                None
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.trouble = Some((self.folder.join(text), error.to_string()));
                None
            }
        }
    }

    fn read(&self, text: &str) -> io::Result<Option<Content>> {
        let file = self.disk.open(&self.folder.join(text), Open::Read)?;
        let Some(length) = usize::try_from(file.len()?).ok().filter(|length| *length <= FILE_BYTES_MAX) else {
            return Ok(None);
        };
        let mut bytes = vec![0; length];
        file.pread(&mut bytes, 0)?;
        Ok(decode(&bytes).inspect_err(|damage| tracing::warn!(file = text, "set aside: {damage}")).ok())
    }

    fn set_aside(&mut self, text: &str) {
        let aside = format!("{text}{ASIDE}");
        if self.disk.rename(&self.folder.join(text), &self.folder.join(&aside)).is_ok() {
            self.aside.push(aside);
        }
    }
}

#[cfg(test)]
mod tests;
