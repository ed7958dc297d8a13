//! Texts and their trees, by hand from langdef.md; and what holds of any text.

use proptest::prelude::*;

use super::*;

/// A tree with a bracket around each of its parts that has parts.
fn printed(tree: &Tree) -> String {
    let is_one = |tree: &Tree| match tree {
        Tree::Literal(Value::Int(value), _) => *value >= 0,
        Tree::Literal(Value::Double(value), _) => value.is_sign_positive(),
        Tree::Literal(..) => true,
        Tree::Name(_) | Tree::Select(..) | Tree::List(_) | Tree::Call { .. } => true,
        Tree::Binary(operator, _) => *operator == Operator::Index,
        Tree::Not(_) | Tree::Minus(_) | Tree::Choice(_) => false,
    };
    let within = |tree: &Tree| if is_one(tree) { printed(tree) } else { format!("({})", printed(tree)) };
    let several = |all: &[Tree]| all.iter().map(printed).collect::<Vec<_>>().join(", ");
    match tree {
        Tree::Literal(Value::Text(text), _) => quoted(text),
        Tree::Literal(Value::Bool(value), _) => value.to_string(),
        Tree::Literal(Value::Int(value), _) => value.to_string(),
        Tree::Literal(Value::Double(value), _) => format!("{value:?}"),
        Tree::Literal(Value::List(_), _) => unreachable!("no literal is a list"),
        Tree::Name(name) => name.clone(),
        Tree::Select(of, field) => format!("{}.{field}", within(of)),
        Tree::List(elements) => format!("[{}]", several(elements)),
        Tree::Call { target: None, name, arguments } => format!("{name}({})", several(arguments)),
        Tree::Call { target: Some(of), name, arguments } => format!("{}.{name}({})", within(of), several(arguments)),
        Tree::Not(of) => format!("!{}", within(of)),
        // Without brackets the sign would be the number's.
        Tree::Minus(of) if printed(of).starts_with(|c: char| c.is_ascii_digit()) => format!("-({})", printed(of)),
        Tree::Minus(of) => format!("-{}", within(of)),
        Tree::Binary(Operator::Index, of) => format!("{}[{}]", within(&of[0]), printed(&of[1])),
        Tree::Binary(operator, of) => format!("{} {} {}", within(&of[0]), operator.as_str(), within(&of[1])),
        Tree::Choice(of) => format!("{} ? {} : {}", within(&of[0]), within(&of[1]), within(&of[2])),
    }
}

fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '\'' | '\\' => format!("\\{c}"),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        c => c.into(),
    };
    format!("'{}'", text.chars().map(escaped).collect::<String>())
}

fn nodes(tree: &Tree) -> usize {
    1 + match tree {
        Tree::Literal(..) | Tree::Name(_) => 0,
        Tree::Select(of, _) | Tree::Not(of) | Tree::Minus(of) => nodes(of),
        Tree::List(of) => of.iter().map(nodes).sum(),
        Tree::Call { target, arguments, .. } => {
            target.as_deref().map_or(0, nodes) + arguments.iter().map(nodes).sum::<usize>()
        }
        Tree::Binary(_, of) => of.iter().map(nodes).sum(),
        Tree::Choice(of) => of.iter().map(nodes).sum(),
    }
}

fn shown(text: &str) -> String {
    parse(text).map_or_else(|error| error.to_string(), |tree| printed(&tree))
}

#[test]
fn precedence_and_order_are_those_of_the_language() {
    for (text, tree) in [
        // Table of precedence.
        ("a || b && c", "a || (b && c)"),
        ("a && b || c && d", "(a && b) || (c && d)"),
        ("a && b == c", "a && (b == c)"),
        ("a == b + c", "a == (b + c)"),
        ("a + b * c - d", "(a + (b * c)) - d"),
        ("a - b - c", "(a - b) - c"),
        ("a / b % c * d", "((a / b) % c) * d"),
        ("a < b == c", "(a < b) == c"),
        ("a in b in c", "(a in b) in c"),
        ("a < b < c >= d", "((a < b) < c) >= d"),
        ("-a * b", "(-a) * b"),
        ("a * -b", "a * (-b)"),
        ("a--b", "a - (-b)"),
        ("!a && b", "(!a) && b"),
        ("!a == b", "(!a) == b"),
        ("-a.b", "-a.b"),
        ("-a[0]", "-a[0]"),
        ("!a.f(b)", "!a.f(b)"),
        ("a ? b : c ? d : e", "a ? b : (c ? d : e)"),
        ("a || b ? c || d : e || f", "(a || b) ? (c || d) : (e || f)"),
        ("(a ? b : c) ? d : e", "(a ? b : c) ? d : e"),
        ("a ? (b ? c : d) : e", "a ? (b ? c : d) : e"),
        ("(a + b) * c", "(a + b) * c"),
        // An even count of signs is none.
        ("!!a", "a"),
        ("!!!a", "!a"),
        ("--a", "a"),
        ("- - -a", "-a"),
        ("--1", "1"),
        // The sign of a number.
        ("-1", "-1"),
        ("- 1", "-1"),
        ("1-1", "1 - 1"),
        ("1 - -1", "1 - (-1)"),
        ("-1[0]", "(-1)[0]"),
        ("-(1)", "-(1)"),
        ("!-1", "!(-1)"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-0x8000000000000000", "-9223372036854775808"),
        ("0xfF", "255"),
        ("007", "7"),
        ("-1.5", "-1.5"),
        (".5", "0.5"),
        ("1e3", "1000.0"),
        ("1.5E-1", "0.15"),
        ("2e+1", "20.0"),
        // Members.
        ("a.b.c", "a.b.c"),
        ("a . b", "a.b"),
        ("a.if", "a.if"),
        ("a.package()", "a.package()"),
        ("f()", "f()"),
        ("f(a, b).c[d].e(g)", "f(a, b).c[d].e(g)"),
        ("1.e", "1.e"),
        ("[a, [b], [],]", "[a, [b], []]"),
        ("[1, 2][0]", "[1, 2][0]"),
        ("1in[1]", "1 in [1]"),
        ("internal in inner", "internal in inner"),
        ("trueish", "trueish"),
        // Blanks and comments.
        ("a\t\n\r\u{c} &&b", "a && b"),
        ("a // && c\n&& b // so", "a && b"),
        ("a //", "a"),
        // Chains of one operator become low.
        ("a || b || c || d", "(a || b) || (c || d)"),
        ("a && b && c", "(a && b) && c"),
    ] {
        assert_eq!(shown(text), tree, "{text}");
    }
}

#[test]
fn texts_are_those_of_the_language() {
    for (text, is) in [
        ("''", ""),
        ("\"\"", ""),
        ("''''''", ""),
        ("'a\"b'", "a\"b"),
        ("\"a'b\"", "a'b"),
        ("'''a'b''c'''", "a'b''c"),
        ("\"\"\"a\"b\n\"\"\"", "a\"b\n"),
        ("'''a\r\nb\rc'''", "a\nb\nc"),
        (r"'\a\b\f\n\r\t\v'", "\u{7}\u{8}\u{c}\n\r\t\u{b}"),
        (r#"'\\\?\"\'\`'"#, "\\?\"'`"),
        (r"'\x41\X5a\101\000\377'", "AZA\0ÿ"),
        (r"'\u5165\U00006cb3'", "入河"),
        (r"'\U0010ffff'", "\u{10ffff}"),
        (r"r'\n'", "\\n"),
        (r"R'\'", "\\"),
        (r#"r"\""#, "\\"),
        ("r'''\\'\n'''", "\\'\n"),
        ("'入河排污口'", "入河排污口"),
        ("'// no comment'", "// no comment"),
    ] {
        assert_eq!(parse(text), Ok(Tree::Literal(Value::Text(is.into()), Type::Text)), "{text}");
    }
}

#[test]
fn what_is_no_tree_is_told_with_what_to_write_instead() {
    let texts = [
        "",
        "cod >",
        "cod > 50.0 gate",
        "cod > = 50.0",
        "cod = 50.0",
        "cod === 50.0",
        "cod !== 50.0",
        "cod <> 50.0",
        "cod => 50.0",
        "cod =< 50.0",
        "cod >< 50.0",
        "gate & flow",
        "gate | flow",
        "gate and flow",
        "gate OR flow",
        "not gate",
        "not(gate)",
        "cod is 5",
        "cod > 50mg",
        "cod > 1,5",
        "cod > 1.",
        "cod > 50.0;",
        "cod > 50.0 # so",
        "cod ^ 2",
        "`cod` > 1",
        "(cod > 50.0",
        "cod > 50.0)",
        "[1, 2",
        "[1 2]",
        "[,]",
        "f(a,)",
        "f(a b)",
        "gate ? 1",
        "gate ? a ? 1 : 2 : 3",
        "gate : 1",
        "!-cod",
        "-!gate",
        "+cod > 1",
        "1 * / 2",
        "&& gate",
        ".cod > 1",
        "cod. > 1",
        "outfall.in",
        "if > 1",
        "while(1)",
        "'a",
        "\"a\nb\"",
        "'''a",
        r"'\q'",
        r"'\ud800'",
        r"'\x4'",
        "9223372036854775808",
        "-9223372036854775809",
        "--9223372036854775808",
        "(cod ＞ 50.0）",
        "（cod > 50.0)",
        "cod ＝ 50.0",
        "outfall.state == “in_use”",
        "cod ≥ 50.0 且 gate",
        "入河 > 1",
        "cod\u{3000}> 1",
        "cod >\u{a0}1",
        "cod > 1\u{0}",
        "gate &&\n  cod > '入' @",
        "[?1]",
        "a?.b",
    ];
    let told: String = texts.map(|text| format!("{}  =>  {}\n", text.escape_debug(), shown(text))).concat();
    expect_test::expect![[r##"
          =>  line 1, column 1: there is nothing: write a condition, as value > 50.0
        cod >  =>  line 1, column 6: it ends where a value is missing: write one behind `>`
        cod > 50.0 gate  =>  line 1, column 12: `gate` cannot follow a number: write an operator before it, or leave a unit out
        cod > = 50.0  =>  line 1, column 7: `=` is not CEL: write `==`
        cod = 50.0  =>  line 1, column 5: `=` is not CEL: write `==`
        cod === 50.0  =>  line 1, column 5: `===` is not CEL: write `==`
        cod !== 50.0  =>  line 1, column 5: `!==` is not CEL: write `!=`
        cod <> 50.0  =>  line 1, column 5: `<>` is not CEL: write `!=`
        cod => 50.0  =>  line 1, column 5: `=>` is not CEL: write `>=`
        cod =< 50.0  =>  line 1, column 5: `=<` is not CEL: write `<=`
        cod >< 50.0  =>  line 1, column 6: `<` stands where a value is missing: write one behind `>`
        gate & flow  =>  line 1, column 6: `&` is not CEL: write `&&`
        gate | flow  =>  line 1, column 6: `|` is not CEL: write `||`
        gate and flow  =>  line 1, column 6: `and` is no operator: write `&&`
        gate OR flow  =>  line 1, column 6: `OR` is no operator: write `||`
        not gate  =>  line 1, column 5: `not` is no operator: write `!`
        not(gate)  =>  line 1, column 1: `not` is no operator: write `!`
        cod is 5  =>  line 1, column 5: `is` is no operator: write `==`
        cod > 50mg  =>  line 1, column 9: `mg` cannot follow a number: write an operator before it, or leave a unit out
        cod > 1,5  =>  line 1, column 8: `,` is in no number: write a point, as 1.5
        cod > 1.  =>  line 1, column 9: a point wants a digit or a name behind it, as 1.0 or outfall.class
        cod > 50.0;  =>  line 1, column 11: there is one condition only: leave `;` out, and write `&&` between two
        cod > 50.0 # so  =>  line 1, column 12: `#` begins no comment here: write `//`
        cod ^ 2  =>  line 1, column 5: `^` is not CEL: write a power as a product
        `cod` > 1  =>  line 1, column 1: names are written without `: leave it out
        (cod > 50.0  =>  line 1, column 12: it ends, and `)` is missing: write it where it belongs
        cod > 50.0)  =>  line 1, column 11: `)` belongs to nothing: leave it out
        [1, 2  =>  line 1, column 6: it ends, and `]` is missing: write it where it belongs
        [1 2]  =>  line 1, column 4: `2` cannot follow `1`: write an operator between them, as && or >
        [,]  =>  line 1, column 2: `,` stands where a value is missing: write one behind `[`
        f(a,)  =>  line 1, column 5: `)` stands where a value is missing: write one behind `,`
        f(a b)  =>  line 1, column 5: `b` cannot follow `a`: write an operator between them, as && or >
        gate ? 1  =>  line 1, column 9: it ends, and `:` is missing: write it where it belongs
        gate ? a ? 1 : 2 : 3  =>  line 1, column 10: `?` stands within another `? :`: write brackets around the inner one
        gate : 1  =>  line 1, column 6: `:` belongs to nothing: leave it out
        !-cod  =>  line 1, column 2: `!` and `-` do not mix: write brackets, as !(-x > 1)
        -!gate  =>  line 1, column 2: `-` and `!` do not mix: write brackets, as !(-x > 1)
        +cod > 1  =>  line 1, column 1: no condition begins with `+`: leave it out, or write a value before it
        1 * / 2  =>  line 1, column 5: `/` stands where a value is missing: write one behind `*`
        && gate  =>  line 1, column 1: no condition begins with `&&`: leave it out, or write a value before it
        .cod > 1  =>  line 1, column 1: a name begins with no point here: leave it out, or write a digit before it
        cod. > 1  =>  line 1, column 6: a point wants a digit or a name behind it, as 1.0 or outfall.class
        outfall.in  =>  line 1, column 9: a point wants a digit or a name behind it, as 1.0 or outfall.class
        if > 1  =>  line 1, column 1: `if` is a word of CEL that names nothing: take another name
        while(1)  =>  line 1, column 1: `while` is a word of CEL that names nothing: take another name
        \'a  =>  line 1, column 1: the text that begins here has no end: write ' behind it
        \"a\nb\"  =>  line 1, column 1: the text that begins here has no end in its line: write " behind it
        \'\'\'a  =>  line 1, column 1: the text that begins here has no end: write ''' behind it
        \'\\q\'  =>  line 1, column 2: no sign is written like this: write \\ for a backslash, or r'…' around the text
        \'\\ud800\'  =>  line 1, column 2: no sign is written like this: write \\ for a backslash, or r'…' around the text
        \'\\x4\'  =>  line 1, column 2: no sign is written like this: write \\ for a backslash, or r'…' around the text
        9223372036854775808  =>  line 1, column 1: 9223372036854775808 is too large for an int: write a double, as 1e20
        -9223372036854775809  =>  line 1, column 2: -9223372036854775809 is too large for an int: write a double, as 1e20
        --9223372036854775808  =>  line 1, column 3: 9223372036854775808 is too large for an int: write a double, as 1e20
        (cod ＞ 50.0）  =>  line 1, column 6: `＞` is a full-width sign: write `>`, with the keyboard set to English
        （cod > 50.0)  =>  line 1, column 1: `（` is a full-width sign: write `(`, with the keyboard set to English
        cod ＝ 50.0  =>  line 1, column 5: `＝` is a full-width sign: write `==`, with the keyboard set to English
        outfall.state == “in_use”  =>  line 1, column 18: `“` is not CEL: write `"`, with the keyboard set to English
        cod ≥ 50.0 且 gate  =>  line 1, column 5: `≥` is not CEL: write `>=`, with the keyboard set to English
        入河 > 1  =>  line 1, column 1: `入` is in no name: names have letters a-z, digits and _, and texts stand in quotes
        cod\u{3000}> 1  =>  line 1, column 4: there is a space of another kind (\u{3000}): write an ordinary one
        cod >\u{a0}1  =>  line 1, column 6: there is a space of another kind (\u{a0}): write an ordinary one
        cod > 1\0  =>  line 1, column 8: `\0` means nothing here: leave it out
        gate &&\n  cod > \'入\' @  =>  line 2, column 13: `@` means nothing here: leave it out
        [?1]  =>  line 1, column 2: `?` stands where a value is missing: write one behind `[`
        a?.b  =>  line 1, column 3: a name begins with no point here: leave it out, or write a digit before it
    "##]].assert_eq(&told.replace("the expression is not understood at ", ""));
}

#[test]
fn what_rules_do_not_have_is_known() {
    let foreign =
        "in the expression, there is a null, bytes, an unsigned or too large a number, which rules do not have";
    for text in ["null", "b'a'", "B\"\"", "br'a'", "bR'''a'''", "1u", "0x1U", "1e999", "-1e999", "cod == null"] {
        assert_eq!(shown(text), foreign, "{text}");
    }
    for text in ["{}", "{'a': 1}", "a.b{c: 1}", "a{}", "f({1: 2})"] {
        assert_eq!(shown(text), "in the expression, there is a map or a message, which rules do not have", "{text}");
    }
}

#[test]
fn depth_is_bounded_and_length_is_not() {
    let is_too_deep = |text: String| parse(&text) == Err(ExpressionError::TooDeep);
    let deep = [("(", ")"), ("[", "]"), ("f(", ")"), ("a[", "]"), ("a.f(", ")"), ("!(", ")"), ("-(", ")")];
    for (begin, end) in deep {
        let text = |count: usize| format!("{}a{}", begin.repeat(count), end.repeat(count));
        assert!(!is_too_deep(text(NESTING_MAX)), "{begin}");
        assert!(is_too_deep(text(NESTING_MAX + 1)), "{begin}");
    }
    for chain in ["a + ", "a < ", "a ? b : ", "1 * "] {
        assert!(!is_too_deep(chain.repeat(NESTING_MAX) + "a"), "{chain}");
        assert!(is_too_deep(chain.repeat(NESTING_MAX + 1) + "a"), "{chain}");
    }
    assert!(is_too_deep(format!("a{}", "[0]".repeat(NESTING_MAX + 1))));
    // A fact is a name of two words.
    assert!(!is_too_deep(format!("a{}", ".b".repeat(NESTING_MAX + 1))));
    assert!(is_too_deep(format!("a{}", ".b".repeat(NESTING_MAX + 2))));
    // Of these there may be as many as fit.
    for chain in ["a || ", "a && ", "!!", "--", "a && b || ", "(a) || ", "[a][0] && ", "f(a) || "] {
        assert!(parse(&(chain.repeat(300) + "a")).is_ok(), "{chain}");
    }
    assert!(parse(&format!("[{}]", "1, ".repeat(900))).is_ok());
}

fn tree() -> impl Strategy<Value = Tree> {
    let name = || prop::sample::select(vec!["cod", "gate", "x", "not", "_", "and", "inner"]).prop_map(str::to_owned);
    let field = || prop::sample::select(vec!["state", "if", "all", "not"]).prop_map(str::to_owned);
    let function = || prop::sample::select(vec!["has", "size", "f"]).prop_map(str::to_owned);
    let leaf = prop_oneof![
        name().prop_map(Tree::Name),
        any::<bool>().prop_map(|value| Tree::Literal(Value::Bool(value), Type::Bool)),
        any::<i64>().prop_map(|value| Tree::Literal(Value::Int(value), Type::Int)),
        prop::num::f64::NORMAL.prop_map(|value| Tree::Literal(Value::Double(value), Type::Double)),
        ".{0,8}".prop_map(|text| Tree::Literal(Value::Text(text.into()), Type::Text)),
        Just(Tree::Literal(Value::Int(i64::MIN), Type::Int)),
    ];
    leaf.prop_recursive(5, 60, 4, move |part| {
        let boxed = || part.clone().prop_map(Box::new);
        let two = || [part.clone(), part.clone()];
        let operators: Vec<Operator> =
            LEFT.iter().copied().flatten().map(|(_, operator)| *operator).chain([Operator::Index]).collect();
        let several = || prop::collection::vec(part.clone(), 0..4);
        prop_oneof![
            // A sign before a sign would be none, and so would one before a number.
            boxed().prop_map(|of| if matches!(*of, Tree::Not(_)) { *of } else { Tree::Not(of) }),
            boxed().prop_map(|of| if matches!(*of, Tree::Minus(_)) { *of } else { Tree::Minus(of) }),
            (prop::sample::select(operators), two()).prop_map(|(operator, of)| Tree::Binary(operator, Box::new(of))),
            (prop::sample::select(vec![Operator::Or, Operator::And]), two())
                .prop_map(|(operator, of)| Tree::Binary(operator, Box::new(of))),
            [part.clone(), part.clone(), part.clone()].prop_map(|of| Tree::Choice(Box::new(of))),
            several().prop_map(Tree::List),
            (boxed(), field()).prop_map(|(of, field)| Tree::Select(of, field)),
            (function(), several()).prop_map(|(name, arguments)| Tree::Call { target: None, name, arguments }),
            (boxed(), field(), several()).prop_map(|(of, name, arguments)| Tree::Call {
                target: Some(of),
                name,
                arguments
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_tree_is_parsed_to_itself(tree in tree()) {
        let text = printed(&tree);
        prop_assert_eq!(parse(&text), Ok(tree), "{}", text);
    }

    /// No word is read twice: there are no more nodes than words, nor more words than characters.
    #[test]
    fn work_is_linear(text in super::super::tests::texts()) {
        let Ok(tokens) = tokens(&text) else { return Ok(()) };
        prop_assert!(tokens.len() <= text.chars().count() + 1, "{}", text);
        let Ok(tree) = parse(&text) else { return Ok(()) };
        prop_assert!(nodes(&tree) < tokens.len(), "{}", text);
    }

    /// A place is in the text, or at its end.
    #[test]
    fn places_are_within(text in super::super::tests::texts()) {
        if let Err(ExpressionError::Syntax { line, column, why }) = parse(&text) {
            let of_line = text.split('\n').nth(line - 1).map(|line| line.chars().count());
            prop_assert!(of_line.is_some_and(|count| column <= count + 1), "{}: {}:{}", text, line, column);
            prop_assert!(!why.is_empty() && why.chars().count() < 250, "{}", why);
        }
    }
}
