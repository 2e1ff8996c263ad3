//! What taking samples costs.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use crate::bench;

pub(super) fn ingest_rows(programs: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, goal) in [("wire", 2.0), ("remote-write", 0.6)] {
        let done = bench::ingest(programs, name, 40)?;
        let rate = done.samples / done.cpu_seconds / 1e6;
        let load = format!("100 k series, {:.0} M samples, one scrape a batch, 200 hosts", done.samples / 1e6);
        let figure = format!("durable ingest by {name}, CPU until flushed");
        rows.push(row(
            &figure,
            &format!(">= {goal} M samples/CPU-s"),
            format!("{rate:.2} M"),
            &load,
            Some(rate >= goal),
        ));
        let bytes = format!("{:.2} B", done.disk_bytes / done.samples);
        rows.push(row(&format!("bytes a sample in segments, by {name}"), "", bytes, &load, None));
        let wire = format!("{:.2} B a sample", done.wire_bytes / done.samples);
        rows.push(row(&format!("bytes on the wire by {name}"), "", wire, &load, None));
        rows.push(row(&format!("collector peak memory, {name}"), "", format!("{:.0} MiB", done.peak_mib), &load, None));
    }
    Ok(rows)
}
