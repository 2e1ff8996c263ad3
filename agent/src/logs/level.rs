//! The level of a line, where its first bytes name one.

/// How far a level is looked for: behind time, host and process it stands within this.
const LOOK_BYTES: usize = 64;

/// The level as one lower-case word, or `None`. Words count in capitals, in brackets, or behind `level=` and the like.
pub(super) fn level_of(line: &[u8]) -> Option<&'static str> {
    let head = &line[..line.len().min(LOOK_BYTES)];
    let mut start = 0;
    while start < head.len() {
        let length = head[start..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        // A word that is cut by the end of the look is not judged.
        let is_whole = start + length < head.len() || head.len() == line.len();
        if length >= 3 && is_whole {
            let word = &head[start..start + length];
            let level = word_level(word);
            if level.is_some() && (word.iter().all(u8::is_ascii_uppercase) || is_marked(&head[..start])) {
                return level;
            }
        }
        start += length.max(1);
    }
    None
}

/// Whether what stands before a word says that a level follows.
fn is_marked(before: &[u8]) -> bool {
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    if before.ends_with(b"[") || before.ends_with(b"<") {
        return true;
    }
    let before = before.trim_ascii_end();
    let Some(before) = before.strip_suffix(b"=").or_else(|| before.strip_suffix(b":")) else { return false };
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    let key =
        |name: &[u8]| before.len() >= name.len() && before[before.len() - name.len()..].eq_ignore_ascii_case(name);
    key(b"level") || key(b"lvl") || key(b"severity")
}

fn word_level(word: &[u8]) -> Option<&'static str> {
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    match word.len() {
        3 if is("err") => Some("error"),
        4 if is("info") => Some("info"),
        4 if is("warn") => Some("warn"),
        4 if is("crit") => Some("critical"),
        5 if is("error") => Some("error"),
        5 if is("debug") => Some("debug"),
        5 if is("trace") => Some("trace"),
        5 if is("fatal") => Some("critical"),
        5 if is("panic") => Some("critical"),
        5 if is("emerg") || is("alert") => Some("critical"),
        6 if is("notice") => Some("info"),
        6 if is("severe") => Some("error"),
        7 if is("warning") => Some("warn"),
        8 if is("critical") => Some("critical"),
        _ => None,
    }
}

/// The level of a syslog priority (0 to 7), as the journal has it.
pub(super) fn level_of_priority(priority: u8) -> Option<&'static str> {
    match priority {
        0..=2 => Some("critical"),
        3 => Some("error"),
        4 => Some("warn"),
        5 | 6 => Some("info"),
        7 => Some("debug"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_where_lines_name_them() {
        for (line, level) in [
            ("2026-01-31 10:00:00,123 ERROR c.e.Main - broken", Some("error")),
            ("time=x level=warn msg=y", Some("warn")),
            ("{\"level\":\"debug\",\"msg\":1}", Some("debug")),
            ("[error] 12#12: open failed", Some("error")),
            ("WARNING: low space", Some("warn")),
            ("I failed with an error", None),
            ("INFORMATION desk", None),
            ("", None),
        ] {
            assert_eq!(level_of(line.as_bytes()), level, "{line}");
        }
        assert_eq!(level_of(&[b"x".repeat(62), b"INFO".to_vec()].concat()), None, "cut by the end of the look");
        assert_eq!(level_of(&[0xff, b'[', b'i', b'n', b'f', b'o', b']']), Some("info"));
        assert_eq!((level_of_priority(3), level_of_priority(9)), (Some("error"), None));
    }
}
