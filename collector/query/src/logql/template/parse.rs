//! From text to a template. Faults know their byte in the text of the template.

use super::functions::FUNCTIONS;
use super::{Node, Part, Template};
use crate::logql::nearest;
use crate::text::fault::Trouble;
use crate::text::literal::unquote;

/// Brackets and pipes inside of each other: each is one recursion at every line.
const DEPTH_MAX: usize = 16;

const CONTROL: [&str; 10] = ["if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"];

type Parsed<T> = Result<T, (usize, Trouble)>;

fn wrong<T>(at: usize, message: impl Into<String>) -> Parsed<T> {
    Err((at, Trouble::Wrong(message.into())))
}

impl Template {
    pub(crate) fn parse(text: &str) -> Parsed<Self> {
        let mut parts = Vec::new();
        let (mut at, mut trim) = (0, false);
        loop {
            let open = text[at..].find("{{").map(|found| at + found);
            let mut own = &text[at..open.unwrap_or(text.len())];
            if trim {
                own = own.trim_start();
            }
            let Some(open) = open else {
                if !own.is_empty() {
                    parts.push(Part::Text(own.to_owned()));
                }
                return Ok(Self { text: text.to_owned(), parts });
            };
            let mut start = open + 2;
            if text[start..].starts_with("- ") {
                own = own.trim_end();
                start += 1;
            }
            if !own.is_empty() {
                parts.push(Part::Text(own.to_owned()));
            }
            let mut action = Action { text, at: start, depth: 0 };
            if text[start..].trim_start().starts_with("/*") {
                action.comment(open)?;
            } else {
                parts.push(Part::Value(action.pipe(open)?));
            }
            action.blank();
            trim = text[action.at..].starts_with("-}}");
            if !trim && !text[action.at..].starts_with("}}") {
                return action.unexpected(open);
            }
            at = action.at + 2 + usize::from(trim);
        }
    }
}

/// What stands between `{{` and `}}`.
struct Action<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Action<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blank(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn unexpected<T>(&self, open: usize) -> Parsed<T> {
        match self.rest().chars().next() {
            Some(c) => wrong(
                self.at,
                format!("unexpected {:?} in template: write {{{{.label}}}} or a function", c.to_string()),
            ),
            None => wrong(open, "unclosed action: close it with }}"),
        }
    }

    fn comment(&mut self, open: usize) -> Parsed<()> {
        match self.rest().find("*/") {
            Some(end) => {
                self.at += end + 2;
                Ok(())
            }
            None => wrong(open, "unclosed comment: close it with */"),
        }
    }

    /// `operand | function | ...`.
    fn pipe(&mut self, open: usize) -> Parsed<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return wrong(self.at, format!("template is nested deeper than {DEPTH_MAX} levels"));
        }
        let mut node = self.command(open, None)?;
        let mut length = 0;
        loop {
            self.blank();
            if !self.rest().starts_with('|') {
                break;
            }
            self.at += 1;
            length += 1;
            if length > DEPTH_MAX {
                return wrong(self.at, format!("more than {DEPTH_MAX} functions in a row in a template"));
            }
            node = self.command(open, Some(node))?;
        }
        self.depth -= 1;
        Ok(node)
    }

    /// An operand, or a function with its operands; what was piped in is the last of them.
    fn command(&mut self, open: usize, piped: Option<Node>) -> Parsed<Node> {
        self.blank();
        let at = self.at;
        let word = self.word();
        if word.is_empty() || word.starts_with("__") {
            if piped.is_some() {
                return wrong(at, "behind | a function is expected, such as lower");
            }
            self.at = at;
            return match self.operand(open)? {
                Some(node) => Ok(node),
                None => self.unexpected(open),
            };
        }
        if CONTROL.contains(&word) {
            let what = format!("the control structure {word:?}");
            return Err((at, Trouble::Refused(what, "use default, label filters, or format where you read")));
        }
        let Some(function) = FUNCTIONS.iter().find(|function| function.name == word) else {
            let near = nearest(word, FUNCTIONS.iter().map(|function| function.name));
            let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
            let hint =
                near.map_or_else(|| format!("there are {}", names.join(", ")), |near| format!("did you mean {near}?"));
            return wrong(at, format!("function {word:?}: {hint}"));
        };
        let mut args = Vec::new();
        while let Some(arg) = self.operand(open)? {
            args.push(arg);
        }
        args.extend(piped);
        let (least, most) = function.args;
        if !(least..=most).contains(&args.len()) {
            return wrong(at, format!("wrong number of args for {word}: want {least} got {}", args.len()));
        }
        Ok(Node::Call(function, args))
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        let length = rest.bytes().take_while(inside).count();
        self.at += length;
        &rest[..length]
    }

    /// The next operand, if one follows.
    fn operand(&mut self, open: usize) -> Parsed<Option<Node>> {
        self.blank();
        let (at, rest) = (self.at, self.rest());
        match rest.bytes().next() {
            Some(b'(') => {
                self.at += 1;
                let node = self.pipe(open)?;
                self.blank();
                if !self.rest().starts_with(')') {
                    return self.unexpected(open);
                }
                self.at += 1;
                Ok(Some(node))
            }
            Some(b'.') => {
                self.at += 1;
                let name = self.word();
                if name.is_empty() {
                    self.at = at;
                    return self.unexpected(open);
                }
                Ok(Some(Node::Label(name.to_owned())))
            }
            Some(quote @ (b'"' | b'`')) => {
                let end = closing(rest, quote).map_or_else(|| wrong(at, "unterminated text in template"), Ok)?;
                self.at += end + 1;
                let text = unquote(&rest[..=end]).map_err(|message| (at, Trouble::Wrong(message)))?;
                Ok(Some(Node::Text(text)))
            }
            Some(byte) if byte.is_ascii_digit() || (byte == b'-' && !rest.starts_with("-}}")) => {
                let length =
                    rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
                let own = &rest[..length];
                self.at += length;
                if let Ok(value) = own.parse() {
                    return Ok(Some(Node::Int(value)));
                }
                let value = own.parse().map_err(|_| (at, Trouble::Wrong(format!("bad number syntax: {own:?}"))))?;
                Ok(Some(Node::Float(value)))
            }
            Some(b'_') => match self.word() {
                "__line__" => Ok(Some(Node::Line)),
                "__timestamp__" => Ok(Some(Node::Timestamp)),
                other => wrong(at, format!("function {other:?} not defined: there are __line__ and __timestamp__")),
            },
            Some(byte) if byte.is_ascii_alphabetic() => wrong(at, "a function behind another one: put it in brackets"),
            _ => Ok(None),
        }
    }
}

/// The byte of the quote that closes the text that begins here.
fn closing(text: &str, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'\\' if quote == b'"' => at += 2,
            byte if *byte == quote => return Some(at),
            _ => at += 1,
        }
    }
}
