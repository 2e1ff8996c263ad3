//! A host of the workload as the frames that an agent would send.

use anyhow::{Context as _, Result};
use muster_common::sample::MetricKind;
use muster_common::wire::frame::{Encoder, Frame};
use muster_common::wire::message::{Context, Epoch, Lane, Message, MetricBatch, Scrape, SeriesEntry, WireLabel};
use muster_common::wire::metrics::{RowCoder, pick_scale};

use super::wire::Feed;
use super::workload::{HostSeries, host_series, scrape_ms};

/// One host's frames: a context, then one batch a scrape.
pub struct HostFeed {
    seed: u64,
    host: usize,
    start_ms: i64,
    series: Vec<HostSeries>,
    coder: RowCoder,
    row: Vec<f64>,
    epoch: Epoch,
    context: Context,
}

impl HostFeed {
    /// # Errors
    /// When the workload does not fit the protocol, which a test of this crate would show.
    pub fn new(seed: u64, host: usize, start_ms: i64) -> Result<Self> {
        let mut series = host_series(seed, host);
        // The context's row is one scrape before the first.
        let row: Vec<f64> = series.iter_mut().map(|series| series.values.step()).collect();
        let entry = |(series, value): (&HostSeries, &f64)| SeriesEntry {
            name: series.name.clone(),
            labels: series
                .labels
                .iter()
                .map(|(name, value)| WireLabel { name: (*name).to_owned(), value: value.clone() })
                .collect(),
            kind: if series.name.ends_with("_total") { MetricKind::Counter } else { MetricKind::Gauge } as u8,
            scale: pick_scale(*value),
        };
        let entries = series.iter().zip(&row).map(entry).collect();
        let context = Context { id: 1, series: entries, row: row.clone(), extensions: Vec::new() };
        let coder = RowCoder::new(&context).context("the workload's context")?;
        let epoch = Epoch::new(start_ms, seed ^ host as u64);
        Ok(Self { seed, host, start_ms, series, coder, row, epoch, context })
    }
}

impl Feed for HostFeed {
    const LANE: Lane = Lane::P1;

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn opening(&self, encoder: &mut Encoder, out: &mut Vec<u8>) -> Result<()> {
        encoder.encode(&Frame::context(self.epoch, self.context.clone()), out)?;
        Ok(())
    }

    fn batch(&mut self, tick: i64, encoder: &mut Encoder, out: &mut Vec<u8>) -> Result<u64> {
        for (slot, series) in self.row.iter_mut().zip(&mut self.series) {
            *slot = series.values.step();
        }
        let at_ms = scrape_ms(self.seed, self.host, self.start_ms, tick);
        let mut scrape =
            Scrape { at_ms, present: Vec::new(), differs: Vec::new(), changes: Vec::new(), raw: Vec::new() };
        self.coder.encode(at_ms, None, &self.row, &mut scrape)?;
        let batch = MetricBatch { context: self.context.id, scrapes: vec![scrape], extensions: Vec::new() };
        let seq = u64::try_from(tick).context("ticks count from 0")? + 1;
        encoder.encode(&Frame::batch(Lane::P1, self.epoch, seq, Message::Metrics(batch)), out)?;
        Ok(self.series.len() as u64)
    }
}
