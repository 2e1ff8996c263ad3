//! Which processes used most of each host, a row a host and minute, for a day: who used it at 03:12?
//!
//! The rows are a projection of reports as gaps are: written in the transaction that says how far the inbox is applied, and the same
//! however often an entry is applied. Their keys begin with the minute, so that what is too old, of any host, is at the front.

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{ProcessLook, Report};
use muster_common::wire::record::{decode_report, encode_report};
use redb::{ReadableTable, ReadableTableMetadata, Table};

use crate::checks::Reported;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::projection::key_from;
use crate::state::Reading;

/// How long looks are kept, by their arrival.
pub const LOOKS_KEPT_MS: i64 = 24 * 60 * MINUTE_MS;
/// Looks kept of all hosts together, some 600 MB: a day of 690 hosts, five hours of 3,000. The oldest go first and are counted.
pub const LOOKS_MAX: u64 = 1_000_000;
const MINUTE_MS: i64 = 60_000;
/// How many minutes after a moment the look may end whose span covers it: as far apart as an agent takes them.
const SPAN_MINUTES_MAX: i64 = 6;
/// How far ahead of the collector's clock a look may be dated, and one minute to be sure.
const AHEAD_MINUTES: i64 = 11;
/// Rows that one transaction drops at most, so that it takes milliseconds even after a long stop.
const DROPPED_AT_ONCE: u64 = 10_000;

/// A look as it is written.
pub(crate) struct LookRow {
    key: Vec<u8>,
    arrived_ms: i64,
    value: Vec<u8>,
}

impl LookRow {
    /// The row of this report, if it is a look. Later looks of the same minute take its place.
    pub(crate) fn of(reported: &Reported) -> Option<Self> {
        let Report::Processes(look) = &reported.report else { return None };
        // It was decoded, so it keeps to its rules.
        let value = encode_report(&reported.report).ok()?;
        let key = key(look.at_ms.div_euclid(MINUTE_MS), reported.host);
        Some(Self { key, arrived_ms: reported.arrived.millis(), value })
    }
}

fn key(minute: i64, host: HostId) -> Vec<u8> {
    let mut key = key_from(minute);
    key.extend_from_slice(&host.0);
    key
}

/// Writes looks and drops what is older than a day, or more than [`LOOKS_MAX`]. The answer is how many went before their time.
pub(crate) fn write_looks(
    table: &mut Table<'_, &'static [u8], &'static [u8]>,
    looks: &[LookRow],
) -> Result<u64, redb::Error> {
    let Some(arrived_ms) = looks.iter().map(|look| look.arrived_ms).max() else { return Ok(0) };
    let oldest = key_from((arrived_ms - LOOKS_KEPT_MS).div_euclid(MINUTE_MS));
    for look in looks.iter().filter(|look| look.key >= oldest) {
        table.insert(look.key.as_slice(), look.value.as_slice())?;
    }
    let mut early = 0;
    for _ in 0..DROPPED_AT_ONCE {
        let is_old = table.first()?.is_some_and(|(key, _)| key.value() < oldest.as_slice());
        let is_over = table.len()? > LOOKS_MAX;
        if !is_old && !is_over {
            break;
        }
        table.pop_first()?;
        early += u64::from(!is_old);
    }
    Ok(early)
}

impl Fleet {
    /// The look at this host's processes whose span covers this moment, else the nearest one; without a moment the newest. `None`: nothing
    /// is known of the last day.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a row is damaged.
    pub fn processes(
        &self,
        host: HostId,
        at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<ProcessLook>, FleetError> {
        let minute = |ms: i64| ms.div_euclid(MINUTE_MS);
        let newest = minute(now.millis()) + AHEAD_MINUTES;
        let oldest = minute(now.millis() - LOOKS_KEPT_MS);
        self.scan(|reading| {
            let look = |minute| look_of(reading, minute, host);
            let Some(at) = at else { return first((oldest..=newest).rev().map(look)) };
            let at_ms = at.millis();
            // What is asked for may lie far outside of what is kept.
            let asked = minute(at_ms).clamp(oldest - 1, newest);
            let mut after = None;
            for minute in asked..=(asked + SPAN_MINUTES_MAX).min(newest) {
                let Some(one) = look(minute)?.filter(|one| one.at_ms >= at_ms) else { continue };
                if covers(&one, at_ms) {
                    return Ok(Some(one));
                }
                after = after.or(Some(one));
            }
            let before = first((oldest..=asked).rev().map(|minute| {
                let one = look(minute)?;
                Ok(one.filter(|one| one.at_ms < at_ms))
            }))?;
            if after.is_none() && before.is_none() {
                return first((asked..=newest).map(look));
            }
            Ok([after, before].into_iter().flatten().min_by_key(|one| one.at_ms.abs_diff(at_ms)))
        })
    }
}

/// Whether the span of this look holds this moment.
pub fn covers(look: &ProcessLook, at_ms: i64) -> bool {
    let begin_ms = look.at_ms.saturating_sub_unsigned(look.span_ms);
    (begin_ms..=look.at_ms).contains(&at_ms)
}

fn first<T>(mut found: impl Iterator<Item = Result<Option<T>, FleetError>>) -> Result<Option<T>, FleetError> {
    found.find_map(Result::transpose).transpose()
}

fn look_of(reading: &Reading, minute: i64, host: HostId) -> Result<Option<ProcessLook>, FleetError> {
    reading.process_look(&key(minute, host), |bytes| match decode_report(bytes) {
        Ok(Report::Processes(look)) => Ok(look),
        Ok(_) => Err("it is another report".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

#[cfg(test)]
mod tests;
