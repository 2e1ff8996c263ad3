//! Checks as TOML that the agent's configuration takes.

use std::fmt::Write;

use muster_common::time::Span;
use toml::Value;

use super::convert::{Imported, Left};

impl Imported {
    /// `[[checks]]`, each with its place as a comment; then what was not taken, as comments.
    pub fn to_toml(&self) -> String {
        let mut out = String::from(
            "# Made of NRPE's configuration by `muster-agent check import`. NRPE has no intervals: each check runs every 60 s\n\
             # unless it says otherwise, such as interval = \"5m\".\n",
        );
        for check in &self.taken {
            let place = format!("{}:{}", check.file, check.line);
            // A text takes every write.
            let _ = writeln!(out, "\n# {}", comment(&place));
            if let Some(called) = &check.called {
                let _ = writeln!(out, "# NRPE calls it {}", comment(called));
            }
            let command = Value::Array(check.command.iter().cloned().map(Value::String).collect());
            let name = Value::String(check.name.clone());
            let _ = write!(out, "[[checks]]\nname = {name}\ncommand = {command}\n");
            if let Some(timeout) = self.timeout {
                let _ = writeln!(out, "timeout = \"{}\"", Span(timeout));
            }
            if !check.env.is_empty() {
                let pairs = check.env.iter().map(|(name, value)| format!("{name} = {}", Value::String(value.clone())));
                let _ = writeln!(out, "env = {{ {} }}", pairs.collect::<Vec<_>>().join(", "));
            }
        }
        if !self.left.is_empty() {
            out.push_str("\n# Not taken, or not as it stands:\n");
        }
        for left in &self.left {
            let _ = writeln!(out, "# {}", comment(&left.to_string()));
        }
        out
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, line, what, why, remedy, is_lost: _ } = self;
        match line {
            0 => write!(f, "{file}: {what}: {why}: {remedy}"),
            line => write!(f, "{file}:{line}: {what}: {why}: {remedy}"),
        }
    }
}

/// On one line, whatever stood in a file.
fn comment(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}
