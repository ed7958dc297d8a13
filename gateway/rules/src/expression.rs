//! Conditions in CEL, the Common Expression Language (cel-spec, langdef.md): what no other kind of rule says.
//!
//! ```text
//! text ─► guard (bytes, brackets) ─► cel's parser ─► checked (names, types, depth, steps) ─► Node ─► holds(values): bool
//! ```
//! The syntax is parsed by the `cel` crate. Types are checked before anything is judged, so that a technician sees a mistake
//! when the file is checked and not on the night on which it matters; what is left to fail later is arithmetic. Evaluation is
//! our own because CEL's double division by zero is infinity, which would accuse somebody: here it is a [`Fault`], and so is
//! whatever is no finite number. Else it says what `cel` says, which a test compares.
//!
//! A subset: `bool`, `int`, `double`, `string` and lists of them; `&& || ! ?: == != < <= > >= + - * / % in [] size() int() double()
//! has()` and the macros `all`, `exists`, `exists_one`. No maps, no regular expressions, no conversions of texts, no time: what a
//! rule judges must follow from records.
//!
//! Bounds: [`TEXT_BYTES_MAX`], [`NESTING_MAX`], [`STEPS_MAX`].

mod compiled;
mod evaluation;
mod inputs;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(crate) use compiled::Value;
pub use inputs::{Fact, Formula, INPUTS_MAX, Input, Statistic};

use cel::Env;
use cel::parser::Parser;
use compiled::{Compiler, Node};
use serde::Serialize;

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
    #[error("the expression is not understood at {at}: {why}")]
    Syntax {
        /// Line and column.
        at: String,
        /// By the parser.
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
    pub(crate) fn parse(text: &str, variables: &[(String, compiled::Type)]) -> Result<Expression, ExpressionError> {
        guard(text)?;
        let depth = u16::try_from(2 * NESTING_MAX).unwrap_or(u16::MAX);
        // The parser is others' work, and what it is given is anybody's.
        let parsed = catch_unwind(AssertUnwindSafe(|| parser().max_recursion_depth(depth).parse(text)));
        let broke = || ExpressionError::Syntax { at: "its beginning".into(), why: "the parser gave up".into() };
        let parsed = parsed.map_err(|_| broke())?.map_err(|errors| match errors.errors.first() {
            None => broke(),
            Some(first) => {
                let (line, column) = first.pos;
                // Which of its tokens the parser would rather have seen helps nobody.
                let why = first.msg.lines().next().unwrap_or_default();
                let why = why.split(" expecting ").next().unwrap_or_default().replace("'<EOF>'", "at its end");
                let why = why.chars().take(200).collect();
                ExpressionError::Syntax { at: format!("line {line}, column {column}"), why }
            }
        })?;
        let mut compiler = Compiler::new(variables);
        let (root, kind, steps) = compiler.compile(&parsed, 0)?;
        if kind != compiled::Type::Bool {
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

    /// Whether it holds for values in the order of the variables, and facts in that of [`Fact::ALL`].
    pub(crate) fn holds(&self, values: Vec<Value>, facts: &[Option<Value>]) -> Result<bool, Fault> {
        self.root.holds(values, facts)
    }
}

/// Without macros: those are calls like any other here.
fn parser() -> Parser {
    Env::default().with_optional_support(false).parser()
}

/// Refuses what a parser that goes down with each bracket should not see.
fn guard(text: &str) -> Result<(), ExpressionError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(ExpressionError::TooLong(text.len()));
    }
    let (mut open, mut choices) = (0usize, 0usize);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b'?' => choices += 1,
            _ => {}
        }
        if open.max(choices) > NESTING_MAX {
            return Err(ExpressionError::TooDeep);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
