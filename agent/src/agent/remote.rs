//! Where a remote configuration takes hold of the agent's parts.

use std::path::Path;
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::wire::message::HostFacts;
use tokio::sync::mpsc;

use super::Agent;
use crate::checks::add_host_pack;
use crate::checks::settings::Checks;
use crate::config::Config;
use crate::facts;
use crate::identity_files::Enrolled;
use crate::logs::worker::LogNews;
use crate::own::Own;
use crate::remote::exchange::{Parts, Switched};
use crate::remote::machine::Times;
use crate::remote::side::{RemoteNews, Surroundings};
use crate::uplink::{Input, Moment};

/// The host's own configuration with the checks that every host has, its names, and what it is told in hello.
pub(super) fn surroundings(
    config: Config,
    (host, times): (HostId, Times),
    enrolled: &Enrolled,
    own: &Arc<Own>,
) -> (Surroundings, HostFacts) {
    // First starts are spread by the host's id, which no other host has.
    let mut checks = Checks { host: host.to_string(), ..config.checks };
    add_host_pack(&mut checks, Path::new("/run"));
    let facts = facts::read_host_facts();
    let named = [config.agent.name.as_ref(), Some(&enrolled.enrolment.name), Some(&facts.host_name)];
    let own_names = named.into_iter().flatten().cloned().collect();
    let host = Config { checks, ..config };
    (Surroundings { host, own_names, own: Arc::clone(own), times, say: None }, facts)
}

impl Agent {
    /// Gives the ears for another reader of logs, where that was exchanged.
    pub(super) fn hear_remote(&mut self, news: RemoteNews) -> Option<mpsc::Receiver<LogNews>> {
        let now = Moment::read();
        let mut ears = None;
        match news {
            RemoteNews::Judged(verdict) => self.remote.judged(*verdict, now),
            RemoteNews::Written(outcome) => {
                if let Some(wanted) = self.remote.written(outcome, now) {
                    let parts = Parts {
                        logs: wanted.exchanges_logs.then(|| self.logs.take()),
                        checks: wanted.exchanges_checks.then(|| self.reports.take_checks()),
                    };
                    self.remote.switch(wanted, parts);
                }
            }
            RemoteNews::Switched(switched) => ears = self.switched(*switched, now),
        }
        self.tell_remote();
        ears
    }

    fn switched(&mut self, mut switched: Switched, now: Moment) -> Option<mpsc::Receiver<LogNews>> {
        let mut ears = None;
        if let Some((side, news)) = switched.logs.take() {
            self.logs = side;
            ears = Some(news);
            // The reader that is gone will not say that its problems are solved.
            self.problems[0] = Vec::new();
            self.give(Input::Problems(self.problems.concat()));
            self.give(Input::Reconnect);
            self.look_at_remote();
        }
        if let Some(checks) = switched.checks.take() {
            self.reports.set_checks(checks);
        }
        self.remote.switched(switched, now);
        ears
    }

    /// What the collector, the session and the time say.
    pub(super) fn look_at_remote(&mut self) {
        let stands = self.is_connected();
        self.remote.look(stands, Moment::read());
        self.tell_remote();
    }

    fn tell_remote(&mut self) {
        if let Some(state) = self.remote.news() {
            self.give(Input::Configuration(state));
            self.status.remote = self.remote.status();
        }
    }
}
