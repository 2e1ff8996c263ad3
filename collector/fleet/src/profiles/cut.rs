//! Files of profiles are cut into documents: each is one profile and is kept by itself, comments and all.

/// The documents of a file, each with the number of lines before it. Those without a word are left out.
pub(super) fn documents(text: &str) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = vec![(0, String::new())];
    for (at, line) in text.lines().enumerate() {
        let is_mark =
            |mark: &str| line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        if is_mark("---") || is_mark("...") {
            // What stands behind the mark belongs to the document; the line keeps its number.
            all.push((at, format!("   {}\n", &line[3..])));
        } else if let Some((_, document)) = all.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let has_words =
        |document: &str| document.lines().map(str::trim_start).any(|line| !line.is_empty() && !line.starts_with('#'));
    all.retain(|(_, document)| has_words(document));
    all
}

/// A document as it is kept: without blank lines around it.
pub(super) fn trimmed(document: &str) -> String {
    let mut lines: Vec<&str> = document.lines().map(str::trim_end).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let blank = lines.iter().take_while(|line| line.is_empty()).count();
    lines[blank..].iter().flat_map(|line| [*line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_cut_at_their_marks_and_lines_keep_their_numbers() {
        let text = "# head\na: 1\n---\n\nb: |\n  ---x\n--- # next\nc: 1\n...\n# only a word\n---\n";
        let found = documents(text);
        let shown: Vec<(usize, String)> = found.into_iter().map(|(before, text)| (before, trimmed(&text))).collect();
        let expect = [(0, "# head\na: 1\n"), (2, "b: |\n  ---x\n"), (6, "    # next\nc: 1\n")];
        assert_eq!(shown, expect.map(|(before, text)| (before, text.to_owned())));
        assert_eq!(documents(""), []);
    }
}
