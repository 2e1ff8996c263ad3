//! Which session of a host is the newest, and when the older ones have drained. Pure.
//!
//! Fencing is by the arrival of hello: a later hello ends every older session of its host, and is answered only when they
//! have ended. A session that the registry was slow to look at finds a later one here and ends itself.

use std::collections::HashMap;

use muster_common::host::HostId;

/// A session of this process, in the order in which hellos arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionNumber(pub u64);

/// What a claim means for the sessions of its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// No older session is there: answer hello.
    Ready,
    /// These are to be fenced; the claimant is told when all have ended.
    Wait { fence: Vec<SessionNumber> },
    /// A later hello was quicker: the claimant itself is fenced.
    Superseded,
}

/// The sessions of each host that have said hello and not ended, oldest first.
#[derive(Debug, Default)]
pub struct Fences {
    hosts: HashMap<HostId, Vec<SessionNumber>>,
}

impl Fences {
    /// A session's hello was accepted. Each session claims once.
    pub fn claim(&mut self, host: HostId, session: SessionNumber) -> Claim {
        let sessions = self.hosts.entry(host).or_default();
        if sessions.last().is_some_and(|newest| *newest > session) {
            return Claim::Superseded;
        }
        let fence = sessions.clone();
        sessions.push(session);
        if fence.is_empty() { Claim::Ready } else { Claim::Wait { fence } }
    }

    /// A session has ended, with nothing of it under way. Gives the session whose hello may be answered now.
    pub fn ended(&mut self, host: HostId, session: SessionNumber) -> Option<SessionNumber> {
        let sessions = self.hosts.get_mut(&host)?;
        let claimed = sessions.iter().position(|one| *one == session)?;
        sessions.remove(claimed);
        match sessions.as_slice() {
            [] => {
                self.hosts.remove(&host);
                None
            }
            // With one left, that one is the newest, and was waiting unless it is the one that was open all along;
            // then what ended was a later one that never was open, and telling it twice does no harm.
            [last] => Some(*last),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: HostId = HostId([1; 16]);
    const OTHER: HostId = HostId([2; 16]);

    fn number(number: u64) -> SessionNumber {
        SessionNumber(number)
    }

    #[test]
    fn a_later_hello_waits_for_all_older_sessions() {
        let mut fences = Fences::default();
        assert_eq!(fences.claim(HOST, number(1)), Claim::Ready);
        assert_eq!(fences.claim(OTHER, number(2)), Claim::Ready);
        assert_eq!(fences.claim(HOST, number(3)), Claim::Wait { fence: vec![number(1)] });
        assert_eq!(fences.claim(HOST, number(4)), Claim::Wait { fence: vec![number(1), number(3)] });
        assert_eq!(fences.ended(HOST, number(3)), None, "the oldest may still have a commit under way");
        assert_eq!(fences.ended(HOST, number(1)), Some(number(4)));
        assert_eq!(fences.ended(HOST, number(4)), None);
        assert_eq!(fences.ended(HOST, number(4)), None, "ending twice does nothing");
        assert_eq!(fences.claim(HOST, number(5)), Claim::Ready);
    }

    #[test]
    fn the_order_is_that_of_arrival_whatever_the_registry_took() {
        let mut fences = Fences::default();
        assert_eq!(fences.claim(HOST, number(8)), Claim::Ready);
        assert_eq!(fences.claim(HOST, number(7)), Claim::Superseded);
        assert_eq!(fences.ended(HOST, number(7)), None, "it never claimed");
        assert_eq!(fences.claim(HOST, number(9)), Claim::Wait { fence: vec![number(8)] });
    }
}
