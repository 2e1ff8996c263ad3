//! A host's lines of the corpus as the frames that an agent would send.

use anyhow::{Context as _, Result};
use muster_common::wire::frame::{Encoder, Frame};
use muster_common::wire::message::{
    Epoch, Lane, LogBatch, LogLine, LogStream, Message, SourceId, SourceRange, WireLabel,
};

use super::corpus::{Block, HostLines, Service};
use super::wire::Feed;
use super::workload::mix;

/// One host's files: a group of the corpus a batch.
pub struct LogFeed {
    host: usize,
    lines: HostLines,
    epoch: Epoch,
    /// How far each file is told.
    offsets: [u64; 3],
}

impl LogFeed {
    pub fn new(seed: u64, host: usize, start_ms: i64, lines: HostLines) -> Self {
        Self { host, lines, epoch: Epoch::new(start_ms, seed ^ host as u64), offsets: [0; 3] }
    }

    /// The range of the file that these lines are.
    fn range(&mut self, number: usize, block: &Block) -> SourceRange {
        let source = SourceId {
            device: 1,
            inode: number as u64 + 1,
            fingerprint: mix(self.host as u64),
            fingerprint_bytes: 1_024,
            incarnation: 0,
            path: Service::ALL[number].path().to_owned(),
        };
        let from = self.offsets[number];
        let to = from + block.iter().map(|(_, line)| line.len() as u64 + 1).sum::<u64>();
        self.offsets[number] = to;
        SourceRange { source, from, to, skipped: String::new(), tail_hash: mix(to), gone: false }
    }
}

impl Feed for LogFeed {
    const LANE: Lane = Lane::P2;

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn opening(&self, _: &mut Encoder, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn batch(&mut self, tick: i64, encoder: &mut Encoder, out: &mut Vec<u8>) -> Result<u64> {
        let (blocks, bytes) = self.lines.group(tick);
        let ranges = blocks.iter().enumerate().map(|(number, block)| self.range(number, block)).collect();
        let label = |name: &str, value: &str| WireLabel { name: name.to_owned(), value: value.to_owned() };
        let streams = blocks.into_iter().zip(Service::ALL).map(|(block, service)| LogStream {
            labels: vec![label("filename", service.path()), label("job", "logs")],
            lines: block.into_iter().map(|(at_ns, line)| LogLine { at_ns, line, fields: Vec::new() }).collect(),
        });
        let batch = LogBatch { ranges, streams: streams.collect(), extensions: Vec::new() };
        let seq = u64::try_from(tick).context("ticks count from 0")? + 1;
        encoder.encode(&Frame::batch(Lane::P2, self.epoch, seq, Message::Logs(batch)), out)?;
        Ok(bytes)
    }
}
