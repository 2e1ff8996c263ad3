//! Go's `printf`, `print` and `println` for the values that templates have.

use super::number::{fixed, general, scientific};
use super::value::Value;

/// Columns that a width may ask for: a template is no way to make a long text of nothing.
const WIDTH_MAX: usize = 1_000;

#[derive(Default)]
struct Spec {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// The text of a format and its values; `most` bounds what one value may print.
pub(super) fn printf(format: &str, values: &[Value], most: usize) -> String {
    let (mut out, mut chars, mut values) = (String::new(), format.chars().peekable(), values.iter());
    while let Some(c) = chars.next() {
        if out.len() > most {
            return out;
        }
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| "-+# 0".contains(*c)) {
            match flag {
                '-' => spec.minus = true,
                '+' => spec.plus = true,
                '#' => spec.sharp = true,
                ' ' => spec.space = true,
                _ => spec.zero = true,
            }
        }
        spec.width = amount(&mut chars, &mut values);
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = Some(amount(&mut chars, &mut values).unwrap_or(0));
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => match values.next() {
                None => out.push_str(&format!("%!{verb}(MISSING)")),
                Some(value) => out.push_str(&one(&spec, verb, value, most)),
            },
        }
    }
    let extra: Vec<String> = values.map(|value| format!("{}={}", value.type_name(), value.show(most))).collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn amount(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    values: &mut std::slice::Iter<'_, Value>,
) -> Option<usize> {
    if chars.next_if_eq(&'*').is_some() {
        return match values.next() {
            Some(Value::Int(value)) => usize::try_from(*value).ok().map(|own| own.min(WIDTH_MAX)),
            _ => None,
        };
    }
    let mut number = None;
    while let Some(digit) = chars.next_if(char::is_ascii_digit).and_then(|c| c.to_digit(10)) {
        number = Some((number.unwrap_or(0usize) * 10 + digit as usize).min(WIDTH_MAX));
    }
    number
}

fn one(spec: &Spec, verb: char, value: &Value, most: usize) -> String {
    let (text, is_number) = match (verb, value) {
        ('v', Value::Float(own)) => (signed(spec, general(*own, spec.precision, false)), own.is_finite()),
        ('v' | 'd', Value::Int(own)) => (signed(spec, own.to_string()), true),
        ('v' | 's', Value::Nil) => (if verb == 'v' { "<nil>" } else { "%!s(<nil>)" }.to_owned(), false),
        ('v', _) | ('s', Value::Text(_) | Value::List(_) | Value::Labels(_) | Value::Time(_) | Value::Span(_)) => {
            (cut(value.show(most), spec.precision), false)
        }
        ('q', Value::Text(text)) => (format!("{:?}", cut(text.to_string(), spec.precision)), false),
        ('t', Value::Bool(own)) => (own.to_string(), false),
        ('T', _) => (value.type_name().to_owned(), false),
        ('f' | 'F', Value::Float(own)) => (signed(spec, fixed(*own, spec.precision.unwrap_or(6))), own.is_finite()),
        ('e' | 'E', Value::Float(own)) => {
            let text = signed(spec, scientific(*own, spec.precision.unwrap_or(6)));
            (if verb == 'E' { text.to_uppercase() } else { text }, own.is_finite())
        }
        ('g' | 'G', Value::Float(own)) => {
            let text = signed(spec, general(*own, spec.precision, spec.sharp));
            (if verb == 'G' { text.to_uppercase() } else { text }, own.is_finite())
        }
        ('x', Value::Int(own)) => (signed(spec, radix(*own, spec.sharp, "0x", |n| format!("{n:x}"))), true),
        ('X', Value::Int(own)) => (signed(spec, radix(*own, spec.sharp, "0X", |n| format!("{n:X}"))), true),
        ('o', Value::Int(own)) => (signed(spec, radix(*own, spec.sharp, "0", |n| format!("{n:o}"))), true),
        ('b', Value::Int(own)) => (signed(spec, radix(*own, spec.sharp, "0b", |n| format!("{n:b}"))), true),
        ('x', Value::Text(text)) => (text.bytes().map(|byte| format!("{byte:02x}")).collect(), false),
        ('X', Value::Text(text)) => (text.bytes().map(|byte| format!("{byte:02X}")).collect(), false),
        ('c', Value::Int(own)) => {
            let c = u32::try_from(*own).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            (c.to_string(), false)
        }
        ('U', Value::Int(own)) => (format!("U+{own:04X}"), false),
        _ => return format!("%!{verb}({}={})", value.type_name(), value.show(most)),
    };
    padded(spec, text, is_number)
}

fn radix(value: i64, sharp: bool, prefix: &str, show: impl Fn(u64) -> String) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}{}", if sharp { prefix } else { "" }, show(value.unsigned_abs()))
}

fn signed(spec: &Spec, text: String) -> String {
    match (text.starts_with(['-', '+']), spec.plus, spec.space) {
        (false, true, _) => format!("+{text}"),
        (false, false, true) => format!(" {text}"),
        _ => text,
    }
}

/// Characters up to the precision.
fn cut(text: String, precision: Option<usize>) -> String {
    match precision {
        Some(most) => text.chars().take(most).collect(),
        None => text,
    }
}

fn padded(spec: &Spec, text: String, is_number: bool) -> String {
    let missing = spec.width.unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        text
    } else if spec.minus {
        text + &" ".repeat(missing)
    } else if spec.zero && is_number {
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+', ' '])));
        format!("{sign}{}{digits}", "0".repeat(missing))
    } else {
        " ".repeat(missing) + &text
    }
}

/// Go's `Sprint`: a blank between two values of which none is a text.
pub(super) fn print(values: &[Value], most: usize) -> String {
    let mut out = String::new();
    for (index, value) in values.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if index > 0 && !is_text(value) && !is_text(&values[index - 1]) {
            out.push(' ');
        }
        out.push_str(&value.show(most));
        if out.len() > most {
            break;
        }
    }
    out
}

/// Go's `Sprintln`: a blank between all, and a line end.
pub(super) fn println(values: &[Value], most: usize) -> String {
    let shown: Vec<String> = values.iter().map(|value| value.show(most)).collect();
    shown.join(" ") + "\n"
}
