//! Two hosts' agents side by side: what of one exposition differs from another in names, kinds and labels. For tests that
//! hold our `collect --once` against a running node_exporter, and for people who move from one to the other.

use std::collections::{BTreeMap, BTreeSet};

/// The series of one metric name, without values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family {
    /// The word of its TYPE line; empty without one.
    pub kind: String,
    /// `{a="b",c="d"}` each, labels by name, those with empty values left out; an empty text for no labels.
    pub series: BTreeSet<String>,
}

/// Reads the text form by metric name. Lines that are none are left out.
pub fn read_families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            if let Some((name, kind)) = rest.split_once(' ') {
                families.entry(name.to_owned()).or_default().kind = kind.trim().to_owned();
            }
        } else if !line.starts_with('#')
            && let Some((name, labels)) = read_series(line)
        {
            families.entry(name.to_owned()).or_default().series.insert(labels);
        }
    }
    families.retain(|_, family| !family.series.is_empty());
    families
}

/// What differs, one sentence each: kinds, and series that only one side has. Names that `leave_out` says are not compared.
pub fn differences(ours: &str, theirs: &str, leave_out: &dyn Fn(&str) -> bool) -> Vec<String> {
    let (ours, theirs) = (read_families(ours), read_families(theirs));
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).filter(|name| !leave_out(name)).collect();
    let mut found = Vec::new();
    for name in names {
        match (ours.get(name), theirs.get(name)) {
            (Some(ours), Some(theirs)) => {
                if ours.kind != theirs.kind {
                    found.push(format!("{name} is a {} here and a {} there", ours.kind, theirs.kind));
                }
                let only = |a: &Family, b: &Family, where_: &str| -> Vec<String> {
                    a.series.difference(&b.series).map(|labels| format!("{name}{labels} only {where_}")).collect()
                };
                found.extend(only(ours, theirs, "here"));
                found.extend(only(theirs, ours, "there"));
            }
            (Some(_), None) => found.push(format!("{name} only here")),
            (None, _) => found.push(format!("{name} only there")),
        }
    }
    found
}

fn read_series(line: &str) -> Option<(&str, String)> {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, _) = line.split_once(' ')?;
        return Some((name, String::new()));
    };
    let mut pairs = BTreeSet::new();
    let mut rest = rest;
    while !rest.starts_with('}') {
        let (label, after) = rest.split_once("=\"")?;
        let end = end_of_value(after)?;
        if end > 0 {
            pairs.insert(format!("{}=\"{}\"", label.trim_start_matches(','), &after[..end]));
        }
        rest = after.get(end + 1..)?;
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    let pairs: Vec<String> = pairs.into_iter().collect();
    let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
    Some((name, labels))
}

/// Where the closing quote stands; a backslash hides the byte after it.
fn end_of_value(text: &str) -> Option<usize> {
    let mut hidden = false;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if hidden => hidden = false,
            b'\\' => hidden = true,
            b'"' => return Some(place),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_kinds_and_labels_are_compared_and_values_are_not() {
        let ours =
            "# HELP a x\n# TYPE a gauge\na 1\n# TYPE b counter\nb{x=\"1\",y=\"\"} 2\nb{x=\"q\\\"}\"} 3\nmine 1\n";
        let theirs =
            "# TYPE a untyped\na 5e3\n# TYPE b counter\nb{x=\"1\"} 9\nb{x=\"2\"} 9\nb{x=\"q\\\"}\"} 1 1700\ngo_x 1\n";
        assert_eq!(
            differences(ours, theirs, &|name| name.starts_with("go_")),
            ["a is a gauge here and a untyped there", "b{x=\"2\"} only there", "mine only here"]
        );
    }
}
