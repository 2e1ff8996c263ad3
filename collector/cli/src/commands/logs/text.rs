//! Texts as queries and terminals need them.

/// A text in LogQL's quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // All of these are below 2^16.
            _ if character.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// A line as a terminal may show it: what steers the terminal or turns text round is written out. The parts of a line that was
/// joined of several are indented, so that none looks like a line of its own.
pub(super) fn shown(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for character in line.trim_end_matches(['\n', '\r']).chars() {
        match character {
            '\n' => out.push_str("\n    "),
            '\t' => out.push('\t'),
            '\0'..='\u{1f}' | '\u{7f}' => out.push_str(&format!("\\x{:02x}", u32::from(character))),
            '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out
}

/// Notes, each once.
#[derive(Debug, Default)]
pub(super) struct Texts(Vec<String>);

impl Texts {
    pub(super) fn add(&mut self, text: String) {
        if !self.0.contains(&text) {
            self.0.push(text);
        }
    }

    pub(super) fn into_list(self) -> Vec<String> {
        self.0
    }
}
