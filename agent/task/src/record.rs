//! What the host keeps of one call, from the moment that it will run until its order has expired and the collector has everything.

use muster_common::digest::Sum;
use muster_common::wire::tasks::{TaskCall, TaskRefusal, TaskState, TaskWord};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::judge::{Approved, ORDER_LIFE_MS_MAX};

/// The file's version.
const VERSION: u32 = 1;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub call: TaskCall,
    /// SHA-256 of the order's text; `None`: cancelled before it came.
    pub order: Option<Sum>,
    pub nonce: [u8; 16],
    pub expires_ms: i64,
    pub task: String,
    pub word: TaskWord,
    /// Counts the states.
    pub number: u32,
    /// Since when it stands so.
    pub at_ms: i64,
    pub problem: String,
    pub chunks: u32,
    pub output_bytes: u64,
    pub dropped_bytes: u64,
    /// What the collector has.
    pub state_acked: u32,
    pub chunks_acked: u32,
}

impl Record {
    /// Of a call that will run.
    pub fn accepted(approved: &Approved, now_ms: i64) -> Self {
        Self {
            call: approved.call,
            order: Some(approved.order),
            nonce: approved.nonce,
            expires_ms: approved.expires_ms,
            task: approved.task.clone(),
            word: TaskWord::Accepted,
            number: 1,
            at_ms: now_ms,
            problem: String::new(),
            chunks: 0,
            output_bytes: 0,
            dropped_bytes: 0,
            state_acked: 0,
            chunks_acked: 0,
        }
    }

    /// Of one that was cancelled before it came: remembered as long as any order may be good. Told to whoever cancels it, and not by itself: a collector
    /// may cancel what it likes, and what is told again after a welcome stays few.
    pub fn cancelled(call: TaskCall, reason: &str, now_ms: i64) -> Self {
        Self {
            call,
            order: None,
            nonce: [0; 16],
            expires_ms: now_ms.saturating_add(ORDER_LIFE_MS_MAX),
            task: String::new(),
            word: TaskWord::Cancelled,
            number: 1,
            at_ms: now_ms,
            problem: reason.to_owned(),
            chunks: 0,
            output_bytes: 0,
            dropped_bytes: 0,
            state_acked: 1,
            chunks_acked: 0,
        }
    }

    /// Its next state.
    pub fn becomes(&mut self, word: TaskWord, problem: impl Into<String>, now_ms: i64) {
        self.word = word;
        self.number += 1;
        self.at_ms = now_ms;
        self.problem = problem.into();
    }

    /// Whether the collector has all there will ever be.
    pub fn is_told(&self) -> bool {
        self.word.is_last() && self.state_acked >= self.number && self.chunks_acked >= self.chunks
    }

    /// As the collector is told it.
    pub fn state(&self) -> TaskState {
        TaskState {
            call: self.call,
            number: self.number,
            at_ms: self.at_ms,
            word: self.word,
            problem: self.problem.clone(),
            chunks: self.chunks,
            output_bytes: self.output_bytes,
            dropped_bytes: self.dropped_bytes,
            extensions: Vec::new(),
        }
    }

    /// The name of its files.
    pub fn name(call: TaskCall) -> String {
        format!("{}-{}", Uuid::from_bytes(call.order).hyphenated(), call.step)
    }

    pub fn to_json(&self) -> String {
        let (word, number) = written(self.word);
        let row = Row {
            version: VERSION,
            order_id: Uuid::from_bytes(self.call.order).hyphenated().to_string(),
            step: self.call.step,
            order: self.order.map(|sum| sum.to_string()),
            nonce: Uuid::from_bytes(self.nonce).simple().to_string(),
            expires_ms: self.expires_ms,
            task: self.task.clone(),
            word: word.to_owned(),
            code: number,
            number: self.number,
            at_ms: self.at_ms,
            problem: self.problem.clone(),
            chunks: self.chunks,
            output_bytes: self.output_bytes,
            dropped_bytes: self.dropped_bytes,
            state_acked: self.state_acked,
            chunks_acked: self.chunks_acked,
        };
        // No map with other keys than texts, no number that JSON lacks.
        serde_json::to_string(&row).unwrap_or_default()
    }

    /// What [`Record::to_json`] wrote; `None`: it is none, or of a later version.
    pub fn from_json(text: &str) -> Option<Self> {
        let row: Row = serde_json::from_str(text).ok()?;
        if row.version != VERSION {
            return None;
        }
        let order = match row.order {
            Some(text) => Some(Sum::parse(&text)?),
            None => None,
        };
        Some(Self {
            call: TaskCall { order: *Uuid::try_parse(&row.order_id).ok()?.as_bytes(), step: row.step },
            order,
            nonce: *Uuid::try_parse(&row.nonce).ok()?.as_bytes(),
            expires_ms: row.expires_ms,
            task: row.task,
            word: read(&row.word, row.code)?,
            number: row.number,
            at_ms: row.at_ms,
            problem: row.problem,
            chunks: row.chunks,
            output_bytes: row.output_bytes,
            dropped_bytes: row.dropped_bytes,
            state_acked: row.state_acked,
            chunks_acked: row.chunks_acked,
        })
    }
}

/// The file's text.
#[derive(Serialize, Deserialize)]
struct Row {
    version: u32,
    order_id: String,
    step: u32,
    order: Option<String>,
    nonce: String,
    expires_ms: i64,
    task: String,
    word: String,
    /// Exit code or signal.
    code: i32,
    number: u32,
    at_ms: i64,
    problem: String,
    chunks: u32,
    output_bytes: u64,
    dropped_bytes: u64,
    state_acked: u32,
    chunks_acked: u32,
}

/// A state's word, and its number where it has one.
pub fn written(word: TaskWord) -> (&'static str, i32) {
    match word {
        TaskWord::Accepted => ("accepted", 0),
        TaskWord::Refused { .. } => ("refused", 0),
        TaskWord::Running => ("running", 0),
        TaskWord::Ended { code } => ("ended", code),
        TaskWord::TimedOut => ("timed_out", 0),
        TaskWord::Killed { signal } => ("killed", signal),
        TaskWord::Cancelled => ("cancelled", 0),
        TaskWord::Lost => ("lost", 0),
    }
}

fn read(word: &str, number: i32) -> Option<TaskWord> {
    Some(match word {
        "accepted" => TaskWord::Accepted,
        // The only refusal that is kept: it could not begin.
        "refused" => TaskWord::Refused { why: TaskRefusal::Failed },
        "running" => TaskWord::Running,
        "ended" => TaskWord::Ended { code: number },
        "timed_out" => TaskWord::TimedOut,
        "killed" => TaskWord::Killed { signal: number },
        "cancelled" => TaskWord::Cancelled,
        "lost" => TaskWord::Lost,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_as_it_was() {
        let call = TaskCall { order: [7; 16], step: 3 };
        let mut record = Record::cancelled(call, "user:bob", 5);
        assert_eq!(Record::from_json(&record.to_json()), Some(record.clone()));
        record.order = Some(Sum([9; 32]));
        for word in [
            TaskWord::Accepted,
            TaskWord::Refused { why: TaskRefusal::Failed },
            TaskWord::Running,
            TaskWord::Ended { code: -3 },
            TaskWord::TimedOut,
            TaskWord::Killed { signal: 9 },
            TaskWord::Lost,
        ] {
            record.becomes(word, "why \"not\"\n", 9);
            assert_eq!(Record::from_json(&record.to_json()), Some(record.clone()));
        }
        for wrong in ["", "{}", &record.to_json().replace("\"version\":1", "\"version\":2"), &record.to_json()[1..]] {
            assert_eq!(Record::from_json(wrong), None);
        }
        assert_eq!(Record::name(call), "07070707-0707-0707-0707-070707070707-3");
    }
}
