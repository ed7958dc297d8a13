//! What comes out of files that are read together.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use toml::{Table, Value};

use super::compose;
use crate::origin::{Step, walk};
use crate::tree::{Kind, NAME, tree};

fn composed(main: &str, drop_ins: &[&str]) -> super::Composed {
    let names: Vec<String> = (0..drop_ins.len()).map(|nth| format!("{nth}.toml")).collect();
    let drop_ins: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(drop_ins.iter().copied()).collect();
    compose(main, &drop_ins).unwrap_or_else(|malformed| panic!("{}: {}", malformed.nth, malformed.source))
}

fn check(main: &str, drop_ins: &[&str], expected: Expect) {
    expected.assert_eq(&composed(main, drop_ins).text);
}

#[test]
fn later_files_win_key_by_key_and_tables_are_merged() {
    check(
        "# the box\nbox = \"outfall-1\"\n\n[mqtt]\n# who may come\nlisten = \"127.0.0.1:1883\" # here\nconnections_max = 64\n\n[gwmp]\nenabled = true\n",
        &[
            "box = \"outfall-2\"\n[mqtt]\nlisten = \"10.0.0.1:1883\"\n",
            "# why\nmqtt.listen = \"10.0.0.2:1883\"\n[commit]\nlinger_ms = 50\n[mqtt.tls]\ncert = \"a\"\n",
        ],
        expect![[r##"
            # the box
            box = "outfall-2"  # 0.toml:1

            [mqtt]
            # who may come
            listen = "10.0.0.2:1883"  # 1.toml:2
            connections_max = 64

            [mqtt.tls]
            cert = "a"  # 1.toml:6

            [gwmp]
            enabled = true

            [commit]
            linger_ms = 50  # 1.toml:4
        "##]],
    );
}

#[test]
fn entries_with_a_name_are_merged_and_others_added() {
    check(
        "[[destination]]\nname = \"city\"\nurl = \"https://a\"\n[destination.backoff]\nbase_ms = 1\n\n[[destination]]\nname = \"province\"\nurl = \"https://b\"\n",
        &[
            "[[destination]]\nname = \"city\"\nproxy = \"http://p\"\n[destination.backoff]\nceiling_ms = 9\n[destination.budget]\nday_mb = 5\n\n[[destination]]\nname = \"state\"\nurl = \"https://c\"\n[destination.budget]\nday_mb = 7\n",
        ],
        expect![[r#"
            [[destination]]
            name = "city"  # 0.toml:2
            url = "https://a"
            proxy = "http://p"  # 0.toml:3
            [destination.backoff]
            base_ms = 1
            ceiling_ms = 9  # 0.toml:5

            [destination.budget]
            day_mb = 5  # 0.toml:7

            [[destination]]
            name = "province"
            url = "https://b"

            [[destination]]
            name = "state"  # 0.toml:10
            url = "https://c"  # 0.toml:11

            [destination.budget]
            day_mb = 7  # 0.toml:13
        "#]],
    );
}

#[test]
fn lists_and_other_kinds_are_replaced_whole() {
    check(
        "networks = [\"10.0.0.0/8\"]\ntls = { cert = \"a\", key = \"b\" }\nplace = 3\n[serial]\nodd = 1\n",
        &[
            "networks = [\n  \"192.168.0.0/16\", # the site\n  \"172.16.0.0/12\",\n]\ntls = { key = \"c\" }\nplace = \"x\"\n[[serial]]\nname = \"s\"\n",
        ],
        expect![[r#"
            networks = [
              "192.168.0.0/16", # the site
              "172.16.0.0/12",
            ]  # 0.toml:1
            place = "x"  # 0.toml:6

            [tls]
            cert = "a"
            key = "c"  # 0.toml:5

            [[serial]]
            name = "s"  # 0.toml:8
        "#]],
    );
}

#[test]
fn two_entries_of_one_name_in_one_file_stay_two() {
    check(
        "",
        &["[[serial]]\nname = \"s\"\n[[serial]]\nname = \"s\"\n"],
        expect![[r#"
            [[serial]]
            name = "s"  # 0.toml:2

            [[serial]]
            name = "s"  # 0.toml:4
        "#]],
    );
}

#[test]
fn who_is_no_toml_is_counted_from_the_main_file() {
    let nth = |main, drop_ins: &[(&str, &str)]| compose(main, drop_ins).err().map(|malformed| malformed.nth);
    assert_eq!(nth("a = 1", &[("a", "b = 1"), ("b", "c =")]), Some(2));
    assert_eq!(nth("a =", &[("a", "b = 1")]), Some(0));
    assert_eq!(nth("a = 1", &[]), None);
}

/// What merging means, said of values alone.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Table(into), Value::Table(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(there) => merge(there, value),
                    None => drop(into.insert(key, value)),
                }
            }
        }
        (Value::Array(into), Value::Array(from)) if is_of_tables(into) && is_of_tables(&from) => {
            let known = into.len();
            for entry in from {
                let name = entry.get(NAME).and_then(Value::as_str).map(str::to_owned);
                let is_it =
                    |one: &&mut Value| name.is_some() && one.get(NAME).and_then(Value::as_str) == name.as_deref();
                match into.iter_mut().take(known).find(is_it) {
                    Some(there) => merge(there, entry),
                    None => into.push(entry),
                }
            }
        }
        (into, from) => *into = from,
    }
}

fn is_of_tables(all: &[Value]) -> bool {
    !all.is_empty() && all.iter().all(Value::is_table)
}

const KEYS: [&str; 5] = ["a", "b", "name", "c-d", "x y"];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0..100_i64).prop_map(Value::from),
        prop_oneof![Just("p"), Just("q"), Just("# \" \n[x]\n"), Just("")].prop_map(Value::from),
        prop::collection::vec((0..9_i64).prop_map(Value::from), 0..3).prop_map(Value::Array),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let table = table_of(inner);
        prop_oneof![
            table.clone().prop_map(Value::Table),
            prop::collection::vec(table.prop_map(Value::Table), 1..4).prop_map(Value::Array),
        ]
    })
}

fn table_of(values: impl Strategy<Value = Value> + Clone) -> impl Strategy<Value = Table> + Clone {
    prop::collection::vec((prop::sample::select(&KEYS[..]), values), 0..5)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A text of these values, in one of the many forms that people write.
fn text() -> impl Strategy<Value = String> {
    (table_of(value().boxed()), prop::collection::vec(any::<u8>(), 32)).prop_map(|(table, forms)| {
        let mut text = String::new();
        render(&mut text, "", &table, &mut forms.into_iter().cycle());
        // What the forms come to is checked by the parser that daemons use.
        assert_eq!(toml::from_str::<Table>(&text).unwrap(), table, "{text}");
        text
    })
}

fn render(text: &mut String, path: &str, table: &Table, forms: &mut impl Iterator<Item = u8>) {
    let mut headed = Vec::new();
    for (key, value) in table {
        let key = quoted(key);
        let form = forms.next().unwrap_or_default();
        if form & 8 != 0 {
            *text += "# a word about it\n";
        }
        match value {
            Value::Table(of) if form.is_multiple_of(3) && !of.is_empty() => {
                of.iter().for_each(|(name, value)| *text += &format!("{key} . {} = {value}\n", quoted(name)));
            }
            Value::Table(_) if form % 3 == 1 => *text += &format!("{key} = {value} # so\n"),
            Value::Table(of) => headed.push((key, vec![of], false)),
            Value::Array(all) if is_of_tables(all) && form.is_multiple_of(2) => {
                headed.push((key, all.iter().filter_map(Value::as_table).collect(), true));
            }
            Value::Array(all) if form.is_multiple_of(2) => {
                let lines: String = all.iter().map(|one| format!("  {one},\n")).collect();
                *text += &format!("{key} = [\n{lines}] # these\n");
            }
            _ => *text += &format!("{key}={value}\n"),
        }
    }
    for (key, tables, is_list) in headed {
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        for table in tables {
            *text += &if is_list { format!("\n[[{path}]]\n") } else { format!("[ {path} ] # its\n") };
            render(text, &path, table, forms);
        }
    }
}

fn quoted(key: &str) -> String {
    if key.contains(' ') { format!("\"{key}\"") } else { key.to_owned() }
}

fn leaf<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Entry(nth) => value.get(*nth),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 1_000 }))]

    /// However the files are written, their text together means what merging their values comes to.
    #[test]
    fn the_text_means_what_the_values_come_to(main in text(), drop_ins in prop::collection::vec(text(), 0..4)) {
        let drop_ins: Vec<&str> = drop_ins.iter().map(String::as_str).collect();
        let found = composed(&main, &drop_ins);
        let mut expected: Value = toml::from_str::<Table>(&main).unwrap().into();
        drop_ins.iter().for_each(|text| merge(&mut expected, toml::from_str::<Table>(text).unwrap().into()));
        let is: Result<Table, _> = toml::from_str(&found.text);
        prop_assert_eq!(is.map(Value::from), Ok(expected), "{}", found.text);
    }

    /// A file alone, or beside files that say nothing, stays byte for byte what it is.
    #[test]
    fn where_nothing_is_said_no_byte_changes(main in text(), empty in 0..3_usize) {
        let drop_ins = vec!["# nothing\n"; empty];
        prop_assert_eq!(composed(&main, &drop_ins).text, main);
    }

    /// Each value has an origin: the last file that says it, and there the line of its key.
    #[test]
    fn every_value_has_its_origin(main in text(), drop_ins in prop::collection::vec(text(), 0..4)) {
        let texts: Vec<&str> = std::iter::once(&main).chain(&drop_ins).map(String::as_str).collect();
        let found = composed(&main, &texts[1..]);
        let values: Vec<Value> = texts.iter().map(|text| toml::from_str::<Table>(text).unwrap().into()).collect();
        let mut fault = None;
        walk(&tree(&found.text).unwrap(), &mut Vec::new(), &mut |path, node| {
            let Some(origin) = found.origins.get(path) else {
                fault = Some(format!("{path:?} has none"));
                return;
            };
            let line = texts[origin.layer].lines().nth(origin.line - 1).unwrap_or_default();
            let is_there = match path.last() {
                Some(Step::Key(key)) => line.contains(key.as_str()),
                _ => true,
            };
            let is_in_list = path.iter().any(|step| matches!(step, Step::Entry(_)));
            let last = values.iter().rposition(|value| leaf(value, path).is_some());
            let is_last = !matches!(node.kind, Kind::Value(_)) || is_in_list || last == Some(origin.layer);
            if !(is_there && is_last) {
                fault = Some(format!("{path:?} is not of {origin:?}: {line}"));
            }
        });
        prop_assert_eq!(fault, None, "{}", found.text);
    }
}
