//! From text to tree. Everything that can be wrong without data is found here, with its place.

use std::collections::BTreeMap;
use std::fmt;

use super::ast::{Node, Operand, Pipe};
use super::functions::{self, Function};
use super::lexer::{Piece, Token, pieces};

/// How deep blocks and brackets may nest: bounds the recursion of parser and walk.
const NESTING_MAX: usize = 64;
/// Bytes of one template. The longest of public rule sets has 3 kB.
const TEMPLATE_BYTES_MAX: usize = 64 << 10;

/// A template as it was read. Cheap to run, bounded in what it may cost.
#[derive(Clone, Debug)]
pub struct Template {
    pub(super) text: String,
    pub(super) body: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
    /// Its result can differ although labels and value are the same: it asks for data or for the time.
    is_restless: bool,
    reads_value: bool,
}

/// Why a template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct TemplateError {
    /// Both from 1, of the template; the column counts characters.
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl TemplateError {
    pub(super) fn new(source: &str, at: usize, message: String) -> Self {
        let (line, column) = place(source, at);
        Self { line, column, message }
    }
}

/// Line and column, from 1, of a byte.
pub(super) fn place(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..at.min(source.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (1 + before.matches('\n').count(), 1 + before[line_start..].chars().count())
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`] names the place: syntax, unknown functions and variables, templates that are called and not defined.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > TEMPLATE_BYTES_MAX {
            let message = format!("the template has {} bytes, but at most {TEMPLATE_BYTES_MAX} are read", text.len());
            return Err(TemplateError::new(text, TEMPLATE_BYTES_MAX, message));
        }
        let mut parser = Parser {
            source: text,
            pieces: pieces(text)?.into_iter().peekable(),
            defined: BTreeMap::new(),
            called: Vec::new(),
            variables: ["", "labels", "externalLabels", "externalURL", "value"].map(str::to_owned).to_vec(),
            depth: 0,
            loops: 0,
            is_restless: false,
            reads_value: false,
        };
        let (body, end) = parser.block(&[])?;
        debug_assert!(end.is_none(), "only the text's end ends the outermost block");
        for (name, at) in &parser.called {
            if !parser.defined.contains_key(name) {
                return Err(parser.fault(*at, format!("template {name:?} not defined")));
            }
        }
        let Parser { defined, is_restless, reads_value, .. } = parser;
        Ok(Self { text: text.to_owned(), body, defined, is_restless, reads_value })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, if there is nothing to fill in.
    pub fn plain(&self) -> Option<&str> {
        match &*self.body {
            [] => Some(""),
            [Node::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether the result depends on labels only: the same labels give the same text.
    pub fn is_of_labels(&self) -> bool {
        !self.is_restless && !self.reads_value
    }

    /// Whether the result depends on labels and value only.
    pub fn is_steady(&self) -> bool {
        !self.is_restless
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

struct Parser<'a> {
    source: &'a str,
    pieces: std::iter::Peekable<std::vec::IntoIter<Piece>>,
    defined: BTreeMap<String, Vec<Node>>,
    called: Vec<(String, usize)>,
    variables: Vec<String>,
    depth: usize,
    loops: usize,
    is_restless: bool,
    reads_value: bool,
}

/// What ended a block: its word, and the tokens behind it.
type End = (String, Tokens);

/// The tokens of one action that are not yet read.
struct Tokens {
    all: Vec<(usize, Token)>,
    next: usize,
    at: usize,
}

impl Tokens {
    fn peek(&self) -> Option<&Token> {
        self.all.get(self.next).map(|(_, token)| token)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.next += 1;
        token
    }

    /// The byte of the next token.
    fn here(&self) -> usize {
        self.all.get(self.next).map_or(self.at, |(at, _)| *at)
    }
}

type Parsed<T> = Result<T, TemplateError>;

impl Parser<'_> {
    fn fault(&self, at: usize, message: impl Into<String>) -> TemplateError {
        TemplateError::new(self.source, at, message.into())
    }

    /// Nodes up to one of these words, which with its action is given back; without words, up to the text's end.
    fn block(&mut self, ends: &[&str]) -> Parsed<(Vec<Node>, Option<End>)> {
        let mut nodes = Vec::new();
        self.depth += 1;
        while let Some(piece) = self.pieces.next() {
            let (all, at) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action { tokens, at } => (tokens, at),
            };
            if self.depth > NESTING_MAX {
                return Err(self.fault(at, format!("blocks nest deeper than {NESTING_MAX}")));
            }
            let mut tokens = Tokens { all, next: 0, at };
            let word = match tokens.peek() {
                Some(Token::Word(word)) => word.clone(),
                _ => String::new(),
            };
            if ends.contains(&&*word) {
                tokens.next += 1;
                self.depth -= 1;
                return Ok((nodes, Some((word, tokens))));
            }
            nodes.extend(self.action(&word, tokens)?);
        }
        self.depth -= 1;
        if ends.is_empty() {
            Ok((nodes, None))
        } else {
            Err(self.fault(self.source.len(), "unexpected end: {{end}} is missing"))
        }
    }

    fn action(&mut self, word: &str, mut tokens: Tokens) -> Parsed<Option<Node>> {
        let at = tokens.at;
        match word {
            "if" | "with" => self.branches(word == "if", tokens).map(Some),
            "range" => self.range(tokens).map(Some),
            "end" | "else" => Err(self.fault(at, format!("unexpected {{{{{word}}}}}"))),
            "break" | "continue" => {
                tokens.next += 1;
                self.finished(&tokens)?;
                if self.loops == 0 {
                    return Err(self.fault(at, format!("{{{{{word}}}}} outside {{{{range}}}}")));
                }
                Ok(Some(if word == "break" { Node::Break } else { Node::Continue }))
            }
            "define" => {
                tokens.next += 1;
                let name = self.name(&mut tokens)?;
                self.finished(&tokens)?;
                if self.depth > 1 {
                    return Err(self.fault(at, "unexpected {{define}} inside of another block"));
                }
                self.define(name).map(|()| None)
            }
            "template" | "block" => {
                tokens.next += 1;
                let name = self.name(&mut tokens)?;
                let pipe = if tokens.peek().is_some() { Some(self.pipe(&mut tokens)?) } else { None };
                self.finished(&tokens)?;
                self.called.push((name.clone(), at));
                if word == "block" {
                    self.define(name.clone())?;
                }
                Ok(Some(Node::Call { name, pipe, at }))
            }
            _ => {
                let pipe = self.pipe(&mut tokens)?;
                self.finished(&tokens)?;
                Ok(Some(Node::Print(pipe)))
            }
        }
    }

    fn finished(&self, tokens: &Tokens) -> Parsed<()> {
        match tokens.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault(tokens.here(), "unexpected text in the action")),
        }
    }

    fn name(&self, tokens: &mut Tokens) -> Parsed<String> {
        let at = tokens.here();
        match tokens.take() {
            Some(Token::Text(name)) => Ok(name),
            _ => Err(self.fault(at, "expected the template's name in quotes")),
        }
    }

    fn define(&mut self, name: String) -> Parsed<()> {
        // A definition sees none of the variables around it, not even $labels: what it needs is given to it.
        let outer = std::mem::replace(&mut self.variables, vec![String::new()]);
        let loops = std::mem::take(&mut self.loops);
        let (body, _) = self.block(&["end"])?;
        (self.variables, self.loops) = (outer, loops);
        self.defined.insert(name, body);
        Ok(())
    }

    /// `if` and `with`, whose `else if` and `else with` may go on.
    fn branches(&mut self, is_if: bool, mut tokens: Tokens) -> Parsed<Node> {
        let mark = self.variables.len();
        let (mut branches, mut otherwise) = (Vec::new(), Vec::new());
        loop {
            tokens.next += 1;
            let pipe = self.pipe(&mut tokens)?;
            self.finished(&tokens)?;
            let (body, end) = self.block(&["else", "end"])?;
            branches.push((pipe, body));
            let Some((word, after)) = end else { break };
            tokens = after;
            if word == "end" {
                self.finished(&tokens)?;
                break;
            }
            match tokens.peek() {
                None => {
                    let (body, end) = self.block(&["end"])?;
                    otherwise = body;
                    if let Some((_, after)) = end {
                        self.finished(&after)?;
                    }
                    break;
                }
                Some(Token::Word(next)) if next == if is_if { "if" } else { "with" } => {}
                Some(_) => return Err(self.fault(tokens.here(), "unexpected text after else")),
            }
        }
        self.variables.truncate(mark);
        Ok(if is_if { Node::If { branches, otherwise } } else { Node::With { branches, otherwise } })
    }

    fn range(&mut self, mut tokens: Tokens) -> Parsed<Node> {
        let mark = self.variables.len();
        tokens.next += 1;
        let pipe = self.pipe_with(&mut tokens, 2)?;
        self.finished(&tokens)?;
        self.loops += 1;
        let (body, end) = self.block(&["else", "end"])?;
        self.loops -= 1;
        let mut otherwise = Vec::new();
        if let Some((word, after)) = end {
            self.finished(&after)?;
            if word == "else" {
                otherwise = self.block(&["end"])?.0;
            }
        }
        self.variables.truncate(mark);
        Ok(Node::Range { pipe, body, otherwise })
    }

    fn pipe(&mut self, tokens: &mut Tokens) -> Parsed<Pipe> {
        self.pipe_with(tokens, 1)
    }

    /// A pipeline that sets so many variables at most.
    fn pipe_with(&mut self, tokens: &mut Tokens, names_max: usize) -> Parsed<Pipe> {
        let at = tokens.here();
        let (names, is_assignment) = self.targets(tokens, names_max)?;
        if is_assignment {
            names.iter().try_for_each(|name| self.known(name, at))?;
        }
        let mut commands = Vec::new();
        loop {
            let here = tokens.here();
            let mut operands = Vec::new();
            while !matches!(tokens.peek(), None | Some(Token::Pipe | Token::Close)) {
                let operand = self.operand(tokens)?;
                operands.push(operand);
            }
            self.check(&operands, commands.is_empty(), here)?;
            commands.push(operands);
            if tokens.peek() != Some(&Token::Pipe) {
                break;
            }
            tokens.next += 1;
        }
        if !is_assignment {
            self.variables.extend(names.iter().cloned());
        }
        Ok(Pipe { names, is_assignment, commands, at })
    }

    /// `$a :=`, `$a =`, and of `range` `$i, $a :=`.
    fn targets(&self, tokens: &mut Tokens, names_max: usize) -> Parsed<(Vec<String>, bool)> {
        let token = |index: usize| tokens.all.get(tokens.next + index).map(|(_, token)| token);
        let (names, sign) = match (token(0), token(1), token(2), token(3)) {
            (Some(Token::Variable(a)), Some(sign @ (Token::Declare | Token::Assign)), ..) => (vec![a.clone()], sign),
            (
                Some(Token::Variable(a)),
                Some(Token::Comma),
                Some(Token::Variable(b)),
                Some(sign @ (Token::Declare | Token::Assign)),
            ) => (vec![a.clone(), b.clone()], sign),
            _ => return Ok((Vec::new(), false)),
        };
        if names.len() > names_max {
            return Err(self.fault(tokens.here(), "too many variables: only range sets two"));
        }
        let is_assignment = *sign == Token::Assign;
        tokens.next += names.len() * 2;
        Ok((names, is_assignment))
    }

    fn known(&self, name: &str, at: usize) -> Parsed<()> {
        if self.variables.iter().any(|own| own == name) {
            return Ok(());
        }
        let hint = if matches!(name, "labels" | "value") {
            let field = if name == "labels" { "Labels" } else { "Value" };
            format!(": write .{field}, and give it `.`")
        } else if name.eq_ignore_ascii_case("labels") || name.eq_ignore_ascii_case("value") {
            format!(": write ${}", name.to_lowercase())
        } else {
            String::new()
        };
        Err(self.fault(at, format!("undefined variable \"${name}\"{hint}")))
    }

    /// What can be said of a command before it runs.
    fn check(&self, operands: &[Operand], is_first: bool, at: usize) -> Parsed<()> {
        let given = operands.len().saturating_sub(1) + usize::from(!is_first);
        // Behind the first operand a function stands alone.
        for operand in operands.iter().skip(1) {
            if let Operand::Function(Function { name, args: (least @ 1.., _), .. }) = operand {
                return Err(self.fault(at, format!("wrong number of args for {name}: want {least} got 0")));
            }
        }
        match operands.first() {
            None => Err(self.fault(at, "missing value for command")),
            Some(Operand::Function(function)) => {
                let (least, most) = function.args;
                if (least..=most).contains(&given) {
                    return Ok(());
                }
                let want = if least == most { least.to_string() } else { format!("at least {least}") };
                let name = function.name;
                Err(self.fault(at, format!("wrong number of args for {name}: want {want} got {given}")))
            }
            Some(Operand::Nil) if given == 0 => Err(self.fault(at, "nil is not a command")),
            Some(_) if given > 0 => {
                Err(self.fault(at, "can't give argument to non-function: put a function before it"))
            }
            Some(_) => Ok(()),
        }
    }

    fn operand(&mut self, tokens: &mut Tokens) -> Parsed<Operand> {
        let at = tokens.here();
        let mut operand = match tokens.take() {
            Some(Token::Dot) => {
                self.reads_value = true;
                return Ok(Operand::Dot);
            }
            Some(Token::Int(value)) => return Ok(Operand::Int(value)),
            Some(Token::Float(value)) => return Ok(Operand::Float(value)),
            Some(Token::Text(text)) => Operand::Text(text),
            Some(Token::Field(name, false)) => {
                self.reads_value |= name == "Value";
                Operand::Field(Box::new(Operand::Dot), vec![name])
            }
            Some(Token::Variable(name)) => {
                self.known(&name, at)?;
                self.reads_value |= name == "value" || name.is_empty();
                Operand::Variable(name)
            }
            Some(Token::Word(word)) => self.word(&word, at)?,
            Some(Token::Open) => {
                self.depth += 1;
                if self.depth > NESTING_MAX {
                    return Err(self.fault(at, format!("brackets nest deeper than {NESTING_MAX}")));
                }
                let pipe = self.pipe(tokens)?;
                self.depth -= 1;
                if tokens.take() != Some(Token::Close) {
                    return Err(self.fault(at, "unclosed left paren"));
                }
                Operand::Pipe(Box::new(pipe))
            }
            _ => return Err(self.fault(at, "unexpected text in the action")),
        };
        let mut fields = Vec::new();
        while let Some(Token::Field(name, true)) = tokens.peek() {
            fields.push(name.clone());
            tokens.next += 1;
        }
        if !fields.is_empty() {
            operand = match operand {
                Operand::Field(from, mut own) => {
                    own.append(&mut fields);
                    Operand::Field(from, own)
                }
                Operand::Function(function) if function.args.0 > 0 => {
                    return Err(self.fault(at, format!("unexpected . after {}: put it into brackets", function.name)));
                }
                other => Operand::Field(Box::new(other), fields),
            };
        }
        Ok(operand)
    }

    fn word(&mut self, word: &str, at: usize) -> Parsed<Operand> {
        match word {
            "true" | "false" => return Ok(Operand::Bool(word == "true")),
            "nil" => return Ok(Operand::Nil),
            _ => {}
        }
        let Some(function) = functions::find(word) else {
            let hint = functions::nearest(word).map_or_else(String::new, |near| format!(": did you mean {near}?"));
            return Err(self.fault(at, format!("function {word:?} not defined{hint}")));
        };
        self.is_restless |= function.is_restless;
        Ok(Operand::Function(function))
    }
}
