//! All sensors of the demo together.

use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

use super::Orders;
use super::forwarder::Forwarder;
use super::lora::LoraSensor;
use super::mqtt::MqttSensor;
use crate::demo::devices::{Device, Link, OWN};
use crate::demo::error::DemoError;
use crate::demo::logbook::Logbook;
use crate::demo::message::{Instrument, Water};
use crate::demo::world::World;
use crate::mqtt_wire::Level;

/// Frames between devices and gateway; each device has one at a time.
const AIR_FRAMES: usize = 16;
/// How long sensors may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// One sensor as the script sees it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it speaks by radio.
    pub(crate) is_lora: bool,
    /// What it did.
    pub(crate) logbook: Logbook,
}

/// The sensors at work.
#[derive(Debug)]
pub(crate) struct Field {
    orders: watch::Sender<Orders>,
    tasks: JoinSet<()>,
    /// In the order of [`OWN`].
    pub(crate) sources: Vec<Source>,
}

impl Field {
    /// Puts all of them up, silent.
    pub(crate) async fn start(world: &World) -> Result<Field, DemoError> {
        let (orders, ordered) = watch::channel(Orders { every: None, water: Water::Usual });
        let (up, uplinks) = mpsc::channel(AIR_FRAMES);
        let (air, _) = broadcast::channel(AIR_FRAMES);
        let forwarder = Forwarder::open(world.gwmp, uplinks, air.clone()).await.map_err(DemoError::Socket)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(forwarder.run());
        let mut sources = Vec::new();
        for ((name, instrument), seed) in OWN.into_iter().zip(1..) {
            let logbook = Logbook::default();
            let Some(Device { link, .. }) = world.devices.iter().find(|device| device.name == name) else { continue };
            sources.push(Source { name, is_lora: matches!(link, Link::Lora(_)), logbook: logbook.clone() });
            let orders = ordered.clone();
            match link.clone() {
                Link::Mqtt { password } => {
                    let (level, qos) = manner(instrument);
                    let to = world.mqtt;
                    let sensor = MqttSensor { name, password, to, level, qos, instrument, seed, logbook, orders };
                    tasks.spawn(sensor.run())
                }
                Link::Lora(session) => {
                    let (up, down) = (up.clone(), air.subscribe());
                    tasks.spawn(LoraSensor { session, instrument, seed, logbook, orders, up, down }.run())
                }
            };
        }
        Ok(Field { orders, tasks, sources })
    }

    /// Tells all of them how fast to speak and what they measure.
    pub(crate) fn order(&self, every: Option<Duration>, water: Water) {
        self.orders.send_replace(Orders { every, water });
    }

    /// Messages without acknowledgement.
    pub(crate) fn unacknowledged(&self) -> u64 {
        self.sources.iter().map(|source| source.logbook.counts()).map(|(sent, acknowledged)| sent - acknowledged).sum()
    }

    /// Lets them say goodbye.
    pub(crate) async fn end(self) -> Vec<Source> {
        let Field { orders, mut tasks, sources } = self;
        drop(orders);
        let all = async { while tasks.join_next().await.is_some() {} };
        // Who has not gone by then is dropped with the set.
        let _ = tokio::time::timeout(GOODBYE, all).await;
        sources
    }
}

/// One sensor of each manner: MQTT 3.1.1 at QoS 1, MQTT 5 at QoS 2, MQTT 5 at QoS 1.
fn manner(instrument: Instrument) -> (Level, u8) {
    match instrument {
        Instrument::Cod => (Level::V4, 1),
        Instrument::Flow => (Level::V5, 2),
        Instrument::Station | Instrument::Level => (Level::V5, 1),
    }
}
