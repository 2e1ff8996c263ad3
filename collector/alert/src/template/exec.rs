//! The walk over the tree.

use std::rc::Rc;
use std::sync::Arc;

use muster_common::label::LabelSet;

use super::ast::{Node, Operand, Pipe};
use super::functions::Run;
use super::parse::{Template, place};
use super::value::{Given, Value, map_of, text};

/// Steps of one run: nodes, operands and rounds of loops. A table of a thousand rows with ten cells takes a tenth of it.
const STEPS_MAX: usize = 200_000;
/// Bytes of a text whose making counts as a step.
const STEP_BYTES: usize = 100;
/// Bytes that one run may write, and that one value may have on the way: an annotation is read by people.
pub(super) const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// How deep templates may call each other.
const CALLS_MAX: usize = 32;
/// Blocks and brackets within each other, over all calls: bounds the recursion.
const DEPTH_MAX: usize = 128;
/// Series that one `query` may give.
pub(super) const SAMPLES_MAX: usize = 10_000;

/// What a query of a template answers: series with their values, or what went wrong.
pub type Asked = Result<Vec<(Arc<LabelSet>, f64)>, String>;

/// What a template is filled with.
pub struct Scope<'a> {
    /// All labels of the series.
    pub labels: &'a LabelSet,
    pub external_labels: &'a LabelSet,
    /// Where this collector is reached from outside; empty: not told.
    pub external_url: &'a str,
    pub value: f64,
    /// The time of the evaluation, which is `now` and the time of queries.
    pub now_ms: i64,
    /// Answers an expression at `now_ms`.
    pub ask: &'a dyn Fn(&str) -> Asked,
}

pub(super) struct Walk<'a> {
    pub(super) template: &'a Template,
    pub(super) scope: &'a Scope<'a>,
    out: String,
    variables: Vec<(String, Value)>,
    steps: usize,
    calls: usize,
    depth: usize,
}

/// How a block ended.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

type Walked<T> = Result<T, String>;

impl Template {
    /// Fills it.
    ///
    /// # Errors
    /// What went wrong, for people, with its place in the template.
    pub fn expand(&self, scope: &Scope<'_>) -> Result<String, String> {
        if let Some(text) = self.plain() {
            return Ok(text.to_owned());
        }
        let given = Rc::new(Given {
            labels: map_of(scope.labels),
            external_labels: map_of(scope.external_labels),
            external_url: scope.external_url.into(),
            value: scope.value,
        });
        let mut walk =
            Walk { template: self, scope, out: String::new(), variables: Vec::new(), steps: 0, calls: 0, depth: 0 };
        walk.enter(Value::Given(given))?;
        Ok(walk.out)
    }

    /// Fills it, or says in its place what went wrong, as Prometheus does; the second is whether it did.
    pub fn expand_or_tell(&self, scope: &Scope<'_>) -> (String, bool) {
        match self.expand(scope) {
            Ok(text) => (text, false),
            Err(why) => (format!("<error expanding template: {why}>"), true),
        }
    }
}

impl Walk<'_> {
    /// The whole template over these data.
    fn enter(&mut self, dot: Value) -> Walked<()> {
        let template = self.template;
        self.declare_given(&dot);
        self.nodes(&template.body, &dot).map(drop)
    }

    /// `$`, and what Prometheus declares before every template.
    fn declare_given(&mut self, given: &Value) {
        self.variables.push((String::new(), given.clone()));
        for (name, field) in [
            ("labels", "Labels"),
            ("externalLabels", "ExternalLabels"),
            ("externalURL", "ExternalURL"),
            ("value", "Value"),
        ] {
            self.variables.push((name.to_owned(), given.field(field).unwrap_or(Value::Nil)));
        }
    }

    fn fault<T>(&self, at: usize, message: impl std::fmt::Display) -> Walked<T> {
        let (line, column) = place(&self.template.text, at);
        Err(format!("{line}:{column}: {message}"))
    }

    fn step(&mut self) -> Walked<()> {
        self.charge(1)
    }

    /// Counts what takes as long as so many steps.
    pub(super) fn charge(&mut self, steps: usize) -> Walked<()> {
        self.steps += steps;
        if self.steps > STEPS_MAX { Err(format!("the template takes more than {STEPS_MAX} steps")) } else { Ok(()) }
    }

    fn write(&mut self, text: &str) -> Walked<()> {
        if self.out.len() + text.len() > OUTPUT_BYTES_MAX {
            return Err(format!("the text is longer than {OUTPUT_BYTES_MAX} bytes"));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Walked<Flow> {
        self.deeper()?;
        for node in nodes {
            self.step()?;
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                self.depth -= 1;
                return Ok(flow);
            }
        }
        self.depth -= 1;
        Ok(Flow::On)
    }

    fn deeper(&mut self) -> Walked<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(format!("blocks nest deeper than {DEPTH_MAX}")) } else { Ok(()) }
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Walked<Flow> {
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Print(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.names.is_empty() {
                    self.write(&value.show(OUTPUT_BYTES_MAX))?;
                }
            }
            Node::If { branches, otherwise } => return self.branches(branches, otherwise, dot, false),
            Node::With { branches, otherwise } => return self.branches(branches, otherwise, dot, true),
            Node::Range { pipe, body, otherwise } => return self.range(pipe, body, otherwise, dot),
            Node::Call { name, pipe, at } => {
                let data = match pipe {
                    Some(pipe) => self.pipe(pipe, dot)?,
                    None => Value::Nil,
                };
                self.call(name, data, *at)?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    /// A defined template, which writes where this one is.
    fn call(&mut self, name: &str, data: Value, at: usize) -> Walked<()> {
        let template = self.template;
        let Some(body) = template.defined.get(name) else {
            return self.fault(at, format!("template {name:?} not defined"));
        };
        self.calls += 1;
        if self.calls > CALLS_MAX {
            return self.fault(at, format!("templates call each other deeper than {CALLS_MAX}"));
        }
        let outer = std::mem::replace(&mut self.variables, vec![(String::new(), data.clone())]);
        let walked = self.nodes(body, &data);
        self.variables = outer;
        self.calls -= 1;
        walked.map(drop)
    }

    /// What a defined template writes, as a text.
    pub(super) fn called(&mut self, name: &str, data: Value) -> Walked<String> {
        let before = std::mem::take(&mut self.out);
        let walked = self.call(name, data, 0);
        let written = std::mem::replace(&mut self.out, before);
        walked.map(|()| written)
    }

    fn branches(
        &mut self,
        branches: &[(Pipe, Vec<Node>)],
        otherwise: &[Node],
        dot: &Value,
        moves_dot: bool,
    ) -> Walked<Flow> {
        let mark = self.variables.len();
        let mut flow = None;
        for (pipe, body) in branches {
            let value = self.pipe(pipe, dot)?;
            if value.is_true() {
                flow = Some(self.nodes(body, if moves_dot { &value } else { dot })?);
                break;
            }
        }
        let flow = match flow {
            Some(flow) => flow,
            None => self.nodes(otherwise, dot)?,
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, pipe: &Pipe, body: &[Node], otherwise: &[Node], dot: &Value) -> Walked<Flow> {
        let mark = self.variables.len();
        let over = self.commands(pipe, dot)?;
        let rounds: Vec<(Value, Value)> = match &over {
            Value::Nil => Vec::new(),
            Value::List(list) => {
                list.iter().enumerate().map(|(index, value)| (Value::Int(index as i64), value.clone())).collect()
            }
            Value::Labels(map) => map.iter().map(|(name, value)| (text(&**name), text(&**value))).collect(),
            Value::Map(map) => map.named.iter().map(|(name, value)| (text(&**name), value.clone())).collect(),
            Value::Int(count) => {
                let most = i64::try_from(STEPS_MAX).unwrap_or(i64::MAX);
                (0..(*count).min(most)).map(|index| (Value::Int(index), Value::Int(index))).collect()
            }
            other => return self.fault(pipe.at, format!("range can't iterate over {}", other.show(100))),
        };
        if rounds.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, value) in rounds {
            self.step()?;
            match (&*pipe.names, pipe.is_assignment) {
                ([one], false) => self.variables.push((one.clone(), value.clone())),
                ([first, second], false) => {
                    self.variables.push((first.clone(), key));
                    self.variables.push((second.clone(), value.clone()));
                }
                ([one], true) => self.assign(one, value.clone()),
                ([first, second], true) => {
                    self.assign(first, key);
                    self.assign(second, value.clone());
                }
                _ => {}
            }
            let flow = self.nodes(body, &value)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn assign(&mut self, name: &str, value: Value) {
        if let Some(own) = self.variables.iter_mut().rev().find(|(own, _)| own == name) {
            own.1 = value;
        }
    }

    /// The value of a pipeline, which sets its variable.
    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Walked<Value> {
        let value = self.commands(pipe, dot)?;
        for name in &pipe.names {
            if pipe.is_assignment {
                self.assign(name, value.clone());
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &Pipe, dot: &Value) -> Walked<Value> {
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, last, pipe.at, dot)?);
        }
        Ok(last.unwrap_or(Value::Nil))
    }

    fn command(&mut self, operands: &[Operand], piped: Option<Value>, at: usize, dot: &Value) -> Walked<Value> {
        self.step()?;
        let Some((first, rest)) = operands.split_first() else { return Ok(Value::Nil) };
        let Operand::Function(function) = first else { return self.operand(first, at, dot) };
        match function.run {
            Run::Lazy(stops_at) => {
                let mut value = Value::Nil;
                for operand in rest {
                    value = self.operand(operand, at, dot)?;
                    if value.is_true() == stops_at {
                        return Ok(value);
                    }
                }
                Ok(piped.unwrap_or(value))
            }
            Run::Eager(run) => {
                let mut args = Vec::with_capacity(rest.len() + 1);
                for operand in rest {
                    args.push(self.operand(operand, at, dot)?);
                }
                args.extend(piped);
                match run(self, &args) {
                    Ok(value) => {
                        let bytes = if let Value::Text(own) = &value { own.len() } else { 0 };
                        self.charge(bytes / STEP_BYTES)?;
                        Ok(value)
                    }
                    Err(message) => self.fault(at, format!("error calling {}: {message}", function.name)),
                }
            }
        }
    }

    fn operand(&mut self, operand: &Operand, at: usize, dot: &Value) -> Walked<Value> {
        self.step()?;
        Ok(match operand {
            Operand::Dot => dot.clone(),
            Operand::Nil => Value::Nil,
            Operand::Bool(value) => Value::Bool(*value),
            Operand::Int(value) => Value::Int(*value),
            Operand::Float(value) => Value::Float(*value),
            Operand::Text(own) => text(&**own),
            Operand::Variable(name) => {
                let own = self.variables.iter().rev().find(|(own, _)| own == name);
                own.map_or(Value::Nil, |(_, value)| value.clone())
            }
            Operand::Function(_) => self.command(std::slice::from_ref(operand), None, at, dot)?,
            Operand::Pipe(pipe) => {
                self.deeper()?;
                let value = self.pipe(pipe, dot)?;
                self.depth -= 1;
                value
            }
            Operand::Field(from, names) => {
                let mut value = self.operand(from, at, dot)?;
                for name in names {
                    value = match value.field(name) {
                        Ok(value) => value,
                        Err(message) => return self.fault(at, message),
                    };
                }
                value
            }
        })
    }
}
