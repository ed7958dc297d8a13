//! What a condition is made of when it is judged.

use std::fmt;
use std::sync::Arc;

/// What a node comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int,
    Double,
    Text,
    /// Of at most so many.
    List(Box<Type>, u32),
}

/// What a name stands for, and what an expression comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true`, `false`.
    Bool(bool),
    /// `-7`.
    Int(i64),
    /// `0.5`; finite.
    Double(f64),
    /// `'in_use'`.
    Text(Arc<str>),
    /// `[1, 2]`: of one type.
    List(Arc<[Value]>),
}

/// No double here is NaN: what is no number is a [`Fault`](super::Fault).
impl Eq for Value {}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Double => f.write_str("double"),
            Type::Text => f.write_str("string"),
            Type::List(of, _) => write!(f, "list of {of}"),
        }
    }
}

impl Type {
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }

    /// Whether values of both can be the same. Lists have no lengths here.
    pub(super) fn is_like(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::List(one, _), Type::List(two, _)) => one.is_like(two),
            (one, two) => one == two,
        }
    }

    /// The type of what is one or the other, which are alike: its lists are as long as the longer ones, at every depth.
    pub(super) fn or(self, other: Type) -> Type {
        match (self, other) {
            (Type::List(one, length), Type::List(two, other)) => Type::List(Box::new(one.or(*two)), length.max(other)),
            (one, _) => one,
        }
    }

    pub(super) fn length(&self) -> u32 {
        if let Type::List(_, length) = self { *length } else { 1 }
    }
}
