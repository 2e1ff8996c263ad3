//! Delivers the outbox: every event of the fleet becomes an entry of a stream `{source="muster", event="..."}` (EXACTLY-ONCE.md rule 21).
//!
//! [`Delivery`] decides and is pure. Rows go in order, some at a time, as a tick of a run that is the epoch of their outbox; the tick is
//! the last row's seq. What is taken is the store's mark of that run: after a start, and after anything that is not known to have been
//! taken, an empty batch at the last delivered seq asks for it. So a batch is never made of rows some of which are in the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use muster_common::label::LabelSet;
use muster_common::time::{self, Timestamp};
use muster_common::wire::message::Epoch;
use muster_fleet::{Event, FleetError};
use muster_store::{Append, LogBlock, LogClass, LogEntry, Outcome, Record, Source};

use crate::committer::{Answer, Reply, size_of};
use crate::counters::Count;
use crate::error_text::chain;
use crate::host_labels::{HOST, SOURCE, SOURCE_MUSTER};
use crate::hub::Hub;

/// Rows of one batch: some hundred kB.
pub const ROWS_MAX: usize = 500;
/// How often what rides with other changes is made durable, so that its lines can be read.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// How long after a failure rows are tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// The value of label `job` of all events.
const JOB: &str = "muster";

/// Where the delivery is.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The epoch whose mark is known to be what fleet calls delivered.
    known: Option<Epoch>,
}

/// What an outcome means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Rows up to this seq are in the store.
    Delivered { seq: u64 },
    /// Nothing new is; go on.
    Known,
}

impl Delivery {
    /// What to commit for these rows, which are the oldest undelivered ones in order; `None`: nothing.
    pub fn next(&self, rows: &[Event], now: Timestamp) -> Option<Append> {
        let first = rows.first()?;
        let own: Vec<&Event> = rows.iter().take_while(|row| row.epoch == first.epoch).collect();
        let (tick, records) = if self.known == Some(first.epoch) {
            (own.last()?.seq, blocks(&own))
        } else {
            (first.seq.saturating_sub(1), Vec::new())
        };
        Some(Append { source: Source::Own { run: first.epoch, tick }, records, arrived: now, live: true })
    }

    /// What became of it.
    pub fn settled(&mut self, source: Source, outcome: &Outcome) -> Settled {
        let Source::Own { run, tick } = source else { return Settled::Known };
        let asked = self.known != Some(run);
        match outcome {
            Outcome::Committed { .. } => {
                self.known = Some(run);
                if asked { Settled::Known } else { Settled::Delivered { seq: tick } }
            }
            Outcome::Repeat { mark } if asked => {
                self.known = Some(run);
                Settled::Delivered { seq: *mark }
            }
            // Nobody else writes this run: whatever it was, the mark tells.
            _ => {
                self.known = None;
                Settled::Known
            }
        }
    }

    /// It is not known what became of it, or fleet did not note it.
    pub fn failed(&mut self) {
        self.known = None;
    }
}

/// The events as entries of their streams, in order.
fn blocks(rows: &[&Event]) -> Vec<Record> {
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let mut blocks: Vec<LogBlock> = Vec::new();
    for row in rows {
        let class = row.kind.class().as_str();
        let place = *places.entry((class, row.host_name.as_str())).or_insert_with(|| {
            let labels = event_labels(class, &row.host_name);
            blocks.push(LogBlock { class: LogClass::Events, labels: Arc::new(labels), entries: Vec::new() });
            blocks.len() - 1
        });
        let line = row.text.clone().into_bytes();
        blocks[place].entries.push(LogEntry { at_ns: row.ms.saturating_mul(1_000_000), line, fields: fields_of(row) });
    }
    blocks.into_iter().map(Record::Logs).collect()
}

/// The stream of events of this class and host.
pub(crate) fn event_labels(class: &str, host: &str) -> LabelSet {
    let labels = [(SOURCE, SOURCE_MUSTER), ("event", class), ("job", JOB), (HOST, host)];
    // Names of hosts are far below every limit of labels.
    LabelSet::new(labels).unwrap_or_default()
}

fn fields_of(row: &Event) -> LabelSet {
    event_fields(row.kind.as_str(), &row.by, row.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// `kind`, `by` and the event's own; one that no label set can hold is cut rather than lost.
pub(crate) fn event_fields<'a>(kind: &str, by: &str, own: impl Iterator<Item = (&'a str, &'a str)>) -> LabelSet {
    const FIELD_BYTES_MAX: usize = 4 << 10;
    let fixed = [("kind", kind), ("by", by)];
    let own = own.filter(|(name, _)| !fixed.iter().any(|(taken, _)| taken == name));
    let cut = |(name, value): (&'static str, &str)| (name.to_owned(), shortened(value, FIELD_BYTES_MAX));
    let own = own.map(|(name, value)| (name.to_owned(), shortened(value, FIELD_BYTES_MAX)));
    LabelSet::new(fixed.into_iter().map(cut).chain(own)).unwrap_or_default()
}

fn shortened(text: &str, bytes_max: usize) -> String {
    let end = (0..=text.len().min(bytes_max)).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}

/// Delivers until the collector stops, and once more what its end made.
pub(crate) async fn run(hub: Arc<Hub>) {
    let mut grown = hub.fleet.subscribe_events();
    let mut delivery = Delivery::default();
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        grown.borrow_and_update();
        let wait = match deliver_all(&hub, &mut delivery).await {
            Ok(()) => FLUSH_EVERY * 100,
            Err(()) => {
                delivery.failed();
                AGAIN
            }
        };
        tokio::select! {
            () = hub.stop.cancelled() => return,
            changed = grown.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
            _ = flush.tick() => blocking(&hub, |hub| hub.fleet.flush_events()).await.unwrap_or_default(),
        }
    }
}

/// Delivers what is there. An error has been told and counted; nothing is known of the last batch.
async fn deliver_all(hub: &Arc<Hub>, delivery: &mut Delivery) -> Result<(), ()> {
    loop {
        let rows = blocking(hub, |hub| hub.fleet.undelivered(ROWS_MAX)).await.ok_or(())?;
        let Some(append) = delivery.next(&rows, time::now()) else { return Ok(()) };
        let source = append.source;
        let events: u64 = append.records.iter().map(entries).sum();
        let (reply, answer) = tokio::sync::oneshot::channel();
        let bytes = size_of(&append);
        hub.queue.append(append, bytes, Reply::Once(reply)).await;
        let Ok(Answer::Settled { outcome, .. }) = answer.await else {
            hub.counters.one(Count::OwnFailed);
            return Err(());
        };
        if let Settled::Delivered { seq } = delivery.settled(source, &outcome) {
            hub.counters.add(Count::Events, events);
            let next = hub.fleet.outbox().next_seq;
            if seq >= next {
                tracing::error!(
                    "the store has events up to {seq} of an outbox that has made {next}: state.redb is older than the rest of the data folder; put back whole folders only"
                );
            }
            blocking(hub, move |hub| hub.fleet.delivered(seq)).await.ok_or(())?;
        }
    }
}

fn entries(record: &Record) -> u64 {
    match record {
        Record::Logs(block) => block.entries.len() as u64,
        _ => 0,
    }
}

/// Asks the fleet off the runtime's threads. `None`: it failed, which has been told.
async fn blocking<T: Send + 'static>(
    hub: &Arc<Hub>,
    ask: impl FnOnce(&Hub) -> Result<T, FleetError> + Send + 'static,
) -> Option<T> {
    let asked = hub.clone();
    match tokio::task::spawn_blocking(move || ask(&asked)).await {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            tracing::error!("events wait: {}", chain(&error));
            None
        }
        Err(error) => {
            tracing::error!("events wait, their reading ended in a panic: {error}");
            None
        }
    }
}
