//! What an answer tells besides its values: Prometheus' annotations, each text once, with its place.

use crate::error::Place;

/// So that a query over many series does not answer with more notes than values. Prometheus' bound.
const NOTES_MAX: usize = 10;

#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) warnings: Vec<String>,
    pub(crate) infos: Vec<String>,
    query: String,
}

impl Notes {
    pub(crate) fn of(query: &str) -> Self {
        Self { query: query.to_owned(), ..Self::default() }
    }

    pub(crate) fn warn(&mut self, at: usize, text: &str) {
        add(&mut self.warnings, format!("PromQL warning: {text} ({})", Place::of(&self.query, at)));
    }

    pub(crate) fn info(&mut self, at: usize, text: &str) {
        add(&mut self.infos, format!("PromQL info: {text} ({})", Place::of(&self.query, at)));
    }
}

fn add(notes: &mut Vec<String>, note: String) {
    if notes.len() < NOTES_MAX && !notes.contains(&note) {
        notes.push(note);
    }
}
