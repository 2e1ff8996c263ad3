//! Text to tokens. One pass, no allocation per token: a token is a kind and a span.

use crate::logql::units::{bytes, duration_ns};
use crate::text::fault::Span;
use crate::text::literal::{is_number, span_ms};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    End,
    /// Any word; which are names and which belong to the language is the parser's to say.
    Word,
    Text,
    Number,
    Duration,
    Bytes,
    /// `--strict`.
    Flag,
    /// An operator or bracket.
    Sign(&'static str),
    /// The text goes wrong here; [`Lexed::fault`] says how.
    Bad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// The tokens of a text. The last is `End`, or `Bad` with its reason.
pub(crate) struct Lexed {
    pub(crate) tokens: Vec<Token>,
    pub(crate) fault: Option<String>,
}

/// Longer ones first, so that `|=` is not read as `|` and `=`.
const SIGNS: [&str; 28] = [
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "|", "=", ">", "<", "+", "-", "*", "/", "%", "^", "(",
    ")", "{", "}", "[", "]", ",", ".",
];

pub(crate) fn lex(text: &str) -> Lexed {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += blank(&text[at..]);
        match token(&text[at..]) {
            Ok((kind, length)) => {
                tokens.push(Token { kind, span: Span { start: at, end: at + length } });
                at += length;
                if kind == TokenKind::End {
                    return Lexed { tokens, fault: None };
                }
            }
            Err(message) => {
                tokens.push(Token { kind: TokenKind::Bad, span: Span { start: at, end: text.len() } });
                return Lexed { tokens, fault: Some(message) };
            }
        }
    }
}

/// Bytes of white space and comments at the start.
fn blank(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b'\n' | b'\r') => at += 1,
            Some(b'#') => at += bytes[at..].iter().take_while(|byte| **byte != b'\n').count(),
            _ => return at,
        }
    }
}

/// The kind of the first token and how many bytes it has.
fn token(text: &str) -> Result<(TokenKind, usize), String> {
    let Some(first) = text.chars().next() else { return Ok((TokenKind::End, 0)) };
    let next = text.as_bytes().get(1).copied().unwrap_or(0);
    match first {
        '"' | '`' => quoted(text, first).map(|length| (TokenKind::Text, length)),
        '\'' => Err("unexpected character '\\'': put texts in double quotes or backticks".into()),
        '$' => {
            Err("unexpected character '$': variables such as $__interval are Grafana's: write a value, such as 5m"
                .into())
        }
        '0'..='9' => number(text),
        '.' if next.is_ascii_digit() => number(text),
        'a'..='z' | 'A'..='Z' | '_' => Ok((TokenKind::Word, run(text, |byte| byte == b'_'))),
        '-' if next == b'-' && text.as_bytes().get(2).is_some_and(u8::is_ascii_alphabetic) => {
            Ok((TokenKind::Flag, 2 + run(&text[2..], |byte| byte == b'-')))
        }
        _ => match SIGNS.iter().find(|sign| text.starts_with(**sign)) {
            Some(sign) => Ok((TokenKind::Sign(sign), sign.len())),
            None => Err(format!("unexpected character {first:?}: put texts in double quotes or backticks")),
        },
    }
}

fn run(text: &str, also: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || also(*byte)).count()
}

/// A text in quotes, quotes included. Escapes are read later; here only the end is sought.
fn quoted(text: &str, quote: char) -> Result<usize, String> {
    let bytes = text.as_bytes();
    let mut length = 1;
    loop {
        match bytes.get(length) {
            None => return Err(format!("literal not terminated: close it with {quote}")),
            Some(b'\n') if quote != '`' => {
                return Err("literal not terminated: write a line break as \\n, or quote with `".into());
            }
            Some(b'\\') if quote != '`' => length += 2,
            Some(byte) if char::from(*byte) == quote => return Ok(length + 1),
            Some(_) => length += 1,
        }
    }
}

/// Numbers, durations and byte counts start alike.
fn number(text: &str) -> Result<(TokenKind, usize), String> {
    let mut length = 0;
    let mut before = ' ';
    for c in text.chars() {
        let sign = matches!(c, '+' | '-')
            && matches!(before, 'e' | 'E')
            && is_number(text[..length].trim_end_matches(['e', 'E']))
            && text[length + 1..].starts_with(|c: char| c.is_ascii_digit());
        if !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '\u{b5}' | '\u{3bc}') || sign) {
            break;
        }
        length += c.len_utf8();
        before = c;
    }
    let own = &text[..length];
    if is_number(own) {
        Ok((TokenKind::Number, length))
    } else if span_ms(own).is_ok() || duration_ns(own).is_ok() {
        Ok((TokenKind::Duration, length))
    } else if bytes(own).is_ok() {
        Ok((TokenKind::Bytes, length))
    } else {
        Err(format!("bad number, duration or byte count {own:?}: write 1.5, 5m, 250ms or 10MB"))
    }
}

impl Token {
    /// The token as `unexpected ...` names it, with the names of Loki's grammar.
    pub(crate) fn describe(self, text: &str) -> String {
        let own = &text[self.span.start..self.span.end];
        match self.kind {
            TokenKind::End => "$end".into(),
            TokenKind::Word => format!("IDENTIFIER {own:?}"),
            TokenKind::Text => format!("STRING {}", own.chars().take(60).collect::<String>()),
            TokenKind::Number => format!("NUMBER {own}"),
            TokenKind::Duration => format!("DURATION {own}"),
            TokenKind::Bytes => format!("BYTES {own}"),
            TokenKind::Flag => format!("PARSER_FLAG {own}"),
            TokenKind::Sign(_) | TokenKind::Bad => own.chars().take(20).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_know_their_bytes() {
        let text = "{a=~\"x\"} |= `y` # z\n| d>5m --strict 1e-3 10KiB 5.5\u{b5}s 3";
        let lexed = lex(text);
        let shown: Vec<&str> = lexed.tokens.iter().map(|token| &text[token.span.start..token.span.end]).collect();
        assert_eq!(
            shown,
            [
                "{",
                "a",
                "=~",
                "\"x\"",
                "}",
                "|=",
                "`y`",
                "|",
                "d",
                ">",
                "5m",
                "--strict",
                "1e-3",
                "10KiB",
                "5.5\u{b5}s",
                "3",
                ""
            ]
        );
        assert_eq!(lexed.tokens[13].kind, TokenKind::Bytes);
        for (text, part) in [
            ("{a='x'}", "double quotes"),
            ("\"x", "not terminated"),
            ("[$__interval]", "Grafana"),
            ("5q", "bad number"),
            ("\u{e9}", "unexpected"),
        ] {
            let lexed = lex(text);
            assert!(lexed.fault.as_ref().is_some_and(|fault| fault.contains(part)), "{text}: {:?}", lexed.fault);
        }
    }
}
