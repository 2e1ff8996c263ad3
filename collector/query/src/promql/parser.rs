//! Tokens to a tree: a Pratt parser. Each level of brackets, signs and right-hand powers is one recursion, counted
//! against [`NESTING_MAX`]; operators in a row are a loop.

use crate::limits::{CHAIN_MAX, NESTING_MAX};
use crate::promql::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Expr, Grouping, Kind, Matching, Side, Span, Unary,
};
use crate::promql::functions::{find, nearest, refusal};
use crate::promql::lexer::{Keyword, Lexed, Token, TokenKind, lex};
pub(crate) use crate::text::fault::{Fault, Parsed};
use crate::text::literal::{number, span_ms, unquote};

pub(crate) struct Parser<'a> {
    pub(crate) text: &'a str,
    pub(crate) tokens: Vec<Token>,
    fault: Option<String>,
    pub(crate) next: usize,
    depth: usize,
    pub(crate) selectors: usize,
}

/// The level above which an operator binds tighter than a sign: only `^`.
const SIGN_LEVEL: u8 = 6;

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
        if self.peek().kind == TokenKind::End { Ok(*expr) } else { Err(self.misplaced()) }
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

    pub(crate) fn expect(&mut self, kind: TokenKind, context: &str, expected: &str) -> Parsed<Token> {
        self.take_if(kind).ok_or_else(|| self.unexpected(context, expected))
    }

    fn expression(&mut self, level_min: u8) -> Parsed<Box<Expr>> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(
                self.too_much(format!("expression is nested deeper than {NESTING_MAX} levels"), "recording rules")
            );
        }
        let lhs = self.operand()?;
        let expr = self.chained(lhs, level_min);
        self.depth -= 1;
        expr
    }

    /// The operators that follow an operand, each with its right side.
    fn chained(&mut self, mut lhs: Box<Expr>, level_min: u8) -> Parsed<Box<Expr>> {
        let mut chain = 0;
        while let TokenKind::Op(op) = self.peek().kind
            && op.level() >= level_min
        {
            chain += 1;
            if chain > CHAIN_MAX {
                let message = format!("more than {CHAIN_MAX} operators in a row");
                return Err(self.too_much(message, "regular expressions in selectors"));
            }
            let joint = self.joint(op)?;
            let rhs = self.expression(if op == BinaryOp::Pow { op.level() } else { op.level() + 1 })?;
            lhs = joined(joint, *lhs, *rhs);
        }
        Ok(lhs)
    }

    fn too_much(&self, what: String, instead: &str) -> Fault {
        Fault::new(self.peek().span.start, format!("{what}: use {instead}"))
    }

    /// One operand with its sign before and its windows and shifts after it.
    fn operand(&mut self) -> Parsed<Box<Expr>> {
        if let TokenKind::Op(BinaryOp::Add | BinaryOp::Sub) = self.peek().kind {
            return self.signed();
        }
        let expr = self.primary()?;
        self.shifted(expr)
    }

    fn signed(&mut self) -> Parsed<Box<Expr>> {
        let sign = self.take();
        let inner = self.expression(SIGN_LEVEL)?;
        let (minus, span) = (sign.kind == TokenKind::Op(BinaryOp::Sub), sign.span.to(inner.span));
        let kind = match inner.kind {
            Kind::Number(value) => Kind::Number(if minus { -value } else { value }),
            _ => Kind::Unary(Box::new(Unary { minus, inner: *inner })),
        };
        Ok(Box::new(Expr::new(kind, span)))
    }

    /// Each kind in a function of its own: this one is on the stack once for each level of nesting.
    fn primary(&mut self) -> Parsed<Box<Expr>> {
        match self.peek().kind {
            TokenKind::LeftParen => self.bracketed(),
            TokenKind::Number | TokenKind::Span | TokenKind::Text | TokenKind::Word(Keyword::Inf | Keyword::Nan) => {
                self.literal().map(Box::new)
            }
            _ => self.named(),
        }
    }

    fn bracketed(&mut self) -> Parsed<Box<Expr>> {
        let open = self.take().span;
        let inner = self.expression(0)?;
        let close = self.expect(TokenKind::RightParen, "", "an operator or \")\"")?;
        Ok(Box::new(Expr::new(Kind::Paren(inner), open.to(close.span))))
    }

    fn literal(&mut self) -> Parsed<Expr> {
        let token = self.take();
        let (own, at) = (self.own(token), token.span.start);
        let kind = match token.kind {
            TokenKind::Text => Kind::Text(self.unquoted(token)?),
            TokenKind::Word(Keyword::Inf) => Kind::Number(f64::INFINITY),
            TokenKind::Word(_) => Kind::Number(f64::NAN),
            TokenKind::Span => {
                let ms = span_ms(own).map_err(|message| Fault::new(at, message))?;
                #[expect(clippy::cast_precision_loss, reason = "a span is far below 2^53 ms")]
                Kind::Number(ms as f64 / 1000.0)
            }
            _ => {
                let value = number(own);
                Kind::Number(value.ok_or_else(|| Fault::new(at, format!("error parsing number {own:?}")))?)
            }
        };
        Ok(Expr::new(kind, token.span))
    }

    /// What starts with a name: an aggregation, a call, or a selector.
    fn named(&mut self) -> Parsed<Box<Expr>> {
        let token = self.peek();
        let opens = self.ahead(1).kind == TokenKind::LeftParen;
        let groups = opens || matches!(self.ahead(1).kind, TokenKind::Word(Keyword::By | Keyword::Without));
        match token.kind {
            TokenKind::Aggregate(op) if groups => self.aggregate(op),
            TokenKind::Identifier if groups && matches!(self.own(token), "limitk" | "limit_ratio") => {
                let what = format!("the aggregation {:?}", self.own(token));
                Err(Fault::refused(token.span.start, what, "use topk or bottomk"))
            }
            TokenKind::Identifier | TokenKind::Word(Keyword::Start | Keyword::End) if opens => self.call(),
            kind if starts_selector(kind) => self.selector().map(Box::new),
            _ => Err(self.unexpected("", "a metric, a function, a number or \"(\"")),
        }
    }

    pub(crate) fn unquoted(&self, token: Token) -> Parsed<String> {
        unquote(self.own(token)).map_err(|message| Fault::new(token.span.start, message))
    }

    fn aggregate(&mut self, op: AggregateOp) -> Parsed<Box<Expr>> {
        let start = self.take().span;
        let before = self.grouping()?;
        let (args, close) = self.arguments("aggregation")?;
        self.aggregated(op, start.to(close), before, args)
    }

    /// An aggregation from its parts; its labels may still follow.
    fn aggregated(
        &mut self,
        op: AggregateOp,
        mut span: Span,
        before: Option<Grouping>,
        mut args: Vec<Expr>,
    ) -> Parsed<Box<Expr>> {
        let after = if before.is_none() { self.grouping()? } else { None };
        if after.is_some() {
            span.end = self.tokens[self.next - 1].span.end;
        }
        let wanted = 1 + usize::from(op.param().is_some());
        if args.len() != wanted {
            return Err(wrong_count(op, span, wanted, args.len()));
        }
        let param = if wanted == 2 { Some(args.remove(0)) } else { None };
        let (inner, grouping) = (args.remove(0), before.or(after).unwrap_or_default());
        Ok(Box::new(Expr::new(Kind::Aggregate(Box::new(Aggregate { op, param, inner, grouping })), span)))
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

    fn call(&mut self) -> Parsed<Box<Expr>> {
        let token = self.take();
        let name = self.own(token);
        let function = find(name).ok_or_else(|| unknown(name, token.span.start))?;
        let (args, close) = self.arguments("call")?;
        Ok(Box::new(Expr::new(Kind::Call(Call { function, args }), token.span.to(close))))
    }

    /// `(expression, expression)`, and the place of its end.
    fn arguments(&mut self, context: &str) -> Parsed<(Vec<Expr>, Span)> {
        self.expect(TokenKind::LeftParen, &format!(" in {context}"), "\"(\"")?;
        let mut args = Vec::new();
        loop {
            if args.is_empty() && self.peek().kind == TokenKind::RightParen {
                break;
            }
            args.push(*self.expression(0)?);
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

    /// An operator, and what may stand between it and its right side.
    fn joint(&mut self, op: BinaryOp) -> Parsed<Joint> {
        let op_span = self.take().span;
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
        Ok(Joint { op, op_span, as_bool, matching })
    }
}

/// Whether a selector can start so: with a brace or a name, and some words of the language may be names.
pub(crate) fn starts_selector(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::LeftBrace
            | TokenKind::Identifier
            | TokenKind::MetricIdentifier
            | TokenKind::Aggregate(_)
            | TokenKind::Op(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless)
            | TokenKind::Word(Keyword::Offset | Keyword::By | Keyword::Without | Keyword::Start | Keyword::End)
    )
}

/// A binary operator before it has its sides.
struct Joint {
    op: BinaryOp,
    op_span: Span,
    as_bool: bool,
    matching: Matching,
}

fn joined(joint: Joint, lhs: Expr, rhs: Expr) -> Box<Expr> {
    let span = lhs.span.to(rhs.span);
    let Joint { op, op_span, as_bool, matching } = joint;
    let binary = Binary { op, op_span, lhs, rhs, as_bool, matching };
    Box::new(Expr::new(Kind::Binary(Box::new(binary)), span))
}

fn wrong_count(op: AggregateOp, span: Span, wanted: usize, got: usize) -> Fault {
    if got == 0 {
        let message = format!("no arguments for aggregate expression provided: write {}(...)", op.name());
        return Fault::new(span.start, message);
    }
    let message = format!("wrong number of arguments for aggregate expression provided, expected {wanted}, got {got}");
    Fault::new(span.start, message)
}

fn unknown(name: &str, at: usize) -> Fault {
    match refusal(name) {
        Some((what, remedy)) => Fault::refused(at, what, remedy),
        None => Fault::new(at, format!("unknown function with name {name:?}{}", nearest(name))),
    }
}
