//! Values of templates, and how they print.

use std::collections::BTreeMap;
use std::rc::Rc;

use muster_common::label::LabelSet;

use super::{humanize, number};

#[derive(Clone, Debug)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    List(Rc<Vec<Value>>),
    /// Labels: a name that is absent is an empty text.
    Labels(Rc<BTreeMap<String, String>>),
    /// What `args` makes.
    Map(Rc<Arguments>),
    /// One series of `query`.
    Sample(Rc<Sample>),
    /// What the whole template is given.
    Given(Rc<Given>),
    /// Seconds since 1970.
    Time(f64),
    /// Seconds.
    Span(f64),
}

/// Values by name. The only values that hold others of any kind, so their depth is counted: printing and dropping them recurse.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) depth: usize,
    pub(super) named: BTreeMap<String, Value>,
}

#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Rc<BTreeMap<String, String>>,
    pub(super) value: f64,
}

#[derive(Debug)]
pub(super) struct Given {
    pub(super) labels: Rc<BTreeMap<String, String>>,
    pub(super) external_labels: Rc<BTreeMap<String, String>>,
    pub(super) external_url: Rc<str>,
    pub(super) value: f64,
}

/// Labels as a map that can be printed and walked.
pub(super) fn map_of(labels: &LabelSet) -> Rc<BTreeMap<String, String>> {
    Rc::new(labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

pub(super) fn text(own: impl Into<Rc<str>>) -> Value {
    Value::Text(own.into())
}

impl Value {
    /// Go's truth: what is not empty and not zero.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) | Self::Span(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Labels(map) => !map.is_empty(),
            Self::Map(map) => !map.named.is_empty(),
            Self::Sample(_) | Self::Given(_) | Self::Time(_) => true,
        }
    }

    /// Go's name of the type, for messages.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "template.queryResult",
            Self::Labels(_) => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::Sample(_) => "*template.sample",
            Self::Given(_) => "struct",
            Self::Time(_) => "*time.Time",
            Self::Span(_) => "time.Duration",
        }
    }

    /// The field of this name.
    pub(super) fn field(&self, name: &str) -> Result<Self, String> {
        let wrong = || format!("can't evaluate field {name} in type {}", self.type_name());
        Ok(match (self, name) {
            (Self::Labels(map), _) => text(map.get(name).map_or("", String::as_str)),
            (Self::Map(map), _) => map.named.get(name).cloned().unwrap_or(Self::Nil),
            (Self::Sample(sample), "Labels") => Self::Labels(Rc::clone(&sample.labels)),
            (Self::Sample(sample), "Value") => Self::Float(sample.value),
            (Self::Given(given), "Labels") => Self::Labels(Rc::clone(&given.labels)),
            (Self::Given(given), "ExternalLabels") => Self::Labels(Rc::clone(&given.external_labels)),
            (Self::Given(given), "ExternalURL") => Self::Text(Rc::clone(&given.external_url)),
            (Self::Given(given), "Value") => Self::Float(given.value),
            (Self::Nil, _) => return Err(format!("nil data; no entry for key {name:?}")),
            _ => return Err(wrong()),
        })
    }

    /// As Go's `fmt` prints it with `%v`; of `most` bytes at least, if there are so many, and little more.
    pub(super) fn show(&self, most: usize) -> String {
        let mut out = String::new();
        self.show_into(&mut out, most);
        out
    }

    fn show_into(&self, out: &mut String, most: usize) {
        if out.len() > most {
            return;
        }
        match self {
            Self::Nil => out.push_str("<no value>"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Float(value) => out.push_str(&number::show(*value)),
            Self::Text(text) => out.push_str(text),
            Self::List(list) => {
                out.push('[');
                for (index, value) in list.iter().enumerate() {
                    out.push_str(if index > 0 { " " } else { "" });
                    value.show_into(out, most);
                }
                out.push(']');
            }
            Self::Labels(map) => show_map(out, map.iter(), |out, value| out.push_str(value), most),
            Self::Map(map) => show_map(out, map.named.iter(), |out, value| value.show_into(out, most), most),
            Self::Sample(sample) => {
                out.push_str("&{");
                Self::Labels(Rc::clone(&sample.labels)).show_into(out, most);
                out.push_str(&format!(" {}}}", number::show(sample.value)));
            }
            Self::Given(given) => {
                out.push('{');
                Self::Labels(Rc::clone(&given.labels)).show_into(out, most);
                out.push(' ');
                Self::Labels(Rc::clone(&given.external_labels)).show_into(out, most);
                out.push_str(&format!(" {} {}}}", given.external_url, number::show(given.value)));
            }
            Self::Time(seconds) => out.push_str(&humanize::timestamp(*seconds).unwrap_or_default()),
            Self::Span(seconds) => out.push_str(&humanize::go_duration(*seconds)),
        }
    }
}

fn show_map<'a, V: 'a>(
    out: &mut String,
    entries: impl Iterator<Item = (&'a String, &'a V)>,
    show: impl Fn(&mut String, &'a V),
    most: usize,
) {
    out.push_str("map[");
    for (index, (name, value)) in entries.enumerate() {
        if out.len() > most {
            break;
        }
        out.push_str(if index > 0 { " " } else { "" });
        out.push_str(name);
        out.push(':');
        show(out, value);
    }
    out.push(']');
}
