//! One item of perfdata, `'label'=value[UOM];[warn];[crit];[min];[max]`, as plugins write it and as it should be written.
//!
//! Read widely: decimal commas, exponents, `U` for an unknown value, any unit. What is no item is given back as it was written, so that
//! nothing a plugin said is lost. Source: the guidelines of the Monitoring Plugins Development Team, "Performance data".

use muster_common::limits::LABEL_NAME_BYTES_MAX;
use muster_common::range::Range;
use muster_common::wire::message::Perfdata;

/// Bytes of a unit; the longest in use are of the kind `Mbit/s`.
const UNIT_BYTES_MAX: usize = 32;

/// One piece of a run of perfdata.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item<'t> {
    Number(Perfdata),
    /// A number of which a part was not understood and is left out: the number, and all as written.
    Partly(Perfdata, &'t str),
    Unparsed(&'t str),
}

/// The items of one line in their order.
pub(super) fn items(mut text: &str) -> impl Iterator<Item = Item<'_>> {
    std::iter::from_fn(move || {
        text = text.trim_start();
        if text.is_empty() {
            return None;
        }
        let (item, rest) = next_item(text);
        text = rest;
        Some(item)
    })
}

/// `text` is not empty and starts with no blank; what is left is shorter.
fn next_item(text: &str) -> (Item<'_>, &str) {
    let (label, after) = match text.strip_prefix('\'') {
        Some(quoted) => match unquote(quoted) {
            Some((label, after)) => (label, after),
            None => return (Item::Unparsed(text), ""),
        },
        None => {
            let end = text.find(|letter: char| letter == '=' || letter.is_whitespace()).unwrap_or(text.len());
            (text[..end].to_owned(), &text[end..])
        }
    };
    let start = text.len() - after.len();
    let end = start + after.find(char::is_whitespace).unwrap_or(after.len());
    let (written, rest) = (&text[..end], &text[end..]);
    let fields =
        text[start..end].strip_prefix('=').filter(|_| !label.is_empty() && label.len() <= LABEL_NAME_BYTES_MAX);
    let item = match fields.and_then(|fields| number(label, fields)) {
        Some((perfdata, true)) => Item::Number(perfdata),
        Some((perfdata, false)) => Item::Partly(perfdata, written),
        None => Item::Unparsed(written),
    };
    (item, rest)
}

/// After the opening quote: the label with `''` as `'`, and what follows the closing quote.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let (mut label, mut rest) = (String::new(), quoted);
    loop {
        let (part, after) = rest.split_once('\'')?;
        label.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                label.push('\'');
                rest = more;
            }
            None => return Some((label, after)),
        }
    }
}

/// What follows `=`, and whether all of it was understood.
fn number(label: String, fields: &str) -> Option<(Perfdata, bool)> {
    let mut fields = fields.split(';');
    let (value, unit) = value_and_unit(fields.next()?)?;
    let mut is_whole = true;
    let mut range = |text: Option<&str>| {
        let text = text.unwrap_or_default();
        // Some write the unit behind the threshold too.
        let bare = if unit.is_empty() { text } else { text.strip_suffix(unit).unwrap_or(text) };
        if bare.is_empty() || bare == "U" || bare == "~" || bare == ":" {
            return String::new();
        }
        match bare.parse::<Range>() {
            Ok(range) => Some(range.to_string()).filter(|text| text.len() <= LABEL_NAME_BYTES_MAX).unwrap_or_default(),
            Err(_) => {
                is_whole = false;
                String::new()
            }
        }
    };
    let (warn, crit) = (range(fields.next()), range(fields.next()));
    let mut bound = |text: Option<&str>| match text.unwrap_or_default() {
        "" | "U" => f64::NAN,
        text => match value_and_unit(text) {
            Some((value, _)) => value,
            None => {
                is_whole = false;
                f64::NAN
            }
        },
    };
    let (min, max) = (bound(fields.next()), bound(fields.next()));
    let is_whole = is_whole && fields.all(str::is_empty);
    Some((Perfdata { label, value, unit: unit.to_owned(), warn, crit, min, max }, is_whole))
}

/// A finite decimal number with what stands behind it, or `U` (NaN).
fn value_and_unit(text: &str) -> Option<(f64, &str)> {
    if text == "U" {
        return Some((f64::NAN, ""));
    }
    let bytes = text.as_bytes();
    let digits_from = |start: usize| bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let whole = digits_from(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if matches!(bytes.get(end), Some(b'.' | b',')) {
        fraction = digits_from(end + 1);
        // `5.` is a number too, `.` is none.
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let exponent = if end + 1 + signed < bytes.len() { digits_from(end + 1 + signed) } else { 0 };
        if exponent > 0 {
            end += 1 + signed + exponent;
        }
    }
    let value: f64 = text[..end].replace(',', ".").parse().ok()?;
    let unit = &text[end..];
    let is_unit = unit.len() <= UNIT_BYTES_MAX
        && !unit.starts_with(['.', ',', '-', '+'])
        && !unit.contains(|letter: char| letter.is_ascii_digit() || letter.is_control() || "='\"|".contains(letter));
    (value.is_finite() && is_unit).then_some((value, unit))
}

/// As a plugin would write it.
pub(super) fn show(perfdata: &Perfdata) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "_-./:%".contains(letter);
    let label = if !perfdata.label.is_empty() && perfdata.label.chars().all(plain) {
        perfdata.label.clone()
    } else {
        format!("'{}'", perfdata.label.replace('\'', "''"))
    };
    let value = if perfdata.value.is_nan() { "U".to_owned() } else { perfdata.value.to_string() };
    let bound = |value: f64| if value.is_nan() { String::new() } else { value.to_string() };
    let Perfdata { unit, warn, crit, min, max, .. } = perfdata;
    let all = format!("{label}={value}{unit};{warn};{crit};{};{}", bound(*min), bound(*max));
    all.trim_end_matches(';').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        items(text)
            .map(|item| match item {
                Item::Number(number) => show(&number),
                Item::Partly(number, written) => format!("{} ~ {written}", show(&number)),
                Item::Unparsed(text) => format!("? {text}"),
            })
            .collect()
    }

    #[test]
    fn items_are_read_as_plugins_write_them() {
        for (text, expect) in [
            ("time=0.012s;1;5;0;10", &["time=0.012s;1;5;0;10"][..]),
            ("'/var log'=3MB 'it''s'=1", &["'/var log'=3MB", "'it''s'=1"]),
            ("a=0,5;0,4:;@1:2", &["a=0.5;0.4:;@1:2"]),
            ("a=1e3B b=1E-3s c=2e", &["a=1000B", "b=0.001s", "c=2e"]),
            ("a=U;1;2 b=5.;;;0", &["a=U;1;2", "b=5;;;0"]),
            ("a=-3%;~:10%;20%", &["a=-3%;~:10;20"]),
            ("load=.5;;;;", &["load=0.5"]),
            ("a=1c", &["a=1c"]),
            ("rate=3.2Mbit/s \t x=1KiB", &["rate=3.2Mbit/s", "x=1KiB"]),
        ] {
            assert_eq!(shown(text), expect, "{text}");
        }
    }

    #[test]
    fn what_is_no_item_is_kept_as_written() {
        for (text, expect) in [
            ("free space=3", &["? free", "space=3"][..]),
            ("a=", &["? a="]),
            ("a=x b=1", &["? a=x", "b=1"]),
            ("'open=1 b=2", &["? 'open=1 b=2"]),
            ("a=1;bad;2", &["a=1;;2 ~ a=1;bad;2"]),
            ("a=1;2;3;4;5;6", &["a=1;2;3;4;5 ~ a=1;2;3;4;5;6"]),
            ("a=1e999 b=1.234,5", &["? a=1e999", "? b=1.234,5"]),
            ("=1 ''=2", &["? =1", "? ''=2"]),
            ("a=1=2", &["? a=1=2"]),
        ] {
            assert_eq!(shown(text), expect, "{text}");
        }
        let long = format!("{}=1", "x".repeat(LABEL_NAME_BYTES_MAX + 1));
        assert_eq!(shown(&long), [format!("? {long}")]);
    }
}
