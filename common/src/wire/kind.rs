//! The table of frame kinds: number, name, who sends it, what its header carries and how large it may be.

use super::message::{FrameKind, Lane, Message};
use crate::limits::{CONTROL_PLAIN_BYTES_MAX, FRAME_PLAIN_BYTES_MAX, ORDER_PLAIN_BYTES_MAX};

/// Which end sends a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Agent,
    Collector,
}

/// What lane, epoch and seq of a frame's header hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Nothing (lane none, epoch and seq zero): the control stream.
    Nothing,
    /// Lane p1 and an epoch, seq zero: a context, which is no data.
    Context,
    /// Lane, epoch and seq from 1, of this lane or (`None`) of any: the lane's stream.
    Batch(Option<Lane>),
}

impl FrameKind {
    /// Every kind of version 1, by number.
    pub const ALL: [Self; 32] = [
        Self::Hello,
        Self::Enrol,
        Self::Renew,
        Self::AgentGoodbye,
        Self::ClockProbe,
        Self::Problems,
        Self::ConfigurationState,
        Self::Answer,
        Self::TaskState,
        Self::TaskOutput,
        Self::Welcome,
        Self::Enrolled,
        Self::Renewed,
        Self::CollectorGoodbye,
        Self::ClockAnswer,
        Self::Ack,
        Self::Throttle,
        Self::NeedContext,
        Self::Refused,
        Self::Positions,
        Self::InventoryWanted,
        Self::Configuration,
        Self::Ask,
        Self::TaskCatalogue,
        Self::Task,
        Self::TaskCancel,
        Self::TaskAck,
        Self::Context,
        Self::Metrics,
        Self::Reports,
        Self::Logs,
        Self::Gap,
    ];

    /// The kind of this number; `None` ends the session.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its word in errors, counters and golden files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Enrol => "enrol",
            Self::Renew => "renew",
            Self::AgentGoodbye => "agent_goodbye",
            Self::ClockProbe => "clock_probe",
            Self::Problems => "problems",
            Self::ConfigurationState => "configuration_state",
            Self::Answer => "answer",
            Self::TaskState => "task_state",
            Self::TaskOutput => "task_output",
            Self::Welcome => "welcome",
            Self::Enrolled => "enrolled",
            Self::Renewed => "renewed",
            Self::CollectorGoodbye => "collector_goodbye",
            Self::ClockAnswer => "clock_answer",
            Self::Ack => "ack",
            Self::Throttle => "throttle",
            Self::NeedContext => "need_context",
            Self::Refused => "refused",
            Self::Positions => "positions",
            Self::InventoryWanted => "inventory_wanted",
            Self::Configuration => "configuration",
            Self::Ask => "ask",
            Self::TaskCatalogue => "task_catalogue",
            Self::Task => "task",
            Self::TaskCancel => "task_cancel",
            Self::TaskAck => "task_ack",
            Self::Context => "context",
            Self::Metrics => "metrics",
            Self::Reports => "reports",
            Self::Logs => "logs",
            Self::Gap => "gap",
        }
    }

    pub const fn sender(self) -> Sender {
        match self.number() {
            0x20..=0x3f => Sender::Collector,
            _ => Sender::Agent,
        }
    }

    pub const fn carries(self) -> Carries {
        match self {
            Self::Context => Carries::Context,
            Self::Metrics => Carries::Batch(Some(Lane::P1)),
            Self::Reports => Carries::Batch(Some(Lane::P0)),
            Self::Logs => Carries::Batch(Some(Lane::P2)),
            Self::Gap => Carries::Batch(None),
            _ => Carries::Nothing,
        }
    }

    /// Whether it is data with a seq of its own, which a refusal takes (EXACTLY-ONCE.md rule 7: it becomes a gap).
    pub const fn is_batch(self) -> bool {
        matches!(self, Self::Metrics | Self::Reports | Self::Logs)
    }

    /// Bytes of its body after decompression. Control messages are small, and some of them come from strangers.
    pub const fn plain_bytes_max(self) -> usize {
        match self {
            Self::Problems | Self::Context | Self::Metrics | Self::Reports | Self::Logs | Self::Positions => {
                FRAME_PLAIN_BYTES_MAX
            }
            Self::Configuration | Self::Answer | Self::TaskCatalogue => ORDER_PLAIN_BYTES_MAX,
            _ => CONTROL_PLAIN_BYTES_MAX,
        }
    }
}

impl Message {
    pub const fn kind(&self) -> FrameKind {
        match self {
            Self::Hello(_) => FrameKind::Hello,
            Self::Enrol(_) => FrameKind::Enrol,
            Self::Renew(_) => FrameKind::Renew,
            Self::AgentGoodbye(_) => FrameKind::AgentGoodbye,
            Self::ClockProbe(_) => FrameKind::ClockProbe,
            Self::Problems(_) => FrameKind::Problems,
            Self::ConfigurationState(_) => FrameKind::ConfigurationState,
            Self::Answer(_) => FrameKind::Answer,
            Self::TaskState(_) => FrameKind::TaskState,
            Self::TaskOutput(_) => FrameKind::TaskOutput,
            Self::Welcome(_) => FrameKind::Welcome,
            Self::Enrolled(_) => FrameKind::Enrolled,
            Self::Renewed(_) => FrameKind::Renewed,
            Self::CollectorGoodbye(_) => FrameKind::CollectorGoodbye,
            Self::ClockAnswer(_) => FrameKind::ClockAnswer,
            Self::Ack(_) => FrameKind::Ack,
            Self::Throttle(_) => FrameKind::Throttle,
            Self::NeedContext(_) => FrameKind::NeedContext,
            Self::Refused(_) => FrameKind::Refused,
            Self::Positions(_) => FrameKind::Positions,
            Self::InventoryWanted(_) => FrameKind::InventoryWanted,
            Self::Configuration(_) => FrameKind::Configuration,
            Self::Ask(_) => FrameKind::Ask,
            Self::TaskCatalogue(_) => FrameKind::TaskCatalogue,
            Self::Task(_) => FrameKind::Task,
            Self::TaskCancel(_) => FrameKind::TaskCancel,
            Self::TaskAck(_) => FrameKind::TaskAck,
            Self::Context(_) => FrameKind::Context,
            Self::Metrics(_) => FrameKind::Metrics,
            Self::Reports(_) => FrameKind::Reports,
            Self::Logs(_) => FrameKind::Logs,
            Self::Gap(_) => FrameKind::Gap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_the_table_once_and_says_its_sender() {
        assert!(FrameKind::ALL.is_sorted_by_key(|kind| kind.number()), "the table is by number, each once");
        for kind in FrameKind::ALL {
            assert_eq!(FrameKind::from_u8(kind.number()), Some(kind));
        }
        assert_eq!(FrameKind::from_u8(0), None);
        assert_eq!((0..=u8::MAX).filter_map(FrameKind::from_u8).count(), FrameKind::ALL.len());
        assert_eq!((FrameKind::Welcome.sender(), FrameKind::Gap.sender()), (Sender::Collector, Sender::Agent));
    }
}
