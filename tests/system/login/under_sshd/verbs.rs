//! What the technician came for.

use std::ffi::OsStr;
use std::fs;
use std::time::Instant;

use system_tests::{Answer, until, weir_binary};

use super::borrowed::Account;
use super::client::Client;
use super::site::{RULE, Site};

#[test]
fn verbs_answer_and_their_exit_status_comes_through() {
    let site = Site::start();
    let status = site.run("status --json").exits(1).json();
    assert_eq!(status.pointer("/gateway/devices/cod-1/accepted"), Some(&1.into()), "{status:#}");
    assert_eq!(site.run("weir status --json").exits(1).json()["wrong"], status["wrong"]);
    assert!(site.run("--lang zh status").exits(1).out.contains("报警"));
    let doctor = site.run("doctor --json").json();
    assert!(doctor.to_string().contains("gateway"), "{doctor}");
    assert_eq!(site.run("tail -n 2 --json").exits(0).json_lines().len(), 2);
    site.run("journal check").exits(0);
    site.run("verify").exits(0);
    let key = site.run("identity --json").exits(0).json()["key"].clone();
    assert_eq!(key, site.world.public_key());
    assert!(site.run("device strangers").exits(0).code.is_some());
    assert!(site.run("rules show --json").code.is_some());
    assert!(site.run("config template rules").exits(0).out.contains("[[rule]]"));
    site.run("status --wrong").exits(2);
    assert!(site.run("help").exits(0).out.contains("alarm ack"));
    assert!(site.run("tail --help").exits(0).out.contains("--follow"));

    assert!(site.run("alarm list").exits(1).out.contains("cod-high"));
    site.run("alarm ack cod-high cod-1 --reason 'pump; cleaned (twice)'").exits(0);
    let acts = site.run("tail -n 50 --json").exits(0).json_lines();
    let act = acts.iter().find(|at| at["act"] == "acknowledged").unwrap();
    let uid = Answer::of(std::process::Command::new("id").args(["-u", Account::NAME])).exits(0).out;
    assert_eq!(act["reason"], "pump; cleaned (twice)");
    assert!(act.to_string().contains(uid.trim()), "journaled as this account's: {act}");
    let logged = site.journal.logged();
    for part in [
        "SYSLOG_IDENTIFIER=weir-login",
        "login carries out a command",
        "127.0.0.1",
        Account::NAME,
        "alarm ack cod-high",
    ] {
        assert!(logged.contains(part), "{part} in {logged}");
    }
}

#[test]
fn files_come_and_go_through_the_inbox() {
    let site = Site::start();
    let rule = RULE.replace("cod-high", "cod-over");
    site.run_with("put rules.toml", rule.as_bytes()).exits(0);
    assert!(site.run("config check rules.toml").exits(0).out.contains("rules.toml"));
    site.run("rules check rules.toml").exits(0);
    let alarms = site.run("rules backtest --rules rules.toml").exits(1).out;
    assert!(alarms.contains("cod-over"), "an alarm that the box did not make: {alarms}");
    site.run_with("put bad-rules.toml", b"[[rule]]\nid = 7\n").exits(0);
    site.run("config check bad-rules.toml").exits(255);
    assert_eq!(site.run("get rules.toml").exits(0).out, rule);
    site.run_with("put long", &vec![b'x'; 1024 * 1024 + 1]).exits(3);
    assert!(site.run("files").exits(0).out.contains("bad-rules.toml"));
    site.run("remove bad-rules.toml").exits(0);
    let files = site.run("files").exits(0).out;
    assert!(files.contains("rules.toml") && !files.contains("bad-rules.toml") && !files.contains("long"), "{files}");

    let bundle = site.ssh(&[], &[OsStr::new("bundle")]).output().unwrap();
    assert_eq!(bundle.status.code(), Some(0), "{bundle:?}");
    let path = site.dir.path().join("box.tar.gz");
    fs::write(&path, &bundle.stdout).unwrap();
    Answer::of_weir(&["bundle", "--verify", path.to_str().unwrap()]).exits(0);
    assert!(!site.run("files").exits(0).out.contains("bundle"), "it is not kept");
    site.run("bundle here.tar.gz").exits(0);
    site.run("bundle --verify here.tar.gz").exits(0);

    let alarm = site.run("tail -n 50 --json").exits(0).json_lines();
    let alarm = alarm.iter().find(|at| at["rule"] == "cod-high").unwrap()["seq"].clone();
    until("it is signed", 70, || {
        let made = site.run(&format!("evidence export --alarm {alarm} -o alarm.evidence"));
        (made.code == Some(0)).then_some(())
    });
    site.run("verify alarm.evidence").exits(0);
    let evidence = site.ssh(&[], &[OsStr::new("get alarm.evidence")]).output().unwrap().stdout;
    assert!(evidence.starts_with(b"PK"), "{} bytes", evidence.len());
    assert!(weir_binary().is_file());
}

#[test]
fn a_terminal_gets_a_prompt_that_ctrl_c_does_not_end() {
    let site = Site::start();
    let mut client = Client::start(site.ssh(&["-tt"], &[]));
    client.until("weir> ");
    client.say(b"alarm list\r");
    client.until("cod-high");
    client.until("weir> ");
    client.say(b"tail -f\r");
    client.until("cod-1");
    client.say(b"\x03");
    client.until("weir> ");
    client.say(b"half a line\x03");
    client.until("weir> ");
    client.say(b"sh\r");
    assert!(!client.until("weir> ").contains('$'));
    client.say(b"identity; id\r");
    client.until("single quotes");
    client.until("weir> ");
    client.say(b"\r");
    // The screen takes the terminal, and gives it back.
    client.until("\u{1b}[?1049h");
    client.say(b"q");
    client.until("\u{1b}[?1049l");
    client.until("weir> ");
    client.say(b"exit\r");
    client.ended().exits(0);

    let mut client = Client::start(site.ssh(&["-tt"], &[OsStr::new("tail -f")]));
    client.until("cod-1");
    let begun = Instant::now();
    client.say(b"\x03");
    let ended = client.ended();
    assert!(ended.code != Some(0) && begun.elapsed().as_secs() < 10, "{ended:?}");

    let mut chinese = site.ssh(&["-tt"], &[]);
    let mut client = Client::start({
        chinese.env("LANG", "zh_CN.UTF-8");
        chinese
    });
    client.until("直接回车进入全屏界面");
    client.say(b"demo\r");
    client.until("请管理员执行：weir demo");
    client.say(b"\x04");
    client.ended().exits(0);
    let mute = Answer::of(&mut site.ssh(&["-T"], &[])).exits(3);
    assert!(mute.err.contains("ssh HOST help"), "{}", mute.err);
}
