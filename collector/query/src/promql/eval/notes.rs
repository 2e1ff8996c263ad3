//! What an answer tells besides its values: Prometheus' annotations, each text once, with its place.

use crate::error::Place;

/// So that a query over many series does not answer with more notes than values. Prometheus' bound.
const NOTES_MAX: usize = 10;

pub(crate) struct Notes {
    warnings: Kept,
    infos: Kept,
    query: String,
}

#[derive(Default)]
struct Kept {
    texts: Vec<String>,
    omitted: usize,
}

impl Notes {
    pub(crate) fn of(query: &str) -> Self {
        Self { warnings: Kept::default(), infos: Kept::default(), query: query.to_owned() }
    }

    pub(crate) fn warn(&mut self, at: usize, text: &str) {
        self.warnings.add(format!("PromQL warning: {text} ({})", Place::of(&self.query, at)));
    }

    pub(crate) fn info(&mut self, at: usize, text: &str) {
        self.infos.add(format!("PromQL info: {text} ({})", Place::of(&self.query, at)));
    }

    /// Warnings and infos, each with how many more there were.
    pub(crate) fn into_texts(self) -> (Vec<String>, Vec<String>) {
        (self.warnings.into_texts("warning"), self.infos.into_texts("info"))
    }
}

impl Kept {
    fn add(&mut self, text: String) {
        if self.texts.contains(&text) {
            return;
        }
        if self.texts.len() < NOTES_MAX {
            self.texts.push(text);
        } else {
            self.omitted += 1;
        }
    }

    fn into_texts(mut self, kind: &str) -> Vec<String> {
        if self.omitted > 0 {
            self.texts.push(format!("{} more {kind} annotations omitted", self.omitted));
        }
        self.texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_stands_once_and_what_is_left_out_is_counted() {
        let mut notes = Notes::of("a\n+ b");
        for number in [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] {
            notes.warn(4, &format!("odd {number}"));
        }
        notes.info(0, "hint");
        let (warnings, infos) = notes.into_texts();
        assert_eq!((warnings.len(), &*warnings[0]), (11, "PromQL warning: odd 0 (2:3)"));
        assert_eq!(warnings[10], "2 more warning annotations omitted");
        assert_eq!(infos, ["PromQL info: hint (1:1)"]);
    }
}
