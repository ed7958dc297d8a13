//! From CEL's syntax tree to one that is checked.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use super::{ExpressionError, Fact, NESTING_MAX};

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

/// What it came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Arc<str>),
    List(Arc<[Value]>),
}

/// No double here is NaN: what is no number is a [`Fault`].
impl Eq for Value {}

#[derive(Debug)]
pub(super) enum Node {
    Constant(Value),
    /// By its place among the values.
    Variable(usize),
    Fact(usize),
    HasFact(usize),
    Not(Box<Node>),
    Minus(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    Choice(Box<[Node; 3]>),
    Equal(Box<[Node; 2]>, bool),
    /// Less, less or equal, greater, greater or equal.
    Compare(Box<[Node; 2]>, fn(Ordering) -> bool),
    Arithmetic(Box<[Node; 2]>, Operator),
    In(Box<[Node; 2]>),
    Index(Box<[Node; 2]>),
    Size(Box<Node>),
    Int(Box<Node>),
    Double(Box<Node>),
    List(Vec<Node>),
    Quantified(Box<[Node; 2]>, Quantifier),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    All,
    Exists,
    ExistsOne,
}

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
    fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }

    /// Whether values of both can be the same. Lists have no lengths here.
    fn is_like(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::List(one, _), Type::List(two, _)) => one.is_like(two),
            (one, two) => one == two,
        }
    }

    fn length(&self) -> u32 {
        if let Type::List(_, length) = self { *length } else { 1 }
    }
}

/// A node, what it comes to, and its most steps.
type Compiled = (Node, Type, u32);

pub(super) struct Compiler {
    /// The variables in scope, those of macros last.
    variables: Vec<(String, Type)>,
    pub(super) asks_outfall: bool,
}

impl Compiler {
    pub(super) fn new(variables: &[(String, Type)]) -> Compiler {
        Compiler { variables: variables.to_vec(), asks_outfall: false }
    }

    pub(super) fn compile(&mut self, expr: &IdedExpr, depth: usize) -> Result<Compiled, ExpressionError> {
        if depth > NESTING_MAX {
            return Err(ExpressionError::TooDeep);
        }
        match &expr.expr {
            Expr::Literal(literal) => constant(literal),
            Expr::Ident(name) => {
                let place = self.variables.iter().rposition(|(known, _)| known == name);
                let place = place.ok_or_else(|| self.unknown(name))?;
                Ok((Node::Variable(place), self.variables[place].1.clone(), 1))
            }
            Expr::Select(select) => {
                let place = self.fact(&select.operand, &select.field)?;
                Ok((Node::Fact(place), Fact::ALL[place].kind(), 1))
            }
            Expr::List(list) => self.list(&list.elements, depth),
            Expr::Call(call) => self.call(call, depth),
            Expr::Map(_) | Expr::Struct(_) | Expr::Comprehension(_) | Expr::Unspecified => {
                Err(wrong("there is a map or a message, which rules do not have"))
            }
        }
    }

    fn unknown(&self, name: &str) -> ExpressionError {
        let known: Vec<String> = self.variables.iter().map(|(name, _)| format!("`{name}`")).collect();
        wrong(&format!("`{name}` is not known: it has {}, and `outfall`; name others in `inputs`", known.join(", ")))
    }

    /// The place of a fact that is asked for as `outfall.FIELD`.
    fn fact(&mut self, of: &IdedExpr, field: &str) -> Result<usize, ExpressionError> {
        let place = match &of.expr {
            Expr::Ident(name) if name == "outfall" => Fact::ALL.iter().position(|fact| fact.as_str() == field),
            _ => None,
        };
        let known = Fact::ALL.map(|fact| format!("`outfall.{}`", fact.as_str())).join(", ");
        let place = place.ok_or_else(|| wrong(&format!("`.{field}` is not known: there are {known}")))?;
        self.asks_outfall = true;
        Ok(place)
    }

    fn list(&mut self, elements: &[IdedExpr], depth: usize) -> Result<Compiled, ExpressionError> {
        let (mut nodes, mut kind, mut steps) = (Vec::new(), None, 1u32);
        for element in elements {
            let (node, own, cost) = self.compile(element, depth + 1)?;
            let kind = kind.get_or_insert_with(|| own.clone());
            if !kind.is_like(&own) {
                return Err(wrong(&format!("a list has {kind} and {own}: its elements must be of one type")));
            }
            nodes.push(node);
            steps = steps.saturating_add(cost);
        }
        let kind = kind.ok_or_else(|| wrong("a list is empty"))?;
        let length = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        Ok((Node::List(nodes), Type::List(Box::new(kind), length), steps))
    }

    fn call(&mut self, call: &CallExpr, depth: usize) -> Result<Compiled, ExpressionError> {
        let name = call.func_name.as_str();
        match (&call.target, name, call.args.as_slice()) {
            (None, operators::HAS, [of]) => match &of.expr {
                Expr::Select(select) => {
                    let place = self.fact(&select.operand, &select.field)?;
                    Ok((Node::HasFact(place), Type::Bool, 1))
                }
                _ => Err(wrong("has() asks for a fact, as in has(outfall.toxic)")),
            },
            (Some(list), operators::ALL | operators::EXISTS | operators::EXISTS_ONE, [variable, body]) => {
                self.quantified(name, list, (variable, body), depth)
            }
            (None, _, [one]) => {
                let one = self.compile(one, depth + 1)?;
                unary(name, one)
            }
            (None, _, [one, two]) => {
                let (one, two) = (self.compile(one, depth + 1)?, self.compile(two, depth + 1)?);
                binary(name, one, two)
            }
            (None, operators::CONDITIONAL, [one, two, three]) => {
                let condition = self.compile(one, depth + 1)?;
                let (yes, no) = (self.compile(two, depth + 1)?, self.compile(three, depth + 1)?);
                if condition.1 != Type::Bool || !yes.1.is_like(&no.1) {
                    let why = format!(
                        "`?:` chooses by {} between {} and {}: it wants bool, and two of one type",
                        condition.1, yes.1, no.1
                    );
                    return Err(wrong(&why));
                }
                let steps = condition.2.saturating_add(yes.2.max(no.2)).saturating_add(1);
                let kind = if yes.1.length() > no.1.length() { yes.1 } else { no.1 };
                Ok((Node::Choice(Box::new([condition.0, yes.0, no.0])), kind, steps))
            }
            _ => Err(not_here(name)),
        }
    }

    fn quantified(
        &mut self,
        name: &str,
        list: &IdedExpr,
        (variable, body): (&IdedExpr, &IdedExpr),
        depth: usize,
    ) -> Result<Compiled, ExpressionError> {
        let (list, kind, cost) = self.compile(list, depth + 1)?;
        let Type::List(of, length) = kind else {
            return Err(wrong(&format!("`{name}` goes through a list, not {kind}")));
        };
        let Expr::Ident(variable) = &variable.expr else {
            return Err(wrong(&format!("the first word in `{name}()` is a name, as in [1, 2].{name}(x, x > 1)")));
        };
        self.variables.push((variable.clone(), *of));
        let body = self.compile(body, depth + 1);
        self.variables.pop();
        let (body, kind, each) = body?;
        if kind != Type::Bool {
            return Err(wrong(&format!("`{name}()` asks each element something that is {kind}, and must be bool")));
        }
        let quantifier = match name {
            operators::ALL => Quantifier::All,
            operators::EXISTS => Quantifier::Exists,
            _ => Quantifier::ExistsOne,
        };
        let steps = length.saturating_mul(each.saturating_add(1)).saturating_add(cost).saturating_add(1);
        Ok((Node::Quantified(Box::new([list, body]), quantifier), Type::Bool, steps))
    }
}

fn wrong(why: &str) -> ExpressionError {
    ExpressionError::Type(why.to_owned())
}

fn not_here(name: &str) -> ExpressionError {
    wrong(&format!(
        "`{name}` is not known here, or has other arguments: there are operators, size(), int(), double(), has(), and of lists all, exists, exists_one"
    ))
}

fn constant(literal: &LiteralValue) -> Result<Compiled, ExpressionError> {
    let (value, kind) = match literal {
        LiteralValue::Boolean(value) => (Value::Bool(*value.inner()), Type::Bool),
        LiteralValue::Int(value) => (Value::Int(*value.inner()), Type::Int),
        LiteralValue::Double(value) if value.inner().is_finite() => (Value::Double(*value.inner()), Type::Double),
        LiteralValue::String(value) => (Value::Text(value.inner().into()), Type::Text),
        _ => return Err(wrong("there is a null, bytes, an unsigned or too large a number, which rules do not have")),
    };
    Ok((Node::Constant(value), kind, 1))
}

fn unary(name: &str, (node, kind, steps): Compiled) -> Result<Compiled, ExpressionError> {
    let steps = steps.saturating_add(1);
    let node = Box::new(node);
    match (name, &kind) {
        (operators::LOGICAL_NOT, Type::Bool) => Ok((Node::Not(node), Type::Bool, steps)),
        (operators::NEGATE, Type::Int | Type::Double) => Ok((Node::Minus(node), kind, steps)),
        ("size", Type::List(..) | Type::Text) => Ok((Node::Size(node), Type::Int, steps)),
        ("int", Type::Int | Type::Double) => Ok((Node::Int(node), Type::Int, steps)),
        ("double", Type::Int | Type::Double) => Ok((Node::Double(node), Type::Double, steps)),
        (operators::LOGICAL_NOT | operators::NEGATE | "size" | "int" | "double", _) => {
            Err(wrong(&format!("`{}` cannot be had of {kind}", name.trim_matches('_'))))
        }
        _ => Err(not_here(name)),
    }
}

fn binary(name: &str, one: Compiled, two: Compiled) -> Result<Compiled, ExpressionError> {
    let shown = name.trim_matches(['_', '@']);
    let unfit = |hint: &str| wrong(&format!("`{shown}` cannot be had of {} and {}{hint}", one.1, two.1));
    let (same, numbers) = (one.1.is_like(&two.1), one.1.is_number() && two.1.is_number());
    let both = one.1 == Type::Bool && two.1 == Type::Bool;
    let operator = match name {
        operators::ADD => Some(Operator::Add),
        operators::SUBSTRACT => Some(Operator::Subtract),
        operators::MULTIPLY => Some(Operator::Multiply),
        operators::DIVIDE => Some(Operator::Divide),
        operators::MODULO => Some(Operator::Remainder),
        _ => None,
    };
    let order: Option<fn(Ordering) -> bool> = match name {
        operators::LESS => Some(Ordering::is_lt),
        operators::LESS_EQUALS => Some(Ordering::is_le),
        operators::GREATER => Some(Ordering::is_gt),
        operators::GREATER_EQUALS => Some(Ordering::is_ge),
        _ => None,
    };
    let steps = one.2.saturating_add(two.2).saturating_add(1);
    let kind = match (name, operator, order) {
        (operators::LOGICAL_AND | operators::LOGICAL_OR, ..) if both => Type::Bool,
        (operators::EQUALS | operators::NOT_EQUALS, ..) if same => Type::Bool,
        (operators::EQUALS | operators::NOT_EQUALS, ..) if numbers => return Err(unfit(MIXED)),
        (_, Some(Operator::Remainder), _) if one.1 == Type::Int && same => Type::Int,
        (_, Some(Operator::Remainder), _) => return Err(unfit(": both must be int")),
        (_, Some(_), _) if numbers && same => one.1.clone(),
        (_, Some(_), _) if numbers => return Err(unfit(MIXED)),
        (_, _, Some(_)) if numbers || (same && one.1 == Type::Text) => Type::Bool,
        (operators::IN, ..) if matches!(&two.1, Type::List(of, _) if of.is_like(&one.1)) => Type::Bool,
        (operators::INDEX, ..) => match (&one.1, &two.1) {
            (Type::List(of, _), Type::Int) => (**of).clone(),
            _ => return Err(unfit("")),
        },
        (
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::EQUALS | operators::NOT_EQUALS | operators::IN,
            ..,
        ) => {
            return Err(unfit(""));
        }
        (_, Some(_), _) | (_, _, Some(_)) => return Err(unfit("")),
        _ => return Err(not_here(name)),
    };
    let steps = if name == operators::IN { steps.saturating_add(two.1.length()) } else { steps };
    let nodes = Box::new([one.0, two.0]);
    let node = match (name, operator, order) {
        (_, Some(operator), _) => Node::Arithmetic(nodes, operator),
        (_, _, Some(order)) => Node::Compare(nodes, order),
        (operators::LOGICAL_AND, ..) => Node::And(nodes),
        (operators::LOGICAL_OR, ..) => Node::Or(nodes),
        (operators::IN, ..) => Node::In(nodes),
        (operators::INDEX, ..) => Node::Index(nodes),
        _ => Node::Equal(nodes, name == operators::EQUALS),
    };
    Ok((node, kind, steps))
}

/// What to do about `flow * 2`.
const MIXED: &str = ": write a number with a point, as 2.0, or convert by int(…) or double(…)";
