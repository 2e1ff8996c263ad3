//! The outbox as its carrier sees it: rows that are not delivered, in order, and how far it is (EXACTLY-ONCE.md rule 21).
//!
//! What decides whether a row is in the store is the store's own mark; the number here only follows it.

use tokio::sync::watch;

use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::outbox::Event;

impl Fleet {
    /// The next seq of the outbox, to wait on: it grows with every event that is durable.
    pub fn subscribe_events(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// The oldest rows that are not delivered, at most `limit`, in order.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn undelivered(&self, limit: usize) -> Result<Vec<Event>, FleetError> {
        let after = self.outbox().delivered;
        if after.saturating_add(1) >= self.outbox().next_seq {
            return Ok(Vec::new());
        }
        self.scan(|reading| reading.events_after(after, limit))
    }

    /// The rows after this seq that are kept, at most `limit`, in order.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn events_after(&self, seq: u64, limit: usize) -> Result<Vec<Event>, FleetError> {
        self.scan(|reading| reading.events_after(seq, limit))
    }

    /// All rows up to this seq are in the store. They stay for `/events` until newer ones push them out.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails: the rows are offered again.
    pub fn delivered(&self, seq: u64) -> Result<(), FleetError> {
        let mut state = self.sure_state()?;
        let outbox = self.outbox();
        let seq = seq.min(outbox.next_seq.saturating_sub(1));
        if seq <= outbox.delivered {
            return Ok(());
        }
        self.commit(&mut state, Draft { delivered: Some(seq), ..Draft::default() })
    }

    /// Makes events durable that wait for a ride: those of hellos. To be called every few seconds.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails: they ride later.
    pub fn flush_events(&self) -> Result<(), FleetError> {
        if !self.sightings.lock().has_events() {
            return Ok(());
        }
        self.flush()
    }
}

#[cfg(test)]
mod tests {
    use crate::by::By;
    use crate::testing::{Bench, at};
    use crate::{Event, EventKind, OUTBOX_ROWS_MAX};

    fn seqs(events: &[Event]) -> Vec<u64> {
        events.iter().map(|event| event.seq).collect()
    }

    #[test]
    fn rows_are_offered_until_they_are_delivered_and_stay_to_be_read() {
        let bench = Bench::new();
        let mut grown = bench.fleet.subscribe_events();
        assert_eq!(*grown.borrow_and_update(), 2);
        bench.host("db1");
        assert_eq!(*grown.borrow_and_update(), 4);
        assert_eq!(seqs(&bench.fleet.undelivered(2).unwrap()), [1, 2]);
        bench.fleet.delivered(2).unwrap();
        bench.fleet.delivered(1).unwrap();
        let bench = bench.reopen();
        let rest = bench.fleet.undelivered(100).unwrap();
        assert_eq!((seqs(&rest), rest[0].epoch), (vec![3], bench.fleet.outbox().epoch));
        bench.fleet.delivered(900).unwrap();
        assert_eq!((bench.fleet.undelivered(100).unwrap().len(), bench.fleet.outbox().delivered), (0, 3));
        assert_eq!(seqs(&bench.events()), [1, 2, 3]);
    }

    #[test]
    fn rows_keep_the_epoch_under_which_they_were_made() {
        let bench = Bench::new();
        bench.fleet.set_incarnation(1, Default::default(), at(1)).unwrap();
        let first = bench.fleet.outbox().epoch;
        bench.fleet.set_incarnation(2, Default::default(), at(2)).unwrap();
        let second = bench.fleet.outbox().epoch;
        let rows = bench.fleet.undelivered(9).unwrap();
        let told: Vec<_> = rows.iter().map(|event| (event.kind, event.epoch)).collect();
        assert_eq!(told, [(EventKind::AuthorityMade, first), (EventKind::StoreRestored, second)]);
    }

    #[test]
    fn only_rows_that_were_never_delivered_count_as_dropped() {
        let bench = Bench::new();
        let add = |many: u64| {
            let event = Event::new(EventKind::HostBooted, &By::AGENT, at(1), "x".into());
            let events = (0..many).map(|_| event.clone());
            let add = |draft: &mut crate::draft::Draft| draft.events.extend(events);
            bench
                .fleet
                .change(|_, draft| {
                    add(draft);
                    Ok(())
                })
                .unwrap();
        };
        add(OUTBOX_ROWS_MAX - 1);
        bench.fleet.delivered(30).unwrap();
        add(50);
        assert_eq!((bench.fleet.outbox().dropped, bench.fleet.outbox().rows), (20, OUTBOX_ROWS_MAX));
        assert_eq!(bench.fleet.undelivered(1).unwrap()[0].seq, 51);
    }
}
