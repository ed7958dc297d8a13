//! Conditions in CEL, the Common Expression Language (cel-spec, langdef.md): what no other kind of rule says.
//!
//! ```text
//! text ─► tokens ─► syntax: Tree (brackets, levels) ─► compiled: Node (names, types, steps) ─► holds(values): bool
//!            └────────┴─► mistakes: what to write instead
//! ```
//! Types are checked before anything is judged, so that a technician sees a mistake when the file is checked and not on the
//! night on which it matters; what is left to fail later is arithmetic. CEL's double division by zero is infinity, which would
//! accuse somebody: here it is a [`Fault`], and so is whatever is no finite number. Else it says what Google's implementation
//! says, which a system test compares (`tests/system/expressions.rs`).
//!
//! A subset: `bool`, `int`, `double`, `string` and lists of them; `&& || ! ?: == != < <= > >= + - * / % in [] size() int() double()
//! has()` and the macros `all`, `exists`, `exists_one`. No maps, no regular expressions, no conversions of texts, no time: what a
//! rule judges must follow from records.
//!
//! Bounds: [`TEXT_BYTES_MAX`], [`NESTING_MAX`], [`STEPS_MAX`].

mod compiled;
mod evaluation;
mod inputs;
mod mistakes;
mod syntax;
mod tokens;
mod tree;
mod value;

use std::sync::Arc;

pub use inputs::{Fact, Formula, INPUTS_MAX, Input, Statistic};
pub use value::Value;

use compiled::{Compiler, Node};
use serde::Serialize;
use value::Type;

/// Longest text of an expression, in bytes.
pub const TEXT_BYTES_MAX: usize = 2_000;
/// Most brackets within brackets, and most operators within operators: neither parser nor evaluation goes deeper.
pub const NESTING_MAX: usize = 24;
/// Most steps of one evaluation, counted before it is ever done: a list's macro counts for each of its elements.
pub const STEPS_MAX: u32 = 1_000;

/// Why a text is no expression that a rule can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Beyond [`TEXT_BYTES_MAX`].
    #[error("the expression has {0} bytes, and {TEXT_BYTES_MAX} are the most: make two rules of it")]
    TooLong(usize),
    /// Beyond [`NESTING_MAX`].
    #[error(
        "the expression is nested deeper than {NESTING_MAX}: make two rules of it, one of which looks at the other's alarm"
    )]
    TooDeep,
    /// Beyond [`STEPS_MAX`].
    #[error("the expression may take {0} steps, and {STEPS_MAX} are the most: use shorter lists")]
    TooCostly(u32),
    /// Not CEL.
    #[error("the expression is not understood at line {line}, column {column}: {why}")]
    Syntax {
        /// From 1 on.
        line: usize,
        /// In characters, from 1 on.
        column: usize,
        /// What is wrong, and what to write instead.
        why: String,
    },
    /// A name or a type that does not fit, or what this subset does not have.
    #[error("in the expression, {0}")]
    Type(String),
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// By zero, of either kind of number.
    #[error("a division by zero")]
    DivisionByZero,
    /// A number too large for its kind, or none.
    #[error("a number that is too large, or none")]
    Overflow,
    /// An element that a list does not have.
    #[error("an element that its list does not have")]
    NoElement,
    /// A fact that the outfall's dossier does not have.
    #[error("a fact that the dossier does not have: ask has(outfall.…) first")]
    NoFact,
}

/// A checked expression. Two of one text and one scope are the same.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    root: Arc<Node>,
    steps: u32,
    asks_outfall: bool,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl Expression {
    /// Parses and checks a text in which these variables have these types, in this order.
    ///
    /// # Errors
    /// [`ExpressionError`] for the first fault.
    pub(crate) fn parse(text: &str, variables: &[(String, Type)]) -> Result<Expression, ExpressionError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(ExpressionError::TooLong(text.len()));
        }
        let tree = syntax::parse(text)?;
        let mut compiler = Compiler::new(variables);
        let (root, kind, steps) = compiler.compile(&tree)?;
        if kind != Type::Bool {
            return Err(ExpressionError::Type(format!(
                "the whole is {kind}, and must be bool: compare it with something"
            )));
        }
        if steps > STEPS_MAX {
            return Err(ExpressionError::TooCostly(steps));
        }
        Ok(Expression { text: text.into(), root: Arc::new(root), steps, asks_outfall: compiler.asks_outfall })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Most steps of an evaluation.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// Whether it holds for values of `value` and of the inputs, in their order, and facts in that of [`Fact::ALL`].
    ///
    /// # Errors
    /// [`Fault`]; [`Fault::NoElement`] also where there are fewer values than names.
    pub fn holds(&self, values: Vec<Value>, facts: &[Option<Value>]) -> Result<bool, Fault> {
        self.root.holds(values, facts)
    }
}

#[cfg(test)]
mod tests;
