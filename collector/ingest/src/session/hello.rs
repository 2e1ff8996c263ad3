//! From hello to welcome: the registry looks, older sessions drain, the store tells the marks.

use muster_common::time::Timestamp;
use muster_common::wire::message::{Lane, Mark, Message, RefusalCode, Refused, Welcome};

use super::lane::Track;
use super::machine::{Session, Stage};
use super::message::{Effect, Greeting};
use super::positions::pages;
use crate::counters::Count;

impl Session {
    pub(super) fn seen(&mut self, answer: Result<(), Refused>) {
        if !matches!(self.stage, Stage::Seeing) {
            return;
        }
        if let Err(refused) = answer {
            self.refuse(refused);
            return;
        }
        self.effects.push(Effect::Fence);
        self.stage = Stage::Draining;
        #[cfg(feature = "planted")]
        if self.settings.planted == Some(super::Planted::HelloAnsweredBeforeDrain) {
            self.drained();
        }
    }

    pub(super) fn drained(&mut self) {
        if matches!(self.stage, Stage::Draining) {
            self.stage = Stage::Marking;
            self.effects.push(Effect::AskMarks { held: self.held.iter().map(|held| held.epoch).collect() });
        }
    }

    pub(super) fn marks(&mut self, now: Timestamp, answer: Result<Greeting, String>) {
        let (Stage::Marking, Some(host)) = (&self.stage, self.host.clone()) else { return };
        let greeting = match answer {
            Ok(greeting) => greeting,
            Err(why) => {
                self.refuse(Refused {
                    code: RefusalCode::Storage,
                    message: format!("the collector cannot read this host's marks now: {why}"),
                    remedy: "look at the collector's disk; the agent tries again by itself".to_owned(),
                    retry_after_ms: 5_000,
                });
                return;
            }
        };
        let all_held = std::mem::take(&mut self.held);
        for held in &all_held {
            for lane in Lane::ALL {
                self.tracks.insert((held.epoch, lane), Track::at(0));
            }
            self.newest = self.newest.max(held.epoch);
        }
        let mut marks = Vec::with_capacity(greeting.marks.len());
        let mut reverted = false;
        for row in &greeting.marks {
            self.tracks.insert((row.epoch, row.lane), Track::at(row.seq));
            marks.push(Mark { epoch: row.epoch, lane: row.lane, seq: row.seq, arrived_ms: row.arrived_ms });
            // Lines are not judged by marks: after a lost connection they go on in an epoch of their own.
            if row.lane == Lane::P2 {
                continue;
            }
            let held = all_held.iter().find(|held| held.epoch == row.epoch);
            reverted |= held.is_some_and(|held| held.last_seq[row.lane as usize] < row.seq);
        }
        if reverted {
            self.shared.counters.one(Count::SessionsReverted);
        }
        let takes_lines = self.settings.lanes & (1 << Lane::P2 as u8) != 0 && !greeting.positions.is_empty();
        let pages = if takes_lines { pages(&greeting.positions) } else { Vec::new() };
        let mut extensions = vec![Welcome::reports_known(), Welcome::frames_known()];
        if !greeting.inventory.is_empty() {
            extensions.push(Welcome::digests_known(&greeting.inventory));
        }
        self.stage = Stage::Open;
        self.shared.counters.one(Count::Sessions);
        self.send(Message::Welcome(Welcome {
            host_id: host.id.0,
            host_name: host.name.clone(),
            store_id: greeting.store_id,
            incarnation: greeting.incarnation,
            clock_ms: now.millis(),
            marks,
            position_pages: u32::try_from(pages.len()).unwrap_or(u32::MAX),
            lanes: self.settings.lanes,
            throttle: self.shared.throttle,
            extensions,
        }));
        for page in pages {
            self.send(Message::Positions(page));
        }
        self.effects.push(Effect::Welcomed);
    }
}
