//! What the box tells of its own LoRaWAN uplinks, in the format of ChirpStack's `up` events.

use chirpstack::Uplink;
use ingest::{Activation, Class, DeviceLink, DeviceTable, LorawanDevice, Ruling, Verdict};
use lorawan::{DataRate, LoraDataRate, Region, tx_dr};
use record::{ClockQuality, EndDeviceEui, GatewayEui, Link, Reading, Reception, SourceId, Stamp};
use sha2::{Digest, Sha256};

use crate::config::Chirpstack;

/// Events on their way from the committer to the edge. They are copies: one more is left out.
pub(crate) const EVENTS_MAX: usize = 1_024;

/// An event for whoever reads such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UplinkEvent {
    pub(crate) topic: String,
    pub(crate) json: String,
}

/// The event of a frame that carries a payload, whether our codec can read it or not; none of anything else.
pub(super) fn uplink_event(
    config: &Chirpstack,
    region: Region,
    devices: &DeviceTable,
    verdict: &Verdict,
    stamp: Stamp,
) -> Option<UplinkEvent> {
    let payload = verdict.plain.as_deref()?;
    let (link, phy, readings): (&Link, &[u8], &[Reading]) = match &verdict.ruling {
        Ruling::Accepted { frame, .. } => (&frame.link, &frame.raw, &frame.readings),
        Ruling::Rejected { evidence: Some(rejected), .. } => (&rejected.link, &rejected.raw, &[]),
        _ => return None,
    };
    let Link::Lora { gateway, dev_addr, f_cnt, f_port, frequency_hz, data_rate, rssi_dbm, snr_ddb, tmst_us, others } =
        link
    else {
        return None;
    };
    // FPort 0 is between the device and its network.
    let f_port = f_port.filter(|f_port| *f_port > 0)?;
    let device = devices.by_name(verdict.source.as_ref()?)?;
    let DeviceLink::Lorawan(lorawan) = &device.link else { return None };
    let sent = lorawan::Uplink::parse(phy).ok()?;
    let rate: Option<LoraDataRate> = data_rate.parse().ok();
    let best = Reception { gateway: *gateway, rssi_dbm: *rssi_dbm, snr_ddb: *snr_ddb, tmst_us: *tmst_us };
    let heard_by: Vec<Reception> = std::iter::once(best).chain(others.iter().cloned()).collect();
    let uplink = Uplink {
        application_id: &config.application_id,
        device: device.name.as_str(),
        dev_eui: dev_eui(&device.name, lorawan),
        dev_addr: *dev_addr,
        f_cnt: *f_cnt,
        f_port: Some(f_port),
        adr: sent.adr(),
        dr: rate.and_then(|rate| tx_dr(region, DataRate::Lora(rate))).unwrap_or_default(),
        class_c: lorawan.class == Class::C,
        confirmed: sent.confirmed(),
        payload,
        phy,
        readings,
        at: (stamp.clock != ClockQuality::Unset).then_some(stamp.wall_ms),
        heard_by: &heard_by,
        frequency_hz: *frequency_hz,
        lora: rate.map(|rate| ((rate.bandwidth as u16).into(), rate.spreading_factor as u8)),
        region: match region {
            Region::Eu868 => "eu868",
            Region::Cn470 => "cn470",
        },
    };
    Some(UplinkEvent { topic: config.event_topic.topic(uplink.topic()), json: uplink.to_json() })
}

/// A device that was personalised without a DevEUI has one made of its name here: locally administered (IEEE 802c), so
/// that it is nobody's, and always the same.
fn dev_eui(name: &SourceId, lorawan: &LorawanDevice) -> EndDeviceEui {
    if let Activation::Otaa { dev_eui, .. } = &lorawan.activation {
        return GatewayEui(dev_eui.0);
    }
    let digest = Sha256::digest(name.as_str());
    let mut eui = [0; 8];
    eui.copy_from_slice(&digest[..8]);
    eui[0] = 0x02;
    GatewayEui(eui)
}
