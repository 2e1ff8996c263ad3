//! Text and actions apart, and an action into tokens.

use super::parse::TemplateError;

/// What a template is made of, in order.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Action { tokens: Vec<(usize, Token)>, at: usize },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A keyword or a function.
    Word(String),
    /// `$name`; `$` is the empty name.
    Variable(String),
    /// `.name`, with what stands before it if there is no blank between.
    Field(String, bool),
    Dot,
    Int(i64),
    Float(f64),
    Text(String),
    Declare,
    Assign,
    Comma,
    Pipe,
    Open,
    Close,
}

/// Cuts a template into its pieces; blanks beside `{{-` and `-}}` are gone, and comments are.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece>, TemplateError> {
    let fault = |at, message: &str| TemplateError::new(source, at, message.to_owned());
    let (mut pieces, mut at, mut trim) = (Vec::new(), 0, false);
    loop {
        let rest = &source[at..];
        let open = rest.find("{{");
        let text = &rest[..open.unwrap_or(rest.len())];
        let mut shown = if trim { text.trim_start_matches(BLANK) } else { text };
        let Some(open) = open else {
            push_text(&mut pieces, shown);
            return Ok(pieces);
        };
        let start = at + open;
        let mut inside = start + 2;
        if source[inside..].starts_with('-') && source[inside + 1..].starts_with(BLANK) {
            shown = shown.trim_end_matches(BLANK);
            inside += 1;
        }
        push_text(&mut pieces, shown);
        let body = source[inside..].trim_start_matches(BLANK);
        if body.starts_with("/*") {
            let end = body.find("*/").ok_or_else(|| fault(start, "unclosed comment: write {{/* ... */}}"))?;
            let after = &body[end + 2..];
            let blank = after.len() - after.trim_start_matches(BLANK).len();
            let close = &after[blank..];
            trim = blank > 0 && close.starts_with("-}}");
            if !(trim || close.starts_with("}}")) {
                return Err(fault(start, "comment ends before closing delimiter: write */}}"));
            }
            at = source.len() - close.len() + if trim { 3 } else { 2 };
            continue;
        }
        let (tokens, end, trims) = Tokens { source, at: inside, open: start }.read()?;
        pieces.push(Piece::Action { tokens, at: start });
        (at, trim) = (end, trims);
    }
}

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

struct Tokens<'a> {
    source: &'a str,
    at: usize,
    open: usize,
}

type Read = (Vec<(usize, Token)>, usize, bool);

impl Tokens<'_> {
    fn fault(&self, at: usize, message: impl Into<String>) -> TemplateError {
        TemplateError::new(self.source, at, message.into())
    }

    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    /// The tokens up to `}}`, the byte after it, and whether blanks after it are to go.
    fn read(mut self) -> Result<Read, TemplateError> {
        let mut tokens = Vec::new();
        loop {
            let before = self.at;
            self.at += self.rest().len() - self.rest().trim_start_matches(BLANK).len();
            let (at, was_blank) = (self.at, self.at > before);
            if was_blank && self.rest().starts_with("-}}") {
                return Ok((tokens, at + 3, true));
            }
            if self.rest().starts_with("}}") {
                return Ok((tokens, at + 2, false));
            }
            let token = self.token(was_blank || tokens.is_empty())?;
            tokens.push((at, token));
        }
    }

    fn token(&mut self, was_blank: bool) -> Result<Token, TemplateError> {
        let at = self.at;
        let Some(first) = self.rest().chars().next() else {
            return Err(self.fault(self.open, "unclosed action: a closing }} is missing"));
        };
        let simple = match first {
            '|' => Some(Token::Pipe),
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            ',' => Some(Token::Comma),
            '=' => Some(Token::Assign),
            _ => None,
        };
        if let Some(token) = simple {
            self.at += 1;
            return Ok(token);
        }
        match first {
            ':' if self.rest().starts_with(":=") => {
                self.at += 2;
                Ok(Token::Declare)
            }
            '"' | '`' | '\'' => self.quoted(first),
            '$' => {
                self.at += 1;
                Ok(Token::Variable(self.word()))
            }
            '.' if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.at += 1;
                let name = self.word();
                Ok(if name.is_empty() { Token::Dot } else { Token::Field(name, !was_blank) })
            }
            c if c.is_ascii_digit() || matches!(c, '.' | '+' | '-') => self.number(),
            c if c.is_alphabetic() || c == '_' => Ok(Token::Word(self.word())),
            other => Err(self.fault(at, format!("unexpected {other:?} in action"))),
        }
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.at += end;
        word
    }

    fn number(&mut self) -> Result<Token, TemplateError> {
        let rest = self.rest();
        let mut end = 1;
        for (index, c) in rest.char_indices().skip(1) {
            let after_exponent = matches!(rest.as_bytes()[index - 1], b'e' | b'E') && !rest.starts_with("0x");
            if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || (matches!(c, '+' | '-') && after_exponent)) {
                break;
            }
            end = index + 1;
        }
        let text = rest[..end].to_owned();
        let plain: String = text.chars().filter(|c| *c != '_').collect();
        let token = super::number::parse_int(&plain).map(Token::Int);
        let float = || plain.parse().ok().filter(|_| plain.contains(|c: char| c.is_ascii_digit())).map(Token::Float);
        let token = token.or_else(float).ok_or_else(|| self.fault(self.at, format!("bad number syntax: {text:?}")))?;
        self.at += end;
        Ok(token)
    }

    fn quoted(&mut self, quote: char) -> Result<Token, TemplateError> {
        let start = self.at;
        let (mut text, mut chars) = (String::new(), self.source[start + 1..].char_indices());
        let unclosed = || TemplateError::new(self.source, start, "unterminated quoted string".into());
        loop {
            let (index, c) = chars.next().ok_or_else(unclosed)?;
            match c {
                c if c == quote => {
                    self.at = start + 1 + index + 1;
                    break;
                }
                '\n' if quote != '`' => return Err(unclosed()),
                '\\' if quote != '`' => {
                    let (_, escaped) = chars.next().ok_or_else(unclosed)?;
                    let mut code = |digits: usize, radix: u32, first: &str| {
                        let mut all = first.to_owned();
                        for _ in first.len()..digits {
                            all.extend(chars.next().map(|(_, c)| c));
                        }
                        u32::from_str_radix(&all, radix).ok().and_then(char::from_u32)
                    };
                    let made = match escaped {
                        'n' => Some('\n'),
                        't' => Some('\t'),
                        'r' => Some('\r'),
                        'a' => Some('\u{7}'),
                        'b' => Some('\u{8}'),
                        'f' => Some('\u{c}'),
                        'v' => Some('\u{b}'),
                        '\\' | '"' | '\'' => Some(escaped),
                        'x' => code(2, 16, ""),
                        'u' => code(4, 16, ""),
                        'U' => code(8, 16, ""),
                        '0'..='7' => code(3, 8, &escaped.to_string()),
                        _ => None,
                    };
                    text.push(made.ok_or_else(|| self.fault(start, format!("unknown escape \\{escaped} in string")))?);
                }
                c => text.push(c),
            }
        }
        if quote != '\'' {
            return Ok(Token::Text(text));
        }
        let mut own = text.chars();
        match (own.next(), own.next()) {
            (Some(one), None) => Ok(Token::Int(i64::from(u32::from(one)))),
            _ => Err(self.fault(start, "a character constant holds one character: use double quotes for texts")),
        }
    }
}
