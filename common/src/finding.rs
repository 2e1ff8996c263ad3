//! What a doctor finds: `muster-agent doctor` and `muster doctor` tell the same shape, print it alike, and end with the same codes.

use std::fmt::Write;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not work.
    Problem,
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Ok, Self::Warning, Self::Problem].into_iter().find(|level| level.as_str() == word)
    }
}

/// One thing that was looked at: what was found, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    /// The examination's name; whoever runs it writes it.
    pub examination: String,
    pub what: String,
    /// A path, an address, a setting; may be empty where all is well.
    pub place: String,
    /// Commands or lines to write, several lines where it is a file's text; empty where all is well.
    pub remedy: String,
}

impl Finding {
    pub fn ok(what: impl Into<String>, place: impl Into<String>) -> Self {
        Self::new(Level::Ok, what, place, "")
    }

    pub fn warning(what: impl Into<String>, place: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Level::Warning, what, place, remedy)
    }

    pub fn problem(what: impl Into<String>, place: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Level::Problem, what, place, remedy)
    }

    fn new(level: Level, what: impl Into<String>, place: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (what, place, remedy) = (what.into(), place.into(), remedy.into());
        Self { level, examination: String::new(), what, place, remedy }
    }

    #[must_use]
    pub fn of(mut self, examination: &str) -> Self {
        self.examination = examination.to_owned();
        self
    }
}

/// The worst of them; `Ok` when there is none.
pub fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}

/// For people: a line a finding, place and remedy below it, a last line that counts.
pub fn show(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.examination.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for finding in findings {
        let word = match finding.level {
            Level::Ok => "ok",
            Level::Warning => "WARNING",
            Level::Problem => "PROBLEM",
        };
        // A text takes every write.
        let _ = writeln!(out, "{:<width$}  {word:<7}  {}", finding.examination, one_line(&finding.what));
        if finding.level == Level::Ok {
            continue;
        }
        let indent = " ".repeat(width + 2);
        for (name, text) in [("where", &finding.place), ("remedy", &finding.remedy)] {
            for (number, line) in text.lines().enumerate() {
                let name = if number == 0 { name } else { "" };
                let _ = writeln!(out, "{indent}{name:<7}  {}", harmless(line));
            }
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (good, warnings, problems) = (count(Level::Ok), count(Level::Warning), count(Level::Problem));
    let _ = writeln!(out, "{problems} problems, {warnings} warnings, {good} ok");
    out
}

fn one_line(text: &str) -> String {
    harmless(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Names of files and words of servers are other people's: no terminal obeys them.
fn harmless(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_print_with_place_and_remedy_and_are_counted() {
        let findings = [
            Finding::ok("all is well", "x").of("clock"),
            Finding::problem("no\x1b[2J right\nto read", "/var/log/x", "[Service]\nPrivateDevices=no").of("logs"),
            Finding::warning("late", "", "wait").of("logs"),
        ];
        assert_eq!(
            show(&findings),
            "\
clock  ok       all is well
logs   PROBLEM  no [2J right to read
       where    /var/log/x
       remedy   [Service]
                PrivateDevices=no
logs   WARNING  late
       remedy   wait
1 problems, 1 warnings, 1 ok
"
        );
        assert_eq!((worst(&findings), worst(&findings[..1]), worst(&[])), (Level::Problem, Level::Ok, Level::Ok));
        for level in [Level::Ok, Level::Warning, Level::Problem] {
            assert_eq!(Level::parse(level.as_str()), Some(level));
        }
        assert_eq!(Level::parse("PROBLEM"), None);
    }
}
