//! The sensors: they keep what is not acknowledged and send it again until it is.

mod field;
mod forwarder;
mod lora;
mod mqtt;

use std::time::Duration;

use super::message::Water;

pub(crate) use field::{Field, Source};
pub(crate) use forwarder::EUI;

/// What the script tells its sensors, all of them at once. When the sender is dropped, sensors say goodbye and end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Orders {
    /// How fast MQTT sensors speak; `None` is silence, in which nothing new is said and the rest is settled.
    /// LoRa devices speak as fast as their receive windows allow.
    pub(crate) every: Option<Duration>,
    /// What they measure.
    pub(crate) water: Water,
}
