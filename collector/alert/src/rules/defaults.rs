//! The rules that come with the collector, and are in force where no others are named.

/// The name under which they are loaded.
pub const DEFAULT_RULES_PATH: &str = "default.yml";
/// Their text.
pub const DEFAULT_RULES: &str = include_str!("../../rules/default.yml");

#[cfg(test)]
mod tests;
