//! Stream selectors, the pipelines behind them, and their windows.

use std::sync::Arc;

use muster_common::matcher::{LabelRegex, Matcher, Test};

use crate::logql::ast::{LogSelector, RangeAggregation};
use crate::logql::eval::range_ops::RangeOp;
use crate::logql::lexer::TokenKind;
use crate::logql::parser::Parser;
use crate::logql::stages::unwrap::Unwrap;
use crate::logql::stages::{self, Stage};
use crate::text::fault::{Fault, Parsed, Span};
use crate::text::literal::span_ms;

/// Stages of one pipeline. Each line runs through all of them.
const STAGES_MAX: usize = 256;

/// A selector with what may stand around it inside of a range aggregation.
#[derive(Default)]
struct Windowed {
    log: LogSelector,
    range_ns: Option<i64>,
    offset_ns: i64,
    unwrap: Option<Unwrap>,
}

impl Parser<'_> {
    /// A text that is one stream selector and no more.
    pub(crate) fn only_selector(mut self) -> Parsed<Vec<Matcher>> {
        let matchers = self.matchers()?;
        self.end("the end of the selector")?;
        Ok(matchers)
    }

    /// A selector and its pipeline.
    pub(crate) fn selector(&mut self) -> Parsed<LogSelector> {
        let matchers = self.matchers()?;
        let mut stages = Vec::new();
        while let Some(stage) = self.stage(stages.len())? {
            stages.push(stage);
        }
        if self.is_sign("[") {
            return Err(Fault::new(
                self.peek().span.start,
                "syntax error: unexpected RANGE: a window belongs into a function, such as count_over_time({...}[5m])",
            ));
        }
        if self.starts_unwrap() {
            return Err(Fault::new(
                self.peek().span.start,
                "unwrap belongs into a function with a window, such as sum_over_time({...} | unwrap bytes [5m])",
            ));
        }
        Ok(LogSelector { matchers, stages })
    }

    fn matchers(&mut self) -> Parsed<Vec<Matcher>> {
        let open = self.peek().span;
        if !self.is_sign("{") {
            return Err(self.unexpected("a stream selector such as {app=\"web\"}"));
        }
        self.take();
        let mut matchers = Vec::new();
        while self.take_sign("}").is_none() {
            matchers.push(self.matcher()?);
            if self.take_sign(",").is_none() && !self.is_sign("}") {
                return Err(self.unexpected("\",\" or \"}\""));
            }
        }
        if matchers.iter().all(Matcher::matches_absent) {
            return Err(Fault::new(
                open.start,
                "queries require at least one regexp or equality matcher that does not have an empty-compatible value. \
                 For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will",
            ));
        }
        Ok(matchers)
    }

    /// `name="value"` and its kin, in selectors, label filters, `drop` and `keep`.
    pub(crate) fn matcher(&mut self) -> Parsed<Matcher> {
        let name = self.name("IDENTIFIER or \"}\"")?;
        let operator = match self.peek().kind {
            TokenKind::Sign(sign @ ("=" | "!=" | "=~" | "!~")) => sign,
            _ => return Err(self.unexpected("=, !=, =~ or !~")),
        };
        self.take();
        let (value, place) = self.quoted("STRING")?;
        let regex = |value: &str| LabelRegex::new(value).map_err(|error| Fault::new(place.start, error.to_string()));
        let test = match operator {
            "=" => Test::Equal(value),
            "!=" => Test::NotEqual(value),
            "=~" => Test::Regex(regex(&value)?),
            _ => Test::NotRegex(regex(&value)?),
        };
        Ok(Matcher { name, test })
    }

    fn starts_unwrap(&self) -> bool {
        self.is_sign("|") && self.own(self.ahead(1)) == "unwrap"
    }

    /// The next stage, if one follows; `unwrap` is none.
    fn stage(&mut self, before: usize) -> Parsed<Option<Arc<dyn Stage>>> {
        if self.starts_unwrap() {
            return Ok(None);
        }
        let at = self.peek().span.start;
        let stage = stages::read(self)?;
        if stage.is_some() && before >= STAGES_MAX {
            return Err(Fault::new(
                at,
                format!("more than {STAGES_MAX} stages in a pipeline: join filters by regexps"),
            ));
        }
        Ok(stage)
    }

    /// What follows the name of a range aggregation.
    pub(crate) fn range_aggregation(&mut self, op: &'static RangeOp, place: Span) -> Parsed<RangeAggregation> {
        if self.is_word("by") || self.is_word("without") {
            let message = format!("syntax error: write the grouping behind: {}(...) by (...)", op.name);
            return Err(Fault::new(self.peek().span.start, message));
        }
        self.expect_sign("(")?;
        let param = if op.takes_param {
            let value = self.signed_number()?;
            self.expect_sign(",")?;
            Some(value)
        } else {
            None
        };
        let inner = self.peek().span.start;
        let mut windowed = Windowed::default();
        self.windowed(&mut windowed)?;
        self.expect_sign(")")?;
        let grouping_at = self.peek().span.start;
        let grouping = self.grouping()?;
        let Windowed { log, range_ns, offset_ns, unwrap } = windowed;
        let Some(range_ns) = range_ns else {
            let message = format!("syntax error: {} needs a window: write [5m] before the bracket closes", op.name);
            return Err(Fault::new(inner, message));
        };
        if grouping.is_some() && !op.takes_grouping {
            let message = format!("grouping not allowed for {} aggregation: write sum by (...) around it", op.name);
            return Err(Fault::new(grouping_at, message));
        }
        if unwrap.is_some() && op.values.is_none() {
            let message = format!("invalid aggregation {} with unwrap: leave unwrap out", op.name);
            return Err(Fault::new(place.start, message));
        }
        if unwrap.is_none() && op.lines.is_none() {
            let message = format!("invalid aggregation {} without unwrap: add | unwrap label", op.name);
            return Err(Fault::new(place.start, message));
        }
        Ok(RangeAggregation { op, param, log, unwrap, range_ns, offset_ns, grouping })
    }

    /// A selector, its stages and its window in any of the orders that LogQL has, also in brackets.
    fn windowed(&mut self, out: &mut Windowed) -> Parsed<()> {
        if self.take_sign("(").is_some() {
            self.nested(|parser| parser.windowed(out))?;
            self.expect_sign(")")?;
        } else {
            out.log.matchers = self.matchers()?;
        }
        loop {
            if self.is_sign("[") {
                let at = self.peek().span.start;
                let range = self.window()?;
                if out.range_ns.replace(range).is_some() {
                    return Err(Fault::new(at, "a second window: leave one out"));
                }
            } else if self.is_word("offset") {
                let at = self.take().span.start;
                if out.range_ns.is_none() {
                    return Err(Fault::new(at, "offset stands behind the window: write [5m] offset 1h"));
                }
                out.offset_ns = self.offset()?;
            } else if self.starts_unwrap() {
                let at = self.peek().span.start;
                if out.unwrap.replace(Unwrap::read(self)?).is_some() {
                    return Err(Fault::new(at, "a second unwrap: leave one out"));
                }
            } else {
                let at = self.peek().span.start;
                let Some(stage) = self.stage(out.log.stages.len())? else { return Ok(()) };
                match &mut out.unwrap {
                    None => out.log.stages.push(stage),
                    Some(unwrap) if stage.is_label_filter() => unwrap.filters.push(stage),
                    Some(_) => {
                        return Err(Fault::new(at, "behind unwrap only label filters may stand: move it before"));
                    }
                }
            }
        }
    }

    /// `[5m]` as nanoseconds.
    fn window(&mut self) -> Parsed<i64> {
        self.expect_sign("[")?;
        let at = self.peek().span.start;
        let range = self.duration("a duration such as 5m")?;
        if range == 0 {
            return Err(Fault::new(at, "the window must be longer than 0: such as 5m"));
        }
        self.expect_sign("]")?;
        Ok(range)
    }

    fn offset(&mut self) -> Parsed<i64> {
        let minus = self.take_sign("-").is_some();
        let offset = self.duration("a duration such as 1h")?;
        Ok(if minus { -offset } else { offset })
    }

    fn duration(&mut self, expected: &str) -> Parsed<i64> {
        let token = self.peek();
        if token.kind != TokenKind::Duration {
            return Err(self.unexpected(expected));
        }
        self.take();
        let own = self.own(token);
        let ns = span_ms(own).ok().and_then(|ms| ms.checked_mul(1_000_000));
        let ns = ns.or_else(|| {
            #[expect(clippy::cast_possible_truncation, reason = "Go's durations are below 2^63 ns")]
            crate::logql::units::duration_ns(own).ok().map(|ns| ns as i64)
        });
        ns.ok_or_else(|| Fault::new(token.span.start, format!("not a valid duration string: {own:?}: at most 292y")))
    }
}
