//! Deletes by selector (rule 24): a tombstone hides lines at once from every view taken later, and merges leave them out.

use std::sync::Arc;

use muster_common::matcher::Matcher;
use muster_common::time::Timestamp;

use super::catalog::Tombstone;
use crate::admin::Admin;
use crate::error::FlushError;
use crate::planted::{Planted, is_planted};
use crate::shared::Snapshot;

/// What [`Admin::delete_logs`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteReport {
    /// The tombstone's number.
    pub number: u64,
    /// The last generation that it covers: what is committed later is not deleted.
    pub covers: u64,
    /// Segments that still hold lines which it may hide; later merges rewrite them.
    pub segments: usize,
}

impl Admin {
    /// Deletes the lines of the matching streams at or after `from_ns` and before `to_ns` (`i64::MAX`: no end), as far as they
    /// were committed before: the active generation is sealed first, so that what comes later is not touched.
    ///
    /// # Errors
    /// [`FlushError`]: after an error of the catalog's commit it is unknown whether the tombstone is there; asking again is safe.
    pub fn delete_logs(
        &self,
        matchers: Vec<Matcher>,
        from_ns: i64,
        to_ns: i64,
        now: Timestamp,
    ) -> Result<DeleteReport, FlushError> {
        self.engine.maintain(now, |maintenance| {
            maintenance.flush_sealed()?;
            let covers = {
                let mut inbox = maintenance.engine.inbox.lock();
                inbox.seal_now(now).map_err(FlushError::Seal)?;
                inbox.active.generation - 1
            };
            maintenance.flush_sealed()?;
            let later = is_planted(&maintenance.shared().config, Planted::TombstoneHidesLater);
            let covers = if later { u64::MAX - 1 } else { covers };
            let number = maintenance.catalog.take_number();
            let mut next = maintenance.catalog.state().clone();
            let tombstone = Tombstone { number, covers, from_ns, to_ns, matchers };
            next.logs.tombstones.insert(number, Arc::new(tombstone));
            maintenance.commit(next)?;
            let logs = &maintenance.catalog.state().logs;
            let rows = logs.classes.iter().flat_map(|class| class.segments.values());
            let touched = |row: &&super::catalog::LogRow| logs.tombstones[&number].touches(row.row.hi, row.cleaned);
            Ok(DeleteReport { number, covers, segments: rows.filter(touched).count() })
        })
    }
}

/// Times that are cut out of one stream of one segment or head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cuts(Vec<(i64, i64)>);

impl Cuts {
    pub(crate) fn hide(&self, at_ns: i64) -> bool {
        self.0.iter().any(|&(from_ns, to_ns)| at_ns >= from_ns && super::select::is_before(at_ns, to_ns))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The tombstones that may hide lines of a segment or head of generations up to `hi`.
pub(crate) fn touching(snapshot: &Snapshot, hi: u64, cleaned: u64) -> Vec<Arc<Tombstone>> {
    snapshot.tombstones.iter().filter(|one| one.touches(hi, cleaned)).cloned().collect()
}

/// What of them hits one stream.
pub(crate) fn cuts(tombstones: &[Arc<Tombstone>], labels: &muster_common::label::LabelSet) -> Cuts {
    let hits = tombstones.iter().filter(|one| one.matches(labels));
    Cuts(hits.map(|one| (one.from_ns, one.to_ns)).collect())
}
