//! An expression as it is written, before anybody asks what its names mean.

use super::value::{Type, Value};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Literal(Value, Type),
    Name(String),
    /// `of.field`
    Select(Box<Tree>, String),
    List(Vec<Tree>),
    /// `name(arguments)`, or `target.name(arguments)`.
    Call {
        target: Option<Box<Tree>>,
        name: String,
        arguments: Vec<Tree>,
    },
    Not(Box<Tree>),
    Minus(Box<Tree>),
    Binary(Operator, Box<[Tree; 2]>),
    Choice(Box<[Tree; 3]>),
}

/// Operators that go from left to right, those that bind least first.
pub(super) const LEFT: [&[(&str, Operator)]; 3] = [
    &[
        ("<", Operator::Less),
        ("<=", Operator::LessEqual),
        (">=", Operator::GreaterEqual),
        (">", Operator::Greater),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("in", Operator::In),
    ],
    &[("+", Operator::Arithmetic(Arithmetic::Add)), ("-", Operator::Arithmetic(Arithmetic::Subtract))],
    &[
        ("*", Operator::Arithmetic(Arithmetic::Multiply)),
        ("/", Operator::Arithmetic(Arithmetic::Divide)),
        ("%", Operator::Arithmetic(Arithmetic::Remainder)),
    ],
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Less,
    LessEqual,
    GreaterEqual,
    Greater,
    Equal,
    NotEqual,
    In,
    Arithmetic(Arithmetic),
    /// `list[at]`
    Index,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// As it is written.
    pub(super) fn as_str(self) -> &'static str {
        let left = || LEFT.iter().copied().flatten().find(|(_, operator)| *operator == self).map(|(sign, _)| *sign);
        match self {
            Operator::Or => "||",
            Operator::And => "&&",
            Operator::Index => "[]",
            _ => left().unwrap_or_default(),
        }
    }
}
