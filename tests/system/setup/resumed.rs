//! SIGKILL to everything of the box, at every point of a setup that can be told from outside, and the same command again.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{Setup, answers, codes, everything, fresh, start_as_told, states, works};

/// What can be told apart: a step that ended in some way, a password that was shown, a daemon that is to be started.
fn moment(line: &Value) -> Option<String> {
    match (line["step"].as_str(), line["state"].as_str()) {
        (Some(step), Some("done")) => Some(format!("{step} {}", line["what"])),
        _ => [line["device"].as_str(), line["start"].as_str()].into_iter().flatten().next().map(str::to_owned),
    }
}

/// Ten steps, a password and two daemons.
const POINTS: usize = 13;
/// What was done between its predecessor's line and the SIGKILL never says so: then not every point was cut at, and another box
/// is set up.
const BOXES_MAX: usize = 6;

/// A box is set up in the end however often it loses its power in between: each time at a moment at which it never did.
#[test]
fn a_power_cut_at_every_point_is_gone_on_from() {
    let mut cuts = (0..BOXES_MAX).map(|_| set_up_among_cuts());
    assert!(cuts.any(|cuts| cuts.len() == POINTS), "no box of {BOXES_MAX} was cut at each of {POINTS} points");
}

/// Where it was cut.
fn set_up_among_cuts() -> BTreeSet<String> {
    let mut world = fresh();
    let codes = codes(&world);
    answers(&world, [&codes[0], &codes[1]]);
    let mut cuts = BTreeSet::new();
    let said = loop {
        let mut setup = Setup::start(&world, &[]);
        let mut said = Vec::new();
        let cut = loop {
            let Some(line) = setup.next() else { break false };
            // Before what it asks for is done, and again behind it.
            if moment(&line).is_some_and(|moment| cuts.insert(moment)) {
                break true;
            }
            start_as_told(&mut world, &line);
            said.push(line);
        };
        if !cut {
            let (code, err) = setup.end();
            assert_eq!(code, Some(0), "{err} {said:?}");
            break said;
        }
        setup.kill();
        world.kill_gateway();
        world.sync = None;
    };
    assert!(cuts.len() <= POINTS, "{cuts:?}");
    // Its daemons were killed, too: that is all that there was to do.
    let done: Vec<String> =
        states(&said).into_iter().filter(|(_, state)| state == "done").map(|(step, _)| step).collect();
    assert!(done.iter().all(|step| ["gateway", "upload"].contains(&step.as_str())), "{done:?}");
    let (files, _) = everything(&world);
    let count = |name: &str, text: &str| String::from_utf8_lossy(&files[name]).matches(text).count();
    assert_eq!((count("sync.toml", "[[destination]]"), count("devices.toml", "[[device]]")), (2, 2));
    assert!(fs::read_to_string(world.path("gateway.toml")).unwrap().starts_with("box = \"outfall-1\""));
    world.verify().exits(0);
    works(&world);
    cuts
}
