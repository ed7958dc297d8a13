//! Relays as a technician meets them on a box without a GPIO chip: it starts and measures all the same, and says and journals why no
//! sample is taken. Lines that do switch are in `tests/run vm --relays`, on a simulated chip of a real kernel.

use std::fs;

use serde_json::{Value, json};
use system_tests::config::BOX;
use system_tests::{Device, Peer, Sensor, World, until};

const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n\
                    high = 80\nsample = \"east\"\n";

/// A relay of this use, on a chip that no machine has.
fn relay(purpose: &str) -> String {
    format!("relay = [{{ name = \"east\", use = \"{purpose}\", chip = \"no-such-chip\", line = 3 }}]\n")
}

/// A box with this text before its `gateway.toml`, and rules that ask for a sample.
fn world(more: &str) -> World {
    let world = World::prepared(&[Device::cod("cod-1")], "[commands]\nretained_sample = [\"municipal\"]\n");
    let path = world.path("gateway.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{more}{text}")).unwrap();
    fs::write(world.path("rules.toml"), RULE).unwrap();
    world
}

/// What the journal has of samples: step and reason.
fn sampled(world: &World) -> Vec<(String, String)> {
    let all = world.weir(&["tail", "-n", "1000", "--json"]).exits(0).json_lines();
    let word = |at: &Value, key: &str| at[key].as_str().unwrap().to_owned();
    all.iter().filter(|at| at["act"] == "sampled").map(|at| (word(at, "step"), word(at, "reason"))).collect()
}

#[test]
fn what_moves_water_and_what_is_no_sampler_is_refused_by_the_configuration() {
    let check = |more: &str, expected: &[&str]| {
        let world = world(more);
        let file = world.path("gateway.toml").display().to_string();
        let told = world.weir(&["config", "check", &file]).exits(255).out;
        assert!(expected.iter().all(|part| told.contains(part)), "{told}");
    };
    for water in ["gate", "valve", "pump", "闸门"] {
        check(&relay(water), &[water, "storm-water outlet", "leave this relay out"]);
    }
    check(&relay("signal"), &["cod-high", "no `[[relay]]` east with use = \"sampler\""]);
    check("", &["cod-high", "no `[[relay]]` east"]);
    check(&relay("sampler").replace("line = 3", "line = 3, blink = { on_ms = 500, off_ms = 500 }"), &["blink"]);
    check(&relay("sampler").replace("line = 3", "line = 3, on_ms = 600_001"), &["relay.on_ms", "600000"]);
}

#[test]
fn a_box_without_the_chip_measures_all_the_same_and_tells_everybody_why_there_is_no_sample() {
    let mut world = world(&relay("sampler"));
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    let sensor = Device::cod("cod-1");
    let payload = r#"{"n":1,"cod":95}"#;
    Peer::sensor("paho_sensor.py", &world, &sensor).with("--count", 1).with("--payload", payload).run().exits(0);
    let expected = vec![("unavailable".to_owned(), String::new())];
    until("the refusal is journaled", 20, || (sampled(&world) == expected).then_some(()));

    let list = world.weir(&["sampler", "list"]).exits(1).out;
    assert!(list.contains("0/24") && list.contains("gpiodetect"), "{list}");
    assert!(world.weir(&["--lang", "zh", "sampler", "list"]).exits(1).out.contains("不可用"));
    let taken = world.weir(&["sampler", "take", "east", "--reason", "clue 7", "--json"]).exits(1).json();
    assert_eq!(taken["step"], "unavailable", "{taken}");
    assert_eq!(sampled(&world)[1], ("unavailable".to_owned(), "clue 7".to_owned()));
    let unknown = world.weir(&["sampler", "take", "west", "--reason", "x"]).exits(3);
    assert!(unknown.err.contains("weir sampler list"), "{}", unknown.err);
    world.weir(&["sampler", "refill", "east", "--reason", "new bottles"]).exits(0);
    let forged =
        json!({"do": "audit", "act": "sampled", "sampler": "east", "step": "taken", "bottle": 1, "bottles": 2});
    assert!(world.ask_gateway(&forged).to_string().contains("nobody says"), "only the box says that");
    assert!(world.weir(&["status"]).exits(1).out.contains("no-such-chip"));
    let off = world.weir(&["sampler", "off", "--config", &world.path("gateway.toml").display().to_string()]).exits(1);
    assert!(off.out.contains("no-such-chip"), "{}", off.out);
    for party in &world.platforms {
        until("the platform has it", 60, || {
            let acts: Vec<String> = party.audits().into_iter().map(|(act, ..)| act).collect();
            (acts == ["sampled", "sampled", "refilled"]).then_some(())
        });
    }
    world.verify().exits(0);
}

/// The order travels with a receipt; this box has no chip, so that the sampler refuses it as it refuses an alarm and a person.
#[test]
fn a_platform_orders_a_sample_and_hears_what_came_of_it() {
    let mut world = world(&relay("sampler"));
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    for party in &world.platforms {
        world.weir(&["identity", "pin", party.name, &party.public_key(), "--reason", "set up by hand"]).exits(0);
    }
    let mut sensor = Sensor::connect(&world, &Device::cod("cod-1"));
    let mut n = 0;
    let mut order = |world: &World, platform: &str, sampler: &str| {
        let config = world.path(&format!("{platform}-platform.toml")).display().to_string();
        let common = ["--box", BOX, "--config", &config, "--reason", "complaint downstream"];
        world.weir(&[&["platform", "order", "retained-sample", sampler], &common[..]].concat()).exits(0);
        until("the box has answered", 60, || {
            n += 1;
            sensor.publish(&format!(r#"{{"n":{n},"cod":40}}"#));
            let told = world.weir(&["platform", "orders", BOX, "--config", &config, "--json"]).json();
            let newest = told["orders"].as_array().unwrap().last().unwrap().clone();
            (newest["state"] != "waiting").then(|| (newest["state"].clone(), newest["refused"].clone()))
        })
    };
    let (state, refused) = order(&world, "provincial", "east");
    assert_eq!(state, "refused");
    assert!(refused.as_str().unwrap().contains("[commands]"), "{refused}");
    let (_, refused) = order(&world, "municipal", "west");
    assert!(refused.as_str().unwrap().contains("there is no sampler west"), "{refused}");
    assert_eq!(sampled(&world), []);
    let (state, refused) = order(&world, "municipal", "east");
    assert_eq!((state, refused), (json!("refused"), json!("sampler east takes none: its line cannot be switched")));
    assert_eq!(sampled(&world), [("unavailable".to_owned(), "complaint downstream".to_owned())]);
    for party in &world.platforms {
        until("every platform has order and outcome", 60, || {
            let acts: Vec<String> = party.audits().into_iter().map(|(act, ..)| act).collect();
            acts.ends_with(&["commanded".to_owned(), "sampled".to_owned()]).then_some(())
        });
    }
    let told = world.weir(&["--lang", "zh", "tail", "-n", "1000"]).out;
    assert!(told.contains("留样") && told.contains("municipal"), "{told}");
    world.verify().exits(0);
}
