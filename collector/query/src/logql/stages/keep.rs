//! `| keep a, b="x"` takes all other labels away. Error labels stay.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use crate::logql::fields::Fields;
use crate::logql::parser::Parser;
use crate::logql::stages::drop::{Listed, Named, names};
use crate::logql::stages::{Line, Stage};
use crate::text::fault::Parsed;

#[derive(Debug)]
pub(crate) struct Keep {
    labels: Vec<Named>,
}

pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    Ok(Arc::new(Keep { labels: names(parser)? }))
}

impl Stage for Keep {
    fn run(&self, _: &mut Line<'_>, fields: &mut Fields) -> bool {
        fields.retain(|name, value| self.labels.iter().any(|named| named.holds(name, value)));
        true
    }

    fn reads(&self, names: &mut Vec<String>) {
        let matched = self.labels.iter().filter(|named| matches!(named, Named::Match(_)));
        names.extend(matched.map(|named| named.name().to_owned()));
    }
}

impl Display for Keep {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "| keep{}", Listed(&self.labels))
    }
}
