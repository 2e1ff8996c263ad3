//! Of frames of tasks: lengths, and what words say of counts. What is in them is the host's to judge.

use super::{FAULT, SHORTEN, at_most, check_extensions, invalid};
use crate::limits::{
    PROBLEM_TEXT_BYTES_MAX, TASK_APPROVALS_MAX, TASK_CATALOGUE_BYTES_MAX, TASK_CHUNK_BYTES_MAX, TASK_NAME_BYTES_MAX,
    TASK_ORDER_BYTES_MAX, TASK_PROOF_MAX, TASK_STEPS_MAX,
};
use crate::wire::error::ContentError;
use crate::wire::message::{Task, TaskCall, TaskCancel, TaskCatalogue, TaskOutput, TaskState};

pub(super) fn check_catalogue(catalogue: &TaskCatalogue) -> Result<(), ContentError> {
    at_most("document", catalogue.document.len(), TASK_CATALOGUE_BYTES_MAX, "leave tasks out")?;
    check_extensions(&catalogue.extensions)
}

pub(super) fn check_task(task: &Task) -> Result<(), ContentError> {
    at_most("order", task.order.len(), TASK_ORDER_BYTES_MAX, "give it shorter parameters")?;
    check_call(task.call)?;
    at_most("proof", task.proof.len(), TASK_PROOF_MAX, FAULT)?;
    at_most("approvals", task.approvals.len(), TASK_APPROVALS_MAX, "send fewer approvals")?;
    for approval in &task.approvals {
        at_most("approvals: approver", approval.approver.len(), TASK_NAME_BYTES_MAX, SHORTEN)?;
    }
    check_extensions(&task.extensions)
}

pub(super) fn check_cancel(cancel: &TaskCancel) -> Result<(), ContentError> {
    check_call(cancel.call)?;
    at_most("reason", cancel.reason.len(), PROBLEM_TEXT_BYTES_MAX, SHORTEN)?;
    check_extensions(&cancel.extensions)
}

pub(super) fn check_state(state: &TaskState) -> Result<(), ContentError> {
    check_step(state.call.step)?;
    if state.number == 0 {
        return Err(invalid("number", "states are counted from 1".to_owned(), FAULT));
    }
    if state.dropped_bytes > state.output_bytes {
        let problem = format!("{} of {} bytes", state.dropped_bytes, state.output_bytes);
        return Err(invalid("dropped_bytes", problem, FAULT));
    }
    at_most("problem", state.problem.len(), PROBLEM_TEXT_BYTES_MAX, SHORTEN)?;
    check_extensions(&state.extensions)
}

pub(super) fn check_output(output: &TaskOutput) -> Result<(), ContentError> {
    check_call(output.call)?;
    at_most("text", output.text.len(), TASK_CHUNK_BYTES_MAX, "send it as several chunks")?;
    check_extensions(&output.extensions)
}

fn check_call(call: TaskCall) -> Result<(), ContentError> {
    if call.order == TaskCall::CATALOGUE.order {
        return Err(invalid("call", "an order of zeros is none".to_owned(), FAULT));
    }
    check_step(call.step)
}

fn check_step(step: u32) -> Result<(), ContentError> {
    if step as usize >= TASK_STEPS_MAX {
        return Err(invalid("step", format!("{step}, counted from 0, of at most {TASK_STEPS_MAX}"), FAULT));
    }
    Ok(())
}
