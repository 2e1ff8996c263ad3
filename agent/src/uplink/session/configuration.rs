//! What the collector wants this host to run by, and what it runs by: each handed on, and the latter told whenever it changes and to each new
//! session.

use std::time::Duration;

use muster_common::wire::message::{ConfigurationState, Message, Welcome};

use super::super::moment::Moment;
use super::Session;
use super::link::Link;

/// What is told.
#[derive(Debug, Default)]
pub(super) struct Told {
    state: Option<ConfigurationState>,
    /// Whether the collector that was heard last reads it.
    is_taken: bool,
}

impl Session {
    pub(super) fn configuration_welcome(&mut self, welcome: &Welcome) {
        self.configuration.is_taken = welcome.takes_configuration_states();
        self.tell_configuration();
    }

    pub(super) fn configuration_state(&mut self, state: ConfigurationState) {
        if self.configuration.state.as_ref() != Some(&state) {
            self.configuration.state = Some(state);
            self.tell_configuration();
        }
    }

    fn tell_configuration(&mut self) {
        if self.is_open()
            && self.configuration.is_taken
            && let Some(state) = self.configuration.state.clone()
        {
            self.control(Message::ConfigurationState(state));
        }
    }

    /// Another reader of logs stands here now: the collector tells its positions to each new session, so there is to be one. What was on its
    /// way is in them, or is read again.
    pub(super) fn reconnect(&mut self, now: Moment) {
        // One that is not welcomed yet will hear them.
        if matches!(self.link, Link::Open { .. }) && !self.is_stopping() {
            self.hang_up(now, Duration::ZERO);
        }
    }
}
