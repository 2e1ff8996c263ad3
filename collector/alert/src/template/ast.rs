//! The tree of a template.

use super::functions::Function;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Print(Pipe),
    If { branches: Vec<(Pipe, Vec<Node>)>, otherwise: Vec<Node> },
    With { branches: Vec<(Pipe, Vec<Node>)>, otherwise: Vec<Node> },
    Range { pipe: Pipe, body: Vec<Node>, otherwise: Vec<Node> },
    Call { name: String, pipe: Option<Pipe>, at: usize },
    Break,
    Continue,
}

/// Commands, each of which gets what the one before made as its last argument.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    /// Variables that it sets: none, one, or of `range` two.
    pub(super) names: Vec<String>,
    /// `=` rather than `:=`: the variables are older ones.
    pub(super) is_assignment: bool,
    pub(super) commands: Vec<Vec<Operand>>,
    /// Byte of the template.
    pub(super) at: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Variable(String),
    Function(&'static Function),
    /// Fields of what stands before them.
    Field(Box<Operand>, Vec<String>),
    Pipe(Box<Pipe>),
}
