//! Frames of tasks, from the same page.

use super::Walk;
use crate::wire::message::{
    Message, ProofStep, Task, TaskAck, TaskApproval, TaskCall, TaskCancel, TaskCatalogue, TaskOutput, TaskRefusal,
    TaskState, TaskWord,
};

impl Walk<'_> {
    pub(super) fn of_tasks(&mut self, kind: u8) -> Option<Message> {
        Some(match kind {
            0x09 => Message::TaskState(self.task_state()?),
            0x0a => Message::TaskOutput(TaskOutput {
                call: self.call()?,
                chunk: self.u32()?,
                text: self.text()?,
                extensions: self.extensions()?,
            }),
            0x2e => Message::TaskCatalogue(TaskCatalogue {
                document: self.text()?,
                signature: self.array()?,
                extensions: self.extensions()?,
            }),
            0x2f => Message::Task(self.task()?),
            0x30 => Message::TaskCancel(TaskCancel {
                call: self.call()?,
                reason: self.text()?,
                extensions: self.extensions()?,
            }),
            0x31 => Message::TaskAck(TaskAck {
                call: self.call()?,
                state: self.u32()?,
                chunks: self.u32()?,
                extensions: self.extensions()?,
            }),
            _ => return None,
        })
    }

    fn call(&mut self) -> Option<TaskCall> {
        Some(TaskCall { order: self.id()?, step: self.u32()? })
    }

    fn task(&mut self) -> Option<Task> {
        let neighbour = |walk: &mut Self| Some(ProofStep { left: walk.flag()?, hash: walk.array()? });
        let approval = |walk: &mut Self| Some(TaskApproval { approver: walk.text()?, signature: walk.array()? });
        Some(Task {
            call: self.call()?,
            host: self.id()?,
            order: self.text()?,
            proof: self.list(neighbour)?,
            approvals: self.list(approval)?,
            extensions: self.extensions()?,
        })
    }

    fn task_state(&mut self) -> Option<TaskState> {
        Some(TaskState {
            call: self.call()?,
            number: self.u32()?,
            at_ms: self.i64()?,
            word: self.task_word()?,
            problem: self.text()?,
            chunks: self.u32()?,
            output_bytes: self.varint()?,
            dropped_bytes: self.varint()?,
            extensions: self.extensions()?,
        })
    }

    fn task_word(&mut self) -> Option<TaskWord> {
        Some(match self.u32()? {
            0 => TaskWord::Accepted,
            1 => TaskWord::Refused { why: self.task_refusal()? },
            2 => TaskWord::Running,
            3 => TaskWord::Ended { code: self.i32()? },
            4 => TaskWord::TimedOut,
            5 => TaskWord::Killed { signal: self.i32()? },
            6 => TaskWord::Cancelled,
            7 => TaskWord::Lost,
            _ => return None,
        })
    }

    fn task_refusal(&mut self) -> Option<TaskRefusal> {
        use TaskRefusal::{
            Account, ApprovalInvalid, Busy, CatalogueExpired, CatalogueMalformed, CatalogueOlder, CatalogueUnsigned,
            Disabled, Expired, Failed, NotAllowed, OrderMalformed, OtherCatalogue, OtherHost, OwnApproval, Parameters,
            Replayed, StepUnknown, TaskUnknown, TooLong, Unapproved, Unsupported,
        };
        let first = [Disabled, Busy, OrderMalformed, StepUnknown, OtherHost, Expired, TooLong, Replayed, Unapproved];
        let second = [ApprovalInvalid, OwnApproval, OtherCatalogue, CatalogueMalformed, CatalogueUnsigned];
        let third = [CatalogueOlder, CatalogueExpired, TaskUnknown, NotAllowed, Account, Parameters];
        let all = [&first[..], &second, &third, &[Unsupported, Failed]].concat();
        all.get(self.u32()? as usize).copied()
    }
}
