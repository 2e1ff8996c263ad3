//! Kinds of log lines: a line with what differs from one to the next taken out, and how often lines speak of errors.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{COMPARED_PATTERNS_MAX, Count, PatternCells, Rate};

/// Kinds that are told apart while lines are read; lines of others are counted and left out.
const KINDS_MAX: usize = 2_000;
/// Cells that are kept of all kinds together: about 20 MB.
const KIND_CELLS_MAX: usize = 400_000;
/// Bytes of a line that are read, and of a pattern that are kept.
const LINE_BYTES_MAX: usize = 512;
const PATTERN_BYTES_MAX: usize = 160;
/// From so many letters and digits on a word with both is a key, a hash or the like.
const KEY_LETTERS_MIN: usize = 20;
/// From so many digits of a hexadecimal number on it is one.
const HEX_DIGITS_MIN: usize = 8;

/// Words by which a line without a level speaks of an error.
const ERROR_WORDS: [&str; 16] = [
    "error",
    "errors",
    "err",
    "fatal",
    "panic",
    "panicked",
    "exception",
    "traceback",
    "critical",
    "crit",
    "emerg",
    "failed",
    "failure",
    "segfault",
    "oom",
    "unhandled",
];
/// What takes such a word back when it stands before it: `0 errors`, `no error`.
const NOT: [&str; 4] = ["0", "no", "without", "zero"];
/// Levels by their names: those of errors, and those that are none whatever the line says.
const ERROR_LEVELS: [&str; 10] =
    ["error", "err", "fatal", "critical", "crit", "alert", "emerg", "panic", "emergency", "severe"];
const OTHER_LEVELS: [&str; 8] = ["warning", "warn", "notice", "info", "information", "debug", "trace", "verbose"];
/// Names of days and months, which syslog begins its lines with.
const NAMES_OF_TIMES: [&str; 19] = [
    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
    "Oct", "Nov", "Dec",
];

/// Whether a line speaks of an error: by its level where it has one that is known, else by its words.
pub fn speaks_of_errors(level: Option<&str>, line: &str) -> bool {
    let is_of = |levels: &[&str], level: &str| levels.iter().any(|name| name.eq_ignore_ascii_case(level));
    if let Some(level) = level {
        if is_of(&ERROR_LEVELS, level) {
            return true;
        }
        if is_of(&OTHER_LEVELS, level) {
            return false;
        }
    }
    let mut before = "";
    for word in
        head(line, LINE_BYTES_MAX).split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
    {
        let is_error = is_of(&ERROR_WORDS, word) || word.ends_with("Error") || word.ends_with("Exception");
        if is_error && !is_of(&NOT, before) {
            return true;
        }
        before = word;
    }
    false
}

fn head(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// The kind of a line: numbers, hexadecimal ones, UUIDs, keys, times and what is quoted become marks, spaces one space.
pub fn pattern(line: &str) -> String {
    let mut rest = head(line.trim(), LINE_BYTES_MAX);
    let mut out = String::with_capacity(rest.len());
    let mut last = ' ';
    while let Some(first) = rest.chars().next() {
        let taken = if first.is_whitespace() {
            if last != ' ' {
                out.push(' ');
            }
            rest.len() - rest.trim_start().len()
        } else if let Some(quoted) = quoted(rest, last) {
            out.push_str("<q>");
            quoted
        } else if first.is_alphanumeric() {
            word(rest, &mut out)
        } else {
            out.push(first);
            first.len_utf8()
        };
        last = if first.is_whitespace() { ' ' } else { rest[..taken].chars().next_back().unwrap_or(' ') };
        rest = &rest[taken..];
    }
    out.truncate(out.floor_char_boundary(PATTERN_BYTES_MAX));
    out
}

/// How long the quoted text is that begins here, both quotes included. An apostrophe within a word quotes nothing.
fn quoted(rest: &str, last: char) -> Option<usize> {
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\'' | '`'))?;
    if quote == '\'' && last.is_alphanumeric() {
        return None;
    }
    let mut is_escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        if letter == quote && !is_escaped {
            return Some(at + letter.len_utf8());
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    None
}

/// Writes the mark or the word that is here; the answer is how many bytes it was.
fn word(rest: &str, out: &mut String) -> usize {
    if is_uuid(rest) {
        out.push_str("<u>");
        return UUID_BYTES;
    }
    let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
    let word = &rest[..end];
    let digits = word.strip_prefix("0x").unwrap_or(word);
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        out.push_str("<n>");
    } else if NAMES_OF_TIMES.contains(&word) {
        out.push_str("<t>");
    } else if has_digit
        && (is_hex && (digits.len() >= HEX_DIGITS_MIN || digits.len() < word.len()) || end >= KEY_LETTERS_MIN)
    {
        out.push_str("<x>");
    } else if has_digit {
        let mut was_digit = false;
        for letter in word.chars() {
            let is_digit = letter.is_ascii_digit();
            match (is_digit, was_digit) {
                (false, _) => out.push(letter),
                (true, false) => out.push_str("<n>"),
                (true, true) => {}
            }
            was_digit = is_digit;
        }
    } else {
        out.push_str(word);
    }
    end
}

const UUID_BYTES: usize = 36;

fn is_uuid(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    let has_end = bytes.get(UUID_BYTES).is_none_or(|after| !after.is_ascii_alphanumeric());
    let is_right = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.len() >= UUID_BYTES && has_end && bytes[..UUID_BYTES].iter().enumerate().all(is_right)
}

/// The longest text that all lines of a kind have, to find them by.
pub fn literal(pattern: &str) -> &str {
    let parts = pattern.split(['<', '>']).enumerate().filter(|(at, part)| at % 2 == 0 || !is_mark(part));
    // Spaces may have been more than one.
    let words = parts.flat_map(|(_, part)| part.split(' '));
    words.max_by_key(|part| part.len()).unwrap_or_default()
}

fn is_mark(part: &str) -> bool {
    matches!(part, "n" | "x" | "u" | "q" | "t")
}

/// A side of a comparison, and the past of the one with the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Canary,
    Baseline,
    Own,
}

/// Lines as they are read, counted by slot and host and, where they speak of errors, by their kind.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    sides: [Counts; 3],
    kinds: BTreeMap<String, Kind>,
    kind_cells: usize,
    left_out: u64,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    slots: Vec<Count>,
    hosts: Vec<Count>,
    cells: BTreeSet<(u32, u32)>,
}

#[derive(Clone, Debug, Default)]
struct Kind {
    cells: [BTreeSet<(u32, u32)>; 3],
    lines: u64,
}

/// What is made of lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedLines {
    pub rate: Rate,
    /// Of canary and baseline.
    pub cells: [u64; 2],
    /// Those of most lines first.
    pub patterns: Vec<PatternCells>,
    pub left_out: u64,
}

impl Lines {
    /// Of sides with so many slots.
    pub fn new(canary: usize, baseline: usize, own: usize) -> Self {
        let side = |slots| Counts { slots: vec![Count::default(); slots], ..Counts::default() };
        Self { sides: [side(canary), side(baseline), side(own)], ..Self::default() }
    }

    /// Takes a line of a host, by its place among the side's hosts, in a slot. A slot that the side has not is counted as left out.
    pub fn take(&mut self, side: Side, host: usize, slot: usize, level: Option<&str>, line: &str) {
        let is_bad = speaks_of_errors(level, line);
        let counts = &mut self.sides[side as usize];
        let (Some(of_slot), Ok(cell)) =
            (counts.slots.get_mut(slot), u32::try_from(host).and_then(|host| Ok((host, u32::try_from(slot)?))))
        else {
            self.left_out += 1;
            return;
        };
        if counts.hosts.len() <= host {
            counts.hosts.resize(host + 1, Count::default());
        }
        for count in [of_slot, &mut counts.hosts[host]] {
            count.0 += u64::from(is_bad);
            count.1 += 1;
        }
        counts.cells.insert(cell);
        if !is_bad {
            return;
        }
        let kind = pattern(line);
        let is_full =
            self.kind_cells >= KIND_CELLS_MAX || self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&kind);
        if is_full {
            self.left_out += 1;
            return;
        }
        let kind = self.kinds.entry(kind).or_default();
        kind.lines += 1;
        self.kind_cells += usize::from(kind.cells[side as usize].insert(cell));
    }

    /// Lines that were not read, or had no place.
    pub fn leave_out(&mut self, lines: u64) {
        self.left_out = self.left_out.saturating_add(lines);
    }

    /// What they are together.
    pub fn counted(self, name: &str) -> CountedLines {
        let Self { sides: [canary, baseline, own], kinds, mut left_out, .. } = self;
        let cells = [canary.cells.len() as u64, baseline.cells.len() as u64];
        let mut kinds: Vec<(String, Kind)> = kinds.into_iter().collect();
        kinds.sort_by_key(|(_, kind)| std::cmp::Reverse(kind.lines));
        left_out += kinds.iter().skip(COMPARED_PATTERNS_MAX).map(|(_, kind)| kind.lines).sum::<u64>();
        kinds.truncate(COMPARED_PATTERNS_MAX);
        let patterns = kinds.into_iter().map(|(pattern, kind)| {
            let [canary, baseline, own] = kind.cells.map(|cells| cells.len() as u64);
            PatternCells { pattern, canary, baseline, own }
        });
        let patterns = patterns.collect();
        let rate = Rate {
            name: name.to_owned(),
            canary: canary.slots,
            baseline: baseline.slots,
            hosts: baseline.hosts,
            own: own.slots,
            ..Rate::default()
        };
        CountedLines { rate, cells, patterns, left_out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_by_what_they_are_about_are_of_one_kind() {
        for (line, told) in [
            (
                "2026-11-30T08:44:23.5Z  GET /orders/8124 took 12ms",
                "<n>-<n>-<n>T<n>:<n>:<n>.<n>Z GET /orders/<n> took <n>ms",
            ),
            ("user \"ann o'hara\" can't log in from 10.0.0.7:4411", "user <q> can't log in from <n>.<n>.<n>.<n>:<n>"),
            ("request 018f3a5e-7c1b-7def-8a2b-0123456789ab failed", "request <u> failed"),
            ("commit 9fceb02d0ae5 at 0x7ffe of deadbeef", "commit <x> at <x> of deadbeef"),
            ("key AKIAIOSFODNN7EXAMPLE9 of web12 is 'x y'", "key <x> of web<n> is <q>"),
            ("Nov 30 08:44:23 web1 app: \u{fc}ber 'offen", "<t> <n> <n>:<n>:<n> web<n> app: \u{fc}ber 'offen"),
            ("it said \"he said \\\"no\\\"\" twice", "it said <q> twice"),
            ("", ""),
        ] {
            assert_eq!(pattern(line), told);
        }
        assert!(pattern(&"\u{20ac}7 ".repeat(5_000)).len() <= PATTERN_BYTES_MAX);
        assert_eq!(literal("<t> <n> <n>:<n> web<n> app: connection refused <q>"), "connection");
        assert_eq!(literal("a <b> of <n>"), "of");
        assert_eq!(literal(""), "");
    }

    #[test]
    fn errors_are_known_by_level_and_else_by_words() {
        for (level, line, told) in [
            (Some("err"), "hello", true),
            (Some("info"), "error in the name of a file", false),
            (Some("unknown"), "ERROR x", true),
            (None, "worker panicked at src/x.rs", true),
            (None, "java.lang.NullPointerException: x", true),
            (None, "done: 0 errors, 3 files", false),
            (None, "no error", false),
            (None, "terror of mirrors", false),
            (None, "GET / 200", false),
        ] {
            assert_eq!(speaks_of_errors(level, line), told, "{line}");
        }
    }

    #[test]
    fn lines_are_counted_by_slot_host_and_kind_within_bounds() {
        let mut lines = Lines::new(2, 2, 1);
        for _ in 0..50 {
            lines.take(Side::Canary, 0, 1, None, "error: order 5 is lost");
        }
        lines.take(Side::Canary, 0, 0, None, "ok");
        lines.take(Side::Baseline, 1, 0, None, "ok");
        lines.take(Side::Baseline, 0, 1, None, "error: order 6 is lost");
        lines.take(Side::Own, 0, 0, None, "error: other");
        lines.take(Side::Own, 0, 7, None, "error: at no time of it");
        lines.leave_out(3);
        let counted = lines.counted("errors in the log");
        assert_eq!(counted.rate.canary, [Count(0, 1), Count(50, 50)]);
        assert_eq!(counted.rate.baseline, [Count(0, 1), Count(1, 1)]);
        assert_eq!(counted.rate.hosts, [Count(1, 1), Count(0, 1)]);
        assert_eq!((counted.cells, counted.left_out), ([2, 2], 4));
        let first = &counted.patterns[0];
        assert_eq!(
            (first.pattern.as_str(), first.canary, first.baseline, first.own),
            ("error: order <n> is lost", 1, 1, 0)
        );

        let mut lines = Lines::new(1, 1, 0);
        for at in 0..KINDS_MAX + 500 {
            let name: String = at.to_string().bytes().map(|byte| char::from(byte - b'0' + b'a')).collect();
            lines.take(Side::Canary, 0, 0, None, &format!("error {name}"));
        }
        let counted = lines.counted("x");
        assert_eq!(counted.patterns.len(), COMPARED_PATTERNS_MAX);
        assert_eq!(counted.left_out as usize, KINDS_MAX + 500 - COMPARED_PATTERNS_MAX);
    }
}
