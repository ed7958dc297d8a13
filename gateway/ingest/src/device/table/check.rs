//! What a device of the table will not do well in the box's channel plan.

use ::lorawan::{DevAddr, Region};
use record::SourceId;

use super::DeviceTable;
use crate::{Activation, ChirpstackPayload, Class, Codec, DeviceLink};

/// Something that works, but not as its owner thinks. The table is taken all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Its address is one of another network.
    #[error(
        "device `{device}`: DevAddr {dev_addr} is not of a private network: devices of others may have it too · try: \
         personalise it with one from 00000000 to 03ffffff"
    )]
    PublicDevAddr {
        /// The device.
        device: SourceId,
        /// Its address.
        dev_addr: DevAddr,
    },
    /// A text format over LoRaWAN.
    #[error(
        "device `{device}`: a LoRaWAN frame carries 11 to 242 bytes, too few for JSON or CSV · try: cayenne_lpp, binary, \
         tlv or javascript"
    )]
    WordyCodec {
        /// The device.
        device: SourceId,
    },
    /// A device of a ChirpStack that may not come in.
    #[error(
        "device `{device}` has [device.chirpstack], and no [[integration]] is a ChirpStack: nobody can hand in its frames \
         · try: add one to devices.toml, kind = \"chirpstack\""
    )]
    NoChirpstack {
        /// The device.
        device: SourceId,
    },
    /// CN470, personalised, class C.
    #[error(
        "device `{device}`: without a join it listens at SF12, where no command fits CN470's second of air · try: let it \
         join (dev_eui), or class A"
    )]
    DeafClassC {
        /// The device.
        device: SourceId,
    },
}

impl Finding {
    /// Whose finding it is.
    pub fn device(&self) -> &SourceId {
        match self {
            Finding::PublicDevAddr { device, .. }
            | Finding::WordyCodec { device }
            | Finding::NoChirpstack { device }
            | Finding::DeafClassC { device } => device,
        }
    }

    /// Whether what was asked for cannot be had at all, so that a new device had better be described otherwise.
    pub fn is_hopeless(&self) -> bool {
        matches!(self, Finding::DeafClassC { .. })
    }
}

impl DeviceTable {
    /// What will not work well in `region`, in the order of the file.
    pub fn check(&self, region: Region) -> Vec<Finding> {
        let mut findings = Vec::new();
        for device in self.iter() {
            let name = || device.name.clone();
            let wordy = matches!(device.codec, Codec::Json(_) | Codec::SenmlJson(_) | Codec::Csv(_));
            let over_lora = match &device.link {
                DeviceLink::Lorawan(_) => true,
                DeviceLink::Chirpstack(chirpstack) => chirpstack.payload == ChirpstackPayload::Data,
                DeviceLink::Mqtt(_) | DeviceLink::Serial(_) => false,
            };
            if wordy && over_lora {
                findings.push(Finding::WordyCodec { device: name() });
            }
            if matches!(device.link, DeviceLink::Chirpstack(_)) && self.chirpstack().is_none() {
                findings.push(Finding::NoChirpstack { device: name() });
            }
            let DeviceLink::Lorawan(lorawan) = &device.link else { continue };
            let Activation::Abp { dev_addr, .. } = &lorawan.activation else { continue };
            // NetIDs 000000 and 000001 (TS002 §13).
            if dev_addr.to_u32() >> 26 != 0 {
                findings.push(Finding::PublicDevAddr { device: name(), dev_addr: *dev_addr });
            }
            if region == Region::Cn470 && lorawan.class == Class::C {
                findings.push(Finding::DeafClassC { device: name() });
            }
        }
        findings
    }
}
