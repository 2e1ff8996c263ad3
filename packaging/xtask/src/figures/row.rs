//! A figure as a line of the table.

/// One line of the table.
pub(crate) struct Row {
    figure: String,
    goal: String,
    value: String,
    load: String,
    /// `None`: reported, without a goal of its own.
    pass: Option<bool>,
}

impl Row {
    pub(super) fn is_short(&self) -> bool {
        self.pass == Some(false)
    }

    /// A line of the table. The commit stands in each, since rows are copied without their heading.
    pub(crate) fn line(&self, commit: &str) -> String {
        let verdict = match self.pass {
            Some(true) => "pass",
            Some(false) => "SHORT",
            None => "reported",
        };
        format!("| {} | {} | {} | {} | {commit} | {verdict} |", self.figure, self.goal, self.value, self.load)
    }
}

pub(super) fn row(figure: &str, goal: &str, value: String, load: &str, pass: Option<bool>) -> Row {
    Row { figure: figure.to_owned(), goal: goal.to_owned(), value, load: load.to_owned(), pass }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_commit_and_verdict() {
        let line = |pass| row("size", "<= 8 MB", "7 MB".to_owned(), "release", pass).line("abc123");
        assert_eq!(line(Some(true)), "| size | <= 8 MB | 7 MB | release | abc123 | pass |");
        assert!(line(Some(false)).ends_with("| abc123 | SHORT |") && line(None).ends_with("| abc123 | reported |"));
    }
}
