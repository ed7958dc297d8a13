//! The device table with its keys and codecs, each a file of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ingest::{DeviceTable, DeviceTableError};

use super::files::{read, read_keys};
use super::{ConfigError, gateway_file};

/// Where a `gateway.toml` keeps its devices, whatever the files hold.
#[derive(Debug, Clone)]
pub struct DevicePlace {
    /// The device table.
    pub devices: PathBuf,
    /// Their keys.
    pub keys: PathBuf,
    /// The channel plan that LoRaWAN devices must fit.
    pub region: ::lorawan::Region,
}

/// Where a `gateway.toml` keeps its devices.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLong`], [`ConfigError::Parse`].
pub fn device_place(path: &Path) -> Result<DevicePlace, ConfigError> {
    let file = gateway_file(path)?;
    let beside = |name: &Path| path.parent().unwrap_or(Path::new(".")).join(name);
    Ok(DevicePlace { devices: beside(&file.devices), keys: beside(&file.keys), region: file.gwmp.region })
}

/// Reads and checks a device table and its keys.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLong`], [`ConfigError::Devices`], [`ConfigError::Keys`],
/// [`ConfigError::ExposedKeys`].
pub fn load_devices(devices: &Path, keys: &Path) -> Result<DeviceTable, ConfigError> {
    check_devices(devices, &read(devices)?, keys, &read_keys(keys)?)
}

/// Checks what would stand in a device table and its keys, before it does.
///
/// The codecs that the table names are read from beside it.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLong`], [`ConfigError::Devices`], [`ConfigError::Keys`].
pub fn check_devices(
    devices: &Path,
    devices_text: &str,
    keys: &Path,
    keys_text: &str,
) -> Result<DeviceTable, ConfigError> {
    let scripts = read_scripts(devices, devices_text)?;
    DeviceTable::from_toml(devices_text, keys_text, &scripts).map_err(|error| match error {
        DeviceTableError::Devices(source) => ConfigError::Devices { path: devices.into(), source },
        DeviceTableError::Keys(source) => ConfigError::Keys { path: keys.into(), source },
    })
}

/// The JavaScript codecs that a device table names, by the name that it gives them. One that does not exist is left out:
/// the table is refused with the line that names it.
fn read_scripts(devices: &Path, devices_text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut scripts = BTreeMap::new();
    for file in DeviceTable::script_files(devices_text) {
        match read(&devices.with_file_name(&file)) {
            Ok(text) => scripts.insert(file, text),
            Err(ConfigError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
    }
    Ok(scripts)
}
