//! What is understood, what is refused, and what it says. `tests/system/expressions.rs` compares it with Google's CEL.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn variables() -> Vec<(String, Type)> {
    [("value", Type::Double), ("cod", Type::Double), ("flow", Type::Double), ("gate", Type::Bool)]
        .map(|(name, kind)| (name.to_owned(), kind))
        .to_vec()
}

/// `value` 2, `cod` 55.5, `flow` 0, `gate` true; an outfall in use, of which nobody says whether it is toxic.
fn values() -> Vec<Value> {
    vec![Value::Double(2.0), Value::Double(55.5), Value::Double(0.0), Value::Bool(true)]
}

fn facts() -> [Option<Value>; 6] {
    let text = |text: &str| Some(Value::Text(text.into()));
    [
        text("urban_stormwater"),
        text("in_use"),
        Some(Value::Bool(true)),
        Some(Value::Bool(false)),
        Some(Value::Bool(false)),
        None,
    ]
}

fn said(text: &str) -> String {
    match Expression::parse(text, &variables()) {
        Err(error) => error.to_string(),
        Ok(expression) => match expression.holds(values(), &facts()) {
            Ok(holds) => holds.to_string(),
            Err(fault) => fault.to_string(),
        },
    }
}

fn check(texts: &[&str], expected: Expect) {
    let shown: String = texts.iter().map(|text| format!("{text}  =>  {}\n", said(text))).collect();
    expected.assert_eq(&shown);
}

#[test]
fn it_says_what_the_language_says() {
    for (text, holds) in [
        ("cod > 50.0 && !(flow > 0.0)", true),
        ("cod > 50 && gate", true),
        ("cod >= 55.5 && cod <= 55.5 && cod < 56 && 55 < cod", true),
        ("cod == 55.5 && cod != 55.4 && gate == true", true),
        ("1 + 2 * 3 == 7 && 7 / 2 == 3 && -7 / 2 == -3 && 7 % 3 == 1 && -7 % 3 == -1", true),
        ("7.0 / 2.0 == 3.5 && -(3) < 0 && 2 - 3 == -1", true),
        ("cod + 0.5 == 56.0 && cod - 0.5 == 55.0 && cod * 2.0 == 111.0 && -(cod) == -55.5", true),
        ("3 + 0 == 3 && 3 - 0 == 3 && 3 * 0 == 0 && 0 / 3 == 0 && 0 % 3 == 0", true),
        ("gate ? cod > 50.0 : cod > 80.0", true),
        ("(flow > 0.0 ? 'a' : 'b') == 'b'", true),
        ("outfall.state in ['merged', 'abolished']", false),
        ("outfall.class == 'urban_stormwater' && outfall.flood_safety", true),
        ("has(outfall.toxic)", false),
        ("has(outfall.toxic) && outfall.toxic", false),
        ("size([1, 2, 3]) == 3 && size('入河') == 2", true),
        ("[1, 2, 3].all(x, x > 0) && [1, 2].exists(x, x == 2) && [1, 2].exists_one(x, x == 2)", true),
        ("[1, 1].exists_one(x, x == 1)", false),
        ("[[1], [2, 3]].exists(list, list.all(x, x > 1))", true),
        ("[10, 20][1] == 20", true),
        ("double(3) == 3.0 && int(3.9) == 3 && int(-3.9) == -3", true),
        ("int(9223372036854774784.0) > 0 && int(-9223372036854774784.0) < 0", true),
        ("'a' < 'b' && 'b' <= 'b'", true),
        // One side that decides is enough, whatever is wrong with the other (langdef.md, Logical Operators).
        ("1 / 0 > 1 || true", true),
        ("true || 1 / 0 > 1", true),
        ("1 / 0 > 1 && false", false),
        ("false && 1 / 0 > 1", false),
        ("[1, 0].exists(x, 1 / x == 1)", true),
        ("[0, 1].exists(x, 1 / x == 1)", true),
        ("[0, 1].all(x, 1 / x == 2)", false),
        ("true ? true : 1 / 0 > 1", true),
    ] {
        assert_eq!(said(text), holds.to_string(), "{text}");
    }
}

#[test]
fn arithmetic_that_has_no_answer_is_a_fault_and_accuses_nobody() {
    check(
        &[
            "cod / flow > 1.0",
            "0.0 / flow > 1.0 || false",
            "1 / 0 > 1",
            "1 % 0 > 1",
            "9223372036854775807 + 1 > 0",
            "-9223372036854775807 - 2 < 0",
            "1e308 * 10.0 > 1.0",
            "int(1e30) > 1",
            "int(9223372036854775808.0) > 1",
            "int(-9223372036854775808.0) < 1",
            "[1][1] > 0",
            "[1][-1] > 0",
            "outfall.toxic",
            "[0].all(x, 1 / x > 0)",
            "[1, 0].exists_one(x, 1 / x == 1)",
        ],
        expect![[r#"
            cod / flow > 1.0  =>  a division by zero
            0.0 / flow > 1.0 || false  =>  a division by zero
            1 / 0 > 1  =>  a division by zero
            1 % 0 > 1  =>  a division by zero
            9223372036854775807 + 1 > 0  =>  a number that is too large, or none
            -9223372036854775807 - 2 < 0  =>  a number that is too large, or none
            1e308 * 10.0 > 1.0  =>  a number that is too large, or none
            int(1e30) > 1  =>  a number that is too large, or none
            int(9223372036854775808.0) > 1  =>  a number that is too large, or none
            int(-9223372036854775808.0) < 1  =>  a number that is too large, or none
            [1][1] > 0  =>  an element that its list does not have
            [1][-1] > 0  =>  an element that its list does not have
            outfall.toxic  =>  a fact that the dossier does not have: ask has(outfall.…) first
            [0].all(x, 1 / x > 0)  =>  a division by zero
            [1, 0].exists_one(x, 1 / x == 1)  =>  a division by zero
        "#]],
    );
}

#[test]
fn mistakes_are_told_when_the_file_is_checked() {
    check(
        &[
            "cod",
            "cod * 2 > 50.0",
            "cod && gate",
            "cod > 'a'",
            "cod == 55",
            "!cod",
            "-gate",
            "gate + 1 > 0",
            "1 in ['a']",
            "1 in 1",
            "cod[0] > 1",
            "cod.state == 'in_use'",
            "codd > 50.0",
            "outfall.name == 'x'",
            "cod.value > 1.0",
            "[1, 'a'].exists(x, x == 1)",
            "[].all(x, x)",
            "cod.all(x, x > 1)",
            "[1, 2].all(x, x)",
            "[1, 2].map(x, x > 1)[0]",
            "'abc'.matches('a*')",
            "timestamp('2026-01-01T00:00:00Z') > 1",
            "{'a': 1}['a'] == 1",
            "null == null",
            "1u < 2u",
            "gate ? 1 : 2.0",
            "5 % 2.0 > 1.0",
            "cod >",
            "cod > 50.0 gate",
            "cod > = 50.0",
            "",
            "outfall",
            "has(cod)",
        ],
        expect![[r#"
            cod  =>  in the expression, the whole is double, and must be bool: compare it with something
            cod * 2 > 50.0  =>  in the expression, `*` cannot be had of double and int: write a number with a point, as 2.0, or convert by int(…) or double(…)
            cod && gate  =>  in the expression, `&&` cannot be had of double and bool
            cod > 'a'  =>  in the expression, `>` cannot be had of double and string
            cod == 55  =>  in the expression, `==` cannot be had of double and int: write a number with a point, as 2.0, or convert by int(…) or double(…)
            !cod  =>  in the expression, `!` cannot be had of double
            -gate  =>  in the expression, `-` cannot be had of bool
            gate + 1 > 0  =>  in the expression, `+` cannot be had of bool and int
            1 in ['a']  =>  in the expression, `in` cannot be had of int and list of string
            1 in 1  =>  in the expression, `in` cannot be had of int and int
            cod[0] > 1  =>  in the expression, `[]` cannot be had of double and int
            cod.state == 'in_use'  =>  in the expression, `.state` is not known: there are `outfall.class`, `outfall.state`, `outfall.flood_safety`, `outfall.key_water`, `outfall.lake`, `outfall.toxic`
            codd > 50.0  =>  in the expression, `codd` is not known: it has `value`, `cod`, `flow`, `gate`, and `outfall`; name others in `inputs`
            outfall.name == 'x'  =>  in the expression, `.name` is not known: there are `outfall.class`, `outfall.state`, `outfall.flood_safety`, `outfall.key_water`, `outfall.lake`, `outfall.toxic`
            cod.value > 1.0  =>  in the expression, `.value` is not known: there are `outfall.class`, `outfall.state`, `outfall.flood_safety`, `outfall.key_water`, `outfall.lake`, `outfall.toxic`
            [1, 'a'].exists(x, x == 1)  =>  in the expression, a list has int and string: its elements must be of one type
            [].all(x, x)  =>  in the expression, a list is empty
            cod.all(x, x > 1)  =>  in the expression, `all` goes through a list, not double
            [1, 2].all(x, x)  =>  in the expression, `all()` asks each element something that is int, and must be bool
            [1, 2].map(x, x > 1)[0]  =>  in the expression, `map` is not known here, or has other arguments: there are operators, size(), int(), double(), has(), and of lists all, exists, exists_one
            'abc'.matches('a*')  =>  in the expression, `matches` is not known here, or has other arguments: there are operators, size(), int(), double(), has(), and of lists all, exists, exists_one
            timestamp('2026-01-01T00:00:00Z') > 1  =>  in the expression, `timestamp` is not known here, or has other arguments: there are operators, size(), int(), double(), has(), and of lists all, exists, exists_one
            {'a': 1}['a'] == 1  =>  in the expression, there is a map or a message, which rules do not have
            null == null  =>  in the expression, there is a null, bytes, an unsigned or too large a number, which rules do not have
            1u < 2u  =>  in the expression, there is a null, bytes, an unsigned or too large a number, which rules do not have
            gate ? 1 : 2.0  =>  in the expression, `?:` chooses by bool between int and double: it wants bool, and two of one type
            5 % 2.0 > 1.0  =>  in the expression, `%` cannot be had of int and double: both must be int
            cod >  =>  the expression is not understood at line 1, column 6: it ends where a value is missing: write one behind `>`
            cod > 50.0 gate  =>  the expression is not understood at line 1, column 12: `gate` cannot follow a number: write an operator before it, or leave a unit out
            cod > = 50.0  =>  the expression is not understood at line 1, column 7: `=` is not CEL: write `==`
              =>  the expression is not understood at line 1, column 1: there is nothing: write a condition, as value > 50.0
            outfall  =>  in the expression, `outfall` is not known: it has `value`, `cod`, `flow`, `gate`, and `outfall`; name others in `inputs`
            has(cod)  =>  in the expression, has() asks for a fact, as in has(outfall.toxic)
        "#]],
    );
}

#[test]
fn what_would_take_long_is_refused() {
    let short = |text: &str| said(text).chars().take(60).collect::<String>();
    let long = format!("gate || {}", "gate || ".repeat(300) + "gate");
    assert!(short(&long).starts_with("the expression has 2"), "{}", short(&long));
    let deep = |count: usize| format!("{}gate{}", "(".repeat(count), ")".repeat(count));
    assert_eq!(said(&deep(NESTING_MAX)), "true");
    assert!(said(&deep(NESTING_MAX + 1)).contains("nested deeper"), "{}", said(&deep(NESTING_MAX + 1)));
    assert!(said(&format!("{}1 > 0", "1 + ".repeat(200))).contains("nested deeper"));
    let list = format!("[{}]", "1, ".repeat(40) + "1");
    assert!(said(&format!("{list}.all(x, {list}.all(y, x == y))")).contains("steps, and 1000 are the most"));
    assert_eq!(said(&format!("{list}.all(x, x == 1)")), "true");
    // The shorter of two lists says nothing of the longer one.
    let lists = format!("[[1], {list}]");
    assert!(said(&format!("{lists}.all(l, l.all(x, l.all(y, x == y)))")).contains("steps, and 1000 are the most"));
}

/// A box must know before it judges how long that can take: each node is a step, a list's macro asks each of its elements.
#[test]
fn the_steps_are_counted_before_it_is_judged() {
    for (text, steps) in [
        ("gate", 1),
        ("has(outfall.toxic)", 1),
        ("outfall.lake", 1),
        ("!gate", 2),
        ("cod > 50.0", 3),
        ("-(cod) > 50.0", 4),
        ("gate && cod > 50.0", 5),
        ("int(cod) > size('abc')", 5),
        ("double(1) > 0.5", 4),
        // Of two ways the longer one.
        ("gate ? gate : !gate", 4),
        ("gate ? !gate : gate", 4),
        // Whatever is looked for may be the last one.
        ("1 in [1, 2, 3]", 9),
        ("[1, 2, 3][0] == 1", 8),
        // Each element is put in its place and asked.
        ("[1, 2, 3].all(x, x > 0)", 4 + 3 * (1 + 3) + 1),
        ("[[1, 2], [3, 4]].exists(l, l.all(x, x > 0))", 7 + 2 * (1 + 1 + 2 * (1 + 3) + 1) + 1),
        // Within a list, of its longest one.
        ("[[1], [3, 4]].exists(l, l.all(x, x > 0))", 6 + 2 * (1 + 1 + 2 * (1 + 3) + 1) + 1),
        ("[[3, 4], [1]].exists(l, l.all(x, x > 0))", 6 + 2 * (1 + 1 + 2 * (1 + 3) + 1) + 1),
        // A list of a list's length, and of the longer one where either may be meant.
        ("(gate ? [1] : [1, 2, 3]).all(x, x > 0)", (1 + 4 + 1) + 3 * (1 + 3) + 1),
        ("(gate ? [1, 2, 3] : [1]).all(x, x > 0)", (1 + 4 + 1) + 3 * (1 + 3) + 1),
        ("(gate ? [[1]] : [[1, 2]])[0].all(x, x > 0)", (1 + 4 + 1 + 2) + 2 * (1 + 3) + 1),
        ("(gate ? [[1, 2]] : [[1]])[0].all(x, x > 0)", (1 + 4 + 1 + 2) + 2 * (1 + 3) + 1),
    ] {
        let expression = Expression::parse(text, &variables()).unwrap();
        assert_eq!((expression.steps(), expression.text()), (steps, text));
    }
}

/// The most steps and bytes are allowed, one more is not.
#[test]
fn bounds_are_the_last_that_is_allowed() {
    // 2 steps for the list and the macro, and 5 for each element: 1 to make it, 1 to take it, 3 to ask it.
    let costs = |elements: usize, rest: &str| format!("[{}1].all(x, x > 0){rest}", "1,".repeat(elements - 1));
    let steps = |text: &str| Expression::parse(text, &variables()).map(|expression| expression.steps());
    assert_eq!(steps(&costs(199, " && gate")), Ok(999));
    assert_eq!(steps(&costs(199, " && !gate")), Ok(STEPS_MAX));
    assert_eq!(steps(&costs(199, " && !(!gate)")), Err(ExpressionError::TooCostly(STEPS_MAX + 1)));
    let long = |bytes: usize| format!("gate{}", " ".repeat(bytes - 4));
    assert_eq!(steps(&long(TEXT_BYTES_MAX)), Ok(1));
    assert_eq!(steps(&long(TEXT_BYTES_MAX + 1)), Err(ExpressionError::TooLong(TEXT_BYTES_MAX + 1)));
}

/// As a set of rules that is read again is the same, and one that is written otherwise is another.
#[test]
fn an_expression_is_its_text() {
    let parsed = |text: &str| Expression::parse(text, &variables()).unwrap();
    assert_eq!(parsed("gate"), parsed("gate"));
    assert_ne!(parsed("gate"), parsed("gate && gate"));
}

/// Texts of the grammar's words, and of its nodes.
pub(super) fn texts() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "cod",
        "gate",
        "outfall",
        ".state",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "==",
        "<",
        "?",
        ":",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        "1",
        "2.5",
        "9223372036854775808",
        "1e999",
        "true",
        "null",
        "'x'",
        "\"",
        "in",
        "has(",
        "size(",
        ".all(x,",
        ".map(x,",
        "b'a'",
        "r'\\'",
        "'''",
        "//",
        "\n",
        "@",
        "`",
        "é",
        "0x7f",
        "1u",
        "..",
        "?.",
        "[?",
        "\\",
        "\u{0}",
    ]);
    let words = prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "));
    let nested = (
        prop::sample::select(vec!["(", "[", "!", "-", "-(", "{1:", "gate ? 1 : ", "size(", "1+", "gate&&"]),
        0usize..400,
    )
        .prop_map(|(word, count)| word.repeat(count) + "1");
    prop_oneof![
        words,
        nested,
        ".{0,200}",
        any::<Vec<u8>>().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever somebody writes or a platform sends is refused or has an answer, and in little time: no panic, no overflow of
    /// the stack of a thread of 2 MiB.
    #[test]
    fn hostile_texts_are_refused_or_answered(text in texts()) {
        if let Ok(expression) = Expression::parse(&text, &variables()) {
            prop_assert!(expression.steps() <= STEPS_MAX);
            let _ = expression.holds(values(), &facts());
        }
    }
}
