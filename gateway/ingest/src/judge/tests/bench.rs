//! A box around [`Ingest`]: it stores what the verdicts say, and nothing else survives a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use lorawan::end_device::{DataUp, acknowledged, data_up};
use lorawan::{DataRate, DevAddr, Region, SessionKeys};
use record::{Body, BootNo, ClockQuality, GatewayEui, Link, MonoMs, Record, SourceId, Stamp, UnixMs};

use crate::{
    Arrival, DeviceTable, Downlink, EvidenceBudget, Ingest, Judgement, LoraArrival, Network, Ruling, Undecoded, Verdict,
};

const DEVICES: &str = r#"
[[device]]
name = "cod-1"
[device.mqtt]
[device.codec]
kind = "json"
fields = [{ path = "/cod", quantity = "cod", unit = "mg/L" }]

[[device]]
name = "level-1"
[device.lorawan]
dev_eui = "24e124538c458373"
join_eui = "24e124c0002a0001"
[device.codec]
kind = "cayenne_lpp"

[[device]]
name = "rain-1"
[device.serial]
id = 7
[device.codec]
kind = "cayenne_lpp"

[[device]]
name = "gate-1"
[device.chirpstack]
dev_eui = "0101010101010101"
[device.codec]
kind = "cayenne_lpp"

[[device]]
name = "gate-2"
[device.chirpstack]
dev_eui = "0202020202020202"
payload = "object"
[device.codec]
kind = "json"
fields = [{ path = "/level_mm", quantity = "level", unit = "m", scale = 0.001 }]

[[integration]]
name = "chirpstack"
kind = "chirpstack"

[[device]]
name = "flow-1"
[device.lorawan]
dev_addr = "26010001"
[device.codec]
kind = "cayenne_lpp"
"#;

const KEYS: &str = r#"
[level-1]
app_key = "2b7e151628aed2a6abf7158809cf4f3c"

[rain-1]
mac_key = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"

[cod-1]
password = "river-otter-7"

[chirpstack]
password = "river-otter-8"

[flow-1]
nwk_s_key = "44024241ed4ce9a68c6a8bc055233fd3"
app_s_key = "ec925802ae430ca77fd3dd73cb2cc588"
"#;

pub(super) fn network() -> Network {
    Network::standard(Region::Eu868)
}

fn table() -> DeviceTable {
    DeviceTable::from_toml(DEVICES, KEYS, &BTreeMap::new()).unwrap()
}

pub(super) fn dev_addr() -> DevAddr {
    DevAddr::from_u32(0x2601_0001)
}

/// Cayenne: channel 1 is 27.2 degrees.
pub(super) const WARM: &[u8] = &[1, 103, 1, 16];

/// Evidence of three short frames an hour.
const EVIDENCE_BYTES: u32 = 3 * 190;

pub(super) fn keys() -> SessionKeys {
    let key = |hex: &str| hex.parse().unwrap();
    SessionKeys::v1_0(key("44024241ed4ce9a68c6a8bc055233fd3"), key("ec925802ae430ca77fd3dd73cb2cc588"))
}

pub(super) struct Bench {
    table: Arc<DeviceTable>,
    pub(super) ingest: Ingest,
    records: Vec<Record>,
    sessions: BTreeMap<SourceId, Vec<u8>>,
    now_ms: u64,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let table = Arc::new(table());
        let budget = EvidenceBudget::new(EVIDENCE_BYTES);
        let ingest = Ingest::new(table.clone(), network(), std::iter::empty(), budget).unwrap();
        Bench { table, ingest, records: Vec::new(), sessions: BTreeMap::new(), now_ms: 5_000 }
    }

    pub(super) fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            boot: BootNo(0),
            mono_ms: MonoMs(self.now_ms),
            wall_ms: UnixMs(1_700_000_000_000),
            clock: ClockQuality::Unset,
        }
    }

    /// Judges at this moment, decodes if it must, and stores what the verdict says.
    pub(super) fn judge(&mut self, arrival: Arrival) -> Verdict {
        match self.begin(arrival) {
            Judgement::Verdict(verdict) => verdict,
            Judgement::Undecoded(undecoded) => {
                let decoded = self.decode(undecoded);
                match self.begin(decoded) {
                    Judgement::Verdict(verdict) => verdict,
                    Judgement::Undecoded(again) => panic!("decoded and not judged: {again:?}"),
                }
            }
        }
    }

    /// Judges at this moment, and stores what the verdict says if there is one yet.
    pub(super) fn begin(&mut self, arrival: Arrival) -> Judgement {
        let stamp = self.stamp();
        let judgement = self.ingest.judge(arrival, stamp);
        if let Judgement::Verdict(verdict) = &judgement {
            self.store(verdict, stamp);
        }
        judgement
    }

    fn store(&mut self, verdict: &Verdict, stamp: Stamp) {
        let body = match &verdict.ruling {
            Ruling::Accepted { frame, .. } => Some(Body::Frame(frame.clone())),
            Ruling::Duplicate | Ruling::Told { .. } => None,
            Ruling::Rejected { evidence, .. } => evidence.clone().map(Body::Rejected),
        };
        self.records.extend(body.map(|body| Record { stamp, body }));
        if let Some(source) = verdict.source.as_ref().filter(|_| verdict.session_changed) {
            self.sessions.insert(source.clone(), self.ingest.session(source));
        }
    }

    /// Runs the codec of what comes back undecoded.
    pub(super) fn decode(&self, undecoded: Undecoded) -> Arrival {
        undecoded.decode(&self.table, self.stamp().wall_ms)
    }

    /// Forgets everything that is not stored.
    pub(super) fn restart(&mut self) {
        let stored = self.sessions.iter().map(|(source, bytes)| (source, bytes.as_slice()));
        self.ingest = Ingest::new(self.table.clone(), network(), stored, EvidenceBudget::new(EVIDENCE_BYTES)).unwrap();
        self.records.iter().for_each(|record| self.ingest.remember(record));
    }

    /// What a start says of stored bytes that are no session.
    pub(super) fn start_with(&self, session: &[u8]) -> String {
        let source = SourceId::new("flow-1").unwrap();
        let started =
            Ingest::new(self.table.clone(), network(), [(&source, session)].into_iter(), EvidenceBudget::new(0));
        started.map_or_else(|error| error.to_string(), |_| "started".into())
    }
}

/// A PUBLISH of `cod-1`.
pub(super) fn publish(packet_id: Option<u16>, dup: bool, payload: &str) -> Arrival {
    let qos = u8::from(packet_id.is_some());
    let link = Link::Mqtt { topic: "d/cod-1/up".into(), qos, packet_id, level: 4, seal: None };
    let device = SourceId::new("cod-1").unwrap();
    let content = table().open(&device, payload.as_bytes(), UnixMs(0));
    Arrival::Mqtt { device, link, dup, payload: payload.into(), content: Some(content) }
}

/// An event of `chirpstack`.
pub(super) fn event(dev_eui: u8, kind: &str, more: &str) -> Arrival {
    let eui = format!("{dev_eui:02x}").repeat(8);
    let json = format!(r#"{{"deviceInfo":{{"devEui":"{eui}"}}{more}}}"#);
    let topic = chirpstack::Topic { application_id: "app-7", dev_eui: GatewayEui([dev_eui; 8]), kind };
    Arrival::Chirpstack {
        integration: SourceId::new("chirpstack").unwrap(),
        link: Link::Mqtt { topic: "t".into(), qos: 1, packet_id: Some(1), level: 4, seal: None },
        application_id: topic.application_id.into(),
        event: chirpstack::Event::parse(topic, json.as_bytes()).map_err(Into::into),
        decoded: None,
        raw: json.into(),
    }
}

/// A PHYPayload as a gateway heard it.
pub(super) fn heard(phy: Vec<u8>) -> Arrival {
    Arrival::Lora(LoraArrival {
        gateway: GatewayEui([0xaa, 0x55, 0x5a, 0, 0, 0, 0, 1]),
        frequency_hz: 868_100_000,
        others: Vec::new(),
        data_rate: DataRate::Lora("SF7BW125".parse().unwrap()),
        received_at: MonoMs(0),
        rssi_dbm: Some(-42),
        snr_ddb: Some(55),
        tmst_us: 1_000,
        phy,
        decoded: None,
    })
}

/// A frame of `flow-1`.
pub(super) fn uplink(f_cnt: u32, confirmed: bool, payload: &[u8]) -> Vec<u8> {
    data_up(DataUp { dev_addr: dev_addr(), confirmed, f_cnt, f_port: 2, payload, ..DataUp::default() }, &keys())
}

/// `accepted flow-1 #3 temperature_1 27.2 Cel · ack 0`
pub(super) fn show(verdict: &Verdict) -> String {
    let source = verdict.source.as_ref().map_or("?", SourceId::as_str);
    let mut text = match &verdict.ruling {
        Ruling::Accepted { frame, .. } => {
            assert_eq!(verdict.source.as_ref(), Some(&frame.source));
            let counter = match &frame.link {
                Link::Lora { f_cnt, .. } | Link::Chirpstack { f_cnt, .. } => format!(" #{f_cnt}"),
                _ => String::new(),
            };
            let value = |r: &record::Reading| r.value.map_or_else(|| r.quality.as_str().into(), |v| v.to_string());
            let readings = frame.readings.iter().map(|r| format!(" {} {} {}", r.quantity, value(r), r.unit));
            format!("accepted {source}{counter}{}", readings.collect::<String>())
        }
        Ruling::Duplicate => format!("duplicate {source}"),
        Ruling::Told { device, news } => {
            format!("told {source} of {}: {news:?}", device.as_ref().map_or("?", SourceId::as_str))
        }
        Ruling::Rejected { why, detail, evidence } => {
            if let Some(evidence) = evidence {
                assert_eq!((&evidence.source, evidence.why, &evidence.detail), (&verdict.source, *why, detail));
            }
            let kept = if evidence.is_some() { "kept" } else { "counted" };
            format!("{} {source} {kept}: {detail}", why.as_str())
        }
    };
    if let Some(Downlink { phy, .. }) = &verdict.downlink {
        assert!(verdict.session_changed, "a used FCntDown is stored");
        let f_cnt_down = acknowledged(phy, dev_addr(), &keys(), 0).expect("a valid acknowledgement");
        text += &format!(" · ack {f_cnt_down}");
    }
    text
}
