//! What the design says of the code's own shape: arrows between crates, pure crates, where SQL may be, what lies at
//! the top, and that the README's map is the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use system_tests::Answer;

/// Each member and the members it may depend on, outside its tests. A new arrow is a decision: it is made here.
const ARROWS: &[(&str, &[&str])] = &[
    ("record", &[]),
    ("identity", &["batch"]),
    ("control", &[]),
    ("layers", &[]),
    ("versions", &["record"]),
    ("journal", &["record"]),
    ("batch", &["record"]),
    ("delivery", &["batch", "record"]),
    ("notify", &["delivery", "record"]),
    ("evidence", &["batch", "record"]),
    ("syncd", &["batch", "control", "delivery", "identity", "journal", "layers", "notify", "record", "versions"]),
    ("platform", &["batch", "identity", "layers", "record"]),
    ("lorawan", &[]),
    ("chirpstack", &["record"]),
    ("envelope", &[]),
    ("serial", &[]),
    ("mqtt", &[]),
    ("script", &[]),
    ("ingest", &["chirpstack", "envelope", "lorawan", "record", "script"]),
    ("rules", &["record"]),
    ("relay", &["record"]),
    (
        "gatewayd",
        &[
            "batch",
            "chirpstack",
            "control",
            "identity",
            "ingest",
            "journal",
            "layers",
            "lorawan",
            "mqtt",
            "record",
            "relay",
            "rules",
            "serial",
            "versions",
        ],
    ),
    ("page", &["batch", "control", "evidence", "gatewayd", "identity", "journal", "layers", "record", "syncd"]),
    (
        "weir",
        &[
            "batch", "control", "evidence", "gatewayd", "identity", "ingest", "journal", "layers", "lorawan", "page",
            "platform", "record", "rules", "script", "syncd", "versions",
        ],
    ),
    ("xtask", &[]),
    ("system-tests", &["platform"]),
];
/// No clock, randomness, environment, file or socket (S1).
const PURE: [&str; 13] = [
    "record",
    "batch",
    "delivery",
    "notify",
    "evidence",
    "lorawan",
    "chirpstack",
    "envelope",
    "serial",
    "script",
    "ingest",
    "rules",
    "relay",
];
/// What would give a pure crate one of these.
const IMPURE: [&str; 9] = ["tokio", "rusqlite", "reqwest", "axum", "rumqttd", "getrandom", "rand", "rustix", "mio"];
/// Who may speak SQL (S1), beside tests, which must be able to damage and to lock a database.
const SQL: [&str; 3] = ["journal", "platform", "system-tests"];
/// All that stands at the top.
const TOP: [&str; 13] = [
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".gitignore",
    ".rustfmt.toml",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "config",
    "gateway",
    "packaging",
    "sync",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// One member of the workspace.
struct Member {
    name: String,
    /// Its folder below the root.
    folder: String,
    /// What its ordinary (not test) and its build dependencies are.
    dependencies: BTreeSet<String>,
    /// All it depends on, tests included.
    all: BTreeSet<String>,
}

fn members() -> Vec<Member> {
    let mut cargo = Command::new(env!("CARGO"));
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"];
    let metadata = Answer::of(cargo.args(arguments).current_dir(root())).exits(0).json();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let member = |package: &Value| {
        let named = |wanted: fn(&Value) -> bool| {
            list(&package["dependencies"]).iter().filter(|d| wanted(d)).map(|d| text(&d["name"])).collect()
        };
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap().display().to_string();
        Member {
            name: text(&package["name"]),
            folder,
            dependencies: named(|dependency| dependency["kind"] != "dev"),
            all: named(|_| true),
        }
    };
    list(&metadata["packages"]).iter().map(member).collect()
}

/// Tracked files, relative to the root, and those that are about to be.
fn files() -> Vec<String> {
    let listed = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let answer = Answer::of(Command::new("git").arg("-C").arg(root()).args(listed)).exits(0);
    answer.out.lines().map(str::to_owned).filter(|file| root().join(file).is_file()).collect()
}

fn text_of(file: &str) -> String {
    String::from_utf8_lossy(&fs::read(root().join(file)).unwrap()).into_owned()
}

#[test]
fn arrows_between_crates_are_those_decided_on() {
    let members = members();
    let names: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    assert_eq!(names, allowed.keys().copied().collect(), "ARROWS names each member once");
    for member in &members {
        let arrows = member.dependencies.iter().map(String::as_str).filter(|name| names.contains(name));
        for arrow in arrows {
            assert!(allowed[member.name.as_str()].contains(&arrow), "a new arrow: {} -> {arrow}", member.name);
        }
    }
    let folder = |name: &str| members.iter().find(|member| member.name == name).map(|member| member.folder.as_str());
    for member in members.iter().filter(|member| member.folder.starts_with("sync/")) {
        let up = member.all.iter().find(|name| folder(name).is_some_and(|folder| folder.starts_with("gateway/")));
        assert_eq!(up, None, "sync/ never depends on gateway/, in no test either: {}", member.name);
    }
}

#[test]
fn pure_crates_have_no_means_to_be_otherwise() {
    let mut rules = BTreeSet::new();
    for member in members().iter().filter(|member| PURE.contains(&member.name.as_str())) {
        let impure = IMPURE.iter().find(|name| member.dependencies.contains(**name));
        assert_eq!(impure, None, "{} depends on it", member.name);
        rules.insert(text_of(&format!("{}/.clippy.toml", member.folder)));
    }
    assert_eq!(rules.len(), 1, "the pure .clippy.toml is the same in each pure crate");
    assert!(rules.first().unwrap().contains("Instant::now"));
}

#[test]
fn only_journal_and_platform_contain_sql() {
    for member in members() {
        let may = SQL.contains(&member.name.as_str());
        assert!(may || !member.dependencies.contains("rusqlite"), "{} has rusqlite", member.name);
    }
    let statement = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ", "PRAGMA "];
    let may = |file: &str| {
        ["sync/journal/", "sync/platform/"].iter().any(|of| file.starts_with(of)) || file.contains("tests/")
    };
    for file in files().iter().filter(|file| file.ends_with(".rs") && !may(file)) {
        let code = text_of(file);
        let line = code.lines().find(|line| line.contains('"') && statement.iter().any(|sql| line.contains(sql)));
        assert_eq!(line, None, "SQL in {file}");
    }
}

#[test]
fn every_crate_opens_with_what_it_is_for() {
    for member in members() {
        let heads = ["src/lib.rs", "src/main.rs"].map(|head| format!("{}/{head}", member.folder));
        let heads: Vec<&String> = heads.iter().filter(|head| root().join(head).is_file()).collect();
        assert!(!heads.is_empty(), "{}", member.name);
        for head in heads {
            assert!(text_of(head).starts_with("//! "), "{head} opens with its purpose");
        }
    }
}

#[test]
fn the_top_holds_nothing_else() {
    let top: BTreeSet<String> = files().iter().map(|file| file.split('/').next().unwrap().to_owned()).collect();
    let allowed: BTreeSet<String> = TOP.iter().chain(&["tests"]).map(|name| (*name).to_owned()).collect();
    let more: Vec<_> = top.difference(&allowed).collect();
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn the_readmes_map_names_exactly_the_members() {
    let readme = text_of("README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |").map(|(name, _)| name));
    let mapped: BTreeSet<&str> = rows.filter(|name| root().join(name).join("Cargo.toml").is_file()).collect();
    let members = members();
    assert_eq!(mapped, members.iter().map(|member| member.folder.as_str()).collect());
}

#[test]
fn nothing_is_left_for_later_and_no_registry_is_named() {
    // Put together here, so that this file does not find itself.
    let later = [["TO", "DO"].concat(), ["FIX", "ME"].concat()];
    let hosts = [["crates", "io"], ["pypi", "org"], ["npmjs", "org"], ["npmjs", "com"], ["pythonhosted", "org"]];
    let hosts = hosts.map(|host| host.join("."));
    for file in files() {
        let text = text_of(&file);
        for (nth, line) in text.lines().enumerate() {
            let at = nth + 1;
            assert!(!later.iter().any(|word| line.contains(word.as_str())), "{file}:{at}: {line}");
            // Cargo itself writes its registry's index into Cargo.lock.
            let named = file != "Cargo.lock" && hosts.iter().any(|host| line.contains(host.as_str()));
            assert!(!named, "{file}:{at} names a registry: {line}");
        }
    }
}
