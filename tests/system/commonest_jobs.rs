//! README's table of the five commonest jobs: the commands in it do what they say, with so many keys and so much on the line.

use std::fs;
use std::process::{Command, Stdio};

use system_tests::{Answer, World, until, weir_binary};

use super::answers::station;

const README: &str = include_str!("../../README.md");
const RULE: &str = "[[rule]]
id = \"cod-low\"
kind = \"limit\"
devices = [\"*\"]
quantity = \"cod\"
unit = \"mg/L\"
low = 1
";
const KEY: &str = "app_key = \"2b7e151628aed2a6abf7158809cf4f3c\"\n";

/// What README has on Weir's side of the job: its commands, and the numbers before `keys` and `bytes`.
fn job(name: &str) -> (Vec<String>, Option<usize>, Option<usize>) {
    let row = README.lines().find(|line| line.starts_with(&format!("| {name}"))).unwrap_or_else(|| panic!("{name}"));
    let cell = row.split('|').nth(2).unwrap();
    let number = |unit: &str| {
        let before = cell.split(&format!(" {unit}")).next().filter(|before| before.len() < cell.len())?;
        before.rsplit(' ').next()?.replace(',', "").parse().ok()
    };
    let commands = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    (commands, number("keys"), number("bytes"))
}

/// Characters of the commands, and a key that ends each.
fn keys(commands: &[String]) -> usize {
    commands.iter().map(|command| command.chars().count() + 1).sum()
}

/// The command of README by the program that is tested.
fn weir(world: &World, command: &str) -> Command {
    let words = command.strip_prefix("sudo ").unwrap_or(command).strip_prefix("weir ").unwrap();
    let mut program = Command::new(weir_binary());
    program.args(words.split(' ')).env("LANG", "C.UTF-8").env("WEIR_CONFIG_DIR", world.config_dir());
    program.env("WEIR_STATE_DIR", world.path("state")).env("WEIR_RUN_DIR", world.path("run"));
    program
}

#[test]
fn the_five_commonest_jobs_cost_what_readme_says() {
    let mut world = station();

    let (commands, told, _) = job("add a LoRaWAN sensor");
    let [add, restart] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(restart, "sudo systemctl restart weir-gateway");
    assert_eq!(told, Some(keys(&commands) + KEY.len() + "\x04".len()));
    let mut child = weir(&world, add).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), KEY.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success(), "{said:?}");
    world.kill_gateway();
    world.start_gateway_synchronised();
    assert!(Answer::of(&mut weir(&world, "weir status")).out.contains("level-8"));

    let (commands, told, _) = job("an alarm above a limit");
    let [apply] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(told, Some(keys(&commands)));
    let file = world.path("new-rules.toml");
    let rules = fs::read_to_string(world.path("rules.toml")).unwrap();
    fs::write(&file, format!("{rules}\n{RULE}")).unwrap();
    assert!(README.contains(&format!("{} lines of a rule", RULE.lines().count())));
    let apply = apply.replace("new-rules.toml", &file.display().to_string());
    Answer::of(&mut weir(&world, &apply)).exits(0);
    let is_in_force = || Answer::of(&mut weir(&world, "weir rules show")).out.contains("cod-low").then_some(());
    until("the rule is in force", 20, is_in_force);

    for (name, verb) in [("see what is wrong", "weir status"), ("a copy from which", "weir backup /media/stick")] {
        let (commands, told, bytes) = job(name);
        assert_eq!((commands.len(), commands.last().map(String::as_str)), (1, Some(verb)));
        assert_eq!(told, Some(keys(&commands)), "{name}");
        let stick = world.path("stick");
        fs::create_dir_all(&stick).unwrap();
        let answer = Answer::of(&mut weir(&world, &verb.replace("/media/stick", &stick.display().to_string())));
        eprintln!("{verb}: {} bytes", answer.out.len());
        assert!(bytes.is_none_or(|most| answer.out.len() <= most), "{name}: {} bytes", answer.out.len());
    }
}
