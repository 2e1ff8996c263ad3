//! From a batch's content to what the store is to keep.

use muster_common::wire::message::MetricBatch;
use muster_store::{Record, Row, SampleBlock};

use crate::admit::{TimeBounds, TimeRefusal};
use crate::contexts::Resolved;
use crate::counters::{Count, Counters};

/// A metric batch, decoded and admitted.
pub(super) struct Content {
    pub(super) records: Vec<Record>,
    pub(super) samples: u64,
    /// What it costs in memory until it is committed.
    pub(super) bytes: usize,
}

/// Decodes and admits a batch against its context. Rows out of the time bounds are dropped and counted.
///
/// # Errors
/// Why the batch as a whole is refused, for the event that its gap becomes.
pub(super) fn read_batch(
    batch: &MetricBatch,
    context: &Resolved,
    bounds: TimeBounds,
    counters: &Counters,
) -> Result<Content, String> {
    let mut rows: Vec<Row> = Vec::with_capacity(batch.scrapes.len());
    let mut refused = None;
    for scrape in &batch.scrapes {
        let row = context.row(scrape, counters).map_err(|error| error.to_string())?;
        match bounds.admit(scrape.at_ms) {
            Ok(()) => rows.push(row),
            Err(refusal) => {
                let count = match refusal {
                    TimeRefusal::Future => Count::SamplesFuture,
                    TimeRefusal::TooOld => Count::SamplesTooOld,
                };
                counters.add(count, row.values.len() as u64);
                refused = Some((refusal, scrape.at_ms));
            }
        }
    }
    if let (true, Some((refusal, at_ms))) = (rows.is_empty(), refused) {
        return Err(match refusal {
            TimeRefusal::Future => format!(
                "sample time {at_ms} ms is more than 10 min ahead of the collector's clock: set the host's clock by NTP"
            ),
            TimeRefusal::TooOld => format!(
                "sample time {at_ms} ms is older than the retention: none, it would be deleted at once; set the host's clock if its time is wrong"
            ),
        });
    }
    rows.retain(|row| !row.values.is_empty());
    let samples: usize = rows.iter().map(|row| row.values.len()).sum();
    let bytes = 128 + rows.iter().map(|row| 64 + 8 * row.values.len()).sum::<usize>();
    let block = SampleBlock::Rows { table: context.table().clone(), rows };
    let records = if samples == 0 { Vec::new() } else { vec![Record::Samples(block)] };
    Ok(Content { records, samples: samples as u64, bytes })
}
