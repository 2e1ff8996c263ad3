//! Rows as they are found, into an answer within its bounds.

use muster_common::ask::Sieve;
use muster_common::inventory::{Row, Value};
use muster_common::limits::{ANSWER_ROWS_MAX, INVENTORY_TEXT_BYTES_MAX};
use muster_common::wire::message::{Answer, AnswerWord, Ask};

use super::budget::Budget;
use crate::inventory::Problem;

/// What the rows of an answer may weigh: below a frame's payload, since nobody promises that they can be compressed.
pub(super) const ROWS_BYTES_MAX: usize = 200_000;
/// Around a value and a row on the wire: a tag and a length, at most.
const AROUND_BYTES: usize = 6;
/// A number on the wire, at most.
const NUMBER_BYTES: usize = 9;
/// A problem is a sentence.
const PROBLEM_BYTES_MAX: usize = 1_000;

/// Why a look ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    Problem(Problem),
    /// Why, for people.
    Late(String),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Takes rows of a table and keeps those that are asked for.
pub(super) struct Taker<'q> {
    pub(super) sieve: &'q Sieve,
    pub(super) budget: &'q Budget,
    rows_max: usize,
    rows: Vec<Row>,
    bytes: usize,
    dropped: u64,
    /// What is left out otherwise.
    notes: Vec<String>,
}

impl<'q> Taker<'q> {
    pub(super) fn new(ask: &Ask, sieve: &'q Sieve, budget: &'q Budget) -> Self {
        let rows_max = usize::try_from(ask.rows_max).unwrap_or(usize::MAX).min(ANSWER_ROWS_MAX);
        Self { sieve, budget, rows_max, rows: Vec::new(), bytes: 0, dropped: 0, notes: Vec::new() }
    }

    /// One row of the table; a text that is too long is cut between letters. What fits and finds no room is counted.
    ///
    /// # Errors
    /// [`Stop::Late`] when there is no more time.
    pub(super) fn add(&mut self, row: impl IntoIterator<Item = Value>) -> Result<(), Stop> {
        let mut row: Row = row.into_iter().collect();
        row.iter_mut().for_each(cut);
        self.take(&row)
    }

    /// As [`Taker::add`], of a row whose texts are known to be short enough.
    pub(super) fn take(&mut self, row: &[Value]) -> Result<(), Stop> {
        self.go_on()?;
        if self.sieve.fits(row) {
            let row = self.sieve.told(row);
            let bytes = AROUND_BYTES + row.iter().map(bytes_of).sum::<usize>();
            if self.rows.len() < self.rows_max && self.bytes + bytes <= ROWS_BYTES_MAX {
                self.bytes += bytes;
                self.rows.push(row);
            } else {
                self.dropped += 1;
            }
        }
        Ok(())
    }

    /// Whether there is time left, for loops that find no rows.
    ///
    /// # Errors
    /// [`Stop::Late`] when there is none.
    pub(super) fn go_on(&self) -> Result<(), Stop> {
        self.budget.over().map_or(Ok(()), |why| Err(Stop::Late(why)))
    }

    /// Rows of the table that nobody looked at.
    pub(super) fn drop_unseen(&mut self, rows: u64) {
        self.dropped += rows;
    }

    /// Something that is left out of the answer, for people.
    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn into_answer(self, ask: &Ask) -> Answer {
        let columns = self.sieve.columns().map(|column| column.name.to_owned()).collect();
        let problem = cut_problem(self.notes.join("; "));
        Answer {
            id: ask.id,
            word: AnswerWord::Rows,
            columns,
            rows: self.rows,
            dropped: self.dropped,
            problem,
            extensions: Vec::new(),
        }
    }
}

/// An answer without rows.
pub(super) fn without_rows(id: u64, word: AnswerWord, problem: impl Into<String>) -> Answer {
    let problem = cut_problem(problem.into());
    Answer { id, word, columns: Vec::new(), rows: Vec::new(), dropped: 0, problem, extensions: Vec::new() }
}

fn cut_problem(mut problem: String) -> String {
    problem.truncate(problem.floor_char_boundary(PROBLEM_BYTES_MAX));
    problem
}

fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Null => AROUND_BYTES,
        Value::Integer(_) => AROUND_BYTES + NUMBER_BYTES,
        Value::Text(text) => AROUND_BYTES + text.len(),
    }
}

fn cut(value: &mut Value) {
    if let Value::Text(text) = value
        && text.len() > INVENTORY_TEXT_BYTES_MAX
    {
        text.truncate(text.floor_char_boundary(INVENTORY_TEXT_BYTES_MAX));
    }
}
