//! What a stopped collector's folder holds, read by the store itself.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use muster_common::disk::real::RealDisk;
use muster_common::matcher::Matcher;
use muster_common::time;
use muster_store::{Config, Select, SelectLimits, SeriesColumns, View};

use super::Report;
use crate::load::wire;
use crate::load::workload::{host_name, host_series, scrape_ms};

fn open(data: &Path) -> Result<View> {
    let now = time::now();
    let config = Config::new(data);
    let mut seed = now.nanos() as u64;
    let mut random = || {
        seed = crate::load::workload::mix(seed);
        seed
    };
    let parts = muster_store::open(Arc::new(RealDisk), config, now, &mut random).context("opening the data folder")?;
    Ok(parts.reader.view())
}

fn select<'a>(matchers: &'a [Matcher]) -> Select<'a> {
    let limits = SelectLimits { series_max: usize::MAX, samples_max: usize::MAX };
    Select { matchers, from_ms: i64::MIN, to_ms: i64::MAX, limits, cancelled: None }
}

/// Samples of a host as stored (doubles counted) and as answered. The collector must not run.
///
/// # Errors
/// When the folder cannot be opened or read.
pub fn count(data: &Path, host: &str) -> Result<(u64, u64)> {
    let view = open(data)?;
    let matchers = [Matcher::equal("host", host)];
    let raw = view.raw_count(&select(&matchers))?;
    let distinct = view.select(&select(&matchers))?.iter().map(|series| series.millis.len() as u64).sum();
    Ok((raw, distinct))
}

/// Every acknowledged sample of the load against what is stored, bit for bit.
pub(crate) fn compare(data: &Path, load: &wire::Load, acked: &[u64], report: &mut Report) -> Result<()> {
    let view = open(data)?;
    for (host, acked) in acked.iter().enumerate() {
        let matchers = [Matcher::equal("host", host_name(host))];
        let stored = view.select(&select(&matchers))?;
        let raw = view.raw_count(&select(&matchers))?;
        let distinct: u64 = stored.iter().map(|series| series.millis.len() as u64).sum();
        report.doubled += raw - distinct;
        let ticks = i64::try_from(*acked)?;
        for mut series in host_series(load.seed, host) {
            let found = stored.iter().find(|columns| is_this(columns, &series.name, &series.labels));
            // The context's row was one step before the first scrape.
            series.values.step();
            for tick in 0..ticks {
                let value = series.values.step();
                let millis = scrape_ms(load.seed, host, load.start_ms, tick);
                let at = found.and_then(|columns| Some((columns, columns.millis.binary_search(&millis).ok()?)));
                if at.is_none_or(|(columns, at)| columns.values[at].to_bits() != value.to_bits()) {
                    report.lost += 1;
                }
            }
        }
    }
    Ok(())
}

fn is_this(columns: &SeriesColumns, name: &str, labels: &[(&'static str, String)]) -> bool {
    columns.labels.name() == name && labels.iter().all(|(name, value)| columns.labels.get(name) == Some(value.as_str()))
}
