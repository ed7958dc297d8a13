//! From a checked tree and values to an answer.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Fault;
use super::compiled::{Node, Quantifier};
use super::tree::Arithmetic;
use super::value::Value;

/// What a node is evaluated with.
struct Scope<'s> {
    values: Vec<Value>,
    facts: &'s [Option<Value>],
}

impl Node {
    pub(super) fn holds(&self, values: Vec<Value>, facts: &[Option<Value>]) -> Result<bool, Fault> {
        self.truth(&mut Scope { values, facts })
    }

    /// Of a node that was checked to be bool.
    fn truth(&self, scope: &mut Scope<'_>) -> Result<bool, Fault> {
        Ok(self.value(scope)? == Value::Bool(true))
    }

    fn value(&self, scope: &mut Scope<'_>) -> Result<Value, Fault> {
        Ok(match self {
            Node::Constant(value) => value.clone(),
            Node::Variable(place) => scope.values.get(*place).cloned().ok_or(Fault::NoElement)?,
            Node::Fact(place) => scope.facts.get(*place).cloned().flatten().ok_or(Fault::NoFact)?,
            Node::HasFact(place) => Value::Bool(scope.facts.get(*place).is_some_and(Option::is_some)),
            Node::Not(node) => Value::Bool(!node.truth(scope)?),
            Node::Minus(node) => match node.value(scope)? {
                Value::Int(value) => Value::Int(value.checked_neg().ok_or(Fault::Overflow)?),
                Value::Double(value) => Value::Double(-value),
                other => other,
            },
            Node::And(nodes) => Value::Bool(decided(nodes, false, scope)?),
            Node::Or(nodes) => Value::Bool(decided(nodes, true, scope)?),
            Node::Choice(nodes) => {
                let [condition, yes, no] = &**nodes;
                if condition.truth(scope)? { yes.value(scope)? } else { no.value(scope)? }
            }
            Node::Equal(nodes, is_equal) => {
                Value::Bool((nodes[0].value(scope)? == nodes[1].value(scope)?) == *is_equal)
            }
            Node::Compare(nodes, order) => {
                let (one, two) = (nodes[0].value(scope)?, nodes[1].value(scope)?);
                Value::Bool(compare(&one, &two).is_some_and(order))
            }
            Node::Arithmetic(nodes, operator) => {
                let (one, two) = (nodes[0].value(scope)?, nodes[1].value(scope)?);
                arithmetic(*operator, &one, &two)?
            }
            Node::In(nodes) => {
                let one = nodes[0].value(scope)?;
                let Value::List(all) = nodes[1].value(scope)? else { return Err(Fault::NoElement) };
                Value::Bool(all.contains(&one))
            }
            Node::Index(nodes) => {
                let (Value::List(all), Value::Int(at)) = (nodes[0].value(scope)?, nodes[1].value(scope)?) else {
                    return Err(Fault::NoElement);
                };
                usize::try_from(at).ok().and_then(|at| all.get(at)).cloned().ok_or(Fault::NoElement)?
            }
            Node::Size(node) => {
                let size = match node.value(scope)? {
                    Value::List(all) => all.len(),
                    Value::Text(text) => text.chars().count(),
                    _ => 0,
                };
                Value::Int(i64::try_from(size).map_err(|_| Fault::Overflow)?)
            }
            Node::Int(node) => match node.value(scope)? {
                Value::Double(value) => Value::Int(whole(value)?),
                other => other,
            },
            Node::Double(node) => match node.value(scope)? {
                Value::Int(value) => Value::Double(value as f64),
                other => other,
            },
            Node::List(nodes) => {
                Value::List(nodes.iter().map(|node| node.value(scope)).collect::<Result<Arc<[Value]>, Fault>>()?)
            }
            Node::Quantified(nodes, quantifier) => Value::Bool(quantified(nodes, *quantifier, scope)?),
        })
    }
}

/// `&&` where `by` is false, `||` where it is true: one side that decides is enough, whatever is wrong with the other
/// (langdef.md, Logical Operators).
fn decided(nodes: &[Node; 2], by: bool, scope: &mut Scope<'_>) -> Result<bool, Fault> {
    let one = nodes[0].truth(scope);
    if one == Ok(by) {
        return Ok(by);
    }
    match (one, nodes[1].truth(scope)) {
        (_, Ok(two)) if two == by => Ok(by),
        (Err(fault), _) | (_, Err(fault)) => Err(fault),
        (Ok(_), Ok(two)) => Ok(two),
    }
}

/// `all` and `exists` are `&&` and `||` of their elements; `exists_one` has no answer where one element has none.
fn quantified(nodes: &[Node; 2], quantifier: Quantifier, scope: &mut Scope<'_>) -> Result<bool, Fault> {
    let Value::List(all) = nodes[0].value(scope)? else { return Err(Fault::NoElement) };
    let (mut fault, mut count) = (None, 0u32);
    for element in all.iter() {
        scope.values.push(element.clone());
        let holds = nodes[1].truth(scope);
        scope.values.pop();
        match (holds, quantifier) {
            (Ok(false), Quantifier::All) => return Ok(false),
            (Ok(true), Quantifier::Exists) => return Ok(true),
            (Ok(holds), _) => count += u32::from(holds),
            (Err(why), Quantifier::ExistsOne) => return Err(why),
            (Err(why), _) => fault = fault.or(Some(why)),
        }
    }
    match (fault, quantifier) {
        (Some(fault), _) => Err(fault),
        (None, Quantifier::All) => Ok(true),
        (None, Quantifier::Exists) => Ok(false),
        (None, Quantifier::ExistsOne) => Ok(count == 1),
    }
}

fn compare(one: &Value, two: &Value) -> Option<Ordering> {
    match (one, two) {
        (Value::Int(one), Value::Int(two)) => Some(one.cmp(two)),
        (Value::Double(one), Value::Double(two)) => one.partial_cmp(two),
        (Value::Int(one), Value::Double(two)) => (*one as f64).partial_cmp(two),
        (Value::Double(one), Value::Int(two)) => one.partial_cmp(&(*two as f64)),
        (Value::Text(one), Value::Text(two)) => Some(one.cmp(two)),
        _ => None,
    }
}

fn arithmetic(operator: Arithmetic, one: &Value, two: &Value) -> Result<Value, Fault> {
    match (one, two) {
        (Value::Int(_), Value::Int(0)) if matches!(operator, Arithmetic::Divide | Arithmetic::Remainder) => {
            Err(Fault::DivisionByZero)
        }
        (Value::Int(one), Value::Int(two)) => {
            let result = match operator {
                Arithmetic::Add => one.checked_add(*two),
                Arithmetic::Subtract => one.checked_sub(*two),
                Arithmetic::Multiply => one.checked_mul(*two),
                Arithmetic::Divide => one.checked_div(*two),
                Arithmetic::Remainder => one.checked_rem(*two),
            };
            result.map(Value::Int).ok_or(Fault::Overflow)
        }
        (Value::Double(one), Value::Double(two)) => {
            let result = match operator {
                Arithmetic::Add => one + two,
                Arithmetic::Subtract => one - two,
                Arithmetic::Multiply => one * two,
                Arithmetic::Divide if *two == 0.0 => return Err(Fault::DivisionByZero),
                Arithmetic::Divide | Arithmetic::Remainder => one / two,
            };
            // Infinity is beyond every limit, and would accuse.
            if result.is_finite() { Ok(Value::Double(result)) } else { Err(Fault::Overflow) }
        }
        _ => Err(Fault::Overflow),
    }
}

/// Toward zero.
fn whole(value: f64) -> Result<i64, Fault> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "within its bounds, which are exact powers of two")]
    let whole = |value: f64| value.trunc() as i64;
    if value > -BOUND && value < BOUND { Ok(whole(value)) } else { Err(Fault::Overflow) }
}
