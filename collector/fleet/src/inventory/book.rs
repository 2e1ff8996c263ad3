//! The rows of one table of all hosts, each once: ten thousand hosts have the same few thousand packages.

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::inventory::{Row, Value};

/// Rows that are copied together when one of them changes while a reader holds them: 2 kB.
const CHUNK: usize = 256;

/// Rows by number. A clone is cheap and stays as it is, whatever the collector learns.
#[derive(Clone, Default)]
pub struct RowBook {
    chunks: Vec<Arc<Vec<Arc<Row>>>>,
}

impl RowBook {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    /// The row of a number that a host's table names; empty for any other.
    pub fn row(&self, number: u32) -> &[Value] {
        self.shared(number).map_or(&[], |row| row.as_slice())
    }

    /// All rows by number, also those that no host has any more: empty ones.
    pub fn rows(&self) -> impl Iterator<Item = Arc<Row>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().cloned())
    }

    fn shared(&self, number: u32) -> Option<&Arc<Row>> {
        let number = number as usize;
        self.chunks.get(number / CHUNK)?.get(number % CHUNK)
    }

    /// All numbers are below it. Between them may be some that no host has: their rows are empty.
    pub fn end(&self) -> usize {
        let last = self.chunks.last().map_or(0, |chunk| chunk.len());
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    /// Gives a row the next number.
    pub(super) fn push(&mut self, row: Arc<Row>) -> u32 {
        let number = self.end();
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(row),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(row);
                self.chunks.push(Arc::new(chunk));
            }
        }
        // Four thousand million rows do not fit into memory.
        number as u32
    }

    fn set(&mut self, number: u32, row: Arc<Row>) {
        let number = number as usize;
        if let Some(chunk) = self.chunks.get_mut(number / CHUNK)
            && let Some(place) = Arc::make_mut(chunk).get_mut(number % CHUNK)
        {
            *place = row;
        }
    }
}

/// Which rows a book has, and how many tables of hosts name each.
#[derive(Default)]
pub(super) struct Numbers {
    numbers: HashMap<Arc<Row>, u32>,
    uses: Vec<u32>,
    free: Vec<u32>,
}

impl Numbers {
    /// The number of this row, for one more use of it.
    pub(super) fn take(&mut self, book: &mut RowBook, row: &Row) -> u32 {
        if let Some(number) = self.numbers.get(row).copied() {
            self.again(number);
            return number;
        }
        let row = Arc::new(row.clone());
        let number = match self.free.pop() {
            Some(number) => {
                book.set(number, row.clone());
                number
            }
            None => {
                self.uses.push(0);
                book.push(row.clone())
            }
        };
        self.numbers.insert(row, number);
        self.again(number);
        number
    }

    /// One more use of a row that is in use.
    pub(super) fn again(&mut self, number: u32) {
        if let Some(uses) = self.uses.get_mut(number as usize) {
            *uses += 1;
        }
    }

    /// One use less; without any the row goes.
    pub(super) fn give_back(&mut self, book: &mut RowBook, number: u32) {
        let Some(uses) = self.uses.get_mut(number as usize) else { return };
        *uses = uses.saturating_sub(1);
        let row = book.shared(number).filter(|_| *uses == 0);
        if row.is_some_and(|row| self.numbers.remove(row.as_ref()).is_some()) {
            book.set(number, Arc::default());
            self.free.push(number);
        }
    }

    /// Different rows in use.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_have_one_number_and_numbers_that_nobody_uses_are_given_again() {
        let row = |number: i64| -> Row { vec![number.into(), "x".into()] };
        let (mut book, mut numbers) = (RowBook::default(), Numbers::default());
        let first: Vec<u32> = (0..600).map(|number| numbers.take(&mut book, &row(number))).collect();
        assert_eq!((first, book.end(), numbers.len()), ((0..600).collect(), 600, 600));
        assert_eq!(numbers.take(&mut book, &row(5)), 5);
        let held = book.clone();
        numbers.give_back(&mut book, 5);
        assert_eq!(book.row(5), row(5), "it has a second use");
        numbers.give_back(&mut book, 5);
        numbers.give_back(&mut book, 5);
        assert_eq!((book.row(5), numbers.len()), (&[][..], 599));
        assert_eq!((numbers.take(&mut book, &row(1_000)), book.end()), (5, 600));
        assert_eq!(
            (book.row(5), held.row(5)),
            (row(1_000).as_slice(), row(5).as_slice()),
            "who holds it sees no change"
        );
        assert_eq!((book.row(600), book.row(u32::MAX)), (&[][..], &[][..]));
    }
}
