//! Who an arrival proves to be of, before it is judged.

use ::chirpstack::Event;
use ::lorawan::{DevEui, Uplink};
use envelope::{Envelope, Kid, Purpose};
use record::SourceId;

use super::Ingest;
use crate::content::open;
use crate::{Arrival, DeviceLink, SealKey};

impl Ingest {
    /// The device whose keys a data frame was made with, as far as is known now; none for a join-request, and for what
    /// will be refused whenever it is judged. Whether it is new is not asked.
    ///
    /// Frames of one device must be judged in the order in which they came, also while an earlier one is being decoded:
    /// this tells which of them have to wait.
    pub fn sender(&self, arrival: &Arrival) -> Option<SourceId> {
        match arrival {
            Arrival::Mqtt { device, .. } => Some(device.clone()),
            Arrival::Lora(heard) => {
                let uplink = Uplink::parse(&heard.phy).ok()?;
                let candidates = self.candidates(&self.devices, &uplink);
                self.prove(candidates, &uplink, heard).map(|(candidate, _)| candidate.device.name.clone())
            }
            Arrival::Serial { confirmed, envelope, .. } => {
                let envelope = Envelope::parse(envelope).ok()?;
                let id = envelope.header().kid.as_ref().and_then(Kid::number)?;
                let device = self.devices.by_serial_id(u16::try_from(id).ok()?)?;
                let DeviceLink::Serial(serial) = &device.link else { return None };
                let purpose = if *confirmed { Purpose::ConfirmedFrame } else { Purpose::Frame };
                let opened = open(&envelope, &SealKey::Mac(serial.mac_key.clone()), &device.name, purpose);
                opened.is_ok().then(|| device.name.clone())
            }
            Arrival::Chirpstack { event: Ok(Event::Up(up)), .. } => {
                self.devices.by_chirpstack(DevEui(up.dev_eui.0)).map(|device| device.name.clone())
            }
            Arrival::Chirpstack { .. } => None,
        }
    }
}
