//! Who is silent, stopped or back: told once a change, and not for every wobble. Pure but for its loop.
//!
//! A host is silent when nothing has arrived for the configured time, and back only when it has been heard for half of that without a
//! break. An agent that says goodbye is expected to be silent for a while; one that shuts down, until it comes back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time::{self, Timestamp};
use muster_common::wire::message::GoodbyeReason;
use muster_fleet::status::Goodbye;
use muster_fleet::{By, EPHEMERAL_STOPPED, Standing, StandingNote, Told};

use crate::error_text::chain;
use crate::hub::Hub;
use crate::presence::PresenceState;
use crate::ticker::GRACE;

/// What ingest knows of a host: how it stands, and when anything of it arrived last. `None`: not heard since the start.
pub type Heard = Option<(PresenceState, Timestamp)>;

/// The memory that tells a return from a wobble.
#[derive(Debug, Default)]
pub struct Silences {
    /// Hosts that were told to be away and are heard, since when.
    back: HashMap<HostId, Timestamp>,
}

impl Silences {
    /// The changes that are to be told now. `ready`: when this collector began to listen.
    pub fn decide(
        &mut self,
        told: &[Told],
        heard: impl Fn(HostId) -> Heard,
        now: Timestamp,
        ready: Timestamp,
        silent_after: Duration,
    ) -> Vec<StandingNote> {
        let mut back = HashMap::new();
        let mut notes = Vec::new();
        for one in told {
            let heard = heard(one.host);
            let (standing, goodbye) = match heard {
                None => unheard(one, now, ready),
                Some((PresenceState::Silent, _)) => (Standing::Silent, ""),
                Some((PresenceState::AgentStopped(reason), last)) => stopped(one.standing, reason, now.since(last)),
                Some((PresenceState::Up, _)) if one.standing == Standing::Present => (Standing::Present, ""),
                Some((PresenceState::Up, _)) => {
                    let since = self.back.get(&one.host).copied().unwrap_or(now);
                    back.insert(one.host, since);
                    let is_back = now.since(since) >= silent_after / 2;
                    (if is_back { Standing::Present } else { one.standing }, "")
                }
            };
            if standing != one.standing {
                let last_heard = heard.map(|(_, last)| last);
                notes.push(StandingNote { host: one.host, standing, last_heard, goodbye });
            }
        }
        self.back = back;
        notes
    }
}

/// Ephemeral hosts that were shut down, whose like does not come back: they are retired rather than told to have stopped; and all other notes.
fn gone_for_good(notes: Vec<StandingNote>, is_ephemeral: impl Fn(HostId) -> bool) -> (Vec<HostId>, Vec<StandingNote>) {
    let (gone, others): (Vec<_>, Vec<_>) =
        notes.into_iter().partition(|note| note.standing == Standing::Stopped && is_ephemeral(note.host));
    (gone.into_iter().map(|note| note.host).collect(), others)
}

/// How a host stands that this collector has not heard: what was told of it and what its goodbye said holds over a restart.
fn unheard(one: &Told, now: Timestamp, ready: Timestamp) -> (Standing, &'static str) {
    let expected = one.expected.map(|expected| (expected.goodbye, now.millis() <= expected.until_ms));
    match expected {
        Some((goodbye, true)) => (away_as_expected(one.standing, goodbye), goodbye.as_str()),
        _ if now.since(ready.max(one.since)) < GRACE || one.standing == Standing::Stopped => (one.standing, ""),
        Some((goodbye, false)) => (Standing::Silent, goodbye.as_str()),
        None => (Standing::Silent, ""),
    }
}

/// How a host stands whose agent said goodbye so long ago.
fn stopped(told: Standing, reason: GoodbyeReason, ago: Duration) -> (Standing, &'static str) {
    match (reason, for_a_moment(reason)) {
        (_, Some(goodbye)) if ago > goodbye.within() => (Standing::Silent, goodbye.as_str()),
        (_, Some(goodbye)) => (away_as_expected(told, goodbye), goodbye.as_str()),
        (GoodbyeReason::Shutdown, None) => (Standing::Stopped, "shutdown"),
        // Its host is being retired.
        (_, None) => (told, ""),
    }
}

/// How a host stands that has time to come back: that a machine boots is told, that an agent starts anew is not.
fn away_as_expected(told: Standing, goodbye: Goodbye) -> Standing {
    match goodbye {
        Goodbye::Reboot => Standing::Rebooting,
        Goodbye::Restart | Goodbye::Upgrade => told,
    }
}

/// The goodbyes after which a host comes back by itself.
pub(crate) fn for_a_moment(reason: GoodbyeReason) -> Option<Goodbye> {
    match reason {
        GoodbyeReason::Restart => Some(Goodbye::Restart),
        GoodbyeReason::Upgrade => Some(Goodbye::Upgrade),
        GoodbyeReason::Reboot => Some(Goodbye::Reboot),
        GoodbyeReason::Shutdown | GoodbyeReason::Retire => None,
    }
}

/// Looks on the grid of `up` until the collector stops.
pub(crate) async fn run(hub: Arc<Hub>) {
    let mut silences = Silences::default();
    loop {
        tokio::select! {
            () = hub.stop.cancelled() => return,
            () = tokio::time::sleep(hub.config.interval) => {}
        }
        let now = time::now();
        let told = hub.fleet.standings();
        let notes = {
            let presences = hub.presences.lock();
            let heard = |host| Some((presences.state(host, now)?, presences.last_arrival(host)?));
            silences.decide(&told, heard, now, hub.ready, hub.config.silent_after)
        };
        if notes.is_empty() {
            continue;
        }
        let noting = hub.clone();
        let noted = tokio::task::spawn_blocking(move || {
            let is_ephemeral = |host| noting.fleet.host(host).is_some_and(|row| row.ephemeral.is_some());
            let (gone, notes) = gone_for_good(notes, is_ephemeral);
            for host in gone {
                noting.fleet.retire(host, EPHEMERAL_STOPPED, &By::MUSTER, now)?;
            }
            noting.fleet.note_standings(&notes, now)
        });
        let noted = noted.await;
        match noted {
            Ok(Ok(())) => {}
            // Nothing is taken for told: the next look tells it.
            Ok(Err(error)) => tracing::error!("silent hosts are told later: {}", chain(&error)),
            Err(error) => tracing::error!("silent hosts are told later, the note ended in a panic: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_fleet::status::Expected;

    use super::*;

    const HOST: HostId = HostId([1; 16]);
    const AFTER: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn an_ephemeral_host_that_is_shut_down_is_gone_and_one_that_is_silent_is_told() {
        let other = HostId([2; 16]);
        let note = |host, standing| StandingNote { host, standing, last_heard: None, goodbye: "" };
        let notes = vec![
            note(HOST, Standing::Stopped),
            note(HOST, Standing::Silent),
            note(HOST, Standing::Rebooting),
            note(other, Standing::Stopped),
        ];
        let (gone, told) = gone_for_good(notes.clone(), |host| host == HOST);
        assert_eq!((gone, told.as_slice()), (vec![HOST], &notes[1..]));
    }

    /// Standings told over a run of looks: (second, standing, goodbye).
    fn run_of(looks: &[(i64, Heard)]) -> Vec<(i64, Standing, &'static str)> {
        let mut silences = Silences::default();
        let mut standing = Standing::Present;
        let mut told = Vec::new();
        for (second, heard) in looks {
            let now = [Told { host: HOST, standing, since: at(0), expected: None }];
            for note in silences.decide(&now, |_| *heard, at(*second), at(0), AFTER) {
                standing = note.standing;
                told.push((*second, note.standing, note.goodbye));
            }
        }
        told
    }

    fn up(second: i64) -> (i64, Heard) {
        (second, Some((PresenceState::Up, at(second))))
    }

    fn silent(second: i64) -> (i64, Heard) {
        (second, Some((PresenceState::Silent, at(0))))
    }

    #[test]
    fn a_silence_is_told_once_and_a_return_once_it_holds() {
        let looks =
            [up(0), silent(75), silent(90), up(105), silent(120), up(135), up(150), up(165), up(180), silent(300)];
        let expect = [(75, Standing::Silent, ""), (165, Standing::Present, ""), (300, Standing::Silent, "")];
        assert_eq!(run_of(&looks), expect);
    }

    #[test]
    fn a_goodbye_is_an_expected_silence_for_as_long_as_it_says() {
        let stopped = |reason| move |second| (second, Some((PresenceState::AgentStopped(reason), at(0))));
        let restart = stopped(GoodbyeReason::Restart);
        assert_eq!(run_of(&[restart(15), restart(120), up(121), up(200)]), []);
        assert_eq!(run_of(&[restart(120), restart(121), restart(136)]), [(121, Standing::Silent, "restart")]);
        let reboot = stopped(GoodbyeReason::Reboot);
        let boots = (15, Standing::Rebooting, "reboot");
        assert_eq!(run_of(&[reboot(15), reboot(600), reboot(601)]), [boots, (601, Standing::Silent, "reboot")]);
        assert_eq!(run_of(&[reboot(15), up(100), up(130)]), [boots, (130, Standing::Present, "")]);
        let shutdown = stopped(GoodbyeReason::Shutdown);
        let unheard = |second| (second, None);
        // A collector that started meanwhile has not heard it, and knows what was told.
        let looks = [shutdown(15), shutdown(90_000), unheard(90_015), up(90_030), up(90_060)];
        assert_eq!(run_of(&looks), [(15, Standing::Stopped, "shutdown"), (90_060, Standing::Present, "")]);
        assert_eq!(run_of(&[stopped(GoodbyeReason::Retire)(90_000)]), []);
    }

    #[test]
    fn a_host_that_was_not_heard_since_the_start_has_its_grace() {
        assert_eq!(run_of(&[(119, None), (120, None), (135, None)]), [(120, Standing::Silent, "")]);
        let young = [Told { host: HOST, standing: Standing::Present, since: at(1_000), expected: None }];
        let decide = |second| Silences::default().decide(&young, |_| None, at(second), at(0), AFTER).len();
        assert_eq!((decide(1_119), decide(1_120)), (0, 1), "one that has just been enrolled has not connected yet");
    }

    #[test]
    fn a_goodbye_from_before_the_start_is_an_expected_silence_as_well() {
        for (goodbye, until, silent, meanwhile) in
            [(Goodbye::Upgrade, 90, 120, Standing::Present), (Goodbye::Reboot, 590, 591, Standing::Rebooting)]
        {
            let expected = Some(Expected { goodbye, until_ms: at(until).millis() });
            let decide = |standing, second| {
                let told = [Told { host: HOST, standing, since: at(0), expected }];
                Silences::default().decide(&told, |_| None, at(second), at(0), AFTER)
            };
            let note = |standing| StandingNote { host: HOST, standing, last_heard: None, goodbye: goodbye.as_str() };
            let boots = [note(Standing::Rebooting)];
            assert_eq!(decide(Standing::Present, 1), &boots[..usize::from(goodbye == Goodbye::Reboot)]);
            assert_eq!(decide(meanwhile, silent - 1), []);
            assert_eq!(decide(meanwhile, silent), [note(Standing::Silent)]);
        }
    }
}
