//! Who sends: MQTT clients that publish again until they are acknowledged, LoRaWAN devices that transmit again, and
//! somebody who listens to the radio and says it all once more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ingest::{Arrival, DeviceTable, LoraArrival};
use lorawan::end_device::{DataUp, acknowledged, data_up};
use lorawan::{DataRate, DevAddr, SessionKeys};
use record::{Dossier, GatewayEui, Link as RecordLink, MonoMs, SourceId, UnixMs};
use serde_json::json;

use crate::link::Link;
use crate::seed::Chance;

/// What the box knows of its devices.
const DEVICES: &str = r#"
[[device]]
name = "cod-1"
[device.mqtt]
[device.codec]
kind = "json"
fields = [{ path = "/cod", quantity = "cod", unit = "mg/L" }, { path = "/ph", quantity = "ph", unit = "[pH]" }]

[[device]]
name = "cod-2"
[device.mqtt]
[device.codec]
kind = "json"
fields = [{ path = "/cod", quantity = "cod", unit = "mg/L" }, { path = "/ph", quantity = "ph", unit = "[pH]" }]

[[device]]
name = "level-1"
[device.lorawan]
dev_addr = "26010001"
[device.codec]
kind = "cayenne_lpp"

[[device]]
name = "level-2"
[device.lorawan]
dev_addr = "26010002"
[device.codec]
kind = "cayenne_lpp"
"#;

/// Where devices may stand: each has a dossier from the first start on.
pub(crate) const OUTFALLS: [&str; 2] = ["A-1", "B-2"];

/// The device table of one start: between two of them somebody may have moved a device.
pub(crate) fn devices(places: &mut Chance) -> DeviceTable {
    let mut text = DEVICES.to_owned();
    for device in ["cod-1", "level-1", "level-2"] {
        let outfall = places.pick(&[Some(OUTFALLS[0]), Some(OUTFALLS[1]), None]);
        let place = outfall.map_or(String::new(), |outfall| format!("outfall = \"{outfall}\"\n"));
        let name = format!("name = \"{device}\"\n");
        text = text.replace(&name, &format!("{name}{place}"));
    }
    DeviceTable::from_toml(&text, KEYS, &BTreeMap::new()).expect("the device table")
}

/// The least that is a dossier.
pub(crate) fn dossier(outfall: &str) -> Dossier {
    serde_json::from_value(json!({
        "code": outfall, "name": "x", "class": "other", "state": "planned", "water": { "name": "x" },
        "position": { "longitude": 0, "latitude": 0, "datum": "WGS-84" },
    }))
    .expect("a dossier")
}

const KEYS: &str = r#"
[cod-1]
password = "river-otter-7"
[cod-2]
password = "river-otter-8"
[level-1]
nwk_s_key = "44024241ed4ce9a68c6a8bc055233fd3"
app_s_key = "ec925802ae430ca77fd3dd73cb2cc588"
[level-2]
nwk_s_key = "55024241ed4ce9a68c6a8bc055233fd3"
app_s_key = "fd925802ae430ca77fd3dd73cb2cc588"
"#;

pub(crate) const RULES: &str = r#"
[[rule]]
id = "cod-high"
kind = "limit"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
high = 80
deadband = 5

[[rule]]
id = "cod-long"
kind = "limit"
devices = ["cod-1"]
quantity = "cod"
unit = "mg/L"
high = 70
on_delay_s = 20

[[rule]]
id = "cod-expr"
kind = "expr"
devices = ["cod-1"]
quantity = "cod"
unit = "mg/L"
expr = "value > 60.0 && value > mean / 2.0 && !long"
inputs = { mean = { of = "cod", window_s = 600, stat = "mean" }, long = { alarm = "cod-long" } }
on_delay_s = 5

[[rule]]
id = "warm"
kind = "limit"
devices = ["*"]
quantity = "temperature_1"
unit = "Cel"
high = 25

[[rule]]
id = "cod-jump"
kind = "change"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
rise = 10
within_s = 60

[[rule]]
id = "cod-mean"
kind = "mean"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
window = "10min"
share_min_percent = 10
high = 60

[[rule]]
id = "cod-silent"
kind = "silence"
devices = ["*"]
quantity = "cod"
for_s = 60

[[rule]]
id = "cod-stuck"
kind = "stuck"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
for_s = 30
band = 3

[[rule]]
id = "cod-unstable"
kind = "unstable"
devices = ["*"]
quantity = "cod"
unit = "mg/L"
high = 75
times = 3
within_s = 120
relax_after = 3
"#;

/// Publishes that a client lets go unacknowledged.
const INFLIGHT_MAX: usize = 8;
/// Without a PUBACK for so long a client takes its connection for dead.
const PUBACK_TIMEOUT_MS: u64 = 10_000;
/// Transmissions of one LoRaWAN frame.
const TRANSMISSIONS_MAX: u32 = 4;
/// Frames that the listener remembers.
const HEARD_MAX: usize = 64;

/// A frame on its way to the box.
#[derive(Debug, Clone)]
pub(crate) struct Uplink {
    /// Which connection of its client it was written to; over the air, which transmission of its device it is.
    pub(crate) turn: u64,
    pub(crate) sent_ms: u64,
    pub(crate) packet_id: u16,
    pub(crate) dup: bool,
    pub(crate) bytes: Vec<u8>,
}

/// An answer of the box on its way to a device.
#[derive(Debug, Clone)]
pub(crate) enum Downlink {
    /// PUBACK, on this connection.
    Acknowledge { connection: u64, packet_id: u16 },
    /// The box closes the connection.
    Close { connection: u64 },
    /// PHYPayload, in a receive window of this transmission.
    Radio { turn: u64, phy: Vec<u8> },
}

/// Somebody in the field.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) name: SourceId,
    pub(crate) way: Link,
    chance: Chance,
    /// Frames it made up so far; each is another one, so that nothing equals anything by chance.
    number: u64,
    high: bool,
    /// A client wakes so many times as often as others; a radio has its windows to wait for.
    pub(crate) haste: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Client(Client),
    Mote(Mote),
    /// Repeats and garbles what it heard.
    Listener(VecDeque<Vec<u8>>),
}

/// An MQTT client, QoS 1.
#[derive(Debug, Default)]
struct Client {
    /// The connection; `None` while there is none.
    connection: Option<u64>,
    connections: u64,
    /// Something that was written to the connection got lost: nothing comes through it any more, for a stream has no
    /// gaps. The client does not know yet.
    dead: bool,
    packet_id: u16,
    unacknowledged: VecDeque<Published>,
    waits_since: Option<u64>,
}

#[derive(Debug)]
struct Published {
    packet_id: u16,
    bytes: Vec<u8>,
    sent: bool,
}

/// A LoRaWAN device, activated by personalisation, that asks for an acknowledgement of each frame.
#[derive(Debug)]
struct Mote {
    dev_addr: DevAddr,
    keys: SessionKeys,
    f_cnt: u32,
    f_cnt_down: u32,
    transmissions: u64,
    /// The frame that is not acknowledged yet, and how often it was sent.
    current: Option<(Vec<u8>, u32)>,
}

impl Device {
    /// All devices of the table above, and the listener.
    pub(crate) fn all(seed: u64) -> Vec<Device> {
        let client = || Kind::Client(Client::default());
        let mote = |dev_addr: u32, nwk: &str, app: &str| {
            let key = |hex: &str| hex.parse().expect("a key");
            let keys = SessionKeys::v1_0(key(nwk), key(app));
            Kind::Mote(Mote {
                dev_addr: DevAddr::from_u32(dev_addr),
                keys,
                f_cnt: 0,
                f_cnt_down: 0,
                transmissions: 0,
                current: None,
            })
        };
        let kinds = [
            ("cod-1", client()),
            ("cod-2", client()),
            ("level-1", mote(0x2601_0001, "44024241ed4ce9a68c6a8bc055233fd3", "ec925802ae430ca77fd3dd73cb2cc588")),
            ("level-2", mote(0x2601_0002, "55024241ed4ce9a68c6a8bc055233fd3", "fd925802ae430ca77fd3dd73cb2cc588")),
            ("listener", Kind::Listener(VecDeque::new())),
        ];
        let device = |(name, kind): (&str, Kind)| Device {
            name: SourceId::new(name).expect("a device's name"),
            way: Link::new(Chance::new(seed, &format!("way {name}"))),
            chance: Chance::new(seed, name),
            number: 0,
            high: false,
            haste: 1,
            kind,
        };
        kinds.into_iter().map(device).collect()
    }

    pub(crate) fn is_client(&self) -> bool {
        matches!(self.kind, Kind::Client(_))
    }

    pub(crate) fn is_mote(&self) -> bool {
        matches!(self.kind, Kind::Mote(_))
    }

    /// Its turn: what it sends now, and when it wakes again. `producing` is over once the world heals: then it only
    /// gets rid of what it has.
    pub(crate) fn wake(&mut self, now: u64, producing: bool) -> (Vec<Uplink>, u64) {
        let new = match &self.kind {
            Kind::Client(client) => {
                let some = if self.chance.percent(4) { INFLIGHT_MAX } else { 1 };
                let room = INFLIGHT_MAX - client.unacknowledged.len();
                let some = some.min(room) * usize::from(producing);
                (0..some).map(|_| self.payload()).collect()
            }
            Kind::Mote(mote) if producing && mote.current.is_none() => vec![self.cayenne()],
            Kind::Mote(_) | Kind::Listener(_) => Vec::new(),
        };
        match &mut self.kind {
            Kind::Client(client) => {
                let sent = client.wake(now, new, self.way.state != crate::link::LinkState::Cut);
                (sent, now + self.chance.between(800, 5_000) / self.haste)
            }
            Kind::Mote(mote) => {
                let sent = mote.wake(now, new.into_iter().next());
                (sent, now + self.chance.between(2_000, 6_000))
            }
            Kind::Listener(heard) => {
                let sent = if producing { repeated(heard, now, &mut self.chance) } else { None };
                (sent.into_iter().collect(), now + self.chance.between(3_000, 9_000))
            }
        }
    }

    /// What it makes of an answer.
    pub(crate) fn hear(&mut self, now: u64, answer: &Downlink) {
        match (&mut self.kind, answer) {
            (Kind::Client(client), Downlink::Acknowledge { connection, packet_id })
                if client.connection == Some(*connection) && !client.dead =>
            {
                client.unacknowledged.retain(|published| published.packet_id != *packet_id);
                client.waits_since = (!client.unacknowledged.is_empty()).then_some(now);
            }
            (Kind::Client(client), Downlink::Close { connection }) => {
                client.connection = client.connection.filter(|current| current != connection);
            }
            // A device listens for the answer to its latest transmission, and to nothing else.
            (Kind::Mote(mote), Downlink::Radio { turn, phy }) if *turn == mote.transmissions => {
                if let Some(f_cnt) = acknowledged(phy, mote.dev_addr, &mote.keys, mote.f_cnt_down) {
                    mote.f_cnt_down = f_cnt + 1;
                    mote.current = None;
                }
            }
            _ => {}
        }
    }

    /// The listener hears a frame on the air.
    pub(crate) fn overhear(&mut self, phy: &[u8]) {
        if let Kind::Listener(heard) = &mut self.kind {
            if heard.len() == HEARD_MAX {
                heard.pop_front();
            }
            heard.push_back(phy.to_vec());
        }
    }

    /// Something was lost on the way of its connection.
    pub(crate) fn lose(&mut self) {
        if let Kind::Client(client) = &mut self.kind {
            client.dead = true;
        }
    }

    /// Its connection breaks.
    pub(crate) fn disconnect(&mut self) {
        if let Kind::Client(client) = &mut self.kind {
            client.connection = None;
        }
    }

    /// Whether the connection is the one it has now.
    pub(crate) fn is_on(&self, connection: u64) -> bool {
        match &self.kind {
            Kind::Client(client) => client.connection == Some(connection) && !client.dead,
            Kind::Mote(_) | Kind::Listener(_) => true,
        }
    }

    /// Publishes that it keeps until they are acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        match &self.kind {
            Kind::Client(client) => client.unacknowledged.len(),
            Kind::Mote(_) | Kind::Listener(_) => 0,
        }
    }

    /// As the box takes it in.
    pub(crate) fn arrival(&self, uplink: &Uplink, devices: &Arc<DeviceTable>, mono: MonoMs, wall: UnixMs) -> Arrival {
        let payload = uplink.bytes.clone();
        if self.is_client() {
            let topic = format!("d/{}/up", self.name);
            let packet_id = Some(uplink.packet_id);
            let link = RecordLink::Mqtt { topic, qos: 1, packet_id, level: 4, seal: None };
            let content = Some(devices.open(&self.name, &payload, wall));
            return Arrival::Mqtt { device: self.name.clone(), link, dup: uplink.dup, payload, content };
        }
        Arrival::Lora(LoraArrival {
            gateway: GatewayEui([1; 8]),
            others: Vec::new(),
            frequency_hz: 868_100_000,
            data_rate: DataRate::Lora("SF7BW125".parse().expect("a data rate")),
            rssi_dbm: Some(-80),
            snr_ddb: Some(55),
            tmst_us: 1_000,
            received_at: mono,
            phy: payload,
            decoded: None,
        })
    }

    fn payload(&mut self) -> Vec<u8> {
        self.number += 1;
        let (name, number) = (self.name.clone(), self.number);
        if self.chance.percent(3) {
            return format!(r#"{{"cod":,"n":"{name} {number}"}}"#).into_bytes();
        }
        if self.chance.percent(12) {
            self.high = !self.high;
        }
        let whole = if self.high { self.chance.between(68, 95) } else { self.chance.between(20, 78) };
        format!(r#"{{"cod":{whole}.{0},"ph":7.{0},"n":"{name} {number}"}}"#, number % 10).into_bytes()
    }

    /// Channel 1, degrees.
    fn cayenne(&mut self) -> Vec<u8> {
        self.number += 1;
        let tenths = self.chance.between(200, 270);
        if self.chance.percent(3) {
            // A channel without its value.
            return vec![1, 103, 0];
        }
        {
            let [.., high, low] = tenths.to_be_bytes();
            vec![1, 103, high, low]
        }
    }
}

impl Client {
    fn wake(&mut self, now: u64, new: Vec<Vec<u8>>, reachable: bool) -> Vec<Uplink> {
        let mut sent = Vec::new();
        let silent = |since: u64| now.saturating_sub(since) > PUBACK_TIMEOUT_MS;
        if self.waits_since.is_some_and(silent) {
            self.connection = None;
        }
        if self.connection.is_none() && reachable {
            (self.connections, self.dead) = (self.connections + 1, false);
            self.connection = Some(self.connections);
            self.waits_since = (!self.unacknowledged.is_empty()).then_some(now);
            sent.extend(self.unacknowledged.iter_mut().map(|published| published.uplink(self.connections, now)));
        }
        for bytes in new {
            self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
            let mut published = Published { packet_id: self.packet_id, bytes, sent: false };
            if let Some(connection) = self.connection {
                sent.push(published.uplink(connection, now));
                self.waits_since = self.waits_since.or(Some(now));
            }
            self.unacknowledged.push_back(published);
        }
        sent
    }
}

impl Published {
    fn uplink(&mut self, turn: u64, now: u64) -> Uplink {
        let dup = std::mem::replace(&mut self.sent, true);
        Uplink { turn, sent_ms: now, packet_id: self.packet_id, dup, bytes: self.bytes.clone() }
    }
}

impl Mote {
    fn wake(&mut self, now: u64, new: Option<Vec<u8>>) -> Vec<Uplink> {
        if let Some(payload) = new {
            self.f_cnt += 1;
            let up = DataUp {
                dev_addr: self.dev_addr,
                confirmed: true,
                f_cnt: self.f_cnt,
                f_port: 2,
                payload: &payload,
                ..DataUp::default()
            };
            self.current = Some((data_up(up, &self.keys), 0));
        }
        let Some((phy, sent)) = &mut self.current else { return Vec::new() };
        if *sent == TRANSMISSIONS_MAX {
            // Nobody answered: the next frame may have more luck.
            self.current = None;
            return Vec::new();
        }
        *sent += 1;
        self.transmissions += 1;
        vec![radio(self.transmissions, now, phy.clone())]
    }
}

fn repeated(heard: &VecDeque<Vec<u8>>, now: u64, chance: &mut Chance) -> Option<Uplink> {
    let at = usize::try_from(chance.next()).unwrap_or(0) % heard.len().max(1);
    let mut phy = heard.get(at)?.clone();
    match chance.between(0, 3) {
        // The device's own bytes, later.
        0 | 1 => {}
        _ => {
            let place = usize::try_from(chance.next()).unwrap_or(0) % phy.len();
            phy[place] ^= 1 << chance.between(0, 8);
        }
    }
    Some(radio(0, now, phy))
}

fn radio(turn: u64, now: u64, bytes: Vec<u8>) -> Uplink {
    Uplink { turn, sent_ms: now, packet_id: 0, dup: false, bytes }
}
