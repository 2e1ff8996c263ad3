//! What follows an operand: windows, subqueries, `offset` and `@`.

use crate::promql::ast::{At, BinaryOp, Expr, Kind, RangeSelector, Shift, Span, Subquery};
use crate::promql::lexer::{Keyword, Token, TokenKind};
use crate::promql::parser::{Fault, Parsed, Parser};
use crate::text::literal::{number, seconds_ms, span_ms};

const DURATION_EXPRESSIONS: &str = "write the duration as a number and a unit, such as 5m";

impl Parser<'_> {
    /// The operand with all that follows it.
    pub(crate) fn shifted(&mut self, mut expr: Box<Expr>) -> Parsed<Box<Expr>> {
        loop {
            let token = self.peek();
            *expr = match token.kind {
                TokenKind::LeftBracket => self.window(*expr)?,
                TokenKind::Word(Keyword::Offset) => self.offset(*expr)?,
                TokenKind::At => self.at(*expr)?,
                TokenKind::Identifier if matches!(self.own(token), "anchored" | "smoothed") => {
                    let what = format!("the modifier {:?}", self.own(token));
                    return Err(Fault::refused(token.span.start, what, "leave it out"));
                }
                _ => return Ok(expr),
            };
        }
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
            let subquery = Subquery { inner: expr, range_ms, step_ms, shift: Shift::default() };
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
