//! Selectors: `name{label="value", other=~"pattern"}` and the forms with quoted names.

use muster_common::label::NAME;
use muster_common::matcher::{LabelRegex, Matcher, Test};

use crate::promql::ast::{BinaryOp, Expr, Kind, Selector, Shift};
use crate::promql::lexer::{Token, TokenKind};
use crate::promql::parser::{Fault, Parsed, Parser, starts_selector};

const CONTEXT: &str = " in label matching";

impl Parser<'_> {
    /// A text that is one selector and no more: `match[]`.
    pub(crate) fn only_selector(mut self) -> Parsed<Expr> {
        if !starts_selector(self.peek().kind) {
            return Err(self.unexpected("", "a selector such as up{job=\"node\"}"));
        }
        let expr = self.selector()?;
        match self.peek().kind {
            TokenKind::End => Ok(expr),
            _ => Err(self.unexpected("", "the end of the selector")),
        }
    }

    pub(crate) fn selector(&mut self) -> Parsed<Expr> {
        let first = self.peek();
        let name = (first.kind != TokenKind::LeftBrace).then(|| {
            self.take();
            self.own(first).to_owned()
        });
        let mut span = first.span;
        let mut matchers = Vec::new();
        if self.take_if(TokenKind::LeftBrace).is_some() {
            while self.peek().kind != TokenKind::RightBrace {
                matchers.push(self.matcher()?);
                if self.take_if(TokenKind::Comma).is_none() && self.peek().kind != TokenKind::RightBrace {
                    return Err(self.unexpected(CONTEXT, "\",\" or \"}\""));
                }
            }
            span = span.to(self.take().span);
        }
        let inside = matchers.iter().find(|matcher| matcher.name == NAME);
        if let (Some(outside), Some(inside)) = (&name, inside) {
            let message = format!("metric name must not be set twice: {outside:?} or {}", value(inside));
            return Err(Fault::new(span.start, message));
        }
        if let Some(name) = &name {
            matchers.push(Matcher::equal(NAME, name.as_str()));
        }
        if matchers.iter().all(Matcher::matches_absent) {
            let message = "vector selector must contain at least one non-empty matcher: name the metric";
            return Err(Fault::new(span.start, message));
        }
        let id = self.selectors;
        self.selectors += 1;
        Ok(Expr::new(Kind::Selector(Selector { id, name, matchers, shift: Shift::default() }), span))
    }

    fn matcher(&mut self) -> Parsed<Matcher> {
        let token = self.peek();
        let label = match token.kind {
            TokenKind::Identifier => self.own(token).to_owned(),
            TokenKind::Text => self.unquoted(token)?,
            _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
        };
        self.take();
        let operator = self.peek();
        match operator.kind {
            TokenKind::Comma | TokenKind::RightBrace if token.kind == TokenKind::Text => {
                return Ok(Matcher::equal(NAME, label));
            }
            TokenKind::Assign
            | TokenKind::MatchRegex
            | TokenKind::MatchNotRegex
            | TokenKind::Op(BinaryOp::NotEqual) => self.take(),
            _ => return Err(self.unexpected(CONTEXT, "label matching operator")),
        };
        let text = self.peek();
        if text.kind != TokenKind::Text {
            return Err(self.unexpected(CONTEXT, "string"));
        }
        self.take();
        let value = self.unquoted(text)?;
        let test = match operator.kind {
            TokenKind::Assign => Test::Equal(value),
            TokenKind::MatchRegex => Test::Regex(regex(&value, token)?),
            TokenKind::MatchNotRegex => Test::NotRegex(regex(&value, token)?),
            _ => Test::NotEqual(value),
        };
        Ok(Matcher { name: label, test })
    }
}

fn regex(pattern: &str, place: Token) -> Parsed<LabelRegex> {
    LabelRegex::new(pattern).map_err(|error| Fault::new(place.span.start, error.to_string()))
}

fn value(matcher: &Matcher) -> String {
    match &matcher.test {
        Test::Equal(value) | Test::NotEqual(value) => format!("{value:?}"),
        Test::Regex(regex) | Test::NotRegex(regex) => format!("{:?}", regex.pattern()),
    }
}
