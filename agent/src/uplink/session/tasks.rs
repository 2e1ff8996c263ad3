//! Frames of tasks: carried between the collector and `muster-task`, where there is one, on sessions whose both ends say that they take them.

use muster_common::wire::message::{Extension, Hello, Message, Welcome};

use super::{Effect, Session};
use crate::tasks::TaskOrder;

/// What is known of the other side and of the collector.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// Whether `muster-task` was there before the hello.
    is_there: bool,
    /// Whether a session is open on which frames of tasks go.
    is_open: bool,
}

/// Whether the collector sends it for `muster-task`.
pub(super) const fn is_of_tasks(message: &Message) -> bool {
    matches!(message, Message::TaskCatalogue(_) | Message::Task(_) | Message::TaskCancel(_) | Message::TaskAck(_))
}

impl Session {
    /// Whether the next hello says that tasks are taken.
    pub fn set_takes_tasks(&mut self, is_there: bool) {
        self.tasks.is_there = is_there;
    }

    pub(super) fn hello_extensions(&self) -> Vec<Extension> {
        let mut extensions = vec![Hello::frames_known()];
        extensions.extend(self.tasks.is_there.then(Hello::tasks_taken));
        extensions
    }

    /// The welcome goes on without what is of data alone: `muster-task` reads the host's id in it.
    pub(super) fn task_welcome(&mut self, welcome: &Welcome) {
        self.tasks.is_open = self.tasks.is_there && welcome.takes_task_states();
        if self.tasks.is_open {
            let welcome = Welcome { marks: Vec::new(), position_pages: 0, extensions: Vec::new(), ..welcome.clone() };
            self.effects.push(Effect::Tasks(TaskOrder::Open(Box::new(welcome))));
        }
    }

    pub(super) fn task_frame(&mut self, message: Message) {
        // What a collector sends that was not told that tasks are taken is let be.
        if self.tasks.is_open {
            self.effects.push(Effect::Tasks(TaskOrder::Pass(Box::new(message))));
        }
    }

    /// A state or output for the collector; one that comes too late is told again by `muster-task` after the next welcome.
    pub(super) fn task_told(&mut self, message: Message) {
        let is_told = matches!(message, Message::TaskState(_) | Message::TaskOutput(_));
        if is_told && self.tasks.is_open && self.is_open() {
            self.control(message);
        } else {
            self.own.task_frames_dropped.add(1);
        }
    }

    pub(super) fn task_close(&mut self) {
        if std::mem::take(&mut self.tasks.is_open) {
            self.effects.push(Effect::Tasks(TaskOrder::Close));
        }
    }
}
