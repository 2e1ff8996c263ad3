//! A rate that a service is compared by: bad ones of all, each a selector of counters.

use muster_common::matcher::{Matcher, Test};
use muster_common::matcher_text::{read_matchers, written_matchers};

use super::service::{TEXT_BYTES_MAX, clean};

/// Rates of one service: each is read for all of its hosts at each question, and kept with each decision (2 kB).
pub const SERVICE_RATES_MAX: usize = 10;
/// Bytes of a rate's name: it stands in sentences.
const NAME_BYTES_MAX: usize = 63;
const NAME: &str = "__name__";
const EXAMPLE: &str = "write such as http_requests_total{code=~\"5..\"}";

/// A rate as it is declared, such as failed requests of all requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateSpec {
    /// For people: `failed requests`.
    pub name: String,
    /// Selector of the counters of what went wrong: `http_requests_total{code=~"5.."}`.
    pub bad: String,
    /// That of the counters of all of it.
    pub all: String,
}

impl RateSpec {
    /// The error says which key is wrong, why, and behind its last colon what to do.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let is_good = !self.name.trim().is_empty()
            && self.name.len() <= NAME_BYTES_MAX
            && !self.name.chars().any(char::is_control);
        if !is_good {
            let told = format!("it is empty, longer than {NAME_BYTES_MAX} bytes, or has control characters");
            return Err(("name", told + ": name what is counted, such as failed requests"));
        }
        for (key, text) in [("bad", &self.bad), ("all", &self.all)] {
            read_counters(text).map_err(|why| (key, why))?;
        }
        Ok(())
    }
}

/// Reads a selector of counters: a metric's name, and matchers in braces where there are any. Functions and windows belong to the gate.
///
/// # Errors
/// What is wrong, and behind the last colon what to do.
pub fn read_counters(text: &str) -> Result<Vec<Matcher>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("there is no selector: {EXAMPLE}"));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("the selector is longer than {TEXT_BYTES_MAX} bytes: shorten it"));
    }
    let (name, braces) = text.split_at(text.find('{').unwrap_or(text.len()));
    let name = name.trim_end();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte))
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    let is_closed = braces.is_empty() || braces.ends_with('}');
    if !is_name || !is_closed {
        let told = "is no name of a counter, with or without matchers in braces (no function, no window)";
        return Err(format!("`{}` {told}: {EXAMPLE}", clean(text)));
    }
    let read = read_matchers(braces).map_err(|error| {
        let why = error.to_string().replace(": ", ", ");
        format!("the selector `{}` cannot be read, {why}: {EXAMPLE}", clean(text))
    })?;
    let quoted_otherwise = |matcher: &&Matcher| match &matcher.test {
        Test::Equal(value) | Test::NotEqual(value) => value.starts_with(['\'', '`']),
        Test::Regex(regex) | Test::NotRegex(regex) => regex.pattern().starts_with(['\'', '`']),
    };
    if let Some(matcher) = read.iter().find(quoted_otherwise) {
        let label = clean(&matcher.name);
        return Err(format!("the value of `{label}` stands in other quotes than \": {EXAMPLE}"));
    }
    if read.iter().any(|matcher| matcher.name == NAME) {
        return Err(format!("the name stands twice, as `{NAME}` as well: {EXAMPLE}"));
    }
    let name = Matcher { name: NAME.to_owned(), test: Test::Equal(name.to_owned()) };
    Ok(std::iter::once(name).chain(read).collect())
}

/// A selector as PromQL has it.
pub fn written_counters(matchers: &[Matcher]) -> String {
    let is_name = |matcher: &&Matcher| matcher.name == NAME;
    let name = matchers.iter().find(is_name).map_or("", |matcher| match &matcher.test {
        Test::Equal(name) => name,
        _ => "",
    });
    let rest: Vec<Matcher> = matchers.iter().filter(|matcher| !is_name(matcher)).cloned().collect();
    if rest.is_empty() { name.to_owned() } else { format!("{name}{}", written_matchers(&rest)) }
}

/// What counters must be there for that none of the selected ones is no mistake: of that name, with the labels that it asks for.
pub fn shape_of(counters: &[Matcher]) -> Vec<Matcher> {
    let needed = |matcher: &Matcher| {
        if matcher.name == NAME {
            return Some(matcher.clone());
        }
        let has_it = Matcher { name: matcher.name.clone(), test: Test::NotEqual(String::new()) };
        (!matcher.is_match("")).then_some(has_it)
    };
    counters.iter().filter_map(needed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_of_counters_is_read_and_written_as_promql_has_it() {
        for (text, written) in [
            ("requests_total", "requests_total"),
            (" job:x:total ", "job:x:total"),
            ("requests_total{}", "requests_total"),
            ("r_total {code=~\"5..\", way!=\"in\"}", "r_total{code=~\"5..\",way!=\"in\"}"),
            ("r_total{path=\"/a,{b}\"}", "r_total{path=\"/a,{b}\"}"),
        ] {
            assert_eq!(written_counters(&read_counters(text).unwrap()), written, "{text}");
        }
        let shape = shape_of(&read_counters("r{code=~\"5..\",way!=\"in\",job=~\"a|\",b=\"c\"}").unwrap());
        assert_eq!(written_counters(&shape), "r{code!=\"\",b!=\"\"}");
    }

    #[test]
    fn what_is_no_selector_of_counters_is_told() {
        for (text, told) in [
            ("", "there is no selector"),
            ("rate(r_total[5m])", "no function, no window"),
            ("r_total[5m]", "no function, no window"),
            ("r_total{a=\"b\"}[5m]", "no function, no window"),
            ("r_total{a=\"b\"", "no function, no window"),
            ("{a=\"b\"}", "no function, no window"),
            ("5xx", "no function, no window"),
            ("a / b", "no function, no window"),
            ("r_total{code}", "cannot be read"),
            ("r_total{code=~\"(\"}", "cannot be read"),
            ("r_total{code=~'5..'}", "other quotes"),
            ("r_total{__name__=\"x\"}", "stands twice"),
            (&"x".repeat(2_000), "longer than"),
        ] {
            let why = read_counters(text).unwrap_err();
            assert!(why.contains(told) && why.rsplit_once(": ").is_some(), "{text}: {why}");
        }
        let spec = |name: &str| RateSpec { name: name.to_owned(), bad: "a".to_owned(), all: "b".to_owned() };
        assert_eq!(spec("failed requests").check(), Ok(()));
        for name in ["", " ", "a\nb", &"x".repeat(64)] {
            assert_eq!(spec(name).check().unwrap_err().0, "name");
        }
        assert_eq!(RateSpec { all: String::new(), ..spec("x") }.check().unwrap_err().0, "all");
    }
}
