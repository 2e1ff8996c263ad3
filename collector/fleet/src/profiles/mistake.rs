//! What is wrong with documents: where, what, and what to do.

use std::fmt;

use super::bounds::MISTAKES_MAX;

/// One mistake in one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileMistake {
    /// The file or what the caller calls the text.
    pub file: String,
    /// From 1, in that file.
    pub line: usize,
    /// The profile's name, as far as it could be read.
    pub profile: String,
    /// The key, such as `checks.interval`; empty: the whole document.
    pub key: String,
    pub what: String,
    pub remedy: String,
}

impl fmt::Display for ProfileMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.profile.is_empty() {
            write!(f, "profile `{}`: ", self.profile)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// Mistakes, as one error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileMistakes(pub Vec<ProfileMistake>);

impl fmt::Display for ProfileMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl ProfileMistakes {
    /// Keeps as many as anybody reads.
    pub(super) fn push(&mut self, mistake: ProfileMistake) {
        if self.0.len() < MISTAKES_MAX {
            self.0.push(mistake);
        }
    }
}
