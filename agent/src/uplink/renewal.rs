//! When a certificate is renewed: a pure decision.

use std::time::Duration;

use muster_common::time::Timestamp;

/// Between two requests that brought no answer.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// What to do about the certificate now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    NotYet,
    /// Past two thirds of its life: with a new key.
    NewKey,
    /// Expired: the collector takes the same key only.
    SameKey,
}

/// When the last request went out, on the steady clock, and what the collector thinks of the certificate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renewals {
    asked_at: Option<Duration>,
    /// The collector refused the certificate the last time: its clock may see the end otherwise than this host's.
    doubted: bool,
}

impl Renewals {
    /// Whether a request is due. `now` by the corrected clock, `steady` by the one that never steps.
    pub fn due(&self, (not_before, not_after): (Timestamp, Timestamp), now: Timestamp, steady: Duration) -> Renewal {
        if self.asked_at.is_some_and(|asked| steady < asked.saturating_add(ASK_AGAIN)) {
            return Renewal::NotYet;
        }
        let life = not_after.since(not_before);
        if now > not_after {
            Renewal::SameKey
        } else if now >= not_before.plus(life * 2 / 3) {
            Renewal::NewKey
        } else {
            Renewal::NotYet
        }
    }

    /// Whether a new connection serves for the renewal alone: the certificate is expired, or valid by a clock that the collector does not share.
    pub fn comes_first(&self, not_after: Timestamp, now: Timestamp) -> bool {
        (now > not_after) != self.doubted
    }

    /// The collector refused the certificate: the next connection tries it the other way.
    pub fn refused(&mut self) {
        self.doubted = !self.doubted;
    }

    /// The collector took the certificate.
    pub fn welcomed(&mut self) {
        self.doubted = false;
    }

    /// A request goes out now.
    pub fn asked(&mut self, steady: Duration) {
        self.asked_at = Some(steady);
    }

    /// The answer came and is stored.
    pub fn renewed(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_due_after_two_thirds_and_asked_for_at_most_every_ten_minutes() {
        let day = |days: i64| Timestamp::from_millis(days * 86_400_000);
        let life = (day(0), day(30));
        let mut renewals = Renewals::default();
        let at = |renewals: &Renewals, now, minutes: u64| renewals.due(life, now, Duration::from_secs(minutes * 60));
        for (now, expect) in [
            (-5, Renewal::NotYet),
            (19, Renewal::NotYet),
            (20, Renewal::NewKey),
            (30, Renewal::NewKey),
            (31, Renewal::SameKey),
        ] {
            assert_eq!(at(&renewals, day(now), 0), expect, "day {now}");
        }
        renewals.asked(Duration::from_secs(60));
        assert_eq!(at(&renewals, day(25), 10), Renewal::NotYet);
        assert_eq!(at(&renewals, day(25), 11), Renewal::NewKey);
        renewals.renewed();
        assert_eq!(at(&renewals, day(25), 2), Renewal::NewKey);
    }

    #[test]
    fn an_expired_certificate_is_renewed_before_hello_even_when_only_the_collector_knows() {
        let day = |days: i64| Timestamp::from_millis(days * 86_400_000);
        let mut renewals = Renewals::default();
        assert!(!renewals.comes_first(day(30), day(29)) && renewals.comes_first(day(30), day(31)));
        renewals.refused();
        assert!(renewals.comes_first(day(30), day(29)) && !renewals.comes_first(day(30), day(31)));
        renewals.refused();
        assert!(!renewals.comes_first(day(30), day(29)));
        renewals.refused();
        renewals.welcomed();
        assert!(!renewals.comes_first(day(30), day(29)));
    }
}
