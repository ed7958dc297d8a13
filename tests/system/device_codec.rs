//! `weir device test-codec`: whatever a codec does, the command ends with a cause that has a name and a status that is not
//! 0, because the codec runs in a process of its own behind limits that the kernel holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::{Answer, until, weir_binary};
use tempfile::TempDir;

#[path = "../../gateway/script/tests/hostile/codecs.rs"]
mod codecs;

/// Exit statuses: done and something is not well; could not be done.
const NOT_WELL: i32 = 1;
const FAILED: i32 = 3;

/// The command gives a codec a second, and this is for the busy machine around it.
const PATIENCE: Duration = Duration::from_secs(10);
/// From here on a codec that another limit would have ended may have run out of its time.
const LATE: Duration = Duration::from_millis(900);

const GOOD: &str = "function decodeUplink({ bytes, fPort }) {\n\
    return { data: { level: bytes[0] * fPort, big: 1e21 }, warnings: ['dirty'] }; }";

struct Bench(TempDir);

impl Bench {
    fn new() -> Bench {
        Bench(TempDir::with_prefix("weir-").unwrap())
    }

    fn file(&self, source: &str) -> PathBuf {
        let path = self.0.path().join("codec.js");
        fs::write(&path, source).unwrap();
        path
    }

    /// What is said of a codec, and how long it took.
    fn test(&self, source: &str) -> (Answer, Duration) {
        let (path, began) = (self.file(source), Instant::now());
        let answer = Answer::of_weir(&["device", "test-codec", &path.display().to_string(), "010203", "--json"]);
        (answer, began.elapsed())
    }

    fn ends_by(&self, source: &str, causes: &[&str]) {
        let (answer, took) = self.test(source);
        let said = answer.exits(NOT_WELL).json();
        let cause = said["cause"].as_str().unwrap_or_else(|| panic!("no cause: {source}: {said}"));
        let known = causes.contains(&cause) || (cause == "timed_out" && took > LATE);
        assert!(known && said["ok"] == false, "{source}: {said}, expected {causes:?}");
        assert!(!said["error"].as_str().unwrap().is_empty() && took < PATIENCE, "{source}: {said} after {took:?}");
    }
}

fn body(statements: &str) -> String {
    format!("function decodeUplink(input) {{ {statements} }}")
}

#[test]
fn hostile_codecs_end_by_a_cause_that_has_a_name() {
    let bench = Bench::new();
    for statements in codecs::ENDLESS {
        bench.ends_by(&body(statements), &["timed_out"]);
    }
    for (statements, cause) in codecs::GREEDY {
        bench.ends_by(&body(statements), &[cause]);
    }
    for source in codecs::BIG_INTS_WRITTEN {
        bench.ends_by(&format!("{source}\nfunction decodeUplink() {{}}"), &["big_int", "syntax"]);
    }
    for statements in codecs::BIG_INTS_MADE {
        bench.ends_by(&body(statements), &["threw"]);
    }
}

#[test]
fn a_codec_that_is_none_or_refuses_has_its_cause_too() {
    let bench = Bench::new();
    for (source, cause) in [
        ("function decodeUplink( {", "syntax"),
        ("while (true);", "timed_out"),
        ("var decodeUplink = 1", "no_decoder"),
        (&" ".repeat(300_000), "too_long"),
        (&body("return { data: {}, errors: ['no'] }"), "errors"),
        (&body("return 3"), "not_an_object"),
    ] {
        bench.ends_by(source, &[cause]);
    }
    let path = bench.file(&body("throw new TypeError('no frame')")).display().to_string();
    let text = Answer::of_weir(&["device", "test-codec", &path, "00"]).exits(NOT_WELL);
    assert_eq!(text.out, "! threw: the codec threw: TypeError: no frame (line 1)\n");
    for (file, hex, says) in [
        ("/nowhere.js", "00", "try: check the path"),
        ("/dev/zero", "00", "is it the right file?"),
        (path.as_str(), "0", "the payload is not hex digits"),
    ] {
        let answer = Answer::of_weir(&["device", "test-codec", file, hex]).exits(FAILED);
        assert!(answer.err.contains(says), "{file}: {answer:?}");
    }
}

#[test]
fn a_good_codec_is_shown_as_it_reads() {
    let bench = Bench::new();
    let (answer, _) = bench.test(GOOD);
    let said = answer.exits(0).json();
    let expected =
        json!({ "ok": true, "called": "decodeUplink", "data": { "level": 1, "big": 1e21 }, "warnings": ["dirty"] });
    assert_eq!(said, expected);
    let path = bench.file(GOOD).display().to_string();
    let text = Answer::of_weir(&["device", "test-codec", &path, "07", "--fport", "85"]).exits(0);
    assert!(text.out.contains("\"level\":595") && text.out.contains("! dirty"), "{text:?}");
}

/// The command at a source that never comes, and the process that waits for it.
fn waiting(folder: &Path) -> (Child, u32) {
    let pipe = folder.join("pipe.js");
    if !pipe.exists() {
        Answer::of(Command::new("mkfifo").arg(&pipe)).exits(0);
    }
    let mut command = Command::new(weir_binary());
    command.args(["device", "test-codec"]).arg(&pipe).args(["00", "--json"]).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).env("LANG", "C.UTF-8").spawn().unwrap();
    let inner = until("the codec has its process", 5, || child_of(child.id()));
    (child, inner)
}

#[test]
fn a_codec_whose_command_died_before_it_was_fenced_does_not_stay() {
    let folder = TempDir::with_prefix("weir-").unwrap();
    let pipe = folder.path().join("pipe.js");
    Answer::of(Command::new("mkfifo").arg(&pipe)).exits(0);
    // As the kernel leaves it when the command is killed between the start of the process and its own first step: with
    // another parent than the one that it was told. The source would never come.
    let mut command = Command::new("timeout");
    command.arg("5").arg(weir_binary()).args(["device", "run-codec", "--within", &std::process::id().to_string()]);
    let answer = Answer::of(command.arg(&pipe).arg("00").env("LANG", "C.UTF-8"));
    let answer = answer.exits(FAILED);
    assert!(answer.err.contains("is gone"), "{answer:?}");
}

fn child_of(parent: u32) -> Option<u32> {
    let ids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.into_iter().find(|id| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // The name in parentheses may hold anything; behind it stand the state and the parent.
        let parent_of = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parent_of == Some(parent)
    })
}

fn is_alive(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

fn said(child: Child) -> (Option<i32>, Value) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn the_kernel_holds_the_limits_whatever_the_engine_does() {
    let folder = TempDir::with_prefix("weir-").unwrap();
    let (child, inner) = waiting(folder.path());
    // It gives up what it may not have before it reads a byte of the source.
    let limits = until("its limits are set", 5, || {
        let limits = fs::read_to_string(format!("/proc/{inner}/limits")).unwrap_or_default();
        limits.lines().any(|line| line.starts_with("Max cpu time") && line.contains(" 1 ")).then_some(limits)
    });
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(limit("Max address space"), ["96000000", "96000000"]);
    assert_eq!(limit("Max cpu time"), ["1", "1"]);
    // The source never comes.
    let (code, answer) = said(child);
    assert_eq!((code, &answer["cause"]), (Some(NOT_WELL), &json!("timed_out")), "{answer}");
    assert!(!is_alive(inner), "nothing is left behind");
    for signal in ["ILL", "ABRT"] {
        let (child, inner) = waiting(folder.path());
        Answer::of(Command::new("kill").args([&format!("-{signal}"), &inner.to_string()])).exits(0);
        let (code, answer) = said(child);
        assert_eq!((code, &answer["cause"]), (Some(NOT_WELL), &json!("crashed")), "{signal}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains("never this one"), "{answer}");
    }
    let (mut child, inner) = waiting(folder.path());
    child.kill().unwrap();
    child.wait().unwrap();
    until("the codec's process goes with the command", 5, || (!is_alive(inner)).then_some(()));
}
