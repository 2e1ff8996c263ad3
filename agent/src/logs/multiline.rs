//! Records of several lines: where a new one starts. A line that starts none belongs to the one before.

use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};

/// A record waits this long for its next line.
pub const WAIT: Duration = Duration::from_secs(1);
/// Lines of one record.
pub const LINES_MAX: u32 = 500;
/// What a pattern may take when compiled.
const SIZE_MAX: usize = 1 << 20;

/// The presets by name. Each says how a first line looks, so that traces hang on the line before them: with a date, a level in capitals, a
/// bracket or a brace in front, and what the language prints of itself.
pub const PRESETS: [(&str, &str); 4] = [
    ("java", r"(?-u)^(?:\d|\[|\{|<|[A-Z]{3,}\b|[A-Z][a-z]{2} +\d|Exception in thread )"),
    ("python", r"(?-u)^(?:\d|\[|\{|<|[A-Z]{3,}\b|[A-Z][a-z]{2} +\d)"),
    ("go", r"(?-u)^(?:\d|\[|\{|<|[A-Z]{3,}\b|[A-Z][a-z]{2} +\d|panic: |fatal error: |(?:time|level|ts)=)"),
    ("rust", r"(?-u)^(?:\d{4}|\[|\{|<|[A-Z]{3,}\b|[A-Z][a-z]{2} +\d|thread ')"),
];

/// Where records start.
#[derive(Clone, Debug)]
pub struct Starts(Regex);

impl PartialEq for Starts {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Starts {
    /// A preset by its name, else a pattern of a first line.
    ///
    /// # Errors
    /// Why it is no pattern.
    pub fn new(text: &str) -> Result<Self, String> {
        let preset = PRESETS.iter().find(|(name, _)| *name == text).map(|(_, pattern)| *pattern);
        let pattern = preset.unwrap_or(text);
        let regex = RegexBuilder::new(pattern).size_limit(SIZE_MAX).build().map_err(|error| error.to_string())?;
        Ok(Self(regex))
    }

    pub fn is_start(&self, line: &[u8]) -> bool {
        self.0.is_match(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of each text by the record that they fall into.
    fn records(preset: &str, text: &str) -> Vec<usize> {
        let starts = Starts::new(preset).unwrap();
        let mut sizes: Vec<usize> = Vec::new();
        for line in text.lines() {
            match sizes.last_mut() {
                Some(size) if !starts.is_start(line.as_bytes()) => *size += 1,
                _ => sizes.push(1),
            }
        }
        sizes
    }

    #[test]
    fn presets_keep_traces_together() {
        let java = "2026-01-01 ERROR x\njava.lang.IllegalState: y\n\tat a.b(C.java:1)\nCaused by: z\n\tat d\n\t... 3 more\nINFO next\nSome text";
        assert_eq!(records("java", java), [6, 2]);
        let python = "2026-01-01 ERROR x\nTraceback (most recent call last):\n  File \"a.py\", line 1\n    f()\nValueError: y\n2026-01-01 INFO next";
        assert_eq!(records("python", python), [5, 1]);
        let go = "2026/01/01 start\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/a/main.go:5\nexit status 2\n2026/01/01 next";
        assert_eq!(records("go", go), [1, 6, 1]);
        let rust = "2026-01-01T00:00:00Z INFO x\nthread 'main' panicked at src/a.rs:1:2:\nboom\nstack backtrace:\n   0: a\n             at b\nnote: c\n2026-01-01T00:00:01Z INFO y";
        assert_eq!(records("rust", rust), [1, 6, 1]);
    }

    #[test]
    fn own_patterns_are_checked() {
        assert!(Starts::new("^\\d{4}").unwrap().is_start(b"2026 x"));
        assert!(Starts::new("(").is_err() && Starts::new("(a{1000}){1000}").is_err());
    }
}
