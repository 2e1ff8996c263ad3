//! Regular expressions in RE2's dialect, which PromQL and LogQL speak, rewritten into that of the crate `regex`.
//!
//! The two agree on most of the grammar. Where they do not, the text would be read as something else without a word (`[a&&b]`,
//! `\<`, a Unicode `\w`) or refused (`a{b}`, `\Q.\E`); here each of these becomes what RE2 takes it for. What RE2 refuses is refused.
//! Source: Go's `regexp/syntax` with its flags `Perl`, as Prometheus compiles patterns.

/// RE2's bound on `{n}`.
const REPEAT_MAX: u32 = 1_000;

/// Classes of one letter, ASCII only, as they stand between brackets.
const PERL: [(char, &str); 3] = [('d', "0-9"), ('s', r"\t\n\f\r\x20"), ('w', "0-9A-Za-z_")];

/// Names of `[:name:]`.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// The pattern in the other dialect, or why RE2 refuses it. Mistakes that both refuse may be left to the other.
pub(crate) fn rewrite(pattern: &str) -> Result<String, String> {
    let mut rewriter = Rewriter { rest: pattern, out: String::with_capacity(pattern.len() + 16) };
    let mut after_repeat = false;
    while let Some(c) = rewriter.take() {
        let is_repeat = match c {
            '*' | '+' | '?' => {
                rewriter.out.push(c);
                true
            }
            '{' => rewriter.brace()?,
            _ => false,
        };
        match c {
            '*' | '+' | '?' | '{' => {}
            '.' | '^' | '$' | '|' | ')' => rewriter.out.push(c),
            '(' => rewriter.group()?,
            '[' => rewriter.class()?,
            '\\' => rewriter.escape()?,
            _ => rewriter.literal(c),
        }
        if is_repeat {
            if after_repeat {
                return Err("invalid nested repetition operator: put the inner one in a group".to_owned());
            }
            if rewriter.take_if('?') {
                rewriter.out.push('?');
            }
        }
        after_repeat = is_repeat;
    }
    Ok(rewriter.out)
}

struct Rewriter<'a> {
    rest: &'a str,
    out: String,
}

impl<'a> Rewriter<'a> {
    fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The next so many bytes, which end at a character's end.
    fn take_bytes(&mut self, count: usize) -> &'a str {
        let (text, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, ""));
        self.rest = rest;
        text
    }

    /// A character that means itself, in a class as well as outside.
    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() && c != '<' && c != '>' {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    /// After `{`: whether it is a repetition. Else it is text.
    fn brace(&mut self) -> Result<bool, String> {
        match repetition(self.rest)? {
            Some(length) => {
                let inside = self.take_bytes(length);
                self.out.push('{');
                self.out.push_str(inside);
                Ok(true)
            }
            None => {
                self.literal('{');
                Ok(false)
            }
        }
    }

    /// After `(`: its flags or name as they are.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        let Some(inside) = self.rest.strip_prefix('?') else { return Ok(()) };
        let length = if inside.starts_with("P<") || inside.starts_with('<') {
            inside.find('>').map(|at| at + 1).ok_or("invalid named capture: it has no end")?
        } else {
            let end = inside.find([':', ')']).ok_or("missing closing )")?;
            let flags = &inside[..end];
            if !flags.chars().all(|flag| "imsU-".contains(flag)) {
                return Err(format!("invalid or unsupported Perl syntax: `(?{flags}`"));
            }
            end + usize::from(inside[end..].starts_with(':'))
        };
        let header = self.take_bytes(1 + length);
        self.out.push_str(header);
        Ok(())
    }

    /// After a backslash outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        let c = self.take().ok_or("trailing backslash at end of expression")?;
        match c {
            'A' | 'z' => self.out.extend(['\\', c]),
            'b' => self.out.push_str(r"(?-u:\b)"),
            'B' => self.out.push_str(r"(?-u:\B)"),
            'Q' => {
                let (text, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
                text.chars().for_each(|c| self.literal(c));
                self.rest = rest;
            }
            _ => {
                if !self.set(c)? {
                    let c = self.character(c)?;
                    self.literal(c);
                }
            }
        }
        Ok(())
    }

    /// After a backslash and this character: writes a class of characters, if it is one.
    fn set(&mut self, c: char) -> Result<bool, String> {
        if c == 'p' || c == 'P' {
            let first = self.take().ok_or("invalid character class range: `\\p` has no name")?;
            let name = if first == '{' {
                let end = self.rest.find('}').ok_or("invalid character class range: `\\p{` has no end")?;
                let name = self.take_bytes(end);
                self.take();
                name.to_owned()
            } else {
                first.to_string()
            };
            let (is_turned, name) = name.strip_prefix('^').map_or((false, name.as_str()), |name| (true, name));
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(format!("invalid character class range: `\\{c}{{{name}}}`"));
            }
            let is_negative = (c == 'P') != is_turned;
            self.out.push_str(&format!("\\{}{{{name}}}", if is_negative { 'P' } else { 'p' }));
            return Ok(true);
        }
        let Some((_, inside)) = PERL.iter().find(|(letter, _)| *letter == c.to_ascii_lowercase()) else {
            return Ok(false);
        };
        self.out.push_str(if c.is_ascii_uppercase() { "[^" } else { "[" });
        self.out.push_str(inside);
        self.out.push(']');
        Ok(true)
    }

    /// After a backslash and this character: the one character that they mean.
    fn character(&mut self, c: char) -> Result<char, String> {
        let invalid = || format!("invalid escape sequence: `\\{c}`");
        let is_octal = |c: char| ('0'..='7').contains(&c);
        match c {
            // One digit other than 0 would be a reference to a group.
            '1'..='7' if !self.rest.starts_with(is_octal) => Err(invalid()),
            '0'..='7' => {
                let more = self.rest.chars().take(2).take_while(|c| is_octal(*c)).count();
                let digits = format!("{c}{}", self.take_bytes(more));
                u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32).ok_or_else(invalid)
            }
            'x' => {
                let digits = if self.take_if('{') {
                    let end = self.rest.find('}').ok_or_else(invalid)?;
                    let digits = self.take_bytes(end);
                    self.take();
                    digits
                } else {
                    let digits = self.take_bytes(2);
                    if digits.len() == 2 { digits } else { "" }
                };
                let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let code = if plain { u32::from_str_radix(digits, 16).ok() } else { None };
                code.and_then(char::from_u32).ok_or_else(invalid)
            }
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(c),
            _ => Err(invalid()),
        }
    }

    /// After `[`: up to its `]`.
    fn class(&mut self) -> Result<(), String> {
        const OPEN: &str = "missing closing ]";
        self.out.push('[');
        if self.take_if('^') {
            self.out.push('^');
        }
        let mut is_first = true;
        // Each turn takes at least one character.
        while is_first || !self.rest.starts_with(']') {
            is_first = false;
            if let Some(end) = self.rest.strip_prefix("[:").and_then(|inside| inside.find(":]")) {
                let named = self.take_bytes(end + 4);
                if !POSIX.contains(&named[2..end + 2].trim_start_matches('^')) {
                    return Err(format!("invalid character class range: `{named}`"));
                }
                self.out.push_str(named);
                continue;
            }
            let mut low = self.take().ok_or(OPEN)?;
            if low == '\\' {
                let c = self.take().ok_or(OPEN)?;
                if self.set(c)? {
                    continue;
                }
                low = self.character(c)?;
            }
            self.literal(low);
            let is_range =
                self.rest.strip_prefix('-').is_some_and(|after| !after.is_empty() && !after.starts_with(']'));
            if is_range {
                self.take();
                let mut high = self.take().ok_or(OPEN)?;
                if high == '\\' {
                    let c = self.take().ok_or(OPEN)?;
                    high = self.character(c)?;
                }
                self.out.push('-');
                self.literal(high);
            }
        }
        self.take();
        self.out.push(']');
        Ok(())
    }
}

/// The bytes of `n}`, `n,}` or `n,m}` at the start of this text; `None` when it begins otherwise.
fn repetition(text: &str) -> Result<Option<usize>, String> {
    let Some(end) = text.find('}') else { return Ok(None) };
    let inside = &text[..end];
    let numbers = match inside.split_once(',') {
        Some((least, "")) => [least, least],
        Some((least, most)) => [least, most],
        None => [inside, inside],
    };
    // A number does not begin with a zero.
    let is_number = |text: &str| text == "0" || (!text.starts_with('0') && !text.is_empty());
    if !numbers.iter().all(|number| is_number(number) && number.bytes().all(|byte| byte.is_ascii_digit())) {
        return Ok(None);
    }
    if numbers.iter().any(|number| number.parse::<u32>().map_or(true, |count| count > REPEAT_MAX)) {
        return Err(format!("invalid repeat count: `{{{inside}}}` is more than {REPEAT_MAX}"));
    }
    Ok(Some(end + 1))
}
