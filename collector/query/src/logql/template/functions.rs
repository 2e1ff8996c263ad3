//! The functions of templates. A new one is a line in the table.

use super::{OUTPUT_BYTES_MAX, Value};

type Made<'a> = Result<Value<'a>, String>;

#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Least and most arguments.
    pub(super) args: (usize, usize),
    pub(super) run: for<'a> fn(&[Value<'a>]) -> Made<'a>,
}

const fn function(name: &'static str, args: (usize, usize), run: for<'a> fn(&[Value<'a>]) -> Made<'a>) -> Function {
    Function { name, args, run }
}

/// Arguments of functions that take any number.
const MANY: usize = 16;

/// In capitals the order of arguments is Go's (the text first), else sprig's (the text last).
pub(super) const FUNCTIONS: &[Function] = &[
    function("ToLower", (1, 1), |args| Ok(text(args[0].to_text().to_lowercase()))),
    function("lower", (1, 1), |args| Ok(text(args[0].to_text().to_lowercase()))),
    function("ToUpper", (1, 1), |args| Ok(text(args[0].to_text().to_uppercase()))),
    function("upper", (1, 1), |args| Ok(text(args[0].to_text().to_uppercase()))),
    function("TrimSpace", (1, 1), |args| Ok(text(args[0].to_text().trim()))),
    function("trim", (1, 1), |args| Ok(text(args[0].to_text().trim()))),
    function("Trim", (2, 2), |args| Ok(text(args[0].to_text().trim_matches(any(&args[1]))))),
    function("trimAll", (2, 2), |args| Ok(text(args[1].to_text().trim_matches(any(&args[0]))))),
    function("TrimLeft", (2, 2), |args| Ok(text(args[0].to_text().trim_start_matches(any(&args[1]))))),
    function("TrimRight", (2, 2), |args| Ok(text(args[0].to_text().trim_end_matches(any(&args[1]))))),
    function("TrimPrefix", (2, 2), |args| Ok(without_prefix(&args[0], &args[1]))),
    function("trimPrefix", (2, 2), |args| Ok(without_prefix(&args[1], &args[0]))),
    function("TrimSuffix", (2, 2), |args| Ok(without_suffix(&args[0], &args[1]))),
    function("trimSuffix", (2, 2), |args| Ok(without_suffix(&args[1], &args[0]))),
    function("Replace", (4, 4), |args| {
        let count = usize::try_from(int(&args[3])?).unwrap_or(usize::MAX);
        replaced(&args[0], &args[1], &args[2], count)
    }),
    function("replace", (3, 3), |args| replaced(&args[2], &args[0], &args[1], usize::MAX)),
    function("trunc", (2, 2), |args| {
        let (count, own) = (int(&args[0])?, args[1].to_text());
        let chars = i64::try_from(own.chars().count()).unwrap_or(i64::MAX);
        let (from, to) = if count < 0 { (chars.saturating_add(count).max(0), chars) } else { (0, count) };
        Ok(text(slice(&own, from, to)))
    }),
    function("substr", (3, 3), |args| {
        let (from, to, own) = (int(&args[0])?, int(&args[1])?, args[2].to_text());
        Ok(text(slice(&own, from.max(0), if to < 0 { i64::MAX } else { to })))
    }),
    function("repeat", (2, 2), |args| {
        let (count, own) = (usize::try_from(int(&args[0])?).unwrap_or(0), args[1].to_text());
        // One over what is allowed is enough to be refused.
        let most = OUTPUT_BYTES_MAX / own.len().max(1) + 1;
        Ok(text(own.repeat(count.min(most))))
    }),
    function("contains", (2, 2), |args| Ok(Value::Bool(args[1].to_text().contains(&*args[0].to_text())))),
    function("hasPrefix", (2, 2), |args| Ok(Value::Bool(args[1].to_text().starts_with(&*args[0].to_text())))),
    function("hasSuffix", (2, 2), |args| Ok(Value::Bool(args[1].to_text().ends_with(&*args[0].to_text())))),
    function("default", (2, 2), |args| Ok(args[usize::from(!args[1].to_text().is_empty())].clone())),
    function("int", (1, 1), |args| int(&args[0]).map(Value::Int)),
    function("add", (1, MANY), |args| fold(args, i64::checked_add)),
    function("sub", (2, 2), |args| fold(args, i64::checked_sub)),
    function("mul", (1, MANY), |args| fold(args, i64::checked_mul)),
    function("div", (2, 2), |args| fold(args, i64::checked_div)),
    function("mod", (2, 2), |args| fold(args, i64::checked_rem)),
    function("unixEpoch", (1, 1), |args| since(&args[0], 1_000_000_000)),
    function("unixEpochMillis", (1, 1), |args| since(&args[0], 1_000_000)),
    function("unixEpochNanos", (1, 1), |args| since(&args[0], 1)),
];

fn text<'a>(own: impl Into<String>) -> Value<'a> {
    Value::Text(std::borrow::Cow::Owned(own.into()))
}

/// Any of these characters.
fn any(set: &Value<'_>) -> impl Fn(char) -> bool + Copy {
    // Kept as bits below 128, which is what trimmed sets are made of; other characters are never trimmed.
    let bits = set.to_text().chars().filter(char::is_ascii).fold(0u128, |bits, c| bits | 1 << (c as u32));
    move |c: char| c.is_ascii() && bits >> (c as u32) & 1 == 1
}

fn without_prefix<'a>(own: &Value<'a>, prefix: &Value<'a>) -> Value<'a> {
    let own = own.to_text();
    text(own.strip_prefix(&*prefix.to_text()).unwrap_or(&own))
}

fn without_suffix<'a>(own: &Value<'a>, suffix: &Value<'a>) -> Value<'a> {
    let own = own.to_text();
    text(own.strip_suffix(&*suffix.to_text()).unwrap_or(&own))
}

fn replaced<'a>(own: &Value<'a>, old: &Value<'a>, new: &Value<'a>, count: usize) -> Made<'a> {
    let (own, old, new) = (own.to_text(), old.to_text(), new.to_text());
    // An empty text is found between all characters.
    let found = if old.is_empty() { own.chars().count() + 1 } else { own.len() / old.len() };
    if own.len().saturating_add(found.min(count).saturating_mul(new.len())) > 4 * OUTPUT_BYTES_MAX {
        return Err("the result could be too long".into());
    }
    Ok(text(own.replacen(&*old, &new, count)))
}

/// Characters from one place to before the other.
fn slice(own: &str, from: i64, to: i64) -> &str {
    let place = |at: i64| {
        let chars = usize::try_from(at).unwrap_or(usize::MAX);
        own.char_indices().nth(chars).map_or(own.len(), |(byte, _)| byte)
    };
    let (from, to) = (place(from), place(to));
    own.get(from..to).unwrap_or("")
}

/// As sprig reads whole numbers: of numbers and of texts that are some, else 0.
fn int(value: &Value<'_>) -> Result<i64, String> {
    match value {
        Value::Int(value) => Ok(*value),
        #[expect(clippy::cast_possible_truncation, reason = "as Go converts, the fraction is cut")]
        Value::Float(value) => Ok(*value as i64),
        Value::Bool(value) => Ok(i64::from(*value)),
        Value::Time(value) => Ok(*value),
        Value::Text(text) => text.trim().parse().map_err(|_| {
            let shown: String = text.chars().take(40).collect();
            format!("expected integer; found {shown:?}")
        }),
    }
}

fn fold<'a>(args: &[Value<'a>], operate: fn(i64, i64) -> Option<i64>) -> Made<'a> {
    let mut total = int(&args[0])?;
    for arg in &args[1..] {
        let next = int(arg)?;
        let wrong = || if next == 0 { "division by zero".to_owned() } else { "the number is too large".to_owned() };
        total = operate(total, next).ok_or_else(wrong)?;
    }
    Ok(Value::Int(total))
}

/// A time in whole units of so many nanoseconds.
fn since<'a>(value: &Value<'a>, unit: i64) -> Made<'a> {
    match value {
        Value::Time(ns) => Ok(text(ns.div_euclid(unit).to_string())),
        _ => Err("expected a time such as __timestamp__".into()),
    }
}
