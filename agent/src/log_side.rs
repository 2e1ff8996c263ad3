//! Between the reader of log files on its thread and the session: batches become frames, the collector's positions become words.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use muster_common::disk::real::RealDisk;
use muster_common::wire::frame::{Encoder, Frame};
use muster_common::wire::message::{Epoch, Lane, LogBatch, Message, Problem};
use tokio::sync::mpsc;

use crate::logs::batch::Batch;
use crate::logs::reader::Scope;
use crate::logs::settings::LogsConfig;
use crate::logs::worker::{LogNews, LogWord, LogWorker, LogWorkerConfig, LogWorkerError};
use crate::own::Own;
use crate::uplink::{LogFrame, LogOrder};

/// Batches that wait for the session: each is up to 1 MiB, and the files are the buffer.
const NEWS_MAX: usize = 2;
/// Frames are made under this place; the session gives each its own.
const UNPLACED: Epoch = Epoch([0xff; 16]);

/// The reader's handle, and frames that wait for their turn.
pub(crate) struct LogSide {
    worker: LogWorker,
    encoder: Encoder,
    frames: VecDeque<LogFrame>,
    /// Seeks told so far: what was read before the latest one is read again.
    seeks: u64,
    /// Lines of a frame at most, while the collector could not read one that was larger.
    parts: Option<u64>,
    is_held: bool,
}

impl LogSide {
    /// Starts the reader, if this host has anything to read. It is held until a connection stands.
    ///
    /// # Errors
    /// [`LogWorkerError`]
    pub(crate) fn start(
        logs: LogsConfig,
        state_dir: PathBuf,
        own: Arc<Own>,
    ) -> Result<(Option<Self>, mpsc::Receiver<LogNews>), LogWorkerError> {
        let (say, news) = mpsc::channel(NEWS_MAX);
        let journalctl = PathBuf::from("journalctl");
        let config = LogWorkerConfig { logs, disk: RealDisk, state_dir, journalctl, own };
        let tell = move |news| say.try_send(news).map_err(mpsc::error::TrySendError::into_inner);
        let worker = LogWorker::start(config, tell)?;
        let side = worker.map(|worker| {
            worker.say(LogWord::Hold(true));
            Self { worker, encoder: Encoder::new(), frames: VecDeque::new(), seeks: 0, parts: None, is_held: true }
        });
        Ok((side, news))
    }

    /// What the session says of the collector's positions.
    pub(crate) fn obey(&mut self, order: LogOrder) {
        let (positions, scope) = match order {
            LogOrder::SeekAll(positions) => (positions, Scope::All),
            LogOrder::SeekAnew(positions) => (positions, Scope::Anew),
            LogOrder::SeekSome(positions) => (positions, Scope::Some),
            LogOrder::Acked(ends) => {
                ends.into_iter().for_each(|(source, to)| self.worker.say(LogWord::Acked { source, to }));
                return;
            }
            LogOrder::Parts(lines) => {
                self.parts = lines;
                return;
            }
            LogOrder::GiveUp(ends) => return self.worker.say(LogWord::GiveUp(ends)),
        };
        self.frames.clear();
        self.seeks += 1;
        self.worker.say(LogWord::Seek { positions, scope });
    }

    /// While there is no connection nothing is read; the files wait.
    pub(crate) fn hold(&mut self, is_held: bool) {
        if std::mem::replace(&mut self.is_held, is_held) != is_held {
            self.worker.say(LogWord::Hold(is_held));
        }
    }

    /// Whether more may be heard of the reader.
    pub(crate) fn is_hungry(&self) -> bool {
        self.frames.is_empty()
    }

    /// Takes what the reader says; problems are handed on.
    pub(crate) fn hear(&mut self, news: LogNews) -> Option<Vec<Problem>> {
        match news {
            LogNews::Problems(problems) => return Some(problems),
            LogNews::Batch { seeks, batch } if seeks == self.seeks => self.frame(batch),
            LogNews::Batch { .. } => {}
        }
        None
    }

    pub(crate) fn next(&mut self) -> Option<LogFrame> {
        self.frames.pop_front()
    }

    /// One frame mostly; a batch that does not compress, or that the collector could not read, is cut into as many as it takes.
    fn frame(&mut self, batch: Batch) {
        let lines_max = self.parts.unwrap_or(u64::MAX);
        if batch.lines() as u64 <= lines_max
            && let Some(frame) = self.encode(batch.to_wire())
        {
            self.frames.push_back(frame);
            return;
        }
        let encoder = &mut self.encoder;
        let mut bytes = Vec::new();
        let parts = batch.split(&mut |part| {
            bytes.clear();
            lines_of(part) <= lines_max && encoder.encode(&place(part.clone()), &mut bytes).is_ok()
        });
        for part in parts {
            match self.encode(part) {
                Some(frame) => self.frames.push_back(frame),
                // Its bytes are asked for again by their position: said each time, since nothing else shows why lines do not move.
                None => tracing::error!("lines of a log cannot be framed and hold up their file; report this"),
            }
        }
    }

    fn encode(&mut self, batch: LogBatch) -> Option<LogFrame> {
        let ends = batch.ranges.iter().map(|range| (range.source.clone(), range.to)).collect();
        let lines = lines_of(&batch);
        let mut bytes = Vec::new();
        self.encoder.encode(&place(batch), &mut bytes).ok()?;
        Some(LogFrame { frame: bytes.into(), ends, lines })
    }
}

fn lines_of(batch: &LogBatch) -> u64 {
    batch.streams.iter().map(|stream| stream.lines.len() as u64).sum()
}

fn place(batch: LogBatch) -> Frame {
    Frame::batch(Lane::P2, UNPLACED, 1, Message::Logs(batch))
}
