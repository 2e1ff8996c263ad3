//! Tokens to a tree: a Pratt parser. Each level of brackets is one recursion, counted against [`NESTING_MAX`];
//! operators in a row are a loop. Stages read themselves, with the helpers here.

use crate::limits::{CHAIN_MAX, NESTING_MAX};
use crate::logql::ast::{Aggregate, Binary, Kind, LogExpr, Replace, VectorOp};
use crate::logql::eval::range_ops;
use crate::logql::lexer::{Lexed, Token, TokenKind, lex};
use crate::text::fault::{Fault, Parsed, Span};
use crate::text::literal::{number, unquote};
use crate::vector::ops::{BinaryOp, Grouping, Matching, Side};
use crate::vector::relabel::Replacement;

pub(crate) struct Parser<'a> {
    pub(crate) text: &'a str,
    tokens: Vec<Token>,
    fault: Option<String>,
    next: usize,
    depth: usize,
}

const OPERATORS: [(&str, BinaryOp); 15] = [
    ("+", BinaryOp::Add),
    ("-", BinaryOp::Sub),
    ("*", BinaryOp::Mul),
    ("/", BinaryOp::Div),
    ("%", BinaryOp::Mod),
    ("^", BinaryOp::Pow),
    ("==", BinaryOp::Equal),
    ("!=", BinaryOp::NotEqual),
    ("<", BinaryOp::Less),
    ("<=", BinaryOp::LessEqual),
    (">", BinaryOp::Greater),
    (">=", BinaryOp::GreaterEqual),
    ("and", BinaryOp::And),
    ("or", BinaryOp::Or),
    ("unless", BinaryOp::Unless),
];

/// What LogQL has and is not answered here, by name, and what to do instead.
const REFUSED: [(&str, &str); 4] = [
    ("approx_topk", "use topk"),
    ("variants", "ask once for each variant"),
    ("count_values", "LogQL has no such aggregation: use count by (label)"),
    ("quantile", "LogQL has no such aggregation: use quantile_over_time"),
];

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let Lexed { tokens, fault } = lex(text);
        Self { text, tokens, fault, next: 0, depth: 0 }
    }

    /// The whole text as one expression.
    pub(crate) fn whole(mut self) -> Parsed<LogExpr> {
        let expr = self.expression(0)?;
        self.end("an operator or the end of the query")?;
        Ok(*expr)
    }

    pub(crate) fn end(&self, expected: &str) -> Parsed<()> {
        if self.peek().kind == TokenKind::End { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    pub(crate) fn peek(&self) -> Token {
        self.ahead(0)
    }

    /// The token this many further on; past the end it is the last one.
    pub(crate) fn ahead(&self, tokens: usize) -> Token {
        self.tokens[(self.next + tokens).min(self.tokens.len() - 1)]
    }

    pub(crate) fn take(&mut self) -> Token {
        let token = self.peek();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    pub(crate) fn own(&self, token: Token) -> &'a str {
        &self.text[token.span.start..token.span.end]
    }

    pub(crate) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Sign(own) if own == sign)
    }

    pub(crate) fn take_sign(&mut self, sign: &str) -> Option<Token> {
        self.is_sign(sign).then(|| self.take())
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == TokenKind::Word && self.own(token) == word
    }

    pub(crate) fn take_word(&mut self, word: &str) -> Option<Token> {
        self.is_word(word).then(|| self.take())
    }

    pub(crate) fn expect_sign(&mut self, sign: &str) -> Parsed<Token> {
        self.take_sign(sign).ok_or_else(|| self.unexpected(&format!("{sign:?}")))
    }

    /// The next token does not belong here.
    pub(crate) fn unexpected(&self, expected: &str) -> Fault {
        let token = self.peek();
        match (&self.fault, token.kind) {
            (Some(message), TokenKind::Bad) => Fault::new(token.span.start, message.clone()),
            _ => {
                let message = format!("syntax error: unexpected {}, expecting {expected}", token.describe(self.text));
                Fault::new(token.span.start, message)
            }
        }
    }

    /// The next token as a name, such as a label's.
    pub(crate) fn name(&mut self, expected: &str) -> Parsed<String> {
        let token = self.peek();
        if token.kind != TokenKind::Word {
            return Err(self.unexpected(expected));
        }
        self.take();
        Ok(self.own(token).to_owned())
    }

    /// The next token as a text in quotes, and its place.
    pub(crate) fn quoted(&mut self, expected: &str) -> Parsed<(String, Span)> {
        let token = self.peek();
        if token.kind != TokenKind::Text {
            return Err(self.unexpected(expected));
        }
        self.take();
        let text = unquote(self.own(token)).map_err(|message| Fault::new(token.span.start, message))?;
        Ok((text, token.span))
    }

    /// The next token as a number, with its sign.
    pub(crate) fn signed_number(&mut self) -> Parsed<f64> {
        let minus = self.is_sign("-");
        if minus || self.is_sign("+") {
            self.take();
        }
        let token = self.peek();
        if token.kind != TokenKind::Number {
            return Err(self.unexpected("NUMBER"));
        }
        self.take();
        let value = number(self.own(token)).unwrap_or(f64::NAN);
        Ok(if minus { -value } else { value })
    }

    /// One level deeper, for as long as `read` runs.
    pub(crate) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            let message = format!("query is nested deeper than {NESTING_MAX} levels: ask in several queries");
            return Err(Fault::new(self.peek().span.start, message));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self, level_min: u8) -> Parsed<Box<LogExpr>> {
        self.nested(|parser| {
            let lhs = parser.primary()?;
            parser.chained(lhs, level_min)
        })
    }

    /// The operator that comes next, if one does.
    fn operator(&self) -> Option<BinaryOp> {
        let token = self.peek();
        let known = matches!(token.kind, TokenKind::Sign(_) | TokenKind::Word);
        let own = self.own(token);
        OPERATORS.iter().find(|(text, _)| known && *text == own).map(|(_, op)| *op)
    }

    /// The operators that follow an operand, each with its right side.
    fn chained(&mut self, mut lhs: Box<LogExpr>, level_min: u8) -> Parsed<Box<LogExpr>> {
        let mut chain = 0;
        while let Some(op) = self.operator().filter(|op| op.level() >= level_min) {
            chain += 1;
            if chain > CHAIN_MAX {
                let message = format!("more than {CHAIN_MAX} operators in a row: use regular expressions in selectors");
                return Err(Fault::new(self.peek().span.start, message));
            }
            let op_span = self.take().span;
            let as_bool = self.take_word("bool").is_some();
            let matching = self.matching()?;
            let rhs = self.expression(if op == BinaryOp::Pow { op.level() } else { op.level() + 1 })?;
            let span = lhs.span.to(rhs.span);
            let binary = Binary { op, op_span, lhs: *lhs, rhs: *rhs, as_bool, matching };
            check_binary(&binary)?;
            lhs = Box::new(LogExpr { kind: Kind::Binary(Box::new(binary)), span });
        }
        Ok(lhs)
    }

    fn matching(&mut self) -> Parsed<Matching> {
        let mut matching = Matching::default();
        let on = self.is_word("on");
        if !on && !self.is_word("ignoring") {
            return Ok(matching);
        }
        self.take();
        matching.on = on;
        matching.labels = self.labels()?;
        for (word, side) in [("group_left", Side::ManyLeft), ("group_right", Side::ManyRight)] {
            if self.take_word(word).is_some() {
                matching.side = side;
                // `group_left (a) (b)`: what stands in brackets first are labels.
                if self.is_sign("(") && self.holds_labels() {
                    matching.include = self.labels()?;
                }
                break;
            }
        }
        Ok(matching)
    }

    /// Whether the bracket that opens here holds label names rather than an expression.
    fn holds_labels(&self) -> bool {
        let closes = |token: Token| matches!(token.kind, TokenKind::Sign(")" | ","));
        closes(self.ahead(1)) || (self.ahead(1).kind == TokenKind::Word && closes(self.ahead(2)))
    }

    /// `(label, label)`, sorted and each once.
    fn labels(&mut self) -> Parsed<Vec<String>> {
        self.expect_sign("(")?;
        let mut labels = Vec::new();
        while self.take_sign(")").is_none() {
            labels.push(self.name("a label name or \")\"")?);
            if self.take_sign(",").is_none() && !self.is_sign(")") {
                return Err(self.unexpected("\",\" or \")\""));
            }
        }
        labels.sort_unstable();
        labels.dedup();
        Ok(labels)
    }

    pub(crate) fn grouping(&mut self) -> Parsed<Option<Grouping>> {
        let without = self.is_word("without");
        if !without && !self.is_word("by") {
            return Ok(None);
        }
        self.take();
        Ok(Some(Grouping { without, labels: self.labels()? }))
    }

    fn primary(&mut self) -> Parsed<Box<LogExpr>> {
        let token = self.peek();
        match token.kind {
            TokenKind::Sign("(") => {
                let open = self.take().span;
                let inner = self.expression(0)?;
                let close = self.expect_sign(")")?;
                Ok(Box::new(LogExpr { kind: Kind::Paren(inner), span: open.to(close.span) }))
            }
            TokenKind::Sign("{") => {
                let log = self.selector()?;
                Ok(self.finished(token, Kind::Lines(log)))
            }
            TokenKind::Number | TokenKind::Sign("+" | "-") => {
                let value = self.signed_number()?;
                Ok(self.finished(token, Kind::Number(value)))
            }
            TokenKind::Word => self.named(token),
            _ => Err(self.unexpected("a stream selector such as {app=\"web\"}, a function or a number")),
        }
    }

    /// A node from this token up to the last one taken.
    fn finished(&self, first: Token, kind: Kind) -> Box<LogExpr> {
        let end = self.tokens[self.next.saturating_sub(1)].span.end;
        Box::new(LogExpr { kind, span: Span { start: first.span.start, end } })
    }

    fn named(&mut self, token: Token) -> Parsed<Box<LogExpr>> {
        let (name, at) = (self.own(token), token.span.start);
        if let Some((_, remedy)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            return Err(Fault::refused(at, format!("{name:?}"), remedy));
        }
        if let Some(op) = VectorOp::find(name) {
            return self.aggregate(token, op);
        }
        if let Some(op) = range_ops::find(name) {
            self.take();
            let range = self.range_aggregation(op, token.span)?;
            return Ok(self.finished(token, Kind::Range(Box::new(range))));
        }
        match name {
            "vector" => {
                self.take();
                self.expect_sign("(")?;
                let value = self.signed_number()?;
                self.expect_sign(")")?;
                Ok(self.finished(token, Kind::Vector(value)))
            }
            "label_replace" => self.label_replace(token),
            _ => {
                let known = range_ops::RANGE_OPS.iter().map(|op| op.name);
                let near = crate::logql::nearest(name, known.chain(["sum", "topk", "sort", "label_replace", "vector"]));
                let hint = near.map_or_else(
                    || "a query starts with a selector such as {app=\"web\"} or a function".to_owned(),
                    |near| format!("did you mean {near}?"),
                );
                Err(Fault::new(at, format!("syntax error: unexpected IDENTIFIER {name:?}: {hint}")))
            }
        }
    }

    fn aggregate(&mut self, token: Token, op: VectorOp) -> Parsed<Box<LogExpr>> {
        self.take();
        let before = self.grouping()?;
        self.expect_sign("(")?;
        let name = op.name();
        let param = if self.peek().kind == TokenKind::Number && matches!(self.ahead(1).kind, TokenKind::Sign(",")) {
            let place = self.peek();
            let value = self.signed_number()?;
            self.take();
            Some((value, place))
        } else {
            None
        };
        let count = match (param, op.counts()) {
            (None, false) => None,
            (None, true) => {
                let message = format!("parameter required for operation {name}: write {name}(10, ...)");
                return Err(Fault::new(self.peek().span.start, message));
            }
            (Some((_, place)), false) => {
                let message = format!("unsupported parameter for operation {name}({},: leave it out", self.own(place));
                return Err(Fault::new(place.span.start, message));
            }
            (Some((value, place)), true) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
                let count = (value.fract() == 0.0 && (1.0..=4_294_967_295.0).contains(&value)).then_some(value as u32);
                let message =
                    || format!("invalid parameter (must be a whole number above 0) {name}({},", self.own(place));
                Some(count.ok_or_else(|| Fault::new(place.span.start, message()))?)
            }
        };
        let inner = *self.expression(0)?;
        metric(&inner, "an aggregation")?;
        self.expect_sign(")")?;
        let after = if before.is_none() { self.grouping()? } else { None };
        let grouping = before.or(after);
        if grouping.is_some() && matches!(op, VectorOp::Sort { .. }) {
            return Err(Fault::new(
                token.span.start,
                format!("grouping not allowed for {name} aggregation: remove it"),
            ));
        }
        if inner.is_number() {
            let message = format!("{name} needs a vector: write vector(...) around the number");
            return Err(Fault::new(inner.span.start, message));
        }
        Ok(self.finished(token, Kind::Aggregate(Box::new(Aggregate { op, count, inner, grouping }))))
    }

    fn label_replace(&mut self, token: Token) -> Parsed<Box<LogExpr>> {
        self.take();
        self.expect_sign("(")?;
        let inner = *self.expression(0)?;
        metric(&inner, "label_replace")?;
        let mut texts = [const { String::new() }; 4];
        let mut place = token.span;
        for text in &mut texts {
            self.expect_sign(",")?;
            (*text, place) = self.quoted("STRING")?;
        }
        self.expect_sign(")")?;
        let [to, replacement, from, pattern] = &texts;
        if inner.is_number() {
            return Err(Fault::new(
                inner.span.start,
                "label_replace needs a vector: write vector(...) around the number",
            ));
        }
        if let Err(error) = Replacement::new(to, replacement, from, pattern) {
            return Err(Fault::new(place.start, error.to_string()));
        }
        Ok(self.finished(token, Kind::Replace(Box::new(Replace { inner, texts }))))
    }
}

fn metric(expr: &LogExpr, context: &str) -> Parsed<()> {
    if expr.is_metric() {
        return Ok(());
    }
    let message =
        format!("{context} needs numbers, but these are lines: count them, as in count_over_time({{...}}[5m])");
    Err(Fault::new(expr.span.start, message))
}

fn check_binary(binary: &Binary) -> Parsed<()> {
    metric(&binary.lhs, "an operator")?;
    metric(&binary.rhs, "an operator")?;
    let (op, at) = (binary.op, binary.op_span.start);
    let numbers = [(&binary.lhs, "left"), (&binary.rhs, "right")].map(|(side, name)| (side.is_number(), side, name));
    if let Some((_, side, name)) = numbers.iter().find(|(number, ..)| *number && op.is_set()) {
        let message =
            format!("unexpected literal for {name} side of logical/set binary operation ({}): use vector()", op.text());
        return Err(Fault::new(side.span.start, message));
    }
    if binary.as_bool && !op.is_comparison() {
        return Err(Fault::new(at, "bool modifier can only be used on comparison operators"));
    }
    if op.is_set() && binary.matching.side != Side::OneToOne {
        return Err(Fault::new(at, format!("no grouping allowed for {:?} operation", op.text())));
    }
    if numbers.iter().any(|(number, ..)| *number) && (binary.matching.on || !binary.matching.labels.is_empty()) {
        return Err(Fault::new(at, "vector matching only allowed between vectors"));
    }
    if let Some(label) =
        binary.matching.labels.iter().find(|one| binary.matching.on && binary.matching.include.contains(one))
    {
        return Err(Fault::new(at, format!("label {label:?} must not occur in ON and GROUP clause at once")));
    }
    Ok(())
}
