//! From CEL's syntax tree to one that is checked.

use std::cmp::Ordering;

use super::tree::{Arithmetic, Operator, Tree};
use super::value::{Type, Value};
use super::{ExpressionError, Fact};

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
    Arithmetic(Box<[Node; 2]>, Arithmetic),
    In(Box<[Node; 2]>),
    Index(Box<[Node; 2]>),
    Size(Box<Node>),
    Int(Box<Node>),
    Double(Box<Node>),
    List(Vec<Node>),
    Quantified(Box<[Node; 2]>, Quantifier),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    All,
    Exists,
    ExistsOne,
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

    /// No deeper than the tree is.
    pub(super) fn compile(&mut self, tree: &Tree) -> Result<Compiled, ExpressionError> {
        match tree {
            Tree::Literal(value, kind) => Ok((Node::Constant(value.clone()), kind.clone(), 1)),
            Tree::Name(name) => {
                let place = self.variables.iter().rposition(|(known, _)| known == name);
                let place = place.ok_or_else(|| self.unknown(name))?;
                Ok((Node::Variable(place), self.variables[place].1.clone(), 1))
            }
            Tree::Select(of, field) => {
                let place = self.fact(of, field)?;
                Ok((Node::Fact(place), Fact::ALL[place].kind(), 1))
            }
            Tree::List(elements) => self.list(elements),
            Tree::Call { target: None, name, arguments } => self.call(name, arguments),
            Tree::Call { target: Some(list), name, arguments } => self.quantified(name, list, arguments),
            Tree::Not(of) => match self.compile(of)? {
                (node, Type::Bool, steps) => Ok((Node::Not(Box::new(node)), Type::Bool, steps.saturating_add(1))),
                (_, kind, _) => Err(not_of("!", &kind)),
            },
            Tree::Minus(of) => match self.compile(of)? {
                (node, kind, steps) if kind.is_number() => {
                    Ok((Node::Minus(Box::new(node)), kind, steps.saturating_add(1)))
                }
                (_, kind, _) => Err(not_of("-", &kind)),
            },
            Tree::Binary(operator, operands) => {
                let [one, two] = &**operands;
                binary(*operator, self.compile(one)?, self.compile(two)?)
            }
            Tree::Choice(operands) => self.choice(operands),
        }
    }

    fn choice(&mut self, operands: &[Tree; 3]) -> Result<Compiled, ExpressionError> {
        let [condition, yes, no] = operands;
        let (condition, yes, no) = (self.compile(condition)?, self.compile(yes)?, self.compile(no)?);
        if condition.1 != Type::Bool || !yes.1.is_like(&no.1) {
            let why = format!(
                "`?:` chooses by {} between {} and {}: it wants bool, and two of one type",
                condition.1, yes.1, no.1
            );
            return Err(wrong(&why));
        }
        let steps = condition.2.saturating_add(yes.2.max(no.2)).saturating_add(1);
        Ok((Node::Choice(Box::new([condition.0, yes.0, no.0])), yes.1.or(no.1), steps))
    }

    fn unknown(&self, name: &str) -> ExpressionError {
        let known: Vec<String> = self.variables.iter().map(|(name, _)| format!("`{name}`")).collect();
        wrong(&format!("`{name}` is not known: it has {}, and `outfall`; name others in `inputs`", known.join(", ")))
    }

    /// The place of a fact that is asked for as `outfall.FIELD`.
    fn fact(&mut self, of: &Tree, field: &str) -> Result<usize, ExpressionError> {
        let place = match of {
            Tree::Name(name) if name == "outfall" => Fact::ALL.iter().position(|fact| fact.as_str() == field),
            _ => None,
        };
        let known = Fact::ALL.map(|fact| format!("`outfall.{}`", fact.as_str())).join(", ");
        let place = place.ok_or_else(|| wrong(&format!("`.{field}` is not known: there are {known}")))?;
        self.asks_outfall = true;
        Ok(place)
    }

    fn list(&mut self, elements: &[Tree]) -> Result<Compiled, ExpressionError> {
        let (mut nodes, mut kind, mut steps) = (Vec::new(), None::<Type>, 1u32);
        for element in elements {
            let (node, own, cost) = self.compile(element)?;
            kind = match kind {
                Some(kind) if !kind.is_like(&own) => {
                    return Err(wrong(&format!("a list has {kind} and {own}: its elements must be of one type")));
                }
                Some(kind) => Some(kind.or(own)),
                None => Some(own),
            };
            nodes.push(node);
            steps = steps.saturating_add(cost);
        }
        let kind = kind.ok_or_else(|| wrong("a list is empty"))?;
        let length = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        Ok((Node::List(nodes), Type::List(Box::new(kind), length), steps))
    }

    fn call(&mut self, name: &str, arguments: &[Tree]) -> Result<Compiled, ExpressionError> {
        match (name, arguments) {
            ("has", [Tree::Select(of, field)]) => Ok((Node::HasFact(self.fact(of, field)?), Type::Bool, 1)),
            ("has", [_]) => Err(wrong("has() asks for a fact, as in has(outfall.toxic)")),
            ("size" | "int" | "double", [of]) => {
                let (node, kind, steps) = self.compile(of)?;
                let (node, steps) = (Box::new(node), steps.saturating_add(1));
                match (name, &kind) {
                    ("size", Type::List(..) | Type::Text) => Ok((Node::Size(node), Type::Int, steps)),
                    ("int", Type::Int | Type::Double) => Ok((Node::Int(node), Type::Int, steps)),
                    ("double", Type::Int | Type::Double) => Ok((Node::Double(node), Type::Double, steps)),
                    _ => Err(not_of(name, &kind)),
                }
            }
            _ => Err(not_here(name)),
        }
    }

    fn quantified(&mut self, name: &str, list: &Tree, arguments: &[Tree]) -> Result<Compiled, ExpressionError> {
        let (quantifier, variable, body) = match (name, arguments) {
            ("all", [variable, body]) => (Quantifier::All, variable, body),
            ("exists", [variable, body]) => (Quantifier::Exists, variable, body),
            ("exists_one", [variable, body]) => (Quantifier::ExistsOne, variable, body),
            _ => return Err(not_here(name)),
        };
        let (list, kind, cost) = self.compile(list)?;
        let Type::List(of, length) = kind else {
            return Err(wrong(&format!("`{name}` goes through a list, not {kind}")));
        };
        let Tree::Name(variable) = variable else {
            return Err(wrong(&format!("the first word in `{name}()` is a name, as in [1, 2].{name}(x, x > 1)")));
        };
        self.variables.push((variable.clone(), *of));
        let body = self.compile(body);
        self.variables.pop();
        let (body, kind, each) = body?;
        if kind != Type::Bool {
            return Err(wrong(&format!("`{name}()` asks each element something that is {kind}, and must be bool")));
        }
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

fn not_of(what: &str, kind: &Type) -> ExpressionError {
    wrong(&format!("`{what}` cannot be had of {kind}"))
}

fn binary(operator: Operator, one: Compiled, two: Compiled) -> Result<Compiled, ExpressionError> {
    use Operator::{And, Equal, Greater, GreaterEqual, In, Index, Less, LessEqual, NotEqual, Or};
    let (same, numbers) = (one.1.is_like(&two.1), one.1.is_number() && two.1.is_number());
    let both = one.1 == Type::Bool && two.1 == Type::Bool;
    let kind = match (operator, &one.1, &two.1) {
        (And | Or, ..) if both => Ok(Type::Bool),
        (Equal | NotEqual, ..) if same => Ok(Type::Bool),
        (Operator::Arithmetic(Arithmetic::Remainder), Type::Int, Type::Int) => Ok(Type::Int),
        (Operator::Arithmetic(Arithmetic::Remainder), ..) => Err(": both must be int"),
        (Operator::Arithmetic(_), kind, _) if numbers && same => Ok(kind.clone()),
        (Equal | NotEqual | Operator::Arithmetic(_), ..) if numbers => Err(MIXED),
        (Less | LessEqual | Greater | GreaterEqual, ..) if numbers => Ok(Type::Bool),
        (Less | LessEqual | Greater | GreaterEqual, Type::Text, Type::Text) => Ok(Type::Bool),
        (In, kind, Type::List(of, _)) if of.is_like(kind) => Ok(Type::Bool),
        (Index, Type::List(of, _), Type::Int) => Ok((**of).clone()),
        _ => Err(""),
    };
    let unfit = |hint| wrong(&format!("`{}` cannot be had of {} and {}{hint}", operator.as_str(), one.1, two.1));
    let kind = kind.map_err(unfit)?;
    let through = if operator == In { two.1.length() } else { 0 };
    let steps = one.2.saturating_add(two.2).saturating_add(1).saturating_add(through);
    let nodes = Box::new([one.0, two.0]);
    let node = match operator {
        Or => Node::Or(nodes),
        And => Node::And(nodes),
        Less => Node::Compare(nodes, Ordering::is_lt),
        LessEqual => Node::Compare(nodes, Ordering::is_le),
        GreaterEqual => Node::Compare(nodes, Ordering::is_ge),
        Greater => Node::Compare(nodes, Ordering::is_gt),
        Equal | NotEqual => Node::Equal(nodes, operator == Equal),
        In => Node::In(nodes),
        Index => Node::Index(nodes),
        Operator::Arithmetic(operator) => Node::Arithmetic(nodes, operator),
    };
    Ok((node, kind, steps))
}

/// What to do about `flow * 2`.
const MIXED: &str = ": write a number with a point, as 2.0, or convert by int(…) or double(…)";
