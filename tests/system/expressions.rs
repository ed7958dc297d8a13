//! Expressions of rules beside Google's own CEL (cel-cpp): what is understood, what is refused, what it comes to.

use std::fmt::Write as _;

use rules::{ExpressionError, Fault, Formula, Input, Value};
use serde_json::json;
use system_tests::Peer;

use crate::random::Random;

/// Expressions of each kind. `WEIR_EXPRESSIONS` takes another number.
const TEXTS: u64 = 4_000;

const SEED: u64 = 0x1405;

/// What both have; `value` is the reading, `gate` an alarm.
const DOUBLES: [(&str, f64); 3] = [("value", 2.0), ("cod", 55.5), ("flow", 0.0)];

/// What is no CEL here by design, as it is told, though it is CEL.
const NARROWER: [&str; 7] = [
    "a name begins with no point here",
    "names are written without `",
    "nested deeper than",
    "may take",
    "where a value is missing: write one behind `[`", // `[,]` is an empty list, which is none here anyway
    "a null, bytes, an unsigned or too large a number",
    "there is a map or a message",
];

/// Types that do not fit here by design, as it is told, though CEL has them fit.
const STRICTER: [&str; 12] = [
    "the whole is",
    "a list is empty",
    "its elements must be of one type",
    "`+` cannot be had of string and string",
    "`+` cannot be had of list of",
    "cannot be had of bool and bool", // an order of bools
    "is not known here, or has other arguments",
    "cannot be had of double and int",
    "cannot be had of int and double",
    "is not known: there are `outfall.class`",
    "is not known: it has `value`", // as types, which are values there
    "goes through a list, not",
];

/// Where a text may have a double, which is never infinite here.
const DOUBLE: [&str; 10] = ["cod", "flow", "value", "double", "0.5", ".25", "1.5", "7.5", "e3", "E-1"];

/// What is no CEL in Google's by a fault of its own: a backslash that ends a raw text in three quotes is no escape.
const FAULTY: &str = "Invalid string literal: String must end with";

/// What a text comes to here.
enum Said {
    Refused(ExpressionError),
    Answer(bool),
    Fault(Fault),
}

fn said(text: &str) -> Said {
    let inputs = DOUBLES[1..].iter().map(|(name, _)| (*name, Input::Newest("cod".parse().unwrap())));
    let gate = ("gate", Input::Alarm { rule: record::RuleId::new("gate").unwrap(), device: None });
    let inputs = inputs.chain([gate]).map(|(name, input)| (name.to_owned(), input)).collect();
    let formula = match Formula::new(text, inputs, 0) {
        Ok(formula) => formula,
        Err(error) => return Said::Refused(error),
    };
    let values = DOUBLES.iter().map(|(_, value)| Value::Double(*value)).chain([Value::Bool(true)]).collect();
    let facts = [Some(Value::Text("urban_stormwater".into())), Some(Value::Text("in_use".into()))];
    let facts: Vec<Option<Value>> = facts.into_iter().chain([Some(Value::Bool(true)), None, None, None]).collect();
    match formula.expression.holds(values, &facts) {
        Ok(answer) => Said::Answer(answer),
        Err(fault) => Said::Fault(fault),
    }
}

/// What Google's CEL says of each.
fn oracle(texts: &[String]) -> Vec<serde_json::Value> {
    let folder = tempfile::TempDir::with_prefix("weir-").unwrap();
    let file = folder.path().join("texts.jsonl");
    let lines: String = texts.iter().map(|text| format!("{}\n", json!(text))).collect();
    std::fs::write(&file, lines).unwrap();
    let mut names: serde_json::Map<_, _> =
        DOUBLES.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    names.insert("gate".into(), json!(true));
    let outfall = json!({ "class": "urban_stormwater", "state": "in_use", "flood_safety": true });
    names.insert("outfall".into(), outfall);
    let peer = Peer::new("cel_oracle.py").with("--texts", file.display()).with("--names", json!(names));
    let mut told = peer.run().exits(0).lines;
    assert_eq!(told.pop(), Some(json!({ "texts": texts.len() })));
    told
}

/// Compares each, and tells how many have an answer here, and how many are no CEL.
fn compare(texts: &[String]) -> (usize, usize) {
    let (mut answers, mut refused, mut differ) = (0, 0, String::new());
    for (text, told) in texts.iter().zip(oracle(texts)) {
        let own = said(text);
        answers += usize::from(matches!(own, Said::Answer(_)));
        refused += usize::from(told.get("refused").is_some());
        if let Err(why) = agree(text, &own, &told) {
            writeln!(differ, "{text:?}: {why}, and CEL says {told}").unwrap();
        }
    }
    assert!(differ.is_empty(), "{differ}");
    (answers, refused)
}

fn agree(text: &str, own: &Said, told: &serde_json::Value) -> Result<(), String> {
    let is_refused = told["refused"].as_str().is_some_and(|why| !why.contains(FAULTY));
    let is_faulty = told.get("refused").is_some() && !is_refused;
    match own {
        Said::Refused(error) => {
            let why = error.to_string();
            let listed = |list: &[&str]| list.iter().any(|part| why.contains(part));
            match error {
                _ if told.get("refused").is_some() || listed(&NARROWER) => Ok(()),
                // What CEL finds when it is judged is found here when it is checked.
                ExpressionError::Type(_) if told["checked"] == false || told.get("fault").is_some() => Ok(()),
                ExpressionError::Type(_) if listed(&STRICTER) => Ok(()),
                _ => Err(why),
            }
        }
        Said::Answer(_) | Said::Fault(_) if is_faulty => Ok(()),
        Said::Answer(answer) if told["answer"] == *answer => Ok(()),
        Said::Answer(answer) => Err(answer.to_string()),
        Said::Fault(_) if is_refused => Err("a fault".into()),
        Said::Fault(_) if told.get("fault").is_some() => Ok(()),
        // CEL's doubles become infinite, or no number.
        Said::Fault(_) if DOUBLE.iter().any(|part| text.contains(part)) => Ok(()),
        Said::Fault(fault) => Err(fault.to_string()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Double,
    Text,
    Ints,
}

/// A text, and how strongly its outermost operator binds: the rank of langdef.md's table, 0 the least.
type Part = (String, u32);

const MEMBER: u32 = 7;

/// Writes expressions: their types fit, brackets stand where they must and sometimes elsewhere, blanks anywhere.
struct Author(Random);

impl Author {
    fn chance(&mut self, of: u64) -> bool {
        self.0.below(of) == 0
    }

    fn blank(&mut self) -> String {
        match self.0.below(24) {
            0..14 => " ".into(),
            14..20 => String::new(),
            20 => "\n\t ".into(),
            21 => " // && ' (\n".into(),
            22 => "\r\n".into(),
            _ => "   ".into(),
        }
    }

    /// As an operand of what binds so strongly.
    fn within(&mut self, (text, rank): Part, least: u32) -> String {
        if rank < least || self.chance(12) {
            let (before, after) = (self.blank(), self.blank());
            return format!("({before}{text}{after})");
        }
        text
    }

    fn leaf(&mut self, kind: Kind) -> String {
        let of: &[&str] = match kind {
            Kind::Bool => {
                &["gate", "true", "false", "outfall.flood_safety", "has(outfall.toxic)", "has(outfall.state)"]
            }
            Kind::Int => &["0", "1", "2", "7", "-3", "0x1F", "-0x2", "9223372036854775807", "-9223372036854775808"],
            Kind::Double => &["cod", "flow", "value", "0.5", ".25", "-1.5", "1e3", "2.5E-1", "1e300", "7.5"],
            Kind::Text => &[
                "'a'",
                "\"a\"",
                "'in_use'",
                "outfall.state",
                "outfall . class",
                "r'\\n'",
                "'''it's\r\n'''",
                "R\"\"\"a\"\\b\"\"\"",
                "'\\x61'",
                "'\\u5165\\n'",
                "'\\141\\?'",
                "''",
                "'入河'",
                "'// no'",
                "\"\\\"\"",
            ],
            Kind::Ints => &["[0, 1, 2]", "[1]", "[7,]", "[-1,0x2]"],
        };
        (*self.0.one_of(of)).to_owned()
    }

    fn expression(&mut self, kind: Kind, levels: u32) -> Part {
        if levels == 0 || self.chance(6) {
            let leaf = self.leaf(kind);
            let rank = if leaf.starts_with('-') { 6 } else { MEMBER };
            return (leaf, rank);
        }
        let levels = levels - 1;
        match (kind, self.0.below(10)) {
            (_, 0) => self.choice(kind, levels),
            (Kind::Bool, 1..4) => {
                self.binary(levels, (Kind::Bool, Kind::Bool), &[("&&", 2), ("||", 1), ("==", 3), ("!=", 3)])
            }
            (Kind::Bool, 4) => self.signs("!", Kind::Bool, levels),
            (Kind::Bool, 5) => self.binary(levels, (Kind::Int, Kind::Ints), &[(" in ", 3)]),
            (Kind::Bool, 6) => self.quantified(levels),
            (Kind::Bool, 7) => self.binary(levels, (Kind::Text, Kind::Text), ORDER),
            (Kind::Bool, 8) => self.binary(levels, (Kind::Int, Kind::Double), &ORDER[..4]),
            (Kind::Bool, _) => {
                let kind = *self.0.one_of(&[Kind::Int, Kind::Double]);
                self.binary(levels, (kind, kind), ORDER)
            }
            (Kind::Int, 1..6) => {
                self.binary(levels, (Kind::Int, Kind::Int), &[("+", 4), ("-", 4), ("*", 5), ("/", 5), ("%", 5)])
            }
            (Kind::Double, 1..7) => {
                self.binary(levels, (Kind::Double, Kind::Double), &[("+", 4), ("-", 4), ("*", 5), ("/", 5)])
            }
            (Kind::Int | Kind::Double, 6 | 7) => self.signs("-", kind, levels),
            (Kind::Int, 8) => {
                let list = self.operand(Kind::Ints, levels, MEMBER);
                let at = self.expression(Kind::Int, levels).0;
                (format!("{list}[{at}]"), MEMBER)
            }
            (Kind::Int, _) => {
                let (name, of) = *self.0.one_of(&[("size", Kind::Text), ("size", Kind::Ints), ("int", Kind::Double)]);
                let blank = self.blank();
                (format!("{name}({blank}{})", self.expression(of, levels).0), MEMBER)
            }
            (Kind::Double, _) => (format!("double({})", self.expression(Kind::Int, levels).0), MEMBER),
            (Kind::Ints, _) => {
                let (one, two) = (self.expression(Kind::Int, levels).0, self.expression(Kind::Int, levels).0);
                (format!("[{one},{two}]"), MEMBER)
            }
            (Kind::Text, _) => self.choice(kind, levels),
        }
    }

    fn operand(&mut self, kind: Kind, levels: u32, least: u32) -> String {
        let part = self.expression(kind, levels);
        self.within(part, least)
    }

    fn choice(&mut self, kind: Kind, levels: u32) -> Part {
        let (by, yes) = (self.operand(Kind::Bool, levels, 1), self.operand(kind, levels, 1));
        let (no, blank) = (self.operand(kind, levels, 0), self.blank());
        (format!("{by}{blank}?{blank}{yes} :{blank}{no}"), 0)
    }

    /// From left to right.
    fn binary(&mut self, levels: u32, (left, right): (Kind, Kind), signs: &[(&str, u32)]) -> Part {
        let (sign, rank) = *self.0.one_of(signs);
        let (one, two) = (self.operand(left, levels, rank), self.operand(right, levels, rank + 1));
        let (before, after) = (self.blank(), self.blank());
        (format!("{one}{before}{sign}{after}{two}"), rank)
    }

    fn signs(&mut self, sign: &str, kind: Kind, levels: u32) -> Part {
        let count = 1 + self.0.index(3);
        let blank = self.blank();
        (format!("{}{blank}{}", sign.repeat(count), self.operand(kind, levels, MEMBER)), 6)
    }

    fn quantified(&mut self, levels: u32) -> Part {
        let list = self.operand(Kind::Ints, levels, MEMBER);
        let name = *self.0.one_of(&["all", "exists", "exists_one"]);
        let (one, sign) = (self.operand(Kind::Int, levels, 4), self.0.one_of(ORDER).0);
        let of = *self.0.one_of(&["x", "7 / x", "-x", "x * x - 1", "size(outfall.state) % x"]);
        (format!("{list}.{name}(x, {of} {sign} {one})"), MEMBER)
    }

    /// A text with something less, more, twice or elsewhere.
    fn broken(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..=self.0.below(2) {
            let at = self.0.index(chars.len() + 1);
            match self.0.below(4) {
                0 if at < chars.len() => drop(chars.remove(at)),
                1 if at + 1 < chars.len() => chars.swap(at, at + 1),
                2 if at < chars.len() => chars.truncate(at),
                _ => {
                    let word: Vec<char> = self.0.one_of(WORDS).chars().collect();
                    chars.splice(at..at, word);
                }
            }
        }
        chars.into_iter().collect()
    }

    fn words(&mut self) -> String {
        let count = 1 + self.0.index(9);
        (0..count).map(|_| format!("{}{}", self.0.one_of(WORDS), self.0.one_of(&["", " "]))).collect()
    }
}

const ORDER: &[(&str, u32)] = &[("<", 3), ("<=", 3), (">", 3), (">=", 3), ("==", 3), ("!=", 3)];

/// The language's words and others.
const WORDS: &[&str] = &[
    "cod",
    "gate",
    "outfall",
    "outfall.state",
    ".state",
    ".",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">=",
    "=",
    "?",
    ":",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "1",
    "0x",
    "0xg",
    "2.5",
    "1e",
    "1.",
    ".5",
    "9223372036854775808",
    "1u",
    "true",
    "null",
    "in",
    "if",
    "and",
    "'x'",
    "\"",
    "'",
    "'''",
    "\"\"\"",
    "\\",
    "\\q",
    "r'\\'",
    "b'a'",
    "'\\ud800'",
    "'\\400'",
    "has(",
    "size(",
    ".all(x,",
    ".exists(",
    "//",
    "\n",
    "\r",
    "\u{c}",
    "\u{b}",
    "@",
    "`",
    "é",
    "（",
    "#",
    ";",
    "&",
    "|",
    "^",
    "~",
    "?.",
    "[?",
    "..",
    "e5",
    "x",
    "\u{0}",
    "\u{a0}",
];

fn count() -> u64 {
    std::env::var("WEIR_EXPRESSIONS").map_or(TEXTS, |text| text.parse().expect("WEIR_EXPRESSIONS"))
}

#[test]
fn what_fits_comes_to_what_it_comes_to_in_cel() {
    let mut author = Author(Random(SEED));
    let texts: Vec<String> = (0..count()).map(|_| author.expression(Kind::Bool, 4).0).collect();
    let (answers, refused) = compare(&texts);
    println!("{} expressions: {answers} have an answer, {refused} are no CEL", texts.len());
    assert!(answers * 2 > texts.len(), "most have an answer: {answers} of {}", texts.len());
}

#[test]
fn what_is_no_cel_is_refused_and_what_is_left_of_it_means_the_same() {
    let mut author = Author(Random(SEED + 1));
    let texts: Vec<String> = (0..count())
        .map(|number| match number % 3 {
            0 => author.words(),
            _ => {
                let text = author.expression(Kind::Bool, 3).0;
                author.broken(&text)
            }
        })
        .collect();
    let (answers, refused) = compare(&texts);
    println!("{} texts: {answers} have an answer, {refused} are no CEL", texts.len());
    assert!(refused * 3 > texts.len() && answers * 20 > texts.len(), "{refused} and {answers} of {}", texts.len());
}
