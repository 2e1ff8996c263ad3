//! The functions of templates: Go's own and Prometheus'. A new one is a line in the table.

use std::cmp::Ordering;
use std::rc::Rc;

use muster_common::matcher::re2_regex;
use muster_common::time::parse_span;

use super::compare::{equal, order};
use super::exec::{OUTPUT_BYTES_MAX, SAMPLES_MAX, Walk};
use super::value::{Arguments, Sample, Value, map_of, text};
use super::{escape, humanize, printf};

pub(super) type Made = Result<Value, String>;
type Eager = fn(&mut Walk<'_>, &[Value]) -> Made;

#[derive(Clone, Copy, Debug)]
pub(super) enum Run {
    Eager(Eager),
    /// `and`, `or`: arguments are looked at until one is (not) true.
    Lazy(bool),
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Least and most arguments, the piped one included.
    pub(super) args: (usize, usize),
    pub(super) run: Run,
    /// Gives other results for the same arguments at other times.
    pub(super) is_restless: bool,
}

/// Arguments of functions that take any number.
const MANY: usize = 64;

const fn of(name: &'static str, args: (usize, usize), run: Eager) -> Function {
    Function { name, args, run: Run::Eager(run), is_restless: false }
}

const fn restless(name: &'static str, args: (usize, usize), run: Eager) -> Function {
    Function { name, args, run: Run::Eager(run), is_restless: true }
}

const FUNCTIONS: &[Function] = &[
    Function { name: "and", args: (1, MANY), run: Run::Lazy(false), is_restless: false },
    Function { name: "or", args: (1, MANY), run: Run::Lazy(true), is_restless: false },
    of("not", (1, 1), |_, args| Ok(Value::Bool(!args[0].is_true()))),
    of("eq", (2, MANY), |_, args| any_equal(args)),
    of("ne", (2, 2), |_, args| equal(&args[0], &args[1]).map(|same| Value::Bool(!same))),
    of("lt", (2, 2), |_, args| ordered(args, |own| own == Ordering::Less)),
    of("le", (2, 2), |_, args| ordered(args, |own| own != Ordering::Greater)),
    of("gt", (2, 2), |_, args| ordered(args, |own| own == Ordering::Greater)),
    of("ge", (2, 2), |_, args| ordered(args, |own| own != Ordering::Less)),
    of("len", (1, 1), |_, args| length(&args[0])),
    of("index", (1, MANY), |_, args| args[1..].iter().try_fold(args[0].clone(), |from, key| indexed(&from, key))),
    of("slice", (1, 3), |_, args| sliced(args)),
    of("print", (0, MANY), |_, args| Ok(text(printf::print(args, OUTPUT_BYTES_MAX)))),
    of("println", (0, MANY), |_, args| Ok(text(printf::println(args, OUTPUT_BYTES_MAX)))),
    of("printf", (1, MANY), |_, args| Ok(text(printf::printf(&string(&args[0])?, &args[1..], OUTPUT_BYTES_MAX)))),
    of("html", (1, MANY), |_, args| Ok(text(escape::html(&printf::print(args, OUTPUT_BYTES_MAX))))),
    of("js", (1, MANY), |_, args| Ok(text(escape::js(&printf::print(args, OUTPUT_BYTES_MAX))))),
    of("urlquery", (1, MANY), |_, args| Ok(text(escape::query(&printf::print(args, OUTPUT_BYTES_MAX))))),
    restless("query", (1, 1), |walk, args| query(walk, &string(&args[0])?)),
    of("first", (1, 1), |_, args| {
        samples(&args[0])?.first().cloned().ok_or_else(|| "first() called on vector with no elements".to_owned())
    }),
    of("value", (1, 1), |_, args| Ok(Value::Float(sample(&args[0])?.value))),
    of("label", (2, 2), |_, args| Ok(text(label(sample(&args[1])?, &string(&args[0])?)))),
    of("strvalue", (1, 1), |_, args| Ok(text(label(sample(&args[0])?, "__value__")))),
    of("sortByLabel", (2, 2), |_, args| sort_by_label(&string(&args[0])?, samples(&args[1])?)),
    of("humanize", (1, 1), |_, args| number(&args[0]).map(|own| text(humanize::metric(own)))),
    of("humanize1024", (1, 1), |_, args| number(&args[0]).map(|own| text(humanize::binary(own)))),
    of("humanizeDuration", (1, 1), |_, args| number(&args[0]).map(|own| text(humanize::duration(own)))),
    of("humanizePercentage", (1, 1), |_, args| number(&args[0]).map(|own| text(humanize::percentage(own)))),
    of("humanizeTimestamp", (1, 1), |_, args| humanize::timestamp(number(&args[0])?).map(text)),
    of("toTime", (1, 1), |_, args| number(&args[0]).and_then(|own| humanize::timestamp(own).map(|_| Value::Time(own)))),
    of("toDuration", (1, 1), |_, args| number(&args[0]).map(Value::Span)),
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53")]
    restless("now", (0, 0), |walk, _| Ok(Value::Float(walk.scope.now_ms as f64 / 1000.0))),
    of("title", (1, 1), |_, args| Ok(text(title(&string(&args[0])?)))),
    of("toUpper", (1, 1), |_, args| Ok(text(string(&args[0])?.to_uppercase()))),
    of("toLower", (1, 1), |_, args| Ok(text(string(&args[0])?.to_lowercase()))),
    of("stripPort", (1, 1), |_, args| {
        Ok(text(split_port(&string(&args[0])?).map_or(&*string(&args[0])?, |(host, _)| host)))
    }),
    of("stripDomain", (1, 1), |_, args| Ok(text(strip_domain(&string(&args[0])?)))),
    of("match", (2, 2), |walk, args| Ok(Value::Bool(regex(walk, &args[0])?.is_match(&string(&args[1])?)))),
    of("reReplaceAll", (3, 3), |walk, args| replace_all(walk, &args[0], &string(&args[1])?, &string(&args[2])?)),
    of("graphLink", (1, 1), |_, args| Ok(text(link(&string(&args[0])?, 0)))),
    of("tableLink", (1, 1), |_, args| Ok(text(link(&string(&args[0])?, 1)))),
    of("parseDuration", (1, 1), |_, args| {
        parse_span(&string(&args[0])?).map(|own| Value::Float(own.as_secs_f64())).map_err(|error| error.to_string())
    }),
    of("urlQueryEscape", (1, 1), |_, args| Ok(text(escape::query(&string(&args[0])?)))),
    of("pathPrefix", (0, 0), |walk, _| Ok(text(path_of(walk.scope.external_url)))),
    of("externalURL", (0, 0), |walk, _| Ok(text(walk.scope.external_url))),
    of("args", (0, MANY), |_, args| arguments(args)),
    of("tmpl", (2, 2), |walk, args| walk.called(&string(&args[0])?, args[1].clone()).map(text)),
    of("safeHtml", (1, 1), |_, args| Ok(text(&*string(&args[0])?))),
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The function whose name differs least.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    muster_query::nearest(name, FUNCTIONS.iter().map(|function| function.name))
}

fn string(value: &Value) -> Result<Rc<str>, String> {
    match value {
        Value::Text(text) => Ok(Rc::clone(text)),
        other => Err(format!("wrong type for value; expected string; got {}", other.type_name())),
    }
}

/// A number, also one that is written in a text.
fn number(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(own) | Value::Span(own) | Value::Time(own) => Ok(*own),
        #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
        Value::Int(own) => Ok(*own as f64),
        Value::Text(text) => text.parse().map_err(|_| {
            let shown: String = text.chars().take(40).collect();
            format!("{shown:?} is no number")
        }),
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

fn any_equal(args: &[Value]) -> Made {
    for other in &args[1..] {
        if equal(&args[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn ordered(args: &[Value], fits: fn(Ordering) -> bool) -> Made {
    order(&args[0], &args[1]).map(|own| Value::Bool(own.is_some_and(fits)))
}

fn length(value: &Value) -> Made {
    let count = match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Labels(map) => map.len(),
        Value::Map(map) => map.named.len(),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn indexed(from: &Value, key: &Value) -> Made {
    match (from, key) {
        (Value::Labels(_) | Value::Map(_), Value::Text(name)) => from.field(name),
        (Value::List(list), Value::Int(index)) => {
            let own = usize::try_from(*index).ok().and_then(|index| list.get(index));
            own.cloned().ok_or_else(|| format!("index out of range: {index}"))
        }
        (Value::Text(text), Value::Int(index)) => {
            let byte = usize::try_from(*index).ok().and_then(|index| text.as_bytes().get(index));
            byte.map(|byte| Value::Int(i64::from(*byte))).ok_or_else(|| format!("index out of range: {index}"))
        }
        (Value::Nil, _) => Err("index of untyped nil".into()),
        _ => Err(format!("cannot index {} with type {}", from.type_name(), key.type_name())),
    }
}

fn sliced(args: &[Value]) -> Made {
    let bound = |place: usize, otherwise: usize| match args.get(place) {
        None => Ok(otherwise),
        Some(Value::Int(own)) => usize::try_from(*own).map_err(|_| format!("index out of range: {own}")),
        Some(other) => Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    match &args[0] {
        Value::Text(own) => {
            let (from, to) = (bound(1, 0)?, bound(2, own.len())?);
            own.get(from..to).map(text).ok_or_else(|| format!("index out of range: {from}:{to}"))
        }
        Value::List(list) => {
            let (from, to) = (bound(1, 0)?, bound(2, list.len())?);
            let part = list.get(from..to).ok_or_else(|| format!("index out of range: {from}:{to}"))?;
            Ok(Value::List(Rc::new(part.to_vec())))
        }
        other => Err(format!("can't slice item of type {}", other.type_name())),
    }
}

/// How deep `args` may hold each other.
const ARGUMENTS_DEPTH_MAX: usize = 16;

fn arguments(args: &[Value]) -> Made {
    let depth_of = |value: &Value| if let Value::Map(map) = value { map.depth } else { 0 };
    let depth = 1 + args.iter().map(depth_of).max().unwrap_or(0);
    if depth > ARGUMENTS_DEPTH_MAX {
        return Err(format!("arguments hold each other deeper than {ARGUMENTS_DEPTH_MAX}"));
    }
    let named = args.iter().enumerate().map(|(index, value)| (format!("arg{index}"), value.clone())).collect();
    Ok(Value::Map(Rc::new(Arguments { depth, named })))
}

/// Steps that a query counts for: some 40 in one template.
const QUERY_STEPS: usize = 5_000;
/// Steps that reading a regular expression counts for: it takes some hundred times as long as a step.
const REGEX_STEPS: usize = 200;

fn query(walk: &mut Walk<'_>, expression: &str) -> Made {
    walk.charge(QUERY_STEPS)?;
    let rows = (walk.scope.ask)(expression)?;
    if rows.len() > SAMPLES_MAX {
        return Err(format!("the query has {} series, but at most {SAMPLES_MAX} are read", rows.len()));
    }
    let sample = |(labels, value): (std::sync::Arc<muster_common::label::LabelSet>, f64)| {
        Value::Sample(Rc::new(Sample { labels: map_of(&labels), value }))
    };
    Ok(Value::List(Rc::new(rows.into_iter().map(sample).collect())))
}

fn samples(value: &Value) -> Result<&[Value], String> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(format!("wrong type for value; expected template.queryResult; got {}", other.type_name())),
    }
}

fn sample(value: &Value) -> Result<&Sample, String> {
    match value {
        Value::Sample(sample) => Ok(sample),
        other => Err(format!("wrong type for value; expected *template.sample; got {}", other.type_name())),
    }
}

fn label<'a>(sample: &'a Sample, name: &str) -> &'a str {
    sample.labels.get(name).map_or("", String::as_str)
}

fn sort_by_label(name: &str, list: &[Value]) -> Made {
    let mut keyed: Vec<(&str, &Value)> = Vec::with_capacity(list.len());
    for value in list {
        keyed.push((label(sample(value)?, name), value));
    }
    keyed.sort_by(|a, b| a.0.cmp(b.0));
    Ok(Value::List(Rc::new(keyed.into_iter().map(|(_, value)| value.clone()).collect())))
}

/// The first letter of every word in capitals, the others as they are.
fn title(own: &str) -> String {
    let mut inside = false;
    let upper = |c: char| {
        let is_first = c.is_alphabetic() && !inside;
        inside = c.is_alphanumeric() || (inside && matches!(c, '\'' | '_'));
        if is_first { c.to_uppercase().collect::<String>() } else { c.to_string() }
    };
    own.chars().map(upper).collect()
}

/// Host and port of `host:port` and `[address]:port`.
fn split_port(own: &str) -> Option<(&str, &str)> {
    let (host, port) = own.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').map(|inner| (inner, port)),
        None => (!host.contains(':') && !host.contains(']')).then_some((host, port)),
    }
}

fn strip_domain(own: &str) -> String {
    let (host, port) = split_port(own).map_or((own, None), |(host, port)| (host, Some(port)));
    if host.parse::<std::net::IpAddr>().is_ok() {
        return own.to_owned();
    }
    let first = host.split('.').next().unwrap_or(host);
    match port {
        Some(port) if !port.is_empty() => format!("{first}:{port}"),
        _ => first.to_owned(),
    }
}

fn regex(walk: &mut Walk<'_>, pattern: &Value) -> Result<regex::Regex, String> {
    walk.charge(REGEX_STEPS)?;
    re2_regex(&string(pattern)?).map_err(|error| error.to_string())
}

fn replace_all(walk: &mut Walk<'_>, pattern: &Value, with: &str, own: &str) -> Made {
    let regex = regex(walk, pattern)?;
    let references = with.matches('$').count();
    let mut out = String::new();
    let mut last = 0;
    for found in regex.captures_iter(own) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&own[last..whole.start()]);
        // Before it is made: each reference may be the whole match.
        if out.len() + with.len() + references.saturating_mul(whole.len()) > 4 * OUTPUT_BYTES_MAX {
            return Err("the text could be too long".into());
        }
        found.expand(with, &mut out);
        last = whole.end();
    }
    out.push_str(&own[last..]);
    Ok(text(out))
}

fn link(expression: &str, tab: u8) -> String {
    format!("/graph?g0.expr={}&g0.tab={tab}", escape::query(expression))
}

/// The path of a link, without the slash at its end.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or("").trim_end_matches('/')
}

/// The names of all functions, for those who list them.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for name in names() {
            assert!(seen.insert(name), "{name}");
        }
        assert_eq!(nearest("humanise"), Some("humanize"));
    }
}
