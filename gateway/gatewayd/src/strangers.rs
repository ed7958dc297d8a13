//! MQTT clients that nobody knows, as `weir device strangers` lists them beside those of the radio.

use mqtt::{Edge, Stranger, StrangerName, Unknown};
use serde_json::{Value, json};

/// Everyone the edge did not let in, and what to do.
pub(crate) fn of_edge(edge: &Edge) -> Vec<Value> {
    edge.strangers().iter().map(show).collect()
}

fn show(stranger: &Stranger) -> Value {
    let Stranger { name: StrangerName { client_id, user, why }, connects, last, from } = stranger;
    let (kind, cure) = match why {
        Unknown::Device => (
            "mqtt",
            "if it is yours: weir device add --link mqtt with this name, or set its client id and user name to a \
             device's name; else leave it",
        ),
        Unknown::Secret => (
            "mqtt, wrong password",
            "compare its password with keys.toml, and look whether it is disabled: weir device list; if none of yours \
             is silent, it is a stranger's",
        ),
        Unknown::Identity => {
            ("mqtt, names differ", "if it is yours: set its client id and its user name both to the device's name")
        }
        Unknown::ClientId => (
            "mqtt, no name",
            "if it is yours: set its client id to the device's name, 1 to 64 of A-Z a-z 0-9 _ . -; else leave it",
        ),
        Unknown::Certificate => {
            ("mqtt, other certificate", "if it is yours: give it a certificate whose name is its client id")
        }
    };
    let address = match user {
        Some(user) if user != client_id => format!("{client_id} ({user})"),
        _ => client_id.clone(),
    };
    json!({
        "kind": kind, "address": address, "client_id": client_id, "user": user, "frames": connects, "cure": cure,
        "from": from.to_string(), "seen_ms_ago": u64::try_from(last.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}
