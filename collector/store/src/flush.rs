//! From a sealed head to a level-0 segment: written, synced, named by one catalog commit; then the inbox file may go (rule 22).

use std::path::Path;
use std::sync::Arc;

use muster_common::time::monotonic;

use crate::catalog::SegmentRow;
use crate::columns::Columns;
use crate::engine::Maintenance;
use crate::error::FileError;
use crate::head::Head;
use crate::inbox::seal;
use crate::planted::{Planted, is_planted};
use crate::segment::format::{Header, SECTIONS};
use crate::segment::write::SegmentWriter;
use crate::shared::{Shared, add};

/// What a run of flushes wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flushed {
    pub(crate) generations: usize,
    pub(crate) samples: u64,
}

impl Maintenance<'_> {
    /// Flushes every sealed generation, oldest first.
    pub(crate) fn flush_sealed(&mut self) -> Result<Flushed, FileError> {
        let mut flushed = Flushed::default();
        loop {
            let snapshot = self.shared().published.load();
            // The last one is active.
            let sealed = snapshot.heads.len().saturating_sub(1);
            let Some(head) = snapshot.heads[..sealed].first().map(|view| view.head.clone()) else {
                return Ok(flushed);
            };
            drop(snapshot);
            flushed.samples += self.flush(&head)?;
            flushed.generations += 1;
        }
    }

    fn flush(&mut self, head: &Arc<Head>) -> Result<u64, FileError> {
        let begun = monotonic();
        let shared = self.shared().clone();
        let generation = head.generation;
        let store_id = self.catalog.state().store_id;
        let mut segment = None;
        let mut samples = 0;
        let mut written = Vec::new();
        if head.samples() > 0 {
            let number = self.catalog.take_number();
            let name = SegmentRow { lo: generation, hi: generation, ..EMPTY_ROW }.file_name(number);
            let path = shared.segment_folder.join(name);
            written.push((number, path.clone()));
            let header = match write_head(&shared, head, &path, store_id) {
                Ok(header) => header,
                Err(error) => {
                    self.discard(&written);
                    return Err(error);
                }
            };
            samples = header.samples;
            add(&shared.counters.doubles_dropped, header.appended - header.samples);
            segment = Some((number, SegmentRow::of(&header)));
        }
        let logs = match self.write_logs(head, &mut written) {
            Ok(logs) => logs,
            Err(error) => {
                self.discard(&written);
                return Err(error);
            }
        };
        let mut next = self.catalog.state().clone();
        next.segments.extend(segment);
        for (class, number, row) in logs {
            next.logs.class_mut(class).segments.insert(number, row);
        }
        if !is_planted(&shared.config, Planted::FlushedThroughNotWritten) {
            next.flushed_through = generation;
        }
        if is_planted(&shared.config, Planted::InboxUnlinkedBeforeManifest) {
            // What becomes of it does not matter: the bug is the order.
            let _ = seal::unlink(&shared, generation);
        }
        let fold = self.engine.inbox.lock().positions.fold_of(generation, self.now);
        if let Err(error) = self.commit_with(next, &fold) {
            self.discard(&written);
            return Err(error);
        }
        if is_planted(&shared.config, Planted::FlushedThroughNotWritten) {
            // In memory all looks well until the next start.
            shared.published.change(|snapshot| snapshot.heads.retain(|view| view.head.generation != generation));
            self.engine.inbox.lock().flushed_through(generation);
        }
        add(&shared.counters.flushes, 1);
        add(&shared.counters.flush_micros, u64::try_from((monotonic() - begun).as_micros()).unwrap_or(u64::MAX));
        Ok(samples)
    }
}

/// A row before anything is known of the segment.
const EMPTY_ROW: SegmentRow = SegmentRow { lo: 0, hi: 0, day: None, min_ms: 0, max_ms: 0, samples: 0, bytes: 0 };

/// The header of a segment that holds nothing yet.
pub(crate) fn empty_header(store_id: [u8; 16], lo: u64, hi: u64, day: Option<i32>) -> Header {
    Header {
        store_id,
        lo,
        hi,
        min_ms: i64::MAX,
        max_ms: i64::MIN,
        series: 0,
        chunks: 0,
        samples: 0,
        appended: 0,
        file_bytes: 0,
        day,
        sections: [(0, 0); SECTIONS],
    }
}

/// Writes all samples of a sealed head, series by series in the order of label sets, and makes file and name durable.
fn write_head(shared: &Shared, head: &Head, path: &Path, store_id: [u8; 16]) -> Result<Header, FileError> {
    let mut writer =
        SegmentWriter::new(&*shared.disk, path, empty_header(store_id, head.generation, head.generation, None))?;
    let reader = head.reader(head.arrived());
    let mut columns = Columns::default();
    let used = head.used_slots();
    let ordered = head.index.in_label_order();
    let ordered = ordered.iter().copied().filter(|slot| used.binary_search(slot).is_ok());
    for part in ordered.collect::<Vec<_>>().chunks(1_024) {
        for (slot, one) in head.index.get_all(part) {
            columns.clear();
            reader.read(slot, i64::MIN, i64::MAX, &mut columns);
            let doubles = columns.settle() as u64;
            writer.series(&one.labels, one.kind, &columns.millis, &columns.values, doubles)?;
        }
    }
    let header = writer.finish()?;
    shared.disk.sync_dir(&shared.segment_folder).map_err(FileError::disk("sync folder", &shared.segment_folder))?;
    Ok(header)
}
