//! From the text of an expression to its tree.
//!
//! CEL's grammar (cel-spec, langdef.md, Syntax) without what rules do not have, which is known and refused: maps and messages,
//! `null`, bytes, unsigned numbers, a point before a name.
//!
//! ```text
//! Expr     = Or ["?" Or ":" Expr] ;
//! Or       = And {"||" And} ;
//! And      = Relation {"&&" Relation} ;
//! Relation = Sum {("<" | "<=" | ">=" | ">" | "==" | "!=" | "in") Sum} ;
//! Sum      = Product {("+" | "-") Product} ;
//! Product  = Unary {("*" | "/" | "%") Unary} ;
//! Unary    = {"!"} Member | {"-"} Member ;
//! Member   = Primary {"." SELECTOR ["(" [Exprs] ")"] | "[" Expr "]"} ;
//! Primary  = IDENT ["(" [Exprs] ")"] | "(" Expr ")" | "[" [Exprs [","]] "]"
//!          | ["-"] INT | ["-"] DOUBLE | STRING | "true" | "false" ;
//! Exprs    = Expr {"," Expr} ;
//! ```
//! Read once from left to right, never back. `-` before a number is the number's where it stands alone, and an even count of
//! `!` or `-` is none, as in Google's implementations. What is beyond [`NESTING_MAX`] is refused while it is read: brackets
//! within brackets, and levels of the tree. Chains of `||` and of `&&` become low trees, for their order does not matter.

use super::mistakes::{no_operator, no_value, operator_for};
use super::tokens::{Kind, Token, syntax, tokens};
use super::tree::{LEFT, Operator, Tree};
use super::value::{Type, Value};
use super::{ExpressionError, NESTING_MAX};

/// Words that name nothing but may stand behind a point (langdef.md, Syntax: RESERVED).
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The tree of a text.
///
/// # Errors
/// [`ExpressionError::Syntax`], [`ExpressionError::TooDeep`]; [`ExpressionError::Type`] for what rules do not have.
pub(super) fn parse(text: &str) -> Result<Tree, ExpressionError> {
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, open: 0 };
    let whole = parser.expression()?;
    match parser.found().kind {
        Kind::End => Ok(whole.tree),
        _ => parser.lacks(""),
    }
}

/// A tree and its levels below the first.
struct Parsed {
    tree: Tree,
    levels: usize,
}

impl Parsed {
    fn leaf(tree: Tree) -> Parsed {
        Parsed { tree, levels: 0 }
    }

    /// A tree above some others, the highest of which has so many levels.
    fn above(levels: usize, tree: Tree) -> Result<Parsed, ExpressionError> {
        if levels >= NESTING_MAX { Err(ExpressionError::TooDeep) } else { Ok(Parsed { tree, levels: levels + 1 }) }
    }

    fn binary(operator: Operator, one: Parsed, two: Parsed) -> Result<Parsed, ExpressionError> {
        Parsed::above(one.levels.max(two.levels), Tree::Binary(operator, Box::new([one.tree, two.tree])))
    }

    /// A low tree of terms of `||` or `&&`.
    fn chain(operator: Operator, first: Parsed, mut others: Vec<Parsed>) -> Result<Parsed, ExpressionError> {
        let mut right = others.split_off(others.len() / 2).into_iter();
        match right.next() {
            None => Ok(first),
            Some(middle) => {
                let left = Parsed::chain(operator, first, others)?;
                Parsed::binary(operator, left, Parsed::chain(operator, middle, right.collect())?)
            }
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    /// [`Kind::End`] last.
    tokens: Vec<Token<'t>>,
    next: usize,
    /// Brackets that are open.
    open: usize,
}

const END: Token<'static> = Token { kind: Kind::End, text: "", at: usize::MAX };

impl<'t> Parser<'t> {
    fn found(&self) -> &Token<'t> {
        self.tokens.get(self.next).unwrap_or(&END)
    }

    fn before(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.next.checked_sub(1)?)
    }

    fn accept(&mut self, sign: &str) -> bool {
        let is_there = matches!(self.found().kind, Kind::Fixed(found) if found == sign);
        self.next += usize::from(is_there);
        is_there
    }

    /// How many of these are in a row.
    fn count(&mut self, sign: &str) -> usize {
        std::iter::from_fn(|| self.accept(sign).then_some(())).count()
    }

    fn wrong<T>(&self, why: impl Into<String>) -> Result<T, ExpressionError> {
        Err(syntax(self.text, self.found().at, why))
    }

    /// Refuses the word that is found where there could be an operator, or this.
    fn lacks<T>(&self, wanted: &str) -> Result<T, ExpressionError> {
        if self.found().kind == Kind::Fixed("{") {
            return Err(not_had(MAP));
        }
        self.wrong(no_operator(self.before(), self.found(), wanted))
    }

    /// What is within brackets of any kind.
    fn within<T>(
        &mut self,
        read: impl FnOnce(&mut Parser<'t>) -> Result<T, ExpressionError>,
    ) -> Result<T, ExpressionError> {
        if self.open >= NESTING_MAX {
            return Err(ExpressionError::TooDeep);
        }
        self.open += 1;
        let read = read(self);
        self.open -= 1;
        read
    }

    fn expression(&mut self) -> Result<Parsed, ExpressionError> {
        let mut choices = Vec::new();
        let mut last = self.disjunction()?;
        while self.accept("?") {
            let yes = self.disjunction()?;
            if !self.accept(":") {
                return self.lacks(":");
            }
            choices.push((std::mem::replace(&mut last, self.disjunction()?), yes));
        }
        choices.into_iter().rev().try_fold(last, |no, (condition, yes)| {
            let levels = condition.levels.max(yes.levels).max(no.levels);
            Parsed::above(levels, Tree::Choice(Box::new([condition.tree, yes.tree, no.tree])))
        })
    }

    fn disjunction(&mut self) -> Result<Parsed, ExpressionError> {
        self.chain(Operator::Or, |parser| parser.chain(Operator::And, |parser| parser.left(0)))
    }

    fn chain(
        &mut self,
        operator: Operator,
        term: impl Fn(&mut Parser<'t>) -> Result<Parsed, ExpressionError>,
    ) -> Result<Parsed, ExpressionError> {
        let first = term(self)?;
        let mut others = Vec::new();
        while self.accept(operator.as_str()) {
            others.push(term(self)?);
        }
        Parsed::chain(operator, first, others)
    }

    /// Operators of [`LEFT`] from a rank on.
    fn left(&mut self, rank: usize) -> Result<Parsed, ExpressionError> {
        let Some(signs) = LEFT.get(rank) else { return self.unary() };
        let mut one = self.left(rank + 1)?;
        while let Some((_, operator)) = signs.iter().find(|(sign, _)| self.accept(sign)) {
            one = Parsed::binary(*operator, one, self.left(rank + 1)?)?;
        }
        Ok(one)
    }

    fn unary(&mut self) -> Result<Parsed, ExpressionError> {
        let nots = self.count("!");
        let is_number = |token: &Token<'_>| matches!(token.kind, Kind::Int(..) | Kind::Double(_));
        // Behind `!` there may be a sign, but no operator.
        let may_minus = nots == 0 || self.tokens.get(self.next + 1).is_some_and(is_number);
        let minuses = if may_minus { self.count("-") } else { 0 };
        let is_signed = minuses == 1 && is_number(self.found());
        let one = self.member(is_signed)?;
        if nots % 2 == 1 {
            return Parsed::above(one.levels, Tree::Not(Box::new(one.tree)));
        }
        if minuses % 2 == 1 && !is_signed {
            return Parsed::above(one.levels, Tree::Minus(Box::new(one.tree)));
        }
        Ok(one)
    }

    fn member(&mut self, is_negative: bool) -> Result<Parsed, ExpressionError> {
        let mut one = self.primary(is_negative)?;
        loop {
            if self.accept("[") {
                let at = self.within(|parser| parser.closed("]"))?;
                one = Parsed::binary(Operator::Index, one, at)?;
            } else if self.accept(".") {
                let Kind::Name(name) = self.found().kind else {
                    return self.wrong("a point wants a digit or a name behind it, as 1.0 or outfall.class");
                };
                self.next += 1;
                one = match self.accept("(") {
                    true => self.call(Some(one), name)?,
                    // A fact is a name of two words.
                    false if matches!(one.tree, Tree::Name(_)) => {
                        Parsed::leaf(Tree::Select(Box::new(one.tree), name.to_owned()))
                    }
                    false => Parsed::above(one.levels, Tree::Select(Box::new(one.tree), name.to_owned()))?,
                };
            } else {
                return Ok(one);
            }
        }
    }

    fn primary(&mut self, is_negative: bool) -> Result<Parsed, ExpressionError> {
        let found = self.found().clone();
        let (value, kind) = match found.kind {
            Kind::Int(digits, radix) => (self.whole(digits, radix, is_negative)?, Type::Int),
            Kind::Double(digits) => (double(digits, is_negative)?, Type::Double),
            Kind::Text(text) => (Value::Text(text.into()), Type::Text),
            Kind::Fixed("true") => (Value::Bool(true), Type::Bool),
            Kind::Fixed("false") => (Value::Bool(false), Type::Bool),
            Kind::Fixed("null") | Kind::Foreign => return Err(not_had(FOREIGN)),
            Kind::Fixed("{") => return Err(not_had(MAP)),
            Kind::Fixed("(") => {
                self.next += 1;
                return self.within(|parser| parser.closed(")"));
            }
            Kind::Fixed("[") => {
                self.next += 1;
                let (levels, elements) = self.within(|parser| parser.several("]"))?;
                return Parsed::above(levels, Tree::List(elements));
            }
            Kind::Name(name) => return self.named(name),
            Kind::Fixed(_) | Kind::End => return self.wrong(no_value(self.before(), &found)),
        };
        self.next += 1;
        Ok(Parsed::leaf(Tree::Literal(value, kind)))
    }

    fn named(&mut self, name: &str) -> Result<Parsed, ExpressionError> {
        if RESERVED.contains(&name) {
            return self.wrong(format!("`{name}` is a word of CEL that names nothing: take another name"));
        }
        let operator = operator_for(name);
        self.next += 1;
        match (self.accept("("), operator) {
            (true, Some(operator)) => {
                self.next -= 2;
                self.wrong(format!("`{name}` is no operator: write `{operator}`"))
            }
            (true, None) => self.call(None, name),
            (false, _) => Ok(Parsed::leaf(Tree::Name(name.to_owned()))),
        }
    }

    /// Behind its bracket.
    fn call(&mut self, target: Option<Parsed>, name: &str) -> Result<Parsed, ExpressionError> {
        let (levels, arguments) = self.within(|parser| parser.several(")"))?;
        let levels = target.as_ref().map_or(levels, |target| levels.max(target.levels));
        let target = target.map(|target| Box::new(target.tree));
        Parsed::above(levels, Tree::Call { target, name: name.to_owned(), arguments })
    }

    /// One, up to its bracket.
    fn closed(&mut self, bracket: &str) -> Result<Parsed, ExpressionError> {
        let one = self.expression()?;
        if self.accept(bracket) { Ok(one) } else { self.lacks(bracket) }
    }

    /// Any number up to their bracket, and the levels of the highest.
    fn several(&mut self, bracket: &str) -> Result<(usize, Vec<Tree>), ExpressionError> {
        let (mut levels, mut all) = (0, Vec::new());
        let mut is_over = self.accept(bracket);
        while !is_over {
            let one = self.expression()?;
            levels = levels.max(one.levels);
            all.push(one.tree);
            is_over = self.accept(bracket);
            if !is_over && !self.accept(",") {
                return self.lacks(bracket);
            }
            // A list may end with a comma.
            is_over = is_over || (bracket == "]" && self.accept(bracket));
        }
        Ok((levels, all))
    }

    fn whole(&self, digits: &str, radix: u32, is_negative: bool) -> Result<Value, ExpressionError> {
        let sign = if is_negative { "-" } else { "" };
        let value = i64::from_str_radix(&format!("{sign}{digits}"), radix);
        value
            .map(Value::Int)
            .or_else(|_| self.wrong(format!("{sign}{digits} is too large for an int: write a double, as 1e20")))
    }
}

fn double(digits: &str, is_negative: bool) -> Result<Value, ExpressionError> {
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Value::Double(if is_negative { -value } else { value })),
        _ => Err(not_had(FOREIGN)),
    }
}

const FOREIGN: &str = "a null, bytes, an unsigned or too large a number";
const MAP: &str = "a map or a message";

fn not_had(what: &str) -> ExpressionError {
    ExpressionError::Type(format!("there is {what}, which rules do not have"))
}

#[cfg(test)]
mod tests;
