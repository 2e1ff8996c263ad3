//! Tokens to a tree: a Pratt parser. Each level of brackets, signs and right-hand powers is one recursion, counted
//! against [`NESTING_MAX`]; operators in a row are a loop.

use crate::limits::{CHAIN_MAX, NESTING_MAX};
use crate::promql::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Expr, Grouping, Kind, Matching, RangeSelector, Side, Span,
    Subquery, Unary,
};
use crate::promql::functions::{find, refusal};
use crate::promql::lexer::{Keyword, Lexed, Token, TokenKind, lex};
use crate::promql::literal::{number, seconds_ms, span_ms, unquote};

/// What is wrong with the text, and at which byte.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) trouble: Trouble,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    Wrong(String),
    /// PromQL that is not answered here, by name, and what to do instead.
    Refused(String, &'static str),
}

pub(crate) type Parsed<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, trouble: Trouble::Wrong(message.into()) }
    }

    pub(crate) fn refused(at: usize, what: impl Into<String>, remedy: &'static str) -> Self {
        Self { at, trouble: Trouble::Refused(what.into(), remedy) }
    }
}

pub(crate) struct Parser<'a> {
    pub(crate) text: &'a str,
    tokens: Vec<Token>,
    fault: Option<String>,
    next: usize,
    depth: usize,
    pub(crate) selectors: usize,
}

/// The level above which an operator binds tighter than a sign: only `^`.
const SIGN_LEVEL: u8 = 6;

const DURATION_EXPRESSIONS: &str = "write the duration as a number and a unit, such as 5m";

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let Lexed { tokens, fault } = lex(text);
        Self { text, tokens, fault, next: 0, depth: 0, selectors: 0 }
    }

    /// The whole text as one expression, its types not yet checked.
    pub(crate) fn whole(mut self) -> Parsed<Expr> {
        if self.peek().kind == TokenKind::End {
            return Err(Fault::new(0, "no expression found in input: write one, such as up"));
        }
        let expr = self.expression(0)?;
        if self.peek().kind == TokenKind::End { Ok(expr) } else { Err(self.misplaced()) }
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

    pub(crate) fn take_if(&mut self, kind: TokenKind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.take())
    }

    /// The next token does not belong here.
    pub(crate) fn unexpected(&self, context: &str, expected: &str) -> Fault {
        let token = self.peek();
        match (&self.fault, token.kind) {
            (Some(message), TokenKind::Bad) => Fault::new(token.span.start, message.clone()),
            _ => {
                let message = format!("unexpected {}{context}, expected {expected}", token.describe(self.text));
                Fault::new(token.span.start, message)
            }
        }
    }

    fn misplaced(&self) -> Fault {
        self.unexpected("", "an operator or the end of the expression")
    }

    fn expect(&mut self, kind: TokenKind, context: &str, expected: &str) -> Parsed<Token> {
        self.take_if(kind).ok_or_else(|| self.unexpected(context, expected))
    }

    fn expression(&mut self, level_min: u8) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            let message =
                format!("expression is nested deeper than {NESTING_MAX} levels: split it into recording rules");
            return Err(Fault::new(self.peek().span.start, message));
        }
        let mut lhs = self.operand()?;
        let mut chain = 0;
        while let TokenKind::Op(op) = self.peek().kind {
            if op.level() < level_min {
                break;
            }
            chain += 1;
            if chain > CHAIN_MAX {
                let message =
                    format!("more than {CHAIN_MAX} operators in a row: select with a regular expression instead");
                return Err(Fault::new(self.peek().span.start, message));
            }
            let op_span = self.take().span;
            let (as_bool, matching) = self.modifiers()?;
            let rhs = self.expression(if op == BinaryOp::Pow { op.level() } else { op.level() + 1 })?;
            let span = lhs.span.to(rhs.span);
            lhs = Expr::new(Kind::Binary(Box::new(Binary { op, op_span, lhs, rhs, as_bool, matching })), span);
        }
        self.depth -= 1;
        Ok(lhs)
    }

    /// One operand with its sign before and its windows and shifts after it.
    fn operand(&mut self) -> Parsed<Expr> {
        let token = self.peek();
        if let TokenKind::Op(op @ (BinaryOp::Add | BinaryOp::Sub)) = token.kind {
            self.take();
            let inner = self.expression(SIGN_LEVEL)?;
            let (minus, span) = (op == BinaryOp::Sub, token.span.to(inner.span));
            return Ok(match inner.kind {
                Kind::Number(value) => Expr::new(Kind::Number(if minus { -value } else { value }), span),
                _ => Expr::new(Kind::Unary(Box::new(Unary { minus, inner })), span),
            });
        }
        let mut expr = self.primary()?;
        loop {
            let token = self.peek();
            expr = match token.kind {
                TokenKind::LeftBracket => self.window(expr)?,
                TokenKind::Word(Keyword::Offset) => self.offset(expr)?,
                TokenKind::At => self.at(expr)?,
                TokenKind::Identifier if matches!(self.own(token), "anchored" | "smoothed") => {
                    let what = format!("the modifier {:?}", self.own(token));
                    return Err(Fault::refused(token.span.start, what, "leave it out"));
                }
                _ => return Ok(expr),
            };
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let token = self.peek();
        let value = |value: f64| Ok(Expr::new(Kind::Number(value), token.span));
        match token.kind {
            TokenKind::Number => {
                self.take();
                let fault = || Fault::new(token.span.start, format!("error parsing number {:?}", self.own(token)));
                value(number(self.own(token)).ok_or_else(fault)?)
            }
            TokenKind::Word(Keyword::Inf) => {
                self.take();
                value(f64::INFINITY)
            }
            TokenKind::Word(Keyword::Nan) => {
                self.take();
                value(f64::NAN)
            }
            TokenKind::Span => {
                self.take();
                let ms = span_ms(self.own(token)).map_err(|message| Fault::new(token.span.start, message))?;
                #[expect(clippy::cast_precision_loss, reason = "a span is far below 2^53 ms")]
                value(ms as f64 / 1000.0)
            }
            TokenKind::Text => {
                self.take();
                Ok(Expr::new(Kind::Text(self.unquoted(token)?), token.span))
            }
            TokenKind::LeftParen => {
                self.take();
                let inner = self.expression(0)?;
                let close = self.expect(TokenKind::RightParen, "", "an operator or \")\"")?;
                Ok(Expr::new(Kind::Paren(Box::new(inner)), token.span.to(close.span)))
            }
            _ => self.named(token),
        }
    }

    /// What starts with a name: an aggregation, a call, or a selector.
    fn named(&mut self, token: Token) -> Parsed<Expr> {
        let opens = self.ahead(1).kind == TokenKind::LeftParen;
        let groups = opens || matches!(self.ahead(1).kind, TokenKind::Word(Keyword::By | Keyword::Without));
        match token.kind {
            TokenKind::Aggregate(op) if groups => self.aggregate(op),
            TokenKind::Identifier if groups && matches!(self.own(token), "limitk" | "limit_ratio") => {
                let what = format!("the aggregation {:?}", self.own(token));
                Err(Fault::refused(token.span.start, what, "use topk or bottomk"))
            }
            TokenKind::Identifier | TokenKind::Word(Keyword::Start | Keyword::End) if opens => self.call(),
            TokenKind::LeftBrace
            | TokenKind::Identifier
            | TokenKind::MetricIdentifier
            | TokenKind::Aggregate(_)
            | TokenKind::Op(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
            | TokenKind::Word(Keyword::Offset | Keyword::By | Keyword::Without | Keyword::Start | Keyword::End) => {
                self.selector()
            }
            _ => Err(self.unexpected("", "a metric, a function, a number or \"(\"")),
        }
    }

    pub(crate) fn unquoted(&self, token: Token) -> Parsed<String> {
        unquote(self.own(token)).map_err(|message| Fault::new(token.span.start, message))
    }

    fn aggregate(&mut self, op: AggregateOp) -> Parsed<Expr> {
        let start = self.take().span;
        let before = self.grouping()?;
        let (mut args, close) = self.arguments("aggregation")?;
        let mut span = start.to(close);
        let grouping = match before {
            Some(grouping) => grouping,
            None => match self.grouping()? {
                Some(grouping) => {
                    span.end = self.tokens[self.next - 1].span.end;
                    grouping
                }
                None => Grouping::default(),
            },
        };
        let wanted = 1 + usize::from(op.param().is_some());
        if args.is_empty() {
            let message = format!("no arguments for aggregate expression provided: write {}(...)", op.name());
            return Err(Fault::new(span.start, message));
        }
        if args.len() != wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
                args.len()
            );
            return Err(Fault::new(span.start, message));
        }
        let param = if wanted == 2 { Some(args.remove(0)) } else { None };
        let inner = args.remove(0);
        Ok(Expr::new(Kind::Aggregate(Box::new(Aggregate { op, param, inner, grouping })), span))
    }

    fn grouping(&mut self) -> Parsed<Option<Grouping>> {
        let without = match self.peek().kind {
            TokenKind::Word(Keyword::By) => false,
            TokenKind::Word(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.take();
        let mut labels = self.labels()?;
        labels.sort_unstable();
        labels.dedup();
        Ok(Some(Grouping { without, labels }))
    }

    /// `(label, label)`.
    fn labels(&mut self) -> Parsed<Vec<String>> {
        let context = " in grouping opts";
        self.expect(TokenKind::LeftParen, context, "\"(\"")?;
        let mut labels = Vec::new();
        while self.take_if(TokenKind::RightParen).is_none() {
            let token = self.peek();
            match token.kind {
                TokenKind::Identifier
                | TokenKind::Aggregate(_)
                | TokenKind::Op(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::Atan2) => {
                    labels.push(self.own(token).to_owned());
                }
                TokenKind::Word(keyword) if !matches!(keyword, Keyword::Inf | Keyword::Nan) => {
                    labels.push(self.own(token).to_owned());
                }
                TokenKind::Text => labels.push(self.unquoted(token)?),
                _ => return Err(self.unexpected(context, "label")),
            }
            self.take();
            if self.take_if(TokenKind::Comma).is_none() && self.peek().kind != TokenKind::RightParen {
                return Err(self.unexpected(context, "\",\" or \")\""));
            }
        }
        Ok(labels)
    }

    fn call(&mut self) -> Parsed<Expr> {
        let token = self.take();
        let name = self.own(token);
        let function = match (find(name), refusal(name)) {
            (Some(function), _) => function,
            (None, Some((what, remedy))) => return Err(Fault::refused(token.span.start, what, remedy)),
            (None, None) => {
                let message = format!("unknown function with name {name:?}{}", crate::promql::functions::nearest(name));
                return Err(Fault::new(token.span.start, message));
            }
        };
        let (args, close) = self.arguments("call")?;
        Ok(Expr::new(Kind::Call(Call { function, args }), token.span.to(close)))
    }

    /// `(expression, expression)`, and the place of its end.
    fn arguments(&mut self, context: &str) -> Parsed<(Vec<Expr>, Span)> {
        self.expect(TokenKind::LeftParen, &format!(" in {context}"), "\"(\"")?;
        let mut args = Vec::new();
        loop {
            if args.is_empty() && self.peek().kind == TokenKind::RightParen {
                break;
            }
            args.push(self.expression(0)?);
            let Some(comma) = self.take_if(TokenKind::Comma) else { break };
            if self.peek().kind == TokenKind::RightParen {
                return Err(Fault::new(
                    comma.span.start,
                    "trailing commas not allowed in function call args: remove it",
                ));
            }
        }
        let close = self.expect(TokenKind::RightParen, "", "an operator, \",\" or \")\"")?;
        Ok((args, close.span))
    }

    /// What may stand between an operator and its right side.
    fn modifiers(&mut self) -> Parsed<(bool, Matching)> {
        let as_bool = self.take_if(TokenKind::Word(Keyword::Bool)).is_some();
        let mut matching = Matching::default();
        let named = match self.peek().kind {
            TokenKind::Word(Keyword::On) => Some(true),
            TokenKind::Word(Keyword::Ignoring) => Some(false),
            _ => None,
        };
        if let Some(on) = named {
            self.take();
            matching.on = on;
            matching.labels = self.labels()?;
            matching.labels.sort_unstable();
            matching.labels.dedup();
            matching.side = match self.peek().kind {
                TokenKind::Word(Keyword::GroupLeft) => Side::ManyLeft,
                TokenKind::Word(Keyword::GroupRight) => Side::ManyRight,
                _ => Side::OneToOne,
            };
            if matching.side != Side::OneToOne {
                self.take();
                if self.peek().kind == TokenKind::LeftParen {
                    matching.include = self.labels()?;
                }
            }
        }
        let token = self.peek();
        if matches!(self.own(token), "fill" | "fill_left" | "fill_right") && self.ahead(1).kind == TokenKind::LeftParen
        {
            let what = format!("the modifier {:?}", self.own(token));
            return Err(Fault::refused(token.span.start, what, "give the side a default with: or on (...)"));
        }
        Ok((as_bool, matching))
    }

    /// `[5m]` or `[1h:1m]` after an expression.
    fn window(&mut self, expr: Expr) -> Parsed<Expr> {
        let open = self.take().span;
        let range_ms = self.duration(" in subquery or range selector", "duration")?;
        if self.take_if(TokenKind::Colon).is_some() {
            let step_ms = match self.peek().kind {
                TokenKind::RightBracket => None,
                _ => Some(self.duration(" in subquery selector", "duration or \"]\"")?),
            };
            let close = self.expect(TokenKind::RightBracket, " in subquery selector", "\"]\"")?;
            let span = expr.span.to(close.span);
            let subquery = Subquery { inner: expr, range_ms, step_ms, shift: crate::promql::ast::Shift::default() };
            return Ok(Expr::new(Kind::Subquery(Box::new(subquery)), span));
        }
        let close = self.expect(TokenKind::RightBracket, " in subquery or range selector", "\":\" or \"]\"")?;
        let span = expr.span.to(close.span);
        let message = match expr.kind {
            Kind::Selector(selector) if selector.shift.offset_ms != 0 => {
                drop(selector);
                "no offset modifiers allowed before range: write the offset after the brackets"
            }
            Kind::Selector(selector) if selector.shift.at.is_some() => {
                drop(selector);
                "no @ modifiers allowed before range: write @ after the brackets"
            }
            Kind::Selector(selector) => {
                return Ok(Expr::new(Kind::Range(RangeSelector { selector, range_ms }), span));
            }
            _ => "ranges only allowed for vector selectors: write a subquery with a colon, such as [5m:1m]",
        };
        Err(Fault::new(open.start, message))
    }

    /// A span above zero in brackets, as `5m` or as seconds.
    fn duration(&mut self, context: &str, expected: &str) -> Parsed<i64> {
        let at = self.peek().span.start;
        let ms = self.signless_duration(context, expected)?;
        if let Token { kind: TokenKind::Op(_), span } = self.peek() {
            return Err(Fault::refused(span.start, "arithmetic in durations", DURATION_EXPRESSIONS));
        }
        if ms > 0 { Ok(ms) } else { Err(Fault::new(at, "duration must be greater than 0: such as 5m")) }
    }

    fn signless_duration(&mut self, context: &str, expected: &str) -> Parsed<i64> {
        let token = self.peek();
        let at = token.span.start;
        let ms = match token.kind {
            TokenKind::Span => span_ms(self.own(token)).map_err(|message| Fault::new(at, message))?,
            TokenKind::Number => number(self.own(token))
                .and_then(seconds_ms)
                .ok_or_else(|| Fault::new(at, "duration out of range: at most 292 years"))?,
            TokenKind::LeftParen | TokenKind::Op(_) | TokenKind::Identifier | TokenKind::Aggregate(_) => {
                return Err(Fault::refused(at, "arithmetic in durations", DURATION_EXPRESSIONS));
            }
            _ => return Err(self.unexpected(context, expected)),
        };
        self.take();
        Ok(ms)
    }

    fn offset(&mut self, mut expr: Expr) -> Parsed<Expr> {
        self.take();
        let minus = match self.peek().kind {
            TokenKind::Op(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.take();
                op == BinaryOp::Sub
            }
            _ => false,
        };
        let ms = self.signless_duration(" in offset", "number or duration")?;
        let start = expr.span.start;
        let shift = expr.shift_mut().ok_or_else(|| {
            Fault::new(
                start,
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            )
        })?;
        if shift.offset_ms != 0 {
            return Err(Fault::new(start, "offset may not be set multiple times"));
        }
        shift.offset_ms = if minus { -ms } else { ms };
        Ok(self.ended_here(expr))
    }

    fn at(&mut self, mut expr: Expr) -> Parsed<Expr> {
        self.take();
        let token = self.peek();
        let start = expr.span.start;
        let at = match token.kind {
            TokenKind::Word(word @ (Keyword::Start | Keyword::End)) => {
                self.take();
                self.expect(TokenKind::LeftParen, " in @", "\"(\"")?;
                self.expect(TokenKind::RightParen, " in @", "\")\"")?;
                if word == Keyword::Start { At::Start } else { At::End }
            }
            _ => At::Millis(self.moment(start)?),
        };
        let shift = expr.shift_mut().ok_or_else(|| {
            Fault::new(
                start,
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            )
        })?;
        if shift.at.is_some() {
            return Err(Fault::new(start, "@ <timestamp> may not be set multiple times"));
        }
        shift.at = Some(at);
        Ok(self.ended_here(expr))
    }

    /// Seconds since 1970 after `@`, as milliseconds.
    fn moment(&mut self, start: usize) -> Parsed<i64> {
        let minus = match self.peek().kind {
            TokenKind::Op(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.take();
                op == BinaryOp::Sub
            }
            _ => false,
        };
        let token = self.peek();
        let seconds = match token.kind {
            TokenKind::Number => number(self.own(token)),
            TokenKind::Span =>
            {
                #[expect(clippy::cast_precision_loss, reason = "a span is far below 2^53 ms")]
                span_ms(self.own(token)).ok().map(|ms| ms as f64 / 1000.0)
            }
            TokenKind::Word(Keyword::Inf) => Some(f64::INFINITY),
            TokenKind::Word(Keyword::Nan) => Some(f64::NAN),
            _ => None,
        };
        let seconds = seconds.ok_or_else(|| self.unexpected(" in @", "timestamp"))?;
        let seconds = if minus { -seconds } else { seconds };
        self.take();
        let out = || Fault::new(start, format!("timestamp out of bounds for @ modifier: {seconds}"));
        seconds_ms(seconds).ok_or_else(out)
    }

    /// The same node, now reaching to the last token taken, and constant over steps if it was given a time.
    fn ended_here(&self, expr: Expr) -> Expr {
        let end = self.tokens[self.next - 1].span.end;
        Expr::new(expr.kind, Span { start: expr.span.start, end })
    }
}
