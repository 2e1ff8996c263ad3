//! Tasks of a session: what is due to its host goes out, to an agent that has a program for it and to no other.

use muster_common::wire::message::{Message, TaskOutput, TaskState};
use muster_fleet::TaskDue;

use super::machine::Session;
use super::message::Effect;
use crate::counters::Count;

impl Session {
    /// Whether frames of tasks may be sent to this agent: it has a program that runs them, and was welcomed.
    pub fn takes_tasks(&self) -> bool {
        self.reads_tasks && self.is_open()
    }

    pub(super) fn task_told(&mut self, state: TaskState) {
        self.shared.counters.one(Count::TaskStates);
        self.effects.push(Effect::TaskTold(Box::new(state)));
    }

    pub(super) fn task_wrote(&mut self, output: TaskOutput) {
        self.shared.counters.one(Count::TaskOutputs);
        self.effects.push(Effect::TaskWrote(output));
    }

    pub(super) fn give_tasks(&mut self, due: Vec<TaskDue>) {
        if !self.takes_tasks() {
            return;
        }
        for one in due {
            match one {
                TaskDue::Catalogue(catalogue) => self.send(Message::TaskCatalogue(catalogue)),
                TaskDue::Call(call) => {
                    self.shared.counters.one(Count::TaskCalls);
                    self.send(Message::Task(call));
                }
                TaskDue::Cancel(cancel) => self.send(Message::TaskCancel(cancel)),
                TaskDue::Ack(ack) => self.send(Message::TaskAck(ack)),
            }
        }
    }
}
