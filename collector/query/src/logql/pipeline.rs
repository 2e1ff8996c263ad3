//! A pipeline at work: the stages in their order, on one line after the other.

use std::borrow::Cow;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;

use crate::error::QueryError;
use crate::logql::ast::{LogExpr, LogSelector};
use crate::logql::fields::{Fields, Wanted};
use crate::logql::source::{LogFields, LogLine};
use crate::logql::stages::{Line, Stage};
use crate::value::AnswerEntry;

pub(crate) struct Pipeline {
    /// Line filters that stand first: they need no labels.
    early: Vec<Arc<dyn Stage>>,
    late: Vec<Arc<dyn Stage>>,
    pub(crate) fields: Fields,
}

impl Pipeline {
    pub(crate) fn new(log: &LogSelector, wanted: Wanted) -> Self {
        let early = log.stages.iter().take_while(|stage| stage.is_line_filter()).count();
        let (early, late) = log.stages.split_at(early);
        Self { early: early.to_vec(), late: late.to_vec(), fields: Fields::new(wanted) }
    }

    /// The line as it comes out, its labels in `fields`; `None` where it is filtered out.
    #[inline]
    pub(crate) fn run<'a>(&mut self, labels: &Arc<LabelSet>, entry: &LogLine<'a>) -> Option<Cow<'a, [u8]>> {
        let mut line = Line { at_ns: entry.at_ns, bytes: Cow::Borrowed(entry.line) };
        if !self.early.iter().all(|stage| stage.run(&mut line, &mut self.fields)) {
            return None;
        }
        self.fields.begin(labels);
        for (name, value) in entry.fields.iter() {
            self.fields.add_metadata(name, value);
        }
        let fields = &mut self.fields;
        self.late.iter().all(|stage| stage.run(&mut line, fields)).then_some(line.bytes)
    }
}

/// The texts that every line which passes contains: of filters that see the line as it is stored.
pub(crate) fn needles(log: &LogSelector) -> Vec<Vec<u8>> {
    let stored = log.stages.iter().take_while(|stage| !stage.changes_line());
    stored.filter_map(|stage| stage.needle().map(<[u8]>::to_vec)).collect()
}

/// A log query's pipeline for lines that come one by one, as live tail's do.
pub struct LogPipeline {
    matchers: Vec<Matcher>,
    pipeline: Pipeline,
    categorized: bool,
    labels: Arc<LabelSet>,
    key: Vec<u8>,
}

impl LogPipeline {
    /// # Errors
    /// [`QueryError::BadData`] if the query answers numbers.
    pub fn new(expr: &LogExpr, categorized: bool) -> Result<Self, QueryError> {
        let log = expr.lines().ok_or_else(|| QueryError::BadData {
            message: "only log queries can be tailed: leave the functions out and write the selector with its pipeline"
                .into(),
        })?;
        Ok(Self {
            matchers: log.matchers.clone(),
            pipeline: Pipeline::new(log, Wanted::All),
            categorized,
            labels: Arc::default(),
            key: Vec::new(),
        })
    }

    /// The matchers that choose streams.
    pub fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// The labels and the line that this one ends with, as a range query gives them; `None` where it is filtered out. Lines in a
    /// row with equal labels share them.
    pub fn run(
        &mut self,
        labels: &Arc<LabelSet>,
        at_ns: i64,
        line: &[u8],
        fields: LogFields<'_>,
    ) -> Option<(Arc<LabelSet>, AnswerEntry)> {
        let line = self.pipeline.run(labels, &LogLine { at_ns, line, fields })?.into_owned();
        let (fields, parsed) = if self.categorized {
            self.pipeline.fields.finish_apart(&mut self.key)
        } else {
            self.pipeline.fields.finish(None, &mut self.key);
            (fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), Vec::new())
        };
        if self.key != self.labels.canonical() {
            self.labels = Arc::new(LabelSet::from_canonical(&self.key).unwrap_or_default());
        }
        Some((Arc::clone(&self.labels), AnswerEntry { at_ns, line, fields, parsed }))
    }
}
