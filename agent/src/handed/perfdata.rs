//! Numbers as `push --perfdata` takes them: `label=value[unit][;warn[;crit[;min[;max]]]]`, one an argument.

use muster_common::wire::message::Perfdata;

/// The number that this argument says.
///
/// # Errors
/// What is wrong with it, with the form.
pub fn parse(text: &str) -> Result<Perfdata, String> {
    let wrong = |what: &str| format!("`{text}`: {what}; write LABEL=VALUE[UNIT][;WARN[;CRIT[;MIN[;MAX]]]]");
    let (label, rest) = text.rsplit_once('=').ok_or_else(|| wrong("there is no `=`"))?;
    if label.is_empty() {
        return Err(wrong("the label is missing"));
    }
    let mut parts = rest.split(';');
    let value = parts.next().unwrap_or_default();
    let end = value.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+')).unwrap_or(value.len());
    let (number, unit) = if value == "U" { ("NaN", "") } else { value.split_at(end) };
    let value: f64 = number.parse().map_err(|_| wrong("the value is no number"))?;
    let (warn, crit) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut bound = || match parts.next().unwrap_or_default() {
        "" => Ok(f64::NAN),
        bound => bound.parse().map_err(|_| wrong("a bound is no number")),
    };
    let (min, max) = (bound()?, bound()?);
    if parts.next().is_some() {
        return Err(wrong("there is too much behind it"));
    }
    let (label, unit) = (label.to_owned(), unit.to_owned());
    Ok(Perfdata { label, value, unit, warn: warn.to_owned(), crit: crit.to_owned(), min, max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_and_bounds_are_read() {
        let one = parse("/var=42.5%;80;90:95;0;100").unwrap();
        assert_eq!((one.label.as_str(), one.value, one.unit.as_str()), ("/var", 42.5, "%"));
        assert_eq!((one.warn.as_str(), one.crit.as_str(), one.min, one.max), ("80", "90:95", 0.0, 100.0));
        let one = parse("rows=-7").unwrap();
        assert_eq!((one.value, one.unit.as_str(), one.min.is_nan()), (-7.0, "", true));
        assert!(parse("a=b=U;;;;").unwrap().value.is_nan());
        for wrong in ["rows", "=5", "a=", "a=x", "a=5;;;x", "a=5;;;;;"] {
            assert!(parse(wrong).unwrap_err().contains("LABEL=VALUE"), "{wrong}");
        }
    }
}
