//! Secrets are cut out of lines before anything leaves the host. Linear time: the regex crate has no backtracking.

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// What stands in the place of a secret.
pub const MARK: &[u8] = b"<redacted>";
/// What one own pattern may take as a compiled automaton: a repetition of repetitions is refused, not compiled.
const SIZE_MAX: usize = 1 << 20;
/// Patterns of one's own; each costs time on every line.
pub const OWN_PATTERNS_MAX: usize = 64;

/// The first group is the secret; without a group the whole match is.
const BUILT_IN: [&str; 6] = [
    // Authorization headers, wherever they are printed.
    r#"(?i-u)\b(?:bearer|basic)\s+([A-Za-z0-9._~+/=-]{8,})"#,
    // URLs with a password.
    r#"(?-u)://[^\s:/@"']*:([^\s@/"']+)@"#,
    r#"(?i-u)(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)["']?\s*[=:]\s*("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;&"'(){}\[\]<>]+)"#,
    // Access keys of AWS.
    r#"(?-u)\b((?:AKIA|ASIA)[0-9A-Z]{16})\b"#,
    // JSON web tokens.
    r#"(?-u)\b(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?)"#,
    // Private keys, as far as the line has them.
    r#"(?s-u)-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)"#,
];
const KEY_BEGIN: &[u8] = b"PRIVATE KEY-----";

/// The patterns of one agent.
#[derive(Debug)]
pub struct Redactor {
    any: RegexSet,
    patterns: Vec<Regex>,
}

/// Whether a private key that began on an earlier line is still open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyState {
    is_open: bool,
    lines: u32,
}

/// A private key has some 50 lines; a line that only looks like its beginning must not silence a log.
const KEY_LINES_MAX: u32 = 200;

impl Redactor {
    /// The built-in patterns and these.
    ///
    /// # Errors
    /// The index of the first pattern of one's own that is none, with the reason.
    pub fn new(own: &[String]) -> Result<Self, (usize, String)> {
        let mut patterns = Vec::with_capacity(BUILT_IN.len() + own.len());
        for (index, text) in BUILT_IN.into_iter().chain(own.iter().map(String::as_str)).enumerate() {
            let fail = |reason: String| (index.saturating_sub(BUILT_IN.len()), reason);
            let regex =
                RegexBuilder::new(text).size_limit(SIZE_MAX).build().map_err(|error| fail(error.to_string()))?;
            if regex.is_match(b"") {
                return Err(fail("it matches the empty text, so every line would be changed".to_owned()));
            }
            patterns.push(regex);
        }
        let all = patterns.iter().map(Regex::as_str);
        let size = SIZE_MAX.saturating_mul(patterns.len());
        let any = RegexSetBuilder::new(all).size_limit(size).build().map_err(|error| (0, error.to_string()))?;
        Ok(Self { any, patterns })
    }

    /// Cuts secrets out of one entry and says how many there were. `key` goes from line to line of one source.
    pub fn redact(&self, line: &mut Vec<u8>, key: &mut KeyState) -> u64 {
        let mut count = 0;
        if key.is_open {
            key.lines += 1;
            match memchr::memmem::find(line, b"-----END ") {
                Some(end) => {
                    *key = KeyState::default();
                    line.splice(..end, MARK.iter().copied());
                    count += 1;
                }
                None if key.lines > KEY_LINES_MAX => *key = KeyState::default(),
                None => {
                    line.clear();
                    line.extend_from_slice(MARK);
                    return 1;
                }
            }
        }
        if !self.any.is_match(line) {
            return count;
        }
        key.is_open = opens_key(line);
        for index in self.any.matches(line).iter() {
            count += replace(&self.patterns[index], line);
        }
        count
    }
}

/// Whether these bytes end inside a private key.
pub fn opens_key(bytes: &[u8]) -> bool {
    let Some(begin) = memchr::memmem::rfind(bytes, KEY_BEGIN) else { return false };
    let head = &bytes[..begin];
    let dashes = memchr::memmem::rfind(head, b"-----").unwrap_or(0);
    head[dashes..].starts_with(b"-----BEGIN ") && memchr::memmem::find(&bytes[begin..], b"-----END ").is_none()
}

/// The state of a source that is read on from here, by what stands before.
pub fn key_state_after(before: &[u8]) -> KeyState {
    KeyState { is_open: opens_key(before), lines: 0 }
}

fn replace(pattern: &Regex, line: &mut Vec<u8>) -> u64 {
    let (mut out, mut last, mut count) = (Vec::new(), 0, 0);
    for captures in pattern.captures_iter(line) {
        let Some(secret) = captures.get(1).or_else(|| captures.get(0)) else { continue };
        if secret.as_bytes() == MARK {
            continue;
        }
        out.extend_from_slice(&line[last..secret.start()]);
        out.extend_from_slice(MARK);
        last = secret.end();
        count += 1;
    }
    if count > 0 {
        out.extend_from_slice(&line[last..]);
        *line = out;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(line: &str) -> String {
        let redactor = Redactor::new(&[]).unwrap();
        let mut bytes = line.as_bytes().to_vec();
        redactor.redact(&mut bytes, &mut KeyState::default());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn secrets_do_not_leave() {
        for (line, expected) in [
            ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer <redacted>"),
            ("GET https://user:hunter2@example.org/x", "GET https://user:<redacted>@example.org/x"),
            ("login password=hunter2 ok", "login password=<redacted> ok"),
            ("{\"passwd\": \"a \\\" b\", \"x\": 1}", "{\"passwd\": <redacted>, \"x\": 1}"),
            ("db_secret: 'x y' api-key=k&token=t;", "db_secret: <redacted> api-key=<redacted>&token=<redacted>;"),
            ("aws AKIAABCDEFGHIJKLMNOP used", "aws <redacted> used"),
            ("aws_secret_access_key = wJalrXUtnFEMI/K7", "aws_secret_access_key = <redacted>"),
            ("nothing to hide: tokens of 5 words", "nothing to hide: tokens of 5 words"),
            ("password=<redacted>", "password=<redacted>"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----!",
                "-----BEGIN RSA PRIVATE KEY-----<redacted>-----END RSA PRIVATE KEY-----!",
            ),
        ] {
            assert_eq!(redacted(line), expected);
        }
    }

    #[test]
    fn a_private_key_over_many_lines_is_cut_out_whole() {
        let redactor = Redactor::new(&[]).unwrap();
        let mut key = KeyState::default();
        let lines =
            ["before", "-----BEGIN PRIVATE KEY-----", "MIIEvQIBADAN", "Bgkq", "-----END PRIVATE KEY-----", "after"];
        let shown: Vec<String> = lines
            .iter()
            .map(|line| {
                let mut bytes = line.as_bytes().to_vec();
                redactor.redact(&mut bytes, &mut key);
                String::from_utf8(bytes).unwrap()
            })
            .collect();
        let expected = [
            "before",
            "-----BEGIN PRIVATE KEY-----<redacted>",
            "<redacted>",
            "<redacted>",
            "<redacted>-----END PRIVATE KEY-----",
            "after",
        ];
        assert_eq!(shown, expected);
        assert!(opens_key(b"x\n-----BEGIN EC PRIVATE KEY-----\nabc\n"));
        assert!(!opens_key(b"-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\n"));
        assert!(!opens_key(b"-----END EC PRIVATE KEY-----\n"));
    }

    #[test]
    fn a_beginning_without_an_end_silences_no_log() {
        let redactor = Redactor::new(&[]).unwrap();
        let mut key = KeyState::default();
        redactor.redact(&mut b"-----BEGIN PRIVATE KEY-----".to_vec(), &mut key);
        let last = (0..=KEY_LINES_MAX)
            .map(|_| {
                let mut line = b"ordinary".to_vec();
                redactor.redact(&mut line, &mut key);
                line
            })
            .last();
        assert_eq!(last.as_deref(), Some(&b"ordinary"[..]));
    }

    #[test]
    fn own_patterns_are_checked_and_used() {
        let redactor = Redactor::new(&[r"card=(\d+)".to_owned(), r"customer-\d+".to_owned()]).unwrap();
        let mut line = b"card=4111 customer-77 \xff".to_vec();
        assert_eq!(redactor.redact(&mut line, &mut KeyState::default()), 2);
        assert_eq!(line, b"card=<redacted> <redacted> \xff");
        for (wrong, index) in [(vec!["(".to_owned()], 0), (vec!["a".to_owned(), "x*".to_owned()], 1)] {
            assert_eq!(Redactor::new(&wrong).unwrap_err().0, index);
        }
        assert!(Redactor::new(&["(a{1000}){1000}".to_owned()]).is_err(), "too large to compile");
    }

    #[test]
    fn hostile_bytes_take_linear_time() {
        let redactor = Redactor::new(&[]).unwrap();
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..200 {
            let alphabet = b"password=:\"'\\ @/:token-BEGIN\xff\x00";
            let mut line: Vec<u8> = (0..4_000).map(|_| alphabet[rng.usize(..alphabet.len())]).collect();
            redactor.redact(&mut line, &mut KeyState::default());
        }
    }
}
