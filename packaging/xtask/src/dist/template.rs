//! Scripts with `@NAME@` in them.

use anyhow::{Result, bail};

/// Puts values in. A placeholder alone on its line takes lines, each indented as it is, or takes its line with it where the value is
/// empty; one inside a line takes a text. A placeholder that has no value is an error.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let bare = line.trim();
        let indent = &line[..line.len() - line.trim_start().len()];
        match values.iter().find(|(name, _)| bare == format!("@{name}@")) {
            Some((_, value)) => {
                for inner in value.lines() {
                    let inner = if inner.is_empty() { String::new() } else { format!("{indent}{inner}") };
                    out.push_str(&inner);
                    out.push('\n');
                }
            }
            None => {
                let mut line = line.to_owned();
                for (name, value) in values {
                    line = line.replace(&format!("@{name}@"), value);
                }
                out.push_str(&line);
                out.push('\n');
            }
        }
    }
    match placeholder(&out) {
        Some(name) => bail!("the placeholder @{name}@ has no value"),
        None => Ok(out),
    }
}

/// A word of capitals, digits and underscores between two `@`.
fn placeholder(text: &str) -> Option<&str> {
    let is_name = |word: &&str| {
        word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    text.lines().flat_map(|line| line.split('@').skip(1)).find(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_indented_as_their_place_and_words_stand_where_they_are() {
        let text = "if x; then\n    @BODY@\n    @NONE@\nfi # @NAME@, mail@example.org\n";
        let filled = fill(text, &[("BODY", "a\n\n  b\n"), ("NONE", ""), ("NAME", "one")]).unwrap();
        assert_eq!(filled, "if x; then\n    a\n\n      b\nfi # one, mail@example.org\n");
    }

    #[test]
    fn a_placeholder_without_a_value_is_an_error() {
        let told = fill("echo @VERSION@", &[]).unwrap_err().to_string();
        assert!(told.contains("@VERSION@"), "{told}");
        assert!(fill("\"$@\" a@b", &[]).is_ok());
    }
}
