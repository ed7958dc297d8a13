//! Each check is well on a box that is well, and finds what it is for on one that is broken in its way.

mod broken;
mod well;

use std::collections::BTreeSet;

use clap::Parser;

use super::*;
use crate::cli::Cli;
use crate::doctor::check::{TROUBLES_MAX, Verdict};
use crate::doctor::facts::{DeviceFacts, Fact, Unseen};
use broken::BREAKS;
use well::well;

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

fn of<'f>(findings: &'f [Finding], check: &str) -> Vec<&'f Finding> {
    findings.iter().filter(|finding| finding.check == check).collect()
}

#[test]
fn nothing_is_found_on_a_box_that_is_well() {
    for lang in [Lang::En, Lang::Zh] {
        let findings = examine(&well(), lang);
        let found: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
        assert_eq!(found, [] as [&Finding; 0]);
        assert_eq!(findings.len(), all().count(), "one answer each");
    }
}

#[test]
fn every_check_finds_what_it_is_for() {
    let broken: Vec<&str> = BREAKS.iter().map(|(check, _)| *check).collect();
    let checks: BTreeSet<&str> = all().map(|check| check.id).collect();
    assert_eq!(broken.iter().copied().collect::<BTreeSet<_>>(), checks, "each check has its break");
    for (check, break_it) in BREAKS {
        let mut facts = well();
        break_it(&mut facts);
        for lang in [Lang::En, Lang::Zh] {
            let findings = examine(&facts, lang);
            let found = of(&findings, check);
            assert!(!found.is_empty() && found.iter().all(|one| one.verdict >= Verdict::Note), "{check}: {found:?}");
            for Finding { evidence, cause, cure, command, .. } in found {
                assert!(!evidence.is_empty() && cause.is_some() && cure.is_some(), "{check}: {evidence}");
                let command = command.as_ref().unwrap();
                assert!(!command.is_empty() && !command.contains("{}"), "{check}: {command}");
                assert!(lang == Lang::Zh || !is_chinese(evidence), "{check}: {evidence}");
            }
        }
    }
}

#[test]
fn every_check_speaks_both_languages_and_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for check in all() {
        let (subject, question) = check.id.split_once('.').expect("subject.question");
        assert!(
            [subject, question].iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b"_".contains(&b)))
        );
        assert!(names.insert(check.id), "{} stands twice", check.id);
        assert!(!check.command.is_empty());
        for text in [check.title, check.cause, check.cure] {
            assert!(!text.en.is_empty() && !is_chinese(text.en), "{}: {}", check.id, text.en);
            assert!(is_chinese(text.zh), "{}: {}", check.id, text.zh);
        }
    }
    let readme = include_str!("../../../../../README.md");
    let counted = format!("{} checks", names.len());
    assert!(readme.contains(&counted), "README.md should say {counted}");
}

/// A cure that this program does not understand is none.
#[test]
fn every_weir_command_that_is_told_is_one() {
    for check in all() {
        // What is quoted is one word.
        let words: Vec<&str> = check.command.split('"').collect();
        let bare: String = words.iter().enumerate().map(|(at, text)| if at % 2 == 0 { text } else { "text" }).collect();
        let parts = bare.split(['|', ';']).flat_map(|part| part.split("&&"));
        for part in parts.map(|part| part.trim().trim_start_matches("sudo ")) {
            if part.split(' ').next() != Some("weir") || part.contains("--help") {
                continue;
            }
            // Of what a person fills in.
            let typed = part.replace("{}", "a").replace("https://PLATFORM/", "https://a/").replace("PAYLOAD", "00");
            let typed = match check.id {
                "platforms.keys" => typed.replace("pin a", &format!("pin a {}", well::platform_key())),
                "alarms.unseen" => typed.replace("ack a", "ack a b"),
                "outfalls.chiefs" | "outfalls.defects" => typed.replace("show a", "show FA-231081-0001-SH-00"),
                _ => typed,
            };
            let words = typed.split(" > ").next().unwrap_or_default().split_whitespace();
            let parsed = Cli::try_parse_from(words);
            assert!(parsed.is_ok(), "{}: {typed}: {}", check.id, parsed.unwrap_err());
        }
    }
}

#[test]
fn what_was_not_seen_is_not_called_well() {
    for unseen in [Unseen::Late, Unseen::Denied("/var/lib/weir".into())] {
        let mut facts = well();
        facts.board = Err(unseen.clone());
        facts.storage = Err(unseen.clone());
        facts.files = Err(unseen.clone());
        facts.clock = Err(unseen.clone());
        facts.services = Err(unseen.clone());
        facts.upgrade = Err(unseen.clone());
        facts.gateway = Err(unseen.clone());
        facts.sync = Err(unseen.clone());
        facts.ports = Err(unseen.clone());
        facts.setup = Err(unseen.clone());
        facts.upload = Err(unseen.clone());
        facts.changed = Err(unseen.clone());
        facts.page = Err(unseen.clone());
        facts.far_ends = Err(unseen.clone());
        facts.certificates = Err(unseen.clone());
        facts.journal = Err(unseen.clone());
        facts.outbox = Err(unseen.clone());
        let findings = examine(&facts, Lang::En);
        let well: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict == Verdict::Ok).collect();
        // The system's clock needs nobody to be seen.
        assert_eq!(well.iter().map(|finding| finding.check).collect::<Vec<_>>(), ["clock.past"], "{unseen:?}");
        let is_told = |finding: &&Finding| finding.command.as_deref() == Some("sudo weir doctor");
        assert_eq!(findings.iter().any(|finding| is_told(&finding)), matches!(unseen, Unseen::Denied(_)));
    }
}

#[test]
fn two_thousand_silent_devices_are_told_in_a_few_lines() {
    let mut facts = well();
    let setup = facts.setup.as_mut().unwrap();
    let device = |n| DeviceFacts { name: format!("d-{n}"), enabled: true, outfall: None };
    setup.devices = (0..2_000).map(device).collect();
    let findings = examine(&facts, Lang::En);
    let found = of(&findings, "devices.outfall");
    assert_eq!(found.len(), TROUBLES_MAX);
    assert!(found.last().unwrap().evidence.contains("and 1992 more like this"), "{found:?}");
}

/// A part that two checks need is told as missing by both, and by nobody as broken.
#[test]
fn a_pi_is_asked_for_only_where_there_is_one() {
    let mut facts = well();
    let absent: Fact<u32> = Err(Unseen::Absent(crate::doctor::check::words("this is no Raspberry Pi", "不是树莓派")));
    facts.board.as_mut().unwrap().throttled = absent;
    let findings = examine(&facts, Lang::En);
    let skipped: Vec<&Finding> = findings.iter().filter(|finding| finding.verdict == Verdict::Skipped).collect();
    assert_eq!(skipped.iter().map(|one| one.check).collect::<Vec<_>>(), ["power.voltage", "power.throttled"]);
    assert!(skipped.iter().all(|one| one.evidence == "this is no Raspberry Pi" && one.command.is_none()));
}
