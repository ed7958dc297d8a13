//! The device table as the MQTT edge asks for it.

use std::sync::Arc;

use ingest::{DeviceLink, DeviceTable};
use mqtt::{Device, Directory, Refusal};
use record::SourceId;

/// Answers from memory.
#[derive(Debug)]
pub(crate) struct Devices(pub(crate) Arc<DeviceTable>);

impl Directory for Devices {
    fn authenticate(&self, client_id: &str, _user: Option<&str>, password: Option<&[u8]>) -> Result<Device, Refusal> {
        let name = SourceId::new(client_id).map_err(|_| Refusal::UnknownDevice)?;
        let device = self.0.by_name(&name).ok_or(Refusal::UnknownDevice)?;
        let DeviceLink::Mqtt(mqtt) = &device.link else { return Err(Refusal::UnknownDevice) };
        if !password.is_some_and(|password| mqtt.password.is(password)) {
            return Err(Refusal::BadPassword);
        }
        Ok(Device {
            name: name.as_str().into(),
            publish: vec![mqtt.topic.as_str().into()],
            subscribe: vec![mqtt.command_topic.as_str().into()],
        })
    }
}
