//! What is kept of an order's roll-out: on which terms, how far it is, and how each host stands. The machine has nothing else, so that another
//! process goes on from the rows.

use serde::{Deserialize, Serialize};

/// The forward task's number among the steps of an order.
pub const STEP_FORWARD: u8 = 0;
/// The number of the task that takes it back.
pub const STEP_BACK: u8 = 1;

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// It waits for somebody's approval.
    Requested,
    Running,
    /// No host begins; those that run go on.
    Paused,
    /// No host begins any more; it ends, or is rolled back, when those that run have ended.
    Stopping,
    Done,
    Stopped,
    RolledBack,
    /// Its time was over before all hosts had their turn.
    Expired,
    /// It was taken back before it began.
    Cancelled,
}

impl OrderState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::RolledBack => "rolled_back",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether time changes anything about it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Running | Self::Paused | Self::Stopping)
    }
}

/// How a host stands in a step of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It has not had its turn.
    Waiting,
    /// It is to be given the call, and has not said that it has it.
    Sent,
    /// It said that it has the call.
    Running,
    Ok,
    /// The task ended with another exit code than 0, took too long, or was killed.
    Failed,
    /// The host would not do it.
    Refused,
    /// What became of it is not known.
    Lost,
    /// It was stopped, before or while it ran.
    Cancelled,
    /// It never had its turn.
    Skipped,
}

impl RunState {
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Sent,
        Self::Running,
        Self::Ok,
        Self::Failed,
        Self::Refused,
        Self::Lost,
        Self::Cancelled,
        Self::Skipped,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether the host has the call, or is to have it now.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Sent | Self::Running)
    }

    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Sent | Self::Running)
    }
}

/// How many hosts a wave has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveSize {
    Hosts(u32),
    /// Of all hosts of the step, rounded up; 1 to 100.
    Percent(u8),
}

impl WaveSize {
    /// Of this many hosts in all; never none.
    pub fn of(self, hosts: usize) -> usize {
        match self {
            Self::Hosts(count) => (count as usize).max(1),
            Self::Percent(percent) => (hosts * usize::from(percent)).div_ceil(100).max(1),
        }
    }
}

/// What follows when more hosts fail than may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTrouble {
    /// A person decides: resume, stop or roll back.
    #[default]
    Pause,
    Stop,
    RollBack,
}

/// What an order was approved with; it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Hosts of the first wave, of which none may fail; 0: there is no such wave.
    pub canary: u32,
    /// Hosts of each other wave.
    pub batch: WaveSize,
    /// Hosts that may fail before there is trouble.
    pub failures_max: u32,
    pub on_trouble: OnTrouble,
    /// How long a host must have been well after its task ended, before the next wave begins.
    pub soak_ms: i64,
    /// How long a host may be away while its task runs or after it: a reboot.
    pub return_ms: i64,
    /// How long a task may be at a host that is connected: its own limit and what it takes to begin and to tell.
    pub run_ms: i64,
    /// The same of the task that takes it back.
    pub back_ms: i64,
    /// No call is sent from then on.
    pub expires_ms: i64,
    /// No call that takes it back is sent from then on; `None`: no task takes it back.
    pub back_expires_ms: Option<i64>,
    /// Hosts are in a maintenance while they have the task, and health may take so long to return after it; `None`: they are in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_ms: Option<i64>,
    /// The same of the task that takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_maintenance_ms: Option<i64>,
}

/// How far an order is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub state: OrderState,
    /// [`STEP_FORWARD`] or [`STEP_BACK`].
    pub step: u8,
    /// Of the step, from 0.
    pub wave: u32,
    /// Why it is paused, or was ended; empty: nothing happened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// It is paused since too many hosts failed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_trouble: bool,
    /// Failures of the step that a person who resumed has taken on.
    #[serde(default)]
    pub forgiven: u32,
    /// Once those that run have ended it is rolled back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rolls_back: bool,
    /// When state, step or wave changed last.
    pub changed_ms: i64,
}

impl Progress {
    /// Of an order that was just made.
    pub(crate) fn requested(now_ms: i64) -> Self {
        Self {
            state: OrderState::Requested,
            step: STEP_FORWARD,
            wave: 0,
            reason: String::new(),
            is_trouble: false,
            forgiven: 0,
            rolls_back: false,
            changed_ms: now_ms,
        }
    }

    /// The state in a word, for people: that it is being rolled back is told too.
    pub const fn word(&self) -> &'static str {
        match (self.state, self.step) {
            (OrderState::Running, STEP_BACK) => "rolling_back",
            (state, _) => state.as_str(),
        }
    }
}

/// What was found of a host after its task had ended well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    #[default]
    Unjudged,
    Good,
    Bad,
}

/// One step on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub state: RunState,
    /// The wave that it was sent with.
    #[serde(default)]
    pub wave: u32,
    /// When the call was to be sent; 0: never.
    #[serde(default)]
    pub sent_ms: i64,
    /// When the host first said that it has it; 0: it never did.
    #[serde(default)]
    pub began_ms: i64,
    /// When its end was heard; 0: not yet.
    #[serde(default)]
    pub ended_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Why it did not go well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(default)]
    pub health: Health,
    /// The host is to be told that it must not go on, since then; 0: it is not.
    #[serde(default)]
    pub cancel_ms: i64,
    /// When the call was given last to a host that has not said that it has it.
    #[serde(default)]
    pub asked_ms: i64,
    /// A host that was busy is asked again then; 0: it was not.
    #[serde(default)]
    pub again_ms: i64,
}

impl Run {
    pub const WAITING: Self = Self {
        state: RunState::Waiting,
        wave: 0,
        sent_ms: 0,
        began_ms: 0,
        ended_ms: 0,
        exit: None,
        reason: String::new(),
        health: Health::Unjudged,
        cancel_ms: 0,
        asked_ms: 0,
        again_ms: 0,
    };

    /// Whether the task may have done something on the host.
    pub const fn may_have_run(&self) -> bool {
        self.began_ms > 0 || self.sent_ms > 0 && matches!(self.state, RunState::Ok | RunState::Failed | RunState::Lost)
    }

    /// Whether it counts as a failure.
    pub const fn has_failed(&self) -> bool {
        match self.state {
            RunState::Failed | RunState::Refused | RunState::Lost => true,
            RunState::Cancelled => self.sent_ms > 0 && self.cancel_ms == 0,
            _ => matches!(self.health, Health::Bad),
        }
    }

    /// Whether the wave waits for it.
    pub const fn is_unsettled(&self) -> bool {
        self.state.is_under_way() || matches!((self.state, self.health), (RunState::Ok, Health::Unjudged))
    }
}

/// A host of an order: table `task_hosts`, key the order's number and the host's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Its turn.
    pub(crate) place: u32,
    pub(crate) forward: Run,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) back: Option<Run>,
}

impl Member {
    pub(crate) fn new(place: u32) -> Self {
        Self { place, forward: Run::WAITING, back: None }
    }

    pub(crate) fn run(&self, step: u8) -> Option<&Run> {
        match step {
            STEP_FORWARD => Some(&self.forward),
            STEP_BACK => self.back.as_ref(),
            _ => None,
        }
    }

    pub(super) fn run_mut(&mut self, step: u8) -> Option<&mut Run> {
        match step {
            STEP_FORWARD => Some(&mut self.forward),
            STEP_BACK => self.back.as_mut(),
            _ => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives fields by reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
