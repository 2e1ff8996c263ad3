//! Log files of a simulated host, their writer with its rotation, and the agent's own reader over them.
//!
//! Files live beside the agent's disk: a crash, a cut, a reverted or wiped state folder takes nothing of them. Rotated files stay in their
//! folder, so that every line can be read again whatever is restored. The reader is the product's; what it remembers between two lives is
//! its file of hints on the agent's disk.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_agent::logs::batch::Batch;
use muster_agent::logs::files::Files as _;
use muster_agent::logs::glob::Glob;
use muster_agent::logs::hints::HintFile;
use muster_agent::logs::log_spool::{self, LogSpool};
use muster_agent::logs::memory::MemoryFiles;
use muster_agent::logs::reader::{LogReader, Scope};
use muster_agent::logs::settings::{From, LogGroup};
use muster_agent::own::Own;
use muster_agent::uplink::Moment;
use muster_agent::uplink::session::{LogFrame, LogOrder};
use muster_common::disk::Disk;
use muster_common::disk::cut::CutDisk;
use muster_common::redact::Redactor;
use muster_common::wire::frame::{self, Frame, FrameReader};
use muster_common::wire::message::{Epoch, Lane, LogBatch, Message, SourceId, WireLabel};

use super::ledger::Violation;
use super::lines::{path_of, text};

/// Files of a host, not counting those rotated away.
pub(super) const FILES: usize = 2;
/// Lines of one frame at most: a world has few lines, and batches are to be many.
const FRAME_LINES: usize = 20;

/// The log files of one host and how many lines each has been given, rotated ones counted.
#[derive(Clone, Debug)]
pub(super) struct LogFiles {
    node: usize,
    tree: MemoryFiles,
    pub(super) written: [u64; FILES],
    /// The rest of a line whose beginning is written.
    unfinished: [String; FILES],
    /// Rotated files there are.
    rotated: [u32; FILES],
    /// Rotated files are packed when they are rotated again.
    is_packing: bool,
}

/// What a change did to a file, as the system tells it.
pub(super) struct Changed {
    file: usize,
    is_name: bool,
}

impl LogFiles {
    pub(super) fn new(node: usize, is_packing: bool) -> Self {
        Self {
            node,
            tree: MemoryFiles::on_device(node as u64 + 1),
            written: [0; FILES],
            unfinished: Default::default(),
            rotated: [0; FILES],
            is_packing,
        }
    }

    /// Some more lines in one of them, the last one perhaps in two pieces.
    pub(super) fn write(&mut self, rng: &mut fastrand::Rng) -> Changed {
        let file = rng.usize(..FILES);
        let mut bytes = std::mem::take(&mut self.unfinished[file]);
        for _ in 0..rng.u64(1..6) {
            bytes += &text((self.node, file), self.written[file]);
            bytes.push('\n');
            self.written[file] += 1;
        }
        if rng.u32(..4) == 0 {
            self.unfinished[file] = bytes.split_off(bytes.len() - rng.usize(1..10));
        }
        self.tree.write(&path_of(file), bytes.as_bytes());
        Changed { file, is_name: false }
    }

    /// Lines of which a part is written are written to their ends.
    pub(super) fn finish(&mut self) {
        for file in 0..FILES {
            let rest = std::mem::take(&mut self.unfinished[file]);
            if !rest.is_empty() {
                self.tree.write(&path_of(file), rest.as_bytes());
            }
        }
    }

    /// The file is renamed, and those before it by one number each. Nothing is done where a line is unfinished or the file is empty, as
    /// programs and logrotate do.
    pub(super) fn rotate(&mut self, file: usize) -> Option<Changed> {
        let head = path_of(file);
        if !self.unfinished[file].is_empty() || !self.has(&head) {
            return None;
        }
        for number in (1..=self.rotated[file]).rev() {
            for ending in ["", ".gz"] {
                let (from, to) = (format!("{head}.{number}{ending}"), format!("{head}.{}{ending}", number + 1));
                if self.has(&from) {
                    self.tree.rename(&from, &to);
                }
            }
        }
        self.tree.rename(&head, &format!("{head}.1"));
        self.rotated[file] += 1;
        let second = format!("{head}.2");
        if self.is_packing && self.has(&second) {
            self.tree.write(&format!("{second}.gz"), &packed(&self.tree.bytes(&second)));
            self.tree.remove(&second);
        }
        Some(Changed { file, is_name: true })
    }

    fn has(&self, path: &str) -> bool {
        self.tree.stat(Path::new(path)).is_ok()
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Memory takes everything.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// A process' reader of its host's files, with what stands between it and the session.
pub(super) struct Tailer {
    reader: LogReader<MemoryFiles>,
    hints: HintFile<CutDisk>,
    frames: VecDeque<LogFrame>,
    is_answered: bool,
    /// Where the next range of each source must begin on this connection, as far as the collector said it.
    pub(super) expected: HashMap<SourceId, u64>,
    pub(super) tap: FrameReader,
}

impl Tailer {
    pub(super) fn new(files: &LogFiles, disk: &CutDisk, own: Arc<Own>) -> Result<Self, Violation> {
        let broken = |what: String| Violation(format!("no reader: {what}"));
        let group = LogGroup {
            paths: vec![Glob::new("/log/*.log").ok_or_else(|| broken("the pattern is none".to_owned()))?],
            exclude: Vec::new(),
            labels: vec![WireLabel { name: "machine".to_owned(), value: files.node.to_string() }],
            from: From::Start,
            multiline: None,
        };
        let redactor = Redactor::new(&[]).map_err(|(_, problem)| broken(problem))?;
        // Of each machine its own: a clone has other files than those of which the hints would tell it.
        let state = PathBuf::from(format!("/logs-{}", files.node));
        // A disk that is off, or fails now, has no hints: they are never needed.
        let _ = disk.create_dir_all(&state);
        let (file, hints) = HintFile::open(disk.clone(), &state);
        let mut reader = LogReader::new(files.tree.clone(), vec![group], redactor, own, hints);
        reader.set_spool(LogSpool::open(Arc::new(disk.clone()), &state, log_spool::BYTES_MAX));
        Ok(Self {
            reader,
            hints: file,
            frames: VecDeque::new(),
            is_answered: false,
            expected: HashMap::new(),
            tap: FrameReader::new(),
        })
    }

    /// A new connection: what is sent on it is watched anew.
    pub(super) fn connected(&mut self) {
        self.tap = FrameReader::new();
        self.expected.clear();
    }

    /// The system says what changed; it does not always.
    pub(super) fn changed(&mut self, change: &Changed, now: Moment) {
        self.reader.changed(Path::new(&path_of(change.file)), change.is_name, now);
    }

    pub(super) fn obey(&mut self, order: &LogOrder, now: Moment) {
        let (positions, scope) = match order {
            LogOrder::SeekAll(positions) => (positions, Scope::All),
            LogOrder::SeekAnew(positions) => (positions, Scope::Anew),
            LogOrder::SeekSome(positions) => (positions, Scope::Some),
            // The collector of these worlds reads whatever it is sent.
            LogOrder::Parts(_) | LogOrder::GiveUp(_) => return,
            LogOrder::Acked(ends) => {
                ends.iter().for_each(|(source, to)| self.reader.acked(source, *to));
                return;
            }
        };
        self.is_answered = true;
        self.frames.clear();
        self.expected = positions.iter().map(|one| (one.source.clone(), one.offset)).collect();
        self.reader.seek(positions, scope, now);
    }

    /// The thread's turn: reads if nothing waits, and remembers what is worth it.
    pub(super) fn turn(&mut self, is_resting: bool, now: Moment, rng: &mut fastrand::Rng) -> Result<(), Violation> {
        self.reader.hold(is_resting);
        if self.frames.is_empty()
            && let Some(batch) = self.reader.turn(now)
        {
            self.frame(batch, rng)?;
        }
        if self.is_answered && self.hints.is_due(now.steady) {
            // A disk error costs hints alone.
            let _ = self.hints.write(self.reader.hints(""), now.steady);
        }
        Ok(())
    }

    fn frame(&mut self, batch: Batch, rng: &mut fastrand::Rng) -> Result<(), Violation> {
        let most = rng.usize(1..=FRAME_LINES);
        let lines = |part: &LogBatch| part.streams.iter().map(|stream| stream.lines.len()).sum::<usize>();
        for part in batch.split(&mut |part| lines(part) <= most) {
            let ends = part.ranges.iter().map(|range| (range.source.clone(), range.to)).collect();
            let lines = lines(&part) as u64;
            let frame = Frame::batch(Lane::P2, Epoch::new(1, 1), 1, Message::Logs(part));
            let bytes =
                frame::encode(&frame).map_err(|error| Violation(format!("lines do not fit a frame: {error}")))?;
            self.frames.push_back(LogFrame { frame: bytes.into(), ends, lines });
        }
        Ok(())
    }

    pub(super) fn next(&mut self) -> Option<LogFrame> {
        self.frames.pop_front()
    }

    /// Whether nothing waits to be handed out.
    pub(super) fn is_idle(&self) -> bool {
        self.is_answered && self.frames.is_empty()
    }
}

/// When the reader wants its next turn, for the trace of a world that does not end.
impl std::fmt::Debug for Tailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let now = Moment { wall: muster_common::time::Timestamp::from_millis(0), steady: Duration::ZERO };
        f.debug_struct("Tailer")
            .field("frames", &self.frames.len())
            .field("is_answered", &self.is_answered)
            .field("due", &self.reader.next_due(now))
            .field("sources", &self.reader.hints("").sources)
            .finish_non_exhaustive()
    }
}
