//! A link that is cut, after any byte of an exchange, by RST, FIN or silence: both platforms end up with each record once.
//!
//! Each round sends one record while the next connection to each platform is cut at a byte of its own, TLS handshake
//! included: every other round the upload daemon is killed before, so that the handshake is a whole one and not resumed.
//! `WEIR_LINK_CUTS=1000` makes so many cuts instead of a sample by `WEIR_SEED`; they are spread over all bytes.

use std::fmt::Write;
use std::fs;

use serde_json::Value;
use system_tests::config::destination_toml;
use system_tests::relay::{Cut, Ending, Passed, Way};
use system_tests::row::{once, values};
use system_tests::{Device, Relay, Sensor, World, until};

const CUTS_DEFAULT: u64 = 150;
/// Impatient, so that silence costs half a second; one connection a batch, so that each exchange is a whole one.
const TIMEOUTS: &str = "[destination.timeouts]\nconnect_ms = 400\nanswer_ms = 400\nidle_ms = 0\n";

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} wants a number")))
}

/// The world with a relay in front of each platform.
fn world(device: &Device) -> (World, Vec<Relay>) {
    let mut world = World::box_only(std::slice::from_ref(device), "");
    world.start_platforms();
    let relays: Vec<Relay> = world.platforms.iter().map(|party| Relay::start(party.port)).collect();
    let mut text = "state_dir = \"state\"\nrun_dir = \"run\"\n".to_owned();
    for (party, relay) in world.platforms.iter().zip(&relays) {
        let ca_file = party.state.tls_cert().display().to_string();
        text.push_str(&destination_toml(party.name, relay.port, &ca_file, &party.public_key()));
        text.push_str(TIMEOUTS);
    }
    fs::write(world.path("sync.toml"), text).unwrap();
    world.restart_sync();
    (world, relays)
}

/// Waits until both platforms have given receipts for so many records.
fn receipted(world: &World, records: u64) {
    until("both platforms gave a receipt for every record", 60, || {
        let all = |of: &Value| of["covered"].as_u64() >= Some(records) && of["outstanding"] == 0;
        world.destinations().iter().all(all).then_some(())
    });
}

/// The bytes of one exchange: how many went each way since `before`.
fn exchanged(relay: &Relay, before: Passed) -> [u64; 2] {
    let now = relay.passed();
    [now.request - before.request, now.answer - before.answer]
}

/// The n-th of `cuts` places, spread over all bytes of both directions; each with another ending than its neighbour.
fn place(n: u64, cuts: u64, [request, answer]: [u64; 2]) -> Cut {
    let at = (request + answer) * n / cuts;
    let (way, after) = if at < request { (Way::Request, at) } else { (Way::Answer, at - request) };
    let ending = [Ending::Reset, Ending::Close, Ending::Silence][usize::try_from(n % 3).unwrap()];
    Cut { way, after, ending }
}

#[test]
fn a_link_cut_after_any_byte_loses_and_doubles_nothing() {
    let (cuts, seed) = (setting("WEIR_LINK_CUTS", CUTS_DEFAULT), setting("WEIR_SEED", 1));
    let device = Device::cod("cod-1");
    let (mut world, relays) = world(&device);
    let mut sensor = Sensor::connect(&world, &device);
    let mut sent = 0;
    let mut publish = || {
        sensor.publish(&format!(r#"{{"n":{sent},"cod":{}.{}}}"#, 40 + sent % 7, sent % 10));
        sent += 1;
        sent
    };
    // Two exchanges that are not cut: with a whole handshake, and with a resumed one.
    publish();
    receipted(&world, world.records());
    let before: Vec<Passed> = relays.iter().map(Relay::passed).collect();
    publish();
    receipted(&world, world.records());
    let resumed: Vec<_> = relays.iter().zip(&before).map(|(relay, before)| exchanged(relay, *before)).collect();
    world.restart_sync();
    let before: Vec<Passed> = relays.iter().map(Relay::passed).collect();
    publish();
    receipted(&world, world.records());
    let whole: Vec<_> = relays.iter().zip(&before).map(|(relay, before)| exchanged(relay, *before)).collect();

    let rounds = cuts / 2;
    let mut told = String::new();
    for round in 0..rounds {
        let lengths = if round % 2 == 0 { &whole } else { &resumed };
        for (offset, (relay, lengths)) in relays.iter().zip(lengths).enumerate() {
            // A permutation of the places, another one for each platform.
            let n = (round * 7_919 + seed + offset as u64 * (rounds / 2)) % rounds;
            let cut = place(n, rounds, *lengths);
            write!(told, "{cut:?} ").unwrap();
            relay.cut_next(cut);
        }
        if round % 2 == 0 {
            world.restart_sync();
        }
        publish();
        receipted(&world, world.records());
        relays.iter().for_each(Relay::spare_next);
    }
    let made: u64 = relays.iter().map(|relay| relay.passed().cuts).sum();
    println!("{made} of {} cuts made; bytes of a whole exchange {whole:?}, of a resumed one {resumed:?}", rounds * 2);
    assert!(made * 10 >= rounds * 2 * 9, "too many cuts lay behind the end of an exchange: {made}: {told}");

    let rows = world.delivered();
    assert_eq!(values(&rows, "cod-1", "n"), once(0..sent), "nothing is missing or doubled");
    for party in &world.platforms {
        let status = party.get("/v1/status");
        assert_eq!(status["boxes"][0]["doubled"], 0, "{}: {status}", party.name);
        let refused = status["refused"].as_object().unwrap();
        assert!(refused.keys().all(|code| code == "body_incomplete"), "{}: {refused:?}", party.name);
    }
    world.verify().exits(0);
}
