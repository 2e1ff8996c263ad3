//! Text to tokens. One pass, no allocation per token: a token is a kind and a span.
//!
//! Where a character belongs depends on the brackets around it: in `[5m:1m]` the colon stands alone, elsewhere it is
//! part of a metric name; in braces every word is a label name. So the lexer knows which bracket is open.

use crate::promql::ast::{AggregateOp, BinaryOp, Span};
use crate::text::literal::{is_number, is_span};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    End,
    Comma,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Colon,
    Assign,
    MatchRegex,
    MatchNotRegex,
    At,
    Op(BinaryOp),
    Aggregate(AggregateOp),
    Word(Keyword),
    Identifier,
    /// A name with a colon in it: a metric, never a label.
    MetricIdentifier,
    Text,
    Number,
    Span,
    /// The text goes wrong here; [`Lexed::fault`] says how.
    Bad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Offset,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Bool,
    Start,
    End,
    /// `inf` or `nan`: a number.
    Inf,
    Nan,
}

const KEYWORDS: [(&str, Keyword); 12] = [
    ("offset", Keyword::Offset),
    ("by", Keyword::By),
    ("without", Keyword::Without),
    ("on", Keyword::On),
    ("ignoring", Keyword::Ignoring),
    ("group_left", Keyword::GroupLeft),
    ("group_right", Keyword::GroupRight),
    ("bool", Keyword::Bool),
    ("start", Keyword::Start),
    ("end", Keyword::End),
    ("inf", Keyword::Inf),
    ("nan", Keyword::Nan),
];

const WORD_OPS: [(&str, BinaryOp); 4] =
    [("and", BinaryOp::And), ("or", BinaryOp::Or), ("unless", BinaryOp::Unless), ("atan2", BinaryOp::Atan2)];

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

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    parens: Vec<usize>,
    brace: Option<usize>,
    bracket: Option<usize>,
}

type Lex = Result<TokenKind, String>;

pub(crate) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer { text, at: 0, parens: Vec::new(), brace: None, bracket: None };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        match lexer.token() {
            Ok(kind) => {
                tokens.push(Token { kind, span: Span { start, end: lexer.at } });
                if kind == TokenKind::End {
                    return Lexed { tokens, fault: None };
                }
            }
            Err(message) => {
                tokens.push(Token { kind: TokenKind::Bad, span: Span { start, end: text.len() } });
                return Lexed { tokens, fault: Some(message) };
            }
        }
    }
}

impl Lexer<'_> {
    fn rest(&self) -> &[u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.rest().get(ahead).copied().unwrap_or(0)
    }

    fn skip_blank(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b'#' => self.at += self.rest().iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
                _ => return,
            }
        }
    }

    /// Takes this many bytes as one token.
    fn take(&mut self, bytes: usize, kind: TokenKind) -> Lex {
        self.at += bytes;
        Ok(kind)
    }

    fn token(&mut self) -> Lex {
        let Some(first) = self.text[self.at..].chars().next() else { return self.end() };
        match first {
            ',' => self.take(1, TokenKind::Comma),
            '=' | '!' | '<' | '>' => self.comparison(first),
            '*' => self.take(1, TokenKind::Op(BinaryOp::Mul)),
            '/' => self.take(1, TokenKind::Op(BinaryOp::Div)),
            '%' => self.take(1, TokenKind::Op(BinaryOp::Mod)),
            '+' => self.take(1, TokenKind::Op(BinaryOp::Add)),
            '-' => self.take(1, TokenKind::Op(BinaryOp::Sub)),
            '^' => self.take(1, TokenKind::Op(BinaryOp::Pow)),
            '@' => self.take(1, TokenKind::At),
            '(' | ')' | '{' | '}' | '[' | ']' => self.bracket(first),
            '"' | '\'' | '`' => self.quoted(first),
            ':' if self.bracket.is_some() => self.take(1, TokenKind::Colon),
            '0'..='9' => self.number(),
            '.' if self.peek(1).is_ascii_digit() => self.number(),
            'a'..='z' | 'A'..='Z' | '_' => Ok(self.word()),
            ':' if self.brace.is_none() => Ok(self.word()),
            _ => {
                let place = if self.brace.is_some() { " inside braces" } else { "" };
                Err(format!("unexpected character{place}: {first:?}: put names with other characters in quotes"))
            }
        }
    }

    fn end(&self) -> Lex {
        let opened = |at: usize| crate::error::Place::of(self.text, at);
        if let Some(at) = self.brace {
            return Err(format!("unexpected end of input inside braces: close the brace opened at {}", opened(at)));
        }
        if let Some(at) = self.bracket {
            return Err(format!("unclosed left bracket: close the one opened at {}", opened(at)));
        }
        match self.parens.last() {
            Some(at) => Err(format!("unclosed left parenthesis: close the one opened at {}", opened(*at))),
            None => Ok(TokenKind::End),
        }
    }

    fn comparison(&mut self, first: char) -> Lex {
        let in_braces = self.brace.is_some();
        match (first, self.peek(1)) {
            ('=', b'~') if in_braces => self.take(2, TokenKind::MatchRegex),
            ('=', b'~') => Err("unexpected character after '=': '~': regular expressions stand in braces".into()),
            ('=', b'=') if !in_braces => self.take(2, TokenKind::Op(BinaryOp::Equal)),
            ('=', _) => self.take(1, TokenKind::Assign),
            ('!', b'=') => self.take(2, TokenKind::Op(BinaryOp::NotEqual)),
            ('!', b'~') if in_braces => self.take(2, TokenKind::MatchNotRegex),
            ('!', _) => Err("unexpected character after '!': write != or, in braces, !~".into()),
            ('<', b'=') => self.take(2, TokenKind::Op(BinaryOp::LessEqual)),
            ('<', _) => self.take(1, TokenKind::Op(BinaryOp::Less)),
            ('>', b'=') => self.take(2, TokenKind::Op(BinaryOp::GreaterEqual)),
            _ => self.take(1, TokenKind::Op(BinaryOp::Greater)),
        }
    }

    fn bracket(&mut self, which: char) -> Lex {
        if self.brace.is_some() && which != '}' {
            return Err(format!("unexpected character inside braces: {which:?}: put texts in quotes"));
        }
        match which {
            '(' => {
                self.parens.push(self.at);
                self.take(1, TokenKind::LeftParen)
            }
            ')' => {
                self.parens.pop().ok_or("unexpected right parenthesis ')': none is open")?;
                self.take(1, TokenKind::RightParen)
            }
            '{' => {
                self.brace = Some(self.at);
                self.take(1, TokenKind::LeftBrace)
            }
            '}' => {
                self.brace.take().ok_or("unexpected right brace '}': none is open")?;
                self.take(1, TokenKind::RightBrace)
            }
            '[' if self.bracket.is_some() => Err("unexpected left bracket '[': a window is open already".into()),
            '[' => {
                self.bracket = Some(self.at);
                self.take(1, TokenKind::LeftBracket)
            }
            _ => {
                self.bracket.take().ok_or("unexpected right bracket ']': none is open")?;
                self.take(1, TokenKind::RightBracket)
            }
        }
    }

    /// A text in quotes, quotes included. Escapes are read later; here only the end is sought.
    fn quoted(&mut self, quote: char) -> Lex {
        let bytes = self.rest();
        let mut length = 1;
        loop {
            match bytes.get(length) {
                None if quote == '`' => return Err("unterminated raw string: close it with `".into()),
                None => return Err(format!("unterminated quoted string: close it with {quote}")),
                Some(b'\n') if quote != '`' => {
                    return Err("unterminated quoted string: write a line break as \\n, or quote with `".into());
                }
                Some(b'\\') if quote != '`' => length += 2,
                Some(byte) if char::from(*byte) == quote => return self.take(length + 1, TokenKind::Text),
                Some(_) => length += 1,
            }
        }
    }

    fn number(&mut self) -> Lex {
        let bytes = self.rest();
        let hex = bytes.first() == Some(&b'0') && matches!(bytes.get(1), Some(b'x' | b'X'));
        let mut length = 0;
        while let Some(byte) = bytes.get(length) {
            let sign = matches!(byte, b'+' | b'-')
                && !hex
                && matches!(bytes.get(length.wrapping_sub(1)), Some(b'e' | b'E'))
                && bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || sign) {
                break;
            }
            length += 1;
        }
        let run = &self.text[self.at..self.at + length];
        if is_number(run) {
            self.take(length, TokenKind::Number)
        } else if is_span(run) {
            self.take(length, TokenKind::Span)
        } else {
            Err(format!("bad number or duration syntax: {run:?}: write 1.5, 1e3, 0x1f, 5m or 1h30m"))
        }
    }

    fn word(&mut self) -> TokenKind {
        let colon = self.bracket.is_none() && self.brace.is_none();
        let inside = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_' || (colon && **byte == b':');
        let length = self.rest().iter().take_while(inside).count();
        let word = &self.text[self.at..self.at + length];
        self.at += length;
        if self.brace.is_some() {
            return TokenKind::Identifier;
        }
        // Keywords are read in any case, as in Prometheus.
        let named = |name: &str| name.eq_ignore_ascii_case(word);
        if let Some((_, op)) = WORD_OPS.iter().find(|(name, _)| named(name)) {
            return TokenKind::Op(*op);
        }
        if let Some((_, op)) = AggregateOp::ALL.iter().find(|(name, _)| named(name)) {
            return TokenKind::Aggregate(*op);
        }
        if let Some((_, keyword)) = KEYWORDS.iter().find(|(name, _)| named(name)) {
            return TokenKind::Word(*keyword);
        }
        if word.contains(':') { TokenKind::MetricIdentifier } else { TokenKind::Identifier }
    }
}

impl Token {
    /// The token as Prometheus names it in `unexpected ...`.
    pub(crate) fn describe(self, text: &str) -> String {
        let own = &text[self.span.start..self.span.end];
        match self.kind {
            TokenKind::End => "end of input".into(),
            TokenKind::Op(_) => format!("<op:{own}>"),
            TokenKind::Aggregate(_) => format!("<aggr:{own}>"),
            TokenKind::Word(Keyword::Inf | Keyword::Nan) | TokenKind::Number => format!("number {own:?}"),
            TokenKind::Word(_) => format!("<{own}>"),
            TokenKind::Identifier => format!("identifier {own:?}"),
            TokenKind::MetricIdentifier => format!("metric identifier {own:?}"),
            TokenKind::Text => format!("string {own:?}"),
            TokenKind::Span => format!("duration {own:?}"),
            _ => format!("{own:?}"),
        }
    }
}
