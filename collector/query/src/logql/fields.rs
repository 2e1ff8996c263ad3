//! The labels of one line in the making: those of its stream, its structured metadata, and what stages extract and set.
//! One of these serves all lines of a query; its buffers keep their memory, so that a line allocates nothing here.

use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::limits::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX};

use crate::vector::ops::Grouping;

pub(crate) const ERROR: &str = "__error__";
pub(crate) const ERROR_DETAILS: &str = "__error_details__";
/// Tells that errors were asked for, so that they do not fail a metric query.
pub(crate) const PRESERVE_ERROR: &str = "__preserve_error__";
/// A line gained more labels than it may.
const LIMIT_ERROR: &str = "LabelLimitErr";
/// Behind the name of an extracted label that the stream has, too.
const EXTRACTED: &str = "_extracted";
/// Labels that one line may gain: names are found by walking, and a line of 256 KiB could have 30,000.
const GAINED_MAX: usize = 1_024;
/// Bytes of all names and values that one line may gain: a few times the longest line.
const GAINED_BYTES_MAX: usize = 4 << 20;

/// Which labels anyone looks at. Parsers extract no others.
#[derive(Clone, Debug, Default)]
pub(crate) enum Wanted {
    #[default]
    All,
    /// Sorted.
    Only(Vec<String>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Metadata,
    Parsed,
}

#[derive(Clone, Copy)]
struct Part {
    start: usize,
    end: usize,
}

#[derive(Clone, Copy)]
struct Pair {
    name: Part,
    value: Part,
    origin: Origin,
}

#[derive(Default)]
pub(crate) struct Fields {
    base: Arc<LabelSet>,
    /// All names and values that `pairs` and `removed` point into.
    text: String,
    pairs: Vec<Pair>,
    removed: Vec<Part>,
    error: &'static str,
    details: String,
    preserve: bool,
    wanted: Wanted,
    order: Vec<usize>,
}

/// What of a line's labels does not fit into a label set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) labels: bool,
    pub(crate) values: bool,
}

impl Fields {
    pub(crate) fn new(wanted: Wanted) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Begins a line of this stream.
    pub(crate) fn begin(&mut self, base: &Arc<LabelSet>) {
        if !Arc::ptr_eq(&self.base, base) {
            self.base = Arc::clone(base);
        }
        self.text.clear();
        self.pairs.clear();
        self.removed.clear();
        self.error = "";
        self.details.clear();
        self.preserve = false;
    }

    /// The labels are the stream's, no more and no less.
    pub(crate) fn untouched(&self) -> bool {
        self.pairs.is_empty() && self.removed.is_empty() && self.error.is_empty() && self.details.is_empty()
    }

    /// Nobody looks at any label that a parser could extract.
    pub(crate) fn nothing_wanted(&self) -> bool {
        matches!(&self.wanted, Wanted::Only(names) if names.is_empty())
    }

    fn wants(&self, name: &str) -> bool {
        match &self.wanted {
            Wanted::All => true,
            Wanted::Only(names) => names.binary_search_by(|own| own.as_str().cmp(name)).is_ok(),
        }
    }

    /// Whether the name is wanted, by itself or as what it is called where the stream has it, too.
    fn may_want(&self, name: &str) -> bool {
        let called = |own: &String| own.strip_prefix(name).is_some_and(|rest| matches!(rest, "" | EXTRACTED));
        match &self.wanted {
            Wanted::All => true,
            Wanted::Only(names) => names.iter().any(called),
        }
    }

    fn part(&self, part: Part) -> &str {
        &self.text[part.start..part.end]
    }

    fn keep(&mut self, text: &str) -> Part {
        let start = self.text.len();
        self.text.push_str(text);
        Part { start, end: self.text.len() }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.pairs.iter().position(|pair| self.part(pair.name) == name)
    }

    fn is_removed(&self, name: &str) -> bool {
        self.removed.iter().any(|part| self.part(*part) == name)
    }

    /// The value of a label as the stages before left it.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        match name {
            ERROR => return (!self.error.is_empty()).then_some(self.error),
            ERROR_DETAILS => return (!self.details.is_empty()).then_some(&*self.details),
            _ => {}
        }
        match self.find(name) {
            Some(index) => Some(self.part(self.pairs[index].value)),
            None if self.is_removed(name) => None,
            None => self.base.get(name),
        }
    }

    /// Structured metadata of the line.
    pub(crate) fn add_metadata(&mut self, name: &str, value: &str) {
        let clash = self.base.get(name).is_some();
        let name = self.name_of(name, clash);
        if !self.wants(self.part(name)) {
            self.text.truncate(name.start);
            return;
        }
        let value = self.keep(value);
        self.pairs.push(Pair { name, value, origin: Origin::Metadata });
    }

    /// The name, with its suffix where the stream has it already.
    fn name_of(&mut self, name: &str, clash: bool) -> Part {
        let mut part = self.keep(name);
        if clash {
            part.end = self.keep(EXTRACTED).end;
        }
        part
    }

    /// Whether the line has gained as much as it may; then that is its error.
    fn is_full(&mut self, bytes: usize) -> bool {
        let full = self.pairs.len() >= GAINED_MAX || self.text.len() + bytes > GAINED_BYTES_MAX;
        if full && self.error != LIMIT_ERROR {
            self.fail(LIMIT_ERROR, &format!("more than {GAINED_MAX} labels or {GAINED_BYTES_MAX} bytes of them"));
        }
        full
    }

    /// What a parser found. Its first find counts; the stream's own labels stay, metadata gives way.
    pub(crate) fn extract(&mut self, name: &str, value: &str) {
        if !self.may_want(name) || self.is_full(name.len() + value.len()) {
            return;
        }
        let clash = self.base.get(name).is_some();
        let name = self.name_of(name, clash);
        let found = self.find(self.part(name));
        let known = found.is_some_and(|index| self.pairs[index].origin == Origin::Parsed);
        if known || !self.wants(self.part(name)) {
            self.text.truncate(name.start);
            return;
        }
        let value = self.keep(value);
        let pair = Pair { name, value, origin: Origin::Parsed };
        match found {
            Some(index) => self.pairs[index] = pair,
            None => self.pairs.push(pair),
        }
    }

    /// As [`Fields::extract`], of bytes that may be no UTF-8: what is none is left out.
    pub(crate) fn extract_bytes(&mut self, name: &str, value: &[u8]) {
        if !self.may_want(name) {
            return;
        }
        match std::str::from_utf8(value) {
            Ok(value) => self.extract(name, value),
            Err(_) => {
                let clean: String = value.utf8_chunks().map(|chunk| chunk.valid()).collect();
                self.extract(name, &clean);
            }
        }
    }

    /// Sets a label, whatever there was.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        if self.is_full(name.len() + value.len()) {
            return;
        }
        self.put(name, value);
    }

    fn put(&mut self, name: &str, value: &str) {
        let found = self.find(name);
        let (name, value) = (self.keep(name), self.keep(value));
        let pair = Pair { name, value, origin: Origin::Parsed };
        match found {
            Some(index) => self.pairs[index] = pair,
            None => self.pairs.push(pair),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        match name {
            ERROR => self.error = "",
            ERROR_DETAILS => self.details.clear(),
            _ => {
                if let Some(index) = self.find(name) {
                    self.pairs.remove(index);
                }
                if self.base.get(name).is_some() && !self.is_removed(name) {
                    let part = self.keep(name);
                    self.removed.push(part);
                }
            }
        }
    }

    /// Removes the labels that are not kept. Error labels stay.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        let text = &self.text;
        self.pairs.retain(|pair| keep(&text[pair.name.start..pair.name.end], &text[pair.value.start..pair.value.end]));
        let base = Arc::clone(&self.base);
        for (name, value) in base.iter() {
            if self.find(name).is_none() && !self.is_removed(name) && !keep(name, value) {
                let part = self.keep(name);
                self.removed.push(part);
            }
        }
    }

    /// The pipeline went wrong at this line; the line goes on, with the error as a label.
    pub(crate) fn fail(&mut self, error: &'static str, details: &str) {
        self.error = error;
        self.details.clear();
        self.details.push_str(details);
    }

    /// As [`Fields::fail`], of a parser: where the query filters by errors, they are its to judge.
    pub(crate) fn fail_parse(&mut self, error: &'static str, details: &str) {
        self.fail(error, details);
        self.preserve = matches!(&self.wanted, Wanted::Only(names) if names.iter().any(|name| name == ERROR));
    }

    pub(crate) fn error(&self) -> &'static str {
        self.error
    }

    /// An error that fails a metric query.
    pub(crate) fn is_fatal(&self) -> bool {
        !self.error.is_empty() && !self.preserve
    }

    /// The canonical bytes of the label set that the line ends with, cut down to the group it belongs to (all labels
    /// where there is an error, which would else be lost). Answers what did not fit.
    pub(crate) fn finish(&mut self, grouping: Option<&Grouping>, out: &mut Vec<u8>) -> Cut {
        out.clear();
        let whole = !self.error.is_empty();
        self.put_errors();
        let order = self.take_order();
        let grouped = |name: &str| match grouping.filter(|_| !whole) {
            None => true,
            Some(group) => group.labels.binary_search_by(|own| own.as_str().cmp(name)).is_ok() != group.without,
        };
        let (mut cut, mut count) = (Cut::default(), 0);
        let mut push = |name: &str, value: &str| {
            if value.is_empty() || name.is_empty() || !grouped(name) {
                return;
            }
            if name.len() > LABEL_NAME_BYTES_MAX || count >= LABELS_MAX {
                cut.labels = true;
                return;
            }
            let kept = &value[..value.floor_char_boundary(LABEL_VALUE_BYTES_MAX)];
            cut.values |= kept.len() < value.len();
            count += 1;
            push_pair(out, name, kept);
        };
        let mut added = order.iter().map(|index| self.pairs[*index]).peekable();
        for (name, value) in self.base.iter() {
            while let Some(pair) = added.next_if(|pair| self.part(pair.name) < name) {
                push(self.part(pair.name), self.part(pair.value));
            }
            if let Some(pair) = added.next_if(|pair| self.part(pair.name) == name) {
                push(name, self.part(pair.value));
            } else if !self.is_removed(name) {
                push(name, value);
            }
        }
        for pair in added {
            push(self.part(pair.name), self.part(pair.value));
        }
        self.order = order;
        cut
    }

    /// As [`Fields::finish`] of all labels, with those that the line gained apart from its stream's: into `out` go the canonical
    /// bytes of what is left of the stream's, the rest is answered by name: structured metadata, and what the pipeline made.
    pub(crate) fn finish_apart(&mut self, out: &mut Vec<u8>) -> (Pairs, Pairs) {
        self.put_errors();
        out.clear();
        for (name, value) in self.base.iter() {
            if self.find(name).is_none() && !self.is_removed(name) {
                push_pair(out, name, value);
            }
        }
        let (order, mut gained) = (self.take_order(), (Vec::new(), Vec::new()));
        for pair in order.iter().map(|index| self.pairs[*index]) {
            let (name, value) = (self.part(pair.name), self.part(pair.value));
            if !name.is_empty() && !value.is_empty() {
                let list = if pair.origin == Origin::Metadata { &mut gained.0 } else { &mut gained.1 };
                list.push((name.to_owned(), value.to_owned()));
            }
        }
        self.order = order;
        gained
    }

    /// The error becomes labels.
    fn put_errors(&mut self) {
        if !self.error.is_empty() {
            self.put(ERROR, self.error);
            if self.preserve {
                self.put(PRESERVE_ERROR, "true");
            }
        }
        if !self.details.is_empty() {
            let details = std::mem::take(&mut self.details);
            self.put(ERROR_DETAILS, &details);
            self.details = details;
        }
    }

    /// The places of `pairs` by name.
    fn take_order(&mut self) -> Vec<usize> {
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        order.extend(0..self.pairs.len());
        order.sort_unstable_by(|a, b| self.part(self.pairs[*a].name).cmp(self.part(self.pairs[*b].name)));
        order
    }
}

/// Names and values, by name.
pub(crate) type Pairs = Vec<(String, String)>;

/// Appends a pair in the form of a label set's canonical bytes.
fn push_pair(out: &mut Vec<u8>, name: &str, value: &str) {
    for text in [name, value] {
        out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(fields: &mut Fields, grouping: Option<&Grouping>) -> String {
        let mut bytes = Vec::new();
        fields.finish(grouping, &mut bytes);
        LabelSet::from_canonical(&bytes).unwrap().to_string()
    }

    fn begun() -> Fields {
        let mut fields = Fields::default();
        fields.begin(&Arc::new(LabelSet::new([("app", "web"), ("host", "a")]).unwrap()));
        fields
    }

    #[test]
    fn streams_keep_their_labels_and_parsers_rename_theirs() {
        let mut fields = begun();
        assert!(fields.untouched());
        fields.add_metadata("trace", "7");
        fields.add_metadata("app", "meta");
        fields.extract("trace", "8");
        fields.extract("trace", "9");
        fields.extract("host", "b");
        fields.extract_bytes("raw", b"x\xffy");
        assert_eq!((fields.get("app"), fields.get("trace"), fields.get("none")), (Some("web"), Some("8"), None));
        fields.remove("app");
        let text = "{app_extracted=\"meta\", host=\"a\", host_extracted=\"b\", raw=\"xy\", trace=\"8\"}";
        assert_eq!(shown(&mut fields, None), text);
        fields.set("host", "c");
        let by = Grouping { without: false, labels: vec!["host".into()] };
        assert_eq!(shown(&mut fields, Some(&by)), "{host=\"c\"}");
        fields.fail("JSONParserErr", "why");
        assert!(shown(&mut fields, Some(&by)).contains("__error_details__=\"why\""), "errors outlive grouping");
    }

    #[test]
    fn labels_are_told_apart_by_where_they_come_from() {
        let mut fields = begun();
        fields.add_metadata("trace", "7");
        fields.add_metadata("user", "u");
        fields.extract("user", "v");
        fields.extract("b", "1");
        fields.extract("a", "");
        fields.set("host", "c");
        fields.fail("JSONParserErr", "why");
        let mut bytes = Vec::new();
        let (metadata, parsed) = fields.finish_apart(&mut bytes);
        assert_eq!(LabelSet::from_canonical(&bytes).unwrap().to_string(), "{app=\"web\"}");
        let text =
            |pairs: Pairs| pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        assert_eq!(text(metadata), "trace=7");
        assert_eq!(text(parsed), "__error__=JSONParserErr __error_details__=why b=1 host=c user=v");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let mut fields = begun();
        for index in 0..100 {
            fields.extract(&format!("l{index:03}"), "v");
        }
        fields.extract("aa", &"\u{e9}".repeat(9_000));
        let mut bytes = Vec::new();
        assert_eq!(fields.finish(None, &mut bytes), Cut { labels: true, values: true });
        assert_eq!(LabelSet::from_canonical(&bytes).unwrap().iter().count(), LABELS_MAX);
        for index in 0..2_000 {
            fields.extract(&format!("m{index}"), "v");
        }
        assert_eq!(fields.error(), "LabelLimitErr");
    }
}
