//! The thread around the folder: it is woken when something is handed over, and looks now and then in any case, which costs one question to
//! the file system while nothing was. A disk that hangs holds up this thread alone.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use muster_common::disk::Disk;
use muster_common::time;
use muster_common::wire::message::Problem;
use tokio::sync::mpsc;

use super::bell::Bell;
use super::folder::HandedFolder;
use crate::uplink::{HandedAnswer, HandedFrame, HandedOrder};

/// The net under the bell.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Without a bell, or while something waits for room or for a disk.
const LOOK_SOON: Duration = Duration::from_secs(1);
/// File systems keep times of change to some ms only: a folder that changed just before a look is looked at again.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// Whatever its time says, the folder is read this often: a file that could not be read may be readable now.
const READ_EVERY: Duration = Duration::from_secs(60);
/// After a place that the disk did not keep none is asked for so long: each costs a gap.
const PAUSE: Duration = Duration::from_secs(10);
/// Answers that may wait for the agent; the session has fewer orders under way.
const NEWS_MAX: usize = 64;
/// Orders that may wait for a disk that hangs: more than the session gives for all of its places.
const ORDERS_MAX: usize = 128;
/// Reports that wait for a place in memory: the folder has the others.
const FRAMES_MAX: usize = 1;

/// What the agent hears beside reports.
#[derive(Debug)]
pub enum HandedNews {
    Answer(HandedAnswer),
    /// All problems there are now.
    Problems(Vec<Problem>),
}

/// The thread's handle. Dropping it ends the thread.
pub struct HandedWorker {
    inbox: SyncSender<Word>,
}

/// What the thread hears.
enum Word {
    Order(HandedOrder),
    /// Something may have come into the folder.
    Rung,
    /// The handle is gone.
    End,
}

/// What the agent hears: reports, one at a time, and news.
pub type Heard = (mpsc::Receiver<HandedFrame>, mpsc::Receiver<HandedNews>);

impl HandedWorker {
    /// Opens the folder and starts the thread. Gives the reports that have a place as well.
    ///
    /// # Errors
    /// As the disk, or when the system has no thread left.
    pub fn start(disk: Arc<dyn Disk>, folder: PathBuf) -> io::Result<(Self, Heard, Vec<HandedFrame>)> {
        let (opened, placed) = HandedFolder::open(disk, folder.clone(), now_ns())?;
        let (say_frame, frames) = mpsc::channel(FRAMES_MAX);
        let (say, news) = mpsc::channel(NEWS_MAX);
        let (sender, inbox) = sync_channel(ORDERS_MAX);
        let is_rung = Arc::new(AtomicBool::new(false));
        let ring = {
            let (sender, is_rung) = (sender.clone(), Arc::clone(&is_rung));
            move || {
                // One word for all that comes before it is heard: orders need the room.
                if !is_rung.swap(true, Ordering::AcqRel) && sender.try_send(Word::Rung).is_err() {
                    is_rung.store(false, Ordering::Release);
                }
            }
        };
        let bell = Bell::hang(&folder, ring);
        if let Err(error) = &bell {
            tracing::debug!("{} is not watched but looked at each second: {error}", folder.display());
        }
        let worker = Worker {
            folder: opened,
            path: folder,
            seen: None,
            read_at: None,
            paused_until: Duration::ZERO,
            freeing: Vec::new(),
            told: Vec::new(),
            say_frame,
            say,
            is_rung,
            bell: bell.ok(),
        };
        std::thread::Builder::new()
            .name("muster-handed".to_owned())
            .stack_size(256 << 10)
            .spawn(move || worker.run(&inbox))?;
        Ok((Self { inbox: sender }, (frames, news), placed))
    }

    /// Hands an order over.
    pub fn obey(&self, order: HandedOrder) {
        // One that does not fit, or whose thread has ended, leaves its file as it is: the next start takes it.
        if self.inbox.try_send(Word::Order(order)).is_err() {
            tracing::error!(?order, "the folder of handed reports does not answer");
        }
    }
}

impl Drop for HandedWorker {
    fn drop(&mut self) {
        // A full inbox has a thread that hangs at its disk: it ends with the process.
        let _ = self.inbox.try_send(Word::End);
    }
}

fn now_ns() -> u64 {
    u64::try_from(time::now().nanos()).unwrap_or(0)
}

struct Worker {
    folder: HandedFolder,
    path: PathBuf,
    /// The folder's time of change when it was read last, once that was no moment ago.
    seen: Option<SystemTime>,
    read_at: Option<Duration>,
    paused_until: Duration,
    /// Places that could not be taken back yet.
    freeing: Vec<u64>,
    told: Vec<Problem>,
    say_frame: mpsc::Sender<HandedFrame>,
    say: mpsc::Sender<HandedNews>,
    is_rung: Arc<AtomicBool>,
    /// `None`: the folder cannot be watched.
    bell: Option<Bell>,
}

impl Worker {
    fn run(mut self, inbox: &Receiver<Word>) {
        loop {
            match inbox.recv_timeout(self.pause()) {
                Ok(Word::Order(order)) => self.carry_out(order),
                Ok(Word::Rung) => self.is_rung.store(false, Ordering::Release),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Word::End) | Err(RecvTimeoutError::Disconnected) => return,
            }
            std::mem::take(&mut self.freeing).into_iter().for_each(|id| self.free(id));
            self.look();
            self.give();
            self.tell_problems();
        }
    }

    fn pause(&self) -> Duration {
        let waits = self.folder.has_waiting() || !self.freeing.is_empty();
        if waits || self.bell.is_none() { LOOK_SOON } else { LOOK_EVERY }
    }

    fn carry_out(&mut self, order: HandedOrder) {
        match order {
            HandedOrder::Claim { id, epoch, seq } => {
                let kept = self.folder.claim(id, epoch, seq);
                if let Err(error) = &kept {
                    tracing::warn!("a handed report waits, its place cannot be made durable: {error}");
                    self.paused_until = time::monotonic() + PAUSE;
                }
                self.answer(HandedAnswer::Claimed { id, kept: kept.is_ok() });
            }
            HandedOrder::Free { id } => self.free(id),
            HandedOrder::Done { id } => self.folder.done(id),
        }
    }

    fn free(&mut self, id: u64) {
        match self.folder.free(id) {
            Ok(()) => self.answer(HandedAnswer::Freed { id }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.answer(HandedAnswer::Freed { id }),
            Err(error) => {
                tracing::warn!("a handed report keeps a place that it is to give back: {error}");
                self.freeing.push(id);
            }
        }
    }

    fn answer(&self, answer: HandedAnswer) {
        // The receiver goes only with the program.
        let _ = self.say.blocking_send(HandedNews::Answer(answer));
    }

    fn look(&mut self) {
        let now = time::monotonic();
        let changed = std::fs::metadata(&self.path).and_then(|folder| folder.modified()).ok();
        let is_due = self.read_at.is_none_or(|at| now >= at + READ_EVERY);
        if !is_due && changed.is_some() && changed == self.seen {
            return;
        }
        self.read_at = Some(now);
        match self.folder.look(now_ns()) {
            Ok(()) => {
                let is_settled = |changed: &SystemTime| {
                    let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(now_ns());
                    now.duration_since(*changed).is_ok_and(|age| age >= SETTLED_AFTER)
                };
                self.seen = changed.filter(is_settled);
            }
            Err(error) => tracing::warn!("{} cannot be read: {error}", self.path.display()),
        }
    }

    /// Hands on what waits, as far as the agent has room.
    fn give(&mut self) {
        while self.folder.has_waiting() && time::monotonic() >= self.paused_until {
            let Ok(room) = self.say_frame.try_reserve() else { return };
            let Some(frame) = self.folder.take_next() else { return };
            room.send(frame);
        }
    }

    fn tell_problems(&mut self) {
        let problems = self.folder.problems();
        if problems != self.told && self.say.try_send(HandedNews::Problems(problems.clone())).is_ok() {
            self.told = problems;
        }
    }
}

#[cfg(test)]
mod tests;
