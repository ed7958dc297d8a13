//! `gateway.toml` and the files that it names, read as the gateway reads them.

use std::io::ErrorKind;

use control::chain;
use gatewayd::{ConfigError, GatewayConfig};
use ingest::DeviceTable;

use crate::doctor::facts::{DeviceFacts, Fact, MqttTls, Places, Setup, Unseen};

/// Reads them.
pub(super) fn look(places: &Places) -> Fact<Setup> {
    let config = GatewayConfig::load(&places.config).map_err(|error| unseen(&error))?;
    let place = gatewayd::config::device_place(&places.config).map_err(|error| unseen(&error))?;
    let file = &config.file;
    let mqtt = file.mqtt.enabled;
    Ok(Setup {
        state_dir: file.state_dir.clone(),
        keys: place.keys,
        journal_bytes_max: file.journal.bytes_max,
        disk_reserve_bytes: file.journal.disk_reserve_bytes,
        checkpoint_records_max: file.checkpoint.records_max,
        mqtt_tls: (mqtt && file.mqtt.tls.enabled).then(|| MqttTls {
            cert: file.mqtt.tls.cert.clone(),
            key: file.mqtt.tls.key.clone(),
            client_ca: file.mqtt.tls.client_ca.clone(),
        }),
        devices: devices(&config.devices),
        unused_keys: config.devices.unused_keys().iter().map(ToString::to_string).collect(),
        rules: config.rules.clone(),
        periods: file.aggregates.periods.clone(),
    })
}

/// A file that this user may not read is no fault of the configuration.
fn unseen(error: &ConfigError) -> Unseen {
    match error {
        ConfigError::Read { path, source } if source.kind() == ErrorKind::PermissionDenied => {
            Unseen::Denied(path.display().to_string())
        }
        _ => Unseen::Failed(chain(error)),
    }
}

fn devices(table: &DeviceTable) -> Vec<DeviceFacts> {
    let facts = table.iter().map(|device| DeviceFacts {
        name: device.name.to_string(),
        enabled: device.enabled,
        outfall: device.outfall.as_ref().map(ToString::to_string),
    });
    facts.collect()
}
