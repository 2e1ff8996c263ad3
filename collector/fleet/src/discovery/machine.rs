//! One item: what a look, a decision or time make of it. Pure: whatever happens, happens here.
//!
//! ```text
//!     found ----> proposed --accept--> accepted --went--> gone --7 days, a person--> archived
//!                  |    |                 ^  ^             |  |                         |
//!                  |    ignore            |  +--is back----+  +--announced: at once---->|
//!                  |    v                 |                                             |
//!                  |   ignored --accept---+--------------------------accept-------------+
//!                  went: dropped, without a word               is back: proposed again
//! ```

use std::time::Duration;

use super::item::{Between, Fate, ItemState};
use super::kinds::Offer;

const DAY_MS: i64 = 86_400_000;
/// How often a thing may go in a day before it is one that comes and goes: a restart or two of an upgrade are fewer.
pub(crate) const WENTS_A_DAY: usize = 5;
/// How many of these times are kept: enough to count one too many.
pub(crate) const WENT_KEPT: usize = WENTS_A_DAY + 1;
/// How long what vanished is gone before it is archived by itself.
pub(crate) const GONE_DAYS: u32 = 7;
/// How long what was archived or ignored is remembered once it is not there.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);
/// The same of retired hosts: ephemeral ones are many.
pub(crate) const REMEMBERED_OF_RETIRED: Duration = Duration::from_secs(7 * 86_400);

/// What a look says of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    There(Offer),
    /// It is not there, and all of its tables were told whole.
    Went {
        between: Between,
        /// Why that was to be expected, and who said so.
        announced: Option<(String, String)>,
    },
}

/// What is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is proposed.
    Found,
    Gone,
    Back,
    /// It was archived by itself.
    Archived,
    /// It comes and goes, which is told once a day.
    Flaps,
}

/// What somebody decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    Ignore,
    Archive,
}

/// What is wrong with an item, and what can be done.
pub(crate) type Refusal = (&'static str, &'static str);

impl Fate {
    /// Of a thing that is new.
    pub(crate) fn new(now_ms: i64) -> Self {
        Self {
            state: ItemState::Proposed,
            is_there: true,
            found_ms: now_ms,
            since_ms: now_ms,
            by: "muster".to_owned(),
            reason: String::new(),
            went: None,
            went_ms: Vec::new(),
            told_ms: 0,
        }
    }

    /// What a look makes of it, and what is to be told.
    pub(crate) fn look(&mut self, sight: Sight, now_ms: i64) -> Option<Told> {
        match sight {
            Sight::There(offer) => self.seen(offer, now_ms),
            Sight::Went { between, announced } => self.missed(between, announced, now_ms),
        }
    }

    fn seen(&mut self, offer: Offer, now_ms: i64) -> Option<Told> {
        let was_there = self.is_there;
        match (self.state, offer) {
            // What stands for it is proposed in its place.
            (ItemState::Proposed, Offer::Covered) => {
                self.enter(ItemState::Dropped, "muster", "", now_ms);
                self.is_there = false;
                None
            }
            (ItemState::Dropped, Offer::Yes) => {
                self.come_back(ItemState::Proposed, now_ms);
                self.tell(Told::Found, now_ms)
            }
            // It came again after it was archived: that is new.
            (ItemState::Archived, Offer::Yes) if !was_there => {
                self.come_back(ItemState::Proposed, now_ms);
                self.tell(Told::Found, now_ms)
            }
            (ItemState::Dropped | ItemState::Archived, _) => None,
            (ItemState::Gone, _) => {
                self.come_back(ItemState::Accepted, now_ms);
                "it is back".clone_into(&mut self.reason);
                self.tell(Told::Back, now_ms)
            }
            (ItemState::Accepted, _) if !was_there => {
                (self.is_there, self.went) = (true, None);
                self.tell(Told::Back, now_ms)
            }
            (ItemState::Proposed | ItemState::Accepted | ItemState::Ignored, _) => {
                (self.is_there, self.went) = (true, None);
                None
            }
        }
    }

    fn missed(&mut self, between: Between, announced: Option<(String, String)>, now_ms: i64) -> Option<Told> {
        if !std::mem::replace(&mut self.is_there, false) {
            return None;
        }
        match self.state {
            ItemState::Proposed => {
                self.count_went(now_ms);
                self.enter(ItemState::Dropped, "muster", "", now_ms);
                None
            }
            ItemState::Accepted => {
                self.count_went(now_ms);
                self.went = Some(between);
                match announced {
                    Some((reason, by)) => {
                        self.enter(ItemState::Archived, &by, &reason, now_ms);
                        self.tell(Told::Archived, now_ms)
                    }
                    None => {
                        self.enter(ItemState::Gone, "muster", "", now_ms);
                        self.tell(Told::Gone, now_ms)
                    }
                }
            }
            ItemState::Ignored | ItemState::Archived => {
                // From then on it is remembered for a while.
                self.went = Some(between);
                None
            }
            ItemState::Gone | ItemState::Dropped => None,
        }
    }

    /// What time makes of it on a host that is heard. `announced`: why it was to be expected that it went, said late.
    pub(crate) fn pass(&mut self, gone_days: u32, announced: Option<(String, String)>, now_ms: i64) -> Option<Told> {
        if self.state != ItemState::Gone {
            return None;
        }
        if let Some((reason, by)) = announced {
            self.enter(ItemState::Archived, &by, &reason, now_ms);
        } else if now_ms.saturating_sub(self.since_ms) >= i64::from(gone_days).saturating_mul(DAY_MS) {
            self.enter(ItemState::Archived, "muster", &gone_for(gone_days), now_ms);
        } else {
            return None;
        }
        Some(Told::Archived)
    }

    /// Whether it has been remembered long enough.
    pub(crate) fn is_forgotten(&self, of_retired: bool, now_ms: i64) -> bool {
        let kept = match self.state {
            ItemState::Dropped => Duration::from_millis(DAY_MS.unsigned_abs()),
            ItemState::Archived | ItemState::Ignored if !self.is_there => {
                if of_retired {
                    REMEMBERED_OF_RETIRED
                } else {
                    REMEMBERED
                }
            }
            _ => return false,
        };
        let since_ms = self.went.map_or(self.since_ms, |went| went.until_ms.max(self.since_ms));
        now_ms.saturating_sub(since_ms) >= i64::try_from(kept.as_millis()).unwrap_or(i64::MAX)
    }

    /// Takes a decision. Whether anything is otherwise than before.
    ///
    /// # Errors
    /// Why it cannot be done with it in its state, and what can.
    pub(crate) fn decide(&mut self, verdict: Verdict, by: &str, reason: &str, now_ms: i64) -> Result<bool, Refusal> {
        let state = match (verdict, self.state) {
            (_, ItemState::Dropped) => return Err(("is not there any more", "it is proposed when it is back")),
            (Verdict::Accept, _) => ItemState::Accepted,
            (Verdict::Ignore, _) => ItemState::Ignored,
            (Verdict::Archive, ItemState::Proposed | ItemState::Ignored) => {
                return Err(("was not accepted, so there is nothing to archive", "ignore it"));
            }
            (Verdict::Archive, _) => ItemState::Archived,
        };
        if state == self.state {
            return Ok(false);
        }
        if state == ItemState::Accepted {
            self.went = None;
        }
        self.enter(state, by, reason, now_ms);
        Ok(true)
    }

    /// Its host was retired. Whether it is to be remembered.
    pub(crate) fn retire(&mut self, now_ms: i64) -> bool {
        if !self.state.is_watched() {
            return self.state == ItemState::Archived;
        }
        self.enter(ItemState::Archived, "muster", "retired", now_ms);
        self.is_there = false;
        true
    }

    /// Whether it came and went so often in the last day that this is told once a day.
    pub(crate) fn is_flapping(&self, now_ms: i64) -> bool {
        self.went_ms.iter().filter(|at_ms| now_ms.saturating_sub(**at_ms) < DAY_MS).count() > WENTS_A_DAY
    }

    fn come_back(&mut self, state: ItemState, now_ms: i64) {
        self.enter(state, "muster", "", now_ms);
        (self.is_there, self.went) = (true, None);
    }

    fn enter(&mut self, state: ItemState, by: &str, reason: &str, now_ms: i64) {
        (self.state, self.since_ms) = (state, now_ms);
        by.clone_into(&mut self.by);
        reason.clone_into(&mut self.reason);
    }

    fn count_went(&mut self, now_ms: i64) {
        self.went_ms.retain(|at_ms| now_ms.saturating_sub(*at_ms) < DAY_MS);
        self.went_ms.push(now_ms);
        let over = self.went_ms.len().saturating_sub(WENT_KEPT);
        self.went_ms.drain(..over);
    }

    fn tell(&mut self, told: Told, now_ms: i64) -> Option<Told> {
        if !self.is_flapping(now_ms) {
            return Some(told);
        }
        if self.told_ms != 0 && now_ms.saturating_sub(self.told_ms) < DAY_MS {
            return None;
        }
        self.told_ms = now_ms;
        Some(Told::Flaps)
    }
}

/// The reason of what is archived by itself.
pub(crate) fn gone_for(days: u32) -> String {
    format!("gone for {days} {}", if days == 1 { "day" } else { "days" })
}

#[cfg(test)]
mod tests;
