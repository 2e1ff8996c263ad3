//! Senders without seqs: bodies that are repeated until answered, and points that are written over.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::label::{LabelSet, NAME};
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_store::{Append, Outcome, Point, Record, SampleBlock, SeriesTable, Source};

use super::ledger::{Ledger, RowNumber, Violation};

/// Host of the repeating sender's rows, and label of the overwriter's.
pub(super) const SENDER: HostId = HostId([0xee; 16]);
pub(super) const OVERWRITTEN: &str = "overwritten";
/// Times that the overwriter writes over and over.
const PLACES: i64 = 12;

/// The time of a place: within retention, before the world begins.
pub(super) fn place_ms(place: i64) -> i64 {
    super::world::START_MS - 3_600_000 + place * 1_000
}

/// A sender that repeats each body until it has an answer, as the protocol asks, within the 15 minutes.
pub(super) struct HttpSender {
    rng: fastrand::Rng,
    table: Arc<SeriesTable>,
    over_table: Arc<SeriesTable>,
    /// The body under way: its row and when it was first sent.
    body: Option<(RowNumber, i64)>,
    over: Option<(i64, f64)>,
    asked: Option<u64>,
    next_request: u64,
    next_value: f64,
    /// Value of each place by the last answer, and the one under way when an answer was lost.
    pub(super) written: BTreeMap<i64, f64>,
    pub(super) maybe: BTreeMap<i64, Vec<f64>>,
}

fn table(host: &str) -> Result<Arc<SeriesTable>, Violation> {
    let labels = LabelSet::new([(NAME, "pushed"), ("host", host)]).map_err(|error| Violation(error.to_string()))?;
    Ok(Arc::new(SeriesTable::new(vec![(labels, MetricKind::Gauge)])))
}

impl HttpSender {
    pub(super) fn new(seed: u64) -> Result<Self, Violation> {
        Ok(Self {
            rng: fastrand::Rng::with_seed(seed),
            table: table(&SENDER.to_string())?,
            over_table: table(OVERWRITTEN)?,
            body: None,
            over: None,
            asked: None,
            next_request: 0,
            next_value: 0.0,
            written: BTreeMap::new(),
            maybe: BTreeMap::new(),
        })
    }

    /// The next request, if none is under way: (its number, the append).
    pub(super) fn next(&mut self, now_ms: i64, ledger: &mut Ledger) -> Option<(u64, Append)> {
        if self.asked.is_some() {
            return None;
        }
        self.next_request += 1;
        self.asked = Some(self.next_request);
        if self.over.is_some() || (self.body.is_none() && self.rng.bool()) {
            let (place, value) = *self.over.get_or_insert_with(|| {
                self.next_value += 1.0;
                (self.rng.i64(0..PLACES), self.next_value)
            });
            let append = append(&self.over_table, (place_ms(place), value), u128::from(self.rng.u64(..)), now_ms);
            return Some((self.next_request, append));
        }
        let (row, first_ms) = *self.body.get_or_insert_with(|| (ledger.make(SENDER), now_ms));
        Some((self.next_request, append(&self.table, (first_ms, row as f64), u128::from(row), now_ms)))
    }

    /// No answer will come: the same body goes again.
    pub(super) fn lost(&mut self) {
        self.asked = None;
        if let Some((place, value)) = self.over.take() {
            self.maybe.entry(place).or_default().push(value);
        }
    }

    pub(super) fn answered(&mut self, request: u64, outcome: Option<Outcome>, now_ms: i64, ledger: &mut Ledger) {
        if self.asked != Some(request) {
            return;
        }
        match outcome {
            Some(Outcome::Committed { .. } | Outcome::RepeatedBody) => {
                self.asked = None;
                if let Some((place, value)) = self.over.take() {
                    self.written.insert(place, value);
                    self.maybe.remove(&place);
                } else if let Some((row, _)) = self.body.take() {
                    ledger.promise(row, now_ms);
                }
            }
            _ => self.lost(),
        }
    }
}

fn append(table: &Arc<SeriesTable>, (at_ms, value): (i64, f64), body: u128, now_ms: i64) -> Append {
    let points = vec![Point { series: 0, at_ms, value }];
    Append {
        source: Source::Http { body, stamped: true },
        records: vec![Record::Samples(SampleBlock::Points { table: Arc::clone(table), points })],
        arrived: Timestamp::from_millis(now_ms),
        live: true,
    }
}
