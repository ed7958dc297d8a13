//! The recipe of the disk image: that its scripts can be read by their shells, and how the slot is chosen, on a PC and on a Pi.
//! The whole of it is tried in a machine by `tests/run vm --image`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::Answer;

fn recipe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/image")
}

/// `weir-slot` with a folder for the partition that it writes.
struct Slots {
    folder: tempfile::TempDir,
}

impl Slots {
    fn of(machine: &str, files: &[(&str, &str)]) -> Slots {
        let slots = Slots { folder: tempfile::tempdir().unwrap() };
        let script = fs::read_to_string(recipe().join("root/usr/sbin/weir-slot")).unwrap();
        let mut script = script;
        for (place, file) in [
            ("/usr/lib/weir-image/settings", "settings"),
            ("/boot/choice", "choice"),
            ("/proc/cmdline", "cmdline"),
            ("/run/weir-slot.lock", "lock"),
        ] {
            assert!(script.contains(place), "{place}");
            script = script.replace(place, slots.path(file).to_str().unwrap());
        }
        fs::write(slots.path("weir-slot"), script).unwrap();
        fs::write(slots.path("settings"), format!("MACHINE={machine}\nTRIES=3\n")).unwrap();
        fs::create_dir_all(slots.path("bin")).unwrap();
        fs::create_dir_all(slots.path("choice")).unwrap();
        for tool in ["mount", "systemctl"] {
            let says = format!("#!/bin/sh\necho {tool} \"$@\" >>{}\n", slots.path("called").display());
            fs::write(slots.path("bin").join(tool), says).unwrap();
            Answer::of(Command::new("chmod").arg("+x").arg(slots.path("bin").join(tool))).exits(0);
        }
        for (name, text) in files {
            fs::write(slots.path("choice").join(name), text).unwrap();
        }
        slots.boots("A");
        slots
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn boots(&self, slot: &str) {
        fs::write(self.path("cmdline"), format!("quiet rauc.slot={slot} panic=10\n")).unwrap();
    }

    fn choice(&self, name: &str) -> String {
        fs::read_to_string(self.path("choice").join(name)).unwrap()
    }

    fn ask(&self, arguments: &[&str]) -> Answer {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        Answer::of(Command::new("sh").arg(self.path("weir-slot")).args(arguments).env("PATH", path))
    }

    fn says(&self, arguments: &[&str]) -> String {
        self.ask(arguments).exits(0).out.trim().to_owned()
    }
}

/// As GRUB keeps its variables.
fn block(text: &str) -> String {
    format!("{:#<1024}", format!("# GRUB Environment Block\n{text}\n"))
}

#[test]
fn every_script_can_be_read_by_its_shell() {
    let mut folders = vec![recipe()];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let shell = match text.lines().next() {
                Some("#!/bin/sh") => "sh",
                Some("#!/usr/bin/env bash") => "bash",
                first => {
                    assert!(!first.unwrap_or_default().starts_with("#!"), "{}: {first:?}", path.display());
                    continue;
                }
            };
            Answer::of(Command::new(shell).arg("-n").arg(&path)).exits(0);
            read += 1;
        }
    }
    assert_eq!(read, 8);
}

#[test]
fn the_units_of_the_image_are_known_to_systemd() {
    for unit in ["weir-image-data.service", "weir-image-confirm.service"] {
        let file = recipe().join("root/etc/systemd/system").join(unit);
        let said = Answer::of(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(file)).err;
        let wrong: Vec<&str> =
            said.lines().filter(|line| line.contains("weir-image") && !line.contains("not executable")).collect();
        assert_eq!(wrong, [] as [&str; 0]);
    }
}

#[test]
fn a_new_system_is_tried_and_kept_on_a_pc() {
    let slots = Slots::of("pc", &[("good.env", &block("good=A")), ("try.env", &block("try=\nleft=0"))]);
    assert_eq!(slots.says(&[]), "booted A, kept A");
    // As RAUC does while it installs.
    slots.ask(&["set-state", "B", "bad"]).exits(0);
    slots.ask(&["set-primary", "B"]).exits(0);
    assert_eq!(slots.choice("try.env"), block("try=B\nleft=3"));
    assert_eq!(slots.choice("good.env"), block("good=A"), "it is kept until the other one has proved itself");
    assert_eq!(slots.says(&["get-primary"]), "B");
    assert_eq!(slots.says(&[]), "booted A, kept A, on trial B (3 starts left)");
    slots.ask(&["set-state", "B", "good"]).exits(1);
    // GRUB counts, and starts it.
    fs::write(slots.path("choice/try.env"), block("try=B\nleft=0")).unwrap();
    slots.boots("B");
    assert_eq!(slots.says(&["trial"]), "B");
    assert_eq!(slots.says(&["get-primary"]), "A", "it is started no more unless it is kept");
    assert_eq!(slots.says(&["get-state", "B"]), "bad");
    let refused = slots.ask(&["set-state", "A", "bad"]).exits(1);
    assert!(refused.err.contains("A is the kept one"), "{}", refused.err);
    slots.ask(&["set-state", "B", "good"]).exits(0);
    assert_eq!(slots.choice("good.env"), block("good=B"));
    assert_eq!(slots.says(&[]), "booted B, kept B");
    assert_eq!(slots.says(&["get-state", "A"]), "bad");
    assert_eq!(slots.says(&["get-primary"]), "B");
}

#[test]
fn a_new_system_that_is_not_kept_gives_way() {
    let slots = Slots::of("pc", &[("good.env", &block("good=A")), ("try.env", &block("try=B\nleft=0"))]);
    assert_eq!(slots.says(&["trial"]), "B");
    slots.ask(&["give-up"]).exits(0);
    assert_eq!(slots.says(&["trial"]), "");
    assert_eq!(slots.choice("good.env"), block("good=A"));
}

#[test]
fn a_cut_between_keeping_and_forgetting_the_trial_does_no_harm() {
    let slots = Slots::of("pc", &[("good.env", &block("good=B")), ("try.env", &block("try=B\nleft=2"))]);
    slots.boots("B");
    assert_eq!(slots.says(&[]), "booted B, kept B");
    assert_eq!(slots.says(&["trial"]), "");
    assert_eq!(slots.says(&["get-primary"]), "B");
}

#[test]
fn a_pi_is_told_by_its_firmwares_own_file() {
    let autoboot =
        |kept, other| format!("[all]\ntryboot_a_b=1\nboot_partition={kept}\n[tryboot]\nboot_partition={other}\n");
    let slots = Slots::of("pi", &[("autoboot.txt", &autoboot(2, 3)), ("try.env", &block("try=\nleft=0"))]);
    assert_eq!(slots.says(&[]), "booted A, kept A");
    slots.ask(&["set-primary", "B"]).exits(0);
    assert_eq!(slots.choice("autoboot.txt"), autoboot(2, 3));
    slots.ask(&["reboot"]).exits(0);
    let called = fs::read_to_string(slots.path("called")).unwrap();
    assert!(called.ends_with("systemctl reboot --reboot-argument=0 tryboot\n"), "{called}");
    slots.boots("B");
    slots.ask(&["set-state", "B", "good"]).exits(0);
    assert_eq!(slots.choice("autoboot.txt"), autoboot(3, 2));
    assert_eq!(slots.says(&[]), "booted B, kept B");
    slots.ask(&["reboot"]).exits(0);
    let called = fs::read_to_string(slots.path("called")).unwrap();
    assert!(called.ends_with("systemctl reboot\n"), "a plain one: {called}");
}

#[test]
fn the_boot_files_learn_their_slot() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cmdline.txt"), "root=PARTUUID=57454952-@PART@ rauc.slot=@SLOT@\n").unwrap();
    let mut hook = Command::new(recipe().join("hook"));
    hook.arg("slot-post-install").env("RAUC_SLOT_BOOTNAME", "B").env("RAUC_SLOT_MOUNT_POINT", folder.path());
    Answer::of(&mut hook).exits(0);
    let line = fs::read_to_string(folder.path().join("cmdline.txt")).unwrap();
    assert_eq!(line, "root=PARTUUID=57454952-06 rauc.slot=B\n");
}
